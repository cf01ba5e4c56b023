//! The link of a tunnel: up, paused, down, opened again.

use std::mem::{Discriminant, discriminant};
use std::task::{Context, Poll};
use std::time::Instant;

use tracing::{info, warn};

use super::conversations::Conversations;
use super::locals::ROUND_BYTES;
use super::notices::Pause;
use super::record::Record;
use super::service::{Delays, Reopening};
use super::{LostLink, TunnelError, TunnelOptions};
use crate::endpoint::Endpoint;
use crate::runtime::link::{Link, LinkCounts, LinkError, LinkEvent, Peer, Room, Scope};
use crate::runtime::lookout::Taken;
use crate::runtime::open::LinkOptions;
use crate::runtime::repeated::{Repeated, RepeatedOfLate};
use crate::wire::Message;

/// Messages that are taken in before they are passed on.
const ROUND_MESSAGES: usize = 1_024;

/// The carrier of a tunnel's messages.
#[derive(Debug)]
pub(super) struct Carrier {
    link: Option<Link>,
    pub(super) options: LinkOptions,
    lost_link: LostLink,
    reopening: Option<Reopening>,
    delays: Delays,
    link_losses: RepeatedOfLate<Discriminant<LinkError>>,
    /// A conversation's link is not read because of a slow reader.
    paused: bool,
    /// The duration of that.
    pause: Pause,
    /// The reason why the link was lost for good.
    lost: Option<LinkError>,
    /// Peers that were lost, by why.
    losses: Repeated<Discriminant<LinkError>>,
}

impl Carrier {
    pub(super) fn new(link: Link, options: &TunnelOptions) -> Self {
        Self {
            link: Some(link),
            options: options.link.clone(),
            lost_link: options.lost_link,
            reopening: None,
            delays: Delays::new(Instant::now()),
            link_losses: RepeatedOfLate::default(),
            paused: false,
            pause: Pause::default(),
            lost: None,
            losses: Repeated::default(),
        }
    }

    /// Whether messages can be sent.
    pub(super) const fn is_up(&self) -> bool {
        self.link.is_some()
    }

    /// The link's counts since it was opened the last time.
    pub(super) fn counts(&self) -> LinkCounts {
        self.link.as_ref().map(Link::counts).unwrap_or_default()
    }

    /// Whether messages are left on it because of a slow reader.
    pub(super) const fn is_paused(&self) -> bool {
        self.paused
    }

    /// When the log should say that a pause is long.
    pub(super) const fn next_due(&self) -> Option<Instant> {
        self.pause.next_due()
    }

    /// Writes the messages sent.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) {
        if let Some(link) = &mut self.link {
            link.poll_flush(cx);
        }
    }

    /// Takes in messages, a round's worth at most.
    pub(super) fn take_messages(
        &mut self,
        now: Instant,
        cx: &mut Context<'_>,
        conversations: &mut Conversations,
    ) -> Taken {
        let mut bytes = 0;
        let mut count = 0;
        let mut taken = Taken::Some;
        while bytes < ROUND_BYTES && count < ROUND_MESSAGES {
            let Some(link) = &mut self.link else {
                taken = Taken::All;
                break;
            };
            let endpoint = &conversations.endpoint;
            let mut paused = false;
            let polled = link.poll_event(cx, &mut |scope| {
                let wanted = endpoint.wants_input(scope);
                paused |= !wanted;
                wanted
            });
            self.paused = paused;
            let Poll::Ready(event) = polled else {
                taken = Taken::All;
                break;
            };
            count += event.messages();
            match event {
                LinkEvent::Message {
                    from,
                    bytes: message,
                } => {
                    bytes += message.len();
                    conversations.endpoint.handle_message(now, from, message);
                }
                LinkEvent::PeerUp(peer) => info!(%peer, "peer connected"),
                LinkEvent::Absorbed { .. } => {}
                LinkEvent::Ready(scope) => conversations.endpoint.handle_link_ready(scope),
                LinkEvent::PeerLost { peer, error } => {
                    log_lost_peer(peer, &error, &mut self.losses);
                    conversations
                        .endpoint
                        .handle_link_lost(now, Scope::Peer(peer));
                }
                LinkEvent::MessageLost {
                    peer,
                    frame_type,
                    id,
                    error,
                } => {
                    let handle = conversations
                        .endpoint
                        .handle_message_lost(now, peer, frame_type, id);
                    conversations.message_lost(now, handle, peer, error);
                }
                LinkEvent::Down(error) => self.go_down(now, error, conversations),
            }
        }
        if self.poll_reopening(now, cx, conversations) {
            return Taken::Some;
        }
        match (taken, count) {
            (Taken::All, 0) => Taken::Nothing,
            (taken, _) => taken,
        }
    }

    fn go_down(&mut self, now: Instant, error: LinkError, conversations: &mut Conversations) {
        self.link = None;
        conversations.endpoint.handle_link_lost(now, Scope::All);
        match self.lost_link {
            LostLink::Ends => {
                // Data of conversations that are complete are still delivered.
                self.lost.get_or_insert(error);
                conversations.service.close();
                conversations
                    .closing
                    .get_or_insert(now + conversations.closing_time);
            }
            LostLink::Reopens => {
                if let Some(count) = self.link_losses.count(now, discriminant(&error)) {
                    let carrier = &self.options.carrier;
                    warn!(leg = "carrier", %carrier, %error, count, "link lost");
                }
                let delay = self.delays.after_loss(now);
                self.reopening = Some(Reopening::new(self.options.clone(), delay));
            }
        }
    }

    fn poll_reopening(
        &mut self,
        now: Instant,
        cx: &mut Context<'_>,
        conversations: &mut Conversations,
    ) -> bool {
        let Some(reopening) = &mut self.reopening else {
            return false;
        };
        let Poll::Ready(opened) = reopening.poll(cx) else {
            return false;
        };
        info!(carrier = %opened.carrier, "link is up again");
        self.reopening = None;
        self.delays.link_is_up(now);
        self.link = Some(opened.link);
        conversations
            .service
            .reconnected(opened.peer, opened.destination);
        true
    }

    /// Sends a message, and pauses the endpoint when there is no room for more.
    pub(super) fn send(&mut self, to: Peer, message: Message, endpoint: &mut Endpoint<Peer>) {
        let Some(link) = &mut self.link else { return };
        match link.send(to, message) {
            Room::Free => {}
            Room::Full(scope) => endpoint.handle_link_blocked(scope),
        }
    }

    /// Says that a slow reader has held up the link for long.
    pub(super) fn log_pause(&mut self, now: Instant, conversations: &Conversations) {
        if self.paused {
            self.pause.begin(now);
        } else {
            self.pause.end();
        }
        if let Some(time) = self.pause.due(now) {
            let slow = conversations.endpoint.slow_readers().next();
            let record = slow.and_then(|handle| conversations.records.get(&handle));
            warn!(
                leg = "target",
                conv = slow.map(tracing::field::display),
                client_id = record.map(|record| tracing::field::display(record.client_id)),
                server_id = record.and_then(|record| record.server_id.map(tracing::field::display)),
                base64 = record.map(Record::base64),
                peer = record.map(|record| tracing::field::display(record.peer)),
                ?time,
                "nothing is taken from the link: what this conversation's local side does not \
                 read fills {}",
                conversations.advice.slow_reader
            );
        }
    }

    /// Whether the link was lost for good.
    ///
    /// # Errors
    /// It was.
    pub(super) fn outcome(&mut self) -> Result<(), TunnelError> {
        match self.lost.take() {
            Some(source) => Err(TunnelError::LinkLost {
                carrier: self.options.carrier.clone(),
                source,
            }),
            None => Ok(()),
        }
    }

    /// Whether all has been sent and the link is closed.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.link {
            Some(link) => link.poll_close(cx),
            None => Poll::Ready(()),
        }
    }
}

/// A peer that just leaves is no trouble; its conversations report it if that was early.
fn log_lost_peer(peer: Peer, error: &LinkError, losses: &mut Repeated<Discriminant<LinkError>>) {
    if let LinkError::Closed = error {
        info!(%peer, "peer disconnected");
    } else if let Some(count) = losses.count(discriminant(error)) {
        warn!(leg = "carrier", %peer, %error, count, "peer lost");
    }
}
