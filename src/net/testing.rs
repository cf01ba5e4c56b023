//! A vocabulary for tests: headers written byte by byte, and a network layer that notes its
//! deliveries.

use std::net::IpAddr;

use super::slice::Route;
use super::{
    Arrival, Delivery, Flow, Ignored, Network, NetworkLimits, PacketDecoder, Side, StreamEnd,
};
use crate::capture::{LinkType, Packet};
use crate::time::Timestamp;

pub(super) const CLIENT: [u8; 4] = [10, 0, 0, 1];
pub(super) const SERVER: [u8; 4] = [10, 0, 0, 2];
/// From [`CLIENT`] to [`SERVER`].
pub(super) const ROUTE: Route<'static> = Route::V4 {
    source: &CLIENT,
    destination: &SERVER,
};
pub(super) const UDP: u8 = 17;
pub(super) const TCP: u8 = 6;

/// An IPv4 header with this protocol, and its payload.
pub(super) fn ipv4(source: [u8; 4], destination: [u8; 4], protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_fragment(source, destination, protocol, 0, 0x4000, payload)
}

/// The same with identification, and flags and offset as they are on the wire.
pub(super) fn ipv4_fragment(
    source: [u8; 4],
    destination: [u8; 4],
    protocol: u8,
    identification: u16,
    flags_and_offset: u16,
    payload: &[u8],
) -> Vec<u8> {
    let length = u16::try_from(20 + payload.len()).unwrap();
    let mut packet = vec![0x45, 0];
    packet.extend(length.to_be_bytes());
    packet.extend(identification.to_be_bytes());
    packet.extend(flags_and_offset.to_be_bytes());
    packet.extend([64, protocol, 0, 0]);
    packet.extend(source);
    packet.extend(destination);
    packet.extend(payload);
    packet
}

/// An IPv6 header with this next header, and its payload.
pub(super) fn ipv6(next_header: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    packet.extend([next_header, 64]);
    packet.extend(address6(1));
    packet.extend(address6(2));
    packet.extend(payload);
    packet
}

/// `fd00::last`.
pub(super) fn address6(last: u8) -> [u8; 16] {
    let mut address = [0; 16];
    address[0] = 0xfd;
    address[15] = last;
    address
}

/// A UDP datagram from port 1000 to 2000.
pub(super) fn udp(payload: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::new();
    datagram.extend(1000_u16.to_be_bytes());
    datagram.extend(2000_u16.to_be_bytes());
    datagram.extend(u16::try_from(8 + payload.len()).unwrap().to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(payload);
    datagram
}

pub(super) const FIN: u8 = 0x01;
pub(super) const SYN: u8 = 0x02;
pub(super) const RST: u8 = 0x04;
pub(super) const ACK: u8 = 0x10;

/// A TCP segment.
pub(super) fn tcp(
    (source, destination): (u16, u16),
    (sequence, acknowledgment): (u32, u32),
    flags: u8,
    payload: &[u8],
) -> Vec<u8> {
    let mut segment = Vec::new();
    segment.extend(source.to_be_bytes());
    segment.extend(destination.to_be_bytes());
    segment.extend(sequence.to_be_bytes());
    segment.extend(acknowledgment.to_be_bytes());
    segment.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    segment.extend(payload);
    segment
}

/// A segment of the connection from port 1000 of [`CLIENT`] to 2000 of
/// [`SERVER`], as an IPv4 packet.
pub(super) fn client(numbers: (u32, u32), flags: u8, payload: &[u8]) -> Vec<u8> {
    ipv4(
        CLIENT,
        SERVER,
        TCP,
        &tcp((1000, 2000), numbers, flags, payload),
    )
}

/// The same from the other end.
pub(super) fn server(numbers: (u32, u32), flags: u8, payload: &[u8]) -> Vec<u8> {
    ipv4(
        SERVER,
        CLIENT,
        TCP,
        &tcp((2000, 1000), numbers, flags, payload),
    )
}

/// Behind an Ethernet header with addresses.
pub(super) fn ethernet(ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    frame.extend(ethertype.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A delivery, owned, with the flow's number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Datagram(u32, Side, Vec<u8>, u32),
    Bytes(u32, Side, Vec<u8>, Whole),
    Gap(u32, Side, Option<u64>),
    Cut(u32, Side, u64),
    Ignored(u32, Side, Ignored),
    End(u32, Side, StreamEnd),
}

/// Whether bytes are a whole segment's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    Segment,
    Part,
}

impl Seen {
    pub(super) fn new(flow: u32, delivery: &Delivery<'_>) -> Self {
        match *delivery {
            Delivery::Datagram {
                from,
                payload,
                missing_bytes,
            } => Self::Datagram(flow, from, payload.to_vec(), missing_bytes),
            Delivery::Bytes {
                from,
                bytes,
                whole_segment,
                cut_bytes: _,
            } => {
                let whole = if whole_segment {
                    Whole::Segment
                } else {
                    Whole::Part
                };
                Self::Bytes(flow, from, bytes.to_vec(), whole)
            }
            Delivery::Gap {
                from,
                missing_bytes,
            } => Self::Gap(flow, from, missing_bytes),
            Delivery::Cut {
                from,
                missing_bytes,
            } => Self::Cut(flow, from, missing_bytes),
            Delivery::Ignored { from, what } => Self::Ignored(flow, from, what),
            Delivery::End { from, how } => Self::End(flow, from, how),
        }
    }
}

/// A network layer, a packet counter and a clock.
pub(super) struct Wire {
    pub(super) decoder: PacketDecoder,
    pub(super) network: Network<()>,
    pub(super) link_type: LinkType,
    pub(super) now: Timestamp,
    number: u64,
}

impl Wire {
    pub(super) fn new(link_type: LinkType) -> Self {
        Self::with_limits(link_type, NetworkLimits::default())
    }

    pub(super) fn with_limits(link_type: LinkType, limits: NetworkLimits) -> Self {
        Self {
            decoder: PacketDecoder::new(&limits),
            network: Network::new(limits),
            link_type,
            now: Timestamp::from_parts(1_000, 0),
            number: 0,
        }
    }

    /// The deliveries of a packet that was captured whole.
    pub(super) fn push(&mut self, data: &[u8]) -> Vec<Seen> {
        self.push_cut(data, data.len())
    }

    /// The deliveries of a packet of which only the first `captured` bytes were captured.
    pub(super) fn push_cut(&mut self, data: &[u8], captured: usize) -> Vec<Seen> {
        self.number += 1;
        let packet = Packet {
            number: self.number,
            time: self.now,
            interface: crate::capture::InterfaceId::default(),
            link_type: self.link_type,
            data: &data[..captured],
            original_bytes: u32::try_from(data.len()).unwrap(),
        };
        let mut seen = Vec::new();
        let mut note = |flow: &mut Flow<()>, arrival: Arrival, delivery: Delivery<'_>| {
            assert_eq!(arrival.packet, packet.number);
            seen.push(Seen::new(flow.id.0, &delivery));
            Ok::<(), std::convert::Infallible>(())
        };
        let decoded = self.decoder.decode(&packet);
        let Ok(()) = self.network.push(Arrival::of(&packet), decoded, &mut note);
        seen
    }

    /// The deliveries of the packets, one after the other.
    pub(super) fn push_all(&mut self, packets: &[Vec<u8>]) -> Vec<Seen> {
        packets
            .iter()
            .flat_map(|packet| self.push(packet))
            .collect()
    }

    /// The deliveries at the end of the capture.
    pub(super) fn finish(&mut self) -> Vec<Seen> {
        self.decoder.finish();
        let mut seen = Vec::new();
        let Ok(()) = self.network.finish(&mut |flow, _, delivery| {
            seen.push(Seen::new(flow.id.0, &delivery));
            Ok::<(), std::convert::Infallible>(())
        });
        seen
    }

    pub(super) fn wait_nanos(&mut self, nanos: i64) {
        self.now = self.now.plus_nanos(nanos);
    }
}

/// The bytes of one side, with `?` for each missing byte.
pub(super) fn text_of(seen: &[Seen], side: Side) -> String {
    let mut text = Vec::new();
    for seen in seen {
        match seen {
            Seen::Bytes(_, from, bytes, _) if *from == side => text.extend(bytes),
            Seen::Gap(_, from, Some(missing)) | Seen::Cut(_, from, missing) if *from == side => {
                text.extend(vec![b'?'; usize::try_from(*missing).unwrap()]);
            }
            _ => {}
        }
    }
    String::from_utf8(text).unwrap()
}

/// An address as [`IpAddr`].
pub(super) fn ip_address(address: [u8; 4]) -> IpAddr {
    address.into()
}
