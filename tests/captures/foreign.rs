//! Traffic of other protocols is never taken for ours. `docs/protocol.md` derives how rarely
//! random bytes are.

use std::net::SocketAddr;
use std::thread;

use ministream_fixtures::file::Pcap;
use ministream_fixtures::{End, Link, Random, TcpFlow, UdpFlow, Wire};

use crate::recording;

/// Flows of each kind, over UDP and again over TCP.
const FLOWS: u16 = 2_000;

/// What the next message of a kind is: the flow's own numbers, how many came before it, and
/// from whom it is.
type Next = fn(&mut Random, u64, usize, End) -> Vec<u8>;

const KINDS: &[(&str, Next)] = &[
    ("random bytes of any length", |random, _, _, _| {
        some(random, 1_400)
    }),
    ("random bytes, short", |random, _, _, _| some(random, 24)),
    ("random bytes of one length a flow", |random, flow, _, _| {
        random.bytes(usize::try_from(flow % 60).unwrap() + 1)
    }),
    ("text", |random, _, _, _| text(random)),
    ("zeros", |random, _, _, _| vec![0; random.index(600) + 1]),
    ("ff", |random, _, _, _| vec![0xff; random.index(600) + 1]),
    ("one byte, repeated", |random, flow, _, _| {
        vec![flow.to_le_bytes()[0]; random.index(600) + 1]
    }),
    ("u32be length, random", |random, _, _, _| {
        let body = some(random, 600);
        [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
    }),
    ("u32be length, short", |random, _, _, _| {
        let body = some(random, 24);
        [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
    }),
    (
        "u32be length of itself too, an opcode of a few",
        |random, _, _, _| {
            let body = some(random, 100);
            let opcode = u8::try_from(random.below(16)).unwrap();
            let length = u32::try_from(body.len() + 5).unwrap().to_be_bytes();
            [&length[..], &[opcode], &body].concat()
        },
    ),
    ("u16be length, random", |random, _, _, _| {
        let body = some(random, 600);
        [&u16::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
    }),
    ("u16be length, short", |random, _, _, _| {
        let body = some(random, 24);
        [&u16::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
    }),
    ("u32le length, random", |random, _, _, _| {
        let body = some(random, 600);
        [&u32::try_from(body.len()).unwrap().to_le_bytes()[..], &body].concat()
    }),
    ("varint length, random", |random, _, _, _| {
        let body = some(random, 127);
        [&[u8::try_from(body.len()).unwrap()][..], &body].concat()
    }),
    ("netstring", |random, _, _, _| {
        let body = text(random);
        [format!("{}:", body.len()).as_bytes(), &body, b","].concat()
    }),
    ("DNS, sequential ids", |random, flow, number, from| {
        dns(
            random,
            u16::try_from(flow % 65_000)
                .unwrap()
                .wrapping_add(u16::try_from(number / 2).unwrap()),
            from,
        )
    }),
    ("DNS, random ids", |random, flow, number, from| {
        let id = Random::new((flow << 8) | (number as u64 / 2))
            .next_u64()
            .to_le_bytes();
        dns(random, u16::from_le_bytes([id[0], id[1]]), from)
    }),
    ("NetBIOS names, unanswered", |_, flow, number, _| {
        // The same name with the same id, three times.
        let name = Random::new((flow << 8) | (number as u64 / 3)).bytes(32);
        let id = u16::try_from(flow * 33 % 65_536)
            .unwrap()
            .wrapping_add(u16::try_from(number / 3).unwrap());
        [
            &id.to_be_bytes()[..],
            b"\x01\x10\0\x01\0\0\0\0\0\0\x20",
            &name,
            b"\0\0\x20\0\x01",
        ]
        .concat()
    }),
    ("ONC RPC", |_, flow, number, from| {
        // A call that is repeated is the same call.
        let body = Random::new((flow << 8) | (number as u64 / 2)).bytes(40);
        let id = u32::try_from((flow % 4 + 0xa0) << 24 | (flow << 8 & 0xff_ff00))
            .unwrap()
            .wrapping_add(u32::try_from(number / 2).unwrap());
        let kind: u32 = if from == End::Client { 0 } else { 1 };
        [
            &id.to_be_bytes()[..],
            &kind.to_be_bytes(),
            &2_u32.to_be_bytes(),
            &body,
        ]
        .concat()
    }),
    ("TLS records", |random, _, _, _| {
        let body = some(random, 300);
        [
            &[0x17, 3, 3][..],
            &u16::try_from(body.len()).unwrap().to_be_bytes(),
            &body,
        ]
        .concat()
    }),
    ("CoAP", |random, _, _, _| {
        let first = 0x40 | u8::try_from(random.below(64)).unwrap();
        [&[first, 1][..], &some(random, 60)].concat()
    }),
    (
        "CoAP, notifications of a byte",
        |random, flow, number, _| {
            let number = u16::try_from(flow * 9 % 65_000).unwrap() + u16::try_from(number).unwrap();
            let [high, low] = number.to_be_bytes();
            vec![
                0x51,
                0x45,
                high,
                low,
                0x7a,
                0xff,
                b'0' + random.bytes(1)[0] % 10,
            ]
        },
    ),
    ("QUIC, short headers", |random, flow, _, _| {
        let first = 0x40 | u8::try_from(random.below(32)).unwrap();
        [&[first][..], &flow.to_be_bytes(), &some(random, 1_200)].concat()
    }),
    ("RTP with padding and sources", |random, flow, number, _| {
        let first = 0xa0 | u8::try_from(flow % 16).unwrap();
        let number = u16::try_from(number).unwrap();
        [
            &[first, 96][..],
            &number.to_be_bytes(),
            &flow.to_be_bytes(),
            &random.bytes(160),
        ]
        .concat()
    }),
    ("BitTorrent peers", |random, _, _, _| {
        let kind = u8::try_from(random.below(10)).unwrap();
        let body = some(random, 60);
        [
            &u32::try_from(body.len() + 1).unwrap().to_be_bytes()[..],
            &[kind],
            &body,
        ]
        .concat()
    }),
    ("PostgreSQL", |random, _, _, _| {
        let kind = b"QRDCZSTPBE"[random.index(10)];
        let body = some(random, 60);
        [
            &[kind][..],
            &u32::try_from(body.len() + 4).unwrap().to_be_bytes(),
            &body,
        ]
        .concat()
    }),
    ("MQTT", |random, _, number, _| {
        let kind = [0x30, 0x40, 0x50, 0x62, 0x70, 0x82, 0x90][random.index(7)];
        let number = u16::try_from(number).unwrap().to_be_bytes();
        [&[kind, 2][..], &number].concat()
    }),
    ("keep-alives", |_, _, _, _| vec![0xff]),
    ("CBOR maps with text keys", |random, _, _, _| {
        let pairs = u8::try_from(random.below(6)).unwrap();
        let mut map = vec![0xa0 | pairs];
        for key in 0..pairs.max(1) {
            map.extend([&b"dtempdunitdhostdtimedname"[usize::from(key) * 5..][..5]].concat());
            map.extend([&[0x1a][..], &random.bytes(4)].concat());
        }
        // `d` is a text of four bytes.
        map
    }),
    ("CBOR maps behind a u32be length", |random, _, _, _| {
        let body = [&[0xa1][..], b"dtemp", &[0x1a], &random.bytes(4)].concat();
        [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
    }),
    ("CBOR maps of another key each", |random, _, _, _| {
        let key = random.index(9) + 1;
        let text: Vec<u8> = random
            .bytes(key)
            .iter()
            .map(|byte| b'a' + byte % 26)
            .collect();
        let header = 0x60 + u8::try_from(key).unwrap();
        [&[0xa1, header][..], &text, &random.bytes(3)].concat()
    }),
    ("MessagePack strings", |random, _, _, _| {
        let pairs = u8::try_from(random.below(3)).unwrap();
        [&[0xa0 | pairs, 0xa4][..], b"temp", &random.bytes(6)].concat()
    }),
    ("a constant header both ways", |random, flow, _, _| {
        let first = [0xa0, 0x50, 0xa1, 0x51, 0x52, 0xa2][usize::try_from(flow % 6).unwrap()];
        let header = Random::new(flow).bytes(3);
        [&[first][..], &header, &some(random, 40)].concat()
    }),
    ("random bytes of four", |random, _, _, _| random.bytes(4)),
    ("random bytes of seven", |random, _, _, _| random.bytes(7)),
    ("random bytes of thirty-six", |random, _, _, _| {
        random.bytes(36)
    }),
    ("u32be length of seven", |random, _, _, _| {
        [&7_u32.to_be_bytes()[..], &random.bytes(7)].concat()
    }),
    ("u32be length of thirty-six", |random, _, _, _| {
        [&36_u32.to_be_bytes()[..], &random.bytes(36)].concat()
    }),
    ("u16be length of seven", |random, _, _, _| {
        [&7_u16.to_be_bytes()[..], &random.bytes(7)].concat()
    }),
    ("TFTP", |random, _, number, _| {
        let block = u16::try_from(number).unwrap().to_be_bytes();
        [&[0, 3][..], &block, &random.bytes(512)].concat()
    }),
    ("SNMP", |random, _, _, from| {
        let pdu = if from == End::Client { 0xa0 } else { 0xa2 };
        [
            &[0x30, 20, 2, 1, 1, 4, 3][..],
            b"pub",
            &[pdu, 9, 2, 4],
            &random.bytes(7),
        ]
        .concat()
    }),
    ("SOME/IP-like", |random, flow, number, _| {
        let service = u16::try_from(0xa000 | (flow % 512)).unwrap().to_be_bytes();
        let session = u16::try_from(number + 1).unwrap().to_be_bytes();
        [
            &service[..],
            &[0, 1, 0, 0, 0, 12, 0, 1],
            &session,
            &[1, 1, 2, 0],
            &random.bytes(4),
        ]
        .concat()
    }),
];

fn some(random: &mut Random, at_most: usize) -> Vec<u8> {
    let length = random.index(at_most) + 1;
    random.bytes(length)
}

fn text(random: &mut Random) -> Vec<u8> {
    let length = random.index(80) + 1;
    let mut text: Vec<u8> = random
        .bytes(length)
        .iter()
        .map(|byte| b' ' + byte % 95)
        .collect();
    text.extend(b"\r\n");
    text
}

fn dns(random: &mut Random, id: u16, from: End) -> Vec<u8> {
    let flags: [u8; 2] = if from == End::Client {
        [1, 0]
    } else {
        [0x81, 0x80]
    };
    let name = random
        .bytes(8)
        .iter()
        .map(|byte| b'a' + byte % 26)
        .collect::<Vec<u8>>();
    [
        &id.to_be_bytes()[..],
        &flags,
        b"\0\x01\0\0\0\0\0\0\x08",
        &name,
        b"\x03com\0\0\x01\0\x01",
    ]
    .concat()
}

/// Flows of a kind, one to nine messages each, answered or not.
fn flows(next: Next, over_tcp: bool) -> Vec<u8> {
    let mut random = Random::new(0xf0e1);
    let mut wire = Wire::new(Link::ETHERNET);
    for number in 0..FLOWS {
        let client = SocketAddr::from(([10, 1, 0, 1], 1_024 + number));
        let server = SocketAddr::from(([10, 1, 0, 2], 7_000));
        let mut tcp = TcpFlow::new(client, server);
        if over_tcp {
            tcp.open(&mut wire);
        }
        let is_answered = random.below(3) > 0;
        for message in 0..random.index(9) + 1 {
            let from = if is_answered && message % 2 == 1 {
                End::Server
            } else {
                End::Client
            };
            let bytes = next(&mut random, number.into(), message, from);
            if over_tcp {
                tcp.send(&mut wire, from, &bytes);
            } else {
                UdpFlow::new(client, server).send(&mut wire, from, &bytes);
            }
        }
        if over_tcp && random.below(2) == 0 {
            tcp.close(&mut wire, End::Client);
        }
    }
    Pcap::USUAL.write(&wire)
}

/// What was taken for ours in flows of each kind.
fn taken(over_tcp: bool) -> Vec<String> {
    let taken = KINDS.iter().filter_map(|(name, next)| {
        let recording = recording::of_bytes(&flows(*next, over_tcp), u64::MAX).unwrap();
        let first = recording.flows.first()?;
        Some(format!(
            "{name}: {} flows with {} messages, the first {:?} {:?}",
            recording.flows.len(),
            recording.messages.len(),
            first.carrier,
            first.addresses
        ))
    });
    taken.collect()
}

#[test]
fn other_protocols_are_never_taken_for_ours_over_udp() {
    assert_eq!(taken(false), [""; 0]);
}

#[test]
fn other_protocols_are_never_taken_for_ours_over_tcp() {
    assert_eq!(taken(true), [""; 0]);
}

/// A SYN without an answer proves nothing by itself, but a server that is ours proves those who send it one; and
/// whoever sends from a lower port may be a server, too.
#[test]
fn flows_that_prove_one_another_do_so_however_many_they_are_in_a_row() {
    const LINKS: u8 = 250;
    let end = |host: u8, port: u16| SocketAddr::from(([10, 1, 0, host], port));
    let opening = |number: u8| {
        let payload = vec![number; 12 + usize::from(number)];
        [&[0xa1, 0x10, 0x21, number][..], &payload].concat()
    };
    let mut wire = Wire::new(Link::RawIp);
    let (mut links, mut leaves) = (Vec::new(), Vec::new());
    for number in 0..LINKS {
        let server = end(1, 10_000 - u16::from(number));
        links.push([end(1, server.port() - 1), server]);
        leaves.push([end(2, 20_000), server]);
        for flow in [&links, &leaves] {
            let [client, server] = flow[usize::from(number)];
            UdpFlow::new(client, server).send(&mut wire, End::Client, &opening(number));
        }
    }
    // Three are enough, and judged when there are no more.
    let first = [end(3, 20_000), end(1, 10_000)];
    for number in 1..4 {
        let flow = UdpFlow::new(first[0], first[1]);
        flow.send(&mut wire, End::Client, &opening(number));
    }
    let capture = Pcap::USUAL.write(&wire);
    let recording = thread::Builder::new()
        .stack_size(128 << 10)
        .spawn(move || recording::of_bytes(&capture, u64::MAX).unwrap());
    let recording = recording.unwrap().join().unwrap();
    let flows: Vec<_> = recording.flows.iter().map(|flow| flow.addresses).collect();
    // What each proves comes before what is next.
    leaves.reverse();
    assert_eq!(flows, [vec![first], links, leaves].concat());
}
