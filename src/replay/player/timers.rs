//! When the player has to be woken.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// The subject of a timer.
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn timers_come_in_the_order_of_their_times_and_of_their_making() {
        let start = Instant::now();
        let mut timers = Timers::default();
        let timer = |slot| Timer::Live { slot, serial: 7 };
        // Neither their slots nor their purposes decide.
        let made = [
            (1, timer(3)),
            (0, timer(9)),
            (1, Timer::Overall),
            (1, timer(1)),
        ];
        for (millis, timer) in made {
            timers.push(start + Duration::from_millis(millis), timer);
        }
        assert_eq!(timers.next(), Some(start));
        let due = std::iter::from_fn(|| timers.pop_due(start + Duration::from_millis(1)));
        let due: Vec<Timer> = due.map(|(_, timer)| timer).collect();
        assert_eq!(due, [timer(9), timer(3), Timer::Overall, timer(1)]);
    }
}
