//! The outcome of a conversation, and of all together.

use std::fmt;
use std::time::Duration;

use super::compare::Difference;
use super::transcript::Exchange;
use crate::conversation::ConversationId;
use crate::wire::{ClientId, ServerId};

/// The result of one played conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReplayResult {
    /// The peer answered as recorded.
    Same,
    /// It answered something else.
    Differs,
    /// It did not answer, or not all that it had answered.
    NoReply,
    /// It refused a SYN that it had accepted.
    RefusedUnexpectedly,
    /// It accepted a SYN that it had refused.
    AcceptedUnexpectedly,
    /// It closed before it had sent, or we had sent, all that was recorded.
    ClosedEarly,
    /// It was not played to its end.
    Skipped,
    /// The carrier failed.
    TransportError,
}

impl ReplayResult {
    /// Every result.
    // None may be missing: counts are indexed by `self as usize`.
    pub const ALL: [Self; 8] = [
        Self::Same,
        Self::Differs,
        Self::NoReply,
        Self::RefusedUnexpectedly,
        Self::AcceptedUnexpectedly,
        Self::ClosedEarly,
        Self::Skipped,
        Self::TransportError,
    ];

    /// Its name in the JSON report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Differs => "differs",
            Self::NoReply => "no_reply",
            Self::RefusedUnexpectedly => "refused_unexpectedly",
            Self::AcceptedUnexpectedly => "accepted_unexpectedly",
            Self::ClosedEarly => "closed_early",
            Self::Skipped => "skipped",
            Self::TransportError => "transport_error",
        }
    }

    /// The result of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|result| result.name() == name)
    }

    const fn index(self) -> usize {
        self as usize
    }
}

/// Its name for people: `no reply`.
impl fmt::Display for ReplayResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name().replace('_', " "))
    }
}

/// The explanation of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// The SYN was not answered in this time.
    NoAnswer {
        /// The time waited.
        waited: Duration,
    },
    /// Fewer bytes came than recorded.
    BytesMissing {
        /// Bytes that came.
        got: usize,
        /// Bytes that were recorded.
        want: usize,
    },
    /// All bytes came, but fewer messages than recorded.
    MessagesMissing {
        /// Messages that came.
        got: usize,
        /// Messages that were recorded.
        want: usize,
    },
    /// All bytes came, but not the recorded close.
    NoClose,
    /// No answer was recorded, and none came: that proves nothing.
    NothingToCompare,
    /// The peer closed while we had more to send.
    Unsent {
        /// Messages that were not sent.
        messages: usize,
    },
    /// The client id that was asked for was in use.
    IdInUse(ClientId),
    /// The replay was stopped before its end.
    Stopped,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer { waited } => {
                write!(f, "no answer to the SYN in {:.1} s", waited.as_secs_f64())
            }
            Self::BytesMissing { got, want } => write!(f, "{got} of {want} B came"),
            Self::MessagesMissing { got, want } => write!(f, "{got} of {want} messages came"),
            Self::NoClose => f.write_str("the recorded close did not come"),
            Self::NothingToCompare => f.write_str("no answer was recorded, and none came"),
            Self::Unsent { messages } => write!(f, "closed with {messages} messages unsent"),
            Self::IdInUse(id) => write!(f, "client id {id} was in use"),
            Self::Stopped => f.write_str("stopped before its end"),
        }
    }
}

/// One played conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlayOutcome {
    /// The recorded conversation.
    pub conversation: ConversationId,
    /// The pass of its copy, from 1.
    pub pass: u64,
    /// The copy, from 1.
    pub copy: u32,
    /// The ids in the recording.
    pub recorded_ids: (Option<ClientId>, Option<ServerId>),
    /// The ids that were used.
    pub live_ids: (Option<ClientId>, Option<ServerId>),
    /// Its result.
    pub result: ReplayResult,
    /// The explanation of it, where it needs one.
    pub note: Option<Note>,
    /// Payload bytes that were sent.
    pub c2s_bytes: usize,
    /// Payload bytes that the recorded peer sent.
    pub s2c_want_bytes: usize,
    /// Payload bytes that came.
    pub s2c_got_bytes: usize,
    /// Time from SYN to ACK or refusal.
    pub handshake: Option<Duration>,
    /// The same in the recording.
    pub recorded_handshake: Option<Duration>,
    /// The first differences.
    pub differences: Vec<Difference>,
    /// The masks that would cover all differences, where those are in header fields only.
    pub suggested_masks: Vec<String>,
    /// The recorded and the live messages, if [`Transcripts`](super::Transcripts) are kept.
    pub exchange: Option<Box<Exchange>>,
}

/// Number of conversations by result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResultCounts([u64; ReplayResult::ALL.len()]);

impl ResultCounts {
    /// Counts one.
    pub fn add(&mut self, result: ReplayResult) {
        self.0[result.index()] += 1;
    }

    /// Number of conversations with this result.
    pub const fn count(&self, result: ReplayResult) -> u64 {
        self.0[result.index()]
    }

    /// Number of conversations in all.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Whether every check passed.
    pub fn verdict(&self) -> Verdict {
        let same = self.count(ReplayResult::Same);
        if same > 0 && same == self.total() {
            Verdict::Passed
        } else {
            Verdict::Failed
        }
    }
}

/// The result of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There was at least one conversation, and all were the same.
    Passed,
    /// Something was not as recorded, or nothing was seen.
    Failed,
}

impl Verdict {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Passed, Self::Failed];

    /// `passed` or `failed`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
        }
    }

    /// The verdict of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_played_is_no_success() {
        assert_eq!(ResultCounts::default().verdict(), Verdict::Failed);
    }

    #[test]
    fn one_result_that_is_not_same_fails_all() {
        for result in ReplayResult::ALL {
            let mut tally = ResultCounts::default();
            tally.add(ReplayResult::Same);
            tally.add(result);
            let expected = if result == ReplayResult::Same {
                Verdict::Passed
            } else {
                Verdict::Failed
            };
            assert_eq!(tally.verdict(), expected, "{result}");
            assert_eq!(tally.total(), 2);
        }
    }
}
