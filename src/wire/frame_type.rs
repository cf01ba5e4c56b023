//! The type byte: one table of code points, names and directions.

use std::fmt;

/// The direction of a message, by its type byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the peer that opened the conversation (`A0` to `AF`).
    ClientToServer,
    /// From the peer that accepted it (`50` to `5F`).
    ServerToClient,
}

impl Direction {
    /// Both directions.
    pub const ALL: [Self; 2] = [Self::ClientToServer, Self::ServerToClient];

    /// The other direction.
    pub const fn reversed(self) -> Self {
        match self {
            Self::ClientToServer => Self::ServerToClient,
            Self::ServerToClient => Self::ClientToServer,
        }
    }

    /// `c2s` or `s2c`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientToServer => "c2s",
            Self::ServerToClient => "s2c",
        }
    }

    /// The direction of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|direction| direction.name() == name)
    }
}

/// The peer that chose an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IdOwner {
    /// The one that opened the conversation.
    Client,
    /// The one that accepted it.
    Server,
}

impl IdOwner {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Client, Self::Server];

    /// `client` or `server`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// The kind of a message, whatever its direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// Opens a conversation; the payload is the client's destination.
    Syn,
    /// Accepts one; the payload is the server's id.
    Ack,
    /// Carries bytes.
    Data,
    /// Ends a conversation, or refuses it.
    Close,
    /// `ff` with any id and body: ignored by the receiver.
    Chaff,
    /// A type that the protocol does not define.
    Unknown,
}

impl FrameKind {
    /// `syn`, `ack`, `data`, `close`, `chaff` or `unknown`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Syn => "syn",
            Self::Ack => "ack",
            Self::Data => "data",
            Self::Close => "close",
            Self::Chaff => "chaff",
            Self::Unknown => "unknown",
        }
    }
}

/// The first byte of a message; any value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameType(pub u8);

macro_rules! frame_types {
    ($($(#[$doc:meta])* $constant:ident = $byte:literal, $kind:ident, $name:literal;)*) => {
        impl FrameType {
            $($(#[$doc])* pub const $constant: Self = Self($byte);)*

            /// Every type that is known, in the order of the table.
            pub const KNOWN: &'static [Self] = &[$(Self::$constant),*];

            /// The kind of messages of this type.
            pub const fn kind(self) -> FrameKind {
                match self.0 {
                    $($byte => FrameKind::$kind,)*
                    _ => FrameKind::Unknown,
                }
            }

            /// The name of a known type.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($byte => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}

frame_types! {
    /// Client to server: bytes.
    CLIENT_DATA = 0xa0, Data, "DATA";
    /// Client to server: opens a conversation.
    SYN = 0xa1, Syn, "SYN";
    /// Client to server: ends it.
    CLIENT_CLOSE = 0xa2, Close, "CLOSE";
    /// Server to client: bytes.
    SERVER_DATA = 0x50, Data, "DATA";
    /// Server to client: accepts a conversation.
    ACK = 0x51, Ack, "ACK";
    /// Server to client: ends or refuses it.
    SERVER_CLOSE = 0x52, Close, "CLOSE";
    /// Either way: ignored. Not in the text, but in the reference implementation,
    /// whose ping is this byte alone.
    CHAFF = 0xff, Chaff, "CHAFF";
}

impl FrameType {
    /// The direction that the text assigns to this type: `A0` to `AF` and
    /// `50` to `5F`, defined or not; none for any other byte.
    pub const fn direction(self) -> Option<Direction> {
        match self.0 {
            0xa0..=0xaf => Some(Direction::ClientToServer),
            0x50..=0x5f => Some(Direction::ServerToClient),
            _ => None,
        }
    }

    /// The owner of the id in a message of this type: the receiver, but of a SYN's the client.
    /// Known of undefined types, too, if they have a direction.
    #[inline]
    pub const fn id_owner(self) -> Option<IdOwner> {
        match (self, self.direction()) {
            (Self::SYN, _) | (_, Some(Direction::ServerToClient)) => Some(IdOwner::Client),
            (_, Some(Direction::ClientToServer)) => Some(IdOwner::Server),
            (_, None) => None,
        }
    }
}

/// The name of a known type, else its byte as `0x53`.
impl fmt::Display for FrameType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "{:#04x}", self.0),
        }
    }
}

impl fmt::Debug for FrameType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FrameType({:#04x})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_the_kind_and_direction_of_the_text() {
        for byte in 0..=255_u8 {
            let frame_type = FrameType(byte);
            let direction = match byte >> 4 {
                0xa => Some(Direction::ClientToServer),
                0x5 => Some(Direction::ServerToClient),
                _ => None,
            };
            assert_eq!(frame_type.direction(), direction, "{byte:#x}");
            let owner = match byte {
                0xa1 | 0x50..=0x5f => Some(IdOwner::Client),
                0xa0..=0xaf => Some(IdOwner::Server),
                _ => None,
            };
            assert_eq!(frame_type.id_owner(), owner, "{byte:#x}");
            let known = FrameType::KNOWN.contains(&frame_type);
            assert_eq!(known, frame_type.kind() != FrameKind::Unknown, "{byte:#x}");
            assert_eq!(known, frame_type.name().is_some(), "{byte:#x}");
        }
        assert_eq!(FrameType::KNOWN.len(), 7);
    }

    #[test]
    fn unknown_types_display_as_their_byte() {
        assert_eq!(FrameType(0x53).to_string(), "0x53");
        assert_eq!(FrameType(0x03).to_string(), "0x03");
        assert_eq!(FrameType::SYN.to_string(), "SYN");
        assert_eq!(format!("{:?}", FrameType::SYN), "FrameType(0xa1)");
    }
}
