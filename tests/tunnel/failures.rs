//! What happens when a part of the tunnel goes away or was never there.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::endpoint::{Endpoint, Tunnel, command, eventually, stdio, wait};
use crate::services::{deaf, echo, exchange, fill, pattern, service};
use ministream_fixtures::unused_address;

/// The end of a connection that failed: never an orderly one.
fn assert_reset(stream: &mut TcpStream) {
    let started = Instant::now();
    match stream.read(&mut [0; 16]) {
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        other => panic!("{other:?} after {:?}", started.elapsed()),
    }
}

#[test]
fn a_service_that_is_not_there_resets_the_connection_and_is_named() {
    for carrier in ["tcp://127.0.0.1:0", "udp://127.0.0.1:0"] {
        let target = unused_address();
        let tunnel = Tunnel::to(carrier, target, &[]);
        assert_reset(&mut tunnel.connect());
        tunnel.client.wait_for_log("refused by the peer");
        tunnel.server.wait_for_log("cannot connect to the service");
        assert_eq!(
            tunnel.server.log_line("cannot connect to the service"),
            format!(
                "WARN ministream::runtime::tunnel::conversations: cannot connect to the service \
                 conv=c1 client_id=_ base64=_ peer=_ count=1 leg=\"target\" service={target} \
                 error=Connection refused (os error 111) help=\"is the service running?\""
            )
        );
        assert_eq!(
            tunnel.client.log_line("refused by the peer"),
            "WARN ministream::runtime::tunnel::record: conversation failed conv=c1 client_id=_ \
             base64=_ peer=_ count=1 leg=\"handshake\" sent_bytes=0 received_bytes=0 \
             unsent_bytes=0 end=refused by the peer"
        );
    }
}

#[test]
fn every_conversation_without_its_service_has_a_line_where_conversations_are_logged() {
    let tunnel = Tunnel::to("tcp://127.0.0.1:0", unused_address(), &["-v"]);
    for _ in 0..20 {
        assert_reset(&mut tunnel.connect());
    }
    let lines = |level: &str| {
        let words = "tunnel::conversations: cannot connect to the service";
        let log = tunnel.server.log();
        let is_such = |line: &&str| line.contains(level) && line.contains(words);
        log.lines().filter(is_such).count()
    };
    eventually("all are logged", || lines("") == 20);
    assert_eq!((lines(" WARN "), lines(" INFO ")), (16, 4));
}

#[test]
fn a_server_that_dies_takes_the_client_along_which_says_so() {
    let mut tunnel = Tunnel::to("tcp://127.0.0.1:0", echo(), &[]);
    let mut stream = tunnel.connect();
    assert_eq!(exchange(&stream, b"before"), b"before");
    let carrier = tunnel.server.carrier().to_owned();
    tunnel.server.kill();
    assert_reset(&mut stream);
    assert_eq!(tunnel.client.wait().code(), Some(4));
    let log = tunnel.client.log();
    assert!(
        log.ends_with(&format!(
            "ministream-replay: error: {carrier} was lost: the other end closed the connection\n    \
             help: --reconnect resumes service when the link returns\n"
        )),
        "{log}"
    );
}

#[test]
fn a_client_that_reconnects_takes_up_service_when_the_server_is_back() {
    let target = echo();
    let server = Endpoint::server("tcp://127.0.0.1:0", target, &[]);
    let carrier = server.carrier().to_owned();
    let client = Endpoint::client(&carrier, &["--reconnect", "-v"]);
    let mut stream = client.connect();
    assert_eq!(exchange(&stream, b"before"), b"before");
    server.kill();
    assert_reset(&mut stream);
    client.wait_for_log("link lost");
    assert_reset(&mut client.connect());

    let _server = Endpoint::server(&carrier, target, &[]);
    // The dying server may have taken one more connection with it.
    eventually("service is taken up", || {
        let mut stream = client.connect();
        let mut answer = [0; 5];
        stream.write_all(b"after").is_ok()
            && stream.read_exact(&mut answer).is_ok()
            && answer == *b"after"
    });
    assert!(client.log().contains("link is up again"));
}

#[test]
fn a_client_that_dies_ends_its_conversations_and_no_others() {
    let (sender, ended) = std::sync::mpsc::channel();
    let target = service(move |mut stream| {
        let mut byte = [0];
        while stream.read(&mut byte)? == 1 {
            stream.write_all(&byte)?;
        }
        Ok(())
    });
    let watched = service(move |mut stream| {
        let end = stream.read(&mut [0; 16]).map_err(|error| error.kind());
        sender.send(end).map_err(std::io::Error::other)
    });
    let server = Endpoint::server("tcp://127.0.0.1:0", watched, &[]);
    let client = Endpoint::client(server.carrier(), &["-v"]);
    let stream = client.connect();
    client.wait_for_log("conversation opened");
    client.kill();
    let end = ended.recv_timeout(crate::endpoint::PATIENCE).unwrap();
    assert_eq!(end, Err(ErrorKind::ConnectionReset));
    drop(stream);

    let other_server = Endpoint::server("tcp://127.0.0.1:0", target, &[]);
    let first = Endpoint::client(other_server.carrier(), &[]);
    let second = Endpoint::client(other_server.carrier(), &[]);
    let survivor = second.connect();
    assert_eq!(exchange(&survivor, b"x"), b"x");
    assert_eq!(exchange(&first.connect(), b"y"), b"y");
    first.kill();
    assert_eq!(exchange(&survivor, b"z"), b"z");
}

#[test]
fn a_udp_server_that_is_gone_ends_conversations_with_an_error() {
    let tunnel = Tunnel::to("udp://127.0.0.1:0", echo(), &[]);
    let mut stream = tunnel.connect();
    assert_eq!(exchange(&stream, b"before"), b"before");
    tunnel.server.kill();
    // The first datagram finds the port closed.
    stream.write_all(b"anybody?").unwrap();
    assert_reset(&mut stream);
    tunnel.client.wait_for_log("peer lost");
    assert_eq!(
        tunnel.client.log_line("peer lost"),
        "WARN ministream::runtime::tunnel::carrier: peer lost leg=\"carrier\" peer=_ error=the \
         connection failed count=1"
    );
}

#[test]
fn a_udp_peer_that_is_silent_is_given_up() {
    // A socket that is there, so that nothing is refused, and never answers.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let carrier = format!("udp://{}", silent.local_addr().unwrap());
    let client = Endpoint::client(&carrier, &["--handshake-timeout", "300ms"]);
    let started = Instant::now();
    assert_reset(&mut client.connect());
    let waited = started.elapsed();
    assert!(waited >= Duration::from_millis(300), "{waited:?}");
    client.wait_for_log("no answer to the SYN");
    let (mut child, input, _output) = stdio(&carrier, &["--handshake-timeout", "300ms"]);
    assert_eq!(wait(&mut child).code(), Some(4));
    drop(input);
}

#[test]
fn standard_output_that_takes_nothing_ends_the_conversation_and_is_told() {
    let greeter = service(|mut stream| {
        stream.write_all(b"hello")?;
        stream.read(&mut [0]).map(drop)
    });
    let server = Endpoint::server("tcp://127.0.0.1:0", greeter, &[]);
    let mut child = command(&["client", "--carrier", server.carrier(), "--stdio"])
        // Stays open, as a terminal's would.
        .stdin(Stdio::piped())
        .stdout(File::create("/dev/full").unwrap())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _input = child.stdin.take().unwrap();
    assert_eq!(wait(&mut child).code(), Some(4));
    let mut log = String::new();
    child.stderr.unwrap().read_to_string(&mut log).unwrap();
    assert_eq!(
        log,
        "ministream-replay: error: cannot write to standard output: no space left on device\n"
    );
}

#[test]
fn a_refusal_is_told_as_such_on_standard_input_and_output() {
    let server = Endpoint::server("tcp://127.0.0.1:0", unused_address(), &[]);
    for _ in 0..20 {
        let (mut child, mut input, _output) = stdio(server.carrier(), &[]);
        // What is sent meanwhile is not read any more.
        input.write_all(&pattern(10_000)).ok();
        assert_eq!(wait(&mut child).code(), Some(4));
        let mut log = String::new();
        child.stderr.unwrap().read_to_string(&mut log).unwrap();
        let error = "ministream-replay: error: handshake: refused by the peer\n";
        assert!(log.ends_with(error), "{log}");
    }
}

#[test]
fn an_idle_conversation_ends_when_that_is_asked_for() {
    let server = Endpoint::server("udp://127.0.0.1:0", echo(), &[]);
    let client = Endpoint::client(server.carrier(), &["--idle-timeout", "500ms"]);
    let mut stream = client.connect();
    assert_eq!(exchange(&stream, b"x"), b"x");
    assert_reset(&mut stream);
    client.wait_for_log("idle for too long");
}

#[test]
fn a_local_client_that_resets_ends_its_conversation_only() {
    let (sender, ended) = std::sync::mpsc::channel();
    let watched = service(move |mut stream| {
        let mut all = Vec::new();
        let end = stream.read_to_end(&mut all).map_err(|error| error.kind());
        sender.send(end).map_err(std::io::Error::other)
    });
    let tunnel = Tunnel::to("tcp://127.0.0.1:0", watched, &[]);
    let stream = tunnel.connect();
    (&mut &stream).write_all(b"some").unwrap();
    socket2::SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(stream);
    let end = ended.recv_timeout(crate::endpoint::PATIENCE).unwrap();
    assert!(end.is_ok(), "closed in the carrier's only way: {end:?}");
}

#[test]
fn a_signal_ends_a_server_whose_service_never_reads() {
    let mut tunnel = Tunnel::to("tcp://127.0.0.1:0", deaf(), &[]);
    let stream = tunnel.connect();
    fill(&stream, Duration::from_millis(500), &pattern(1 << 20));
    tunnel.server.signal(rustix::process::Signal::TERM);
    assert_eq!(tunnel.server.wait().code(), Some(0));
    tunnel.client.signal(rustix::process::Signal::TERM);
    tunnel.client.wait();
}

#[test]
fn a_second_signal_does_not_wait_unless_it_is_the_same_request() {
    // timeout(1) sends its signal to the program, and at once to the program's group.
    for (gap, is_second) in [(20, false), (500, true)] {
        let mut tunnel = Tunnel::to("tcp://127.0.0.1:0", deaf(), &[]);
        let stream = tunnel.connect();
        fill(&stream, Duration::from_millis(500), &pattern(1 << 20));
        let started = Instant::now();
        tunnel.server.signal(rustix::process::Signal::INT);
        std::thread::sleep(Duration::from_millis(gap));
        tunnel.server.signal(rustix::process::Signal::INT);
        assert_eq!(tunnel.server.wait().code(), Some(0));
        let waited = started.elapsed() >= Duration::from_secs(4);
        assert_eq!(waited, !is_second, "{:?}", started.elapsed());
    }
}
