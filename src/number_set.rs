//! Sets of numbers that are mostly dense: one bit for each.

use std::collections::BTreeMap;

/// Words that there are room for whatever the numbers: 8 KiB.
const FREE_WORDS: usize = 1024;

/// Words of the dense part for each that a number made necessary: 128 bytes, with room to grow twice
/// as many.
const WORDS_FOR_ONE: usize = 16;

/// A set of numbers; memory is an eighth of a byte up to the greatest where they are dense, and
/// never more than in proportion to how many there are: records may name any.
#[derive(Clone, Debug, Default)]
pub(crate) struct NumberSet {
    /// The numbers from zero on.
    words: Vec<u64>,
    /// How often `words` grew.
    growths: usize,
    /// Words behind those, by their place.
    scattered: BTreeMap<u64, u64>,
}

impl NumberSet {
    /// Adds a number.
    #[inline]
    pub(crate) fn insert(&mut self, number: u64) {
        let (place, bit) = place(number);
        match self.dense_mut(place) {
            Some(word) => *word |= bit,
            None => self.insert_behind(place, bit),
        }
    }

    /// Adds a bit behind the dense part, which grows where it is worth it.
    #[cold]
    fn insert_behind(&mut self, place: u64, bit: u64) {
        let made = self.growths + self.scattered.len();
        let room = FREE_WORDS.saturating_add(made.saturating_mul(WORDS_FOR_ONE));
        let Some(length) = usize::try_from(place)
            .ok()
            .filter(|&place| place < room)
            .map(|place| place + 1)
        else {
            *self.scattered.entry(place).or_default() |= bit;
            return;
        };
        self.words.resize(length, 0);
        self.growths += 1;
        while let Some(first) = self.scattered.first_entry()
            && let Some(word) = usize::try_from(*first.key())
                .ok()
                .and_then(|place| self.words.get_mut(place))
        {
            *word = first.remove();
            self.growths += 1;
        }
        self.words[length - 1] |= bit;
    }

    fn dense_mut(&mut self, place: u64) -> Option<&mut u64> {
        self.words.get_mut(usize::try_from(place).ok()?)
    }

    /// Whether no number was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty() && self.scattered.is_empty()
    }

    /// Whether a number was added.
    #[inline]
    pub(crate) fn contains(&self, number: u64) -> bool {
        let (place, bit) = place(number);
        usize::try_from(place)
            .ok()
            .and_then(|place| self.words.get(place))
            .or_else(|| self.scattered.get(&place))
            .is_some_and(|word| word & bit != 0)
    }

    /// The words with numbers, by their place.
    fn inhabited(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let dense = (0..).zip(self.words.iter().copied());
        let scattered = self.scattered.iter().map(|(&place, &word)| (place, word));
        dense.filter(|&(_, word)| word != 0).chain(scattered)
    }
}

/// The same numbers, in whatever order they came.
impl PartialEq for NumberSet {
    fn eq(&self, other: &Self) -> bool {
        self.inhabited().eq(other.inhabited())
    }
}

impl Eq for NumberSet {}

/// The word of a number, and its bit there.
const fn place(number: u64) -> (u64, u64) {
    (number / 64, 1 << (number % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(numbers: impl IntoIterator<Item = u64>) -> NumberSet {
        let mut set = NumberSet::default();
        for number in numbers {
            set.insert(number);
        }
        set
    }

    /// Words in memory, of either kind.
    fn words(set: &NumberSet) -> usize {
        set.words.len() + set.scattered.len()
    }

    #[test]
    fn numbers_far_from_all_others_take_memory_for_themselves_alone() {
        let far = [u64::MAX, u64::MAX - 1, u64::MAX - 64, 1_000_000_000_000];
        let set = set(far);
        assert!(far.iter().all(|&number| set.contains(number)));
        assert!(!set.contains(u64::MAX - 2) && !set.contains(0));
        assert!(!set.is_empty());
        assert_eq!(words(&set), 3);
    }

    /// Bytes of memory for each number at most, beside those that are free.
    const BYTES_FOR_ONE: usize = 136;

    #[test]
    fn memory_is_in_proportion_to_the_numbers_however_far_apart_they_are() {
        for exponent in 0..40 {
            let apart = 1 << exponent;
            let numbers = (0..3_000).map(|index| index * apart);
            let forth = set(numbers.clone());
            let back = set(numbers.clone().rev());
            for set in [&forth, &back] {
                let bytes = 8 * (words(set) - FREE_WORDS.min(words(set)));
                assert!(bytes <= BYTES_FOR_ONE * 3_000, "{apart}");
                assert!(numbers.clone().all(|number| set.contains(number)));
                let others = numbers.clone().map(|number| number + 1);
                assert_eq!(
                    others.filter(|&other| set.contains(other)).count(),
                    if apart == 1 { 2_999 } else { 0 }
                );
            }
            assert_eq!(forth, back);
        }
    }

    #[test]
    fn dense_numbers_are_bits_in_a_row_though_others_came_before_that_were_far() {
        let mut set = set([9_999_999, 5_000_000, u64::MAX]);
        for number in 5_000_000..10_000_000 {
            set.insert(number);
        }
        assert!(set.scattered.len() < 2_000, "{}", set.scattered.len());
        assert!(set.words.len() > 150_000, "{}", set.words.len());
        assert!((5_000_000..10_000_000).all(|number| set.contains(number)));
        assert!(set.contains(u64::MAX) && !set.contains(4_999_999));
    }
}
