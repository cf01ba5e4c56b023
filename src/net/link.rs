//! The link header: from a captured packet to the IP packet in it.

use super::Skip;
use super::captured::Captured;
use crate::capture::{LinkType, Packet};

/// An IP packet, with whatever the link appended to it (padding, checksum).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkPayload<'a> {
    pub(super) ip: Captured<'a>,
    pub(super) tap: Tap,
}

/// Where on its way through the capturing host a packet was seen, as far as it
/// matters for telling second copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tap {
    /// On a link where each packet passes once.
    Once,
    /// On Linux's loopback device, which may show what goes out and comes in again.
    Loopback,
    /// In a Linux cooked capture, which may show a packet at several places.
    Cooked(Place),
}

/// A place at which a cooked capture sees packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Interface index; 0 where the header has none (cooked v1).
    pub(super) interface: u32,
    pub(super) way: Way,
}

/// Whether the capturing host sent a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Outgoing,
    Incoming,
}

/// `PACKET_OUTGOING` of `linux/if_packet.h`.
const PACKET_OUTGOING: u16 = 4;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
/// 802.1Q, 802.1ad, and the numbers used for stacked tags before it.
const ETHERTYPES_VLAN: [u16; 4] = [0x8100, 0x88a8, 0x9100, 0x9200];

/// Finds the IP packet behind the link header.
#[inline(always)]
pub(super) fn strip<'a>(packet: &Packet<'a>) -> Result<LinkPayload<'a>, Skip> {
    let on_link = usize::try_from(packet.original_bytes).unwrap_or(usize::MAX);
    let frame = Captured::new(packet.data, on_link.saturating_sub(packet.data.len()));
    let (ip, tap) = match packet.link_type {
        LinkType::Ethernet => return ethernet(frame),
        LinkType::LinuxCooked => return cooked(frame),
        LinkType::LinuxCooked2 => return cooked2(frame),
        LinkType::Null | LinkType::Loop => (address_family(frame)?, Tap::Once),
        LinkType::RawIp | LinkType::Ipv4 | LinkType::Ipv6 => (frame, Tap::Once),
        LinkType::Other(_) => return Err(Skip::LinkType),
    };
    Ok(LinkPayload { ip, tap })
}

#[inline(always)]
fn ethernet(frame: Captured<'_>) -> Result<LinkPayload<'_>, Skip> {
    const HEADER: usize = 14;
    let header = frame.header(HEADER)?;
    // The loopback device has no addresses of its own.
    let tap = if header[..12] == [0; 12] {
        Tap::Loopback
    } else {
        Tap::Once
    };
    let ip = behind_ethertype(be16(header, 12), frame.after(HEADER))?;
    Ok(LinkPayload { ip, tap })
}

/// <https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html>: packet type,
/// ARPHRD type, address length and address, then the protocol.
fn cooked(frame: Captured<'_>) -> Result<LinkPayload<'_>, Skip> {
    const HEADER: usize = 16;
    let header = frame.header(HEADER)?;
    let place = Place {
        interface: 0,
        way: way(be16(header, 0)),
    };
    let ip = behind_ethertype(be16(header, 14), frame.after(HEADER))?;
    Ok(LinkPayload {
        ip,
        tap: Tap::Cooked(place),
    })
}

/// <https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html>: protocol, two
/// reserved bytes, interface index, ARPHRD type, packet type, address length
/// and address.
fn cooked2(frame: Captured<'_>) -> Result<LinkPayload<'_>, Skip> {
    const HEADER: usize = 20;
    let header = frame.header(HEADER)?;
    let place = Place {
        interface: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        way: way(u16::from(header[10])),
    };
    let ip = behind_ethertype(be16(header, 0), frame.after(HEADER))?;
    Ok(LinkPayload {
        ip,
        tap: Tap::Cooked(place),
    })
}

const fn way(packet_type: u16) -> Way {
    match packet_type {
        PACKET_OUTGOING => Way::Outgoing,
        _ => Way::Incoming,
    }
}

/// Steps over any stack of VLAN tags.
fn behind_ethertype(mut ethertype: u16, mut payload: Captured<'_>) -> Result<Captured<'_>, Skip> {
    while ETHERTYPES_VLAN.contains(&ethertype) {
        ethertype = be16(payload.header(4)?, 2);
        payload = payload.after(4);
    }
    match ethertype {
        ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => Ok(payload),
        _ => Err(Skip::NotIp),
    }
}

/// The four-byte address family of BSD's loopback. It is in the byte order of
/// whoever wrote the capture, which only its size tells: families are small.
fn address_family(frame: Captured<'_>) -> Result<Captured<'_>, Skip> {
    const INET: u32 = 2;
    // Linux, NetBSD and OpenBSD, FreeBSD, Darwin.
    const INET6: [u32; 4] = [10, 24, 28, 30];
    let header = frame.header(4)?;
    let family = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
    let family = family.min(family.swap_bytes());
    if family == INET || INET6.contains(&family) {
        Ok(frame.after(4))
    } else {
        Err(Skip::NotIp)
    }
}

fn be16(header: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([header[at], header[at + 1]])
}

#[cfg(test)]
mod tests {
    use super::super::testing::{CLIENT, SERVER, UDP, ethernet, ipv4, udp};
    use super::*;
    use crate::time::Timestamp;

    fn strip_bytes(link_type: LinkType, data: &[u8]) -> Result<LinkPayload<'_>, Skip> {
        strip(&Packet {
            number: 1,
            time: Timestamp::default(),
            link_type,
            data,
            original_bytes: u32::try_from(data.len()).unwrap(),
        })
    }

    fn ip() -> Vec<u8> {
        ipv4(CLIENT, SERVER, UDP, &udp(b"x"))
    }

    /// Checks the payload behind a header, and that every shorter header is damaged.
    fn finds_ip(link_type: LinkType, header: &[u8], tap: Tap) {
        let frame = [header, &ip()].concat();
        let ip = Captured::new(&frame[header.len()..], 0);
        assert_eq!(
            strip_bytes(link_type, &frame),
            Ok(LinkPayload { ip, tap }),
            "{link_type:?}"
        );
        for length in 0..header.len() {
            assert_eq!(
                strip_bytes(link_type, &header[..length]),
                Err(Skip::BadHeader)
            );
        }
    }

    #[test]
    fn any_stack_of_vlan_tags_is_stepped_over() {
        let addresses = [7; 12];
        for tags in [
            &[][..],
            &[0x8100],
            &[0x88a8, 0x8100],
            &[0x9100, 0x8100],
            &[0x9200, 0x9100, 0x88a8, 0x8100, 0x8100],
        ] {
            let mut header = addresses.to_vec();
            for tag in tags {
                header.extend(u16::to_be_bytes(*tag));
                header.extend([0x20, 0x01]);
            }
            header.extend([0x08, 0x00]);
            finds_ip(LinkType::Ethernet, &header, Tap::Once);
        }
    }

    #[test]
    fn ethernet_without_addresses_is_the_loopback_device() {
        let mut header = vec![0; 12];
        header.extend([0x08, 0x00]);
        finds_ip(LinkType::Ethernet, &header, Tap::Loopback);
    }

    #[test]
    fn cooked_headers_tell_the_place() {
        let mut header = vec![0, 4, 3, 4, 0, 6];
        header.extend([0; 8]);
        header.extend([0x08, 0x00]);
        let place = |interface, way| Tap::Cooked(Place { interface, way });
        finds_ip(LinkType::LinuxCooked, &header, place(0, Way::Outgoing));
        header[1] = 0;
        finds_ip(LinkType::LinuxCooked, &header, place(0, Way::Incoming));

        let mut header = vec![0x08, 0x00, 0, 0, 0, 0, 1, 2, 3, 4, 4, 6];
        header.extend([0; 8]);
        finds_ip(LinkType::LinuxCooked2, &header, place(0x102, Way::Outgoing));
        header[10] = 0;
        finds_ip(LinkType::LinuxCooked2, &header, place(0x102, Way::Incoming));
    }

    #[test]
    fn cooked_frames_can_have_vlan_tags() {
        let mut header = vec![0, 0, 0, 1, 0, 6];
        header.extend([0; 8]);
        header.extend([0x81, 0x00, 0, 5, 0x08, 0x00]);
        let place = Place {
            interface: 0,
            way: Way::Incoming,
        };
        finds_ip(LinkType::LinuxCooked, &header, Tap::Cooked(place));
    }

    #[test]
    fn bsd_loopback_has_its_family_in_either_byte_order() {
        for family in [2_u32, 10, 24, 28, 30] {
            for link_type in [LinkType::Null, LinkType::Loop] {
                finds_ip(link_type, &family.to_be_bytes(), Tap::Once);
                finds_ip(link_type, &family.to_le_bytes(), Tap::Once);
            }
        }
        let other = [&7_u32.to_be_bytes(), &ip()[..]].concat();
        assert_eq!(strip_bytes(LinkType::Null, &other), Err(Skip::NotIp));
    }

    #[test]
    fn ip_links_have_no_header() {
        for link_type in [LinkType::RawIp, LinkType::Ipv4, LinkType::Ipv6] {
            finds_ip(link_type, &[], Tap::Once);
        }
    }

    #[test]
    fn other_links_and_other_protocols_are_told_apart() {
        assert_eq!(
            strip_bytes(LinkType::Other(105), &ip()),
            Err(Skip::LinkType)
        );
        for ethertype in [0x0806, 0x0026, 0x88cc] {
            assert_eq!(
                strip_bytes(LinkType::Ethernet, &ethernet(ethertype, &ip())),
                Err(Skip::NotIp)
            );
        }
    }
}
