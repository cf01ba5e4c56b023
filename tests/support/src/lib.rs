//! A vocabulary for building captures byte for byte: ministreaming messages,
//! the carriers around them, packets, and capture files.
//!
//! Everything is deterministic: what looks random comes from a seeded
//! generator, and time starts at [`EPOCH_SECONDS`]. Nothing here uses the
//! library that is tested; its encoders are written again, in the simplest way.
//!
//! From the inside out: [`message`] and [`i2cp`] make what a carrier holds,
//! [`Wire`] records packets, [`TcpFlow`] and [`UdpFlow`] put bytes on it,
//! [`file`] writes pcap and pcapng, [`carry`] puts one exchange on any carrier,
//! and [`shipped`] is the list of the captures in `captures/`.
//!
//! Beside them [`router`] runs a real I2P router, [`wireshark`] a `tshark` without anybody's
//! settings, [`namespace`] keeps a test away from every network, and [`program`] skips a test
//! whose program is missing.
#![forbid(unsafe_code)]

pub mod bulk;
pub mod carry;
mod destination;
pub mod file;
pub mod gzip;
pub mod i2cp;
pub mod ip;
mod link;
pub mod message;
pub mod namespace;
mod port;
pub mod program;
mod random;
pub mod router;
pub mod samples;
pub mod shipped;
mod tcp;
mod udp;
mod wire;
pub mod wireshark;
pub mod wrapping;

pub use destination::{key_destination, sample_destination, seeded_destination};
pub use link::{Link, SllPacketType, VlanTag};
pub use port::unused_address;
pub use random::Random;
pub use tcp::{Segment, TcpFlow};
pub use udp::UdpFlow;
pub use wire::{Captured, EPOCH_SECONDS, Wire};

/// The two ends of a flow or a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The one that dialled.
    Client,
    /// The one that was called.
    Server,
}

impl End {
    /// The other end.
    pub const fn opposite(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Client => 0,
            Self::Server => 1,
        }
    }
}

/// Which byte of a number comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// The lowest, as on most machines.
    Little,
    /// The highest, as on the network.
    Big,
}

impl ByteOrder {
    /// Two bytes.
    pub const fn u16(self, number: u16) -> [u8; 2] {
        match self {
            Self::Little => number.to_le_bytes(),
            Self::Big => number.to_be_bytes(),
        }
    }

    /// Four bytes.
    pub const fn u32(self, number: u32) -> [u8; 4] {
        match self {
            Self::Little => number.to_le_bytes(),
            Self::Big => number.to_be_bytes(),
        }
    }

    /// Eight bytes.
    pub const fn u64(self, number: u64) -> [u8; 8] {
        match self {
            Self::Little => number.to_le_bytes(),
            Self::Big => number.to_be_bytes(),
        }
    }
}

/// A length as a 32-bit number. Fixtures are small.
fn length_u32(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("fixtures are far smaller than 4 GiB")
}

/// A length as a 16-bit number, for fields that are no wider.
fn length_u16(bytes: usize) -> u16 {
    u16::try_from(bytes).expect("the caller keeps to the field's 65535 bytes")
}
