//! Every pair of makes, over every carrier, in every kind of exchange.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ministream_fixtures::namespace::in_namespace;
use ministream_fixtures::needs;
use ministream_fixtures::router::Router;
use socket2::{Domain, Socket, Type};

use super::Make;
use crate::endpoint::{Endpoint, connect};
use crate::i2cp::make_keys;
use crate::services::pattern;

const MIB: usize = 1 << 20;

/// Who is the client, and who the server.
const PAIRS: &[(Make, Make)] = &[
    (Make::Ours, Make::Ours),
    (Make::Ours, Make::REFERENCE),
    (Make::Ours, Make::PLAIN),
    (Make::REFERENCE, Make::Ours),
    (Make::PLAIN, Make::Ours),
];

/// How long silence has to last to be one.
const SILENCE: Duration = Duration::from_millis(1_500);

#[test]
fn every_pair_of_makes_exchanges_everything_over_tcp() {
    needs!("python3");
    for_every_pair("tcp://127.0.0.1:0", "");
}

#[test]
fn every_pair_of_makes_exchanges_everything_over_udp() {
    needs!("python3");
    for_every_pair("udp://127.0.0.1:0", "");
}

#[test]
fn with_each_habit_alone_and_with_all_but_each_exchanges_are_equal_over_tcp() {
    needs!("python3");
    for_every_habit("tcp://127.0.0.1:0", "", &SHORT);
}

#[test]
fn with_each_habit_alone_and_with_all_but_each_exchanges_are_equal_over_udp() {
    needs!("python3");
    for_every_habit("udp://127.0.0.1:0", "", &SHORT);
}

#[test]
fn every_pair_of_makes_exchanges_everything_over_i2cp() {
    needs!("python3", "i2pd");
    let name = "other_make::matrix::every_pair_of_makes_exchanges_everything_over_i2cp";
    in_namespace(name, || {
        let router = Router::start();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_str().unwrap();
        let carrier = format!("i2cp://{}", router.i2cp());
        thread::scope(|scope| {
            scope.spawn(|| for_every_pair(&carrier, path));
            scope.spawn(|| for_every_habit(&carrier, path, &SHORTEST));
        });
    });
}

/// How many bytes are moved in each kind of exchange.
struct Lengths {
    server_closes: &'static [usize],
    client_closes: &'static [usize],
    uploads: &'static [usize],
}

const ALL: Lengths = Lengths {
    server_closes: &[1, 32_767, 32_768, 32_769, 100_000, 5 * MIB],
    client_closes: &[1, 20_000, 32_768],
    uploads: &[1_000, 40_000, 5 * MIB],
};

const SHORT: Lengths = Lengths {
    server_closes: &[1, 32_769, 100_000],
    client_closes: &[32_768],
    uploads: &[1_000, 40_000],
};

const SHORTEST: Lengths = Lengths {
    server_closes: &[1, 40_000],
    client_closes: &[20_000],
    uploads: &[1_000],
};

/// What the second make does with each habit by itself, as client and as server of ours.
fn for_every_habit(carrier: &str, keys: &str, lengths: &Lengths) {
    let makes: Vec<(usize, Make)> = Make::by_habit().enumerate().collect();
    // Datagrams find no room where too many processes want the machine at once.
    let at_once = if carrier.starts_with("udp") {
        makes.len() / 3
    } else {
        makes.len()
    };
    for makes in makes.chunks(at_once) {
        thread::scope(|scope| {
            for &(number, make) in makes {
                let keys = format!("{keys}/habit{number}.dat");
                scope.spawn(move || {
                    // Half of them as servers and half as clients where sessions are dear.
                    let roles = [(Make::Ours, make), (make, Make::Ours)];
                    let is_dear = carrier.starts_with("i2cp");
                    let roles = match (is_dear, number % 4) {
                        (false, _) => &roles[..],
                        (true, 0 | 3) => &roles[..1],
                        (true, _) => &roles[1..],
                    };
                    for &(client, server) in roles {
                        Cell::new(carrier, client, server, &keys).exchange(lengths);
                    }
                });
            }
        });
    }
}

/// All pairs at the same time; most of their time they wait.
fn for_every_pair(carrier: &str, keys: &str) {
    thread::scope(|scope| {
        for (number, &(client, server)) in PAIRS.iter().enumerate() {
            let keys = format!("{keys}/pair{number}.dat");
            scope.spawn(move || {
                let cell = Cell::new(carrier, client, server, &keys);
                cell.exchange(&ALL);
                cell.not_accepted();
                cell.killed();
            });
        }
        scope.spawn(|| {
            nobody_accepts(&Cell::new(carrier, Make::Ours, Make::NEVER_ACCEPTS, ""));
        });
    });
}

/// A pair of makes over a carrier, before the service of the tests.
struct Cell {
    name: String,
    client_make: Make,
    server_make: Make,
    carrier: String,
    service: Service,
    server: Endpoint,
    client: Endpoint,
}

impl Cell {
    fn new(carrier: &str, client_make: Make, server_make: Make, keys: &str) -> Self {
        let service = Service::start();
        if carrier.starts_with("i2cp") && server_make == Make::Ours {
            make_keys(Path::new(keys));
        }
        let server = server_make.server(carrier, service.address, keys);
        let client = client_make.client(carrier, &server);
        Self {
            name: format!("{client_make:?} → {server_make:?}, {carrier}"),
            client_make,
            server_make,
            carrier: carrier.to_owned(),
            service,
            server,
            client,
        }
    }

    fn exchange(&self, lengths: &Lengths) {
        for &length in lengths.server_closes {
            self.server_closes_first(length);
        }
        for &length in lengths.client_closes {
            self.client_closes_first(length);
        }
        self.twenty_at_once();
        for &length in lengths.uploads {
            self.upload(length);
        }
        self.rest_of_a_message();
        self.refused();
    }

    fn ask(&self, question: &str) -> TcpStream {
        let mut stream = connect(self.client.listen());
        writeln!(stream, "{question}").unwrap();
        stream
    }

    fn is_lossy(&self) -> bool {
        self.carrier.starts_with("udp")
    }

    #[track_caller]
    fn check(&self, got: &[u8], want: &[u8], what: &str) {
        // Nothing recovers a datagram that finds no room (docs/protocol.md, "Carriers").
        if self.is_lossy() && want.len() > MIB && got.len() < want.len() {
            return;
        }
        let alike = got.iter().zip(want).take_while(|(a, b)| a == b).count();
        assert!(
            got == want,
            "{}: {what}: {} of {} bytes came, {alike} of them right",
            self.name,
            got.len(),
            want.len()
        );
    }

    fn server_closes_first(&self, length: usize) {
        let mut stream = self.ask(&format!("GET {length}"));
        let mut got = Vec::new();
        let ended = stream.read_to_end(&mut got);
        self.check(&got, &pattern(length), "server closes first");
        assert!(ended.is_ok() || self.is_lossy(), "{}: {ended:?}", self.name);
    }

    fn client_closes_first(&self, length: usize) {
        let before = self.service.ended();
        let mut stream = self.ask(&format!("ASK {length}"));
        let mut got = vec![0; length];
        stream.read_exact(&mut got).unwrap();
        self.check(&got, &pattern(length), "client closes first");
        drop(stream);
        self.eventually("the service is told the end", || {
            self.service.ended() > before
        });
    }

    fn twenty_at_once(&self) {
        thread::scope(|scope| {
            for number in 0..20 {
                scope.spawn(move || {
                    let length = 1_000 * (1 + number);
                    let mut stream = self.ask(&format!("GET {length}"));
                    let mut got = Vec::new();
                    stream.read_to_end(&mut got).unwrap();
                    self.check(&got, &pattern(length), "twenty at once");
                });
            }
        });
    }

    /// The client sends everything, and then waits for an answer. Whether one that has
    /// the reference's habit stalls depends on where its messages are cut.
    fn upload(&self, length: usize) {
        let (before, begun) = (self.service.whole(), self.service.counts().begun);
        let mut stream = self.ask(&format!("PUT {length}"));
        // A line of its own is a message of its own.
        self.eventually("the service has the line", || {
            self.service.counts().begun > begun
        });
        stream.write_all(&pattern(length)).unwrap();
        if self.is_lossy() {
            // Where something was lost, the service would wait for it.
            stream.shutdown(Shutdown::Write).unwrap();
        }
        let got = if self.client_make.has("leftover") {
            read_until_silence(&mut stream)
        } else {
            read_to_its_end(&mut stream)
        };
        let is_short = length <= 32_768;
        match &*got {
            // The client's close, which stands for the end of its direction, may cut the answer.
            cut if self.is_lossy() && format!("{length} right\n").as_bytes().starts_with(cut) => {}
            // When it closes it sends the rest first: the service has it whole.
            b"" if self.client_make.has("leftover") && !is_short => {
                drop(stream);
                self.eventually("a stalled upload is whole at the close", || {
                    self.service.whole() > before
                });
            }
            got => self.check(got, format!("{length} right\n").as_bytes(), "upload"),
        }
    }

    /// 40,000 bytes at once, on a connection that stays open. Whoever has the
    /// reference's habit keeps what goes beyond 32,768 until it writes again or closes
    /// (docs/protocol.md, "The leftover stall").
    fn rest_of_a_message(&self) {
        const LENGTH: usize = 40_000;
        let mut stream = self.ask(&format!("ASK {LENGTH}"));
        let got = read_until_silence(&mut stream);
        let whole = pattern(LENGTH);
        if self.server_make.has("leftover") {
            // What is not collected for a while may be cut into several messages before.
            if self.server_make.has("coalesce") {
                self.check(&got, &whole[..32_768], "what a stalled server sends");
            }
            // Its service's next write makes it move, and nothing else does.
            stream.write_all(b"more\n").unwrap();
            let rest = read_until_silence(&mut stream);
            let expected = [&whole[..], b"more\n"].concat();
            self.check(
                &[got, rest].concat(),
                &expected,
                "what makes a stalled server move",
            );
        } else {
            self.check(&got, &whole, "the end of an answer");
        }
    }

    /// The service is gone: the application hears of it at once.
    fn refused(&self) {
        self.service.stop();
        let started = Instant::now();
        let mut stream = connect(self.client.listen());
        let got = read_to_its_end(&mut stream);
        assert_eq!(got, b"", "{}", self.name);
        let elapsed = started.elapsed();
        assert!(
            elapsed < Duration::from_secs(4),
            "{}: {elapsed:?}",
            self.name
        );
    }

    /// The service's system takes no more connections, and nobody takes those that there are.
    fn not_accepted(&self) {
        if self.server_make == Make::Ours {
            let _full = self.service.full();
            nobody_accepts(self);
        }
    }

    /// A peer that is gone without a word is noticed where the carrier notices it, and nobody
    /// at an endpoint of ours sees an orderly end behind a part of the bytes, also when it is
    /// the one that is killed.
    fn killed(self) {
        self.service.restart();
        // Datagrams and a router tell of nobody who is gone (docs/endpoint.md).
        let is_told = self.carrier.starts_with("tcp");

        let before = self.service.counts();
        let doomed = self.client_make.client(&self.carrier, &self.server);
        let mut upload = connect(doomed.listen());
        writeln!(upload, "PUT 100000").unwrap();
        upload.write_all(&pattern(30_000)).unwrap();
        self.eventually("the upload has begun", || {
            self.service.counts().begun > before.begun
        });
        doomed.kill();
        let end = upload.read(&mut [0]);
        assert!(
            end.is_err() || self.client_make != Make::Ours,
            "{}: an orderly end",
            self.name
        );
        if is_told && self.server_make == Make::Ours {
            self.eventually("the service hears that its client has died", || {
                self.service.counts().broken > before.broken
            });
        }

        let mut stream = self.ask("ASK 1");
        stream.read_exact(&mut [0]).unwrap();
        self.server.kill();
        stream.set_read_timeout(Some(SILENCE)).unwrap();
        match stream.read(&mut [0]).map_err(|error| error.kind()) {
            Err(ErrorKind::WouldBlock) => {
                let tells = is_told && self.client_make == Make::Ours;
                assert!(!tells, "{}: the death of the server is not told", self.name);
            }
            Err(_) => {}
            Ok(count) => {
                let is_ours = self.client_make == Make::Ours;
                assert!(count == 0 && !is_ours, "{}: an orderly end", self.name);
            }
        }
        let cut = self.service.counts().cut - before.cut;
        assert!(
            cut == 0 || self.server_make != Make::Ours,
            "{}: an orderly end",
            self.name
        );
    }

    #[track_caller]
    fn eventually(&self, what: &str, is_so: impl FnMut() -> bool) {
        crate::endpoint::eventually(&format!("{}: {what}", self.name), is_so);
    }
}

/// The application of the peer never takes a connection: the SYN is refused after 5 s.
fn nobody_accepts(cell: &Cell) {
    let started = Instant::now();
    let mut stream = cell.ask("GET 1");
    let got = read_to_its_end(&mut stream);
    let elapsed = started.elapsed();
    assert_eq!(got, b"", "{}", cell.name);
    let is_accept_timeout = (4..9).contains(&elapsed.as_secs());
    assert!(is_accept_timeout, "{}: {elapsed:?}", cell.name);
}

/// All that comes until the end, whether that is orderly or not.
fn read_to_its_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut got = Vec::new();
    match stream.read_to_end(&mut got) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error}"),
    }
    got
}

/// All that comes until nothing comes for a while.
fn read_until_silence(stream: &mut TcpStream) -> Vec<u8> {
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    let mut got = Vec::new();
    let mut buffer = vec![0; 65_536];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return got,
            Ok(count) => got.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return got,
            Err(error) => panic!("{error} after {} bytes", got.len()),
        }
    }
}

/// What stands behind the servers: takes a line `GET N` (N bytes, and the end), `ASK N` (N
/// bytes, then an echo until the other side ends) or `PUT N` (reads N bytes, says how many
/// and whether they are right, and ends).
struct Service {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    is_stopped: AtomicBool,
    counts: std::sync::Mutex<Counts>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    /// Connections of `ASK` that the other side has ended.
    ended: usize,
    /// Connections of `PUT`, those on which everything came, those that ended in order before,
    /// and those that broke.
    begun: usize,
    whole: usize,
    cut: usize,
    broken: usize,
}

impl Service {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let service = Self {
            address,
            state: Arc::default(),
        };
        service.serve(listener);
        service
    }

    fn serve(&self, listener: TcpListener) {
        let state = Arc::clone(&self.state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if state.is_stopped.load(Ordering::SeqCst) {
                    return;
                }
                let state = Arc::clone(&state);
                // The other end may break the connection whenever it likes.
                thread::spawn(move || answer(stream.unwrap(), &state).ok());
            }
        });
    }

    /// From now on nobody listens.
    fn stop(&self) {
        self.state.is_stopped.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address).unwrap());
        crate::endpoint::eventually("nobody listens", || {
            TcpStream::connect(self.address).is_err()
        });
    }

    /// From now on the system takes no connection, for as long as this is kept.
    fn full(&self) -> (Socket, Vec<TcpStream>) {
        let address = self.address.into();
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.set_reuse_address(true).unwrap();
        listener.bind(&address).unwrap();
        listener.listen(0).unwrap();
        let patience = Duration::from_millis(300);
        let connect = || TcpStream::connect_timeout(&self.address, patience).ok();
        let waiting: Vec<TcpStream> = std::iter::from_fn(connect).take(8).collect();
        assert!(waiting.len() < 8, "the queue is never full");
        (listener, waiting)
    }

    fn restart(&self) {
        self.state.is_stopped.store(false, Ordering::SeqCst);
        self.serve(TcpListener::bind(self.address).unwrap());
    }

    fn counts(&self) -> Counts {
        *self.state.counts.lock().unwrap()
    }

    fn ended(&self) -> usize {
        self.counts().ended
    }

    fn whole(&self) -> usize {
        self.counts().whole
    }
}

fn answer(mut stream: TcpStream, state: &State) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let Some((verb, length)) = line.trim().split_once(' ') else {
        return Ok(());
    };
    let length: usize = length.parse().expect("the tests ask for a number of bytes");
    match verb {
        "GET" => stream.write_all(&pattern(length))?,
        "ASK" => {
            stream.write_all(&pattern(length))?;
            std::io::copy(&mut reader, &mut stream).ok();
            state.counts.lock().unwrap().ended += 1;
        }
        _ => {
            let count = |counting: fn(&mut Counts)| counting(&mut state.counts.lock().unwrap());
            count(|counts| counts.begun += 1);
            let mut got = vec![0; length];
            if let Err(error) = reader.read_exact(&mut got) {
                match error.kind() {
                    ErrorKind::UnexpectedEof => count(|counts| counts.cut += 1),
                    _ => count(|counts| counts.broken += 1),
                }
                return Err(error);
            }
            let word = if got == pattern(length) {
                "right"
            } else {
                "wrong"
            };
            state.counts.lock().unwrap().whole += usize::from(word == "right");
            writeln!(stream, "{length} {word}")?;
        }
    }
    stream.shutdown(Shutdown::Write)
}
