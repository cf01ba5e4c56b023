//! The options for playing a recording.

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;

use super::compare::Compare;
use super::transcript::Transcripts;
use crate::endpoint::AddressProof;
use crate::units::LONGEST_TIME;

/// The settings of a [`Player`](super::Player).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PlayOptions {
    /// When messages are sent.
    pub pace: Pace,
    /// Silence of the recording, at the speed of the replay, that is cut to this.
    pub max_gap: Duration,
    /// Time before the first message.
    pub start_delay: Duration,
    /// The condition that a message waits for.
    pub order: Order,
    /// The ids used.
    pub ids: IdPolicy,
    /// The payload of every SYN.
    pub syn_payload: SynPayload,
    /// The number of repetitions, and of copies at once.
    pub load: Load,
    /// The limits on waiting for the peer.
    pub timeouts: Timeouts,
    /// The part that is compared.
    pub compare: Compare,
    /// Differences that are kept of one conversation.
    pub max_differences: usize,
    /// Time after our close in which messages of the peer are still taken.
    pub linger: Duration,
    /// Whether outcomes come with the messages.
    pub transcripts: Transcripts,
    /// Whether a server may ask for a proof of our address before it speaks: it is given by an
    /// empty data message where the server speaks next, unless ids are raw.
    pub address_proof: AddressProof,
}

impl Default for PlayOptions {
    fn default() -> Self {
        Self {
            pace: Pace::Recorded { speed: 1.0 },
            max_gap: Duration::from_secs(10),
            start_delay: Duration::ZERO,
            order: Order::Ids,
            ids: IdPolicy::Fresh,
            syn_payload: SynPayload::Keep,
            load: Load::default(),
            timeouts: Timeouts::default(),
            compare: Compare::Stream,
            max_differences: 20,
            linger: Duration::from_millis(100),
            transcripts: Transcripts::Dropped,
            address_proof: AddressProof::NotNeeded,
        }
    }
}

/// When messages are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As recorded, faster or slower by a factor above 0.
    Recorded {
        /// 2 is twice as fast.
        speed: f64,
    },
    /// So many messages a second, evenly, whatever the recording's times.
    Rate {
        /// Above 0.
        per_second: f64,
    },
    /// As soon as their order allows. No more conversations of one copy are
    /// open at once than were in the recording.
    TopSpeed,
}

/// The time that `recorded` takes at a speed, which is above 0: at most a hundred years.
pub(super) fn at_speed(recorded: Duration, speed: f64) -> Duration {
    seconds(recorded.as_secs_f64() / speed)
}

/// The time from message to message at a rate, which is above 0: at most a hundred years.
pub(super) fn interval(per_second: f64) -> Duration {
    seconds(1.0 / per_second)
}

/// A longer time could not be added to a clock.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).map_or(LONGEST_TIME, |time| time.min(LONGEST_TIME))
}

/// The condition that a message waits for beside its time.
///
/// A close always waits for the peer's messages before it, since it would cut them off; only
/// [`Order::None`] sends it regardless.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Until the ids that it needs are known.
    #[default]
    Ids,
    /// Also until the peer has sent as many bytes as it had before it.
    Replies,
    /// Nothing; for raw ids only.
    None,
}

impl Order {
    /// `ids`, `replies` or `none`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ids => "ids",
            Self::Replies => "replies",
            Self::None => "none",
        }
    }
}

/// The ids used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdPolicy {
    /// New client ids, and the server ids that the live peer chooses.
    #[default]
    Fresh,
    /// The recorded client ids, and the server ids that the live peer chooses.
    Recorded,
    /// Every byte as recorded, for negative tests.
    Raw,
}

impl IdPolicy {
    /// `fresh`, `recorded` or `raw`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Recorded => "recorded",
            Self::Raw => "raw",
        }
    }
}

/// The payload of a SYN: whose destination it names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SynPayload {
    /// The recorded one.
    #[default]
    Keep,
    /// This one.
    Replace(Bytes),
}

/// The number of repetitions of the recording, and of copies at once.
///
/// The fields are complete: another would be a breaking change. `..Load::default()` stands for
/// those that do not matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Number of times that each copy is played.
    pub loops: Loops,
    /// Between the end of a pass of a copy and its next.
    pub loop_gap: Duration,
    /// Copies at once; each has its own ids.
    pub concurrency: NonZeroU32,
    /// Between the starts of two copies.
    pub stagger: Duration,
    /// Time after which no conversation is begun.
    pub duration: Option<Duration>,
}

impl Load {
    /// Number of conversations that all copies play in all passes, where a pass has so many; `None`
    /// if there is no end or only the clock brings it.
    pub fn conversations(&self, of_a_pass: usize) -> Option<u64> {
        match (self.loops, self.duration) {
            (Loops::Times(times), None) => Some(
                times
                    .saturating_mul(of_a_pass as u64)
                    .saturating_mul(u64::from(self.concurrency.get())),
            ),
            _ => None,
        }
    }
}

impl Default for Load {
    fn default() -> Self {
        Self {
            loops: Loops::Times(1),
            loop_gap: Duration::ZERO,
            concurrency: NonZeroU32::MIN,
            stagger: Duration::ZERO,
            duration: None,
        }
    }
}

/// A number of repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loops {
    /// So many times.
    Times(u64),
    /// Until it is stopped.
    Forever,
}

impl Loops {
    /// Whether `done` times are all.
    pub(super) const fn are_over(self, done: u64) -> bool {
        match self {
            Self::Times(times) => done >= times,
            Self::Forever => false,
        }
    }
}

/// The limits on waiting for the peer.
///
/// To the first two the time is added that the recorded peer took. The fields are complete:
/// another would be a breaking change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the answer to a SYN.
    pub handshake: Duration,
    /// Silence while bytes or a close are owed.
    pub reply: Duration,
    /// For everything.
    pub overall: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            reply: Duration::from_secs(5),
            overall: Duration::from_secs(300),
        }
    }
}
