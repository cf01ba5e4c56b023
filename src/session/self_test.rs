//! Messages to oneself: whether others can reach the session.
//!
//! A router delivers by the lease set that is published. One that i2pd's
//! floodfill keeps from an earlier session of the same destination leads
//! nowhere, and nobody notices: senders see status 4. A message to oneself takes
//! the same path, and then does not come back.

use std::time::{Duration, Instant};

use crate::wire::{FrameType, RawFrame, StreamId};

/// Time for a message to oneself before the next is sent.
const PATIENCE: Duration = Duration::from_secs(5);
/// Number that may be lost before the session counts as unreachable.
const ATTEMPTS: u32 = 4;
/// Time between tries of a session that cannot be reached.
const PAUSE: Duration = Duration::from_secs(15);

/// The result of the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    Reachable,
    Unreachable,
}

/// A test under way, or none.
#[derive(Debug)]
pub(super) struct Probe {
    message: Vec<u8>,
    sent: u32,
    /// When the next is sent; `None` before the session is ready and after one came back.
    next_at: Option<Instant>,
}

impl Probe {
    /// `token` distinguishes our messages from those of others.
    pub(super) fn new(token: [u8; 8]) -> Self {
        let mut message = Vec::new();
        // Chaff: a peer that gets it by mistake ignores it (docs/protocol.md, "Messages").
        RawFrame {
            frame_type: FrameType::CHAFF,
            id: StreamId([0; 3]),
            payload: &token,
        }
        .encode(&mut message);
        Self {
            message,
            sent: 0,
            next_at: None,
        }
    }

    pub(super) const fn start(&mut self, now: Instant) {
        self.next_at = Some(now);
    }

    pub(super) const fn next_timeout(&self) -> Option<Instant> {
        self.next_at
    }

    /// The message that is due, and a finding when many were lost.
    pub(super) fn poll(&mut self, now: Instant) -> Option<(&[u8], Option<Finding>)> {
        if self.next_at? > now {
            return None;
        }
        // Once, although attempts go on: the count passes this value only once.
        let finding = (self.sent == ATTEMPTS).then_some(Finding::Unreachable);
        self.sent = self.sent.saturating_add(1);
        let pause = if self.sent < ATTEMPTS {
            PATIENCE
        } else {
            PAUSE
        };
        self.next_at = Some(now + pause);
        Some((&self.message, finding))
    }

    /// Whether a message that arrived is one of ours; the first ends the test.
    pub(super) fn take(&mut self, message: &[u8]) -> (bool, Option<Finding>) {
        if message != self.message {
            return (false, None);
        }
        let finding = self.next_at.take().map(|_| Finding::Reachable);
        (true, finding)
    }
}
