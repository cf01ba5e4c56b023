//! Captures that are made to keep the dissector busy.

use std::io::Cursor;
use std::net::SocketAddr;
use std::sync::Arc;

use ministream::capture::{CaptureFile, PacketSource as _};
use ministream::carrier::Carrier;
use ministream::conversation::EndOfInput;
use ministream::dissect::{Collected, DecodeAs, DissectOptions, Dissector};
use ministream::net::Transport;
use ministream::select::filter::Filter;
use ministream_fixtures::carry::Prefix;
use ministream_fixtures::file::Pcap;
use ministream_fixtures::i2cp::{self, Application};
use ministream_fixtures::message::{
    ack, client_close, client_data, id, server_close, server_data, syn,
};
use ministream_fixtures::{
    End, Link, Segment, TcpFlow, UdpFlow, Wire, gzip, key_destination, sample_destination,
};

use crate::count::linear;

fn ends(client: u16) -> [SocketAddr; 2] {
    [
        SocketAddr::from(([192, 0, 2, 1], client)),
        SocketAddr::from(([192, 0, 2, 2], 9004)),
    ]
}

fn udp(client: u16) -> UdpFlow {
    let [client, server] = ends(client);
    UdpFlow::new(client, server)
}

fn tcp(client: u16) -> TcpFlow {
    let [client, server] = ends(client);
    TcpFlow::new(client, server)
}

/// Dissects what went over the wire.
fn dissect(wire: &Wire) -> Collected {
    dissect_with(wire, DissectOptions::default())
}

fn dissect_with(wire: &Wire, options: DissectOptions) -> Collected {
    let file = Cursor::new(Pcap::USUAL.write(wire));
    let mut capture = CaptureFile::from_reader("made", file).expect("it is a capture");
    let mut dissector = Dissector::new(options);
    let mut seen = Collected::default();
    while let Some(packet) = capture.next_packet().expect("it is whole") {
        let Ok(()) = dissector.push(&packet, &mut seen);
    }
    let Ok(()) = dissector.finish(EndOfInput::Complete, &mut seen);
    seen
}

linear!(conversations_of_one_id, 100, |size| {
    let size = 200 + size;
    let mut wire = Wire::new(Link::ETHERNET);
    let destination = sample_destination();
    for _ in 0..size {
        udp(40_000).send(&mut wire, End::Client, &syn([1; 3], &destination));
    }
    assert_eq!(dissect(&wire).conversations.len(), size);
});

linear!(conversations_with_one_server_id, 200, |size| {
    let mut wire = Wire::new(Link::ETHERNET);
    let (flow, destination) = (udp(40_000), sample_destination());
    for number in 0..size as u32 {
        flow.send(&mut wire, End::Client, &syn(id(number + 1), &destination));
        flow.send(&mut wire, End::Server, &ack(id(number + 1), [7; 3]));
    }
    for number in 0..size as u32 {
        flow.send(&mut wire, End::Client, &client_data([7; 3], b"whose?"));
        flow.send(
            &mut wire,
            End::Server,
            &server_data(id(number + 1), b"yours"),
        );
    }
    assert_eq!(dissect(&wire).conversations.len(), size);
});

linear!(
    conversations_of_one_id_that_are_closed_and_opened_again,
    200,
    |size| {
        let mut wire = Wire::new(Link::ETHERNET);
        let (flow, destination) = (udp(40_000), sample_destination());
        for _ in 0..size {
            flow.send(&mut wire, End::Client, &syn([1; 3], &destination));
            flow.send(&mut wire, End::Server, &ack([1; 3], [2; 3]));
            flow.send(&mut wire, End::Client, &client_close([2; 3]));
            flow.send(&mut wire, End::Server, &server_close([1; 3]));
        }
        assert_eq!(dissect(&wire).conversations.len(), size);
    }
);

linear!(messages_of_ids_that_nobody_announced, 300, |size| {
    let mut wire = Wire::new(Link::ETHERNET);
    for number in 0..size as u32 {
        udp(40_000).send(&mut wire, End::Client, &client_data(id(number + 1), b"x"));
    }
    let mut options = DissectOptions::default();
    options.decode_as = vec![decode_as(Transport::Udp, Carrier::Udp)];
    assert_eq!(dissect_with(&wire, options).message_count, size as u64);
});

/// A connection of which the beginning is missing, with bytes that look like the beginnings
/// of many messages, none of which leads to another.
fn lost_place(prefix: Prefix, size: usize) -> Wire {
    let mut wire = Wire::new(Link::ETHERNET);
    let mut flow = tcp(40_000);
    // Every few bytes begin a message of 0x5000 bytes or so, into the midst of another.
    let baits: [&[u8]; 2] = [
        &[0, 0, 0x50, 0x50, 0xa0, 0, 0, 0],
        &[0x50, 0x50, 0xa0, 0, 0x50, 0x51, 0x50, 0],
    ];
    let bait = match prefix {
        Prefix::U32 => baits[0],
        Prefix::U16 => baits[1],
    };
    for _ in 0..size {
        flow.send(&mut wire, End::Client, &bait.repeat(20));
    }
    wire
}

fn decoded_as(carrier: Carrier) -> DissectOptions {
    let mut options = DissectOptions::default();
    options.decode_as = vec![decode_as(Transport::Tcp, carrier)];
    options
}

const fn decode_as(transport: Transport, carrier: Carrier) -> DecodeAs {
    DecodeAs {
        transport,
        port: 9004,
        carrier,
    }
}

linear!(
    a_place_that_is_searched_among_prefixes_of_four_bytes,
    300,
    |size| {
        dissect_with(&lost_place(Prefix::U32, size), decoded_as(Carrier::TcpU32));
    }
);

linear!(
    a_place_that_is_searched_among_prefixes_of_two_bytes,
    300,
    |size| {
        dissect_with(&lost_place(Prefix::U16, size), decoded_as(Carrier::TcpU16));
    }
);

linear!(a_place_that_is_searched_in_i2cp, 600, |size| {
    let mut wire = Wire::new(Link::ETHERNET);
    let mut flow = tcp(40_000);
    // Frames of 0x5050 bytes and type 31, a payload.
    for _ in 0..size {
        flow.send(
            &mut wire,
            End::Server,
            &[0, 0, 0x50, 0x50, 31, 0, 0, 0].repeat(20),
        );
    }
    dissect_with(&wire, decoded_as(Carrier::I2cp));
});

linear!(a_carrier_that_stays_doubtful, 300, |size| {
    let mut wire = Wire::new(Link::ETHERNET);
    let mut flow = tcp(40_000);
    for _ in 0..size {
        flow.send(
            &mut wire,
            End::Client,
            &[0, 0, 0x50, 0x50, 0xa0, 0, 0, 0].repeat(20),
        );
    }
    dissect(&wire);
});

linear!(connections_that_say_too_little, 200, |size| {
    let mut wire = Wire::new(Link::ETHERNET);
    for number in 0..size as u16 {
        let mut flow = tcp(1_024 + number);
        flow.open(&mut wire);
        flow.send(&mut wire, End::Client, &[0, 0]);
    }
    dissect(&wire);
});

linear!(
    segments_behind_one_that_never_comes_in_reverse,
    300,
    |size| {
        let mut wire = Wire::new(Link::ETHERNET);
        let mut flow = tcp(40_000);
        flow.open(&mut wire);
        flow.send_unseen(End::Client, &[0; 10]);
        let first = flow.sent_bytes(End::Client);
        flow.send_unseen(End::Client, &vec![0; 10 * size]);
        for number in (0..size).rev() {
            let start = first + 10 * number;
            flow.resend(&mut wire, End::Client, start..start + 10);
        }
        dissect(&wire);
    }
);

linear!(segments_that_overlap, 300, |size| {
    let mut wire = Wire::new(Link::ETHERNET);
    let mut flow = tcp(40_000);
    flow.open(&mut wire);
    flow.send_unseen(End::Client, &vec![0; 2 * size + 20]);
    for number in 0..size {
        let start = 10 + 2 * (number * 7919 % size);
        flow.resend(&mut wire, End::Client, start..start + 10);
    }
    dissect(&wire);
});

linear!(
    segments_without_captured_bytes_that_cover_all_that_waits,
    300,
    |size| {
        let mut wire = Wire::new(Link::ETHERNET);
        let mut flow = tcp(40_000);
        flow.open(&mut wire);
        flow.send_unseen(End::Client, &vec![0; 2 * size + 20]);
        for number in 0..size {
            let start = 10 + 2 * number;
            flow.resend(&mut wire, End::Client, start..start + 1);
        }
        let empty = Segment {
            sequence: 1_000_011,
            acknowledgment: 2_000_001,
            flags: 0x10,
            payload: Vec::new(),
        };
        for _ in 0..size {
            flow.put(&mut wire, End::Client, &empty);
            claim(&mut wire, 20 + 2 * size);
        }
        dissect(&wire);
    }
);

/// Lets the last packet, as IPv4 on Ethernet, say that so many bytes were behind the header of IP.
fn claim(wire: &mut Wire, bytes: usize) {
    let packet = wire.packets.last_mut().expect("a packet was put there");
    let length = u16::try_from(20 + bytes).expect("a packet may be so long");
    packet.data[16..18].copy_from_slice(&length.to_be_bytes());
    packet.original_bytes = 14 + u32::from(length);
}

linear!(fragments_of_datagrams_that_are_never_whole, 300, |size| {
    let mut wire = Wire::new(Link::ETHERNET);
    for number in 0..size as u16 {
        let fragments = udp(40_000).fragments(number, End::Client, &[0xa0; 48], 24);
        wire.push(&fragments[1]);
    }
    dissect(&wire);
});

linear!(
    fragments_of_one_datagram_in_reverse_and_twice,
    150,
    |size| {
        let mut wire = Wire::new(Link::ETHERNET);
        let payload = vec![0xa0; 8 * size];
        let fragments = udp(40_000).fragments(1, End::Client, &payload, 8);
        for fragment in fragments
            .iter()
            .skip(1)
            .rev()
            .chain(fragments.iter().skip(1))
        {
            wire.push(fragment);
        }
        dissect(&wire);
    }
);

linear!(
    fragments_without_captured_bytes_that_cover_all_that_waits,
    150,
    |size| {
        let mut wire = Wire::new(Link::ETHERNET);
        let payload = vec![0xa0; 16 * size];
        let fragments = udp(40_000).fragments(1, End::Client, &payload, 8);
        for fragment in fragments.iter().skip(1).step_by(2) {
            wire.push(fragment);
        }
        for _ in fragments.iter().skip(1).step_by(2) {
            wire.push(&fragments[1][..20]);
            claim(&mut wire, 16 * size);
        }
        dissect(&wire);
    }
);

linear!(messages_that_expand, 30, |size| {
    let mut wire = Wire::new(Link::ETHERNET);
    let mut application = Application::new(40_000, 1, "bomb", key_destination(1));
    application.connect(&mut wire);
    let bomb = gzip::bomb(0xa0, 400);
    for _ in 0..size {
        application.receive_payload(&mut wire, &bomb);
    }
    dissect(&wire);
});

/// Two applications at one router: messages with numbers that one hands to it, all of them before
/// the other gets any. Many go in a segment, so that packets are not most of the work.
fn through_a_router(handed_over: &[u32], delivered: &[u32]) -> Wire {
    let mut wire = Wire::new(Link::ETHERNET);
    let mut client = Application::new(40_000, 1, "client", key_destination(1));
    let mut server = Application::new(40_001, 2, "server", key_destination(2));
    client.connect(&mut wire);
    server.connect(&mut wire);
    let open = syn([1; 3], &client.destination);
    client.send(&mut wire, &server.destination, &open);
    server.receive(&mut wire, &open);
    let accept = ack([1; 3], [7; 3]);
    server.send(&mut wire, &client.destination, &accept);
    client.receive(&mut wire, &accept);
    let message = |number: u32| i2cp::wrap(&client_data([7; 3], &number.to_be_bytes()));
    for numbers in handed_over.chunks(100) {
        let frames = numbers
            .iter()
            .flat_map(|number| i2cp::send_message(1, &server.destination, &message(*number), 0));
        client.say(&mut wire, End::Client, &frames.collect::<Vec<u8>>());
    }
    for numbers in delivered.chunks(100) {
        let frames = numbers
            .iter()
            .flat_map(|number| i2cp::message_payload(2, 1, &message(*number)));
        server.say(&mut wire, End::Server, &frames.collect::<Vec<u8>>());
    }
    wire
}

linear!(
    messages_of_a_router_that_nobody_handed_to_it,
    1_000,
    |size| {
        let size = size as u32;
        let others: Vec<u32> = (size..2 * size).collect();
        let wire = through_a_router(&(0..size).collect::<Vec<_>>(), &others);
        assert_eq!(dissect(&wire).message_count, 4 + 2 * u64::from(size));
    }
);

// A frame that cannot be read may have been a message of any session.
linear!(frames_of_no_sense_beside_many_sessions, 200, |size| {
    let mut wire = Wire::new(Link::ETHERNET);
    let mut flow = tcp(40_000);
    flow.open(&mut wire);
    for session in 0..size as u16 {
        flow.send(&mut wire, End::Server, &i2cp::session_status(session, 1));
    }
    for _ in 0..size {
        flow.send(&mut wire, End::Server, &i2cp::frame(20, &[]));
    }
    let seen = dissect_with(&wire, decoded_as(Carrier::I2cp));
    assert_eq!(seen.findings.len(), size);
});

// Each could be the refusal of a SYN, and is remembered in case that one comes. The ids begin alike, as numbers do,
// which is why the carrier stays doubtful.
linear!(refusals_of_what_nobody_asked_for, 300, |size| {
    let mut wire = Wire::new(Link::ETHERNET);
    for number in 0..size as u32 {
        udp(40_000).send(
            &mut wire,
            End::Server,
            &server_close(id(0x70_0000 | (number + 1))),
        );
    }
    assert_eq!(dissect(&wire).message_count, 0);
});

// SYNs that have the same id and destination, from sessions that call somebody else; then come as many like
// them to another session, which each could belong to any of those but for their addressee.
linear!(syns_of_a_router_that_are_all_alike, 20, |size| {
    let mut wire = Wire::new(Link::ETHERNET);
    let [caller, elsewhere, here] = [1, 9, 2].map(key_destination);
    let open = i2cp::wrap(&syn([1; 3], &caller));
    // As many as one session may have open of one id.
    let in_session = 64;
    let (mut sent, mut received) = (Vec::new(), Vec::new());
    for _ in 0..in_session {
        sent.extend(i2cp::send_message(1, &elsewhere, &open, 0));
        received.extend(i2cp::message_payload(2, 1, &open));
    }
    for number in 0..size as u16 {
        let mut client = Application::new(10_000 + number, 1, "client", caller.clone());
        client.connect(&mut wire);
        client.say(&mut wire, End::Client, &sent);
    }
    let mut server = Application::new(30_000, 2, "server", here);
    server.connect(&mut wire);
    for _ in 0..size {
        server.say(&mut wire, End::Server, &received);
    }
    let seen = dissect(&wire);
    assert_eq!(seen.message_count, 2 * 64 * size as u64);
    assert!(seen.conversations.iter().all(|one| one.peer_view.is_none()));
});

linear!(
    messages_that_come_out_of_a_router_in_reverse,
    1_000,
    |size| {
        let numbers: Vec<u32> = (0..size as u32).collect();
        let reversed: Vec<u32> = numbers.iter().rev().copied().collect();
        let seen = dissect(&through_a_router(&numbers, &reversed));
        assert_eq!(seen.message_count, 4 + 2 * size as u64);
    }
);

linear!(records_of_tls_by_the_byte, 300, |size| {
    let mut wire = Wire::new(Link::ETHERNET);
    let mut flow = tcp(40_000);
    flow.open(&mut wire);
    // A client's hello that never ends, in records of one byte.
    flow.send(
        &mut wire,
        End::Client,
        &[0x16, 3, 1, 0, 4, 1, 0, 0xff, 0xff],
    );
    for _ in 0..size {
        flow.send(&mut wire, End::Client, &[0x16, 3, 1, 0, 1, 0]);
    }
    let mut options = DissectOptions::default();
    options.secrets = Some(Arc::default());
    dissect_with(&wire, options);
});

linear!(sequence_numbers_that_jump, 300, |size| {
    let mut wire = Wire::new(Link::ETHERNET);
    let mut flow = tcp(40_000);
    flow.open(&mut wire);
    for number in 0..size as u32 {
        let segment = Segment {
            sequence: number.wrapping_mul(0x9e37_79b9),
            acknowledgment: 0,
            flags: 16,
            payload: vec![0, 0, 0, 4, 0xa0, 0, 0, 1],
        };
        flow.put(&mut wire, End::Client, &segment);
    }
    dissect(&wire);
});

linear!(filters_of_many_terms, 100, |size| {
    let terms = vec!["(conv == c1 && !(type == data))"; size];
    // Too many are refused, and that must not take long either.
    Filter::parse(&terms.join(" || ")).ok();
    Filter::parse(&"(".repeat(size)).ok();
    Filter::parse(&"!".repeat(size)).ok();
});
