//! Logs that cannot be written: nothing else may suffer from them.

use std::fs::File;
use std::io::{ErrorKind, PipeReader, PipeWriter, Read, Write, pipe};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::endpoint::{Endpoint, Tunnel, command, connect, eventually, wait};
use crate::metrics::get;
use crate::services::{echo, exchange, pattern};

/// A server whose log goes elsewhere, and its client.
fn tunnel(stderr: Stdio, more: &[&str]) -> Tunnel {
    let target = echo().to_string();
    let server = [
        &[
            "server",
            "--carrier",
            "tcp://127.0.0.1:0",
            "--target",
            &target,
            "--metrics",
            "127.0.0.1:0",
        ],
        more,
    ]
    .concat();
    let server = Endpoint::start_logging_to(&server, stderr);
    let client = Endpoint::client(server.carrier(), &[]);
    Tunnel { server, client }
}

/// A proxy before a server that shows all messages.
fn proxy_that_shows(carrier: &str, server: &Endpoint) -> Command {
    let ways = ["--carrier", carrier, "--upstream", server.carrier()];
    command(&[&["proxy", "-T", "ndjson"][..], &ways].concat())
}

/// A connection that is lost with a warning: the length of its first message is 0.
fn provoke_a_warning(server: &Endpoint) {
    let address = server.carrier().strip_prefix("tcp://").unwrap();
    let mut stream = connect(address.parse().unwrap());
    stream.write_all(&[0; 4]).unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
}

fn lost_lines(server: &Endpoint) -> u64 {
    let numbers = get(server, "/metrics");
    let (_, count) = numbers
        .rsplit_once("ministream_log_lines_lost_total ")
        .unwrap();
    count.trim().parse().unwrap()
}

fn assert_served(tunnel: &Tunnel) {
    let sent = pattern(100_000);
    assert_eq!(exchange(&tunnel.connect(), &sent), sent);
}

#[test]
fn a_reader_of_the_log_that_leaves_costs_lines_and_nothing_else() {
    let (reader, writer) = pipe().unwrap();
    let mut tunnel = tunnel(writer.into(), &[]);
    drop(reader);
    for _ in 0..3 {
        provoke_a_warning(&tunnel.server);
    }
    eventually("all lines are counted", || lost_lines(&tunnel.server) == 3);
    assert_served(&tunnel);
    tunnel.server.signal(rustix::process::Signal::TERM);
    assert_eq!(tunnel.server.wait().code(), Some(0));
}

#[test]
fn a_full_disk_costs_lines_and_nothing_else() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    for log in [
        tunnel(full().into(), &[]),
        tunnel(full().into(), &["--log-format", "json"]),
        tunnel(Stdio::null(), &["--log-file", "/dev/full"]),
    ] {
        provoke_a_warning(&log.server);
        eventually("lines are counted", || lost_lines(&log.server) > 0);
        assert_served(&log);
    }
}

#[test]
fn a_reader_of_the_log_that_stalls_holds_nothing_up_and_is_told_what_it_missed() {
    let (mut reader, writer) = pipe().unwrap();
    let mut tunnel = tunnel(writer.into(), &["-vvv"]);
    // Much more than the pipe and the queue hold.
    while lost_lines(&tunnel.server) == 0 {
        for _ in 0..100 {
            provoke_a_warning(&tunnel.server);
        }
        assert_served(&tunnel);
    }
    let log = std::thread::spawn(move || {
        let mut log = String::new();
        reader.read_to_string(&mut log).unwrap();
        log
    });
    tunnel.server.signal(rustix::process::Signal::TERM);
    assert_eq!(tunnel.server.wait().code(), Some(0));
    let log = log.join().unwrap();
    assert!(log.contains("lines were dropped lost_lines="), "{log}");
    assert!(log.ends_with('\n'), "no line is cut");
}

#[test]
fn a_reader_that_never_reads_does_not_keep_a_program_from_its_end() {
    let (_reader, writer) = pipe().unwrap();
    let mut tunnel = tunnel(writer.into(), &["-vvv"]);
    while lost_lines(&tunnel.server) == 0 {
        for _ in 0..100 {
            provoke_a_warning(&tunnel.server);
        }
    }
    tunnel.server.signal(rustix::process::Signal::TERM);
    assert_eq!(tunnel.server.wait().code(), Some(0));
}

#[test]
fn an_error_that_cannot_be_told_keeps_its_exit_code() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut child = command(&[
        "server",
        "--carrier",
        "tcp://192.0.2.1:1",
        "--target",
        "127.0.0.1:1",
    ])
    .stdout(Stdio::null())
    .stderr(full)
    .spawn()
    .unwrap();
    assert_eq!(wait(&mut child).code(), Some(2));
}

#[test]
fn an_idle_request_for_numbers_holds_no_other_up() {
    let server = Endpoint::server("tcp://127.0.0.1:0", echo(), &["--metrics", "127.0.0.1:0"]);
    let url = server.field("metrics=http://");
    let address = url.strip_suffix("/metrics").unwrap().parse().unwrap();
    let started = Instant::now();
    let _idle: Vec<_> = (0..10).map(|_| connect(address)).collect();
    assert!(get(&server, "/metrics?x=1").starts_with("HTTP/1.0 200 OK\r\n"));
    assert!(started.elapsed().as_secs() < 4);
}

#[test]
fn a_standard_output_that_nobody_takes_costs_lines_and_nothing_else() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let target = echo().to_string();
    // Full from the beginning: not even the ready line is written.
    let address = ministream_fixtures::unused_address().to_string();
    let carrier = format!("tcp://{address}");
    let server = ["server", "--carrier", &carrier, "--target", &target];
    let mut server = command(&server)
        .stdout(full())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let client = Endpoint::client(&carrier, &[]);
    let sent = pattern(100_000);
    assert_eq!(exchange(&client.connect(), &sent), sent);
    let id = rustix::process::Pid::from_child(&server);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    assert_eq!(wait(&mut server).code(), Some(0));
}

#[test]
fn a_reader_of_what_a_proxy_shows_may_leave_or_stall() {
    let server = Endpoint::server("tcp://127.0.0.1:0", echo(), &[]);
    for stays in [false, true] {
        let (reader, writer) = pipe().unwrap();
        let (mut log, errors) = pipe().unwrap();
        let carrier = format!("tcp://{}", ministream_fixtures::unused_address());
        let mut proxy = proxy_that_shows(&carrier, &server)
            .stdout(writer)
            .stderr(errors)
            .spawn()
            .unwrap();
        let reader = stays.then_some(reader);
        let client = Endpoint::client(&carrier, &[]);
        // As text, these are more than the queue holds.
        let sent = pattern(8_000_000);
        for _ in 0..2 {
            assert!(exchange(&client.connect(), &sent) == sent);
        }
        drop(client);
        let id = rustix::process::Pid::from_child(&proxy);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        assert_eq!(wait(&mut proxy).code(), Some(0));
        drop(reader);
        let mut told = String::new();
        log.read_to_string(&mut told).unwrap();
        let why = if stays {
            "is not read"
        } else {
            "cannot be written"
        };
        assert!(told.contains(&format!("standard output {why}")), "{told}");
        assert!(
            told.contains("lines of standard output that could not be written: "),
            "{told}"
        );
    }
}

#[test]
fn lines_that_a_mock_could_not_write_in_time_are_counted_at_its_end() {
    let (reader, writer) = pipe().unwrap();
    // A pipe that is full: nothing of the little that a mock says finds room.
    let mut full = writer.try_clone().unwrap();
    let filled = std::thread::spawn(move || full.write_all(&[b'x'; 1 << 20]).is_ok());
    let (mut log, errors) = pipe().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let ready = directory.path().join("ready");
    eventually("the pipe is full", || {
        rustix::io::ioctl_fionread(&reader).unwrap() >= 65_536
    });
    let arguments = [
        "mock",
        "captures/spec-samples.pcap",
        "--carrier",
        "tcp://127.0.0.1:0",
        "--ready-file",
        ready.to_str().unwrap(),
    ];
    let mut mock = command(&arguments)
        .stdout(writer)
        .stderr(errors)
        .spawn()
        .unwrap();
    eventually("it is ready", || ready.exists());
    let id = rustix::process::Pid::from_child(&mock);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    assert_eq!(wait(&mut mock).code(), Some(0));
    let mut told = String::new();
    log.read_to_string(&mut told).unwrap();
    assert!(
        told.contains("lines of standard output that could not be written: 1\n"),
        "{told}"
    );
    drop(reader);
    assert!(!filled.join().unwrap());
}

/// A pipe with room for nothing, which is not read while the first end is there.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    for length in [4096, 1] {
        let bytes = vec![b'x'; length];
        while writer.write_all(&bytes).is_ok() {}
        let full = writer.write_all(&bytes).unwrap_err();
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
    }
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    (reader, writer)
}

fn ask(client: &Endpoint, host: &str) -> Vec<u8> {
    let asked = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
    exchange(&client.connect(), asked.as_bytes())
}

#[test]
fn a_warning_that_nobody_reads_holds_no_client_of_a_mock_up() {
    let directory = tempfile::tempdir().unwrap();
    let recorded = directory.path().join("recorded.pcapng");
    let recorded = recorded.to_str().unwrap();
    let mut server = Endpoint::server("tcp://127.0.0.1:0", echo(), &["--capture", recorded]);
    let mut client = Endpoint::client(server.carrier(), &[]);
    let answer = ask(&client, "a");
    for end in [&mut client, &mut server] {
        end.signal(rustix::process::Signal::TERM);
        end.wait();
    }
    let (_reader, writer) = full_pipe();
    let mock = ["mock", recorded, "--carrier", "tcp://127.0.0.1:0"];
    let more = ["--loops", "forever", "--topspeed"];
    let mock = Endpoint::start_logging_to(&[&mock[..], &more].concat(), writer.into());
    let client = Endpoint::client(mock.carrier(), &[]);
    // For the first a mask is suggested when it is over; others come behind that.
    let until = Instant::now() + Duration::from_secs(1);
    while Instant::now() < until {
        assert_eq!(ask(&client, "b"), answer);
    }
}

#[test]
fn a_ready_line_that_nobody_reads_holds_no_client_of_a_proxy_up() {
    let server = Endpoint::server("tcp://127.0.0.1:0", echo(), &[]);
    let carrier = format!("tcp://{}", ministream_fixtures::unused_address());
    let (_reader, writer) = full_pipe();
    let mut proxy = proxy_that_shows(&carrier, &server)
        .stdout(Stdio::null())
        .stderr(writer)
        .spawn()
        .unwrap();
    let client = Endpoint::client(&carrier, &[]);
    let sent = pattern(100_000);
    assert_eq!(exchange(&client.connect(), &sent), sent);
    let id = rustix::process::Pid::from_child(&proxy);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    assert_eq!(wait(&mut proxy).code(), Some(0));
}
