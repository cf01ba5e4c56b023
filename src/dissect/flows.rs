//! From what a flow delivers to messages: its carrier is found, the carrier's
//! decoder fed, and what that finds is handed on.

use std::sync::Arc;

use super::encrypted::Encrypted;
use super::near::{NearFlow, NearFlows};
use super::recognise::PROTOCOL;
use super::servers::{Servers, Waiting};
use super::streams::{Left, Streams, ignored_segment};
use super::{Decided, DecodeAs, Depth, FlowReport, Sink};
use crate::carrier::detect::{Detector, Piece, Trace, UdpDetector, Unanswered, Verdict};
use crate::carrier::length_prefixed::Prefix;
use crate::carrier::tls::KeyLog;
use crate::carrier::{Carrier, Extent, Way};
use crate::conversation::{
    Carried, Channel, ChannelId, ChannelStart, ExpectedRecord, Finding, Meaning, MessageEvent,
    Observation, Outcome, Prospect, SessionId, Tracker,
};
use crate::net::{Arrival, Delivery, Flow, Ignored, Side, StreamEnd, Transport};
use crate::time::Timestamp;
use crate::wire::{DestinationHash, RawMessage};

/// Traffic that was seen and is not ministreaming.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ForeignCounts {
    /// Flows that carry something else.
    pub flows: u64,
    /// What these delivered since that was known: datagrams and pieces of streams.
    pub payloads: u64,
    /// The bytes in these.
    pub bytes: u64,
    /// Messages in I2CP that are of another protocol.
    pub i2cp_messages: u64,
}

/// What is known of a flow.
#[derive(Debug, Default)]
pub(super) enum FlowState {
    /// Nothing yet.
    #[default]
    New,
    /// Its payloads are looked at.
    DecidingDatagrams(Box<UdpDetector<(Arrival, u32)>>),
    /// Its streams are looked at.
    DecidingStreams(Box<Deciding>),
    /// A message per datagram.
    Datagrams(ChannelId),
    /// One of the carriers over TCP.
    Streams(Box<Streams>),
    /// TLS, perhaps, whose secrets may be known.
    Encrypted(Box<Encrypted>),
    /// Something else, or nothing any more.
    Foreign,
}

/// A connection whose streams are looked at.
#[derive(Debug)]
pub(super) struct Deciding {
    detector: Detector<Arrival>,
    /// Which directions have ended, by [`Side::index`].
    ended: [bool; 2],
    start: ChannelStart,
    /// What there is to tell if it turns out to be ours.
    odd: Vec<Finding>,
}

/// Findings that are kept of a connection until its carrier is known.
const MAX_ODD: usize = 8;

impl FlowState {
    /// Bytes of memory that are held until there is more.
    #[inline]
    pub(super) fn held_bytes(&self) -> usize {
        match self {
            Self::New | Self::Datagrams(_) | Self::Foreign => 0,
            Self::DecidingDatagrams(detector) => detector.held_bytes(),
            Self::DecidingStreams(deciding) => deciding.detector.held_bytes(),
            Self::Streams(streams) => streams.held_bytes(),
            Self::Encrypted(encrypted) => encrypted.held_bytes(),
        }
    }

    /// The SYNs without an answer that are all that an undecided flow holds.
    fn unanswered(&self) -> Option<Unanswered> {
        match self {
            Self::DecidingDatagrams(detector) => detector.unanswered(),
            Self::DecidingStreams(deciding) => deciding.detector.unanswered(),
            _ => None,
        }
    }

    /// Whether an undecided flow has delivered any bytes.
    fn has_payload(&self) -> bool {
        match self {
            Self::DecidingDatagrams(detector) => detector.has_payload(),
            Self::DecidingStreams(deciding) => deciding.detector.has_payload(),
            _ => false,
        }
    }
}

/// What passes from the flows to the tracker and the sink.
#[derive(Debug)]
pub(super) struct Messages {
    depth: Depth,
    rules: Vec<DecodeAs>,
    secrets: Option<Arc<KeyLog>>,
    pub(super) tracker: Tracker,
    pub(super) foreign: ForeignCounts,
    pub(super) near: NearFlows,
    servers: Servers,
    /// Time of the first packet.
    pub(super) start: Option<Timestamp>,
    session_count: u32,
    /// The conversation that the next message is expected to be about.
    expected: Option<ExpectedRecord>,
    /// Why flows end.
    why: WhyEnded,
    /// Whether a flow that seems to begin before the capture may be one that was forgotten.
    forgets: Forgets,
}

/// Why a flow ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhyEnded {
    /// The traffic says so.
    Traffic,
    /// Its memory is needed.
    Memory,
    /// The capture is over: nobody closed it.
    Capture,
}

/// Whether a flow was forgotten for want of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forgets {
    Nothing,
    Flows,
}

/// A message on its way to the tracker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passed<'a> {
    pub(super) channel: ChannelId,
    pub(super) from: Side,
    pub(super) bytes: &'a [u8],
    /// Bytes that the snap length cut from its end.
    pub(super) cut_bytes: u32,
    /// On I2CP, to whom the application sends it.
    pub(super) addressee: Option<DestinationHash>,
}

impl<'a> Passed<'a> {
    /// A whole message that names no addressee.
    pub(super) const fn new(channel: ChannelId, from: Side, bytes: &'a [u8]) -> Self {
        Self {
            channel,
            from,
            bytes,
            cut_bytes: 0,
            addressee: None,
        }
    }
}

impl Messages {
    pub(super) fn new(depth: Depth, rules: Vec<DecodeAs>, tracker: Tracker) -> Self {
        Self {
            depth,
            rules,
            secrets: None,
            tracker,
            foreign: ForeignCounts::default(),
            near: NearFlows::default(),
            servers: Servers::default(),
            start: None,
            session_count: 0,
            expected: None,
            why: WhyEnded::Traffic,
            forgets: Forgets::Nothing,
        }
    }

    /// Has TLS connections opened whose secrets these are.
    pub(super) fn set_secrets(&mut self, secrets: Option<Arc<KeyLog>>) {
        self.secrets = secrets;
    }

    pub(super) fn secrets(&self) -> Option<&KeyLog> {
        self.secrets.as_deref()
    }

    /// From now on flows end because the capture does: nobody closed them.
    pub(super) const fn begin_end(&mut self) {
        self.why = WhyEnded::Capture;
    }

    pub(super) const fn depth(&self) -> Depth {
        self.depth
    }

    /// Says which conversation the next message is expected to be about.
    #[inline]
    pub(super) const fn expect(&mut self, record: Option<ExpectedRecord>) {
        self.expected = record;
    }

    pub(super) const fn forgets(&self) -> Forgets {
        self.forgets
    }

    pub(super) const fn message_count(&self) -> u64 {
        self.tracker.message_count()
    }

    pub(super) fn next_session(&mut self) -> SessionId {
        let id = SessionId(self.session_count);
        self.session_count += 1;
        id
    }

    /// Takes what the network layer delivers.
    #[inline]
    pub(super) fn deliver<S: Sink>(
        &mut self,
        flow: &mut Flow<FlowState>,
        arrival: Arrival,
        delivery: Delivery<'_>,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        if let (
            FlowState::Datagrams(channel),
            Delivery::Datagram {
                from,
                payload,
                missing_bytes,
            },
        ) = (&flow.state, delivery)
        {
            return self.datagram(*channel, arrival, (from, payload, missing_bytes), sink);
        }
        let delivered = self.deliver_other(flow, arrival, delivery, sink);
        flow.held_bytes = flow.state.held_bytes();
        delivered
    }

    /// Takes a datagram of a flow that carries ministreaming: who sent it, what of it was
    /// captured, and the bytes that were not.
    #[inline]
    fn datagram<S: Sink>(
        &mut self,
        channel: ChannelId,
        arrival: Arrival,
        (from, payload, missing_bytes): (Side, &[u8], u32),
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let passed = Passed {
            cut_bytes: missing_bytes,
            ..Passed::new(channel, from, payload)
        };
        self.message(arrival, passed, sink)
    }

    /// The same as [`deliver`](Self::deliver), for what does not go by its fast path.
    pub(super) fn deliver_other<S: Sink>(
        &mut self,
        flow: &mut Flow<FlowState>,
        arrival: Arrival,
        delivery: Delivery<'_>,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        if let Delivery::Ignored { from, what } = delivery {
            return self.tell_ignored(flow, arrival, from, what, sink);
        }
        if let Delivery::End { how, .. } = delivery
            && self.why != WhyEnded::Capture
        {
            self.why = match how {
                StreamEnd::Evicted => {
                    self.forgets = Forgets::Flows;
                    WhyEnded::Memory
                }
                StreamEnd::Fin | StreamEnd::Reset | StreamEnd::Forgotten => WhyEnded::Traffic,
            };
        }
        if let FlowState::New = flow.state {
            match Encrypted::meet(self.secrets.as_ref(), flow.transport, delivery) {
                Some(encrypted) => flow.state = FlowState::Encrypted(encrypted),
                None => self.begin(flow, start_shown_by(delivery), sink)?,
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
                        detector.push(way_of(from), payload, length, (arrival, missing_bytes))
                    }
                    delivery if ends_datagrams(delivery) => detector.finish(),
                    _ => return Ok(()),
                };
                let Some(verdict) = self.judge(flow, arrival, verdict) else {
                    return Ok(());
                };
                self.settle_datagrams(flow, verdict, sink)?;
                self.end_settled(flow, arrival, delivery, sink)
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
                    Verdict::NeedMore if *ended == [true; 2] => detector.finish(),
                    verdict => verdict,
                };
                let Some(verdict) = self.judge(flow, arrival, verdict) else {
                    return Ok(());
                };
                self.settle_streams(flow, verdict, sink)?;
                self.end_evicted(flow, arrival.time, sink)
            }
            // What is incomplete is not so in the capture.
            (FlowState::Streams(_), Delivery::End { .. }) if self.why == WhyEnded::Memory => {
                self.evict_streams(flow, arrival.time, sink)
            }
            (FlowState::Streams(_), delivery) => match piece_of(delivery) {
                Some(piece) => self.stream(flow, arrival, piece, sink),
                None => Ok(()),
            },
            (FlowState::Encrypted(_), delivery) => self.open_records(flow, arrival, delivery, sink),
            (FlowState::Foreign, delivery) => {
                if let Delivery::Datagram { payload: bytes, .. } | Delivery::Bytes { bytes, .. } =
                    delivery
                {
                    self.foreign.payloads += 1;
                    self.foreign.bytes += bytes.len() as u64;
                }
                Ok(())
            }
            // The first of a flow whose carrier a rule tells.
            (
                FlowState::Datagrams(channel),
                Delivery::Datagram {
                    from,
                    payload,
                    missing_bytes,
                },
            ) => {
                let channel = *channel;
                self.datagram(channel, arrival, (from, payload, missing_bytes), sink)
            }
            (FlowState::New | FlowState::Datagrams(_), delivery) => {
                self.end_settled(flow, arrival, delivery, sink)
            }
        }
    }

    /// The first of a flow: whether a rule tells its carrier.
    pub(super) fn begin<S: Sink>(
        &mut self,
        flow: &mut Flow<FlowState>,
        start: ChannelStart,
        sink: &mut S,
    ) -> Result<(), S::Error> {
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
                Carrier::Udp => return self.begin_datagrams(flow, Decided::ByRule, sink),
                Carrier::TcpU32 => Verdict::LengthPrefixed(Prefix::U32),
                Carrier::TcpU16 => Verdict::LengthPrefixed(Prefix::U16),
                Carrier::Segment => Verdict::Segments,
                // The port that the rule names is the router's.
                Carrier::I2cp if one == rule.port && other != rule.port => Verdict::I2cp {
                    application: Way::Backward,
                },
                Carrier::I2cp => Verdict::I2cp {
                    application: Way::Forward,
                },
            },
        };
        self.begin_streams(flow, verdict, Decided::ByRule, start, sink)
    }

    /// What becomes of a flow in the light of others to its server; nothing yet if it waits for
    /// them.
    fn judge(
        &mut self,
        flow: &mut Flow<FlowState>,
        arrival: Arrival,
        verdict: Verdict,
    ) -> Option<Verdict> {
        match verdict {
            Verdict::NeedMore if self.servers.has_ours() => {}
            Verdict::Foreign => {}
            _ => return Some(verdict),
        }
        let Some(unanswered) = flow.state.unanswered() else {
            return Some(verdict);
        };
        if self.servers.is_ours(flow, &unanswered) {
            return Some(unanswered.verdict());
        }
        if verdict == Verdict::NeedMore {
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

    /// Decodes the flows to a server that waited for one that tells of it.
    fn admit<S: Sink>(
        &mut self,
        waiting: Vec<Waiting>,
        verdict: Verdict,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let why = self.why;
        for mut waiting in waiting {
            let flow = &mut waiting.flow;
            self.why = waiting.why;
            match flow.transport {
                Transport::Udp => self.settle_datagrams(flow, verdict, sink)?,
                Transport::Tcp => self.settle_streams(flow, verdict, sink)?,
            }
            if verdict != Verdict::Foreign {
                let end = Delivery::End {
                    from: Side::Responder,
                    how: StreamEnd::Forgotten,
                };
                self.end_evicted(flow, waiting.ended.time, sink)?;
                self.end_settled(flow, waiting.ended, end, sink)?;
            }
        }
        self.why = why;
        Ok(())
    }

    /// There are no more flows: judges those that wait.
    pub(super) fn judge_waiting<S: Sink>(&mut self, sink: &mut S) -> Result<(), S::Error> {
        while let Some(group) = self.servers.next_group() {
            self.admit(group.flows, group.verdict.unwrap_or(Verdict::Foreign), sink)?;
        }
        Ok(())
    }

    /// A flow turned out to carry ministreaming: so do those to its server that waited.
    fn admit_others<S: Sink>(
        &mut self,
        flow: &Flow<FlowState>,
        verdict: Verdict,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        match verdict.carrier() {
            None | Some(Carrier::I2cp) => Ok(()),
            Some(carrier) => {
                let waiting = self.servers.note_ours(flow.addresses(), carrier);
                self.admit(waiting, verdict, sink)
            }
        }
    }

    /// Decodes the datagrams that were held back, when it is known what they are.
    fn settle_datagrams<S: Sink>(
        &mut self,
        flow: &mut Flow<FlowState>,
        verdict: Verdict,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        if verdict == Verdict::NeedMore {
            return Ok(());
        }
        let has_payload = flow.state.has_payload();
        let FlowState::DecidingDatagrams(detector) = std::mem::take(&mut flow.state) else {
            return Ok(());
        };
        if verdict == Verdict::Foreign {
            if has_payload {
                self.servers.note_other(flow.addresses(), flow.transport);
            }
            if let Some(trace) = detector.trace() {
                self.note_near(flow, Carrier::Udp, trace);
            }
            self.set_foreign(flow);
            return Ok(());
        }
        self.begin_datagrams(flow, Decided::ByContent, sink)?;
        let FlowState::Datagrams(channel) = flow.state else {
            return Ok(());
        };
        detector.replay(|from, message, (arrival, cut_bytes)| {
            let passed = Passed {
                cut_bytes,
                ..Passed::new(channel, side_of(from), message)
            };
            self.message(arrival, passed, sink)
        })?;
        self.admit_others(flow, verdict, sink)
    }

    /// Decodes the stream bytes that were held back, when it is known what they are.
    fn settle_streams<S: Sink>(
        &mut self,
        flow: &mut Flow<FlowState>,
        verdict: Verdict,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        if verdict == Verdict::NeedMore {
            return Ok(());
        }
        let has_payload = flow.state.has_payload();
        let FlowState::DecidingStreams(deciding) = std::mem::take(&mut flow.state) else {
            return Ok(());
        };
        let Deciding {
            detector,
            start,
            odd,
            ..
        } = *deciding;
        if verdict == Verdict::Foreign {
            if has_payload {
                self.servers.note_other(flow.addresses(), flow.transport);
            }
            if let Some((carrier, trace)) = detector.trace() {
                self.note_near(flow, carrier, trace);
            }
            self.set_foreign(flow);
            return Ok(());
        }
        self.begin_streams(flow, verdict, Decided::ByContent, start, sink)?;
        odd.iter().try_for_each(|finding| sink.finding(finding))?;
        detector.replay(|piece, arrival| self.stream(flow, arrival, piece, sink))?;
        self.admit_others(flow, verdict, sink)
    }

    fn begin_streams<S: Sink>(
        &mut self,
        flow: &mut Flow<FlowState>,
        verdict: Verdict,
        decided: Decided,
        start: ChannelStart,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let Some(streams) = Streams::new(verdict, flow.addresses(), &mut self.tracker) else {
            self.set_foreign(flow);
            return Ok(());
        };
        let report = FlowReport {
            id: flow.id,
            addresses: streams.addresses(),
            carrier: streams.carrier(),
            decided,
            start,
        };
        flow.state = FlowState::Streams(Box::new(streams));
        sink.flow(&report)
    }

    fn begin_datagrams<S: Sink>(
        &mut self,
        flow: &mut Flow<FlowState>,
        decided: Decided,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let channel = Channel::new(Carrier::Udp, flow.addresses(), ChannelStart::Unknown, None);
        flow.state = FlowState::Datagrams(self.tracker.open_channel(channel));
        sink.flow(&FlowReport {
            id: flow.id,
            addresses: flow.addresses(),
            carrier: Carrier::Udp,
            decided,
            start: ChannelStart::Unknown,
        })
    }

    /// A segment that receivers ignore is told of where the connection is ours, or may be.
    fn tell_ignored<S: Sink>(
        &mut self,
        flow: &mut Flow<FlowState>,
        arrival: Arrival,
        from: Side,
        what: Ignored,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let (one, other) = (flow.address(from), flow.address(from.opposite()));
        let finding = ignored_segment(arrival, one, other, what);
        match &mut flow.state {
            FlowState::Streams(_) => sink.finding(&finding),
            FlowState::DecidingStreams(deciding) if deciding.odd.len() < MAX_ODD => {
                deciding.odd.push(finding);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn note_near(&mut self, flow: &Flow<FlowState>, carrier: Carrier, trace: Trace) {
        let [client, server] = match trace.to_server {
            Way::Forward => flow.addresses(),
            Way::Backward => {
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

    fn set_foreign(&mut self, flow: &mut Flow<FlowState>) {
        self.foreign.flows += 1;
        flow.state = FlowState::Foreign;
    }

    /// Takes what comes on a TCP connection whose carrier is known.
    fn stream<S: Sink>(
        &mut self,
        flow: &mut Flow<FlowState>,
        arrival: Arrival,
        piece: Piece<'_>,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let FlowState::Streams(streams) = &mut flow.state else {
            return Ok(());
        };
        let left = streams.take(arrival, piece, self, sink)?;
        if left == Left::Nothing && self.why == WhyEnded::Traffic {
            streams.close_channels(&mut self.tracker, arrival.time);
            flow.state = FlowState::Foreign;
            self.tell_outcomes(sink)?;
        }
        Ok(())
    }

    /// Lets go of a connection that was just begun if its memory is needed.
    fn end_evicted<S: Sink>(
        &mut self,
        flow: &mut Flow<FlowState>,
        time: Timestamp,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        match (&flow.state, self.why) {
            (FlowState::Streams(_), WhyEnded::Memory) => self.evict_streams(flow, time, sink),
            _ => Ok(()),
        }
    }

    /// Lets go of a connection whose memory is needed.
    fn evict_streams<S: Sink>(
        &mut self,
        flow: &mut Flow<FlowState>,
        time: Timestamp,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        if let FlowState::Streams(streams) = &flow.state {
            streams.evict_channels(&mut self.tracker, time);
            flow.state = FlowState::Foreign;
        }
        self.tell_outcomes(sink)
    }

    /// Closes the channel of a UDP flow that is forgotten.
    fn end_settled<S: Sink>(
        &mut self,
        flow: &mut Flow<FlowState>,
        arrival: Arrival,
        delivery: Delivery<'_>,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        if let FlowState::Datagrams(channel) = flow.state
            && ends_datagrams(delivery)
            && self.why != WhyEnded::Capture
        {
            match self.why {
                WhyEnded::Memory => self.tracker.evict_channel(channel, arrival.time),
                WhyEnded::Traffic | WhyEnded::Capture => {
                    self.tracker.close_channel(channel, arrival.time);
                }
            }
            flow.state = FlowState::Foreign;
            self.tell_outcomes(sink)?;
        }
        Ok(())
    }

    /// Reads what the next message of a flow needs. What is returned is of no other use.
    #[inline]
    pub(super) fn touch(flow: &Flow<FlowState>) -> u64 {
        match &flow.state {
            FlowState::Streams(streams) => streams.touch(),
            _ => 0,
        }
    }

    /// Where the first message of a packet will look, by its first bytes and by what its
    /// flow is taken to hold there.
    #[inline]
    pub(super) fn prospect(
        &self,
        flow: &Flow<FlowState>,
        from: Side,
        payload: &[u8],
    ) -> Option<Prospect> {
        match &flow.state {
            FlowState::Datagrams(channel) => self.tracker.prospect(*channel, from, payload),
            FlowState::Streams(streams) => {
                let (channel, message) = streams.first_message(from, payload)?;
                self.tracker.prospect(channel, from, message)
            }
            _ => None,
        }
    }

    /// Hands a message on.
    #[inline]
    pub(super) fn message<S: Sink>(
        &mut self,
        arrival: Arrival,
        passed: Passed<'_>,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let message = RawMessage::parse(passed.bytes);
        let expected = self.expected.take();
        match self.carried(arrival.time, &passed, &message, expected, sink) {
            Some(carried) => sink.count(carried),
            None => self.describe(arrival, &passed, message, expected, sink),
        }
    }

    /// What a message carries, if `sink` wants to know no more and there is no more to tell.
    #[inline]
    fn carried<S: Sink>(
        &mut self,
        time: Timestamp,
        passed: &Passed<'_>,
        message: &RawMessage<'_>,
        expected: Option<ExpectedRecord>,
        sink: &S,
    ) -> Option<Carried> {
        if self.depth != Depth::Conversations || passed.cut_bytes > 0 || !sink.only_counts() {
            return None;
        }
        let frame = message.frame()?;
        self.tracker
            .carry_on(passed.channel, passed.from, time, frame, expected)
    }

    /// Hands a message on with all that is to be told of it.
    #[inline(never)]
    fn describe<S: Sink>(
        &mut self,
        arrival: Arrival,
        passed: &Passed<'_>,
        message: RawMessage<'_>,
        expected: Option<ExpectedRecord>,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let elapsed_us = self
            .start
            .map_or(0, |start| arrival.time.micros_since(start));
        let seen = Observation {
            packet: arrival.packet,
            time: arrival.time,
            elapsed_us,
            encapsulation: arrival.encapsulation,
            channel: passed.channel,
            from: passed.from,
            message,
            cut_bytes: passed.cut_bytes,
            addressee: passed.addressee,
        };
        let is_at_router = self.tracker.channel(passed.channel).session.is_some();
        if self.depth == Depth::Messages && !is_at_router {
            let number = self.tracker.pass_over();
            let channel = self.tracker.channel(passed.channel);
            return sink.message(&untracked(&seen, number, channel));
        }
        let event = self.tracker.observe_expected(&seen, expected);
        sink.message(&event)?;
        for finding in event.findings {
            sink.finding(finding)?;
        }
        self.tell_outcomes(sink)
    }

    /// Tells what happened apart from messages.
    #[inline]
    pub(super) fn tell_outcomes<S: Sink>(&mut self, sink: &mut S) -> Result<(), S::Error> {
        if self.tracker.has_outcomes() {
            self.tell_all_outcomes(sink)
        } else {
            Ok(())
        }
    }

    fn tell_all_outcomes<S: Sink>(&mut self, sink: &mut S) -> Result<(), S::Error> {
        while let Some(outcome) = self.tracker.next_outcome() {
            match outcome {
                Outcome::Finding(finding) => sink.finding(&finding)?,
                Outcome::Ended(conversation) => sink.conversation(&conversation)?,
            }
        }
        Ok(())
    }
}

/// What a delivery shows of the beginning of its connection.
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

fn untracked<'a>(seen: &Observation<'a>, number: u64, channel: &'a Channel) -> MessageEvent<'a> {
    MessageEvent {
        number,
        packet: seen.packet,
        time: seen.time,
        elapsed_us: seen.elapsed_us,
        encapsulation: seen.encapsulation,
        carrier: channel.carrier,
        source: channel.addresses[seen.from.index()],
        target: channel.addresses[seen.from.opposite().index()],
        direction: seen
            .message
            .frame()
            .and_then(|frame| frame.frame_type.direction()),
        message: seen.message,
        conversation: None,
        meaning: Meaning::Untracked,
        session: channel.session.as_deref(),
        router_ns: None,
        sent_as: None,
        destination_hash: None,
        findings: &[],
    }
}

/// What a TCP flow delivers, in the carriers' words.
const fn piece_of(delivery: Delivery<'_>) -> Option<Piece<'_>> {
    Some(match delivery {
        Delivery::Datagram { .. } | Delivery::Ignored { .. } => return None,
        Delivery::Bytes {
            from,
            bytes,
            whole_segment,
            cut_bytes,
        } => Piece::Bytes {
            from: way_of(from),
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
            from: way_of(from),
            missing: missing_bytes,
        },
        Delivery::Gap {
            from,
            missing_bytes,
        } => Piece::Gap {
            from: way_of(from),
            missing: missing_bytes,
        },
        Delivery::End { from, .. } => Piece::End { from: way_of(from) },
    })
}

/// The carriers' word for what the network layer calls a side.
const fn way_of(side: Side) -> Way {
    match side {
        Side::Initiator => Way::Forward,
        Side::Responder => Way::Backward,
    }
}

pub(super) const fn side_of(way: Way) -> Side {
    match way {
        Way::Forward => Side::Initiator,
        Way::Backward => Side::Responder,
    }
}
