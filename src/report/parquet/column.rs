//! The cells of a column.

use bytes::Bytes;
use parquet::basic::Type as PhysicalType;
use parquet::column::writer::{ColumnCloseResult, ColumnWriter};
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::schema::types::ColumnDescPtr;

/// The cells of a column. Levels are those of the Parquet format (Dremel): how much of
/// the path to a value is there, and in which list it goes on. Here they are 0 or 1.
#[derive(Debug)]
pub(super) struct Column {
    descriptor: ColumnDescPtr,
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

impl Column {
    pub(super) fn new(descriptor: ColumnDescPtr) -> Self {
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
            descriptor,
        }
    }

    pub(super) fn descriptor(&self) -> ColumnDescPtr {
        self.descriptor.clone()
    }

    /// What it is called in its table: with a dot, what is a part of a structure.
    pub(super) fn name(&self) -> &str {
        self.path.split(".list.").next().unwrap_or_default()
    }

    /// Bytes that the values take.
    pub(super) const fn size_bytes(&self) -> usize {
        match &self.values {
            Values::Integers(values) => values.len() * size_of::<i64>(),
            Values::Texts { bytes, ends } => bytes.len() + ends.len() * size_of::<usize>(),
        }
    }

    pub(super) fn define(&mut self, level: i16) {
        match &mut self.definition {
            Some(levels) => levels.push(level),
            None => debug_assert_eq!(level, 1, "{} is never null", self.path),
        }
    }

    pub(super) fn repeat(&mut self, level: i16) {
        if let Some(levels) = &mut self.repetition {
            levels.push(level);
        }
    }

    pub(super) fn push_integer(&mut self, value: i64) {
        match &mut self.values {
            Values::Integers(values) => values.push(value),
            Values::Texts { .. } => unreachable!("{} is a column of texts", self.path),
        }
    }

    /// Appends a text; how many bytes that took.
    pub(super) fn push_text(&mut self, put: impl FnOnce(&mut Vec<u8>)) -> usize {
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

    /// Writes the cells as pages, to a writer for this column, which it ends. They are
    /// forgotten then, but for their memory.
    pub(super) fn write(
        &mut self,
        writer: ColumnWriter<'_>,
    ) -> Result<ColumnCloseResult, ParquetError> {
        let definition = self.definition.as_deref();
        let repetition = self.repetition.as_deref();
        let closed = match (&mut self.values, writer) {
            (Values::Integers(values), ColumnWriter::Int64ColumnWriter(mut writer)) => {
                writer.write_batch(values, definition, repetition)?;
                writer.close()?
            }
            (Values::Texts { bytes, ends }, ColumnWriter::ByteArrayColumnWriter(mut writer)) => {
                let all = Bytes::from(std::mem::take(bytes));
                writer.write_batch(&texts(&all, ends), definition, repetition)?;
                let closed = writer.close()?;
                *bytes = reclaimed(all);
                closed
            }
            _ => unreachable!("the writer is one for {}", self.path),
        };
        self.clear();
        Ok(closed)
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
