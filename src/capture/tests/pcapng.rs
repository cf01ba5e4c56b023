//! pcapng.

use super::{
    Owned, block, block_be, enhanced, interface, pcapng_sample, read_damaged, read_whole, section,
    section_be,
};
use crate::capture::LinkType;

fn owned(number: u64, nanos: i64, data: &[u8], original_bytes: u32) -> Owned {
    Owned {
        number,
        nanos,
        link_type: LinkType::Ethernet,
        data: data.to_vec(),
        original_bytes,
    }
}

#[test]
fn enhanced_simple_and_obsolete_packets_are_read_and_other_blocks_skipped() {
    assert_eq!(
        read_whole(&pcapng_sample().bytes),
        [
            owned(1, 1_000, b"", 60),
            owned(2, 2_000, b"abcde", 60),
            // A simple packet has the time of the packet before it.
            owned(3, 2_000, b"simpl", 5),
            owned(4, 9_000, b"ob", 2),
            owned(5, 3_000, b"last", 60),
        ]
    );
}

#[test]
fn sections_of_either_byte_order_have_interfaces_of_their_own() {
    let mut bytes = [section(), interface(1), interface(113), enhanced(1, b"a")].concat();
    let mut second = b"\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\x01\0\0\0\x01b\0\0\0".to_vec();
    second[3] = 0;
    bytes.extend(section_be());
    bytes.extend(block_be(1, b"\0\x65\0\0\0\0\0\0"));
    bytes.extend(block_be(6, &second));
    bytes.extend(section());
    bytes.extend(interface(0));
    bytes.extend(enhanced(3, b"c"));
    let packets = read_whole(&bytes);
    let summary: Vec<_> = packets
        .iter()
        .map(|packet| {
            (
                packet.number,
                packet.nanos,
                packet.link_type,
                &packet.data[..],
            )
        })
        .collect();
    assert_eq!(
        summary,
        [
            (1, 1_000, LinkType::Ethernet, &b"a"[..]),
            (2, 2_000, LinkType::RawIp, b"b"),
            (3, 3_000, LinkType::Null, b"c"),
        ]
    );
}

#[test]
fn each_interface_has_its_own_link_type_and_clock() {
    let mut bytes = section();
    // Nanoseconds; 2^-10 s; seconds, counted from 100 s before 1970.
    bytes.extend(block(
        1,
        b"\x01\0\0\0\0\0\0\0\x09\0\x01\0\x09\0\0\0\0\0\0\0",
    ));
    bytes.extend(block(1, b"\x71\0\0\0\0\0\0\0\x09\0\x01\0\x8a\0\0\0"));
    bytes.extend(block(
        1,
        b"\x65\0\0\0\0\0\0\0\x0e\0\x08\0\x9c\xff\xff\xff\xff\xff\xff\xff\x09\0\x01\0\0\0\0\0",
    ));
    for index in [2, 0, 1] {
        let mut body = vec![index, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0];
        body.extend_from_slice(&[0; 8]);
        bytes.extend(block(6, &body));
    }
    let packets = read_whole(&bytes);
    let times: Vec<_> = packets
        .iter()
        .map(|packet| (packet.link_type, packet.nanos))
        .collect();
    assert_eq!(
        times,
        [
            (LinkType::RawIp, 412_000_000_000),
            (LinkType::Ethernet, 512),
            (LinkType::LinuxCooked, 500_000_000),
        ]
    );
}

#[test]
fn the_time_offset_of_a_big_endian_section_is_big_endian() {
    let mut bytes = section_be();
    bytes.extend(block_be(
        1,
        b"\0\x01\0\0\0\0\0\0\0\x0e\0\x08\0\0\0\0\0\0\0\x05\0\x09\0\x01\x03\0\0\0",
    ));
    bytes.extend(block_be(6, b"\0\0\0\0\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\0"));
    assert_eq!(read_whole(&bytes)[0].nanos, 5_007_000_000);
}

#[test]
fn options_after_the_end_of_options_and_of_the_wrong_length_mean_nothing() {
    let resolution = b"\x09\0\x01\0\0\0\0\0";
    let cases: [&[u8]; 4] = [
        b"\0\0\0\0\x09\0\x01\0\0\0\0\0",
        b"\x09\0\x02\0\0\0\0\0",
        b"\x0e\0\x04\0\x01\0\0\0",
        // Longer than the block: not an option at all.
        b"\x09\0\xff\xff\0\0\0\0",
    ];
    for options in cases {
        let described = block(1, &[b"\x01\0\0\0\0\0\0\0", options].concat());
        let bytes = [section(), described, enhanced(7, b"x")].concat();
        assert_eq!(read_whole(&bytes)[0].nanos, 7_000, "{options:?}");
    }
    let described = block(1, &[b"\x01\0\0\0\0\0\0\0", &resolution[..]].concat());
    let bytes = [section(), described, enhanced(7, b"x")].concat();
    assert_eq!(read_whole(&bytes)[0].nanos, 7_000_000_000);
}

#[test]
fn a_simple_packet_is_cut_by_the_snap_length_of_the_first_interface() {
    for (snaplen, data) in [
        (0, &b"12345678"[..]),
        (3, b"123"),
        (8, b"12345678"),
        (99, b"12345678"),
    ] {
        let described = block(1, &[1, 0, 0, 0, snaplen, 0, 0, 0]);
        let simple = block(3, b"\x63\0\0\x0012345678");
        let packets = read_whole(&[section(), described, simple].concat());
        assert_eq!(packets, [owned(1, 0, data, 99)]);
    }
}

#[test]
fn packet_options_are_not_part_of_the_packet() {
    let mut body = b"\0\0\0\0\0\0\0\0\x01\0\0\0\x03\0\0\0\x03\0\0\0abc\0".to_vec();
    body.extend_from_slice(b"\x01\0\x02\0hi\0\0\0\0\0\0");
    let bytes = [section(), interface(1), block(6, &body)].concat();
    assert_eq!(read_whole(&bytes), [owned(1, 1_000, b"abc", 3)]);
}

#[test]
fn damage_is_told_with_its_place_after_all_packets_before_it() {
    let start = || [section(), interface(1), enhanced(1, b"good")].concat();
    let with_length = |length: u32| {
        let mut block = enhanced(2, b"bad!");
        block[4..8].copy_from_slice(&length.to_le_bytes());
        block
    };
    let cases = [
        (
            with_length(0),
            "block length 0 is not a multiple of 4 from 32 to 16777216",
        ),
        (
            with_length(28),
            "block length 28 is not a multiple of 4 from 32 to 16777216",
        ),
        (
            with_length(37),
            "block length 37 is not a multiple of 4 from 32 to 16777216",
        ),
        (
            with_length(0xffff_fffc),
            "block length 4294967292 is not a multiple of 4 from 32 to 16777216",
        ),
        (
            with_length(32),
            "block length is 32 before the block and 560226658 after it",
        ),
        (
            block(6, b"\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
            "interface 1 of 1 in this section",
        ),
        (
            block(2, b"\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
            "interface 1 of 1 in this section",
        ),
        (
            block(6, b"\0\0\0\0\0\0\0\0\0\0\0\0\x05\0\0\0\x05\0\0\0abcd"),
            "captured length 5 does not fit a block of 36 bytes",
        ),
        (
            block(2, b"\0\0\0\0\0\0\0\0\0\0\0\0\x05\0\0\0\x05\0\0\0abcd"),
            "captured length 5 does not fit a block of 36 bytes",
        ),
        (
            block(2, b"\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\x05\0\0\0"),
            "captured length 4294967295 is above the bound of 262144",
        ),
    ];
    for (bad, damage) in cases {
        let bytes = [start(), bad, enhanced(3, b"lost")].concat();
        let text = format!("test is damaged at packet 2 (offset 84): {damage}");
        assert_eq!(read_damaged(&bytes), (1, text));
    }
}

#[test]
fn the_longest_captured_length_is_that_of_pcap() {
    for (captured, is_read) in [(262_144_u32, true), (262_145, false)] {
        let mut body = vec![0; 12];
        body.extend_from_slice(&captured.to_le_bytes());
        body.extend_from_slice(&captured.to_le_bytes());
        body.resize(20 + 262_148, 7);
        let bytes = [section(), interface(1), block(6, &body)].concat();
        if is_read {
            assert_eq!(read_whole(&bytes)[0].data, vec![7; 262_144]);
        } else {
            assert_eq!(
                read_damaged(&bytes).1,
                "test is damaged at packet 1 (offset 48): \
                 captured length 262145 is above the bound of 262144"
            );
        }
    }
}

#[test]
fn damage_outside_of_packets_is_told_by_the_packet_before() {
    let start = || [section(), interface(1), enhanced(1, b"good")].concat();
    let mut unknown = block(0xbad, b"data");
    unknown[12] = 17;
    let mut section_of_no_order = section();
    section_of_no_order[8] = 0;
    let mut version_2 = section();
    version_2[12] = 2;
    for (bad, damage) in [
        (
            unknown,
            "block length is 16 before the block and 17 after it",
        ),
        (
            section_of_no_order,
            "byte-order magic 0x003c2b1a is unknown",
        ),
        (version_2, "pcapng version 2.0 is not supported, only 1.x"),
    ] {
        let text = format!("test is damaged at a block after packet 1 (offset 84): {damage}");
        assert_eq!(read_damaged(&[start(), bad].concat()), (1, text));
    }
    assert_eq!(
        read_damaged(&[section(), enhanced(1, b"x")].concat()).1,
        "test is damaged at packet 1 (offset 28): interface 0 of 0 in this section"
    );
    assert_eq!(
        read_damaged(&[section(), block(3, b"\0\0\0\0")].concat()).1,
        "test is damaged at packet 1 (offset 28): interface 0 of 0 in this section"
    );
}

#[test]
fn a_damaged_first_header_is_no_capture() {
    let mut wrong_order = section();
    wrong_order[8] = 0;
    let mut short = section();
    short[4] = 24;
    for (bytes, text) in [
        (
            section()[..7].to_vec(),
            "it ends inside its pcapng header (7 of 8 bytes)",
        ),
        (
            section()[..11].to_vec(),
            "it ends inside its pcapng header (11 of 12 bytes)",
        ),
        (
            section()[..27].to_vec(),
            "it ends inside its pcapng header (27 of 28 bytes)",
        ),
        (
            wrong_order,
            "its pcapng header is damaged: byte-order magic 0x003c2b1a is unknown",
        ),
        (
            short,
            "its pcapng header is damaged: \
             block length 24 is not a multiple of 4 from 28 to 16777216",
        ),
    ] {
        let text = format!("test is not a capture file: {text}");
        assert_eq!(read_damaged(&bytes), (0, text));
    }
}

#[test]
fn the_interfaces_that_are_kept_are_bounded() {
    let mut bytes = section();
    for _ in 0..65_536 {
        bytes.extend(interface(1));
    }
    assert_eq!(read_whole(&bytes), []);
    bytes.extend(interface(1));
    assert_eq!(
        read_damaged(&bytes).1,
        "test is damaged at a block before packet 1 (offset 1310748): \
         more than 65536 interfaces in a section"
    );
}

#[test]
fn a_block_that_would_have_to_be_held_is_bounded() {
    for (kind, most) in [(6_u32, 1_u32 << 24), (1, 1 << 24), (3, 1 << 24)] {
        let mut bytes = section();
        bytes.extend(interface(1));
        bytes.extend(kind.to_le_bytes());
        bytes.extend((most + 4).to_le_bytes());
        bytes.extend([0; 64]);
        let (_, text) = read_damaged(&bytes);
        assert!(text.contains("to 16777216"), "{text}");
    }
}
