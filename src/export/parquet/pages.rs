//! The pages of a column of a row group, and their metadata in the file.
//!
//! The general writer of pages in `parquet` copies their contents. Here they stay where they are
//! until they go into the file.

use std::collections::VecDeque;
use std::io::{self, Read};

use bytes::{Buf, Bytes};
use parquet::basic::{Compression, Encoding, PageType, ZstdLevel};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, OffsetIndexBuilder};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescPtr;

use super::packed::put_zigzag;

/// Places of a column that are looked at to find out whether it can be compressed, and the bytes
/// of each.
const SAMPLES: usize = 8;
const SAMPLE_BYTES: usize = 8 << 10;

/// Pages that come together.
pub(super) struct Pages {
    compression: Compression,
    pieces: Vec<Bytes>,
    /// Bytes of the pieces, and those without compression.
    compressed: usize,
    uncompressed: usize,
    encodings: Vec<Encoding>,
    rows: usize,
    offsets: OffsetIndexBuilder,
    dictionary_offset: Option<i64>,
    data_offset: Option<i64>,
}

/// The pages of a column, piece by piece, and their metadata in the file.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) pages: Pieces,
    pub(super) closed: ColumnCloseResult,
}

/// Bytes that follow one another.
#[derive(Debug)]
pub(super) struct Pieces(Vec<Bytes>);

impl Pages {
    /// Pages that are compressed in that way.
    pub(super) fn new(compression: Compression) -> Self {
        Self {
            compression,
            pieces: Vec::new(),
            compressed: 0,
            uncompressed: 0,
            encodings: vec![Encoding::RLE],
            rows: 0,
            offsets: OffsetIndexBuilder::new(),
            dictionary_offset: None,
            data_offset: None,
        }
    }

    /// Appends the page of so many texts that others refer to.
    pub(super) fn put_dictionary(
        &mut self,
        texts: usize,
        uncompressed: usize,
        body: Bytes,
    ) -> Result<(), ParquetError> {
        let offset = self.put_page(
            PageType::DICTIONARY_PAGE,
            uncompressed,
            &[number(texts)?, Encoding::PLAIN as i32],
            [body],
        )?;
        self.encodings.push(Encoding::PLAIN);
        self.dictionary_offset = Some(offset);
        Ok(())
    }

    /// Appends a page of so many rows.
    pub(super) fn put_data(
        &mut self,
        encoding: Encoding,
        rows: usize,
        uncompressed: usize,
        body: impl IntoIterator<Item = Bytes>,
    ) -> Result<(), ParquetError> {
        let before = self.compressed;
        let levels = Encoding::RLE as i32;
        let numbers = [number(rows)?, encoding as i32, levels, levels];
        let offset = self.put_page(PageType::DATA_PAGE, uncompressed, &numbers, body)?;
        self.offsets
            .append_offset_and_size(offset, number(self.compressed - before)?);
        self.offsets.append_row_count(signed(rows)?);
        self.data_offset.get_or_insert(offset);
        if !self.encodings.contains(&encoding) {
            self.encodings.push(encoding);
        }
        self.rows += rows;
        Ok(())
    }

    /// Appends a page: its header is a structure of Thrift's compact protocol, in which `numbers`
    /// are the fields of pages of its kind.
    fn put_page(
        &mut self,
        kind: PageType,
        uncompressed: usize,
        numbers: &[i32],
        body: impl IntoIterator<Item = Bytes>,
    ) -> Result<i64, ParquetError> {
        /// A field behind the one before it, of 32 bits.
        const NEXT_I32: u8 = 0x15;
        /// The fields `data_page_header` and `dictionary_page_header`, behind the third.
        const DATA_HEADER: u8 = 0x2c;
        const DICTIONARY_HEADER: u8 = 0x4c;
        const STOP: u8 = 0;
        let offset = signed(self.compressed)?;
        let header_place = self.pieces.len();
        self.pieces.push(Bytes::new());
        self.pieces.extend(body);
        let compressed: usize = self.pieces[header_place..].iter().map(Bytes::len).sum();
        let mut header = Vec::new();
        let put = |header: &mut Vec<u8>, value: i32| {
            header.push(NEXT_I32);
            put_zigzag(header, value.into());
        };
        put(&mut header, kind as i32);
        put(&mut header, number(uncompressed)?);
        put(&mut header, number(compressed)?);
        header.push(match kind {
            PageType::DICTIONARY_PAGE => DICTIONARY_HEADER,
            _ => DATA_HEADER,
        });
        for &value in numbers {
            put(&mut header, value);
        }
        header.extend_from_slice(&[STOP, STOP]);
        self.compressed += header.len() + compressed;
        self.uncompressed += header.len() + uncompressed;
        self.pieces[header_place] = header.into();
        Ok(offset)
    }

    /// The metadata of the pages in the file.
    pub(super) fn close(
        self,
        descriptor: ColumnDescPtr,
        statistics: Option<Statistics>,
    ) -> Result<Chunk, ParquetError> {
        let mut metadata = ColumnChunkMetaData::builder(descriptor)
            .set_compression(self.compression)
            .set_encodings(self.encodings)
            .set_total_compressed_size(signed(self.compressed)?)
            .set_total_uncompressed_size(signed(self.uncompressed)?)
            .set_num_values(signed(self.rows)?)
            .set_dictionary_page_offset(self.dictionary_offset)
            .set_data_page_offset(self.data_offset.unwrap_or(0));
        if let Some(statistics) = statistics {
            metadata = metadata.set_statistics(statistics);
        }
        Ok(Chunk {
            pages: Pieces(self.pieces),
            closed: ColumnCloseResult {
                bytes_written: self.compressed as u64,
                rows_written: self.rows as u64,
                metadata: metadata.build()?,
                bloom_filter: None,
                column_index: None,
                offset_index: Some(self.offsets.build()),
            },
        })
    }
}

impl From<Vec<u8>> for Pieces {
    fn from(bytes: Vec<u8>) -> Self {
        Self(vec![bytes.into()])
    }
}

impl Length for Pieces {
    fn len(&self) -> u64 {
        self.0.iter().map(|piece| piece.len() as u64).sum()
    }
}

impl ChunkReader for Pieces {
    type T = PiecesReader;

    fn get_read(&self, start: u64) -> Result<PiecesReader, ParquetError> {
        debug_assert_eq!(start, 0, "columns are copied from their beginning");
        Ok(PiecesReader(self.0.clone().into()))
    }

    fn get_bytes(&self, _start: u64, _length: usize) -> Result<Bytes, ParquetError> {
        let text = "the pages of a column are read from their beginning only";
        Err(ParquetError::General(text.to_owned()))
    }
}

/// Reads pieces one after the other.
pub(super) struct PiecesReader(VecDeque<Bytes>);

impl Read for PiecesReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some(piece) = self.0.front_mut() {
            if !piece.is_empty() {
                let count = piece.len().min(out.len());
                piece.copy_to_slice(&mut out[..count]);
                return Ok(count);
            }
            self.0.pop_front();
        }
        Ok(0)
    }
}

pub(super) fn compressed(bytes: &[u8]) -> io::Result<Bytes> {
    zstd::bulk::compress(bytes, ZstdLevel::default().compression_level()).map(Bytes::from)
}

/// The page, compressed if that is of use, and whether it is.
pub(super) fn compressed_if_shorter(page: Vec<u8>) -> io::Result<(Bytes, Compression)> {
    Ok(match compression_for(&page)? {
        Compression::UNCOMPRESSED => (page.into(), Compression::UNCOMPRESSED),
        compression => (compressed(&page)?, compression),
    })
}

/// Whether compression is worth its while, by samples: encrypted bytes do not get shorter.
pub(super) fn compression_for(bytes: &[u8]) -> io::Result<Compression> {
    let step = bytes.len().div_ceil(SAMPLES).max(SAMPLE_BYTES);
    let samples = bytes
        .chunks(step)
        .map(|chunk| &chunk[..chunk.len().min(SAMPLE_BYTES)]);
    let sample = samples.collect::<Vec<_>>().concat();
    Ok(
        if compressed(&sample)?.len() + sample.len() / 16 < sample.len() {
            Compression::ZSTD(ZstdLevel::default())
        } else {
            Compression::UNCOMPRESSED
        },
    )
}

fn too_large() -> ParquetError {
    ParquetError::General("a column of a row group is larger than the format can say".to_owned())
}

fn number(count: usize) -> Result<i32, ParquetError> {
    i32::try_from(count).map_err(|_| too_large())
}

pub(super) fn length(bytes: usize) -> Result<u32, ParquetError> {
    u32::try_from(bytes).map_err(|_| too_large())
}

fn signed(count: usize) -> Result<i64, ParquetError> {
    i64::try_from(count).map_err(|_| too_large())
}
