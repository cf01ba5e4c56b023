//! One exchange of messages on any carrier.

use crate::i2cp::Application;
use crate::{End, TcpFlow, UdpFlow, Wire, length_u16, length_u32};

/// One message of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// When, in microseconds after the exchange's start.
    pub micros: i64,
    /// Who sends it.
    pub from: End,
    /// The message.
    pub message: Vec<u8>,
}

/// A message from the client.
pub const fn client(micros: i64, message: Vec<u8>) -> Sent {
    Sent {
        micros,
        from: End::Client,
        message,
    }
}

/// A message from the server.
pub const fn server(micros: i64, message: Vec<u8>) -> Sent {
    Sent {
        micros,
        from: End::Server,
        message,
    }
}

/// The length before each message on TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    /// 4 bytes, big-endian.
    U32,
    /// 2 bytes, big-endian.
    U16,
}

impl Prefix {
    /// The message after its length.
    pub fn before(self, message: &[u8]) -> Vec<u8> {
        let mut bytes = match self {
            Self::U32 => length_u32(message.len()).to_be_bytes().to_vec(),
            Self::U16 => length_u16(message.len()).to_be_bytes().to_vec(),
        };
        bytes.extend_from_slice(message);
        bytes
    }
}

/// A message a datagram; the exchange starts where the wire's clock stands.
pub fn over_udp(wire: &mut Wire, flow: UdpFlow, exchange: &[Sent]) {
    let start = wire.now_micros();
    for sent in exchange {
        flow.send(wire.at(start + sent.micros), sent.from, &sent.message);
    }
}

/// Each message after its length, on one connection, a segment each. The
/// exchange starts 1 ms after the connection, which ends 1 ms after the last message.
pub fn over_tcp(wire: &mut Wire, flow: &mut TcpFlow, prefix: Prefix, exchange: &[Sent]) {
    on_connection(wire, flow, exchange, |message| prefix.before(message));
}

/// A message a segment, on one connection.
pub fn over_segments(wire: &mut Wire, flow: &mut TcpFlow, exchange: &[Sent]) {
    on_connection(wire, flow, exchange, <[u8]>::to_vec);
}

fn on_connection(
    wire: &mut Wire,
    flow: &mut TcpFlow,
    exchange: &[Sent],
    encode: impl Fn(&[u8]) -> Vec<u8>,
) {
    let start = wire.now_micros() + 1_000;
    flow.open(wire);
    for sent in exchange {
        let bytes = encode(&sent.message);
        flow.send(wire.at(start + sent.micros), sent.from, &bytes);
    }
    flow.close(wire.wait(1_000), End::Client);
}

/// Through a router that takes 1 ms for each message, with both applications'
/// connections in the capture. The exchange starts 5 ms after they connect.
pub fn over_i2cp(
    wire: &mut Wire,
    client: &mut Application,
    server: &mut Application,
    exchange: &[Sent],
) {
    let start = wire.now_micros() + 5_000;
    client.connect(wire);
    server.connect(wire);
    for sent in exchange {
        let (sender, receiver) = match sent.from {
            End::Client => (&mut *client, &mut *server),
            End::Server => (&mut *server, &mut *client),
        };
        let now = start + sent.micros;
        sender.send(wire.at(now), &receiver.destination, &sent.message);
        receiver.receive(wire.at(now + 1_000), &sent.message);
    }
    client.disconnect(wire.wait(1_000));
    server.disconnect(wire);
}
