//! A TCP connection: what its flags mean for its two streams.

use super::captured::Captured;
use super::reassembly::{Pool, Stream};
use super::slice::TcpHeader;
use super::{Delivery, Side, StreamEnd};

/// How much data a SYN can carry (TCP Fast Open, RFC 7413), so how far behind
/// the SYN the answer may acknowledge, in bytes.
const MAX_SYN_DATA: u64 = 65_535;

/// The two streams of a TCP connection.
#[derive(Debug)]
pub(super) struct Connection {
    streams: [Stream; 2],
}

impl Connection {
    pub(super) const fn new() -> Self {
        Self {
            streams: [Stream::new(Side::Initiator), Stream::new(Side::Responder)],
        }
    }

    /// Whether a segment can be the first of a connection: bare
    /// acknowledgments, FIN and RST are what is left of an old one.
    pub(super) fn may_begin_with(header: &TcpHeader, payload: Captured<'_>) -> bool {
        !header.rst && (header.syn || !payload.is_empty())
    }

    /// Whether a segment begins another connection on the same addresses and
    /// ports: a SYN with another sequence number, or the answer to one.
    pub(super) fn is_displaced_by(&self, from: Side, header: &TcpHeader) -> bool {
        if !header.syn || header.rst {
            return false;
        }
        if !self
            .stream(from)
            .may_begin_at(header.sequence.wrapping_add(1))
        {
            return true;
        }
        let peer = self.stream(from.opposite());
        let answers_this = |acknowledgment| {
            peer.offset_of(acknowledgment)
                .is_some_and(|offset| offset <= MAX_SYN_DATA)
        };
        self.stream(from).is_unseen()
            && !peer.is_unseen()
            && header.acknowledgment.is_some_and(|ack| !answers_this(ack))
    }

    /// Whether both streams ended.
    pub(super) fn is_over(&self) -> bool {
        self.streams.iter().all(Stream::is_over)
    }

    /// Takes a segment; delivers what it completes in either direction.
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
                // The answer to a SYN that is not in the capture tells where it began.
                peer.begin_at(acknowledgment);
            }
            peer.acknowledge(acknowledgment);
        }
        self.stream_mut(from).segment(header, payload, pool, emit)?;
        for stream in &mut self.streams {
            stream.packet_passed(pool, emit)?;
        }
        Ok(())
    }

    /// RST ends both directions, if its sequence number is plausible (RFC 9293,
    /// 3.5.3). What it may carry is an error text, not data of the stream.
    fn reset<E>(
        &mut self,
        from: Side,
        header: &TcpHeader,
        pool: &mut Pool,
        emit: &mut impl FnMut(Delivery<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if !self.stream(from).is_near(header.sequence) {
            pool.counts.far_segments += 1;
            return Ok(());
        }
        self.finish(StreamEnd::Reset, pool, emit)
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
