//! A contiguous view of the input that moves forward.

use std::io;
use std::ops::Range;
use std::path::PathBuf;

use super::blocks::{Block, Blocks};
use super::{CaptureError, Compression, Content, Damage, FileRecord, LinkType};
use crate::time::Timestamp;

/// The unparsed bytes at hand, and how to get more.
///
/// Bytes are parsed where they were read; only a record that straddles two
/// blocks is copied.
pub(super) struct Window {
    path: PathBuf,
    compression: Option<Compression>,
    blocks: Blocks,
    block: Block,
    /// Offset in the input of the first byte of `block.filled`.
    offset: u64,
}

/// The packet that was read last.
pub(super) struct Current {
    pub(super) time: Timestamp,
    /// Its number among the interfaces of its input.
    pub(super) interface: u32,
    pub(super) link_type: LinkType,
    /// Its bytes in the window.
    pub(super) data: Range<usize>,
    pub(super) original_bytes: u32,
}

impl Window {
    pub(super) fn new(path: PathBuf, compression: Option<Compression>, blocks: Blocks) -> Self {
        Self {
            path,
            compression,
            blocks,
            block: Block::default(),
            offset: 0,
        }
    }

    /// The bytes at hand.
    #[inline]
    pub(super) fn available(&self) -> &[u8] {
        &self.block.bytes[self.block.filled.clone()]
    }

    /// Offset of the first byte at hand, from the start of the input.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Moves past `count` of the bytes at hand. The range that is returned
    /// stays good for [`Self::bytes`] until the next refill.
    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Range<usize> {
        let start = self.block.filled.start;
        let taken = start..start + count;
        debug_assert!(taken.end <= self.block.filled.end, "only what is at hand");
        self.block.filled.start = taken.end;
        self.offset += count as u64;
        taken
    }

    /// Bytes taken since the last refill.
    #[inline]
    pub(super) fn bytes(&self, taken: Range<usize>) -> &[u8] {
        &self.block.bytes[taken]
    }

    /// Refills until `count` bytes are at hand; `false` when the input ends before.
    #[inline]
    pub(super) fn require(&mut self, count: usize) -> bool {
        while self.available().len() < count {
            if !self.refill() {
                return false;
            }
        }
        true
    }

    /// Moves past `count` bytes of the input; `false` when it ends before.
    pub(super) fn skip(&mut self, count: u64) -> bool {
        let mut left = count;
        loop {
            let at_hand = self.available().len();
            match usize::try_from(left) {
                Ok(left) if left <= at_hand => {
                    self.take(left);
                    return true;
                }
                _ => {
                    self.take(at_hand);
                    left -= at_hand as u64;
                }
            }
            if !self.refill() {
                return false;
            }
        }
    }

    /// Adds at least one byte to those at hand; `false` at the end of the input.
    pub(super) fn refill(&mut self) -> bool {
        let Some(next) = self.blocks.next() else {
            return false;
        };
        let spent = if self.available().len() <= next.filled.start {
            self.move_into_headroom(next)
        } else {
            self.append(next)
        };
        self.blocks.recycle(spent);
        true
    }

    /// Puts the unparsed bytes in front of those of the next block.
    fn move_into_headroom(&mut self, mut next: Block) -> Block {
        let start = next.filled.start - self.available().len();
        next.bytes[start..next.filled.start].copy_from_slice(self.available());
        next.filled.start = start;
        std::mem::replace(&mut self.block, next)
    }

    /// Appends the next block to the unparsed bytes, which outgrew its headroom.
    fn append(&mut self, next: Block) -> Block {
        let Block { bytes, filled } = &mut self.block;
        bytes.truncate(filled.end);
        bytes.drain(..filled.start);
        bytes.extend_from_slice(&next.bytes[next.filled.clone()]);
        *filled = 0..bytes.len();
        next
    }

    /// `Ok` when the input came to its end by itself, rather than by a failure
    /// to read or a compressed stream without its end.
    pub(super) fn finish(&mut self) -> Result<(), CaptureError> {
        match self.blocks.take_failure() {
            None => Ok(()),
            Some(source) => Err(self.read_error(source)),
        }
    }

    /// The error for an input whose first bytes are no capture's, or that
    /// could not be read that far.
    pub(super) fn not_a_capture(&mut self, content: Content) -> CaptureError {
        let path = self.path.clone();
        match self.blocks.take_failure() {
            Some(source) if source.kind() != io::ErrorKind::UnexpectedEof => {
                CaptureError::Open { path, source }
            }
            _ => CaptureError::NotACapture {
                path,
                compression: self.compression,
                content,
            },
        }
    }

    /// The error for an input that ends inside the record at `offset`.
    pub(super) fn truncated(
        &mut self,
        record: FileRecord,
        offset: u64,
        needed: u64,
    ) -> CaptureError {
        // A compressed stream that ends early is a file that ends early.
        match self.blocks.take_failure() {
            Some(source) if source.kind() != io::ErrorKind::UnexpectedEof => {
                return self.read_error(source);
            }
            _ => {}
        }
        CaptureError::Truncated {
            path: self.path.clone(),
            record,
            offset,
            got: self.end_offset() - offset,
            needed,
        }
    }

    /// The error for a damaged record at `offset`.
    pub(super) fn damaged(&self, record: FileRecord, offset: u64, damage: Damage) -> CaptureError {
        CaptureError::Damaged {
            path: self.path.clone(),
            record,
            offset,
            damage,
        }
    }

    fn read_error(&self, source: io::Error) -> CaptureError {
        CaptureError::Read {
            path: self.path.clone(),
            offset: self.end_offset(),
            source,
        }
    }

    fn end_offset(&self) -> u64 {
        self.offset + self.available().len() as u64
    }
}
