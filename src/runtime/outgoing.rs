//! Bytes that wait to be written to a stream, in memory of their own size.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

/// Most pieces in one system call.
pub(super) const MAX_PIECES: usize = 32;

/// Shorter pieces are put together; a piece of its own costs more.
const JOINED_BYTES: usize = 4 * 1024;

/// Bytes in order: pieces, and behind them small ones put together.
///
/// However small the pieces are, the memory they take is a small multiple of
/// their bytes.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    pieces: VecDeque<Bytes>,
    tail: BytesMut,
    /// A write found no room since the queue was empty.
    stalled: bool,
}

impl Outgoing {
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.tail.is_empty()
    }

    pub(super) fn push(&mut self, piece: Bytes) {
        if piece.len() < JOINED_BYTES && !self.is_empty() {
            self.tail.extend_from_slice(&piece);
            return;
        }
        if !self.tail.is_empty() {
            self.pieces.push_back(self.tail.split().freeze());
        }
        let piece = if self.stalled { owned(&piece) } else { piece };
        self.pieces.push_back(piece);
    }

    /// The rest has to wait for the other side.
    pub(super) fn stall(&mut self) {
        if !self.stalled {
            self.stalled = true;
            for piece in &mut self.pieces {
                *piece = owned(piece);
            }
        }
    }

    /// The first pieces, as many as there is room for; returns their number.
    pub(super) fn slices<'a>(&'a self, into: &mut [IoSlice<'a>; MAX_PIECES]) -> usize {
        let pieces = self.pieces.iter().map(|piece| &piece[..]);
        let tail = (!self.tail.is_empty()).then_some(&self.tail[..]);
        let mut count = 0;
        for (slot, piece) in into.iter_mut().zip(pieces.chain(tail)) {
            *slot = IoSlice::new(piece);
            count += 1;
        }
        count
    }

    /// Takes off written bytes.
    pub(super) fn advance(&mut self, mut written: usize) {
        while written > 0 {
            match self.pieces.front_mut() {
                Some(piece) if piece.len() > written => {
                    piece.advance(written);
                    return;
                }
                Some(piece) => {
                    written -= piece.len();
                    self.pieces.pop_front();
                }
                None => {
                    self.tail.advance(written);
                    break;
                }
            }
        }
        if self.is_empty() {
            // An idle conversation keeps no memory of its busy times.
            *self = Self::default();
        }
    }
}

/// A piece that has to wait may be a small part of a large read, all of whose
/// memory it would hold.
fn owned(piece: &[u8]) -> Bytes {
    Bytes::copy_from_slice(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(outgoing: &Outgoing) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); MAX_PIECES];
        let count = outgoing.slices(&mut slices);
        slices[..count]
            .iter()
            .flat_map(|slice| slice.to_vec())
            .collect()
    }

    #[test]
    fn bytes_keep_their_order_at_any_size_and_any_step() {
        let sizes = [1, 2, JOINED_BYTES - 1, JOINED_BYTES, 1, 32_768, 3];
        let pieces: Vec<Bytes> = (0..)
            .zip(sizes)
            .map(|(value, size)| Bytes::from(vec![value; size]))
            .collect();
        let expected = pieces.concat();
        for stall_before in 0..=sizes.len() {
            for step in [1, 2, 4_095, 4_096, 4_097, 60_000] {
                let mut outgoing = Outgoing::default();
                for (index, piece) in pieces.iter().enumerate() {
                    if index == stall_before {
                        outgoing.stall();
                    }
                    outgoing.push(piece.clone());
                }
                let mut rest = &expected[..];
                while !rest.is_empty() {
                    if rest.len() % 1_024 == 0 || step > 2 {
                        assert!(contents(&outgoing) == rest);
                    }
                    let written = step.min(rest.len());
                    outgoing.advance(written);
                    rest = &rest[written..];
                }
                assert!(outgoing.is_empty() && outgoing.pieces.capacity() == 0);
            }
        }
    }

    #[test]
    fn a_piece_that_waits_does_not_hold_the_read_it_came_in() {
        let read = Bytes::from(vec![7; 100_000]);
        let mut outgoing = Outgoing::default();
        outgoing.push(read.slice(..32_768));
        outgoing.stall();
        outgoing.push(read.slice(32_768..37_768));
        outgoing.push(read.slice(37_768..37_769));
        assert!(read.is_unique(), "every waiting byte was copied");
        assert_eq!(contents(&outgoing), [7; 37_769]);
    }

    #[test]
    fn tiny_pieces_share_memory() {
        let mut outgoing = Outgoing::default();
        for _ in 0..100_000 {
            outgoing.push(Bytes::from_static(b"x"));
        }
        assert_eq!(outgoing.pieces.len(), 1);
        assert!(outgoing.tail.capacity() <= 2 * 100_000);
    }
}
