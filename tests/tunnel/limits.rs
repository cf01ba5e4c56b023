//! Bounds: conversations, memory, descriptors; and what leaks when they are met.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use ministream_fixtures::namespace::among_addresses;
use ministream_fixtures::needs;
use socket2::{Domain, Socket, Type};

use crate::endpoint::{Endpoint, PATIENCE, Tunnel, connect, eventually};
use crate::services::{
    deaf, echo, exchange, fill, half_deaf, pattern, read_slowly, read_to_reset, service,
};

#[test]
fn descriptors_and_memory_are_given_back_after_many_conversations() {
    for carrier in ["tcp://127.0.0.1:0", "udp://127.0.0.1:0"] {
        let tunnel = Tunnel::to(carrier, echo(), &[]);
        let address = tunnel.client.listen();
        let batch = || {
            thread::scope(|scope| {
                for _ in 0..20 {
                    scope.spawn(|| {
                        for _ in 0..10 {
                            let sent = pattern(3_000);
                            assert!(exchange(&connect(address), &sent) == sent);
                        }
                    });
                }
            });
        };
        let ends = [&tunnel.client, &tunnel.server];
        // Open all the time, so that the link is counted, too.
        let kept = tunnel.connect();
        assert_eq!(exchange(&kept, b"x"), b"x");
        let before = ends.map(Endpoint::descriptors);
        batch();
        let warm = ends.map(Endpoint::resident_bytes);
        for _ in 0..3 {
            batch();
        }
        eventually("all descriptors are closed", || {
            ends.map(Endpoint::descriptors) == before
        });
        for (end, warm) in ends.iter().zip(warm) {
            let now = end.resident_bytes();
            assert!(
                now < warm + (4 << 20),
                "{warm} bytes became {now} over {carrier}"
            );
        }
    }
}

#[test]
fn a_peer_that_never_reads_costs_bounded_memory_and_the_others_go_on() {
    // The deaf conversation's bytes fill its own buffer of 256 KiB; with
    // `close` it ends there, and the others never notice.
    let tunnel = Tunnel::to(
        "tcp://127.0.0.1:0",
        half_deaf(),
        &["--buffer", "256KiB", "--slow-reader", "close"],
    );
    let mut deaf = tunnel.connect();
    deaf.write_all(b"d").unwrap();
    let mut other = tunnel.connect();
    other.write_all(b"e").unwrap();
    assert_eq!(exchange(&other, b"x"), b"x");
    let before = tunnel.server.resident_bytes();
    // Until it is closed.
    fill(&deaf, PATIENCE, &pattern(1 << 20));
    assert_eq!(exchange(&other, b"still here"), b"still here");
    tunnel.server.wait_for_log("the reader was too slow");
    let grown = tunnel.server.resident_bytes().saturating_sub(before);
    assert!(grown < 8 << 20, "{grown} bytes more");
}

#[test]
fn of_a_service_that_sends_without_end_no_more_is_read_for_an_unproven_address_than_may_wait() {
    let endless = service(|mut stream| {
        while stream.write_all(&pattern(1 << 20)).is_ok() {}
        Ok(())
    });
    let server = Endpoint::server("udp://127.0.0.1:0", endless, &["--idle-timeout", "2s"]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (_, address) = server.carrier().split_once("://").unwrap();
    let syn = [&[0xa1, 1, 2, 3][..], &[0; 387]].concat();
    socket.send_to(&syn, address).unwrap();
    server.wait_for_log("unsent_bytes=");
    let log = server.log();
    let (_, unsent) = log.split_once("unsent_bytes=").unwrap();
    let unsent: usize = unsent.split(' ').next().unwrap().parse().unwrap();
    assert!((200_000..=262_144).contains(&unsent), "{log}");
}

#[test]
fn a_paused_link_holds_back_the_sender_and_costs_bounded_memory() {
    let tunnel = Tunnel::to("tcp://127.0.0.1:0", deaf(), &["--buffer", "256KiB"]);
    let before = [
        tunnel.client.resident_bytes(),
        tunnel.server.resident_bytes(),
    ];
    let stream = tunnel.connect();
    fill(&stream, Duration::from_millis(700), &pattern(1 << 20));
    let after = [
        tunnel.client.resident_bytes(),
        tunnel.server.resident_bytes(),
    ];
    for (before, after) in before.into_iter().zip(after) {
        assert!(after < before + (8 << 20), "{before} became {after}");
    }
    tunnel
        .server
        .wait_for_log("does not read fills --buffer; --slow-reader close");
    tunnel.server.wait_for_log("conv=c1 client_id=");
}

#[test]
fn idle_conversations_take_less_than_ten_kibibytes_each() {
    const COUNT: u64 = 100;
    let tunnel = Tunnel::to("tcp://127.0.0.1:0", echo(), &[]);
    let ends = [&tunnel.client, &tunnel.server];
    let used = |count| -> Vec<TcpStream> {
        (0..count)
            .map(|_| {
                let stream = tunnel.connect();
                assert_eq!(exchange(&stream, b"x"), b"x");
                stream
            })
            .collect()
    };
    let warm = used(20);
    let before = ends.map(Endpoint::resident_bytes);
    let idle = used(COUNT);
    let after = ends.map(Endpoint::resident_bytes);
    for (before, after) in before.into_iter().zip(after) {
        let each = after.saturating_sub(before) / COUNT;
        assert!(each < 10 << 10, "{each} bytes each");
    }
    drop((warm, idle));
}

#[test]
fn bytes_held_back_for_a_slow_reader_all_arrive_in_the_end() {
    let sent = pattern(8 << 20);
    let speech = sent.clone();
    let speaker = service(move |mut stream| stream.write_all(&speech));
    let tunnel = Tunnel::to("tcp://127.0.0.1:0", speaker, &["--buffer", "64KiB"]);
    let mut stream = tunnel.connect();
    let received = read_slowly(&mut stream, 3 << 20);
    assert!(received == sent);
}

#[test]
fn connections_beyond_the_limit_wait_until_one_ends() {
    let tunnel = Tunnel::to("tcp://127.0.0.1:0", echo(), &["--max-conversations", "3"]);
    let mut streams: Vec<TcpStream> = (0..3).map(|_| tunnel.connect()).collect();
    for stream in &streams {
        assert_eq!(exchange(stream, b"in"), b"in");
    }
    let mut fourth = tunnel.connect();
    fourth.write_all(b"wait").unwrap();
    fourth
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let heard = fourth.read(&mut [0; 4]).map_err(|error| error.kind());
    assert_eq!(heard, Err(ErrorKind::WouldBlock), "there is no room");
    fourth.set_read_timeout(Some(PATIENCE)).unwrap();
    drop(streams.pop());
    let mut answer = [0; 4];
    fourth.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"wait");
}

#[test]
fn a_connection_that_waits_for_the_readers_of_ended_conversations_is_let_in() {
    // More than the system takes for a reader that does not read.
    let said = pattern(64 << 20);
    let speech = said.clone();
    let speaker = service(move |mut stream| stream.write_all(&speech));
    let server = Endpoint::server("tcp://127.0.0.1:0", speaker, &[]);
    let more = ["--max-conversations", "1", "--buffer", "128MiB", "-v"];
    let client = Endpoint::client(server.carrier(), &more);
    let mut first = client.connect();
    client.wait_for_log("conversation ended");
    let mut second = client.connect();
    let mut received = vec![0; said.len()];
    for stream in [&mut first, &mut second] {
        stream.read_exact(&mut received).unwrap();
        assert!(received == said);
    }
}

#[test]
fn connections_that_were_answered_and_left_do_not_keep_others_waiting() {
    let tunnel = Tunnel::to("tcp://127.0.0.1:0", echo(), &["--max-conversations", "4"]);
    let started = Instant::now();
    for _ in 0..40 {
        assert_eq!(exchange(&tunnel.connect(), b"x"), b"x");
    }
    // Each would have kept its place for 5 s.
    assert!(started.elapsed() < Duration::from_secs(15));
}

#[test]
fn a_server_refuses_what_is_beyond_its_limit_for_a_peer() {
    let server = Endpoint::server("tcp://127.0.0.1:0", echo(), &["--max-per-peer", "2"]);
    let client = Endpoint::client(server.carrier(), &[]);
    let streams: Vec<TcpStream> = (0..2).map(|_| client.connect()).collect();
    for stream in &streams {
        assert_eq!(exchange(stream, b"in"), b"in");
    }
    read_to_reset(client.connect());
    client.wait_for_log("refused by the peer");
    server.wait_for_log("--max-per-peer");
    // Another port is no other peer.
    let same_host = Endpoint::client(server.carrier(), &[]);
    read_to_reset(same_host.connect());
    drop(streams);
    eventually("the host has room again", || {
        let mut stream = same_host.connect();
        let mut answer = [0; 2];
        stream.write_all(b"in").is_ok() && stream.read_exact(&mut answer).is_ok()
    });
}

#[test]
fn only_those_on_the_list_are_heard() {
    let server = Endpoint::server("tcp://127.0.0.1:0", echo(), &["--allow", "10.0.0.0/8"]);
    let mut turned_away = Endpoint::client(server.carrier(), &[]);
    assert_eq!(turned_away.wait().code(), Some(4));
    server.wait_for_log("peer is not allowed");

    let list = "127.0.0.2,127.0.0.4/30";
    let server = Endpoint::server("udp://127.0.0.1:0", echo(), &["--allow", list]);
    let unheard = Endpoint::client(server.carrier(), &["--handshake-timeout", "300ms"]);
    read_to_reset(unheard.connect());
    server.wait_for_log("peer is not allowed");

    let server = Endpoint::server("udp://127.0.0.1:0", echo(), &["--allow", "127.0.0.0/8"]);
    let client = Endpoint::client(server.carrier(), &[]);
    assert_eq!(exchange(&client.connect(), b"x"), b"x");
}

/// A connection from this address to a server on `tcp://`.
fn connect_from(from: IpAddr, server: &Endpoint) -> TcpStream {
    let to: SocketAddr = server
        .carrier()
        .strip_prefix("tcp://")
        .unwrap()
        .parse()
        .unwrap();
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Whether a byte in a conversation on this connection is answered, and not the connection closed.
fn is_served(mut stream: &TcpStream) -> bool {
    let syn = [&[0, 0, 1, 0x87, 0xa1, 1, 1, 1][..], &[0; 387]].concat();
    // It may be closed before it is written, now and below.
    stream.write_all(&syn).ok();
    let mut ack = [0; 11];
    if stream.read_exact(&mut ack).is_err() {
        return false;
    }
    let data = [&[0, 0, 0, 5, 0xa0][..], &ack[8..], b"x"].concat();
    stream.write_all(&data).ok();
    let mut answer = [0; 9];
    stream.read_exact(&mut answer).is_ok() && answer.ends_with(b"x")
}

#[test]
fn an_address_or_network_that_has_many_connections_leaves_room_for_others() {
    // As in `runtime::link::tcp`.
    const CONNECTIONS_OF_ONE: usize = 64;
    needs!("ip");
    let name = "limits::an_address_or_network_that_has_many_connections_leaves_room_for_others";
    let addresses = [
        "192.0.2.1/24",
        "192.0.2.2/24",
        "192.0.2.3/24",
        "2001:db8::1/64 nodad",
        "2001:db8:0:1::1/64 nodad",
        "2001:db8:0:1:8000::2/64 nodad",
        "2001:db8:0:2::1/64 nodad",
    ];
    among_addresses(name, &addresses, || {
        for (at, crowd, other) in [
            ("192.0.2.1", ["192.0.2.2", "192.0.2.2"], "192.0.2.3"),
            (
                "[2001:db8::1]",
                ["2001:db8:0:1::1", "2001:db8:0:1:8000::2"],
                "2001:db8:0:2::1",
            ),
        ] {
            let more = ["--allow-remote", "--max-per-peer", "100"];
            let server = Endpoint::server(&format!("tcp://{at}:0"), echo(), &more);
            let crowd = crowd.map(|address| address.parse().unwrap());
            let from = crowd.into_iter().cycle().take(CONNECTIONS_OF_ONE);
            let mut streams: Vec<_> = from.map(|from| connect_from(from, &server)).collect();
            // One that has said nothing gives way, the oldest.
            streams.push(connect_from(crowd[0], &server));
            server.wait_for_log("another connection needed its place");
            assert!(!is_served(&streams.remove(0)), "{at}");
            assert!(streams.iter().all(is_served), "{at}");
            // Nobody has to go who has said something.
            for from in crowd {
                assert!(!is_served(&connect_from(from, &server)), "{at}");
            }
            server.wait_for_log("connections turned away");
            assert!(is_served(&connect_from(other.parse().unwrap(), &server)));
        }
    });
}
