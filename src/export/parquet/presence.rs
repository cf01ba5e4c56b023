//! The presence of values in the cells of a column: a bit for each, as pages have them.

use std::ops::Range;

use parquet::errors::ParquetError;

use super::packed::{put_groups_header, put_run};
use super::pages::length;

/// Bytes of the length before levels.
const LENGTH_BYTES: usize = size_of::<u32>();

/// The cells of a column that have a value.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// The lowest bit of the first byte is of the first cell.
    bits: Vec<u8>,
    cells: usize,
    values: usize,
}

impl Presence {
    /// Says that a cell has a value. Those before it of which nothing was said have none.
    #[inline]
    pub(super) fn push_value_at(&mut self, cell: usize) {
        let byte = cell / 8;
        if byte >= self.bits.len() {
            self.bits.resize(byte + 1, 0);
        }
        self.bits[byte] |= 1 << (cell % 8);
        self.cells = cell + 1;
        self.values += 1;
    }

    /// Says that there are so many cells, and that the last of them have no value.
    pub(super) fn end(&mut self, cells: usize) {
        self.bits.resize(cells.div_ceil(8), 0);
        self.cells = cells;
    }

    pub(super) const fn cells(&self) -> usize {
        self.cells
    }

    pub(super) fn clear(&mut self) {
        self.bits.clear();
        self.cells = 0;
        self.values = 0;
    }

    /// The same as levels, as the general writer of `parquet` takes them.
    pub(super) fn levels(&self) -> Vec<i16> {
        let bits = self
            .bits
            .iter()
            .flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1));
        bits.map(i16::from).take(self.cells).collect()
    }

    /// Appends the levels of those cells as they stand in a page, behind their length. The number
    /// of cells before them is one of whole bytes.
    pub(super) fn put(&self, cells: Range<usize>, out: &mut Vec<u8>) -> Result<(), ParquetError> {
        debug_assert_eq!(cells.start % 8, 0);
        let start = out.len();
        out.extend_from_slice(&[0; LENGTH_BYTES]);
        if self.values == 0 || self.values == self.cells {
            put_run(out, cells.len(), &[u8::from(self.values > 0)]);
        } else {
            put_groups_header(out, cells.len());
            out.extend_from_slice(&self.bits[cells.start / 8..cells.end.div_ceil(8)]);
        }
        let bytes = length(out.len() - start - LENGTH_BYTES)?;
        out[start..start + LENGTH_BYTES].copy_from_slice(&bytes.to_le_bytes());
        Ok(())
    }
}
