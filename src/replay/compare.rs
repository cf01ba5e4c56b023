//! Comparison of the peer's answers with the recorded ones.

use std::ops::Range;
use std::str::FromStr;

use regex::bytes::Regex;

use crate::wire::Direction;

/// Bytes of a stream that are kept for the report behind the first difference.
const KEPT_AFTER_DIFFERENCE: usize = 64 * 1024;

/// Bytes that a live stream may exceed its recorded one by before the rest is
/// only counted; masks need the whole of it.
const KEPT_BEYOND_RECORDED: usize = 1024 * 1024;

/// Bytes of context that a difference is kept with, on either side, and as many of its own.
pub const CONTEXT_BYTES: usize = 48;

/// The part of the answers that must be as recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compare {
    /// The bytes, whatever messages they come in.
    #[default]
    Stream,
    /// The bytes of every message.
    Messages,
    /// The types of the messages.
    Shape,
    /// Nothing but that the opening is answered as recorded.
    None,
}

impl Compare {
    /// `stream`, `messages`, `shape` or `none`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Messages => "messages",
            Self::Shape => "shape",
            Self::None => "none",
        }
    }
}

/// Bytes that may differ: `s2c:/Date: [^\r]+/` or `s2c:10..18`.
#[derive(Clone, Debug)]
pub struct Mask {
    direction: Direction,
    place: MaskedPart,
    text: String,
}

#[derive(Clone, Debug)]
enum MaskedPart {
    Pattern(Regex),
    Offsets(Range<usize>),
}

/// Why a text is no mask.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MaskError {
    /// It does not begin with a direction.
    #[error("a mask begins with c2s: or s2c:, as in 's2c:/Date: [^\\r]+/' or s2c:10..18")]
    Direction,
    /// Neither a pattern nor a range.
    #[error("a mask is a pattern between slashes or a range of offsets, not {0:?}")]
    MaskedPart(String),
    /// A range without bytes.
    #[error("the range {start}..{end} is empty")]
    EmptyRange {
        /// Its first offset.
        start: usize,
        /// The offset behind it.
        end: usize,
    },
    /// The pattern is none.
    #[error("bad pattern: {0}")]
    Pattern(#[from] regex::Error),
}

impl FromStr for Mask {
    type Err = MaskError;

    fn from_str(text: &str) -> Result<Self, MaskError> {
        let (direction, place) = text.split_once(':').ok_or(MaskError::Direction)?;
        let direction = Direction::named(direction).ok_or(MaskError::Direction)?;
        let pattern = place
            .strip_prefix('/')
            .and_then(|rest| rest.strip_suffix('/'));
        let place = match pattern {
            Some(pattern) => MaskedPart::Pattern(Regex::new(pattern)?),
            None => MaskedPart::Offsets(offsets(place)?),
        };
        Ok(Self {
            direction,
            place,
            text: text.to_owned(),
        })
    }
}

fn offsets(text: &str) -> Result<Range<usize>, MaskError> {
    let bad = || MaskError::MaskedPart(text.to_owned());
    let (start, end) = text.split_once("..").ok_or_else(bad)?;
    let start = start.parse().map_err(|_| bad())?;
    let end = end.parse().map_err(|_| bad())?;
    if start < end {
        Ok(start..end)
    } else {
        Err(MaskError::EmptyRange { start, end })
    }
}

/// The masks of a run, and whether they were of any use.
#[derive(Clone, Debug, Default)]
pub struct Masks {
    masks: Vec<Mask>,
    used: Vec<bool>,
}

impl Masks {
    /// Masks that were not used yet.
    pub fn new(masks: Vec<Mask>) -> Self {
        Self {
            used: vec![false; masks.len()],
            masks,
        }
    }

    /// The masks that never covered a byte, as they were written.
    pub fn unused(&self) -> impl Iterator<Item = &str> {
        self.masks
            .iter()
            .zip(&self.used)
            .filter(|(_, used)| !**used)
            .map(|(mask, _)| &*mask.text)
    }

    /// Whether any mask is about this direction.
    pub fn concern(&self, direction: Direction) -> bool {
        self.masks.iter().any(|mask| mask.direction == direction)
    }

    /// The parts of a stream that are covered, in order, without overlaps.
    fn cover(&mut self, direction: Direction, bytes: &[u8]) -> Vec<Range<usize>> {
        let mut covered = Vec::new();
        for (mask, used) in self.masks.iter().zip(&mut self.used) {
            if mask.direction != direction {
                continue;
            }
            let before = covered.len();
            match &mask.place {
                MaskedPart::Pattern(pattern) => covered.extend(
                    pattern
                        .find_iter(bytes)
                        .map(|found| found.range())
                        .filter(|range| !range.is_empty()),
                ),
                MaskedPart::Offsets(range) if range.start < bytes.len() => {
                    covered.push(range.start..range.end.min(bytes.len()));
                }
                MaskedPart::Offsets(_) => {}
            }
            *used |= covered.len() > before;
        }
        covered.sort_by_key(|range| range.start);
        covered.dedup_by(|next, kept| {
            let joins = next.start <= kept.end;
            if joins {
                kept.end = kept.end.max(next.end);
            }
            joins
        });
        covered
    }

    /// Whether two streams are the same but for masked bytes.
    pub fn are_equal(&mut self, direction: Direction, want: &[u8], got: &[u8]) -> bool {
        if want == got {
            // A mask still counts as used.
            self.cover(direction, want);
            return true;
        }
        self.differences(direction, want, got, 0, 1).is_empty()
    }

    /// The first `limit` runs of differing bytes; `base` is the offset of the
    /// first byte of both in their streams.
    fn differences(
        &mut self,
        direction: Direction,
        want: &[u8],
        got: &[u8],
        base: usize,
        limit: usize,
    ) -> Vec<Difference> {
        let (want_covered, got_covered) = if self.concern(direction) {
            (self.cover(direction, want), self.cover(direction, got))
        } else {
            (Vec::new(), Vec::new())
        };
        let mut want_units = Units::new(want, &want_covered);
        let mut got_units = Units::new(got, &got_covered);
        let mut found: Vec<Difference> = Vec::new();
        let mut run: Option<Run> = None;
        loop {
            let (w, g) = (want_units.next(), got_units.next());
            let ended = w.is_none() && g.is_none();
            let same = !ended && w.map(|unit| unit.byte) == g.map(|unit| unit.byte);
            if (same || ended)
                && let Some(run) = run.take()
            {
                found.push(run.finish(direction, want, got, base, want_units.at, got_units.at));
                if found.len() >= limit {
                    return found;
                }
            }
            if ended {
                return found;
            }
            if !same && run.is_none() {
                run = Some(Run {
                    want_at: w.map_or(want.len(), |unit| unit.offset),
                    got_at: g.map_or(got.len(), |unit| unit.offset),
                });
            }
        }
    }
}

/// A stream as it is compared: bytes, and covered parts as one unit each.
struct Units<'a> {
    bytes: &'a [u8],
    covered: &'a [Range<usize>],
    /// Start of the unit given last.
    at: usize,
    next: usize,
}

#[derive(Clone, Copy)]
struct Unit {
    offset: usize,
    /// `None`: a covered part.
    byte: Option<u8>,
}

impl<'a> Units<'a> {
    const fn new(bytes: &'a [u8], covered: &'a [Range<usize>]) -> Self {
        Self {
            bytes,
            covered,
            at: 0,
            next: 0,
        }
    }

    fn next(&mut self) -> Option<Unit> {
        self.at = self.next;
        if let [range, rest @ ..] = self.covered
            && range.start == self.next
        {
            let offset = self.next;
            self.next = range.end;
            self.covered = rest;
            return Some(Unit { offset, byte: None });
        }
        let byte = *self.bytes.get(self.next)?;
        let offset = self.next;
        self.next += 1;
        Some(Unit {
            offset,
            byte: Some(byte),
        })
    }
}

struct Run {
    want_at: usize,
    got_at: usize,
}

impl Run {
    fn finish(
        self,
        direction: Direction,
        want: &[u8],
        got: &[u8],
        base: usize,
        want_end: usize,
        got_end: usize,
    ) -> Difference {
        Difference {
            direction,
            offset: base + self.want_at,
            want: Excerpt::of(want, self.want_at..want_end, base),
            got: Excerpt::of(got, self.got_at..got_end, base),
        }
    }
}

/// A place where the streams differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The stream's direction.
    pub direction: Direction,
    /// Its first byte, counted from 0 in the recorded stream.
    pub offset: usize,
    /// The recorded bytes there.
    pub want: Excerpt,
    /// The live bytes.
    pub got: Excerpt,
}

/// A few bytes with those around them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// Up to [`CONTEXT_BYTES`] before them.
    pub before: Vec<u8>,
    /// The bytes themselves, up to [`CONTEXT_BYTES`].
    pub bytes: Vec<u8>,
    /// Up to [`CONTEXT_BYTES`] behind them.
    pub after: Vec<u8>,
    /// Bytes of the stream that stand before [`before`](Self::before).
    pub before_left_out: usize,
    /// Bytes that differ, too, between [`bytes`](Self::bytes) and [`after`](Self::after).
    pub bytes_left_out: usize,
    /// Bytes of the stream behind [`after`](Self::after), as far as it was kept.
    pub after_left_out: usize,
}

impl Excerpt {
    /// The bytes at `place` of a stream, of which `stream` follows the first `base` bytes.
    fn of(stream: &[u8], place: Range<usize>, base: usize) -> Self {
        let start = place.start.min(stream.len());
        let end = place.end.clamp(start, stream.len());
        let shown_end = end.min(start + CONTEXT_BYTES);
        let before = start.saturating_sub(CONTEXT_BYTES);
        let after_end = (end + CONTEXT_BYTES).min(stream.len());
        Self {
            before: stream[before..start].to_vec(),
            bytes: stream[start..shown_end].to_vec(),
            after: stream[end..after_end].to_vec(),
            before_left_out: base + before,
            bytes_left_out: end - shown_end,
            after_left_out: stream.len() - after_end,
        }
    }
}

/// Follows one live stream beside its recorded one. Costs no memory while they
/// are the same, unless masks have to be applied.
#[derive(Clone, Debug, Default)]
pub(super) struct StreamFollower {
    got_bytes: usize,
    /// The live stream from the offset on.
    kept: Option<(usize, Vec<u8>)>,
}

impl StreamFollower {
    /// Bytes that came.
    pub(super) const fn got_bytes(&self) -> usize {
        self.got_bytes
    }

    /// The live stream from its first byte on, as far as it was kept.
    pub(super) fn live(&self, recorded: &[u8]) -> Vec<u8> {
        match &self.kept {
            None => recorded[..self.got_bytes.min(recorded.len())].to_vec(),
            Some((start, kept)) => [&recorded[..(*start).min(recorded.len())], kept].concat(),
        }
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, recorded: &[u8], bytes: &[u8], masked: Masked) {
        let from = self.got_bytes;
        self.got_bytes += bytes.len();
        let as_recorded = || {
            recorded
                .get(from..self.got_bytes)
                .is_some_and(|want| want == bytes)
        };
        if self.kept.is_none() {
            if masked == Masked::No && as_recorded() {
                return;
            }
            // Up to here the streams are the same.
            let start = match masked {
                Masked::No => from.saturating_sub(CONTEXT_BYTES),
                Masked::Yes => 0,
            };
            self.kept = Some((start, recorded[start.min(recorded.len())..from].to_vec()));
        }
        if let Some((start, kept)) = &mut self.kept {
            let limit = match masked {
                Masked::No => KEPT_AFTER_DIFFERENCE,
                Masked::Yes => recorded.len() - (*start).min(recorded.len()) + KEPT_BEYOND_RECORDED,
            };
            let room = limit.saturating_sub(kept.len());
            kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }

    /// The first differences to the recorded stream. `required` bytes of it had to come; those
    /// behind them may have.
    pub(super) fn differences(
        &self,
        direction: Direction,
        recorded: &[u8],
        required: usize,
        masks: &mut Masks,
        limit: usize,
    ) -> Vec<Difference> {
        let Some((start, kept)) = &self.kept else {
            // The same as far as it goes; the caller reports missing bytes.
            return Vec::new();
        };
        let start = (*start).min(recorded.len());
        let want = &recorded[start..];
        // Bytes behind the required ones need not have come.
        let optional = recorded.len() - required.min(recorded.len());
        let missing = recorded.len().saturating_sub(self.got_bytes);
        let want = &want[..want.len() - missing.min(optional).min(want.len())];
        // Bytes cut off by a limit were not compared.
        let end = if start + kept.len() < self.got_bytes {
            kept.len().min(want.len())
        } else {
            want.len()
        };
        let mut found = masks.differences(direction, &want[..end], kept, start, limit);
        if found.is_empty() && start + kept.len() < self.got_bytes {
            let at = start + kept.len();
            found.push(Difference {
                direction,
                offset: at,
                want: Excerpt::of(recorded, at..at, 0),
                got: Excerpt::default(),
            });
        }
        found
    }
}

/// Whether masks apply to a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Masked {
    /// They do.
    Yes,
    /// They do not.
    No,
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::ServerToClient as Server;

    const ANSWER: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";

    fn masks(texts: &[&str]) -> Masks {
        Masks::new(texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    fn follow(got: &[u8], pieces: usize, masks: &mut Masks) -> Vec<Difference> {
        let masked = if masks.concern(Server) {
            Masked::Yes
        } else {
            Masked::No
        };
        let mut follower = StreamFollower::default();
        for piece in got.chunks(pieces) {
            follower.push(ANSWER, piece, masked);
        }
        assert_eq!(follower.got_bytes(), got.len());
        follower.differences(Server, ANSWER, ANSWER.len(), masks, 20)
    }

    #[test]
    fn the_same_bytes_in_any_pieces_are_the_same() {
        for pieces in 1..=ANSWER.len() {
            assert_eq!(follow(ANSWER, pieces, &mut masks(&[])), []);
            assert_eq!(follow(ANSWER, pieces, &mut masks(&["s2c:0..1"])), []);
        }
    }

    #[test]
    fn every_single_changed_byte_is_found_at_its_offset_in_any_pieces() {
        for offset in 0..ANSWER.len() {
            let mut got = ANSWER.to_vec();
            got[offset] ^= 0x01;
            for pieces in [1, 7, ANSWER.len()] {
                let found = follow(&got, pieces, &mut masks(&[]));
                assert_eq!(found.len(), 1, "offset {offset} in pieces of {pieces}");
                assert_eq!(found[0].offset, offset);
                assert_eq!(found[0].want.bytes, [ANSWER[offset]]);
                assert_eq!(found[0].got.bytes, [got[offset]]);
                assert_eq!(
                    found[0].want.before,
                    ANSWER[offset.saturating_sub(CONTEXT_BYTES)..offset]
                );
                assert_eq!(
                    found[0].want.after,
                    ANSWER[offset + 1..ANSWER.len().min(offset + 1 + CONTEXT_BYTES)]
                );
            }
        }
    }

    #[test]
    fn more_bytes_than_recorded_differ_behind_the_last() {
        let found = follow(&[ANSWER, b"!"].concat(), 5, &mut masks(&[]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].offset, ANSWER.len());
        assert_eq!(found[0].want.bytes, b"");
        assert_eq!(found[0].got.bytes, b"!");
    }

    #[test]
    fn a_masked_part_may_have_another_length() {
        let got = b"HTTP/1.0 200 OK\r\nContent-Length: 12345\r\n\r\nhello\n";
        let mut used = masks(&[r"s2c:/Content-Length: \d+/"]);
        for pieces in [1, 11, got.len()] {
            assert_eq!(follow(got, pieces, &mut used), []);
        }
        assert_eq!(used.unused().count(), 0);
        assert_ne!(
            follow(got, 9, &mut masks(&["c2s:/Content-Length: \\d+/"])),
            []
        );
    }

    #[test]
    fn a_mask_hides_nothing_beside_its_part() {
        let mut got = ANSWER.to_vec();
        got[ANSWER.len() - 2] = b'O';
        let found = follow(&got, 3, &mut masks(&["s2c:0..15"]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].offset, ANSWER.len() - 2);
    }

    #[test]
    fn a_mask_that_covers_nothing_is_told() {
        let mut some = masks(&["s2c:/Date: .*/", "s2c:0..4", "s2c:500..600", "c2s:0..1"]);
        assert_eq!(follow(ANSWER, 4, &mut some), []);
        let unused: Vec<&str> = some.unused().collect();
        assert_eq!(unused, ["s2c:/Date: .*/", "s2c:500..600", "c2s:0..1"]);
    }

    #[test]
    fn several_differences_are_told_in_order_up_to_the_limit() {
        let mut got = ANSWER.to_vec();
        for offset in [3, 4, 20, 30] {
            got[offset] ^= 0x80;
        }
        let found = follow(&got, 4, &mut masks(&[]));
        let places: Vec<(usize, usize)> = found
            .iter()
            .map(|difference| (difference.offset, difference.got.bytes.len()))
            .collect();
        assert_eq!(places, [(3, 2), (20, 1), (30, 1)]);
    }

    #[test]
    fn a_long_foreign_stream_is_cut_and_still_differs() {
        let mut follower = StreamFollower::default();
        let chunk = [b'x'; 4096];
        for _ in 0..100 {
            follower.push(ANSWER, &chunk, Masked::No);
        }
        let kept = follower.kept.as_ref().unwrap().1.len();
        assert_eq!(kept, KEPT_AFTER_DIFFERENCE);
        let found = follower.differences(Server, ANSWER, ANSWER.len(), &mut Masks::default(), 20);
        assert_eq!(found[0].offset, 0);
    }

    #[test]
    fn bad_masks_are_told_why() {
        for (text, error) in [
            ("/x/", MaskError::Direction),
            ("up:1..2", MaskError::Direction),
            ("s2c:/x", MaskError::MaskedPart("/x".to_owned())),
            ("s2c:1", MaskError::MaskedPart("1".to_owned())),
            ("s2c:a..b", MaskError::MaskedPart("a..b".to_owned())),
            ("s2c:4..4", MaskError::EmptyRange { start: 4, end: 4 }),
        ] {
            assert_eq!(text.parse::<Mask>().unwrap_err(), error, "{text}");
        }
        assert!(matches!(
            "c2s:/(/".parse::<Mask>(),
            Err(MaskError::Pattern(_))
        ));
    }
}
