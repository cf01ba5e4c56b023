//! UDP flows.

use std::net::SocketAddr;

use crate::ip::{self, Path, Piece};
use crate::{End, Wire, length_u16};

/// Two UDP sockets that talk to each other.
#[derive(Clone, Copy, Debug)]
pub struct UdpFlow {
    /// Address of each end, the client's first.
    pub addresses: [SocketAddr; 2],
}

impl UdpFlow {
    /// A flow between two addresses of one IP version.
    pub const fn new(client: SocketAddr, server: SocketAddr) -> Self {
        Self {
            addresses: [client, server],
        }
    }

    /// Sends one datagram.
    pub fn send(&self, wire: &mut Wire, from: End, payload: &[u8]) {
        let path = self.path(from);
        let datagram = datagram(path, payload);
        let packet = ip::packet(path, ip::UDP, wire.next_identification(), &datagram);
        wire.push(&packet);
    }

    /// The packets of one datagram cut into pieces, for the caller to put on the wire.
    pub fn fragments(
        &self,
        identification: u16,
        from: End,
        payload: &[u8],
        size: usize,
    ) -> Vec<Vec<u8>> {
        let path = self.path(from);
        let datagram = datagram(path, payload);
        ip::pieces(datagram.len(), size)
            .into_iter()
            .map(|piece: Piece| ip::fragment(path, ip::UDP, identification, &datagram, piece))
            .collect()
    }

    /// From whom to whom a datagram of that end goes.
    pub const fn path(&self, from: End) -> Path {
        Path {
            source: self.addresses[from.index()],
            target: self.addresses[from.opposite().index()],
        }
    }
}

/// A UDP header and its payload.
pub(crate) fn datagram(path: Path, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + payload.len());
    bytes.extend(path.source.port().to_be_bytes());
    bytes.extend(path.target.port().to_be_bytes());
    bytes.extend(length_u16(8 + payload.len()).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend_from_slice(payload);
    // A sum of 0 is sent as ffff: 0 means that there is none (RFC 768).
    let sum = match ip::transport_checksum(path, ip::UDP, &bytes) {
        0 => 0xffff,
        sum => sum,
    };
    bytes[6..8].copy_from_slice(&sum.to_be_bytes());
    bytes
}
