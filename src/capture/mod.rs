//! Where packets come from: capture files, streams and live interfaces.
//!
//! A [`PacketSource`] is pulled; each [`Packet`] borrows from the source's
//! read buffer until the next pull.

use std::io;
use std::path::PathBuf;

use crate::time::Timestamp;

/// One packet of a capture, as its link delivered it.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Position in the whole input, from 1, over all files in their order.
    pub number: u64,
    /// When it was captured. A packet without a time of its own (pcapng's
    /// simple packet block) has that of the packet before it.
    pub time: Timestamp,
    /// What `data` begins with.
    pub link_type: LinkType,
    /// The captured bytes; fewer than `original_bytes` when a snap length cut them.
    pub data: &'a [u8],
    /// Length of the packet on the link, in bytes.
    pub original_bytes: u32,
}

/// The framing of a packet's first bytes, from the capture's link-layer header
/// type (<https://www.tcpdump.org/linktypes.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkType {
    /// BSD loopback, family in host byte order of the writer (`LINKTYPE_NULL`, 0).
    Null,
    /// Ethernet (1).
    Ethernet,
    /// OpenBSD loopback, family in network byte order (`LINKTYPE_LOOP`, 108).
    Loop,
    /// An IP packet, version by its first nibble (101, and the old 12 and 14).
    RawIp,
    /// An IPv4 packet (228).
    Ipv4,
    /// An IPv6 packet (229).
    Ipv6,
    /// Linux cooked capture (113).
    LinuxCooked,
    /// Linux cooked capture v2 (276).
    LinuxCooked2,
    /// Any other, by its number.
    Other(u32),
}

/// What is known of one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputInfo {
    /// The path as the user gave it, `-` for standard input, or the interface.
    pub path: PathBuf,
    /// How it is written.
    pub format: CaptureFormat,
    /// How it was compressed, outermost first.
    pub compression: Option<Compression>,
    /// Link type of its first interface; `None` until one is known.
    pub link_type: Option<LinkType>,
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

/// How a capture file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
}

/// Why an input yields no further packets.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// It could not be opened.
    #[error("cannot open {}", path.display())]
    Open {
        /// The input.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no capture.
    #[error("{} is not a capture file: {reason}", path.display())]
    NotACapture {
        /// The input.
        path: PathBuf,
        /// What its first bytes are instead.
        reason: String,
    },
    /// It ends inside a packet.
    #[error(
        "{} ends inside packet {packet} (offset {offset}, {got} of {needed} bytes)",
        path.display()
    )]
    Truncated {
        /// The input.
        path: PathBuf,
        /// The packet's number in this input, from 1.
        packet: u64,
        /// Where its record begins, in bytes from the start of the (decompressed) input.
        offset: u64,
        /// Bytes of the record that are there.
        got: u64,
        /// Bytes that it says it has.
        needed: u64,
    },
    /// A record cannot be read, and nothing after it.
    #[error("{} is damaged at packet {packet} (offset {offset}): {reason}", path.display())]
    Damaged {
        /// The input.
        path: PathBuf,
        /// The packet's number in this input, from 1.
        packet: u64,
        /// Where the record begins, in bytes from the start of the (decompressed) input.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system refused to read on.
    #[error("cannot read {} (offset {offset})", path.display())]
    Read {
        /// The input.
        path: PathBuf,
        /// How far reading came, in bytes.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// A live capture could not be started or went wrong.
    #[error("cannot capture on {interface}: {reason}")]
    Live {
        /// The interface.
        interface: String,
        /// What libpcap says.
        reason: String,
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

/// Something that yields packets in order.
pub trait PacketSource {
    /// The next packet, or `None` at the end.
    ///
    /// # Errors
    /// Reading failed or the input is damaged. Everything before the damage has
    /// been returned; after [`CaptureError::is_partial`] errors a source over
    /// several inputs goes on with the next input when pulled again.
    fn next_packet(&mut self) -> Result<Option<Packet<'_>>, CaptureError>;

    /// The inputs opened so far, in order; the last one is being read.
    fn inputs(&self) -> &[InputInfo];
}
