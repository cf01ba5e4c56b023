//! `-z io,1s`: messages and bytes over time.

use std::io;

use super::put_table;
use crate::conversation::{Conversation, MessageEvent};
use crate::field::payload;
use crate::record::printer::{Notice, Printer, SharedOutput};
use crate::record::tally::Sight;
use crate::report::grid::Align;
use crate::report::style::Style;
use crate::report::traffic::Traffic;
use crate::text::write::{put_seconds, text_of};
use crate::units::LongUnit;

/// Rows that are kept; when there are more, neighbours are merged and the
/// interval doubles.
const MAX_ROWS: usize = 10_000;

/// Columns that are left out where the terminal is too narrow, first to last.
const EXPENDABLE: [usize; 1] = [1];

/// Counts messages in intervals of time since the first packet.
#[derive(Debug)]
pub struct IoTable {
    style: Style,
    asked_us: u64,
    interval_us: u64,
    /// Sorted by `index`; intervals without messages are left out.
    rows: Vec<Interval>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Interval {
    /// Start of the interval, in intervals since the first packet.
    index: i64,
    traffic: Traffic,
}

impl IoTable {
    /// Intervals of `interval_us` microseconds, at least 1.
    pub const fn new(interval_us: u64, style: Style) -> Self {
        let interval_us = if interval_us == 0 { 1 } else { interval_us };
        Self {
            style,
            asked_us: interval_us,
            interval_us,
            rows: Vec::new(),
        }
    }

    fn interval_at(&mut self, index: i64) -> &mut Interval {
        // Capture time mostly goes forward: look at the end first.
        let place = match self.rows.last() {
            Some(last) if last.index == index => self.rows.len() - 1,
            Some(last) if last.index > index => self.rows.partition_point(|row| row.index < index),
            _ => self.rows.len(),
        };
        if self.rows.get(place).is_none_or(|row| row.index != index) {
            self.rows.insert(
                place,
                Interval {
                    index,
                    traffic: Traffic::default(),
                },
            );
        }
        &mut self.rows[place]
    }

    fn double(&mut self) {
        self.interval_us = self.interval_us.saturating_mul(2);
        let mut merged: Vec<Interval> = Vec::with_capacity(self.rows.len());
        for mut row in self.rows.drain(..) {
            row.index = row.index.div_euclid(2);
            match merged.last_mut() {
                Some(last) if last.index == row.index => last.traffic.add(&row.traffic),
                _ => merged.push(row),
            }
        }
        self.rows = merged;
    }

    /// The unit of all rows: such that none needs to be rounded.
    fn unit(&self) -> LongUnit {
        let width = micros(self.interval_us);
        let last = self.rows.last().map_or(0, |row| row.index);
        let span = last.saturating_add(1).saturating_mul(width);
        LongUnit::of_steps(width, span).unwrap_or(LongUnit::of(0))
    }

    fn row(&self, row: &Interval, unit: LongUnit) -> [String; 6] {
        let width = micros(self.interval_us);
        let start = row.index.saturating_mul(width);
        let Traffic { messages, bytes } = row.traffic;
        let moment = |micros: i64| match micros % unit.micros {
            0 => (micros / unit.micros).to_string(),
            _ => seconds(micros),
        };
        [
            moment(start),
            moment(start.saturating_add(width)),
            messages[0].to_string(),
            bytes[0].to_string(),
            messages[1].to_string(),
            bytes[1].to_string(),
        ]
    }
}

fn micros(micros: u64) -> i64 {
    i64::try_from(micros).unwrap_or(i64::MAX)
}

/// A length in the largest unit of which it is a multiple: `0.5 s`, `90 s`, `2 h`.
fn length(micros: i64) -> String {
    LongUnit::exactly(micros).unwrap_or_else(|| seconds(micros) + " s")
}

/// Seconds without the zeros that say nothing: `1`, `0.5`.
fn seconds(micros: i64) -> String {
    let text = text_of(|out| put_seconds(out, micros, 6));
    let text = text.trim_end_matches('0');
    text.trim_end_matches('.').to_owned()
}

impl Printer for IoTable {
    fn counts_messages(&self) -> bool {
        true
    }

    fn notice(&self) -> Notice {
        Notice::Line
    }

    fn message(
        &mut self,
        event: &MessageEvent<'_>,
        sight: Sight,
        _: &mut Vec<u8>,
    ) -> io::Result<()> {
        let width = i64::try_from(self.interval_us).unwrap_or(i64::MAX);
        let index = event.elapsed_us.div_euclid(width);
        let bytes = match sight {
            Sight::First => payload(&event.message).len() as u64,
            Sight::Again => 0,
        };
        let interval = self.interval_at(index);
        interval.traffic.count(event.direction, bytes);
        while self.rows.len() > MAX_ROWS {
            self.double();
        }
        Ok(())
    }

    fn table(&mut self, _: &[&Conversation], out: &mut SharedOutput<'_>) -> io::Result<()> {
        let whole = |interval_us| length(micros(interval_us));
        let mut heading = format!("Messages in {}", whole(self.interval_us));
        if self.interval_us != self.asked_us {
            heading += &format!(
                " (in {} there would be more than {MAX_ROWS} rows)",
                whole(self.asked_us)
            );
        }
        let unit = self.unit();
        let rows: Vec<_> = self.rows.iter().map(|row| self.row(row, unit)).collect();
        let [right, left] = [
            self.style.charset.right_arrow(),
            self.style.charset.left_arrow(),
        ];
        put_table(
            &heading,
            [
                (&format!("From {}", unit.name), Align::Right),
                (&format!("To {}", unit.name), Align::Right),
                (&format!("{right} msgs"), Align::Right),
                (&format!("{right} B"), Align::Right),
                (&format!("{left} msgs"), Align::Right),
                (&format!("{left} B"), Align::Right),
            ],
            &rows,
            &EXPENDABLE,
            &self.style,
            out.buffer,
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Written, event, style};

    #[test]
    fn intervals_are_kept_in_order_and_merged_in_pairs() {
        let mut table = IoTable::new(1_000, style());
        for index in [5, 1, 3, -1, 4, 5] {
            table.interval_at(index).traffic.messages[0] += 1;
        }
        table.double();
        let rows: Vec<(i64, u64)> = table
            .rows
            .iter()
            .map(|row| (row.index, row.traffic.messages[0]))
            .collect();
        assert_eq!(rows, [(-1, 1), (0, 1), (1, 1), (2, 3)]);
        assert_eq!(table.interval_us, 2_000);
    }

    #[test]
    fn lengths_are_exact_and_in_the_largest_unit() {
        for (micros, text) in [
            (500_000, "0.5 s"),
            (1, "0.000001 s"),
            (1_000_000, "1 s"),
            (90_000_000, "90 s"),
            (120_000_000, "2 min"),
            (7_200_000_000, "2 h"),
            (86_400_000_000, "1 d"),
        ] {
            assert_eq!(length(micros), text);
        }
        for (micros, text) in [(0, "0"), (10_000_000, "10"), (-1_500_000, "-1.5")] {
            assert_eq!(seconds(micros), text);
        }
    }

    #[test]
    fn a_long_capture_is_told_in_minutes_or_hours() {
        for (interval_us, last_us, from) in [
            (60_000_000, 5_000_000_000, ["From min", "83"]),
            (60_000_000, 500_000_000, ["From s", "480"]),
            (3_600_000_000, 90_000_000_000, ["From h", "25"]),
            (500_000, 5_000_000_000, ["From s", "5000"]),
        ] {
            let mut table = Written::by(IoTable::new(interval_us, style()));
            for elapsed_us in [0, last_us] {
                let event = MessageEvent {
                    elapsed_us,
                    ..event(b"\x52\x11\x11\x11")
                };
                table.message(&event);
            }
            let text = table.table(&[]);
            let cells = |line: &str| -> Vec<String> {
                let cells = line.split(['│', '┆']).map(str::trim);
                cells.map(str::to_owned).collect()
            };
            let lines: Vec<_> = text.lines().map(cells).collect();
            assert_eq!(lines[2][1], from[0], "{text}");
            assert_eq!(lines[5][1], from[1], "{text}");
        }
    }
}
