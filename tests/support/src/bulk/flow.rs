//! The flows that bulk conversations share.

use std::net::SocketAddr;

use super::{BulkCarrier, Truth};
use crate::carry::Prefix;
use crate::{Captured, End, TcpFlow, UdpFlow, Wire};

/// Clients at one address; the next ones have another.
const PORTS: u32 = 20_000;

/// What happens to a TCP segment on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrives.
    Arrives,
    /// Its sender's next segment overtakes it.
    IsOvertaken,
    /// A copy of it comes later.
    ComesTwice,
}

#[derive(Clone, Debug)]
pub(super) enum Flow {
    Udp(UdpFlow),
    Tcp(Box<Connection>),
}

#[derive(Clone, Debug)]
pub(super) struct Connection {
    flow: TcpFlow,
    prefix: Prefix,
    under_way: Option<UnderWay>,
}

/// A segment that comes behind a later one.
#[derive(Clone, Debug)]
struct UnderWay {
    from: End,
    fate: Fate,
    segment: Captured,
}

impl Flow {
    /// The flow of that number, from its first packet on.
    pub(super) fn open(carrier: BulkCarrier, number: u32, wire: &mut Wire) -> Self {
        let [_, _, _, host] = (number / PORTS + 1).to_be_bytes();
        let port = 40_000 + u16::try_from(number % PORTS).expect("below 20,000");
        let client = SocketAddr::from(([127, 0, 0, host], port));
        let server = SocketAddr::from(([127, 0, 0, 1], 9004));
        match carrier {
            BulkCarrier::Udp => Self::Udp(UdpFlow::new(client, server)),
            BulkCarrier::Tcp(prefix) => {
                let mut flow = TcpFlow::new(client, server);
                flow.open(wire);
                Self::Tcp(Box::new(Connection {
                    flow,
                    prefix,
                    under_way: None,
                }))
            }
        }
    }

    pub(super) fn send(
        &mut self,
        wire: &mut Wire,
        from: End,
        message: &[u8],
        fate: Fate,
        truth: &mut Truth,
    ) {
        match self {
            Self::Udp(flow) => flow.send(wire, from, message),
            Self::Tcp(connection) => connection.send(wire, from, message, fate, truth),
        }
    }

    /// What is still under way arrives.
    pub(super) fn deliver_under_way(&mut self, wire: &mut Wire, truth: &mut Truth) {
        if let Self::Tcp(connection) = self {
            connection.deliver_under_way(wire, truth);
        }
    }
}

impl Connection {
    fn send(&mut self, wire: &mut Wire, from: End, message: &[u8], fate: Fate, truth: &mut Truth) {
        // Who sends may be answering it, and so has received it.
        let other_end = |late: &UnderWay| late.from != from;
        if self.under_way.as_ref().is_some_and(other_end) {
            self.deliver_under_way(wire, truth);
        }
        self.flow.send(wire, from, &self.prefix.before(message));
        let overtook = self.under_way.is_some();
        if overtook {
            if matches!(&self.under_way, Some(late) if late.fate == Fate::IsOvertaken) {
                truth.reordered_segments += 1;
            }
            self.deliver_under_way(wire, truth);
        } else if fate != Fate::Arrives {
            if fate == Fate::ComesTwice {
                let sent = self.flow.sent_bytes(from);
                self.flow.resend(wire, from, 0..sent);
            }
            let segment = wire.packets.pop().expect("a segment was just sent");
            self.under_way = Some(UnderWay {
                from,
                fate,
                segment,
            });
        }
        self.flow.forget(from);
    }

    fn deliver_under_way(&mut self, wire: &mut Wire, truth: &mut Truth) {
        if let Some(late) = self.under_way.take() {
            if late.fate == Fate::ComesTwice {
                truth.retransmitted_segments += 1;
            }
            wire.push_frame(late.segment.data);
        }
    }
}
