//! The one loop that moves bytes between local streams, endpoint and link.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use hashbrown::HashMap;
use slab::Slab;
use tokio::net::UnixStream;
use tokio::time::Sleep;
use tracing::{debug, info, warn};

use super::conversations::Record;
use super::local::Local;
use super::notices::{FirstAnswer, Pause, Refusals, Shortage};
use super::service::{Reopening, Service};
use super::stream::LocalStream;
use super::{LostLink, TunnelError, TunnelOptions};
use crate::endpoint::{Anomaly, Endpoint, Event, Handle, Output};
use crate::runtime::acceptor::Acceptor;
use crate::runtime::link::{Link, LinkError, LinkEvent, Opened, Peer, Room, Scope};
use crate::runtime::lookout::{Lookout, Taken};
use crate::runtime::metrics::{Metrics, Scrapes};
use crate::runtime::notice::NOTICE;
use crate::runtime::open::LinkOptions;
use crate::runtime::ready::ReadySet;
use crate::runtime::signals::{OnHangup, Signals};
use crate::runtime::socket::Addresses;
use crate::wire::Message;

/// Rounds after which the system is asked what else is ready, however much
/// there is to do.
const MAX_ROUNDS: usize = 2;

/// Bytes that are taken in from either side before they are passed on. More
/// means fewer wake-ups of whoever reads them; less, that they are still in the
/// cache.
pub(super) const ROUND_BYTES: usize = 1024 * 1024;

/// How long a peer that has answered nothing may take to close after us.
const PARTING_TIME: Duration = Duration::from_millis(250);

/// Messages that are taken in before they are passed on.
const ROUND_MESSAGES: usize = 1_024;

/// The endpoint with all its sockets, in one task.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) endpoint: Endpoint<Peer>,
    pub(super) service: Service,
    link: Option<Link>,
    link_options: LinkOptions,
    lost_link: LostLink,
    reopening: Option<Reopening>,
    /// A conversation's link is not read because of a slow reader.
    link_paused: bool,
    /// How long that has lasted.
    pause: Pause,
    refusals: Refusals,
    pub(super) shortage: Shortage,

    /// The numbers of all that can be ready: those in [`Number`], then local streams.
    pub(super) ready: ReadySet,
    pub(super) locals: Slab<Option<Local>>,
    pub(super) records: HashMap<Handle, Record>,
    turns: VecDeque<usize>,
    woken: Vec<usize>,
    /// Locals with something new to write.
    pub(super) unwritten: Vec<usize>,
    /// Locals that linger, and until when.
    pub(super) lingering: VecDeque<(Instant, usize, Handle)>,
    /// What local streams are read into.
    pub(super) scratch: BytesMut,

    pub(super) metrics: Metrics,
    scrapes: Option<Scrapes>,
    signals: Signals,
    reopen_log: Option<fn()>,
    /// A conversation whose answer takes long.
    pub(super) first_answer: FirstAnswer,
    timer: Pin<Box<Sleep>>,
    endpoint_due: Option<Instant>,
    lookout: Lookout,
    closing_time: Duration,
    /// Set by a signal, and by a link that is lost for good: when patience ends.
    pub(super) closing: Option<Instant>,
    /// Why the link was lost for good.
    lost: Option<LinkError>,
    /// A second signal has come.
    ends_at_once: bool,
}

/// Numbers in the ready set that are not those of local streams.
#[derive(Clone, Copy)]
#[repr(usize)]
enum Number {
    Signals,
    Service,
    Scrapes,
}

impl Driver {
    pub(super) fn new(
        endpoint: Endpoint<Peer>,
        opened: Opened,
        options: &TunnelOptions,
    ) -> Result<Self, TunnelError> {
        let mut ready = ReadySet::default();
        let mut locals = Slab::new();
        for _ in [Number::Signals, Number::Service, Number::Scrapes] {
            // The slabs of both number alike.
            ready.insert();
            locals.insert(None);
        }
        Ok(Self {
            endpoint,
            service: Service::new(opened.peer, opened.destination),
            link: Some(opened.link),
            link_options: options.link.clone(),
            lost_link: options.lost_link,
            reopening: None,
            link_paused: false,
            pause: Pause::default(),
            refusals: Refusals::default(),
            shortage: Shortage::default(),
            ready,
            locals,
            records: HashMap::new(),
            turns: VecDeque::new(),
            woken: Vec::new(),
            unwritten: Vec::new(),
            lingering: VecDeque::new(),
            scratch: BytesMut::new(),
            metrics: Metrics::new(options.lost_log_lines),
            scrapes: None,
            signals: Signals::with(OnHangup::Reopens)?,
            reopen_log: options.reopen_log,
            first_answer: FirstAnswer::default(),
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            endpoint_due: None,
            lookout: Lookout::new(Instant::now()),
            closing_time: options.closing_time,
            closing: None,
            lost: None,
            ends_at_once: false,
        })
    }

    /// Opens a conversation for each connection.
    pub(super) fn listen(&mut self, acceptor: Acceptor) {
        self.service.listen(acceptor);
    }

    /// Answers each conversation by a connection to this service.
    pub(super) fn serve(&mut self, target: Addresses) {
        self.service.serve(target);
    }

    /// Answers requests for numbers.
    pub(super) fn measure(&mut self, scrapes: Scrapes) {
        self.scrapes = Some(scrapes);
    }

    /// Opens the one conversation.
    pub(super) fn pipe(&mut self, stream: StdUnixStream) -> Result<(), TunnelError> {
        let stream = LocalStream::Pipe(UnixStream::from_std(stream)?);
        let handle = self
            .open_conversation(Instant::now(), stream)
            .map_err(|error| TunnelError::System(io::Error::other(error)))?;
        self.service.only(handle);
        Ok(())
    }

    /// Moves all that can be moved; ready when the tunnel is at its end.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TunnelError>> {
        for _ in 0..MAX_ROUNDS {
            let now = Instant::now();
            let goes_on = self.round(now, cx);
            self.tell_refusals(now);
            self.tell_pause(now);
            self.tell_waiting(now);
            if let Some(ending) = self.poll_ending(now, cx) {
                if ending.is_ok() && self.service.only_ended().is_none() {
                    self.tell_summary();
                }
                return Poll::Ready(ending);
            }
            let is_idle = !goes_on && self.ready.poll_ready(cx).is_pending();
            if is_idle && !self.wait(now, cx) {
                return Poll::Pending;
            }
        }
        // Woken after the next look at the system, unlike by our own waker.
        if pin!(tokio::task::yield_now()).poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Takes in what is there and passes it on; true if another round is to follow, whatever
    /// the ready set says.
    fn round(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        let looked = self.take_turns(now, cx);
        let link = self.take_messages(now, cx);
        self.drain(now);
        let wrote = self.write_locals(now);
        if wrote {
            // The endpoint may have more to say to what was written.
            self.drain(now);
        }
        if let Some(link) = &mut self.link {
            link.poll_flush(cx);
        }
        // Nothing wakes us when a link that was not wanted is wanted again.
        let link_may_be_wanted = self.link_paused && (looked || wrote || link != Taken::Nothing);
        link == Taken::Some
            || link_may_be_wanted
            || !(self.turns.is_empty() && self.unwritten.is_empty())
    }

    fn take_turns(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        self.ready.take_ready(cx, &mut self.woken);
        self.turns.extend(self.woken.drain(..));
        let mut bytes = 0;
        let mut busy = false;
        while bytes < ROUND_BYTES
            && let Some(number) = self.turns.pop_front()
        {
            busy = true;
            bytes += if number == Number::Signals as usize {
                self.take_signal(now);
                0
            } else if number == Number::Service as usize {
                self.accept_some(now)
            } else if number == Number::Scrapes as usize {
                self.answer_scrapes();
                0
            } else {
                self.poll_local(now, number)
            };
        }
        busy
    }

    fn take_signal(&mut self, now: Instant) {
        let number = Number::Signals as usize;
        let mut cx = Context::from_waker(self.ready.waker(number));
        let mut reopens = false;
        while self.signals.poll_reopen(&mut cx).is_ready() {
            reopens = true;
        }
        if reopens {
            self.reopen_files();
        }
        loop {
            let mut cx = Context::from_waker(self.ready.waker(number));
            if self.signals.poll_recv(&mut cx).is_pending() {
                return;
            }
            if self.closing.is_some() {
                // The second one does not wait.
                self.ends_at_once = true;
                return;
            }
            info!(
                conversations = self.endpoint.conversation_count(),
                "closing; a second signal ends at once"
            );
            self.closing = Some(now + self.patience());
            self.service.close();
            self.close_conversations(now);
        }
    }

    /// How long what waits may take to be sent after a signal.
    fn patience(&self) -> Duration {
        let opens = self.service.peer().is_some();
        let mut records = self.records.values();
        let has_answers = records.any(|record| record.server_id.is_some());
        // A peer that has answered none of these does not read on for a sender that leaves.
        match opens && !has_answers && !self.records.is_empty() {
            true => self.closing_time.min(PARTING_TIME),
            false => self.closing_time,
        }
    }

    /// Ends all conversations because we end. A close behind a part of what a local side sends
    /// would make it look like the whole; where the peer notices that the link ends, it hears
    /// no close then, and resets its own side.
    fn close_conversations(&mut self, now: Instant) {
        let opens = self.service.peer().is_some();
        let loss_is_noticed = self.link_options.carrier.has_connections();
        let mut cut_count = 0_u64;
        for (handle, record) in &self.records {
            if opens && record.server_id.is_none() {
                // Nobody knows whether its answer ever comes.
                self.endpoint.abort(now, *handle);
            } else if !record.has_input(&self.locals) {
                self.endpoint.close(now, *handle);
            } else if loss_is_noticed {
                self.endpoint.leave(now, *handle);
            } else {
                cut_count += 1;
                self.endpoint.close(now, *handle);
            }
        }
        if cut_count > 0 {
            warn!(
                leg = "carrier",
                conversations = cut_count,
                "closed before their local side had ended what it sends: this carrier tells peers \
                 of an end only, so that they may take a part for the whole"
            );
        }
    }

    /// Goes on in new files, should somebody have moved the old ones away.
    fn reopen_files(&mut self) {
        if let Some(reopen) = self.reopen_log {
            reopen();
        }
        if let Some(recorder) = &self.link_options.recorder {
            recorder.reopen();
        }
        info!(target: NOTICE, "files that are written are opened anew (SIGHUP)");
    }

    /// What passed, for whoever ended us.
    fn tell_summary(&self) {
        let stats = self.endpoint.stats();
        let count = stats.opened_count + stats.offered_count;
        let plural = if count == 1 { "" } else { "s" };
        let recorder = self.link_options.recorder.as_ref();
        let file = recorder.map_or_else(String::new, |recorder| {
            format!("; what passed is in {}", recorder.path().display())
        });
        info!(
            target: NOTICE,
            "{count} conversation{plural}, {} B sent, {} B received, {} refused, {} failed{file}",
            stats.sent.payload_bytes,
            stats.received.payload_bytes,
            self.metrics.refused_count,
            self.metrics.failed_count,
        );
    }

    fn tell_waiting(&mut self, now: Instant) {
        if let Some(handle) = self.first_answer.due(now)
            && let Some(record) = self.records.get(&handle)
            && record.server_id.is_none()
        {
            info!(
                target: NOTICE,
                conv = %handle,
                peer = %record.peer,
                "waiting: no answer to the SYN yet; is a server listening there?"
            );
        }
    }

    fn answer_scrapes(&mut self) {
        let mut cx = Context::from_waker(self.ready.waker(Number::Scrapes as usize));
        while let Some(scrapes) = &mut self.scrapes
            && let Poll::Ready(request) = scrapes.poll_next(&mut cx)
        {
            if request.send(self.metrics.render(&self.endpoint)).is_err() {
                debug!("whoever asked for metrics has left");
            }
        }
    }

    fn accept_some(&mut self, now: Instant) -> usize {
        let number = Number::Service as usize;
        loop {
            if self.endpoint.is_short_of_room() {
                self.endpoint.close_answered(now);
            }
            if self.endpoint.is_full() {
                // They wait in the system's queue until a conversation ends.
                self.service.hold();
                return 0;
            }
            let mut cx = Context::from_waker(self.ready.waker(number));
            let Poll::Ready(stream) = self.service.poll_accept(&mut cx) else {
                return 0;
            };
            if self.link.is_none() {
                warn!(leg = "carrier", "connection turned away: the link is down");
                LocalStream::tcp(stream).reset();
                continue;
            }
            if let Err(error) = self.open_conversation(now, LocalStream::tcp(stream)) {
                warn!(leg = "handshake", %error, "connection turned away");
            }
        }
    }

    /// Lets connections in again that wait for a conversation to end.
    pub(super) fn admit(&mut self) {
        if self.service.release() {
            self.ready.mark(Number::Service as usize);
        }
    }

    fn take_messages(&mut self, now: Instant, cx: &mut Context<'_>) -> Taken {
        let mut bytes = 0;
        let mut count = 0;
        let mut taken = Taken::Some;
        while bytes < ROUND_BYTES && count < ROUND_MESSAGES {
            let Some(link) = &mut self.link else {
                taken = Taken::All;
                break;
            };
            let endpoint = &self.endpoint;
            let mut paused = false;
            let polled = link.poll_event(cx, &mut |scope| {
                let wanted = endpoint.wants_input(scope);
                paused |= !wanted;
                wanted
            });
            self.link_paused = paused;
            let Poll::Ready(event) = polled else {
                taken = Taken::All;
                break;
            };
            count += 1;
            match event {
                LinkEvent::Message {
                    from,
                    bytes: message,
                } => {
                    bytes += message.len();
                    self.endpoint.handle_message(now, from, message);
                }
                LinkEvent::PeerUp(peer) => info!(%peer, "peer connected"),
                LinkEvent::Ready(scope) => self.endpoint.handle_link_ready(scope),
                LinkEvent::PeerLost { peer, error } => {
                    tell_loss(peer, &error);
                    self.endpoint.handle_link_lost(now, Scope::Peer(peer));
                }
                LinkEvent::MessageLost {
                    peer,
                    frame_type,
                    id,
                    error,
                } => {
                    let handle = self.endpoint.handle_message_lost(now, peer, frame_type, id);
                    self.message_lost(handle, peer, error);
                }
                LinkEvent::Down(error) => self.link_down(now, error),
            }
        }
        if self.poll_reopening(cx) {
            return Taken::Some;
        }
        match (taken, count) {
            (Taken::All, 0) => Taken::Nothing,
            (taken, _) => taken,
        }
    }

    fn link_down(&mut self, now: Instant, error: LinkError) {
        self.link = None;
        self.endpoint.handle_link_lost(now, Scope::All);
        match self.lost_link {
            LostLink::Ends => {
                // What has come of conversations that are complete is still delivered.
                self.lost.get_or_insert(error);
                self.service.close();
                self.closing.get_or_insert(now + self.closing_time);
            }
            LostLink::Reopens => {
                warn!(leg = "carrier", carrier = %self.link_options.carrier, %error, "link lost");
                self.reopening = Some(Reopening::new(self.link_options.clone()));
            }
        }
    }

    fn poll_reopening(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(reopening) = &mut self.reopening else {
            return false;
        };
        let Poll::Ready(opened) = reopening.poll(cx) else {
            return false;
        };
        info!(carrier = %opened.carrier, "link is up again");
        self.reopening = None;
        self.link = Some(opened.link);
        self.service.reconnected(opened.peer, opened.destination);
        true
    }

    /// Carries out what the endpoint wants.
    fn drain(&mut self, now: Instant) {
        self.endpoint_due = loop {
            match self.endpoint.poll_output(now) {
                Output::Transmit { to, message } => self.send(to, message),
                Output::Event(event) => self.handle_event(now, event),
                Output::Timeout(at) => break Some(at),
                Output::Idle => break None,
            }
        };
    }

    fn send(&mut self, to: Peer, message: Message) {
        let Some(link) = &mut self.link else { return };
        match link.send(to, message) {
            Room::Free => {}
            Room::Full(scope) => self.endpoint.handle_link_blocked(scope),
        }
    }

    /// Writes to the locals that have something new; false if none has.
    fn write_locals(&mut self, now: Instant) -> bool {
        let mut any = false;
        while let Some(number) = self.unwritten.pop() {
            any = true;
            self.write_local(now, number);
        }
        any
    }

    fn tell_refusals(&mut self, now: Instant) {
        let count = self.endpoint.stats().anomaly_count(Anomaly::OverLimit);
        if let Some(refused_count) = self.refusals.due(now, count) {
            warn!(
                leg = "handshake",
                refused_count,
                conversations = self.endpoint.conversation_count(),
                "refused: more conversations than --max-conversations or --max-per-peer allow"
            );
        }
    }

    fn tell_pause(&mut self, now: Instant) {
        if self.link_paused {
            self.pause.begin(now);
        } else {
            self.pause.end();
        }
        if let Some(time) = self.pause.due(now) {
            let slow = self.endpoint.slow_readers().next();
            let record = slow.and_then(|handle| self.records.get(&handle));
            warn!(
                leg = "target",
                conv = slow.map(tracing::field::display),
                client_id = record.map(|record| tracing::field::display(record.client_id)),
                server_id = record.and_then(|record| record.server_id.map(tracing::field::display)),
                base64 = record.map(Record::base64),
                peer = record.map(|record| tracing::field::display(record.peer)),
                ?time,
                "nothing is taken from the link: what this conversation's local side does not \
                 read fills --buffer; --slow-reader close would end the conversation"
            );
        }
    }

    /// Sees to it that the task is woken in time; true if it is time already. To be called
    /// when all that is there has been taken in.
    fn wait(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        let lingering = self.lingering.front().map(|(until, ..)| *until);
        let pause = self.pause.next_due();
        let answer = self.first_answer.next_due();
        let next = [self.endpoint_due, lingering, self.closing, pause, answer]
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
        let now = self.lookout.time(now, Some(next));
        self.endpoint.handle_timeout(now);
        self.end_lingering(now);
        true
    }

    /// How the tunnel ends, if it does now.
    fn poll_ending(
        &mut self,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Option<Result<(), TunnelError>> {
        if self.ends_at_once {
            return Some(self.outcome());
        }
        if let Some(outcome) = self.service.only_ended()
            && self.all_written()
        {
            // Our close may still be on its way.
            if self.closing.is_none() {
                self.closing = Some(now + self.closing_time);
            }
            let outcome = outcome.map_err(|end| TunnelError::Conversation { end });
            return self
                .link_closed(now, cx)
                .then(|| self.outcome().and(outcome));
        }
        let until = self.closing?;
        let is_late = until <= now;
        // The peer need not wait for slow local sides.
        let is_closed = (self.records.is_empty() || is_late) && self.link_closed(now, cx);
        (is_closed && (self.all_written() || is_late)).then(|| self.outcome())
    }

    fn outcome(&mut self) -> Result<(), TunnelError> {
        match self.lost.take() {
            Some(source) => Err(TunnelError::LinkLost {
                carrier: self.link_options.carrier.clone(),
                source,
            }),
            None => Ok(()),
        }
    }

    fn link_closed(&mut self, now: Instant, cx: &mut Context<'_>) -> bool {
        let patient = self.closing.is_none_or(|until| now < until);
        match &mut self.link {
            Some(link) => link.poll_close(cx).is_ready() || !patient,
            None => true,
        }
    }

    fn all_written(&self) -> bool {
        self.locals
            .iter()
            .all(|(_, local)| local.as_ref().is_none_or(Local::is_flushed))
    }

    /// What the endpoint says of a conversation.
    fn handle_event(&mut self, now: Instant, event: Event<Peer>) {
        match event {
            Event::Incoming {
                conversation,
                from,
                client_id,
                ..
            } => self.incoming(now, conversation, from, client_id),
            Event::Opened {
                conversation,
                server_id,
                handshake,
                ..
            } => self.opened(conversation, server_id, handshake),
            Event::Data {
                conversation,
                bytes,
            } => self.arrived(now, conversation, bytes),
            Event::Writable { conversation } => self.writable(conversation),
            Event::Closed {
                conversation,
                end,
                summary,
            } => self.closed(now, conversation, end, summary),
        }
    }

    /// Our destination, the payload of SYNs.
    pub(super) fn destination(&self) -> Bytes {
        self.service.destination()
    }
}

/// Whoever just leaves is no trouble; its conversations tell if that was early.
fn tell_loss(peer: Peer, error: &LinkError) {
    match error {
        LinkError::Closed => info!(%peer, "peer disconnected"),
        error => warn!(leg = "carrier", %peer, %error, "peer lost"),
    }
}
