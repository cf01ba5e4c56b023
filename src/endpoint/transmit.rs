//! The output of an endpoint, and its order.

use std::hash::Hash;
use std::time::Instant;

use bytes::Bytes;

use super::config::Config;
use super::conversation::{Conversation, Due};
use super::links::Turn;
use super::machine::Endpoint;
use super::output::{Event, Handle, Output};
use super::state::{State, Stimulus};
use crate::wire::{FrameType, HEADER_BYTES, Message};

impl<P: Copy + Eq + Hash> Endpoint<P> {
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

    /// The message of a conversation whose turn it is.
    fn conversation_turn(&mut self, now: Instant, handle: Handle) -> Option<(P, Message)> {
        let conversation = self.conversations.known_mut(handle)?;
        conversation.in_line = false;
        if conversation.state == State::Ended {
            return None;
        }
        let peer = conversation.peer;
        let to = self.links.get(peer).id;
        let message = self.next_message(now, handle.slot);
        // Ending, the conversation leaves its close with the peer.
        if self.conversations.live(handle).is_some() {
            let sent_bytes = message.as_ref().map_or(0, |message| message.payload.len());
            self.keep_turn(handle, sent_bytes);
            self.reschedule(handle.slot);
        }
        message.map(|message| (to, message))
    }

    /// Lets a conversation whose last message was full go on, until it has sent the bytes of a
    /// turn.
    fn keep_turn(&mut self, handle: Handle, sent_bytes: usize) {
        let conversation = &mut self.conversations[handle.slot];
        conversation.turn_bytes += sent_bytes;
        if sent_bytes < self.config.max_payload
            || conversation.turn_bytes >= self.config.turn
            || !has_output(conversation, &self.config)
        {
            conversation.turn_bytes = 0;
            return;
        }
        conversation.in_line = true;
        self.links
            .push_conversation_first(conversation.peer, handle);
    }

    fn next_message(&mut self, now: Instant, slot: usize) -> Option<Message> {
        let conversation = &mut self.conversations[slot];
        let message = match std::mem::replace(&mut conversation.due, Due::Nothing) {
            Due::Syn(destination) => Message {
                frame_type: FrameType::SYN,
                id: conversation.client_id.0,
                payload: destination,
            },
            Due::Ack | Due::AckAgain => Message {
                frame_type: FrameType::ACK,
                id: conversation.client_id.0,
                payload: Bytes::copy_from_slice(&conversation.server_id?.0.0),
            },
            Due::Proof => conversation.empty_data()?,
            Due::KeepAlive => {
                conversation.liveness.note_kept_alive(now);
                return conversation.empty_data();
            }
            Due::Nothing => return self.next_data(now, slot),
        };
        // The ACK is short beside the SYN that it answers, so that it goes in any case.
        conversation.allowance.spend(message.message_bytes());
        conversation.liveness.note_sent(now);
        Some(message)
    }

    fn next_data(&mut self, now: Instant, slot: usize) -> Option<Message> {
        let max = self.config.max_payload;
        let conversation = &mut self.conversations[slot];
        // Data written before a close are sent before it (docs/protocol.md, "What peers may count
        // on").
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
        let payload = conversation.queue.next(limit, &self.config)?;
        conversation.allowance.spend(HEADER_BYTES + payload.len());
        conversation.liveness.note_sent(now);
        conversation.exchange.note_sent(payload.len());
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
        conversation.held_up_since = None;
        match conversation.state {
            State::Closing => self.restart_close(now, slot),
            State::Draining => self.restart_drain(now, slot),
            State::Open => {
                if conversation.queue.takes_again(&self.config) {
                    let conversation = conversation.handle;
                    self.emit(Event::Writable { conversation });
                }
            }
            State::SynSent | State::SynReceived | State::Ended => {}
        }
    }

    /// Brings lines and timers up to date with a live conversation.
    pub(super) fn reschedule(&mut self, slot: usize) {
        let conversation = &mut self.conversations[slot];
        let wanted = conversation.next_deadline(&self.config);
        self.timers.arm(slot, &mut conversation.armed, wanted);
        if !conversation.in_line && has_output(conversation, &self.config) {
            conversation.in_line = true;
            self.links
                .push_conversation(conversation.peer, conversation.handle);
        }
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
