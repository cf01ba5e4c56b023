//! Events apart from messages, until they are polled.

use std::collections::VecDeque;

use super::super::event::Conversation;
use super::super::finding::{Finding, FindingCode, Level};
use super::super::observation::TrackerEvent;
use super::super::records::{Records, Slot};
use super::super::remarks::{Remarks, Words};

/// A finding about a conversation that no new message brings about.
#[derive(Clone, Copy, Debug)]
pub(super) struct LateFinding {
    pub(super) slot: Slot,
    pub(super) code: FindingCode,
    pub(super) level: Level,
    /// The message that it is on, or else the first one of the conversation.
    pub(super) message: Option<u64>,
}

impl LateFinding {
    /// On the first message of the conversation in `slot`, of the level of its code.
    pub(super) const fn new(slot: Slot, code: FindingCode) -> Self {
        Self {
            slot,
            code,
            level: code.level(),
            message: None,
        }
    }
}

/// Findings and ends of conversations, in their order.
#[derive(Debug, Default)]
pub(super) struct Events(VecDeque<TrackerEvent>);

impl Events {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn next(&mut self) -> Option<TrackerEvent> {
        self.0.pop_front()
    }

    /// A conversation is over, or is tracked no more.
    pub(super) fn end(&mut self, conversation: Conversation) {
        self.0
            .push_back(TrackerEvent::Ended(Box::new(conversation)));
    }

    pub(super) fn find(
        &mut self,
        late: LateFinding,
        records: &mut Records,
        remarks: &Remarks,
        words: impl FnOnce() -> Words,
    ) {
        let details = records.details_mut(late.slot);
        details.finding_count = details.finding_count.saturating_add(1);
        let message = late.message.unwrap_or(details.first_message);
        let (text, detail) = remarks.words(words);
        self.0.push_back(TrackerEvent::Finding(Finding {
            code: late.code,
            level: late.level,
            message: Some(message),
            packet: None,
            conversation: Some(records.live(late.slot).id()),
            text,
            detail,
        }));
    }
}
