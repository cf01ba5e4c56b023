//! What wraps packets: every kind of link and tunnel that users meet, around an IP packet.

use crate::{Wire, length_u16};

/// One way of wrapping an IP packet.
#[derive(Clone, Copy, Debug)]
pub struct Wrapping {
    /// Its name, for file names.
    pub name: &'static str,
    /// The link type's number.
    pub link_type: u16,
    /// What the dissector calls it.
    pub encapsulation: &'static str,
    /// The frame around an IP packet.
    pub frame: fn(&[u8]) -> Vec<u8>,
}

const fn kind(
    name: &'static str,
    link_type: u16,
    encapsulation: &'static str,
    frame: fn(&[u8]) -> Vec<u8>,
) -> Wrapping {
    Wrapping {
        name,
        link_type,
        encapsulation,
        frame,
    }
}

/// Every kind.
pub const ALL: &[Wrapping] = &[
    kind("vlan", 1, "vlan", |ip| {
        ethernet(0x8100, &[&[0, 7], &ether_type(ip)[..], ip].concat())
    }),
    kind("pppoe", 1, "pppoe", |ip| ethernet(0x8864, &pppoe(ip))),
    kind("mpls", 1, "mpls", |ip| {
        ethernet(0x8847, &[&labels(3)[..], ip].concat())
    }),
    kind("mpls-ethernet", 1, "mpls:ethernet", |ip| {
        ethernet(
            0x8847,
            &[&labels(1)[..], &[0, 0, 0, 0], &inner(ip)[..]].concat(),
        )
    }),
    kind("llc-snap", 1, "llc", |ip| with_length(&snap(ip))),
    kind("gre", 1, "gre", |ip| {
        over_ip4(47, &[&[0, 0], &ether_type(ip)[..], ip].concat())
    }),
    kind("gre-key-sequence", 1, "gre", |ip| {
        let optional = [0, 0, 0, 0, 0, 0, 0, 42, 0, 0, 0, 9];
        over_ip4(
            47,
            &[&[0xb0, 0], &ether_type(ip)[..], &optional, ip].concat(),
        )
    }),
    kind("gre-ethernet", 1, "gre:ethernet", |ip| {
        over_ip4(
            47,
            &[&[0x20, 0, 0x65, 0x58, 0, 0, 0, 42][..], &inner(ip)].concat(),
        )
    }),
    kind("gre-pptp", 1, "gre:ppp", |ip| {
        let length = length_u16(ppp(ip).len()).to_be_bytes();
        let header = [
            &[0x30, 0x81, 0x88, 0x0b][..],
            &length,
            &[0, 1, 0, 0, 0, 5, 0, 0, 0, 4],
        ];
        over_ip4(47, &[&header.concat()[..], &ppp(ip)].concat())
    }),
    kind("gre-over-ipv6", 1, "gre", |ip| {
        over_ip6(47, &[&[0, 0], &ether_type(ip)[..], ip].concat())
    }),
    kind("erspan-1", 1, "gre:erspan", |ip| {
        over_ip4(47, &[&[0, 0, 0x88, 0xbe][..], &inner(ip)].concat())
    }),
    kind("erspan-2", 1, "gre:erspan", |ip| {
        let header = [
            0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0x07, 0x00, 0x0a, 0, 0, 0, 3,
        ];
        over_ip4(47, &[&header[..], &inner(ip)].concat())
    }),
    kind("erspan-3", 1, "gre:erspan", |ip| {
        let gre = [0x10, 0, 0x22, 0xeb, 0, 0, 0, 1];
        let header = [0x20, 0x07, 0x00, 0x0a, 0, 0, 0, 3, 0, 0, 0, 0];
        over_ip4(47, &[&gre[..], &header, &inner(ip)].concat())
    }),
    kind("ipip", 1, "", |ip| {
        over_ip4(if is_six(ip) { 41 } else { 4 }, ip)
    }),
    kind("ip-in-ipv6", 1, "", |ip| {
        over_ip6(if is_six(ip) { 41 } else { 4 }, ip)
    }),
    kind("etherip", 1, "etherip", |ip| {
        over_ip4(97, &[&[0x30, 0][..], &inner(ip)].concat())
    }),
    kind("vxlan", 1, "vxlan", |ip| {
        over_udp(
            4_789,
            &[&[8, 0, 0, 0, 0, 0, 42, 0][..], &inner(ip)].concat(),
        )
    }),
    kind("geneve", 1, "geneve", |ip| {
        let header = [
            0x02, 0, 0x65, 0x58, 0, 0, 42, 0, 0x01, 0x02, 0x80, 1, 9, 9, 9, 9,
        ];
        over_udp(6_081, &[&header[..], &inner(ip)].concat())
    }),
    kind("gtp-u", 1, "gtp_u", |ip| {
        let length = length_u16(ip.len()).to_be_bytes();
        over_udp(
            2_152,
            &[&[0x30, 0xff], &length[..], &[0, 0, 0, 9], ip].concat(),
        )
    }),
    kind("gtp-u-extension", 1, "gtp_u", |ip| {
        // A PDU session container (3GPP TS 38.415), as between base station and core.
        let length = length_u16(ip.len() + 8).to_be_bytes();
        let optional = [0, 0, 0, 0x85, 1, 0x10, 9, 0];
        over_udp(
            2_152,
            &[&[0x34, 0xff], &length[..], &[0, 0, 0, 9], &optional, ip].concat(),
        )
    }),
    kind("vlan-vxlan", 1, "vlan:vxlan", |ip| {
        let outer = over_udp(
            4_789,
            &[&[8, 0, 0, 0, 0, 0, 42, 0][..], &inner(ip)].concat(),
        );
        ethernet(0x8100, &[&[0, 7, 8, 0][..], &outer[14..]].concat())
    }),
    kind("ppp", 9, "", ppp),
    kind("ppp-hdlc", 50, "", |ip| {
        [&[0xff, 0x03][..], &ppp(ip)].concat()
    }),
    kind("cisco-hdlc", 104, "", |ip| {
        [&[0x0f, 0], &ether_type(ip)[..], ip].concat()
    }),
    kind("wifi", 105, "", |ip| {
        [&wireless(false)[..], &snap(ip)].concat()
    }),
    kind("radiotap", 127, "", |ip| {
        // Flags: a frame check sequence at the end.
        let radiotap = [0, 0, 10, 0, 2, 0, 0, 0, 0x10, 0];
        [&radiotap[..], &wireless(true), &snap(ip), &[0; 4]].concat()
    }),
    kind("sll-vlan", 113, "vlan", |ip| {
        let header = [0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x81, 0, 0, 7];
        [&header, &ether_type(ip)[..], ip].concat()
    }),
    kind("sll2-vlan", 276, "vlan", |ip| {
        let header = [
            0x81, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0, 7,
        ];
        [&header, &ether_type(ip)[..], ip].concat()
    }),
    kind("nflog", 239, "", |ip| {
        let family = if is_six(ip) { 10 } else { 2 };
        let length = length_u16(4 + ip.len()).to_le_bytes();
        let mut frame = vec![family, 0, 0, 5];
        // The packet header, the prefix of the rule, the payload.
        frame.extend([8, 0, 1, 0, 8, 0, 1, 0, 7, 0, 10, 0, b'm', b's', 0, 0]);
        frame.extend(length);
        frame.extend([9, 0]);
        frame.extend_from_slice(ip);
        frame.resize(frame.len().next_multiple_of(4), 0);
        frame
    }),
    kind("ipoib", 242, "", |ip| {
        [&[0; 40], &ether_type(ip)[..], &[0, 0], ip].concat()
    }),
    kind("pktap", 258, "", |ip| {
        let mut header = [0; 108];
        header[0] = 108;
        header[4] = 1;
        header[8] = 1;
        header[12..15].copy_from_slice(b"en0");
        [&header[..], &inner(ip)].concat()
    }),
];

impl Wrapping {
    /// What the dissector calls it around packets of this IP version.
    pub fn encapsulation_of(&self, is_version_6: bool) -> &'static str {
        match (self.name, is_version_6) {
            ("ipip", false) => "ipip",
            ("ipip", true) => "6in4",
            ("ip-in-ipv6", false) => "4in6",
            ("ip-in-ipv6", true) => "6in6",
            _ => self.encapsulation,
        }
    }

    /// Wraps packets that were recorded as raw IP.
    pub fn wrap(&self, wire: &mut Wire) {
        wire.link = crate::Link::Other(self.link_type);
        for packet in &mut wire.packets {
            packet.data = (self.frame)(&packet.data);
            packet.original_bytes = crate::length_u32(packet.data.len());
        }
    }
}

fn is_six(ip: &[u8]) -> bool {
    ip[0] >> 4 == 6
}

fn ether_type(ip: &[u8]) -> [u8; 2] {
    if is_six(ip) {
        [0x86, 0xdd]
    } else {
        [0x08, 0x00]
    }
}

fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    frame.extend(ether_type.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// The frame within a tunnel.
fn inner(ip: &[u8]) -> Vec<u8> {
    ethernet(u16::from_be_bytes(ether_type(ip)), ip)
}

/// An Ethernet frame with a length, and padding behind what it tells.
fn with_length(payload: &[u8]) -> Vec<u8> {
    let mut frame = ethernet(length_u16(payload.len()), payload);
    frame.extend([0; 6]);
    frame
}

fn snap(ip: &[u8]) -> Vec<u8> {
    [&[0xaa, 0xaa, 3, 0, 0, 0], &ether_type(ip)[..], ip].concat()
}

fn ppp(ip: &[u8]) -> Vec<u8> {
    let protocol = if is_six(ip) { [0, 0x57] } else { [0, 0x21] };
    [&protocol[..], ip].concat()
}

fn pppoe(ip: &[u8]) -> Vec<u8> {
    let length = length_u16(ppp(ip).len()).to_be_bytes();
    [&[0x11, 0, 0, 9], &length[..], &ppp(ip)].concat()
}

/// A stack of MPLS labels.
fn labels(count: u8) -> Vec<u8> {
    let bottom = |label| u8::from(label + 1 == count);
    (0..count)
        .flat_map(|label| [0, 0x10 + label, bottom(label), 64])
        .collect()
}

/// A data frame to an access point, with or without quality of service.
fn wireless(has_qos: bool) -> Vec<u8> {
    let mut frame = vec![if has_qos { 0x88 } else { 0x08 }, 0x01, 0, 0];
    for station in 1..=3 {
        frame.extend([2, 0, 0, 0, 0, station]);
    }
    frame.extend([0x10, 0]);
    if has_qos {
        frame.extend([0, 0]);
    }
    frame
}

fn over_ip4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend(length_u16(20 + payload.len()).to_be_bytes());
    packet.extend([
        0x12, 0x34, 0x40, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2,
    ]);
    packet.extend_from_slice(payload);
    ethernet(0x0800, &packet)
}

fn over_ip6(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(length_u16(payload.len()).to_be_bytes());
    packet.extend([protocol, 64]);
    for last in 1..=2 {
        packet.extend([
            0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last,
        ]);
    }
    packet.extend_from_slice(payload);
    ethernet(0x86dd, &packet)
}

fn over_udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let mut datagram = 49_152_u16.to_be_bytes().to_vec();
    datagram.extend(port.to_be_bytes());
    datagram.extend(length_u16(8 + payload.len()).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend_from_slice(payload);
    over_ip4(17, &datagram)
}

/// IPv6 in a UDP datagram, behind an origin indication (RFC 4380); not in [`ALL`], which
/// is around packets of either version.
pub const TEREDO: Wrapping = kind("teredo", 1, "teredo", |ip| {
    over_udp(
        3_544,
        &[&[0, 0, 0xbf, 0xff, 0x3f, 0xff, 0xfd, 0xfe][..], ip].concat(),
    )
});
