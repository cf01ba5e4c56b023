//! Messages and bytes over time, in as many intervals as a chart can show.

use std::collections::BTreeMap;

use crate::conversation::MessageEvent;
use crate::record::tally::{Sight, carried_bytes};
use crate::report::traffic::Traffic;
use crate::text::write::{put_seconds, text_of};
use crate::units::LongUnit;

/// Intervals from the first to the last message, at most.
const MAX_INTERVALS: i64 = 120;

/// Microseconds of the intervals to begin with; they grow as time goes on.
const FIRST_INTERVAL_US: i64 = 1_000;

/// Microseconds of the intervals that people count in, each a multiple of the one before:
/// from 2 ms to a day. Beyond, they double.
const INTERVALS_US: [i64; 17] = [
    2_000,
    10_000,
    20_000,
    100_000,
    200_000,
    1_000_000,
    2_000_000,
    10_000_000,
    20_000_000,
    60_000_000,
    120_000_000,
    600_000_000,
    1_200_000_000,
    3_600_000_000,
    7_200_000_000,
    21_600_000_000,
    86_400_000_000,
];

/// Counts messages in intervals of time since the first packet.
#[derive(Debug)]
pub(super) struct Timeline {
    interval_us: i64,
    intervals: BTreeMap<i64, Traffic>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self {
            interval_us: FIRST_INTERVAL_US,
            intervals: BTreeMap::new(),
        }
    }
}

impl Timeline {
    /// Counts a message.
    pub(super) fn message(&mut self, event: &MessageEvent<'_>, sight: Sight) {
        // As the totals count them: once.
        let bytes = match sight {
            Sight::First => carried_bytes(event).unwrap_or(0),
            Sight::Again => 0,
        };
        let interval = self.interval_at(event.elapsed_us);
        interval.count(event.direction, bytes);
        while self.span() > MAX_INTERVALS {
            self.widen();
        }
    }

    fn interval_at(&mut self, elapsed_us: i64) -> &mut Traffic {
        let index = elapsed_us.div_euclid(self.interval_us);
        self.intervals.entry(index).or_default()
    }

    /// Intervals from the first that is not empty to the last.
    fn span(&self) -> i64 {
        match (
            self.intervals.keys().next(),
            self.intervals.keys().next_back(),
        ) {
            (Some(first), Some(last)) => last.saturating_sub(*first).saturating_add(1),
            _ => 0,
        }
    }

    fn widen(&mut self) {
        let wider = INTERVALS_US.into_iter().find(|&us| us > self.interval_us);
        let wider = wider.unwrap_or_else(|| self.interval_us.saturating_mul(2));
        let factor = wider / self.interval_us;
        self.interval_us = wider;
        let mut merged: BTreeMap<i64, Traffic> = BTreeMap::new();
        for (index, interval) in std::mem::take(&mut self.intervals) {
            merged
                .entry(index.div_euclid(factor))
                .or_default()
                .add(&interval);
        }
        self.intervals = merged;
    }

    /// Length of the intervals.
    pub(super) const fn interval_us(&self) -> i64 {
        self.interval_us
    }

    /// Start of the first interval that is not empty.
    pub(super) fn start_us(&self) -> i64 {
        let first = self.intervals.keys().next().copied().unwrap_or(0);
        first.saturating_mul(self.interval_us)
    }

    /// Every interval from there on, also the empty ones between others.
    pub(super) fn intervals(&self) -> Vec<Traffic> {
        let first = self.intervals.keys().next().copied().unwrap_or(0);
        (first..first.saturating_add(self.span()))
            .map(|index| self.intervals.get(&index).copied().unwrap_or_default())
            .collect()
    }
}

/// The unit of a chart's times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// In seconds with their thousandths.
    Milliseconds,
    /// In the unit of the whole chart.
    Long(LongUnit),
}

impl Unit {
    /// The unit for so many intervals of this length.
    pub(super) fn of(interval_us: i64, intervals: usize) -> Self {
        let count = i64::try_from(intervals).unwrap_or(i64::MAX);
        match interval_us {
            ..1_000_000 => Self::Milliseconds,
            _ => Self::Long(LongUnit::of(interval_us.saturating_mul(count))),
        }
    }

    /// A moment, from the first packet on: `0.250 s`, `90 s`, `12.5 min`, `3 d`.
    pub(super) fn text(self, at_us: i64) -> String {
        let Self::Long(unit) = self else {
            return text_of(|out| put_seconds(out, at_us, 3)) + " s";
        };
        let tenths = at_us / (unit.micros / 10);
        let sign = if tenths < 0 { "-" } else { "" };
        let (whole, tenth) = (tenths.abs() / 10, tenths.abs() % 10);
        match tenth {
            0 => format!("{sign}{whole} {}", unit.name),
            tenth => format!("{sign}{whole}.{tenth} {}", unit.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::event;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_message_is_counted_in_few_intervals_that_hold_its_time(
            times in prop::collection::vec(any::<i64>(), 1..50),
            near in prop::collection::vec(-5_000_i64..500_000, 0..50),
        ) {
            for times in [times, near] {
                let mut timeline = Timeline::default();
                for &elapsed_us in &times {
                    let event = MessageEvent { elapsed_us, ..event(b"\xa0\xff\xff\xffab") };
                    timeline.message(&event, Sight::First);
                }
                let intervals = timeline.intervals();
                let messages: u64 = intervals.iter().map(|interval| interval.messages[0]).sum();
                let bytes: u64 = intervals.iter().map(|interval| interval.bytes[0]).sum();
                prop_assert_eq!((messages, bytes), (times.len() as u64, 2 * times.len() as u64));
                prop_assert!(intervals.len() <= usize::try_from(MAX_INTERVALS).unwrap());
            }
        }
    }

    #[test]
    fn intervals_are_those_that_people_count_in() {
        assert!(INTERVALS_US.is_sorted_by(|one, next| next % one == 0 && next > one));
        for (last_us, interval_us) in [
            (119_999, 1_000),
            (120_000, 2_000),
            (1_200_000, 20_000),
            (120_000_000, 2_000_000),
            (3 * 86_400_000_000, 3_600_000_000),
            (365 * 86_400_000_000, 4 * 86_400_000_000),
        ] {
            let mut timeline = Timeline::default();
            for elapsed_us in [0, last_us] {
                let event = MessageEvent {
                    elapsed_us,
                    ..event(b"\x52\x11\x11\x11")
                };
                timeline.message(&event, Sight::First);
            }
            assert_eq!(timeline.interval_us(), interval_us, "{last_us}");
            let intervals = timeline.intervals();
            assert_eq!(intervals.first().unwrap().messages, [0, 1]);
            assert_eq!(intervals.last().unwrap().messages, [0, 1]);
        }
    }

    #[test]
    fn moments_are_written_in_a_unit_that_fits_the_whole_chart() {
        for (interval_us, intervals, at_us, text) in [
            (1_000, 120, 62_000, "0.062 s"),
            (200_000, 100, -400_000, "-0.400 s"),
            (2_000_000, 100, 50_000_000, "50 s"),
            (60_000_000, 100, 1_500_000_000, "25 min"),
            (60_000_000, 100, 1_515_000_000, "25.2 min"),
            (600_000_000, 100, 5_400_000_000, "1.5 h"),
            (21_600_000_000, 100, 43_200_000_000, "0.5 d"),
            (86_400_000_000, 100, -864_000_000_000, "-10 d"),
        ] {
            assert_eq!(Unit::of(interval_us, intervals).text(at_us), text);
        }
    }

    #[test]
    fn bytes_are_those_that_the_totals_count() {
        let mut timeline = Timeline::default();
        let mut totals = crate::record::tally::Totals::default();
        let outside = MessageEvent {
            conversation: None,
            ..event(b"\xa0\xff\xff\xffab")
        };
        for (event, sight) in [
            (event(b"\xa0\xff\xff\xffab"), Sight::First),
            (event(b"\xa0\xff\xff\xffab"), Sight::Again),
            (event(b"\xa1\x11\x11\x11destination"), Sight::First),
            (event(b"\x51\x11\x11\x11\xff\xff\xff"), Sight::First),
            (outside, Sight::First),
        ] {
            timeline.message(&event, sight);
            totals.message(&event, sight);
        }
        let bytes: u64 = timeline.intervals().iter().flat_map(|i| i.bytes).sum();
        let once = totals.once();
        assert_eq!(bytes, once.c2s.payload_bytes + once.s2c.payload_bytes);
        assert_eq!(bytes, 2);
    }

    #[test]
    fn silence_between_messages_has_its_intervals() {
        let mut timeline = Timeline::default();
        for elapsed_us in [500, 3_500] {
            let event = MessageEvent {
                elapsed_us,
                ..event(b"\x52\x11\x11\x11")
            };
            timeline.message(&event, Sight::First);
        }
        let counts: Vec<u64> = timeline.intervals().iter().map(|i| i.messages[1]).collect();
        assert_eq!(counts, [1, 0, 0, 1]);
        assert_eq!((timeline.start_us(), timeline.interval_us()), (0, 1_000));
    }
}
