//! Texts and bytes that are seldom the same twice, kept as they will stand in pages.
//!
//! The general writer of `parquet` takes a value at a time and copies it twice. Here a value is put
//! behind its length at once, so that a page is a piece of this buffer.

use bytes::Bytes;
use parquet::basic::{Compression, Encoding};
use parquet::errors::ParquetError;
use parquet::schema::types::ColumnDescPtr;

use super::pages::{Chunk, Pages, compressed, compression_for};
use super::presence::Presence;

/// Bytes of values after which a page ends.
const PAGE_BYTES: usize = 1 << 20;

/// Bytes of the length of a value.
const LENGTH_BYTES: usize = size_of::<u32>();

/// The values of a column in the format's plain encoding: each behind its length.
#[derive(Debug, Default)]
pub(super) struct Plain {
    bytes: Vec<u8>,
    /// The same once they are written.
    written: Bytes,
    values: usize,
    /// Ends of pages, but for the last.
    cuts: Vec<Cut>,
}

/// A place between two rows.
#[derive(Clone, Copy, Debug, Default)]
struct Cut {
    bytes: usize,
    rows: usize,
}

impl Plain {
    /// Appends a value, which `put` puts; returns the number of bytes that it took. `presence` is
    /// of the rows up to this one, if rows may be without a value.
    pub(super) fn push(
        &mut self,
        presence: Option<&Presence>,
        put: impl FnOnce(&mut Vec<u8>),
    ) -> usize {
        let start = self.bytes.len();
        self.put(put);
        let page_start = self.cuts.last().map_or(0, |cut| cut.bytes);
        if self.bytes.len() - page_start >= PAGE_BYTES {
            let rows = presence.map_or(self.values, Presence::cells);
            // Bits of presence go into pages byte by byte.
            if rows.is_multiple_of(8) {
                self.cuts.push(Cut {
                    bytes: self.bytes.len(),
                    rows,
                });
            }
        }
        self.bytes.len() - start
    }

    fn put(&mut self, put: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len() + LENGTH_BYTES;
        self.bytes.extend_from_slice(&[0; LENGTH_BYTES]);
        put(&mut self.bytes);
        // A message has fewer bytes than four of them can count.
        let length = u32::try_from(self.bytes.len() - start).unwrap_or(u32::MAX);
        self.bytes[start - LENGTH_BYTES..start].copy_from_slice(&length.to_le_bytes());
        self.values += 1;
    }

    /// Bytes that the values take.
    pub(super) const fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn clear(&mut self) {
        if !self.written.is_empty() {
            self.bytes = reclaimed(std::mem::take(&mut self.written));
        }
        self.bytes.clear();
        self.values = 0;
        self.cuts.clear();
    }

    /// Appends the output of `put` for each of the values, in pages of the same rows, to `made`.
    pub(super) fn map(&self, made: &mut Self, put: impl Fn(&mut Vec<u8>, &[u8])) {
        let mut start = 0;
        for cut in self.cuts.iter().map(Some).chain([None]) {
            let end = cut.map_or(self.bytes.len(), |cut| cut.bytes);
            let mut rest = &self.bytes[start..end];
            while let Some((length, behind)) = rest.split_first_chunk() {
                let (value, behind) = behind.split_at(u32::from_le_bytes(*length) as usize);
                made.put(|out| put(out, value));
                rest = behind;
            }
            made.cuts.extend(cut.map(|cut| Cut {
                bytes: made.bytes.len(),
                rows: cut.rows,
            }));
            start = end;
        }
    }

    /// Writes the column, of which `presence` says which rows have a value, if not all. The
    /// values stay where they are until they are cleared.
    pub(super) fn write(
        &mut self,
        descriptor: ColumnDescPtr,
        presence: Option<&Presence>,
    ) -> Result<Chunk, ParquetError> {
        let row_count = presence.map_or(self.values, Presence::cells);
        let compression = compression_for(&self.bytes)?;
        self.written = std::mem::take(&mut self.bytes).into();
        let mut ends = self.cuts.clone();
        if ends.last().is_none_or(|cut| cut.rows < row_count) {
            ends.push(Cut {
                bytes: self.written.len(),
                rows: row_count,
            });
        }
        let mut pages = Pages::new(compression);
        let mut start = Cut::default();
        for end in ends {
            let values = self.written.slice(start.bytes..end.bytes);
            let mut page = Vec::new();
            if let Some(presence) = presence {
                presence.put(start.rows..end.rows, &mut page)?;
            }
            let uncompressed = page.len() + values.len();
            let body = match compression {
                Compression::UNCOMPRESSED => vec![page.into(), values],
                _ => {
                    page.extend_from_slice(&values);
                    vec![compressed(&page)?]
                }
            };
            pages.put_data(Encoding::PLAIN, end.rows - start.rows, uncompressed, body)?;
            start = end;
        }
        pages.close(descriptor, None)
    }
}

/// The memory of pages that were written, for the next ones.
pub(super) fn reclaimed(bytes: Bytes) -> Vec<u8> {
    match bytes.try_into_mut() {
        Ok(bytes) => bytes.into(),
        Err(kept) => {
            debug_assert!(kept.is_empty(), "somebody keeps the texts of a row group");
            Vec::new()
        }
    }
}
