//! Headers and the look-up of the flow; reassembly. What `headers` costs is in it.

use std::convert::Infallible;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use ministream::net::{Arrival, Delivery, Flow, Network, NetworkLimits, PacketDecoder};
use ministream_fixtures::Captured;
use ministream_fixtures::bulk::{Shape, Share};

use crate::captured::{TCP, UDP, as_read, packets, size};

/// Datagrams over that many flows, which take turns at random.
#[divan::bench(args = [1, size(4_096), size(60_000)])]
fn datagrams_over_flows(bencher: Bencher<'_, '_>, flows: usize) {
    let packets = packets(Shape {
        flows: u32::try_from(flows).expect("a few thousand"),
        open: flows,
        conversations: 2 * u64::try_from(flows).expect("a few thousand"),
        ..Shape::sequential(UDP)
    });
    push_again_and_again(bencher, &packets);
}

/// Connections from their first packet to the end of the capture, with so many
/// millionths of their segments twice or late.
#[divan::bench(args = [0, 8_000, 50_000])]
fn segments_in_disorder(bencher: Bencher<'_, '_>, millionths: u32) {
    let packets = packets(Shape {
        flows: 100,
        open: 1_000,
        conversations: u64::try_from(size(10_000)).expect("a few thousand"),
        disorder: Share::millionths(millionths),
        ..Shape::sequential(TCP)
    });
    bencher
        .counter(ItemsCount::new(packets.len()))
        .with_inputs(|| Network::new(NetworkLimits::default()))
        .bench_local_refs(|network| push(network, &packets));
}

fn push_again_and_again(bencher: Bencher<'_, '_>, packets: &[Captured]) {
    let mut network = Network::new(NetworkLimits::default());
    bencher
        .counter(ItemsCount::new(packets.len()))
        .bench_local(|| push(&mut network, packets));
}

fn push(network: &mut Network<()>, packets: &[Captured]) {
    let mut decoder = PacketDecoder::new(&NetworkLimits::default());
    let mut deliver = |flow: &mut Flow<()>, _: Arrival, delivery: Delivery<'_>| {
        black_box((flow.id, delivery));
        Ok::<(), Infallible>(())
    };
    for packet in as_read(packets) {
        let Ok(()) = network.push(Arrival::of(&packet), decoder.decode(&packet), &mut deliver);
    }
}
