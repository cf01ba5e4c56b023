//! Bytes of a flow held until its carrier is known.

use crate::carrier::{Extent, FlowDirection};

/// Something that a detector was fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// The next bytes of a direction, or a datagram.
    Bytes {
        /// Its direction.
        from: FlowDirection,
        /// The bytes.
        bytes: &'a [u8],
        /// Whether they are a whole segment; datagrams are.
        extent: Extent,
    },
    /// Bytes of a direction that are not in the capture.
    Gap {
        /// Its direction.
        from: FlowDirection,
        /// Number of bytes; `None` if unknown.
        missing: Option<u64>,
    },
    /// Bytes of a direction that a snap length cut from the end of a segment.
    Cut {
        /// Its direction.
        from: FlowDirection,
        /// Number of bytes.
        missing: u64,
    },
    /// The end of a direction.
    End {
        /// Its direction.
        from: FlowDirection,
    },
}

impl Piece<'_> {
    /// Its direction.
    pub const fn from(&self) -> FlowDirection {
        match self {
            Self::Bytes { from, .. }
            | Self::Gap { from, .. }
            | Self::Cut { from, .. }
            | Self::End { from } => *from,
        }
    }
}

/// Pieces in the order in which they came, each with the caller's token.
#[derive(Debug)]
pub(super) struct Held<T> {
    bytes: Vec<u8>,
    pieces: Vec<(Kind, FlowDirection, T)>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// The next `length` of the bytes.
    Bytes {
        length: usize,
        extent: Extent,
    },
    Gap(Option<u64>),
    Cut(u64),
    End,
}

impl<T: Copy> Held<T> {
    pub(super) const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            pieces: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, piece: Piece<'_>, token: T) {
        let (kind, from) = match piece {
            Piece::Bytes {
                from,
                bytes,
                extent,
            } => {
                self.bytes.extend_from_slice(bytes);
                let length = bytes.len();
                (Kind::Bytes { length, extent }, from)
            }
            Piece::Gap { from, missing } => (Kind::Gap(missing), from),
            Piece::Cut { from, missing } => (Kind::Cut(missing), from),
            Piece::End { from } => (Kind::End, from),
        };
        self.pieces.push((kind, from, token));
    }

    /// Bytes of memory that all this takes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.pieces.capacity() * size_of::<(Kind, FlowDirection, T)>()
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes that it takes to hold them.
    pub(super) const fn cost(&self) -> usize {
        self.bytes.len() + self.pieces.len() * size_of::<(Kind, FlowDirection, T)>()
    }

    /// Pieces held.
    pub(super) fn pieces(&self) -> usize {
        self.pieces.len()
    }

    /// Drops everything, and the memory that it took.
    pub(super) fn clear(&mut self) {
        *self = Self::new();
    }

    pub(super) fn replay<E>(
        &self,
        mut take: impl FnMut(Piece<'_>, T) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = &self.bytes[..];
        for (kind, from, token) in &self.pieces {
            let from = *from;
            let piece = match *kind {
                Kind::Bytes { length, extent } => {
                    let (bytes, after) = rest.split_at(length);
                    rest = after;
                    Piece::Bytes {
                        from,
                        bytes,
                        extent,
                    }
                }
                Kind::Gap(missing) => Piece::Gap { from, missing },
                Kind::Cut(missing) => Piece::Cut { from, missing },
                Kind::End => Piece::End { from },
            };
            take(piece, *token)?;
        }
        Ok(())
    }
}
