//! Why conversations are reported.

use super::super::observation::EndOfInput;

/// Why a conversation is reported.
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
