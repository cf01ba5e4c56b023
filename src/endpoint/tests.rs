mod closing;
mod data;
mod datagrams;
mod flow;
mod illegal;
mod limits;
mod links;
mod opening;
mod samples;
mod timeouts;

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

    /// Forgets the output so far.
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

    /// The ends of conversations, in their order.
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
