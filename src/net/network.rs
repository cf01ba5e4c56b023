//! [`Network`]: decoded packets in, datagrams and stream bytes out.

use std::collections::VecDeque;

use super::captured::Captured;
use super::connection::{Claim, Connection, Opening};
use super::decode::Decoded;
use super::flow::{Entry, FlowTable, Kind, NewFlow, Slot};
use super::flow_key::{FlowKey, Sender};
use super::limits::NetworkLimits;
use super::reassembly::{Pool, StreamCounts};
use super::slice::{TcpHeader, TransportHeader};
use super::{Arrival, Delivery, Flow, Side, Skip, StreamEnd};

/// Connections closed last whose late segments are not taken for new connections.
const CLOSED_CONNECTIONS: usize = 1_024;

/// Bytes that a UDP flow is reckoned to take, with its channel.
pub(super) const UDP_FLOW_BYTES: usize = 280;

/// Bytes that a TCP connection is reckoned to take, with its decoders and its channel.
pub(super) const TCP_FLOW_BYTES: usize = 560;

/// The slot at which a flow is expected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlowPlace(Slot);

/// The hash and sender by which the flow of a packet is looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlowSight {
    hash: u32,
    sender: Sender,
    is_tcp: bool,
}

impl FlowSight {
    pub(crate) const fn is_tcp(self) -> bool {
        self.is_tcp
    }
}

/// The result of [`Network::glance`].
#[derive(Debug)]
pub(crate) struct Glance<'a, S> {
    pub(crate) flow: &'a Flow<S>,
    pub(crate) from: Side,
    pub(crate) touched: u64,
}

/// Counts of a [`Network`]. Every packet is a datagram, a segment, or skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkCounts {
    /// Packets pushed.
    pub packets: u64,
    /// UDP datagrams delivered.
    pub datagrams: u64,
    /// TCP segments taken, with or without data.
    pub segments: u64,
    /// Datagrams and segments of which the snap length cut a part.
    pub cut: u64,
    /// Flows so far.
    pub flows: u64,
    /// Flows forgotten for want of memory.
    pub evicted_flows: u64,
    /// The packet for which the first of these was forgotten.
    pub evicted_since: Option<Arrival>,
    /// Datagrams that were given up for want of fragments.
    pub lost_datagrams: u64,
    /// Counts of TCP streams.
    pub streams: StreamCounts,
    skipped: [u64; Skip::ALL.len()],
}

impl NetworkCounts {
    /// Counts of which only these are known.
    pub fn of_packets(packets: u64, skipped: impl Fn(Skip) -> u64) -> Self {
        Self {
            packets,
            skipped: Skip::ALL.map(skipped),
            ..Self::default()
        }
    }

    /// Packets that delivered nothing for this reason.
    pub const fn skipped(&self, reason: Skip) -> u64 {
        self.skipped[reason as usize]
    }
}

/// The network layer: takes the decoded packets of a capture, keeps the flows, and delivers
/// datagrams and stream bytes in order. `S` is the state of the layer above for each flow.
///
/// A UDP flow begins with its first datagram; a TCP flow with a SYN or the
/// first segment with data. Every flow ends with one [`Delivery::End`] for
/// each side; after the second one its state is of no further use.
#[derive(Debug)]
pub struct Network<S> {
    table: FlowTable<S>,
    /// Bytes that flows may take.
    limit: usize,
    /// Their estimated bytes, with those held for them.
    bytes: usize,
    /// Connections of which both directions ended, oldest first.
    closed: VecDeque<(Slot, super::FlowId)>,
    evicted: u64,
    evicted_since: Option<Arrival>,
    pool: Pool,
    counts: NetworkCounts,
    /// The packet taken last.
    last: Arrival,
}

impl<S: Default> Network<S> {
    /// A network layer that has seen nothing.
    pub fn new(limits: NetworkLimits) -> Self {
        Self {
            table: FlowTable::new(),
            limit: limits.flow_bytes,
            bytes: 0,
            closed: VecDeque::new(),
            evicted: 0,
            evicted_since: None,
            pool: Pool {
                stream_limit: limits.stream_bytes,
                total_limit: limits.total_stream_bytes,
                held: 0,
                counts: StreamCounts::default(),
            },
            counts: NetworkCounts::default(),
            last: Arrival::default(),
        }
    }

    /// Feeds one decoded packet; calls `deliver` for the data that it completes, in order.
    ///
    /// # Errors
    /// The first error of `deliver`; nothing more can be pushed after it.
    #[inline(always)]
    pub fn push<E>(
        &mut self,
        arrival: Arrival,
        decoded: Result<Decoded<'_>, Skip>,
        deliver: &mut impl FnMut(&mut Flow<S>, Arrival, Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.push_expected(arrival, decoded, None, deliver)
    }

    /// The same of a packet whose flow is expected to lie somewhere.
    ///
    /// # Errors
    /// As those of [`push`](Self::push).
    #[inline(always)]
    pub(crate) fn push_expected<E>(
        &mut self,
        arrival: Arrival,
        decoded: Result<Decoded<'_>, Skip>,
        place: Option<FlowPlace>,
        deliver: &mut impl FnMut(&mut Flow<S>, Arrival, Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.last = arrival;
        self.counts.packets += 1;
        let decoded = match decoded {
            Ok(decoded) => decoded,
            Err(reason) => {
                self.counts.skipped[reason as usize] += 1;
                return Ok(());
            }
        };
        self.counts.cut += u64::from(decoded.payload.missing() > 0);
        match decoded.header {
            TransportHeader::Udp => {
                self.counts.datagrams += 1;
                self.datagram(&decoded, place, arrival, deliver)
            }
            TransportHeader::Tcp(header) => {
                self.counts.segments += 1;
                self.segment((&decoded, &header), place, arrival, deliver)
            }
        }
    }

    /// Flows that are kept now.
    pub(crate) fn flow_count(&self) -> usize {
        self.table.len()
    }

    /// The first step of looking ahead: the memory that several packets need is read at once, so
    /// that the processor waits for it once. `hash` is that of the packet's key.
    #[inline]
    pub(crate) const fn sight(decoded: &Decoded<'_>, hash: u32) -> FlowSight {
        FlowSight {
            hash,
            sender: decoded.sender,
            is_tcp: matches!(decoded.header, TransportHeader::Tcp(_)),
        }
    }

    /// The next step: where the flow is expected to lie, if there is one. It is not used
    /// by this.
    #[inline]
    pub(crate) fn look_up(&self, sight: FlowSight) -> Option<FlowPlace> {
        self.table.peek(sight.hash).map(FlowPlace)
    }

    /// The next step: reads the slot. The returned value is of no other use.
    #[inline]
    pub(crate) fn touch(&self, place: FlowPlace) -> u64 {
        self.table.touch(place.0)
    }

    /// The next step: the flow there, and the packet's sender if it is its flow. The fields of the
    /// connection that its stream needs are read, too; `touched` is of no other use.
    #[inline]
    pub(crate) fn glance(&self, place: FlowPlace, sight: FlowSight) -> Glance<'_, S> {
        let entry = self.table.get(place.0);
        Glance {
            flow: &entry.flow,
            from: entry.side(sight.sender),
            touched: match &entry.kind {
                Kind::Udp => 0,
                Kind::Tcp(connection) => connection.touch(),
            },
        }
    }

    /// Counts a datagram that the decoder gave up.
    pub const fn note_lost_datagram(&mut self) {
        self.counts.lost_datagrams += 1;
    }

    /// Ends the capture: delivers waiting data, with gaps, and ends all flows, in the order of
    /// their ids.
    ///
    /// # Errors
    /// The first error of `deliver`.
    pub fn finish<E>(
        &mut self,
        deliver: &mut impl FnMut(&mut Flow<S>, Arrival, Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let how = StreamEnd::Forgotten;
        self.bytes = 0;
        for mut entry in self.table.take_all() {
            let (flow, kind) = (&mut entry.flow, &mut entry.kind);
            end(flow, kind, how, &mut self.pool, self.last, deliver)?;
        }
        Ok(())
    }

    /// The flows that are kept now, in no particular order.
    pub fn flows_mut(&mut self) -> impl Iterator<Item = &mut Flow<S>> {
        self.table.iter_mut().map(|entry| &mut entry.flow)
    }

    /// The counts so far.
    pub fn counts(&self) -> NetworkCounts {
        NetworkCounts {
            evicted_flows: self.evicted,
            evicted_since: self.evicted_since,
            flows: self.table.created(),
            streams: self.pool.counts,
            ..self.counts
        }
    }

    fn datagram<E>(
        &mut self,
        decoded: &Decoded<'_>,
        place: Option<FlowPlace>,
        arrival: Arrival,
        deliver: &mut impl FnMut(&mut Flow<S>, Arrival, Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let slot = match self.table.find(decoded.key, place.map(|place| place.0)) {
            Some(slot) => slot,
            None => {
                self.bytes += UDP_FLOW_BYTES;
                self.make_room(arrival, deliver)?;
                self.table
                    .insert(new_flow(*decoded.key, decoded.sender, Kind::Udp))
            }
        };
        let entry = self.table.get_mut(slot);
        let datagram = Delivery::Datagram {
            from: entry.side(decoded.sender),
            payload: decoded.payload.bytes(),
            missing_bytes: u32::try_from(decoded.payload.missing()).unwrap_or(u32::MAX),
        };
        let held_before = entry.flow.held_bytes;
        deliver(&mut entry.flow, arrival, datagram)?;
        let held = entry.flow.held_bytes;
        self.follow_held(held_before, held, arrival, deliver)
    }

    /// Accounts for the bytes that the layer above holds for a flow now, instead of before.
    #[inline(always)]
    fn follow_held<E>(
        &mut self,
        before: usize,
        now: usize,
        arrival: Arrival,
        deliver: &mut impl FnMut(&mut Flow<S>, Arrival, Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if before == now {
            return Ok(());
        }
        self.bytes = (self.bytes + now).saturating_sub(before);
        if now > before {
            self.make_room(arrival, deliver)?;
        }
        Ok(())
    }

    fn segment<E>(
        &mut self,
        (decoded, header): (&Decoded<'_>, &TcpHeader),
        place: Option<FlowPlace>,
        arrival: Arrival,
        deliver: &mut impl FnMut(&mut Flow<S>, Arrival, Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Decoded {
            key,
            sender,
            payload,
            ..
        } = *decoded;
        let mut found = self.table.find(key, place.map(|place| place.0));
        match found.map(|slot| self.claim(slot, sender, header, payload)) {
            None | Some(Claim::Belongs) => {}
            Some(Claim::Waits) => return self.make_room(arrival, deliver),
            Some(Claim::Begins) => {
                if let Some(slot) = found.take() {
                    self.forget(slot, StreamEnd::Forgotten, arrival, deliver)?;
                }
            }
            Some(Claim::Confirms(opening)) => {
                if let Some(slot) = found {
                    self.forget(slot, StreamEnd::Forgotten, arrival, deliver)?;
                }
                let Opening {
                    sender,
                    header,
                    payload,
                    ..
                } = *opening;
                self.bytes += TCP_FLOW_BYTES;
                let slot = self.table.insert(new_connection(*key, sender, &header));
                let payload = Captured::new(&payload, 0);
                self.advance(slot, sender, &header, payload, arrival, deliver)?;
                found = Some(slot);
            }
        }
        let slot = match found {
            Some(slot) => slot,
            None if Connection::may_begin_with(header, payload) => {
                self.bytes += TCP_FLOW_BYTES;
                self.make_room(arrival, deliver)?;
                self.table.insert(new_connection(*key, sender, header))
            }
            None => return Ok(()),
        };
        self.advance(slot, sender, header, payload, arrival, deliver)
    }

    fn claim(
        &mut self,
        slot: Slot,
        sender: Sender,
        header: &TcpHeader,
        payload: Captured<'_>,
    ) -> Claim {
        let entry = self.table.get_mut(slot);
        let from = entry.side(sender);
        let Kind::Tcp(connection) = &mut entry.kind else {
            return Claim::Belongs;
        };
        let held_before = connection.doubtful_bytes();
        let claim = connection.claim(from, sender, header, payload);
        self.bytes = (self.bytes + connection.doubtful_bytes()).saturating_sub(held_before);
        claim
    }

    fn advance<E>(
        &mut self,
        slot: Slot,
        sender: Sender,
        header: &TcpHeader,
        payload: Captured<'_>,
        arrival: Arrival,
        deliver: &mut impl FnMut(&mut Flow<S>, Arrival, Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let entry = self.table.get_mut(slot);
        let from = entry.side(sender);
        let Kind::Tcp(connection) = &mut entry.kind else {
            return Ok(());
        };
        let was_over = connection.is_over();
        let flow = &mut entry.flow;
        let held_before = flow.held_bytes + connection.held_bytes();
        connection.segment(from, header, payload, &mut self.pool, &mut |delivery| {
            deliver(flow, arrival, delivery)
        })?;
        let held = flow.held_bytes + connection.held_bytes();
        if connection.is_over() && !was_over {
            self.closed.push_back((slot, flow.id));
            self.drop_long_closed();
        }
        self.follow_held(held_before, held, arrival, deliver)
    }

    /// Both directions of these have ended already, so that there is no end to report.
    fn drop_long_closed(&mut self) {
        if self.closed.len() > CLOSED_CONNECTIONS
            && let Some((slot, id)) = self.closed.pop_front()
            && self.table.holds(slot, id)
        {
            self.remove(slot);
        }
    }

    /// Forgets the flows that were idle for longest until all others fit: some at
    /// once, because to find them all have to be looked at.
    #[inline(always)]
    fn make_room<E>(
        &mut self,
        arrival: Arrival,
        deliver: &mut impl FnMut(&mut Flow<S>, Arrival, Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.bytes <= self.limit {
            return Ok(());
        }
        self.evict(arrival, deliver)
    }

    #[cold]
    fn evict<E>(
        &mut self,
        arrival: Arrival,
        deliver: &mut impl FnMut(&mut Flow<S>, Arrival, Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        // The last used one stays: its packet is on its way, and the bytes that it holds by itself
        // have bounds of their own.
        while self.bytes > self.limit && self.table.len() > 1 {
            let count = (self.table.len() / 16).max(1);
            for slot in self.table.idlest(count) {
                self.evicted += 1;
                self.evicted_since.get_or_insert(arrival);
                self.forget(slot, StreamEnd::Evicted, arrival, deliver)?;
            }
        }
        Ok(())
    }

    fn forget<E>(
        &mut self,
        slot: Slot,
        how: StreamEnd,
        arrival: Arrival,
        deliver: &mut impl FnMut(&mut Flow<S>, Arrival, Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut entry = self.remove(slot);
        let (flow, kind) = (&mut entry.flow, &mut entry.kind);
        end(flow, kind, how, &mut self.pool, arrival, deliver)
    }

    fn remove(&mut self, slot: Slot) -> Entry<S> {
        let entry = self.table.remove(slot);
        let price = match &entry.kind {
            Kind::Udp => UDP_FLOW_BYTES,
            Kind::Tcp(connection) => TCP_FLOW_BYTES + connection.held_bytes(),
        };
        self.bytes = self.bytes.saturating_sub(price + entry.flow.held_bytes);
        entry
    }
}

/// Ends those directions of a flow that are still open.
fn end<S, E>(
    flow: &mut Flow<S>,
    kind: &mut Kind,
    how: StreamEnd,
    pool: &mut Pool,
    arrival: Arrival,
    deliver: &mut impl FnMut(&mut Flow<S>, Arrival, Delivery<'_>) -> Result<(), E>,
) -> Result<(), E> {
    match kind {
        Kind::Tcp(connection) => {
            connection.finish(how, pool, &mut |delivery| deliver(flow, arrival, delivery))
        }
        Kind::Udp => [Side::Initiator, Side::Responder]
            .into_iter()
            .try_for_each(|from| deliver(flow, arrival, Delivery::End { from, how })),
    }
}

const fn new_flow(key: FlowKey, initiator: Sender, kind: Kind) -> NewFlow {
    NewFlow {
        key,
        initiator,
        kind,
    }
}

/// A connection that begins with this segment. An answer to a SYN shows that
/// the other end dialled.
fn new_connection(key: FlowKey, sender: Sender, header: &TcpHeader) -> NewFlow {
    let is_answer = header.syn && header.acknowledgment.is_some();
    let initiator = if is_answer { sender.other() } else { sender };
    new_flow(key, initiator, Kind::Tcp(Box::new(Connection::new())))
}

#[cfg(test)]
mod tests;
