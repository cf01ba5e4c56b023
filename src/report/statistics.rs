//! The bounded tables: `-z types`, `timing`, `findings` and `io`.

mod findings;
mod io;
mod timing;
mod types;

pub use findings::FindingTable;
pub use io::IoTable;
pub use timing::TimingTable;
pub use types::TypeTable;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::escape::Charset;
use super::grid::Align;
use super::look::Look;
use super::write::{put, put_display};

/// Appends a heading and a table of few rows, as wide as its contents and at
/// most as wide as the terminal.
pub(super) fn put_table<const COLUMNS: usize>(
    heading: &str,
    columns: [(&str, Align); COLUMNS],
    rows: Vec<[String; COLUMNS]>,
    look: &Look,
    out: &mut Vec<u8>,
) {
    put(out, heading);
    out.push(b'\n');
    if rows.is_empty() {
        return;
    }
    let mut table = Table::new();
    table
        .load_style(match look.charset {
            Charset::Unicode => presets::UTF8_FULL_CONDENSED,
            Charset::Ascii => presets::ASCII_FULL_CONDENSED,
        })
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(look.width).unwrap_or(u16::MAX))
        .set_header(columns.map(|(title, _)| title))
        .add_rows(rows);
    for (index, (_, align)) in columns.into_iter().enumerate() {
        if let (Align::Right, Some(column)) = (align, table.column_mut(index)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    put_display(out, table);
    out.push(b'\n');
}

/// What `put` appends, as a string.
pub(super) fn text_of(put: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    put(&mut out);
    String::from_utf8(out).expect("only text is appended")
}
