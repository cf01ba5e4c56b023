//! No part of an answer looks like the whole.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use socket2::SockRef;

use crate::endpoint::{
    Endpoint, PATIENCE, Tunnel, command, eventually, eventually_within, stdio, wait,
};
use crate::metrics::get;
use crate::services::{deaf, exchange, pattern, read_to_end, service};
use crate::tls::People;

const CUT: &str = "the answer may be cut";

const CARRIERS: [&str; 2] = ["tcp://127.0.0.1:0", "udp://127.0.0.1:0"];

/// Reads to the reset that ends the stream; what came before it.
pub(crate) fn read_to_reset(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => panic!("an orderly end behind {} bytes", all.len()),
            Ok(count) => all.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return all,
            Err(error) => panic!("{error} behind {} bytes", all.len()),
        }
    }
}

/// Answers in two parts, `pause` apart.
fn in_two_parts(pause: Duration) -> SocketAddr {
    service(move |mut stream| {
        stream.read_exact(&mut [0; 8])?;
        stream.write_all(b"one part")?;
        // The silence that is longer, or shorter, than a drain.
        thread::sleep(pause);
        stream.write_all(b", and the other")
    })
}

fn half_closed(client: &Endpoint) -> TcpStream {
    let mut stream = client.connect();
    stream.write_all(b"question").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    stream
}

#[test]
fn an_answer_that_pauses_for_longer_than_the_drain_ends_in_a_reset_and_both_sides_say_so() {
    for carrier in CARRIERS {
        let target = in_two_parts(Duration::from_millis(1_200));
        let server = Endpoint::server(carrier, target, &[]);
        let client = Endpoint::client(server.carrier(), &["--on-eof", "drain:400ms"]);
        assert_eq!(read_to_reset(&mut half_closed(&client)), b"one part");
        client.wait_for_log(CUT);
        assert_eq!(
            client.log_line(CUT),
            "WARN ministream::runtime::tunnel::record: the answer may be cut: --on-eof drain:T \
             waits longer, drain:off without limit conv=c1 client_id=_ server_id=_ base64=_ peer=_ \
             count=1 leg=\"carrier\" sent_bytes=8 delivered_bytes=8 end=the peer neither sent more nor \
             closed after our end of input"
        );
        // What the service sends to nobody is counted when its connection ends.
        server.wait_for_log("lost_bytes=15");
    }
}

#[test]
fn a_drain_without_limit_waits_for_the_rest() {
    let target = in_two_parts(Duration::from_millis(900));
    let server = Endpoint::server("tcp://127.0.0.1:0", target, &[]);
    let short = Endpoint::client(server.carrier(), &["--on-eof", "drain:300ms"]);
    let client = Endpoint::client(server.carrier(), &["--on-eof", "drain:off"]);
    assert_eq!(read_to_reset(&mut half_closed(&short)), b"one part");
    let whole = read_to_end(&mut half_closed(&client)).unwrap();
    assert_eq!(whole, b"one part, and the other");
    short.wait_for_log(CUT);
    assert!(!client.log().contains(CUT), "{}", client.log());
}

#[test]
fn an_answer_that_is_cut_on_standard_output_is_a_failure() {
    let target = in_two_parts(Duration::from_secs(60));
    let server = Endpoint::server("tcp://127.0.0.1:0", target, &[]);
    let (mut child, mut input, mut output) = stdio(server.carrier(), &["--on-eof", "drain:400ms"]);
    input.write_all(b"question").unwrap();
    drop(input);
    let mut answer = String::new();
    output.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "one part");
    assert_eq!(wait(&mut child).code(), Some(4));
}

#[test]
fn an_application_that_left_with_its_answer_is_no_warning() {
    let echo = crate::services::echo();
    let tunnel = Tunnel::to(
        "tcp://127.0.0.1:0",
        echo,
        &["--on-eof", "drain:200ms", "-v"],
    );
    let mut stream = tunnel.connect();
    stream.write_all(b"question").unwrap();
    stream.read_exact(&mut [0; 8]).unwrap();
    drop(stream);
    tunnel.client.wait_for_log("conversation ended");
    assert!(
        !tunnel.client.log().contains("WARN"),
        "{}",
        tunnel.client.log()
    );
}

#[test]
fn a_service_that_breaks_its_connection_is_told_with_what_it_had_sent() {
    let (arrived, arrivals) = mpsc::channel();
    let arrivals = Arc::new(Mutex::new(arrivals));
    let rude = service(move |mut stream| {
        stream.read_exact(&mut [0; 8])?;
        stream.write_all(b"half of it")?;
        // A reset drops what was not read before it.
        let half_arrived = arrivals.lock().unwrap().recv();
        half_arrived.map_err(io::Error::other)?;
        SockRef::from(&stream).set_linger(Some(Duration::ZERO))
    });
    for carrier in CARRIERS {
        let tunnel = Tunnel::to(carrier, rude, &[]);
        let mut stream = tunnel.connect();
        stream.write_all(b"question").unwrap();
        let mut half = [0; 10];
        stream.read_exact(&mut half).unwrap();
        assert_eq!(&half, b"half of it");
        arrived.send(()).unwrap();
        // The protocol has no reset: this side cannot know.
        assert_eq!(read_to_end(&mut stream).unwrap(), b"");
        tunnel
            .server
            .wait_for_log("the service broke its connection");
        assert_eq!(
            tunnel.server.log_line("the service broke its connection"),
            "WARN ministream::runtime::tunnel::record: the service broke its connection: the peer \
             may have a part of the answer only, and takes it for the whole conv=c1 client_id=_ \
             server_id=_ base64=_ peer=_ count=1 leg=\"target\" sent_bytes=10 \
             received_bytes=8 unsent_bytes=0 error=Connection reset by peer (os error 104)"
        );
    }
}

#[test]
fn an_upload_that_the_peer_cuts_off_ends_in_a_reset_behind_its_answer() {
    let server = Endpoint::server("tcp://127.0.0.1:0", deaf(), &["--buffer", "64KiB"]);
    let client = Endpoint::client(server.carrier(), &[]);
    let mut stream = client.connect();
    // More than the sockets on the way can hold.
    let upload = vec![0; 96 * 1024 * 1024];
    let mut sender = stream.try_clone().unwrap();
    let sending = thread::spawn(move || sender.write_all(&upload));
    // The server takes no more from the link, so that bytes wait in the client.
    server.wait_for_log("nothing is taken from the link");
    server.signal(Signal::TERM);
    // A socket reports a reset once, to whoever of reader and writer comes first; the reader
    // that comes second is told of an end, and the writer of a broken pipe.
    let read = stream.read(&mut [0; 4096]).map_err(|error| error.kind());
    let sent = sending.join().unwrap().map_err(|error| error.kind());
    let reset = ErrorKind::ConnectionReset;
    match (read, sent) {
        (Err(read), _) if read == reset => {}
        (Ok(0), Err(sent)) if sent == reset => {}
        other => panic!("no reset, but {other:?}"),
    }
    client.wait_for_log("unsent_bytes=");
}

#[test]
fn a_client_that_is_ended_by_a_signal_resets_what_it_carries() {
    let greeter = service(|mut stream| {
        stream.write_all(b"the beginning")?;
        thread::park();
        Ok(())
    });
    let tunnel = Tunnel::to("tcp://127.0.0.1:0", greeter, &[]);
    let mut stream = tunnel.connect();
    let mut beginning = [0; 13];
    stream.read_exact(&mut beginning).unwrap();
    tunnel.client.signal(Signal::TERM);
    assert_eq!(read_to_reset(&mut stream), b"");
    eventually("the server knows", || {
        TcpStream::connect(tunnel.client.listen()).is_err()
    });
}

#[test]
fn an_answer_that_is_waited_for_when_a_signal_ends_the_client_is_reset() {
    let target = in_two_parts(Duration::from_secs(60));
    let tunnel = Tunnel::to("tcp://127.0.0.1:0", target, &["--on-eof", "drain:off"]);
    let mut stream = half_closed(&tunnel.client);
    stream.read_exact(&mut [0; 8]).unwrap();
    tunnel.client.signal(Signal::TERM);
    assert_eq!(read_to_reset(&mut stream), b"");
}

/// Sends without end.
fn flood(stream: &mut TcpStream) -> ErrorKind {
    let bytes = vec![b'x'; 64 * 1024];
    loop {
        if let Err(error) = stream.write_all(&bytes) {
            return error.kind();
        }
    }
}

/// How a stream ended for its reader.
pub(crate) type Ending = Result<(), ErrorKind>;

/// Greets, reads what comes, and tells how it ended.
pub(crate) fn listener() -> (SocketAddr, mpsc::Receiver<Ending>) {
    let (told, heard) = mpsc::channel();
    let target = service(move |mut stream| {
        stream.write_all(b"!")?;
        let read = io::copy(&mut stream, &mut io::sink());
        told.send(read.map(drop).map_err(|error| error.kind())).ok();
        Ok(())
    });
    (target, heard)
}

/// How often each signal is sent: a second one does not wait.
const SIGNALS: [usize; 2] = [1, 2];

pub(crate) fn end_by_signals(endpoint: &mut Endpoint, count: usize) {
    for _ in 0..count {
        endpoint.signal(Signal::TERM);
    }
    assert_eq!(endpoint.wait().code(), Some(0), "{}", endpoint.log());
}

#[test]
fn a_download_in_the_midst_of_which_either_end_gets_a_signal_ends_in_a_reset_over_tcp() {
    let target = service(|mut stream| {
        flood(&mut stream);
        Ok(())
    });
    for count in SIGNALS {
        for ends_server in [true, false] {
            let mut tunnel = Tunnel::to("tcp://127.0.0.1:0", target, &[]);
            let mut stream = tunnel.connect();
            stream.read_exact(&mut vec![0; 1024 * 1024]).unwrap();
            let reading = thread::spawn(move || read_to_reset(&mut stream));
            if ends_server {
                end_by_signals(&mut tunnel.server, count);
            } else {
                end_by_signals(&mut tunnel.client, count);
            }
            let rest = reading.join().unwrap();
            assert!(rest.iter().all(|byte| *byte == b'x'));
        }
    }
}

#[test]
fn an_upload_in_the_midst_of_which_either_end_gets_a_signal_ends_in_a_reset_over_tcp() {
    for count in SIGNALS {
        for ends_server in [true, false] {
            let (target, heard) = listener();
            let mut tunnel = Tunnel::to("tcp://127.0.0.1:0", target, &[]);
            let mut stream = tunnel.connect();
            stream.read_exact(&mut [0; 1]).unwrap();
            stream.write_all(&vec![b'x'; 1024 * 1024]).unwrap();
            let sending = thread::spawn(move || flood(&mut stream));
            if ends_server {
                end_by_signals(&mut tunnel.server, count);
            } else {
                end_by_signals(&mut tunnel.client, count);
            }
            let end = heard.recv_timeout(Duration::from_secs(10)).unwrap();
            assert_eq!(end, Err(ErrorKind::ConnectionReset), "{ends_server}");
            // Not for want of patience.
            assert_ne!(sending.join().unwrap(), ErrorKind::WouldBlock);
        }
    }
}

/// `d` has it send without end, `u` read to an end that it tells of; anything else comes back.
fn endless_both_ways() -> (SocketAddr, mpsc::Receiver<Ending>) {
    let (told, heard) = mpsc::channel();
    let target = service(move |mut stream| {
        let mut first = [0; 1];
        stream.read_exact(&mut first)?;
        let mut from = stream.try_clone()?;
        match &first {
            b"d" => {
                flood(&mut stream);
            }
            b"u" => {
                stream.write_all(b"!")?;
                let read = io::copy(&mut from, &mut io::sink());
                told.send(read.map(drop).map_err(|error| error.kind())).ok();
            }
            _ => {
                stream.write_all(&first)?;
                io::copy(&mut from, &mut stream)?;
            }
        }
        Ok(())
    });
    (target, heard)
}

/// Ends either end with each of these signals while a download and an upload are under way, and
/// starts it again. `serve` is told where, and to what service; `call` at which carrier, and
/// where to listen.
pub(crate) fn restart_either_end(
    carrier: &str,
    serve: impl Fn(&str, SocketAddr) -> Endpoint,
    call: impl Fn(&str, &str) -> Endpoint,
    endings: &[&[Signal]],
    sent: &[u8],
) {
    let (target, heard) = endless_both_ways();
    let mut server = serve(carrier, target);
    let carrier = server.carrier().to_owned();
    let mut client = call(&carrier, "127.0.0.1:0");
    let listen = client.listen().to_string();
    for signals in endings {
        for ends_server in [true, false] {
            let mut download = client.connect();
            download.write_all(b"d").unwrap();
            download.read_exact(&mut vec![0; 1024 * 1024]).unwrap();
            let reading = thread::spawn(move || read_to_reset(&mut download));
            let mut upload = client.connect();
            upload.write_all(b"u").unwrap();
            upload.read_exact(&mut [0; 1]).unwrap();
            let sending = thread::spawn(move || flood(&mut upload));
            // Nothing else has ended them before.
            for end in [&server, &client] {
                assert!(!end.log().contains("too slow"), "{}", end.log());
            }
            let end = if ends_server {
                &mut server
            } else {
                &mut client
            };
            for signal in *signals {
                end.signal(*signal);
            }
            end.wait();
            let rest = reading.join().unwrap();
            assert!(rest.iter().all(|byte| *byte == b'x'));
            let ending = heard.recv_timeout(PATIENCE).unwrap();
            assert_eq!(ending, Err(ErrorKind::ConnectionReset), "{signals:?}");
            // Not for want of patience.
            assert_ne!(sending.join().unwrap(), ErrorKind::WouldBlock);
            if ends_server {
                server = serve(&carrier, target);
            } else {
                client = call(&carrier, &listen);
            }
            // A SYN that went to the session of the end that was killed has no answer, and is waited for.
            eventually_within(4 * PATIENCE, "the tunnel serves again", || {
                let mut stream = client.connect();
                let mut answer = [0];
                stream.write_all(b"x").is_ok() && stream.read_exact(&mut answer).is_ok()
            });
            assert!(exchange(&client.connect(), sent) == sent, "{signals:?}");
        }
    }
}

const ENDINGS: [&[Signal]; 3] = [&[Signal::TERM], &[Signal::TERM; 2], &[Signal::KILL]];

#[test]
fn a_restart_of_either_end_over_tls_ends_what_it_carries_in_resets_and_what_follows_is_whole() {
    let people = People::new();
    let serve = |carrier: &str, target| people.server(carrier, target, &[]);
    let call = |carrier: &str, listen: &str| {
        let mut program = command(&["client", "--carrier", carrier, "--listen", listen]);
        program.args(people.calling()).arg("--reconnect");
        Endpoint::run(program).unwrap()
    };
    let sent = pattern(1_000_000);
    restart_either_end("tls://127.0.0.1:0", serve, call, &ENDINGS, &sent);
}

#[test]
fn a_restart_of_either_end_over_tcp_ends_what_it_carries_in_resets_and_what_follows_is_whole() {
    let serve = |carrier: &str, target| Endpoint::server(carrier, target, &[]);
    let call = |carrier: &str, listen: &str| {
        let arguments = ["client", "--carrier", carrier, "--listen", listen];
        Endpoint::start(&[&arguments[..], &["--reconnect"]].concat())
    };
    let sent = pattern(1_000_000);
    restart_either_end("tcp://127.0.0.1:0", serve, call, &ENDINGS, &sent);
}

#[test]
fn a_restart_of_either_end_over_udp_ends_what_it_carries_in_resets_and_what_follows_is_whole() {
    // What tells of the end of a client.
    const IDLE: [&str; 2] = ["--idle-timeout", "2s"];
    let serve = |carrier: &str, target| Endpoint::server(carrier, target, &IDLE);
    let call = |carrier: &str, listen: &str| {
        let arguments = ["client", "--carrier", carrier, "--listen", listen];
        Endpoint::start(&[&arguments[..], &IDLE].concat())
    };
    // Few enough that none is lost on the way.
    let sent = pattern(10_000);
    restart_either_end("udp://127.0.0.1:0", serve, call, &ENDINGS, &sent);
}

#[test]
fn what_is_complete_when_a_signal_ends_the_server_is_delivered_whole_beside_what_is_not() {
    const ANSWER: usize = 8 * 1024 * 1024;
    let target = service(|mut stream| {
        let mut first = [0; 1];
        stream.read_exact(&mut first)?;
        if first == *b"?" {
            stream.write_all(&pattern(ANSWER))
        } else {
            io::copy(&mut stream, &mut io::sink()).map(drop)
        }
    });
    let more = ["-v", "--buffer", "16MiB"];
    let mut tunnel = Tunnel::to("tcp://127.0.0.1:0", target, &more);
    let mut reader = tunnel.connect();
    reader.write_all(b"?").unwrap();
    // All of it waits in the client, for a reader that takes its time.
    tunnel.client.wait_for_log("conversation ended");
    let mut upload = tunnel.connect();
    upload.write_all(&vec![b'x'; 1024 * 1024]).unwrap();
    let sending = thread::spawn(move || flood(&mut upload));
    end_by_signals(&mut tunnel.server, 1);
    sending.join().unwrap();
    let answer = read_to_end(&mut reader).unwrap();
    assert!(answer == pattern(ANSWER), "{} bytes", answer.len());
    drop(reader);
    assert_eq!(
        tunnel.client.wait().code(),
        Some(4),
        "{}",
        tunnel.client.log()
    );
}

#[test]
fn a_signal_in_the_midst_of_an_answer_over_udp_never_looks_like_its_end() {
    const IDLE: [&str; 2] = ["--idle-timeout", "2s"];
    for asks_on in [false, true] {
        let target = service(|mut stream| {
            stream.write_all(b"the beginning")?;
            thread::park();
            Ok(())
        });
        // Who asks on is told by the system that nobody is there; who waits notices the silence.
        let more = if asks_on { &[][..] } else { &IDLE };
        let mut tunnel = Tunnel::to("udp://127.0.0.1:0", target, more);
        let mut stream = tunnel.connect();
        stream.read_exact(&mut [0; 13]).unwrap();
        end_by_signals(&mut tunnel.server, 1);
        let asked = if asks_on {
            stream.write_all(b"and the rest?")
        } else {
            Ok(())
        };
        match asked {
            Ok(()) => assert_eq!(read_to_reset(&mut stream), b""),
            // What the client had sent before was answered in the same way.
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
        let log = tunnel.server.log();
        assert!(!log.contains("WARN"), "{log}");
    }
}

#[test]
fn what_is_complete_when_a_signal_ends_an_end_over_udp_is_told_so() {
    let (asked, asking) = mpsc::channel();
    let target = service(move |mut stream| {
        let question = read_to_end(&mut stream)?;
        asked.send(question).map_err(io::Error::other)
    });
    let server = Endpoint::server("udp://127.0.0.1:0", target, &[]);
    let more = ["--on-eof", "drain:off", "--metrics", "127.0.0.1:0"];
    let mut client = Endpoint::client(server.carrier(), &more);
    let mut stream = client.connect();
    stream.write_all(b"all of it").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    eventually("the client waits for the rest of the answer", || {
        get(&client, "/metrics").contains("ministream_conversations{state=\"draining\"} 1\n")
    });
    end_by_signals(&mut client, 1);
    assert_eq!(asking.recv_timeout(PATIENCE).unwrap(), b"all of it");
}

#[test]
fn a_client_on_standard_output_fails_when_a_signal_ends_the_server_before_the_answer_is_whole() {
    let target = service(|mut stream| {
        stream.write_all(b"the beginning")?;
        thread::park();
        Ok(())
    });
    let mut server = Endpoint::server("tcp://127.0.0.1:0", target, &[]);
    let (mut child, input, mut output) = stdio(server.carrier(), &[]);
    output.read_exact(&mut [0; 13]).unwrap();
    end_by_signals(&mut server, 1);
    assert_eq!(wait(&mut child).code(), Some(4));
    drop(input);
}
