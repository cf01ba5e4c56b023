//! Messages from servers: for conversations that we opened.

use std::hash::Hash;
use std::time::Instant;

use bytes::Bytes;

use super::config::AddressProof;
use super::conversation::{Due, Intent};
use super::machine::Endpoint;
use super::output::Event;
use super::state::{State, Stimulus, Transition, transition};
use super::stats::Anomaly;
use crate::wire::{ClientId, FrameType, Message, PayloadShape, RawFrame, ServerId};

impl<P: Copy + Eq + Hash> Endpoint<P> {
    pub(super) fn handle_ack(&mut self, now: Instant, from: Option<P>, ack: &RawFrame<'_>) {
        let client_id = ClientId(ack.id);
        match (self.client_slot(from, client_id), ack.announced_id()) {
            (Some(slot), Some(server_id)) => self.handle_server_id(now, slot, server_id),
            (Some(slot), None) if ack.payload_shape() == PayloadShape::NoServerId => {
                self.handle_empty_ack(now, slot);
            }
            // Ignored, and waited on (docs/protocol.md, "What peers may count on").
            (Some(_), None) => self.stats.note(Anomaly::AckLength),
            (None, Some(server_id)) => self.handle_late_ack(from, client_id, server_id),
            (None, None) => {}
        }
    }

    /// The specification's sample (c) has it as the close, where there is something to
    /// close. The reference implementation ignores it, so data that follow prove
    /// that it was none.
    fn handle_empty_ack(&mut self, now: Instant, slot: usize) {
        let closes = transition(self.conversations[slot].state, Stimulus::EmptyAck);
        if !matches!(closes, Transition::Ends(..)) {
            return self.stats.note(Anomaly::AckLength);
        }
        self.stats.note(Anomaly::AckEmpty);
        let due = now.checked_add(self.config.empty_ack_time);
        let conversation = &mut self.conversations[slot];
        if conversation.suspected_close.is_none() {
            conversation.suspected_close = due;
            self.reschedule(slot);
        }
    }

    fn handle_server_id(&mut self, now: Instant, slot: usize, server_id: ServerId) {
        // The first server id stays (docs/protocol.md, "What peers may count on").
        if self.conversations[slot].state != State::SynSent {
            return self.stats.note(Anomaly::AckDuplicate);
        }
        if server_id.0.is_zero() {
            self.stats.note(Anomaly::ZeroId);
        }
        self.conversations[slot].server_id = Some(server_id);
        self.apply(now, slot, Stimulus::Ack);
    }

    /// Closes, for the peer of a late ACK, the conversation that it would keep for ever.
    fn handle_late_ack(&mut self, from: Option<P>, client_id: ClientId, server_id: ServerId) {
        let Some(to) = self.abandoned.get(client_id) else {
            return;
        };
        // Before the id is taken out: a forged ACK must not use up the one that may still come.
        if from.is_some_and(|from| from != to) {
            return self.stats.note(Anomaly::WrongPeer);
        }
        self.abandoned.take(client_id);
        self.stats.note(Anomaly::AckLate);
        let slot = self.links.slot(to);
        self.links.push_close(
            slot,
            Message {
                frame_type: FrameType::CLIENT_CLOSE,
                id: server_id.0,
                payload: Bytes::new(),
            },
        );
    }

    pub(super) fn opened_as_client(&mut self, now: Instant, slot: usize) {
        let conversation = &mut self.conversations[slot];
        let server_id = conversation
            .server_id
            .expect("the only way here is an ACK, which brought the id");
        let early = std::mem::take(&mut conversation.early);
        let intent = conversation.intent;
        // Whatever we send next carries the server id; this is for the case
        // that there is nothing else.
        if self.config.address_proof == AddressProof::Required
            && intent != Intent::Close
            && conversation.queue.is_empty()
        {
            conversation.due = Due::Proof;
        }
        let state = conversation.state;
        conversation.exchange.note_received(early.len(), state);
        let handle = conversation.handle;
        let opened = Event::Opened {
            conversation: handle,
            client_id: conversation.client_id,
            server_id,
            handshake: conversation.exchange.duration(now),
        };
        self.emit(opened);
        if !early.is_empty() {
            self.emit(Event::Data {
                conversation: handle,
                bytes: early.freeze(),
            });
        }
        // Last, since it may end the conversation that the events above report as open.
        match intent {
            Intent::Stay => {}
            Intent::Finish => self.finish(now, handle),
            Intent::Close => self.close(now, handle),
        }
    }

    pub(super) fn handle_server_data(
        &mut self,
        now: Instant,
        from: Option<P>,
        client_id: ClientId,
        payload: Bytes,
    ) {
        if let Some(slot) = self.client_slot(from, client_id) {
            self.deliver(now, slot, payload);
        }
    }

    pub(super) fn handle_server_close(
        &mut self,
        now: Instant,
        from: Option<P>,
        close: &RawFrame<'_>,
    ) {
        let Some(slot) = self.client_slot(from, ClientId(close.id)) else {
            return;
        };
        let refuses = self.conversations[slot].state == State::SynSent;
        match close.payload_shape() {
            PayloadShape::Nothing => {}
            // The reference's refusal where no application listens (docs/protocol.md, "Where the
            // text and the wire differ").
            PayloadShape::UnusedId if refuses => {}
            _ => self.stats.note(Anomaly::ClosePayload),
        }
        // A close with a payload closes all the same.
        self.apply(now, slot, Stimulus::PeerClose);
    }

    /// The conversation that a server's message is for.
    fn client_slot(&mut self, from: Option<P>, id: ClientId) -> Option<usize> {
        if id.0.is_zero() {
            self.stats.note(Anomaly::ZeroId);
        }
        let slot = self.ids.of_client(id);
        let other_role = self.ids.of_server(ServerId(id.0));
        self.checked_slot(from, slot, other_role)
    }

    /// `slot`, if it is `from` that the conversation is with.
    pub(super) fn checked_slot(
        &mut self,
        from: Option<P>,
        slot: Option<usize>,
        other_role: Option<usize>,
    ) -> Option<usize> {
        let is_with = |slot: usize| {
            let peer = self.links.get(self.conversations[slot].peer).id;
            from.is_none_or(|from| from == peer)
        };
        let anomaly = match (slot, other_role) {
            (Some(slot), _) if is_with(slot) => return Some(slot),
            (Some(_), _) => Anomaly::WrongPeer,
            (None, Some(other)) if is_with(other) => Anomaly::WrongDirection,
            (None, _) => Anomaly::UnknownId,
        };
        self.stats.note(anomaly);
        None
    }
}
