//! Damaged captures, dissected: no message that was whole before the damage is
//! lost, and nothing panics or hangs.

use std::time::{Duration, Instant};

use ministream_fixtures::Random;

use crate::layout::Layout;
use crate::recording::{self, Message, Recording};
use crate::shelf;

/// Captures whose first packets alone prove nothing: their first message is
/// a SYN that is cut or has more behind its destination, or they have none.
const UNPROVEN_AT_FIRST: [&str; 12] = [
    "set-from-server.pcap",
    "tcp-rewritten-length.pcap",
    "tcp-snaplen.pcap",
    "tcp-unanswered.pcap",
    "udp-ack-before-syn.pcap",
    "udp-any-key.pcap",
    "udp-mid-stream-ack.pcap",
    "udp-mid-stream.pcap",
    "udp-snaplen.pcap",
    "udp-unanswered-ports.pcap",
    "udp-unanswered.pcap",
    "udp-syn-trailing.pcap",
];
/// Altered copies that are made of each capture.
const ALTERED_COPIES: u64 = 40;
/// No capture of ours takes a tenth of this, whatever is done to it.
const BOUND: Duration = Duration::from_secs(10);

#[test]
fn a_capture_cut_behind_any_packet_yields_every_message_that_was_whole() {
    let mut losses = Vec::new();
    for name in shelf::uncompressed() {
        let bytes = shelf::bytes(&name);
        let whole = recording::of_bytes(&bytes, u64::MAX).unwrap();
        let packets = Layout::of(&bytes).packets_before(bytes.len());
        let packets = u64::try_from(packets).unwrap();
        let step = usize::try_from(packets / 100 + 1).unwrap();
        for cut in (0..=packets).step_by(step) {
            let part = recording::of_bytes(&bytes, cut).unwrap();
            if let Some(lost) = first_lost(&name, &whole, &part, cut) {
                losses.push(format!(
                    "{name} cut behind packet {cut}: message {}",
                    lost.number
                ));
            }
        }
    }
    assert!(losses.is_empty(), "lost: {losses:#?}");
}

#[test]
fn an_altered_capture_yields_every_message_that_was_whole_before_the_damage() {
    let mut losses = Vec::new();
    for name in shelf::uncompressed() {
        let bytes = shelf::bytes(&name);
        let layout = Layout::of(&bytes);
        let whole = recording::of_bytes(&bytes, u64::MAX).unwrap();
        let mut random = Random::new(0x6d69_6e69);
        for copy in 0..ALTERED_COPIES {
            let mut altered = bytes.clone();
            let first = alter(&mut altered, &mut random);
            let started = Instant::now();
            let outcome = recording::of_bytes(&altered, u64::MAX);
            let case = format!("{name}, copy {copy}, altered from offset {first}");
            assert!(started.elapsed() < BOUND, "{case} took too long");
            let before = u64::try_from(layout.packets_before(first)).unwrap();
            match outcome {
                Ok(part) => losses.extend(
                    first_lost(&name, &whole, &part, before)
                        .map(|lost| format!("{case}: message {}", lost.number)),
                ),
                Err(error) => assert_eq!(before, 0, "{case}: {error}"),
            }
        }
    }
    assert!(losses.is_empty(), "lost: {losses:#?}");
}

#[test]
fn arbitrary_bytes_are_refused_or_read_without_a_panic() {
    let headers = [
        "spec-samples.pcap",
        "format-pcapng.pcapng",
        "spec-samples.pcap.gz",
    ];
    let mut random = Random::new(1);
    for round in 0..300 {
        let length = random.index(600);
        let mut bytes = random.bytes(length);
        // Most rounds begin as some capture does, to come further.
        if let Some(header) = headers.get(round % 4) {
            let header = &shelf::bytes(header)[..random.index(60)];
            bytes.splice(0..0, header.iter().copied());
        }
        let started = Instant::now();
        if let Ok(recording) = recording::of_bytes(&bytes, u64::MAX) {
            assert!(recording.messages.len() <= bytes.len());
        }
        assert!(started.elapsed() < BOUND, "round {round} took too long");
    }
}

/// The first message of the first `packets` packets that `part` does not have
/// in its place.
fn first_lost<'a>(
    name: &str,
    whole: &'a Recording,
    part: &Recording,
    packets: u64,
) -> Option<&'a Message> {
    if UNPROVEN_AT_FIRST.contains(&name) && part.flows.is_empty() {
        return None;
    }
    let mut found = part.messages.iter();
    whole
        .messages
        .iter()
        .filter(|expected| expected.packet <= packets)
        .find(|expected| {
            !found.any(|one| one.bytes == expected.bytes && one.source == expected.source)
        })
}

/// Sets one to four bytes to other values; the offset of the first of them.
fn alter(bytes: &mut [u8], random: &mut Random) -> usize {
    let count = 1 + random.index(4);
    let mut first = bytes.len();
    for _ in 0..count {
        let place = random.index(bytes.len());
        let mask = u8::try_from(1 + random.below(255)).unwrap();
        bytes[place] ^= mask;
        first = first.min(place);
    }
    first
}
