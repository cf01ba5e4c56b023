//! The fields of a message: one table for the filter, `-e`, CSV and `--list-fields`.
//!
//! Names are those of the JSON message record ([`record`](crate::record));
//! `level` and `payload` exist for filters only.

use std::net::SocketAddr;

use crate::carrier::Carrier;
use crate::conversation::{ConversationId, Finding, Level, Meaning, MessageEvent};
use crate::net::Encapsulation;
use crate::text::suggest::closest;
use crate::time::Timestamp;
use crate::wire::{
    DestinationHash, Direction, FrameKind, FrameType, RawMessage, ServerId, StreamId,
};

/// How much of a payload is shown.
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

/// What the values of a field are, and so what a filter may compare them with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// A whole number.
    Number,
    /// A whole number of bytes.
    Size,
    /// A whole number of microseconds.
    Micros,
    /// A moment, RFC 3339.
    Time,
    /// One of a few words.
    Word(&'static [&'static str]),
    /// Any text.
    Text,
    /// Six hex digits.
    Id,
    /// A conversation, `c1`.
    Conversation,
    /// An address with its port.
    Address,
    /// Payload bytes, compared with text.
    Bytes,
    /// Payload bytes, compared with hex digits.
    HexBytes,
    /// The hash of a destination.
    Hash,
    /// The codes of findings.
    Codes,
    /// The highest level of any finding.
    Level,
}

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
    /// What a packet was wrapped in; its text counts.
    Encapsulation(Encapsulation),
    /// Findings, of which the codes count.
    Codes(&'a [Finding]),
    /// A level.
    Level(Level),
}

/// A table of fields: an enum whose variants know their name, kind and meaning.
macro_rules! fields {
    ($(#[$doc:meta])* $table:ident; $($variant:ident = $name:literal, $kind:expr, $about:literal;)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $table {
            $(#[doc = $about] $variant,)*
        }

        impl $table {
            /// Every field, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What its values are.
            pub const fn kind(self) -> $crate::field::FieldKind {
                match self { $(Self::$variant => $kind,)* }
            }

            /// What it says, in a line.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$variant => $about,)* }
            }
        }
    };
}
pub(crate) use fields;

fields! {
    /// A field of a message: its name is the key in the JSON record, and so is the order.
    Field;
    N = "n", FieldKind::Number, "number of the message, from 1";
    PacketN = "packet_n", FieldKind::Number, "number of the packet that completed it, from 1";
    Ts = "ts", FieldKind::Time, "capture time, UTC";
    TUs = "t_us", FieldKind::Micros, "microseconds since the first packet";
    Carrier = "carrier", FieldKind::Word(CARRIER_NAMES), "its carrier";
    Src = "src", FieldKind::Address, "who sent the packet";
    Dst = "dst", FieldKind::Address, "who received it";
    Dir = "dir", FieldKind::Word(DIRECTION_NAMES), "direction of the message";
    Type = "type", FieldKind::Word(TYPE_NAMES), "type of the message";
    TypeByte = "type_byte", FieldKind::Number, "its first byte";
    Id = "id", FieldKind::Id, "the connection id in it";
    IdOwner = "id_owner", FieldKind::Word(OWNER_NAMES), "which side chose that id";
    Conv = "conv", FieldKind::Conversation, "the conversation it belongs to";
    Meaning = "meaning", FieldKind::Word(MEANING_NAMES), "its effect on the conversation";
    PayloadBytes = "payload_bytes", FieldKind::Size, "length of the payload";
    PayloadHex = "payload_hex", FieldKind::HexBytes, "the payload in hex";
    PayloadText = "payload_text", FieldKind::Bytes, "the payload's first 64 bytes as text, escaped";
    ShortHex = "short_hex", FieldKind::HexBytes, "the whole message in hex, when it is shorter than 4 bytes";
    ServerId = "server_id", FieldKind::Id, "the server id that an ACK announces";
    DestinationHash = "destination_hash", FieldKind::Hash, "hash of the destination in a SYN";
    Session = "session", FieldKind::Number, "the I2CP session, from 0";
    SessionName = "session_name", FieldKind::Text, "nickname of the I2CP session";
    RouterUs = "router_us", FieldKind::Micros, "time in the router since the other session sent it";
    SentN = "sent_n", FieldKind::Number, "number of the same message where the other session sent it";
    Encapsulation = "encapsulation", FieldKind::Text, "encapsulation of its packet: vlan:vxlan";
    Findings = "findings", FieldKind::Codes, "codes of its findings";
    Level = "level", FieldKind::Level, "highest level of its findings";
    Payload = "payload", FieldKind::Bytes, "the payload";
}

/// Values of `carrier`.
pub(crate) const CARRIER_NAMES: &[&str] = &[
    Carrier::Udp.name(),
    Carrier::TcpU32.name(),
    Carrier::TcpU16.name(),
    Carrier::Segment.name(),
    Carrier::I2cp.name(),
];

/// Values of `dir`.
pub(crate) const DIRECTION_NAMES: &[&str] = &[
    Direction::ClientToServer.name(),
    Direction::ServerToClient.name(),
];

/// Values of `type`, in the order of the summary's `by_type`.
pub(crate) const TYPE_NAMES: &[&str] = &[
    "syn", "ack", "data", "close", "ping", "chaff", "unknown", "short",
];

const OWNER_NAMES: &[&str] = &["client", "server"];

/// Values of `meaning`.
pub(crate) const MEANING_NAMES: &[&str] = &[
    "opens",
    "accepts",
    "refuses",
    "carries",
    "closes",
    "closes_again",
    "ignored",
    "orphan",
    "idle",
    "meaningless",
    "untracked",
];

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
        !matches!(self, Self::Level | Self::Payload)
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
            Self::N => count(event.number),
            Self::PacketN => count(event.packet),
            Self::Ts => Value::Time(event.time),
            Self::TUs => Value::Number(event.elapsed_us),
            Self::Carrier => Value::Word(event.carrier.name()),
            Self::Src => Value::Address(event.source),
            Self::Dst => Value::Address(event.target),
            Self::Dir => word(event.direction.map(Direction::name)),
            Self::Type => Value::Word(type_name(&event.message)),
            Self::TypeByte => {
                type_byte(&event.message).map_or(Value::Null, |byte| Value::Number(byte.into()))
            }
            Self::Id => event
                .message
                .frame()
                .map_or(Value::Null, |frame| Value::Id(frame.id)),
            Self::IdOwner => word(id_owner(&event.message)),
            Self::Conv => event.conversation.map_or(Value::Null, Value::Conversation),
            Self::Meaning => Value::Word(meaning_name(event.meaning)),
            Self::PayloadBytes => count(payload(&event.message).len() as u64),
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
            Self::SentN => event.sent_as.map_or(Value::Null, count),
            Self::Encapsulation if event.encapsulation.is_none() => Value::Null,
            Self::Encapsulation => Value::Encapsulation(event.encapsulation),
            Self::Findings => Value::Codes(event.findings),
            Self::Level => highest_level(event.findings).map_or(Value::Null, Value::Level),
        }
    }
}

fn count(number: u64) -> Value<'static> {
    Value::Number(i64::try_from(number).unwrap_or(i64::MAX))
}

fn word(word: Option<&'static str>) -> Value<'static> {
    word.map_or(Value::Null, Value::Word)
}

/// The name of a message's type: that of its frame, `ping` or `short`.
pub(crate) const fn type_name(message: &RawMessage<'_>) -> &'static str {
    TYPE_NAMES[type_index(message)]
}

/// The place of a message's type in [`TYPE_NAMES`].
pub(crate) const fn type_index(message: &RawMessage<'_>) -> usize {
    match message {
        RawMessage::Frame(frame) => kind_index(frame.frame_type.kind()),
        RawMessage::Ping => 4,
        RawMessage::Short(_) => 7,
    }
}

/// The same of a frame.
pub(crate) const fn kind_index(kind: FrameKind) -> usize {
    match kind {
        FrameKind::Syn => 0,
        FrameKind::Ack => 1,
        FrameKind::Data => 2,
        FrameKind::Close => 3,
        FrameKind::Chaff => 5,
        FrameKind::Unknown => 6,
    }
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

/// Whose id a message carries: the receiver's, but a SYN brings the client's own.
pub(crate) fn id_owner(message: &RawMessage<'_>) -> Option<&'static str> {
    let frame = message.frame()?;
    if frame.frame_type == FrameType::SYN {
        return Some("client");
    }
    frame
        .frame_type
        .direction()
        .map(|direction| match direction {
            Direction::ClientToServer => "server",
            Direction::ServerToClient => "client",
        })
}

/// The server id that an ACK hands out.
pub(crate) fn announced_server_id(event: &MessageEvent<'_>) -> Option<ServerId> {
    let frame = event.message.frame()?;
    match (frame.frame_type, frame.payload) {
        (FrameType::ACK, &[a, b, c]) => Some(ServerId(StreamId([a, b, c]))),
        _ => None,
    }
}

/// The name of a meaning in the JSON record.
pub(crate) const fn meaning_name(meaning: Meaning) -> &'static str {
    match meaning {
        Meaning::Opens => "opens",
        Meaning::Accepts { .. } => "accepts",
        Meaning::Refuses { .. } => "refuses",
        Meaning::Carries => "carries",
        Meaning::Closes { .. } => "closes",
        Meaning::ClosesAgain => "closes_again",
        Meaning::Ignored => "ignored",
        Meaning::Orphan => "orphan",
        Meaning::Idle => "idle",
        Meaning::Meaningless => "meaningless",
        Meaning::Untracked => "untracked",
    }
}

/// The highest level among findings.
pub(crate) fn highest_level(findings: &[Finding]) -> Option<Level> {
    findings.iter().map(|finding| finding.level).max()
}
