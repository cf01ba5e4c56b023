//! The delay of a message that is not full, for more to merge.

use std::time::{Duration, Instant};

/// Whether queued data wait for more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Merging {
    /// Nothing is queued, or nothing waits.
    #[default]
    Idle,
    /// A message that is not full waits until then.
    Until(Instant),
    /// It has waited long enough.
    Over,
}

impl Merging {
    /// Something was queued that waits for at most `delay`, unless something waits already.
    pub(super) fn begin(&mut self, now: Instant, delay: Option<Duration>) {
        let delay = delay.filter(|delay| !delay.is_zero());
        if *self == Self::Idle
            && let Some(until) = delay.and_then(|delay| now.checked_add(delay))
        {
            *self = Self::Until(until);
        }
    }

    /// It is `now`.
    pub(super) fn pass(&mut self, now: Instant) {
        if self.until().is_some_and(|until| until <= now) {
            *self = Self::Over;
        }
    }

    pub(super) const fn until(self) -> Option<Instant> {
        match self {
            Self::Until(until) => Some(until),
            Self::Idle | Self::Over => None,
        }
    }
}
