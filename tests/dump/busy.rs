//! Captures of busy servers: the same output however many threads work on it, and bounds
//! that are told.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use ministream_fixtures::bulk::{Bulk, BulkCarrier, Shape};
use ministream_fixtures::carry::Prefix;
use ministream_fixtures::file::Pcap;
use ministream_fixtures::{Link, Wire};
use serde_json::Value;

use crate::generate::captures;
use crate::run::command;

const BUSY: Shape = Shape {
    flows: 300,
    conversations: 6_000,
    open: 2_000,
    idle: 500,
    ..Shape::eventful(BulkCarrier::Udp)
};

/// A busy capture of datagrams, and one of connections. They stay where the tests are built:
/// what a static holds is never dropped.
static BUSY_CAPTURES: LazyLock<[PathBuf; 2]> = LazyLock::new(|| {
    [
        ("busy-udp.pcap", BulkCarrier::Udp),
        ("busy-tcp.pcap", BulkCarrier::Tcp(Prefix::U32)),
    ]
    .map(|(name, carrier)| {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let mut bulk = Bulk::new(Shape { carrier, ..BUSY });
        let mut file = BufWriter::new(File::create(&path).unwrap());
        let mut wire = Wire::new(Link::ETHERNET);
        file.write_all(&Pcap::USUAL.header(u32::from(wire.link.number())))
            .unwrap();
        while bulk.advance(&mut wire) {
            for packet in wire.packets.drain(..) {
                file.write_all(&Pcap::USUAL.record(&packet)).unwrap();
            }
        }
        file.flush().unwrap();
        path
    })
});

/// What the program writes about a capture, and its exit code.
fn output(capture: &str, arguments: &str) -> (Vec<u8>, Option<i32>) {
    let output = command(arguments.split(' ').chain([capture]))
        .output()
        .unwrap();
    (output.stdout, output.status.code())
}

#[track_caller]
fn assert_same_with_any_number_of_workers(capture: &str, arguments: &str) {
    let alone = output(capture, &format!("-j 1 {arguments}"));
    for jobs in [2, 4] {
        let together = output(capture, &format!("-j {jobs} {arguments}"));
        assert!(
            alone == together,
            "{arguments} {capture}: -j {jobs} writes something else than -j 1"
        );
    }
}

#[test]
fn one_two_and_four_workers_write_the_same_of_every_shipped_capture() {
    for capture in captures() {
        assert_same_with_any_number_of_workers(&capture, "-T ndjson");
    }
}

#[test]
fn one_two_and_four_workers_write_the_same_of_busy_captures() {
    for capture in BUSY_CAPTURES.iter() {
        let capture = capture.to_str().unwrap();
        for arguments in [
            "-T ndjson --payload none",
            "-q -z conv -z types",
            "-q -z findings -z timing -z io,1s",
        ] {
            assert_same_with_any_number_of_workers(capture, arguments);
        }
    }
}

#[test]
fn what_memory_is_too_short_for_is_told_by_one_finding_a_kind() {
    for capture in BUSY_CAPTURES.iter() {
        let capture = capture.to_str().unwrap();
        let (written, code) = output(capture, "--memory 4MiB -T ndjson --payload none");
        assert_eq!(code, Some(0));
        let mut evicted = Vec::new();
        let mut counts = serde_json::Map::new();
        for line in String::from_utf8(written).unwrap().lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            if record["record"] == "finding" && record["code"] == "cap.evicted" {
                assert!(record["text"].as_str().unwrap().contains("--memory"));
                let detail = record["detail"].as_object().unwrap();
                assert!(detail["since_us"].as_u64().unwrap() > 0);
                for (key, count) in detail.iter().filter(|(key, _)| *key != "since_us") {
                    evicted.push(key.clone());
                    counts.insert(key.clone(), count.clone());
                }
            } else if record["record"] == "finding" && record["code"] == "ms.orphan_id" {
                assert_eq!(record["level"], "note", "it may be one that was forgotten");
            } else if record["record"] == "summary" {
                for (key, count) in record["evicted"].as_object().unwrap() {
                    assert_eq!(count, counts.get(key).unwrap_or(&0.into()), "{key}");
                }
            }
        }
        let mut kinds = evicted.clone();
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds.len(), evicted.len(), "one for each kind: {evicted:?}");
        // Told conversations: half of two megabytes would hold them all.
        assert!(
            kinds.contains(&"conversation_count".to_owned()),
            "{kinds:?}"
        );
    }
}

#[test]
fn a_temporary_file_that_cannot_be_made_is_not_taken_for_the_output() {
    let written = command(["-T", "json", BUSY_CAPTURES[0].to_str().unwrap()])
        .env("TMPDIR", "/dev/null")
        .output()
        .unwrap();
    assert_eq!(written.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(written.stderr).unwrap(),
        "ministream-dump: error: cannot keep results in a temporary file in /dev/null: not a \
         directory\n    help: make room there, or have TMPDIR name a directory on another disk\n"
    );
    assert!(
        written.stdout.starts_with(b"{\"header\":"),
        "what was written before stays"
    );
}
