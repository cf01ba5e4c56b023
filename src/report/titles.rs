//! The titles of the tables of conversations: of the one in the terminal, of a page's and of the
//! browser's.

pub(crate) const CONVERSATION: &str = "Conversation";
/// The same, where room is scarce.
pub(crate) const CONVERSATION_SHORT: &str = "Conv";
pub(super) const PEER: &str = "Peer";
pub(crate) const CLIENT: &str = "Client";
pub(crate) const SERVER: &str = "Server";
pub(crate) const IDS: &str = "Ids";
/// The same, with the order in which they stand.
pub(super) const IDS_IN_ORDER: &str = "Ids cli/srv";
pub(crate) const STATE: &str = "State";
/// With a unit in every cell.
pub(super) const START: &str = "Start";
/// Of numbers without a unit.
pub(crate) const START_SECONDS: &str = "Start s";
pub(crate) const DURATION: &str = "Duration";
pub(crate) const HANDSHAKE: &str = "Handshake";
pub(super) const MESSAGES_AND_BYTES: [&str; 2] = ["→ msgs/B", "← msgs/B"];
#[cfg(feature = "tui")]
pub(crate) const BYTES: [&str; 2] = ["→ B", "← B"];
pub(crate) const FINDINGS: &str = "Findings";
/// The same, where room is scarce.
pub(super) const FINDINGS_SHORT: &str = "!";
