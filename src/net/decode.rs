//! [`PacketDecoder`]: from packets to whole datagrams and segments.

use super::captured::Captured;
use super::defrag::{Defrag, LostDatagram};
use super::duplicate::Copies;
use super::flow::{FlowKey, Sender};
use super::link::LinkPayload;
use super::network::NetworkLimits;
use super::slice::{self, IpPacket, TransportHeader, Version};
use super::{Arrival, Skip, Transport, link};
use crate::capture::Packet;

/// Reads the headers of packets, tells second copies of a packet from new ones,
/// and puts fragments together. It knows nothing of flows.
#[derive(Debug)]
pub struct PacketDecoder {
    copies: Copies,
    defrag: Defrag,
    /// The flow of the packet that was decoded last.
    key: FlowKey,
}

/// A whole datagram or a segment, and the flow that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    pub(super) key: &'a FlowKey,
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
        let payload = link::strip(packet)?;
        // Apart, so that what is read stays in registers.
        match slice::version(payload.ip)? {
            Version::Four => self.decode_ip(slice::ipv4(payload.ip)?, payload, arrival),
            Version::Six => self.decode_ip(slice::ipv6(payload.ip)?, payload, arrival),
        }
    }

    #[inline(always)]
    fn decode_ip<'a>(
        &'a mut self,
        ip: IpPacket<'a>,
        payload: LinkPayload<'a>,
        arrival: Arrival,
    ) -> Result<Decoded<'a>, Skip> {
        if self.copies.is_copy(payload, arrival.time) {
            return Err(Skip::DuplicateCopy);
        }
        let segment = match ip.upper.fragment {
            None => slice::transport(&ip.upper)?,
            Some(fragment) => slice::transport(&self.defrag.push(ip, fragment, arrival)?)?,
        };
        let transport = match segment.header {
            TransportHeader::Udp => Transport::Udp,
            TransportHeader::Tcp(_) => Transport::Tcp,
        };
        let (key, sender) = FlowKey::new(transport, &ip.route, segment.ports);
        self.key = key;
        Ok(Decoded {
            key: &self.key,
            sender,
            header: segment.header,
            payload: segment.payload,
        })
    }

    /// There are no more packets: gives up the datagrams that wait for fragments.
    pub fn finish(&mut self) {
        self.defrag.finish();
    }

    /// The next datagram that was given up because fragments of it are missing;
    /// to be asked until it says `None` after each packet and after
    /// [`finish`](Self::finish).
    #[inline]
    pub fn next_lost_datagram(&mut self) -> Option<LostDatagram> {
        self.defrag.next_lost()
    }

    /// Datagrams given up so far.
    pub const fn lost_datagram_count(&self) -> u64 {
        self.defrag.lost_count()
    }
}

/// What a [`Decoded`] holds besides its flow's key and the bytes of its payload,
/// for whoever keeps these apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Remainder {
    sender: Sender,
    header: TransportHeader,
    missing_bytes: usize,
}

impl<'a> Decoded<'a> {
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

    /// What was [`split`](Self::split).
    #[inline(always)]
    pub(crate) const fn join(key: &'a FlowKey, payload: &'a [u8], remainder: Remainder) -> Self {
        Self {
            key,
            sender: remainder.sender,
            header: remainder.header,
            payload: Captured::new(payload, remainder.missing_bytes),
        }
    }
}
