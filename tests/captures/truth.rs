//! The real captures decode to what their endpoints logged.

use std::collections::BTreeMap;

use ministream::wire::DestinationHash;
use serde_json::Value;

use crate::{recording, shelf};

/// The router's port; who talks to it is the application.
const ROUTER_PORT: u16 = 7654;

/// One message as both the log and the dissector can tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fact {
    message_type: u8,
    /// `None` for a message of fewer than four bytes.
    id: Option<String>,
    payload_bytes: usize,
    payload_sha256: String,
}

/// The facts of each endpoint and direction (`send`, `recv`), in their order.
type Log = BTreeMap<(String, &'static str), Vec<Fact>>;

#[test]
fn every_real_capture_decodes_to_what_its_endpoints_logged() {
    let captures: Vec<String> = shelf::names()
        .into_iter()
        .filter(|name| name.starts_with("real/"))
        .collect();
    assert_eq!(captures.len(), 7, "{captures:?}");
    for name in captures {
        let (truth, decoded) = (logged(&name), decoded(&name));
        assert_eq!(
            truth.keys().collect::<Vec<_>>(),
            decoded.keys().collect::<Vec<_>>(),
            "{name}"
        );
        for (key, facts) in &truth {
            assert_eq!(&decoded[key], facts, "{name}, {key:?}");
        }
    }
}

fn logged(name: &str) -> Log {
    let (stem, _) = name.split_once(".pcap").unwrap();
    let text = String::from_utf8(shelf::bytes(&format!("{stem}.truth.ndjson"))).unwrap();
    let mut log = Log::new();
    for line in text.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        if entry["in_capture"] != true {
            continue;
        }
        let endpoint = entry["endpoint"].as_str().unwrap().to_owned();
        let direction = match entry["dir"].as_str().unwrap() {
            "send" => "send",
            "recv" => "recv",
            other => panic!("{name}: direction {other}"),
        };
        log.entry((endpoint, direction)).or_default().push(Fact {
            message_type: u8::from_str_radix(entry["type"].as_str().unwrap(), 16).unwrap(),
            id: entry["id"].as_str().map(str::to_owned),
            payload_bytes: usize::try_from(entry["payload_len"].as_u64().unwrap()).unwrap(),
            payload_sha256: entry["payload_sha256"].as_str().unwrap().to_owned(),
        });
    }
    log
}

fn decoded(name: &str) -> Log {
    let recording = recording::of_file(&shelf::directory().join(name));
    let mut log = Log::new();
    for message in recording.messages {
        let endpoint = message.nickname.expect("the capture holds CreateSession");
        let direction = match message.source.port() {
            ROUTER_PORT => "recv",
            _ => "send",
        };
        let (header, payload) = message.bytes.split_at(message.bytes.len().min(4));
        log.entry((endpoint, direction)).or_default().push(Fact {
            message_type: header[0],
            id: header.get(1..4).map(hex::encode),
            payload_bytes: payload.len(),
            // Any SHA-256 will do, and the one that names destinations is at hand.
            payload_sha256: hex::encode(DestinationHash::of(payload).0),
        });
    }
    log
}
