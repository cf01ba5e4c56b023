//! A recorded conversation, as a server plays it.

use std::time::Duration;

use bytes::Bytes;

use crate::conversation::ConversationId;
use crate::replay::compare::Masks;
use crate::replay::options::at_speed;
use crate::replay::recording::{Effect, RecordedConversation};
use crate::wire::{Direction, FrameKind, FrameType, HEADER_BYTES};

/// A recorded conversation from the server's side.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) id: ConversationId,
    pub(super) accepted: bool,
    /// The client's bytes, as one stream.
    pub(super) client_stream: Bytes,
    /// Bytes of that before the server first spoke.
    burst_bytes: usize,
    /// The server's messages after the opening.
    pub(super) steps: Vec<ScriptedMessage>,
    /// Number of times that it was played.
    pub(super) played: u64,
    /// So many of these to an address that may be forged.
    pub(super) doubtful: u64,
}

/// A message of the server.
#[derive(Clone, Debug)]
pub(super) struct ScriptedMessage {
    pub(super) frame_type: FrameType,
    pub(super) payload: Bytes,
    /// Bytes of the client that came before it.
    pub(super) gate: usize,
    /// Since the message before it, whoever sent that.
    pub(super) delay: Duration,
}

impl ScriptedMessage {
    /// Its length as a message.
    pub(super) fn message_bytes(&self) -> usize {
        HEADER_BYTES + self.payload.len()
    }

    /// Whether it is a close without payload, for which there is always room.
    pub(super) fn is_bare_close(&self) -> bool {
        self.frame_type.kind() == FrameKind::Close && self.payload.is_empty()
    }
}

impl Script {
    pub(super) fn new(recorded: &RecordedConversation, speed: Option<f64>) -> Self {
        let mut stream = Vec::new();
        let mut steps = Vec::new();
        let mut accepted = false;
        let mut previous = None;
        for message in &recorded.messages {
            let since = previous.replace(message.time).map_or(0, |time| {
                u64::try_from(message.time.nanos_since(time)).unwrap_or(0)
            });
            accepted |= message.effect == Effect::Accepted;
            match (message.direction, message.effect) {
                (_, Effect::Opened | Effect::Accepted | Effect::Refused) => {}
                (Direction::ClientToServer, Effect::Carried) => {
                    stream.extend_from_slice(&message.payload);
                }
                (Direction::ClientToServer, _) => {}
                (Direction::ServerToClient, _) => steps.push(ScriptedMessage {
                    frame_type: message.frame_type,
                    payload: message.payload.clone(),
                    gate: stream.len(),
                    delay: speed.map_or(Duration::ZERO, |speed| {
                        at_speed(Duration::from_nanos(since), speed)
                    }),
                }),
            }
        }
        let mut gates = steps.iter().map(|step| step.gate);
        let burst_bytes = gates.find(|gate| *gate > 0);
        Self {
            id: recorded.id,
            accepted,
            burst_bytes: burst_bytes.unwrap_or(stream.len()),
            client_stream: stream.into(),
            steps,
            played: 0,
            doubtful: 0,
        }
    }

    /// Whether the server has something to say before the client.
    pub(super) fn speaks_first(&self) -> bool {
        self.steps.first().is_some_and(|step| step.gate == 0)
    }

    /// Whether these bytes are, under masks, all that the client sent before the server first
    /// spoke.
    pub(super) fn is_same_under(&self, masks: &mut Masks, received: &[u8]) -> bool {
        masks.are_equal(Direction::ClientToServer, self.first_burst(), received)
    }

    /// The client's bytes before the server's first message.
    pub(super) fn first_burst(&self) -> &[u8] {
        &self.client_stream[..self.burst_bytes]
    }
}
