//! Turns: the legs to be looked at next, and those left until there is room.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use slab::Slab;

use crate::net::Side;
use crate::proxy::ConnectionId;
use crate::runtime::ready::ReadySet;

/// The owner of a number in the ready set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Signals,
    ShowTables,
    Entrance,
    Scrapes,
    Control,
    /// A leg of its own.
    Leg(ConnectionId, Side),
}

/// The number of [`Owner::Entrance`].
pub(super) const ENTRANCE: usize = 2;

/// Everything that is polled, by numbers.
#[derive(Debug)]
pub(super) struct Turns {
    ready: ReadySet,
    owners: Slab<Owner>,
    queue: VecDeque<usize>,
    woken: Vec<usize>,
    /// Number of rounds so far.
    round: u64,
    /// The last round in which a number had a turn.
    last_rounds: Vec<u64>,
    /// Those that were not read because there is no room.
    stalled: Vec<usize>,
}

impl Turns {
    /// All but legs have numbers from the start.
    pub(super) fn new() -> Self {
        let mut turns = Self {
            ready: ReadySet::default(),
            owners: Slab::new(),
            queue: VecDeque::new(),
            woken: Vec::new(),
            round: 0,
            last_rounds: Vec::new(),
            stalled: Vec::new(),
        };
        for owner in [
            Owner::Signals,
            Owner::ShowTables,
            Owner::Entrance,
            Owner::Scrapes,
            Owner::Control,
        ] {
            turns.add(owner);
        }
        turns
    }

    /// Gives a number, whose turn comes at once.
    pub(super) fn add(&mut self, owner: Owner) -> usize {
        let number = self.ready.insert();
        let same = self.owners.insert(owner);
        debug_assert_eq!(number, same, "both number alike");
        number
    }

    pub(super) fn remove(&mut self, number: usize) {
        self.ready.remove(number);
        self.owners.remove(number);
    }

    /// Collects those that want a turn; false if there are none. Each has one, however often it was
    /// woken: with one for each time, whoever always has more would have ever more turns.
    pub(super) fn begin(&mut self, cx: &Context<'_>) -> bool {
        self.ready.take_ready(cx, &mut self.woken);
        self.round += 1;
        for number in self.woken.drain(..) {
            if self.last_rounds.len() <= number {
                self.last_rounds.resize(number + 1, 0);
            }
            if self.last_rounds[number] != self.round {
                self.last_rounds[number] = self.round;
                self.queue.push_back(number);
            }
        }
        !self.queue.is_empty()
    }

    /// The next of those.
    pub(super) fn next(&mut self) -> Option<(usize, Owner)> {
        while let Some(number) = self.queue.pop_front() {
            // A late wake-up may name one that is gone.
            if let Some(owner) = self.owner(number) {
                return Some((number, owner));
            }
        }
        None
    }

    pub(super) fn owner(&self, number: usize) -> Option<Owner> {
        self.owners.get(number).copied()
    }

    /// The waker with which a number is to be polled.
    pub(super) fn waker(&self, number: usize) -> &Waker {
        self.ready.waker(number)
    }

    /// Gives a number another turn.
    pub(super) fn mark(&self, number: usize) {
        self.ready.mark(number);
    }

    /// Gives a number another turn when there is room again.
    pub(super) fn stall(&mut self, number: usize) {
        if !self.stalled.contains(&number) {
            self.stalled.push(number);
        }
    }

    /// There is room.
    pub(super) fn resume(&mut self) {
        for number in self.stalled.drain(..) {
            self.ready.mark(number);
        }
    }

    /// Ready if somebody wants a turn; else the task is woken when somebody does.
    pub(super) fn poll_ready(&self, cx: &Context<'_>) -> Poll<()> {
        self.ready.poll_ready(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_one_turn_in_a_round_however_often_it_was_marked() {
        let cx = Context::from_waker(Waker::noop());
        let mut turns = Turns::new();
        for _ in 0..3 {
            turns.mark(ENTRANCE);
            turns.waker(ENTRANCE).wake_by_ref();
            turns.begin(&cx);
            let mut entrances = 0;
            while let Some((number, owner)) = turns.next() {
                entrances += usize::from(owner == Owner::Entrance);
                if number == ENTRANCE {
                    turns.mark(number);
                }
            }
            assert_eq!(entrances, 1);
        }
    }
}
