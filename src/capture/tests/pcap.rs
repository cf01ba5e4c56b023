//! Classic pcap.

use super::{Owned, pcap_sample, read_damaged, read_whole};
use crate::capture::{CaptureError, CaptureFormat, LinkType, PacketSource};

/// Ethernet; one packet of 5 of 64 bytes, 0x5e0be100 s and 0x0009fbf1 units.
const LITTLE: &[u8] = b"\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x01\0\0\0\
    \x00\xe1\x0b\x5e\xf1\xfb\x09\0\x05\0\0\0\x40\0\0\0hello";
const BIG: &[u8] = b"\0\x02\0\x04\0\0\0\0\0\0\0\0\0\x04\0\0\0\0\0\x01\
    \x5e\x0b\xe1\x00\0\x09\xfb\xf1\0\0\0\x05\0\0\0\x40hello";

#[test]
fn both_byte_orders_and_precisions_give_the_same_packet() {
    let cases: [(&[u8], &[u8], CaptureFormat, i64); 4] = [
        (b"\xd4\xc3\xb2\xa1", LITTLE, CaptureFormat::Pcap, 1_000),
        (b"\xa1\xb2\xc3\xd4", BIG, CaptureFormat::Pcap, 1_000),
        (
            b"\x4d\x3c\xb2\xa1",
            LITTLE,
            CaptureFormat::PcapNanosecond,
            1,
        ),
        (b"\xa1\xb2\x3c\x4d", BIG, CaptureFormat::PcapNanosecond, 1),
    ];
    for (magic, rest, format, unit_nanos) in cases {
        let bytes = [magic, rest].concat();
        let mut file = super::open(&bytes, super::BlockSize::DEFAULT).unwrap();
        let (packets, error) = super::drain(&mut file);
        assert!(error.is_none());
        assert_eq!(
            packets,
            [Owned {
                number: 1,
                nanos: 0x5e0b_e100 * 1_000_000_000 + 0x9_fbf1 * unit_nanos,
                link_type: LinkType::Ethernet,
                data: b"hello".to_vec(),
                original_bytes: 64,
            }]
        );
        let info = &file.inputs()[0];
        assert_eq!(info.format, format);
        assert_eq!(info.packet_count, 1);
        assert_eq!(info.link_type, Some(LinkType::Ethernet));
        assert!(!info.truncated);
    }
}

#[test]
fn the_largest_times_do_not_overflow() {
    for (magic, nanos) in [
        (0xa1b2_c3d4_u32, 4_294_971_589_967_295_000),
        (0xa1b2_3c4d, 4_294_967_299_294_967_295),
    ] {
        let mut bytes = magic.to_le_bytes().to_vec();
        bytes.extend_from_slice(&LITTLE[..20]);
        bytes.extend_from_slice(b"\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\0");
        assert_eq!(read_whole(&bytes)[0].nanos, nanos);
    }
}

#[test]
fn the_length_of_the_frame_check_sequence_is_not_part_of_the_link_type() {
    let mut bytes = pcap_sample().bytes;
    bytes[20..24].copy_from_slice(&[0x14, 0x01, 0, 0x24]);
    assert_eq!(read_whole(&bytes)[0].link_type, LinkType::LinuxCooked2);
}

#[test]
fn a_header_without_packets_is_an_empty_capture() {
    assert_eq!(read_whole(&pcap_sample().bytes[..24]), []);
}

#[test]
fn the_largest_packet_is_read_and_a_larger_one_is_damage() {
    let mut bytes = pcap_sample().bytes[..24].to_vec();
    bytes.extend_from_slice(b"\0\0\0\0\0\0\0\0\0\0\x04\0\0\0\x04\0");
    bytes.resize(24 + 16 + 262_144, 7);
    assert_eq!(read_whole(&bytes)[0].data.len(), 262_144);

    // Refused whether or not that many bytes follow.
    bytes[32] = 1;
    for trailing in [0, 1, 600_000] {
        let mut bytes = bytes.clone();
        bytes.resize(bytes.len() + trailing, 7);
        let text = "test is damaged at packet 1 (offset 24): \
                    captured length 262145 is above the bound of 262144";
        assert_eq!(read_damaged(&bytes), (0, text.into()));
    }
}

#[test]
fn a_cut_names_the_packet_the_offset_and_the_bytes() {
    let bytes = pcap_sample().bytes;
    for (cut, text) in [
        (25, "test ends inside packet 1 (offset 24, 1 of 16 bytes)"),
        (58, "test ends inside packet 3 (offset 57, 1 of 16 bytes)"),
        (73, "test ends inside packet 3 (offset 57, 16 of 18 bytes)"),
        (74, "test ends inside packet 3 (offset 57, 17 of 18 bytes)"),
    ] {
        assert_eq!(read_damaged(&bytes[..cut]).1, text);
    }
}

#[test]
fn after_its_error_a_file_is_at_its_end() {
    let bytes = &pcap_sample().bytes[..70];
    let mut file = super::open(bytes, super::BlockSize::DEFAULT).unwrap();
    let (packets, error) = super::drain(&mut file);
    assert_eq!(packets.len(), 2);
    assert!(matches!(error, Some(CaptureError::Truncated { .. })));
    assert!(file.inputs()[0].truncated);
    assert!(file.next_packet().unwrap().is_none());
}

#[test]
fn what_is_no_capture_is_called_what_it_is() {
    let modified = "modified (Kuznetzov) pcap is not supported; editcap -F pcap converts it";
    let cases: [(&[u8], &str); 9] = [
        (b"", "it is empty"),
        (b"\xd4", "it begins with d4"),
        (
            b"\xd4\xc3\xb2\xa1",
            "it ends inside its pcap header (4 of 24 bytes)",
        ),
        (
            b"\x4d\x3c\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x01\0\0",
            "it ends inside its pcap header (23 of 24 bytes)",
        ),
        (
            b"\xd4\xc3\xb2\xa1\x01\0\x02\0\0\0\0\0\0\0\0\0\0\0\x04\0\x01\0\0\0",
            "pcap version 1.2 is not supported, only 2.x",
        ),
        (b"\x34\xcd\xb2\xa1\x02\0", modified),
        (b"Hello, world\n", "it looks like text"),
        (b"{\"record\":", "it looks like records"),
        (b"\x7fELF\x02", "it looks like an ELF program"),
    ];
    for (bytes, text) in cases {
        let (_, error) = super::read(bytes);
        let error = error.unwrap();
        assert_eq!(
            error.to_string(),
            format!("test is not a capture file: {text}")
        );
        assert!(!error.is_partial());
    }
}
