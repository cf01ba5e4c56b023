//! I2CP, the protocol between an application and its I2P router, over TCP:
//! the carrier that ministreaming was made for. Each message travels as one
//! gzip member in the payload of a SendMessage (application to router) or a
//! MessagePayload (router to application).
//!
//! [`FrameReader`] and [`Message`] are the protocol's bytes, both ways; [`Decoder`] is for the
//! dissector: it gives the messages of a connection, and the sessions between which they passed.
//!
//! This is the one carrier that uses [`crate::wire`]: a destination stands in
//! the middle of several I2CP messages, and its length rule is the same as in
//! the payload of a SYN.

mod decoder;
mod encode_error;
mod framing;
pub mod gzip;
mod lease_set;
mod mapping;
mod message;
mod message_type;
mod status;

pub use decoder::{Decoder, I2cpItem};
pub use encode_error::{EncodeError, MAX_BODY_BYTES};
pub use framing::{Frame, FrameItem, FrameReader, PROTOCOL_BYTE};
pub use lease_set::{LEASE_BYTES, Lease, LeaseSet, Leases};
pub use mapping::{Mapping, MappingError, encode_mapping};
pub use message::{Expiry, Message, MessageError, RouterHops};
pub use message_type::MessageType;
pub use status::{MessageStatus, SessionStatus};

/// The two ends of an I2CP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sender {
    /// The application, which dialled and owns sessions.
    Application,
    /// The router.
    Router,
}
