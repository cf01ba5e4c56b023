//! Generic Routing Encapsulation, and the mirrored frames of ERSPAN in it.

use super::Skip;
use super::captured::Captured;
use super::encapsulation::{Encapsulation, Wrapper};
use super::layers::{Layer, be16, descend};

/// RFC 2784, 2.1 and RFC 2890, 2: which optional fields there are.
const CHECKSUM: u16 = 0x8000;
/// RFC 1701: with it comes a list of source routes.
const ROUTING: u16 = 0x4000;
const KEY: u16 = 0x2000;
const SEQUENCE: u16 = 0x1000;
/// RFC 2637, 4.1: PPTP's variant only.
const ACKNOWLEDGMENT: u16 = 0x0080;
const VERSION: u16 = 0x0007;
const PPTP: u16 = 1;

/// ERSPAN types I and II, and type III (draft-foschiano-erspan, 4).
const ERSPAN: u16 = 0x88be;
const ERSPAN_3: u16 = 0x22eb;

/// The IP packet in a GRE packet.
///
/// # Errors
/// It cannot be read, or is none.
pub(super) fn open<'a>(
    packet: Captured<'a>,
    encapsulation: &mut Encapsulation,
) -> Result<Captured<'a>, Skip> {
    encapsulation.enter(Wrapper::Gre)?;
    let header = packet.header(4)?;
    let (flags, protocol) = (be16(header, 0), be16(header, 2));
    let rest = packet.after(header_length(flags)?);
    let rest = match flags & ROUTING {
        0 => rest,
        _ => behind_source_routes(rest)?,
    };
    match protocol {
        ERSPAN | ERSPAN_3 => {
            encapsulation.enter(Wrapper::Erspan)?;
            let frame = erspan(protocol, flags, rest)?;
            descend(Layer::Ethernet, frame, encapsulation)
        }
        _ => descend(Layer::EtherType(protocol), rest, encapsulation),
    }
}

fn header_length(flags: u16) -> Result<usize, Skip> {
    let optional = match flags & VERSION {
        // Checksum and offset share a word that either of them brings.
        0 => [flags & (CHECKSUM | ROUTING), flags & KEY, flags & SEQUENCE],
        // The key is always there.
        PPTP => [KEY, flags & SEQUENCE, flags & ACKNOWLEDGMENT],
        _ => return Err(Skip::BadHeader),
    };
    Ok(4 + 4 * optional.iter().filter(|&&flag| flag != 0).count())
}

/// RFC 1701: entries of address family, offset, length and address, the last one of
/// length 0.
fn behind_source_routes(routes: Captured<'_>) -> Result<Captured<'_>, Skip> {
    let mut rest = routes;
    loop {
        let length = usize::from(rest.header(4)?[3]);
        rest = rest.after(4 + length);
        if length == 0 {
            return Ok(rest);
        }
    }
}

/// The mirrored frame behind ERSPAN's own header: type I has none, and no sequence
/// number in GRE either.
fn erspan(protocol: u16, flags: u16, rest: Captured<'_>) -> Result<Captured<'_>, Skip> {
    const TYPE_2: usize = 8;
    const TYPE_3: usize = 12;
    /// Type III: eight bytes about the platform follow.
    const OPTIONAL_SUBHEADER: u16 = 0x0001;
    let length = if protocol == ERSPAN_3 {
        let header = rest.header(TYPE_3)?;
        match be16(header, 10) & OPTIONAL_SUBHEADER {
            0 => TYPE_3,
            _ => TYPE_3 + 8,
        }
    } else if flags & SEQUENCE != 0 {
        TYPE_2
    } else {
        0
    };
    rest.header(length)?;
    Ok(rest.after(length))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{CLIENT, SERVER, UDP, ethernet, ipv4, udp};
    use super::*;

    fn opened(header: &[u8], carried: &[u8]) -> Result<Vec<u8>, Skip> {
        let packet = [header, carried].concat();
        let mut encapsulation = Encapsulation::NONE;
        open(Captured::new(&packet, 0), &mut encapsulation).map(|ip| ip.bytes().to_vec())
    }

    fn ip() -> Vec<u8> {
        ipv4(CLIENT, SERVER, UDP, &udp(b"x"))
    }

    #[test]
    fn every_flag_brings_its_field_in_every_version() {
        for bits in 0..32_u16 {
            let [checksum, routing, key, sequence, acknowledgment] =
                [0, 1, 2, 3, 4].map(|bit| bits >> bit & 1);
            let flags =
                checksum << 15 | routing << 14 | key << 13 | sequence << 12 | acknowledgment << 7;
            for version in 0..8 {
                let words = match version {
                    0 => (checksum | routing) + key + sequence,
                    _ => 1 + sequence + acknowledgment,
                };
                let mut header = (flags | version).to_be_bytes().to_vec();
                header.extend([0x08, 0x00]);
                header.extend(vec![0xee; usize::from(words) * 4]);
                if routing == 1 {
                    // A route of five bytes, and the end of the list.
                    header.extend([0, 2, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0, 0]);
                }
                let expected = match version {
                    0 | 1 => Ok(ip()),
                    _ => Err(Skip::BadHeader),
                };
                assert_eq!(opened(&header, &ip()), expected, "{bits:05b} {version}");
            }
        }
    }

    #[test]
    fn mirrored_frames_lie_behind_each_type_of_header() {
        let frame = ethernet(0x0800, &ip());
        let numbered = |protocol: [u8; 2]| [&[0x10, 0][..], &protocol, &[0, 0, 0, 9]].concat();
        let with_subheader = |flags: u8| [&[0xee; 11][..], &[flags]].concat();
        for (name, header) in [
            ("I", vec![0, 0, 0x88, 0xbe]),
            ("II", [numbered([0x88, 0xbe]), vec![0xee; 8]].concat()),
            (
                "III",
                [numbered([0x22, 0xeb]), with_subheader(0xfe)].concat(),
            ),
            (
                "III with a subheader",
                [numbered([0x22, 0xeb]), with_subheader(0x01), vec![0xee; 8]].concat(),
            ),
        ] {
            assert_eq!(opened(&header, &frame), Ok(ip()), "{name}");
            assert_eq!(opened(&header, &[]), Err(Skip::BadHeader), "{name}");
        }
    }
}
