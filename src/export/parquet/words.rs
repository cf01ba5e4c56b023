//! Texts that come again and again, each kept once, and the writing of a column of them.
//!
//! The general writer of `parquet` finds out anew, text by text, which ones are the same. Here that
//! is known from the start: a look-up when a cell is put, and numbers to pack when it is written.
//! The output is known to every reader: a dictionary page and a data page.

use std::hash::BuildHasher;
use std::net::{SocketAddr, SocketAddrV6};

use hashbrown::{DefaultHashBuilder, HashTable};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescPtr;

use super::packed::put_hybrid;
use super::pages::{Chunk, Pages, compressed, length};
use super::presence::Presence;
use crate::conversation::ConversationId;
use crate::wire::StreamId;

/// Bytes of a text beyond which it is not stated as the least or greatest of its column.
const STATISTICS_BYTES: usize = 64;

/// Number of keys of texts that are remembered.
const REMEMBERED: usize = 256;

/// The cells of a column: of each its place among the texts that differ.
#[derive(Debug)]
pub(super) struct Words {
    /// The texts that differ, one after the other, and where each ends.
    texts: Vec<u8>,
    ends: Vec<usize>,
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
    cells: Vec<u32>,
    /// Places of texts, by their keys.
    remembered: Box<[Option<(Key, u32)>; REMEMBERED]>,
}

/// The source of a text. The same keys make the same text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Number(u64),
    /// The address of a text that never changes.
    Word {
        start: usize,
        length: usize,
    },
    Address(SocketAddrV6),
}

impl Key {
    /// The slot in which it is remembered.
    fn slot(self) -> usize {
        let number = match self {
            Self::Number(number) => number,
            Self::Word { start, .. } => start as u64,
            Self::Address(address) => {
                let [high, low] = [64, 0].map(|shift| (address.ip().to_bits() >> shift) as u64);
                high ^ low ^ u64::from(address.port()) << 32
            }
        };
        // The upper bits of such a product depend on all bits of the number.
        (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % REMEMBERED
    }
}

impl From<&'static str> for Key {
    fn from(word: &'static str) -> Self {
        Self::Word {
            start: word.as_ptr().addr(),
            length: word.len(),
        }
    }
}

impl From<StreamId> for Key {
    fn from(id: StreamId) -> Self {
        let [a, b, c] = id.0;
        Self::Number(u32::from_be_bytes([0, a, b, c]).into())
    }
}

impl From<ConversationId> for Key {
    fn from(id: ConversationId) -> Self {
        Self::Number(id.0)
    }
}

impl From<SocketAddr> for Key {
    fn from(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(address) => {
                let ip = u64::from(address.ip().to_bits());
                Self::Number(ip << 16 | u64::from(address.port()))
            }
            SocketAddr::V6(address) => Self::Address(address),
        }
    }
}

impl Default for Words {
    fn default() -> Self {
        Self {
            texts: Vec::new(),
            ends: Vec::new(),
            places: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            cells: Vec::new(),
            remembered: Box::new([None; REMEMBERED]),
        }
    }
}

impl Words {
    /// Appends the text that `put` makes of `key`, unless that text is known; returns the number of
    /// bytes that it took.
    #[inline]
    pub(super) fn push_made_of(&mut self, key: Key, put: impl FnOnce(&mut Vec<u8>)) -> usize {
        let slot = key.slot();
        match self.remembered[slot] {
            Some((known, place)) if known == key => {
                self.cells.push(place);
                size_of::<u32>()
            }
            _ => {
                let bytes = self.push(put);
                self.remembered[slot] = self.cells.last().map(|&place| (key, place));
                bytes
            }
        }
    }

    /// Appends a text, which `put` puts; returns the number of bytes that it took.
    pub(super) fn push(&mut self, put: impl FnOnce(&mut Vec<u8>)) -> usize {
        let Self {
            texts,
            ends,
            places,
            hasher,
            cells,
            ..
        } = self;
        let start = texts.len();
        put(texts);
        let new = &texts[start..];
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
        self.remembered.fill(None);
    }

    fn words(&self) -> impl Iterator<Item = &[u8]> {
        (0..)
            .take(self.ends.len())
            .map(|place| word(&self.texts, &self.ends, place))
    }

    /// Writes the column, of which `presence` says which cells are there, if not all.
    pub(super) fn write(
        &self,
        descriptor: ColumnDescPtr,
        presence: Option<&Presence>,
    ) -> Result<Chunk, ParquetError> {
        let row_count = presence.map_or(self.cells.len(), Presence::cells);
        let null_count = row_count - self.cells.len();
        let mut dictionary = Vec::with_capacity(self.texts.len() + 4 * self.ends.len());
        for word in self.words() {
            dictionary.extend_from_slice(&length(word.len())?.to_le_bytes());
            dictionary.extend_from_slice(word);
        }
        let data = self.data(presence)?;
        let mut pages = Pages::new(Compression::ZSTD(ZstdLevel::default()));
        pages.put_dictionary(self.ends.len(), dictionary.len(), compressed(&dictionary)?)?;
        pages.put_data(
            Encoding::RLE_DICTIONARY,
            row_count,
            data.len(),
            [compressed(&data)?],
        )?;
        pages.close(descriptor, Some(self.statistics(null_count)))
    }

    /// The data page: which cells are there, and the place of each.
    fn data(&self, presence: Option<&Presence>) -> Result<Vec<u8>, ParquetError> {
        let mut data = Vec::new();
        if let Some(presence) = presence {
            presence.put(0..presence.cells(), &mut data)?;
        }
        let last = self.ends.len().saturating_sub(1);
        let bits = usize::BITS - last.leading_zeros();
        // At most 64.
        data.push(bits as u8);
        put_hybrid(&mut data, bits, &self.cells);
        Ok(data)
    }

    pub(super) fn statistics(&self, null_count: usize) -> Statistics {
        let bound = |word: Option<&[u8]>| {
            let word = word.filter(|word| word.len() <= STATISTICS_BYTES)?;
            Some(ByteArray::from(word.to_vec()))
        };
        let (least, greatest) = (bound(self.words().min()), bound(self.words().max()));
        let null_count = u64::try_from(null_count).ok();
        Statistics::byte_array(least, greatest, None, null_count, false)
    }
}

fn word<'a>(texts: &'a [u8], ends: &[usize], place: u32) -> &'a [u8] {
    let place = place as usize;
    let start = place.checked_sub(1).map_or(0, |before| ends[before]);
    &texts[start..ends[place]]
}
