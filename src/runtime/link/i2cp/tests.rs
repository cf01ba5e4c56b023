use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream as StdStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use ministream_fixtures::i2cp::{
    frame, message_payload, message_status, request_variable_lease_set, session_status, set_date,
    wrap,
};
use ministream_fixtures::key_destination;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use super::*;
use crate::carrier::i2cp::MessageStatus;
use crate::keys::Keys;
use crate::session::{LaneOrder, SessionConfig, Undelivered};
use crate::wire::{DestinationHash, StreamId};

const SESSION: u16 = 7;

/// Runs a test with a link to a router that is played by a thread. The thread
/// plays `script` when the session stands.
fn with_link<R: Send + 'static>(
    allow: AllowList,
    script: impl FnOnce(StdStream) -> R + Send + 'static,
    test: impl AsyncFnOnce(I2cpLink, Peer, JoinHandle<R>),
) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let router = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let greeting = [
            set_date(),
            session_status(SESSION, 1),
            request_variable_lease_set(SESSION),
        ];
        stream.write_all(&greeting.concat()).unwrap();
        script(stream)
    });
    let options = I2cpOptions {
        to: Some(Remote::Destination(key_destination(1))),
        session: SessionConfig {
            bytes_per_second: u64::MAX,
            order: LaneOrder::BestEffort,
            ..SessionConfig::default()
        },
        ..I2cpOptions::new(OwnKeys::Transient(crate::keys::KeyType::Ed25519))
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let opened = I2cpLink::open(&address.into(), &options, &allow, None).await;
        let (link, peer) = opened.unwrap();
        test(link, peer.unwrap(), router).await;
    });
}

/// The next frame that the application sends.
fn next_frame(stream: &mut StdStream) -> (u8, Vec<u8>) {
    let mut header = [0; 5];
    stream.read_exact(&mut header).unwrap();
    let [length @ .., message_type] = header;
    let length = u32::from_be_bytes(length).try_into().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (message_type, body)
}

/// Reads until the first SendMessage, whose nonce it returns.
fn skip_to_message(stream: &mut StdStream) -> u32 {
    stream.read_exact(&mut [0]).unwrap();
    skip_to_next_message(stream)
}

/// The same, of a connection that was read before.
fn skip_to_next_message(stream: &mut StdStream) -> u32 {
    loop {
        let (message_type, body) = next_frame(stream);
        if message_type == 5 {
            return u32::from_be_bytes(*body.last_chunk().unwrap());
        }
    }
}

async fn next_event(link: &mut I2cpLink, wanted: bool) -> LinkEvent {
    let event = std::future::poll_fn(|cx| {
        let event = link.poll_event(cx, &mut |_| wanted);
        link.poll_flush(cx);
        event
    });
    let patience = Duration::from_secs(20);
    tokio::time::timeout(patience, event).await.unwrap()
}

fn data(length: usize) -> Parcel {
    use rand::Rng;
    let mut payload = vec![0; length];
    ChaCha12Rng::from_seed([1; 32]).fill_bytes(&mut payload);
    Parcel::raw([&[0xa0, 1, 2, 3], &payload[..]].concat().into())
}

#[test]
fn the_router_is_read_while_nobody_wants_messages() {
    const MESSAGES: u32 = 400;
    let script = |mut stream: StdStream| {
        for number in 0..MESSAGES {
            let mut message = vec![0x50, 0, 0, 1];
            message.extend(number.to_be_bytes());
            message.resize(32_768, 0xaa);
            stream
                .write_all(&message_payload(SESSION, number, &wrap(&message)))
                .unwrap();
        }
        stream
    };
    with_link(AllowList::default(), script, async |mut link, _, router| {
        // Far more than the system's buffers hold has to be read meanwhile.
        while !router.is_finished() {
            let polled = tokio::time::timeout(
                Duration::from_millis(10),
                std::future::poll_fn(|cx| link.poll_event(cx, &mut |_| false)),
            );
            assert!(polled.await.is_err(), "nothing is handed out");
        }
        for number in 0..MESSAGES {
            match next_event(&mut link, true).await {
                LinkEvent::Message { from: None, bytes } => {
                    assert_eq!(bytes[4..8], number.to_be_bytes());
                    assert_eq!(bytes.len(), 32_768);
                }
                other => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn more_than_the_inbox_holds_ends_the_link_behind_what_it_holds() {
    let script = |mut stream: StdStream| {
        let message = wrap(&[0x50; 40_000]);
        for number in 0.. {
            if stream
                .write_all(&message_payload(SESSION, number, &message))
                .is_err()
            {
                return number;
            }
        }
        0
    };
    with_link(AllowList::default(), script, async |mut link, _, router| {
        while link.state != State::Over {
            let polled = std::future::poll_fn(|cx| link.poll_event(cx, &mut |_| false));
            let polled = tokio::time::timeout(Duration::from_millis(10), polled).await;
            assert!(polled.is_err());
        }
        let mut bytes = 0;
        let error = loop {
            match next_event(&mut link, true).await {
                LinkEvent::Message { bytes: message, .. } => bytes += message.len() + ENTRY_BYTES,
                LinkEvent::Down(error) => break error,
                other => panic!("{other:?}"),
            }
        };
        assert!(matches!(error, LinkError::Overrun { limit: INBOX_BYTES }));
        assert!(
            (INBOX_BYTES..INBOX_BYTES + 8_000_000).contains(&bytes),
            "{bytes}"
        );
        drop(link);
        assert!(router.join().unwrap() > 0, "the connection is closed");
    });
}

#[test]
fn small_messages_in_the_inbox_count_what_they_take() {
    let script = |stream: StdStream| stream;
    with_link(AllowList::default(), script, async |mut link, _, router| {
        // The entry alone takes more than a hundred bytes.
        for _ in 0..INBOX_BYTES / 100 {
            link.arrived(Bytes::from_static(&[0xa0]));
        }
        assert_eq!(link.state, State::Over);
        while link.next_event(&mut |_| true).is_some() {}
        assert_eq!(link.inbox_bytes, 0, "what is taken out no longer counts");
        drop(router.join());
    });
}

fn syn(destination: &[u8]) -> Vec<u8> {
    [&[0xa1, 1, 1, 1], destination].concat()
}

#[test]
fn a_syn_comes_from_the_destination_in_it_if_that_is_allowed() {
    let script = |mut stream: StdStream| {
        for (number, seed) in [(1, 2), (2, 3)] {
            let payload = wrap(&syn(&key_destination(seed)));
            stream
                .write_all(&message_payload(SESSION, number, &payload))
                .unwrap();
        }
        stream
    };
    let allowed = DestinationHash::of(&key_destination(3));
    let allow = [crate::runtime::Allowed::Destination(allowed)];
    with_link(
        allow.into_iter().collect(),
        script,
        async |mut link, _, router| {
            match next_event(&mut link, true).await {
                LinkEvent::Message { from, bytes } => {
                    assert_eq!(from, Some(Peer::Destination(allowed)));
                    assert_eq!(bytes, syn(&key_destination(3)));
                }
                other => panic!("{other:?}"),
            }
            // The answer can be sent without anything else being said.
            assert_eq!(link.send(Peer::Destination(allowed), &data(3)), Room::Free);
            assert_eq!(link.session.counters().sent_count, 1);
            drop(router.join());
        },
    );
}

#[test]
fn a_keep_alive_that_was_not_sent_leaves_no_hole() {
    let script = |mut stream: StdStream| {
        let first = skip_to_message(&mut stream);
        let second = skip_to_next_message(&mut stream);
        let failures = [first, second].map(|nonce| message_status(SESSION, 1, 21, 0, nonce));
        stream.write_all(&failures.concat()).unwrap();
        stream
    };
    with_link(
        AllowList::default(),
        script,
        async |mut link, peer, router| {
            assert_eq!(link.send(peer, &data(0)), Room::Free);
            assert_eq!(link.send(peer, &data(1)), Room::Free);
            let event = next_event(&mut link, false).await;
            assert!(matches!(event, LinkEvent::MessageLost { .. }), "{event:?}");
            assert!(link.lost.is_empty(), "only one of them is missed");
            drop(router.join());
        },
    );
}

#[test]
fn a_message_that_was_not_sent_is_lost_and_its_peer_is_not() {
    let script = |mut stream: StdStream| {
        let nonce = skip_to_message(&mut stream);
        let arrived = message_payload(SESSION, 1, &wrap(b"message"));
        let lost = message_status(SESSION, 1, 21, 0, nonce);
        stream.write_all(&[arrived, lost].concat()).unwrap();
        stream
    };
    with_link(
        AllowList::default(),
        script,
        async |mut link, peer, router| {
            assert_eq!(link.send(peer, &data(100)), Room::Free);
            // Before a message that nobody wants at the moment.
            match next_event(&mut link, false).await {
                LinkEvent::MessageLost {
                    peer: to,
                    frame_type,
                    id,
                    error,
                } => {
                    assert_eq!(
                        (to, frame_type, id),
                        (peer, FrameType::CLIENT_DATA, StreamId([1, 2, 3]))
                    );
                    assert!(matches!(
                        error,
                        LinkError::Undelivered(Undelivered(MessageStatus::NO_LEASE_SET))
                    ));
                }
                other => panic!("{other:?}"),
            }
            drop(router.join());
        },
    );
}

#[test]
fn a_full_link_says_so_and_when_there_is_room_again() {
    let script = |mut stream: StdStream| {
        let mut nonces = vec![skip_to_message(&mut stream)];
        while nonces.len() < 16 {
            let (message_type, body) = next_frame(&mut stream);
            if message_type == 5 {
                nonces.push(u32::from_be_bytes(*body.last_chunk().unwrap()));
            }
        }
        for nonce in nonces {
            stream
                .write_all(&message_status(SESSION, 1, 4, 0, nonce))
                .unwrap();
        }
        stream
    };
    with_link(
        AllowList::default(),
        script,
        async |mut link, peer, router| {
            let message = data(32_768);
            let mut sent = 0;
            loop {
                sent += 1;
                match link.send(peer, &message) {
                    // The window takes 16; beyond it the link fills up.
                    Room::Free => {
                        std::future::poll_fn(|cx| {
                            link.poll_flush(cx);
                            Poll::Ready(())
                        })
                        .await;
                    }
                    Room::Full(scope) => {
                        assert_eq!(scope, Scope::All);
                        break;
                    }
                }
            }
            assert_eq!(sent, 16 + 8);
            match next_event(&mut link, true).await {
                LinkEvent::Ready(Scope::All) => {}
                other => panic!("{other:?}"),
            }
            drop(router.join());
        },
    );
}

#[test]
fn closing_takes_leave_of_the_router() {
    let script = |mut stream: StdStream| {
        skip_to_message(&mut stream);
        let leave = next_frame(&mut stream);
        stream.write_all(&session_status(SESSION, 0)).unwrap();
        leave
    };
    with_link(
        AllowList::default(),
        script,
        async |mut link, peer, router| {
            assert_eq!(link.send(peer, &data(100)), Room::Free);
            std::future::poll_fn(|cx| link.poll_close(cx)).await;
            assert_eq!(router.join().unwrap(), (3, vec![0, 7]), "DestroySession");
        },
    );
}

#[test]
fn a_router_that_refuses_is_an_error_of_opening() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let router = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let answer = [set_date(), session_status(SESSION, 3)].concat();
        stream.write_all(&answer).unwrap();
        stream
    });
    let keys = Keys::generate(&mut ChaCha12Rng::from_seed([2; 32]));
    let options = I2cpOptions::new(OwnKeys::Kept(Arc::new(keys)));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let error = runtime
        .block_on(I2cpLink::open(
            &address.into(),
            &options,
            &AllowList::default(),
            None,
        ))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the router calls the session invalid: is the destination in use by another session?"
    );
    drop(router.join());
}

#[test]
fn the_private_key_in_a_lease_set_is_recorded_as_zeros() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("c.pcapng");
    let recorder = crate::runtime::Recorder::create(&path).unwrap();
    let address = "127.0.0.1:7654".parse().unwrap();
    let mut tap = Tap::new(&recorder, address, address);
    let secret = [0xee; 256];
    let body = [&[0, 7][..], &[1; 20], &secret, &[2; 100]].concat();
    tap.sent(&frame(4, &body));
    tap.sent(&frame(5, &[3; 400]));
    drop(tap);
    let recorded = std::fs::read(&path).unwrap();
    let holds = |bytes: &[u8]| recorded.windows(bytes.len()).any(|window| window == bytes);
    // A single byte may also stand in a time stamp.
    assert!(!holds(&[0xee; 4]), "not a part of it");
    let zeros = [&[1; 20][..], &[0; 256], &[2; 100]].concat();
    assert!(holds(&zeros));
    assert!(holds(&[3; 400]), "the rest is as it was");
}
