//! What waits to be written to a connection, in few pieces.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

use crate::carrier::length_prefixed::Prefix;
use crate::runtime::link::Parcel;

/// Payloads of this size and more are handed to the system where they are;
/// copying smaller ones costs less than a piece of their own.
pub(super) const OWN_PIECE_BYTES: usize = 4 * 1024;

/// Most pieces in one system call.
pub(super) const MAX_PIECES: usize = 64;

/// Messages with their lengths, in order.
#[derive(Debug)]
pub(super) struct Output {
    prefix: Prefix,
    pieces: VecDeque<Bytes>,
    /// Behind the last piece: headers and small messages.
    tail: BytesMut,
    bytes: usize,
}

impl Output {
    pub(super) fn new(prefix: Prefix) -> Self {
        Self {
            prefix,
            pieces: VecDeque::new(),
            tail: BytesMut::new(),
            bytes: 0,
        }
    }

    /// Bytes that wait.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn push(&mut self, message: Parcel) {
        let length = message.bytes();
        // Messages are shorter than the prefix can say: see `CarrierUrl::max_message_bytes`.
        let encoded = u32::try_from(message.announced_bytes())
            .unwrap_or(u32::MAX)
            .to_be_bytes();
        let prefix = &encoded[encoded.len() - self.prefix.bytes()..];
        self.bytes += prefix.len() + length;
        let small = message.rest().len() < OWN_PIECE_BYTES;
        self.tail.reserve(if small {
            prefix.len() + length
        } else {
            prefix.len() + message.header().len()
        });
        self.tail.extend_from_slice(prefix);
        self.tail.extend_from_slice(message.header());
        if small {
            self.tail.extend_from_slice(message.rest());
        } else {
            self.pieces.push_back(self.tail.split().freeze());
            self.pieces.push_back(message.into_rest());
        }
    }

    /// The first pieces, as many as there is room for and at most so many bytes;
    /// tells how many pieces those are.
    pub(super) fn slices<'a>(
        &'a self,
        max_bytes: usize,
        into: &mut [IoSlice<'a>; MAX_PIECES],
    ) -> usize {
        let pieces = self.pieces.iter().map(|piece| &piece[..]);
        let tail = (!self.tail.is_empty()).then_some(&self.tail[..]);
        let mut count = 0;
        let mut room = max_bytes;
        for (slot, piece) in into.iter_mut().zip(pieces.chain(tail)) {
            if room == 0 {
                break;
            }
            let piece = &piece[..piece.len().min(room)];
            room -= piece.len();
            *slot = IoSlice::new(piece);
            count += 1;
        }
        count
    }

    /// Takes off what has been written.
    pub(super) fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
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
        if self.bytes == 0 {
            // An idle connection keeps no memory of its busy times.
            self.tail = BytesMut::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Message;
    use crate::wire::{FrameType, StreamId};

    fn message(payload: Vec<u8>) -> Parcel {
        Parcel::from(Message {
            frame_type: FrameType::CLIENT_DATA,
            id: StreamId([1, 2, 3]),
            payload: Bytes::from(payload),
        })
    }

    fn written(output: &mut Output, step: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while output.bytes() > 0 {
            let mut slices = [IoSlice::new(&[]); MAX_PIECES];
            let count = output.slices(step, &mut slices);
            let seen: Vec<u8> = slices[..count]
                .iter()
                .flat_map(|slice| slice.iter().copied())
                .collect();
            assert!((1..=step).contains(&seen.len()));
            output.advance(seen.len());
            all.extend(seen);
        }
        all
    }

    #[test]
    fn each_message_stands_behind_its_length() {
        let mut output = Output::new(Prefix::U32);
        output.push(message(b"ab".to_vec()));
        output.push(message(Vec::new()));
        assert_eq!(
            written(&mut output, 1),
            b"\0\0\0\x06\xa0\x01\x02\x03ab\0\0\0\x04\xa0\x01\x02\x03"
        );
        let mut output = Output::new(Prefix::U16);
        output.push(message(b"ab".to_vec()));
        assert_eq!(written(&mut output, 100), b"\0\x06\xa0\x01\x02\x03ab");
    }

    #[test]
    fn no_byte_is_lost_or_moved_at_any_size_and_any_step() {
        let sizes = [
            0,
            1,
            OWN_PIECE_BYTES - 1,
            OWN_PIECE_BYTES,
            32_768,
            5,
            32_768,
        ];
        let mut expected = Vec::new();
        for (index, size) in sizes.into_iter().enumerate() {
            expected.extend(u32::try_from(size + 4).unwrap().to_be_bytes());
            expected.extend([0xa0, 1, 2, 3]);
            expected.extend(vec![u8::try_from(index).unwrap(); size]);
        }
        for step in [1, 3, 7, 8, 9, 4_095, 4_096, 4_097, 32_776, usize::MAX] {
            let mut output = Output::new(Prefix::U32);
            for (index, size) in sizes.into_iter().enumerate() {
                output.push(message(vec![u8::try_from(index).unwrap(); size]));
            }
            assert_eq!(output.bytes(), expected.len());
            assert!(written(&mut output, step) == expected, "step {step}");
            assert_eq!(output.tail.capacity(), 0);
        }
    }

    #[test]
    fn many_pieces_are_written_in_several_calls() {
        let mut output = Output::new(Prefix::U32);
        for _ in 0..MAX_PIECES {
            output.push(message(vec![9; OWN_PIECE_BYTES]));
        }
        let mut slices = [IoSlice::new(&[]); MAX_PIECES];
        assert_eq!(output.slices(usize::MAX, &mut slices), MAX_PIECES);
        let total = MAX_PIECES * (OWN_PIECE_BYTES + 8);
        assert_eq!(written(&mut output, usize::MAX).len(), total);
    }
}
