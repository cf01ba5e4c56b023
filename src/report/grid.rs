//! A table that is written row by row: its column widths are fixed before the
//! first row, so that it takes no memory however long it gets.
//!
//! It draws exactly what `comfy-table` draws with the presets
//! `UTF8_FULL_CONDENSED` and `ASCII_FULL_CONDENSED` for cells that fit, which a
//! test checks; `comfy-table` itself needs all rows before it can draw the first.

use crate::text::escape::{Charset, columns_of, columns_of_bytes};
use crate::text::line::Line;
use crate::text::write::{TextBuffer, put};

/// The alignment of a column's cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// To the left: words.
    Left,
    /// To the right: numbers.
    Right,
}

/// The treatment of a cell that is wider than its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// It is cut, with an ellipsis.
    Cut,
    /// It sticks out: half a number would be a lie.
    Widen,
}

/// A column of a [`Grid`].
#[derive(Clone, Debug)]
pub struct Column {
    /// Its heading.
    pub title: String,
    /// The alignment of its cells.
    pub align: Align,
    /// The treatment of cells that are too wide.
    pub overflow: Overflow,
    /// Columns of the terminal for its text.
    pub width: usize,
}

impl Column {
    /// Writes a text that takes `used` columns of the terminal, and fills the column.
    #[inline]
    pub(crate) fn put(&self, used: usize, line: &mut Line<'_>, text: impl FnOnce(&mut Line<'_>)) {
        let missing = self.width.saturating_sub(used);
        match self.align {
            Align::Left => {
                text(line);
                line.skip(missing);
            }
            Align::Right => {
                line.skip(missing);
                text(line);
            }
        }
    }
}

/// The colours that an output uses, of the sixteen that every terminal has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// As the terminal writes.
    #[default]
    Plain,
    /// SYN.
    Green,
    /// ACK.
    Cyan,
    /// CLOSE, warnings.
    Yellow,
    /// Errors.
    Red,
    /// Notes.
    Dim,
}

impl Colour {
    const fn start(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Green => "\x1b[32m",
            Self::Cyan => "\x1b[36m",
            Self::Yellow => "\x1b[33m",
            Self::Red => "\x1b[31m",
            Self::Dim => "\x1b[2m",
        }
    }

    const fn end(self) -> &'static str {
        match self {
            Self::Plain => "",
            _ => "\x1b[0m",
        }
    }

    /// Appends `text` in this colour.
    #[inline]
    pub(crate) fn put(self, out: &mut impl TextBuffer, text: impl AsRef<[u8]>) {
        if self == Self::Plain {
            return out.put_bytes(text.as_ref());
        }
        out.put_bytes(self.start().as_bytes());
        out.put_bytes(text.as_ref());
        out.put_bytes(self.end().as_bytes());
    }
}

/// The lines of a table with fixed column widths.
#[derive(Clone, Debug)]
pub struct Grid {
    columns: Vec<Column>,
    charset: Charset,
}

impl Grid {
    /// A table of these columns.
    pub fn new(columns: Vec<Column>, charset: Charset) -> Self {
        Self { columns, charset }
    }

    /// Appends the upper border, the headings and the line below them.
    pub fn top(&self, out: &mut Vec<u8>) {
        let (border, below_titles) = match self.charset {
            Charset::Unicode => (["┌", "─", "┬", "┐"], ["╞", "═", "╪", "╡"]),
            Charset::Ascii => (["+", "-", "+", "+"], ["+", "=", "=", "+"]),
        };
        self.rule(border, out);
        let titles = self
            .columns
            .iter()
            .map(|column| (&*column.title, Colour::Plain));
        self.row(titles, out);
        self.rule(below_titles, out);
    }

    /// Appends a row: one text, in UTF-8, and its colour for every column.
    pub fn row<T: AsRef<[u8]>>(
        &self,
        cells: impl IntoIterator<Item = (T, Colour)>,
        out: &mut Vec<u8>,
    ) {
        let mut cells = cells.into_iter();
        self.row_in_place(out, |_, column, line| {
            if let Some((text, colour)) = cells.next() {
                self.cell(column, text.as_ref(), colour, line);
            }
        });
    }

    /// Appends a row; `cell` fills each column: with its text by [`Column::put`], or by
    /// [`Grid::cell`].
    #[inline]
    pub(crate) fn row_in_place(
        &self,
        out: &mut Vec<u8>,
        mut cell: impl FnMut(usize, &Column, &mut Line<'_>),
    ) {
        // Each piece by itself is of constant length.
        let separate = |line: &mut Line<'_>| match self.charset {
            Charset::Unicode => line.put_bytes(" ┆ ".as_bytes()),
            Charset::Ascii => line.put_bytes(b" | "),
        };
        Line::append(out, |line| {
            match self.charset {
                Charset::Unicode => line.put_bytes("│ ".as_bytes()),
                Charset::Ascii => line.put_bytes(b"| "),
            }
            for (index, column) in self.columns.iter().enumerate() {
                if index > 0 {
                    separate(line);
                }
                cell(index, column, line);
            }
            match self.charset {
                Charset::Unicode => line.put_bytes(" │\n".as_bytes()),
                Charset::Ascii => line.put_bytes(b" |\n"),
            }
        });
    }

    /// Writes a text, which may be too wide, and fills its column.
    pub(crate) fn cell(&self, column: &Column, text: &[u8], colour: Colour, line: &mut Line<'_>) {
        let used = columns_of_bytes(text);
        if used > column.width && column.overflow == Overflow::Cut {
            let shorter = cut(&String::from_utf8_lossy(text), column.width, self.charset);
            return self.cell(column, shorter.as_bytes(), colour, line);
        }
        column.put(used, line, |line| colour.put(line, text));
    }

    /// Appends the lower border.
    pub fn bottom(&self, out: &mut Vec<u8>) {
        self.rule(
            match self.charset {
                Charset::Unicode => ["└", "─", "┴", "┘"],
                Charset::Ascii => ["+", "-", "+", "+"],
            },
            out,
        );
    }

    fn rule(&self, [left, fill, junction, right]: [&str; 4], out: &mut Vec<u8>) {
        put(out, left);
        for (index, column) in self.columns.iter().enumerate() {
            if index > 0 {
                put(out, junction);
            }
            for _ in 0..column.width + PADDING {
                put(out, fill);
            }
        }
        put(out, right);
        out.push(b'\n');
    }
}

/// The spaces left and right of a cell's text.
pub(crate) const PADDING: usize = 2;

/// Columns that a table takes besides the text of its `columns` columns.
pub(crate) const fn frame_width(columns: usize) -> usize {
    columns * (PADDING + 1) + 1
}

/// As much of `text` as fits into `width` columns, with an ellipsis at its end.
pub(crate) fn cut(text: &str, width: usize, charset: Charset) -> String {
    let ellipsis = charset.ellipsis();
    let room = width.saturating_sub(columns_of(ellipsis));
    let mut used = 0;
    let mut shorter: String = text
        .chars()
        .take_while(|c| {
            used += columns_of(c.encode_utf8(&mut [0; 4]));
            used <= room
        })
        .collect();
    shorter.extend(ellipsis.chars().take(width));
    shorter
}

#[cfg(test)]
mod tests {
    use super::*;
    use comfy_table::{CellAlignment, ColumnConstraint, Table, Width, presets};
    use proptest::prelude::*;

    fn column(title: &str, align: Align, overflow: Overflow, width: usize) -> Column {
        Column {
            title: title.to_owned(),
            align,
            overflow,
            width,
        }
    }

    fn drawn(grid: &Grid, rows: &[Vec<String>]) -> String {
        let mut out = Vec::new();
        grid.top(&mut out);
        for row in rows {
            grid.row(row.iter().map(|cell| (cell, Colour::Plain)), &mut out);
        }
        grid.bottom(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn drawn_by_comfy_table(columns: &[Column], charset: Charset, rows: &[Vec<String>]) -> String {
        let mut table = Table::new();
        table.load_style(match charset {
            Charset::Unicode => presets::UTF8_FULL_CONDENSED,
            Charset::Ascii => presets::ASCII_FULL_CONDENSED,
        });
        table.set_header(columns.iter().map(|column| column.title.clone()));
        table.add_rows(rows.iter().cloned());
        for (index, column) in columns.iter().enumerate() {
            let drawn = table.column_mut(index).unwrap();
            let width = u16::try_from(column.width + PADDING).unwrap();
            drawn.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
            drawn.set_cell_alignment(match column.align {
                Align::Left => CellAlignment::Left,
                Align::Right => CellAlignment::Right,
            });
        }
        format!("{table}\n")
    }

    proptest! {
        #[test]
        fn a_grid_is_drawn_as_comfy_table_draws_it(
            widths in prop::collection::vec((4_usize..12, any::<bool>()), 1..7),
            seeds in prop::collection::vec("[a-z0-9→…ü日]{0,5}", 0..40),
        ) {
            let columns: Vec<Column> = widths
                .iter()
                .map(|&(width, right)| {
                    let align = if right { Align::Right } else { Align::Left };
                    column("Head", align, Overflow::Cut, width)
                })
                .collect();
            let fits = |(index, text): (usize, &String)| {
                let width = columns[index % columns.len()].width;
                if columns_of(text) <= width { text.clone() } else { "x".to_owned() }
            };
            let cells: Vec<String> = seeds.iter().enumerate().map(fits).collect();
            let rows: Vec<Vec<String>> = cells
                .chunks_exact(columns.len())
                .map(<[String]>::to_vec)
                .collect();
            for charset in [Charset::Unicode, Charset::Ascii] {
                let grid = Grid::new(columns.clone(), charset);
                prop_assert_eq!(drawn(&grid, &rows), drawn_by_comfy_table(&columns, charset, &rows));
            }
        }
    }

    #[test]
    fn words_that_do_not_fit_are_cut_and_numbers_stick_out() {
        let columns = vec![
            column("#", Align::Right, Overflow::Widen, 2),
            column("Info", Align::Left, Overflow::Cut, 5),
        ];
        let rows = [
            vec!["7".to_owned(), "abcde".to_owned()],
            vec!["1234".to_owned(), "abc日本".to_owned()],
        ];
        assert_eq!(
            drawn(&Grid::new(columns, Charset::Unicode), &rows),
            "┌────┬───────┐\n\
             │  # ┆ Info  │\n\
             ╞════╪═══════╡\n\
             │  7 ┆ abcde │\n\
             │ 1234 ┆ abc…  │\n\
             └────┴───────┘\n"
        );
    }

    #[test]
    fn colour_does_not_count_as_width() {
        let grid = Grid::new(
            vec![column("A", Align::Left, Overflow::Cut, 3)],
            Charset::Ascii,
        );
        let mut out = Vec::new();
        grid.row([("x", Colour::Red)], &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "| \x1b[31mx\x1b[0m   |\n");
    }
}
