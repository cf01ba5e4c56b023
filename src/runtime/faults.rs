//! Faults on purpose: what a bad network does to messages, by the numbers of
//! a seed, to see what an endpoint or its user makes of it.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::{Duration, Instant};

use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};

use super::link::Peer;
use crate::endpoint::Message;

/// Bytes of delayed messages at which no more are taken.
const MAX_DELAYED_BYTES: usize = 4 * 1024 * 1024;

/// How long a message that is to be overtaken waits for another at most.
const OVERTAKEN: Duration = Duration::from_millis(20);

/// What happens to the messages that we send.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FaultPlan {
    /// Each message is late by this.
    pub latency: Duration,
    /// And by up to this more or less; the order stays.
    pub jitter: Duration,
    /// Share of messages that are lost, from 0 to 1.
    pub loss: f64,
    /// Share of messages that are sent twice.
    pub duplicates: f64,
    /// Share of messages that the next one overtakes.
    pub reordered: f64,
    /// Most bytes in one write to a TCP connection.
    pub slice: Option<usize>,
    /// Bytes after which the link breaks.
    pub cut_after: Option<u64>,
}

/// Messages on their way through a bad network.
#[derive(Debug)]
pub(super) struct Faults {
    plan: FaultPlan,
    rng: ChaCha12Rng,
    delayed: BTreeMap<(Instant, u64), (Peer, Message)>,
    delayed_bytes: usize,
    submitted: u64,
    last_due: Option<Instant>,
    passed_bytes: u64,
}

/// What comes of a network's message.
#[derive(Debug)]
pub(super) enum Passage {
    /// It goes to the link now.
    Arrives(Peer, Message),
    /// The link breaks instead.
    Breaks,
}

impl Faults {
    pub(super) fn new(plan: FaultPlan, seed: [u8; 32]) -> Self {
        let mut rng = ChaCha12Rng::from_seed(seed);
        // The seed's other streams make ids and destinations.
        rng.set_stream(2);
        Self {
            plan,
            rng,
            delayed: BTreeMap::new(),
            delayed_bytes: 0,
            submitted: 0,
            last_due: None,
            passed_bytes: 0,
        }
    }

    /// Takes a message from the endpoint.
    pub(super) fn submit(&mut self, now: Instant, to: Peer, message: Message) {
        if self.happens(self.plan.loss) {
            return;
        }
        if self.happens(self.plan.duplicates) {
            let due = self.due(now);
            self.delay(due, to, message.clone());
        }
        let mut due = self.due(now);
        if self.happens(self.plan.reordered) {
            due += OVERTAKEN;
        } else {
            self.last_due = Some(due);
        }
        self.delay(due, to, message);
    }

    fn happens(&mut self, share: f64) -> bool {
        share > 0.0 && self.rng.random_bool(share.min(1.0))
    }

    /// When a message that keeps its place comes out.
    fn due(&mut self, now: Instant) -> Instant {
        let jitter = self.plan.jitter.as_secs_f64();
        let late = self.plan.latency.as_secs_f64() + jitter * self.rng.random_range(-1.0..=1.0);
        let due = now + Duration::from_secs_f64(late.max(0.0));
        self.last_due.map_or(due, |last| due.max(last))
    }

    fn delay(&mut self, due: Instant, to: Peer, message: Message) {
        self.delayed_bytes += message.message_bytes();
        self.submitted += 1;
        self.delayed.insert((due, self.submitted), (to, message));
    }

    /// The next message that is due.
    pub(super) fn next(&mut self, now: Instant) -> Option<Passage> {
        let entry = self.delayed.first_entry()?;
        if entry.key().0 > now {
            return None;
        }
        let (to, message) = entry.remove();
        let bytes = message.message_bytes();
        self.delayed_bytes -= bytes;
        self.passed_bytes += bytes as u64;
        if self
            .plan
            .cut_after
            .is_some_and(|cut| self.passed_bytes > cut)
        {
            self.passed_bytes = 0;
            self.forget();
            return Some(Passage::Breaks);
        }
        Some(Passage::Arrives(to, message))
    }

    /// When the next message is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.delayed.first_key_value().map(|((due, _), _)| *due)
    }

    /// Whether no more messages should come in.
    pub(super) const fn is_full(&self) -> bool {
        self.delayed_bytes >= MAX_DELAYED_BYTES
    }

    /// Whether messages may come in again after it was full.
    pub(super) const fn has_room(&self) -> bool {
        self.delayed_bytes <= MAX_DELAYED_BYTES / 2
    }

    /// Drops all messages: their link is gone.
    pub(super) fn forget(&mut self) {
        self.delayed.clear();
        self.delayed_bytes = 0;
        self.last_due = None;
    }
}

/// Why a text is not a plan of faults.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultPlanError {
    /// No name and value.
    #[error(
        "{0:?} is no fault; there are latency=50ms±10ms, loss=1%, dup=0.5%, reorder=2%, slice=512B and cut-after=10KiB"
    )]
    Unknown(String),
    /// A value that is none of its kind.
    #[error("{name}={value}: {expected}")]
    Value {
        /// The fault.
        name: String,
        /// Its value.
        value: String,
        /// What the value should be.
        expected: &'static str,
    },
}

/// `latency=50ms±10ms,loss=1%,dup=0.5%,reorder=2%,slice=512B,cut-after=10KiB`
impl FromStr for FaultPlan {
    type Err = FaultPlanError;

    fn from_str(text: &str) -> Result<Self, FaultPlanError> {
        let mut plan = Self::default();
        for fault in text.split(',') {
            let (name, value) = fault
                .split_once('=')
                .ok_or_else(|| FaultPlanError::Unknown(fault.to_owned()))?;
            let refused = |expected| FaultPlanError::Value {
                name: name.to_owned(),
                value: value.to_owned(),
                expected,
            };
            let share = || percent(value).ok_or_else(|| refused("a share is 0% to 100%"));
            let size =
                || size(value).ok_or_else(|| refused("a size is bytes, as in 512B or 10KiB"));
            match name {
                "latency" => {
                    (plan.latency, plan.jitter) = latency(value)
                        .ok_or_else(|| refused("a latency is a time, as in 50ms or 50ms±10ms"))?;
                }
                "loss" => plan.loss = share()?,
                "dup" => plan.duplicates = share()?,
                "reorder" => plan.reordered = share()?,
                "slice" => {
                    let bytes = usize::try_from(size()?).unwrap_or(usize::MAX);
                    plan.slice = Some(bytes.max(1));
                }
                "cut-after" => plan.cut_after = Some(size()?),
                _ => return Err(FaultPlanError::Unknown(fault.to_owned())),
            }
        }
        Ok(plan)
    }
}

fn latency(value: &str) -> Option<(Duration, Duration)> {
    match value.split_once('±').or_else(|| value.split_once("+-")) {
        Some((latency, jitter)) => Some((time(latency)?, time(jitter)?)),
        None => Some((time(value)?, Duration::ZERO)),
    }
}

fn time(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text);
    let number: u64 = number.parse().ok()?;
    match unit {
        "us" => Some(Duration::from_micros(number)),
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        _ => None,
    }
}

fn size(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text);
    let factor = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

fn percent(text: &str) -> Option<f64> {
    let number: f64 = text.strip_suffix('%')?.parse().ok()?;
    (0.0..=100.0).contains(&number).then_some(number / 100.0)
}

fn split_unit(text: &str) -> (&str, &str) {
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(unit_at)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::wire::{FrameType, StreamId};

    const PEER: Peer = Peer::Address(std::net::SocketAddr::new(
        std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        1,
    ));

    fn message(number: u32) -> Message {
        Message {
            frame_type: FrameType::CLIENT_DATA,
            id: StreamId::from_u32(number),
            payload: Bytes::from_static(b"123456"),
        }
    }

    /// Sends numbered messages a millisecond apart; tells what came out, and when.
    fn through(plan: &str, count: u32) -> Vec<(u32, Duration)> {
        let mut faults = Faults::new(plan.parse().unwrap(), [7; 32]);
        let start = Instant::now();
        let mut out = Vec::new();
        for step in 0..count + 1_000 {
            let now = start + Duration::from_millis(step.into());
            if step < count {
                faults.submit(now, PEER, message(step));
            }
            while let Some(passage) = faults.next(now) {
                match passage {
                    Passage::Arrives(_, message) => {
                        out.push((message.id.to_u32(), now - start));
                    }
                    Passage::Breaks => return out,
                }
            }
        }
        assert_eq!(faults.next_due(), None, "everything came out");
        assert_eq!(faults.delayed_bytes, 0);
        out
    }

    #[test]
    fn without_faults_messages_pass_at_once() {
        let expected: Vec<_> = (0..10)
            .map(|number| (number, Duration::from_millis(number.into())))
            .collect();
        assert_eq!(through("latency=0ms", 10), expected);
    }

    #[test]
    fn latency_delays_within_its_bounds_and_keeps_the_order() {
        let out = through("latency=50ms±10ms", 500);
        assert_eq!(out.len(), 500);
        assert!(out.is_sorted_by_key(|(number, _)| *number));
        for (number, at) in out {
            let late = at - Duration::from_millis(number.into());
            // The order can hold a message back by what its forerunner was late.
            let bounds = Duration::from_millis(40)..=Duration::from_millis(61);
            assert!(bounds.contains(&late), "{number}: {late:?}");
        }
    }

    #[test]
    fn shares_are_met_about() {
        let lost = 10_000 - through("loss=10%", 10_000).len();
        assert!((900..1_100).contains(&lost), "{lost}");
        let doubled = through("dup=10%", 10_000).len() - 10_000;
        assert!((900..1_100).contains(&doubled), "{doubled}");
        let out = through("reorder=10%", 10_000);
        let overtaken = out.windows(2).filter(|pair| pair[1].0 < pair[0].0).count();
        assert!((900..1_100).contains(&overtaken), "{overtaken}");
        assert!(through("loss=100%", 100).is_empty());
    }

    #[test]
    fn the_same_seed_does_the_same() {
        let plan = "latency=5ms±5ms,loss=20%,dup=20%,reorder=20%";
        assert_eq!(through(plan, 1_000), through(plan, 1_000));
    }

    #[test]
    fn the_link_breaks_after_its_bytes() {
        // Ten bytes each.
        assert_eq!(through("cut-after=95B", 100).len(), 9);
        assert_eq!(through("cut-after=100B", 100).len(), 10);
    }

    #[test]
    fn plans_are_read_whole_or_refused_with_a_reason() {
        assert_eq!(
            "latency=50ms±10ms,loss=1%,dup=0.5%,reorder=2%,slice=512B,cut-after=10KiB".parse(),
            Ok(FaultPlan {
                latency: Duration::from_millis(50),
                jitter: Duration::from_millis(10),
                loss: 0.01,
                duplicates: 0.005,
                reordered: 0.02,
                slice: Some(512),
                cut_after: Some(10_240),
            })
        );
        for (text, error) in [
            ("loss=1", "loss=1: a share is 0% to 100%"),
            ("dup=101%", "dup=101%: a share is 0% to 100%"),
            (
                "latency=5",
                "latency=5: a latency is a time, as in 50ms or 50ms±10ms",
            ),
            (
                "slice=1kB",
                "slice=1kB: a size is bytes, as in 512B or 10KiB",
            ),
        ] {
            assert_eq!(text.parse::<FaultPlan>().unwrap_err().to_string(), error);
        }
        for text in ["", "loss", "slowness=1%"] {
            assert!(matches!(
                text.parse::<FaultPlan>(),
                Err(FaultPlanError::Unknown(_))
            ));
        }
    }
}
