//! The protocol's bytes: one message is 1 byte type, 3 bytes id and a payload
//! to the end of the message.
//!
//! This module knows no carrier, no I/O and no time. [`RawMessage`] and [`RawFrame`] accept
//! whatever arrived, byte for byte; [`PayloadShape`] classifies payloads.

mod base64;
mod destination;
mod frame;
mod frame_type;
mod id;
mod message;
mod payload_shape;
mod pseudonym;

pub use destination::{
    Destination, DestinationError, DestinationHash, HashParseError, SignatureType,
};
pub use frame::{MessageKind, RawFrame, RawMessage, looks_like_message};
pub use frame_type::{Direction, FrameKind, FrameType, IdOwner};
pub use id::{ClientId, IdParseError, ServerId, StreamId};
pub use message::Message;
pub use payload_shape::PayloadShape;
pub use pseudonym::{Pseudonyms, keep_certificate_header};

/// Bytes before the payload of a frame: 1 type, 3 id.
pub const HEADER_BYTES: usize = 1 + StreamId::BYTES;

/// The most payload bytes that the reference implementation puts into one data message
/// (docs/protocol.md, "Sizes and times").
pub const MAX_DATA_PAYLOAD_BYTES: usize = 32_768;

/// The most bytes that the reference implementation accepts as one message, header included
/// (docs/protocol.md, "Sizes and times").
pub const MAX_MESSAGE_BYTES: usize = 40_960;
