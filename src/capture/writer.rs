//! Writes captures: pcapng for recordings and selections, classic pcap for
//! tools that know nothing else.
//!
//! The bytes depend on the packets alone, never on the machine or the time.
//! Each record goes out in one `write_all`, so that a writer that is killed
//! leaves whole records behind if `W` does not buffer.

use std::io::{self, Write};

use super::{ByteOrder, InterfaceId, LinkType, MAX_CAPTURED_BYTES, MAX_SECTION_INTERFACES, Packet};
use crate::time::{SECOND_NS, Timestamp};

/// Writes pcapng (draft-ietf-opsawg-pcapng), little-endian, one section, times
/// in nanoseconds.
#[derive(Debug)]
pub struct PcapngWriter<W> {
    out: W,
    /// The interfaces described so far; an interface's index is its place here.
    interfaces: Vec<Interface>,
    described: Described,
    /// That of the latest packet: the next is mostly of the same.
    latest: usize,
    block: Vec<u8>,
}

/// What has an interface description of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Described {
    LinkTypes,
    Interfaces,
}

/// The common properties of the packets of one interface description.
#[derive(Debug, PartialEq, Eq)]
struct Interface {
    /// The interface, where each is described.
    id: Option<InterfaceId>,
    link_type: LinkType,
    offset_seconds: i64,
}

/// `if_tsoffset` for packets before 1970, which pcapng's unsigned times cannot express otherwise:
/// it reaches back to the earliest [`Timestamp`].
const BEFORE_1970: i64 = -9_223_372_037;

impl<W> PcapngWriter<W> {
    /// Where the capture goes.
    pub const fn get_ref(&self) -> &W {
        &self.out
    }
}

impl<W: Write> PcapngWriter<W> {
    /// Begins a capture.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(out: W) -> io::Result<Self> {
        Self::begin(out, None)
    }

    /// Begins a capture with a comment on all of it.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for a comment of more than 65,535 bytes, and
    /// the errors of `out`.
    pub fn new_commented(out: W, comment: &str) -> io::Result<Self> {
        Self::begin(out, Some(comment))
    }

    fn begin(out: W, comment: Option<&str>) -> io::Result<Self> {
        let comment = comment.map(Comment::new).transpose()?;
        let mut writer = Self {
            out,
            interfaces: Vec::new(),
            described: Described::LinkTypes,
            latest: 0,
            block: Vec::new(),
        };
        // A section header, whose first field shows the byte order (section 4.1).
        writer.write_block(0x0a0d_0d0a, |block| {
            block.extend_from_slice(&0x1a2b_3c4d_u32.to_le_bytes());
            // Version 1.0, and a section of unknown length.
            block.extend_from_slice(&[1, 0, 0, 0]);
            block.extend_from_slice(&(-1_i64).to_le_bytes());
            if let Some(comment) = comment {
                comment.push(block);
            }
        })?;
        Ok(writer)
    }

    /// Writes one interface description for each [`Packet::interface`], in the order of their first
    /// packets; by default there is one for each link type. Names are not written. For a capture that
    /// has no packet yet.
    #[must_use]
    pub fn with_all_interfaces(mut self) -> Self {
        self.described = Described::Interfaces;
        self
    }

    /// Writes a packet, and before the first of its link type, or of its interface, an interface
    /// description.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for a packet that a file cannot hold (more than
    /// [`MAX_CAPTURED_BYTES`], a link type above 65,535, the 65,537th interface, which readers need not
    /// take), and the errors of `out`.
    pub fn write(&mut self, packet: &Packet<'_>) -> io::Result<()> {
        self.write_packet(packet, None)
    }

    /// Writes a packet with a comment, which Wireshark shows beside it.
    ///
    /// # Errors
    /// As [`Self::write`]; also for a comment of more than 65,535 bytes.
    pub fn write_commented(&mut self, packet: &Packet<'_>, comment: &str) -> io::Result<()> {
        self.write_packet(packet, Some(comment))
    }

    /// Flushes `out`.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// The writer below.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn write_packet(&mut self, packet: &Packet<'_>, comment: Option<&str>) -> io::Result<()> {
        let captured = captured_length(packet)?;
        let comment = comment.map(Comment::new).transpose()?;
        let offset_seconds = if packet.time < Timestamp::default() {
            BEFORE_1970
        } else {
            0
        };
        let interface = self.interface(packet, offset_seconds)?;
        let [high, low] = halves(packet.time, offset_seconds);
        // An enhanced packet block (section 4.3).
        self.write_block(6, |block| {
            for field in [interface, high, low, captured, packet.original_bytes] {
                block.extend_from_slice(&field.to_le_bytes());
            }
            block.extend_from_slice(packet.data);
            pad(block);
            if let Some(comment) = comment {
                comment.push(block);
            }
        })
    }

    /// The index of the interface for such packets; describes it first if need be.
    fn interface(&mut self, packet: &Packet<'_>, offset_seconds: i64) -> io::Result<u32> {
        let wanted = Interface {
            id: match self.described {
                Described::LinkTypes => None,
                Described::Interfaces => Some(packet.interface),
            },
            link_type: packet.link_type,
            offset_seconds,
        };
        if self.interfaces.get(self.latest) != Some(&wanted) {
            let known = self.interfaces.iter().position(|known| *known == wanted);
            self.latest = match known {
                Some(place) => place,
                None => self.describe(wanted)?,
            };
        }
        u32::try_from(self.latest).map_err(|_| too_many_interfaces())
    }

    /// Describes an interface; its index.
    fn describe(&mut self, interface: Interface) -> io::Result<usize> {
        if self.interfaces.len() == MAX_SECTION_INTERFACES {
            return Err(too_many_interfaces());
        }
        let link_type = u16::try_from(interface.link_type.number())
            .map_err(|_| invalid("a pcapng link type has 16 bits"))?;
        self.write_block(1, |block| {
            block.extend_from_slice(&link_type.to_le_bytes());
            block.extend_from_slice(&[0, 0]);
            block.extend_from_slice(&MAX_CAPTURED_BYTES.to_le_bytes());
            // if_tsresol: 10^-9 s.
            push_option(block, 9, 1, &[9]);
            if interface.offset_seconds != 0 {
                push_option(block, 14, 8, &interface.offset_seconds.to_le_bytes());
            }
            push_option(block, 0, 0, &[]);
        })?;
        self.interfaces.push(interface);
        Ok(self.interfaces.len() - 1)
    }

    /// Writes a block of this type around what `body` appends, a multiple of four bytes.
    fn write_block(&mut self, kind: u32, body: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        self.block.clear();
        self.block.extend_from_slice(&kind.to_le_bytes());
        self.block.extend_from_slice(&[0; 4]);
        body(&mut self.block);
        let length = u32::try_from(self.block.len() + 4)
            .map_err(|_| invalid("a block's length has 32 bits"))?
            .to_le_bytes();
        self.block[4..8].copy_from_slice(&length);
        self.block.extend_from_slice(&length);
        self.out.write_all(&self.block)
    }
}

fn too_many_interfaces() -> io::Error {
    invalid("a section holds at most 65536 interfaces")
}

/// A comment that a block can hold.
#[derive(Clone, Copy, Debug)]
struct Comment<'a> {
    text: &'a str,
    length: u16,
}

impl<'a> Comment<'a> {
    fn new(text: &'a str) -> io::Result<Self> {
        match u16::try_from(text.len()) {
            Ok(length) => Ok(Self { text, length }),
            Err(_) => Err(invalid("a comment holds at most 65535 bytes")),
        }
    }

    /// Appends it as the only option of a block.
    fn push(self, block: &mut Vec<u8>) {
        push_option(block, 1, self.length, self.text.as_bytes());
        push_option(block, 0, 0, &[]);
    }
}

/// Appends a pcapng option of this code.
fn push_option(block: &mut Vec<u8>, code: u16, length: u16, value: &[u8]) {
    block.extend_from_slice(&code.to_le_bytes());
    block.extend_from_slice(&length.to_le_bytes());
    block.extend_from_slice(value);
    pad(block);
}

/// Fills up to a multiple of four bytes.
fn pad(block: &mut Vec<u8>) {
    block.resize(block.len().next_multiple_of(4), 0);
}

/// Nanoseconds since the offset, the upper half first.
fn halves(time: Timestamp, offset_seconds: i64) -> [u32; 2] {
    let nanos = i128::from(time.as_nanos()) - i128::from(offset_seconds) * i128::from(SECOND_NS);
    let nanos = u64::try_from(nanos).expect("the offset is not after any time it is chosen for");
    let [a, b, c, d, e, f, g, h] = nanos.to_be_bytes();
    [
        u32::from_be_bytes([a, b, c, d]),
        u32::from_be_bytes([e, f, g, h]),
    ]
}

/// The unit of the times in a pcap file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    /// Microseconds.
    Micro,
    /// Nanoseconds.
    Nano,
}

impl Precision {
    const fn magic(self) -> u32 {
        match self {
            Self::Micro => 0xa1b2_c3d4,
            Self::Nano => 0xa1b2_3c4d,
        }
    }

    const fn unit_nanos(self) -> i64 {
        match self {
            Self::Micro => 1_000,
            Self::Nano => 1,
        }
    }
}

/// Writes classic pcap (draft-ietf-opsawg-pcap): one link type, times from
/// 1970 to 2106.
#[derive(Debug)]
pub struct PcapWriter<W> {
    out: W,
    link_type: LinkType,
    precision: Precision,
    order: ByteOrder,
    record: Vec<u8>,
}

impl<W: Write> PcapWriter<W> {
    /// Begins a capture of this link type.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(
        out: W,
        link_type: LinkType,
        precision: Precision,
        order: ByteOrder,
    ) -> io::Result<Self> {
        let mut writer = Self {
            out,
            link_type,
            precision,
            order,
            record: Vec::new(),
        };
        writer.push(precision.magic());
        // Version 2.4.
        writer.record.extend_from_slice(&match order {
            ByteOrder::Little => [2, 0, 4, 0],
            ByteOrder::Big => [0, 2, 0, 4],
        });
        for field in [0, 0, MAX_CAPTURED_BYTES, link_type.number()] {
            writer.push(field);
        }
        writer.out.write_all(&writer.record)?;
        Ok(writer)
    }

    /// Writes a packet; its time is rounded down to the file's precision.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for a packet that the file cannot hold (another link type, a
    /// time before 1970 or after 2106, more than [`MAX_CAPTURED_BYTES`]), and the errors of `out`.
    pub fn write(&mut self, packet: &Packet<'_>) -> io::Result<()> {
        if packet.link_type != self.link_type {
            return Err(invalid("a pcap file has one link type"));
        }
        let captured = captured_length(packet)?;
        let nanos = packet.time.as_nanos();
        let seconds = u32::try_from(nanos.div_euclid(SECOND_NS))
            .map_err(|_| invalid("pcap holds times from 1970 to 2106"))?;
        let units = nanos.rem_euclid(SECOND_NS) / self.precision.unit_nanos();
        let units = u32::try_from(units).expect("less than a second of nanoseconds");
        self.record.clear();
        for field in [seconds, units, captured, packet.original_bytes] {
            self.push(field);
        }
        self.record.extend_from_slice(packet.data);
        self.out.write_all(&self.record)
    }

    /// Flushes `out`.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// The writer below.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn push(&mut self, field: u32) {
        self.record.extend_from_slice(&match self.order {
            ByteOrder::Little => field.to_le_bytes(),
            ByteOrder::Big => field.to_be_bytes(),
        });
    }
}

/// The number of captured bytes, if a reader would believe it.
fn captured_length(packet: &Packet<'_>) -> io::Result<u32> {
    u32::try_from(packet.data.len())
        .ok()
        .filter(|&captured| captured <= MAX_CAPTURED_BYTES)
        .ok_or_else(|| invalid("a packet holds at most 262144 bytes"))
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}
