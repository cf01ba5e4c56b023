//! Channels: the paths on which two ends exchange messages.

use std::net::SocketAddr;

use super::{Endpoint, Session};
use crate::carrier::Carrier;
use crate::net::Side;
use crate::wire::{DestinationHash, Direction};

/// Names a channel within a tracker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChannelId(pub(super) u32);

/// How much of a channel's past the capture holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelStart {
    /// It begins in the capture: whatever was announced on it was seen.
    Captured,
    /// It is known to have begun before the capture.
    Missed,
    /// It has no beginning (UDP).
    Unknown,
}

/// A path between two ends: a UDP flow, a TCP connection, or one I2CP session,
/// whose initiator is the application and whose responder is whoever is
/// behind the router.
#[derive(Debug)]
pub struct Channel {
    /// How messages travel on it.
    pub carrier: Carrier,
    /// Address of each side, by [`Side::index`].
    pub addresses: [SocketAddr; 2],
    /// What is known of its past.
    pub start: ChannelStart,
    /// The session, on I2CP.
    pub session: Option<Session>,
    /// Slots of the tracked conversations that run over it.
    pub(super) slots: Vec<u32>,
    /// Which sides sent a SYN, by [`Side::index`].
    pub(super) dialled: [bool; 2],
    /// Whether bytes of it are missing from the capture.
    pub(super) has_gaps: bool,
}

impl Channel {
    /// A channel on which nothing was seen yet.
    pub const fn new(
        carrier: Carrier,
        addresses: [SocketAddr; 2],
        start: ChannelStart,
        session: Option<Session>,
    ) -> Self {
        Self {
            carrier,
            addresses,
            start,
            session,
            slots: Vec::new(),
            dialled: [false; 2],
            has_gaps: false,
        }
    }

    /// The endpoint at one side, named where a session names it. `remote` is
    /// the hash of the destination behind the router.
    pub(super) fn endpoint(&self, side: Side, remote: Option<DestinationHash>) -> Endpoint {
        let session = self.session.as_ref();
        let is_session = session.is_some() && side == Side::Initiator;
        Endpoint {
            address: self.addresses[side.index()],
            nickname: session
                .filter(|_| is_session)
                .and_then(|session| session.nickname.clone()),
            hash: if is_session {
                session.and_then(|session| session.hash)
            } else {
                remote
            },
        }
    }

    /// Whether an id that nobody announced may have been announced before the
    /// capture began, or in a part that is missing from it.
    pub(super) const fn may_have_missed_ids(&self) -> bool {
        match self.start {
            ChannelStart::Captured => self.has_gaps,
            ChannelStart::Missed => true,
            // Only as long as nothing shows that we were there from the start.
            ChannelStart::Unknown => self.has_gaps || (!self.dialled[0] && !self.dialled[1]),
        }
    }

    /// Whether that is known to be so.
    pub(super) const fn has_missed_ids(&self) -> bool {
        self.has_gaps || matches!(self.start, ChannelStart::Missed)
    }

    /// The direction of what `side` sends that says nothing itself: known when
    /// only one of the sides opens conversations here.
    pub(super) const fn role_of(&self, side: Side) -> Option<Direction> {
        match (
            self.dialled[side.index()],
            self.dialled[side.opposite().index()],
        ) {
            (true, false) => Some(Direction::ClientToServer),
            (false, true) => Some(Direction::ServerToClient),
            (false, false) | (true, true) => None,
        }
    }
}
