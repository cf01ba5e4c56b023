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
