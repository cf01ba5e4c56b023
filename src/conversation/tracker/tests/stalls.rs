//! Silence behind a full message: cases that may be the reference's leftover stall, and others that
//! look like it and are not.

use super::*;

const FULL: usize = 32_768;

/// Milliseconds of silence, then a message: who sends it, its type and payload.
type Sent<'a> = (i64, Side, u8, &'a [u8]);

/// The messages with `ms.leftover_stall` of a conversation with these messages behind its
/// handshake; `0` for one that is reported at the end of the capture, `after` ms later.
fn stalls(sent: &[Sent<'_>], after: i64) -> Vec<usize> {
    let mut watch = Watch::new();
    let channel = watch.channel(Carrier::TcpU32, ChannelStart::Captured);
    watch.pass(channel, A, &syn(1));
    watch.pass(channel, B, &ack(1, 2));
    let mut found = Vec::new();
    for (number, &(silence, from, frame_type, payload)) in (1..).zip(sent) {
        watch.wait(silence);
        let id = match from {
            A => 2,
            B => 1,
        };
        let told = watch.pass(channel, from, &message(frame_type, id, payload));
        if told.contains("[note ms.leftover_stall]") {
            found.push(number);
        }
    }
    watch.wait(after);
    let told = watch.finish();
    let is_late = |line: &String| line.starts_with("note ms.leftover_stall");
    found.extend(told.iter().filter(|line| is_late(line)).map(|_| 0));
    found
}

fn full() -> Vec<u8> {
    vec![7; FULL]
}

/// The head of an upload whose body has so many bytes, filled up to a full message.
fn upload(body: usize) -> Vec<u8> {
    let mut head = format!("PUT / HTTP/1.1\r\nContent-Length: {body}\r\n\r\n").into_bytes();
    let body = FULL - head.len();
    head.extend(vec![7; body]);
    head
}

fn head_bytes(body: usize) -> usize {
    format!("PUT / HTTP/1.1\r\nContent-Length: {body}\r\n\r\n").len()
}

#[test]
fn a_rest_that_comes_after_long_silence_is_found_before_the_close_and_before_more() {
    let full = full();
    for count in 1..4 {
        for (rest, ends) in [(8, true), (8, false), (FULL - 1, true), (1, false)] {
            let rest = vec![8; rest];
            let mut sent: Vec<Sent<'_>> = vec![(0, B, 0x50, &full); count];
            sent.push((5_000, B, 0x50, &rest));
            if ends {
                sent.push((0, B, 0x52, b""));
            }
            assert_eq!(stalls(&sent, 60_000), [count + 1], "{count} {}", rest.len());
        }
    }
}

#[test]
fn an_announced_rest_that_never_comes_is_found_at_the_close_or_at_the_end() {
    let full = full();
    for missing in [1, 8, FULL - 1] {
        let first = upload(2 * FULL - head_bytes(70_000) + missing);
        assert_eq!(first.len(), FULL);
        let sent: [Sent<'_>; 3] = [
            (0, A, 0xa0, &first),
            (0, A, 0xa0, &full),
            (200_000, B, 0x52, b""),
        ];
        assert_eq!(stalls(&sent, 0), [3], "{missing}");
        assert_eq!(stalls(&sent[..2], 60_000), [0], "{missing}");
    }
}

#[test]
fn conversations_that_only_end_a_write_at_a_full_message_have_no_finding() {
    let (full, short) = (full(), vec![8; 100]);
    let complete = upload(FULL - head_bytes(40_000));
    let far = upload(10 * FULL);
    let cases: [(&str, Vec<Sent<'_>>); 12] = [
        (
            "and are closed",
            vec![(0, B, 0x50, &full), (0, B, 0x52, b"")],
        ),
        (
            "and are closed by the other much later",
            vec![(0, B, 0x50, &full), (60_000, A, 0xa2, b"")],
        ),
        ("and stay open", vec![(0, B, 0x50, &full)]),
        (
            "and are answered",
            vec![(0, A, 0xa0, &full), (10_000, B, 0x50, &short)],
        ),
        (
            "and are asked for more",
            vec![
                (0, B, 0x50, &full),
                (10_000, A, 0xa0, &short),
                (10_000, B, 0x50, &short),
            ],
        ),
        (
            "and go on at once",
            vec![(0, B, 0x50, &full), (4_000, B, 0x50, &short)],
        ),
        (
            "in blocks, with pauses",
            vec![
                (0, B, 0x50, &full),
                (6_000, B, 0x50, &full),
                (6_000, B, 0x50, &full),
                (6_000, B, 0x50, &short),
                (0, B, 0x52, b""),
            ],
        ),
        (
            "and had no full one last",
            vec![
                (0, B, 0x50, &full),
                (0, B, 0x50, &short),
                (60_000, B, 0x50, &short),
            ],
        ),
        (
            "with all that was announced",
            vec![(0, A, 0xa0, &complete), (10_000, A, 0xa0, &short)],
        ),
        (
            "with all that was announced, and are closed by the other",
            vec![(0, A, 0xa0, &complete), (60_000, B, 0x52, b"")],
        ),
        (
            "with far more announced: the sender gave up",
            vec![(0, A, 0xa0, &far), (60_000, B, 0x52, b"")],
        ),
        (
            "and close themselves, which would send the rest first",
            vec![(0, A, 0xa0, &far), (60_000, A, 0xa2, b"")],
        ),
    ];
    for (what, sent) in cases {
        assert_eq!(stalls(&sent, 60_000), [0; 0], "{what}");
    }
}

#[test]
fn nothing_is_said_of_a_length_where_the_capture_has_gaps() {
    let mut watch = Watch::new();
    let channel = watch.channel(Carrier::TcpU32, ChannelStart::Captured);
    watch.pass(channel, A, &syn(1));
    watch.pass(channel, B, &ack(1, 2));
    watch.pass(channel, A, &message(0xa0, 2, &upload(FULL)));
    watch.tracker.note_gap(channel);
    watch.wait(60_000);
    let told = watch.finish();
    assert!(!told.iter().any(|line| line.contains("stall")), "{told:?}");
}
