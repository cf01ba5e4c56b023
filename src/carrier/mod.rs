//! Byte streams and datagrams to messages, and back.
//!
//! A carrier delimits messages and knows nothing of their contents. Where it must distinguish a
//! message from other bytes (detection, finding its place again after a gap) the caller lends it a
//! rule ([`Plausible`], [`Plausibility`]).
//!
//! Decoders are pushed: the bytes of one direction, in order, with
//! [gaps](length_prefixed::Decoder::gap) where the capture has none. A direction whose beginning is
//! not in the capture begins with a gap of unknown size. Their items go to a callback whose error
//! ends the work; after such an error a decoder is of no further use. How the bytes are cut into
//! pushes never changes what is found, but for
//! [pushes of whole segments](length_prefixed::Decoder::push_segment).
//!
//! ```
//! use ministream::carrier::Item;
//! use ministream::carrier::length_prefixed::{Decoder, Prefix, encode_prefix};
//!
//! let mut stream = Vec::new();
//! for message in ["one", "another"] {
//!     encode_prefix(Prefix::U32, message.len(), &mut stream)?;
//!     stream.extend_from_slice(message.as_bytes());
//! }
//! let mut decoder = Decoder::new(Prefix::U32, |_, _| true);
//! let mut messages = Vec::new();
//! let mut keep = |item: Item<'_>| {
//!     if let Item::Message(message) = item {
//!         messages.push(message.to_vec());
//!     }
//!     Ok::<(), std::convert::Infallible>(())
//! };
//! for piece in stream.chunks(5) {
//!     decoder.push(piece, &mut keep)?;
//! }
//! decoder.finish(&mut keep)?;
//! assert_eq!(messages, [&b"one"[..], b"another"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;

pub mod detect;
mod framer;
pub mod i2cp;
pub mod length_prefixed;
pub mod segment;
pub mod tls;

/// Whether bytes may begin a message of our protocol: the first bytes known of
/// it, and its whole length in bytes.
///
/// More known bytes may turn the answer from true to false, never back.
pub type Plausible = fn(prefix: &[u8], length: usize) -> bool;

/// The rule lent to a decoder: a function like [`Plausible`], or a type of its own, which takes no
/// memory where there are many decoders.
pub trait Plausibility {
    /// Whether `prefix` may begin a message of `length` bytes.
    fn is_plausible(&self, prefix: &[u8], length: usize) -> bool;

    /// Whether `message`, a whole one that is all of a TCP segment, can be nothing else, so that
    /// its place in the stream is that of a message.
    fn proves_place(&self, message: &[u8]) -> bool {
        let _ = message;
        false
    }
}

impl Plausibility for Plausible {
    #[inline]
    fn is_plausible(&self, prefix: &[u8], length: usize) -> bool {
        self(prefix, length)
    }
}

/// A way of carrying messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// One message per UDP datagram.
    Udp,
    /// TCP, each message after its length in 4 bytes, big-endian.
    TcpU32,
    /// TCP, each message after its length in 2 bytes, big-endian.
    TcpU16,
    /// One message per TCP segment.
    Segment,
    /// In gzip in I2CP over TCP.
    I2cp,
}

impl Carrier {
    /// Every carrier; of each transport the most usual one first.
    pub const ALL: [Self; 5] = [
        Self::Udp,
        Self::TcpU32,
        Self::TcpU16,
        Self::Segment,
        Self::I2cp,
    ];

    /// Its way of delimiting messages on its transport, as rules and reports call it: `ministream`,
    /// `ministream:u32be` and so on, `i2cp`.
    pub const fn framing(self) -> &'static str {
        match self {
            Self::Udp => "ministream",
            Self::TcpU32 => "ministream:u32be",
            Self::TcpU16 => "ministream:u16be",
            Self::Segment => "ministream:segment",
            Self::I2cp => "i2cp",
        }
    }

    /// `udp`, `tcp_u32be`, `tcp_u16be`, `segment` or `i2cp`, as in the JSON records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::TcpU32 => "tcp_u32be",
            Self::TcpU16 => "tcp_u16be",
            Self::Segment => "segment",
            Self::I2cp => "i2cp",
        }
    }

    /// The carrier of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|carrier| carrier.name() == name)
    }
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One of the two directions of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowDirection {
    /// From the end that dialled, or was seen first.
    Forward,
    /// From the other end.
    Backward,
}

impl FlowDirection {
    /// Both, in the order of [`FlowDirection::index`].
    pub const BOTH: [Self; 2] = [Self::Forward, Self::Backward];

    /// The other direction.
    pub const fn reversed(self) -> Self {
        match self {
            Self::Forward => Self::Backward,
            Self::Backward => Self::Forward,
        }
    }

    /// 0 for forward, 1 for backward; an index for values kept per direction.
    pub const fn index(self) -> usize {
        match self {
            Self::Forward => 0,
            Self::Backward => 1,
        }
    }
}

/// Whether bytes are the whole payload of a TCP segment as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// They are.
    WholeSegment,
    /// They are, but for as many bytes at its end, which a snap length cut.
    CutSegment(u32),
    /// Bytes before or behind them belong to the same segment.
    PartOfSegment,
}

/// An item of a decoder of a TCP stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A whole message.
    Message(&'a [u8]),
    /// A message of which a snap length cut the end.
    Cut {
        /// Its bytes, as far as they are known.
        message: &'a [u8],
        /// Bytes that are missing behind that.
        missing_bytes: u64,
    },
    /// Bytes that are no message, and why.
    Problem(Problem),
}

/// Why bytes of a stream are not messages.
///
/// Offsets are counted in bytes of their direction from the first byte that
/// was seen; gaps of known size count, those of unknown size do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A length that no message has. The place in the stream is lost with it.
    #[error("length {value} at offset {offset} is that of no message")]
    BadPrefix {
        /// Offset of the length.
        offset: u64,
        /// The length as it stands there.
        value: u64,
    },
    /// A message of which bytes are not in the capture.
    #[error(
        "message at offset {offset} is incomplete: {present_bytes} bytes of it came before the gap or end"
    )]
    Incomplete {
        /// Its offset, with its length.
        offset: u64,
        /// Its bytes including the length in front; `None` when the length is not known whole.
        frame_bytes: Option<u64>,
        /// Those that came before the gap, or the end of the stream.
        present_bytes: u64,
    },
    /// Bytes that belong to no message for certain, in search of the next one.
    #[error("skipped {bytes} bytes from offset {offset} in search of the next message")]
    Skipped {
        /// The first of them.
        offset: u64,
        /// Number of bytes; those that the capture does not hold are not counted.
        bytes: u64,
    },
    /// A part of a TCP segment where a message is a whole one.
    #[error("{bytes} bytes at offset {offset} are only a part of a TCP segment")]
    PartOfSegment {
        /// Its first byte.
        offset: u64,
        /// Number of bytes there are.
        bytes: u64,
    },
}

impl Problem {
    /// Whether messages may stand in bytes that no decoder could read.
    pub const fn hides_messages(&self) -> bool {
        matches!(self, Self::BadPrefix { .. } | Self::Skipped { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_may_be_hidden_where_the_place_was_lost_only() {
        for (problem, hides) in [
            (
                Problem::BadPrefix {
                    offset: 0,
                    value: 0,
                },
                true,
            ),
            (
                Problem::Skipped {
                    offset: 0,
                    bytes: 1,
                },
                true,
            ),
            (
                Problem::Incomplete {
                    offset: 0,
                    frame_bytes: None,
                    present_bytes: 1,
                },
                false,
            ),
            (
                Problem::PartOfSegment {
                    offset: 0,
                    bytes: 1,
                },
                false,
            ),
        ] {
            assert_eq!(problem.hides_messages(), hides, "{problem}");
        }
    }
}
