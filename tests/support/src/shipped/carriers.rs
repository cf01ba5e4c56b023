//! Lengths that are none, peers that both dial, and several carriers at once.

use std::net::SocketAddr;

use super::{Shipped, list, short_exchange, tcp_flow, udp_flow, udp_pcap};
use crate::carry::{self, Prefix, Sent, client, server};
use crate::file::Pcap;
use crate::i2cp::Application;
use crate::message::{ack, client_close, client_data, id, server_close, server_data, syn};
use crate::{End, Link, TcpFlow, Wire, sample_destination, seeded_destination};

pub(super) fn captures() -> Vec<Shipped> {
    list(
        "carriers.rs",
        vec![
            (
                "tcp-bad-prefix-zero.pcap",
                "a length of 0 between two messages over TCP",
                bad_prefix(&[0, 0, 0, 0]),
            ),
            (
                "tcp-bad-prefix-huge.pcap",
                "a length of ffffffff between two messages over TCP",
                bad_prefix(&[0xff; 4]),
            ),
            (
                "tcp-both-dial.pcap",
                "both peers open conversations over one TCP connection, with the same client id",
                both_dial_over_tcp(),
            ),
            (
                "udp-both-dial.pcap",
                "both peers open conversations over one UDP flow, with the same client id",
                udp_pcap(&both_dial()),
            ),
            (
                "several-carriers.pcap",
                "the same conversation over udp, tcp with either length, segment and i2cp in one capture",
                several_carriers(),
            ),
        ],
    )
}

fn bad_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut wire = Wire::new(Link::ETHERNET);
    let mut flow = tcp_flow();
    let (c, s) = (id(0x0a_0b0c), id(0x0d_0e0f));
    flow.open(&mut wire);
    let mut say = |from, bytes: &[u8]| flow.send(&mut wire, from, bytes);
    say(
        End::Client,
        &Prefix::U32.before(&syn(c, &sample_destination())),
    );
    say(End::Server, &Prefix::U32.before(&ack(c, s)));
    say(End::Client, &Prefix::U32.before(&client_data(s, b"before")));
    say(End::Client, prefix);
    say(End::Client, &Prefix::U32.before(&client_data(s, b"behind")));
    say(End::Client, &Prefix::U32.before(&client_close(s)));
    say(End::Server, &Prefix::U32.before(&server_data(c, b"answer")));
    flow.close(&mut wire, End::Client);
    Pcap::USUAL.write(&wire)
}

/// The flow's initiator opens one conversation, its responder the other; all
/// four ids are announced, two of them are equal.
fn both_dial() -> Vec<Sent> {
    let same = id(0x11_1111);
    let (first, second) = (id(0xaa_0001), id(0xbb_0002));
    let initiator = client;
    let responder = server;
    vec![
        initiator(0, syn(same, &sample_destination())),
        responder(1_000, syn(same, &seeded_destination(2))),
        responder(2_000, ack(same, first)),
        initiator(3_000, ack(same, second)),
        initiator(4_000, client_data(first, b"from the initiator's client\n")),
        responder(5_000, client_data(second, b"from the responder's client\n")),
        initiator(6_000, server_data(same, b"from the initiator's server\n")),
        responder(7_000, server_data(same, b"from the responder's server\n")),
        initiator(8_000, client_close(first)),
        initiator(9_000, server_close(same)),
    ]
}

fn both_dial_over_tcp() -> Vec<u8> {
    super::tcp_pcap(Prefix::U32, &both_dial())
}

fn several_carriers() -> Vec<u8> {
    let mut wire = Wire::new(Link::ETHERNET);
    let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let connection = |port| TcpFlow::new(local(port), local(9004));
    let exchange = short_exchange();
    carry::over_udp(&mut wire, udp_flow(), &exchange);
    wire.at(0);
    carry::over_tcp(&mut wire, &mut connection(40300), Prefix::U32, &exchange);
    wire.at(0);
    carry::over_tcp(&mut wire, &mut connection(40301), Prefix::U16, &exchange);
    wire.at(0);
    carry::over_segments(&mut wire, &mut connection(40302), &exchange);
    wire.at(0);
    let mut caller = Application::new(40303, 0x0101, "caller", sample_destination());
    let mut called = Application::new(40304, 0x0202, "called", seeded_destination(2));
    carry::over_i2cp(&mut wire, &mut caller, &mut called, &exchange);
    // All at the same time: their packets are interleaved.
    wire.packets.sort_by_key(|packet| packet.nanos);
    Pcap::USUAL.write(&wire)
}
