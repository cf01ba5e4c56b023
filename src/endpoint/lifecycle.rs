//! The life of conversations: their beginnings, states, and ends.

use std::hash::Hash;
use std::time::Instant;

use super::config::OnEof;
use super::conversation::{Due, Intent, Role};
use super::liveness::Liveness;
use super::machine::Endpoint;
use super::output::{End, Event, Handle};
use super::send_queue::SendQueue;
use super::state::{Farewell, State, Stimulus, Transition, transition};
use super::stats::Anomaly;
use crate::wire::ClientId;

impl<P: Copy + Eq + Hash> Endpoint<P> {
    /// Makes a conversation, in the slot that was the next vacant one.
    pub(super) fn insert(
        &mut self,
        role: Role,
        peer: P,
        client_id: ClientId,
        now: Instant,
    ) -> Handle {
        let peer = self.links.slot(peer);
        self.links.get_mut(peer).conversations += 1;
        self.conversations.insert(role, peer, client_id, now)
    }

    /// Puts a conversation through a transition, if it has not ended.
    pub(super) fn apply_to(&mut self, now: Instant, handle: Handle, stimulus: Stimulus) {
        if self.conversations.live(handle).is_some() {
            self.apply(now, handle.slot, stimulus);
        }
    }

    /// Puts a conversation through one transition of the table.
    pub(super) fn apply(&mut self, now: Instant, slot: usize, stimulus: Stimulus) -> Transition {
        let conversation = &mut self.conversations[slot];
        let before = conversation.state;
        let transition = transition(before, stimulus);
        match transition {
            Transition::To(State::SynSent) => {
                match stimulus {
                    Stimulus::Eof if conversation.intent == Intent::Stay => {
                        conversation.intent = Intent::Finish;
                    }
                    Stimulus::Close => conversation.intent = Intent::Close,
                    _ => {}
                }
                self.reschedule(slot);
            }
            Transition::To(after) => {
                if after != before {
                    self.enter(now, slot, after);
                }
            }
            Transition::Ends(end, farewell) => self.end(now, slot, end, farewell),
            Transition::Ignored => {}
        }
        transition
    }

    fn enter(&mut self, now: Instant, slot: usize, state: State) {
        let conversation = &mut self.conversations[slot];
        conversation.state = state;
        match state {
            State::Open => self.opened(now, slot),
            State::Draining => self.restart_drain(now, slot),
            State::Closing => self.restart_close(now, slot),
            State::SynSent | State::SynReceived | State::Ended => {}
        }
        self.reschedule(slot);
    }

    fn opened(&mut self, now: Instant, slot: usize) {
        let conversation = &mut self.conversations[slot];
        conversation.liveness = Liveness::new(now);
        conversation.deadline = None;
        match conversation.role {
            Role::Client => self.opened_as_client(now, slot),
            Role::Server => self.opened_as_server(now, slot),
        }
    }

    /// Begins the time for which a finished conversation waits for the peer.
    pub(super) fn restart_drain(&mut self, now: Instant, slot: usize) {
        let conversation = &mut self.conversations[slot];
        if conversation.allowance.is_limited() {
            // What waits is the proof of its address, which has its own time.
            return;
        }
        let policy = match conversation.role {
            Role::Client => self.config.client_eof,
            Role::Server => self.config.server_eof,
        };
        if let (State::Draining, OnEof::Drain(silence)) = (conversation.state, policy) {
            conversation.deadline = silence.and_then(|silence| now.checked_add(silence));
        }
    }

    /// Begins the time in which a closing conversation has to send something of its rest.
    pub(super) fn restart_close(&mut self, now: Instant, slot: usize) {
        let conversation = &mut self.conversations[slot];
        if conversation.state == State::Closing && !conversation.allowance.is_limited() {
            conversation.deadline = now.checked_add(self.config.close_timeout);
        }
    }

    /// Ends a conversation: forgets its ids and notifies the application and,
    /// if the transition says so, the peer.
    fn end(&mut self, now: Instant, slot: usize, end: End, farewell: Farewell) {
        // All look at the state and the queue that the following lines change.
        self.leave_half_open(slot);
        let conversation = &mut self.conversations[slot];
        let is_refusal = conversation.is_unanswered() || conversation.allowance.is_limited();
        let unsent_bytes = conversation.queue.bytes();
        let summary = conversation.exchange.summary(unsent_bytes, now);
        let handle = conversation.handle;
        let peer = conversation.peer;
        let role = conversation.role;
        // Early data never reached the application.
        let early = std::mem::take(&mut conversation.early).len();
        self.readers.take_back(&mut conversation.reader, early);
        conversation.queue = SendQueue::default();
        self.timers.arm(slot, &mut conversation.armed, None);
        self.conversations.end(slot);
        if role == Role::Server {
            let origin = self.links.origin_mut(peer);
            origin.accepted -= 1;
            origin.ended += 1;
            self.review_origin(peer);
        }

        let conversation = &mut self.conversations[slot];
        match farewell {
            Farewell::Silent => {}
            Farewell::Close if conversation.is_left => {}
            Farewell::Close => {
                if let Some(message) = conversation.close_message() {
                    // Neither forged addresses nor peers that read nothing may have more wait than
                    // refused SYNs have. Whoever was sent an ACK took all that waited before it.
                    if !is_refusal {
                        self.links.push_close(peer, message);
                    } else if !self.links.push_refusal(peer, message) {
                        self.stats.note(Anomaly::RefusalDropped);
                    }
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
        self.ids.release(conversation);
        let pause = conversation.reader.dismiss();
        self.pause_link(peer, pause);
        self.emit(Event::Closed {
            conversation: handle,
            end,
            summary,
        });
        self.remove_if_consumed(slot);
    }

    /// Removes an ended conversation, once the application holds nothing of it.
    pub(super) fn remove_if_consumed(&mut self, slot: usize) {
        if self.conversations[slot].reader.unread > 0 {
            return;
        }
        let conversation = self.conversations.remove(slot);
        self.links.get_mut(conversation.peer).conversations -= 1;
        if conversation.role == Role::Server {
            self.links.origin_mut(conversation.peer).ended -= 1;
        }
        let is_live = |handle| self.conversations.live(handle).is_some();
        self.links.review_line(conversation.peer, is_live);
        self.links.forget_if_unused(conversation.peer);
    }
}
