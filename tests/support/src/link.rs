//! What stands before an IP packet on a link.

use crate::{ByteOrder, length_u16};

/// A VLAN tag (IEEE 802.1Q).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VlanTag {
    /// What announces it: 0x8100, or 0x88a8 for the outer one of a stack.
    pub protocol: u16,
    /// The VLAN, 0 to 4095.
    pub id: u16,
}

/// Where a packet of a cooked capture was going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SllPacketType {
    /// To this machine (0).
    ToUs,
    /// From this machine (4).
    Outgoing,
}

impl SllPacketType {
    const fn number(self) -> u8 {
        match self {
            Self::ToUs => 0,
            Self::Outgoing => 4,
        }
    }
}

/// The framing of a packet (<https://www.tcpdump.org/linktypes.html>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// BSD loopback with the family in the writer's byte order (0).
    Null(ByteOrder),
    /// Ethernet with any number of VLAN tags, outermost first (1).
    Ethernet(Vec<VlanTag>),
    /// An IP packet (101).
    RawIp,
    /// OpenBSD loopback (108).
    Loop,
    /// Linux cooked (113).
    LinuxCooked(SllPacketType),
    /// An IPv4 packet (228).
    Ipv4,
    /// An IPv6 packet (229).
    Ipv6,
    /// Linux cooked v2 (276).
    LinuxCooked2(SllPacketType),
    /// Framing that no dissector of ours knows: the packet as it is, under that number.
    Other(u16),
}

impl Link {
    /// Plain Ethernet.
    pub const ETHERNET: Self = Self::Ethernet(Vec::new());

    /// The link type's number.
    pub const fn number(&self) -> u16 {
        match self {
            Self::Null(_) => 0,
            Self::Ethernet(_) => 1,
            Self::RawIp => 101,
            Self::Loop => 108,
            Self::LinuxCooked(_) => 113,
            Self::Ipv4 => 228,
            Self::Ipv6 => 229,
            Self::LinuxCooked2(_) => 276,
            Self::Other(number) => *number,
        }
    }

    /// An IP packet as it stands on this link.
    pub fn frame(&self, ip: &[u8]) -> Vec<u8> {
        let mut bytes = self.header(ip);
        bytes.extend_from_slice(ip);
        bytes
    }

    fn header(&self, ip: &[u8]) -> Vec<u8> {
        match self {
            Self::Null(order) => order.u32(bsd_family(ip)).to_vec(),
            Self::Loop => ByteOrder::Big.u32(bsd_family(ip)).to_vec(),
            Self::Ethernet(tags) => ethernet(tags, ip),
            Self::LinuxCooked(packet_type) => {
                // Packet type, ARPHRD_LOOPBACK, address length, address, protocol.
                let mut bytes = vec![0, packet_type.number(), 0x03, 0x04, 0, 6];
                bytes.extend([0; 8]);
                bytes.extend(ether_type(ip).to_be_bytes());
                bytes
            }
            Self::LinuxCooked2(packet_type) => {
                let mut bytes = ether_type(ip).to_be_bytes().to_vec();
                bytes.extend([0, 0]);
                bytes.extend(1_u32.to_be_bytes());
                bytes.extend([0x03, 0x04, packet_type.number(), 6]);
                bytes.extend([0; 8]);
                bytes
            }
            Self::RawIp | Self::Ipv4 | Self::Ipv6 | Self::Other(_) => Vec::new(),
        }
    }
}

fn ethernet(tags: &[VlanTag], ip: &[u8]) -> Vec<u8> {
    // The loopback interface's addresses.
    let mut bytes = vec![0; 12];
    for tag in tags {
        bytes.extend(tag.protocol.to_be_bytes());
        bytes.extend(tag.id.to_be_bytes());
    }
    bytes.extend(ether_type(ip).to_be_bytes());
    bytes
}

fn ether_type(ip: &[u8]) -> u16 {
    if is_version_6(ip) { 0x86dd } else { 0x0800 }
}

/// AF_INET, and AF_INET6 as FreeBSD numbers it.
fn bsd_family(ip: &[u8]) -> u32 {
    if is_version_6(ip) { 28 } else { 2 }
}

fn is_version_6(ip: &[u8]) -> bool {
    ip.first().is_some_and(|first| first >> 4 == 6)
}

/// A frame filled up to Ethernet's 60 bytes, as short packets leave a real card.
pub(crate) fn pad_to_minimum(frame: &mut Vec<u8>) {
    const MINIMUM: u16 = 60;
    let short = MINIMUM.saturating_sub(length_u16(frame.len()));
    frame.extend(std::iter::repeat_n(0, usize::from(short)));
}
