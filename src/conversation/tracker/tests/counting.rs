//! Data that are only counted, where that is enough, have the same effects as observed ones.

use proptest::prelude::*;

use super::*;
use crate::wire::MAX_DATA_PAYLOAD_BYTES;

/// A message of a few conversations that get into each other's way.
#[derive(Clone, Debug)]
struct Sent {
    wait_ms: i64,
    channel: usize,
    from: Side,
    message: Vec<u8>,
}

fn sent() -> impl Strategy<Value = Sent> {
    let wait_ms = prop::sample::select(vec![0_i64, 1, 1, 1, 1_500, 6_000, 40_000]);
    let kind = prop::sample::select(vec![
        0xa0_u8, 0xa0, 0xa0, 0x50, 0x50, 0x50, 0xa1, 0x51, 0x51, 0xa2, 0x52,
    ]);
    let length = prop::sample::select(vec![0, 1, 3, 3, 90, MAX_DATA_PAYLOAD_BYTES]);
    (wait_ms, 0..2_usize, any::<bool>(), kind, 0..3_u8, length).prop_map(
        |(wait_ms, channel, turned, kind, id, length)| {
            // Rarely, the other side is the client.
            let from = match (kind >= 0xa0, turned && id == 2) {
                (true, false) | (false, true) => A,
                (true, true) | (false, false) => B,
            };
            let length = match kind {
                0x51 => length.min(3),
                _ => length,
            };
            let mut message = vec![kind, 0, 0, id];
            // An ACK announces one of the ids that data name.
            message.extend((0..length).map(|index| match index {
                2 => id,
                _ => 0,
            }));
            Sent {
                wait_ms,
                channel,
                from,
                message,
            }
        },
    )
}

/// The reports on all these messages, with the number of those that were only counted.
fn events_of(sent: &[Sent], may_count: bool) -> (Vec<String>, u64) {
    let mut watch = Watch::with(TrackerOptions {
        max_lingering: 2,
        ..TrackerOptions::default()
    });
    let channels = [
        watch.udp(),
        watch.channel(Carrier::TcpU32, ChannelStart::Captured),
    ];
    let (mut told, mut counted) = (Vec::new(), 0);
    for sent in sent {
        watch.wait(sent.wait_ms);
        let channel = channels[sent.channel];
        let carried = match RawMessage::parse(&sent.message) {
            RawMessage::Frame(frame) if may_count => {
                let time = watch.time.plus_nanos(1_000_000);
                let tracker = &mut watch.tracker;
                tracker.carry_on(channel, sent.from, time, &frame, None)
            }
            _ => None,
        };
        match carried {
            Some(carried) => {
                watch.wait(1);
                watch.packet += 1;
                assert_eq!(carried.number, watch.packet);
                assert_eq!(carried.payload_bytes, sent.message.len() as u64 - 4);
                counted += 1;
            }
            None => {
                let line = watch.pass(channel, sent.from, &sent.message);
                // Data that carry and have no finding may be counted in the other run.
                if !line.ends_with("carries") {
                    told.push(line);
                }
            }
        }
        told.extend(events(&mut watch));
    }
    watch.tracker.finish(watch.time, EndOfInput::Complete);
    told.extend(events(&mut watch));
    (told, counted)
}

/// All events apart from messages.
fn events(watch: &mut Watch) -> Vec<String> {
    std::iter::from_fn(|| watch.tracker.next_event())
        .map(|event| format!("{event:?}"))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn the_same_is_told(sent in prop::collection::vec(sent(), 0..60)) {
        let (described, _) = events_of(&sent, false);
        let (counted, _) = events_of(&sent, true);
        prop_assert_eq!(counted, described);
    }
}

#[test]
fn data_of_an_open_conversation_are_counted() {
    let message = |from, message: &[u8]| Sent {
        wait_ms: 0,
        channel: 0,
        from,
        message: message.to_vec(),
    };
    let sent = [
        message(A, b"\xa1\0\0\x01key"),
        message(B, b"\x51\0\0\x01\0\0\x02"),
        message(A, b"\xa0\0\0\x02abc"),
        message(B, b"\x50\0\0\x01"),
        message(B, b"\x50\0\0\0abc"),
        message(A, b"\xa2\0\0\x02"),
    ];
    let (_, counted) = events_of(&sent, true);
    assert_eq!(counted, 2);
}
