use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::wire::{ClientId, ServerId, StreamId};

const PEER: u8 = 7;
const SECOND: Duration = Duration::from_secs(1);

/// An endpoint with a clock, its outputs sorted as they come.
struct Rig {
    endpoint: Endpoint<u8>,
    now: Instant,
    sent: Vec<(u8, Vec<u8>)>,
    events: Vec<Event<u8>>,
    timeout: Option<Instant>,
}

impl Rig {
    fn new(config: Config) -> Self {
        Self {
            endpoint: Endpoint::new(config, [9; 32]),
            now: Instant::now(),
            sent: Vec::new(),
            events: Vec::new(),
            timeout: None,
        }
    }

    /// Follows the drain rule.
    fn drain(&mut self) {
        loop {
            match self.endpoint.poll_output(self.now) {
                Output::Transmit { to, message } => {
                    assert_eq!(message.to_vec().len(), message.message_bytes());
                    self.sent.push((to, message.to_vec()));
                }
                Output::Event(event) => self.events.push(event),
                Output::Timeout(at) => {
                    self.timeout = Some(at);
                    break;
                }
                Output::Idle => {
                    self.timeout = None;
                    break;
                }
            }
        }
    }

    fn receive_from(&mut self, from: Option<u8>, message: &[u8]) {
        self.endpoint
            .handle_message(self.now, from, Bytes::copy_from_slice(message));
        self.drain();
    }

    fn receive(&mut self, message: &[u8]) {
        self.receive_from(Some(PEER), message);
    }

    /// Moves the clock, stopping at each timeout on the way.
    fn advance(&mut self, by: Duration) {
        let until = self.now + by;
        self.drain();
        while let Some(at) = self.timeout.filter(|&at| at <= until) {
            self.now = self.now.max(at);
            self.endpoint.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    fn open_with(&mut self, id: [u8; 3]) -> Handle {
        let handle = self
            .endpoint
            .open(
                self.now,
                Open {
                    to: PEER,
                    destination: destination(),
                    client_id: Some(ClientId(StreamId(id))),
                },
            )
            .unwrap();
        self.drain();
        handle
    }

    /// An open conversation of ours: client id 123456, server id 987654.
    fn opened(&mut self) -> Handle {
        let handle = self.open_with([0x12, 0x34, 0x56]);
        self.receive(&[0x51, 0x12, 0x34, 0x56, 0x98, 0x76, 0x54]);
        self.take();
        handle
    }

    fn incoming(&mut self, id: [u8; 3]) -> Handle {
        self.receive(&syn(id));
        match self.events.last() {
            Some(&Event::Incoming { conversation, .. }) => conversation,
            other => panic!("no offer but {other:?}"),
        }
    }

    fn accept(&mut self, handle: Handle) -> ServerId {
        self.endpoint.accept(self.now, handle);
        self.drain();
        match self.events.last() {
            Some(&Event::Opened { server_id, .. }) => server_id,
            other => panic!("not opened but {other:?}"),
        }
    }

    /// An open conversation of the peer's: client id 123456.
    fn accepted(&mut self) -> (Handle, ServerId) {
        let handle = self.incoming([0x12, 0x34, 0x56]);
        let server_id = self.accept(handle);
        self.take();
        (handle, server_id)
    }

    fn write(&mut self, handle: Handle, bytes: &'static [u8]) {
        self.endpoint
            .write(self.now, handle, Bytes::from_static(bytes))
            .unwrap();
        self.drain();
    }

    /// Forgets what came out so far.
    fn take(&mut self) {
        self.sent.clear();
        self.events.clear();
    }

    /// The messages that came out, which all went to the peer.
    fn sent(&mut self) -> Vec<Vec<u8>> {
        self.drain();
        self.sent
            .drain(..)
            .map(|(to, message)| {
                assert_eq!(to, PEER);
                message
            })
            .collect()
    }

    fn events(&mut self) -> Vec<Event<u8>> {
        self.drain();
        std::mem::take(&mut self.events)
    }

    /// How conversations ended, in the order in which they did.
    fn ends(&mut self) -> Vec<End> {
        self.events()
            .into_iter()
            .filter_map(|event| match event {
                Event::Closed { end, .. } => Some(end),
                _ => None,
            })
            .collect()
    }

    /// The payloads that were delivered.
    fn data(&mut self) -> Vec<Bytes> {
        self.events()
            .into_iter()
            .filter_map(|event| match event {
                Event::Data { bytes, .. } => Some(bytes),
                _ => None,
            })
            .collect()
    }
}

fn destination() -> Bytes {
    Bytes::from_static(&[0; 387])
}

fn syn(id: [u8; 3]) -> Vec<u8> {
    message(0xa1, id, &destination())
}

fn message(frame_type: u8, [a, b, c]: [u8; 3], payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![frame_type, a, b, c];
    bytes.extend_from_slice(payload);
    bytes
}

mod samples {
    use super::*;

    #[test]
    fn sample_a_the_service_is_not_available() {
        let mut client = Rig::new(Config::default());
        client.open_with([0x12, 0x34, 0x56]);
        assert_eq!(client.sent(), [syn([0x12, 0x34, 0x56])]);
        client.receive(&[0x52, 0x12, 0x34, 0x56]);
        assert_eq!(client.ends(), [End::Refused]);

        let mut server = Rig::new(Config::default());
        let handle = server.incoming([0x12, 0x34, 0x56]);
        server.endpoint.refuse(server.now, handle);
        assert_eq!(server.sent(), [[0x52, 0x12, 0x34, 0x56]]);
        assert_eq!(server.ends(), [End::RefusedByUs]);
        assert!(client.endpoint.is_empty() && server.endpoint.is_empty());
    }

    #[test]
    fn sample_b_the_server_sends_and_the_client_closes() {
        let mut client = Rig::new(Config::default());
        let handle = client.open_with([0x23, 0x45, 0x67]);
        client.receive(&[0x51, 0x23, 0x45, 0x67, 0x98, 0x76, 0x54]);
        client.receive(&message(0x50, [0x23, 0x45, 0x67], b"data"));
        assert_eq!(client.data(), [&b"data"[..]]);
        client.endpoint.consumed(client.now, handle, 4);
        client.endpoint.close(client.now, handle);
        assert_eq!(
            client.sent(),
            [syn([0x23, 0x45, 0x67]), vec![0xa2, 0x98, 0x76, 0x54],]
        );
        assert_eq!(client.ends(), [End::Closed]);
        assert!(client.endpoint.is_empty());
    }

    #[test]
    fn sample_c_the_server_closes_after_its_answer() {
        for close in [0x51, 0x52] {
            let mut client = Rig::new(Config::default());
            let handle = client.open_with([0x11; 3]);
            client.receive(&[0x51, 0x11, 0x11, 0x11, 0xff, 0xff, 0xff]);
            client.write(handle, b"data");
            client.receive(&message(0x50, [0x11; 3], b"answer"));
            client.receive(&message(0x50, [0x11; 3], b"more data"));
            client.receive(&[close, 0x11, 0x11, 0x11]);
            assert_eq!(
                client.sent(),
                [syn([0x11; 3]), message(0xa0, [0xff; 3], b"data")],
                "a close is not answered"
            );
            let events = client.events();
            assert_eq!(
                events[1..3],
                [&b"answer"[..], b"more data"].map(|bytes| Event::Data {
                    conversation: handle,
                    bytes: Bytes::copy_from_slice(bytes),
                })
            );
            assert!(matches!(
                events[3],
                Event::Closed {
                    end: End::PeerClosed,
                    summary: Summary {
                        sent_bytes: 4,
                        received_bytes: 15,
                        unsent_bytes: 0,
                        ..
                    },
                    ..
                }
            ));
            assert!(!client.endpoint.is_empty(), "15 bytes are not consumed");
            client.endpoint.consumed(client.now, handle, 15);
            assert!(client.endpoint.is_empty());
        }
    }

    #[test]
    fn a_server_plays_its_part_of_sample_c() {
        let mut server = Rig::new(Config::default());
        let handle = server.incoming([0x11; 3]);
        let id = server.accept(handle).0.0;
        server.receive(&message(0xa0, id, b"data"));
        assert_eq!(server.data(), [&b"data"[..]]);
        server.endpoint.consumed(server.now, handle, 4);
        server.write(handle, b"answer");
        server.write(handle, b"more data");
        server.endpoint.finish(server.now, handle);
        assert_eq!(
            server.sent(),
            [
                message(0x51, [0x11; 3], &id),
                message(0x50, [0x11; 3], b"answer"),
                message(0x50, [0x11; 3], b"more data"),
                vec![0x52, 0x11, 0x11, 0x11],
            ]
        );
        assert_eq!(server.ends(), [End::Closed]);
        assert!(server.endpoint.is_empty());
    }
}

mod timeouts {
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
        assert_eq!(client.ends(), [End::Closed]);
        client.endpoint.consumed(client.now, handle, 18);
        assert!(client.endpoint.is_empty());
    }

    #[test]
    fn a_finished_server_closes_at_once() {
        let mut server = Rig::new(Config::default());
        let (handle, _) = server.accepted();
        server.endpoint.finish(server.now, handle);
        assert_eq!(server.sent(), [[0x52, 0x12, 0x34, 0x56]]);
        assert_eq!(server.ends(), [End::Closed]);
    }
}
