//! The cells of a column.

use bytes::Bytes;
use parquet::basic::Type as PhysicalType;
use parquet::column::writer::ColumnWriterImpl;
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

use super::integers;
use super::pages::Chunk;
use super::plain::{Plain, reclaimed};
use super::presence::Presence;
use super::schema::{FEW, KEYS, MANIFOLD, PREVIEW};
use super::words::{Key, Words};
use crate::record::put_preview;

/// The cells of a column. Levels are those of the Parquet format (Dremel): the part of the path to
/// a value that is there, and the list in which it goes on. Here they are 0 or 1.
#[derive(Debug)]
pub(super) struct Column {
    descriptor: ColumnDescPtr,
    path: String,
    values: Values,
    /// The cells that have a value, unless every cell has one.
    presence: Option<Presence>,
    /// For each cell, 0 where a row begins; only of lists.
    repetition: Option<Vec<i16>>,
}

#[derive(Debug)]
enum Values {
    Integers(Vec<i64>),
    /// Texts that come again.
    Words(Words),
    /// Texts or bytes that are seldom the same twice.
    Plain(Plain),
    /// Texts that are made when they are written, of the first bytes of payloads.
    Previews {
        starts: Plain,
        texts: Plain,
    },
    /// Other texts, and bytes.
    Texts {
        bytes: Vec<u8>,
        /// End of each text in them.
        ends: Vec<usize>,
    },
}

impl Column {
    /// An empty column of the table of that name.
    pub(super) fn new(table: &str, descriptor: ColumnDescPtr) -> Self {
        Self {
            path: descriptor.path().string(),
            values: match descriptor.physical_type() {
                PhysicalType::INT64 => Values::Integers(Vec::new()),
                _ if KEYS.contains(&(table, descriptor.name())) => Values::Plain(Plain::default()),
                _ if FEW.contains(&descriptor.name()) => Values::Words(Words::default()),
                _ if descriptor.name() == PREVIEW => Values::Previews {
                    starts: Plain::default(),
                    texts: Plain::default(),
                },
                _ if MANIFOLD.contains(&descriptor.name()) => Values::Plain(Plain::default()),
                _ => Values::Texts {
                    bytes: Vec::new(),
                    ends: Vec::new(),
                },
            },
            presence: (descriptor.max_def_level() > 0).then(Presence::default),
            repetition: (descriptor.max_rep_level() > 0).then(Vec::new),
            descriptor,
        }
    }

    /// The column of the record that it is, or that it is a part of.
    pub(super) fn name(&self) -> &str {
        self.path.split('.').next().unwrap_or_default()
    }

    /// Whether it is that member of a column that has several.
    pub(super) fn is_member(&self, name: &str, member: &str) -> bool {
        self.path.split_once('.') == Some((name, member))
    }

    /// Bytes that the values take.
    pub(super) const fn size_bytes(&self) -> usize {
        match &self.values {
            Values::Integers(values) => values.len() * size_of::<i64>(),
            Values::Words(words) => words.size_bytes(),
            Values::Plain(plain) | Values::Previews { starts: plain, .. } => plain.size_bytes(),
            Values::Texts { bytes, ends } => bytes.len() + ends.len() * size_of::<usize>(),
        }
    }

    /// Says that its next cell has a value; it is one of that row. Of cells without a value
    /// nothing is said, since there are many of them.
    #[inline]
    pub(super) fn define(&mut self, row: usize) {
        if let Some(presence) = &mut self.presence {
            presence.push_value_at(self.repetition.as_ref().map_or(row, Vec::len));
        }
    }

    /// Says that there are no more than so many rows.
    pub(super) fn end(&mut self, rows: usize) {
        if let Some(presence) = &mut self.presence {
            presence.end(self.repetition.as_ref().map_or(rows, Vec::len));
        }
    }

    pub(super) const fn is_nullable(&self) -> bool {
        self.presence.is_some()
    }

    pub(super) fn repeat(&mut self, level: i16) {
        if let Some(levels) = &mut self.repetition {
            levels.push(level);
        }
    }

    pub(super) fn push_integer(&mut self, value: i64) {
        match &mut self.values {
            Values::Integers(values) => values.push(value),
            _ => unreachable!("{} is a column of texts", self.path),
        }
    }

    /// Appends a text; returns the number of bytes that it took.
    pub(super) fn push_text(&mut self, put: impl FnOnce(&mut Vec<u8>)) -> usize {
        match &mut self.values {
            Values::Integers(_) => unreachable!("{} is a column of numbers", self.path),
            Values::Words(words) => words.push(put),
            Values::Plain(plain) | Values::Previews { starts: plain, .. } => {
                plain.push(self.presence.as_ref(), put)
            }
            Values::Texts { bytes, ends } => {
                let start = bytes.len();
                put(bytes);
                ends.push(bytes.len());
                bytes.len() - start + size_of::<usize>()
            }
        }
    }

    /// Appends the text that `put` makes of `key`; returns the number of bytes that it took.
    #[inline]
    pub(super) fn push_made_of(&mut self, key: Key, put: impl FnOnce(&mut Vec<u8>)) -> usize {
        match &mut self.values {
            Values::Words(words) => words.push_made_of(key, put),
            _ => self.push_text(put),
        }
    }

    /// Writes the cells as pages.
    pub(super) fn write(&mut self, properties: WriterPropertiesPtr) -> Result<Chunk, ParquetError> {
        let descriptor = self.descriptor.clone();
        let presence = self.presence.as_ref();
        match &mut self.values {
            Values::Integers(values) => integers::write(values, descriptor, presence),
            Values::Words(words) => words.write(descriptor, presence),
            Values::Plain(plain) => plain.write(descriptor, presence),
            Values::Previews { starts, texts } => {
                starts.map(texts, put_preview);
                texts.write(descriptor, presence)
            }
            Values::Texts { bytes, ends } => {
                let mut out = TrackedWrite::new(Vec::new());
                let pages = Box::new(SerializedPageWriter::new(&mut out));
                let levels = presence.map(Presence::levels);
                let mut writer =
                    ColumnWriterImpl::<ByteArrayType>::new(descriptor, properties, pages);
                let all = Bytes::from(std::mem::take(bytes));
                let repetition = self.repetition.as_deref();
                writer.write_batch(&texts(&all, ends), levels.as_deref(), repetition)?;
                let closed = writer.close()?;
                *bytes = reclaimed(all);
                Ok(Chunk {
                    pages: out.into_inner()?.into(),
                    closed,
                })
            }
        }
    }

    /// Forgets the cells, but for their memory.
    pub(super) fn clear(&mut self) {
        match &mut self.values {
            Values::Integers(values) => values.clear(),
            Values::Words(words) => words.clear(),
            Values::Plain(plain) => plain.clear(),
            Values::Previews { starts, texts } => {
                starts.clear();
                texts.clear();
            }
            Values::Texts { bytes, ends } => {
                bytes.clear();
                ends.clear();
            }
        }
        self.presence.iter_mut().for_each(Presence::clear);
        self.repetition.iter_mut().for_each(Vec::clear);
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
