//! From a flow's deliveries to messages: its carrier is found, the carrier's decoder fed, and its
//! items are handed on.

use std::sync::Arc;

use super::channels::{Channels, Forgets};
use super::encrypted::{Begun, Encrypted, Held, Proving};
use super::findings::{about_connection, ignored_segment};
use super::flow_direction::{direction_of, side_of};
use super::flow_state::{Deciding, FlowState, Inside, WhyEnded};
use super::near::{NearFlow, NearFlows};
use super::passage::{Event, Passage, Passed};
use super::recognise::PROTOCOL;
use super::servers::{Servers, Waiting};
use super::streams::{Left, Streams, lacks_bytes};
use super::{DecodeAs, DetectionSource, FlowReport};
use crate::carrier::detect::{CarrierVerdict, Detector, Piece, Trace, UdpDetector};
use crate::carrier::i2cp::gzip::Inflater;
use crate::carrier::length_prefixed::Prefix;
use crate::carrier::tls::{self, KeyLog};
use crate::carrier::{Carrier, Extent, FlowDirection};
use crate::conversation::{Channel, ChannelId, ChannelStart, Destinations, FindingCode};
use crate::net::{Arrival, Delivery, Flow, Ignored, Side, StreamEnd, Transport};
use crate::time::Timestamp;

/// Traffic that was seen and is not ministreaming.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ForeignCounts {
    /// Flows that carry something else.
    pub flows: u64,
    /// TCP connections that offer ministreaming inside TLS and could not be opened.
    pub sealed_flows: u64,
    /// Deliveries of these since that was known: datagrams and pieces of streams.
    pub payloads: u64,
    /// The bytes in these.
    pub bytes: u64,
    /// Messages in I2CP that are of another protocol.
    pub i2cp_messages: u64,
}

/// Findings that are kept of a connection until its carrier is known.
const MAX_ODD: usize = 8;

/// Finds out the carriers of flows, and decodes them.
#[derive(Debug)]
pub(super) struct Carriers {
    rules: Vec<DecodeAs>,
    secrets: Option<Arc<KeyLog>>,
    channels: Channels,
    /// For payloads on I2CP, of any connection.
    inflater: Inflater,
    foreign: ForeignCounts,
    near: NearFlows,
    servers: Servers,
    /// The reason why flows end.
    why: WhyEnded,
}

/// A step in admitting flows that waited.
enum Admission {
    Begins(Waiting),
    /// Those that it proves were admitted.
    Ends(Waiting),
}

/// The first of them last, to be taken from there.
fn begun(waiting: Vec<Waiting>) -> impl Iterator<Item = Admission> {
    waiting.into_iter().rev().map(Admission::Begins)
}

impl Carriers {
    /// Knows nothing yet but rules for ports, and the secrets of TLS connections that are to be
    /// opened.
    pub(super) fn new(
        rules: Vec<DecodeAs>,
        secrets: Option<Arc<KeyLog>>,
        destinations: Destinations,
    ) -> Self {
        Self {
            rules,
            secrets,
            channels: Channels::new(destinations),
            inflater: Inflater::new(),
            foreign: ForeignCounts::default(),
            near: NearFlows::default(),
            servers: Servers::default(),
            why: WhyEnded::Traffic,
        }
    }

    /// From now on flows end because the capture does, not by a close.
    pub(super) const fn begin_end(&mut self) {
        self.why = WhyEnded::Capture;
    }

    /// Counts of flows that are not ministreaming.
    pub(super) const fn foreign(&self) -> ForeignCounts {
        ForeignCounts {
            i2cp_messages: self.channels.foreign_messages,
            ..self.foreign
        }
    }

    /// Flows that were judged to be another protocol's and have something of ours.
    pub(super) const fn near(&self) -> &NearFlows {
        &self.near
    }

    /// Takes a delivery of the network layer.
    #[inline]
    pub(super) fn deliver<P: Passage>(
        &mut self,
        flow: &mut Flow<FlowState>,
        arrival: Arrival,
        delivery: Delivery<'_>,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        if let (
            FlowState::Datagrams(channel),
            Delivery::Datagram {
                from,
                payload,
                missing_bytes,
            },
        ) = (&flow.state, delivery)
        {
            return self.datagram(*channel, arrival, (from, payload, missing_bytes), passage);
        }
        let delivered = self.deliver_other(flow, arrival, delivery, passage);
        flow.held_bytes = flow.state.held_bytes();
        delivered
    }

    /// Takes a datagram of a flow that carries ministreaming: its sender, its captured bytes, and
    /// the number of the others.
    #[inline]
    fn datagram<P: Passage>(
        &mut self,
        channel: ChannelId,
        arrival: Arrival,
        (from, payload, missing_bytes): (Side, &[u8], u32),
        passage: &mut P,
    ) -> Result<(), P::Error> {
        let passed = Passed {
            cut_bytes: missing_bytes,
            ..Passed::new(channel, from, payload)
        };
        passage.message(arrival, passed)
    }

    /// The same as [`deliver`](Self::deliver), for deliveries not on its fast path.
    pub(super) fn deliver_other<P: Passage>(
        &mut self,
        flow: &mut Flow<FlowState>,
        arrival: Arrival,
        delivery: Delivery<'_>,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        if let Delivery::Ignored { from, what } = delivery {
            return self.report_ignored(flow, arrival, from, what, passage);
        }
        if let Delivery::End { how, .. } = delivery
            && self.why != WhyEnded::Capture
        {
            self.why = match how {
                StreamEnd::Evicted => {
                    self.channels.forgets = Forgets::Flows;
                    WhyEnded::Memory
                }
                StreamEnd::Fin | StreamEnd::Reset | StreamEnd::Forgotten => WhyEnded::Traffic,
            };
        }
        if let FlowState::New = flow.state {
            match Encrypted::meet(self.secrets.as_ref(), flow.transport, delivery) {
                Some(records) => {
                    flow.state = FlowState::Encrypted(Box::new(Inside {
                        records,
                        state: FlowState::New,
                    }));
                }
                None => {
                    self.note_sealed(flow.transport, delivery);
                    self.begin(flow, start_shown_by(delivery), passage)?;
                }
            }
        }
        match (&mut flow.state, delivery) {
            (FlowState::DecidingDatagrams(detector), delivery) => {
                let verdict = match delivery {
                    Delivery::Datagram {
                        from,
                        payload,
                        missing_bytes,
                    } => {
                        let missing = usize::try_from(missing_bytes).unwrap_or(usize::MAX);
                        let length = payload.len().saturating_add(missing);
                        detector.push(
                            direction_of(from),
                            payload,
                            length,
                            (arrival, missing_bytes),
                        )
                    }
                    delivery if ends_datagrams(delivery) => detector.finish(),
                    _ => return Ok(()),
                };
                let Some(verdict) = self.judge(flow, arrival, verdict) else {
                    return Ok(());
                };
                self.follow_verdict(flow, verdict, passage)?;
                self.close_datagram_channel(flow, arrival, delivery, passage)
            }
            (FlowState::DecidingStreams(deciding), delivery) => {
                let Some(piece) = piece_of(delivery) else {
                    return Ok(());
                };
                let Deciding {
                    detector,
                    ended,
                    start,
                    ..
                } = &mut **deciding;
                if start_shown_by(delivery) == ChannelStart::Missed {
                    *start = ChannelStart::Missed;
                }
                if let Delivery::End { from, .. } = delivery {
                    ended[from.index()] = true;
                }
                let verdict = match detector.push(piece, arrival) {
                    CarrierVerdict::NeedMore if *ended == [true; 2] => detector.finish(),
                    verdict => verdict,
                };
                let Some(verdict) = self.judge(flow, arrival, verdict) else {
                    return Ok(());
                };
                self.follow_verdict(flow, verdict, passage)?;
                self.end_evicted(flow, arrival.time, passage)
            }
            // Bytes missing here are not missing in the capture.
            (FlowState::Streams(_), Delivery::End { .. }) if self.why == WhyEnded::Memory => {
                self.evict_streams(flow, arrival.time, passage)
            }
            (FlowState::Streams(_), delivery) => match piece_of(delivery) {
                Some(piece) => self.stream(flow, arrival, piece, passage),
                None => Ok(()),
            },
            (FlowState::Encrypted(_), delivery) => {
                self.open_records(flow, arrival, delivery, passage)
            }
            (FlowState::Foreign, delivery) => {
                if let Delivery::Datagram { payload: bytes, .. } | Delivery::Bytes { bytes, .. } =
                    delivery
                {
                    self.foreign.payloads += 1;
                    self.foreign.bytes += bytes.len() as u64;
                }
                Ok(())
            }
            // The first of a flow whose carrier a rule names.
            (
                FlowState::Datagrams(channel),
                Delivery::Datagram {
                    from,
                    payload,
                    missing_bytes,
                },
            ) => {
                let channel = *channel;
                self.datagram(channel, arrival, (from, payload, missing_bytes), passage)
            }
            (FlowState::New | FlowState::Datagrams(_), delivery) => {
                self.close_datagram_channel(flow, arrival, delivery, passage)
            }
        }
    }

    /// The first of a flow: whether a rule names its carrier.
    pub(super) fn begin<P: Passage>(
        &mut self,
        flow: &mut Flow<FlowState>,
        start: ChannelStart,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        let [one, other] = flow.addresses().map(|address| address.port());
        let rule = self.rules.iter().find(|rule| {
            rule.transport == flow.transport && (rule.port == one || rule.port == other)
        });
        let verdict = match (flow.transport, rule) {
            (Transport::Udp, None) => {
                let detector = UdpDetector::new(PROTOCOL);
                flow.state = FlowState::DecidingDatagrams(Box::new(detector));
                return Ok(());
            }
            (Transport::Tcp, None) => {
                flow.state = FlowState::DecidingStreams(Box::new(Deciding {
                    detector: Detector::new(PROTOCOL),
                    ended: [false; 2],
                    start,
                    odd: Vec::new(),
                }));
                return Ok(());
            }
            (_, Some(rule)) => match rule.carrier {
                Carrier::Udp => return self.begin_datagrams(flow, DetectionSource::Rule, passage),
                // The port that the rule names is the router's.
                Carrier::I2cp if one == rule.port && other != rule.port => CarrierVerdict::I2cp {
                    application: FlowDirection::Backward,
                },
                Carrier::I2cp => CarrierVerdict::I2cp {
                    application: FlowDirection::Forward,
                },
                Carrier::Segment => CarrierVerdict::Segments,
                carrier => Prefix::of(carrier)
                    .map_or(CarrierVerdict::Foreign, CarrierVerdict::LengthPrefixed),
            },
        };
        self.begin_streams(flow, verdict, DetectionSource::Rule, start, passage)
    }

    /// The verdict on a flow in the light of others to its server; none yet if it waits for them.
    fn judge(
        &mut self,
        flow: &mut Flow<FlowState>,
        arrival: Arrival,
        verdict: CarrierVerdict,
    ) -> Option<CarrierVerdict> {
        match verdict {
            CarrierVerdict::NeedMore if self.servers.has_ours() => {}
            CarrierVerdict::Foreign => {}
            _ => return Some(verdict),
        }
        let Some(unanswered) = flow.state.unanswered() else {
            return Some(verdict);
        };
        if self.servers.is_ours(flow, &unanswered) {
            return Some(unanswered.verdict());
        }
        if verdict == CarrierVerdict::NeedMore {
            return Some(verdict);
        }
        let Some(waiting) = Waiting::take(flow, unanswered, (arrival, self.why)) else {
            return Some(verdict);
        };
        match self.servers.wait(Box::new(waiting)) {
            Ok(()) => None,
            Err(waiting) => {
                flow.state = waiting.flow.state;
                Some(verdict)
            }
        }
    }

    /// Decodes the flows to a server that waited for one that proves it ours.
    fn admit<P: Passage>(
        &mut self,
        waiting: Vec<Waiting>,
        verdict: CarrierVerdict,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        let why = self.why;
        // Each may prove others, and so on: a thousand calls within one another do not fit in a
        // thread's stack.
        let mut due: Vec<Admission> = begun(waiting).collect();
        while let Some(admission) = due.pop() {
            match admission {
                Admission::Begins(mut waiting) => {
                    // Each ended for a reason of its own, not for that of the flow that proves it.
                    self.why = waiting.why;
                    let proven = self.release(&mut waiting.flow, verdict, passage)?;
                    due.push(Admission::Ends(waiting));
                    due.extend(begun(proven));
                }
                Admission::Ends(mut waiting) if verdict != CarrierVerdict::Foreign => {
                    self.why = waiting.why;
                    let (flow, ended) = (&mut waiting.flow, waiting.ended);
                    let end = Delivery::End {
                        from: Side::Responder,
                        how: StreamEnd::Forgotten,
                    };
                    self.end_evicted(flow, ended.time, passage)?;
                    self.close_datagram_channel(flow, ended, end, passage)?;
                }
                Admission::Ends(_) => {}
            }
        }
        self.why = why;
        Ok(())
    }

    /// There are no more flows: judges those that wait.
    pub(super) fn judge_waiting<P: Passage>(&mut self, passage: &mut P) -> Result<(), P::Error> {
        while let Some(group) = self.servers.next_group() {
            self.admit(
                group.flows,
                group.verdict.unwrap_or(CarrierVerdict::Foreign),
                passage,
            )?;
        }
        Ok(())
    }

    /// Decodes the bytes held of an undecided flow, once there is a verdict. If it turned out to
    /// carry ministreaming, so do those to its server that waited.
    fn follow_verdict<P: Passage>(
        &mut self,
        flow: &mut Flow<FlowState>,
        verdict: CarrierVerdict,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        let waiting = self.release(flow, verdict, passage)?;
        self.admit(waiting, verdict, passage)
    }

    /// Decodes the bytes held of an undecided flow, once there is a verdict; gives those that
    /// waited for it.
    fn release<P: Passage>(
        &mut self,
        flow: &mut Flow<FlowState>,
        verdict: CarrierVerdict,
        passage: &mut P,
    ) -> Result<Vec<Waiting>, P::Error> {
        match verdict {
            CarrierVerdict::NeedMore => return Ok(Vec::new()),
            CarrierVerdict::Foreign => {
                self.give_up(flow);
                return Ok(Vec::new());
            }
            _ => {}
        }
        match std::mem::take(&mut flow.state) {
            FlowState::DecidingDatagrams(detector) => {
                self.release_datagrams(flow, &detector, passage)?;
            }
            FlowState::DecidingStreams(deciding) => {
                self.release_streams(flow, *deciding, verdict, passage)?;
            }
            decided => {
                flow.state = decided;
                return Ok(Vec::new());
            }
        }
        Ok(match verdict.carrier() {
            None | Some(Carrier::I2cp) => Vec::new(),
            Some(carrier) => self.servers.note_ours(flow.addresses(), carrier),
        })
    }

    /// An undecided flow carries something else, in which there may be traces of ours.
    fn give_up(&mut self, flow: &mut Flow<FlowState>) {
        if flow.state.has_payload() {
            self.servers.note_other(flow.addresses(), flow.transport);
        }
        if let Some((carrier, trace)) = flow.state.trace() {
            self.note_near(flow, carrier, trace);
        }
        self.set_foreign(flow);
    }

    fn release_datagrams<P: Passage>(
        &mut self,
        flow: &mut Flow<FlowState>,
        detector: &UdpDetector<(Arrival, u32)>,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        self.begin_datagrams(flow, DetectionSource::Content, passage)?;
        let FlowState::Datagrams(channel) = flow.state else {
            return Ok(());
        };
        detector.replay(|from, message, (arrival, cut_bytes)| {
            let passed = Passed {
                cut_bytes,
                ..Passed::new(channel, side_of(from), message)
            };
            passage.message(arrival, passed)
        })
    }

    fn release_streams<P: Passage>(
        &mut self,
        flow: &mut Flow<FlowState>,
        deciding: Deciding,
        verdict: CarrierVerdict,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        let Deciding {
            detector,
            start,
            odd,
            ..
        } = deciding;
        self.begin_streams(flow, verdict, DetectionSource::Content, start, passage)?;
        odd.into_iter()
            .try_for_each(|finding| passage.finding(finding))?;
        detector.replay(|piece, arrival| self.stream(flow, arrival, piece, passage))
    }

    fn begin_streams<P: Passage>(
        &mut self,
        flow: &mut Flow<FlowState>,
        verdict: CarrierVerdict,
        detection: DetectionSource,
        start: ChannelStart,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        let addresses = flow.addresses();
        let Some(streams) = Streams::new(verdict, addresses, &mut self.channels, passage)? else {
            self.set_foreign(flow);
            return Ok(());
        };
        let report = FlowReport {
            id: flow.id,
            addresses: streams.addresses(addresses),
            carrier: streams.carrier(),
            detection,
            start,
        };
        flow.state = FlowState::Streams(Box::new(streams));
        passage.event(Event::Flow(report))
    }

    fn begin_datagrams<P: Passage>(
        &mut self,
        flow: &mut Flow<FlowState>,
        detection: DetectionSource,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        let channel = Channel::new(Carrier::Udp, flow.addresses(), ChannelStart::Unknown, None);
        flow.state = FlowState::Datagrams(self.channels.open(channel, passage)?);
        passage.event(Event::Flow(FlowReport {
            id: flow.id,
            addresses: flow.addresses(),
            carrier: Carrier::Udp,
            detection,
            start: ChannelStart::Unknown,
        }))
    }

    /// Takes a delivery of a connection that begins as TLS does.
    fn open_records<P: Passage>(
        &mut self,
        flow: &mut Flow<FlowState>,
        arrival: Arrival,
        delivery: Delivery<'_>,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        let FlowState::Encrypted(mut inside) = std::mem::take(&mut flow.state) else {
            return Ok(());
        };
        let client = inside.records.client();
        let secrets = self.secrets.as_deref();
        match inside.records.begin(arrival, delivery, secrets) {
            Begun::Waits => {
                flow.state = FlowState::Encrypted(inside);
                Ok(())
            }
            Begun::Plain(held, next) => {
                self.begin(flow, ChannelStart::Captured, passage)?;
                if let Some(first) = held.first() {
                    self.note_sealed(flow.transport, first.delivery(client));
                }
                for piece in held {
                    self.deliver_other(flow, piece.arrival, piece.delivery(client), passage)?;
                }
                match next {
                    Some(delivery) => self.deliver_other(flow, arrival, delivery, passage),
                    None => Ok(()),
                }
            }
            Begun::Opens => self.open_more(flow, inside, arrival, delivery, passage),
            Begun::OpensWith(held) => {
                flow.state = FlowState::Encrypted(inside);
                self.open_held(flow, client, &held, passage)
            }
        }
    }

    fn open_held<P: Passage>(
        &mut self,
        flow: &mut Flow<FlowState>,
        client: Side,
        held: &[Held],
        passage: &mut P,
    ) -> Result<(), P::Error> {
        held.iter().try_for_each(|piece| {
            self.open_records(flow, piece.arrival, piece.delivery(client), passage)
        })
    }

    /// Follows the plaintext of the next records as if it had come without TLS.
    fn open_more<P: Passage>(
        &mut self,
        flow: &mut Flow<FlowState>,
        mut inside: Box<Inside>,
        arrival: Arrival,
        delivery: Delivery<'_>,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        let opened = inside.records.open(delivery);
        if let Some(problem) = &opened.problem {
            let [one, other] = flow.addresses();
            let text = format!("{one} - {other}: {problem}");
            let code = FindingCode::TlsUnreadable;
            passage.finding(about_connection(code, arrival, text, Vec::new()))?;
        }
        flow.state = std::mem::take(&mut inside.state);
        let mut proving = Proving {
            proven: inside.records.proven(),
            passage,
        };
        for (from, bytes) in &opened.inside {
            let piece = Delivery::Bytes {
                from: *from,
                bytes,
                whole_segment: false,
                cut_bytes: 0,
            };
            if let FlowState::New = flow.state {
                self.begin(flow, ChannelStart::Captured, &mut proving)?;
            }
            self.deliver_other(flow, arrival, piece, &mut proving)?;
        }
        if let Some(delivery) = opened.passes_on
            && !matches!(flow.state, FlowState::New)
        {
            self.deliver_other(flow, arrival, delivery, &mut proving)?;
        }
        let state = std::mem::replace(&mut flow.state, FlowState::Foreign);
        if !inside.records.is_over() {
            inside.state = state;
            flow.state = FlowState::Encrypted(inside);
        }
        Ok(())
    }

    /// Reports a segment that receivers ignore where the connection is ours, or may be.
    fn report_ignored<P: Passage>(
        &mut self,
        flow: &mut Flow<FlowState>,
        arrival: Arrival,
        from: Side,
        what: Ignored,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        let (one, other) = (flow.address(from), flow.address(from.opposite()));
        let finding = ignored_segment(arrival, one, other, what);
        match &mut flow.state {
            FlowState::Streams(_) => passage.finding(finding),
            FlowState::DecidingStreams(deciding) if deciding.odd.len() < MAX_ODD => {
                deciding.odd.push(finding);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn note_near(&mut self, flow: &Flow<FlowState>, carrier: Carrier, trace: Trace) {
        let [client, server] = match trace.to_server {
            FlowDirection::Forward => flow.addresses(),
            FlowDirection::Backward => {
                let [one, other] = flow.addresses();
                [other, one]
            }
        };
        self.near.note(NearFlow {
            client,
            server,
            carrier,
            flow_count: 1,
            trace,
        });
    }

    /// Counts a connection whose first piece shows that ministreaming is inside of TLS.
    fn note_sealed(&mut self, transport: Transport, first: Delivery<'_>) {
        if let (Transport::Tcp, Delivery::Bytes { bytes, .. }) = (transport, first)
            && tls::offers_ministreaming(bytes)
        {
            self.foreign.sealed_flows += 1;
        }
    }

    fn set_foreign(&mut self, flow: &mut Flow<FlowState>) {
        self.foreign.flows += 1;
        flow.state = FlowState::Foreign;
    }

    /// Takes a delivery of a TCP connection whose carrier is known.
    fn stream<P: Passage>(
        &mut self,
        flow: &mut Flow<FlowState>,
        arrival: Arrival,
        piece: Piece<'_>,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        let addresses = lacks_bytes(piece).then(|| flow.addresses());
        let FlowState::Streams(streams) = &mut flow.state else {
            return Ok(());
        };
        let (channels, inflater) = (&mut self.channels, &mut self.inflater);
        let left = streams.take(arrival, addresses, piece, channels, inflater, passage)?;
        if left == Left::Nothing && self.why == WhyEnded::Traffic {
            streams.close_channels(arrival.time, &mut self.channels, passage)?;
            flow.state = FlowState::Foreign;
        }
        Ok(())
    }

    /// Lets go of a connection that was just begun if its memory is needed.
    fn end_evicted<P: Passage>(
        &mut self,
        flow: &mut Flow<FlowState>,
        time: Timestamp,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        match self.why {
            WhyEnded::Memory => self.evict_streams(flow, time, passage),
            WhyEnded::Traffic | WhyEnded::Capture => Ok(()),
        }
    }

    /// Lets go of a connection whose memory is needed.
    fn evict_streams<P: Passage>(
        &mut self,
        flow: &mut Flow<FlowState>,
        time: Timestamp,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        if let FlowState::Streams(streams) = &flow.state {
            streams.evict_channels(time, &mut self.channels, passage)?;
            flow.state = FlowState::Foreign;
        }
        Ok(())
    }

    /// Closes the channel of a UDP flow that is forgotten.
    fn close_datagram_channel<P: Passage>(
        &mut self,
        flow: &mut Flow<FlowState>,
        arrival: Arrival,
        delivery: Delivery<'_>,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        if let FlowState::Datagrams(channel) = flow.state
            && ends_datagrams(delivery)
        {
            match self.why {
                WhyEnded::Memory => self.channels.evict(channel, arrival.time, passage)?,
                WhyEnded::Traffic => self.channels.close(channel, arrival.time, passage)?,
                WhyEnded::Capture => return Ok(()),
            }
            flow.state = FlowState::Foreign;
        }
        Ok(())
    }
}

/// The start of a connection, as a delivery shows it.
const fn start_shown_by(delivery: Delivery<'_>) -> ChannelStart {
    match delivery {
        Delivery::Gap {
            missing_bytes: None,
            ..
        } => ChannelStart::Missed,
        _ => ChannelStart::Captured,
    }
}

/// Whether a UDP flow delivers nothing more: the second of its ends.
const fn ends_datagrams(delivery: Delivery<'_>) -> bool {
    matches!(
        delivery,
        Delivery::End {
            from: Side::Responder,
            ..
        }
    )
}

/// A delivery of a TCP flow, in the carriers' terms.
const fn piece_of(delivery: Delivery<'_>) -> Option<Piece<'_>> {
    Some(match delivery {
        Delivery::Datagram { .. } | Delivery::Ignored { .. } => return None,
        Delivery::Bytes {
            from,
            bytes,
            whole_segment,
            cut_bytes,
        } => Piece::Bytes {
            from: direction_of(from),
            bytes,
            extent: match (whole_segment, cut_bytes) {
                (true, 0) => Extent::WholeSegment,
                (true, cut) => Extent::CutSegment(cut),
                (false, _) => Extent::PartOfSegment,
            },
        },
        Delivery::Cut {
            from,
            missing_bytes,
        } => Piece::Cut {
            from: direction_of(from),
            missing: missing_bytes,
        },
        Delivery::Gap {
            from,
            missing_bytes,
        } => Piece::Gap {
            from: direction_of(from),
            missing: missing_bytes,
        },
        Delivery::End { from, .. } => Piece::End {
            from: direction_of(from),
        },
    })
}
