//! The headers between a link and an IP packet: Ethernet, VLAN tags, LLC, MPLS, PPP
//! and its framings.
//!
//! Each header names the next; [`descend`] goes from one to the next. [`Encapsulation`] bounds the
//! depth: every header that can hold itself counts as a wrapper.

use super::Skip;
use super::captured::Captured;
use super::encapsulation::{Encapsulation, Wrapper};

/// The kind of the next bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    /// An IP packet of either version.
    Ip,
    /// An Ethernet frame.
    Ethernet,
    /// The layer of an EtherType, or of a length in its place.
    EtherType(u16),
    /// An LLC header (IEEE 802.2).
    Llc,
    /// A stack of MPLS labels.
    Mpls,
    /// A PPP frame, with or without address and control.
    Ppp,
    /// A PPPoE header.
    PppOe,
}

pub(super) const ETHERTYPE_IPV4: u16 = 0x0800;
pub(super) const ETHERTYPE_IPV6: u16 = 0x86dd;
/// 802.1Q, 802.1ad, and the numbers used for stacked tags before it.
const ETHERTYPES_VLAN: [u16; 4] = [0x8100, 0x88a8, 0x9100, 0x9200];
/// RFC 5332: unicast, and the former multicast.
const ETHERTYPES_MPLS: [u16; 2] = [0x8847, 0x8848];
const ETHERTYPE_PPPOE_SESSION: u16 = 0x8864;
/// LLC in frames that are too long for a length (IEEE 802.1AC).
const ETHERTYPE_JUMBO_LLC: u16 = 0x8870;
/// Ethernet in GRE, Geneve and others (RFC 1701).
const ETHERTYPE_ETHERNET: u16 = 0x6558;
/// PPP in PPTP's GRE (RFC 2637, 4.1).
const ETHERTYPE_PPP: u16 = 0x880b;
/// The highest value of an Ethernet header's last field that is a length (IEEE 802.3, 3.2.6).
const MAX_LENGTH: u16 = 1_500;

/// Goes from header to header until an IP packet begins.
pub(super) fn descend<'a>(
    first: Layer,
    frame: Captured<'a>,
    encapsulation: &mut Encapsulation,
) -> Result<Captured<'a>, Skip> {
    let (mut layer, mut rest) = (first, frame);
    loop {
        (layer, rest) = match layer {
            Layer::Ip => return Ok(rest),
            Layer::Ethernet => {
                let header = rest.header(14)?;
                (Layer::EtherType(be16(header, 12)), rest.after(14))
            }
            Layer::EtherType(ethertype) => behind_ethertype(ethertype, rest, encapsulation)?,
            Layer::Llc => llc(rest)?,
            Layer::Mpls => mpls(rest, encapsulation)?,
            Layer::Ppp => ppp(rest)?,
            Layer::PppOe => pppoe(rest)?,
        };
    }
}

type Next<'a> = Result<(Layer, Captured<'a>), Skip>;

fn behind_ethertype<'a>(
    ethertype: u16,
    rest: Captured<'a>,
    encapsulation: &mut Encapsulation,
) -> Next<'a> {
    let (wrapper, next) = match ethertype {
        ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => return Ok((Layer::Ip, rest)),
        length @ 0..=MAX_LENGTH => {
            encapsulation.enter(Wrapper::Llc)?;
            return Ok((Layer::Llc, rest.first(length.into())));
        }
        tag if ETHERTYPES_VLAN.contains(&tag) => {
            encapsulation.enter(Wrapper::Vlan)?;
            let tag = rest.header(4)?;
            return Ok((Layer::EtherType(be16(tag, 2)), rest.after(4)));
        }
        mpls if ETHERTYPES_MPLS.contains(&mpls) => (Wrapper::Mpls, Layer::Mpls),
        ETHERTYPE_PPPOE_SESSION => (Wrapper::PppOe, Layer::PppOe),
        ETHERTYPE_JUMBO_LLC => (Wrapper::Llc, Layer::Llc),
        ETHERTYPE_ETHERNET => (Wrapper::Ethernet, Layer::Ethernet),
        ETHERTYPE_PPP => (Wrapper::Ppp, Layer::Ppp),
        _ => return Err(Skip::NotIp),
    };
    encapsulation.enter(wrapper)?;
    Ok((next, rest))
}

/// IEEE 802.2, clause 3: DSAP, SSAP and control; then SNAP (IEEE 802, clause 9): the
/// organisation and its protocol number.
fn llc(rest: Captured<'_>) -> Next<'_> {
    /// The address of IP itself (RFC 948), and that of SNAP.
    const SAP_IP: u8 = 0x06;
    const SAP_SNAP: u8 = 0xaa;
    /// Unnumbered information.
    const UI: u8 = 0x03;
    match *rest.header(3)? {
        [SAP_IP, SAP_IP, UI] => Ok((Layer::Ip, rest.after(3))),
        [SAP_SNAP, SAP_SNAP, UI] => {
            let snap = rest.header(8)?;
            match snap[3..6] {
                // RFC 1042, and the bridge-tunnel encapsulation of IEEE 802.1H.
                [0, 0, 0 | 0xf8] => Ok((Layer::EtherType(be16(snap, 6)), rest.after(8))),
                _ => Err(Skip::NotIp),
            }
        }
        _ => Err(Skip::NotIp),
    }
}

/// RFC 3032, 2.1. Labels do not name their payload: an IP packet is known by its first nibble, and
/// a pseudowire by its control word (RFC 4385, 3), which Ethernet may lack.
fn mpls<'a>(stack: Captured<'a>, encapsulation: &mut Encapsulation) -> Next<'a> {
    const LABEL: usize = 4;
    const BOTTOM_OF_STACK: u8 = 0x01;
    let mut rest = stack;
    loop {
        let label = rest.header(LABEL)?;
        rest = rest.after(LABEL);
        if label[2] & BOTTOM_OF_STACK != 0 {
            break;
        }
    }
    match rest.header(1)?[0] >> 4 {
        4 | 6 => Ok((Layer::Ip, rest)),
        nibble => {
            encapsulation.enter(Wrapper::Ethernet)?;
            let control_word = if nibble == 0 && !carries_ip(rest) {
                4
            } else {
                0
            };
            Ok((Layer::Ethernet, rest.after(control_word)))
        }
    }
}

/// Whether this is an Ethernet frame with a payload that we look for.
fn carries_ip(frame: Captured<'_>) -> bool {
    frame.header(14).is_ok_and(|header| {
        let ethertype = be16(header, 12);
        ethertype == ETHERTYPE_IPV4
            || ethertype == ETHERTYPE_IPV6
            || ETHERTYPES_VLAN.contains(&ethertype)
    })
}

/// RFC 1661, 2: the protocol, of one or two bytes; before it address and control
/// (RFC 1662, 3.1), where these are not compressed away.
fn ppp(frame: Captured<'_>) -> Next<'_> {
    let rest = match frame.header(2)? {
        [0xff, 0x03] => frame.after(2),
        _ => frame,
    };
    let first = rest.header(1)?[0];
    // The last byte of a protocol is odd, all before it are even.
    let (protocol, length) = if first & 1 == 1 {
        (u16::from(first), 1)
    } else {
        (be16(rest.header(2)?, 0), 2)
    };
    let layer = match protocol {
        // IPv4 (RFC 1332) and IPv6 (RFC 5072); MPLS, unicast and multicast (RFC 3032, 4.3).
        0x0021 | 0x0057 => Layer::Ip,
        0x0281 | 0x0283 => Layer::Mpls,
        _ => return Err(Skip::NotIp),
    };
    Ok((layer, rest.after(length)))
}

/// RFC 2516, 4: version and type 1, code 0 in a session, session id, length.
fn pppoe(rest: Captured<'_>) -> Next<'_> {
    const HEADER: usize = 6;
    const SESSION_DATA: u8 = 0;
    let header = rest.header(HEADER)?;
    if header[0] != 0x11 || header[1] != SESSION_DATA {
        return Err(Skip::NotIp);
    }
    let length = be16(header, 4);
    Ok((Layer::Ppp, rest.after(HEADER).first(length.into())))
}

#[inline(always)]
pub(super) fn be16(header: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([header[at], header[at + 1]])
}
