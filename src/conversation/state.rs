//! The states of a conversation.

use std::fmt;

/// Where a conversation stands, as far as the capture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The SYN was seen, its answer not yet.
    SynSent,
    /// A close answered the SYN.
    Refused,
    /// An ACK answered the SYN.
    Open,
    /// The client closed first.
    ClientClosed,
    /// The server closed first.
    ServerClosed,
    /// The SYN was never answered.
    NoAnswer,
    /// The SYN is not in the capture.
    MidStream,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::SynSent,
        Self::Refused,
        Self::Open,
        Self::ClientClosed,
        Self::ServerClosed,
        Self::NoAnswer,
        Self::MidStream,
    ];

    /// Its name in the JSON records: `server_closed`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SynSent => "syn_sent",
            Self::Refused => "refused",
            Self::Open => "open",
            Self::ClientClosed => "client_closed",
            Self::ServerClosed => "server_closed",
            Self::NoAnswer => "no_answer",
            Self::MidStream => "mid_stream",
        }
    }
}

/// Its name for people: `server closed`.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::SynSent => "syn sent",
            Self::Refused => "refused",
            Self::Open => "open",
            Self::ClientClosed => "client closed",
            Self::ServerClosed => "server closed",
            Self::NoAnswer => "no answer",
            Self::MidStream => "mid-stream",
        })
    }
}
