//! The meaning of messages: each is shown to the tracker, whose reports go to the sink.

use super::ahead::{Glimpse, RecordsAhead};
use super::findings::about_capture;
use super::flows::FlowCounts;
use super::located::{InStep, Next, Walk};
use super::passage::{Event, Passage, Passed, Sender};
use super::{Depth, Sink};
use crate::conversation::{
    Carried, Channel, DetailName, EndOfInput, ExpectedRecord, Finding, FindingCode, FindingDetail,
    Meaning, MessageEvent, Observation, Tracker, TrackerEvent,
};
use crate::net::Arrival;
use crate::time::Timestamp;

/// Follows conversations from messages whose places are known.
#[derive(Debug)]
pub(super) struct Tracking {
    depth: Depth,
    pub(super) tracker: Tracker,
    /// Time of the first packet.
    start: Option<Timestamp>,
    ahead: RecordsAhead,
    /// The conversation that the next message is expected to be about.
    expected: Option<ExpectedRecord>,
    memory_advice: &'static str,
}

impl Tracking {
    pub(super) fn new(depth: Depth, tracker: Tracker, memory_advice: &'static str) -> Self {
        Self {
            depth,
            tracker,
            start: None,
            ahead: RecordsAhead::default(),
            expected: None,
            memory_advice,
        }
    }

    /// Takes messages and events, and reports them to `sink`.
    #[inline(always)]
    pub(super) const fn with<'a, S: Sink>(&'a mut self, sink: &'a mut S) -> Tracked<'a, S> {
        Tracked {
            tracking: self,
            sink,
        }
    }

    /// Whether there are so many conversations that looking ahead is of use.
    pub(super) fn are_many(&self) -> bool {
        RecordsAhead::is_of_use(&self.tracker)
    }

    /// Looks ahead at messages, one of which, or none, comes with each of the next steps.
    pub(super) fn look<'a>(&mut self, messages: impl Iterator<Item = Option<Glimpse<'a>>>) {
        match self.depth {
            Depth::Messages => {}
            Depth::Conversations => self.ahead.look(messages, &self.tracker),
        }
    }

    /// Nothing is known of the messages that come next.
    pub(super) fn look_no_more(&mut self) {
        self.ahead.clear();
    }

    /// The next of the steps comes that were looked at.
    #[inline(always)]
    pub(super) fn next_step(&mut self) {
        self.expected = self.ahead.next();
    }

    /// Takes the next item from flows that are followed elsewhere; returns its place in its step.
    #[inline(always)]
    pub(super) fn take_next<S: Sink>(
        &mut self,
        walk: &mut Walk,
        sink: &mut S,
    ) -> Result<InStep, S::Error> {
        if walk.is_at_end_of_window() {
            let messages = walk.next_window();
            if self.are_many() {
                self.look(messages);
            } else {
                self.look_no_more();
            }
        }
        let (next, in_step) = walk.step();
        match next {
            Next::Message(arrival, passed) => {
                self.next_step();
                self.message(arrival, &passed, sink)?;
            }
            Next::Event(event) => self.event(*event, sink)?,
            Next::Nothing => {}
        }
        Ok(in_step)
    }

    /// The capture is over: reports all that is still open, and the counts of the forgotten.
    pub(super) fn finish<S: Sink>(
        &mut self,
        end: EndOfInput,
        flows: &FlowCounts,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        self.tracker.finish(flows.latest.unwrap_or_default(), end);
        self.report_events(sink)?;
        self.report_forgotten(flows, sink)
    }

    /// Reports data forgotten for want of memory, one finding for each kind.
    fn report_forgotten<S: Sink>(&self, flows: &FlowCounts, sink: &mut S) -> Result<(), S::Error> {
        let (network, forgotten) = (&flows.network, self.tracker.forgotten());
        let flows_since = network.evicted_since.map(|arrival| arrival.time);
        for (count, since, what, name) in [
            (
                network.evicted_flows,
                flows_since,
                "flows were forgotten while they may have been in use",
                DetailName::FlowCount,
            ),
            (
                forgotten.conversations,
                forgotten.conversations_since,
                "conversations were reported as they stood",
                DetailName::ConversationCount,
            ),
            (
                forgotten.closed_conversations,
                forgotten.closed_conversations_since,
                "closed conversations were forgotten, and what came late for them is not recognised",
                DetailName::ClosedConversationCount,
            ),
        ] {
            let (Some(since), Some(start)) = (since, self.start) else {
                continue;
            };
            let since_us = since.micros_since(start).max(0);
            let text = format!(
                "{count} {what}, from {}.{:06} s on, for want of memory; {}",
                since_us / 1_000_000,
                since_us % 1_000_000,
                self.memory_advice
            );
            sink.finding(&about_capture(
                FindingCode::CaptureEvicted,
                text,
                vec![
                    (name, FindingDetail::Number(count)),
                    (
                        DetailName::SinceUs,
                        FindingDetail::Number(since_us.unsigned_abs()),
                    ),
                ],
            ))?;
        }
        Ok(())
    }

    fn event<S: Sink>(&mut self, event: Event, sink: &mut S) -> Result<(), S::Error> {
        match event {
            Event::Began(time) => self.start = Some(time),
            Event::Flow(flow) => return sink.flow(&flow),
            Event::Opened(id, channel) => self.tracker.open_channel_as(id, *channel),
            Event::MissedStart(channel) => self.tracker.note_missed_start(channel),
            Event::Gap(channel) => self.tracker.note_gap(channel),
            Event::Closed(channel, time) => self.tracker.close_channel(channel, time),
            Event::Evicted(channel, time) => self.tracker.evict_channel(channel, time),
            Event::Finding(finding) => return sink.finding(&finding),
        }
        self.report_events(sink)
    }

    /// Takes the next message.
    #[inline]
    fn message<S: Sink>(
        &mut self,
        arrival: Arrival,
        passed: &Passed<'_>,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let expected = self.expected.take();
        match self.carried(arrival.time, passed, expected, sink) {
            Some(carried) => sink.count(carried),
            None => self.describe(arrival, passed, expected, sink),
        }
    }

    /// The data of a message, if `sink` wants to know no more and there is no more to report.
    #[inline]
    fn carried<S: Sink>(
        &mut self,
        time: Timestamp,
        passed: &Passed<'_>,
        expected: Option<ExpectedRecord>,
        sink: &S,
    ) -> Option<Carried> {
        if self.depth != Depth::Conversations
            || passed.cut_bytes > 0
            || passed.sender == Sender::Unproven
            || !sink.only_counts()
        {
            return None;
        }
        let frame = passed.message.frame()?;
        self.tracker
            .carry_on(passed.channel, passed.from, time, frame, expected)
    }

    /// Hands a message on with all that is to be said of it.
    #[inline(never)]
    fn describe<S: Sink>(
        &mut self,
        arrival: Arrival,
        passed: &Passed<'_>,
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
            message: passed.message,
            cut_bytes: passed.cut_bytes,
            addressee: passed.addressee,
        };
        let is_at_router = self.tracker.channel(passed.channel).session().is_some();
        if self.depth == Depth::Messages && !is_at_router {
            let number = self.tracker.pass_over();
            let channel = self.tracker.channel(passed.channel);
            let event = untracked(&seen, number, channel);
            sink.message(&event)?;
            return match passed.sender {
                Sender::AsNamed => Ok(()),
                Sender::Unproven => sink.finding(&unproven_syn(&event)),
            };
        }
        let event = self.tracker.observe_expected(&seen, expected);
        sink.message(&event)?;
        if passed.sender == Sender::Unproven {
            sink.finding(&unproven_syn(&event))?;
        }
        for finding in event.findings {
            sink.finding(finding)?;
        }
        self.report_events(sink)
    }

    /// Reports events apart from messages.
    #[inline]
    pub(super) fn report_events<S: Sink>(&mut self, sink: &mut S) -> Result<(), S::Error> {
        if self.tracker.has_events() {
            self.report_all_events(sink)
        } else {
            Ok(())
        }
    }

    fn report_all_events<S: Sink>(&mut self, sink: &mut S) -> Result<(), S::Error> {
        while let Some(event) = self.tracker.next_event() {
            match event {
                TrackerEvent::Finding(finding) => sink.finding(&finding)?,
                TrackerEvent::Ended(conversation) => sink.conversation(&conversation)?,
            }
        }
        Ok(())
    }
}

/// Takes messages and events from the flows, and reports them to a sink.
pub(super) struct Tracked<'a, S> {
    tracking: &'a mut Tracking,
    sink: &'a mut S,
}

impl<S: Sink> Passage for Tracked<'_, S> {
    type Error = S::Error;

    #[inline]
    fn message(&mut self, arrival: Arrival, passed: Passed<'_>) -> Result<(), S::Error> {
        self.tracking.message(arrival, &passed, self.sink)
    }

    fn event(&mut self, event: Event) -> Result<(), S::Error> {
        self.tracking.event(event, self.sink)
    }
}

fn unproven_syn(event: &MessageEvent<'_>) -> Finding {
    let code = FindingCode::TlsUnprovenSyn;
    Finding {
        code,
        level: code.level(),
        message: Some(event.number),
        packet: Some(event.packet),
        conversation: event.conversation,
        text: "SYN names another destination than its connection has proven".to_owned(),
        detail: Vec::new(),
    }
}

fn untracked<'a>(seen: &Observation<'a>, number: u64, channel: &'a Channel) -> MessageEvent<'a> {
    MessageEvent {
        number,
        packet: seen.packet,
        time: seen.time,
        elapsed_us: seen.elapsed_us,
        encapsulation: seen.encapsulation,
        carrier: channel.carrier,
        source: channel.address(seen.from),
        target: channel.address(seen.from.opposite()),
        direction: seen
            .message
            .frame()
            .and_then(|frame| frame.frame_type.direction()),
        message: seen.message,
        conversation: None,
        meaning: Meaning::Untracked,
        session: channel.session(),
        router_ns: None,
        sent_as: None,
        destination_hash: None,
        findings: &[],
    }
}
