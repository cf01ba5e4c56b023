//! Machines that are short of something: disk, memory, time, a clock that can be trusted.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ministream_fixtures::namespace::on_a_small_disk;
use ministream_fixtures::needs;
use ministream_fixtures::program::find;
use rustix::process::Signal;
use serde_json::Value;

use crate::captures::{dissect, records};
use crate::endpoint::{Endpoint, READY_PATIENCE, Tunnel, command, eventually};
use crate::services::{echo, exchange, pattern, read_to_end, service};
use crate::tls::People;

const REOPENED: &str = "opened anew";

fn codes(all: &[Value]) -> Vec<&str> {
    let findings = records(all, "finding").into_iter();
    findings.map(|it| it["code"].as_str().unwrap()).collect()
}

#[test]
fn a_capture_on_a_full_disk_ends_with_a_whole_packet_and_goes_on_when_there_is_room() {
    let name = "scarcity::a_capture_on_a_full_disk_ends_with_a_whole_packet_and_goes_on_when_there_is_room";
    on_a_small_disk(name, 1 << 20, |disk| {
        for carrier in ["tcp://127.0.0.1:0", "udp://127.0.0.1:0"] {
            record_on_a_full_disk(disk, carrier);
        }
    });
}

fn record_on_a_full_disk(disk: &Path, carrier: &str) {
    let (capture, ballast) = (disk.join("capture.pcapng"), disk.join("ballast"));
    fs::write(&ballast, vec![0; 700_000]).unwrap();
    let more = ["--capture", capture.to_str().unwrap()];
    let mut server = Endpoint::server(carrier, echo(), &more);
    let client = Endpoint::client(server.carrier(), &[]);
    let sent = pattern(600_000);
    assert!(exchange(&client.connect(), &sent) == sent, "{carrier}");
    server.wait_for_log("cannot be written and ends here");
    let whole = dissect(&capture);
    assert!(!codes(&whole).contains(&"cap.truncated"), "{carrier}");
    assert_eq!(records(&whole, "conversation").len(), 1, "{carrier}");

    // Without room, beginning anew fails again, and costs the tunnel nothing.
    server.signal(Signal::HUP);
    eventually("SIGHUP is told", || server.log().contains(REOPENED));
    assert!(exchange(&client.connect(), &sent[..1_000]) == sent[..1_000]);
    fs::remove_file(&ballast).unwrap();
    server.signal(Signal::HUP);
    eventually("SIGHUP is told", || {
        server.log().matches(REOPENED).count() == 2
    });
    assert!(exchange(&client.connect(), &sent[..1_000]) == sent[..1_000]);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0), "{carrier}");
    let all = dissect(&capture);
    assert!(!codes(&all).contains(&"cap.truncated"), "{carrier}");
    let conversations = records(&all, "conversation");
    let mut bytes = conversations.iter().map(|it| &it["c2s"]["payload_bytes"]);
    assert!(bytes.any(|bytes| *bytes == 1_000), "{all:#?}");
    assert!(
        server
            .log()
            .contains("only in part: it could not be written"),
        "{}",
        server.log()
    );
    fs::remove_file(&capture).unwrap();
}

/// Answers a question in its own time and ends, and sends back anything else; tells of questions.
pub(crate) fn thoughtful() -> (SocketAddr, mpsc::Receiver<()>) {
    let (asked, questions) = mpsc::channel();
    let target = service(move |mut stream| {
        let mut first = [0];
        stream.read_exact(&mut first)?;
        if first == *b"?" {
            asked.send(()).map_err(io::Error::other)?;
            thread::sleep(Duration::from_secs(1));
            return stream.write_all(&pattern(ANSWER_BYTES));
        }
        stream.write_all(&first)?;
        let mut from = stream.try_clone()?;
        io::copy(&mut from, &mut stream).map(drop)
    });
    (target, questions)
}

const ANSWER_BYTES: usize = 50_000;

/// Each end of a tunnel to a [`thoughtful`] service stands still while bytes, a connection and an
/// answer are on their way.
pub(crate) fn stand_still(server: &Endpoint, client: &Endpoint, questions: &mpsc::Receiver<()>) {
    let bytes = pattern(5_000);
    let mut old = client.connect();
    assert!(exchange(&old, &bytes) == bytes);
    for stopped in [server, client] {
        let mut asking = client.connect();
        asking.write_all(b"?").unwrap();
        if std::ptr::eq(stopped, client) {
            // Its drain of 5 s would run out at a client that goes on.
            asking.shutdown(Shutdown::Write).unwrap();
        }
        questions.recv_timeout(READY_PATIENCE).unwrap();
        stopped.signal(Signal::STOP);
        old.write_all(&bytes).unwrap();
        let mut new = client.connect();
        new.write_all(&bytes).unwrap();
        // Longer than what waits is given when one ends, than an acceptance, than a drain.
        thread::sleep(Duration::from_secs(6));
        stopped.signal(Signal::CONT);
        for stream in [&mut old, &mut new] {
            let mut answer = vec![0; bytes.len()];
            stream.read_exact(&mut answer).unwrap();
            assert!(answer == bytes, "{}", stopped.ready);
        }
        let answer = read_to_end(&mut asking).unwrap();
        assert!(answer == pattern(ANSWER_BYTES), "{}", stopped.ready);
        assert!(exchange(&client.connect(), &bytes) == bytes);
    }
}

#[test]
fn whoever_stood_still_goes_on_where_it_was() {
    for carrier in ["tcp://127.0.0.1:0", "udp://127.0.0.1:0"] {
        let (target, questions) = thoughtful();
        let Tunnel { server, client } = Tunnel::to(carrier, target, &[]);
        stand_still(&server, &client, &questions);
    }
}

#[test]
fn whoever_stood_still_goes_on_where_it_was_over_tls() {
    let people = People::new();
    let (target, questions) = thoughtful();
    let server = people.server("tls://127.0.0.1:0", target, &[]);
    let client = people.client(server.carrier(), &[]);
    stand_still(&server, &client, &questions);
}

/// An endpoint whose clock on the wall shows what a file says; the monotonic one goes right.
fn with_clock(file: &Path, arguments: &[&str]) -> Endpoint {
    // faketime(1) itself would set a moment, and not the file.
    let library = fs::read_dir("/usr/lib")
        .unwrap()
        .map(|entry| entry.unwrap().path().join("faketime/libfaketime.so.1"))
        .find(|path| path.exists())
        .expect("it comes with the program");
    let mut command = command(arguments);
    command
        .env("LD_PRELOAD", library)
        .env("FAKETIME_TIMESTAMP_FILE", file)
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    Endpoint::run(command).unwrap()
}

#[test]
fn a_clock_that_jumps_changes_nothing_but_what_is_written_of_it() {
    needs!("faketime");
    let directory = tempfile::tempdir().unwrap();
    let clock = directory.path().join("clock");
    let show = |offset: &str| fs::write(&clock, format!("{offset}\n")).unwrap();
    for carrier in ["tcp://127.0.0.1:0", "udp://127.0.0.1:0"] {
        show("+0d");
        let capture = directory.path().join("capture.pcapng");
        let target = echo().to_string();
        let arguments = ["server", "--target", &target, "-v", "--carrier", carrier];
        let more = ["--capture", capture.to_str().unwrap()];
        let mut server = with_clock(&clock, &[&arguments[..], &more].concat());
        let listen = "127.0.0.1:0";
        let arguments = ["client", "--listen", listen, "--carrier", server.carrier()];
        let client = with_clock(&clock, &arguments);
        let bytes = pattern(5_000);
        let old = client.connect();
        for offset in ["+0d", "+400d", "-3000d", "+1d"] {
            show(offset);
            assert!(exchange(&old, &bytes) == bytes, "{carrier} {offset}");
            assert!(
                exchange(&client.connect(), &bytes) == bytes,
                "{carrier} {offset}"
            );
        }
        server.signal(Signal::TERM);
        assert_eq!(server.wait().code(), Some(0), "{carrier}");
        // The clock did jump: the log has its time.
        let years = |log: &str| {
            let mut years: Vec<_> = log.lines().map(|line| line[..4].to_owned()).collect();
            years.sort_unstable();
            years.dedup();
            years.len()
        };
        assert!(years(&server.log()) >= 3, "{}", server.log());
        // Time in a capture does not run backwards.
        let all = dissect(&capture);
        let only_ended = codes(&all).into_iter().all(|code| code == "ms.no_close");
        assert!(only_ended, "{carrier}: {:?}", codes(&all));
        assert_eq!(records(&all, "conversation").len(), 5, "{carrier}");
    }
}

#[test]
fn a_tunnel_that_hardly_gets_the_processor_loses_nothing() {
    needs!("taskset");
    // On one processor, which another process of nine times the weight wants all the time.
    let on_one_processor = |program: &[&str]| {
        let mut command = Command::new(find("taskset").unwrap());
        command
            .args(["-c", "0"])
            .args(program)
            .env_remove("MINISTREAM_LOG");
        command
    };
    let spinning = on_one_processor(&["sh", "-c", "while :; do :; done"]).spawn();
    let spinning = Spinning(spinning.unwrap());
    let starved = |arguments: &[&str]| {
        let nice = ["nice", "-n", "10", env!("CARGO_BIN_EXE_ministream-replay")];
        Endpoint::run(on_one_processor(&[&nice[..], arguments].concat())).unwrap()
    };
    for carrier in ["tcp://127.0.0.1:0", "udp://127.0.0.1:0"] {
        let target = echo().to_string();
        let server = starved(&["server", "--target", &target, "--carrier", carrier]);
        let listen = "127.0.0.1:0";
        let client = starved(&["client", "--listen", listen, "--carrier", server.carrier()]);
        thread::scope(|scope| {
            for length in [1, 1_000, 50_000] {
                let stream = client.connect();
                scope.spawn(move || {
                    let bytes = pattern(length);
                    assert!(exchange(&stream, &bytes) == bytes, "{carrier} {length}");
                });
            }
        });
    }
    drop(spinning);
}

/// A process that wants the processor, until it is dropped.
struct Spinning(std::process::Child);

impl Drop for Spinning {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_server_in_little_memory_serves_as_many_as_it_may() {
    let target = echo().to_string();
    let carrier = "tcp://127.0.0.1:0";
    let arguments = ["server", "--carrier", carrier, "--target", &target];
    let server = Endpoint::limited("-v 200000", &arguments);
    let client = Endpoint::client(server.carrier(), &[]);
    let bytes = pattern(200_000);
    thread::scope(|scope| {
        for _ in 0..200 {
            scope.spawn(|| assert!(exchange(&client.connect(), &bytes) == bytes));
        }
    });
}
