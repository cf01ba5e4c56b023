//! Accepted conversations whose peer has not proven its address yet, and which of them gives way.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use hashbrown::HashMap;

use super::output::Handle;

/// For so long after our ACK a proof may well be under way; later than that hardly any comes.
const GRACE: Duration = Duration::from_secs(2);

/// An origin that has no more than one in so many of the places is like a client that opens a few
/// conversations at once.
const SHARES: usize = 8;

/// Conversations that were acknowledged and not proven, by their age and their origin.
///
/// Finding the one that gives way looks at none of the others: whoever forges addresses
/// makes one go with each SYN.
#[derive(Debug, Default)]
pub(super) struct Unproven {
    /// By the slot of the origin.
    origins: HashMap<usize, Waiting>,
    /// The oldest of each origin, with its slot.
    by_age: BTreeSet<(Standing, Handle, usize)>,
    /// The number of them that each origin has, with the oldest.
    by_number: BTreeSet<(Reverse<Standing>, usize, Reverse<Handle>)>,
    count: usize,
}

/// The conversations of an origin.
#[derive(Debug, Default)]
struct Waiting {
    standing: Standing,
    /// The time at which each was acknowledged. Handles are in the order of the SYNs.
    acknowledged: BTreeMap<Handle, Instant>,
}

/// Whether an origin exists; those that may be forged come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    #[default]
    MayBeForged,
    /// It has proven another conversation.
    Exists,
}

impl Unproven {
    /// A conversation was acknowledged.
    pub(super) fn insert(&mut self, now: Instant, origin: usize, handle: Handle) {
        self.change(origin, |waiting| {
            waiting.acknowledged.insert(handle, now);
        });
    }

    /// A conversation is proven, or has ended.
    pub(super) fn remove(&mut self, origin: usize, handle: Handle) {
        self.change(origin, |waiting| {
            waiting.acknowledged.remove(&handle);
        });
    }

    /// So many live conversations of an origin are proven.
    pub(super) fn note_proven(&mut self, origin: usize, proven_count: usize) {
        let standing = match proven_count {
            0 => Standing::MayBeForged,
            _ => Standing::Exists,
        };
        let known = self.origins.get(&origin);
        if known.is_some_and(|waiting| waiting.standing != standing) {
            self.change(origin, |waiting| waiting.standing = standing);
        }
    }

    /// The conversation that gives way to one of an origin that has `own` half-open ones, where
    /// `places` are for all of them.
    ///
    /// The oldest, once its proof has had its time: so a client is shut out only by as many
    /// others as there are places, within its round trip. Before that, the oldest of the origin
    /// that has most, if that is more than a client needs at once: few addresses that are not
    /// forged take no more than that. Otherwise the oldest all the same, as long as there are
    /// many, so that none has less time than a proof takes while only a few come.
    ///
    /// Origins that have proven another conversation are spared while there are others.
    pub(super) fn gives_way(&self, now: Instant, own: usize, places: usize) -> Option<Handle> {
        let &(_, oldest, origin) = self.by_age.first()?;
        let acknowledged = self.origins[&origin].acknowledged[&oldest];
        if now.saturating_duration_since(acknowledged) >= GRACE {
            return Some(oldest);
        }
        let share = places.div_ceil(SHARES);
        let &(_, most, Reverse(oldest_of_most)) = self.by_number.last()?;
        if most > share.max(own) {
            return Some(oldest_of_most);
        }
        (own < share && self.count > share).then_some(oldest)
    }

    /// Changes the conversations of an origin, and its places in the order.
    fn change(&mut self, origin: usize, change: impl FnOnce(&mut Waiting)) {
        let mut waiting = self.origins.remove(&origin).unwrap_or_default();
        if let Some(oldest) = waiting.oldest() {
            let count = waiting.acknowledged.len();
            self.by_age.remove(&(waiting.standing, oldest, origin));
            self.by_number
                .remove(&(Reverse(waiting.standing), count, Reverse(oldest)));
            self.count -= count;
        }
        change(&mut waiting);
        if let Some(oldest) = waiting.oldest() {
            let count = waiting.acknowledged.len();
            self.by_age.insert((waiting.standing, oldest, origin));
            self.by_number
                .insert((Reverse(waiting.standing), count, Reverse(oldest)));
            self.count += count;
            self.origins.insert(origin, waiting);
        }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }
}

impl Waiting {
    fn oldest(&self) -> Option<Handle> {
        Some(*self.acknowledged.first_key_value()?.0)
    }
}
