//! Packets that a capture holds twice, and senders that repeat themselves; captures that
//! are parts of one.

use super::{Shipped, list, short_exchange, tcp_flow, udp_flow, udp6_flow};
use crate::carry::{self, Prefix};
use crate::file::{Interface, Pcap, PcapngFile};
use crate::message::client_data;
use crate::{ByteOrder, Captured, End, Link, VlanTag, Wire};

pub(super) fn captures() -> Vec<Shipped> {
    let mut captures = list(
        "copies.rs",
        vec![
            (
                "dup-span-udp.pcap",
                "a span port that mirrors what goes in and what comes out: every datagram twice, 4 µs apart",
                doubled(&udp(Link::Ethernet(vec![CUSTOMER])), Copy::Same),
            ),
            (
                "dup-span-udp-ipv6.pcap",
                "the same over IPv6, which numbers no packets",
                doubled(&udp6(), Copy::Same),
            ),
            (
                "dup-span-tcp.pcap",
                "the same over TCP",
                doubled(&tcp(Link::Ethernet(vec![CUSTOMER])), Copy::Same),
            ),
            (
                "dup-routed.pcap",
                "before and behind a router: other link addresses, one hop less, 2 ms later",
                doubled(&udp(Link::Ethernet(vec![CUSTOMER])), Copy::Routed),
            ),
            (
                "dup-interfaces.pcapng",
                "a bridge and an interface behind it in one pcapng, the packets of one with a VLAN tag",
                two_interfaces(),
            ),
            (
                "repeats.pcap",
                "a client that sends one message three times: at once with another IP id, and a second later with the same",
                repeats(),
            ),
        ],
    );
    captures.extend(list("copies.rs", sets()));
    captures
}

const CUSTOMER: VlanTag = VlanTag {
    protocol: 0x8100,
    id: 7,
};

/// What a second copy looks like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Copy {
    Same,
    Routed,
}

fn udp(link: Link) -> Wire {
    let mut wire = Wire::new(link);
    carry::over_udp(&mut wire, udp_flow(), &short_exchange());
    wire
}

fn udp6() -> Wire {
    let mut wire = Wire::new(Link::Ethernet(vec![CUSTOMER]));
    carry::over_udp(&mut wire, udp6_flow(), &short_exchange());
    wire
}

fn tcp(link: Link) -> Wire {
    let mut wire = Wire::new(link);
    carry::over_tcp(&mut wire, &mut tcp_flow(), Prefix::U32, &short_exchange());
    wire
}

/// Each packet, and its copy.
fn doubled(wire: &Wire, copy: Copy) -> Vec<u8> {
    let mut doubled = Wire::new(wire.link.clone());
    for packet in &wire.packets {
        let mut second = packet.clone();
        match copy {
            Copy::Same => second.nanos += 4_000,
            Copy::Routed => {
                second.nanos += 2_000_000;
                second.data[..12].copy_from_slice(&[2, 0, 0, 0, 0, 8, 2, 0, 0, 0, 0, 9]);
                // Behind Ethernet's header and the tag: time to live.
                second.data[14 + 4 + 8] -= 1;
            }
        }
        doubled.packets.extend([packet.clone(), second]);
    }
    doubled.packets.sort_by_key(|packet| packet.nanos);
    Pcap::USUAL.write(&doubled)
}

fn two_interfaces() -> Vec<u8> {
    let (bridge, behind) = (udp(Link::Ethernet(vec![CUSTOMER])), udp(Link::ETHERNET));
    let mut file = PcapngFile::new(ByteOrder::Little);
    file.interface(Interface::usual(1));
    file.interface(Interface::usual(1));
    for (first, second) in bridge.packets.iter().zip(&behind.packets) {
        let second = Captured {
            nanos: first.nanos + 30_000,
            ..second.clone()
        };
        file.packet(0, first).packet(1, &second);
    }
    file.finish()
}

fn repeats() -> Vec<u8> {
    let mut wire = udp(Link::ETHERNET);
    let close = wire.packets.pop().expect("the exchange ends with a close");
    let data = wire.packets[2].clone();
    // With the next id, 100 µs behind the first.
    let message = client_data(crate::message::id(0x0d_0e0f), b"ping?\n");
    wire.at((data.nanos / 1_000) + 100);
    udp_flow().send(&mut wire, End::Client, &message);
    wire.packets.push(Captured {
        nanos: data.nanos + 1_000_000_000,
        ..data
    });
    wire.packets.push(Captured {
        nanos: close.nanos + 2_000_000_000,
        ..close
    });
    wire.packets.sort_by_key(|packet| packet.nanos);
    Pcap::USUAL.write(&wire)
}

fn part<'a>(packets: impl IntoIterator<Item = &'a Captured>) -> Vec<u8> {
    let mut wire = Wire::new(Link::ETHERNET);
    wire.packets = packets.into_iter().cloned().collect();
    Pcap::USUAL.write(&wire)
}

fn sets() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let wire = udp(Link::ETHERNET);
    let packets = &wire.packets;
    let (to_server, to_client): (Vec<_>, Vec<_>) =
        packets.iter().partition(|packet| is_from_client(packet));
    vec![
        (
            "set-1.pcap",
            "the first of three rotated files that hold one conversation",
            part(&packets[..2]),
        ),
        ("set-2.pcap", "the second of them", part(&packets[2..4])),
        ("set-3.pcap", "the third of them", part(&packets[4..])),
        (
            "set-from-client.pcap",
            "what the client of that conversation sends, captured apart",
            part(to_server),
        ),
        (
            "set-from-server.pcap",
            "what its server sends",
            part(to_client),
        ),
    ]
}

/// Whether the source port, behind Ethernet's and IPv4's headers, is not the server's.
fn is_from_client(packet: &Captured) -> bool {
    packet.data[34..36] != 9004_u16.to_be_bytes()
}
