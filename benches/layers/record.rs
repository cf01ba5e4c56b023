//! Lines of `-T ndjson`.

use std::net::SocketAddr;

use divan::Bencher;
use divan::counter::ItemsCount;
use ministream::carrier::Carrier;
use ministream::conversation::{
    Conversation, ConversationId, ConversationState, Meaning, MessageEvent, Party, Tally,
};
use ministream::field::PayloadDetail;
use ministream::record::RecordWriter;
use ministream::time::Timestamp;
use ministream::wire::{ClientId, DestinationHash, Direction, RawMessage, ServerId, StreamId};
use ministream_fixtures::{Random, message};

const RECORDS: u64 = 1_000;
/// The mean of the captures that `examples/generate.rs` makes.
const PAYLOAD_BYTES: usize = 105;

#[divan::bench(args = [PayloadDetail::None, PayloadDetail::Preview, PayloadDetail::Full])]
fn message(bencher: Bencher<'_, '_>, payload: PayloadDetail) {
    let bytes = message::client_data([1, 2, 3], &Random::new(1).bytes(PAYLOAD_BYTES));
    let mut records = RecordWriter::new(payload);
    let mut out = Vec::new();
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| {
        out.clear();
        for number in 1..=RECORDS {
            records.message(&event(number, &bytes), &mut out);
        }
    });
}

#[divan::bench]
fn conversation(bencher: Bencher<'_, '_>) {
    let records = RecordWriter::new(PayloadDetail::None);
    let conversation = ended();
    let mut out = Vec::new();
    bencher.counter(ItemsCount::new(RECORDS)).bench_local(|| {
        out.clear();
        for _ in 0..RECORDS {
            records.conversation(&conversation, &mut out);
        }
    });
}

/// One of many flows: each message has another client.
fn event(number: u64, bytes: &[u8]) -> MessageEvent<'_> {
    let [.., high, low] = (number * 0x9e37).to_be_bytes();
    MessageEvent {
        number: 6_000_000 + number,
        packet: 6_500_000 + number,
        time: time(number),
        elapsed_us: 12_000_000,
        encapsulation: ministream::net::Encapsulation::NONE,
        carrier: Carrier::Udp,
        source: SocketAddr::from(([127, 0, 0, 1], u16::from_be_bytes([high, low]))),
        target: SocketAddr::from(([127, 0, 0, 1], 9_004)),
        direction: Some(Direction::ClientToServer),
        message: RawMessage::parse(bytes),
        conversation: Some(ConversationId(900_000 + number)),
        meaning: Meaning::Carries,
        session: None,
        router_ns: None,
        sent_as: None,
        destination_hash: None,
        findings: &[],
    }
}

fn ended() -> Conversation {
    let end = |port| Party {
        address: SocketAddr::from(([127, 0, 0, 1], port)),
        nickname: None,
        hash: None,
    };
    Conversation {
        id: ConversationId(900_000),
        carrier: Carrier::Udp,
        client: Party {
            hash: Some(DestinationHash::of(&[])),
            ..end(40_112)
        },
        server: end(9_004),
        client_id: Some(ClientId(StreamId([1, 2, 3]))),
        server_id: Some(ServerId(StreamId([4, 5, 6]))),
        state: ConversationState::ClientClosed,
        start: time(0),
        start_us: 12_000_000,
        end: time(100),
        handshake_ns: Some(50_000_000),
        first_byte_ns: Some(70_000_000),
        c2s: Tally {
            message_count: 1,
            payload_bytes: 105,
        },
        s2c: Tally {
            message_count: 3,
            payload_bytes: 315,
        },
        finding_count: 0,
        peer_view: None,
        router: None,
    }
}

fn time(step: u64) -> Timestamp {
    let nanos = i64::try_from(step * 2_345).expect("milliseconds");
    Timestamp::from_nanos(1_085_486_400_000_000_000 + nanos)
}
