//! What a packet's first bytes are.

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

impl LinkType {
    /// The link type with this number in the registry.
    pub const fn from_number(number: u32) -> Self {
        match number {
            0 => Self::Null,
            1 => Self::Ethernet,
            12 | 14 | 101 => Self::RawIp,
            108 => Self::Loop,
            113 => Self::LinuxCooked,
            228 => Self::Ipv4,
            229 => Self::Ipv6,
            276 => Self::LinuxCooked2,
            other => Self::Other(other),
        }
    }

    /// Its number in the registry; 101 for every kind of raw IP.
    pub const fn number(self) -> u32 {
        match self {
            Self::Null => 0,
            Self::Ethernet => 1,
            Self::RawIp => 101,
            Self::Loop => 108,
            Self::LinuxCooked => 113,
            Self::Ipv4 => 228,
            Self::Ipv6 => 229,
            Self::LinuxCooked2 => 276,
            Self::Other(number) => number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_keeps_its_meaning() {
        for number in 0..1_000 {
            let link_type = LinkType::from_number(number);
            assert_eq!(LinkType::from_number(link_type.number()), link_type);
            if !matches!(number, 12 | 14) {
                assert_eq!(link_type.number(), number);
            }
        }
    }
}
