//! The table of messages.
//!
//! Rows stream, so that memory does not grow with the capture. The first
//! [`HELD_ROWS`](crate::record::printer::HELD_ROWS) rows are held back: a capture that ends within
//! them gets columns as wide as its contents and a heading that knows the whole capture. After
//! that, or at once in live captures, the widths stay as they are.

mod printer;
mod totals;

pub use printer::TablePrinter;

use super::describe::put_info;
use super::grid::{Align, Colour, Column, Grid, Overflow, frame_width};
use super::style::{Style, TimeWriter};
use crate::conversation::MessageEvent;
use crate::field::{highest_level, payload};
use crate::text::escape::{columns_of, columns_of_bytes};
use crate::text::write::{put, put_conversation, put_display, put_number};
use crate::wire::{Direction, RawMessage};

const COLUMNS: usize = 8;
const TITLES: [&str; COLUMNS] = ["#", "Time", "Conv", "", "Type", "Id", "Len", "Info"];
const LENGTH: usize = 6;
const INFO: usize = COLUMNS - 1;

/// Columns that are left out where the terminal is too narrow, first to last.
const EXPENDABLE: [usize; 2] = [LENGTH, 0];

/// Columns of the terminal below which the text of `Info` is not cut further.
const MIN_INFO_WIDTH: usize = 12;

/// Columns of the terminal that `Info` takes where there is room, whatever it holds.
const USUAL_INFO_WIDTH: usize = 34;

/// Widths of cells that may still come, for the columns before `Info`.
const STREAMING_WIDTHS: [usize; INFO] = [7, 12, 7, 1, 5, 6, 5];

/// Columns that all of these take, with the lines of the table: the sum of [`STREAMING_WIDTHS`].
const STREAMING_TO_INFO: usize = 7 + 12 + 7 + 1 + 5 + 6 + 5 + frame_width(COLUMNS);

/// The rows of the table.
#[derive(Debug)]
struct MessageTable {
    style: Style,
    times: TimeWriter,
    stage: Stage,
    row: Row,
}

#[derive(Debug)]
enum Stage {
    /// Rows wait for the widths.
    Holding(Vec<Row>),
    /// The top is written; rows are written as they come.
    Streaming(Layout),
}

/// The texts of a row, one after the other.
#[derive(Clone, Debug, Default)]
struct Row {
    text: Vec<u8>,
    ends: [usize; COLUMNS],
    colours: [Colour; COLUMNS],
}

impl Row {
    fn clear(&mut self) {
        self.text.clear();
        self.ends = [0; COLUMNS];
        self.colours = [Colour::Plain; COLUMNS];
    }

    fn end_cell(&mut self, column: usize) {
        self.ends[column] = self.text.len();
    }

    fn cells(&self) -> impl Iterator<Item = (&[u8], Colour)> {
        let mut start = 0;
        self.ends
            .iter()
            .zip(self.colours)
            .map(move |(&end, colour)| {
                let cell = &self.text[start..end];
                start = end;
                (cell, colour)
            })
    }
}

impl MessageTable {
    /// An empty table, which holds its rows back until [`start`](Self::start).
    fn new(style: Style) -> Self {
        Self {
            style,
            times: TimeWriter::new(style.times),
            stage: Stage::Holding(Vec::new()),
            row: Row::default(),
        }
    }

    /// Number of rows held back; `None` once the table was started.
    fn held(&self) -> Option<usize> {
        match &self.stage {
            Stage::Holding(rows) => Some(rows.len()),
            Stage::Streaming(_) => None,
        }
    }

    /// Adds a message: appended to `out`, or held.
    fn message(&mut self, event: &MessageEvent<'_>, out: &mut Vec<u8>) {
        self.fill_row(event);
        match &mut self.stage {
            Stage::Holding(rows) => rows.push(self.row.clone()),
            Stage::Streaming(layout) => layout.row(&self.row, out),
        }
    }

    /// Appends the top of the table and the rows held back. Later rows are
    /// written as they come, so the columns leave room for more than these need.
    fn start(&mut self, out: &mut Vec<u8>) {
        let rest = self.style.width.saturating_sub(STREAMING_TO_INFO);
        self.start_with(&STREAMING_WIDTHS, rest, out);
    }

    /// Appends the rows still held, and the lower border.
    fn finish(&mut self, out: &mut Vec<u8>) {
        self.start_with(&[0; INFO], USUAL_INFO_WIDTH, out);
        self.interrupt(out);
    }

    /// Appends the lower border, if the table was started.
    fn interrupt(&self, out: &mut Vec<u8>) {
        if let Stage::Streaming(layout) = &self.stage {
            layout.grid.bottom(out);
        }
    }

    /// Appends the top again, for rows that follow after an interruption.
    fn resume(&self, out: &mut Vec<u8>) {
        if let Stage::Streaming(layout) = &self.stage {
            layout.grid.top(out);
        }
    }

    fn start_with(&mut self, at_least: &[usize; INFO], info: usize, out: &mut Vec<u8>) {
        let Stage::Holding(rows) = &mut self.stage else {
            return;
        };
        let rows = std::mem::take(rows);
        let mut widths = widest(&rows);
        for (width, &least) in widths.iter_mut().zip(at_least) {
            *width = (*width).max(least);
        }
        widths[INFO] = widths[INFO].max(info);
        let layout = Layout::new(&self.style, widths);
        layout.grid.top(out);
        for row in &rows {
            layout.row(row, out);
        }
        self.stage = Stage::Streaming(layout);
    }

    fn fill_row(&mut self, event: &MessageEvent<'_>) {
        let Self {
            style, times, row, ..
        } = self;
        row.clear();
        put_number(&mut row.text, event.number);
        row.end_cell(0);
        times.put(event, &mut row.text);
        row.end_cell(1);
        match event.conversation {
            Some(id) => put_conversation(&mut row.text, id),
            None => put(&mut row.text, "-"),
        }
        row.end_cell(2);
        put(&mut row.text, arrow(event.direction, style));
        row.end_cell(3);
        put_type(&event.message, &mut row.text);
        row.colours[4] = style.colour_of_type(&event.message);
        row.end_cell(4);
        match event.message.frame() {
            Some(frame) => style.put_id(frame.id, &mut row.text),
            None => put(&mut row.text, "-"),
        }
        row.end_cell(5);
        put_number(&mut row.text, payload(&event.message).len());
        row.end_cell(6);
        put_info(event, style, &mut row.text);
        row.colours[INFO] = style.colour_of_level(highest_level(event.findings));
        row.end_cell(INFO);
    }
}

/// The type of a message as people read it: `DATA`, `PING`, `0x53`.
pub(crate) fn put_type(message: &RawMessage<'_>, out: &mut Vec<u8>) {
    match message {
        RawMessage::Frame(frame) => match frame.frame_type.name() {
            Some(name) => put(out, name),
            None => put_display(out, frame.frame_type),
        },
        RawMessage::Ping => put(out, "PING"),
        RawMessage::Short(_) => put(out, "SHORT"),
    }
}

/// The arrow of a direction; blank where it is not known.
pub(crate) const fn arrow(direction: Option<Direction>, style: &Style) -> &'static str {
    match direction {
        Some(Direction::ClientToServer) => style.charset.right_arrow(),
        Some(Direction::ServerToClient) => style.charset.left_arrow(),
        None => "",
    }
}

/// The widest text of each column, titles included.
fn widest(rows: &[Row]) -> [usize; COLUMNS] {
    let mut widths = TITLES.map(columns_of);
    for row in rows {
        for (width, (text, _)) in widths.iter_mut().zip(row.cells()) {
            *width = (*width).max(columns_of_bytes(text));
        }
    }
    widths
}

/// The columns that are shown, and their widths.
#[derive(Debug)]
struct Layout {
    grid: Grid,
    is_shown: [bool; COLUMNS],
}

impl Layout {
    /// `Info` gets the rest of the terminal; where that is too little, columns of less value are
    /// left out.
    fn new(style: &Style, widths: [usize; COLUMNS]) -> Self {
        let mut is_shown = [true; COLUMNS];
        let mut expendable = EXPENDABLE.into_iter();
        let info_width = loop {
            let shown = is_shown.iter().filter(|&&shown| shown).count();
            let texts: usize = (0..INFO)
                .filter(|&column| is_shown[column])
                .map(|column| widths[column])
                .sum();
            let room = style.width.saturating_sub(frame_width(shown) + texts);
            if room >= MIN_INFO_WIDTH {
                break widths[INFO].min(room);
            }
            match expendable.next() {
                Some(column) => is_shown[column] = false,
                None => break widths[INFO].min(MIN_INFO_WIDTH),
            }
        };
        let columns = (0..COLUMNS)
            .filter(|&column| is_shown[column])
            .map(|column| Column {
                title: TITLES[column].to_owned(),
                align: match column {
                    0 | 1 | LENGTH => Align::Right,
                    _ => Align::Left,
                },
                // Of a preview the end may go; a number without its last digit would be another.
                overflow: match column {
                    INFO => Overflow::Cut,
                    _ => Overflow::Widen,
                },
                width: match column {
                    INFO => info_width,
                    _ => widths[column],
                },
            })
            .collect();
        Self {
            grid: Grid::new(columns, style.charset),
            is_shown,
        }
    }

    fn row(&self, row: &Row, out: &mut Vec<u8>) {
        let cells = row.cells().zip(self.is_shown);
        let shown = cells.filter_map(|(cell, is_shown)| is_shown.then_some(cell));
        self.grid.row(shown, out);
    }
}

#[cfg(test)]
mod tests;
