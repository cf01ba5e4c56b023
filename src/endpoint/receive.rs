//! Messages that arrive: their dispatch by role, and the delivery of data.

use std::hash::Hash;
use std::time::Instant;

use bytes::Bytes;

use super::machine::Endpoint;
use super::output::Event;
use super::readers::Pause;
use super::state::{State, Stimulus, Transition};
use super::stats::Anomaly;
use crate::wire::{ClientId, FrameType, HEADER_BYTES, RawFrame, RawMessage, ServerId};

impl<P: Copy + Eq + Hash> Endpoint<P> {
    /// Takes one message that the carrier delivered.
    ///
    /// `from` is its sender, where the carrier names it. I2CP does not; there the
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
            FrameType::ACK => self.handle_ack(now, from, &frame),
            FrameType::SERVER_DATA => self.handle_server_data(now, from, ClientId(id), payload),
            FrameType::SERVER_CLOSE => self.handle_server_close(now, from, &frame),
            FrameType::CHAFF => self.stats.note(Anomaly::Chaff),
            _ => self.stats.note(Anomaly::UnknownType),
        }
    }

    /// Data for a conversation: delivered to the application, or kept until the ACK.
    pub(super) fn deliver(&mut self, now: Instant, slot: usize, payload: Bytes) {
        let conversation = &mut self.conversations[slot];
        let before = conversation.state;
        // Also where data come too late: whoever has a rest to send depends on a peer that is there.
        conversation.liveness.note_heard(now, payload.len());
        if self.apply(now, slot, Stimulus::Data) == Transition::Ignored {
            let exchange = &mut self.conversations[slot].exchange;
            exchange.note_dropped(payload.len());
            return self.stats.note(Anomaly::DataAfterClose);
        }
        // Data prove that the ACK without an id was no close (docs/protocol.md, "Where the text
        // and the wire differ"); data without bytes do, too, and deliver nothing.
        self.conversations[slot].suspected_close = None;
        if payload.is_empty() {
            return;
        }
        let reader = &mut self.conversations[slot].reader;
        self.readers.give(reader, payload.len());
        // Kept until the ACK has come (docs/protocol.md, "What peers may count on").
        if before == State::SynSent {
            self.keep(now, slot, &payload);
        } else if self.readers.is_flooded(reader) {
            self.readers.take_back(reader, payload.len());
            self.apply(now, slot, Stimulus::Overflow);
        } else {
            self.hand_over(now, slot, payload);
        }
    }

    fn keep(&mut self, now: Instant, slot: usize, payload: &[u8]) {
        self.stats.note(Anomaly::DataBeforeAck);
        let conversation = &mut self.conversations[slot];
        conversation.early.extend_from_slice(payload);
        if self.readers.has_too_much_early(&conversation.reader) {
            self.apply(now, slot, Stimulus::Overflow);
        }
    }

    fn hand_over(&mut self, now: Instant, slot: usize, bytes: Bytes) {
        let conversation = &mut self.conversations[slot];
        let state = conversation.state;
        conversation.exchange.note_received(bytes.len(), state);
        let conversation = conversation.handle;
        self.emit(Event::Data {
            conversation,
            bytes,
        });
        self.restart_drain(now, slot);
        self.review_reader(now, slot);
        self.reschedule(slot);
    }

    /// Pauses the link for a slow reader, or ends the pause, and looks after the reader's time.
    pub(super) fn review_reader(&mut self, now: Instant, slot: usize) {
        let conversation = &mut self.conversations[slot];
        let stalled_before = conversation.reader.stalled_at;
        let pause = self.readers.review(now, &mut conversation.reader);
        let (peer, stalled_at) = (conversation.peer, conversation.reader.stalled_at);
        if stalled_at != stalled_before {
            self.reschedule(slot);
        }
        self.pause_link(peer, pause);
    }

    pub(super) fn pause_link(&mut self, peer: usize, pause: Pause) {
        match pause {
            Pause::Begins => self.links.add_pausing(peer),
            Pause::Ends => self.links.remove_pausing(peer),
            Pause::Unchanged => {}
        }
    }

    /// Closes a conversation whose reader's time is up, if it is still too slow.
    pub(super) fn stall_passed(&mut self, now: Instant, slot: usize) {
        let reader = &mut self.conversations[slot].reader;
        if self.readers.is_stalled(reader) {
            self.apply(now, slot, Stimulus::Overflow);
        }
    }
}
