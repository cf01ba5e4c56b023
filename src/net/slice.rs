//! IP and transport headers, read in place.

use std::net::IpAddr;

use etherparse::{
    IpAuthHeaderSlice, IpNumber, Ipv4Header, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6Header,
    Ipv6HeaderSlice, Ipv6RawExtHeaderSlice, TcpHeader as FullTcpHeader, TcpHeaderSlice, UdpHeader,
    UdpHeaderSlice, ip_number,
};

use super::Skip;
use super::captured::Captured;

/// The longest chain of extension headers that is followed.
const MAX_EXTENSIONS: usize = 16;

/// Ethernet in IP (RFC 3378).
pub(super) const ETHERIP: IpNumber = IpNumber(97);

/// An IP packet or fragment without its headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IpPacket<'a> {
    pub(super) route: Route<'a>,
    pub(super) mark: Mark,
    pub(super) upper: Upper<'a>,
}

/// The properties that distinguish copies of a packet from each other, or from a packet that is
/// sent anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// IPv4's identification; 0 where the sender does not number its packets.
    pub(super) identification: u16,
    /// Time to live, or hop limit: changed by routers.
    pub(super) hops_left: u8,
}

/// Source and destination, as they stand in the header: most packets need them
/// only to find their flow, and references stay in registers until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    V4 {
        source: &'a [u8; 4],
        destination: &'a [u8; 4],
    },
    V6 {
        source: &'a [u8; 16],
        destination: &'a [u8; 16],
    },
}

impl Route<'_> {
    pub(super) fn source(&self) -> IpAddr {
        match *self {
            Self::V4 { source, .. } => IpAddr::from(*source),
            Self::V6 { source, .. } => IpAddr::from(*source),
        }
    }

    pub(super) fn destination(&self) -> IpAddr {
        match *self {
            Self::V4 { destination, .. } => IpAddr::from(*destination),
            Self::V6 { destination, .. } => IpAddr::from(*destination),
        }
    }
}

/// The bytes behind the IP header and those extension headers that could be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Upper<'a> {
    pub(super) protocol: IpNumber,
    pub(super) payload: Captured<'a>,
    pub(super) fragment: Option<Fragment>,
}

/// The place of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragment {
    /// Names the datagram, with its addresses (and in IPv4 its protocol).
    pub(super) identification: u32,
    /// Its offset in the datagram's payload, in bytes.
    pub(super) offset: u16,
    /// Whether others follow.
    pub(super) more: bool,
}

/// A UDP datagram or TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment<'a> {
    /// Ports of source and destination.
    pub(super) ports: (u16, u16),
    pub(super) header: TransportHeader,
    pub(super) payload: Captured<'a>,
}

/// Other fields of the transport header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TransportHeader {
    Udp,
    Tcp(TcpHeader),
}

/// The parts of a TCP header that reassembly needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TcpHeader {
    pub(super) sequence: u32,
    /// The acknowledgment number, if the ACK flag says that it is one.
    pub(super) acknowledgment: Option<u32>,
    pub(super) syn: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
}

/// The version in the first byte of an IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Four,
    Six,
}

/// Reads the header of an IP packet of either version.
pub(super) fn ip(packet: Captured<'_>) -> Result<IpPacket<'_>, Skip> {
    match version(packet)? {
        Version::Four => ipv4(packet),
        Version::Six => ipv6(packet),
    }
}

/// Returns the version of an IP packet.
pub(super) fn version(packet: Captured<'_>) -> Result<Version, Skip> {
    match packet.header(1)?[0] >> 4 {
        4 => Ok(Version::Four),
        6 => Ok(Version::Six),
        _ => Err(Skip::BadHeader),
    }
}

/// Reads the header of an IPv4 packet.
pub(super) fn ipv4(packet: Captured<'_>) -> Result<IpPacket<'_>, Skip> {
    let header_length = usize::from(packet.header(Ipv4Header::MIN_LEN)?[0] & 0xf) * 4;
    let header =
        Ipv4HeaderSlice::from_slice(packet.header(header_length)?).map_err(|_| Skip::BadHeader)?;
    let packet = match usize::from(header.total_len()) {
        // Segmentation offload: the card fills the length in, after the capture.
        0 => packet,
        length if length < header_length => return Err(Skip::BadHeader),
        length => packet.of_length(length),
    };
    let payload = packet.after(header_length);
    let upper = if header.is_fragmenting_payload() {
        Upper {
            protocol: header.protocol(),
            payload,
            fragment: Some(Fragment {
                identification: header.identification().into(),
                offset: header.fragments_offset().byte_offset(),
                more: header.more_fragments(),
            }),
        }
    } else {
        upper(header.protocol(), payload)?
    };
    Ok(IpPacket {
        route: Route::V4 {
            source: array(header.slice(), 12).ok_or(Skip::BadHeader)?,
            destination: array(header.slice(), 16).ok_or(Skip::BadHeader)?,
        },
        mark: Mark {
            identification: header.identification(),
            hops_left: header.ttl(),
        },
        upper,
    })
}

/// Reads the headers of an IPv6 packet.
pub(super) fn ipv6(packet: Captured<'_>) -> Result<IpPacket<'_>, Skip> {
    let header = Ipv6HeaderSlice::from_slice(packet.header(Ipv6Header::LEN)?)
        .map_err(|_| Skip::BadHeader)?;
    let payload = packet.after(Ipv6Header::LEN);
    let payload = match usize::from(header.payload_length()) {
        // A jumbogram (RFC 2675), or segmentation offload.
        0 => payload,
        length => payload.of_length(length),
    };
    Ok(IpPacket {
        route: Route::V6 {
            source: array(header.slice(), 8).ok_or(Skip::BadHeader)?,
            destination: array(header.slice(), 24).ok_or(Skip::BadHeader)?,
        },
        mark: Mark {
            identification: 0,
            hops_left: header.hop_limit(),
        },
        upper: upper(header.next_header(), payload)?,
    })
}

/// The `N` bytes of a header from `offset` on.
#[inline(always)]
pub(super) fn array<const N: usize>(header: &[u8], offset: usize) -> Option<&[u8; N]> {
    header.get(offset..)?.first_chunk()
}

/// Follows extension headers to a transport header or to a fragment.
pub(super) fn upper(protocol: IpNumber, payload: Captured<'_>) -> Result<Upper<'_>, Skip> {
    match protocol {
        ip_number::UDP | ip_number::TCP => Ok(Upper {
            protocol,
            payload,
            fragment: None,
        }),
        _ => {
            let extensions = extensions(protocol, payload)?;
            Ok(Upper {
                protocol: extensions.protocol,
                payload: payload.after(extensions.length),
                fragment: extensions.fragment,
            })
        }
    }
}

/// A chain of extension headers.
struct Extensions {
    /// The next protocol.
    protocol: IpNumber,
    /// Their length together, in bytes.
    length: usize,
    /// Set if the next header is of a fragment.
    fragment: Option<Fragment>,
}

fn extensions(first: IpNumber, packet: Captured<'_>) -> Result<Extensions, Skip> {
    let mut chain = Extensions {
        protocol: first,
        length: 0,
        fragment: None,
    };
    for _ in 0..MAX_EXTENSIONS {
        let rest = packet.after(chain.length);
        match chain.protocol {
            ip_number::IPV6_HOP_BY_HOP
            | ip_number::IPV6_ROUTE
            | ip_number::IPV6_DEST_OPTIONS
            | ip_number::MOBILITY
            | ip_number::HIP
            | ip_number::SHIM6 => {
                // In units of eight bytes, without the first eight (RFC 8200, 4.3).
                let length = (usize::from(rest.header(8)?[1]) + 1) * 8;
                let header = Ipv6RawExtHeaderSlice::from_slice(rest.header(length)?)
                    .map_err(|_| Skip::BadHeader)?;
                chain.protocol = header.next_header();
                chain.length += length;
            }
            ip_number::AUTH => {
                // In units of four bytes, less two (RFC 4302, 2.2).
                let length = (usize::from(rest.header(12)?[1]) + 2) * 4;
                let header = IpAuthHeaderSlice::from_slice(rest.header(length)?)
                    .map_err(|_| Skip::BadHeader)?;
                chain.protocol = header.next_header();
                chain.length += length;
            }
            ip_number::IPV6_FRAG => {
                let header = Ipv6FragmentHeaderSlice::from_slice(rest.header(8)?)
                    .map_err(|_| Skip::BadHeader)?;
                chain.protocol = header.next_header();
                chain.length += 8;
                // An atomic fragment is a whole datagram (RFC 6946).
                if header.is_fragmenting_payload() {
                    chain.fragment = Some(Fragment {
                        identification: header.identification(),
                        offset: header.fragment_offset().byte_offset(),
                        more: header.more_fragments(),
                    });
                    return Ok(chain);
                }
            }
            ip_number::TCP | ip_number::UDP => return Ok(chain),
            other if wraps(other) => return Ok(chain),
            _ => return Err(Skip::NotTransport),
        }
    }
    Err(Skip::BadHeader)
}

/// Whether packets with this protocol number may hold others.
fn wraps(protocol: IpNumber) -> bool {
    matches!(
        protocol,
        ip_number::IPV4 | ip_number::IPV6 | ip_number::GRE | ETHERIP | ip_number::MPLS_IN_IP
    )
}

/// Reads the transport header of a whole datagram.
pub(super) fn transport<'a>(upper: &Upper<'a>) -> Result<Segment<'a>, Skip> {
    match upper.protocol {
        ip_number::UDP => udp(upper.payload),
        ip_number::TCP => tcp(upper.payload),
        _ => Err(Skip::NotTransport),
    }
}

fn udp(datagram: Captured<'_>) -> Result<Segment<'_>, Skip> {
    let header = UdpHeaderSlice::from_slice(datagram.header(UdpHeader::LEN)?)
        .map_err(|_| Skip::BadHeader)?;
    let datagram = match usize::from(header.length()) {
        // A jumbogram (RFC 2675), or segmentation offload.
        0 => datagram,
        // The receiver drops these too.
        length if length < UdpHeader::LEN || length > datagram.len() => {
            return Err(Skip::BadHeader);
        }
        length => datagram.first(length),
    };
    Ok(Segment {
        ports: (header.source_port(), header.destination_port()),
        header: TransportHeader::Udp,
        payload: datagram.after(UdpHeader::LEN),
    })
}

fn tcp(segment: Captured<'_>) -> Result<Segment<'_>, Skip> {
    let length = usize::from(segment.header(FullTcpHeader::MIN_LEN)?[12] >> 4) * 4;
    let header =
        TcpHeaderSlice::from_slice(segment.header(length)?).map_err(|_| Skip::BadHeader)?;
    Ok(Segment {
        ports: (header.source_port(), header.destination_port()),
        header: TransportHeader::Tcp(TcpHeader {
            sequence: header.sequence_number(),
            acknowledgment: header.ack().then(|| header.acknowledgment_number()),
            syn: header.syn(),
            fin: header.fin(),
            rst: header.rst(),
        }),
        payload: segment.after(length),
    })
}

#[cfg(test)]
mod tests;
