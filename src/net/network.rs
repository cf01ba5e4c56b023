//! [`Network`]: decoded packets in, datagrams and stream bytes out.

use std::collections::VecDeque;
use std::time::Duration;

use super::captured::Captured;
use super::connection::{Claim, Connection, Opening};
use super::decode::Decoded;
use super::flow::{FlowKey, FlowTable, Kind, NewFlow, Sender, Slot};
use super::reassembly::{Pool, StreamCounts};
use super::slice::{TcpHeader, TransportHeader};
use super::{Arrival, Delivery, Flow, Side, Skip, StreamEnd};

/// Connections closed last whose late segments are still told from new connections.
const CLOSED_CONNECTIONS: usize = 1_024;

/// Bounds on what a [`Network`] keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkLimits {
    /// Flows at once, at least 1; the one that was idle for longest is
    /// forgotten for a new one. Default: 65,536.
    pub flows: usize,
    /// Bytes that wait for missing ones in one direction of a TCP connection.
    /// Default: 4 MiB.
    pub stream_bytes: usize,
    /// The same over all connections. Default: 64 MiB.
    pub total_stream_bytes: usize,
    /// Datagrams at once that wait for fragments. Default: 1,024.
    pub fragmented_datagrams: usize,
    /// Bytes in these fragments. Default: 16 MiB.
    pub fragment_bytes: usize,
    /// How long a datagram waits for its fragments, in capture time.
    /// Default: 30 seconds.
    pub fragment_age: Duration,
}

impl Default for NetworkLimits {
    fn default() -> Self {
        Self {
            flows: 65_536,
            stream_bytes: 4 << 20,
            total_stream_bytes: 64 << 20,
            fragmented_datagrams: 1_024,
            fragment_bytes: 16 << 20,
            fragment_age: Duration::from_secs(30),
        }
    }
}

/// What a [`Network`] saw. Every packet is a datagram, a segment, or skipped.
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
    /// Flows forgotten because there were too many.
    pub evicted_flows: u64,
    /// Datagrams that were given up for want of fragments.
    pub lost_datagrams: u64,
    /// What happened in TCP streams.
    pub streams: StreamCounts,
    skipped: [u64; Skip::ALL.len()],
}

impl NetworkCounts {
    /// Counts of which only these are known.
    pub(crate) fn of_packets(packets: u64, skipped: impl Fn(Skip) -> u64) -> Self {
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

/// The network layer: takes the decoded packets of a capture, keeps the flows,
/// and delivers datagrams and stream bytes in order. `S` is what the layer above
/// keeps per flow.
///
/// A UDP flow begins with its first datagram; a TCP flow with a SYN or the
/// first segment with data. Every flow ends with one [`Delivery::End`] for
/// each side; after the second one its state is of no further use.
#[derive(Debug)]
pub struct Network<S> {
    table: FlowTable<S>,
    limit: usize,
    /// Connections of which both directions ended, oldest first.
    closed: VecDeque<(Slot, super::FlowId)>,
    evicted: u64,
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
            limit: limits.flows.max(1),
            closed: VecDeque::new(),
            evicted: 0,
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

    /// Feeds one decoded packet; calls `deliver` for what it completes, in order.
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
                self.datagram(&decoded, arrival, deliver)
            }
            TransportHeader::Tcp(header) => {
                self.counts.segments += 1;
                self.segment(&decoded, &header, arrival, deliver)
            }
        }
    }

    /// Counts a datagram that the decoder gave up.
    pub const fn note_lost_datagram(&mut self) {
        self.counts.lost_datagrams += 1;
    }

    /// The capture is over: delivers what waits, with its gaps, and ends all
    /// flows, in the order of their ids.
    ///
    /// # Errors
    /// The first error of `deliver`.
    pub fn finish<E>(
        &mut self,
        deliver: &mut impl FnMut(&mut Flow<S>, Arrival, Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for mut entry in self.table.take_all() {
            let (flow, kind) = (&mut entry.flow, &mut entry.kind);
            end(flow, kind, &mut self.pool, self.last, deliver)?;
        }
        Ok(())
    }

    /// The flows that are kept now, in no particular order.
    pub fn flows_mut(&mut self) -> impl Iterator<Item = &mut Flow<S>> {
        self.table.iter_mut().map(|entry| &mut entry.flow)
    }

    /// What was seen so far.
    pub fn counts(&self) -> NetworkCounts {
        NetworkCounts {
            evicted_flows: self.evicted,
            flows: self.table.created(),
            streams: self.pool.counts,
            ..self.counts
        }
    }

    fn datagram<E>(
        &mut self,
        decoded: &Decoded<'_>,
        arrival: Arrival,
        deliver: &mut impl FnMut(&mut Flow<S>, Arrival, Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let slot = match self.table.find(decoded.key) {
            Some(slot) => slot,
            None => {
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
        deliver(&mut entry.flow, arrival, datagram)
    }

    fn segment<E>(
        &mut self,
        decoded: &Decoded<'_>,
        header: &TcpHeader,
        arrival: Arrival,
        deliver: &mut impl FnMut(&mut Flow<S>, Arrival, Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Decoded {
            key,
            sender,
            payload,
            ..
        } = *decoded;
        let mut found = self.table.find(key);
        match found.map(|slot| self.claim(slot, sender, header, payload)) {
            None | Some(Claim::Belongs) => {}
            Some(Claim::Waits) => return Ok(()),
            Some(Claim::Begins) => {
                if let Some(slot) = found.take() {
                    self.forget(slot, arrival, deliver)?;
                }
            }
            Some(Claim::Confirms(opening)) => {
                if let Some(slot) = found {
                    self.forget(slot, arrival, deliver)?;
                }
                let Opening {
                    sender,
                    header,
                    payload,
                    ..
                } = *opening;
                let slot = self.table.insert(new_connection(*key, sender, &header));
                let payload = Captured::new(&payload, 0);
                self.advance(slot, sender, &header, payload, arrival, deliver)?;
                found = Some(slot);
            }
        }
        let slot = match found {
            Some(slot) => slot,
            None if Connection::may_begin_with(header, payload) => {
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
        match &mut entry.kind {
            Kind::Tcp(connection) => connection.claim(from, sender, header, payload),
            Kind::Udp => Claim::Belongs,
        }
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
        connection.segment(from, header, payload, &mut self.pool, &mut |delivery| {
            deliver(flow, arrival, delivery)
        })?;
        if connection.is_over() && !was_over {
            self.closed.push_back((slot, flow.id));
            self.drop_long_closed();
        }
        Ok(())
    }

    /// Both directions of these ended, so that nobody has to be told.
    fn drop_long_closed(&mut self) {
        if self.closed.len() > CLOSED_CONNECTIONS
            && let Some((slot, id)) = self.closed.pop_front()
            && self.table.holds(slot, id)
        {
            self.table.remove(slot);
        }
    }

    fn make_room<E>(
        &mut self,
        arrival: Arrival,
        deliver: &mut impl FnMut(&mut Flow<S>, Arrival, Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.table.len() < self.limit {
            return Ok(());
        }
        let Some(oldest) = self.table.oldest() else {
            return Ok(());
        };
        self.evicted += 1;
        self.forget(oldest, arrival, deliver)
    }

    fn forget<E>(
        &mut self,
        slot: Slot,
        arrival: Arrival,
        deliver: &mut impl FnMut(&mut Flow<S>, Arrival, Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut entry = self.table.remove(slot);
        let (flow, kind) = (&mut entry.flow, &mut entry.kind);
        end(flow, kind, &mut self.pool, arrival, deliver)
    }
}

/// Ends those directions of a flow that are still open.
fn end<S, E>(
    flow: &mut Flow<S>,
    kind: &mut Kind,
    pool: &mut Pool,
    arrival: Arrival,
    deliver: &mut impl FnMut(&mut Flow<S>, Arrival, Delivery<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let how = StreamEnd::Forgotten;
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

/// A connection that begins with this segment. An answer to a SYN tells that
/// the other end dialled.
fn new_connection(key: FlowKey, sender: Sender, header: &TcpHeader) -> NewFlow {
    let is_answer = header.syn && header.acknowledgment.is_some();
    let initiator = if is_answer { sender.other() } else { sender };
    new_flow(key, initiator, Kind::Tcp(Box::new(Connection::new())))
}

#[cfg(test)]
mod tests;
