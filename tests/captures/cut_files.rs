//! Captures cut at any byte: every packet that is whole is read, and the error
//! says where the capture ends.

use std::io::Cursor;

use ministream::capture::{CaptureError, CaptureFile, PacketSource};

use crate::layout::Layout;
use crate::shelf;

/// Captures up to this size are cut at every byte.
const SMALL_BYTES: usize = 2_000;

#[test]
fn a_capture_cut_at_any_byte_yields_every_whole_packet_and_says_where_it_ends() {
    for name in shelf::uncompressed() {
        let bytes = shelf::bytes(&name);
        let layout = Layout::of(&bytes);
        let whole = read(&bytes).unwrap();
        for cut in cuts(&bytes, &layout) {
            let expected = layout.packets_before(cut);
            match read(&bytes[..cut]) {
                Ok(part) => {
                    assert_eq!(
                        part.packets,
                        whole.packets[..expected],
                        "{name} cut at {cut}"
                    );
                    let clean = layout.ends.iter().any(|end| end.offset == cut);
                    assert_eq!(part.error.is_none(), clean, "{name} cut at {cut}");
                    if let Some(error) = part.error {
                        check_error(&name, &layout, cut, bytes.len(), &error);
                    }
                }
                Err(error) => {
                    assert!(cut < layout.header_bytes, "{name} cut at {cut}: {error}");
                }
            }
        }
    }
}

#[test]
fn a_compressed_capture_cut_at_any_byte_yields_packets_of_the_whole_one() {
    for name in shelf::names() {
        if shelf::uncompressed().contains(&name) {
            continue;
        }
        let bytes = shelf::bytes(&name);
        let whole = read(&bytes).unwrap();
        for cut in 0..bytes.len() {
            match read(&bytes[..cut]) {
                Ok(part) => {
                    let count = part.packets.len();
                    assert_eq!(part.packets, whole.packets[..count], "{name} cut at {cut}");
                    // The checksum at the end holds no packets.
                    let complete = count == whole.packets.len();
                    assert!(part.error.is_some() || complete, "{name} cut at {cut}");
                }
                Err(error) => assert!(!error.is_partial(), "{name} cut at {cut}: {error}"),
            }
        }
    }
}

fn check_error(name: &str, layout: &Layout, cut: usize, total: usize, error: &CaptureError) {
    assert!(error.is_partial(), "{name} cut at {cut}: {error}");
    let whole_until = layout.ends.last().map_or(0, |end| end.offset);
    // Beyond that the capture was damaged before it was cut.
    if cut > whole_until && whole_until < total {
        return;
    }
    let begin = layout.begin_before(cut);
    match error {
        CaptureError::Truncated { offset, got, .. } => {
            assert_eq!(
                (*offset, *got),
                (to_u64(begin), to_u64(cut - begin)),
                "{name} cut at {cut}: {error}"
            );
        }
        other => panic!("{name} cut at {cut}: {other}"),
    }
}

fn cuts(bytes: &[u8], layout: &Layout) -> Vec<usize> {
    if bytes.len() <= SMALL_BYTES {
        return (0..bytes.len()).collect();
    }
    let mut cuts: Vec<usize> = (0..bytes.len()).step_by(997).collect();
    let around = layout.ends.iter().step_by(layout.ends.len() / 50 + 1);
    cuts.extend(around.flat_map(|end| end.offset.saturating_sub(3)..end.offset + 4));
    cuts.retain(|&cut| cut < bytes.len());
    cuts
}

/// The packets of a capture, and why there are no more.
struct Read {
    packets: Vec<Vec<u8>>,
    error: Option<CaptureError>,
}

fn read(bytes: &[u8]) -> Result<Read, CaptureError> {
    let mut capture = CaptureFile::from_reader("memory", Cursor::new(bytes.to_vec()))?;
    let mut packets = Vec::new();
    let error = loop {
        match capture.next_packet() {
            Ok(Some(packet)) => packets.push(packet.data.to_vec()),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    Ok(Read { packets, error })
}

fn to_u64(number: usize) -> u64 {
    u64::try_from(number).unwrap()
}
