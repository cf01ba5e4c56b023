//! When which conversation wants to be looked at.

use std::collections::BTreeSet;
use std::time::Instant;

/// At most one moment for each slot, in order.
///
/// A conversation that only moves its deadline back keeps the earlier moment
/// and sets the later one when it comes, so data does not reorder the set.
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeSet<(Instant, usize)>);

impl Timers {
    /// The earliest moment.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.first().map(|&(at, _)| at)
    }

    /// Takes out one slot whose moment has come.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<usize> {
        self.0.first().filter(|&&(at, _)| at <= now)?;
        self.0.pop_first().map(|(_, slot)| slot)
    }

    /// Moves the slot's moment from `armed` to `wanted`, unless `armed` is early enough.
    pub(super) fn arm(
        &mut self,
        slot: usize,
        armed: &mut Option<Instant>,
        wanted: Option<Instant>,
    ) {
        if let (Some(armed), Some(wanted)) = (*armed, wanted)
            && armed <= wanted
        {
            return;
        }
        if let Some(old) = armed.take() {
            self.0.remove(&(old, slot));
        }
        if let Some(wanted) = wanted {
            self.0.insert((wanted, slot));
            *armed = Some(wanted);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn slots_come_due_in_order_and_once() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut timers = Timers::default();
        let (mut a, mut b) = (None, None);
        timers.arm(7, &mut a, Some(at(20)));
        timers.arm(8, &mut b, Some(at(10)));
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.pop_due(at(9)), None);
        assert_eq!(timers.pop_due(at(20)), Some(8));
        assert_eq!(timers.pop_due(at(20)), Some(7));
        assert_eq!(timers.pop_due(at(20)), None);
    }

    #[test]
    fn a_later_wish_waits_for_the_earlier_moment_and_an_earlier_one_replaces_it() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut timers = Timers::default();
        let mut armed = None;
        timers.arm(1, &mut armed, Some(at(20)));
        timers.arm(1, &mut armed, Some(at(30)));
        assert_eq!(timers.next(), Some(at(20)));
        timers.arm(1, &mut armed, Some(at(5)));
        assert_eq!((timers.next(), timers.0.len()), (Some(at(5)), 1));
        timers.arm(1, &mut armed, None);
        assert_eq!((timers.next(), armed), (None, None));
    }
}
