//! The outcomes of a mock's conversations.

use crate::conversation::ConversationId;
use crate::replay::compare::Difference;
use crate::replay::outcome::ReplayResult;
use crate::wire::{ClientId, ServerId};

/// The outcome of an incoming conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MockOutcome {
    /// The recorded conversation that was played; `None` if none was left.
    pub conversation: Option<ConversationId>,
    /// The client's id.
    pub client_id: ClientId,
    /// The id that it was given; `None` if it was refused.
    pub server_id: Option<ServerId>,
    /// The match with a recorded conversation.
    pub matched: Matched,
    /// The client's behaviour, against the recording.
    pub result: ReplayResult,
    /// Payload bytes that the recorded client sent.
    pub c2s_want_bytes: usize,
    /// Payload bytes that the client sent.
    pub c2s_got_bytes: usize,
    /// The first differences.
    pub differences: Vec<Difference>,
    /// The masks that would cover all differences, where those are in header fields only.
    pub suggested_masks: Vec<String>,
    /// The bound, in bytes, for which it was ended.
    pub over_bound: Option<usize>,
}

/// The way a recorded conversation was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matched {
    /// Its client sent the same bytes.
    Exactly,
    /// Its client asked for something similar, and none for the same.
    Nearest,
    /// It was the next in the recording's order.
    ByOrder,
    /// None was left, or like it.
    Not,
}
