//! Whoever implements the specification alone knows nothing of I2P: the key in a SYN is any
//! bytes, servers do not answer yet, and ports are any. Every such conversation is found.

use std::net::SocketAddr;

use ministream::conversation::{FindingCode, Level};
use ministream_fixtures::carry::{self, Prefix, Sent, client, server};
use ministream_fixtures::file::Pcap;
use ministream_fixtures::message::{
    Id, ack, client_close, client_data, id, server_close, server_data, syn,
};
use ministream_fixtures::{Link, Random, TcpFlow, UdpFlow, Wire};

use crate::recording::{self, Recording};

/// What follows the first SYNs of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// The last of them is accepted, and its conversation goes on to a close.
    Answered,
    /// Each of them is refused.
    Refused,
    /// Nothing.
    Unanswered,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    Random,
    Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carrier {
    Udp,
    U32,
    U16,
    Segment,
}

const CARRIERS: [Carrier; 4] = [Carrier::Udp, Carrier::U32, Carrier::U16, Carrier::Segment];
const KEY_BYTES: [usize; 6] = [0, 32, 256, 387, 391, 1_000];

fn exchange(
    ending: Ending,
    syns: usize,
    keys: Keys,
    key_bytes: usize,
    random: &mut Random,
) -> Vec<Sent> {
    let ids: Vec<Id> = (0..syns).map(|_| an_id(random)).collect();
    let mut sent = Vec::new();
    let mut micros = 0;
    let mut next = || {
        micros += 700;
        micros
    };
    for client_id in &ids {
        let key = match keys {
            Keys::Random => random.bytes(key_bytes),
            Keys::Text => b"key of a client, in words "
                .iter()
                .copied()
                .cycle()
                .take(key_bytes)
                .collect(),
        };
        sent.push(client(next(), syn(*client_id, &key)));
        if ending == Ending::Refused {
            sent.push(server(next(), server_close(*client_id)));
        }
    }
    if ending == Ending::Answered {
        let (client_id, server_id) = (ids[syns - 1], an_id(random));
        sent.extend([
            server(next(), ack(client_id, server_id)),
            client(next(), client_data(server_id, b"GET / HTTP/1.0\r\n\r\n")),
            server(next(), server_data(client_id, b"HTTP/1.0 200 OK\r\n\r\n")),
            client(next(), client_close(server_id)),
        ]);
    }
    sent
}

fn an_id(random: &mut Random) -> Id {
    id(u32::try_from(random.below(0xff_ffff)).unwrap() + 1)
}

/// An exchange for each flow, the flows one after the other, all to one server.
fn capture(carrier: Carrier, hosts: [[u16; 8]; 2], exchanges: &[Vec<Sent>]) -> Vec<u8> {
    capture_to(|_| 5_000, carrier, hosts, exchanges)
}

/// The same; `server_port` tells the port of each flow's server, by its number.
fn capture_to(
    server_port: impl Fn(u16) -> u16,
    carrier: Carrier,
    hosts: [[u16; 8]; 2],
    exchanges: &[Vec<Sent>],
) -> Vec<u8> {
    let mut wire = Wire::new(Link::ETHERNET);
    for (number, exchange) in (0..).zip(exchanges) {
        let port = 40_000 + number;
        let [one, other] = hosts.map(|host| match host {
            [0, 0, 0, 0, 0, 0xffff, high, low] => {
                let [a, b] = high.to_be_bytes();
                let [c, d] = low.to_be_bytes();
                std::net::IpAddr::from([a, b, c, d])
            }
            host => std::net::IpAddr::from(host),
        });
        let addresses = [
            SocketAddr::new(one, port),
            SocketAddr::new(other, server_port(number)),
        ];
        let [from, to] = addresses;
        let mut tcp = TcpFlow::new(from, to);
        match carrier {
            Carrier::Udp => carry::over_udp(&mut wire, UdpFlow::new(from, to), exchange),
            Carrier::U32 => carry::over_tcp(&mut wire, &mut tcp, Prefix::U32, exchange),
            Carrier::U16 => carry::over_tcp(&mut wire, &mut tcp, Prefix::U16, exchange),
            Carrier::Segment => carry::over_segments(&mut wire, &mut tcp, exchange),
        }
    }
    Pcap::USUAL.write(&wire)
}

const IPV4: [[u16; 8]; 2] = [
    [0, 0, 0, 0, 0, 0xffff, 0x0a00, 0x0001],
    [0, 0, 0, 0, 0, 0xffff, 0x0a00, 0x0002],
];
const IPV6: [[u16; 8]; 2] = [
    [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1],
    [0x2001, 0xdb8, 0, 0, 0, 0, 0, 2],
];

fn assert_found(recording: &Recording, exchanges: &[Vec<Sent>], name: &str) {
    let sent: Vec<&[u8]> = exchanges
        .iter()
        .flatten()
        .map(|sent| &sent.message[..])
        .collect();
    let mut found: Vec<&[u8]> = recording
        .messages
        .iter()
        .map(|message| &message.bytes[..])
        .collect();
    let mut expected = sent.clone();
    // Flows of which only their end decides are told last.
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found.len(), expected.len(), "{name}");
    assert!(found == expected, "{name}: other messages");
    for finding in &recording.findings {
        assert!(finding.level < Level::Error, "{name}: {finding:?}");
        if finding.code == FindingCode::SynBadDestination {
            assert_eq!(finding.level, Level::Note, "{name}");
            assert!(
                finding.text.starts_with("not an I2P destination"),
                "{name}: {}",
                finding.text
            );
        }
        assert_ne!(finding.code, FindingCode::OrphanId, "{name}: {finding:?}");
    }
}

/// How many SYNs without an answer are enough, where nothing else passes.
fn is_enough(carrier: Carrier, ending: Ending, syns: usize, keys: Keys, key_bytes: usize) -> bool {
    match (ending, carrier) {
        (Ending::Answered | Ending::Refused, _) => true,
        (Ending::Unanswered, Carrier::U32 | Carrier::U16) => syns >= 2,
        (Ending::Unanswered, _) => syns >= 3 || (syns == 2 && keys == Keys::Text && key_bytes > 0),
    }
}

#[test]
fn every_key_and_every_beginning_is_found_on_every_carrier() {
    let mut random = Random::new(13);
    for carrier in CARRIERS {
        for ending in [Ending::Answered, Ending::Refused, Ending::Unanswered] {
            for syns in [1, 2, 3, 4, 7, 50] {
                for keys in [Keys::Random, Keys::Text] {
                    for key_bytes in KEY_BYTES {
                        let name = format!(
                            "{carrier:?}, {ending:?}, {syns} SYNs, {keys:?} keys of {key_bytes} bytes"
                        );
                        let hosts = if syns % 2 == 0 { IPV6 } else { IPV4 };
                        let exchanges = [exchange(ending, syns, keys, key_bytes, &mut random)];
                        let bytes = capture(carrier, hosts, &exchanges);
                        let recording = recording::of_bytes(&bytes, u64::MAX).unwrap();
                        if is_enough(carrier, ending, syns, keys, key_bytes) {
                            assert_found(&recording, &exchanges, &name);
                        } else {
                            assert_eq!(recording.messages.len(), 0, "{name}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn fifty_flows_are_found_as_one_is() {
    let mut random = Random::new(14);
    for carrier in CARRIERS {
        for ending in [Ending::Answered, Ending::Refused, Ending::Unanswered] {
            for (syns, keys, key_bytes) in [
                (1, Keys::Random, 32),
                (3, Keys::Random, 32),
                (3, Keys::Text, 391),
                (50, Keys::Random, 0),
            ] {
                if !is_enough(carrier, ending, syns, keys, key_bytes) {
                    continue;
                }
                let exchanges: Vec<Vec<Sent>> = (0..50)
                    .map(|_| exchange(ending, syns, keys, key_bytes, &mut random))
                    .collect();
                let bytes = capture(carrier, IPV4, &exchanges);
                let recording = recording::of_bytes(&bytes, u64::MAX).unwrap();
                let name = format!(
                    "{carrier:?}, {ending:?}, {syns} SYNs, {keys:?} keys of {key_bytes} bytes"
                );
                assert_found(&recording, &exchanges, &name);
            }
        }
    }
}

/// Flows of one SYN each without an answer, with keys of so many bytes.
fn single_syns(flows: usize, keys: Keys, key_bytes: usize, random: &mut Random) -> Vec<Vec<Sent>> {
    let single = |_| exchange(Ending::Unanswered, 1, keys, key_bytes, random);
    (0..flows).map(single).collect()
}

#[test]
fn three_flows_of_a_single_syn_to_one_server_are_found() {
    let mut random = Random::new(15);
    for carrier in CARRIERS {
        for flows in [3, 4, 50] {
            for keys in [Keys::Random, Keys::Text] {
                for key_bytes in KEY_BYTES {
                    let exchanges = single_syns(flows, keys, key_bytes, &mut random);
                    let bytes = capture(carrier, IPV6, &exchanges);
                    let recording = recording::of_bytes(&bytes, u64::MAX).unwrap();
                    let name = format!("{carrier:?}, {flows} flows, {keys:?} {key_bytes} bytes");
                    assert_found(&recording, &exchanges, &name);
                }
            }
        }
    }
}

#[test]
fn a_single_syn_is_found_wherever_its_server_was_found_before_or_after() {
    let mut random = Random::new(16);
    for carrier in CARRIERS {
        for key_bytes in KEY_BYTES {
            let single = || single_syns(1, Keys::Random, key_bytes, &mut Random::new(17));
            let answered = exchange(Ending::Answered, 1, Keys::Random, key_bytes, &mut random);
            for exchanges in [
                [single(), vec![answered.clone()]].concat(),
                [vec![answered.clone()], single()].concat(),
            ] {
                let bytes = capture(carrier, IPV4, &exchanges);
                let recording = recording::of_bytes(&bytes, u64::MAX).unwrap();
                assert_found(
                    &recording,
                    &exchanges,
                    &format!("{carrier:?}, {key_bytes} bytes"),
                );
            }
        }
    }
}

#[test]
fn a_single_syn_tells_nothing_of_other_servers_and_nothing_beside_other_traffic() {
    let mut random = Random::new(18);
    let other = vec![client(0, vec![0x17, 3, 3, 0, 2, 1, 2])];
    for carrier in CARRIERS {
        let singles = single_syns(50, Keys::Random, 32, &mut random);
        let apart = capture_to(|number| 5_000 + number, carrier, IPV4, &singles);
        let beside = [singles, vec![other.clone()]].concat();
        let beside = capture(carrier, IPV4, &beside);
        for bytes in [apart, beside] {
            let recording = recording::of_bytes(&bytes, u64::MAX).unwrap();
            assert!(recording.messages.is_empty(), "{carrier:?}");
        }
    }
}
