//! The arguments of `ministream-dump`, as the user types them.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{
    Arg, ArgAction, ArgGroup, CommandFactory, FromArgMatches, Parser, ValueEnum, value_parser,
};

use super::values::{
    ConversationNames, StatisticName, Stop, field, plain_statistics, statistics_with_values,
};
use crate::dissect::DecodeAs;
use crate::field::Field;

const EXAMPLES: &str = "\
  ministream-dump capture.pcap                messages, conversations, findings
  ministream-dump capture.pcap -z follow,c1   the contents of one conversation
  ministream-dump -i lo -f 'tcp port 9004'    the same, live";

/// The output of `-h` fits a terminal of 80 columns and 24 lines: common options, each with a short
/// first paragraph, before those that only `--help` shows under their headings.
const TEMPLATE: &str =
    "{about}\n\n{usage-heading} {usage}\n\n  {before-help}{all-args}{after-help}";

/// Dissect ministreaming traffic, I2P's first tunnel protocol
#[derive(Debug, Parser)]
#[command(
    name = "ministream-dump",
    version,
    disable_version_flag = true,
    before_help = EXAMPLES,
    help_template = TEMPLATE,
    max_term_width = 100,
    group = ArgGroup::new("directory").args(["export", "parquet"]).multiple(true),
    after_long_help = "Exit codes: 0 fine; 1 a check of --fail-on failed; 2 could not start; 3 incomplete input"
)]
pub(crate) struct DumpArgs {
    /// Captures: pcap or pcapng, also compressed with gzip or zstd, or one file of records of -T ndjson; - is standard
    /// input
    ///
    /// Several files are one capture, merged by time, in whatever order they are given. A directory
    /// stands for the captures in it.
    #[arg(value_name = "FILE", hide_short_help = true)]
    pub(crate) files: Vec<PathBuf>,

    /// The same as FILE
    #[arg(short = 'r', value_name = "FILE", hide_short_help = true)]
    pub(crate) read: Vec<PathBuf>,

    /// Read several captures one after the other, in the order given, not merged by time
    #[arg(long, hide_short_help = true, conflicts_with = "interface")]
    pub(crate) concat: bool,

    /// Capture on an interface
    #[arg(short = 'i', value_name = "IFACE")]
    pub(crate) interface: Option<String>,

    /// List interfaces
    #[arg(short = 'D', hide_short_help = true, help_heading = "Live capture")]
    pub(crate) list_interfaces: bool,

    /// Capture filter in libpcap's language: 'tcp port 9004'
    #[arg(short = 'f', value_name = "BPF")]
    pub(crate) capture_filter: Option<String>,

    /// Bytes to capture of each packet; 0 for all
    #[arg(
        short = 's',
        value_name = "N",
        value_parser = super::values::snap_length,
        hide_short_help = true,
        help_heading = "Live capture"
    )]
    pub(crate) snap_length: Option<u32>,

    /// Do not put the interface into promiscuous mode
    #[arg(short = 'p', hide_short_help = true, help_heading = "Live capture")]
    pub(crate) not_promiscuous: bool,

    /// Size of the kernel's buffer: 8MiB
    #[arg(
        short = 'B', value_name = "SIZE", value_parser = super::values::size_with_unit,
        hide_short_help = true, help_heading = "Live capture"
    )]
    pub(crate) buffer: Option<u64>,

    /// Stop after showing N messages
    #[arg(
        short = 'c', value_name = "N", value_parser = super::values::count,
        hide_short_help = true, help_heading = "Selection"
    )]
    pub(crate) count: Option<u64>,

    /// Stop after duration:10s, messages:N or bytes:N
    #[arg(
        short = 'a',
        value_name = "STOP",
        hide_short_help = true,
        help_heading = "Selection"
    )]
    pub(crate) stop: Vec<Stop>,

    /// Show matching messages: 'type==data && conv==c3'
    ///
    /// More examples: 'payload contains "HTTP"', 'level>=warn', 'payload ~ /2\d\d OK/'. A test of whole
    /// conversations, such as 'state == refused' or 'duration > 1.5s', reads files twice.
    /// --list-fields lists the fields.
    #[arg(short = 'Y', value_name = "FILTER")]
    pub(crate) filter: Option<String>,

    /// List the fields that filters and -e know
    #[arg(long, hide_short_help = true, help_heading = "Selection")]
    pub(crate) list_fields: bool,

    /// Show only these conversations: c1,c3
    #[arg(long, value_name = "CONV")]
    pub(crate) conv: Option<ConversationNames>,

    /// Show all messages of conversations in which one matches -Y (reads files twice)
    #[arg(
        long,
        requires = "filter",
        hide_short_help = true,
        help_heading = "Selection"
    )]
    pub(crate) whole_conv: bool,

    /// Carrier of a port: udp.port==9004,ministream; tcp.port==9004,ministream:u16be
    /// (or u32be, segment); tcp.port==7654,i2cp
    #[arg(
        short = 'd',
        value_name = "RULE",
        hide_short_help = true,
        help_heading = "Selection"
    )]
    pub(crate) decode_as: Vec<DecodeAs>,

    /// Decrypt TLS 1.3 connections whose secrets are in this file, in the format of
    /// SSLKEYLOGFILE
    #[arg(
        long,
        value_name = "FILE",
        hide_short_help = true,
        help_heading = "Selection"
    )]
    pub(crate) keylog: Option<PathBuf>,

    /// Format of messages
    #[arg(short = 'T', value_name = "FORMAT")]
    pub(crate) format: Option<Format>,

    /// Fields for -T fields and csv, one or several: -e n -e type,id
    #[arg(
        short = 'e', value_name = "FIELD", value_parser = field, value_delimiter = ',',
        hide_short_help = true, help_heading = "Output"
    )]
    pub(crate) fields: Vec<Field>,

    /// The same as -T json
    #[arg(
        long,
        conflicts_with = "format",
        hide_short_help = true,
        help_heading = "Output"
    )]
    pub(crate) json: bool,

    /// Every field of a message, with its offset
    #[arg(short = 'V')]
    pub(crate) details: bool,

    /// The bytes of each message
    #[arg(short = 'x', hide_short_help = true)]
    pub(crate) hex: bool,

    #[arg(
        short = 'z',
        value_name = "STAT",
        help = statistics_help(),
        long_help = format!("{}\n\nRepeatable. {}.", statistics_help(), statistics_with_values())
    )]
    pub(crate) statistics: Vec<StatisticName>,

    /// Show each conversation as a ladder diagram, in place of messages
    #[arg(
        long,
        value_name = "HOW",
        conflicts_with_all = ["format", "json", "details", "hex", "quiet", "statistics"],
        hide_short_help = true,
        help_heading = "Output"
    )]
    pub(crate) ladder: Option<Ladder>,

    /// Browse conversations; ? shows the keys
    ///
    /// Works on files, or live with -i. The records are kept in temporary files (TMPDIR), and of a live capture or a
    /// pipe the packets. Packets, streams and reports of marked conversations can be written from within.
    #[arg(
        long,
        conflicts_with_all = ["format", "json", "details", "hex", "quiet", "statistics", "ladder", "html",
            "write", "export", "parquet"]
    )]
    pub(crate) tui: bool,

    /// A report for a browser, in one file
    ///
    /// It needs no network. FILE - is standard output. The report replaces the tables unless -T or -z
    /// asks for them.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,

    /// Packets of the selection as pcapng
    ///
    /// Findings become packet comments. All packets of a TCP connection are written. FILE - is standard output. Replaces the
    /// tables. Files are read again for it; in a live capture each packet is written as it
    /// arrives.
    #[arg(short = 'w', value_name = "FILE")]
    pub(crate) write: Option<PathBuf>,

    /// Write the streams of each conversation to files in DIR: c1.c2s.bin, c1.s2c.bin,
    /// and index.json; replaces the tables as --html does
    #[arg(
        long,
        value_name = "DIR",
        hide_short_help = true,
        help_heading = "Output"
    )]
    pub(crate) export: Option<PathBuf>,

    /// Add messages, conversations and findings to a Parquet data set in DIR, with the names
    /// and types of the JSON records: messages/capture=FILE/part-00000.parquet and so on;
    /// replaces the tables as --html does
    #[arg(
        long,
        value_name = "DIR",
        hide_short_help = true,
        help_heading = "Output"
    )]
    pub(crate) parquet: Option<PathBuf>,

    /// Let --export write to a directory that is not empty, and --parquet to an existing
    /// partition, and replace files
    #[arg(
        long,
        requires = "directory",
        hide_short_help = true,
        help_heading = "Output"
    )]
    pub(crate) force: bool,

    /// No messages, only the tables asked for
    ///
    /// With JSON, all records but those of messages.
    #[arg(short = 'q')]
    pub(crate) quiet: bool,

    /// Times: r(elative), d(elta), a (local time), u(tc), e(poch)
    #[arg(
        short = 't',
        value_name = "STYLE",
        default_value = "r",
        hide_short_help = true,
        help_heading = "Output"
    )]
    pub(crate) times: Times,

    /// How much of payloads to show [default: preview in tables, full in JSON]
    #[arg(
        long,
        value_name = "HOW",
        hide_short_help = true,
        help_heading = "Output"
    )]
    pub(crate) payload: Option<Payload>,

    /// Make every output safe to share: payload (its bytes become *), dest (destinations
    /// become pseudonyms), or payload,dest; lengths, ids, addresses and times stay
    #[arg(
        long,
        value_name = "WHAT",
        value_delimiter = ',',
        hide_short_help = true,
        help_heading = "Output"
    )]
    pub(crate) redact: Vec<Redact>,

    /// Derive pseudonyms from the key in FILE, so that they are the same in several runs; the file
    /// is created if it does not exist. Keep it to yourself
    #[arg(
        long,
        value_name = "FILE",
        requires = "redact",
        hide_short_help = true,
        help_heading = "Output"
    )]
    pub(crate) redact_key: Option<PathBuf>,

    /// Ids in hex, in base64 as in Java logs, or both
    #[arg(
        long,
        value_name = "HOW",
        default_value = "hex",
        hide_short_help = true,
        help_heading = "Output"
    )]
    pub(crate) id_format: Ids,

    /// Version of the schema of JSON records
    #[arg(
        long, value_name = "N", default_value = "1",
        value_parser = clap::builder::PossibleValuesParser::new(["1"]),
        hide_short_help = true, help_heading = "Output"
    )]
    pub(crate) schema: String,

    /// Colours
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        hide_short_help = true,
        help_heading = "Output"
    )]
    pub(crate) color: When,

    /// ASCII instead of box lines and arrows
    #[arg(long, hide_short_help = true, help_heading = "Output")]
    pub(crate) ascii: bool,

    /// Progress on standard error, if that is a terminal
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        hide_short_help = true,
        help_heading = "Output"
    )]
    pub(crate) progress: ProgressWhen,

    /// Never use a pager for results longer than the screen
    #[arg(long, hide_short_help = true, help_heading = "Output")]
    pub(crate) no_pager: bool,

    /// Exit with 1 on a note, warn, error, or if empty
    ///
    /// note is any finding, warn a warning or an error, error an error; empty means that no
    /// message was shown.
    #[arg(long, value_name = "LEVEL", hide_possible_values = true)]
    pub(crate) fail_on: Option<FailOn>,

    /// Exit with 0, not 3, when a capture is truncated or packets were dropped
    #[arg(long, hide_short_help = true, help_heading = "Checks")]
    pub(crate) lenient: bool,

    /// Threads to use; the output does not depend on it [default: the machine's cores]
    #[arg(short = 'j', long, value_name = "N", hide_short_help = true)]
    pub(crate) jobs: Option<NonZeroUsize>,

    /// Memory for flows and conversations: 64MiB [default: a quarter of the machine's, or the container's]
    #[arg(
        long, value_name = "SIZE", value_parser = super::values::size_with_unit,
        hide_short_help = true
    )]
    pub(crate) memory: Option<u64>,

    /// No effect, for compatibility: addresses and ports are never resolved
    #[arg(short = 'n', hide_short_help = true)]
    pub(crate) numeric: bool,

    /// Show every message immediately, also when reading from a pipe
    #[arg(short = 'l', hide_short_help = true, help_heading = "Output")]
    pub(crate) line_buffered: bool,

    /// Print completions for a shell, the manual page, the JSON Schema of records, or a
    /// dissector for Wireshark
    #[arg(long, value_name = "WHAT", hide_short_help = true)]
    pub(crate) generate: Option<Generate>,

    /// More messages on standard error: -v skipped packets, -vv also reassembly
    #[arg(short = 'v', action = ArgAction::Count, hide_short_help = true)]
    pub(crate) verbose: u8,

    /// Print the version
    #[arg(long, hide_short_help = true, action = ArgAction::Version)]
    pub(crate) version: Option<bool>,

    /// The file in which packets are kept while they are dissected
    #[arg(skip)]
    pub(crate) keep_packets: Option<PathBuf>,

    /// The file of kept packets that is read in place of the input
    #[arg(skip)]
    pub(crate) kept_packets: Option<PathBuf>,
}

impl DumpArgs {
    /// The option for [`Self::keep_packets`]. It and the next are there for `--tui`, which runs this
    /// program; no help or completion names them.
    pub(super) const KEEP_PACKETS: &str = "keep-packets";

    /// The option for [`Self::kept_packets`].
    pub(super) const KEPT_PACKETS: &str = "kept-packets";

    /// Parses the arguments, the program's name first.
    pub(super) fn of(arguments: &[OsString]) -> Result<Self, clap::Error> {
        let hidden = [Self::KEEP_PACKETS, Self::KEPT_PACKETS].map(|name| {
            let option = Arg::new(name).long(name).value_name("FILE").hide(true);
            option.value_parser(value_parser!(PathBuf))
        });
        let mut matches = Self::command()
            .args(hidden)
            // Where packets are kept no others are written.
            .mut_arg(Self::KEEP_PACKETS, |option| option.conflicts_with("write"))
            .try_get_matches_from(arguments)?;
        let args = Self::from_arg_matches_mut(&mut matches)
            .map_err(|error| error.format(&mut Self::command()))?;
        Ok(Self {
            keep_packets: matches.remove_one(Self::KEEP_PACKETS),
            kept_packets: matches.remove_one(Self::KEPT_PACKETS),
            ..args
        })
    }
}

/// The help of `-z`, in a line.
fn statistics_help() -> String {
    format!("Tables: {}, follow,c1 …", plain_statistics())
}

/// `--generate`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Generate {
    /// Completions for bash
    CompletionsBash,
    /// Completions for zsh
    CompletionsZsh,
    /// Completions for fish
    CompletionsFish,
    /// Completions for PowerShell
    CompletionsPowershell,
    /// Completions for Elvish
    CompletionsElvish,
    /// The manual page, for man
    Man,
    /// JSON Schema of the records of -T ndjson and -T json
    Schema,
    /// A dissector for Wireshark's plugin folder, with the names of fields and findings used here
    WiresharkLua,
}

/// `-T`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table, then conversations and findings
    Table,
    /// One line per message
    Text,
    /// Each conversation as the specification writes its samples
    Spec,
    /// One JSON object
    Json,
    /// One JSON record per line
    Ndjson,
    /// Comma-separated values with a heading
    Csv,
    /// The fields of -e, separated by tabs
    Fields,
}

/// `--ladder`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ladder {
    /// For a terminal
    Text,
    /// For Markdown documents
    Mermaid,
}

/// `-t`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Times {
    /// Seconds since the first packet
    #[value(name = "r")]
    Relative,
    /// Seconds since the previous message
    #[value(name = "d")]
    Delta,
    /// Local date and time
    #[value(name = "a")]
    Local,
    /// Date and time in UTC
    #[value(name = "u")]
    Utc,
    /// Seconds since 1970
    #[value(name = "e")]
    Epoch,
}

/// `--payload`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Payload {
    /// Nothing but the length
    None,
    /// The beginning
    Preview,
    /// Everything
    Full,
}

/// `--redact`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Redact {
    /// Application data, and nicknames of I2CP sessions
    Payload,
    /// I2P destinations and their hashes, and nicknames of I2CP sessions
    Dest,
}

/// `--id-format`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ids {
    /// Six hex digits
    Hex,
    /// Four characters of I2P base64
    B64,
    /// Both
    Both,
}

/// `--color`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal, unless NO_COLOR or TERM=dumb say otherwise
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// `--progress`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressWhen {
    /// After a second, on a terminal
    Auto,
    /// Never
    Never,
}

/// `--fail-on`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Any finding
    Note,
    /// A warning or an error
    Warn,
    /// An error
    Error,
    /// No message shown
    Empty,
}
