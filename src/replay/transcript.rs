//! The messages of a conversation, kept for pictures of it.

use std::time::Duration;

use bytes::Bytes;

use crate::wire::{Direction, FrameType, StreamId};

/// Messages that a transcript holds at most; further ones are counted.
pub const MAX_TRANSCRIPT_MESSAGES: usize = 300;

/// Bytes of a payload that are kept of each message.
pub const MAX_TRANSCRIPT_PAYLOAD: usize = 256;

/// Whether transcripts are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transcripts {
    /// They are not.
    #[default]
    Dropped,
    /// The first [`MAX_TRANSCRIPT_MESSAGES`] of every conversation are.
    Kept,
}

/// The messages of one conversation in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// The first ones.
    pub messages: Vec<TranscriptMessage>,
    /// Further ones, which are not kept.
    pub messages_left_out: u64,
}

/// One message of a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscriptMessage {
    /// When, from the first message on.
    pub after: Duration,
    /// Its direction.
    pub direction: Direction,
    /// Its type.
    pub frame_type: FrameType,
    /// Its id.
    pub id: StreamId,
    /// The beginning of its payload, up to [`MAX_TRANSCRIPT_PAYLOAD`] bytes.
    pub payload: Bytes,
    /// Bytes of the whole payload.
    pub payload_bytes: usize,
}

/// A conversation as it was recorded, and as it was played.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    /// The recorded messages.
    pub recorded: Transcript,
    /// The live messages.
    pub live: Transcript,
}

impl Transcript {
    /// Adds a message, or counts it; gives the bytes that it takes in memory, about.
    pub(super) fn push(
        &mut self,
        after: Duration,
        direction: Direction,
        frame_type: FrameType,
        id: StreamId,
        payload: &[u8],
    ) -> usize {
        if self.messages.len() >= MAX_TRANSCRIPT_MESSAGES {
            self.messages_left_out += 1;
            return 0;
        }
        let kept = &payload[..payload.len().min(MAX_TRANSCRIPT_PAYLOAD)];
        self.messages.push(TranscriptMessage {
            after,
            direction,
            frame_type,
            id,
            payload: Bytes::copy_from_slice(kept),
            payload_bytes: payload.len(),
        });
        size_of::<TranscriptMessage>() + kept.len()
    }

    /// Bytes that it takes in memory, about.
    pub fn held_bytes(&self) -> usize {
        let payloads = self.messages.iter().map(|message| message.payload.len());
        self.messages.len() * size_of::<TranscriptMessage>() + payloads.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transcript_keeps_the_beginning_of_everything_and_counts_the_rest() {
        let mut transcript = Transcript::default();
        let payload = [b'x'; MAX_TRANSCRIPT_PAYLOAD + 1];
        for _ in 0..MAX_TRANSCRIPT_MESSAGES + 2 {
            let id = StreamId([1, 1, 1]);
            let direction = Direction::ClientToServer;
            transcript.push(Duration::ZERO, direction, FrameType::SYN, id, &payload);
        }
        assert_eq!(transcript.messages.len(), MAX_TRANSCRIPT_MESSAGES);
        assert_eq!(transcript.messages_left_out, 2);
        let message = &transcript.messages[0];
        assert_eq!(message.payload.len(), MAX_TRANSCRIPT_PAYLOAD);
        assert_eq!(message.payload_bytes, MAX_TRANSCRIPT_PAYLOAD + 1);
    }
}
