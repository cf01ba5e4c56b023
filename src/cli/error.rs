//! What ends a run early, and the message for it: what, where, what to do.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use super::terminal::tell;
use crate::capture::CaptureError;
#[cfg(feature = "live")]
use crate::capture::LiveFailure;
use crate::carrier::tls::KeyLogError;
use crate::keys::file::KeyFileError;
use crate::replay::NdjsonError;
#[cfg(feature = "live")]
use crate::report::filter::Filter;
use crate::report::filter::FilterError;
use crate::report::output::WriteError;

/// The name that messages on standard error begin with.
pub(crate) const PROGRAM: &str = "ministream-dump";

/// Why a dump cannot be done.
#[derive(Debug)]
pub(crate) enum DumpError {
    /// The arguments do not go together; what is wrong, and what to do.
    Usage(&'static str, &'static str),
    /// The filter of `-Y` cannot be read.
    Filter(FilterError),
    /// An input cannot be opened or is no capture.
    Capture(CaptureError),
    /// Records of `-T ndjson` cannot be read.
    Records {
        /// Their path.
        path: PathBuf,
        /// What is wrong with them.
        error: NdjsonError,
    },
    /// Conversations were asked for by names that none in the whole capture has.
    NoSuchConversation {
        /// Their names: `c7, c9`.
        named: String,
        /// Conversations that there are.
        count: u64,
    },
    /// Results cannot be written.
    Output(io::Error),
    /// A file of results cannot be written to its end.
    Write(WriteError),
    /// The file of a report, or of packets, cannot be made.
    Create {
        /// Its path.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// The directory of an export cannot be made or read.
    Export {
        /// Its path.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// The directory of an export holds something.
    ExportNotEmpty {
        /// Its path.
        path: PathBuf,
    },
    /// Messages of which `-w` cannot make packets anew.
    NotWritten {
        /// How many.
        count: u64,
        /// The file that lacks them.
        path: PathBuf,
    },
    /// The file of `--redact-key` cannot be made or used.
    KeyFile(KeyFileError),
    /// The file of `--redact-key` holds something else.
    NoRedactKey {
        /// Its path.
        path: PathBuf,
    },
    /// The file of `--keylog` cannot be read.
    ReadKeyLog {
        /// Its path.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// The file of `--keylog` holds something else.
    KeyLog {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        error: KeyLogError,
    },
    /// The system has no random bytes to give.
    Random(io::Error),
    /// The directories of a data set cannot be made or read.
    #[cfg(feature = "parquet")]
    DataSet {
        /// Its path.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// A data set has a partition of that name.
    #[cfg(feature = "parquet")]
    PartitionExists {
        /// The directory of the partition.
        path: PathBuf,
    },
    /// The system has no thread to give.
    Thread(io::Error),
}

impl From<FilterError> for DumpError {
    fn from(error: FilterError) -> Self {
        Self::Filter(error)
    }
}

impl From<CaptureError> for DumpError {
    fn from(error: CaptureError) -> Self {
        Self::Capture(error)
    }
}

impl From<KeyFileError> for DumpError {
    fn from(error: KeyFileError) -> Self {
        Self::KeyFile(error)
    }
}

impl From<io::Error> for DumpError {
    fn from(error: io::Error) -> Self {
        match error.downcast::<WriteError>() {
            Ok(error) => Self::Write(error),
            Err(error) => Self::Output(error),
        }
    }
}

impl fmt::Display for DumpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(problem, help) => write!(f, "{problem}\n    help: {help}"),
            Self::Filter(error) => write!(f, "bad filter: {error}"),
            Self::Capture(error) => {
                write!(f, "{}", describe(error))?;
                match help_for(error) {
                    Some(help) => write!(f, "\n    help: {help}"),
                    None => Ok(()),
                }
            }
            Self::Records { path, error } => {
                write!(f, "{}: {error}", path.display())?;
                match error.source() {
                    Some(source) => write!(f, ": {source}"),
                    None => Ok(()),
                }
            }
            Self::NoSuchConversation { named, count } => {
                write!(
                    f,
                    "there is no conversation {named}\n    help: {}",
                    match count {
                        0 => "the capture has none".to_owned(),
                        1 => "the capture has one, c1".to_owned(),
                        _ => format!("the capture has c1 to c{count}; -q -z conv lists them"),
                    }
                )
            }
            Self::ReadKeyLog { path, error } => {
                write!(f, "cannot read {}: {}", path.display(), reason(error))
            }
            Self::KeyLog { path, error } => write!(
                f,
                "{} is no key log: {error}\n    help: ministream-replay --keylog and other programs \
                 write it where SSLKEYLOGFILE says",
                path.display()
            ),
            Self::Create { path, error } => write!(
                f,
                "cannot write {}: {}\n    help: name a file in a directory that you may write to",
                path.display(),
                reason(error)
            ),
            Self::Write(WriteError { path, source }) => write!(
                f,
                "cannot write {}: {}\n    help: what is in it is not complete; name a file on another disk, \
                 or make room",
                path.display(),
                reason(source)
            ),
            Self::Export { path, error } => write!(
                f,
                "cannot export to {}: {}\n    help: name a directory that you may write to",
                path.display(),
                reason(error)
            ),
            Self::ExportNotEmpty { path } => write!(
                f,
                "{} is not empty\n    help: name a new directory, or add --force to replace files in it",
                path.display()
            ),
            Self::NotWritten { count, path } => write!(
                f,
                "{count} messages over I2CP are not in {}: -w cannot redact what surrounds them\n    \
                 help: --html, --export and -T ndjson have them; -Y 'carrier!=i2cp' leaves them out",
                path.display()
            ),
            Self::KeyFile(error) => match error.source() {
                Some(source) => write!(f, "{error}: {}", source.to_string().to_lowercase()),
                None => write!(f, "{error}"),
            },
            Self::NoRedactKey { path } => write!(
                f,
                "{} holds no key for pseudonyms, which is 32 bytes\n    \
                 help: name a file that is not there yet; it is made with a new key",
                path.display()
            ),
            Self::Random(error) => write!(f, "cannot make a random key: {}", reason(error)),
            #[cfg(feature = "parquet")]
            Self::DataSet { path, error } => write!(
                f,
                "cannot write a data set to {}: {}\n    help: name a directory that you may write to",
                path.display(),
                reason(error)
            ),
            #[cfg(feature = "parquet")]
            Self::PartitionExists { path } => write!(
                f,
                "{} holds data\n    help: name another directory, or add --force to replace that data",
                path.display()
            ),
            Self::Output(error) => write!(f, "cannot write results: {}", reason(error)),
            Self::Thread(error) => write!(
                f,
                "cannot start a thread: {}\n    help: the limit on processes is reached; see ulimit -u",
                reason(error)
            ),
        }
    }
}

/// The error with its cause, in one line.
pub(crate) fn describe(error: &CaptureError) -> String {
    match error {
        CaptureError::Open { source, .. } | CaptureError::Read { source, .. } => {
            format!("{error}: {}", reason(source))
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
                "-f takes libpcap's language, as in 'udp port 9004' (man 7 pcap-filter); \
                 -Y filters messages"
                    .to_owned(),
            ),
            LiveFailure::OutOfRange { .. } => Some("omit it for the default".to_owned()),
            LiveFailure::Other(_) => None,
        };
    }
    help_for_file(error).map(str::to_owned)
}

/// How to be allowed to capture.
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
pub(crate) fn print_error(error: impl fmt::Display) {
    tell(format_args!("{PROGRAM}: error: {error}"));
}

/// Prints a warning on standard error.
pub(crate) fn print_warning(warning: impl fmt::Display) {
    tell(format_args!("{PROGRAM}: warning: {warning}"));
}
