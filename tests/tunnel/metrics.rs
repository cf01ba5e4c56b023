//! Numbers for Prometheus, as its scraper would get them.

use std::io::{Read, Write};

use crate::endpoint::{Endpoint, connect};
use crate::services::{echo, exchange, pattern, read_to_reset};
use ministream_fixtures::unused_address;

pub(crate) fn get(endpoint: &Endpoint, path: &str) -> String {
    let url = endpoint.field("metrics=http://");
    let address = url.strip_suffix("/metrics").unwrap();
    let mut stream = connect(address.parse().unwrap());
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
