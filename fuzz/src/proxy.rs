//! The proxy's machine, with any rules and faults, between any two talkers.

use std::time::{Duration, Instant};

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use ministream::carrier::Carrier;
use ministream::dissect::Collected;
use ministream::endpoint::AddressProof;
use ministream::fault::{FaultLines, Faults};
use ministream::net::Side;
use ministream::proxy::{Proxy, ProxyOptions, ProxyOutput, Rule};
use ministream::time::Timestamp;
use ministream::wire::Direction;

const RULES: [&str; 14] = [
    "type == ack && nth == 2: drop",
    "type == data: delay 20ms",
    "type == data: duplicate",
    "type == ack: hold until type == data",
    "type == data && dir == c2s: swap with next",
    "type == ack: set id ffffff",
    "type == data: set type 0x53",
    "type == data: replace /a+/ \"bb\"",
    "type == data: truncate 2",
    "type == data: append hex:00ff",
    "type == syn: inject s2c close $client_id",
    "type == data && nth == 3: close both",
    "type == close: drop",
    "type == data: pass",
];

const FAULTS: [&str; 8] = [
    "latency=5ms±2ms",
    "loss=30%",
    "dup=50%",
    "reorder=30%",
    "corrupt=10%",
    "rate=10KiB/s",
    "stall=1s@100B",
    "blackhole=1s..2s",
];

/// What waits at most: 16 MiB on purpose, as much in each direction for faults and for proofs of addresses, and the
/// message beyond each, with its copies.
const MAX_HELD_BYTES: usize = ((4 * 16) << 20) + (1 << 20);

/// Nothing panics, what waits is bounded, all that waits comes out or is dropped in time, and without rules and
/// faults everything comes out at once, as it went in and in the same order. A client that has not proven its
/// address, where that is asked for, gets at most three times what it sent, and what waits for its proof comes
/// out behind it, in order.
pub fn run(data: &[u8]) {
    crate::given(data, pass);
}

fn pass(input: &mut Unstructured<'_>) -> Result<()> {
    let mut rules = Vec::new();
    for _ in 0..input.int_in_range(0..=3)? {
        let rule = *input.choose(&RULES)?;
        rules.push(Rule::parse(rule).expect("a test knows its rules"));
    }
    let mut lines = Vec::<FaultLines>::new();
    for _ in 0..input.int_in_range(0..=2)? {
        lines.push(
            input
                .choose(&FAULTS)?
                .parse()
                .expect("a test knows its faults"),
        );
    }
    let is_plain = rules.is_empty() && lines.is_empty();
    let carrier = *input.choose(&[Carrier::Udp, Carrier::TcpU32])?;
    let both = [Direction::ClientToServer, Direction::ServerToClient];
    let mut options = ProxyOptions::default();
    options.faults = Faults::of(&lines, &both);
    options.rules = rules;
    if carrier == Carrier::Udp && input.arbitrary()? {
        options.address_proof = AddressProof::Required;
    }
    let start = Instant::now();
    let mut now = start;
    let mut proxy = Proxy::new(options, now, Timestamp::from_nanos(0));
    let mut seen = Collected::default();
    let ends = ["127.0.0.1:1", "127.0.0.1:2"].map(|end| end.parse().expect("an address"));
    let Ok(id) = proxy.open(carrier, ends, &mut seen);
    let (mut given, mut passed) = (Vec::new(), Vec::new());
    let mut came_from_client = 0;
    let mut is_given_up = false;
    let mut has_flooded = false;
    for _ in 0..200 {
        if input.is_empty() {
            break;
        }
        let from = *input.choose(&[Side::Initiator, Side::Responder])?;
        let (message, count) = match input.int_in_range(0..=63)? {
            // Enough to come to the limit of what waits.
            0 if !has_flooded => {
                has_flooded = true;
                (large_message(input)?, 2_000)
            }
            _ => (message(input)?, 1),
        };
        for _ in 0..count {
            if !proxy.has_room() {
                break;
            }
            given.push((from.opposite(), message.clone()));
            if from == Side::Initiator {
                came_from_client += message.len();
            }
            let Ok(()) = proxy.receive(now, id, from, message.clone(), &mut seen);
            is_given_up |= drain(&mut proxy, now, &mut passed);
            let held = proxy.held_bytes();
            assert!(held <= MAX_HELD_BYTES, "{held} bytes wait");
        }
        if is_plain && proxy.is_proven(id) {
            for side in [Side::Initiator, Side::Responder] {
                assert_eq!(
                    to(side, &passed),
                    to(side, &given),
                    "what comes out, and what went in"
                );
            }
            passed.clear();
            given.clear();
        }
        now += Duration::from_millis(input.int_in_range(0..=100)?);
        is_given_up |= drain(&mut proxy, now, &mut passed);
        if !proxy.is_proven(id) {
            let sent: usize = to(Side::Initiator, &passed)
                .iter()
                .map(|message| message.len())
                .sum();
            assert!(
                sent <= 3 * came_from_client,
                "{sent} bytes for {came_from_client}"
            );
        }
        if is_given_up {
            break;
        }
    }
    // Whatever waits, waits for a time; what waits for a message ends with the connection.
    for side in [Side::Initiator, Side::Responder] {
        proxy.end(now, id, side);
    }
    for _ in 0..10_000 {
        let _ = drain(&mut proxy, now, &mut passed);
        match proxy.poll_timeout() {
            Some(at) => now = now.max(at),
            None => break,
        }
    }
    assert_eq!(proxy.poll_timeout(), None, "something waits for ever");
    let Ok(()) = proxy.close(now, id, &mut seen);
    let Ok(()) = proxy.finish(&mut seen);
    assert_eq!(proxy.conversation_count(), 0, "all is over");
    Ok(())
}

/// Takes what comes out; whether the client was given up.
fn drain(proxy: &mut Proxy, now: Instant, passed: &mut Vec<(Side, Bytes)>) -> bool {
    let mut is_given_up = false;
    while let Some(output) = proxy.poll_output(now) {
        match output {
            ProxyOutput::Transmit { to, bytes, .. } => passed.push((to, bytes)),
            ProxyOutput::GiveUp { .. } => is_given_up = true,
            _ => {}
        }
    }
    is_given_up
}

fn to(side: Side, messages: &[(Side, Bytes)]) -> Vec<&Bytes> {
    let wanted = messages.iter().filter(|(to, _)| *to == side);
    wanted.map(|(_, bytes)| bytes).collect()
}

/// A message as long as the reference implementation sends them.
fn large_message(input: &mut Unstructured<'_>) -> Result<Bytes> {
    let mut message = vec![*input.choose(&[0xa0, 0x50, 0xa1, 0x51])?, 0, 0];
    message.push(input.int_in_range(1..=3)?);
    // No rule looks for this byte, which would take long.
    message.resize(32 << 10, b'z');
    Ok(message.into())
}

/// A message of few ids, so that many belong together; now and then no message at all.
fn message(input: &mut Unstructured<'_>) -> Result<Bytes> {
    let frame_type = match input.int_in_range(0..=9)? {
        0 => input.arbitrary()?,
        _ => *input.choose(&[0xa0, 0xa1, 0xa2, 0x50, 0x51, 0x52])?,
    };
    let mut message = vec![frame_type, 0, 0, input.int_in_range(1..=3)?];
    if frame_type == 0x51 {
        message.extend([0, 0, input.int_in_range(1..=3)?]);
    } else {
        let length = input.int_in_range(0..=input.len().min(40))?;
        message.extend_from_slice(input.bytes(length)?);
    }
    if input.int_in_range(0..=30)? == 0 {
        message.truncate(input.int_in_range(0..=4)?);
    }
    Ok(message.into())
}
