//! The search for a frame boundary in bytes at an unknown place.
//!
//! Every position is a candidate until the frames that would follow it stop
//! making sense. The place is proven by the candidate whose run of plausible
//! frames is complete first in the stream, so that the answer does not depend
//! on how the bytes arrive, and no candidate has to wait for another.
//!
//! A candidate is looked at again only when the bytes that it waits for have come, so that
//! the work grows with the bytes and not with bytes times candidates.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::Layout;

/// Candidates in a run of bytes that only grows at its end.
///
/// Positions are counted from the first byte of the search, also of bytes that were forgotten.
#[derive(Debug)]
pub(super) struct Search {
    /// Start of the bytes that are still there.
    begin: usize,
    /// The first byte behind a gap: frames often begin there, because a
    /// sender's writes and the segments that got lost do.
    origin: Option<usize>,
    /// The next position to look at.
    next: usize,
    /// Where the bytes that came last begin, if they are a whole segment.
    segment: Option<usize>,
    trust: Trust,
    /// By their starts.
    candidates: BTreeMap<usize, Candidate>,
    /// Bytes that must be known before there is more to say of the candidate that starts there, the
    /// fewest first. Each candidate waits once.
    waiting: BinaryHeap<Reverse<(usize, usize)>>,
}

/// What is believed beside runs of frames that are long enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// Nothing.
    Frames,
    /// The search is for the first frame of a direction whose beginning is not in the capture: see
    /// [`Search::join`].
    MissedStart,
    /// Frames that begin and end with segments.
    Segments,
}

/// A position from which everything known so far makes sense.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    start: usize,
    /// The end of its first frame.
    second: usize,
    /// The end of its last whole frame.
    end: usize,
    /// The worth of the whole frames from `start` to `end`.
    worth: usize,
    begins_segment: bool,
    /// Whether its first frame is to be believed whatever the layout says.
    is_sure: bool,
}

enum Standing {
    Refuted,
    /// There is more to say when so many bytes are known.
    Open {
        needed: usize,
    },
    Proven,
}

/// Bytes from `begin` on.
#[derive(Clone, Copy)]
struct Known<'a> {
    begin: usize,
    bytes: &'a [u8],
    segment: Option<usize>,
    trust: Trust,
}

impl<'a> Known<'a> {
    /// Whether a frame that begins there is all of the last segment, if it ends with all bytes.
    fn is_last_segment(self, start: usize, end: usize) -> bool {
        self.segment == Some(start) && end == self.end()
    }

    const fn end(self) -> usize {
        self.begin + self.bytes.len()
    }

    fn from(self, position: usize) -> &'a [u8] {
        &self.bytes[position - self.begin..]
    }
}

impl Search {
    /// The first byte may be a boundary.
    pub(super) const fn from_origin() -> Self {
        Self::at(Some(0), 0, Trust::Frames)
    }

    /// The first byte may be a boundary, and is the first of its direction in the capture.
    pub(super) const fn from_missed_start() -> Self {
        Self::at(Some(0), 0, Trust::MissedStart)
    }

    /// The first byte is known not to be a boundary.
    pub(super) const fn behind_origin() -> Self {
        Self::at(None, 1, Trust::Frames)
    }

    const fn at(origin: Option<usize>, next: usize, trust: Trust) -> Self {
        Self {
            begin: 0,
            origin,
            next,
            segment: None,
            trust,
            candidates: BTreeMap::new(),
            waiting: BinaryHeap::new(),
        }
    }

    /// Bytes of memory that the candidates take.
    pub(super) fn held_bytes(&self) -> usize {
        // Nodes of a B-tree are at least half full.
        let candidates = self.candidates.len() * size_of::<(usize, Candidate)>() * 2;
        candidates + self.waiting.capacity() * size_of::<Reverse<(usize, usize)>>()
    }

    /// The bytes that come next, behind `held` others, are a whole segment.
    pub(super) const fn begin_segment(&mut self, held: usize) {
        self.segment = Some(self.begin + held);
    }

    /// The bytes that come next are of any segment.
    pub(super) const fn begin_part(&mut self) {
        self.segment = None;
    }

    /// The place in the other direction is known, and so the layout is no chance. A sender writes
    /// whole frames, so that one that begins with a segment and ends with one is believed where
    /// the end of all bytes would be enough. Only behind a missed start: behind a gap, segments are
    /// those of a sender that is busy, and soon prove their place.
    pub(super) fn join<L: Layout>(&mut self, layout: &L, bytes: &[u8]) -> Option<usize> {
        if self.trust != Trust::MissedStart {
            return None;
        }
        self.trust = Trust::Segments;
        let known = self.known(bytes);
        let first = self
            .candidates
            .values_mut()
            .find(|candidate| candidate.is_whole_segments(layout, known))?;
        first.is_sure = true;
        let first = *first;
        Some(self.believe(layout, first))
    }

    const fn known<'a>(&self, bytes: &'a [u8]) -> Known<'a> {
        Known {
            begin: self.begin,
            bytes,
            segment: self.segment,
            trust: self.trust,
        }
    }

    /// A proven boundary in `bytes`, which begin where they did at the last call, or behind those
    /// named by [`Self::forget_refuted`], and may have grown.
    pub(super) fn advance<L: Layout>(&mut self, layout: &L, bytes: &[u8]) -> Option<usize> {
        let known = self.known(bytes);
        let mut first: Option<Candidate> = None;
        let mut proven = |candidate: Candidate| {
            if first.is_none_or(|first| (candidate.end, candidate.start) < (first.end, first.start))
            {
                first = Some(candidate);
            }
        };
        while let Some(Reverse((needed, start))) = self.waiting.peek().copied()
            && needed <= known.end()
        {
            self.waiting.pop();
            let Some(candidate) = self.candidates.get_mut(&start) else {
                continue;
            };
            match candidate.examine(layout, known) {
                Standing::Open { needed } => self.waiting.push(Reverse((needed, start))),
                Standing::Refuted => {
                    self.candidates.remove(&start);
                }
                Standing::Proven => {
                    proven(*candidate);
                    self.candidates.remove(&start);
                }
            }
        }
        // A candidate has at least one byte behind its header: see `examine`.
        let looked_at = known.end().saturating_sub(layout.header_bytes());
        for start in self.next..looked_at {
            let mut candidate = Candidate::at(start, known);
            match candidate.examine(layout, known) {
                Standing::Open { needed } => {
                    self.candidates.insert(start, candidate);
                    self.waiting.push(Reverse((needed, start)));
                }
                Standing::Refuted => {}
                Standing::Proven => proven(candidate),
            }
        }
        self.next = self.next.max(looked_at);
        first.map(|candidate| self.believe(layout, candidate))
    }

    /// The most probable boundary in `bytes` when nothing follows them, if
    /// there is one that is probable enough: a run that is one frame short of
    /// a proof, where the end of all bytes, or a cut frame that makes sense so
    /// far, stands for another frame.
    pub(super) fn most_probable<L: Layout>(&mut self, layout: &L, bytes: &[u8]) -> Option<usize> {
        if let Some(proven) = self.advance(layout, bytes) {
            return Some(proven);
        }
        let end = self.begin + bytes.len();
        let weight = |candidate: &Candidate| {
            let tail = end - candidate.end;
            candidate.worth + usize::from(tail == 0 || tail > layout.header_bytes())
        };
        let best = self
            .candidates
            .values()
            .filter(|candidate| candidate.worth > 0)
            .filter(|candidate| weight(candidate) + 1 >= layout.proof_frames())
            .max_by_key(|candidate| (weight(candidate), Reverse(candidate.start)))?;
        Some(self.believe(layout, *best))
    }

    /// A boundary in `bytes`, of whose packet a snap length cut `missing` more: one from which
    /// frames lead to the end of the packet, the last of them cut. That a length names
    /// the end of a packet is no chance where its frame begins behind a gap or behind another;
    /// nor is a whole frame right behind a gap.
    pub(super) fn most_probable_cut<L: Layout>(
        &mut self,
        layout: &L,
        bytes: &[u8],
        missing: u64,
    ) -> Option<usize> {
        if let Some(proven) = self.advance(layout, bytes) {
            return Some(proven);
        }
        let known = self.known(bytes);
        let ends_with_packet = |candidate: &Candidate| {
            let last = known.from(candidate.end);
            let Some(Ok(frame_bytes)) = last
                .get(..layout.header_bytes())
                .map(|header| layout.frame_bytes(header))
            else {
                return false;
            };
            frame_bytes as u64 == last.len() as u64 + missing && layout.plausible(last, frame_bytes)
        };
        self.candidates
            .values()
            .find(|candidate| {
                let is_behind_gap = Some(candidate.start) == self.origin;
                let is_whole_first = candidate.worth > 0;
                // Several messages may have been in the packet, but packets begin with one.
                (is_behind_gap && (is_whole_first || layout.trusts_first()))
                    || ((is_behind_gap || is_whole_first) && ends_with_packet(candidate))
            })
            .map(|candidate| candidate.start - self.begin)
    }

    /// Number of bytes at the start that cannot be a boundary any more; the search goes on as if
    /// they had never been.
    pub(super) fn forget_refuted(&mut self) -> usize {
        let kept = self
            .candidates
            .first_key_value()
            .map_or(self.next, |(start, _)| *start);
        let refuted = kept - self.begin;
        self.begin = kept;
        refuted
    }

    /// The boundary in the bytes that are still there.
    fn believe<L: Layout>(&self, layout: &L, candidate: Candidate) -> usize {
        let is_believed =
            candidate.is_sure || layout.trusts_first() || Some(candidate.start) == self.origin;
        let position = if is_believed {
            candidate.start
        } else {
            candidate.second
        };
        position - self.begin
    }
}

impl Candidate {
    fn at(start: usize, known: Known<'_>) -> Self {
        Self {
            start,
            second: start,
            end: start,
            worth: 0,
            begins_segment: known.segment == Some(start),
            is_sure: false,
        }
    }

    /// Whether its frames begin with a segment and end with the last one, and are one short of a
    /// proof if both count as a frame's beginning and end elsewhere do.
    fn is_whole_segments<L: Layout>(&self, layout: &L, known: Known<'_>) -> bool {
        self.begins_segment
            && self.worth > 0
            && known.segment.is_some()
            && self.end == known.end()
            && self.worth + 2 >= layout.proof_frames()
    }

    /// Follows the run as far as bytes are known.
    fn examine<L: Layout>(&mut self, layout: &L, all: Known<'_>) -> Standing {
        let mut needed = self.end;
        while needed <= all.end() {
            let known = all.from(self.end);
            let Some(header) = known.get(..layout.header_bytes()) else {
                needed = self.end + layout.header_bytes();
                continue;
            };
            let Ok(frame_bytes) = layout.frame_bytes(header) else {
                return Standing::Refuted;
            };
            let known = known.get(..frame_bytes).unwrap_or(known);
            if !layout.plausible(known, frame_bytes) {
                return Standing::Refuted;
            }
            if known.len() < frame_bytes {
                // One byte of the body refutes most candidates; the rest wait.
                let enough = if known.len() > header.len() {
                    frame_bytes
                } else {
                    header.len() + 1
                };
                needed = self.end + enough;
                continue;
            }
            let is_proof =
                all.is_last_segment(self.end, self.end + frame_bytes) && layout.proves_alone(known);
            self.end += frame_bytes;
            needed = self.end;
            if self.worth == 0 {
                self.second = self.end;
                self.is_sure = is_proof;
            }
            self.worth += if is_proof {
                layout.proof_frames()
            } else {
                layout.worth(known)
            };
            if self.worth >= layout.proof_frames() {
                return Standing::Proven;
            }
        }
        if all.trust == Trust::Segments && self.is_whole_segments(layout, all) {
            self.is_sure = true;
            return Standing::Proven;
        }
        Standing::Open { needed }
    }
}
