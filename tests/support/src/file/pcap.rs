//! pcap (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html>).

use crate::{ByteOrder, Captured, EPOCH_SECONDS, Wire, length_u32};

/// The unit of a pcap's fractions of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Microseconds, magic a1b2c3d4.
    Micros,
    /// Nanoseconds, magic a1b23c4d.
    Nanos,
}

/// How a pcap is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pcap {
    /// Byte order of every number in the file.
    pub order: ByteOrder,
    /// Unit of time.
    pub resolution: Resolution,
    /// Snap length in the header.
    pub snap_length: u32,
}

impl Pcap {
    /// What tcpdump writes.
    pub const USUAL: Self = Self {
        order: ByteOrder::Little,
        resolution: Resolution::Micros,
        snap_length: 262_144,
    };

    /// The whole file.
    pub fn write(&self, wire: &Wire) -> Vec<u8> {
        let mut bytes = self.header(u32::from(wire.link.number()));
        for packet in &wire.packets {
            bytes.extend(self.record(packet));
        }
        bytes
    }

    /// The 24 bytes before the first packet.
    pub fn header(&self, link_type: u32) -> Vec<u8> {
        let magic = match self.resolution {
            Resolution::Micros => 0xa1b2_c3d4,
            Resolution::Nanos => 0xa1b2_3c4d,
        };
        [
            &self.order.u32(magic)[..],
            &self.order.u16(2),
            &self.order.u16(4),
            &[0; 8],
            &self.order.u32(self.snap_length),
            &self.order.u32(link_type),
        ]
        .concat()
    }

    /// One packet with its 16-byte header.
    pub fn record(&self, packet: &Captured) -> Vec<u8> {
        let seconds = i64::from(EPOCH_SECONDS) + packet.nanos.div_euclid(1_000_000_000);
        let nanos = packet.nanos.rem_euclid(1_000_000_000);
        let fraction = match self.resolution {
            Resolution::Micros => nanos / 1_000,
            Resolution::Nanos => nanos,
        };
        let number =
            |value: i64| u32::try_from(value).expect("fixtures play between 1970 and 2106");
        [
            &self.order.u32(number(seconds))[..],
            &self.order.u32(number(fraction)),
            &self.order.u32(length_u32(packet.data.len())),
            &self.order.u32(packet.original_bytes),
            &packet.data,
        ]
        .concat()
    }
}
