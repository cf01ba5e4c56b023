//! A run of cases: their order, and their results.

use std::collections::{HashSet, VecDeque};

use bytes::Bytes;

use super::case::{ACCEPT_PATIENCE, ACCEPT_TIMEOUT, Case, Dialect, Needs, Requirement};
use super::rule::RuleWatcher;
use super::tested::Tested;
use crate::replay::inject::{Action, Executor, Id, Script, Step, StepReport, StepResult};
use crate::wire::{FrameType, MAX_MESSAGE_BYTES, RawMessage, StreamId};

/// Messages of a case that its report has.
const MAX_MESSAGES: usize = 64;

/// Attempts without any message of the peer after which no more are made.
const SILENT_TRIALS: u64 = 3;

/// The report on a case.
#[derive(Clone, Debug)]
pub struct CaseReport {
    /// The case.
    pub case: &'static Case,
    /// Its result.
    pub result: CaseResult,
    /// The last messages sent and received in it.
    pub messages: Vec<CaseMessage>,
}

impl CaseReport {
    /// Whether it counts against the peer.
    pub fn fails(&self, weighs: Requirement) -> bool {
        matches!(self.result, CaseResult::Failed { .. })
            && (self.case.level == Requirement::Must || weighs == Requirement::Should)
    }
}

/// The result of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaseResult {
    /// The peer behaved as the case demands.
    Passed,
    /// The peer did something else.
    Failed {
        /// The step at which that was seen; for a rule, the rule broken.
        step: String,
        /// The failure.
        why: String,
    },
    /// It could not be tried.
    Skipped(Reason),
}

/// The reason why a case could not be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The service or application that it needs on the TCP side of the peer is missing.
    NoTcpSide,
    /// It has no steps in this dialect.
    NotInDialect,
    /// No message came that it is about.
    NothingSeen,
    /// The carrier cannot carry a message of it.
    TooLong,
    /// It sends the same message twice, and the carrier may do so, too.
    MayBeDuplicate,
}

impl Reason {
    /// In words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::NoTcpSide => "there is no test service on the TCP side of the peer",
            Self::NotInDialect => "not in this dialect",
            Self::NothingSeen => "no message came that it applies to",
            Self::TooLong => "the carrier cannot carry its messages",
            Self::MayBeDuplicate => "on this carrier, the second SYN could be a copy of the first",
        }
    }
}

/// A message of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaseMessage {
    /// We sent it.
    Sent(Bytes),
    /// The peer sent it.
    Received(Bytes),
}

/// One attempt at a case.
#[derive(Debug)]
pub struct Trial {
    /// Carries out its script.
    pub executor: Executor,
    /// The service or application on the TCP side.
    pub needs: Needs,
    case: &'static Case,
    failed: Option<StepReport>,
    /// Messages that came when the step that waited for one had failed.
    late: u64,
    messages: VecDeque<CaseMessage>,
}

impl Trial {
    /// The failure of a step in words. It does not say that nothing came where the report then
    /// lists messages.
    fn what_was_wrong(&self, report: &StepReport) -> String {
        let waited = report.elapsed.as_secs_f64();
        match report.result {
            StepResult::Nothing if self.late > 0 => {
                format!("nothing came within {waited:.1} s; what came was late")
            }
            StepResult::Nothing if self.executor.unclaimed().next().is_some() => {
                format!("nothing came for this id within {waited:.1} s")
            }
            StepResult::Nothing => format!("nothing came within {waited:.1} s"),
            StepResult::OtherType => {
                let message = report.message.as_deref().map(RawMessage::parse);
                match message.as_ref().and_then(RawMessage::frame) {
                    Some(frame) => format!("{} came instead", frame.frame_type),
                    None => report.result.to_string(),
                }
            }
            ref result => result.to_string(),
        }
    }

    /// Takes the executor's report on a step.
    pub fn step(&mut self, report: StepReport) {
        if report.result != StepResult::Ok {
            self.failed = Some(report);
        }
    }
}

/// A run.
#[derive(Debug)]
pub struct Suite {
    options: SuiteOptions,
    trials: u64,
    left: VecDeque<&'static Case>,
    retried: u32,
    rules: Vec<&'static Case>,
    watcher: RuleWatcher,
    sent: u64,
    received: u64,
    /// SYNs of ours that were not answered yet.
    unanswered: Vec<StreamId>,
    /// The peer has acknowledged one.
    has_opened: bool,
    /// The peer has answered so many by a close.
    refusals: u64,
    failures: u64,
    reports: VecDeque<CaseReport>,
}

/// The options of a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SuiteOptions {
    /// The end that is tested.
    pub tested: Tested,
    /// The right behaviour where there are two.
    pub dialect: Dialect,
    /// The number of times that a failed case is tried again.
    pub retries: u32,
    /// Whether something of ours stands on the TCP side of the peer.
    pub tcp_side: TcpSide,
    /// The longest message on the carrier.
    pub max_message_bytes: usize,
    /// The carrier's guarantee of delivery.
    pub delivery: DeliveryGuarantee,
    /// Our destination.
    pub destination: Bytes,
    /// All that is random follows from it.
    pub seed: [u8; 32],
}

impl SuiteOptions {
    /// Tests a peer by the protocol text, over a carrier of long messages that come once. Nothing
    /// is known of its TCP side, and no case is tried again.
    pub const fn new(tested: Tested, destination: Bytes, seed: [u8; 32]) -> Self {
        Self {
            tested,
            dialect: Dialect::Text,
            retries: 0,
            tcp_side: TcpSide::Unknown,
            max_message_bytes: MAX_MESSAGE_BYTES,
            delivery: DeliveryGuarantee::Once,
            destination,
            seed,
        }
    }
}

/// A carrier's guarantee of delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryGuarantee {
    /// Once.
    Once,
    /// Perhaps twice, or not at all.
    Unsure,
}

/// The service or application on the TCP side of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpSide {
    /// The test service, which can be taken away.
    TestService,
    /// Something that we do not know.
    Unknown,
}

impl Suite {
    /// Begins with the first case.
    pub fn new(cases: &[&'static Case], options: SuiteOptions) -> Self {
        let (rules, left): (Vec<_>, Vec<_>) = cases.iter().partition(|case| case.rule().is_some());
        let mut suite = Self {
            watcher: RuleWatcher::new(options.tested),
            options,
            trials: 0,
            left: VecDeque::new(),
            retried: 0,
            rules,
            sent: 0,
            received: 0,
            unanswered: Vec::new(),
            has_opened: false,
            refusals: 0,
            failures: 0,
            reports: VecDeque::new(),
        };
        for case in left {
            match obstacle(case, &suite.options) {
                Some(reason) => suite.skip(case, reason),
                None => suite.left.push_back(case),
            }
        }
        suite
    }

    fn skip(&mut self, case: &'static Case, reason: Reason) {
        self.reports.push_back(CaseReport {
            case,
            result: CaseResult::Skipped(reason),
            messages: Vec::new(),
        });
    }

    /// The report on a case whose result is known now.
    pub fn poll_report(&mut self) -> Option<CaseReport> {
        self.reports.pop_front()
    }

    /// Whether any attempt was begun.
    pub const fn has_tried(&self) -> bool {
        self.trials > 0
    }

    /// Whether nothing came in so many attempts that more are not worth the time.
    pub fn peer_is_silent(&self) -> bool {
        self.received == 0 && self.trials >= SILENT_TRIALS && !self.left.is_empty()
    }

    /// Whether the peer has opened no conversation in so many attempts that more would say
    /// nothing else.
    pub fn peer_refuses(&self) -> bool {
        self.options.tested == Tested::Server
            && !self.has_opened
            && self.refusals >= SILENT_TRIALS
            && self.failures >= SILENT_TRIALS
            && !self.left.is_empty()
    }

    /// The next attempt; `None` after the last, or where nobody answers or opens anything.
    pub fn next_trial(&mut self) -> Option<Trial> {
        if self.peer_is_silent() || self.peer_refuses() {
            return None;
        }
        let case = *self.left.front()?;
        let Some(mut script) = case.script(self.options.dialect) else {
            unreachable!("cases without a script in this dialect were skipped");
        };
        let before = u32::try_from(std::mem::take(&mut self.unanswered).len()).unwrap_or(u32::MAX);
        if self.received > 0 {
            // One after the other, the reference's application does not take them either
            // (docs/protocol.md, "Where the text and the wire differ").
            script.wait_for_acks(ACCEPT_PATIENCE + ACCEPT_TIMEOUT.saturating_mul(before));
        }
        self.trials += 1;
        self.watcher.begin_trial();
        // Another for each attempt, which still follows from that of the run.
        let mut seed = self.options.seed;
        for (byte, number) in seed.iter_mut().zip(self.trials.to_be_bytes()) {
            *byte ^= number;
        }
        Some(Trial {
            executor: Executor::new(script, self.options.destination.clone(), seed),
            needs: case.needs,
            case,
            failed: None,
            late: 0,
            messages: VecDeque::new(),
        })
    }

    /// Whether rules are judged when the attempt that was begun has come to its end.
    pub fn is_last(&self) -> bool {
        self.left.len() == 1 && !self.rules.is_empty()
    }

    /// Sees a message of ours.
    pub fn sent(&mut self, trial: &mut Trial, message: &Bytes) {
        self.sent += 1;
        if let RawMessage::Frame(frame) = RawMessage::parse(message)
            && frame.frame_type == FrameType::SYN
        {
            self.unanswered.push(frame.id);
        }
        self.watcher.sent(message);
        keep(trial, CaseMessage::Sent(message.clone()));
    }

    /// Sees a message of the peer, and hands it to the trial if it concerns that.
    pub fn received(&mut self, trial: &mut Trial, message: &Bytes) {
        self.received += 1;
        if let RawMessage::Frame(frame) = RawMessage::parse(message)
            && matches!(frame.frame_type, FrameType::ACK | FrameType::SERVER_CLOSE)
        {
            self.has_opened |= frame.frame_type == FrameType::ACK;
            if let Some(place) = self.unanswered.iter().position(|id| *id == frame.id) {
                self.unanswered.swap_remove(place);
                self.refusals += u64::from(frame.frame_type == FrameType::SERVER_CLOSE);
            }
        }
        self.watcher.received(message);
        if self.watcher.concerns_trial(message) {
            trial.executor.handle_message(message.clone());
            trial.late += u64::from(trial.failed.is_some());
            keep(trial, CaseMessage::Received(message.clone()));
        }
    }

    /// Messages that were sent, of all cases.
    pub const fn sent_count(&self) -> u64 {
        self.sent
    }

    /// Messages that came, of all cases.
    pub const fn received_count(&self) -> u64 {
        self.received
    }

    /// An attempt has come to its end; `lost` if the carrier was gone before.
    pub fn finish(&mut self, trial: Trial, lost: Option<&str>) {
        let failure = match (&trial.failed, lost) {
            (Some(report), _) => {
                let steps = trial.executor.script().steps();
                let step = steps.get(report.step);
                Some((
                    step.map_or_else(String::new, |step| step.text.clone()),
                    trial.what_was_wrong(report),
                ))
            }
            (None, Some(error)) => Some(("the carrier".to_owned(), error.to_owned())),
            (None, None) => None,
        };
        if failure.is_some() && self.retried < self.options.retries {
            self.retried += 1;
            return;
        }
        self.retried = 0;
        self.failures += u64::from(failure.is_some());
        self.left.pop_front();
        self.reports.push_back(CaseReport {
            case: trial.case,
            result: match failure {
                None => CaseResult::Passed,
                Some((step, why)) => CaseResult::Failed { step, why },
            },
            messages: trial.messages.into(),
        });
    }

    /// Judges by the messages of all cases. To be called when no trial is left.
    pub fn finish_rules(&mut self) {
        for case in std::mem::take(&mut self.rules) {
            let Some(rule) = case.rule() else { continue };
            if !self.watcher.has_applied(rule) {
                self.skip(case, Reason::NothingSeen);
                continue;
            }
            let breach = self.watcher.breach(rule);
            let messages =
                breach.map(|breach| CaseMessage::Received(Bytes::copy_from_slice(breach)));
            self.reports.push_back(CaseReport {
                case,
                result: match breach {
                    None => CaseResult::Passed,
                    Some(_) => CaseResult::Failed {
                        step: "all messages".to_owned(),
                        why: "one of them is otherwise".to_owned(),
                    },
                },
                messages: messages.into_iter().collect(),
            });
        }
    }
}

/// The reason why a case cannot be tried, if there is one.
fn obstacle(case: &Case, options: &SuiteOptions) -> Option<Reason> {
    if case.needs != Needs::Nothing && options.tcp_side == TcpSide::Unknown {
        return Some(Reason::NoTcpSide);
    }
    let Some(script) = case.script(options.dialect) else {
        return Some(Reason::NotInDialect);
    };
    let lengths = script.steps().iter().filter_map(Step::message_bytes);
    if lengths.max() > Some(options.max_message_bytes) {
        return Some(Reason::TooLong);
    }
    (options.delivery == DeliveryGuarantee::Unsure && repeats_a_syn(&script))
        .then_some(Reason::MayBeDuplicate)
}

fn repeats_a_syn(script: &Script) -> bool {
    let mut ids = HashSet::new();
    script.steps().iter().any(|step| match &step.action {
        Action::Send {
            frame_type: FrameType::SYN,
            id: Id::Literal(id),
            ..
        } => !ids.insert(*id),
        _ => false,
    })
}

fn keep(trial: &mut Trial, message: CaseMessage) {
    if trial.messages.len() == MAX_MESSAGES {
        trial.messages.pop_front();
    }
    trial.messages.push_back(message);
}
