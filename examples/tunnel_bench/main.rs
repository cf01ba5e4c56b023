//! Measures what a tunnel costs: the same work over direct TCP connections and
//! through tunnels, alternately, in one run.
//!
//! ```text
//! cargo build --profile release-lto --features replay
//! cargo run --profile release-lto --features replay --example tunnel_bench -- target/release-lto/ministream-replay
//! ```
//!
//! Besides `ministream-replay client` and `server`, which it starts itself, it
//! measures any tunnel that leads to its service: `--service ADDR` says where
//! that listens, `--peer NAME=ADDR` where the other tunnel begins. The script
//! `peers.sh` beside this file starts some.
//!
//! With `--tls` it measures our tunnel over `tls://`, too, and what a new link costs.
//!
//! With `--proxy` it measures instead what `ministream-replay proxy` between both ends costs:
//! the same work through the tunnel as it is and through one with the proxy in it. Other
//! proxies of TCP connections are measured with `--between NAME=ADDR`, if they lead to the
//! address that `--carrier` gives.

mod ends;
mod handshakes;
mod latency;
mod service;
mod work;

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use self::ends::{Between, Ends, Program, cpu_seconds};

/// How often each piece of work alternates between direct and the tunnels.
const ROUNDS: usize = 3;

/// Connections of the work with many streams.
const STREAMS: usize = 100;

/// What the proxy is told to delay messages by, and conversations in which it does.
const DELAY: Duration = Duration::from_millis(20);
const DELAYED: usize = 1_000;

#[derive(Parser)]
struct Args {
    /// The program to measure
    #[arg(default_value = "target/release-lto/ministream-replay")]
    program: PathBuf,
    /// The carrier on which its server listens
    #[arg(long, default_value = "tcp://127.0.0.1:0")]
    carrier: String,
    /// Measure another tunnel, too, which begins at this address
    #[arg(long = "peer", value_name = "NAME=ADDR", requires = "service")]
    peers: Vec<Peer>,
    /// Measure our tunnel over tls://, too
    #[arg(long, conflicts_with = "proxy")]
    tls: bool,
    /// Measure what our proxy between both ends costs
    #[arg(long, conflicts_with = "peers")]
    proxy: bool,
    /// Measure another proxy of TCP connections, too: it listens at this address and leads to
    /// that of --carrier
    #[arg(long, value_name = "NAME=ADDR", requires_all = ["proxy", "carrier"])]
    between: Vec<Peer>,
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

/// A tunnel, or another proxy, that begins at an address.
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
    /// How long small requests take, and the slowest hundredth of them
    Requests,
    /// Memory of idle conversations
    Idle,
    /// How late messages are that the proxy is to delay
    Delay,
    /// What a new link costs, with and without TLS
    Links,
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
            Self::Requests => ("64-byte requests", "us", 1e6),
            Self::Idle => ("memory of an idle conversation", "KiB", 1.0 / 1024.0),
            Self::Delay => ("p99 of a delay's error", "ms", 1e3),
            Self::Links => ("a new link", "us", 1e6),
        };
        Scale { what, unit, factor }
    }

    fn measure(self, address: SocketAddr) -> io::Result<f64> {
        match self {
            Self::Bulk => work::bulk(address, 1),
            Self::Streams => work::bulk(address, STREAMS),
            Self::Connections => work::connections(address),
            Self::Delay => work::delay_error(address, DELAY, DELAYED),
            Self::Requests | Self::Idle | Self::Links => Err(io::ErrorKind::Unsupported.into()),
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
    let wanted = |work| args.only.is_empty() || args.only.contains(&work);

    if args.proxy {
        measure_proxies(&args, &service, &wanted)?;
    } else {
        measure_tunnels(&args, &service, &wanted)?;
    }
    Ok(())
}

/// Tunnels beside direct connections.
fn measure_tunnels(
    args: &Args,
    service: &Program,
    wanted: &dyn Fn(Work) -> bool,
) -> Result<(), Box<dyn Error>> {
    let target = service.address("service=")?;
    let start = || Ends::start(&args.program, &args.carrier, target, &Between::Nothing);
    let ends = start()?;
    let direct = Way {
        name: "direct",
        address: target,
        ends: None,
    };
    let mut ways = vec![Way {
        name: "ministream",
        address: ends.listen,
        ends: Some(&ends),
    }];
    let tls = args.tls.then(|| {
        let carrier = "tls://127.0.0.1:0";
        Ends::start(&args.program, carrier, target, &Between::Nothing)
    });
    let tls = tls.transpose()?;
    ways.extend(tls.as_ref().map(|ends| Way {
        name: "over TLS",
        address: ends.listen,
        ends: Some(ends),
    }));
    ways.extend(args.peers.iter().map(|peer| Way {
        name: &peer.name,
        address: peer.address,
        ends: None,
    }));
    for work in [Work::Bulk, Work::Streams, Work::Connections] {
        if wanted(work) {
            compare(work, service, &direct, &ways)?;
        }
    }
    if wanted(Work::Requests) {
        latency::compare(&direct, &ways)?;
    }
    drop(ends);
    if wanted(Work::Idle) {
        // Fresh ones, which have no memory of busy times to use again.
        idle_memory(&start()?, args.idle)?;
    }
    if args.tls && wanted(Work::Links) {
        handshakes::compare(&args.program, target)?;
    }
    Ok(())
}

/// Tunnels with a proxy in them beside the tunnel without.
fn measure_proxies(
    args: &Args,
    service: &Program,
    wanted: &dyn Fn(Work) -> bool,
) -> Result<(), Box<dyn Error>> {
    let target = service.address("service=")?;
    let free = "tcp://127.0.0.1:0";
    let start = |carrier: &str, between| Ends::start(&args.program, carrier, target, &between);
    let plain = start(free, Between::Nothing)?;
    let proxied = start(free, Between::Proxy(&[]))?;
    let mut names = vec!["proxy"];
    let mut all = vec![&proxied];
    // They have one server between them: it is where they lead to.
    let mut others = Vec::new();
    for other in &args.between {
        let carrier = if others.is_empty() {
            args.carrier.as_str()
        } else {
            return Err("one --between at a time: all lead to one --carrier".into());
        };
        others.push(start(carrier, Between::Foreign(other.address))?);
        names.push(&other.name);
    }
    all.extend(&others);
    let baseline = Way {
        name: "tunnel",
        address: plain.listen,
        ends: Some(&plain),
    };
    let ways: Vec<_> = names
        .into_iter()
        .zip(all)
        .map(|(name, ends)| Way {
            name,
            address: ends.listen,
            ends: Some(ends),
        })
        .collect();
    for work in [Work::Bulk, Work::Streams, Work::Connections] {
        if wanted(work) {
            compare(work, service, &baseline, &ways)?;
        }
    }
    if wanted(Work::Requests) {
        latency::compare(&baseline, &ways)?;
    }
    drop((plain, proxied, others));
    if wanted(Work::Idle) {
        idle_memory(&start(free, Between::Proxy(&[]))?, args.idle)?;
    }
    if wanted(Work::Delay) {
        let fault = format!("c2s: latency={}ms", DELAY.as_millis());
        let told = ["--fault", &fault, "--metrics", "127.0.0.1:0"];
        let ends = start(free, Between::Proxy(&told))?;
        let Scale { what, unit, factor } = Work::Delay.scale();
        let answers = Work::Delay.measure(ends.listen)? * factor;
        let own = ends.proxy_added_seconds()? * factor;
        println!(
            "{what:<28} {own:.2} {unit} at the proxy, {answers:.2} {unit} in the answers \
             ({DELAY:?}, {DELAYED} conversations)"
        );
    }
    Ok(())
}

/// A way to the service.
struct Way<'a> {
    name: &'a str,
    address: SocketAddr,
    /// The programs on it, if we started them.
    ends: Option<&'a Ends>,
}

impl Way<'_> {
    fn cpu_seconds(&self) -> io::Result<Option<f64>> {
        self.ends.map(Ends::cpu_seconds).transpose()
    }
}

/// What came of the same work on one way.
#[derive(Default)]
struct Results {
    all: Vec<f64>,
    /// What the programs on it used, and the service with its readers.
    cpu: [f64; 2],
}

impl Results {
    fn measure(&mut self, work: Work, service: &Program, way: &Way<'_>) -> io::Result<()> {
        let outside =
            || Ok::<_, io::Error>(service.cpu_seconds()? + cpu_seconds(std::process::id())?);
        let before = (way.cpu_seconds()?, outside()?);
        let result = work.measure(way.address);
        self.all.push(
            result
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", way.name)))?,
        );
        if let (Some(before), Some(after)) = (before.0, way.cpu_seconds()?) {
            self.cpu[0] += after - before;
        }
        self.cpu[1] += outside()? - before.1;
        Ok(())
    }

    fn print_cpu(&self, name: &str) {
        let gigabytes = gigabytes(&self.all);
        println!(
            "{:<28} CPU for a gigabyte, {name}: {:.2} s; service and reader: {:.2} s",
            "",
            self.cpu[0] / gigabytes,
            self.cpu[1] / gigabytes
        );
    }
}

/// Does the same work on each way, in turns, and prints the medians.
fn compare(work: Work, service: &Program, baseline: &Way<'_>, ways: &[Way<'_>]) -> io::Result<()> {
    let mut base = Results::default();
    let mut results: Vec<_> = ways.iter().map(|_| Results::default()).collect();
    for _ in 0..ROUNDS {
        base.measure(work, service, baseline)?;
        for (way, results) in ways.iter().zip(&mut results) {
            results.measure(work, service, way)?;
        }
    }
    let Scale { what, unit, factor } = work.scale();
    let direct = median(&mut base.all);
    println!(
        "{what:<28} {:<11} {:>9.1} {unit}",
        baseline.name,
        direct * factor
    );
    for (way, results) in ways.iter().zip(&mut results) {
        let result = median(&mut results.all);
        println!(
            "{:<28} {:<11} {:>9.1} {unit:<4}  ratio {:.2}",
            "",
            way.name,
            result * factor,
            result / direct
        );
    }
    if matches!(work, Work::Bulk | Work::Streams) {
        // Unlike the ratio, it depends little on what else the machine does.
        base.print_cpu(baseline.name);
        for (way, results) in ways.iter().zip(&results) {
            if way.ends.is_some() {
                results.print_cpu(way.name);
            }
        }
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
    let resident = || {
        ends.programs()
            .map(|(name, program)| Ok((name, program.resident_bytes()?)))
            .collect::<io::Result<Vec<_>>>()
    };
    let before = resident()?;
    let streams = work::idle(ends.listen, count)?;
    let after = resident()?;
    drop(streams);
    let Scale { what, unit, factor } = Work::Idle.scale();
    for ((name, before), (_, after)) in before.into_iter().zip(after) {
        let each = after.saturating_sub(before) as f64 / count as f64;
        println!("{what}, {name}: {:.2} {unit} (of {count})", each * factor);
    }
    Ok(())
}
