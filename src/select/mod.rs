//! What is shown, and how much of it: the filter language, the selection, redaction.
//!
//! An output is handed nothing but what was selected, with what others must not see taken out.

pub mod filter;
pub mod redact;

mod selection;

pub use self::selection::{ConversationSet, Picked, Selection};
