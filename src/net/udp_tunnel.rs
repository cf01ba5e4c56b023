//! Tunnels over UDP, found by their ports and held to their headers: a datagram that
//! only happens to use such a port is a datagram.

use super::Skip;
use super::captured::Captured;
use super::encapsulation::{Encapsulation, Wrapper};
use super::layers::{Layer, be16, descend};

/// RFC 7348, 8; and Linux's port before there was a number.
const VXLAN: u16 = 4_789;
const VXLAN_LINUX: u16 = 8_472;
/// draft-ietf-nvo3-vxlan-gpe, 7.
const VXLAN_GPE: u16 = 4_790;
/// RFC 8926, 3.3.
const GENEVE: u16 = 6_081;
/// 3GPP TS 29.281, 4.4.2.3.
const GTP_U: u16 = 2_152;
/// RFC 4380, 2.7.
const TEREDO: u16 = 3_544;

const UDP_HEADER: usize = 8;

/// Whether a UDP datagram's payload begins as that of a tunnel may: VXLAN, Geneve and
/// GTP-U with a byte below 0x40 (or VXLAN with its policy bit, 0x88), Teredo with that
/// or with IPv6's nibble. No type of ministreaming is among them.
#[inline(always)]
pub(super) fn may_begin_with(datagram: Captured<'_>) -> bool {
    match datagram.bytes().get(UDP_HEADER) {
        Some(&first) => first < 0x40 || first >> 4 == 6 || first == VXLAN_FLAG | VXLAN_POLICY,
        None => false,
    }
}

/// The IP packet in a UDP datagram: `None` when it is a datagram like any other.
///
/// # Errors
/// It is a tunnel's, but holds no IP packet, or none that can be read.
#[cold]
pub(super) fn open<'a>(
    datagram: Captured<'a>,
    encapsulation: &mut Encapsulation,
) -> Result<Option<Captured<'a>>, Skip> {
    let Ok(header) = datagram.header(UDP_HEADER) else {
        return Ok(None);
    };
    let ports = [be16(header, 0), be16(header, 2)];
    let datagram = match be16(header, 4) {
        0 => datagram,
        length => datagram.first(length.into()),
    };
    let payload = datagram.after(UDP_HEADER);
    let uses = |port| ports.contains(&port);
    let found = if uses(VXLAN) || uses(VXLAN_LINUX) || uses(VXLAN_GPE) {
        vxlan(payload).map(|next| (Wrapper::Vxlan, next))
    } else if uses(GENEVE) {
        geneve(payload).map(|next| (Wrapper::Geneve, next))
    } else if uses(GTP_U) {
        gtp_u(payload).map(|next| (Wrapper::GtpU, next))
    } else {
        teredo(payload, ports).map(|next| (Wrapper::Teredo, next))
    };
    let Some((wrapper, (layer, rest))) = found else {
        return Ok(None);
    };
    encapsulation.enter(wrapper)?;
    descend(layer, rest, encapsulation).map(Some)
}

type Found<'a> = Option<(Layer, Captured<'a>)>;

/// RFC 7348, 5: the flag that there is a network identifier.
const VXLAN_FLAG: u8 = 0x08;
/// draft-smith-vxlan-group-policy, 2.1: a group id stands in bytes that are otherwise reserved.
const VXLAN_POLICY: u8 = 0x80;

fn vxlan(payload: Captured<'_>) -> Found<'_> {
    const HEADER: usize = 8;
    /// draft-ietf-nvo3-vxlan-gpe, 3.1: the header names the next protocol.
    const NEXT_PROTOCOL: u8 = 0x04;
    let header = payload.header(HEADER).ok()?;
    let rest = payload.after(HEADER);
    let layer = match header[0] & (VXLAN_FLAG | NEXT_PROTOCOL | VXLAN_POLICY) {
        VXLAN_FLAG if header[1..4] == [0; 3] => Layer::Ethernet,
        flags if flags == VXLAN_FLAG | VXLAN_POLICY => Layer::Ethernet,
        flags if flags == VXLAN_FLAG | NEXT_PROTOCOL => match header[3] {
            1 | 2 => Layer::Ip,
            3 => Layer::Ethernet,
            5 => Layer::Mpls,
            _ => return None,
        },
        _ => return None,
    };
    // The last byte is reserved: every sender makes it 0 (RFC 7348, 5).
    (header[7] == 0).then_some((layer, rest))
}

/// RFC 8926, 3.4: version 0, length of the options, flags, protocol, identifier.
fn geneve(payload: Captured<'_>) -> Found<'_> {
    const HEADER: usize = 8;
    /// A packet about the tunnel itself, whose options are its content.
    const CONTROL: u8 = 0x80;
    let header = payload.header(HEADER).ok()?;
    // The last byte is reserved: every sender makes it 0.
    if header[0] >> 6 != 0 || header[1] & CONTROL != 0 || header[7] != 0 {
        return None;
    }
    let options = usize::from(header[0] & 0x3f) * 4;
    let rest = payload.after(HEADER + options);
    match be16(header, 2) {
        // The inner frame is the protocol's own, not one in a wrapper more.
        0x6558 => Some((Layer::Ethernet, rest)),
        ethertype => Some((Layer::EtherType(ethertype), rest)),
    }
}

/// 3GPP TS 29.281, 5.1: version 1, protocol type 1; optional fields, if there is any of
/// them; then extension headers, each of which names the type of the next (5.2.1).
fn gtp_u(payload: Captured<'_>) -> Found<'_> {
    const HEADER: usize = 8;
    const OPTIONAL: usize = 4;
    const VERSION_AND_TYPE: u8 = 0x30;
    const ANY_OPTIONAL: u8 = 0x07;
    const EXTENSION: u8 = 0x04;
    const G_PDU: u8 = 255;
    let header = payload.header(HEADER).ok()?;
    if header[0] & 0xf0 != VERSION_AND_TYPE || header[1] != G_PDU {
        return None;
    }
    let mut rest = payload.after(HEADER).first(be16(header, 2).into());
    if header[0] & ANY_OPTIONAL != 0 {
        let mut next = rest.header(OPTIONAL).ok()?[3];
        rest = rest.after(OPTIONAL);
        if header[0] & EXTENSION == 0 {
            next = 0;
        }
        while next != 0 {
            let length = usize::from(rest.header(1).ok()?[0]) * 4;
            next = *rest.header(length).ok()?.last()?;
            rest = rest.after(length);
        }
    }
    matches!(rest.header(1).ok()?[0] >> 4, 4 | 6).then_some((Layer::Ip, rest))
}

/// RFC 4380, 5.1.1: an authentication header and an origin indication may come first.
/// Two clients talk on ports of their own; their addresses have a prefix of the service (2.14).
fn teredo(payload: Captured<'_>, ports: [u16; 2]) -> Found<'_> {
    let mut rest = payload;
    if let Ok(&[0, 1, id_length, value_length]) = rest.header(4) {
        // A nonce of eight bytes and a confirmation byte follow.
        rest = rest.after(4 + usize::from(id_length) + usize::from(value_length) + 9);
    }
    if let Ok([0, 0]) = rest.header(2) {
        rest = rest.after(8);
    }
    let header = rest.header(40).ok()?;
    let is_whole = usize::from(be16(header, 4)) + 40 == rest.len();
    let has_prefix = [8, 24]
        .iter()
        .any(|&at| header[at..].starts_with(&[0x20, 0x01, 0, 0]));
    (header[0] >> 4 == 6 && is_whole && (ports.contains(&TEREDO) || has_prefix))
        .then_some((Layer::Ip, rest))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{CLIENT, SERVER, UDP, ethernet, ipv4, ipv6, udp};
    use super::*;

    fn opened(ports: [u16; 2], payload: &[u8]) -> Option<Vec<u8>> {
        let mut datagram = ports.map(u16::to_be_bytes).as_flattened().to_vec();
        datagram.extend([0; 4]);
        datagram.extend(payload);
        let mut encapsulation = Encapsulation::NONE;
        let found = open(Captured::new(&datagram, 0), &mut encapsulation).unwrap();
        found.map(|ip| ip.bytes().to_vec())
    }

    #[test]
    fn vxlan_holds_frames_and_with_a_protocol_packets() {
        let ip = ipv4(CLIENT, SERVER, UDP, &udp(b"x"));
        let frame = ethernet(0x0800, &ip);
        for (header, inner, is_tunnel) in [
            ([0x08, 0, 0, 0, 1, 2, 3, 0], &frame, true),
            // With a group, which stands in the bytes that are otherwise 0.
            ([0x88, 0, 0x12, 0x34, 1, 2, 3, 0], &frame, true),
            ([0x08, 0, 0x12, 0x34, 1, 2, 3, 0], &frame, false),
            ([0x0c, 0, 0, 3, 1, 2, 3, 0], &frame, true),
            ([0x0c, 0, 0, 1, 1, 2, 3, 0], &ip, true),
            ([0x0c, 0, 0, 4, 1, 2, 3, 0], &ip, false),
            ([0x00, 0, 0, 0, 1, 2, 3, 0], &frame, false),
            ([0x08, 0, 0, 0, 1, 2, 3, 1], &frame, false),
        ] {
            let expected = is_tunnel.then(|| ip.clone());
            for port in [VXLAN, VXLAN_LINUX, VXLAN_GPE] {
                let payload = [&header[..], inner].concat();
                assert_eq!(opened([9, port], &payload), expected, "{header:02x?}");
            }
        }
    }

    #[test]
    fn teredo_may_begin_with_an_authentication_and_an_origin() {
        let ip = ipv6(UDP, &udp(b"x"));
        let origin = [0, 0, 1, 2, 3, 4, 5, 6];
        for id_length in 0..5_u8 {
            for value_length in 0..5_u8 {
                let mut authentication = vec![0, 1, id_length, value_length];
                let more = usize::from(id_length) + usize::from(value_length) + 9;
                authentication.extend(vec![0xee; more]);
                for payload in [
                    [&authentication[..], &ip].concat(),
                    [&authentication[..], &origin, &ip].concat(),
                    [&origin[..], &ip].concat(),
                    ip.clone(),
                ] {
                    assert_eq!(opened([TEREDO, 9], &payload), Some(ip.clone()));
                    assert_eq!(opened([9, TEREDO], &payload), Some(ip.clone()));
                    assert_eq!(opened([9, 9], &payload), None, "another port");
                }
            }
        }
    }

    #[test]
    fn teredo_holds_one_whole_packet_of_ipv6() {
        let ip = ipv6(UDP, &udp(b"x"));
        assert_eq!(opened([TEREDO, 9], &[&ip[..], &[0]].concat()), None);
        assert_eq!(opened([TEREDO, 9], &ip[..ip.len() - 1]), None);
        for nibble in (0..16).filter(|nibble| *nibble != 6) {
            let mut other = ip.clone();
            other[0] = nibble << 4 | 1;
            assert_eq!(opened([TEREDO, 9], &other), None, "{nibble}");
        }
        // Between clients, whose ports are any, it is the prefix of an address.
        for at in [8, 24] {
            let mut between = ip.clone();
            between[at..at + 4].copy_from_slice(&[0x20, 0x01, 0, 0]);
            assert_eq!(opened([9, 9], &between), Some(between.clone()));
            between[at + 3] = 1;
            assert_eq!(opened([9, 9], &between), None);
        }
    }
}
