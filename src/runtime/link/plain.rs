//! Links without faults on purpose: one variant for each scheme.

use std::task::{Context, Poll};

use super::event::{LinkCounts, LinkEvent, Room};
use super::i2cp::I2cpLink;
use super::parcel::Parcel;
use super::peer::{Peer, Scope};
use super::tcp::TcpLink;
use super::udp::UdpLink;

/// A carrier in use, without faults on purpose. Closed set: one variant for each scheme.
#[derive(Debug)]
pub enum PlainLink {
    /// `udp://`
    Udp(UdpLink),
    /// `tcp://` and `tls://`
    Tcp(TcpLink),
    /// `i2cp://`
    I2cp(Box<I2cpLink>),
}

impl PlainLink {
    /// See [`Link::poll_event`](super::Link::poll_event).
    pub(super) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
        reads: &mut dyn FnMut(Scope) -> bool,
    ) -> Poll<LinkEvent> {
        match self {
            Self::Udp(link) => link.poll_event(cx, reads),
            Self::Tcp(link) => link.poll_event(cx, reads),
            Self::I2cp(link) => link.poll_event(cx, reads),
        }
    }

    /// See [`Link::send`](super::Link::send).
    pub(super) fn send(&mut self, to: Peer, message: Parcel) -> Room {
        match self {
            Self::Udp(link) => link.send(to, message),
            Self::Tcp(link) => link.send(to, message),
            Self::I2cp(link) => link.send(to, &message),
        }
    }

    /// See [`Link::poll_flush`](super::Link::poll_flush).
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) {
        match self {
            Self::Udp(link) => link.poll_flush(cx),
            Self::Tcp(link) => link.poll_flush(cx),
            Self::I2cp(link) => link.poll_flush(cx),
        }
    }

    /// See [`Link::poll_close`](super::Link::poll_close).
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Udp(link) => link.poll_close(cx),
            Self::Tcp(link) => link.poll_close(cx),
            Self::I2cp(link) => link.poll_close(cx),
        }
    }

    /// See [`Link::finish`](super::Link::finish).
    pub(super) fn finish(&mut self, peer: Peer) {
        match self {
            Self::Tcp(link) => link.finish(peer),
            Self::Udp(_) | Self::I2cp(_) => {}
        }
    }

    /// See [`Link::sever`](super::Link::sever).
    pub(super) fn sever(&mut self, peer: Peer) {
        match self {
            Self::Tcp(link) => link.sever(peer),
            Self::Udp(_) | Self::I2cp(_) => {}
        }
    }

    /// See [`Link::counts`](super::Link::counts).
    pub(super) fn counts(&self) -> LinkCounts {
        match self {
            Self::Tcp(link) => link.counts(),
            Self::I2cp(link) => link.counts(),
            Self::Udp(_) => LinkCounts::default(),
        }
    }
}
