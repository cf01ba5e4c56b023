//! The arguments of `proxy`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::shared_args::{LogArgs, ReportFormat, SilenceArgs, TlsArgs};
use crate::cli::args::{Format, Payload, Redact, Times};
use crate::cli::values::{StatisticName, duration, field, plain_statistics};
use crate::fault::FaultLines;
use crate::field::Field;
use crate::runtime::{Allowed, CarrierUrl, Remote};

#[derive(Debug, Args)]
pub(super) struct ProxyArgs {
    /// Where to listen for clients: udp://host:port, tcp://host:port[?prefix=u16be],
    /// tls://host:port[?prefix=u16be] or i2cp://host[:7654]; port 0 picks a free one
    #[arg(long, value_name = "URL")]
    pub(super) carrier: CarrierUrl,

    /// Where the server is, over the same carrier or another of udp, tcp and tls; for i2cp the router
    #[arg(long, value_name = "URL")]
    pub(super) upstream: CarrierUrl,

    /// Our I2P destination, made by `keys new`, for tls on either side
    #[arg(long, value_name = "FILE")]
    pub(super) keys: Option<PathBuf>,

    /// The destination to require of an upstream over tls
    #[arg(
        long,
        value_name = "BASE64|HASH.b32.i2p|@FILE",
        allow_hyphen_values = true
    )]
    pub(super) to: Option<Remote>,

    /// How long each client waits for a server that cannot be connected to yet
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub(super) connect_timeout: Duration,

    /// Write the ready line to this file, too
    #[arg(long, value_name = "FILE")]
    pub(super) ready_file: Option<PathBuf>,

    /// Record both legs, for ministream-dump and Wireshark; comments say what rules did
    #[arg(long, value_name = "FILE.pcapng")]
    pub(super) capture: Option<PathBuf>,

    /// Inject faults, in both directions or one:
    /// 'c2s: latency=50ms±10ms, loss=1%; s2c: stall=2s@10KiB'; see docs/faults.md
    #[arg(long, value_name = "FAULTS", help_heading = "Change")]
    pub(super) fault: Vec<FaultLines>,

    /// Derive faults from a number
    #[arg(long, value_name = "N", help_heading = "Change")]
    pub(super) seed: Option<u64>,

    /// Act on messages that match a filter, as with -Y; the first rule that matches applies:
    /// 'type == ack && nth == 3: drop'; see docs/proxy.md
    #[arg(long, value_name = "RULE", help_heading = "Change")]
    pub(super) rule: Vec<String>,

    /// Rules, one per line, after those of --rule
    #[arg(long, value_name = "FILE", help_heading = "Change")]
    pub(super) rules: Vec<PathBuf>,

    /// Exit with 1 if a rule never matched
    #[arg(long, help_heading = "Change")]
    pub(super) strict: bool,

    /// Show no messages, only the tables asked for
    #[arg(short = 'q', help_heading = "Watch")]
    pub(super) quiet: bool,

    /// Show only messages that match, as in ministream-dump
    #[arg(short = 'Y', value_name = "EXPR", help_heading = "Watch")]
    pub(super) filter: Option<String>,

    /// Format of messages, as in ministream-dump
    #[arg(short = 'T', value_name = "FORMAT", help_heading = "Watch")]
    pub(super) format: Option<Format>,

    /// Fields for -T fields and csv: -e n -e type,id
    #[arg(short = 'e', value_name = "FIELD", value_parser = field, value_delimiter = ',', help_heading = "Watch")]
    pub(super) fields: Vec<Field>,

    #[arg(
        short = 'z',
        value_name = "STAT",
        help_heading = "Watch",
        help = format!("Tables at the end and at SIGUSR1, as in ministream-dump: {}", plain_statistics())
    )]
    pub(super) statistics: Vec<StatisticName>,

    /// Times: r(elative), d(elta), a (local time), u(tc), e(poch)
    #[arg(
        short = 't',
        value_name = "STYLE",
        default_value = "r",
        help_heading = "Watch"
    )]
    pub(super) times: Times,

    /// How much of payloads to show
    #[arg(long, value_name = "HOW", help_heading = "Watch")]
    pub(super) payload: Option<Payload>,

    /// Hide secrets, as in ministream-dump; --capture records them all the same
    #[arg(
        long,
        value_name = "WHAT",
        value_delimiter = ',',
        help_heading = "Watch"
    )]
    pub(super) redact: Vec<Redact>,

    /// ASCII instead of box lines and arrows
    #[arg(long, help_heading = "Watch")]
    pub(super) ascii: bool,

    /// Format of the report at the end [default: table; none if messages are for programs]
    #[arg(long, value_enum, value_name = "HOW", help_heading = "Report")]
    pub(super) report: Option<ReportFormat>,

    /// Watch and control the proxy at http://ADDR/, with a browser or as JSON; loopback only
    #[arg(long, value_name = "ADDR", help_heading = "Control")]
    pub(super) control: Option<String>,

    /// Allow addresses that are not loopback to be bound
    #[arg(long, help_heading = "Safety")]
    pub(super) allow_remote: bool,

    /// Admit only these clients: networks, or .b32.i2p names, which tls needs; any admits everybody
    #[arg(
        long,
        value_name = "CIDR|B32|any",
        value_delimiter = ',',
        help_heading = "Safety"
    )]
    pub(super) allow: Vec<Allowed>,

    #[command(flatten)]
    pub(super) silence: SilenceArgs,

    /// Serve metrics for Prometheus at http://ADDR/metrics
    #[arg(long, value_name = "ADDR", help_heading = "Logs and metrics")]
    pub(super) metrics: Option<String>,

    #[command(flatten)]
    pub(super) tls: TlsArgs,

    #[command(flatten)]
    pub(super) log: LogArgs,
}
