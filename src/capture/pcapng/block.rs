//! The common parts of all blocks.

/// The length again, after a block.
pub(super) const BLOCK_TRAILER: usize = 4;

/// A field's bytes at a place that the caller has made sure of.
pub(super) fn field<const N: usize>(block: &[u8], offset: usize) -> [u8; N] {
    *block[offset..]
        .first_chunk()
        .expect("the fixed fields of a block are at hand when they are read")
}
