//! `replay` and `mock` against each other and against our own server.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::process::{
    ALL_SAME, SAMPLES, Server, code, conclusion, reason, run, stderr, stdout, timeless,
};

#[test]
fn a_mock_and_a_replay_of_one_capture_agree_over_every_carrier() {
    for carrier in [
        "tcp://127.0.0.1:0",
        "tcp://127.0.0.1:0?prefix=u16be",
        "udp://127.0.0.1:0",
    ] {
        let mock = Server::mock(&[SAMPLES, "--carrier", carrier]);
        let replay = run(&[
            "replay",
            SAMPLES,
            "--carrier",
            &mock.carrier,
            "--speed",
            "10",
        ]);
        let text = stdout(&replay);
        assert_eq!(code(&replay), 0, "{carrier}: {text}{}", stderr(&replay));
        assert_eq!(conclusion(&text), ALL_SAME, "{text}");
        let (code, told) = mock.end();
        assert_eq!(code, 0, "{told}");
        assert_eq!(told.lines().count(), 3, "{told}");
    }
}

#[test]
fn the_http_capture_of_the_reference_is_the_same_when_it_is_mocked() {
    let capture = "captures/real/c-http.pcapng";
    let mock = Server::mock(&[capture, "--carrier", "tcp://127.0.0.1:0", "--topspeed"]);
    let replay = run(&[
        "replay",
        capture,
        "--carrier",
        &mock.carrier,
        "--topspeed",
        "--report",
        "json",
    ]);
    let report: serde_json::Value = serde_json::from_slice(&replay.stdout).expect("it is JSON");
    assert_eq!(code(&replay), 0, "{report}");
    assert_eq!(report["verdict"], "passed");
    assert_eq!(
        report["result_counts"]["same"],
        report["conversation_count"]
    );
    assert_eq!(mock.end().0, 0);
}

#[test]
fn what_the_dump_wrote_as_ndjson_is_replayed_like_the_capture() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let records = directory.path().join("samples.ndjson");
    let dry = |file: &Path| {
        let file = file.to_str().expect("the path is UTF-8");
        let output = run(&[
            "replay",
            file,
            "--carrier",
            "tcp://127.0.0.1:1",
            "--dry-run",
        ]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        stdout(&output)
    };
    // One with both views of each conversation at a router, too.
    for capture in [SAMPLES, "captures/real/b-server-first.pcap"] {
        let dump = Command::new(env!("CARGO_BIN_EXE_ministream-dump"))
            .args([capture, "-T", "ndjson"])
            .output()
            .expect("the program starts");
        std::fs::write(&records, dump.stdout).expect("a file can be written");
        assert_eq!(dry(&records), dry(Path::new(capture)));
    }
}

#[test]
fn a_dry_run_tells_the_schedule_and_what_is_substituted() {
    let output = run(&[
        "replay",
        SAMPLES,
        "--carrier",
        "udp://127.0.0.1:1",
        "--dry-run",
    ]);
    assert_eq!(
        stdout(&output),
        "    \
         0.000000  #1      c1     SYN   111111 -> fresh client id     387 B\n    \
         0.005000  #3      c1     DATA  ffffff -> learnt server id     27 B\n    \
         0.150000  #5      c2     SYN   123456 -> fresh client id     387 B\n    \
         0.300000  #8      c3     SYN   234567 -> fresh client id     387 B\n    \
         0.900000  #11     c3     CLOSE 987654 -> learnt server id      0 B\n"
    );
    assert_eq!(
        stderr(&output),
        "ministream-replay: not replayed (1 orphan, 1 ping, 1 unknown type)\n"
    );
}

#[test]
fn another_answer_fails_with_1_in_every_report() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let junit = directory.path().join("junit.xml");
    let mock = Server::mock(&[
        "captures/real/b-server-first.pcap",
        "--carrier",
        "tcp://127.0.0.1:0",
        "--topspeed",
        "--loops",
        "forever",
    ]);
    let output = run(&[
        "replay",
        SAMPLES,
        "--conv",
        "c3",
        "--carrier",
        &mock.carrier,
        "--topspeed",
        "--reply-timeout",
        "300ms",
        "--junit",
        junit.to_str().expect("the path is UTF-8"),
    ]);
    assert_eq!(code(&output), 1, "{}", stdout(&output));
    let told = stdout(&output);
    let (_, differs) = told.split_once("\nc3 ← ").expect("it says where");
    assert_eq!(
        timeless(differs),
        "\
offset 4
   want  220 [ready\\r\\n]
   got   220 [banner service line0 line1 line2 line3 line4 lin…]
1 conversation: 1 differs. Not replayed: #14 unknown type.
sent 2 messages in T; worst send T late; handshake p50 T p99 T max T   FAILED
"
    );
    let junit = std::fs::read_to_string(junit).expect("the report was written");
    let (before, rest) = junit.split_once(" time=\"").expect("it took a time");
    let (_, behind) = rest.split_once('"').expect("it ends");
    assert_eq!(
        format!("{before}{behind}"),
        format!(
            "\
<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<testsuite name=\"{SAMPLES} to {}\" tests=\"1\" failures=\"1\" errors=\"0\" skipped=\"0\">
  <testcase name=\"c3 copy 1 pass 1\">\
<failure message=\"differs: s2c offset 4: want 72656164, got 62616e6e\"/></testcase>
</testsuite>
",
            mock.carrier
        )
    );
}

#[test]
fn what_cannot_start_exits_with_2_and_says_why() {
    let carrier = ["--carrier", "tcp://127.0.0.1:1"];
    let nothing = "nothing to replay: no conversation in the capture can be played\n    \
                   help: ministream-dump FILE shows what is in it, and why";
    let unwritable = "cannot write captures/gone/file: no such file or directory";
    for (arguments, expected) in [
        (vec!["replay", "captures/empty.pcap"], nothing),
        (
            vec!["replay", "captures/gone.pcap"],
            "cannot open captures/gone.pcap: no such file or directory",
        ),
        (
            vec!["replay", SAMPLES, "--order", "none"],
            "order none goes with raw ids only: other messages need ids that the peer chooses",
        ),
        (
            vec!["replay", SAMPLES, "-Y", "typ == syn"],
            "bad filter: unknown field `typ`\n    typ == syn\n    \
             ^~~ did you mean `type`?   (fields: ministream-dump --list-fields)",
        ),
        (
            vec!["replay", SAMPLES, "--speed", "0"],
            "invalid value '0' for '--speed <FACTOR>': a speed is a number above 0, as in 2, 0.5 \
             or 10x",
        ),
        (vec!["mock", "captures/empty.pcap"], nothing),
        (
            vec!["inject", "ping", "sin 111111"],
            "bad script: line 2, column 1: unknown step \"sin\"; there are syn, ack, data, close, \
             type:XX, hex, ping, wait, expect, repeat and end\n    sin 111111\n    ^",
        ),
        (
            vec!["replay", SAMPLES, "--report-file", "captures/gone/file"],
            unwritable,
        ),
        (
            vec!["replay", SAMPLES, "--junit", "captures/gone/file"],
            unwritable,
        ),
        (
            vec!["replay", SAMPLES, "--id-map", "captures/gone/file"],
            unwritable,
        ),
    ] {
        let output = run(&[&arguments[..], &carrier].concat());
        assert_eq!(reason(&output), expected, "{arguments:?}");
    }
}

#[test]
fn nobody_who_listens_exits_with_4() {
    for carrier in ["tcp://127.0.0.1:1", "udp://127.0.0.1:1"] {
        let output = run(&[
            "replay",
            SAMPLES,
            "--carrier",
            carrier,
            "--topspeed",
            "--handshake-timeout",
            "200ms",
        ]);
        assert_eq!(code(&output), 4, "{carrier}: {}", stderr(&output));
    }
}

/// A service that reads the request of the samples and answers; gives its address.
fn service(answer: Vec<u8>) -> String {
    const REQUEST_BYTES: usize = 27;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection is accepted");
            let mut request = [0; REQUEST_BYTES];
            stream.read_exact(&mut request).expect("the request comes");
            stream.write_all(&answer).expect("the answer goes");
        }
    });
    address
}

#[test]
fn a_real_service_behind_our_server_is_the_same_and_with_a_changed_byte_differs_there() {
    let answer = b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";
    for carrier in ["tcp://127.0.0.1:0", "udp://127.0.0.1:0"] {
        for changed in [None, Some(0), Some(33), Some(43)] {
            let mut bytes = answer.to_vec();
            if let Some(offset) = changed {
                bytes[offset] ^= 1;
            }
            let target = service(bytes);
            let server = Server::of("server", &["--carrier", carrier, "--target", &target]);
            let output = run(&[
                "replay",
                SAMPLES,
                "--conv",
                "c1",
                "--carrier",
                &server.carrier,
                "--topspeed",
                "--report",
                "json",
            ]);
            let report: serde_json::Value =
                serde_json::from_slice(&output.stdout).expect("it is JSON");
            let conversation = &report["conversations"][0];
            match changed {
                None => assert_eq!(conversation["result"], "same", "{report}"),
                Some(offset) => {
                    assert_eq!(conversation["result"], "differs", "{report}");
                    assert_eq!(conversation["diffs"][0]["offset_bytes"], offset);
                }
            }
            assert_eq!(code(&output), i32::from(changed.is_some()));
        }
    }
}

#[test]
fn two_runs_of_one_seed_report_the_same_but_for_times() {
    const CAPTURE: &str = "captures/real/c-http.pcapng";
    let run_once = |report: &[&str], junit: &str| {
        let fixed = [CAPTURE, "--topspeed", "--seed", "7", "--carrier"];
        let mock = Server::mock(&[&fixed[..], &["tcp://127.0.0.1:0"]].concat());
        let more = ["--junit", junit];
        let output = run(&[&["replay"][..], &fixed, &[&mock.carrier], report, &more].concat());
        let junit = std::fs::read_to_string(junit).expect("the report was written");
        let carrier = mock.carrier.clone();
        let (code, mocked) = mock.end();
        assert_eq!((code, self::code(&output)), (0, 0), "{output:?}");
        [stdout(&output), junit, mocked].map(|text| {
            let text = text.replace(&carrier, "CARRIER");
            let times = r#"[0-9.]+ (s|ms|µs)\b|[a-z_]+_(s|ms|us)":([0-9.]+|\{[^}]*\})|time="[0-9.]+"|late_message_count":[0-9]+"#;
            let times = regex::Regex::new(times).expect("it is a pattern");
            let spaces = regex::Regex::new("[ ─═┬┴╪]+").expect("it is a pattern");
            let text = times.replace_all(&text, "T");
            spaces.replace_all(&text, " ").into_owned()
        })
    };
    let directory = tempfile::tempdir().expect("a directory can be made");
    let junit = directory.path().join("junit.xml");
    let junit = junit.to_str().expect("the path is UTF-8");
    for report in [&[][..], &["--report", "json"]] {
        let [first, second] = [1, 2].map(|_| run_once(report, junit));
        assert_eq!(first, second, "{report:?}");
        assert!(first.iter().all(|text| text.contains("c1")), "{first:?}");
    }
}
