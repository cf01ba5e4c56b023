//! The order in which connections are read.

use std::collections::VecDeque;
use std::time::Instant;

use crate::runtime::lookout::Work;

/// Most messages of one connection while others wait for their turns: no more than a round of a driver
/// takes in, since one read holds a hundred thousand of the smallest.
pub(super) const TURN_MESSAGES: usize = 256;

/// Turns in rounds: whoever comes during one stands behind all who have a turn in it, also behind
/// those that always have more.
#[derive(Debug)]
pub(super) struct Turns {
    /// Each number is there once.
    queue: VecDeque<usize>,
    /// So many of them are of this round.
    left: usize,
    /// Messages of the first of them in this turn.
    messages: usize,
    work: Work,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self {
            queue: VecDeque::new(),
            left: 0,
            messages: 0,
            work: Work::new(Instant::now()),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Gives a connection, or the acceptor, a turn in the next round.
    pub(super) fn line_up(&mut self, number: usize) {
        // There are few: connections are bounded, and one stands here once.
        if !self.queue.contains(&number) {
            self.queue.push_back(number);
        }
    }

    /// Whether all who had a turn in this round have had it.
    pub(super) const fn is_round_over(&self) -> bool {
        self.left == 0
    }

    /// Begins a round of all who are in line.
    pub(super) fn begin_round(&mut self) {
        self.left = self.queue.len();
    }

    /// Notes that there was more to do after a round; see [`Work::note_round`].
    pub(super) fn note_round(&mut self, now: Instant) -> Option<Instant> {
        self.work.note_round(now)
    }

    /// Whose turn it is.
    pub(super) fn first(&self) -> Option<usize> {
        self.queue.front().copied()
    }

    pub(super) const fn note_message(&mut self) {
        self.messages += 1;
    }

    /// Whether others come first now.
    pub(super) const fn is_used_up(&self) -> bool {
        self.messages >= TURN_MESSAGES
    }

    /// The first one's turn is over.
    pub(super) fn end(&mut self) {
        self.queue.pop_front();
        self.left = self.left.saturating_sub(1);
        self.messages = 0;
    }
}
