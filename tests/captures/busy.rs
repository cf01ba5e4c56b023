//! Many conversations at once, over many flows: every total is what the generator counted.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::thread;

use ministream_fixtures::bulk::{Bulk, BulkCarrier, Shape};
use ministream_fixtures::carry::Prefix;
use ministream_fixtures::file::Pcap;
use ministream_fixtures::{Link, Wire};
use serde_json::{Value, json};

/// A bit of all that may happen.
const EVERYTHING: Shape = Shape {
    flows: 40,
    conversations: 2_000,
    open: 200,
    idle: 100,
    ..Shape::eventful(BulkCarrier::Udp)
};

#[test]
fn every_total_of_busy_datagrams_is_the_generators() {
    assert_exact(EVERYTHING);
}

#[test]
fn every_total_of_busy_connections_in_disorder_is_the_generators() {
    for prefix in [Prefix::U32, Prefix::U16] {
        assert_exact(Shape {
            carrier: BulkCarrier::Tcp(prefix),
            ..EVERYTHING
        });
    }
}

#[test]
fn every_total_of_a_connection_for_each_conversation_is_the_generators() {
    assert_exact(Shape {
        carrier: BulkCarrier::Tcp(Prefix::U32),
        flows: 800,
        conversations: 800,
        ..EVERYTHING
    });
}

#[test]
fn every_total_of_thousands_at_once_is_the_generators() {
    for carrier in [BulkCarrier::Udp, BulkCarrier::Tcp(Prefix::U32)] {
        assert_exact(Shape {
            carrier,
            open: 20_000,
            conversations: 22_000,
            flows: 1_000,
            ..EVERYTHING
        });
    }
}

fn assert_exact(shape: Shape) {
    let mut bulk = Bulk::new(shape);
    let records = records(&mut bulk);
    let truth: Value = serde_json::from_str(&bulk.truth().to_string()).unwrap();
    // What is never drawn proves nothing.
    for key in ["crossing_closes", "idle_conversations"] {
        assert_ne!(truth[key], 0, "{key}");
    }
    if shape.carrier != BulkCarrier::Udp {
        for key in ["retransmitted_segments", "reordered_segments"] {
            assert_ne!(truth[key], 0, "{key}");
        }
    }

    let [summary] = &of_kind(&records, "summary")[..] else {
        panic!("one summary");
    };
    for key in [
        "message_count",
        "conversation_count",
        "by_type",
        "by_state",
        "by_level",
        "c2s",
        "s2c",
    ] {
        assert_eq!(summary[key], truth[key], "{key} of {shape:?}");
    }
    let mut findings: BTreeMap<&str, u64> = BTreeMap::new();
    for finding in of_kind(&records, "finding") {
        *findings
            .entry(finding["code"].as_str().unwrap())
            .or_default() += 1;
    }
    assert_eq!(json!(findings), truth["findings"], "{shape:?}");
    let crossing = of_kind(&records, "message")
        .iter()
        .filter(|message| message["meaning"] == "closes_again")
        .count();
    assert_eq!(json!(crossing), truth["crossing_closes"], "{shape:?}");
}

fn of_kind<'a>(records: &'a [Value], kind: &str) -> Vec<&'a Value> {
    records
        .iter()
        .filter(|record| record["record"] == kind)
        .collect()
}

/// What `ministream-dump` says of the capture.
fn records(bulk: &mut Bulk) -> Vec<Value> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ministream-dump"))
        .args(["-T", "ndjson", "--payload", "none", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.stdout.take().unwrap();
    let reader = thread::spawn(move || {
        let lines = BufReader::new(output).lines();
        lines
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
            .collect()
    });
    let mut input = child.stdin.take().unwrap();
    let mut wire = Wire::new(Link::ETHERNET);
    input
        .write_all(&Pcap::USUAL.header(u32::from(wire.link.number())))
        .unwrap();
    while bulk.advance(&mut wire) {
        for packet in wire.packets.drain(..) {
            input.write_all(&Pcap::USUAL.record(&packet)).unwrap();
        }
    }
    drop(input);
    assert!(child.wait().unwrap().success());
    reader.join().unwrap()
}
