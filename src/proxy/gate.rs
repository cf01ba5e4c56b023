//! The gate for messages: each is dissected, shown to the sink, and tried by the rules.

use std::time::Instant;

use bytes::Bytes;

use super::ConnectionId;
use super::connection::Known;
use super::holds::Holds;
use super::recent::Recent;
use super::rule::{Action, KnownIds, Rules};

use crate::conversation::{Conversation, ConversationId, Finding, Meaning, MessageEvent};
use crate::dissect::{FlowReport, Sink};
use crate::wire::{Direction, FrameKind, MessageKind, RawMessage};

/// Stands before a sink for the time of one message.
pub(super) struct Gate<'a, S> {
    pub(super) sink: &'a mut S,
    pub(super) rules: &'a mut Rules,
    pub(super) known: &'a mut Known,
    pub(super) holds: Option<&'a mut Holds>,
    pub(super) recent: Option<&'a mut Recent>,
    pub(super) now: Instant,
    pub(super) connection: ConnectionId,
    /// Whether the message's bytes are wanted: they are known already where they are no frame's.
    pub(super) copies: Copies,
    pub(super) seen: Vec<Seen>,
    /// Conversations that ended, or had ended before a message of them that is late: nobody says so
    /// again.
    pub(super) ended: Vec<ConversationId>,
}

/// Whether a gate keeps the bytes of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Copies {
    Wanted,
    NotWanted,
}

/// A message that was looked at.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) conversation: Option<ConversationId>,
    pub(super) direction: Option<Direction>,
    pub(super) kind: MessageKind,
    /// Bytes of the conversation's stream that it carries.
    pub(super) stream_bytes: usize,
    pub(super) is_ours: bool,
    pub(super) ids: KnownIds,
    pub(super) rule: Option<Matched>,
    /// The bytes, if they were wanted.
    pub(super) bytes: Bytes,
}

/// A rule that holds for a message.
#[derive(Clone, Debug)]
pub(super) struct Matched {
    /// Its number, from 1.
    pub(super) number: usize,
    pub(super) actions: Vec<Action>,
}

impl<S: Sink> Sink for Gate<'_, S> {
    type Error = S::Error;

    fn flow(&mut self, flow: &FlowReport) -> Result<(), S::Error> {
        self.sink.flow(flow)
    }

    fn message(&mut self, event: &MessageEvent<'_>) -> Result<(), S::Error> {
        let late = event.conversation;
        self.ended
            .extend(late.filter(|id| self.known.is_forgotten(*id)));
        let ids = self
            .known
            .learn(self.connection, event.conversation, &event.message);
        let rule = self.rules.first(event).map(|(number, rule)| Matched {
            number,
            actions: rule.actions.clone(),
        });
        if let Some(recent) = &mut self.recent {
            recent.add(self.now, event, rule.as_ref().map(|rule| rule.number));
        }
        if let Some(holds) = &mut self.holds {
            holds.look_at(self.connection, event);
        }
        self.seen.push(Seen {
            conversation: event.conversation,
            direction: event.direction,
            kind: event.message.kind(),
            stream_bytes: match event.message.frame() {
                Some(frame) if frame.frame_type.kind() == FrameKind::Data => frame.payload.len(),
                _ => 0,
            },
            is_ours: event.meaning != Meaning::Meaningless,
            ids,
            rule,
            bytes: match self.copies {
                Copies::Wanted => bytes_of(&event.message),
                Copies::NotWanted => Bytes::new(),
            },
        });
        self.sink.message(event)
    }

    fn finding(&mut self, finding: &Finding) -> Result<(), S::Error> {
        self.sink.finding(finding)
    }

    fn conversation(&mut self, conversation: &Conversation) -> Result<(), S::Error> {
        self.ended.push(conversation.id);
        self.sink.conversation(conversation)
    }
}

fn bytes_of(message: &RawMessage<'_>) -> Bytes {
    let mut bytes = Vec::new();
    match message {
        RawMessage::Frame(frame) => frame.encode(&mut bytes),
        other => bytes.extend(crate::field::short_message(other).unwrap_or_default()),
    }
    bytes.into()
}
