use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::carrier::Extent;
use crate::carrier::i2cp::gzip::Deflater;
use crate::carrier::i2cp::{Mapping, Message, SessionStatus, encode_mapping};
use crate::carrier::length_prefixed::encode_prefix;
use crate::dissect::recognise::PROTOCOL;
use crate::wire::Destination;

const U32: CarrierVerdict = CarrierVerdict::LengthPrefixed(Prefix::U32);
const U16: CarrierVerdict = CarrierVerdict::LengthPrefixed(Prefix::U16);
const I2CP: CarrierVerdict = CarrierVerdict::I2cp {
    application: FlowDirection::Forward,
};

/// Bytes of one direction, as one segment or datagram.
type Sent = (FlowDirection, Vec<u8>);

fn destination() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..384_u32)
        .map(|i| u8::try_from(i * 7 % 256).unwrap())
        .collect();
    bytes.extend_from_slice(&[0, 0, 0]);
    bytes
}

fn message(head: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut message = head.to_vec();
    message.extend_from_slice(payload);
    message
}

fn syn() -> Vec<u8> {
    message([0xa1, 0x11, 0x11, 0x11], &destination())
}

/// A whole conversation with a ping and an unknown type in it.
fn conversation() -> Vec<Sent> {
    use FlowDirection::{Backward, Forward};
    vec![
        (Forward, syn()),
        (
            Backward,
            message([0x51, 0x11, 0x11, 0x11], &[0xff, 0xfe, 0xfd]),
        ),
        (
            Forward,
            message([0xa0, 0xff, 0xfe, 0xfd], b"GET / HTTP/1.0\r\n\r\n"),
        ),
        (Forward, vec![0xff]),
        (
            Backward,
            message([0x50, 0x11, 0x11, 0x11], b"HTTP/1.0 200 OK\r\n\r\n"),
        ),
        (Forward, message([0xa5, 0xff, 0xfe, 0xfd], b"unknown")),
        (Backward, message([0x50, 0x11, 0x11, 0x11], b"page")),
        (
            Forward,
            message([0xa0, 0xff, 0xfe, 0xfd], b"GET /2 HTTP/1.0\r\n\r\n"),
        ),
        (Backward, message([0x50, 0x11, 0x11, 0x11], b"page 2")),
        (Backward, message([0x52, 0x11, 0x11, 0x11], &[])),
    ]
}

fn prefixed(prefix: Prefix, sent: &[Sent]) -> Vec<Sent> {
    sent.iter()
        .map(|(from, message)| {
            let mut bytes = Vec::new();
            encode_prefix(prefix, message.len(), &mut bytes).unwrap();
            bytes.extend_from_slice(message);
            (*from, bytes)
        })
        .collect()
}

fn frame(message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(&mut out).unwrap();
    out
}

/// The same conversation as the application and its router see it on I2CP.
fn i2cp(sent: &[Sent]) -> Vec<Sent> {
    use FlowDirection::{Backward, Forward};
    let destination = destination();
    let destination = Destination::split(&destination).unwrap().0;
    let mut options = Vec::new();
    encode_mapping([("inbound.nickname", "cli")], &mut options).unwrap();
    let date = frame(&Message::GetDate {
        version: Some(b"0.8.8"),
        authentication: &[],
    });
    let create = frame(&Message::CreateSession {
        destination,
        options: Mapping::parse(&options[2..]).unwrap(),
        date_ms: 0x0000_01a2_0722_dde7,
        signature: &[0x5a; 40],
    });
    let set_date = frame(&Message::SetDate {
        date_ms: 0x0000_01a2_0722_dde7,
        version: Some(b"0.8.8"),
    });
    let created = frame(&Message::SessionStatus {
        session: 7,
        status: SessionStatus::CREATED,
    });
    let mut flow = vec![
        (Forward, vec![0x2a]),
        (Forward, date),
        (Backward, set_date),
        (Forward, create),
        (Backward, created),
    ];
    for (from, message) in sent {
        let mut payload = Vec::new();
        Deflater::new().deflate(message, &mut payload);
        let bytes = match from {
            Forward => frame(&Message::SendMessage {
                session: 7,
                destination,
                payload: &payload,
                nonce: 0x0102_0304,
            }),
            Backward => frame(&Message::MessagePayload {
                session: 7,
                message_id: 9,
                payload: &payload,
            }),
        };
        flow.push((*from, bytes));
    }
    flow
}

/// Every carrier over TCP with its verdict.
fn carriers(sent: &[Sent]) -> Vec<(CarrierVerdict, Vec<Sent>)> {
    vec![
        (U32, prefixed(Prefix::U32, sent)),
        (U16, prefixed(Prefix::U16, sent)),
        (CarrierVerdict::Segments, sent.to_vec()),
        (I2CP, i2cp(sent)),
    ]
}

fn bytes_piece(from: FlowDirection, bytes: &[u8], extent: Extent) -> Piece<'_> {
    Piece::Bytes {
        from,
        bytes,
        extent,
    }
}

/// The verdict on a whole flow whose beginning was seen.
fn verdict(flow: &[Sent]) -> CarrierVerdict {
    let mut detector = Detector::new(PROTOCOL);
    for (from, bytes) in flow {
        detector.push(bytes_piece(*from, bytes, Extent::WholeSegment), ());
    }
    detector.finish()
}

/// The verdict on a flow of which the capture begins at byte `start` of
/// segment `first`.
fn verdict_from(flow: &[Sent], first: usize, start: usize) -> CarrierVerdict {
    let mut detector = Detector::new(PROTOCOL);
    for from in FlowDirection::BOTH {
        detector.push(
            Piece::Gap {
                from,
                missing: None,
            },
            (),
        );
    }
    for (number, (from, bytes)) in flow.iter().enumerate().skip(first) {
        if number == first && start > 0 {
            let rest = bytes_piece(*from, &bytes[start..], Extent::PartOfSegment);
            detector.push(rest, ());
        } else {
            detector.push(bytes_piece(*from, bytes, Extent::WholeSegment), ());
        }
    }
    detector.finish()
}

fn udp_verdict(flow: &[Sent]) -> CarrierVerdict {
    let mut detector = UdpDetector::new(PROTOCOL);
    for (from, payload) in flow {
        detector.push(*from, payload, payload.len(), ());
    }
    detector.finish()
}

#[test]
fn every_carrier_is_told_from_every_other_at_its_first_message() {
    for (expected, flow) in carriers(&conversation()) {
        let mut detector = Detector::new(PROTOCOL);
        let needed = flow
            .iter()
            .position(|(from, bytes)| {
                let piece = bytes_piece(*from, bytes, Extent::WholeSegment);
                detector.push(piece, ()) != CarrierVerdict::NeedMore
            })
            .unwrap();
        assert_eq!(detector.verdict(), expected);
        assert!(needed <= 2, "{expected:?} took {needed} segments");
    }
}

#[test]
fn byte_by_byte_every_carrier_but_the_segments_is_found() {
    for (expected, flow) in carriers(&conversation()) {
        let mut detector = Detector::new(PROTOCOL);
        for (from, bytes) in &flow {
            for byte in bytes.chunks(1) {
                detector.push(bytes_piece(*from, byte, Extent::WholeSegment), ());
            }
        }
        let expected = match expected {
            CarrierVerdict::Segments => CarrierVerdict::Foreign,
            found => found,
        };
        assert_eq!(detector.finish(), expected);
    }
}

#[test]
fn a_capture_of_one_direction_is_enough() {
    for from in FlowDirection::BOTH {
        for (expected, flow) in carriers(&conversation()) {
            let one: Vec<_> = flow.into_iter().filter(|sent| sent.0 == from).collect();
            assert_eq!(verdict(&one), expected, "{from:?}");
        }
    }
}

#[test]
fn the_application_of_i2cp_is_found_on_either_side() {
    let turned: Vec<_> = i2cp(&conversation())
        .into_iter()
        .map(|(from, bytes)| (from.reversed(), bytes))
        .collect();
    let application = FlowDirection::Backward;
    assert_eq!(verdict(&turned), CarrierVerdict::I2cp { application });
    for first in 0..turned.len() - 3 {
        let found = verdict_from(&turned, first, 0);
        assert_eq!(found, CarrierVerdict::I2cp { application }, "from {first}");
    }
}

#[test]
fn a_capture_that_begins_anywhere_is_recognised() {
    for (expected, flow) in carriers(&conversation()) {
        // Behind 2-byte lengths it takes more messages to prove a place.
        let too_few = if expected == U16 { 5 } else { 3 };
        for first in 0..flow.len() - too_few {
            let length = flow[first].1.len();
            let interesting =
                |start: &usize| *start < 10 || start.is_multiple_of(13) || length - *start < 10;
            for start in (0..length).filter(interesting) {
                let found = verdict_from(&flow, first, start);
                assert_eq!(found, expected, "{expected:?} from {first}+{start}");
            }
        }
    }
}

#[test]
fn a_single_syn_is_enough_on_every_carrier() {
    let only = &conversation()[..1];
    for (expected, flow) in carriers(only) {
        assert_eq!(verdict(&flow), expected);
    }
    assert_eq!(udp_verdict(only), CarrierVerdict::Datagrams);
}

#[test]
fn a_single_syn_decides_at_once_in_the_middle_of_a_connection() {
    let missed = Piece::Gap {
        from: FlowDirection::Forward,
        missing: None,
    };
    for prefix in Prefix::ALL {
        let [(from, segment)] = &prefixed(prefix, &conversation()[..1])[..] else {
            panic!("one message is one segment");
        };
        // Behind a length of 2 bytes it proves too little.
        let found_at_once = match prefix {
            Prefix::U32 => CarrierVerdict::LengthPrefixed(prefix),
            Prefix::U16 => CarrierVerdict::NeedMore,
        };
        for (extent, expected) in [
            (Extent::WholeSegment, found_at_once),
            (Extent::PartOfSegment, CarrierVerdict::NeedMore),
        ] {
            let mut detector = Detector::new(PROTOCOL);
            detector.push(missed, ());
            let found = detector.push(bytes_piece(*from, segment, extent), ());
            assert_eq!(found, expected, "{extent:?}");
        }
    }
}

#[test]
fn a_first_message_of_unknown_type_does_not_hide_the_later_ones() {
    let mut sent = vec![(FlowDirection::Forward, message([0x77, 1, 2, 3], b"strange"))];
    sent.extend(conversation());
    for (expected, flow) in carriers(&sent) {
        assert_eq!(verdict(&flow), expected);
    }
    assert_eq!(udp_verdict(&sent), CarrierVerdict::Datagrams);
}

#[test]
fn pings_before_anything_else_do_not_hide_the_conversation() {
    let mut sent = vec![(FlowDirection::Forward, vec![0xff]); 5];
    sent.extend(conversation());
    for (expected, flow) in carriers(&sent) {
        assert_eq!(verdict(&flow), expected);
    }
    assert_eq!(udp_verdict(&sent), CarrierVerdict::Datagrams);
}

#[test]
fn a_length_in_a_segment_of_its_own_is_no_segment_carrier() {
    for (prefix, expected) in [(Prefix::U32, U32), (Prefix::U16, U16)] {
        let flow: Vec<_> = prefixed(prefix, &conversation())
            .into_iter()
            .flat_map(|(from, mut bytes)| {
                let message = bytes.split_off(prefix.bytes());
                [(from, bytes), (from, message)]
            })
            .collect();
        assert_eq!(verdict(&flow), expected);
        assert_eq!(verdict_from(&flow, 0, 0), expected);
    }
}

#[test]
fn a_gap_in_the_first_message_does_not_hide_the_carrier() {
    for (expected, flow) in [
        (U32, prefixed(Prefix::U32, &conversation())),
        (U16, prefixed(Prefix::U16, &conversation())),
    ] {
        let mut detector = Detector::new(PROTOCOL);
        let (from, first) = &flow[0];
        let missing = Some(100);
        detector.push(bytes_piece(*from, &first[..50], Extent::PartOfSegment), ());
        detector.push(
            Piece::Gap {
                from: *from,
                missing,
            },
            (),
        );
        detector.push(bytes_piece(*from, &first[150..], Extent::PartOfSegment), ());
        for (from, bytes) in &flow[1..] {
            detector.push(bytes_piece(*from, bytes, Extent::WholeSegment), ());
        }
        assert_eq!(detector.finish(), expected);
    }
}

/// Requests and answers of protocols that are not ours.
fn foreign_tcp() -> Vec<(&'static str, Vec<Sent>)> {
    use FlowDirection::{Backward, Forward};
    let text = |lines: &[(FlowDirection, &str)]| -> Vec<Sent> {
        lines
            .iter()
            .map(|(from, line)| (*from, line.as_bytes().to_vec()))
            .collect()
    };
    let hex = |lines: &[(FlowDirection, &str)]| -> Vec<Sent> {
        lines
            .iter()
            .map(|(from, line)| (*from, hex::decode(line.replace(' ', "")).unwrap()))
            .collect()
    };
    vec![
        (
            "HTTP",
            text(&[
                (Forward, "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"),
                (
                    Backward,
                    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
                ),
                (Forward, "POST /form HTTP/1.1\r\nHost: example.com\r\n\r\n"),
                (Backward, "HTTP/1.1 404 Not Found\r\n\r\n"),
            ]),
        ),
        (
            "HTTP, posts only",
            text(&[
                (Forward, "POST /a HTTP/1.1\r\n\r\n"),
                (Forward, "POST /b HTTP/1.1\r\n\r\n"),
                (Forward, "POST /c HTTP/1.1\r\n\r\n"),
                (Forward, "POST /d HTTP/1.1\r\n\r\n"),
            ]),
        ),
        (
            "HTTP/2",
            hex(&[
                (
                    Forward,
                    "505249202a20485454502f322e300d0a0d0a534d0d0a0d0a 00001204000000000000",
                ),
                (
                    Backward,
                    "000006040000000000000500004000 000000040100000000",
                ),
            ]),
        ),
        (
            "TLS",
            hex(&[
                (
                    Forward,
                    "1603010200010001fc0303 5a0d8e1fc2a09b5051523fa0a1a25051520000000000000000000000000000 20",
                ),
                (
                    Backward,
                    "160303007a0200007603035051 52a0a1a2ff00112233445566778899aabbccddeeff00112233445566778899",
                ),
                (Forward, "140303000101 1703030045a0a1a25051525051"),
            ]),
        ),
        (
            "SSH",
            text(&[
                (Forward, "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"),
                (Backward, "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"),
                (
                    Forward,
                    "\0\0\x05\x14\x0a\x14abcdefghijklmnop\0\0\x01\x09curve25519-sha256",
                ),
            ]),
        ),
        (
            "redis",
            text(&[
                (Forward, "*1\r\n$4\r\nPING\r\n"),
                (Backward, "+PONG\r\n"),
                (Forward, "*2\r\n$3\r\nGET\r\n$1\r\na\r\n"),
                (Backward, "$-1\r\n"),
            ]),
        ),
        (
            "redis, one request",
            text(&[(Forward, "*1\r\n$4\r\nPING\r\n")]),
        ),
        (
            "SMTP",
            text(&[
                (Backward, "220 mail.example.com ESMTP\r\n"),
                (Forward, "EHLO x\r\n"),
                (Backward, "250 OK\r\n"),
                (Forward, "QUIT\r\n"),
            ]),
        ),
        (
            "POP3, capture of the client",
            text(&[
                (Forward, "PASS secret\r\n"),
                (Forward, "RETR 1\r\n"),
                (Forward, "RETR 2\r\n"),
                (Forward, "QUIT\r\n"),
            ]),
        ),
        (
            "IRC",
            text(&[
                (Backward, "PING :one\r\n"),
                (Backward, "PING :two\r\n"),
                (Backward, "PING :three\r\n"),
                (Backward, "PING :four\r\n"),
            ]),
        ),
        (
            "PostgreSQL",
            hex(&[
                (
                    Forward,
                    "00000029 00030000 7573657200706f7374677265730064617461626173650078780000 00",
                ),
                (
                    Backward,
                    "5200000017 0000000a 534352414d2d5348412d3235360000",
                ),
                (
                    Forward,
                    "7000000036 534352414d2d5348412d32353600 00000020 6e2c2c6e3d2c723d61626364",
                ),
            ]),
        ),
        (
            "MySQL",
            hex(&[
                (
                    Backward,
                    "4a0000000a382e302e333600 0800000050515253 5455565700ffff",
                ),
                (Forward, "20000001 85a67f0000000001 2100"),
            ]),
        ),
        (
            "DNS",
            hex(&[
                (
                    Forward,
                    "001c a012 01000001000000000000 076578616d706c6503636f6d0000010001",
                ),
                (
                    Backward,
                    "002c a012 81800001000100000000 076578616d706c6503636f6d0000010001c00c000100010000003c00045db8d822",
                ),
            ]),
        ),
        (
            "DNS, two questions",
            hex(&[
                (
                    Forward,
                    "001c 5012 01000001000000000000 076578616d706c6503636f6d0000010001",
                ),
                (
                    Forward,
                    "001c a0f3 01000001000000000000 076578616d706c6503636f6d00001c0001",
                ),
                (
                    Backward,
                    "001c 5012 81830001000000000000 076578616d706c6503636f6d0000010001",
                ),
                (
                    Backward,
                    "001c a0f3 81830001000000000000 076578616d706c6503636f6d00001c0001",
                ),
            ]),
        ),
        (
            "SMB",
            hex(&[
                (
                    Forward,
                    "0000002f ff534d4272000000001801280000000000000000000000000000ffff00000000000c00024e54204c4d20302e313200",
                ),
                (
                    Backward,
                    "00000023 ff534d4272000000009801280000000000000000000000000000ffff0000000000000000",
                ),
                (
                    Forward,
                    "00000023 ff534d4273000000009801280000000000000000000000000000ffff0000000000000000",
                ),
                (
                    Backward,
                    "00000023 ff534d4273000000009801280000000000000000000000000000ffff0000000000000000",
                ),
            ]),
        ),
        (
            "BitTorrent",
            hex(&[
                (
                    Forward,
                    "13426974546f7272656e742070726f746f636f6c00000000000000005051525051525051",
                ),
                (
                    Backward,
                    "13426974546f7272656e742070726f746f636f6c0000000000000000a0a1a2a0a1a2a0a1",
                ),
                (
                    Forward,
                    "000000050400000001 00000001 02 0000000d06000000000000000000004000",
                ),
            ]),
        ),
        (
            "zeros",
            vec![(Forward, vec![0; 20_000]), (Backward, vec![0; 20_000])],
        ),
        (
            "ff",
            vec![
                (Forward, vec![0xff; 20_000]),
                (Backward, vec![0xff; 20_000]),
            ],
        ),
        (
            "P",
            vec![
                (Forward, vec![0x50; 90_000]),
                (Backward, vec![0x50; 90_000]),
            ],
        ),
        (
            "a0",
            vec![
                (Forward, vec![0xa0; 90_000]),
                (Backward, vec![0xa0; 90_000]),
            ],
        ),
        ("nothing", vec![]),
        ("nothing in one segment", vec![(Forward, vec![])]),
    ]
}

#[test]
fn other_protocols_are_foreign_however_they_are_cut_and_wherever_they_begin() {
    for (name, flow) in foreign_tcp() {
        assert_eq!(verdict(&flow), CarrierVerdict::Foreign, "{name}");
        assert_eq!(verdict_from(&flow, 0, 0), CarrierVerdict::Foreign, "{name}");
        let mut detector = Detector::new(PROTOCOL);
        for (from, bytes) in &flow {
            for chunk in bytes.chunks(97) {
                detector.push(bytes_piece(*from, chunk, Extent::PartOfSegment), ());
            }
        }
        assert_eq!(detector.finish(), CarrierVerdict::Foreign, "{name}");
        for (first, (_, bytes)) in flow.iter().enumerate() {
            let starts = if bytes.len() > 1_000 { 4 } else { bytes.len() };
            for start in (0..starts).step_by(3) {
                assert_eq!(
                    verdict_from(&flow, first, start),
                    CarrierVerdict::Foreign,
                    "{name} from {first}+{start}"
                );
            }
        }
    }
}

#[test]
fn text_and_tls_are_refused_before_they_fill_memory() {
    for (name, flow) in foreign_tcp() {
        let at_once = [
            "HTTP",
            "HTTP/2",
            "TLS",
            "SSH",
            "redis",
            "PostgreSQL",
            "MySQL",
        ];
        if !at_once.contains(&name) {
            continue;
        }
        let mut detector = Detector::new(PROTOCOL);
        let mut fed = 0;
        for (from, bytes) in flow.iter().cycle() {
            fed += bytes.len();
            let piece = bytes_piece(*from, bytes, Extent::WholeSegment);
            if detector.push(piece, ()) != CarrierVerdict::NeedMore {
                break;
            }
        }
        assert_eq!(detector.verdict(), CarrierVerdict::Foreign, "{name}");
        assert!(fed < 1_000, "{name} took {fed} bytes");
    }
}

#[test]
fn what_stays_doubtful_is_foreign_when_the_bounds_are_reached() {
    let mut detector = Detector::new(PROTOCOL);
    detector.push(
        Piece::Gap {
            from: FlowDirection::Forward,
            missing: None,
        },
        (),
    );
    let mut fed = 0;
    while detector.verdict() == CarrierVerdict::NeedMore {
        let piece = bytes_piece(
            FlowDirection::Forward,
            &[0x33; 1_000],
            Extent::PartOfSegment,
        );
        detector.push(piece, ());
        fed += 1_000;
    }
    assert_eq!((detector.verdict(), fed), (CarrierVerdict::Foreign, 99_000));
    let mut held = 0;
    let Ok(()) = detector.replay(|_, ()| -> Result<(), Infallible> {
        held += 1;
        Ok(())
    });
    assert_eq!(held, 0, "nothing is held of a foreign flow");

    let mut detector = Detector::new(PROTOCOL);
    let gap = Piece::Gap {
        from: FlowDirection::Forward,
        missing: None,
    };
    let pushed = (1..).find(|_| detector.push(gap, ()) == CarrierVerdict::Foreign);
    assert_eq!(pushed, Some(MAX_HELD_PIECES + 1));
}

#[test]
fn long_data_messages_in_mid_stream_fit_in_what_is_held() {
    for (prefix, expected) in [(Prefix::U32, U32), (Prefix::U16, U16)] {
        let sent: Vec<_> = (0..4)
            .map(|i| {
                (
                    FlowDirection::Backward,
                    message([0x50, 1, 2, 3], &[i; 32_768]),
                )
            })
            .collect();
        let flow = prefixed(prefix, &sent);
        assert_eq!(verdict_from(&flow, 0, 0), expected);
    }
}

#[test]
fn pieces_come_back_in_order_with_their_tokens() {
    let flow = prefixed(Prefix::U32, &conversation()[..1]);
    let (from, bytes) = &flow[0];
    let (head, tail) = bytes.split_at(100);
    let pieces = [
        Piece::Gap {
            from: FlowDirection::Backward,
            missing: Some(3),
        },
        bytes_piece(*from, head, Extent::PartOfSegment),
        Piece::End {
            from: FlowDirection::Backward,
        },
        bytes_piece(*from, tail, Extent::WholeSegment),
    ];
    let mut detector = Detector::new(PROTOCOL);
    for (token, piece) in pieces.into_iter().enumerate() {
        detector.push(piece, token);
    }
    assert_eq!(detector.verdict(), U32);
    // After the verdict nothing is held any more.
    detector.push(pieces[0], 99);
    let mut next = 0;
    let Ok(()) = detector.replay(|piece, token| -> Result<(), Infallible> {
        assert_eq!((token, piece), (next, pieces[next]));
        next += 1;
        Ok(())
    });
    assert_eq!(next, pieces.len());
}

#[test]
fn expected_i2cp_is_i2cp_whatever_comes_and_finds_the_application() {
    let flow = i2cp(&conversation());
    for turned in [false, true] {
        let mut detector = Detector::expecting_i2cp(PROTOCOL);
        let turn = |from: FlowDirection| if turned { from.reversed() } else { from };
        for from in FlowDirection::BOTH {
            detector.push(
                Piece::Gap {
                    from,
                    missing: None,
                },
                (),
            );
        }
        for (from, bytes) in &flow[4..] {
            detector.push(bytes_piece(turn(*from), bytes, Extent::WholeSegment), ());
        }
        let application = turn(FlowDirection::Forward);
        assert_eq!(detector.finish(), CarrierVerdict::I2cp { application });
    }
    let mut detector = Detector::expecting_i2cp(PROTOCOL);
    for (from, bytes) in &foreign_tcp()[0].1 {
        detector.push(bytes_piece(*from, bytes, Extent::WholeSegment), ());
    }
    assert_eq!(detector.finish(), I2CP);
}

#[test]
fn a_stream_of_another_protocol_shows_what_it_has_of_ours_and_on_which_carrier() {
    let opening = (
        FlowDirection::Forward,
        message([0xa1, 0x81, 0x71, 0x61], &[7; 40]),
    );
    let expected = Trace {
        openings: 1,
        fitting: 0,
        unfitting: 0,
        to_server: FlowDirection::Forward,
    };
    for (carrier, sent) in [
        (
            Carrier::TcpU32,
            prefixed(Prefix::U32, std::slice::from_ref(&opening)),
        ),
        (
            Carrier::TcpU16,
            prefixed(Prefix::U16, std::slice::from_ref(&opening)),
        ),
        (Carrier::Segment, vec![opening.clone()]),
    ] {
        let mut detector = Detector::new(PROTOCOL);
        for (from, bytes) in &sent {
            detector.push(bytes_piece(*from, bytes, Extent::WholeSegment), ());
        }
        assert_eq!(detector.finish(), CarrierVerdict::Foreign);
        assert_eq!(detector.trace(), Some((carrier, expected)));
    }
}

#[test]
fn datagrams_in_mid_stream_are_recognised_by_their_ids() {
    let data = |id: u8, body: &[u8]| (FlowDirection::Forward, message([0xa0, id, 2, 3], body));
    let answer = |body: &[u8]| (FlowDirection::Backward, message([0x50, 7, 8, 9], body));
    let close = (FlowDirection::Forward, message([0xa2, 9, 2, 3], &[]));
    let another = (FlowDirection::Forward, message([0xa2, 8, 7, 6], &[]));
    let ack = (
        FlowDirection::Backward,
        message([0x51, 1, 2, 3], &[4, 5, 6]),
    );
    let announced = (FlowDirection::Forward, message([0xa0, 4, 5, 6], b"x"));
    for (flow, expected) in [
        (
            vec![data(9, b"one"), answer(b"1"), data(9, b"two"), answer(b"2")],
            CarrierVerdict::Datagrams,
        ),
        // A constant header, perhaps.
        (
            vec![data(9, b"one"), data(9, b"two"), data(9, b"three")],
            CarrierVerdict::Foreign,
        ),
        (
            vec![data(9, b"one"), close.clone()],
            CarrierVerdict::Datagrams,
        ),
        // Bytes that have nothing but their length in common with a message are one of many.
        (vec![ack.clone(), close.clone()], CarrierVerdict::Foreign),
        (
            vec![ack.clone(), close.clone(), another],
            CarrierVerdict::Datagrams,
        ),
        (
            vec![ack.clone(), announced.clone()],
            CarrierVerdict::Datagrams,
        ),
        (vec![announced, ack.clone()], CarrierVerdict::Foreign),
        (vec![ack], CarrierVerdict::Foreign),
        // A single one, the same one again, or two without anything in common.
        (vec![data(9, b"one")], CarrierVerdict::Foreign),
        (
            vec![data(9, b"one"), data(9, b"one"), data(9, b"one")],
            CarrierVerdict::Foreign,
        ),
        (
            vec![data(9, b"one"), data(8, b"two"), data(7, b"three")],
            CarrierVerdict::Foreign,
        ),
        (vec![close], CarrierVerdict::Foreign),
        (
            vec![(FlowDirection::Forward, vec![0xff]); 4],
            CarrierVerdict::Foreign,
        ),
        (vec![], CarrierVerdict::Foreign),
    ] {
        assert_eq!(udp_verdict(&flow), expected, "{flow:02x?}");
    }
}

#[test]
fn other_datagrams_are_foreign() {
    use FlowDirection::{Backward, Forward};
    let hex = |from, text: &str| (from, hex::decode(text.replace(' ', "")).unwrap());
    for (name, flow) in [
        (
            "DNS",
            vec![
                hex(
                    Forward,
                    "a012 01000001000000000000 076578616d706c6503636f6d0000010001",
                ),
                hex(
                    Forward,
                    "a012 01000001000000000000 076578616d706c6503636f6d0000010001",
                ),
                hex(
                    Backward,
                    "a012 81800001000100000000 076578616d706c6503636f6d0000010001c00c000100010000003c00045db8d822",
                ),
            ],
        ),
        (
            "mDNS",
            vec![hex(
                Forward,
                "0000 84000000000100000000 055f68747470045f746370056c6f63616c00000c0001",
            )],
        ),
        (
            "NTP",
            vec![
                hex(Forward, "1b0000000000000000000000000000000000000000000000"),
                hex(Backward, "1c0203e80000001200000a0cc0a80001e5d1a0a150515253"),
            ],
        ),
        (
            "QUIC",
            vec![
                hex(
                    Forward,
                    "c300000001 08 5051525354555657 00 00 449e a0a1a2a3a4a5a6a7",
                ),
                hex(
                    Backward,
                    "cf00000001 00 08 a0a1a2a3a4a5a6a7 00 4075 5051525354",
                ),
                hex(Forward, "51a0a1a2a3a4a5a6a7 0011223344"),
                hex(Forward, "43a0a1a2a3a4a5a6a7 5566778899"),
            ],
        ),
        ("NAT keep-alives", vec![hex(Forward, "ff"); 40]),
        (
            "RTP with padding",
            (0..40_u8)
                .map(|i| {
                    (
                        Forward,
                        vec![0xa0, 0x60, 0x10, i, 0, 0, 0, i, 1, 2, 3, 4, i],
                    )
                })
                .collect(),
        ),
        (
            "text",
            vec![
                (Forward, b"PING one".to_vec()),
                (Forward, b"PING two".to_vec()),
                (Forward, b"PING three".to_vec()),
                (Forward, b"PING four".to_vec()),
            ],
        ),
        ("empty datagrams", vec![(Forward, vec![]); 40]),
    ] {
        assert_eq!(udp_verdict(&flow), CarrierVerdict::Foreign, "{name}");
    }
}

#[test]
fn a_datagram_that_the_snap_length_cut_counts_by_its_whole_length() {
    let mut detector = UdpDetector::new(PROTOCOL);
    detector.push(FlowDirection::Forward, &syn()[..200], 391, ());
    assert_eq!(
        detector.verdict(),
        CarrierVerdict::NeedMore,
        "its destination is not known"
    );
    detector.push(
        FlowDirection::Backward,
        &[0x51, 0x11, 0x11, 0x11, 1, 2, 3],
        7,
        (),
    );
    assert_eq!(detector.verdict(), CarrierVerdict::Datagrams);
    let mut held = Vec::new();
    let Ok(()) = detector.replay(|from, payload, ()| -> Result<(), Infallible> {
        held.push((from, payload.len()));
        Ok(())
    });
    assert_eq!(
        held,
        [(FlowDirection::Forward, 200), (FlowDirection::Backward, 7)]
    );
}

#[test]
fn a_detector_counts_itself_and_what_it_holds_and_remembers() {
    let mut detector = UdpDetector::new(PROTOCOL);
    let mut held = held::Held::new();
    let mut evidence = evidence::Evidence::new(PROTOCOL, evidence::Framing::Any);
    for i in 1..=3 {
        let from = FlowDirection::Forward;
        let datagram = message([0x50, i, i, i], &[i; 1_000]);
        let verdict = detector.push(from, &datagram, datagram.len(), ());
        assert_eq!(verdict, CarrierVerdict::NeedMore);
        held.push(bytes_piece(from, &datagram, Extent::WholeSegment), ());
        evidence.weigh(from, &datagram, datagram.len());
        let beside = held.memory_bytes() + evidence.held_bytes();
        assert!(evidence.held_bytes() > 0 && held.memory_bytes() > 1_000);
        assert_eq!(detector.held_bytes(), size_of_val(&detector) + beside);
    }

    // A message that is not whole waits in two decoders, too: a router's I2CP has such lengths.
    let detector_bytes = |length: usize| {
        let from = FlowDirection::Forward;
        let mut bytes = prefixed(Prefix::U32, &[(from, vec![0xa1; 9_000])])
            .remove(0)
            .1;
        bytes.truncate(length);
        let mut detector = Detector::new(PROTOCOL);
        let verdict = detector.push(bytes_piece(from, &bytes, Extent::PartOfSegment), ());
        assert_eq!(verdict, CarrierVerdict::NeedMore);
        detector.held_bytes()
    };
    let few = detector_bytes(1_000);
    assert!((size_of::<Detector<()>>() + 3_000..6_000).contains(&few));
    assert_eq!(detector_bytes(8_000) - few, 3 * 7_000);
}

#[test]
fn an_opening_without_an_answer_is_held_until_there_is_too_much() {
    let from = FlowDirection::Forward;
    let opening = message([0xa1, 0x81, 0x71, 0x61], &[7; 1_000]);
    let datagram = |detector: &mut UdpDetector<()>| {
        detector.push(from, &opening, opening.len(), ());
        detector.unanswered().map(|unanswered| unanswered.verdict())
    };
    let mut detector = UdpDetector::new(PROTOCOL);
    let expected = Some(CarrierVerdict::Datagrams);
    assert_eq!(datagram(&mut detector), expected);
    assert_eq!(detector.finish(), CarrierVerdict::Foreign);
    assert_eq!(detector.unanswered().map(|it| it.verdict()), expected);
    // The same again and again says nothing more.
    let mut detector = UdpDetector::new(PROTOCOL);
    while detector.verdict() == CarrierVerdict::NeedMore {
        let seen = datagram(&mut detector);
        let is_held = detector.verdict() == CarrierVerdict::NeedMore;
        assert_eq!(seen, expected.filter(|_| is_held));
    }
    assert_eq!(detector.verdict(), CarrierVerdict::Foreign);

    for (prefix, carrier) in [(Prefix::U32, U32), (Prefix::U16, U16)] {
        let bytes = prefixed(prefix, &[(from, opening.clone())]).remove(0).1;
        let segment = |detector: &mut Detector<()>| {
            detector.push(bytes_piece(from, &bytes, Extent::WholeSegment), ());
            detector.unanswered().map(|unanswered| unanswered.verdict())
        };
        let mut detector = Detector::new(PROTOCOL);
        assert_eq!(segment(&mut detector), Some(carrier));
        assert_eq!(detector.finish(), CarrierVerdict::Foreign);
        assert_eq!(detector.unanswered().map(|it| it.verdict()), Some(carrier));
        let mut detector = Detector::new(PROTOCOL);
        while detector.verdict() == CarrierVerdict::NeedMore {
            let seen = segment(&mut detector);
            let is_held = detector.verdict() == CarrierVerdict::NeedMore;
            assert_eq!(seen, Some(carrier).filter(|_| is_held));
        }
        assert_eq!(detector.verdict(), CarrierVerdict::Foreign);
    }
}

#[test]
fn datagrams_are_held_within_bounds() {
    for length in [5, 100, 1_000, 40_000] {
        let mut detector = UdpDetector::new(PROTOCOL);
        let datagram = |i: u32| {
            let [_, a, b, c] = i.to_be_bytes();
            let mut datagram = vec![0x50, a, b, c];
            datagram.resize(length, 0);
            datagram
        };
        let mut held = 0;
        let pushed = (1..1_000_000_u32).find(|i| {
            held += length + size_of::<(Extent, u64)>();
            detector.push(FlowDirection::Forward, &datagram(*i), length, 0_u64)
                == CarrierVerdict::Foreign
        });
        assert!(pushed.is_some(), "{length}");
        let bounds = MAX_HELD_BYTES / 3..=MAX_HELD_BYTES + 2 * length;
        assert!(bounds.contains(&held), "{length}: {held}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_bytes_are_foreign(
        segments in prop::collection::vec(
            (any::<bool>(), prop::collection::vec(any::<u8>(), 0..1_400)),
            0..8,
        ),
        mid_stream in any::<bool>(),
    ) {
        let flow: Vec<Sent> = segments
            .into_iter()
            .map(|(forward, bytes)| (if forward { FlowDirection::Forward } else { FlowDirection::Backward }, bytes))
            .collect();
        let found = if mid_stream { verdict_from(&flow, 0, 0) } else { verdict(&flow) };
        prop_assert_eq!(found, CarrierVerdict::Foreign);
        prop_assert_eq!(udp_verdict(&flow), CarrierVerdict::Foreign);
    }

    #[test]
    fn cuts_do_not_change_the_verdict(
        // Segments are what they are cut into.
        (expected, flow) in prop::sample::select(carriers(&conversation()))
            .prop_filter("not segments", |(verdict, _)| *verdict != CarrierVerdict::Segments),
        size in 1_usize..400,
        first in 0_usize..3,
        mid_stream in any::<bool>(),
    ) {
        let mut detector = Detector::new(PROTOCOL);
        let skipped = if mid_stream { first } else { 0 };
        for from in FlowDirection::BOTH.into_iter().filter(|_| mid_stream) {
            detector.push(Piece::Gap { from, missing: None }, ());
        }
        for (from, bytes) in &flow[skipped..] {
            for chunk in bytes.chunks(size) {
                detector.push(bytes_piece(*from, chunk, Extent::PartOfSegment), ());
            }
        }
        prop_assert_eq!(detector.finish(), expected);
    }
}
