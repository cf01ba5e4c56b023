//! [`PacketDecoder`]: from packets to whole datagrams and segments.

use super::captured::Captured;
use super::defrag::{Defrag, LostDatagram};
use super::duplicate::{Copies, CopyCounts, Sighting};
use super::encapsulation::Encapsulation;
use super::flow_key::{FlowKey, Sender};
use super::limits::NetworkLimits;
use super::slice::{self, IpPacket, TransportHeader};
use super::{Arrival, Skip, Transport, link, plain, tunnel};
use crate::capture::Packet;
use crate::time::Timestamp;

/// Reads the headers of packets, distinguishes second copies of a packet from new ones,
/// and puts fragments together. It knows nothing of flows.
#[derive(Debug)]
pub struct PacketDecoder {
    copies: Copies,
    defrag: Defrag,
    /// Of packets within others.
    inner_defrag: Defrag,
    /// The flow of the packet that was decoded last.
    key: FlowKey,
}

/// A whole datagram or a segment, and the flow that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    pub(super) key: &'a FlowKey,
    /// Its encapsulation.
    pub(crate) encapsulation: Encapsulation,
    pub(super) sender: Sender,
    pub(super) header: TransportHeader,
    pub(super) payload: Captured<'a>,
}

impl Decoded<'_> {
    /// Bytes at its end that were on the link and were not captured.
    pub const fn missing_bytes(&self) -> usize {
        self.payload.missing()
    }
}

impl PacketDecoder {
    /// A decoder that has seen nothing.
    pub fn new(limits: &NetworkLimits) -> Self {
        Self {
            copies: Copies::new(),
            defrag: Defrag::new(limits),
            inner_defrag: Defrag::new(limits),
            key: FlowKey::default(),
        }
    }

    /// Decodes the next packet.
    ///
    /// # Errors
    /// Why the packet delivers nothing, now or at all.
    #[inline(always)]
    pub fn decode<'a>(&'a mut self, packet: &Packet<'a>) -> Result<Decoded<'a>, Skip> {
        let arrival = Arrival::of(packet);
        self.defrag.expire(arrival);
        // Two calls of `recognise`: joined before it, both ways would have to leave what they read in
        // memory.
        match plain::read(packet) {
            Some(sighting) => {
                let Self { copies, key, .. } = self;
                recognise(copies, key, sighting, Encapsulation::NONE, arrival.time)
            }
            None => self.decode_unusual(packet, arrival),
        }
    }

    #[inline(never)]
    fn decode_unusual<'a>(
        &'a mut self,
        packet: &Packet<'a>,
        arrival: Arrival,
    ) -> Result<Decoded<'a>, Skip> {
        let Self {
            copies,
            defrag,
            inner_defrag,
            key,
        } = self;
        let (sighting, encapsulation) = follow(packet, defrag, inner_defrag)?;
        recognise(copies, key, sighting, encapsulation, arrival.time)
    }

    /// There are no more packets: gives up the datagrams that wait for fragments.
    pub fn finish(&mut self) {
        self.defrag.finish();
        self.inner_defrag.finish();
    }

    /// The next datagram that was given up because fragments of it are missing;
    /// to be asked until it says `None` after each packet and after
    /// [`finish`](Self::finish).
    #[inline]
    pub fn next_lost_datagram(&mut self) -> Option<LostDatagram> {
        if !self.defrag.has_lost() && !self.inner_defrag.has_lost() {
            return None;
        }
        self.defrag
            .next_lost()
            .or_else(|| self.inner_defrag.next_lost())
    }

    /// The second copies that were left out so far.
    pub const fn copies(&self) -> &CopyCounts {
        self.copies.counts()
    }

    /// Datagrams given up so far.
    pub const fn lost_datagram_count(&self) -> u64 {
        self.defrag.lost_count() + self.inner_defrag.lost_count()
    }
}

/// Classifies a datagram or segment, unless it is a second copy.
#[inline(always)]
fn recognise<'a>(
    copies: &mut Copies,
    key: &'a mut FlowKey,
    sighting: Sighting<'a>,
    encapsulation: Encapsulation,
    time: Timestamp,
) -> Result<Decoded<'a>, Skip> {
    if copies.is_copy(&sighting, time) {
        return Err(Skip::DuplicateCopy);
    }
    let Sighting { route, segment, .. } = sighting;
    let transport = match segment.header {
        TransportHeader::Udp => Transport::Udp,
        TransportHeader::Tcp(_) => Transport::Tcp,
    };
    let (found, sender) = FlowKey::new(transport, &route, segment.ports);
    *key = found;
    Ok(Decoded {
        key,
        encapsulation,
        sender,
        header: segment.header,
        payload: segment.payload,
    })
}

/// Follows the headers of a packet from one to the next, whatever they are.
fn follow<'a>(
    packet: &Packet<'a>,
    defrag: &'a mut Defrag,
    inner_defrag: &'a mut Defrag,
) -> Result<(Sighting<'a>, Encapsulation), Skip> {
    let arrival = Arrival::of(packet);
    let payload = link::strip(packet)?;
    let ip = slice::ip(payload.ip)?;
    let IpPacket { route, mark, upper } = ip;
    let upper = match upper.fragment {
        None => upper,
        Some(fragment) => defrag.push(ip, fragment, arrival)?,
    };
    let whole = IpPacket { route, mark, upper };
    let (IpPacket { route, mark, upper }, encapsulation) = if tunnel::may_hold_packet(&whole.upper)
    {
        unwrap(whole, payload.encapsulation, inner_defrag, arrival)?
    } else {
        (whole, payload.encapsulation)
    };
    let sighting = Sighting {
        route,
        mark,
        segment: slice::transport(&upper)?,
        interface: packet.interface,
        tap: payload.tap,
        surroundings: payload.stations ^ encapsulation.number(),
    };
    Ok((sighting, encapsulation))
}

/// Follows tunnels to the innermost packet; puts the fragments of one within them together.
#[cold]
fn unwrap<'a>(
    outer: IpPacket<'a>,
    mut encapsulation: Encapsulation,
    defrag: &'a mut Defrag,
    arrival: Arrival,
) -> Result<(IpPacket<'a>, Encapsulation), Skip> {
    let Some(within) = tunnel::open(&outer.route, &outer.upper, &mut encapsulation)? else {
        return Ok((outer, encapsulation));
    };
    defrag.expire(arrival);
    let ip = tunnel::innermost(within, &mut encapsulation)?;
    let Some(fragment) = ip.upper.fragment else {
        return Ok((ip, encapsulation));
    };
    let IpPacket { route, mark, .. } = ip;
    let upper = defrag.push(ip, fragment, arrival)?;
    let ip = IpPacket { route, mark, upper };
    match tunnel::open(&ip.route, &ip.upper, &mut encapsulation)? {
        None => Ok((ip, encapsulation)),
        Some(within) => match tunnel::innermost(within, &mut encapsulation)? {
            ip if ip.upper.fragment.is_some() => Err(Skip::Nesting),
            ip => Ok((ip, encapsulation)),
        },
    }
}

/// The parts of a [`Decoded`] besides its flow's key, its encapsulation and its payload's bytes,
/// for callers that keep these apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Remainder {
    sender: Sender,
    header: TransportHeader,
    missing_bytes: usize,
}

impl<'a> Decoded<'a> {
    /// The payload, as far as it was captured.
    #[inline]
    pub(crate) const fn payload(&self) -> &'a [u8] {
        self.payload.bytes()
    }

    /// Takes it apart: key, payload, and the rest.
    #[inline(always)]
    pub(crate) const fn split(self) -> (&'a FlowKey, &'a [u8], Remainder) {
        let remainder = Remainder {
            sender: self.sender,
            header: self.header,
            missing_bytes: self.payload.missing(),
        };
        (self.key, self.payload.bytes(), remainder)
    }

    /// Joins the parts that were [`split`](Self::split).
    #[inline(always)]
    pub(crate) const fn join(
        key: &'a FlowKey,
        payload: &'a [u8],
        remainder: Remainder,
        encapsulation: Encapsulation,
    ) -> Self {
        Self {
            key,
            encapsulation,
            sender: remainder.sender,
            header: remainder.header,
            payload: Captured::new(payload, remainder.missing_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{ACK, CLIENT, SERVER, SYN, TCP, UDP, ipv4, ipv6, tcp, udp};
    use super::*;
    use crate::capture::{InterfaceId, LinkType};

    /// Frames that are read at one go.
    fn plain_frames() -> Vec<Vec<u8>> {
        let stations = [[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2], [0; 12]];
        let segment = tcp((1000, 2000), (7, 9), SYN | ACK, b"\xa1abc");
        let bodies = [(UDP, udp(b"\xa1abc")), (TCP, segment)];
        let packets = bodies.iter().flat_map(|(protocol, body)| {
            let four = ipv4(CLIENT, SERVER, *protocol, body);
            let six = ipv6(*protocol, body);
            [([0x08, 0x00], four), ([0x86, 0xdd], six)]
        });
        packets
            .flat_map(|(ethertype, packet)| {
                stations.map(|stations| [&stations[..], &ethertype, &packet].concat())
            })
            .collect()
    }

    /// Whether a frame is read at one go; checks that it is read then as it is otherwise.
    fn is_plain(frame: &[u8], captured: usize) -> bool {
        let packet = Packet {
            number: 1,
            time: Timestamp::default(),
            interface: InterfaceId::default(),
            link_type: LinkType::Ethernet,
            data: &frame[..captured],
            original_bytes: u32::try_from(frame.len()).unwrap(),
        };
        let Some(sighting) = plain::read(&packet) else {
            return false;
        };
        let limits = NetworkLimits::default();
        let (mut defrag, mut inner) = (Defrag::new(&limits), Defrag::new(&limits));
        let followed = follow(&packet, &mut defrag, &mut inner);
        assert_eq!(
            followed,
            Ok((sighting, Encapsulation::NONE)),
            "{frame:02x?}"
        );
        true
    }

    #[test]
    fn what_is_read_at_one_go_is_read_as_header_after_header() {
        for frame in plain_frames() {
            assert!(is_plain(&frame, frame.len()));
            let padded = [&frame[..], &[0; 9]].concat();
            assert!(is_plain(&padded, padded.len()));
            for captured in 0..frame.len() {
                assert!(!is_plain(&frame, captured), "a cut one is none");
            }
            for shorter in 0..frame.len() {
                assert!(!is_plain(&frame[..shorter], shorter));
            }
            for place in 0..frame.len() {
                for value in 0..=u8::MAX {
                    let mut damaged = padded.clone();
                    damaged[place] = value;
                    is_plain(&damaged, damaged.len());
                    is_plain(&damaged[..frame.len()], frame.len());
                }
            }
        }
    }

    proptest! {
        #[test]
        fn so_it_is_with_any_damage(
            which in 0_usize..8,
            damage in prop::collection::vec((0_usize..90, any::<u8>()), 0..6),
            rest in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut frame = [&plain_frames()[which][..], &rest].concat();
            for (place, value) in damage {
                if let Some(byte) = frame.get_mut(place) {
                    *byte = value;
                }
            }
            is_plain(&frame, frame.len());
        }
    }
}
