//! The parts of a capture that are kept until the page is written.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::data::put_message;
use super::foremost::Foremost;
use super::histogram::Distribution;
use super::picture::{Over, Picture, Row};
use super::timeline::Timeline;
use crate::conversation::{ConversationId, Finding, Level, MessageEvent};
use crate::field::payload;
use crate::report::heading::Heading;
use crate::report::ladder::message_log::{Limits, MessageLogs};
use crate::report::ladder::{info, label};
use crate::report::statistics::FindingTable;
use crate::report::style::{Style, TimeWriter};
use crate::text::write::text_of;

/// Conversations that have a ladder and their bytes in the page.
pub const MAX_CONVERSATIONS: usize = 200;

/// Conversations in the table.
pub const MAX_ROWS: usize = 10_000;

/// Findings in the list.
pub const MAX_FINDINGS: usize = 1_000;

/// Messages shown that belong to no conversation.
pub const MAX_LOOSE: usize = 200;

/// Messages that all ladders hold together.
pub const MAX_MESSAGES: usize = 20_000;

/// Payload bytes in the page.
pub const MAX_PAGE_PAYLOAD_BYTES: usize = 8 << 20;

pub(super) const LIMITS: Limits = Limits {
    messages: 1_000,
    message_bytes: 64 << 10,
    conversation_bytes: 64 << 10,
    messages_held: 200_000,
    bytes_held: 64 << 20,
    finding_bytes_held: 64 << 20,
};

/// The rank of a conversation: the worst findings, then the order of the capture.
pub(super) type Rank = (Reverse<Option<Level>>, ConversationId);

/// The contents of the page.
#[derive(Debug)]
pub(super) struct Collected {
    pub(super) style: Style,
    pub(super) heading: Heading,
    pub(super) logs: MessageLogs,
    pub(super) pictured: Foremost<Rank, Over>,
    pub(super) rows: Foremost<Rank, Row>,
    pub(super) findings: Foremost<(Reverse<Level>, u64), Finding>,
    pub(super) finding_table: FindingTable,
    pub(super) loose: Loose,
    pub(super) timeline: Timeline,
    pub(super) handshakes: Distribution,
    pub(super) lives: Distribution,
}

/// Messages that belong to no conversation, as the page shows them.
#[derive(Debug, Default)]
pub(super) struct Loose {
    pub(super) shown: Vec<LooseMessage>,
    pub(super) seen: u64,
}

#[derive(Debug)]
pub(super) struct LooseMessage {
    pub(super) number: u64,
    pub(super) time: String,
    pub(super) label: String,
    pub(super) info: String,
    pub(super) json: Vec<u8>,
}

impl Collected {
    pub(super) fn new(style: Style) -> Self {
        Self {
            style,
            heading: Heading::default(),
            logs: MessageLogs::new(LIMITS),
            pictured: Foremost::new(MAX_CONVERSATIONS),
            rows: Foremost::new(MAX_ROWS),
            findings: Foremost::new(MAX_FINDINGS),
            finding_table: FindingTable::new(style),
            loose: Loose::default(),
            timeline: Timeline::default(),
            handshakes: Distribution::default(),
            lives: Distribution::default(),
        }
    }

    /// The ladders that the page has room for, in the order of the capture.
    pub(super) fn pictures(&self) -> Vec<Picture<'_>> {
        let over: BTreeMap<ConversationId, &Over> = self
            .pictured
            .values()
            .map(|over| (over.conversation.id, over))
            .collect();
        let mut drawn = BTreeSet::new();
        let (mut messages, mut bytes) = (0, 0);
        let mut pictures = Vec::new();
        for first in self.pictured.values() {
            if drawn.contains(&first.conversation.id) {
                continue;
            }
            let peer = first.conversation.peer_view;
            let other = peer.and_then(|peer| over.get(&peer)).copied();
            let both = || std::iter::once(first).chain(other);
            let more_messages: usize = both().map(|over| over.log.messages().len()).sum();
            let more_bytes: usize = both().map(|over| over.log.kept_bytes()).sum();
            if messages + more_messages > MAX_MESSAGES
                || bytes + more_bytes > MAX_PAGE_PAYLOAD_BYTES
            {
                continue;
            }
            messages += more_messages;
            bytes += more_bytes;
            drawn.extend(both().map(|over| over.conversation.id));
            pictures.push(Picture::new(first, other, &self.style));
        }
        pictures.sort_unstable_by_key(Picture::id);
        pictures
    }
}

impl Loose {
    pub(super) fn message(&mut self, event: &MessageEvent<'_>, style: &Style) {
        self.seen += 1;
        if self.shown.len() >= MAX_LOOSE {
            return;
        }
        let payload_bytes = payload(&event.message).len();
        self.shown.push(LooseMessage {
            number: event.number,
            time: text_of(|out| TimeWriter::new(style.times).put(event, out)),
            label: label(event, payload_bytes, style),
            info: info(event, style),
            json: {
                let mut json = Vec::new();
                put_message(event, payload_bytes, style, &mut json);
                json
            },
        });
    }
}
