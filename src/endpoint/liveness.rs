//! Signs of life between the two ends of a conversation.

use std::time::{Duration, Instant};

use super::config::Config;

/// Keep-alives, data messages without bytes, after which a peer is known to send them. One alone may
/// be the proof of its address.
const KNOWN: u8 = 2;

/// When the ends of a conversation were last heard of.
#[derive(Debug)]
pub(super) struct Liveness {
    /// The last message either way that was no keep-alive.
    talked: Instant,
    /// The last message from the peer.
    heard: Instant,
    /// The last message that went to the peer, or was meant to.
    sent: Instant,
    /// Those of the peer.
    theirs: KeepAlives,
    /// Our own.
    ours: KeepAlives,
}

/// The keep-alives of one end.
#[derive(Clone, Copy, Debug)]
struct KeepAlives {
    /// The last one, or the beginning.
    last: Instant,
    /// Their number, up to [`KNOWN`].
    count: u8,
}

impl KeepAlives {
    const fn are_known(self) -> bool {
        self.count >= KNOWN
    }

    fn add(&mut self, now: Instant) {
        self.last = now;
        self.count = KNOWN.min(self.count + 1);
    }
}

impl Liveness {
    pub(super) const fn new(now: Instant) -> Self {
        let none = KeepAlives {
            last: now,
            count: 0,
        };
        Self {
            talked: now,
            heard: now,
            sent: now,
            theirs: none,
            ours: none,
        }
    }

    /// A message went to the peer that is no keep-alive.
    pub(super) const fn note_sent(&mut self, now: Instant) {
        self.talked = now;
        self.sent = now;
    }

    /// The peer was sent a keep-alive. Whether the peer is there only its own messages tell.
    pub(super) fn note_kept_alive(&mut self, now: Instant) {
        self.ours.add(now);
        self.sent = now;
    }

    /// The peer is due a keep-alive, which may have to wait.
    pub(super) const fn begin_keep_alive(&mut self, now: Instant) {
        self.ours.last = now;
        self.sent = now;
    }

    /// Data came from the peer.
    pub(super) fn note_heard(&mut self, now: Instant, payload_bytes: usize) {
        self.heard = now;
        if payload_bytes > 0 {
            self.talked = now;
        } else if now.saturating_duration_since(self.theirs.last) >= Config::SHORTEST_KEEP_ALIVE / 2
        {
            // At once come the proof of an address, and copies.
            self.theirs.add(now);
        }
    }

    /// Nobody listens to the peer, whose silence means nothing then.
    pub(super) const fn excuse_silence(&mut self, now: Instant) {
        self.heard = now;
    }

    /// The last message either way that was no keep-alive.
    pub(super) const fn talked(&self) -> Instant {
        self.talked
    }

    /// Whether the peer is known to send keep-alives.
    pub(super) const fn is_peer_known(&self) -> bool {
        self.theirs.are_known()
    }

    /// When the conversation has been idle for too long. Of a peer that keeps conversations alive
    /// only its own messages count: whoever sends on and on would not notice that it has gone.
    pub(super) fn idle_deadline(&self, idle_timeout: Duration) -> Option<Instant> {
        let since = if self.is_peer_known() {
            self.heard
        } else {
            self.heard.max(self.talked)
        };
        since.checked_add(idle_timeout)
    }

    /// When the peer is due a keep-alive: since it has heard nothing for so long, or because it does
    /// not know yet that we send them.
    pub(super) fn keep_alive_deadline(&self, keep_alive: Duration) -> Option<Instant> {
        let since = if self.ours.are_known() {
            self.sent
        } else {
            self.ours.last
        };
        since.checked_add(keep_alive)
    }
}
