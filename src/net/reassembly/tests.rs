use std::convert::Infallible;
use std::ops::Range;

use proptest::prelude::*;

use super::super::testing::{Seen, Whole, text_of};
use super::*;

const SIDE: Side = Side::Initiator;
const TEXT: &[u8] = b"abcdefghijklmnopqrstuvwxyz";

/// A stream whose first byte has this sequence number, fed by offsets.
struct Fed {
    stream: Stream,
    pool: Pool,
    first: u32,
    seen: Vec<Seen>,
}

impl Fed {
    /// A stream whose SYN was seen.
    fn from_syn(first: u32) -> Self {
        let mut fed = Self::in_mid_stream(first);
        fed.stream.begin_at(first);
        fed
    }

    fn in_mid_stream(first: u32) -> Self {
        let pool = Pool {
            stream_limit: 4 << 20,
            total_limit: 64 << 20,
            held: 0,
            counts: StreamCounts::default(),
        };
        Self {
            stream: Stream::new(SIDE),
            pool,
            first,
            seen: Vec::new(),
        }
    }

    fn step(&mut self, step: impl FnOnce(&mut Stream, &mut Pool, &mut Vec<Seen>)) {
        step(&mut self.stream, &mut self.pool, &mut self.seen);
    }

    fn cut(&mut self, offset: u32, payload: Captured<'_>, fin: bool) {
        let header = TcpHeader {
            sequence: self.first.wrapping_add(offset),
            fin,
            ..TcpHeader::default()
        };
        self.step(|stream, pool, seen| {
            let mut note = noting(seen);
            let Ok(()) = stream.segment(&header, payload, pool, &mut note);
            let Ok(()) = stream.packet_passed(pool, &mut note);
        });
    }

    fn data(&mut self, offset: u32, bytes: &[u8]) {
        self.cut(offset, Captured::new(bytes, 0), false);
    }

    /// Letters of [`TEXT`], at their place.
    fn letters(&mut self, range: Range<usize>) {
        let offset = u32::try_from(range.start).unwrap();
        self.data(offset, &TEXT[range]);
    }

    fn fin(&mut self, offset: u32) {
        self.cut(offset, Captured::default(), true);
    }

    /// A packet of the peer that acknowledges everything before this offset.
    fn acknowledge(&mut self, offset: u32) {
        let sequence = self.first.wrapping_add(offset);
        self.step(|stream, pool, seen| {
            stream.acknowledge(sequence);
            let Ok(()) = stream.packet_passed(pool, &mut noting(seen));
        });
    }

    fn finish(&mut self) {
        self.step(|stream, pool, seen| {
            let Ok(()) = stream.finish(StreamEnd::Forgotten, pool, &mut noting(seen));
        });
        assert_eq!(self.pool.held, 0, "nothing waits behind the end");
    }

    fn text(&self) -> String {
        text_of(&self.seen, SIDE)
    }

    fn take(&mut self) -> Vec<Seen> {
        mem::take(&mut self.seen)
    }
}

fn noting(seen: &mut Vec<Seen>) -> impl FnMut(Delivery<'_>) -> Result<(), Infallible> {
    |delivery| {
        seen.push(Seen::new(0, &delivery));
        Ok(())
    }
}

fn bytes(text: &str, whole: Whole) -> Seen {
    Seen::Bytes(0, SIDE, text.into(), whole)
}

fn gap(missing: u64) -> Seen {
    Seen::Gap(0, SIDE, Some(missing))
}

fn end(how: StreamEnd) -> Seen {
    Seen::End(0, SIDE, how)
}

/// Every order of `0..count`.
fn permutations(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![vec![]];
    }
    let mut all = Vec::new();
    for shorter in permutations(count - 1) {
        for at in 0..count {
            let mut longer = shorter.clone();
            longer.insert(at, count - 1);
            all.push(longer);
        }
    }
    all
}

#[test]
fn every_order_of_up_to_five_segments_gives_the_same_segments() {
    let cuts = [0, 1, 3, 4, 9, 12];
    for first in [0, 7, u32::MAX - 11, u32::MAX - 4, u32::MAX] {
        for count in 1..=5 {
            let segments: Vec<_> = (0..count).map(|n| cuts[n]..cuts[n + 1]).collect();
            let mut expected: Vec<_> = segments
                .iter()
                .map(|range| Seen::Bytes(0, SIDE, TEXT[range.clone()].to_vec(), Whole::Segment))
                .collect();
            expected.push(end(StreamEnd::Fin));
            for order in permutations(count) {
                for fin_after in 0..=count {
                    let mut fed = Fed::from_syn(first);
                    for (step, &n) in order.iter().enumerate() {
                        if step == fin_after {
                            fed.fin(u32::try_from(cuts[count]).unwrap());
                        }
                        fed.letters(segments[n].clone());
                    }
                    fed.fin(u32::try_from(cuts[count]).unwrap());
                    assert_eq!(fed.seen, expected, "{order:?}, first {first}");
                }
            }
        }
    }
}

#[test]
fn every_two_overlapping_ranges_give_each_byte_once() {
    for a in 0..6 {
        for b in a + 1..=6 {
            for c in 0..6 {
                for d in c + 1..=6 {
                    let mut fed = Fed::from_syn(u32::MAX - 2);
                    fed.letters(a..b);
                    fed.letters(c..d);
                    fed.letters(0..6);
                    fed.fin(6);
                    assert_eq!(fed.text(), "abcdef", "{a}..{b}, {c}..{d}");
                    assert_eq!(fed.seen.last(), Some(&end(StreamEnd::Fin)));
                }
            }
        }
    }
}

#[test]
fn a_retransmission_that_joins_segments_brings_only_what_is_new_and_not_as_a_segment() {
    let mut fed = Fed::from_syn(0);
    fed.letters(0..2);
    fed.letters(0..4);
    fed.letters(6..8);
    fed.letters(4..8);
    assert_eq!(
        fed.seen,
        [
            bytes("ab", Whole::Segment),
            bytes("cd", Whole::Part),
            bytes("ef", Whole::Part),
            bytes("gh", Whole::Segment),
        ]
    );
    assert_eq!(fed.pool.counts.repeated_bytes, 4);
}

#[test]
fn keep_alives_and_window_probes_add_nothing() {
    let mut fed = Fed::from_syn(0);
    fed.letters(0..4);
    fed.data(3, b"\0");
    fed.data(3, b"");
    fed.letters(4..5);
    fed.letters(4..8);
    assert_eq!(
        fed.seen,
        [
            bytes("abcd", Whole::Segment),
            bytes("e", Whole::Segment),
            bytes("fgh", Whole::Part),
        ]
    );
}

#[test]
fn a_hole_is_given_up_when_it_was_acknowledged_and_packets_passed() {
    let mut fed = Fed::from_syn(u32::MAX);
    fed.letters(0..2);
    fed.letters(5..7);
    fed.acknowledge(7);
    for packet in 1..PATIENCE {
        fed.acknowledge(7);
        assert_eq!(fed.text(), "ab", "after {packet} packets");
    }
    fed.acknowledge(7);
    assert_eq!(
        fed.seen,
        [
            bytes("ab", Whole::Segment),
            gap(3),
            bytes("fg", Whole::Segment)
        ]
    );
}

#[test]
fn an_acknowledgment_captured_before_what_it_acknowledges_makes_no_gap() {
    let mut fed = Fed::from_syn(0);
    fed.letters(0..2);
    fed.letters(5..7);
    fed.acknowledge(7);
    fed.acknowledge(7);
    fed.letters(2..5);
    assert_eq!(fed.text(), "abcdefg");
    assert_eq!(fed.pool.counts.gaps, 0);
}

#[test]
fn a_hole_that_was_not_acknowledged_is_waited_for() {
    let mut fed = Fed::from_syn(0);
    fed.letters(0..2);
    fed.letters(5..7);
    for _ in 0..100 {
        fed.acknowledge(2);
    }
    assert_eq!(fed.text(), "ab");
    fed.letters(2..5);
    assert_eq!(fed.text(), "abcdefg");
}

#[test]
fn all_holes_acknowledged_at_once_are_given_up_at_once() {
    let mut fed = Fed::from_syn(0);
    for at in [2, 4, 6, 8] {
        fed.letters(at..at + 1);
    }
    for _ in 0..=PATIENCE {
        fed.acknowledge(7);
    }
    assert_eq!(fed.text(), "??c?e?g", "the last hole is not acknowledged");
}

#[test]
fn missing_bytes_before_a_fin_are_a_gap() {
    let mut fed = Fed::from_syn(0);
    fed.letters(0..2);
    fed.fin(6);
    assert_eq!(fed.text(), "ab");
    for _ in 0..=PATIENCE {
        fed.acknowledge(7);
    }
    assert_eq!(
        fed.seen,
        [bytes("ab", Whole::Segment), gap(4), end(StreamEnd::Fin)]
    );
}

#[test]
fn bytes_that_only_an_acknowledgment_shows_are_a_gap_at_the_end() {
    for (acknowledged, expected) in [(2, "ab"), (3, "ab"), (4, "ab??"), (9, "ab???????")] {
        let mut fed = Fed::from_syn(0);
        fed.letters(0..2);
        fed.acknowledge(acknowledged);
        fed.finish();
        assert_eq!(fed.text(), expected);
        assert_eq!(fed.seen.last(), Some(&end(StreamEnd::Forgotten)));
    }
}

#[test]
fn data_behind_the_fin_is_not_part_of_the_stream() {
    let mut fed = Fed::from_syn(0);
    fed.fin(4);
    fed.letters(2..8);
    fed.letters(0..2);
    assert_eq!(
        fed.seen,
        [
            bytes("ab", Whole::Segment),
            bytes("cd", Whole::Part),
            end(StreamEnd::Fin)
        ]
    );
    fed.letters(4..6);
    fed.finish();
    assert_eq!(fed.seen.len(), 3, "nothing comes behind the end");
    assert_eq!(fed.pool.counts.late_segments, 1);
}

#[test]
fn a_fin_before_data_that_waits_is_not_believed() {
    for fin in 0..8 {
        let mut fed = Fed::from_syn(0);
        fed.letters(4..8);
        fed.fin(fin);
        fed.letters(0..4);
        assert_eq!(fed.text(), "abcdefgh", "FIN at {fin}");
        fed.fin(8);
        assert_eq!(fed.seen.last(), Some(&end(StreamEnd::Fin)));
    }
}

#[test]
fn a_start_in_mid_stream_waits_for_the_first_segments_to_be_in_order() {
    for order in permutations(3) {
        let mut fed = Fed::in_mid_stream(u32::MAX - 1);
        for n in order {
            assert_eq!(fed.seen, []);
            fed.letters(n * 2..n * 2 + 2);
        }
        assert_eq!(
            fed.take(),
            [
                Seen::Gap(0, SIDE, None),
                bytes("ab", Whole::Segment),
                bytes("cd", Whole::Segment),
                bytes("ef", Whole::Segment),
            ]
        );
        fed.letters(6..8);
        assert_eq!(fed.seen, [bytes("gh", Whole::Segment)]);
    }
}

#[test]
fn a_start_in_mid_stream_waits_for_nothing_that_the_peer_acknowledged() {
    let mut early = Fed::in_mid_stream(5);
    early.acknowledge(0);
    early.letters(0..2);
    let mut late = Fed::in_mid_stream(5);
    late.letters(0..2);
    assert_eq!(late.seen, []);
    late.acknowledge(2);
    for fed in [early, late] {
        assert_eq!(
            fed.seen,
            [Seen::Gap(0, SIDE, None), bytes("ab", Whole::Segment)]
        );
    }
}

#[test]
fn a_start_in_mid_stream_that_waits_is_delivered_at_the_end() {
    let mut fed = Fed::in_mid_stream(0);
    fed.letters(4..6);
    fed.letters(0..2);
    fed.finish();
    assert_eq!(
        fed.seen,
        [
            Seen::Gap(0, SIDE, None),
            bytes("ab", Whole::Segment),
            gap(2),
            bytes("ef", Whole::Segment),
            end(StreamEnd::Forgotten),
        ]
    );
}

#[test]
fn a_syn_behind_its_data_makes_a_proper_start() {
    let mut fed = Fed::in_mid_stream(0);
    fed.letters(2..4);
    assert!(fed.stream.may_begin_at(0));
    assert!(!fed.stream.may_begin_at(3));
    fed.stream.begin_at(0);
    fed.letters(0..2);
    assert_eq!(
        fed.seen,
        [bytes("ab", Whole::Segment), bytes("cd", Whole::Segment)]
    );
}

#[test]
fn a_fin_alone_in_mid_stream_is_no_gap() {
    let mut fed = Fed::in_mid_stream(0);
    fed.fin(0);
    fed.finish();
    assert_eq!(fed.seen, [end(StreamEnd::Fin)]);
}

#[test]
fn a_segment_far_away_does_not_move_the_stream() {
    let window = u32::try_from(WINDOW).unwrap();
    for far in [window + 3, 1 << 30, 1 << 31, u32::MAX - window] {
        let mut fed = Fed::from_syn(77);
        fed.letters(0..2);
        fed.data(far, b"evil");
        fed.letters(2..4);
        fed.finish();
        assert_eq!(fed.text(), "abcd", "distance {far}");
        assert_eq!(fed.pool.counts.far_segments, 1);
    }
}

#[test]
fn a_segment_is_far_away_only_beyond_the_window() {
    let window = u32::try_from(WINDOW).unwrap();
    for (distance, far_segments) in [(window, 0), (window + 1, 1)] {
        let mut fed = Fed::from_syn(77);
        fed.letters(0..2);
        fed.data(2 + distance, b"x");
        assert_eq!(fed.pool.counts.far_segments, far_segments, "{distance}");
    }
}

#[test]
fn segments_far_away_from_each_other_do_not_move_the_stream() {
    let mut fed = Fed::from_syn(77);
    fed.letters(0..2);
    for far in [1 << 30, 1 << 31, 3 << 29, 1 << 30, 5 << 28] {
        fed.data(far, b"evil");
    }
    fed.letters(2..4);
    let expected = [bytes("ab", Whole::Segment), bytes("cd", Whole::Segment)];
    assert_eq!(fed.seen, expected);
}

#[test]
fn segments_that_continue_each_other_far_away_move_the_stream() {
    let far = 1 << 30;
    let mut fed = Fed::from_syn(u32::MAX - 9);
    fed.letters(0..2);
    fed.letters(4..5);
    fed.data(far, b"12");
    fed.data(far + 2, b"34");
    assert_eq!(fed.text(), "ab");
    fed.data(far + 4, b"56");
    fed.data(far + 6, b"78");
    let lost = u64::from(far) + 4 - 5;
    assert_eq!(
        fed.seen,
        [
            bytes("ab", Whole::Segment),
            gap(2),
            bytes("e", Whole::Segment),
            gap(lost),
            bytes("56", Whole::Segment),
            bytes("78", Whole::Segment),
        ]
    );
}

#[test]
fn what_waits_is_bounded_and_given_up_in_order() {
    let mut fed = Fed::from_syn(0);
    fed.pool.stream_limit = 10 * (1 + HELD_OVERHEAD);
    for at in 1..=10 {
        fed.letters(at * 2..at * 2 + 1);
        assert_eq!(fed.text(), "");
    }
    fed.letters(22..23);
    assert_eq!(fed.text(), "??c");
    assert_eq!(fed.pool.counts.forced_gaps, 1);
    fed.pool.total_limit = 5 * (1 + HELD_OVERHEAD);
    fed.letters(24..25);
    assert_eq!(fed.text(), "??c?e?g?i?k?m?o");
    assert!(fed.pool.held <= fed.pool.total_limit);
    fed.finish();
    assert_eq!(fed.text(), "??c?e?g?i?k?m?o?q?s?u?w?y");
}

#[test]
fn disorder_takes_memory_and_waiting_segments_take_more() {
    let mut fed = Fed::from_syn(100);
    fed.letters(0..2);
    assert_eq!(fed.stream.held_bytes(), 0);
    fed.letters(4..6);
    let waiting = fed.stream.held_bytes();
    assert_eq!(waiting, size_of::<Disorder>() + LEAF_BYTES);
    assert!(LEAF_BYTES > 11 * size_of::<Held>());
    fed.letters(2..4);
    assert_eq!(fed.text(), "abcdef");
    assert_eq!(fed.stream.held_bytes(), size_of::<Disorder>());
}

#[test]
fn a_cut_segment_that_waited_is_told_when_its_turn_comes() {
    let mut fed = Fed::from_syn(0);
    fed.cut(2, Captured::new(b"c", 3), false);
    fed.letters(6..8);
    fed.letters(0..2);
    assert_eq!(
        fed.seen,
        [
            bytes("ab", Whole::Segment),
            bytes("c", Whole::Segment),
            Seen::Cut(0, SIDE, 3),
            bytes("gh", Whole::Segment),
        ]
    );
}

#[test]
fn a_segment_cut_to_its_header_has_no_bytes() {
    let mut fed = Fed::from_syn(0);
    fed.cut(0, Captured::new(b"", 3), false);
    fed.letters(3..5);
    assert_eq!(
        fed.seen,
        [Seen::Cut(0, SIDE, 3), bytes("de", Whole::Segment)]
    );
}

/// A first sequence number, often such that the stream wraps.
fn first_sequence() -> impl Strategy<Value = u32> {
    prop_oneof![any::<u32>(), (u32::MAX - 300)..=u32::MAX]
}

/// Ranges within 300 bytes.
fn ranges() -> impl Strategy<Value = Vec<(usize, usize)>> {
    prop::collection::vec((0_usize..300, 1_usize..60), 0..40)
}

proptest! {
    #[test]
    fn any_segments_give_what_they_cover_and_gaps_elsewhere(
        first in first_sequence(),
        segments in ranges(),
        letters in any::<u8>(),
    ) {
        // Each segment has its own letter, so that overlaps disagree: the first wins.
        let mut expected = vec![b'?'; 360];
        let mut fed = Fed::from_syn(first);
        fed.fin(360);
        for (n, &(start, length)) in segments.iter().enumerate() {
            let letter = b'A' + (u8::try_from(n).unwrap().wrapping_add(letters) % 26);
            for byte in &mut expected[start..start + length] {
                if *byte == b'?' {
                    *byte = letter;
                }
            }
            fed.data(u32::try_from(start).unwrap(), &vec![letter; length]);
        }
        fed.finish();
        prop_assert_eq!(fed.text(), String::from_utf8(expected).unwrap());
        prop_assert_eq!(fed.seen.last(), Some(&end(StreamEnd::Fin)));
    }

    #[test]
    fn a_stream_cut_permuted_duplicated_and_overlapping_comes_out_whole(
        first in first_sequence(),
        text in prop::collection::vec(b'a'..=b'z', 1..300),
        cuts in prop::collection::vec(0_usize..300, 0..20),
        extra in ranges(),
        order in prop::collection::vec(any::<u32>(), 70),
    ) {
        let length = text.len();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % length).collect();
        cuts.extend([0, length]);
        cuts.sort_unstable();
        let cover = cuts.windows(2).map(|pair| (pair[0], pair[1]));
        let extra = extra.iter().map(|&(start, size)| {
            (start.min(length), (start + size).min(length))
        });
        let mut segments: Vec<_> = cover.chain(extra).zip(order).collect();
        segments.sort_by_key(|&(_, order)| order);
        let mut fed = Fed::from_syn(first);
        for ((start, end), _) in segments {
            fed.data(u32::try_from(start).unwrap(), &text[start..end]);
        }
        fed.fin(u32::try_from(length).unwrap());
        prop_assert_eq!(fed.text(), String::from_utf8(text).unwrap());
        prop_assert_eq!(fed.seen.last(), Some(&end(StreamEnd::Fin)));
        prop_assert_eq!(fed.pool.held, 0);
    }
}
