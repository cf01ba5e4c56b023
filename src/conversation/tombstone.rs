//! Tombstones of conversations that are over and reported, so that a late message finds its own and
//! is no orphan.

use std::collections::VecDeque;

use super::id::ConversationId;
use super::id_table::{IdKey, KeyHasher, Space};
use super::records::Live;
use super::state::{Circumstances, Phase};
use crate::index::Index;
use crate::net::Side;
use crate::time::Timestamp;
use crate::wire::{DestinationHash, Direction, StreamId};

/// The remains of a conversation: 32 bytes, held by a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tombstone {
    number: u64,
    /// Until when it is remembered.
    until: Timestamp,
    /// Serial number of its channel.
    channel: u32,
    /// The first bytes of the destination behind the router, if there is one.
    far: Option<FarMark>,
    client_id: [u8; 3],
    server_id: [u8; 3],
    has_ids: u8,
    packed: Packed,
}

/// Phase, client's side, the direction that is read late, and whether the SYN was
/// seen, in a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Packed(u8);

impl Packed {
    fn new(live: &Live) -> Self {
        let late = match live.late {
            None => 0,
            Some(Direction::ClientToServer) => 1,
            Some(Direction::ServerToClient) => 2,
        };
        let phase = live.phase().when_reported() as u8;
        let (side, syn_seen) = (live.client_side as u8, u8::from(live.syn_seen()));
        Self(phase | side << 3 | late << 4 | syn_seen << 6)
    }

    const fn phase(self) -> Phase {
        Phase::ALL[(self.0 & 7) as usize]
    }

    const fn client_side(self) -> Side {
        match self.0 >> 3 & 1 {
            0 => Side::Initiator,
            _ => Side::Responder,
        }
    }

    const fn late(self) -> Option<Direction> {
        match self.0 >> 4 & 3 {
            0 => None,
            1 => Some(Direction::ClientToServer),
            _ => Some(Direction::ServerToClient),
        }
    }

    const fn syn_seen(self) -> bool {
        self.0 >> 6 & 1 == 1
    }
}

/// Enough of a destination's hash to distinguish those that talk over one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FarMark(std::num::NonZeroU32);

impl FarMark {
    pub(super) fn of(hash: DestinationHash) -> Self {
        let [a, b, c, d, ..] = hash.0;
        Self(std::num::NonZeroU32::MIN.saturating_add(u32::from_be_bytes([a, b, c, d]) >> 1))
    }
}

const HAS_CLIENT_ID: u8 = 1;
const HAS_SERVER_ID: u8 = 2;

impl Tombstone {
    pub(super) fn new(
        live: &Live,
        channel: u32,
        far: Option<DestinationHash>,
        until: Timestamp,
    ) -> Self {
        let bytes = |id: Option<StreamId>| id.unwrap_or(StreamId::ZERO).0;
        let (client, server) = (
            live.client_id().map(|id| id.0),
            live.server_id().map(|id| id.0),
        );
        Self {
            number: live.id().0,
            until,
            channel,
            far: far.map(FarMark::of),
            client_id: bytes(client),
            server_id: bytes(server),
            has_ids: client.map_or(0, |_| HAS_CLIENT_ID) | server.map_or(0, |_| HAS_SERVER_ID),
            packed: Packed::new(live),
        }
    }

    pub(super) const fn id(&self) -> ConversationId {
        ConversationId(self.number)
    }

    pub(super) const fn phase(&self) -> Phase {
        self.packed.phase()
    }

    pub(super) const fn client_side(&self) -> Side {
        self.packed.client_side()
    }

    /// As [`Live::circumstances`].
    pub(super) const fn circumstances(&self) -> Circumstances {
        Circumstances {
            awaits_ack: self.has_ids != (HAS_CLIENT_ID | HAS_SERVER_ID) && !self.packed.syn_seen(),
            late: self.packed.late(),
            server_spoke: false,
        }
    }

    /// Whether it may be of a conversation with this destination.
    pub(super) fn may_be_with(&self, addressee: Option<DestinationHash>) -> bool {
        match (self.far, addressee) {
            (Some(far), Some(addressee)) => far == FarMark::of(addressee),
            _ => true,
        }
    }

    fn id_in(&self, space: Space) -> Option<StreamId> {
        match space {
            Space::Client => {
                (self.has_ids & HAS_CLIENT_ID != 0).then_some(StreamId(self.client_id))
            }
            Space::Server => {
                (self.has_ids & HAS_SERVER_ID != 0).then_some(StreamId(self.server_id))
            }
        }
    }

    /// The keys under which it is found.
    fn keys(&self) -> [Option<IdKey>; 2] {
        [Space::Client, Space::Server].map(|space| self.key(space))
    }

    /// The key under which it is found in a space.
    fn key(&self, space: Space) -> Option<IdKey> {
        Some(IdKey {
            channel: super::channel::ChannelId {
                slot: 0,
                serial: self.channel,
            },
            owner: match space {
                Space::Client => self.client_side(),
                Space::Server => self.client_side().opposite(),
            },
            space,
            id: self.id_in(space)?,
        })
    }

    fn is_named(&self, key: IdKey) -> bool {
        self.channel == key.channel.serial
            && self.client_side() == key.space.client_side(key.owner)
            && self.id_in(key.space) == Some(key.id)
    }
}

/// Tombstones in one piece of the queue.
const PIECE: usize = 4_096;

/// Bytes that a tombstone is reckoned to take, with its two entries in the index.
const TOMBSTONE_BYTES: usize = 64;

/// Tombstones, in the order in which they came, found by either id.
///
/// They lie in pieces, so that the memory of those that are forgotten is free,
/// and that growing does not copy. They go into the index when one is looked for:
/// where nothing comes late, none ever does.
#[derive(Debug)]
pub(super) struct Tombstones {
    hasher: KeyHasher,
    pieces: VecDeque<Vec<Tombstone>>,
    /// Tombstones of the first piece that are forgotten.
    gone: usize,
    /// Number forgotten in all: the serial number of the first one.
    first: u32,
    len: usize,
    limit: usize,
    /// Serial numbers (the lowest 31 bits), doubled, and one more for ids of servers.
    index: Index,
    /// Number of the first ones that are in the index.
    indexed: usize,
    evicted: u64,
    evicted_since: Option<Timestamp>,
}

impl Tombstones {
    /// Keeps as many as fit in `limit_bytes`.
    pub(super) fn new(hasher: KeyHasher, limit_bytes: usize) -> Self {
        Self {
            hasher,
            pieces: VecDeque::new(),
            gone: 0,
            first: 0,
            len: 0,
            limit: (limit_bytes / TOMBSTONE_BYTES).min(1 << 30),
            index: Index::new(),
            indexed: 0,
            evicted: 0,
            evicted_since: None,
        }
    }

    /// Bytes that they take.
    pub(super) const fn bytes(&self) -> usize {
        self.len * TOMBSTONE_BYTES
    }

    /// Number forgotten before their time.
    pub(super) const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// When the first of these was.
    pub(super) const fn evicted_since(&self) -> Option<Timestamp> {
        self.evicted_since
    }

    /// Remembers one. Those whose time is over go, and the oldest when there are too many.
    pub(super) fn push(&mut self, tombstone: Tombstone, now: Timestamp) {
        self.expire(now);
        if self.len == self.limit {
            self.evicted += 1;
            self.evicted_since.get_or_insert(now);
            if self.limit == 0 {
                return;
            }
            self.forget_first();
        }
        match self.pieces.back_mut() {
            Some(piece) if piece.len() < PIECE => piece.push(tombstone),
            _ => {
                let mut piece = Vec::with_capacity(PIECE);
                piece.push(tombstone);
                self.pieces.push_back(piece);
            }
        }
        self.len += 1;
    }

    /// Forgets those whose time is over.
    fn expire(&mut self, now: Timestamp) {
        while self.first_expiry().is_some_and(|until| until <= now) {
            self.forget_first();
        }
    }

    /// When the first is to be forgotten.
    fn first_expiry(&self) -> Option<Timestamp> {
        Some(self.pieces.front()?.get(self.gone)?.until)
    }

    /// The latest conversation that is over and had this id, as far as it is remembered.
    pub(super) fn find(&mut self, key: IdKey, now: Timestamp) -> Option<&Tombstone> {
        self.expire(now);
        self.index_new_ones();
        let value = self.find_value(self.hasher.hash(key), key)?;
        self.get(value >> 1)
    }

    /// Prefetches the start of a look-up by `hash`, or of the insertion of a tombstone with it. The
    /// returned value is of no other use.
    #[inline]
    pub(super) fn touch(&self, hash: u32) -> u64 {
        self.index.peek(hash).map_or(0, u64::from)
    }

    /// Prefetches the probable result of a look-up by `hash`.
    #[inline]
    pub(super) fn touch_found(&self, hash: u32) -> u64 {
        let found = self.index.peek(hash).and_then(|value| self.get(value >> 1));
        found.map_or(0, |tombstone| tombstone.number)
    }

    /// Puts those into the index that came since something was last looked for.
    fn index_new_ones(&mut self) {
        while self.indexed < self.len {
            let serial = self
                .first
                .wrapping_add(u32::try_from(self.indexed).unwrap_or(u32::MAX));
            self.indexed += 1;
            let Some(keys) = self.get(serial & SERIAL_MASK).map(Tombstone::keys) else {
                continue;
            };
            for key in keys.into_iter().flatten() {
                let (hash, value) = (self.hasher.hash(key), value_of(serial, key.space));
                // Of several with one id, the latest is the one that is asked for.
                match self.find_value(hash, key) {
                    Some(older) => self.index.replace(hash, older, value),
                    None => self.index.insert(hash, value),
                }
            }
        }
    }

    fn find_value(&self, hash: u32, key: IdKey) -> Option<u32> {
        self.index.find(hash, |value| {
            value & 1 == key.space as u32
                && self
                    .get(value >> 1)
                    .is_some_and(|tombstone| tombstone.is_named(key))
        })
    }

    fn get(&self, serial: u32) -> Option<&Tombstone> {
        let position = serial.wrapping_sub(self.first) & SERIAL_MASK;
        let place = position as usize + self.gone;
        self.pieces.get(place / PIECE)?.get(place % PIECE)
    }

    fn forget_first(&mut self) {
        let Some(tombstone) = self.pieces.front().and_then(|piece| piece.get(self.gone)) else {
            return;
        };
        if self.indexed > 0 {
            self.indexed -= 1;
            for key in tombstone.keys().into_iter().flatten() {
                let hash = self.hasher.hash(key);
                self.index.remove(hash, value_of(self.first, key.space));
            }
        }
        self.first = self.first.wrapping_add(1);
        self.len -= 1;
        self.gone += 1;
        if self.gone == PIECE {
            self.pieces.pop_front();
            self.gone = 0;
        }
    }
}

/// The bits of a serial number that the index has room for.
const SERIAL_MASK: u32 = u32::MAX >> 1;

const fn value_of(serial: u32, space: Space) -> u32 {
    let value = serial << 1 | space as u32;
    // The one value that the index keeps for itself; its tombstone is found by
    // its other id only, once in two billion.
    if value > Index::MAX_VALUE {
        Index::MAX_VALUE
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::channel::ChannelId;
    use super::super::records::{NewRecord, Records};
    use super::*;
    use crate::wire::{ClientId, ServerId};

    fn key(channel: u32, owner: Side, space: Space, id: u32) -> IdKey {
        IdKey {
            channel: ChannelId {
                slot: 5,
                serial: channel,
            },
            owner,
            space,
            id: StreamId::from_u32(id),
        }
    }

    fn tombstone(number: u64, client: Option<u32>, server: Option<u32>, until: i64) -> Tombstone {
        let mut records = Records::new();
        let slot = records.insert(&NewRecord {
            number,
            channel: 5,
            channel_position: 0,
            client_side: Side::Responder,
            phase: Phase::ClientClosed,
            time: Timestamp::from_nanos(0),
            elapsed_us: 0,
            message: 1,
        });
        let live = records.live_mut(slot);
        if let Some(id) = client {
            live.set_client_id(ClientId(StreamId::from_u32(id)));
        }
        if let Some(id) = server {
            live.set_server_id(ServerId(StreamId::from_u32(id)));
        }
        Tombstone::new(live, 77, None, Timestamp::from_nanos(until))
    }

    #[test]
    fn a_tombstone_takes_half_a_cache_line() {
        assert_eq!(size_of::<Tombstone>(), 32);
    }

    #[test]
    fn it_is_found_by_either_id_on_its_channel_until_its_time_is_over() {
        let mut stones = Tombstones::new(KeyHasher::default(), 1 << 20);
        stones.push(
            tombstone(1, Some(7), Some(8), 100),
            Timestamp::from_nanos(0),
        );
        stones.push(tombstone(2, None, Some(9), 200), Timestamp::from_nanos(0));
        let by = |stones: &mut Tombstones, now, channel, owner, space, id| {
            stones
                .find(key(channel, owner, space, id), Timestamp::from_nanos(now))
                .map(|found| found.id().0)
        };
        use Side::{Initiator, Responder};
        assert_eq!(by(&mut stones, 0, 77, Responder, Space::Client, 7), Some(1));
        assert_eq!(by(&mut stones, 0, 77, Initiator, Space::Server, 8), Some(1));
        assert_eq!(by(&mut stones, 0, 77, Initiator, Space::Server, 9), Some(2));
        assert_eq!(by(&mut stones, 0, 77, Responder, Space::Client, 0), None);
        assert_eq!(by(&mut stones, 0, 76, Responder, Space::Client, 7), None);
        assert_eq!(by(&mut stones, 0, 77, Initiator, Space::Client, 7), None);
        assert_eq!(
            by(&mut stones, 99, 77, Responder, Space::Client, 7),
            Some(1)
        );
        assert_eq!(by(&mut stones, 100, 77, Responder, Space::Client, 7), None);
        assert_eq!(
            by(&mut stones, 100, 77, Initiator, Space::Server, 9),
            Some(2)
        );
        assert_eq!(stones.evicted(), 0);
    }

    #[test]
    fn of_several_with_one_id_the_latest_is_found_while_any_is_left() {
        let mut stones = Tombstones::new(KeyHasher::default(), 1 << 20);
        for number in 1..=3 {
            stones.push(
                tombstone(number, Some(7), None, number as i64),
                Timestamp::from_nanos(0),
            );
        }
        for now in 0..3 {
            let key = key(77, Side::Responder, Space::Client, 7);
            let found = stones.find(key, Timestamp::from_nanos(now));
            assert_eq!(found.map(|found| found.id().0), Some(3));
        }
        stones.expire(Timestamp::from_nanos(3));
        assert_eq!((stones.len, stones.index.len()), (0, 0));
    }

    proptest! {
        #[test]
        fn when_one_is_looked_for_does_not_matter(
            steps in prop::collection::vec((any::<bool>(), 0..6_u32, 0..4_i64), 0..200),
        ) {
            let limit = 20;
            let mut stones = Tombstones::new(KeyHasher::default(), limit * TOMBSTONE_BYTES);
            // Id and until when, by number.
            let mut model = VecDeque::<(u64, u32, i64)>::new();
            let mut now = 0;
            for ((pushes, id, passes), number) in steps.into_iter().zip(1..) {
                now += passes;
                let time = Timestamp::from_nanos(now);
                model.retain(|(_, _, until)| *until > now);
                if pushes {
                    stones.push(tombstone(number, Some(id), None, now + 30), time);
                    model.push_back((number, id, now + 30));
                    if model.len() > limit {
                        model.pop_front();
                    }
                } else {
                    let found = stones.find(key(77, Side::Responder, Space::Client, id), time);
                    let latest = model.iter().rev().find(|(_, other, _)| *other == id);
                    prop_assert_eq!(
                        found.map(|found| found.id().0),
                        latest.map(|(number, _, _)| *number)
                    );
                }
            }
        }
    }

    #[test]
    fn beyond_the_limit_the_oldest_go_and_are_counted() {
        let limit = 10_000;
        let mut stones = Tombstones::new(KeyHasher::default(), limit * TOMBSTONE_BYTES);
        // Through the wrap of the serial numbers.
        stones.first = u32::MAX - 15_000;
        for number in 1..=30_000 {
            let id = number as u32;
            stones.push(
                tombstone(number, Some(id), Some(id + 1), 1_000),
                Timestamp::from_nanos(0),
            );
            let mut found = |id| {
                let key = key(77, Side::Responder, Space::Client, id);
                stones
                    .find(key, Timestamp::from_nanos(0))
                    .map(|found| found.id().0)
            };
            assert_eq!(found(id), Some(number));
            let oldest = number.saturating_sub(limit as u64 - 1).max(1);
            assert_eq!(found(oldest as u32), Some(oldest));
            assert_eq!(found(oldest as u32 - 1), None);
        }
        assert_eq!(stones.evicted(), 20_000);
        assert!(stones.pieces.len() <= limit / PIECE + 2);
        assert!(stones.bytes() <= limit * TOMBSTONE_BYTES);
    }

    #[test]
    fn only_another_destination_rules_a_conversation_out() {
        let [one, other] = [b"one", b"two"].map(|name| DestinationHash::of(name));
        for (far, addressee, may_be) in [
            (None, None, true),
            (None, Some(one), true),
            (Some(one), None, true),
            (Some(one), Some(one), true),
            (Some(one), Some(other), false),
        ] {
            let mut stone = tombstone(1, Some(1), Some(2), 5);
            stone.far = far.map(FarMark::of);
            assert_eq!(
                stone.may_be_with(addressee),
                may_be,
                "{far:?} {addressee:?}"
            );
        }
    }
}
