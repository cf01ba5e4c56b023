//! What arrives: which message is for which role, and what becomes of data.

use std::hash::Hash;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::config::SlowReader;
use super::output::Event;
use super::session::Endpoint;
use super::state::{State, Stimulus, Transition};
use super::stats::Anomaly;
use crate::wire::{ClientId, FrameType, HEADER_BYTES, RawFrame, RawMessage, ServerId};

/// How many times its bound a conversation may hold for a moment where slow readers are closed.
const BURST: usize = 4;

/// How long it may hold more than its bound there. A program that stood still finds what
/// came meanwhile all at once, and its application needs a moment to read it.
const BURST_TIME: Duration = Duration::from_secs(1);

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
        let before = self.conversations[slot].state;
        if self.apply(now, slot, Stimulus::Data) == Transition::Ignored {
            self.conversations[slot].dropped_bytes += payload.len() as u64;
            return self.stats.note(Anomaly::DataAfterClose);
        }
        self.conversations[slot].last_message = now;
        // Data prove that the ACK without an id was no close (docs/protocol.md, "Where the text
        // and the wire differ"); data without bytes do, too, and deliver nothing.
        self.conversations[slot].suspected_close = None;
        if payload.is_empty() {
            return;
        }
        self.conversations[slot].unread += payload.len();
        self.unread_total += payload.len();
        // Kept until the ACK has come (docs/protocol.md, "What peers may count on").
        if before == State::SynSent {
            self.keep(now, slot, &payload);
        } else if self.config.slow_reader == SlowReader::Close && self.is_overfull(slot, BURST) {
            self.conversations[slot].unread -= payload.len();
            self.unread_total -= payload.len();
            self.apply(now, slot, Stimulus::Overflow);
        } else {
            self.hand_over(now, slot, payload);
        }
    }

    fn keep(&mut self, now: Instant, slot: usize, payload: &[u8]) {
        self.stats.note(Anomaly::DataBeforeAck);
        self.conversations[slot].early.extend_from_slice(payload);
        if self.is_overfull(slot, 1) {
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
        self.update_pause(now, slot);
        self.reschedule(slot);
    }

    /// Whether more is held than so many times the conversation's bound, or than all may hold.
    fn is_overfull(&self, slot: usize, times: usize) -> bool {
        self.conversations[slot].unread > self.config.receive_buffer.saturating_mul(times)
            || self.unread_total > self.config.receive_total
    }

    /// Pauses the link for a slow reader, or ends the pause, and looks after the reader's time.
    pub(super) fn update_pause(&mut self, now: Instant, slot: usize) {
        let over_total = self.unread_total > self.config.receive_total;
        let (pauses, time) = match self.config.slow_reader {
            SlowReader::Pause => (true, None),
            SlowReader::Close => (false, Some(BURST_TIME)),
            SlowReader::CloseAfter(time) => (true, Some(time)),
        };
        let conversation = &mut self.conversations[slot];
        let is_live = conversation.state != State::Ended;
        let is_over = is_live && conversation.unread > self.config.receive_buffer;
        // All hold too much together: whoever reads nothing at all is in the way.
        let shares_blame = is_live && over_total && conversation.unread > 0;
        let due = time.and_then(|time| now.checked_add(time));
        let stalled_at = match (is_over, shares_blame) {
            // Its time runs without a break, also when it reads a little.
            (true, _) => conversation.stalled_at.or(due),
            // This is called when it reads, or is given more: only one that does neither is late.
            (false, true) => due,
            (false, false) => None,
        };
        let pausing = pauses && is_over;
        let was_pausing = std::mem::replace(&mut conversation.pausing, pausing);
        let peer = conversation.peer;
        if stalled_at != conversation.stalled_at {
            conversation.stalled_at = stalled_at;
            if is_live {
                self.reschedule(slot);
            }
        }
        match (was_pausing, pausing) {
            (false, true) => self.links.add_pausing(peer),
            (true, false) => self.links.remove_pausing(peer),
            (false, false) | (true, true) => {}
        }
    }

    /// Closes a conversation whose reader's time is up, if it is still too slow.
    pub(super) fn stall_passed(&mut self, now: Instant, slot: usize) {
        let conversation = &mut self.conversations[slot];
        conversation.stalled_at = None;
        let over_total = self.unread_total > self.config.receive_total;
        if conversation.unread > self.config.receive_buffer || over_total {
            self.apply(now, slot, Stimulus::Overflow);
        }
    }
}
