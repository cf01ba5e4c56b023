//! Addresses on which nobody listens, and which nobody is given meanwhile.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below where Linux takes the ports of callers and of listeners that name none (32768 up,
/// `ip_local_port_range`): a port that was free stays free while a test starts its processes.
const FIRST: u16 = 12_000;
const PORTS: u16 = 20_000;

/// An address on loopback where nobody listens, over TCP or UDP; no other call in this process
/// gives the same one.
///
/// # Panics
///
/// When all ports are taken.
pub fn unused_address() -> SocketAddr {
    static CALLS: AtomicU16 = AtomicU16::new(0);
    // Test programs that run at the same time begin at different places.
    let begin = process::id() % u32::from(PORTS) * 61;
    (0..PORTS)
        .map(|_| begin + u32::from(CALLS.fetch_add(1, Ordering::Relaxed)))
        .filter_map(|place| u16::try_from(place % u32::from(PORTS)).ok())
        .map(|place| SocketAddr::from((Ipv4Addr::LOCALHOST, FIRST + place)))
        .find(|address| {
            let tcp = TcpListener::bind(address);
            tcp.is_ok() && UdpSocket::bind(address).is_ok()
        })
        .expect("loopback has a free port")
}
