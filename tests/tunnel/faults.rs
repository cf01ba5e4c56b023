//! Faults on purpose, and that bytes arrive all the same where the carrier
//! loses none.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::endpoint::{Endpoint, PATIENCE, Tunnel, eventually};
use crate::proxy::Proxy;
use crate::services::{echo, exchange, pattern, read_to_reset};

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
            Write::write_all(&mut stream, b"hello")?;
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
    // In one piece: when half of it is on its way the client may have ended already.
    Write::write_all(&mut &stream, &pattern(10_000)).unwrap();
    assert_eq!(client.wait().code(), Some(4));
    assert!(
        client.log().contains("was lost: cut on purpose by a fault"),
        "{}",
        client.log()
    );
}

/// The next connection; a test that waits for one in vain would never end.
fn accept_soon(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let began = Instant::now();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).unwrap();
                return stream;
            }
            Err(error) => assert!(began.elapsed() < PATIENCE, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_cut_falls_inside_a_message_where_a_stream_carries_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let carrier = format!("tcp://{}", listener.local_addr().unwrap());
    let heard = || {
        let mut stream = accept_soon(&listener);
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut heard = Vec::new();
        // However the connection ends, what came before counts.
        stream.read_to_end(&mut heard).ok();
        // The whole SYN is announced, and ten bytes of it arrive.
        assert_eq!(heard.len(), 4 + 10, "{heard:?}");
        assert!(
            heard[..4] > [0, 0, 0, 200][..] && heard[4] == 0xa1,
            "{heard:?}"
        );
    };
    let client = Endpoint::client(&carrier, &["--fault", "cut-after=10B"]);
    let _stream = client.connect();
    heard();
    let more = ["-q", "--fault", "c2s: cut-after=10B"];
    let mut proxy = Proxy::start("tcp://127.0.0.1:0", &carrier, &more);
    let client = Endpoint::client(proxy.carrier(), &[]);
    let _stream = client.connect();
    heard();
    proxy.end();
}

#[test]
fn every_connection_that_a_proxy_cuts_is_named_where_connections_are_logged() {
    let carrier = format!("tcp://{}", echo());
    let more = ["-v", "--report", "json", "--fault", "c2s: cut-after=10B"];
    let proxy = Proxy::start("tcp://127.0.0.1:0", &carrier, &more);
    let address = proxy.carrier().strip_prefix("tcp://").unwrap();
    let mut message = 24_u32.to_be_bytes().to_vec();
    message.extend([0xa1, 1, 2, 3]);
    message.extend(pattern(20));
    for _ in 0..20 {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(&message).unwrap();
        stream.read_to_end(&mut Vec::new()).ok();
    }
    let lines = |level: &str| {
        let log = proxy.log();
        let is_cut = |line: &&str| line.contains(level) && line.contains("cut on purpose");
        log.lines().filter(is_cut).count()
    };
    eventually("all are logged", || lines("connection lost") == 20);
    assert_eq!((lines(" WARN "), lines(" INFO ")), (16, 4));
}

#[test]
fn what_udp_loses_ends_in_a_clear_error() {
    let server = Endpoint::server("udp://127.0.0.1:0", echo(), &[]);
    let more = ["--fault", "loss=100%", "--handshake-timeout", "300ms"];
    let client = Endpoint::client(server.carrier(), &more);
    read_to_reset(client.connect());
    client.wait_for_log("no answer to the SYN");
}

#[test]
fn each_direction_has_faults_of_its_own() {
    // The client hears late what it sends in time.
    let server = Endpoint::server("tcp://127.0.0.1:0", echo(), &[]);
    for (fault, at_least) in [
        ("s2c: latency=150ms", 150),
        ("c2s: latency=150ms", 150),
        ("c2s: latency=150ms; s2c: latency=150ms", 300),
    ] {
        let client = Endpoint::client(server.carrier(), &["--fault", fault]);
        let stream = client.connect();
        assert_eq!(exchange(&stream, b"opened"), b"opened");
        let started = Instant::now();
        assert_eq!(exchange(&stream, b"x"), b"x");
        let took = started.elapsed();
        let least = Duration::from_millis(at_least);
        assert!(took >= least, "{fault}: {took:?}");
    }
}

#[test]
fn what_is_late_is_whole_and_in_order_on_every_carrier() {
    let fault =
        "c2s: latency=3ms±3ms, rate=2MiB/s; s2c: latency=3ms±3ms, merge=8KiB, stall=200ms@20KiB";
    for carrier in [
        "tcp://127.0.0.1:0",
        "tcp://127.0.0.1:0?prefix=u16be",
        "udp://127.0.0.1:0",
    ] {
        for side in ["client", "server"] {
            let more = ["--fault", fault, "--seed", "3"];
            let (at_server, at_client): (&[&str], &[&str]) = match side {
                "client" => (&[], &more),
                _ => (&more, &[]),
            };
            let server = Endpoint::server(carrier, echo(), at_server);
            let client = Endpoint::client(server.carrier(), at_client);
            let sent = pattern(100_000);
            assert!(
                exchange(&client.connect(), &sent) == sent,
                "{carrier} at the {side}"
            );
        }
    }
}

#[test]
fn a_server_cuts_one_connection_and_serves_the_others() {
    let server = Endpoint::server(
        "tcp://127.0.0.1:0",
        echo(),
        &["--fault", "c2s: cut-after=10KiB"],
    );
    let mut cut = Endpoint::client(server.carrier(), &[]);
    let other = Endpoint::client(server.carrier(), &[]);
    let kept = other.connect();
    assert_eq!(exchange(&kept, b"before"), b"before");
    let stream = cut.connect();
    Write::write_all(&mut &stream, &pattern(40_000)).unwrap();
    assert_eq!(cut.wait().code(), Some(4));
    server.wait_for_log("cut on purpose by a fault");
    assert_eq!(exchange(&kept, b"after"), b"after");
}

#[test]
fn damage_is_never_taken_for_success() {
    // One byte of each message from the client is changed: its SYN's first byte, id or key,
    // and all that follows.
    let server = Endpoint::server("tcp://127.0.0.1:0", echo(), &[]);
    for seed in ["1", "2", "3", "4"] {
        let more = [
            "--fault",
            "corrupt=100%",
            "--seed",
            seed,
            "--handshake-timeout",
            "300ms",
        ];
        let client = Endpoint::client(server.carrier(), &more);
        let mut stream = client.connect();
        let timeout = Some(Duration::from_millis(500));
        stream.set_read_timeout(timeout).unwrap();
        let mut answer = [0; 5];
        let written = Write::write_all(&mut stream, b"hello");
        let heard = written.and_then(|()| stream.read_exact(&mut answer));
        assert!(heard.is_err() || &answer != b"hello", "seed {seed}");
    }
}

#[test]
fn the_seed_is_told_and_gives_the_same_faults_again() {
    let server = Endpoint::server("udp://127.0.0.1:0", echo(), &[]);
    let client = Endpoint::client(server.carrier(), &["--fault", "s2c:loss=1%"]);
    client.wait_for_log("faults: s2c: loss=1%; to repeat the run: --seed ");
    let more = ["--fault", "s2c:loss=1%", "--seed", "77"];
    let client = Endpoint::client(server.carrier(), &more);
    client.wait_for_log("to repeat the run: --seed 77");
}
