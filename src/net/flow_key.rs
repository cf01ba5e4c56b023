//! The key by which the flow of a packet is found.

use std::hash::{BuildHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;

use hashbrown::DefaultHashBuilder;

use super::Transport;
use super::slice::Route;
use crate::index::Index;

/// The key by which a flow is found: its transport, and both ends in a fixed order, so that packets
/// of either direction find the same flow.
///
/// Addresses are numbers, of 32 or 128 bits by the key's [`Family`], because that
/// compares and hashes faster; in halves, because that takes 40 bytes and not 80.
#[derive(Clone, Copy, Debug, Default, Eq)]
pub(crate) struct FlowKey {
    low: [u64; 2],
    high: [u64; 2],
    ports: [u16; 2],
    family: Family,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Family {
    #[default]
    Udp4,
    Udp6,
    Tcp4,
    Tcp6,
}

/// Word by word: a key that was just written is not yet there in larger pieces.
impl PartialEq for FlowKey {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        let words = |key: &Self| {
            let ([low, high], ends) = ([key.low, key.high], key.ends());
            [low[0], low[1], high[0], high[1], ends]
        };
        let [mine, others] = [words(self), words(other)];
        (0..mine.len()).all(|word| mine[word] == others[word])
    }
}

/// In as few words as hold the key.
impl Hash for FlowKey {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.family {
            Family::Udp4 | Family::Tcp4 => state.write_u64(self.low[1] << 32 | self.high[1]),
            Family::Udp6 | Family::Tcp6 => {
                for half in self.low.into_iter().chain(self.high) {
                    state.write_u64(half);
                }
            }
        }
        state.write_u64(self.ends());
    }
}

/// The end of a [`FlowKey`] that sent a packet.
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
    /// Reads it, so that it is at hand when it is compared.
    #[inline]
    pub(super) const fn touch(&self) -> u64 {
        self.low[0]
    }

    /// Its family and ports as one word.
    #[inline(always)]
    const fn ends(&self) -> u64 {
        let [low, high] = self.ports;
        (self.family as u64) << 32 | (low as u64) << 16 | high as u64
    }

    /// The key of a packet with these addresses, and ports of source and
    /// destination; and which end sent it.
    #[inline(always)]
    pub(super) fn new(
        transport: Transport,
        route: &Route<'_>,
        (source_port, destination_port): (u16, u16),
    ) -> (Self, Sender) {
        match *route {
            Route::V4 {
                source,
                destination,
            } => {
                let family = match transport {
                    Transport::Udp => Family::Udp4,
                    Transport::Tcp => Family::Tcp4,
                };
                let number = |address| u64::from(u32::from_be_bytes(address));
                let source = (number(*source), source_port);
                let destination = (number(*destination), destination_port);
                let halves = |number| [0, number];
                Self::ordered(family, source, destination, halves)
            }
            Route::V6 {
                source,
                destination,
            } => {
                let family = match transport {
                    Transport::Udp => Family::Udp6,
                    Transport::Tcp => Family::Tcp6,
                };
                let source = (u128::from_be_bytes(*source), source_port);
                let destination = (u128::from_be_bytes(*destination), destination_port);
                Self::ordered(family, source, destination, halves)
            }
        }
    }

    #[inline(always)]
    fn ordered<A: PartialOrd>(
        family: Family,
        source: (A, u16),
        destination: (A, u16),
        halves: impl Fn(A) -> [u64; 2],
    ) -> (Self, Sender) {
        let (low, high, sender) = if source <= destination {
            (source, destination, Sender::Low)
        } else {
            (destination, source, Sender::High)
        };
        let key = Self {
            low: halves(low.0),
            high: halves(high.0),
            ports: [low.1, high.1],
            family,
        };
        (key, sender)
    }

    /// The hash for looking up its flow: the same for every table of this process, so that any
    /// thread can compute it, and another for every process, so that no capture can aim at it.
    #[inline]
    pub(crate) fn look_up_hash(&self) -> u32 {
        static HASHER: LazyLock<DefaultHashBuilder> = LazyLock::new(DefaultHashBuilder::default);
        Index::fold(HASHER.hash_one(self))
    }

    /// The addresses and ports of initiator and responder.
    pub(super) fn addresses(&self, initiator: Sender) -> [SocketAddr; 2] {
        let [low_port, high_port] = self.ports;
        let [low, high] = [(self.low, low_port), (self.high, high_port)].map(|(halves, port)| {
            let number = u128::from(halves[0]) << 64 | u128::from(halves[1]);
            let address = match self.family {
                // An IPv4 address was made a number of 32 bits.
                Family::Udp4 | Family::Tcp4 => IpAddr::from((number as u32).to_be_bytes()),
                Family::Udp6 | Family::Tcp6 => IpAddr::from(number.to_be_bytes()),
            };
            SocketAddr::new(address, port)
        });
        match initiator {
            Sender::Low => [low, high],
            Sender::High => [high, low],
        }
    }
}

/// The upper and the lower half of a number.
const fn halves(number: u128) -> [u64; 2] {
    // Each cast keeps its half whole: the other was shifted out, or masked.
    [(number >> 64) as u64, (number & u64::MAX as u128) as u64]
}

#[cfg(test)]
mod tests {
    use super::super::testing::ROUTE;
    use super::*;

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
    fn addresses_and_ports_come_back_in_both_versions() {
        let one: [u8; 16] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
        let other: [u8; 16] = [9, 2, 3, 4, 5, 6, 7, 8, 1, 10, 11, 12, 13, 14, 15, 16];
        let six = |source, destination| Route::V6 {
            source,
            destination,
        };
        let back = Route::V4 {
            source: &[10, 0, 0, 2],
            destination: &[10, 0, 0, 1],
        };
        let routes: [(Route<'_>, [IpAddr; 2]); 4] = [
            (ROUTE, [[10, 0, 0, 1].into(), [10, 0, 0, 2].into()]),
            (back, [[10, 0, 0, 2].into(), [10, 0, 0, 1].into()]),
            (six(&one, &other), [one.into(), other.into()]),
            (six(&other, &one), [other.into(), one.into()]),
        ];
        for transport in [Transport::Udp, Transport::Tcp] {
            for (route, [source, destination]) in &routes {
                let (key, sender) = FlowKey::new(transport, route, (1, 2));
                let ends = [
                    SocketAddr::new(*source, 1),
                    SocketAddr::new(*destination, 2),
                ];
                assert_eq!(key.addresses(sender), ends);
                let [source, destination] = ends;
                assert_eq!(key.addresses(sender.other()), [destination, source]);
            }
        }
    }
}
