//! One short conversation in every capture format.

use super::{Shipped, list, short_exchange, udp_flow, udp_pcap};
use crate::carry;
use crate::file::{Interface, Pcap, PcapngFile, Resolution};
use crate::{ByteOrder, Link, SllPacketType, Wire, sample_destination, samples};

pub(super) fn captures() -> Vec<Shipped> {
    let pcap = |order, resolution| {
        Pcap {
            order,
            resolution,
            ..Pcap::USUAL
        }
        .write(&short_wire(Link::ETHERNET))
    };
    list(
        "formats.rs",
        vec![
            (
                "format-pcap-be.pcap",
                "pcap, big-endian, microseconds",
                pcap(ByteOrder::Big, Resolution::Micros),
            ),
            (
                "format-pcap-ns.pcap",
                "pcap, little-endian, nanoseconds",
                pcap(ByteOrder::Little, Resolution::Nanos),
            ),
            (
                "format-pcap-ns-be.pcap",
                "pcap, big-endian, nanoseconds",
                pcap(ByteOrder::Big, Resolution::Nanos),
            ),
            (
                "format-pcapng.pcapng",
                "pcapng, little-endian, with blocks to be skipped: names, statistics, an unknown one",
                pcapng(ByteOrder::Little),
            ),
            (
                "format-pcapng-be.pcapng",
                "the same, big-endian",
                pcapng(ByteOrder::Big),
            ),
            (
                "format-pcapng-sections.pcapng",
                "pcapng with two sections of different byte order, interfaces of different link type, resolution and time offset",
                sections(),
            ),
            (
                "format-pcapng-simple.pcapng",
                "pcapng with simple packet blocks, which have no time, and an obsolete packet block",
                simple_packets(),
            ),
            (
                "spec-samples.pcap.gz",
                "spec-samples.pcap, compressed with gzip",
                udp_pcap(&samples::documented(&sample_destination())),
            ),
            (
                "spec-samples.pcap.zst",
                "spec-samples.pcap, compressed with Zstandard",
                udp_pcap(&samples::documented(&sample_destination())),
            ),
        ],
    )
}

fn short_wire(link: Link) -> Wire {
    let mut wire = Wire::new(link);
    carry::over_udp(&mut wire, udp_flow(), &short_exchange());
    wire
}

fn pcapng(order: ByteOrder) -> Vec<u8> {
    let wire = short_wire(Link::ETHERNET);
    let mut file = PcapngFile::new(order);
    file.interface(Interface::usual(1)).names();
    for packet in &wire.packets {
        file.packet(0, packet);
    }
    // A block type for local use.
    file.block(0x8000_0001, b"skip me").statistics(0, 0);
    file.finish()
}

/// The conversation's five packets alternate between interfaces and go on in
/// a second section.
fn sections() -> Vec<u8> {
    let ethernet = short_wire(Link::ETHERNET);
    let cooked = short_wire(Link::LinuxCooked(SllPacketType::ToUs));
    let raw = short_wire(Link::RawIp);
    let mut file = PcapngFile::new(ByteOrder::Little);
    file.interface(Interface {
        resolution: Some(9),
        ..Interface::usual(1)
    });
    file.packet(0, &ethernet.packets[0]);
    file.interface(Interface {
        // Ticks of 2^-20 seconds.
        resolution: Some(0x80 | 20),
        ..Interface::usual(113)
    });
    file.packet(1, &cooked.packets[1]);
    file.packet(0, &ethernet.packets[2]);
    file.section(ByteOrder::Big);
    file.interface(Interface {
        resolution: Some(3),
        offset_seconds: 1_000_000_000,
        ..Interface::usual(101)
    });
    file.packet(0, &raw.packets[3]).packet(0, &raw.packets[4]);
    file.finish()
}

fn simple_packets() -> Vec<u8> {
    let wire = short_wire(Link::ETHERNET);
    let mut file = PcapngFile::new(ByteOrder::Little);
    file.interface(Interface::usual(1));
    file.packet(0, &wire.packets[0]);
    for packet in &wire.packets[1..4] {
        file.simple_packet(packet);
    }
    file.obsolete_packet(0, &wire.packets[4]);
    file.finish()
}
