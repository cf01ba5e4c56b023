//! What a message of an open conversation costs, by how many are open.

use std::net::SocketAddr;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use ministream::carrier::Carrier;
use ministream::conversation::{
    Channel, ChannelId, ChannelStart, Observation, Tracker, TrackerOptions,
};
use ministream::net::Side;
use ministream::time::Timestamp;
use ministream::wire::RawMessage;
use ministream_fixtures::message::{self, Id};
use ministream_fixtures::{Random, seeded_destination};

use crate::captured::size;

/// Conversations share channels as over a few thousand flows.
const CHANNELS: usize = 4_096;
const MESSAGES: usize = 1_000;

#[divan::bench(args = [100, size(20_000), size(1_000_000)])]
fn data_with_others_open(bencher: Bencher<'_, '_>, open: usize) {
    let mut tracker = Tracker::new(TrackerOptions::default());
    let channels: Vec<ChannelId> = (0..CHANNELS.min(open))
        .map(|number| tracker.open_channel(channel(number)))
        .collect();
    let channel_of = |number: usize| channels[number % channels.len()];
    let destination = seeded_destination(1);
    for number in 0..open {
        let syn = message::syn(id(number), &destination);
        let ack = message::ack(id(number), id(number));
        observe(&mut tracker, channel_of(number), Side::Initiator, &syn);
        observe(&mut tracker, channel_of(number), Side::Responder, &ack);
    }

    let mut random = Random::new(1);
    let messages: Vec<_> = (0..100 * MESSAGES)
        .map(|_| random.index(open))
        .map(|number| {
            (
                channel_of(number),
                message::client_data(id(number), b"data"),
            )
        })
        .collect();
    let mut turns = messages.chunks(MESSAGES).cycle();
    bencher.counter(ItemsCount::new(MESSAGES)).bench_local(|| {
        for (channel, data) in turns.next().expect("they go round") {
            observe(&mut tracker, *channel, Side::Initiator, data);
        }
    });
}

fn channel(number: usize) -> Channel {
    let port = u16::try_from(number).expect("a few thousand");
    let addresses = [40_000 + port, 9_004].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    Channel::new(Carrier::Udp, addresses, ChannelStart::Unknown, None)
}

fn id(number: usize) -> Id {
    message::id(u32::try_from(number + 1).expect("a million"))
}

fn observe(tracker: &mut Tracker, channel: ChannelId, from: Side, bytes: &[u8]) {
    black_box(tracker.observe(&Observation {
        packet: 1,
        time: Timestamp::from_nanos(0),
        elapsed_us: 0,
        encapsulation: ministream::net::Encapsulation::NONE,
        channel,
        from,
        message: RawMessage::parse(bytes),
        cut_bytes: 0,
        addressee: None,
    }));
}
