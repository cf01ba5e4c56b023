//! Errors that end a run early, and their messages: what, where, what to do.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::line_queue;
use crate::capture::CaptureError;
use crate::cli::error::{
    DumpError, PICK_CONVERSATIONS, advice, bad_filter, describe, expected, reason,
};
use crate::cli::exit::Ending;
use crate::cli::terminal;
use crate::conversation::ConversationId;
use crate::keys::file::KeyFileError;
use crate::ndjson::NdjsonError;
use crate::private_file::PrivateFileError;
use crate::replay::conform::UnknownCase;
use crate::replay::inject::ScriptError;
use crate::replay::{NotExpected, PlanError, RecordingTooLarge, SkipReason};
use crate::runtime::{CarrierUrl, ConformError, LinkError, TlsConfigError, TunnelError};
use crate::select::filter::FilterError;
use crate::session::SessionError;

const PROGRAM: &str = "ministream-replay";

/// The reason why a command could not begin or had to end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    /// An address that anybody could reach, or that is not here.
    #[error("{flag} {address} is not a loopback address")]
    Remote {
        /// The flag that named it.
        flag: &'static str,
        /// The address that it leads to.
        address: SocketAddr,
    },
    /// A name that leads to no address.
    #[error("{flag} {name}: the host has no address")]
    NoAddress {
        /// The flag that named it.
        flag: &'static str,
        /// The name.
        name: String,
    },
    /// A name that cannot be looked up, or is no host and port.
    #[error("{flag} {name}")]
    Resolve {
        /// The flag that named it.
        flag: &'static str,
        /// The name.
        name: String,
        /// The system's error.
        source: io::Error,
    },
    /// A file that cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The path.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A flag that the carrier needs is missing, or one that it has no use for is there.
    #[error("{flag}: {problem}")]
    Carrier {
        /// The flag.
        flag: &'static str,
        /// The error.
        problem: &'static str,
    },
    /// A client over TLS does not say whom it wants.
    #[error("--to: tls:// needs the destination that the server must prove")]
    NoServer,
    /// There are no keys to prove our identity over TLS.
    #[error("--keys: tls:// needs a destination of our own")]
    NoTlsKeys,
    /// The configuration of TLS.
    #[error("tls://: {0}")]
    Tls(TlsConfigError),
    /// A key file.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// The text in `MINISTREAM_LOG`.
    #[error("MINISTREAM_LOG: {0}")]
    LogFilter(#[from] tracing_subscriber::filter::ParseError),
    /// Results cannot be written, or threads not be made.
    #[error("the system refuses")]
    System(#[from] io::Error),
    /// A file that cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The path.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The filter of `-Y`.
    #[error("{}", bad_filter(.0))]
    Filter(FilterError),
    /// A filter where messages are read from NDJSON.
    #[error("-Y works on captures; ministream-dump -Y filters what it writes as NDJSON")]
    FilterOnNdjson,
    /// A filter on whole conversations where the capture comes only once.
    #[error("a filter on whole conversations reads its input twice, which only files allow")]
    FilterReadsTwice,
    /// A capture.
    #[error("{}", describe(.0))]
    Capture(CaptureError),
    /// A file of NDJSON.
    #[error("{}", path.display())]
    Ndjson {
        /// The path.
        path: PathBuf,
        /// The error.
        source: NdjsonError,
    },
    /// The capture holds too much.
    #[error("{0}{PICK_CONVERSATIONS}")]
    TooLarge(RecordingTooLarge),
    /// The options do not go together.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Nothing that is asked for can be sent.
    #[error("nothing to send: no message of a client in {} matches", path.display())]
    NothingTaken {
        /// The capture.
        path: PathBuf,
    },
    /// A conversation that `--conv` names and the captures do not have.
    #[error("there is no conversation {named}")]
    NoSuchConversation {
        /// Those that are missing.
        named: String,
        /// The last one that there is.
        last: Option<ConversationId>,
    },
    /// A script without a step: the program that wrote it may have failed.
    #[error("nothing to send: the script has no steps")]
    EmptyScript,
    /// The captures hold nothing that can be played.
    #[error("{}{}", PlanError::Nothing, not_played(skipped))]
    Nothing {
        /// Their contents instead.
        skipped: BTreeMap<SkipReason, u64>,
    },
    /// The display of messages that pass.
    #[error("{0}")]
    Watch(DumpError),
    /// A rule.
    #[error("bad rule{}: {problem}", file.as_ref().map_or_else(String::new, |file| format!(" in {}", file.display())))]
    Rule {
        /// The file it stands in.
        file: Option<PathBuf>,
        /// The error.
        problem: ScriptError,
    },
    /// More rules than are tried on a message.
    #[error("{count} rules; the limit is {limit}")]
    TooManyRules {
        /// Number of them.
        count: usize,
        /// The most there may be.
        limit: usize,
    },
    /// A script.
    #[error("bad script: {0}")]
    Script(ScriptError),
    /// A message that the carrier cannot take.
    #[error("{place}: a message of {bytes} bytes, and {carrier} carries at most {limit}")]
    TooLong {
        /// The message.
        place: String,
        /// Its length.
        bytes: usize,
        /// The carrier.
        carrier: CarrierUrl,
        /// The longest message on it.
        limit: usize,
    },
    /// The recording of `--expect` lacks conversations that are played.
    #[error("--expect {}", path.display())]
    Expected {
        /// The file.
        path: PathBuf,
        /// The missing conversation.
        source: NotExpected,
    },
    /// Ctrl-C before there was anything to report.
    #[error("interrupted before the carrier was usable")]
    Interrupted,
    /// A case that there is not.
    #[error(transparent)]
    UnknownCase(#[from] UnknownCase),
    /// Cases cannot be tried any more.
    #[error(transparent)]
    Conform(#[from] ConformError),
    /// The tunnel.
    #[error(transparent)]
    Tunnel(#[from] TunnelError),
}

impl From<FilterError> for ReplayError {
    fn from(error: FilterError) -> Self {
        Self::Filter(error)
    }
}

impl From<ScriptError> for ReplayError {
    fn from(error: ScriptError) -> Self {
        Self::Script(error)
    }
}

impl From<CaptureError> for ReplayError {
    fn from(error: CaptureError) -> Self {
        Self::Capture(error)
    }
}

impl ReplayError {
    /// The error's exit code.
    pub(super) const fn ending(&self) -> Ending {
        match self {
            Self::Tunnel(TunnelError::Link(LinkError::Remote { .. }))
            | Self::Remote { .. }
            | Self::NoAddress { .. }
            | Self::Resolve { .. }
            | Self::Write { .. }
            | Self::Carrier { .. }
            | Self::NoServer
            | Self::NoTlsKeys
            | Self::Tls(_)
            | Self::Keys(_)
            | Self::Read { .. }
            | Self::Filter(_)
            | Self::FilterOnNdjson
            | Self::FilterReadsTwice
            | Self::Capture(_)
            | Self::Ndjson { .. }
            | Self::TooLarge(_)
            | Self::Plan(_)
            | Self::Nothing { .. }
            | Self::NothingTaken { .. }
            | Self::NoSuchConversation { .. }
            | Self::EmptyScript
            | Self::Script(_)
            | Self::Watch(_)
            | Self::Rule { .. }
            | Self::TooManyRules { .. }
            | Self::TooLong { .. }
            | Self::Expected { .. }
            | Self::UnknownCase(_)
            | Self::Conform(ConformError::Service { .. })
            | Self::LogFilter(_)
            | Self::System(_) => Ending::Failed,
            Self::Interrupted | Self::Conform(ConformError::Interrupted) => Ending::Interrupted,
            Self::Conform(_) | Self::Tunnel(_) => Ending::Transport,
        }
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Remote {
                flag: "--control", ..
            } => Some("whoever reaches it can change the traffic, so only this machine may".into()),
            Self::Remote { .. } | Self::Tunnel(TunnelError::Link(LinkError::Remote { .. })) => {
                Some("add --allow-remote if it is meant to be reached from other machines".into())
            }
            Self::Tunnel(TunnelError::Link(LinkError::Connect { carrier, source })) => {
                no_connection(carrier, source)
            }
            Self::Tunnel(
                TunnelError::Link(LinkError::Bind { source, .. })
                | TunnelError::Listen { source, .. },
            ) if source.kind() == io::ErrorKind::AddrInUse => {
                Some("another program has this port; port 0 takes any that is free".into())
            }
            Self::Keys(KeyFileError::File(PrivateFileError::Read { path, source }))
                if source.kind() == io::ErrorKind::NotFound =>
            {
                Some(format!("make it: {PROGRAM} keys new {}", path.display()))
            }
            Self::NoServer => Some(format!(
                "on the server, {PROGRAM} keys show FILE prints the line \"name  HASH.b32.i2p\" \
                 with the file of its --keys; here: --to HASH.b32.i2p"
            )),
            Self::NoTlsKeys => Some(format!(
                "{PROGRAM} keys new FILE makes one; a client that need not be recognised may use \
                 transient"
            )),
            Self::Carrier { flag: "--keys", .. } => {
                Some(format!("{PROGRAM} keys new FILE makes them"))
            }
            Self::NoSuchConversation { last, .. } => Some(match last {
                None => "the capture has none".into(),
                Some(last) => {
                    format!("the last is {last}; ministream-dump -q -z conv FILE lists them")
                }
            }),
            Self::UnknownCase(unknown) => Some(format!(
                "{PROGRAM} conform {} --list names them",
                unknown.tested
            )),
            Self::Conform(ConformError::Service { addresses, source })
                if source.kind() == io::ErrorKind::AddrInUse =>
            {
                Some(format!(
                    "another program has this port: end it, so that we can listen at {addresses}, where \
                     the server's target is"
                ))
            }
            Self::Conform(ConformError::Application { .. }) => {
                Some("--dial is where the client that is tested listens for TCP".into())
            }
            Self::EmptyScript => Some(format!("{PROGRAM} inject --help begins with examples")),
            Self::Nothing { skipped } if skipped.contains_key(&SkipReason::MidStream) => {
                Some("--include mid-stream plays conversations whose SYN was not captured".into())
            }
            Self::Nothing { .. } => {
                Some("ministream-dump FILE shows what is in it, and why".into())
            }
            Self::Tunnel(TunnelError::LinkLost { .. }) => {
                Some("--reconnect resumes service when the link returns".into())
            }
            _ => None,
        }
    }
}

fn no_connection(carrier: &CarrierUrl, source: &io::Error) -> Option<String> {
    if source.kind() != io::ErrorKind::ConnectionRefused {
        return None;
    }
    Some(match carrier {
        CarrierUrl::I2cp(..) => {
            "no I2P router, or its I2CP port is off (Java: /configi2cp, i2pd: [i2cp] enabled=true)"
                .into()
        }
        CarrierUrl::Tcp(authority, _)
        | CarrierUrl::Tls(authority, _)
        | CarrierUrl::Udp(authority) => format!(
            "is a server listening?  ss -ltn 'sport = :{}'",
            authority.port
        ),
    })
}

impl From<RecordingTooLarge> for ReplayError {
    fn from(error: RecordingTooLarge) -> Self {
        Self::TooLarge(error)
    }
}

/// Puts a line on standard error, between the lines of the log and like them: if it cannot be
/// written, it is dropped.
pub(super) fn print_line(line: std::fmt::Arguments<'_>) {
    line_queue::stderr().push(terminal::wrapped_line(line).as_bytes());
}

/// Prints an error with its causes on standard error.
pub(super) fn print_error(error: &ReplayError) {
    print_line(format_args!("{PROGRAM}: error: {}", with_causes(error)));
    if let Some(help) = error.help() {
        print_line(format_args!("    help: {help}"));
    }
}

/// Says that the link was lost before all was done.
pub(super) fn print_lost(carrier: &CarrierUrl, error: &LinkError) {
    print_line(format_args!(
        "{PROGRAM}: error: {carrier}: the link was lost: {}",
        with_causes(error)
    ));
}

/// Prints a warning on standard error.
pub(super) fn print_warning(warning: impl Display) {
    print_line(format_args!("{PROGRAM}: warning: {warning}"));
}

/// Prints a note on standard error.
pub(super) fn print_note(note: impl Display) {
    print_line(format_args!("{PROGRAM}: {note}"));
}

/// Messages sent without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unanswered {
    /// SYNs.
    pub(super) syns: u64,
    /// All messages, SYNs included.
    pub(super) messages: u64,
}

/// Says that nobody answered.
pub(super) fn print_no_answer(
    carrier: &CarrierUrl,
    sent: Unanswered,
    elapsed: Duration,
    lost: Option<&LinkError>,
) {
    let counts = match sent {
        Unanswered { syns: 0, messages } => format!("messages: {messages} sent, 0 came"),
        Unanswered { syns, .. } => format!("{syns} SYN sent, 0 ACK, 0 CLOSE"),
    };
    print_line(format_args!(
        "{PROGRAM}: error: no answer from {carrier}: {counts} in {:.1} s",
        elapsed.as_secs_f64()
    ));
    if let CarrierUrl::Udp(authority) = carrier {
        let why = match lost {
            Some(_) => "the port was refused",
            None => "UDP gives no refusal here",
        };
        let port = authority.port;
        print_line(format_args!(
            "    help: {why}; is a server listening?  ss -lun 'sport = :{port}'"
        ));
    }
}

/// ` (2 mid stream, 1 orphan)`
pub(super) fn not_played(skipped: &BTreeMap<SkipReason, u64>) -> String {
    let counts: Vec<String> = skipped
        .iter()
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    match &*counts {
        [] => String::new(),
        counts => format!(" ({})", counts.join(", ")),
    }
}

/// An error and its causes, in one line.
pub(super) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = words(error);
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&words(cause));
        source = cause.source();
    }
    text
}

/// The words of an error in the chain of causes.
fn words(error: &(dyn Error + 'static)) -> String {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        reason(error)
    } else if let Some(error) = error.downcast_ref::<NdjsonError>() {
        format!("{}{error}{}", expected(error), advice(error))
    } else if let Some(LinkError::Session(SessionError::ClosedOnCreate)) = link_error(error) {
        format!("{error} (keys new --type dsa)")
    } else {
        error.to_string()
    }
}

/// An error of a link, also where it is boxed as a cause.
fn link_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a LinkError> {
    let boxed = || error.downcast_ref::<Box<LinkError>>().map(|error| &**error);
    error.downcast_ref().or_else(boxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_words_are_told_without_its_number() {
        let refused = io::Error::from_raw_os_error(111);
        assert_eq!(words(&refused), "connection refused");
    }

    #[test]
    fn what_cannot_be_reached_is_a_failure_of_the_transport() {
        let error = ReplayError::from(TunnelError::from(LinkError::Connect {
            carrier: "i2cp://127.0.0.1".parse().unwrap(),
            source: io::ErrorKind::ConnectionRefused.into(),
        }));
        assert_eq!(error.ending(), Ending::Transport);
        assert_eq!(error.to_string(), "i2cp://127.0.0.1:7654");
        assert_eq!(
            error.help().unwrap(),
            "no I2P router, or its I2CP port is off (Java: /configi2cp, i2pd: [i2cp] enabled=true)"
        );
    }

    #[test]
    fn an_old_router_is_said_to_need_other_keys() {
        let error = ReplayError::from(TunnelError::from(LinkError::NoSession {
            carrier: "i2cp://127.0.0.1".parse().unwrap(),
            source: Box::new(SessionError::ClosedOnCreate.into()),
        }));
        assert_eq!(
            with_causes(&error),
            "i2cp://127.0.0.1:7654: the router closed the connection on CreateSession: a Java \
             router before 0.9.15 takes DSA destinations only (keys new --type dsa)"
        );
    }
}
