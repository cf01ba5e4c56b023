//! I2CP frames: 4 bytes length of the body, 1 byte type, the body. The
//! application's first byte, once per connection, is `2a`.

use super::gzip::GZIP_MAGIC;
use super::{MAX_BODY_BYTES, Message, MessageType, Sender};
use crate::carrier::Problem;
use crate::carrier::framer::{Cut, Framer, Layout};

/// The first byte that an application sends.
pub const PROTOCOL_BYTE: u8 = 0x2a;

const HEADER_BYTES: usize = 4 + 1;

/// Frames in a row that prove a place in the stream.
const PROOF_FRAMES: usize = 3;

/// One frame, whatever it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its offset in its direction of the stream.
    pub offset: u64,
    /// Its type; any value.
    pub message_type: MessageType,
    /// Its body, 0 to [`MAX_BODY_BYTES`].
    pub body: &'a [u8],
}

/// An item of a [`FrameReader`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameItem<'a> {
    /// The next frame.
    Frame(Frame<'a>),
    /// Bytes that are no frame, and why.
    Problem(Problem),
}

/// Cuts one direction of an I2CP connection into frames.
///
/// Frames may lie anyhow in the TCP segments: the reference implementation
/// writes one SendMessage as some 18 of them. After a gap the reader takes up
/// again where three frames in a row are such as this sender sends, by type,
/// length and content, or two at the end of what is known, or one with a
/// message of an application.
#[derive(Debug)]
pub struct FrameReader {
    framer: Framer<I2cp>,
}

impl FrameReader {
    /// A reader at the beginning of the stream from `sender`.
    pub fn new(sender: Sender) -> Self {
        Self {
            framer: Framer::new(I2cp { sender }),
        }
    }

    /// Bytes of memory that are held until there are more bytes.
    pub(in crate::carrier) fn held_bytes(&self) -> usize {
        self.framer.held_bytes()
    }

    /// The sender of the frames that it reads.
    pub const fn sender(&self) -> Sender {
        self.framer.layout().sender
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// Those of `emit`.
    pub fn push<E>(
        &mut self,
        bytes: &[u8],
        emit: &mut impl FnMut(FrameItem<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.framer.push(bytes, &mut |cut| emit(item(cut)))
    }

    /// Notes a gap of `missing` bytes; `None` if the number is unknown.
    ///
    /// # Errors
    /// Those of `emit`.
    pub fn gap<E>(
        &mut self,
        missing: Option<u64>,
        emit: &mut impl FnMut(FrameItem<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.framer.gap(missing, &mut |cut| emit(item(cut)))
    }

    /// Takes note of the end of the stream.
    ///
    /// # Errors
    /// Those of `emit`.
    pub fn finish<E>(
        &mut self,
        emit: &mut impl FnMut(FrameItem<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.framer.finish(&mut |cut| emit(item(cut)))
    }
}

fn item(cut: Cut<'_>) -> FrameItem<'_> {
    match cut {
        Cut::Frame { offset, bytes } => FrameItem::Frame(Frame {
            offset,
            message_type: MessageType(bytes[HEADER_BYTES - 1]),
            body: &bytes[HEADER_BYTES..],
        }),
        Cut::Partial {
            offset,
            bytes,
            missing,
        } => FrameItem::Problem(Problem::Incomplete {
            offset,
            frame_bytes: Some(bytes.len() as u64 + missing),
            present_bytes: bytes.len() as u64,
        }),
        Cut::Problem(problem) => FrameItem::Problem(problem),
    }
}

#[derive(Debug)]
struct I2cp {
    sender: Sender,
}

impl Layout for I2cp {
    fn header_bytes(&self) -> usize {
        HEADER_BYTES
    }

    fn frame_bytes(&self, header: &[u8]) -> Result<usize, u64> {
        let body_bytes = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
        match usize::try_from(body_bytes) {
            Ok(length @ 0..=MAX_BODY_BYTES) => Ok(HEADER_BYTES + length),
            _ => Err(u64::from(body_bytes)),
        }
    }

    fn plausible(&self, known: &[u8], frame_bytes: usize) -> bool {
        let message_type = MessageType(known[HEADER_BYTES - 1]);
        let body_bytes = frame_bytes - HEADER_BYTES;
        message_type.is_sent_by(self.sender)
            && message_type.allows_body_of(body_bytes)
            && (known.len() < frame_bytes
                || Message::decode(message_type, &known[HEADER_BYTES..]).is_ok())
    }

    fn proof_frames(&self) -> usize {
        PROOF_FRAMES
    }

    fn worth(&self, frame: &[u8]) -> usize {
        let message_type = MessageType(frame[HEADER_BYTES - 1]);
        let Ok(
            Message::SendMessage { payload, .. }
            | Message::SendMessageExpires { payload, .. }
            | Message::MessagePayload { payload, .. },
        ) = Message::decode(message_type, &frame[HEADER_BYTES..])
        else {
            return 1;
        };
        // Two lengths that agree, the type and the wrapper's first bytes are
        // together more than chance brings about.
        if payload.starts_with(&GZIP_MAGIC) {
            PROOF_FRAMES
        } else {
            1
        }
    }

    fn trusts_first(&self) -> bool {
        true
    }

    fn preamble(&self) -> Option<u8> {
        (self.sender == Sender::Application).then_some(PROTOCOL_BYTE)
    }
}
