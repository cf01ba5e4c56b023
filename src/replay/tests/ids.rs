//! Ids: substituted where they are ids, and nowhere else.

use super::*;

fn with_ids(ids: IdPolicy) -> PlayOptions {
    PlayOptions { ids, ..top_speed() }
}

#[test]
fn fresh_ids_replace_the_recorded_ones_in_headers_alone() {
    // The payload holds the recorded client id and server id, and message headers.
    let payload = [0xa0, 0, 2, 1, 0x50, 0, 1, 1, 0, 2, 1];
    let recorded = recording(&[&[
        (0, SYN, &payload),
        (1, ACK, b""),
        (2, SEND, &payload),
        (3, ANSWER, &payload),
        (4, SERVER_CLOSE, b""),
    ]]);
    let mut rig = Rig::new(&recorded, with_ids(IdPolicy::Fresh), server(then_close));
    rig.run();
    let outcome = rig.only_outcome();
    assert_eq!(outcome.result, ReplayResult::Same);
    let live = outcome.live_ids.0.unwrap();
    assert_ne!(live, ClientId(StreamId([0, 1, 1])));
    let sent: Vec<_> = rig.sent.iter().map(|(_, bytes)| bytes.clone()).collect();
    assert_eq!(
        sent,
        [
            frame(SYN, live.0.0, &payload),
            frame(SEND, [0, 0, 1], &payload),
        ]
    );
}

#[test]
fn recorded_ids_are_used_and_the_servers_is_learnt() {
    let mut rig = Rig::new(
        &exchange(),
        with_ids(IdPolicy::Recorded),
        server(|_| then_close(b"answer")),
    );
    rig.run();
    assert_eq!(rig.results(), [ReplayResult::Same]);
    assert_eq!(rig.sent[0].1, frame(SYN, [0, 1, 1], b"destination"));
    assert_eq!(rig.sent[1].1, frame(SEND, [0, 0, 1], b"request"));
}

#[test]
fn raw_ids_are_sent_as_recorded_whatever_the_server_says() {
    for order in [Order::Ids, Order::None] {
        let options = PlayOptions {
            order,
            ..with_ids(IdPolicy::Raw)
        };
        let deaf = |message: &Message| match message.frame_type.0 {
            SYN => vec![now(frame(ACK, message.id.0, &[9, 9, 9]))],
            _ => Vec::new(),
        };
        let mut rig = Rig::new(&client_closes(), options, deaf);
        rig.run();
        assert_eq!(rig.sent[0].1, frame(SYN, [0, 1, 1], b"destination"));
        assert_eq!(rig.sent[1].1, frame(SEND, [0, 2, 1], b"request"));
        assert_eq!(rig.only_outcome().result, ReplayResult::NoReply);
        if order == Order::None {
            assert_eq!(rig.sent[2].1, frame(CLIENT_CLOSE, [0, 2, 1], b""));
        }
    }
}

#[test]
fn our_destination_takes_the_place_of_the_recorded_one() {
    let options = PlayOptions {
        syn_payload: SynPayload::Replace(Bytes::from_static(b"ours")),
        ids: IdPolicy::Recorded,
        ..top_speed()
    };
    let mut rig = Rig::new(&exchange(), options, server(|_| then_close(b"answer")));
    rig.run();
    assert_eq!(rig.sent[0].1, frame(SYN, [0, 1, 1], b"ours"));
}

/// Many conversations with a server that hands out the ids of `server_id`, and answers with the
/// name of the conversation.
fn many(server_id: fn(u32) -> [u8; 3]) {
    let conversations: Vec<Vec<(i64, u8, Vec<u8>)>> = (0..100_u32)
        .map(|number| {
            let name = number.to_be_bytes().to_vec();
            vec![
                (0, SYN, name.clone()),
                (1, ACK, Vec::new()),
                (2, ANSWER, name),
                (3, SERVER_CLOSE, Vec::new()),
            ]
        })
        .collect();
    let borrowed: Vec<Vec<(i64, u8, &[u8])>> = conversations
        .iter()
        .map(|messages| {
            messages
                .iter()
                .map(|(at, byte, bytes)| (*at, *byte, &**bytes))
                .collect()
        })
        .collect();
    let slices: Vec<&[(i64, u8, &[u8])]> = borrowed.iter().map(|messages| &**messages).collect();
    let mut accepted = 0;
    let peer = |message: &Message| {
        accepted += 1;
        let client = message.id.0;
        vec![
            (millis(1), frame(ACK, client, &server_id(accepted))),
            (millis(2), frame(ANSWER, client, &message.payload)),
            (millis(3), frame(SERVER_CLOSE, client, b"")),
        ]
    };
    let mut rig = Rig::new(&recording(&slices), top_speed(), peer);
    rig.run();
    assert_eq!(rig.results(), [ReplayResult::Same; 100]);
    assert_eq!(rig.elapsed(), millis(3), "all are open at once");
}

#[test]
fn a_server_may_permute_its_ids() {
    many(|number| StreamId::from_u32(0x200 + (number * 37) % 101).0);
}

#[test]
fn a_server_may_reuse_one_id_for_all() {
    many(|_| [1, 2, 3]);
}

#[test]
fn a_server_may_use_the_recorded_ids_for_others_and_even_zero() {
    many(|number| StreamId::from_u32(0x200 + 100 - number).0);
    many(|_| [0, 0, 0]);
}

#[test]
fn ten_thousand_conversations_with_a_thousand_at_once_keep_their_ids_apart() {
    let options = PlayOptions {
        load: Load {
            concurrency: 1_000.try_into().unwrap(),
            loops: Loops::Times(10),
            ..Load::default()
        },
        ..top_speed()
    };
    let mut clients: std::collections::HashMap<[u8; 3], [u8; 3]> = Default::default();
    let mut next = 0;
    let mut live_at_once = 0;
    let peer = |message: &Message| match message.frame_type.0 {
        SYN => {
            next += 1;
            let server = StreamId::from_u32(next).0;
            clients.insert(server, message.id.0);
            vec![(
                millis(u64::from(next % 7)),
                frame(ACK, message.id.0, &server),
            )]
        }
        SEND => {
            live_at_once = live_at_once.max(clients.len());
            let client = clients
                .remove(&message.id.0)
                .expect("an id that was handed out");
            vec![
                (millis(1), frame(ANSWER, client, b"answer")),
                (millis(1), frame(SERVER_CLOSE, client, b"")),
            ]
        }
        _ => Vec::new(),
    };
    let mut rig = Rig::new(&exchange(), options, peer);
    rig.run();
    assert_eq!(rig.outcomes.len(), 10_000);
    assert!(
        rig.outcomes
            .iter()
            .all(|outcome| outcome.result == ReplayResult::Same)
    );
    let ids: std::collections::HashSet<_> = rig
        .outcomes
        .iter()
        .map(|outcome| (outcome.copy, outcome.pass))
        .collect();
    assert_eq!(ids.len(), 10_000, "every copy and pass is told once");
    assert_eq!(rig.player.live_count(), 0);
}

#[test]
fn an_id_that_is_in_use_is_not_used_twice() {
    let mut two = recording(&[
        &[
            (0, SYN, b"d"),
            (1, ACK, b""),
            (50, ANSWER, b"x"),
            (60, SERVER_CLOSE, b""),
        ],
        &[(10, SYN, b"d"), (11, ACK, b""), (12, SERVER_CLOSE, b"")],
    ]);
    two.conversations[1].client_id = two.conversations[0].client_id;
    let options = PlayOptions {
        ids: IdPolicy::Recorded,
        ..PlayOptions::default()
    };
    let mut rig = Rig::new(&two, options, server(|_| Vec::new()));
    rig.run();
    assert_eq!(
        rig.results(),
        [ReplayResult::NoReply, ReplayResult::Skipped]
    );
    let id = two.conversations[0].client_id.unwrap();
    assert_eq!(rig.outcomes[0].note, Some(Note::IdInUse(id)));
}

#[test]
fn the_first_ack_counts_and_one_without_an_id_does_not() {
    let mut inner = server(|_| then_close(b"answer"));
    let peer = move |message: &Message| {
        let id = message.id.0;
        let mut replies = inner(message);
        if message.frame_type.0 == SYN {
            replies.insert(0, now(frame(ACK, id, b"")));
            replies.insert(0, now(frame(ACK, id, b"four")));
            replies.push(now(frame(ACK, id, &[7, 7, 7])));
        }
        replies
    };
    let mut rig = Rig::new(&exchange(), top_speed(), peer);
    rig.run();
    assert_eq!(rig.sent[1].1, frame(SEND, [0, 0, 1], b"request"));
    assert_eq!(rig.results(), [ReplayResult::Same]);
}

#[test]
fn data_that_overtakes_the_ack_counts() {
    let peer = |message: &Message| {
        let id = message.id.0;
        vec![
            now(frame(ANSWER, id, b"hello")),
            now(frame(ACK, id, &[0, 0, 1])),
            now(frame(SERVER_CLOSE, id, b"")),
        ]
    };
    let greeting = recording(&[&[
        (0, SYN, b"d"),
        (1, ACK, b""),
        (2, ANSWER, b"hello"),
        (3, SERVER_CLOSE, b""),
    ]]);
    let mut rig = Rig::new(&greeting, top_speed(), peer);
    rig.run();
    assert_eq!(rig.results(), [ReplayResult::Same]);
}

#[test]
fn what_crossed_the_close_of_the_server_is_repeated_with_raw_ids_only() {
    let crossed = recording(&[&[
        (0, SYN, b"destination"),
        (2, ACK, b""),
        (10, SEND, b"request"),
        (20, SERVER_CLOSE, b""),
        (21, SEND, b"more"),
    ]]);
    for (ids, expected) in [
        (IdPolicy::Fresh, &[SYN, SEND][..]),
        (IdPolicy::Recorded, &[SYN, SEND]),
        (IdPolicy::Raw, &[SYN, SEND, SEND]),
    ] {
        let peer = |message: &Message| match message.frame_type.0 {
            SYN => vec![now(frame(ACK, message.id.0, &[0, 2, 1]))],
            _ => Vec::new(),
        };
        let order = match ids {
            IdPolicy::Raw => Order::None,
            IdPolicy::Fresh | IdPolicy::Recorded => Order::Ids,
        };
        let options = PlayOptions {
            order,
            ..with_ids(ids)
        };
        let mut rig = Rig::new(&crossed, options, peer);
        rig.run();
        let mut sent: Vec<u8> = rig.sent.iter().map(|(_, bytes)| bytes[0]).collect();
        // Silence is closed in the end.
        sent.retain(|byte| *byte != CLIENT_CLOSE);
        assert_eq!(sent, expected, "{ids:?}");
    }
}
