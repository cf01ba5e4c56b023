//! The machine below every carrier that puts frames with a length into a
//! byte stream: it cuts frames, accounts for gaps, and finds its place again.
//!
//! ```text
//!               frame                    known gap inside a frame
//!              ┌─────┐                 ┌──────────────────────────┐
//!              ▼     │                 │                          ▼
//!  Start ──▶ Boundary ─────────────────┘   ┌────────────────▶ Inside
//!     │         │  ▲ ◀─────────────────────┼─── frame's end ──────┘ │
//!     │   other │  │ proof                 │                        │
//!     │     gap,│  │ (Search)              │             larger gap │
//!     │   length│  │                       │                        │
//!     ▼     bad ▼  │                       │                        │
//!     └──────▶ Lost ◀──────────────────────┴────────────────────────┘
//! ```

use super::Problem;

mod buffer;
mod layout;
mod search;

use buffer::Buffer;
pub(super) use layout::Layout;
use search::Search;

/// An item of a [`Framer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut<'a> {
    /// A whole frame with its header.
    Frame {
        /// Its offset in the stream.
        offset: u64,
        /// All its bytes.
        bytes: &'a [u8],
    },
    /// A frame of which a snap length cut the end; only of [`Framer::cut`].
    Partial {
        /// Its offset in the stream.
        offset: u64,
        /// Its bytes, as far as they are known, with its whole header.
        bytes: &'a [u8],
        /// Bytes that are missing behind that.
        missing: u64,
    },
    /// Bytes that are no frame, and why.
    Problem(Problem),
}

/// Cuts one direction of a stream into frames.
///
/// It holds at most one frame, and while lost as many as prove a place.
#[derive(Debug)]
pub(super) struct Framer<L> {
    layout: L,
    /// Offset in the stream of `buffer[0]`, or of the next byte.
    offset: u64,
    buffer: Buffer,
    position: Position,
}

/// The position of the next byte in the stream, relative to frames.
#[derive(Debug)]
enum Position {
    /// At its very beginning.
    Start,
    /// In the frame that begins with the buffer.
    Boundary,
    /// In a frame of which bytes are missing, this far from its end.
    Inside { left: u64 },
    /// Nobody knows. Boxed, because few streams ever get there and there are many streams.
    Lost(Box<Lost>),
}

#[derive(Debug)]
struct Lost {
    /// Offset of the first byte that was skipped, or may be.
    since: u64,
    /// Bytes skipped before the buffer.
    skipped: u64,
    search: Search,
}

impl<L: Layout> Framer<L> {
    pub(super) fn new(layout: L) -> Self {
        Self {
            layout,
            offset: 0,
            buffer: Buffer::default(),
            position: Position::Start,
        }
    }

    pub(super) const fn layout(&self) -> &L {
        &self.layout
    }

    /// Bytes of the stream that are held until there are more.
    #[cfg(test)]
    pub(super) fn buffered_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Bytes of memory that are held until there are more bytes.
    #[inline]
    pub(super) fn held_bytes(&self) -> usize {
        let search = match &self.position {
            Position::Lost(lost) => size_of::<Lost>() + lost.search.held_bytes(),
            Position::Start | Position::Boundary | Position::Inside { .. } => 0,
        };
        self.buffer.held_bytes() + search
    }

    /// Reads the fields that the next bytes need, so that they are in the cache by then.
    #[inline]
    pub(super) const fn touch(&self) -> u64 {
        self.offset
    }

    /// Takes the next bytes of the stream.
    #[inline]
    pub(super) fn push<E>(
        &mut self,
        bytes: &[u8],
        emit: &mut impl FnMut(Cut<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Position::Lost(lost) = &mut self.position {
            lost.search.begin_part();
        }
        self.take(bytes, emit)
    }

    /// Takes the next bytes of the stream, which are a whole segment as it was sent.
    #[inline]
    pub(super) fn push_segment<E>(
        &mut self,
        bytes: &[u8],
        emit: &mut impl FnMut(Cut<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Position::Lost(lost) = &mut self.position {
            lost.search.begin_segment(self.buffer.len());
        }
        self.take(bytes, emit)
    }

    /// The place in the other direction of the stream is known. Behind a missed start, whole
    /// frames that begin and end with segments are believed from now on.
    pub(super) fn join<E>(
        &mut self,
        emit: &mut impl FnMut(Cut<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.recover(Search::join, emit)
    }

    /// Whether it is known from bytes where the next frame begins.
    pub(super) const fn is_in_place(&self) -> bool {
        matches!(self.position, Position::Boundary | Position::Inside { .. })
    }

    #[inline]
    fn take<E>(
        &mut self,
        bytes: &[u8],
        emit: &mut impl FnMut(Cut<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let rest = self.follow(bytes, emit)?;
        if matches!(self.position, Position::Lost(_)) {
            self.buffer.extend_from_slice(rest);
            self.recover(Search::advance, emit)?;
        }
        Ok(())
    }

    /// Notes a gap of `missing` bytes; `None` if the number is unknown.
    pub(super) fn gap<E>(
        &mut self,
        missing: Option<u64>,
        emit: &mut impl FnMut(Cut<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if missing == Some(0) {
            return Ok(());
        }
        // No byte joins those before the gap any more: the most probable place has to do.
        self.recover(Search::most_probable, emit)?;
        let present = self.buffer.len() as u64;
        let left = match &self.position {
            Position::Inside { left } => Some(*left),
            Position::Boundary if present > 0 => {
                let frame_bytes = self.buffered_frame_bytes();
                emit(Cut::Problem(Problem::Incomplete {
                    offset: self.offset,
                    frame_bytes,
                    present_bytes: present,
                }))?;
                frame_bytes.map(|bytes| bytes - present)
            }
            _ => None,
        };
        self.buffer.clear();
        // A caller may say any number. No stream is half of all numbers long, so counting on from
        // there does not overflow.
        self.offset = self
            .offset
            .saturating_add(present)
            .saturating_add(missing.unwrap_or(0))
            .min(u64::MAX / 2);
        let (since, skipped) = match &self.position {
            Position::Lost(lost) => (lost.since, lost.skipped + present),
            _ => (self.offset, 0),
        };
        self.position = match (left, missing) {
            (Some(left), Some(missing)) if missing <= left => Position::inside(left - missing),
            _ => Position::Lost(Box::new(Lost {
                since: if skipped == 0 { self.offset } else { since },
                skipped,
                search: match (&self.position, missing) {
                    (Position::Start, None) => Search::from_missed_start(),
                    _ => Search::from_origin(),
                },
            })),
        };
        Ok(())
    }

    /// Takes note of bytes that a snap length cut from the end of a packet.
    ///
    /// Unlike those of a gap they belong to the bytes before them: the frame whose end they are
    /// is reported without them. While lost, the framer trusts a frame that begins after a
    /// gap, or after plausible frames, and ends where the packet did.
    pub(super) fn cut<E>(
        &mut self,
        missing: u64,
        emit: &mut impl FnMut(Cut<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Position::Lost(lost) = &mut self.position
            && let Some(start) = lost
                .search
                .most_probable_cut(&self.layout, &self.buffer, missing)
        {
            self.go_on_at(start, emit)?;
        }
        let present = self.buffer.len() as u64;
        let left = match &self.position {
            Position::Boundary => self.buffered_frame_bytes().map(|bytes| bytes - present),
            _ => None,
        };
        let Some(left) = left else {
            return self.gap(Some(missing), emit);
        };
        emit(Cut::Partial {
            offset: self.offset,
            bytes: &self.buffer,
            missing: left,
        })?;
        self.buffer.clear();
        self.offset += present + missing;
        self.position = match left.checked_sub(missing) {
            Some(left) => Position::inside(left),
            None => Position::Lost(Box::new(Lost {
                since: self.offset,
                skipped: 0,
                search: Search::from_origin(),
            })),
        };
        Ok(())
    }

    /// Whether the beginning of the next frame is unknown.
    pub(super) const fn is_lost(&self) -> bool {
        matches!(self.position, Position::Lost(_))
    }

    /// The stream is at its end: reports the rest of it.
    pub(super) fn finish<E>(
        &mut self,
        emit: &mut impl FnMut(Cut<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.recover(Search::most_probable, emit)?;
        let present = self.buffer.len() as u64;
        let problem = match &self.position {
            Position::Boundary if present > 0 => Some(Problem::Incomplete {
                offset: self.offset,
                frame_bytes: self.buffered_frame_bytes(),
                present_bytes: present,
            }),
            Position::Lost(lost) => skipped(lost.since, lost.skipped + present),
            _ => None,
        };
        self.buffer.clear();
        self.offset += present;
        self.position = Position::Boundary;
        problem.map_or(Ok(()), |problem| emit(Cut::Problem(problem)))
    }

    /// Takes bytes as long as the place in the stream is known, and returns
    /// those that are left when it gets lost.
    #[inline]
    fn follow<'b, E>(
        &mut self,
        mut bytes: &'b [u8],
        emit: &mut impl FnMut(Cut<'_>) -> Result<(), E>,
    ) -> Result<&'b [u8], E> {
        if let (Position::Start, Some(first)) = (&self.position, bytes.first()) {
            self.position = Position::Boundary;
            if self.layout.preamble() == Some(*first) {
                bytes = &bytes[1..];
                self.offset += 1;
            }
        }
        if let Position::Inside { left } = self.position {
            let taken = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
            bytes = &bytes[taken..];
            self.offset += taken as u64;
            self.position = Position::inside(left - taken as u64);
        }
        if matches!(self.position, Position::Boundary) {
            bytes = self.complete_buffered(bytes, emit)?;
        }
        if matches!(self.position, Position::Boundary) && self.buffer.is_empty() {
            let taken = self.frames(bytes, emit)?;
            bytes = &bytes[taken..];
            if matches!(self.position, Position::Boundary) {
                self.buffer.extend_from_slice(bytes);
                bytes = &[];
            }
        }
        Ok(bytes)
    }

    /// Completes the frame in the buffer and emits it; returns the bytes
    /// behind it.
    fn complete_buffered<'b, E>(
        &mut self,
        mut bytes: &'b [u8],
        emit: &mut impl FnMut(Cut<'_>) -> Result<(), E>,
    ) -> Result<&'b [u8], E> {
        while !self.buffer.is_empty() {
            let header = self.buffer.get(..self.layout.header_bytes());
            let wanted = match header.map(|header| self.layout.frame_bytes(header)) {
                None => self.layout.header_bytes(),
                Some(Ok(frame_bytes)) => frame_bytes,
                Some(Err(value)) => {
                    self.lose(value, emit)?;
                    break;
                }
            };
            if header.is_some() && self.buffer.len() == wanted {
                emit(Cut::Frame {
                    offset: self.offset,
                    bytes: &self.buffer,
                })?;
                self.offset += wanted as u64;
                self.buffer.clear();
            } else if bytes.is_empty() {
                break;
            } else {
                let taken = (wanted - self.buffer.len()).min(bytes.len());
                self.buffer.extend_from_slice(&bytes[..taken]);
                bytes = &bytes[taken..];
            }
        }
        Ok(bytes)
    }

    /// Emits the whole frames at the start of `bytes`, which begin at `self.offset`; returns their
    /// length in bytes.
    #[inline]
    fn frames<E>(
        &mut self,
        bytes: &[u8],
        emit: &mut impl FnMut(Cut<'_>) -> Result<(), E>,
    ) -> Result<usize, E> {
        let mut taken = 0;
        while let Some(header) = bytes[taken..].get(..self.layout.header_bytes()) {
            let frame_bytes = match self.layout.frame_bytes(header) {
                Ok(frame_bytes) => frame_bytes,
                Err(value) => {
                    self.lose(value, emit)?;
                    break;
                }
            };
            let Some(frame) = bytes[taken..].get(..frame_bytes) else {
                break;
            };
            emit(Cut::Frame {
                offset: self.offset,
                bytes: frame,
            })?;
            self.offset += frame_bytes as u64;
            taken += frame_bytes;
        }
        Ok(taken)
    }

    /// The length at `self.offset` is that of no frame.
    fn lose<E>(
        &mut self,
        value: u64,
        emit: &mut impl FnMut(Cut<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.position = Position::Lost(Box::new(Lost {
            since: self.offset,
            skipped: 0,
            search: Search::behind_origin(),
        }));
        emit(Cut::Problem(Problem::BadPrefix {
            offset: self.offset,
            value,
        }))
    }

    /// While lost, looks for a place in the buffer by `find` and goes on from there.
    fn recover<E>(
        &mut self,
        find: fn(&mut Search, &L, &[u8]) -> Option<usize>,
        emit: &mut impl FnMut(Cut<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut head = 0;
        while let Position::Lost(lost) = &mut self.position {
            let Some(start) = find(&mut lost.search, &self.layout, &buffer[head..]) else {
                let refuted = lost.search.forget_refuted();
                lost.skipped += refuted as u64;
                self.offset += refuted as u64;
                head += refuted;
                break;
            };
            let problem = skipped(lost.since, lost.skipped + start as u64);
            self.position = Position::Boundary;
            self.offset += start as u64;
            head += start;
            if let Some(problem) = problem {
                emit(Cut::Problem(problem))?;
            }
            head += self.frames(&buffer[head..], emit)?;
        }
        buffer.drop_front(head);
        self.buffer = buffer;
        Ok(())
    }

    /// A place was found in the buffer: goes on from there.
    fn go_on_at<E>(
        &mut self,
        start: usize,
        emit: &mut impl FnMut(Cut<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Position::Lost(lost) = &self.position else {
            return Ok(());
        };
        let problem = skipped(lost.since, lost.skipped + start as u64);
        self.position = Position::Boundary;
        self.offset += start as u64;
        if let Some(problem) = problem {
            emit(Cut::Problem(problem))?;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let taken = self.frames(&buffer[start..], emit)?;
        buffer.drop_front(start + taken);
        self.buffer = buffer;
        Ok(())
    }

    /// Bytes of the frame that begins with the buffer, once its header is whole.
    fn buffered_frame_bytes(&self) -> Option<u64> {
        let header = self.buffer.get(..self.layout.header_bytes())?;
        let frame_bytes = self.layout.frame_bytes(header).ok()?;
        Some(frame_bytes as u64)
    }
}

impl Position {
    fn inside(left: u64) -> Self {
        if left == 0 {
            Self::Boundary
        } else {
            Self::Inside { left }
        }
    }
}

fn skipped(offset: u64, bytes: u64) -> Option<Problem> {
    (bytes > 0).then_some(Problem::Skipped { offset, bytes })
}
