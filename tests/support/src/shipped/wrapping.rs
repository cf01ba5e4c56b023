//! One conversation in everything that wraps packets.

use std::net::SocketAddr;

use super::{Shipped, short_exchange, tcp_flow, udp_flow};
use crate::carry::{self, Prefix};
use crate::file::{Interface, Pcap, PcapngFile};
use crate::wrapping::{ALL, TEREDO, Wrapping};
use crate::{ByteOrder, Link, UdpFlow, Wire};

pub(super) fn captures() -> Vec<Shipped> {
    let mut captures: Vec<Shipped> = NAMES
        .iter()
        .map(|&(name, shows)| {
            let wrapping = name.trim_start_matches("wrap-").trim_end_matches(".pcap");
            shipped(name, shows, wrapped(find(wrapping)))
        })
        .collect();
    captures.push(shipped(
        "wrap-several-links.pcapng",
        "the packets of one TCP connection on interfaces of five link types, with tunnels on some",
        several_links(),
    ));
    captures.push(shipped(
        "link-user0.pcap",
        "a link type for private use (user 0, 147), which nobody can read: a warning",
        unknown(147),
    ));
    captures
}

const NAMES: &[(&str, &str)] = &[
    ("wrap-pppoe.pcap", "a PPPoE session, with TCP"),
    (
        "wrap-mpls-ethernet.pcap",
        "a pseudowire over MPLS, with TCP",
    ),
    (
        "wrap-llc-snap.pcap",
        "LLC and SNAP in Ethernet frames with a length, with TCP",
    ),
    (
        "wrap-gre-key-sequence.pcap",
        "GRE with checksum, key and sequence number, with TCP",
    ),
    (
        "wrap-erspan-2.pcap",
        "a port mirrored through ERSPAN type II, with TCP",
    ),
    ("wrap-ipip.pcap", "IPv4 in IPv4, with TCP"),
    ("wrap-vxlan.pcap", "VXLAN, with UDP"),
    ("wrap-geneve.pcap", "Geneve with an option, with UDP"),
    (
        "wrap-gtp-u-extension.pcap",
        "GTP-U with an extension header, with UDP",
    ),
    (
        "wrap-teredo.pcap",
        "Teredo with an origin indication, with UDP over IPv6",
    ),
    (
        "wrap-radiotap.pcap",
        "802.11 with radiotap header, quality of service and a frame check sequence (127), with UDP",
    ),
    ("wrap-nflog.pcap", "NFLOG (239), with TCP"),
    (
        "wrap-pktap.pcap",
        "PKTAP with Ethernet in it (258), with UDP",
    ),
    ("wrap-ipoib.pcap", "IP over InfiniBand (242), with TCP"),
    ("wrap-cisco-hdlc.pcap", "Cisco HDLC (104), with TCP"),
    (
        "wrap-sll2-vlan.pcap",
        "Linux cooked v2 with a VLAN tag (276), with UDP",
    ),
];

fn shipped(name: &'static str, shows: &'static str, bytes: Vec<u8>) -> Shipped {
    Shipped {
        name,
        shows,
        recipe: "wrapping.rs",
        bytes,
    }
}

fn find(name: &str) -> Wrapping {
    let wrappings = ALL.iter().chain([&TEREDO]);
    *wrappings
        .into_iter()
        .find(|wrapping| wrapping.name == name)
        .unwrap_or_else(|| panic!("no wrapping is called {name}"))
}

/// Over UDP where UDP carries the tunnel or the link is a wireless one, over TCP elsewhere.
fn wrapped(wrapping: Wrapping) -> Vec<u8> {
    let mut wire = Wire::new(Link::RawIp);
    match wrapping.name {
        "teredo" => carry::over_udp(&mut wire, teredo_flow(), &short_exchange()),
        "vxlan" | "geneve" | "gtp-u-extension" | "radiotap" | "pktap" | "sll2-vlan" => {
            carry::over_udp(&mut wire, udp_flow(), &short_exchange());
        }
        _ => carry::over_tcp(&mut wire, &mut tcp_flow(), Prefix::U32, &short_exchange()),
    }
    wrapping.wrap(&mut wire);
    Pcap::USUAL.write(&wire)
}

/// Both ends have addresses of RFC 4380, 4.
fn teredo_flow() -> UdpFlow {
    let address = |last, port| SocketAddr::from(([0x2001, 0, 0x4136, 0xe378, 0, 0, 0, last], port));
    UdpFlow::new(address(1, 40112), address(2, 9004))
}

fn several_links() -> Vec<u8> {
    let mut wire = Wire::new(Link::RawIp);
    carry::over_tcp(&mut wire, &mut tcp_flow(), Prefix::U32, &short_exchange());
    let wrappings = ["vxlan", "sll-vlan", "nflog", "ppp-hdlc", "ipoib", "gre"].map(find);
    let mut file = PcapngFile::new(ByteOrder::Little);
    for wrapping in wrappings {
        file.interface(Interface::usual(wrapping.link_type));
    }
    for (packet, (interface, wrapping)) in wire.packets.iter_mut().zip((0..).zip(wrappings).cycle())
    {
        packet.data = (wrapping.frame)(&packet.data);
        packet.original_bytes = u32::try_from(packet.data.len()).expect("fixtures are small");
        file.packet(interface, packet);
    }
    file.finish()
}

fn unknown(link_type: u16) -> Vec<u8> {
    let mut wire = Wire::new(Link::Other(link_type));
    carry::over_udp(&mut wire, udp_flow(), &short_exchange());
    Pcap::USUAL.write(&wire)
}
