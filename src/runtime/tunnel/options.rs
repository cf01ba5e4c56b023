//! The options of a tunnel.

use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::endpoint::Config;
use crate::runtime::open::LinkOptions;
use crate::runtime::socket::Addresses;

/// The options of a tunnel.
#[derive(Debug)]
#[non_exhaustive]
pub struct TunnelOptions {
    /// The local side: the source of conversations, or their target.
    pub side: LocalSide,
    /// Their link.
    pub link: LinkOptions,
    /// Treatment of a lost link.
    pub lost_link: LostLink,
    /// Limits, times and policies of the endpoint.
    pub endpoint: Config,
    /// The seed of the ids.
    pub seed: [u8; 32],
    /// The address at which metrics are served over HTTP.
    pub metrics: Option<SocketAddr>,
    /// Lines of the log that were lost; the metrics include their number.
    pub lost_log_lines: &'static AtomicU64,
    /// Has the log opened anew; called on SIGHUP.
    pub reopen_log: Option<fn()>,
    /// Time for orderly closing after a signal.
    pub closing_time: Duration,
    /// The log's names for the options that the program lets its user set.
    pub advice: Advice,
}

/// The names, in lines of the log, of the limits and times that led to them. A program puts the
/// names of its own flags here.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Advice {
    /// The limits of conversations, of all and of one peer; stands in "refused: more conversations than
    /// … allow".
    pub conversation_limits: &'static str,
    /// The limit of all conversations; stands in "or lower …", where descriptors are scarce.
    pub total_limit: &'static str,
    /// The remedy for answers that are cut when a drain ends.
    pub drain: &'static str,
    /// The buffer that a slow reader fills, and the remedy; stands in "what this conversation's
    /// local side does not read fills …".
    pub slow_reader: &'static str,
}

/// The local side of a tunnel.
#[derive(Debug)]
pub enum LocalSide {
    /// Opens a conversation for each connection to these addresses.
    Listen(Addresses),
    /// Opens one conversation, on standard input and output, and ends with it.
    Stdio,
    /// Answers each conversation by a connection to this service.
    Serve {
        /// The service.
        target: Addresses,
    },
}

/// Treatment of a lost link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostLink {
    /// The tunnel ends.
    Ends,
    /// It is opened again, with growing pauses between attempts.
    Reopens,
}

impl TunnelOptions {
    /// A tunnel that ends with its link, without metrics.
    pub fn new(side: LocalSide, link: LinkOptions, seed: [u8; 32]) -> Self {
        static NO_LINES: AtomicU64 = AtomicU64::new(0);
        Self {
            side,
            link,
            lost_link: LostLink::Ends,
            endpoint: Config::default(),
            seed,
            metrics: None,
            lost_log_lines: &NO_LINES,
            reopen_log: None,
            closing_time: Duration::from_secs(5),
            advice: Advice::default(),
        }
    }
}

impl Default for Advice {
    fn default() -> Self {
        Self {
            conversation_limits: "the limits",
            total_limit: "the limit of conversations",
            drain: "a longer drain waits for more of it",
            slow_reader: "the buffer; ending the conversation would free the link",
        }
    }
}
