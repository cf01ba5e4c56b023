//! Messages from clients: SYNs, and messages for conversations that we accepted.

use std::hash::Hash;
use std::time::Instant;

use bytes::Bytes;

use super::allowance::Allowance;
use super::config::{AddressProof, DuplicateSyn, Incoming};
use super::conversation::{Due, Role};
use super::machine::Endpoint;
use super::output::Event;
use super::state::{State, Stimulus};
use super::stats::Anomaly;
use crate::wire::{ClientId, Destination, FrameType, HEADER_BYTES, Message, RawMessage, ServerId};

/// The destination in a SYN, or `None` if the message is not a SYN with one.
///
/// For carriers that do not name a message's sender: the ACK goes to this destination.
pub fn syn_destination(message: &[u8]) -> Option<Destination<'_>> {
    match RawMessage::parse(message).frame()? {
        frame if frame.frame_type == FrameType::SYN => {
            Some(Destination::split(frame.payload).ok()?.0)
        }
        _ => None,
    }
}

impl<P: Copy + Eq + Hash> Endpoint<P> {
    pub(super) fn handle_syn(
        &mut self,
        now: Instant,
        from: Option<P>,
        client_id: ClientId,
        payload: Bytes,
    ) {
        // Bytes behind a destination are ignored, and a SYN without one is dropped without an
        // answer (docs/protocol.md, "What peers may count on").
        let Ok((destination, _trailing)) = Destination::split(&payload) else {
            return self.stats.note(Anomaly::BadDestination);
        };
        let Some(from) = from else {
            return self.stats.note(Anomaly::NoSender);
        };
        // Reserved by the text, and treated like any other by the reference (docs/protocol.md,
        // "Messages").
        if client_id.0.is_zero() {
            self.stats.note(Anomaly::ZeroId);
        }
        let message_bytes = HEADER_BYTES + payload.len();
        // Before any limit: a copy of a SYN begins nothing.
        if let Some(slot) = self.first_syn(from, client_id) {
            return self.answer_again(slot, message_bytes);
        }
        if self.config.incoming == Incoming::Refuse {
            return self.refuse_syn(from, client_id);
        }
        if self.is_over_limit(from) || !self.has_place(now, from) {
            self.stats.note(Anomaly::OverLimit);
            return self.refuse_syn(from, client_id);
        }
        let destination = payload.slice(..destination.as_bytes().len());
        self.offer(now, from, client_id, destination, message_bytes);
    }

    /// The conversation of which this SYN may be a copy.
    fn first_syn(&self, from: P, client_id: ClientId) -> Option<usize> {
        self.ids.of_syn(self.links.known_slot(from)?, client_id)
    }

    fn answer_again(&mut self, slot: usize, message_bytes: usize) {
        self.stats.note(Anomaly::DuplicateSyn);
        let conversation = &mut self.conversations[slot];
        conversation.allowance.grow(message_bytes);
        // Until the application accepts there is no server id to send.
        if conversation.state != State::SynReceived && !matches!(conversation.due, Due::Ack) {
            conversation.due = Due::AckAgain;
        }
        self.reschedule(slot);
    }

    fn is_over_limit(&self, from: P) -> bool {
        let limits = &self.config.limits;
        self.links.known_origin(from).is_some_and(|origin| {
            origin.accepted.max(origin.ended) >= limits.per_peer
                || origin.half_open >= limits.half_open_per_peer
        })
    }

    /// Whether there is a place for one more conversation, which begins half-open. If all are
    /// taken, one gives way that was accepted and whose address is not proven: forged addresses
    /// keep nobody out, unless in the time that a proof takes at least half as many of them are
    /// accepted as there are such conversations.
    fn has_place(&mut self, now: Instant, from: P) -> bool {
        let limits = &self.config.limits;
        if self.links.half_open() < limits.half_open && !self.is_full() {
            return true;
        }
        if self.config.address_proof == AddressProof::NotNeeded
            // Those wait for slow readers, and whoever gives way leaves none of their places.
            || self.conversations.are_full_of_ended(limits.total)
        {
            return false;
        }
        let own = self.links.known_origin(from);
        let own = own.map_or(0, |origin| origin.half_open);
        let Some(handle) = self.unproven.gives_way(now, own) else {
            return false;
        };
        self.apply(now, handle.slot, Stimulus::Displaced);
        true
    }

    fn refuse_syn(&mut self, from: P, client_id: ClientId) {
        let slot = self.links.slot(from);
        let refusal = Message {
            frame_type: FrameType::SERVER_CLOSE,
            id: client_id.0,
            payload: Bytes::new(),
        };
        if !self.links.push_refusal(slot, refusal) {
            self.stats.note(Anomaly::RefusalDropped);
            self.links.forget_if_unused(slot);
        }
    }

    fn offer(
        &mut self,
        now: Instant,
        from: P,
        client_id: ClientId,
        destination: Bytes,
        message_bytes: usize,
    ) {
        let handle = self.insert(Role::Server, from, client_id, now);
        let slot = handle.slot;
        let conversation = &mut self.conversations[slot];
        conversation.deadline = now.checked_add(self.config.accept_timeout);
        conversation.allowance = Allowance::of_syn(self.config.address_proof, message_bytes);
        let peer = conversation.peer;
        self.links.origin_mut(peer).accepted += 1;
        self.links.begin_half_open(peer);
        if self.config.duplicate_syn == DuplicateSyn::AnswerAgain {
            self.ids.note_syn(peer, client_id, slot);
        }
        self.stats.offered_count += 1;
        self.emit(Event::Incoming {
            conversation: handle,
            from,
            client_id,
            destination,
        });
        self.reschedule(slot);
    }

    pub(super) fn opened_as_server(&mut self, now: Instant, slot: usize) {
        let server_id = self.ids.draw_server(slot);
        let conversation = &mut self.conversations[slot];
        conversation.server_id = Some(server_id);
        conversation.due = Due::Ack;
        if conversation.allowance.is_limited() {
            // It stays half-open until the peer has shown its address.
            conversation.deadline = now.checked_add(self.config.proof_timeout);
            let (peer, handle) = (conversation.peer, conversation.handle);
            let (origin, _) = self.links.origin(peer);
            self.unproven.insert(now, origin, handle);
            self.review_origin(peer);
        } else {
            self.links.end_half_open(conversation.peer);
        }
        let conversation = &self.conversations[slot];
        let opened = Event::Opened {
            conversation: conversation.handle,
            client_id: conversation.client_id,
            server_id,
            handshake: conversation.exchange.duration(now),
        };
        self.emit(opened);
    }

    /// To be called before a conversation stops being half-open.
    pub(super) fn leave_half_open(&mut self, slot: usize) {
        let conversation = &self.conversations[slot];
        if !conversation.is_half_open() {
            return;
        }
        if conversation.state != State::SynReceived {
            let (origin, _) = self.links.origin(conversation.peer);
            self.unproven.remove(origin, conversation.handle);
        }
        self.links.end_half_open(conversation.peer);
    }

    /// To be called when another number of conversations of this peer are proven.
    pub(super) fn review_origin(&mut self, peer: usize) {
        let (origin, counts) = self.links.origin(peer);
        self.unproven.note_proven(origin, counts.proven());
    }

    pub(super) fn handle_client_data(
        &mut self,
        now: Instant,
        from: Option<P>,
        server_id: ServerId,
        payload: Bytes,
    ) {
        if let Some(slot) = self.server_slot(from, server_id) {
            self.prove(now, slot);
            self.deliver(now, slot, payload);
        }
    }

    pub(super) fn handle_client_close(
        &mut self,
        now: Instant,
        from: Option<P>,
        server_id: ServerId,
        payload: &[u8],
    ) {
        if let Some(slot) = self.server_slot(from, server_id) {
            if !payload.is_empty() {
                self.stats.note(Anomaly::ClosePayload);
            }
            self.apply(now, slot, Stimulus::PeerClose);
        }
    }

    /// The peer knows the server id, so our ACK reached it at its address.
    fn prove(&mut self, now: Instant, slot: usize) {
        if !self.conversations[slot].allowance.is_limited() {
            return;
        }
        self.leave_half_open(slot);
        let conversation = &mut self.conversations[slot];
        conversation.allowance.lift();
        if conversation.state == State::Open {
            conversation.deadline = None;
        }
        let peer = conversation.peer;
        self.restart_drain(now, slot);
        self.restart_close(now, slot);
        self.review_origin(peer);
        self.reschedule(slot);
    }

    /// The conversation that a client's message is for.
    fn server_slot(&mut self, from: Option<P>, id: ServerId) -> Option<usize> {
        if id.0.is_zero() {
            self.stats.note(Anomaly::ZeroId);
        }
        let slot = self.ids.of_server(id);
        let other_role = self.ids.of_client(ClientId(id.0));
        self.checked_slot(from, slot, other_role)
    }
}
