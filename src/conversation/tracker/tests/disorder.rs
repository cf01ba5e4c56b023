//! Captures in which an answer stands before what it answers.

use super::*;

/// A message, who sends it, and when, in milliseconds.
type Sent = (Side, i64, Vec<u8>);

/// A conversation that begins at `start` with the ids `client` and 1,000 more.
fn conversation(kind: &str, client: u32, start: i64) -> Vec<Sent> {
    let server = client + 1_000;
    let steps = match kind {
        "refused" => vec![(A, syn(client)), (B, message(0x52, client, &[]))],
        "refused with an id" => vec![(A, syn(client)), (B, message(0x52, client, &[1, 2, 3]))],
        "the client closes" => vec![
            (A, syn(client)),
            (B, ack(client, server)),
            (B, message(0x50, client, b"220")),
            (A, message(0xa0, server, b"QUIT")),
            (A, message(0xa2, server, &[])),
        ],
        "the server closes" => vec![
            (A, syn(client)),
            (B, ack(client, server)),
            (A, message(0xa0, server, b"GET /")),
            (B, message(0x50, client, b"200")),
            (B, message(0x50, client, b"page")),
            (B, message(0x52, client, &[])),
        ],
        "both close" => vec![
            (A, syn(client)),
            (B, ack(client, server)),
            (A, message(0xa0, server, b"GET /")),
            (B, message(0x50, client, b"200")),
            (A, message(0xa2, server, &[])),
            (B, message(0x52, client, &[])),
        ],
        _ => unreachable!("no such kind"),
    };
    (start..)
        .zip(steps)
        .map(|(time, (from, bytes))| (from, time, bytes))
        .collect()
}

const KINDS: [&str; 5] = [
    "refused",
    "refused with an id",
    "the client closes",
    "the server closes",
    "both close",
];

/// The tracker's result for the messages when the server's clock is ahead by `skew` ms: the
/// conversations, and the findings of level warn and above.
fn under_skew(sent: &[Sent], skew: i64, start: ChannelStart) -> (Vec<String>, Vec<String>) {
    let mut sent: Vec<Sent> = sent
        .iter()
        .map(|(from, time, bytes)| match *from {
            A => (A, time * 10, bytes.clone()),
            B => (B, time * 10 - skew, bytes.clone()),
        })
        .collect();
    sent.sort_by_key(|(_, time, _)| *time);
    let mut watch = Watch::new();
    let carrier = match start {
        ChannelStart::Unknown => Carrier::Udp,
        _ => Carrier::TcpU32,
    };
    let channel = watch.channel(carrier, start);
    let begin = watch.time;
    let mut findings = Vec::new();
    for (from, time, bytes) in sent {
        // `pass` adds a millisecond.
        watch.time = begin.plus_nanos((time + 1_000) * 1_000_000);
        let line = watch.pass(channel, from, &bytes);
        if line.contains("[warn") || line.contains("[error") {
            findings.push(line);
        }
    }
    let mut told = watch.finish();
    findings.extend(told.extract_if(.., |line| line.starts_with("warn")));
    told.retain(|line| line.starts_with('c'));
    for line in &mut told {
        // Neither in which order they opened nor who closed first is known any more.
        let (_, known) = line.split_once(' ').unwrap();
        *line = known
            .replace("client closed", "closed")
            .replace("server closed", "closed");
    }
    told.sort();
    (told, findings)
}

/// Everything is as without skew, but that data may seem to have crossed a close.
fn assert_same(told: &[String], expected: &[String], skew: i64, name: &str) {
    let is_apart = skew.abs() > 60;
    let known = |line: &String| {
        if is_apart {
            line.clone()
        } else {
            line.rsplitn(3, ' ').last().unwrap().to_owned()
        }
    };
    let [told, expected] =
        [told, expected].map(|lines| lines.iter().map(known).collect::<Vec<_>>());
    assert_eq!(told, expected, "{name}, {skew} ms");
}

#[test]
fn clocks_that_differ_make_neither_orphans_nor_conversations() {
    for kind in KINDS {
        for start in [ChannelStart::Unknown, ChannelStart::Captured] {
            let sent = conversation(kind, 1, 0);
            let (expected, none) = under_skew(&sent, 0, start);
            assert_eq!(none, [""; 0], "{kind}");
            for skew in -75..=75 {
                let (told, findings) = under_skew(&sent, skew, start);
                assert_eq!(findings, [""; 0], "{kind}, {start:?}, {skew} ms");
                assert_same(&told, &expected, skew, &format!("{kind}, {start:?}"));
            }
        }
    }
}

#[test]
fn many_conversations_at_once_keep_their_ids_when_clocks_differ() {
    for start in [ChannelStart::Unknown, ChannelStart::Captured] {
        for spacing in [0, 1, 3] {
            let mut sent = Vec::new();
            for (client, kind) in (1..).zip(KINDS.into_iter().cycle().take(40)) {
                let begin = i64::from(client) * spacing;
                sent.extend(conversation(kind, client, begin));
            }
            let (expected, _) = under_skew(&sent, 0, start);
            assert_eq!(expected.len(), 40);
            for skew in (-75..=75).step_by(5) {
                let (told, findings) = under_skew(&sent, skew, start);
                assert_eq!(findings, [""; 0], "{start:?}, {spacing}, {skew} ms");
                assert_same(&told, &expected, skew, &format!("{start:?}, {spacing}"));
            }
        }
    }
}

#[test]
fn what_is_never_announced_is_an_orphan_in_the_end() {
    let mut watch = Watch::new();
    let udp = watch.udp();
    watch.pass(udp, A, &syn(1));
    assert_eq!(
        watch.pass(udp, A, &message(0xa0, 9, b"x")),
        "c2s c1 carries"
    );
    assert_eq!(
        watch.finish(),
        [
            "note ms.syn_no_answer #1",
            "warn ms.orphan_id #2",
            "c1 000001/000009 no answer 1/1 0/0"
        ]
    );
    let mut watch = Watch::new();
    let udp = watch.udp();
    assert_eq!(
        watch.pass(udp, B, &message(0x52, 1, &[])),
        "s2c c1 closes s2c"
    );
    assert_eq!(
        watch.finish(),
        ["warn ms.orphan_id #1", "c1 000001/- mid-stream 0/0 0/0"]
    );
}

#[test]
fn a_syn_long_after_an_ack_of_its_id_is_another_conversation() {
    let mut watch = Watch::new();
    let udp = watch.udp();
    watch.pass(udp, B, &ack(1, 2));
    watch.pass(udp, B, &message(0x52, 1, &[]));
    watch.wait(2_000);
    assert_eq!(watch.pass(udp, A, &syn(1)), "c2s c2 opens");
    // One whose client was heard before its SYN is not the same either.
    let mut watch = Watch::new();
    let udp = watch.udp();
    watch.pass(udp, B, &ack(1, 2));
    watch.pass(udp, A, &message(0xa2, 2, &[]));
    assert_eq!(watch.pass(udp, A, &syn(1)), "c2s c2 opens");
}

#[test]
fn a_conversation_whose_ack_is_in_a_gap_is_not_refused_when_data_came() {
    for (carrier, start, has_gap, expected) in [
        (Carrier::Udp, ChannelStart::Unknown, false, "server closed"),
        (
            Carrier::TcpU32,
            ChannelStart::Captured,
            true,
            "server closed",
        ),
        // Nothing is missing: the client takes the close for a refusal.
        (Carrier::TcpU32, ChannelStart::Captured, false, "refused"),
    ] {
        let mut watch = Watch::new();
        let channel = watch.channel(carrier, start);
        watch.pass(channel, A, &syn(1));
        if has_gap {
            watch.tracker.note_gap(channel);
        }
        watch.pass(channel, B, &message(0x50, 1, b"HTTP/1.0 200 OK"));
        watch.pass(channel, B, &message(0x52, 1, &[]));
        assert_eq!(watch.finish(), [format!("c1 000001/- {expected} 0/0 1/15")]);
    }
    // The client's data tell the server's id.
    let mut watch = Watch::new();
    let tcp = watch.channel(Carrier::TcpU32, ChannelStart::Captured);
    watch.pass(tcp, A, &syn(1));
    watch.tracker.note_gap(tcp);
    watch.wait(5_000);
    for (from, message, expected) in [
        (A, message(0xa0, 9, b"x"), "c2s c1 carries"),
        (B, message(0x50, 1, b"y"), "s2c c1 carries"),
        (A, message(0xa2, 9, &[]), "c2s c1 closes c2s"),
    ] {
        assert_eq!(watch.pass(tcp, from, &message), expected);
    }
    assert_eq!(watch.finish(), ["c1 000001/000009 client closed 1/1 1/1"]);
}

#[test]
fn behind_a_gap_an_id_is_not_taken_for_that_of_one_of_two_that_wait() {
    let mut watch = Watch::new();
    let tcp = watch.channel(Carrier::TcpU32, ChannelStart::Captured);
    watch.pass(tcp, A, &syn(1));
    watch.pass(tcp, A, &syn(2));
    watch.tracker.note_gap(tcp);
    assert_eq!(
        watch.pass(tcp, A, &message(0xa0, 9, b"x")),
        "c2s c3 carries"
    );
}

#[test]
fn an_unknown_id_is_not_taken_for_that_of_a_conversation_on_another_channel() {
    let mut watch = Watch::new();
    let one = watch.channel(Carrier::TcpU32, ChannelStart::Captured);
    let other = watch.channel(Carrier::TcpU32, ChannelStart::Captured);
    watch.pass(one, A, &syn(1));
    let told = watch.pass(other, A, &message(0xa0, 9, b"x"));
    assert!(told.starts_with("c2s - "), "{told}");
    // Nor for that of one which the other side opened.
    let told = watch.pass(one, B, &message(0xa0, 9, b"x"));
    assert!(told.starts_with("c2s - "), "{told}");
}

#[test]
fn a_conversation_whose_messages_were_anothers_waits_for_its_answer_again() {
    let mut watch = Watch::new();
    let udp = watch.udp();
    // It is reported 30 s later, and who waits for an answer is looked through then.
    watch.pass(udp, A, &syn(8));
    watch.pass(udp, B, &message(0x52, 8, &[]));
    watch.wait(29_990);
    for (from, message, expected) in [
        (A, syn(1), "c2s c2 opens"),
        (A, syn(2), "c2s c3 opens"),
        // Taken for the older one's.
        (A, message(0xa0, 9, b"x"), "c2s c2 carries"),
        (A, message(0xa2, 9, &[]), "c2s c2 closes c2s"),
    ] {
        assert_eq!(watch.pass(udp, from, &message), expected);
    }
    watch.wait(10);
    watch.pass(udp, A, &[0xff]);
    assert_eq!(watch.events(), ["c1 000008/- refused 0/0 0/0"]);
    assert_eq!(watch.pass(udp, B, &ack(2, 9)), "s2c c3 accepts 000009");
    watch.wait(60_000);
    watch.pass(udp, A, &syn(3));
    let told = watch.events();
    let no_answer = "warn ms.syn_no_answer #3".to_owned();
    assert!(told.contains(&no_answer), "{told:?}");
}
