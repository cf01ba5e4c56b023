//! The predicates by which a detector distinguishes messages of our protocol from others.

use crate::carrier::{Plausibility, Plausible};

/// The protocol's predicates, lent to carriers, which do not know it.
#[derive(Clone, Copy, Debug)]
pub struct Protocol {
    /// Whether bytes may begin a message.
    pub plausible: Plausible,
    /// Classifies the message.
    pub recognise: Recognise,
}

impl Plausibility for Protocol {
    #[inline]
    fn is_plausible(&self, prefix: &[u8], length: usize) -> bool {
        (self.plausible)(prefix, length)
    }

    fn proves_place(&self, message: &[u8]) -> bool {
        (self.recognise)(message, message.len())
            .is_some_and(|sketch| sketch.kind == Kind::Destination)
    }
}

/// Classifies a message by the first bytes known of it and its whole length in bytes. `None` where
/// [`Plausible`] says no.
pub type Recognise = fn(prefix: &[u8], length: usize) -> Option<Sketch>;

/// As much of a message as detection asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sketch {
    /// The role of the message.
    pub kind: Kind,
    /// The conversation that it names; `None` when that is not known or it names none.
    pub id: Option<[u8; 3]>,
}

/// The role of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A client opens a conversation, with any key.
    Opening,
    /// It does so with a destination as long as its certificate says.
    Destination,
    /// A server accepts, and says under which id it is reached.
    Accept {
        /// The server's id.
        server: [u8; 3],
    },
    /// Bytes for the server.
    ClientData,
    /// Bytes for the client.
    ServerData,
    /// A client closes.
    ClientClose,
    /// A server closes or refuses.
    ServerClose,
    /// To be ignored, as in other protocols too.
    Idle,
    /// Anything else of the protocol.
    Other,
}
