//! A client with its server: two legs, and the state of each.

use std::task::{Context, Poll};
use std::time::Instant;

use super::leg::{self, ClientLeg, Intake, LegEvent, LegRecord, ServerLeg};
use crate::allocation::ALLOCATION_BYTES;
use crate::dissect::flow_direction::direction_of;
use crate::net::Side;
use crate::runtime::link::{Link, LinkError, Parcel, Room};

/// Bytes for a server that takes no more at which further datagrams for it are dropped.
const MAX_EXCESS_BYTES: usize = 256 * 1024;

/// A client with its server.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) client: ClientLeg,
    pub(super) client_number: Option<usize>,
    pub(super) server: ServerLeg,
    pub(super) server_number: usize,
    /// Whether a leg takes more, by [`Side::index`].
    pub(super) takes: [bool; 2],
    /// Whether a leg sends nothing more.
    pub(super) ended: [bool; 2],
    /// Whether we have shut down our side of a leg.
    pub(super) shut: [bool; 2],
    /// A fault cut it before the server was reached: messages before the cut still go there.
    pub(super) breaks: bool,
    /// Bytes sent to the server since it took no more: datagrams, for which nobody can be made to
    /// wait.
    pub(super) excess_bytes: usize,
    pub(super) records: Option<[LegRecord; 2]>,
    pub(super) last_received: Instant,
}

/// The result of polling a leg to a server.
pub(super) enum ServerEvent {
    Leg(LegEvent),
    Refused(LinkError),
    Closed,
    /// The server was reached, has the messages before the cut, and is to be cut off.
    Cut,
}

impl Pair {
    /// Whether nothing more comes of either leg.
    pub(super) const fn is_over(&self) -> bool {
        let client_done = match self.client {
            // The link sees to the rest.
            ClientLeg::Peer(_) => self.ended[0] || self.shut[0],
            ClientLeg::Frames(_) => self.ended[0],
        };
        matches!(self.server, ServerLeg::Gone) && client_done
    }

    /// Lets a cut wait until the server is reached; returns whether it has to. Nothing more goes to
    /// it then, and nothing more is read.
    pub(super) fn breaks_when_open(&mut self) -> bool {
        self.breaks = matches!(self.server, ServerLeg::Opening(..));
        if self.breaks {
            self.ended[Side::Initiator.index()] = true;
            self.shut[Side::Responder.index()] = true;
        }
        self.breaks
    }

    /// Sends something to a side; `link` is that of clients who share one. Returns the number of
    /// the leg that has something new to write.
    pub(super) fn send(
        &mut self,
        to: Side,
        parcel: Parcel,
        link: Option<&mut Link>,
    ) -> Option<usize> {
        let cost = parcel.bytes() + size_of::<Parcel>() + ALLOCATION_BYTES;
        let (takes_more, unflushed) = match to {
            Side::Responder => (self.server.send(parcel), Some(self.server_number)),
            Side::Initiator => match (&mut self.client, link) {
                (ClientLeg::Peer(peer), Some(link)) => {
                    (link.send(*peer, parcel) == Room::Free, None)
                }
                (ClientLeg::Peer(_), None) => (true, None),
                (ClientLeg::Frames(stream), _) => {
                    (stream.send(parcel.into_rest()), self.client_number)
                }
            },
        };
        self.takes[to.index()] &= takes_more;
        if to == Side::Responder && !takes_more {
            self.excess_bytes += cost;
        }
        unflushed
    }

    /// Records a message, or a frame, on the leg of a side.
    pub(super) fn record(
        &mut self,
        leg: Side,
        from: Side,
        bytes: &[u8],
        announced: usize,
        comment: Option<&str>,
    ) {
        if let Some(records) = &mut self.records {
            records[leg.index()].message(direction_of(from), bytes, announced, comment);
        }
    }

    /// Records that a side sends nothing more on a leg.
    pub(super) fn record_end(&mut self, leg: Side, from: Side) {
        if let Some(records) = &mut self.records {
            records[leg.index()].finish(direction_of(from));
        }
    }

    /// Whether the server takes the client's messages.
    pub(super) const fn takes_from_client(&self) -> bool {
        self.takes[Side::Responder.index()]
    }

    /// Whether a datagram of the client is to be dropped: its sender cannot be made to wait, and too
    /// much waits for the server.
    pub(super) const fn drops_datagrams(&self) -> bool {
        self.excess_bytes >= MAX_EXCESS_BYTES
    }

    /// The leg of a side takes more again.
    pub(super) const fn has_room(&mut self, side: Side) {
        self.takes[side.index()] = true;
        if matches!(side, Side::Responder) {
            self.excess_bytes = 0;
        }
    }

    pub(super) fn poll_client(&mut self, cx: &mut Context<'_>, intake: Intake) -> Poll<LegEvent> {
        let ClientLeg::Frames(stream) = &mut self.client else {
            return Poll::Pending;
        };
        if stream.is_finishing() {
            return stream
                .poll_finish(cx)
                .map(|()| LegEvent::Ended(LinkError::Closed));
        }
        let intake = if self.ended[Side::Initiator.index()] {
            Intake::Shut
        } else {
            intake
        };
        leg::poll_frames(stream, cx, intake)
    }

    pub(super) fn poll_server(
        &mut self,
        cx: &mut Context<'_>,
        intake: Intake,
    ) -> Poll<ServerEvent> {
        let shut = self.shut[Side::Responder.index()];
        match &mut self.server {
            ServerLeg::Opening(opening, waiting) => match opening.as_mut().poll(cx) {
                Poll::Ready(Ok(mut leg)) => {
                    let mut takes = true;
                    for parcel in std::mem::take(waiting) {
                        takes = leg.send(parcel);
                    }
                    leg.poll_flush(cx);
                    self.server = ServerLeg::Open(leg);
                    self.takes[Side::Responder.index()] = takes;
                    self.excess_bytes = 0;
                    if self.breaks {
                        Poll::Ready(ServerEvent::Cut)
                    } else if takes {
                        // Whoever waited for the connection may send on.
                        Poll::Ready(ServerEvent::Leg(LegEvent::Room))
                    } else {
                        // It wakes us when it can be written again only if it was asked once.
                        Poll::Ready(ServerEvent::Leg(LegEvent::Absorbed))
                    }
                }
                Poll::Ready(Err(error)) => Poll::Ready(ServerEvent::Refused(error)),
                Poll::Pending => Poll::Pending,
            },
            ServerLeg::Open(leg) if shut => leg.poll_close(cx).map(|()| ServerEvent::Closed),
            ServerLeg::Open(leg) => leg.poll_event(cx, intake).map(ServerEvent::Leg),
            ServerLeg::Gone => Poll::Pending,
        }
    }
}
