//! The server side of a recording, played to live clients. A mock only ever
//! answers who spoke to it.
//!
//! Incoming conversations are matched by what the client sends: among the
//! recorded ones that are not used up, one whose client sent just these bytes,
//! else the one whose client asked for the most similar. What is like none is turned
//! away. Recorded conversations in which the server speaks first cannot wait for
//! that; they are taken in their order. Whatever happens, no client is left waiting:
//! a conversation that is over is closed.

mod backlog;
mod nearest;
mod session;

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};
use std::hash::Hash;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hashbrown::HashMap;
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};
use slab::Slab;

use self::backlog::Backlog;
use self::session::{Session, Wait};
use super::compare::{Difference, Masks};
use super::options::Loops;
use super::outcome::ReplayResult;
use super::recording::{Effect, RecordedConversation, Recording};
use crate::conversation::ConversationId;
use crate::wire::{
    ClientId, Direction, FrameKind, FrameType, Message, RawFrame, RawMessage, ServerId, StreamId,
};

/// Conversations that a mock has open at most; a SYN beyond it is refused, and so is one of a
/// client that has as many as are left for others.
pub const MAX_OPEN: usize = 65_536;

/// How a mock behaves.
#[derive(Clone, Copy, Debug)]
pub struct MockOptions {
    /// What becomes of conversations for which no recorded one is left.
    pub unmatched: Unmatched,
    /// How often each recorded conversation may be played.
    pub loops: Loops,
    /// Answers come as fast as recorded times this; `None`: at once.
    pub speed: Option<f64>,
    /// Silence of the client while it owes bytes.
    pub reply_timeout: Duration,
    /// Differences that are kept of one conversation.
    pub max_differences: usize,
    /// Bytes of a client that are kept of one conversation; it ends with more.
    pub max_received_bytes: usize,
    /// The same of all conversations. Where it would be more, the one that holds most ends.
    pub max_held_bytes: usize,
}

impl Default for MockOptions {
    fn default() -> Self {
        Self {
            unmatched: Unmatched::Refuse,
            loops: Loops::Times(1),
            speed: Some(1.0),
            reply_timeout: Duration::from_secs(5),
            max_differences: 20,
            max_received_bytes: 64 << 20,
            max_held_bytes: 128 << 20,
        }
    }
}

/// What becomes of a conversation for which no recorded one is left, or whose request
/// is like none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmatched {
    /// Its SYN is answered with a close; it is closed when its request is known.
    Refuse,
    /// It is accepted and closed.
    Close,
    /// It is not answered.
    Silence,
}

/// What a mock wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MockOutput<P> {
    /// Send this to a client.
    Transmit {
        /// Where it goes.
        to: P,
        /// What goes there.
        message: Message,
    },
    /// A conversation is over.
    Finished(MockOutcome),
    /// Nothing before this moment, unless there is input first.
    Timeout(Instant),
    /// Nothing until there is input.
    Idle,
}

/// What became of an incoming conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MockOutcome {
    /// The recorded conversation that was played; `None` if none was left.
    pub conversation: Option<ConversationId>,
    /// The client's id.
    pub client_id: ClientId,
    /// The id that it was given; `None` if it was refused.
    pub server_id: Option<ServerId>,
    /// How it was matched.
    pub matched: Matched,
    /// What the client did, against the recording.
    pub result: ReplayResult,
    /// Payload bytes that the recorded client sent.
    pub c2s_want_bytes: usize,
    /// Payload bytes that the client sent.
    pub c2s_got_bytes: usize,
    /// The first differences.
    pub differences: Vec<Difference>,
    /// The masks that would cover all differences, where those are in header fields only.
    pub suggested_masks: Vec<String>,
    /// The bound, in bytes, for which it was ended.
    pub over_bound: Option<usize>,
}

/// How a recorded conversation was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matched {
    /// Its client sent the same bytes.
    Exactly,
    /// Its client asked for something similar, and none for the same.
    Nearest,
    /// It was the next in the recording's order.
    ByOrder,
    /// None was left, or like it.
    Not,
}

/// The server side of a recording.
#[derive(Debug)]
pub struct Mock<P> {
    options: MockOptions,
    masks: Masks,
    scripts: Vec<Script>,
    rng: ChaCha12Rng,
    sessions: Slab<Session<P>>,
    /// How many sessions each client has.
    open: HashMap<P, usize>,
    by_server_id: HashMap<StreamId, usize>,
    /// Sessions that have something to do at a time.
    wakes: BTreeSet<(Instant, usize)>,
    outputs: VecDeque<MockOutput<P>>,
    backlog: Backlog<P>,
    /// Bytes that are kept of all conversations.
    held_bytes: usize,
}

/// A recorded conversation from the server's side.
#[derive(Clone, Debug)]
struct Script {
    id: ConversationId,
    accepted: bool,
    /// What the client sent, as one stream.
    client_stream: Bytes,
    /// What the server sent after the opening.
    steps: Vec<Step>,
    /// How often it was played.
    played: u64,
}

/// What came of looking for a recorded conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Made,
    /// More has to come first.
    Open,
    /// There is none for this request.
    TurnedAway,
}

/// A message of the server.
#[derive(Clone, Debug)]
struct Step {
    frame_type: FrameType,
    payload: Bytes,
    /// Bytes of the client that came before it.
    gate: usize,
    /// Since the message before it, whoever sent that.
    delay: Duration,
}

impl<P: Copy + Eq + Hash> Mock<P> {
    /// A mock of a recording. The ids that it chooses follow from `seed`.
    pub fn new(recording: &Recording, options: MockOptions, masks: Masks, seed: [u8; 32]) -> Self {
        Self {
            scripts: recording
                .conversations
                .iter()
                .map(|conversation| Script::new(conversation, options.speed))
                .collect(),
            options,
            masks,
            rng: ChaCha12Rng::from_seed(seed),
            sessions: Slab::new(),
            open: HashMap::new(),
            by_server_id: HashMap::new(),
            wakes: BTreeSet::new(),
            outputs: VecDeque::new(),
            backlog: Backlog::new(),
            held_bytes: 0,
        }
    }

    /// The masks, which know whether they were used.
    pub const fn masks(&self) -> &Masks {
        &self.masks
    }

    /// Whether every recorded conversation was played as often as it may be,
    /// and none is going on.
    pub fn is_used_up(&self) -> bool {
        self.sessions.is_empty()
            && self
                .scripts
                .iter()
                .all(|script| self.options.loops.are_over(script.played))
    }

    /// Takes a message. `from` is its sender, where the carrier tells; a SYN
    /// without one cannot be answered.
    pub fn handle_message(&mut self, now: Instant, from: Option<P>, message: &Bytes) {
        let RawMessage::Frame(frame) = RawMessage::parse(message) else {
            return;
        };
        match (frame.frame_type, from) {
            (FrameType::SYN, Some(from)) => self.hear_syn(now, from, ClientId(frame.id)),
            (FrameType::CLIENT_DATA | FrameType::CLIENT_CLOSE, _) => self.hear(now, from, &frame),
            _ => {}
        }
    }

    /// The way to a client is gone; `None`: to all.
    pub fn handle_link_lost(&mut self, lost: Option<P>) {
        let slots: Vec<usize> = self
            .sessions
            .iter()
            .filter(|(_, session)| lost.is_none_or(|peer| session.peer == peer))
            .map(|(slot, _)| slot)
            .collect();
        for slot in slots {
            self.conclude(slot, Some(ReplayResult::TransportError));
        }
        match lost {
            Some(client) => drop(self.backlog.unblock(client)),
            None => self.backlog = Backlog::new(),
        }
    }

    /// A client takes nothing more: what is for it waits, until
    /// [`handle_ready`](Self::handle_ready). It need not be heard until then.
    pub fn handle_blocked(&mut self, client: P) {
        self.backlog.block(client);
    }

    /// A client takes messages again.
    pub fn handle_ready(&mut self, now: Instant, client: P) {
        let waiting = self.backlog.unblock(client);
        for message in waiting.messages.into_iter().rev() {
            let to = client;
            self.outputs
                .push_front(MockOutput::Transmit { to, message });
        }
        for slot in waiting.slots {
            if self.sessions.contains(slot) {
                self.settle(now, slot);
            }
        }
    }

    /// Whether a client takes nothing at the moment.
    pub fn is_blocked(&self, client: P) -> bool {
        self.backlog.is_blocked(client)
    }

    /// Ends what is going on, and tells it.
    pub fn stop(&mut self) {
        let slots: Vec<usize> = self.sessions.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.conclude(slot, None);
        }
    }

    /// What is to be done now.
    pub fn poll_output(&mut self, now: Instant) -> MockOutput<P> {
        loop {
            match self.outputs.pop_front() {
                Some(MockOutput::Transmit { to, message }) => {
                    match self.backlog.keep(to, message) {
                        Some(message) => return MockOutput::Transmit { to, message },
                        None => continue,
                    }
                }
                Some(output) => return output,
                None => {}
            }
            match self.wakes.first() {
                Some(&(at, slot)) if at <= now => {
                    self.wakes.pop_first();
                    if let Some(session) = self.sessions.get_mut(slot)
                        && session.wake == Some(at)
                    {
                        session.wake = None;
                        self.settle(now, slot);
                    }
                }
                Some(&(at, _)) => return MockOutput::Timeout(at),
                None => return MockOutput::Idle,
            }
        }
    }

    // --- opening ---

    fn hear_syn(&mut self, now: Instant, from: P, client_id: ClientId) {
        let Some(first) = self.first_left() else {
            return self.answer_unmatched(from, client_id);
        };
        let left = MAX_OPEN - self.sessions.len();
        if self.open.get(&from).copied().unwrap_or_default() >= left {
            return self.refuse(from, client_id);
        }
        self.scripts[first].played += 1;
        if !self.scripts[first].accepted {
            self.refuse(from, client_id);
            let id = self.scripts[first].id;
            return self.tell_unplayed(Some(id), client_id, None, ReplayResult::Same);
        }
        let server_id = self.accept(from, client_id);
        let mut session = Session::new(from, client_id, server_id, now);
        if self.scripts[first].speaks_first() {
            session.script = Some((first, Matched::ByOrder));
        } else {
            session.held = Some(first);
        }
        let slot = self.sessions.insert(session);
        *self.open.entry(from).or_default() += 1;
        self.by_server_id.insert(server_id.0, slot);
        self.settle(now, slot);
    }

    /// The first recorded conversation that may still be played. Each is played
    /// once before any is played again.
    fn first_left(&self) -> Option<usize> {
        (0..self.scripts.len())
            .filter(|&index| !self.options.loops.are_over(self.scripts[index].played))
            .min_by_key(|&index| self.scripts[index].played)
    }

    fn accept(&mut self, from: P, client_id: ClientId) -> ServerId {
        let server_id = loop {
            let id = StreamId::from_u32(self.rng.random_range(1..=0x00ff_ffff));
            if !self.by_server_id.contains_key(&id) {
                break ServerId(id);
            }
        };
        let payload = Bytes::copy_from_slice(&server_id.0.0);
        self.transmit(from, FrameType::ACK, client_id, payload);
        server_id
    }

    fn refuse(&mut self, from: P, client_id: ClientId) {
        self.transmit(from, FrameType::SERVER_CLOSE, client_id, Bytes::new());
    }

    fn answer_unmatched(&mut self, from: P, client_id: ClientId) {
        let server_id = match self.options.unmatched {
            Unmatched::Silence => None,
            Unmatched::Refuse => {
                self.refuse(from, client_id);
                None
            }
            Unmatched::Close => {
                let server_id = self.accept(from, client_id);
                self.refuse(from, client_id);
                Some(server_id)
            }
        };
        self.tell_unplayed(None, client_id, server_id, ReplayResult::Skipped);
    }

    fn tell_unplayed(
        &mut self,
        conversation: Option<ConversationId>,
        client_id: ClientId,
        server_id: Option<ServerId>,
        result: ReplayResult,
    ) {
        let matched = match conversation {
            Some(_) => Matched::ByOrder,
            None => Matched::Not,
        };
        self.outputs.push_back(MockOutput::Finished(MockOutcome {
            conversation,
            client_id,
            server_id,
            matched,
            result,
            c2s_want_bytes: 0,
            c2s_got_bytes: 0,
            differences: Vec::new(),
            suggested_masks: Vec::new(),
            over_bound: None,
        }));
    }

    fn transmit(&mut self, to: P, frame_type: FrameType, client_id: ClientId, payload: Bytes) {
        let message = Message {
            frame_type,
            id: client_id.0,
            payload,
        };
        self.outputs.push_back(MockOutput::Transmit { to, message });
    }

    // --- conversation ---

    fn hear(&mut self, now: Instant, from: Option<P>, frame: &RawFrame<'_>) {
        let Some(&slot) = self.by_server_id.get(&frame.id) else {
            return;
        };
        let session = &mut self.sessions[slot];
        if from.is_some_and(|from| session.peer != from) {
            return;
        }
        session.heard = now;
        if frame.frame_type.kind() == FrameKind::Close {
            session.closed_by_client = true;
        } else {
            self.held_bytes += session.keep(frame.payload, self.options.max_received_bytes);
        }
        if self.held_bytes > self.options.max_held_bytes {
            self.end_largest();
            if !self.sessions.contains(slot) {
                return;
            }
        }
        let session = &self.sessions[slot];
        if session.over_bound.is_none()
            && session.script.is_none()
            && self.choose(slot) == Choice::TurnedAway
        {
            return self.turn_away(slot);
        }
        self.settle(now, slot);
    }

    /// Ends the conversation that holds most, because all together hold too much.
    fn end_largest(&mut self) {
        let sizes = self.sessions.iter();
        let largest = sizes.max_by_key(|(_, session)| session.received.len());
        if let Some((slot, _)) = largest {
            self.sessions[slot].over_bound = Some(self.options.max_held_bytes);
            self.conclude(slot, None);
        }
    }

    /// Chooses the recorded conversation as soon as what came tells which.
    fn choose(&mut self, slot: usize) -> Choice {
        let Some(held) = self.sessions[slot].held else {
            return Choice::Open;
        };
        let available: Vec<usize> = (0..self.scripts.len())
            .filter(|&index| self.scripts[index].accepted && self.is_available(index, held))
            .collect();
        let Self {
            sessions,
            scripts,
            masks,
            ..
        } = self;
        let session = &sessions[slot];
        let received = &session.received;
        // An empty message proves an address (docs/endpoint.md, "Datagrams"), and asks for
        // nothing yet, although a recorded client that said nothing is like it so far.
        if received.is_empty() && !session.closed_by_client {
            return Choice::Open;
        }
        let exact = available
            .iter()
            .copied()
            .filter(|&index| scripts[index].begins_with(received, masks))
            .min_by_key(|&index| (index != held, scripts[index].played, index));
        // More may come that tells them apart.
        let is_undecided = !session.closed_by_client
            && available.iter().any(|&index| {
                let burst = scripts[index].first_burst();
                burst.len() > received.len() && burst.starts_with(received)
            });
        if let Some(index) = exact {
            self.take(slot, held, index, Matched::Exactly);
            return Choice::Made;
        }
        if is_undecided {
            return Choice::Open;
        }
        let near = available.into_iter().filter_map(|index| {
            let nearness = nearest::nearness(scripts[index].first_burst(), received)?;
            let later = Reverse((index != held, scripts[index].played, index));
            Some((nearness, later, index))
        });
        let is_closed = session.closed_by_client;
        match near.max() {
            Some((.., index))
                if is_closed || nearest::is_whole(scripts[index].first_burst(), received) =>
            {
                self.take(slot, held, index, Matched::Nearest);
                Choice::Made
            }
            Some(_) => Choice::Open,
            None if is_closed || received.is_empty() || nearest::may_be_http(received) => {
                Choice::Open
            }
            None => Choice::TurnedAway,
        }
    }

    /// A request that is like none of the recording.
    fn turn_away(&mut self, slot: usize) {
        match self.options.unmatched {
            Unmatched::Refuse | Unmatched::Close => {
                self.conclude(slot, Some(ReplayResult::Skipped));
            }
            Unmatched::Silence => {
                let session = &mut self.sessions[slot];
                session.is_turned_away = true;
                self.held_bytes -= std::mem::take(&mut session.received).len();
                if let Some(held) = session.held.take() {
                    self.scripts[held].played -= 1;
                }
            }
        }
    }

    /// Whether a session that holds `held` may play this one: nobody does, or
    /// one that can do with another.
    fn is_available(&self, index: usize, held: usize) -> bool {
        index == held
            || !self.options.loops.are_over(self.scripts[index].played)
            || self.holder(index).is_some()
    }

    /// A session that holds this recorded conversation and has not begun it.
    fn holder(&self, index: usize) -> Option<usize> {
        self.sessions
            .iter()
            .find(|(_, session)| session.held == Some(index))
            .map(|(slot, _)| slot)
    }

    /// Plays `index` in place of the one that was held for the session.
    fn take(&mut self, slot: usize, held: usize, index: usize, matched: Matched) {
        let session = &mut self.sessions[slot];
        session.held = None;
        session.script = Some((index, matched));
        if index == held {
            return;
        }
        if !self.options.loops.are_over(self.scripts[index].played) {
            self.scripts[index].played += 1;
            self.scripts[held].played -= 1;
        } else if let Some(other) = self.holder(index) {
            self.sessions[other].held = Some(held);
        }
    }

    fn settle(&mut self, now: Instant, slot: usize) {
        loop {
            let session = &mut self.sessions[slot];
            let script = session.script.map(|(index, _)| &self.scripts[index]);
            if let Some(script) = script {
                session.follow(script, &mut self.masks);
            }
            match session.wait(script, self.options.reply_timeout, now) {
                Wait::Until(at) => return self.arm(slot, at),
                Wait::ForClient => return,
                Wait::Over => return self.conclude(slot, None),
                Wait::Send if self.backlog.hold(session.peer, slot) => return,
                Wait::Send => self.play_step(now, slot),
            }
        }
    }

    fn play_step(&mut self, now: Instant, slot: usize) {
        let session = &mut self.sessions[slot];
        let Some((index, _)) = session.script else {
            return;
        };
        let step = self.scripts[index].steps[session.next_step].clone();
        session.next_step += 1;
        session.changed = now;
        session.closed_by_us |= step.frame_type.kind() == FrameKind::Close;
        let (peer, client_id) = (session.peer, session.client_id);
        self.transmit(peer, step.frame_type, client_id, step.payload);
    }

    fn arm(&mut self, slot: usize, at: Instant) {
        let session = &mut self.sessions[slot];
        if session.wake == Some(at) {
            return;
        }
        if let Some(old) = session.wake.replace(at) {
            self.wakes.remove(&(old, slot));
        }
        self.wakes.insert((at, slot));
    }

    fn conclude(&mut self, slot: usize, forced: Option<ReplayResult>) {
        let session = self.sessions.remove(slot);
        self.by_server_id.remove(&session.server_id.0);
        self.held_bytes -= session.received.len();
        if let Some(open) = self.open.get_mut(&session.peer) {
            *open -= 1;
            if *open == 0 {
                self.open.remove(&session.peer);
            }
        }
        // What was held for it and not begun is left to others.
        if let Some(held) = session.held {
            self.scripts[held].played -= 1;
        }
        if let Some(at) = session.wake {
            self.wakes.remove(&(at, slot));
        }
        // A client that hears nothing more would wait for ever.
        let is_waiting = !session.closed_by_client && !session.closed_by_us;
        if is_waiting && !session.is_turned_away && forced != Some(ReplayResult::TransportError) {
            self.refuse(session.peer, session.client_id);
        }
        let script = session.script.map(|(index, _)| &self.scripts[index]);
        let limit = self.options.max_differences.max(1);
        let mut outcome = session.judged(script, &mut self.masks, limit);
        outcome.result = forced.unwrap_or(outcome.result);
        if session.is_turned_away {
            outcome.result = ReplayResult::Skipped;
        }
        self.outputs.push_back(MockOutput::Finished(outcome));
    }
}

impl Script {
    fn new(recorded: &RecordedConversation, speed: Option<f64>) -> Self {
        let mut stream = Vec::new();
        let mut steps = Vec::new();
        let mut accepted = false;
        let mut previous = None;
        for message in &recorded.messages {
            let since = previous.replace(message.time).map_or(0, |time| {
                u64::try_from(message.time.nanos_since(time)).unwrap_or(0)
            });
            accepted |= message.effect == Effect::Accepted;
            match (message.direction, message.effect) {
                (_, Effect::Opened | Effect::Accepted | Effect::Refused) => {}
                (Direction::ClientToServer, Effect::Carried) => {
                    stream.extend_from_slice(&message.payload);
                }
                (Direction::ClientToServer, _) => {}
                (Direction::ServerToClient, _) => steps.push(Step {
                    frame_type: message.frame_type,
                    payload: message.payload.clone(),
                    gate: stream.len(),
                    delay: speed.map_or(Duration::ZERO, |speed| {
                        Duration::try_from_secs_f64(
                            Duration::from_nanos(since).as_secs_f64() / speed,
                        )
                        .unwrap_or(Duration::ZERO)
                    }),
                }),
            }
        }
        Self {
            id: recorded.id,
            accepted,
            client_stream: stream.into(),
            steps,
            played: 0,
        }
    }

    /// Whether the server has something to say before the client.
    fn speaks_first(&self) -> bool {
        self.steps.first().is_some_and(|step| step.gate == 0)
    }

    /// Whether what came tells that it is this one: all that the client sent
    /// before the server first spoke, or more.
    fn begins_with(&self, received: &[u8], masks: &mut Masks) -> bool {
        let burst = self.first_burst();
        let direction = Direction::ClientToServer;
        received == burst
            || (received.len() > burst.len() && self.client_stream.starts_with(received))
            || (masks.concern(direction) && masks.are_equal(direction, burst, received))
    }

    /// What the client sent before the server first spoke.
    fn first_burst(&self) -> &[u8] {
        let end = self
            .steps
            .iter()
            .map(|step| step.gate)
            .find(|gate| *gate > 0)
            .unwrap_or(self.client_stream.len());
        &self.client_stream[..end]
    }
}

#[cfg(test)]
mod tests;
