//! IPv4 and IPv6 packets, fragments and extension headers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::length_u16;

/// Protocol number of TCP.
pub const TCP: u8 = 6;
/// Protocol number of UDP.
pub const UDP: u8 = 17;

/// From whom to whom; both of one IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// The sender.
    pub source: SocketAddr,
    /// The receiver.
    pub target: SocketAddr,
}

/// A part of a packet's payload, as a fragment carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it lies in the payload, in bytes; a multiple of 8.
    pub offset: usize,
    /// Its length in bytes; a multiple of 8 in all but the last.
    pub length: usize,
}

/// Cuts `total` bytes into pieces of `size`, a multiple of 8.
pub fn pieces(total: usize, size: usize) -> Vec<Piece> {
    assert_eq!(size % 8, 0, "fragments begin at multiples of 8 bytes");
    (0..total)
        .step_by(size)
        .map(|offset| Piece {
            offset,
            length: size.min(total - offset),
        })
        .collect()
}

/// A whole packet around a transport payload (header and data).
pub fn packet(path: Path, protocol: u8, identification: u16, payload: &[u8]) -> Vec<u8> {
    match (path.source.ip(), path.target.ip()) {
        (IpAddr::V4(source), IpAddr::V4(target)) => {
            // "Don't fragment", as Linux sets it.
            ipv4(
                source,
                target,
                protocol,
                identification,
                0x4000,
                &[],
                payload,
            )
        }
        (IpAddr::V6(source), IpAddr::V6(target)) => ipv6(source, target, protocol, payload),
        mixed => panic!("both addresses are of one version: {mixed:?}"),
    }
}

/// An IPv4 packet with options, whose length is a multiple of 4.
pub fn packet_with_options(path: Path, protocol: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    match (path.source.ip(), path.target.ip()) {
        (IpAddr::V4(source), IpAddr::V4(target)) => {
            ipv4(source, target, protocol, 0, 0x4000, options, payload)
        }
        other => panic!("options are of IPv4: {other:?}"),
    }
}

/// An IPv6 packet with hop-by-hop options, a routing header and destination
/// options before the payload.
pub fn packet_with_extension_headers(path: Path, protocol: u8, payload: &[u8]) -> Vec<u8> {
    const HOP_BY_HOP: u8 = 0;
    const ROUTING: u8 = 43;
    const DESTINATION_OPTIONS: u8 = 60;
    // Next header, length in 8-byte units beyond the first; PadN fills them.
    let mut body = vec![ROUTING, 0, 1, 4, 0, 0, 0, 0];
    // A routing header of type 0 that is used up (no segments left).
    body.extend([DESTINATION_OPTIONS, 2, 0, 0, 0, 0, 0, 0]);
    body.extend(Ipv6Addr::LOCALHOST.octets());
    body.extend([protocol, 1, 1, 12]);
    body.extend([0; 12]);
    body.extend_from_slice(payload);
    match (path.source.ip(), path.target.ip()) {
        (IpAddr::V6(source), IpAddr::V6(target)) => ipv6(source, target, HOP_BY_HOP, &body),
        other => panic!("extension headers are of IPv6: {other:?}"),
    }
}

/// One fragment of the packet that [`packet`] would make.
pub fn fragment(
    path: Path,
    protocol: u8,
    identification: u16,
    payload: &[u8],
    piece: Piece,
) -> Vec<u8> {
    const FRAGMENT: u8 = 44;
    let end = piece.offset + piece.length;
    let part = &payload[piece.offset..end];
    let eighths = length_u16(piece.offset / 8);
    let more = u16::from(end < payload.len());
    match (path.source.ip(), path.target.ip()) {
        (IpAddr::V4(source), IpAddr::V4(target)) => {
            let flags = more << 13 | eighths;
            ipv4(source, target, protocol, identification, flags, &[], part)
        }
        (IpAddr::V6(source), IpAddr::V6(target)) => {
            let mut body = vec![protocol, 0];
            body.extend((eighths << 3 | more).to_be_bytes());
            body.extend(u32::from(identification).to_be_bytes());
            body.extend_from_slice(part);
            ipv6(source, target, FRAGMENT, &body)
        }
        mixed => panic!("both addresses are of one version: {mixed:?}"),
    }
}

fn ipv4(
    source: Ipv4Addr,
    target: Ipv4Addr,
    protocol: u8,
    identification: u16,
    flags_and_offset: u16,
    options: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let header_bytes = 20 + options.len();
    let words = u8::try_from(header_bytes / 4).expect("an IPv4 header has at most 60 bytes");
    let mut header = vec![0x40 | words, 0];
    header.extend(length_u16(header_bytes + payload.len()).to_be_bytes());
    header.extend(identification.to_be_bytes());
    header.extend(flags_and_offset.to_be_bytes());
    header.extend([64, protocol, 0, 0]);
    header.extend(source.octets());
    header.extend(target.octets());
    header.extend_from_slice(options);
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    header.extend_from_slice(payload);
    header
}

fn ipv6(source: Ipv6Addr, target: Ipv6Addr, next_header: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend(length_u16(payload.len()).to_be_bytes());
    bytes.extend([next_header, 64]);
    bytes.extend(source.octets());
    bytes.extend(target.octets());
    bytes.extend_from_slice(payload);
    bytes
}

/// The checksum of a TCP or UDP segment whose checksum field is 0 (RFC 1071, 8200).
pub(crate) fn transport_checksum(path: Path, protocol: u8, segment: &[u8]) -> u16 {
    let mut bytes = Vec::new();
    for address in [path.source.ip(), path.target.ip()] {
        match address {
            IpAddr::V4(address) => bytes.extend(address.octets()),
            IpAddr::V6(address) => bytes.extend(address.octets()),
        }
    }
    bytes.extend([0, protocol]);
    bytes.extend(length_u16(segment.len()).to_be_bytes());
    bytes.extend_from_slice(segment);
    checksum(&bytes)
}

fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)])))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("the carries were added until 16 bits were left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_a_known_header() {
        // The example of the IPv4 header checksum in common use (Wikipedia): b861.
        let header = [
            0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0, 0, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0,
            0xc7,
        ];
        assert_eq!(checksum(&header), 0xb861);
    }
}
