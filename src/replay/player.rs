//! The player: the client side of a recording against a live server, as a
//! state machine with the time as an argument.
//!
//! After every input, call [`Player::poll_output`] until it gives
//! [`PlayerOutput::Timeout`], [`PlayerOutput::Idle`] or [`PlayerOutput::Done`].
//! Everything costs the same however many conversations are live, but for
//! timers, whose cost grows with the logarithm of their number.

mod copies;
mod judge;
mod live;
mod stats;
mod timers;

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use slab::Slab;

use self::copies::Copies;
use self::live::{Hindrance, Live, Phase};
use self::timers::{Timer, Timers};
use super::compare::{Compare, Masked, Masks};
use super::options::{IdPolicy, Order, Pace, PlayOptions, interval};
use super::outcome::{Note, PlayOutcome, ReplayResult};
use super::plan::{Plan, PlannedMessage};
use super::transcript::{Exchange, Transcripts};
use crate::endpoint::AddressProof;
use crate::endpoint::abandoned::Abandoned;
use crate::endpoint::id_pool::IdPool;
use crate::wire::{
    ClientId, Direction, FrameType, Message, PayloadShape, RawFrame, RawMessage, ServerId, StreamId,
};

pub use self::stats::{Percentiles, PlayStats};

/// Bytes that the transcripts of all live conversations hold.
const MAX_TRANSCRIBED_BYTES: usize = 64 << 20;

/// Conversations that are begun before messages that are ready are sent.
const STARTS_AT_ONCE: usize = 1_024;

/// A request of a player.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlayerOutput {
    /// Send this to the server.
    Transmit(Message),
    /// A conversation is over and judged.
    Finished(Box<PlayOutcome>),
    /// Nothing before this moment, unless there is input first.
    Timeout(Instant),
    /// Nothing until the link takes messages again.
    Idle,
    /// All is over.
    Done(PlayEnd),
}

/// The end of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlayEnd {
    /// Everything was played.
    Complete,
    /// The overall timeout passed.
    TimedOut,
    /// It was stopped.
    Stopped,
    /// The link was lost.
    LinkLost,
}

/// Plays the client side of a recording.
#[derive(Debug)]
pub struct Player {
    plan: Plan,
    options: PlayOptions,
    masks: Masks,
    masked: Masked,
    rng: ChaCha12Rng,
    /// Client ids. The id in every message from a server is the client's, so a server may
    /// hand out equal ids as it likes.
    ids: IdPool,
    live: Slab<Live>,
    next_serial: u64,
    copies: Copies,
    timers: Timers,
    /// Conversations whose next message may go now.
    ready: VecDeque<(usize, u64)>,
    /// When the peer was last heard.
    heard: Option<Instant>,
    /// Messages that no recorded one stands for: closes for conversations that the server would
    /// be left alone with, and proofs of our address.
    unrecorded: VecDeque<Message>,
    outcomes: VecDeque<PlayOutcome>,
    abandoned: Abandoned<()>,
    /// Bytes of the transcripts of live conversations.
    transcribed_bytes: usize,
    link: LinkState,
    /// When the next message may go, at a rate.
    next_send: Instant,
    end: Option<PlayEnd>,
    stats: PlayStats,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LinkState {
    Free,
    Blocked,
    Lost,
}

impl Player {
    /// A player that begins at `now`. The ids that it chooses follow from `seed`.
    pub fn new(
        plan: Plan,
        options: PlayOptions,
        masks: Masks,
        seed: [u8; 32],
        now: Instant,
    ) -> Self {
        let start = now + options.start_delay;
        let mut timers = Timers::default();
        timers.push(now + options.timeouts.overall, Timer::Overall);
        let copies = Copies::new(&options.load, start, &mut timers);
        Self {
            masked: if masks.concern(Direction::ServerToClient) {
                Masked::Yes
            } else {
                Masked::No
            },
            plan,
            options,
            masks,
            rng: ChaCha12Rng::from_seed(seed),
            ids: IdPool::default(),
            live: Slab::new(),
            next_serial: 0,
            copies,
            timers,
            ready: VecDeque::new(),
            heard: None,
            unrecorded: VecDeque::new(),
            outcomes: VecDeque::new(),
            abandoned: Abandoned::new(),
            transcribed_bytes: 0,
            link: LinkState::Free,
            next_send: start,
            end: None,
            stats: PlayStats::default(),
        }
    }

    /// Counts of messages sent and received so far.
    pub const fn stats(&self) -> &PlayStats {
        &self.stats
    }

    /// The masks, which know whether they were used.
    pub const fn masks(&self) -> &Masks {
        &self.masks
    }

    /// Conversations that are open now.
    pub fn live_count(&self) -> usize {
        self.live.len()
    }

    /// The link takes no more messages until [`handle_ready`](Self::handle_ready).
    pub fn handle_blocked(&mut self) {
        if self.link == LinkState::Free {
            self.link = LinkState::Blocked;
        }
    }

    /// The link takes messages again.
    pub fn handle_ready(&mut self) {
        if self.link == LinkState::Blocked {
            self.link = LinkState::Free;
        }
    }

    /// The link is gone: conversations that are not over fail.
    pub fn handle_link_lost(&mut self, now: Instant) {
        self.link = LinkState::Lost;
        // A replay is not over while closes wait, and these will never be sent.
        self.unrecorded.clear();
        self.end_all(
            now,
            PlayEnd::LinkLost,
            Some(ReplayResult::TransportError),
            None,
        );
    }

    /// Ends the replay: open conversations are reported as not played to their end.
    pub fn stop(&mut self, now: Instant) {
        self.end_all(
            now,
            PlayEnd::Stopped,
            Some(ReplayResult::Skipped),
            Some(Note::Stopped),
        );
    }

    /// Takes a message that the server sent.
    pub fn handle_message(&mut self, now: Instant, message: &Bytes) {
        self.heard = self.heard.max(Some(now));
        let RawMessage::Frame(frame) = RawMessage::parse(message) else {
            self.stats.ignored_messages += 1;
            return;
        };
        if frame.frame_type.direction() != Some(Direction::ServerToClient) {
            self.stats.ignored_messages += 1;
            return;
        }
        self.stats.received_messages += 1;
        match self.ids.slot(frame.id) {
            Some(slot) => self.handle_frame(now, slot, &frame),
            None => self.handle_late(&frame),
        }
    }

    /// The next request.
    pub fn poll_output(&mut self, now: Instant) -> PlayerOutput {
        loop {
            if let Some(outcome) = self.outcomes.pop_front() {
                return PlayerOutput::Finished(Box::new(outcome));
            }
            // Deadlines may be judged by an earlier time than the one at which what is begun now begins.
            let present = self.heard.map_or(now, |heard| heard.max(now));
            if let Some(message) = self.next_message(present) {
                return PlayerOutput::Transmit(message);
            }
            if self.fire(now) || self.begin_more(present) {
                continue;
            }
            if self.is_over() {
                return PlayerOutput::Done(self.end.unwrap_or(PlayEnd::Complete));
            }
            return match self.next_wake(now) {
                Some(at) => PlayerOutput::Timeout(at),
                None => PlayerOutput::Idle,
            };
        }
    }

    fn is_over(&self) -> bool {
        self.live.is_empty()
            && self.unrecorded.is_empty()
            && (self.end.is_some() || self.copies.are_done())
    }

    fn next_wake(&self, now: Instant) -> Option<Instant> {
        let timer = self.timers.next();
        let rated = matches!(self.options.pace, Pace::Rate { .. })
            && !self.ready.is_empty()
            && self.link == LinkState::Free;
        let rate = rated.then_some(self.next_send.max(now));
        [timer, rate].into_iter().flatten().min()
    }

    // --- sending ---

    fn next_message(&mut self, now: Instant) -> Option<Message> {
        if self.link != LinkState::Free {
            return None;
        }
        if let Some(message) = self.unrecorded.pop_front() {
            return Some(message);
        }
        while let Some(&(slot, serial)) = self.ready.front() {
            let known = self
                .live
                .get(slot)
                .is_some_and(|live| live.serial == serial && live.phase == Phase::Playing);
            if known && !self.may_send(now) {
                return None;
            }
            self.ready.pop_front();
            if known {
                return Some(self.send(now, slot));
            }
        }
        None
    }

    /// At a rate, whether the next message's moment has come.
    fn may_send(&mut self, now: Instant) -> bool {
        let Pace::Rate { per_second } = self.options.pace else {
            return true;
        };
        if now < self.next_send {
            return false;
        }
        self.stats.lag(now - self.next_send);
        self.next_send += interval(per_second);
        true
    }

    fn send(&mut self, now: Instant, slot: usize) -> Message {
        let live = &mut self.live[slot];
        let planned = &self.plan.conversations[live.planned];
        let step = &planned.steps[live.next_step];
        let message = Message {
            frame_type: step.frame_type,
            id: live.id_for(step, planned.ids),
            payload: step.payload.clone(),
        };
        // At a rate `may_send` has counted it, against the moment that the rate gave.
        if !matches!(self.options.pace, Pace::Rate { .. }) {
            self.stats.lag(now.saturating_duration_since(live.eligible));
        }
        live.names_server |= message.frame_type != FrameType::SYN;
        live.sent(now, step);
        self.note(now, slot, Direction::ClientToServer, &message.as_frame());
        self.stats.sent_messages += 1;
        self.stats.sent_syns += u64::from(message.frame_type == FrameType::SYN);
        self.stats.sent_bytes += message.message_bytes() as u64;
        self.advance(now, slot);
        message
    }

    /// Keeps a message for the picture of its conversation.
    fn note(&mut self, now: Instant, slot: usize, direction: Direction, frame: &RawFrame<'_>) {
        if self.options.transcripts == Transcripts::Dropped {
            return;
        }
        let live = &mut self.live[slot];
        if self.transcribed_bytes >= MAX_TRANSCRIBED_BYTES {
            live.transcript.messages_left_out += 1;
            return;
        }
        let after = now.saturating_duration_since(live.started);
        self.transcribed_bytes +=
            live.transcript
                .push(after, direction, frame.frame_type, frame.id, frame.payload);
    }

    // --- hearing ---

    fn handle_frame(&mut self, now: Instant, slot: usize, frame: &RawFrame<'_>) {
        self.note(now, slot, Direction::ServerToClient, frame);
        let live = &mut self.live[slot];
        live.last_received = now;
        match frame.frame_type {
            FrameType::ACK => self.handle_ack(now, slot, frame),
            FrameType::SERVER_DATA => self.handle_data(slot, frame.payload),
            FrameType::SERVER_CLOSE => self.handle_close(now, slot),
            _ => {
                self.stats.ignored_messages += 1;
                return;
            }
        }
        self.advance(now, slot);
    }

    fn handle_ack(&mut self, now: Instant, slot: usize, frame: &RawFrame<'_>) {
        let live = &mut self.live[slot];
        match (live.server_id, frame.announced_id()) {
            // Behind a refusal an ACK opens nothing.
            (None, Some(id)) if live.refused.is_none() => {
                live.server_id = Some(id);
                let handshake = now.saturating_duration_since(live.started);
                live.handshake = Some(handshake);
                self.stats.handshake(handshake);
                self.prove_address(slot, id);
            }
            // The close of the specification's sample (c) (docs/protocol.md, "Where the text and
            // the wire differ").
            (Some(_), None) if frame.payload_shape() == PayloadShape::NoServerId => {
                live.server_closed = true;
            }
            // A second ACK, or one without a usable id: the first one stays (docs/protocol.md,
            // "What peers may count on").
            _ => self.stats.ignored_messages += 1,
        }
    }

    /// A server that speaks next may keep that back until a message names the id that it gave
    /// us (docs/endpoint.md, "Datagrams").
    fn prove_address(&mut self, slot: usize, id: ServerId) {
        let live = &self.live[slot];
        let planned = &self.plan.conversations[live.planned];
        let we_speak_next = planned
            .steps
            .get(live.next_step)
            .is_some_and(|step| step.gate == 0);
        if !we_speak_next {
            self.name_server(slot, id);
        }
    }

    /// Sends an empty message with the server's id, where that proves our address.
    fn name_server(&mut self, slot: usize, id: ServerId) {
        let live = &mut self.live[slot];
        let planned = &self.plan.conversations[live.planned];
        if self.options.address_proof == AddressProof::Required && planned.ids != IdPolicy::Raw {
            live.names_server = true;
            self.unrecorded.push_back(Message {
                frame_type: FrameType::CLIENT_DATA,
                id: id.0,
                payload: Bytes::new(),
            });
        }
    }

    fn handle_data(&mut self, slot: usize, payload: &[u8]) {
        let live = &mut self.live[slot];
        // After a close the id is unknown, and data for it are dropped (docs/protocol.md, "What
        // peers may count on").
        if payload.is_empty() || live.server_closed {
            return;
        }
        let answers = &self.plan.conversations[live.planned].answers;
        live.answers.push(answers, payload, self.masked);
        self.stats.received_bytes += payload.len() as u64;
    }

    fn handle_close(&mut self, now: Instant, slot: usize) {
        let live = &mut self.live[slot];
        live.server_closed = true;
        if live.server_id.is_none() && live.refused.is_none() {
            let handshake = now.saturating_duration_since(live.started);
            live.handshake = Some(handshake);
            live.refused = Some(handshake);
            self.stats.handshake(handshake);
        }
        // What we were to say next is not said any more, and the server counts only clients that
        // are there.
        if let (Some(id), false) = (live.server_id, live.names_server) {
            self.name_server(slot, id);
        }
    }

    /// A message for nobody: an ACK that came too late leaves the server
    /// half-open, so it is closed.
    fn handle_late(&mut self, frame: &RawFrame<'_>) {
        self.stats.late_messages += 1;
        let is_ack = frame.frame_type == FrameType::ACK;
        if is_ack
            && self.abandoned.take(ClientId(frame.id)).is_some()
            && let Some(id) = frame.announced_id()
        {
            self.unrecorded.push_back(client_close(id));
        }
    }

    // --- time ---

    /// Acts on the timers that are due; false if none is.
    fn fire(&mut self, now: Instant) -> bool {
        let Some((at, timer)) = self.timers.pop_due(now) else {
            return false;
        };
        match timer {
            Timer::Overall => self.end_all(now, PlayEnd::TimedOut, None, None),
            Timer::Copy(copy) => self.copies.wake(copy),
            Timer::Live { slot, serial } => {
                // The slot may be another conversation's by now.
                if let Some(live) = self.live.get_mut(slot)
                    && live.serial == serial
                {
                    // Timers are not taken out: one that is not the armed one is left over.
                    if live.armed == Some(at) {
                        live.armed = None;
                    }
                    self.advance(now, slot);
                }
            }
        }
        true
    }

    fn arm(&mut self, slot: usize, at: Instant) {
        let live = &mut self.live[slot];
        if live.armed.is_none_or(|armed| at < armed) {
            live.armed = Some(at);
            let serial = live.serial;
            self.timers.push(at, Timer::Live { slot, serial });
        }
    }

    // --- beginning and ending ---

    /// Begins conversations that are due; false if there are none.
    fn begin_more(&mut self, now: Instant) -> bool {
        if self.end.is_some() {
            return false;
        }
        let limit = match self.options.pace {
            Pace::Recorded { .. } => usize::MAX,
            Pace::Rate { .. } | Pace::TopSpeed => self.plan.peak_open,
        };
        let mut begun = 0;
        while begun < STARTS_AT_ONCE
            && let Some(start) = self
                .copies
                .next_start(now, &self.plan, limit, &mut self.timers)
        {
            self.begin(now, start);
            begun += 1;
        }
        begun > 0
    }

    fn begin(&mut self, now: Instant, start: copies::Start) {
        let planned = &self.plan.conversations[start.planned];
        let slot = self.live.vacant_key();
        let client_id = match (planned.ids, planned.client_id) {
            (IdPolicy::Fresh, _) => Some(ClientId(self.ids.draw(&mut self.rng, slot))),
            (IdPolicy::Recorded | IdPolicy::Raw, Some(id)) if self.ids.claim(id.0, slot) => {
                Some(id)
            }
            (_, None) => None,
            (IdPolicy::Recorded | IdPolicy::Raw, Some(id)) => {
                let live = Live::new(&start, None, self.next_serial, now);
                let outcome = live.skipped(planned, Note::IdInUse(id));
                self.outcomes.push_back(outcome);
                return self
                    .copies
                    .conversation_over(now, start.copy, &mut self.timers);
            }
        };
        let live = Live::new(&start, client_id, self.next_serial, now);
        self.next_serial += 1;
        self.live.insert(live);
        self.stats.conversations += 1;
        self.advance(now, slot);
    }

    /// Finds out what a conversation waits for, and sees to it. The one place that moves a
    /// conversation on.
    fn advance(&mut self, now: Instant, slot: usize) {
        let live = &self.live[slot];
        let planned = &self.plan.conversations[live.planned];
        match live.phase {
            Phase::Lingering { until } if now >= until => self.conclude(now, slot, None, None),
            Phase::Lingering { until } => self.arm(slot, until),
            Phase::Playing => match live.hindrance(planned, &self.options, now) {
                Hindrance::None if live.queued => {}
                Hindrance::None => {
                    let live = &mut self.live[slot];
                    let due = live.base + planned.steps[live.next_step].offset;
                    // The lag is measured from when the last condition was met: its time had come,
                    // the message before it was sent, and the messages that it waits for were
                    // received.
                    live.eligible = due.max(live.changed.max(live.last_received)).min(now);
                    live.queued = true;
                    // A rate is no debt: time in which nothing was ready is not made up for.
                    if self.ready.is_empty() {
                        self.next_send = self.next_send.max(now);
                    }
                    let serial = live.serial;
                    self.ready.push_back((slot, serial));
                }
                Hindrance::Time(at) => self.arm(slot, at),
                Hindrance::Peer { until } if now >= until => self.give_up(now, slot),
                Hindrance::Peer { until } => self.arm(slot, until),
                Hindrance::Finished => self.finish(now, slot),
            },
        }
    }

    /// The peer was silent for too long.
    fn give_up(&mut self, now: Instant, slot: usize) {
        let live = &mut self.live[slot];
        let unanswered = live.server_id.is_none();
        if self.options.compare == Compare::None && !unanswered {
            // The bytes are not looked at: go on without them.
            live.patience_is_over = true;
            if live.next_step < self.plan.conversations[live.planned].steps.len() {
                return self.advance(now, slot);
            }
        }
        let note = unanswered.then(|| Note::NoAnswer {
            waited: now.saturating_duration_since(live.started),
        });
        if unanswered && let Some(id) = live.client_id {
            self.abandoned.insert(id, ());
        }
        self.conclude(now, slot, None, note);
    }

    /// Everything was sent and came, or the peer ended it.
    fn finish(&mut self, now: Instant, slot: usize) {
        let live = &self.live[slot];
        if live.server_closed || live.opened_against(&self.plan.conversations[live.planned]) {
            return self.conclude(now, slot, None, None);
        }
        let copy = live.copy;
        // A server that sends more than recorded is found out (docs/replay.md, "The verdict");
        // the copy does not wait for that.
        let until = now + self.options.linger;
        self.live[slot].phase = Phase::Lingering { until };
        self.live[slot].released = true;
        self.arm(slot, until);
        self.copies.conversation_over(now, copy, &mut self.timers);
    }

    fn conclude(
        &mut self,
        now: Instant,
        slot: usize,
        forced: Option<ReplayResult>,
        note: Option<Note>,
    ) {
        let live = self.live.remove(slot);
        if let Some(id) = live.client_id {
            self.ids.release(id.0);
        }
        let planned = &self.plan.conversations[live.planned];
        let raw = planned.ids == IdPolicy::Raw;
        // A server is left no conversation that the recording leaves open (docs/replay.md, "The
        // verdict"); raw ids mean that nothing but recorded messages is sent.
        if let Some(id) = live.server_id
            && !live.server_closed
            && !live.closed_by_us
            && !raw
            && self.link != LinkState::Lost
        {
            self.unrecorded.push_back(client_close(id));
        }
        let mut outcome = live.judged(planned, &self.options, &mut self.masks);
        self.transcribed_bytes -= live.transcript.held_bytes();
        if self.options.transcripts == Transcripts::Kept {
            outcome.exchange = Some(Box::new(Exchange {
                recorded: planned.recorded.clone(),
                live: live.transcript,
            }));
        }
        // Whatever ended the run: bytes that differ do, and complete answers were judged already.
        if let Some(result) = forced
            && outcome.result != ReplayResult::Differs
            && !matches!(live.phase, Phase::Lingering { .. })
        {
            outcome.result = result;
        }
        outcome.note = note.or(outcome.note);
        self.outcomes.push_back(outcome);
        if !live.released {
            self.copies
                .conversation_over(now, live.copy, &mut self.timers);
        }
    }

    fn end_all(
        &mut self,
        now: Instant,
        end: PlayEnd,
        forced: Option<ReplayResult>,
        note: Option<Note>,
    ) {
        if self.end.is_some() || self.is_over() {
            return;
        }
        self.end = Some(end);
        // Closes that wait are still sent: without them the server would be left half-open.
        self.ready.clear();
        let slots: Vec<usize> = self.live.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.conclude(now, slot, forced, note);
        }
        self.stats.not_begun = self.copies.not_begun(self.plan.conversations.len());
    }
}

impl Live {
    /// The id that a message carries.
    fn id_for(&self, step: &PlannedMessage, ids: IdPolicy) -> StreamId {
        let live = match step.frame_type {
            FrameType::SYN => self.client_id.map(StreamId::from),
            _ => self.server_id.map(StreamId::from),
        };
        match ids {
            IdPolicy::Raw => step.recorded_id,
            IdPolicy::Fresh | IdPolicy::Recorded => live.unwrap_or(step.recorded_id),
        }
    }
}

impl PlayOptions {
    /// Whether a message must wait until the peer has announced its id.
    fn needs_server_id(&self, step: &PlannedMessage) -> bool {
        self.order != Order::None && step.frame_type != FrameType::SYN
    }
}

fn client_close(id: ServerId) -> Message {
    Message {
        frame_type: FrameType::CLIENT_CLOSE,
        id: id.0,
        payload: Bytes::new(),
    }
}
