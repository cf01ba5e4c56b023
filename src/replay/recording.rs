//! Recorded conversations: the part of a capture that can be played again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bytes::Bytes;

use crate::conversation::{ConversationId, ConversationState};
use crate::time::Timestamp;
use crate::wire::{ClientId, Direction, FrameType, ServerId, StreamId};

/// Skipped messages that are listed one by one; those beyond it are only counted.
pub const MAX_SKIPPED_LISTED: usize = 1_000;

/// The conversations of a capture, in the order in which they opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// The conversations that can be played.
    pub conversations: Vec<RecordedConversation>,
    /// Those that cannot, and the reasons; the first [`MAX_SKIPPED_LISTED`].
    pub skipped: Vec<Skipped>,
    /// Counts of all that were skipped, by reason.
    pub skipped_counts: BTreeMap<SkipReason, u64>,
    /// The last conversation of the capture, wanted or not; its number is their count.
    pub last: Option<ConversationId>,
}

/// One conversation with all its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedConversation {
    /// Its name in the dissection.
    pub id: ConversationId,
    /// The client's id; `None` if only messages to the server were seen.
    pub client_id: Option<ClientId>,
    /// The server's id, unless it was refused or not answered.
    pub server_id: Option<ServerId>,
    /// Its last state.
    pub state: ConversationState,
    /// Its messages in the order of the capture.
    pub messages: Vec<RecordedMessage>,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedMessage {
    /// Its number in the dissection.
    pub number: u64,
    /// When it was captured.
    pub time: Timestamp,
    /// Its direction.
    pub direction: Direction,
    /// Its type.
    pub frame_type: FrameType,
    /// The id as it was captured.
    pub id: StreamId,
    /// The rest of it.
    pub payload: Bytes,
    /// Its effect.
    pub effect: Effect,
}

/// The effect of a message on its conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It opened it.
    Opened,
    /// It accepted it.
    Accepted,
    /// It refused it.
    Refused,
    /// It carried bytes.
    Carried,
    /// It ended it, or was a close that crossed the other side's.
    Closed,
    /// Nothing: a second ACK, data after the close.
    Ignored,
}

/// A message or a conversation that is not played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The message; `None` for a whole conversation.
    pub number: Option<u64>,
    /// The conversation it belongs to.
    pub conversation: Option<ConversationId>,
    /// The reason.
    pub reason: SkipReason,
}

/// The reason why something is not played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkipReason {
    /// A message for an id that nobody announced.
    Orphan,
    /// The byte `ff` alone.
    Ping,
    /// A message of type `ff`.
    Chaff,
    /// A type that the protocol does not define.
    UnknownType,
    /// Fewer than four bytes.
    TooShort,
    /// A type of the other role, in a conversation where it means nothing.
    WrongDirection,
    /// A conversation whose SYN is not in the capture.
    MidStream,
    /// A conversation whose SYN was never answered: there is nothing to compare with.
    Unanswered,
    /// The view of the accepting session on a capture that has both; the
    /// opener's is played.
    SecondView,
    /// A message of which only a part was recorded (a dump can leave payloads out).
    PayloadMissing,
}

impl SkipReason {
    /// Its name in the JSON report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Orphan => "orphan",
            Self::Ping => "ping",
            Self::Chaff => "chaff",
            Self::UnknownType => "unknown_type",
            Self::TooShort => "too_short",
            Self::WrongDirection => "wrong_direction",
            Self::MidStream => "mid_stream",
            Self::Unanswered => "unanswered",
            Self::SecondView => "second_view",
            Self::PayloadMissing => "payload_missing",
        }
    }
}

/// Its name for people: `second view`.
impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name().replace('_', " "))
    }
}

/// The conversations to be recorded.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// These alone; `None`: all.
    pub named: Option<BTreeSet<ConversationId>>,
    /// Whether those whose SYN is not in the capture are played as well.
    pub mid_stream: MidStream,
}

impl Wanted {
    /// Whether a conversation is among those that are wanted by name.
    pub(super) fn names(&self, id: ConversationId) -> bool {
        self.named.as_ref().is_none_or(|named| named.contains(&id))
    }

    /// The reason why a whole conversation is not played, if it is not. `other_view` is the same
    /// conversation as the router's other session shows it.
    pub(super) fn reason_against(
        &self,
        id: ConversationId,
        other_view: Option<ConversationId>,
        state: ConversationState,
    ) -> Option<SkipReason> {
        // The opener's view is the one that was seen first.
        if other_view.is_some_and(|other| other < id && self.names(other)) {
            return Some(SkipReason::SecondView);
        }
        match state {
            ConversationState::MidStream if self.mid_stream == MidStream::Skip => {
                Some(SkipReason::MidStream)
            }
            ConversationState::SynSent | ConversationState::NoAnswer => {
                Some(SkipReason::Unanswered)
            }
            _ => None,
        }
    }
}

/// Treatment of conversations whose SYN is not in the capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MidStream {
    /// They are skipped and counted.
    #[default]
    Skip,
    /// They are played, which only raw ids can do.
    Include,
}

/// The recording with the expected answers lacks a conversation that is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no conversation {0}, whose answers it should give")]
pub struct NotExpected(pub ConversationId);

impl Recording {
    /// Puts the server's messages of `other` in place of our own, conversation by conversation: the
    /// n-th stands where our n-th stood, and further ones of `other` where our last stood.
    ///
    /// # Errors
    /// `other` lacks one of our conversations.
    pub fn expect(&mut self, other: &Self) -> Result<(), NotExpected> {
        for conversation in &mut self.conversations {
            // Whoever makes a recording leaves it sorted by id.
            let place = other
                .conversations
                .binary_search_by_key(&conversation.id, |expected| expected.id)
                .map_err(|_| NotExpected(conversation.id))?;
            conversation.expect(&other.conversations[place]);
        }
        Ok(())
    }

    /// The longest message in this direction.
    pub fn longest_message(&self, direction: Direction) -> Option<&RecordedMessage> {
        self.conversations
            .iter()
            .flat_map(|conversation| &conversation.messages)
            .filter(|message| message.direction == direction)
            .max_by_key(|message| message.payload.len())
    }

    pub(super) fn skip(&mut self, skipped: Skipped) {
        *self.skipped_counts.entry(skipped.reason).or_default() += 1;
        if self.skipped.len() < MAX_SKIPPED_LISTED {
            self.skipped.push(skipped);
        }
    }
}

impl RecordedConversation {
    fn expect(&mut self, expected: &Self) {
        let is_answer = |message: &&RecordedMessage| message.direction == Direction::ServerToClient;
        let mut answers = expected.messages.iter().filter(is_answer).peekable();
        let mut answers_left = self.messages.iter().filter(is_answer).count();
        let mut messages = Vec::with_capacity(self.messages.len());
        for message in std::mem::take(&mut self.messages) {
            if message.direction == Direction::ClientToServer {
                messages.push(message);
                continue;
            }
            answers_left -= 1;
            let here = if answers_left == 0 { usize::MAX } else { 1 };
            messages.extend(answers.by_ref().take(here).map(|answer| RecordedMessage {
                time: message.time,
                ..answer.clone()
            }));
        }
        // If nothing was answered, all answers come at the end.
        let last = messages.last().map(|message| message.time);
        messages.extend(answers.map(|answer| RecordedMessage {
            time: last.unwrap_or(answer.time),
            ..answer.clone()
        }));
        self.messages = messages;
        self.state = expected.state;
    }
}
