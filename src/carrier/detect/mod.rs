//! The carrier of a flow, if any, by the contents of its first payloads.
//!
//! A detector keeps its input until it has decided; [`Detector::replay`] and
//! [`UdpDetector::replay`] then hand it on, in the order in which it came.
//!
//! It goes by the protocol's text, not by the look of the keys in it: a client opens with a message
//! that names an id, the server answers with that id, and from then on both name ids that the other
//! side announced. 24 bits that two sides agree on are no chance. Evidence for a carrier is counted
//! in points:
//! - an answer, an ACK or a close, to an opening from the other side, whichever comes
//!   first in the capture: 6, which decides; data of the client with the id that the
//!   server announced: 6; data of the server with the id of an opening: 4;
//! - an opening alone: nothing, and nothing against us either, because the text allows any
//!   key in it. When nothing else passes, openings from one side with different ids are
//!   enough: 3, or 2 behind lengths or with one key;
//! - an opening with an I2P destination that is as long as its certificate says: 6; in a
//!   connection whose beginning is not in the capture, one that is all of a segment is even
//!   enough to find its place behind a length of 4 bytes;
//! - a message whose length is one of few, an ACK of 7 bytes: 3; of 4 bytes (a close): 2;
//!   but 0 when all its bytes are text (`QUIT`);
//! - a message whose id is that of another, different message in the same direction: 2,
//!   behind a 4-byte length 3, unless it begins with text (`POST`), goes on like a map with
//!   a text as its key (CBOR), or has a head that both directions have;
//! - behind a 4-byte length, any message that does not begin with text: 1 more;
//! - messages of the type whose single byte is a message already (the ping, chaff):
//!   nothing, but the single byte itself behind a length: 1.
//!
//! Messages that the protocol does not have count against it. Six points decide at once, as
//! long as no more messages speak against a carrier than for it; when a flow is over, or
//! has sent more than is held, four are enough, behind a 4-byte length five. They count only
//! where messages have an id in common (without a length before them: an id of each
//! direction, or messages of two types), or three have points for their lengths. How often other
//! traffic gets as far is derived in `docs/protocol.md`.
//!
//! A flow of nothing but openings, too few for that, is judged by others to the same server:
//! see [`Unanswered`].

mod evidence;
mod held;
mod i2cp;
mod prefixed;
mod sketch;
mod tcp;
mod udp;

use super::length_prefixed::Prefix;
use super::{Carrier, FlowDirection};

pub use evidence::{Trace, Unanswered};
pub use held::Piece;
pub use sketch::{Kind, Protocol, Recognise, Sketch};
pub use tcp::Detector;
pub use udp::UdpDetector;

/// The most bytes that a detector holds of a flow: two of the longest messages
/// that the reference implementation sends, and the beginning of a third.
pub const MAX_HELD_BYTES: usize = 96 * 1024;

/// The most pieces that a detector holds of a TCP flow.
pub const MAX_HELD_PIECES: usize = 8 * 1024;

/// The verdict of a detector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CarrierVerdict {
    /// Nothing for certain yet.
    NeedMore,
    /// A message per UDP datagram.
    Datagrams,
    /// TCP, each message after its length.
    LengthPrefixed(Prefix),
    /// A message per TCP segment.
    Segments,
    /// I2CP.
    I2cp {
        /// The direction that comes from the application.
        application: FlowDirection,
    },
    /// Not ours.
    Foreign,
}

impl CarrierVerdict {
    /// The carrier, if there is one.
    pub const fn carrier(self) -> Option<Carrier> {
        match self {
            Self::NeedMore | Self::Foreign => None,
            Self::Datagrams => Some(Carrier::Udp),
            Self::LengthPrefixed(prefix) => Some(prefix.carrier()),
            Self::Segments => Some(Carrier::Segment),
            Self::I2cp { .. } => Some(Carrier::I2cp),
        }
    }
}

/// A detector's judgement of one carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It is out of the question.
    Out,
    /// It may be, and would be if this were all.
    Probable,
    /// It may be.
    Open,
    /// It is.
    Certain,
}

#[cfg(test)]
mod tests;
