//! The effects of time alone.

use super::*;

#[test]
fn an_unanswered_syn_ends_after_the_handshake_timeout() {
    let mut client = Rig::new(Config::default());
    client.open_with([1, 2, 3]);
    client.advance(60 * SECOND - Duration::from_nanos(1));
    assert_eq!(client.ends(), []);
    client.advance(Duration::from_nanos(1));
    assert_eq!(client.ends(), [End::HandshakeTimeout]);
    assert!(client.endpoint.is_empty());
}

#[test]
fn without_a_handshake_timeout_an_opener_waits_for_ever() {
    let mut client = Rig::new(Config {
        handshake_timeout: None,
        ..Config::default()
    });
    client.open_with([1, 2, 3]);
    assert_eq!(client.endpoint.poll_output(client.now), Output::Idle);
    client.advance(1_000_000 * SECOND);
    client.receive(&[0x51, 1, 2, 3, 4, 5, 6]);
    assert!(matches!(client.events()[..], [Event::Opened { .. }]));
}

#[test]
fn a_syn_that_the_application_leaves_is_refused_after_the_accept_timeout() {
    let mut server = Rig::new(Config::default());
    let handle = server.incoming([1, 2, 3]);
    server.advance(5 * SECOND - Duration::from_nanos(1));
    assert_eq!(server.sent(), Vec::<Vec<u8>>::new());
    server.advance(Duration::from_nanos(1));
    assert_eq!(server.sent(), [[0x52, 1, 2, 3]]);
    assert_eq!(server.ends(), [End::AcceptTimeout]);
    server.endpoint.accept(server.now, handle);
    assert_eq!(server.sent(), Vec::<Vec<u8>>::new(), "it is too late");
    assert!(server.endpoint.is_empty());
}

#[test]
fn an_ack_without_an_id_is_a_close_unless_data_follow() {
    let empty_ack = [0x51, 0x12, 0x34, 0x56];
    for (data_after, ends_after) in [(None, 5), (Some(&b"data"[..]), 1_000), (Some(b""), 1_000)] {
        let mut client = Rig::new(Config::default());
        let handle = client.opened();
        client.receive(&empty_ack);
        client.advance(3 * SECOND);
        // Another one does not put it off.
        client.receive(&empty_ack);
        if let Some(data) = data_after {
            client.receive(&message(0x50, [0x12, 0x34, 0x56], data));
        }
        client.advance(2 * SECOND - Duration::from_nanos(1));
        assert_eq!(client.ends(), []);
        client.take();
        client.advance(Duration::from_nanos(1));
        if ends_after == 5 {
            assert_eq!(client.ends(), [End::PeerClosed]);
            assert_eq!(client.sent(), Vec::<Vec<u8>>::new(), "it is not answered");
            continue;
        }
        client.advance(ends_after * SECOND);
        assert_eq!(client.ends(), []);
        client.write(handle, b"still here");
        assert_eq!(
            client.sent(),
            [message(0xa0, [0x98, 0x76, 0x54], b"still here")]
        );
        client.receive(&[0x52, 0x12, 0x34, 0x56]);
        assert_eq!(client.ends(), [End::PeerClosed]);
    }
}

#[test]
fn a_conversation_that_waits_for_its_close_still_reads_an_ack_without_an_id_as_one() {
    let mut client = Rig::new(Config {
        client_eof: OnEof::Drain(Some(60 * SECOND)),
        ..Config::default()
    });
    let handle = client.opened();
    client.endpoint.finish(client.now, handle);
    client.receive(&[0x51, 0x12, 0x34, 0x56]);
    client.advance(5 * SECOND);
    assert_eq!(client.ends(), [End::PeerClosed]);
}

#[test]
fn an_idle_conversation_ends_only_if_it_is_told_to() {
    for idle_timeout in [None, Some(9 * SECOND)] {
        let mut client = Rig::new(Config {
            idle_timeout,
            ..Config::default()
        });
        let handle = client.opened();
        client.advance(8 * SECOND);
        client.write(handle, b"x");
        client.advance(8 * SECOND);
        client.receive(&message(0x50, [0x12, 0x34, 0x56], b"y"));
        client.advance(9 * SECOND - Duration::from_nanos(1));
        assert_eq!(client.ends(), []);
        client.take();
        client.advance(1_000 * SECOND);
        let expected = idle_timeout.map(|_| (End::IdleTimeout, vec![0xa2, 0x98, 0x76, 0x54]));
        assert_eq!(
            client.ends().first().copied(),
            expected.clone().map(|e| e.0)
        );
        assert_eq!(client.sent().pop(), expected.map(|e| e.1));
    }
}

#[test]
fn a_finished_client_holds_its_close_until_the_peer_is_silent() {
    let mut client = Rig::new(Config::default());
    let handle = client.opened();
    client.write(handle, b"request");
    client.endpoint.finish(client.now, handle);
    for _ in 0..3 {
        client.advance(4 * SECOND);
        client.receive(&message(0x50, [0x12, 0x34, 0x56], b"answer"));
    }
    assert_eq!(
        client.sent(),
        [message(0xa0, [0x98, 0x76, 0x54], b"request")]
    );
    client.advance(5 * SECOND - Duration::from_nanos(1));
    assert_eq!(client.sent(), Vec::<Vec<u8>>::new());
    client.advance(Duration::from_nanos(1));
    assert_eq!(client.sent(), [[0xa2, 0x98, 0x76, 0x54]]);
    assert_eq!(client.ends(), [End::DrainTimeout]);
    client.endpoint.consumed(client.now, handle, 18);
    assert!(client.endpoint.is_empty());
}

#[test]
fn a_drain_without_limit_lasts_until_the_peer_closes() {
    let mut client = Rig::new(Config {
        client_eof: OnEof::Drain(None),
        ..Config::default()
    });
    let handle = client.opened();
    client.endpoint.finish(client.now, handle);
    client.advance(1_000_000 * SECOND);
    assert_eq!(client.ends(), []);
    client.receive(&[0x52, 0x12, 0x34, 0x56]);
    assert_eq!(client.ends(), [End::PeerClosed]);
}

#[test]
fn a_drain_does_not_run_out_while_the_link_takes_nothing() {
    let mut client = Rig::new(Config::default());
    let handle = client.opened();
    client.endpoint.handle_link_blocked(Scope::All);
    client.write(handle, b"request");
    client.endpoint.finish(client.now, handle);
    client.advance(60 * SECOND);
    assert_eq!(client.ends(), []);
    client.endpoint.handle_link_ready(Scope::All);
    client.drain();
    client.advance(5 * SECOND);
    assert_eq!(client.ends(), [End::DrainTimeout]);
}

#[test]
fn a_finished_server_closes_at_once() {
    let mut server = Rig::new(Config::default());
    let (handle, _) = server.accepted();
    server.endpoint.finish(server.now, handle);
    assert_eq!(server.sent(), [[0x52, 0x12, 0x34, 0x56]]);
    assert_eq!(server.ends(), [End::Closed]);
}

#[test]
fn a_drain_that_ran_out_says_whether_an_answer_was_owed_or_was_coming() {
    for (requested, answered, answered_late, expected) in [
        (false, false, false, false),
        (false, true, false, false),
        (true, false, false, true),
        (true, true, false, false),
        (true, true, true, true),
        (true, false, true, true),
    ] {
        let mut client = Rig::new(Config {
            client_eof: OnEof::Drain(Some(5 * SECOND)),
            ..Config::default()
        });
        let handle = client.opened();
        if requested {
            client.write(handle, b"request");
        }
        let answer = message(0x50, [0x12, 0x34, 0x56], b"answer");
        if answered {
            client.receive(&answer);
        }
        client.endpoint.finish(client.now, handle);
        if answered_late {
            client.receive(&answer);
        }
        client.advance(5 * SECOND);
        let expectations: Vec<_> = client
            .events()
            .into_iter()
            .filter_map(|event| match event {
                Event::Closed { end, summary, .. } => Some((end, summary.answer_expected)),
                _ => None,
            })
            .collect();
        assert_eq!(expectations, [(End::DrainTimeout, expected)]);
    }
}

fn keeping_alive() -> Config {
    Config {
        idle_timeout: Some(50 * SECOND),
        keep_alive: Some(20 * SECOND),
        client_eof: OnEof::Drain(None),
        ..Config::default()
    }
}

#[test]
fn a_peer_that_hears_nothing_gets_empty_messages_which_are_no_sign_of_life_of_its_own() {
    for is_known in [false, true] {
        let mut client = Rig::new(keeping_alive());
        client.opened();
        let mut server = Rig::new(keeping_alive());
        let (_, id) = server.accepted();
        for (end, empty, theirs, close) in [
            (
                &mut client,
                vec![0xa0, 0x98, 0x76, 0x54],
                message(0x50, [0x12, 0x34, 0x56], b""),
                vec![0xa2, 0x98, 0x76, 0x54],
            ),
            (
                &mut server,
                vec![0x50, 0x12, 0x34, 0x56],
                message(0xa0, id.0.0, b""),
                vec![0x52, 0x12, 0x34, 0x56],
            ),
        ] {
            end.advance(20 * SECOND - Duration::from_nanos(1));
            assert_eq!(end.sent(), Vec::<Vec<u8>>::new());
            end.advance(Duration::from_nanos(1));
            assert_eq!(end.sent(), std::slice::from_ref(&empty));
            if is_known {
                end.receive(&theirs);
            }
            end.advance(20 * SECOND);
            assert_eq!(end.sent(), [empty]);
            // The last that is heard of the peer.
            end.receive(&theirs);
            end.advance(50 * SECOND - Duration::from_nanos(1));
            assert_eq!(end.ends(), []);
            end.take();
            end.advance(Duration::from_nanos(1));
            assert_eq!(end.ends(), [End::IdleTimeout]);
            // A close would say that all was sent. A peer that sends no keep-alives needs it, since
            // it notices no silence, either.
            let expected = if is_known { vec![] } else { vec![close] };
            assert_eq!(end.sent(), expected);
            assert!(end.endpoint.is_empty());
        }
    }
}

#[test]
fn two_ends_that_hear_of_each_other_live_as_long_as_they_like() {
    for finishes in [false, true] {
        let mut client = Rig::new(keeping_alive());
        let mut server = Rig::new(keeping_alive());
        let opened = client.open_with([1, 2, 3]);
        let offered = server.incoming([1, 2, 3]);
        let server_id = server.accept(offered);
        client.receive(&message(0x51, [1, 2, 3], &server_id.0.0));
        if finishes {
            // It waits for the answer, without a word to say.
            client.endpoint.finish(client.now, opened);
        }
        client.take();
        server.take();
        for _ in 0..1_000 {
            client.advance(SECOND);
            server.advance(SECOND);
            for message in client.sent() {
                server.receive(&message);
            }
            for message in server.sent() {
                client.receive(&message);
            }
        }
        for end in [&mut client, &mut server] {
            assert_eq!(end.events(), [], "nothing is delivered, and nothing ends");
            assert_eq!(end.endpoint.stats().sent.data_count, 50);
        }
    }
}

#[test]
fn what_is_said_anyway_puts_off_all_signs_of_life_but_two_that_make_them_known() {
    let mut client = Rig::new(keeping_alive());
    let handle = client.opened();
    let mut empty_count = 0;
    for _ in 0..100 {
        client.advance(10 * SECOND);
        client.write(handle, b"x");
        let sent = client.sent();
        empty_count += sent.iter().filter(|message| message.len() == 4).count();
        assert_eq!(sent.last(), Some(&message(0xa0, [0x98, 0x76, 0x54], b"x")));
        client.receive(&message(0x50, [0x12, 0x34, 0x56], b"y"));
    }
    assert_eq!(empty_count, 2);
    assert_eq!(client.data().len(), 100);
}

#[test]
fn a_blocked_link_has_one_sign_of_life_wait_however_long_it_takes() {
    let mut client = Rig::new(Config {
        idle_timeout: None,
        ..keeping_alive()
    });
    client.opened();
    client.endpoint.handle_link_blocked(Scope::All);
    for _ in 0..10 {
        client.advance(19 * SECOND);
        assert!(client.timeout.is_none_or(|at| at > client.now));
    }
    assert_eq!(client.sent(), Vec::<Vec<u8>>::new());
    client.endpoint.handle_link_ready(Scope::All);
    assert_eq!(client.sent(), [[0xa0, 0x98, 0x76, 0x54]]);
}

#[test]
fn signs_of_life_neither_come_before_the_ack_nor_prolong_the_wait_for_the_end() {
    let mut client = Rig::new(Config {
        handshake_timeout: None,
        client_eof: OnEof::Drain(Some(30 * SECOND)),
        ..keeping_alive()
    });
    let handle = client.open_with([0x12, 0x34, 0x56]);
    client.take();
    client.advance(100 * SECOND);
    assert_eq!(client.sent(), Vec::<Vec<u8>>::new());
    client.receive(&[0x51, 0x12, 0x34, 0x56, 0x98, 0x76, 0x54]);
    client.endpoint.finish(client.now, handle);
    client.take();
    for _ in 0..3 {
        client.advance(10 * SECOND - Duration::from_nanos(1));
        assert_eq!(client.ends(), []);
        client.receive(&message(0x50, [0x12, 0x34, 0x56], b""));
    }
    client.advance(3 * Duration::from_nanos(1));
    assert_eq!(client.ends(), [End::DrainTimeout]);
}

#[test]
fn whoever_sends_on_notices_that_a_peer_that_kept_alive_has_gone() {
    // How often keep-alives come, and whether they make the peer known: what comes at once, or
    // twice, is the proof of an address, or a copy.
    for (times, is_known) in [
        (&[][..], false),
        (&[0, 0], false),
        (&[20], false),
        (&[20, 0], false),
        (&[20, 20], true),
    ] {
        let mut server = Rig::new(keeping_alive());
        let (handle, id) = server.accepted();
        for time in times {
            server.advance(*time * SECOND);
            server.receive(&message(0xa0, id.0.0, b""));
        }
        for _ in 0..10 {
            server.advance(4 * SECOND);
            server.write(handle, b"on and on");
        }
        server.advance(10 * SECOND - Duration::from_nanos(1));
        assert_eq!(server.ends(), []);
        server.advance(Duration::from_nanos(1));
        let expected = is_known.then_some(End::IdleTimeout);
        assert_eq!(server.ends().first().copied(), expected, "{times:?}");
    }
}

#[test]
fn an_end_without_keep_alives_says_that_it_gives_up() {
    let mut server = Rig::new(Config {
        keep_alive: None,
        ..keeping_alive()
    });
    let (_, id) = server.accepted();
    for _ in 0..2 {
        server.advance(20 * SECOND);
        server.receive(&message(0xa0, id.0.0, b""));
    }
    server.advance(50 * SECOND);
    assert_eq!(server.ends(), [End::IdleTimeout]);
    assert_eq!(server.sent(), [[0x52, 0x12, 0x34, 0x56]]);
}

#[test]
fn only_keep_alives_that_were_sent_make_us_known() {
    let mut client = Rig::new(Config {
        idle_timeout: None,
        ..keeping_alive()
    });
    let handle = client.opened();
    client.endpoint.handle_link_blocked(Scope::All);
    client.advance(50 * SECOND);
    client.endpoint.handle_link_ready(Scope::All);
    let mut empty_count = 0;
    for _ in 0..20 {
        empty_count += client.sent().iter().filter(|sent| sent.len() == 4).count();
        client.advance(10 * SECOND);
        client.write(handle, b"x");
    }
    assert_eq!(empty_count, 2);
}

#[test]
fn a_peer_that_keeps_alive_is_heard_while_a_rest_is_sent_to_it() {
    let mut server = Rig::new(Config {
        max_payload: 1,
        ..keeping_alive()
    });
    let (handle, id) = server.accepted();
    let keep_alive = message(0xa0, id.0.0, b"");
    for _ in 0..2 {
        server.advance(20 * SECOND);
        server.receive(&keep_alive);
    }
    server.endpoint.handle_link_blocked(Scope::All);
    server.write(handle, b"abcdefgh");
    server.endpoint.close(server.now, handle);
    for _ in 0..10 {
        server.advance(20 * SECOND);
        server.receive(&keep_alive);
        assert_eq!(server.ends(), []);
    }
    server.take();
    server.endpoint.handle_link_ready(Scope::All);
    assert_eq!(server.sent().len(), 9);
}

#[test]
fn an_idle_time_of_nothing_ends_nothing_for_want_of_a_listener_and_does_not_spin() {
    let mut client = Rig::new(Config {
        idle_timeout: Some(Duration::ZERO),
        receive_buffer: 1,
        slow_reader: SlowReader::Pause,
        ..Config::default()
    });
    client.opened();
    client.receive(&message(0x50, [0x12, 0x34, 0x56], b"more"));
    client.advance(Duration::from_millis(3));
    assert_eq!(client.ends(), []);
}

#[test]
fn silence_means_nothing_while_nobody_listens() {
    let mut client = Rig::new(Config {
        receive_buffer: 10,
        slow_reader: SlowReader::Pause,
        ..keeping_alive()
    });
    client.opened();
    let other = client.open_with([1, 2, 3]);
    client.receive(&[0x51, 1, 2, 3, 4, 5, 6]);
    client.receive(&message(0x50, [1, 2, 3], b"more than may be unread"));
    client.advance(200 * SECOND);
    assert_eq!(client.ends(), []);
    client.endpoint.consumed(client.now, other, 23);
    client.advance(50 * SECOND);
    assert_eq!(client.ends(), [End::IdleTimeout, End::IdleTimeout]);
}

#[test]
fn an_idle_conversation_whose_application_has_finished_says_so_at_its_end() {
    let mut client = Rig::new(keeping_alive());
    let handle = client.opened();
    client.endpoint.finish(client.now, handle);
    client.advance(50 * SECOND);
    assert_eq!(client.ends(), [End::IdleTimeout]);
    let close = [0xa2, 0x98, 0x76, 0x54];
    assert_eq!(client.sent().last().map(Vec::as_slice), Some(&close[..]));
}

#[test]
fn no_keep_alive_is_shorter_than_a_second() {
    let mut client = Rig::new(Config {
        keep_alive: Some(Duration::ZERO),
        ..Config::default()
    });
    client.opened();
    client.advance(10 * SECOND);
    assert_eq!(client.sent().len(), 10);
}

#[test]
fn of_answered_conversations_those_that_talked_last_are_spared_whatever_keeps_them_alive() {
    let mut client = Rig::new(Config {
        limits: Limits {
            total: 2,
            ..Limits::default()
        },
        idle_timeout: None,
        ..keeping_alive()
    });
    for id in [[1, 0, 0], [2, 0, 0]] {
        let handle = client.open_with(id);
        client.receive(&message(0x51, id, &id));
        client.write(handle, b"request");
        client.endpoint.finish(client.now, handle);
    }
    client.receive(&message(0x50, [1, 0, 0], b"answer"));
    client.advance(SECOND);
    client.receive(&message(0x50, [2, 0, 0], b"answer"));
    client.advance(SECOND);
    client.receive(&message(0x50, [1, 0, 0], b""));
    client.take();
    client.endpoint.close_answered(client.now);
    assert_eq!(client.sent(), [[0xa2, 1, 0, 0]]);
}
