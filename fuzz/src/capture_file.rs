//! Any bytes as a capture file.

use std::io::Cursor;

use ministream::capture::{CaptureError, CaptureFile, InputInfo, Packet, PacketSource};
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
    let mut dissector = Dissector::new(options);
    let (inputs, damage) = read(file, |packet| {
        dissector.push(packet, sink).expect("the sink takes all");
    })?;
    if let Some(error) = damage {
        assert!(error.is_partial(), "an error behind the header: {error}");
        dissector
            .note_damage(&error, sink)
            .expect("the sink takes all");
    }
    dissector
        .finish(EndOfInput::Complete, sink)
        .expect("the sink takes all");
    Some((inputs, dissector.counts()))
}

/// Shows every packet of a file up to its end or its damage, which is returned; `None` when it is
/// no capture.
pub fn read(
    file: &[u8],
    mut show: impl FnMut(&Packet<'_>),
) -> Option<(Vec<InputInfo>, Option<CaptureError>)> {
    let mut capture = CaptureFile::from_reader("fuzz.pcap", Cursor::new(file.to_vec())).ok()?;
    let damage = loop {
        match capture.next_packet() {
            Ok(Some(packet)) => show(&packet),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    Some((capture.inputs().to_vec(), damage))
}
