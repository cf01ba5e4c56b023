//! Signs of life between the two ends of a conversation.

use std::time::{Duration, Instant};

/// Data messages without bytes after which a peer is known to keep conversations alive. One alone may
/// be the proof of its address.
const KNOWN: u8 = 2;

/// When the ends of a conversation were last heard of.
#[derive(Debug)]
pub(super) struct Liveness {
    /// The last message either way, but for data without bytes.
    talked: Instant,
    /// The last message from the peer.
    heard: Instant,
    /// The last message that went to the peer, or was meant to.
    sent: Instant,
    /// Data messages without bytes that came, counted up to [`KNOWN`].
    keep_alives: u8,
}

impl Liveness {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            talked: now,
            heard: now,
            sent: now,
            keep_alives: 0,
        }
    }

    /// A message went to the peer that is no mere sign of life.
    pub(super) const fn note_sent(&mut self, now: Instant) {
        self.talked = now;
        self.sent = now;
    }

    /// The peer was sent a sign of life, or is due one. Whether the peer is there only its own
    /// messages tell.
    pub(super) const fn note_kept_alive(&mut self, now: Instant) {
        self.sent = now;
    }

    /// Data came from the peer.
    pub(super) fn note_heard(&mut self, now: Instant, payload_bytes: usize) {
        self.heard = now;
        if payload_bytes > 0 {
            self.talked = now;
        } else {
            self.keep_alives = KNOWN.min(self.keep_alives + 1);
        }
    }

    /// Nobody listens to the peer, whose silence means nothing then.
    pub(super) const fn excuse_silence(&mut self, now: Instant) {
        self.heard = now;
    }

    /// The last message either way, but for data without bytes.
    pub(super) const fn talked(&self) -> Instant {
        self.talked
    }

    /// When the conversation has been idle for too long. Of a peer that keeps conversations alive
    /// only its own messages count: whoever sends on and on would not notice that it has gone.
    pub(super) fn idle_deadline(&self, idle_timeout: Duration) -> Option<Instant> {
        let since = if self.keep_alives < KNOWN {
            self.heard.max(self.talked)
        } else {
            self.heard
        };
        since.checked_add(idle_timeout)
    }

    /// When the peer has heard nothing for so long that it is due a sign of life.
    pub(super) fn keep_alive_deadline(&self, keep_alive: Duration) -> Option<Instant> {
        self.sent.checked_add(keep_alive)
    }
}
