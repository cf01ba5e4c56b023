//! The flow table: flows by their keys, and which of them was idle for longest.

use slab::Slab;

use super::connection::Connection;
use super::flow_key::{FlowKey, Sender};
use super::{Flow, FlowId, Side, Transport};
use crate::index::Index;

/// A flow and the network layer's state of it: 96 bytes, which lie in two cache lines wherever they
/// begin.
#[derive(Debug)]
#[repr(C, align(32))]
pub(super) struct Entry<S> {
    pub(super) flow: Flow<S>,
    /// When it was used last, in uses of the table.
    last_use: u64,
    pub(super) kind: Kind,
}

/// State of reassembly, by transport.
#[derive(Debug)]
pub(super) enum Kind {
    Udp,
    Tcp(Box<Connection>),
}

impl<S> Entry<S> {
    /// The side of an end of the key.
    pub(super) fn side(&self, sender: Sender) -> Side {
        if sender == self.flow.initiator {
            Side::Initiator
        } else {
            Side::Responder
        }
    }
}

/// The parameters of a new flow.
#[derive(Debug)]
pub(super) struct NewFlow {
    pub(super) key: FlowKey,
    /// The end of the key that is the initiator.
    pub(super) initiator: Sender,
    pub(super) kind: Kind,
}

/// Names an entry while it is in the table.
pub(super) type Slot = usize;

/// Flows by their keys.
///
/// When a flow was used last is a number in its entry, which a packet reads
/// anyway; a list in that order would have every packet touch its neighbours, too.
/// Which flows were idle for longest is found out only when some have to go.
#[derive(Debug)]
pub(super) struct FlowTable<S> {
    entries: Slab<Entry<S>>,
    slots: Index,
    /// The flow that was used last: packets come in runs of one flow.
    latest: Option<Slot>,
    uses: u64,
    created: u64,
}

const SLOTS_ARE_FEW: &str = "memory for flows ends long before 2^32 of them";

impl<S: Default> FlowTable<S> {
    pub(super) fn new() -> Self {
        Self {
            entries: Slab::new(),
            slots: Index::new(),
            latest: None,
            uses: 0,
            created: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Number of flows ever in the table.
    pub(super) const fn created(&self) -> u64 {
        self.created
    }

    /// Finds a flow, which becomes the one used last; perhaps it is in the expected slot.
    #[inline(always)]
    pub(super) fn find(&mut self, key: &FlowKey, expected: Option<Slot>) -> Option<Slot> {
        let likely = expected.or(self.latest);
        if let Some(slot) = likely
            && let Some(entry) = self.entries.get_mut(slot)
            && entry.flow.key == *key
        {
            if self.latest != Some(slot) {
                self.uses += 1;
                entry.last_use = self.uses;
                self.latest = Some(slot);
            }
            return Some(slot);
        }
        self.find_another(key)
    }

    fn find_another(&mut self, key: &FlowKey) -> Option<Slot> {
        let slot = self.slots.find(key.look_up_hash(), |slot| {
            self.entries[slot as usize].flow.key == *key
        })?;
        let slot = slot as usize;
        if self.latest != Some(slot) {
            self.uses += 1;
            self.entries[slot].last_use = self.uses;
            self.latest = Some(slot);
        }
        Some(slot)
    }

    /// Reads a flow that will be needed soon.
    #[inline]
    pub(super) fn touch(&self, slot: Slot) -> u64 {
        // Both its cache lines, wherever they meet.
        self.entries
            .get(slot)
            .map_or(0, |entry| entry.flow.key.touch() ^ entry.last_use)
    }

    /// A slot whose key has this hash, without a look at the key.
    #[inline]
    pub(super) fn peek(&self, hash: u32) -> Option<Slot> {
        self.slots.peek(hash).map(|slot| slot as usize)
    }

    #[inline]
    pub(super) fn get(&self, slot: Slot) -> &Entry<S> {
        &self.entries[slot]
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: Slot) -> &mut Entry<S> {
        &mut self.entries[slot]
    }

    /// The flow in `slot` if it is still the one with that id.
    pub(super) fn holds(&self, slot: Slot, id: FlowId) -> bool {
        self.entries
            .get(slot)
            .is_some_and(|entry| entry.flow.id == id)
    }

    /// Adds a flow whose key is not in the table.
    pub(super) fn insert(&mut self, new: NewFlow) -> Slot {
        // Ids begin anew after 2^32 flows, long after the first ones are gone.
        let id = FlowId(self.created as u32);
        self.created += 1;
        let transport = match new.kind {
            Kind::Udp => Transport::Udp,
            Kind::Tcp(_) => Transport::Tcp,
        };
        self.uses += 1;
        let slot = self.entries.insert(Entry {
            flow: Flow {
                key: new.key,
                state: S::default(),
                id,
                transport,
                initiator: new.initiator,
                held_bytes: 0,
            },
            last_use: self.uses,
            kind: new.kind,
        });
        let number = u32::try_from(slot).expect(SLOTS_ARE_FEW);
        self.slots.insert(new.key.look_up_hash(), number);
        self.latest = Some(slot);
        slot
    }

    /// Takes a flow out of the table.
    pub(super) fn remove(&mut self, slot: Slot) -> Entry<S> {
        if self.latest == Some(slot) {
            self.latest = None;
        }
        let entry = self.entries.remove(slot);
        let number = u32::try_from(slot).expect(SLOTS_ARE_FEW);
        self.slots.remove(entry.flow.key.look_up_hash(), number);
        entry
    }

    /// The `count` flows that were not used for longest, the idlest first. Looks
    /// at every flow: to be asked for many at a time.
    pub(super) fn idlest(&self, count: usize) -> Vec<Slot> {
        let mut idle: Vec<(u64, Slot)> = self
            .entries
            .iter()
            .map(|(slot, entry)| (entry.last_use, slot))
            .collect();
        if count < idle.len() {
            idle.select_nth_unstable(count);
            idle.truncate(count);
        }
        idle.sort_unstable();
        idle.into_iter().map(|(_, slot)| slot).collect()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry<S>> {
        self.entries.iter_mut().map(|(_, entry)| entry)
    }

    /// Takes all flows out of the table, in the order of their ids.
    pub(super) fn take_all(&mut self) -> Vec<Entry<S>> {
        let mut entries: Vec<_> = self.entries.drain().collect();
        self.slots = Index::new();
        self.latest = None;
        entries.sort_unstable_by_key(|entry| entry.flow.id);
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::ROUTE;
    use super::*;

    #[test]
    fn a_flow_takes_96_bytes() {
        assert_eq!(size_of::<Entry<[u64; 2]>>(), 96);
    }

    #[test]
    fn flows_leave_in_the_order_of_their_last_use_whatever_the_order_of_uses() {
        // Every order of five uses of three flows.
        for uses in 0..243_u32 {
            let mut table = FlowTable::<()>::new();
            let key = |port| FlowKey::new(Transport::Udp, &ROUTE, (port, 0));
            let mut order = vec![0, 1, 2];
            for &port in &order {
                let (key, initiator) = key(port);
                table.insert(NewFlow {
                    key,
                    initiator,
                    kind: Kind::Udp,
                });
            }
            for step in 0..5 {
                let port = u16::try_from(uses / 3_u32.pow(step) % 3).unwrap();
                assert!(table.find(&key(port).0, None).is_some());
                order.retain(|&other| other != port);
                order.push(port);
            }
            let idlest = table.idlest(2);
            let ports: Vec<u16> = idlest
                .iter()
                .map(|&slot| table.remove(slot).flow.addresses()[0].port())
                .collect();
            assert_eq!(ports, order[..2]);
            assert_eq!(table.idlest(9).len(), 1);
            assert!(table.find(&key(order[2]).0, None).is_some());
            assert!(table.find(&key(order[0]).0, None).is_none());
        }
    }
}
