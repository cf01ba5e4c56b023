//! Flows that are nearly ours are named, and nothing found is never silent.

use std::net::SocketAddr;

use ministream_fixtures::file::Pcap;
use ministream_fixtures::message::{id, syn};
use ministream_fixtures::{End, Link, Random, UdpFlow, Wire};

use crate::run::pipe;

/// A SYN with a key of its own from each of some ports; nobody answers.
fn single_syns(flows: u16) -> Vec<u8> {
    Pcap::USUAL.write(&wire_of_single_syns(flows))
}

/// The same to a server that gets something else as well, so that they are not ours for certain.
fn single_syns_beside_others(flows: u16) -> Vec<u8> {
    let mut wire = wire_of_single_syns(flows);
    let client = SocketAddr::from(([10, 0, 0, 1], 39_999));
    UdpFlow::new(client, SERVER.into()).send(&mut wire, End::Client, b"something else");
    Pcap::USUAL.write(&wire)
}

const SERVER: ([u8; 4], u16) = ([10, 0, 0, 2], 9004);

fn wire_of_single_syns(flows: u16) -> Wire {
    let mut random = Random::new(7);
    let mut wire = Wire::new(Link::ETHERNET);
    for (port, number) in (40_000..40_000 + flows).zip(0x11_1111..) {
        let client = SocketAddr::from(([10, 0, 0, 1], port));
        let message = syn(id(number), &random.bytes(32));
        UdpFlow::new(client, SERVER.into()).send(&mut wire, End::Client, &message);
    }
    wire
}

#[test]
fn the_heading_names_flows_that_are_nearly_ours_with_the_rule_that_reads_them() {
    let run = pipe("-", &single_syns(1));
    assert_eq!(run.code, Some(0));
    assert_eq!(
        run.stdout.lines().nth(1),
        Some(
            "udp 10.0.0.1:40000 → 10.0.0.2:9004, perhaps ministream: 1 SYN without an answer; \
             -d udp.port==9004,ministream reads it"
        )
    );
    let run = pipe("-", &single_syns_beside_others(50));
    assert_eq!(
        run.stdout.lines().skip(1).take(2).collect::<Vec<_>>(),
        [
            "udp 10.0.0.1:40000 → 10.0.0.2:9004 and 49 more flows, perhaps ministream: 50 SYNs \
             without an answer;",
            "  -d udp.port==9004,ministream reads them",
        ]
    );
    let rule = "- -d udp.port==9004,ministream -T text";
    let read = pipe(rule, &single_syns_beside_others(50)).ok();
    assert_eq!(read.lines().count(), 51);
}

#[test]
fn several_flows_of_a_single_syn_are_ours_without_a_rule() {
    for flows in [3, 50] {
        let read = pipe("- -T text", &single_syns(flows)).ok();
        assert_eq!(read.lines().count(), usize::from(flows));
    }
}

#[test]
fn nothing_found_is_told_on_standard_error_and_in_the_summary() {
    let text = "no ministreaming found; 2 flows are perhaps ministream, try -d \
                udp.port==9004,ministream";
    let warning = format!("ministream-dump: warning: {text}\n");
    for arguments in ["-q -", "-", "-T text -", "-q -z conv -"] {
        let run = pipe(arguments, &single_syns(2));
        assert_eq!(
            (run.code, run.stderr),
            (Some(0), warning.clone()),
            "{arguments}"
        );
    }
    let run = pipe("-q -v -", &single_syns(2));
    assert_eq!(
        run.stderr,
        format!(
            "ministream-dump: info: packets: 2\n\
             ministream-dump: info: flows of other protocols: 2\n\
             ministream-dump: info: udp 10.0.0.1:40000 → 10.0.0.2:9004 and 1 more flow, perhaps \
             ministream: 2 SYNs without an answer; -d udp.port==9004,ministream reads them\n\
             {warning}"
        )
    );
    let run = pipe("-T ndjson -", &single_syns(2));
    let summary: serde_json::Value =
        serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(summary["warning"], text);
    assert_eq!(
        summary["near_flows"][0]["decode_as"],
        "udp.port==9004,ministream"
    );
    assert_eq!(summary["near_flows"][0]["flow_count"], 2);
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("report.html");
    pipe(&format!("-q --html {} -", page.display()), &single_syns(2));
    let page = std::fs::read_to_string(page).unwrap();
    assert!(
        page.contains(&format!("<p class=\"note\">{text}</p>")),
        "{page}"
    );
    assert_eq!(pipe("-q --fail-on empty -", &single_syns(2)).code, Some(1));
    assert_eq!(pipe("-q --fail-on error -", &single_syns(2)).code, Some(0));
    // Packets that cannot be read may hold anything.
    let mut wire = Wire::new(Link::ETHERNET);
    wire.push_frame(vec![0; 20]);
    let mut bytes = Pcap::USUAL.write(&wire);
    bytes[20..24].copy_from_slice(&147_u32.to_le_bytes());
    let run = pipe("-q -", &bytes);
    assert_eq!(
        run.stderr,
        "ministream-dump: warning: no ministreaming found; 1 packet skipped: link type\n\
         ministream-dump: warning: -: 1 packets of link type 147 (user 0) are not read\n"
    );
}
