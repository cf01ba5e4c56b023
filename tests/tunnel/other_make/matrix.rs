//! Every pair of makes, over every carrier, in every kind of exchange.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ministream_fixtures::namespace::in_namespace;
use ministream_fixtures::router::Router;

use super::Make;
use crate::endpoint::{Endpoint, connect};
use crate::i2cp::make_keys;
use crate::real_services::missing;
use crate::services::pattern;

const MIB: usize = 1 << 20;

/// Who is the client, and who the server.
const PAIRS: &[(Make, Make)] = &[
    (Make::Ours, Make::Ours),
    (Make::Ours, Make::REFERENCE),
    (Make::Ours, Make::Plain),
    (Make::REFERENCE, Make::Ours),
    (Make::Plain, Make::Ours),
];

/// How long silence has to last to be one.
const SILENCE: Duration = Duration::from_millis(1_500);

#[test]
fn every_pair_of_makes_exchanges_everything_over_tcp() {
    for_every_pair("tcp://127.0.0.1:0", "");
}

#[test]
fn every_pair_of_makes_exchanges_everything_over_udp() {
    for_every_pair("udp://127.0.0.1:0", "");
}

#[test]
fn every_pair_of_makes_exchanges_everything_over_i2cp() {
    if !Path::new("/usr/sbin/i2pd").exists() {
        return missing("i2pd", "not installed");
    }
    let name = "other_make::matrix::every_pair_of_makes_exchanges_everything_over_i2cp";
    in_namespace(name, || {
        let router = Router::start();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_str().unwrap();
        for_every_pair(&format!("i2cp://{}", router.i2cp()), path);
    });
}

/// All pairs at the same time; most of their time they wait.
fn for_every_pair(carrier: &str, keys: &str) {
    thread::scope(|scope| {
        for (number, &(client, server)) in PAIRS.iter().enumerate() {
            let keys = format!("{keys}/pair{number}.dat");
            scope.spawn(move || {
                let cell = Cell::new(carrier, client, server, &keys);
                cell.exchange_everything();
            });
        }
        scope.spawn(|| {
            let never = Make::Habitual(&["--never-accept"]);
            nobody_accepts(&Cell::new(carrier, Make::Ours, never, ""));
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

    fn exchange_everything(self) {
        for length in [1, 32_767, 32_768, 32_769, 100_000, 5 * MIB] {
            self.server_closes_first(length);
        }
        for length in [1, 20_000, 32_768] {
            self.client_closes_first(length);
        }
        self.twenty_at_once();
        for length in [1_000, 40_000, 5 * MIB] {
            self.upload(length);
        }
        self.rest_of_a_message();
        self.refused();
        self.killed();
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
        let before = self.service.whole();
        let mut stream = self.ask(&format!("PUT {length}"));
        // A line of its own is a message of its own.
        thread::sleep(Duration::from_millis(300));
        stream.write_all(&pattern(length)).unwrap();
        if self.is_lossy() {
            // Where something was lost, the service would wait for it.
            stream.shutdown(Shutdown::Write).unwrap();
        }
        let got = if stalls(self.client_make) {
            read_until_silence(&mut stream)
        } else {
            read_to_its_end(&mut stream)
        };
        let is_short = length <= 32_768;
        match &*got {
            b"" if self.is_lossy() => {}
            // When it closes it sends the rest first: the service has it whole.
            b"" if stalls(self.client_make) && !is_short => {
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
        if stalls(self.server_make) {
            self.check(&got, &whole[..32_768], "what a stalled server sends");
            // Its service's next write makes it move, and nothing else does.
            stream.write_all(b"more\n").unwrap();
            let rest = read_until_silence(&mut stream);
            let expected = [&whole[32_768..], b"more\n"].concat();
            self.check(&rest, &expected, "what makes a stalled server move");
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

    /// A peer that is gone without a word is noticed where the carrier notices it.
    fn killed(self) {
        self.service.restart();
        let mut stream = self.ask("ASK 1");
        stream.read_exact(&mut [0]).unwrap();
        self.server.kill();
        stream.set_read_timeout(Some(SILENCE)).unwrap();
        let told = match stream.read(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Ok(0) | Err(_) => true,
            Ok(_) => panic!("{}: bytes from nobody", self.name),
        };
        // Datagrams and a router tell of nobody who is gone (docs/endpoint.md).
        let tells = self.carrier.starts_with("tcp") && self.client_make == Make::Ours;
        assert!(
            told || !tells,
            "{}: the death of the server is not told",
            self.name
        );
    }

    #[track_caller]
    fn eventually(&self, what: &str, is_so: impl FnMut() -> bool) {
        crate::endpoint::eventually(&format!("{}: {what}", self.name), is_so);
    }
}

/// Whether it keeps what goes beyond a full message.
const fn stalls(make: Make) -> bool {
    matches!(make, Make::Habitual(_))
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
    /// Connections of `PUT` on which everything came.
    whole: usize,
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
            let mut got = vec![0; length];
            reader.read_exact(&mut got)?;
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
