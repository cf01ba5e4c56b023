//! Messages and frames, whatever they hold: parsing and encoding.

use nom::IResult;
use nom::bytes::complete::take;

use super::{
    FrameKind, FrameType, HEADER_BYTES, MAX_MESSAGE_BYTES, PayloadShape, ServerId, StreamId,
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

/// The type of a message: that of its frame, or why it has none.
// The order is that of `ALL`: counts are indexed by `kind as usize`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// A frame that opens a conversation.
    Syn,
    /// A frame that accepts one.
    Ack,
    /// A frame that carries bytes.
    Data,
    /// A frame that ends a conversation, or refuses it.
    Close,
    /// The single byte `ff`.
    Ping,
    /// A frame of type `ff`.
    Chaff,
    /// A frame of a type that the protocol does not define.
    Unknown,
    /// Fewer than four bytes, and not the ping.
    Short,
}

impl MessageKind {
    /// Every kind, in the order of the summary record's `by_type`.
    pub const ALL: [Self; 8] = [
        Self::Syn,
        Self::Ack,
        Self::Data,
        Self::Close,
        Self::Ping,
        Self::Chaff,
        Self::Unknown,
        Self::Short,
    ];

    /// Its name in the JSON records: `syn`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Syn => FrameKind::Syn.name(),
            Self::Ack => FrameKind::Ack.name(),
            Self::Data => FrameKind::Data.name(),
            Self::Close => FrameKind::Close.name(),
            Self::Ping => "ping",
            Self::Chaff => FrameKind::Chaff.name(),
            Self::Unknown => FrameKind::Unknown.name(),
            Self::Short => "short",
        }
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
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

    /// Its type.
    #[inline]
    pub const fn kind(&self) -> MessageKind {
        match self {
            Self::Frame(frame) => match frame.frame_type.kind() {
                FrameKind::Syn => MessageKind::Syn,
                FrameKind::Ack => MessageKind::Ack,
                FrameKind::Data => MessageKind::Data,
                FrameKind::Close => MessageKind::Close,
                FrameKind::Chaff => MessageKind::Chaff,
                FrameKind::Unknown => MessageKind::Unknown,
            },
            Self::Ping => MessageKind::Ping,
            Self::Short(_) => MessageKind::Short,
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

    /// The kind of payload, by its type and length.
    #[inline]
    pub const fn payload_shape(&self) -> PayloadShape {
        self.frame_type.payload_shape(self.payload.len())
    }

    /// The id that an ACK hands out; `000000`, which is reserved, included.
    #[inline]
    pub const fn announced_id(&self) -> Option<ServerId> {
        match (self.payload_shape(), self.payload) {
            (PayloadShape::ServerId, &[a, b, c]) => Some(ServerId(StreamId([a, b, c]))),
            _ => None,
        }
    }

    /// Whether a server refuses with this, if it is the first answer to a SYN.
    #[inline]
    pub const fn is_refusal(&self) -> bool {
        matches!(
            (self.frame_type, self.payload_shape()),
            (
                FrameType::SERVER_CLOSE,
                PayloadShape::Nothing | PayloadShape::UnusedId
            )
        )
    }
}

/// Whether bytes may be the beginning of a message of ours, for carriers that must be
/// distinguished from other traffic or must resynchronise.
///
/// `prefix` is what is known of the message, from its first byte; `length` is
/// the length of the whole message in bytes. `false` means that no ministreaming
/// peer would send such a message; `true` means that one might.
pub fn looks_like_message(prefix: &[u8], length: usize) -> bool {
    let Some(&first) = prefix.first() else {
        return false;
    };
    // The ping, which has no id (docs/protocol.md, "Messages").
    if length == 1 {
        return first == FrameType::CHAFF.0;
    }
    // The reference accepts no longer message (docs/protocol.md, "Sizes and times").
    if !(HEADER_BYTES..=MAX_MESSAGE_BYTES).contains(&length) {
        return false;
    }
    !matches!(
        FrameType(first).payload_shape(length - HEADER_BYTES),
        PayloadShape::Misshapen | PayloadShape::Unknown
    )
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

    #[test]
    fn every_message_shorter_than_four_bytes_is_short_or_the_ping() {
        for message in [&[][..], &[0xa1], &[0xff, 0], &[0x51, 0x12, 0x34]] {
            assert_eq!(RawMessage::parse(message), RawMessage::Short(message));
        }
        assert_eq!(RawMessage::parse(&[0xff]), RawMessage::Ping);
    }

    #[test]
    fn kinds_of_messages_are_numbered_in_the_order_of_their_list() {
        for (number, kind) in MessageKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, number);
            assert_eq!(MessageKind::named(kind.name()), Some(kind));
        }
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
        fn every_message_of_four_bytes_and_more_survives_the_round_trip(
            message in prop::collection::vec(any::<u8>(), HEADER_BYTES..600),
        ) {
            let parsed = RawMessage::parse(&message);
            prop_assert_eq!(parsed.message_bytes(), message.len());
            let RawMessage::Frame(raw) = parsed else {
                return Err(TestCaseError::fail(format!("{parsed:?}")));
            };
            let mut encoded = Vec::new();
            raw.encode(&mut encoded);
            prop_assert_eq!(&encoded, &message);
        }
    }
}
