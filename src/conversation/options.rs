//! The options of a tracker, and its bounds.

use super::remarks::Wording;
use crate::time::SECOND_NS;
use crate::wire::{Destination, DestinationHash, Pseudonyms};

/// The options of a [`Tracker`](super::Tracker), and its bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrackerOptions {
    /// Whether the destinations in SYNs are hashed on carriers that do not
    /// need it; on I2CP they always are. Pseudonyms hold for all carriers.
    pub destinations: Destinations,
    /// Whether findings need words.
    pub wording: Wording,
    /// Time without an answer after which a SYN counts as not answered, in nanoseconds of capture
    /// time. Default 60 s, the reference's connect timeout.
    pub handshake_limit_ns: i64,
    /// Time that a conversation that is over is remembered for late messages, in nanoseconds of
    /// capture time. Default 30 s.
    pub linger_ns: i64,
    /// The most such conversations kept whole, before they are reported and only their ids are
    /// remembered. Default 4,096: messages that crossed a close, or were on their way when it was
    /// sent, mostly come within as many other closes, and so many records stay in a processor's
    /// cache.
    pub max_lingering: usize,
    /// The most bytes that all conversations may take, those that are over included. Beyond it
    /// those that were silent for the longest time are reported as they stand. Default 1 GiB.
    pub memory_bytes: usize,
    /// The part of these bytes that may remember conversations that were reported; never more than
    /// half. Default 64 MiB, enough for a million.
    pub tombstone_bytes: usize,
}

impl Default for TrackerOptions {
    fn default() -> Self {
        Self {
            destinations: Destinations::Skip,
            wording: Wording::Full,
            handshake_limit_ns: 60 * SECOND_NS,
            linger_ns: 30 * SECOND_NS,
            max_lingering: 4_096,
            memory_bytes: 1 << 30,
            tombstone_bytes: 64 << 20,
        }
    }
}

/// Whether to compute the hash of every SYN's destination, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destinations {
    /// Compute it.
    Hash,
    /// Save the time.
    Skip,
    /// Compute those of pseudonyms: no true one is ever shown, on any carrier.
    Pseudonyms(Pseudonyms),
}

impl Destinations {
    /// The hash under which a destination is known.
    pub(crate) fn hash(self, destination: Destination<'_>) -> DestinationHash {
        match self {
            Self::Hash | Self::Skip => destination.hash(),
            Self::Pseudonyms(pseudonyms) => pseudonyms.hash(destination),
        }
    }
}
