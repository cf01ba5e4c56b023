//! Tries the cases of a suite on a peer.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::conform_error::ConformError;
use super::link::{Link, LinkError, Opened, Parcel, Peer, Role, Scope};
use super::open::LinkOptions;
use super::play::{Action, Driving, Loss, Machine, close, drive_on, sender};
use super::signals::Signals;
use super::test_service::TestService;
use crate::replay::conform::{CaseReport, Suite, Trial};
use crate::replay::inject::InjectOutput;
use crate::wire::RawMessage;

/// Time after a failed case in which messages still belong to it, and after the last one in which
/// they are still checked by the rules.
const SETTLING_TIME: Duration = Duration::from_millis(200);

/// Tries all cases, one after the other, and reports each. A carrier that is lost is opened again
/// for the next case; the end of the run gives the reason of the last loss.
///
/// # Errors
/// There is no carrier, or no TCP side of the peer, for the next case.
pub async fn conform(
    link_options: &LinkOptions,
    opened: Opened,
    signals: &mut Signals,
    suite: &mut Suite,
    mut service: Option<TestService>,
    report: &mut dyn FnMut(CaseReport),
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
        report_all(suite, report);
        if let Some(service) = &mut service {
            let begun = service.begin(trial.needs).await;
            begun.map_err(|source| ConformError::Service {
                addresses: service.addresses().clone(),
                source,
            })?;
        }
        let mut trying = Trying {
            suite,
            trial,
            service: service.as_mut(),
            peer: &mut peer,
            state: TrialState::Trying,
        };
        let driving = try_one(&mut link, signals, &mut trying).await;
        let trial = trying.trial;
        if let Some(service) = &service
            && let Some(source) = service.take_failure()
        {
            return Err(ConformError::Application {
                addresses: service.addresses().clone(),
                source,
            });
        }
        if driving.interrupted {
            return Ok(driving);
        }
        let lost = driving.lost.as_ref().map(LinkError::to_string);
        suite.finish(trial, lost.as_deref());
        report_all(suite, report);
        let is_gone = lost.is_some() && link_options.role == Role::Client;
        held = (!is_gone).then_some(link);
        last_loss = driving.lost.or(last_loss);
    }
    suite.finish_rules();
    report_all(suite, report);
    if let Some(link) = held {
        close(link).await;
    }
    Ok(Driving {
        lost: last_loss,
        interrupted: false,
    })
}

/// Tries a case, and listens on where that shows more of it.
async fn try_one(link: &mut Link, signals: &mut Signals, trying: &mut Trying<'_>) -> Driving {
    let driving = drive_on(link, signals, trying).await;
    let passed = trying.state == TrialState::Passed;
    let more_is_told = trying.state == TrialState::Failed || (passed && trying.suite.is_last());
    if driving.lost.is_some() || !more_is_told {
        return driving;
    }
    trying.state = TrialState::Settling(Instant::now() + SETTLING_TIME);
    let settling = drive_on(link, signals, trying).await;
    Driving {
        // A peer may leave when all is done.
        lost: settling.lost.filter(|_| !passed),
        interrupted: settling.interrupted,
    }
}

fn report_all(suite: &mut Suite, report: &mut dyn FnMut(CaseReport)) {
    while let Some(case) = suite.poll_report() {
        report(case);
    }
}

struct Trying<'a> {
    suite: &'a mut Suite,
    trial: Trial,
    service: Option<&'a mut TestService>,
    /// A client that is tested is known when it has sent something.
    peer: &'a mut Option<Peer>,
    state: TrialState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TrialState {
    Trying,
    Passed,
    Failed,
    /// Until then, messages are still of the case that failed.
    Settling(Instant),
    Stopped,
}

impl Machine for Trying<'_> {
    fn poll(&mut self, now: Instant) -> Action {
        match self.state {
            TrialState::Trying => {}
            TrialState::Settling(until) if now < until => return Action::Wait(Some(until)),
            TrialState::Settling(_)
            | TrialState::Passed
            | TrialState::Failed
            | TrialState::Stopped => {
                return Action::Over;
            }
        }
        match self.trial.executor.poll_output(now) {
            InjectOutput::Transmit(bytes) => {
                self.suite.sent(&mut self.trial, &bytes);
                match *self.peer {
                    Some(peer) => Action::Send(peer, Parcel::raw(bytes)),
                    None => Action::Again,
                }
            }
            InjectOutput::Dial(first) => {
                if let Some(service) = &mut self.service {
                    service.dial(first);
                }
                Action::Again
            }
            InjectOutput::Step(report) => {
                self.trial.step(report);
                Action::Again
            }
            InjectOutput::Timeout(at) => Action::Wait(Some(at)),
            InjectOutput::Done { passed } => {
                self.state = if passed {
                    TrialState::Passed
                } else {
                    TrialState::Failed
                };
                Action::Over
            }
        }
    }

    fn handle_message(&mut self, _now: Instant, from: Option<Peer>, message: &Bytes) {
        if RawMessage::parse(message).is_syn() {
            *self.peer = from.or_else(|| sender(message)).or(*self.peer);
        }
        self.suite.received(&mut self.trial, message);
    }

    fn blocked(&mut self, _scope: Scope) {}

    fn ready(&mut self, _now: Instant, _scope: Scope) {}

    fn lost(&mut self, _now: Instant, _peer: Option<Peer>) -> Loss {
        self.state = TrialState::Failed;
        Loss::OfAll
    }

    fn stop(&mut self, _now: Instant) {
        self.state = TrialState::Stopped;
    }

    fn waits_for(&self) -> Option<String> {
        // Cases bound their waits, and each is reported as it ends.
        None
    }
}
