//! Peers that break off, say nothing, or come by the thousand.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{People, SOON, address, failure, relay_cut, watched_relay};
use crate::endpoint::{Endpoint, connect, eventually};
use crate::services::{echo, exchange, read_to_reset};

/// What passes between a client and a server from the first byte to the end of their hellos.
fn whole_beginning(people: &People, server: &Endpoint) -> [Vec<u8>; 2] {
    let said: Arc<Mutex<[Vec<u8>; 2]>> = Arc::default();
    let witness = Arc::clone(&said);
    let between = watched_relay(
        address(server),
        [usize::MAX; 2],
        Arc::new(move |_, way, bytes: &mut [u8]| {
            witness.lock().unwrap()[way].extend_from_slice(bytes);
        }),
    );
    // It is ready when it has the server's hello, and says nothing before it is asked.
    let client = people.client(&format!("tls://{between}"), &[]);
    let said = said.lock().unwrap().clone();
    drop(client);
    said
}

/// Where to cut these records: nothing of one, parts of its header, its header alone, half of
/// it, all but a byte.
fn cuts_in(records: &[u8]) -> Vec<usize> {
    let mut cuts = BTreeSet::new();
    let mut at = 0;
    while let Some([_, _, _, length @ ..]) = records.get(at..at + 5) {
        let length = 5 + usize::from(u16::from_be_bytes(length.try_into().unwrap()));
        cuts.extend([0, 1, 4, 5, length / 2, length - 1].map(|cut| at + cut));
        at += length;
    }
    assert_eq!(at, records.len(), "whole records");
    cuts.into_iter().collect()
}

#[test]
fn a_handshake_that_is_cut_in_any_record_of_it_ends_both_ends_with_a_reason() {
    // As many as a server tells one by one.
    const TOLD: usize = 16;
    let people = People::new();
    let begin = || people.server("tls://127.0.0.1:0", echo(), &[]);
    let said = whole_beginning(&people, &begin());
    let mut reasons = BTreeSet::new();
    for way in [0, 1] {
        for cuts in cuts_in(&said[way]).chunks(TOLD) {
            let server = begin();
            for cut in cuts {
                let began = Instant::now();
                let carrier = format!("tls://{}", relay_cut(address(&server), way, *cut));
                let mut client = people.client_command(&carrier);
                let (code, text) = failure(client.args(["--connect-timeout", "0s"]));
                assert_eq!(code, Some(4), "{way} {cut}: {text}");
                let begin = format!("ministream-replay: error: {carrier}: ");
                let mut lines = text.lines();
                let reason = lines.find_map(|line| line.strip_prefix(&begin));
                reasons.insert(reason.unwrap_or_else(|| panic!("{text}")).to_owned());
                assert!(began.elapsed() < SOON, "{way} {cut}: {text}");
            }
            // Before its last flight a server has let nobody in.
            let reasons = [
                "error=the other end closed the connection during the TLS handshake",
                "error=the connection ended without TLS's own end: bytes may be missing",
            ];
            eventually("the server tells of each", || {
                let log = server.log();
                let told = reasons.map(|reason| log.matches(reason).count());
                told.iter().sum::<usize>() == cuts.len()
            });
            // None of it has left anything behind.
            let client = people.client(server.carrier(), &[]);
            assert_eq!(exchange(&client.connect(), b"still"), b"still");
        }
    }
    for reason in &reasons {
        let known = [
            "connection reset by peer",
            "the other end closed the connection during the TLS handshake",
        ];
        assert!(known.contains(&&**reason), "{reason}");
    }
}

#[test]
fn a_version_that_was_changed_on_the_way_ends_the_handshake_at_both_ends() {
    const EXTENSION: [u8; 2] = [0, 43];
    let people = People::new();
    let server = people.server("tls://127.0.0.1:0", echo(), &[]);
    // 1.3 in `supported_versions` (RFC 8446, section 4.2.1) becomes 1.2, in the hello of either.
    for (way, versions, told, logged) in [
        (
            0,
            &[0, 3, 2, 3, 4][..],
            "the other end refused: it does not speak TLS 1.3 (alert 70)",
            "the other end does not speak TLS 1.3",
        ),
        (
            1,
            &[0, 2, 3, 4],
            "the other end does not speak TLS 1.3, and older versions are not supported here",
            "the other end refused: it does not speak TLS 1.3 (alert 70)",
        ),
    ] {
        let changed = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&changed);
        let part = [&EXTENSION, versions].concat();
        let change = move |_, from, bytes: &mut [u8]| {
            let mut windows = bytes.windows(part.len());
            if from == way
                && let Some(at) = windows.position(|window| window == part)
            {
                bytes[at + part.len() - 1] = 3;
                count.fetch_add(1, Ordering::Relaxed);
            }
        };
        let between = watched_relay(address(&server), [usize::MAX; 2], Arc::new(change));
        let carrier = format!("tls://{between}");
        let (code, text) = failure(&mut people.client_command(&carrier));
        let error = format!("ministream-replay: error: {carrier}: {told}\n");
        assert_eq!((code, text), (Some(4), error));
        assert_eq!(changed.load(Ordering::Relaxed), 1);
        server.wait_for_log(logged);
    }
    let client = people.client(server.carrier(), &[]);
    assert_eq!(exchange(&client.connect(), b"still"), b"still");
}

#[test]
fn half_open_handshakes_are_bounded_give_way_and_end_in_time() {
    const COUNT: usize = 10_000;
    const CONNECTIONS: usize = 256;
    const HANDSHAKE: Duration = Duration::from_secs(10);
    // An honest client's patience, on a machine that is busy with others.
    const SERVED: Duration = Duration::from_secs(5);
    let people = People::new();
    let server = people.server("tls://127.0.0.1:0", echo(), &[]);
    let at = address(&server);
    // One of use, before and after.
    let client = people.client(server.carrier(), &[]);
    assert_eq!(exchange(&client.connect(), b"before"), b"before");
    let before = server.resident_bytes();
    let descriptors = server.descriptors();
    let (mut held, mut most) = (Vec::new(), 0);
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
        if number % 250 == 0 {
            most = most.max(server.descriptors());
        }
    }
    most = most.max(server.descriptors());
    let most = most.saturating_sub(descriptors);
    assert!((200..=CONNECTIONS).contains(&most), "{most} were held");
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes for half-open handshakes");
    let served = |client: &Endpoint, said: &[u8]| {
        let asked = Instant::now();
        assert_eq!(exchange(&client.connect(), said), said);
        let took = asked.elapsed();
        assert!(took < SERVED, "an answer took {took:?}");
    };
    served(&client, b"during");
    let asked = Instant::now();
    let late = people.client(server.carrier(), &[]);
    let took = asked.elapsed();
    assert!(took < SERVED, "to be let in took {took:?}");
    served(&late, b"late");
    // Whoever does not go on is ended, without anybody in need of the place.
    let asked = Instant::now();
    eventually("all handshakes have ended", || {
        server.descriptors() <= descriptors + 2
    });
    let took = asked.elapsed();
    assert!(took < HANDSHAKE + SERVED, "they ended after {took:?}");
    // They are told by powers of two.
    let told = server.log().matches("not let in").count();
    assert!((1..40).contains(&told), "{told}");
}

#[test]
fn whoever_was_let_in_and_opens_nothing_is_ended_where_that_is_asked_for() {
    let people = People::new();
    let more = ["--first-message-timeout", "1s"];
    let server = people.server("tls://127.0.0.1:0", echo(), &more);
    let client = people.client(server.carrier(), &[]);
    let stream = client.connect();
    assert_eq!(exchange(&stream, b"before"), b"before");
    let mut idle = people.client(server.carrier(), &[]);
    assert_eq!(idle.wait().code(), Some(4));
    server.wait_for_log("it sent no SYN within 1s");
    assert_eq!(exchange(&stream, b"after"), b"after");
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
    stream.write_all(b"x").ok();
    read_to_reset(stream);
    drop(plain);
    let client = people.client(server.carrier(), &[]);
    let stream = client.connect();
    assert_eq!(exchange(&stream, b"still"), b"still");
    eventually("the others are gone", || server.descriptors() < 40);
}

#[test]
fn a_flood_of_handshakes_that_fail_does_not_fill_the_log() {
    const FLOOD: Duration = Duration::from_millis(1_500);
    let people = People::new();
    for said in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\x16\x03\x01\x00\x01\x01",
        b"",
    ] {
        let server = people.server("tls://127.0.0.1:0", echo(), &[]);
        let began = Instant::now();
        let mut count = 0;
        while began.elapsed() < FLOOD {
            let mut stream = connect(address(&server));
            stream.write_all(said).ok();
            stream.shutdown(std::net::Shutdown::Write).ok();
            stream.read_to_end(&mut Vec::new()).ok();
            count += 1;
        }
        let log = server.log();
        assert!(count > 50, "only {count}");
        assert!(log.contains("not let in"), "{log}");
        assert!(log.len() < 16 * 1024, "{count}\n{log}");
    }
}
