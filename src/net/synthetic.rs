//! Packets made up around payloads: IP headers and all else that a reader of captures needs, with
//! right lengths and checksums.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use etherparse::{IpHeaders, Ipv4Header, Ipv6FlowLabel, Ipv6Header, PacketBuilder, TcpHeader};

use super::Side;

/// Most payload bytes in one segment: IPv4's largest packet, less the headers.
pub const MAX_SEGMENT_BYTES: usize = 65_535 - 20 - 20;

const TIME_TO_LIVE: u8 = 64;
const WINDOW: u16 = u16::MAX;

/// Replaces `packet` with an IP packet that holds a UDP datagram. The payload is one
/// that a datagram between such addresses can carry.
///
/// `number` counts the packets that are made. IPv4's identification comes from it and is
/// never 0, so that equal datagrams are not taken for copies of one packet.
pub fn make_datagram(
    from: SocketAddr,
    to: SocketAddr,
    number: u64,
    payload: &[u8],
    packet: &mut Vec<u8>,
) {
    packet.clear();
    let identification = u16::try_from(number % u64::from(u16::MAX) + 1).unwrap_or(1);
    let udp = PacketBuilder::ip(ip_header(from, to, identification)).udp(from.port(), to.port());
    written(udp.write(packet, payload));
}

/// The purpose of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment<'a> {
    /// Opens a side's direction.
    Syn,
    /// Only acknowledges.
    Ack,
    /// Carries bytes, at most [`MAX_SEGMENT_BYTES`].
    Data(&'a [u8]),
    /// Ends a side's direction.
    Fin,
}

/// A TCP connection of which nothing is lost and nothing comes twice.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Address of each side, by [`Side::index`].
    ends: [SocketAddr; 2],
    /// The next sequence number of each side.
    next: [u32; 2],
}

impl Connection {
    /// A connection between these, as if each had chosen this sequence number. One
    /// that takes the ports of another needs one of its own.
    pub const fn new(initiator: SocketAddr, responder: SocketAddr, first_sequence: u32) -> Self {
        Self {
            ends: [initiator, responder],
            next: [first_sequence; 2],
        }
    }

    /// The segments of the handshake, with the sender of each.
    pub const HANDSHAKE: [(Side, Segment<'static>); 3] = [
        (Side::Initiator, Segment::Syn),
        (Side::Responder, Segment::Syn),
        (Side::Initiator, Segment::Ack),
    ];

    /// Replaces `packet` with an IP packet that holds the next segment of a side.
    pub fn make_segment(&mut self, from: Side, segment: Segment<'_>, packet: &mut Vec<u8>) {
        let (sender, receiver) = (self.ends[from.index()], self.ends[from.opposite().index()]);
        let sequence = self.next[from.index()];
        let mut tcp = TcpHeader::new(sender.port(), receiver.port(), sequence, WINDOW);
        let (payload, counted) = match segment {
            Segment::Syn => (&[][..], 1),
            Segment::Ack => (&[][..], 0),
            Segment::Data(bytes) => (bytes, u32::try_from(bytes.len()).unwrap_or(u32::MAX)),
            Segment::Fin => (&[][..], 1),
        };
        tcp.syn = segment == Segment::Syn;
        tcp.fin = segment == Segment::Fin;
        tcp.psh = matches!(segment, Segment::Data(_));
        // Only the very first segment acknowledges nothing.
        tcp.ack = !(tcp.syn && from == Side::Initiator);
        if tcp.ack {
            tcp.acknowledgment_number = self.next[from.opposite().index()];
        }
        self.next[from.index()] = sequence.wrapping_add(counted);
        packet.clear();
        let tcp = PacketBuilder::ip(ip_header(sender, receiver, 0)).tcp_header(tcp);
        written(tcp.write(packet, payload));
    }
}

/// An IP header whose lengths and checksums are filled in when it is written.
fn ip_header(from: SocketAddr, to: SocketAddr, identification: u16) -> IpHeaders {
    match (from.ip(), to.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => IpHeaders::Ipv4(
            Ipv4Header {
                identification,
                time_to_live: TIME_TO_LIVE,
                source: source.octets(),
                destination: destination.octets(),
                ..Ipv4Header::default()
            },
            etherparse::Ipv4Extensions::default(),
        ),
        (source, destination) => IpHeaders::Ipv6(
            Ipv6Header {
                flow_label: Ipv6FlowLabel::ZERO,
                hop_limit: TIME_TO_LIVE,
                source: ipv6(source).octets(),
                destination: ipv6(destination).octets(),
                ..Ipv6Header::default()
            },
            etherparse::Ipv6Extensions::default(),
        ),
    }
}

fn ipv6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

fn written(result: Result<(), etherparse::err::packet::BuildWriteError>) {
    result.expect("a vector takes everything, and segments and datagrams fit into a packet");
}
