//! Peers of the proxy that behave badly: what they cost is bounded, the log names the leg, the others
//! go on, and nothing of it is left behind.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};

use ministream_fixtures::needs;

use crate::endpoint::{Endpoint, eventually};
use crate::proxy::{Proxy, QUIET, WITH_CONTROL, control, through};
use crate::services::{echo, exchange, pattern, service};

const FREE: &str = "tcp://127.0.0.1:0";

/// Where the proxy listens.
fn address_of(proxy: &Proxy) -> SocketAddr {
    let (_, address) = proxy.carrier().split_once("://").unwrap();
    address.parse().unwrap()
}

#[test]
fn hostile_clients_are_bounded_named_and_do_not_disturb_others() {
    let (tunnel, proxy) = through("tcp://127.0.0.1:0", "tcp://127.0.0.1:0", echo(), &[]);
    let stream = tunnel.connect();
    assert_eq!(exchange(&stream, b"before"), b"before");
    let address: SocketAddr = proxy
        .carrier()
        .trim_start_matches("tcp://")
        .parse()
        .unwrap();
    // Garbage that is no length, a length that nothing follows, half a length.
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\xff\xff\xff\xff",
        b"\0\0\x10\0abc",
        b"\0",
    ] {
        let mut hostile = TcpStream::connect(address).unwrap();
        hostile.write_all(garbage).unwrap();
        drop(hostile);
    }
    eventually("the leg is named", || {
        let log = proxy.log();
        log.contains("leg=\"client\"") && log.contains("is announced, and the limit is")
    });
    // More than there may be; the oldest that never said anything make room.
    let crowd: Vec<TcpStream> = (0..400)
        .filter_map(|_| TcpStream::connect(address).ok())
        .collect();
    eventually("some make room", || {
        let log = proxy.log();
        log.contains(
            "it never sent a SYN with a whole destination, and another connection needed its place",
        )
    });
    assert_eq!(exchange(&stream, b"after"), b"after");
    drop(crowd);
    eventually("there is room again", || {
        let client = TcpStream::connect(address).unwrap();
        client
            .set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        // One that is turned away ends at once.
        let mut byte = [0];
        !matches!((&client).read(&mut byte), Ok(0))
    });
    assert!(Path::new(&proxy.capture()).exists());
}

/// A peer that takes connections and does what is said with each.
fn upstream(behave: impl Fn(TcpStream) -> std::io::Result<()> + Clone + Send + 'static) -> String {
    format!("tcp://{}", service(behave))
}

/// A peer that takes connections and neither reads nor ends them: the last two thousand at least.
fn stubborn() -> String {
    let kept = Arc::new(Mutex::new(VecDeque::new()));
    upstream(move |stream| {
        let mut kept = kept.lock().unwrap();
        kept.push_back(stream);
        if kept.len() > 2_000 {
            kept.pop_front();
        }
        Ok(())
    })
}

/// As many descriptors as the system lets us have: both ends of connections are ours.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
}

#[test]
fn ten_thousand_half_open_connections_leave_nothing_behind_whatever_the_server_does() {
    needs!("curl");
    raise_descriptor_limit();
    // One that ends what its client has ended, and one that never does.
    let server = Endpoint::server(FREE, echo(), &[]);
    let stubborn = stubborn();
    for (carrier, is_stubborn, batches) in [(server.carrier(), false, 20), (&stubborn, true, 4)] {
        let mut proxy = Proxy::start(FREE, carrier, &[&QUIET[..], &WITH_CONTROL].concat());
        let before = (proxy.descriptors(), proxy.resident_bytes());
        let mut most = 0;
        for _ in 0..batches {
            let crowd: Vec<TcpStream> = (0..500)
                .map(|_| {
                    let mut stream = TcpStream::connect(address_of(&proxy)).unwrap();
                    // Half a length; whoever was turned away need not take it.
                    stream.write_all(b"\0\0").ok();
                    stream
                })
                .collect();
            most = most.max(proxy.descriptors());
            drop(crowd);
        }
        assert!(most < 1_100, "{most} descriptors");
        if is_stubborn {
            let log = proxy.log();
            assert!(log.contains("its client has left"), "{log}");
            assert!(log.len() < 32 * 1024, "{} bytes: {log}", log.len());
        }
        let resident = proxy.resident_bytes();
        assert!(
            resident < before.1 + (24 << 20),
            "{} bytes became {resident}",
            before.1
        );
        if is_stubborn {
            proxy.log_has("its client has left, and the server does not end it");
        } else {
            eventually("all descriptors are closed", || {
                proxy.descriptors() <= before.0 + 1
            });
            let (_, status) = control(&proxy, "GET", "api/status", "");
            assert_eq!(status["open_connection_count"], 0, "{status}");
            assert_eq!(status["open_conversation_count"], 0, "{status}");
        }
        let ended = proxy.end();
        assert_eq!(ended.code, Some(0), "{}", ended.log);
    }
}

#[test]
fn a_burst_of_connections_is_taken_without_making_any_try_again() {
    raise_descriptor_limit();
    let server = Endpoint::server(FREE, echo(), &[]);
    let client = Endpoint::client(server.carrier(), &[]);
    // Nobody accepts while the process stands still, and the system keeps them.
    client.signal(Signal::STOP);
    let mut slowest = Duration::ZERO;
    let burst: Vec<TcpStream> = (0..600)
        .map(|_| {
            let began = Instant::now();
            let stream = TcpStream::connect(client.listen()).unwrap();
            slowest = slowest.max(began.elapsed());
            stream
        })
        .collect();
    client.signal(Signal::CONT);
    // A SYN is sent again after a second.
    assert!(slowest < Duration::from_millis(900), "{slowest:?}");
    drop(burst);
}

#[test]
fn thousands_of_udp_senders_make_room_for_each_other() {
    let (tunnel, mut proxy) = through("udp://127.0.0.1:0", "udp://127.0.0.1:0", echo(), &[]);
    assert_eq!(exchange(&tunnel.connect(), b"before"), b"before");
    let before = proxy.resident_bytes();
    for batch in 0..10 {
        let crowd: Vec<UdpSocket> = (0..200)
            .map(|_| UdpSocket::bind("127.0.0.1:0").unwrap())
            .collect();
        for (number, socket) in crowd.iter().enumerate() {
            let garbage = pattern(number % 9);
            socket.send_to(&garbage, address_of(&proxy)).unwrap();
        }
        assert!(proxy.descriptors() < 400, "{batch}");
        // What finds no room in the proxy's socket would make no room for anybody.
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(exchange(&tunnel.connect(), b"after"), b"after");
    let resident = proxy.resident_bytes();
    assert!(resident < before + (24 << 20), "{before} became {resident}");
    proxy.end();
}

#[test]
fn a_client_that_never_reads_stops_its_server_and_nobody_else() {
    const DEAF: usize = 8;
    const PATIENCE: Option<Duration> = Some(Duration::from_secs(20));
    // Data without end for whoever comes, until it is taken no longer.
    let stopped = Arc::new(Mutex::new(Vec::new()));
    let come = Arc::new(AtomicUsize::new(0));
    let flood = {
        let stopped = Arc::clone(&stopped);
        upstream(move |mut stream| {
            // A busy machine does not stop the flood to the one that reads.
            let is_deaf = come.fetch_add(1, Ordering::Relaxed) < DEAF;
            let short = Some(Duration::from_millis(700));
            stream.set_write_timeout(if is_deaf { short } else { PATIENCE })?;
            let mut message = 32_772_u32.to_be_bytes().to_vec();
            message.extend([0x50, 1, 2, 3]);
            message.extend(pattern(32_768));
            while stream.write_all(&message).is_ok() {}
            stopped.lock().unwrap().push(stream);
            Ok(())
        })
    };
    let proxy = Proxy::start(FREE, &flood, &QUIET);
    let before = proxy.resident_bytes();
    let deaf: Vec<TcpStream> = (0..DEAF)
        .map(|_| TcpStream::connect(address_of(&proxy)).unwrap())
        .collect();
    eventually("the flood to each of them is stopped", || {
        let grown = proxy.resident_bytes().saturating_sub(before);
        assert!(grown < 64 << 20, "{grown}");
        stopped.lock().unwrap().len() == deaf.len()
    });
    let mut hearing = TcpStream::connect(address_of(&proxy)).unwrap();
    hearing.set_read_timeout(PATIENCE).unwrap();
    let mut heard = vec![0; 8 << 20];
    hearing.read_exact(&mut heard).unwrap();
    drop(deaf);
}

#[test]
fn a_server_that_never_reads_stops_its_client_and_nobody_else() {
    let deaf = stubborn();
    let proxy = Proxy::start(FREE, &deaf, &QUIET);
    let before = proxy.resident_bytes();
    let mut message = 32_772_u32.to_be_bytes().to_vec();
    message.extend([0xa0, 1, 2, 3]);
    message.extend(pattern(32_768));
    let flooding = TcpStream::connect(address_of(&proxy)).unwrap();
    flooding
        .set_write_timeout(Some(Duration::from_millis(700)))
        .unwrap();
    let mut sent = 0_u64;
    while (&flooding).write_all(&message).is_ok() {
        sent += 1;
        assert!(sent < 10_000, "somebody has to keep 320 MB");
    }
    let grown = proxy.resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown}");
    // Another is heard all the same.
    let mut other = TcpStream::connect(address_of(&proxy)).unwrap();
    other.write_all(&message).unwrap();
    eventually("the other connection is there", || {
        proxy.log().matches("client connected").count() >= 2 || proxy.descriptors() > 10
    });
}

#[test]
fn a_flood_of_datagrams_for_a_server_that_takes_nothing_is_dropped_beyond_a_bound() {
    for upstream in [
        stubborn(),
        format!("tcp://{}", ministream_fixtures::unused_address()),
    ] {
        let proxy = Proxy::start("udp://127.0.0.1:0", &upstream, &QUIET);
        let before = proxy.resident_bytes();
        let flooding = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut message = vec![0xa0, 1, 2, 3];
        message.extend(pattern(32_768));
        for sent in 0..4_000 {
            flooding.send_to(&message, address_of(&proxy)).unwrap();
            if sent % 4 == 0 {
                // Slow enough to be read.
                thread::sleep(Duration::from_millis(1));
            }
        }
        proxy.log_has("datagram dropped: too much waits for the server");
        let grown = proxy.resident_bytes().saturating_sub(before);
        assert!(grown < 32 << 20, "{upstream}: {grown}");
    }
}

#[test]
fn what_a_client_sends_before_its_server_is_there_is_written_to_its_end() {
    let address = ministream_fixtures::unused_address();
    // Until they are due, as many are read as may wait in all.
    let late = [&QUIET[..], &["--fault", "latency=200ms"]].concat();
    let proxy = Proxy::start(FREE, &format!("tcp://{address}"), &late);
    let mut message = 32_772_u32.to_be_bytes().to_vec();
    message.extend([0xa0, 1, 2, 3]);
    message.extend(pattern(32_768));
    // More than a connection takes at once.
    let sent = message.repeat(200);
    let mut client = TcpStream::connect(address_of(&proxy)).unwrap();
    let all = sent.clone();
    let sending = thread::spawn(move || {
        client.write_all(&all).unwrap();
        client
    });
    thread::sleep(Duration::from_millis(600));
    let listener = std::net::TcpListener::bind(address).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    server
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    thread::sleep(Duration::from_millis(300));
    let mut came = vec![0; sent.len()];
    server.read_exact(&mut came).unwrap();
    assert!(came == sent);
    sending.join().unwrap();
}

#[test]
fn bursts_of_large_frames_pass_between_an_application_and_its_router() {
    // A router that sends every frame back.
    let router = service(|mut stream| {
        stream.read_exact(&mut [0])?;
        std::io::copy(&mut stream.try_clone()?, &mut stream).map(drop)
    });
    let proxy = Proxy::start("i2cp://127.0.0.1:0", &format!("i2cp://{router}"), &QUIET);
    let mut application = TcpStream::connect(address_of(&proxy)).unwrap();
    let patience = Some(Duration::from_secs(20));
    application.set_read_timeout(patience).unwrap();
    application.set_write_timeout(patience).unwrap();
    // More than waits on a leg come in one turn, and the system takes them at once.
    let mut frame = 32_768_u32.to_be_bytes().to_vec();
    frame.push(200);
    frame.extend(pattern(32_768));
    let frames = frame.repeat(64);
    let mut writer = application.try_clone().unwrap();
    let sent = frames.clone();
    let writing = thread::spawn(move || {
        writer.write_all(&[0x2a]).unwrap();
        for _ in 0..8 {
            writer.write_all(&sent).unwrap();
        }
    });
    let mut came = vec![0; frames.len()];
    for burst in 0..8 {
        application.read_exact(&mut came).unwrap();
        assert!(came == frames, "{burst}");
    }
    writing.join().unwrap();
}

#[test]
fn those_who_ask_and_never_read_do_not_hold_up_the_proxy_or_each_other() {
    needs!("curl");
    let (tunnel, proxy) = through(FREE, FREE, echo(), &WITH_CONTROL);
    let stream = tunnel.connect();
    for _ in 0..300 {
        assert_eq!(exchange(&stream, b"x"), b"x");
    }
    let before = proxy.resident_bytes();
    let url = proxy.field("control=");
    let address: SocketAddr = url
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .parse()
        .unwrap();
    // A thousand long answers for each of them, if it took them.
    let asked = b"GET /api/messages HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".repeat(1_000);
    let deaf: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream
                .set_write_timeout(Some(Duration::from_millis(200)))
                .unwrap();
            // It takes as many as it answers.
            stream.write_all(&asked).ok();
            stream
        })
        .collect();
    assert_eq!(exchange(&stream, b"goes on"), b"goes on");
    assert_eq!(control(&proxy, "GET", "api/status", "").0, 200);
    let grown = proxy.resident_bytes().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown}");
    drop(deaf);
}

#[test]
fn descriptors_memory_and_conversations_are_given_back_after_many_clients() {
    needs!("curl");
    let server = Endpoint::server(FREE, echo(), &[]);
    let more = [&QUIET[..], &WITH_CONTROL, &["--fault", "latency=1ms"]].concat();
    let proxy = Proxy::start(FREE, server.carrier(), &more);
    let before = proxy.descriptors();
    let round = || {
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let client = Endpoint::client(proxy.carrier(), &[]);
                    for _ in 0..15 {
                        let sent = pattern(40_000);
                        assert!(exchange(&client.connect(), &sent) == sent);
                    }
                });
            }
        });
    };
    round();
    let warm = proxy.resident_bytes();
    for _ in 0..3 {
        round();
    }
    eventually("all is given back", || {
        let (_, status) = control(&proxy, "GET", "api/status", "");
        status["open_connection_count"] == 0
            && status["open_conversation_count"] == 0
            && proxy.descriptors() <= before + 1
    });
    let now = proxy.resident_bytes();
    assert!(now < warm + (8 << 20), "{warm} bytes became {now}");
}

/// A SYN that names nobody.
fn forged_syn(id: [u8; 3]) -> Vec<u8> {
    [&[0xa1][..], &id, &[0x11; 384], &[0; 3]].concat()
}

#[test]
fn a_proxy_sends_an_address_that_may_be_forged_three_times_what_came_and_a_client_everything() {
    let sent = pattern(100_000);
    let spoken = sent.clone();
    let speaker = service(move |mut stream| stream.write_all(&spoken));
    // A server that has no doubts about its peers.
    let server = Endpoint::server(FREE, speaker, &[]);
    let mut proxy = Proxy::start("udp://127.0.0.1:0", server.carrier(), &QUIET);
    let forged = UdpSocket::bind("127.0.0.1:0").unwrap();
    forged
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    let syn = forged_syn([9; 3]);
    forged.send_to(&syn, address_of(&proxy)).unwrap();
    let (mut message, mut came) = (vec![0; 65_536], 0);
    while let Ok(length) = forged.recv(&mut message) {
        came += length;
    }
    assert!((7..=3 * syn.len()).contains(&came), "{came} bytes came");
    let client = Endpoint::client(proxy.carrier(), &[]);
    let mut stream = client.connect();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    assert!(received == sent, "{} bytes", received.len());
    assert_eq!(proxy.end().code, Some(0));
}

/// Bytes that wait to be read from the UDP socket of a port, in the system's table.
fn unread_bytes(address: SocketAddr) -> u64 {
    let table = std::fs::read_to_string("/proc/net/udp").unwrap();
    let port = format!(":{:04X}", address.port());
    let queues = table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields[1].ends_with(&port).then(|| fields[4].to_owned())
    });
    let queues = queues.expect("the socket is open");
    let (_, unread) = queues.split_once(':').unwrap();
    u64::from_str_radix(unread, 16).unwrap()
}

#[test]
fn forged_clients_of_a_proxy_push_out_one_another_and_nobody_else() {
    let server = Endpoint::server(FREE, echo(), &["--max-conversations", "1000"]);
    for (more, told) in [
        (&[][..], "too many clients: one is forgotten"),
        (
            &["--allow-remote"],
            "too many clients of one host that have not proven its address",
        ),
    ] {
        let more = [&QUIET[..], more].concat();
        let proxy = Proxy::start("udp://127.0.0.1:0", server.carrier(), &more);
        let client = Endpoint::client(proxy.carrier(), &[]);
        let stream = client.connect();
        assert_eq!(exchange(&stream, b"before"), b"before");
        let before = proxy.descriptors();
        let forged: Vec<UdpSocket> = (0..400_u16)
            .map(|number| {
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                let [high, low] = number.to_be_bytes();
                let syn = forged_syn([7, high, low]);
                socket.send_to(&syn, address_of(&proxy)).unwrap();
                // No faster than it reads.
                if number % 20 == 19 {
                    eventually("the proxy has read them", || {
                        unread_bytes(address_of(&proxy)) == 0
                    });
                }
                socket
            })
            .collect();
        proxy.log_has(told);
        assert_eq!(exchange(&stream, b"after"), b"after", "{told}");
        assert_eq!(exchange(&client.connect(), b"anew"), b"anew", "{told}");
        if !more.contains(&"--allow-remote") {
            continue;
        }
        eventually("no more than there may be are left", || {
            proxy.descriptors() <= before + 32
        });
        drop(forged);
    }
}

#[test]
fn what_small_messages_take_while_they_wait_is_what_they_count() {
    // What is counted, buffers of fixed size, and what the allocator keeps.
    const BOUND: u64 = (16 + 10) << 20;
    let sink = upstream(|mut stream| std::io::copy(&mut stream, &mut std::io::sink()).map(drop));
    let small = b"\0\0\0\x05\xa0\x01\x02\x03x".repeat(1_000);
    let fill = |address: SocketAddr| {
        let mut stream = TcpStream::connect(address).unwrap();
        let patience = Some(Duration::from_secs(2));
        stream.set_write_timeout(patience).unwrap();
        let mut rounds = 0;
        while stream.write_all(&small).is_ok() {
            rounds += 1;
            assert!(rounds < 20_000, "nothing stops it");
        }
        stream
    };
    for waits in [
        ["--fault", "c2s: latency=10m"],
        ["--fault", "c2s: latency=10m,dup=100%,reorder=50%"],
        ["--rule", "all: delay 10m"],
    ] {
        let proxy = Proxy::start(FREE, &sink, &[&QUIET[..], &waits].concat());
        let before = proxy.resident_bytes();
        let _stream = fill(address_of(&proxy));
        let grown = proxy.resident_bytes().saturating_sub(before);
        assert!(grown < BOUND, "{waits:?}: {grown}");
        assert!(grown > 4 << 20, "{waits:?}: {grown}");
    }
    // The same in the link of an endpoint.
    let server = Endpoint::server(FREE, echo(), &["--fault", "c2s: latency=10m"]);
    let before = server.resident_bytes();
    let address = server.carrier().trim_start_matches("tcp://");
    let _stream = fill(address.parse().unwrap());
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < BOUND, "{grown}");
}

#[test]
fn what_messages_of_many_conversations_take_while_they_wait_for_others_is_what_they_count() {
    needs!("curl");
    const CONVERSATIONS: u32 = 40_000;
    let sink = upstream(|mut stream| std::io::copy(&mut stream, &mut std::io::sink()).map(drop));
    let mut syns = Vec::new();
    for number in 1..=CONVERSATIONS {
        let [_, id @ ..] = number.to_be_bytes();
        syns.extend([0, 0, 0, 4, 0xa1]);
        syns.extend(id);
    }
    let grown = [&[][..], &["--rule", "all: hold until type == close"]].map(|rules| {
        let more = [&QUIET[..], &WITH_CONTROL, rules].concat();
        let proxy = Proxy::start(FREE, &sink, &more);
        let before = proxy.resident_bytes();
        let mut stream = TcpStream::connect(address_of(&proxy)).unwrap();
        stream.write_all(&syns).unwrap();
        eventually("all are there", || {
            let (_, status) = control(&proxy, "GET", "api/status", "");
            status["open_conversation_count"] == CONVERSATIONS
        });
        proxy.resident_bytes().saturating_sub(before)
    });
    // Half of the bound waits for others; the rest is what the allocator keeps.
    let [without, with] = grown;
    let held = with.saturating_sub(without);
    assert!(held < 10 << 20, "{held}, of {with}");
    assert!(held > 4 << 20, "{held}, of {with}");
}

#[test]
fn connections_to_a_proxy_that_open_no_conversation_in_time_are_ended_where_that_is_asked_for() {
    let server = Endpoint::server(FREE, echo(), &[]);
    let more = [&QUIET[..], &["--first-message-timeout", "1s"]].concat();
    let proxy = Proxy::start(FREE, server.carrier(), &more);
    let client = Endpoint::client(proxy.carrier(), &[]);
    let stream = client.connect();
    assert_eq!(exchange(&stream, b"before"), b"before");
    let began = Instant::now();
    let mut silent = TcpStream::connect(address_of(&proxy)).unwrap();
    let patience = Some(Duration::from_secs(20));
    silent.set_read_timeout(patience).unwrap();
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
    assert!(began.elapsed() >= Duration::from_secs(1));
    proxy.log_has("it sent no SYN within 1s");
    assert_eq!(exchange(&stream, b"after"), b"after");
}
