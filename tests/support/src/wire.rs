//! What a capture tool would have seen.

use crate::{Link, length_u32, link};

/// 2004-05-25 12:00:00 UTC, when every capture begins.
pub const EPOCH_SECONDS: u32 = 1_085_486_400;

/// One captured packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// Nanoseconds since [`EPOCH_SECONDS`]; may be negative.
    pub nanos: i64,
    /// The bytes from the link header on, as far as they were captured.
    pub data: Vec<u8>,
    /// Length on the link.
    pub original_bytes: u32,
}

impl Captured {
    /// Keeps at most `snap_length` bytes.
    pub fn cut(&mut self, snap_length: usize) {
        self.data.truncate(snap_length);
    }
}

/// A recording in the making: packets on one link, with a clock that moves on by itself.
#[derive(Clone, Debug)]
pub struct Wire {
    /// What stands before each IP packet.
    pub link: Link,
    /// The packets so far. Tests may drop, copy and swap them.
    pub packets: Vec<Captured>,
    nanos: i64,
    identification: u16,
}

impl Wire {
    /// Nothing recorded; the clock stands at [`EPOCH_SECONDS`].
    pub const fn new(link: Link) -> Self {
        Self {
            link,
            packets: Vec::new(),
            nanos: 0,
            identification: 0,
        }
    }

    /// Sets the clock, in microseconds since [`EPOCH_SECONDS`].
    pub const fn at(&mut self, micros: i64) -> &mut Self {
        self.nanos = micros * 1_000;
        self
    }

    /// Moves the clock on.
    pub const fn wait(&mut self, micros: i64) -> &mut Self {
        self.nanos += micros * 1_000;
        self
    }

    /// Sets the clock, in nanoseconds since [`EPOCH_SECONDS`].
    pub const fn at_nanos(&mut self, nanos: i64) -> &mut Self {
        self.nanos = nanos;
        self
    }

    /// Where the clock stands, in nanoseconds since [`EPOCH_SECONDS`].
    pub const fn now_nanos(&self) -> i64 {
        self.nanos
    }

    /// Where the clock stands, in microseconds since [`EPOCH_SECONDS`].
    pub const fn now_micros(&self) -> i64 {
        self.nanos / 1_000
    }

    /// Records an IP packet; the clock moves on by 100 µs.
    pub fn push(&mut self, ip: &[u8]) {
        let data = self.link.frame(ip);
        self.push_frame(data);
    }

    /// Records an IP packet with the padding that Ethernet gives to short frames.
    pub fn push_padded(&mut self, ip: &[u8]) {
        let mut data = self.link.frame(ip);
        link::pad_to_minimum(&mut data);
        self.push_frame(data);
    }

    /// Records bytes as they stand on the link; the clock moves on by 100 µs.
    pub fn push_frame(&mut self, data: Vec<u8>) {
        self.packets.push(Captured {
            nanos: self.nanos,
            original_bytes: length_u32(data.len()),
            data,
        });
        self.wait(100);
    }

    /// The identification of the next IP packet.
    pub const fn next_identification(&mut self) -> u16 {
        self.identification = self.identification.wrapping_add(1);
        self.identification
    }

    /// Lets two packets change places; the times stay where they are.
    pub fn swap(&mut self, one: usize, other: usize) {
        self.packets.swap(one, other);
        let time = self.packets[one].nanos;
        self.packets[one].nanos = self.packets[other].nanos;
        self.packets[other].nanos = time;
    }

    /// Packet `index` comes twice, 1 µs apart.
    pub fn duplicate(&mut self, index: usize) {
        let mut copy = self.packets[index].clone();
        copy.nanos += 1_000;
        self.packets.insert(index + 1, copy);
    }
}
