//! A recording from the output of `ministream-dump -T ndjson`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::BufRead;

use super::memory::{MAX_RECORDING_BYTES, Memory, RecordingTooLarge, kept_bytes};
use super::recording::{
    RecordedConversation, RecordedMessage, Recording, SkipReason, Skipped, Wanted, effect,
    memory_bytes, reason,
};
use crate::allocation::ALLOCATION_BYTES;
use crate::conversation::{ConversationId, ConversationState, MeaningKind};
use crate::ndjson::{NdjsonError, RecordLine, RecordLines};
use crate::time::Timestamp;
use crate::wire::{FrameType, MessageKind};

/// Memory of a conversation that is read, beside its messages: in a search tree, whose nodes are half empty.
const OPEN_BYTES: usize =
    2 * size_of::<(ConversationId, Vec<RecordedMessage>)>() + ALLOCATION_BYTES;

/// Reads NDJSON into a [`Recording`].
#[derive(Debug)]
pub struct NdjsonReader<R> {
    lines: RecordLines<R>,
    wanted: Wanted,
    messages: BTreeMap<ConversationId, Vec<RecordedMessage>>,
    recording: Recording,
    memory: Memory,
}

impl<R: BufRead> NdjsonReader<R> {
    /// A reader at the first line.
    pub fn new(input: R, wanted: Wanted) -> Self {
        Self::within(Memory::up_to(MAX_RECORDING_BYTES), input, wanted)
    }

    pub(super) fn within(memory: Memory, input: R, wanted: Wanted) -> Self {
        Self {
            lines: RecordLines::new(input),
            wanted,
            messages: BTreeMap::new(),
            recording: Recording::default(),
            memory,
        }
    }

    /// Reads to the end.
    ///
    /// # Errors
    /// It cannot be read, or is no output of the dump.
    pub fn read(mut self) -> Result<Recording, NdjsonError> {
        self.lines.header()?;
        while let Some(record) = self.lines.next_record()? {
            match record.kind() {
                "message" => self.message(&record)?,
                "conversation" => self.conversation(&record)?,
                // Findings, the summary, and additions of later versions.
                _ => {}
            }
        }
        self.recording
            .conversations
            .sort_by_key(|conversation| conversation.id);
        Ok(self.recording)
    }

    fn message(&mut self, record: &RecordLine) -> Result<(), NdjsonError> {
        let number = record.count("n")?;
        let conversation = record.conversation("conv")?;
        if self.wanted.named.is_some() && !conversation.is_some_and(|id| self.wanted.names(id)) {
            return Ok(());
        }
        let meaning = record.text("meaning")?;
        let (Some(id), Some(effect)) = (conversation, MeaningKind::named(meaning).and_then(effect))
        else {
            let kind = record.text("type").ok().and_then(MessageKind::named);
            self.recording.skip(Skipped {
                number: Some(number),
                conversation,
                reason: reason(kind, conversation),
            });
            return Ok(());
        };
        let Some(payload) = record.payload()? else {
            self.recording.skip(Skipped {
                number: Some(number),
                conversation,
                reason: SkipReason::PayloadMissing,
            });
            return Ok(());
        };
        let message = RecordedMessage {
            number,
            // The zero of the clock does not matter.
            time: Timestamp::from_nanos(record.micros("t_us")?.saturating_mul(1_000)),
            direction: record.direction()?.ok_or_else(|| record.invalid("dir"))?,
            frame_type: FrameType(record.type_byte()?),
            id: record.id("id")?.ok_or_else(|| record.invalid("id"))?,
            payload: payload.into(),
            effect,
        };
        Ok(self.keep(id, message)?)
    }

    fn keep(
        &mut self,
        id: ConversationId,
        message: RecordedMessage,
    ) -> Result<(), RecordingTooLarge> {
        let messages = match self.messages.entry(id) {
            Entry::Occupied(messages) => messages.into_mut(),
            Entry::Vacant(place) => {
                self.memory.take(OPEN_BYTES)?;
                place.insert(Vec::new())
            }
        };
        self.memory.take(kept_bytes(&message.payload))?;
        self.memory.push(messages, message)
    }

    fn conversation(&mut self, record: &RecordLine) -> Result<(), NdjsonError> {
        let id = record
            .conversation("conv")?
            .ok_or_else(|| record.invalid("conv"))?;
        self.recording.last = self.recording.last.max(Some(id));
        let Some(mut messages) = self.messages.remove(&id) else {
            return Ok(());
        };
        self.memory.give_back(OPEN_BYTES + memory_bytes(&messages));
        let state = record.named("state", ConversationState::named)?;
        let other_view = record.conversation("peer_view")?;
        if let Some(reason) = self.wanted.reason_against(id, other_view, state) {
            self.recording.skip(Skipped {
                number: None,
                conversation: Some(id),
                reason,
            });
            return Ok(());
        }
        messages.shrink_to_fit();
        self.memory.take(memory_bytes(&messages))?;
        let conversation = RecordedConversation {
            id,
            client_id: record.id("client_id")?.map(crate::wire::ClientId),
            server_id: record.id("server_id")?.map(crate::wire::ServerId),
            state,
            messages,
        };
        let conversations = &mut self.recording.conversations;
        Ok(self.memory.push(conversations, conversation)?)
    }
}

impl From<RecordingTooLarge> for NdjsonError {
    fn from(RecordingTooLarge: RecordingTooLarge) -> Self {
        Self::TooLarge {
            most: MAX_RECORDING_BYTES,
        }
    }
}
