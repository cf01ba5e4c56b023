//! Texts that come again and again, each kept once, and how a column of them is written.
//!
//! The general writer of `parquet` finds out anew, text by text, which ones are the same. Here
//! that is known from the start: a look-up when a cell is put, and numbers to pack when it is
//! written. What is written is what every reader knows: a dictionary page and a data page.

use std::hash::BuildHasher;

use bytes::Bytes;
use hashbrown::{DefaultHashBuilder, HashTable};
use parquet::basic::{Compression, Encoding, PageType, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, OffsetIndexBuilder};
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescPtr;

/// Bytes of a text beyond which it is not told as the least or greatest of its column.
const STATISTICS_BYTES: usize = 64;

/// The cells of a column: of each its place among the texts that differ.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// The texts that differ, one after the other, and where each ends.
    texts: Vec<u8>,
    ends: Vec<usize>,
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
    cells: Vec<u32>,
}

impl Words {
    /// Appends a text, which `put` puts; how many bytes that took.
    pub(super) fn push(&mut self, put: impl FnOnce(&mut Vec<u8>)) -> usize {
        let Self {
            texts,
            ends,
            places,
            hasher,
            cells,
        } = self;
        let start = texts.len();
        put(texts);
        let new = &texts[start..];
        // Most are what one of the last two cells is: messages go to and fro.
        let recent = cells.iter().rev().take(2).copied();
        let known = recent
            .into_iter()
            .find(|&place| word(texts, ends, place) == new);
        if let Some(place) = known {
            texts.truncate(start);
            cells.push(place);
            return size_of::<u32>();
        }
        let hash = hasher.hash_one(new);
        let found = places.find(hash, |&place| word(texts, ends, place) == new);
        let place = match found {
            Some(&place) => {
                texts.truncate(start);
                place
            }
            None => {
                // There are fewer texts than rows in a row group.
                let place = u32::try_from(ends.len()).unwrap_or(u32::MAX);
                ends.push(texts.len());
                let hash_of = |&place: &u32| hasher.hash_one(word(texts, ends, place));
                places.insert_unique(hash, place, hash_of);
                place
            }
        };
        cells.push(place);
        texts.len() - start + size_of::<u32>()
    }

    /// Bytes that the cells take.
    pub(super) const fn size_bytes(&self) -> usize {
        self.texts.len() + self.cells.len() * size_of::<u32>()
    }

    pub(super) fn clear(&mut self) {
        self.texts.clear();
        self.ends.clear();
        self.places.clear();
        self.cells.clear();
    }

    fn words(&self) -> impl Iterator<Item = &[u8]> {
        (0..)
            .take(self.ends.len())
            .map(|place| word(&self.texts, &self.ends, place))
    }

    /// Writes the column, of which `definition` says which cells are there, if not all.
    pub(super) fn write(
        &self,
        descriptor: ColumnDescPtr,
        definition: Option<&[i16]>,
        pages: &mut dyn PageWriter,
    ) -> Result<ColumnCloseResult, ParquetError> {
        let row_count = definition.map_or(self.cells.len(), <[i16]>::len);
        let null_count = row_count - self.cells.len();

        let mut dictionary = Vec::with_capacity(self.texts.len() + 4 * self.ends.len());
        for word in self.words() {
            dictionary.extend_from_slice(&length(word.len())?.to_le_bytes());
            dictionary.extend_from_slice(word);
        }
        let dictionary = compressed(&dictionary, |buf| Page::DictionaryPage {
            buf,
            num_values: self.ends.len() as u32,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        })?;
        let num_values = length(row_count)?;
        let data = compressed(&self.data(definition)?, |buf| Page::DataPage {
            buf,
            num_values,
            encoding: Encoding::RLE_DICTIONARY,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        })?;
        let dictionary = pages.write_page(dictionary)?;
        let data = pages.write_page(data)?;
        pages.close()?;
        debug_assert_eq!(data.page_type, PageType::DATA_PAGE);

        let mut offsets = OffsetIndexBuilder::new();
        let page_bytes = i32::try_from(data.compressed_size).map_err(|_| too_large())?;
        offsets.append_offset_and_size(signed(data.offset)?, page_bytes);
        offsets.append_row_count(signed(row_count)?);
        let sizes = [&dictionary, &data].map(|page| (page.compressed_size, page.uncompressed_size));
        let metadata = ColumnChunkMetaData::builder(descriptor)
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_encodings(vec![
                Encoding::PLAIN,
                Encoding::RLE,
                Encoding::RLE_DICTIONARY,
            ])
            .set_total_compressed_size(signed(sizes[0].0 + sizes[1].0)?)
            .set_total_uncompressed_size(signed(sizes[0].1 + sizes[1].1)?)
            .set_num_values(signed(row_count)?)
            .set_dictionary_page_offset(Some(signed(dictionary.offset)?))
            .set_data_page_offset(signed(data.offset)?)
            .set_statistics(self.statistics(null_count))
            .build()?;
        Ok(ColumnCloseResult {
            bytes_written: dictionary.bytes_written + data.bytes_written,
            rows_written: row_count as u64,
            metadata,
            bloom_filter: None,
            column_index: None,
            offset_index: Some(offsets.build()),
        })
    }

    /// The data page: which cells are there, and the place of each.
    fn data(&self, definition: Option<&[i16]>) -> Result<Vec<u8>, ParquetError> {
        let mut data = Vec::new();
        if let Some(levels) = definition {
            let mut packed = Vec::new();
            put_packed(
                &mut packed,
                1,
                levels.iter().map(|&level| u32::from(level != 0)),
            );
            data.extend_from_slice(&length(packed.len())?.to_le_bytes());
            data.append(&mut packed);
        }
        let last = self.ends.len().saturating_sub(1);
        let bits = usize::BITS - last.leading_zeros();
        data.push(bits as u8);
        put_packed(&mut data, bits, self.cells.iter().copied());
        Ok(data)
    }

    pub(super) fn statistics(&self, null_count: usize) -> Statistics {
        let told = |word: Option<&[u8]>| {
            let word = word.filter(|word| word.len() <= STATISTICS_BYTES)?;
            Some(ByteArray::from(word.to_vec()))
        };
        let (least, greatest) = (told(self.words().min()), told(self.words().max()));
        let null_count = u64::try_from(null_count).ok();
        Statistics::byte_array(least, greatest, None, null_count, false)
    }
}

fn word<'a>(texts: &'a [u8], ends: &[usize], place: u32) -> &'a [u8] {
    let place = place as usize;
    let start = place.checked_sub(1).map_or(0, |before| ends[before]);
    &texts[start..ends[place]]
}

/// Numbers of so many bits, as the format's hybrid of runs and packed groups has them: one run
/// if all are the same, otherwise packed in groups of eight. Compression finds other runs.
pub(super) fn put_packed(
    out: &mut Vec<u8>,
    bits: u32,
    numbers: impl ExactSizeIterator<Item = u32> + Clone,
) {
    let count = numbers.len();
    let Some(first) = numbers.clone().next() else {
        return;
    };
    if numbers.clone().all(|number| number == first) {
        put_varint(out, count << 1);
        let bytes = bits.div_ceil(8) as usize;
        out.extend_from_slice(&first.to_le_bytes()[..bytes]);
        return;
    }
    let groups = count.div_ceil(8);
    put_varint(out, groups << 1 | 1);
    let end = out.len() + groups * bits as usize;
    out.reserve(groups * bits as usize);
    let (mut waiting, mut held) = (0_u64, 0);
    for number in numbers {
        waiting |= u64::from(number) << held;
        held += bits;
        while held >= 8 {
            out.push(waiting as u8);
            waiting >>= 8;
            held -= 8;
        }
    }
    if held > 0 {
        out.push(waiting as u8);
    }
    out.resize(end, 0);
}

/// An unsigned LEB128.
fn put_varint(out: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn compressed(
    bytes: &[u8],
    page: impl FnOnce(Bytes) -> Page,
) -> Result<CompressedPage, ParquetError> {
    let level = ZstdLevel::default().compression_level();
    let packed = zstd::bulk::compress(bytes, level)?;
    Ok(CompressedPage::new(page(packed.into()), bytes.len()))
}

pub(super) fn too_large() -> ParquetError {
    ParquetError::General("a column of a row group is larger than the format can say".to_owned())
}

pub(super) fn length(bytes: usize) -> Result<u32, ParquetError> {
    u32::try_from(bytes).map_err(|_| too_large())
}

pub(super) fn signed(number: impl TryInto<i64>) -> Result<i64, ParquetError> {
    number.try_into().map_err(|_| too_large())
}
