//! Cuts, block borders and odd readers.

use std::io::{self, Read};

use proptest::prelude::*;

use super::{drain, open, read, read_whole, samples};
use crate::capture::blocks::BlockSize;
use crate::capture::{CaptureError, CaptureFile, FileRecord, PacketSource};

#[test]
fn every_cut_gives_all_packets_before_it_and_the_exact_place() {
    for (name, sample) in samples() {
        let whole = read_whole(&sample.bytes);
        for cut in 0..=sample.bytes.len() {
            let (packets, error) = read(&sample.bytes[..cut]);
            let before = sample.ends.iter().rev().find(|(end, _)| *end <= cut);
            let &(start, count) = before.unwrap_or(&(sample.header, 0));
            assert_eq!(packets, whole[..count], "{name} cut at {cut}");
            match error {
                None => assert_eq!(cut, start, "{name} cut at {cut}"),
                Some(CaptureError::NotACapture { .. }) => assert!(cut < sample.header),
                Some(CaptureError::Truncated {
                    record,
                    offset,
                    got,
                    needed,
                    ..
                }) => {
                    assert_eq!(offset, start as u64);
                    assert_eq!(got, (cut - start) as u64);
                    assert!(needed > got, "{name} cut at {cut}: {needed} of {got}");
                    match record {
                        FileRecord::Packet(packet) => assert_eq!(packet, count as u64 + 1),
                        FileRecord::BlockAfter(packet) => assert_eq!(packet, count as u64),
                    }
                }
                Some(other) => panic!("{name} cut at {cut}: {other}"),
            }
        }
    }
}

#[test]
fn records_that_straddle_blocks_of_every_size_are_whole() {
    for (name, sample) in samples() {
        let whole = read_whole(&sample.bytes);
        for read in 1..=64 {
            for headroom in [0, 1, 2, 5, 16, 64] {
                let size = BlockSize { read, headroom };
                let mut file = open(&sample.bytes, size).unwrap();
                let (packets, error) = drain(&mut file);
                assert!(error.is_none(), "{name}, {size:?}: {error:?}");
                assert_eq!(packets, whole, "{name}, {size:?}");
            }
        }
    }
}

#[test]
fn errors_are_the_same_whatever_the_size_of_the_blocks() {
    for (name, sample) in samples() {
        for cut in sample.header..sample.bytes.len() {
            let bytes = &sample.bytes[..cut];
            let expected = read(bytes).1.map(|error| error.to_string());
            for read in [1, 3, 7] {
                let size = BlockSize { read, headroom: 4 };
                let (_, error) = drain(&mut open(bytes, size).unwrap());
                let error = error.map(|error| error.to_string());
                assert_eq!(error, expected, "{name} cut at {cut}, {size:?}");
            }
        }
    }
}

/// Gives `head`, then what `end` makes.
struct ThenEnd<F> {
    head: io::Cursor<Vec<u8>>,
    end: F,
}

impl<F: FnMut() -> io::Result<usize>> Read for ThenEnd<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.head.read(buffer)? {
            0 => (self.end)(),
            count => Ok(count),
        }
    }
}

fn read_then(
    bytes: &[u8],
    end: impl FnMut() -> io::Result<usize> + Send + 'static,
) -> (usize, CaptureError) {
    let head = io::Cursor::new(bytes.to_vec());
    match CaptureFile::from_reader("test", ThenEnd { head, end }) {
        Ok(mut file) => {
            let (packets, error) = drain(&mut file);
            assert!(file.inputs()[0].truncated);
            (packets.len(), error.expect("reading fails"))
        }
        Err(error) => (0, error),
    }
}

#[test]
fn a_failing_read_is_told_after_all_packets_before_it() {
    for (name, sample) in samples() {
        for cut in 0..=sample.bytes.len() {
            let bytes = &sample.bytes[..cut];
            let (count, error) = read_then(bytes, || Err(io::Error::other("disk on fire")));
            let (expected, _) = read(bytes);
            assert_eq!(count, expected.len());
            match error {
                CaptureError::Open { source, .. } if cut < sample.header => {
                    assert_eq!(source.to_string(), "disk on fire");
                }
                CaptureError::Read { offset, source, .. } => {
                    assert_eq!(offset, cut as u64, "{name} cut at {cut}");
                    assert_eq!(source.to_string(), "disk on fire");
                }
                other => panic!("{name} cut at {cut}: {other}"),
            }
        }
    }
}

#[test]
fn a_reader_that_panics_is_an_error_and_not_the_end() {
    let sample = super::pcap_sample();
    let (count, error) = read_then(&sample.bytes, || panic!("a bug in somebody's reader"));
    assert_eq!(count, 7);
    assert!(matches!(error, CaptureError::Read { .. }), "{error}");
}

#[test]
fn an_interrupted_read_is_tried_again() {
    let mut interruptions = 3;
    let sample = super::pcap_sample();
    let head = io::Cursor::new(sample.bytes);
    let end = move || {
        if interruptions == 0 {
            return Ok(0);
        }
        interruptions -= 1;
        Err(io::ErrorKind::Interrupted.into())
    };
    let mut file = CaptureFile::from_reader("test", ThenEnd { head, end }).unwrap();
    let (packets, error) = drain(&mut file);
    assert_eq!(packets.len(), 7);
    assert!(error.is_none());
}

#[test]
fn packets_of_a_slow_pipe_are_given_as_they_come() {
    let (reader, mut writer) = io::pipe().unwrap();
    let sample = super::pcap_sample();
    io::Write::write_all(&mut writer, &sample.bytes[..sample.ends[0].0]).unwrap();
    let mut file = CaptureFile::from_reader("-", reader).unwrap();
    // The pipe stays open: waiting for more than is needed would never end.
    assert_eq!(file.next_packet().unwrap().unwrap().number, 1);
    for ends in sample.ends.windows(2) {
        io::Write::write_all(&mut writer, &sample.bytes[ends[0].0..ends[1].0]).unwrap();
        let packet = file.next_packet().unwrap().unwrap();
        assert_eq!(packet.number, ends[1].1 as u64);
    }
    drop(writer);
    assert!(file.next_packet().unwrap().is_none());
}

#[test]
fn dropping_a_source_ends_its_thread() {
    struct Endless(std::sync::mpsc::Sender<()>);
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer.fill(0);
            Ok(buffer.len())
        }
    }
    impl Drop for Endless {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
        }
    }
    let (sender, ended) = std::sync::mpsc::channel();
    let header = io::Cursor::new(super::pcap_sample().bytes[..24].to_vec());
    let mut file = CaptureFile::from_reader("zero", header.chain(Endless(sender))).unwrap();
    for number in 1..10_000 {
        assert_eq!(file.next_packet().unwrap().unwrap().number, number);
    }
    drop(file);
    ended
        .recv_timeout(std::time::Duration::from_secs(10))
        .expect("the thread drops its reader");
}

proptest! {
    #[test]
    fn reads_of_any_length_give_the_same_packets(
        lengths in prop::collection::vec(1..40_usize, 1..60),
        headroom in 0..32_usize,
    ) {
        for (_, sample) in samples() {
            let reader = Chunked {
                bytes: io::Cursor::new(sample.bytes.clone()),
                lengths: lengths.clone().into_iter().cycle(),
            };
            let size = BlockSize { read: 64, headroom };
            let mut file = CaptureFile::new("test".into(), reader, None, size).unwrap();
            let (packets, error) = drain(&mut file);
            prop_assert!(error.is_none());
            prop_assert_eq!(packets, read_whole(&sample.bytes));
        }
    }
}

/// Reads no more at once than its lengths say.
struct Chunked<I> {
    bytes: io::Cursor<Vec<u8>>,
    lengths: I,
}

impl<I: Iterator<Item = usize>> Read for Chunked<I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.lengths.next().unwrap_or(1).min(buffer.len());
        self.bytes.read(&mut buffer[..length])
    }
}
