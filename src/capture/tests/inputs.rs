//! Several inputs.

use std::fs;
use std::path::PathBuf;

use super::{Owned, drain, pcap_sample, pcapng_sample};
use crate::capture::{CaptureError, CaptureFile, Inputs, PacketSource, Progress};

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
    assert_eq!(inputs.inputs().len(), 1, "the others wait for their turn");
    let (packets, error) = drain(&mut inputs);
    assert!(error.is_none());
    assert_eq!(numbers(&packets), (1..=12).collect::<Vec<_>>());
    let counts: Vec<_> = inputs
        .inputs()
        .iter()
        .map(|info| (info.path.clone(), info.packet_count, info.truncated))
        .collect();
    let [a, empty, b] = paths;
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
    let mut inputs = Inputs::open(paths).unwrap();
    let (packets, error) = drain(&mut inputs);
    assert_eq!(numbers(&packets), [1, 2]);
    assert!(matches!(error, Some(CaptureError::Truncated { .. })));
    let (packets, error) = drain(&mut inputs);
    assert_eq!(packets, []);
    assert!(matches!(error, Some(CaptureError::NotACapture { .. })));
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
