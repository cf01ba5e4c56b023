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
    assert_eq!(server.sent(), [[0x52, 0x12, 0x34, 0x56]]);
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

#[test]
fn unproven_addresses_keep_no_other_out() {
    let limits = Limits {
        half_open: 6,
        half_open_per_peer: 3,
        ..Limits::default()
    };
    let mut server = Rig::new(Config {
        limits,
        ..Config::for_datagrams()
    });
    // Two forged addresses with three conversations each, of which the first is the oldest.
    for number in 0..6 {
        server.advance(SECOND);
        server.receive_from(Some(PEER + 1 + number / 3), &syn([9, 9, number]));
        let Some(&Event::Incoming { conversation, .. }) = server.events.last() else {
            panic!("no offer but {:?}", server.events);
        };
        server.accept(conversation);
    }
    server.take();
    let handle = server.incoming([1, 1, 1]);
    let id = server.accept(handle);
    let close = (PEER + 1, message(0x52, [9, 9, 0], b""));
    assert!(
        server.sent.contains(&close),
        "it is closed, as after its time"
    );
    assert_eq!(server.ends(), [End::AddressUnproven]);
    // Proven conversations stay, and a newcomer with as many as any other is refused.
    server.receive(&message(0xa0, id.0.0, b""));
    for number in 2..6 {
        server.receive_from(Some(PEER + 10), &syn([2, 2, number]));
    }
    assert_eq!(server.ends(), [End::AddressUnproven]);
    let refused = server.endpoint.stats().anomaly_count(Anomaly::OverLimit);
    assert_eq!(refused, 2);
    server.take();
    server.write(handle, b"still there");
    assert_eq!(server.sent(), [message(0x50, [1, 1, 1], b"still there")]);
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
