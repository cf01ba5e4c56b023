//! Which carrier a flow has, if any, by what its first payloads hold.
//!
//! A detector keeps what it is fed until it has decided; [`Detector::replay`]
//! and [`UdpDetector::replay`] then hand it on, in the order in which it came.
//!
//! What speaks for a carrier is counted in points:
//! - a message of 8 bytes or more whose length is the only one that its content
//!   allows (a SYN, whose destination tells its length): 3, which decides;
//! - a shorter one whose length is one of few (an ACK of 7 bytes): 2; of 4
//!   bytes (a close): 1; but 0 when all its bytes are text (`QUIT`);
//! - a message whose bytes 1 to 3, the id in all messages of a conversation,
//!   are those of another, different message in the same direction: 1, unless
//!   it begins with text (`POST`);
//! - behind a 4-byte length, any message: 1 more, as few other streams have such
//!   lengths;
//! - messages of the type whose single byte is a message already (the ping, chaff):
//!   nothing, but the single byte itself behind a length: 1.
//!
//! Messages that the protocol does not have count against it. Three points
//! decide at once, as long as no more messages speak against a carrier than
//! for it; when a flow is over, or has sent more than is held, two are enough,
//! behind a 4-byte length one.

mod evidence;
mod held;
mod i2cp;
mod prefixed;
mod tcp;
mod udp;

use super::length_prefixed::Prefix;
use super::{Carrier, Way};

pub use held::Piece;
pub use tcp::Detector;
pub use udp::UdpDetector;

/// The most bytes that a detector holds of a flow: two of the longest messages
/// that the reference implementation sends, and the beginning of a third.
pub const MAX_HELD_BYTES: usize = 96 * 1024;

/// The most pieces that a detector holds of a TCP flow.
pub const MAX_HELD_PIECES: usize = 8 * 1024;

/// The most datagrams that are held of a UDP flow.
pub const MAX_HELD_DATAGRAMS: usize = 32;

/// What a detector has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
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
        application: Way,
    },
    /// Not ours.
    Foreign,
}

impl Verdict {
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

/// What a detector makes of one carrier.
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
