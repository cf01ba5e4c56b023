//! Makes a recording of messages and of conversations that end, in memory that is bounded.

use std::collections::BTreeMap;

use bytes::Bytes;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

use super::memory::{MAX_RECORDING_BYTES, Memory, RecordingTooLarge, kept_bytes, room_bytes};
use super::recording::{
    Effect, MAX_SKIPPED_LISTED, RecordedConversation, RecordedMessage, Recording, SkipReason,
    Skipped, Wanted,
};
use crate::allocation::ALLOCATION_BYTES;
use crate::conversation::{
    Conversation, ConversationId, ConversationState, MeaningKind, MessageEvent,
};
use crate::dissect::Sink;
use crate::wire::{ClientId, MessageKind, RawMessage, ServerId};

/// Makes a [`Recording`], whether of a capture or of records.
#[derive(Debug)]
pub(super) struct Recorder {
    wanted: Wanted,
    open: HashMap<ConversationId, Open>,
    recording: Recording,
    memory: Memory,
}

/// Memory of a conversation that is read, beside its messages and what is put off: in a table that has twice
/// the room.
const OPEN_BYTES: usize = 2 * size_of::<(ConversationId, Open)>() + ALLOCATION_BYTES;

/// Memory of what is put off, beside the list in it.
const PUT_OFF_BYTES: usize = size_of::<PutOff>() + 3 * ALLOCATION_BYTES;

/// A conversation that is not over.
#[derive(Debug, Default)]
struct Open {
    /// Whether it was asked for.
    matched: bool,
    messages: Vec<RecordedMessage>,
    /// `None` while there is nothing to put off.
    put_off: Option<Box<PutOff>>,
}

/// Skipped messages that are reported once it is known that their conversation was asked for.
#[derive(Debug, Default)]
struct PutOff {
    /// The first [`MAX_SKIPPED_LISTED`].
    first: Vec<Skipped>,
    /// Counts of the others.
    further: BTreeMap<SkipReason, u64>,
}

/// What a recording has of the end of a conversation.
pub(super) struct Ended {
    /// The same conversation, as the router's other session shows it.
    pub(super) other_view: Option<ConversationId>,
    pub(super) state: ConversationState,
    pub(super) client_id: Option<ClientId>,
    pub(super) server_id: Option<ServerId>,
}

impl Open {
    /// Keeps a message.
    fn keep(
        &mut self,
        message: RecordedMessage,
        memory: &mut Memory,
    ) -> Result<(), RecordingTooLarge> {
        memory.take(kept_bytes(&message.payload))?;
        memory.push(&mut self.messages, message)
    }

    /// Skips a message, which is reported when it is over.
    fn put_off(&mut self, skipped: Skipped, memory: &mut Memory) -> Result<(), RecordingTooLarge> {
        let put_off = match &mut self.put_off {
            Some(put_off) => put_off,
            nothing => {
                memory.take(PUT_OFF_BYTES)?;
                nothing.insert(Box::default())
            }
        };
        if put_off.first.len() == MAX_SKIPPED_LISTED {
            *put_off.further.entry(skipped.reason).or_default() += 1;
            return Ok(());
        }
        memory.push(&mut put_off.first, skipped)
    }

    fn memory_bytes(&self) -> usize {
        let put_off = self
            .put_off
            .as_ref()
            .map_or(0, |put_off| PUT_OFF_BYTES + room_bytes(&put_off.first));
        OPEN_BYTES + put_off + memory_bytes(&self.messages)
    }
}

/// The memory that messages take.
fn memory_bytes(messages: &Vec<RecordedMessage>) -> usize {
    let payloads = messages.iter().map(|message| kept_bytes(&message.payload));
    room_bytes(messages) + payloads.sum::<usize>()
}

impl Recorder {
    /// One that has recorded nothing, and takes that much memory.
    pub(super) fn within(memory: Memory, wanted: Wanted) -> Self {
        Self {
            wanted,
            open: HashMap::new(),
            recording: Recording::default(),
            memory,
        }
    }

    /// Whether messages of that conversation, or of none, are to be recorded, or reported as skipped.
    pub(super) fn wants(&self, conversation: Option<ConversationId>) -> bool {
        match conversation {
            Some(id) => self.wanted.names(id),
            None => self.wanted.named.is_none(),
        }
    }

    /// Keeps a message of a conversation that was asked for.
    pub(super) fn keep(
        &mut self,
        id: ConversationId,
        message: RecordedMessage,
    ) -> Result<(), RecordingTooLarge> {
        let (open, memory) = self.open(id)?;
        open.matched = true;
        open.keep(message, memory)
    }

    /// Reports something that is skipped.
    pub(super) fn skip(&mut self, skipped: Skipped) {
        self.recording.skip(skipped);
    }

    /// The conversation, which begins if it was not seen before.
    fn open(&mut self, id: ConversationId) -> Result<(&mut Open, &mut Memory), RecordingTooLarge> {
        let open = match self.open.entry(id) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(place) => {
                self.memory.take(OPEN_BYTES)?;
                place.insert(Open::default())
            }
        };
        Ok((open, &mut self.memory))
    }

    /// A conversation is over. `read` is asked how it ended if any of it may be recorded.
    pub(super) fn end<E: From<RecordingTooLarge>>(
        &mut self,
        id: ConversationId,
        read: impl FnOnce() -> Result<Ended, E>,
    ) -> Result<(), E> {
        self.recording.last = self.recording.last.max(Some(id));
        let Some(mut open) = self.open.remove(&id) else {
            return Ok(());
        };
        self.memory.give_back(open.memory_bytes());
        if !open.matched {
            // Not asked for: nothing to report.
            return Ok(());
        }
        if let Some(put_off) = open.put_off {
            for skipped in put_off.first {
                self.recording.skip(skipped);
            }
            for (reason, count) in put_off.further {
                *self.recording.skipped_counts.entry(reason).or_default() += count;
            }
        }
        let ended = read()?;
        if let Some(reason) = self
            .wanted
            .reason_against(id, ended.other_view, ended.state)
        {
            self.recording.skip(Skipped {
                number: None,
                conversation: Some(id),
                reason,
            });
            return Ok(());
        }
        open.messages.shrink_to_fit();
        self.memory.take(memory_bytes(&open.messages))?;
        let recorded = RecordedConversation {
            id,
            client_id: ended.client_id,
            server_id: ended.server_id,
            state: ended.state,
            messages: open.messages,
        };
        self.memory
            .push(&mut self.recording.conversations, recorded)?;
        Ok(())
    }

    /// The recording, when nothing more comes.
    pub(super) fn into_recording(self) -> Recording {
        let mut recording = self.recording;
        recording
            .conversations
            .sort_by_key(|conversation| conversation.id);
        recording
    }
}

/// Collects a [`Recording`] from a dissection. `matches` selects the messages
/// whose conversations are wanted; those conversations are kept whole.
#[derive(Debug)]
pub struct RecordingSink<F> {
    recorder: Recorder,
    matches: F,
}

impl<F: FnMut(&MessageEvent<'_>) -> bool> RecordingSink<F> {
    /// A recorder that has seen nothing.
    pub fn new(wanted: Wanted, matches: F) -> Self {
        Self::within(Memory::up_to(MAX_RECORDING_BYTES), wanted, matches)
    }

    pub(super) fn within(memory: Memory, wanted: Wanted, matches: F) -> Self {
        Self {
            recorder: Recorder::within(memory, wanted),
            matches,
        }
    }

    /// The recording, when the dissection is finished.
    pub fn into_recording(self) -> Recording {
        self.recorder.into_recording()
    }
}

impl<F: FnMut(&MessageEvent<'_>) -> bool> Sink for RecordingSink<F> {
    type Error = RecordingTooLarge;

    fn message(&mut self, event: &MessageEvent<'_>) -> Result<(), RecordingTooLarge> {
        if !self.recorder.wants(event.conversation) {
            return Ok(());
        }
        let matched = (self.matches)(event);
        let Some(id) = event.conversation else {
            if matched {
                self.recorder.skip(skipped(event));
            }
            return Ok(());
        };
        let (open, memory) = self.recorder.open(id)?;
        open.matched |= matched;
        match recorded(event) {
            Some(message) => open.keep(message, memory),
            // Whether its conversation was asked for is known when that is over.
            None => open.put_off(skipped(event), memory),
        }
    }

    fn conversation(&mut self, conversation: &Conversation) -> Result<(), RecordingTooLarge> {
        self.recorder.end(conversation.id, || {
            Ok(Ended {
                other_view: conversation.peer_view,
                state: conversation.state,
                client_id: conversation.client_id,
                server_id: conversation.server_id,
            })
        })
    }
}

/// The message as it is kept; `None` if it is not played.
fn recorded(event: &MessageEvent<'_>) -> Option<RecordedMessage> {
    let RawMessage::Frame(frame) = &event.message else {
        return None;
    };
    let (direction, effect) = (event.direction?, effect(event.meaning.kind())?);
    Some(RecordedMessage {
        number: event.number,
        time: event.time,
        direction,
        frame_type: frame.frame_type,
        id: frame.id,
        payload: Bytes::copy_from_slice(frame.payload),
        effect,
    })
}

fn skipped(event: &MessageEvent<'_>) -> Skipped {
    Skipped {
        number: Some(event.number),
        conversation: event.conversation,
        reason: reason(Some(event.message.kind()), event.conversation),
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
