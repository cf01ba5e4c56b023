//! The link header: from a captured packet to the IP packet in it.

use super::captured::Captured;
use super::encapsulation::Encapsulation;
use super::layers::{Layer, be16, descend};
use super::{Skip, ieee80211};
use crate::capture::{LinkType, Packet};

/// An IP packet, with whatever the link appended to it (padding, checksum).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkPayload<'a> {
    pub(super) ip: Captured<'a>,
    pub(super) tap: Tap,
    /// A number for the addresses on the link, where it has any.
    pub(super) stations: u64,
    pub(super) encapsulation: Encapsulation,
}

/// The point on its way through the capturing host at which a packet was seen, as far as it matters
/// for finding second copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tap {
    /// On a link where each packet passes once.
    Once,
    /// On Linux's loopback device, which may show packets both outgoing and incoming.
    Loopback,
    /// In a Linux cooked capture, which may show a packet at several places.
    Cooked(TapPoint),
}

/// A place at which a cooked capture sees packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TapPoint {
    /// Interface index; 0 where the header has none (cooked v1).
    pub(super) interface: u32,
    pub(super) direction: LinkDirection,
}

/// Whether the capturing host sent a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkDirection {
    Outgoing,
    Incoming,
}

/// `PACKET_OUTGOING` of `linux/if_packet.h`.
const PACKET_OUTGOING: u16 = 4;

pub(super) const ETHERNET_HEADER: usize = 14;

/// Finds the IP packet behind the link header.
pub(super) fn strip<'a>(packet: &Packet<'a>) -> Result<LinkPayload<'a>, Skip> {
    let on_link = usize::try_from(packet.original_bytes).unwrap_or(usize::MAX);
    let frame = Captured::new(packet.data, on_link.saturating_sub(packet.data.len()));
    match packet.link_type {
        LinkType::Ethernet => ethernet(frame),
        other => strip_other(other, frame),
    }
}

fn ethernet(frame: Captured<'_>) -> Result<LinkPayload<'_>, Skip> {
    let header = frame.header(ETHERNET_HEADER)?;
    let tap = tap(header);
    Ok(LinkPayload {
        stations: stations(header),
        ..behind(Layer::Ethernet, frame, tap)?
    })
}

/// The tap of an Ethernet header.
#[inline(always)]
pub(super) fn tap(header: &[u8]) -> Tap {
    // The loopback device has no addresses of its own.
    if header[..12] == [0; 12] {
        Tap::Loopback
    } else {
        Tap::Once
    }
}

/// A number for the two addresses of an Ethernet header.
#[inline(always)]
pub(super) fn stations(header: &[u8]) -> u64 {
    let word = |at: usize| {
        u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    let (first, second, third) = (word(0), word(4), word(8));
    (u64::from(first) << 32 | u64::from(second)) ^ u64::from(third.rotate_left(7))
}

fn behind(layer: Layer, frame: Captured<'_>, tap: Tap) -> Result<LinkPayload<'_>, Skip> {
    let mut encapsulation = Encapsulation::NONE;
    let ip = descend(layer, frame, &mut encapsulation)?;
    Ok(LinkPayload {
        ip,
        tap,
        stations: 0,
        encapsulation,
    })
}

#[inline(never)]
fn strip_other(link_type: LinkType, frame: Captured<'_>) -> Result<LinkPayload<'_>, Skip> {
    let once = |layer, header: usize| behind(layer, frame.after(header), Tap::Once);
    match link_type {
        LinkType::Ethernet => ethernet(frame),
        LinkType::RawIp | LinkType::Ipv4 | LinkType::Ipv6 => once(Layer::Ip, 0),
        LinkType::LinuxCooked => cooked(frame),
        LinkType::LinuxCooked2 => cooked2(frame),
        LinkType::Null | LinkType::Loop => once(Layer::Ip, address_family(frame)?),
        LinkType::Ppp => once(Layer::Ppp, 0),
        LinkType::PppHdlc => match frame.header(1)?[0] {
            // Its frames may be Cisco's as well.
            CISCO_UNICAST | CISCO_MULTICAST => cisco_hdlc(frame),
            _ => once(Layer::Ppp, 0),
        },
        LinkType::CiscoHdlc => cisco_hdlc(frame),
        LinkType::PppOe => once(Layer::PppOe, 0),
        // A byte before the frame gives its direction.
        LinkType::PppWithDirection => {
            frame.header(1)?;
            once(Layer::Ppp, 1)
        }
        LinkType::Mpls => once(Layer::Mpls, 0),
        LinkType::IpOverInfiniband => ip_over_infiniband(frame),
        LinkType::Ieee80211 => wireless(frame, ieee80211::frame),
        LinkType::Ieee80211Radiotap => wireless(frame, ieee80211::radiotap),
        LinkType::Ieee80211Prism | LinkType::Ieee80211Avs => {
            wireless(frame, ieee80211::prism_or_avs)
        }
        LinkType::Nflog => nflog(frame),
        LinkType::Pktap => pktap(frame),
        LinkType::Other(_) => Err(Skip::LinkType),
    }
}

fn wireless<'a>(
    frame: Captured<'a>,
    read: impl FnOnce(Captured<'a>, &mut Encapsulation) -> Result<Captured<'a>, Skip>,
) -> Result<LinkPayload<'a>, Skip> {
    let mut encapsulation = Encapsulation::NONE;
    Ok(LinkPayload {
        ip: read(frame, &mut encapsulation)?,
        tap: Tap::Once,
        stations: 0,
        encapsulation,
    })
}

/// <https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html>: packet type,
/// ARPHRD type, address length and address, then the protocol.
fn cooked(frame: Captured<'_>) -> Result<LinkPayload<'_>, Skip> {
    const HEADER: usize = 16;
    let header = frame.header(HEADER)?;
    let place = TapPoint {
        interface: 0,
        direction: direction(be16(header, 0)),
    };
    let layer = cooked_protocol(be16(header, 14));
    behind(layer, frame.after(HEADER), Tap::Cooked(place))
}

/// <https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html>: protocol, two
/// reserved bytes, interface index, ARPHRD type, packet type, address length
/// and address.
fn cooked2(frame: Captured<'_>) -> Result<LinkPayload<'_>, Skip> {
    const HEADER: usize = 20;
    let header = frame.header(HEADER)?;
    let place = TapPoint {
        interface: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        direction: direction(u16::from(header[10])),
    };
    let layer = cooked_protocol(be16(header, 0));
    behind(layer, frame.after(HEADER), Tap::Cooked(place))
}

const fn direction(packet_type: u16) -> LinkDirection {
    match packet_type {
        PACKET_OUTGOING => LinkDirection::Outgoing,
        _ => LinkDirection::Incoming,
    }
}

/// An EtherType, or one of Linux's own numbers below all of these.
const fn cooked_protocol(protocol: u16) -> Layer {
    /// `ETH_P_802_2` of `linux/if_ether.h`.
    const LLC: u16 = 0x0004;
    match protocol {
        LLC => Layer::Llc,
        ethertype => Layer::EtherType(ethertype),
    }
}

/// Length of BSD's loopback header, an address family of four bytes. It is in the byte
/// order of whoever wrote the capture, which only its size shows: families are small.
fn address_family(frame: Captured<'_>) -> Result<usize, Skip> {
    const HEADER: usize = 4;
    const INET: u32 = 2;
    // Linux, NetBSD and OpenBSD, FreeBSD, Darwin.
    const INET6: [u32; 4] = [10, 24, 28, 30];
    let header = frame.header(HEADER)?;
    let family = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
    let family = family.min(family.swap_bytes());
    if family == INET || INET6.contains(&family) {
        Ok(HEADER)
    } else {
        Err(Skip::NotIp)
    }
}

/// The address byte of Cisco's HDLC.
const CISCO_UNICAST: u8 = 0x0f;
const CISCO_MULTICAST: u8 = 0x8f;

/// <https://www.tcpdump.org/linktypes.html>, `LINKTYPE_C_HDLC`: address, control, and
/// an EtherType.
fn cisco_hdlc(frame: Captured<'_>) -> Result<LinkPayload<'_>, Skip> {
    let header = frame.header(4)?;
    let layer = Layer::EtherType(be16(header, 2));
    behind(layer, frame.after(4), Tap::Once)
}

/// RFC 4391, 6: an EtherType and two reserved bytes; before them, as captured, a global
/// route header of 40 bytes.
fn ip_over_infiniband(frame: Captured<'_>) -> Result<LinkPayload<'_>, Skip> {
    const ROUTE: usize = 40;
    let header = frame.header(ROUTE + 4)?;
    let layer = Layer::EtherType(be16(header, ROUTE));
    behind(layer, frame.after(ROUTE + 4), Tap::Once)
}

/// <https://www.tcpdump.org/linktypes/LINKTYPE_NFLOG.html>: address family, version 0 and
/// a resource id; then values with length and type, each padded to four bytes. Lengths
/// are in the byte order of the capturing host.
fn nflog(frame: Captured<'_>) -> Result<LinkPayload<'_>, Skip> {
    const HEADER: usize = 4;
    const PAYLOAD: u16 = 9;
    let header = frame.header(HEADER)?;
    let (family, version) = (header[0], header[1]);
    const INET: u8 = 2;
    const INET6: u8 = 10;
    if version != 0 || !matches!(family, INET | INET6) {
        return Err(Skip::NotIp);
    }
    let values = frame.after(HEADER);
    let first = values.header(4)?;
    // The first value is short, so that only one order makes sense of its length.
    let read = if u16::from_le_bytes([first[0], first[1]]) <= be16(first, 0) {
        u16::from_le_bytes
    } else {
        u16::from_be_bytes
    };
    let mut rest = values;
    loop {
        let value = rest.header(4)?;
        let length = usize::from(read([value[0], value[1]]));
        if length < 4 {
            return Err(Skip::BadHeader);
        }
        if read([value[2], value[3]]) == PAYLOAD {
            return behind(Layer::Ip, rest.first(length).after(4), Tap::Once);
        }
        rest = rest.after(length.next_multiple_of(4));
    }
}

/// <https://www.tcpdump.org/linktypes/LINKTYPE_PKTAP.html>: length of the header, type of
/// the record, and the link type of the packet behind it, each of four bytes.
fn pktap(frame: Captured<'_>) -> Result<LinkPayload<'_>, Skip> {
    const FIXED: usize = 12;
    const PACKET: u32 = 1;
    let fixed = frame.header(FIXED)?;
    let word =
        |at: usize| u32::from_le_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
    let length = usize::try_from(word(0)).map_err(|_| Skip::BadHeader)?;
    if length < FIXED {
        return Err(Skip::BadHeader);
    }
    frame.header(length)?;
    if word(4) != PACKET {
        return Err(Skip::NotIp);
    }
    match LinkType::from_number(word(8)) {
        // Within itself it would have no bound.
        LinkType::Pktap => Err(Skip::Nesting),
        link_type => strip_other(link_type, frame.after(length)),
    }
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
            interface: crate::capture::InterfaceId::default(),
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
        let payload = strip_bytes(link_type, &frame).unwrap();
        assert_eq!((payload.ip, payload.tap), (ip, tap), "{link_type:?}");
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
        let place = |interface, direction| {
            Tap::Cooked(TapPoint {
                interface,
                direction,
            })
        };
        finds_ip(
            LinkType::LinuxCooked,
            &header,
            place(0, LinkDirection::Outgoing),
        );
        header[1] = 0;
        finds_ip(
            LinkType::LinuxCooked,
            &header,
            place(0, LinkDirection::Incoming),
        );

        let mut header = vec![0x08, 0x00, 0, 0, 0, 0, 1, 2, 3, 4, 4, 6];
        header.extend([0; 8]);
        finds_ip(
            LinkType::LinuxCooked2,
            &header,
            place(0x102, LinkDirection::Outgoing),
        );
        header[10] = 0;
        finds_ip(
            LinkType::LinuxCooked2,
            &header,
            place(0x102, LinkDirection::Incoming),
        );
    }

    #[test]
    fn cooked_frames_can_have_vlan_tags() {
        let mut header = vec![0, 0, 0, 1, 0, 6];
        header.extend([0; 8]);
        header.extend([0x81, 0x00, 0, 5, 0x08, 0x00]);
        let place = TapPoint {
            interface: 0,
            direction: LinkDirection::Incoming,
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

    #[test]
    fn ethernet_may_carry_llc_and_ppp() {
        let mut jumbo = vec![7; 12];
        jumbo.extend([0x88, 0x70, 0xaa, 0xaa, 0x03, 0, 0, 0, 0x08, 0x00]);
        finds_ip(LinkType::Ethernet, &jumbo, Tap::Once);

        let length = u8::try_from(2 + ip().len()).unwrap();
        let ppp = |version_and_type, code| {
            let mut header = vec![7; 12];
            header.extend([0x88, 0x64, version_and_type, code, 0, 1, 0, length]);
            header.extend([0x00, 0x21]);
            header
        };
        finds_ip(LinkType::Ethernet, &ppp(0x11, 0), Tap::Once);
        for (version_and_type, code) in [(0x12, 0), (0x21, 0), (0x11, 0xa7), (0x12, 9)] {
            let frame = [ppp(version_and_type, code), ip()].concat();
            assert_eq!(strip_bytes(LinkType::Ethernet, &frame), Err(Skip::NotIp));
        }
    }
}
