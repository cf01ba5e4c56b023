//! The first so many of any number of things, by rank.

use std::collections::BTreeMap;

/// Keeps those with the lowest keys, and counts the others.
#[derive(Debug)]
pub(super) struct Foremost<K, T> {
    kept: BTreeMap<K, T>,
    room: usize,
    seen: u64,
}

impl<K: Ord, T> Foremost<K, T> {
    /// Room for `room` things.
    pub(super) const fn new(room: usize) -> Self {
        Self {
            kept: BTreeMap::new(),
            room,
            seen: 0,
        }
    }

    /// Offers a thing under a key that no other has; it is made only when it is kept.
    pub(super) fn offer(&mut self, key: K, make: impl FnOnce() -> T) {
        self.seen += 1;
        let is_full = self.kept.len() >= self.room;
        if is_full
            && self
                .kept
                .last_key_value()
                .is_none_or(|(last, _)| *last < key)
        {
            return;
        }
        self.kept.insert(key, make());
        if self.kept.len() > self.room {
            self.kept.pop_last();
        }
    }

    /// The things, the foremost first.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.kept.values()
    }

    /// Number kept.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Number offered.
    pub(super) const fn seen(&self) -> u64 {
        self.seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_kept_is_the_beginning_of_all_in_order(
            keys in prop::collection::hash_set(0_u32..1000, 0..60),
            room in 0_usize..20,
        ) {
            let mut foremost = Foremost::new(room);
            for &key in &keys {
                foremost.offer(key, || key);
            }
            let mut expected: Vec<u32> = keys.iter().copied().collect();
            expected.sort_unstable();
            expected.truncate(room);
            prop_assert_eq!(foremost.values().copied().collect::<Vec<_>>(), expected);
            prop_assert_eq!(foremost.seen(), keys.len() as u64);
        }
    }
}
