//! Bytes that wait to be written to a connection, in few pieces.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

use crate::carrier::length_prefixed::Prefix;
use crate::runtime::link::Parcel;
use crate::wire::HEADER_BYTES;

/// Payloads of this size and more are handed to the system where they are;
/// copying smaller ones costs less than a piece of their own.
pub(super) const OWN_PIECE_BYTES: usize = 4 * 1024;

/// Most pieces in one system call.
pub(super) const MAX_PIECES: usize = 64;

/// Most runs that wait where they are. Of runs of 64 KiB, the least that is read from a busy
/// application, so many fill a connection, and none is copied.
const MAX_RUNS: usize = 32;

/// Most bytes between payloads that stand side by side where they were read: a header, and the
/// length before it. The allocator leaves more between two reads.
const GAP_BYTES: usize = HEADER_BYTES + 4;

/// Messages with their lengths, in order.
///
/// A payload that is not copied keeps all of the read alive that it came with, of which the rest may
/// be gone: a proxy's rules and faults drop messages. Payloads that stand side by side in
/// memory are a run, and waste little; there may be only so many runs, and others are copied.
#[derive(Debug)]
pub(super) struct Output {
    prefix: Prefix,
    pieces: VecDeque<Piece>,
    /// Behind the last piece: headers and small messages.
    tail: BytesMut,
    bytes: usize,
    /// Those that begin in `pieces`.
    run_count: usize,
    /// End of the last payload that is a part of one.
    run_end: Option<usize>,
}

#[derive(Debug)]
struct Piece {
    bytes: Bytes,
    begins_run: bool,
}

impl Output {
    pub(super) fn new(prefix: Prefix) -> Self {
        Self {
            prefix,
            pieces: VecDeque::new(),
            tail: BytesMut::new(),
            bytes: 0,
            run_count: 0,
            run_end: None,
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
            self.pieces.push_back(Piece {
                bytes: self.tail.split().freeze(),
                begins_run: false,
            });
            let payload = self.payload(message.into_rest());
            self.pieces.push_back(payload);
        }
    }

    /// The piece of a large payload: where it is, or a copy.
    fn payload(&mut self, bytes: Bytes) -> Piece {
        let begin = bytes.as_ptr().addr();
        let continues = self
            .run_end
            .is_some_and(|end| begin.checked_sub(end).is_some_and(|gap| gap <= GAP_BYTES));
        if !continues && self.run_count >= MAX_RUNS {
            self.run_end = None;
            return Piece {
                bytes: Bytes::copy_from_slice(&bytes),
                begins_run: false,
            };
        }
        self.run_end = Some(begin + bytes.len());
        self.run_count += usize::from(!continues);
        Piece {
            bytes,
            begins_run: !continues,
        }
    }

    /// The first pieces, as many as there is room for and at most so many bytes; returns their
    /// number.
    pub(super) fn slices<'a>(
        &'a self,
        max_bytes: usize,
        into: &mut [IoSlice<'a>; MAX_PIECES],
    ) -> usize {
        let pieces = self.pieces.iter().map(|piece| &piece.bytes[..]);
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

    /// Takes off written bytes.
    pub(super) fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        while written > 0 {
            match self.pieces.front_mut() {
                Some(piece) if piece.bytes.len() > written => {
                    piece.bytes.advance(written);
                    return;
                }
                Some(piece) => {
                    written -= piece.bytes.len();
                    self.run_count -= usize::from(piece.begins_run);
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
            self.run_end = None;
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

    /// Number of these reads that are still in memory.
    fn kept(reads: Vec<Bytes>) -> usize {
        let kept = reads.into_iter().filter(|read| !read.is_unique());
        kept.count()
    }

    #[test]
    fn a_few_messages_of_each_read_keep_few_reads_alive() {
        const READS: usize = 100;
        // One after another of a read, one only, and two that were far apart.
        for places in [
            &[0, OWN_PIECE_BYTES, 2 * OWN_PIECE_BYTES][..],
            &[7],
            &[0, 9 * OWN_PIECE_BYTES],
        ] {
            let mut output = Output::new(Prefix::U32);
            let mut reads = Vec::new();
            let mut expected = Vec::new();
            for number in 0..READS {
                let read = Bytes::from(vec![u8::try_from(number).unwrap(); 64 * 1024]);
                for place in places {
                    let message = read.slice(*place..place + OWN_PIECE_BYTES);
                    expected.extend([0, 0, 16, 0]);
                    expected.extend_from_slice(&message);
                    output.push(Parcel::raw(message));
                }
                reads.push(read);
            }
            assert!(kept(reads) <= MAX_RUNS);
            assert!(written(&mut output, 10_000) == expected);
            assert_eq!(output.run_count, 0);
        }
    }

    #[test]
    fn whole_reads_are_not_copied() {
        const PLACES: usize = 2 * 1024 * 1024 / MAX_RUNS;
        let reads: Vec<Bytes> = (0..MAX_RUNS)
            .map(|_| Bytes::from(vec![0; PLACES]))
            .collect();
        for gap in [0, 4, GAP_BYTES] {
            let mut output = Output::new(Prefix::U32);
            for read in &reads {
                for place in (0..PLACES).step_by(OWN_PIECE_BYTES + gap) {
                    let end = PLACES.min(place + OWN_PIECE_BYTES);
                    output.push(Parcel::raw(read.slice(place..end)));
                }
            }
            let is_of_a_read = |piece: &&Piece| {
                let address = piece.bytes.as_ptr().addr();
                let mut reads = reads.iter().map(|read| read.as_ptr().addr());
                reads.any(|read| (read..read + PLACES).contains(&address))
            };
            let uncopied = output.pieces.iter().filter(is_of_a_read).count();
            assert_eq!(uncopied, MAX_RUNS * (PLACES / (OWN_PIECE_BYTES + gap)));
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
