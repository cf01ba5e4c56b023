use serde_json::{Value, json};

use super::*;
use crate::columns::{CONVERSATION, FINDING, HEADER, MESSAGE, SUMMARY, Table};
use crate::conversation::{ConversationId, FindingCode, Meaning, RouterTime};
use crate::dissect::{EvictedCounts, ForeignCounts, NearFlows};
use crate::record::tally::Sight;
use crate::testing;
use crate::text::write::text_of;
use crate::wire::DestinationHash;

/// The keys of the outermost object, in their order.
fn keys(record: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let (mut depth, mut key, mut in_string, mut escaped) = (0, String::new(), false, false);
    for c in record.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => {
                in_string = !in_string;
                if in_string {
                    key.clear();
                }
            }
            _ if in_string => key.push(c),
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            ':' if depth == 1 => keys.push(key.clone()),
            _ => {}
        }
    }
    keys
}

fn names(table: &Table) -> Vec<&str> {
    table.columns().map(|column| column.name).collect()
}

fn writer() -> RecordWriter {
    RecordWriter::new(PayloadDetail::Full)
}

fn message(event: &MessageEvent<'_>) -> Value {
    let record = text_of(|out| writer().message(event, out));
    assert_eq!(keys(&record), names(MESSAGE), "{record}");
    serde_json::from_str(&record).unwrap()
}

#[test]
fn a_message_is_written_as_documented() {
    let event = testing::event(b"\xa0\xff\xff\xffGET / HTTP/1.0\r\n");
    assert_eq!(
        message(&event),
        json!({
            "record": "message", "n": 3, "packet_n": 3,
            "ts": "2004-05-25T12:00:00.005000000Z", "t_us": 5000,
            "carrier": "udp", "src": "127.0.0.1:40112", "dst": "127.0.0.1:9004",
            "dir": "c2s", "type": "data", "type_byte": 160, "id": "ffffff",
            "id_owner": "server", "conv": "c1", "meaning": "carries",
            "payload_bytes": 16, "payload_hex": "474554202f20485454502f312e300d0a",
            "payload_text": "GET / HTTP/1.0\\r\\n", "short_hex": null,
            "server_id": null, "destination_hash": null, "session": null,
            "session_name": null, "router_us": null, "sent_n": null, "encapsulation": null,
            "findings": [],
        })
    );
}

#[test]
fn every_kind_of_message_has_every_key() {
    let findings = [
        testing::finding(FindingCode::OrphanId),
        testing::finding(FindingCode::Ping),
    ];
    let session = testing::session();
    let long = [&[0x50, 1, 2, 3][..], &[b'x'; 1000]].concat();
    for (bytes, expected) in [
        (
            &[0xa1, 1, 2, 3][..],
            ("syn", json!(161), json!("010203"), json!("client")),
        ),
        (
            &[0x51, 1, 2, 3, 9, 8, 7],
            ("ack", json!(81), json!("010203"), json!("client")),
        ),
        (&long, ("data", json!(80), json!("010203"), json!("client"))),
        (
            &[0xa2, 1, 2, 3],
            ("close", json!(162), json!("010203"), json!("server")),
        ),
        (
            &[0xff, 1, 2, 3],
            ("chaff", json!(255), json!("010203"), Value::Null),
        ),
        (
            &[0x53, 1, 2, 3],
            ("unknown", json!(83), json!("010203"), json!("client")),
        ),
        (
            &[0x16, 1, 2, 3],
            ("unknown", json!(22), json!("010203"), Value::Null),
        ),
        (&[0xff], ("ping", json!(255), Value::Null, Value::Null)),
        (&[0xa1, 2], ("short", json!(161), Value::Null, Value::Null)),
        (&[], ("short", Value::Null, Value::Null, Value::Null)),
    ] {
        let event = MessageEvent {
            conversation: None,
            session: Some(&session),
            router_ns: Some(-1),
            sent_as: Some(2),
            destination_hash: Some(DestinationHash::of(&[])),
            findings: &findings,
            meaning: Meaning::Orphan,
            ..testing::event(bytes)
        };
        let record = message(&event);
        let (name, type_byte, id, owner) = expected;
        assert_eq!(record["type"], name);
        assert_eq!(record["type_byte"], type_byte);
        assert_eq!(record["id"], id);
        assert_eq!(record["id_owner"], owner);
        assert_eq!(record["conv"], Value::Null);
        assert_eq!(record["session"], 2);
        assert_eq!(record["session_name"], session.nickname.clone().unwrap());
        assert_eq!(record["router_us"], -1);
        assert_eq!(record["sent_n"], 2);
        assert_eq!(record["findings"], json!(["ms.orphan_id", "ms.ping"]));
        let short = (bytes.len() < 4).then(|| hex::encode(bytes));
        assert_eq!(record["short_hex"], json!(short));
        let ack = (bytes.len() == 7).then_some("090807");
        assert_eq!(record["server_id"], json!(ack));
    }
}

#[test]
fn payloads_are_shown_as_far_as_asked_for() {
    let bytes = [&[0x50, 1, 2, 3][..], &[b'x'; 65]].concat();
    let event = testing::event(&bytes);
    for (detail, hex, text) in [
        (PayloadDetail::None, None, None),
        (
            PayloadDetail::Preview,
            Some(64),
            Some(format!("{}…", "x".repeat(64))),
        ),
        (
            PayloadDetail::Full,
            Some(65),
            Some(format!("{}…", "x".repeat(64))),
        ),
    ] {
        let record = text_of(|out| RecordWriter::new(detail).message(&event, out));
        let record: Value = serde_json::from_str(&record).unwrap();
        assert_eq!(record["payload_bytes"], 65);
        assert_eq!(
            record["payload_hex"],
            json!(hex.map(|bytes| "78".repeat(bytes)))
        );
        assert_eq!(record["payload_text"], json!(text));
    }
}

#[test]
fn no_payload_or_nickname_puts_a_control_into_the_line() {
    let session = testing::session();
    for byte in 0..=255_u8 {
        let bytes = [0x50, 1, 2, 3, byte, b'"', b'\\', 0xe2, 0x80, 0xae];
        let event = MessageEvent {
            session: Some(&session),
            ..testing::event(&bytes)
        };
        let record = text_of(|out| writer().message(&event, out));
        assert!(
            !record.contains(|c: char| c.is_control() || c == '\u{202e}'),
            "{record}"
        );
        serde_json::from_str::<Value>(&record).unwrap();
    }
}

#[test]
fn addresses_and_seconds_that_are_kept_do_not_leak_into_the_next_record() {
    let mut writer = writer();
    let there = testing::event(&[0xa2, 1, 2, 3]);
    let back = testing::event(&[0x52, 1, 2, 3]);
    let elsewhere = MessageEvent {
        source: "[::1]:1".parse().unwrap(),
        target: testing::client(),
        time: testing::START.plus_nanos(-1),
        ..back
    };
    for event in [there, back, there, elsewhere, back, elsewhere, there] {
        let record = text_of(|out| writer.message(&event, out));
        let record: Value = serde_json::from_str(&record).unwrap();
        assert_eq!(record["src"], event.source.to_string());
        assert_eq!(record["dst"], event.target.to_string());
        assert_eq!(record["ts"], event.time.to_string());
    }
}

#[test]
fn a_conversation_is_written_as_documented() {
    let mut conversation = testing::conversation(1);
    let record = text_of(|out| writer().conversation(&conversation, out));
    assert_eq!(keys(&record), names(CONVERSATION));
    let parsed: Value = serde_json::from_str(&record).unwrap();
    assert_eq!(
        parsed,
        json!({
            "record": "conversation", "conv": "c1",
            "client": "127.0.0.1:40112", "client_name": null,
            "client_hash": "47DEQpj8HBSa-~TImW-5JCeuQeRkm5NMpJWZG3hSuFU=",
            "server": "127.0.0.1:9004", "server_name": null, "server_hash": null,
            "carrier": "udp", "client_id": "111111", "server_id": "ffffff",
            "state": "server_closed", "start_t_us": 0, "duration_us": 206000,
            "handshake_us": 4000, "first_byte_us": 5000,
            "c2s": {"message_count": 1, "payload_bytes": 27},
            "s2c": {"message_count": 1, "payload_bytes": 44},
            "finding_count": 0, "peer_view": null, "router_time_us": null,
        })
    );

    conversation.client_id = None;
    conversation.server_id = None;
    conversation.handshake_ns = None;
    conversation.first_byte_ns = None;
    conversation.client.nickname = Some("a\"b".to_owned());
    conversation.peer_view = Some(ConversationId(9));
    conversation.router = Some(RouterTime {
        message_count: 3,
        min_ns: -1_500,
        total_ns: 9_999,
        max_ns: 7_000,
    });
    let record = text_of(|out| writer().conversation(&conversation, out));
    assert_eq!(keys(&record), names(CONVERSATION));
    let parsed: Value = serde_json::from_str(&record).unwrap();
    for key in ["client_id", "server_id", "handshake_us", "first_byte_us"] {
        assert_eq!(parsed[key], Value::Null, "{key}");
    }
    assert_eq!(parsed["client_name"], "a\"b");
    assert_eq!(parsed["peer_view"], "c9");
    assert_eq!(
        parsed["router_time_us"],
        json!({"min": -2, "mean": 3, "max": 7})
    );
}

#[test]
fn a_finding_is_written_as_documented() {
    let mut finding = testing::finding(FindingCode::OrphanId);
    finding.text = "a \"quote\"".to_owned();
    let record = text_of(|out| writer().finding(&finding, out));
    assert_eq!(keys(&record), names(FINDING));
    let parsed: Value = serde_json::from_str(&record).unwrap();
    assert_eq!(
        parsed,
        json!({
            "record": "finding", "level": "warn", "code": "ms.orphan_id", "n": 3,
            "packet_n": 3, "conv": "c1", "text": "a \"quote\"",
            "detail": {"id": "0bad1d", "offset_bytes": 7},
        })
    );
    finding.message = None;
    finding.packet = None;
    finding.conversation = None;
    finding.detail.clear();
    let record = text_of(|out| writer().finding(&finding, out));
    let parsed: Value = serde_json::from_str(&record).unwrap();
    assert_eq!(parsed["n"], Value::Null);
    assert_eq!(parsed["detail"], json!({}));
}

#[test]
fn header_and_summary_are_written_as_documented() {
    let inputs = [testing::input(), testing::input()];
    let header = text_of(|out| writer().header(&inputs, Reading::GoesOn, Secrets::NONE, out));
    assert_eq!(keys(&header), names(HEADER));
    let parsed: Value = serde_json::from_str(&header).unwrap();
    assert_eq!(parsed["schema"], SCHEMA);
    assert_eq!(parsed["inputs"][1]["packet_count"], Value::Null);

    let mut totals = Totals::default();
    totals.message(&testing::event(b"\xa0\xff\xff\xffdata"), Sight::First);
    totals.message(&testing::event(b"\xa0\xff\xff\xffdata"), Sight::Again);
    totals.finding(&testing::finding(FindingCode::OrphanId));
    totals.conversation(&testing::conversation(1));
    let summary = Summary {
        inputs: &inputs,
        packet_count: 15,
        span: Some((testing::START, testing::START.plus_nanos(1_200_000_999))),
        skipped: &[("not_ip", 1)],
        foreign: ForeignCounts {
            flows: 2,
            sealed_flows: 1,
            payloads: 30,
            bytes: 400,
            i2cp_messages: 5,
        },
        near: &NearFlows::default(),
        warning: None,
        dropped_by_kernel: None,
        evicted: EvictedCounts::default(),
        exit_code: 3,
    };
    let record = text_of(|out| writer().summary(&totals, &summary, out));
    assert_eq!(keys(&record), names(SUMMARY));
    let parsed: Value = serde_json::from_str(&record).unwrap();
    assert_eq!(parsed["inputs"][0]["packet_count"], 14);
    assert_eq!(parsed["by_type"]["data"], 2);
    assert_eq!(parsed["by_type"].as_object().unwrap().len(), 8);
    assert_eq!(parsed["by_state"]["server_closed"], 1);
    assert_eq!(
        parsed["by_level"],
        json!({"error": 0, "warn": 1, "note": 0})
    );
    assert_eq!(
        parsed["c2s"],
        json!({"message_count": 2, "payload_bytes": 8})
    );
    assert_eq!(
        parsed["c2s_once"],
        json!({"message_count": 1, "payload_bytes": 4})
    );
    assert_eq!(parsed["skipped"], json!({"not_ip": 1}));
    assert_eq!(
        parsed["foreign"],
        json!({"flow_count": 2, "tls_flow_count": 1, "payload_count": 30, "payload_bytes": 400, "i2cp_message_count": 5})
    );
    assert_eq!(parsed["duration_us"], 1_200_000);
    assert_eq!(parsed["exit_code"], 3);
}
