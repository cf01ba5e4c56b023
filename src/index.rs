//! A hash index from 32-bit hashes to 32-bit values, in which a look-up costs one
//! cache line.
//!
//! A general hash table keeps control bytes apart from its entries, and has to
//! look at a key, which here lies in yet another place, to tell entries with
//! equal control bytes apart. This one keeps the hash beside the value: eight
//! bytes, eight to a cache line, found by linear probing. Of entries with
//! another key all but one in four billion are passed over without a look at
//! their record, and growing reads no records at all.

/// Buckets of the smallest index.
const MIN_BUCKETS: usize = 16;

/// Any number of values for each hash.
#[derive(Debug)]
pub(crate) struct Index {
    /// Hash in the upper half, value in the lower one; [`EMPTY`] where there is none.
    buckets: Vec<u64>,
    len: usize,
    /// Buckets that look-ups have read.
    #[cfg(test)]
    reads: std::cell::Cell<u64>,
}

/// No entry has this value, see [`Index::MAX_VALUE`].
const EMPTY: u64 = u64::MAX;

impl Index {
    /// The largest value that may be put in.
    pub(crate) const MAX_VALUE: u32 = u32::MAX - 1;

    pub(crate) fn new() -> Self {
        Self {
            buckets: vec![EMPTY; MIN_BUCKETS],
            len: 0,
            #[cfg(test)]
            reads: std::cell::Cell::new(0),
        }
    }

    /// Buckets that look-ups have read so far.
    #[cfg(test)]
    pub(crate) fn reads(&self) -> u64 {
        self.reads.get()
    }

    /// 32 bits of a hash.
    #[inline]
    pub(crate) const fn fold(hash: u64) -> u32 {
        ((hash ^ (hash >> 32)) & 0xffff_ffff) as u32
    }

    /// Entries.
    #[cfg(test)]
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The first value with this hash that `is_it` accepts. Which of several that
    /// is may change with every entry that comes or goes.
    #[inline]
    pub(crate) fn find(&self, hash: u32, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut place = self.home(hash);
        loop {
            #[cfg(test)]
            self.reads.set(self.reads.get() + 1);
            let entry = self.buckets[place];
            if entry == EMPTY {
                return None;
            }
            if hash_of(entry) == hash && is_it(value_of(entry)) {
                return Some(value_of(entry));
            }
            place = self.after(place);
        }
    }

    /// Reads the bucket at which a look-up of `hash` begins, so that it is at hand by
    /// then; the value there is mostly what the look-up will find.
    #[inline]
    pub(crate) fn peek(&self, hash: u32) -> Option<u32> {
        let entry = self.buckets[self.home(hash)];
        (hash_of(entry) == hash && entry != EMPTY).then(|| value_of(entry))
    }

    /// Adds a value, of which there may be others with the same hash.
    pub(crate) fn insert(&mut self, hash: u32, value: u32) {
        // Three quarters full, a look-up reads 2.5 neighbours on the average, and
        // one that finds nothing 8.5 (Knuth, The Art of Computer Programming, 6.4).
        if (self.len + 1) * 4 > self.buckets.len() * 3 {
            self.grow();
        }
        self.len += 1;
        self.put(entry_of(hash, value));
    }

    /// Puts `new` in the place of `old`, which has the same hash.
    pub(crate) fn replace(&mut self, hash: u32, old: u32, new: u32) {
        if let Some(place) = self.place_of(hash, old) {
            self.buckets[place] = entry_of(hash, new);
        }
    }

    /// Takes a value out, if it is there.
    pub(crate) fn remove(&mut self, hash: u32, value: u32) {
        let Some(mut hole) = self.place_of(hash, value) else {
            return;
        };
        self.len -= 1;
        // What a probe would no longer reach across the hole moves into it.
        let mut place = hole;
        loop {
            place = self.after(place);
            let entry = self.buckets[place];
            if entry == EMPTY {
                break;
            }
            if self.distance(self.home(hash_of(entry)), place) >= self.distance(hole, place) {
                self.buckets[hole] = entry;
                hole = place;
            }
        }
        self.buckets[hole] = EMPTY;
    }

    fn place_of(&self, hash: u32, value: u32) -> Option<usize> {
        let wanted = entry_of(hash, value);
        let mut place = self.home(hash);
        loop {
            match self.buckets[place] {
                EMPTY => return None,
                entry if entry == wanted => return Some(place),
                _ => place = self.after(place),
            }
        }
    }

    fn put(&mut self, entry: u64) {
        let mut place = self.home(hash_of(entry));
        while self.buckets[place] != EMPTY {
            place = self.after(place);
        }
        self.buckets[place] = entry;
    }

    #[cold]
    fn grow(&mut self) {
        let larger = vec![EMPTY; self.buckets.len() * 2];
        for entry in std::mem::replace(&mut self.buckets, larger) {
            if entry != EMPTY {
                self.put(entry);
            }
        }
    }

    /// Where the probe for a hash begins.
    #[inline]
    const fn home(&self, hash: u32) -> usize {
        hash as usize & (self.buckets.len() - 1)
    }

    #[inline]
    const fn after(&self, place: usize) -> usize {
        (place + 1) & (self.buckets.len() - 1)
    }

    /// Steps from one place to another, around the end.
    const fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.buckets.len() - 1)
    }
}

const fn entry_of(hash: u32, value: u32) -> u64 {
    (hash as u64) << 32 | value as u64
}

const fn hash_of(entry: u64) -> u32 {
    (entry >> 32) as u32
}

/// The lower half.
const fn value_of(entry: u64) -> u32 {
    (entry & 0xffff_ffff) as u32
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_what_a_hash_map_of_lists_holds(
            steps in prop::collection::vec((any::<bool>(), 0..40_u32, 0..30_u32), 0..400),
            spread in prop::sample::select(vec![0_u32, 1, 0x0100_0001, u32::MAX]),
        ) {
            let mut index = Index::new();
            let mut model = HashMap::<u32, Vec<u32>>::new();
            for (adds, number, value) in steps {
                // All in one place, side by side, or anywhere.
                let hash = number.wrapping_mul(spread);
                let values = model.entry(hash).or_default();
                if adds && !values.contains(&value) {
                    index.insert(hash, value);
                    values.push(value);
                } else if !adds {
                    index.remove(hash, value);
                    values.retain(|other| *other != value);
                }
                let found = index.find(hash, |other| other == value);
                prop_assert_eq!(found.is_some(), adds);
            }
            prop_assert_eq!(index.len(), model.values().map(Vec::len).sum::<usize>());
            for (hash, values) in &model {
                for value in 0..30 {
                    let found = index.find(*hash, |other| other == value);
                    prop_assert_eq!(found.is_some(), values.contains(&value));
                }
            }
        }
    }

    #[test]
    fn a_replaced_value_is_found_in_the_place_of_the_old_one() {
        let mut index = Index::new();
        index.insert(7, 1);
        index.insert(7, 2);
        index.replace(7, 1, 3);
        assert_eq!(index.find(7, |value| value == 1), None);
        assert_eq!(index.find(7, |value| value == 3), Some(3));
        assert_eq!(index.len(), 2);
    }
}
