//! The endpoint: its tables, its interfaces to the application and the carrier, and its clock.
//!
//! It is one machine, with a file for each kind of input and output: messages come in by `receive`,
//! which gives those of clients to `server` and those of servers to `client`; `lifecycle` takes
//! conversations through the table of `state`; `transmit` has the output, and its order. Each of
//! its tables is a part of its own, which knows nothing of the others: `conversations`, `ids`,
//! `abandoned`, `links` (peers and their turns), `readers` (unread bytes), `unproven` (peers whose
//! address may be forged), `timers`. Of one conversation, `send_queue` has the data to be sent,
//! `merging` their delay, `allowance` the bytes of them that may go, `exchange` the traffic so far,
//! `liveness` when its ends were last heard of.

use std::collections::VecDeque;
use std::hash::Hash;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::abandoned::Abandoned;
use super::config::{Config, Limits, OnEof};
use super::conversation::{Due, Role};
use super::conversations::Conversations;
use super::ids::Ids;
use super::links::Links;
use super::output::{Event, Handle, Scope};
use super::readers::Readers;
use super::state::{State, Stimulus, Transition, transition};
use super::stats::Stats;
use super::timers::Timers;
use super::unproven::Unproven;
use crate::wire::{
    ClientId, Direction, FrameType, IdOwner, MAX_DATA_PAYLOAD_BYTES, ServerId, StreamId,
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
    pub(super) conversations: Conversations,
    pub(super) ids: Ids,
    pub(super) abandoned: Abandoned<P>,
    pub(super) links: Links<P>,
    pub(super) readers: Readers,
    pub(super) timers: Timers,
    pub(super) unproven: Unproven,
    pub(super) events: VecDeque<Event<P>>,
    pub(super) stats: Stats,
}

/// Parameters of a conversation to be opened: all that a SYN holds.
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
#[non_exhaustive]
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

/// The reason why bytes were not taken. They are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The conversation has ended, was finished or closed, or is not accepted yet.
    #[error("the conversation does not take data in this state")]
    NotOpen,
    /// The send buffer is full; [`Event::Writable`] follows when it is not.
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
    ///
    /// Its limits for one peer count each `P` by itself.
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self::with_origins(config, seed, |_| None)
    }

    /// As [`new`](Self::new), with limits for one peer that count peers of the same origin
    /// together, such as all ports of a host. A peer without origin counts by itself.
    pub fn with_origins(
        mut config: Config,
        seed: [u8; 32],
        origin_of: fn(P) -> Option<u128>,
    ) -> Self {
        config.max_payload = config.max_payload.clamp(1, MAX_DATA_PAYLOAD_BYTES);
        config.limits.total = config.limits.total.min(Limits::MAX_TOTAL);
        config.close_timeout = config.close_timeout.max(Config::SHORTEST_TIME);
        config.idle_timeout = config
            .idle_timeout
            .map(|time| time.max(Config::SHORTEST_TIME));
        config.keep_alive = config
            .keep_alive
            .map(|time| time.max(Config::SHORTEST_KEEP_ALIVE));
        Self {
            readers: Readers::new(&config),
            config,
            conversations: Conversations::new(),
            ids: Ids::new(seed),
            abandoned: Abandoned::new(),
            links: Links::new(origin_of),
            timers: Timers::default(),
            unproven: Unproven::default(),
            events: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    // --- the application's side ---

    /// Opens a conversation. Data may be written at once; it is sent when the ACK has come.
    ///
    /// # Errors
    /// A limit is reached, or the id that was asked for is in use.
    pub fn open(&mut self, now: Instant, open: Open<P>) -> Result<Handle, OpenError> {
        if self.is_full() {
            let limit = self.config.limits.total;
            return Err(OpenError::TooMany { limit });
        }
        let slot = self.conversations.vacant_slot();
        let client_id = match open.client_id {
            Some(id) if self.ids.claim_client(id, slot) => id,
            Some(id) => return Err(OpenError::IdInUse(id)),
            None => self.ids.draw_client(slot),
        };
        // An ACK for this id now belongs to the new conversation.
        self.abandoned.take(client_id);
        let handle = self.insert(Role::Client, open.to, client_id, now);
        let conversation = &mut self.conversations[slot];
        conversation.due = Due::Syn(open.destination);
        conversation.deadline = self
            .config
            .handshake_timeout
            .and_then(|timeout| now.checked_add(timeout));
        self.stats.opened_count += 1;
        self.reschedule(slot);
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
        let conversation = self
            .conversations
            .known_mut(handle)
            .filter(|conversation| conversation.takes_data())
            .ok_or(WriteError::NotOpen)?;
        let queue = &mut conversation.queue;
        queue
            .write(now, bytes, &self.config)
            .map_err(|held| WriteError::Full {
                held,
                bound: self.config.send_buffer,
            })?;
        self.reschedule(handle.slot);
        Ok(())
    }

    /// Length of the longest [`write`](Self::write) after which the conversation does not hold more
    /// than [`Config::send_buffer`]; 1 also where there is room for none, or the buffer is
    /// full; 0 if it takes no data. While [`is_writable`](Self::is_writable), a longer one is
    /// taken, too.
    pub fn send_room(&self, handle: Handle) -> usize {
        self.conversations
            .known(handle)
            .filter(|conversation| conversation.takes_data())
            .map_or(0, |conversation| conversation.queue.room(&self.config))
    }

    /// Whether a conversation can send hardly anything of what is written at the moment: it has no
    /// ACK, the link takes nothing, or the peer has not proven its address.
    pub fn is_held_back(&self, handle: Handle) -> bool {
        self.conversations
            .known(handle)
            .is_some_and(|conversation| {
                conversation.server_id.is_none()
                    || conversation.allowance.is_limited()
                    || self.links.is_blocked(conversation.peer)
            })
    }

    /// Whether [`write`](Self::write) would take bytes now. After a `false`
    /// from a full buffer, [`Event::Writable`] follows when it is true again.
    pub fn is_writable(&self, handle: Handle) -> bool {
        self.conversations
            .known(handle)
            .is_some_and(|conversation| conversation.takes_data() && !conversation.queue.is_full())
    }

    /// The application has no more to send but may still read: the policy
    /// [`OnEof`] decides.
    pub fn finish(&mut self, now: Instant, handle: Handle) {
        let Some(conversation) = self.conversations.live(handle) else {
            return;
        };
        let policy = match conversation.role {
            Role::Client => self.config.client_eof,
            Role::Server => self.config.server_eof,
        };
        match policy {
            OnEof::Drain(Some(Duration::ZERO)) | OnEof::Close => {
                self.apply_to(now, handle, Stimulus::Close);
            }
            OnEof::Drain(_) => self.apply_to(now, handle, Stimulus::Eof),
        }
    }

    /// Sends the written data, then a close. Data that still come are dropped.
    pub fn close(&mut self, now: Instant, handle: Handle) {
        self.apply_to(now, handle, Stimulus::Close);
    }

    /// As [`close`](Self::close), but without sending a close: for an application
    /// that has not written all when the carrier's link is about to end. The end of the link, or
    /// [silence](Config::keep_alive), shows the peer that more was to come, where a close would make
    /// a part look like the whole.
    pub fn leave(&mut self, now: Instant, handle: Handle) {
        if let Some(conversation) = self.conversations.known_mut(handle)
            && matches!(conversation.state, State::Open | State::Draining)
        {
            conversation.is_left = true;
        }
        self.close(now, handle);
    }

    /// Drops the written data and closes at once; on a conversation that has ended, returns the
    /// credit of all bytes that the application still holds.
    pub fn abort(&mut self, now: Instant, handle: Handle) {
        self.apply_to(now, handle, Stimulus::Abort);
        if let Some(conversation) = self.conversations.known(handle) {
            let rest = conversation.reader.unread;
            self.consumed(now, handle, rest);
        }
    }

    /// The application has got rid of `bytes` of its [`Event::Data`]. It must say so for every
    /// byte, or [`abort`](Self::abort), also after [`Event::Closed`].
    pub fn consumed(&mut self, now: Instant, handle: Handle, bytes: usize) {
        // Before the ACK the application has been given nothing.
        let Some(conversation) = self
            .conversations
            .known_mut(handle)
            .filter(|conversation| conversation.state != State::SynSent)
        else {
            return;
        };
        self.readers.take_back(&mut conversation.reader, bytes);
        match conversation.state {
            State::Ended => self.remove_if_consumed(handle.slot),
            State::Draining => {
                // While the link was paused silence proved nothing (docs/endpoint.md, "End of
                // input").
                self.restart_drain(now, handle.slot);
                self.review_reader(now, handle.slot);
                self.reschedule(handle.slot);
            }
            State::SynSent | State::SynReceived | State::Open | State::Closing => {
                self.review_reader(now, handle.slot);
            }
        }
    }

    // --- the carrier's side ---

    /// The carrier takes no more messages for this link: none are handed out for
    /// it until [`handle_link_ready`](Self::handle_link_ready).
    pub fn handle_link_blocked(&mut self, scope: Scope<P>) {
        self.links.block(scope);
    }

    /// The carrier takes messages for this link again.
    pub fn handle_link_ready(&mut self, scope: Scope<P>) {
        self.links.unblock(scope);
    }

    /// The link is gone: its conversations end, and output waiting for it is dropped.
    pub fn handle_link_lost(&mut self, now: Instant, scope: Scope<P>) {
        let lost = match scope {
            Scope::All => None,
            Scope::Peer(id) => match self.links.known_slot(id) {
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
        self.links.clear(scope);
    }

    /// A message that was handed out has not reached its peer, and will not: its conversation ends,
    /// and nothing more is sent in it, since that would follow a hole. Returns the conversation;
    /// `None` if it is over already. Looks at all conversations.
    pub fn handle_message_lost(
        &mut self,
        now: Instant,
        to: P,
        frame_type: FrameType,
        id: StreamId,
    ) -> Option<Handle> {
        let peer = self.links.known_slot(to)?;
        let (slot, conversation) = self.conversations.iter().find(|(_, conversation)| {
            let has_its_id = match frame_type.id_owner() {
                Some(IdOwner::Client) => conversation.client_id.0 == id,
                Some(IdOwner::Server) => conversation.server_id == Some(ServerId(id)),
                None => false,
            };
            // A namesake may have been opened from the other end of the link.
            let sent = match conversation.role {
                Role::Client => Direction::ClientToServer,
                Role::Server => Direction::ServerToClient,
            };
            has_its_id
                && frame_type.direction() == Some(sent)
                && conversation.peer == peer
                && transition(conversation.state, Stimulus::MessageLost) != Transition::Ignored
        })?;
        let handle = conversation.handle;
        self.apply(now, slot, Stimulus::MessageLost);
        Some(handle)
    }

    /// Whether the carrier should go on reading this link. It turns false when
    /// a conversation on it has more unconsumed bytes than it may
    /// ([`SlowReader::Pause`](super::SlowReader::Pause)), and true again by [`consumed`](Self::consumed)
    /// or the conversation's end.
    pub fn wants_input(&self, scope: Scope<P>) -> bool {
        self.readers.want_input() && !self.links.is_paused(scope)
    }

    /// The conversations for which links are to be paused. Looks at all of them.
    pub fn slow_readers(&self) -> impl Iterator<Item = Handle> {
        self.conversations
            .iter()
            .filter(|(_, conversation)| conversation.reader.is_pausing)
            .map(|(_, conversation)| conversation.handle)
    }

    // --- the clock ---

    /// Acts on all timeouts at `now`. To be called when the time of the last
    /// [`Output::Timeout`](super::Output::Timeout) has come; harmless at any other.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(slot) = self.timers.pop_due(now) {
            let conversation = &mut self.conversations[slot];
            conversation.armed = None;
            conversation.queue.pass(now);
            // One of them, for it may end the conversation. Others that are due are armed below,
            // and come round at once.
            if conversation.suspected_close.is_some_and(|at| at <= now) {
                self.apply(now, slot, Stimulus::EmptyAck);
            } else if conversation.deadline.is_some_and(|at| at <= now) {
                self.deadline_passed(now, slot);
            } else if conversation.reader.stalled_at.is_some_and(|at| at <= now) {
                self.stall_passed(now, slot);
            } else if conversation
                .idle_deadline(self.config.idle_timeout)
                .is_some_and(|at| at <= now)
            {
                self.idle_time_passed(now, slot);
            } else if conversation
                .keep_alive_deadline(self.config.keep_alive)
                .is_some_and(|at| at <= now)
            {
                conversation.keep_alive(now);
            }
            if self.conversations.contains(slot) {
                self.reschedule(slot);
            }
        }
    }

    fn idle_time_passed(&mut self, now: Instant, slot: usize) {
        let wants_input = self.wants_input(Scope::All);
        let conversation = &mut self.conversations[slot];
        if !wants_input {
            return conversation.liveness.excuse_silence(now);
        }
        // Where both ends keep conversations alive the peer notices silence, and gets no close that
        // would make a part look like the whole. Another would wait for ever.
        conversation.is_left |= conversation.state == State::Open
            && self.config.keep_alive.is_some()
            && conversation.liveness.is_peer_known();
        conversation.leave_rest();
        self.apply(now, slot, Stimulus::Idle);
    }

    fn deadline_passed(&mut self, now: Instant, slot: usize) {
        let conversation = &self.conversations[slot];
        let is_held_up = !conversation.queue.is_empty() && self.links.is_blocked(conversation.peer);
        let wants_input = self.wants_input(Scope::All);
        let conversation = &mut self.conversations[slot];
        match conversation.state {
            // The time was that of the proof.
            State::Open | State::Draining | State::Closing
                if conversation.allowance.is_limited() =>
            {
                conversation.leave_rest();
                self.apply(now, slot, Stimulus::Displaced);
                return;
            }
            // The peer is not silent: it has not heard all, or we do not listen.
            State::Draining if is_held_up || !wants_input => {
                return self.restart_drain(now, slot);
            }
            // A close would make a part look like the whole. But whoever reads nothing may not keep
            // its place for ever.
            State::Closing if is_held_up => {
                let since = *conversation.held_up_since.get_or_insert(now);
                if now.saturating_duration_since(since) < Config::LONGEST_HOLD_UP {
                    return self.restart_close(now, slot);
                }
            }
            _ => {}
        }
        let conversation = &mut self.conversations[slot];
        conversation.deadline = None;
        conversation.leave_rest();
        self.apply(now, slot, Stimulus::Deadline);
    }

    /// Counters since the endpoint began.
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Number of conversations in `state`. Looks at all of them.
    pub fn count_in(&self, state: State) -> usize {
        self.conversations
            .iter()
            .filter(|(_, conversation)| conversation.state == state)
            .count()
    }

    /// Number of accepted conversations that wait for the application, or for the proof of their
    /// peer's address ([`Limits::half_open`]). Looks at all of them.
    pub fn half_open_count(&self) -> usize {
        self.conversations
            .iter()
            .filter(|(_, conversation)| conversation.is_half_open())
            .count()
    }

    /// Number of conversations, with those that have ended but whose bytes the application still
    /// holds.
    pub fn conversation_count(&self) -> usize {
        self.conversations.len()
    }

    /// Copies data that have waited to be sent since the last call to memory of their own, since
    /// [written](Self::write) data may be a small part of something large. To be called about once
    /// a second while it returns true, which is as long as something waits.
    pub fn own_what_waits(&mut self) -> bool {
        let mut again = false;
        for conversation in self.conversations.iter_mut() {
            again |= conversation.queue.own_memory();
        }
        again
    }

    /// Whether there are as many conversations as there may be, so that
    /// [`open`](Self::open) would fail.
    pub fn is_full(&self) -> bool {
        self.conversations.are_full(self.config.limits.total)
    }

    /// Whether [`close_answered`](Self::close_answered) should be called before the next
    /// conversation is opened: there is no room, or has just become so little that the peer may
    /// have none. It does not yet know of conversations that we gave up before its ACK.
    pub fn is_short_of_room(&self) -> bool {
        let free = self
            .config
            .limits
            .total
            .saturating_sub(self.conversations.live_count());
        free == 0 || free == self.config.limits.share()
    }

    /// Ends the waiting of some of the conversations that the application has
    /// finished and that have been answered since: nearly always it has left, and
    /// the protocol has no way to say so. The longest silent go first, as if their
    /// time had run out. There is room as soon as their closes are on their way, see
    /// [`Event::Closed`](super::Event::Closed).
    pub fn close_answered(&mut self, now: Instant) {
        let count = self.config.limits.share();
        for handle in self.conversations.longest_answered(count) {
            self.apply_to(now, handle, Stimulus::Deadline);
        }
    }

    /// The opener's id in a conversation.
    pub fn client_id(&self, handle: Handle) -> Option<ClientId> {
        Some(self.conversations.known(handle)?.client_id)
    }

    /// Whether nothing is left of any conversation: no id, peer, timer, event or message.
    pub fn is_empty(&self) -> bool {
        self.conversations.is_empty()
            && self.ids.is_empty()
            && self.links.peer_count() == 0
            && self.links.half_open() == 0
            && self.unproven.is_empty()
            && self.readers.are_done()
            && self.timers.next().is_none()
            && self.events.is_empty()
    }

    pub(super) fn emit(&mut self, event: Event<P>) {
        self.events.push_back(event);
    }
}
