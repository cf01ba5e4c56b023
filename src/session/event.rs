//! The events of a session, and its counters.

use bytes::Bytes;

use super::error::{SessionError, Undelivered};
use super::lookup::{LookupError, LookupId};
use super::outgoing::Lane;
use super::self_test::Finding;
use crate::wire::DestinationHash;

/// An event for the session's user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The router has taken the session and builds its tunnels.
    Created,
    /// The first lease set is with the router: messages can be sent, and soon
    /// peers can reach the session.
    Ready,
    /// A message arrived; nobody knows from whom.
    Message(Bytes),
    /// The router could not send a message.
    Undelivered {
        /// Its receiver.
        to: DestinationHash,
        /// Its lane: later messages in it were dropped.
        lane: Option<Lane>,
        /// The reason.
        reason: Undelivered,
    },
    /// The end of a lookup: the destination's bytes, also remembered for
    /// [`Session::send`](super::Session::send).
    LookedUp {
        /// The lookup.
        lookup: LookupId,
        /// Its result.
        result: Result<Vec<u8>, LookupError>,
    },
    /// [`SelfTest`](super::SelfTest): others can reach the session.
    Reachable,
    /// [`SelfTest`](super::SelfTest): others cannot reach the session. It goes on testing.
    Unreachable,
    /// The session is over; nothing follows. `Ok` after [`Session::leave`](super::Session::leave).
    Ended(Result<(), SessionError>),
}

/// The traffic, and messages that were not understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Lease sets that the router asked for and got.
    pub lease_set_count: u64,
    /// Messages that arrived.
    pub received_count: u64,
    /// Messages that were taken to be sent.
    pub sent_count: u64,
    /// Messages that the router could not send, attempts not counted.
    pub undelivered_count: u64,
    /// Payloads that were no message in gzip, or one longer than
    /// [`MAX_MESSAGE_BYTES`](super::MAX_MESSAGE_BYTES); they were dropped.
    pub unreadable_count: u64,
    /// Frames of types that a session has no use for, or for other sessions.
    pub ignored_count: u64,
}

impl From<Finding> for Event {
    fn from(finding: Finding) -> Self {
        match finding {
            Finding::Reachable => Self::Reachable,
            Finding::Unreachable => Self::Unreachable,
        }
    }
}
