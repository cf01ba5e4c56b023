//! Conversations that are hard to find: any key, no answer, another order, cut packets.

use std::net::SocketAddr;

use super::{Shipped, client_address, list, server_address, short_exchange, tcp_flow, udp_pcap};
use crate::carry::{self, Prefix, Sent, client, server};
use crate::file::Pcap;
use crate::message::{Id, ack, client_data, id, server_close, server_data, syn};
use crate::tcp::{RST, SYN};
use crate::{End, Link, Random, Segment, TcpFlow, UdpFlow, Wire};

pub(super) fn captures() -> Vec<Shipped> {
    list(
        "detection.rs",
        vec![
            (
                "udp-any-key.pcap",
                "three SYNs with keys of 32 bytes that are no destinations, before the first ACK",
                udp_pcap(&any_keys()),
            ),
            (
                "udp-unanswered.pcap",
                "nothing but four SYNs with such keys on one flow",
                udp_pcap(&unanswered(4)),
            ),
            (
                "udp-nearly.pcap",
                "a single SYN with such a key from each of two ports: nearly ours",
                single_syns(2),
            ),
            (
                "udp-unanswered-ports.pcap",
                "a single SYN with such a key from each of three ports: ours, as nothing else goes to their server",
                single_syns(3),
            ),
            (
                "tcp-unanswered.pcap",
                "nothing but five SYNs with such keys behind 4-byte lengths",
                tcp(|wire, flow| {
                    carry::over_tcp(wire, flow, Prefix::U32, &unanswered(5));
                }),
            ),
            (
                "udp-ack-before-syn.pcap",
                "two interfaces: the server's messages stand 20 ms before the client's",
                udp_pcap(&server_ahead()),
            ),
            (
                "udp-data-before-ack-of-it.pcap",
                "the same the other way: the client's stand 20 ms before the server's",
                udp_pcap(&client_ahead()),
            ),
            (
                "tcp-reset-ignored.pcap",
                "a RST 1460 bytes ahead of what the receiver expects, which goes on",
                disturbed(RST, 1_460),
            ),
            (
                "tcp-syn-ignored.pcap",
                "a SYN within the open connection, which goes on",
                disturbed(SYN, 70_000_000),
            ),
            (
                "tcp-simultaneous-open.pcap",
                "both ends dial at once",
                simultaneous_open(),
            ),
            (
                "tcp-rewritten-length.pcap",
                "packets cut to 96 bytes whose original lengths were rewritten to that",
                rewritten_lengths(),
            ),
        ],
    )
}

fn tcp(fill: impl FnOnce(&mut Wire, &mut TcpFlow)) -> Vec<u8> {
    let mut wire = Wire::new(Link::ETHERNET);
    fill(&mut wire, &mut tcp_flow());
    Pcap::USUAL.write(&wire)
}

/// The ids of a client that draws them at random.
fn ids(count: usize) -> Vec<(Id, Vec<u8>)> {
    let mut random = Random::new(32);
    (0..count)
        .map(|_| {
            let key = random.bytes(35);
            ([key[0], key[1], key[2]], key[3..].to_vec())
        })
        .collect()
}

fn unanswered(count: usize) -> Vec<Sent> {
    (0..)
        .zip(ids(count))
        .map(|(number, (id, key))| client(number * 1_000, syn(id, &key)))
        .collect()
}

fn any_keys() -> Vec<Sent> {
    let mut exchange = unanswered(3);
    let c = ids(3)[2].0;
    let s = id(0x0d_0e0f);
    exchange.extend([
        server(3_000, ack(c, s)),
        client(4_000, client_data(s, b"GET / HTTP/1.0\r\n\r\n")),
        server(5_000, server_data(c, b"HTTP/1.0 200 OK\r\n\r\n")),
        server(6_000, server_close(c)),
    ]);
    exchange
}

/// A SYN from each of some ports.
fn single_syns(count: usize) -> Vec<u8> {
    let mut wire = Wire::new(Link::ETHERNET);
    for (port, (id, key)) in (40_112..).zip(ids(count)) {
        let flow = UdpFlow::new(
            SocketAddr::new(client_address().ip(), port),
            server_address(),
        );
        flow.send(wire.wait(1_000), End::Client, &syn(id, &key));
    }
    Pcap::USUAL.write(&wire)
}

/// The short exchange with the messages of one end earlier than they were.
fn shifted(ahead: End) -> Vec<Sent> {
    let mut exchange = short_exchange();
    for sent in &mut exchange {
        sent.micros += if sent.from == ahead { 0 } else { 20_000 };
    }
    exchange.sort_by_key(|sent| sent.micros);
    exchange
}

fn server_ahead() -> Vec<Sent> {
    shifted(End::Server)
}

fn client_ahead() -> Vec<Sent> {
    shifted(End::Client)
}

/// The short exchange with a segment of the server's in it, so far ahead of what is expected.
fn disturbed(flags: u8, ahead: u32) -> Vec<u8> {
    tcp(|wire, flow| {
        flow.open(wire);
        for (number, sent) in short_exchange().iter().enumerate() {
            if number == 2 {
                let sent = u32::try_from(flow.sent_bytes(End::Server)).expect("a short exchange");
                let segment = Segment {
                    sequence: 2_000_001 + sent + ahead,
                    acknowledgment: 0,
                    flags,
                    payload: Vec::new(),
                };
                flow.put(wire, End::Server, &segment);
            }
            flow.send(wire, sent.from, &Prefix::U32.before(&sent.message));
        }
        flow.close(wire, End::Client);
    })
}

fn simultaneous_open() -> Vec<u8> {
    const ACK: u8 = 0x10;
    tcp(|wire, flow| {
        for (from, sequence, acknowledgment, flags) in [
            (End::Client, 1_000_000, 0, SYN),
            (End::Server, 2_000_000, 0, SYN),
            (End::Client, 1_000_000, 2_000_001, SYN | ACK),
            (End::Server, 2_000_000, 1_000_001, SYN | ACK),
        ] {
            let segment = Segment {
                sequence,
                acknowledgment,
                flags,
                payload: Vec::new(),
            };
            flow.put(wire, from, &segment);
        }
        for sent in short_exchange() {
            flow.send(wire, sent.from, &Prefix::U32.before(&sent.message));
        }
        flow.close(wire, End::Client);
    })
}

fn rewritten_lengths() -> Vec<u8> {
    let mut wire = Wire::new(Link::ETHERNET);
    carry::over_tcp(&mut wire, &mut tcp_flow(), Prefix::U32, &short_exchange());
    for packet in &mut wire.packets {
        packet.cut(96);
        packet.original_bytes = u32::try_from(packet.data.len()).expect("96 bytes");
    }
    Pcap::USUAL.write(&wire)
}
