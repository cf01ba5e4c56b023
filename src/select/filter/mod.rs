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
//! them: `Type == DATA`.
//!
//! [Fields of conversations](ConversationField), such as `state`, are known when a
//! conversation is over: see [`Filter::outcomes`].

mod conversation;
mod count;
mod evaluate;
mod parse;
mod token;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use self::conversation::ConversationTest;
pub use self::conversation::{ConversationField, Outcomes};
use self::count::Counted;
pub use self::count::{CountingFilter, Counts};
use crate::conversation::{ConversationId, FindingCode, Level, MessageEvent};
use crate::field::Field;
use crate::number_set::NumberSet;
use crate::time::Timestamp;
use crate::wire::{DestinationHash, StreamId};

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
        parse::filter(text)
    }

    /// The same, where `nth` and `conv_nth` may stand, too.
    fn parse_with_counts(text: &str) -> Result<Self, FilterError> {
        parse::counting_filter(text)
    }

    /// Whether it tests conversations, so that its input must be read twice.
    pub const fn tests_conversations(&self) -> bool {
        !self.conversation_tests.is_empty()
    }

    /// What notes, in a first reading of the input, which conversations pass its tests.
    pub fn outcomes<E>(&self) -> Outcomes<E> {
        Outcomes::new(&self.conversation_tests)
    }

    /// Takes over what a first reading found, for the second.
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

/// A condition as a tree.
#[derive(Clone, Debug)]
enum Expression {
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    /// The message has the field.
    Present(Field),
    Compare(Field, Comparison, Literal),
    Contains(Field, Vec<u8>),
    ContainsCode(FindingCode),
    Matches(Field, regex::bytes::Regex),
    OneOf(Field, Vec<Literal>),
    /// The message's conversation passes the test of that number.
    OfConversation(usize),
    /// The message has such a number among those that match.
    Count(Counted, Comparison, u64),
    /// Every message.
    Always,
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A value that a field is compared with, of the field's own kind.
#[derive(Clone, Debug, PartialEq)]
enum Literal {
    Number(i64),
    Time(Timestamp),
    Text(Vec<u8>),
    Id(StreamId),
    Conversation(ConversationId),
    Address(IpAddr),
    AddressAndPort(SocketAddr),
    Port(u16),
    Bytes(Vec<u8>),
    Hash(DestinationHash),
    Code(FindingCode),
    Level(Level),
}

/// Why a text is no filter, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    filter: String,
    span: Range<usize>,
    problem: String,
    hint: Option<String>,
}

impl FilterError {
    fn new(filter: &str, span: Range<usize>, problem: impl Into<String>) -> Self {
        Self {
            filter: filter.to_owned(),
            span,
            problem: problem.into(),
            hint: None,
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What is wrong, without the place.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// What might be meant instead.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The bytes of the filter that are wrong.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}

impl std::error::Error for FilterError {}

/// Three lines: the problem, the filter, and a caret under the place with a hint.
impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |text: &str| {
            crate::text::escape::escaped(text.as_bytes(), crate::text::escape::Charset::Unicode)
        };
        let before = crate::text::escape::columns_of(&show(&self.filter[..self.span.start]));
        let marked = crate::text::escape::columns_of(&show(&self.filter[self.span.clone()]));
        writeln!(f, "{}", self.problem)?;
        writeln!(f, "    {}", show(&self.filter))?;
        write!(
            f,
            "    {:before$}^{:~<tildes$}",
            "",
            "",
            tildes = marked.saturating_sub(1)
        )?;
        match &self.hint {
            Some(hint) => write!(f, " {hint}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
