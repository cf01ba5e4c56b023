//! The peers that may open conversations with us.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;

use super::link::Peer;
use crate::wire::DestinationHash;

/// One entry of an allow list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// The addresses of a network.
    Network(AllowedNetwork),
    /// The owner of a destination.
    Destination(DestinationHash),
    /// Everybody: `any`.
    Anybody,
}

/// A network of an allow list, which is read from text: `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllowedNetwork(IpNet);

/// The reason why a text is not an entry of an allow list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AllowedError {
    /// Neither an address nor a destination's name.
    #[error(
        "{0:?} is no address, no network such as 10.0.0.0/8, no name that ends in .b32.i2p, and not any"
    )]
    Form(String),
    /// More bits than the address has.
    #[error("a network of {address} has a prefix of 0 to {max} bits, not {given:?}")]
    PrefixBits {
        /// The network's address.
        address: IpAddr,
        /// Its bits.
        max: u8,
        /// The text behind the slash.
        given: String,
    },
}

impl FromStr for Allowed {
    type Err = AllowedError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "any" {
            return Ok(Self::Anybody);
        }
        if let Ok(hash) = text.parse::<DestinationHash>() {
            return Ok(Self::Destination(hash));
        }
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let network: IpAddr = address
            .parse()
            .map_err(|_| AllowedError::Form(text.to_owned()))?;
        let max = if network.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match bits {
            None => max,
            Some(bits) => bits
                .parse()
                .ok()
                .filter(|bits| *bits <= max)
                .ok_or_else(|| AllowedError::PrefixBits {
                    address: network,
                    max,
                    given: bits.to_owned(),
                })?,
        };
        // Peers are known by their IPv4 addresses, however they are written.
        let (network, prefix_bits) = match (network, network.to_canonical()) {
            (IpAddr::V6(_), network @ IpAddr::V4(_)) if prefix_bits >= 96 => {
                (network, prefix_bits - 96)
            }
            _ => (network, prefix_bits),
        };
        let network = IpNet::new_assert(network, prefix_bits);
        Ok(Self::Network(AllowedNetwork(network)))
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(AllowedNetwork(network)) => network.fmt(f),
            Self::Destination(hash) => f.write_str(&hash.to_b32_name()),
            Self::Anybody => f.write_str("any"),
        }
    }
}

/// The peers that may open conversations; without entries everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowList(Vec<Allowed>);

impl AllowList {
    /// Whether messages from this peer are heard.
    pub fn admits(&self, peer: Peer) -> bool {
        match peer {
            Peer::Address(address) | Peer::Connection { address, .. } => {
                self.admits_address(address)
            }
            Peer::Destination(hash) => self.admits_destination(hash),
        }
    }

    /// Whether the owner of this destination is heard.
    pub fn admits_destination(&self, hash: DestinationHash) -> bool {
        self.0.is_empty() || self.says_anybody() || self.0.contains(&Allowed::Destination(hash))
    }

    /// Whether an address may try to prove that it is one of the destinations: where networks
    /// are listed, too, it must be in one of them.
    pub fn admits_attempt(&self, address: SocketAddr) -> bool {
        !self.names_networks() || self.lists_address(address)
    }

    /// Whether destinations are listed.
    pub fn names_destinations(&self) -> bool {
        let is_name = |entry: &Allowed| matches!(entry, Allowed::Destination(_));
        self.0.iter().any(is_name)
    }

    /// Whether networks are listed.
    pub fn names_networks(&self) -> bool {
        let is_network = |entry: &Allowed| matches!(entry, Allowed::Network(_));
        self.0.iter().any(is_network)
    }

    /// Whether it says in so many words that everybody may come.
    pub fn says_anybody(&self) -> bool {
        self.0.contains(&Allowed::Anybody)
    }

    /// Whether messages from this address are heard.
    pub fn admits_address(&self, address: SocketAddr) -> bool {
        self.0.is_empty() || self.says_anybody() || self.lists_address(address)
    }

    fn lists_address(&self, address: SocketAddr) -> bool {
        let address = address.ip().to_canonical();
        self.0.iter().any(|entry| match entry {
            Allowed::Network(AllowedNetwork(network)) => network.contains(&address),
            Allowed::Destination(_) | Allowed::Anybody => false,
        })
    }
}

impl FromIterator<Allowed> for AllowList {
    fn from_iter<I: IntoIterator<Item = Allowed>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[&str]) -> AllowList {
        entries.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn admits(list: &AllowList, address: &str) -> bool {
        list.admits_address(SocketAddr::new(address.parse().unwrap(), 1))
    }

    #[test]
    fn without_entries_everybody_is_admitted() {
        let everybody = AllowList::default();
        assert!(admits(&everybody, "192.0.2.1"));
        assert!(everybody.admits(Peer::Destination(DestinationHash([1; 32]))));
    }

    #[test]
    fn a_network_ends_at_its_last_bit() {
        let network = list(&["10.1.2.64/26", "2001:db8::/127"]);
        for (address, admitted) in [
            ("10.1.2.63", false),
            ("10.1.2.64", true),
            ("10.1.2.127", true),
            ("10.1.2.128", false),
            ("::ffff:10.1.2.100", true),
            ("2001:db8::1", true),
            ("2001:db8::2", false),
        ] {
            assert_eq!(admits(&network, address), admitted, "{address}");
        }
        assert!(admits(&list(&["0.0.0.0/0"]), "255.255.255.255"));
        assert!(!admits(&list(&["0.0.0.0/0"]), "::1"));
        assert!(admits(&list(&["::/0"]), "::1"));
        for (entry, address, admitted) in [
            ("::ffff:127.0.0.1", "127.0.0.1", true),
            ("::ffff:127.0.0.1", "127.0.0.2", false),
            ("::ffff:10.0.0.0/104", "10.255.0.1", true),
            ("::ffff:10.0.0.0/104", "11.0.0.1", false),
        ] {
            assert_eq!(
                admits(&list(&[entry]), address),
                admitted,
                "{entry} {address}"
            );
        }
    }

    #[test]
    fn a_destination_is_admitted_by_its_name() {
        let hash = DestinationHash([7; 32]);
        let list = list(&[&hash.to_b32_name()]);
        assert!(list.admits(Peer::Destination(hash)));
        assert!(!list.admits(Peer::Destination(DestinationHash([8; 32]))));
        assert!(!admits(&list, "127.0.0.1"));
    }

    #[test]
    fn what_is_no_entry_is_told_why() {
        for (text, error) in [
            (
                "localhost",
                r#""localhost" is no address, no network such as 10.0.0.0/8, no name that ends in .b32.i2p, and not any"#,
            ),
            (
                "10.0.0.0/33",
                r#"a network of 10.0.0.0 has a prefix of 0 to 32 bits, not "33""#,
            ),
            (
                "::/129",
                r#"a network of :: has a prefix of 0 to 128 bits, not "129""#,
            ),
            (
                "10.0.0.0/",
                r#"a network of 10.0.0.0 has a prefix of 0 to 32 bits, not """#,
            ),
        ] {
            assert_eq!(text.parse::<Allowed>().unwrap_err().to_string(), error);
        }
    }
}
