//! Writes a large capture to measure with: short conversations one after the other,
//! `cargo run --release --example generate -- bench.pcap`, or as a busy server has them,
//! 20,000 at once over 4,096 flows, half of which both ends close:
//! `… -- busy.pcap --open 20000 --flows 4096 --crossing 50 --large 5`.
//!
//! A million conversations are 6.8 million messages and 1.2 GB. The same
//! options and seed always give the same bytes. `--truth` writes down what a
//! dissector must find in them.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use ministream_fixtures::bulk::{Bulk, BulkCarrier, Shape, Share};
use ministream_fixtures::carry::Prefix;
use ministream_fixtures::file::Pcap;
use ministream_fixtures::{Link, Wire};

/// Write a capture of many short conversations.
#[derive(Parser)]
struct Arguments {
    /// Where to write it; `-` is standard output.
    output: PathBuf,
    /// Also write, as JSON, what a dissector must find in it.
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// How many conversations come and go; with --idle at most 16,777,215.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    conversations: u64,
    /// How many of them are open at once.
    #[arg(long, value_name = "N", default_value_t = 1)]
    open: usize,
    /// Conversations that open before them and stay open without a word.
    #[arg(long, value_name = "N", default_value_t = 0)]
    idle: u64,
    /// How messages travel.
    #[arg(long, value_enum, default_value_t = Carrier::Udp)]
    carrier: Carrier,
    /// Over how many flows; each conversation takes one at random.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=5_000_000))]
    flows: u32,
    /// Of all conversations, those that the server refuses.
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = percent)]
    refused: Share,
    /// Of the accepted conversations, those that end without a close.
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = percent)]
    unclosed: Share,
    /// Of the closed conversations, those that both ends close.
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = percent)]
    crossing: Share,
    /// Of the closed conversations, those with data under way from the other end.
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = percent)]
    late: Share,
    /// Of the data messages, those of 211 to 1,400 bytes instead of 1 to 210.
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = percent)]
    large: Share,
    /// Of the TCP segments, those that come twice or late, half each.
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = percent)]
    disorder: Share,
    /// Another seed gives other bytes.
    #[arg(long, value_name = "N", default_value_t = 1)]
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

/// `0.8` are 8,000 millionths.
fn percent(text: &str) -> Result<Share, String> {
    let parse = |digits: &str| digits.parse::<u32>().ok();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    match (parse(whole), parse(&format!("{fraction:0<4}"))) {
        (Some(whole @ 0..=100), Some(fraction @ 0..=9_999)) => {
            Ok(Share::millionths(whole * 10_000 + fraction))
        }
        _ => Err("is no percentage: 0 to 100 with up to 4 decimals".to_owned()),
    }
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let output: Box<dyn Write> = if arguments.output.as_os_str() == "-" {
        Box::new(io::stdout().lock())
    } else {
        Box::new(File::create(&arguments.output)?)
    };
    let mut bulk = Bulk::new(Shape {
        carrier: arguments.carrier.into(),
        flows: arguments.flows,
        conversations: arguments.conversations,
        open: arguments.open,
        idle: arguments.idle,
        refused: arguments.refused,
        unclosed: arguments.unclosed,
        crossing: arguments.crossing,
        late: arguments.late,
        large: arguments.large,
        disorder: arguments.disorder,
        seed: arguments.seed,
    });
    generate(&mut bulk, BufWriter::with_capacity(1 << 20, output))?;
    match arguments.truth {
        Some(path) => fs::write(path, bulk.truth().to_string()),
        None => Ok(()),
    }
}

fn generate(bulk: &mut Bulk, mut output: impl Write) -> io::Result<()> {
    let mut wire = Wire::new(Link::ETHERNET);
    let header = Pcap::USUAL.header(u32::from(wire.link.number()));
    output.write_all(&header)?;
    while bulk.advance(&mut wire) {
        for packet in wire.packets.drain(..) {
            output.write_all(&Pcap::USUAL.record(&packet))?;
        }
    }
    output.flush()
}
