//! IP packets within IP packets: the tunnels that run over IP and UDP.

use etherparse::ip_number;

use super::Skip;
use super::captured::Captured;
use super::encapsulation::{Encapsulation, Wrapper};
use super::gre;
use super::layers::{Layer, descend};
use super::slice::{self, ETHERIP, IpPacket, Route, Upper};
use super::udp_tunnel;

/// Whether [`open`] has to be asked: cheap, for it is asked of every packet.
#[inline(always)]
pub(super) fn may_hold_packet(upper: &Upper<'_>) -> bool {
    match upper.protocol {
        ip_number::TCP => false,
        ip_number::UDP => udp_tunnel::may_begin_with(upper.payload),
        _ => true,
    }
}

/// The IP packet that an IP packet holds: `None` when it holds none.
///
/// # Errors
/// Why the packet within cannot be read, when it is certain that there is one.
pub(super) fn open<'a>(
    route: &Route<'_>,
    upper: &Upper<'a>,
    encapsulation: &mut Encapsulation,
) -> Result<Option<Captured<'a>>, Skip> {
    let (wrapper, layer, rest) = match (upper.protocol, route) {
        (ip_number::UDP, _) => return udp_tunnel::open(upper.payload, encapsulation),
        (ip_number::IPV4, Route::V4 { .. }) => (Wrapper::IpIp, Layer::Ip, upper.payload),
        (ip_number::IPV6, Route::V4 { .. }) => (Wrapper::SixInFour, Layer::Ip, upper.payload),
        (ip_number::IPV4, Route::V6 { .. }) => (Wrapper::FourInSix, Layer::Ip, upper.payload),
        (ip_number::IPV6, Route::V6 { .. }) => (Wrapper::SixInSix, Layer::Ip, upper.payload),
        (ip_number::GRE, _) => return gre::open(upper.payload, encapsulation).map(Some),
        (ip_number::MPLS_IN_IP, _) => (Wrapper::Mpls, Layer::Mpls, upper.payload),
        (ETHERIP, _) => (Wrapper::EtherIp, Layer::Ethernet, etherip(upper.payload)?),
        _ => return Ok(None),
    };
    encapsulation.enter(wrapper)?;
    descend(layer, rest, encapsulation).map(Some)
}

/// RFC 3378, 3: version 3, and twelve bits that are zero.
fn etherip(payload: Captured<'_>) -> Result<Captured<'_>, Skip> {
    match payload.header(2)? {
        [0x30, 0x00] => Ok(payload.after(2)),
        _ => Err(Skip::NotIp),
    }
}

/// Follows tunnels inwards, to the innermost IP packet or to a fragment.
pub(super) fn innermost<'a>(
    packet: Captured<'a>,
    encapsulation: &mut Encapsulation,
) -> Result<IpPacket<'a>, Skip> {
    let mut packet = packet;
    loop {
        let ip = slice::ip(packet)?;
        if ip.upper.fragment.is_some() || !may_hold_packet(&ip.upper) {
            return Ok(ip);
        }
        match open(&ip.route, &ip.upper, encapsulation)? {
            Some(inner) => packet = inner,
            None => return Ok(ip),
        }
    }
}
