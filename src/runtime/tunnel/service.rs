//! The service of a tunnel to its local side, and the recovery of its link.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tracing::{debug, warn};

use crate::endpoint::{ConversationSummary, End, Handle};
use crate::runtime::acceptor::Acceptor;
use crate::runtime::link::{Opened, Peer};
use crate::runtime::open::LinkOptions;
use crate::runtime::repeated::Repeated;
use crate::runtime::socket::Addresses;

/// The pause before the second attempt to get a link back; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The end of the only conversation.
pub(super) type Outcome = Result<(), End>;

/// The source and target of conversations.
#[derive(Debug)]
pub(super) struct Service {
    peer: Option<Peer>,
    destination: Bytes,
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// Nothing is opened or accepted, or not any more.
    None,
    /// Local connections become conversations.
    Listener {
        acceptor: Acceptor,
        /// There are as many conversations as there may be.
        held: bool,
        not_accepted: Repeated,
    },
    /// Conversations become connections to this service.
    Target(Addresses),
    /// There is one conversation; its end.
    Only(Handle, Option<Outcome>),
}

impl Service {
    pub(super) const fn new(peer: Option<Peer>, destination: Bytes) -> Self {
        Self {
            peer,
            destination,
            source: Source::None,
        }
    }

    pub(super) fn listen(&mut self, acceptor: Acceptor) {
        self.source = Source::Listener {
            acceptor,
            held: false,
            not_accepted: Repeated::default(),
        };
    }

    pub(super) fn serve(&mut self, target: Addresses) {
        self.source = Source::Target(target);
    }

    pub(super) fn only(&mut self, handle: Handle) {
        self.source = Source::Only(handle, None);
    }

    /// Begins nothing new.
    pub(super) fn close(&mut self) {
        if !matches!(self.source, Source::Only(..)) {
            self.source = Source::None;
        }
    }

    /// Whom conversations are opened with.
    pub(super) const fn peer(&self) -> Option<Peer> {
        self.peer
    }

    /// Our destination, the payload of SYNs.
    pub(super) fn destination(&self) -> Bytes {
        self.destination.clone()
    }

    pub(super) fn reconnected(&mut self, peer: Option<Peer>, destination: Bytes) {
        self.peer = peer;
        self.destination = destination;
    }

    /// The service that conversations are for.
    pub(super) const fn target(&self) -> Option<&Addresses> {
        match &self.source {
            Source::Target(target) => Some(target),
            Source::None | Source::Listener { .. } | Source::Only(..) => None,
        }
    }

    /// The next local connection.
    pub(super) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<TcpStream> {
        loop {
            let Source::Listener {
                acceptor,
                not_accepted,
                ..
            } = &mut self.source
            else {
                return Poll::Pending;
            };
            match ready!(acceptor.poll_accept(cx)) {
                Ok((stream, _)) => return Poll::Ready(stream),
                Err(error) => {
                    if let Some(count) = not_accepted.count(()) {
                        warn!(leg = "target", %error, count, "cannot accept a connection");
                    }
                }
            }
        }
    }

    /// Lets local connections wait.
    pub(super) fn hold(&mut self) {
        if let Source::Listener { held, .. } = &mut self.source {
            *held = true;
        }
    }

    /// Ends the waiting; false if there was none.
    pub(super) fn release(&mut self) -> bool {
        match &mut self.source {
            Source::Listener { held, .. } => std::mem::take(held),
            Source::None | Source::Target(_) | Source::Only(..) => false,
        }
    }

    pub(super) fn ended(&mut self, handle: Handle, end: End, summary: &ConversationSummary) {
        if let Source::Only(only, ended) = &mut self.source
            && *only == handle
        {
            let waited_for_nothing = end == End::DrainTimeout && !summary.answer_expected;
            *ended = Some(match end.leg() {
                Some(_) if !waited_for_nothing => Err(end),
                Some(_) | None => Ok(()),
            });
        }
    }

    /// The end of the only conversation, if there is one and it did end.
    pub(super) const fn only_ended(&self) -> Option<Outcome> {
        match self.source {
            Source::Only(_, ended) => ended,
            Source::None | Source::Listener { .. } | Source::Target(_) => None,
        }
    }
}

type Attempts = Pin<Box<dyn Future<Output = Opened> + Send>>;

/// Attempts to open a link, until one succeeds.
pub(super) struct Reopening(Attempts);

impl Reopening {
    pub(super) fn new(options: LinkOptions) -> Self {
        Self(Box::pin(async move {
            let mut pause = FIRST_PAUSE;
            loop {
                match options.open().await {
                    Ok(opened) => return opened,
                    Err(error) => debug!(leg = "carrier", %error, ?pause, "link still down"),
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }))
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Opened> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Reopening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reopening")
    }
}
