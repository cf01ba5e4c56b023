//! Peers that want us to grow, wait or lock others out, and machines that stand still.

use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::endpoint::{Endpoint, Tunnel, connect};
use crate::services::{echo, exchange, pattern, read_to_end, service};

#[test]
fn silent_connections_give_way_to_a_client_that_comes_later() {
    let server = Endpoint::server("tcp://127.0.0.1:0", echo(), &[]);
    let carrier = server
        .carrier()
        .strip_prefix("tcp://")
        .unwrap()
        .parse()
        .unwrap();
    let early = Endpoint::client(server.carrier(), &[]);
    let early_stream = early.connect();
    assert_eq!(exchange(&early_stream, b"early"), b"early");
    let kept = early.connect();
    assert_eq!(&ping(&kept), b"ping");
    let _silent: Vec<_> = (0..300).map(|_| connect(carrier)).collect();
    let late = Endpoint::client(server.carrier(), &[]);
    let sent = pattern(10_000);
    assert_eq!(exchange(&late.connect(), &sent), sent);
    assert_eq!(&ping(&kept), b"ping", "who has spoken keeps its place");
}

fn ping(mut stream: &std::net::TcpStream) -> [u8; 4] {
    stream.write_all(b"ping").unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).unwrap();
    answer
}

#[test]
fn an_answer_that_came_while_a_client_stood_still_is_not_taken_for_missing() {
    let target = service(|mut stream| {
        stream.read_exact(&mut [0; 8])?;
        thread::sleep(Duration::from_millis(700));
        stream.write_all(&pattern(50_000))
    });
    for _ in 0..5 {
        let tunnel = Tunnel::to("tcp://127.0.0.1:0", target, &[]);
        let client = Endpoint::client(tunnel.server.carrier(), &["--on-eof", "drain:1s"]);
        let mut stream = client.connect();
        stream.write_all(b"question").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        thread::sleep(Duration::from_millis(300));
        client.signal(Signal::STOP);
        thread::sleep(Duration::from_millis(1_500));
        client.signal(Signal::CONT);
        let answer = read_to_end(&mut stream).unwrap();
        assert_eq!(answer.len(), 50_000);
    }
}
