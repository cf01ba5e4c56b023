//! Flow control towards both applications, and turns at the link.

use super::*;

const CHUNK: [u8; 100] = [7; 100];

fn bounded(slow_reader: SlowReader) -> Config {
    Config {
        receive_buffer: 250,
        send_buffer: 500,
        slow_reader,
        ..Config::default()
    }
}

#[test]
fn a_full_send_buffer_refuses_writes_until_it_has_drained_to_half() {
    let mut client = Rig::new(bounded(SlowReader::Pause));
    let handle = client.opened();
    client.endpoint.handle_link_blocked(Scope::All);
    for written in 0..4 {
        assert!(client.endpoint.is_writable(handle), "{written}");
        client
            .endpoint
            .write(client.now, handle, Bytes::from_static(&CHUNK))
            .unwrap();
    }
    assert!(!client.endpoint.is_writable(handle));
    assert_eq!(
        client
            .endpoint
            .write(client.now, handle, Bytes::from_static(b"x")),
        Err(WriteError::Full {
            held: 656,
            bound: 500,
        })
    );
    client.endpoint.handle_link_ready(Scope::All);
    let mut sent = 0;
    loop {
        match client.endpoint.poll_output(client.now) {
            Output::Transmit { .. } => sent += 1,
            Output::Event(event) => {
                assert_eq!(
                    event,
                    Event::Writable {
                        conversation: handle
                    }
                );
                assert_eq!(sent, 3, "one of four writes, 164 of 500, is left");
            }
            Output::Timeout(_) | Output::Idle => break,
        }
    }
    assert_eq!(sent, 4);
    assert!(client.endpoint.is_writable(handle));
}

#[test]
fn conversations_are_held_back_until_they_are_open_and_their_peer_is_proven() {
    let mut client = Rig::new(bounded(SlowReader::Pause));
    let handle = client.open_with([1, 2, 3]);
    assert!(client.endpoint.is_held_back(handle));
    client.receive(&[0x51, 1, 2, 3, 4, 5, 6]);
    assert!(!client.endpoint.is_held_back(handle));

    let mut server = Rig::new(Config::for_datagrams());
    let (handle, id) = server.accepted();
    assert!(server.endpoint.is_held_back(handle));
    server.receive(&message(0xa0, id.0.0, b""));
    assert!(!server.endpoint.is_held_back(handle));
}

#[test]
fn a_write_that_takes_all_the_room_fills_the_buffer_to_its_bound() {
    let mut client = Rig::new(Config::default());
    let handle = client.opened();
    client.endpoint.handle_link_blocked(Scope::All);
    for (written, room) in [(0, 262_080), (1_000, 261_016), (261_000, 1), (1, 1)] {
        let bytes = Bytes::from(vec![0; written]);
        client.endpoint.write(client.now, handle, bytes).unwrap();
        assert_eq!(client.endpoint.send_room(handle), room, "{written}");
    }
    assert!(!client.endpoint.is_writable(handle));
    client.endpoint.abort(client.now, handle);
    assert_eq!(client.endpoint.send_room(handle), 0);
}

#[test]
fn only_conversations_of_a_blocked_link_are_told_so() {
    let mut client = Rig::new(bounded(SlowReader::Pause));
    let handle = client.opened();
    for (link, blocks) in [
        (Scope::Peer(PEER), true),
        (Scope::Peer(PEER + 1), false),
        (Scope::All, true),
    ] {
        assert!(!client.endpoint.is_held_back(handle));
        client.endpoint.handle_link_blocked(link);
        assert_eq!(client.endpoint.is_held_back(handle), blocks, "{link:?}");
        client.endpoint.handle_link_ready(link);
    }
    client.endpoint.handle_link_blocked(Scope::All);
    client.endpoint.handle_link_lost(client.now, Scope::All);
    assert!(!client.endpoint.is_held_back(handle), "it is over");
}

#[test]
fn a_send_buffer_that_was_never_full_is_not_reported_writable() {
    let mut client = Rig::new(bounded(SlowReader::Pause));
    let handle = client.opened();
    client.write(handle, b"x");
    assert_eq!(client.events(), []);
}

#[test]
fn a_slow_reader_pauses_its_link_from_its_bound_on_until_it_is_below() {
    let mut client = Rig::new(bounded(SlowReader::Pause));
    let handle = client.opened();
    let data = message(0x50, [0x12, 0x34, 0x56], &CHUNK);
    for wants in [true, true, false, false] {
        client.receive(&data);
        for link in [Scope::All, Scope::Peer(PEER)] {
            assert_eq!(client.endpoint.wants_input(link), wants);
        }
        assert!(client.endpoint.wants_input(Scope::Peer(PEER + 1)));
    }
    assert_eq!(client.data().len(), 4, "what was read is delivered");
    client.endpoint.consumed(client.now, handle, 149);
    assert!(!client.endpoint.wants_input(Scope::All));
    client.endpoint.consumed(client.now, handle, 1);
    assert!(client.endpoint.wants_input(Scope::All));
    client.endpoint.consumed(client.now, handle, 1_000);
    assert!(client.endpoint.wants_input(Scope::All));
}

#[test]
fn the_end_of_a_slow_conversation_ends_its_pause() {
    type Ending = fn(&mut Rig, Handle);
    let endings: [Ending; 3] = [
        |client, _| client.receive(&[0x52, 0x12, 0x34, 0x56]),
        |client, handle| client.endpoint.abort(client.now, handle),
        |client, _| client.endpoint.handle_link_lost(client.now, Scope::All),
    ];
    for ending in endings {
        let mut client = Rig::new(bounded(SlowReader::Pause));
        let handle = client.opened();
        client.receive(&message(0x50, [0x12, 0x34, 0x56], &[0; 251]));
        assert!(!client.endpoint.wants_input(Scope::All));
        ending(&mut client, handle);
        client.drain();
        assert!(client.endpoint.wants_input(Scope::All));
        assert!(client.endpoint.wants_input(Scope::Peer(PEER)));
        client.endpoint.consumed(client.now, handle, 251);
        assert!(client.endpoint.is_empty());
    }
}

#[test]
fn a_reader_that_holds_the_link_up_for_its_whole_time_is_closed_and_the_others_go_on() {
    let mut client = Rig::new(bounded(SlowReader::CloseAfter(30 * SECOND)));
    let slow = client.opened();
    let data = message(0x50, [0x12, 0x34, 0x56], &CHUNK);
    for _ in 0..3 {
        client.receive(&data);
    }
    assert!(!client.endpoint.wants_input(Scope::All));
    // A reader that comes below its bound has all its time again.
    client.now += 29 * SECOND;
    client.endpoint.consumed(client.now, slow, 100);
    client.drain();
    assert!(client.endpoint.wants_input(Scope::All));
    client.receive(&data);
    for (seconds, ends) in [(29, &[][..]), (1, &[End::SlowReader])] {
        client.now += seconds * SECOND;
        client.endpoint.handle_timeout(client.now);
        client.drain();
        assert_eq!(client.ends(), ends);
    }
    assert!(client.endpoint.wants_input(Scope::All));
}

#[test]
fn readers_that_fill_the_bound_of_all_without_one_over_its_own_do_not_stop_the_link_for_ever() {
    let mut client = Rig::new(Config {
        receive_total: 400,
        ..bounded(SlowReader::CloseAfter(30 * SECOND))
    });
    client.opened();
    client.open_with([1, 1, 1]);
    client.receive(&[0x51, 1, 1, 1, 2, 2, 2]);
    client.take();
    for _ in 0..2 {
        client.receive(&message(0x50, [0x12, 0x34, 0x56], &CHUNK));
    }
    for _ in 0..2 {
        client.receive(&message(0x50, [1, 1, 1], &CHUNK));
    }
    assert!(client.endpoint.wants_input(Scope::All));
    client.receive(&message(0x50, [1, 1, 1], b"x"));
    assert!(!client.endpoint.wants_input(Scope::All));
    client.now += 30 * SECOND;
    client.endpoint.handle_timeout(client.now);
    client.drain();
    assert_eq!(client.ends(), [End::SlowReader]);
}

#[test]
fn peers_of_one_origin_share_the_limits_for_one_peer() {
    let limits = Limits {
        per_peer: 2,
        ..Limits::default()
    };
    let config = Config {
        limits,
        ..Config::default()
    };
    let origin_of = |peer: u8| Some(u128::from(peer / 10));
    let mut endpoint = Endpoint::with_origins(config, [9; 32], origin_of);
    let now = Instant::now();
    let mut syn = vec![0xa1, 0, 0, 1];
    syn.extend(vec![0; 387]);
    for (from, refused) in [
        (10, 0),
        (11, 0),
        (12, 1),
        (19, 2),
        (20, 2),
        (21, 2),
        (22, 3),
    ] {
        endpoint.handle_message(now, Some(from), Bytes::from(syn.clone()));
        let count = endpoint.stats().anomaly_count(Anomaly::OverLimit);
        assert_eq!(count, refused, "{from}");
    }
    endpoint.handle_link_lost(now, Scope::All);
    while !matches!(endpoint.poll_output(now), Output::Idle) {}
    assert!(endpoint.is_empty());
}

#[test]
fn a_slow_reader_is_closed_if_that_is_the_policy_and_the_others_go_on() {
    let mut client = Rig::new(bounded(SlowReader::Close));
    let slow = client.opened();
    let other = client.open_with([1, 1, 1]);
    client.receive(&[0x51, 1, 1, 1, 2, 2, 2]);
    client.take();
    for _ in 0..11 {
        client.receive(&message(0x50, [0x12, 0x34, 0x56], &CHUNK));
        client.receive(&message(0x50, [1, 1, 1], b"quick"));
        client.endpoint.consumed(client.now, other, 5);
    }
    assert!(client.endpoint.wants_input(Scope::All));
    let events = client.events();
    let ended = events
        .iter()
        .position(|event| matches!(event, Event::Closed { .. }))
        .expect("the slow conversation has ended");
    assert!(matches!(
        events[ended],
        Event::Closed {
            conversation,
            end: End::SlowReader,
            summary: ConversationSummary {
                received_bytes: 1_000,
                ..
            },
        } if conversation == slow
    ));
    let quick = events.iter().filter(
        |event| matches!(event, Event::Data { conversation, .. } if *conversation == other),
    );
    assert_eq!(quick.count(), 11);
    assert_eq!(client.sent(), [[0xa2, 0x98, 0x76, 0x54]]);
    client.endpoint.consumed(client.now, slow, 1_000);
    assert_eq!(client.endpoint.conversation_count(), 1);
}

#[test]
fn a_burst_beyond_the_bound_has_a_second_where_slow_readers_are_closed() {
    for (consumed, ends) in [(50, &[][..]), (49, &[End::SlowReader])] {
        let mut client = Rig::new(bounded(SlowReader::Close));
        let handle = client.opened();
        for _ in 0..3 {
            client.receive(&message(0x50, [0x12, 0x34, 0x56], &CHUNK));
        }
        assert_eq!(client.ends(), []);
        client.endpoint.consumed(client.now, handle, consumed);
        client.advance(2 * SECOND);
        assert_eq!(client.ends(), ends);
    }
}

#[test]
fn the_sum_of_all_unread_bytes_is_bounded_too() {
    for (slow_reader, wants) in [(SlowReader::Pause, false), (SlowReader::Close, true)] {
        let mut client = Rig::new(Config {
            receive_total: 299,
            ..bounded(slow_reader)
        });
        let handles = [[1; 3], [2; 3], [3; 3]].map(|id| {
            let handle = client.open_with(id);
            client.receive(&message(0x51, id, &[9, 9, id[0]]));
            client.receive(&message(0x50, id, &CHUNK));
            handle
        });
        assert_eq!(client.endpoint.wants_input(Scope::Peer(PEER)), wants);
        let ends: &[End] = if wants { &[End::SlowReader] } else { &[] };
        assert_eq!(client.ends(), ends);
        client.endpoint.consumed(client.now, handles[0], 1);
        assert!(client.endpoint.wants_input(Scope::Peer(PEER)));
    }
}

#[test]
fn while_a_slow_reader_pauses_the_link_a_finished_conversation_is_not_closed() {
    let mut client = Rig::new(bounded(SlowReader::Pause));
    let slow = client.opened();
    let finished = client.open_with([1, 1, 1]);
    client.receive(&[0x51, 1, 1, 1, 2, 2, 2]);
    client.receive(&message(0x50, [0x12, 0x34, 0x56], &[0; 251]));
    client.endpoint.finish(client.now, finished);
    client.take();
    client.advance(1_000 * SECOND);
    assert_eq!(client.ends(), []);
    client.endpoint.consumed(client.now, slow, 251);
    client.advance(5 * SECOND);
    assert_eq!(client.ends(), [End::DrainTimeout]);
}

#[test]
fn conversations_take_turns_at_the_link() {
    let mut client = Rig::new(Config::default());
    let handles = [[1; 3], [2; 3], [3; 3]].map(|id| {
        let handle = client.open_with(id);
        client.receive(&message(0x51, id, &id));
        handle
    });
    client.take();
    client.endpoint.handle_link_blocked(Scope::All);
    for handle in handles {
        for _ in 0..3 {
            client.write(handle, b"x");
        }
    }
    client.endpoint.handle_link_ready(Scope::All);
    let order: Vec<u8> = client.sent().iter().map(|message| message[1]).collect();
    assert_eq!(order, [1, 2, 3, 1, 2, 3, 1, 2, 3]);
}

/// The ids of the messages that three conversations send, each of which has
/// three writes of this many bytes, when a message takes four and a turn `turn`.
fn order_of_turns(turn: usize, write: &'static [u8]) -> Vec<u8> {
    let mut client = Rig::new(Config {
        max_payload: 4,
        turn,
        ..Config::default()
    });
    let handles = [[1; 3], [2; 3], [3; 3]].map(|id| {
        let handle = client.open_with(id);
        client.receive(&message(0x51, id, &id));
        handle
    });
    client.take();
    client.endpoint.handle_link_blocked(Scope::All);
    for handle in handles {
        for _ in 0..3 {
            client.write(handle, write);
        }
    }
    client.endpoint.handle_link_ready(Scope::All);
    client.sent().iter().map(|message| message[1]).collect()
}

#[test]
fn a_turn_ends_when_it_is_worth_its_bytes_or_a_message_is_not_full() {
    let order = |turn| order_of_turns(turn, b"abcd");
    for turn in 0..=4 {
        assert_eq!(order(turn), [1, 2, 3, 1, 2, 3, 1, 2, 3], "turn {turn}");
    }
    for turn in 5..=8 {
        assert_eq!(order(turn), [1, 1, 2, 2, 3, 3, 1, 2, 3], "turn {turn}");
    }
    for turn in 9..=13 {
        assert_eq!(order(turn), [1, 1, 1, 2, 2, 2, 3, 3, 3], "turn {turn}");
    }
    // The second message of each write has one byte.
    assert_eq!(
        order_of_turns(100, b"abcde"),
        [1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3]
    );
    assert_eq!(order_of_turns(100, b"abc"), [1, 2, 3, 1, 2, 3, 1, 2, 3]);
}

#[test]
fn a_blocked_link_and_a_close_end_a_long_turn_without_harm() {
    let mut client = Rig::new(Config {
        max_payload: 4,
        turn: 1_000,
        ..Config::default()
    });
    let handles = [[1; 3], [2; 3]].map(|id| {
        let handle = client.open_with(id);
        client.receive(&message(0x51, id, &id));
        handle
    });
    client.take();
    client.endpoint.handle_link_blocked(Scope::All);
    for handle in handles {
        client.write(handle, b"abcdefgh");
    }
    client.endpoint.handle_link_ready(Scope::All);
    let Output::Transmit { message, .. } = client.endpoint.poll_output(client.now) else {
        panic!("there is data");
    };
    assert_eq!(message.id.0, [1; 3]);
    client.endpoint.handle_link_blocked(Scope::Peer(PEER));
    assert!(client.sent().is_empty());
    client.endpoint.abort(client.now, handles[0]);
    client.endpoint.handle_link_ready(Scope::Peer(PEER));
    let sent = client.sent();
    assert_eq!(
        sent,
        [
            vec![0xa2, 1, 1, 1],
            [&[0xa0, 2, 2, 2][..], b"abcd"].concat(),
            [&[0xa0, 2, 2, 2][..], b"efgh"].concat(),
        ]
    );
}

#[test]
fn what_is_polled_after_everything_is_out_stays_the_same() {
    let mut client = Rig::new(Config::default());
    client.open_with([1, 2, 3]);
    let timeout = Output::Timeout(client.now + 60 * SECOND);
    for _ in 0..3 {
        assert_eq!(client.endpoint.poll_output(client.now), timeout);
        client.endpoint.handle_timeout(client.now);
    }
}

#[test]
fn a_send_buffer_that_is_just_full_takes_no_more() {
    let mut client = Rig::new(bounded(SlowReader::Pause));
    let handle = client.opened();
    client.endpoint.handle_link_blocked(Scope::All);
    // A write costs 64 bytes beside its own.
    client.write(handle, &[0; 436]);
    assert!(!client.endpoint.is_writable(handle));
    let more = Bytes::from_static(b"x");
    assert_eq!(
        client.endpoint.write(client.now, handle, more),
        Err(WriteError::Full {
            held: 500,
            bound: 500,
        })
    );
}

#[test]
fn a_slow_reader_gains_no_time_by_reading_a_little() {
    let mut client = Rig::new(bounded(SlowReader::CloseAfter(10 * SECOND)));
    let handle = client.opened();
    client.receive(&message(0x50, [0x12, 0x34, 0x56], &[0; 300]));
    client.advance(6 * SECOND);
    client.endpoint.consumed(client.now, handle, 10);
    client.advance(4 * SECOND);
    assert_eq!(client.ends(), [End::SlowReader]);
}

#[test]
fn whoever_consumes_more_than_there_is_has_consumed_it_all() {
    let mut client = Rig::new(bounded(SlowReader::Pause));
    let handle = client.opened();
    client.receive(&message(0x50, [0x12, 0x34, 0x56], &[0; 300]));
    assert!(!client.endpoint.wants_input(Scope::Peer(PEER)));
    client.endpoint.consumed(client.now, handle, usize::MAX);
    assert!(client.endpoint.wants_input(Scope::Peer(PEER)));
}

#[test]
fn a_reader_that_shared_the_bound_of_all_is_not_closed_when_others_have_read() {
    let mut client = Rig::new(Config {
        receive_total: 400,
        ..bounded(SlowReader::CloseAfter(30 * SECOND))
    });
    let reads = client.opened();
    client.open_with([1, 1, 1]);
    client.receive(&[0x51, 1, 1, 1, 2, 2, 2]);
    client.take();
    for _ in 0..2 {
        client.receive(&message(0x50, [0x12, 0x34, 0x56], &CHUNK));
        client.receive(&message(0x50, [1, 1, 1], &CHUNK));
    }
    client.receive(&message(0x50, [1, 1, 1], b"x"));
    client.endpoint.consumed(client.now, reads, 200);
    assert!(client.endpoint.wants_input(Scope::All));
    client.advance(60 * SECOND);
    assert_eq!(client.ends(), []);
}
