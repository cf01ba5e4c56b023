//! Bounds of the memory that a peer can make us hold.

use super::*;

fn limited(limits: Limits) -> Rig {
    Rig::new(Config {
        limits,
        ..Config::default()
    })
}

const WIDE: Limits = Limits {
    total: 1_000,
    per_peer: 1_000,
    half_open: 1_000,
    half_open_per_peer: 1_000,
};

#[test]
fn half_open_conversations_are_limited_in_total_and_for_each_peer() {
    for (limits, allowed) in [
        (
            Limits {
                half_open: 3,
                ..WIDE
            },
            [3, 0],
        ),
        (
            Limits {
                half_open_per_peer: 3,
                ..WIDE
            },
            [3, 3],
        ),
    ] {
        let mut server = limited(limits);
        for (from, allowed) in [PEER, PEER + 1].into_iter().zip(allowed) {
            for number in 0..5 {
                server.take();
                server.receive_from(Some(from), &syn([from, 0, number]));
                if number < allowed {
                    assert!(matches!(server.events[..], [Event::Incoming { .. }]));
                } else {
                    assert_eq!(server.sent, [(from, vec![0x52, from, 0, number])]);
                }
            }
        }
        let refused = 10 - u64::from(allowed[0] + allowed[1]);
        assert_eq!(
            server.endpoint.stats().anomaly_count(Anomaly::OverLimit),
            refused
        );
        server.advance(5 * SECOND);
        assert!(server.endpoint.is_empty(), "they expire");
    }
}

#[test]
fn an_accepted_conversation_is_no_longer_half_open() {
    let mut server = limited(Limits {
        half_open: 1,
        half_open_per_peer: 1,
        ..WIDE
    });
    for number in 0..10 {
        let handle = server.incoming([1, 1, number]);
        server.accept(handle);
    }
    assert_eq!(server.endpoint.count_in(State::Open), 10);
}

#[test]
fn accepted_conversations_are_limited_for_each_peer_until_they_end() {
    let mut server = limited(Limits {
        per_peer: 1,
        ..WIDE
    });
    let (_, id) = server.accepted();
    server.take();
    server.receive(&syn([1, 1, 1]));
    assert_eq!(server.sent(), [[0x52, 1, 1, 1]]);
    server.receive(&message(0xa2, id.0.0, b""));
    server.incoming([1, 1, 2]);
}

#[test]
fn ended_conversations_with_unread_bytes_leave_their_places_to_as_many_others() {
    for limits in [
        Limits {
            per_peer: 2,
            ..WIDE
        },
        Limits { total: 2, ..WIDE },
    ] {
        let mut server = limited(limits);
        let ended = [(); 2].map(|()| {
            let (handle, id) = server.accepted();
            server.receive(&message(0xa0, id.0.0, b"held"));
            server.receive(&message(0xa2, id.0.0, b""));
            handle
        });
        assert_eq!(server.endpoint.count_in(State::Ended), 2);
        server.take();
        server.receive(&syn([1, 1, 1]));
        assert_eq!(
            server.sent(),
            [[0x52, 1, 1, 1]],
            "there are enough of these"
        );
        server.endpoint.consumed(server.now, ended[0], 4);
        server.incoming([1, 1, 2]);
        server.incoming([1, 1, 3]);
        server.take();
        server.receive(&syn([1, 1, 4]));
        assert_eq!(server.sent(), [[0x52, 1, 1, 4]], "and of live ones, too");
    }
}

#[test]
fn the_total_holds_for_both_roles_together() {
    let mut peer = limited(Limits { total: 2, ..WIDE });
    peer.open_with([1, 1, 1]);
    peer.incoming([2, 2, 2]);
    peer.take();
    peer.receive(&syn([3, 3, 3]));
    assert_eq!(peer.sent(), [[0x52, 3, 3, 3]]);
    let open = Open {
        to: PEER,
        destination: destination(),
        client_id: None,
    };
    let error = peer.endpoint.open(peer.now, open).unwrap_err();
    assert_eq!(error, OpenError::TooMany { limit: 2 });
    assert_eq!(
        error.to_string(),
        "there are 2 conversations already, the most that are allowed"
    );
}

#[test]
fn refusals_that_cannot_be_sent_do_not_pile_up() {
    let mut server = Rig::new(Config {
        incoming: Incoming::Refuse,
        ..Config::default()
    });
    server.endpoint.handle_link_blocked(Scope::All);
    for number in 0..2_000_u32 {
        server.receive(&syn(StreamId::from_u32(number + 1).0));
    }
    assert_eq!(
        server
            .endpoint
            .stats()
            .anomaly_count(Anomaly::RefusalDropped),
        976
    );
    server.endpoint.handle_link_ready(Scope::All);
    assert_eq!(server.sent().len(), 1_024);
    server.receive(&syn([9; 3]));
    assert_eq!(server.sent(), [[0x52, 9, 9, 9]]);
    assert!(server.endpoint.is_empty());
}

#[test]
fn the_ends_of_what_was_never_answered_do_not_pile_up_for_a_peer_that_reads_nothing() {
    // A service that is down, one that ends each connection at once, and one that says something
    // before it does.
    let services: [fn(&mut Rig, Handle); 3] = [
        |server, handle| server.endpoint.refuse(server.now, handle),
        |server, handle| {
            server.accept(handle);
            server.endpoint.abort(server.now, handle);
        },
        |server, handle| {
            server.accept(handle);
            server.write(handle, b"hello");
            server.endpoint.abort(server.now, handle);
        },
    ];
    for serve in services {
        let mut server = Rig::new(Config::default());
        server.endpoint.handle_link_blocked(Scope::Peer(PEER));
        for number in 0..2_000_u32 {
            let handle = server.incoming(StreamId::from_u32(number + 1).0);
            serve(&mut server, handle);
            server.drain();
        }
        let dropped = Anomaly::RefusalDropped;
        assert_eq!(server.endpoint.stats().anomaly_count(dropped), 976);
        assert!(server.endpoint.links.get(0).line_len() <= 1);
        server.take();
        // Another, who reads, hears that he is refused.
        let other = PEER + 1;
        server.receive_from(Some(other), &syn([9; 3]));
        let Some(&Event::Incoming { conversation, .. }) = server.events.last() else {
            panic!("no offer");
        };
        server.endpoint.refuse(server.now, conversation);
        server.drain();
        let refusal = message(0x52, [9; 3], b"");
        assert_eq!(std::mem::take(&mut server.sent), [(other, refusal)]);
        server.endpoint.handle_link_ready(Scope::Peer(PEER));
        assert_eq!(server.sent().len(), 1_024);
        assert!(server.endpoint.is_empty());
    }
}

#[test]
fn a_close_behind_an_ack_reaches_a_peer_whatever_waits_for_it() {
    for is_syn_copied in [false, true] {
        let mut server = Rig::new(Config {
            duplicate_syn: DuplicateSyn::AnswerAgain,
            ..Config::default()
        });
        let (handle, _) = server.accepted();
        server.endpoint.handle_link_blocked(Scope::Peer(PEER));
        for number in 0..2_000_u32 {
            let refused = server.incoming(StreamId::from_u32(number + 1).0);
            server.endpoint.refuse(server.now, refused);
            server.drain();
        }
        if is_syn_copied {
            // The ACK is due once more, and is not the first.
            server.receive(&syn([0x12, 0x34, 0x56]));
        }
        server.endpoint.abort(server.now, handle);
        server.endpoint.handle_link_ready(Scope::Peer(PEER));
        let sent = server.sent();
        assert_eq!(sent.len(), 1_025);
        assert_eq!(sent.last().unwrap(), &[0x52, 0x12, 0x34, 0x56]);
    }
}

#[test]
fn peers_that_nothing_is_left_of_are_forgotten_while_the_link_takes_nothing() {
    let mut server = Endpoint::<u32>::new(Config::default(), [9; 32]);
    let now = Instant::now();
    server.handle_link_blocked(Scope::All);
    for peer in 0..5_000_u32 {
        server.handle_message(now, Some(peer), syn([1, 2, 3]).into());
        let Output::Event(Event::Incoming { conversation, .. }) = server.poll_output(now) else {
            panic!("no offer");
        };
        server.accept(now, conversation);
        server.abort(now, conversation);
        while let Output::Event(_) = server.poll_output(now) {}
    }
    let count = server.links.peer_count();
    // Those who are refused, and as many that are looked for later.
    assert!(count <= 2 * 1_024 + 1, "{count} peers");
    server.handle_link_lost(now, Scope::All);
    assert!(server.is_empty());
}

#[test]
fn an_idle_conversation_takes_less_than_a_kibibyte() {
    let size = size_of::<conversation::Conversation>();
    assert!(size <= 464, "{size} bytes, beside its places in the tables");
}

#[test]
fn refusals_for_a_lost_link_leave_their_places_to_others() {
    let mut server = Rig::new(Config {
        incoming: Incoming::Refuse,
        ..Config::default()
    });
    for _ in 0..2 {
        server.endpoint.handle_link_blocked(Scope::All);
        for number in 0..1_024_u32 {
            server.receive(&syn(StreamId::from_u32(number + 1).0));
        }
        assert!(!server.endpoint.is_empty(), "refusals wait");
        server.endpoint.handle_link_lost(server.now, Scope::All);
        assert!(server.endpoint.is_empty());
    }
    let dropped = server
        .endpoint
        .stats()
        .anomaly_count(Anomaly::RefusalDropped);
    assert_eq!(dropped, 0);
}
