//! Messages on their way to the router, and the router's reports on them.
//!
//! Frames wait in two lines: answers to the router, which are short and have
//! deadlines, go before messages. Messages wait for their [`Pacer`], and beyond
//! [`WINDOW_BYTES`] until the router has reported on earlier ones. Where the router may
//! deliver out of order, one message of a [`Lane`] at a time is on its way.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hashbrown::HashMap;

use super::pacer::Pacer;
use super::{LaneOrder, Undelivered};
use crate::carrier::i2cp::MessageStatus;
use crate::wire::DestinationHash;

/// Most bytes that the router has been given without having reported on them: messages that it
/// could not send on yet should wait here, where they are bounded.
const WINDOW_BYTES: usize = 512 * 1024;
/// After this time a message without report no longer counts for the window.
/// If the router has never reported on any, there is no window from then on.
const REPORT_TIMEOUT: Duration = Duration::from_secs(10);
/// So long after that it is forgotten, and a late report ignored; in a lane it counts
/// as lost. The library of 2004 waited for a minute in all.
const FORGET_AFTER: Duration = Duration::from_secs(50);
/// Pause before the first new attempt; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// The number of attempts at a message that the router cannot send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempts {
    /// Once: later ones must not overtake it.
    Once,
    /// Again and again until then. The peer's lease set may not be published
    /// yet, or the router may need time to find it.
    Until(Instant),
    /// Once, and nobody needs to know if it is lost.
    Dispensable,
}

/// Messages to a peer that must not overtake one another, and none of which follows one that is
/// lost: those of a conversation. Numbers are the user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lane(pub u32);

/// A lane to this peer.
type LaneTo = (DestinationHash, Lane);

/// A message that the router could not send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) to: DestinationHash,
    pub(super) lane: Option<Lane>,
    pub(super) reason: Undelivered,
}

/// Frames that wait, and messages that the router has not reported on.
#[derive(Debug)]
pub(super) struct Outgoing {
    answers: VecDeque<Vec<u8>>,
    answer_bytes: usize,
    messages: VecDeque<(u32, Vec<u8>)>,
    /// [`LaneOrder::Auto`] until the router is known.
    order: LaneOrder,
    /// Lanes with a message on its way, and the messages waiting behind it; none where messages go
    /// together.
    lanes: HashMap<LaneTo, VecDeque<(u32, Vec<u8>)>>,
    /// Goes when no lane has anything left.
    last: Option<Vec<u8>>,
    waiting_bytes: usize,
    pacer: Pacer,
    given: HashMap<u32, Given>,
    /// The given ones by age: those that count for the window, then the others.
    young: VecDeque<(Instant, u32)>,
    old: VecDeque<(Instant, u32)>,
    window_bytes: usize,
    window_limit: usize,
    /// The router has said of a message that it was sent, or not.
    has_reported: bool,
    /// Java routers report under the message id that came with status 1.
    by_message_id: HashMap<u32, u32>,
    /// Messages that are tried again, by when: each is here once.
    retries: Vec<(Instant, u32)>,
    next_nonce: u32,
}

#[derive(Debug)]
struct Given {
    to: DestinationHash,
    /// Its bytes in the window.
    window_bytes: usize,
    /// The router has it, and has not reported a failure of this attempt.
    is_with_router: bool,
    retry: Option<Retry>,
    is_dispensable: bool,
    lane: Option<Lane>,
    /// The router's name for it since it took it.
    message_id: Option<u32>,
}

impl Given {
    fn lane_to(&self) -> Option<LaneTo> {
        self.lane.map(|lane| (self.to, lane))
    }

    const fn failure(&self, reason: Undelivered) -> Failure {
        Failure {
            to: self.to,
            lane: self.lane,
            reason,
        }
    }
}

#[derive(Debug)]
struct Retry {
    frame: Vec<u8>,
    until: Instant,
    pause: Duration,
}

fn pop_due(ages: &mut VecDeque<(Instant, u32)>, now: Instant) -> Option<u32> {
    let (at, _) = ages.front()?;
    if *at > now {
        return None;
    }
    ages.pop_front().map(|(_, nonce)| nonce)
}

/// The meaning of a status code.
enum Verdict {
    /// Neither sent nor failed yet.
    Pending,
    Sent,
    Failed,
}

fn verdict(status: MessageStatus) -> Verdict {
    match status {
        MessageStatus::ACCEPTED => Verdict::Pending,
        MessageStatus::BEST_EFFORT_SUCCESS
        | MessageStatus::GUARANTEED_SUCCESS
        // By newer Java routers only.
        | MessageStatus::LOCAL_SUCCESS => Verdict::Sent,
        _ => Verdict::Failed,
    }
}

impl Outgoing {
    /// `first_nonce` should be random: a Java router reports under numbers of
    /// its own, small ones, which must not be taken for ours.
    pub(super) fn new(first_nonce: u32, pacer: Pacer, order: LaneOrder) -> Self {
        Self {
            answers: VecDeque::new(),
            answer_bytes: 0,
            messages: VecDeque::new(),
            order,
            lanes: HashMap::new(),
            last: None,
            waiting_bytes: 0,
            pacer,
            given: HashMap::new(),
            young: VecDeque::new(),
            old: VecDeque::new(),
            window_bytes: 0,
            window_limit: WINDOW_BYTES,
            has_reported: false,
            by_message_id: HashMap::new(),
            retries: Vec::new(),
            // Java takes 31 bits, and 0 asks for no report.
            next_nonce: first_nonce & NONCE_MASK | 1,
        }
    }

    pub(super) fn push_answer(&mut self, frame: Vec<u8>) {
        self.answer_bytes += frame.len();
        self.answers.push_back(frame);
    }

    /// Bytes of answers that wait.
    pub(super) const fn answer_bytes(&self) -> usize {
        self.answer_bytes
    }

    /// A nonce that no message on its way has.
    pub(super) fn draw_nonce(&mut self) -> u32 {
        loop {
            let nonce = self.next_nonce;
            self.next_nonce = (nonce + 1) & NONCE_MASK;
            // 0 asks for no report. Others come round again after 2^31 messages.
            if nonce != 0 && !self.given.contains_key(&nonce) {
                return nonce;
            }
        }
    }

    /// Takes the frame of a message with its nonce. In a lane it waits until the one
    /// before it is reported as sent, unless the router keeps the order anyway.
    pub(super) fn push_message(
        &mut self,
        nonce: u32,
        frame: Vec<u8>,
        to: DestinationHash,
        attempts: Attempts,
        lane: Option<Lane>,
    ) {
        let retry = match attempts {
            Attempts::Once | Attempts::Dispensable => None,
            Attempts::Until(until) => Some(Retry {
                frame: frame.clone(),
                until,
                pause: FIRST_PAUSE,
            }),
        };
        let given = Given {
            to,
            window_bytes: 0,
            is_with_router: false,
            retry,
            is_dispensable: attempts == Attempts::Dispensable,
            lane,
            message_id: None,
        };
        let lane = given.lane_to();
        self.given.insert(nonce, given);
        if let Some(lane) = lane
            && self.keeps_lanes()
        {
            if let Some(behind) = self.lanes.get_mut(&lane) {
                self.waiting_bytes += frame.len();
                behind.push_back((nonce, frame));
                return;
            }
            self.lanes.insert(lane, VecDeque::new());
        }
        self.line_up(nonce, frame);
    }

    /// Takes a frame to be sent behind all messages and not reported on.
    pub(super) fn push_last(&mut self, frame: Vec<u8>) {
        self.line_up(0, frame);
    }

    /// Whether one of those waits.
    pub(super) fn has_last_waiting(&self) -> bool {
        self.messages.iter().any(|(nonce, _)| *nonce == 0)
    }

    /// Takes the frame that is the last of all.
    pub(super) fn push_final(&mut self, frame: Vec<u8>) {
        self.last = Some(frame);
        self.send_last();
    }

    fn send_last(&mut self) {
        if self.lanes.is_empty()
            && let Some(frame) = self.last.take()
        {
            self.push_last(frame);
        }
    }

    /// Whether one message of a lane is on its way at a time.
    pub(super) const fn keeps_lanes(&self) -> bool {
        !matches!(self.order, LaneOrder::BestEffort)
    }

    /// The router keeps the order by itself: messages waiting in lanes go, in the order in which
    /// they came.
    fn open_lanes(&mut self) {
        self.order = LaneOrder::BestEffort;
        let lanes = std::mem::take(&mut self.lanes).into_values();
        let mut waiting: Vec<(u32, Vec<u8>)> = lanes.flatten().collect();
        // Nonces are drawn one after the other, and go round: those furthest behind the next came first.
        let next = self.next_nonce;
        waiting.sort_unstable_by_key(|(nonce, _)| nonce.wrapping_sub(next) & NONCE_MASK);
        // It counted as waiting already.
        self.messages.extend(waiting);
        self.send_last();
    }

    /// Whether messages wait for reports on those before them.
    pub(super) fn has_lanes(&self) -> bool {
        !self.lanes.is_empty()
    }

    /// The message in front of a lane is sent: the next may go.
    fn go_on(&mut self, lane: LaneTo) {
        match self.lanes.get_mut(&lane).and_then(VecDeque::pop_front) {
            Some((nonce, frame)) => {
                self.waiting_bytes -= frame.len();
                self.line_up(nonce, frame);
            }
            None => {
                self.lanes.remove(&lane);
                self.send_last();
            }
        }
    }

    /// A message of a lane is lost: those behind it would follow a hole.
    fn break_off(&mut self, lane: LaneTo) {
        let mut behind = self.lanes.remove(&lane).unwrap_or_default();
        let (lined_up, others) = std::mem::take(&mut self.messages)
            .into_iter()
            .partition::<VecDeque<_>, _>(|(nonce, _)| {
                self.given.get(nonce).and_then(Given::lane_to) == Some(lane)
            });
        self.messages = others;
        behind.extend(lined_up);
        for (nonce, frame) in behind {
            self.waiting_bytes -= frame.len();
            self.forget(nonce);
        }
        self.send_last();
    }

    fn line_up(&mut self, nonce: u32, frame: Vec<u8>) {
        self.waiting_bytes += frame.len();
        self.messages.push_back((nonce, frame));
    }

    /// Bytes of messages that wait to be written.
    pub(super) const fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// The next frame for the router, if it takes one.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Vec<u8>> {
        if let Some(answer) = self.answers.pop_front() {
            self.answer_bytes -= answer.len();
            return Some(answer);
        }
        if !self.is_window_open() || !self.pacer.is_open(now) {
            return None;
        }
        let (nonce, frame) = self.messages.pop_front()?;
        self.waiting_bytes -= frame.len();
        self.pacer.passed(now, frame.len());
        if let Some(given) = self.given.get_mut(&nonce) {
            given.window_bytes = frame.len();
            given.is_with_router = true;
            self.window_bytes += frame.len();
            self.young.push_back((now + REPORT_TIMEOUT, nonce));
        }
        Some(frame)
    }

    const fn is_window_open(&self) -> bool {
        self.window_bytes < self.window_limit
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let ages = [self.young.front(), self.old.front()];
        let retries = self.retries.iter();
        let times = ages.into_iter().flatten().chain(retries);
        let paced = match self.messages.front() {
            Some(_) if self.is_window_open() => self.pacer.next_at(),
            _ => None,
        };
        times.map(|(at, _)| *at).chain(paced).min()
    }

    /// Acts on timeouts: ages messages without report, tries others again. Returns those that were
    /// given up.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Vec<Failure> {
        let mut failures = Vec::new();
        while let Some(nonce) = pop_due(&mut self.young, now) {
            // It may be forgotten already: reports take nothing out of these two lines.
            if self.release(nonce) {
                self.old.push_back((now + FORGET_AFTER, nonce));
                if !self.has_reported {
                    self.window_limit = usize::MAX;
                }
            }
        }
        while let Some(nonce) = pop_due(&mut self.old, now) {
            let Some(given) = self.forget(nonce) else {
                continue;
            };
            // Where messages go together none waits for a report.
            if let Some(lane) = given.lane_to()
                && self.lanes.contains_key(&lane)
            {
                self.break_off(lane);
                failures.push(given.failure(Undelivered::NO_REPORT));
            }
        }
        let due = self.retries.extract_if(.., |(at, _)| *at <= now);
        let due: Vec<u32> = due.map(|(_, nonce)| nonce).collect();
        for nonce in due {
            let retry = self
                .given
                .get(&nonce)
                .and_then(|given| given.retry.as_ref());
            // None if it was forgotten meanwhile, with its lane or for its age.
            if let Some(frame) = retry.map(|retry| retry.frame.clone()) {
                self.line_up(nonce, frame);
            }
        }
        failures
    }

    /// Takes a MessageStatus of a message of ours. Returns a final failure.
    pub(super) fn handle_status(
        &mut self,
        now: Instant,
        message_id: u32,
        nonce: u32,
        status: MessageStatus,
    ) -> Option<Failure> {
        // Java 0.8.8 reports under a nonce of its own, which could be one of ours.
        let nonce = self
            .by_message_id
            .get(&message_id)
            .copied()
            .unwrap_or(nonce);
        let verdict = verdict(status);
        // Before the message is forgotten, since its number is compared.
        if !matches!(verdict, Verdict::Pending) {
            self.judge_router(nonce, message_id);
        }
        match verdict {
            Verdict::Pending => {
                let given = self.given.get_mut(&nonce)?;
                if let Some(earlier) = given.message_id.replace(message_id) {
                    // That of an earlier attempt.
                    self.by_message_id.remove(&earlier);
                }
                self.by_message_id.insert(message_id, nonce);
                None
            }
            Verdict::Sent => {
                self.has_reported = true;
                let lane = self.forget(nonce)?.lane_to()?;
                self.go_on(lane);
                None
            }
            Verdict::Failed => {
                self.has_reported = true;
                self.fail(now, nonce, Undelivered(status))
            }
        }
    }

    fn fail(&mut self, now: Instant, nonce: u32, reason: Undelivered) -> Option<Failure> {
        // What waits, for the first time or for another attempt, has not failed: a router that
        // repeats itself would have it wait many times.
        if !self.given.get(&nonce)?.is_with_router {
            return None;
        }
        self.release(nonce);
        let given = self.given.get_mut(&nonce)?;
        given.is_with_router = false;
        if let Some(retry) = &mut given.retry {
            let at = now + retry.pause;
            if at < retry.until {
                retry.pause = (retry.pause * 2).min(LONGEST_PAUSE);
                self.retries.push((at, nonce));
                return None;
            }
        }
        let given = self.forget(nonce)?;
        if let Some(lane) = given.lane_to() {
            self.break_off(lane);
        }
        (!given.is_dispensable).then(|| given.failure(reason))
    }

    /// Distinguishes an i2pd, which keeps messages in order, from a Java router, which need not.
    /// i2pd gives each report a number of its own, and a Java router reports under the number
    /// that it gave the message (docs/i2cp.md, "One message at a time"). Versions would not do:
    /// i2pd repeats ours, or names that of a Java router.
    fn judge_router(&mut self, nonce: u32, message_id: u32) {
        let given = self.given.get(&nonce);
        if self.order == LaneOrder::Auto
            && given
                .and_then(|given| given.message_id)
                .is_some_and(|number| number != message_id)
        {
            self.open_lanes();
        }
    }

    /// The message no longer counts for the window; false if it is not known any more.
    fn release(&mut self, nonce: u32) -> bool {
        let Some(given) = self.given.get_mut(&nonce) else {
            return false;
        };
        self.window_bytes -= std::mem::take(&mut given.window_bytes);
        true
    }

    fn forget(&mut self, nonce: u32) -> Option<Given> {
        self.release(nonce);
        let given = self.given.remove(&nonce)?;
        if let Some(message_id) = given.message_id {
            self.by_message_id.remove(&message_id);
        }
        Some(given)
    }
}

/// Java draws positive numbers of 31 bits only.
const NONCE_MASK: u32 = 0x7fff_ffff;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_go_round_without_zero_and_without_those_on_their_way() {
        let mut outgoing = Outgoing::new(NONCE_MASK, Pacer::new(1), LaneOrder::Auto);
        assert_eq!(outgoing.draw_nonce(), NONCE_MASK);
        let to = DestinationHash([1; 32]);
        outgoing.push_message(2, vec![0], to, Attempts::Once, None);
        let drawn = [(); 2].map(|()| outgoing.draw_nonce());
        assert_eq!(drawn, [1, 3]);
    }

    #[test]
    fn what_waits_in_lanes_goes_in_the_order_in_which_it_came() {
        // Also where numbers go round in the midst of it.
        for first in [1, NONCE_MASK - 150] {
            let now = Instant::now();
            let mut outgoing = Outgoing::new(first, Pacer::new(1 << 30), LaneOrder::Auto);
            for number in 0..300_u16 {
                let (lane, peer) = (u32::from(number) % 7, (number % 3) as u8);
                let to = DestinationHash([peer; 32]);
                let nonce = outgoing.draw_nonce();
                let frame = number.to_be_bytes().to_vec();
                outgoing.push_message(nonce, frame, to, Attempts::Once, Some(Lane(lane)));
            }
            outgoing.open_lanes();
            let numbers = std::iter::from_fn(|| outgoing.poll(now))
                .map(|frame| u16::from_be_bytes(frame.try_into().unwrap()));
            // The first of each of the 21 lanes was on its way already.
            assert!(numbers.eq(0..300), "first nonce {first}");
        }
    }
}
