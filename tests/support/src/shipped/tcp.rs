//! What TCP does to a stream of messages before a capture sees it.

use super::{Shipped, client_address, list, prefixed, server_address, short_exchange, tcp_flow};
use crate::carry::{self, Prefix};
use crate::file::Pcap;
use crate::message::{ack, client_close, client_data, id, server_data, syn};
use crate::{End, Link, TcpFlow, Wire, sample_destination, seeded_destination};

pub(super) fn captures() -> Vec<Shipped> {
    list(
        "tcp.rs",
        vec![
            (
                "tcp-byte-by-byte.pcap",
                "every byte in a segment of its own",
                in_segments_of(1),
            ),
            (
                "tcp-coalesced.pcap",
                "messages that share segments and straddle their borders",
                in_segments_of(300),
            ),
            (
                "tcp-reordered.pcap",
                "segments that arrive in another order than they were sent",
                reordered(),
            ),
            (
                "tcp-retransmitted.pcap",
                "retransmissions: whole, overlapping before and behind, a keep-alive",
                retransmitted(),
            ),
            (
                "tcp-sequence-wrap.pcap",
                "sequence numbers that pass 2^32 within the SYN message",
                sequence_wrap(),
            ),
            (
                "tcp-gap.pcap",
                "a segment that the capture lost, with one whole message in it",
                gap(),
            ),
            (
                "tcp-gap-in-message.pcap",
                "a lost segment that holds the end of one message and the beginning of the next",
                gap_in_message(),
            ),
            (
                "tcp-mid-stream.pcap",
                "a capture that begins between two messages of a connection",
                mid_stream(0),
            ),
            (
                "tcp-mid-length.pcap",
                "a capture that begins inside a length field",
                mid_stream(2),
            ),
            (
                "tcp-mid-message.pcap",
                "a capture that begins inside a message",
                mid_stream(9),
            ),
            (
                "tcp-snaplen.pcap",
                "a snap length of 200 bytes cuts the segments with the SYN messages",
                cut_by_snap_length(),
            ),
            (
                "tcp-duplicates.pcap",
                "each packet twice, as a capture on several interfaces holds it",
                every_packet_twice(),
            ),
            (
                "tcp-port-reuse.pcap",
                "two connections on the same ports, one after the other",
                port_reuse(),
            ),
            (
                "tcp-reset.pcap",
                "a connection that is reset inside a message",
                reset(),
            ),
            (
                "tcp-finish-in-message.pcap",
                "a connection that is closed inside a message",
                finished_in_message(),
            ),
        ],
    )
}

fn pcap(record: impl FnOnce(&mut Wire)) -> Vec<u8> {
    let mut wire = Wire::new(Link::ETHERNET);
    record(&mut wire);
    Pcap::USUAL.write(&wire)
}

fn in_segments_of(size: usize) -> Vec<u8> {
    pcap(|wire| {
        let mut flow = tcp_flow();
        flow.open(wire);
        for (from, bytes) in parts() {
            flow.send_in_segments(wire, from, &bytes, size);
        }
        flow.close(wire, End::Client);
    })
}

/// A conversation in four parts, each of which answers the one before: SYN;
/// ACK; two data messages; an answer and the close.
fn parts() -> [(End, Vec<u8>); 4] {
    let (c, s) = (id(0x0a_0b0c), id(0x0d_0e0f));
    let before = |messages: &[Vec<u8>]| {
        let parts: Vec<_> = messages.iter().map(|one| Prefix::U32.before(one)).collect();
        parts.concat()
    };
    [
        (End::Client, before(&[syn(c, &sample_destination())])),
        (End::Server, before(&[ack(c, s)])),
        (
            End::Client,
            before(&[client_data(s, &[b'a'; 50]), client_data(s, &[b'b'; 500])]),
        ),
        (
            End::Server,
            before(&[
                server_data(c, &[b'c'; 310]),
                crate::message::server_close(c),
            ]),
        ),
    ]
}

fn reordered() -> Vec<u8> {
    pcap(|wire| {
        let mut flow = tcp_flow();
        flow.open(wire);
        for (from, bytes) in parts() {
            let first = wire.packets.len();
            flow.send_in_segments(wire, from, &bytes, 90);
            // Three segments by turns: the last comes first.
            let mut index = first;
            while index + 2 < wire.packets.len() {
                wire.swap(index, index + 2);
                index += 3;
            }
        }
        flow.close(wire, End::Server);
    })
}

fn retransmitted() -> Vec<u8> {
    pcap(|wire| {
        let mut flow = tcp_flow();
        flow.open(wire);
        let [syn, ack, data, answer] = parts();
        flow.send_in_segments(wire, syn.0, &syn.1, 100);
        // Whole again; then a part that overlaps the border of two segments.
        flow.resend(wire, End::Client, 0..100);
        flow.resend(wire, End::Client, 50..150);
        flow.send(wire, ack.0, &ack.1);
        let before = flow.sent_bytes(End::Client);
        flow.send_in_segments(wire, data.0, &data.1[..300], 300);
        // Begins in what is known and goes on behind it.
        let end = flow.sent_bytes(End::Client);
        flow.send_unseen(End::Client, &data.1[300..]);
        flow.resend(wire, End::Client, before + 200..end + data.1.len() - 300);
        flow.keep_alive(wire, End::Client);
        flow.acknowledge(wire, End::Server);
        flow.send(wire, answer.0, &answer.1);
        flow.resend(wire, End::Server, 0..flow.sent_bytes(End::Server));
        flow.close(wire, End::Server);
    })
}

fn sequence_wrap() -> Vec<u8> {
    pcap(|wire| {
        let initial = [u32::MAX - 150, u32::MAX - 5];
        let mut flow = TcpFlow::with_initial_sequence(client_address(), server_address(), initial);
        flow.open(wire);
        for (from, bytes) in parts() {
            flow.send_in_segments(wire, from, &bytes, 100);
        }
        flow.close(wire, End::Client);
    })
}

fn gap() -> Vec<u8> {
    pcap(|wire| {
        let mut flow = tcp_flow();
        flow.open(wire);
        let s = id(0x0d_0e0f);
        let [syn, ack, _, answer] = parts();
        flow.send(wire, syn.0, &syn.1);
        flow.send(wire, ack.0, &ack.1);
        for number in 1..=9_u8 {
            let message = Prefix::U32.before(&client_data(s, &[b'0' + number; 20]));
            if number == 3 {
                flow.send_unseen(End::Client, &message);
            } else {
                flow.send(wire, End::Client, &message);
            }
        }
        acknowledge_repeatedly(wire, &flow);
        flow.send(wire, answer.0, &answer.1);
        flow.close(wire, End::Server);
    })
}

/// The server has everything and says so several times: what the capture does
/// not hold by then is not late but lost.
fn acknowledge_repeatedly(wire: &mut Wire, flow: &TcpFlow) {
    for _ in 0..5 {
        flow.acknowledge(wire, End::Server);
    }
}

fn gap_in_message() -> Vec<u8> {
    pcap(|wire| {
        let mut flow = tcp_flow();
        flow.open(wire);
        let s = id(0x0d_0e0f);
        let [syn, ack, _, answer] = parts();
        flow.send(wire, syn.0, &syn.1);
        flow.send(wire, ack.0, &ack.1);
        let messages: Vec<u8> = (1..=8_u8)
            .flat_map(|number| Prefix::U32.before(&client_data(s, &[b'0' + number; 92])))
            .collect();
        // 100 bytes a message: what is lost ends message 2 and begins message 4.
        flow.send(wire, End::Client, &messages[..150]);
        flow.send_unseen(End::Client, &messages[150..330]);
        flow.send(wire, End::Client, &messages[330..500]);
        flow.send(wire, End::Client, &messages[500..]);
        acknowledge_repeatedly(wire, &flow);
        flow.send(wire, answer.0, &answer.1);
        flow.close(wire, End::Server);
    })
}

/// The capture begins when the first message and `skipped` bytes of what
/// follows have passed.
fn mid_stream(skipped: usize) -> Vec<u8> {
    pcap(|wire| {
        let mut flow = tcp_flow();
        let [syn, ack, _, answer] = parts();
        flow.send_unseen(syn.0, &syn.1);
        flow.send_unseen(ack.0, &ack.1);
        let s = id(0x0d_0e0f);
        let messages: Vec<u8> = (1..=6_u8)
            .flat_map(|number| Prefix::U32.before(&client_data(s, &[b'0' + number; 20])))
            .collect();
        flow.send_unseen(End::Client, &messages[..skipped]);
        flow.send(wire, End::Client, &messages[skipped..]);
        flow.send(wire, answer.0, &answer.1);
        flow.close(wire, End::Server);
    })
}

fn cut_by_snap_length() -> Vec<u8> {
    let mut wire = Wire::new(Link::ETHERNET);
    carry::over_tcp(&mut wire, &mut tcp_flow(), Prefix::U32, &short_exchange());
    for packet in &mut wire.packets {
        packet.cut(200);
    }
    Pcap {
        snap_length: 200,
        ..Pcap::USUAL
    }
    .write(&wire)
}

fn every_packet_twice() -> Vec<u8> {
    let mut wire = Wire::new(Link::ETHERNET);
    carry::over_tcp(&mut wire, &mut tcp_flow(), Prefix::U32, &short_exchange());
    for index in (0..wire.packets.len()).rev() {
        wire.duplicate(index);
    }
    Pcap::USUAL.write(&wire)
}

fn port_reuse() -> Vec<u8> {
    pcap(|wire| {
        for (start, initial) in [(0, [5_000, 6_000]), (50_000, [900_000, 800_000])] {
            let mut flow =
                TcpFlow::with_initial_sequence(client_address(), server_address(), initial);
            carry::over_tcp(wire.at(start), &mut flow, Prefix::U32, &short_exchange());
        }
    })
}

fn reset() -> Vec<u8> {
    pcap(|wire| {
        let mut flow = tcp_flow();
        flow.open(wire);
        let exchange = short_exchange();
        flow.send(
            wire,
            End::Client,
            &prefixed(Prefix::U32, &exchange[..1], End::Client),
        );
        flow.send(
            wire,
            End::Server,
            &prefixed(Prefix::U32, &exchange[..2], End::Server),
        );
        let data = Prefix::U32.before(&client_data(id(0x0d_0e0f), &[b'x'; 100]));
        flow.send(wire, End::Client, &data[..60]);
        flow.reset(wire, End::Server);
    })
}

fn finished_in_message() -> Vec<u8> {
    pcap(|wire| {
        let mut flow = tcp_flow();
        let s = id(0x0d_0e0f);
        flow.open(wire);
        let syn = syn(id(0x0a_0b0c), &seeded_destination(3));
        flow.send(wire, End::Client, &Prefix::U32.before(&syn));
        flow.send(
            wire,
            End::Server,
            &Prefix::U32.before(&ack(id(0x0a_0b0c), s)),
        );
        let close = Prefix::U32.before(&client_close(s));
        flow.send(wire, End::Client, &close[..6]);
        flow.close(wire, End::Client);
    })
}
