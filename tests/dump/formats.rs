//! `-T`: text, details, spec, JSON, CSV, fields.

use serde_json::Value;

use crate::run::{SAMPLES, capture, dump, pipe, run};

fn records(arguments: &str) -> Vec<Value> {
    dump(arguments)
        .ok()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn count(records: &[Value], kind: &str) -> usize {
    records
        .iter()
        .filter(|record| record["record"] == kind)
        .count()
}

#[test]
fn ndjson_begins_with_a_header_and_ends_with_a_summary() {
    let records = records(&format!("-T ndjson {SAMPLES}"));
    assert_eq!(records[0]["record"], "header");
    assert_eq!(records[0]["schema"], "ministream.dump/1");
    assert_eq!(records[0]["inputs"][0]["packet_count"], 14);
    assert_eq!(count(&records, "message"), 14);
    assert_eq!(count(&records, "conversation"), 3);
    assert_eq!(count(&records, "finding"), 3);
    let summary = records.last().unwrap();
    assert_eq!(summary["record"], "summary");
    assert_eq!(summary["message_count"], 14);
    assert_eq!(summary["duration_us"], 1_200_000);
    assert_eq!(summary["exit_code"], 0);
}

#[test]
fn a_finding_follows_its_message() {
    let records = records("-T ndjson captures/udp-unknown-types.pcap");
    let mut rest = &records[..];
    let mut count = 0;
    while let [record, after @ ..] = rest {
        rest = after;
        let Some(codes) = record["findings"].as_array() else {
            continue;
        };
        if record["record"] != "message" {
            continue;
        }
        let (findings, others) = rest.split_at(codes.len());
        for (finding, code) in findings.iter().zip(codes) {
            assert_eq!(finding["record"], "finding");
            assert_eq!((&finding["n"], &finding["code"]), (&record["n"], code));
        }
        (rest, count) = (others, count + codes.len());
    }
    assert_eq!(count, 10);
}

#[test]
fn json_holds_the_same_records_as_ndjson() {
    let lines = records(&format!("-T ndjson {SAMPLES}"));
    let object: Value = serde_json::from_str(&dump(&format!("--json {SAMPLES}")).ok()).unwrap();
    let of_kind = |kind: &str| -> Vec<Value> {
        lines
            .iter()
            .filter(|record| record["record"] == kind)
            .cloned()
            .collect()
    };
    assert_eq!(object["header"], lines[0]);
    assert_eq!(object["messages"], Value::from(of_kind("message")));
    assert_eq!(object["findings"], Value::from(of_kind("finding")));
    assert_eq!(
        object["conversations"],
        Value::from(of_kind("conversation"))
    );
    assert_eq!(object["summary"], *lines.last().unwrap());
}

#[test]
fn json_is_whole_for_captures_with_nothing_in_them() {
    for name in ["empty.pcap", "other-traffic.pcap"] {
        let text = dump(&format!("--json captures/{name}")).ok();
        let object: Value = serde_json::from_str(&text).unwrap();
        for key in ["messages", "findings", "conversations"] {
            assert_eq!(object[key], Value::Array(Vec::new()), "{name} {key}");
        }
    }
}

#[test]
fn quiet_json_has_no_messages() {
    let records = records(&format!("-q -T ndjson {SAMPLES}"));
    assert_eq!(count(&records, "message"), 0);
    assert_eq!(records.len(), 1 + 3 + 3 + 1);
    let object: Value = serde_json::from_str(&dump(&format!("-q --json {SAMPLES}")).ok()).unwrap();
    assert_eq!(object["messages"], Value::Array(Vec::new()));
    assert_eq!(object["conversations"].as_array().unwrap().len(), 3);
}

#[test]
fn payloads_go_into_json_as_far_as_asked_for() {
    for (how, digits) in [("full", Some(774)), ("preview", Some(128)), ("none", None)] {
        let records = records(&format!("-T ndjson --payload {how} {SAMPLES}"));
        let hex = records[1]["payload_hex"].as_str();
        assert_eq!(hex.map(str::len), digits);
        assert_eq!(records[1]["payload_bytes"], 387);
    }
}

#[test]
fn text_is_a_line_for_each_message() {
    let shown = dump(&format!("-T text {SAMPLES}")).ok();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 14);
    assert_eq!(
        lines[1],
        "    2   0.004000 c1 127.0.0.1:9004 → 127.0.0.1:40112 udp s2c ACK 111111 3 \
         server id ffffff, 4.0 ms"
    );
    assert_eq!(
        lines[11],
        "   12   1.000000 - 127.0.0.1:40112 → 127.0.0.1:9004 udp c2s DATA 0bad1d 6 \
         ! orphan: no such server id"
    );
}

#[test]
fn details_show_every_field_with_its_offset() {
    let shown = run(["-V", SAMPLES, "-Y", "n == 1"]).ok();
    assert_eq!(
        shown,
        "\
message 1: SYN, 391 bytes
  packet 1, 2004-05-25T12:00:00.000000000Z, 0.000000 s
  udp, 127.0.0.1:40112 → 127.0.0.1:9004
  c1, client to server: opens
  0000  type     0xa1 SYN
  0001  id       111111
  0004  destination, 387 bytes
          hash      9kQu6dZwcXyhQDaAv~eXO~b7R3TUrJ4AZ9mjjFltRzA=
          name      6zcc52owobyxzikag2al754xhp3pwr3u2swj4adh3gryywlni4ya.b32.i2p
    0004  encryption  256 bytes, 009e3cda7817b553…
    0104  signing     DSA-SHA1, 128 bytes, 37d57312b04eec8a…
    0184  certificate 000000
"
    );
}

#[test]
fn hex_shows_the_message_that_details_describe() {
    let shown = run(["-x", SAMPLES, "-Y", "type == ack && conv == c3"]).ok();
    let as_table = run([
        "-x",
        "-T",
        "table",
        SAMPLES,
        "-Y",
        "type == ack && conv == c3",
    ])
    .ok();
    assert_eq!(as_table, shown);
    let bytes = "  0000  51 23 45 67 98 76 54                              Q#Eg.vT\n";
    assert!(shown.ends_with(bytes), "{shown}");
    let both = run(["-V", "-x", SAMPLES, "-Y", "type == ack && conv == c3"]).ok();
    assert!(
        both.ends_with(&format!("  0004  server   987654\n{bytes}")),
        "{both}"
    );
}

/// The three conversations of the specification, in its own notation.
const SPECIFICATION: &str = "\
c1) refused, udp 127.0.0.1:40112 -> 127.0.0.1:9004

C->S  A1 12 34 56 key... (SYN, client ID = 12 34 56)
S->C  52 12 34 56        (Close)

c2) client closed, udp 127.0.0.1:40112 -> 127.0.0.1:9004

C->S  A1 23 45 67 key...   (SYN, client ID = 23 45 67)
S->C  51 23 45 67 98 76 54 (ACK, server ID = 98 76 54)
S->C  50 23 45 67 data     (Send data)
C->S  A2 98 76 54          (Close)

c3) server closed, udp 127.0.0.1:40112 -> 127.0.0.1:9004

C->S  A1 11 11 11 key...   (SYN, client ID = 11 11 11)
S->C  51 11 11 11 FF FF FF (ACK, server ID = FF FF FF)
C->S  A0 FF FF FF data     (Send data)
S->C  50 11 11 11 data     (Send data)
S->C  50 11 11 11 data     (Send data)
S->C  51 11 11 11          (Close)

";

#[test]
fn spec_writes_the_samples_as_the_specification_does() {
    assert_eq!(dump("-T spec captures/spec-text.pcap").ok(), SPECIFICATION);
}

#[test]
fn spec_keeps_interleaved_conversations_apart_and_strays_together() {
    let shown = dump(&format!("-T spec {SAMPLES}")).ok();
    assert!(
        shown.contains("S->C  53 23 45 67 3F 3F    (unknown type)\n"),
        "{shown}"
    );
    assert!(
        shown.ends_with(
            "no conversation\n\nC->S  A0 0B AD 1D data (Send data)\nC->S  FF               (ping)\n\n"
        ),
        "{shown}"
    );
}

#[test]
fn csv_has_a_heading_and_quotes_what_needs_it() {
    let shown = run([
        "-T",
        "csv",
        "-e",
        "n,type,payload",
        SAMPLES,
        "-Y",
        "type == data",
    ])
    .ok();
    assert_eq!(
        shown,
        "n,type,payload\r\n\
         3,data,GET / HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n\r\n\
         4,data,HTTP/1.0 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\nhello\\n\r\n\
         10,data,220 ready\\r\\n\r\n\
         12,data,stray\\n\r\n"
    );
    let all = dump(&format!("-T csv {SAMPLES}")).ok();
    let columns: Vec<usize> = all.lines().map(|line| line.split(',').count()).collect();
    assert!(
        columns.iter().all(|&count| count == columns[0]),
        "{columns:?}"
    );
}

#[test]
fn fields_are_separated_by_tabs() {
    let shown = dump(&format!("-T fields -e n -e conv,level {SAMPLES}")).ok();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 14);
    assert_eq!(lines[0], "1\tc1\t");
    assert_eq!(lines[11], "12\t\twarn");
}

#[test]
fn every_field_can_be_printed() {
    let listed = dump("--list-fields").ok();
    let names: Vec<&str> = listed
        .lines()
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_whitespace().next().unwrap())
        .collect();
    assert!(names.len() > 20);
    let shown = run(["-T", "fields", "-e", &names.join(","), SAMPLES]).ok();
    for line in shown.lines() {
        assert_eq!(line.split('\t').count(), names.len(), "{line}");
    }
}

#[test]
fn formats_do_not_depend_on_how_the_capture_comes() {
    let bytes = capture("spec-samples.pcap");
    for format in ["text", "spec", "csv"] {
        assert_eq!(
            pipe(&format!("-T {format} -"), &bytes).ok(),
            dump(&format!("-T {format} {SAMPLES}")).ok()
        );
        assert_eq!(
            pipe(&format!("-l -T {format} -"), &bytes).ok(),
            dump(&format!("-T {format} {SAMPLES}")).ok()
        );
    }
}

#[test]
fn reading_a_pipe_line_by_line_gives_whole_tables_and_json() {
    let bytes = capture("spec-samples.pcap");
    let lines: Vec<Value> = pipe("-l -T ndjson -", &bytes)
        .ok()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["record"], "header");
    assert_eq!(lines[0]["inputs"][0]["packet_count"], Value::Null);
    assert_eq!(lines.last().unwrap()["inputs"][0]["packet_count"], 14);
    let table = pipe("-l -", &bytes).ok();
    assert!(
        table.starts_with("-: pcap, Ethernet, from 2004-05-25 12:00:00 UTC\n"),
        "{table}"
    );
    assert_eq!(table.matches("│ c3 ").count(), 1, "{table}");
}

#[test]
fn payloads_are_left_out_of_chosen_fields_as_everywhere() {
    let hex = |detail: &[&str]| {
        let fixed = ["-T", "fields", "-e", "payload_hex", "-Y", "n==3", SAMPLES];
        run(fixed.iter().chain(detail)).ok()
    };
    let whole = "474554202f20485454502f312e300d0a486f73743a20780d0a0d0a\n";
    assert_eq!(hex(&[]), whole);
    assert_eq!(hex(&["--payload", "full"]), whole);
    assert_eq!(hex(&["--payload", "preview"]), whole, "it is short");
    assert_eq!(hex(&["--payload", "none"]), "\n");
    let texts = |detail: &[&str]| -> Vec<String> {
        let csv = run(["-T", "csv", SAMPLES].iter().chain(detail)).ok();
        let (heading, rows) = csv.split_once('\n').unwrap();
        let column = heading.split(',').position(|name| name == "payload_text");
        let text = |row: &str| row.split(',').nth(column.unwrap()).unwrap().to_owned();
        rows.lines().map(text).collect()
    };
    assert_eq!(texts(&[])[2], r"GET / HTTP/1.0\r\nHost: x\r\n\r\n");
    assert_eq!(texts(&["--payload", "none"]), [""; 14]);
}
