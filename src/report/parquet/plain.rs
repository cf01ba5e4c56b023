//! Texts and bytes that are seldom the same twice, kept as they will stand in pages.
//!
//! The general writer of `parquet` takes a value at a time and copies it twice. Here a value is
//! put behind its length at once, so that a page is a piece of what is there.

use std::io;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, OffsetIndexBuilder};
use parquet::schema::types::ColumnDescPtr;

use super::presence::Presence;
use super::words::{length, signed, too_large};

/// Bytes of values after which a page ends.
const PAGE_BYTES: usize = 1 << 20;

/// Places of a column that are looked at to find out whether it can be compressed, and the bytes
/// of each.
const SAMPLES: usize = 8;
const SAMPLE_BYTES: usize = 8 << 10;

/// Bytes of the length of a value.
const LENGTH_BYTES: usize = size_of::<u32>();

/// The values of a column in the format's plain encoding: each behind its length.
#[derive(Debug, Default)]
pub(super) struct Plain {
    bytes: Vec<u8>,
    values: usize,
    /// Where pages end, but for the last.
    cuts: Vec<Cut>,
}

/// A place between two rows.
#[derive(Clone, Copy, Debug, Default)]
struct Cut {
    bytes: usize,
    rows: usize,
}

impl Plain {
    /// Appends a value, which `put` puts; how many bytes that took. `presence` is of the rows
    /// up to this one, if rows may be without a value.
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
        self.bytes.clear();
        self.values = 0;
        self.cuts.clear();
    }

    /// Appends what `put` makes of each of the values, in pages of the same rows, to `made`.
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

    /// Writes the column, of which `presence` says which rows have a value, if not all.
    pub(super) fn write(
        &self,
        descriptor: ColumnDescPtr,
        presence: Option<&Presence>,
        pages: &mut dyn PageWriter,
    ) -> Result<ColumnCloseResult, ParquetError> {
        let row_count = presence.map_or(self.values, Presence::cells);
        let is_compressed = shrinks(&self.bytes)?;
        let mut ends = self.cuts.clone();
        if ends.last().is_none_or(|cut| cut.rows < row_count) {
            ends.push(Cut {
                bytes: self.bytes.len(),
                rows: row_count,
            });
        }
        let mut offsets = OffsetIndexBuilder::new();
        let (mut compressed, mut uncompressed, mut written) = (0, 0, 0);
        let mut first_offset = None;
        let mut start = Cut::default();
        for end in ends {
            let values = &self.bytes[start.bytes..end.bytes];
            let mut bytes = Vec::with_capacity(values.len() + (end.rows - start.rows) / 8 + 16);
            if let Some(presence) = presence {
                presence.put(start.rows..end.rows, &mut bytes)?;
            }
            bytes.extend_from_slice(values);
            let uncompressed_bytes = bytes.len();
            let buf: Bytes = match is_compressed {
                true => zstd::bulk::compress(&bytes, level())?.into(),
                false => bytes.into(),
            };
            let page = Page::DataPage {
                buf,
                num_values: length(end.rows - start.rows)?,
                encoding: Encoding::PLAIN,
                def_level_encoding: Encoding::RLE,
                rep_level_encoding: Encoding::RLE,
                statistics: None,
            };
            let page = pages.write_page(CompressedPage::new(page, uncompressed_bytes))?;
            let size = i32::try_from(page.compressed_size).map_err(|_| too_large())?;
            offsets.append_offset_and_size(signed(page.offset)?, size);
            offsets.append_row_count(signed(end.rows - start.rows)?);
            first_offset.get_or_insert(page.offset);
            compressed += page.compressed_size;
            uncompressed += page.uncompressed_size;
            written += page.bytes_written;
            start = end;
        }
        pages.close()?;
        let metadata = ColumnChunkMetaData::builder(descriptor)
            .set_compression(match is_compressed {
                true => Compression::ZSTD(ZstdLevel::default()),
                false => Compression::UNCOMPRESSED,
            })
            .set_encodings(vec![Encoding::PLAIN, Encoding::RLE])
            .set_total_compressed_size(signed(compressed)?)
            .set_total_uncompressed_size(signed(uncompressed)?)
            .set_num_values(signed(row_count)?)
            .set_data_page_offset(signed(first_offset.unwrap_or(0))?)
            .build()?;
        Ok(ColumnCloseResult {
            bytes_written: written,
            rows_written: row_count as u64,
            metadata,
            bloom_filter: None,
            column_index: None,
            offset_index: Some(offsets.build()),
        })
    }
}

fn level() -> i32 {
    ZstdLevel::default().compression_level()
}

/// Whether compression is worth its while, by samples: what was encrypted does not get shorter.
fn shrinks(bytes: &[u8]) -> io::Result<bool> {
    let step = bytes.len().div_ceil(SAMPLES).max(SAMPLE_BYTES);
    let samples = bytes
        .chunks(step)
        .map(|chunk| &chunk[..chunk.len().min(SAMPLE_BYTES)]);
    let sample = samples.collect::<Vec<_>>().concat();
    let compressed = zstd::bulk::compress(&sample, level())?;
    Ok(compressed.len() < sample.len() - sample.len() / 16)
}
