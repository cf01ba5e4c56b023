use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::carrier::Problem;
use crate::wire::looks_like_message;

/// An [`Item`] that outlives the call.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Message(Vec<u8>),
    Shortened(Vec<u8>, u64),
    Problem(Problem),
}

use Seen::{Message, Problem as Trouble, Shortened};

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Bytes(&'a [u8]),
    Gap(Option<u64>),
    Cut(u64),
}

fn run(prefix: Prefix, steps: &[Step<'_>]) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut decoder = Decoder::new(prefix, looks_like_message);
    let mut emit = keep(&mut seen);
    for step in steps {
        let Ok(()) = match step {
            Step::Bytes(bytes) => decoder.push(bytes, &mut emit),
            Step::Gap(missing) => decoder.gap(*missing, &mut emit),
            Step::Cut(missing) => decoder.cut(*missing, &mut emit),
        };
    }
    let Ok(()) = decoder.finish(&mut emit);
    drop(emit);
    seen
}

fn stream(prefix: Prefix, messages: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        encode_prefix(prefix, message.len(), &mut bytes).unwrap();
        bytes.extend_from_slice(message);
    }
    bytes
}

/// SYN, ACK, data both short and long, a ping, an unknown type, a close.
fn conversation() -> Vec<Vec<u8>> {
    let mut syn = vec![0xa1, 0x11, 0x11, 0x11];
    syn.extend((0..384_u32).map(|i| u8::try_from(i * 7 % 251).unwrap()));
    syn.extend_from_slice(&[0, 0, 0]);
    let mut long = vec![0xa0, 0xff, 0xff, 0xff];
    long.extend(b"GET / HTTP/1.0\r\n".repeat(20));
    vec![
        syn,
        vec![0x51, 0x11, 0x11, 0x11, 0xff, 0xff, 0xff],
        long,
        vec![0xff],
        vec![0x50, 0x11, 0x11, 0x11, b'o', b'k'],
        vec![0x53, 0x11, 0x11, 0x11, 1, 2],
        vec![0x50, 0x11, 0x11, 0x11],
        vec![0x52, 0x11, 0x11, 0x11],
    ]
}

fn messages(messages: &[Vec<u8>]) -> Vec<Seen> {
    messages.iter().cloned().map(Message).collect()
}

const BOTH: [Prefix; 2] = [Prefix::U32, Prefix::U16];

#[test]
fn prefixes_stand_big_endian_before_their_message() {
    let mut out = Vec::new();
    encode_prefix(Prefix::U32, 0x0102, &mut out).unwrap();
    encode_prefix(Prefix::U16, 0x0102, &mut out).unwrap();
    encode_prefix(Prefix::U16, 65_535, &mut out).unwrap();
    assert_eq!(out, [0, 0, 1, 2, 1, 2, 0xff, 0xff]);
}

#[test]
fn messages_that_no_receiver_accepts_are_not_encoded() {
    for (prefix, bytes) in [
        (Prefix::U32, 0),
        (Prefix::U16, 0),
        (Prefix::U32, MAX_PREFIXED_BYTES + 1),
        (Prefix::U16, 65_536),
        (Prefix::U32, usize::MAX),
    ] {
        let mut out = Vec::new();
        let error = encode_prefix(prefix, bytes, &mut out).unwrap_err();
        assert_eq!((error.message_bytes, out.len()), (bytes, 0));
    }
}

#[test]
fn every_split_in_two_gives_the_same_messages() {
    for prefix in BOTH {
        let bytes = stream(prefix, &conversation());
        for at in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(at);
            let seen = run(prefix, &[Step::Bytes(head), Step::Bytes(tail)]);
            assert_eq!(seen, messages(&conversation()), "{prefix:?} at {at}");
        }
    }
}

#[test]
fn every_cut_gives_the_messages_before_it_and_tells_of_the_incomplete_one() {
    for prefix in BOTH {
        let all = conversation();
        let bytes = stream(prefix, &all);
        let mut ends = vec![0];
        for message in &all {
            ends.push(ends.last().unwrap() + prefix.bytes() + message.len());
        }
        for cut in 0..=bytes.len() {
            let whole = ends.iter().filter(|end| **end <= cut).count() - 1;
            let mut expected = messages(&all[..whole]);
            let present = cut - ends[whole];
            if present > 0 {
                expected.push(Trouble(Problem::Incomplete {
                    offset: ends[whole] as u64,
                    frame_bytes: (present >= prefix.bytes())
                        .then(|| (prefix.bytes() + all[whole].len()) as u64),
                    present_bytes: present as u64,
                }));
            }
            let seen = run(prefix, &[Step::Bytes(&bytes[..cut])]);
            assert_eq!(seen, expected, "{prefix:?} cut at {cut}");
        }
    }
}

#[test]
fn lengths_that_no_message_has_are_told_once_and_the_place_is_found_again() {
    for length in [0_u32, 0x0001_0001, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff] {
        let before = stream(Prefix::U32, &conversation()[..2]);
        let mut bytes = before.clone();
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(b"not a message at all");
        bytes.extend(stream(Prefix::U32, &conversation()[..3]));
        let mut expected = messages(&conversation()[..2]);
        expected.push(Trouble(Problem::BadPrefix {
            offset: before.len() as u64,
            value: u64::from(length),
        }));
        expected.push(Trouble(Problem::Skipped {
            offset: before.len() as u64,
            bytes: 24,
        }));
        expected.extend(messages(&conversation()[..3]));
        assert_eq!(
            run(Prefix::U32, &[Step::Bytes(&bytes)]),
            expected,
            "{length:#x}"
        );
    }
}

#[test]
fn a_length_of_zero_behind_two_bytes_is_told_and_the_place_is_found_again() {
    let mut bytes = vec![0, 0, 9, 9, 9];
    bytes.extend(stream(Prefix::U16, &conversation()[..5]));
    let mut expected = vec![
        Trouble(Problem::BadPrefix {
            offset: 0,
            value: 0,
        }),
        // The first message of the proof is not believed.
        Trouble(Problem::Skipped {
            offset: 0,
            bytes: 5 + 2 + 391,
        }),
    ];
    expected.extend(messages(&conversation()[1..5]));
    assert_eq!(run(Prefix::U16, &[Step::Bytes(&bytes)]), expected);
}

#[test]
fn the_longest_message_passes_and_one_byte_more_is_a_bad_prefix() {
    for (prefix, most) in [(Prefix::U32, MAX_PREFIXED_BYTES), (Prefix::U16, 65_535)] {
        let message = vec![0xa0; most];
        let bytes = stream(prefix, &[message.clone(), vec![0xff]]);
        let chunks: Vec<_> = bytes.chunks(1460).map(Step::Bytes).collect();
        let expected = vec![Message(message), Message(vec![0xff])];
        assert_eq!(run(prefix, &chunks), expected);
    }
    let seen = run(Prefix::U32, &[Step::Bytes(&[0, 1, 0, 1, 0xa0])]);
    assert_eq!(
        seen[0],
        Trouble(Problem::BadPrefix {
            offset: 0,
            value: 65_537
        })
    );
}

#[test]
fn a_known_gap_inside_a_message_costs_that_message_only() {
    for prefix in BOTH {
        let all = conversation();
        let bytes = stream(prefix, &all);
        let begin = prefix.bytes() + 391 + prefix.bytes() + 7;
        let long = prefix.bytes() + all[2].len();
        for from in prefix.bytes()..long {
            let missing = long - from;
            for missing in [1, missing.div_ceil(2), missing] {
                let seen = run(
                    prefix,
                    &[
                        Step::Bytes(&bytes[..begin + from]),
                        Step::Gap(Some(missing as u64)),
                        Step::Bytes(&bytes[begin + from + missing..]),
                    ],
                );
                let mut expected = messages(&all);
                expected[2] = Trouble(Problem::Incomplete {
                    offset: begin as u64,
                    frame_bytes: Some(long as u64),
                    present_bytes: from as u64,
                });
                assert_eq!(seen, expected, "{prefix:?}: {missing} missing from {from}");
            }
        }
    }
}

#[test]
fn several_gaps_inside_one_message_are_told_once() {
    let all = conversation();
    let bytes = stream(Prefix::U32, &all);
    let seen = run(
        Prefix::U32,
        &[
            Step::Bytes(&bytes[..100]),
            Step::Gap(Some(50)),
            Step::Bytes(&bytes[150..200]),
            Step::Gap(Some(195)),
            Step::Bytes(&bytes[395..]),
        ],
    );
    let mut expected = messages(&all);
    expected[0] = Trouble(Problem::Incomplete {
        offset: 0,
        frame_bytes: Some(395),
        present_bytes: 100,
    });
    assert_eq!(seen, expected);
}

#[test]
fn a_stream_that_begins_anywhere_gives_its_later_messages() {
    for prefix in BOTH {
        let mut all = conversation();
        // An unknown type ends every run of plausible messages.
        all.remove(5);
        let bytes = stream(prefix, &all);
        let mut ends = vec![0];
        for message in &all {
            ends.push(ends.last().unwrap() + prefix.bytes() + message.len());
        }
        for start in 1..ends[3] {
            let seen = run(prefix, &[Step::Gap(None), Step::Bytes(&bytes[start..])]);
            let next = ends.iter().position(|end| *end >= start).unwrap();
            let first = match (prefix, ends[next] == start) {
                (Prefix::U32, _) | (Prefix::U16, true) => next,
                // The first message of a proof is not believed.
                (Prefix::U16, false) => next + 1,
            };
            let mut expected = messages(&all[first..]);
            if ends[first] > start {
                expected.insert(
                    0,
                    Trouble(Problem::Skipped {
                        offset: 0,
                        bytes: (ends[first] - start) as u64,
                    }),
                );
            }
            assert_eq!(seen, expected, "{prefix:?} from {start}");
        }
    }
}

#[test]
fn a_single_message_to_the_end_is_enough_behind_four_bytes_and_two_bytes_need_more() {
    let close = vec![vec![0x52, 9, 9, 9]];
    let mut bytes = b"tail of something".to_vec();
    bytes.extend(stream(Prefix::U32, &close));
    let seen = run(Prefix::U32, &[Step::Gap(None), Step::Bytes(&bytes)]);
    assert_eq!(seen[1..], messages(&close));

    let mut bytes = b"tail of something".to_vec();
    bytes.extend(stream(Prefix::U16, &close));
    let seen = run(Prefix::U16, &[Step::Gap(None), Step::Bytes(&bytes)]);
    let all_skipped = Problem::Skipped {
        offset: 0,
        bytes: 23,
    };
    assert_eq!(seen, [Trouble(all_skipped)]);
}

#[test]
fn bytes_skipped_around_several_gaps_are_told_once_with_their_sum() {
    let mut bytes = stream(Prefix::U32, &conversation()[..1]);
    bytes.extend_from_slice(&[0, 0]);
    let seen = run(
        Prefix::U32,
        &[
            Step::Bytes(&bytes),
            Step::Gap(Some(10)),
            Step::Bytes(b"abc"),
            Step::Gap(None),
            Step::Bytes(b"defg"),
        ],
    );
    let mut expected = messages(&conversation()[..1]);
    expected.push(Trouble(Problem::Incomplete {
        offset: 395,
        frame_bytes: None,
        present_bytes: 2,
    }));
    expected.push(Trouble(Problem::Skipped {
        offset: 407,
        bytes: 7,
    }));
    assert_eq!(seen, expected);
}

#[test]
fn what_is_skipped_begins_behind_gaps_without_bytes_between_them() {
    let steps = [
        Step::Gap(Some(10)),
        Step::Gap(Some(20)),
        Step::Bytes(b"abc"),
    ];
    let skipped = Problem::Skipped {
        offset: 30,
        bytes: 3,
    };
    assert_eq!(run(Prefix::U32, &steps), [Trouble(skipped)]);
}

#[test]
fn offsets_count_what_a_snap_length_cut() {
    let message = [&[0xa1, 1, 2, 3][..], &[7; 100]].concat();
    let frame = stream(Prefix::U32, std::slice::from_ref(&message));
    let steps = [
        Step::Bytes(&frame[..50]),
        Step::Cut(58),
        Step::Bytes(&[0xff; 4]),
    ];
    let bad = Problem::BadPrefix {
        offset: 108,
        value: 0xffff_ffff,
    };
    let skipped = Problem::Skipped {
        offset: 108,
        bytes: 4,
    };
    assert_eq!(
        run(Prefix::U32, &steps),
        [
            Shortened(message[..46].to_vec(), 58),
            Trouble(bad),
            Trouble(skipped)
        ]
    );
}

#[test]
fn an_error_of_the_sink_comes_back() {
    let bytes = stream(Prefix::U32, &conversation());
    let mut decoder = Decoder::new(Prefix::U32, looks_like_message);
    let mut room = 2;
    let result = decoder.push(&bytes, &mut |_| {
        if room == 0 {
            return Err("full");
        }
        room -= 1;
        Ok(())
    });
    assert_eq!((result, room), (Err("full"), 0));
}

#[test]
fn hostile_bytes_that_look_like_many_beginnings_are_held_within_bounds() {
    // Everywhere a 2-byte length of 20,560 before a plausible type.
    let hostile = vec![0x50; 400_000];
    let mut decoder = Decoder::new(Prefix::U16, looks_like_message);
    let mut messages = 0_usize;
    let mut emit = |item: Item<'_>| -> Result<(), Infallible> {
        messages += usize::from(matches!(item, Item::Message(_)));
        Ok(())
    };
    let Ok(()) = decoder.gap(None, &mut emit);
    for chunk in hostile.chunks(1460) {
        let Ok(()) = decoder.push(chunk, &mut emit);
        assert!(decoder.framer.buffered_bytes() <= 4 * (2 + 65_535));
    }
    assert_eq!(messages, 400_000 / 20_562);
}

fn any_message() -> impl Strategy<Value = Vec<u8>> {
    let body = prop::collection::vec(any::<u8>(), 0..300);
    let data = (
        prop::sample::select(vec![0xa0_u8, 0x50]),
        any::<[u8; 3]>(),
        body,
    )
        .prop_map(|(first, id, body)| {
            let mut message = vec![first];
            message.extend_from_slice(&id);
            message.extend(body);
            message
        });
    let close = any::<[u8; 3]>().prop_map(|[a, b, c]| vec![0xa2, a, b, c]);
    prop_oneof![4 => data, 1 => close, 1 => Just(vec![0xff])]
}

fn steps_of<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

#[test]
fn a_message_that_a_snap_length_cut_is_told_without_its_end_and_the_next_follows() {
    let messages = [
        [&[0xa1, 1, 2, 3][..], &[7; 100]].concat(),
        vec![0x51, 1, 2, 3, 4, 5, 6],
        [&[0x50, 1, 2, 3][..], &[8; 50]].concat(),
    ];
    for prefix in [Prefix::U32, Prefix::U16] {
        for kept in prefix.bytes()..prefix.bytes() + 60 {
            let mut steps = Vec::new();
            let frames: Vec<Vec<u8>> = messages
                .iter()
                .map(|message| stream(prefix, std::slice::from_ref(message)))
                .collect();
            let mut expected = Vec::new();
            for (frame, message) in frames.iter().zip(&messages) {
                let kept = kept.min(frame.len());
                let cut = (frame.len() - kept) as u64;
                steps.push(Step::Bytes(&frame[..kept]));
                if cut > 0 {
                    steps.push(Step::Cut(cut));
                    let message = message[..kept - prefix.bytes()].to_vec();
                    expected.push(Shortened(message, cut));
                } else {
                    expected.push(Message(message.clone()));
                }
            }
            assert_eq!(run(prefix, &steps), expected, "{prefix:?}, {kept}");
        }
    }
}

#[test]
fn behind_a_gap_a_whole_message_before_one_that_a_snap_length_cut_gives_the_place() {
    let messages = [
        vec![0x51, 1, 2, 3, 4, 5, 6],
        [&[0x50, 1, 2, 3][..], &[8; 30]].concat(),
        vec![0x52, 1, 2, 3],
    ];
    for prefix in [Prefix::U32, Prefix::U16] {
        let frames = messages
            .each_ref()
            .map(|message| stream(prefix, std::slice::from_ref(message)));
        let tail = [0xff; 9];
        for kept in prefix.bytes() + 4..frames[1].len() {
            let cut = (frames[1].len() - kept) as u64;
            // In one segment with the message, in two, and all of it in a segment before.
            for split in 0..=tail.len() {
                let behind = [&tail[split..], &frames[0], &frames[1][..kept]].concat();
                let steps = |missing| {
                    [
                        Step::Gap(None),
                        Step::Bytes(&tail[..split]),
                        Step::Bytes(&behind),
                        Step::Cut(missing),
                        Step::Bytes(&frames[2]),
                    ]
                };
                let expected = [
                    Trouble(Problem::Skipped {
                        offset: 0,
                        bytes: tail.len() as u64,
                    }),
                    Message(messages[0].clone()),
                    Shortened(messages[1][..kept - prefix.bytes()].to_vec(), cut),
                    Message(messages[2].clone()),
                ];
                assert_eq!(
                    run(prefix, &steps(cut)),
                    expected,
                    "{prefix:?}, {kept}, {split}"
                );
                // A message that does not end with its packet proves nothing.
                let seen = run(prefix, &steps(cut + 1));
                assert!(
                    !seen.iter().any(|seen| matches!(seen, Shortened(..))),
                    "{prefix:?}, {kept}, {split}: {seen:?}"
                );
            }
        }
    }
}

#[test]
fn the_place_is_where_a_proof_is_complete_first_however_the_bytes_arrive() {
    let inner = vec![
        vec![0x52, 1, 2, 3],
        vec![0x52, 1, 2, 4],
        vec![0x52, 1, 2, 5],
    ];
    let mut outer = vec![0xa0, 9, 9, 9];
    outer.extend(stream(Prefix::U32, &inner));
    outer.extend([0xff; 20]);
    let bytes = stream(
        Prefix::U32,
        &[outer, vec![0x52, 1, 2, 6], vec![0x52, 1, 2, 7]],
    );
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    for pieces in [vec![&bytes[..]], single] {
        let mut steps = vec![Step::Gap(None)];
        steps.extend(pieces.into_iter().map(Step::Bytes));
        let seen = run(Prefix::U32, &steps);
        let skipped = Problem::Skipped {
            offset: 0,
            bytes: 8,
        };
        assert_eq!(seen[0], Trouble(skipped));
        assert_eq!(seen[1..4], messages(&inner));
    }
}

#[test]
fn what_is_held_counts_the_bytes_and_each_place_where_a_message_may_begin() {
    let mut decoder = Decoder::new(Prefix::U16, looks_like_message);
    let mut emit = |_: Item<'_>| -> Result<(), Infallible> { Ok(()) };
    assert_eq!(decoder.held_bytes(), 0);
    let Ok(()) = decoder.push(&[0, 200, 0x50, 1, 2, 3], &mut emit);
    assert!(decoder.held_bytes() >= 6);
    assert!(!decoder.is_lost());
    let Ok(()) = decoder.gap(None, &mut emit);
    assert!(decoder.is_lost());
    // Everywhere a length of 20,560 before a plausible type.
    let Ok(()) = decoder.push(&[0x50; 5000], &mut emit);
    // Five numbers in a tree, whose nodes may be half full, and two in the list of those that wait.
    let place_bytes = (2 * 5 + 2) * size_of::<usize>();
    assert!(decoder.held_bytes() >= 5000 + 4990 * place_bytes);
}

proptest! {
    #[test]
    fn chunks_never_matter(
        prefix in prop::sample::select(BOTH.to_vec()),
        sent in prop::collection::vec(any_message(), 1..12),
        noise in prop::collection::vec(any::<u8>(), 0..200),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        mid_stream in any::<bool>(),
    ) {
        let mut bytes = noise;
        bytes.extend(stream(prefix, &sent));
        let start = mid_stream.then_some(Step::Gap(None));
        let whole: Vec<_> = start.into_iter().chain([Step::Bytes(&bytes)]).collect();
        let single: Vec<_> = start.into_iter().chain(bytes.chunks(1).map(Step::Bytes)).collect();
        let chunks: Vec<_> = start
            .into_iter()
            .chain(steps_of(&bytes, &cuts).into_iter().map(Step::Bytes))
            .collect();
        let expected = run(prefix, &whole);
        prop_assert_eq!(&run(prefix, &single), &expected);
        prop_assert_eq!(&run(prefix, &chunks), &expected);
    }

    #[test]
    fn behind_a_gap_only_messages_that_were_sent_come_out_in_order_and_every_byte_is_told(
        prefix in prop::sample::select(BOTH.to_vec()),
        sent in prop::collection::vec(any_message(), 1..20),
        from in any::<prop::sample::Index>(),
        missing in 1_usize..600,
        known in any::<bool>(),
    ) {
        let bytes = stream(prefix, &sent);
        let from = from.index(bytes.len());
        let to = (from + missing).min(bytes.len());
        let gap = known.then_some((to - from) as u64);
        let seen = run(prefix, &[
            Step::Bytes(&bytes[..from]),
            Step::Gap(gap),
            Step::Bytes(&bytes[to..]),
        ]);
        let mut left = sent.iter();
        for item in &seen {
            if let Message(message) = item {
                prop_assert!(left.any(|sent| sent == message), "{message:?} was not sent here");
            }
        }
        let out = seen.iter().filter(|item| matches!(item, Message(_))).count();
        let told: u64 = seen.iter().map(|item| match item {
            Trouble(Problem::Skipped { bytes, .. }) => *bytes,
            _ => 0,
        }).sum();
        let (begun, finished) = whole_messages_around(prefix, &sent, from, to);
        // The proof may cost what lies before it, but nothing before the gap.
        prop_assert!(out >= begun);
        prop_assert!(out <= begun + finished);
        prop_assert!(told <= (bytes.len() - to) as u64);
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        prefix in prop::sample::select(BOTH.to_vec()),
        steps in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..200).prop_map(Ok),
                prop::option::of(0_u64..100_000).prop_map(Err),
            ],
            0..20,
        ),
    ) {
        let steps: Vec<_> = steps
            .iter()
            .map(|step| match step {
                Ok(bytes) => Step::Bytes(bytes),
                Err(missing) => Step::Gap(*missing),
            })
            .collect();
        run(prefix, &steps);
    }
}

#[test]
fn gaps_of_any_length_one_after_the_other_overflow_nothing() {
    for prefix in [Prefix::U16, Prefix::U32] {
        run(
            prefix,
            &[
                Step::Gap(Some(u64::MAX)),
                Step::Bytes(&[0, 0, 0, 1]),
                Step::Gap(Some(u64::MAX)),
                Step::Gap(None),
            ],
        );
    }
}

/// Messages that end before `from`, and those that begin at or behind `to`.
fn whole_messages_around(
    prefix: Prefix,
    sent: &[Vec<u8>],
    from: usize,
    to: usize,
) -> (usize, usize) {
    let (mut before, mut behind, mut at) = (0, 0, 0);
    for message in sent {
        let end = at + prefix.bytes() + message.len();
        before += usize::from(end <= from);
        behind += usize::from(at >= to);
        at = end;
    }
    (before, behind)
}

/// The rule of the protocol, where a SYN with a destination proves its place.
#[derive(Debug)]
struct Ours;

impl Plausibility for Ours {
    fn is_plausible(&self, prefix: &[u8], length: usize) -> bool {
        looks_like_message(prefix, length)
    }

    fn proves_place(&self, message: &[u8]) -> bool {
        message.first() == Some(&0xa1) && message.len() == 391
    }
}

/// A direction whose beginning is not in the capture.
struct Middle {
    decoder: Decoder<Ours>,
    seen: Vec<Seen>,
}

impl Middle {
    fn new(prefix: Prefix) -> Self {
        let mut middle = Self {
            decoder: Decoder::with_rule(prefix, Ours),
            seen: Vec::new(),
        };
        middle.gap(None);
        middle
    }

    fn gap(&mut self, missing: Option<u64>) {
        let Ok(()) = self.decoder.gap(missing, &mut keep(&mut self.seen));
    }

    fn part(&mut self, bytes: &[u8]) -> &mut Self {
        let Ok(()) = self.decoder.push(bytes, &mut keep(&mut self.seen));
        self
    }

    fn segment(&mut self, bytes: &[u8]) -> &mut Self {
        let Ok(()) = self.decoder.push_segment(bytes, &mut keep(&mut self.seen));
        self
    }

    fn join(&mut self) -> &mut Self {
        let Ok(()) = self.decoder.join(&mut keep(&mut self.seen));
        self
    }
}

fn keep(seen: &mut Vec<Seen>) -> impl FnMut(Item<'_>) -> Result<(), Infallible> {
    |item| {
        seen.push(match item {
            Item::Message(message) => Message(message.to_vec()),
            Item::Cut {
                message,
                missing_bytes,
            } => Shortened(message.to_vec(), missing_bytes),
            Item::Problem(problem) => Trouble(problem),
        });
        Ok(())
    }
}

#[test]
fn a_message_that_is_all_of_a_segment_may_prove_its_place_alone_behind_a_length_of_4_bytes() {
    let syn = &conversation()[..1];
    let bytes = stream(Prefix::U32, syn);
    let mut middle = Middle::new(Prefix::U32);
    assert_eq!(middle.segment(&bytes).seen, messages(syn));
    // Behind the end of another message, too, however much came before.
    let mut middle = Middle::new(Prefix::U32);
    middle.part(&[0xee; 5_000]).segment(&bytes);
    let skipped = Problem::Skipped {
        offset: 0,
        bytes: 5_000,
    };
    let expected = [vec![Trouble(skipped)], messages(syn)].concat();
    assert_eq!(middle.seen, expected);
    // What leads to it is proven with it.
    let data = vec![vec![0x50, 0x11, 0x11, 0x11, b'o', b'k'], syn[0].clone()];
    let mut middle = Middle::new(Prefix::U32);
    middle
        .segment(&stream(Prefix::U32, &data[..1]))
        .segment(&bytes);
    assert_eq!(middle.seen, messages(&data));
    // Nearly any 2 bytes are a length.
    let mut middle = Middle::new(Prefix::U16);
    assert_eq!(middle.segment(&stream(Prefix::U16, syn)).seen, []);
}

#[test]
fn a_message_proves_nothing_alone_if_it_is_not_all_of_one_segment() {
    for prefix in BOTH {
        let bytes = stream(prefix, &conversation()[..1]);
        let one_more = [&bytes[..], &[0x10]].concat();
        let one_before = [&[0x10], &bytes[..]].concat();
        assert_eq!(Middle::new(prefix).part(&bytes).seen, []);
        assert_eq!(Middle::new(prefix).segment(&one_more).seen, []);
        assert_eq!(Middle::new(prefix).segment(&one_before).seen, []);
        for cut in 1..bytes.len() {
            let mut middle = Middle::new(prefix);
            middle.segment(&bytes[..cut]).segment(&bytes[cut..]);
            assert_eq!(middle.seen, [], "{prefix:?}, {cut}");
        }
    }
}

#[test]
fn whole_segments_are_enough_behind_a_missed_start_once_the_other_direction_has_its_place() {
    let conversation = conversation();
    let (ack, data) = (&conversation[1], &conversation[2]);
    let one = |prefix, message: &Vec<u8>| stream(prefix, std::slice::from_ref(message));
    for held in [false, true] {
        let mut middle = Middle::new(Prefix::U32);
        let bytes = one(Prefix::U32, ack);
        if held {
            middle.segment(&bytes).join();
        } else {
            middle.join().segment(&bytes);
        }
        assert_eq!(middle.seen, [Message(ack.clone())], "{held}");
        // Behind a length of 2 bytes it takes two.
        let mut middle = Middle::new(Prefix::U16);
        let [first, second] = [ack, data].map(|message| one(Prefix::U16, message));
        if held {
            middle.segment(&first).segment(&second).join();
        } else {
            middle.join().segment(&first);
            assert_eq!(middle.seen, []);
            middle.segment(&second);
        }
        assert_eq!(middle.seen, messages(&[ack.clone(), data.clone()]));
    }
    // A message in several segments, of which the first has more than its length.
    for cut in 5..one(Prefix::U32, data).len() {
        let bytes = one(Prefix::U32, data);
        let mut middle = Middle::new(Prefix::U32);
        middle.join().segment(&bytes[..cut]).segment(&bytes[cut..]);
        assert_eq!(middle.seen, [Message(data.clone())], "{cut}");
    }
}

#[test]
fn the_other_direction_proves_no_place_elsewhere() {
    let bytes = stream(Prefix::U32, &conversation()[1..2]);
    // Within a segment.
    let around = [&[0xee], &bytes[..], &[0xee]].concat();
    for (start, end) in [(0, around.len() - 1), (1, around.len())] {
        let mut middle = Middle::new(Prefix::U32);
        middle.join().segment(&around[start..end]);
        assert_eq!(middle.seen, [], "{start}..{end}");
    }
    // In parts of segments.
    assert_eq!(Middle::new(Prefix::U32).join().part(&bytes).seen, []);
    assert_eq!(Middle::new(Prefix::U32).part(&bytes).join().seen, []);
    // Behind a gap.
    let mut middle = Middle::new(Prefix::U32);
    middle.gap(Some(100));
    assert_eq!(middle.join().segment(&bytes).join().seen, []);
}
