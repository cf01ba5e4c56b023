//! Peers that want us to grow, wait or lock others out, and machines that stand still.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use socket2::SockRef;

use crate::endpoint::{Endpoint, PATIENCE, Tunnel, command, connect, eventually};
use crate::services::{echo, exchange, fill, pattern, read_nothing_more, read_to_end, service};

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
    // Nothing, and what opens no conversation and belongs to none: a ping, data, a SYN or the beginning
    // of one without a destination.
    let unused = [
        &[][..],
        &[0, 0, 0, 1, 0xff],
        &[0, 0, 0, 4, 0xa0, 9, 9, 9],
        &[0, 0, 0, 1, 0xa1],
        &[0, 0, 0, 8, 0xa1, 9, 9, 9, 0, 0, 0, 0],
    ];
    let mut silent: Vec<_> = (0..300)
        .map(|number| {
            let mut stream = connect(carrier);
            // Those that gave way already need not take it.
            stream.write_all(unused[number % unused.len()]).ok();
            stream
        })
        .collect();
    // There is room for 256, with the early client.
    for stream in &mut silent[..300 - 255] {
        let end = stream.read(&mut [0]);
        let is_over = match &end {
            Ok(count) => *count == 0,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        };
        assert!(is_over, "the oldest have given way: {end:?}");
    }
    let descriptors = server.descriptors();
    assert!(descriptors < 256 + 24, "{descriptors} descriptors");
    let late = Endpoint::client(server.carrier(), &[]);
    let sent = pattern(10_000);
    assert_eq!(exchange(&late.connect(), &sent), sent);
    assert_eq!(&ping(&kept), b"ping", "who has spoken keeps its place");
}

#[test]
fn a_flood_of_bad_connections_does_not_fill_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let server = Endpoint::server(
        "tcp://127.0.0.1:0",
        echo(),
        &["--log-file", log.to_str().unwrap()],
    );
    let carrier = server.carrier().strip_prefix("tcp://").unwrap();
    let carrier = carrier.parse().unwrap();
    let bad = [&[0, 0, 0, 0][..], &[0xff; 8]];
    for number in 0..1_000 {
        let mut stream = connect(carrier);
        stream.write_all(bad[number % bad.len()]).unwrap();
        // Until it is refused, so that the server has seen each.
        stream.read_to_end(&mut Vec::new()).ok();
    }
    let client = Endpoint::client(server.carrier(), &[]);
    assert_eq!(exchange(&client.connect(), b"still here"), b"still here");
    let lines = std::fs::read_to_string(&log).unwrap();
    assert!(lines.contains("count=512"), "{lines}");
    assert!((17..40).contains(&lines.lines().count()), "{lines}");
}

fn ping(mut stream: &TcpStream) -> [u8; 4] {
    stream.write_all(b"ping").unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).unwrap();
    answer
}

#[test]
fn an_answer_that_came_while_a_client_stood_still_is_not_taken_for_missing() {
    let (asked, questions) = mpsc::channel();
    let (answer, answers) = mpsc::channel();
    let answers = Arc::new(Mutex::new(answers));
    let target = service(move |mut stream| {
        stream.read_exact(&mut [0; 8])?;
        asked.send(()).map_err(io::Error::other)?;
        let may_answer = answers.lock().unwrap().recv();
        may_answer.map_err(io::Error::other)?;
        stream.write_all(&pattern(50_000))
    });
    for _ in 0..5 {
        let tunnel = Tunnel::to("tcp://127.0.0.1:0", target, &[]);
        let client = Endpoint::client(tunnel.server.carrier(), &["--on-eof", "drain:1s"]);
        let mut stream = client.connect();
        stream.write_all(b"question").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        questions.recv_timeout(PATIENCE).unwrap();
        client.signal(Signal::STOP);
        answer.send(()).unwrap();
        // It stands still for longer than a drain.
        thread::sleep(Duration::from_millis(1_500));
        client.signal(Signal::CONT);
        let answer = read_to_end(&mut stream).unwrap();
        assert_eq!(answer.len(), 50_000);
    }
}

/// Frames of `tcp://`, each behind its length.
fn framed(messages: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let frame = |message: Vec<u8>| {
        let length = u32::try_from(message.len()).unwrap();
        [&length.to_be_bytes()[..], &message].concat()
    };
    messages.into_iter().flat_map(frame).collect()
}

/// A peer with many conversations leaves: `leave` has its connection, a message to one of them, whose
/// service does not read, and one to another, which is echoed.
fn leave_unread(leave: impl FnOnce(TcpStream, &[u8], &[u8])) {
    const COUNT: u8 = 200;
    let (told, ended) = mpsc::channel();
    let target = service(move |mut stream| {
        let mut kind = [0];
        stream.read_exact(&mut kind)?;
        if kind == *b"d" {
            read_nothing_more();
        }
        let mut byte = [0];
        let end = loop {
            match stream.read(&mut byte) {
                Ok(1) => stream.write_all(&byte)?,
                Ok(_) => break Ok(()),
                Err(error) => break Err(error.kind()),
            }
        };
        told.send(end).ok();
        Ok(())
    });
    let more = ["--slow-reader", "pause", "--buffer", "64KiB"];
    let server = Endpoint::server("tcp://127.0.0.1:0", target, &more);
    let address = server.carrier().strip_prefix("tcp://").unwrap();
    let mut peer = connect(address.parse().unwrap());
    let mut server_ids = Vec::new();
    for number in 0..COUNT {
        let syn = [&[0xa1, 1, 1, number][..], &[0; 387]].concat();
        peer.write_all(&framed([syn])).unwrap();
        let mut ack = [0; 11];
        peer.read_exact(&mut ack).unwrap();
        server_ids.push([ack[8], ack[9], ack[10]]);
    }
    let data = |id: [u8; 3], bytes: &[u8]| [&[0xa0][..], &id, bytes].concat();
    let kinds = (0..).zip(&server_ids).map(|(number, id)| match number {
        0 => data(*id, b"d"),
        _ => data(*id, b"e"),
    });
    peer.write_all(&framed(kinds)).unwrap();
    let unread = framed([data(server_ids[0], &[0; 32_768])]);
    leave(peer, &unread, &framed([data(server_ids[1], b"?")]));
    for _ in 1..COUNT {
        let end = ended.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(end, Err(io::ErrorKind::ConnectionReset));
    }
}

#[test]
fn a_reset_ends_all_conversations_of_a_link_that_is_paused_for_one_of_them() {
    leave_unread(|peer, unread, _| {
        fill(&peer, Duration::from_millis(500), unread);
        SockRef::from(&peer)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    });
}

#[test]
fn an_end_behind_little_ends_all_conversations_of_a_link_that_is_paused_for_one_of_them() {
    leave_unread(|mut peer, unread, question| {
        peer.set_read_timeout(Some(Duration::from_millis(500)))
            .unwrap();
        // Less at once than a server reads at its end.
        let several = unread.repeat(16);
        let answers = (0..1_000).take_while(|_| {
            peer.write_all(&several).unwrap();
            peer.write_all(question).unwrap();
            peer.read_exact(&mut [0; 9]).is_ok()
        });
        assert_ne!(answers.count(), 1_000, "the link is paused");
    });
}

#[test]
fn what_peers_that_read_nothing_fill_is_given_back_when_they_have_left() {
    let flood = service(|mut stream| {
        let bytes = [b'x'; 64 * 1024];
        loop {
            stream.write_all(&bytes)?;
        }
    });
    let target = flood.to_string();
    let mut command = command(&[
        "server",
        "--carrier",
        "tcp://127.0.0.1:0",
        "--target",
        &target,
    ]);
    // By default glibc keeps what was freed in pieces as large as these.
    command.env("MALLOC_MMAP_THRESHOLD_", "131072");
    let server = Endpoint::run(command).unwrap();
    let address = server.carrier().strip_prefix("tcp://").unwrap();
    let before = server.resident_bytes();
    let peers: Vec<_> = (0..32)
        .map(|peer| {
            let mut stream = connect(address.parse().unwrap());
            let syns = (0..8).map(|number| [&[0xa1, 1, peer, number][..], &[0; 387]].concat());
            stream.write_all(&framed(syns)).unwrap();
            stream
        })
        .collect();
    // 256 KiB for each of 256 conversations, and what is on its way to each of 32 peers.
    eventually("their buffers are full", || {
        server.resident_bytes() > before + (64 << 20)
    });
    drop(peers);
    eventually("all is given back", || {
        server.resident_bytes() < before + (16 << 20)
    });
}

#[test]
fn connections_that_open_no_conversation_in_time_are_ended_where_that_is_asked_for() {
    let more = ["--first-message-timeout", "1s"];
    let server = Endpoint::server("tcp://127.0.0.1:0", echo(), &more);
    let address = server.carrier().trim_start_matches("tcp://");
    let address: SocketAddr = address.parse().unwrap();
    // One that has said something, and is silent since.
    let client = Endpoint::client(server.carrier(), &[]);
    let stream = client.connect();
    assert_eq!(&ping(&stream), b"ping");
    // One that waits for somebody to come.
    let idle = Endpoint::client(server.carrier(), &["--reconnect"]);
    let began = Instant::now();
    let mut silent: Vec<TcpStream> = (0..40).map(|_| connect(address)).collect();
    let mut pings = connect(address);
    // Neither pings nor parts of a message count.
    let mut partial = connect(address);
    partial.write_all(&[0, 0, 1, 0x8b, 0xa1]).unwrap();
    while pings.write_all(&[0, 0, 0, 1, 0xff]).is_ok() {
        assert!(began.elapsed() < PATIENCE, "pings keep it open");
        thread::sleep(Duration::from_millis(50));
    }
    silent.extend([pings, partial]);
    for stream in &mut silent {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let end = stream.read(&mut [0]).map_err(|error| error.kind());
        let ends = [Ok(0), Err(io::ErrorKind::ConnectionReset)];
        assert!(ends.contains(&end), "{end:?}");
    }
    assert!(began.elapsed() >= Duration::from_secs(1));
    thread::sleep(Duration::from_millis(1_200).saturating_sub(began.elapsed()));
    assert_eq!(&ping(&stream), b"ping", "who has spoken stays");
    assert_eq!(&ping(&idle.connect()), b"ping", "who comes again is served");
    let log = server.log();
    let lines = log.matches("it sent no SYN within 1s").count();
    // The first sixteen, and the 32nd.
    assert!((17..=19).contains(&lines), "{log}");
}

#[test]
fn a_first_message_that_came_while_the_server_stood_still_came_in_time() {
    let more = ["--first-message-timeout", "1s"];
    let server = Endpoint::server("tcp://127.0.0.1:0", echo(), &more);
    let address = server.carrier().trim_start_matches("tcp://");
    for number in 0..5 {
        let mut peer = connect(address.parse().unwrap());
        // It is there before the server stands still.
        peer.write_all(&framed([vec![0xff]])).unwrap();
        thread::sleep(Duration::from_millis(300));
        server.signal(Signal::STOP);
        let syn = [&[0xa1, 1, 1, number][..], &[0; 387]].concat();
        peer.write_all(&framed([syn])).unwrap();
        thread::sleep(Duration::from_millis(1_000));
        server.signal(Signal::CONT);
        let mut ack = [0; 11];
        peer.read_exact(&mut ack).unwrap();
        assert_eq!(ack[4], 0x51);
    }
}

#[test]
fn a_flood_without_end_keeps_no_deadline_from_being_judged() {
    let server = Endpoint::server("tcp://127.0.0.1:0", echo(), &["--idle-timeout", "1s"]);
    let (_, address) = server.carrier().split_once("://").unwrap();
    let address = address.parse().unwrap();
    let mut idle = connect(address);
    idle.write_all(&framed([syn_of(1)])).unwrap();
    idle.read_exact(&mut [0; 11]).unwrap();
    let flood = Flood::begin(address);
    let mut close = [0; 8];
    let closed = idle.read_exact(&mut close);
    drop(flood);
    closed.unwrap();
    assert_eq!(close, [0, 0, 0, 4, 0x52, 0, 0, 1]);
}

#[test]
fn a_flood_without_end_lets_others_be_heard() {
    // Long enough to start a client beside the flood.
    let more = ["--idle-timeout", "4s", "--first-message-timeout", "4s"];
    let server = Endpoint::server("tcp://127.0.0.1:0", echo(), &more);
    let early = Endpoint::client(server.carrier(), &[]);
    let live = early.connect();
    assert_eq!(&ping(&live), b"ping");
    let flood = Flood::begin(at(&server));
    let began = Instant::now();
    let mut silent = connect(at(&server));
    let late = Endpoint::client(server.carrier(), &[]);
    let new = late.connect();
    while began.elapsed() < Duration::from_secs(10) {
        assert_eq!(&ping(&live), b"ping");
        assert_eq!(&ping(&new), b"ping");
        thread::sleep(Duration::from_millis(200));
    }
    let end = silent.read(&mut [0]).map_err(|error| error.kind());
    drop(flood);
    assert!(matches!(end, Ok(0) | Err(io::ErrorKind::ConnectionReset)));
    server.wait_for_log("it sent no SYN within 4s");
}

/// One connection that sends small messages without end.
struct Flood {
    is_over: Arc<AtomicBool>,
    sender: Option<thread::JoinHandle<()>>,
}

impl Flood {
    fn begin(address: SocketAddr) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_over);
        let mut stream = connect(address);
        stream.write_all(&framed([syn_of(2)])).unwrap();
        // Data of a conversation that there is not.
        let many = framed(std::iter::repeat_n(vec![0xa0, 9, 9, 9], 10_000));
        let sender = thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                stream.write_all(&many).unwrap();
            }
        });
        let sender = Some(sender);
        Self { is_over, sender }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let ended = self.sender.take().map(thread::JoinHandle::join);
        assert!(thread::panicking() || ended.is_some_and(|ended| ended.is_ok()));
    }
}

/// So long a flood of one kind lasts.
const FLOOD: Duration = Duration::from_millis(1_500);

/// What it may leave in a log.
const FLOOD_LOG_BYTES: usize = 16 * 1024;

fn syn_of(number: u32) -> Vec<u8> {
    let [_, id @ ..] = number.to_be_bytes();
    [&[0xa1][..], &id, &[0; 387]].concat()
}

/// Connects again and again, says this, and waits for the end.
fn flood(address: SocketAddr, said: &[u8]) -> u32 {
    let began = Instant::now();
    let mut count = 0;
    while began.elapsed() < FLOOD {
        let mut stream = connect(address);
        // Whoever is turned away need not be heard.
        stream.write_all(said).ok();
        stream.shutdown(std::net::Shutdown::Write).ok();
        stream.read_to_end(&mut Vec::new()).ok();
        count += 1;
    }
    count
}

/// The log warns of a flood, and is no larger for its size.
fn is_folded(endpoint: &Endpoint, count: u32, what: &str) {
    assert!(count > 50, "{what}: only {count}");
    let log = endpoint.log();
    assert!(log.len() < FLOOD_LOG_BYTES, "{what}: {count}\n{log}");
    assert!(log.contains("WARN"), "{what}: it is told of\n{log}");
}

/// Where a server listens.
fn at(server: &Endpoint) -> SocketAddr {
    let (_, address) = server.carrier().split_once("://").unwrap();
    address.parse().unwrap()
}

#[test]
fn no_flood_of_any_kind_fills_the_log() {
    let nobody = ministream_fixtures::unused_address();
    for (what, said) in [
        ("a length that is none", &[0; 4][..]),
        ("a length beyond the limit", &[0xff; 8]),
        ("half a message", &[0, 0, 0, 9, 0xa1]),
    ] {
        let server = Endpoint::server("tcp://127.0.0.1:0", echo(), &[]);
        let count = flood(at(&server), said);
        is_folded(&server, count, what);
    }
    let server = Endpoint::server("tcp://127.0.0.1:0", echo(), &["--allow", "192.0.2.0/24"]);
    let count = flood(at(&server), b"");
    is_folded(&server, count, "not allowed");

    // All places are taken by those that have said something.
    let more = ["--max-conversations", "1000"];
    let server = Endpoint::server("tcp://127.0.0.1:0", echo(), &more);
    let taken: Vec<TcpStream> = (0..256)
        .map(|number| {
            let mut stream = connect(at(&server));
            stream.write_all(&framed([syn_of(number)])).unwrap();
            stream.read_exact(&mut [0; 11]).unwrap();
            stream
        })
        .collect();
    let count = flood(at(&server), b"");
    is_folded(&server, count, "too many connections");
    drop(taken);

    // Conversations beyond the limit, and to a service that is not there.
    let limited = ["--max-conversations", "2"];
    for (what, target, more) in [
        ("refused", echo(), &limited[..]),
        ("no service", nobody, &[]),
    ] {
        let server = Endpoint::server("tcp://127.0.0.1:0", target, more);
        let mut stream = connect(at(&server));
        let began = Instant::now();
        let mut count = 0;
        while began.elapsed() < FLOOD {
            let syns = framed((0..32).map(|place| syn_of(count + place)));
            stream.write_all(&syns).unwrap();
            count += 32;
            // An answer to each.
            for _ in 0..32 {
                let mut length = [0; 4];
                stream.read_exact(&mut length).unwrap();
                let length = usize::try_from(u32::from_be_bytes(length)).unwrap();
                stream.read_exact(&mut vec![0; length]).unwrap();
            }
        }
        is_folded(&server, count, what);
    }

    // From one address after another that does not prove itself, and gives way to the next.
    let server = Endpoint::server("udp://127.0.0.1:0", echo(), &limited);
    let began = Instant::now();
    let mut count = 0_u32;
    while began.elapsed() < FLOOD {
        let [.., high, low] = count.to_be_bytes();
        let socket = UdpSocket::bind((Ipv4Addr::new(127, 1, high, low), 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.send_to(&syn_of(count), at(&server)).unwrap();
        let mut answer = [0; 8];
        assert_eq!(socket.recv(&mut answer).unwrap(), 7, "an ACK");
        count += 1;
    }
    is_folded(&server, count, "not proven");
    assert!(server.log().contains("did not prove their address"));

    // The same over udp, from one port after another.
    let forbidden = ["--allow", "192.0.2.0/24"];
    for (what, target, more) in [
        ("refused over udp", echo(), &limited[..]),
        ("no service over udp", nobody, &[]),
        ("not allowed over udp", echo(), &forbidden),
    ] {
        let server = Endpoint::server("udp://127.0.0.1:0", target, more);
        let began = Instant::now();
        let mut count = 0;
        while began.elapsed() < FLOOD {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            for _ in 0..8 {
                socket.send_to(&syn_of(count), at(&server)).unwrap();
                count += 1;
            }
            thread::sleep(Duration::from_millis(1));
        }
        is_folded(&server, count, what);
    }
}

/// Reads a message that is delimited by its length.
fn read_message(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut message = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut message).unwrap();
    message
}

/// Opens conversations, says something in each and ends them, or has the service do so.
fn flood_conversations(address: SocketAddr, ends: bool) -> u32 {
    let mut stream = connect(address);
    let began = Instant::now();
    let mut count = 0;
    while began.elapsed() < FLOOD {
        stream
            .write_all(&framed((0..32).map(|place| syn_of(count + place))))
            .unwrap();
        count += 32;
        let mut opened = Vec::new();
        let mut ended = 0;
        // Some may be refused.
        while ended < 32 && !(ends && opened.len() + ended == 32) {
            match read_message(&mut stream)[..] {
                [0x51, _, _, _, a, b, c] => opened.push([a, b, c]),
                [0x52, ..] => ended += 1,
                _ => {}
            }
        }
        if ends {
            let said = opened.into_iter().flat_map(|id| {
                let data = [&[0xa0][..], &id, b"some words"].concat();
                [data, [&[0xa2][..], &id].concat()]
            });
            stream.write_all(&framed(said)).unwrap();
        }
    }
    count
}

#[test]
fn no_flood_of_conversations_that_fail_fills_the_log() {
    // An answer that comes when its client has left.
    let slow = service(|mut stream| {
        let asked = read_to_end(&mut stream);
        thread::sleep(Duration::from_millis(150));
        stream.write_all(&[b'x'; 300])?;
        asked.map(drop)
    });
    let server = Endpoint::server("tcp://127.0.0.1:0", slow, &[]);
    let count = flood_conversations(at(&server), true);
    server.wait_for_log("went on sending");
    is_folded(&server, count, "ended before its answer");

    let rude = service(|stream| SockRef::from(&stream).set_linger(Some(Duration::ZERO)));
    let server = Endpoint::server("tcp://127.0.0.1:0", rude, &[]);
    let count = flood_conversations(at(&server), false);
    server.wait_for_log("the service broke its connection");
    is_folded(&server, count, "broken by the service");

    // What is lost with the connections of those who leave.
    let talkative = service(|mut stream| {
        loop {
            stream.write_all(&[b'x'; 65_536])?;
        }
    });
    let server = Endpoint::server("tcp://127.0.0.1:0", talkative, &[]);
    let began = Instant::now();
    let mut count = 0;
    while began.elapsed() < FLOOD {
        let mut stream = connect(at(&server));
        stream.write_all(&framed([syn_of(count)])).unwrap();
        stream.read_exact(&mut [0; 64]).unwrap();
        count += 1;
    }
    server.wait_for_log("conversation failed");
    is_folded(&server, count, "left without reading");

    // Applications whose client has no service, and no server.
    let nobody = ministream_fixtures::unused_address();
    let server = Endpoint::server("tcp://127.0.0.1:0", nobody, &[]);
    let client = Endpoint::client(server.carrier(), &["--reconnect"]);
    let count = flood(client.listen(), b"");
    client.wait_for_log("refused by the peer");
    is_folded(&client, count, "refused by the peer");
    server.kill();
    let count = flood(client.listen(), b"");
    client.wait_for_log("the link is down");
    is_folded(&client, count, "turned away");
}

#[test]
fn a_server_that_ends_every_connection_at_once_is_not_called_without_pause() {
    let called = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&called);
    let hostile = service(move |_stream| {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    let client = Endpoint::client(&format!("tcp://{hostile}"), &["--reconnect"]);
    client.wait_for_log("link lost");
    thread::sleep(FLOOD);
    let called = called.load(Ordering::Relaxed);
    // At once, and after 0, 100, 300, 700 and 1,500 ms.
    assert!((3..10).contains(&called), "{called} calls");
    let log = client.log();
    assert!(log.len() < FLOOD_LOG_BYTES, "{log}");
}
