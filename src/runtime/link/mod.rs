//! Carriers as links: what takes an endpoint's messages to its peers and back.
//!
//! A [`Link`] lives from the moment it is usable until [`LinkEvent::Down`]; a
//! new one takes its place if service is taken up again. It is polled by the
//! one task that drives its endpoint:
//!
//! - [`send`](Link::send) only queues, and says when to stop;
//! - [`poll_flush`](Link::poll_flush) writes all that is queued in as few
//!   system calls as possible;
//! - [`poll_event`](Link::poll_event) hands out what arrived, one message at a
//!   time out of one large read.

mod faulty;
mod first_contact;
mod i2cp;
mod parcel;
mod tcp;
mod udp;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;

use super::carrier_url::CarrierUrl;
use super::tls::TlsError;
use crate::endpoint;
use crate::session::{LookupError, SessionError, Undelivered};
use crate::wire::{DestinationHash, FrameType, StreamId};

pub use self::faulty::{FaultPlan, FaultyLink};
pub use self::i2cp::{I2cpLink, I2cpOptions, OwnKeys, Remote, RemoteError, Unreachable};
pub use self::parcel::Parcel;
pub use self::tcp::{TcpLink, TcpOptions};
pub use self::udp::UdpLink;

/// What a statement about a link is about: one peer's, or all.
pub type Scope = endpoint::Scope<Peer>;

/// Who is at the other end of a link, as the carrier knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// Whoever sends datagrams from this address.
    Address(SocketAddr),
    /// The other end of a TCP connection. Connections are numbered because an
    /// address may come again.
    Connection {
        /// Counts the link's connections.
        number: u64,
        /// Its address.
        address: SocketAddr,
    },
    /// The owner of an I2P destination.
    Destination(DestinationHash),
}

impl Peer {
    /// What limits for one peer count together: an IPv4 address or an IPv6 /64, whatever the
    /// port, since one host has as many ports, and one line as many addresses, as it likes.
    pub fn origin(self) -> Option<u128> {
        match self {
            Self::Address(address) | Self::Connection { address, .. } => {
                Some(origin_of(address.ip()))
            }
            Self::Destination(_) => None,
        }
    }
}

/// See [`Peer::origin`].
pub(in crate::runtime) fn origin_of(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits() >> 64 << 64,
    }
}

/// `127.0.0.1:40112`, or `….b32.i2p`.
impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) | Self::Connection { address, .. } => address.fmt(f),
            Self::Destination(hash) => f.pad(&hash.to_b32_name()),
        }
    }
}

/// Which end opens conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Connects to the carrier's address and opens conversations.
    Client,
    /// Binds the carrier's address and accepts conversations.
    Server,
}

/// A link that has just become usable.
#[derive(Debug)]
pub struct Opened {
    /// What carries the messages.
    pub link: Link,
    /// Whom conversations are opened with; `None` on the accepting side.
    pub peer: Option<Peer>,
    /// Our destination, the payload of our SYNs.
    pub destination: Bytes,
    /// The carrier with the address that was really bound.
    pub carrier: CarrierUrl,
}

/// What happened on a link.
#[derive(Debug)]
pub enum LinkEvent {
    /// A peer's connection was accepted.
    PeerUp(Peer),
    /// A message arrived.
    Message {
        /// Its sender, where the carrier names it.
        from: Option<Peer>,
        /// The whole message, never cut.
        bytes: Bytes,
    },
    /// After [`Room::Full`] there is room again.
    Ready(Scope),
    /// What led to this peer is gone; the others are not affected.
    PeerLost {
        /// Which.
        peer: Peer,
        /// Why.
        error: LinkError,
    },
    /// A message that was sent to this peer did not reach it, and will not; others are not
    /// affected.
    MessageLost {
        /// To whom.
        peer: Peer,
        /// Its type, or one that belongs to conversations in the same way.
        frame_type: FrameType,
        /// Its id.
        id: StreamId,
        /// Why.
        error: LinkError,
    },
    /// The link is gone and of no further use.
    Down(LinkError),
}

/// Whether a link takes more messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Room {
    /// It does.
    Free,
    /// Nothing more is to be sent within this scope until [`LinkEvent::Ready`].
    /// The message that met this answer was still taken.
    Full(Scope),
}

/// Why a link, or a part of it, could not be had or was lost.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The name of the host leads to no address.
    #[error("{carrier}: the host has no address")]
    NoAddress {
        /// The carrier as it was asked for.
        carrier: CarrierUrl,
    },
    /// The address could be reached from other machines, and that is not allowed.
    #[error("{carrier} is not a loopback address")]
    Remote {
        /// The carrier as it was asked for.
        carrier: CarrierUrl,
    },
    /// The address cannot be bound.
    #[error("cannot bind {carrier}")]
    Bind {
        /// The carrier as it was asked for.
        carrier: CarrierUrl,
        /// What the system says.
        source: io::Error,
    },
    /// The address cannot be connected to.
    #[error("{carrier}")]
    Connect {
        /// The carrier as it was asked for.
        carrier: CarrierUrl,
        /// What the system says.
        source: io::Error,
    },
    /// A read or write failed.
    #[error("the connection failed")]
    Io(#[from] io::Error),
    /// The other end closed its connection.
    #[error("the other end closed the connection")]
    Closed,
    /// The other end closed its connection in the midst of a message.
    #[error(
        "the other end closed the connection inside a message, {missing_bytes} bytes before its end"
    )]
    Cut {
        /// Bytes that are missing, as far as is known.
        missing_bytes: usize,
    },
    /// A length that no message has: what arrives is not this carrier.
    #[error(
        "a message of {length} bytes is announced, and the limit is {limit}; not a ministreaming peer, or another prefix"
    )]
    BadPrefix {
        /// What the length says.
        length: u64,
        /// The longest message that is taken.
        limit: usize,
    },
    /// What comes first is no application of I2P.
    #[error("the first byte is {byte:02x}, and that of an I2CP application is 2a")]
    NoFrames {
        /// The byte.
        byte: u8,
    },
    /// The session with the router could not be had, or ended.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// No session could be had.
    #[error("{carrier}")]
    NoSession {
        /// The carrier as it was asked for.
        carrier: CarrierUrl,
        /// Why.
        source: Box<Self>,
    },
    /// TLS: the handshake, or what was protected by it.
    #[error(transparent)]
    Tls(Box<TlsError>),
    /// A connection over TLS could not be had.
    #[error("{carrier}")]
    NoTls {
        /// The carrier as it was asked for.
        carrier: CarrierUrl,
        /// Why.
        source: Box<TlsError>,
    },
    /// What is needed for TLS is missing.
    #[error("{carrier} is not set up")]
    NotSetUp {
        /// The carrier as it was asked for.
        carrier: CarrierUrl,
    },
    /// What is needed for a session with a router is missing.
    #[error("{carrier} needs keys of its own")]
    NoKeys {
        /// The carrier as it was asked for.
        carrier: CarrierUrl,
    },
    /// The destination that is to be called was not found.
    #[error("the destination was not found")]
    NotFound(#[source] LookupError),
    /// The router could not send a message, so that bytes are missing.
    #[error("a message was not sent: {0}")]
    Undelivered(Undelivered),
    /// Messages to ourselves do not arrive.
    #[error(
        "peers cannot reach this session: was the same destination in use less than a minute ago?"
    )]
    Unreachable,
    /// More arrived than was wanted, from a carrier that cannot be paused.
    #[error("more than {limit} bytes wait for readers that are too slow")]
    Overrun {
        /// How many may wait.
        limit: usize,
    },
    /// The plan of faults wants it.
    #[error("cut on purpose by a fault")]
    Fault,
    /// Others wanted the place of a connection that had never carried a message.
    #[error("it never sent a message, and another connection needed its place")]
    Displaced,
    /// No conversation was opened on a connection for so long.
    #[error("it sent no SYN within {0:?}")]
    Silent(Duration),
    /// More connections than are allowed.
    #[error("there are {limit} connections already, the most that are allowed")]
    TooManyPeers {
        /// How many are allowed.
        limit: usize,
    },
}

impl From<TlsError> for LinkError {
    fn from(error: TlsError) -> Self {
        Self::Tls(Box::new(error))
    }
}

/// A carrier in use. Closed set: one variant for each scheme.
#[derive(Debug)]
pub enum Link {
    /// `udp://`
    Udp(UdpLink),
    /// `tcp://` and `tls://`
    Tcp(TcpLink),
    /// `i2cp://`
    I2cp(Box<I2cpLink>),
    /// Any of them, with faults on purpose.
    Faulty(Box<FaultyLink>),
}

/// What links count beside messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounts {
    /// SYNs that were refused because they named another destination than their connection had
    /// proven; on `tls://`.
    pub unproven_syn_count: u64,
    /// Lease sets that the router asked for and got; on `i2cp://`.
    pub lease_set_count: u64,
}

impl Link {
    /// The next thing that happened.
    ///
    /// `reads` says whether messages within a scope are wanted; while they are
    /// not, a link that can leaves them where they are, and the other end's
    /// flow control holds them back. Nothing wakes the task when `reads`
    /// changes its mind: poll again then.
    pub fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
        reads: &mut dyn FnMut(Scope) -> bool,
    ) -> Poll<LinkEvent> {
        match self {
            Self::Udp(link) => link.poll_event(cx, reads),
            Self::Tcp(link) => link.poll_event(cx, reads),
            Self::I2cp(link) => link.poll_event(cx, reads),
            Self::Faulty(link) => link.poll_event(cx, reads),
        }
    }

    /// Queues a message. One for a peer that is not there is dropped.
    pub fn send(&mut self, to: Peer, message: impl Into<Parcel>) -> Room {
        let message = message.into();
        match self {
            Self::Udp(link) => link.send(to, message),
            Self::Tcp(link) => link.send(to, message),
            Self::I2cp(link) => link.send(to, &message),
            Self::Faulty(link) => link.send(to, message),
        }
    }

    /// Writes what is queued and can be written now; the rest follows from
    /// [`poll_event`](Self::poll_event). A failure, or that there is room again, shows as an
    /// event there, and the task is woken for it.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) {
        match self {
            Self::Udp(link) => link.poll_flush(cx),
            Self::Tcp(link) => link.poll_flush(cx),
            Self::I2cp(link) => link.poll_flush(cx),
            Self::Faulty(link) => link.poll_flush(cx),
        }
    }

    /// Writes all that is queued and takes leave in the carrier's own way;
    /// ready when that is done. Nothing may be sent after the first call, and
    /// events need not be asked for.
    pub fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Udp(link) => link.poll_close(cx),
            Self::Tcp(link) => link.poll_close(cx),
            Self::I2cp(link) => link.poll_close(cx),
            Self::Faulty(link) => link.poll_close(cx),
        }
    }

    /// Ends the connection of one peer when all that is queued for it was written; what it still
    /// sends is dropped, and no event reports its end. On carriers without connections there is
    /// nothing to end.
    pub fn finish(&mut self, peer: Peer) {
        match self {
            Self::Tcp(link) => link.finish(peer),
            Self::Udp(_) | Self::I2cp(_) => {}
            Self::Faulty(link) => link.finish_peer(peer),
        }
    }

    /// Ends the connection of one peer at once; no event reports it. On carriers without
    /// connections there is nothing to end.
    pub fn sever(&mut self, peer: Peer) {
        match self {
            Self::Tcp(link) => link.sever(peer),
            Self::Udp(_) | Self::I2cp(_) => {}
            Self::Faulty(link) => link.sever_peer(peer),
        }
    }

    /// What it counted since it was opened.
    pub fn counts(&self) -> LinkCounts {
        match self {
            Self::Tcp(link) => link.counts(),
            Self::I2cp(link) => link.counts(),
            Self::Udp(_) => LinkCounts::default(),
            Self::Faulty(link) => link.counts(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_networks_that_one_owner_has_are_one_origin() {
        let origin = |address: &str| origin_of(address.parse().unwrap());
        for (one, other, is_same) in [
            ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            (
                "2001:db8::",
                "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
                false,
            ),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            // As addresses of IPv6 all of IPv4 would be one /64.
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::192.0.2.1", false),
        ] {
            assert_eq!(origin(one) == origin(other), is_same, "{one} {other}");
        }
    }

    #[test]
    fn ports_of_a_host_are_one_origin_and_destinations_have_none() {
        let peer = |address: &str| Peer::Address(address.parse().unwrap()).origin();
        assert_eq!(peer("192.0.2.1:1"), peer("192.0.2.1:2"));
        assert_eq!(peer("[2001:db8::1]:1"), peer("[2001:db8::2]:2"));
        assert_ne!(peer("192.0.2.1:1"), None);
        assert_eq!(Peer::Destination(DestinationHash::of(b"x")).origin(), None);
    }
}
