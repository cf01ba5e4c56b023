//! The names of conversations.

use std::fmt;
use std::str::FromStr;

/// Names a conversation within a dissection: `c1` is the first that opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConversationId(pub u64);

/// A text that names no conversation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a conversation is c and a number from 1, as in c3, not {text:?}")]
pub struct ConversationIdParseError {
    text: String,
}

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}", self.0)
    }
}

impl FromStr for ConversationId {
    type Err = ConversationIdParseError;

    fn from_str(text: &str) -> Result<Self, ConversationIdParseError> {
        text.strip_prefix('c')
            .filter(|digits| digits.starts_with(|c: char| ('1'..='9').contains(&c)))
            .and_then(|digits| digits.parse().ok())
            .map(Self)
            .ok_or_else(|| ConversationIdParseError {
                text: text.to_owned(),
            })
    }
}
