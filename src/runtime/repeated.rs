//! Events that strangers can cause as often as they like, and their lines in the log.

/// Logged of each kind before only some are.
const TOLD_FIRST: u64 = 16;

/// Counts events by kind, so that nobody fills the log with them: the first sixteen of a kind are
/// worth a line each, then those whose number is a power of two.
#[derive(Debug)]
pub(super) struct Repeated<K = ()> {
    /// The kinds are few.
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
        let place = match self.counts.iter().position(|(known, _)| *known == kind) {
            Some(place) => place,
            None => {
                self.counts.push((kind, 0));
                self.counts.len() - 1
            }
        };
        let count = &mut self.counts[place].1;
        *count += 1;
        (*count <= TOLD_FIRST || count.is_power_of_two()).then_some(*count)
    }

    /// It is over: the next event is worth a line again.
    pub(super) fn forget(&mut self) {
        self.counts.clear();
    }

    /// Number of times that it happened.
    pub(super) fn total(&self, kind: K) -> u64 {
        let known = self.counts.iter().find(|(known, _)| *known == kind);
        known.map_or(0, |(_, count)| *count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_of_a_kind_are_some_lines_and_another_kind_has_its_own() {
        let mut repeated = Repeated::default();
        let told: Vec<u64> = (0..1 << 20).filter_map(|_| repeated.count("bad")).collect();
        let powers = (5..=20).map(|bit| 1 << bit);
        assert_eq!(told, (1..=16).chain(powers).collect::<Vec<u64>>());
        assert_eq!(repeated.count("lost"), Some(1));
        assert_eq!(
            ["bad", "lost", "new"].map(|kind| repeated.total(kind)),
            [1 << 20, 1, 0]
        );
        repeated.forget();
        assert_eq!(repeated.count("bad"), Some(1));
    }
}
