//! TCP as receivers have it (RFC 9293, RFC 5961), and captures that a snap length cut.

use std::net::SocketAddr;

use ministream::conversation::{Finding, FindingCode, Level};
use ministream_fixtures::carry::{Prefix, Sent, client, server};
use ministream_fixtures::file::Pcap;
use ministream_fixtures::message::{ack, client_data, id, server_close, server_data, syn};
use ministream_fixtures::{End, Link, Random, Segment, TcpFlow, UdpFlow, Wire};

use crate::recording::{self, Recording};

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

const PREFIXES: [Option<Prefix>; 3] = [Some(Prefix::U32), Some(Prefix::U16), None];

fn exchange(number: u32) -> Vec<Sent> {
    let (client_id, server_id) = (id(0x11_1111 + number), id(0xff_ff00 + number));
    let mut random = Random::new(number.into());
    vec![
        client(0, syn(client_id, &random.bytes(391))),
        server(1, ack(client_id, server_id)),
        client(
            2,
            client_data(server_id, b"GET / HTTP/1.0\r\nHost: x\r\n\r\n"),
        ),
        server(
            3,
            server_data(
                client_id,
                b"HTTP/1.0 200 OK\r\nContent-Length: 1200\r\n\r\n",
            ),
        ),
        server(4, server_data(client_id, &random.bytes(1_200))),
        server(5, server_close(client_id)),
    ]
}

fn addresses(is_v6: bool) -> [SocketAddr; 2] {
    if is_v6 {
        let host = |last| [0xfd00, 0, 0, 0, 0, 0, 0, last];
        [(host(1), 40_112).into(), (host(2), 9_004).into()]
    } else {
        [
            ([10, 0, 0, 1], 40_112).into(),
            ([10, 0, 0, 2], 9_004).into(),
        ]
    }
}

fn framed(prefix: Option<Prefix>, message: &[u8]) -> Vec<u8> {
    prefix.map_or_else(|| message.to_vec(), |prefix| prefix.before(message))
}

fn read(wire: &Wire) -> Recording {
    recording::of_bytes(&Pcap::USUAL.write(wire), u64::MAX).unwrap()
}

fn assert_all_messages(recording: &Recording, exchanges: &[Vec<Sent>], name: &str) {
    let sent: Vec<&[u8]> = exchanges
        .iter()
        .flatten()
        .map(|sent| &sent.message[..])
        .collect();
    let found: Vec<&[u8]> = recording
        .messages
        .iter()
        .map(|message| &message.bytes[..])
        .collect();
    assert_eq!(found.len(), sent.len(), "{name}: {:#?}", recording.findings);
    assert!(found == sent, "{name}");
    assert_eq!(recording.conversations.len(), exchanges.len(), "{name}");
}

fn odd(recording: &Recording) -> Vec<FindingCode> {
    let is_odd = |finding: &&Finding| finding.level >= Level::Warn;
    recording
        .findings
        .iter()
        .filter(is_odd)
        .map(|finding| finding.code)
        .collect()
}

/// A conversation on one connection; `disturb` is called before each message.
fn disturbed(
    prefix: Option<Prefix>,
    is_v6: bool,
    mut disturb: impl FnMut(usize, &TcpFlow, &mut Wire),
) -> Wire {
    let [from, to] = addresses(is_v6);
    let mut wire = Wire::new(Link::ETHERNET);
    let mut flow = TcpFlow::new(from, to);
    flow.open(&mut wire);
    for (number, sent) in exchange(0).iter().enumerate() {
        disturb(number, &flow, &mut wire);
        flow.send(&mut wire, sent.from, &framed(prefix, &sent.message));
        flow.acknowledge(&mut wire, sent.from.opposite());
    }
    flow.close(&mut wire, End::Server);
    wire
}

/// Where the next byte of an end would be.
fn next_sequence(flow: &TcpFlow, from: End) -> u32 {
    let initial = match from {
        End::Client => 1_000_001,
        End::Server => 2_000_001,
    };
    initial + u32::try_from(flow.sent_bytes(from)).unwrap()
}

#[test]
fn a_reset_elsewhere_than_the_next_byte_is_ignored_and_told() {
    for prefix in PREFIXES {
        for (from, places) in [(End::Client, 1..3), (End::Server, 1..6)] {
            for place in places {
                for distance in [
                    -70_000_i32,
                    -1_460,
                    -1,
                    1,
                    10,
                    1_460,
                    65_535,
                    1 << 20,
                    i32::MAX,
                ] {
                    let wire = disturbed(prefix, place % 2 == 0, |number, flow, wire| {
                        if number == place {
                            let sequence = next_sequence(flow, from).wrapping_add_signed(distance);
                            let reset = Segment {
                                sequence,
                                acknowledgment: next_sequence(flow, from.opposite()),
                                flags: RST | ACK,
                                payload: Vec::new(),
                            };
                            flow.put(wire, from, &reset);
                        }
                    });
                    let recording = read(&wire);
                    let name = format!("{prefix:?}, {from:?}, {place}, {distance}");
                    assert_all_messages(&recording, &[exchange(0)], &name);
                    assert_eq!(odd(&recording), [FindingCode::TcpResetIgnored], "{name}");
                    let is_reset =
                        |finding: &&Finding| finding.code == FindingCode::TcpResetIgnored;
                    let text = &recording.findings.iter().find(is_reset).unwrap().text;
                    let side = if distance > 0 { "ahead of" } else { "behind" };
                    let said = format!("{} bytes {side}", distance.unsigned_abs());
                    assert!(text.contains(&said), "{name}: {text}");
                }
            }
        }
    }
}

#[test]
fn a_syn_within_an_open_connection_is_ignored_and_told() {
    for prefix in PREFIXES {
        for from in [End::Client, End::Server] {
            for flags in [SYN, SYN | ACK] {
                for place in 1..6 {
                    for is_challenged in [false, true] {
                        let wire = disturbed(prefix, place % 2 == 0, |number, flow, wire| {
                            if number == place {
                                let acknowledgment = match flags & ACK {
                                    0 => 0,
                                    _ => next_sequence(flow, from.opposite()),
                                };
                                let segment = Segment {
                                    sequence: 77_000_000,
                                    acknowledgment,
                                    flags,
                                    payload: Vec::new(),
                                };
                                flow.put(wire, from, &segment);
                                if is_challenged {
                                    flow.acknowledge(wire, from.opposite());
                                }
                            }
                        });
                        let recording = read(&wire);
                        let name = format!("{prefix:?}, {from:?}, {flags:x}, {place}");
                        assert_all_messages(&recording, &[exchange(0)], &name);
                        assert_eq!(odd(&recording), [FindingCode::TcpSynIgnored], "{name}");
                    }
                }
            }
        }
    }
}

#[test]
fn ports_that_are_used_again_at_once_begin_a_connection() {
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Ending {
        Closed,
        Reset,
        /// Its end is not in the capture.
        Missing,
    }
    for prefix in PREFIXES {
        for ending in [Ending::Closed, Ending::Reset, Ending::Missing] {
            for initial in [
                [1_000_000, 2_000_000],
                [1_005_000, 2_005_000],
                [1 << 31, 5],
                [7, 1 << 30],
            ] {
                // Whether it ended is not known, so that the same numbers are a repetition.
                if ending == Ending::Missing && initial[0] == 1_000_000 {
                    continue;
                }
                let [from, to] = addresses(false);
                let mut wire = Wire::new(Link::ETHERNET);
                let exchanges = [exchange(1), exchange(2)];
                for (initial, exchange) in [[1_000_000, 2_000_000], initial]
                    .into_iter()
                    .zip(&exchanges)
                {
                    let mut flow = TcpFlow::with_initial_sequence(from, to, initial);
                    flow.open(&mut wire);
                    for sent in exchange {
                        flow.send(&mut wire, sent.from, &framed(prefix, &sent.message));
                    }
                    match ending {
                        Ending::Closed => flow.close(&mut wire, End::Client),
                        Ending::Reset => flow.reset(&mut wire, End::Client),
                        Ending::Missing => {}
                    }
                }
                let recording = read(&wire);
                let name = format!("{prefix:?}, {ending:?}, {initial:?}");
                assert_all_messages(&recording, &exchanges, &name);
                assert_eq!(odd(&recording), [], "{name}");
                assert_eq!(recording.flows.len(), 2, "{name}");
            }
        }
    }
}

#[test]
fn both_ends_may_open_at_once() {
    for prefix in PREFIXES {
        for second_syn_has_ack in [false, true] {
            let [from, to] = addresses(false);
            let mut wire = Wire::new(Link::ETHERNET);
            let mut flow = TcpFlow::new(from, to);
            let mut put = |from, sequence, acknowledgment, flags| {
                let segment = Segment {
                    sequence,
                    acknowledgment,
                    flags,
                    payload: Vec::new(),
                };
                flow.put(&mut wire, from, &segment);
            };
            put(End::Client, 1_000_000, 0, SYN);
            put(End::Server, 2_000_000, 0, SYN);
            put(End::Client, 1_000_000, 2_000_001, SYN | ACK);
            if second_syn_has_ack {
                put(End::Server, 2_000_000, 1_000_001, SYN | ACK);
            } else {
                put(End::Server, 2_000_001, 1_000_001, ACK);
            }
            for sent in exchange(0) {
                flow.send(&mut wire, sent.from, &framed(prefix, &sent.message));
            }
            flow.close(&mut wire, End::Server);
            let recording = read(&wire);
            assert_all_messages(&recording, &[exchange(0)], &format!("{prefix:?}"));
            assert_eq!(odd(&recording), []);
        }
    }
}

#[test]
fn data_beside_fin_are_data() {
    for prefix in PREFIXES {
        for is_swapped in [false, true] {
            let [from, to] = addresses(false);
            let mut wire = Wire::new(Link::ETHERNET);
            let mut flow = TcpFlow::new(from, to);
            flow.open(&mut wire);
            let messages = exchange(0);
            let (last, others) = messages.split_last().unwrap();
            for sent in others {
                flow.send(&mut wire, sent.from, &framed(prefix, &sent.message));
            }
            let segment = Segment {
                sequence: next_sequence(&flow, End::Server),
                acknowledgment: next_sequence(&flow, End::Client),
                flags: FIN | PSH | ACK,
                payload: framed(prefix, &last.message),
            };
            flow.put(&mut wire, End::Server, &segment);
            if is_swapped {
                let count = wire.packets.len();
                wire.packets.swap(count - 1, count - 2);
            }
            let recording = read(&wire);
            assert_all_messages(
                &recording,
                &[exchange(0)],
                &format!("{prefix:?}, {is_swapped}"),
            );
        }
    }
}

#[test]
fn messages_that_a_snap_length_cut_are_shown_as_cut_and_the_stream_goes_on() {
    for prefix in PREFIXES {
        let whole = disturbed(prefix, false, |_, _, _| {});
        let prefix_bytes = framed(prefix, &[]).len();
        // Ethernet, IPv4 and TCP headers, the length, type and id of the message.
        let header_bytes = 14 + 20 + 20 + prefix_bytes + 4;
        for snap_length in header_bytes..1_300 {
            for is_rewritten in [false, true] {
                let mut wire = whole.clone();
                for packet in &mut wire.packets {
                    packet.cut(snap_length);
                    if is_rewritten {
                        packet.original_bytes = u32::try_from(packet.data.len()).unwrap();
                    }
                }
                let recording = read(&wire);
                let name = format!("{prefix:?}, {snap_length}, {is_rewritten}");
                let kept = snap_length - (header_bytes - 4);
                let expected: Vec<Vec<u8>> = exchange(0)
                    .into_iter()
                    .map(|mut sent| {
                        sent.message.truncate(kept);
                        sent.message
                    })
                    .collect();
                let found: Vec<Vec<u8>> = recording
                    .messages
                    .iter()
                    .map(|message| message.bytes.clone())
                    .collect();
                assert!(
                    found == expected,
                    "{name}: {} messages, {:#?}",
                    found.len(),
                    recording.findings
                );
                let conversation = &recording.conversations[..];
                assert_eq!(conversation.len(), 1, "{name}");
                let is_cut = odd(&recording);
                if snap_length < 14 + 20 + 20 + prefix_bytes + 1_204 {
                    assert_eq!(is_cut, [FindingCode::CaptureSnaplen], "{name}");
                } else {
                    assert_eq!(is_cut, [], "{name}");
                }
            }
        }
    }
}

#[test]
fn segments_of_several_messages_that_were_cut_lose_only_what_was_cut() {
    // A length of 2 bytes proves too little where what follows it is cut.
    for prefix in [Prefix::U32] {
        for snap_length in [70, 96, 128, 300] {
            let [from, to] = addresses(false);
            let mut wire = Wire::new(Link::ETHERNET);
            let mut flow = TcpFlow::new(from, to);
            flow.open(&mut wire);
            let mut sent = 0;
            for round in 0..20 {
                let exchange = exchange(round);
                for end in [End::Client, End::Server] {
                    let bytes: Vec<u8> = exchange
                        .iter()
                        .filter(|sent| sent.from == end)
                        .flat_map(|sent| prefix.before(&sent.message))
                        .collect();
                    flow.send(&mut wire, end, &bytes);
                }
                sent += 2;
            }
            for packet in &mut wire.packets {
                packet.cut(snap_length);
            }
            let recording = read(&wire);
            // The first message of each segment is there.
            assert!(
                recording.messages.len() >= sent,
                "{prefix:?}, {snap_length}: {} of {sent}, {:#?}",
                recording.messages.len(),
                recording.findings
            );
            assert_eq!(
                recording.conversations.len(),
                20,
                "{prefix:?}, {snap_length}"
            );
        }
    }
}

#[test]
fn datagrams_whose_original_length_was_rewritten_are_read_as_cut() {
    for is_v6 in [false, true] {
        for snap_length in 100..300 {
            let [from, to] = addresses(is_v6);
            let mut wire = Wire::new(Link::ETHERNET);
            let flow = UdpFlow::new(from, to);
            for sent in exchange(0) {
                flow.send(&mut wire, sent.from, &sent.message);
            }
            for packet in &mut wire.packets {
                packet.cut(snap_length);
                packet.original_bytes = u32::try_from(packet.data.len()).unwrap();
            }
            let recording = read(&wire);
            assert_eq!(recording.messages.len(), 6, "{is_v6}, {snap_length}");
            assert_eq!(odd(&recording), [FindingCode::CaptureSnaplen]);
        }
    }
}

#[test]
fn a_capture_that_begins_on_an_idle_connection_shows_its_first_conversation_as_it_was() {
    // Behind a length of 2 bytes, a message alone proves no place.
    for prefix in [Prefix::U32] {
        let [from, to] = addresses(false);
        let mut wire = Wire::new(Link::ETHERNET);
        let mut flow = TcpFlow::new(from, to);
        for end in [End::Client, End::Server] {
            flow.send_unseen(end, &[0; 1_000]);
        }
        let destination = [&Random::new(7).bytes(384)[..], &[0; 3]].concat();
        let mut exchange = exchange(0);
        exchange[0] = client(0, syn(id(0x11_1111), &destination));
        for sent in &exchange {
            flow.send(&mut wire, sent.from, &prefix.before(&sent.message));
            flow.acknowledge(&mut wire, sent.from.opposite());
        }
        let recording = read(&wire);
        // The first is shown when it is acknowledged, since others might come before it.
        let packets: Vec<u64> = recording.messages.iter().map(|seen| seen.packet).collect();
        let bytes: Vec<_> = recording.messages.iter().map(|seen| &seen.bytes).collect();
        let sent: Vec<_> = exchange.iter().map(|sent| &sent.message).collect();
        assert_eq!(bytes, sent, "{prefix:?}");
        assert_eq!(packets, [2, 3, 5, 7, 9, 11], "{prefix:?}");
        assert_eq!(odd(&recording), []);
    }
}
