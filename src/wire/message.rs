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

#[cfg(test)]
mod tests {
    use super::super::RawMessage;
    use super::*;

    #[test]
    fn a_message_is_its_type_its_id_and_its_payload() {
        for payload_bytes in 0..20 {
            let payload = vec![7; payload_bytes];
            let message = Message {
                frame_type: FrameType::SERVER_DATA,
                id: StreamId([1, 2, 3]),
                payload: payload.clone().into(),
            };
            let header = [0x50, 1, 2, 3];
            let whole = [&header[..], &payload].concat();
            assert_eq!(message.header(), header);
            assert_eq!(message.message_bytes(), whole.len());
            assert_eq!(message.to_vec(), whole);
            let parsed = RawMessage::parse(&whole);
            assert_eq!(parsed.frame(), Some(&message.as_frame()));
        }
    }
}
