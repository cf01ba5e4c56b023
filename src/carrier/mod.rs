//! Byte streams and datagrams to messages, and back.
//!
//! A carrier delimits messages and knows nothing of what is in them. Where it
//! must tell a message from other bytes (detection, finding its place again
//! after a gap) the caller lends it a [`Plausible`].

use std::fmt;

/// Whether bytes may begin a message of our protocol: the first bytes known of
/// it, and its whole length in bytes.
pub type Plausible = fn(prefix: &[u8], length: usize) -> bool;

/// How messages travel.
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
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
