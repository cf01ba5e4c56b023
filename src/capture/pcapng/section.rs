//! The contents of the blocks of a pcapng section.

use pcap_parser::nom;
use pcap_parser::traits::PcapNGPacketBlock;
use pcap_parser::{
    parse_enhancedpacketblock_be, parse_enhancedpacketblock_le, parse_interfacedescriptionblock_be,
    parse_interfacedescriptionblock_le, parse_sectionheaderblock, parse_simplepacketblock_be,
    parse_simplepacketblock_le,
};

use super::block::{BLOCK_TRAILER, field};
use super::interface::Interface;
use crate::capture::window::Current;
use crate::capture::{
    ByteOrder, Damage, InterfaceInfo, LinkType, MAX_CAPTURED_BYTES, MAX_SECTION_INTERFACES,
};
use crate::time::Timestamp;

/// Offset of the packet in an enhanced and in an obsolete packet block.
const PACKET_OFFSET: usize = 28;
/// Offset of the packet in a simple packet block.
const SIMPLE_PACKET_OFFSET: usize = 12;

/// The state that a section's blocks build up for those after them. All of
/// its methods are given whole blocks, both lengths included.
#[derive(Debug)]
pub(super) struct Section {
    order: ByteOrder,
    interfaces: Vec<Interface>,
    /// Interfaces of the sections before.
    past_interfaces: u32,
    /// Time of the last packet, for simple packet blocks.
    time: Timestamp,
}

impl Default for Section {
    fn default() -> Self {
        Self {
            order: ByteOrder::Little,
            interfaces: Vec::new(),
            past_interfaces: 0,
            time: Timestamp::default(),
        }
    }
}

impl Section {
    /// Begins the next section: its interfaces are counted from 0 again.
    pub(super) fn restart(&mut self, order: ByteOrder) {
        self.order = order;
        let count = u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX);
        self.past_interfaces = self.past_interfaces.saturating_add(count);
        self.interfaces.clear();
    }

    /// The byte order of all its blocks.
    pub(super) fn order(&self) -> ByteOrder {
        self.order
    }

    /// The link type of its first interface.
    pub(super) fn link_type(&self) -> Option<LinkType> {
        self.interfaces.first().map(|interface| interface.link_type)
    }

    /// Checks a section header: of a major version other than 1, nothing is known.
    pub(super) fn check(block: &[u8]) -> Result<(), Damage> {
        match parse_sectionheaderblock(block) {
            Ok((_, header)) if header.major_version == 1 => Ok(()),
            Ok((_, header)) => Err(Damage::PcapngVersion {
                major: header.major_version,
                minor: header.minor_version,
            }),
            Err(_) => Err(Damage::Malformed),
        }
    }

    /// Reads an interface description block.
    pub(super) fn add_interface(&mut self, block: &[u8]) -> Result<(), Damage> {
        if self.interfaces.len() == MAX_SECTION_INTERFACES {
            return Err(Damage::TooManyInterfaces {
                bound: MAX_SECTION_INTERFACES,
            });
        }
        let (_, description) = match self.order {
            ByteOrder::Little => parse_interfacedescriptionblock_le(block),
            ByteOrder::Big => parse_interfacedescriptionblock_be(block),
        }
        .map_err(|_| Damage::Malformed)?;
        self.interfaces
            .push(Interface::new(&description, self.order));
        Ok(())
    }

    /// Reads an enhanced packet block.
    pub(super) fn enhanced_packet(&mut self, block: &[u8]) -> Result<Current, Damage> {
        let parsed = match self.order {
            ByteOrder::Little => parse_enhancedpacketblock_le(block),
            ByteOrder::Big => parse_enhancedpacketblock_be(block),
        };
        match parsed {
            Ok((_, packet)) => self.stamped_packet(
                block,
                StampedPacket {
                    interface: packet.if_id,
                    time: [packet.ts_high, packet.ts_low],
                    captured: packet.caplen,
                    original_bytes: packet.origlen,
                },
            ),
            // The block is whole, so "needs more" means a captured length that goes beyond it.
            Err(nom::Err::Incomplete(_)) => Err(overlong(self.order.u32(field(block, 20)), block)),
            Err(nom::Err::Error(_) | nom::Err::Failure(_)) => Err(Damage::Malformed),
        }
    }

    /// Reads an obsolete packet block, which differs from the enhanced one in
    /// a shorter interface index, and a count of drops behind it.
    pub(super) fn obsolete_packet(&mut self, block: &[u8]) -> Result<Current, Damage> {
        let number = |offset| self.order.u32(field(block, offset));
        let packet = StampedPacket {
            interface: self.order.u16(field(block, 8)).into(),
            time: [number(12), number(16)],
            captured: number(20),
            original_bytes: number(24),
        };
        self.stamped_packet(block, packet)
    }

    fn stamped_packet(&mut self, block: &[u8], packet: StampedPacket) -> Result<Current, Damage> {
        let interface = self.interface(packet.interface)?;
        let room = block.len() - PACKET_OFFSET - BLOCK_TRAILER;
        let captured = check_captured(packet.captured, room, block)?;
        let [high, low] = packet.time.map(u64::from);
        let current = Current {
            time: interface.clock.time(high << 32 | low),
            interface: self.past_interfaces.saturating_add(packet.interface),
            link_type: interface.link_type,
            data: PACKET_OFFSET..PACKET_OFFSET + captured,
            original_bytes: packet.original_bytes,
        };
        self.time = current.time;
        Ok(current)
    }

    /// Reads a simple packet block. It belongs to the first interface and has no captured length:
    /// that is the least of the original length, the interface's snap length and the block's
    /// content (section 4.4).
    pub(super) fn simple_packet(&self, block: &[u8]) -> Result<Current, Damage> {
        let interface = self.interface(0)?;
        let (_, packet) = match self.order {
            ByteOrder::Little => parse_simplepacketblock_le(block),
            ByteOrder::Big => parse_simplepacketblock_be(block),
        }
        .map_err(|_| Damage::Malformed)?;
        let held = interface.cut(packet.packet_data().len());
        let captured = u32::try_from(held).map_err(|_| Damage::Malformed)?;
        let captured = check_captured(captured, held, block)?;
        Ok(Current {
            time: self.time,
            interface: self.past_interfaces,
            link_type: interface.link_type,
            data: SIMPLE_PACKET_OFFSET..SIMPLE_PACKET_OFFSET + captured,
            original_bytes: packet.origlen,
        })
    }

    /// Description of an interface, which is counted over all sections.
    pub(super) fn interface_info(&self, number: u32) -> InterfaceInfo {
        let index = number.checked_sub(self.past_interfaces);
        let interface = index.and_then(|index| self.interface(index).ok());
        InterfaceInfo {
            name: interface.and_then(|interface| interface.name.clone()),
            link_type: interface.map_or(LinkType::Ethernet, |interface| interface.link_type),
            packet_count: 0,
        }
    }

    fn interface(&self, index: u32) -> Result<&Interface, Damage> {
        usize::try_from(index)
            .ok()
            .and_then(|index| self.interfaces.get(index))
            .ok_or(Damage::UnknownInterface {
                interface: index,
                known: self.interfaces.len(),
            })
    }
}

/// The fields of an enhanced and of an obsolete packet block.
struct StampedPacket {
    interface: u32,
    /// In units of the interface's clock, the upper half first.
    time: [u32; 2],
    captured: u32,
    original_bytes: u32,
}

/// Checks a captured length against the room for it in its block.
fn check_captured(captured: u32, room: usize, block: &[u8]) -> Result<usize, Damage> {
    if captured > MAX_CAPTURED_BYTES {
        return Err(Damage::CapturedLength {
            captured: captured.into(),
            bound: MAX_CAPTURED_BYTES.into(),
        });
    }
    usize::try_from(captured)
        .ok()
        .filter(|&captured| captured <= room)
        .ok_or_else(|| overlong(captured, block))
}

fn overlong(captured: u32, block: &[u8]) -> Damage {
    Damage::Overlong {
        captured,
        block: block.len(),
    }
}
