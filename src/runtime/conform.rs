//! Tries the cases of a suite on a peer.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::conform_error::ConformError;
use super::link::{Link, LinkError, Opened, Parcel, Peer, Role, Scope};
use super::mirror::Mirror;
use super::open::LinkOptions;
use super::play::{Driven, Driving, Loss, Wish, close, drive_on, sender};
use super::signals::Signals;
use crate::replay::conform::{CaseReport, Suite, Trial};
use crate::replay::inject::InjectOutput;
use crate::wire::RawMessage;

/// What is heard for so long after a case that failed is still of it, and what is heard
/// after the last one is still held against the rules.
const SETTLING_TIME: Duration = Duration::from_millis(200);

/// Tries all cases, one after the other, and tells of each. A carrier that is lost
/// is opened again for the next case; how it was lost the last time is told at the end.
///
/// # Errors
/// There is no carrier, or no TCP side of the peer, for the next case.
pub async fn conform(
    link_options: &LinkOptions,
    opened: Opened,
    signals: &mut Signals,
    suite: &mut Suite,
    mut mirror: Option<Mirror>,
    tell: &mut dyn FnMut(CaseReport),
) -> Result<Driving, ConformError> {
    let mut peer = opened.peer;
    let mut held = Some(opened.link);
    let mut last_loss = None;
    while let Some(trial) = suite.next_trial() {
        let mut link = match held.take() {
            Some(link) => link,
            None => {
                let opened = link_options.open().await?;
                peer = opened.peer;
                opened.link
            }
        };
        tell_all(suite, tell);
        if let Some(mirror) = &mut mirror {
            let begun = mirror.begin(trial.needs).await;
            begun.map_err(|source| ConformError::Service {
                addresses: mirror.addresses().clone(),
                source,
            })?;
        }
        let mut trying = Trying {
            suite,
            trial,
            mirror: mirror.as_mut(),
            peer: &mut peer,
            state: State::Trying,
        };
        let driving = try_one(&mut link, signals, &mut trying).await;
        let trial = trying.trial;
        if let Some(mirror) = &mirror
            && let Some(source) = mirror.take_failure()
        {
            return Err(ConformError::Application {
                addresses: mirror.addresses().clone(),
                source,
            });
        }
        if driving.interrupted {
            return Ok(driving);
        }
        let lost = driving.lost.as_ref().map(LinkError::to_string);
        suite.finish(trial, lost.as_deref());
        tell_all(suite, tell);
        let is_gone = lost.is_some() && link_options.role == Role::Client;
        held = (!is_gone).then_some(link);
        last_loss = driving.lost.or(last_loss);
    }
    suite.finish_rules();
    tell_all(suite, tell);
    if let Some(link) = held {
        close(link).await;
    }
    Ok(Driving {
        lost: last_loss,
        interrupted: false,
    })
}

/// Tries a case, and listens on where that tells more of it.
async fn try_one(link: &mut Link, signals: &mut Signals, trying: &mut Trying<'_>) -> Driving {
    let driving = drive_on(link, signals, trying).await;
    let passed = trying.state == State::Passed;
    let more_is_told = trying.state == State::Failed || (passed && trying.suite.is_last());
    if driving.lost.is_some() || !more_is_told {
        return driving;
    }
    trying.state = State::Settling(Instant::now() + SETTLING_TIME);
    let settling = drive_on(link, signals, trying).await;
    Driving {
        // A peer may leave when all is done.
        lost: settling.lost.filter(|_| !passed),
        interrupted: settling.interrupted,
    }
}

fn tell_all(suite: &mut Suite, tell: &mut dyn FnMut(CaseReport)) {
    while let Some(report) = suite.poll_report() {
        tell(report);
    }
}

struct Trying<'a> {
    suite: &'a mut Suite,
    trial: Trial,
    mirror: Option<&'a mut Mirror>,
    /// A client that is tested is known when it has sent something.
    peer: &'a mut Option<Peer>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Trying,
    Passed,
    Failed,
    /// Until then, what comes is still of the case that failed.
    Settling(Instant),
    Stopped,
}

impl Driven for Trying<'_> {
    fn poll(&mut self, now: Instant) -> Wish {
        match self.state {
            State::Trying => {}
            State::Settling(until) if now < until => return Wish::Wait(Some(until)),
            State::Settling(_) | State::Passed | State::Failed | State::Stopped => {
                return Wish::Over;
            }
        }
        match self.trial.executor.poll_output(now) {
            InjectOutput::Transmit(bytes) => {
                self.suite.sent(&mut self.trial, &bytes);
                match *self.peer {
                    Some(peer) => Wish::Send(peer, Parcel::raw(bytes)),
                    None => Wish::Again,
                }
            }
            InjectOutput::Dial(first) => {
                if let Some(mirror) = &mut self.mirror {
                    mirror.dial(first);
                }
                Wish::Again
            }
            InjectOutput::Step(report) => {
                self.trial.step(report);
                Wish::Again
            }
            InjectOutput::Timeout(at) => Wish::Wait(Some(at)),
            InjectOutput::Done { passed } => {
                self.state = if passed { State::Passed } else { State::Failed };
                Wish::Over
            }
        }
    }

    fn hear(&mut self, _now: Instant, from: Option<Peer>, message: &Bytes) {
        if RawMessage::parse(message).is_syn() {
            *self.peer = from.or_else(|| sender(message)).or(*self.peer);
        }
        self.suite.received(&mut self.trial, message);
    }

    fn blocked(&mut self, _scope: Scope) {}

    fn ready(&mut self, _now: Instant, _scope: Scope) {}

    fn lost(&mut self, _now: Instant, _peer: Option<Peer>) -> Loss {
        self.state = State::Failed;
        Loss::OfAll
    }

    fn stop(&mut self, _now: Instant) {
        self.state = State::Stopped;
    }

    fn waits_for(&self) -> Option<String> {
        // Cases bound their waits, and are told one by one.
        None
    }
}
