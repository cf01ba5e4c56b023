//! Peers that are not ours: by hand, hostile, or out of their minds.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use crate::endpoint::{Endpoint, connect, eventually};
use crate::services::{deaf, echo, exchange, pattern};

fn address(endpoint: &Endpoint) -> SocketAddr {
    let carrier = endpoint.carrier();
    let (_, address) = carrier.split_once("://").unwrap();
    address.parse().unwrap()
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [&length.to_be_bytes()[..], message].concat()
}

fn syn(id: [u8; 3]) -> Vec<u8> {
    let destination = [&[0x11; 384][..], &[0, 0, 0]].concat();
    [&[0xa1][..], &id, &destination].concat()
}

fn receive(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut message = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut message).unwrap();
    message
}

#[test]
fn a_conversation_by_hand_looks_as_in_the_specification() {
    let server = Endpoint::server("tcp://127.0.0.1:0", echo(), &[]);
    let mut peer = connect(address(&server));
    peer.write_all(&framed(&syn([0x11; 3]))).unwrap();
    let ack = receive(&mut peer);
    assert_eq!((&ack[..4], ack.len()), (&b"\x51\x11\x11\x11"[..], 7));
    let server_id = &ack[4..];
    peer.write_all(&framed(&[&[0xa0], server_id, b"ping pong"].concat()))
        .unwrap();
    assert_eq!(receive(&mut peer), b"\x50\x11\x11\x11ping pong");
    peer.write_all(&framed(&[&[0xa2], server_id].concat()))
        .unwrap();
    // Nothing is answered to a close; the next conversation is served.
    peer.write_all(&framed(&syn([0x12; 3]))).unwrap();
    assert_eq!(&receive(&mut peer)[..4], b"\x51\x12\x12\x12");
}

#[test]
fn garbage_on_a_tcp_carrier_ends_that_connection_only() {
    let server = Endpoint::server("tcp://127.0.0.1:0", echo(), &[]);
    let client = Endpoint::client(server.carrier(), &[]);
    let stream = client.connect();
    assert_eq!(exchange(&stream, b"before"), b"before");
    for garbage in [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0; 4],
        vec![0xff; 4],
        b"\x00\x01\x00\x01".to_vec(),
    ] {
        let mut peer = connect(address(&server));
        peer.write_all(&garbage).unwrap();
        let mut rest = Vec::new();
        // An end or a reset, but not a silence.
        match peer.read_to_end(&mut rest) {
            Ok(0) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
            other => panic!("{other:?} after {garbage:?}"),
        }
    }
    server.wait_for_log("the limit is 65536; not a ministreaming peer, or another prefix");
    assert_eq!(exchange(&stream, b"after"), b"after");
}

#[test]
fn noise_in_every_message_is_survived_on_every_carrier() {
    let noise = pattern(60_000);
    let tcp = Endpoint::server("tcp://127.0.0.1:0", echo(), &[]);
    let mut peer = connect(address(&tcp));
    let udp = Endpoint::server("udp://127.0.0.1:0", echo(), &[]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(address(&udp)).unwrap();
    for (index, start) in (0..40_000).step_by(97).enumerate() {
        let length = 1 + index * 31 % 2_000;
        let mut message = noise[start..start + length].to_vec();
        // Half of them with a type that exists.
        if index % 2 == 0 {
            message[0] = [0xa0, 0xa1, 0xa2, 0x50, 0x51, 0x52, 0xff][index / 2 % 7];
        }
        peer.write_all(&framed(&message)).unwrap();
        socket.send(&message).unwrap();
    }
    for server in [&tcp, &udp] {
        let client = Endpoint::client(server.carrier(), &[]);
        assert_eq!(exchange(&client.connect(), b"still here"), b"still here");
    }
}

#[test]
fn a_flood_of_half_open_conversations_is_refused_and_expires() {
    // Nobody accepts, so that nothing is ever opened: the queue of the
    // service's socket is full.
    let server = Endpoint::server(
        "udp://127.0.0.1:0",
        deaf(),
        &["--max-conversations", "50", "--idle-timeout", "1s"],
    );
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(address(&server)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    for number in 0..2_000_u16 {
        let [high, low] = number.to_be_bytes();
        socket.send(&syn([1, high, low])).unwrap();
        if number % 50 == 49 {
            // No faster than a server reads that is alone on its core: what its socket has no
            // room for is lost, and would be neither accepted nor refused.
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    let (mut accepted, mut refused) = (0, 0);
    let mut message = [0; 64];
    while let Ok(length) = socket.recv(&mut message) {
        match (message[0], length) {
            (0x51, 7) => accepted += 1,
            (0x52, 4) => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(accepted <= 100, "{accepted} accepted");
    assert!(refused > 0);
    let before = server.descriptors();
    // The conversations whose peer never proved its address are given up.
    eventually("there is room again", || {
        socket.send(&syn([2, 0, 1])).unwrap();
        socket
            .recv(&mut message)
            .is_ok_and(|length| (message[0], length) == (0x51, 7))
    });
    assert!(server.descriptors() <= before);
}

#[test]
fn an_unproven_udp_address_gets_at_most_three_times_what_it_sent() {
    let speaker = crate::services::service(|mut stream| stream.write_all(&pattern(100_000)));
    let server = Endpoint::server("udp://127.0.0.1:0", speaker, &[]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(address(&server)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    let sent = socket.send(&syn([9, 9, 9])).unwrap();
    let mut message = vec![0; 65_536];
    let mut received = 0;
    while let Ok(length) = socket.recv(&mut message) {
        received += length;
    }
    assert!(received > 7, "the ACK and some data");
    assert!(received <= 3 * sent, "{received} bytes for {sent}");
}
