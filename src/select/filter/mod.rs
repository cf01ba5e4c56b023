//! Filters over the fields of messages: `type==data && payload contains "HTTP"`.
//!
//! ```text
//! filter     = all { "||" all }
//! all        = term { "&&" term }
//! term       = "!" term | "(" filter ")" | test
//! test       = field                        the message has it
//!            | field comparison value       == != < <= > >=
//!            | field "contains" text        part of the payload or text
//!            | field "~" "/" regex "/"
//!            | field "in" "{" value { "," value } "}"
//! ```
//!
//! `and`, `or`, `not` and `matches` may be written for `&&`, `||`, `!` and `~`.
//! A message without the field fails every test but `!=`.
//!
//! A field may be written as in Wireshark with our [dissector](crate::export::wireshark):
//! `ministream.type == "syn"`. Names and words may be written in capitals, as tables show
//! them: `Type == DATA`. So may times and sizes, with or without quotes: `Duration > 1.5 ms`,
//! `Len > 83.3 KiB`, which is rounded down to whole bytes. A time without a unit is refused, unless
//! its field is written with one: `t_us > 5`.
//!
//! [Fields of conversations](ConversationField), such as `state`, are known when a
//! conversation is over: see [`Filter::outcomes`].

mod amount;
mod comparison;
mod conversation;
mod count;
mod counting;
mod error;
mod evaluate;
mod expression;
mod parse;
mod token;

pub use self::comparison::Comparison;
use self::conversation::ConversationTest;
pub use self::conversation::{ConversationField, Outcomes};
pub use self::count::Counts;
pub use self::counting::CountingFilter;
pub use self::error::{FilterError, FilterHint, HintText};
use self::expression::Expression;
use self::parse::{Parsed, Vocabulary};
use crate::conversation::MessageEvent;
use crate::number_set::NumberSet;

/// A condition on messages, parsed and checked.
#[derive(Clone, Debug)]
pub struct Filter {
    expression: Expression,
    conversation_tests: Vec<ConversationTest>,
    /// For each of these tests the conversations that passed it.
    passed: Vec<NumberSet>,
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// It does not follow the grammar, or compares a field with something that
    /// the field cannot be. The error's text points at the place.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        parse::read(text, Vocabulary::Fields).map(Self::from)
    }

    /// The same, where `nth` and `conv_nth` may stand, too.
    fn parse_with_counts(text: &str) -> Result<Self, FilterError> {
        parse::read(text, Vocabulary::FieldsAndCounts).map(Self::from)
    }

    /// Whether it tests conversations, so that its input must be read twice.
    pub const fn tests_conversations(&self) -> bool {
        !self.conversation_tests.is_empty()
    }

    /// The sink that notes, in a first reading of the input, the conversations that pass its tests.
    pub fn outcomes<E>(&self) -> Outcomes<E> {
        Outcomes::new(&self.conversation_tests)
    }

    /// Takes over the results of a first reading, for the second.
    pub fn learn<E>(&mut self, outcomes: Outcomes<E>) {
        self.passed = outcomes.into_sets();
    }

    /// Whether a message satisfies it. A test of its conversation fails until
    /// [`Filter::learn`] was called.
    pub fn matches(&self, event: &MessageEvent<'_>) -> bool {
        self.expression
            .holds(event, &self.passed, Counts::default())
    }
}

impl From<Parsed> for Filter {
    fn from(parsed: Parsed) -> Self {
        Self {
            expression: parsed.expression,
            conversation_tests: parsed.conversation_tests,
            passed: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
