//! Connections of known content, captured in any disorder that loses nothing.

use arbitrary::{Result, Unstructured};
use ministream::conversation::ConversationState;
use ministream::dissect::{Collected, DissectOptions};
use ministream_fixtures::carry::Prefix;
use ministream_fixtures::file::Pcap;
use ministream_fixtures::{End, Link, TcpFlow, Wire, message};

use crate::capture_file::dissect;
use crate::outputs;

/// A TCP connection with conversations, in segments of any size, resent, swapped with their
/// neighbours and doubled: every message is found, once, and every byte counted.
pub fn run(data: &[u8]) {
    crate::given(data, check);
}

fn check(input: &mut Unstructured<'_>) -> Result<()> {
    let mut wire = Wire::new(Link::ETHERNET);
    let ends = ["192.0.2.1:40000", "192.0.2.2:9005"].map(|end| end.parse().expect("an address"));
    let mut flow = TcpFlow::new(ends[0], ends[1]);
    flow.open(&mut wire);
    let opened = wire.packets.len();
    let mut expected = Expected::default();
    let count = input.int_in_range(1..=5)?;
    for number in 0..count {
        converse(input, &mut wire, &mut flow, number, &mut expected)?;
    }
    disturb(input, &mut wire, &flow, opened)?;
    let capture = Pcap::USUAL.write(&wire);
    let mut seen = Collected::default();
    dissect(&capture, DissectOptions::default(), &mut seen).expect("it is a capture");
    assert_eq!(seen.message_count, expected.messages, "messages");
    assert_eq!(
        seen.conversations.len(),
        usize::from(count),
        "conversations"
    );
    let bytes = |tally: fn(&ministream::conversation::Conversation) -> u64| -> u64 {
        seen.conversations.iter().map(tally).sum()
    };
    assert_eq!(
        bytes(|one| one.c2s.payload_bytes),
        expected.c2s,
        "bytes of clients"
    );
    assert_eq!(
        bytes(|one| one.s2c.payload_bytes),
        expected.s2c,
        "bytes of servers"
    );
    assert!(
        seen.conversations.iter().all(|one| matches!(
            one.state,
            ConversationState::ClientClosed | ConversationState::ServerClosed
        )),
        "each conversation was closed"
    );
    outputs::check(input.arbitrary()?, &capture, &DissectOptions::default());
    Ok(())
}

#[derive(Debug, Default)]
struct Expected {
    messages: u64,
    c2s: u64,
    s2c: u64,
}

/// One conversation, from SYN to close.
fn converse(
    input: &mut Unstructured<'_>,
    wire: &mut Wire,
    flow: &mut TcpFlow,
    number: u8,
    expected: &mut Expected,
) -> Result<()> {
    let (client, server) = ([1, 0, number], [2, 0, number]);
    let mut say = |input: &mut Unstructured<'_>, from, message: &[u8]| -> Result<()> {
        let framed = Prefix::U32.before(message);
        let size = *input.choose(&[1_400, 1, 7, 100])?;
        flow.send_in_segments(wire, from, &framed, size);
        expected.messages += 1;
        Ok(())
    };
    let destination = ministream_fixtures::seeded_destination(u64::from(number));
    say(input, End::Client, &message::syn(client, &destination))?;
    say(input, End::Server, &message::ack(client, server))?;
    for _ in 0..input.int_in_range(0..=4)? {
        let length = input.int_in_range(0..=input.len().min(200))?;
        let bytes = input.bytes(length)?;
        let count = u64::try_from(bytes.len()).expect("short");
        if input.arbitrary()? {
            say(input, End::Client, &message::client_data(server, bytes))?;
            expected.c2s += count;
        } else {
            say(input, End::Server, &message::server_data(client, bytes))?;
            expected.s2c += count;
        }
    }
    if input.arbitrary()? {
        say(input, End::Client, &message::client_close(server))
    } else {
        say(input, End::Server, &message::server_close(client))
    }
}

/// Swaps neighbours, doubles packets, resends what was sent.
fn disturb(
    input: &mut Unstructured<'_>,
    wire: &mut Wire,
    flow: &TcpFlow,
    opened: usize,
) -> Result<()> {
    for _ in 0..input.int_in_range(0..=8)? {
        let last = wire.packets.len() - 1;
        let place = input.int_in_range(opened..=last)?;
        match input.int_in_range(0..=2)? {
            0 if place < last && same_end(wire, place) => wire.swap(place, place + 1),
            1 => wire.duplicate(place),
            _ => {
                let from = *input.choose(&[End::Client, End::Server])?;
                let sent = flow.sent_bytes(from);
                if sent > 0 {
                    let start = input.int_in_range(0..=sent - 1)?;
                    let end = input.int_in_range(start + 1..=sent.min(start + 1_000))?;
                    flow.resend(wire, from, start..end);
                }
            }
        }
    }
    Ok(())
}

/// Whether a packet and the next come from the same end: their IPv4 source addresses stand
/// behind 14 bytes of Ethernet and 12 of IP.
fn same_end(wire: &Wire, place: usize) -> bool {
    wire.packets[place].data[26..30] == wire.packets[place + 1].data[26..30]
}
