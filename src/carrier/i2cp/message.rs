//! I2CP messages: the typed form of a frame's body, both ways.

use std::num::NonZeroU8;

use super::{Leases, MAX_BODY_BYTES, Mapping, MessageType};
use crate::wire::Destination;

mod decode;
mod encode;

/// An I2CP message. Times are milliseconds since the Unix epoch; strings are
/// the bytes that were sent, at most 255, mostly UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// The application asks for a session.
    CreateSession {
        /// The session's own destination.
        destination: Destination<'a>,
        /// Its options.
        options: Mapping<'a>,
        /// When it was made.
        date_ms: u64,
        /// By the destination's signing key over all before: 40 bytes for DSA, 64 for Ed25519.
        signature: &'a [u8],
    },
    /// The application changes the options of a session.
    ReconfigureSession {
        /// The session.
        session: u16,
        /// The session's own destination.
        destination: Destination<'a>,
        /// Its new options.
        options: Mapping<'a>,
        /// When it was made.
        date_ms: u64,
        /// As in CreateSession.
        signature: &'a [u8],
    },
    /// The application ends a session.
    DestroySession {
        /// The session.
        session: u16,
    },
    /// The application answers a request for a lease set.
    CreateLeaseSet {
        /// The session.
        session: u16,
        /// Private key of the revocation key; unused, zeros work.
        revocation_key: &'a [u8; 20],
        /// ElGamal private key by which the router decrypts.
        decryption_key: &'a [u8; 256],
        /// The [lease set](super::LeaseSet) with its signature.
        lease_set: &'a [u8],
    },
    /// The application sends a message: SendMessage, or SendMessageExpires when
    /// it says when it is no longer of use.
    SendMessage {
        /// The session that sends.
        session: u16,
        /// To whom.
        destination: Destination<'a>,
        /// The message in gzip.
        payload: &'a [u8],
        /// By which the router names it in MessageStatus; 0 for no status (i2pd).
        nonce: u32,
        /// Only in SendMessageExpires.
        expiry: Option<Expiry>,
    },
    /// The application wants a message that MessageStatus announced.
    ReceiveMessageBegin {
        /// The session that receives.
        session: u16,
        /// The message.
        message_id: u32,
    },
    /// The application has the message.
    ReceiveMessageEnd {
        /// The session that received.
        session: u16,
        /// The message.
        message_id: u32,
    },
    /// The application asks for limits.
    GetBandwidthLimits,
    /// The router tells what became of a session.
    SessionStatus {
        /// The session.
        session: u16,
        /// 0 destroyed, 1 created, 2 updated, 3 invalid, 4 refused.
        status: u8,
    },
    /// The router wants a lease set for tunnels that end at one time.
    RequestLeaseSet {
        /// The session.
        session: u16,
        /// The tunnels' gateways.
        hops: RouterHops<'a>,
        /// When all of them end.
        end_ms: u64,
    },
    /// The router tells what became of a message.
    MessageStatus {
        /// The session.
        session: u16,
        /// The router's name for the message.
        message_id: u32,
        /// 0 available, 1 accepted, 4 success, 5 failure, 21 no lease set.
        status: u8,
        /// Bytes of an available message.
        size: u32,
        /// The application's name for the message.
        nonce: u32,
    },
    /// The router's limits, sixteen numbers of 4 bytes.
    BandwidthLimits {
        /// In and out in KB/s, and what else there is.
        limits: &'a [u8; 64],
    },
    /// Either end is about to close the connection.
    Disconnect {
        /// Why.
        reason: &'a [u8],
    },
    /// The router delivers a message.
    MessagePayload {
        /// The session that receives.
        session: u16,
        /// The router's name for the message.
        message_id: u32,
        /// The message in gzip.
        payload: &'a [u8],
    },
    /// The application asks for the date.
    GetDate {
        /// Its version; older ones send none.
        version: Option<&'a [u8]>,
        /// What newer ones send after it.
        authentication: &'a [u8],
    },
    /// The router's date.
    SetDate {
        /// Now.
        date_ms: u64,
        /// Its version; older ones send none.
        version: Option<&'a [u8]>,
    },
    /// The application asks for a destination.
    DestLookup {
        /// The destination's hash.
        hash: &'a [u8; 32],
    },
    /// A destination that was found.
    DestFound {
        /// The destination.
        destination: Destination<'a>,
    },
    /// A destination that was not found (DestReply with the hash).
    DestNotFound {
        /// The hash that was asked for.
        hash: &'a [u8; 32],
    },
    /// The application asks for a destination by hash (kind 0).
    HostLookupByHash {
        /// The session, or ffff.
        session: u16,
        /// By which the reply is matched.
        request_id: u32,
        /// How long the router may look.
        timeout_ms: u32,
        /// The destination's hash.
        hash: &'a [u8; 32],
    },
    /// The application asks for a destination by name (kind 1).
    HostLookupByName {
        /// The session, or ffff.
        session: u16,
        /// By which the reply is matched.
        request_id: u32,
        /// How long the router may look.
        timeout_ms: u32,
        /// The name.
        name: &'a [u8],
    },
    /// The answer to a HostLookup that found something (HostReply with result 0).
    HostFound {
        /// The session, or ffff.
        session: u16,
        /// That of the lookup.
        request_id: u32,
        /// The destination.
        destination: Destination<'a>,
    },
    /// The answer to a HostLookup that found nothing.
    HostNotFound {
        /// The session, or ffff.
        session: u16,
        /// That of the lookup.
        request_id: u32,
        /// Why.
        result: NonZeroU8,
    },
    /// The router wants a lease set.
    RequestVariableLeaseSet {
        /// The session.
        session: u16,
        /// The leases that are to be in it.
        leases: Leases<'a>,
    },
    /// Any other type, and CreateLeaseSet2, whose body is not taken apart.
    Other {
        /// The type.
        message_type: MessageType,
        /// The whole body.
        body: &'a [u8],
    },
}

/// The end of SendMessageExpires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Options of the delivery.
    pub flags: u16,
    /// When the message is of no use any more, in milliseconds since the Unix
    /// epoch; the lower 48 bits are sent.
    pub at_ms: u64,
}

/// Gateways of tunnels as they stand in RequestLeaseSet: each the hash of a
/// router, 32 bytes, and a tunnel id, 4 bytes; 0 to 255 of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouterHops<'a>(&'a [[u8; HOP_BYTES]]);

const HOP_BYTES: usize = 32 + 4;

impl<'a> RouterHops<'a> {
    /// Takes bytes for hops; `None` unless they are whole ones, at most 255.
    pub fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        match bytes.as_chunks() {
            (hops, []) if hops.len() <= 255 => Some(Self(hops)),
            _ => None,
        }
    }

    /// Their bytes.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0.as_flattened()
    }

    /// Hash and tunnel id of each.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = ([u8; 32], u32)> + use<'a> {
        self.0.iter().map(|hop| {
            let [router @ .., a, b, c, d] = *hop;
            (router, u32::from_be_bytes([a, b, c, d]))
        })
    }
}

/// Why a body is not that of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// A field is cut short, or holds what it cannot.
    #[error("body of {message_type}, {body_bytes} bytes, is not as its type asks")]
    Malformed {
        /// The type.
        message_type: MessageType,
        /// Bytes of the body.
        body_bytes: usize,
    },
    /// Bytes are left over, on which a Java peer loses its place.
    #[error("body of {message_type} has {extra_bytes} bytes too many")]
    ExtraBytes {
        /// The type.
        message_type: MessageType,
        /// How many.
        extra_bytes: usize,
    },
}

/// Why a message cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A string has one byte for its length.
    #[error("a string is at most 255 bytes, not {0}")]
    StringTooLong(usize),
    /// Routers do not take longer bodies.
    #[error("the body of a message is at most {MAX_BODY_BYTES} bytes, not {0}")]
    BodyTooLong(usize),
}

impl<'a> Message<'a> {
    /// The message in a frame's body. Every body of an unknown type is [`Message::Other`].
    ///
    /// # Errors
    /// The body is not as its type asks.
    pub fn decode(message_type: MessageType, body: &'a [u8]) -> Result<Self, MessageError> {
        match decode::message(message_type, body) {
            Ok(([], message)) => Ok(message),
            Ok((extra, _)) => Err(MessageError::ExtraBytes {
                message_type,
                extra_bytes: extra.len(),
            }),
            Err(_) => Err(MessageError::Malformed {
                message_type,
                body_bytes: body.len(),
            }),
        }
    }

    /// Appends the whole frame, length and type included.
    ///
    /// # Errors
    /// A string or the body is too long for its length field; nothing is
    /// appended then.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        encode::frame(self, out)
    }

    /// The type byte of its frame.
    pub const fn message_type(&self) -> MessageType {
        match self {
            Self::CreateSession { .. } => MessageType::CREATE_SESSION,
            Self::ReconfigureSession { .. } => MessageType::RECONFIGURE_SESSION,
            Self::DestroySession { .. } => MessageType::DESTROY_SESSION,
            Self::CreateLeaseSet { .. } => MessageType::CREATE_LEASE_SET,
            Self::SendMessage { expiry: None, .. } => MessageType::SEND_MESSAGE,
            Self::SendMessage { .. } => MessageType::SEND_MESSAGE_EXPIRES,
            Self::ReceiveMessageBegin { .. } => MessageType::RECEIVE_MESSAGE_BEGIN,
            Self::ReceiveMessageEnd { .. } => MessageType::RECEIVE_MESSAGE_END,
            Self::GetBandwidthLimits => MessageType::GET_BANDWIDTH_LIMITS,
            Self::SessionStatus { .. } => MessageType::SESSION_STATUS,
            Self::RequestLeaseSet { .. } => MessageType::REQUEST_LEASE_SET,
            Self::MessageStatus { .. } => MessageType::MESSAGE_STATUS,
            Self::BandwidthLimits { .. } => MessageType::BANDWIDTH_LIMITS,
            Self::Disconnect { .. } => MessageType::DISCONNECT,
            Self::MessagePayload { .. } => MessageType::MESSAGE_PAYLOAD,
            Self::GetDate { .. } => MessageType::GET_DATE,
            Self::SetDate { .. } => MessageType::SET_DATE,
            Self::DestLookup { .. } => MessageType::DEST_LOOKUP,
            Self::DestFound { .. } | Self::DestNotFound { .. } => MessageType::DEST_REPLY,
            Self::HostLookupByHash { .. } | Self::HostLookupByName { .. } => {
                MessageType::HOST_LOOKUP
            }
            Self::HostFound { .. } | Self::HostNotFound { .. } => MessageType::HOST_REPLY,
            Self::RequestVariableLeaseSet { .. } => MessageType::REQUEST_VARIABLE_LEASE_SET,
            Self::Other { message_type, .. } => *message_type,
        }
    }
}

#[cfg(test)]
mod tests;
