//! Steps out of a capture: messages of its clients, sent again.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::parse::DEFAULT_WITHIN;
use super::script::{Action, Expect, Expected, Id, Payload, Script, Step, Want};
use crate::allocation::ALLOCATION_BYTES;
use crate::conversation::{Conversation, ConversationId, MessageEvent};
use crate::dissect::Sink;
use crate::replay::memory::{MAX_RECORDING_BYTES, Memory, RecordingTooLarge, kept_bytes};
use crate::replay::options::IdPolicy;
use crate::wire::{Direction, FrameType, RawMessage, StreamId};

/// Collects from a dissection the messages that `matches` selects, except those
/// of servers, which are not ours to send.
#[derive(Debug)]
pub struct Taker<F> {
    matches: F,
    taken: Vec<Taken>,
    /// The accepting sessions' views of conversations that the capture has twice.
    second_views: BTreeSet<ConversationId>,
    memory: Memory,
    left_out: u64,
}

/// Memory of the step that sends a message: itself, its text, and the name of its id.
const STEP_BYTES: usize = 2 * size_of::<Step>() + 2 * ALLOCATION_BYTES;

/// One message.
#[derive(Debug)]
struct Taken {
    number: u64,
    conversation: Option<ConversationId>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Frame {
        frame_type: FrameType,
        id: StreamId,
        payload: Bytes,
    },
    /// Fewer than four bytes.
    Short(Bytes),
}

impl<F: FnMut(&MessageEvent<'_>) -> bool> Taker<F> {
    /// Nothing is taken yet.
    pub const fn new(matches: F) -> Self {
        Self::within(Memory::up_to(MAX_RECORDING_BYTES), matches)
    }

    pub(in crate::replay) const fn within(memory: Memory, matches: F) -> Self {
        Self {
            matches,
            taken: Vec::new(),
            second_views: BTreeSet::new(),
            memory,
            left_out: 0,
        }
    }

    /// Messages that matched and were a server's.
    pub const fn left_out_count(&self) -> u64 {
        self.left_out
    }

    /// The steps that send the taken messages, each with the number of its message as its line.
    /// Where ids are not raw, the first message that needs the id of a server waits for its ACK.
    /// `syn_payload` takes the place of the SYNs' payloads.
    pub fn script(&self, ids: IdPolicy, syn_payload: Option<&Payload>) -> Script {
        let mut writer = Writer {
            ids,
            syn_payload,
            opened: BTreeMap::new(),
            accepted: BTreeSet::new(),
            steps: Vec::new(),
        };
        let is_second = |id: &ConversationId| self.second_views.contains(id);
        for taken in &self.taken {
            if !taken.conversation.as_ref().is_some_and(is_second) {
                writer.add(taken);
            }
        }
        Script {
            steps: writer.steps,
        }
    }
}

impl<F: FnMut(&MessageEvent<'_>) -> bool> Sink for Taker<F> {
    type Error = RecordingTooLarge;

    fn message(&mut self, event: &MessageEvent<'_>) -> Result<(), RecordingTooLarge> {
        if !(self.matches)(event) {
            return Ok(());
        }
        if event.direction == Some(Direction::ServerToClient) {
            self.left_out += 1;
            return Ok(());
        }
        let content = match event.message {
            RawMessage::Frame(frame) => Content::Frame {
                frame_type: frame.frame_type,
                id: frame.id,
                payload: Bytes::copy_from_slice(frame.payload),
            },
            RawMessage::Ping => Content::Short(Bytes::from_static(&[FrameType::CHAFF.0])),
            RawMessage::Short(bytes) => Content::Short(Bytes::copy_from_slice(bytes)),
        };
        let (Content::Frame { payload: bytes, .. } | Content::Short(bytes)) = &content;
        self.memory.take(STEP_BYTES + kept_bytes(bytes))?;
        let taken = Taken {
            number: event.number,
            conversation: event.conversation,
            content,
        };
        self.memory.push(&mut self.taken, taken)
    }

    fn conversation(&mut self, conversation: &Conversation) -> Result<(), RecordingTooLarge> {
        if conversation
            .peer_view
            .is_some_and(|other| other < conversation.id)
        {
            self.second_views.insert(conversation.id);
        }
        Ok(())
    }
}

/// Writes steps for messages.
struct Writer<'a> {
    ids: IdPolicy,
    syn_payload: Option<&'a Payload>,
    /// The ids of the SYNs that are sent.
    opened: BTreeMap<ConversationId, Id>,
    /// Conversations whose ACK is waited for.
    accepted: BTreeSet<ConversationId>,
    steps: Vec<Step>,
}

impl Writer<'_> {
    fn add(&mut self, taken: &Taken) {
        match &taken.content {
            // An empty message has nothing in it that could be sent.
            Content::Short(bytes) if bytes.is_empty() => {}
            Content::Short(bytes) => {
                let text = format!("hex {}", hex::encode(bytes));
                self.push(taken.number, text, Action::Raw(bytes.clone()));
            }
            Content::Frame {
                frame_type,
                id,
                payload,
            } => {
                let id = self.live_id(taken, *frame_type, *id);
                let text = format!("{} {id} {} B", word(*frame_type), payload.len());
                let other = self.syn_payload.filter(|_| *frame_type == FrameType::SYN);
                let action = Action::Send {
                    frame_type: *frame_type,
                    id,
                    payload: other
                        .cloned()
                        .unwrap_or_else(|| Payload::Bytes(payload.clone())),
                };
                self.push(taken.number, text, action);
            }
        }
    }

    /// The id to send. A conversation whose SYN is not sent has none but the
    /// captured one.
    fn live_id(&mut self, taken: &Taken, frame_type: FrameType, captured: StreamId) -> Id {
        let Some(conversation) = taken.conversation.filter(|_| self.ids != IdPolicy::Raw) else {
            return Id::Literal(captured);
        };
        if frame_type == FrameType::SYN {
            let id = match self.ids {
                IdPolicy::Fresh => Id::Variable(format!("{conversation}c")),
                IdPolicy::Recorded | IdPolicy::Raw => Id::Literal(captured),
            };
            self.opened.insert(conversation, id.clone());
            return id;
        }
        let Some(client_id) = self.opened.get(&conversation).cloned() else {
            return Id::Literal(captured);
        };
        let server_id = format!("{conversation}s");
        if self.accepted.insert(conversation) {
            let text = format!("expect ack {client_id} -> ${server_id}");
            let expect = Expect {
                expected: Expected::Type(FrameType::ACK),
                id: client_id,
                bind: Some(server_id.clone()),
                want: Want::Anything,
                within: DEFAULT_WITHIN,
            };
            self.push(taken.number, text, Action::Expect(expect));
        }
        Id::Variable(server_id)
    }

    fn push(&mut self, number: u64, text: String, action: Action) {
        self.steps.push(Step {
            line: usize::try_from(number).unwrap_or(usize::MAX),
            text,
            action,
        });
    }
}

/// The step that sends this type.
fn word(frame_type: FrameType) -> String {
    match frame_type {
        FrameType::SYN => "syn".to_owned(),
        FrameType::CLIENT_DATA => "data".to_owned(),
        FrameType::CLIENT_CLOSE => "close".to_owned(),
        FrameType(byte) => format!("type:{byte:02x}"),
    }
}
