//! The arguments of `conform`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::shared_args::PeerOptions;
use crate::replay::conform::{Dialect, Tested};
use crate::runtime::{Allowed, CarrierUrl, Remote};

#[derive(Debug, Args)]
pub(super) struct ConformArgs {
    /// The peer to test
    #[arg(value_enum)]
    pub(super) tested: TestedPeer,

    /// Run only cases whose names begin with this: ms/close
    #[arg(value_name = "CASE")]
    pub(super) cases: Vec<String>,

    /// List the cases without running them
    #[arg(long)]
    pub(super) list: bool,

    /// udp://, tcp:// or tls://host:port, or i2cp://host
    ///
    /// In full: udp://host:port, tcp://host:port[?prefix=u16be], tls://host:port[?prefix=u16be] or
    /// i2cp://host[:7654]; called to test a server, bound to test a client.
    #[arg(long, value_name = "URL", required_unless_present = "list")]
    pub(super) carrier: Option<CarrierUrl>,

    /// The destination of the server, for i2cp and tls
    ///
    /// In base64, by name, or in a file (@FILE).
    #[arg(long, value_name = "DEST", allow_hyphen_values = true)]
    pub(super) to: Option<Remote>,

    /// Act as the tested server's service (its --target)
    ///
    /// Without it, cases that look at that side are skipped.
    #[arg(long, value_name = "ADDR", conflicts_with = "dial")]
    pub(super) service: Option<String>,

    /// Where the tested client listens (its --listen)
    ///
    /// `conform` connects there to make it open conversations.
    #[arg(long, value_name = "ADDR")]
    pub(super) dial: Option<String>,

    /// Fail also if a `should` case fails
    #[arg(long)]
    pub(super) strict: bool,

    /// Which side to follow where the protocol's text and the Java implementation differ
    #[arg(long, value_enum, default_value = "text", hide_short_help = true)]
    pub(super) dialect: DialectName,

    /// Repeat a failed case up to N times
    #[arg(long, value_name = "N", default_value_t = 0, hide_short_help = true)]
    pub(super) retries: u32,

    /// Write a JUnit report to this file
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<PathBuf>,

    /// Admit only these clients: networks, or .b32.i2p names, which tls needs; any admits everybody
    #[arg(
        long,
        value_name = "CIDR|B32|any",
        value_delimiter = ',',
        hide_short_help = true,
        help_heading = "Safety"
    )]
    pub(super) allow: Vec<Allowed>,

    /// A report for a browser, in one file
    ///
    /// Sentences and messages of failed cases. FILE - is standard output, in place of the lines.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,

    /// Write the ready line to this file, too
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(super) ready_file: Option<PathBuf>,

    #[command(flatten)]
    pub(super) options: PeerOptions,
}

/// Who is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TestedPeer {
    /// An endpoint that answers SYNs
    Server,
    /// An endpoint that sends SYNs
    Client,
}

impl From<TestedPeer> for Tested {
    fn from(peer: TestedPeer) -> Self {
        match peer {
            TestedPeer::Server => Self::Server,
            TestedPeer::Client => Self::Client,
        }
    }
}

/// `--dialect`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DialectName {
    /// The protocol's text
    Text,
    /// The Java implementation of April 2004
    Java2004,
    /// The Java implementation of 2011, its last release
    Java2011,
}

impl From<DialectName> for Dialect {
    fn from(name: DialectName) -> Self {
        match name {
            DialectName::Text => Self::Text,
            DialectName::Java2004 => Self::Java2004,
            DialectName::Java2011 => Self::Java2011,
        }
    }
}
