//! Measures what a tunnel costs: the same work over direct TCP connections and
//! through tunnels, alternately, in one run.
//!
//! ```text
//! cargo build --release
//! cargo run --release --example tunnel_bench -- target/release/ministream-replay
//! ```
//!
//! Besides `ministream-replay client` and `server`, which it starts itself, it
//! measures any tunnel that leads to its service: `--service ADDR` says where
//! that listens, `--peer NAME=ADDR` where the other tunnel begins. The script
//! `peers.sh` beside this file starts some.

mod ends;
mod service;
mod work;

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Parser, ValueEnum};

use self::ends::{Ends, Program, cpu_seconds};

/// How often each piece of work alternates between direct and the tunnels.
const ROUNDS: usize = 3;

/// Connections of the work with many streams.
const STREAMS: usize = 100;

#[derive(Parser)]
struct Args {
    /// The program to measure
    #[arg(default_value = "target/release/ministream-replay")]
    program: PathBuf,
    /// The carrier on which its server listens
    #[arg(long, default_value = "tcp://127.0.0.1:0")]
    carrier: String,
    /// Measure another tunnel, too, which begins at this address
    #[arg(long = "peer", value_name = "NAME=ADDR", requires = "service")]
    peers: Vec<Peer>,
    /// Where the service listens [default: any free port]
    #[arg(long, value_name = "ADDR")]
    service: Option<SocketAddr>,
    /// Only be the service
    #[arg(long, hide = true)]
    serve: bool,
    /// Only this work
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Work>,
    /// Idle conversations for the measurement of memory
    #[arg(long, default_value_t = 10_000)]
    idle: usize,
}

/// A tunnel that is not ours.
#[derive(Clone)]
struct Peer {
    name: String,
    address: SocketAddr,
}

impl FromStr for Peer {
    type Err = Box<dyn Error + Send + Sync>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, address) = text.split_once('=').ok_or("expected NAME=ADDR")?;
        Ok(Self {
            name: name.to_owned(),
            address: address.parse()?,
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Work {
    /// Bytes a second over one stream
    Bulk,
    /// Bytes a second over a hundred streams
    Streams,
    /// New connections a second, sixteen at once
    Connections,
    /// The slowest hundredth of small requests
    Requests,
    /// Memory of idle conversations
    Idle,
}

/// How the results of a kind of work are printed.
struct Scale {
    what: &'static str,
    unit: &'static str,
    factor: f64,
}

impl Work {
    const fn scale(self) -> Scale {
        let (what, unit, factor) = match self {
            Self::Bulk => ("bulk, 1 stream", "MB/s", 1e-6),
            Self::Streams => ("bulk, 100 streams", "MB/s", 1e-6),
            Self::Connections => ("new connections, 16 at once", "/s", 1.0),
            Self::Requests => ("p99 of 64-byte requests", "us", 1e6),
            Self::Idle => ("memory of an idle conversation", "KiB", 1.0 / 1024.0),
        };
        Scale { what, unit, factor }
    }

    fn measure(self, address: SocketAddr) -> io::Result<f64> {
        match self {
            Self::Bulk => work::bulk(address, 1),
            Self::Streams => work::bulk(address, STREAMS),
            Self::Connections => work::connections(address),
            Self::Requests => work::small_requests(address),
            Self::Idle => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let address = args.service.unwrap_or(([127, 0, 0, 1], 0).into());
    if args.serve {
        return Ok(service::serve(address)?);
    }
    ends::raise_descriptor_limit()?;
    // A process of its own, as it would be, and with descriptors of its own.
    let service = Program::start(
        &std::env::current_exe()?,
        &["--serve", "--service", &address.to_string()],
    )?;
    let direct = service.address("service=")?;
    let wanted = |work| args.only.is_empty() || args.only.contains(&work);

    let ends = Ends::start(&args.program, &args.carrier, direct)?;
    let mut tunnels = vec![Peer {
        name: "ministream".to_owned(),
        address: ends.listen,
    }];
    tunnels.extend(args.peers);
    for work in [Work::Bulk, Work::Streams, Work::Connections, Work::Requests] {
        if wanted(work) {
            compare(work, &service, &tunnels, &ends)?;
        }
    }
    drop(ends);
    if wanted(Work::Idle) {
        // Fresh ones, which have no memory of busy times to use again.
        let ends = Ends::start(&args.program, &args.carrier, direct)?;
        idle_memory(&ends, args.idle)?;
    }
    Ok(())
}

/// Does the same work directly and through each tunnel, in turns, and prints the medians.
fn compare(work: Work, service: &Program, tunnels: &[Peer], ours: &Ends) -> io::Result<()> {
    let address = service.address("service=")?;
    let mut direct_results = Vec::new();
    let mut direct_cpu = 0.0;
    let mut results = vec![Vec::new(); tunnels.len()];
    let ours_before = ours.cpu_seconds()?;
    for _ in 0..ROUNDS {
        let before = service.cpu_seconds()? + cpu_seconds(std::process::id())?;
        direct_results.push(work.measure(address)?);
        direct_cpu += service.cpu_seconds()? + cpu_seconds(std::process::id())? - before;
        for (tunnel, results) in tunnels.iter().zip(&mut results) {
            let result = work.measure(tunnel.address);
            results.push(result.map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", tunnel.name))
            })?);
        }
    }
    let ours_cpu = ours.cpu_seconds()? - ours_before;

    let Scale { what, unit, factor } = work.scale();
    let direct = median(&mut direct_results);
    println!("{what:<28} direct      {:>9.1} {unit}", direct * factor);
    for (tunnel, results) in tunnels.iter().zip(&mut results) {
        let result = median(results);
        println!(
            "{:<28} {:<11} {:>9.1} {unit:<4}  ratio {:.2}",
            "",
            tunnel.name,
            result * factor,
            result / direct
        );
    }
    if matches!(work, Work::Bulk | Work::Streams) {
        // Unlike the ratio, it depends little on what else the machine does.
        println!(
            "{:<28} CPU for a gigabyte: service and reader, direct {:.2} s; both our ends {:.2} s",
            "",
            direct_cpu / gigabytes(&direct_results),
            ours_cpu / gigabytes(&results[0])
        );
    }
    Ok(())
}

fn median(results: &mut [f64]) -> f64 {
    results.sort_by(f64::total_cmp);
    results[results.len() / 2]
}

/// What was moved at these speeds.
fn gigabytes(results: &[f64]) -> f64 {
    results.iter().sum::<f64>() * work::PART.as_secs_f64() * 1e-9
}

fn idle_memory(ends: &Ends, count: usize) -> io::Result<()> {
    let before = ends.resident_bytes()?;
    let streams = work::idle(ends.listen, count)?;
    let after = ends.resident_bytes()?;
    drop(streams);
    let Scale { what, unit, factor } = Work::Idle.scale();
    for (name, before, after) in [("client", before.0, after.0), ("server", before.1, after.1)] {
        let each = after.saturating_sub(before) as f64 / count as f64;
        println!("{what}, {name}: {:.2} {unit} (of {count})", each * factor);
    }
    Ok(())
}
