//! The messages to be sent and their times: a recording made ready to be played.

use std::time::Duration;

use bytes::Bytes;

use super::compare::Compare;
use super::options::{IdPolicy, Order, Pace, PlayOptions, SynPayload, at_speed, interval};
use super::recording::{Effect, RecordedConversation, RecordedMessage, Recording};
use super::transcript::{Transcript, Transcripts};
use crate::conversation::{ConversationId, ConversationState};
use crate::time::Timestamp;
use crate::units::LONGEST_TIME;
use crate::wire::{ClientId, Direction, FrameKind, FrameType, ServerId, StreamId};

/// The messages to be sent, with their times, and the expected answers.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) conversations: Vec<PlannedConversation>,
    /// Most conversations of the recording that were open at once.
    pub(super) peak_open: usize,
    gaps_cut: GapsCut,
    duration: Duration,
    /// Between two messages, where they go at a rate.
    interval: Option<Duration>,
}

/// One conversation of a [`Plan`].
#[derive(Clone, Debug)]
pub(super) struct PlannedConversation {
    pub(super) id: ConversationId,
    pub(super) client_id: Option<ClientId>,
    pub(super) server_id: Option<ServerId>,
    pub(super) opening: Opening,
    /// Raw where the SYN is not in the capture, for then no live id can be had.
    pub(super) ids: IdPolicy,
    /// Time that the recorded peer took to accept or to refuse.
    pub(super) recorded_handshake: Option<Duration>,
    /// Our messages, in order.
    pub(super) steps: Vec<PlannedMessage>,
    /// The expected messages of the peer.
    pub(super) answers: Answers,
    /// The longest that the recorded peer let us wait.
    pub(super) slowest_answer: Duration,
    /// All of it as it was recorded, if it is to be shown.
    pub(super) recorded: Transcript,
}

/// The recorded peer's answer to the SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    Accepted,
    Refused,
    /// The SYN is not in the capture.
    NotCaptured,
}

/// A message that we send.
#[derive(Clone, Debug)]
pub(super) struct PlannedMessage {
    /// When, from the start of the copy.
    pub(super) offset: Duration,
    pub(super) frame_type: FrameType,
    pub(super) recorded_id: StreamId,
    pub(super) payload: Bytes,
    /// Progress of the peer that it waits for.
    pub(super) gate: usize,
    pub(super) number: u64,
}

/// The expected messages of the peer.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    /// Its bytes; those behind `required_bytes` crossed our close.
    pub(super) stream: Bytes,
    pub(super) required_bytes: usize,
    /// Its messages that carry bytes: where each ends in the stream.
    pub(super) ends: Vec<usize>,
    pub(super) required_messages: usize,
    /// Progress at which nothing but a close is owed.
    pub(super) required: usize,
    pub(super) server_closes: bool,
}

/// Silence that was cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GapsCut {
    /// Number of gaps longer than allowed.
    pub count: u64,
    /// The excess of all.
    pub total: Duration,
}

/// The reason why there is no plan.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// No conversation is left to play.
    #[error("nothing to replay: no conversation in the capture can be played")]
    Nothing,
    /// Copies would have equal client ids.
    #[error("recorded ids collide when {concurrency} copies are played at once; use fresh ids")]
    RecordedIdsCollide {
        /// The copies that were asked for.
        concurrency: u32,
    },
    /// Only raw messages can do without the peer's ids.
    #[error("order none goes with raw ids only: other messages need ids that the peer chooses")]
    OrderNone,
    /// The speed or rate is none.
    #[error("a speed or rate is a number above 0, not {0}")]
    BadPace(f64),
}

impl Plan {
    /// Makes a recording ready.
    ///
    /// # Errors
    /// There is nothing to play, or the options do not go together.
    pub fn new(recording: &Recording, options: &PlayOptions) -> Result<Self, PlanError> {
        check(options)?;
        let (offsets, gaps_cut) = offsets(recording, options);
        let conversations: Vec<_> = recording
            .conversations
            .iter()
            .zip(&offsets)
            .map(|(conversation, offsets)| planned(conversation, offsets, options))
            .filter(|planned| !planned.steps.is_empty())
            .collect();
        if conversations.is_empty() {
            return Err(PlanError::Nothing);
        }
        let interval = match options.pace {
            Pace::Rate { per_second } => Some(interval(per_second)),
            Pace::Recorded { .. } | Pace::TopSpeed => None,
        };
        let duration = match interval {
            Some(interval) => {
                let steps: usize = conversations
                    .iter()
                    .map(|planned| planned.steps.len())
                    .sum();
                // There are some, and behind the last nothing is waited for.
                times(interval, steps - 1)
            }
            None => offsets.iter().flatten().max().copied().unwrap_or_default(),
        };
        let mut plan = Self {
            peak_open: peak_open(&recording.conversations),
            conversations,
            gaps_cut,
            duration,
            interval,
        };
        plan.conversations
            .sort_by_key(|planned| (planned.steps[0].offset, planned.id));
        Ok(plan)
    }

    /// Conversations of one pass.
    pub fn conversation_count(&self) -> usize {
        self.conversations.len()
    }

    /// Silence that was cut by [`PlayOptions::max_gap`].
    pub const fn gaps_cut(&self) -> GapsCut {
        self.gaps_cut
    }

    /// Duration of one pass if the peer keeps us waiting no longer than recorded.
    pub const fn duration(&self) -> Duration {
        self.duration
    }

    /// The messages of one pass in the order of their times.
    pub fn schedule(&self) -> Vec<ScheduledMessage> {
        let mut schedule: Vec<ScheduledMessage> = self
            .conversations
            .iter()
            .flat_map(|conversation| {
                conversation.steps.iter().map(|step| ScheduledMessage {
                    offset: step.offset,
                    number: step.number,
                    conversation: conversation.id,
                    frame_type: step.frame_type,
                    recorded_id: step.recorded_id,
                    substitution: substitution(step.frame_type, conversation.ids),
                    payload_bytes: step.payload.len(),
                })
            })
            .collect();
        schedule.sort_by_key(|message| (message.offset, message.number));
        if let Some(interval) = self.interval {
            for (index, message) in schedule.iter_mut().enumerate() {
                message.offset = times(interval, index);
            }
        }
        schedule
    }
}

/// A message and when it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduledMessage {
    /// When it is sent, from the start.
    pub offset: Duration,
    /// Its number in the recording.
    pub number: u64,
    /// Its conversation.
    pub conversation: ConversationId,
    /// Its type.
    pub frame_type: FrameType,
    /// Its id in the recording.
    pub recorded_id: StreamId,
    /// The replacement there.
    pub substitution: Substitution,
    /// Bytes of its payload.
    pub payload_bytes: usize,
}

/// The replacement of a recorded id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Substitution {
    /// Nothing.
    Kept,
    /// A client id of our own.
    FreshClientId,
    /// The server id in the live ACK.
    LearntServerId,
}

fn substitution(frame_type: FrameType, ids: IdPolicy) -> Substitution {
    match (ids, frame_type == FrameType::SYN) {
        (IdPolicy::Raw, _) | (IdPolicy::Recorded, true) => Substitution::Kept,
        (IdPolicy::Fresh, true) => Substitution::FreshClientId,
        (IdPolicy::Fresh | IdPolicy::Recorded, false) => Substitution::LearntServerId,
    }
}

fn check(options: &PlayOptions) -> Result<(), PlanError> {
    let concurrency = options.load.concurrency.get();
    if options.ids == IdPolicy::Recorded && concurrency > 1 {
        return Err(PlanError::RecordedIdsCollide { concurrency });
    }
    if options.order == Order::None && options.ids != IdPolicy::Raw {
        return Err(PlanError::OrderNone);
    }
    match options.pace {
        Pace::Recorded { speed: factor } | Pace::Rate { per_second: factor }
            if !(factor.is_finite() && factor > 0.0) =>
        {
            Err(PlanError::BadPace(factor))
        }
        Pace::Recorded { .. } | Pace::Rate { .. } | Pace::TopSpeed => Ok(()),
    }
}

/// For every message of the recording its time from the start, with long
/// silence cut.
fn offsets(recording: &Recording, options: &PlayOptions) -> (Vec<Vec<Duration>>, GapsCut) {
    let mut offsets: Vec<Vec<Duration>> = recording
        .conversations
        .iter()
        .map(|conversation| vec![Duration::ZERO; conversation.messages.len()])
        .collect();
    let mut gaps_cut = GapsCut::default();
    let Pace::Recorded { speed } = options.pace else {
        return (offsets, gaps_cut);
    };
    let mut times: Vec<(Timestamp, usize, usize)> = recording
        .conversations
        .iter()
        .enumerate()
        .flat_map(|(conversation, recorded)| {
            let messages = recorded.messages.iter().enumerate();
            messages.map(move |(message, recorded)| (recorded.time, conversation, message))
        })
        .collect();
    // Silence is a gap between any two messages, of whichever conversations.
    times.sort_unstable();
    let mut clock = Duration::ZERO;
    let mut previous = times.first().map(|(time, ..)| *time);
    for (time, conversation, message) in times {
        let gap = previous.map_or(Duration::ZERO, |previous| {
            at_speed(between(previous, time), speed)
        });
        previous = Some(time);
        if gap > options.max_gap {
            gaps_cut.count += 1;
            gaps_cut.total += gap - options.max_gap;
        }
        clock = (clock + gap.min(options.max_gap)).min(LONGEST_TIME);
        offsets[conversation][message] = clock;
    }
    (offsets, gaps_cut)
}

fn times(interval: Duration, count: usize) -> Duration {
    interval.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX))
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_nanos(u64::try_from(to.nanos_since(from)).unwrap_or(0))
}

fn planned(
    recorded: &RecordedConversation,
    offsets: &[Duration],
    options: &PlayOptions,
) -> PlannedConversation {
    let ids = match recorded.state {
        // Without a SYN no ACK comes that would name a live server id.
        ConversationState::MidStream => IdPolicy::Raw,
        _ => options.ids,
    };
    let mut builder = Builder::new(options, ids);
    for (message, offset) in recorded.messages.iter().zip(offsets) {
        builder.add(message, *offset);
    }
    let answers = builder.answers();
    PlannedConversation {
        id: recorded.id,
        client_id: recorded.client_id,
        server_id: recorded.server_id,
        opening: builder.opening,
        ids,
        recorded_handshake: builder.handshake,
        steps: builder.steps,
        answers,
        slowest_answer: builder.slowest_answer,
        recorded: match options.transcripts {
            Transcripts::Dropped => Transcript::default(),
            Transcripts::Kept => transcript(recorded),
        },
    }
}

fn transcript(recorded: &RecordedConversation) -> Transcript {
    let mut transcript = Transcript::default();
    let first = recorded.messages.first().map(|message| message.time);
    for message in &recorded.messages {
        let after = first.map_or(Duration::ZERO, |first| between(first, message.time));
        transcript.push(
            after,
            message.direction,
            message.frame_type,
            message.id,
            &message.payload,
        );
    }
    transcript
}

/// Goes through the messages of a conversation once.
struct Builder<'a> {
    options: &'a PlayOptions,
    ids: IdPolicy,
    opening: Opening,
    syn: Option<Timestamp>,
    /// Time from the SYN until it was accepted or refused.
    handshake: Option<Duration>,
    steps: Vec<PlannedMessage>,
    clock: Duration,
    stream: Vec<u8>,
    ends: Vec<usize>,
    /// Bytes and messages that the peer had sent when we closed.
    at_our_close: Option<(usize, usize)>,
    server_closes: bool,
    slowest_answer: Duration,
    previous: Option<Timestamp>,
}

impl<'a> Builder<'a> {
    fn new(options: &'a PlayOptions, ids: IdPolicy) -> Self {
        Self {
            options,
            ids,
            opening: Opening::NotCaptured,
            syn: None,
            handshake: None,
            steps: Vec::new(),
            clock: Duration::ZERO,
            stream: Vec::new(),
            ends: Vec::new(),
            at_our_close: None,
            server_closes: false,
            slowest_answer: Duration::ZERO,
            previous: None,
        }
    }

    fn add(&mut self, message: &RecordedMessage, offset: Duration) {
        let previous = self.previous.replace(message.time);
        self.clock = self.clock.max(offset);
        match message.direction {
            Direction::ClientToServer => {
                if message.frame_type == FrameType::SYN && self.syn.is_none() {
                    self.syn = Some(message.time);
                }
                self.add_step(message);
            }
            Direction::ServerToClient => {
                let waited = previous.map_or(Duration::ZERO, |time| between(time, message.time));
                self.slowest_answer = self.slowest_answer.max(waited);
                self.add_answer(message);
            }
        }
    }

    fn add_step(&mut self, message: &RecordedMessage) {
        let raw = self.ids == IdPolicy::Raw;
        let is_close = message.frame_type.kind() == FrameKind::Close;
        // The peer had closed already: only raw traffic repeats messages that crossed that.
        if self.server_closes && !raw {
            return;
        }
        let waits = match self.options.order {
            Order::None => false,
            Order::Ids => is_close,
            Order::Replies => true,
        };
        let gate = if waits {
            self.progress(self.stream.len(), self.ends.len())
        } else {
            0
        };
        if is_close && self.at_our_close.is_none() {
            self.at_our_close = Some((self.stream.len(), self.ends.len()));
        }
        let payload = match (&self.options.syn_payload, message.frame_type) {
            (SynPayload::Replace(destination), FrameType::SYN) => destination.clone(),
            _ => message.payload.clone(),
        };
        self.steps.push(PlannedMessage {
            offset: self.clock,
            frame_type: message.frame_type,
            recorded_id: message.id,
            payload,
            gate,
            number: message.number,
        });
    }

    fn add_answer(&mut self, message: &RecordedMessage) {
        // A peer that took its time to refuse is granted it as one that accepted: the reference
        // refuses after 5 s a SYN that nobody accepts (docs/protocol.md, "Sizes and times").
        if matches!(message.effect, Effect::Accepted | Effect::Refused) && self.handshake.is_none()
        {
            self.handshake = self.syn.map(|syn| between(syn, message.time));
        }
        match (message.frame_type.kind(), message.effect) {
            (_, Effect::Accepted) => self.opening = Opening::Accepted,
            (_, Effect::Refused) => self.opening = Opening::Refused,
            (_, Effect::Closed) => self.server_closes |= self.at_our_close.is_none(),
            // Data that crossed our close means nothing to the conversation, but may come again.
            (FrameKind::Data, Effect::Carried | Effect::Ignored)
                if !self.server_closes && !message.payload.is_empty() =>
            {
                self.stream.extend_from_slice(&message.payload);
                self.ends.push(self.stream.len());
            }
            _ => {}
        }
    }

    fn answers(&mut self) -> Answers {
        let (required_bytes, required_messages) = self
            .at_our_close
            .unwrap_or((self.stream.len(), self.ends.len()));
        Answers {
            required: self.progress(required_bytes, required_messages),
            stream: std::mem::take(&mut self.stream).into(),
            required_bytes,
            ends: std::mem::take(&mut self.ends),
            required_messages,
            server_closes: self.server_closes,
        }
    }

    fn progress(&self, bytes: usize, messages: usize) -> usize {
        progress(self.options.compare, bytes, messages)
    }
}

/// The progress of the peer, in the unit in which the comparison counts.
pub(super) fn progress(compare: Compare, bytes: usize, messages: usize) -> usize {
    match compare {
        Compare::Stream | Compare::Messages => bytes,
        Compare::Shape => messages,
        Compare::None => messages.min(1),
    }
}

fn peak_open(conversations: &[RecordedConversation]) -> usize {
    let mut changes: Vec<(Timestamp, i8)> = Vec::with_capacity(2 * conversations.len());
    for conversation in conversations {
        let times = conversation.messages.iter().map(|message| message.time);
        if let (Some(first), Some(last)) = (times.clone().min(), times.max()) {
            changes.push((first, 1));
            changes.push((last, -1));
        }
    }
    // At the same moment those that end come after those that begin.
    changes.sort_unstable_by_key(|&(time, change)| (time, -change));
    let mut open = 0_usize;
    let mut peak = 1;
    for (_, change) in changes {
        open = open.saturating_add_signed(isize::from(change));
        peak = peak.max(open);
    }
    peak
}
