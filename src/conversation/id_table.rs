//! Which conversations an id stands for.

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::channel::ChannelId;
use crate::net::Side;
use crate::wire::StreamId;

/// The two spaces of ids that each side of a channel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// Ids of conversations that the side opened.
    Client,
    /// Ids of conversations that it accepted.
    Server,
}

/// An id with everything that makes it mean one conversation: the channel, the
/// side that it belongs to, and the space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct IdKey(u64);

impl IdKey {
    pub(super) fn new(channel: ChannelId, owner: Side, space: Space, id: StreamId) -> Self {
        let owner = match owner {
            Side::Initiator => 0,
            Side::Responder => 1 << 25,
        };
        let space = match space {
            Space::Client => 0,
            Space::Server => 1 << 24,
        };
        Self(u64::from(channel.0) << 32 | owner | space | u64::from(id.to_u32()))
    }
}

/// From ids to the slots of tracked conversations.
///
/// An id may stand for several at once: a client that uses one twice (the
/// reference implementation's acceptor then makes two streams), or on I2CP two
/// peers of one session that happen to choose the same.
#[derive(Debug, Default)]
pub(super) struct IdTable {
    slots: HashMap<IdKey, Slots>,
}

/// Nearly always one.
#[derive(Debug)]
enum Slots {
    One(u32),
    /// Two or more, oldest first.
    Several(Vec<u32>),
}

impl IdTable {
    pub(super) fn insert(&mut self, key: IdKey, slot: u32) {
        match self.slots.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(Slots::One(slot));
            }
            Entry::Occupied(entry) => match entry.into_mut() {
                Slots::Several(slots) => slots.push(slot),
                one @ Slots::One(_) => {
                    let older = one.as_slice()[0];
                    *one = Slots::Several(vec![older, slot]);
                }
            },
        }
    }

    pub(super) fn remove(&mut self, key: IdKey, slot: u32) {
        let Entry::Occupied(mut entry) = self.slots.entry(key) else {
            return;
        };
        match entry.get_mut() {
            Slots::One(one) if *one == slot => {
                entry.remove();
            }
            Slots::One(_) => {}
            Slots::Several(slots) => {
                slots.retain(|other| *other != slot);
                if let [one] = slots[..] {
                    entry.insert(Slots::One(one));
                }
            }
        }
    }

    /// The conversations that the id stands for, oldest first.
    pub(super) fn get(&self, key: IdKey) -> &[u32] {
        self.slots.get(&key).map_or(&[], Slots::as_slice)
    }
}

impl Slots {
    const fn as_slice(&self) -> &[u32] {
        match self {
            Self::One(slot) => std::slice::from_ref(slot),
            Self::Several(slots) => slots.as_slice(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: StreamId = StreamId([1, 2, 3]);

    #[test]
    fn channel_owner_space_and_id_all_tell_keys_apart() {
        let mut table = IdTable::default();
        let mut keys = Vec::new();
        for channel in [0, 1, u32::MAX] {
            for owner in [Side::Initiator, Side::Responder] {
                for space in [Space::Client, Space::Server] {
                    for id in [0, 1, 0xff_ffff] {
                        keys.push(IdKey::new(
                            ChannelId(channel),
                            owner,
                            space,
                            StreamId::from_u32(id),
                        ));
                    }
                }
            }
        }
        for (slot, key) in (0..).zip(&keys) {
            table.insert(*key, slot);
        }
        for (slot, key) in (0..).zip(&keys) {
            assert_eq!(table.get(*key), [slot]);
        }
    }

    #[test]
    fn slots_of_one_id_come_oldest_first_and_go_one_by_one() {
        let key = IdKey::new(ChannelId(0), Side::Initiator, Space::Client, ID);
        for gone in 0..3 {
            let mut table = IdTable::default();
            for slot in 0..3 {
                table.insert(key, slot);
            }
            table.remove(key, gone);
            table.remove(key, 9);
            let left: Vec<_> = (0..3).filter(|slot| *slot != gone).collect();
            assert_eq!(table.get(key), left);
            for slot in left {
                table.remove(key, slot);
            }
            assert_eq!(table.get(key), [0; 0]);
            assert!(table.slots.is_empty(), "nothing is left behind");
        }
    }
}
