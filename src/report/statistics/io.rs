//! `-z io,1s`: messages and bytes over time.

use super::{put_table, text_of};
use crate::conversation::MessageEvent;
use crate::report::field::payload;
use crate::report::grid::Align;
use crate::report::look::Look;
use crate::report::write::put_seconds;
use crate::wire::Direction;

/// Rows that are kept; when there are more, neighbours are merged and the
/// interval doubles.
const MAX_ROWS: usize = 10_000;

/// Columns that are left out where the terminal is too narrow, first to last.
const EXPENDABLE: [usize; 1] = [1];

/// Counts messages in intervals of time since the first packet.
#[derive(Debug)]
pub struct IoTable {
    asked_us: u64,
    interval_us: u64,
    /// Sorted by `index`; intervals without messages are left out.
    rows: Vec<Interval>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Interval {
    /// Start of the interval, in intervals since the first packet.
    index: i64,
    messages: [u64; 2],
    bytes: [u64; 2],
}

impl IoTable {
    /// Intervals of `interval_us` microseconds, at least 1.
    pub const fn new(interval_us: u64) -> Self {
        let interval_us = if interval_us == 0 { 1 } else { interval_us };
        Self {
            asked_us: interval_us,
            interval_us,
            rows: Vec::new(),
        }
    }

    /// Counts a message.
    pub fn message(&mut self, event: &MessageEvent<'_>) {
        let width = i64::try_from(self.interval_us).unwrap_or(i64::MAX);
        let index = event.elapsed_us.div_euclid(width);
        let interval = self.interval_at(index);
        let sender = usize::from(event.direction == Some(Direction::ServerToClient));
        interval.messages[sender] += 1;
        interval.bytes[sender] += payload(&event.message).len() as u64;
        while self.rows.len() > MAX_ROWS {
            self.double();
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
                    ..Interval::default()
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
                Some(last) if last.index == row.index => last.add(&row),
                _ => merged.push(row),
            }
        }
        self.rows = merged;
    }

    /// Appends the table.
    pub fn finish(&self, look: &Look, out: &mut Vec<u8>) {
        let interval = text_of(|out| put_seconds(out, micros(self.interval_us), 6));
        let mut heading = format!("Messages in {} s", trimmed(&interval));
        if self.interval_us != self.asked_us {
            let asked = text_of(|out| put_seconds(out, micros(self.asked_us), 6));
            heading += &format!(
                " (in {} s there would be more than {MAX_ROWS} rows)",
                trimmed(&asked)
            );
        }
        let rows: Vec<_> = self.rows.iter().map(|row| self.row(row)).collect();
        let [right, left] = [look.charset.right_arrow(), look.charset.left_arrow()];
        put_table(
            &heading,
            [
                ("From s", Align::Right),
                ("To s", Align::Right),
                (&format!("{right} msgs"), Align::Right),
                (&format!("{right} B"), Align::Right),
                (&format!("{left} msgs"), Align::Right),
                (&format!("{left} B"), Align::Right),
            ],
            &rows,
            &EXPENDABLE,
            look,
            out,
        );
    }

    fn row(&self, row: &Interval) -> [String; 6] {
        let width = micros(self.interval_us);
        let start = row.index.saturating_mul(width);
        let seconds = |micros| {
            let text = text_of(|out| put_seconds(out, micros, 6));
            trimmed(&text).to_owned()
        };
        [
            seconds(start),
            seconds(start.saturating_add(width)),
            row.messages[0].to_string(),
            row.bytes[0].to_string(),
            row.messages[1].to_string(),
            row.bytes[1].to_string(),
        ]
    }
}

impl Interval {
    fn add(&mut self, other: &Self) {
        for sender in 0..2 {
            self.messages[sender] += other.messages[sender];
            self.bytes[sender] += other.bytes[sender];
        }
    }
}

fn micros(micros: u64) -> i64 {
    i64::try_from(micros).unwrap_or(i64::MAX)
}

/// Seconds without the zeros that say nothing: `1`, `0.5`.
fn trimmed(seconds: &str) -> &str {
    seconds.trim_end_matches('0').trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_kept_in_order_and_merged_in_pairs() {
        let mut table = IoTable::new(1_000);
        for index in [5, 1, 3, -1, 4, 5] {
            table.interval_at(index).messages[0] += 1;
        }
        table.double();
        let rows: Vec<(i64, u64)> = table
            .rows
            .iter()
            .map(|row| (row.index, row.messages[0]))
            .collect();
        assert_eq!(rows, [(-1, 1), (0, 1), (1, 1), (2, 3)]);
        assert_eq!(table.interval_us, 2_000);
    }

    #[test]
    fn seconds_lose_their_empty_decimals() {
        for (text, short) in [("1.000000", "1"), ("0.500000", "0.5"), ("10.000000", "10")] {
            assert_eq!(trimmed(text), short);
        }
    }
}
