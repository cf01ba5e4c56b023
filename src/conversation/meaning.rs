//! The effects of messages on their conversations.

use crate::wire::{Direction, ServerId};

/// The effect of a message on its conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A SYN that opens a conversation.
    Opens,
    /// An ACK that accepts it.
    Accepts {
        /// The id that the server chose.
        server_id: ServerId,
        /// Nanoseconds since the SYN; `None` when the SYN is not in the capture.
        handshake_ns: Option<i64>,
    },
    /// A close that refuses it.
    Refuses {
        /// Nanoseconds since the SYN.
        handshake_ns: i64,
    },
    /// Data within a conversation.
    Carries,
    /// The close that ends an open conversation, or the empty ACK that stands for one.
    Closes {
        /// The side that closes.
        by: Direction,
    },
    /// A close for a conversation that the other side has closed already; on
    /// the wire such closes cross.
    ClosesAgain,
    /// Within a conversation, but without effect: a second ACK, an ACK
    /// without an id before the handshake is over, data after the close.
    Ignored,
    /// Belongs to no conversation: an id that nobody announced.
    Orphan,
    /// Ping or chaff.
    Idle,
    /// A type that means nothing, or a message that is too short.
    Meaningless,
    /// Not known: conversations were not asked for.
    Untracked,
}

macro_rules! meaning_kinds {
    ($($pattern:pat => $kind:ident = $name:literal;)*) => {
        /// A [`Meaning`] without its particulars.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum MeaningKind {
            $($kind,)*
        }

        impl MeaningKind {
            /// Every kind, in the order of the table.
            pub(crate) const ALL: [Self; [$($name),*].len()] = [$(Self::$kind),*];

            /// Its name in the JSON records.
            #[inline]
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            /// The kind of that name.
            pub(crate) fn named(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|kind| kind.name() == name)
            }
        }

        impl Meaning {
            /// Its kind, without particulars.
            #[inline]
            pub(crate) const fn kind(self) -> MeaningKind {
                match self {
                    $($pattern => MeaningKind::$kind,)*
                }
            }
        }
    };
}

meaning_kinds! {
    Self::Opens => Opens = "opens";
    Self::Accepts { .. } => Accepts = "accepts";
    Self::Refuses { .. } => Refuses = "refuses";
    Self::Carries => Carries = "carries";
    Self::Closes { .. } => Closes = "closes";
    Self::ClosesAgain => ClosesAgain = "closes_again";
    Self::Ignored => Ignored = "ignored";
    Self::Orphan => Orphan = "orphan";
    Self::Idle => Idle = "idle";
    Self::Meaningless => Meaningless = "meaningless";
    Self::Untracked => Untracked = "untracked";
}
