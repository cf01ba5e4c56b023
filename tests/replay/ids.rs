//! Ids over real links: those of the server, whatever it chooses.

use std::collections::HashMap;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::peer::{Answer, CARRIERS, serve, to_client};
use crate::process::{SAMPLES, Server, code, conclusion, reason, run, stderr, stdout};

/// The service of sample (c): its answer, then its close.
const ANSWER: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";

/// A server that hands out the id `choose` gives for its n-th conversation, and
/// forgets a conversation that it has answered.
fn choosing(choose: fn(u32) -> u32) -> impl Answer {
    let mut clients = HashMap::new();
    let mut count = 0;
    move |message: &[u8]| {
        let id = [message[1], message[2], message[3]];
        match message[0] {
            0xa1 => {
                count += 1;
                let [_, server_id @ ..] = choose(count).to_be_bytes();
                clients.insert(server_id, id);
                vec![to_client(0x51, id, &server_id)]
            }
            0xa0 => match clients.remove(&id) {
                Some(client) => vec![
                    to_client(0x50, client, ANSWER),
                    to_client(0x52, client, b""),
                ],
                None => Vec::new(),
            },
            _ => Vec::new(),
        }
    }
}

fn play(carrier: &str, more: &[&str]) -> Value {
    let fixed = ["replay", SAMPLES, "--conv", "c1", "--carrier", carrier];
    let patient = ["--reply-timeout", "60s", "--handshake-timeout", "60s"];
    let how = ["--topspeed", "--report", "json"];
    let output = run(&[&fixed[..], &patient, &how, more].concat());
    let report: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(code(&output), 0, "{report} {}", stderr(&output));
    report
}

#[test]
fn permuted_ids_and_ids_used_again_lead_to_their_conversations() {
    for carrier in CARRIERS {
        for choose in [
            // Ever smaller.
            (|n| 0x00ff_ffff - n) as fn(u32) -> u32,
            // In no order, each once.
            |n| n.wrapping_mul(0x9e_3779) & 0x00ff_ffff,
            // The recorded client id, and zero, for the one conversation at a time.
            |_| 0x11_1111,
            |_| 0,
        ] {
            let at_once = if choose(1) == choose(2) { "1" } else { "20" };
            let address = serve(carrier, choosing(choose));
            let report = play(&address, &["--concurrency", at_once, "--loops", "5"]);
            let expected = 5 * at_once.parse::<u64>().expect("a number");
            assert_eq!(report["result_counts"]["same"], expected, "{carrier}");
        }
    }
}

#[test]
fn ten_thousand_conversations_with_a_thousand_at_once_are_kept_apart() {
    let address = serve("tcp", choosing(|n| n.wrapping_mul(0x9e_3779) & 0x00ff_ffff));
    let report = play(&address, &["--concurrency", "1000", "--loops", "10"]);
    assert_eq!(report["result_counts"]["same"], 10_000);
    assert_eq!(report["conversation_count"], 10_000);
}

#[test]
fn what_really_passed_is_recorded_once_on_either_carrier() {
    // Over udp an empty message proves the address where the server speaks first.
    for (carrier, proofs) in [("tcp://127.0.0.1:0", 0), ("udp://127.0.0.1:0", 1)] {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let path = |name: &str| directory.path().join(name).display().to_string();
        let files = [path("mock.pcapng"), path("replay.pcapng")];
        let arguments = [SAMPLES, "--topspeed", "--save-live", &files[0]];
        let mock = Server::mock(&[&arguments[..], &["--carrier", carrier]].concat());
        let ids = path("ids.ndjson");
        let how = ["--topspeed", "--save-live", &files[1], "--id-map", &ids];
        let output = run(&[&["replay", SAMPLES, "--carrier", &mock.carrier], &how[..]].concat());
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        assert_eq!(mock.end().0, 0);
        for file in &files {
            let dump = Command::new(env!("CARGO_BIN_EXE_ministream-dump"))
                .args([file, "-T", "fields", "-e", "type", "-e", "payload_bytes"])
                .output()
                .expect("the program starts");
            let mut messages: Vec<String> = stdout(&dump).lines().map(str::to_owned).collect();
            messages.sort_unstable();
            let count = messages.len();
            messages.retain(|message| message != "data\t0");
            assert_eq!(count - messages.len(), proofs, "{carrier} {file}");
            assert_eq!(
                messages,
                [
                    "ack\t3", "ack\t3", "close\t0", "close\t0", "close\t0", "data\t11", "data\t27",
                    "data\t44", "syn\t387", "syn\t387", "syn\t387"
                ],
                "{carrier} {file}"
            );
        }
        let map = fs::read_to_string(&ids).expect("it was written");
        assert_eq!(map.lines().count(), 3, "{map}");
        // The live capture is a recording, too.
        let dry = run(&[
            "replay",
            &files[1],
            "--dry-run",
            "--carrier",
            "tcp://127.0.0.1:1",
        ]);
        assert_eq!(stdout(&dry).lines().count(), 5 + proofs, "{}", stdout(&dry));
    }
}

#[test]
fn other_answers_can_be_expected_than_those_of_the_capture() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let expected = directory.path().join("expected.ndjson");
    let dump = Command::new(env!("CARGO_BIN_EXE_ministream-dump"))
        .args([SAMPLES, "-T", "ndjson"])
        .output()
        .expect("the program starts");
    // "hello" becomes "HELLO" in the answer.
    let records = stdout(&dump);
    let other = records.replace(&hex::encode("hello\n"), &hex::encode("HELLO\n"));
    assert_ne!(records, other);
    fs::write(&expected, other).expect("a file can be written");
    let file = expected.to_str().expect("the path is UTF-8");

    let mock = Server::mock(&[file, "--topspeed", "--carrier", "tcp://127.0.0.1:0"]);
    let play = ["replay", SAMPLES, "--topspeed", "--carrier", &mock.carrier];
    let output = run(&[&play[..], &["--expect", file]].concat());
    assert_eq!(code(&output), 0, "{}", stdout(&output));

    let mock = Server::mock(&[SAMPLES, "--topspeed", "--carrier", "tcp://127.0.0.1:0"]);
    let play = ["replay", SAMPLES, "--topspeed", "--carrier", &mock.carrier];
    let output = run(&[&play[..], &["--expect", file]].concat());
    assert_eq!(code(&output), 1, "{}", stdout(&output));
    let told = stdout(&output);
    let (_, differs) = told.split_once("\nc1 ← ").expect("it says where");
    let conclusion = conclusion(&told);
    assert_eq!(
        (differs.lines().take(3).collect::<Vec<_>>(), &*conclusion),
        (
            vec![
                "offset 38",
                r"   want  …200 OK\r\nContent-Length: 6\r\n\r\n[HELLO]\n",
                r"   got   …200 OK\r\nContent-Length: 6\r\n\r\n[hello]\n",
            ],
            "3 conversations: 2 same, 1 differs. Not replayed: #12 orphan, #13 ping, #14 unknown \
             type.\n\
             sent 5 messages in T; worst send T late; handshake p50 T p99 T max T   FAILED\n"
        )
    );

    let play = [
        "replay",
        "captures/real/b-server-first.pcap",
        "--expect",
        SAMPLES,
    ];
    let output = run(&[&play[..], &["--carrier", "tcp://127.0.0.1:1"]].concat());
    assert_eq!(
        reason(&output),
        "--expect captures/spec-samples.pcap: no conversation c5, whose answers it should give"
    );
}
