//! The headers of packets as most are, read at one go.
//!
//! Of a whole packet with Ethernet's header, one of IPv4 without options or of IPv6 without
//! extensions, and one of UDP or TCP, everything lies at fixed offsets. The general way would read
//! the same from it, and takes all packets that are unusual in any way.

use etherparse::{Ipv6Header, TcpHeader as FullTcpHeader, UdpHeader, ip_number};

use super::captured::Captured;
use super::duplicate::Sighting;
use super::encapsulation::Encapsulation;
use super::layers::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, be16};
use super::link::{ETHERNET_HEADER, stations, tap};
use super::slice::{Mark, Route, Segment, TcpHeader, TransportHeader, array};
use super::udp_tunnel;
use crate::capture::{LinkType, Packet};

/// Reads the headers of a packet; `None` when it is not as most are.
#[inline(always)]
pub(super) fn read<'a>(packet: &Packet<'a>) -> Option<Sighting<'a>> {
    let is_whole = packet.original_bytes as usize <= packet.data.len();
    if packet.link_type != LinkType::Ethernet || !is_whole {
        return None;
    }
    let (ethernet, rest) = packet.data.split_first_chunk::<ETHERNET_HEADER>()?;
    let (route, mark, segment) = match be16(ethernet, 12) {
        ETHERTYPE_IPV4 => ipv4(rest)?,
        ETHERTYPE_IPV6 => ipv6(rest)?,
        _ => return None,
    };
    Some(Sighting {
        route,
        mark,
        segment,
        interface: packet.interface,
        tap: tap(ethernet),
        surroundings: stations(ethernet) ^ Encapsulation::NONE.number(),
    })
}

/// RFC 791, 3.1, with the shortest header.
#[inline(always)]
fn ipv4(packet: &[u8]) -> Option<(Route<'_>, Mark, Segment<'_>)> {
    const HEADER: usize = 20;
    const VERSION_AND_LENGTH: u8 = 0x45;
    /// More fragments, and where this one belongs.
    const FRAGMENT: u16 = 0x3fff;
    let header: &[u8; HEADER] = packet.first_chunk()?;
    if header[0] != VERSION_AND_LENGTH || be16(header, 6) & FRAGMENT != 0 {
        return None;
    }
    // Not where the card fills the length in after the capture: that is 0.
    let upper = packet.get(HEADER..usize::from(be16(header, 2)))?;
    let route = Route::V4 {
        source: array(header, 12)?,
        destination: array(header, 16)?,
    };
    let mark = Mark {
        identification: be16(header, 4),
        hops_left: header[8],
    };
    Some((route, mark, transport(header[9], upper)?))
}

/// RFC 8200, 3.
#[inline(always)]
fn ipv6(packet: &[u8]) -> Option<(Route<'_>, Mark, Segment<'_>)> {
    let header: &[u8; Ipv6Header::LEN] = packet.first_chunk()?;
    let length = usize::from(be16(header, 4));
    if header[0] >> 4 != 6 || length == 0 {
        return None;
    }
    let upper = packet.get(Ipv6Header::LEN..Ipv6Header::LEN + length)?;
    let route = Route::V6 {
        source: array(header, 8)?,
        destination: array(header, 24)?,
    };
    let mark = Mark {
        identification: 0,
        hops_left: header[7],
    };
    Some((route, mark, transport(header[6], upper)?))
}

#[inline(always)]
fn transport(protocol: u8, upper: &[u8]) -> Option<Segment<'_>> {
    const UDP: u8 = ip_number::UDP.0;
    const TCP: u8 = ip_number::TCP.0;
    match protocol {
        UDP if !udp_tunnel::may_begin_with(Captured::new(upper, 0)) => udp(upper),
        TCP => tcp(upper),
        _ => None,
    }
}

/// RFC 768.
#[inline(always)]
fn udp(datagram: &[u8]) -> Option<Segment<'_>> {
    let header: &[u8; UdpHeader::LEN] = datagram.first_chunk()?;
    let payload = datagram.get(UdpHeader::LEN..usize::from(be16(header, 4)))?;
    Some(Segment {
        ports: (be16(header, 0), be16(header, 2)),
        header: TransportHeader::Udp,
        payload: Captured::new(payload, 0),
    })
}

/// RFC 9293, 3.1.
#[inline(always)]
fn tcp(segment: &[u8]) -> Option<Segment<'_>> {
    const FIN: u8 = 0x01;
    const SYN: u8 = 0x02;
    const RST: u8 = 0x04;
    const ACK: u8 = 0x10;
    let header: &[u8; FullTcpHeader::MIN_LEN] = segment.first_chunk()?;
    let length = usize::from(header[12] >> 4) * 4;
    if length < FullTcpHeader::MIN_LEN {
        return None;
    }
    let payload = segment.get(length..)?;
    let word = |at: usize| {
        u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    let flags = header[13];
    Some(Segment {
        ports: (be16(header, 0), be16(header, 2)),
        header: TransportHeader::Tcp(TcpHeader {
            sequence: word(4),
            acknowledgment: (flags & ACK != 0).then(|| word(8)),
            syn: flags & SYN != 0,
            fin: flags & FIN != 0,
            rst: flags & RST != 0,
        }),
        payload: Captured::new(payload, 0),
    })
}
