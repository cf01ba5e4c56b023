//! Capture files that end too early or lie about their lengths.

use super::{Shipped, list, short_exchange, udp_flow, udp_pcap};
use crate::file::{Interface, Pcap, PcapngFile};
use crate::{ByteOrder, Link, Wire, carry, sample_destination, samples};

pub(super) fn captures() -> Vec<Shipped> {
    list(
        "damaged.rs",
        vec![
            (
                "truncated.pcap",
                "spec-samples.pcap without its last 20 bytes: ends inside packet 14",
                without_last(20, udp_pcap(&samples::documented(&sample_destination()))),
            ),
            (
                "truncated-header.pcap",
                "a pcap that ends inside the header of its fifth packet",
                truncated_header(),
            ),
            (
                "truncated.pcapng",
                "a pcapng that ends inside its fifth packet",
                without_last(20, pcapng(|_| {})),
            ),
            (
                "damaged-length.pcap",
                "a pcap whose fourth packet says that it has 4294967280 bytes",
                damaged_length(),
            ),
            (
                "damaged-block.pcapng",
                "a pcapng with a block whose length is smaller than its own header, after three packets",
                pcapng(damage),
            ),
        ],
    )
}

fn without_last(count: usize, mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len().saturating_sub(count));
    bytes
}

fn short_wire() -> Wire {
    let mut wire = Wire::new(Link::ETHERNET);
    carry::over_udp(&mut wire, udp_flow(), &short_exchange());
    wire
}

fn truncated_header() -> Vec<u8> {
    let wire = short_wire();
    let last = &wire.packets[4];
    without_last(last.data.len() + 6, Pcap::USUAL.write(&wire))
}

fn damaged_length() -> Vec<u8> {
    let wire = short_wire();
    let mut bytes = Pcap::USUAL.header(1);
    for (packet, number) in wire.packets.iter().zip(1..) {
        let mut record = Pcap::USUAL.record(packet);
        if number == 4 {
            record[8..12].copy_from_slice(&ByteOrder::Little.u32(0xffff_fff0));
        }
        bytes.extend(record);
    }
    bytes
}

/// Five packets; after the third, whatever `between` adds.
fn pcapng(between: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let wire = short_wire();
    let mut file = PcapngFile::new(ByteOrder::Little);
    file.interface(Interface::usual(1));
    for packet in &wire.packets[..3] {
        file.packet(0, packet);
    }
    let mut bytes = file.finish();
    let before = bytes.len();
    for packet in &wire.packets[3..] {
        file.packet(0, packet);
    }
    between(&mut bytes);
    bytes.extend_from_slice(&file.finish()[before..]);
    bytes
}

/// An enhanced packet block of 4 bytes.
fn damage(bytes: &mut Vec<u8>) {
    for number in [6, 4, 4] {
        bytes.extend(ByteOrder::Little.u32(number));
    }
}
