//! Trying a filter on a message; allocates nothing but the text of an encapsulation.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::comparison::Comparison;
use super::count::Counts;
use super::expression::{Expression, Literal};
use crate::conversation::MessageEvent;
use crate::field::{Field, Value};
use crate::number_set::NumberSet;

impl Expression {
    /// `passed` has for each test of conversations those that passed it.
    pub(super) fn holds(
        &self,
        event: &MessageEvent<'_>,
        passed: &[NumberSet],
        counts: Counts,
    ) -> bool {
        match self {
            Self::And(left, right) => {
                left.holds(event, passed, counts) && right.holds(event, passed, counts)
            }
            Self::Or(left, right) => {
                left.holds(event, passed, counts) || right.holds(event, passed, counts)
            }
            Self::Not(inner) => !inner.holds(event, passed, counts),
            Self::Always => true,
            Self::Count(counted, comparison, number) => counts.hold(*counted, *comparison, *number),
            Self::OfConversation(test) => event.conversation.is_some_and(|id| {
                passed
                    .get(*test)
                    .is_some_and(|passed| passed.contains(id.0))
            }),
            Self::Present(field) => is_present(*field, event),
            Self::Compare(field, Comparison::NotEqual, literal) => {
                !equals(&field.value(event), literal)
            }
            Self::Compare(field, comparison, literal) => {
                compare(&field.value(event), literal).is_some_and(|order| comparison.allows(order))
            }
            Self::Contains(field, part) => {
                text_of(&field.value(event)).is_some_and(|text| contains(&text, part))
            }
            Self::ContainsCode(code) => event.findings.iter().any(|f| f.code == *code),
            Self::Matches(field, regex) => {
                text_of(&field.value(event)).is_some_and(|text| regex.is_match(&text))
            }
            Self::OneOf(field, literals) => {
                let value = field.value(event);
                literals.iter().any(|literal| equals(&value, literal))
            }
        }
    }
}

impl Comparison {
    pub(super) const fn allows(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

fn is_present(field: Field, event: &MessageEvent<'_>) -> bool {
    match field.value(event) {
        Value::Null => false,
        Value::Bytes(bytes) => !bytes.is_empty(),
        Value::Codes(findings) => !findings.is_empty(),
        _ => true,
    }
}

pub(super) fn equals(value: &Value<'_>, literal: &Literal) -> bool {
    compare(value, literal).is_some_and(Ordering::is_eq)
}

/// The order of a value and a literal; `None` where there is no value. The parser has seen to it
/// that both are of one kind.
pub(super) fn compare(value: &Value<'_>, literal: &Literal) -> Option<Ordering> {
    match (value, literal) {
        (Value::Number(a), Literal::Number(b)) => Some(a.cmp(b)),
        (Value::Time(a), Literal::Time(b)) => Some(a.cmp(b)),
        (Value::Text(a) | Value::Word(a), Literal::Text(b)) => Some(a.as_bytes().cmp(b)),
        (Value::Encapsulation(_), Literal::Text(b)) => Some((*text_of(value)?).cmp(b)),
        (Value::Id(a), Literal::Id(b)) => Some(a.cmp(b)),
        (Value::Conversation(a), Literal::Conversation(b)) => Some(a.cmp(b)),
        (Value::Address(a), Literal::Address(b)) => Some(a.ip().cmp(b)),
        (Value::Address(a), Literal::AddressAndPort(b)) => Some(a.cmp(b)),
        (Value::Address(a), Literal::Port(b)) => Some(a.port().cmp(b)),
        (Value::Bytes(a), Literal::Bytes(b)) => Some((*a).cmp(b)),
        (Value::Hash(a), Literal::Hash(b)) => Some(a.cmp(b)),
        (Value::Level(a), Literal::Level(b)) => Some(a.cmp(b)),
        (Value::Codes(findings), Literal::Code(code)) => findings
            .iter()
            .any(|finding| finding.code == *code)
            .then_some(Ordering::Equal),
        _ => None,
    }
}

fn text_of<'a>(value: &Value<'a>) -> Option<Cow<'a, [u8]>> {
    match value {
        Value::Text(text) | Value::Word(text) => Some(Cow::Borrowed(text.as_bytes())),
        Value::Bytes(bytes) => Some(Cow::Borrowed(bytes)),
        Value::Encapsulation(encapsulation) => {
            Some(Cow::Owned(encapsulation.to_string().into_bytes()))
        }
        _ => None,
    }
}

/// Whether `part` occurs in `text`; an empty part does everywhere.
fn contains(text: &[u8], part: &[u8]) -> bool {
    match part.first() {
        None => true,
        Some(first) => {
            // Short payloads, rare first bytes: looking for the first byte is enough.
            let mut rest = text;
            while let Some(at) = rest.iter().position(|byte| byte == first) {
                if rest[at..].starts_with(part) {
                    return true;
                }
                rest = &rest[at + 1..];
            }
            false
        }
    }
}
