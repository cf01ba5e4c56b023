//! When the player has to be woken.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// Whose time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The next conversation of a copy may begin.
    Copy(usize),
    /// Something about a conversation; of one that is over the serial differs.
    Live {
        /// Its slot.
        slot: usize,
        /// Its serial number.
        serial: u64,
    },
    /// The replay has to end.
    Overall,
}

/// Timers in the order of their times, and of their making where these are equal.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, u64, Timer)>>,
    made: u64,
}

impl Timers {
    /// Adds a timer. It cannot be taken back.
    pub(super) fn push(&mut self, at: Instant, timer: Timer) {
        self.made += 1;
        self.heap.push(Reverse((at, self.made, timer)));
    }

    /// The next timer that is due.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Instant, Timer)> {
        let Reverse((at, ..)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        self.heap.pop().map(|Reverse((at, _, timer))| (at, timer))
    }

    /// The time of the next timer.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }
}
