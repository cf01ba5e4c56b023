//! Damaged input ends, early and without a panic.

use std::io::{self, Read};

use proptest::prelude::*;

use super::{drain, open, pcap_sample, read, read_whole, samples, section};
use crate::capture::blocks::BlockSize;
use crate::capture::{CaptureError, CaptureFile, Damage};

#[test]
fn every_flipped_byte_leaves_the_packets_before_it() {
    for (name, sample) in samples() {
        let whole = read_whole(&sample.bytes);
        for place in 0..sample.bytes.len() {
            let before = sample.ends.iter().take_while(|(end, _)| *end <= place);
            let before = before.last().map_or(0, |(_, count)| *count);
            for mask in [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff] {
                let mut bytes = sample.bytes.clone();
                bytes[place] ^= mask;
                for read in [32, 512] {
                    let size = BlockSize { read, headroom: 8 };
                    let Ok(mut file) = open(&bytes, size) else {
                        assert!(place < sample.header, "{name}: {place} ^ {mask:#x}");
                        continue;
                    };
                    let (packets, _) = drain(&mut file);
                    if place >= sample.header {
                        assert_eq!(packets[..before], whole[..before]);
                    }
                    assert!(packets.len() <= sample.bytes.len() / 12);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_records_never_panic_and_end(
        body in prop::collection::vec(any::<u8>(), 0..600),
        read in 1..64_usize,
    ) {
        for (_, sample) in samples() {
            let bytes = [&sample.bytes[..sample.header], &body[..]].concat();
            let size = BlockSize { read, headroom: 8 };
            let (packets, _) = drain(&mut open(&bytes, size).unwrap());
            prop_assert!(packets.len() <= body.len() / 12);
        }
    }

    #[test]
    fn arbitrary_blocks_of_known_types_never_panic(
        blocks in prop::collection::vec(
            (0..12_u32, prop::collection::vec(any::<u8>(), 0..80)),
            0..12,
        ),
    ) {
        let mut bytes = section();
        for (kind, mut body) in blocks {
            body.resize(body.len().next_multiple_of(4), 0);
            bytes.extend(super::block(kind, &body));
        }
        let (packets, _) = read(&bytes);
        prop_assert!(packets.len() <= bytes.len() / 12);
    }

    #[test]
    fn arbitrary_bytes_are_no_capture(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        // No magic number is six random bytes away: these never open.
        prop_assume!(!bytes.starts_with(&[0x1f, 0x8b, 8]));
        let (packets, error) = read(&bytes);
        prop_assert!(packets.is_empty());
        let is_refused = matches!(error, Some(CaptureError::NotACapture { .. }));
        prop_assert!(is_refused, "{error:?}");
    }
}

#[test]
fn an_endless_record_is_refused_at_its_header() {
    let mut bytes = pcap_sample().bytes[..24].to_vec();
    bytes.extend_from_slice(b"\0\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff");
    let endless = io::Cursor::new(bytes).chain(io::repeat(7));
    let mut file = CaptureFile::from_reader("endless", endless).unwrap();
    let (_, error) = drain(&mut file);
    assert!(matches!(
        error,
        Some(CaptureError::Damaged {
            damage: Damage::CapturedLength {
                captured: 0xffff_ffff,
                bound: 262_144
            },
            ..
        })
    ));
}

#[test]
fn a_huge_block_of_no_interest_is_skipped_in_flat_memory() {
    // 4 GiB is long to read in a test; 64 MiB is far beyond the blocks of the pool.
    let length = 64_u32 << 20;
    let head = [
        &section()[..],
        &0xbad_u32.to_le_bytes(),
        &length.to_le_bytes(),
    ]
    .concat();
    let body = io::repeat(7).take(u64::from(length) - 12);
    let tail = [
        &length.to_le_bytes()[..],
        &super::interface(1),
        &super::enhanced(1, b"after"),
    ]
    .concat();
    let whole = io::Cursor::new(head)
        .chain(body)
        .chain(io::Cursor::new(tail));
    let mut file = CaptureFile::from_reader("huge", whole).unwrap();
    let (packets, error) = drain(&mut file);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(packets[0].data, b"after");
}
