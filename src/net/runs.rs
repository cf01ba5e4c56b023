//! Which positions are there, as runs that do not touch one another.
//!
//! Pieces that wait for others are kept as they came, but whoever looks for the holes among them goes
//! from run to run: a packet of which nothing but the headers was captured may claim to cover thousands of pieces,
//! and comes again at no cost. The holes that it fills were made by a packet each.

use std::collections::BTreeMap;
use std::ops::Range;

/// Memory of a run.
pub(super) const RUN_BYTES: usize = 32;

/// Memory of the tree of runs from the first on: eleven in a leaf, and its head.
pub(super) const RUN_LEAF_BYTES: usize = 11 * size_of::<(u64, u64)>() + 16;

/// Positions, by the start of each run its end.
#[derive(Debug)]
pub(super) struct Runs<P>(BTreeMap<P, P>);

impl<P> Default for Runs<P> {
    fn default() -> Self {
        Self::NONE
    }
}

impl<P> Runs<P> {
    /// Nothing is there.
    pub(super) const NONE: Self = Self(BTreeMap::new());
}

impl<P: Copy + Ord> Runs<P> {
    /// Adds positions; calls `fill` with each part of them that was not there, in order.
    pub(super) fn cover(&mut self, positions: Range<P>, mut fill: impl FnMut(Range<P>)) {
        let Range { mut start, end } = positions;
        let mut run = start..end;
        if let Some((&before, &until)) = self.0.range(..=start).next_back()
            && until >= start
        {
            if until >= end {
                return;
            }
            run.start = before;
            start = until;
        }
        while start < end {
            // One that begins at the end has no part in it, but touches it.
            let next = self.0.range(start..=end).next();
            let next = next.map(|(&next, &until)| (next, until));
            let (free_until, resume_at) = next.unwrap_or((end, end));
            if next.is_some() {
                self.0.remove(&free_until);
            }
            fill(start..free_until);
            run.end = run.end.max(resume_at);
            start = resume_at;
        }
        if !run.is_empty() {
            self.0.insert(run.start, run.end);
        }
    }

    /// Takes the first run away.
    pub(super) fn remove_first(&mut self) {
        self.0.pop_first();
        if self.0.is_empty() {
            // An empty tree keeps its last leaf.
            self.0 = BTreeMap::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every range of up to six positions, each after any two others.
    #[test]
    fn each_position_is_filled_once_and_runs_never_touch() {
        let ranges: Vec<_> = (0..=6)
            .flat_map(|start: u64| (start..=6).map(move |end| start..end))
            .collect();
        for first in &ranges {
            for second in &ranges {
                for third in &ranges {
                    let mut runs = Runs::default();
                    let mut there = [false; 6];
                    for range in [first, second, third] {
                        let mut expected = there;
                        expected[range.start as usize..range.end as usize].fill(true);
                        let mut last = 0;
                        runs.cover(range.clone(), |free| {
                            assert!(last <= free.start && free.start < free.end);
                            last = free.end;
                            for position in free {
                                assert!(!there[position as usize]);
                                there[position as usize] = true;
                            }
                        });
                        assert_eq!(there, expected, "{first:?}, {second:?}, {third:?}");
                    }
                    let mut expected: Vec<(u64, u64)> = Vec::new();
                    for position in (0..6).filter(|&position| there[position as usize]) {
                        match expected.last_mut() {
                            Some((_, end)) if *end == position => *end += 1,
                            _ => expected.push((position, position + 1)),
                        }
                    }
                    assert!(
                        runs.0
                            .iter()
                            .map(|(&start, &end)| (start, end))
                            .eq(expected)
                    );
                    runs.remove_first();
                }
            }
        }
    }
}
