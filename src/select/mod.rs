//! The selection of messages for output: the filter language, the selection, redaction.
//!
//! An output is handed nothing but selected messages, with their secrets taken out.

pub mod filter;
pub mod redact;

mod selection;

pub use self::selection::{ConversationSet, Picked, Selection};
