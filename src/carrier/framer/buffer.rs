//! The bytes of a stream that wait for more.

use std::ops::Deref;

/// Bytes that wait for more. They lie apart, and take eight bytes where there were never any, as
/// on most of many streams.
#[derive(Debug, Default)]
#[expect(
    clippy::box_collection,
    reason = "a vector takes 24 bytes where it is empty"
)]
pub(super) struct Buffer(Option<Box<Vec<u8>>>);

impl Deref for Buffer {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Some(bytes) => bytes,
            None => &[],
        }
    }
}

impl Buffer {
    /// Bytes of memory that it takes beside its eight.
    #[inline]
    pub(super) fn held_bytes(&self) -> usize {
        match &self.0 {
            Some(bytes) => size_of::<Vec<u8>>() + bytes.capacity(),
            None => 0,
        }
    }

    pub(super) fn extend_from_slice(&mut self, more: &[u8]) {
        if !more.is_empty() {
            self.0.get_or_insert_default().extend_from_slice(more);
        }
    }

    pub(super) fn clear(&mut self) {
        if let Some(bytes) = &mut self.0 {
            bytes.clear();
        }
    }

    /// Drops its first `count` bytes.
    pub(super) fn drop_front(&mut self, count: usize) {
        if let Some(bytes) = &mut self.0 {
            bytes.drain(..count);
        }
    }
}
