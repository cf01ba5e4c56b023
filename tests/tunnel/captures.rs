//! What endpoints record is what the dissector reads.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::endpoint::{Endpoint, Tunnel, eventually};
use crate::services::{echo, exchange, pattern};
use ministream_fixtures::needs;
use ministream_fixtures::program::{find, skip};
use ministream_fixtures::unused_address;

/// The dissector's records of a capture.
pub(crate) fn dissect(path: &Path) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_ministream-dump"))
        .arg(path)
        .args(["-T", "ndjson"])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Messages in a capture that may still be written.
fn message_count(path: &Path) -> usize {
    let output = Command::new(env!("CARGO_BIN_EXE_ministream-dump"))
        .arg(path)
        .args(["--lenient", "-T", "fields", "-e", "n"])
        .output()
        .unwrap();
    output.stdout.iter().filter(|byte| **byte == b'\n').count()
}

pub(crate) fn records<'a>(all: &'a [Value], kind: &str) -> Vec<&'a Value> {
    all.iter()
        .filter(|record| record["record"] == kind)
        .collect()
}

fn assert_no_findings_above_note(all: &[Value]) {
    for finding in records(all, "finding") {
        assert_eq!(finding["level"], "note", "{finding}");
    }
}

#[test]
fn both_ends_record_the_same_conversations_without_findings() {
    for (carrier, name) in [
        ("tcp://127.0.0.1:0", "tcp_u32be"),
        ("tcp://127.0.0.1:0?prefix=u16be", "tcp_u16be"),
        ("udp://127.0.0.1:0", "udp"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let paths = ["server", "client"].map(|end| directory.path().join(end));
        let more = paths
            .each_ref()
            .map(|path| ["--capture", path.to_str().unwrap()]);
        let mut server = Endpoint::server(carrier, echo(), &more[0]);
        let mut client = Endpoint::client(server.carrier(), &more[1]);
        for size in [5, 70_000] {
            let sent = pattern(size);
            assert!(exchange(&client.connect(), &sent) == sent);
        }
        for end in [&mut client, &mut server] {
            end.signal(rustix::process::Signal::TERM);
            assert!(end.wait().success());
        }
        let mut seen = Vec::new();
        for path in &paths {
            let all = dissect(path);
            assert_no_findings_above_note(&all);
            let conversations = records(&all, "conversation");
            assert_eq!(conversations.len(), 2, "{carrier}: {all:?}");
            let mut bytes: Vec<_> = conversations
                .iter()
                .map(|conversation| {
                    assert_eq!(conversation["carrier"], name);
                    (
                        conversation["client_id"].to_string(),
                        conversation["server_id"].to_string(),
                        conversation["c2s"]["payload_bytes"].as_u64().unwrap(),
                        conversation["s2c"]["payload_bytes"].as_u64().unwrap(),
                    )
                })
                .collect();
            bytes.sort();
            let mut sizes: Vec<_> = bytes.iter().map(|entry| (entry.2, entry.3)).collect();
            sizes.sort_unstable();
            assert_eq!(sizes, [(5, 5), (70_000, 70_000)], "{carrier}");
            seen.push(bytes);
        }
        assert_eq!(seen[0], seen[1], "{carrier}");
    }
}

#[test]
fn a_capture_is_readable_when_its_endpoint_was_killed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("killed.pcapng");
    let target = unused_address();
    let server = Endpoint::server("tcp://127.0.0.1:0", target, &[]);
    let client = Endpoint::client(server.carrier(), &["--capture", path.to_str().unwrap()]);
    drop(client.connect());
    client.wait_for_log("refused by the peer");
    let mut messages = 0;
    eventually("SYN and close are in the file", || {
        messages = records(&dissect(&path), "message").len();
        messages >= 2
    });
    client.kill();
    let all = dissect(&path);
    assert_eq!(records(&all, "message").len(), messages);
    assert_eq!(records(&all, "conversation")[0]["state"], "refused");
    assert_no_findings_above_note(&all);
}

#[test]
fn what_was_recorded_is_what_was_on_the_wire() {
    needs!("tcpdump");
    let interface = "lo";
    let directory = tempfile::tempdir().unwrap();
    let wire = directory.path().join("wire.pcap");
    let recorded = directory.path().join("recorded.pcapng");
    let mut tunnel = Tunnel {
        server: Endpoint::server("tcp://127.0.0.1:0", echo(), &[]),
        client: Endpoint::start(&[
            "client",
            "--carrier",
            "udp://127.0.0.1:9",
            "--listen",
            "127.0.0.1:0",
        ]),
    };
    let port = tunnel
        .server
        .carrier()
        .rsplit_once(':')
        .unwrap()
        .1
        .to_owned();
    let mut tcpdump = Command::new(find("tcpdump").unwrap())
        .args([
            "-i",
            interface,
            "-U",
            "--immediate-mode",
            "-B",
            "32768",
            "-w",
        ])
        .arg(&wire)
        .args(["tcp", "port", &port])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // Kept to its end, lest what tcpdump says last ends it.
    let mut said = BufReader::new(tcpdump.stderr.take().unwrap()).lines();
    if !said
        .by_ref()
        .map_while(Result::ok)
        .any(|line| line.contains("listening on"))
    {
        tcpdump.wait().unwrap();
        return skip("needs tcpdump to be allowed to capture");
    }
    tunnel.client = Endpoint::client(
        tunnel.server.carrier(),
        &["--capture", recorded.to_str().unwrap()],
    );
    for _ in 0..5 {
        let sent = pattern(50_000);
        assert!(exchange(&tunnel.connect(), &sent) == sent);
    }
    tunnel.client.signal(rustix::process::Signal::TERM);
    assert!(tunnel.client.wait().success());
    // What is still in the kernel when tcpdump is interrupted would be lost.
    let count = message_count(&recorded);
    eventually("tcpdump has written all", || message_count(&wire) == count);
    let id = rustix::process::Pid::from_raw(i32::try_from(tcpdump.id()).unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    crate::endpoint::wait(&mut tcpdump);

    let [wire, recorded] = [wire, recorded].map(|path| {
        let all = dissect(&path);
        assert_no_findings_above_note(&all);
        records(&all, "message")
            .iter()
            .map(|message| {
                format!(
                    "{} {} {} {}",
                    message["dir"], message["type"], message["id"], message["payload_hex"]
                )
            })
            .collect::<Vec<_>>()
    });
    assert_eq!(wire.len(), recorded.len());
    let sorted = |mut messages: Vec<String>| {
        messages.sort();
        messages
    };
    assert!(sorted(wire) == sorted(recorded));
}
