//! Carries out a script: a state machine with the time as an argument.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::rngs::ChaCha12Rng;
use rand::{Rng, RngExt, SeedableRng};

use super::script::{Action, Expect, Expected, Id, Payload, Script, Want};
use crate::wire::{FrameKind, FrameType, PayloadShape, RawFrame, RawMessage, ServerId, StreamId};

/// Messages that are kept until a step asks for them; more are dropped and counted.
const MAX_INBOX: usize = 65_536;

/// Their bytes, together.
const MAX_INBOX_BYTES: usize = 64 * 1024 * 1024;

/// Steps that are done before control returns to the caller.
const STEPS_AT_ONCE: usize = 10_000;

/// Whether a step may take a message of type chaff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chaff {
    Wanted,
    PassedOver,
}

/// A request of an executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InjectOutput {
    /// Send this, which may be no message at all.
    Transmit(Bytes),
    /// Make the client that is tested open a conversation, and let its application
    /// send this.
    Dial(Bytes),
    /// A step was done.
    Step(StepReport),
    /// Nothing before this moment, unless there is input first.
    Timeout(Instant),
    /// The script is over; false if a step failed.
    Done {
        /// Whether every step went well.
        passed: bool,
    },
}

/// The report on a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepReport {
    /// The index of the step in the script.
    pub step: usize,
    /// Its result.
    pub result: StepResult,
    /// The message that was sent, or that came.
    pub message: Option<Bytes>,
    /// The time that it took.
    pub elapsed: Duration,
}

/// The result of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepResult {
    /// Well.
    Ok,
    /// The expected message did not come in time.
    Nothing,
    /// Only so many of the expected bytes came in time.
    Fewer(usize),
    /// One of another type came for this id.
    OtherType,
    /// Its payload was another.
    OtherPayload,
    /// An ACK came that hands out no id.
    NoId,
    /// Something came where nothing was expected.
    Something,
}

/// The failure: `nothing came`.
impl fmt::Display for StepResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("as expected"),
            Self::Nothing => f.write_str("nothing came"),
            Self::Fewer(count) => write!(f, "only {count} of the bytes came"),
            Self::OtherType => f.write_str("another type came"),
            Self::OtherPayload => f.write_str("another payload came"),
            Self::NoId => f.write_str("the ACK hands out no id"),
            Self::Something => f.write_str("something came"),
        }
    }
}

/// Carries out one script.
#[derive(Debug)]
pub struct Executor {
    script: Script,
    destination: Bytes,
    rng: ChaCha12Rng,
    next: usize,
    /// When the step began that is not over.
    began: Option<Instant>,
    /// The rounds left of the loops that are open.
    left: Vec<u64>,
    variables: HashMap<String, StreamId>,
    /// Number of bytes received of the expected stream, which were those expected.
    matched_bytes: usize,
    /// Whether an ACK came before the refusal that is waited for.
    acknowledged: bool,
    inbox: VecDeque<Bytes>,
    inbox_bytes: usize,
    dropped: u64,
    received: u64,
    sent: u64,
    outputs: VecDeque<InjectOutput>,
    outcome: Option<bool>,
}

impl Executor {
    /// Begins with the first step. `destination` is the payload of a `syn` that has none; random
    /// values follow from `seed`.
    pub fn new(script: Script, destination: Bytes, seed: [u8; 32]) -> Self {
        Self {
            script,
            destination,
            rng: ChaCha12Rng::from_seed(seed),
            next: 0,
            began: None,
            left: Vec::new(),
            variables: HashMap::new(),
            matched_bytes: 0,
            acknowledged: false,
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            dropped: 0,
            received: 0,
            sent: 0,
            outputs: VecDeque::new(),
            outcome: None,
        }
    }

    /// The script.
    pub const fn script(&self) -> &Script {
        &self.script
    }

    /// Messages that no step has asked for so far.
    pub fn unclaimed(&self) -> impl Iterator<Item = &Bytes> {
        self.inbox.iter()
    }

    /// Messages that came, whether a step asked for them or not.
    pub const fn received_count(&self) -> u64 {
        self.received
    }

    /// Messages that were sent.
    pub const fn sent_count(&self) -> u64 {
        self.sent
    }

    /// Messages that came and could not be kept.
    pub const fn dropped_count(&self) -> u64 {
        self.dropped
    }

    /// Takes a message of the peer.
    pub fn handle_message(&mut self, message: Bytes) {
        self.received += 1;
        let bytes = self.inbox_bytes + message.len();
        if self.inbox.len() < MAX_INBOX && bytes <= MAX_INBOX_BYTES {
            self.inbox_bytes = bytes;
            // A message may be a small part of a large read, all of whose memory it would hold.
            self.inbox.push_back(Bytes::copy_from_slice(&message));
        } else {
            self.dropped += 1;
        }
    }

    /// The next request.
    pub fn poll_output(&mut self, now: Instant) -> InjectOutput {
        for _ in 0..STEPS_AT_ONCE {
            if let Some(output) = self.outputs.pop_front() {
                return output;
            }
            if let Some(passed) = self.outcome {
                return InjectOutput::Done { passed };
            }
            if let Some(until) = self.step(now) {
                return InjectOutput::Timeout(until);
            }
        }
        InjectOutput::Timeout(now)
    }

    /// Does the next step, or says until when it waits.
    fn step(&mut self, now: Instant) -> Option<Instant> {
        let Some(step) = self.script.steps.get(self.next) else {
            self.outcome = Some(true);
            return None;
        };
        let began = *self.began.get_or_insert(now);
        match &step.action {
            Action::Send {
                frame_type,
                id,
                payload,
            } => {
                let (frame_type, id, payload) = (*frame_type, id.clone(), payload.clone());
                let message = self.message(frame_type, &id, &payload);
                self.send(now, message);
            }
            Action::Raw(bytes) => {
                let bytes = bytes.clone();
                self.send(now, bytes);
            }
            Action::Wait(time) => {
                let until = began + *time;
                if now < until {
                    return Some(until);
                }
                self.report(now, StepResult::Ok, None);
            }
            Action::Expect(expect) => {
                let expect = expect.clone();
                return self.expect(now, began, &expect);
            }
            Action::ExpectBytes { id, bytes, within } => {
                let (id, bytes, until) = (id.clone(), bytes.clone(), began + *within);
                return self.expect_bytes(now, until, &id, &bytes);
            }
            Action::ExpectNothing { id, within } => {
                let until = began + *within;
                let message = match id.clone() {
                    Some(id) => self.take(&id, Chaff::PassedOver),
                    None => self.take_at(0),
                };
                if let Some(message) = message {
                    self.report(now, StepResult::Something, Some(message));
                } else if now < until {
                    return Some(until);
                } else {
                    self.report(now, StepResult::Ok, None);
                }
            }
            Action::Dial { first } => {
                self.outputs.push_back(InjectOutput::Dial(first.clone()));
                self.report(now, StepResult::Ok, None);
            }
            Action::Repeat { count, .. } => {
                // One round begins now; the parser lets no count of 0 through.
                self.left.push(count - 1);
                self.go(self.next + 1);
            }
            Action::End { start } => self.end_of_loop(*start),
        }
        None
    }

    fn end_of_loop(&mut self, start: usize) {
        match self.left.last_mut() {
            Some(left) if *left > 0 => {
                *left -= 1;
                self.go(start + 1);
            }
            _ => {
                self.left.pop();
                self.go(self.next + 1);
            }
        }
    }

    fn go(&mut self, next: usize) {
        self.next = next;
        self.began = None;
        self.acknowledged = false;
        self.matched_bytes = 0;
    }

    fn send(&mut self, now: Instant, message: Bytes) {
        self.sent += 1;
        self.outputs
            .push_back(InjectOutput::Transmit(message.clone()));
        self.report(now, StepResult::Ok, Some(message));
    }

    fn message(&mut self, frame_type: FrameType, id: &Id, payload: &Payload) -> Bytes {
        let id = match id {
            Id::Literal(id) => *id,
            Id::Random => self.random_id(),
            Id::Variable(name) => {
                let known = self.variables.get(name).copied();
                match known.filter(|_| frame_type != FrameType::SYN) {
                    Some(id) => id,
                    // A SYN begins another conversation each time, also in a loop.
                    None => {
                        let id = self.random_id();
                        self.variables.insert(name.clone(), id);
                        id
                    }
                }
            }
        };
        let payload = match payload {
            Payload::Bytes(bytes) => bytes.clone(),
            Payload::Destination { then } => [&self.destination[..], then].concat().into(),
            Payload::Random(length) => {
                let mut bytes = vec![0; *length];
                self.rng.fill_bytes(&mut bytes);
                bytes.into()
            }
        };
        let mut message = Vec::new();
        RawFrame {
            frame_type,
            id,
            payload: &payload,
        }
        .encode(&mut message);
        message.into()
    }

    fn random_id(&mut self) -> StreamId {
        StreamId::from_u32(self.rng.random_range(1..=0x00ff_ffff))
    }

    fn expect(&mut self, now: Instant, began: Instant, expect: &Expect) -> Option<Instant> {
        let until = began + expect.within;
        let chaff = match expect.expected {
            Expected::Type(FrameType::CHAFF) => Chaff::Wanted,
            _ => Chaff::PassedOver,
        };
        let any_syn = expect.expected == Expected::Type(FrameType::SYN) && expect.id == Id::Random;
        let message = if any_syn {
            self.take_syn()
        } else {
            self.take(&expect.id, chaff)
        };
        let Some(message) = message else {
            if now < until {
                return Some(until);
            }
            self.report(now, StepResult::Nothing, None);
            return None;
        };
        let result = match RawMessage::parse(&message) {
            // The reference acknowledges, and closes when its service has refused.
            RawMessage::Frame(frame)
                if expect.expected == Expected::Refusal
                    && frame.announced_id().is_some()
                    && !self.acknowledged =>
            {
                self.acknowledged = true;
                return None;
            }
            RawMessage::Frame(frame) => self.compare(expect, &frame),
            RawMessage::Ping | RawMessage::Short(_) => StepResult::OtherType,
        };
        self.report(now, result, Some(message));
        None
    }

    fn expect_bytes(
        &mut self,
        now: Instant,
        until: Instant,
        id: &Id,
        wanted: &Bytes,
    ) -> Option<Instant> {
        while self.matched_bytes < wanted.len() {
            let Some(message) = self.take(id, Chaff::PassedOver) else {
                if now < until {
                    return Some(until);
                }
                let result = match self.matched_bytes {
                    0 => StepResult::Nothing,
                    count => StepResult::Fewer(count),
                };
                self.report(now, result, None);
                return None;
            };
            let result = match RawMessage::parse(&message) {
                RawMessage::Frame(frame) if frame.frame_type.kind() == FrameKind::Data => {
                    // What came before is not compared again, however small the pieces are.
                    if wanted[self.matched_bytes..].starts_with(frame.payload) {
                        self.matched_bytes += frame.payload.len();
                        continue;
                    }
                    StepResult::OtherPayload
                }
                _ => StepResult::OtherType,
            };
            self.report(now, result, Some(message));
            return None;
        }
        self.report(now, StepResult::Ok, None);
        None
    }

    /// The first SYN that came, whatever its id.
    fn take_syn(&mut self) -> Option<Bytes> {
        let mut inbox = self.inbox.iter();
        let position = inbox.position(|message| RawMessage::parse(message).is_syn())?;
        self.take_at(position)
    }

    fn take_at(&mut self, position: usize) -> Option<Bytes> {
        let message = self.inbox.remove(position)?;
        self.inbox_bytes -= message.len();
        Some(message)
    }

    /// The first message for an id. Those for others stay for their steps.
    fn take(&mut self, id: &Id, chaff: Chaff) -> Option<Bytes> {
        let id = match id {
            Id::Literal(id) => Some(*id),
            Id::Variable(name) => self.variables.get(name).copied(),
            Id::Random => None,
        };
        let position = self.inbox.iter().position(|message| {
            RawMessage::parse(message).frame().is_some_and(|frame| {
                (chaff == Chaff::Wanted || frame.frame_type.kind() != FrameKind::Chaff)
                    && id.is_none_or(|id| id == frame.id)
            })
        })?;
        self.take_at(position)
    }

    fn compare(&mut self, expect: &Expect, frame: &RawFrame<'_>) -> StepResult {
        let is_of_type = match expect.expected {
            Expected::Type(frame_type) => frame.frame_type == frame_type,
            Expected::Refusal => frame.is_refusal(),
            Expected::Close => {
                frame.frame_type == FrameType::SERVER_CLOSE
                    || frame.payload_shape() == PayloadShape::NoServerId
            }
        };
        if !is_of_type {
            return StepResult::OtherType;
        }
        let fits = match &expect.want {
            Want::Anything => true,
            Want::Exactly(bytes) => frame.payload == bytes,
            Want::Matches(regex) => regex.is_match(frame.payload),
            Want::Prefix(bytes) => frame.payload.starts_with(bytes),
        };
        if !fits {
            return StepResult::OtherPayload;
        }
        let Some(name) = &expect.bind else {
            return StepResult::Ok;
        };
        let id = match frame.frame_type {
            FrameType::SYN => Some(frame.id),
            _ => frame.announced_id().map(|ServerId(id)| id),
        };
        match id {
            Some(id) => {
                self.variables.insert(name.clone(), id);
                StepResult::Ok
            }
            None => StepResult::NoId,
        }
    }

    /// Reports the result of the step, and goes on if it was good.
    fn report(&mut self, now: Instant, result: StepResult, message: Option<Bytes>) {
        let began = self.began.unwrap_or(now);
        let went_well = result == StepResult::Ok;
        self.outputs.push_back(InjectOutput::Step(StepReport {
            step: self.next,
            result,
            message,
            elapsed: now.saturating_duration_since(began),
        }));
        if went_well {
            self.go(self.next + 1);
        } else {
            self.outcome = Some(false);
        }
    }
}
