//! The fields of a message, for the filter, `-e`, CSV and `--list-fields`: their values.
//!
//! Most are the columns of the JSON message record ([`record`](crate::record));
//! `level` and `payload` exist for filters only.

use std::net::SocketAddr;

use crate::columns::MESSAGE;
use crate::conversation::{ConversationId, Finding, Level, MessageEvent};
use crate::net::Encapsulation;
use crate::text::suggest::closest;
use crate::time::Timestamp;
use crate::wire::{DestinationHash, Direction, FrameType, RawMessage, ServerId, StreamId};

pub(crate) use crate::columns::TYPE_NAMES;
pub use crate::columns::{Field, FieldKind, Range};

/// The part of a payload that is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PayloadDetail {
    /// Nothing but its length.
    None,
    /// Its first [`PREVIEW_BYTES`] bytes.
    Preview,
    /// All of it.
    #[default]
    Full,
}

/// Bytes of a payload that a preview shows.
pub const PREVIEW_BYTES: usize = 64;

/// The value of a field of one message; borrowed from the event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// The message has no such value, or nobody knows it.
    Null,
    /// A whole number.
    Number(i64),
    /// A moment.
    Time(Timestamp),
    /// Text; may come from the wire.
    Text(&'a str),
    /// One of a few words.
    Word(&'static str),
    /// An id.
    Id(StreamId),
    /// A conversation.
    Conversation(ConversationId),
    /// An address.
    Address(SocketAddr),
    /// Payload bytes.
    Bytes(&'a [u8]),
    /// The hash of a destination.
    Hash(DestinationHash),
    /// The wrappers of a packet; its text counts.
    Encapsulation(Encapsulation),
    /// Findings, of which the codes count.
    Codes(&'a [Finding]),
    /// A level.
    Level(Level),
}

impl Value<'_> {
    /// A number of items; there is nothing of which there are 2^63.
    pub(crate) fn count(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<Option<Self>> for Value<'_> {
    fn from(value: Option<Self>) -> Self {
        value.unwrap_or(Self::Null)
    }
}

impl Field {
    /// The field of that name, or that tables call so.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "len" | "length" => Some(Self::PayloadBytes),
            "time" => Some(Self::TUs),
            _ => Self::ALL.iter().copied().find(|field| field.name() == name),
        }
    }

    /// The name of the field that `name`, which is none, probably means.
    pub fn suggestion(name: &str) -> Option<&'static str> {
        closest(name, Self::ALL.iter().map(|field| field.name()))
    }

    /// Whether the JSON record has it; the others exist for filters only.
    pub const fn in_record(self) -> bool {
        (self as usize) < MESSAGE.columns.len()
    }

    /// Its value in a message, with as much of the payload as is to be seen.
    #[inline(always)]
    pub fn shown_value<'a>(self, event: &MessageEvent<'a>, payload: PayloadDetail) -> Value<'a> {
        match (self, self.value(event), payload) {
            (Self::PayloadHex | Self::PayloadText, _, PayloadDetail::None) => Value::Null,
            (Self::PayloadHex, Value::Bytes(bytes), PayloadDetail::Preview) => {
                Value::Bytes(&bytes[..bytes.len().min(PREVIEW_BYTES)])
            }
            (_, value, _) => value,
        }
    }

    /// Its value in a message.
    // Of a known field nothing is left of the choice.
    #[inline(always)]
    pub fn value<'a>(self, event: &MessageEvent<'a>) -> Value<'a> {
        match self {
            Self::N => Value::count(event.number),
            Self::PacketN => Value::count(event.packet),
            Self::Ts => Value::Time(event.time),
            Self::TUs => Value::Number(event.elapsed_us),
            Self::Carrier => Value::Word(event.carrier.name()),
            Self::Src => Value::Address(event.source),
            Self::Dst => Value::Address(event.target),
            Self::Dir => word(event.direction.map(Direction::name)),
            Self::Type => Value::Word(event.message.kind().name()),
            Self::TypeByte => {
                type_byte(&event.message).map_or(Value::Null, |byte| Value::Number(byte.into()))
            }
            Self::Id => event
                .message
                .frame()
                .map_or(Value::Null, |frame| Value::Id(frame.id)),
            Self::IdOwner => word(id_owner(&event.message)),
            Self::Conv => event.conversation.map_or(Value::Null, Value::Conversation),
            Self::Meaning => Value::Word(event.meaning.kind().name()),
            Self::PayloadBytes => Value::count(payload(&event.message).len() as u64),
            Self::PayloadHex | Self::PayloadText | Self::Payload => {
                Value::Bytes(payload(&event.message))
            }
            Self::ShortHex => short_message(&event.message).map_or(Value::Null, Value::Bytes),
            Self::ServerId => announced_server_id(event).map_or(Value::Null, |id| Value::Id(id.0)),
            Self::DestinationHash => event.destination_hash.map_or(Value::Null, Value::Hash),
            Self::Session => event
                .session
                .map_or(Value::Null, |session| Value::Number(session.id.0.into())),
            Self::SessionName => event
                .session
                .and_then(|session| session.nickname.as_deref())
                .map_or(Value::Null, Value::Text),
            Self::RouterUs => event
                .router_ns
                .map_or(Value::Null, |nanos| Value::Number(nanos.div_euclid(1_000))),
            Self::SentN => event.sent_as.map_or(Value::Null, Value::count),
            Self::Encapsulation if event.encapsulation.is_none() => Value::Null,
            Self::Encapsulation => Value::Encapsulation(event.encapsulation),
            Self::Findings => Value::Codes(event.findings),
            Self::Level => highest_level(event.findings).map_or(Value::Null, Value::Level),
        }
    }
}

fn word(word: Option<&'static str>) -> Value<'static> {
    word.map_or(Value::Null, Value::Word)
}

/// The first byte of a message; none of an empty one.
pub(crate) fn type_byte(message: &RawMessage<'_>) -> Option<u8> {
    match message {
        RawMessage::Frame(frame) => Some(frame.frame_type.0),
        RawMessage::Ping => Some(FrameType::CHAFF.0),
        RawMessage::Short(bytes) => bytes.first().copied(),
    }
}

/// The bytes after type and id.
pub(crate) const fn payload<'a>(message: &RawMessage<'a>) -> &'a [u8] {
    match message {
        RawMessage::Frame(frame) => frame.payload,
        RawMessage::Ping | RawMessage::Short(_) => &[],
    }
}

/// The whole of a message that is shorter than four bytes.
pub(crate) const fn short_message<'a>(message: &RawMessage<'a>) -> Option<&'a [u8]> {
    match message {
        RawMessage::Frame(_) => None,
        RawMessage::Ping => Some(&[FrameType::CHAFF.0]),
        RawMessage::Short(bytes) => Some(bytes),
    }
}

/// The owner of the id that a message carries.
fn id_owner(message: &RawMessage<'_>) -> Option<&'static str> {
    Some(message.frame()?.frame_type.id_owner()?.name())
}

/// The server id that an ACK hands out.
pub(crate) fn announced_server_id(event: &MessageEvent<'_>) -> Option<ServerId> {
    event.message.frame()?.announced_id()
}

/// The highest level among findings.
pub(crate) fn highest_level(findings: &[Finding]) -> Option<Level> {
    findings.iter().map(|finding| finding.level).max()
}
