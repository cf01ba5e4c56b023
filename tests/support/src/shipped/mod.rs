//! The captures of `captures/`, each from its recipe.

mod carriers;
mod conversations;
mod copies;
mod damaged;
mod detection;
mod formats;
mod i2cp;
mod links;
mod network;
mod sessions;
mod specification;
mod tcp;
mod wrapping;

use std::net::SocketAddr;

use crate::carry::{self, Prefix, Sent};
use crate::file::Pcap;
use crate::{End, Link, TcpFlow, UdpFlow, Wire, sample_destination, samples};

/// One shipped capture.
#[derive(Clone, Debug)]
pub struct Shipped {
    /// Its file name; `.gz` and `.zst` ones hold `bytes` compressed.
    pub name: &'static str,
    /// What it shows, in a line.
    pub shows: &'static str,
    /// The file that holds its recipe, below `tests/support/src/shipped/`.
    pub recipe: &'static str,
    /// The capture, not compressed.
    pub bytes: Vec<u8>,
}

/// Every synthetic capture, in the order of `captures/README.md`.
pub fn all() -> Vec<Shipped> {
    [
        specification::captures(),
        formats::captures(),
        links::captures(),
        wrapping::captures(),
        copies::captures(),
        network::captures(),
        tcp::captures(),
        carriers::captures(),
        conversations::captures(),
        i2cp::captures(),
        sessions::captures(),
        damaged::captures(),
        detection::captures(),
    ]
    .concat()
}

/// Names the captures of one recipe file.
fn list(
    recipe: &'static str,
    captures: Vec<(&'static str, &'static str, Vec<u8>)>,
) -> Vec<Shipped> {
    captures
        .into_iter()
        .map(|(name, shows, bytes)| Shipped {
            name,
            shows,
            recipe,
            bytes,
        })
        .collect()
}

fn client_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 40112))
}

fn server_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9004))
}

/// The UDP flow of the documented example.
fn udp_flow() -> UdpFlow {
    UdpFlow::new(client_address(), server_address())
}

/// A connection between the same ports.
fn tcp_flow() -> TcpFlow {
    TcpFlow::new(client_address(), server_address())
}

/// The same between IPv6 addresses.
fn udp6_flow() -> UdpFlow {
    let address = |port| SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], port));
    UdpFlow::new(address(40112), address(9004))
}

fn short_exchange() -> Vec<Sent> {
    samples::short(&sample_destination())
}

/// An exchange over UDP on Ethernet, as a usual pcap.
fn udp_pcap(exchange: &[Sent]) -> Vec<u8> {
    let mut wire = Wire::new(Link::ETHERNET);
    carry::over_udp(&mut wire, udp_flow(), exchange);
    Pcap::USUAL.write(&wire)
}

/// An exchange over length-prefixed TCP on Ethernet, as a usual pcap.
fn tcp_pcap(prefix: Prefix, exchange: &[Sent]) -> Vec<u8> {
    let mut wire = Wire::new(Link::ETHERNET);
    carry::over_tcp(&mut wire, &mut tcp_flow(), prefix, exchange);
    Pcap::USUAL.write(&wire)
}

/// All bytes that an end sends in an exchange, each message after its length.
fn prefixed(prefix: Prefix, exchange: &[Sent], from: End) -> Vec<u8> {
    exchange
        .iter()
        .filter(|sent| sent.from == from)
        .flat_map(|sent| prefix.before(&sent.message))
        .collect()
}
