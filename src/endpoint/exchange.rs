//! The traffic of a conversation so far.

use std::time::{Duration, Instant};

use super::output::ConversationSummary;
use super::state::State;

/// Bytes and times of a conversation, and whether the peer may still have something to say.
#[derive(Debug)]
pub(super) struct Exchange {
    began: Instant,
    sent_bytes: u64,
    received_bytes: u64,
    /// Bytes that came when the application wanted no more.
    dropped_bytes: u64,
    /// Data was sent since data was last received.
    awaits_answer: bool,
    /// Data came after our application had finished.
    answered_late: bool,
}

impl Exchange {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            began: now,
            sent_bytes: 0,
            received_bytes: 0,
            dropped_bytes: 0,
            awaits_answer: false,
            answered_late: false,
        }
    }

    /// A message of data was sent.
    pub(super) const fn note_sent(&mut self, bytes: usize) {
        self.awaits_answer = true;
        self.sent_bytes += bytes as u64;
    }

    /// The application was given data, in this state of the conversation.
    pub(super) fn note_received(&mut self, bytes: usize, state: State) {
        self.awaits_answer = false;
        self.answered_late |= state == State::Draining;
        self.received_bytes += bytes as u64;
    }

    /// Data came that the application is not given.
    pub(super) const fn note_dropped(&mut self, bytes: usize) {
        self.dropped_bytes += bytes as u64;
    }

    /// Whether nothing has come since data was last sent.
    pub(super) const fn awaits_answer(&self) -> bool {
        self.awaits_answer
    }

    /// Time since it began.
    pub(super) fn duration(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.began)
    }

    /// All of it, where `unsent_bytes` are left in the queue.
    pub(super) fn summary(&self, unsent_bytes: usize, now: Instant) -> ConversationSummary {
        ConversationSummary {
            sent_bytes: self.sent_bytes,
            received_bytes: self.received_bytes,
            unsent_bytes: unsent_bytes as u64,
            dropped_bytes: self.dropped_bytes,
            answer_expected: self.awaits_answer || self.answered_late,
            duration: self.duration(now),
        }
    }
}
