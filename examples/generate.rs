//! Writes a large capture of short conversations, one after the other, to
//! measure with: `cargo run --release --example generate -- bench.pcap`.
//!
//! A million conversations are 6.8 million messages and 1.2 GB. The same
//! options and seed always give the same bytes.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use ministream_fixtures::bulk::{Bulk, BulkCarrier};
use ministream_fixtures::carry::Prefix;
use ministream_fixtures::file::Pcap;
use ministream_fixtures::{Link, Wire};

/// Write a capture of many short conversations.
#[derive(Parser)]
struct Arguments {
    /// Where to write it; `-` is standard output.
    output: PathBuf,
    /// How many conversations.
    #[arg(long, default_value_t = 1_000_000)]
    conversations: u64,
    /// How messages travel.
    #[arg(long, value_enum, default_value_t = Carrier::Udp)]
    carrier: Carrier,
    /// Over how many flows, which take turns.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=20_000))]
    flows: u16,
    /// Another seed gives other bytes.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Carrier {
    /// One message a datagram.
    Udp,
    /// TCP, each message after its length in 4 bytes.
    TcpU32be,
    /// TCP, each message after its length in 2 bytes.
    TcpU16be,
}

impl From<Carrier> for BulkCarrier {
    fn from(carrier: Carrier) -> Self {
        match carrier {
            Carrier::Udp => Self::Udp,
            Carrier::TcpU32be => Self::Tcp(Prefix::U32),
            Carrier::TcpU16be => Self::Tcp(Prefix::U16),
        }
    }
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let output: Box<dyn Write> = if arguments.output.as_os_str() == "-" {
        Box::new(io::stdout().lock())
    } else {
        Box::new(File::create(&arguments.output)?)
    };
    generate(&arguments, BufWriter::with_capacity(1 << 20, output))
}

fn generate(arguments: &Arguments, mut output: impl Write) -> io::Result<()> {
    let mut wire = Wire::new(Link::ETHERNET);
    let header = Pcap::USUAL.header(u32::from(wire.link.number()));
    output.write_all(&header)?;
    let carrier = arguments.carrier.into();
    let mut bulk = Bulk::open(carrier, arguments.flows, arguments.seed, &mut wire);
    for _ in 0..arguments.conversations {
        bulk.record(&mut wire);
        for packet in wire.packets.drain(..) {
            output.write_all(&Pcap::USUAL.record(&packet))?;
        }
    }
    output.flush()
}
