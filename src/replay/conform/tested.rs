//! The tested end of a conversation.

/// The end that is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tested {
    /// An endpoint that answers SYNs; we are its client.
    Server,
    /// An endpoint that sends SYNs; we are its server.
    Client,
}

impl Tested {
    /// `server`, `client`
    pub const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}
