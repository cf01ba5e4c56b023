//! The type byte of an I2CP frame: one table of code points, names, senders
//! and lengths.

use std::fmt;

use super::Sender;

/// The type byte of a frame; any value.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageType(pub u8);

/// The end that sends messages of a type.
#[derive(Clone, Copy)]
enum SentBy {
    Application,
    Router,
    Both,
}

macro_rules! message_types {
    ($($constant:ident = $byte:literal, $name:literal, $sent_by:ident, $min:literal..=$max:literal;)*) => {
        impl MessageType {
            $(#[doc = concat!("`", $name, "`, ", $byte, ".")] pub const $constant: Self = Self($byte);)*

            /// Every type that is known, in the order of the table.
            pub const KNOWN: &'static [Self] = &[$(Self::$constant),*];

            /// The name of a known type.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($byte => Some($name),)*
                    _ => None,
                }
            }

            const fn sent_by(self) -> Option<SentBy> {
                match self.0 {
                    $($byte => Some(SentBy::$sent_by),)*
                    _ => None,
                }
            }

            /// Whether a proper body of this type can have `bytes`; never for unknown types.
            pub const fn allows_body_of(self, bytes: usize) -> bool {
                match self.0 {
                    $($byte => matches!(bytes, $min..=$max),)*
                    _ => false,
                }
            }
        }
    };
}

// The smallest bodies are those with a null certificate (387 bytes), no
// options and a DSA signature (40); the smallest lease set is one of Ed25519
// (391 + 256 + 32 + 1 + 64 bytes) without leases. The largest have 255 entries in
// their lists and 255 bytes in their strings, or fill a frame.
message_types! {
    CREATE_SESSION = 1, "CreateSession", Application, 437..=65_535;
    RECONFIGURE_SESSION = 2, "ReconfigureSession", Application, 439..=65_535;
    DESTROY_SESSION = 3, "DestroySession", Application, 2..=2;
    CREATE_LEASE_SET = 4, "CreateLeaseSet", Application, 1_022..=65_535;
    SEND_MESSAGE = 5, "SendMessage", Application, 397..=65_535;
    RECEIVE_MESSAGE_BEGIN = 6, "ReceiveMessageBegin", Application, 6..=6;
    RECEIVE_MESSAGE_END = 7, "ReceiveMessageEnd", Application, 6..=6;
    GET_BANDWIDTH_LIMITS = 8, "GetBandwidthLimits", Application, 0..=0;
    SESSION_STATUS = 20, "SessionStatus", Router, 3..=3;
    REQUEST_LEASE_SET = 21, "RequestLeaseSet", Router, 11..=9_191;
    MESSAGE_STATUS = 22, "MessageStatus", Router, 15..=15;
    BANDWIDTH_LIMITS = 23, "BandwidthLimits", Router, 64..=64;
    DISCONNECT = 30, "Disconnect", Both, 1..=256;
    MESSAGE_PAYLOAD = 31, "MessagePayload", Router, 10..=65_535;
    GET_DATE = 32, "GetDate", Application, 0..=65_535;
    SET_DATE = 33, "SetDate", Router, 8..=264;
    DEST_LOOKUP = 34, "DestLookup", Application, 32..=32;
    DEST_REPLY = 35, "DestReply", Router, 32..=65_535;
    SEND_MESSAGE_EXPIRES = 36, "SendMessageExpires", Application, 405..=65_535;
    REQUEST_VARIABLE_LEASE_SET = 37, "RequestVariableLeaseSet", Router, 3..=11_223;
    HOST_LOOKUP = 38, "HostLookup", Application, 12..=267;
    HOST_REPLY = 39, "HostReply", Router, 7..=65_535;
    CREATE_LEASE_SET_2 = 41, "CreateLeaseSet2", Application, 400..=65_535;
}

impl MessageType {
    /// Whether messages of this type go from `sender` to the other end; never
    /// for unknown types.
    pub const fn is_sent_by(self, sender: Sender) -> bool {
        matches!(
            (self.sent_by(), sender),
            (Some(SentBy::Both), _)
                | (Some(SentBy::Application), Sender::Application)
                | (Some(SentBy::Router), Sender::Router)
        )
    }
}

/// The name of a known type, else `type 0x2b`.
impl fmt::Display for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "type {:#04x}", self.0),
        }
    }
}

impl fmt::Debug for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageType({})", self.0)
    }
}
