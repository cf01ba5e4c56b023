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

use super::words::{length, put_packed, signed, too_large};

/// Bytes of values after which a page ends.
const PAGE_BYTES: usize = 1 << 20;

/// Places of a column that are looked at to find out whether it can be compressed, and the bytes
/// of each.
const SAMPLES: usize = 8;
const SAMPLE_BYTES: usize = 8 << 10;

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
    /// Appends a value, which `put` puts; how many bytes that took. `definition` has an entry for
    /// each row up to this one, if rows may be without a value.
    pub(super) fn push(
        &mut self,
        definition: Option<&[i16]>,
        put: impl FnOnce(&mut Vec<u8>),
    ) -> usize {
        const LENGTH_BYTES: usize = size_of::<u32>();
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; LENGTH_BYTES]);
        put(&mut self.bytes);
        // A message has fewer bytes than four of them can count.
        let length = u32::try_from(self.bytes.len() - start - LENGTH_BYTES).unwrap_or(u32::MAX);
        self.bytes[start..start + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
        self.values += 1;
        let page_start = self.cuts.last().map_or(0, |cut| cut.bytes);
        if self.bytes.len() - page_start >= PAGE_BYTES {
            self.cuts.push(Cut {
                bytes: self.bytes.len(),
                rows: definition.map_or(self.values, <[i16]>::len),
            });
        }
        self.bytes.len() - start
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

    /// Writes the column, of which `definition` says which rows have a value, if not all.
    pub(super) fn write(
        &self,
        descriptor: ColumnDescPtr,
        definition: Option<&[i16]>,
        pages: &mut dyn PageWriter,
    ) -> Result<ColumnCloseResult, ParquetError> {
        let row_count = definition.map_or(self.values, <[i16]>::len);
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
            let levels = definition.map(|levels| &levels[start.rows..end.rows]);
            let bytes = page_bytes(levels, &self.bytes[start.bytes..end.bytes])?;
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

/// A page: which rows have a value, and the values.
fn page_bytes(levels: Option<&[i16]>, values: &[u8]) -> Result<Vec<u8>, ParquetError> {
    let mut bytes = Vec::with_capacity(values.len() + levels.map_or(0, <[i16]>::len) / 8 + 16);
    if let Some(levels) = levels {
        let mut packed = Vec::new();
        let levels = levels.iter().map(|&level| u32::from(level != 0));
        put_packed(&mut packed, 1, levels);
        bytes.extend_from_slice(&length(packed.len())?.to_le_bytes());
        bytes.append(&mut packed);
    }
    bytes.extend_from_slice(values);
    Ok(bytes)
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
