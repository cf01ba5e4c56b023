//! Errors of fetching packets.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::{Compression, Content};

/// Why an input yields no further packets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// It could not be opened.
    #[error("cannot open {}", path.display())]
    Open {
        /// The input.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// It is no capture.
    #[error("{} is not a capture file: {content}{}", path.display(), inside(*compression))]
    NotACapture {
        /// The input.
        path: PathBuf,
        /// Its compression.
        compression: Option<Compression>,
        /// Its actual content, after decompression.
        content: Content,
    },
    /// It ends inside a record.
    #[error(
        "{} ends inside {record} (offset {offset}, {got} of {needed} bytes)",
        path.display()
    )]
    Truncated {
        /// The input.
        path: PathBuf,
        /// The record.
        record: FileRecord,
        /// Offset of the record, in bytes from the start of the (decompressed) input.
        offset: u64,
        /// Bytes of the record that are there, its header included.
        got: u64,
        /// Bytes that the record says it has, its header included; when it
        /// ends before it says so, the bytes needed to learn that.
        needed: u64,
    },
    /// A record cannot be read, and nothing after it.
    #[error("{} is damaged at {record} (offset {offset}): {damage}", path.display())]
    Damaged {
        /// The input.
        path: PathBuf,
        /// The record.
        record: FileRecord,
        /// Offset of the record, in bytes from the start of the (decompressed) input.
        offset: u64,
        /// The damage.
        damage: Damage,
    },
    /// The operating system refused to read on, or the compressed data is damaged.
    #[error("cannot read {} (offset {offset})", path.display())]
    Read {
        /// The input.
        path: PathBuf,
        /// Bytes read, from the start of the (decompressed) input.
        offset: u64,
        /// The reason.
        source: io::Error,
    },
    /// A live capture could not be started or went wrong.
    #[error("cannot capture on {interface}: {reason}")]
    Live {
        /// The interface.
        interface: String,
        /// The reason.
        reason: LiveFailure,
    },
}

impl CaptureError {
    /// Whether packets before the error were good: the input is incomplete,
    /// rather than unusable.
    pub const fn is_partial(&self) -> bool {
        matches!(
            self,
            Self::Truncated { .. } | Self::Damaged { .. } | Self::Read { .. }
        )
    }
}

impl CaptureError {
    /// The input that it is about; `None` for a live capture.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Open { path, .. }
            | Self::NotACapture { path, .. }
            | Self::Truncated { path, .. }
            | Self::Damaged { path, .. }
            | Self::Read { path, .. } => Some(path),
            Self::Live { .. } => None,
        }
    }
}

fn inside(compression: Option<Compression>) -> &'static str {
    match compression {
        None => "",
        Some(Compression::Gzip) => " (inside gzip)",
        Some(Compression::Zstd) => " (inside zstd)",
    }
}

/// A record of a capture file, as errors name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileRecord {
    /// The packet with this number in its input, from 1.
    Packet(u64),
    /// A pcapng block that is no packet (or too short to tell), after the
    /// packet with this number; 0 before the first packet.
    BlockAfter(u64),
}

impl fmt::Display for FileRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Packet(number) => write!(f, "packet {number}"),
            Self::BlockAfter(0) => f.write_str("a block before packet 1"),
            Self::BlockAfter(number) => write!(f, "a block after packet {number}"),
        }
    }
}

/// Damage of a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// More captured bytes than a packet can have.
    #[error("captured length {captured} is above the bound of {bound}")]
    CapturedLength {
        /// The captured length.
        captured: u64,
        /// The highest that is taken for real.
        bound: u64,
    },
    /// A pcapng block length that no block of its type has.
    #[error("block length {length} is not a multiple of 4 from {least} to {most}")]
    BlockLength {
        /// The length.
        length: u32,
        /// The smallest possible.
        least: u32,
        /// The largest that is taken for real.
        most: u32,
    },
    /// The two lengths of a pcapng block, before and after it, differ.
    #[error("block length is {leading} before the block and {trailing} after it")]
    LengthMismatch {
        /// The length before the block.
        leading: u32,
        /// After the block.
        trailing: u32,
    },
    /// More captured bytes than the block that holds them.
    #[error("captured length {captured} does not fit a block of {block} bytes")]
    Overlong {
        /// The captured length.
        captured: u32,
        /// The block's length.
        block: usize,
    },
    /// A packet of an interface that the section does not describe.
    #[error("interface {interface} of {known} in this section")]
    UnknownInterface {
        /// The interface's index, from 0.
        interface: u32,
        /// Number of interfaces that the section describes.
        known: usize,
    },
    /// More interfaces than are kept.
    #[error("more than {bound} interfaces in a section")]
    TooManyInterfaces {
        /// The bound.
        bound: usize,
    },
    /// A section whose byte-order magic is unknown.
    #[error("byte-order magic {0:#010x} is unknown")]
    ByteOrderMagic(u32),
    /// A version of pcapng that may mean anything.
    #[error("pcapng version {major}.{minor} is not supported, only 1.x")]
    PcapngVersion {
        /// Major version.
        major: u16,
        /// Minor version.
        minor: u16,
    },
    /// A record whose fields do not fit together otherwise.
    #[error("its fields do not fit together")]
    Malformed,
}

/// The reason why a live capture cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LiveFailure {
    /// The user may not capture (on Linux: `CAP_NET_RAW`).
    #[error("operation not permitted")]
    NotPermitted,
    /// There is no such interface.
    #[error("no such interface")]
    NoSuchInterface,
    /// The interface is down.
    #[error("the interface is down")]
    InterfaceDown,
    /// The filter does not compile.
    #[error("bad filter `{}`: {message}", filter.escape_debug())]
    BadFilter {
        /// The filter, in the language of pcap-filter(7).
        filter: String,
        /// The text from libpcap.
        message: String,
    },
    /// A setting is out of libpcap's range (0 to 2,147,483,647).
    #[error("{setting} {value} is above 2147483647")]
    OutOfRange {
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: u64,
    },
    /// Anything else, in libpcap's words.
    #[error("{0}")]
    Other(String),
}
