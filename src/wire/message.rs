//! A message of our own, on its way to a carrier.

use bytes::Bytes;

use super::{FrameType, HEADER_BYTES, RawFrame, StreamId};

/// A message in two parts, so that its payload need not be copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The type byte.
    pub frame_type: FrameType,
    /// The receiver's id.
    pub id: StreamId,
    /// The rest of the message.
    pub payload: Bytes,
}

impl Message {
    /// The message's first bytes: type and id.
    pub const fn header(&self) -> [u8; HEADER_BYTES] {
        let [a, b, c] = self.id.0;
        [self.frame_type.0, a, b, c]
    }

    /// Length of the whole message in bytes.
    pub const fn message_bytes(&self) -> usize {
        HEADER_BYTES + self.payload.len()
    }

    /// The message as the wire layer sees it.
    pub fn as_frame(&self) -> RawFrame<'_> {
        RawFrame {
            frame_type: self.frame_type,
            id: self.id,
            payload: &self.payload,
        }
    }

    /// The whole message in one piece.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.message_bytes());
        self.as_frame().encode(&mut bytes);
        bytes
    }
}
