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
    wire.wait_nanos(COOKED_NANOS + 1);
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
fn other_links_hold_no_copies() {
    let mut wire = Wire::new(LinkType::Ethernet);
    let packets = vec![ethernet(0x0800, &ping(b'a')); 5];
    assert_eq!(text(&wire.push_all(&packets)), "aaaaa");
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
