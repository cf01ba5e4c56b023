//! Fragments, extension headers, and traffic that is not ours.

use std::net::SocketAddr;

use super::{Shipped, list, short_exchange, udp_flow, udp_pcap, udp6_flow};
use crate::carry;
use crate::file::Pcap;
use crate::message::{ack, client_close, client_data, id, syn};
use crate::samples::REQUEST;
use crate::{End, Link, Random, TcpFlow, UdpFlow, Wire, ip, sample_destination, udp};

/// The order in which a datagram's fragments are captured.
#[derive(Clone, Copy)]
enum Order {
    Sent,
    Reversed,
    FirstTwice,
    MiddleMissing,
}

pub(super) fn captures() -> Vec<Shipped> {
    list(
        "network.rs",
        vec![
            (
                "ipv4-fragments.pcap",
                "a SYN and a data message in IPv4 fragments, in order",
                fragmented(udp_flow(), Order::Sent),
            ),
            (
                "ipv4-fragments-reversed.pcap",
                "the same, the last fragment first",
                fragmented(udp_flow(), Order::Reversed),
            ),
            (
                "ipv4-fragments-duplicate.pcap",
                "the same, the first fragment twice",
                fragmented(udp_flow(), Order::FirstTwice),
            ),
            (
                "ipv4-fragments-missing.pcap",
                "the same, a middle fragment of the data message missing",
                fragmented(udp_flow(), Order::MiddleMissing),
            ),
            (
                "ipv4-options.pcap",
                "IPv4 headers with options",
                ipv4_options(),
            ),
            (
                "ipv6-fragments.pcap",
                "a SYN and a data message in IPv6 fragments, in order",
                fragmented(udp6_flow(), Order::Sent),
            ),
            (
                "ipv6-fragments-reversed.pcap",
                "the same, the last fragment first",
                fragmented(udp6_flow(), Order::Reversed),
            ),
            (
                "ipv6-fragments-missing.pcap",
                "the same, a middle fragment of the data message missing",
                fragmented(udp6_flow(), Order::MiddleMissing),
            ),
            (
                "ipv6-extension-headers.pcap",
                "IPv6 with hop-by-hop, routing and destination option headers",
                extension_headers(),
            ),
            (
                "udp-snaplen.pcap",
                "a capture with a snap length of 200 bytes: SYNs are cut",
                cut_by_snap_length(),
            ),
            (
                "time-backwards.pcap",
                "capture time goes back by a second between two packets",
                time_backwards(),
            ),
            (
                "other-traffic.pcap",
                "no ministreaming at all: DNS, HTTP, TLS, ICMP",
                other_traffic(),
            ),
            (
                "among-other-traffic.pcap",
                "a ministreaming conversation among DNS, HTTP, TLS and ICMP",
                among_other_traffic(),
            ),
            ("empty.pcap", "a capture without packets", udp_pcap(&[])),
        ],
    )
}

/// SYN and data are fragmented, ACK and close are not.
fn fragmented(flow: UdpFlow, order: Order) -> Vec<u8> {
    let (c, s) = (id(0x0a_0b0c), id(0x0d_0e0f));
    let mut wire = Wire::new(Link::ETHERNET);
    let syn = syn(c, &sample_destination());
    let data = client_data(s, &Random::new(7).bytes(500));
    push_fragments(
        &mut wire,
        flow.fragments(1, End::Client, &syn, 128),
        syn_order(order),
    );
    flow.send(wire.at(2_000), End::Server, &ack(c, s));
    wire.at(4_000);
    push_fragments(&mut wire, flow.fragments(2, End::Client, &data, 128), order);
    flow.send(wire.at(6_000), End::Client, &client_close(s));
    Pcap::USUAL.write(&wire)
}

/// The SYN always arrives whole, so that the conversation is seen.
const fn syn_order(order: Order) -> Order {
    match order {
        Order::MiddleMissing => Order::Sent,
        other => other,
    }
}

fn push_fragments(wire: &mut Wire, mut fragments: Vec<Vec<u8>>, order: Order) {
    match order {
        Order::Sent => {}
        Order::Reversed => fragments.reverse(),
        Order::FirstTwice => fragments.insert(1, fragments[0].clone()),
        Order::MiddleMissing => {
            fragments.remove(1);
        }
    }
    for fragment in &fragments {
        wire.push(fragment);
    }
}

fn ipv4_options() -> Vec<u8> {
    // Record route with room for one address, then end of options.
    const OPTIONS: [u8; 8] = [7, 7, 4, 0, 0, 0, 0, 0];
    wrapped_by(udp_flow(), |path, datagram| {
        ip::packet_with_options(path, ip::UDP, &OPTIONS, datagram)
    })
}

fn extension_headers() -> Vec<u8> {
    wrapped_by(udp6_flow(), |path, datagram| {
        ip::packet_with_extension_headers(path, ip::UDP, datagram)
    })
}

fn wrapped_by(flow: UdpFlow, wrap: impl Fn(ip::Path, &[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut wire = Wire::new(Link::ETHERNET);
    for sent in short_exchange() {
        let path = flow.path(sent.from);
        let packet = wrap(path, &udp::datagram(path, &sent.message));
        wire.at(sent.micros).push(&packet);
    }
    Pcap::USUAL.write(&wire)
}

fn cut_by_snap_length() -> Vec<u8> {
    const SNAP_LENGTH: u32 = 200;
    let mut wire = Wire::new(Link::ETHERNET);
    carry::over_udp(&mut wire, udp_flow(), &short_exchange());
    for packet in &mut wire.packets {
        packet.cut(200);
    }
    Pcap {
        snap_length: SNAP_LENGTH,
        ..Pcap::USUAL
    }
    .write(&wire)
}

fn time_backwards() -> Vec<u8> {
    let mut wire = Wire::new(Link::ETHERNET);
    carry::over_udp(&mut wire, udp_flow(), &short_exchange());
    for packet in &mut wire.packets[2..] {
        packet.nanos -= 1_000_000_000;
    }
    Pcap::USUAL.write(&wire)
}

fn other_traffic() -> Vec<u8> {
    let mut wire = Wire::new(Link::ETHERNET);
    push_other_traffic(&mut wire);
    Pcap::USUAL.write(&wire)
}

fn among_other_traffic() -> Vec<u8> {
    let mut wire = Wire::new(Link::ETHERNET);
    push_other_traffic(&mut wire);
    // The conversation begins in the middle of the first batch.
    carry::over_udp(wire.at(550), udp_flow(), &short_exchange());
    push_other_traffic(wire.at(20_000));
    wire.packets.sort_by_key(|packet| packet.nanos);
    Pcap::USUAL.write(&wire)
}

fn push_other_traffic(wire: &mut Wire) {
    let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let dns = UdpFlow::new(local(5353), local(53));
    // A question for www.example.com, and the answer without records.
    let name = b"\x03www\x07example\x03com\0\0\x01\0\x01";
    let header = |flags: u8| [&[0x12, 0x34, flags, 0][..], &[0, 1, 0, 0, 0, 0, 0, 0]].concat();
    dns.send(wire, End::Client, &[&header(1)[..], name].concat());
    dns.send(wire, End::Server, &[&header(0x81)[..], name].concat());

    let mut http = TcpFlow::new(local(40200), local(80));
    http.open(wire);
    http.send(wire, End::Client, REQUEST);
    let page = b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<p>Hello</p>\n";
    http.send(wire, End::Server, page);
    http.close(wire, End::Server);

    let mut tls = TcpFlow::new(local(40201), local(443));
    tls.open(wire);
    let mut random = Random::new(443);
    // Handshake record with a ClientHello, a ServerHello, application data.
    let mut record = |content: u8, length: u16| {
        let body = random.bytes(usize::from(length));
        [&[content, 3, 3][..], &length.to_be_bytes(), &body].concat()
    };
    let (hello, answer, data) = (record(0x16, 250), record(0x16, 122), record(0x17, 300));
    tls.send(wire, End::Client, &hello);
    tls.send(wire, End::Server, &answer);
    tls.send_in_segments(wire, End::Server, &data, 100);
    tls.reset(wire, End::Client);

    let icmp_echo = [8, 0, 0xf7, 0xff, 0, 0, 0, 0];
    let packet = ip::packet(
        dns.path(End::Client),
        1,
        wire.next_identification(),
        &icmp_echo,
    );
    wire.push(&packet);
}
