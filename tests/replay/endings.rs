//! Captures that are not whole, runs that are not finished.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::peer::{accepting, serve, to_client};
use crate::process::{
    ALL_SAME, PROGRAM, SAMPLES, Server, code, conclusion, reason, run, send, stderr, stdout,
    timeless,
};

const NOWHERE: [&str; 2] = ["--carrier", "tcp://127.0.0.1:1"];

#[test]
fn a_truncated_capture_is_played_and_exits_with_3_unless_that_is_forgiven() {
    for (more, expected) in [(&[][..], 3), (&["--lenient"], 0)] {
        let mock = Server::mock(&[SAMPLES, "--carrier", "tcp://127.0.0.1:0", "--topspeed"]);
        let fixed = [
            "replay",
            "captures/truncated.pcap",
            "--topspeed",
            "--carrier",
        ];
        let output = run(&[&fixed[..], &[&mock.carrier], more].concat());
        assert_eq!(code(&output), expected, "{}", stderr(&output));
        let told = stdout(&output);
        // Its last packet is that of the unknown type.
        let same = ALL_SAME.replace(", #14 unknown type", "");
        assert_eq!(conclusion(&told), same, "{told}");
        assert_eq!(
            stderr(&output),
            "ministream-replay: warning: captures/truncated.pcap ends inside packet 14 (offset \
             2082, 44 of 64 bytes)\n"
        );
    }
}

#[test]
fn captures_without_anything_to_play_exit_with_2_and_say_what_they_hold() {
    let nothing = "nothing to replay: no conversation in the capture can be played";
    let other = "ministream-dump FILE shows what is in it, and why";
    for (capture, left_out, help) in [
        ("captures/empty.pcap", "", other),
        ("captures/other-traffic.pcap", "", other),
        // Only the client was captured.
        ("captures/udp-no-answer.pcap", " (1 unanswered)", other),
        // The SYN was not.
        (
            "captures/udp-mid-stream.pcap",
            " (2 mid stream)",
            "--include mid-stream plays conversations whose SYN was not captured",
        ),
    ] {
        for command in ["replay", "mock"] {
            let output = run(&[&[command, capture], &NOWHERE[..]].concat());
            assert_eq!(
                reason(&output),
                format!("{nothing}{left_out}\n    help: {help}"),
                "{capture}"
            );
        }
    }
}

#[test]
fn half_a_conversation_is_not_played_and_is_told() {
    // Only what the accepting session's end saw, and conversations of which
    // nothing but data was captured.
    let output = run(&[
        &["replay", "captures/real/e-trim.pcap", "--dry-run"],
        &NOWHERE[..],
    ]
    .concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let mock = Server::mock(&[
        "captures/real/e-trim.pcap",
        "--carrier",
        "tcp://127.0.0.1:0",
        "--topspeed",
    ]);
    let output = run(&[
        "replay",
        "captures/real/e-trim.pcap",
        "--topspeed",
        "--report",
        "json",
        "--carrier",
        &mock.carrier,
    ]);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(report["verdict"], "passed", "{report}");
    let reasons: std::collections::BTreeSet<&str> = report["skipped"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|skipped| skipped["reason"].as_str().expect("a reason"))
        .collect();
    assert!(
        reasons.contains("unanswered") && reasons.contains("ping"),
        "{reasons:?}"
    );
}

#[test]
fn what_was_captured_mid_stream_is_sent_with_its_own_ids_if_asked_for() {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen_by_server = std::sync::Arc::clone(&seen);
    let carrier = serve("udp", move |message: &[u8]| {
        seen_by_server
            .lock()
            .expect("no test fails here")
            .push(message[..4].to_vec());
        Vec::new()
    });
    let output = run(&[
        "replay",
        "captures/udp-mid-stream.pcap",
        "--include",
        "mid-stream",
        "--topspeed",
        "--reply-timeout",
        "200ms",
        "--carrier",
        &carrier,
    ]);
    assert_eq!(code(&output), 4, "nobody answered: {}", stderr(&output));
    assert_eq!(
        conclusion(&stdout(&output)),
        "1 conversation: 1 no reply.\n\
         sent 2 messages in T; worst send T late   FAILED\n"
    );
    let (_, port) = carrier.rsplit_once(':').expect("it has a port");
    let error = format!(
        "ministream-replay: error: no answer from {carrier}: messages: 2 sent, 0 came in T\n    \
         help: UDP gives no refusal here; is a server listening?  ss -lun 'sport = :{port}'\n"
    );
    assert_eq!(timeless(&stderr(&output)), error, "no SYN was sent");
    let dump = Command::new(env!("CARGO_BIN_EXE_ministream-dump"))
        .args([
            "captures/udp-mid-stream.pcap",
            "-Y",
            "dir==c2s",
            "-T",
            "fields",
            "-e",
            "type_byte",
            "-e",
            "id",
        ])
        .output()
        .expect("the program starts");
    let mut captured: Vec<Vec<u8>> = stdout(&dump)
        .lines()
        .filter_map(|line| {
            let (kind, id) = line.split_once('\t')?;
            let kind: u8 = kind.parse().ok()?;
            Some([&[kind][..], &hex::decode(id).ok()?].concat())
        })
        .collect();
    let mut sent = seen.lock().expect("the server did not fail").clone();
    captured.sort_unstable();
    sent.sort_unstable();
    assert!(!sent.is_empty());
    assert!(
        sent.iter().all(|message| captured.contains(message)),
        "{sent:?} {captured:?}"
    );
}

#[test]
fn ctrl_c_and_sighup_end_a_replay_with_130_and_a_report_of_what_was_played() {
    for signal in [Signal::INT, Signal::HUP] {
        assert_ends_a_replay(signal);
    }
}

fn assert_ends_a_replay(signal: Signal) {
    let carrier = serve("tcp", |message: &[u8]| {
        let client = [message[1], message[2], message[3]];
        match message[0] {
            // As recorded, but for the third, which is accepted and left alone.
            0xa1 if message[1] == 0x12 => vec![to_client(0x52, client, b"")],
            0xa1 => vec![to_client(0x51, client, &client)],
            _ => Vec::new(),
        }
    });
    let mut child = Command::new(PROGRAM)
        .args([
            "replay",
            SAMPLES,
            "--ids",
            "recorded",
            "--conv",
            "c2,c3",
            "--topspeed",
        ])
        .args(["--reply-timeout", "60s", "-v", "--carrier", &carrier])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut notes = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let is_answered = |line: &String| line.contains("2 messages sent and 2 heard so far");
    let answered = notes.by_ref().map_while(Result::ok).find(is_answered);
    assert!(answered.is_some(), "both SYNs are answered");
    send(&child, signal);
    let mut report = String::new();
    child
        .stdout
        .take()
        .expect("a pipe")
        .read_to_string(&mut report)
        .expect("its output ends");
    assert_eq!(child.wait().expect("it ends").code(), Some(130), "{report}");
    let skipped = report.lines().find(|line| line.starts_with("│ c3 "));
    let skipped = skipped.expect("it has a row");
    assert!(skipped.ends_with("│"), "{skipped}");
    assert_eq!(
        skipped
            .trim_end_matches('│')
            .rsplit('┆')
            .next()
            .map(str::trim),
        Some("stopped before its end")
    );
    assert_eq!(
        conclusion(&report),
        "2 conversations: 1 same, 1 skipped. Not replayed: #14 unknown type.\n\
         sent 2 messages in T; worst send T late; handshake p50 T p99 T max T   FAILED\n"
    );
}

#[test]
fn ctrl_c_ends_a_script_with_130() {
    let carrier = serve("tcp", accepting(|_| Vec::new()));
    let mut child = Command::new(PROGRAM)
        .args(["inject", "--carrier", &carrier, "ping", "wait 60s"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    BufRead::read_line(&mut out, &mut line).expect("the first step is told");
    assert_eq!(line, "ok      1  ping\n");
    send(&child, Signal::INT);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}

#[test]
fn a_script_waits_for_a_peer_that_reads_nothing_and_ctrl_c_ends_it() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let carrier = format!("tcp://{}", listener.local_addr().expect("it is bound"));
    let mut child = Command::new(PROGRAM)
        .args(["inject", "--carrier", &carrier])
        .args(["repeat 100000", "data 010203 zero:32768", "end"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let _deaf = listener.accept().expect("it connects");
    let mut told = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    // It tells that it waits after two seconds.
    BufRead::read_line(&mut told, &mut line).expect("it says so");
    assert!(line.contains("waiting: "), "{line}");
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it runs");
    let resident = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes = resident.and_then(|line| line.split_whitespace().nth(1));
    let kilobytes: u64 = kilobytes.expect("VmRSS").parse().expect("a number");
    assert!(kilobytes < 64 * 1024, "{kilobytes} kB of three gigabytes");
    send(&child, Signal::INT);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}

#[test]
fn a_mock_that_nobody_called_ends_well_with_ctrl_c_and_sighup() {
    for signal in [Signal::INT, Signal::HUP] {
        let mut mock = Server::mock(&[SAMPLES, "--carrier", "udp://127.0.0.1:0"]);
        send(&mock.child, signal);
        assert_eq!(mock.child.wait().expect("it ends").code(), Some(0));
    }
}

#[test]
fn a_mock_says_what_it_waits_for_and_at_its_end_what_it_played() {
    let mut child = Command::new(PROGRAM)
        .args([
            "mock",
            SAMPLES,
            "--carrier",
            "tcp://127.0.0.1:0",
            "--topspeed",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut ready = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    BufRead::read_line(&mut out, &mut ready).expect("it is ready");
    let carrier = ready
        .trim_end()
        .split_once("carrier=")
        .expect("its carrier")
        .1;
    let mut told = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    BufRead::read_line(&mut told, &mut line).expect("it says so");
    let waits = "notice: waiting for a client's request; Ctrl-C ends the mock\n";
    assert!(line.ends_with(waits), "{line}");
    let output = run(&["replay", SAMPLES, "--topspeed", "--carrier", carrier]);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let mut rest = String::new();
    told.read_to_string(&mut rest).expect("its end");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert!(rest.contains("notice: a request came, after "), "{rest}");
    let last = rest.lines().last().expect("a summary");
    assert_eq!(
        last,
        "ministream-replay: 3 conversations played, 0 not matched"
    );
}

#[test]
fn a_named_conversation_that_does_not_exist_is_an_error() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let ndjson = directory.path().join("dump.ndjson");
    let dump = Command::new(env!("CARGO_BIN_EXE_ministream-dump"))
        .args([SAMPLES, "-T", "ndjson"])
        .output()
        .expect("the program starts");
    fs::write(&ndjson, dump.stdout).expect("it can be written");
    for file in [SAMPLES, ndjson.to_str().expect("its name is text")] {
        let fixed = ["replay", file, "--dry-run", "--conv", "c1,c4,c9"];
        let output = run(&[&fixed[..], &NOWHERE].concat());
        assert_eq!(code(&output), 2);
        assert_eq!(
            stderr(&output),
            "ministream-replay: error: there is no conversation c4, c9\n    help: the last is c3; \
             ministream-dump -q -z conv FILE lists them\n"
        );
    }
}

#[test]
fn who_reads_the_ready_line_finds_the_ready_file() {
    let directory = tempfile::tempdir().unwrap();
    let carrier = ["--carrier", "tcp://127.0.0.1:0"];
    let (upstream, nobody) = ("tcp://127.0.0.1:9", "127.0.0.1:9");
    let commands: [(&str, &[&str]); 4] = [
        ("mock", &[SAMPLES]),
        ("conform", &["client", "--dial", nobody]),
        ("server", &["--target", nobody]),
        ("proxy", &["--upstream", upstream]),
    ];
    for (command, arguments) in commands {
        let file = directory.path().join(command);
        let in_file = ["--ready-file", file.to_str().unwrap()];
        let server = Server::quiet(command, &[arguments, &carrier, &in_file].concat());
        let told = fs::read_to_string(file).expect(command);
        let rest = told.strip_prefix(&format!("ready {command} "));
        let carrier = rest.and_then(|rest| rest.trim_end().split_once("carrier="));
        assert_eq!(carrier.expect(command).1, server.carrier);
    }
}
