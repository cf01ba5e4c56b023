//! The link types: the kinds of a packet's first header.

mod registry;

macro_rules! link_types {
    ($($variant:ident = $number:literal, $name:literal, $title:literal, $about:literal;)*) => {
        /// The framing of a packet's first bytes, from the capture's link-layer header
        /// type (<https://www.tcpdump.org/linktypes.html>).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum LinkType {
            $(#[doc = $about] $variant,)*
            /// Any other, by its number: its packets are not read.
            Other(u32),
        }

        impl LinkType {
            /// Those that are read.
            pub const READ: &'static [Self] = &[$(Self::$variant),*];

            /// Every name that there is.
            pub(crate) const NAMES: &'static [&'static str] = &[$($name,)* "other"];

            /// The link type with this number in the registry.
            pub const fn from_number(number: u32) -> Self {
                match number {
                    // Systems' numbers for DLT_RAW where they have not agreed on 101.
                    12 | 14 => Self::RawIp,
                    $($number => Self::$variant,)*
                    other => Self::Other(other),
                }
            }

            /// Its number in the registry; 101 for every kind of raw IP.
            pub const fn number(self) -> u32 {
                match self {
                    $(Self::$variant => $number,)*
                    Self::Other(number) => number,
                }
            }

            /// Its name in the JSON records: `ethernet`; `other` for one that is not read.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Other(_) => "other",
                }
            }

            /// Its usual name: `Ethernet`; of one that is not read, its name in the registry
            /// (`user 0`), where it has one.
            pub const fn title(self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => Some($title),)*
                    Self::Other(number) => registry::name(number),
                }
            }
        }
    };
}

link_types! {
    Null = 0, "null", "BSD loopback", "BSD loopback, family in host byte order of the writer.";
    Ethernet = 1, "ethernet", "Ethernet", "Ethernet.";
    Ppp = 9, "ppp", "PPP", "PPP, with or without HDLC's address and control.";
    PppHdlc = 50, "ppp_hdlc", "PPP in HDLC", "PPP in HDLC-like framing, or Cisco HDLC.";
    PppOe = 51, "pppoe", "PPPoE", "A PPPoE header, without Ethernet's before it.";
    RawIp = 101, "raw_ip", "raw IP", "An IP packet, version by its first nibble (also 12 and 14).";
    CiscoHdlc = 104, "cisco_hdlc", "Cisco HDLC", "Cisco HDLC.";
    Ieee80211 = 105, "ieee802_11", "802.11", "A frame of a wireless network (IEEE 802.11).";
    Loop = 108, "loop", "OpenBSD loopback", "OpenBSD loopback, family in network byte order.";
    LinuxCooked = 113, "linux_cooked", "Linux cooked", "Linux cooked capture.";
    Ieee80211Prism = 119, "ieee802_11_prism", "802.11 with Prism header", "802.11 behind a Prism header.";
    Ieee80211Radiotap = 127, "ieee802_11_radiotap", "802.11 with radiotap header", "802.11 behind a radiotap header.";
    Ieee80211Avs = 163, "ieee802_11_avs", "802.11 with AVS header", "802.11 behind an AVS header.";
    PppWithDirection = 204, "ppp_with_direction", "PPP with direction", "PPP behind a byte that tells its direction.";
    Mpls = 219, "mpls", "MPLS", "A stack of MPLS labels.";
    Ipv4 = 228, "ipv4", "raw IPv4", "An IPv4 packet.";
    Ipv6 = 229, "ipv6", "raw IPv6", "An IPv6 packet.";
    Nflog = 239, "nflog", "NFLOG", "Linux netfilter's log.";
    IpOverInfiniband = 242, "ip_over_infiniband", "IP over InfiniBand", "IP over InfiniBand (IPoIB).";
    Pktap = 258, "pktap", "PKTAP", "Apple's PKTAP: a header that tells the link type behind it.";
    LinuxCooked2 = 276, "linux_cooked_2", "Linux cooked v2", "Linux cooked capture v2.";
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
            assert_eq!(
                LinkType::READ.contains(&link_type),
                link_type.name() != "other"
            );
        }
    }

    #[test]
    fn link_types_that_are_not_read_have_their_name_in_the_registry() {
        for (number, title) in [
            (147, Some("user 0")),
            (162, Some("user 15")),
            (189, Some("USB, Linux")),
            (299, None),
            (65_535, None),
        ] {
            assert_eq!(LinkType::from_number(number).title(), title);
        }
    }
}
