//! The reasons for reporting conversations.

use super::super::observation::EndOfInput;

/// The reason for reporting a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::conversation) enum Ending {
    /// It is over, or its id is used anew.
    Over,
    /// Its memory is needed.
    Evicted,
    /// Its channel is gone.
    ChannelClosed,
    /// The memory of its channel is needed.
    ChannelEvicted,
    Input(EndOfInput),
}
