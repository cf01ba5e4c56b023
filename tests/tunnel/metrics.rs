//! Numbers for Prometheus, as its scraper would get them.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::endpoint::{Endpoint, connect};
use crate::services::{echo, exchange, pattern, read_to_reset};
use ministream_fixtures::unused_address;

fn address(endpoint: &Endpoint) -> SocketAddr {
    let url = endpoint.field("metrics=http://");
    url.strip_suffix("/metrics").unwrap().parse().unwrap()
}

pub(crate) fn get(endpoint: &Endpoint, path: &str) -> String {
    let address = address(endpoint);
    let mut stream = connect(address);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn both_ends_count_the_same_messages() {
    let more = ["--metrics", "127.0.0.1:0", "-v"];
    let server = Endpoint::server("tcp://127.0.0.1:0", echo(), &more);
    let client = Endpoint::client(server.carrier(), &more);
    let stream = client.connect();
    let sent = pattern(1_000);
    assert_eq!(exchange(&stream, &sent), sent);
    let (here, there) = (get(&client, "/metrics"), get(&server, "/"));
    assert!(here.starts_with("HTTP/1.0 200 OK\r\n"), "{here}");
    for (numbers, ours, theirs) in [(&here, "out", "in"), (&there, "in", "out")] {
        for line in [
            format!("ministream_messages_total{{dir=\"{ours}\",type=\"syn\"}} 1"),
            format!("ministream_messages_total{{dir=\"{theirs}\",type=\"ack\"}} 1"),
            format!("ministream_payload_bytes_total{{dir=\"{ours}\"}} 1000"),
            format!("ministream_payload_bytes_total{{dir=\"{theirs}\"}} 1000"),
            "ministream_conversations{state=\"open\"} 1".to_owned(),
            "ministream_handshake_seconds_count 1".to_owned(),
        ] {
            assert!(
                numbers.lines().any(|got| got == line),
                "{line} in {numbers}"
            );
        }
    }
    assert!(get(&client, "/other").starts_with("HTTP/1.0 404 Not Found\r\n"));
}

#[test]
fn failures_of_the_target_are_counted() {
    let server = Endpoint::server(
        "tcp://127.0.0.1:0",
        unused_address(),
        &["--metrics", "127.0.0.1:0", "-v"],
    );
    let client = Endpoint::client(server.carrier(), &[]);
    read_to_reset(client.connect());
    let numbers = get(&server, "/metrics");
    let expected = "ministream_target_connect_failures_total 1";
    assert!(numbers.lines().any(|line| line == expected), "{numbers}");
}

#[test]
fn a_scraper_that_waits_for_a_descriptor_does_not_fill_the_log() {
    let server = Endpoint::server("tcp://127.0.0.1:0", echo(), &[]);
    let arguments = [
        "client",
        "--carrier",
        server.carrier(),
        "--listen",
        "127.0.0.1:0",
        "--metrics",
        "127.0.0.1:0",
        "--log-format",
        "json",
    ];
    let client = Endpoint::limited("-n 24", &arguments);
    let streams: Vec<_> = (0..40).map(|_| client.connect()).collect();
    client.wait_for_log("no connections are accepted for now");
    let scraper = connect(address(&client));
    // The thirty-second attempt to accept it: of those before, sixteen were worth a line.
    client.wait_for_log("\"count\":32");
    let lines = client.log();
    let lines = lines.matches("cannot accept a request for metrics");
    assert_eq!(lines.count(), 17, "{}", client.log());
    drop((scraper, streams));
}

#[test]
fn requests_for_numbers_are_bounded_in_number_bytes_and_time() {
    let server = Endpoint::server("tcp://127.0.0.1:0", echo(), &["--metrics", "127.0.0.1:0"]);
    let address = address(&server);
    // Who says too much is not heard to its end.
    let mut long = connect(address);
    long.write_all(b"GET /metrics HTTP/1.1\r\n").unwrap();
    // It may be reset in the midst of it.
    long.write_all(&vec![b'x'; 64 * 1024]).ok();
    let mut answer = Vec::new();
    long.read_to_end(&mut answer).ok();
    assert_eq!(answer, b"");
    // Who says nothing holds a place for a while, and no more have one.
    let began = Instant::now();
    let silent: Vec<_> = (0..64).map(|_| connect(address)).collect();
    assert!(get(&server, "/metrics").contains("ministream_"));
    let waited = began.elapsed();
    assert!(waited > Duration::from_secs(3), "{waited:?}");
    assert!(waited < Duration::from_secs(15), "{waited:?}");
    drop(silent);
}
