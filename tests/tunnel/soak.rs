//! Half an hour of use in less than a minute: as many conversations, of all
//! kinds, and nothing is left of them.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::LazyLock;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use socket2::{Domain, SockRef, Socket, Type};

use crate::endpoint::{Endpoint, Tunnel, connect, eventually};
use crate::i2cp::with_router_for;
use crate::metrics::get;
use crate::services::{exchange, pattern, read_to_end};

/// What all that is sent is cut from.
static BYTES: LazyLock<Vec<u8>> = LazyLock::new(|| pattern(1 << 20));

/// After each third, memory is looked at; after each round, the service is away
/// for a while.
const THIRDS: u64 = 3;
const ROUNDS_OF_A_THIRD: u64 = 4;

/// Conversations that find the service away.
const REFUSALS_OF_A_ROUND: u64 = 5;

/// How much is used, and how heavily.
struct Load {
    conversation_count: u64,
    /// A round takes this time at least.
    round_time: Duration,
    /// That many conversations are had at once, beside those that are kept.
    worker_count: u64,
    largest: u32,
    /// How much a process may have grown from the first third to the end: a few
    /// buffers that happen to be in use at once, and less than the conversations
    /// of two thirds would come to if each left its entry.
    growth_bytes: u64,
}

/// What becomes of a conversation. Each begins with a header: this letter, where
/// in [`BYTES`] the bytes begin, and how many they are.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Bytes there and back; the client leaves.
    Echo = b'e' as isize,
    /// The client sends and ends its direction; the service answers and leaves.
    Upload = b'u' as isize,
    /// The service sends and leaves.
    Download = b'd' as isize,
    /// The client resets while bytes come to it.
    ResetDownload = b'r' as isize,
    /// The client resets while it sends.
    ResetUpload = b's' as isize,
}

struct Conversation {
    kind: Kind,
    start: u32,
    length: u32,
}

impl Conversation {
    fn random(rng: &mut Xoshiro256PlusPlus, largest: u32) -> Self {
        let (kind, most) = match rng.random_range(0..100) {
            0..50 => (Kind::Echo, 2_000),
            50..70 => (Kind::Download, 20_000),
            70..72 => (Kind::Download, largest),
            72..85 => (Kind::Upload, 20_000),
            85..87 => (Kind::Upload, largest),
            87..90 => (Kind::Echo, largest),
            90..95 => (Kind::ResetDownload, largest),
            _ => (Kind::ResetUpload, largest),
        };
        Self {
            kind,
            start: rng.random_range(0..100_000),
            length: rng.random_range(1..=most.min(largest)),
        }
    }

    fn header(&self) -> [u8; 9] {
        let mut header = [self.kind as u8; 9];
        header[1..5].copy_from_slice(&self.start.to_be_bytes());
        header[5..].copy_from_slice(&self.length.to_be_bytes());
        header
    }

    fn bytes(&self) -> &'static [u8] {
        cut(self.start, self.length)
    }

    /// Has it as the client; what was to arrive is compared.
    fn take_place(&self, address: SocketAddr) -> io::Result<()> {
        let mut stream = connect(address);
        stream.write_all(&self.header())?;
        match self.kind {
            Kind::Echo => assert!(exchange(&stream, self.bytes()) == self.bytes()),
            Kind::Upload => {
                stream.write_all(self.bytes())?;
                stream.shutdown(Shutdown::Write)?;
                assert_eq!(read_to_end(&mut stream)?, b"as it should be");
            }
            Kind::Download => assert!(read_to_end(&mut stream)? == self.bytes()),
            Kind::ResetDownload => {
                let mut part = vec![0; self.bytes().len() / 2];
                stream.read_exact(&mut part)?;
                assert!(self.bytes().starts_with(&part));
                reset(stream)?;
            }
            Kind::ResetUpload => {
                stream.write_all(&self.bytes()[..self.bytes().len() / 2])?;
                reset(stream)?;
            }
        }
        Ok(())
    }
}

fn cut(start: u32, length: u32) -> &'static [u8] {
    let [start, length] = [start, length].map(|number| usize::try_from(number).unwrap());
    &BYTES[start..start + length]
}

fn reset(stream: TcpStream) -> io::Result<()> {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO))
}

/// The service's part in a conversation.
fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut header = [0; 9];
    stream.read_exact(&mut header)?;
    let [kind, from @ .., a, b, c, d] = header;
    let bytes = cut(u32::from_be_bytes(from), u32::from_be_bytes([a, b, c, d]));
    match kind {
        b'e' => {
            let mut reader = stream.try_clone()?;
            io::copy(&mut reader, &mut stream).map(drop)
        }
        b'd' | b'r' => stream.write_all(bytes),
        _ => {
            // The end of the input does not pass the carrier.
            let mut received = vec![0; bytes.len()];
            stream.read_exact(&mut received)?;
            let verdict: &[u8] = if received == bytes {
                b"as it should be"
            } else {
                b"damaged"
            };
            stream.write_all(verdict)
        }
    }
}

/// A service that can be away for a while, and come back at the same port.
struct Service {
    address: SocketAddr,
    /// Keeps the port from others.
    _port: Socket,
    running: Option<(TcpListener, JoinHandle<()>)>,
}

impl Service {
    fn start() -> Self {
        let port = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        port.set_reuse_address(true).unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        port.bind(&any.into()).unwrap();
        let mut service = Self {
            address: port.local_addr().unwrap().as_socket().unwrap(),
            _port: port,
            running: None,
        };
        service.come_back();
        service
    }

    fn come_back(&mut self) {
        let listener = TcpListener::bind(self.address).unwrap();
        let accepting = listener.try_clone().unwrap();
        let thread = thread::spawn(move || {
            while let Ok((stream, _)) = accepting.accept() {
                // The client may have left in any way.
                thread::spawn(|| answer(stream).ok());
            }
        });
        self.running = Some((listener, thread));
    }

    fn go_away(&mut self) {
        let (listener, thread) = self.running.take().unwrap();
        SockRef::from(&listener).shutdown(Shutdown::Both).unwrap();
        thread.join().unwrap();
    }
}

impl Load {
    /// One worker's conversations of one round.
    fn work(&self, address: SocketAddr, seed: u64) {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let count = self.conversation_count / (THIRDS * ROUNDS_OF_A_THIRD * self.worker_count);
        for number in 0..count {
            let conversation = Conversation::random(&mut rng, self.largest);
            let (kind, length) = (conversation.kind, conversation.length);
            conversation.take_place(address).unwrap_or_else(|error| {
                panic!("seed {seed}, conversation {number}, {kind:?} of {length} bytes: {error}")
            });
        }
    }

    fn round(&self, address: SocketAddr, round: u64) {
        thread::scope(|scope| {
            for worker in 0..self.worker_count {
                scope.spawn(move || self.work(address, round * self.worker_count + worker));
            }
        });
    }

    /// Uses the tunnel that `open` opens to a service; it is still there at the end.
    fn run(&self, open: impl FnOnce(SocketAddr, &[&str]) -> Tunnel) -> Tunnel {
        let mut service = Service::start();
        let tunnel = open(service.address, &["--metrics", "127.0.0.1:0"]);
        let ends = [&tunnel.client, &tunnel.server];
        let kept: Vec<TcpStream> = (0..5).map(|_| keep(&tunnel)).collect();
        assert_alive(&kept);
        let before = ends.map(Endpoint::descriptors);
        let resident = [0, 1, 2].map(|third| {
            for round in 0..ROUNDS_OF_A_THIRD {
                let began = Instant::now();
                self.round(tunnel.client.listen(), third * ROUNDS_OF_A_THIRD + round);
                // Those that were reset before their turn have had it then.
                assert_alive(&[keep(&tunnel)]);
                service.go_away();
                (0..REFUSALS_OF_A_ROUND).for_each(|_| assert_refused(&tunnel));
                service.come_back();
                assert_alive(&kept);
                thread::sleep(self.round_time.saturating_sub(began.elapsed()));
                assert_alive(&kept);
            }
            for end in ends {
                wait_for_rest(end, kept.len());
            }
            ends.map(Endpoint::resident_bytes)
        });
        eventually("all descriptors are closed", || {
            ends.map(Endpoint::descriptors) == before
        });
        for (first, last) in resident[0].into_iter().zip(resident[2]) {
            assert!(
                last < first + self.growth_bytes,
                "{}: {resident:?}",
                tunnel.server.carrier()
            );
        }
        assert_alive(&kept);
        for end in ends {
            assert_only_refusals_failed(&end.log());
        }
        println!("resident bytes after each third: {resident:?}");
        tunnel
    }
}

/// A conversation that stays.
fn keep(tunnel: &Tunnel) -> TcpStream {
    let mut stream = tunnel.connect();
    let conversation = Conversation {
        kind: Kind::Echo,
        start: 0,
        length: 0,
    };
    stream.write_all(&conversation.header()).unwrap();
    stream
}

fn assert_alive(kept: &[TcpStream]) {
    for stream in kept {
        assert!(exchange(stream, &BYTES[..5_000]) == BYTES[..5_000]);
    }
}

fn assert_refused(tunnel: &Tunnel) {
    let error = tunnel.connect().read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

/// Nothing failed but what was refused, each with the leg that failed.
fn assert_only_refusals_failed(log: &str) {
    let (failed, others): (Vec<&str>, Vec<&str>) = log.lines().partition(|line| {
        ["conversation failed", "cannot connect to the service"]
            .iter()
            .any(|words| line.contains(words))
    });
    let refusals = THIRDS * ROUNDS_OF_A_THIRD * REFUSALS_OF_A_ROUND;
    // Of many of a kind some have a line.
    let lines = refusals.min(16)..=refusals;
    assert!(lines.contains(&(failed.len() as u64)), "{log}");
    for line in failed {
        let server =
            line.contains(r#"leg="target""#) && line.contains("cannot connect to the service");
        let client = line.contains(r#"leg="handshake""#) && line.contains("refused by the peer");
        assert!(server || client, "{line}");
    }
    // What an application leaves unread, or writes after its peer is gone, is lost and named.
    let expected = [
        "conversation ended before all was delivered",
        "the answer may be cut",
        "the local side went on sending",
        // The router builds its first tunnels.
        "ministream::notice: waiting: ",
        "ministream::notice: waited ",
    ];
    for line in others {
        assert!(expected.iter().any(|text| line.contains(text)), "{line}");
    }
}

/// Waits until there are no conversations but these, and these are open.
fn wait_for_rest(end: &Endpoint, open: usize) {
    let states = ["syn_sent", "syn_received", "draining", "closing", "ended"];
    let expected: Vec<String> = states
        .iter()
        .map(|state| format!("ministream_conversations{{state=\"{state}\"}} 0\n"))
        .chain([format!(
            "ministream_conversations{{state=\"open\"}} {open}\n"
        )])
        .collect();
    eventually("no conversations but those that are kept", || {
        let numbers = get(end, "/metrics");
        expected.iter().all(|line| numbers.contains(line))
    });
}

#[test]
fn half_an_hour_of_use_over_tcp_leaves_nothing_behind() {
    Load {
        conversation_count: 18_000,
        round_time: Duration::ZERO,
        worker_count: 12,
        largest: 400_000,
        growth_bytes: 4 << 20,
    }
    .run(|target, more| Tunnel::to("tcp://127.0.0.1:0", target, more));
}

#[test]
fn some_minutes_of_use_over_udp_leave_nothing_behind() {
    Load {
        conversation_count: 3_000,
        round_time: Duration::ZERO,
        worker_count: 4,
        largest: 60_000,
        growth_bytes: 1 << 20,
    }
    .run(|target, more| Tunnel::to("udp://127.0.0.1:0", target, more));
}

/// i2pd replaces tunnels each ten minutes, and with them their leases. Beside this run, so that the
/// time is not lost:
///
/// ```sh
/// cargo test --release --all-features --test tunnel -- --ignored --nocapture an_hour_over_i2cp
/// ```
#[test]
#[ignore = "takes an hour"]
fn an_hour_over_i2cp_outlives_the_tunnels_of_its_router() {
    let load = Load {
        conversation_count: 6_000,
        round_time: Duration::from_secs(300),
        worker_count: 4,
        largest: 200_000,
        growth_bytes: 4 << 20,
    };
    let name = "soak::an_hour_over_i2cp_outlives_the_tunnels_of_its_router";
    with_router_for(name, |net| {
        let tunnel = load.run(|target, more| net.tunnel(target, more));
        for end in [&tunnel.client, &tunnel.server] {
            let numbers = get(end, "/metrics");
            let count = numbers
                .lines()
                .find_map(|line| line.strip_prefix("ministream_lease_sets_total "));
            let count: u64 = count.unwrap().parse().unwrap();
            println!("{count} lease sets");
            assert!(count >= 6, "{numbers}");
        }
    });
}
