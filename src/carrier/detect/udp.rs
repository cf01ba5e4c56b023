//! Detection on UDP flows.

use super::evidence::{Evidence, Framing};
use super::held::{Held, Piece};
use super::{CarrierVerdict, MAX_HELD_BYTES, Protocol, Standing, Trace, Unanswered};
use crate::carrier::{Extent, FlowDirection};

/// Finds out whether the datagrams of a flow are messages.
///
/// By the points of the [module](super). A single data message is as good as any other
/// datagram that begins with its byte, and is foreign. When more than [`MAX_HELD_BYTES`]
/// have come without a verdict, it is the one that [`UdpDetector::finish`] would give.
#[derive(Debug)]
pub struct UdpDetector<T> {
    held: Held<T>,
    evidence: Evidence,
    verdict: CarrierVerdict,
}

impl<T: Copy> UdpDetector<T> {
    /// Bytes of memory that the detector takes, with the datagrams that it holds.
    pub fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.held.memory_bytes() + self.evidence.held_bytes()
    }

    /// A detector for a new flow.
    pub const fn new(protocol: Protocol) -> Self {
        Self {
            held: Held::new(),
            evidence: Evidence::new(protocol, Framing::Any),
            verdict: CarrierVerdict::NeedMore,
        }
    }

    /// Takes the next datagram: its payload, as far as the capture holds it, and its whole length.
    /// Datagrams behind the verdict are not held and do not change it.
    pub fn push(
        &mut self,
        from: FlowDirection,
        payload: &[u8],
        length: usize,
        token: T,
    ) -> CarrierVerdict {
        if self.verdict != CarrierVerdict::NeedMore {
            return self.verdict;
        }
        self.held.push(
            Piece::Bytes {
                from,
                bytes: payload,
                extent: Extent::WholeSegment,
            },
            token,
        );
        self.evidence.weigh(from, payload, length);
        self.verdict = match self.evidence.standing() {
            Standing::Certain => CarrierVerdict::Datagrams,
            Standing::Out => CarrierVerdict::Foreign,
            Standing::Probable | Standing::Open => CarrierVerdict::NeedMore,
        };
        if self.is_full() {
            self.finish();
        }
        self.drop_foreign();
        self.verdict
    }

    /// Ends the flow: the verdict on the datagrams so far.
    pub fn finish(&mut self) -> CarrierVerdict {
        if self.verdict == CarrierVerdict::NeedMore {
            self.verdict = match self.evidence.standing() {
                Standing::Certain | Standing::Probable => CarrierVerdict::Datagrams,
                Standing::Out | Standing::Open => CarrierVerdict::Foreign,
            };
            self.drop_foreign();
        }
        self.verdict
    }

    /// Traces of our protocol in a flow that is [`CarrierVerdict::Foreign`].
    pub fn trace(&self) -> Option<Trace> {
        self.evidence.trace()
    }

    /// The flow's evidence for judging others to the same server, if it holds nothing but openings
    /// without an answer and is whole.
    pub fn unanswered(&self) -> Option<Unanswered> {
        match self.verdict {
            CarrierVerdict::NeedMore | CarrierVerdict::Foreign if self.is_whole() => {
                self.evidence.unanswered(CarrierVerdict::Datagrams)
            }
            _ => None,
        }
    }

    /// Whether any datagram came.
    pub const fn has_payload(&self) -> bool {
        self.evidence.has_any()
    }

    /// The verdict so far.
    pub const fn verdict(&self) -> CarrierVerdict {
        self.verdict
    }

    /// Hands on the datagrams that are held, in the order in which they came.
    /// Of a flow that is [`CarrierVerdict::Foreign`] only what is [`Self::unanswered`] is held.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn replay<E>(
        &self,
        mut take: impl FnMut(FlowDirection, &[u8], T) -> Result<(), E>,
    ) -> Result<(), E> {
        self.held.replay(|piece, token| match piece {
            Piece::Bytes { from, bytes, .. } => take(from, bytes, token),
            Piece::Gap { .. } | Piece::Cut { .. } | Piece::End { .. } => Ok(()),
        })
    }

    const fn is_full(&self) -> bool {
        self.held.cost() > MAX_HELD_BYTES
    }

    /// Whether all that came is held: neither is it too much, nor was it dropped for that.
    fn is_whole(&self) -> bool {
        !self.is_full() && self.held.pieces() > 0
    }

    fn drop_foreign(&mut self) {
        if self.verdict == CarrierVerdict::Foreign && self.unanswered().is_none() {
            self.held.clear();
        }
    }
}
