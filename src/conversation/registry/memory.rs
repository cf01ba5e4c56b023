//! Estimates of the memory of conversations, and counts of those forgotten for want of it.

use super::super::channel::Channel;
use super::super::options::{Destinations, TrackerOptions};
use crate::time::Timestamp;

/// Bytes that a tracked conversation is reckoned to take: its record (128), its
/// ids (up to 43), its place in the list of its channel and among the deadlines.
pub(in crate::conversation) const CONVERSATION_BYTES: usize = 208;

/// The same for the hash of its destination.
const HASH_BYTES: usize = 96;

/// The same for a view at a router.
const VIEW_BYTES: usize = 256;

/// The bytes of tracked conversations, and their limit.
#[derive(Debug)]
pub(super) struct Memory {
    limit: usize,
    /// Bytes that the records are reckoned to take.
    pub(super) taken: usize,
    /// The least bytes of a conversation, on whatever channel.
    least_price: usize,
}

impl Memory {
    /// `limit` bytes are for conversations that are tracked.
    pub(super) const fn new(options: &TrackerOptions, limit: usize) -> Self {
        let hash = match options.destinations {
            Destinations::Skip => 0,
            Destinations::Hash | Destinations::Pseudonyms(_) => HASH_BYTES,
        };
        Self {
            limit,
            taken: 0,
            least_price: CONVERSATION_BYTES + hash,
        }
    }

    /// Bytes that a conversation on this channel is reckoned to take.
    pub(super) fn price(&self, channel: &Channel) -> usize {
        let view = match channel.session() {
            Some(_) => HASH_BYTES + VIEW_BYTES,
            None => 0,
        };
        self.least_price + view
    }

    /// Whether so many bytes more are too many.
    #[inline]
    pub(super) const fn is_short_of(&self, bytes: usize) -> bool {
        self.taken + bytes > self.limit
    }
}

/// Counts of conversations forgotten for want of memory, by a
/// [`Tracker`](crate::conversation::Tracker).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Conversations that were reported as they stood.
    pub conversations: u64,
    /// Conversations that were reported, of which late messages are no longer recognised.
    pub closed_conversations: u64,
    /// Time of the first of the former.
    pub conversations_since: Option<Timestamp>,
    /// The same for the latter.
    pub closed_conversations_since: Option<Timestamp>,
}

/// Counts of conversations evicted while they were tracked.
#[derive(Debug, Default)]
pub(super) struct Evictions {
    pub(super) conversations: u64,
    pub(super) since: Option<Timestamp>,
    /// Whether there was a channel among it, with ids that it had announced.
    pub(super) has_channels: bool,
}

impl Evictions {
    /// Counts a conversation that is reported although it is not over.
    pub(super) fn count(&mut self, now: Timestamp) {
        self.conversations += 1;
        self.since.get_or_insert(now);
    }
}
