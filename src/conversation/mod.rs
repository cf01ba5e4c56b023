//! What frames mean together: conversations, their states, and what is odd
//! about them. An observer: it describes what a capture shows, also when a
//! peer breaks the protocol.

mod channel;
mod event;
mod finding;
mod id_table;
mod router;
mod state;
mod tracker;

pub use channel::{Channel, ChannelId, ChannelStart};
pub use event::{
    Conversation, ConversationId, ConversationIdParseError, Endpoint, Meaning, MessageEvent,
    RouterTime, Session, SessionId, Tally,
};
pub(crate) use finding::AFTER_CLOSE;
pub use finding::{Finding, FindingCode, FindingDetail, Level};
pub use state::State;
pub use tracker::{Destinations, EndOfInput, Observation, Outcome, Tracker, TrackerOptions};
