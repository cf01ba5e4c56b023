//! Records of `-T ndjson` as an input.

use std::fs;
use std::process::Command;
use std::thread;

use serde_json::Value;

use crate::run::{Run, SAMPLES, capture, command, dump, pipe, run};

fn captures() -> Vec<String> {
    let root = format!("{}/captures", env!("CARGO_MANIFEST_DIR"));
    let mut names = Vec::new();
    for directory in [root.clone(), format!("{root}/real")] {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.to_str().unwrap();
            if name.contains(".pcap") {
                names.push(name.to_owned());
            }
        }
    }
    names.sort();
    assert!(names.len() > 50, "{names:?}");
    names
}

#[test]
fn records_of_records_are_the_same_bytes() {
    for capture in captures() {
        let first = dump(&format!("-T ndjson {capture}"));
        // What is not told again: the time of a file without messages, and flows nearly ours.
        if !first.stdout.contains(r#""record":"message""#)
            || !first.stdout.contains(r#""near_flows":[]"#)
        {
            continue;
        }
        let second = pipe("-T ndjson -", first.stdout.as_bytes());
        assert!(second.stdout == first.stdout, "{capture}");
        assert_eq!(second.code, first.code, "{capture}: {}", second.stderr);
    }
}

#[test]
fn outputs_of_records_are_those_of_the_capture() {
    for capture in [
        SAMPLES,
        "captures/real/c-http.pcapng",
        "captures/hostile-payloads.pcap",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let records = directory.path().join("records.ndjson");
        let records = records.to_str().unwrap();
        fs::write(records, dump(&format!("-T ndjson {capture}")).stdout).unwrap();
        for output in [
            "-T json",
            "-T text",
            "-T spec",
            "-T fields -e ts -e payload_text -e router_us",
            "-q -z conv",
            "-q -z timing",
            "-q -z types -z findings -z io,1",
            "-q -z follow,c1",
            "-q -z ladder,c1",
            "-T ndjson -Y state==server_closed",
            "-T ndjson --redact payload --redact-key KEY",
        ] {
            let output = output.replace("KEY", &format!("{}/key", directory.path().display()));
            let of_capture = dump(&format!("{output} {capture}"));
            let of_records = dump(&format!("{output} {records}"));
            assert_eq!(of_records.code, of_capture.code, "{}", of_records.stderr);
            assert!(of_records.stdout == of_capture.stdout, "{output} {capture}");
        }
    }
}

#[test]
fn records_may_name_any_conversation() {
    let first = dump("-T ndjson captures/link-ethernet-padding.pcap").ok();
    let directory = tempfile::tempdir().unwrap();
    for id in ["c1000000000000", "c18446744073709551615"] {
        let records = first.replace(r#""c1""#, &format!(r#""{id}""#));
        let file = directory.path().join("records.ndjson");
        fs::write(&file, &records).unwrap();
        let file = file.display();
        assert!(dump(&format!("-T ndjson {file}")).ok() == records, "{id}");
        // Each has a set of numbers: of conversations with messages that are shown, of those that
        // pass the test, of those that are in the index.
        for filter in ["type==data", "duration>=0s"] {
            let told = dump(&format!("-T fields -e conv -Y {filter} {file}")).ok();
            assert!(!told.is_empty(), "{filter}");
            assert!(told.lines().all(|line| line == id), "{filter}: {told}");
        }
        let streams = directory.path().join(id);
        let run = dump(&format!("-q --export {} {file}", streams.display()));
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        assert!(streams.join(format!("{id}.c2s.bin")).exists());
    }
}

#[test]
fn records_may_have_any_time() {
    let first = dump("-T ndjson captures/link-ethernet-padding.pcap").ok();
    for micros in [i64::MIN, i64::MAX] {
        let records = first.replace(r#""t_us":1000,"#, &format!(r#""t_us":{micros},"#));
        assert_ne!(records, first);
        for arguments in ["-", "-T text -", "-q -z io,1h -z conv -z ladder,c1 -"] {
            let run = pipe(arguments, records.as_bytes());
            assert_eq!(run.code, Some(0), "{arguments}: {}", run.stderr);
        }
    }
}

#[test]
fn what_was_redacted_says_so_again() {
    for secrets in ["payload", "dest", "payload,dest"] {
        let first = dump(&format!("-T ndjson --redact {secrets} {SAMPLES}")).ok();
        let second = pipe("-T ndjson -", first.as_bytes()).ok();
        assert!(second == first, "{secrets}");
        let table = pipe("-", first.as_bytes()).ok();
        assert!(table.starts_with("redacted: "), "{table}");
    }
}

#[test]
fn true_destinations_are_not_redacted_too_late() {
    let records = dump(&format!("-T ndjson {SAMPLES}")).ok();
    assert_eq!(
        pipe("-T ndjson --redact dest -", records.as_bytes()).refused(2),
        "ministream-dump: error: --redact dest needs the capture: records have the hashes of real \
         destinations\n    help: redact when the records are written\n"
    );
}

#[test]
fn records_that_end_early_are_shown_up_to_there_at_every_line() {
    let all = dump(&format!("-T ndjson {SAMPLES}")).ok();
    let lines: Vec<&str> = all.split_inclusive('\n').collect();
    for count in 1..lines.len() {
        let run = pipe("-T ndjson -", lines[..count].concat().as_bytes());
        assert_eq!(run.code, Some(3));
        assert_eq!(
            run.stderr,
            "ministream-dump: warning: - ends without its summary; the records before that are shown\n"
        );
        let shown = run.stdout.lines().count();
        let summary: Value = serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
        assert_eq!(summary["exit_code"], 3);
        assert_eq!(shown, count + 1);
    }
}

#[test]
fn conversations_without_their_records_are_filtered_by_what_their_messages_tell() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("early.ndjson");
    let early = path.to_str().unwrap();
    for name in [
        "spec-samples",
        "spec-samples-i2cp",
        "udp-close-crossing",
        "udp-empty-ack-closes",
        "udp-empty-ack-goes-on",
        "udp-data-after-close",
        "udp-refused-3-bytes",
        "tcp-mid-stream",
    ] {
        let capture = format!("captures/{name}.pcap");
        let all = run(["-T", "ndjson", &capture]).ok();
        let is_early = |line: &&str| {
            let kinds = ["conversation", "summary"];
            !kinds
                .iter()
                .any(|kind| line.starts_with(&format!("{{\"record\":\"{kind}\"")))
        };
        let lines: String = all.split_inclusive('\n').filter(is_early).collect();
        fs::write(&path, lines).unwrap();
        for filter in [
            "state == refused",
            "state == open",
            "state == client_closed",
            "state == server_closed",
            "state == mid_stream",
            "handshake > 1ms",
            "duration > 100ms",
            "conv.first_byte_us > 1000",
            "conv.c2s.payload_bytes > 10",
            "conv.s2c.message_count > 0",
            "conv.finding_count > 0",
        ] {
            let with = |input: &str| run([input, "-Y", filter, "-T", "fields", "-e", "n"]);
            let told = with(early);
            assert_eq!(told.code, Some(3), "{}", told.stderr);
            assert_eq!(told.stdout, with(&capture).ok(), "{name}: {filter}");
        }
    }
}

#[test]
fn a_selection_that_ends_early_tells_no_states() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("early.ndjson");
    let early = path.to_str().unwrap();
    for selection in ["type == ack", "type != syn", "n > 1", "n != 2"] {
        let all = run(["-T", "ndjson", "-Y", selection, SAMPLES]).ok();
        let is_message = |line: &&str| {
            ["header", "message"]
                .iter()
                .any(|kind| line.starts_with(&format!("{{\"record\":\"{kind}\"")))
        };
        let lines: String = all.split_inclusive('\n').filter(is_message).collect();
        assert!(lines.lines().count() > 2, "{selection}");
        fs::write(&path, lines).unwrap();
        for filter in ["state == mid_stream", "state", "duration >= 0"] {
            let told = run([early, "-Y", filter, "-T", "fields", "-e", "n"]);
            assert_eq!(told.code, Some(3), "{}", told.stderr);
            assert_eq!(told.stdout, "", "{selection}: {filter}");
        }
    }
}

#[test]
fn a_message_behind_the_record_of_its_conversation_makes_no_second_one() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("early.ndjson");
    let early = path.to_str().unwrap();
    let all = dump(&format!("-T ndjson {SAMPLES}")).ok();
    let is = |line: &str, kind: &str| line.starts_with(&format!("{{\"record\":\"{kind}\""));
    let mut lines: Vec<&str> = all.split_inclusive('\n').collect();
    lines.retain(|line| !is(line, "summary"));
    let of_first = |line: &str| line.contains("\"conv\":\"c1\"");
    let over = lines
        .iter()
        .position(|line| of_first(line) && is(line, "conversation"))
        .unwrap();
    let last = lines[..over]
        .iter()
        .rposition(|line| of_first(line) && is(line, "message"))
        .unwrap();
    lines[last..=over].rotate_right(1);
    fs::write(&path, lines.concat()).unwrap();
    let count = |filter: &str| {
        let told = run([early, "-Y", filter, "-T", "fields", "-e", "n"]);
        assert_eq!(told.code, Some(3), "{}", told.stderr);
        told.stdout.lines().count()
    };
    assert_eq!(count("state == mid_stream"), 0);
    assert!(count("state") > 0);
}

#[test]
fn what_cannot_be_read_is_named_with_its_line() {
    let without = |payload: &str| dump(&format!("-T ndjson --payload {payload} {SAMPLES}")).ok();
    let records = dump(&format!("-T ndjson {SAMPLES}")).ok();
    for (input, error) in [
        (
            without("none"),
            "-: line 2: the payload is not in the record; write records without --payload",
        ),
        (
            without("preview"),
            "-: line 2: the payload is not in the record; write records without --payload",
        ),
        (
            "{}\n".to_owned(),
            "-: not written by ministream-dump -T ndjson: no header of schema ministream.dump/1",
        ),
        (
            records.replacen(r#""meaning":"accepts""#, r#""meaning":"excepts""#, 1),
            "-: line 3: meaning is missing or not what it should be",
        ),
        (
            records.replacen(r#""src":"127.0.0.1:40112""#, r#""src":"here""#, 1),
            "-: line 2: src is missing or not what it should be",
        ),
        (
            records.replacen("}\n", "}\n{\n", 1),
            "-: line 2: not JSON: EOF while parsing an object at line 2 column 0",
        ),
    ] {
        let run = pipe("-q -z types -", input.as_bytes());
        assert_eq!(run.refused(2), format!("ministream-dump: error: {error}\n"));
    }
}

/// As a shell hands over what another program writes: `<(zcat capture.pcap.gz)`.
#[test]
fn a_pipe_with_a_name_is_not_looked_into_for_records() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let records = dump(&format!("-T ndjson {SAMPLES}")).ok();
    let read_of = |bytes: Vec<u8>| {
        thread::scope(|scope| {
            scope.spawn(|| fs::write(&pipe, bytes));
            command(["-q", "-z", "types"])
                .arg(&pipe)
                .output()
                .unwrap()
                .into()
        })
    };
    let run: Run = read_of(capture("spec-samples.pcap"));
    assert_eq!(run.ok(), dump(&format!("-q -z types {SAMPLES}")).ok());
    assert_eq!(
        Run::reason(read_of(records.into_bytes())),
        format!(
            "{} is not a capture file: it looks like records of -T ndjson; they are read from one \
             file or from standard input\n    \
             help: pcap and pcapng files are read, also compressed with gzip or zstd",
            pipe.display()
        )
    );
}

#[test]
fn packets_are_made_of_redacted_records_only() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (records, packets) = (file("records.ndjson"), file("packets.pcapng"));
    fs::write(&records, dump(&format!("-T ndjson {SAMPLES}")).ok()).unwrap();
    assert_eq!(
        dump(&format!("-w {packets} {records}")).refused(2),
        "ministream-dump: error: -w writes the packets of a capture, and records have none\n    \
         help: give the capture, or make packets anew with --redact\n"
    );

    let redacted = dump(&format!("-T ndjson --redact payload {SAMPLES}")).ok();
    fs::write(&records, redacted).unwrap();
    let run = dump(&format!("-q -w {packets} {records}"));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let types = dump(&format!("-q -z types {packets}")).ok();
    assert_eq!(types, dump(&format!("-q -z types {SAMPLES}")).ok());
}
