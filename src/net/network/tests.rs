use std::net::SocketAddr;

use Side::{Initiator, Responder};
use proptest::prelude::*;

use super::super::testing::*;
use super::super::{Ignored, PacketDecoder, Transport};
use super::*;
use crate::capture::{LinkType, Packet};

fn datagram(payload: &[u8]) -> Vec<u8> {
    ipv4(CLIENT, SERVER, UDP, &udp(payload))
}

#[test]
fn a_datagram_is_delivered_with_its_sender() {
    let mut wire = Wire::new(LinkType::RawIp);
    let answer = ipv4(SERVER, CLIENT, UDP, &{
        let mut bytes = udp(b"pong");
        bytes[..4].copy_from_slice(&[0x07, 0xd0, 0x03, 0xe8]);
        bytes
    });
    assert_eq!(
        wire.push_all(&[datagram(b"ping"), answer]),
        [
            Seen::Datagram(0, Initiator, b"ping".to_vec(), 0),
            Seen::Datagram(0, Responder, b"pong".to_vec(), 0),
        ]
    );
}

#[test]
fn a_whole_connection_is_delivered_in_order_and_ends_by_fin() {
    let mut wire = Wire::new(LinkType::RawIp);
    let seen = wire.push_all(&[
        client((99, 0), SYN, b""),
        server((499, 100), SYN | ACK, b""),
        client((100, 500), ACK, b"hello"),
        server((500, 105), ACK, b"world"),
        client((105, 505), FIN | ACK, b"!"),
        server((505, 107), FIN | ACK, b""),
        client((107, 506), ACK, b""),
    ]);
    assert_eq!(
        seen,
        [
            Seen::Bytes(0, Initiator, b"hello".to_vec(), Whole::Segment),
            Seen::Bytes(0, Responder, b"world".to_vec(), Whole::Segment),
            Seen::Bytes(0, Initiator, b"!".to_vec(), Whole::Segment),
            Seen::End(0, Initiator, StreamEnd::Fin),
            Seen::End(0, Responder, StreamEnd::Fin),
        ]
    );
    assert_eq!(wire.finish(), []);
}

/// The handshake of [`client`] and [`server`]: their data begins at 100 and 500.
fn open(wire: &mut Wire) {
    let handshake = [
        client((99, 0), SYN, b""),
        server((499, 100), SYN | ACK, b""),
        client((100, 500), ACK, b""),
    ];
    assert_eq!(wire.push_all(&handshake), []);
}

#[test]
fn the_sender_of_syn_is_the_initiator_even_when_only_the_answer_was_seen() {
    let mut wire = Wire::new(LinkType::RawIp);
    let seen = wire.push_all(&[
        server((499, 100), SYN | ACK, b""),
        client((100, 500), ACK, b"hello"),
        server((500, 105), ACK, b"world"),
    ]);
    assert_eq!(
        seen,
        [
            Seen::Bytes(0, Initiator, b"hello".to_vec(), Whole::Segment),
            Seen::Bytes(0, Responder, b"world".to_vec(), Whole::Segment),
        ]
    );
    let flow = wire.network.flows_mut().next().unwrap();
    assert_eq!(flow.address(Initiator), SocketAddr::from((CLIENT, 1000)));
    assert_eq!(flow.address(Responder), SocketAddr::from((SERVER, 2000)));
    assert_eq!(flow.transport, Transport::Tcp);
}

#[test]
fn a_syn_with_another_sequence_number_begins_another_flow() {
    let mut wire = Wire::new(LinkType::RawIp);
    open(&mut wire);
    let seen = wire.push_all(&[
        client((102, 500), ACK, b"late"),
        client((9_000, 0), SYN, b""),
        client((9_001, 0), ACK, b"new"),
    ]);
    assert_eq!(
        seen,
        [
            Seen::Gap(0, Initiator, Some(2)),
            Seen::Bytes(0, Initiator, b"late".to_vec(), Whole::Segment),
            Seen::End(0, Initiator, StreamEnd::Forgotten),
            Seen::End(0, Responder, StreamEnd::Forgotten),
            Seen::Bytes(1, Initiator, b"new".to_vec(), Whole::Segment),
        ]
    );
}

#[test]
fn an_answer_to_another_syn_begins_another_flow_too() {
    let mut wire = Wire::new(LinkType::RawIp);
    open(&mut wire);
    // Anybody can send it; who takes it goes on from there.
    assert_eq!(wire.push(&server((7_000, 9_001), SYN | ACK, b"")), []);
    assert_eq!(
        wire.push(&client((9_001, 7_001), ACK, b"new")),
        [
            Seen::End(0, Initiator, StreamEnd::Forgotten),
            Seen::End(0, Responder, StreamEnd::Forgotten),
            Seen::Bytes(1, Initiator, b"new".to_vec(), Whole::Segment),
        ]
    );
    assert_eq!(wire.network.counts().flows, 2);
}

#[test]
fn retransmitted_syns_change_nothing() {
    let mut wire = Wire::new(LinkType::RawIp);
    open(&mut wire);
    let seen = wire.push_all(&[
        client((100, 500), ACK, b"abc"),
        client((99, 0), SYN, b""),
        server((499, 100), SYN | ACK, b""),
        client((103, 500), ACK, b"def"),
    ]);
    assert_eq!(text_of(&seen, Initiator), "abcdef");
    assert_eq!(wire.network.counts().flows, 1);
}

#[test]
fn data_in_the_syn_is_delivered_once() {
    let mut wire = Wire::new(LinkType::RawIp);
    let seen = wire.push_all(&[
        client((99, 0), SYN, b"fast"),
        client((99, 0), SYN, b"fast"),
        server((499, 104), SYN | ACK, b""),
        client((104, 500), ACK, b"open"),
    ]);
    assert_eq!(
        seen,
        [
            Seen::Bytes(0, Initiator, b"fast".to_vec(), Whole::Segment),
            Seen::Bytes(0, Initiator, b"open".to_vec(), Whole::Segment),
        ]
    );
}

#[test]
fn a_refused_connection_ends_by_reset() {
    let mut wire = Wire::new(LinkType::RawIp);
    let seen = wire.push_all(&[client((99, 0), SYN, b""), server((0, 100), RST | ACK, b"")]);
    assert_eq!(
        seen,
        [
            Seen::End(0, Initiator, StreamEnd::Reset),
            Seen::End(0, Responder, StreamEnd::Reset),
        ]
    );
}

#[test]
fn a_reset_delivers_what_waits_first_and_nothing_afterwards() {
    let mut wire = Wire::new(LinkType::RawIp);
    open(&mut wire);
    let seen = wire.push_all(&[
        client((103, 500), ACK, b"def"),
        client((106, 500), RST | ACK, b"error text"),
        server((500, 100), ACK, b"late"),
    ]);
    assert_eq!(
        seen,
        [
            Seen::Gap(0, Initiator, Some(3)),
            Seen::Bytes(0, Initiator, b"def".to_vec(), Whole::Segment),
            Seen::End(0, Initiator, StreamEnd::Reset),
            Seen::End(0, Responder, StreamEnd::Reset),
        ]
    );
    assert_eq!(wire.network.counts().streams.late_segments, 1);
}

#[test]
fn a_reset_far_from_the_stream_is_not_believed() {
    let mut wire = Wire::new(LinkType::RawIp);
    open(&mut wire);
    assert_eq!(wire.push(&client((1 << 30, 0), RST, b"")), []);
    assert_eq!(wire.network.counts().streams.ignored_segments, 0);
    // The data that follow tell.
    let seen = wire.push_all(&[
        client((100, 500), ACK, b"a"),
        client((101, 500), ACK, b"b"),
        client((102, 500), ACK, b"c"),
    ]);
    let ahead_bytes = (1 << 30) - 100;
    assert_eq!(
        seen[2..],
        [
            Seen::Ignored(0, Initiator, Ignored::Reset { ahead_bytes }),
            Seen::Bytes(0, Initiator, b"c".to_vec(), Whole::Segment),
        ]
    );
    assert_eq!(wire.network.counts().streams.ignored_segments, 1);
}

/// A datagram's flow and an open connection, with room for 1,000 bytes beside them.
fn with_a_flow_of_each_kind() -> Wire {
    let limits = NetworkLimits {
        flow_bytes: UDP_FLOW_BYTES + TCP_FLOW_BYTES + 1_000,
        ..NetworkLimits::default()
    };
    let mut wire = Wire::with_limits(LinkType::RawIp, limits);
    wire.push(&datagram(b"ping"));
    open(&mut wire);
    wire
}

#[test]
fn a_syn_of_which_later_segments_tell_counts_towards_the_memory_of_flows() {
    let mut wire = with_a_flow_of_each_kind();
    wire.push(&client((100, 500), ACK, b"a"));
    wire.push(&client((1 << 30, 0), SYN, &[0; 500]));
    assert_eq!(wire.network.counts().evicted_flows, 0);
    wire.push(&client((1 << 29, 0), SYN, &[0; 1_200]));
    assert_eq!(wire.network.counts().evicted_flows, 1);
    // Data go on, and it is let go.
    wire.push(&client((101, 500), ACK, b"b"));
    wire.push(&datagram(b"pong"));
    assert_eq!(wire.network.counts().evicted_flows, 1);
}

#[test]
fn bare_remains_of_an_old_connection_begin_no_flow() {
    let mut wire = Wire::new(LinkType::RawIp);
    let seen = wire.push_all(&[
        client((100, 500), ACK, b""),
        client((100, 500), FIN | ACK, b""),
        server((500, 0), RST, b"text"),
    ]);
    assert_eq!(seen, []);
    assert_eq!(wire.network.counts().flows, 0);
    assert_eq!(wire.network.counts().segments, 3);
}

#[test]
fn the_flow_idle_for_longest_is_forgotten_for_a_new_one() {
    let limits = NetworkLimits {
        flow_bytes: 2 * UDP_FLOW_BYTES,
        ..NetworkLimits::default()
    };
    let mut wire = Wire::with_limits(LinkType::RawIp, limits);
    let from = |last: u8| ipv4([10, 0, 1, last], SERVER, UDP, &udp(&[last]));
    let said = |flow, last: u8| Seen::Datagram(flow, Initiator, vec![last], 0);
    // A packet that comes again at once would be a copy.
    let mut seen = Vec::new();
    for last in [1, 2, 1, 3, 1, 2] {
        seen.extend(wire.push(&from(last)));
        wire.wait_nanos(1_000_000_000);
    }
    let ended = |flow, how| {
        [
            Seen::End(flow, Initiator, how),
            Seen::End(flow, Responder, how),
        ]
    };
    let evicted = |flow| ended(flow, StreamEnd::Evicted);
    let mut expected = vec![said(0, 1), said(1, 2), said(0, 1)];
    expected.extend(evicted(1));
    expected.extend([said(2, 3), said(0, 1)]);
    expected.extend(evicted(2));
    expected.push(said(3, 2));
    assert_eq!(seen, expected);
    let counts = wire.network.counts();
    assert_eq!(counts.evicted_flows, 2);
    assert_eq!(counts.evicted_since.map(|arrival| arrival.packet), Some(4));
    let over = |flow| ended(flow, StreamEnd::Forgotten);
    assert_eq!(wire.finish(), [over(0), over(3)].concat());
}

/// Passes a packet on behalf of whoever holds so many bytes for its flow.
fn push_holding(wire: &mut Wire, packet: &[u8], held_bytes: usize) {
    let packet = Packet {
        number: 1,
        time: wire.now,
        interface: crate::capture::InterfaceId::default(),
        link_type: wire.link_type,
        data: packet,
        original_bytes: u32::try_from(packet.len()).unwrap(),
    };
    let decoded = wire.decoder.decode(&packet);
    let mut hold = |flow: &mut Flow<()>, _: Arrival, _: Delivery<'_>| {
        flow.held_bytes = held_bytes;
        Ok::<(), std::convert::Infallible>(())
    };
    let Ok(()) = wire.network.push(Arrival::of(&packet), decoded, &mut hold);
}

#[test]
fn what_is_held_for_a_flow_counts_towards_the_memory_of_flows_until_it_is_forgotten() {
    let half = UDP_FLOW_BYTES / 2;
    let limits = NetworkLimits {
        flow_bytes: 3 * UDP_FLOW_BYTES + half,
        ..NetworkLimits::default()
    };
    let mut wire = Wire::with_limits(LinkType::RawIp, limits);
    let from = |last: u8| ipv4([10, 0, 1, last], SERVER, UDP, &udp(&[last]));
    push_holding(&mut wire, &from(1), half);
    let mut evicted = Vec::new();
    for last in 2..=6 {
        push_holding(&mut wire, &from(last), 0);
        evicted.push(wire.network.counts().evicted_flows);
    }
    assert_eq!(evicted, [0, 0, 1, 2, 3]);

    let mut wire = with_a_flow_of_each_kind();
    push_holding(&mut wire, &client((100, 500), ACK, b"a"), 1_000);
    assert_eq!(wire.network.counts().evicted_flows, 0);
    push_holding(&mut wire, &client((101, 500), ACK, b"b"), 1_001);
    assert_eq!(wire.network.counts().evicted_flows, 1);
}

#[test]
fn connections_closed_long_ago_are_dropped_quietly() {
    let mut wire = Wire::new(LinkType::RawIp);
    let connections = u16::try_from(CLOSED_CONNECTIONS).unwrap() + 10;
    for port in 0..connections {
        let segment =
            |numbers, flags| ipv4(CLIENT, SERVER, TCP, &tcp((port, 2000), numbers, flags, b""));
        wire.push_all(&[segment((1, 0), SYN), segment((2, 0), RST)]);
    }
    assert_eq!(wire.network.flows_mut().count(), CLOSED_CONNECTIONS);
    assert_eq!(wire.network.counts().flows, u64::from(connections));
    assert_eq!(wire.network.counts().evicted_flows, 0);
}

#[test]
fn fragments_make_one_datagram_that_counts_once() {
    let mut wire = Wire::new(LinkType::RawIp);
    let whole = udp(b"fragmented");
    let first = ipv4_fragment(CLIENT, SERVER, UDP, 7, 0x2000, &whole[..16]);
    let second = ipv4_fragment(CLIENT, SERVER, UDP, 7, 2, &whole[16..]);
    assert_eq!(wire.push(&second), []);
    assert_eq!(
        wire.push(&first),
        [Seen::Datagram(0, Initiator, b"fragmented".to_vec(), 0)]
    );
    let counts = wire.network.counts();
    assert_eq!((counts.packets, counts.datagrams), (2, 1));
    assert_eq!(counts.skipped(Skip::Fragment), 1);
}

#[test]
fn a_datagram_whose_fragments_never_come_is_told_after_its_time() {
    let mut wire = Wire::new(LinkType::RawIp);
    let first = ipv4_fragment(CLIENT, SERVER, UDP, 7, 0x2000, &udp(b"fragmented")[..16]);
    wire.push(&first);
    wire.wait_nanos(30_000_000_000);
    wire.push(&datagram(b"tick"));
    assert_eq!(wire.decoder.next_lost_datagram(), None);
    wire.wait_nanos(1);
    wire.push(&datagram(b"tick"));
    let lost = wire.decoder.next_lost_datagram().unwrap();
    assert_eq!(lost.arrival.packet, 1);
    assert_eq!(lost.source, ip_address(CLIENT));
    assert_eq!(lost.transport, Some(Transport::Udp));
    assert_eq!(lost.ports, Some((1000, 2000)));
    assert_eq!((lost.received_bytes, lost.total_bytes), (16, None));
    assert_eq!(wire.decoder.next_lost_datagram(), None);
    assert_eq!(wire.decoder.lost_datagram_count(), 1);
}

#[test]
fn every_packet_is_a_datagram_a_segment_or_skipped() {
    let mut wire = Wire::new(LinkType::Ethernet);
    wire.push_all(&[
        ethernet(0x0800, &datagram(b"x")),
        ethernet(0x0800, &client((1, 1), SYN, b"")),
        ethernet(0x86dd, &ipv6(UDP, &udp(b"six"))),
        ethernet(0x0806, &[0; 28]),
        ethernet(0x0800, &ipv4(CLIENT, SERVER, 1, &[8; 8])),
        ethernet(0x0800, &[0x45]),
        vec![],
    ]);
    let counts = wire.network.counts();
    assert_eq!(
        (counts.packets, counts.datagrams, counts.segments),
        (7, 2, 1)
    );
    assert_eq!(counts.skipped(Skip::NotIp), 1);
    assert_eq!(counts.skipped(Skip::NotTransport), 1);
    assert_eq!(counts.skipped(Skip::BadHeader), 2);
}

#[test]
fn a_packet_cut_by_the_snap_length_delivers_what_is_there() {
    let packet = datagram(b"0123456789");
    for captured in 28..=packet.len() {
        let mut wire = Wire::new(LinkType::RawIp);
        let there = &packet[28..captured];
        let missing = u32::try_from(packet.len() - captured).unwrap();
        assert_eq!(
            wire.push_cut(&packet, captured),
            [Seen::Datagram(0, Initiator, there.to_vec(), missing)]
        );
        assert_eq!(wire.network.counts().cut, u64::from(missing > 0));
    }
    for captured in 0..28 {
        let mut wire = Wire::new(LinkType::RawIp);
        assert_eq!(wire.push_cut(&packet, captured), []);
        assert_eq!(wire.network.counts().skipped(Skip::CutHeader), 1);
    }
}

#[test]
fn behind_a_segment_that_a_snap_length_cut_the_stream_goes_on() {
    let mut wire = Wire::new(LinkType::RawIp);
    open(&mut wire);
    let cut = client((100, 500), ACK, b"abcdef");
    let mut seen = wire.push_cut(&cut, cut.len() - 4);
    seen.extend(wire.push(&client((106, 500), ACK, b"ghi")));
    assert_eq!(
        seen,
        [
            Seen::Bytes(0, Initiator, b"ab".to_vec(), Whole::Segment),
            Seen::Cut(0, Initiator, 4),
            Seen::Bytes(0, Initiator, b"ghi".to_vec(), Whole::Segment),
        ]
    );
}

#[test]
fn an_error_of_the_receiver_comes_back() {
    let limits = NetworkLimits::default();
    let mut decoder = PacketDecoder::new(&limits);
    let mut network = Network::<()>::new(limits);
    let bytes = datagram(b"x");
    let packet = Packet {
        number: 1,
        time: crate::time::Timestamp::default(),
        interface: crate::capture::InterfaceId::default(),
        link_type: LinkType::RawIp,
        data: &bytes,
        original_bytes: 29,
    };
    assert_eq!(
        network.push(
            Arrival::of(&packet),
            decoder.decode(&packet),
            &mut |_, _, _| Err("full")
        ),
        Err("full")
    );
}

const LINK_TYPES: [LinkType; 9] = [
    LinkType::Null,
    LinkType::Ethernet,
    LinkType::Loop,
    LinkType::RawIp,
    LinkType::Ipv4,
    LinkType::Ipv6,
    LinkType::LinuxCooked,
    LinkType::LinuxCooked2,
    LinkType::Other(9),
];

/// Checks what holds for whatever is pushed: each packet is accounted for,
/// each side of a flow ends once and says nothing afterwards, nothing stays.
fn check_contract(wire: &mut Wire, mut seen: Vec<Seen>) {
    seen.extend(wire.finish());
    let counts = wire.network.counts();
    let skipped: u64 = Skip::ALL.iter().map(|&skip| counts.skipped(skip)).sum();
    assert_eq!(counts.packets, counts.datagrams + counts.segments + skipped);
    assert_eq!(wire.network.pool.held, 0);
    let mut ended = std::collections::HashSet::new();
    for seen in &seen {
        let (flow, side) = match seen {
            Seen::Ignored(..) => continue,
            Seen::Datagram(flow, side, ..)
            | Seen::Bytes(flow, side, ..)
            | Seen::Gap(flow, side, _)
            | Seen::Cut(flow, side, _)
            | Seen::End(flow, side, _) => (flow, side.index()),
        };
        assert!(!ended.contains(&(flow, side)), "{seen:?} behind the end");
        match seen {
            Seen::End(..) => assert!(ended.insert((flow, side))),
            Seen::Bytes(_, _, bytes, _) => assert!(!bytes.is_empty()),
            Seen::Gap(_, _, missing) => assert_ne!(*missing, Some(0)),
            Seen::Cut(_, _, missing) => assert_ne!(*missing, 0),
            Seen::Datagram(..) | Seen::Ignored(..) => {}
        }
    }
    assert_eq!(u64::try_from(ended.len()).unwrap(), counts.flows * 2);
}

/// A packet of a few connections, with numbers near each other or anywhere.
fn any_segment() -> impl Strategy<Value = Vec<u8>> {
    let number = || prop_oneof![8 => (u32::MAX - 20)..=u32::MAX, 8 => 0_u32..20, 1 => any::<u32>()];
    let flags = prop_oneof![8 => Just(ACK), 1 => any::<u8>(), 1 => Just(SYN), 1 => Just(FIN | ACK)];
    let payload = prop::collection::vec(any::<u8>(), 0..12);
    (
        any::<bool>(),
        0_u16..2,
        (number(), number()),
        flags,
        payload,
    )
        .prop_map(|(is_client, port, numbers, flags, payload)| {
            if is_client {
                let segment = tcp((port, 2000), numbers, flags, &payload);
                ipv4(CLIENT, SERVER, TCP, &segment)
            } else {
                let segment = tcp((2000, port), numbers, flags, &payload);
                ipv4(SERVER, CLIENT, TCP, &segment)
            }
        })
}

proptest! {
    #[test]
    fn arbitrary_bytes_on_every_link_never_panic(
        packets in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..120), 0_usize..120),
            0..20,
        ),
    ) {
        for link_type in LINK_TYPES {
            let mut wire = Wire::new(link_type);
            let mut seen = Vec::new();
            for (packet, captured) in &packets {
                seen.extend(wire.push_cut(packet, packet.len().min(*captured)));
            }
            check_contract(&mut wire, seen);
        }
    }

    #[test]
    fn damaged_packets_on_every_link_never_panic(
        bytes in prop::collection::vec((0_usize..90, any::<u8>()), 0..6),
        captured in 0_usize..120,
    ) {
        let cooked = [&[0; 14], &[8, 0][..]].concat();
        let cooked2 = [&[8, 0][..], &[0; 18]].concat();
        let ethernet = [&[0; 12], &[0x81, 0, 0, 0, 8, 0][..]].concat();
        let tcp = client((1, 1), SYN, b"0123456789");
        let fragment = ipv4_fragment(CLIENT, SERVER, UDP, 1, 0x2000, &udp(b"01234567"));
        let chain = [&[60, 0, 0, 0, 0, 0, 0, 0, UDP, 0, 0, 0, 0, 0, 0, 0], &udp(b"01")[..]];
        let six = ipv6(0, &chain.concat());
        let six_fragment = ipv6(44, &[&[UDP, 0, 0, 1, 0, 0, 0, 1], &udp(b"")[..]].concat());
        for (link_type, header) in [
            (LinkType::Null, vec![2, 0, 0, 0]),
            (LinkType::RawIp, vec![]),
            (LinkType::Ethernet, ethernet),
            (LinkType::LinuxCooked, cooked),
            (LinkType::LinuxCooked2, cooked2),
        ] {
            let mut wire = Wire::new(link_type);
            let mut seen = Vec::new();
            for ip in [&tcp, &fragment, &six, &six_fragment, &datagram(b"01234567")] {
                let mut packet = [&header[..], ip].concat();
                for &(at, byte) in &bytes {
                    if let Some(place) = packet.get_mut(at) {
                        *place = byte;
                    }
                }
                seen.extend(wire.push_cut(&packet, packet.len().min(captured)));
                seen.extend(wire.push(&packet));
            }
            check_contract(&mut wire, seen);
        }
    }

    #[test]
    fn any_segments_keep_the_contract(packets in prop::collection::vec(any_segment(), 0..80)) {
        let limits = NetworkLimits {
            stream_bytes: 1_000,
            total_stream_bytes: 2_000,
            ..NetworkLimits::default()
        };
        let mut wire = Wire::with_limits(LinkType::RawIp, limits);
        let seen = wire.push_all(&packets);
        check_contract(&mut wire, seen);
    }
}
