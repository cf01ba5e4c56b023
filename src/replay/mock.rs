//! The server side of a recording, played to live clients. A mock only ever answers.
//!
//! Incoming conversations are matched by the client's bytes: among the recorded ones that are not
//! used up, one whose client sent just these bytes, else the one whose client asked for the most
//! similar. Those like none are turned away. Recorded conversations in which the server speaks
//! first cannot wait for that; they are taken in their order. Whatever happens, no client is left
//! waiting: a conversation that is over is closed.

mod backlog;
mod candidates;
mod nearest;
mod outcome;
mod repertoire;
mod script;
mod session;
mod sessions;

use std::collections::VecDeque;
use std::hash::Hash;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};

use self::backlog::Backlog;
pub use self::outcome::{Matched, MockOutcome};
use self::repertoire::{Choice, Repertoire, Request, Search};
use self::script::Script;
use self::session::{Examines, Session, Wait};
use self::sessions::Sessions;
use super::compare::Masks;
use super::options::Loops;
use super::outcome::ReplayResult;
use super::recording::Recording;
use crate::conversation::ConversationId;
use crate::endpoint::AddressProof;
use crate::endpoint::allowance::Allowance;
use crate::wire::{
    ClientId, FrameKind, FrameType, HEADER_BYTES, IdOwner, Message, RawFrame, RawMessage, ServerId,
    StreamId,
};

/// Conversations that a mock has open at most; a SYN beyond it is refused, and so is one of a
/// client that has as many as are left for others.
pub const MAX_OPEN: usize = 65_536;

/// Conversations that a mock has closed and keeps, in case that their clients still prove their
/// addresses: forged SYNs leave the other places to those that are open.
const MAX_CLOSED: usize = 4096;

/// An ACK with the id that it announces.
const ACK_BYTES: usize = HEADER_BYTES + size_of::<StreamId>();

/// The options of a mock.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct MockOptions {
    /// Treatment of conversations for which no recorded one is left.
    pub unmatched: Unmatched,
    /// Number of times that each recorded conversation may be played.
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
    /// Whether a client must prove its address before it gets more than three times what
    /// it has sent. Without that proof its conversation ends after `reply_timeout`.
    pub address_proof: AddressProof,
    /// Conversations without that proof of one client, or of all with the same origin
    /// ([`Mock::with_origins`]), until the mock closes them; a SYN beyond it is refused.
    pub max_unproven: usize,
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
            address_proof: AddressProof::NotNeeded,
            max_unproven: MAX_OPEN,
        }
    }
}

/// Treatment of a conversation for which no recorded one is left, or whose request is like none of
/// them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmatched {
    /// Its SYN is answered with a close; it is closed when its request is known.
    Refuse,
    /// It is accepted and closed.
    Close,
    /// It is not answered.
    Silence,
}

/// A request of a mock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MockOutput<P> {
    /// Send this to a client.
    Transmit {
        /// Its receiver.
        to: P,
        /// The message.
        message: Message,
    },
    /// A conversation is over.
    Finished(MockOutcome),
    /// Nothing before this moment, unless there is input first.
    Timeout(Instant),
    /// Nothing until there is input.
    Idle,
}

/// The server side of a recording.
#[derive(Debug)]
pub struct Mock<P> {
    options: MockOptions,
    masks: Masks,
    repertoire: Repertoire,
    rng: ChaCha12Rng,
    sessions: Sessions<P>,
    outputs: VecDeque<MockOutput<P>>,
    backlog: Backlog<P>,
}

impl<P: Copy + Eq + Hash> Mock<P> {
    /// A mock of a recording. The ids that it chooses follow from `seed`.
    pub fn new(recording: &Recording, options: MockOptions, masks: Masks, seed: [u8; 32]) -> Self {
        Self::with_origins(recording, options, masks, seed, |_| None)
    }

    /// A mock of which `origin_of` says which clients count together for
    /// [`MockOptions::max_unproven`]; one of no origin counts by itself.
    pub fn with_origins(
        recording: &Recording,
        options: MockOptions,
        masks: Masks,
        seed: [u8; 32],
        origin_of: fn(P) -> Option<u128>,
    ) -> Self {
        let scripts = recording.conversations.iter();
        let scripts = scripts.map(|recorded| Script::new(recorded, options.speed));
        Self {
            repertoire: Repertoire::new(scripts.collect(), options.loops),
            options,
            masks,
            rng: ChaCha12Rng::from_seed(seed),
            sessions: Sessions::new(origin_of),
            outputs: VecDeque::new(),
            backlog: Backlog::new(),
        }
    }

    /// The masks, which know whether they were used.
    pub const fn masks(&self) -> &Masks {
        &self.masks
    }

    /// Bytes of clients that are kept, of all conversations: at most
    /// [`MockOptions::max_held_bytes`].
    pub const fn held_bytes(&self) -> usize {
        self.sessions.held_bytes()
    }

    /// Conversations that are open: at most [`MAX_OPEN`].
    pub fn open_count(&self) -> usize {
        self.sessions.len()
    }

    /// Whether every recorded conversation was played as often as it may be,
    /// and none is going on.
    pub fn is_used_up(&self) -> bool {
        self.sessions.is_empty() && self.repertoire.is_used_up()
    }

    /// Takes a message. `from` is its sender, where the carrier names it; a SYN
    /// without one cannot be answered.
    pub fn handle_message(&mut self, now: Instant, from: Option<P>, message: &Bytes) {
        let RawMessage::Frame(frame) = RawMessage::parse(message) else {
            return;
        };
        match (frame.frame_type.kind(), frame.frame_type.id_owner()) {
            (FrameKind::Syn, _) => {
                if let Some(from) = from {
                    self.handle_syn(now, from, ClientId(frame.id), message.len());
                }
            }
            (FrameKind::Data | FrameKind::Close, Some(IdOwner::Server)) => {
                self.handle_frame(now, from, &frame);
            }
            _ => {}
        }
    }

    /// The way to a client is gone; `None`: to all.
    pub fn handle_link_lost(&mut self, lost: Option<P>) {
        for slot in self.sessions.slots_of(lost) {
            self.conclude(slot, Some(ReplayResult::TransportError));
        }
        match lost {
            Some(client) => drop(self.backlog.unblock(client)),
            None => self.backlog = Backlog::new(),
        }
    }

    /// A client takes nothing more: its messages wait, until [`handle_ready`](Self::handle_ready).
    /// It need not be read until then.
    pub fn handle_blocked(&mut self, client: P) {
        self.backlog.block(client);
    }

    /// A client takes messages again.
    pub fn handle_ready(&mut self, now: Instant, client: P) {
        let waiting = self.backlog.unblock(client);
        // Each goes to the front, so that the last has to go there first.
        for message in waiting.messages.into_iter().rev() {
            let to = client;
            self.outputs
                .push_front(MockOutput::Transmit { to, message });
        }
        self.read_again(now, Some(client));
        for slot in waiting.slots {
            if self.sessions.contains(slot) {
                self.advance(now, slot);
            }
        }
    }

    /// The link takes messages again, after a time in which nobody was read.
    pub fn handle_all_ready(&mut self, now: Instant) {
        self.read_again(now, None);
    }

    /// The conversations of a client, or all of them, were not read, so that their silence meant
    /// nothing.
    fn read_again(&mut self, now: Instant, client: Option<P>) {
        for slot in self.sessions.slots_of(client) {
            self.sessions[slot].read_again = now;
        }
    }

    /// Whether a client takes nothing at the moment.
    pub fn is_blocked(&self, client: P) -> bool {
        self.backlog.is_blocked(client)
    }

    /// Ends all conversations, and reports them.
    pub fn stop(&mut self) {
        for slot in self.sessions.slots_of(None) {
            self.conclude(slot, None);
        }
    }

    /// The next thing to do.
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
            match (self.sessions.pop_due(now), self.sessions.next_wake()) {
                (Some(slot), _) => self.advance(now, slot),
                (None, Some(at)) => return MockOutput::Timeout(at),
                (None, None) => return MockOutput::Idle,
            }
        }
    }

    // --- opening ---

    fn handle_syn(&mut self, now: Instant, from: P, client_id: ClientId, syn_bytes: usize) {
        let Some(first) = self.repertoire.first_left() else {
            return self.answer_unmatched(from, client_id);
        };
        let left = MAX_OPEN - self.sessions.len();
        let unproven_count = self.sessions.unproven_count(from);
        if self.sessions.count_of(from) >= left || unproven_count >= self.options.max_unproven {
            return self.refuse(from, client_id);
        }
        self.repertoire.use_up(first);
        let script = self.repertoire.get(first);
        let (accepted, speaks_first, id) = (script.accepted, script.speaks_first(), script.id);
        if !accepted {
            self.refuse(from, client_id);
            return self.report_unplayed(Some(id), client_id, None, ReplayResult::Same);
        }
        let server_id = self.accept(from, client_id);
        let candidates = self.repertoire.candidates();
        let mut session = Session::new(from, client_id, server_id, candidates, now);
        session.allowance = Allowance::of_syn(self.options.address_proof, syn_bytes);
        session.allowance.spend(ACK_BYTES);
        if speaks_first {
            session.begin(first, Matched::ByOrder);
        }
        let slot = self.sessions.insert(session);
        if !speaks_first {
            self.sessions.hold(slot, first);
        }
        self.advance(now, slot);
    }

    fn accept(&mut self, from: P, client_id: ClientId) -> ServerId {
        let server_id = loop {
            // Without 000000, which is reserved (docs/protocol.md, "Messages").
            let id = StreamId::from_u32(self.rng.random_range(1..=0x00ff_ffff));
            if self.sessions.named(id).is_none() {
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
        self.report_unplayed(None, client_id, server_id, ReplayResult::Skipped);
    }

    fn report_unplayed(
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

    fn handle_frame(&mut self, now: Instant, from: Option<P>, frame: &RawFrame<'_>) {
        let Some(slot) = self.sessions.named(frame.id) else {
            return;
        };
        let session = &mut self.sessions[slot];
        if from.is_some_and(|from| session.peer != from) {
            return;
        }
        session.last_received = now;
        // Our ACK, which names the id, reached this client at its address.
        let came_late = session.awaits_late_proof();
        self.sessions.prove(slot);
        if came_late {
            self.use_up_late(slot);
            // Nothing else of it counts: it was over with our close.
            return self.advance(now, slot);
        }
        let session = &mut self.sessions[slot];
        if frame.frame_type.kind() == FrameKind::Close {
            session.closed_by_client = true;
        } else {
            let bound = self.options.max_received_bytes;
            self.sessions.keep(slot, frame.payload, bound);
        }
        if self.sessions.held_bytes() > self.options.max_held_bytes {
            self.end_largest();
            if !self.sessions.contains(slot) {
                return;
            }
        }
        match self.identify(now, slot) {
            Choice::TurnedAway => self.turn_away(slot),
            Choice::Made(..) | Choice::Open => self.advance(now, slot),
        }
    }

    /// Finds out which recorded conversation it is, if that is not known.
    fn identify(&mut self, now: Instant, slot: usize) -> Choice {
        let session = &mut self.sessions[slot];
        if session.over_bound.is_some() || session.script.is_some() {
            return Choice::Open;
        }
        let Some(held) = session.held else {
            return Choice::Open;
        };
        let length = self.repertoire.length(session.received.len());
        let search = match session.examine(now, length) {
            Examines::Now => Search::Similar,
            Examines::Later => Search::Same,
        };
        self.repertoire
            .narrow(&mut session.candidates, &session.received);
        let session = &self.sessions[slot];
        let request = Request {
            held,
            received: &session.received,
            candidates: &session.candidates,
            is_closed: session.closed_by_client,
            search,
        };
        let is_held = |index| self.sessions.holder(index).is_some();
        let masks = &mut self.masks;
        let choice = self.repertoire.choose(request, is_held, masks);
        if let Choice::Made(index, matched) = choice {
            self.take(slot, held, index, matched);
        }
        choice
    }

    /// Ends the conversation that holds most, because all together hold too much.
    fn end_largest(&mut self) {
        if let Some(slot) = self.sessions.largest() {
            self.sessions[slot].over_bound = Some(self.options.max_held_bytes);
            self.conclude(slot, None);
        }
    }

    /// A request that is like none of the recording.
    fn turn_away(&mut self, slot: usize) {
        match self.options.unmatched {
            Unmatched::Refuse | Unmatched::Close => {
                self.conclude(slot, Some(ReplayResult::Skipped));
            }
            Unmatched::Silence => {
                self.sessions.drop_received(slot);
                self.sessions[slot].is_turned_away = true;
                if let Some(held) = self.sessions.let_go(slot) {
                    self.repertoire.give_back(held);
                }
            }
        }
    }

    /// Plays `index` in place of the one that was held for the session.
    fn take(&mut self, slot: usize, held: usize, index: usize, matched: Matched) {
        self.sessions.let_go(slot);
        self.sessions[slot].begin(index, matched);
        if index == held {
            return;
        }
        if self.repertoire.is_left(index) {
            self.repertoire.use_up(index);
            self.repertoire.give_back(held);
        } else if let Some(other) = self.sessions.holder(index) {
            self.sessions.hold(other, held);
        }
    }

    fn advance(&mut self, now: Instant, slot: usize) {
        loop {
            let session = &mut self.sessions[slot];
            let script = session.script.map(|(index, _)| self.repertoire.get(index));
            if let Some(script) = script {
                session.follow(script, &mut self.masks, now);
            }
            match session.wait(script, self.options.reply_timeout, now) {
                Wait::Until(at) => return self.sessions.wake_at(at, slot),
                Wait::ForClient => return,
                Wait::Examine if script.is_some() => {}
                Wait::Examine => {
                    if self.identify(now, slot) == Choice::TurnedAway {
                        return self.turn_away(slot);
                    }
                }
                // Its client may have sent what is missing, and is not read.
                Wait::OutOfPatience if self.backlog.hold(session.peer, slot) => return,
                Wait::Over | Wait::OutOfPatience => return self.conclude(slot, None),
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
        let step = self.repertoire.get(index).steps[session.next_step].clone();
        session.next_step += 1;
        session.changed = now;
        session.allowance.spend(step.message_bytes());
        let (peer, client_id) = (session.peer, session.client_id);
        self.transmit(peer, step.frame_type, client_id, step.payload);
        if step.frame_type.kind() == FrameKind::Close {
            self.close(slot, index);
        }
    }

    /// Our close of a conversation went out, behind all that was played of `index`.
    fn close(&mut self, slot: usize, index: usize) {
        self.sessions.close(slot);
        if !self.sessions[slot].awaits_late_proof() {
            return;
        }
        // A sender of forged addresses takes nothing away from real clients.
        self.repertoire.doubt(index);
        if let Some(first) = self.sessions.closed_beyond(MAX_CLOSED) {
            self.conclude(first, None);
        }
    }

    /// The client of a closed conversation has proven its address: what it was played is used up.
    fn use_up_late(&mut self, slot: usize) {
        if let Some((index, _)) = self.sessions[slot].script {
            self.repertoire.settle_doubt(index);
        }
    }

    fn conclude(&mut self, slot: usize, forced: Option<ReplayResult>) {
        let session = self.sessions.remove(slot);
        // A conversation held for it and not begun is left to others.
        if let Some(held) = session.held {
            self.repertoire.give_back(held);
        }
        // A sender of forged addresses takes nothing away from real clients.
        if let Some((index, _)) = session.script {
            if session.awaits_late_proof() {
                self.repertoire.settle_doubt(index);
            }
            if session.allowance.is_limited() {
                self.repertoire.give_back(index);
            }
        }
        // A client that receives nothing more would wait for ever.
        let is_waiting = !session.closed_by_client && !session.is_closed_by_us();
        if is_waiting && !session.is_turned_away && forced != Some(ReplayResult::TransportError) {
            self.refuse(session.peer, session.client_id);
        }
        let script = session.script.map(|(index, _)| self.repertoire.get(index));
        let limit = self.options.max_differences.max(1);
        let mut outcome = session.judged(script, &mut self.masks, limit);
        outcome.result = forced.unwrap_or(outcome.result);
        if session.is_turned_away {
            outcome.result = ReplayResult::Skipped;
        }
        self.outputs.push_back(MockOutput::Finished(outcome));
    }
}

#[cfg(test)]
mod tests;
