//! The ends of conversations.

use super::*;

#[test]
fn a_close_follows_everything_that_was_written() {
    let mut client = Rig::new(Config {
        max_payload: 4,
        ..Config::default()
    });
    let handle = client.opened();
    client.endpoint.handle_link_blocked(Scope::All);
    client.write(handle, b"0123456789");
    client.write(handle, b"ab");
    client.endpoint.close(client.now, handle);
    client.endpoint.handle_link_ready(Scope::All);
    assert_eq!(
        client.sent(),
        [
            message(0xa0, [0x98, 0x76, 0x54], b"0123"),
            message(0xa0, [0x98, 0x76, 0x54], b"4567"),
            message(0xa0, [0x98, 0x76, 0x54], b"89"),
            message(0xa0, [0x98, 0x76, 0x54], b"ab"),
            vec![0xa2, 0x98, 0x76, 0x54],
        ]
    );
    assert_eq!(client.ends(), [End::Closed]);
}

#[test]
fn an_abort_closes_at_once_and_drops_what_was_written() {
    let mut server = Rig::new(Config::default());
    let (handle, _) = server.accepted();
    server.endpoint.handle_link_blocked(Scope::All);
    server.write(handle, b"lost");
    server.endpoint.abort(server.now, handle);
    server.endpoint.handle_link_ready(Scope::All);
    assert_eq!(server.sent(), [[0x52, 0x12, 0x34, 0x56]]);
    assert!(matches!(
        server.events()[..],
        [Event::Closed {
            end: End::Aborted,
            summary: ConversationSummary {
                sent_bytes: 0,
                unsent_bytes: 4,
                ..
            },
            ..
        }]
    ));
    assert!(server.endpoint.is_empty());
}

#[test]
fn an_abort_before_the_ack_has_left_is_a_refusal() {
    let mut server = Rig::new(Config::default());
    let handle = server.incoming([1, 2, 3]);
    server.endpoint.accept(server.now, handle);
    server.endpoint.abort(server.now, handle);
    assert_eq!(server.sent(), [[0x52, 1, 2, 3]]);
    assert!(server.endpoint.is_empty());
}

#[test]
fn each_way_not_to_accept_is_a_refusal() {
    for refuse in [
        Endpoint::refuse,
        Endpoint::close,
        Endpoint::finish,
        Endpoint::abort,
    ] {
        let mut server = Rig::new(Config::default());
        let handle = server.incoming([1, 2, 3]);
        refuse(&mut server.endpoint, server.now, handle);
        assert_eq!(server.sent(), [[0x52, 1, 2, 3]]);
        assert_eq!(server.ends(), [End::RefusedByUs]);
        assert!(server.endpoint.is_empty());
    }
}

#[test]
fn closes_that_cross_harm_nobody() {
    let mut client = Rig::new(Config::default());
    let mut server = Rig::new(Config::default());
    let opened = client.open_with([1, 2, 3]);
    let handle = server.incoming([1, 2, 3]);
    let id = server.accept(handle).0.0;
    client.receive(&message(0x51, [1, 2, 3], &id));
    client.take();
    server.take();
    client.endpoint.close(client.now, opened);
    server.endpoint.close(server.now, handle);
    let (from_client, from_server) = (client.sent(), server.sent());
    client.receive(&from_server[0]);
    server.receive(&from_client[0]);
    for mut side in [client, server] {
        assert_eq!(side.ends(), [End::Closed]);
        assert_eq!(side.sent(), Vec::<Vec<u8>>::new());
        assert_eq!(side.endpoint.stats().anomaly_count(Anomaly::UnknownId), 1);
        assert!(side.endpoint.is_empty());
    }
}

#[test]
fn the_close_of_the_peer_drops_what_we_have_not_sent() {
    for state in [State::Open, State::Draining, State::Closing] {
        let mut client = Rig::new(Config::default());
        let handle = client.opened();
        client.endpoint.handle_link_blocked(Scope::All);
        client.write(handle, b"unsent");
        match state {
            State::Draining => client.endpoint.finish(client.now, handle),
            State::Closing => client.endpoint.close(client.now, handle),
            _ => {}
        }
        assert_eq!(client.endpoint.count_in(state), 1);
        client.receive(&[0x52, 0x12, 0x34, 0x56]);
        client.endpoint.handle_link_ready(Scope::All);
        assert_eq!(client.sent(), Vec::<Vec<u8>>::new());
        assert!(matches!(
            client.events()[..],
            [Event::Closed {
                end: End::PeerClosed,
                summary: ConversationSummary {
                    unsent_bytes: 6,
                    ..
                },
                ..
            }]
        ));
        assert!(client.endpoint.is_empty());
    }
}

#[test]
fn what_comes_behind_our_close_is_counted_and_not_delivered() {
    let mut client = Rig::new(Config::default());
    let handle = client.opened();
    client.endpoint.handle_link_blocked(Scope::All);
    client.write(handle, b"abc");
    client.endpoint.close(client.now, handle);
    for data in [&b"late"[..], b"later"] {
        client.receive(&message(0x50, [0x12, 0x34, 0x56], data));
    }
    client.endpoint.handle_link_ready(Scope::All);
    let events = client.events();
    let [Event::Closed { summary, .. }] = &*events else {
        panic!("{events:?}");
    };
    assert_eq!((summary.received_bytes, summary.dropped_bytes), (0, 9));
}

#[test]
fn a_closing_conversation_whose_link_takes_nothing_keeps_its_rest_until_it_does() {
    let mut client = Rig::new(Config::default());
    let handle = client.opened();
    client.endpoint.handle_link_blocked(Scope::All);
    client.write(handle, b"abc");
    client.endpoint.close(client.now, handle);
    client.advance(600 * SECOND);
    assert_eq!(client.ends(), []);
    client.endpoint.handle_link_ready(Scope::All);
    let data = message(0xa0, [0x98, 0x76, 0x54], b"abc");
    assert_eq!(client.sent(), [data, vec![0xa2, 0x98, 0x76, 0x54]]);
    assert_eq!(client.ends(), [End::Closed]);
    assert!(client.endpoint.is_empty());
}

#[test]
fn a_closing_conversation_gives_up_its_rest_without_a_close_when_its_link_has_long_taken_nothing() {
    let mut client = Rig::new(Config {
        max_payload: 1,
        ..Config::default()
    });
    let handle = client.opened();
    client.endpoint.handle_link_blocked(Scope::All);
    client.write(handle, b"abc");
    client.endpoint.close(client.now, handle);
    client.advance(840 * SECOND);
    client.endpoint.handle_link_ready(Scope::All);
    assert!(matches!(
        client.endpoint.poll_output(client.now),
        Output::Transmit { .. }
    ));
    // It went on, and stands still anew.
    client.endpoint.handle_link_blocked(Scope::All);
    client.advance(900 * SECOND);
    assert_eq!(client.ends(), []);
    client.advance(60 * SECOND);
    assert_eq!(client.ends(), [End::CloseTimeout]);
    client.endpoint.handle_link_ready(Scope::All);
    assert_eq!(client.sent(), Vec::<Vec<u8>>::new());
    assert!(client.endpoint.is_empty());
}

#[test]
fn a_time_of_nothing_for_closing_does_not_spin_while_the_link_takes_nothing() {
    let mut client = Rig::new(Config {
        close_timeout: Duration::ZERO,
        ..Config::default()
    });
    let handle = client.opened();
    client.endpoint.handle_link_blocked(Scope::All);
    client.write(handle, b"abc");
    client.endpoint.close(client.now, handle);
    client.advance(Duration::from_millis(3));
    assert_eq!(client.ends(), []);
}

#[test]
fn a_draining_conversation_sends_what_was_written_and_takes_no_more() {
    let mut client = Rig::new(Config::default());
    let handle = client.opened();
    client.endpoint.handle_link_blocked(Scope::All);
    client.write(handle, b"rest");
    client.endpoint.finish(client.now, handle);
    assert!(!client.endpoint.is_writable(handle));
    client.endpoint.handle_link_ready(Scope::All);
    assert_eq!(client.sent(), [message(0xa0, [0x98, 0x76, 0x54], b"rest")]);
    client.endpoint.finish(client.now, handle);
    client.receive(&message(0x50, [0x12, 0x34, 0x56], b"answer"));
    assert_eq!(client.data(), [&b"answer"[..]]);
    client.endpoint.close(client.now, handle);
    assert_eq!(client.sent(), [[0xa2, 0x98, 0x76, 0x54]]);
    assert_eq!(client.ends(), [End::Closed]);
}

#[test]
fn sending_also_keeps_a_draining_conversation_up() {
    let mut client = Rig::new(Config {
        max_payload: 1,
        ..Config::default()
    });
    let handle = client.opened();
    client.endpoint.handle_link_blocked(Scope::All);
    client.write(handle, b"ab");
    client.endpoint.finish(client.now, handle);
    client.advance(4 * SECOND);
    client.endpoint.handle_link_ready(Scope::All);
    client.drain();
    client.advance(4 * SECOND);
    assert_eq!(client.sent().len(), 2);
    client.advance(SECOND);
    assert_eq!(client.sent(), [[0xa2, 0x98, 0x76, 0x54]]);
}

#[test]
fn a_drain_of_no_time_is_a_close() {
    let mut client = Rig::new(Config {
        client_eof: OnEof::Drain(Some(Duration::ZERO)),
        ..Config::default()
    });
    let handle = client.opened();
    client.endpoint.finish(client.now, handle);
    assert_eq!(client.sent(), [[0xa2, 0x98, 0x76, 0x54]]);
}

#[test]
fn nothing_reaches_a_conversation_that_has_ended() {
    let mut client = Rig::new(Config::default());
    let handle = client.opened();
    client.receive(&message(0x50, [0x12, 0x34, 0x56], b"held"));
    client.receive(&[0x52, 0x12, 0x34, 0x56]);
    client.take();
    let now = client.now;
    let endpoint = &mut client.endpoint;
    endpoint.accept(now, handle);
    endpoint.refuse(now, handle);
    endpoint.finish(now, handle);
    endpoint.close(now, handle);
    assert_eq!(
        endpoint.write(now, handle, Bytes::from_static(b"x")),
        Err(WriteError::NotOpen)
    );
    assert!(!endpoint.is_writable(handle));
    assert_eq!(endpoint.count_in(State::Ended), 1);
    client.receive(&message(0x50, [0x12, 0x34, 0x56], b"late"));
    assert_eq!(client.events(), []);
    assert_eq!(client.sent(), Vec::<Vec<u8>>::new());
    client.endpoint.abort(now, handle);
    assert!(
        client.endpoint.is_empty(),
        "an abort returns the credit that is left"
    );
    client.endpoint.abort(now, handle);
    client.endpoint.consumed(now, handle, 4);
    assert_eq!(client.events(), []);
}

#[test]
fn a_handle_of_the_past_does_not_touch_its_successor() {
    let mut client = Rig::new(Config::default());
    let old = client.opened();
    client.receive(&[0x52, 0x12, 0x34, 0x56]);
    let new = client.opened();
    assert_eq!(old.slot, new.slot, "the slot is used again");
    assert_ne!(old, new);
    client.endpoint.close(client.now, old);
    client.endpoint.abort(client.now, old);
    assert!(client.endpoint.is_writable(new));
    assert_eq!(client.events(), []);
    assert_eq!(
        (old.to_string(), new.to_string()),
        ("c1".into(), "c2".into())
    );
}

#[test]
fn every_end_names_its_leg_or_is_orderly() {
    for (end, leg) in [
        (End::Closed, None),
        (End::PeerClosed, None),
        (End::Aborted, None),
        (End::Refused, Some("handshake")),
        (End::RefusedByUs, Some("target")),
        (End::HandshakeTimeout, Some("handshake")),
        (End::AcceptTimeout, Some("target")),
        (End::AddressUnproven, Some("handshake")),
        (End::EarlyDataOverflow, Some("handshake")),
        (End::SlowReader, Some("target")),
        (End::CloseTimeout, Some("carrier")),
        (End::IdleTimeout, Some("carrier")),
        (End::LinkLost, Some("carrier")),
    ] {
        assert_eq!(end.leg().map(Leg::name), leg, "{end}");
    }
}

/// A client whose conversations with the ids 1 to 4 are finished, and silent for
/// 3, 2, 1 and 0 seconds since they were answered; there may be `total`.
fn finished_and_answered(total: usize) -> Rig {
    let mut client = Rig::new(Config {
        limits: Limits {
            total,
            ..Limits::default()
        },
        ..Config::default()
    });
    for id in [[1; 3], [2; 3], [3; 3], [4; 3]] {
        let handle = client.open_with(id);
        client.receive(&message(0x51, id, &id));
        client.write(handle, b"request");
        client.receive(&message(0x50, id, b"answer"));
        client.endpoint.consumed(client.now, handle, 6);
        client.endpoint.finish(client.now, handle);
        client.advance(SECOND);
    }
    client.take();
    client
}

#[test]
fn room_is_made_by_closing_the_longest_silent_of_those_that_were_answered() {
    let mut client = finished_and_answered(32);
    client.endpoint.close_answered(client.now);
    assert_eq!(
        client.sent(),
        [message(0xa2, [1; 3], b""), message(0xa2, [2; 3], b"")],
        "a sixteenth of 32"
    );
    client.endpoint.close_answered(client.now);
    client.endpoint.close_answered(client.now);
    assert_eq!(
        client.sent(),
        [message(0xa2, [3; 3], b""), message(0xa2, [4; 3], b"")]
    );
    assert!(client.endpoint.is_empty());
}

#[test]
fn room_is_short_when_there_is_none_and_once_before() {
    let mut client = Rig::new(Config {
        limits: Limits {
            total: 32,
            ..Limits::default()
        },
        ..Config::default()
    });
    let short: Vec<u8> = (0..=32)
        .filter(|&live| {
            let short = client.endpoint.is_short_of_room();
            if live < 32 {
                client.open_with([live + 1; 3]);
            }
            short
        })
        .collect();
    assert_eq!(short, [30, 32], "a sixteenth of 32 before the end");
}

#[test]
fn no_room_is_made_of_conversations_that_wait_for_an_answer_or_are_not_finished() {
    let mut client = Rig::new(Config::default());
    let waiting = client.open_with([1; 3]);
    client.receive(&message(0x51, [1; 3], &[1; 3]));
    client.receive(&message(0x50, [1; 3], b"greeting"));
    client.endpoint.consumed(client.now, waiting, 8);
    client.write(waiting, b"request");
    client.endpoint.finish(client.now, waiting);
    let unfinished = client.open_with([2; 3]);
    client.receive(&message(0x51, [2; 3], &[2; 3]));
    let unsent = client.open_with([3; 3]);
    client.receive(&message(0x51, [3; 3], &[3; 3]));
    client.take();
    client.endpoint.handle_link_blocked(Scope::All);
    client.write(unsent, b"request");
    client.endpoint.finish(client.now, unsent);
    client.endpoint.close_answered(client.now);
    client.endpoint.handle_link_ready(Scope::All);
    assert_eq!(client.sent(), [message(0xa0, [3; 3], b"request")]);
    assert_eq!(client.ends(), []);

    client.receive(&message(0x50, [1; 3], b"answer"));
    client.endpoint.consumed(client.now, waiting, 6);
    client.endpoint.close_answered(client.now);
    assert_eq!(client.sent(), [message(0xa2, [1; 3], b"")]);
    assert!(client.endpoint.is_writable(unfinished));
}

#[test]
fn a_conversation_that_is_left_sends_what_was_written_and_no_close() {
    for is_finished in [false, true] {
        let mut client = Rig::new(Config {
            client_eof: OnEof::Drain(None),
            ..Config::default()
        });
        let handle = client.opened();
        client.endpoint.handle_link_blocked(Scope::All);
        client.write(handle, b"a part");
        if is_finished {
            client.endpoint.finish(client.now, handle);
        }
        client.endpoint.leave(client.now, handle);
        assert_eq!(client.ends(), []);
        client.endpoint.handle_link_ready(Scope::All);
        let data = message(0xa0, [0x98, 0x76, 0x54], b"a part");
        assert_eq!(client.sent(), [data]);
        assert_eq!(client.ends(), [End::Closed]);
        assert!(client.endpoint.is_empty());
    }
}

#[test]
fn a_syn_that_was_not_accepted_is_refused_also_when_it_is_left() {
    let mut server = Rig::new(Config::default());
    let handle = server.incoming([1, 2, 3]);
    server.endpoint.leave(server.now, handle);
    assert_eq!(server.sent(), [[0x52, 1, 2, 3]]);
    assert_eq!(server.ends(), [End::RefusedByUs]);
}
