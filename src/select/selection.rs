//! The selection of messages, findings and conversations.

use std::collections::BTreeSet;

use crate::conversation::{Conversation, ConversationId, Finding, MessageEvent};
use crate::number_set::NumberSet;
use crate::select::filter::Filter;

/// A set of conversations; one bit for each, as their numbers are dense.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConversationSet(NumberSet);

impl ConversationSet {
    /// Adds a conversation of the dissection.
    pub fn insert(&mut self, id: ConversationId) {
        self.0.insert(id.0);
    }

    /// Whether a conversation was added.
    pub fn contains(&self, id: ConversationId) -> bool {
        self.0.contains(id.0)
    }
}

/// The conversations to choose from.
#[derive(Clone, Debug, Default)]
pub enum Picked {
    /// All, and messages outside of them.
    #[default]
    All,
    /// Those that the user named.
    Named(BTreeSet<ConversationId>),
    /// Those that had a match in an earlier pass.
    Matched(ConversationSet),
}

impl Picked {
    #[inline]
    fn contains(&self, id: Option<ConversationId>) -> bool {
        match self {
            Self::All => true,
            Self::Named(ids) => id.is_some_and(|id| ids.contains(&id)),
            Self::Matched(ids) => id.is_some_and(|id| ids.contains(id)),
        }
    }
}

/// Decides what is shown, and counts it.
#[derive(Debug, Default)]
pub struct Selection {
    filter: Option<Filter>,
    picked: Picked,
    limit: Option<u64>,
    shown: u64,
    last_shown: u64,
    last_seen: u64,
    with_shown_messages: ConversationSet,
}

impl Selection {
    /// Shows messages that satisfy `filter` and belong to `picked`, but no more than `limit`.
    pub fn new(filter: Option<Filter>, picked: Picked, limit: Option<u64>) -> Self {
        Self {
            filter,
            picked,
            limit,
            ..Self::default()
        }
    }

    /// Whether the next message is shown.
    #[inline]
    pub fn admits_message(&mut self, event: &MessageEvent<'_>) -> bool {
        self.last_seen = event.number;
        if self.is_spent() || !self.picked.contains(event.conversation) {
            return false;
        }
        if let Some(filter) = &self.filter {
            if !filter.matches(event) {
                return false;
            }
            if let Some(id) = event.conversation {
                self.with_shown_messages.insert(id);
            }
        }
        self.admit(event.number);
        true
    }

    /// Whether every message is shown, whatever it is.
    #[inline]
    pub(crate) const fn admits_all(&self) -> bool {
        self.filter.is_none() && self.limit.is_none() && matches!(self.picked, Picked::All)
    }

    /// Takes note of a message that is shown, as all are where [all](Self::admits_all) may be.
    #[inline]
    pub(crate) const fn admit(&mut self, number: u64) {
        self.last_seen = number;
        self.shown += 1;
        self.last_shown = number;
    }

    /// Whether a finding is shown: with its message, else with its conversation.
    /// One that belongs to neither is about the input as a whole, and shown.
    pub fn admits_finding(&self, finding: &Finding) -> bool {
        match finding.message {
            Some(number) if number == self.last_seen => self.last_shown == number,
            Some(_) => self.admits_id(finding.conversation),
            None => finding.conversation.is_none() || self.admits_id(finding.conversation),
        }
    }

    /// Whether a conversation is shown.
    pub fn admits_conversation(&self, conversation: &Conversation) -> bool {
        self.admits_id(Some(conversation.id))
    }

    fn admits_id(&self, id: Option<ConversationId>) -> bool {
        self.picked.contains(id)
            && (self.filter.is_none() || id.is_some_and(|id| self.with_shown_messages.contains(id)))
    }

    /// Whether no further message will be shown.
    #[inline]
    pub fn is_spent(&self) -> bool {
        self.limit.is_some_and(|limit| self.shown >= limit)
    }

    /// The conversations that had a message that satisfied the filter.
    pub fn into_matched(self) -> ConversationSet {
        self.with_shown_messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_added_and_nothing_beside() {
        let mut set = ConversationSet::default();
        for number in [1, 63, 64, 65, 1000] {
            set.insert(ConversationId(number));
        }
        let held: Vec<u64> = (0..2000)
            .filter(|&number| set.contains(ConversationId(number)))
            .collect();
        assert_eq!(held, [1, 63, 64, 65, 1000]);
        assert!(!set.contains(ConversationId(u64::MAX)));
    }
}
