//! What arrives: which message is for which role, and what becomes of data.

use std::hash::Hash;
use std::time::Instant;

use bytes::Bytes;

use super::config::SlowReader;
use super::output::Event;
use super::session::Endpoint;
use super::state::{State, Step, Stimulus};
use super::stats::Anomaly;
use crate::wire::{ClientId, FrameType, HEADER_BYTES, RawFrame, RawMessage, ServerId};

/// What a message costs beside its bytes while it is kept until the ACK.
const EARLY_DATA_OVERHEAD_BYTES: usize = 64;

impl<P: Copy + Eq + Hash> Endpoint<P> {
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

    /// Data for a conversation: delivered to the application, or kept until the ACK.
    pub(super) fn deliver(&mut self, now: Instant, slot: usize, payload: Bytes) {
        let before = self.conversations[slot].state;
        if self.apply(now, slot, Stimulus::Data) == Step::Ignored {
            self.conversations[slot].dropped_bytes += payload.len() as u64;
            return self.stats.note(Anomaly::DataAfterClose);
        }
        self.conversations[slot].last_message = now;
        self.conversations[slot].suspected_close = None;
        if payload.is_empty() {
            return;
        }
        self.conversations[slot].unread += payload.len();
        self.unread_total += payload.len();
        if before == State::SynSent {
            self.keep(now, slot, payload);
        } else if self.config.slow_reader == SlowReader::Close && self.is_overfull(slot) {
            self.conversations[slot].unread -= payload.len();
            self.unread_total -= payload.len();
            self.apply(now, slot, Stimulus::Overflow);
        } else {
            self.hand_over(now, slot, payload);
        }
    }

    fn keep(&mut self, now: Instant, slot: usize, payload: Bytes) {
        self.stats.note(Anomaly::DataBeforeAck);
        self.conversations[slot].early.push(payload);
        if self.is_overfull(slot) {
            self.apply(now, slot, Stimulus::Overflow);
        }
    }

    fn hand_over(&mut self, now: Instant, slot: usize, bytes: Bytes) {
        let conversation = &mut self.conversations[slot];
        conversation.awaits_answer = false;
        conversation.answered_late |= conversation.state == State::Draining;
        conversation.received_bytes += bytes.len() as u64;
        let conversation = conversation.handle;
        self.emit(Event::Data {
            conversation,
            bytes,
        });
        self.restart_drain(now, slot);
        self.update_pause(slot);
        self.settle(slot);
    }

    fn is_overfull(&self, slot: usize) -> bool {
        let conversation = &self.conversations[slot];
        let overhead = conversation.early.len() * EARLY_DATA_OVERHEAD_BYTES;
        conversation.unread + overhead > self.config.receive_buffer
            || self.unread_total > self.config.receive_total
    }

    /// Pauses the link for a slow reader, or ends the pause.
    pub(super) fn update_pause(&mut self, slot: usize) {
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
}
