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
    /// Where to listen for clients: tcp://host:port, …
    ///
    /// In full: udp://host:port, tcp://host:port[?prefix=u16be], tls://host:port[?prefix=u16be] or
    /// i2cp://host[:7654]. Port 0 picks a free one.
    #[arg(long, value_name = "URL")]
    pub(super) carrier: CarrierUrl,

    /// Where the server is; for i2cp the router
    ///
    /// Over the same carrier or another of udp, tcp and tls.
    #[arg(long, value_name = "URL")]
    pub(super) upstream: CarrierUrl,

    /// Our I2P destination, for tls on either side
    ///
    /// A file made by `keys new`.
    #[arg(long, value_name = "FILE")]
    pub(super) keys: Option<PathBuf>,

    /// The destination to require of an upstream over tls
    ///
    /// In base64, by hash (HASH.b32.i2p), or in a file (@FILE).
    #[arg(
        long,
        value_name = "DEST",
        allow_hyphen_values = true,
        hide_short_help = true
    )]
    pub(super) to: Option<Remote>,

    /// How long each client waits for a server that cannot be connected to yet
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration, hide_short_help = true)]
    pub(super) connect_timeout: Duration,

    /// Write the ready line to this file, too
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(super) ready_file: Option<PathBuf>,

    /// Record both legs, as pcapng
    ///
    /// ministream-dump and Wireshark read it; comments say what rules did.
    #[arg(long, value_name = "FILE")]
    pub(super) capture: Option<PathBuf>,

    /// Inject faults: 'latency=50ms±10ms, loss=1%'
    ///
    /// In both directions or one: 'c2s: latency=50ms±10ms, loss=1%; s2c: stall=2s@10KiB'; see
    /// docs/faults.md.
    #[arg(long, value_name = "FAULTS")]
    pub(super) fault: Vec<FaultLines>,

    /// Derive faults from a number
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub(super) seed: Option<u64>,

    /// Act on messages: 'type == ack && nth == 3: drop'
    ///
    /// A filter, as with -Y, and what happens to a message that matches; the first rule that
    /// matches applies; see docs/proxy.md.
    #[arg(long, value_name = "RULE")]
    pub(super) rule: Vec<String>,

    /// Rules, one per line, after those of --rule
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(super) rules: Vec<PathBuf>,

    /// Exit with 1 if a rule never matched
    #[arg(long)]
    pub(super) strict: bool,

    /// Show no messages, only the tables asked for
    #[arg(short = 'q')]
    pub(super) quiet: bool,

    /// Show only messages that match
    ///
    /// In the language of ministream-dump: 'type==data && conv==c3'.
    #[arg(short = 'Y', value_name = "EXPR")]
    pub(super) filter: Option<String>,

    /// Format of messages, as in ministream-dump
    #[arg(short = 'T', value_name = "FORMAT", hide_short_help = true)]
    pub(super) format: Option<Format>,

    /// Fields for -T fields and csv: -e n -e type,id
    #[arg(short = 'e', value_name = "FIELD", value_parser = field, value_delimiter = ',', hide_short_help = true)]
    pub(super) fields: Vec<Field>,

    #[arg(
        short = 'z',
        value_name = "STAT",
        help = format!("Tables at the end: {}", plain_statistics()),
        long_help = format!("Tables at the end and at SIGUSR1, as in ministream-dump: {}", plain_statistics())
    )]
    pub(super) statistics: Vec<StatisticName>,

    /// Times: r(elative), d(elta), a (local time), u(tc), e(poch)
    #[arg(
        short = 't',
        value_name = "STYLE",
        default_value = "r",
        hide_short_help = true
    )]
    pub(super) times: Times,

    /// How much of payloads to show
    #[arg(long, value_name = "HOW", hide_short_help = true)]
    pub(super) payload: Option<Payload>,

    /// Hide secrets, as in ministream-dump; --capture records them all the same
    #[arg(
        long,
        value_name = "WHAT",
        value_delimiter = ',',
        hide_short_help = true
    )]
    pub(super) redact: Vec<Redact>,

    /// ASCII instead of box lines and arrows
    #[arg(long, hide_short_help = true)]
    pub(super) ascii: bool,

    /// Format of the report at the end [default: table; none if messages are for programs]
    #[arg(
        long,
        value_enum,
        value_name = "HOW",
        hide_short_help = true,
        help_heading = "Report"
    )]
    pub(super) report: Option<ReportFormat>,

    /// Watch and control it in a browser, at http://ADDR/
    ///
    /// Or as JSON; loopback only.
    #[arg(long, value_name = "ADDR")]
    pub(super) control: Option<String>,

    /// Allow addresses that are not loopback to be bound
    #[arg(long, hide_short_help = true, help_heading = "Safety")]
    pub(super) allow_remote: bool,

    /// Admit only these clients: networks, or .b32.i2p names, which tls needs; any admits everybody
    #[arg(
        long,
        value_name = "CIDR|B32|any",
        value_delimiter = ',',
        hide_short_help = true,
        help_heading = "Safety"
    )]
    pub(super) allow: Vec<Allowed>,

    #[command(flatten)]
    pub(super) silence: SilenceArgs,

    /// Serve metrics for Prometheus at http://ADDR/metrics
    #[arg(
        long,
        value_name = "ADDR",
        hide_short_help = true,
        help_heading = "Logs and metrics"
    )]
    pub(super) metrics: Option<String>,

    #[command(flatten)]
    pub(super) tls: TlsArgs,

    #[command(flatten)]
    pub(super) log: LogArgs,
}
