//! The bounded tables: `-z types`, `timing`, `findings` and `io`.

mod findings;
mod io;
mod timing;
mod types;

pub use findings::FindingTable;
pub(in crate::report) use findings::First;
pub use io::IoTable;
pub(super) use timing::Spans;
pub use timing::TimingTable;
pub use types::TypeTable;

use std::array;

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};

use super::grid::{Align, PADDING, frame_width};
use super::style::Style;
use crate::text::escape::{Charset, columns_of};
use crate::text::write::{put, put_display};

/// Appends a heading and a table of few rows, as wide as its contents and at
/// most as wide as the terminal: cells wrap between words, and where not even
/// their words fit, the columns of `expendable` are left out, first to last.
pub(crate) fn put_table<const COLUMNS: usize>(
    heading: &str,
    columns: [(&str, Align); COLUMNS],
    rows: &[[String; COLUMNS]],
    expendable: &[usize],
    style: &Style,
    out: &mut Vec<u8>,
) {
    put(out, heading);
    out.push(b'\n');
    if rows.is_empty() {
        return;
    }
    let needed: [usize; COLUMNS] = array::from_fn(|column| {
        let (title, align) = columns[column];
        let cells = rows.iter().map(|row| match align {
            Align::Left => longest_word(&row[column]),
            // A number stays with its unit.
            Align::Right => columns_of(&row[column]),
        });
        cells.fold(longest_word(title), usize::max)
    });
    let shown = columns_that_fit(&needed, expendable, style.width);
    let mut table = Table::new();
    table
        .load_style(match style.charset {
            Charset::Unicode => presets::UTF8_FULL_CONDENSED,
            Charset::Ascii => presets::ASCII_FULL_CONDENSED,
        })
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(style.width).unwrap_or(u16::MAX))
        .set_header(shown.iter().map(|&column| columns[column].0));
    for row in rows {
        table.add_row(shown.iter().map(|&column| &row[column]));
    }
    let widths = shown.iter().map(|&column| {
        let cells = rows.iter().map(|row| columns_of(&row[column]));
        let wanted = cells.fold(columns_of(columns[column].0), usize::max);
        (needed[column], wanted.max(needed[column]))
    });
    let widths = widths_that_fit(widths.collect(), style.width);
    for ((drawn, &column), width) in table.column_iter_mut().zip(&shown).zip(widths) {
        let width = u16::try_from(width + PADDING).unwrap_or(u16::MAX);
        drawn.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
        if columns[column].1 == Align::Right {
            drawn.set_cell_alignment(CellAlignment::Right);
        }
    }
    put_display(out, table);
    out.push(b'\n');
}

/// The columns of a table, without those that the terminal is too narrow for.
fn columns_that_fit(needed: &[usize], expendable: &[usize], room: usize) -> Vec<usize> {
    let mut shown: Vec<usize> = (0..needed.len()).collect();
    for expendable in expendable {
        let texts: usize = shown.iter().map(|&column| needed[column]).sum();
        if texts + frame_width(shown.len()) <= room {
            break;
        }
        shown.retain(|column| column != expendable);
    }
    shown
}

/// The widths of columns that need one width and want another: the widest give way, so that no room
/// is left that a text could have had.
fn widths_that_fit(widths: Vec<(usize, usize)>, room: usize) -> Vec<usize> {
    let room = room.saturating_sub(frame_width(widths.len()));
    // Texts may be very long.
    let mut widths: Vec<(usize, usize)> = widths
        .into_iter()
        .map(|(needed, wanted)| (needed, wanted.min(needed.max(room))))
        .collect();
    while widths.iter().map(|(_, width)| width).sum::<usize>() > room
        && let Some((_, width)) = widths
            .iter_mut()
            .filter(|(needed, width)| width > needed)
            .max_by_key(|(_, width)| *width)
    {
        *width -= 1;
    }
    widths.into_iter().map(|(_, width)| width).collect()
}

/// Columns of the terminal that the longest word takes.
fn longest_word(text: &str) -> usize {
    text.split(' ').map(columns_of).max().unwrap_or(0)
}
