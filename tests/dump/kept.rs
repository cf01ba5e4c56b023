//! Packets that `--tui` has kept of an input that comes only once: what was made of the input is
//! made of them, too, under the same numbers.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;

use ministream_fixtures::carry::{self, Prefix};
use ministream_fixtures::file::Pcap;
use ministream_fixtures::{End, Link, Random, TcpFlow, UdpFlow, Wire, sample_destination, samples};
use serde_json::Value;

use crate::generate::captures;
use crate::run::{Run, capture, command, pipe, run};

/// Dissects a capture that comes through a pipe, and keeps its packets.
fn keep(capture: &Path, kept: &Path) -> Run {
    File::create(kept).unwrap();
    let kept = kept.to_str().unwrap();
    let mut command = command(["-", "-T", "ndjson", "--keep-packets", kept]);
    let input = File::open(capture).unwrap();
    command.stdin(input).output().unwrap().into()
}

/// Dissects kept packets. Options of a live capture are those with which they came.
fn read_kept(kept: &Path) -> Run {
    let kept = kept.to_str().unwrap();
    run([
        "-i",
        "lo",
        "-f",
        "udp",
        "-T",
        "ndjson",
        "--kept-packets",
        kept,
    ])
}

/// The records of messages and conversations, without what depends on the other packets: their
/// numbers, the time since the first, the findings.
fn messages_and_conversations(records: &str) -> Vec<Value> {
    const DEPENDING: [&str; 4] = ["packet_n", "t_us", "start_t_us", "findings"];
    let records = records
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    records
        .filter(|record| ["message", "conversation"].contains(&record["record"].as_str().unwrap()))
        .map(|mut record| {
            let fields = record.as_object_mut().unwrap();
            fields.retain(|name, _| !DEPENDING.contains(&&**name));
            record
        })
        .collect()
}

/// The packets that a summary counts.
fn packet_count(records: &str) -> u64 {
    let summary: Value = serde_json::from_str(records.lines().last().unwrap()).unwrap();
    summary["packet_count"].as_u64().unwrap()
}

#[test]
fn the_packets_kept_of_every_capture_give_the_same_messages_in_the_same_conversations() {
    let directory = tempfile::tempdir().unwrap();
    let kept = directory.path().join("kept.pcapng");
    let mut count = 0;
    for capture in captures() {
        let seen = keep(&Path::new(env!("CARGO_MANIFEST_DIR")).join(&capture), &kept);
        let again = read_kept(&kept);
        let [seen, again] = [seen, again].map(|run| messages_and_conversations(&run.stdout));
        count += seen.len();
        assert_eq!(seen, again, "{capture}");
    }
    assert!(count > 1_000, "{count}");
}

/// Downloads and calls of other protocols, before and between conversations; one of these has the
/// ports of a download that ended before.
fn much_other_traffic() -> Vec<u8> {
    let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let mut random = Random::new(1);
    let mut wire = Wire::new(Link::ETHERNET);
    let destination = sample_destination();
    let mut download = |wire: &mut Wire, client: u16| {
        let mut http = TcpFlow::new(local(client), local(80));
        let call = UdpFlow::new(local(client), local(5060));
        http.open(wire);
        http.send(wire, End::Client, b"GET / HTTP/1.0\r\n\r\n");
        for _ in 0..SEGMENTS {
            http.send(wire, End::Server, &random.bytes(1_000));
            call.send(wire, End::Client, &random.bytes(1_000));
        }
        http.close(wire, End::Server);
    };
    download(&mut wire, 40_000);
    let flow = UdpFlow::new(local(41_000), local(9_004));
    carry::over_udp(&mut wire, flow, &samples::short(&destination));
    download(&mut wire, 40_001);
    let addresses = (local(40_001), local(80));
    for (client, server) in [addresses, (local(41_001), local(9_004))] {
        let initial = [3_000_000_000, 4_000_000_000];
        let mut flow = TcpFlow::with_initial_sequence(client, server, initial);
        let exchange = samples::short(&destination);
        carry::over_tcp(&mut wire, &mut flow, Prefix::U32, &exchange);
    }
    Pcap::USUAL.write(&wire)
}

const SEGMENTS: u64 = 300;

#[test]
fn of_other_traffic_what_shows_that_it_is_other_is_kept_and_no_more_of_its_data() {
    let directory = tempfile::tempdir().unwrap();
    let [capture, kept] = ["capture.pcap", "kept.pcapng"].map(|name| directory.path().join(name));
    fs::write(&capture, much_other_traffic()).unwrap();
    let seen = keep(&capture, &kept);
    let again = read_kept(&kept);
    let [all, few] = [&seen, &again].map(|run| packet_count(&run.stdout));
    assert!(all > 4 * SEGMENTS && few < 100, "{few} of {all}");
    let [seen, again] = [seen, again].map(|run| messages_and_conversations(&run.stdout));
    assert_eq!(seen, again);
    let conversations = seen
        .iter()
        .filter(|record| record["record"] == "conversation");
    assert_eq!(conversations.count(), 3);
}

#[test]
fn where_packets_cannot_be_kept_none_are_and_the_rest_goes_on() {
    let input = capture("spec-samples.pcap");
    let run = pipe(
        "- -T fields -e type --keep-packets /nonexistent/kept",
        &input,
    );
    assert_eq!(run.stdout.lines().count(), 14);
    assert_eq!(
        run.stderr,
        "ministream-dump: warning: cannot keep packets in /nonexistent/kept: no such file or directory\n"
    );
}
