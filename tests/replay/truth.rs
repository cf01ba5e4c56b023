//! Each way in which a server can fail, over either carrier: its own result, its
//! own exit code, within the timeouts.

use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::peer::{Act, Answer, CARRIERS, accepting, serve, to_client};
use crate::process::{PROGRAM, SAMPLES, code, run, send, stderr, timeless};
use ministream_fixtures::unused_address;

/// What the service of the specification's sample (c) answers.
const ANSWER: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";

const DATA: u8 = 0x50;
const ACK: u8 = 0x51;
const CLOSE: u8 = 0x52;

/// How long answers are waited for where they do not come.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// What all together may take on a busy machine, and less than the servers wait
/// that are late.
const IN_TIME: Duration = Duration::from_secs(60);

struct Played {
    exit_code: i32,
    report: Value,
    errors: String,
    elapsed: Duration,
}

/// Plays conversations of the samples to a server.
fn play(carrier: &str, conversations: &str, patience: Duration) -> Played {
    let patience = format!("{}ms", patience.as_millis());
    let timeouts = [
        "--reply-timeout",
        &patience,
        "--handshake-timeout",
        &patience,
        "--connect-timeout",
        "0s",
    ];
    play_with(
        carrier,
        conversations,
        &[&["--topspeed"][..], &timeouts].concat(),
    )
}

fn play_with(carrier: &str, conversations: &str, more: &[&str]) -> Played {
    let began = Instant::now();
    let fixed = ["replay", SAMPLES, "--carrier", carrier, "--report", "json"];
    let output = run(&[&fixed[..], &["--conv", conversations], more].concat());
    let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    let played = Played {
        exit_code: code(&output),
        report,
        errors: stderr(&output),
        elapsed: began.elapsed(),
    };
    if !played.report.is_null() {
        assert_eq!(played.report["exit_code"], played.exit_code);
    }
    played
}

/// Plays sample (c) on both carriers and checks its result and the exit code.
#[track_caller]
fn expect<A: Answer>(server: impl Fn() -> A, result: &str, exit_code: i32) -> Vec<Played> {
    CARRIERS
        .into_iter()
        .map(|carrier| {
            // Who answers is waited for, however slow the machine is.
            let patience = match result {
                "no_reply" => PATIENCE,
                _ => IN_TIME,
            };
            let played = play(&serve(carrier, server()), "c1", patience);
            let text = format!("{carrier}: {} {}", played.report, played.errors);
            assert_eq!(
                played.report["conversations"][0]["result"], result,
                "{text}"
            );
            assert_eq!(played.exit_code, exit_code, "{text}");
            played
        })
        .collect()
}

/// The error with which a run ended, behind the lines of the log.
fn last_error(errors: &str) -> String {
    let (_, error) = errors
        .rsplit_once("ministream-replay: error: ")
        .unwrap_or_else(|| panic!("{errors}"));
    timeless(error)
}

/// The acts of a server that sends these pieces and closes.
fn pieces(client: [u8; 3], pieces: &[&[u8]]) -> Vec<Act> {
    let data = pieces.iter().map(|piece| to_client(DATA, client, piece));
    data.chain([to_client(CLOSE, client, b"")]).collect()
}

#[test]
fn the_recorded_answer_is_the_same() {
    expect(|| accepting(|client| pieces(client, &[ANSWER])), "same", 0);
}

#[test]
fn nobody_who_listens_is_a_failure_of_the_transport() {
    let address = unused_address();
    let tcp = play(&format!("tcp://{address}"), "c1", PATIENCE);
    assert_eq!(tcp.exit_code, 4);
    assert_eq!(
        tcp.errors,
        format!(
            "ministream-replay: error: tcp://{address}: connection refused\n    \
             help: is a server listening?  ss -ltn 'sport = :{}'\n",
            address.port()
        )
    );
    let address = unused_address();
    let udp = play(&format!("udp://{address}"), "c1", PATIENCE);
    assert_eq!(udp.exit_code, 4, "{}", udp.errors);
    assert_eq!(udp.report["conversations"][0]["result"], "transport_error");
    let no_answer = format!("no answer from udp://{address}: 1 SYN sent, 0 ACK, 0 CLOSE in T\n");
    let error = last_error(&udp.errors);
    let help = error.strip_prefix(&no_answer);
    assert_eq!(
        help.unwrap_or_else(|| panic!("{error}")),
        format!(
            "    help: the port was refused; is a server listening?  ss -lun 'sport = :{}'\n",
            address.port()
        )
    );
}

#[test]
fn a_server_that_says_nothing_at_all_is_told_as_no_answer() {
    for carrier in CARRIERS {
        let address = serve(carrier, |_: &[u8]| Vec::new());
        let played = play(&address, "c1,c2,c3", PATIENCE);
        assert_eq!(played.exit_code, 4, "{carrier}: {}", played.errors);
        assert_eq!(played.report["result_counts"]["no_reply"], 3);
        let error = last_error(&played.errors);
        let (error, _help_for_udp) = error.split_once('\n').expect("a line");
        assert_eq!(
            error,
            format!("no answer from {address}: 3 SYN sent, 0 ACK, 0 CLOSE in T")
        );
        assert!(played.elapsed < IN_TIME, "{:?}", played.elapsed);
    }
}

#[test]
fn a_server_that_accepts_and_stays_silent_is_no_reply() {
    for played in expect(|| accepting(|_| Vec::new()), "no_reply", 1) {
        assert!(played.elapsed >= PATIENCE && played.elapsed < IN_TIME);
        let note = &played.report["conversations"][0]["note"];
        assert_eq!(note, "0 of 44 B came");
    }
}

#[test]
fn a_server_that_refuses_refuses_unexpectedly() {
    let refusing = || {
        |message: &[u8]| {
            let client = [message[1], message[2], message[3]];
            vec![to_client(CLOSE, client, b"")]
        }
    };
    for played in expect(refusing, "refused_unexpectedly", 1) {
        assert!(played.elapsed < IN_TIME, "it need not be waited for");
    }
}

#[test]
fn a_server_that_accepts_what_was_refused_accepts_unexpectedly() {
    for carrier in CARRIERS {
        let played = play(&serve(carrier, accepting(|_| Vec::new())), "c2", IN_TIME);
        assert_eq!(played.exit_code, 1, "{}", played.errors);
        let result = &played.report["conversations"][0]["result"];
        assert_eq!(result, "accepted_unexpectedly");
    }
}

#[test]
fn a_server_that_answers_late_is_waited_for_and_not_longer() {
    let late = |delay: Duration| {
        move || {
            accepting(move |client| {
                let mut acts = vec![Act::Wait(delay)];
                acts.extend(pieces(client, &[ANSWER]));
                acts
            })
        }
    };
    expect(late(Duration::from_millis(300)), "same", 0);
    for played in expect(late(2 * IN_TIME), "no_reply", 1) {
        assert!(played.elapsed < IN_TIME, "{:?}", played.elapsed);
    }
}

#[test]
fn a_server_that_closes_early_is_told_as_such() {
    for played in expect(
        || accepting(|client| pieces(client, &[&ANSWER[..43]])),
        "closed_early",
        1,
    ) {
        let note = &played.report["conversations"][0]["note"];
        assert_eq!(note, "43 of 44 B came");
        assert!(played.elapsed < IN_TIME, "{:?}", played.elapsed);
    }
}

#[test]
fn a_server_that_sends_more_differs_behind_the_end() {
    let more = || accepting(|client| pieces(client, &[ANSWER, b"!"]));
    for played in expect(more, "differs", 1) {
        let difference = &played.report["conversations"][0]["diffs"][0];
        assert_eq!(difference["offset_bytes"], 44);
        assert_eq!(difference["want_hex"], "");
        assert_eq!(difference["got_hex"], "21");
    }
}

#[test]
fn the_right_bytes_in_other_messages_are_the_same() {
    for size in [1, 7, 43] {
        let chopped = move || {
            accepting(move |client| {
                let parts: Vec<&[u8]> = ANSWER.chunks(size).collect();
                pieces(client, &parts)
            })
        };
        expect(chopped, "same", 0);
    }
}

#[test]
fn a_server_that_dies_in_the_middle_is_a_failure_of_the_transport() {
    // Over TCP the connection ends; over UDP the next message finds nobody.
    let tcp = play(
        &serve("tcp", accepting(|_| vec![Act::Leave])),
        "c1",
        PATIENCE,
    );
    assert_eq!(tcp.exit_code, 4, "{}", tcp.errors);
    assert_eq!(tcp.report["conversations"][0]["result"], "transport_error");
    let (_, lost) = tcp.errors.split_once(": the link").expect("it was lost");
    assert_eq!(lost, " was lost: the other end closed the connection\n");

    let udp = serve("udp", accepting(|_| vec![Act::Leave]));
    let played = play_with(&udp, "c1,c3", &["--speed", "0.2", "--reply-timeout", "60s"]);
    assert_eq!(played.report["result_counts"]["transport_error"], 2);
    assert_eq!(played.exit_code, 4, "{}", played.errors);
    assert_eq!(
        last_error(&played.errors),
        format!("{udp}: the link was lost: the connection failed: connection refused\n")
    );
}

#[test]
fn a_server_that_restarts_in_the_middle_knows_the_conversation_no_more() {
    // A new process at the same port ignores ids that it did not hand out. On a
    // TCP carrier its end would also end the connection: see above.
    let restarted = || {
        let mut accepted = 0;
        move |message: &[u8]| match message[0] {
            0xa1 => {
                accepted += 1;
                let client = [message[1], message[2], message[3]];
                vec![to_client(ACK, client, &[0, 0, accepted])]
            }
            _ => Vec::new(),
        }
    };
    for played in expect(restarted, "no_reply", 1) {
        assert!(played.elapsed < IN_TIME, "{:?}", played.elapsed);
    }
}

/// Plays to a server that says when it was asked, and answers once the replay is stopped: for
/// longer than the second that it waits. Gives its exit code.
fn play_with_a_stop(
    arguments: &[&str],
    asks: &mpsc::Receiver<()>,
    stopped: &mpsc::Sender<()>,
) -> Option<i32> {
    let mut child = Command::new(PROGRAM)
        .args(["replay", SAMPLES, "--conv", "c1", "--topspeed"])
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    asks.recv_timeout(IN_TIME).expect("it asks");
    send(&child, Signal::STOP);
    stopped.send(()).expect("the server waits for it");
    std::thread::sleep(Duration::from_millis(1_500));
    send(&child, Signal::CONT);
    child.wait().expect("it ends").code()
}

/// A process that stood still is woken by its timer before it sees what came meanwhile.
#[test]
fn an_answer_that_came_while_a_replay_stood_still_is_not_called_missing() {
    let stopped = |carrier: &'static str| {
        let (asked, asks) = mpsc::channel();
        let (stopped, stops) = mpsc::channel();
        let server = serve(
            carrier,
            accepting(move |client| {
                asked.send(()).expect("the test waits for it");
                stops.recv().expect("the test stops the replay");
                pieces(client, &[ANSWER])
            }),
        );
        let patience = ["--reply-timeout", "1s", "--carrier", &server];
        let code = play_with_a_stop(&patience, &asks, &stopped);
        assert_eq!(code, Some(0), "{carrier}");
    };
    std::thread::scope(|scope| {
        for _ in 0..5 {
            for carrier in CARRIERS {
                scope.spawn(move || stopped(carrier));
            }
        }
    });
}

/// More came meanwhile than is taken in at once.
#[test]
fn hundreds_of_answers_that_came_while_a_replay_stood_still_are_not_called_missing() {
    // As many as a socket of the system holds.
    const COUNT: u16 = 140;
    let (asked, asks) = mpsc::channel();
    let (stopped, stops) = mpsc::channel();
    let mut clients: Vec<[u8; 3]> = Vec::new();
    let server = serve("udp", move |message: &[u8]| {
        let id = [message[1], message[2], message[3]];
        match message[0] {
            0xa1 => {
                clients.push(id);
                if clients.len() < usize::from(COUNT) {
                    return Vec::new();
                }
                asked.send(()).expect("the test waits for it");
                stops.recv().expect("the test stops the replay");
                let numbered = (0..COUNT).zip(&clients);
                let accepted = numbered.map(|(number, client)| {
                    let [high, low] = number.to_be_bytes();
                    to_client(ACK, *client, &[1, high, low])
                });
                accepted.collect()
            }
            0xa0 => {
                let number = usize::from(u16::from_be_bytes([id[1], id[2]]));
                pieces(clients[number], &[ANSWER])
            }
            _ => Vec::new(),
        }
    });
    let copies = COUNT.to_string();
    let patience = ["--handshake-timeout", "1s", "--carrier", &server];
    let arguments = [&["--concurrency", &copies][..], &patience].concat();
    assert_eq!(play_with_a_stop(&arguments, &asks, &stopped), Some(0));
}
