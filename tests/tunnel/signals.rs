//! Signals, and what the system has too little of.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::captures::{dissect, records};
use crate::endpoint::{Endpoint, Tunnel, connect, eventually};
use crate::services::{echo, exchange, pattern, read_to_reset};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn conversation_count(records: &[Value]) -> usize {
    self::records(records, "conversation").len()
}

/// Moves the files away that `logrotate` would.
fn rotate(directory: &Path) {
    for name in ["log", "capture"] {
        fs::rename(directory.join(name), directory.join(format!("{name}.1"))).unwrap();
    }
}

#[test]
fn sighup_goes_on_in_a_new_log_and_a_new_capture_at_both_ends() {
    // Over TCP the connection between the two goes on without its beginning.
    let directory = tempfile::tempdir().unwrap();
    let ends = ["server", "client"].map(|end| directory.path().join(end));
    let files = ends.each_ref().map(|end| {
        fs::create_dir(end).unwrap();
        (end.join("log"), end.join("capture"))
    });
    let more = files
        .each_ref()
        .map(|(log, capture)| ["--log-file", text(log), "--capture", text(capture), "-v"]);
    let mut server = Endpoint::server("udp://127.0.0.1:0", echo(), &more[0]);
    let mut client = Endpoint::client(server.carrier(), &more[1]);
    let sent = pattern(1_000);
    assert!(exchange(&client.connect(), &sent) == sent);
    for (end, (log, _)) in ends.iter().zip(&files) {
        eventually("the first conversation is in the log", || {
            fs::read_to_string(log)
                .unwrap()
                .contains("conversation ended")
        });
        rotate(end);
    }
    for (end, (log, _)) in [&server, &client].into_iter().zip(&files) {
        end.signal(Signal::HUP);
        eventually("the log is opened anew", || {
            fs::read_to_string(log).is_ok_and(|log| log.contains("opened anew"))
        });
    }
    for _ in 0..2 {
        assert!(exchange(&client.connect(), &sent) == sent);
    }
    for end in [&mut client, &mut server] {
        end.signal(Signal::TERM);
        assert_eq!(end.wait().code(), Some(0));
    }
    for end in &ends {
        let counts =
            ["capture.1", "capture"].map(|name| conversation_count(&dissect(&end.join(name))));
        assert_eq!(counts, [1, 2], "{}", end.display());
        let logs = ["log.1", "log"].map(|name| {
            let log = fs::read_to_string(end.join(name)).unwrap();
            log.matches("conversation ended").count()
        });
        assert_eq!(logs, [1, 2], "{}", end.display());
    }
}

#[test]
fn sighup_without_rotation_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (log, capture) = (
        directory.path().join("log"),
        directory.path().join("capture"),
    );
    let more = ["--log-file", text(&log), "--capture", text(&capture), "-v"];
    let mut server = Endpoint::server("udp://127.0.0.1:0", echo(), &more);
    let client = Endpoint::client(server.carrier(), &[]);
    for round in 1..=3 {
        let sent = pattern(500);
        assert!(exchange(&client.connect(), &sent) == sent);
        server.signal(Signal::HUP);
        eventually("each SIGHUP is told", || {
            fs::read_to_string(&log)
                .unwrap()
                .matches("opened anew")
                .count()
                == round
        });
    }
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    assert_eq!(conversation_count(&dissect(&capture)), 3);
}

/// A peer that takes what comes and never answers; it tells of each SYN.
fn silent_peer(carrier: &str) -> (String, impl FnMut()) {
    enum Socket {
        Tcp(TcpListener, Vec<TcpStream>),
        Udp(UdpSocket),
    }
    let mut socket = match carrier {
        "tcp" => Socket::Tcp(TcpListener::bind("127.0.0.1:0").unwrap(), Vec::new()),
        _ => Socket::Udp(UdpSocket::bind("127.0.0.1:0").unwrap()),
    };
    let address = match &socket {
        Socket::Tcp(listener, _) => listener.local_addr(),
        Socket::Udp(socket) => socket.local_addr(),
    };
    let await_syn = move || {
        let mut buffer = [0; 2_000];
        match &mut socket {
            Socket::Udp(socket) => {
                assert!(socket.recv(&mut buffer).unwrap() >= 4);
            }
            Socket::Tcp(listener, streams) => {
                if streams.is_empty() {
                    streams.push(listener.accept().unwrap().0);
                }
                let mut head = [0; 4];
                streams[0].read_exact(&mut head).unwrap();
                let length = usize::try_from(u32::from_be_bytes(head)).unwrap();
                streams[0].read_exact(&mut buffer[..length]).unwrap();
            }
        }
    };
    (format!("{carrier}://{}", address.unwrap()), await_syn)
}

#[test]
fn nothing_but_unanswered_syns_keeps_no_client_from_ending_at_once() {
    for carrier in ["tcp", "udp"] {
        let (address, mut await_syn) = silent_peer(carrier);
        let mut client = Endpoint::client(&address, &[]);
        let mut streams = Vec::new();
        for number in 1..=3 {
            let mut stream = client.connect();
            stream.write_all(&pattern(100 * number)).unwrap();
            streams.push(stream);
            await_syn();
        }
        let asked = Instant::now();
        client.signal(Signal::TERM);
        assert_eq!(client.wait().code(), Some(0), "{}", client.log());
        // What waits is otherwise given 5 s.
        let took = asked.elapsed();
        assert!(took < Duration::from_secs(3), "{carrier}: {took:?}");
        // What they had to say is lost.
        let totals = "3 conversations, 0 B sent, 0 B received, 0 refused, 3 failed\n";
        assert!(client.log().ends_with(totals), "{}", client.log());
        for stream in streams {
            // An application takes no end for an answer.
            read_to_reset(stream);
        }
    }
}

const SHORT: &str = "no connections are accepted for now";
const OVER: &str = "connections are accepted again";

/// Connects more often than an endpoint has descriptors for, and checks that those who are let
/// in late are served as the others are.
fn crowd(listen: SocketAddr, endpoint: &Endpoint, connections: usize) -> Vec<TcpStream> {
    let streams: Vec<TcpStream> = (0..connections).map(|_| connect(listen)).collect();
    endpoint.wait_for_log(SHORT);
    // Several attempts later it is still one warning. It wakes for nothing else.
    let before = endpoint.wake_count();
    eventually("it has tried again several times", || {
        endpoint.wake_count() >= before + 6
    });
    assert_eq!(
        endpoint.log().matches(SHORT).count(),
        1,
        "{}",
        endpoint.log()
    );
    assert_eq!(
        endpoint.log().matches(OVER).count(),
        0,
        "{}",
        endpoint.log()
    );
    streams
}

#[test]
fn a_client_out_of_descriptors_says_so_once_and_once_that_it_is_over() {
    let server = Endpoint::server("tcp://127.0.0.1:0", echo(), &[]);
    let carrier = server.carrier();
    let arguments = ["client", "--carrier", carrier, "--listen", "127.0.0.1:0"];
    let client = Endpoint::limited("-n 24", &arguments);
    let mut streams = crowd(client.listen(), &client, 40);
    // One leaves, another is let in.
    while let Some(stream) = streams.pop() {
        let sent = pattern(100);
        let first = streams.first().unwrap_or(&stream);
        assert!(exchange(first, &sent) == sent);
        drop(stream);
    }
    client.wait_for_log(OVER);
    assert_eq!(client.log().matches(OVER).count(), 1, "{}", client.log());
    let sent = pattern(10_000);
    assert!(exchange(&client.connect(), &sent) == sent);
    assert_eq!(client.log().matches(SHORT).count(), 1, "{}", client.log());
}

#[test]
fn a_server_out_of_descriptors_refuses_says_so_once_and_serves_again() {
    let target = echo().to_string();
    let arguments = [
        "server",
        "--carrier",
        "tcp://127.0.0.1:0",
        "--target",
        &target,
    ];
    let server = Endpoint::limited("-n 20", &arguments);
    // Whoever leaves gives a descriptor back at once.
    let client = Endpoint::client(server.carrier(), &["--on-eof", "close"]);
    let mut streams: Vec<TcpStream> = (0..40).map(|_| client.connect()).collect();
    for stream in &mut streams {
        // Those that cannot be served are reset.
        if stream.write_all(b"question").is_ok() {
            stream.read_exact(&mut [0; 8]).ok();
        }
    }
    let told = |text: &str| server.log().matches(text).count();
    server.wait_for_log("conversations are refused");
    assert_eq!(told("Too many open files"), 1, "{}", server.log());
    drop(streams);
    eventually("the server serves again, and says so", || {
        let mut stream = client.connect();
        let mut answer = [0; 8];
        let is_served =
            stream.write_all(b"question").is_ok() && stream.read_exact(&mut answer).is_ok();
        is_served && told("are made again") > 0
    });
    assert_eq!(told("are made again"), 1, "{}", server.log());
    assert_eq!(told("Too many open files"), 1, "{}", server.log());
}

#[test]
fn a_tunnel_is_served_while_it_is_asked_to_open_files_anew_again_and_again() {
    let tunnel = Tunnel::to("tcp://127.0.0.1:0", echo(), &[]);
    let stream = tunnel.connect();
    let sent = pattern(50_000);
    for _ in 0..10 {
        tunnel.server.signal(Signal::HUP);
        tunnel.client.signal(Signal::HUP);
        assert!(exchange(&stream, &sent) == sent);
    }
}
