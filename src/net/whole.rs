//! The unit that a packet is a part of: for callers that keep some packets of a capture, and with
//! them those without which they cannot be read.

use std::net::IpAddr;

use super::flow_key::FlowKey;
use super::slice::{self, TransportHeader};
use super::{Skip, Transport, link, tunnel};
use crate::capture::Packet;

/// The unit that a packet is a part of: its TCP connection (by addresses and ports, also where they
/// are used again), or the datagram that it is a fragment of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Whole(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Connection(FlowKey),
    Datagram {
        source: IpAddr,
        destination: IpAddr,
        identification: u32,
    },
}

impl Whole {
    /// The unit that a packet is a part of; `None` when it stands for itself.
    pub fn of(packet: &Packet<'_>) -> Option<Self> {
        Self::read(packet).unwrap_or(None)
    }

    fn read(packet: &Packet<'_>) -> Result<Option<Self>, Skip> {
        let payload = link::strip(packet)?;
        let mut encapsulation = payload.encapsulation;
        let ip = tunnel::innermost(payload.ip, &mut encapsulation)?;
        if let Some(fragment) = ip.upper.fragment {
            return Ok(Some(Self(Kind::Datagram {
                source: ip.route.source(),
                destination: ip.route.destination(),
                identification: fragment.identification,
            })));
        }
        let segment = slice::transport(&ip.upper)?;
        Ok(match segment.header {
            TransportHeader::Udp => None,
            TransportHeader::Tcp(_) => {
                let (key, _) = FlowKey::new(Transport::Tcp, &ip.route, segment.ports);
                Some(Self(Kind::Connection(key)))
            }
        })
    }
}
