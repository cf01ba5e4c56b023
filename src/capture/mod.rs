//! The sources of packets: capture files, streams and live interfaces.
//!
//! A [`PacketSource`] is pulled; each [`Packet`] borrows from the source's
//! read buffer until the next pull.

use std::fmt;
use std::path::PathBuf;

use crate::time::Timestamp;

mod blocks;
mod compression;
mod content;
mod error;
mod file;
mod inputs;
mod link_type;
#[cfg(feature = "live")]
mod live;
mod merge;
mod pcap;
mod pcapng;
mod records;
#[cfg(test)]
mod tests;
mod window;
mod writer;

pub use blocks::ReadingThread;
pub use content::Content;
pub use error::{CaptureError, Damage, FileRecord, LiveFailure};
pub use file::CaptureFile;
pub use inputs::{EmptyInput, EmptyRest, InputOrder, Inputs};
pub use link_type::LinkType;
#[cfg(feature = "live")]
pub use live::{LiveCapture, LiveInterface, LiveOptions, LivePoll, LiveStats};
pub use writer::{PcapWriter, PcapngWriter, Precision};

/// One packet of a capture, as its link delivered it.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Position in the whole input, from 1, over all files in the order in which they
    /// are read.
    pub number: u64,
    /// When it was captured. A packet without a time of its own (pcapng's
    /// simple packet block) has that of the packet before it.
    pub time: Timestamp,
    /// The interface on which it was captured.
    pub interface: InterfaceId,
    /// The type of the first header in `data`.
    pub link_type: LinkType,
    /// The captured bytes; fewer than `original_bytes` when a snap length cut them.
    pub data: &'a [u8],
    /// Length of the packet on the link, in bytes.
    pub original_bytes: u32,
}

/// The most interfaces of a section of pcapng that are read, and written; captures have a handful.
const MAX_SECTION_INTERFACES: usize = 65_536;

/// Interfaces of an input that are distinguished; the others count as the last of these.
const MAX_INTERFACES: usize = 1_024;

impl InputInfo {
    /// Counts a packet of an interface, which `describe` describes if it is the first.
    #[inline]
    fn count(&mut self, interface: u32, describe: impl Fn(u32) -> InterfaceInfo) {
        self.packet_count += 1;
        let index = usize::try_from(interface).unwrap_or(usize::MAX);
        match self.interfaces.get_mut(index) {
            Some(info) => info.packet_count += 1,
            None => self.count_first(index, describe),
        }
    }

    #[cold]
    fn count_first(&mut self, index: usize, describe: impl Fn(u32) -> InterfaceInfo) {
        let index = index.min(MAX_INTERFACES - 1);
        while self.interfaces.len() <= index {
            let number = u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX);
            self.interfaces.push(describe(number));
        }
        self.interfaces[index].packet_count += 1;
    }
}

impl Packet<'_> {
    /// Number of captured bytes.
    pub fn captured_bytes(&self) -> u32 {
        u32::try_from(self.data.len()).unwrap_or(u32::MAX)
    }
}

/// Names an interface among those of all inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceId {
    /// Its input, from 0 in the order of naming.
    pub input: u32,
    /// Its number among the interfaces of that input, from 0.
    pub number: u32,
}

/// Description of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceInfo {
    /// Its name, where the capture has it.
    pub name: Option<String>,
    /// Its link type.
    pub link_type: LinkType,
    /// Packets read from it so far.
    pub packet_count: u64,
}

/// Description of one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputInfo {
    /// The path as the user gave it, `-` for standard input, or the interface.
    pub path: PathBuf,
    /// Its format.
    pub format: CaptureFormat,
    /// Its compression.
    pub compression: Option<Compression>,
    /// Link type of its first interface; `None` until one is known.
    pub link_type: Option<LinkType>,
    /// The interfaces that showed packets so far, and those before them; at most 1,024.
    pub interfaces: Vec<InterfaceInfo>,
    /// Packets read from it so far.
    pub packet_count: u64,
    /// Whether it ended inside a packet or was damaged.
    pub truncated: bool,
}

/// The format of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CaptureFormat {
    /// pcap with times in microseconds.
    Pcap,
    /// pcap with times in nanoseconds.
    PcapNanosecond,
    /// pcapng.
    Pcapng,
    /// A live interface.
    Live,
}

impl CaptureFormat {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Pcap, Self::PcapNanosecond, Self::Pcapng, Self::Live];

    /// Its name in the JSON records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcap => "pcap",
            Self::PcapNanosecond => "pcap_ns",
            Self::Pcapng => "pcapng",
            Self::Live => "live",
        }
    }

    /// The format of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

impl fmt::Display for CaptureFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pcap | Self::PcapNanosecond => "pcap",
            Self::Pcapng => "pcapng",
            Self::Live => "live",
        })
    }
}

/// The compression of a capture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
}

impl Compression {
    /// Every kind of it.
    pub const ALL: [Self; 2] = [Self::Gzip, Self::Zstd];

    /// Its name in the JSON records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// The compression of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|compression| compression.name() == name)
    }
}

/// The order of the bytes in the numbers of a capture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl ByteOrder {
    const fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    const fn i64(self, bytes: [u8; 8]) -> i64 {
        match self {
            Self::Little => i64::from_le_bytes(bytes),
            Self::Big => i64::from_be_bytes(bytes),
        }
    }

    const fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }
}

/// The progress of reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read so far, as stored: compressed bytes of a compressed file.
    /// Reading runs ahead of the packets by a few hundred KiB.
    pub read_bytes: u64,
    /// Bytes in all; `None` when an input is a stream without a known length.
    pub total_bytes: Option<u64>,
}

/// The most captured bytes that a packet of a file can have, as in tcpdump
/// (`MAXIMUM_SNAPLEN`); a record that claims more is damaged.
pub const MAX_CAPTURED_BYTES: u32 = 262_144;

/// Something that yields packets in order.
pub trait PacketSource {
    /// The next packet, or `None` at the end.
    ///
    /// # Errors
    /// Reading failed or the input is damaged. Everything before the damage has
    /// been returned; after [`CaptureError::is_partial`] errors a source over
    /// several inputs goes on with the next input when pulled again.
    fn next_packet(&mut self) -> Result<Option<Packet<'_>>, CaptureError>;

    /// The inputs, in the order in which they are named.
    fn inputs(&self) -> &[InputInfo];

    /// The progress of reading; by default unknown.
    fn progress(&self) -> Progress {
        Progress::default()
    }
}
