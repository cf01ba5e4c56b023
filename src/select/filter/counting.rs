//! Filters that count, for rules: `type == ack && nth == 3`.

use super::Filter;
use super::count::Counts;
use super::error::FilterError;
use super::expression::Expression;
use crate::conversation::MessageEvent;

/// A filter that may count.
#[derive(Clone, Debug)]
pub struct CountingFilter {
    filter: Filter,
    /// The filter with each test of a number such that it hinders nothing.
    uncounted: Expression,
}

/// Whether a part of a filter lets messages in, or keeps them out.
#[derive(Clone, Copy)]
enum Polarity {
    Positive,
    Negative,
}

impl CountingFilter {
    /// Reads a filter in which `nth` and `conv_nth` may stand.
    ///
    /// # Errors
    /// Those of [`Filter::parse`]; and it may not test outcomes of conversations, which are known
    /// too late for a message that passes.
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
