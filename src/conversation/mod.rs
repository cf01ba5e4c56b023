//! Frames put together: conversations, their states, and findings about them. An observer: it
//! describes the traffic of a capture, also when a peer breaks the protocol.

mod channel;
mod deadlines;
mod event;
mod finding;
mod id;
mod id_table;
mod meaning;
mod observation;
mod options;
mod placing;
mod records;
mod registry;
mod remarks;
mod router;
mod stall;
mod state;
mod tombstone;
mod tracker;
mod views;
mod wording;

pub(crate) use channel::ChannelIds;
pub use channel::{Channel, ChannelId, ChannelStart};
pub use event::{
    Carried, Conversation, I2cpSession, MessageEvent, Party, RouterTime, SessionId, Tally,
};
pub(crate) use finding::AFTER_CLOSE;
pub use finding::{DetailName, Finding, FindingCode, FindingDetail, Level};
pub use id::{ConversationId, ConversationIdParseError};
pub use meaning::Meaning;
pub(crate) use meaning::MeaningKind;
pub use observation::{EndOfInput, Observation, TrackerEvent};
pub use options::{Destinations, TrackerOptions};
pub use registry::Forgotten;
pub(crate) use registry::{ExpectedRecord, Prospect};
pub use remarks::Wording;
pub use state::ConversationState;
pub use tracker::Tracker;
