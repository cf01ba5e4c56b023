//! A recording from the output of `ministream-dump -T ndjson`.
//!
//! `record::RecordReader` reads records as well: into all that a dissection reports, for which each key has to be
//! there. A recording needs few of them, so that here records without payloads will do (their messages are
//! skipped), those that people wrote with nothing but what is played, and those of later versions, whose kinds of
//! records, meanings and findings nobody here knows.

use std::io::BufRead;

use super::memory::{MAX_RECORDING_BYTES, Memory, RecordingTooLarge};
use super::recorder::{Ended, Recorder, effect, reason};
use super::recording::{RecordedMessage, Recording, SkipReason, Skipped, Wanted};
use crate::columns::{Field, of_conversation};
use crate::conversation::{ConversationState, MeaningKind};
use crate::ndjson::{NdjsonError, RecordLine, RecordLines};
use crate::time::Timestamp;
use crate::wire::{ClientId, FrameType, MessageKind, ServerId};

/// Reads NDJSON into a [`Recording`].
#[derive(Debug)]
pub struct NdjsonReader<R> {
    lines: RecordLines<R>,
    recorder: Recorder,
}

impl<R: BufRead> NdjsonReader<R> {
    /// A reader at the first line.
    pub fn new(input: R, wanted: Wanted) -> Self {
        Self::within(Memory::up_to(MAX_RECORDING_BYTES), input, wanted)
    }

    pub(super) fn within(memory: Memory, input: R, wanted: Wanted) -> Self {
        Self {
            lines: RecordLines::new(input),
            recorder: Recorder::within(memory, wanted),
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
        Ok(self.recorder.into_recording())
    }

    fn message(&mut self, record: &RecordLine) -> Result<(), NdjsonError> {
        let number = record.count(Field::N.name())?;
        let conversation = record.conversation(Field::Conv.name())?;
        if !self.recorder.wants(conversation) {
            return Ok(());
        }
        // There is no filter: what is skipped was asked for, and is reported even if the record of its
        // conversation does not come, as where records end early.
        let mut skip = |reason| {
            self.recorder.skip(Skipped {
                number: Some(number),
                conversation,
                reason,
            });
            Ok(())
        };
        let meaning = record.text(Field::Meaning.name())?;
        let (Some(id), Some(effect)) = (conversation, MeaningKind::named(meaning).and_then(effect))
        else {
            let kind = record.text(Field::Type.name()).ok();
            return skip(reason(kind.and_then(MessageKind::named), conversation));
        };
        let Some(payload) = record.payload()? else {
            return skip(SkipReason::PayloadMissing);
        };
        let message = RecordedMessage {
            number,
            // The zero of the clock does not matter.
            time: Timestamp::from_nanos(record.micros(Field::TUs.name())?.saturating_mul(1_000)),
            direction: record.required_direction()?,
            frame_type: FrameType(record.type_byte()?),
            id: record.parsed(Field::Id.name())?,
            payload: payload.into(),
            effect,
        };
        Ok(self.recorder.keep(id, message)?)
    }

    fn conversation(&mut self, record: &RecordLine) -> Result<(), NdjsonError> {
        let id = record.parsed(of_conversation::CONV)?;
        self.recorder.end(id, || {
            Ok(Ended {
                state: record.named(of_conversation::STATE, ConversationState::named)?,
                other_view: record.conversation(of_conversation::PEER_VIEW)?,
                client_id: record.id(of_conversation::CLIENT_ID)?.map(ClientId),
                server_id: record.id(of_conversation::SERVER_ID)?.map(ServerId),
            })
        })
    }
}

impl From<RecordingTooLarge> for NdjsonError {
    fn from(RecordingTooLarge: RecordingTooLarge) -> Self {
        Self::TooLarge {
            most: MAX_RECORDING_BYTES,
        }
    }
}
