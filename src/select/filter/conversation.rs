//! Tests of whole conversations in a filter: `state == refused && type == syn`.
//!
//! The outcome of a conversation is known when it is over, long after its messages were passed. So
//! such a filter takes two readings: the first lets [`Outcomes`] note the conversations that pass
//! each test, one bit for each; the second asks those bits.

use std::marker::PhantomData;

use super::comparison::Comparison;
use super::evaluate::{compare, equals};
use super::expression::Literal;
use crate::columns::{FieldKind, Range, STATE_NAMES, fields};
use crate::conversation::{Conversation, ConversationId};
use crate::dissect::Sink;
use crate::field::Value;
use crate::number_set::NumberSet;

fields! {
    /// A field of a conversation: `conv.` and the key in the JSON record of a conversation.
    ConversationField;
    State = "conv.state", FieldKind::Word(STATE_NAMES), "how the conversation ended";
    DurationUs = "conv.duration_us", FieldKind::Micros, "from its first to its last message";
    HandshakeUs = "conv.handshake_us", FieldKind::Micros, "from SYN to ACK";
    FirstByteUs = "conv.first_byte_us", FieldKind::Micros, "from SYN to the first DATA";
    PayloadBytes = "conv.bytes", FieldKind::Size, "payload of its DATA, both directions";
    C2sPayloadBytes = "conv.c2s.payload_bytes", FieldKind::Size, "payload of the client's DATA";
    S2cPayloadBytes = "conv.s2c.payload_bytes", FieldKind::Size, "payload of the server's DATA";
    MessageCount = "conv.messages", FieldKind::Number(Range::Count), "its DATA messages, both directions";
    C2sMessageCount = "conv.c2s.message_count", FieldKind::Number(Range::Count), "the client's DATA messages";
    S2cMessageCount = "conv.s2c.message_count", FieldKind::Number(Range::Count), "the server's DATA messages";
    FindingCount = "conv.finding_count", FieldKind::Number(Range::Count), "findings about it";
}

impl ConversationField {
    /// The field of that name; `state`, `duration`, `handshake` and the titles of the table
    /// of conversations will do, too.
    pub fn named(name: &str) -> Option<Self> {
        let titled = match name {
            "state" => Some(Self::State),
            "duration" | "duration_us" | "life" => Some(Self::DurationUs),
            "handshake" | "handshake_us" | "shake" => Some(Self::HandshakeUs),
            "first_byte_us" => Some(Self::FirstByteUs),
            "conv.duration" => Some(Self::DurationUs),
            "conv.handshake" => Some(Self::HandshakeUs),
            _ => None,
        };
        titled.or_else(|| Self::ALL.iter().copied().find(|field| field.name() == name))
    }

    fn value(self, conversation: &Conversation) -> Value<'static> {
        let micros = |nanos: Option<i64>| {
            nanos.map_or(Value::Null, |nanos| Value::Number(nanos.div_euclid(1_000)))
        };
        let count = |count: u64| Value::Number(i64::try_from(count).unwrap_or(i64::MAX));
        let (c2s, s2c) = (conversation.c2s, conversation.s2c);
        match self {
            Self::State => Value::Word(conversation.state.name()),
            Self::DurationUs => micros(Some(conversation.duration_ns())),
            Self::HandshakeUs => micros(conversation.handshake_ns),
            Self::FirstByteUs => micros(conversation.first_byte_ns),
            Self::PayloadBytes => count(c2s.payload_bytes.saturating_add(s2c.payload_bytes)),
            Self::C2sPayloadBytes => count(c2s.payload_bytes),
            Self::S2cPayloadBytes => count(s2c.payload_bytes),
            Self::MessageCount => count(c2s.message_count.saturating_add(s2c.message_count)),
            Self::C2sMessageCount => count(c2s.message_count),
            Self::S2cMessageCount => count(s2c.message_count),
            Self::FindingCount => count(conversation.finding_count),
        }
    }
}

/// One test of a conversation within a filter.
#[derive(Clone, Debug)]
pub(super) struct ConversationTest {
    pub(super) field: ConversationField,
    pub(super) check: Check,
}

/// The condition on a field of a conversation.
#[derive(Clone, Debug)]
pub(super) enum Check {
    Present,
    Compare(Comparison, Literal),
    OneOf(Vec<Literal>),
}

impl ConversationTest {
    fn holds(&self, conversation: &Conversation) -> bool {
        let value = self.field.value(conversation);
        match &self.check {
            Check::Present => value != Value::Null,
            Check::Compare(comparison, literal) => {
                compare(&value, literal).is_some_and(|order| comparison.allows(order))
            }
            Check::OneOf(literals) => literals.iter().any(|literal| equals(&value, literal)),
        }
    }
}

/// The conversations that pass the tests of a filter: a sink for the first of two readings.
///
/// Memory is one bit for each conversation and test. `E` is whatever error the reader's
/// sinks have; this one has none.
#[derive(Clone, Debug)]
pub struct Outcomes<E> {
    tests: Vec<(ConversationTest, NumberSet)>,
    error: PhantomData<fn() -> E>,
}

impl<E> Outcomes<E> {
    pub(super) fn new(tests: &[ConversationTest]) -> Self {
        let tests = tests.iter().cloned();
        Self {
            tests: tests.map(|test| (test, NumberSet::default())).collect(),
            error: PhantomData,
        }
    }

    pub(super) fn into_sets(self) -> Vec<NumberSet> {
        self.tests.into_iter().map(|(_, set)| set).collect()
    }
}

impl<E> Sink for Outcomes<E> {
    type Error = E;

    fn only_counts(&self) -> bool {
        true
    }

    fn conversation(&mut self, conversation: &Conversation) -> Result<(), E> {
        let ConversationId(number) = conversation.id;
        for (test, passed) in &mut self.tests {
            if test.holds(conversation) {
                passed.insert(number);
            }
        }
        Ok(())
    }
}
