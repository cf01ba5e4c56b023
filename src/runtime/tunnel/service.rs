//! The service of a tunnel to its local side, and the recovery of its link.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

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

/// Delays of the attempts to get a link back that does not last: a server may take every connection
/// and end it at once.
#[derive(Debug)]
pub(super) struct Delays {
    up_since: Instant,
    short_lived_count: u32,
}

impl Delays {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            up_since: now,
            short_lived_count: 0,
        }
    }

    /// The link is up again.
    pub(super) const fn link_is_up(&mut self, now: Instant) {
        self.up_since = now;
    }

    /// The delay after the link was lost: none for one that lasted, or the first that did not.
    pub(super) fn after_loss(&mut self, now: Instant) -> Duration {
        if now.saturating_duration_since(self.up_since) >= LONGEST_PAUSE {
            self.short_lived_count = 0;
            return Duration::ZERO;
        }
        let doublings = self.short_lived_count.checked_sub(1);
        self.short_lived_count = self.short_lived_count.saturating_add(1);
        doublings.map_or(Duration::ZERO, |doublings| {
            let factor = 2_u32.saturating_pow(doublings);
            FIRST_PAUSE.saturating_mul(factor).min(LONGEST_PAUSE)
        })
    }
}

type Attempts = Pin<Box<dyn Future<Output = Opened> + Send>>;

/// Attempts to open a link, until one succeeds.
pub(super) struct Reopening(Attempts);

impl Reopening {
    /// Begins after `delay`.
    pub(super) fn new(options: LinkOptions, delay: Duration) -> Self {
        Self(Box::pin(async move {
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_do_not_last_are_opened_again_ever_more_slowly() {
        let mut now = Instant::now();
        let mut delays = Delays::new(now);
        let mut lose = |lasted: Duration| {
            now += lasted;
            let delay = delays.after_loss(now);
            now += delay;
            delays.link_is_up(now);
            delay.as_millis()
        };
        let at_once = Duration::from_millis(1);
        assert_eq!(
            [at_once; 9].map(&mut lose),
            [0, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]
        );
        assert_eq!(lose(Duration::from_secs(5)), 0);
        assert_eq!([at_once; 3].map(&mut lose), [0, 100, 200]);
    }
}
