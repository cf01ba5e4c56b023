//! Counters of filters, for rules: `type == ack && nth == 3`.
//!
//! `nth` is the number of the message, from 1, among those for which everything else in the
//! filter holds; `conv_nth` the same within the message's conversation.

use super::comparison::Comparison;

/// The counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// Among all messages.
    All,
    /// Among those of the conversation.
    OfConversation,
}

impl Counted {
    pub(super) const ALL: [Self; 2] = [Self::All, Self::OfConversation];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::All => "nth",
            Self::OfConversation => "conv_nth",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|counted| counted.name() == name)
    }
}

/// The numbers of a message for which everything but the numbers holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Among all messages, from 1.
    pub nth: u64,
    /// Among those of its conversation, from 1.
    pub conv_nth: u64,
}

impl Counts {
    pub(super) fn hold(self, counted: Counted, comparison: Comparison, number: u64) -> bool {
        let count = match counted {
            Counted::All => self.nth,
            Counted::OfConversation => self.conv_nth,
        };
        comparison.allows(count.cmp(&number))
    }
}
