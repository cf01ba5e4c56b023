//! Any bytes as a capture file.

use std::io::Cursor;

use ministream::capture::{CaptureFile, InputInfo, PacketSource};
use ministream::conversation::EndOfInput;
use ministream::dissect::{DissectCounts, DissectOptions, Dissector, Sink};

use crate::outputs;

/// The longest input. More only takes longer.
const MAX_BYTES: usize = 1 << 20;

/// The first byte chooses an output, the rest is the file. Nothing panics, and
/// [the output](outputs) is as it should be.
pub fn run(data: &[u8]) {
    let Some((&choice, file)) = data.split_first() else {
        return;
    };
    if file.len() > MAX_BYTES {
        return;
    }
    outputs::check(choice, file, &DissectOptions::default());
}

/// Dissects a file; `None` when it is no capture.
pub fn dissect<S: Sink>(
    file: &[u8],
    options: DissectOptions,
    sink: &mut S,
) -> Option<(Vec<InputInfo>, DissectCounts)>
where
    S::Error: std::fmt::Debug,
{
    let mut capture = CaptureFile::from_reader("fuzz.pcap", Cursor::new(file.to_vec())).ok()?;
    let mut dissector = Dissector::new(options);
    let end = loop {
        match capture.next_packet() {
            Ok(Some(packet)) => dissector.push(&packet, sink).expect("the sink takes all"),
            Ok(None) => break EndOfInput::Complete,
            Err(error) => {
                assert!(error.is_partial(), "an error behind the header: {error}");
                dissector
                    .note_damage(&error, sink)
                    .expect("the sink takes all");
                break EndOfInput::Complete;
            }
        }
    };
    dissector.finish(end, sink).expect("the sink takes all");
    Some((capture.inputs().to_vec(), dissector.counts()))
}
