//! `--export`: streams in files, and an index that is true of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use ministream_fixtures::file::Pcap;
use ministream_fixtures::{End, Link, UdpFlow, Wire, message};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::run::{Run, SAMPLES, dump, run};

fn export(directory: &Path, arguments: &str) -> Run {
    run(arguments
        .split_whitespace()
        .chain(["--export", directory.to_str().unwrap()]))
}

/// The index, after each file in it was found to be what it says, and no other there.
fn checked_index(directory: &Path) -> Value {
    let index = fs::read_to_string(directory.join("index.json")).unwrap();
    let index: Value = serde_json::from_str(&index).unwrap();
    assert_eq!(index["schema"], "ministream.export/1");
    let mut expected = BTreeSet::from(["index.json".to_owned()]);
    for entry in index["conversations"].as_array().unwrap() {
        for direction in ["c2s", "s2c"] {
            let stream = &entry[direction];
            let bytes = match stream["file"].as_str() {
                Some(name) => {
                    expected.insert(name.to_owned());
                    fs::read(directory.join(name)).unwrap()
                }
                None => Vec::new(),
            };
            assert_eq!(stream["payload_bytes"], bytes.len());
            assert_eq!(stream["sha256"], hex::encode(Sha256::digest(&bytes)));
        }
    }
    let there: BTreeSet<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(there, expected);
    index
}

#[test]
fn streams_are_the_bytes_that_were_sent() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("made/on/the/way");
    let run = export(&directory, SAMPLES);
    assert_eq!((run.code, &*run.stdout), (Some(0), ""));
    assert!(run.stderr.ends_with("/made/on/the/way/index.json\n"));
    let index = checked_index(&directory);
    assert_eq!(index["conversations"].as_array().unwrap().len(), 3);
    assert_eq!(
        fs::read(directory.join("c1.c2s.bin")).unwrap(),
        b"GET / HTTP/1.0\r\nHost: x\r\n\r\n"
    );
    assert_eq!(
        fs::read(directory.join("c3.s2c.bin")).unwrap(),
        b"220 ready\r\n"
    );
}

#[test]
fn both_directions_of_every_conversation_hold_what_follow_shows() {
    for name in [
        "several-carriers",
        "i2cp-java",
        "tcp-reordered",
        "udp-data-after-close",
    ] {
        let capture = format!("captures/{name}.pcap");
        let root = tempfile::tempdir().unwrap();
        assert_eq!(export(root.path(), &capture).code, Some(0));
        let index = checked_index(root.path());
        for entry in index["conversations"].as_array().unwrap() {
            let id = entry["conversation"]["conv"].as_str().unwrap();
            for direction in ["c2s", "s2c"] {
                let filter = format!("type==data && dir=={direction}");
                let follow = format!("follow,{id},raw");
                let followed = crate::run::command([&capture, "-z", &*follow, "-q", "-Y", &filter])
                    .output()
                    .unwrap();
                let file = entry[direction]["file"].as_str();
                let exported = file.map_or(Vec::new(), |f| fs::read(root.path().join(f)).unwrap());
                assert!(followed.stdout == exported, "{name} {id} {direction}");
            }
        }
    }
}

#[test]
fn only_what_is_selected_is_exported() {
    let root = tempfile::tempdir().unwrap();
    export(root.path(), &format!("--conv c3 {SAMPLES}"));
    let index = checked_index(root.path());
    let entries = index["conversations"].as_array().unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["conversation"]["conv"], "c3");
    assert_eq!(entries[0]["c2s"]["file"], Value::Null);

    let root = tempfile::tempdir().unwrap();
    export(root.path(), &format!("-Y dir==s2c {SAMPLES}"));
    let index = checked_index(root.path());
    for entry in index["conversations"].as_array().unwrap() {
        assert_eq!(entry["c2s"]["payload_bytes"], 0);
    }
}

#[test]
fn a_directory_with_something_in_it_is_only_written_to_by_force() {
    let root = tempfile::tempdir().unwrap();
    fs::write(
        root.path().join("c1.c2s.bin"),
        "older and longer than what comes",
    )
    .unwrap();
    let refused = export(root.path(), SAMPLES).refused(2);
    assert_eq!(
        refused,
        format!(
            "ministream-dump: error: {} is not empty\n    \
             help: name a new directory, or add --force to replace files in it\n",
            root.path().display()
        )
    );
    assert!(!root.path().join("index.json").exists());
    assert_eq!(
        export(root.path(), &format!("--force {SAMPLES}")).code,
        Some(0)
    );
    checked_index(root.path());
}

#[test]
fn what_is_no_directory_is_refused() {
    let refused = dump(&format!("--export Cargo.toml {SAMPLES}")).refused(2);
    assert!(
        refused.starts_with("ministream-dump: error: cannot export to Cargo.toml: not a directory"),
        "{refused}"
    );
}

#[test]
fn streams_that_grow_by_turns_are_whole_with_few_files_open_at_once() {
    const COUNT: u8 = 100;
    let mut wire = Wire::new(Link::ETHERNET);
    let ends = ["192.0.2.1:40000", "192.0.2.2:9005"].map(|end| end.parse().unwrap());
    let flow = UdpFlow::new(ends[0], ends[1]);
    let destination = ministream_fixtures::seeded_destination(1);
    for number in 1..=COUNT {
        let (client, server) = ([1, 0, number], [2, 0, number]);
        flow.send(&mut wire, End::Client, &message::syn(client, &destination));
        flow.send(&mut wire, End::Server, &message::ack(client, server));
    }
    for round in 0..3 {
        for number in 1..=COUNT {
            let bytes = [number, round];
            let data = message::client_data([2, 0, number], &bytes);
            flow.send(&mut wire, End::Client, &data);
        }
    }
    let root = tempfile::tempdir().unwrap();
    let capture = root.path().join("capture.pcap");
    fs::write(&capture, Pcap::USUAL.write(&wire)).unwrap();
    let directory = root.path().join("streams");
    // 64 for streams, and a few that the program has open anyway.
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 80; exec \"$@\"", "sh"])
        .arg(env!("CARGO_BIN_EXE_ministream-dump"))
        .args([&capture, Path::new("--export"), &directory])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    checked_index(&directory);
    for number in 1..=COUNT {
        let stream = fs::read(directory.join(format!("c{number}.c2s.bin"))).unwrap();
        assert_eq!(stream, [number, 0, number, 1, number, 2]);
    }
}
