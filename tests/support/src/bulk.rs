//! Short conversations without end, to measure with.

use std::net::SocketAddr;

use crate::carry::Prefix;
use crate::message::{self, Id};
use crate::{End, Random, TcpFlow, UdpFlow, Wire};

/// Data messages of a conversation: one of these, 3.8 on average.
const DATA_COUNTS: [u64; 5] = [2, 3, 4, 4, 6];
/// Payload bytes of a data message, at most.
const MAX_DATA_BYTES: u64 = 210;

/// How the messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BulkCarrier {
    /// One message a datagram.
    Udp,
    /// TCP, each message after its length.
    Tcp(Prefix),
}

/// Makes conversations, one after the other: a SYN with a 387- or 391-byte
/// destination, an ACK, two to six data messages of varied size, and a close.
/// 6.8 messages on average, about 1.2 kB in a capture.
#[derive(Clone, Debug)]
pub struct Bulk {
    flows: Vec<Flow>,
    random: Random,
    count: u64,
}

impl Bulk {
    /// Opens `flows` flows, at most 20,000, which take turns.
    pub fn open(carrier: BulkCarrier, flows: u16, seed: u64, wire: &mut Wire) -> Self {
        Self {
            flows: (0..flows)
                .map(|number| Flow::open(carrier, number, wire))
                .collect(),
            random: Random::new(seed),
            count: 0,
        }
    }

    /// Records the next conversation.
    pub fn record(&mut self, wire: &mut Wire) {
        let random = &mut self.random;
        let turn = random.index(self.flows.len());
        let flow = &mut self.flows[turn];
        let client = id(self.count, 0x9e_3779);
        let server = id(self.count, 0x85_ebcb);
        self.count += 1;

        flow.send(
            wire,
            End::Client,
            &message::syn(client, &destination(random)),
        );
        flow.send(wire.wait(300), End::Server, &message::ack(client, server));
        for place in 0..DATA_COUNTS[random.index(DATA_COUNTS.len())] {
            let length = usize::try_from(1 + random.below(MAX_DATA_BYTES));
            let bytes = random.bytes(length.expect("a few hundred bytes"));
            // One question, two answers.
            let (from, data) = match place % 3 {
                0 => (End::Client, message::client_data(server, &bytes)),
                _ => (End::Server, message::server_data(client, &bytes)),
            };
            flow.send(wire.wait(500), from, &data);
        }
        let (from, close) = match random.below(2) {
            0 => (End::Client, message::client_close(server)),
            _ => (End::Server, message::server_close(client)),
        };
        flow.send(wire.wait(200), from, &close);
        wire.wait(1_000);
    }
}

/// Never 0, and the same again only after 2^24 - 1 conversations: an odd step
/// passes through all 2^24 values before it comes back to 0.
fn id(number: u64, odd_step: u64) -> Id {
    let position = number % 0xff_ffff + 1;
    let [.., a, b, c] = (position * odd_step).to_be_bytes();
    [a, b, c]
}

/// Three of four are as the reference implementation makes them.
fn destination(random: &mut Random) -> Vec<u8> {
    let mut bytes = random.bytes(384);
    let certificate: &[u8] = match random.below(4) {
        0 => &[5, 0, 4, 0, 7, 0, 0],
        _ => &[0, 0, 0],
    };
    bytes.extend_from_slice(certificate);
    bytes
}

#[derive(Clone, Debug)]
enum Flow {
    Udp(UdpFlow),
    Tcp(TcpFlow, Prefix),
}

impl Flow {
    fn open(carrier: BulkCarrier, number: u16, wire: &mut Wire) -> Self {
        let client = SocketAddr::from(([127, 0, 0, 1], 40_000 + number));
        let server = SocketAddr::from(([127, 0, 0, 1], 9004));
        match carrier {
            BulkCarrier::Udp => Self::Udp(UdpFlow::new(client, server)),
            BulkCarrier::Tcp(prefix) => {
                let mut flow = TcpFlow::new(client, server);
                flow.open(wire);
                Self::Tcp(flow, prefix)
            }
        }
    }

    fn send(&mut self, wire: &mut Wire, from: End, message: &[u8]) {
        match self {
            Self::Udp(flow) => flow.send(wire, from, message),
            Self::Tcp(flow, prefix) => {
                flow.send(wire, from, &prefix.before(message));
                flow.forget(from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_never_zero_and_do_not_repeat_soon() {
        for odd_step in [0x9e_3779, 0x85_ebcb] {
            let mut seen = vec![false; 1 << 24];
            for number in 0..0xff_ffff {
                let [a, b, c] = id(number, odd_step);
                let value = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                assert!(value != 0 && !seen[value], "{number}");
                seen[value] = true;
            }
        }
    }
}
