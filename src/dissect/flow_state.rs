//! The state of a flow.

use super::encrypted::Encrypted;
use super::streams::Streams;
use crate::carrier::Carrier;
use crate::carrier::detect::{Detector, Trace, UdpDetector, Unanswered};
use crate::conversation::{ChannelId, ChannelStart, Finding};
use crate::net::{Arrival, Side};

/// The state of a flow.
#[derive(Debug, Default)]
pub(super) enum FlowState {
    /// Nothing yet.
    #[default]
    New,
    /// Its payloads are looked at.
    DecidingDatagrams(Box<UdpDetector<(Arrival, u32)>>),
    /// Its streams are looked at.
    DecidingStreams(Box<Deciding>),
    /// A message per datagram.
    Datagrams(ChannelId),
    /// One of the carriers over TCP.
    Streams(Box<Streams>),
    /// TLS, perhaps, whose secrets may be known.
    Encrypted(Box<Inside>),
    /// Something else, or nothing any more.
    Foreign,
}

/// A connection whose streams are looked at.
#[derive(Debug)]
pub(super) struct Deciding {
    pub(super) detector: Detector<Arrival>,
    /// The directions that have ended, by [`Side::index`].
    pub(super) ended: [bool; 2],
    pub(super) start: ChannelStart,
    /// Findings to be reported if it turns out to be ours.
    pub(super) odd: Vec<Finding>,
}

impl Deciding {
    fn held_bytes(&self) -> usize {
        let beside_detector = size_of::<Self>() - size_of::<Detector<Arrival>>();
        let odd = self.odd.capacity() * size_of::<Finding>();
        self.detector.held_bytes() + beside_detector + odd
    }
}

/// A connection over TLS whose secrets may be known.
#[derive(Debug)]
pub(super) struct Inside {
    pub(super) records: Encrypted,
    /// The state of the connection inside.
    pub(super) state: FlowState,
}

impl Inside {
    fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.records.held_bytes() + self.state.held_bytes()
    }
}

impl FlowState {
    /// Bytes of memory that are held until there is more.
    #[inline]
    pub(super) fn held_bytes(&self) -> usize {
        match self {
            Self::New | Self::Datagrams(_) | Self::Foreign => 0,
            Self::DecidingDatagrams(detector) => detector.held_bytes(),
            Self::DecidingStreams(deciding) => deciding.held_bytes(),
            Self::Streams(streams) => streams.held_bytes(),
            Self::Encrypted(inside) => inside.held_bytes(),
        }
    }

    /// Prefetches for the next message. The returned value is of no other use.
    #[inline]
    pub(super) fn touch(&self) -> u64 {
        match self {
            Self::Streams(streams) => streams.touch(),
            _ => 0,
        }
    }

    /// The presumed first message of a packet, by its first bytes, and its channel.
    #[inline]
    pub(super) fn first_message<'a>(
        &self,
        from: Side,
        payload: &'a [u8],
    ) -> Option<(ChannelId, &'a [u8])> {
        match self {
            Self::Datagrams(channel) => Some((*channel, payload)),
            Self::Streams(streams) => streams.first_message(from, payload),
            _ => None,
        }
    }

    /// The SYNs without an answer that are all that an undecided flow holds.
    pub(super) fn unanswered(&self) -> Option<Unanswered> {
        match self {
            Self::DecidingDatagrams(detector) => detector.unanswered(),
            Self::DecidingStreams(deciding) => deciding.detector.unanswered(),
            _ => None,
        }
    }

    /// Traces of our protocol in an undecided flow, and the carrier that it would have.
    pub(super) fn trace(&self) -> Option<(Carrier, Trace)> {
        match self {
            Self::DecidingDatagrams(detector) => Some((Carrier::Udp, detector.trace()?)),
            Self::DecidingStreams(deciding) => deciding.detector.trace(),
            _ => None,
        }
    }

    /// Whether an undecided flow has delivered any bytes.
    pub(super) fn has_payload(&self) -> bool {
        match self {
            Self::DecidingDatagrams(detector) => detector.has_payload(),
            Self::DecidingStreams(deciding) => deciding.detector.has_payload(),
            _ => false,
        }
    }
}

/// The reason why a flow ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhyEnded {
    /// The traffic says so.
    Traffic,
    /// Its memory is needed.
    Memory,
    /// The capture is over: nobody closed it.
    Capture,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_a_flow_leaves_it_in_its_two_cache_lines() {
        assert_eq!(size_of::<FlowState>(), 16);
    }
}
