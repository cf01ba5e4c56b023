//! Measures what a tunnel costs: the same work over direct TCP connections and
//! through `ministream-replay client` and `server`, alternately, in one run.
//!
//! ```text
//! cargo build --release
//! cargo run --release --example tunnel_bench -- target/release/ministream-replay
//! ```
//!
//! With `--through ADDR --service ADDR` it measures another tunnel, which is to
//! lead from the first address to the second, where this program listens.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;

/// How long each part of a measurement lasts.
const PART: Duration = Duration::from_millis(1_500);

/// How often the parts alternate between direct and tunnel.
const ROUNDS: usize = 3;

/// Connections of the measurement with many streams.
const STREAMS: usize = 100;

/// Connections that are opened at once in the measurement of new ones.
const OPENERS: usize = 16;

/// A request, and its answer.
const SMALL: usize = 64;

#[derive(Parser)]
struct Args {
    /// The program to measure
    #[arg(default_value = "target/release/ministream-replay")]
    program: PathBuf,
    /// The carrier on which the server listens
    #[arg(long, default_value = "tcp://127.0.0.1:0")]
    carrier: String,
    /// Measure another tunnel, which begins here
    #[arg(long, requires = "service")]
    through: Option<SocketAddr>,
    /// Where the service listens
    #[arg(long, default_value = "127.0.0.1:0")]
    service: SocketAddr,
    /// Only be the service
    #[arg(long, hide = true)]
    serve: bool,
    /// Only these measurements
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "bulk,streams,connections,requests,idle"
    )]
    only: Vec<String>,
    /// Idle conversations for the measurement of memory
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    if args.serve {
        return serve(args.service);
    }
    // A process of its own, as it would be, and with descriptors of its own.
    let service = Program::start(
        &std::env::current_exe()?,
        &["--serve", "--service", &args.service.to_string()],
    )?;
    let direct = service.address("service=")?;

    let ends = match args.through {
        Some(_) => None,
        None => Some(Ends::start(&args, direct)?),
    };
    let tunnel = match (&ends, args.through) {
        (Some(ends), _) => ends.listen,
        (None, Some(address)) => address,
        (None, None) => unreachable!("there are ends unless an address was given"),
    };

    let wanted = |name: &str| args.only.iter().any(|only| only == name);
    let cpu = || ends.as_ref().map_or(Ok((0.0, 0.0)), Ends::cpu_seconds);
    if wanted("bulk") {
        let before = cpu()?;
        let bulk = compare(direct, tunnel, |address| bulk(address, 1))?;
        bulk.print("bulk, 1 stream", "MB/s", 1e-6);
        print_cpu(before, cpu()?, bulk.tunnel);
    }
    if wanted("streams") {
        let before = cpu()?;
        let many = compare(direct, tunnel, |address| self::bulk(address, STREAMS))?;
        many.print("bulk, 100 streams", "MB/s", 1e-6);
        print_cpu(before, cpu()?, many.tunnel);
    }
    if wanted("connections") {
        let opened = compare(direct, tunnel, connections)?;
        opened.print("new connections, 16 at once", "/s", 1.0);
    }
    if wanted("requests") {
        let p99 = compare(direct, tunnel, small_requests)?;
        p99.print("p99 of 64-byte requests", "us", 1e6);
    }
    if let Some(ends) = &ends
        && wanted("idle")
    {
        idle_memory(ends, args.idle)?;
    }
    Ok(())
}

/// What each end spent on a gigabyte; unlike the ratio, it does not depend on
/// what else the machine does.
fn print_cpu(before: (f64, f64), after: (f64, f64), bytes_per_second: f64) {
    let gigabytes = bytes_per_second * PART.as_secs_f64() * ROUNDS as f64 * 1e-9;
    println!(
        "    CPU for a gigabyte: client {:.2} s, server {:.2} s",
        (after.0 - before.0) / gigabytes,
        (after.1 - before.1) / gigabytes
    );
}

/// The median of each.
struct Compared {
    direct: f64,
    tunnel: f64,
}

impl Compared {
    fn print(&self, what: &str, unit: &str, scale: f64) {
        println!(
            "{what:<28} direct {:>9.1} {unit:<4}  tunnel {:>9.1} {unit:<4}  ratio {:.2}",
            self.direct * scale,
            self.tunnel * scale,
            self.tunnel / self.direct
        );
    }
}

fn compare(
    direct: SocketAddr,
    tunnel: SocketAddr,
    mut measure: impl FnMut(SocketAddr) -> io::Result<f64>,
) -> io::Result<Compared> {
    let mut results = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        results.0.push(measure(direct)?);
        results.1.push(measure(tunnel)?);
    }
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Ok(Compared {
        direct: median(results.0),
        tunnel: median(results.1),
    })
}

/// The service: `d` is answered by data without end, `e` by an echo of all
/// that follows.
fn serve(address: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    println!("ready service={}", listener.local_addr()?);
    for stream in listener.incoming().flatten() {
        thread::Builder::new()
            .stack_size(256 * 1024)
            .spawn(move || {
                // A client that has had enough just leaves.
                answer(stream).ok();
            })?;
    }
    Ok(())
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut kind = [0];
    stream.read_exact(&mut kind)?;
    let mut buffer = vec![0; 128 * 1024];
    match kind {
        [b'd'] => loop {
            stream.write_all(&buffer)?;
        },
        _ => loop {
            let count = stream.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            stream.write_all(&buffer[..count])?;
        },
    }
}

/// Bytes a second, over this many streams.
fn bulk(address: SocketAddr, streams: usize) -> io::Result<f64> {
    let begin = Arc::new(Barrier::new(streams + 1));
    let over = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..streams)
        .map(|_| {
            let (begin, over) = (Arc::clone(&begin), Arc::clone(&over));
            thread::spawn(move || read_until(address, &begin, &over))
        })
        .collect();
    begin.wait();
    let started = Instant::now();
    thread::sleep(PART);
    over.store(true, Ordering::Relaxed);
    let mut total = 0;
    for reader in readers {
        total += reader.join().expect("readers do not panic")?;
    }
    Ok(total as f64 / started.elapsed().as_secs_f64())
}

fn read_until(address: SocketAddr, begin: &Barrier, over: &AtomicBool) -> io::Result<u64> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"d")?;
    let mut buffer = vec![0; 128 * 1024];
    stream.read_exact(&mut buffer[..1])?;
    begin.wait();
    let mut total = 0;
    while !over.load(Ordering::Relaxed) {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        total += count as u64;
    }
    Ok(total)
}

/// Connections a second: opened, used for one request, closed.
fn connections(address: SocketAddr) -> io::Result<f64> {
    let until = Instant::now() + PART;
    let started = Instant::now();
    let openers: Vec<_> = (0..OPENERS)
        .map(|_| {
            thread::spawn(move || -> io::Result<u64> {
                let mut count = 0;
                while Instant::now() < until {
                    let mut stream = TcpStream::connect(address)?;
                    stream.write_all(b"ex")?;
                    let mut answer = [0];
                    stream.read_exact(&mut answer)?;
                    count += 1;
                }
                Ok(count)
            })
        })
        .collect();
    let mut total = 0;
    for opener in openers {
        total += opener.join().expect("openers do not panic")?;
    }
    Ok(total as f64 / started.elapsed().as_secs_f64())
}

/// Seconds that 99 of 100 small requests on an open connection do not exceed.
fn small_requests(address: SocketAddr) -> io::Result<f64> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.write_all(b"e")?;
    let request = [7; SMALL];
    let mut answer = [0; SMALL];
    let mut times = Vec::new();
    let until = Instant::now() + PART;
    while Instant::now() < until {
        let started = Instant::now();
        stream.write_all(&request)?;
        stream.read_exact(&mut answer)?;
        times.push(started.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() * 99 / 100])
}

fn idle_memory(ends: &Ends, count: usize) -> io::Result<()> {
    let before = ends.resident_bytes()?;
    let mut streams = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = TcpStream::connect(ends.listen)?;
        stream.write_all(b"ex")?;
        let mut answer = [0];
        stream.read_exact(&mut answer)?;
        streams.push(stream);
    }
    let after = ends.resident_bytes()?;
    for (name, before, after) in [("client", before.0, after.0), ("server", before.1, after.1)] {
        println!(
            "memory of {count} idle conversations, {name}: {:.2} KiB each",
            after.saturating_sub(before) as f64 / 1024.0 / count as f64
        );
    }
    Ok(())
}

/// Both ends of a tunnel.
struct Ends {
    server: Program,
    client: Program,
    listen: SocketAddr,
}

impl Ends {
    fn start(args: &Args, target: SocketAddr) -> io::Result<Self> {
        let limit = ["--max-conversations", "20000"];
        let target = target.to_string();
        let arguments = ["server", "--carrier", &args.carrier, "--target", &target];
        let server = Program::start(&args.program, &[&arguments[..], &limit].concat())?;
        let carrier = server.field("carrier=")?;
        let arguments = ["client", "--carrier", carrier, "--listen", "127.0.0.1:0"];
        let client = Program::start(&args.program, &[&arguments[..], &limit].concat())?;
        let listen = client.address("listen=")?;
        Ok(Self {
            server,
            client,
            listen,
        })
    }

    fn resident_bytes(&self) -> io::Result<(u64, u64)> {
        Ok((self.client.resident_bytes()?, self.server.resident_bytes()?))
    }

    fn cpu_seconds(&self) -> io::Result<(f64, f64)> {
        Ok((self.client.cpu_seconds()?, self.server.cpu_seconds()?))
    }
}

/// A process that tells in one line when it is ready.
struct Program {
    child: Child,
    ready: String,
}

impl Program {
    fn start(program: &Path, arguments: &[&str]) -> io::Result<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut ready = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut ready)?;
        }
        Ok(Self { child, ready })
    }

    fn field(&self, name: &str) -> io::Result<&str> {
        self.ready
            .split_whitespace()
            .find_map(|word| word.strip_prefix(name))
            .ok_or_else(|| io::Error::other(format!("no {name} in {:?}", self.ready)))
    }

    fn address(&self, name: &str) -> io::Result<SocketAddr> {
        self.field(name)?.parse().map_err(io::Error::other)
    }

    fn resident_bytes(&self) -> io::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<u64>().ok())
            .map(|kib| kib * 1024)
            .ok_or_else(|| io::Error::other("no VmRSS in the status of a program"))
    }

    /// In the kernel and outside; counted in hundredths on Linux.
    fn cpu_seconds(&self) -> io::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let ticks: u64 = stat
            .split_whitespace()
            .skip(13)
            .take(2)
            .filter_map(|field| field.parse::<u64>().ok())
            .sum();
        Ok(ticks as f64 / 100.0)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("cannot end a program: {error}");
        }
    }
}
