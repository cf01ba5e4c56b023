//! The rows that will be a row group, cell by cell.

use parquet::schema::types::{SchemaDescriptor, TypePtr};

use super::column::Column;
use super::words::Key;
use crate::text::write::put;

/// Rows that come together before they are written.
///
/// Cells are put from left to right. Each is put by the name of its column, which
/// debug builds check.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<Column>,
    /// The column of the next cell.
    next: usize,
    rows: usize,
    /// Bytes that the cells take.
    bytes: usize,
}

impl Table {
    pub(super) fn new(schema: &TypePtr) -> Self {
        Self {
            columns: empty_columns(schema),
            next: 0,
            rows: 0,
            bytes: 0,
        }
    }

    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Ends a row, which has a cell in every column.
    pub(super) fn end_row(&mut self) {
        debug_assert_eq!(self.next, self.columns.len());
        self.next = 0;
        self.rows += 1;
    }

    /// Whether the next cell is of that member of a column.
    pub(super) fn is_next(&self, name: &str, member: &str) -> bool {
        self.columns[self.next].is_member(name, member)
    }

    pub(super) fn null(&mut self, name: &str) {
        let column = self.column(name);
        debug_assert!(column.is_nullable(), "{name} is never null");
    }

    pub(super) fn integer(&mut self, name: &str, value: i64) {
        self.bytes += size_of::<i64>();
        let row = self.rows;
        let column = self.column(name);
        column.define(row);
        column.push_integer(value);
    }

    /// Appends the output of `put`: UTF-8, in a column of texts.
    pub(super) fn text(&mut self, name: &str, put: impl FnOnce(&mut Vec<u8>)) {
        let row = self.rows;
        let column = self.column(name);
        column.define(row);
        self.bytes += column.push_text(put);
    }

    /// Appends the text that `put` makes of `key`, with nothing else.
    #[inline]
    pub(super) fn made_of(
        &mut self,
        name: &str,
        key: impl Into<Key>,
        put: impl FnOnce(&mut Vec<u8>),
    ) {
        let row = self.rows;
        let column = self.column(name);
        column.define(row);
        self.bytes += column.push_made_of(key.into(), put);
    }

    /// One of a few words.
    pub(super) fn word(&mut self, name: &str, word: &'static str) {
        self.made_of(name, word, |out| put(out, word));
    }

    /// A list of words.
    pub(super) fn words<'a>(&mut self, name: &str, words: impl IntoIterator<Item = &'a str>) {
        let row = self.rows;
        let column = self.column(name);
        let mut bytes = 0;
        let mut is_first = true;
        for word in words {
            column.define(row);
            column.repeat(if is_first { 0 } else { 1 });
            bytes += column.push_text(|out| out.extend_from_slice(word.as_bytes()));
            is_first = false;
        }
        if is_first {
            column.repeat(0);
        }
        self.bytes += bytes;
    }

    /// The next column, which has that name.
    #[inline]
    fn column(&mut self, name: &str) -> &mut Column {
        let column = &mut self.columns[self.next];
        debug_assert_eq!(column.name(), name);
        self.next += 1;
        column
    }

    /// The columns with their rows, which `empty` ones take the place of; there are no rows
    /// afterwards.
    pub(super) fn replace_columns(&mut self, empty: Vec<Column>) -> Vec<Column> {
        debug_assert_eq!((empty.len(), self.next), (self.columns.len(), 0));
        for column in &mut self.columns {
            column.end(self.rows);
        }
        self.rows = 0;
        self.bytes = 0;
        std::mem::replace(&mut self.columns, empty)
    }
}

/// The columns of a table without rows.
pub(super) fn empty_columns(schema: &TypePtr) -> Vec<Column> {
    let schema = SchemaDescriptor::new(schema.clone());
    let columns = schema.columns().iter().cloned();
    columns
        .map(|column| Column::new(schema.name(), column))
        .collect()
}
