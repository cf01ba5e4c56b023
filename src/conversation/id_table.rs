//! The tracked conversations of each id.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashMap};

use super::channel::ChannelId;
use super::records::{Live, Records, Slot};
use crate::index::Index;
use crate::net::Side;
use crate::wire::{Direction, StreamId};

/// The two spaces of ids that each side of a channel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// Ids of conversations that the side opened.
    Client,
    /// Ids of conversations that it accepted.
    Server,
}

impl Space {
    /// Whose ids messages in this direction name.
    pub(super) const fn of_receiver(direction: Direction) -> Self {
        match direction {
            Direction::ClientToServer => Self::Server,
            Direction::ServerToClient => Self::Client,
        }
    }

    pub(super) const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// The client of a conversation in which an id of this space belongs to `owner`.
    pub(super) const fn client_side(self, owner: Side) -> Side {
        match self {
            Self::Client => owner,
            Self::Server => owner.opposite(),
        }
    }
}

/// An id with everything that makes it mean one conversation: the channel, the
/// side that it belongs to, and the space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IdKey {
    pub(super) channel: ChannelId,
    pub(super) owner: Side,
    pub(super) space: Space,
    pub(super) id: StreamId,
}

impl IdKey {
    /// As a number, different for every key of channels that can be remembered at once.
    const fn number(self) -> u64 {
        let owner = match self.owner {
            Side::Initiator => 0,
            Side::Responder => 1 << 25,
        };
        let space = match self.space {
            Space::Client => 0,
            Space::Server => 1 << 24,
        };
        (self.channel.serial as u64) << 32 | owner | space | self.id.to_u32() as u64
    }

    #[inline]
    fn names(self, live: &Live) -> bool {
        live.channel == self.channel.slot
            && live.client_side == self.space.client_side(self.owner)
            && match self.space {
                Space::Client => live.has_client_id(self.id),
                Space::Server => live.has_server_id(self.id),
            }
    }
}

/// Hashes keys in a way that a capture cannot aim at.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyHasher(DefaultHashBuilder);

impl KeyHasher {
    #[inline]
    pub(super) fn hash(&self, key: IdKey) -> u32 {
        Index::fold(self.0.hash_one(key.number()))
    }
}

/// Tracked conversations that one id may stand for at a time. The reference never gives out an id
/// that is in use; a sender that does so on purpose would otherwise make every look-up walk through
/// all of them.
pub(super) const MAX_NAMESAKES: usize = 64;

/// From ids to the slots of tracked conversations.
///
/// An id may stand for several at once: a client that uses one twice (the
/// reference implementation's acceptor then makes two streams), or on I2CP two
/// peers of one session that happen to choose the same.
#[derive(Debug)]
pub(super) struct IdTable {
    hasher: KeyHasher,
    /// Slots, doubled, and one more for ids of servers. Of conversations that share an id, one.
    slots: Index,
    /// The others, by the number of their key. In the index they would fill lines side by side,
    /// and a look-up of any key whose line is there would walk past all of them.
    namesakes: HashMap<u64, Vec<Slot>>,
}

/// Bytes of memory that the first namesake of an id is reckoned to take: a bucket of a table that is
/// half empty, and the smallest list.
const NAMESAKE_BYTES: usize = 2 * (size_of::<(u64, Vec<Slot>)>() + 1) + 32;

impl IdTable {
    pub(super) fn new(hasher: KeyHasher) -> Self {
        Self {
            hasher,
            slots: Index::new(),
            namesakes: HashMap::new(),
        }
    }

    /// Bytes of memory that conversations take which share ids, beside their place among others.
    /// Lists of several take less for each than a list of one.
    pub(super) fn namesake_bytes(&self) -> usize {
        self.namesakes.len() * NAMESAKE_BYTES
    }

    /// Buckets that look-ups have read so far.
    #[cfg(test)]
    pub(super) fn reads(&self) -> u64 {
        self.slots.reads()
    }

    /// Lets an id stand for a conversation, whose record has it already. Returns
    /// the oldest of its namesakes when there are too many: it has to go.
    pub(super) fn insert(&mut self, key: IdKey, slot: Slot, records: &mut Records) -> Option<Slot> {
        let hash = self.hasher.hash(key);
        let value = value_of(slot, key.space);
        let found = self.slots.find_and_insert(hash, value, |value| {
            slot_of(value) != slot
                && space_of(value) == key.space
                && key.names(records.live(slot_of(value)))
        });
        let mut too_many = None;
        if let Some(namesake) = found.map(slot_of) {
            self.slots.remove(hash, value);
            self.namesakes.entry(key.number()).or_default().push(slot);
            records.live_mut(namesake).note_namesake();
            records.live_mut(slot).note_namesake();
            let mut others = self.all(key, records);
            others.retain(|other| *other != slot);
            if others.len() > MAX_NAMESAKES {
                too_many = others.first().copied();
            }
        }
        too_many
    }

    pub(super) fn remove(&mut self, key: IdKey, slot: Slot) {
        let (hash, value) = (self.hasher.hash(key), value_of(slot, key.space));
        let Some(others) = self.namesakes.get_mut(&key.number()) else {
            return self.slots.remove(hash, value);
        };
        if let Some(place) = others.iter().position(|other| *other == slot) {
            others.swap_remove(place);
        } else if self.slots.find(hash, |other| other == value).is_some()
            && let Some(next) = others.pop()
        {
            self.slots.replace(hash, value, value_of(next, key.space));
        }
        // A list that was long once is not so for ever.
        others.shrink_to(2 * others.len());
        if others.is_empty() {
            self.namesakes.remove(&key.number());
        }
    }

    /// A conversation that the id stands for; the only one unless it shares ids.
    #[inline]
    pub(super) fn find(&self, key: IdKey, records: &Records) -> Option<Slot> {
        self.slots
            .find(self.hasher.hash(key), |value| {
                space_of(value) == key.space && key.names(records.live(slot_of(value)))
            })
            .map(slot_of)
    }

    /// Those that share the id with the one that is found.
    fn namesakes(&self, key: IdKey) -> &[Slot] {
        self.namesakes.get(&key.number()).map_or(&[], Vec::as_slice)
    }

    /// The hash by which a key is looked up.
    #[inline]
    pub(super) fn hash(&self, key: IdKey) -> u32 {
        self.hasher.hash(key)
    }

    /// Prefetches the memory of a look-up by `hash`; see [`Index::peek`].
    #[inline]
    pub(super) fn peek(&self, hash: u32) -> Option<Slot> {
        self.slots.peek(hash).map(slot_of)
    }

    /// Whether [`find`](Self::find) finds `slot`: it is tracked, has the id, and shares it with no
    /// other.
    #[inline]
    pub(super) fn is_only(&self, slot: Slot, key: IdKey, records: &Records) -> bool {
        records
            .tracked(slot)
            .is_some_and(|live| !live.shares_ids() && key.names(live))
    }

    /// The conversations that the id stands for, in the order in which they opened.
    pub(super) fn all(&self, key: IdKey, records: &Records) -> Vec<Slot> {
        let Some(one) = self.find(key, records) else {
            return Vec::new();
        };
        let mut all = vec![one];
        if records.live(one).shares_ids() {
            all.extend_from_slice(self.namesakes(key));
            all.sort_unstable_by_key(|slot| records.live(*slot).id());
        }
        all
    }

    /// The conversation that the id has stood for since last.
    pub(super) fn latest(&self, key: IdKey, records: &Records) -> Option<Slot> {
        self.all(key, records).pop()
    }
}

const fn value_of(slot: Slot, space: Space) -> u32 {
    slot << 1
        | match space {
            Space::Client => 0,
            Space::Server => 1,
        }
}

const fn slot_of(value: u32) -> Slot {
    value >> 1
}

const fn space_of(value: u32) -> Space {
    match value & 1 {
        0 => Space::Client,
        _ => Space::Server,
    }
}

#[cfg(test)]
mod tests {
    use super::super::records::NewRecord;
    use super::super::state::Phase;
    use super::*;
    use crate::time::Timestamp;
    use crate::wire::{ClientId, ServerId};

    fn record(records: &mut Records, number: u64, channel: u32, client_side: Side) -> Slot {
        records.insert(&NewRecord {
            number,
            channel,
            channel_position: 0,
            client_side,
            phase: Phase::Open,
            time: Timestamp::from_nanos(0),
            elapsed_us: 0,
            message: 1,
        })
    }

    fn key(channel: u32, owner: Side, space: Space, id: u32) -> IdKey {
        IdKey {
            channel: ChannelId {
                slot: channel,
                serial: channel,
            },
            owner,
            space,
            id: StreamId::from_u32(id),
        }
    }

    #[test]
    fn channel_owner_space_and_id_all_tell_keys_apart() {
        let mut records = Records::new();
        let mut table = IdTable::new(KeyHasher::default());
        let mut keys = Vec::new();
        for channel in [0, 1, 1 << 30] {
            for owner in [Side::Initiator, Side::Responder] {
                for space in [Space::Client, Space::Server] {
                    for id in [0, 1, 0xff_ffff] {
                        keys.push(key(channel, owner, space, id));
                    }
                }
            }
        }
        let numbers =
            std::collections::HashSet::<u64>::from_iter(keys.iter().map(|key| key.number()));
        assert_eq!(numbers.len(), keys.len());
        let mut slots = Vec::new();
        for (number, key) in (1..).zip(&keys) {
            let side = key.space.client_side(key.owner);
            let slot = record(&mut records, number, key.channel.slot, side);
            match key.space {
                Space::Client => records.live_mut(slot).set_client_id(ClientId(key.id)),
                Space::Server => records.live_mut(slot).set_server_id(ServerId(key.id)),
            }
            assert_eq!(table.insert(*key, slot, &mut records), None);
            slots.push(slot);
        }
        for (slot, key) in slots.iter().zip(&keys) {
            assert_eq!(table.all(*key, &records), [*slot]);
        }
    }

    #[test]
    fn namesakes_come_oldest_first_and_go_one_by_one() {
        let key = key(0, Side::Initiator, Space::Client, 7);
        for gone in 0..3 {
            let mut records = Records::new();
            let mut table = IdTable::new(KeyHasher::default());
            for number in 1..=3 {
                let slot = record(&mut records, number, 0, Side::Initiator);
                records.live_mut(slot).set_client_id(ClientId(key.id));
                table.insert(key, slot, &mut records);
            }
            table.remove(key, gone);
            table.remove(key, 9);
            let left: Vec<_> = (0..3).filter(|slot| *slot != gone).collect();
            assert_eq!(table.all(key, &records), left);
            for slot in left {
                table.remove(key, slot);
            }
            assert_eq!(table.all(key, &records), [0; 0]);
            assert_eq!(table.slots.len(), 0, "nothing is left behind");
        }
    }

    /// Full lines side by side would be walked along by each look-up of a key near them.
    #[test]
    fn namesakes_are_not_in_the_way_of_others() {
        let mut records = Records::new();
        let mut table = IdTable::new(KeyHasher::default());
        let keys: Vec<IdKey> = (0..400)
            .map(|channel| key(channel, Side::Initiator, Space::Client, 7))
            .collect();
        let mut slots = Vec::new();
        for (number, key) in (1..).zip(keys.iter().cycle().take(40 * keys.len())) {
            let slot = record(&mut records, number, key.channel.slot, Side::Initiator);
            records.live_mut(slot).set_client_id(ClientId(key.id));
            assert_eq!(table.insert(*key, slot, &mut records), None);
            slots.push(slot);
        }
        assert_eq!(table.slots.len(), keys.len());
        assert!(table.namesake_bytes() > 40 * keys.len());
        let reads = table.reads();
        for key in &keys {
            assert!(table.find(*key, &records).is_some());
        }
        let reads = table.reads() - reads;
        assert!(
            reads < 2 * keys.len() as u64,
            "{reads} lines for {} keys",
            keys.len()
        );
        for (key, slot) in keys.iter().cycle().zip(slots) {
            assert!(table.all(*key, &records).contains(&slot));
            table.remove(*key, slot);
        }
        assert_eq!((table.slots.len(), table.namesake_bytes()), (0, 0));
    }

    #[test]
    fn the_oldest_of_too_many_namesakes_has_to_go() {
        let key = key(0, Side::Initiator, Space::Client, 7);
        let mut records = Records::new();
        let mut table = IdTable::new(KeyHasher::default());
        for number in 1..200 {
            let slot = record(&mut records, number, 0, Side::Initiator);
            records.live_mut(slot).set_client_id(ClientId(key.id));
            if let Some(oldest) = table.insert(key, slot, &mut records) {
                table.remove(key, oldest);
                records.remove(oldest);
            }
            assert!(table.all(key, &records).len() <= MAX_NAMESAKES + 1);
        }
    }
}
