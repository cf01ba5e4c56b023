//! `inject`.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::peer::{CARRIERS, serve, to_client};
use crate::process::{PROGRAM, SAMPLES, Server, code, reason, run, stderr, stdout, timeless};

/// More than a message takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_script_runs_against_a_mock() {
    let mock = Server::mock(&[SAMPLES, "--conv", "c1", "--carrier", "udp://127.0.0.1:0"]);
    let output = run(&[
        "inject",
        "--carrier",
        &mock.carrier,
        "syn 111111",
        "expect ack 111111 -> $s within 2s",
        "data $s \"GET / HTTP/1.0\\r\\nHost: x\\r\\n\\r\\n\"",
        "expect data 111111 ~ /200 OK/",
        "expect close 111111",
    ]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    assert_eq!(
        stdout(&output).matches("ok  ").count(),
        5,
        "{}",
        stdout(&output)
    );
    assert_eq!(mock.end().0, 0);
}

/// A server that tells the test what it gets, and accepts everything.
fn listening(carrier: &str) -> (String, Receiver<Vec<u8>>) {
    let (tell, told) = channel();
    let mut accepted = 0;
    let carrier = serve(carrier, move |message: &[u8]| {
        tell.send(message.to_vec()).expect("the test still listens");
        match message {
            [0xa1, a, b, c, ..] => {
                accepted += 1;
                vec![to_client(0x51, [*a, *b, *c], &[9, 9, accepted])]
            }
            _ => Vec::new(),
        }
    });
    (carrier, told)
}

#[track_caller]
fn next(told: &Receiver<Vec<u8>>) -> Vec<u8> {
    told.recv_timeout(PATIENCE).expect("it comes in time")
}

#[test]
fn messages_of_any_length_are_sent_as_they_are_written() {
    for carrier in CARRIERS {
        let (address, told) = listening(carrier);
        let output = run(&[
            "inject",
            "--carrier",
            &address,
            "ping",
            "hex a1",
            "hex a1 01 02",
            "data 010203",
            "type:53 zero hex:00ff",
            "data 010203 zero:40000",
        ]);
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let messages: Vec<Vec<u8>> = (0..6).map(|_| next(&told)).collect();
        assert_eq!(
            messages[..5],
            [
                &b"\xff"[..],
                b"\xa1",
                b"\xa1\x01\x02",
                b"\xa0\x01\x02\x03",
                b"\x53\0\0\0\0\xff"
            ]
        );
        assert_eq!(messages[5].len(), 40_004);
    }
}

#[test]
fn what_a_carrier_cannot_carry_is_refused_before_anything_is_sent() {
    for (carrier, limit) in [
        ("udp://127.0.0.1:1", 65_507),
        ("tcp://127.0.0.1:1?prefix=u16be", 65_535),
        ("tcp://127.0.0.1:1", 65_536),
    ] {
        let over = format!("data 010203 zero:{}", limit - 3);
        let output = run(&["inject", "--carrier", carrier, "ping", &over]);
        assert_eq!(code(&output), 2);
        assert_eq!(
            stderr(&output),
            format!(
                "ministream-replay: error: line 2: a message of {} bytes, and {carrier} carries \
                 at most {limit}\n",
                limit + 1
            )
        );
    }
}

#[test]
fn the_clients_messages_of_a_capture_are_sent_with_the_ids_that_are_asked_for() {
    for carrier in CARRIERS {
        for ids in ["fresh", "recorded", "raw"] {
            let (address, told) = listening(carrier);
            let output = run(&[
                "inject",
                "--from",
                SAMPLES,
                "-Y",
                "conv==c1 || conv==c3 || type==ping",
                "--ids",
                ids,
                "--carrier",
                &address,
                "close 010203",
            ]);
            let text = format!("{ids}: {}{}", stdout(&output), stderr(&output));
            assert_eq!(code(&output), 0, "{text}");
            let got: Vec<Vec<u8>> = (0..6).map(|_| next(&told)).collect();
            let [first_syn, data, second_syn, close, ping, last] = &got[..] else {
                panic!("six messages");
            };
            let recorded: [&[u8]; 2] = [&[0x11; 3], &[0x23, 0x45, 0x67]];
            assert_eq!((first_syn.len(), second_syn.len()), (391, 391));
            assert_eq!(first_syn[1..4] == *recorded[0], ids != "fresh", "{text}");
            assert_eq!(second_syn[1..4] == *recorded[1], ids != "fresh", "{text}");
            let live = if ids == "raw" {
                [[0xff, 0xff, 0xff], [0x98, 0x76, 0x54]]
            } else {
                [[9, 9, 1], [9, 9, 2]]
            };
            assert_eq!(data[..4], [&[0xa0][..], &live[0]].concat(), "{text}");
            assert_eq!(data[4..], *b"GET / HTTP/1.0\r\nHost: x\r\n\r\n");
            assert_eq!(*close, [&[0xa2][..], &live[1]].concat(), "{text}");
            assert_eq!(*ping, [0xff]);
            assert_eq!(*last, [0xa2, 1, 2, 3]);
            let note = "messages that match are the server's and not sent";
            assert!(text.contains(note), "{text}");
        }
    }
}

#[test]
fn a_capture_without_a_match_is_nothing_to_send() {
    let from = [
        "inject",
        "--from",
        SAMPLES,
        "-Y",
        "payload contains \"nowhere\"",
    ];
    let output = run(&[&from[..], &["--carrier", "tcp://127.0.0.1:1"]].concat());
    assert_eq!(
        reason(&output),
        "nothing to send: no message of a client in captures/spec-samples.pcap matches"
    );
}

/// What `ministream-dump -T spec` writes, but for the message of a type that
/// does not exist, which no server sends.
fn notation() -> Vec<u8> {
    let dump = Command::new(env!("CARGO_BIN_EXE_ministream-dump"))
        .args([SAMPLES, "-T", "spec", "--conv", "c1,c2,c3"])
        .args(["-Y", "type != unknown"])
        .output()
        .expect("the program starts");
    assert!(dump.status.success());
    dump.stdout
}

#[test]
fn the_samples_in_the_notation_of_the_specification_run_as_a_script() {
    for carrier in CARRIERS {
        // The mock answers as recorded, whatever the client's data is.
        let mock = Server::mock(&[
            SAMPLES,
            "--topspeed",
            "--mask",
            "c2s:/[^!]+/",
            "--reply-timeout",
            "60s",
            "--carrier",
            &format!("{carrier}://127.0.0.1:0"),
        ]);
        let mut inject = Command::new(PROGRAM)
            .args(["inject", "--script", "-", "--carrier", &mock.carrier])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut input = inject.stdin.take().expect("a pipe");
        input.write_all(&notation()).expect("it reads");
        drop(input);
        let output = inject.wait_with_output().expect("it ends");
        let text = stdout(&output);
        println!("{text}");
        assert_eq!(code(&output), 0, "{text}");
        assert_eq!(text.matches("\nok ").count() + 1, 11, "{text}");
    }
}

#[test]
fn a_script_without_a_step_is_not_taken_for_one_that_went_well() {
    let empty = tempfile::NamedTempFile::new().expect("a file can be made");
    std::fs::write(empty.path(), "\n# nothing but this\n").expect("it can be written");
    let path = empty.path().to_str().expect("its name is text");
    for script in [&["--script", path][..], &[""]] {
        for more in [&[][..], &["--dry-run"]] {
            let fixed = ["inject", "--carrier", "tcp://127.0.0.1:1"];
            let output = run(&[&fixed[..], script, more].concat());
            assert_eq!(code(&output), 2, "{script:?}");
            assert_eq!(
                stderr(&output),
                "ministream-replay: error: nothing to send: the script has no steps\n    \
                 help: ministream-replay inject --help begins with examples\n"
            );
        }
    }
}

#[test]
fn a_script_that_nobody_ever_answered_exits_with_4_and_one_with_another_answer_with_1() {
    for carrier in CARRIERS {
        let silent = serve(carrier, |_: &[u8]| Vec::new());
        let steps = ["syn $c", "expect ack $c -> $s within 200ms"];
        let output = run(&[&["inject", "--carrier", &silent][..], &steps].concat());
        assert_eq!(code(&output), 4, "{}", stderr(&output));
        let mut error = format!(
            "ministream-replay: error: no answer from {silent}: messages: 1 sent, 0 came in T\n"
        );
        if carrier == "udp" {
            let (_, port) = silent.rsplit_once(':').expect("it has a port");
            error += &format!(
                "    help: UDP gives no refusal here; is a server listening?  \
                 ss -lun 'sport = :{port}'\n"
            );
        }
        assert_eq!(timeless(&stderr(&output)), error);

        let refusing = serve(carrier, |message: &[u8]| {
            vec![to_client(0x52, [message[1], message[2], message[3]], b"")]
        });
        let output = run(&[&["inject", "--carrier", &refusing][..], &steps].concat());
        assert_eq!(code(&output), 1, "{}", stderr(&output));
    }
}
