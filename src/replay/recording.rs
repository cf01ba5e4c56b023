//! Recorded conversations: the part of a capture that can be played again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bytes::Bytes;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::memory::{MAX_RECORDING_BYTES, Memory, RecordingTooLarge, kept_bytes, room_bytes};
use crate::allocation::ALLOCATION_BYTES;
use crate::conversation::{
    Conversation, ConversationId, ConversationState, MeaningKind, MessageEvent,
};
use crate::dissect::Sink;
use crate::time::Timestamp;
use crate::wire::{
    ClientId, Direction, FrameType, MessageKind, RawFrame, RawMessage, ServerId, StreamId,
};

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

/// Collects a [`Recording`] from a dissection. `matches` selects the messages
/// whose conversations are wanted; those conversations are kept whole.
#[derive(Debug)]
pub struct RecordingSink<F> {
    wanted: Wanted,
    matches: F,
    open: HashMap<ConversationId, Open>,
    done: Vec<RecordedConversation>,
    recording: Recording,
    memory: Memory,
}

/// Memory of a conversation that is read, beside the lists in it: in a table that has twice the room, and of the
/// counts of what it skips.
const OPEN_BYTES: usize = 2 * size_of::<(ConversationId, Open)>() + 4 * ALLOCATION_BYTES;

#[derive(Debug, Default)]
struct Open {
    matched: bool,
    messages: Vec<RecordedMessage>,
    /// The first [`MAX_SKIPPED_LISTED`].
    skipped: Vec<Skipped>,
    /// Counts of the others.
    further_skipped: BTreeMap<SkipReason, u64>,
}

impl Open {
    fn memory_bytes(&self) -> usize {
        OPEN_BYTES + room_bytes(&self.skipped) + memory_bytes(&self.messages)
    }
}

/// The memory that messages take.
pub(super) fn memory_bytes(messages: &Vec<RecordedMessage>) -> usize {
    let payloads = messages.iter().map(|message| kept_bytes(&message.payload));
    room_bytes(messages) + payloads.sum::<usize>()
}

impl<F: FnMut(&MessageEvent<'_>) -> bool> RecordingSink<F> {
    /// A recorder that has seen nothing.
    pub fn new(wanted: Wanted, matches: F) -> Self {
        Self::within(Memory::up_to(MAX_RECORDING_BYTES), wanted, matches)
    }

    pub(super) fn within(memory: Memory, wanted: Wanted, matches: F) -> Self {
        Self {
            wanted,
            matches,
            open: HashMap::new(),
            done: Vec::new(),
            recording: Recording::default(),
            memory,
        }
    }

    /// The recording, when the dissection is finished.
    pub fn into_recording(self) -> Recording {
        let mut recording = self.recording;
        recording.conversations = self.done;
        recording
            .conversations
            .sort_by_key(|conversation| conversation.id);
        recording
    }

    fn keep(
        &mut self,
        event: &MessageEvent<'_>,
        id: ConversationId,
    ) -> Result<(), RecordingTooLarge> {
        let matched = (self.matches)(event);
        let open = match self.open.entry(id) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(place) => {
                self.memory.take(OPEN_BYTES)?;
                place.insert(Open::default())
            }
        };
        open.matched |= matched;
        let (RawMessage::Frame(frame), Some(direction), Some(effect)) = (
            &event.message,
            event.direction,
            effect(event.meaning.kind()),
        ) else {
            let reason = reason_of(event);
            if open.skipped.len() == MAX_SKIPPED_LISTED {
                *open.further_skipped.entry(reason).or_default() += 1;
                return Ok(());
            }
            let skipped = Skipped {
                number: Some(event.number),
                conversation: Some(id),
                reason,
            };
            return self.memory.push(&mut open.skipped, skipped);
        };
        let message = recorded(event, frame, direction, effect);
        self.memory.take(kept_bytes(&message.payload))?;
        self.memory.push(&mut open.messages, message)
    }

    fn close(&mut self, conversation: &Conversation) -> Result<(), RecordingTooLarge> {
        let Some(mut open) = self.open.remove(&conversation.id) else {
            return Ok(());
        };
        self.memory.give_back(open.memory_bytes());
        if !open.matched {
            // Not asked for: nothing to report.
            return Ok(());
        }
        for skipped in &open.skipped {
            self.recording.skip(*skipped);
        }
        for (reason, count) in open.further_skipped {
            *self.recording.skipped_counts.entry(reason).or_default() += count;
        }
        let dropped =
            self.wanted
                .reason_against(conversation.id, conversation.peer_view, conversation.state);
        if let Some(reason) = dropped {
            self.recording.skip(Skipped {
                number: None,
                conversation: Some(conversation.id),
                reason,
            });
            return Ok(());
        }
        open.messages.shrink_to_fit();
        self.memory.take(memory_bytes(&open.messages))?;
        let recorded = RecordedConversation {
            id: conversation.id,
            client_id: conversation.client_id,
            server_id: conversation.server_id,
            state: conversation.state,
            messages: open.messages,
        };
        self.memory.push(&mut self.done, recorded)
    }
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

fn recorded(
    event: &MessageEvent<'_>,
    frame: &RawFrame<'_>,
    direction: Direction,
    effect: Effect,
) -> RecordedMessage {
    RecordedMessage {
        number: event.number,
        time: event.time,
        direction,
        frame_type: frame.frame_type,
        id: frame.id,
        payload: Bytes::copy_from_slice(frame.payload),
        effect,
    }
}

/// The effect of a message of such a meaning; `None` if it is not played.
pub(super) const fn effect(meaning: MeaningKind) -> Option<Effect> {
    match meaning {
        MeaningKind::Opens => Some(Effect::Opened),
        MeaningKind::Accepts => Some(Effect::Accepted),
        MeaningKind::Refuses => Some(Effect::Refused),
        MeaningKind::Carries => Some(Effect::Carried),
        MeaningKind::Closes | MeaningKind::ClosesAgain => Some(Effect::Closed),
        MeaningKind::Ignored => Some(Effect::Ignored),
        MeaningKind::Orphan
        | MeaningKind::Idle
        | MeaningKind::Meaningless
        | MeaningKind::Untracked => None,
    }
}

/// The reason why a message of this type is not played if it has no effect. `None` is a type that records
/// do not name.
pub(super) const fn reason(
    kind: Option<MessageKind>,
    conversation: Option<ConversationId>,
) -> SkipReason {
    match kind {
        Some(MessageKind::Ping) => SkipReason::Ping,
        Some(MessageKind::Chaff) => SkipReason::Chaff,
        Some(MessageKind::Unknown) => SkipReason::UnknownType,
        Some(MessageKind::Short) => SkipReason::TooShort,
        Some(MessageKind::Syn | MessageKind::Ack | MessageKind::Data | MessageKind::Close)
        | None => match conversation {
            Some(_) => SkipReason::WrongDirection,
            None => SkipReason::Orphan,
        },
    }
}

fn reason_of(event: &MessageEvent<'_>) -> SkipReason {
    reason(Some(event.message.kind()), event.conversation)
}

impl<F: FnMut(&MessageEvent<'_>) -> bool> Sink for RecordingSink<F> {
    type Error = RecordingTooLarge;

    fn message(&mut self, event: &MessageEvent<'_>) -> Result<(), RecordingTooLarge> {
        match event.conversation {
            Some(id) if self.wanted.names(id) => self.keep(event, id),
            Some(_) => Ok(()),
            None => {
                if self.wanted.named.is_none() && (self.matches)(event) {
                    self.recording.skip(Skipped {
                        number: Some(event.number),
                        conversation: None,
                        reason: reason_of(event),
                    });
                }
                Ok(())
            }
        }
    }

    fn conversation(&mut self, conversation: &Conversation) -> Result<(), RecordingTooLarge> {
        self.recording.last = self.recording.last.max(Some(conversation.id));
        self.close(conversation)
    }
}
