//! Channels: the paths on which two ends exchange messages.

use std::net::{IpAddr, SocketAddr};

use hashbrown::HashMap;
use slab::Slab;

use super::{I2cpSession, Party};
use crate::carrier::Carrier;
use crate::net::Side;
use crate::time::Timestamp;
use crate::wire::{DestinationHash, Direction};

/// Names a channel within a tracker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChannelId {
    /// Its slot; another channel may take it afterwards.
    pub(super) slot: u32,
    /// Number of channels opened before it, by which nothing remembered of an earlier channel is
    /// taken for this one's.
    pub(super) serial: u32,
}

/// The part of a channel's past that the capture holds.
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
/// As large as a cache line.
#[derive(Debug)]
pub struct Channel {
    ends: Ends,
    /// The tracked conversations that run over it.
    pub(super) slots: Slots,
    /// See [`ChannelId`].
    serial: u32,
    pub(super) dialled: Dialled,
    /// Whether bytes of it are missing from the capture.
    pub(super) has_gaps: bool,
    /// The carrier of its messages.
    pub carrier: Carrier,
    /// The known part of its past.
    pub start: ChannelStart,
}

/// The ends of a channel. Hosts and ports apart take 40 bytes, and two socket addresses 64.
#[derive(Debug)]
enum Ends {
    /// The host and port of each side, by [`Side::index`].
    Flow { hosts: [IpAddr; 2], ports: [u16; 2] },
    /// On I2CP. Boxed, because few channels are sessions.
    Session(Box<SessionEnds>),
}

#[derive(Debug)]
struct SessionEnds {
    addresses: [SocketAddr; 2],
    session: I2cpSession,
}

/// The sides that sent a SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialled {
    Nobody,
    One(Side),
    Both,
}

impl Dialled {
    /// The same after a SYN of `side`.
    pub(super) fn and(self, side: Side) -> Self {
        match self {
            Self::Nobody => Self::One(side),
            Self::One(one) if one == side => self,
            Self::One(_) | Self::Both => Self::Both,
        }
    }
}

impl Channel {
    /// A channel on which nothing was seen yet. Zones and flow labels of IPv6 are kept of a
    /// session's addresses only.
    pub fn new(
        carrier: Carrier,
        addresses: [SocketAddr; 2],
        start: ChannelStart,
        session: Option<I2cpSession>,
    ) -> Self {
        let ends = match session {
            Some(session) => Ends::Session(Box::new(SessionEnds { addresses, session })),
            None => Ends::Flow {
                hosts: addresses.map(|address| address.ip()),
                ports: addresses.map(|address| address.port()),
            },
        };
        Self {
            ends,
            carrier,
            start,
            slots: Slots::None,
            serial: 0,
            dialled: Dialled::Nobody,
            has_gaps: false,
        }
    }

    /// The address of a side.
    #[inline]
    pub fn address(&self, side: Side) -> SocketAddr {
        match &self.ends {
            Ends::Flow { hosts, ports } => {
                SocketAddr::new(hosts[side.index()], ports[side.index()])
            }
            Ends::Session(ends) => ends.addresses[side.index()],
        }
    }

    /// The session, on I2CP.
    #[inline]
    pub fn session(&self) -> Option<&I2cpSession> {
        match &self.ends {
            Ends::Flow { .. } => None,
            Ends::Session(ends) => Some(&ends.session),
        }
    }

    /// The destination that has this session, if it is known.
    fn session_hash(&self) -> Option<DestinationHash> {
        self.session()?.hash
    }

    /// The party at one side, named where a session names it. `remote` is
    /// the hash of the destination behind the router.
    pub(super) fn party(&self, side: Side, remote: Option<DestinationHash>) -> Party {
        let (nickname, hash) = match self.session() {
            Some(session) if side == Side::Initiator => (session.nickname.clone(), session.hash),
            _ => (None, remote),
        };
        Party {
            address: self.address(side),
            nickname,
            hash,
        }
    }

    /// Whether an ACK that was sent may be missing from the capture, unnoticed or not.
    pub(super) const fn may_lack_acks(&self) -> bool {
        self.has_gaps || matches!(self.carrier, Carrier::Udp)
    }

    /// Whether an id that nobody announced may have been announced before the
    /// capture began, or in a part that is missing from it.
    pub(super) const fn may_have_missed_ids(&self) -> bool {
        match self.start {
            ChannelStart::Captured => self.has_gaps,
            ChannelStart::Missed => true,
            // Only as long as nothing shows that we were there from the start.
            ChannelStart::Unknown => self.has_gaps || matches!(self.dialled, Dialled::Nobody),
        }
    }

    /// Whether that is known to be so.
    pub(super) const fn has_missed_ids(&self) -> bool {
        self.has_gaps || matches!(self.start, ChannelStart::Missed)
    }

    /// The direction of messages from `side` that name none themselves: known when only one of the
    /// sides opens conversations here.
    pub(super) fn role_of(&self, side: Side) -> Option<Direction> {
        match self.dialled {
            Dialled::One(client) if client == side => Some(Direction::ClientToServer),
            Dialled::One(_) => Some(Direction::ServerToClient),
            Dialled::Nobody | Dialled::Both => None,
        }
    }
}

/// The slots of the conversations on a channel, of which there is mostly one or none: so one lies
/// in the channel itself.
#[derive(Debug)]
pub(super) enum Slots {
    None,
    One(u32),
    #[expect(clippy::box_collection, reason = "a channel has room for a pointer")]
    Several(Box<Vec<u32>>),
}

impl Slots {
    #[inline]
    pub(super) fn as_slice(&self) -> &[u32] {
        match self {
            Self::None => &[],
            Self::One(slot) => std::slice::from_ref(slot),
            Self::Several(slots) => slots,
        }
    }

    pub(super) fn push(&mut self, slot: u32) {
        match self {
            Self::None => *self = Self::One(slot),
            Self::One(first) => *self = Self::Several(Box::new(vec![*first, slot])),
            Self::Several(slots) => slots.push(slot),
        }
    }

    /// Takes out the one at `position`; the last one takes its place.
    pub(super) fn swap_remove(&mut self, position: usize) {
        match self {
            Self::Several(slots) if slots.len() > 1 => {
                slots.swap_remove(position);
                // A flow that was busy once is not so for ever.
                if slots.len() < slots.capacity() / 4 {
                    slots.shrink_to(slots.len() * 2);
                }
            }
            _ => {
                debug_assert_eq!((self.as_slice().len(), position), (1, 0));
                *self = Self::None;
            }
        }
    }
}

/// Names for channels. The opener of channels gives them out without the tracker, which may be at
/// work on another thread.
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
    open: Vec<Open>,
    /// Those that have ended and are kept for a while, while others take their slots.
    kept: Slab<Kept>,
    /// Sessions by the hash of their destination.
    sessions: HashMap<DestinationHash, u32>,
}

/// A place for a channel that is open: one cache line. It is this that is aligned and not the channel,
/// because single allocations with an alignment leave holes behind in the allocator's memory.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Open(Option<Channel>);

/// A channel that has ended and is only kept for messages sent on it before.
#[derive(Debug)]
struct Kept {
    channel: Channel,
    ended: Timestamp,
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
        if let Some(hash) = channel.session_hash() {
            *self.sessions.entry(hash).or_default() += 1;
        }
        channel.serial = id.serial;
        let slot = id.slot as usize;
        if slot >= self.open.len() {
            self.open.resize_with(slot + 1, Open::default);
        }
        self.open[slot] = Open(Some(channel));
    }

    /// Forgets a channel, after its [`end_session`](Self::end_session).
    pub(super) fn forget(&mut self, channel: ChannelId) {
        match kept(channel.slot) {
            Some(place) => drop(self.kept.remove(place)),
            None => self.open[channel.slot as usize] = Open(None),
        }
    }

    /// Keeps a channel that has ended under a name of its own, because the one that it has may
    /// be given to another.
    pub(super) fn keep(&mut self, channel: ChannelId, ended: Timestamp) -> ChannelId {
        let kept = Kept {
            channel: self.open[channel.slot as usize]
                .0
                .take()
                .expect(CHANNEL_IS_OPEN),
            ended,
        };
        let place = u32::try_from(self.kept.insert(kept)).expect(CHANNELS_ARE_FEW);
        ChannelId {
            slot: KEPT | place,
            serial: channel.serial,
        }
    }

    /// When the channel in a slot ended, if it is only kept.
    pub(super) fn ended(&self, slot: u32) -> Option<Timestamp> {
        Some(self.kept.get(kept(slot)?)?.ended)
    }

    /// Takes note that a channel has ended, and with it its session; once for each channel.
    pub(super) fn end_session(&mut self, channel: ChannelId) {
        if let Some(hash) = self.get(channel).session_hash()
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
            Some(open) => open.0.as_ref(),
            None => self.kept_in(slot),
        }
    }

    #[cold]
    fn kept_in(&self, slot: u32) -> Option<&Channel> {
        Some(&self.kept.get(kept(slot)?)?.channel)
    }

    /// Reads a channel that will be needed soon.
    #[inline]
    pub(super) fn touch(&self, slot: u32) -> u64 {
        self.in_slot(slot)
            .map_or(0, |channel| u64::from(channel.serial))
    }

    /// The conversation that takes the place of one that leaves a channel's list.
    #[inline]
    pub(super) fn last_of(&self, slot: u32) -> Option<u32> {
        self.in_slot(slot)?.slots.as_slice().last().copied()
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
            None => self.open[slot as usize].0.as_mut().expect(CHANNEL_IS_OPEN),
            Some(place) => &mut self.kept[place].channel,
        }
    }

    /// Whether a destination has a session in this capture, now.
    pub(super) fn has_session(&self, destination: DestinationHash) -> bool {
        self.sessions.contains_key(&destination)
    }
}

/// The place of a channel that is kept.
const fn kept(slot: u32) -> Option<usize> {
    if slot < KEPT {
        None
    } else {
        Some((slot - KEPT) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_channel_takes_a_cache_line() {
        assert_eq!(size_of::<Open>(), 64);
    }

    #[test]
    fn slots_are_those_of_a_vector_whatever_is_added_and_removed() {
        // Every order of eight steps: a new slot, or the first, middle or last one is freed.
        for steps in 0..4_u32.pow(8) {
            let (mut slots, mut expected) = (Slots::None, Vec::new());
            for step in 0..8 {
                let position = match steps / 4_u32.pow(step) % 4 {
                    1 => Some(0),
                    2 => Some(expected.len() / 2),
                    3 => expected.len().checked_sub(1),
                    _ => None,
                };
                match position.filter(|position| *position < expected.len()) {
                    Some(position) => {
                        slots.swap_remove(position);
                        expected.swap_remove(position);
                    }
                    None => {
                        slots.push(step);
                        expected.push(step);
                    }
                }
                assert_eq!(slots.as_slice(), expected, "{steps}");
            }
        }
    }
}
