//! `ministream-dump --keylog` on what passed between real ends.

use std::fs;
use std::process::Command;
use std::sync::{Arc, Mutex};

use ministream_fixtures::file::Pcap;
use ministream_fixtures::{End, Link, TcpFlow, Wire};
use rustix::process::Signal;
use serde_json::Value;

use super::{People, address, watched_relay};
use crate::endpoint::{Endpoint, command};
use crate::metrics::get;
use crate::services::{echo, exchange, pattern};

/// What passed: connection, direction, bytes.
type Passed = Vec<(usize, usize, Vec<u8>)>;

fn dump(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ministream-dump"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A capture of it in segments of so many bytes, without the one of this number.
fn capture(passed: &Passed, segment_bytes: usize, left_out: Option<usize>) -> Vec<u8> {
    let mut wire = Wire::new(Link::RawIp);
    let mut flows: Vec<TcpFlow> = Vec::new();
    let mut number = 0;
    for (connection, way, bytes) in passed {
        while flows.len() <= *connection {
            let port = 40_000 + u16::try_from(flows.len()).unwrap();
            let client = ([127, 0, 0, 1], port).into();
            let mut flow = TcpFlow::new(client, ([127, 0, 0, 1], 9004).into());
            flow.open(&mut wire);
            flows.push(flow);
        }
        let from = match way {
            0 => End::Client,
            _ => End::Server,
        };
        for segment in bytes.chunks(segment_bytes) {
            if left_out == Some(number) {
                flows[*connection].send_unseen(from, segment);
            } else {
                flows[*connection].send(&mut wire, from, segment);
            }
            number += 1;
        }
    }
    for flow in &flows {
        flow.close(&mut wire, End::Client);
    }
    Pcap::USUAL.write(&wire)
}

#[test]
fn whoever_has_the_secrets_reads_the_same_messages_as_without_tls() {
    let people = People::new();
    let server = people.server("tls://127.0.0.1:0", echo(), &["--metrics", "127.0.0.1:0"]);
    let passed: Arc<Mutex<Passed>> = Arc::default();
    let witness = Arc::clone(&passed);
    let between = watched_relay(
        address(&server),
        [usize::MAX; 2],
        Arc::new(move |connection, way, bytes: &mut [u8]| {
            let mut passed = witness.lock().unwrap();
            passed.push((connection, way, bytes.to_vec()));
        }),
    );
    let carrier = format!("tls://{between}");
    let (secrets, plain) = (people.keys("secrets"), people.keys("plain.pcapng"));
    let mut program = people.client_command(&carrier);
    program
        .args(["--keylog", "--capture", &plain])
        .env("SSLKEYLOGFILE", &secrets);
    let mut client = Endpoint::run(program).unwrap();
    let sent = pattern(60_000);
    for _ in 0..3 {
        assert!(exchange(&client.connect(), &sent) == sent);
    }
    client.signal(Signal::TERM);
    assert!(client.wait().success());
    // On a second connection, somebody names another destination than the proven one.
    let keys_of_other = fs::read(people.path("other")).unwrap();
    fs::write(people.path("destination"), &keys_of_other[..391]).unwrap();
    let forged = format!("syn $c @{}", people.keys("destination"));
    let output = command(&["inject", "--carrier", &carrier, "--keylog"])
        .args(people.calling())
        .args([&forged, "expect close $c"])
        .env("SSLKEYLOGFILE", &secrets)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let numbers = get(&server, "/metrics");
    let expected = "ministream_findings_total{code=\"tls.unproven_syn\"} 1";
    assert!(numbers.lines().any(|line| line == expected), "{numbers}");

    let passed = passed.lock().unwrap();
    let file = people.keys("encrypted.pcap");
    let messages = |text: &str| {
        let of = |line: &str| {
            let record: Value = serde_json::from_str(line).unwrap();
            let keys = ["dir", "type", "id", "payload_hex"];
            (record["record"] == "message").then(|| keys.map(|key| record[key].to_string()))
        };
        let mut all: Vec<[String; 4]> = text.lines().filter_map(of).collect();
        // The directions are not in the same order for whoever stands elsewhere.
        all.sort();
        all
    };
    let expected = messages(&dump(&[&plain, "-T", "ndjson"]));
    assert!(expected.len() > 12, "{expected:?}");
    for segment_bytes in [1_448, 7, 60_000] {
        fs::write(&file, capture(&passed, segment_bytes, None)).unwrap();
        let read = |more: &[&str]| dump(&[&[&file, "--keylog", &secrets][..], more].concat());
        let found = messages(&read(&["-T", "ndjson", "--conv", "c1,c2,c3"]));
        assert!(found == expected, "{segment_bytes}");
        let findings = read(&["-q", "-z", "findings"]);
        assert!(findings.contains("Findings (1)"), "{findings}");
        assert!(findings.contains("tls.unproven_syn"), "{findings}");
        assert!(read(&[]) == read(&["-j", "1"]));
    }
    // Without the secrets, or with others, it is another protocol's.
    let empty = people.keys("empty");
    fs::write(&empty, "# nothing\n").unwrap();
    let foreign = dump(&[&file, "-T", "ndjson"]);
    let (with, without) = (
        "and the key log has no secrets of that",
        "--keylog takes the secrets",
    );
    let searched = dump(&[&file, "-T", "ndjson", "--keylog", &empty]);
    assert_eq!(searched.replace(with, without), foreign);
    assert!(searched.contains(with), "{searched}");
    assert!(messages(&foreign).is_empty(), "{foreign}");
    let summary: Value = serde_json::from_str(foreign.lines().last().unwrap()).unwrap();
    assert_eq!(summary["foreign"]["tls_flow_count"], 2);
    assert_eq!(
        summary["warning"],
        "no ministreaming found; 2 connections offer ministreaming inside TLS, --keylog takes \
         the secrets"
    );
    // What follows a hole cannot be read, and that is told.
    fs::write(&file, capture(&passed, 1_448, Some(40))).unwrap();
    let told = dump(&[&file, "--keylog", &secrets, "-q", "-z", "findings"]);
    assert!(told.contains("tls.unreadable"), "{told}");
    assert!(!told.contains("tcp.no_start"), "{told}");
}

#[test]
fn what_is_no_key_log_is_told_with_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("secrets");
    for (text, told) in [
        (
            Some("#\nCLIENT_RANDOM 12\n"),
            "is no key log: line 2: a line is a label, a client random and a secret\n    help: ",
        ),
        (None, "no such file or directory"),
    ] {
        match text {
            Some(text) => fs::write(&file, text).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        let output = Command::new(env!("CARGO_BIN_EXE_ministream-dump"))
            .args(["captures/spec-samples.pcap", "--keylog"])
            .arg(&file)
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(told), "{error}");
        assert_eq!(output.status.code(), Some(2));
    }
}
