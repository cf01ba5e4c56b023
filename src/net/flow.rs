//! The flow table: bounded, the least recently used flow leaves first.

use std::net::{IpAddr, SocketAddr};

use hashbrown::HashMap;
use slab::Slab;

use super::connection::Connection;
use super::slice::Route;
use super::{Flow, FlowId, Side, Transport};

/// What a flow is found by: its transport, and both ends in a fixed order, so
/// that packets of either direction find the same flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct FlowKey {
    low: End,
    high: End,
    family: Family,
}

/// Address and port of an end. The address is a number, of 32 or 128 bits by
/// the key's [`Family`], because that compares and hashes faster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct End {
    address: u128,
    port: u16,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Family {
    #[default]
    Udp4,
    Udp6,
    Tcp4,
    Tcp6,
}

/// Which end of a [`FlowKey`] sent a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    Low,
    High,
}

impl Sender {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }
}

impl FlowKey {
    /// The key of a packet with these addresses, and ports of source and
    /// destination; and which end sent it.
    #[inline(always)]
    pub(super) fn new(
        transport: Transport,
        route: &Route<'_>,
        (source_port, destination_port): (u16, u16),
    ) -> (Self, Sender) {
        let (source, destination, family) = match *route {
            Route::V4 {
                source,
                destination,
            } => {
                let family = match transport {
                    Transport::Udp => Family::Udp4,
                    Transport::Tcp => Family::Tcp4,
                };
                let number = |address| u128::from(u32::from_be_bytes(address));
                (number(*source), number(*destination), family)
            }
            Route::V6 {
                source,
                destination,
            } => {
                let family = match transport {
                    Transport::Udp => Family::Udp6,
                    Transport::Tcp => Family::Tcp6,
                };
                let number = u128::from_be_bytes;
                (number(*source), number(*destination), family)
            }
        };
        let source = End {
            address: source,
            port: source_port,
        };
        let destination = End {
            address: destination,
            port: destination_port,
        };
        let (low, high, sender) = if source <= destination {
            (source, destination, Sender::Low)
        } else {
            (destination, source, Sender::High)
        };
        (Self { low, high, family }, sender)
    }

    /// The addresses and ports of initiator and responder.
    fn addresses(&self, initiator: Sender) -> [SocketAddr; 2] {
        let [low, high] = [self.low, self.high].map(|end| {
            let address = match self.family {
                // An IPv4 address was made a number of 32 bits.
                Family::Udp4 | Family::Tcp4 => IpAddr::from((end.address as u32).to_be_bytes()),
                Family::Udp6 | Family::Tcp6 => IpAddr::from(end.address.to_be_bytes()),
            };
            SocketAddr::new(address, end.port)
        });
        match initiator {
            Sender::Low => [low, high],
            Sender::High => [high, low],
        }
    }
}

/// A flow and what the network layer keeps for it.
#[derive(Debug)]
pub(super) struct Entry<S> {
    pub(super) flow: Flow<S>,
    pub(super) kind: Kind,
    key: FlowKey,
    initiator: Sender,
    /// The flow used next after this one.
    newer: Option<Slot>,
    /// The flow used last before this one.
    older: Option<Slot>,
}

/// What reassembly keeps, by transport.
#[derive(Debug)]
pub(super) enum Kind {
    Udp,
    Tcp(Box<Connection>),
}

impl<S> Entry<S> {
    /// Which side an end of the key is.
    pub(super) fn side(&self, sender: Sender) -> Side {
        if sender == self.initiator {
            Side::Initiator
        } else {
            Side::Responder
        }
    }
}

/// What a new flow begins with.
#[derive(Debug)]
pub(super) struct NewFlow {
    pub(super) key: FlowKey,
    /// Which end of the key is the initiator.
    pub(super) initiator: Sender,
    pub(super) kind: Kind,
}

/// Names an entry while it is in the table.
pub(super) type Slot = usize;

/// Flows by their keys, and in the order of their last use.
#[derive(Debug)]
pub(super) struct FlowTable<S> {
    entries: Slab<Entry<S>>,
    slots: HashMap<FlowKey, Slot>,
    newest: Option<Slot>,
    oldest: Option<Slot>,
    created: u64,
}

impl<S: Default> FlowTable<S> {
    pub(super) fn new() -> Self {
        Self {
            entries: Slab::new(),
            slots: HashMap::new(),
            newest: None,
            oldest: None,
            created: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many flows were ever in the table.
    pub(super) const fn created(&self) -> u64 {
        self.created
    }

    /// Finds a flow, which becomes the one used last.
    #[inline(always)]
    pub(super) fn find(&mut self, key: &FlowKey) -> Option<Slot> {
        // Packets come in runs of one flow.
        if let Some(newest) = self.newest
            && self.entries[newest].key == *key
        {
            return Some(newest);
        }
        self.find_older(key)
    }

    fn find_older(&mut self, key: &FlowKey) -> Option<Slot> {
        let slot = *self.slots.get(key)?;
        self.unlink(slot);
        self.link_as_newest(slot);
        Some(slot)
    }

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
        let slot = self.entries.insert(Entry {
            flow: Flow {
                id,
                transport,
                addresses: new.key.addresses(new.initiator),
                state: S::default(),
            },
            kind: new.kind,
            key: new.key,
            initiator: new.initiator,
            newer: None,
            older: None,
        });
        self.slots.insert(new.key, slot);
        self.link_as_newest(slot);
        slot
    }

    /// Takes a flow out of the table.
    pub(super) fn remove(&mut self, slot: Slot) -> Entry<S> {
        self.unlink(slot);
        let entry = self.entries.remove(slot);
        self.slots.remove(&entry.key);
        entry
    }

    /// The flow that was not used for longest.
    pub(super) fn oldest(&self) -> Option<Slot> {
        self.oldest
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry<S>> {
        self.entries.iter_mut().map(|(_, entry)| entry)
    }

    /// Takes all flows out of the table, in the order of their ids.
    pub(super) fn take_all(&mut self) -> Vec<Entry<S>> {
        let mut entries: Vec<_> = self.entries.drain().collect();
        self.slots.clear();
        self.newest = None;
        self.oldest = None;
        entries.sort_unstable_by_key(|entry| entry.flow.id);
        entries
    }

    fn unlink(&mut self, slot: Slot) {
        let Entry { newer, older, .. } = self.entries[slot];
        match newer {
            Some(newer) => self.entries[newer].older = older,
            None => self.newest = older,
        }
        match older {
            Some(older) => self.entries[older].newer = newer,
            None => self.oldest = newer,
        }
    }

    fn link_as_newest(&mut self, slot: Slot) {
        let older = self.newest.replace(slot);
        match older {
            Some(older) => self.entries[older].newer = Some(slot),
            None => self.oldest = Some(slot),
        }
        let entry = &mut self.entries[slot];
        entry.newer = None;
        entry.older = older;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTE: Route<'static> = Route::V4 {
        source: &[10, 0, 0, 1],
        destination: &[10, 0, 0, 2],
    };

    #[test]
    fn both_directions_have_one_key_and_other_flows_another() {
        let four = |source, destination| Route::V4 {
            source,
            destination,
        };
        let (key, sender) = FlowKey::new(Transport::Udp, &ROUTE, (1, 2));
        let back = four(&[10, 0, 0, 2], &[10, 0, 0, 1]);
        assert_eq!(
            FlowKey::new(Transport::Udp, &back, (2, 1)),
            (key, sender.other())
        );
        for (transport, route, ports) in [
            (Transport::Tcp, ROUTE, (1, 2)),
            (Transport::Udp, back, (1, 2)),
            (Transport::Udp, four(&[10, 0, 0, 1], &[10, 0, 0, 1]), (1, 2)),
            (Transport::Udp, ROUTE, (2, 1)),
            (Transport::Udp, ROUTE, (3, 2)),
        ] {
            assert_ne!(FlowKey::new(transport, &route, ports).0, key);
        }
    }

    #[test]
    fn addresses_of_both_versions_with_the_same_bits_are_different() {
        let mut source = [0; 16];
        source[12..].copy_from_slice(&[10, 0, 0, 1]);
        let mut destination = [0; 16];
        destination[12..].copy_from_slice(&[10, 0, 0, 2]);
        let six = Route::V6 {
            source: &source,
            destination: &destination,
        };
        for transport in [Transport::Udp, Transport::Tcp] {
            let key = |route| FlowKey::new(transport, route, (1, 2)).0;
            assert_ne!(key(&ROUTE), key(&six));
        }
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
                assert!(table.find(&key(port).0).is_some());
                order.retain(|&other| other != port);
                order.push(port);
            }
            for port in order {
                let oldest = table.oldest().unwrap();
                assert_eq!(table.remove(oldest).flow.addresses[0].port(), port);
            }
            assert_eq!((table.len(), table.oldest()), (0, None));
        }
    }
}
