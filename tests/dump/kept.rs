//! Packets that `--tui` has kept of an input that comes only once: what was made of the input is
//! made of them, too.

use std::fs::{self, File};
use std::net::{Ipv6Addr, SocketAddr};
use std::path::Path;

use ministream::capture::{InterfaceId, LinkType, Packet, PcapngWriter};
use ministream::time::Timestamp;
use ministream_fixtures::file::Pcap;
use ministream_fixtures::message::{id, syn};
use ministream_fixtures::{End, Link, Random, UdpFlow, Wire};

use crate::generate::captures;
use crate::run::{Run, capture, command, pipe, run};

/// Dissects a capture that comes through a pipe, and keeps its packets.
fn keep(capture: &Path, kept: &Path, options: &[&str]) -> Run {
    let file = File::options().create(true).append(true).open(kept);
    drop(file.unwrap());
    let kept = kept.to_str().unwrap();
    let mut command = command(["-", "-T", "ndjson", "--keep-packets", kept]);
    command.args(options);
    let input = File::open(capture).unwrap();
    command.stdin(input).output().unwrap().into()
}

/// Dissects kept packets. Options of a live capture are those with which they came.
fn read_kept(kept: &Path, options: &[&str]) -> Run {
    let kept = kept.to_str().unwrap();
    let live = [
        "-i",
        "lo",
        "-f",
        "udp",
        "-T",
        "ndjson",
        "--kept-packets",
        kept,
    ];
    run([&live, options].concat())
}

/// The records but for those that name the input or its interfaces.
fn records_between(records: &str) -> Vec<&str> {
    let names_input = |record: &&str| {
        let kinds = [
            "\"record\":\"header\"",
            "\"record\":\"summary\"",
            "\"code\":\"cap.",
        ];
        kinds.iter().any(|kind| record.contains(kind))
    };
    let all = records.lines();
    all.filter(|record| !names_input(record)).collect()
}

/// Dissects the capture and the packets kept of it; the records that both give.
#[track_caller]
fn records_of_both(capture: &Path, options: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let kept = directory.path().join("kept.pcapng");
    let seen = keep(capture, &kept, options);
    let again = read_kept(&kept, options);
    assert_eq!(
        records_between(&seen.stdout),
        records_between(&again.stdout),
        "{}",
        capture.display()
    );
    seen.stdout
}

#[test]
fn the_packets_kept_of_every_capture_give_the_same_records() {
    let mut count = 0;
    for capture in captures() {
        let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join(&capture);
        count += records_of_both(&capture, &[]).lines().count();
    }
    assert!(count > 1_000, "{count}");
}

/// Flows of another protocol that go on, between which an idle conversation is forgotten for new
/// ones; then its SYN comes again.
fn more_flows_than_there_is_memory_for() -> Vec<u8> {
    let local = |port| SocketAddr::from(([10, 0, 0, 1], port));
    let server = SocketAddr::from(([10, 0, 0, 2], 9_004));
    let mut random = Random::new(1);
    let mut wire = Wire::new(Link::ETHERNET);
    let ours = UdpFlow::new(local(1_024), server);
    let syn = syn(id(0x11_1111), &random.bytes(391));
    ours.send(&mut wire, End::Client, &syn);
    let others = |port| UdpFlow::new(local(port), SocketAddr::from(([10, 0, 0, 3], 53)));
    for port in 10_000..11_000 {
        others(port).send(&mut wire, End::Client, &random.bytes(40));
    }
    for port in 20_000..21_900 {
        let old = others(10_000 + port % 1_000);
        for other in [old, others(port)] {
            other.send(&mut wire, End::Client, &random.bytes(40));
        }
    }
    ours.send(&mut wire, End::Client, &syn);
    Pcap::USUAL.write(&wire)
}

#[test]
fn flows_of_other_protocols_have_the_same_ones_forgotten_again() {
    let directory = tempfile::tempdir().unwrap();
    let capture = directory.path().join("capture.pcap");
    fs::write(&capture, more_flows_than_there_is_memory_for()).unwrap();
    let options = ["--memory", "4MiB", "-d", "udp.port==9004,ministream"];
    let records = records_of_both(&capture, &options);
    assert!(records.contains("cap.evicted"), "{records}");
}

/// Datagrams without numbers (IPv6), the last of which comes once more from another interface, and
/// then again from the first: one copy, and one that was sent twice.
fn a_copy_and_a_repeat() -> Vec<u8> {
    let [client, server] =
        [40_000, 9_004].map(|port| SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
    let flow = UdpFlow::new(client, server);
    let mut random = Random::new(1);
    let mut wire = Wire::new(Link::ETHERNET);
    let datagrams = 20;
    for number in 0..datagrams {
        let syn = syn(id(0x11_1111 + number), &random.bytes(391));
        flow.send(&mut wire, End::Client, &syn);
    }
    let last = wire.packets.last().unwrap().clone();
    let usual = wire.packets.iter().map(|packet| (0, packet.nanos, packet));
    let again = [
        (1, last.nanos + 50_000, &last),
        (0, last.nanos + 3_000_000, &last),
    ];
    let mut file = PcapngWriter::new(Vec::new()).unwrap().with_all_interfaces();
    for (number, (interface, nanos, packet)) in (1..).zip(usual.chain(again)) {
        file.write(&Packet {
            number,
            time: Timestamp::from_nanos(nanos),
            interface: InterfaceId {
                input: 0,
                number: interface,
            },
            link_type: LinkType::Ethernet,
            data: &packet.data,
            original_bytes: packet.original_bytes,
        })
        .unwrap();
    }
    file.into_inner()
}

#[test]
fn copies_are_the_same_ones_again() {
    let directory = tempfile::tempdir().unwrap();
    let capture = directory.path().join("capture.pcapng");
    fs::write(&capture, a_copy_and_a_repeat()).unwrap();
    let records = records_of_both(&capture, &[]);
    assert!(records.contains("1 packet was captured twice"), "{records}");
}

#[test]
fn packets_are_kept_in_no_file_that_has_something() {
    let directory = tempfile::tempdir().unwrap();
    let kept = directory.path().join("kept.pcapng");
    fs::write(&kept, "mine").unwrap();
    let run = keep(Path::new("captures/spec-samples.pcap"), &kept, &[]);
    assert!(run.stderr.contains("cannot keep packets"), "{}", run.stderr);
    assert_eq!(fs::read(&kept).unwrap(), b"mine");
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
