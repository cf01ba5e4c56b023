//! Messages and frames: the raw form that accepts anything, the typed form
//! that accepts only sense, and the way back to bytes.

use nom::IResult;
use nom::bytes::complete::take;

use super::{
    ClientId, Destination, DestinationError, Direction, FrameKind, FrameType, HEADER_BYTES,
    MAX_MESSAGE_BYTES, ServerId, StreamId,
};

/// One message as a carrier delivered it, whatever it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawMessage<'a> {
    /// Four bytes or more: a type, an id and a payload.
    Frame(RawFrame<'a>),
    /// The single byte `ff`, the reference implementation's ping.
    Ping,
    /// Anything else of fewer than four bytes; the reference ignores it.
    Short(&'a [u8]),
}

impl<'a> RawMessage<'a> {
    /// Splits a message; every sequence of bytes is one of the three forms.
    #[inline]
    pub fn parse(message: &'a [u8]) -> Self {
        match raw_frame(message) {
            Ok((_, frame)) => Self::Frame(frame),
            Err(_) if message == [FrameType::CHAFF.0] => Self::Ping,
            Err(_) => Self::Short(message),
        }
    }

    /// Length of the whole message in bytes.
    pub const fn message_bytes(&self) -> usize {
        match self {
            Self::Frame(frame) => HEADER_BYTES + frame.payload.len(),
            Self::Ping => 1,
            Self::Short(bytes) => bytes.len(),
        }
    }

    /// The frame, unless the message is too short to be one.
    pub const fn frame(&self) -> Option<&RawFrame<'a>> {
        match self {
            Self::Frame(frame) => Some(frame),
            Self::Ping | Self::Short(_) => None,
        }
    }

    /// Whether it is a SYN.
    pub fn is_syn(&self) -> bool {
        self.frame()
            .is_some_and(|frame| frame.frame_type == FrameType::SYN)
    }
}

/// A message of four bytes or more, byte-exact: `encode` gives back what was parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawFrame<'a> {
    /// The type byte.
    pub frame_type: FrameType,
    /// The id bytes: the receiver's id.
    pub id: StreamId,
    /// The rest of the message, 0 bytes or more.
    pub payload: &'a [u8],
}

impl RawFrame<'_> {
    /// Type and id as they stand on the wire.
    pub const fn header(&self) -> [u8; HEADER_BYTES] {
        let [a, b, c] = self.id.0;
        [self.frame_type.0, a, b, c]
    }

    /// Appends the whole message to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.header());
        out.extend_from_slice(self.payload);
    }
}

/// A frame that means something: a known type, a legal id and a payload of
/// the form that the type asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// `A1`: a client opens a conversation.
    Syn {
        /// The id that the client chose.
        client_id: ClientId,
        /// The destination that the client made for itself.
        destination: Destination<'a>,
        /// Bytes after the destination, which the reference ignores.
        trailing: &'a [u8],
    },
    /// `51`: the server accepts.
    Ack {
        /// The client it answers.
        client_id: ClientId,
        /// The id that the server chose.
        server_id: ServerId,
    },
    /// `A0`: bytes for the server.
    ClientData {
        /// The receiving server's id.
        server_id: ServerId,
        /// The bytes; may be empty.
        payload: &'a [u8],
    },
    /// `50`: bytes for the client.
    ServerData {
        /// The receiving client's id.
        client_id: ClientId,
        /// The bytes; may be empty.
        payload: &'a [u8],
    },
    /// `A2`: the client closes.
    ClientClose {
        /// The receiving server's id.
        server_id: ServerId,
    },
    /// `52`: the server closes or refuses. A refusal may carry 3 bytes, an id
    /// that is good for nothing (reference implementation since 16 April 2004).
    ServerClose {
        /// The receiving client's id.
        client_id: ClientId,
        /// Empty, or the 3 bytes of a refusal.
        payload: &'a [u8],
    },
    /// `ff`: to be ignored.
    Chaff,
}

/// Why a raw frame is not a [`Frame`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The protocol does not define this type.
    #[error("type {:#04x} is not in the protocol", .0.0)]
    UnknownType(FrameType),
    /// The id is `00 00 00`, or an ACK hands that id out.
    #[error("id 000000 is reserved")]
    ZeroId,
    /// The payload of a SYN is not a destination.
    #[error("the SYN's payload is not a destination")]
    BadDestination(#[source] DestinationError),
    /// The payload of an ACK is not 3 bytes.
    #[error("an ACK carries a server id of 3 bytes, not {0} bytes")]
    AckLength(usize),
    /// A close carries a payload that no implementation sends.
    #[error("a close carries no payload, not {0} bytes")]
    ClosePayload(usize),
}

impl<'a> TryFrom<RawFrame<'a>> for Frame<'a> {
    type Error = FrameError;

    fn try_from(raw: RawFrame<'a>) -> Result<Self, FrameError> {
        let kind = raw.frame_type.kind();
        if kind == FrameKind::Chaff {
            return Ok(Self::Chaff);
        }
        if kind != FrameKind::Unknown && raw.id.is_zero() {
            return Err(FrameError::ZeroId);
        }
        let payload = raw.payload;
        let client_id = ClientId(raw.id);
        let server_id = ServerId(raw.id);
        match raw.frame_type {
            FrameType::SYN => {
                let (destination, trailing) =
                    Destination::split(payload).map_err(FrameError::BadDestination)?;
                Ok(Self::Syn {
                    client_id,
                    destination,
                    trailing,
                })
            }
            FrameType::ACK => match <[u8; 3]>::try_from(payload) {
                Ok([0, 0, 0]) => Err(FrameError::ZeroId),
                Ok(id) => Ok(Self::Ack {
                    client_id,
                    server_id: ServerId(StreamId(id)),
                }),
                Err(_) => Err(FrameError::AckLength(payload.len())),
            },
            FrameType::CLIENT_DATA => Ok(Self::ClientData { server_id, payload }),
            FrameType::SERVER_DATA => Ok(Self::ServerData { client_id, payload }),
            FrameType::CLIENT_CLOSE if payload.is_empty() => Ok(Self::ClientClose { server_id }),
            FrameType::SERVER_CLOSE if matches!(payload.len(), 0 | 3) => {
                Ok(Self::ServerClose { client_id, payload })
            }
            FrameType::CLIENT_CLOSE | FrameType::SERVER_CLOSE => {
                Err(FrameError::ClosePayload(payload.len()))
            }
            unknown => Err(FrameError::UnknownType(unknown)),
        }
    }
}

/// How a message that may be ours begins, for carriers that must be told from
/// other traffic or must find their place again.
///
/// `prefix` is what is known of the message, from its first byte; `length` is
/// the length of the whole message in bytes. `false` means that no ministreaming
/// peer would send such a message; `true` means that one might.
pub fn looks_like_message(prefix: &[u8], length: usize) -> bool {
    let Some(&first) = prefix.first() else {
        return false;
    };
    if length == 1 {
        return first == FrameType::CHAFF.0;
    }
    if !(HEADER_BYTES..=MAX_MESSAGE_BYTES).contains(&length) {
        return false;
    }
    let payload_bytes = length - HEADER_BYTES;
    match FrameType(first) {
        // "The public key dynamically created by the client": of any kind and length.
        FrameType::SYN => true,
        FrameType::ACK => matches!(payload_bytes, 0 | 3),
        FrameType::CLIENT_CLOSE => payload_bytes == 0,
        FrameType::SERVER_CLOSE => matches!(payload_bytes, 0 | 3),
        FrameType::CLIENT_DATA | FrameType::SERVER_DATA | FrameType::CHAFF => true,
        _ => false,
    }
}

impl Frame<'_> {
    /// The raw form of this frame's type and direction.
    pub const fn direction(&self) -> Option<Direction> {
        match self {
            Self::Syn { .. } | Self::ClientData { .. } | Self::ClientClose { .. } => {
                Some(Direction::ClientToServer)
            }
            Self::Ack { .. } | Self::ServerData { .. } | Self::ServerClose { .. } => {
                Some(Direction::ServerToClient)
            }
            Self::Chaff => None,
        }
    }

    /// Appends the message to `out`; the inverse of `TryFrom<RawFrame>` for
    /// every frame but chaff, which is written as the one-byte ping.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let (frame_type, id): (FrameType, StreamId) = match *self {
            Self::Syn { client_id, .. } => (FrameType::SYN, client_id.0),
            Self::Ack { client_id, .. } => (FrameType::ACK, client_id.0),
            Self::ClientData { server_id, .. } => (FrameType::CLIENT_DATA, server_id.0),
            Self::ServerData { client_id, .. } => (FrameType::SERVER_DATA, client_id.0),
            Self::ClientClose { server_id } => (FrameType::CLIENT_CLOSE, server_id.0),
            Self::ServerClose { client_id, .. } => (FrameType::SERVER_CLOSE, client_id.0),
            Self::Chaff => return out.push(FrameType::CHAFF.0),
        };
        let mut with_payload = |payload| {
            RawFrame {
                frame_type,
                id,
                payload,
            }
            .encode(out);
        };
        match *self {
            Self::Syn {
                destination,
                trailing,
                ..
            } => {
                with_payload(destination.as_bytes());
                out.extend_from_slice(trailing);
            }
            Self::Ack { server_id, .. } => with_payload(&server_id.0.0),
            Self::ClientData { payload, .. }
            | Self::ServerData { payload, .. }
            | Self::ServerClose { payload, .. } => with_payload(payload),
            Self::ClientClose { .. } | Self::Chaff => with_payload(&[]),
        }
    }
}

#[inline(always)]
fn raw_frame(input: &[u8]) -> IResult<&[u8], RawFrame<'_>> {
    let (payload, header) = take(HEADER_BYTES)(input)?;
    let mut bytes = [0; HEADER_BYTES];
    bytes.copy_from_slice(header);
    let [frame_type, id @ ..] = bytes;
    Ok((
        &[],
        RawFrame {
            frame_type: FrameType(frame_type),
            id: StreamId(id),
            payload,
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn destination() -> Vec<u8> {
        vec![0; Destination::MIN_BYTES]
    }

    fn typed(message: &[u8]) -> Result<Frame<'_>, FrameError> {
        match RawMessage::parse(message) {
            RawMessage::Frame(raw) => Frame::try_from(raw),
            other => panic!("not a frame: {other:?}"),
        }
    }

    #[test]
    fn every_message_shorter_than_four_bytes_is_short_or_the_ping() {
        for message in [&[][..], &[0xa1], &[0xff, 0], &[0x51, 0x12, 0x34]] {
            assert_eq!(RawMessage::parse(message), RawMessage::Short(message));
        }
        assert_eq!(RawMessage::parse(&[0xff]), RawMessage::Ping);
    }

    #[test]
    fn the_frames_of_the_specification_are_typed() {
        let server_id = ServerId(StreamId([0x98, 0x76, 0x54]));
        let client_id = ClientId(StreamId([0x23, 0x45, 0x67]));
        assert_eq!(
            typed(&[0x51, 0x23, 0x45, 0x67, 0x98, 0x76, 0x54]),
            Ok(Frame::Ack {
                client_id,
                server_id
            })
        );
        assert_eq!(
            typed(&[0xa2, 0x98, 0x76, 0x54]),
            Ok(Frame::ClientClose { server_id })
        );
        assert_eq!(
            typed(&[0x50, 0x23, 0x45, 0x67, b'h', b'i']),
            Ok(Frame::ServerData {
                client_id,
                payload: b"hi"
            })
        );
    }

    #[test]
    fn what_makes_no_sense_names_its_reason() {
        assert_eq!(typed(&[0x51, 1, 2, 3]), Err(FrameError::AckLength(0)));
        assert_eq!(typed(&[0x51, 1, 2, 3, 4]), Err(FrameError::AckLength(1)));
        assert_eq!(
            typed(&[0x51, 1, 2, 3, 0, 0, 0]),
            Err(FrameError::ZeroId),
            "an ACK may not hand out the reserved id"
        );
        assert_eq!(typed(&[0xa0, 0, 0, 0, 1]), Err(FrameError::ZeroId));
        assert_eq!(typed(&[0xa2, 1, 2, 3, 4]), Err(FrameError::ClosePayload(1)));
        assert_eq!(
            typed(&[0x53, 0, 0, 0]),
            Err(FrameError::UnknownType(FrameType(0x53)))
        );
        assert!(matches!(
            typed(&[0xa1, 1, 2, 3, 4]),
            Err(FrameError::BadDestination(_))
        ));
    }

    #[test]
    fn only_lengths_that_a_type_allows_look_like_messages() {
        for length in 0..=MAX_MESSAGE_BYTES + 1 {
            let whole = (HEADER_BYTES..=MAX_MESSAGE_BYTES).contains(&length);
            let payload = length.saturating_sub(HEADER_BYTES);
            assert_eq!(looks_like_message(&[0xa0], length), whole, "{length}");
            assert_eq!(
                looks_like_message(&[0x51], length),
                whole && matches!(payload, 0 | 3),
                "{length}"
            );
            assert_eq!(looks_like_message(&[0xa1], length), whole, "{length}");
            assert_eq!(
                looks_like_message(&[0xff], length),
                whole || length == 1,
                "{length}"
            );
            assert!(!looks_like_message(&[0x16], length));
            assert!(!looks_like_message(&[], length));
        }
    }

    proptest! {
        #[test]
        fn every_message_survives_the_round_trip(message in prop::collection::vec(any::<u8>(), 0..600)) {
            let parsed = RawMessage::parse(&message);
            prop_assert_eq!(parsed.message_bytes(), message.len());
            if let RawMessage::Frame(raw) = parsed {
                let mut encoded = Vec::new();
                raw.encode(&mut encoded);
                prop_assert_eq!(&encoded, &message);
            }
        }

        #[test]
        fn every_typed_frame_survives_the_round_trip(
            type_byte in prop::sample::select(vec![0xa0_u8, 0xa1, 0xa2, 0x50, 0x51, 0x52]),
            id in 1_u32..0x0100_0000,
            payload in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut body = if type_byte == 0xa1 { destination() } else { Vec::new() };
            body.extend_from_slice(&payload);
            let raw = RawFrame { frame_type: FrameType(type_byte), id: StreamId::from_u32(id), payload: &body };
            if let Ok(frame) = Frame::try_from(raw) {
                let (mut typed, mut original) = (Vec::new(), Vec::new());
                frame.encode(&mut typed);
                raw.encode(&mut original);
                prop_assert_eq!(typed, original);
                prop_assert_eq!(frame.direction(), raw.frame_type.direction());
            }
        }
    }
}
