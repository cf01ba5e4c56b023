//! The unit that a packet is a part of: for callers that keep some packets of a capture, and with
//! them those without which they cannot be read.

use std::net::{IpAddr, SocketAddr};

use etherparse::ip_number;

use super::flow_key::FlowKey;
use super::slice::{self, IpPacket, Route, TransportHeader};
use super::{Skip, Transport, link, tunnel};
use crate::capture::Packet;

/// The unit that a packet is a part of: its TCP connection (by addresses and ports, also where they
/// are used again), or the datagram that it is a fragment of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Whole(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Connection(FlowKey),
    Datagram {
        source: IpAddr,
        destination: IpAddr,
        identification: u32,
    },
}

impl Whole {
    /// The unit that a packet is a part of; `None` when it stands for itself.
    pub fn of(packet: &Packet<'_>) -> Option<Self> {
        let ip = innermost(packet).ok()?;
        Self::datagram(&ip).or_else(|| Self::connection_of(&ip))
    }

    /// The TCP connection between two ends; `None` where one has an address of IPv4, and the other of IPv6.
    pub fn connection(ends: [SocketAddr; 2]) -> Option<Self> {
        let route = match [ends[0].ip(), ends[1].ip()] {
            [IpAddr::V4(source), IpAddr::V4(destination)] => Route::V4 {
                source: &source.octets(),
                destination: &destination.octets(),
            },
            [IpAddr::V6(source), IpAddr::V6(destination)] => Route::V6 {
                source: &source.octets(),
                destination: &destination.octets(),
            },
            _ => return None,
        };
        Some(Self::tcp(&route, (ends[0].port(), ends[1].port())))
    }

    /// The datagram whose first fragment a packet is, and the TCP connection of its segment: the other
    /// fragments do not say to which they belong (RFC 791, section 3.2).
    pub fn fragmented_segment(packet: &Packet<'_>) -> Option<(Self, Self)> {
        let ip = innermost(packet).ok()?;
        let fragment = ip.upper.fragment?;
        if fragment.offset != 0 || ip.upper.protocol != ip_number::TCP {
            return None;
        }
        // It may end within the header, but has eight bytes of it if others follow.
        let ports = ip.upper.payload.header(4).ok()?;
        let port = |at| u16::from_be_bytes([ports[at], ports[at + 1]]);
        Some((
            Self::datagram(&ip)?,
            Self::tcp(&ip.route, (port(0), port(2))),
        ))
    }

    fn datagram(ip: &IpPacket<'_>) -> Option<Self> {
        let fragment = ip.upper.fragment?;
        Some(Self(Kind::Datagram {
            source: ip.route.source(),
            destination: ip.route.destination(),
            identification: fragment.identification,
        }))
    }

    fn connection_of(ip: &IpPacket<'_>) -> Option<Self> {
        let segment = slice::transport(&ip.upper).ok()?;
        match segment.header {
            TransportHeader::Udp => None,
            TransportHeader::Tcp(_) => Some(Self::tcp(&ip.route, segment.ports)),
        }
    }

    fn tcp(route: &Route<'_>, ports: (u16, u16)) -> Self {
        let (key, _) = FlowKey::new(Transport::Tcp, route, ports);
        Self(Kind::Connection(key))
    }
}

fn innermost<'a>(packet: &Packet<'a>) -> Result<IpPacket<'a>, Skip> {
    let payload = link::strip(packet)?;
    let mut encapsulation = payload.encapsulation;
    tunnel::innermost(payload.ip, &mut encapsulation)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{CLIENT, SERVER, TCP, UDP, ipv4, ipv4_fragment, tcp};
    use super::*;
    use crate::capture::{InterfaceId, LinkType};
    use crate::time::Timestamp;

    /// Flags of IPv4: there are more fragments.
    const MORE: u16 = 0x2000;

    fn of<T>(data: &[u8], what: impl Fn(&Packet<'_>) -> Option<T>) -> Option<T> {
        what(&Packet {
            number: 1,
            time: Timestamp::default(),
            interface: InterfaceId::default(),
            link_type: LinkType::RawIp,
            data,
            original_bytes: u32::try_from(data.len()).unwrap(),
        })
    }

    #[test]
    fn the_first_fragment_of_a_segment_alone_says_to_which_connection_its_datagram_belongs() {
        let segment = tcp((1000, 2000), (7, 9), 0, b"0123456789abcdef");
        let fragment = |protocol, flags_and_offset, bytes| {
            ipv4_fragment(CLIENT, SERVER, protocol, 5, flags_and_offset, bytes)
        };
        let first = fragment(TCP, MORE, &segment[..24]);
        let second = fragment(TCP, 3, &segment[24..]);
        let datagram = of(&second, Whole::of);
        let connection = of(&ipv4(CLIENT, SERVER, TCP, &segment), Whole::of);
        assert!(datagram.is_some() && connection.is_some() && datagram != connection);
        assert_eq!(of(&first, Whole::of), datagram);
        let ends = [(CLIENT, 1000), (SERVER, 2000)].map(SocketAddr::from);
        assert_eq!(Whole::connection(ends), connection);

        let both = datagram.zip(connection);
        assert_eq!(of(&first, Whole::fragmented_segment), both);
        let ports_alone = fragment(TCP, MORE, &segment[..8]);
        assert_eq!(of(&ports_alone, Whole::fragmented_segment), both);
        for other in [
            second,
            fragment(UDP, MORE, &segment[..24]),
            fragment(UDP, 3, &segment[24..]),
            ipv4(CLIENT, SERVER, TCP, &segment),
        ] {
            assert_eq!(of(&other, Whole::fragmented_segment), None);
        }
    }
}
