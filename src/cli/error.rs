//! Errors that end a run early, and their messages: what, where, what to do.

use std::error::Error;
use std::fmt::Display;
use std::io;
use std::path::PathBuf;

use super::terminal::print_line;
#[cfg(feature = "live")]
use crate::capture::LiveFailure;
use crate::capture::{CaptureError, Content};
use crate::carrier::tls::KeyLogError;
use crate::export::output::OutputError;
use crate::ndjson::NdjsonError;
use crate::private_file::PrivateFileError;
use crate::report::TemporaryError;
#[cfg(any(feature = "live", test))]
use crate::select::filter::Filter;
use crate::select::filter::{FilterError, FilterHint};

/// The name that messages on standard error begin with.
pub(crate) const PROGRAM: &str = "ministream-dump";

/// The reason why a dump cannot be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DumpError {
    /// The arguments do not go together.
    #[error("{wrong}\n    help: {help}")]
    Usage {
        /// The error.
        wrong: &'static str,
        /// The remedy.
        help: &'static str,
    },
    /// The filter of `-Y` cannot be read.
    #[error("{}", bad_filter(.0))]
    Filter(#[from] FilterError),
    /// An input cannot be opened or is no capture.
    #[error("{}{}", describe(.0), help(help_for(.0)))]
    Capture(#[from] CaptureError),
    /// Records of `-T ndjson` cannot be read.
    #[error("{}: {}{error}{}{}", path.display(), expected(error), cause(error), advice(error))]
    Records {
        /// Their path.
        path: PathBuf,
        /// The error in them.
        error: NdjsonError,
    },
    /// Conversations were asked for by names that none in the whole capture has.
    #[error("there is no conversation {named}\n    help: {}", conversations(*count))]
    NoSuchConversation {
        /// Their names: `c7, c9`.
        named: String,
        /// Conversations that there are.
        count: u64,
    },
    /// Results cannot be written.
    #[error("cannot write results: {}", reason(.0))]
    Output(io::Error),
    /// There is no room for results that must wait until the end is read.
    #[error(
        "cannot keep results in a temporary file in {}: {}\n    help: make room there, or have \
         TMPDIR name a directory on another disk",
        .0.directory.display(), reason(&.0.source)
    )]
    Temporary(TemporaryError),
    /// A file of results cannot be written to its end.
    #[error(
        "cannot write {}: {}\n    help: its contents are incomplete; name a file on another disk, \
         or make room",
        .0.path.display(), reason(&.0.source)
    )]
    Write(OutputError),
    /// The file of a report, or of packets, cannot be made.
    #[error(
        "cannot write {}: {}\n    help: name a file in a directory that you may write to",
        path.display(), reason(error)
    )]
    Create {
        /// Its path.
        path: PathBuf,
        /// The operating system's error.
        error: io::Error,
    },
    /// The directory of an export cannot be made or read.
    #[error(
        "cannot export to {}: {}\n    help: name a directory that you may write to",
        path.display(), reason(error)
    )]
    Export {
        /// Its path.
        path: PathBuf,
        /// The operating system's error.
        error: io::Error,
    },
    /// The directory of an export holds something.
    #[error(
        "{} is not empty\n    help: name a new directory, or add --force to replace files in it",
        path.display()
    )]
    ExportNotEmpty {
        /// Its path.
        path: PathBuf,
    },
    /// Messages of which `-w` cannot make packets anew.
    #[error(
        "{count} messages over I2CP are not in {}: -w cannot redact the frames around them\n    \
         help: --html, --export and -T ndjson have them; -Y 'carrier!=i2cp' leaves them out",
        path.display()
    )]
    NotWritten {
        /// Number of them.
        count: u64,
        /// The file that lacks them.
        path: PathBuf,
    },
    /// The file of `--redact-key` cannot be made or used.
    #[error("{error}{}", cause(.0).to_lowercase(), error = .0)]
    KeyFile(#[from] PrivateFileError),
    /// The file of `--redact-key` holds something else.
    #[error(
        "{} holds no key for pseudonyms, which is 32 bytes\n    \
         help: name a file that does not exist yet; it is created with a new key",
        path.display()
    )]
    NoRedactKey {
        /// Its path.
        path: PathBuf,
    },
    /// The file of `--keylog` cannot be read.
    #[error("cannot read {}: {}", path.display(), reason(error))]
    ReadKeyLog {
        /// Its path.
        path: PathBuf,
        /// The operating system's error.
        error: io::Error,
    },
    /// The file of `--keylog` holds something else.
    #[error(
        "{} is no key log: {error}\n    help: ministream-replay --keylog and other programs \
         write it where SSLKEYLOGFILE says",
        path.display()
    )]
    KeyLog {
        /// Its path.
        path: PathBuf,
        /// The error in it.
        error: KeyLogError,
    },
    /// The system has no random bytes to give.
    #[error("cannot make a random key: {}", reason(.0))]
    Random(io::Error),
    /// The directories of a data set cannot be made or read.
    #[cfg(feature = "parquet")]
    #[error(
        "cannot write a data set to {}: {}\n    help: name a directory that you may write to",
        path.display(), reason(error)
    )]
    DataSet {
        /// Its path.
        path: PathBuf,
        /// The operating system's error.
        error: io::Error,
    },
    /// A data set has a partition of that name.
    #[cfg(feature = "parquet")]
    #[error(
        "{} holds data\n    help: name another directory, or add --force to replace that data",
        path.display()
    )]
    PartitionExists {
        /// The directory of the partition.
        path: PathBuf,
    },
    /// The system has no thread to give.
    #[error(
        "cannot start a thread: {}\n    help: the limit on processes is reached; see ulimit -u",
        reason(.0)
    )]
    Thread(io::Error),
}

impl From<io::Error> for DumpError {
    fn from(error: io::Error) -> Self {
        let error = match error.downcast::<OutputError>() {
            Ok(error) => return Self::Write(error),
            Err(error) => error,
        };
        match error.downcast::<TemporaryError>() {
            Ok(error) => Self::Temporary(error),
            Err(error) => Self::Output(error),
        }
    }
}

/// The line of help behind an error, if there is one.
fn help(help: Option<impl Display>) -> String {
    help.map_or_else(String::new, |help| format!("\n    help: {help}"))
}

/// The cause of an error, behind it, if that is known.
fn cause(error: &dyn Error) -> String {
    let source = error.source();
    source.map_or_else(String::new, |source| format!(": {source}"))
}

/// The error in a filter, with the flags that help.
pub(crate) fn bad_filter(error: &FilterError) -> String {
    let hint = error.meant().map(hint_text);
    format!(
        "bad filter: {}",
        error.pointing(hint.as_deref().unwrap_or_default())
    )
}

/// The probable meaning of a filter, and where the names of fields are listed.
pub(crate) fn hint_text(hint: &FilterHint) -> String {
    const LIST_FIELDS: &str = "(fields: ministream-dump --list-fields)";
    match hint {
        FilterHint::Fields { closest: None } => LIST_FIELDS.to_owned(),
        FilterHint::Fields { .. } => format!("{hint}   {LIST_FIELDS}"),
        FilterHint::CaptureFilter => format!("is it a capture filter, for -f?   {LIST_FIELDS}"),
        _ => hint.to_string(),
    }
}

/// The beginning of an error about records of another program.
pub(crate) const fn expected(error: &NdjsonError) -> &'static str {
    match error {
        NdjsonError::NotADump => "not written by ministream-dump -T ndjson: ",
        _ => "",
    }
}

/// The remedy for records that cannot be used.
pub(crate) const fn advice(error: &NdjsonError) -> &'static str {
    match error {
        NdjsonError::NoPayload { .. } => "; write records without --payload",
        NdjsonError::TooLarge { .. } => PICK_CONVERSATIONS,
        _ => "",
    }
}

/// The remedy for a recording that is too large.
pub(crate) const PICK_CONVERSATIONS: &str = "; pick conversations with --conv";

/// The conversations there are, if they are fewer than named.
fn conversations(count: u64) -> String {
    match count {
        0 => "the capture has none".to_owned(),
        1 => "the capture has one, c1".to_owned(),
        _ => format!("the capture has c1 to c{count}; -q -z conv lists them"),
    }
}

/// The error with its cause, in one line.
pub(crate) fn describe(error: &CaptureError) -> String {
    match error {
        CaptureError::Open { source, .. } | CaptureError::Read { source, .. } => {
            format!("{error}: {}", reason(source))
        }
        CaptureError::NotACapture {
            path,
            compression,
            content: content @ Content::Records,
        } => {
            let inside = compression.map(|compression| format!(" (inside {})", compression.name()));
            format!(
                "{} is not a capture file: {content} of -T ndjson; they are read from one file or \
                 from standard input{}",
                path.display(),
                inside.unwrap_or_default()
            )
        }
        _ => error.to_string(),
    }
}

fn help_for(error: &CaptureError) -> Option<String> {
    #[cfg(feature = "live")]
    if let CaptureError::Live { interface, reason } = error {
        return match reason {
            LiveFailure::NotPermitted => Some(help_for_permission(interface)),
            LiveFailure::NoSuchInterface => Some("-D lists the interfaces".to_owned()),
            LiveFailure::InterfaceDown => Some(format!("sudo ip link set {interface} up")),
            LiveFailure::BadFilter { filter, .. } if Filter::parse(filter).is_ok() => {
                Some("this is a filter of messages, for -Y; -f takes libpcap's language".to_owned())
            }
            LiveFailure::BadFilter { .. } => Some(
                "-f takes libpcap's language, as in 'tcp port 9004' (man 7 pcap-filter); \
                 -Y filters messages"
                    .to_owned(),
            ),
            LiveFailure::OutOfRange { .. } => Some("omit it for the default".to_owned()),
            LiveFailure::Other(_) => None,
        };
    }
    help_for_file(error).map(str::to_owned)
}

/// The way to get the permission to capture.
#[cfg(feature = "live")]
fn help_for_permission(interface: &str) -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from(PROGRAM));
    format!(
        "sudo setcap cap_net_raw,cap_net_admin+ep {}\n    help: or capture elsewhere: \
         sudo tcpdump -i {interface} -U -w - | {PROGRAM} -l -r -",
        program.display()
    )
}

fn help_for_file(error: &CaptureError) -> Option<&'static str> {
    match error {
        CaptureError::Open { source, .. } => match source.kind() {
            io::ErrorKind::NotFound => Some("check the path; - reads standard input"),
            io::ErrorKind::PermissionDenied => {
                Some("captures made as root belong to root: sudo chown, or read with sudo")
            }
            io::ErrorKind::IsADirectory => Some("name the captures in it, as in DIR/*.pcap"),
            _ => None,
        },
        CaptureError::NotACapture { .. } => {
            Some("pcap and pcapng files are read, also compressed with gzip or zstd")
        }
        _ => None,
    }
}

/// The operating system's words, without its number and in lower case.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = match text.find(" (os error ") {
        Some(end) => &text[..end],
        None => &text,
    };
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => String::new(),
    }
}

/// Prints an error on standard error.
pub(crate) fn print_error(error: impl Display) {
    print_line(format_args!("{PROGRAM}: error: {error}"));
}

/// Prints a warning on standard error.
pub(crate) fn print_warning(warning: impl Display) {
    print_line(format_args!("{PROGRAM}: warning: {warning}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_is_none_is_shown_with_the_flags_that_help() {
        for (filter, text) in [
            (
                "tcp port 9004",
                "bad filter: unknown field `tcp`\n    tcp port 9004\n    ^~~ is it a capture filter, \
                 for -f?   (fields: ministream-dump --list-fields)",
            ),
            (
                "typ == syn",
                "bad filter: unknown field `typ`\n    typ == syn\n    ^~~ did you mean `type`?   \
                 (fields: ministream-dump --list-fields)",
            ),
            (
                "",
                "bad filter: expected a field\n    \n    ^ (fields: ministream-dump --list-fields)",
            ),
            (
                "(n == 1",
                "bad filter: expected `)`\n    (n == 1\n           ^",
            ),
        ] {
            let error = Filter::parse(filter).unwrap_err();
            assert_eq!(bad_filter(&error), text);
        }
    }
}
