//! Two programs that are started together find each other, whichever is first.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::endpoint::{Endpoint, PATIENCE, command, eventually, stdio, wait};
use crate::services::{echo, exchange};
use ministream_fixtures::unused_address;

const ROUNDS: usize = 20;

/// Which of the two is started first.
#[derive(Clone, Copy, Debug)]
enum First {
    Caller,
    Called,
}

/// A carrier at a port that nobody has.
fn unused_carrier(scheme: &str) -> String {
    format!("{scheme}://{}", unused_address())
}

fn spawn(arguments: &[&str], stderr: Stdio) -> Child {
    let mut command = command(arguments);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr);
    command.spawn().unwrap()
}

/// Starts both without waiting for either to be ready, and hands the caller over. One that is
/// started first `waits`, by what it has written to standard error.
fn together<R>(
    first: First,
    caller: &[&str],
    called: &[&str],
    waits: impl Fn(&str) -> bool,
    test: impl FnOnce(&mut Child) -> R,
) -> R {
    let (mut caller, mut called) = match first {
        First::Caller => {
            let directory = tempfile::tempdir().unwrap();
            let log = directory.path().join("log");
            let caller = spawn(caller, File::create(&log).unwrap().into());
            // The worst order: it is refused at least once.
            eventually("it waits for the other", || {
                waits(&fs::read_to_string(&log).unwrap())
            });
            (caller, spawn(called, Stdio::null()))
        }
        First::Called => {
            let called = spawn(called, Stdio::null());
            (spawn(caller, Stdio::null()), called)
        }
    };
    let result = test(&mut caller);
    for child in [&mut caller, &mut called] {
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
    result
}

fn is_refused(log: &str) -> bool {
    log.contains("waiting for ")
}

/// Connects as soon as somebody listens, as a user would who tries again.
fn connected(address: SocketAddr) -> TcpStream {
    let until = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect(address) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                return stream;
            }
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_client_and_a_server_that_are_started_together_always_find_each_other() {
    let target = echo().to_string();
    for scheme in ["tcp", "udp"] {
        for round in 0..ROUNDS {
            for first in [First::Caller, First::Called] {
                let carrier = unused_carrier(scheme);
                let listen = unused_address();
                let client = [
                    "client",
                    "--carrier",
                    &carrier,
                    "--listen",
                    &listen.to_string(),
                ];
                let server = ["server", "--carrier", &carrier, "--target", &target];
                // Over UDP it calls when somebody connects.
                let waits = |log: &str| match scheme {
                    "udp" => TcpListener::bind(listen).is_err(),
                    _ => is_refused(log),
                };
                together(first, &client, &server, waits, |_| {
                    let stream = connected(listen);
                    let answer = exchange(&stream, b"hello");
                    assert_eq!(answer, b"hello", "{scheme}, {first:?}, round {round}");
                });
            }
        }
    }
}

#[test]
fn replay_inject_and_conform_wait_for_what_they_call() {
    let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/captures/spec-samples.pcap");
    let target = echo().to_string();
    for scheme in ["tcp", "udp"] {
        for round in 0..ROUNDS {
            let first = if round % 4 == 0 {
                First::Called
            } else {
                First::Caller
            };
            let carrier = unused_carrier(scheme);
            let server = ["server", "--carrier", &carrier, "--target", &target];
            let mock = ["mock", capture, "--carrier", &carrier, "--topspeed"];
            let replay = ["replay", capture, "--carrier", &carrier, "--topspeed"];
            let inject = [
                "inject",
                "--carrier",
                &carrier,
                "syn $c",
                "expect ack $c -> $s within 10s",
            ];
            let conform = ["conform", "server", "--carrier", &carrier, "ms/handshake/1"];
            for (caller, called) in [
                (&replay[..], &mock[..]),
                (&inject, &server),
                (&conform, &server),
            ] {
                together(first, caller, called, is_refused, |child| {
                    let status = wait(child);
                    assert_eq!(
                        status.code(),
                        Some(0),
                        "{caller:?}, {first:?}, round {round}"
                    );
                });
            }
        }
    }
}

#[test]
fn what_is_waited_for_is_said_and_given_up_in_time() {
    for (scheme, waiting) in [("tcp", "waiting for"), ("udp", "waiting for")] {
        let carrier = unused_carrier(scheme);
        let arguments = [
            "inject",
            "--carrier",
            &carrier,
            "--connect-timeout",
            "700ms",
            "syn $c",
            "expect ack $c within 2s",
        ];
        let began = Instant::now();
        let output = command(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(4), "{scheme}");
        assert!(
            began.elapsed() >= Duration::from_millis(600),
            "{scheme}: {:?}",
            began.elapsed()
        );
        let told = String::from_utf8(output.stderr).unwrap();
        let line = format!("{waiting} {carrier} (connection refused)");
        assert_eq!(told.matches(&line).count(), 1, "{told}");
        assert!(told.contains("ministream-replay: error:"), "{told}");
    }
}

#[test]
fn that_a_wait_is_over_is_said() {
    let carrier = unused_carrier("tcp");
    let client = ["client", "--carrier", &carrier, "--listen", "127.0.0.1:0"];
    let client = Endpoint::start_until_log(&client, &format!("waiting for {carrier}"));
    let _server = Endpoint::server(&carrier, echo(), &[]);
    let client = client.until_ready().unwrap();
    client.wait_for_log(&format!("{carrier} is there, after"));
}

#[test]
fn without_patience_a_refusal_ends_it_at_once() {
    let carrier = unused_carrier("tcp");
    let (mut child, _input, _output) = stdio(&carrier, &["--connect-timeout", "0s"]);
    assert_eq!(wait(&mut child).code(), Some(4));
}
