use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::carrier::i2cp::gzip::Deflater;
use crate::carrier::i2cp::{Expiry, Mapping, MessageStatus, encode_mapping};

/// An item, as a line.
fn line(item: &I2cpItem<'_>) -> String {
    match item {
        I2cpItem::SessionRequested {
            destination,
            nickname,
        } => format!("requested {} {nickname:?}", destination.as_bytes().len()),
        I2cpItem::SessionStatus { session, status } => format!("status {session:04x} {}", status.0),
        I2cpItem::SessionDestroyed { session } => format!("destroyed {session:04x}"),
        I2cpItem::Sent {
            session,
            destination,
            nonce,
            protocol,
            message,
        } => format!(
            "sent {session:04x} to {} nonce {nonce} protocol {protocol}: {}",
            destination.as_bytes().len(),
            hex::encode(message)
        ),
        I2cpItem::Delivered {
            session,
            message_id,
            protocol,
            message,
        } => format!(
            "delivered {session:04x} id {message_id} protocol {protocol}: {}",
            hex::encode(message)
        ),
        I2cpItem::UnreadablePayload {
            sender,
            session,
            reason,
        } => format!("unreadable from {sender:?} {session:04x}: {reason}"),
        I2cpItem::BadFrame {
            sender,
            offset,
            reason,
        } => format!("bad frame from {sender:?} at {offset}: {reason}"),
        I2cpItem::Other {
            sender,
            message_type,
        } => format!("{sender:?} {message_type}"),
        I2cpItem::Problem { sender, problem } => format!("{sender:?}: {problem}"),
    }
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Bytes(&'a [u8]),
    Gap(Option<u64>),
}

fn run(sender: Sender, steps: &[Step<'_>]) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut decoder, mut inflater) = (Decoder::new(), Inflater::new());
    let mut emit = |item: I2cpItem<'_>| -> Result<(), Infallible> {
        lines.push(line(&item));
        Ok(())
    };
    for step in steps {
        let Ok(()) = match step {
            Step::Bytes(bytes) => decoder.push(sender, bytes, &mut inflater, &mut emit),
            Step::Gap(missing) => decoder.gap(sender, *missing, &mut inflater, &mut emit),
        };
    }
    let Ok(()) = decoder.finish(sender, &mut inflater, &mut emit);
    lines
}

fn wrapped(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Deflater::new().deflate(message, &mut out);
    out
}

fn frame(message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out).unwrap();
    out
}

fn destination() -> Vec<u8> {
    let mut bytes = vec![7; 384];
    bytes.extend_from_slice(&[0, 0, 0]);
    bytes
}

fn send(nonce: u32, message: &[u8], expiry: Option<Expiry>) -> Vec<u8> {
    let destination = destination();
    let (destination, _) = Destination::split(&destination).unwrap();
    let payload = &wrapped(message);
    let session = 0x1234;
    frame(&match expiry {
        None => Message::SendMessage {
            session,
            destination,
            payload,
            nonce,
        },
        Some(expiry) => Message::SendMessageExpires {
            session,
            destination,
            payload,
            nonce,
            expiry,
        },
    })
}

fn deliver(message_id: u32, message: &[u8]) -> Vec<u8> {
    frame(&Message::MessagePayload {
        session: 0x1234,
        message_id,
        payload: &wrapped(message),
    })
}

fn create(options: &[(&str, &str)]) -> Vec<u8> {
    let destination = destination();
    let mut mapping = Vec::new();
    encode_mapping(options.iter().copied(), &mut mapping).unwrap();
    frame(&Message::CreateSession {
        destination: Destination::split(&destination).unwrap().0,
        options: Mapping::parse(&mapping[2..]).unwrap(),
        date_ms: 1,
        signature: &[5; 40],
    })
}

/// Bytes of a frame, and the line that they give.
type Told = (Vec<u8>, String);

/// The messages of an application in a session.
fn application() -> Vec<Told> {
    let expiry = Some(Expiry { flags: 0, at_ms: 9 });
    let mut first = vec![0x2a];
    first.extend(frame(&Message::GetDate {
        version: Some(b"0.8.8"),
        authentication: &[],
    }));
    let end = frame(&Message::ReceiveMessageEnd {
        session: 0x1234,
        message_id: 3,
    });
    vec![
        (first, "Application GetDate".into()),
        (
            create(&[("inbound.nickname", "cli-a")]),
            "requested 387 Some(\"cli-a\")".into(),
        ),
        (
            send(77, &[0xa1, 1, 2, 3], None),
            "sent 1234 to 387 nonce 77 protocol 0: a1010203".into(),
        ),
        (end, "Application ReceiveMessageEnd".into()),
        (
            send(0, &[0xa0; 90], expiry),
            format!("sent 1234 to 387 nonce 0 protocol 0: {}", "a0".repeat(90)),
        ),
        (
            send(78, &[], None),
            "sent 1234 to 387 nonce 78 protocol 0: ".into(),
        ),
        (
            frame(&Message::DestroySession { session: 0x1234 }),
            "destroyed 1234".into(),
        ),
    ]
}

fn router() -> Vec<Told> {
    vec![
        (
            frame(&Message::SetDate {
                date_ms: 1,
                version: Some(b"0.8.8"),
            }),
            "Router SetDate".into(),
        ),
        (
            frame(&Message::SessionStatus {
                session: 0x1234,
                status: SessionStatus::CREATED,
            }),
            "status 1234 1".into(),
        ),
        (
            deliver(3, &[0x51, 1, 2, 3, 4, 5, 6]),
            "delivered 1234 id 3 protocol 0: 51010203040506".into(),
        ),
        (
            frame(&Message::MessageStatus {
                session: 0x1234,
                message_id: 4,
                status: MessageStatus::ACCEPTED,
                size: 0,
                nonce: 77,
            }),
            "Router MessageStatus".into(),
        ),
        (
            deliver(5, &[0x50; 100]),
            format!("delivered 1234 id 5 protocol 0: {}", "50".repeat(100)),
        ),
    ]
}

fn sides() -> [(Sender, Vec<Told>); 2] {
    [
        (Sender::Application, application()),
        (Sender::Router, router()),
    ]
}

fn bytes_of(frames: &[Told]) -> Vec<u8> {
    frames.iter().flat_map(|(bytes, _)| bytes.clone()).collect()
}

fn lines_of(frames: &[Told]) -> Vec<String> {
    frames.iter().map(|(_, line)| line.clone()).collect()
}

#[test]
fn every_split_in_two_and_byte_by_byte_give_the_same_items() {
    for (sender, frames) in sides() {
        let (bytes, expected) = (bytes_of(&frames), lines_of(&frames));
        for at in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(at);
            let lines = run(sender, &[Step::Bytes(head), Step::Bytes(tail)]);
            assert_eq!(lines, expected, "split at {at}");
        }
        let single: Vec<_> = bytes.chunks(1).map(Step::Bytes).collect();
        assert_eq!(run(sender, &single), expected);
    }
}

#[test]
fn every_cut_gives_the_items_before_it() {
    for (sender, frames) in sides() {
        let (bytes, expected) = (bytes_of(&frames), lines_of(&frames));
        for cut in 0..bytes.len() {
            let lines = run(sender, &[Step::Bytes(&bytes[..cut])]);
            let whole = lines
                .iter()
                .filter(|line| !line.contains("is incomplete"))
                .count();
            assert_eq!(lines[..whole], expected[..whole], "cut at {cut}");
            assert!(lines.len() - whole <= 1);
        }
    }
}

#[test]
fn from_every_start_the_frames_behind_it_are_found_and_no_others() {
    for (sender, frames) in sides() {
        let (bytes, expected) = (bytes_of(&frames), lines_of(&frames));
        let mut ends = vec![0];
        for (frame, _) in &frames {
            ends.push(ends.last().unwrap() + frame.len());
        }
        if sender == Sender::Application {
            // The first frame begins behind the protocol byte.
            ends[0] = 1;
        }
        for start in 1..bytes.len() {
            let lines = run(sender, &[Step::Gap(None), Step::Bytes(&bytes[start..])]);
            let found: Vec<_> = lines
                .iter()
                .filter(|line| !line.contains("skipped"))
                .cloned()
                .collect();
            let next = ends.iter().position(|end| *end >= start).unwrap();
            // Two whole frames prove the place, or one and the end of the stream.
            assert_eq!(found, expected[next..], "{sender:?} from {start}");
        }
    }
}

#[test]
fn every_gap_costs_what_it_touches_and_nothing_that_was_not_sent_appears() {
    for (sender, frames) in sides() {
        let (bytes, expected) = (bytes_of(&frames), lines_of(&frames));
        for from in (0..bytes.len()).step_by(2) {
            for missing in [1, 100, 700] {
                let to = (from + missing).min(bytes.len());
                for known in [Some((to - from) as u64), None] {
                    let lines = run(
                        sender,
                        &[
                            Step::Bytes(&bytes[..from]),
                            Step::Gap(known),
                            Step::Bytes(&bytes[to..]),
                        ],
                    );
                    let mut left = expected.iter();
                    for line in lines
                        .iter()
                        .filter(|line| !line.contains("skipped") && !line.contains("is incomplete"))
                    {
                        assert!(
                            left.any(|expected| expected == line),
                            "{sender:?} {from}..{to}: {line} in {lines:#?}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn one_whole_message_between_two_gaps_is_found_by_its_wrapper() {
    let message = send(9, b"\xa2\x98\x76\x54", None);
    let plain = frame(&Message::MessagePayload {
        session: 0x1234,
        message_id: 9,
        payload: b"no wrapper",
    });
    let sent = "sent 1234 to 387 nonce 9 protocol 0: a2987654";
    for (sender, bytes, expected) in [
        (Sender::Application, &message, Some(sent)),
        (Sender::Router, &plain, None),
    ] {
        for gap in [Some(5), None] {
            let lines = run(
                sender,
                &[
                    Step::Gap(gap),
                    Step::Bytes(b"tail of another"),
                    Step::Bytes(bytes),
                    Step::Bytes(&[0]),
                    Step::Gap(Some(700)),
                ],
            );
            let found = lines.iter().find(|line| !line.contains("skipped"));
            assert_eq!(
                found.map(|line| &**line),
                expected,
                "{sender:?} {gap:?}: {lines:?}"
            );
        }
    }
}

#[test]
fn a_session_is_called_by_its_inbound_then_its_outbound_nickname() {
    for (options, expected) in [
        (&[][..], "requested 387 None"),
        (
            &[("outbound.nickname", "out")],
            "requested 387 Some(\"out\")",
        ),
        (
            &[("outbound.nickname", "out"), ("inbound.nickname", "in")],
            "requested 387 Some(\"in\")",
        ),
    ] {
        let lines = run(Sender::Application, &[Step::Bytes(&create(options))]);
        assert_eq!(lines, [expected]);
    }
    let mut broken = create(&[("inbound.nickname", "aXb")]);
    let at = broken.iter().position(|byte| *byte == b'X').unwrap();
    broken[at] = 0xff;
    let lines = run(Sender::Application, &[Step::Bytes(&broken)]);
    assert_eq!(lines, ["requested 387 Some(\"a\u{fffd}b\")"]);
}

#[test]
fn payloads_that_are_no_gzip_are_told_and_the_next_one_is_read() {
    let mut bytes = frame(&Message::MessagePayload {
        session: 1,
        message_id: 2,
        payload: b"plain",
    });
    bytes.extend(deliver(3, &vec![0; 1_000_000]));
    bytes.extend(deliver(4, &[0x52, 1, 2, 3]));
    assert_eq!(
        run(Sender::Router, &[Step::Bytes(&bytes)]),
        [
            "unreadable from Router 0001: 5 bytes that do not begin with the gzip header 1f 8b 08",
            "unreadable from Router 1234: more than 65536 bytes after decompression",
            "delivered 1234 id 4 protocol 0: 52010203",
        ]
    );
}

#[test]
fn a_body_that_is_not_as_its_type_asks_is_a_bad_frame_at_its_offset() {
    let mut bytes = deliver(4, &[0x52, 1, 2, 3]);
    let offset = bytes.len();
    bytes.extend_from_slice(&[0, 0, 0, 4, 31, 1, 2, 3, 4]);
    bytes.extend_from_slice(&[0, 0, 0, 1, 200, 0]);
    assert_eq!(
        run(Sender::Router, &[Step::Bytes(&bytes)])[1..],
        [
            format!(
                "bad frame from Router at {offset}: body of MessagePayload, 4 bytes, is not as its type asks"
            ),
            "Router type 0xc8".into(),
        ]
    );
}

#[test]
fn a_length_beyond_65535_is_told_once_and_the_place_is_found_again() {
    for length in [65_536_u32, 0x7fff_ffff, 0xffff_ffff] {
        let mut bytes = deliver(4, &[0x52, 1, 2, 3]);
        let offset = bytes.len();
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&[31, 1, 2, 3]);
        for id in 5..8 {
            bytes.extend(deliver(id, &[0x52, 1, 2, 3]));
        }
        let mut expected = vec![
            "delivered 1234 id 4 protocol 0: 52010203".to_owned(),
            format!("Router: length {length} at offset {offset} is that of no message"),
            format!("Router: skipped 8 bytes from offset {offset} in search of the next message"),
        ];
        expected.extend((5..8).map(|id| format!("delivered 1234 id {id} protocol 0: 52010203")));
        assert_eq!(run(Sender::Router, &[Step::Bytes(&bytes)]), expected);
    }
}

#[test]
fn only_the_application_sends_a_protocol_byte_and_only_once() {
    let date = frame(&Message::GetBandwidthLimits);
    let mut bytes = vec![0x2a, 0x2a];
    bytes.extend_from_slice(&date);
    let lines = run(Sender::Application, &[Step::Bytes(&bytes)]);
    assert!(lines[0].contains("is that of no message"), "{lines:?}");
    let lines = run(Sender::Router, &[Step::Bytes(&bytes[1..])]);
    assert!(lines[0].contains("is that of no message"), "{lines:?}");
    let lines = run(Sender::Application, &[Step::Bytes(&date)]);
    assert_eq!(lines, ["Application GetBandwidthLimits"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn chunks_never_matter_and_arbitrary_bytes_never_panic(
        noise in prop::collection::vec(any::<u8>(), 0..100),
        at in any::<prop::sample::Index>(),
        mid_stream in any::<bool>(),
        size in 1_usize..50,
    ) {
        for (sender, frames) in sides() {
            let mut bytes = bytes_of(&frames);
            let at = at.index(bytes.len());
            bytes.splice(at..at, noise.iter().copied());
            let start = mid_stream.then_some(Step::Gap(None));
            let whole: Vec<_> = start.into_iter().chain([Step::Bytes(&bytes)]).collect();
            let chunks: Vec<_> = start
                .into_iter()
                .chain(bytes.chunks(size).map(Step::Bytes))
                .collect();
            prop_assert_eq!(run(sender, &whole), run(sender, &chunks));
        }
    }
}
