//! Accepted conversations whose peer has not proven its address yet, and which of them gives way.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use hashbrown::HashMap;

use super::output::Handle;

/// For so long after our ACK a proof may well be under way; later than that hardly any comes.
const GRACE: Duration = Duration::from_secs(2);

/// An origin that has no more than one in so many of the conversations is like a client that opens
/// a few at once.
const SHARES: usize = 8;

/// Conversations that were acknowledged and not proven, by their age and their origin.
///
/// Finding the one that gives way looks at none of the others: whoever forges addresses
/// makes one go with each SYN.
#[derive(Debug, Default)]
pub(super) struct Unproven {
    /// By the slot of the origin.
    origins: HashMap<usize, Waiting>,
    /// Those of origins that may be forged.
    forgeable: Group,
    /// Those of origins that exist.
    existing: Group,
    /// The number of them that each origin has, with the oldest.
    by_number: BTreeSet<(usize, Reverse<Standing>, Reverse<Acknowledged>)>,
}

/// The conversations of all origins of one standing.
#[derive(Debug, Default)]
struct Group {
    /// The oldest of each origin.
    oldest: BTreeSet<Acknowledged>,
    /// The number of all.
    count: usize,
}

/// The conversations of an origin.
#[derive(Debug, Default)]
struct Waiting {
    standing: Standing,
    by_age: BTreeSet<Acknowledged>,
    times: HashMap<Handle, Instant>,
}

/// A conversation with the time of our ACK, by which its age counts: a SYN may have waited long for
/// the application before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Acknowledged {
    at: Instant,
    handle: Handle,
}

/// Whether an origin exists.
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
            waiting.by_age.insert(Acknowledged { at: now, handle });
            waiting.times.insert(handle, now);
        });
    }

    /// A conversation is proven, or has ended.
    pub(super) fn remove(&mut self, origin: usize, handle: Handle) {
        self.change(origin, |waiting| {
            if let Some(at) = waiting.times.remove(&handle) {
                waiting.by_age.remove(&Acknowledged { at, handle });
            }
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

    /// The conversation that gives way to one of an origin that has `own` half-open ones.
    ///
    /// The oldest, once its proof has had its time. Before that, the oldest of the origin that
    /// has most, if that is more than its share and more than the newcomer has: so a few
    /// addresses that are not forged keep nobody out. Otherwise the oldest all the same, if the
    /// newcomer has less than its share, however few there are. If it was refused, as many SYNs in
    /// each [`GRACE`] would be enough to shut it out; so they have to come within its round trip,
    /// which is shorter.
    ///
    /// Origins that exist are spared where others are old enough, too, and until then as long as
    /// no more conversations are theirs than others': they keep nobody out either. So it takes
    /// at least half as many SYNs as there are conversations here.
    pub(super) fn gives_way(&self, now: Instant, own: usize) -> Option<Handle> {
        let is_over = |oldest: &&Acknowledged| now.saturating_duration_since(oldest.at) >= GRACE;
        let forgeable = self.forgeable.oldest.first();
        let existing = self.existing.oldest.first();
        let oldest = forgeable.filter(is_over).or(existing.filter(is_over));
        if let Some(oldest) = oldest {
            return Some(oldest.handle);
        }
        let count = self.forgeable.count + self.existing.count;
        let share = count.div_ceil(SHARES);
        let &(most, _, Reverse(oldest_of_most)) = self.by_number.last()?;
        if most > share.max(own) {
            return Some(oldest_of_most.handle);
        }
        let oldest = if self.forgeable.count < self.existing.count {
            existing
        } else {
            forgeable
        };
        oldest.filter(|_| own < share).map(|oldest| oldest.handle)
    }

    /// Changes the conversations of an origin, and its places in the order.
    fn change(&mut self, origin: usize, change: impl FnOnce(&mut Waiting)) {
        let mut waiting = self.origins.remove(&origin).unwrap_or_default();
        if let Some((count, standing, oldest)) = waiting.rank() {
            self.by_number
                .remove(&(count, Reverse(standing), Reverse(oldest)));
            let group = self.group(standing);
            group.oldest.remove(&oldest);
            group.count -= count;
        }
        change(&mut waiting);
        if let Some((count, standing, oldest)) = waiting.rank() {
            self.by_number
                .insert((count, Reverse(standing), Reverse(oldest)));
            let group = self.group(standing);
            group.oldest.insert(oldest);
            group.count += count;
            self.origins.insert(origin, waiting);
        }
    }

    const fn group(&mut self, standing: Standing) -> &mut Group {
        match standing {
            Standing::MayBeForged => &mut self.forgeable,
            Standing::Exists => &mut self.existing,
        }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }
}

impl Waiting {
    /// What its place in the order follows from, unless there are none.
    fn rank(&self) -> Option<(usize, Standing, Acknowledged)> {
        let oldest = *self.by_age.first()?;
        Some((self.by_age.len(), self.standing, oldest))
    }
}
