//! Sets of numbers that are dense: one bit for each.

/// A set of numbers; memory is an eighth of a byte up to the greatest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NumberSet {
    words: Vec<u64>,
}

impl NumberSet {
    /// Adds a number.
    pub(crate) fn insert(&mut self, number: u64) {
        let Some((word, bit)) = place(number) else {
            return;
        };
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= bit;
    }

    /// Whether no number was added.
    pub(crate) const fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether a number was added.
    pub(crate) fn contains(&self, number: u64) -> bool {
        place(number).is_some_and(|(word, bit)| self.words.get(word).is_some_and(|w| w & bit != 0))
    }
}

fn place(number: u64) -> Option<(usize, u64)> {
    Some((usize::try_from(number / 64).ok()?, 1 << (number % 64)))
}
