use super::*;
use crate::dissect::recognise::PROTOCOL;
use crate::wire::FrameType;

use FlowDirection::{Backward, Forward};

type Sent = (FlowDirection, Vec<u8>);

fn weighed(framing: Framing, flow: &[Sent]) -> Evidence {
    let mut evidence = Evidence::new(PROTOCOL, framing);
    for (from, message) in flow {
        evidence.weigh(*from, message, message.len());
    }
    evidence
}

fn message(from: FlowDirection, message_type: u8, id: [u8; 3], payload: &[u8]) -> Sent {
    (from, [&[message_type][..], &id, payload].concat())
}

/// An opening whose payload has nothing in common with that of another seed.
fn opening(id: [u8; 3], seed: u8, length: usize) -> Sent {
    message(Forward, 0xa1, id, &vec![seed; length])
}

/// So many openings with different ids and payloads of different lengths.
fn openings(count: u8) -> Vec<Sent> {
    (1..=count)
        .map(|i| opening([0x10 + i, 0x20 + i, 0x30 + i], i, 12 + usize::from(i)))
        .collect()
}

fn foreign() -> Sent {
    (Forward, vec![0x33; 20])
}

#[test]
fn openings_alone_tell_something_when_they_are_many_or_alike() {
    use Framing::{Any, Loose, Tight};
    let with = |flow: Vec<Sent>, more: Sent| [flow, vec![more]].concat();
    let pair = |payloads: [u8; 2], lengths: [usize; 2]| {
        vec![
            opening([0x11, 0x21, 0x31], payloads[0], lengths[0]),
            opening([0x12, 0x22, 0x32], payloads[1], lengths[1]),
        ]
    };
    let with_words = |at: usize| {
        let payload = |i: u8, at: usize| {
            let mut payload = [i; 12];
            payload[at..at + 4].copy_from_slice(&[9, 8, 7, 6]);
            payload
        };
        vec![
            message(Forward, 0xa1, [0x11, 0x21, 0x31], &payload(1, 4)),
            message(Forward, 0xa1, [0x12, 0x22, 0x32], &payload(2, at)),
            message(Forward, 0xa1, [0x13, 0x23, 0x33], &payload(3, at)),
        ]
    };
    // The bytes behind the type go on as the key of a map: a text of four letters.
    let map = |header: u8, i: u8| message(Forward, 0xa1, [header, b'n', b'a' + i], b"me\x01\x02");
    let maps = |header: u8| vec![map(header, 0), map(header, 1), map(header, 2)];
    for (framing, flow, expected) in [
        (Any, openings(2), Standing::Open),
        (Any, openings(3), Standing::Probable),
        (Any, openings(7), Standing::Probable),
        (Any, openings(8), Standing::Certain),
        // Alike: the same payload, long enough to be no chance.
        (Any, pair([7, 7], [8, 8]), Standing::Probable),
        (Any, pair([7, 7], [7, 7]), Standing::Open),
        (Any, pair([7, 6], [8, 8]), Standing::Open),
        // Behind a length the same length is enough.
        (Tight, pair([7, 6], [5, 5]), Standing::Probable),
        (Loose, pair([7, 6], [5, 5]), Standing::Probable),
        (Tight, pair([7, 7], [5, 6]), Standing::Open),
        (Tight, openings(1), Standing::Open),
        // One again is not one more.
        (
            Any,
            with(openings(2), openings(1)[0].clone()),
            Standing::Open,
        ),
        // Ids that differ in their first byte only are numbers and a constant.
        (
            Any,
            (1..=8).map(|i| opening([i, 5, 6], i, 12)).collect(),
            Standing::Open,
        ),
        (
            Any,
            with(
                openings(3),
                message(Backward, 0xa1, [0x14, 0x24, 0x34], &[4; 12]),
            ),
            Standing::Open,
        ),
        // A word in the same place is that of a header.
        (Any, with_words(4), Standing::Open),
        (Any, with_words(8), Standing::Probable),
        (Any, maps(0x64), Standing::Open),
        (Any, maps(0xa4), Standing::Open),
        (Any, maps(0x60), Standing::Probable),
        (Any, maps(0x78), Standing::Probable),
        // Longer than the text.
        (Any, maps(0x65), Standing::Probable),
        (
            Any,
            with(maps(0x64), openings(1)[0].clone()),
            Standing::Probable,
        ),
        // Nothing else may be there but bytes that are no evidence.
        (Any, with(openings(8), foreign()), Standing::Open),
        (
            Any,
            with(openings(8), message(Backward, 0x50, [1, 2, 3], b"\x00data")),
            Standing::Open,
        ),
        (
            Any,
            with(openings(8), (Backward, vec![0xff])),
            Standing::Certain,
        ),
    ] {
        let evidence = weighed(framing, &flow);
        assert_eq!(evidence.standing(), expected, "{framing:?} {flow:02x?}");
    }
}

#[test]
fn lengths_tell_something_as_long_as_the_first_bytes_of_ids_change() {
    let flow = |ids: [[u8; 3]; 3], message_type: u8, payload: &[u8]| -> Vec<Sent> {
        ids.iter()
            .map(|id| message(Forward, message_type, *id, payload))
            .collect()
    };
    let changing = [[0x81, 1, 2], [0x82, 1, 2], [0x83, 1, 2]];
    let counted = [[0x81, 1, 2], [0x81, 1, 3], [0x81, 1, 4]];
    let text = [*b"abc", *b"bbc", *b"cbc"];
    for (ids, message_type, payload, expected) in [
        (changing, 0xa2, &[][..], Standing::Certain),
        (counted, 0xa2, &[], Standing::Open),
        (changing, 0x52, &[], Standing::Certain),
        (changing, 0x52, &[7, 8, 9], Standing::Certain),
        (counted, 0x52, &[7, 8, 9], Standing::Open),
        // An ACK without an id.
        (changing, 0x51, &[], Standing::Certain),
        (changing, 0x51, &[7, 8, 9], Standing::Certain),
        (text, 0x52, &[], Standing::Open),
        (text, 0x51, &[], Standing::Open),
        (text, 0x51, b"xyz", Standing::Open),
        // Data have any length.
        (changing, 0xa0, &[7, 8, 9], Standing::Open),
        (changing, 0x50, &[7, 8, 9], Standing::Open),
    ] {
        let flow = flow(ids, message_type, payload);
        assert_eq!(
            weighed(Framing::Any, &flow).standing(),
            expected,
            "{flow:02x?}"
        );
        assert_eq!(
            weighed(Framing::Any, &flow[..2]).standing(),
            Standing::Open,
            "two of {flow:02x?}"
        );
    }
}

#[test]
fn an_opening_and_its_answer_are_certain_in_either_order_and_from_different_sides_only() {
    let id = [0x81, 0x71, 0x61];
    let opening = opening(id, 7, 20);
    for (message_type, payload) in [(0x51, &[1, 2, 3][..]), (0x52, &[]), (0x52, &[1, 2, 3])] {
        let answer = message(Backward, message_type, id, payload);
        let of_same_side = message(Forward, message_type, id, payload);
        let of_another = message(Backward, message_type, [0x81, 0x71, 0x62], payload);
        for (answer, expected) in [
            (answer, Standing::Certain),
            (of_same_side, Standing::Open),
            (of_another, Standing::Open),
        ] {
            let mut flow = vec![opening.clone(), answer];
            assert_eq!(weighed(Framing::Any, &flow).standing(), expected);
            flow.reverse();
            assert_eq!(weighed(Framing::Any, &flow).standing(), expected);
        }
    }
}

#[test]
fn a_flow_of_another_protocol_shows_what_it_has_of_ours() {
    let id = [0x81, 0x71, 0x61];
    let opening = opening(id, 7, 20);
    let answer = message(Backward, 0x50, id, b"\x00answer");
    let ack = message(Backward, 0x51, id, &[1, 2, 3]);
    let trace = |openings, fitting, unfitting| {
        Some(Trace {
            openings,
            fitting,
            unfitting,
            to_server: Forward,
        })
    };
    let beside = |count: usize| {
        let mut flow = vec![opening.clone(), answer.clone()];
        flow.extend(vec![foreign(); count]);
        flow
    };
    for (flow, expected) in [
        (vec![], None),
        (vec![foreign()], None),
        (vec![answer.clone()], None),
        (vec![opening.clone()], trace(1, 0, 0)),
        (vec![opening.clone(), foreign()], None),
        (vec![ack.clone()], trace(0, 1, 0)),
        (vec![ack, foreign()], None),
        // The answer speaks for the opening, too.
        (beside(0), trace(1, 2, 0)),
        (beside(3), trace(1, 2, 3)),
        (beside(4), None),
        (
            vec![
                opening.clone(),
                message(Backward, 0xa1, [0x82, 0x72, 0x62], &[8; 20]),
            ],
            None,
        ),
    ] {
        let evidence = weighed(Framing::Any, &flow);
        assert_eq!(evidence.trace(), expected, "{flow:02x?}");
    }
    // Behind a length any message has a point, but a side must be known.
    let pings = vec![(Forward, vec![0xff])];
    assert_eq!(weighed(Framing::Tight, &pings).trace(), None);
}

#[test]
fn openings_without_an_answer_are_judged_with_those_of_other_flows() {
    let unanswered =
        |flow: &[Sent]| weighed(Framing::Any, flow).unanswered(CarrierVerdict::Datagrams);
    let first = opening([0x81, 0x71, 0x61], 7, 20);
    let second = opening([0x82, 0x72, 0x62], 7, 20);
    let data = message(Backward, 0x50, [1, 2, 3], b"\x00data");
    let reversed = message(Backward, 0xa1, [0x82, 0x72, 0x62], &[8; 20]);
    for with in [foreign(), data, reversed] {
        assert!(unanswered(&[first.clone(), with]).is_none());
    }
    assert!(unanswered(&[]).is_none());

    let mut one = unanswered(std::slice::from_ref(&first)).unwrap();
    assert_eq!(one.to_server(), Some(Forward));
    assert!(!one.is_enough());
    // The same client dials a second time, seen from its other side.
    let seen_backward = (Backward, second.1);
    one.join(&unanswered(&[seen_backward]).unwrap());
    assert!(one.is_enough());
    one.join(&unanswered(&[opening([0x83, 0x73, 0x63], 9, 21)]).unwrap());
    assert!(one.is_enough());

    let mut same_tail = unanswered(&[first]).unwrap();
    same_tail.join(&unanswered(&[opening([0x99, 0x71, 0x61], 7, 20)]).unwrap());
    assert!(!same_tail.is_enough());
}

#[test]
fn any_message_is_something_to_weigh() {
    assert!(!weighed(Framing::Any, &[]).has_any());
    for sent in [
        foreign(),
        opening([0x81, 0x71, 0x61], 7, 20),
        message(Forward, 0xa0, [1, 2, 3], b"data"),
        (Forward, vec![0xff]),
    ] {
        assert!(weighed(Framing::Any, &[sent]).has_any());
    }
}

#[test]
fn what_is_remembered_counts_as_memory() {
    assert_eq!(weighed(Framing::Any, &[]).held_bytes(), 0);
    // As many as their lists have room for.
    let mut flow = openings(8);
    for i in 1..=8 {
        flow.push(message(Forward, 0xa0, [0x80, i, i], b"data"));
    }
    let evidence = weighed(Framing::Any, &flow);
    let (remembered, ids) = (
        evidence.remembered.len(),
        evidence.announcements.sorted.len(),
    );
    assert_eq!((remembered, ids), (8, 8));
    let announced = size_of::<(FlowDirection, Announced, [u8; 3])>();
    let least = remembered * size_of::<Remembered>() + ids * announced;
    assert!((least..=2 * least).contains(&evidence.held_bytes()));
}

#[test]
fn the_first_id_that_is_announced_tells_the_server() {
    let close = |from, id| message(from, FrameType::SERVER_CLOSE.0, id, &[]);
    for (first, second) in [(Backward, Forward), (Forward, Backward)] {
        let flow = [
            close(first, [7, 0x82, 0x93]),
            close(second, [7, 0x81, 0x92]),
        ];
        let trace = weighed(Framing::Any, &flow).trace().unwrap();
        assert_eq!(trace.to_server, second);
    }
}
