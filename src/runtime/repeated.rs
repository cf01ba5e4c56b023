//! Events that strangers can cause as often as they like, and their lines in the log.

use std::time::{Duration, Instant};

/// Time without an event after which a spell of them is over.
const QUIET: Duration = Duration::from_secs(60);

/// Events of each kind that are logged before only some are.
const LOGGED_FIRST: u64 = 16;

/// Counts events by kind, so that nobody fills the log with them: the first sixteen of a kind are
/// worth a line each, then those whose number is a power of two.
#[derive(Debug)]
pub(super) struct Repeated<K = ()> {
    /// A list, as the kinds are few.
    counts: Vec<(K, u64)>,
}

impl<K> Default for Repeated<K> {
    fn default() -> Self {
        Self { counts: Vec::new() }
    }
}

impl<K: PartialEq> Repeated<K> {
    /// Counts another event; returns the number so far if the log should have a line.
    pub(super) fn count(&mut self, kind: K) -> Option<u64> {
        let count = entry(&mut self.counts, kind, 0);
        *count += 1;
        is_due(*count).then_some(*count)
    }

    /// Number of times that it happened.
    pub(super) fn total(&self, kind: K) -> u64 {
        let known = self.counts.iter().find(|(known, _)| *known == kind);
        known.map_or(0, |(_, count)| *count)
    }
}

/// The same for events that come in spells: after a minute without any of a kind, those of this kind
/// are worth a line each again. Other kinds do not prolong a spell, since anybody may cause them,
/// and success in between does not end it, since it may come by turns with failures.
#[derive(Debug)]
pub(super) struct RepeatedOfLate<K = ()> {
    /// A list, as the kinds are few: with the number of each and its latest time.
    spells: Vec<(K, (u64, Instant))>,
}

impl<K> Default for RepeatedOfLate<K> {
    fn default() -> Self {
        Self { spells: Vec::new() }
    }
}

impl<K: PartialEq> RepeatedOfLate<K> {
    /// As [`Repeated::count`].
    pub(super) fn count(&mut self, now: Instant, kind: K) -> Option<u64> {
        let (count, latest) = entry(&mut self.spells, kind, (0, now));
        if now.saturating_duration_since(*latest) >= QUIET {
            *count = 0;
        }
        *latest = now;
        *count += 1;
        is_due(*count).then_some(*count)
    }
}

/// The entry of a kind, a `new` one if there was none.
fn entry<K: PartialEq, V>(entries: &mut Vec<(K, V)>, kind: K, new: V) -> &mut V {
    let place = match entries.iter().position(|(known, _)| *known == kind) {
        Some(place) => place,
        None => {
            entries.push((kind, new));
            entries.len() - 1
        }
    };
    &mut entries[place].1
}

/// Whether the log has a line for an event that is the `count`th of its kind.
const fn is_due(count: u64) -> bool {
    count <= LOGGED_FIRST || count.is_power_of_two()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_of_a_kind_are_some_lines_and_another_kind_has_its_own() {
        let mut repeated = Repeated::default();
        let logged: Vec<u64> = (0..1 << 20).filter_map(|_| repeated.count("bad")).collect();
        let powers = (5..=20).map(|bit| 1 << bit);
        assert_eq!(logged, (1..=16).chain(powers).collect::<Vec<u64>>());
        assert_eq!(repeated.count("lost"), Some(1));
        assert_eq!(
            ["bad", "lost", "new"].map(|kind| repeated.total(kind)),
            [1 << 20, 1, 0]
        );
    }

    #[test]
    fn a_spell_ends_when_there_were_none_of_its_kind_for_a_minute() {
        let start = Instant::now();
        let mut repeated = RepeatedOfLate::default();
        let mut is_due = |tenths: u32, kind| {
            let now = start + tenths * Duration::from_millis(100);
            repeated.count(now, kind).is_some()
        };
        let count = (0..1_000).filter(|tenth| is_due(*tenth, "bad")).count();
        assert_eq!(count, 16 + 5, "32, 64, 128, 256 and 512 follow the first");
        assert!(is_due(1_000, "lost"));
        assert!(!is_due(1_598, "bad"), "59.9 s after the latest");
        assert!(is_due(2_198, "bad"), "a minute after the latest");
        // Another kind in between makes no difference.
        let count = (0..1_000).filter(|_| is_due(3_000, "bad")).count();
        assert_eq!(count, 16 + 5);
        assert!(is_due(3_599, "lost"));
        assert!(is_due(3_600, "bad"));
    }
}
