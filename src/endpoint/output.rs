//! The outputs of an endpoint: messages for the carrier, events for the application, and the time
//! of its next timeout.

use std::fmt;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::wire::{ClientId, Message, ServerId};

/// Names a conversation of one endpoint. Never used twice by the same endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle {
    pub(super) serial: u64,
    pub(super) slot: usize,
}

/// `c1` for an endpoint's first conversation.
impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}", self.serial)
    }
}

/// A part of the carrier of an endpoint's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<P> {
    /// The link to one peer, such as a TCP connection.
    Peer(P),
    /// The link to all peers, such as a UDP socket or an I2CP session.
    All,
}

/// One answer of [`poll_output`](super::Endpoint::poll_output).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output<P> {
    /// A message that the carrier shall take to a peer.
    Transmit {
        /// Its receiver.
        to: P,
        /// The message.
        message: Message,
    },
    /// An event for the application.
    Event(Event<P>),
    /// Nothing before this moment, unless there is input first. It may turn out
    /// that nothing was due after all.
    Timeout(Instant),
    /// Nothing until there is input.
    Idle,
}

/// An event for the endpoint's application.
///
/// Every conversation begins with [`Endpoint::open`](super::Endpoint::open) or
/// `Incoming` and ends with exactly one `Closed`, its last event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<P> {
    /// A peer wants to open a conversation. To be answered by
    /// [`accept`](super::Endpoint::accept) or [`refuse`](super::Endpoint::refuse)
    /// within [`accept_timeout`](super::Config::accept_timeout).
    Incoming {
        /// The new conversation.
        conversation: Handle,
        /// The peer that wants it.
        from: P,
        /// The id that the peer chose.
        client_id: ClientId,
        /// The destination in its SYN, without bytes behind it.
        destination: Bytes,
    },
    /// The handshake is done: the ACK came, or is on its way.
    Opened {
        /// The conversation.
        conversation: Handle,
        /// The opener's id.
        client_id: ClientId,
        /// The acceptor's id.
        server_id: ServerId,
        /// Time from our SYN's request to its ACK; from the peer's SYN to our acceptance.
        handshake: Duration,
    },
    /// Bytes from the peer: one data message, never empty. They count as held by
    /// the application until [`consumed`](super::Endpoint::consumed). They are a
    /// part of the message that was handed in and keep all of its buffer in
    /// memory: an application that holds many small ones should copy them together.
    Data {
        /// The conversation.
        conversation: Handle,
        /// The bytes.
        bytes: Bytes,
    },
    /// A conversation whose send buffer was full has drained to half of it.
    Writable {
        /// The conversation.
        conversation: Handle,
    },
    /// The conversation is over. Its ids are forgotten; the handle remains good
    /// for [`consumed`](super::Endpoint::consumed) while the application holds bytes of it.
    Closed {
        /// The conversation.
        conversation: Handle,
        /// Its end.
        end: End,
        /// Its traffic.
        summary: ConversationSummary,
    },
}

/// The traffic of a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConversationSummary {
    /// Payload bytes in the data messages that were sent.
    pub sent_bytes: u64,
    /// Payload bytes in the data messages that were delivered.
    pub received_bytes: u64,
    /// Bytes that the application wrote and that were never sent.
    pub unsent_bytes: u64,
    /// Payload bytes that came after the application had closed, and were dropped.
    pub dropped_bytes: u64,
    /// An answer may have been under way: nothing had come since the last data
    /// went, or data came after the application had finished.
    pub answer_expected: bool,
    /// Time from its opening to its end.
    pub duration: Duration,
}

/// The end of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// We closed, after sending all that had been written.
    Closed,
    /// The peer closed.
    PeerClosed,
    /// The application had finished, and the peer was silent for the time of
    /// [`OnEof::Drain`](super::OnEof::Drain) without closing: the data so far may be a part of its
    /// answer.
    DrainTimeout,
    /// The application gave it up: [`abort`](super::Endpoint::abort).
    Aborted,
    /// The peer refused our SYN.
    Refused,
    /// The application refused the peer's SYN.
    RefusedByUs,
    /// The peer did not answer our SYN in time.
    HandshakeTimeout,
    /// The application did not answer the peer's SYN in time.
    AcceptTimeout,
    /// The peer never showed that it receives at its address.
    AddressUnproven,
    /// More data came before the ACK than the receive buffer holds.
    EarlyDataOverflow,
    /// The application read too slowly, and the policy is to close.
    SlowReader,
    /// Closing: the rest could not be sent in time.
    CloseTimeout,
    /// No message passed for too long.
    IdleTimeout,
    /// The carrier's link was lost.
    LinkLost,
    /// The carrier has lost a message to the peer: more messages would follow a hole.
    MessageLost,
}

/// The part of the way where a conversation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leg {
    /// Between the two endpoints.
    Carrier,
    /// The opening of the conversation by the peer.
    Handshake,
    /// Our application, or the service behind it.
    Target,
}

impl Leg {
    /// `carrier`, `handshake` or `target`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Carrier => "carrier",
            Self::Handshake => "handshake",
            Self::Target => "target",
        }
    }
}

impl End {
    /// The leg of the failure; `None` for an orderly end.
    pub const fn leg(self) -> Option<Leg> {
        match self {
            Self::Closed | Self::PeerClosed | Self::Aborted => None,
            Self::Refused
            | Self::HandshakeTimeout
            | Self::AddressUnproven
            | Self::EarlyDataOverflow => Some(Leg::Handshake),
            Self::RefusedByUs | Self::AcceptTimeout | Self::SlowReader => Some(Leg::Target),
            Self::DrainTimeout
            | Self::CloseTimeout
            | Self::IdleTimeout
            | Self::LinkLost
            | Self::MessageLost => Some(Leg::Carrier),
        }
    }
}

/// For logs: `refused by the peer`.
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Closed => "closed by us",
            Self::PeerClosed => "closed by the peer",
            Self::DrainTimeout => "the peer neither sent more nor closed after our end of input",
            Self::Aborted => "aborted by us",
            Self::Refused => "refused by the peer",
            Self::RefusedByUs => "refused by us",
            Self::HandshakeTimeout => "no answer to the SYN",
            Self::AcceptTimeout => "not accepted in time",
            Self::AddressUnproven => "the peer did not prove its address",
            Self::EarlyDataOverflow => "too much data before the ACK",
            Self::SlowReader => "the reader was too slow",
            Self::CloseTimeout => "the last data could not be sent in time",
            Self::IdleTimeout => "idle for too long",
            Self::LinkLost => "the carrier's link was lost",
            Self::MessageLost => "a message to the peer was lost",
        })
    }
}
