//! Carriers that duplicate messages and whose senders may lie.

use super::*;

#[test]
fn a_copy_of_a_syn_is_answered_with_the_same_ack() {
    let mut server = Rig::new(Config::for_datagrams());
    let handle = server.incoming([1, 2, 3]);
    server.receive(&syn([1, 2, 3]));
    assert_eq!(server.sent(), Vec::<Vec<u8>>::new(), "no ACK to repeat yet");
    let id = server.accept(handle);
    server.receive(&syn([1, 2, 3]));
    let ack = message(0x51, [1, 2, 3], &id.0.0);
    assert_eq!(server.sent(), [ack.clone(), ack]);
    assert_eq!(server.endpoint.conversation_count(), 1);
    assert_eq!(
        server.endpoint.stats().anomaly_count(Anomaly::DuplicateSyn),
        2
    );
    server.receive_from(Some(PEER + 1), &syn([1, 2, 3]));
    assert_eq!(
        server.endpoint.conversation_count(),
        2,
        "another peer may use the same id"
    );
}

#[test]
fn a_syn_after_the_end_is_a_new_conversation() {
    let mut server = Rig::new(Config::for_datagrams());
    let handle = server.incoming([1, 2, 3]);
    server.endpoint.refuse(server.now, handle);
    server.drain();
    assert_ne!(server.incoming([1, 2, 3]), handle);
}

/// A server that has accepted a SYN of 391 bytes and written 5,000.
fn unproven() -> (Rig, Handle, ServerId) {
    let mut server = Rig::new(Config::for_datagrams());
    let (handle, id) = server.accepted();
    for _ in 0..5 {
        server.write(handle, &[1; 1_000]);
    }
    (server, handle, id)
}

fn total(messages: &[Vec<u8>]) -> usize {
    messages.iter().map(Vec::len).sum()
}

#[test]
fn at_most_three_times_the_bytes_received_go_to_an_unproven_address() {
    let (mut server, handle, _) = unproven();
    let ack = 7;
    let sent = server.sent();
    assert_eq!(
        total(&sent) + ack,
        3 * 391 - 4,
        "and the close has its place"
    );
    server.endpoint.abort(server.now, handle);
    assert_eq!(server.sent(), [[0x52, 0x12, 0x34, 0x56]]);
}

#[test]
fn each_copy_of_the_syn_adds_to_what_may_go_back() {
    let (mut server, ..) = unproven();
    server.sent();
    server.receive(&syn([0x12, 0x34, 0x56]));
    assert_eq!(total(&server.sent()), 3 * 391);
}

#[test]
fn the_server_id_in_a_client_message_proves_the_address() {
    let (mut server, handle, id) = unproven();
    let before = server.sent();
    server.receive_from(Some(PEER + 1), &message(0xa0, id.0.0, b""));
    server.receive(&message(0xa0, [id.0.0[0] ^ 1, 0, 0], b""));
    assert_eq!(server.sent(), Vec::<Vec<u8>>::new());
    server.receive(&message(0xa0, id.0.0, b""));
    let after = server.sent();
    let payload: usize = [before, after].iter().flatten().map(|m| m.len() - 4).sum();
    assert_eq!(payload, 5_000);
    server.advance(1_000 * SECOND);
    server.write(handle, b"for as long as it likes");
    assert_eq!(server.sent().len(), 1);
}

#[test]
fn an_address_that_is_never_proven_loses_its_conversation() {
    let (mut server, ..) = unproven();
    server.take();
    server.advance(60 * SECOND - Duration::from_nanos(1));
    assert_eq!(server.ends(), []);
    server.advance(Duration::from_nanos(1));
    assert_eq!(server.ends(), [End::AddressUnproven]);
    // A close would say that what came was all.
    assert_eq!(server.sent(), Vec::<Vec<u8>>::new());
    assert!(server.endpoint.is_empty());
}

#[test]
fn an_unproven_conversation_is_half_open_until_it_is_proven_or_ends() {
    let config = Config {
        limits: Limits {
            half_open: 1,
            ..Limits::default()
        },
        ..Config::for_datagrams()
    };
    let mut server = Rig::new(config);
    let (_, id) = server.accepted();
    server.receive(&syn([1, 1, 1]));
    assert_eq!(server.sent(), [[0x52, 1, 1, 1]]);
    server.receive(&message(0xa0, id.0.0, b""));
    let second = server.incoming([2, 2, 2]);
    server.accept(second);
    server.endpoint.finish(server.now, second);
    server.drain();
    server.incoming([3, 3, 3]);
}

/// A server for datagrams with room for so many in all and half-open ones.
fn narrow(total: usize, half_open: usize) -> Rig {
    let limits = Limits {
        total,
        half_open,
        ..Limits::default()
    };
    Rig::new(Config {
        limits,
        ..Config::for_datagrams()
    })
}

/// Offers a conversation of this peer, and accepts it if that is possible.
fn come(server: &mut Rig, from: u8, number: u8) -> Option<(Handle, ServerId)> {
    server.take();
    server.receive_from(Some(from), &syn([from, 0, number]));
    let incoming = server.events.iter().find_map(|event| match event {
        Event::Incoming { conversation, .. } => Some(*conversation),
        _ => None,
    });
    incoming.map(|handle| (handle, server.accept(handle)))
}

fn prove(server: &mut Rig, from: u8, id: ServerId) {
    server.receive_from(Some(from), &message(0xa0, id.0.0, b""));
}

fn is_live(server: &Rig, handle: Handle) -> bool {
    server.endpoint.conversations.live(handle).is_some()
}

#[test]
fn the_oldest_unproven_address_gives_way_and_is_told_so() {
    let mut server = narrow(100, 6);
    for from in 1..=6 {
        server.advance(SECOND);
        come(&mut server, from, 0).unwrap();
    }
    let (handle, id) = come(&mut server, PEER, 0).unwrap();
    assert_eq!(server.sent[0], (1, message(0x52, [1, 0, 0], b"")));
    assert_eq!(server.ends(), [End::AddressUnproven]);
    prove(&mut server, PEER, id);
    // Proven conversations stay, whoever comes.
    for from in 20..40 {
        come(&mut server, from, 0).unwrap();
    }
    server.take();
    server.write(handle, b"still there");
    assert_eq!(server.sent(), [message(0x50, [PEER, 0, 0], b"still there")]);
    assert_eq!(server.endpoint.half_open_count(), 6);
    server.advance(60 * SECOND);
    assert_eq!(server.endpoint.half_open_count(), 0);
    assert!(server.endpoint.unproven.is_empty());
}

#[test]
fn forged_addresses_leave_room_beside_those_that_are_proven() {
    let mut server = narrow(8, 4);
    for from in 1..=4 {
        let (_, id) = come(&mut server, from, 0).unwrap();
        prove(&mut server, from, id);
    }
    for from in 11..=14 {
        come(&mut server, from, 0).unwrap();
    }
    assert!(server.endpoint.is_full());
    let (_, id) = come(&mut server, PEER, 0).unwrap();
    prove(&mut server, PEER, id);
    assert_eq!(server.endpoint.conversation_count(), 8);
    // Nobody is left to give way when all are proven.
    server.advance(2 * SECOND);
    for from in 21..=23 {
        let (_, id) = come(&mut server, from, 0).unwrap();
        prove(&mut server, from, id);
    }
    assert_eq!(come(&mut server, 31, 0), None);
    assert_eq!(server.sent, [(31, message(0x52, [31, 0, 0], b""))]);
}

#[test]
fn nobody_gives_way_where_that_would_make_no_room() {
    let mut server = narrow(2, 2);
    for from in 1..=2 {
        let (_, id) = come(&mut server, from, 0).unwrap();
        server.receive_from(Some(from), &message(0xa0, id.0.0, b"held"));
        server.receive_from(Some(from), &message(0xa2, id.0.0, b""));
    }
    assert_eq!(server.endpoint.count_in(State::Ended), 2);
    assert_eq!(come(&mut server, 3, 0), None);
    assert_eq!(server.ends(), []);
}

#[test]
fn whoever_is_being_closed_gives_way_as_others_do() {
    for on_eof in [OnEof::Close, OnEof::Drain(None)] {
        let mut server = narrow(100, 4);
        server.endpoint.config.server_eof = on_eof;
        for from in 1..=4 {
            let (handle, _) = come(&mut server, from, 0).unwrap();
            // More than may go before the proof.
            server.write(handle, &[1; 2_000]);
            server.endpoint.finish(server.now, handle);
            server.drain();
        }
        assert_eq!(server.endpoint.half_open_count(), 4);
        for number in 0..20 {
            assert!(come(&mut server, PEER + number, 0).is_some());
            assert_eq!(server.ends(), [End::AddressUnproven]);
        }
    }
}

#[test]
fn several_conversations_that_a_client_opens_at_once_outlive_as_many_forged_ones() {
    // Whether the forged ones came long before, or at the same time.
    for wait in [3 * SECOND, Duration::ZERO] {
        let mut server = narrow(256, 128);
        for from in 1..=122 {
            come(&mut server, from, 0).unwrap();
        }
        server.advance(wait);
        let own = [0, 1, 2, 3, 4, 5].map(|number| come(&mut server, 200, number).unwrap());
        // As many come as were there before.
        for from in 1..=122 {
            come(&mut server, from, 1).unwrap();
            assert_eq!(server.endpoint.half_open_count(), 128);
        }
        for (handle, id) in own {
            assert!(is_live(&server, handle));
            prove(&mut server, 200, id);
        }
        // Now none of them ever goes.
        for from in 1..=199 {
            come(&mut server, from, 2).unwrap();
        }
        assert!(own.iter().all(|(handle, _)| is_live(&server, *handle)));
    }
}

#[test]
fn few_addresses_with_many_conversations_displace_one_another() {
    let mut server = narrow(256, 128);
    for number in 0..32 {
        for from in 1..=4 {
            come(&mut server, from, number).unwrap();
        }
    }
    let (own, _) = come(&mut server, PEER, 0).unwrap();
    for number in 32..=255 {
        for from in 1..=4 {
            come(&mut server, from, number);
        }
    }
    assert!(is_live(&server, own));
    assert_eq!(server.endpoint.half_open_count(), 128);
}

#[test]
fn a_peer_that_has_proven_its_address_is_spared_while_there_are_others() {
    let mut server = narrow(256, 16);
    let (first, id) = come(&mut server, PEER, 0).unwrap();
    prove(&mut server, PEER, id);
    let (silent, _) = come(&mut server, PEER, 1).unwrap();
    server.advance(SECOND);
    for from in 20..=200 {
        server.advance(SECOND / 4);
        come(&mut server, from, 0).unwrap();
    }
    assert!(is_live(&server, silent), "older than all others");
    // Once nothing of it is proven any more it is like the others.
    server.receive_from(Some(PEER), &message(0xa2, id.0.0, b""));
    assert!(!is_live(&server, first));
    come(&mut server, 201, 0).unwrap();
    assert!(!is_live(&server, silent));
}

/// Opens a conversation with each of these peers and proves it.
fn come_and_prove(server: &mut Rig, peers: impl IntoIterator<Item = u8>, number: u8) {
    for from in peers {
        let (_, id) = come(server, from, number).unwrap();
        prove(server, from, id);
    }
}

#[test]
fn where_few_places_are_left_as_many_forged_addresses_as_there_are_keep_a_client_out() {
    let mut server = narrow(256, 128);
    for number in [0, 1] {
        come_and_prove(&mut server, 1..=120, number);
    }
    for from in 201..=216 {
        come(&mut server, from, 0).unwrap();
    }
    assert!(server.endpoint.is_full());
    let (own, id) = come(&mut server, 150, 0).unwrap();
    let (other, _) = come(&mut server, 151, 0).unwrap();
    for from in 217..=231 {
        assert!(is_live(&server, own));
        come(&mut server, from, 0).unwrap();
    }
    assert_eq!(
        [own, other].map(|handle| is_live(&server, handle)),
        [false, true]
    );
    prove(&mut server, 150, id);
    assert_eq!(server.endpoint.half_open_count(), 16);
}

#[test]
fn one_address_that_is_not_forged_keeps_nobody_out_where_few_places_are_left() {
    let mut server = narrow(256, 16);
    for number in 0..16 {
        come(&mut server, 1, number).unwrap();
    }
    let own = [0, 1, 2, 3, 4, 5, 6, 7].map(|number| come(&mut server, PEER, number).unwrap());
    assert_eq!(come(&mut server, PEER, 8), None, "both have as many");
    for number in 16..=255 {
        assert_eq!(come(&mut server, 1, number), None);
    }
    assert!(own.iter().all(|(handle, _)| is_live(&server, *handle)));
}

#[test]
fn a_newcomer_takes_no_more_than_its_share_from_those_whose_time_is_not_over() {
    let mut server = narrow(256, 16);
    for from in 101..=116 {
        come(&mut server, from, 0).unwrap();
    }
    server.advance(2 * SECOND - Duration::from_nanos(1));
    for number in [0, 1] {
        come(&mut server, PEER, number).unwrap();
    }
    assert_eq!(come(&mut server, PEER, 2), None);
    server.advance(Duration::from_nanos(1));
    come(&mut server, PEER, 3).unwrap();
}

#[test]
fn clients_that_leave_many_conversations_unproven_keep_nobody_out() {
    for (wait, others) in [
        (Duration::ZERO, 63),
        (2 * SECOND - Duration::from_nanos(1), 63),
        (2 * SECOND, 127),
    ] {
        let mut server = narrow(256, 128);
        for from in 1..=5 {
            come_and_prove(&mut server, [from], 0);
            for number in 1..=31 {
                if server.endpoint.half_open_count() < 128 {
                    come(&mut server, from, number).unwrap();
                }
            }
        }
        assert_eq!(server.endpoint.half_open_count(), 128);
        server.advance(wait);
        let (own, id) = come(&mut server, PEER, 0).unwrap();
        for from in 100..100 + others {
            come(&mut server, from, 0).unwrap();
            assert_eq!(server.endpoint.half_open_count(), 128);
        }
        assert!(is_live(&server, own), "{wait:?}");
        come(&mut server, 99, 0).unwrap();
        assert!(!is_live(&server, own), "{wait:?}");
        prove(&mut server, PEER, id);
        assert_eq!(server.endpoint.half_open_count(), 128);
    }
}

#[test]
fn the_time_for_a_proof_counts_from_the_ack() {
    let mut server = narrow(256, 3);
    let slow = server.incoming([1, 1, 1]);
    let young = [2, 3].map(|from| come(&mut server, from, 0).unwrap().0);
    server.advance(3 * SECOND);
    server.accept(slow);
    for from in [4, 5] {
        come(&mut server, from, 0).unwrap();
    }
    assert!(is_live(&server, slow));
    assert!(!young.iter().any(|handle| is_live(&server, *handle)));
}

#[test]
fn closes_for_forged_addresses_that_cannot_be_sent_do_not_pile_up() {
    let mut server = narrow(256, 4);
    server.endpoint.handle_link_blocked(Scope::All);
    for number in 0..2_000_u32 {
        server.advance(SECOND);
        let [.., high, low] = number.to_be_bytes();
        server.receive_from(Some(low), &syn([1, high, low]));
        match server.events.pop() {
            Some(Event::Incoming { conversation, .. }) => server.accept(conversation),
            other => panic!("no offer but {other:?}"),
        };
    }
    let dropped = server
        .endpoint
        .stats()
        .anomaly_count(Anomaly::RefusalDropped);
    assert_eq!(dropped, 2_000 - 4 - 1_024);
    server.endpoint.handle_link_ready(Scope::All);
    server.drain();
    assert_eq!(server.sent.len(), 1_024 + 4, "closes, and the last ACKs");
}

#[test]
fn the_last_data_to_an_unproven_address_waits_for_the_proof() {
    let (mut server, handle, id) = unproven();
    server.endpoint.close(server.now, handle);
    let held = total(&server.sent());
    assert_eq!(server.ends(), []);
    server.receive(&message(0xa0, id.0.0, b""));
    let rest = server.sent();
    assert!(total(&rest) + held > 5_000);
    assert_eq!(rest.last().unwrap(), &[0x52, 0x12, 0x34, 0x56]);
    assert_eq!(server.ends(), [End::Closed]);
    assert!(server.endpoint.is_empty());
}

#[test]
fn an_opener_with_nothing_to_send_proves_its_address_with_an_empty_message() {
    let mut client = Rig::new(Config::for_datagrams());
    let handle = client.open_with([1, 2, 3]);
    client.take();
    client.receive(&[0x51, 1, 2, 3, 4, 5, 6]);
    assert_eq!(client.sent(), [[0xa0, 4, 5, 6]]);
    client.write(handle, b"x");
    assert_eq!(client.sent(), [message(0xa0, [4, 5, 6], b"x")]);
}

#[test]
fn an_opener_that_sends_anyway_needs_no_empty_message() {
    for close in [false, true] {
        let mut client = Rig::new(Config::for_datagrams());
        let handle = client.open_with([1, 2, 3]);
        if close {
            client.endpoint.close(client.now, handle);
        } else {
            client.write(handle, b"x");
        }
        client.take();
        client.receive(&[0x51, 1, 2, 3, 4, 5, 6]);
        let expected = if close {
            message(0xa2, [4, 5, 6], b"")
        } else {
            message(0xa0, [4, 5, 6], b"x")
        };
        assert_eq!(client.sent(), [expected]);
    }
}

#[test]
fn an_address_that_is_not_proven_gets_no_sign_of_life() {
    let mut server = Rig::new(Config {
        keep_alive: Some(SECOND),
        ..Config::for_datagrams()
    });
    let (_, id) = server.accepted();
    server.advance(59 * SECOND);
    assert_eq!(server.sent(), Vec::<Vec<u8>>::new());
    server.receive(&message(0xa0, id.0.0, b""));
    server.advance(2 * SECOND);
    let empty = [0x50, 0x12, 0x34, 0x56];
    assert_eq!(server.sent().last().map(Vec::as_slice), Some(&empty[..]));
}

#[test]
fn an_address_that_is_never_proven_keeps_its_place_for_a_minute_whatever_the_service_does() {
    let drain = OnEof::Drain(Some(5 * SECOND));
    for (server_eof, is_blocked) in [
        (OnEof::Close, false),
        (OnEof::Close, true),
        (drain, false),
        (drain, true),
        (OnEof::Drain(None), false),
    ] {
        let mut server = Rig::new(Config {
            server_eof,
            max_payload: 500,
            ..Config::for_datagrams()
        });
        let (handle, _) = server.accepted();
        server.write(handle, &[1; 5_000]);
        server.endpoint.finish(server.now, handle);
        server.advance(30 * SECOND);
        // More of its rest may go, which is no proof.
        server.receive(&syn([0x12, 0x34, 0x56]));
        server.take();
        if is_blocked {
            server.endpoint.handle_link_blocked(Scope::All);
        }
        server.advance(30 * SECOND - Duration::from_nanos(1));
        assert_eq!(server.ends(), []);
        server.advance(Duration::from_nanos(1));
        assert_eq!(server.ends(), [End::AddressUnproven]);
        server.endpoint.handle_link_ready(Scope::All);
        // A close would say that this was all.
        assert_eq!(server.sent(), Vec::<Vec<u8>>::new());
        assert!(server.endpoint.is_empty());
    }
}
