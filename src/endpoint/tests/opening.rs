//! The handshake, on both sides.

use super::*;

#[test]
fn the_syn_carries_our_destination_and_a_fresh_id() {
    let mut client = Rig::new(Config::default());
    let mut ids = std::collections::HashSet::new();
    for number in 0..200_u8 {
        let destination = Bytes::from(vec![number; 391]);
        let open = Open {
            to: PEER,
            destination: destination.clone(),
            client_id: None,
        };
        client.endpoint.open(client.now, open).unwrap();
        let sent = client.sent();
        let [syn] = &sent[..] else {
            panic!("one SYN, not {}", sent.len())
        };
        assert_eq!((syn[0], &syn[4..]), (0xa1, &destination[..]));
        assert_ne!(syn[1..4], [0; 3]);
        assert!(ids.insert(syn[1..4].to_vec()), "an id came twice");
    }
}

#[test]
fn the_opener_is_told_both_ids_and_the_time_it_took() {
    let mut client = Rig::new(Config::default());
    let handle = client.open_with([0x12, 0x34, 0x56]);
    client.advance(Duration::from_millis(70));
    client.receive(&[0x51, 0x12, 0x34, 0x56, 0x98, 0x76, 0x54]);
    assert_eq!(
        client.events(),
        [Event::Opened {
            conversation: handle,
            client_id: "123456".parse().unwrap(),
            server_id: "987654".parse().unwrap(),
            handshake: Duration::from_millis(70),
        }]
    );
}

#[test]
fn the_acceptor_is_told_who_calls_and_then_both_ids() {
    let mut server = Rig::new(Config::default());
    let mut bytes = vec![3; 384];
    bytes.extend_from_slice(&[5, 0, 4, 0, 7, 0, 0]);
    let destination = bytes.clone();
    bytes.extend_from_slice(b"what follows the destination");
    server.receive(&message(0xa1, [0xab, 0, 1], &bytes));
    let conversation = Handle { serial: 1, slot: 0 };
    assert_eq!(
        server.events(),
        [Event::Incoming {
            conversation,
            from: PEER,
            client_id: "ab0001".parse().unwrap(),
            destination: destination.into(),
        }]
    );
    server.advance(Duration::from_millis(30));
    server.endpoint.accept(server.now, conversation);
    let sent = server.sent();
    let server_id = ServerId(StreamId(sent[0][4..].try_into().unwrap()));
    assert_eq!(sent, [message(0x51, [0xab, 0, 1], &server_id.0.0)]);
    assert_eq!(
        server.events(),
        [Event::Opened {
            conversation,
            client_id: "ab0001".parse().unwrap(),
            server_id,
            handshake: Duration::from_millis(30),
        }]
    );
}

#[test]
fn a_syn_that_is_cut_anywhere_is_dropped_without_answer() {
    let mut whole = message(0xa1, [1, 2, 3], &[9; 384]);
    whole.extend_from_slice(&[5, 0, 4, 0, 7, 0, 0]);
    for length in 4..whole.len() {
        let mut server = Rig::new(Config::default());
        server.receive(&whole[..length]);
        assert!(server.endpoint.is_empty(), "{length}");
        assert_eq!((server.sent.len(), server.events.len()), (0, 0));
        assert_eq!(
            server
                .endpoint
                .stats()
                .anomaly_count(Anomaly::BadDestination),
            1
        );
    }
}

#[test]
fn an_endpoint_that_takes_no_calls_refuses() {
    let mut client = Rig::new(Config {
        incoming: Incoming::Refuse,
        ..Config::default()
    });
    client.receive(&syn([1, 2, 3]));
    assert_eq!(client.sent(), [[0x52, 1, 2, 3]]);
    assert_eq!(client.events(), []);
    assert!(client.endpoint.is_empty());
}

#[test]
fn a_syn_whose_sender_is_unknown_cannot_be_answered() {
    let mut server = Rig::new(Config::default());
    server.receive_from(None, &syn([1, 2, 3]));
    assert_eq!(server.events(), []);
    assert_eq!(server.endpoint.stats().anomaly_count(Anomaly::NoSender), 1);
}

#[test]
fn the_destination_of_a_syn_can_be_read_before_it_is_handed_in() {
    let syn = syn([1, 2, 3]);
    assert_eq!(syn_destination(&syn).unwrap().as_bytes(), &syn[4..]);
    assert_eq!(syn_destination(&syn[..390]), None);
    assert_eq!(syn_destination(&message(0xa0, [1, 2, 3], &[0; 387])), None);
    assert_eq!(syn_destination(&[0xff]), None);
}

#[test]
fn the_same_client_id_twice_makes_two_conversations() {
    let mut server = Rig::new(Config::default());
    let first = server.incoming([1, 2, 3]);
    let second = server.incoming([1, 2, 3]);
    let ids = [server.accept(first), server.accept(second)];
    assert_ne!(ids[0], ids[1]);
    server.take();
    for (id, handle) in ids.into_iter().zip([first, second]) {
        server.receive(&message(0xa0, id.0.0, b"hello"));
        assert_eq!(
            server.events(),
            [Event::Data {
                conversation: handle,
                bytes: Bytes::from_static(b"hello"),
            }]
        );
    }
}

#[test]
fn data_before_the_ack_is_delivered_after_it() {
    let mut client = Rig::new(Config::default());
    let handle = client.open_with([1, 2, 3]);
    client.receive(&message(0x50, [1, 2, 3], b"early"));
    client.receive(&message(0x50, [1, 2, 3], b""));
    client.receive(&message(0x50, [1, 2, 3], b"bird"));
    assert_eq!(client.events(), []);
    client.receive(&[0x51, 1, 2, 3, 4, 5, 6]);
    let events = client.events();
    assert!(matches!(events[0], Event::Opened { .. }));
    assert_eq!(
        events[1..],
        [Event::Data {
            conversation: handle,
            bytes: Bytes::from_static(b"earlybird"),
        }]
    );
}

#[test]
fn too_much_data_before_the_ack_ends_the_opening() {
    for (bytes, count) in [(100, 11), (1, 1_001)] {
        let mut client = Rig::new(Config {
            receive_buffer: 1_000,
            ..Config::default()
        });
        client.open_with([1, 2, 3]);
        for _ in 0..count - 1 {
            client.receive(&message(0x50, [1, 2, 3], &vec![0; bytes]));
            assert_eq!(client.ends(), [], "{bytes}");
        }
        client.receive(&message(0x50, [1, 2, 3], &vec![0; bytes]));
        assert_eq!(client.ends(), [End::EarlyDataOverflow], "{bytes}");
        assert!(client.endpoint.is_empty());
    }
}

#[test]
fn data_before_the_ack_do_not_keep_the_reads_that_they_were_a_part_of() {
    let mut client = Rig::new(Config::default());
    client.open_with([1, 2, 3]);
    for _ in 0..3_000 {
        let mut read = bytes::BytesMut::zeroed(64 * 1024);
        read[..5].copy_from_slice(&[0x50, 1, 2, 3, b'x']);
        let message = read.split_to(5).freeze();
        drop(read);
        client
            .endpoint
            .handle_message(client.now, Some(PEER), message.clone());
        client.drain();
        assert!(
            message.is_unique(),
            "the endpoint keeps a slice of the read"
        );
    }
}

#[test]
fn data_before_a_refusal_is_dropped() {
    let mut client = Rig::new(Config::default());
    client.open_with([1, 2, 3]);
    client.receive(&message(0x50, [1, 2, 3], b"early"));
    client.receive(&[0x52, 1, 2, 3]);
    assert!(matches!(
        client.events()[..],
        [Event::Closed {
            end: End::Refused,
            ..
        }]
    ));
    assert!(client.endpoint.is_empty());
}

#[test]
fn a_refusal_counts_with_and_without_its_useless_id_and_an_ack_after_it_does_not() {
    for (payload, odd) in [(&[][..], 0), (&[7, 7, 7], 0), (&[7], 1)] {
        let mut client = Rig::new(Config::default());
        client.open_with([1, 2, 3]);
        client.receive(&message(0x52, [1, 2, 3], payload));
        assert_eq!(client.ends(), [End::Refused]);
        client.take();
        client.receive(&[0x51, 1, 2, 3, 4, 5, 6]);
        assert_eq!(client.sent(), Vec::<Vec<u8>>::new());
        assert!(client.endpoint.is_empty());
        let stats = client.endpoint.stats();
        assert_eq!(stats.anomaly_count(Anomaly::UnknownId), 1);
        assert_eq!(stats.anomaly_count(Anomaly::ClosePayload), odd);
    }
}

#[test]
fn a_late_ack_is_answered_with_a_close_once() {
    for give_up in [
        |client: &mut Rig, _| client.advance(60 * SECOND),
        |client: &mut Rig, handle| client.endpoint.abort(client.now, handle),
    ] {
        let mut client = Rig::new(Config::default());
        let handle = client.open_with([1, 2, 3]);
        give_up(&mut client, handle);
        client.drain();
        client.take();
        client.receive_from(Some(PEER + 1), &[0x51, 1, 2, 3, 4, 5, 6]);
        client.receive(&[0x51, 1, 2, 3, 4, 5]);
        assert_eq!(client.sent(), Vec::<Vec<u8>>::new());
        client.receive_from(None, &[0x51, 1, 2, 3, 4, 5, 6]);
        client.receive(&[0x51, 1, 2, 3, 4, 5, 6]);
        assert_eq!(client.sent(), [[0xa2, 4, 5, 6]]);
        assert_eq!(client.events(), []);
        assert!(client.endpoint.is_empty());
    }
}

#[test]
fn a_syn_that_never_left_needs_no_close() {
    let mut client = Rig::new(Config::default());
    client.endpoint.handle_link_blocked(Scope::All);
    let handle = client.open_with([1, 2, 3]);
    client.endpoint.abort(client.now, handle);
    client.endpoint.handle_link_ready(Scope::All);
    assert_eq!(client.sent(), Vec::<Vec<u8>>::new());
    client.receive(&[0x51, 1, 2, 3, 4, 5, 6]);
    assert_eq!(client.sent(), Vec::<Vec<u8>>::new());
    assert!(client.endpoint.is_empty());
}

#[test]
fn what_is_written_before_the_ack_is_sent_after_it() {
    let mut client = Rig::new(Config::default());
    let handle = client.open_with([1, 2, 3]);
    client.write(handle, b"hello");
    client.write(handle, b"world");
    assert_eq!(client.sent(), [syn([1, 2, 3])]);
    client.receive(&[0x51, 1, 2, 3, 4, 5, 6]);
    assert_eq!(
        client.sent(),
        [
            message(0xa0, [4, 5, 6], b"hello"),
            message(0xa0, [4, 5, 6], b"world"),
        ]
    );
}

#[test]
fn a_close_before_the_ack_is_sent_after_it_behind_the_data() {
    for close in [Endpoint::close, Endpoint::finish] {
        let mut client = Rig::new(Config {
            client_eof: OnEof::Close,
            ..Config::default()
        });
        let handle = client.open_with([1, 2, 3]);
        client.write(handle, b"hello");
        close(&mut client.endpoint, client.now, handle);
        assert_eq!(
            client
                .endpoint
                .write(client.now, handle, Bytes::from_static(b"more")),
            Err(WriteError::NotOpen)
        );
        assert_eq!(client.sent(), [syn([1, 2, 3])]);
        client.receive(&[0x51, 1, 2, 3, 4, 5, 6]);
        assert_eq!(
            client.sent(),
            [message(0xa0, [4, 5, 6], b"hello"), vec![0xa2, 4, 5, 6]]
        );
        assert_eq!(client.ends(), [End::Closed]);
        assert!(client.endpoint.is_empty());
    }
}

#[test]
fn an_end_of_input_before_the_ack_begins_to_drain_after_it() {
    let mut client = Rig::new(Config::default());
    let handle = client.open_with([1, 2, 3]);
    client.write(handle, b"hello");
    client.endpoint.finish(client.now, handle);
    client.advance(30 * SECOND);
    client.receive(&[0x51, 1, 2, 3, 4, 5, 6]);
    client.advance(4 * SECOND);
    assert_eq!(
        client.sent(),
        [syn([1, 2, 3]), message(0xa0, [4, 5, 6], b"hello")]
    );
    client.receive(&message(0x50, [1, 2, 3], b"answer"));
    assert_eq!(client.data(), [&b"answer"[..]]);
    client.advance(5 * SECOND);
    assert_eq!(client.sent(), [[0xa2, 4, 5, 6]]);
}

#[test]
fn an_id_in_use_cannot_be_asked_for_and_one_that_ended_can() {
    let mut client = Rig::new(Config::default());
    let open = Open {
        to: PEER,
        destination: destination(),
        client_id: Some(ClientId(StreamId([1, 2, 3]))),
    };
    client.open_with([1, 2, 3]);
    let error = client.endpoint.open(client.now, open.clone()).unwrap_err();
    assert_eq!(error, OpenError::IdInUse("010203".parse().unwrap()));
    assert_eq!(error.to_string(), "client id 010203 is in use");
    assert_eq!(client.endpoint.conversation_count(), 1);
    client.receive(&[0x52, 1, 2, 3]);
    assert!(client.endpoint.open(client.now, open).is_ok());
}

#[test]
fn an_ack_for_an_id_that_was_given_up_and_taken_again_opens_the_new_conversation() {
    let mut client = Rig::new(Config::default());
    let old = client.open_with([1, 2, 3]);
    client.endpoint.abort(client.now, old);
    let new = client.open_with([1, 2, 3]);
    client.take();
    client.receive(&[0x51, 1, 2, 3, 4, 5, 6]);
    assert_eq!(client.sent(), Vec::<Vec<u8>>::new());
    assert!(matches!(
        client.events()[..],
        [Event::Opened { conversation, .. }] if conversation == new
    ));
}

#[test]
fn an_ack_behind_the_refusal_of_an_id_that_was_given_up_before_is_for_nobody() {
    let mut client = Rig::new(Config::default());
    let old = client.open_with([1, 2, 3]);
    client.endpoint.abort(client.now, old);
    client.open_with([1, 2, 3]);
    client.receive(&[0x52, 1, 2, 3]);
    client.take();
    client.receive(&[0x51, 1, 2, 3, 4, 5, 6]);
    assert_eq!(client.sent(), Vec::<Vec<u8>>::new());
}

#[test]
fn ids_are_the_same_for_the_same_seed_and_others_for_another() {
    let first_id = |seed| {
        let mut endpoint: Endpoint<u8> = Endpoint::new(Config::default(), seed);
        let open = Open {
            to: PEER,
            destination: destination(),
            client_id: None,
        };
        let now = Instant::now();
        endpoint.open(now, open).unwrap();
        match endpoint.poll_output(now) {
            Output::Transmit { message, .. } => message.id,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(first_id([1; 32]), first_id([1; 32]));
    assert_ne!(first_id([1; 32]), first_id([2; 32]));
}

#[test]
fn nothing_can_be_consumed_before_the_ack() {
    let mut client = Rig::new(Config::default());
    let handle = client.open_with([1, 2, 3]);
    client.receive(&message(0x50, [1, 2, 3], b"early"));
    client.endpoint.consumed(client.now, handle, 5);
    client.receive(&[0x52, 1, 2, 3]);
    assert_eq!(client.ends(), [End::Refused]);
    assert!(client.endpoint.is_empty());
}

#[test]
fn a_conversation_has_its_id_and_a_place_until_it_ends() {
    let mut client = Rig::new(Config::default());
    assert!(client.endpoint.is_empty());
    let handle = client.opened();
    assert!(!client.endpoint.is_empty(), "though nothing is to be done");
    let id = ClientId(StreamId([0x12, 0x34, 0x56]));
    assert_eq!(client.endpoint.client_id(handle), Some(id));
    client.receive(&message(0x52, [0x12, 0x34, 0x56], b""));
    assert_eq!(client.endpoint.client_id(handle), None);
}
