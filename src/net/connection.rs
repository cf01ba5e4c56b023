//! A TCP connection: the effect of its flags on its two streams.

use super::captured::Captured;
use super::flow_key::Sender;
use super::reassembly::{PATIENCE, Pool, Stream, WINDOW};
use super::slice::TcpHeader;
use super::{Delivery, Ignored, Side, StreamEnd};

/// The most data of a SYN (TCP Fast Open, RFC 7413), so the furthest behind the SYN that the answer
/// may acknowledge, in bytes.
const MAX_SYN_DATA: u64 = 65_535;

/// The two streams of a TCP connection.
#[derive(Debug)]
pub(super) struct Connection {
    streams: [Stream; 2],
    doubtful: Option<Box<Doubtful>>,
}

/// Segments whose acceptance by the receiver only later ones show.
#[derive(Debug, Default)]
struct Doubtful {
    reset: Option<DoubtfulReset>,
    opening: Option<Opening>,
}

/// A RST that lies elsewhere than the next expected byte. A receiver ignores it, unless the
/// capture lacks what lies between.
#[derive(Clone, Copy, Debug)]
struct DoubtfulReset {
    from: Side,
    sequence: u32,
    ahead_bytes: i64,
    /// Segments with data that its sender sent afterwards.
    segments: u8,
}

/// A SYN within an open connection. A receiver ignores it, unless it knows nothing of that
/// connection any more, and answers.
#[derive(Clone, Debug)]
pub(super) struct Opening {
    pub(super) sender: Sender,
    pub(super) header: TcpHeader,
    pub(super) payload: Box<[u8]>,
    from: Side,
}

/// The relation of a segment to a connection on its addresses and ports.
#[derive(Clone, Debug)]
pub(super) enum Claim {
    /// A part of it.
    Belongs,
    /// It begins another one.
    Begins,
    /// It shows that this earlier one began another.
    Confirms(Box<Opening>),
    /// It may begin another one; later segments will show.
    Waits,
}

impl Connection {
    pub(super) const fn new() -> Self {
        Self {
            streams: [Stream::new(Side::Initiator), Stream::new(Side::Responder)],
            doubtful: None,
        }
    }

    /// Whether a segment can be the first of a connection: bare acknowledgments, FIN and RST are
    /// left over from an old one.
    pub(super) fn may_begin_with(header: &TcpHeader, payload: Captured<'_>) -> bool {
        !header.rst && (header.syn || !payload.is_empty())
    }

    /// Whether a segment belongs to this connection or to another one on the same addresses
    /// and ports, and keeps one that only later ones explain.
    pub(super) fn claim(
        &mut self,
        from: Side,
        sender: Sender,
        header: &TcpHeader,
        payload: Captured<'_>,
    ) -> Claim {
        if header.syn && !header.rst {
            return self.claim_opening(from, sender, header, payload);
        }
        let Some(opening) = self
            .doubtful
            .as_ref()
            .and_then(|doubtful| doubtful.opening.as_ref())
        else {
            return Claim::Belongs;
        };
        let begin = opening.header.sequence.wrapping_add(1);
        let confirms = if from == opening.from {
            // Where the open connection expects this byte next, the segment may as well be its own.
            header.sequence == begin && !self.stream(from).takes_reset_at(begin)
        } else {
            header
                .acknowledgment
                .is_some_and(|ack| opening.is_answered_by(ack))
        };
        match confirms.then(|| self.take_opening()).flatten() {
            Some(opening) => Claim::Confirms(Box::new(opening)),
            None => Claim::Belongs,
        }
    }

    fn claim_opening(
        &mut self,
        from: Side,
        sender: Sender,
        header: &TcpHeader,
        payload: Captured<'_>,
    ) -> Claim {
        let is_request = header.acknowledgment.is_none();
        // Whoever is done may begin anew at once, with any sequence number.
        if self.is_over() && is_request {
            return Claim::Begins;
        }
        let peer = self.stream(from.opposite());
        if self
            .stream(from)
            .may_begin_at(header.sequence.wrapping_add(1))
        {
            let answers_this = |acknowledgment| {
                peer.offset_of(acknowledgment)
                    .is_some_and(|offset| offset <= MAX_SYN_DATA)
            };
            let answers_another = self.stream(from).is_unseen()
                && !peer.is_unseen()
                && header.acknowledgment.is_some_and(|ack| !answers_this(ack));
            if !answers_another {
                return Claim::Belongs;
            }
        } else if self.is_over() {
            return Claim::Begins;
        }
        let answered = self
            .doubtful
            .as_ref()
            .and_then(|doubtful| doubtful.opening.as_ref())
            .is_some_and(|opening| {
                opening.from != from
                    && header
                        .acknowledgment
                        .is_some_and(|ack| opening.is_answered_by(ack))
            });
        if answered && let Some(opening) = self.take_opening() {
            return Claim::Confirms(Box::new(opening));
        }
        if self.stream(from).is_unseen() {
            return Claim::Begins;
        }
        self.doubtful.get_or_insert_default().opening = Some(Opening {
            sender,
            header: *header,
            payload: payload.bytes().into(),
            from,
        });
        Claim::Waits
    }

    fn take_opening(&mut self) -> Option<Opening> {
        self.doubtful.as_mut()?.opening.take()
    }

    /// Bytes of memory that disorder takes beside the segments, which the [`Pool`] counts, and a SYN
    /// that only later segments explain.
    #[inline]
    pub(super) fn held_bytes(&self) -> usize {
        let disorder: usize = self.streams.iter().map(Stream::held_bytes).sum();
        disorder + self.doubtful_bytes()
    }

    /// Those of them that a [`claim`](Self::claim) may change.
    #[inline]
    pub(super) fn doubtful_bytes(&self) -> usize {
        self.doubtful.as_ref().map_or(0, |doubtful| {
            let opening = doubtful.opening.as_ref();
            size_of::<Doubtful>() + opening.map_or(0, |opening| opening.payload.len())
        })
    }

    /// Reads the fields that a segment needs, so that they are in the cache when one comes.
    #[inline]
    pub(super) fn touch(&self) -> u64 {
        let [one, other] = &self.streams;
        one.touch() ^ other.touch() ^ u64::from(self.doubtful.is_some())
    }

    /// Whether both streams ended.
    pub(super) fn is_over(&self) -> bool {
        self.streams.iter().all(Stream::is_over)
    }

    /// Takes a segment; delivers the data that it completes in either direction.
    pub(super) fn segment<E>(
        &mut self,
        from: Side,
        header: &TcpHeader,
        payload: Captured<'_>,
        pool: &mut Pool,
        emit: &mut impl FnMut(Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if header.rst {
            return self.reset(from, header, pool, emit);
        }
        if header.syn {
            self.stream_mut(from)
                .begin_at(header.sequence.wrapping_add(1));
        }
        if let Some(acknowledgment) = header.acknowledgment {
            let peer = self.stream_mut(from.opposite());
            if header.syn && peer.is_unseen() {
                // The answer to a SYN that is not in the capture shows where it began.
                peer.begin_at(acknowledgment);
            }
            peer.acknowledge(acknowledgment);
        }
        // A bare ACK shows nothing: receivers send one for a segment that they ignore (RFC 5961,
        // 3.2, 4.2).
        if self.doubtful.is_some() && (header.fin || !payload.is_empty()) {
            self.end_doubts(from, header, payload, pool, emit)?;
        }
        self.stream_mut(from).segment(header, payload, pool, emit)?;
        for stream in &mut self.streams {
            stream.packet_passed(pool, emit)?;
        }
        Ok(())
    }

    /// Data go on: the receiver ignored the segment that would have ended this connection.
    fn end_doubts<E>(
        &mut self,
        from: Side,
        header: &TcpHeader,
        payload: Captured<'_>,
        pool: &mut Pool,
        emit: &mut impl FnMut(Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(doubtful) = &mut self.doubtful else {
            return Ok(());
        };
        let mut ignored = [None; 2];
        if let Some(opening) = doubtful.opening.take() {
            ignored[0] = Some((opening.from, Ignored::Opening));
        }
        if let Some(reset) = &mut doubtful.reset
            && reset.from == from
        {
            reset.segments += 1;
            let end = header
                .sequence
                .wrapping_add(u32::try_from(payload.len()).unwrap_or(u32::MAX));
            let is_beyond = end.wrapping_sub(reset.sequence).cast_signed() > 0;
            // A capture may hold a RST before the data that it follows.
            if is_beyond || header.fin || reset.segments >= PATIENCE {
                let ahead_bytes = reset.ahead_bytes;
                ignored[1] = Some((from, Ignored::Reset { ahead_bytes }));
                doubtful.reset = None;
            }
        }
        if doubtful.reset.is_none() && doubtful.opening.is_none() {
            self.doubtful = None;
        }
        for (from, what) in ignored.into_iter().flatten() {
            pool.counts.ignored_segments += 1;
            emit(Delivery::Ignored { from, what })?;
        }
        Ok(())
    }

    /// RST ends both directions if the receiver takes it (RFC 9293, 3.5.3; RFC 5961, 3.2); where it
    /// is elsewhere, the next segments decide. A payload in it is an error text, not data of the
    /// stream.
    fn reset<E>(
        &mut self,
        from: Side,
        header: &TcpHeader,
        pool: &mut Pool,
        emit: &mut impl FnMut(Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.stream(from).takes_reset_at(header.sequence) {
            self.doubtful = None;
            return self.finish(StreamEnd::Reset, pool, emit);
        }
        let ahead_bytes = self.stream(from).ahead(header.sequence);
        pool.counts.far_segments += u64::from(ahead_bytes.unsigned_abs() > WINDOW);
        self.doubtful.get_or_insert_default().reset = Some(DoubtfulReset {
            from,
            sequence: header.sequence,
            ahead_bytes,
            segments: 0,
        });
        Ok(())
    }

    /// No more segments will come.
    pub(super) fn finish<E>(
        &mut self,
        how: StreamEnd,
        pool: &mut Pool,
        emit: &mut impl FnMut(Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for stream in &mut self.streams {
            stream.finish(how, pool, emit)?;
        }
        Ok(())
    }

    const fn stream(&self, side: Side) -> &Stream {
        &self.streams[side.index()]
    }

    const fn stream_mut(&mut self, side: Side) -> &mut Stream {
        &mut self.streams[side.index()]
    }
}

impl Opening {
    /// Whether an acknowledgment is of this SYN, or of data in it.
    fn is_answered_by(&self, acknowledgment: u32) -> bool {
        let begin = self.header.sequence.wrapping_add(1);
        u64::from(acknowledgment.wrapping_sub(begin)) <= MAX_SYN_DATA
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_is_small() {
        // With what allocators add, 80.
        assert_eq!(size_of::<Connection>(), 72);
    }

    #[test]
    fn disorder_of_each_side_and_doubts_count_as_memory() {
        let mut connection = Connection::new();
        let mut pool = Pool {
            stream_limit: 1_000,
            total_limit: 1_000,
            held: 0,
            counts: super::super::StreamCounts::default(),
        };
        let mut held = |from, sequence, flags: TcpHeader, data: &[u8]| {
            let header = TcpHeader { sequence, ..flags };
            let mut ignore = |_: Delivery<'_>| Ok::<(), std::convert::Infallible>(());
            let payload = Captured::new(data, 0);
            let Ok(()) = connection.segment(from, &header, payload, &mut pool, &mut ignore);
            connection.held_bytes()
        };
        let none = TcpHeader::default();
        let syn = TcpHeader { syn: true, ..none };
        let rst = TcpHeader { rst: true, ..none };
        for side in [Side::Initiator, Side::Responder] {
            assert_eq!(held(side, 99, syn, b""), 0);
        }
        let of_one = held(Side::Initiator, 105, none, b"behind a hole");
        assert!(of_one > 0);
        let of_both = held(Side::Responder, 105, none, b"behind a hole");
        assert_eq!(of_both, 2 * of_one);
        // A RST elsewhere.
        let with_doubt = held(Side::Initiator, 500, rst, b"");
        assert_eq!(with_doubt, of_both + size_of::<Doubtful>());
    }
}
