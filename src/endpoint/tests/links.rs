//! Peers, and the links that lead to them.

use super::*;

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
    server.endpoint.handle_link_blocked(Link::Peer(PEER));
    server.endpoint.accept(server.now, handles[0]);
    server.accept(handles[1]);
    server.write(handles[0], b"first");
    server.write(handles[1], b"second");
    let to: Vec<u8> = server.sent.iter().map(|&(to, _)| to).collect();
    assert_eq!(to, [PEER + 1, PEER + 1]);
    server.take();
    server.endpoint.handle_link_ready(Link::Peer(PEER));
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
    peer.endpoint.handle_link_blocked(Link::Peer(PEER));
    let closing = peer.open_with([5; 3]);
    peer.receive(&[0x51, 5, 5, 5, 5, 5, 5]);
    peer.endpoint.close(peer.now, closing);
    peer.write(open, b"unsent");
    peer.receive_from(Some(PEER + 1), &syn([6; 3]));
    peer.take();

    peer.endpoint.handle_link_lost(peer.now, Link::Peer(PEER));
    assert_eq!(peer.ends(), [End::LinkLost; 5]);
    assert_eq!(peer.sent(), Vec::<Vec<u8>>::new());
    assert_eq!(peer.endpoint.conversation_count(), 1);
    peer.endpoint.handle_link_lost(peer.now, Link::Peer(PEER));
    assert_eq!(peer.events(), []);
    peer.endpoint.handle_link_lost(peer.now, Link::All);
    assert_eq!(peer.ends(), [End::LinkLost]);
    assert!(peer.endpoint.is_empty());
}

#[test]
fn a_link_that_returns_carries_new_conversations() {
    for link in [Link::All, Link::Peer(PEER)] {
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
