//! The search for a frame boundary in bytes of which nobody knows where they lie.
//!
//! Every position is a candidate until the frames that would follow it stop
//! making sense. The place is proven by the candidate whose run of plausible
//! frames is complete first in the stream, so that the answer does not depend
//! on how the bytes arrive, and no candidate has to wait for another.

use super::Layout;

/// Candidates in a run of bytes that only grows at its end.
#[derive(Debug)]
pub(super) struct Search {
    /// The first byte behind a gap: frames often begin there, because a
    /// sender's writes and the segments that got lost do.
    origin: Option<usize>,
    /// The next position to look at.
    next: usize,
    /// In the order of their starts.
    candidates: Vec<Candidate>,
}

/// A position from which everything known so far makes sense.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    start: usize,
    /// The end of its first frame.
    second: usize,
    /// The end of its last whole frame.
    end: usize,
    /// What the whole frames from `start` to `end` are worth.
    worth: usize,
    /// Bytes that must be known before there is more to say.
    needed: usize,
}

enum Standing {
    Refuted,
    Open,
    Proven,
}

impl Search {
    /// The first byte may be a boundary.
    pub(super) const fn from_origin() -> Self {
        Self {
            origin: Some(0),
            next: 0,
            candidates: Vec::new(),
        }
    }

    /// The first byte is known not to be a boundary.
    pub(super) const fn behind_origin() -> Self {
        Self {
            origin: None,
            next: 1,
            candidates: Vec::new(),
        }
    }

    /// A proven boundary in `bytes`, which begin where they did at the last
    /// call, or behind what [`Self::forget_refuted`] named, and may have grown.
    pub(super) fn advance<L: Layout>(&mut self, layout: &L, bytes: &[u8]) -> Option<usize> {
        let mut first: Option<Candidate> = None;
        let mut keep = |candidate: &mut Candidate| match candidate.examine(layout, bytes) {
            Standing::Refuted => false,
            Standing::Open => true,
            Standing::Proven => {
                if first.is_none_or(|first| candidate.end < first.end) {
                    first = Some(*candidate);
                }
                false
            }
        };
        self.candidates.retain_mut(&mut keep);
        // A candidate has at least one byte behind its header: see `examine`.
        let looked_at = bytes.len().saturating_sub(layout.header_bytes());
        for start in self.next..looked_at {
            let mut candidate = Candidate::at(start);
            if keep(&mut candidate) {
                self.candidates.push(candidate);
            }
        }
        self.next = self.next.max(looked_at);
        first.map(|candidate| self.believe(layout, candidate))
    }

    /// The most probable boundary in `bytes` when nothing follows them, if
    /// there is one that is probable enough: a run that is one frame short of
    /// a proof, where the end of all bytes, or a cut frame that makes sense so
    /// far, stands for another frame.
    pub(super) fn settle<L: Layout>(&mut self, layout: &L, bytes: &[u8]) -> Option<usize> {
        if let Some(proven) = self.advance(layout, bytes) {
            return Some(proven);
        }
        let weight = |candidate: &Candidate| {
            let tail = bytes.len() - candidate.end;
            candidate.worth + usize::from(tail == 0 || tail > layout.header_bytes())
        };
        let best = self
            .candidates
            .iter()
            .filter(|candidate| candidate.worth > 0)
            .filter(|candidate| weight(candidate) + 1 >= layout.proof_frames())
            .max_by_key(|candidate| (weight(candidate), std::cmp::Reverse(candidate.start)))?;
        Some(self.believe(layout, *best))
    }

    /// How many bytes at the start cannot be a boundary any more; the search
    /// goes on as if they had never been.
    pub(super) fn forget_refuted(&mut self) -> usize {
        let refuted = self
            .candidates
            .first()
            .map_or(self.next, |candidate| candidate.start);
        if refuted > 0 {
            self.origin = None;
        }
        self.next -= refuted;
        for candidate in &mut self.candidates {
            candidate.start -= refuted;
            candidate.second -= refuted;
            candidate.end -= refuted;
            candidate.needed -= refuted;
        }
        refuted
    }

    fn believe<L: Layout>(&self, layout: &L, candidate: Candidate) -> usize {
        if layout.trusts_first() || Some(candidate.start) == self.origin {
            candidate.start
        } else {
            candidate.second
        }
    }
}

impl Candidate {
    const fn at(start: usize) -> Self {
        Self {
            start,
            second: start,
            end: start,
            worth: 0,
            needed: start,
        }
    }

    /// Follows the run as far as `bytes` are known.
    fn examine<L: Layout>(&mut self, layout: &L, bytes: &[u8]) -> Standing {
        while self.needed <= bytes.len() {
            let known = &bytes[self.end..];
            let Some(header) = known.get(..layout.header_bytes()) else {
                self.needed = self.end + layout.header_bytes();
                return Standing::Open;
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
                self.needed = self.end + enough;
                continue;
            }
            self.end += frame_bytes;
            self.needed = self.end;
            if self.worth == 0 {
                self.second = self.end;
            }
            self.worth += layout.worth(known);
            if self.worth >= layout.proof_frames() {
                return Standing::Proven;
            }
        }
        Standing::Open
    }
}
