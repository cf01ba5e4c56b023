use std::future::poll_fn;
use std::io::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use super::connection::FULL_BYTES;
use super::turns::TURN_MESSAGES;
use super::*;
use crate::carrier::length_prefixed::Prefix;
use crate::keys::Keys;
use crate::runtime::Allowed;
use crate::runtime::link::Remote;
use crate::runtime::testing::run;
use crate::runtime::tls::{TlsClient, TlsOptions, TlsServer};
use crate::session::Query;

fn keys(seed: u8) -> Arc<Keys> {
    Arc::new(Keys::generate(&mut ChaCha12Rng::from_seed([seed; 32])))
}

/// A server's link and the link of a client whose keys it admits.
async fn pair_over_tls() -> (TcpLink, Peer, TcpLink, Peer) {
    pair_over_tls_where(&mut |_| true).await
}

/// The same where the server reads as `reads` says.
async fn pair_over_tls_where(
    reads: &mut dyn FnMut(Scope) -> bool,
) -> (TcpLink, Peer, TcpLink, Peer) {
    let (ours, theirs) = (keys(1), keys(2));
    let client = TlsClient::RawKeys {
        keys: ours,
        server: Remote::LookUp(Query::Hash(theirs.destination().hash())),
    };
    let server = TlsServer::RawKeys { keys: theirs };
    let options = |tls| TcpOptions {
        tls: Some(tls),
        ..TcpOptions::new(Prefix::U32, usize::MAX)
    };
    let client = options(TlsOptions::client(&client, None).unwrap());
    let server = options(TlsOptions::server(&server, None).unwrap());
    let any = [Allowed::Anybody].into_iter().collect();
    let local: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let (mut server, address) = TcpLink::listen(&local.into(), any, server).await.unwrap();
    let addresses: Addresses = address.into();
    let mut connected = std::pin::pin!(TcpLink::connect(&addresses, client));
    let mut from = None;
    let (client, to) = poll_fn(|cx| {
        while let Poll::Ready(event) = server.poll_event(cx, reads) {
            match event {
                LinkEvent::PeerUp(peer) => from = Some(peer),
                LinkEvent::Absorbed { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        connected.as_mut().poll(cx)
    })
    .await
    .unwrap();
    let from = match from {
        Some(peer) => peer,
        None => match next_where(&mut server, reads).await {
            LinkEvent::PeerUp(peer) => peer,
            other => panic!("{other:?}"),
        },
    };
    (client, to, server, from)
}

async fn next(link: &mut TcpLink) -> LinkEvent {
    next_where(link, &mut |_| true).await
}

async fn next_where(link: &mut TcpLink, reads: &mut dyn FnMut(Scope) -> bool) -> LinkEvent {
    loop {
        let event = poll_fn(|cx| {
            let event = link.poll_event(cx, reads);
            link.poll_flush(cx);
            event
        });
        match event.await {
            LinkEvent::Absorbed { .. } => {}
            event => return event,
        }
    }
}

/// Number of bytes that wait to be written to a peer.
fn waiting(link: &TcpLink, peer: Peer) -> usize {
    let Peer::Connection { number, .. } = peer else {
        panic!("{peer}");
    };
    link.connections[&link.by_peer[&number]].waiting_bytes()
}

/// The same when the system takes no more of them.
async fn waiting_when_stuck(link: &mut TcpLink, peer: Peer) -> usize {
    let mut before = usize::MAX;
    loop {
        let number = *link.by_peer.values().next().unwrap();
        link.flush(number);
        let now = waiting(link, peer);
        if now == before {
            return now;
        }
        before = now;
        sleep(Duration::from_millis(100)).await;
    }
}

#[test]
fn a_client_that_floods_with_other_names_and_reads_nothing_is_answered_within_a_bound() {
    run(async {
        let (mut client, to, mut server, from) = pair_over_tls().await;
        // Enough to fill the system's buffers, and nearly ours.
        let filling = 32 * 1024 * 1024;
        if let Room::Free = server.send(from, Parcel::raw(vec![0xa0; filling].into())) {
            panic!("it is full");
        }
        let before = waiting_when_stuck(&mut server, from).await;
        assert!(before > FULL_BYTES);
        let other = keys(3);
        let syn = [&[0xa1, 1, 1, 1], other.destination().as_bytes()].concat();
        let syn = Bytes::from(syn);
        const COUNT: u64 = 5_000;
        for _ in 0..COUNT {
            let _ = client.send(to, Parcel::raw(syn.clone()));
        }
        let flooded = poll_fn(|cx| {
            client.poll_flush(cx);
            let before = server.counts().unproven_syn_count;
            let event = server.poll_event(cx, &mut |_| true);
            server.poll_flush(cx);
            assert!(
                matches!(
                    event,
                    Poll::Pending | Poll::Ready(LinkEvent::Absorbed { .. })
                ),
                "{event:?}"
            );
            let refused = server.counts().unproven_syn_count - before;
            assert!(refused <= MAX_SILENT_TURNS as u64, "others come first");
            if server.counts().unproven_syn_count < COUNT {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(())
        });
        tokio::time::timeout(Duration::from_secs(60), flooded)
            .await
            .unwrap();
        assert!(waiting(&server, from) <= before, "no answer was queued");
    });
}

#[test]
fn handshakes_go_on_while_nothing_is_read() {
    run(async {
        let mut reads = |_| false;
        let pair = pair_over_tls_where(&mut reads);
        let pair = tokio::time::timeout(Duration::from_secs(60), pair);
        let (mut client, to, mut server, _) = pair.await.expect("it does not stand still");
        let _ = client.send(to, Parcel::raw(Bytes::from_static(&[0xff])));
        let both = poll_fn(|cx| {
            client.poll_flush(cx);
            server.poll_event(cx, &mut |_| false)
        });
        let read = tokio::time::timeout(Duration::from_millis(200), both);
        assert!(read.await.is_err(), "messages are left where they are");
        assert!(matches!(next(&mut server).await, LinkEvent::Message { .. }));
    });
}

#[test]
fn an_end_that_tls_tells_behind_bytes_is_noticed_without_one_of_the_socket() {
    run(async {
        let (mut client, to, mut server, from) = pair_over_tls().await;
        let _ = client.send(to, Parcel::raw(Bytes::from_static(&[0xff])));
        poll_fn(|cx| {
            client.poll_flush(cx);
            Poll::Ready(())
        })
        .await;
        let number = *client.connections.keys().next().unwrap();
        client.connections.get_mut(&number).unwrap().end_tls();
        client.flush(number);
        sleep(Duration::from_millis(50)).await;
        assert!(matches!(next(&mut server).await, LinkEvent::Message { .. }));
        let end = tokio::time::timeout(Duration::from_secs(5), next(&mut server)).await;
        assert!(
            matches!(&end, Ok(LinkEvent::PeerLost { peer, error: LinkError::Closed }) if *peer == from),
            "{end:?}"
        );
    });
}

#[test]
fn a_connection_that_is_severed_after_a_reset_is_gone_once() {
    run(async {
        let (mut link, client) = with_first_message_timeout(Duration::from_secs(60)).await;
        let peer = link.connections.values().next().unwrap().peer();
        let _ = link.send(peer, Parcel::raw(Bytes::from_static(&[0x50])));
        socket2::SockRef::from(&client)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(client);
        sleep(Duration::from_millis(50)).await;
        // Writing what waits is what finds the reset.
        link.sever(peer);
        assert!(link.connections.is_empty() && link.by_peer.is_empty());
        assert!(link.events.is_empty(), "{:?}", link.events);
    });
}

/// A server's link on which a SYN must come in time, and a connection to it.
async fn with_first_message_timeout(time: Duration) -> (TcpLink, std::net::TcpStream) {
    let options = TcpOptions {
        first_message_timeout: Some(time),
        ..TcpOptions::new(Prefix::U32, usize::MAX)
    };
    let local: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let any = [Allowed::Anybody].into_iter().collect();
    let (mut link, address) = TcpLink::listen(&local.into(), any, options).await.unwrap();
    let client = std::net::TcpStream::connect(address).unwrap();
    assert!(matches!(next(&mut link).await, LinkEvent::PeerUp(_)));
    (link, client)
}

#[test]
fn whoever_was_not_read_is_read_before_his_silence_is_judged() {
    run(async {
        let (mut link, mut client) = with_first_message_timeout(Duration::from_millis(200)).await;
        client.write_all(&[0, 0, 0, 4, 0xa1, 1, 1, 1]).unwrap();
        while link.paused.is_empty() {
            let event = poll_fn(|cx| Poll::Ready(link.poll_event(cx, &mut |_| false)));
            assert!(event.await.is_pending());
            sleep(Duration::from_millis(1)).await;
        }
        sleep(Duration::from_millis(250)).await;
        // The message that has come was asked for; then there is room for it.
        link.end_late_by(Instant::now(), Seen::Looked);
        link.lookout = Lookout::new(Instant::now());
        let event = next(&mut link).await;
        assert!(matches!(event, LinkEvent::Message { .. }), "{event:?}");
    });
}

#[test]
fn a_syn_without_a_destination_is_one_in_time() {
    run(async {
        for (message, is_one) in [
            (&[0xa1, 1, 1, 1][..], true),
            (&[0xa1, 1, 1, 1, 0x11, 0x22], true),
            (&[0xa1, 1, 1], false),
            (&[0xa0, 1, 1, 1], false),
            (&[0xff], false),
        ] {
            let (mut link, mut client) =
                with_first_message_timeout(Duration::from_millis(100)).await;
            client.write_all(&[0, 0, 0]).unwrap();
            client
                .write_all(&[u8::try_from(message.len()).unwrap()])
                .unwrap();
            client.write_all(message).unwrap();
            assert!(matches!(next(&mut link).await, LinkEvent::Message { .. }));
            let end = tokio::time::timeout(Duration::from_secs(1), next(&mut link)).await;
            let ended = matches!(
                end,
                Ok(LinkEvent::PeerLost {
                    error: LinkError::Silent(_),
                    ..
                })
            );
            assert_eq!(ended, !is_one, "{message:x?}");
        }
    });
}

#[test]
fn connections_that_always_have_more_take_turns_and_let_others_in() {
    run(async {
        let (mut link, mut first) = with_first_message_timeout(Duration::from_secs(60)).await;
        let address = first.peer_addr().unwrap();
        let many = [0, 0, 0, 1, 0xff].repeat(8 * TURN_MESSAGES);
        first.write_all(&many).unwrap();
        let mut second = std::net::TcpStream::connect(address).unwrap();
        second.write_all(&many).unwrap();
        let mut runs: Vec<(Peer, usize)> = Vec::new();
        let mut third = None;
        let mut late = None;
        for _ in 0..16 * TURN_MESSAGES + 3 {
            // The system is asked what has come.
            tokio::task::yield_now().await;
            match next(&mut link).await {
                LinkEvent::PeerUp(peer) => {
                    if third.is_some() {
                        late = Some((peer, runs.len()));
                    }
                }
                LinkEvent::Message { from, .. } => {
                    let from = from.unwrap();
                    match runs.last_mut() {
                        Some((peer, count)) if *peer == from => *count += 1,
                        _ => runs.push((from, 1)),
                    }
                }
                other => panic!("{other:?}"),
            }
            if runs.len() == 4 && third.is_none() {
                let mut stream = std::net::TcpStream::connect(address).unwrap();
                stream.write_all(&many[..5]).unwrap();
                third = Some(stream);
                // Time for the system to tell of it.
                sleep(Duration::from_millis(50)).await;
            }
        }
        // At the ends one of them was alone.
        let mut between = runs[1..10].iter();
        assert!(
            between.all(|(_, count)| *count <= TURN_MESSAGES),
            "{runs:?}"
        );
        let (late, seen_after) = late.unwrap();
        assert!(seen_after <= 6, "{runs:?}");
        let heard = runs.iter().position(|(peer, _)| *peer == late);
        assert!(heard.is_some_and(|place| place <= 10), "{runs:?}");
    });
}
