//! One short conversation on every link type.

use super::{Shipped, list, short_exchange, udp_flow, udp6_flow};
use crate::carry;
use crate::file::Pcap;
use crate::ip;
use crate::{ByteOrder, Link, SllPacketType, UdpFlow, VlanTag, Wire};

const CUSTOMER: VlanTag = VlanTag {
    protocol: 0x8100,
    id: 7,
};
const SERVICE: VlanTag = VlanTag {
    protocol: 0x88a8,
    id: 100,
};

pub(super) fn captures() -> Vec<Shipped> {
    let ipv4 = |link| short(link, udp_flow());
    list(
        "links.rs",
        vec![
            (
                "link-null.pcap",
                "BSD loopback (0), little-endian family",
                ipv4(Link::Null(ByteOrder::Little)),
            ),
            (
                "link-null-be.pcap",
                "BSD loopback (0), big-endian family",
                ipv4(Link::Null(ByteOrder::Big)),
            ),
            (
                "link-null-ipv6.pcap",
                "BSD loopback (0) with FreeBSD's number for IPv6",
                short(Link::Null(ByteOrder::Little), udp6_flow()),
            ),
            ("link-loop.pcap", "OpenBSD loopback (108)", ipv4(Link::Loop)),
            ("link-raw.pcap", "raw IP (101)", ipv4(Link::RawIp)),
            (
                "link-raw-ipv6.pcap",
                "raw IP (101) with IPv6",
                short(Link::RawIp, udp6_flow()),
            ),
            ("link-ipv4.pcap", "raw IPv4 (228)", ipv4(Link::Ipv4)),
            (
                "link-ipv6.pcap",
                "raw IPv6 (229)",
                short(Link::Ipv6, udp6_flow()),
            ),
            (
                "link-ethernet-ipv6.pcap",
                "Ethernet with IPv6",
                short(Link::ETHERNET, udp6_flow()),
            ),
            (
                "link-ethernet-padding.pcap",
                "Ethernet with short packets padded to 60 bytes, among ARP",
                padded(),
            ),
            (
                "link-vlan.pcap",
                "Ethernet with a VLAN tag",
                ipv4(Link::Ethernet(vec![CUSTOMER])),
            ),
            (
                "link-qinq.pcap",
                "Ethernet with four VLAN tags in a stack",
                ipv4(Link::Ethernet(vec![SERVICE, SERVICE, CUSTOMER, CUSTOMER])),
            ),
            (
                "link-sll.pcap",
                "Linux cooked capture (113)",
                ipv4(Link::LinuxCooked(SllPacketType::ToUs)),
            ),
            (
                "link-sll2.pcap",
                "Linux cooked capture v2 (276)",
                ipv4(Link::LinuxCooked2(SllPacketType::ToUs)),
            ),
            (
                "link-unsupported.pcap",
                "a link type that is not supported (USB, 189): nothing to show, every packet counted as skipped",
                ipv4(Link::Other(189)),
            ),
            (
                "any-duplicates.pcap",
                "a capture on `any` that holds each packet twice, outgoing and incoming",
                duplicates(),
            ),
        ],
    )
}

fn short(link: Link, flow: UdpFlow) -> Vec<u8> {
    let mut wire = Wire::new(link);
    carry::over_udp(&mut wire, flow, &short_exchange());
    Pcap::USUAL.write(&wire)
}

fn padded() -> Vec<u8> {
    let mut wire = Wire::new(Link::ETHERNET);
    // A broadcast that asks who has an address: ARP is not IP.
    let mut arp = vec![0xff; 6];
    arp.extend([2, 0, 0, 0, 0, 1, 0x08, 0x06]);
    arp.extend([0, 1, 8, 0, 6, 4, 0, 1]);
    arp.resize(60, 0);
    wire.push_frame(arp);
    let flow = udp_flow();
    for sent in short_exchange() {
        wire.at(sent.micros + 1_000);
        let path = flow.path(sent.from);
        let datagram = crate::udp::datagram(path, &sent.message);
        let packet = ip::packet(path, ip::UDP, wire.next_identification(), &datagram);
        wire.push_padded(&packet);
    }
    Pcap::USUAL.write(&wire)
}

fn duplicates() -> Vec<u8> {
    let mut wire = Wire::new(Link::LinuxCooked(SllPacketType::Outgoing));
    carry::over_udp(&mut wire, udp_flow(), &short_exchange());
    let copies = wire.packets.iter().map(|sent| {
        let mut received = sent.clone();
        received.nanos += 1_000;
        // The packet type in the cooked header: from outgoing to incoming.
        received.data[1] = 0;
        [sent.clone(), received]
    });
    wire.packets = copies.flatten().collect();
    Pcap::USUAL.write(&wire)
}
