//! Drives a player, a mock or a script over a link.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::time::Sleep;
use tracing::{info, warn};

use super::link::{Link, LinkError, LinkEvent, Opened, Parcel, Peer, Room, Scope};
use super::lookout::{Lookout, Taken, Work, time_to_judge, wake_after_look};
use super::notice::{NOTICE, WORTH_A_WORD};
use super::service_manager::watched;
use super::signals::Signals;
use crate::replay::inject::{Executor, InjectOutput, StepReport};
use crate::replay::mock::{Mock, MockOutcome, MockOutput};
use crate::replay::{PlayEnd, PlayOutcome, Player, PlayerOutput};

/// Messages that are taken in before their consequences are sent.
const MESSAGES_AT_ONCE: usize = 1_024;

/// Rounds after which the system is asked for further events, however much there is to do.
const MAX_ROUNDS: usize = 2;

/// Time for the queue to be written and read at the end.
const CLOSING_TIME: Duration = Duration::from_secs(2);

/// A machine that is driven: it sends messages, handles those that come, and waits.
pub(super) trait Machine {
    /// The next action; `Over` when there is none.
    fn poll(&mut self, now: Instant) -> Action;
    fn handle_message(&mut self, now: Instant, from: Option<Peer>, message: &Bytes);
    /// Whether messages within a scope are wanted.
    fn reads(&self, _scope: Scope) -> bool {
        true
    }
    /// The carrier takes nothing more within a scope.
    fn blocked(&mut self, scope: Scope);
    /// It does again.
    fn ready(&mut self, now: Instant, scope: Scope);
    /// The link to a peer, or to all, is gone.
    fn lost(&mut self, now: Instant, peer: Option<Peer>) -> Loss;
    fn stop(&mut self, now: Instant);
    /// A notice of what is waited for when nothing happens, if it is worth one.
    fn waits_for(&self) -> Option<String>;
    /// What ends such a wait.
    fn comes(&self) -> &'static str {
        "it goes on"
    }
}

/// The meaning of a loss to a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// It goes on with others.
    OfOne,
    /// It has nobody left.
    OfAll,
}

/// A request of a machine.
pub(super) enum Action {
    Send(Peer, Parcel),
    /// It reported something to whoever watches: ask again.
    Again,
    Wait(Option<Instant>),
    Over,
}

/// The end of driving, beside the machine's own result.
#[derive(Debug, Default)]
pub struct Driving {
    /// The reason why the link was lost.
    pub lost: Option<LinkError>,
    /// Whether a signal ended it.
    pub interrupted: bool,
}

/// Plays to the end, or to a signal. Reports every outcome as it comes.
pub async fn play(
    opened: Opened,
    signals: &mut Signals,
    player: &mut Player,
    report: &mut dyn FnMut(PlayOutcome),
) -> (PlayEnd, Driving) {
    let mut playing = Playing {
        player,
        peer: opened.peer,
        report,
        end: PlayEnd::Complete,
    };
    let driving = drive(opened.link, signals, &mut playing).await;
    (playing.end, driving)
}

/// Serves clients until a signal, or until every recorded conversation is used up.
pub async fn mock(
    opened: Opened,
    signals: &mut Signals,
    mock: &mut Mock<Peer>,
    report: &mut dyn FnMut(MockOutcome),
) -> Driving {
    let mut serving = Serving {
        mock,
        report,
        room: Room::Free,
        stopped: false,
    };
    drive(opened.link, signals, &mut serving).await
}

/// Carries out a script. Returns whether every step went well; `None` if it did not come to its
/// end.
pub async fn inject(
    opened: Opened,
    signals: &mut Signals,
    executor: &mut Executor,
    report: &mut dyn FnMut(StepReport),
) -> (Option<bool>, Driving) {
    let mut injecting = Injecting {
        executor,
        peer: opened.peer,
        report,
        is_full: false,
        passed: None,
        stopped: false,
    };
    let driving = drive(opened.link, signals, &mut injecting).await;
    (injecting.passed, driving)
}

async fn drive(mut link: Link, signals: &mut Signals, machine: &mut dyn Machine) -> Driving {
    let driving = drive_on(&mut link, signals, machine).await;
    if driving.lost.is_none() {
        close(link).await;
    }
    driving
}

/// Closes the link when all that is queued was written and read.
pub(super) async fn close(mut link: Link) {
    let closing = std::future::poll_fn(|cx| link.poll_close(cx));
    if tokio::time::timeout(CLOSING_TIME, closing).await.is_err() {
        warn!(leg = "carrier", "the other end may not have read all");
    }
}

/// Drives until it is over, or the link is lost.
pub(super) async fn drive_on(
    link: &mut Link,
    signals: &mut Signals,
    machine: &mut dyn Machine,
) -> Driving {
    let mut driver = Driver {
        signals,
        timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
        due: None,
        lookout: Lookout::new(Instant::now()),
        work: Work::new(Instant::now()),
        driving: Driving::default(),
        quiet: Quiet::begin(),
        is_heard: false,
    };
    watched(|cx| driver.poll(cx, link, machine)).await;
    driver.driving
}

struct Driver<'a> {
    signals: &'a mut Signals,
    timer: Pin<Box<Sleep>>,
    /// The time at which the machine wants to be polled again.
    due: Option<Instant>,
    lookout: Lookout,
    work: Work,
    driving: Driving,
    quiet: Quiet,
    /// A message has come in this round.
    is_heard: bool,
}

impl Driver<'_> {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        link: &mut Link,
        machine: &mut dyn Machine,
    ) -> Poll<()> {
        for _ in 0..MAX_ROUNDS {
            // Input first: nothing is too late because we were.
            let taken = self.take_in(cx, link, machine);
            let received = taken != Taken::Nothing;
            let mut moved = std::mem::take(&mut self.is_heard);
            let mut has_more = received;
            let seen_until = match taken {
                Taken::Nothing => None,
                Taken::Some | Taken::All => self.work.note_round(Instant::now()),
            };
            let mut left = MESSAGES_AT_ONCE;
            self.due = loop {
                if left == 0 {
                    // There is more to do; what was sent is written first, and signals are heard.
                    has_more = true;
                    break self.due;
                }
                left -= 1;
                let now = Instant::now();
                let time = match seen_until {
                    Some(seen_until) => time_to_judge(seen_until, now, self.due),
                    None => self.lookout.time(now, self.due),
                };
                match machine.poll(time) {
                    Action::Send(to, message) => {
                        moved = true;
                        if let Room::Full(scope) = link.send(to, message) {
                            machine.blocked(scope);
                        }
                    }
                    Action::Again => {}
                    Action::Wait(due) => break due,
                    Action::Over => {
                        link.poll_flush(cx);
                        return Poll::Ready(());
                    }
                }
            };
            link.poll_flush(cx);
            let now = Instant::now();
            if moved {
                self.quiet.end(now, machine);
            }
            if self.signals.poll_recv(cx).is_ready() {
                self.driving.interrupted = true;
                machine.stop(Instant::now());
                continue;
            }
            if has_more {
                continue;
            }
            let quiet_due = self.quiet.due(now, machine);
            if let Some(due) = self.due.filter(|due| *due <= now) {
                if self.lookout.may_judge(cx, now, due) {
                    continue;
                }
                return Poll::Pending;
            }
            if let Some(at) = self.due.into_iter().chain(quiet_due).min() {
                self.timer.as_mut().reset(at.into());
                if self.timer.as_mut().poll(cx).is_ready() {
                    continue;
                }
            }
            return Poll::Pending;
        }
        wake_after_look(cx.waker());
        Poll::Pending
    }

    /// Takes in messages, within a bound.
    fn take_in(
        &mut self,
        cx: &mut Context<'_>,
        link: &mut Link,
        machine: &mut dyn Machine,
    ) -> Taken {
        if self.driving.lost.is_some() {
            return Taken::Nothing;
        }
        let now = Instant::now();
        let mut count = 0;
        while count < MESSAGES_AT_ONCE {
            let Poll::Ready(event) = link.poll_event(cx, &mut |scope| machine.reads(scope)) else {
                return if count == 0 {
                    Taken::Nothing
                } else {
                    Taken::All
                };
            };
            count += event.messages();
            match event {
                LinkEvent::Message { from, bytes } => {
                    self.is_heard = true;
                    machine.handle_message(now, from, &bytes);
                }
                LinkEvent::Ready(scope) => machine.ready(now, scope),
                LinkEvent::PeerLost { peer, error }
                | LinkEvent::MessageLost { peer, error, .. } => {
                    if machine.lost(now, Some(peer)) == Loss::OfAll {
                        self.driving.lost = Some(error);
                        return Taken::All;
                    }
                }
                LinkEvent::PeerUp(_) | LinkEvent::Absorbed { .. } => {}
                LinkEvent::Down(error) => {
                    machine.lost(now, None);
                    self.driving.lost = Some(error);
                    return Taken::All;
                }
            }
        }
        Taken::Some
    }
}

/// Time in which nothing is sent or heard.
struct Quiet {
    since: Instant,
    is_announced: bool,
}

impl Quiet {
    fn begin() -> Self {
        Self {
            since: Instant::now(),
            is_announced: false,
        }
    }

    /// Something moved.
    fn end(&mut self, now: Instant, machine: &dyn Machine) {
        if self.is_announced {
            let waited = now.duration_since(self.since).as_secs_f64();
            info!(target: NOTICE, "{}, after {waited:.1} s", machine.comes());
        }
        self.since = now;
        self.is_announced = false;
    }

    /// Notes the event waited for when it is time; else returns when it will be.
    fn due(&mut self, now: Instant, machine: &dyn Machine) -> Option<Instant> {
        if self.is_announced {
            return None;
        }
        let due = self.since + WORTH_A_WORD;
        if now < due {
            return Some(due);
        }
        self.is_announced = true;
        if let Some(waiting) = machine.waits_for() {
            info!(target: NOTICE, "{waiting}");
        } else {
            self.is_announced = false;
            self.since = now;
            return Some(now + WORTH_A_WORD);
        }
        None
    }
}

struct Playing<'a> {
    player: &'a mut Player,
    peer: Option<Peer>,
    report: &'a mut dyn FnMut(PlayOutcome),
    end: PlayEnd,
}

impl Machine for Playing<'_> {
    fn poll(&mut self, now: Instant) -> Action {
        match self.player.poll_output(now) {
            PlayerOutput::Transmit(message) => match self.peer {
                Some(peer) => Action::Send(peer, message.into()),
                None => Action::Again,
            },
            PlayerOutput::Finished(outcome) => {
                (self.report)(*outcome);
                Action::Again
            }
            PlayerOutput::Timeout(at) => Action::Wait(Some(at)),
            PlayerOutput::Idle => Action::Wait(None),
            PlayerOutput::Done(end) => {
                self.end = end;
                Action::Over
            }
        }
    }

    fn handle_message(&mut self, now: Instant, _from: Option<Peer>, message: &Bytes) {
        self.player.handle_message(now, message);
    }

    fn blocked(&mut self, _scope: Scope) {
        self.player.handle_blocked();
    }

    fn ready(&mut self, _now: Instant, _scope: Scope) {
        self.player.handle_ready();
    }

    fn lost(&mut self, now: Instant, _peer: Option<Peer>) -> Loss {
        self.player.handle_link_lost(now);
        Loss::OfAll
    }

    fn stop(&mut self, now: Instant) {
        self.player.stop(now);
    }

    fn waits_for(&self) -> Option<String> {
        let stats = self.player.stats();
        Some(format!(
            "waiting: {} messages sent and {} heard so far; the next is due later, or an answer is missing",
            stats.sent_messages, stats.received_messages
        ))
    }
}

struct Serving<'a> {
    mock: &'a mut Mock<Peer>,
    report: &'a mut dyn FnMut(MockOutcome),
    room: Room,
    stopped: bool,
}

impl Machine for Serving<'_> {
    fn poll(&mut self, now: Instant) -> Action {
        if self.room != Room::Free && !self.stopped {
            return Action::Wait(None);
        }
        match self.mock.poll_output(now) {
            MockOutput::Transmit { to, message } => Action::Send(to, message.into()),
            MockOutput::Finished(outcome) => {
                (self.report)(outcome);
                Action::Again
            }
            MockOutput::Timeout(_) | MockOutput::Idle if self.stopped || self.mock.is_used_up() => {
                Action::Over
            }
            MockOutput::Timeout(at) => Action::Wait(Some(at)),
            MockOutput::Idle => Action::Wait(None),
        }
    }

    fn handle_message(&mut self, now: Instant, from: Option<Peer>, message: &Bytes) {
        let from = from.or_else(|| sender(message));
        self.mock.handle_message(now, from, message);
    }

    /// A peer that takes nothing is not read, either: answers to it would only wait.
    fn reads(&self, scope: Scope) -> bool {
        match (self.room, scope) {
            (Room::Full(_), _) => false,
            (Room::Free, Scope::Peer(client)) => !self.mock.is_blocked(client),
            (Room::Free, Scope::All) => true,
        }
    }

    fn blocked(&mut self, scope: Scope) {
        match scope {
            Scope::Peer(client) => self.mock.handle_blocked(client),
            Scope::All => self.room = Room::Full(scope),
        }
    }

    fn ready(&mut self, now: Instant, scope: Scope) {
        match scope {
            Scope::Peer(client) => self.mock.handle_ready(now, client),
            Scope::All => {
                self.room = Room::Free;
                self.mock.handle_all_ready(now);
            }
        }
    }

    fn lost(&mut self, _now: Instant, peer: Option<Peer>) -> Loss {
        self.mock.handle_link_lost(peer);
        self.stopped |= peer.is_none();
        match peer {
            Some(_) => Loss::OfOne,
            None => Loss::OfAll,
        }
    }

    fn stop(&mut self, _now: Instant) {
        self.mock.stop();
        self.stopped = true;
    }

    fn waits_for(&self) -> Option<String> {
        // Otherwise it may be the recording's time for the next answer that is awaited.
        (self.mock.open_count() == 0)
            .then(|| "waiting for a client's request; Ctrl-C ends the mock".to_owned())
    }

    fn comes(&self) -> &'static str {
        "a request came"
    }
}

/// The sender of a SYN on a carrier that names none: its destination.
pub(super) fn sender(message: &[u8]) -> Option<Peer> {
    crate::endpoint::syn_destination(message)
        .map(|destination| Peer::Destination(destination.hash()))
}

struct Injecting<'a> {
    executor: &'a mut Executor,
    peer: Option<Peer>,
    report: &'a mut dyn FnMut(StepReport),
    /// Whether the peer takes nothing at the moment.
    is_full: bool,
    passed: Option<bool>,
    stopped: bool,
}

impl Machine for Injecting<'_> {
    fn poll(&mut self, now: Instant) -> Action {
        if self.stopped {
            return Action::Over;
        }
        if self.is_full {
            return Action::Wait(None);
        }
        match self.executor.poll_output(now) {
            InjectOutput::Transmit(bytes) => match self.peer {
                Some(peer) => Action::Send(peer, Parcel::raw(bytes)),
                None => Action::Again,
            },
            InjectOutput::Step(report) => {
                (self.report)(report);
                Action::Again
            }
            // Only the scripts of cases dial.
            InjectOutput::Dial(_) => Action::Again,
            InjectOutput::Timeout(at) => Action::Wait(Some(at)),
            InjectOutput::Done { passed } => {
                self.passed = Some(passed);
                Action::Over
            }
        }
    }

    fn handle_message(&mut self, _now: Instant, _from: Option<Peer>, message: &Bytes) {
        self.executor.handle_message(message.clone());
    }

    fn blocked(&mut self, _scope: Scope) {
        self.is_full = true;
    }

    fn ready(&mut self, _now: Instant, _scope: Scope) {
        self.is_full = false;
    }

    fn lost(&mut self, _now: Instant, _peer: Option<Peer>) -> Loss {
        self.stopped = true;
        Loss::OfAll
    }

    fn stop(&mut self, _now: Instant) {
        self.stopped = true;
    }

    fn waits_for(&self) -> Option<String> {
        let (sent, received) = (self.executor.sent_count(), self.executor.received_count());
        let reason = if self.is_full {
            "the peer takes nothing of what it is sent; Ctrl-C ends it"
        } else {
            "the script waits"
        };
        Some(format!(
            "waiting: {sent} messages sent and {received} heard so far; {reason}"
        ))
    }
}
