//! The peers at the ends of links.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::endpoint;
use crate::wire::{DestinationHash, Direction};

/// The scope of a statement about a link: one peer, or all.
pub type Scope = endpoint::Scope<Peer>;

/// The peer at the other end of a link, as the carrier knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// Whoever sends datagrams from this address.
    Address(SocketAddr),
    /// The other end of a TCP connection. Connections are numbered because an
    /// address may come again.
    Connection {
        /// Counts the link's connections.
        number: u64,
        /// Its address.
        address: SocketAddr,
    },
    /// The owner of an I2P destination.
    Destination(DestinationHash),
}

impl Peer {
    /// The unit that limits for one peer count together: an IPv4 address or an IPv6 /64, whatever
    /// the port, since one host has as many ports, and one line as many addresses, as it likes.
    pub fn origin(self) -> Option<u128> {
        match self {
            Self::Address(address) | Self::Connection { address, .. } => {
                Some(origin_of(address.ip()))
            }
            Self::Destination(_) => None,
        }
    }
}

/// `127.0.0.1:40112`, or `….b32.i2p`.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) | Self::Connection { address, .. } => address.fmt(f),
            Self::Destination(hash) => f.pad(&hash.to_b32_name()),
        }
    }
}

/// See [`Peer::origin`].
pub(in crate::runtime) fn origin_of(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits() >> 64 << 64,
    }
}

/// The role of an end: whether it opens conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Connects to the carrier's address and opens conversations.
    Client,
    /// Binds the carrier's address and accepts conversations.
    Server,
}

impl Role {
    /// The direction of the messages that it sends.
    pub const fn sends(self) -> Direction {
        match self {
            Self::Client => Direction::ClientToServer,
            Self::Server => Direction::ServerToClient,
        }
    }

    /// The direction of the messages that it receives.
    pub const fn receives(self) -> Direction {
        match self {
            Self::Client => Direction::ServerToClient,
            Self::Server => Direction::ClientToServer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_networks_that_one_owner_has_are_one_origin() {
        let origin = |address: &str| origin_of(address.parse().unwrap());
        for (one, other, is_same) in [
            ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            (
                "2001:db8::",
                "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
                false,
            ),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            // As addresses of IPv6 all of IPv4 would be one /64.
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::192.0.2.1", false),
        ] {
            assert_eq!(origin(one) == origin(other), is_same, "{one} {other}");
        }
    }

    #[test]
    fn ports_of_a_host_are_one_origin_and_destinations_have_none() {
        let peer = |address: &str| Peer::Address(address.parse().unwrap()).origin();
        assert_eq!(peer("192.0.2.1:1"), peer("192.0.2.1:2"));
        assert_eq!(peer("[2001:db8::1]:1"), peer("[2001:db8::2]:2"));
        assert_ne!(peer("192.0.2.1:1"), None);
        assert_eq!(Peer::Destination(DestinationHash::of(b"x")).origin(), None);
    }
}
