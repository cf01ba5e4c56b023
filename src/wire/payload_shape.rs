//! The kind of a payload, by its type and length: the one place that judges the lengths of SYN, ACK
//! and close.

use super::{FrameKind, FrameType, StreamId};

/// The kind of a payload, by its type and length.
///
/// The protocol text gives an ACK "the server's id" and a close nothing. What else
/// implementations send, and what the reference makes of it, is in `docs/protocol.md`,
/// "Where the text and the wire differ".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PayloadShape {
    /// SYN: the client's public key, whose kind and length the text leaves open.
    Key,
    /// ACK, 3 bytes: the id that the server chose.
    ServerId,
    /// ACK, 0 bytes: it announces nothing. The text's sample (c) has it as a close,
    /// the reference implementation ignores it.
    NoServerId,
    /// Data: bytes of the stream, perhaps none.
    Data,
    /// Close, 0 bytes.
    Nothing,
    /// Server's close, 3 bytes: an id that is good for nothing. The reference
    /// implementation refuses so since 16 April 2004.
    UnusedId,
    /// ACK or close, of a length that no implementation sends.
    Misshapen,
    /// Chaff, to be ignored.
    Chaff,
    /// A type that the protocol does not define.
    Unknown,
}

impl FrameType {
    /// The kind of a payload of so many bytes under this type.
    #[inline]
    pub const fn payload_shape(self, payload_bytes: usize) -> PayloadShape {
        match (self.kind(), payload_bytes) {
            (FrameKind::Syn, _) => PayloadShape::Key,
            (FrameKind::Ack, StreamId::BYTES) => PayloadShape::ServerId,
            (FrameKind::Ack, 0) => PayloadShape::NoServerId,
            (FrameKind::Data, _) => PayloadShape::Data,
            (FrameKind::Close, 0) => PayloadShape::Nothing,
            (FrameKind::Close, StreamId::BYTES) if self.0 == Self::SERVER_CLOSE.0 => {
                PayloadShape::UnusedId
            }
            (FrameKind::Ack | FrameKind::Close, _) => PayloadShape::Misshapen,
            (FrameKind::Chaff, _) => PayloadShape::Chaff,
            (FrameKind::Unknown, _) => PayloadShape::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::RawFrame;

    #[test]
    fn every_type_and_length_has_its_shape() {
        for byte in 0..=255 {
            for payload_bytes in [0, 1, 2, 3, 4, 7, 387, 40_956] {
                use PayloadShape::*;
                let expected = match (byte, payload_bytes) {
                    (0xa1, _) => Key,
                    (0x51, 3) => ServerId,
                    (0x51, 0) => NoServerId,
                    (0xa0 | 0x50, _) => Data,
                    (0xa2 | 0x52, 0) => Nothing,
                    (0x52, 3) => UnusedId,
                    (0x51 | 0xa2 | 0x52, _) => Misshapen,
                    (0xff, _) => Chaff,
                    _ => Unknown,
                };
                let payload = vec![7; payload_bytes];
                let frame = RawFrame {
                    frame_type: FrameType(byte),
                    id: StreamId::ZERO,
                    payload: &payload,
                };
                assert_eq!(
                    frame.payload_shape(),
                    expected,
                    "{byte:02x} {payload_bytes}"
                );
                let id = super::super::ServerId(StreamId([7; 3]));
                assert_eq!(frame.announced_id(), (expected == ServerId).then_some(id));
                assert_eq!(
                    frame.is_refusal(),
                    byte == 0x52 && matches!(payload_bytes, 0 | 3)
                );
            }
        }
    }
}
