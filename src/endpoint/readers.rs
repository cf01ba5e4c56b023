//! Flow control towards applications: bytes that they were given and have not consumed.

use std::time::{Duration, Instant};

use super::config::{Config, SlowReader};

/// Multiple of its bound that a conversation may hold for a moment where slow readers are closed.
const BURST: usize = 4;

/// Time that it may hold more than its bound there. A program that stood still finds all that came
/// meanwhile at once, and its application needs a moment to read it.
const BURST_TIME: Duration = Duration::from_secs(1);

/// The application of one conversation.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// Bytes that were delivered, or kept as early data, and not consumed.
    pub(super) unread: usize,
    /// `unread` exceeds its bound and the link is paused for it.
    pub(super) is_pausing: bool,
    /// When it has been too slow for too long.
    pub(super) stalled_at: Option<Instant>,
}

impl Reader {
    /// Its conversation has ended: from now on it is never too slow.
    pub(super) fn dismiss(&mut self) -> Pause {
        self.stalled_at = None;
        if std::mem::take(&mut self.is_pausing) {
            Pause::Ends
        } else {
            Pause::Unchanged
        }
    }
}

/// The applications of all conversations together.
#[derive(Debug)]
pub(super) struct Readers {
    policy: SlowReader,
    /// Most that one may hold.
    bound: usize,
    /// Most that all may hold.
    total_bound: usize,
    /// Unread bytes of all.
    unread: usize,
}

/// Effect of a review of a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pause {
    Begins,
    Ends,
    /// The link is, or is not, paused for it as before.
    Unchanged,
}

impl Readers {
    pub(super) const fn new(config: &Config) -> Self {
        Self {
            policy: config.slow_reader,
            bound: config.receive_buffer,
            total_bound: config.receive_total,
            unread: 0,
        }
    }

    pub(super) fn give(&mut self, reader: &mut Reader, bytes: usize) {
        reader.unread += bytes;
        self.unread += bytes;
    }

    /// Takes back bytes that were consumed, or never delivered; no more than there are.
    pub(super) fn take_back(&mut self, reader: &mut Reader, bytes: usize) {
        let bytes = bytes.min(reader.unread);
        reader.unread -= bytes;
        self.unread -= bytes;
    }

    /// Whether early data are more than may be kept.
    pub(super) fn has_too_much_early(&self, reader: &Reader) -> bool {
        self.is_overfull(reader, 1)
    }

    /// Whether the last data close the conversation.
    pub(super) fn is_flooded(&self, reader: &Reader) -> bool {
        self.policy == SlowReader::Close && self.is_overfull(reader, BURST)
    }

    /// Whether more is held than so many times the reader's bound, or than all may hold.
    fn is_overfull(&self, reader: &Reader, times: usize) -> bool {
        reader.unread > self.bound.saturating_mul(times) || self.is_over_total()
    }

    fn is_over_total(&self) -> bool {
        self.unread > self.total_bound
    }

    /// Whether all together let the carrier be read.
    pub(super) fn want_input(&self) -> bool {
        // With `Close` the carrier is always read: conversations are closed instead.
        self.policy == SlowReader::Close || !self.is_over_total()
    }

    /// Sets the time of a reader that has read or was given more, and says whether its link is
    /// to be paused.
    pub(super) fn review(&self, now: Instant, reader: &mut Reader) -> Pause {
        let (pauses, time) = match self.policy {
            SlowReader::Pause => (true, None),
            SlowReader::Close => (false, Some(BURST_TIME)),
            SlowReader::CloseAfter(time) => (true, Some(time)),
        };
        let is_over = reader.unread > self.bound;
        // All hold too much together: whoever reads nothing at all is in the way.
        let shares_blame = self.is_over_total() && reader.unread > 0;
        let due = time.and_then(|time| now.checked_add(time));
        reader.stalled_at = match (is_over, shares_blame) {
            // Its time runs without a break, also when it reads a little.
            (true, _) => reader.stalled_at.or(due),
            // This is called when it reads, or is given more: only one that does neither is late.
            (false, true) => due,
            (false, false) => None,
        };
        let was_pausing = std::mem::replace(&mut reader.is_pausing, pauses && is_over);
        match (was_pausing, reader.is_pausing) {
            (false, true) => Pause::Begins,
            (true, false) => Pause::Ends,
            (false, false) | (true, true) => Pause::Unchanged,
        }
    }

    /// Whether a reader whose time is up is still too slow. Its time is over in any case.
    pub(super) fn is_stalled(&self, reader: &mut Reader) -> bool {
        reader.stalled_at = None;
        self.is_overfull(reader, 1)
    }

    /// Whether nobody holds anything.
    pub(super) const fn are_done(&self) -> bool {
        self.unread == 0
    }
}
