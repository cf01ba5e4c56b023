//! Messages after their lengths, out of a byte stream.

use std::convert::Infallible;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use ministream::carrier::length_prefixed::{Decoder, Prefix};
use ministream_fixtures::{Random, message};

/// Messages of 5 to 214 bytes in segments of that size.
#[divan::bench(args = [64, 536, 1_460, 16_384])]
fn decode(bencher: Bencher<'_, '_>, segment_bytes: usize) {
    const MESSAGES: usize = 1_000;
    let mut random = Random::new(1);
    let mut stream = Vec::new();
    for _ in 0..MESSAGES {
        let length = 1 + random.index(210);
        let message = message::client_data([1, 2, 3], &random.bytes(length));
        stream.extend(ministream_fixtures::carry::Prefix::U32.before(&message));
    }
    bencher
        .counter(ItemsCount::new(MESSAGES))
        .with_inputs(|| Decoder::new(Prefix::U32, |_, _| true))
        .bench_local_refs(|decoder| {
            for segment in stream.chunks(segment_bytes) {
                let Ok(()) = decoder.push(segment, &mut |item| {
                    black_box(item);
                    Ok::<(), Infallible>(())
                });
            }
        });
}
