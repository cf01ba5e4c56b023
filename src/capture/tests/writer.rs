//! Written captures can be read.

use std::io;

use proptest::prelude::*;

use super::{Owned, read_whole};
use crate::capture::{ByteOrder, LinkType, PcapWriter, PcapngWriter, Precision};

fn packet(nanos: i64, link_type: LinkType, data: &[u8]) -> Owned {
    Owned {
        number: 1,
        nanos,
        link_type,
        data: data.to_vec(),
        original_bytes: 100,
    }
}

#[test]
fn a_pcapng_file_has_these_bytes() {
    let mut writer = PcapngWriter::new(Vec::new()).unwrap();
    let first = packet(0x0102_0304_0506_0708, LinkType::Ethernet, b"abcde");
    writer.write_commented(&first.borrow(), "why").unwrap();
    let expected = [
        // Section header.
        &b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0"[..],
        b"\xff\xff\xff\xff\xff\xff\xff\xff\x1c\0\0\0",
        // Interface: Ethernet, 262144 bytes, nanoseconds.
        b"\x01\0\0\0\x20\0\0\0\x01\0\0\0\0\0\x04\0",
        b"\x09\0\x01\0\x09\0\0\0\0\0\0\0\x20\0\0\0",
        // Packet.
        b"\x06\0\0\0\x34\0\0\0\0\0\0\0\x04\x03\x02\x01\x08\x07\x06\x05",
        b"\x05\0\0\0\x64\0\0\0abcde\0\0\0",
        b"\x01\0\x03\0why\0\0\0\0\0\x34\0\0\0",
    ]
    .concat();
    assert_eq!(writer.into_inner(), expected);
}

#[test]
fn a_pcap_file_has_these_bytes() {
    let second = packet(1_000_002_345, LinkType::RawIp, b"x");
    for (precision, order, expected) in [
        (
            Precision::Micro,
            ByteOrder::Little,
            &b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x65\0\0\0\
               \x01\0\0\0\x02\0\0\0\x01\0\0\0\x64\0\0\0x"[..],
        ),
        (
            Precision::Nano,
            ByteOrder::Big,
            b"\xa1\xb2\x3c\x4d\0\x02\0\x04\0\0\0\0\0\0\0\0\0\x04\0\0\0\0\0\x65\
              \0\0\0\x01\0\0\x09\x29\0\0\0\x01\0\0\0\x64x",
        ),
    ] {
        let mut writer = PcapWriter::new(Vec::new(), LinkType::RawIp, precision, order).unwrap();
        writer.write(&second.borrow()).unwrap();
        assert_eq!(writer.into_inner(), expected);
    }
}

#[test]
fn what_a_file_cannot_hold_is_refused() {
    let refused = |result: io::Result<()>| {
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    };
    let long = packet(0, LinkType::Ethernet, &vec![0; 262_145]);
    let odd = packet(0, LinkType::Other(65_536), b"");
    let early = packet(-1, LinkType::Ethernet, b"");
    let late = packet(4_294_967_296_000_000_000, LinkType::Ethernet, b"");
    let mut pcapng = PcapngWriter::new(Vec::new()).unwrap();
    refused(pcapng.write(&long.borrow()));
    refused(pcapng.write(&odd.borrow()));
    refused(pcapng.write_commented(&early.borrow(), &"x".repeat(65_536)));
    let (precision, order) = (Precision::Micro, ByteOrder::Little);
    let mut pcap = PcapWriter::new(Vec::new(), LinkType::Ethernet, precision, order).unwrap();
    for packet in [&long, &odd, &early, &late] {
        refused(pcap.write(&packet.borrow()));
    }
    assert_eq!(read_whole(&pcapng.into_inner()), []);
    assert_eq!(read_whole(&pcap.into_inner()), []);
}

#[test]
fn the_largest_packet_and_comment_are_written() {
    let long = packet(i64::MAX, LinkType::Other(65_535), &vec![3; 262_144]);
    let mut writer = PcapngWriter::new(Vec::new()).unwrap();
    writer
        .write_commented(&long.borrow(), &"x".repeat(65_535))
        .unwrap();
    assert_eq!(read_whole(&writer.into_inner()), [long]);
}

fn link_types() -> impl Strategy<Value = LinkType> {
    prop_oneof![
        Just(LinkType::Ethernet),
        Just(LinkType::LinuxCooked2),
        (0..=65_535_u32).prop_map(LinkType::from_number),
    ]
}

fn packets(times: impl Strategy<Value = i64>) -> impl Strategy<Value = Vec<Owned>> {
    let data = prop::collection::vec(any::<u8>(), 0..300);
    let packet = (times, link_types(), data, any::<u32>());
    prop::collection::vec(packet, 0..20).prop_map(|packets| {
        let numbered = (1..).zip(packets);
        numbered
            .map(|(number, (nanos, link_type, data, original_bytes))| Owned {
                number,
                nanos,
                link_type,
                data,
                original_bytes,
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn pcapng_keeps_every_packet(
        packets in packets(any::<i64>()),
        comment in prop::option::of(".{0,20}"),
    ) {
        let mut writer = PcapngWriter::new(Vec::new()).unwrap();
        for packet in &packets {
            match &comment {
                Some(comment) => writer.write_commented(&packet.borrow(), comment).unwrap(),
                None => writer.write(&packet.borrow()).unwrap(),
            }
        }
        prop_assert_eq!(read_whole(&writer.into_inner()), packets);
    }

    #[test]
    fn pcap_keeps_every_packet_to_its_precision(
        packets in packets(0..4_294_967_296_000_000_000_i64),
        precision in prop_oneof![Just(Precision::Micro), Just(Precision::Nano)],
        order in prop_oneof![Just(ByteOrder::Little), Just(ByteOrder::Big)],
    ) {
        let out = Vec::new();
        let mut writer = PcapWriter::new(out, LinkType::Ipv4, precision, order).unwrap();
        let unit = match precision {
            Precision::Micro => 1_000,
            Precision::Nano => 1,
        };
        let mut expected = packets;
        for packet in &mut expected {
            packet.link_type = LinkType::Ipv4;
            writer.write(&packet.borrow()).unwrap();
            packet.nanos -= packet.nanos % unit;
        }
        prop_assert_eq!(read_whole(&writer.into_inner()), expected);
    }
}
