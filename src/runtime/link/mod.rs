//! Carriers as links, which take an endpoint's messages to its peers and back.
//!
//! A [`Link`] lives from the moment it is usable until [`LinkEvent::Down`]; a
//! new one takes its place if service is taken up again. It is polled by the
//! one task that drives its endpoint:
//!
//! - [`send`](Link::send) only queues, and says when to stop;
//! - [`poll_flush`](Link::poll_flush) writes all that is queued in as few
//!   system calls as possible;
//! - [`poll_event`](Link::poll_event) hands out messages that arrived, one at a time out of one
//!   large read.

mod error;
mod event;
mod faulty;
mod first_contact;
mod i2cp;
mod parcel;
mod peer;
mod plain;
mod tcp;
mod udp;

use std::task::{Context, Poll};

use bytes::Bytes;

use super::carrier_url::CarrierUrl;

pub use self::error::LinkError;
pub use self::event::{LinkCounts, LinkEvent, Room};
pub use self::faulty::{FaultPlan, FaultyLink};
pub use self::i2cp::{I2cpLink, I2cpOptions, OwnKeys, Remote, RemoteError, Unreachable};
pub use self::parcel::Parcel;
pub(in crate::runtime) use self::peer::origin_of;
pub use self::peer::{Peer, Role, Scope};
pub use self::plain::PlainLink;
pub use self::tcp::{TcpLink, TcpOptions};
pub use self::udp::UdpLink;

/// A link that has just become usable.
#[derive(Debug)]
pub struct Opened {
    /// The link for the messages.
    pub link: Link,
    /// Whom conversations are opened with; `None` on the accepting side.
    pub peer: Option<Peer>,
    /// Our destination, the payload of our SYNs.
    pub destination: Bytes,
    /// The carrier with the address that was really bound.
    pub carrier: CarrierUrl,
}

/// A carrier in use.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all links are plain, and messages do not go through another pointer"
)]
pub enum Link {
    /// As it is.
    Plain(PlainLink),
    /// With faults on purpose.
    Faulty(Box<FaultyLink>),
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
            Self::Plain(link) => link.poll_event(cx, reads),
            Self::Faulty(link) => link.poll_event(cx, reads),
        }
    }

    /// Queues a message. One for a peer that is not there is dropped.
    pub fn send(&mut self, to: Peer, message: impl Into<Parcel>) -> Room {
        let message = message.into();
        match self {
            Self::Plain(link) => link.send(to, message),
            Self::Faulty(link) => link.send(to, message),
        }
    }

    /// Writes as much of the queue as can be written now; the rest follows from
    /// [`poll_event`](Self::poll_event). A failure, or that there is room again, shows as an event
    /// there, and the task is woken for it.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) {
        match self {
            Self::Plain(link) => link.poll_flush(cx),
            Self::Faulty(link) => link.poll_flush(cx),
        }
    }

    /// Writes all that is queued and takes leave in the carrier's own way;
    /// ready when that is done. Nothing may be sent after the first call, and
    /// events need not be asked for.
    pub fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Plain(link) => link.poll_close(cx),
            Self::Faulty(link) => link.poll_close(cx),
        }
    }

    /// Ends the connection of one peer when all that is queued for it was written; its further
    /// messages are dropped, and no event reports its end. On carriers without connections there is
    /// nothing to end.
    pub fn finish(&mut self, peer: Peer) {
        match self {
            Self::Plain(link) => link.finish(peer),
            Self::Faulty(link) => link.finish_peer(peer),
        }
    }

    /// Ends the connection of one peer at once; no event reports it. On carriers without
    /// connections there is nothing to end.
    pub fn sever(&mut self, peer: Peer) {
        match self {
            Self::Plain(link) => link.sever(peer),
            Self::Faulty(link) => link.sever_peer(peer),
        }
    }

    /// Its counts since it was opened.
    pub fn counts(&self) -> LinkCounts {
        match self {
            Self::Plain(link) => link.counts(),
            Self::Faulty(link) => link.counts(),
        }
    }
}
