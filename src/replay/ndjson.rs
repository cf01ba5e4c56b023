//! A recording from what `ministream-dump -T ndjson` wrote.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use serde_json::Value;

use super::recording::{
    Effect, MAX_RECORDING_BYTES, MidStream, RecordedConversation, RecordedMessage, Recording,
    SkipReason, Skipped, Wanted,
};
use crate::conversation::{ConversationId, State};
use crate::time::Timestamp;
use crate::wire::{Direction, FrameType, StreamId};

/// The longest line that is read: a message of the largest size in hex and text
/// takes less than a tenth of it.
const MAX_LINE_BYTES: u64 = 16 << 20;

/// Why NDJSON is no recording.
#[derive(Debug, thiserror::Error)]
pub enum NdjsonError {
    /// It cannot be read.
    #[error("cannot read")]
    Read(#[from] io::Error),
    /// A line is not JSON.
    #[error("line {line}: not JSON")]
    Json {
        /// From 1.
        line: u64,
        /// What the parser says.
        source: serde_json::Error,
    },
    /// A line is longer than any record.
    #[error("line {line} is longer than {MAX_LINE_BYTES} bytes")]
    LineTooLong {
        /// From 1.
        line: u64,
    },
    /// A record lacks a field, or it is of another kind.
    #[error("line {line}: {field} is missing or not what it should be")]
    Field {
        /// From 1.
        line: u64,
        /// The field's name.
        field: &'static str,
    },
    /// The first line is not the header of a dump.
    #[error("not written by ministream-dump -T ndjson: no header of schema ministream.dump/1")]
    NotADump,
    /// It holds more than can be kept.
    #[error(
        "the recording holds more than {MAX_RECORDING_BYTES} bytes; pick conversations with --conv"
    )]
    TooLarge,
}

/// Reads NDJSON into a [`Recording`].
#[derive(Debug)]
pub struct NdjsonReader<R> {
    input: R,
    wanted: Wanted,
    line: u64,
    messages: BTreeMap<ConversationId, Vec<RecordedMessage>>,
    recording: Recording,
    held_bytes: u64,
}

impl<R: BufRead> NdjsonReader<R> {
    /// A reader at the first line.
    pub fn new(input: R, wanted: Wanted) -> Self {
        Self {
            input,
            wanted,
            line: 0,
            messages: BTreeMap::new(),
            recording: Recording::default(),
            held_bytes: 0,
        }
    }

    /// Reads to the end.
    ///
    /// # Errors
    /// It cannot be read, or is not what the dump writes.
    pub fn read(mut self) -> Result<Recording, NdjsonError> {
        let header = self.next_record()?.ok_or(NdjsonError::NotADump)?;
        if header.get("schema").and_then(Value::as_str) != Some("ministream.dump/1") {
            return Err(NdjsonError::NotADump);
        }
        while let Some(record) = self.next_record()? {
            match record.get("record").and_then(Value::as_str) {
                Some("message") => self.message(&record)?,
                Some("conversation") => self.conversation(&record)?,
                // Findings, the summary, and what later versions add.
                _ => {}
            }
        }
        self.recording
            .conversations
            .sort_by_key(|conversation| conversation.id);
        Ok(self.recording)
    }

    fn next_record(&mut self) -> Result<Option<Value>, NdjsonError> {
        let mut text = Vec::new();
        loop {
            text.clear();
            self.line += 1;
            let line = self.line;
            let read =
                io::Read::take(&mut self.input, MAX_LINE_BYTES).read_until(b'\n', &mut text)?;
            if read == 0 {
                return Ok(None);
            }
            if read as u64 == MAX_LINE_BYTES && text.last() != Some(&b'\n') {
                return Err(NdjsonError::LineTooLong { line });
            }
            if text.trim_ascii().is_empty() {
                continue;
            }
            return match serde_json::from_slice(&text) {
                Ok(record) => Ok(Some(record)),
                Err(_) if line == 1 => Err(NdjsonError::NotADump),
                Err(source) => Err(NdjsonError::Json { line, source }),
            };
        }
    }

    fn missing(&self, field: &'static str) -> NdjsonError {
        NdjsonError::Field {
            line: self.line,
            field,
        }
    }

    fn message(&mut self, record: &Value) -> Result<(), NdjsonError> {
        let number = record["n"].as_u64().ok_or_else(|| self.missing("n"))?;
        let conversation = self.optional_conversation(record, "conv")?;
        if let Some(named) = &self.wanted.named
            && !conversation.is_some_and(|id| named.contains(&id))
        {
            return Ok(());
        }
        let meaning = record["meaning"]
            .as_str()
            .ok_or_else(|| self.missing("meaning"))?;
        let (Some(id), Some(effect)) = (conversation, effect(meaning)) else {
            self.recording.skip(Skipped {
                number: Some(number),
                conversation,
                reason: reason(record, conversation),
            });
            return Ok(());
        };
        let Some(payload) = self.payload(record)? else {
            self.recording.skip(Skipped {
                number: Some(number),
                conversation,
                reason: SkipReason::PayloadMissing,
            });
            return Ok(());
        };
        self.held_bytes += payload.len() as u64;
        if self.held_bytes > MAX_RECORDING_BYTES {
            return Err(NdjsonError::TooLarge);
        }
        let message = RecordedMessage {
            number,
            time: self.time(record)?,
            direction: self.direction(record)?,
            frame_type: self.frame_type(record)?,
            id: self.id(record, "id")?.ok_or_else(|| self.missing("id"))?,
            payload: payload.into(),
            effect,
        };
        self.messages.entry(id).or_default().push(message);
        Ok(())
    }

    fn conversation(&mut self, record: &Value) -> Result<(), NdjsonError> {
        let id = self
            .optional_conversation(record, "conv")?
            .ok_or_else(|| self.missing("conv"))?;
        self.recording.last = self.recording.last.max(Some(id));
        let Some(messages) = self.messages.remove(&id) else {
            return Ok(());
        };
        let state = record["state"]
            .as_str()
            .and_then(|name| State::ALL.into_iter().find(|state| state.name() == name))
            .ok_or_else(|| self.missing("state"))?;
        let other_view = self.optional_conversation(record, "peer_view")?;
        let named = self.wanted.named.as_ref();
        let second_view = other_view
            .is_some_and(|other| other < id && named.is_none_or(|named| named.contains(&other)));
        let reason = match state {
            _ if second_view => Some(SkipReason::SecondView),
            State::MidStream if self.wanted.mid_stream == MidStream::Skip => {
                Some(SkipReason::MidStream)
            }
            State::SynSent | State::NoAnswer => Some(SkipReason::Unanswered),
            _ => None,
        };
        if let Some(reason) = reason {
            self.recording.skip(Skipped {
                number: None,
                conversation: Some(id),
                reason,
            });
            return Ok(());
        }
        let conversation = RecordedConversation {
            id,
            client_id: self.id(record, "client_id")?.map(crate::wire::ClientId),
            server_id: self.id(record, "server_id")?.map(crate::wire::ServerId),
            state,
            messages,
        };
        self.recording.conversations.push(conversation);
        Ok(())
    }

    fn optional_conversation(
        &self,
        record: &Value,
        field: &'static str,
    ) -> Result<Option<ConversationId>, NdjsonError> {
        match &record[field] {
            Value::Null => Ok(None),
            Value::String(name) => name
                .strip_prefix('c')
                .and_then(|number| number.parse().ok())
                .map(|number| Some(ConversationId(number)))
                .ok_or_else(|| self.missing(field)),
            _ => Err(self.missing(field)),
        }
    }

    /// The payload, if all of it was written.
    fn payload(&self, record: &Value) -> Result<Option<Vec<u8>>, NdjsonError> {
        let whole = record["payload_bytes"]
            .as_u64()
            .ok_or_else(|| self.missing("payload_bytes"))?;
        let Some(digits) = record["payload_hex"].as_str() else {
            return Ok((whole == 0).then(Vec::new));
        };
        let bytes = hex::decode(digits).map_err(|_| self.missing("payload_hex"))?;
        Ok((bytes.len() as u64 == whole).then_some(bytes))
    }

    /// Microseconds since the start; the zero of the clock does not matter.
    fn time(&self, record: &Value) -> Result<Timestamp, NdjsonError> {
        record["t_us"]
            .as_i64()
            .map(|micros| Timestamp::from_nanos(micros.saturating_mul(1_000)))
            .ok_or_else(|| self.missing("t_us"))
    }

    fn direction(&self, record: &Value) -> Result<Direction, NdjsonError> {
        match record["dir"].as_str() {
            Some("c2s") => Ok(Direction::ClientToServer),
            Some("s2c") => Ok(Direction::ServerToClient),
            _ => Err(self.missing("dir")),
        }
    }

    fn frame_type(&self, record: &Value) -> Result<FrameType, NdjsonError> {
        record["type_byte"]
            .as_u64()
            .and_then(|byte| u8::try_from(byte).ok())
            .map(FrameType)
            .ok_or_else(|| self.missing("type_byte"))
    }

    fn id(&self, record: &Value, field: &'static str) -> Result<Option<StreamId>, NdjsonError> {
        match &record[field] {
            Value::Null => Ok(None),
            Value::String(digits) => digits.parse().map(Some).map_err(|_| self.missing(field)),
            _ => Err(self.missing(field)),
        }
    }
}

fn effect(meaning: &str) -> Option<Effect> {
    match meaning {
        "opens" => Some(Effect::Opened),
        "accepts" => Some(Effect::Accepted),
        "refuses" => Some(Effect::Refused),
        "carries" => Some(Effect::Carried),
        "closes" | "closes_again" => Some(Effect::Closed),
        "ignored" => Some(Effect::Ignored),
        _ => None,
    }
}

fn reason(record: &Value, conversation: Option<ConversationId>) -> SkipReason {
    match (record["type"].as_str(), conversation) {
        (Some("ping"), _) => SkipReason::Ping,
        (Some("chaff"), _) => SkipReason::Chaff,
        (Some("unknown"), _) => SkipReason::UnknownType,
        (Some("short"), _) => SkipReason::TooShort,
        (_, Some(_)) => SkipReason::WrongDirection,
        (_, None) => SkipReason::Orphan,
    }
}
