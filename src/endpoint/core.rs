//! The endpoint: its tables, what the application asks of it, its clock, and
//! its output. What peers send is in [`client`](super::client) and
//! [`server`](super::server).

use std::collections::VecDeque;
use std::hash::Hash;
use std::time::Instant;

use bytes::Bytes;
use hashbrown::HashMap;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use slab::Slab;

use super::abandoned::Abandoned;
use super::config::{Config, Limits, OnEof, SlowReader};
use super::conversation::{Conversation, Due, Intent, Role};
use super::id_pool::IdPool;
use super::links::{Links, Turn};
use super::output::{End, Event, Handle, Link, Message, Output};
use super::state::{Farewell, State, Step, Stimulus, step};
use super::stats::{Anomaly, Stats};
use super::timers::Timers;
use crate::wire::{
    ClientId, FrameType, HEADER_BYTES, MAX_DATA_PAYLOAD_BYTES, RawFrame, RawMessage, ServerId,
};

/// One session of the protocol: opens conversations and accepts them, with any
/// number of peers.
///
/// See the [module documentation](super) for how it is driven. `P` names a
/// peer in the carrier's terms: a UDP address, the number of a TCP connection,
/// the hash of an I2P destination.
#[derive(Debug)]
pub struct Endpoint<P> {
    pub(super) config: Config,
    pub(super) rng: ChaCha12Rng,
    pub(super) conversations: Slab<Conversation>,
    next_serial: u64,
    pub(super) client_ids: IdPool,
    pub(super) server_ids: IdPool,
    /// Accepted conversations by the peer's slot and id, if [`DuplicateSyn::AnswerAgain`]
    /// needs them.
    ///
    /// [`DuplicateSyn::AnswerAgain`]: super::DuplicateSyn::AnswerAgain
    pub(super) syns: HashMap<(usize, ClientId), usize>,
    pub(super) abandoned: Abandoned<P>,
    pub(super) links: Links<P>,
    timers: Timers,
    events: VecDeque<Event<P>>,
    pub(super) stats: Stats,
    pub(super) half_open: usize,
    unread_total: usize,
}

/// What an application asks for when it opens a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open<P> {
    /// The peer that is to accept it.
    pub to: P,
    /// The payload of the SYN: our destination.
    pub destination: Bytes,
    /// Our id; `None`: a fresh one.
    pub client_id: Option<ClientId>,
}

/// Why a conversation cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// There are as many conversations as there may be.
    #[error("there are {limit} conversations already, the most that are allowed")]
    TooMany {
        /// [`Limits::total`].
        limit: usize,
    },
    /// A live conversation has the client id that was asked for.
    #[error("client id {0} is in use")]
    IdInUse(ClientId),
}

/// Why bytes were not taken. They are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The conversation has ended, was finished or closed, or is not accepted yet.
    #[error("the conversation does not take data in this state")]
    NotOpen,
    /// The send buffer is full; [`Event::Writable`] tells when it is not.
    #[error("the send buffer holds {held} bytes, and its bound is {bound}")]
    Full {
        /// Bytes that wait, with 64 for each write.
        held: usize,
        /// [`Config::send_buffer`].
        bound: usize,
    },
}

impl<P: Copy + Eq + Hash> Endpoint<P> {
    /// An endpoint without conversations. The ids that it chooses follow from
    /// `seed`; whoever knows it can guess them.
    pub fn new(mut config: Config, seed: [u8; 32]) -> Self {
        config.max_payload = config.max_payload.clamp(1, MAX_DATA_PAYLOAD_BYTES);
        config.limits.total = config.limits.total.min(Limits::MAX_TOTAL);
        Self {
            config,
            rng: ChaCha12Rng::from_seed(seed),
            conversations: Slab::new(),
            next_serial: 1,
            client_ids: IdPool::default(),
            server_ids: IdPool::default(),
            syns: HashMap::new(),
            abandoned: Abandoned::new(),
            links: Links::new(),
            timers: Timers::default(),
            events: VecDeque::new(),
            stats: Stats::default(),
            half_open: 0,
            unread_total: 0,
        }
    }

    // --- the application's side ---

    /// Opens a conversation. Data may be written at once; it is sent when the ACK has come.
    ///
    /// # Errors
    /// A limit is reached, or the id that was asked for is in use.
    pub fn open(&mut self, now: Instant, open: Open<P>) -> Result<Handle, OpenError> {
        let limit = self.config.limits.total;
        if self.conversations.len() >= limit {
            return Err(OpenError::TooMany { limit });
        }
        let slot = self.conversations.vacant_key();
        let client_id = match open.client_id {
            Some(id) if self.client_ids.claim(id.0, slot) => id,
            Some(id) => return Err(OpenError::IdInUse(id)),
            None => ClientId(self.client_ids.draw(&mut self.rng, slot)),
        };
        // An ACK for this id now belongs to the new conversation.
        self.abandoned.take(client_id);
        let handle = self.insert(Role::Client, open.to, client_id, now);
        let conversation = &mut self.conversations[slot];
        conversation.due = Due::Syn(open.destination);
        conversation.deadline = self.config.handshake_timeout.map(|timeout| now + timeout);
        self.stats.opened_count += 1;
        self.settle(slot);
        Ok(handle)
    }

    /// Answers [`Event::Incoming`] with an ACK; without effect if that came too late.
    pub fn accept(&mut self, now: Instant, handle: Handle) {
        self.apply_to(now, handle, Stimulus::Accept);
    }

    /// Answers [`Event::Incoming`] with a close; without effect if that came too late.
    pub fn refuse(&mut self, now: Instant, handle: Handle) {
        self.apply_to(now, handle, Stimulus::Refuse);
    }

    /// Takes bytes to send. The buffer takes any write while it is not full.
    ///
    /// # Errors
    /// It is full, or the conversation is not one that takes data. The bytes are dropped.
    pub fn write(&mut self, now: Instant, handle: Handle, bytes: Bytes) -> Result<(), WriteError> {
        let bound = self.config.send_buffer;
        let merge = self.config.merge;
        let conversation = self
            .known_mut(handle)
            .filter(|conversation| conversation.takes_data())
            .ok_or(WriteError::NotOpen)?;
        let held = conversation.queue.cost();
        if held >= bound {
            conversation.full = true;
            return Err(WriteError::Full { held, bound });
        }
        conversation.queue.push(bytes);
        conversation.full = conversation.queue.cost() >= bound;
        if conversation.merge_at.is_none() && !conversation.merge_due {
            conversation.merge_at = merge
                .filter(|delay| !delay.is_zero())
                .map(|delay| now + delay);
        }
        self.settle(handle.slot);
        Ok(())
    }

    /// Whether [`write`](Self::write) would take bytes now. After a `false`
    /// from a full buffer, [`Event::Writable`] tells when it is true again.
    pub fn is_writable(&self, handle: Handle) -> bool {
        self.known(handle)
            .is_some_and(|conversation| conversation.takes_data() && !conversation.full)
    }

    /// The application has no more to send but may still read: the policy
    /// [`OnEof`] says what comes of it.
    pub fn finish(&mut self, now: Instant, handle: Handle) {
        let Some(conversation) = self.live(handle) else {
            return;
        };
        let policy = match conversation.role {
            Role::Client => self.config.client_eof,
            Role::Server => self.config.server_eof,
        };
        match policy {
            OnEof::Drain(_) => self.apply_to(now, handle, Stimulus::Eof),
            OnEof::Close => self.apply_to(now, handle, Stimulus::Close),
        }
    }

    /// Sends what was written, then a close. Data that still comes is dropped.
    pub fn close(&mut self, now: Instant, handle: Handle) {
        self.apply_to(now, handle, Stimulus::Close);
    }

    /// Drops what was written and closes at once; on a conversation that has
    /// ended, returns the credit of all bytes that the application still holds.
    pub fn abort(&mut self, now: Instant, handle: Handle) {
        self.apply_to(now, handle, Stimulus::Abort);
        if let Some(conversation) = self.known(handle) {
            let rest = conversation.unread;
            self.consumed(now, handle, rest);
        }
    }

    /// The application has got rid of `bytes` of what [`Event::Data`] gave it.
    /// It must say so for every byte, or [`abort`](Self::abort), also after
    /// [`Event::Closed`].
    pub fn consumed(&mut self, now: Instant, handle: Handle, bytes: usize) {
        let Some(conversation) = self.known_mut(handle) else {
            return;
        };
        let bytes = bytes.min(conversation.unread);
        conversation.unread -= bytes;
        let state = conversation.state;
        self.unread_total -= bytes;
        match state {
            State::Ended => self.remove_if_consumed(handle.slot),
            State::Draining => {
                self.restart_drain(now, handle.slot);
                self.update_pause(handle.slot);
                self.settle(handle.slot);
            }
            State::SynSent | State::SynReceived | State::Open | State::Closing => {
                self.update_pause(handle.slot);
            }
        }
    }

    // --- the carrier's side ---

    /// Takes one message that the carrier delivered.
    ///
    /// `from` is its sender, where the carrier tells. I2CP does not; there the
    /// peer of a SYN is the one its destination names (see
    /// [`syn_destination`](super::syn_destination)), and other messages have `None`.
    pub fn handle_message(&mut self, now: Instant, from: Option<P>, message: Bytes) {
        let frame = match RawMessage::parse(&message) {
            RawMessage::Frame(frame) => frame,
            RawMessage::Ping => {
                self.stats.received.other_count += 1;
                return self.stats.note(Anomaly::Ping);
            }
            RawMessage::Short(_) => {
                self.stats.received.other_count += 1;
                return self.stats.note(Anomaly::TooShort);
            }
        };
        let RawFrame { frame_type, id, .. } = frame;
        self.stats.received.count(frame_type, frame.payload);
        let payload = message.slice(HEADER_BYTES..);
        match frame_type {
            FrameType::SYN => self.handle_syn(now, from, ClientId(id), payload),
            FrameType::CLIENT_DATA => self.handle_client_data(now, from, ServerId(id), payload),
            FrameType::CLIENT_CLOSE => self.handle_client_close(now, from, ServerId(id), &payload),
            FrameType::ACK => self.handle_ack(now, from, ClientId(id), &payload),
            FrameType::SERVER_DATA => self.handle_server_data(now, from, ClientId(id), payload),
            FrameType::SERVER_CLOSE => self.handle_server_close(now, from, ClientId(id), &payload),
            FrameType::CHAFF => self.stats.note(Anomaly::Chaff),
            _ => self.stats.note(Anomaly::UnknownType),
        }
    }

    /// The carrier takes no more messages for this link: none are handed out for
    /// it until [`handle_link_ready`](Self::handle_link_ready).
    pub fn handle_link_blocked(&mut self, link: Link<P>) {
        self.links.block(link);
    }

    /// The carrier takes messages for this link again.
    pub fn handle_link_ready(&mut self, link: Link<P>) {
        self.links.unblock(link);
    }

    /// The link is gone: its conversations end, and what waits for it is dropped.
    pub fn handle_link_lost(&mut self, now: Instant, link: Link<P>) {
        let lost = match link {
            Link::All => None,
            Link::Peer(id) => match self.links.known_slot(id) {
                Some(slot) => Some(slot),
                None => return,
            },
        };
        let slots: Vec<usize> = self
            .conversations
            .iter()
            .filter(|(_, conversation)| lost.is_none_or(|peer| conversation.peer == peer))
            .map(|(slot, _)| slot)
            .collect();
        for slot in slots {
            self.apply(now, slot, Stimulus::LinkLost);
        }
        self.links.clear(link);
    }

    /// Whether the carrier should go on reading this link. It turns false when
    /// a conversation on it has more unconsumed bytes than it may
    /// ([`SlowReader::Pause`]), and true again by [`consumed`](Self::consumed)
    /// or the conversation's end.
    pub fn wants_input(&self, link: Link<P>) -> bool {
        let total_exceeded = self.config.slow_reader == SlowReader::Pause
            && self.unread_total > self.config.receive_total;
        !total_exceeded && !self.links.is_paused(link)
    }

    // --- the clock ---

    /// Does what is due at `now`. To be called when the time of the last
    /// [`Output::Timeout`] has come; harmless at any other.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(slot) = self.timers.pop_due(now) {
            let conversation = &mut self.conversations[slot];
            conversation.armed = None;
            if conversation.merge_at.is_some_and(|at| at <= now) {
                conversation.merge_at = None;
                conversation.merge_due = true;
            }
            let idle_since = conversation.last_message;
            if conversation.deadline.is_some_and(|at| at <= now) {
                self.deadline_passed(now, slot);
            } else if self
                .config
                .idle_timeout
                .is_some_and(|idle| idle_since + idle <= now)
            {
                self.apply(now, slot, Stimulus::Idle);
            }
            if self.conversations.contains(slot) {
                self.settle(slot);
            }
        }
    }

    fn deadline_passed(&mut self, now: Instant, slot: usize) {
        let draining = self.conversations[slot].state == State::Draining;
        if draining && !self.wants_input(Link::All) {
            // The peer is not silent: we do not listen.
            return self.restart_drain(now, slot);
        }
        self.conversations[slot].deadline = None;
        self.apply(now, slot, Stimulus::Deadline);
    }

    // --- output ---

    /// The next thing to do; see the drain rule in the [module documentation](super).
    pub fn poll_output(&mut self, now: Instant) -> Output<P> {
        if let Some(event) = self.events.pop_front() {
            return Output::Event(event);
        }
        while let Some(turn) = self.links.next_turn() {
            let transmit = match turn {
                Turn::Message(to, message) => Some((to, message)),
                Turn::Conversation(handle) => self.conversation_turn(now, handle),
            };
            if let Some((to, message)) = transmit {
                self.stats.sent.count(message.frame_type, &message.payload);
                return Output::Transmit { to, message };
            }
        }
        // A turn without a message can still have ended a conversation.
        match (self.events.pop_front(), self.timers.next()) {
            (Some(event), _) => Output::Event(event),
            (None, Some(at)) => Output::Timeout(at),
            (None, None) => Output::Idle,
        }
    }

    /// Counters since the endpoint began.
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// How many conversations are in `state`. Looks at all of them.
    pub fn count_in(&self, state: State) -> usize {
        self.conversations
            .iter()
            .filter(|(_, conversation)| conversation.state == state)
            .count()
    }

    /// How many conversations there are, with those that have ended but whose
    /// bytes the application still holds.
    pub fn conversation_count(&self) -> usize {
        self.conversations.len()
    }

    /// Whether nothing is left of any conversation: no id, peer, timer, event or message.
    pub fn is_empty(&self) -> bool {
        self.conversations.is_empty()
            && self.client_ids.live_count() == 0
            && self.server_ids.live_count() == 0
            && self.syns.is_empty()
            && self.links.peer_count() == 0
            && self.timers.next().is_none()
            && self.events.is_empty()
            && self.half_open == 0
            && self.unread_total == 0
    }

    // --- what all of it is made of ---

    /// Makes a conversation in the slot that `vacant_key` has told.
    pub(super) fn insert(
        &mut self,
        role: Role,
        peer: P,
        client_id: ClientId,
        now: Instant,
    ) -> Handle {
        let handle = Handle {
            serial: self.next_serial,
            slot: self.conversations.vacant_key(),
        };
        self.next_serial += 1;
        let peer = self.links.slot(peer);
        self.links.get_mut(peer).conversations += 1;
        self.conversations
            .insert(Conversation::new(handle, role, peer, client_id, now));
        handle
    }

    pub(super) fn emit(&mut self, event: Event<P>) {
        self.events.push_back(event);
    }

    fn known(&self, handle: Handle) -> Option<&Conversation> {
        self.conversations
            .get(handle.slot)
            .filter(|conversation| conversation.handle == handle)
    }

    fn known_mut(&mut self, handle: Handle) -> Option<&mut Conversation> {
        self.conversations
            .get_mut(handle.slot)
            .filter(|conversation| conversation.handle == handle)
    }

    fn live(&self, handle: Handle) -> Option<&Conversation> {
        self.known(handle)
            .filter(|conversation| conversation.state != State::Ended)
    }

    fn apply_to(&mut self, now: Instant, handle: Handle, stimulus: Stimulus) {
        if self.live(handle).is_some() {
            self.apply(now, handle.slot, stimulus);
        }
    }

    /// Puts a conversation through one step of the transition table.
    pub(super) fn apply(&mut self, now: Instant, slot: usize, stimulus: Stimulus) -> Step {
        let conversation = &mut self.conversations[slot];
        let before = conversation.state;
        let step = step(before, stimulus);
        match step {
            Step::To(State::SynSent) => {
                match stimulus {
                    Stimulus::Eof if conversation.intent == Intent::Stay => {
                        conversation.intent = Intent::Finish;
                    }
                    Stimulus::Close => conversation.intent = Intent::Close,
                    _ => {}
                }
                self.settle(slot);
            }
            Step::To(after) => {
                if after != before {
                    self.enter(now, slot, after);
                }
            }
            Step::Ends(end, farewell) => self.end(now, slot, end, farewell),
            Step::Ignored => {}
        }
        step
    }

    fn enter(&mut self, now: Instant, slot: usize, state: State) {
        let conversation = &mut self.conversations[slot];
        conversation.state = state;
        match state {
            State::Open => self.opened(now, slot),
            State::Draining => self.restart_drain(now, slot),
            State::Closing => conversation.deadline = Some(now + self.config.close_timeout),
            State::SynSent | State::SynReceived | State::Ended => {}
        }
        self.settle(slot);
    }

    fn opened(&mut self, now: Instant, slot: usize) {
        let conversation = &mut self.conversations[slot];
        conversation.last_message = now;
        conversation.deadline = None;
        match conversation.role {
            Role::Client => self.opened_as_client(now, slot),
            Role::Server => self.opened_as_server(now, slot),
        }
    }

    /// Begins the time for which a finished conversation waits for the peer.
    pub(super) fn restart_drain(&mut self, now: Instant, slot: usize) {
        let conversation = &mut self.conversations[slot];
        let policy = match conversation.role {
            Role::Client => self.config.client_eof,
            Role::Server => self.config.server_eof,
        };
        if let (State::Draining, OnEof::Drain(silence)) = (conversation.state, policy) {
            conversation.deadline = Some(now + silence);
        }
    }

    /// Delivers data to the application, or keeps it until the ACK.
    pub(super) fn deliver(&mut self, now: Instant, slot: usize, payload: Bytes) {
        let before = self.conversations[slot].state;
        match self.apply(now, slot, Stimulus::Data) {
            Step::To(_) if payload.is_empty() => return,
            Step::To(_) => {}
            Step::Ends(..) | Step::Ignored => return self.stats.note(Anomaly::DataAfterClose),
        }
        self.unread_total += payload.len();
        let conversation = &mut self.conversations[slot];
        conversation.unread += payload.len();
        let exceeded = conversation.unread > self.config.receive_buffer
            || self.unread_total > self.config.receive_total;
        if before == State::SynSent {
            self.stats.note(Anomaly::DataBeforeAck);
            conversation.early.push(payload);
            if exceeded {
                self.apply(now, slot, Stimulus::Overflow);
            }
            return;
        }
        if exceeded && self.config.slow_reader == SlowReader::Close {
            conversation.unread -= payload.len();
            self.unread_total -= payload.len();
            self.apply(now, slot, Stimulus::Overflow);
            return;
        }
        conversation.last_message = now;
        conversation.received_bytes += payload.len() as u64;
        let conversation = conversation.handle;
        self.emit(Event::Data {
            conversation,
            bytes: payload,
        });
        self.restart_drain(now, slot);
        self.update_pause(slot);
        self.settle(slot);
    }

    fn update_pause(&mut self, slot: usize) {
        let conversation = &mut self.conversations[slot];
        let pausing = self.config.slow_reader == SlowReader::Pause
            && conversation.state != State::Ended
            && conversation.unread > self.config.receive_buffer;
        if pausing == conversation.pausing {
            return;
        }
        conversation.pausing = pausing;
        if pausing {
            self.links.add_pausing(conversation.peer);
        } else {
            self.links.remove_pausing(conversation.peer);
        }
    }

    /// Brings lines and timers up to date with a live conversation.
    pub(super) fn settle(&mut self, slot: usize) {
        let conversation = &mut self.conversations[slot];
        let wanted = conversation.next_deadline(self.config.idle_timeout);
        self.timers.arm(slot, &mut conversation.armed, wanted);
        if !conversation.in_line && has_output(conversation, &self.config) {
            conversation.in_line = true;
            self.links
                .push_conversation(conversation.peer, conversation.handle);
        }
    }

    /// The message of a conversation whose turn it is.
    fn conversation_turn(&mut self, now: Instant, handle: Handle) -> Option<(P, Message)> {
        let conversation = self.known_mut(handle)?;
        conversation.in_line = false;
        if conversation.state == State::Ended {
            return None;
        }
        let peer = conversation.peer;
        let to = self.links.get(peer).id;
        let message = self.next_message(now, handle.slot);
        // Ending, the conversation leaves its close with the peer.
        if self.live(handle).is_some() {
            self.settle(handle.slot);
        }
        message.map(|message| (to, message))
    }

    fn next_message(&mut self, now: Instant, slot: usize) -> Option<Message> {
        let conversation = &mut self.conversations[slot];
        let message = match std::mem::replace(&mut conversation.due, Due::Nothing) {
            Due::Syn(destination) => Message {
                frame_type: FrameType::SYN,
                id: conversation.client_id.0,
                payload: destination,
            },
            Due::Ack => Message {
                frame_type: FrameType::ACK,
                id: conversation.client_id.0,
                payload: Bytes::copy_from_slice(&conversation.server_id?.0.0),
            },
            Due::Proof => Message {
                frame_type: FrameType::CLIENT_DATA,
                id: conversation.peer_id()?,
                payload: Bytes::new(),
            },
            Due::Nothing => return self.next_data(now, slot),
        };
        if let Some(budget) = &mut conversation.budget {
            *budget = budget.saturating_sub(message.message_bytes());
        }
        conversation.last_message = now;
        Some(message)
    }

    fn next_data(&mut self, now: Instant, slot: usize) -> Option<Message> {
        let max = self.config.max_payload;
        let conversation = &mut self.conversations[slot];
        if conversation.state == State::Closing && conversation.queue.is_empty() {
            self.apply(now, slot, Stimulus::Flushed);
            return None;
        }
        if conversation.waits_to_merge(max) {
            return None;
        }
        let limit = conversation.sendable(max);
        if limit == 0 {
            return None;
        }
        let payload = match self.config.merge {
            None => conversation.queue.cut(limit)?,
            Some(_) => conversation.queue.cut_merged(limit)?,
        };
        if let Some(budget) = &mut conversation.budget {
            *budget = budget.saturating_sub(HEADER_BYTES + payload.len());
        }
        if conversation.queue.is_empty() {
            conversation.merge_at = None;
            conversation.merge_due = false;
        }
        conversation.last_message = now;
        conversation.sent_bytes += payload.len() as u64;
        let message = Message {
            frame_type: conversation.data_type(),
            id: conversation.peer_id()?,
            payload,
        };
        self.after_data(now, slot);
        Some(message)
    }

    fn after_data(&mut self, now: Instant, slot: usize) {
        let conversation = &mut self.conversations[slot];
        match conversation.state {
            State::Closing => conversation.deadline = Some(now + self.config.close_timeout),
            State::Draining => self.restart_drain(now, slot),
            State::Open if conversation.full => {
                if conversation.queue.cost() <= self.config.send_buffer / 2 {
                    conversation.full = false;
                    let conversation = conversation.handle;
                    self.emit(Event::Writable { conversation });
                }
            }
            State::SynSent | State::SynReceived | State::Open | State::Ended => {}
        }
    }

    /// Ends a conversation: forgets its ids and tells the application and,
    /// if it is to know, the peer.
    fn end(&mut self, now: Instant, slot: usize, end: End, farewell: Farewell) {
        self.leave_half_open(slot);
        let conversation = &mut self.conversations[slot];
        let summary = conversation.summary(now);
        let handle = conversation.handle;
        let peer = conversation.peer;
        conversation.state = State::Ended;
        // Early data never reached the application.
        let early: usize = conversation.early.drain(..).map(|data| data.len()).sum();
        conversation.unread -= early;
        self.unread_total -= early;
        conversation.queue = super::send_queue::SendQueue::default();
        self.timers.arm(slot, &mut conversation.armed, None);

        match farewell {
            Farewell::Silent => {}
            Farewell::Close => {
                if let Some(message) = conversation.close_message() {
                    self.links.push_close(peer, message);
                }
            }
            // Without a SYN on its way there will be no ACK.
            Farewell::CloseIfAcked if matches!(conversation.due, Due::Syn(_)) => {}
            Farewell::CloseIfAcked => {
                let to = self.links.get(peer).id;
                self.abandoned.insert(conversation.client_id, to);
            }
        }
        conversation.due = Due::Nothing;
        self.forget_ids(slot);
        self.update_pause(slot);
        self.emit(Event::Closed {
            conversation: handle,
            end,
            summary,
        });
        self.remove_if_consumed(slot);
    }

    fn forget_ids(&mut self, slot: usize) {
        let conversation = &self.conversations[slot];
        match conversation.role {
            Role::Client => self.client_ids.release(conversation.client_id.0),
            Role::Server => {
                if let Some(id) = conversation.server_id {
                    self.server_ids.release(id.0);
                }
                let key = (conversation.peer, conversation.client_id);
                if self.syns.get(&key) == Some(&slot) {
                    self.syns.remove(&key);
                }
            }
        }
    }

    fn remove_if_consumed(&mut self, slot: usize) {
        if self.conversations[slot].unread > 0 {
            return;
        }
        let conversation = self.conversations.remove(slot);
        let peer = self.links.get_mut(conversation.peer);
        peer.conversations -= 1;
        if conversation.role == Role::Server {
            peer.accepted -= 1;
        }
        self.links.forget_if_unused(conversation.peer);
    }
}

fn has_output(conversation: &Conversation, config: &Config) -> bool {
    if !matches!(conversation.due, Due::Nothing) {
        return true;
    }
    match conversation.state {
        State::SynSent | State::SynReceived | State::Ended => false,
        State::Closing if conversation.queue.is_empty() => true,
        State::Open | State::Draining | State::Closing => {
            conversation.sendable(config.max_payload) > 0
                && !conversation.waits_to_merge(config.max_payload)
        }
    }
}
