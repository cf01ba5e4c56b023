//! Channels: the paths on which two ends exchange messages.

use std::net::SocketAddr;

use hashbrown::HashMap;
use slab::Slab;

use super::{Endpoint, Session};
use crate::carrier::Carrier;
use crate::net::Side;
use crate::time::Timestamp;
use crate::wire::{DestinationHash, Direction};

/// Names a channel within a tracker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChannelId {
    /// Where it lies; another channel may lie there after it.
    pub(super) slot: u32,
    /// How many channels were opened before it, by which nothing that is
    /// remembered of an earlier channel is taken for this one's.
    pub(super) serial: u32,
}

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
///
/// Two cache lines: its addresses, and what else a message needs.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Channel {
    /// Address of each side, by [`Side::index`].
    pub addresses: [SocketAddr; 2],
    /// The session, on I2CP.
    pub session: Option<Box<Session>>,
    /// Slots of the tracked conversations that run over it.
    pub(super) slots: Vec<u32>,
    /// When it ended, if it is only kept for what was sent on it before.
    pub(super) closed: Option<Timestamp>,
    /// See [`ChannelId`].
    serial: u32,
    /// Which sides sent a SYN, by [`Side::index`].
    pub(super) dialled: [bool; 2],
    /// Whether bytes of it are missing from the capture.
    pub(super) has_gaps: bool,
    /// How messages travel on it.
    pub carrier: Carrier,
    /// What is known of its past.
    pub start: ChannelStart,
}

impl Channel {
    /// A channel on which nothing was seen yet.
    pub fn new(
        carrier: Carrier,
        addresses: [SocketAddr; 2],
        start: ChannelStart,
        session: Option<Session>,
    ) -> Self {
        Self {
            carrier,
            addresses,
            start,
            session: session.map(Box::new),
            slots: Vec::new(),
            serial: 0,
            closed: None,
            dialled: [false; 2],
            has_gaps: false,
        }
    }

    /// The endpoint at one side, named where a session names it. `remote` is
    /// the hash of the destination behind the router.
    pub(super) fn endpoint(&self, side: Side, remote: Option<DestinationHash>) -> Endpoint {
        let session = self.session.as_deref();
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

/// Names for channels. Whoever opens channels gives them out, and need not hear of the tracker for
/// it, which may be at work on another thread.
#[derive(Debug, Default)]
pub(crate) struct ChannelIds {
    /// Slots that are free again.
    free: Vec<u32>,
    /// Slots that were ever in use.
    slots: u32,
    /// Channels so far.
    opened: u32,
}

impl ChannelIds {
    /// A name for a channel that opens.
    pub(crate) fn next(&mut self) -> ChannelId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots += 1;
            assert!(self.slots < KEPT, "{CHANNELS_ARE_FEW}");
            self.slots - 1
        });
        // Begins anew after 2^32 channels; nothing is remembered for so long.
        let serial = self.opened;
        self.opened = self.opened.wrapping_add(1);
        ChannelId { slot, serial }
    }

    /// Takes a name back, of a channel that is closed; those of others' are passed over.
    pub(crate) fn release(&mut self, channel: ChannelId) {
        if channel.slot < self.slots {
            self.free.push(channel.slot);
        }
    }
}

/// Slots from here on are of channels that have ended and are kept.
const KEPT: u32 = 1 << 31;

/// The channels that are open, and the destinations that have a session here.
#[derive(Debug)]
pub(super) struct Channels {
    open: Vec<Option<Channel>>,
    /// Those that have ended and are kept for a while, while others take their slots.
    kept: Slab<Channel>,
    /// Sessions by the hash of their destination.
    sessions: HashMap<DestinationHash, u32>,
}

const CHANNELS_ARE_FEW: &str = "every channel takes memory, so there are fewer than 2^31";
const CHANNEL_IS_OPEN: &str = "a channel is named only while it is open";

impl Channels {
    pub(super) fn new() -> Self {
        Self {
            open: Vec::new(),
            kept: Slab::new(),
            sessions: HashMap::new(),
        }
    }

    /// Makes a channel known by the name that it was given.
    pub(super) fn open(&mut self, id: ChannelId, mut channel: Channel) {
        if let Some(hash) = channel.session.as_ref().and_then(|session| session.hash) {
            *self.sessions.entry(hash).or_default() += 1;
        }
        channel.serial = id.serial;
        let slot = id.slot as usize;
        if slot >= self.open.len() {
            self.open.resize_with(slot + 1, || None);
        }
        self.open[slot] = Some(channel);
    }

    pub(super) fn close(&mut self, channel: ChannelId, now: Timestamp) {
        self.note_end(channel, now);
        match kept(channel.slot) {
            Some(place) => drop(self.kept.remove(place)),
            None => self.open[channel.slot as usize] = None,
        }
    }

    /// Keeps a channel that has ended under a name of its own, because the one that it has may
    /// be given to another.
    pub(super) fn keep(&mut self, channel: ChannelId) -> ChannelId {
        let ended = self.open[channel.slot as usize]
            .take()
            .expect(CHANNEL_IS_OPEN);
        let place = u32::try_from(self.kept.insert(ended)).expect(CHANNELS_ARE_FEW);
        ChannelId {
            slot: KEPT | place,
            serial: channel.serial,
        }
    }

    /// Takes note that a channel has ended, without forgetting it: its session is gone.
    pub(super) fn note_end(&mut self, channel: ChannelId, now: Timestamp) {
        let channel = self.at_mut(channel.slot);
        if channel.closed.replace(now).is_some() {
            return;
        }
        if let Some(hash) = channel.session.as_ref().and_then(|session| session.hash)
            && let Some(count) = self.sessions.get_mut(&hash)
        {
            *count -= 1;
            if *count == 0 {
                self.sessions.remove(&hash);
            }
        }
    }

    #[inline]
    pub(super) fn get(&self, channel: ChannelId) -> &Channel {
        self.in_slot(channel.slot).expect(CHANNEL_IS_OPEN)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, channel: ChannelId) -> &mut Channel {
        self.at_mut(channel.slot)
    }

    #[inline]
    fn in_slot(&self, slot: u32) -> Option<&Channel> {
        // Slots of those that are kept lie far behind all others.
        match self.open.get(slot as usize) {
            Some(channel) => channel.as_ref(),
            None => self.kept_in(slot),
        }
    }

    #[cold]
    fn kept_in(&self, slot: u32) -> Option<&Channel> {
        self.kept.get(kept(slot)?)
    }

    /// Reads a channel that will be needed soon.
    #[inline]
    pub(super) fn touch(&self, slot: u32) -> u64 {
        self.in_slot(slot).map_or(0, |channel| {
            u64::from(channel.serial) ^ u64::from(channel.addresses[0].port())
        })
    }

    /// The conversation that takes the place of one that leaves a channel's list.
    #[inline]
    pub(super) fn last_of(&self, slot: u32) -> Option<u32> {
        self.in_slot(slot)?.slots.last().copied()
    }

    /// The channel that lies in a slot.
    #[inline]
    pub(super) fn at(&self, slot: u32) -> (ChannelId, &Channel) {
        let channel = self.in_slot(slot).expect(CHANNEL_IS_OPEN);
        let serial = channel.serial;
        (ChannelId { slot, serial }, channel)
    }

    /// The name of the channel that lies in a slot, if one does.
    #[inline]
    pub(super) fn id_at(&self, slot: u32) -> Option<ChannelId> {
        let serial = self.in_slot(slot)?.serial;
        Some(ChannelId { slot, serial })
    }

    /// The same, to be changed.
    pub(super) fn at_mut(&mut self, slot: u32) -> &mut Channel {
        match kept(slot) {
            None => self.open[slot as usize].as_mut().expect(CHANNEL_IS_OPEN),
            Some(place) => &mut self.kept[place],
        }
    }

    /// Whether a destination has a session in this capture, now.
    pub(super) fn has_session(&self, destination: DestinationHash) -> bool {
        self.sessions.contains_key(&destination)
    }
}

/// Where a channel that is kept lies.
const fn kept(slot: u32) -> Option<usize> {
    if slot < KEPT {
        None
    } else {
        Some((slot - KEPT) as usize)
    }
}
