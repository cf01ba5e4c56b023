//! pcapng (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html>).

use crate::{ByteOrder, Captured, EPOCH_SECONDS, length_u16, length_u32};

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const NAME_RESOLUTION: u32 = 4;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

/// How an interface is described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Link type.
    pub link_type: u16,
    /// Snap length; 0 means none.
    pub snap_length: u32,
    /// `if_tsresol`: ticks a second are 10 to this power, or 2 to the power of
    /// the lower seven bits when the highest is set. `None` leaves it at 6.
    pub resolution: Option<u8>,
    /// `if_tsoffset`: seconds to add to every time.
    pub offset_seconds: i64,
}

impl Interface {
    /// Microseconds, no snap length.
    pub const fn usual(link_type: u16) -> Self {
        Self {
            link_type,
            snap_length: 0,
            resolution: None,
            offset_seconds: 0,
        }
    }

    /// A packet's time in this interface's ticks.
    fn ticks(&self, packet: &Captured) -> u64 {
        let nanos = (i128::from(EPOCH_SECONDS) - i128::from(self.offset_seconds)) * 1_000_000_000
            + i128::from(packet.nanos);
        let per_second: i128 = match self.resolution.unwrap_or(6) {
            binary if binary & 0x80 != 0 => 1 << (binary & 0x7f),
            decimal => 10_i128.pow(u32::from(decimal)),
        };
        u64::try_from(nanos * per_second / 1_000_000_000)
            .expect("fixtures play after 1970 and in ticks that fit")
    }
}

/// A pcapng in the making.
#[derive(Clone, Debug)]
pub struct PcapngFile {
    order: ByteOrder,
    interfaces: Vec<Interface>,
    bytes: Vec<u8>,
}

impl PcapngFile {
    /// A file with one empty section.
    pub fn new(order: ByteOrder) -> Self {
        let mut file = Self {
            order,
            interfaces: Vec::new(),
            bytes: Vec::new(),
        };
        file.section(order);
        file
    }

    /// Begins a new section; interfaces are numbered from 0 again.
    pub fn section(&mut self, order: ByteOrder) -> &mut Self {
        self.order = order;
        self.interfaces.clear();
        let body = [
            &order.u32(0x1a2b_3c4d)[..],
            &order.u16(1),
            &order.u16(0),
            // Length of the section: not told.
            &[0xff; 8],
            &self.option(4, b"ministream-fixtures"),
            &self.end_of_options(),
        ]
        .concat();
        self.block(SECTION_HEADER, &body)
    }

    /// Describes the next interface of this section.
    pub fn interface(&mut self, interface: Interface) -> &mut Self {
        let mut body = [
            &self.order.u16(interface.link_type)[..],
            &[0, 0],
            &self.order.u32(interface.snap_length),
            &self.option(2, b"lo"),
        ]
        .concat();
        if let Some(resolution) = interface.resolution {
            body.extend(self.option(9, &[resolution]));
        }
        if interface.offset_seconds != 0 {
            let seconds = u64::try_from(interface.offset_seconds).expect("offsets are forward");
            body.extend(self.option(14, &self.order.u64(seconds)));
        }
        body.extend(self.end_of_options());
        self.interfaces.push(interface);
        self.block(INTERFACE_DESCRIPTION, &body)
    }

    /// An enhanced packet block.
    pub fn packet(&mut self, interface: u32, packet: &Captured) -> &mut Self {
        let [high, low] = self.ticks(interface, packet);
        let mut body = [
            self.order.u32(interface),
            self.order.u32(high),
            self.order.u32(low),
            self.order.u32(length_u32(packet.data.len())),
            self.order.u32(packet.original_bytes),
        ]
        .concat();
        body.extend_from_slice(&padded(&packet.data));
        self.block(ENHANCED_PACKET, &body)
    }

    /// The packet block that the enhanced one replaced.
    pub fn obsolete_packet(&mut self, interface: u16, packet: &Captured) -> &mut Self {
        let [high, low] = self.ticks(u32::from(interface), packet);
        let mut body = [self.order.u16(interface), self.order.u16(0xffff)].concat();
        for number in [
            high,
            low,
            length_u32(packet.data.len()),
            packet.original_bytes,
        ] {
            body.extend(self.order.u32(number));
        }
        body.extend_from_slice(&padded(&packet.data));
        self.block(OBSOLETE_PACKET, &body)
    }

    /// A simple packet block: no time, no interface, no captured length.
    pub fn simple_packet(&mut self, packet: &Captured) -> &mut Self {
        let mut body = self.order.u32(packet.original_bytes).to_vec();
        body.extend_from_slice(&padded(&packet.data));
        self.block(SIMPLE_PACKET, &body)
    }

    /// A name resolution block: 127.0.0.1 is called localhost.
    pub fn names(&mut self) -> &mut Self {
        let record = b"\x7f\x00\x00\x01localhost\0";
        let body = [
            &self.order.u16(1)[..],
            &self.order.u16(length_u16(record.len())),
            &padded(record),
            // End of records.
            &[0; 4],
        ]
        .concat();
        self.block(NAME_RESOLUTION, &body)
    }

    /// Interface statistics that say how many packets the kernel dropped (`isb_osdrop`).
    pub fn statistics(&mut self, interface: u32, dropped: u64) -> &mut Self {
        let body = [
            &self.order.u32(interface)[..],
            &[0; 8],
            &self.option(7, &self.order.u64(dropped)),
            &self.end_of_options(),
        ]
        .concat();
        self.block(INTERFACE_STATISTICS, &body)
    }

    /// Any block, its length before and after the body.
    pub fn block(&mut self, block_type: u32, body: &[u8]) -> &mut Self {
        let body = padded(body);
        let total = self.order.u32(length_u32(body.len() + 12));
        self.bytes.extend(self.order.u32(block_type));
        self.bytes.extend(total);
        self.bytes.extend(body);
        self.bytes.extend(total);
        self
    }

    /// The file.
    pub fn finish(&self) -> Vec<u8> {
        self.bytes.clone()
    }

    fn ticks(&self, interface: u32, packet: &Captured) -> [u32; 2] {
        let index = usize::try_from(interface).expect("a handful of interfaces");
        let ticks = self.interfaces[index].ticks(packet).to_be_bytes();
        let [a, b, c, d, e, f, g, h] = ticks;
        [
            u32::from_be_bytes([a, b, c, d]),
            u32::from_be_bytes([e, f, g, h]),
        ]
    }

    fn option(&self, code: u16, value: &[u8]) -> Vec<u8> {
        [
            &self.order.u16(code)[..],
            &self.order.u16(length_u16(value.len())),
            &padded(value),
        ]
        .concat()
    }

    fn end_of_options(&self) -> Vec<u8> {
        self.option(0, &[])
    }
}

/// Filled with zeros up to a multiple of 4.
fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}
