//! gzip and zstd.

use std::io::Write;

use flate2::write::GzEncoder;

use super::{drain, open, read, read_damaged, read_whole, samples};
use crate::capture::blocks::BlockSize;
use crate::capture::{CaptureError, Compression, PacketSource};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 0).unwrap()
}

type Compress = fn(&[u8]) -> Vec<u8>;

const COMPRESSORS: [(Compression, Compress); 2] =
    [(Compression::Gzip, gzip), (Compression::Zstd, zstd)];

#[test]
fn a_compressed_capture_equals_the_plain_one() {
    for (name, sample) in samples() {
        for (compression, compress) in COMPRESSORS {
            let compressed = compress(&sample.bytes);
            for read in [1, 7, 65_536] {
                let size = BlockSize { read, headroom: 16 };
                let mut file = open(&compressed, size).unwrap();
                assert_eq!(file.inputs()[0].compression, Some(compression));
                let (packets, error) = drain(&mut file);
                assert!(error.is_none(), "{name}, {compression:?}: {error:?}");
                assert_eq!(packets, read_whole(&sample.bytes));
                assert_eq!(file.progress().read_bytes, compressed.len() as u64);
            }
        }
    }
}

#[test]
fn members_and_frames_may_follow_each_other() {
    for (_, sample) in samples() {
        for (_, compress) in COMPRESSORS {
            for split in 0..=sample.bytes.len() {
                let (first, second) = sample.bytes.split_at(split);
                let compressed = [compress(first), compress(second)].concat();
                assert_eq!(read_whole(&compressed), read_whole(&sample.bytes));
            }
        }
    }
}

#[test]
fn every_cut_of_a_compressed_capture_is_told_and_gives_what_is_before_it() {
    for (name, sample) in samples() {
        let whole = read_whole(&sample.bytes);
        for (compression, compress) in COMPRESSORS {
            let compressed = compress(&sample.bytes);
            for cut in 1..compressed.len() {
                let (packets, error) = read(&compressed[..cut]);
                let error = error.expect("the cut is told");
                assert!(
                    whole.starts_with(&packets),
                    "{name}, {compression:?} cut at {cut}"
                );
                assert!(
                    error.is_partial() || packets.is_empty(),
                    "{name}, {compression:?} cut at {cut}: {error}"
                );
            }
        }
    }
}

/// Bytes that do not compress, so that most of them come out before a cut.
fn noise_capture(packets: usize) -> Vec<u8> {
    let mut bytes = super::pcap_sample().bytes[..24].to_vec();
    let mut state = 1_u32;
    for _ in 0..packets {
        bytes.extend_from_slice(b"\0\0\0\0\0\0\0\0\xe8\x03\0\0\xe8\x03\0\0");
        for _ in 0..1_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            bytes.push(state.to_be_bytes()[0]);
        }
    }
    bytes
}

#[test]
fn a_long_compressed_capture_gives_nearly_everything_before_the_cut() {
    let bytes = noise_capture(2_000);
    let whole = read_whole(&bytes);
    // A zstd block has 128 KiB and comes out whole or not at all.
    for (compress, lost) in [(gzip as Compress, 40), (zstd, 140)] {
        let compressed = compress(&bytes);
        for cut in [
            compressed.len() / 3,
            compressed.len() / 2,
            compressed.len() - 1,
        ] {
            let (packets, error) = read(&compressed[..cut]);
            assert!(error.expect("the cut is told").is_partial());
            assert!(
                packets.len() + lost >= cut / 1_017,
                "{} of {cut}",
                packets.len()
            );
            assert_eq!(packets, whole[..packets.len()]);
        }
    }
}

#[test]
fn a_stream_without_its_end_is_told_even_between_two_packets() {
    for (compress, reason) in [
        (gzip as Compress, "unexpected end of file"),
        (zstd, "incomplete frame"),
    ] {
        let sample = super::pcap_sample();
        let mut compressed = compress(&sample.bytes);
        compressed.pop();
        let (packets, error) = read(&compressed);
        match error {
            Some(CaptureError::Read { offset, source, .. }) => {
                assert_eq!(source.to_string(), reason);
                let end = sample
                    .ends
                    .iter()
                    .find(|(_, count)| *count == packets.len());
                let end = end.map_or(sample.header, |(end, _)| *end);
                assert_eq!(offset, end as u64);
            }
            // zstd holds its only block back until the frame is whole.
            Some(CaptureError::NotACapture { .. }) => assert!(packets.is_empty()),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn damaged_compressed_data_is_an_error_of_reading() {
    let bytes = noise_capture(300);
    let mut compressed = gzip(&bytes);
    let middle = compressed.len() / 2;
    compressed[middle..middle + 8].fill(0xff);
    let (packets, error) = read(&compressed);
    let error = error.expect("the damage is told");
    assert!(error.is_partial(), "{error}");
    // Noise is stored as it is, so the damage may only show in the checksum.
    assert!(packets.len() >= 100);
}

/// A frame of zstd without its length: a header that names a window of so many powers of two, and
/// one block of bytes as they are (RFC 8878, sections 3.1.1.1 and 3.1.1.2).
fn zstd_with_window(log: u8, bytes: &[u8]) -> Vec<u8> {
    let block = u32::try_from(bytes.len()).unwrap() << 3 | 1;
    let header = [0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3];
    [&header, &block.to_le_bytes()[..3], bytes].concat()
}

#[test]
fn a_window_of_zstd_is_bounded() {
    let plain = noise_capture(3);
    let (packets, error) = read(&zstd_with_window(27, &plain));
    assert!(error.is_none(), "{error:?}");
    assert_eq!(packets, read_whole(&plain));
    let (packets, error) = read(&zstd_with_window(28, &plain));
    assert!(packets.is_empty());
    let reason = error.expect("it is refused");
    assert_eq!(reason.to_string(), "cannot open test");
    assert_eq!(
        std::error::Error::source(&reason).unwrap().to_string(),
        "its zstd window is longer than 128 MiB; decompress it first, with zstd -d --long=31"
    );
}

#[test]
fn compressed_files_that_are_no_captures_are_called_what_they_are() {
    for (bytes, text) in [
        (gzip(b"Hello, world"), "it looks like text (inside gzip)"),
        (zstd(b"Hello, world"), "it looks like text (inside zstd)"),
        (gzip(b""), "it is empty (inside gzip)"),
        (gzip(&gzip(b"twice")), "it looks like gzip (inside gzip)"),
        (gzip(b"x")[..5].to_vec(), "it is empty (inside gzip)"),
        (
            zstd(b"\x4d\x3c\xb2\xa1"),
            "it ends inside its pcap header (4 of 24 bytes) (inside zstd)",
        ),
    ] {
        let text = format!("test is not a capture file: {text}");
        assert_eq!(read_damaged(&bytes), (0, text));
    }
}
