//! Peers, and the links that lead to them.

use super::*;
use crate::wire::FrameType;

#[test]
fn a_message_from_another_peer_is_not_heard() {
    let mut client = Rig::new(Config::default());
    client.opened();
    let mut server = Rig::new(Config::default());
    let (_, id) = server.accepted();
    for (mut side, types, id) in [
        (client, [0x50, 0x51, 0x52], [0x12, 0x34, 0x56]),
        (server, [0xa0, 0xa2, 0xa2], id.0.0),
    ] {
        for frame_type in types {
            side.receive_from(Some(PEER + 1), &message(frame_type, id, b""));
            side.receive_from(Some(PEER + 1), &message(frame_type, id, b"abc"));
        }
        assert_eq!(side.events(), []);
        assert_eq!(side.endpoint.stats().anomaly_count(Anomaly::WrongPeer), 6);
        assert_eq!(side.endpoint.count_in(State::Open), 1);
        side.receive_from(None, &message(types[0], id, b"abc"));
        assert_eq!(side.data(), [&b"abc"[..]], "a carrier may not tell senders");
    }
}

#[test]
fn a_blocked_peer_does_not_hold_up_another() {
    let mut server = Rig::new(Config::default());
    let handles = [PEER, PEER + 1].map(|from| {
        server.receive_from(Some(from), &syn([from; 3]));
        match server.events.last() {
            Some(&Event::Incoming { conversation, .. }) => conversation,
            other => panic!("{other:?}"),
        }
    });
    server.endpoint.handle_link_blocked(Scope::Peer(PEER));
    server.endpoint.accept(server.now, handles[0]);
    server.accept(handles[1]);
    server.write(handles[0], b"first");
    server.write(handles[1], b"second");
    let to: Vec<u8> = server.sent.iter().map(|&(to, _)| to).collect();
    assert_eq!(to, [PEER + 1, PEER + 1]);
    server.take();
    server.endpoint.handle_link_ready(Scope::Peer(PEER));
    let sent = server.sent();
    assert_eq!((sent.len(), sent[0][0]), (2, 0x51));
    assert_eq!(sent[1], message(0x50, [PEER; 3], b"first"));
}

#[test]
fn a_lost_link_ends_its_conversations_in_every_state_and_no_others() {
    let mut peer = Rig::new(Config {
        client_eof: OnEof::Drain(Some(5 * SECOND)),
        ..Config::default()
    });
    peer.open_with([1; 3]);
    peer.incoming([2; 3]);
    let open = peer.open_with([3; 3]);
    peer.receive(&[0x51, 3, 3, 3, 3, 3, 3]);
    let draining = peer.open_with([4; 3]);
    peer.receive(&[0x51, 4, 4, 4, 4, 4, 4]);
    peer.endpoint.finish(peer.now, draining);
    peer.endpoint.handle_link_blocked(Scope::Peer(PEER));
    let closing = peer.open_with([5; 3]);
    peer.receive(&[0x51, 5, 5, 5, 5, 5, 5]);
    peer.endpoint.close(peer.now, closing);
    peer.write(open, b"unsent");
    peer.receive_from(Some(PEER + 1), &syn([6; 3]));
    peer.take();

    peer.endpoint.handle_link_lost(peer.now, Scope::Peer(PEER));
    assert_eq!(peer.ends(), [End::LinkLost; 5]);
    assert_eq!(peer.sent(), Vec::<Vec<u8>>::new());
    assert_eq!(peer.endpoint.conversation_count(), 1);
    peer.endpoint.handle_link_lost(peer.now, Scope::Peer(PEER));
    assert_eq!(peer.events(), []);
    peer.endpoint.handle_link_lost(peer.now, Scope::All);
    assert_eq!(peer.ends(), [End::LinkLost]);
    assert!(peer.endpoint.is_empty());
}

#[test]
fn a_link_that_returns_carries_new_conversations() {
    for link in [Scope::All, Scope::Peer(PEER)] {
        let mut client = Rig::new(Config::default());
        client.opened();
        client.endpoint.handle_link_blocked(link);
        client.endpoint.handle_link_lost(client.now, link);
        assert_eq!(client.ends(), [End::LinkLost]);
        let handle = client.opened();
        client.write(handle, b"again");
        assert_eq!(client.sent(), [message(0xa0, [0x98, 0x76, 0x54], b"again")]);
    }
}

#[test]
fn a_peer_is_forgotten_with_its_last_conversation() {
    let mut server = Rig::new(Config::default());
    for from in 0..100 {
        server.receive_from(Some(from), &syn([1; 3]));
        server.receive_from(Some(from), &[0xff]);
        server.receive_from(Some(from), &message(0xa0, [1; 3], b"stray"));
    }
    server.advance(5 * SECOND);
    assert_eq!(server.sent.len(), 100);
    assert!(server.endpoint.is_empty());
}

#[test]
fn a_lost_message_ends_its_own_conversation_and_no_other_and_nothing_is_sent_behind_it() {
    // Client ids 1 to 4, of which 1 and 2 are open with server ids 11 and 12; the peer's
    // conversations 1 and 5, of which 1 is open.
    let cases = [
        (FrameType::SYN, [3; 3], Some(3)),
        (FrameType::CLIENT_DATA, [11; 3], Some(1)),
        (FrameType::CLIENT_CLOSE, [12; 3], Some(2)),
        (FrameType::SERVER_DATA, [1; 3], Some(5)),
        (FrameType::ACK, [1; 3], Some(5)),
        (FrameType::SERVER_CLOSE, [6; 3], None),
        (FrameType::CLIENT_DATA, [1; 3], None),
        (FrameType::SERVER_DATA, [11; 3], None),
        (FrameType::CHAFF, [1; 3], None),
    ];
    for (frame_type, id, lost) in cases {
        let mut peer = Rig::new(Config::default());
        let mut handles: Vec<Handle> = (1..=4).map(|id| peer.open_with([id; 3])).collect();
        for id in [1, 2] {
            let server = id + 10;
            peer.receive(&[0x51, id, id, id, server, server, server]);
        }
        let incoming = peer.incoming([1; 3]);
        peer.accept(incoming);
        handles.push(incoming);
        // Writes wait in the endpoint, since the link takes nothing.
        peer.take();
        peer.endpoint.handle_link_blocked(Scope::All);
        for &handle in [&handles[0], &handles[1], &handles[4]] {
            peer.write(handle, b"behind it");
        }
        let now = peer.now;
        let id = StreamId(id);
        let endpoint = &mut peer.endpoint;
        let elsewhere = endpoint.handle_message_lost(now, PEER + 1, frame_type, id);
        assert_eq!(elsewhere, None);
        let ended = endpoint.handle_message_lost(now, PEER, frame_type, id);
        let expected = lost.map(|number: usize| handles[number - 1]);
        assert_eq!(ended, expected, "{frame_type} {id:?}");
        let ends: Vec<End> = lost.map(|_| End::MessageLost).into_iter().collect();
        assert_eq!(peer.ends(), ends);
        peer.endpoint.handle_link_ready(Scope::All);
        let sent = peer.sent();
        let lost_data = lost.filter(|&number| number != 3);
        assert_eq!(sent.len(), 3 - usize::from(lost_data.is_some()));
        let is_its = |message: &Vec<u8>| message[1..4] == id.0;
        assert!(lost_data.is_none() || !sent.iter().any(is_its), "{sent:?}");
    }
}

#[test]
fn a_link_that_is_blocked_stays_so_when_its_only_conversation_ends() {
    let mut client = Rig::new(Config::default());
    client.open_with([1; 3]);
    client.endpoint.handle_link_blocked(Scope::Peer(PEER));
    client.receive(&[0x52, 1, 1, 1]);
    client.take();
    client.open_with([2; 3]);
    assert_eq!(client.sent(), Vec::<Vec<u8>>::new());
    client.endpoint.handle_link_ready(Scope::Peer(PEER));
    assert_eq!(client.sent(), [syn([2; 3])]);
}

#[test]
fn a_message_that_one_peer_lost_ends_nothing_of_another_with_the_same_id() {
    let mut server = Rig::new(Config::default());
    let [_, own] = [PEER + 1, PEER].map(|from| {
        server.receive_from(Some(from), &syn([1; 3]));
        let Some(&Event::Incoming { conversation, .. }) = server.events.last() else {
            panic!("no offer");
        };
        server.accept(conversation);
        conversation
    });
    let (ack, id) = (FrameType::ACK, StreamId([1; 3]));
    let ended = server
        .endpoint
        .handle_message_lost(server.now, PEER, ack, id);
    assert_eq!(ended, Some(own));
}

#[test]
fn what_waits_for_another_peer_is_sent_when_a_link_is_lost() {
    let mut server = Rig::new(Config::default());
    let [refused, open] = [PEER, PEER + 1].map(|from| {
        server.receive_from(Some(from), &syn([from; 3]));
        match server.events.last() {
            Some(&Event::Incoming { conversation, .. }) => conversation,
            other => panic!("no offer but {other:?}"),
        }
    });
    server.accept(open);
    server.take();
    server.endpoint.abort(server.now, refused);
    server
        .endpoint
        .write(server.now, open, Bytes::from_static(b"data"))
        .unwrap();
    server
        .endpoint
        .handle_link_lost(server.now, Scope::Peer(PEER));
    server.drain();
    let data = message(0x50, [PEER + 1; 3], b"data");
    assert_eq!(server.sent, [(PEER + 1, data)]);
}
