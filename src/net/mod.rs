//! From link bytes to datagrams and ordered byte streams: link and IP headers,
//! fragments, flows, TCP reassembly.
//!
//! A [`PacketDecoder`] reads headers, a [`Network`] follows the flows; neither knows the meaning of
//! payloads.

mod captured;
mod connection;
mod decode;
mod defrag;
mod duplicate;
mod encapsulation;
mod flow;
mod flow_key;
mod gre;
mod ieee80211;
mod layers;
mod limits;
mod link;
mod network;
mod plain;
mod reassembly;
mod runs;
mod skip;
mod slice;
pub mod synthetic;
#[cfg(test)]
mod testing;
mod transport;
mod tunnel;
mod udp_tunnel;
mod whole;

use std::net::SocketAddr;

use crate::capture::Packet;
use crate::time::Timestamp;

pub(crate) use decode::Remainder;
pub use decode::{Decoded, PacketDecoder};
pub use defrag::{LossReason, LostDatagram};
pub use duplicate::CopyCounts;
pub use encapsulation::{Encapsulation, Wrapper};
pub(crate) use flow_key::FlowKey;
pub use limits::NetworkLimits;
pub(crate) use network::{FlowPlace, FlowSight};
pub use network::{Network, NetworkCounts};
pub use reassembly::StreamCounts;
pub use skip::Skip;
pub use transport::Transport;
pub use whole::Whole;

/// Names one flow within a dissection, from 0 in order of appearance. A TCP
/// connection that reuses the addresses and ports of an earlier one is a new flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u32);

/// One end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The end that dialled (TCP SYN), or else the one whose packet was seen first.
    Initiator,
    /// The other end.
    Responder,
}

impl Side {
    /// The other end.
    pub const fn opposite(self) -> Self {
        match self {
            Self::Initiator => Self::Responder,
            Self::Responder => Self::Initiator,
        }
    }

    /// 0 for the initiator, 1 for the responder; an index for values kept per side.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// A flow; `state` is that of the layer above.
///
/// The fields that every packet needs come first: 64 bytes if `state` takes 16.
#[derive(Debug)]
#[repr(C)]
pub struct Flow<S> {
    key: FlowKey,
    /// The layer above's own.
    pub state: S,
    /// Its name.
    pub id: FlowId,
    /// UDP or TCP.
    pub transport: Transport,
    /// The end of the key that is the initiator.
    initiator: flow_key::Sender,
    /// Bytes that the layer above holds for it, and keeps up to date here: they
    /// count towards [`NetworkLimits::flow_bytes`].
    pub held_bytes: usize,
}

impl<S> Flow<S> {
    /// Takes the flow with its state away from the network layer, which keeps it with the
    /// state `left`.
    pub(crate) const fn detach(&mut self, left: S) -> Self {
        Self {
            key: self.key,
            state: std::mem::replace(&mut self.state, left),
            id: self.id,
            transport: self.transport,
            initiator: self.initiator,
            held_bytes: 0,
        }
    }

    /// Address and port of each side, by [`Side::index`].
    pub fn addresses(&self) -> [SocketAddr; 2] {
        self.key.addresses(self.initiator)
    }

    /// Address and port of a side.
    pub fn address(&self, side: Side) -> SocketAddr {
        self.addresses()[side.index()]
    }
}

/// The packet that brought, or completed, a delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// Number of the packet in the input, from 1.
    pub packet: u64,
    /// Its capture time.
    pub time: Timestamp,
    /// Its encapsulation.
    pub encapsulation: Encapsulation,
}

impl Arrival {
    /// That of a packet in no wrapper.
    pub const fn of(packet: &Packet<'_>) -> Self {
        Self {
            packet: packet.number,
            time: packet.time,
            encapsulation: Encapsulation::NONE,
        }
    }
}

/// A delivery of the network layer for a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery<'a> {
    /// The payload of a whole UDP datagram.
    Datagram {
        /// Its sender.
        from: Side,
        /// The payload.
        payload: &'a [u8],
        /// Bytes that the snap length cut from its end.
        missing_bytes: u32,
    },
    /// The next bytes of one direction of a TCP connection, in order and once.
    /// One call holds bytes of one segment only.
    Bytes {
        /// Their sender.
        from: Side,
        /// The bytes, at least one.
        bytes: &'a [u8],
        /// Whether `bytes` is the whole payload of a segment as it was sent, but for bytes that a
        /// snap length cut from its end: false when a part of it had been delivered before.
        whole_segment: bool,
        /// Bytes of the segment that a snap length cut. They come next, as [`Delivery::Cut`].
        cut_bytes: u32,
    },
    /// Bytes of a direction that were on the link but that a snap length cut from the end of their
    /// packet; the next delivery lies behind them.
    Cut {
        /// Their sender.
        from: Side,
        /// Number of bytes.
        missing_bytes: u64,
    },
    /// Bytes of a direction that are not in the capture; the next delivery lies behind them.
    Gap {
        /// Their sender.
        from: Side,
        /// Number of missing bytes; `None` when the direction begins mid-stream, at an unknown
        /// place.
        missing_bytes: Option<u64>,
    },
    /// A segment that receivers ignore, and whose sender went on as if it had not sent it.
    Ignored {
        /// Its sender.
        from: Side,
        /// The segment.
        what: Ignored,
    },
    /// A direction ended in order (FIN), or the connection was reset or
    /// displaced by a new one on the same ports. UDP flows end, too, when they
    /// are forgotten. Every direction of a flow ends once.
    End {
        /// The side whose direction ended.
        from: Side,
        /// The way it ended.
        how: StreamEnd,
    },
}

/// A segment that would end a connection, or begin one on its ports, if receivers did not
/// ignore it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// RST with another sequence number than the next (RFC 5961, 3.2).
    Reset {
        /// Its distance ahead of the next expected byte; negative when it lies behind.
        ahead_bytes: i64,
    },
    /// SYN in an open connection (RFC 5961, 4.2).
    Opening,
}

/// The end of a direction of a TCP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// FIN: everything sent was delivered.
    Fin,
    /// RST.
    Reset,
    /// The flow was forgotten: a new connection took its ports, or the capture ended.
    Forgotten,
    /// The flow was forgotten because its memory is needed; it may go on.
    Evicted,
}
