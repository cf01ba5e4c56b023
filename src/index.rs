//! A hash index from 32-bit hashes to 32-bit values, in which a look-up costs one
//! cache line.
//!
//! A general hash table keeps control bytes apart from its entries, and has to
//! look at a key, which here lies in yet another place, to tell entries with
//! equal control bytes apart. This one keeps the whole hash beside the value,
//! eight of each to a cache line. A look-up compares the eight hashes of a line at
//! once, without a branch for each, and goes on to the next line only when the
//! line is full. Of entries with another key all but one in four billion are
//! passed over without a look at their record, and growing reads no records.

/// Entries that share a cache line.
const LANES: usize = 8;

/// Lines of the smallest index.
const MIN_LINES: usize = 2;

/// Any number of values for each hash.
#[derive(Debug)]
pub(crate) struct Index {
    /// A power of two of them. A full line goes on in the next one, around the end.
    lines: Vec<Line>,
    len: usize,
    /// Lines that look-ups have read.
    #[cfg(test)]
    reads: std::cell::Cell<u64>,
}

/// A cache line of entries.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Line {
    hashes: [u32; LANES],
    /// [`EMPTY`] where there is no entry.
    values: [u32; LANES],
}

/// No entry has this value, see [`Index::MAX_VALUE`].
const EMPTY: u32 = u32::MAX;

impl Line {
    const NOTHING: Self = Self {
        hashes: [0; LANES],
        values: [EMPTY; LANES],
    };

    /// The lanes with this hash; empty ones may be among them.
    #[inline(always)]
    fn with_hash(&self, hash: u32) -> Lanes {
        Lanes::equal(&self.hashes, hash)
    }

    /// The lanes without an entry.
    #[inline(always)]
    fn vacant(&self) -> Lanes {
        Lanes::equal(&self.values, EMPTY)
    }
}

/// Some lanes of a line, the lowest first: a byte for each, because compilers then compare all at
/// once.
#[derive(Clone, Copy)]
struct Lanes(u64);

impl Lanes {
    #[inline(always)]
    fn equal(lanes: &[u32; LANES], wanted: u32) -> Self {
        let mut bytes = [0_u8; LANES];
        for (byte, &lane) in bytes.iter_mut().zip(lanes) {
            *byte = if lane == wanted { 0xff } else { 0 };
        }
        // Little-endian on every machine, so that trailing zeros count from the lowest lane.
        Self(u64::from_le_bytes(bytes))
    }

    const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl Iterator for Lanes {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        if self.is_empty() {
            return None;
        }
        let lane = self.0.trailing_zeros() / u8::BITS;
        self.0 &= !(0xff << (lane * u8::BITS));
        // Below `LANES` in any case; the remainder shows it to the compiler.
        Some(lane as usize % LANES)
    }
}

impl Index {
    /// The largest value that may be put in.
    pub(crate) const MAX_VALUE: u32 = u32::MAX - 1;

    pub(crate) fn new() -> Self {
        Self {
            lines: vec![Line::NOTHING; MIN_LINES],
            len: 0,
            #[cfg(test)]
            reads: std::cell::Cell::new(0),
        }
    }

    /// Lines that look-ups have read so far.
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

    /// The first value with this hash that `is_it` accepts. The first of several may change with
    /// every entry that comes or goes.
    #[inline]
    pub(crate) fn find(&self, hash: u32, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut place = self.home(hash);
        loop {
            #[cfg(test)]
            self.reads.set(self.reads.get() + 1);
            let line = &self.lines[place];
            for lane in line.with_hash(hash) {
                let value = line.values[lane];
                if value != EMPTY && is_it(value) {
                    return Some(value);
                }
            }
            if !line.vacant().is_empty() {
                return None;
            }
            place = self.after(place);
        }
    }

    /// A value with this hash, without a look at its record: mostly the result of a look-up. Of the
    /// line where that begins only, which is at hand then.
    #[inline]
    pub(crate) fn peek(&self, hash: u32) -> Option<u32> {
        let line = &self.lines[self.home(hash)];
        let value = line.values[line.with_hash(hash).next()?];
        (value != EMPTY).then_some(value)
    }

    /// Adds a value, of which there may be others with the same hash.
    pub(crate) fn insert(&mut self, hash: u32, value: u32) {
        self.make_room();
        self.len += 1;
        self.put(hash, value);
    }

    /// Adds a value, and returns the result that [`find`](Self::find) would have had before.
    pub(crate) fn find_and_insert(
        &mut self,
        hash: u32,
        value: u32,
        mut is_it: impl FnMut(u32) -> bool,
    ) -> Option<u32> {
        self.make_room();
        self.len += 1;
        let mut found = None;
        let mut place = self.home(hash);
        loop {
            let line = &mut self.lines[place];
            for lane in line.with_hash(hash) {
                let other = line.values[lane];
                if found.is_none() && other != EMPTY && is_it(other) {
                    found = Some(other);
                }
            }
            // Behind the first line with room there is none with this hash.
            if let Some(lane) = line.vacant().next() {
                line.hashes[lane] = hash;
                line.values[lane] = value;
                return found;
            }
            place = self.after(place);
        }
    }

    /// Puts `new` in the place of `old`, which has the same hash.
    pub(crate) fn replace(&mut self, hash: u32, old: u32, new: u32) {
        if let Some((place, lane)) = self.place_of(hash, old) {
            self.lines[place].values[lane] = new;
        }
    }

    /// Takes a value out, if it is there.
    pub(crate) fn remove(&mut self, hash: u32, value: u32) {
        let Some((mut hole, mut lane)) = self.place_of(hash, value) else {
            return;
        };
        self.len -= 1;
        let mut was_full = self.lines[hole].vacant().is_empty();
        self.lines[hole].values[lane] = EMPTY;
        // A value that went on because the line was full would no longer be found behind the hole:
        // it moves into it, and leaves another.
        let mut place = hole;
        while was_full {
            place = self.after(place);
            let line = self.lines[place];
            let moves = (0..LANES).find(|&other| {
                line.values[other] != EMPTY
                    && self.distance(self.home(line.hashes[other]), place)
                        >= self.distance(hole, place)
            });
            was_full = line.vacant().is_empty();
            if let Some(other) = moves {
                self.lines[hole].hashes[lane] = line.hashes[other];
                self.lines[hole].values[lane] = line.values[other];
                self.lines[place].values[other] = EMPTY;
                (hole, lane) = (place, other);
            }
        }
    }

    fn place_of(&self, hash: u32, value: u32) -> Option<(usize, usize)> {
        let mut place = self.home(hash);
        loop {
            let line = &self.lines[place];
            let lane = line
                .with_hash(hash)
                .find(|&lane| line.values[lane] == value);
            if let Some(lane) = lane {
                return Some((place, lane));
            }
            if !line.vacant().is_empty() {
                return None;
            }
            place = self.after(place);
        }
    }

    fn put(&mut self, hash: u32, value: u32) {
        let mut place = self.home(hash);
        loop {
            let line = &mut self.lines[place];
            if let Some(lane) = line.vacant().next() {
                line.hashes[lane] = hash;
                line.values[lane] = value;
                return;
            }
            place = self.after(place);
        }
    }

    /// Grows if one entry more is too many.
    #[inline]
    fn make_room(&mut self) {
        // Three quarters full, one line in ten is, and look-ups read 1.1 lines.
        if (self.len + 1) * 4 > self.lines.len() * LANES * 3 {
            self.grow();
        }
    }

    #[cold]
    fn grow(&mut self) {
        let larger = vec![Line::NOTHING; self.lines.len() * 2];
        for line in std::mem::replace(&mut self.lines, larger) {
            for (hash, value) in line.hashes.into_iter().zip(line.values) {
                if value != EMPTY {
                    self.put(hash, value);
                }
            }
        }
    }

    /// The line where the search for a hash begins.
    #[inline]
    const fn home(&self, hash: u32) -> usize {
        hash as usize & (self.lines.len() - 1)
    }

    #[inline]
    const fn after(&self, place: usize) -> usize {
        (place + 1) & (self.lines.len() - 1)
    }

    /// Steps from one line to another, around the end.
    const fn distance(&self, from: usize, to: usize) -> usize {
        to.wrapping_sub(from) & (self.lines.len() - 1)
    }
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
                    if value % 2 == 0 {
                        index.insert(hash, value);
                    } else {
                        let is_even = |other: u32| other.is_multiple_of(2);
                        let other = index.find_and_insert(hash, value, is_even);
                        prop_assert_eq!(
                            other.is_some(),
                            values.iter().any(|other| is_even(*other))
                        );
                        prop_assert!(other.is_none_or(|other| values.contains(&other)));
                    }
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
