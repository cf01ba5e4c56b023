//! Events of links.

use bytes::Bytes;

use super::error::LinkError;
use super::peer::{Peer, Scope};
use crate::wire::{FrameType, StreamId};

/// An event on a link.
#[derive(Debug)]
pub enum LinkEvent {
    /// A peer's connection was accepted.
    PeerUp(Peer),
    /// A message arrived.
    Message {
        /// Its sender, where the carrier names it.
        from: Option<Peer>,
        /// The whole message, never cut.
        bytes: Bytes,
    },
    /// After [`Room::Full`] there is room again.
    Ready(Scope),
    /// The connection to this peer is gone; the others are not affected.
    PeerLost {
        /// The peer.
        peer: Peer,
        /// The reason.
        error: LinkError,
    },
    /// A message that was sent to this peer did not reach it, and will not; others are not
    /// affected.
    MessageLost {
        /// Its receiver.
        peer: Peer,
        /// Its type, or one that belongs to conversations in the same way.
        frame_type: FrameType,
        /// Its id.
        id: StreamId,
        /// The reason.
        error: LinkError,
    },
    /// Input was taken in that is no event to anybody: a part of a message or of a handshake, or
    /// something of a stranger. It has taken a turn all the same: whoever sends such input without
    /// end must not keep the caller from everything else.
    Absorbed {
        /// Bytes of it, or what each thing counts for where it is the number that costs time.
        bytes: usize,
    },
    /// The link is gone and of no further use.
    Down(LinkError),
}

impl LinkEvent {
    /// The messages of a caller's round that it counts for.
    pub(in crate::runtime) const fn messages(&self) -> usize {
        match self {
            Self::Absorbed { bytes } => 1 + *bytes / 1024,
            _ => 1,
        }
    }
}

/// Whether a link takes more messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Room {
    /// It does.
    Free,
    /// Nothing more is to be sent within this scope until [`LinkEvent::Ready`].
    /// The message that met this answer was still taken.
    Full(Scope),
}

/// Counts of a link beside messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounts {
    /// SYNs that were refused because they named another destination than their connection had
    /// proven; on `tls://`.
    pub unproven_syn_count: u64,
    /// Lease sets that the router asked for and got; on `i2cp://`.
    pub lease_set_count: u64,
}
