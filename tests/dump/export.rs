//! `--export`: streams in files, and an index that is true of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

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
