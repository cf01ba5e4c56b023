//! Faults on purpose, and that bytes arrive all the same where the carrier
//! loses none.

use std::io::Read;
use std::time::{Duration, Instant};

use crate::endpoint::{Endpoint, Tunnel};
use crate::services::{echo, exchange, pattern};

#[test]
fn slices_and_latency_change_no_byte() {
    for fault in ["slice=1B", "slice=7B,latency=5ms±5ms", "latency=30ms"] {
        let tunnel = Tunnel::to(
            "tcp://127.0.0.1:0",
            echo(),
            &["--fault", fault, "--seed", "1"],
        );
        let stream = tunnel.connect();
        for size in [1, 10_000, 40_000] {
            let sent = pattern(size);
            assert!(
                exchange(&stream, &sent) == sent,
                "{size} bytes with {fault}"
            );
        }
    }
}

#[test]
fn latency_is_felt_once_each_way() {
    let tunnel = Tunnel::to("tcp://127.0.0.1:0", echo(), &["--fault", "latency=100ms"]);
    let stream = tunnel.connect();
    assert_eq!(exchange(&stream, b"opened"), b"opened");
    let started = Instant::now();
    assert_eq!(exchange(&stream, b"x"), b"x");
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(200), "{took:?}");
    assert!(took < Duration::from_millis(1_000), "{took:?}");
}

#[test]
fn duplicated_handshakes_open_one_conversation() {
    let tunnel = Tunnel::to(
        "udp://127.0.0.1:0",
        crate::services::service(|mut stream| {
            std::io::Write::write_all(&mut stream, b"hello")?;
            stream.read(&mut [0]).map(drop)
        }),
        &["--fault", "dup=100%", "-v"],
    );
    let mut stream = tunnel.connect();
    let mut greeting = [0; 5];
    stream.read_exact(&mut greeting).unwrap();
    assert_eq!(&greeting, b"hello");
    let opened = tunnel.server.log().matches("conversation opened").count();
    assert_eq!(opened, 1, "the second SYN is known for a copy");
}

#[test]
fn a_link_that_is_cut_on_purpose_says_so() {
    let server = Endpoint::server("tcp://127.0.0.1:0", echo(), &[]);
    let mut client = Endpoint::client(server.carrier(), &["--fault", "cut-after=10KiB"]);
    let stream = client.connect();
    let sent = pattern(5_000);
    assert!(exchange(&stream, &sent) == sent);
    std::io::Write::write_all(&mut &stream, &sent).unwrap();
    std::io::Write::write_all(&mut &stream, &sent).unwrap();
    assert_eq!(client.wait().code(), Some(4));
    assert!(
        client.log().contains("was lost: cut on purpose by --fault"),
        "{}",
        client.log()
    );
}

#[test]
fn what_udp_loses_ends_in_a_clear_error() {
    let server = Endpoint::server("udp://127.0.0.1:0", echo(), &[]);
    let more = ["--fault", "loss=100%", "--handshake-timeout", "300ms"];
    let client = Endpoint::client(server.carrier(), &more);
    assert!(client.connect().read(&mut [0]).is_err());
    client.wait_for_log("no answer to the SYN");
}
