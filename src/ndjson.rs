//! Lines from `ministream-dump -T ndjson`, and the values in them.

use std::io::{self, BufRead};
use std::str::FromStr;

use serde_json::Value;

use crate::columns::{Field, SCHEMA};
use crate::conversation::ConversationId;
use crate::wire::{Direction, StreamId};

/// The longest line that is read: a message of the largest size in hex and text
/// takes less than a tenth of it.
pub(crate) const MAX_LINE_BYTES: u64 = 16 << 20;

/// The reason why records cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NdjsonError {
    /// It cannot be read.
    #[error("cannot read")]
    Read(#[from] io::Error),
    /// A line is not JSON.
    #[error("line {line}: not JSON")]
    Json {
        /// The line's number, from 1.
        line: u64,
        /// The parser's error.
        source: serde_json::Error,
    },
    /// A line is longer than any record.
    #[error("line {line} is longer than {MAX_LINE_BYTES} bytes")]
    LineTooLong {
        /// The line's number, from 1.
        line: u64,
    },
    /// A record lacks a field, or it is of another kind.
    #[error("line {line}: {field} is missing or not what it should be")]
    Field {
        /// The line's number, from 1.
        line: u64,
        /// The field's name.
        field: &'static str,
    },
    /// The first line is not the header of a dump.
    #[error("no header of schema {SCHEMA}")]
    NotADump,
    /// A message of which the payload was not written, or not all of it.
    #[error("line {line}: the payload is not in the record")]
    NoPayload {
        /// The line's number, from 1.
        line: u64,
    },
    /// It holds more than can be kept.
    #[error("the recording holds more than {most} bytes")]
    TooLarge {
        /// The bound, in bytes.
        most: u64,
    },
}

/// The records of an input, one by one.
#[derive(Debug)]
pub(crate) struct RecordLines<R> {
    input: R,
    line: u64,
    text: Vec<u8>,
}

impl<R: BufRead> RecordLines<R> {
    pub(crate) const fn new(input: R) -> Self {
        Self {
            input,
            line: 0,
            text: Vec::new(),
        }
    }

    /// The header, which comes first.
    pub(crate) fn header(&mut self) -> Result<RecordLine, NdjsonError> {
        let header = self.next_record()?.ok_or(NdjsonError::NotADump)?;
        // Keys that were added since are passed over.
        match header.text("schema") {
            Ok(SCHEMA) => Ok(header),
            _ => Err(NdjsonError::NotADump),
        }
    }

    /// The next record; `None` at the end.
    pub(crate) fn next_record(&mut self) -> Result<Option<RecordLine>, NdjsonError> {
        loop {
            self.text.clear();
            self.line += 1;
            let line = self.line;
            let mut limited = io::Read::take(&mut self.input, MAX_LINE_BYTES);
            let read = limited.read_until(b'\n', &mut self.text)?;
            if read == 0 {
                return Ok(None);
            }
            if read as u64 == MAX_LINE_BYTES && self.text.last() != Some(&b'\n') {
                return Err(NdjsonError::LineTooLong { line });
            }
            if self.text.trim_ascii().is_empty() {
                continue;
            }
            return match serde_json::from_slice(&self.text) {
                Ok(value) => Ok(Some(RecordLine { value, line })),
                Err(_) if line == 1 => Err(NdjsonError::NotADump),
                Err(source) => Err(NdjsonError::Json { line, source }),
            };
        }
    }
}

/// One record, or an object in one. Every key is always there; unknown values are null.
#[derive(Clone, Debug)]
pub(crate) struct RecordLine {
    value: Value,
    line: u64,
}

impl RecordLine {
    /// One that stands by itself.
    #[cfg(feature = "serde")]
    pub(crate) const fn single(value: Value) -> Self {
        Self { value, line: 1 }
    }

    /// `message`, `finding` and so on; empty if it does not say.
    pub(crate) fn kind(&self) -> &str {
        self.value["record"].as_str().unwrap_or_default()
    }

    /// Its line in the input, from 1.
    pub(crate) const fn line(&self) -> u64 {
        self.line
    }

    /// The error for a value of the wrong kind.
    pub(crate) const fn invalid(&self, field: &'static str) -> NdjsonError {
        NdjsonError::Field {
            line: self.line,
            field,
        }
    }

    /// A value that is not null, as `read` takes it.
    pub(crate) fn required<'a, T>(
        &'a self,
        field: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<T, NdjsonError> {
        read(&self.value[field]).ok_or_else(|| self.invalid(field))
    }

    /// A value that may be null.
    pub(crate) fn optional<'a, T>(
        &'a self,
        field: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, NdjsonError> {
        match &self.value[field] {
            Value::Null => Ok(None),
            _ => self.required(field, read).map(Some),
        }
    }

    pub(crate) fn text(&self, field: &'static str) -> Result<&str, NdjsonError> {
        self.required(field, Value::as_str)
    }

    pub(crate) fn count(&self, field: &'static str) -> Result<u64, NdjsonError> {
        self.required(field, Value::as_u64)
    }

    /// The value that `read` knows by the name that stands there.
    pub(crate) fn named<T>(
        &self,
        field: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, NdjsonError> {
        self.required(field, |value| read(value.as_str()?))
    }

    /// A count, a string or whatever else is written as text of its own.
    pub(crate) fn parsed<T: FromStr>(&self, field: &'static str) -> Result<T, NdjsonError> {
        self.required(field, |value| value.as_str()?.parse().ok())
    }

    pub(crate) fn optional_parsed<T: FromStr>(
        &self,
        field: &'static str,
    ) -> Result<Option<T>, NdjsonError> {
        self.optional(field, |value| value.as_str()?.parse().ok())
    }

    pub(crate) fn micros(&self, field: &'static str) -> Result<i64, NdjsonError> {
        self.required(field, Value::as_i64)
    }

    /// Microseconds as nanoseconds.
    pub(crate) fn optional_nanos(&self, field: &'static str) -> Result<Option<i64>, NdjsonError> {
        let micros = self.optional(field, Value::as_i64)?;
        Ok(micros.map(|micros| micros.saturating_mul(1_000)))
    }

    pub(crate) fn conversation(
        &self,
        field: &'static str,
    ) -> Result<Option<ConversationId>, NdjsonError> {
        self.optional_parsed(field)
    }

    pub(crate) fn id(&self, field: &'static str) -> Result<Option<StreamId>, NdjsonError> {
        self.optional_parsed(field)
    }

    pub(crate) fn direction(&self) -> Result<Option<Direction>, NdjsonError> {
        self.optional(Field::Dir.name(), |value| Direction::named(value.as_str()?))
    }

    pub(crate) fn required_direction(&self) -> Result<Direction, NdjsonError> {
        self.direction()?
            .ok_or_else(|| self.invalid(Field::Dir.name()))
    }

    pub(crate) fn type_byte(&self) -> Result<u8, NdjsonError> {
        self.required(Field::TypeByte.name(), |value| {
            u8::try_from(value.as_u64()?).ok()
        })
    }

    /// The payload, if all of it was written.
    pub(crate) fn payload(&self) -> Result<Option<Vec<u8>>, NdjsonError> {
        let whole = self.count(Field::PayloadBytes.name())?;
        let bytes = self.optional(Field::PayloadHex.name(), |value| {
            hex::decode(value.as_str()?).ok()
        })?;
        // Where no bytes were written, the payload is empty or unknown.
        let bytes = bytes.unwrap_or_default();
        Ok((bytes.len() as u64 == whole).then_some(bytes))
    }

    /// An object that stands in it.
    pub(crate) fn object(&self, field: &'static str) -> Result<Option<Self>, NdjsonError> {
        self.optional(field, |value| {
            value.is_object().then(|| Self {
                value: value.clone(),
                line: self.line,
            })
        })
    }

    /// The objects of an array that stands in it.
    pub(crate) fn objects(&self, field: &'static str) -> Result<Vec<Self>, NdjsonError> {
        let values = self.required(field, Value::as_array)?;
        Ok(values
            .iter()
            .map(|value| Self {
                value: value.clone(),
                line: self.line,
            })
            .collect())
    }

    /// The keys and values of an object that stands in it.
    pub(crate) fn entries(
        &self,
        field: &'static str,
    ) -> Result<impl Iterator<Item = (&str, &Value)>, NdjsonError> {
        let object = self.required(field, Value::as_object)?;
        Ok(object.iter().map(|(name, value)| (name.as_str(), value)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn a_line_longer_than_any_record_is_an_error_and_not_read_to_its_end() {
        let longest = usize::try_from(MAX_LINE_BYTES).expect("it fits");
        let mut input = vec![b' '; longest - 3];
        input.extend(b"{}\n");
        assert!(matches!(
            RecordLines::new(input.as_slice()).next_record(),
            Ok(Some(_))
        ));
        let endless = BufReader::new(io::repeat(b' '));
        let mut lines = RecordLines::new(endless);
        let error = lines.next_record().expect_err("it has no end");
        assert_eq!(error.to_string(), "line 1 is longer than 16777216 bytes");
        assert!(lines.text.capacity() <= 2 * longest);
    }
}
