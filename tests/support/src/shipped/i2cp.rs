//! Conversations through a router.

use super::{Shipped, list};
use crate::carry::{self, Sent, client, server};
use crate::file::Pcap;
use crate::i2cp::{Application, Router, frame, message_payload, send_message_expires, wrap};
use crate::message::{Id, ack, client_close, client_data, id, server_close, server_data, syn};
use crate::{
    End, Link, Wire, gzip, key_destination, sample_destination, samples, seeded_destination,
};

const C: Id = id(0x0a_0b0c);
const S: Id = id(0x0d_0e0f);

pub(super) fn captures() -> Vec<Shipped> {
    list(
        "i2cp.rs",
        vec![
            (
                "i2cp-reordered.pcap",
                "a router that delivers data messages in another order than they were sent, and a close before the last of them",
                pcap(reordered),
            ),
            (
                "i2cp-lost.pcap",
                "a router that loses a data message",
                pcap(lost),
            ),
            (
                "i2cp-unreadable-payload.pcap",
                "payloads that are no gzip, or damaged: wrong magic, wrong checksum, cut short",
                pcap(unreadable),
            ),
            (
                "i2cp-inflate-bomb.pcap",
                "a payload of 3 KB that inflates to 500 KB, more than any message may have",
                pcap(bomb),
            ),
            (
                "i2cp-bad-frame.pcap",
                "an I2CP length of ffffffff between two frames",
                pcap(bad_frame),
            ),
            (
                "i2cp-gap.pcap",
                "a segment of a SendMessage that the capture lost",
                pcap(gap),
            ),
            (
                "i2cp-mid-length.pcap",
                "a capture that begins inside the length of an I2CP frame, with the session long established",
                pcap(|wire| mid_stream(wire, 2)),
            ),
            (
                "i2cp-mid-message.pcap",
                "a capture that begins inside an I2CP frame",
                pcap(|wire| mid_stream(wire, 200)),
            ),
            (
                "i2cp-byte-by-byte.pcap",
                "SendMessage in many small segments, as Java's unbuffered writer sends it",
                pcap(small_segments),
            ),
            (
                "i2cp-java.pcap",
                "the Java router's handshake: RequestLeaseSet, MessageStatus 0, ReceiveMessageBegin and End",
                pcap(|wire| through(wire, Router::Java)),
            ),
            (
                "i2cp-one-end.pcap",
                "only the client's connection to the router is in the capture",
                pcap(one_end),
            ),
            (
                "i2cp-expires.pcap",
                "SendMessageExpires instead of SendMessage, 391-byte destinations",
                pcap(expires),
            ),
            (
                "i2cp-hostile-nickname.pcap",
                "session nicknames that attack who displays them",
                pcap(hostile_nicknames),
            ),
        ],
    )
}

fn pcap(record: impl FnOnce(&mut Wire)) -> Vec<u8> {
    let mut wire = Wire::new(Link::ETHERNET);
    record(&mut wire);
    Pcap::USUAL.write(&wire)
}

/// Two applications at one router, connected.
fn connected(wire: &mut Wire) -> (Application, Application) {
    let (mut client, mut server) = applications();
    client.connect(wire);
    server.connect(wire);
    (client, server)
}

fn applications() -> (Application, Application) {
    (
        Application::new(40112, 0x0101, "caller", sample_destination()),
        Application::new(40113, 0x0202, "called", seeded_destination(2)),
    )
}

/// SYN and ACK, each sent and delivered.
fn handshake(wire: &mut Wire, client: &mut Application, server: &mut Application) {
    let syn = syn(C, &client.destination);
    pass(wire, client, server, &syn);
    pass(wire, server, client, &ack(C, S));
}

/// One message from one application through the router to the other.
fn pass(wire: &mut Wire, from: &mut Application, to: &mut Application, message: &[u8]) {
    from.send(wire, &to.destination, message);
    to.receive(wire.wait(500), message);
}

fn data(number: u8) -> Vec<u8> {
    server_data(C, format!("message {number}\n").as_bytes())
}

fn reordered(wire: &mut Wire) {
    let (mut client, mut server) = connected(wire);
    handshake(wire, &mut client, &mut server);
    for number in 1..=4 {
        server.send(wire, &client.destination, &data(number));
    }
    server.send(wire, &client.destination, &server_close(C));
    for delivered in [data(1), data(3), data(2), server_close(C), data(4)] {
        client.receive(wire, &delivered);
    }
    client.disconnect(wire);
    server.disconnect(wire);
}

fn lost(wire: &mut Wire) {
    let (mut client, mut server) = connected(wire);
    handshake(wire, &mut client, &mut server);
    pass(wire, &mut server, &mut client, &data(1));
    server.send(wire, &client.destination, &data(2));
    pass(wire, &mut server, &mut client, &data(3));
    pass(wire, &mut server, &mut client, &server_close(C));
    client.disconnect(wire);
    server.disconnect(wire);
}

fn unreadable(wire: &mut Wire) {
    let (mut client, mut server) = connected(wire);
    handshake(wire, &mut client, &mut server);
    let good = wrap(&client_data(S, b"readable"));
    let mut wrong_magic = good.clone();
    wrong_magic[0] = 0x50;
    let mut wrong_checksum = good.clone();
    let crc = good.len() - 8;
    wrong_checksum[crc] ^= 1;
    let cut = &good[..good.len() - 5];
    for payload in [&wrong_magic[..], &wrong_checksum, cut, &[]] {
        client.send_payload(wire, &server.destination, payload);
    }
    pass(wire, &mut client, &mut server, &client_data(S, b"after"));
    pass(wire, &mut client, &mut server, &client_close(S));
    client.disconnect(wire);
    server.disconnect(wire);
}

fn bomb(wire: &mut Wire) {
    let (mut client, mut server) = connected(wire);
    handshake(wire, &mut client, &mut server);
    client.send_payload(wire, &server.destination, &gzip::bomb(0xa0, 2_000));
    pass(wire, &mut client, &mut server, &client_close(S));
    client.disconnect(wire);
    server.disconnect(wire);
}

fn bad_frame(wire: &mut Wire) {
    let (mut client, mut server) = connected(wire);
    handshake(wire, &mut client, &mut server);
    pass(wire, &mut client, &mut server, &client_data(S, b"before"));
    client.say(wire, End::Client, &[0xff; 5]);
    client.say(wire, End::Client, &frame(200, b"an unknown type"));
    pass(wire, &mut client, &mut server, &client_data(S, b"behind"));
    pass(wire, &mut client, &mut server, &client_close(S));
    client.disconnect(wire);
    server.disconnect(wire);
}

fn gap(wire: &mut Wire) {
    let (mut client, mut server) = connected(wire);
    handshake(wire, &mut client, &mut server);
    let message = client_data(S, &[b'x'; 60]);
    let sent = crate::i2cp::send_message(client.session, &server.destination, &wrap(&message), 77);
    client.say(wire, End::Client, &sent[..100]);
    client.flow.send_unseen(End::Client, &sent[100..400]);
    client.say(wire, End::Client, &sent[400..]);
    server.receive(wire, &message);
    pass(wire, &mut client, &mut server, &client_data(S, b"behind"));
    pass(wire, &mut client, &mut server, &client_close(S));
    client.disconnect(wire);
    server.disconnect(wire);
}

/// The capture begins when all but the last part of the frame with the SYN has passed.
fn mid_stream(wire: &mut Wire, skipped: usize) {
    let (mut client, mut server) = applications();
    let syn = wrap(&syn(C, &client.destination));
    let sent = crate::i2cp::send_message(client.session, &server.destination, &syn, 1);
    client.flow.send_unseen(End::Client, &sent[..skipped]);
    client.say(wire, End::Client, &sent[skipped..]);
    let received = message_payload(server.session, 9, &syn);
    server.flow.send_unseen(End::Server, &received[..skipped]);
    server.say(wire, End::Server, &received[skipped..]);
    pass(wire, &mut server, &mut client, &ack(C, S));
    pass(wire, &mut client, &mut server, &client_data(S, b"seen\n"));
    pass(
        wire,
        &mut server,
        &mut client,
        &server_data(C, b"seen too\n"),
    );
    pass(wire, &mut client, &mut server, &client_close(S));
    client.disconnect(wire);
    server.disconnect(wire);
}

fn small_segments(wire: &mut Wire) {
    let (mut client, mut server) = connected(wire);
    handshake(wire, &mut client, &mut server);
    let message = client_data(S, b"in pieces\n");
    let sent = crate::i2cp::send_message(client.session, &server.destination, &wrap(&message), 77);
    // Length, type and session byte by byte, the destination at once, the rest byte by byte.
    let (head, rest) = sent.split_at(7);
    let (destination, tail) = rest.split_at(server.destination.len());
    client.flow.send_in_segments(wire, End::Client, head, 1);
    client.say(wire, End::Client, destination);
    client.flow.send_in_segments(wire, End::Client, tail, 1);
    server.receive(wire, &message);
    pass(wire, &mut client, &mut server, &client_close(S));
    client.disconnect(wire);
    server.disconnect(wire);
}

fn through(wire: &mut Wire, router: Router) {
    let (mut client, mut server) = applications();
    client.router = router;
    server.router = router;
    let exchange = samples::short(&client.destination);
    carry::over_i2cp(wire, &mut client, &mut server, &exchange);
}

fn one_end(wire: &mut Wire) {
    let (mut client, mut server) = applications();
    client.connect(wire);
    let mut unseen = Wire::new(Link::ETHERNET);
    server.connect(&mut unseen);
    for sent in one_end_exchange(&client.destination) {
        match sent.from {
            End::Client => client.send(wire, &server.destination, &sent.message),
            End::Server => client.receive(wire, &sent.message),
        }
    }
    client.disconnect(wire);
}

/// The application on the wire is called once and calls once.
fn one_end_exchange(own: &[u8]) -> Vec<Sent> {
    let (other, other_server) = (id(0x77_0001), id(0x77_0002));
    vec![
        client(0, syn(C, own)),
        server(0, ack(C, S)),
        server(0, syn(other, &seeded_destination(2))),
        client(0, ack(other, other_server)),
        client(0, client_data(S, b"asked\n")),
        server(0, client_data(other_server, b"asked back\n")),
        server(0, server_data(C, b"answered\n")),
        client(0, server_close(other)),
        client(0, client_close(S)),
    ]
}

fn expires(wire: &mut Wire) {
    let mut client = Application::new(40112, 0x0101, "caller", key_destination(1));
    let mut server = Application::new(40113, 0x0202, "called", key_destination(2));
    client.connect(wire);
    server.connect(wire);
    let exchange = [
        (End::Client, syn(C, &client.destination)),
        (End::Server, ack(C, S)),
        (End::Client, client_data(S, b"hello\n")),
        (End::Server, server_close(C)),
    ];
    for ((from, message), nonce) in exchange.into_iter().zip(0..) {
        let (sender, receiver) = match from {
            End::Client => (&mut client, &mut server),
            End::Server => (&mut server, &mut client),
        };
        let payload = wrap(&message);
        let sent = send_message_expires(sender.session, &receiver.destination, &payload, nonce);
        sender.say(wire, End::Client, &sent);
        receiver.receive(wire.wait(500), &message);
    }
    client.disconnect(wire);
    server.disconnect(wire);
}

fn hostile_nicknames(wire: &mut Wire) {
    let mut client = Application::new(
        40112,
        0x0101,
        "\u{1b}[31mred\u{1b}]0;title\u{7}\u{202e}",
        sample_destination(),
    );
    let mut server = Application::new(40113, 0x0202, "<b>=1+1</b>\r\n\0\"'", seeded_destination(2));
    let exchange = samples::short(&client.destination);
    carry::over_i2cp(wire, &mut client, &mut server, &exchange);
}
