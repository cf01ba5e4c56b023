//! The arguments of `replay`, `mock` and `inject`.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::shared_args::{PeerArgs, ReportFormat, SilenceArgs};
use super::values::{
    SynSource, compare, copies, ids, loops, order, rate, speed, syn_source, unmatched,
};
use crate::cli::args::ProgressWhen;
use crate::cli::values::{ConversationNames, duration};
use crate::replay::mock::Unmatched;
use crate::replay::{Compare, IdPolicy, Loops, Mask, Order};
use crate::runtime::{Allowed, Remote};

/// What of which captures.
#[derive(Debug, Args)]
pub(super) struct RecordingArgs {
    /// Captures, or one file of `ministream-dump -T ndjson`
    ///
    /// Captures are pcap or pcapng, plain, .gz or .zst; a directory stands for the captures in it,
    /// and several are one capture, merged by time.
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,

    /// Read captures one after the other, in the order given
    #[arg(long, hide_short_help = true, help_heading = "Selection")]
    pub(super) concat: bool,

    /// Only these conversations: c1,c3
    #[arg(long, value_name = "LIST")]
    pub(super) conv: Option<ConversationNames>,

    /// Only conversations with a message that matches
    ///
    /// In the language of ministream-dump: 'type==data && payload contains "GET"'.
    #[arg(short = 'Y', value_name = "EXPR")]
    pub(super) filter: Option<String>,

    /// Bytes that may differ: 's2c:/Date: [^\r]+/', s2c:10..18
    #[arg(long, value_name = "MASK")]
    pub(super) mask: Vec<Mask>,

    /// Maximum number of differences to show
    #[arg(
        long,
        value_name = "N",
        default_value_t = 20,
        hide_short_help = true,
        help_heading = "Expectation"
    )]
    pub(super) max_diffs: usize,

    /// Exit with 0, not 3, when a capture is truncated
    #[arg(long, hide_short_help = true, help_heading = "Selection")]
    pub(super) lenient: bool,
}

#[derive(Debug, Args)]
pub(super) struct PlayArgs {
    #[command(flatten)]
    pub(super) recording: RecordingArgs,

    #[command(flatten)]
    pub(super) peer: PeerArgs,

    /// Whom to call over i2cp, or to require over tls
    ///
    /// A destination in base64, by name, or in a file (@FILE).
    #[arg(long, value_name = "DEST", allow_hyphen_values = true)]
    pub(super) to: Option<Remote>,

    /// Print the schedule and open no socket
    #[arg(long)]
    pub(super) dry_run: bool,

    /// Play faster or slower by this factor
    ///
    /// Relative to the recording: 0.5 is half as fast, 2 twice as fast.
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = speed,
          conflicts_with_all = ["topspeed", "rate"])]
    pub(super) speed: f64,

    /// As fast as the order allows
    #[arg(long, conflicts_with = "rate")]
    pub(super) topspeed: bool,

    /// Messages per second: 100/s
    #[arg(long, value_name = "N/s", value_parser = rate, hide_short_help = true)]
    pub(super) rate: Option<f64>,

    /// Shorten longer silences of the recording to this
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration, hide_short_help = true, help_heading = "Time")]
    pub(super) max_gap: Duration,

    /// Wait before the first message
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration, hide_short_help = true, help_heading = "Time")]
    pub(super) start_delay: Duration,

    /// What a message waits for: ids, replies, or none (with --ids raw)
    #[arg(long, default_value = "ids", value_parser = order, hide_short_help = true, help_heading = "Order and ids")]
    pub(super) order: Order,

    /// fresh, recorded or raw
    #[arg(long, default_value = "fresh", value_parser = ids, hide_short_help = true, help_heading = "Order and ids")]
    pub(super) ids: IdPolicy,

    /// Write the live id for each recorded id, as NDJSON
    #[arg(
        long,
        value_name = "FILE",
        hide_short_help = true,
        help_heading = "Order and ids"
    )]
    pub(super) id_map: Option<PathBuf>,

    /// The destination in our SYNs: keep, own or @FILE [default: own on i2cp and tls, keep elsewhere]
    #[arg(long, value_parser = syn_source, hide_short_help = true, help_heading = "Order and ids")]
    pub(super) dest: Option<SynSource>,

    /// Play conversations whose SYN is not in the capture, too, with their ids as captured
    #[arg(
        long,
        value_name = "mid-stream",
        hide_short_help = true,
        help_heading = "Selection"
    )]
    pub(super) include: Option<Include>,

    /// The answers to expect: a capture or NDJSON with the same conversations
    #[arg(
        long,
        value_name = "FILE",
        hide_short_help = true,
        help_heading = "Expectation"
    )]
    pub(super) expect: Option<PathBuf>,

    /// What must be as recorded: stream, messages, shape or none
    #[arg(long, default_value = "stream", value_parser = compare, hide_short_help = true, help_heading = "Expectation")]
    pub(super) compare: Compare,

    /// What makes the exit code 1
    #[arg(
        long,
        value_enum,
        default_value = "differs",
        hide_short_help = true,
        help_heading = "Expectation"
    )]
    pub(super) fail_on: ReplayFailOn,

    /// How often each copy is played: a number or forever
    #[arg(long, value_name = "N", default_value = "1", value_parser = loops, hide_short_help = true, help_heading = "Load")]
    pub(super) loops: Loops,

    /// Pause between two passes of a copy
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration, hide_short_help = true, help_heading = "Load")]
    pub(super) loop_gap: Duration,

    /// Number of copies played at once
    #[arg(long, value_name = "N", default_value = "1", value_parser = copies, hide_short_help = true, help_heading = "Load")]
    pub(super) concurrency: NonZeroU32,

    /// Delay between the starts of two copies
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = duration, hide_short_help = true, help_heading = "Load")]
    pub(super) stagger: Duration,

    /// Begin no conversation after this time
    #[arg(long, value_name = "TIME", value_parser = duration, hide_short_help = true, help_heading = "Load")]
    pub(super) duration: Option<Duration>,

    /// Time for the answer to a SYN
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration, hide_short_help = true, help_heading = "Timeouts")]
    pub(super) handshake_timeout: Duration,

    /// Silence allowed while bytes are due
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration, hide_short_help = true, help_heading = "Timeouts")]
    pub(super) reply_timeout: Duration,

    /// Time for the whole run
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration, hide_short_help = true, help_heading = "Timeouts")]
    pub(super) timeout: Duration,

    /// Format of the report on standard output
    #[arg(
        long,
        value_enum,
        default_value = "table",
        hide_short_help = true,
        help_heading = "Report"
    )]
    pub(super) report: ReportFormat,

    /// Write the JSON report to this file
    #[arg(
        long,
        value_name = "FILE",
        hide_short_help = true,
        help_heading = "Report"
    )]
    pub(super) report_file: Option<PathBuf>,

    /// Write a JUnit report to this file
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<PathBuf>,

    /// A report for a browser, in one file
    ///
    /// Differences, and both ladders beside each other. FILE - is standard output, in place of the
    /// table.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,

    /// ASCII instead of box lines and arrows
    #[arg(long, hide_short_help = true, help_heading = "Report")]
    pub(super) ascii: bool,

    /// Progress on standard error, if that is a terminal
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        hide_short_help = true,
        help_heading = "Report"
    )]
    pub(super) progress: ProgressWhen,
}

#[derive(Debug, Args)]
pub(super) struct MockArgs {
    #[command(flatten)]
    pub(super) recording: RecordingArgs,

    #[command(flatten)]
    pub(super) peer: PeerArgs,

    /// If none fits: refuse, close, silence
    ///
    /// What happens to a client when no recorded conversation is left, or none resembles its
    /// request.
    #[arg(long, value_name = "HOW", default_value = "refuse", value_parser = unmatched)]
    pub(super) unmatched: Unmatched,

    /// Plays of each conversation, or forever
    ///
    /// After so many a recorded conversation is used up.
    #[arg(long, value_name = "N", default_value = "1", value_parser = loops)]
    pub(super) loops: Loops,

    /// Play faster or slower by this factor
    ///
    /// Relative to the recording: 0.5 is half as fast, 2 twice as fast.
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = speed,
          conflicts_with = "topspeed")]
    pub(super) speed: f64,

    /// Answer at once
    #[arg(long)]
    pub(super) topspeed: bool,

    /// Silence allowed to a client that owes bytes
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration, hide_short_help = true)]
    pub(super) reply_timeout: Duration,

    /// Admit only these networks or .b32.i2p names
    ///
    /// tls needs names; any admits everybody.
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

    /// Write the ready line to this file, too
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(super) ready_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct InjectArgs {
    #[command(flatten)]
    pub(super) peer: PeerArgs,

    /// Whom to call over i2cp, or to require over tls
    ///
    /// A destination in base64, by name, or in a file (@FILE).
    #[arg(long, value_name = "DEST", allow_hyphen_values = true)]
    pub(super) to: Option<Remote>,

    /// Read the steps from a file, or from standard input (-)
    #[arg(long, value_name = "FILE", conflicts_with = "steps")]
    pub(super) script: Option<PathBuf>,

    /// First send the clients' messages of a capture
    ///
    /// Steps follow.
    #[arg(long, value_name = "CAPTURE")]
    pub(super) from: Option<PathBuf>,

    /// Only messages of --from that match
    ///
    /// In the language of ministream-dump: 'type==syn'.
    #[arg(short = 'Y', value_name = "EXPR", requires = "from")]
    pub(super) filter: Option<String>,

    /// Ids of --from: fresh, recorded or raw
    ///
    /// A message that needs a live id waits for the ACK.
    #[arg(long, default_value = "fresh", value_parser = ids, requires = "from")]
    pub(super) ids: IdPolicy,

    /// The destination in its SYNs: keep, own or @FILE [default: own on i2cp and tls, keep elsewhere]
    #[arg(long, value_parser = syn_source, requires = "from", hide_short_help = true, help_heading = "Messages of a capture")]
    pub(super) dest: Option<SynSource>,

    /// Check the script and open no socket
    #[arg(long)]
    pub(super) dry_run: bool,

    /// Steps, one per argument: 'syn 111111' 'expect ack 111111 -> $s'
    #[arg(value_name = "STEP", required_unless_present_any = ["script", "from"])]
    pub(super) steps: Vec<String>,
}

/// `--include`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Include {
    /// Conversations whose SYN is not in the capture
    MidStream,
}

/// `--fail-on`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ReplayFailOn {
    /// Any result but `same`
    Differs,
    /// Only missing answers
    NoReply,
    /// Nothing
    Never,
}
