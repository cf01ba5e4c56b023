//! Conversations whose own records are not there yet: what their messages say of them so far.

use std::collections::BTreeMap;
use std::io;

use crate::conversation::{
    Conversation, ConversationId, ConversationState, Finding, Meaning, MeaningKind, MessageEvent,
    Party, Tally,
};
use crate::dissect::Sink;
use crate::field::payload;
use crate::number_set::NumberSet;
use crate::wire::Direction;

/// Gives another sink what passes, and at the end, if that is asked for, the conversations whose
/// records have not come: none where messages are missing, as in what a filter selected, because
/// those that are left do not tell a state.
pub(super) struct Unfinished<'a, S> {
    sink: &'a mut S,
    conversations: BTreeMap<ConversationId, Conversation>,
    /// The conversations whose records have come; messages may come late.
    over: NumberSet,
    /// The number of the latest message while none was missing.
    latest: Option<u64>,
}

impl<'a, S: Sink<Error = io::Error>> Unfinished<'a, S> {
    pub(super) fn before(sink: &'a mut S) -> Self {
        Self {
            sink,
            conversations: BTreeMap::new(),
            over: NumberSet::default(),
            latest: Some(0),
        }
    }

    /// Adds a message to what is known of its conversation.
    fn note(&mut self, event: &MessageEvent<'_>) {
        // Messages of a capture are numbered from 1 without a gap.
        self.latest = self
            .latest
            .and_then(|latest| latest.checked_add(1))
            .filter(|&next| next == event.number);
        if self.latest.is_none() {
            self.conversations.clear();
            return;
        }
        let Some(id) = event.conversation.filter(|id| !self.over.contains(id.0)) else {
            return;
        };
        let before = self.conversations.remove(&id);
        let after = with_message(id, before, event);
        self.conversations.insert(id, after);
    }

    /// Reports the conversations whose records have not come.
    pub(super) fn report(self) -> io::Result<()> {
        let mut conversations = self.conversations.into_values();
        conversations.try_for_each(|conversation| self.sink.conversation(&conversation))
    }
}

impl<S: Sink<Error = io::Error>> Sink for Unfinished<'_, S> {
    type Error = io::Error;

    fn message(&mut self, event: &MessageEvent<'_>) -> io::Result<()> {
        self.note(event);
        self.sink.message(event)
    }

    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        let conversation = finding.conversation.as_ref();
        if let Some(about) = conversation.and_then(|id| self.conversations.get_mut(id)) {
            about.finding_count += 1;
        }
        self.sink.finding(finding)
    }

    fn conversation(&mut self, conversation: &Conversation) -> io::Result<()> {
        self.conversations.remove(&conversation.id);
        self.over.insert(conversation.id.0);
        self.sink.conversation(conversation)
    }

    fn wants_more(&self) -> bool {
        self.sink.wants_more()
    }
}

/// A conversation with one message more, of which it may be the first.
fn with_message(
    id: ConversationId,
    before: Option<Conversation>,
    event: &MessageEvent<'_>,
) -> Conversation {
    let kind = event.meaning.kind();
    let state = before.as_ref().map(|before| before.state);
    let state = ConversationState::after(state, kind, event.direction);
    let mut conversation = before.unwrap_or_else(|| first(id, state, event));
    conversation.state = state;
    if kind == MeaningKind::Ignored || kind == MeaningKind::Meaningless {
        return conversation;
    }
    conversation.end = event.time;
    match event.meaning {
        Meaning::Accepts { handshake_ns, .. } => {
            conversation.handshake_ns = conversation.handshake_ns.or(handshake_ns);
        }
        Meaning::Carries => {
            let tally = match event.direction {
                Some(Direction::ServerToClient) => &mut conversation.s2c,
                _ => &mut conversation.c2s,
            };
            tally.message_count += 1;
            tally.payload_bytes += payload(&event.message).len() as u64;
            if state != ConversationState::MidStream {
                let since_syn = event.time.nanos_since(conversation.start);
                conversation.first_byte_ns.get_or_insert(since_syn);
            }
        }
        _ => {}
    }
    conversation
}

fn first(id: ConversationId, state: ConversationState, event: &MessageEvent<'_>) -> Conversation {
    let party = |address| Party {
        address,
        nickname: None,
        hash: None,
    };
    let (client, server) = match event.direction {
        Some(Direction::ServerToClient) => (event.target, event.source),
        _ => (event.source, event.target),
    };
    Conversation {
        id,
        carrier: event.carrier,
        client: party(client),
        server: party(server),
        client_id: None,
        server_id: None,
        state,
        start: event.time,
        start_us: event.elapsed_us,
        end: event.time,
        handshake_ns: None,
        first_byte_ns: None,
        c2s: Tally::default(),
        s2c: Tally::default(),
        finding_count: 0,
        peer_view: None,
        router: None,
    }
}
