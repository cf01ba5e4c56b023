//! From arguments to the options of a dump: checked, with every default filled in.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;

use super::allowance::{allowed_bytes, is_short_of_addresses};
use super::args::{DumpArgs, FailOn, Format, ProgressWhen};
use super::capture_set::CaptureSet;
use super::error::{DumpError, print_warning};
use super::limits::Limits;
use super::live_input::LiveInput;
use super::output::OutputOptions;
use super::pager::{Paging, Results};
use super::progress::Screen;
use super::targets::{is_same_file, is_standard};
use super::values::StatisticName;
use super::{live_input, redaction, secrets};
use crate::capture::{InputOrder, Inputs};
use crate::conversation::ConversationId;
use crate::dissect::DissectOptions;
use crate::report::follow::FollowFormat;
use crate::report::ladder::DrawnConversations;
use crate::report::reporter::{Buffering, Reporter};
use crate::select::filter::Filter;
use crate::select::redact::Redaction;
use crate::select::{Picked, Selection};

/// The flag that reads flows as ours, for hints.
pub(super) const DECODE_FLAG: &str = "-d";

/// The options of a dump.
#[derive(Debug)]
pub(crate) struct DumpOptions {
    pub(crate) input: Input,
    /// In which order the packets of several files come.
    pub(crate) order: InputOrder,
    /// The file in which packets are kept for later, if they are.
    pub(crate) keep_packets: Option<PathBuf>,
    pub(crate) limits: Limits,
    pub(crate) filter: Option<Filter>,
    pub(crate) picked: Picked,
    /// The conversations that the user named, to be shown or followed.
    pub(crate) named: BTreeSet<ConversationId>,
    pub(crate) conversations: WholeConversations,
    pub(crate) dissect: DissectOptions,
    /// Threads that may work at once.
    pub(crate) jobs: NonZeroUsize,
    pub(crate) output: OutputOptions,
    /// The secrets that every output hides.
    pub(crate) redaction: Option<Redaction>,
    pub(crate) buffering: Buffering,
    pub(crate) fail_on: Option<FailOn>,
    pub(crate) incomplete: IncompleteInput,
    pub(crate) progress: ProgressWhen,
    pub(crate) screen: Screen,
    pub(crate) paging: Paging,
    pub(crate) verbosity: u8,
}

/// The source of packets.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// Files, merged by time unless [`concat`](super::args::DumpArgs::concat) says otherwise; `-` is
    /// standard input.
    Files(Vec<PathBuf>),
    /// An interface.
    Live(LiveInput),
}

/// The items that a filter selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WholeConversations {
    /// Messages.
    No,
    /// All messages of conversations in which one matches; takes two passes.
    Yes,
}

/// The effect of incomplete input on the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IncompleteInput {
    /// It makes the exit code 3.
    Matters,
    /// It does not (`--lenient`).
    IsFine,
}

impl DumpOptions {
    /// Checks the arguments and fills in defaults.
    pub(crate) fn resolve(mut args: DumpArgs) -> Result<Self, DumpError> {
        read_kept_packets(&mut args);
        find_captures(&mut args)?;
        let filter = args.filter.as_deref().map(Filter::parse).transpose()?;
        let format = format(&args)?;
        check_statistics(&args, format)?;
        let input = input(&args)?;
        if filter.as_ref().is_some_and(Filter::tests_conversations) {
            check_passes(
                "a filter on whole conversations reads its input twice, which only files allow",
                &input,
            )?;
        }
        let conversations = if args.whole_conv {
            check_passes(
                "--whole-conv reads its input twice, which only files allow",
                &input,
            )?;
            WholeConversations::Yes
        } else {
            WholeConversations::No
        };
        check_outputs(&args, format, &input)?;
        let limits = Limits::of(&args);
        let output = OutputOptions::resolve(&args, format)?;
        let depth = output.depth(&args);
        let wording = output.wording(&args);
        let memory = memory_bytes(args.memory);
        let jobs = args.jobs.unwrap_or_else(threads);
        let redaction = redaction::redaction(&args)?;
        let destinations = match &redaction {
            Some(redaction) => redaction.destinations(),
            None => output.destinations(),
        };
        let buffering = buffering(&args, &input);
        let paging = paging(&args, &input);
        let named = named(&args);
        let screen = if output.shows_messages() && io::stdout().is_terminal() {
            Screen::Busy
        } else {
            Screen::Free
        };
        Ok(Self {
            input,
            keep_packets: args.keep_packets,
            limits,
            filter,
            picked: args
                .conv
                .map_or(Picked::All, |names| Picked::Named(names.0)),
            named,
            conversations,
            order: if args.concat {
                InputOrder::AsNamed
            } else {
                InputOrder::ByTime
            },
            dissect: DissectOptions {
                depth,
                destinations,
                wording,
                decode_as: args.decode_as,
                secrets: args.keylog.as_deref().map(secrets::read).transpose()?,
                memory_advice: "raise --memory",
                ..DissectOptions::default()
            }
            .with_memory(memory),
            jobs,
            output,
            redaction,
            buffering,
            fail_on: args.fail_on,
            incomplete: if args.lenient {
                IncompleteInput::IsFine
            } else {
                IncompleteInput::Matters
            },
            progress: args.progress,
            screen,
            paging,
            verbosity: args.verbose,
        })
    }

    /// The sink that these options ask for; the selection is its own from now on.
    pub(super) fn reporter(&mut self) -> Result<Reporter<Results>, DumpError> {
        self.reporter_into(Results::new(self.paging))
    }

    /// The same, of results that go elsewhere.
    pub(super) fn reporter_into<W: Write>(&mut self, results: W) -> Result<Reporter<W>, DumpError> {
        let selection = Selection::new(
            self.filter.take(),
            std::mem::take(&mut self.picked),
            self.limits.messages,
        );
        let mut statistics = self.output.statistics(self.jobs);
        statistics.extend(self.output.html_report()?);
        statistics.extend(self.output.stream_export()?);
        statistics.extend(self.output.data_set(self.jobs)?);
        statistics.extend(self.output.packet_writer()?);
        Ok(Reporter::new(
            results,
            self.buffering,
            self.output.style,
            selection,
            self.output.message_printer(DECODE_FLAG),
            statistics,
        )
        .redacted(self.redaction.clone()))
    }
}

fn format(args: &DumpArgs) -> Result<Format, DumpError> {
    let format = match (args.format, args.json) {
        (Some(format), _) => format,
        (None, true) => Format::Json,
        (None, false) => Format::Table,
    };
    // A tree or a dump of bytes takes the place of a table's row.
    let format = match format {
        Format::Table if args.details || args.hex => Format::Text,
        format => format,
    };
    if (args.details || args.hex) && format != Format::Text {
        return Err(DumpError::Usage {
            wrong: "-V and -x write text, which the other formats cannot contain",
            help: "omit -T, or use -T text; -T ndjson has every field and byte too",
        });
    }
    match format {
        Format::Fields if args.fields.is_empty() => Err(DumpError::Usage {
            wrong: "-T fields needs fields",
            help: "name them with -e, as in -e n -e type -e id; --list-fields lists them",
        }),
        Format::Fields | Format::Csv => Ok(format),
        _ if !args.fields.is_empty() => Err(DumpError::Usage {
            wrong: "-e names fields for -T fields or -T csv",
            help: "add -T fields or -T csv",
        }),
        _ => Ok(format),
    }
}

fn check_statistics(args: &DumpArgs, format: Format) -> Result<(), DumpError> {
    let is_for_people = matches!(format, Format::Table | Format::Text);
    if !args.statistics.is_empty() && !is_for_people {
        return Err(DumpError::Usage {
            wrong: "-z prints tables for people, which other formats than table and text cannot hold",
            help: "run it a second time for -z, or omit -T",
        });
    }
    if args.quiet && matches!(format, Format::Spec | Format::Csv | Format::Fields) {
        return Err(DumpError::Usage {
            wrong: "-q leaves nothing of this format",
            help: "omit -q or -T",
        });
    }
    let is_raw = |name: &StatisticName| matches!(name, StatisticName::Follow(_, FollowFormat::Raw));
    if args.statistics.iter().any(is_raw) && io::stdout().is_terminal() {
        return Err(DumpError::Usage {
            wrong: "follow,…,raw writes bytes as they are, and a terminal would obey them",
            help: "redirect it to a file or a pipe, or use text or hex",
        });
    }
    Ok(())
}

/// Puts the packets that were kept of an input in its place.
fn read_kept_packets(args: &mut DumpArgs) {
    let Some(kept) = args.kept_packets.take() else {
        return;
    };
    args.files = vec![kept];
    args.read.clear();
    args.interface = None;
    args.capture_filter = None;
    args.snap_length = None;
    args.not_promiscuous = false;
    args.buffer = None;
}

/// Puts the captures in the place of the directories and patterns that name them.
fn find_captures(args: &mut DumpArgs) -> Result<(), DumpError> {
    let names = [&args.read[..], &args.files[..]].concat();
    let set = CaptureSet::find(&names)?;
    for left_out in set.left_out {
        print_warning(left_out);
    }
    args.read.clear();
    args.files = set.files;
    Ok(())
}

/// Whether a filter for packets is one for messages.
fn is_of_messages(filter: Option<&str>) -> bool {
    filter.is_some_and(|filter| Filter::parse(filter).is_ok())
}

fn input(args: &DumpArgs) -> Result<Input, DumpError> {
    let files: Vec<PathBuf> = args.read.iter().chain(&args.files).cloned().collect();
    let sets_up_capture = args.capture_filter.is_some()
        || args.snap_length.is_some()
        || args.not_promiscuous
        || args.buffer.is_some();
    match &args.interface {
        None if is_of_messages(args.capture_filter.as_deref()) => Err(DumpError::Usage {
            wrong: "-f filters the packets of a live capture, and there is no -i",
            help: "this is a filter of messages: give it with -Y in place of -f",
        }),
        None if sets_up_capture => Err(DumpError::Usage {
            wrong: "-f, -s, -p and -B say how to capture, but there is no -i",
            help: "add -i with an interface (-D lists them); for files, -Y selects messages",
        }),
        Some(_) if !files.is_empty() => Err(DumpError::Usage {
            wrong: "-i and files exclude each other",
            help: "omit one of them",
        }),
        Some(interface) => live_input::input(interface, args).map(Input::Live),
        None if files.is_empty() => Err(DumpError::Usage {
            wrong: "nothing to read",
            help: "name a capture, - for standard input, or an interface with -i; -h shows examples",
        }),
        None => Ok(Input::Files(files)),
    }
}

/// A selection by later messages is learnt in a first pass.
fn check_passes(reason: &'static str, input: &Input) -> Result<(), DumpError> {
    let can_be_read_twice = match input {
        // A file that is not there is reported when it is opened.
        Input::Files(files) => files
            .iter()
            .all(|file| file.is_file() || !is_standard(file) && !file.exists()),
        Input::Live(_) => false,
    };
    if can_be_read_twice {
        return Ok(());
    }
    Err(DumpError::Usage {
        wrong: reason,
        help: "write the capture to a file first",
    })
}

/// Whether the requested outputs can be written side by side, and without losing input.
fn check_outputs(args: &DumpArgs, format: Format, input: &Input) -> Result<(), DumpError> {
    // `-w` learns which packets of files are needed before it writes the first.
    if let (Some(_), Input::Files(_)) = (&args.write, input) {
        check_passes(
            "-w reads its input more than once, which only files allow",
            input,
        )?;
    }
    check_standard_output(args, format)?;
    check_files(args, input)
}

fn check_standard_output(args: &DumpArgs, format: Format) -> Result<(), DumpError> {
    let fills = |path: &Option<PathBuf>| path.as_deref().is_some_and(is_standard);
    let (packets, html) = (fills(&args.write), fills(&args.html));
    let prints = format != Format::Table || args.ladder.is_some() || !args.statistics.is_empty();
    if packets && (prints || html) {
        return Err(DumpError::Usage {
            wrong: "-w - fills standard output, and another output was asked for",
            help: "write packets to a file, or omit -T, -z, --ladder and --html -",
        });
    }
    if html && prints {
        return Err(DumpError::Usage {
            wrong: "--html - fills standard output, and another output was asked for",
            help: "write the report to a file, or omit -T, -z and --ladder",
        });
    }
    if packets && io::stdout().is_terminal() {
        return Err(DumpError::Usage {
            wrong: "-w - writes packets as bytes, which no terminal shows",
            help: "redirect it to a file or a pipe",
        });
    }
    Ok(())
}

/// No output may be an input, or another output.
fn check_files(args: &DumpArgs, input: &Input) -> Result<(), DumpError> {
    let is_read = |output: &PathBuf| match input {
        Input::Files(files) => files.iter().any(|file| is_same_file(file, output)),
        Input::Live(_) => false,
    };
    if args.write.as_ref().is_some_and(is_read) {
        return Err(DumpError::Usage {
            wrong: "-w names a file that is read",
            help: "name another file; the one that is read would be lost",
        });
    }
    if args.html.as_ref().is_some_and(is_read) {
        return Err(DumpError::Usage {
            wrong: "--html names a file that is read",
            help: "name another file; the one that is read would be lost",
        });
    }
    match (&args.write, &args.html) {
        (Some(packets), Some(html)) if is_same_file(packets, html) => Err(DumpError::Usage {
            wrong: "-w and --html name the same file",
            help: "name two files; one would be written over the other",
        }),
        _ => Ok(()),
    }
}

fn named(args: &DumpArgs) -> BTreeSet<ConversationId> {
    let followed = args.statistics.iter().filter_map(|name| match name {
        StatisticName::Follow(id, _) | StatisticName::Ladder(DrawnConversations::One(id), _) => {
            Some(*id)
        }
        _ => None,
    });
    let picked = args.conv.iter().flat_map(|names| names.0.iter().copied());
    picked.chain(followed).collect()
}

/// Memory for flows and conversations, in bytes: as requested, or a quarter of the memory that this
/// process may have, but 256 MiB where that is at most half of it.
fn memory_bytes(asked: Option<u64>) -> usize {
    const ENOUGH: u64 = 256 << 20;
    let bytes = asked.unwrap_or_else(|| {
        allowed_bytes(Path::new("/")).map_or(ENOUGH, |all| (all / 4).max(ENOUGH.min(all / 2)))
    });
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Number of threads used by default.
fn threads() -> NonZeroUsize {
    if is_short_of_addresses(Path::new("/")) {
        return NonZeroUsize::MIN;
    }
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Live captures show each message at once, and so does a capture that comes
/// through a pipe while someone watches, or with `-l`.
fn buffering(args: &DumpArgs, input: &Input) -> Buffering {
    let is_watched_pipe = |files: &[PathBuf]| {
        files.iter().any(|file| file.as_os_str() == "-")
            && !io::stdin().is_terminal()
            && io::stdout().is_terminal()
    };
    match input {
        Input::Live(_) => Buffering::AtOnce,
        Input::Files(_) if args.line_buffered => Buffering::AtOnce,
        Input::Files(files) if is_watched_pipe(files) => Buffering::AtOnce,
        Input::Files(_) => Buffering::Blocks,
    }
}

/// Whether a pager has its place: for files on a terminal, where nobody waits for rows,
/// and Ctrl-C means nothing else.
fn paging(args: &DumpArgs, input: &Input) -> Paging {
    let Input::Files(files) = input else {
        return Paging::Never;
    };
    let has_its_place = Inputs::are_files(files)
        && io::stdout().is_terminal()
        && !args.line_buffered
        && args.parquet.is_none();
    if has_its_place && !args.no_pager {
        Paging::WhenLong
    } else {
        Paging::Never
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::export::output::OutputWriter;
    use crate::export::packets::PacketPlan;
    use crate::export::synthetic_packets::SyntheticPackets;

    fn reporter_for(flags: &[&str]) -> Reporter<Results> {
        let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/captures/spec-samples.pcap");
        let arguments = [&["ministream-dump", capture], flags].concat();
        let args = DumpArgs::try_parse_from(arguments).unwrap();
        DumpOptions::resolve(args).unwrap().reporter().unwrap()
    }

    /// Outputs are found by their types: where they were not, `-w` would write nothing and
    /// succeed.
    #[test]
    fn what_writes_packets_is_found_again_by_its_type() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("packets.pcapng");
        let path = path.to_str().unwrap();
        let mut captured = reporter_for(&["-w", path]);
        assert!(captured.output::<PacketPlan>().is_some());
        assert!(
            captured
                .output::<SyntheticPackets<OutputWriter>>()
                .is_none()
        );
        let mut redacted = reporter_for(&["-w", path, "--redact", "payload"]);
        assert!(
            redacted
                .output::<SyntheticPackets<OutputWriter>>()
                .is_some()
        );
        assert!(redacted.output::<PacketPlan>().is_none());
        let mut neither = reporter_for(&[]);
        assert!(neither.output::<PacketPlan>().is_none());
        assert!(neither.output::<SyntheticPackets<OutputWriter>>().is_none());
    }
}
