//! Recordings from files.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use super::error::{ReplayError, print_warning};
use super::play_args::RecordingArgs;
use crate::capture::{Inputs, PacketSource};
use crate::cli::error::describe;
use crate::cli::exit::Ending;
use crate::conversation::{EndOfInput, MessageEvent};
use crate::dissect::{DissectOptions, Dissector};
use crate::replay::{MidStream, NdjsonReader, Recorder, Recording, Wanted};
use crate::report::filter::Filter;

/// A recording, and whether all of it could be read.
pub(super) struct Loaded {
    pub(super) recording: Recording,
    pub(super) ending: Ending,
}

/// Reads the captures, or the one file of NDJSON.
pub(super) fn load(args: &RecordingArgs, mid_stream: MidStream) -> Result<Loaded, ReplayError> {
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
        let recording =
            NdjsonReader::new(input, wanted)
                .read()
                .map_err(|source| ReplayError::Ndjson {
                    path: path.clone(),
                    source,
                })?;
        return Ok(Loaded {
            recording,
            ending: Ending::Fine,
        });
    }
    dissect(args, wanted, filter)
}

/// The file, if it is one that begins as JSON does. Whatever is wrong with it
/// otherwise is told when it is read as a capture.
fn open_ndjson(path: &Path) -> Option<BufReader<File>> {
    if path == Path::new("-") {
        return None;
    }
    let mut input = BufReader::new(File::open(path).ok()?);
    let begins_as_json = input.fill_buf().ok()?.first() == Some(&b'{');
    begins_as_json.then_some(input)
}

fn dissect(
    args: &RecordingArgs,
    wanted: Wanted,
    filter: Option<Filter>,
) -> Result<Loaded, ReplayError> {
    let matches =
        move |event: &MessageEvent<'_>| filter.as_ref().is_none_or(|filter| filter.matches(event));
    let mut recorder = Recorder::new(wanted, matches);
    let mut dissector = Dissector::new(DissectOptions::default());
    let mut source = Inputs::open(args.files.clone())?;
    let mut ending = Ending::Fine;
    loop {
        match source.next_packet() {
            Ok(None) => break,
            Ok(Some(packet)) => dissector.push(&packet, &mut recorder)?,
            Err(error) if error.is_partial() => {
                print_warning(describe(&error));
                if !args.lenient {
                    ending = Ending::Incomplete;
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    dissector.finish(EndOfInput::Complete, &mut recorder)?;
    Ok(Loaded {
        recording: recorder.into_recording(),
        ending,
    })
}
