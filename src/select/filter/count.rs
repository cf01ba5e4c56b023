//! Filters that count, for rules: `type == ack && nth == 3`.
//!
//! `nth` is the number of the message, from 1, among those for which everything else in the
//! filter holds; `conv_nth` the same within the message's conversation.

use super::{Comparison, Expression, Filter, FilterError};
use crate::conversation::MessageEvent;

/// What is counted.
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

/// A filter that may count.
#[derive(Clone, Debug)]
pub struct CountingFilter {
    filter: Filter,
    /// The filter with each test of a number such that it hinders nothing.
    uncounted: Expression,
}

impl CountingFilter {
    /// Reads a filter in which `nth` and `conv_nth` may stand.
    ///
    /// # Errors
    /// Those of [`Filter::parse`]; and it may not test what conversations came to, which
    /// is known too late for a message that passes.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let filter = Filter::parse_with_counts(text)?;
        if filter.tests_conversations() {
            let problem = "the outcome of a conversation is not known while its messages pass";
            return Err(FilterError::new(text, 0..text.len(), problem));
        }
        let uncounted = filter.expression.uncounted(Polarity::Positive);
        Ok(Self { filter, uncounted })
    }

    /// Whether everything but the numbers holds: whether the message is counted.
    pub fn counts(&self, event: &MessageEvent<'_>) -> bool {
        self.uncounted.holds(event, &[], Counts::default())
    }

    /// Whether a message that [is counted](Self::counts) satisfies it.
    pub fn matches(&self, event: &MessageEvent<'_>, counts: Counts) -> bool {
        self.filter.expression.holds(event, &[], counts)
    }
}

/// Whether a part of a filter lets messages in, or keeps them out.
#[derive(Clone, Copy)]
enum Polarity {
    Positive,
    Negative,
}

impl Expression {
    fn uncounted(&self, polarity: Polarity) -> Self {
        let both = |left: &Self, right: &Self| {
            let parts = [left, right].map(|part| Box::new(part.uncounted(polarity)));
            let [left, right] = parts;
            (left, right)
        };
        match self {
            Self::And(left, right) => {
                let (left, right) = both(left, right);
                Self::And(left, right)
            }
            Self::Or(left, right) => {
                let (left, right) = both(left, right);
                Self::Or(left, right)
            }
            Self::Not(inner) => Self::Not(Box::new(inner.uncounted(match polarity {
                Polarity::Positive => Polarity::Negative,
                Polarity::Negative => Polarity::Positive,
            }))),
            Self::Count(..) => match polarity {
                Polarity::Positive => Self::Always,
                Polarity::Negative => Self::Not(Box::new(Self::Always)),
            },
            other => other.clone(),
        }
    }
}
