//! An endpoint's state of one conversation.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::allowance::Allowance;
use super::config::Config;
use super::exchange::Exchange;
use super::liveness::Liveness;
use super::output::Handle;
use super::readers::Reader;
use super::send_queue::SendQueue;
use super::state::State;
use crate::wire::{ClientId, FrameType, Message, ServerId, StreamId};

/// Our side of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Client,
    Server,
}

/// A message that goes before all data.
#[derive(Debug)]
pub(super) enum Due {
    Nothing,
    /// The SYN, with this destination.
    Syn(Bytes),
    Ack,
    /// The ACK that was sent before, for a copy of its SYN.
    AckAgain,
    /// An empty data message, which shows that we receive at our address.
    Proof,
    /// An empty data message, which shows that we are still there.
    KeepAlive,
}

/// The application's request before the ACK was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intent {
    Stay,
    Finish,
    Close,
}

#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) handle: Handle,
    pub(super) role: Role,
    /// Slot of the peer.
    pub(super) peer: usize,
    pub(super) state: State,
    pub(super) client_id: ClientId,
    /// None until the handshake is done.
    pub(super) server_id: Option<ServerId>,

    pub(super) due: Due,
    pub(super) intent: Intent,
    /// The peer gets no close at its end, because not all was sent.
    pub(super) is_left: bool,
    pub(super) queue: SendQueue,
    /// The conversation stands in its peer's line of those that have output.
    pub(super) in_line: bool,
    /// Bytes that were sent since it came to the front of that line.
    pub(super) turn_bytes: usize,
    /// Bytes that may go to the peer's address.
    pub(super) allowance: Allowance,

    /// Data that came before the ACK, in memory of its own: a message may be a small part of
    /// a large read, all of whose memory it would hold.
    pub(super) early: BytesMut,
    pub(super) reader: Reader,

    /// When the state's own time is up.
    pub(super) deadline: Option<Instant>,
    /// Since when its close is due, and its link takes nothing of its rest.
    pub(super) held_up_since: Option<Instant>,
    /// When an ACK without an id was a close, if no data come before.
    pub(super) suspected_close: Option<Instant>,
    pub(super) liveness: Liveness,
    /// Its entry in [`Timers`](super::timers::Timers).
    pub(super) armed: Option<Instant>,

    pub(super) exchange: Exchange,
}

impl Conversation {
    pub(super) fn new(
        handle: Handle,
        role: Role,
        peer: usize,
        client_id: ClientId,
        now: Instant,
    ) -> Self {
        Self {
            handle,
            role,
            peer,
            state: match role {
                Role::Client => State::SynSent,
                Role::Server => State::SynReceived,
            },
            client_id,
            server_id: None,
            due: Due::Nothing,
            intent: Intent::Stay,
            is_left: false,
            queue: SendQueue::default(),
            in_line: false,
            turn_bytes: 0,
            allowance: Allowance::UNLIMITED,
            early: BytesMut::new(),
            reader: Reader::default(),
            deadline: None,
            held_up_since: None,
            suspected_close: None,
            liveness: Liveness::new(now),
            armed: None,
            exchange: Exchange::new(now),
        }
    }

    /// The id to which the peer listens, once it is known.
    pub(super) fn peer_id(&self) -> Option<StreamId> {
        match self.role {
            Role::Client => self.server_id.map(StreamId::from),
            Role::Server => Some(self.client_id.0),
        }
    }

    /// Whether the application may write.
    pub(super) fn takes_data(&self) -> bool {
        matches!(self.state, State::SynSent | State::Open) && self.intent == Intent::Stay
    }

    /// Whether an accepted conversation's peer has no ACK from us yet.
    pub(super) const fn is_unanswered(&self) -> bool {
        matches!(self.state, State::SynReceived) || matches!(self.due, Due::Ack)
    }

    /// Whether an accepted conversation counts as half-open.
    pub(super) const fn is_half_open(&self) -> bool {
        match self.state {
            State::SynReceived => true,
            State::Open | State::Draining | State::Closing => self.allowance.is_limited(),
            State::SynSent | State::Ended => false,
        }
    }

    /// When the conversation has been idle for too long.
    pub(super) fn idle_deadline(&self, idle_timeout: Option<Duration>) -> Option<Instant> {
        match self.state {
            State::Open | State::Draining | State::Closing => {
                self.liveness.idle_deadline(idle_timeout?)
            }
            State::SynSent | State::SynReceived | State::Ended => None,
        }
    }

    /// When the peer has heard nothing for so long that it is due a sign of life.
    pub(super) fn keep_alive_deadline(&self, keep_alive: Option<Duration>) -> Option<Instant> {
        match self.state {
            // What an address may be sent that is not proven is for data. A conversation with a rest
            // to send has its own time.
            State::Open | State::Draining if !self.allowance.is_limited() => {
                self.liveness.keep_alive_deadline(keep_alive?)
            }
            _ => None,
        }
    }

    /// When the conversation must be looked at next.
    pub(super) fn next_deadline(&self, config: &Config) -> Option<Instant> {
        if self.state == State::Ended {
            return None;
        }
        [
            self.deadline,
            self.suspected_close,
            self.queue.waits_until(),
            self.reader.stalled_at,
            self.idle_deadline(config.idle_timeout),
            self.keep_alive_deadline(config.keep_alive),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Payload bytes that may go out now, of those that the queue holds.
    pub(super) fn sendable(&self, max_payload: usize) -> usize {
        if self.server_id.is_none() {
            return 0;
        }
        let allowed = self.allowance.payload_bytes();
        self.queue.bytes().min(max_payload).min(allowed)
    }

    /// Whether a message that is not full must wait for more to merge.
    pub(super) fn waits_to_merge(&self, max_payload: usize) -> bool {
        self.queue.waits_until().is_some()
            && self.state == State::Open
            && self.queue.bytes() < max_payload
    }

    /// Whether the application has finished, all was sent, and something came since.
    pub(super) fn is_answered(&self) -> bool {
        self.state == State::Draining && self.queue.is_empty() && !self.exchange.awaits_answer()
    }

    pub(super) fn data_type(&self) -> FrameType {
        match self.role {
            Role::Client => FrameType::CLIENT_DATA,
            Role::Server => FrameType::SERVER_DATA,
        }
    }

    /// The conversation is to end: without a close, if there are data that the peer will never get.
    pub(super) const fn leave_rest(&mut self) {
        self.is_left |= !self.queue.is_empty();
    }

    /// The peer is due a sign of life.
    pub(super) fn keep_alive(&mut self, now: Instant) {
        // Counts from here on also where the link takes nothing, lest it be due again at once.
        self.liveness.begin_keep_alive(now);
        if matches!(self.due, Due::Nothing) {
            self.due = Due::KeepAlive;
        }
    }

    /// A data message that delivers nothing, if the peer has an id that it can go to.
    pub(super) fn empty_data(&self) -> Option<Message> {
        Some(Message {
            frame_type: self.data_type(),
            id: self.peer_id()?,
            payload: Bytes::new(),
        })
    }

    /// Our close, if the peer has an id that it can go to.
    pub(super) fn close_message(&self) -> Option<Message> {
        Some(Message {
            frame_type: match self.role {
                Role::Client => FrameType::CLIENT_CLOSE,
                Role::Server => FrameType::SERVER_CLOSE,
            },
            id: self.peer_id()?,
            payload: Bytes::new(),
        })
    }
}
