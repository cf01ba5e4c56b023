//! A sink that keeps everything, messages included.

use std::convert::Infallible;
use std::io::Cursor;
use std::net::SocketAddr;
use std::path::Path;

use ministream::capture::{CaptureError, CaptureFile, PacketSource};
use ministream::carrier::Carrier;
use ministream::conversation::{
    Conversation, ConversationId, EndOfInput, Finding, Meaning, MessageEvent,
};
use ministream::dissect::{DissectCounts, DissectOptions, Dissector, FlowReport, Sink};
use ministream::wire::{Direction, RawMessage};

/// What a dissection told.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    pub(crate) messages: Vec<Message>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) conversations: Vec<Conversation>,
    pub(crate) flows: Vec<FlowReport>,
    /// How the input ended, when it was not whole.
    pub(crate) damage: Option<CaptureError>,
    /// Packets and other things that were counted.
    pub(crate) counts: Option<DissectCounts>,
}

/// A message, kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) number: u64,
    pub(crate) packet: u64,
    pub(crate) carrier: Carrier,
    pub(crate) source: SocketAddr,
    pub(crate) encapsulation: String,
    pub(crate) direction: Option<Direction>,
    pub(crate) conversation: Option<ConversationId>,
    pub(crate) meaning: Meaning,
    /// The nickname of the I2CP session that sent or received it.
    pub(crate) nickname: Option<String>,
    pub(crate) bytes: Vec<u8>,
}

impl Sink for Recording {
    type Error = Infallible;

    fn flow(&mut self, flow: &FlowReport) -> Result<(), Infallible> {
        self.flows.push(flow.clone());
        Ok(())
    }

    fn message(&mut self, event: &MessageEvent<'_>) -> Result<(), Infallible> {
        self.messages.push(Message {
            number: event.number,
            packet: event.packet,
            carrier: event.carrier,
            source: event.source,
            encapsulation: event.encapsulation.to_string(),
            direction: event.direction,
            conversation: event.conversation,
            meaning: event.meaning,
            nickname: event.session.and_then(|session| session.nickname.clone()),
            bytes: message_bytes(event.message),
        });
        Ok(())
    }

    fn finding(&mut self, finding: &Finding) -> Result<(), Infallible> {
        self.findings.push(finding.clone());
        Ok(())
    }

    fn conversation(&mut self, conversation: &Conversation) -> Result<(), Infallible> {
        self.conversations.push(conversation.clone());
        Ok(())
    }
}

fn message_bytes(message: RawMessage<'_>) -> Vec<u8> {
    match message {
        RawMessage::Frame(frame) => [&frame.header()[..], frame.payload].concat(),
        RawMessage::Ping => vec![0xff],
        RawMessage::Short(bytes) => bytes.to_vec(),
    }
}

/// Dissects a capture file.
pub(crate) fn of_file(path: &Path) -> Recording {
    let capture =
        CaptureFile::open(path).unwrap_or_else(|error| panic!("{} opens: {error}", path.display()));
    record(capture, u64::MAX)
}

/// Dissects the first `packets` packets of a capture in memory.
///
/// # Errors
/// It is no capture.
pub(crate) fn of_bytes(bytes: &[u8], packets: u64) -> Result<Recording, CaptureError> {
    let reader = Cursor::new(bytes.to_vec());
    Ok(record(CaptureFile::from_reader("memory", reader)?, packets))
}

fn record(mut capture: impl PacketSource, packets: u64) -> Recording {
    let mut recording = Recording::default();
    let mut dissector = Dissector::new(DissectOptions::default());
    for _ in 0..packets {
        match capture.next_packet() {
            Ok(Some(packet)) => push(&mut dissector, &packet, &mut recording),
            Ok(None) => break,
            Err(error) => {
                assert!(error.is_partial(), "an opened capture fails late: {error}");
                let Ok(()) = dissector.note_damage(&error, &mut recording);
                recording.damage = Some(error);
                break;
            }
        }
    }
    let copies = dissector.copies().clone();
    let Ok(()) = dissector.note_copies(&copies, capture.inputs(), &mut recording);
    let Ok(()) = dissector.finish(EndOfInput::Complete, &mut recording);
    recording.counts = Some(dissector.counts());
    recording
}

fn push(
    dissector: &mut Dissector,
    packet: &ministream::capture::Packet<'_>,
    recording: &mut Recording,
) {
    let Ok(()) = dissector.push(packet, recording);
}
