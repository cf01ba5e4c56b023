use std::ops::Range;
use std::time::Duration;

use super::super::testing::*;
use super::super::{NetworkCounts, Side};
use super::*;
use crate::capture::LinkType;

/// A UDP datagram of four units of eight bytes; behind its header, units of
/// this letter.
fn datagram(letter: u8) -> Vec<u8> {
    udp(&[letter; 24])
}

/// Some units of a datagram of four.
fn fragment4(identification: u16, units: Range<usize>, letter: u8) -> Vec<u8> {
    let more = if units.end == 4 { 0 } else { 0x2000 };
    let place = more | u16::try_from(units.start).unwrap();
    let bytes = &datagram(letter)[units.start * 8..units.end * 8];
    ipv4_fragment(CLIENT, SERVER, UDP, identification, place, bytes)
}

fn fragment6(identification: u32, units: Range<usize>, letter: u8) -> Vec<u8> {
    let more = u16::from(units.end != 4);
    let place = u16::try_from(units.start * 8).unwrap() | more;
    let mut payload = vec![UDP, 0];
    payload.extend(place.to_be_bytes());
    payload.extend(identification.to_be_bytes());
    payload.extend(&datagram(letter)[units.start * 8..units.end * 8]);
    ipv6(44, &payload)
}

fn whole(payload: &[u8]) -> Vec<Seen> {
    vec![Seen::Datagram(0, Side::Initiator, payload.to_vec(), 0)]
}

fn lost(wire: &mut Wire) -> Vec<LostDatagram> {
    std::iter::from_fn(|| wire.decoder.next_lost_datagram()).collect()
}

fn counts(wire: &Wire) -> NetworkCounts {
    wire.network.counts()
}

/// Every range of units.
fn ranges() -> Vec<Range<usize>> {
    (0..4)
        .flat_map(|start| (start + 1..=4).map(move |end| start..end))
        // The whole datagram is no fragment.
        .filter(|range| *range != (0..4))
        .collect()
}

/// Every sequence of one to four ranges.
fn sequences() -> Vec<Vec<Range<usize>>> {
    let mut all = vec![vec![]];
    let mut longest: Vec<Vec<Range<usize>>> = vec![vec![]];
    for _ in 0..4 {
        longest = longest
            .iter()
            .flat_map(|sequence| {
                ranges()
                    .into_iter()
                    .map(move |range| [sequence.clone(), vec![range]].concat())
            })
            .collect();
        all.extend(longest.clone());
    }
    all
}

#[test]
fn ipv4_fragments_in_every_order_and_overlap_give_the_bytes_seen_first() {
    for sequence in sequences() {
        let mut wire = Wire::new(LinkType::RawIp);
        let mut units: [Option<u8>; 4] = [None; 4];
        for (range, letter) in sequence.iter().zip(b'a'..) {
            for unit in &mut units[range.clone()] {
                unit.get_or_insert(letter);
            }
            let seen = wire.push(&fragment4(7, range.clone(), letter));
            let [Some(_), Some(b), Some(c), Some(d)] = units else {
                assert_eq!(seen, [], "{sequence:?}");
                continue;
            };
            let expected = [[b; 8], [c; 8], [d; 8]].concat();
            assert_eq!(seen, whole(&expected), "{sequence:?}");
            break;
        }
    }
}

#[test]
fn ipv6_fragments_in_every_order_complete_unless_they_overlap() {
    for sequence in sequences() {
        let mut wire = Wire::new(LinkType::RawIp);
        let mut fresh: Vec<Range<usize>> = Vec::new();
        let mut is_refused = false;
        for range in &sequence {
            if !fresh.contains(range) {
                is_refused |= fresh
                    .iter()
                    .any(|other| other.start < range.end && range.start < other.end);
                fresh.push(range.clone());
            }
            let is_whole = fresh.iter().map(ExactSizeIterator::len).sum::<usize>() == 4;
            let seen = wire.push(&fragment6(7, range.clone(), b'x'));
            if is_whole && !is_refused {
                assert_eq!(seen, whole(&[b'x'; 24]), "{sequence:?}");
                break;
            }
            assert_eq!(seen, [], "{sequence:?}");
        }
        assert_eq!(wire.decoder.lost_datagram_count(), u64::from(is_refused));
        let reasons: Vec<_> = lost(&mut wire).iter().map(|lost| lost.reason).collect();
        assert_eq!(reasons, vec![LossReason::Overlap; usize::from(is_refused)]);
    }
}

#[test]
fn ipv6_fragments_of_a_refused_datagram_are_told_once() {
    let mut wire = Wire::new(LinkType::RawIp);
    for range in [0..2, 1..3, 0..2, 2..4, 0..2, 2..4] {
        assert_eq!(wire.push(&fragment6(7, range, b'x')), []);
    }
    wire.finish();
    assert_eq!(lost(&mut wire).len(), 1);
}

#[test]
fn ipv6_fragments_that_overlap_with_other_bytes_are_refused() {
    let mut wire = Wire::new(LinkType::RawIp);
    wire.push(&fragment6(7, 1..2, b'x'));
    wire.push(&fragment6(7, 1..2, b'y'));
    assert_eq!(lost(&mut wire)[0].reason, LossReason::Overlap);
}

#[test]
fn datagrams_are_told_apart_by_every_part_of_their_name() {
    let mut wire = Wire::new(LinkType::RawIp);
    let bytes = datagram(b'x');
    let first = |source, destination, protocol, identification| {
        ipv4_fragment(
            source,
            destination,
            protocol,
            identification,
            0x2000,
            &bytes[..8],
        )
    };
    wire.push(&first(CLIENT, SERVER, TCP, 7));
    wire.push(&first(SERVER, CLIENT, UDP, 7));
    wire.push(&first(CLIENT, CLIENT, UDP, 7));
    wire.push(&first(CLIENT, SERVER, UDP, 8));
    assert_eq!(wire.push(&fragment4(7, 1..4, b'x')), []);
    assert_eq!(wire.push(&fragment4(7, 0..1, b'x')), whole(&[b'x'; 24]));
    wire.finish();
    assert_eq!(lost(&mut wire).len(), 4);
}

#[test]
fn fragments_that_contradict_the_length_are_refused_and_the_others_complete() {
    let mut wire = Wire::new(LinkType::RawIp);
    wire.push(&fragment4(7, 2..4, b'x'));
    let bytes = [b'y'; 16];
    for place in [0x2004, 0x0003, 0x0001, 0x2003] {
        let wrong = ipv4_fragment(CLIENT, SERVER, UDP, 7, place, &bytes);
        assert_eq!(wire.push(&wrong), []);
    }
    assert_eq!(counts(&wire).skipped(Skip::BadHeader), 4);
    assert_eq!(wire.push(&fragment4(7, 0..2, b'x')), whole(&[b'x'; 24]));
}

#[test]
fn a_last_fragment_before_others_is_refused() {
    let mut wire = Wire::new(LinkType::RawIp);
    wire.push(&fragment4(7, 2..3, b'x'));
    let last = ipv4_fragment(CLIENT, SERVER, UDP, 7, 1, &[b'y'; 8]);
    wire.push(&last);
    assert_eq!(counts(&wire).skipped(Skip::BadHeader), 1);
}

#[test]
fn fragments_that_no_datagram_has_are_damaged() {
    for (place, length) in [(0x2000, 0), (0x0001, 0), (0x2000, 9), (0x1fff, 16)] {
        let mut wire = Wire::new(LinkType::RawIp);
        wire.push(&ipv4_fragment(
            CLIENT,
            SERVER,
            UDP,
            7,
            place,
            &vec![0; length],
        ));
        assert_eq!(counts(&wire).skipped(Skip::BadHeader), 1, "{place:x}");
        wire.finish();
        assert_eq!(lost(&mut wire), []);
    }
}

#[test]
fn fragments_of_other_protocols_do_not_wait() {
    let mut wire = Wire::new(LinkType::RawIp);
    wire.push(&ipv4_fragment(CLIENT, SERVER, 1, 7, 0x2000, &[0; 8]));
    assert_eq!(counts(&wire).skipped(Skip::NotTransport), 1);
    wire.finish();
    assert_eq!(lost(&mut wire), []);
}

#[test]
fn a_late_copy_of_a_fragment_is_no_loss() {
    let mut wire = Wire::new(LinkType::RawIp);
    for range in [0..2, 2..4, 2..4] {
        wire.push(&fragment4(7, range, b'x'));
    }
    wire.finish();
    assert_eq!(counts(&wire).datagrams, 1);
    assert_eq!(lost(&mut wire), []);
}

/// Where each packet is captured twice, the last fragment comes once more behind the datagram.
#[test]
fn late_copies_are_no_loss_however_many_datagrams_come_behind_them() {
    let doubled = [0..1, 0..1, 1..3, 1..3, 3..4, 3..4];
    let mut wire = Wire::new(LinkType::RawIp);
    // Equal datagrams of IPv6 would be copies themselves.
    for letter in 0..250 {
        for range in doubled.clone() {
            wire.push(&fragment4(letter.into(), range.clone(), letter));
            wire.push(&fragment6(letter.into(), range, letter));
        }
    }
    wire.finish();
    assert_eq!(counts(&wire).datagrams, 500);
    assert_eq!(lost(&mut wire), []);
    assert_eq!(wire.decoder.lost_datagram_count(), 0);
}

/// A sender that begins its numbers anew, or has only one.
#[test]
fn a_datagram_that_has_the_number_of_one_before_it_is_whole_all_the_same() {
    let mut wire = Wire::new(LinkType::RawIp);
    for letter in [b'x', b'y', b'z'] {
        assert_eq!(wire.push(&fragment4(7, 0..2, letter)), []);
        let seen = wire.push(&fragment4(7, 2..4, letter));
        assert_eq!(seen, whole(&[letter; 24]));
    }
}

#[test]
fn a_cut_fragment_ends_what_is_known_of_the_datagram() {
    let mut wire = Wire::new(LinkType::RawIp);
    let first = fragment4(7, 0..2, b'x');
    assert_eq!(wire.push(&fragment4(7, 2..4, b'y')), []);
    assert_eq!(
        wire.push_cut(&first, first.len() - 3),
        [Seen::Datagram(0, Side::Initiator, vec![b'x'; 5], 19)]
    );
}

#[test]
fn the_number_the_bytes_and_the_age_of_what_waits_are_bounded() {
    let limits = NetworkLimits {
        fragmented_datagrams: 4,
        ..NetworkLimits::default()
    };
    let mut wire = Wire::with_limits(LinkType::RawIp, limits);
    let mut crowded = Vec::new();
    for identification in 0..10 {
        wire.push(&fragment4(identification, 0..1, b'x'));
        crowded.extend(lost(&mut wire));
    }
    assert_eq!(crowded.len(), 6);
    assert!(
        crowded
            .iter()
            .all(|lost| lost.reason == LossReason::Crowded)
    );
    let packets: Vec<_> = crowded.iter().map(|lost| lost.arrival.packet).collect();
    assert_eq!(packets, [1, 2, 3, 4, 5, 6], "the oldest leave first");
    assert_eq!(wire.push(&fragment4(9, 1..4, b'x')), whole(&[b'x'; 24]));

    let limits = NetworkLimits {
        fragment_bytes: 10 * (8 + PIECE_OVERHEAD),
        fragment_age: Duration::from_millis(1),
        ..NetworkLimits::default()
    };
    let mut wire = Wire::with_limits(LinkType::RawIp, limits);
    for identification in 0..15 {
        wire.push(&fragment4(identification, 0..1, b'x'));
    }
    assert_eq!(lost(&mut wire).len(), 5);
    wire.wait_nanos(1_000_001);
    wire.push(&[]);
    let expired = lost(&mut wire);
    assert_eq!(expired.len(), 10);
    assert!(
        expired
            .iter()
            .all(|lost| lost.reason == LossReason::Expired)
    );
}

#[test]
fn losses_that_nobody_asks_for_are_counted_but_not_kept() {
    let limits = NetworkLimits {
        fragmented_datagrams: 4,
        ..NetworkLimits::default()
    };
    let mut wire = Wire::with_limits(LinkType::RawIp, limits);
    for identification in 0..100 {
        wire.push(&fragment4(identification, 0..1, b'x'));
    }
    wire.finish();
    assert_eq!(wire.decoder.lost_datagram_count(), 100);
    assert_eq!(lost(&mut wire).len(), 5);
}

#[test]
fn a_loss_behind_extension_headers_tells_its_ports() {
    let mut wire = Wire::new(LinkType::RawIp);
    let mut payload = vec![60, 0, 0, 1, 0, 0, 0, 7];
    payload.extend([UDP, 0, 0, 0, 0, 0, 0, 0]);
    payload.extend(&datagram(b'x')[..8]);
    wire.push(&ipv6(44, &payload));
    wire.finish();
    let lost = lost(&mut wire)[0];
    assert_eq!(lost.transport, Some(Transport::Udp));
    assert_eq!(lost.ports, Some((1000, 2000)));
    assert_eq!(lost.reason, LossReason::CaptureEnd);
    assert_eq!((lost.received_bytes, lost.total_bytes), (16, None));
}
