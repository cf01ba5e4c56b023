//! Spans of time in ranges that grow with them, as a chart.

use std::ops::RangeInclusive;

use super::charts::{Bar, Bars, grouped};
use crate::report::statistics::Spans;
use crate::report::style::put_duration;
use crate::text::escape::Charset;
use crate::text::write::text_of;
use crate::time::SECOND_NS;
use crate::units::LongUnit;

/// The lower bounds of the ranges, in nanoseconds: 0, 1 µs, 2 µs, 5 µs, 10 µs and so on to 20 s,
/// and then in the units that people count in, to ten days.
const BOUNDS: [u64; RANGES] = bounds();

const RANGES: usize = SHORT_RANGES + LONG_BOUNDS.len();

/// Ranges below a minute.
const SHORT_RANGES: usize = 24;

/// A minute and beyond, in seconds: up to 20 minutes, 10 hours, 10 days.
const LONG_BOUNDS: [u64; 13] = [
    60, 120, 300, 600, 1_200, 3_600, 7_200, 18_000, 36_000, 86_400, 172_800, 432_000, 864_000,
];

/// Ranges that are drawn however few are in use: a single bar is no distribution.
const LEAST_RANGES: usize = 9;

/// Counts spans by length: in ranges of which each is two to three times as long as the one
/// before.
#[derive(Debug)]
pub(in crate::report) struct Distribution {
    spans: Spans,
    counts: [u64; RANGES],
}

impl Default for Distribution {
    fn default() -> Self {
        Self {
            spans: Spans::default(),
            counts: [0; RANGES],
        }
    }
}

impl Distribution {
    /// Adds a span in nanoseconds; one that is negative, as capture time went
    /// backwards, is nothing to learn from.
    pub(in crate::report) fn add(&mut self, nanos: Option<i64>) {
        self.add_times(nanos, 1);
    }

    /// Adds a span that occurred so many times.
    pub(in crate::report) fn add_times(&mut self, nanos: Option<i64>, times: u64) {
        self.spans.add_times(nanos, times);
        if let Some(nanos) = nanos.and_then(|nanos| u64::try_from(nanos).ok()) {
            let above = BOUNDS.partition_point(|&bound| bound <= nanos);
            self.counts[above - 1] += times;
        }
    }

    /// All of them, with their quantiles.
    pub(in crate::report) const fn spans(&self) -> &Spans {
        &self.spans
    }

    /// The chart, from the shortest span that occurs to the longest.
    pub(in crate::report) fn chart<'a>(&self, about: &'a str, charset: Charset) -> Bars<'a> {
        let is_used = |count: &u64| *count > 0;
        let first = self.counts.iter().position(is_used).unwrap_or(0);
        let last = self.counts.iter().rposition(is_used).unwrap_or(0);
        let shown = around(first, last);
        let name = |index: usize| {
            let nanos = i64::try_from(BOUNDS[index]).unwrap_or(i64::MAX);
            let whole = (index >= SHORT_RANGES).then(|| LongUnit::exactly(nanos / 1_000));
            whole
                .flatten()
                .unwrap_or_else(|| text_of(|out| put_duration(out, nanos, charset)))
        };
        let bar = |index: usize| {
            let count = self.counts[index];
            Bar {
                parts: [("bar", count), ("bar", 0)],
                hint: if index + 1 < RANGES {
                    format!("{} to {}: {}", name(index), name(index + 1), grouped(count))
                } else {
                    format!("{} and more: {}", name(index), grouped(count))
                },
            }
        };
        let step = shown.clone().count().div_ceil(5);
        Bars {
            about,
            bars: shown.clone().map(bar).collect(),
            ticks: shown
                .enumerate()
                .step_by(step)
                .map(|(place, index)| (place, name(index)))
                .collect(),
            value: grouped,
        }
    }
}

/// The ranges from `first` to `last`, and some on both sides where these are few.
fn around(first: usize, last: usize) -> RangeInclusive<usize> {
    let missing = LEAST_RANGES.saturating_sub(last - first + 1);
    let from = first.saturating_sub(missing.div_ceil(2));
    from..=(last + missing / 2).min(RANGES - 1)
}

const fn bounds() -> [u64; RANGES] {
    let mut bounds = [0; RANGES];
    let mut decade = 1_000;
    let mut index = 1;
    while index < SHORT_RANGES {
        bounds[index] = decade;
        bounds[index + 1] = 2 * decade;
        if index + 2 < SHORT_RANGES {
            bounds[index + 2] = 5 * decade;
        }
        decade *= 10;
        index += 3;
    }
    index = SHORT_RANGES;
    while index < RANGES {
        bounds[index] = LONG_BOUNDS[index - SHORT_RANGES] * SECOND_NS.unsigned_abs();
        index += 1;
    }
    bounds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_span_is_in_the_one_range_that_holds_it() {
        for (index, &bound) in BOUNDS.iter().enumerate() {
            let last_below = bound.checked_sub(1).map(|nanos| (nanos, index - 1));
            for (nanos, range) in [(bound, index)].into_iter().chain(last_below) {
                let mut distribution = Distribution::default();
                distribution.add(Some(i64::try_from(nanos).unwrap()));
                distribution.add(None);
                distribution.add(Some(-1));
                let mut expected = [0; RANGES];
                expected[range] = 1;
                assert_eq!(distribution.counts, expected, "{nanos}");
            }
        }
    }

    #[test]
    fn the_chart_says_what_its_bars_hold() {
        let mut distribution = Distribution::default();
        for nanos in [4_000_000, 4_999_999, 77_000_000_000, i64::MAX] {
            distribution.add(Some(nanos));
        }
        let chart = distribution.chart("spans", Charset::Unicode);
        let hints: Vec<&str> = chart
            .bars
            .iter()
            .filter(|bar| bar.parts[0].1 > 0)
            .map(|bar| &*bar.hint)
            .collect();
        assert_eq!(
            hints,
            [
                "2.0 ms to 5.0 ms: 2",
                "1 min to 2 min: 1",
                "10 d and more: 1"
            ]
        );
        let nothing = Distribution::default().chart("spans", Charset::Unicode);
        assert!(nothing.bars.iter().all(|bar| bar.parts[0].1 == 0));
    }
}
