//! The pcapng format (draft-ietf-opsawg-pcapng).
//!
//! Type and length distinguish blocks here; the contents of those of interest are read by
//! [`Section`]. Others are skipped unread.

mod block;
mod interface;
mod section;

use pcap_parser::{EPB_MAGIC, IDB_MAGIC, SHB_MAGIC, SPB_MAGIC};

use self::block::{BLOCK_TRAILER, field};
use self::section::Section;
use super::window::{Current, Window};
use super::{
    ByteOrder, CaptureError, CaptureFormat, Content, Damage, FileRecord, InterfaceInfo, LinkType,
};

/// Type of the obsolete packet block (appendix A of the draft), which `pcap-parser` lacks.
const OBSOLETE_PACKET: u32 = 2;
/// Type and length before a block.
const BLOCK_HEADER: usize = 8;
/// The longest block that is parsed, as in libpcap and Wireshark. Blocks of
/// no interest may have any length.
const MAX_PARSED_BLOCK: u32 = 16 << 20;

/// Finds the packets among the blocks.
#[derive(Debug)]
pub(super) struct Pcapng {
    section: Section,
    /// Packets read so far, of all sections.
    packets: u64,
}

/// The start of a block.
#[derive(Clone, Copy)]
struct BlockHeader {
    kind: u32,
    /// Of the whole block, both lengths and the type included.
    length: u32,
    /// Offset of the block in the input.
    offset: u64,
}

/// The format, when these are its first bytes.
pub(super) fn detect(head: &[u8]) -> Option<CaptureFormat> {
    (head.first_chunk() == Some(&SHB_MAGIC.to_be_bytes())).then_some(CaptureFormat::Pcapng)
}

impl Pcapng {
    /// Reads the first section header.
    pub(super) fn open(window: &mut Window) -> Result<Self, CaptureError> {
        let mut pcapng = Self {
            section: Section::default(),
            packets: 0,
        };
        let opened = pcapng.next_block(window).and_then(|header| match header {
            Some(header) => pcapng.start_section(window, header),
            None => Ok(()),
        });
        match opened {
            Ok(()) => Ok(pcapng),
            Err(error) => Err(without_capture(window, error)),
        }
    }

    /// Description of an interface, which is counted over all sections.
    pub(super) fn interface(&self, number: u32) -> InterfaceInfo {
        self.section.interface_info(number)
    }

    /// The link type of the section's first interface.
    pub(super) fn link_type(&self) -> Option<LinkType> {
        self.section.link_type()
    }

    /// Reads blocks up to the next packet.
    pub(super) fn advance(&mut self, window: &mut Window) -> Result<Option<Current>, CaptureError> {
        while let Some(header) = self.next_block(window)? {
            match header.kind {
                EPB_MAGIC | SPB_MAGIC | OBSOLETE_PACKET => {
                    return self.packet(window, header).map(Some);
                }
                SHB_MAGIC => self.start_section(window, header)?,
                IDB_MAGIC => self.add_interface(window, header)?,
                _ => self.skip(window, header)?,
            }
        }
        Ok(None)
    }

    /// Reads a block's type and length, and leaves them in the window.
    fn next_block(&mut self, window: &mut Window) -> Result<Option<BlockHeader>, CaptureError> {
        let offset = window.offset();
        if !window.require(BLOCK_HEADER) {
            if window.available().is_empty() {
                return window.finish().map(|()| None);
            }
            let record = FileRecord::BlockAfter(self.packets);
            return Err(window.truncated(record, offset, BLOCK_HEADER as u64));
        }
        // The type of a section header reads the same in both byte orders (section 4.1).
        if window.available().starts_with(&SHB_MAGIC.to_be_bytes()) {
            let order = self.section_order(window)?;
            self.section.restart(order);
        }
        let order = self.section.order();
        let header = BlockHeader {
            kind: order.u32(field(window.available(), 0)),
            length: order.u32(field(window.available(), 4)),
            offset,
        };
        let (least, most) = length_bounds(header.kind);
        if header.length < least || header.length > most || !header.length.is_multiple_of(4) {
            let damage = Damage::BlockLength {
                length: header.length,
                least,
                most,
            };
            return Err(self.damaged(window, header, damage));
        }
        Ok(Some(header))
    }

    /// The byte order of the section whose header comes next.
    fn section_order(&self, window: &mut Window) -> Result<ByteOrder, CaptureError> {
        let (offset, record) = (window.offset(), FileRecord::BlockAfter(self.packets));
        if !window.require(BLOCK_HEADER + 4) {
            return Err(window.truncated(record, offset, BLOCK_HEADER as u64 + 4));
        }
        match field(window.available(), BLOCK_HEADER) {
            [0x4d, 0x3c, 0x2b, 0x1a] => Ok(ByteOrder::Little),
            [0x1a, 0x2b, 0x3c, 0x4d] => Ok(ByteOrder::Big),
            magic => {
                let damage = Damage::ByteOrderMagic(u32::from_be_bytes(magic));
                Err(window.damaged(record, offset, damage))
            }
        }
    }

    fn start_section(
        &mut self,
        window: &mut Window,
        header: BlockHeader,
    ) -> Result<(), CaptureError> {
        let block = self.require(window, header)?;
        let started = Section::check(block);
        started.map_err(|damage| self.damaged(window, header, damage))?;
        window.take(header.length());
        Ok(())
    }

    fn add_interface(
        &mut self,
        window: &mut Window,
        header: BlockHeader,
    ) -> Result<(), CaptureError> {
        let block = self.require(window, header)?;
        let added = self.section.add_interface(block);
        added.map_err(|damage| self.damaged(window, header, damage))?;
        window.take(header.length());
        Ok(())
    }

    fn packet(
        &mut self,
        window: &mut Window,
        header: BlockHeader,
    ) -> Result<Current, CaptureError> {
        let block = self.require(window, header)?;
        let packet = match header.kind {
            SPB_MAGIC => self.section.simple_packet(block),
            OBSOLETE_PACKET => self.section.obsolete_packet(block),
            _ => self.section.enhanced_packet(block),
        };
        let mut packet = packet.map_err(|damage| self.damaged(window, header, damage))?;
        self.packets += 1;
        let start = window.take(header.length()).start;
        packet.data = start + packet.data.start..start + packet.data.end;
        Ok(packet)
    }

    /// Moves past a block of no interest, however long.
    fn skip(&self, window: &mut Window, header: BlockHeader) -> Result<(), CaptureError> {
        let before_trailer = u64::from(header.length) - BLOCK_TRAILER as u64;
        if !window.skip(before_trailer) || !window.require(BLOCK_TRAILER) {
            return Err(self.truncated(window, header));
        }
        self.check_trailer(window, header, field(window.available(), 0))?;
        window.take(BLOCK_TRAILER);
        Ok(())
    }

    /// The block, whole and sound at its end.
    fn require<'w>(
        &self,
        window: &'w mut Window,
        header: BlockHeader,
    ) -> Result<&'w [u8], CaptureError> {
        if !window.require(header.length()) {
            return Err(self.truncated(window, header));
        }
        let trailer = field(window.available(), header.length() - BLOCK_TRAILER);
        self.check_trailer(window, header, trailer)?;
        Ok(&window.available()[..header.length()])
    }

    /// When the two lengths differ, nothing shows which is right, and so where
    /// the next block begins.
    fn check_trailer(
        &self,
        window: &Window,
        header: BlockHeader,
        trailer: [u8; 4],
    ) -> Result<(), CaptureError> {
        let trailing = self.section.order().u32(trailer);
        if trailing == header.length {
            return Ok(());
        }
        let damage = Damage::LengthMismatch {
            leading: header.length,
            trailing,
        };
        Err(self.damaged(window, header, damage))
    }

    fn truncated(&self, window: &mut Window, header: BlockHeader) -> CaptureError {
        window.truncated(self.record(header), header.offset, header.length.into())
    }

    fn damaged(&self, window: &Window, header: BlockHeader, damage: Damage) -> CaptureError {
        window.damaged(self.record(header), header.offset, damage)
    }

    fn record(&self, header: BlockHeader) -> FileRecord {
        match header.kind {
            EPB_MAGIC | SPB_MAGIC | OBSOLETE_PACKET => FileRecord::Packet(self.packets + 1),
            _ => FileRecord::BlockAfter(self.packets),
        }
    }
}

impl BlockHeader {
    fn length(self) -> usize {
        usize::try_from(self.length).expect("lengths of parsed blocks are bounded at 16 MiB")
    }
}

/// The shortest and the longest block of a type: its fixed fields, and the longest that is
/// believed.
const fn length_bounds(kind: u32) -> (u32, u32) {
    match kind {
        SHB_MAGIC => (28, MAX_PARSED_BLOCK),
        IDB_MAGIC => (20, MAX_PARSED_BLOCK),
        EPB_MAGIC | OBSOLETE_PACKET => (32, MAX_PARSED_BLOCK),
        SPB_MAGIC => (16, MAX_PARSED_BLOCK),
        // The longest multiple of four, as every length is (section 3.1).
        _ => (12, u32::MAX - 3),
    }
}

/// With a damaged first section header, this is no capture at all.
fn without_capture(window: &mut Window, error: CaptureError) -> CaptureError {
    match error {
        CaptureError::Truncated { got, needed, .. } => {
            let format = CaptureFormat::Pcapng;
            window.not_a_capture(Content::CutHeader {
                format,
                got,
                needed,
            })
        }
        CaptureError::Damaged { damage, .. } => window.not_a_capture(Content::BadHeader(damage)),
        CaptureError::Read { path, source, .. } => CaptureError::Open { path, source },
        other => other,
    }
}
