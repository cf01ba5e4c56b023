//! Arguments that several commands have.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::values::TimeOrOff;
use crate::cli::args::When;
use crate::cli::values::duration;
use crate::fault::FaultLines;
use crate::runtime::CarrierUrl;
use crate::session::LaneOrder;

/// Whom to talk to.
#[derive(Debug, Args)]
pub(super) struct PeerArgs {
    /// udp://, tcp:// or tls://host:port, or i2cp://host
    ///
    /// In full: udp://host:port, tcp://host:port[?prefix=u16be], tls://host:port[?prefix=u16be] or
    /// i2cp://host[:7654]
    #[arg(long, value_name = "URL")]
    pub(super) carrier: CarrierUrl,

    #[command(flatten)]
    pub(super) options: PeerOptions,
}

/// How to talk to a peer.
#[derive(Debug, Args)]
pub(super) struct PeerOptions {
    /// Our I2P destination, made by `keys new`
    ///
    /// A file, for i2cp and tls; a client may be transient.
    #[arg(long, value_name = "FILE")]
    pub(super) keys: Option<PathBuf>,

    /// Derive ids and faults from a number
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub(super) seed: Option<u64>,

    /// Inject faults into sent messages, or into one direction:
    /// 'c2s: latency=50ms±10ms, loss=1%; s2c: stall=2s@10KiB'; see docs/faults.md
    #[arg(long, value_name = "FAULTS", hide_short_help = true)]
    pub(super) fault: Vec<FaultLines>,

    /// Record the live traffic, as pcapng
    #[arg(long, value_name = "FILE.pcapng", hide_short_help = true)]
    pub(super) save_live: Option<PathBuf>,

    /// Order of messages over i2cp: guaranteed sends one message of a conversation at a time,
    /// best-effort does not wait; auto is guaranteed at Java routers
    #[arg(
        long,
        value_name = "ORDER",
        value_enum,
        default_value = "auto",
        hide_short_help = true
    )]
    pub(super) i2cp_order: OrderName,

    /// How long to wait for a carrier that cannot be connected to yet
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration, hide_short_help = true)]
    pub(super) connect_timeout: Duration,

    /// Allow addresses that are not loopback to be bound
    #[arg(long, hide_short_help = true, help_heading = "Safety")]
    pub(super) allow_remote: bool,

    #[command(flatten)]
    pub(super) tls: TlsArgs,

    #[command(flatten)]
    pub(super) log: LogArgs,
}

/// How long clients may be silent at first.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct SilenceArgs {
    /// End connections over tcp and tls on which no SYN has come for so long; our own client connects
    /// before anybody wants a conversation
    #[arg(
        long,
        value_name = "TIME|off",
        default_value = "off",
        hide_short_help = true,
        help_heading = "Safety"
    )]
    pub(super) first_message_timeout: TimeOrOff,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum OrderName {
    /// guaranteed at Java routers, which deliver out of order, otherwise best-effort
    Auto,
    /// Each message waits until the router has reported the previous one as sent
    Guaranteed,
    /// As fast as the router takes them
    BestEffort,
}

impl From<OrderName> for LaneOrder {
    fn from(name: OrderName) -> Self {
        match name {
            OrderName::Auto => Self::Auto,
            OrderName::Guaranteed => Self::Guaranteed,
            OrderName::BestEffort => Self::BestEffort,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct TlsArgs {
    /// X.509 instead of destinations: authorities for the other end's certificate, in PEM
    #[arg(
        long,
        value_name = "FILE",
        hide_short_help = true,
        help_heading = "TLS"
    )]
    pub(super) tls_ca: Option<PathBuf>,

    /// The name or address that the server's certificate must contain
    #[arg(
        long,
        value_name = "NAME",
        requires = "tls_ca",
        hide_short_help = true,
        help_heading = "TLS"
    )]
    pub(super) tls_name: Option<String>,

    /// Our certificate, with its chain, in PEM
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_key",
        hide_short_help = true,
        help_heading = "TLS"
    )]
    pub(super) tls_cert: Option<PathBuf>,

    /// The private key of --tls-cert, in PEM
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_cert",
        hide_short_help = true,
        help_heading = "TLS"
    )]
    pub(super) tls_key: Option<PathBuf>,

    /// Append the secrets of each connection to the file that SSLKEYLOGFILE names: whoever has
    /// them can decrypt captures
    #[arg(long, hide_short_help = true, help_heading = "TLS")]
    pub(super) keylog: bool,
}

#[derive(Debug, Args)]
pub(super) struct LogArgs {
    /// Form of the log [default: people on a terminal without -v, otherwise text]
    #[arg(long, value_enum, hide_short_help = true, help_heading = "Logs")]
    pub(super) log_format: Option<LogFormat>,

    /// Append the log to a file instead of standard error
    #[arg(
        long,
        value_name = "FILE",
        hide_short_help = true,
        help_heading = "Logs"
    )]
    pub(super) log_file: Option<PathBuf>,

    /// Colours, in the log and in a report
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = When::Auto, hide_short_help = true, help_heading = "Logs")]
    pub(super) color: When,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// One sentence per line, repetitions folded
    People,
    /// Time, level and all fields
    Text,
    /// One object per line
    Json,
}

/// `--report`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ReportFormat {
    /// For people
    Table,
    /// For programs
    Json,
    /// Nothing
    None,
}
