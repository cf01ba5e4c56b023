//! Packets to measure with.

use ministream::capture::{LinkType, Packet};
use ministream::time::Timestamp;
use ministream_fixtures::bulk::{Bulk, BulkCarrier, Shape};
use ministream_fixtures::carry::Prefix;
use ministream_fixtures::{Captured, EPOCH_SECONDS, Link, Wire};

pub(crate) const UDP: BulkCarrier = BulkCarrier::Udp;
pub(crate) const TCP: BulkCarrier = BulkCarrier::Tcp(Prefix::U32);

/// Packets of a capture, taken as a whole each time.
pub(crate) const TAKEN: usize = 1_000;

/// Inputs are smaller where nothing is measured.
pub(crate) const fn size(measured: usize) -> usize {
    if cfg!(debug_assertions) {
        measured.div_ceil(50)
    } else {
        measured
    }
}

/// All packets of a capture of that shape.
pub(crate) fn packets(shape: Shape) -> Vec<Captured> {
    let mut wire = Wire::new(Link::ETHERNET);
    let mut bulk = Bulk::new(shape);
    while bulk.advance(&mut wire) {}
    wire.packets
}

/// The same as the dissector is given them.
pub(crate) fn as_read(packets: &[Captured]) -> impl Iterator<Item = Packet<'_>> {
    let start = i64::from(EPOCH_SECONDS) * 1_000_000_000;
    (1..).zip(packets).map(move |(number, packet)| Packet {
        number,
        time: Timestamp::from_nanos(start + packet.nanos),
        interface: ministream::capture::InterfaceId::default(),
        link_type: LinkType::Ethernet,
        data: &packet.data,
        original_bytes: packet.original_bytes,
    })
}
