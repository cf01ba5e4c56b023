use super::super::testing::*;
use super::super::{Side, Skip};
use super::*;
use crate::capture::LinkType;

const OUT: u8 = 4;
const IN: u8 = 0;

fn ping(letter: u8) -> Vec<u8> {
    ipv4(CLIENT, SERVER, UDP, &udp(&[letter]))
}

fn numbered(letter: u8, identification: u16) -> Vec<u8> {
    ipv4_fragment(CLIENT, SERVER, UDP, identification, 0, &udp(&[letter]))
}

fn cooked(packet_type: u8, ip: &[u8]) -> Vec<u8> {
    let mut frame = vec![0, packet_type, 3, 4, 0, 6];
    frame.extend([0; 8]);
    frame.extend([0x08, 0x00]);
    frame.extend(ip);
    frame
}

fn cooked2(interface: u8, packet_type: u8, ip: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x08, 0x00, 0, 0, 0, 0, 0, interface, 0, 1, packet_type, 6];
    frame.extend([0; 8]);
    frame.extend(ip);
    frame
}

fn loopback(ip: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend([0x08, 0x00]);
    frame.extend(ip);
    frame
}

/// The letters delivered.
fn text(seen: &[Seen]) -> String {
    seen.iter()
        .map(|seen| match seen {
            Seen::Datagram(0, Side::Initiator, payload, 0) => char::from(payload[0]),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn copies(wire: &Wire) -> u64 {
    wire.network.counts().skipped(Skip::DuplicateCopy)
}

#[test]
fn an_outgoing_and_an_incoming_copy_cancel_whichever_comes_first() {
    for (first, second) in [(OUT, IN), (IN, OUT)] {
        let mut wire = Wire::new(LinkType::LinuxCooked);
        let packets = [
            cooked(first, &ping(b'a')),
            cooked(second, &ping(b'a')),
            cooked(first, &ping(b'b')),
            cooked(second, &ping(b'b')),
        ];
        assert_eq!(text(&wire.push_all(&packets)), "ab");
        assert_eq!(copies(&wire), 2);
    }
}

#[test]
fn every_order_of_genuine_repeats_and_their_copies_keeps_the_repeats() {
    // Three times the same ping, each with its copy: every order of three
    // outgoing and three incoming packets.
    for order in 0_u32..64 {
        if order.count_ones() != 3 {
            continue;
        }
        let mut wire = Wire::new(LinkType::LinuxCooked);
        let packets: Vec<_> = (0..6)
            .map(|bit| cooked(if order >> bit & 1 == 1 { OUT } else { IN }, &ping(b'a')))
            .collect();
        assert_eq!(text(&wire.push_all(&packets)), "aaa", "{order:06b}");
        assert_eq!(copies(&wire), 3);
    }
}

#[test]
fn repeats_at_one_place_are_genuine() {
    let mut wire = Wire::new(LinkType::LinuxCooked);
    let packets = vec![cooked(IN, &ping(b'a')); 5];
    assert_eq!(text(&wire.push_all(&packets)), "aaaaa");
}

#[test]
fn a_repeat_much_later_is_genuine() {
    let mut wire = Wire::new(LinkType::LinuxCooked);
    wire.push(&cooked(OUT, &ping(b'a')));
    wire.wait_nanos(PLACES_NANOS + 1);
    assert_eq!(text(&wire.push(&cooked(IN, &ping(b'a')))), "a");
}

#[test]
fn a_packet_seen_on_many_interfaces_is_delivered_once() {
    let mut wire = Wire::new(LinkType::LinuxCooked2);
    let mut packets = Vec::new();
    for interface in 1..=6 {
        packets.push(cooked2(interface, IN, &ping(b'a')));
    }
    packets.push(cooked2(6, OUT, &ping(b'a')));
    assert_eq!(text(&wire.push_all(&packets)), "a");
    assert_eq!(copies(&wire), 6);
}

#[test]
fn copies_interleaved_with_many_other_packets_are_found() {
    let mut wire = Wire::new(LinkType::LinuxCooked);
    let mut packets: Vec<_> = (b'A'..b'A' + 50)
        .map(|letter| cooked(OUT, &ping(letter)))
        .collect();
    packets.extend((b'A'..b'A' + 50).map(|letter| cooked(IN, &ping(letter))));
    assert_eq!(text(&wire.push_all(&packets)).len(), 50);
}

#[test]
fn a_loopback_capture_with_copies_is_halved() {
    let mut wire = Wire::new(LinkType::Ethernet);
    let packets: Vec<_> = [b'a', b'b', b'b', b'c']
        .iter()
        .flat_map(|&letter| vec![loopback(&ping(letter)); 2])
        .collect();
    assert_eq!(text(&wire.push_all(&packets)), "abbc");
    assert_eq!(copies(&wire), 4);
}

#[test]
fn a_long_loopback_capture_with_copies_is_halved() {
    let mut wire = Wire::new(LinkType::Ethernet);
    let packets: Vec<_> = (0..200)
        .flat_map(|letter| vec![loopback(&ping(letter)); 2])
        .collect();
    assert_eq!(wire.push_all(&packets).len(), 200);
    assert_eq!(copies(&wire), 200);
}

#[test]
fn loopback_copies_are_recognised_only_soon_after() {
    let mut wire = Wire::new(LinkType::Ethernet);
    wire.push(&loopback(&ping(b'a')));
    wire.wait_nanos(LOOPBACK_NANOS + 1);
    assert_eq!(text(&wire.push(&loopback(&ping(b'a')))), "a");
    wire.wait_nanos(LOOPBACK_NANOS);
    assert_eq!(wire.push(&loopback(&ping(b'a'))), []);
}

#[test]
fn repeats_with_other_identifications_are_genuine() {
    let mut wire = Wire::new(LinkType::Ethernet);
    let packets = [loopback(&numbered(b'a', 1)), loopback(&numbered(b'a', 2))];
    assert_eq!(text(&wire.push_all(&packets)), "aa");
}

#[test]
fn repeats_in_a_loopback_capture_without_copies_are_genuine() {
    let mut wire = Wire::new(LinkType::Ethernet);
    for letter in b'a'..=b'h' {
        wire.push(&loopback(&ping(letter)));
        wire.wait_nanos(LOOPBACK_NANOS + 1);
    }
    let packets = vec![loopback(&ping(b'x')); 20];
    assert_eq!(text(&wire.push_all(&packets)), "x".repeat(20));
    assert_eq!(copies(&wire), 0);
}

#[test]
fn a_loopback_capture_that_begins_to_hold_copies_is_noticed() {
    let mut wire = Wire::new(LinkType::Ethernet);
    for letter in b'a'..=b'h' {
        wire.push(&loopback(&ping(letter)));
        wire.wait_nanos(LOOPBACK_NANOS + 1);
    }
    // As many identified packets as show it, each with its copy.
    wire.push_all(&vec![loopback(&numbered(b'x', 1)); 2]);
    wire.wait_nanos(LOOPBACK_NANOS + 1);
    let packets = vec![loopback(&numbered(b'y', 2)); 2];
    assert_eq!(text(&wire.push_all(&packets)), "y");
}

#[test]
fn a_packet_with_a_number_that_comes_again_at_once_is_a_copy_on_any_link() {
    let mut wire = Wire::new(LinkType::Ethernet);
    for identification in 1..=9 {
        let packet = ethernet(0x0800, &numbered(b'a', identification));
        assert_eq!(text(&wire.push_all(&vec![packet; 3])), "a");
        wire.wait_nanos(1_000_000);
    }
    assert_eq!(copies(&wire), 18);
}

#[test]
fn a_sender_that_repeats_itself_later_sends_two_messages() {
    for wait in [PLACE_NANOS + 1, 1_000_000_000, 3_600_000_000_000] {
        for identification in [0, 1] {
            let mut wire = Wire::new(LinkType::Ethernet);
            let packet = ethernet(0x0800, &numbered(b'a', identification));
            wire.push(&packet);
            wire.wait_nanos(wait);
            assert_eq!(text(&wire.push(&packet)), "a", "{wait} {identification}");
        }
    }
}

#[test]
fn a_routed_copy_has_other_addresses_and_fewer_hops_and_is_a_copy_with_or_without_a_number() {
    for identification in [0, 7] {
        let mut wire = Wire::new(LinkType::Ethernet);
        for letter in b'a'..=b'z' {
            let bare = numbered(letter, identification);
            let mut routed = bare.clone();
            routed[8] -= 1;
            let mut frame = ethernet(0x0800, &routed);
            frame[..12].copy_from_slice(&[9; 12]);
            assert_eq!(
                text(&wire.push(&ethernet(0x0800, &bare))),
                char::from(letter).to_string()
            );
            wire.wait_nanos(3_000_000);
            assert_eq!(wire.push(&frame), [], "{identification}");
            wire.wait_nanos(3_000_000);
        }
        assert_eq!(copies(&wire), 26);
    }
}

#[test]
fn copies_with_a_tag_or_in_a_tunnel_are_copies() {
    let mut wire = Wire::new(LinkType::Ethernet);
    for letter in b'a'..=b'z' {
        let bare = ping(letter);
        let tagged = [&[0, 5, 8, 0][..], &bare].concat();
        let tunnelled = ipv4([192, 0, 2, 1], [192, 0, 2, 2], 4, &bare);
        let packets = [
            ethernet(0x0800, &tunnelled),
            ethernet(0x0800, &bare),
            ethernet(0x8100, &tagged),
        ];
        assert_eq!(text(&wire.push_all(&packets)).len(), 1);
    }
    assert_eq!(copies(&wire), 52);
}

#[test]
fn copies_far_behind_are_found_once_the_capture_is_known_to_hold_some() {
    let mut wire = Wire::new(LinkType::Ethernet);
    let packet = |number: u16| ethernet(0x0800, &numbered(b'a', number));
    wire.push_all(&vec![packet(1); 2]);
    // All of a burst, and only then the copies of all of it.
    for burst in 0..4_u16 {
        let numbers = || (0..4_000).map(|number| 2 + burst * 4_000 + number);
        let sent: Vec<_> = numbers().map(packet).collect();
        assert_eq!(text(&wire.push_all(&sent)).len(), 4_000);
        let copied: Vec<_> = numbers()
            .map(|number| {
                let mut frame = packet(number);
                frame[0] = 9;
                frame
            })
            .collect();
        let missed = wire.push_all(&copied).len();
        assert!(
            missed <= if burst == 0 { 800 } else { 40 },
            "{burst}: {missed}"
        );
        wire.wait_nanos(PLACES_NANOS + 1);
    }
}

#[test]
fn one_number_for_all_packets_says_nothing_of_those_that_differ() {
    let mut wire = Wire::new(LinkType::Ethernet);
    let packets: Vec<_> = (b'a'..=b'z')
        .map(|letter| ethernet(0x0800, &numbered(letter, 1)))
        .collect();
    assert_eq!(text(&wire.push_all(&packets)).len(), 26);
    assert_eq!(copies(&wire), 0);
}

#[test]
fn copies_of_segments_are_counted_and_do_not_disturb_the_stream() {
    let mut wire = Wire::new(LinkType::LinuxCooked);
    let packets: Vec<_> = [
        client((99, 0), 2, b""),
        client((100, 0), 16, b"ab"),
        client((102, 0), 16, b"cd"),
    ]
    .iter()
    .flat_map(|packet| [cooked(OUT, packet), cooked(IN, packet)])
    .collect();
    let seen = wire.push_all(&packets);
    let bytes = |text: &[u8]| Seen::Bytes(0, Side::Initiator, text.to_vec(), Whole::Segment);
    assert_eq!(seen, [bytes(b"ab"), bytes(b"cd")]);
    assert_eq!(copies(&wire), 3);
    assert_eq!(wire.network.counts().streams.repeated_bytes, 0);
}

#[test]
fn neighbours_are_those_up_to_eight_packets_away_as_far_as_they_are_remembered() {
    for doubled in 0..u64::from(u64::BITS) {
        for back in (0..80).chain([u64::from(u32::MAX), u64::MAX]) {
            let expected = back < 56 && doubled <= back + 8 && doubled != back;
            assert_eq!(
                doubles(1 << doubled, back, 1_000),
                expected,
                "{doubled} {back}"
            );
        }
    }
}
