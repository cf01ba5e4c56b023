//! Several inputs.

use std::fs;
use std::path::PathBuf;

use super::{Owned, drain, pcap_sample, pcapng_sample};
use crate::capture::{
    CaptureError, CaptureFile, EmptyInput, EmptyRest, InputOrder, Inputs, PacketSource, Progress,
    ReadingThread,
};

/// Files in a directory that is gone with it.
struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn add(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

fn numbers(packets: &[Owned]) -> Vec<u64> {
    packets.iter().map(|packet| packet.number).collect()
}

#[test]
fn packets_are_numbered_through_all_inputs() {
    let files = Files::new();
    let paths = [
        files.add("a.pcap", &pcap_sample().bytes),
        files.add("empty.pcap", &pcap_sample().bytes[..24]),
        files.add("b.pcapng", &pcapng_sample().bytes),
    ];
    let mut inputs = Inputs::open(paths.clone()).unwrap();
    let (packets, error) = drain(&mut inputs);
    assert!(error.is_none());
    assert_eq!(numbers(&packets), (1..=12).collect::<Vec<_>>());
    let counts: Vec<_> = inputs
        .inputs()
        .iter()
        .map(|info| (info.path.clone(), info.packet_count, info.truncated))
        .collect();
    let [a, empty, b] = paths;
    let without_packets = EmptyInput {
        path: empty.clone(),
        rest: EmptyRest::Header,
    };
    assert_eq!(inputs.empty_inputs(), [without_packets]);
    assert_eq!(counts, [(a, 7, false), (empty, 0, false), (b, 5, false)]);
    assert!(
        inputs.next_packet().unwrap().is_none(),
        "the end stays the end"
    );
}

#[test]
fn after_a_damaged_input_the_next_one_is_read() {
    let files = Files::new();
    let sample = pcap_sample();
    let paths = [
        files.add("cut.pcap", &sample.bytes[..70]),
        files.add("text.txt", b"not a capture"),
        files.add("good.pcap", &sample.bytes),
    ];
    let mut inputs = Inputs::open_on(paths, InputOrder::AsNamed, ReadingThread::Own).unwrap();
    let (packets, error) = drain(&mut inputs);
    assert_eq!(packets, []);
    assert!(matches!(error, Some(CaptureError::NotACapture { .. })));
    let (packets, error) = drain(&mut inputs);
    assert_eq!(numbers(&packets), [1, 2]);
    assert!(matches!(error, Some(CaptureError::Truncated { .. })));
    let (packets, error) = drain(&mut inputs);
    assert_eq!(numbers(&packets), [3, 4, 5, 6, 7, 8, 9]);
    assert!(error.is_none());
    let truncated: Vec<_> = inputs.inputs().iter().map(|info| info.truncated).collect();
    assert_eq!(truncated, [true, false]);
}

#[test]
fn a_missing_input_is_told_before_the_first_is_read() {
    let files = Files::new();
    let good = files.add("good.pcap", &pcap_sample().bytes);
    let missing = files.directory.path().join("missing.pcap");
    let Err(error) = Inputs::open([good, missing.clone()]) else {
        panic!("the second input is missing");
    };
    assert!(!error.is_partial());
    assert_eq!(
        error.to_string(),
        format!("cannot open {}", missing.display())
    );
}

#[test]
fn a_directory_cannot_be_opened() {
    let files = Files::new();
    for result in [
        Inputs::open([files.directory.path()]).err(),
        CaptureFile::open(files.directory.path()).err(),
    ] {
        assert!(
            matches!(result, Some(CaptureError::Open { .. })),
            "{result:?}"
        );
    }
}

#[test]
fn progress_counts_all_inputs() {
    let files = Files::new();
    let sample = pcap_sample();
    let paths = [
        files.add("a.pcap", &sample.bytes),
        files.add("b.pcap", &sample.bytes),
    ];
    let total_bytes = Some(2 * sample.bytes.len() as u64);
    let mut inputs = Inputs::open(paths.clone()).unwrap();
    assert_eq!(inputs.progress().total_bytes, total_bytes);
    drain(&mut inputs);
    assert_eq!(
        inputs.progress(),
        Progress {
            read_bytes: 2 * sample.bytes.len() as u64,
            total_bytes
        }
    );
    let file = CaptureFile::open(&paths[0]).unwrap();
    assert_eq!(file.progress().total_bytes, Some(sample.bytes.len() as u64));
}

#[test]
fn no_inputs_give_no_packets() {
    let mut inputs = Inputs::open::<PathBuf>([]).unwrap();
    assert!(inputs.next_packet().unwrap().is_none());
    assert_eq!(inputs.inputs(), []);
}

/// A pcap of packets of one byte at these seconds.
fn pcap_of(seconds: &[u32]) -> Vec<u8> {
    let mut bytes = pcap_sample().bytes[..24].to_vec();
    for &second in seconds {
        for word in [second, 0, 1, 1] {
            bytes.extend(u32::to_le_bytes(word));
        }
        bytes.push(second as u8);
    }
    bytes
}

fn seconds_of(packets: &[Owned]) -> Vec<i64> {
    packets
        .iter()
        .map(|packet| packet.nanos / 1_000_000_000)
        .collect()
}

#[test]
fn every_split_of_a_capture_in_three_is_merged_by_time_in_every_order_of_naming() {
    // Each of six packets is in one of three files.
    for split in 0..729_u32 {
        let files = Files::new();
        let mut parts = [vec![], vec![], vec![]];
        for packet in 0..6 {
            parts[(split / 3_u32.pow(packet) % 3) as usize].push(10 + packet);
        }
        let paths =
            [0, 1, 2].map(|part: usize| files.add(&format!("{part}.pcap"), &pcap_of(&parts[part])));
        let order = [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ];
        let order = order[(split % 6) as usize];
        let mut inputs = Inputs::open(order.map(|part| paths[part].clone())).unwrap();
        let (packets, error) = drain(&mut inputs);
        assert!(error.is_none());
        assert_eq!(seconds_of(&packets), [10, 11, 12, 13, 14, 15], "{split}");
        assert_eq!(numbers(&packets), [1, 2, 3, 4, 5, 6]);
        let counts: Vec<_> = inputs
            .inputs()
            .iter()
            .map(|info| info.packet_count)
            .collect();
        let expected = order.map(|part| parts[part].len() as u64);
        assert_eq!(counts, expected, "{split}");
    }
}

#[test]
fn packets_of_one_file_keep_their_order_and_equal_times_the_order_of_naming() {
    let files = Files::new();
    let paths = [
        files.add("a.pcap", &pcap_of(&[5, 3, 9])),
        files.add("b.pcap", &pcap_of(&[4, 5, 5, 10])),
    ];
    let mut inputs = Inputs::open(paths.clone()).unwrap();
    let (packets, _) = drain(&mut inputs);
    assert_eq!(seconds_of(&packets), [4, 5, 3, 5, 5, 9, 10]);
    let order = InputOrder::AsNamed;
    let mut inputs = Inputs::open_on(paths, order, ReadingThread::Parsers).unwrap();
    let (packets, _) = drain(&mut inputs);
    assert_eq!(seconds_of(&packets), [5, 3, 9, 4, 5, 5, 10]);
}

#[test]
fn of_a_rotated_set_one_file_is_open_at_a_time() {
    let files = Files::new();
    let mut paths: Vec<_> = (0..100)
        .map(|file| {
            let seconds = [10 * file + 1, 10 * file + 5, 10 * file + 9];
            files.add(&format!("{file}.pcap"), &pcap_of(&seconds))
        })
        .collect();
    paths.reverse();
    let mut inputs = Inputs::open(paths).unwrap();
    let mut last = 0;
    while let Some(packet) = inputs.next_packet().unwrap() {
        assert!(packet.time.as_nanos() > last);
        last = packet.time.as_nanos();
        assert_eq!(inputs.open_count(), 1);
    }
    assert_eq!(last, 999_000_000_000);
}
