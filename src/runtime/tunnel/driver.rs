//! The one loop that moves bytes between local streams, endpoint and link.

use std::collections::VecDeque;
use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::net::UnixStream;
use tokio::time::Sleep;
use tracing::{debug, info, warn};

use super::carrier::Carrier;
use super::conversations::{Conversations, SERVICE};
use super::locals::ROUND_BYTES;
use super::notices::{Refusals, Trouble};
use super::service::Service;
use super::stream::LocalStream;
use super::{TunnelError, TunnelOptions};
use crate::endpoint::{Anomaly, Endpoint, Output};
use crate::runtime::acceptor::Acceptor;
use crate::runtime::link::{Opened, Peer};
use crate::runtime::lookout::{Lookout, Taken, Work, wake_after_look};
use crate::runtime::metrics::Scrapes;
use crate::runtime::notice::NOTICE;
use crate::runtime::signals::{OnHangup, Signals};
use crate::runtime::socket::Addresses;
use crate::units::counted;

/// Rounds after which the system is asked for further events, however much there is to do.
const MAX_ROUNDS: usize = 2;

/// Connections accepted in one go.
const MAX_ACCEPTED: usize = 256;

/// The endpoint with all its sockets, in one task.
#[derive(Debug)]
pub(super) struct Driver {
    conversations: Conversations,
    carrier: Carrier,
    turns: VecDeque<usize>,
    woken: Vec<usize>,
    refusals: Refusals,
    unproven: Refusals,
    scrapes: Option<Scrapes>,
    signals: Signals,
    reopen_log: Option<fn()>,
    timer: Pin<Box<Sleep>>,
    endpoint_due: Option<Instant>,
    lookout: Lookout,
    work: Work,
    /// A second signal has come.
    ends_at_once: bool,
}

// Numbers in the ready set that are not those of local streams; the third is `SERVICE`.
const SIGNALS: usize = 0;
const SCRAPES: usize = 2;
const RESERVED: usize = 3;

impl Driver {
    pub(super) fn new(
        endpoint: Endpoint<Peer>,
        opened: Opened,
        options: &TunnelOptions,
    ) -> Result<Self, TunnelError> {
        let service = Service::new(opened.peer, opened.destination);
        Ok(Self {
            conversations: Conversations::new(endpoint, service, options, RESERVED),
            carrier: Carrier::new(opened.link, options),
            turns: VecDeque::new(),
            woken: Vec::new(),
            refusals: Refusals::default(),
            unproven: Refusals::default(),
            scrapes: None,
            signals: Signals::with(OnHangup::Reopens)?,
            reopen_log: options.reopen_log,
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            endpoint_due: None,
            lookout: Lookout::new(Instant::now()),
            work: Work::new(Instant::now()),
            ends_at_once: false,
        })
    }

    /// Opens a conversation for each connection.
    pub(super) fn listen(&mut self, acceptor: Acceptor) {
        self.conversations.service.listen(acceptor);
    }

    /// Answers each conversation by a connection to this service.
    pub(super) fn serve(&mut self, target: Addresses) {
        self.conversations.service.serve(target);
    }

    /// Answers requests for numbers.
    pub(super) fn measure(&mut self, scrapes: Scrapes) {
        self.scrapes = Some(scrapes);
    }

    /// Opens the one conversation.
    pub(super) fn pipe(&mut self, stream: StdUnixStream) -> Result<(), TunnelError> {
        let stream = LocalStream::Pipe(UnixStream::from_std(stream)?);
        let handle = self
            .conversations
            .open_conversation(Instant::now(), stream)
            .map_err(|error| TunnelError::System(io::Error::other(error)))?;
        self.conversations.service.only(handle);
        Ok(())
    }

    /// Moves all that can be moved; ready when the tunnel is at its end.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TunnelError>> {
        for _ in 0..MAX_ROUNDS {
            let now = Instant::now();
            let goes_on = self.round(now, cx);
            self.log_refusals(now);
            self.log_unproven(now);
            self.carrier.log_pause(now, &self.conversations);
            self.conversations.log_missing_answer(now);
            self.conversations.own_what_waits(now);
            if let Some(ending) = self.poll_ending(now, cx) {
                if ending.is_ok() && self.conversations.service.only_ended().is_none() {
                    self.log_summary();
                }
                return Poll::Ready(ending);
            }
            let is_idle = !goes_on
                && self
                    .conversations
                    .locals
                    .ready()
                    .poll_ready(cx)
                    .is_pending();
            if is_idle {
                if !self.wait(now, cx) {
                    return Poll::Pending;
                }
            } else if let Some(seen_until) = self.work.note_round(now) {
                self.judge(seen_until);
            }
        }
        wake_after_look(cx.waker());
        Poll::Pending
    }

    /// Takes in the input there is and passes it on; true if another round is to follow, whatever
    /// the ready set says.
    fn round(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        let looked = self.take_turns(now, cx);
        let link = self.carrier.take_messages(now, cx, &mut self.conversations);
        self.drain(now);
        let wrote = self.conversations.write_locals(now);
        if wrote {
            // The endpoint may have new output after these writes.
            self.drain(now);
        }
        self.carrier.poll_flush(cx);
        // Nothing wakes us when a link that was not wanted is wanted again.
        let link_may_be_wanted =
            self.carrier.is_paused() && (looked || wrote || link != Taken::Nothing);
        link == Taken::Some
            || link_may_be_wanted
            || !self.turns.is_empty()
            || self.conversations.locals.are_in_line()
    }

    fn take_turns(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        self.conversations
            .locals
            .ready()
            .take_ready(cx, &mut self.woken);
        self.turns.extend(self.woken.drain(..));
        let mut bytes = 0;
        let mut busy = false;
        while bytes < ROUND_BYTES
            && let Some(number) = self.turns.pop_front()
        {
            busy = true;
            bytes += if number == SIGNALS {
                self.take_signal(now);
                0
            } else if number == SERVICE {
                self.accept_some(now)
            } else if number == SCRAPES {
                self.answer_scrapes();
                0
            } else {
                self.conversations.poll_local(now, number)
            };
        }
        busy
    }

    fn take_signal(&mut self, now: Instant) {
        let number = SIGNALS;
        let mut cx = Context::from_waker(self.conversations.locals.ready().waker(number));
        let mut reopens = false;
        while self.signals.poll_reopen(&mut cx).is_ready() {
            reopens = true;
        }
        if reopens {
            self.reopen_files();
        }
        loop {
            let mut cx = Context::from_waker(self.conversations.locals.ready().waker(number));
            if self.signals.poll_recv(&mut cx).is_pending() {
                return;
            }
            if self.conversations.closing.is_some() {
                // The second one does not wait.
                self.ends_at_once = true;
                return;
            }
            info!(
                conversations = self.conversations.endpoint.conversation_count(),
                "closing; a second signal ends at once"
            );
            self.conversations.closing = Some(now + self.conversations.patience());
            self.conversations.service.close();
            self.conversations.close_all(now);
        }
    }

    /// Goes on in new files, should somebody have moved the old ones away.
    fn reopen_files(&mut self) {
        if let Some(reopen) = self.reopen_log {
            reopen();
        }
        if let Some(recorder) = &self.carrier.options.recorder {
            recorder.reopen();
        }
        info!(target: NOTICE, "output files opened anew (SIGHUP)");
    }

    /// Logs the totals at the end. Conversations that are still there had no orderly end.
    fn log_summary(&self) {
        let stats = self.conversations.endpoint.stats();
        let count = stats.opened_count + stats.offered_count;
        let recorder = self.carrier.options.recorder.as_ref();
        let file = recorder.map_or_else(String::new, |recorder| {
            let path = recorder.path().display();
            if recorder.has_gaps() {
                format!("; the capture is in {path} only in part: it could not be written")
            } else {
                format!("; the capture is in {path}")
            }
        });
        info!(
            target: NOTICE,
            "{}, {} B sent, {} B received, {} refused, {} failed{file}",
            counted(count, "conversation"),
            stats.sent.payload_bytes,
            stats.received.payload_bytes,
            self.conversations.metrics.refused_count,
            self.conversations.metrics.failed_count + self.conversations.records.len() as u64,
        );
    }

    fn answer_scrapes(&mut self) {
        let mut cx = Context::from_waker(self.conversations.locals.ready().waker(SCRAPES));
        while let Some(scrapes) = &mut self.scrapes
            && let Poll::Ready(request) = scrapes.poll_next(&mut cx)
        {
            if request
                .send(
                    self.conversations
                        .metrics
                        .render(&self.conversations.endpoint, &self.carrier.counts()),
                )
                .is_err()
            {
                debug!("the client that asked for metrics has left");
            }
        }
    }

    fn accept_some(&mut self, now: Instant) -> usize {
        let number = SERVICE;
        for _ in 0..MAX_ACCEPTED {
            if self.conversations.endpoint.is_short_of_room() {
                self.conversations.endpoint.close_answered(now);
            }
            if self.conversations.endpoint.is_full() {
                // They wait in the system's queue until a conversation ends.
                self.conversations.service.hold();
                return 0;
            }
            let mut cx = Context::from_waker(self.conversations.locals.ready().waker(number));
            let Poll::Ready(stream) = self.conversations.service.poll_accept(&mut cx) else {
                return 0;
            };
            if !self.carrier.is_up() {
                let troubles = &mut self.conversations.troubles;
                if let Some(count) = troubles.count(now, Trouble::LinkIsDown) {
                    warn!(
                        leg = "carrier",
                        count, "connection turned away: the link is down"
                    );
                }
                LocalStream::tcp(stream).reset();
                continue;
            }
            if let Err(error) = self
                .conversations
                .open_conversation(now, LocalStream::tcp(stream))
            {
                let troubles = &mut self.conversations.troubles;
                if let Some(count) = troubles.count(now, Trouble::NotOpened) {
                    warn!(leg = "handshake", %error, count, "connection turned away");
                }
            }
        }
        // There may be more; others first.
        self.conversations.locals.mark(number);
        0
    }

    /// Carries out the endpoint's outputs.
    fn drain(&mut self, now: Instant) {
        self.endpoint_due = loop {
            match self.conversations.endpoint.poll_output(now) {
                Output::Transmit { to, message } => {
                    let endpoint = &mut self.conversations.endpoint;
                    self.carrier.send(to, message, endpoint);
                }
                Output::Event(event) => self.conversations.handle_event(now, event),
                Output::Timeout(at) => break Some(at),
                Output::Idle => break None,
            }
        };
    }

    fn log_refusals(&mut self, now: Instant) {
        let count = self
            .conversations
            .endpoint
            .stats()
            .anomaly_count(Anomaly::OverLimit);
        if let Some(refused_count) = self.refusals.due(now, count) {
            warn!(
                leg = "handshake",
                refused_count,
                conversations = self.conversations.endpoint.conversation_count(),
                "refused: more conversations than {} allow",
                self.conversations.advice.conversation_limits
            );
        }
    }

    fn log_unproven(&mut self, now: Instant) {
        let count = self.conversations.unproven_count;
        if let Some(unproven_count) = self.unproven.due(now, count) {
            warn!(
                leg = "handshake",
                unproven_count,
                "conversations ended whose peers did not prove their address, which may be forged"
            );
        }
    }

    /// Sees to it that the task is woken in time; true if it is time already. To be called
    /// when all that is there has been taken in.
    fn wait(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        let lingering = self.conversations.locals.linger_until();
        let pause = self.carrier.next_due();
        let answer = self.conversations.first_answer.next_due();
        let next = [
            self.endpoint_due,
            lingering,
            self.conversations.closing,
            self.conversations.memory_due,
            pause,
            answer,
        ]
        .into_iter()
        .flatten()
        .min();
        let Some(next) = next else { return false };
        if next > now {
            let deadline = tokio::time::Instant::from_std(next);
            if self.timer.deadline() != deadline {
                self.timer.as_mut().reset(deadline);
            }
            return self.timer.as_mut().poll(cx).is_ready();
        }
        if !self.lookout.may_judge(cx, now, next) {
            return false;
        }
        self.judge(self.lookout.time(now, Some(next)));
        true
    }

    /// Judges the deadlines until `now`; all that came before it has been taken in.
    fn judge(&mut self, now: Instant) {
        self.conversations.endpoint.handle_timeout(now);
        self.conversations.end_lingering(now);
    }

    /// The end of the tunnel, if it ends now.
    fn poll_ending(
        &mut self,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Option<Result<(), TunnelError>> {
        if self.ends_at_once {
            return Some(self.carrier.outcome());
        }
        if let Some(outcome) = self.conversations.service.only_ended()
            && self.conversations.locals.are_flushed()
        {
            // Our close may still be on its way.
            if self.conversations.closing.is_none() {
                self.conversations.closing = Some(now + self.conversations.closing_time);
            }
            let outcome = outcome.map_err(|end| TunnelError::Conversation { end });
            return self
                .is_link_closed(now, cx)
                .then(|| self.carrier.outcome().and(outcome));
        }
        let until = self.conversations.closing?;
        let is_late = until <= now;
        // The peer need not wait for slow local sides.
        let is_closed =
            (self.conversations.records.is_empty() || is_late) && self.is_link_closed(now, cx);
        (is_closed && (self.conversations.locals.are_flushed() || is_late))
            .then(|| self.carrier.outcome())
    }

    /// Whether nothing more is to be sent, or patience with it is over.
    fn is_link_closed(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        let patience = self.conversations.closing;
        self.carrier.poll_close(cx).is_ready() || patience.is_some_and(|until| until <= now)
    }
}
