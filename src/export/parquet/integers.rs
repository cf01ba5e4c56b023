//! Numbers, written as differences: most grow from row to row, or do not get far from one another.

use parquet::basic::Encoding;
use parquet::errors::ParquetError;
use parquet::file::statistics::Statistics;
use parquet::schema::types::ColumnDescPtr;

use super::packed::{Packer, put_varint, put_zigzag};
use super::pages::{Chunk, Pages, compressed_if_shorter};
use super::presence::Presence;

/// Differences that are counted from the least of them, and parts of them that have a size of their own.
/// The format asks for a multiple of 128, in parts of a multiple of 32 (Parquet's Encodings.md,
/// "Delta Encoding").
const BLOCK: usize = 128;
const MINIBLOCKS: usize = 4;

/// Writes a column of numbers, of which `presence` says which cells are there, if not all.
pub(super) fn write(
    values: &[i64],
    descriptor: ColumnDescPtr,
    presence: Option<&Presence>,
) -> Result<Chunk, ParquetError> {
    let cells = presence.map_or(values.len(), Presence::cells);
    let mut data = Vec::new();
    if let Some(presence) = presence {
        presence.put(0..cells, &mut data)?;
    }
    put_differences(values, &mut data);
    let uncompressed = data.len();
    let (data, compression) = compressed_if_shorter(data)?;
    let mut pages = Pages::new(compression);
    pages.put_data(Encoding::DELTA_BINARY_PACKED, cells, uncompressed, [data])?;
    let nulls = (cells - values.len()) as u64;
    let (least, greatest) = (values.iter().min(), values.iter().max());
    let statistics = Statistics::int64(least.copied(), greatest.copied(), None, Some(nulls), false);
    pages.close(descriptor, Some(statistics))
}

/// Appends numbers in the encoding `DELTA_BINARY_PACKED`.
fn put_differences(values: &[i64], out: &mut Vec<u8>) {
    for number in [BLOCK, MINIBLOCKS, values.len()] {
        put_varint(out, number as u64);
    }
    put_zigzag(out, values.first().copied().unwrap_or(0));
    let mut differences = [0; BLOCK];
    for (before, after) in values
        .chunks(BLOCK)
        .zip(values.get(1..).unwrap_or_default().chunks(BLOCK))
    {
        // A difference too large for a number wraps, here and where it is read.
        let pairs = before.iter().zip(after);
        let count = after.len();
        for (difference, (before, after)) in differences.iter_mut().zip(pairs) {
            *difference = after.wrapping_sub(*before);
        }
        let least = differences[..count].iter().copied().min().unwrap_or(0);
        put_zigzag(out, least);
        // None is less than the least, so that the cast keeps each, also one that came round.
        let excess = differences.map(|difference| difference.wrapping_sub(least) as u64);
        let parts = || excess[..count].chunks(BLOCK / MINIBLOCKS);
        let mut sizes = [0_u8; MINIBLOCKS];
        for (size, part) in sizes.iter_mut().zip(parts()) {
            let all_bits = part.iter().fold(0, |all, number| all | number);
            // At most 64.
            *size = (u64::BITS - all_bits.leading_zeros()) as u8;
        }
        out.extend_from_slice(&sizes);
        for (&bits, part) in sizes.iter().zip(parts()) {
            let bits = u32::from(bits);
            // The last part is filled up to its length; parts behind it are left out.
            let end = out.len() + BLOCK / MINIBLOCKS * bits as usize / 8;
            let mut packer = Packer::new(out);
            for &number in part {
                packer.put_wide(number, bits);
            }
            packer.end();
            out.resize(end, 0);
        }
    }
}
