//! Peers that break off, say nothing, or come by the thousand.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{People, SOON, address, failure, relay_cut};
use crate::endpoint::{Endpoint, connect, eventually};
use crate::services::{echo, exchange};

#[test]
fn a_handshake_that_is_cut_anywhere_ends_both_ends_with_a_reason() {
    let people = People::new();
    let server = people.server("tls://127.0.0.1:0", echo(), &[]);
    let mut reasons = std::collections::BTreeSet::new();
    // The first flight of a client has about 250 bytes, that of a server 700, with the tickets
    // 1,100; the client's second one and its hello 700.
    for (way, cuts) in [
        (0, [0, 1, 4, 5, 6, 100, 200, 300, 500, 700]),
        (1, [0, 1, 5, 90, 127, 128, 200, 300, 400, 500]),
    ] {
        for cut in cuts {
            let began = Instant::now();
            let carrier = format!("tls://{}", relay_cut(address(&server), way, cut));
            let mut client = people.client_command(&carrier);
            let (code, text) = failure(client.args(["--connect-timeout", "0s"]));
            assert_eq!(code, Some(4), "{way} {cut}: {text}");
            let reason = text
                .lines()
                .next()
                .and_then(|line| {
                    line.strip_prefix(&format!("ministream-replay: error: {carrier}: "))
                })
                .unwrap_or_else(|| panic!("{way} {cut}: {text}"));
            reasons.insert(reason.to_owned());
            assert!(began.elapsed() < SOON, "{way} {cut}: {text}");
        }
    }
    let known = [
        "connection reset by peer",
        "the other end closed the connection during the TLS handshake",
    ];
    for reason in &reasons {
        assert!(known.contains(&&**reason), "{reason}");
    }
    server.wait_for_log("the other end closed the connection during the TLS handshake");
    // None of it has left anything behind.
    let client = people.client(server.carrier(), &[]);
    assert_eq!(exchange(&client.connect(), b"still"), b"still");
}

#[test]
fn half_open_handshakes_are_bounded_give_way_and_end_in_time() {
    const COUNT: usize = 10_000;
    let people = People::new();
    let server = people.server("tls://127.0.0.1:0", echo(), &[]);
    let at = address(&server);
    // One of use, before and after.
    let client = people.client(server.carrier(), &[]);
    assert_eq!(exchange(&client.connect(), b"before"), b"before");
    let before = server.resident_bytes();
    let mut held = Vec::new();
    for number in 0..COUNT {
        let mut stream = connect(at);
        // The beginning of a handshake's record, and no more.
        if number % 2 == 0 {
            stream
                .write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc")
                .ok();
        }
        held.push(stream);
        if held.len() > 600 {
            held.remove(0);
        }
    }
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes for half-open handshakes");
    assert_eq!(exchange(&client.connect(), b"during"), b"during");
    let late = people.client(server.carrier(), &[]);
    assert_eq!(exchange(&late.connect(), b"late"), b"late");
    // They are told by powers of two.
    let told = server.log().matches("not let in").count();
    assert!((1..40).contains(&told), "{told}");
}

#[test]
fn a_handshake_that_takes_too_long_is_ended_on_either_side() {
    let people = People::new();
    let server = people.server("tls://127.0.0.1:0", echo(), &[]);
    let began = Instant::now();
    let mut silent = connect(address(&server));
    // A client at a server that says nothing, at the same time.
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let carrier = format!("tls://{}", deaf.local_addr().unwrap());
    let (code, text) = failure(&mut people.client_command(&carrier));
    assert_eq!(
        (code, text),
        (
            Some(4),
            format!(
                "ministream-replay: error: {carrier}: the TLS handshake was not over after 10 s\n"
            )
        )
    );
    assert_eq!(silent.read(&mut [0]).unwrap_or(0), 0);
    let took = began.elapsed();
    assert!((9..16).contains(&took.as_secs()), "{took:?}");
    server.wait_for_log("the TLS handshake was not over after 10 s");
}

#[test]
fn what_is_no_tls_and_what_was_changed_on_its_way_ends_that_connection_only() {
    let people = People::new();
    let server = people.server("tls://127.0.0.1:0", echo(), &[]);
    let at = address(&server);
    for garbage in [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0; 64],
        vec![0xff; 20_000],
        [&b"\x16\x03\x01\x00\x05\x01\x00\x00\x01"[..], &[0; 64]].concat(),
        [&b"\x17\x03\x03\x40\x00"[..], &[7; 20_000]].concat(),
    ] {
        let mut stream = connect(at);
        // It may be turned away before it has said all.
        stream.write_all(&garbage).ok();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).ok();
        assert!(rest.len() < 100, "{rest:02x?}");
    }
    server.wait_for_log("the other end does not send TLS: is the other end tcp://?");
    let plain = Endpoint::client(&server.carrier().replace("tls", "tcp"), &[]);
    let mut stream: TcpStream = plain.connect();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    stream.write_all(b"x").ok();
    assert!(stream.read(&mut [0]).is_err());
    drop(plain);
    let client = people.client(server.carrier(), &[]);
    let stream = client.connect();
    assert_eq!(exchange(&stream, b"still"), b"still");
    eventually("the others are gone", || server.descriptors() < 40);
}
