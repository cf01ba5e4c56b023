//! Data both ways, how it is cut and how it is merged.

use super::*;

const TO_PEER: [u8; 3] = [0x98, 0x76, 0x54];

#[test]
fn messages_are_cut_at_the_maximum_and_never_exceed_it() {
    for (max_payload, effective) in [
        (0, 1),
        (1, 1),
        (7, 7),
        (1_000, 1_000),
        (32_768, 32_768),
        (40_000, 32_768),
    ] {
        for merge in [None, Some(Duration::ZERO)] {
            let mut client = Rig::new(Config {
                max_payload,
                merge,
                ..Config::default()
            });
            let handle = client.opened();
            let written: Vec<u8> = (0..=255).cycle().take(3 * effective + 8).collect();
            client
                .endpoint
                .write(client.now, handle, written.clone().into())
                .unwrap();
            let sent = client.sent();
            let lengths: Vec<usize> = sent.iter().map(|message| message.len() - 4).collect();
            let mut expected = vec![effective; (3 * effective + 8) / effective];
            expected.extend(Some((3 * effective + 8) % effective).filter(|&rest| rest > 0));
            assert_eq!(
                lengths, expected,
                "nothing waits, as the reference's rest does"
            );
            assert!(
                sent.iter()
                    .all(|message| message[..4] == [0xa0, 0x98, 0x76, 0x54])
            );
            let payload: Vec<u8> = sent
                .iter()
                .flat_map(|message| message[4..].to_vec())
                .collect();
            assert_eq!(payload, written);
        }
    }
}

#[test]
fn a_message_larger_than_we_would_send_is_delivered() {
    let mut client = Rig::new(Config::default());
    client.opened();
    let payload = vec![5; 40_000];
    client.receive(&message(0x50, [0x12, 0x34, 0x56], &payload));
    assert_eq!(client.data(), [payload]);
}

#[test]
fn an_empty_write_sends_nothing() {
    let mut client = Rig::new(Config::default());
    let handle = client.opened();
    client.write(handle, b"");
    assert_eq!(client.sent(), Vec::<Vec<u8>>::new());
    assert_eq!(client.endpoint.poll_output(client.now), Output::Idle);
}

#[test]
fn without_merging_each_write_is_a_message() {
    let mut client = Rig::new(Config::default());
    let handle = client.opened();
    client.endpoint.handle_link_blocked(Scope::All);
    client.write(handle, b"a");
    client.write(handle, b"bc");
    client.endpoint.handle_link_ready(Scope::All);
    assert_eq!(
        client.sent(),
        [message(0xa0, TO_PEER, b"a"), message(0xa0, TO_PEER, b"bc")]
    );
}

#[test]
fn merging_without_delay_joins_what_waits_and_nothing_else() {
    let mut client = Rig::new(Config {
        merge: Some(Duration::ZERO),
        ..Config::default()
    });
    let handle = client.opened();
    client.write(handle, b"a");
    assert_eq!(client.sent(), [message(0xa0, TO_PEER, b"a")]);
    client.endpoint.handle_link_blocked(Scope::All);
    client.write(handle, b"b");
    client.write(handle, b"c");
    client.endpoint.handle_link_ready(Scope::All);
    assert_eq!(client.sent(), [message(0xa0, TO_PEER, b"bc")]);
}

#[test]
fn a_message_that_is_not_full_waits_for_the_merge_delay() {
    let mut client = Rig::new(Config {
        merge: Some(Duration::from_millis(100)),
        max_payload: 4,
        ..Config::default()
    });
    let handle = client.opened();
    client.write(handle, b"a");
    client.advance(Duration::from_millis(60));
    client.write(handle, b"b");
    client.advance(Duration::from_millis(39));
    assert_eq!(client.sent(), Vec::<Vec<u8>>::new());
    client.advance(Duration::from_millis(1));
    assert_eq!(client.sent(), [message(0xa0, TO_PEER, b"ab")]);

    client.write(handle, b"cdefgh");
    assert_eq!(
        client.sent(),
        [message(0xa0, TO_PEER, b"cdef")],
        "a full message does not wait"
    );
    client.advance(Duration::from_millis(99));
    assert_eq!(client.sent(), Vec::<Vec<u8>>::new());
    client.advance(Duration::from_millis(1));
    assert_eq!(client.sent(), [message(0xa0, TO_PEER, b"gh")]);
    client.write(handle, b"i");
    assert_eq!(
        client.sent(),
        Vec::<Vec<u8>>::new(),
        "the next message waits again"
    );
}

#[test]
fn the_end_of_input_ends_the_merge_delay() {
    for end in [Endpoint::close, Endpoint::finish] {
        let mut client = Rig::new(Config {
            merge: Some(Duration::from_secs(100)),
            ..Config::default()
        });
        let handle = client.opened();
        client.write(handle, b"a");
        client.write(handle, b"b");
        end(&mut client.endpoint, client.now, handle);
        assert_eq!(client.sent()[0], message(0xa0, TO_PEER, b"ab"));
    }
}

#[test]
fn both_roles_go_at_once_even_with_equal_ids() {
    let mut peer = Rig::new(Config::default());
    let (accepted, server_id) = peer.accepted();
    let opened = peer.open_with(server_id.0.0);
    let ours = server_id.0.0;
    peer.receive(&message(0x51, ours, &[0x12, 0x34, 0x56]));
    peer.take();
    peer.receive(&message(0xa0, ours, b"for the server"));
    peer.receive(&message(0x50, ours, b"for the client"));
    assert_eq!(
        peer.events(),
        [
            Event::Data {
                conversation: accepted,
                bytes: Bytes::from_static(b"for the server"),
            },
            Event::Data {
                conversation: opened,
                bytes: Bytes::from_static(b"for the client"),
            },
        ]
    );
    peer.receive(&message(0xa2, ours, b""));
    assert_eq!(peer.ends(), [End::PeerClosed]);
    peer.write(opened, b"still here");
    assert_eq!(
        peer.sent(),
        [message(0xa0, [0x12, 0x34, 0x56], b"still here")]
    );
}

#[test]
fn the_reserved_id_works_like_any_other() {
    let mut client = Rig::new(Config::default());
    let handle = client.open_with([1, 2, 3]);
    client.receive(&[0x51, 1, 2, 3, 0, 0, 0]);
    client.write(handle, b"x");
    assert_eq!(client.sent()[1..], [message(0xa0, [0, 0, 0], b"x")]);

    let mut server = Rig::new(Config::default());
    let handle = server.incoming([0, 0, 0]);
    let id = server.accept(handle);
    assert!(!id.0.is_zero());
    server.write(handle, b"y");
    assert_eq!(
        server.sent(),
        [
            message(0x51, [0, 0, 0], &id.0.0),
            message(0x50, [0, 0, 0], b"y"),
        ]
    );
    for side in [client, server] {
        assert_eq!(side.endpoint.stats().anomaly_count(Anomaly::ZeroId), 1);
    }
}

#[test]
fn traffic_is_counted_by_type_and_direction() {
    let mut client = Rig::new(Config::default());
    let handle = client.opened();
    client.write(handle, b"12345");
    client.receive(&message(0x50, [0x12, 0x34, 0x56], b"123"));
    client.receive(&[0xff]);
    client.receive(&message(0xff, [0; 3], b"chaff"));
    client.receive(&message(0x53, [0; 3], b"?"));
    client.receive(&[0x51, 0x12]);
    client.endpoint.close(client.now, handle);
    client.drain();
    let stats = client.endpoint.stats();
    assert_eq!(
        stats.sent,
        Traffic {
            syn_count: 1,
            data_count: 1,
            close_count: 1,
            payload_bytes: 5,
            ..Traffic::default()
        }
    );
    assert_eq!(
        stats.received,
        Traffic {
            ack_count: 1,
            data_count: 1,
            other_count: 4,
            payload_bytes: 3,
            ..Traffic::default()
        }
    );
    assert_eq!((stats.opened_count, stats.offered_count), (1, 0));
}

#[test]
fn a_write_that_just_fills_a_message_does_not_wait_to_be_merged() {
    let mut client = Rig::new(Config {
        merge: Some(Duration::from_millis(100)),
        max_payload: 4,
        ..Config::default()
    });
    let handle = client.opened();
    client.write(handle, b"abcd");
    assert_eq!(client.sent(), [message(0xa0, TO_PEER, b"abcd")]);
}

#[test]
fn what_waits_is_to_be_moved_again_as_long_as_something_waits() {
    let mut client = Rig::new(Config::default());
    let handle = client.opened();
    assert!(!client.endpoint.own_what_waits(), "nothing was written");
    client.endpoint.handle_link_blocked(Scope::All);
    client.write(handle, b"data");
    for _ in 0..3 {
        assert!(client.endpoint.own_what_waits());
    }
    client.endpoint.handle_link_ready(Scope::All);
    assert_eq!(client.sent(), [b"\xa0\x98\x76\x54data"]);
    assert!(!client.endpoint.own_what_waits(), "all of it has left");
}
