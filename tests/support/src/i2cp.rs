//! I2CP: what an application and its router say to each other, and a scene of
//! two applications at one router.

use std::net::SocketAddr;

use crate::{End, Random, TcpFlow, Wire, gzip, length_u16, length_u32};

/// The byte with which an application opens its connection.
pub const PROTOCOL_BYTE: u8 = 0x2a;
/// What i2pd 2.45.1 answers to GetDate, and what is asked with.
const VERSION: &str = "0.9.57";

/// Length of the body, type, body.
pub fn frame(message_type: u8, body: &[u8]) -> Vec<u8> {
    [
        &length_u32(body.len()).to_be_bytes()[..],
        &[message_type],
        body,
    ]
    .concat()
}

/// 1 CreateSession, with a signature that nobody checks.
pub fn create_session(destination: &[u8], options: &[(&str, &str)]) -> Vec<u8> {
    let signature = Random::new(1).bytes(signature_bytes(destination));
    let body = [
        destination,
        &mapping(options),
        &DATE_MILLIS.to_be_bytes(),
        &signature,
    ];
    frame(1, &body.concat())
}

/// 3 DestroySession.
pub fn destroy_session(session: u16) -> Vec<u8> {
    frame(3, &session.to_be_bytes())
}

/// 4 CreateLeaseSet with one lease.
pub fn create_lease_set(session: u16, destination: &[u8]) -> Vec<u8> {
    let mut random = Random::new(u64::from(session));
    let body = [
        &session.to_be_bytes()[..],
        &[0; 20],
        &random.bytes(256),
        destination,
        &random.bytes(256 + 128),
        &[1],
        &random.bytes(36),
        &DATE_MILLIS.to_be_bytes(),
        &random.bytes(signature_bytes(destination)),
    ];
    frame(4, &body.concat())
}

/// 5 SendMessage.
pub fn send_message(session: u16, to: &[u8], payload: &[u8], nonce: u32) -> Vec<u8> {
    frame(5, &send_body(session, to, payload, nonce))
}

/// 6 ReceiveMessageBegin.
pub fn receive_message_begin(session: u16, message: u32) -> Vec<u8> {
    frame(6, &session_and_message(session, message))
}

/// 7 ReceiveMessageEnd.
pub fn receive_message_end(session: u16, message: u32) -> Vec<u8> {
    frame(7, &session_and_message(session, message))
}

/// 20 SessionStatus: 1 created, 0 destroyed.
pub fn session_status(session: u16, status: u8) -> Vec<u8> {
    let [high, low] = session.to_be_bytes();
    frame(20, &[high, low, status])
}

/// 21 RequestLeaseSet with one tunnel.
pub fn request_lease_set(session: u16) -> Vec<u8> {
    let body = [
        &session.to_be_bytes()[..],
        &[1],
        &Random::new(21).bytes(36),
        &DATE_MILLIS.to_be_bytes(),
    ];
    frame(21, &body.concat())
}

/// 22 MessageStatus.
pub fn message_status(session: u16, message: u32, status: u8, size: u32, nonce: u32) -> Vec<u8> {
    let body = [
        &session_and_message(session, message)[..],
        &[status],
        &size.to_be_bytes(),
        &nonce.to_be_bytes(),
    ];
    frame(22, &body.concat())
}

/// 31 MessagePayload.
pub fn message_payload(session: u16, message: u32, payload: &[u8]) -> Vec<u8> {
    let body = [
        &session_and_message(session, message)[..],
        &length_u32(payload.len()).to_be_bytes(),
        payload,
    ];
    frame(31, &body.concat())
}

/// 32 GetDate.
pub fn get_date() -> Vec<u8> {
    frame(32, &string(VERSION))
}

/// 33 SetDate.
pub fn set_date() -> Vec<u8> {
    frame(
        33,
        &[&DATE_MILLIS.to_be_bytes()[..], &string(VERSION)].concat(),
    )
}

/// 36 SendMessageExpires.
pub fn send_message_expires(session: u16, to: &[u8], payload: &[u8], nonce: u32) -> Vec<u8> {
    let mut body = send_body(session, to, payload, nonce);
    // Flags, and 48 bits of expiration.
    body.extend([0, 0]);
    body.extend(&DATE_MILLIS.to_be_bytes()[2..]);
    frame(36, &body)
}

/// 37 RequestVariableLeaseSet with one lease.
pub fn request_variable_lease_set(session: u16) -> Vec<u8> {
    let body = [
        &session.to_be_bytes()[..],
        &[1],
        &Random::new(37).bytes(36),
        &DATE_MILLIS.to_be_bytes(),
    ];
    frame(37, &body.concat())
}

const DATE_MILLIS: u64 = 1_085_486_400_000;

fn send_body(session: u16, to: &[u8], payload: &[u8], nonce: u32) -> Vec<u8> {
    [
        &session.to_be_bytes()[..],
        to,
        &length_u32(payload.len()).to_be_bytes(),
        payload,
        &nonce.to_be_bytes(),
    ]
    .concat()
}

fn session_and_message(session: u16, message: u32) -> Vec<u8> {
    [&session.to_be_bytes()[..], &message.to_be_bytes()].concat()
}

fn string(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("an I2CP string has at most 255 bytes");
    [&[length][..], text.as_bytes()].concat()
}

fn mapping(options: &[(&str, &str)]) -> Vec<u8> {
    let entries: Vec<u8> = options
        .iter()
        .flat_map(|(key, value)| [&string(key)[..], b"=", &string(value), b";"].concat())
        .collect();
    [&length_u16(entries.len()).to_be_bytes()[..], &entries].concat()
}

/// Ed25519 with a key certificate, else DSA.
fn signature_bytes(destination: &[u8]) -> usize {
    if destination.len() == 391 { 64 } else { 40 }
}

/// How a router hands messages to an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Router {
    /// MessagePayload at once, as i2pd does.
    I2pd,
    /// MessageStatus 0, ReceiveMessageBegin, MessagePayload, ReceiveMessageEnd,
    /// and RequestLeaseSet, as the Java router of 2011 does.
    Java,
}

/// One application and its TCP connection to the router.
#[derive(Clone, Debug)]
pub struct Application {
    /// The connection; the client is the application.
    pub flow: TcpFlow,
    /// The two bytes by which both call the session.
    pub session: u16,
    /// Its own destination.
    pub destination: Vec<u8>,
    /// The router that it talks to.
    pub router: Router,
    nickname: String,
    next_message: u32,
    next_nonce: u32,
}

impl Application {
    /// An application at the router that listens on 127.0.0.1:7654.
    pub fn new(port: u16, session: u16, nickname: &str, destination: Vec<u8>) -> Self {
        let router = SocketAddr::from(([127, 0, 0, 1], 7654));
        let own = SocketAddr::from(([127, 0, 0, 1], port));
        Self {
            flow: TcpFlow::new(own, router),
            session,
            destination,
            router: Router::I2pd,
            nickname: nickname.to_owned(),
            next_message: 1,
            next_nonce: u32::from(session) << 8,
        }
    }

    /// Opens the connection and the session, until the lease set is handed over.
    pub fn connect(&mut self, wire: &mut Wire) {
        self.flow.open(wire);
        self.say(wire, End::Client, &[PROTOCOL_BYTE]);
        self.say(wire, End::Client, &get_date());
        self.say(wire, End::Server, &set_date());
        let create = create_session(
            &self.destination,
            &[
                ("inbound.length", "0"),
                ("inbound.nickname", &self.nickname),
                ("outbound.length", "0"),
            ],
        );
        self.say(wire, End::Client, &create);
        self.say(wire, End::Server, &session_status(self.session, 1));
        let request = match self.router {
            Router::I2pd => request_variable_lease_set(self.session),
            Router::Java => request_lease_set(self.session),
        };
        self.say(wire, End::Server, &request);
        let lease_set = create_lease_set(self.session, &self.destination);
        self.say(wire, End::Client, &lease_set);
    }

    /// Hands a ministreaming message to the router, wrapped as the reference wraps it.
    pub fn send(&mut self, wire: &mut Wire, to: &[u8], message: &[u8]) {
        self.send_payload(wire, to, &wrap(message));
    }

    /// Hands any payload to the router.
    pub fn send_payload(&mut self, wire: &mut Wire, to: &[u8], payload: &[u8]) {
        let nonce = self.next_nonce;
        self.next_nonce += 1;
        let bytes = send_message(self.session, to, payload, nonce);
        self.say(wire, End::Client, &bytes);
        let id = self.take_message_id();
        let size = length_u32(payload.len());
        self.say(
            wire,
            End::Server,
            &message_status(self.session, id, 1, size, nonce),
        );
    }

    /// Gets a ministreaming message from the router.
    pub fn receive(&mut self, wire: &mut Wire, message: &[u8]) {
        self.receive_payload(wire, &wrap(message));
    }

    /// Gets any payload from the router.
    pub fn receive_payload(&mut self, wire: &mut Wire, payload: &[u8]) {
        let id = self.take_message_id();
        let bytes = message_payload(self.session, id, payload);
        match self.router {
            Router::I2pd => self.say(wire, End::Server, &bytes),
            Router::Java => {
                let size = length_u32(payload.len());
                let available = message_status(self.session, id, 0, size, 1);
                self.say(wire, End::Server, &available);
                self.say(wire, End::Client, &receive_message_begin(self.session, id));
                self.say(wire, End::Server, &bytes);
                self.say(wire, End::Client, &receive_message_end(self.session, id));
            }
        }
    }

    /// Destroys the session and closes the connection.
    pub fn disconnect(&mut self, wire: &mut Wire) {
        self.say(wire, End::Client, &destroy_session(self.session));
        self.say(wire, End::Server, &session_status(self.session, 0));
        self.flow.close(wire, End::Server);
    }

    /// Sends bytes on the connection in one segment.
    pub fn say(&mut self, wire: &mut Wire, from: End, bytes: &[u8]) {
        self.flow.send(wire, from, bytes);
    }

    const fn take_message_id(&mut self) -> u32 {
        let id = self.next_message;
        self.next_message += 1;
        id
    }
}

/// Stored up to 66 bytes, deflated above: as the reference decides.
pub fn wrap(message: &[u8]) -> Vec<u8> {
    if message.len() <= 66 {
        gzip::stored(message)
    } else {
        gzip::fixed_huffman(message)
    }
}
