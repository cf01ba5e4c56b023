//! The arguments of `ministream-replay`, as the user types them.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::conform_args::ConformArgs;
use super::play_args::{InjectArgs, MockArgs, PlayArgs};
use super::proxy_args::ProxyArgs;
use super::shared_args::{LogArgs, OrderName, SilenceArgs, TlsArgs};
use super::values::{TimeOrOff, keep_alive, message_size, on_eof, positive_size, slow_reader};
use crate::cli::values::duration;
use crate::endpoint::{OnEof, SlowReader};
use crate::fault::FaultLines;
use crate::keys::KeyType;
use crate::runtime::{Allowed, CarrierUrl, Remote};

/// The output of `-h` fits a terminal of 80 columns and 24 lines: an example or two, and common options, each with a
/// short first paragraph. The others are under their headings in that of `--help`, with more examples.
const TEMPLATE: &str = "{about}\n\n{usage-heading} {usage}\n\n{before-help}{all-args}{after-help}";

const EXAMPLE: &str =
    "  ministream-replay server --carrier tcp://127.0.0.1:9004 --target 127.0.0.1:80
  ministream-replay client --carrier tcp://127.0.0.1:9004 \\
    --listen 127.0.0.1:8080";

const EXAMPLES: &str = "Examples:
  ministream-replay server --carrier tcp://127.0.0.1:9004 --target 127.0.0.1:80
  ministream-replay client --carrier tcp://127.0.0.1:9004 --listen 127.0.0.1:8080
  curl http://127.0.0.1:8080/
  ministream-replay replay capture.pcap --carrier tcp://127.0.0.1:9004";

const CLIENT_EXAMPLE: &str = "  ministream-replay client --carrier tcp://127.0.0.1:9004 \\
    --listen 127.0.0.1:8080";

const CLIENT_EXAMPLES: &str = "Examples:
  ministream-replay client --carrier tcp://127.0.0.1:9004 --listen 127.0.0.1:8080
  ministream-replay client --carrier i2cp://127.0.0.1 --keys transient --to site.i2p --listen 127.0.0.1:8080
  ministream-replay client --carrier tls://host:9004 --keys me.dat --to HASH.b32.i2p --listen 127.0.0.1:8080
  ssh -o ProxyCommand='ministream-replay client --carrier tcp://127.0.0.1:9004 --stdio' host";

const SERVER_EXAMPLE: &str =
    "  ministream-replay server --carrier tcp://127.0.0.1:9004 --target 127.0.0.1:80";

const SERVER_EXAMPLES: &str = "Examples:
  ministream-replay server --carrier tcp://127.0.0.1:9004 --target 127.0.0.1:80
  ministream-replay server --carrier i2cp://127.0.0.1 --keys site.dat --target 127.0.0.1:80
  ministream-replay server --carrier tls://[::]:9004 --allow-remote --keys site.dat --allow HASH.b32.i2p --target 127.0.0.1:80
  ministream-replay server --carrier udp://127.0.0.1:9004 --target 127.0.0.1:80 --capture tunnel.pcapng";

const REPLAY_EXAMPLE: &str =
    "  ministream-replay replay capture.pcap --carrier tcp://127.0.0.1:9004";

const REPLAY_EXAMPLES: &str = "Examples:
  ministream-replay replay capture.pcap --carrier udp://127.0.0.1:9004 --dry-run
  ministream-replay replay capture.pcap --carrier udp://127.0.0.1:9004 --mask 's2c:/Date: [^\\r]+/'
  ministream-replay replay capture.pcap --carrier tcp://127.0.0.1:9004 --topspeed --junit report.xml";

const MOCK_EXAMPLE: &str = "  ministream-replay mock capture.pcap --carrier tcp://127.0.0.1:9004";

const MOCK_EXAMPLES: &str = "Examples:
  ministream-replay mock capture.pcap --carrier udp://127.0.0.1:9004
  ministream-replay mock capture.pcap --carrier tcp://127.0.0.1:0 --topspeed --ready-file ready
  ministream-replay mock capture.pcap --carrier udp://127.0.0.1:9004 --loops forever --unmatched close";

const INJECT_EXAMPLE: &str = "  ministream-replay inject --carrier udp://127.0.0.1:9004 \\
    'syn $c' 'expect ack $c -> $s' 'close $s'";

const INJECT_EXAMPLES: &str = "Examples:
  ministream-replay inject --carrier udp://127.0.0.1:9004 'syn $c' 'expect ack $c -> $s' 'close $s'
  ministream-dump capture.pcap -T spec | ministream-replay inject --carrier udp://127.0.0.1:9004 --script -
  ministream-replay inject --carrier udp://127.0.0.1:9004 --from capture.pcap -Y 'type == syn'";

const CONFORM_EXAMPLE: &str = "  ministream-replay conform server --carrier tcp://127.0.0.1:9004 \\
    --service 127.0.0.1:7000";

const CONFORM_EXAMPLES: &str = "Examples:
  ministream-replay conform server --list
  ministream-replay conform server --carrier tcp://127.0.0.1:9004 --service 127.0.0.1:7000
  ministream-replay conform client --carrier udp://127.0.0.1:9004 --dial 127.0.0.1:8080 ms/handshake";

const PROXY_EXAMPLE: &str = "  ministream-replay proxy --carrier tcp://127.0.0.1:9005 \\
    --upstream tcp://127.0.0.1:9004";

const PROXY_EXAMPLES: &str = "Examples:
  ministream-replay proxy --carrier tcp://127.0.0.1:9005 --upstream tcp://127.0.0.1:9004
  ministream-replay proxy --carrier udp://127.0.0.1:9005 --upstream tcp://127.0.0.1:9004 --capture both.pcapng
  ministream-replay proxy --carrier tcp://127.0.0.1:9005 --upstream tcp://127.0.0.1:9004 --rule 'type == ack: delay 200ms'";

/// Tunnel TCP through ministreaming, I2P's first tunnel protocol
#[derive(Debug, Parser)]
#[command(
    name = "ministream-replay",
    version,
    disable_version_flag = true,
    before_help = EXAMPLE,
    before_long_help = EXAMPLES,
    help_template = TEMPLATE,
    max_term_width = 100,
    after_long_help = "Exit codes: 0 fine, also an endpoint after Ctrl-C; 1 a check failed; 2 could not start; 3 the capture is damaged; 4 the transport failed; 130 cut short by Ctrl-C"
)]
pub(crate) struct ReplayArgs {
    #[command(subcommand)]
    pub(super) command: Command,

    /// Log conversations, -vv details, -vvv everything
    #[arg(short = 'v', action = ArgAction::Count, global = true, display_order = 998)]
    pub(super) verbose: u8,

    /// Print the version
    #[arg(long, hide_short_help = true, action = ArgAction::Version)]
    version: Option<bool>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Local TCP in, ministreaming out
    #[command(before_help = CLIENT_EXAMPLE, before_long_help = CLIENT_EXAMPLES, help_template = TEMPLATE)]
    Client(Box<ClientArgs>),
    /// Ministreaming in, a TCP service out
    #[command(before_help = SERVER_EXAMPLE, before_long_help = SERVER_EXAMPLES, help_template = TEMPLATE)]
    Server(Box<ServerArgs>),
    /// Play the client side of a capture against a live server
    #[command(before_help = REPLAY_EXAMPLE, before_long_help = REPLAY_EXAMPLES, help_template = TEMPLATE)]
    Replay(Box<PlayArgs>),
    /// Play the server side of a capture for a live client
    #[command(before_help = MOCK_EXAMPLE, before_long_help = MOCK_EXAMPLES, help_template = TEMPLATE)]
    Mock(Box<MockArgs>),
    /// Send hand-made messages, and check the answers
    #[command(before_help = INJECT_EXAMPLE, before_long_help = INJECT_EXAMPLES, help_template = TEMPLATE)]
    Inject(Box<InjectArgs>),
    /// Test whether a peer conforms to the protocol
    #[command(before_help = CONFORM_EXAMPLE, before_long_help = CONFORM_EXAMPLES, help_template = TEMPLATE)]
    Conform(Box<ConformArgs>),
    /// Watch, record, delay, change or break what passes
    #[command(before_help = PROXY_EXAMPLE, before_long_help = PROXY_EXAMPLES, help_template = TEMPLATE)]
    Proxy(Box<ProxyArgs>),
    /// Make and show I2P destinations
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Make a destination, and write its keys to a new file
    New {
        /// The file; it must not exist
        file: PathBuf,

        /// Type of the signing key
        ///
        /// dsa, the type of 2004, protects nothing today: for laboratories, Java routers before
        /// 0.9.15 and peers of April 2004.
        #[arg(
            long = "type",
            value_name = "TYPE",
            value_enum,
            default_value = "ed25519"
        )]
        key_type: KeyTypeName,
    },
    /// Print the destination in a key file: name, hash, base64
    Show {
        /// The file
        file: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum KeyTypeName {
    /// 387 bytes, null certificate, DSA-SHA1
    Dsa,
    /// 391 bytes, key certificate
    Ed25519,
}

impl From<KeyTypeName> for KeyType {
    fn from(name: KeyTypeName) -> Self {
        match name {
            KeyTypeName::Dsa => Self::Dsa,
            KeyTypeName::Ed25519 => Self::Ed25519,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct ClientArgs {
    /// Open a conversation for each connection to this address
    ///
    /// Port 0 picks a free one.
    #[arg(
        long,
        value_name = "ADDR",
        required_unless_present = "stdio",
        conflicts_with = "stdio"
    )]
    pub(super) listen: Option<String>,

    /// Whom to call over i2cp, or to require over tls
    ///
    /// A destination in base64, by name (NAME.i2p, HASH.b32.i2p), or in a file (@FILE).
    #[arg(long, value_name = "DEST", allow_hyphen_values = true)]
    pub(super) to: Option<Remote>,

    /// One conversation, connected to standard input and output
    ///
    /// The client ends with it.
    #[arg(long)]
    pub(super) stdio: bool,

    #[command(flatten)]
    pub(super) endpoint: EndpointArgs,
}

#[derive(Debug, Args)]
pub(super) struct ServerArgs {
    /// The service to connect conversations to
    #[arg(long, value_name = "ADDR")]
    pub(super) target: String,

    /// Admit only these networks or .b32.i2p names
    ///
    /// tls needs names; any admits everybody.
    #[arg(long, value_name = "CIDR|B32|any", value_delimiter = ',')]
    pub(super) allow: Vec<Allowed>,

    #[command(flatten)]
    pub(super) endpoint: EndpointArgs,

    #[command(flatten)]
    pub(super) silence: SilenceArgs,
}

#[derive(Debug, Args)]
pub(super) struct EndpointArgs {
    /// udp://, tcp:// or tls://host:port, or i2cp://host
    ///
    /// In full: udp://host:port, tcp://host:port[?prefix=u16be], tls://host:port[?prefix=u16be] or
    /// i2cp://host[:7654][?length=HOPS&quantity=TUNNELS]
    #[arg(long, value_name = "URL")]
    pub(super) carrier: CarrierUrl,

    /// Our I2P destination, made by `keys new`
    ///
    /// A file, for i2cp and tls; a client may be transient, or transient:dsa.
    #[arg(long, value_name = "FILE")]
    pub(super) keys: Option<PathBuf>,

    /// Resume service when the link was lost
    #[arg(long)]
    pub(super) reconnect: bool,

    /// Write the ready line to this file, too
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(super) ready_file: Option<PathBuf>,

    /// Record the traffic on the carrier, as pcapng
    ///
    /// ministream-dump and Wireshark read it.
    #[arg(long, value_name = "FILE")]
    pub(super) capture: Option<PathBuf>,

    /// Allow addresses that are not loopback
    ///
    /// To be bound, or to be the target.
    #[arg(long)]
    pub(super) allow_remote: bool,

    /// Maximum number of conversations at once
    #[arg(
        long,
        value_name = "N",
        default_value = "256",
        hide_short_help = true,
        help_heading = "Safety"
    )]
    pub(super) max_conversations: NonZeroUsize,

    /// Maximum number of conversations of one peer [default: 32 on udp, tcp and tls with --allow-remote, otherwise as many as in all]
    #[arg(
        long,
        value_name = "N",
        hide_short_help = true,
        help_heading = "Safety"
    )]
    pub(super) max_per_peer: Option<NonZeroUsize>,

    /// Bytes of a conversation that may wait for its reader
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = positive_size, hide_short_help = true, help_heading = "Flow")]
    pub(super) buffer: u64,

    /// Beyond --buffer: close:T pauses the link and closes the conversation after T, close
    /// closes it, pause waits [default: close:30s on tcp and tls, close elsewhere]
    #[arg(long, value_name = "close:T|close|pause", value_parser = slow_reader, hide_short_help = true, help_heading = "Flow")]
    pub(super) slow_reader: Option<SlowReader>,

    /// When the local side ends its input: drain:5s waits for the answer until nothing has come
    /// for 5 s, drain:off waits without limit, close does not wait
    /// [default: drain:5s for a client, close for a server]
    #[arg(long, value_name = "drain:T|drain:off|close", value_parser = on_eof, hide_short_help = true, help_heading = "Flow")]
    pub(super) on_eof: Option<OnEof>,

    /// How long a message that is not full waits for more bytes
    #[arg(
        long,
        value_name = "TIME|off",
        default_value = "off",
        hide_short_help = true,
        help_heading = "Flow"
    )]
    pub(super) merge: TimeOrOff,

    /// Maximum payload of a message [default: 32KiB, 8KiB on udp]
    #[arg(long, value_name = "SIZE", value_parser = message_size, hide_short_help = true, help_heading = "Flow")]
    pub(super) max_message: Option<usize>,

    /// Maximum bytes sent over UDP per second
    #[arg(long, value_name = "SIZE", default_value = "8MiB", value_parser = positive_size, hide_short_help = true, help_heading = "Flow")]
    pub(super) udp_rate: u64,

    /// Maximum bytes given to an I2P router per second; bytes that the receiver's router cannot pass on are lost
    #[arg(long, value_name = "SIZE", default_value = "4MiB", value_parser = positive_size, hide_short_help = true, help_heading = "Flow")]
    pub(super) i2cp_rate: u64,

    /// Order of messages over i2cp: guaranteed sends one message of a conversation at a time,
    /// best-effort does not wait; auto is guaranteed at Java routers
    #[arg(
        long,
        value_name = "ORDER",
        value_enum,
        default_value = "auto",
        hide_short_help = true,
        help_heading = "Flow"
    )]
    pub(super) i2cp_order: OrderName,

    /// How long to wait for a carrier that cannot be connected to yet
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration, hide_short_help = true, help_heading = "Times")]
    pub(super) connect_timeout: Duration,

    /// How long the answer to a SYN may take
    #[arg(
        long,
        value_name = "TIME|off",
        default_value = "60s",
        hide_short_help = true,
        help_heading = "Times"
    )]
    pub(super) handshake_timeout: TimeOrOff,

    /// How long the service may take to accept a connection
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration, hide_short_help = true, help_heading = "Times")]
    pub(super) accept_timeout: Duration,

    /// How long a conversation may be silent [default: 5m on udp and i2cp, otherwise off]
    #[arg(
        long,
        value_name = "TIME|off",
        hide_short_help = true,
        help_heading = "Times"
    )]
    pub(super) idle_timeout: Option<TimeOrOff>,

    /// How long a peer may hear nothing before an empty message says that we are still there
    /// [default: 45s on udp and i2cp, otherwise off]
    #[arg(
        long,
        value_name = "TIME|off",
        value_parser = keep_alive,
        hide_short_help = true,
        help_heading = "Times"
    )]
    pub(super) keep_alive: Option<TimeOrOff>,

    /// Derive ids and faults from a number, for tests: whoever knows it can guess the ids
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub(super) seed: Option<u64>,

    /// Inject faults: 'latency=50ms±10ms, loss=1%'
    ///
    /// Into sent messages, or into one direction: 'c2s: latency=50ms±10ms, loss=1%; s2c:
    /// stall=2s@10KiB'; see docs/faults.md.
    #[arg(long, value_name = "FAULTS")]
    pub(super) fault: Vec<FaultLines>,

    /// Metrics for Prometheus at http://ADDR/metrics
    #[arg(long, value_name = "ADDR")]
    pub(super) metrics: Option<String>,

    #[command(flatten)]
    pub(super) tls: TlsArgs,

    #[command(flatten)]
    pub(super) log: LogArgs,
}
