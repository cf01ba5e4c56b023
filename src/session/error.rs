//! The reasons why a session ends, or does not take or deliver a message.

use std::fmt;
use std::time::Duration;

use super::{MAX_GZIP_BYTES, MAX_MESSAGE_BYTES};
use crate::carrier::Problem;
use crate::carrier::i2cp::{EncodeError, MappingError, MessageError, MessageStatus};
use crate::wire::DestinationHash;

/// The reason why a session could not be had, or ended unasked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The session's options cannot be sent.
    #[error("the session's options cannot be sent")]
    Options(#[from] MappingError),
    /// A message of ours is longer than its fields allow.
    #[error("a message to the router cannot be sent")]
    Encode(#[from] EncodeError),
    /// Nothing came in answer to GetDate.
    #[error("the router did not answer within {0:?}: is this an I2CP port?")]
    Silent(Duration),
    /// Nothing came in answer to CreateSession.
    #[error("the router did not answer CreateSession within {0:?}")]
    NoStatus(Duration),
    /// The connection ended before the router answered GetDate.
    #[error("the router closed the connection at once: is this an I2CP port?")]
    ClosedOnGreeting,
    /// The connection ended when CreateSession had been sent.
    #[error(
        "the router closed the connection on CreateSession: \
         a Java router before 0.9.15 takes DSA destinations only"
    )]
    ClosedOnCreate,
    /// The connection ended later.
    #[error("the router closed the connection")]
    Closed,
    /// SessionStatus 3.
    #[error("the router calls the session invalid: is the destination in use by another session?")]
    Invalid,
    /// SessionStatus 4.
    #[error("the router refused the session")]
    Refused,
    /// Any other SessionStatus in answer to CreateSession.
    #[error("the router answered CreateSession with status {0}")]
    Status(u8),
    /// SessionStatus 0 unasked.
    #[error("the router ended the session")]
    Destroyed,
    /// The router says why it closes the connection.
    #[error("the router disconnected: {}", .0.escape_debug())]
    Disconnected(String),
    /// No request for a lease set came.
    #[error(
        "the router built no tunnels within {0:?}: \
         has it a network? (without one, ask for tunnels of length 0)"
    )]
    NoTunnels(Duration),
    /// The router asks without reading the answers.
    #[error("the router asks for more and more but reads no answers")]
    AnswersUnread,
    /// The router asks for lease sets much more often than its tunnels can change.
    #[error("the router asks for lease sets without end, each of which costs a signature")]
    LeaseSetFlood,
    /// The router's bytes are not I2CP.
    #[error("the router sent bytes that are not I2CP")]
    Framing(#[source] Problem),
    /// A request for a lease set, or another message that matters, is damaged.
    #[error("the router sent a message that cannot be read")]
    Message(#[from] MessageError),
}

/// The reason why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The session is not ready yet, or not any more.
    #[error("the session is not ready")]
    NotReady,
    /// The peer's destination was never learnt, or is forgotten.
    #[error("the destination of {0} is not known")]
    UnknownPeer(DestinationHash),
    /// The message is longer than peers take.
    #[error("a message is at most {MAX_MESSAGE_BYTES} bytes, not {0}")]
    TooLong(usize),
    /// The message in gzip is longer than routers take.
    #[error("a payload is at most {MAX_GZIP_BYTES} bytes, not {0}")]
    PayloadTooLong(usize),
    /// It does not fit into a frame.
    #[error("the message does not fit into a frame")]
    Encode(#[from] EncodeError),
}

/// A router's report of a message that it could not send: the status code of MessageStatus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Undelivered(pub MessageStatus);

impl Undelivered {
    /// The router has said nothing of it for a minute. 0 is no status of a message of
    /// ours (II.2.1: it announces one of a peer's).
    pub const NO_REPORT: Self = Self(MessageStatus::AVAILABLE);
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            MessageStatus::AVAILABLE => {
                f.write_str("the router has not said within a minute that it arrived")
            }
            MessageStatus::BEST_EFFORT_FAILURE | MessageStatus::GUARANTEED_FAILURE => {
                f.write_str("the router could not send it (no tunnel, or no lease)")
            }
            MessageStatus::NO_LOCAL_TUNNELS => {
                f.write_str("the router has no tunnels for this session")
            }
            MessageStatus::NO_LEASE_SET => {
                f.write_str("the router finds no lease set of the destination: is it online?")
            }
            MessageStatus(code) => write!(f, "the router reports status {code}"),
        }
    }
}
