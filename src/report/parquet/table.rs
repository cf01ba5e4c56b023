//! The rows that will be a row group, column by column.

use std::io::Write;

use bytes::Bytes;
use parquet::basic::Type as PhysicalType;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor, TypePtr};

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

/// The cells of a column. Levels are those of the Parquet format (Dremel): how much of
/// the path to a value is there, and in which list it goes on. Here they are 0 or 1.
#[derive(Debug)]
struct Column {
    path: String,
    values: Values,
    /// For each cell, 1 where it has a value; unless every cell has one.
    definition: Option<Vec<i16>>,
    /// For each cell, 0 where a row begins; only of lists.
    repetition: Option<Vec<i16>>,
}

#[derive(Debug)]
enum Values {
    Integers(Vec<i64>),
    Texts {
        bytes: Vec<u8>,
        /// Where each text ends in them.
        ends: Vec<usize>,
    },
}

impl Table {
    pub(super) fn new(schema: &TypePtr) -> Self {
        let schema = SchemaDescriptor::new(schema.clone());
        Self {
            columns: schema.columns().iter().map(|c| Column::new(c)).collect(),
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

    pub(super) fn null(&mut self, name: &str) {
        self.column(name).define(0);
    }

    pub(super) fn integer(&mut self, name: &str, value: i64) {
        self.bytes += size_of::<i64>();
        let column = self.column(name);
        column.define(1);
        column.push_integer(value);
    }

    /// A number that counts something; there is nothing of which there are 2^63.
    pub(super) fn count(&mut self, name: &str, value: u64) {
        self.integer(name, i64::try_from(value).unwrap_or(i64::MAX));
    }

    pub(super) fn integer_or_null(&mut self, name: &str, value: Option<i64>) {
        match value {
            Some(value) => self.integer(name, value),
            None => self.null(name),
        }
    }

    pub(super) fn count_or_null(&mut self, name: &str, value: Option<u64>) {
        match value {
            Some(value) => self.count(name, value),
            None => self.null(name),
        }
    }

    /// What `put` appends, which is UTF-8.
    pub(super) fn text(&mut self, name: &str, put: impl FnOnce(&mut Vec<u8>)) {
        let column = self.column(name);
        column.define(1);
        self.bytes += column.push_text(put);
    }

    pub(super) fn text_or_null<T>(
        &mut self,
        name: &str,
        value: Option<T>,
        put: impl FnOnce(&mut Vec<u8>, T),
    ) {
        match value {
            Some(value) => self.text(name, |out| put(out, value)),
            None => self.null(name),
        }
    }

    /// A list of words.
    pub(super) fn words<'a>(&mut self, name: &str, words: impl IntoIterator<Item = &'a str>) {
        let column = self.column(name);
        let mut bytes = 0;
        let mut is_first = true;
        for word in words {
            column.define(1);
            column.repeat(if is_first { 0 } else { 1 });
            bytes += column.push_text(|out| out.extend_from_slice(word.as_bytes()));
            is_first = false;
        }
        if is_first {
            column.define(0);
            column.repeat(0);
        }
        self.bytes += bytes;
    }

    /// The next column, which has that name.
    #[inline]
    fn column(&mut self, name: &str) -> &mut Column {
        let column = &mut self.columns[self.next];
        debug_assert_eq!(column.path.split(".list.").next(), Some(name));
        self.next += 1;
        column
    }

    /// Writes the rows as a row group; there are none afterwards.
    pub(super) fn write<W: Write + Send>(
        &mut self,
        writer: &mut SerializedFileWriter<W>,
    ) -> Result<(), ParquetError> {
        let mut group = writer.next_row_group()?;
        for column in &mut self.columns {
            let mut out = group
                .next_column()?
                .expect("the columns are those of the schema");
            let definition = column.definition.as_deref();
            let repetition = column.repetition.as_deref();
            match &mut column.values {
                Values::Integers(values) => {
                    out.typed::<Int64Type>()
                        .write_batch(values, definition, repetition)?;
                    out.close()?;
                }
                Values::Texts { bytes, ends } => {
                    let all = Bytes::from(std::mem::take(bytes));
                    out.typed::<ByteArrayType>().write_batch(
                        &texts(&all, ends),
                        definition,
                        repetition,
                    )?;
                    out.close()?;
                    *bytes = reclaimed(all);
                }
            }
            column.clear();
        }
        group.close()?;
        self.rows = 0;
        self.bytes = 0;
        Ok(())
    }
}

impl Column {
    fn new(descriptor: &ColumnDescriptor) -> Self {
        Self {
            path: descriptor.path().string(),
            values: match descriptor.physical_type() {
                PhysicalType::INT64 => Values::Integers(Vec::new()),
                _ => Values::Texts {
                    bytes: Vec::new(),
                    ends: Vec::new(),
                },
            },
            definition: (descriptor.max_def_level() > 0).then(Vec::new),
            repetition: (descriptor.max_rep_level() > 0).then(Vec::new),
        }
    }

    fn define(&mut self, level: i16) {
        match &mut self.definition {
            Some(levels) => levels.push(level),
            None => debug_assert_eq!(level, 1, "{} is never null", self.path),
        }
    }

    fn repeat(&mut self, level: i16) {
        if let Some(levels) = &mut self.repetition {
            levels.push(level);
        }
    }

    fn push_integer(&mut self, value: i64) {
        match &mut self.values {
            Values::Integers(values) => values.push(value),
            Values::Texts { .. } => unreachable!("{} is a column of texts", self.path),
        }
    }

    /// Appends a text; how many bytes that took.
    fn push_text(&mut self, put: impl FnOnce(&mut Vec<u8>)) -> usize {
        match &mut self.values {
            Values::Integers(_) => unreachable!("{} is a column of numbers", self.path),
            Values::Texts { bytes, ends } => {
                let start = bytes.len();
                put(bytes);
                ends.push(bytes.len());
                bytes.len() - start + size_of::<usize>()
            }
        }
    }

    fn clear(&mut self) {
        match &mut self.values {
            Values::Integers(values) => values.clear(),
            Values::Texts { bytes, ends } => {
                bytes.clear();
                ends.clear();
            }
        }
        for levels in [&mut self.definition, &mut self.repetition] {
            levels.iter_mut().for_each(Vec::clear);
        }
    }
}

/// The texts that end at `ends`, without a copy.
fn texts(bytes: &Bytes, ends: &[usize]) -> Vec<ByteArray> {
    let mut start = 0;
    ends.iter()
        .map(|&end| {
            let text = bytes.slice(start..end);
            start = end;
            text.into()
        })
        .collect()
}

/// The memory of texts that are written, for those to come.
fn reclaimed(bytes: Bytes) -> Vec<u8> {
    match bytes.try_into_mut() {
        Ok(bytes) => bytes.into(),
        Err(kept) => {
            debug_assert!(kept.is_empty(), "somebody keeps the texts of a row group");
            Vec::new()
        }
    }
}
