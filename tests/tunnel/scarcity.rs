//! Machines that are short of something: disk, memory, time, a clock that can be trusted.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use ministream_fixtures::namespace::on_a_small_disk;
use ministream_fixtures::needs;
use ministream_fixtures::program::find;
use rustix::process::Signal;
use serde_json::Value;

use crate::captures::{dissect, records};
use crate::endpoint::{Endpoint, PATIENCE, READY_PATIENCE, Tunnel, command, eventually};
use crate::proxy::{Proxy, QUIET};
use crate::services::{echo, exchange, pattern, read_to_end, service};
use crate::tls::People;

const REOPENED: &str = "opened anew";

fn codes(all: &[Value]) -> Vec<&str> {
    let findings = records(all, "finding").into_iter();
    findings.map(|it| it["code"].as_str().unwrap()).collect()
}

#[test]
fn a_capture_on_a_full_disk_ends_with_a_whole_packet_and_goes_on_when_there_is_room() {
    let name = "scarcity::a_capture_on_a_full_disk_ends_with_a_whole_packet_and_goes_on_when_there_is_room";
    on_a_small_disk(name, 1 << 20, |disk| {
        for carrier in ["tcp://127.0.0.1:0", "udp://127.0.0.1:0"] {
            record_on_a_full_disk(disk, carrier);
        }
    });
}

fn record_on_a_full_disk(disk: &Path, carrier: &str) {
    let (capture, ballast) = (disk.join("capture.pcapng"), disk.join("ballast"));
    fs::write(&ballast, vec![0; 700_000]).unwrap();
    let more = ["--capture", capture.to_str().unwrap()];
    let mut server = Endpoint::server(carrier, echo(), &more);
    let client = Endpoint::client(server.carrier(), &[]);
    let sent = pattern(600_000);
    assert!(exchange(&client.connect(), &sent) == sent, "{carrier}");
    server.wait_for_log("cannot be written and ends here");
    let whole = dissect(&capture);
    assert!(!codes(&whole).contains(&"cap.truncated"), "{carrier}");
    assert_eq!(records(&whole, "conversation").len(), 1, "{carrier}");

    // Without room, beginning anew fails again, and costs the tunnel nothing.
    server.signal(Signal::HUP);
    eventually("SIGHUP is told", || server.log().contains(REOPENED));
    assert!(exchange(&client.connect(), &sent[..1_000]) == sent[..1_000]);
    fs::remove_file(&ballast).unwrap();
    server.signal(Signal::HUP);
    eventually("SIGHUP is told", || {
        server.log().matches(REOPENED).count() == 2
    });
    assert!(exchange(&client.connect(), &sent[..1_000]) == sent[..1_000]);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0), "{carrier}");
    let all = dissect(&capture);
    assert!(!codes(&all).contains(&"cap.truncated"), "{carrier}");
    let conversations = records(&all, "conversation");
    // Where the disk was full in the midst of a message, the way back in may be found in one direction only.
    let has_all = |direction| {
        let mut bytes = conversations
            .iter()
            .map(|it| &it[direction]["payload_bytes"]);
        bytes.any(|bytes| *bytes == 1_000)
    };
    assert!(has_all("c2s") || has_all("s2c"), "{all:#?}");
    assert!(
        server
            .log()
            .contains("only in part: it could not be written"),
        "{}",
        server.log()
    );
    fs::remove_file(&capture).unwrap();
}

/// Answers a question in its own time and ends, and sends back anything else; tells of questions.
pub(crate) fn thoughtful() -> (SocketAddr, mpsc::Receiver<()>) {
    let (asked, questions) = mpsc::channel();
    let target = service(move |mut stream| {
        let mut first = [0];
        stream.read_exact(&mut first)?;
        if first == *b"?" {
            asked.send(()).map_err(io::Error::other)?;
            thread::sleep(Duration::from_secs(1));
            return stream.write_all(&pattern(ANSWER_BYTES));
        }
        stream.write_all(&first)?;
        let mut from = stream.try_clone()?;
        io::copy(&mut from, &mut stream).map(drop)
    });
    (target, questions)
}

const ANSWER_BYTES: usize = 50_000;

/// Each end of a tunnel to a [`thoughtful`] service stands still while bytes, a connection and an
/// answer are on their way.
pub(crate) fn stand_still(server: &Endpoint, client: &Endpoint, questions: &mpsc::Receiver<()>) {
    let bytes = pattern(5_000);
    let mut old = client.connect();
    assert!(exchange(&old, &bytes) == bytes);
    for stopped in [server, client] {
        let mut asking = client.connect();
        asking.write_all(b"?").unwrap();
        if std::ptr::eq(stopped, client) {
            // Its drain of 5 s would run out at a client that goes on.
            asking.shutdown(Shutdown::Write).unwrap();
        }
        questions.recv_timeout(READY_PATIENCE).unwrap();
        stopped.signal(Signal::STOP);
        old.write_all(&bytes).unwrap();
        let mut new = client.connect();
        new.write_all(&bytes).unwrap();
        // Longer than what waits is given when one ends, than an acceptance, than a drain.
        thread::sleep(Duration::from_secs(6));
        stopped.signal(Signal::CONT);
        for stream in [&mut old, &mut new] {
            let mut answer = vec![0; bytes.len()];
            stream.read_exact(&mut answer).unwrap();
            assert!(answer == bytes, "{}", stopped.ready);
        }
        let answer = read_to_end(&mut asking).unwrap();
        assert!(answer == pattern(ANSWER_BYTES), "{}", stopped.ready);
        assert!(exchange(&client.connect(), &bytes) == bytes);
    }
}

#[test]
fn whoever_stood_still_goes_on_where_it_was() {
    for carrier in ["tcp://127.0.0.1:0", "udp://127.0.0.1:0"] {
        let (target, questions) = thoughtful();
        let Tunnel { server, client } = Tunnel::to(carrier, target, &[]);
        stand_still(&server, &client, &questions);
    }
}

#[test]
fn whoever_stood_still_goes_on_where_it_was_over_tls() {
    let people = People::new();
    let (target, questions) = thoughtful();
    let server = people.server("tls://127.0.0.1:0", target, &[]);
    let client = people.client(server.carrier(), &[]);
    stand_still(&server, &client, &questions);
}

/// A proxy stands still for so long while both ends of a tunnel send.
fn have_proxy_stand_still(carrier: &str, time: Duration) {
    // Neither end of the tunnel calls the other silent.
    let patient = ["--idle-timeout", "10m"];
    let server = Endpoint::server(carrier, echo(), &patient);
    let proxy = Proxy::start(carrier, server.carrier(), &QUIET);
    let client = Endpoint::client(proxy.carrier(), &patient);
    let tunnel = Tunnel { server, client };
    let bytes = pattern(5_000);
    let mut old = tunnel.connect();
    assert!(exchange(&old, &bytes) == bytes);
    proxy.signal(Signal::STOP);
    thread::sleep(time);
    old.write_all(&bytes).unwrap();
    let mut new = tunnel.connect();
    new.write_all(&bytes).unwrap();
    thread::sleep(Duration::from_secs(1));
    proxy.signal(Signal::CONT);
    for stream in [&mut old, &mut new] {
        let mut answer = vec![0; bytes.len()];
        stream.read_exact(&mut answer).unwrap();
        assert!(answer == bytes, "{carrier}");
    }
}

#[test]
fn a_proxy_that_stood_still_goes_on_where_it_was() {
    for carrier in ["tcp://127.0.0.1:0", "udp://127.0.0.1:0"] {
        have_proxy_stand_still(carrier, Duration::from_secs(2));
    }
}

#[test]
#[ignore = "six minutes"]
fn a_proxy_that_stood_still_for_longer_than_a_client_may_be_silent_keeps_those_who_spoke() {
    have_proxy_stand_still("udp://127.0.0.1:0", Duration::from_secs(310));
}

#[test]
fn what_came_over_udp_while_a_server_stood_still_makes_no_reader_too_slow() {
    // Reads what comes, and sends back what begins with an `e`.
    let target = service(|mut stream| {
        let mut first = [0];
        stream.read_exact(&mut first)?;
        let mut from = stream.try_clone()?;
        if first == *b"e" {
            io::copy(&mut from, &mut stream).map(drop)
        } else {
            io::copy(&mut from, &mut io::sink()).map(drop)
        }
    });
    let Tunnel { server, client } = Tunnel::to("udp://127.0.0.1:0", target, &[]);
    let mut upload = client.connect();
    // More than a conversation may hold unread, half of it while nobody reads.
    upload.write_all(&vec![b'u'; 1 << 20]).unwrap();
    server.signal(Signal::STOP);
    upload.write_all(&vec![b'u'; 1 << 20]).unwrap();
    thread::sleep(Duration::from_secs(6));
    server.signal(Signal::CONT);
    // Longer than a conversation may hold too much.
    thread::sleep(Duration::from_secs(2));
    upload.set_nonblocking(true).unwrap();
    let end = upload.read(&mut [0]).map_err(|error| error.kind());
    assert_eq!(end, Err(ErrorKind::WouldBlock), "it goes on");
    let mut stream = client.connect();
    stream.write_all(b"e").unwrap();
    assert_eq!(exchange(&stream, b"still"), b"still");
    for end in [&server, &client] {
        assert!(!end.log().contains("too slow"), "{}", end.log());
    }
}

/// Which end of a tunnel stands still.
#[derive(Clone, Copy, Debug)]
enum Stopped {
    Server,
    Client,
}

/// All carriers and either end at the same time. Beside this run, so that the time is not lost:
///
/// ```sh
/// cargo test --all-features --test tunnel -- --ignored --nocapture for_ten_minutes
/// ```
#[test]
#[ignore = "takes ten minutes"]
fn whoever_stood_still_for_ten_minutes_amid_transfers_goes_on_or_ends_them_as_documented() {
    let people = People::new();
    thread::scope(|scope| {
        let people = &people;
        for stopped in [Stopped::Server, Stopped::Client] {
            scope.spawn(move || {
                let tunnel = Tunnel::to("tcp://127.0.0.1:0", prompt(), &[]);
                transfer_beyond_a_stop("tcp", stopped, &tunnel);
            });
            scope.spawn(move || {
                let server = people.server("tls://127.0.0.1:0", prompt(), &[]);
                let client = people.client(server.carrier(), &[]);
                transfer_beyond_a_stop("tls", stopped, &Tunnel { server, client });
            });
            scope.spawn(move || {
                let tunnel = Tunnel::to("udp://127.0.0.1:0", prompt(), &["-v"]);
                be_forgotten_over_udp(stopped, &tunnel);
            });
        }
    });
}

const TEN_MINUTES: Duration = Duration::from_secs(600);

/// `--idle-timeout` where there is one by default.
const IDLE_TIME: Duration = Duration::from_secs(300);

/// What a transfer brings, in pieces of [`PIECE_BYTES`].
const TRANSFER_BYTES: usize = 40 << 20;
const PIECE_BYTES: usize = 1_000;

/// Asked with `d`, it sends [`TRANSFER_BYTES`] and ends; with `t`, a piece each 20 ms until nobody
/// takes any; with `u`, it takes [`TRANSFER_BYTES`] and says whether they were right. What comes
/// behind anything else it sends back.
fn prompt() -> SocketAddr {
    service(|mut stream| {
        let mut first = [0];
        stream.read_exact(&mut first)?;
        match &first {
            b"d" => stream.write_all(&pattern(TRANSFER_BYTES)),
            b"t" => loop {
                stream.write_all(&pattern(PIECE_BYTES))?;
                thread::sleep(Duration::from_millis(20));
            },
            b"u" => {
                let mut came = vec![0; TRANSFER_BYTES];
                stream.read_exact(&mut came)?;
                let is_whole = came == pattern(TRANSFER_BYTES);
                writeln!(stream, "all of it: {is_whole}")
            }
            _ => {
                let mut from = stream.try_clone()?;
                io::copy(&mut from, &mut stream)?;
                stream.shutdown(Shutdown::Write)
            }
        }
    })
}

/// A connection that asked for this, and waits for as long as an end is stopped.
fn patient(tunnel: &Tunnel, asked: &[u8]) -> TcpStream {
    let mut stream = tunnel.connect();
    stream.set_write_timeout(None).unwrap();
    stream.set_read_timeout(None).unwrap();
    stream.write_all(asked).unwrap();
    stream
}

fn answers_at_once(tunnel: &Tunnel) -> bool {
    let mut stream = tunnel.connect();
    stream.write_all(b"e").unwrap();
    exchange(&stream, b"at once") == b"at once"
}

/// A stop in the midst of a download and of an upload loses nothing of either. What is sent back
/// while it comes may fill all that is between, so that its service is a slow reader for as long:
/// it is reset, or whole.
fn transfer_beyond_a_stop(name: &str, stopped: Stopped, tunnel: &Tunnel) {
    let (download, upload, echo) = (
        patient(tunnel, b"d"),
        patient(tunnel, b"u"),
        patient(tunnel, b"e"),
    );
    let bytes = pattern(TRANSFER_BYTES);
    let passed = AtomicUsize::new(0);
    // Each half a second, so that none is over at the stop.
    let write_slowly = |mut stream: &TcpStream| -> io::Result<()> {
        for part in bytes.chunks(TRANSFER_BYTES / 20) {
            stream.write_all(part)?;
            passed.fetch_add(part.len(), Ordering::Relaxed);
            thread::sleep(Duration::from_millis(500));
        }
        Ok(())
    };
    let read_slowly = |mut stream: &TcpStream| -> io::Result<Vec<u8>> {
        let mut came = Vec::new();
        let mut part = vec![0; TRANSFER_BYTES / 20];
        while came.len() < TRANSFER_BYTES {
            let count = stream.read(&mut part)?;
            if count == 0 {
                break;
            }
            came.extend_from_slice(&part[..count]);
            if came.len() < TRANSFER_BYTES / 2 {
                thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(came)
    };
    thread::scope(|scope| {
        let downloading = scope.spawn(|| read_slowly(&download));
        let uploading = scope.spawn(|| write_slowly(&upload));
        scope.spawn(|| write_slowly(&echo).ok());
        let echoing = scope.spawn(|| read_slowly(&echo));
        eventually("the uploads are under way", || {
            passed.load(Ordering::Relaxed) > TRANSFER_BYTES / 10
        });
        stand_still_for_ten_minutes(tunnel, stopped);
        let resumed = Instant::now();
        let downloaded = downloading.join().unwrap().unwrap();
        uploading.join().unwrap().unwrap();
        let told = read_to_end(&mut upload.try_clone().unwrap()).unwrap();
        println!("{name} {stopped:?}: whole after {:?}", resumed.elapsed());
        assert!(downloaded == bytes, "{name}: {}", downloaded.len());
        assert_eq!(told, b"all of it: true\n", "{name}");
        let echoed = echoing.join().unwrap();
        let told = echoed.as_ref().map(Vec::len).map_err(io::Error::kind);
        println!("{name} {stopped:?}: what is sent back: {told:?}");
        match echoed {
            Ok(echoed) => assert!(echoed == bytes, "{name}: {}", echoed.len()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{name}"),
        }
    });
    assert!(answers_at_once(tunnel), "{name}");
}

/// Over udp nobody learns of a stop, and what has no room in the socket is lost. An end that goes on
/// ends a conversation in which nothing has passed for its `--idle-timeout`; one to which it
/// goes on sending lives on, with a hole. New ones are carried at once.
fn be_forgotten_over_udp(stopped: Stopped, tunnel: &Tunnel) {
    let (ticking, quiet) = (patient(tunnel, b"t"), patient(tunnel, b"e"));
    let asked = pattern(5_000);
    assert!(exchange(&quiet, &asked) == asked);
    let mut came = vec![0; 50 * PIECE_BYTES];
    (&mut &ticking).read_exact(&mut came).unwrap();
    assert!(came == pattern(PIECE_BYTES).repeat(50));
    stand_still_for_ten_minutes(tunnel, stopped);
    let resumed = Instant::now();
    assert!(answers_at_once(tunnel), "{stopped:?}");
    println!("udp {stopped:?}: a new one after {:?}", resumed.elapsed());
    let one_read_within = |mut stream: &TcpStream, patience| {
        stream.set_read_timeout(Some(patience)).unwrap();
        let count = stream.read(&mut came.clone());
        count.map_err(|error| error.kind())
    };
    let one_read = |stream| one_read_within(stream, PATIENCE);
    match stopped {
        Stopped::Server => {
            for stream in [&ticking, &quiet] {
                assert_eq!(one_read(stream), Err(ErrorKind::ConnectionReset));
            }
            let log = tunnel.client.log();
            assert_eq!(log.matches("idle for too long").count(), 2, "{log}");
        }
        Stopped::Client => {
            let log = tunnel.server.log();
            assert_eq!(log.matches("idle for too long").count(), 1, "{log}");
            // Beyond whatever waited in the socket.
            let mut bytes = 0;
            while resumed.elapsed() < Duration::from_secs(5) {
                bytes += one_read(&ticking).expect("it goes on");
            }
            println!("udp {stopped:?}: {bytes} bytes of a transfer in 5 s");
            assert!(bytes < 30_000 * PIECE_BYTES, "all of ten minutes");
            // The server's close, if there was room for it in the socket. Otherwise keep-alives that
            // were there have the client wait for its own idle time once more.
            let end = one_read_within(&quiet, 2 * IDLE_TIME);
            assert!(
                matches!(end, Ok(0) | Err(ErrorKind::ConnectionReset)),
                "{end:?}"
            );
        }
    }
}

fn stand_still_for_ten_minutes(tunnel: &Tunnel, stopped: Stopped) {
    let end = match stopped {
        Stopped::Server => &tunnel.server,
        Stopped::Client => &tunnel.client,
    };
    end.signal(Signal::STOP);
    thread::sleep(TEN_MINUTES);
    end.signal(Signal::CONT);
}

/// An endpoint whose clock on the wall shows what a file says; the monotonic one goes right.
fn with_clock(file: &Path, arguments: &[&str]) -> Endpoint {
    // faketime(1) itself would set a moment, and not the file.
    let library = fs::read_dir("/usr/lib")
        .unwrap()
        .map(|entry| entry.unwrap().path().join("faketime/libfaketime.so.1"))
        .find(|path| path.exists())
        .expect("it comes with the program");
    let mut command = command(arguments);
    command
        .env("LD_PRELOAD", library)
        .env("FAKETIME_TIMESTAMP_FILE", file)
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    Endpoint::run(command).unwrap()
}

#[test]
fn a_clock_that_jumps_changes_nothing_but_what_is_written_of_it() {
    needs!("faketime");
    let directory = tempfile::tempdir().unwrap();
    let clock = directory.path().join("clock");
    let show = |offset: &str| fs::write(&clock, format!("{offset}\n")).unwrap();
    for carrier in ["tcp://127.0.0.1:0", "udp://127.0.0.1:0"] {
        show("+0d");
        let capture = directory.path().join("capture.pcapng");
        let target = echo().to_string();
        let arguments = ["server", "--target", &target, "-v", "--carrier", carrier];
        let more = ["--capture", capture.to_str().unwrap()];
        let mut server = with_clock(&clock, &[&arguments[..], &more].concat());
        let listen = "127.0.0.1:0";
        let arguments = ["client", "--listen", listen, "--carrier", server.carrier()];
        let client = with_clock(&clock, &arguments);
        let bytes = pattern(5_000);
        let old = client.connect();
        for offset in ["+0d", "+400d", "-3000d", "+1d"] {
            show(offset);
            assert!(exchange(&old, &bytes) == bytes, "{carrier} {offset}");
            assert!(
                exchange(&client.connect(), &bytes) == bytes,
                "{carrier} {offset}"
            );
        }
        server.signal(Signal::TERM);
        assert_eq!(server.wait().code(), Some(0), "{carrier}");
        // The clock did jump: the log has its time.
        let years = |log: &str| {
            let mut years: Vec<_> = log.lines().map(|line| line[..4].to_owned()).collect();
            years.sort_unstable();
            years.dedup();
            years.len()
        };
        assert!(years(&server.log()) >= 3, "{}", server.log());
        // Time in a capture does not run backwards.
        let all = dissect(&capture);
        let only_ended = codes(&all).into_iter().all(|code| code == "ms.no_close");
        assert!(only_ended, "{carrier}: {:?}", codes(&all));
        assert_eq!(records(&all, "conversation").len(), 5, "{carrier}");
    }
}

#[test]
fn a_tunnel_that_hardly_gets_the_processor_loses_nothing() {
    needs!("taskset");
    // On one processor, which another process of nine times the weight wants all the time.
    let on_one_processor = |program: &[&str]| {
        let mut command = Command::new(find("taskset").unwrap());
        command
            .args(["-c", "0"])
            .args(program)
            .env_remove("MINISTREAM_LOG");
        command
    };
    let spinning = on_one_processor(&["sh", "-c", "while :; do :; done"]).spawn();
    let spinning = Spinning(spinning.unwrap());
    let starved = |arguments: &[&str]| {
        let nice = ["nice", "-n", "10", env!("CARGO_BIN_EXE_ministream-replay")];
        Endpoint::run(on_one_processor(&[&nice[..], arguments].concat())).unwrap()
    };
    for carrier in ["tcp://127.0.0.1:0", "udp://127.0.0.1:0"] {
        let target = echo().to_string();
        let server = starved(&["server", "--target", &target, "--carrier", carrier]);
        let listen = "127.0.0.1:0";
        let client = starved(&["client", "--listen", listen, "--carrier", server.carrier()]);
        thread::scope(|scope| {
            for length in [1, 1_000, 50_000] {
                let stream = client.connect();
                scope.spawn(move || {
                    let bytes = pattern(length);
                    assert!(exchange(&stream, &bytes) == bytes, "{carrier} {length}");
                });
            }
        });
    }
    drop(spinning);
}

/// A process that wants the processor, until it is dropped.
struct Spinning(std::process::Child);

impl Drop for Spinning {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_server_in_little_memory_serves_as_many_as_it_may() {
    let target = echo().to_string();
    let carrier = "tcp://127.0.0.1:0";
    let arguments = ["server", "--carrier", carrier, "--target", &target];
    let server = Endpoint::limited("-v 200000", &arguments);
    let client = Endpoint::client(server.carrier(), &[]);
    let bytes = pattern(200_000);
    thread::scope(|scope| {
        for _ in 0..200 {
            scope.spawn(|| assert!(exchange(&client.connect(), &bytes) == bytes));
        }
    });
}

/// Sends so much to whoever connects, and tells whether all of it was taken and the other end went in order.
fn speaker(bytes: usize) -> (SocketAddr, mpsc::Receiver<bool>) {
    let (told, ends) = mpsc::channel();
    let spoken: Arc<[u8]> = pattern(bytes).into();
    let target = service(move |mut stream| {
        let sent = stream.write_all(&spoken);
        let sent = sent.and_then(|()| stream.shutdown(Shutdown::Write));
        let is_whole = sent.and_then(|()| io::copy(&mut stream, &mut io::sink()));
        told.send(is_whole.is_ok()).map_err(io::Error::other)
    });
    (target, ends)
}

/// How many of the applications got all bytes and an orderly end; all others must see their
/// connections reset.
fn whole_answers(client: &Endpoint, count: usize, bytes: usize, patience: Duration) -> usize {
    let expected = &pattern(bytes);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..count)
            .map(|_| {
                scope.spawn(|| {
                    let mut stream = client.connect();
                    thread::sleep(patience);
                    let mut received = Vec::new();
                    match stream.read_to_end(&mut received) {
                        Ok(_) => {
                            assert!(received == *expected, "a part looks like the whole");
                            true
                        }
                        Err(error) => {
                            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                            false
                        }
                    }
                })
            })
            .collect();
        let whole = readers.into_iter().map(|reader| reader.join().unwrap());
        whole.filter(|is_whole| *is_whole).count()
    })
}

#[test]
fn an_end_that_gets_no_memory_ends_with_an_error_and_nobody_takes_a_part_for_the_whole() {
    // Little more than a program needs to begin.
    const LITTLE: &str = "-v 61440";
    const BYTES: usize = 8_000_000;
    let carrier = "tcp://127.0.0.1:0";
    let (target, ends) = speaker(BYTES);
    let address = target.to_string();
    let server_arguments = ["server", "--carrier", carrier, "--target", &address];
    let mut server = Endpoint::limited(
        LITTLE,
        &[&server_arguments[..], &["--buffer", "16MiB"]].concat(),
    );
    let client = Endpoint::client(server.carrier(), &["--reconnect"]);
    let whole = whole_answers(&client, 64, BYTES, Duration::from_secs(6));
    assert!(whole < 64, "it had enough");
    let status = server.wait();
    assert!(!status.success(), "{status}");
    server.wait_for_log("memory allocation of");
    // Each was served to its end, or reset.
    let served = ends.try_iter().filter(|is_whole| *is_whole).count();
    assert!(served >= whole, "{served} {whole}");

    // One whose applications do not read what it may hold, which is more than the system's buffers take.
    const MANY_BYTES: usize = 40_000_000;
    let (target, ends) = speaker(MANY_BYTES);
    let server = Endpoint::server(carrier, target, &[]);
    let client_arguments = ["client", "--carrier", server.carrier(), "--listen"];
    let more = ["127.0.0.1:0", "--buffer", "1GiB", "--slow-reader", "pause"];
    let mut client = Endpoint::limited(LITTLE, &[&client_arguments[..], &more].concat());
    let whole = whole_answers(&client, 4, MANY_BYTES, Duration::from_secs(6));
    assert!(whole < 4, "it had enough");
    let status = client.wait();
    assert!(!status.success(), "{status}");
    client.wait_for_log("memory allocation of");
    eventually("the server tells the service", || {
        ends.try_iter().any(|is_whole| !is_whole)
    });
    // The other end is none the worse.
    let client = Endpoint::client(server.carrier(), &[]);
    assert_eq!(whole_answers(&client, 1, MANY_BYTES, Duration::ZERO), 1);
}

#[test]
fn half_a_gigabyte_of_addresses_is_enough_for_an_end_with_many_conversations() {
    const MODERATE: &str = "-v 524288";
    const BYTES: usize = 2_000_000;
    for carrier in ["tcp://127.0.0.1:0", "udp://127.0.0.1:0"] {
        let target = echo().to_string();
        let server = ["server", "--carrier", carrier, "--target", &target];
        let server = Endpoint::limited(MODERATE, &server);
        let client = ["client", "--carrier", server.carrier()];
        let client = [&client[..], &["--listen", "127.0.0.1:0"]].concat();
        let client = Endpoint::limited(MODERATE, &client);
        // What a socket for datagrams has no room for is lost.
        let bytes = if carrier.starts_with("tcp") {
            BYTES
        } else {
            2_000
        };
        thread::scope(|scope| {
            for _ in 0..64 {
                scope.spawn(|| {
                    let sent = pattern(bytes);
                    assert!(exchange(&client.connect(), &sent) == sent, "{carrier}");
                });
            }
        });
    }
}
