//! One direction of a TCP connection: segments in any order to bytes in order.
//!
//! Rules, where a capture leaves a choice:
//! - **Overlap**: the copy seen first wins, whether it was delivered or waits.
//! - **Missing bytes**: data behind a hole are delivered after an explicit gap once the receiver
//!   has acknowledged the hole, so that it will not be sent again, and [`PATIENCE`] more packets of
//!   the connection have passed, because a capture can hold an acknowledgment before the
//!   acknowledged data. Also when a bound on waiting data is reached, and when the stream ends.
//! - **Start in mid-stream**: the first segments may be out of order, so up to
//!   [`COLLECTED_SEGMENTS`] wait, or until the peer acknowledges the earliest.
//! - **Far away**: a segment more than [`WINDOW`] bytes from the next expected
//!   one is ignored, unless [`RESYNC_SEGMENTS`] of them continue each other.

use std::collections::BTreeMap;
use std::mem;

use super::captured::Captured;
use super::runs::{RUN_BYTES, RUN_LEAF_BYTES, Runs};
use super::slice::TcpHeader;
use super::{Delivery, Side, StreamEnd};

/// The furthest from the next expected byte that a segment is believed, in bytes. Sixteen times the
/// bound on waiting data, and a 256th of the sequence space.
pub(super) const WINDOW: u64 = 16 << 20;

/// Packets of the connection, after the acknowledgment of missing bytes, for
/// which these are still awaited.
pub(super) const PATIENCE: u8 = 3;

/// Segments that wait at a start in mid-stream.
pub(super) const COLLECTED_SEGMENTS: u8 = 3;

/// Segments far away, each beginning where the one before ended, that move the
/// stream there.
pub(super) const RESYNC_SEGMENTS: u8 = 3;

/// Memory of a waiting segment beside its bytes, with the run that it may be.
const HELD_OVERHEAD: usize = 96 + RUN_BYTES;

/// Memory of the trees of waiting segments from the first of them on: eleven in a leaf, and its
/// head.
const LEAF_BYTES: usize = 11 * size_of::<(u64, Held)>() + 16 + RUN_LEAF_BYTES;

/// Bounds and counters that all streams share.
#[derive(Debug)]
pub(super) struct Pool {
    /// Most bytes that may wait in one direction.
    pub(super) stream_limit: usize,
    /// Most bytes that may wait in all directions.
    pub(super) total_limit: usize,
    /// Bytes that wait in all directions.
    pub(super) held: usize,
    pub(super) counts: StreamCounts,
}

/// Counts of all TCP streams so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamCounts {
    /// Bytes that had been seen before: retransmissions, keep-alives.
    pub repeated_bytes: u64,
    /// Segments whose sequence numbers are too far from the expected ones.
    pub far_segments: u64,
    /// Segments with data behind the end of their direction.
    pub late_segments: u64,
    /// Gaps of known length.
    pub gaps: u64,
    /// Bytes missing in them.
    pub missing_bytes: u64,
    /// Bytes that a snap length cut.
    pub cut_bytes: u64,
    /// Segments that receivers ignore: see [`Ignored`](super::Ignored).
    pub ignored_segments: u64,
    /// Gaps that were declared because too much waited behind them.
    pub forced_gaps: u64,
}

/// One direction of a TCP connection.
///
/// Positions are sequence numbers that do not wrap: the low 32 bits are the sequence number. The
/// first position lies one turn above zero, so that bytes before it have a position, too.
///
/// There are two for each of many idle connections, and the parts that each segment looks at
/// should lie in one cache line: so nothing takes more bytes than it must.
#[derive(Debug)]
pub(super) struct Stream {
    /// Position of the first byte of the stream, or of its first byte in the capture.
    origin: u64,
    /// Position of the next byte to deliver.
    next: u64,
    disorder: Option<Box<Disorder>>,
    /// The newest acknowledgment of the peer, if `has_acknowledgment`.
    acknowledgment: u32,
    has_acknowledgment: bool,
    phase: Phase,
    from: Side,
}

/// The segments out of order in a direction, and its end. They lie apart, because most directions
/// have none and there are many directions.
#[derive(Debug, Default)]
struct Disorder {
    /// Data waiting for missing bytes, by position; nothing overlaps.
    held: BTreeMap<u64, Held>,
    /// Where they are, without the boundaries between those that touch.
    runs: Runs<u64>,
    held_cost: usize,
    /// Position of FIN, once seen.
    fin: Option<u64>,
    doubt: Option<Doubt>,
    far: Option<Far>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing that has a position was seen.
    Unseen,
    /// Began in mid-stream; this many segments wait for an earlier one.
    Collecting(u8),
    Flowing,
    Ended,
}

#[derive(Debug)]
struct Held {
    bytes: Box<[u8]>,
    missing: usize,
    whole: bool,
}

impl Held {
    fn end(&self, start: u64) -> u64 {
        start + (self.bytes.len() + self.missing) as u64
    }

    fn cost(&self) -> usize {
        self.bytes.len() + HELD_OVERHEAD
    }
}

/// Missing bytes that the peer has acknowledged.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    /// Position behind the last of them.
    acknowledged: u64,
    /// Packets of the connection since.
    packets: u8,
}

/// Segments far away.
#[derive(Clone, Copy, Debug)]
struct Far {
    /// Sequence number behind the last one.
    next: u32,
    /// Number of segments that continue each other.
    segments: u8,
}

/// A part of the stream.
#[derive(Clone, Copy, Debug)]
struct Piece<'a> {
    start: u64,
    data: Captured<'a>,
    /// Whether it is the payload of a segment, untrimmed.
    whole: bool,
}

impl<'a> Piece<'a> {
    fn end(&self) -> u64 {
        self.start + self.data.len() as u64
    }

    /// The part from `position` on.
    fn from(self, position: u64) -> Self {
        let Some(before @ 1..) = position.checked_sub(self.start) else {
            return self;
        };
        Self {
            start: position.min(self.end()),
            data: self
                .data
                .after(usize::try_from(before).unwrap_or(usize::MAX)),
            whole: false,
        }
    }

    /// The part before `position`.
    fn until(self, position: u64) -> Self {
        if self.end() <= position {
            return self;
        }
        let length = position.saturating_sub(self.start);
        Self {
            start: self.start,
            data: self
                .data
                .first(usize::try_from(length).unwrap_or(usize::MAX)),
            whole: false,
        }
    }
}

impl Disorder {
    fn keep(&mut self, piece: Piece<'_>, pool: &mut Pool) {
        let held = Held {
            bytes: piece.data.bytes().into(),
            missing: piece.data.missing(),
            whole: piece.whole,
        };
        self.held_cost += held.cost();
        pool.held += held.cost();
        self.held.insert(piece.start, held);
    }
}

impl Stream {
    pub(super) const fn new(from: Side) -> Self {
        Self {
            from,
            phase: Phase::Unseen,
            origin: 0,
            next: 0,
            disorder: None,
            acknowledgment: 0,
            has_acknowledgment: false,
        }
    }

    /// See [`Connection::touch`](super::connection::Connection::touch).
    #[inline]
    pub(super) const fn touch(&self) -> u64 {
        self.origin ^ self.acknowledgment as u64
    }

    /// Bytes of memory that disorder takes beside the segments, which the [`Pool`] counts.
    #[inline]
    pub(super) fn held_bytes(&self) -> usize {
        self.disorder.as_ref().map_or(0, |disorder| {
            let leaf = if disorder.held.is_empty() {
                0
            } else {
                LEAF_BYTES
            };
            size_of::<Disorder>() + leaf
        })
    }

    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// Whether nothing is known of this direction yet.
    pub(super) fn is_unseen(&self) -> bool {
        self.phase == Phase::Unseen
    }

    /// Whether a SYN after which the stream begins at `sequence` can be the one
    /// of this stream.
    pub(super) fn may_begin_at(&self, sequence: u32) -> bool {
        match self.phase {
            Phase::Unseen => true,
            Phase::Collecting(_) => {
                let begin = unwrap(self.next, sequence);
                begin <= self.earliest() && self.earliest() - begin <= WINDOW
            }
            Phase::Flowing | Phase::Ended => unwrap(self.origin, sequence) == self.origin,
        }
    }

    /// The offset of `sequence` behind the stream's first byte; `None` when it lies before it or
    /// nothing is known.
    pub(super) fn offset_of(&self, sequence: u32) -> Option<u64> {
        match self.phase {
            Phase::Unseen | Phase::Collecting(_) => None,
            Phase::Flowing | Phase::Ended => unwrap(self.origin, sequence).checked_sub(self.origin),
        }
    }

    /// The stream begins at `sequence`: its SYN was seen, or an answer to it.
    pub(super) fn begin_at(&mut self, sequence: u32) {
        let begin = match self.phase {
            Phase::Unseen => first_position(sequence),
            Phase::Collecting(_) => unwrap(self.next, sequence),
            Phase::Flowing | Phase::Ended => return,
        };
        self.phase = Phase::Flowing;
        self.origin = begin;
        self.next = begin;
    }

    /// The peer acknowledged everything before `sequence`.
    pub(super) fn acknowledge(&mut self, sequence: u32) {
        self.acknowledgment = sequence;
        self.has_acknowledgment = true;
    }

    /// Takes a segment; delivers the data that it completes.
    pub(super) fn segment<E>(
        &mut self,
        header: &TcpHeader,
        payload: Captured<'_>,
        pool: &mut Pool,
        emit: &mut impl FnMut(Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if payload.is_empty() && !header.fin {
            return Ok(());
        }
        // SYN itself takes a place in the sequence (RFC 9293, 3.4).
        let sequence = header.sequence.wrapping_add(u32::from(header.syn));
        match self.phase {
            Phase::Ended => {
                pool.counts.late_segments += u64::from(!payload.is_empty());
                return Ok(());
            }
            Phase::Unseen => {
                self.phase = Phase::Collecting(0);
                self.next = first_position(sequence);
            }
            Phase::Collecting(_) | Phase::Flowing => {}
        }
        let start = unwrap(self.next, sequence);
        if start.abs_diff(self.next) > WINDOW {
            return self.far_segment(sequence, payload, pool, emit);
        }
        if let Some(disorder) = &mut self.disorder {
            disorder.far = None;
        }
        let piece = Piece {
            start,
            data: payload,
            whole: true,
        };
        let fin = self.fin();
        let brings_end = header.fin && fin.is_none() && piece.end() >= self.seen_until();
        let end = piece.end();
        self.take(fin.map_or(piece, |fin| piece.until(fin)), pool, emit)?;
        if brings_end {
            // Most often nothing is missing before it, and it need not be kept.
            if self.phase == Phase::Flowing && self.next == end {
                return self.end(StreamEnd::Fin, pool, emit);
            }
            self.disorder.get_or_insert_default().fin = Some(end);
        }
        self.deliver_ready(pool, emit)
    }

    fn take<E>(
        &mut self,
        piece: Piece<'_>,
        pool: &mut Pool,
        emit: &mut impl FnMut(Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Phase::Collecting(segments) = &mut self.phase {
            *segments = segments.saturating_add(1);
            self.hold(piece, pool);
            return Ok(());
        }
        let fresh = piece.from(self.next);
        pool.counts.repeated_bytes += (piece.data.len() - fresh.data.len()) as u64;
        if fresh.data.is_empty() {
            return Ok(());
        }
        let in_order =
            fresh.start == self.next && self.first_held().is_none_or(|held| fresh.end() <= held);
        if in_order {
            self.deliver(fresh, pool, emit)
        } else {
            self.hold(fresh, pool);
            Ok(())
        }
    }

    /// Keeps those parts of `piece` that do not wait already.
    fn hold(&mut self, piece: Piece<'_>, pool: &mut Pool) {
        let disorder = self.disorder.get_or_insert_default();
        // Taken out, since it is walked over while what it lacks is kept.
        let mut runs = mem::take(&mut disorder.runs);
        let mut kept = 0;
        runs.cover(piece.start..piece.end(), |free| {
            let part = piece.from(free.start).until(free.end);
            kept += part.data.len();
            disorder.keep(part, pool);
        });
        disorder.runs = runs;
        pool.counts.repeated_bytes += (piece.data.len() - kept) as u64;
    }

    /// Delivers data that wait for nothing any more, and gives up waiting where a bound is reached.
    fn deliver_ready<E>(
        &mut self,
        pool: &mut Pool,
        emit: &mut impl FnMut(Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Phase::Collecting(segments) = self.phase {
            let is_full = self.is_over_limit(pool) || segments >= COLLECTED_SEGMENTS;
            if !is_full && !self.is_earliest_awaited() {
                return Ok(());
            }
            self.begin_in_mid_stream(emit)?;
        }
        if self.awaits_nothing() {
            return Ok(());
        }
        self.drain(pool, emit)?;
        while self.is_over_limit(pool) && self.first_held().is_some() {
            pool.counts.forced_gaps += 1;
            self.skip_hole(pool, emit)?;
        }
        Ok(())
    }

    fn is_over_limit(&self, pool: &Pool) -> bool {
        let held_cost = self
            .disorder
            .as_ref()
            .map_or(0, |disorder| disorder.held_cost);
        held_cost > pool.stream_limit || pool.held > pool.total_limit
    }

    /// Whether the peer has everything before the earliest byte that waits.
    fn is_earliest_awaited(&self) -> bool {
        self.acknowledged_position()
            .is_some_and(|acknowledged| acknowledged >= self.earliest())
    }

    /// The peer's acknowledgment as a position, if it is plausible.
    fn acknowledged_position(&self) -> Option<u64> {
        if !self.has_acknowledgment {
            return None;
        }
        let position = unwrap(self.next, self.acknowledgment);
        (position.abs_diff(self.next) <= WINDOW).then_some(position)
    }

    /// The end of the last data seen so far: a FIN before it is not believed.
    fn seen_until(&self) -> u64 {
        self.disorder
            .as_ref()
            .and_then(|disorder| disorder.held.last_key_value())
            .map_or(self.next, |(&start, held)| held.end(start))
    }

    /// The start of waiting data; the next expected byte when none waits.
    fn earliest(&self) -> u64 {
        self.awaiting().unwrap_or(self.next)
    }

    /// Whether neither data nor an end waits for missing bytes before it.
    #[inline]
    fn awaits_nothing(&self) -> bool {
        self.disorder
            .as_ref()
            .is_none_or(|disorder| disorder.fin.is_none() && disorder.held.is_empty())
    }

    /// Position of FIN, once seen.
    #[inline]
    fn fin(&self) -> Option<u64> {
        self.disorder.as_ref()?.fin
    }

    /// Start of the first data that wait for missing bytes.
    #[inline]
    fn first_held(&self) -> Option<u64> {
        let (&start, _) = self.disorder.as_ref()?.held.first_key_value()?;
        Some(start)
    }

    /// The end of the first hole, if something waits behind it.
    fn awaiting(&self) -> Option<u64> {
        self.first_held().into_iter().chain(self.fin()).min()
    }

    fn begin_in_mid_stream<E>(
        &mut self,
        emit: &mut impl FnMut(Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.phase = Phase::Flowing;
        self.next = self.earliest();
        self.origin = self.next;
        if self.first_held().is_none() {
            // A FIN without data: as far as the capture goes, nothing is missing.
            return Ok(());
        }
        emit(Delivery::Gap {
            from: self.from,
            missing_bytes: None,
        })
    }

    /// Delivers the data waiting at the next position, and the end if it is there.
    fn drain<E>(
        &mut self,
        pool: &mut Pool,
        emit: &mut impl FnMut(Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.first_held() == Some(self.next)
            && let Some(disorder) = &mut self.disorder
        {
            // All of it is delivered now.
            disorder.runs.remove_first();
        }
        while let Some(disorder) = &mut self.disorder
            && let Some(first) = disorder.held.first_entry()
        {
            if *first.key() != self.next {
                break;
            }
            let held = first.remove();
            if disorder.held.is_empty() {
                // An empty tree keeps its last leaf.
                disorder.held = BTreeMap::new();
            }
            disorder.held_cost -= held.cost();
            pool.held -= held.cost();
            let piece = Piece {
                start: self.next,
                data: Captured::new(&held.bytes, held.missing),
                whole: held.whole,
            };
            self.deliver(piece, pool, emit)?;
        }
        if self.fin() == Some(self.next) {
            self.end(StreamEnd::Fin, pool, emit)?;
        }
        Ok(())
    }

    /// Delivers the next bytes.
    fn deliver<E>(
        &mut self,
        piece: Piece<'_>,
        pool: &mut Pool,
        emit: &mut impl FnMut(Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let data = piece.data;
        if !data.bytes().is_empty() {
            self.next += data.bytes().len() as u64;
            emit(Delivery::Bytes {
                from: self.from,
                bytes: data.bytes(),
                whole_segment: piece.whole,
                cut_bytes: u32::try_from(data.missing()).unwrap_or(u32::MAX),
            })?;
        }
        let missing = data.missing() as u64;
        if missing == 0 {
            return Ok(());
        }
        self.next += missing;
        pool.counts.cut_bytes += missing;
        emit(Delivery::Cut {
            from: self.from,
            missing_bytes: missing,
        })
    }

    fn gap_until<E>(
        &mut self,
        position: u64,
        pool: &mut Pool,
        emit: &mut impl FnMut(Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let missing = position - self.next;
        if missing == 0 {
            return Ok(());
        }
        pool.counts.gaps += 1;
        pool.counts.missing_bytes += missing;
        self.next = position;
        emit(Delivery::Gap {
            from: self.from,
            missing_bytes: Some(missing),
        })
    }

    /// Waits no longer for the first missing bytes.
    fn skip_hole<E>(
        &mut self,
        pool: &mut Pool,
        emit: &mut impl FnMut(Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.gap_until(self.earliest(), pool, emit)?;
        self.drain(pool, emit)
    }

    /// To be called after each packet of the connection, of either direction.
    #[inline]
    pub(super) fn packet_passed<E>(
        &mut self,
        pool: &mut Pool,
        emit: &mut impl FnMut(Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.awaits_nothing() {
            return Ok(());
        }
        self.be_patient(pool, emit)
    }

    /// After a packet while something waits.
    fn be_patient<E>(
        &mut self,
        pool: &mut Pool,
        emit: &mut impl FnMut(Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(awaiting) = self.awaiting() else {
            return Ok(());
        };
        if self.phase != Phase::Flowing {
            return self.deliver_ready(pool, emit);
        }
        let Some(acknowledged) = self.acknowledged_position().filter(|&ack| ack >= awaiting) else {
            self.forget_doubt();
            return Ok(());
        };
        let Some(disorder) = &mut self.disorder else {
            return Ok(());
        };
        let doubt = match &mut disorder.doubt {
            Some(doubt) if doubt.acknowledged >= awaiting => doubt,
            doubt => {
                *doubt = Some(Doubt {
                    acknowledged,
                    packets: 0,
                });
                return Ok(());
            }
        };
        doubt.packets += 1;
        if doubt.packets < PATIENCE {
            return Ok(());
        }
        let believed = doubt.acknowledged;
        self.forget_doubt();
        while self.phase == Phase::Flowing && self.awaiting().is_some_and(|end| end <= believed) {
            self.skip_hole(pool, emit)?;
        }
        Ok(())
    }

    fn forget_doubt(&mut self) {
        if let Some(disorder) = &mut self.disorder {
            disorder.doubt = None;
        }
    }

    fn far_segment<E>(
        &mut self,
        sequence: u32,
        payload: Captured<'_>,
        pool: &mut Pool,
        emit: &mut impl FnMut(Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        pool.counts.far_segments += 1;
        if payload.is_empty() {
            return Ok(());
        }
        let far = &mut self.disorder.get_or_insert_default().far;
        let segments = match *far {
            Some(far) if far.next == sequence => far.segments + 1,
            _ => 1,
        };
        if segments < RESYNC_SEGMENTS {
            let next = low_bits(u64::from(sequence) + payload.len() as u64);
            *far = Some(Far { next, segments });
            return Ok(());
        }
        *far = None;
        self.release_all(pool, emit)?;
        if self.phase == Phase::Ended {
            return Ok(());
        }
        // The number of wraps of the sequence in between is not known; the least will do.
        let distance = sequence.wrapping_sub(low_bits(self.next));
        self.gap_until(self.next + u64::from(distance), pool, emit)?;
        let piece = Piece {
            start: self.next,
            data: payload,
            whole: true,
        };
        self.deliver(piece, pool, emit)
    }

    /// Delivers everything that waits.
    fn release_all<E>(
        &mut self,
        pool: &mut Pool,
        emit: &mut impl FnMut(Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if matches!(self.phase, Phase::Collecting(_)) {
            self.begin_in_mid_stream(emit)?;
            self.drain(pool, emit)?;
        }
        while self.phase == Phase::Flowing && self.awaiting().is_some() {
            self.skip_hole(pool, emit)?;
        }
        Ok(())
    }

    /// No more segments will come: delivers all waiting data, reports bytes that the peer
    /// acknowledged but the capture does not hold, and ends.
    pub(super) fn finish<E>(
        &mut self,
        how: StreamEnd,
        pool: &mut Pool,
        emit: &mut impl FnMut(Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.release_all(pool, emit)?;
        if self.phase == Phase::Ended {
            return Ok(());
        }
        if self.phase == Phase::Flowing
            && let Some(acknowledged) = self.acknowledged_position()
            // One more than was seen may be a FIN.
            && acknowledged > self.next + 1
        {
            self.gap_until(acknowledged, pool, emit)?;
        }
        self.end(how, pool, emit)
    }

    fn end<E>(
        &mut self,
        how: StreamEnd,
        pool: &mut Pool,
        emit: &mut impl FnMut(Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.phase = Phase::Ended;
        if let Some(disorder) = self.disorder.take() {
            pool.held -= disorder.held_cost;
        }
        emit(Delivery::End {
            from: self.from,
            how,
        })
    }

    /// Whether a receiver takes a RST with this sequence number (RFC 5961, 3.2): the next that it
    /// expects. It may have more than the capture holds: bytes that it acknowledged, or those
    /// waiting here for missing ones. In a stream of which little is known anything near is
    /// believed.
    pub(super) fn takes_reset_at(&self, sequence: u32) -> bool {
        let position = unwrap(self.next, sequence);
        match self.phase {
            Phase::Unseen => true,
            // FIN takes a place in the sequence, too.
            Phase::Collecting(_) | Phase::Ended => position.abs_diff(self.next) <= WINDOW,
            Phase::Flowing => {
                position == self.next
                    || position == self.seen_until()
                    || self.acknowledged_position() == Some(position)
            }
        }
    }

    /// The distance of `sequence` ahead of the next expected byte.
    pub(super) const fn ahead(&self, sequence: u32) -> i64 {
        sequence.wrapping_sub(low_bits(self.next)).cast_signed() as i64
    }
}

const fn first_position(sequence: u32) -> u64 {
    (1 << 32) + sequence as u64
}

/// The position with this sequence number that is nearest to `reference`.
const fn unwrap(reference: u64, sequence: u32) -> u64 {
    let distance = sequence.wrapping_sub(low_bits(reference)).cast_signed();
    reference.wrapping_add_signed(distance as i64)
}

/// The sequence number at a position: wraps by intention.
const fn low_bits(position: u64) -> u32 {
    position as u32
}

#[cfg(test)]
mod tests;
