//! Clients that want a mock to grow, or to wait for them.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::process::{SAMPLES, Server, code, run, stdout};

/// The specification's sample of a request and its answer.
const PLAYED: [&str; 4] = [SAMPLES, "--conv", "c1", "--topspeed"];

/// Resident memory of a process in bytes.
fn resident_bytes(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.parse::<u64>().ok())
        .expect("the system tells it")
        * 1024
}

#[test]
fn clients_that_ask_without_reading_cost_a_mock_little_and_hold_up_nobody() {
    let mut mock = Server::quiet(
        "mock",
        &[
            &PLAYED[..],
            &["--loops", "forever", "--carrier", "tcp://127.0.0.1:0"],
        ]
        .concat(),
    );
    mock.read_on();
    let address = mock.carrier.strip_prefix("tcp://").expect("its carrier");
    // SYNs, each of which is answered: by an ACK, and by a close where there are too many.
    let mut syns = Vec::new();
    for number in 0..50_000_u32 {
        let [_, id @ ..] = number.to_be_bytes();
        syns.extend_from_slice(&[0, 0, 0, 4, 0xa1]);
        syns.extend_from_slice(&id);
    }
    let greedy: Vec<TcpStream> = (0..2)
        .map(|_| {
            let stream = TcpStream::connect(address).expect("it listens");
            // So that little is kept on the way.
            let buffer = socket2::SockRef::from(&stream).set_recv_buffer_size(4_096);
            buffer.expect("the system takes it");
            let patience = Some(Duration::from_millis(500));
            stream.set_write_timeout(patience).expect("a time");
            stream
        })
        .collect();
    let began = Instant::now();
    for mut stream in &greedy {
        // 60 MB of answers, of which the system keeps a few.
        let asked = (0..150).try_for_each(|_| stream.write_all(&syns));
        match asked.map_err(|error| error.kind()) {
            Err(ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            other => panic!(
                "it was not held back: {other:?} after {:?}",
                began.elapsed()
            ),
        }
    }
    let resident = resident_bytes(mock.child.id());
    assert!(resident < 200 << 20, "{resident} bytes");
    let output = run(&[&["replay"], &PLAYED[..], &["--carrier", &mock.carrier]].concat());
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    drop(greedy);
}

/// A recording in which the server greets with so many bytes; its only records are the messages.
fn greeting(directory: &std::path::Path, bytes: usize) -> String {
    let service = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = service.local_addr().expect("it is bound").to_string();
    std::thread::spawn(move || {
        for stream in service.incoming() {
            let mut stream = stream.expect("a connection is accepted");
            stream
                .write_all(&vec![b'!'; bytes])
                .expect("the greeting goes");
        }
    });
    let capture = directory.join("greeting.pcapng");
    let capture = capture.to_str().expect("its name is text").to_owned();
    let server = [
        "--carrier",
        "udp://127.0.0.1:0",
        "--target",
        &address,
        "--capture",
        &capture,
    ];
    let mut server = Server::of("server", &server);
    let output = run(&[
        "inject",
        "--carrier",
        &server.carrier,
        "syn 010203",
        "expect ack 010203 -> $s",
        "data $s \"\"",
        "wait 500ms",
    ]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    crate::process::send(&server.child, rustix::process::Signal::INT);
    server.child.wait().expect("it ends");
    capture
}

#[test]
fn a_forged_address_gets_three_times_what_came_from_there_and_an_honest_client_the_recording() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let capture = greeting(directory.path(), 5_000);
    let arguments = [
        &capture,
        "--topspeed",
        "--loops",
        "forever",
        "--reply-timeout",
        "500ms",
    ];
    let mut mock = Server::quiet(
        "mock",
        &[&arguments[..], &["--carrier", "udp://127.0.0.1:0"]].concat(),
    );
    mock.read_on();
    let forged = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    let patience = Some(Duration::from_secs(2));
    forged.set_read_timeout(patience).expect("a time");
    let address = mock.carrier.strip_prefix("udp://").expect("its carrier");
    for length in [0, 100, 391] {
        let syn = [&[0xa1, 1, 2, 3], &vec![0; length][..]].concat();
        forged.send_to(&syn, address).expect("it goes");
        let (mut message, mut came) = ([0; 65_536], 0);
        while let Ok(count) = forged.recv(&mut message) {
            came += count;
        }
        assert!(
            (11..=3 * syn.len()).contains(&came),
            "{came} bytes for {}",
            syn.len()
        );
    }
    let output = run(&["replay", &capture, "--topspeed", "--carrier", &mock.carrier]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
}

#[test]
fn forged_conversations_of_one_host_are_limited_where_others_may_come() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let capture = greeting(directory.path(), 5_000);
    let arguments = [
        &capture,
        "--topspeed",
        "--loops",
        "forever",
        "--reply-timeout",
        "20s",
        "--carrier",
        "udp://127.0.0.1:0",
    ];
    for (more, limit) in [(&[][..], 60), (&["--allow-remote"], 32)] {
        let mut mock = Server::quiet("mock", &[&arguments[..], more].concat());
        mock.read_on();
        let address = mock.carrier.strip_prefix("udp://").expect("its carrier");
        let mut accepted_count = 0;
        for number in 0..60 {
            // Another port each time.
            let forged = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port is free");
            let patience = Some(Duration::from_secs(10));
            forged.set_read_timeout(patience).expect("a time");
            let syn = [&[0xa1, 5, 5, number][..], &[0; 391]].concat();
            forged.send_to(&syn, address).expect("it goes");
            let mut message = [0; 65_536];
            let length = forged.recv(&mut message).expect("an answer");
            match (message[0], length) {
                (0x51, 7) => accepted_count += 1,
                (0x52, 4) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(accepted_count, limit, "{more:?}");
    }
}

#[test]
fn a_greeting_that_is_over_before_its_client_can_answer_is_played_once() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    // All of it may go to an address that is not proven.
    let capture = greeting(directory.path(), 500);
    let mut mock = Server::quiet(
        "mock",
        &[&capture, "--topspeed", "--carrier", "udp://127.0.0.1:0"],
    );
    mock.read_on();
    let output = run(&["replay", &capture, "--topspeed", "--carrier", &mock.carrier]);
    assert_eq!(code(&output), 0, "{}", stdout(&output));
    let (code, _) = mock.end();
    assert_eq!(code, 0, "it ends when all is used up");
}
