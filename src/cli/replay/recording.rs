//! Recordings from files.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::error::{ReplayError, print_warning};
use super::play_args::RecordingArgs;
use crate::capture::{InputOrder, Inputs, PacketSource, ReadingThread};
use crate::cli::capture_set::{CaptureSet, describe_empty};
use crate::cli::error::describe;
use crate::cli::exit::Ending;
use crate::conversation::{EndOfInput, MessageEvent};
use crate::dissect::{DissectOptions, Dissector, Sink};
use crate::replay::inject::Taker;
use crate::replay::{
    MidStream, NdjsonReader, Plan, PlanError, PlayOptions, Recording, RecordingSink,
    RecordingTooLarge, Wanted,
};
use crate::select::filter::Filter;

/// A recording, and whether all of it could be read.
pub(super) struct Loaded {
    pub(super) recording: Recording,
    pub(super) ending: Ending,
}

impl Loaded {
    /// The messages to be sent and their times.
    pub(super) fn plan(&self, options: &PlayOptions) -> Result<Plan, ReplayError> {
        match Plan::new(&self.recording, options) {
            Err(PlanError::Nothing) => Err(self.nothing()),
            planned => Ok(planned?),
        }
    }

    pub(super) fn check_not_empty(&self) -> Result<(), ReplayError> {
        if self.recording.conversations.is_empty() {
            return Err(self.nothing());
        }
        Ok(())
    }

    /// Checks that the conversations of `--conv` are there.
    fn check_named(&self, args: &RecordingArgs) -> Result<(), ReplayError> {
        let last = self.recording.last;
        let names = args.conv.iter().flat_map(|names| &names.0);
        let missing: Vec<String> = names
            .filter(|name| Some(**name) > last)
            .map(ToString::to_string)
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(ReplayError::NoSuchConversation {
            named: missing.join(", "),
            last,
        })
    }

    fn nothing(&self) -> ReplayError {
        ReplayError::Nothing {
            skipped: self.recording.skipped_counts.clone(),
        }
    }
}

/// Reads the captures, or the one file of NDJSON.
pub(super) fn load(args: &RecordingArgs, mid_stream: MidStream) -> Result<Loaded, ReplayError> {
    let loaded = read(args, mid_stream)?;
    loaded.check_named(args)?;
    Ok(loaded)
}

fn read(args: &RecordingArgs, mid_stream: MidStream) -> Result<Loaded, ReplayError> {
    let filter = args.filter.as_deref().map(Filter::parse).transpose()?;
    let wanted = Wanted {
        named: args.conv.as_ref().map(|names| names.0.clone()),
        mid_stream,
    };
    if let [path] = &*args.files
        && let Some(input) = open_ndjson(path)
    {
        if filter.is_some() {
            return Err(ReplayError::FilterOnNdjson);
        }
        return read_ndjson(path, input, wanted);
    }
    let order = if args.concat {
        InputOrder::AsNamed
    } else {
        InputOrder::ByTime
    };
    let captures = Captures::find(&args.files, order)?;
    record(&captures, wanted, filter, OnDamage::of(args))
}

/// Captures that are read as one.
struct Captures {
    files: Vec<PathBuf>,
    order: InputOrder,
}

impl Captures {
    /// Those that the arguments name; says which files of a directory are none.
    fn find(names: &[PathBuf], order: InputOrder) -> Result<Self, ReplayError> {
        let set = CaptureSet::find(names)?;
        for left_out in set.left_out {
            print_warning(left_out);
        }
        Ok(Self {
            files: set.files,
            order,
        })
    }

    /// The one at this path, or those in this directory.
    fn at(path: &Path) -> Result<Self, ReplayError> {
        Self::find(&[path.to_owned()], InputOrder::ByTime)
    }
}

/// Reads the recording of `--expect`, of either kind.
pub(super) fn load_expected(path: &Path, args: &RecordingArgs) -> Result<Loaded, ReplayError> {
    let wanted = Wanted {
        named: None,
        mid_stream: MidStream::Include,
    };
    match open_ndjson(path) {
        Some(input) => read_ndjson(path, input, wanted),
        None => record(&Captures::at(path)?, wanted, None, OnDamage::of(args)),
    }
}

/// The messages of clients that match.
pub(super) fn take(
    path: &Path,
    filter: Option<&str>,
) -> Result<(Taker<impl FnMut(&MessageEvent<'_>) -> bool>, Ending), ReplayError> {
    let filter = filter.map(Filter::parse).transpose()?;
    let captures = Captures::at(path)?;
    let filter = filter
        .map(|filter| informed(filter, &captures))
        .transpose()?;
    let mut taker = Taker::new(matching(filter));
    let ending = dissect(&captures, &mut taker, OnDamage::Tell)?;
    Ok((taker, ending))
}

/// The effect of a damaged capture on the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnDamage {
    /// It says so.
    Tell,
    /// Nothing (`--lenient`).
    Forgive,
    /// Nothing yet: a later reading says so.
    Ignore,
}

impl OnDamage {
    const fn of(args: &RecordingArgs) -> Self {
        if args.lenient {
            Self::Forgive
        } else {
            Self::Tell
        }
    }
}

fn read_ndjson(path: &Path, input: impl BufRead, wanted: Wanted) -> Result<Loaded, ReplayError> {
    let recording =
        NdjsonReader::new(input, wanted)
            .read()
            .map_err(|source| ReplayError::Ndjson {
                path: path.to_owned(),
                source,
            })?;
    Ok(Loaded {
        recording,
        ending: Ending::Fine,
    })
}

/// The file, if it is one that begins as JSON does. Whatever is wrong with it
/// otherwise, reading it as a capture says.
fn open_ndjson(path: &Path) -> Option<BufReader<File>> {
    if path == Path::new("-") {
        return None;
    }
    let mut input = BufReader::new(File::open(path).ok()?);
    let begins_as_json = input.fill_buf().ok()?.first() == Some(&b'{');
    begins_as_json.then_some(input)
}

fn record(
    captures: &Captures,
    wanted: Wanted,
    filter: Option<Filter>,
    on_damage: OnDamage,
) -> Result<Loaded, ReplayError> {
    let filter = filter
        .map(|filter| informed(filter, captures))
        .transpose()?;
    let mut recorder = RecordingSink::new(wanted, matching(filter));
    let ending = dissect(captures, &mut recorder, on_damage)?;
    Ok(Loaded {
        recording: recorder.into_recording(),
        ending,
    })
}

/// The filter, with the results of a first reading of the files if it tests whole conversations.
fn informed(mut filter: Filter, captures: &Captures) -> Result<Filter, ReplayError> {
    if filter.tests_conversations() {
        // One that is not there is reported when it is opened.
        let comes_once =
            |path: &PathBuf| path == Path::new("-") || path.exists() && !path.is_file();
        if captures.files.iter().any(comes_once) {
            return Err(ReplayError::FilterReadsTwice);
        }
        let mut outcomes = filter.outcomes();
        dissect(captures, &mut outcomes, OnDamage::Ignore)?;
        filter.learn(outcomes);
    }
    Ok(filter)
}

fn matching(filter: Option<Filter>) -> impl FnMut(&MessageEvent<'_>) -> bool {
    move |event| filter.as_ref().is_none_or(|filter| filter.matches(event))
}

fn dissect(
    captures: &Captures,
    sink: &mut impl Sink<Error = RecordingTooLarge>,
    on_damage: OnDamage,
) -> Result<Ending, ReplayError> {
    let mut dissector = Dissector::new(DissectOptions::default());
    let (files, thread) = (captures.files.clone(), ReadingThread::Own);
    let mut source = Inputs::open_on(files, captures.order, thread)?;
    if on_damage != OnDamage::Ignore {
        for empty in source.empty_inputs() {
            print_warning(describe_empty(empty));
        }
    }
    let mut ending = Ending::Fine;
    loop {
        match source.next_packet() {
            Ok(None) => break,
            Ok(Some(packet)) => dissector.push(&packet, sink)?,
            Err(error) if error.is_partial() => {
                if on_damage != OnDamage::Ignore {
                    print_warning(describe(&error));
                }
                if on_damage == OnDamage::Tell {
                    ending = Ending::Incomplete;
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    dissector.finish(EndOfInput::Complete, sink)?;
    Ok(ending)
}
