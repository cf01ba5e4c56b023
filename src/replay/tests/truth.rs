//! Each way in which a peer can fail has a result of its own.

use super::*;

#[test]
fn what_is_answered_as_recorded_is_the_same() {
    let mut rig = Rig::new(&exchange(), top_speed(), server(|_| then_close(b"answer")));
    assert_eq!(rig.run(), PlayEnd::Complete);
    let outcome = rig.only_outcome();
    assert_eq!((outcome.result, outcome.note), (ReplayResult::Same, None));
    assert_eq!((outcome.c2s_bytes, outcome.s2c_got_bytes), (7, 6));
    assert_eq!(rig.elapsed(), Duration::ZERO);
}

#[test]
fn nobody_who_listens_is_no_reply_after_the_handshake_timeout() {
    let mut rig = Rig::new(&exchange(), top_speed(), |_: &Message| Vec::new());
    assert_eq!(rig.run(), PlayEnd::Complete);
    let outcome = rig.only_outcome();
    assert_eq!(outcome.result, ReplayResult::NoReply);
    // The recorded server took 2 ms.
    let waited = millis(5_002);
    assert_eq!(outcome.note, Some(Note::NoAnswer { waited }));
    assert_eq!(rig.elapsed(), waited);
    assert_eq!(rig.player.stats().received_messages, 0);
}

#[test]
fn a_server_that_accepts_and_stays_silent_is_no_reply_and_is_closed() {
    let mut rig = Rig::new(&exchange(), top_speed(), server(|_| Vec::new()));
    rig.run();
    let outcome = rig.only_outcome();
    assert_eq!(outcome.result, ReplayResult::NoReply);
    assert_eq!(outcome.note, Some(Note::BytesMissing { got: 0, want: 6 }));
    // The recorded server took 10 ms at most.
    assert_eq!(rig.elapsed(), millis(5_010));
    assert_eq!(
        rig.sent.last().unwrap().1,
        frame(CLIENT_CLOSE, [0, 0, 1], b"")
    );
}

#[test]
fn a_server_that_refuses_refuses_unexpectedly() {
    let refuse = |message: &Message| vec![now(frame(SERVER_CLOSE, message.id.0, b""))];
    let mut rig = Rig::new(&exchange(), top_speed(), refuse);
    rig.run();
    assert_eq!(rig.only_outcome().result, ReplayResult::RefusedUnexpectedly);
    assert_eq!(rig.sent.len(), 1, "nothing follows a refusal");
}

#[test]
fn a_recorded_refusal_is_the_same_with_and_without_its_three_bytes() {
    let refused = recording(&[&[(0, SYN, b"d"), (1, SERVER_CLOSE, b"")]]);
    for payload in [&b""[..], b"abc"] {
        let refuse = |message: &Message| vec![now(frame(SERVER_CLOSE, message.id.0, payload))];
        let mut rig = Rig::new(&refused, top_speed(), refuse);
        rig.run();
        assert_eq!(rig.only_outcome().result, ReplayResult::Same);
    }
    let mut rig = Rig::new(&refused, top_speed(), server(|_| Vec::new()));
    rig.run();
    assert_eq!(
        rig.only_outcome().result,
        ReplayResult::AcceptedUnexpectedly
    );
    assert_eq!(rig.sent[1].1, frame(CLIENT_CLOSE, [0, 0, 1], b""));
}

#[test]
fn a_late_answer_counts_within_the_timeout_and_not_behind_it() {
    for (delay, expected) in [(5_009, ReplayResult::Same), (5_011, ReplayResult::NoReply)] {
        let mut inner = server(|_| then_close(b"answer"));
        let late = move |message: &Message| {
            let mut replies = inner(message);
            if message.frame_type.0 == SEND {
                for reply in &mut replies {
                    reply.0 = millis(delay);
                }
            }
            replies
        };
        let mut rig = Rig::new(&exchange(), top_speed(), late);
        rig.run();
        assert_eq!(rig.only_outcome().result, expected, "{delay} ms");
    }
}

#[test]
fn a_late_ack_is_answered_with_a_close_but_counts_no_more() {
    let late = |message: &Message| match message.frame_type.0 {
        SYN => vec![(millis(5_002), frame(ACK, message.id.0, &[9, 8, 7]))],
        _ => Vec::new(),
    };
    let two = recording(&[
        &[(0, SYN, b"d"), (1, ACK, b"")],
        &[(4_000, SYN, b"d"), (4_001, ACK, b"")],
    ]);
    let mut rig = Rig::new(&two, PlayOptions::default(), late);
    rig.run();
    assert_eq!(rig.results(), [ReplayResult::NoReply; 2]);
    assert_eq!(rig.sent[2], (5_002, frame(CLIENT_CLOSE, [9, 8, 7], b"")));
    assert_eq!(rig.player.stats().late_messages, 1);
}

#[test]
fn a_close_before_the_last_byte_is_early() {
    for sent in 0..b"answer".len() {
        let answer = &b"answer"[..sent];
        let mut rig = Rig::new(&exchange(), top_speed(), server(|_| then_close(answer)));
        rig.run();
        let outcome = rig.only_outcome();
        assert_eq!(outcome.result, ReplayResult::ClosedEarly);
        assert_eq!(
            outcome.note,
            Some(Note::BytesMissing { got: sent, want: 6 })
        );
    }
}

#[test]
fn a_close_before_our_last_message_is_early() {
    let two_requests = recording(&[&[
        (0, SYN, b"d"),
        (1, ACK, b""),
        (2, SEND, b"one"),
        (3, ANSWER, b"answer"),
        (50, SEND, b"two"),
        (60, CLIENT_CLOSE, b""),
    ]]);
    let mut rig = Rig::new(
        &two_requests,
        PlayOptions::default(),
        server(|_| then_close(b"answer")),
    );
    rig.run();
    let outcome = rig.only_outcome();
    assert_eq!(outcome.result, ReplayResult::ClosedEarly);
    assert_eq!(outcome.note, Some(Note::Unsent { messages: 1 }));
}

#[test]
fn more_bytes_than_recorded_differ_whoever_closes() {
    for recorded in [exchange(), client_closes()] {
        let more = |_: &[u8]| vec![b"answer".to_vec(), b"!".to_vec(), vec![SERVER_CLOSE]];
        let mut rig = Rig::new(&recorded, top_speed(), server(more));
        rig.run();
        let outcome = rig.only_outcome();
        assert_eq!(outcome.result, ReplayResult::Differs);
        assert_eq!(outcome.differences[0].offset, 6);
        assert_eq!(outcome.differences[0].got.bytes, b"!");
    }
}

#[test]
fn more_bytes_are_heard_for_a_while_after_our_close() {
    for (delay, expected) in [(99, ReplayResult::Differs), (101, ReplayResult::Same)] {
        let mut inner = server(|_| vec![b"answer".to_vec(), b"!".to_vec()]);
        let late = move |message: &Message| {
            let mut replies = inner(message);
            if let Some(last) = replies.get_mut(1) {
                last.0 = millis(delay);
            }
            replies
        };
        let mut rig = Rig::new(&client_closes(), top_speed(), late);
        rig.run();
        assert_eq!(rig.only_outcome().result, expected, "{delay} ms");
    }
}

#[test]
fn the_same_bytes_in_other_messages_are_the_same_stream_and_other_messages() {
    for size in 1..=6 {
        for (compare, same) in [
            (Compare::Stream, true),
            (Compare::Messages, size == 6),
            (Compare::Shape, size == 6),
            (Compare::None, true),
        ] {
            let pieces = |_: &[u8]| {
                let mut pieces: Vec<Vec<u8>> = b"answer".chunks(size).map(<[u8]>::to_vec).collect();
                pieces.push(vec![SERVER_CLOSE]);
                pieces
            };
            let options = PlayOptions {
                compare,
                ..top_speed()
            };
            let mut rig = Rig::new(&exchange(), options, server(pieces));
            rig.run();
            let result = rig.only_outcome().result;
            assert_eq!(
                result == ReplayResult::Same,
                same,
                "{compare:?} {size}: {result}"
            );
        }
    }
}

#[test]
fn shape_ignores_what_the_bytes_are_but_not_that_there_are_some() {
    let options = PlayOptions {
        compare: Compare::Shape,
        ..top_speed()
    };
    let mut rig = Rig::new(&exchange(), options.clone(), server(|_| then_close(b"XX")));
    rig.run();
    assert_eq!(rig.only_outcome().result, ReplayResult::Same);
    let mut rig = Rig::new(&exchange(), options, server(|_| vec![vec![SERVER_CLOSE]]));
    rig.run();
    assert_eq!(rig.only_outcome().result, ReplayResult::ClosedEarly);
}

#[test]
fn without_comparison_an_answer_must_still_be_seen() {
    let options = PlayOptions {
        compare: Compare::None,
        ..top_speed()
    };
    for (answer, expected) in [
        (&b"something"[..], ReplayResult::Same),
        (b"", ReplayResult::NoReply),
    ] {
        let reply = |_: &[u8]| vec![answer.to_vec()];
        let mut rig = Rig::new(&client_closes(), options.clone(), server(reply));
        rig.run();
        assert_eq!(rig.only_outcome().result, expected);
    }
}

#[test]
fn a_recorded_close_that_does_not_come_is_no_reply() {
    let mut rig = Rig::new(
        &exchange(),
        top_speed(),
        server(|_| vec![b"answer".to_vec()]),
    );
    rig.run();
    let outcome = rig.only_outcome();
    assert_eq!(outcome.result, ReplayResult::NoReply);
    assert_eq!(outcome.note, Some(Note::NoClose));
}

#[test]
fn a_lost_link_fails_what_is_not_over_and_nothing_else() {
    let two = recording(&[
        &[(0, SYN, b"d"), (1, SERVER_CLOSE, b"")],
        &[
            (10, SYN, b"d"),
            (11, ACK, b""),
            (20, SEND, b"x"),
            (21, ANSWER, b"y"),
        ],
        &[(500, SYN, b"d"), (501, ACK, b"")],
    ]);
    let mut first = true;
    let peer = move |message: &Message| match message.frame_type.0 {
        SYN if std::mem::take(&mut first) => vec![now(frame(SERVER_CLOSE, message.id.0, b""))],
        SYN => vec![now(frame(ACK, message.id.0, &[0, 0, 1]))],
        _ => Vec::new(),
    };
    let mut rig = Rig::new(&two, PlayOptions::default(), peer);
    assert_eq!(rig.run_until(|rig| rig.sent.len() == 3), None);
    rig.player.handle_link_lost(rig.now);
    assert_eq!(rig.run(), PlayEnd::LinkLost);
    assert_eq!(
        rig.results(),
        [ReplayResult::Same, ReplayResult::TransportError]
    );
    assert_eq!(rig.player.stats().not_begun, 1);
}

#[test]
fn stopping_tells_what_was_not_played_to_its_end() {
    let mut rig = Rig::new(&exchange(), PlayOptions::default(), server(|_| Vec::new()));
    assert_eq!(rig.run_until(|rig| rig.sent.len() == 2), None);
    rig.player.stop(rig.now);
    assert_eq!(rig.run(), PlayEnd::Stopped);
    let outcome = rig.only_outcome();
    assert_eq!(outcome.result, ReplayResult::Skipped);
    assert_eq!(outcome.note, Some(Note::Stopped));
}

#[test]
fn the_overall_timeout_ends_everything() {
    let options = PlayOptions {
        timeouts: Timeouts {
            overall: millis(100),
            ..Timeouts::default()
        },
        ..top_speed()
    };
    let mut rig = Rig::new(&exchange(), options, |_: &Message| Vec::new());
    assert_eq!(rig.run(), PlayEnd::TimedOut);
    assert_eq!(rig.elapsed(), millis(100));
    assert_eq!(rig.only_outcome().result, ReplayResult::NoReply);
}

#[test]
fn an_empty_ack_on_an_open_conversation_closes_it_as_in_sample_c() {
    let mut client = [0; 3];
    let peer = move |message: &Message| match message.frame_type.0 {
        SYN => {
            client = message.id.0;
            vec![now(frame(ACK, client, &[0, 0, 1]))]
        }
        SEND => vec![
            now(frame(ANSWER, client, b"answer")),
            now(frame(ACK, client, b"")),
        ],
        _ => Vec::new(),
    };
    let mut rig = Rig::new(&exchange(), top_speed(), peer);
    rig.run();
    assert_eq!(rig.only_outcome().result, ReplayResult::Same);
}

#[test]
fn garbage_from_the_server_changes_nothing() {
    let mut inner = server(|_| then_close(b"answer"));
    let noisy = move |message: &Message| {
        let id = message.id.0;
        let mut replies = vec![
            now(vec![0xff]),
            now(vec![]),
            now(vec![0x50, 1]),
            now(frame(0xff, id, b"chaff")),
            now(frame(0x5f, id, b"unknown")),
            now(frame(SEND, id, b"not from a server")),
            now(frame(ANSWER, [0xee; 3], b"for nobody")),
            now(frame(ACK, [0xee; 3], &[9; 3])),
        ];
        replies.extend(inner(message));
        replies
    };
    let mut rig = Rig::new(&exchange(), top_speed(), noisy);
    rig.run();
    assert_eq!(rig.only_outcome().result, ReplayResult::Same);
    let types: Vec<u8> = rig.sent.iter().map(|(_, message)| message[0]).collect();
    assert_eq!(types, [SYN, SEND], "only what was given up is closed");
}

#[test]
fn what_was_still_to_be_sent_when_the_time_was_over_is_no_success() {
    let two_requests = recording(&[&[
        (0, SYN, b"d"),
        (1, ACK, b""),
        (2, SEND, b"one"),
        (3, ANSWER, b"answer"),
        (500, SEND, b"two"),
    ]]);
    let options = PlayOptions {
        timeouts: Timeouts {
            overall: millis(100),
            ..Timeouts::default()
        },
        ..PlayOptions::default()
    };
    let mut rig = Rig::new(&two_requests, options, server(|_| vec![b"answer".to_vec()]));
    assert_eq!(rig.run(), PlayEnd::TimedOut);
    assert_eq!(rig.only_outcome().result, ReplayResult::NoReply);
}

#[test]
fn without_comparison_a_recorded_close_may_stay_away() {
    let options = PlayOptions {
        compare: Compare::None,
        ..top_speed()
    };
    let mut rig = Rig::new(&exchange(), options, server(|_| vec![b"else".to_vec()]));
    rig.run();
    assert_eq!(rig.only_outcome().result, ReplayResult::Same);
}

#[test]
fn a_lost_link_drops_the_closes_that_wait_for_it() {
    let silent = |_: &Message| Vec::new();
    let two = recording(&[
        &[(0, SYN, b"d"), (1, ACK, b"")],
        &[(6_000, SYN, b"d"), (6_001, ACK, b"")],
    ]);
    let mut rig = Rig::new(&two, PlayOptions::default(), silent);
    assert_eq!(rig.run_until(|rig| rig.outcomes.len() == 1), None);
    rig.player.handle_blocked();
    let id: [u8; 3] = rig.sent[0].1[1..4].try_into().unwrap();
    let late = Bytes::from(frame(ACK, id, &[9, 8, 7]));
    rig.player.handle_message(rig.now, &late);
    rig.player.handle_link_lost(rig.now);
    assert_eq!(rig.run(), PlayEnd::LinkLost);
    assert_eq!(rig.sent.len(), 1);
}

#[test]
fn masked_bytes_may_differ_also_in_length_and_an_unused_mask_is_told() {
    for (answer, expected) in [
        (&b"answer"[..], ReplayResult::Same),
        (b"axxxxxxxxxr", ReplayResult::Same),
        (b"ar", ReplayResult::Differs),
        (b"bnsweer", ReplayResult::Differs),
    ] {
        let texts = ["s2c:/[nswex]+/", "s2c:/never/"];
        let masks = Masks::new(texts.iter().map(|text| text.parse().unwrap()).collect());
        let mut rig = Rig::with_masks(
            &exchange(),
            top_speed(),
            masks,
            server(|_| then_close(answer)),
        );
        rig.run();
        assert_eq!(rig.only_outcome().result, expected, "{answer:?}");
        let unused: Vec<&str> = rig.player.masks().unused().collect();
        assert_eq!(unused, ["s2c:/never/"]);
    }
}

#[test]
fn passes_that_were_still_to_come_count_as_not_begun() {
    let options = PlayOptions {
        load: Load {
            loops: Loops::Times(5),
            ..Load::default()
        },
        ..PlayOptions::default()
    };
    let mut rig = Rig::new(&exchange(), options, server(|_| then_close(b"answer")));
    let second_pass = |rig: &Rig<_>| rig.sent.len() == 3;
    assert_eq!(rig.run_until(second_pass), None);
    rig.player.handle_link_lost(rig.now);
    assert_eq!(rig.run(), PlayEnd::LinkLost);
    assert_eq!(
        rig.results(),
        [ReplayResult::Same, ReplayResult::TransportError]
    );
    assert_eq!(rig.player.stats().not_begun, 3);
}

#[test]
fn where_no_answer_was_recorded_silence_proves_nothing() {
    let mut recording = recording(&[&[(0, SEND, b"request"), (10, SEND, b"more")]]);
    recording.conversations[0].state = ConversationState::MidStream;
    for compare in [
        Compare::Stream,
        Compare::Messages,
        Compare::Shape,
        Compare::None,
    ] {
        let options = PlayOptions {
            compare,
            ..PlayOptions::default()
        };
        let mut rig = Rig::new(&recording, options, |_: &Message| Vec::new());
        rig.run();
        assert_eq!(rig.sent.len(), 2, "{compare:?}");
        let outcome = rig.only_outcome();
        assert_eq!(outcome.result, ReplayResult::NoReply, "{compare:?}");
        assert_eq!(outcome.note, Some(Note::NothingToCompare), "{compare:?}");
    }
}

#[test]
fn the_middle_of_a_conversation_is_sent_with_its_ids_and_its_answer_is_judged() {
    let mut recording = recording(&[&[(0, SEND, b"request"), (10, ANSWER, b"answer")]]);
    recording.conversations[0].state = ConversationState::MidStream;
    let answer = |_: &Message| vec![now(frame(ANSWER, [0, 1, 1], b"answer"))];
    let mut rig = Rig::new(&recording, PlayOptions::default(), answer);
    rig.run();
    assert_eq!(rig.sent[0].1, frame(SEND, [0, 2, 1], b"request"));
    let outcome = rig.only_outcome();
    assert_eq!(
        (outcome.result, outcome.note.as_ref()),
        (ReplayResult::Same, None)
    );
}
