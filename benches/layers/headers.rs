//! Link, IP and transport headers.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use ministream::net::{NetworkLimits, PacketDecoder};
use ministream_fixtures::bulk::{BulkCarrier, Shape};

use crate::captured::{TAKEN, TCP, UDP, as_read, packets};

#[divan::bench(args = [UDP, TCP])]
fn decode(bencher: Bencher<'_, '_>, carrier: BulkCarrier) {
    let mut packets = packets(Shape {
        conversations: 200,
        ..Shape::sequential(carrier)
    });
    packets.truncate(TAKEN);
    let mut decoder = PacketDecoder::new(&NetworkLimits::default());
    bencher
        .counter(ItemsCount::new(packets.len()))
        .bench_local(|| {
            for packet in as_read(&packets) {
                black_box(decoder.decode(&packet)).expect("a whole packet");
            }
        });
}
