//! Bytes arrive, all of them and in order, on each carrier; and so do ends.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

use crate::endpoint::{Endpoint, Tunnel, connect, stdio, wait};
use crate::services::{counter, echo, exchange, pattern, read_to_end, service};

const CARRIERS: [&str; 3] = [
    "tcp://127.0.0.1:0",
    "tcp://127.0.0.1:0?prefix=u16be",
    "udp://127.0.0.1:0",
];

#[test]
fn bytes_come_back_as_they_went_at_every_size_around_a_message() {
    for carrier in CARRIERS {
        let tunnel = Tunnel::to(carrier, echo(), &[]);
        let stream = tunnel.connect();
        for size in [
            1, 2, 8_191, 8_192, 8_193, 32_767, 32_768, 32_769, 65_536, 300_000,
        ] {
            let sent = pattern(size);
            assert!(
                exchange(&stream, &sent) == sent,
                "{size} bytes over {carrier}"
            );
        }
    }
}

#[test]
fn messages_are_as_long_as_is_asked_for_and_bytes_are_the_same() {
    for size in ["1B", "3B", "1KiB"] {
        let tunnel = Tunnel::to("tcp://127.0.0.1:0", echo(), &["--max-message", size]);
        let stream = tunnel.connect();
        let sent = pattern(20_000);
        assert!(exchange(&stream, &sent) == sent, "--max-message {size}");
    }
}

#[test]
fn merged_writes_arrive_whole() {
    let tunnel = Tunnel::to("tcp://127.0.0.1:0", echo(), &["--merge", "20ms"]);
    let mut stream = tunnel.connect();
    let sent = pattern(200);
    for byte in &sent {
        stream.write_all(&[*byte]).unwrap();
    }
    let mut answer = vec![0; sent.len()];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, sent);
}

#[test]
fn a_client_that_shuts_down_its_sending_side_still_gets_its_answer() {
    for carrier in CARRIERS {
        let tunnel = Tunnel::to(carrier, counter(), &["--on-eof", "drain:2s"]);
        let slow = service(|mut stream| {
            // The silence that the client's drain has to bear.
            thread::sleep(Duration::from_millis(700));
            stream.write_all(b"late answer")
        });
        let server = Endpoint::server("tcp://127.0.0.1:0", slow, &[]);
        let client = Endpoint::client(server.carrier(), &[]);

        // The protocol has no half-close: the service does not see the end of
        // the input, but it can answer what came before it.
        let mut stream = client.connect();
        stream.write_all(b"question").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_to_end(&mut stream).unwrap(), b"late answer");

        // When nothing comes for the time of draining, that is no end in order.
        let mut stream = tunnel.connect();
        stream.write_all(b"12345").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let started = Instant::now();
        let error = read_to_end(&mut stream).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{carrier}");
        let waited = started.elapsed();
        assert!(
            waited >= Duration::from_millis(1_900),
            "{waited:?} over {carrier}"
        );
    }
}

#[test]
fn with_on_eof_close_the_end_of_input_closes_at_once() {
    let tunnel = Tunnel::to("tcp://127.0.0.1:0", counter(), &["--on-eof", "close"]);
    let mut stream = tunnel.connect();
    stream.write_all(b"12345").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let started = Instant::now();
    assert_eq!(read_to_end(&mut stream).unwrap(), b"");
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_service_that_speaks_first_and_leaves_is_heard_to_its_last_byte() {
    for carrier in CARRIERS {
        let said = pattern(700_000);
        let speech = said.clone();
        let speaker = service(move |mut stream| stream.write_all(&speech));
        let tunnel = Tunnel::to(carrier, speaker, &[]);
        for _ in 0..3 {
            let mut stream = tunnel.connect();
            assert!(read_to_end(&mut stream).unwrap() == said, "{carrier}");
        }
    }
}

#[test]
fn what_a_client_sent_before_it_left_reaches_the_service() {
    for carrier in CARRIERS {
        let (sender, received) = std::sync::mpsc::channel();
        let sink = service(move |mut stream| {
            let all = read_to_end(&mut stream)?;
            sender.send(all).map_err(std::io::Error::other)
        });
        let tunnel = Tunnel::to(carrier, sink, &["--on-eof", "close"]);
        let sent = pattern(500_000);
        let mut stream = tunnel.connect();
        stream.write_all(&sent).unwrap();
        drop(stream);
        assert!(
            received.recv_timeout(crate::endpoint::PATIENCE).unwrap() == sent,
            "{carrier}"
        );
    }
}

#[test]
fn two_hundred_conversations_at_once_do_not_mix() {
    for carrier in ["tcp://127.0.0.1:0", "udp://127.0.0.1:0"] {
        let tunnel = Tunnel::to(carrier, echo(), &[]);
        let address = tunnel.client.listen();
        thread::scope(|scope| {
            for number in 0..200_usize {
                scope.spawn(move || {
                    let mut stream = connect(address);
                    let sent = pattern(2_000 + number * 13);
                    assert!(exchange(&stream, &sent) == sent, "{number} over {carrier}");
                    stream.shutdown(Shutdown::Write).unwrap();
                    drop(stream.read(&mut [0]));
                });
            }
        });
    }
}

#[test]
fn ten_megabytes_over_udp_arrive_whole_both_ways() {
    let tunnel = Tunnel::to("udp://127.0.0.1:0", echo(), &[]);
    let stream = tunnel.connect();
    let sent = pattern(10_000_000);
    assert!(exchange(&stream, &sent) == sent);
}

#[test]
fn one_conversation_can_be_had_on_standard_input_and_output() {
    let server = Endpoint::server("tcp://127.0.0.1:0", echo(), &[]);
    let (mut child, mut input, mut output) = stdio(server.carrier(), &["--on-eof", "drain:1s"]);
    let sent = pattern(100_000);
    let expected = sent.clone();
    let writer = thread::spawn(move || input.write_all(&sent).unwrap());
    let mut received = vec![0; expected.len()];
    output.read_exact(&mut received).unwrap();
    assert!(received == expected);
    // The writer's end of the pipe closes with it.
    writer.join().unwrap();
    assert_eq!(output.read(&mut [0]).unwrap(), 0);
    // The service never closed: nobody knows that this was all.
    assert_eq!(wait(&mut child).code(), Some(4));
}

#[test]
fn a_service_that_ends_ends_the_conversation_on_standard_output() {
    let greeter = service(|mut stream| stream.write_all(b"hello and goodbye"));
    let server = Endpoint::server("tcp://127.0.0.1:0", greeter, &[]);
    // Standard input stays open, as a terminal's would.
    let (mut child, _input, mut output) = stdio(server.carrier(), &[]);
    let mut received = String::new();
    output.read_to_string(&mut received).unwrap();
    assert_eq!(received, "hello and goodbye");
    assert!(wait(&mut child).success());
}
