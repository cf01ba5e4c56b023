//! The times at which recurring events are logged again.

use std::io;
use std::mem::Discriminant;
use std::time::{Duration, Instant};

use tracing::warn;

use crate::endpoint::{End, Handle};
use crate::runtime::link::LinkError;
use crate::runtime::notice::WORTH_A_WORD;
use crate::runtime::repeated::RepeatedOfLate;

/// The least time between two lines about refusals, or about addresses that were not proven.
const REFUSALS_APART: Duration = Duration::from_secs(10);

/// A link that was not read for so long is worth a line.
const LONG_PAUSE: Duration = Duration::from_secs(5);

/// Conversations that were refused because there were too many, or whose peers did not prove
/// their address.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    logged_count: u64,
    next: Option<Instant>,
}

impl Refusals {
    /// The number since the last time, if it is time to log it. `count` is the number since the
    /// beginning.
    pub(super) fn due(&mut self, now: Instant, count: u64) -> Option<u64> {
        if count == self.logged_count || self.next.is_some_and(|next| now < next) {
            return None;
        }
        self.next = now.checked_add(REFUSALS_APART);
        let new = count - self.logged_count;
        self.logged_count = count;
        Some(new)
    }
}

/// `ENFILE` and `EMFILE` of `errno.h`, the same on all systems we run on: the system, or the
/// process, has no descriptors left. The standard library has no kind of error for them.
const OUT_OF_DESCRIPTORS: [i32; 2] = [23, 24];

/// Connections are made again for so long when a shortage is over.
const RECOVERED: Duration = Duration::from_secs(1);

/// Conversations that were refused because there was no descriptor for a connection to the
/// service.
#[derive(Debug, Default)]
pub(super) struct Shortage {
    since: Option<Instant>,
    latest: Option<Instant>,
    refused_count: u64,
}

impl Shortage {
    /// Whether an error says that there are no descriptors. The first time this logs a warning,
    /// which advises to lower `limit`.
    pub(super) fn concerns(&mut self, now: Instant, error: &io::Error, limit: &str) -> bool {
        let is_short = error
            .raw_os_error()
            .is_some_and(|code| OUT_OF_DESCRIPTORS.contains(&code));
        if !is_short {
            return false;
        }
        if self.since.is_none() {
            self.since = Some(now);
            warn!(
                leg = "target",
                %error,
                help = format!("raise the limit (ulimit -n), or lower {limit}"),
                "no connections to the service can be made for now: conversations are refused"
            );
        }
        self.latest = Some(now);
        self.refused_count += 1;
        true
    }

    /// A connection was made: logs that the shortage is over, if there was one.
    pub(super) fn end(&mut self, now: Instant) {
        let (Some(since), Some(latest)) = (self.since, self.latest) else {
            return;
        };
        if now.saturating_duration_since(latest) < RECOVERED {
            return;
        }
        warn!(
            leg = "target",
            refused_count = self.refused_count,
            "connections to the service are made again, after {:.1} s",
            now.saturating_duration_since(since).as_secs_f64()
        );
        *self = Self::default();
    }
}

/// A link that is not read because of a slow reader.
#[derive(Debug, Default)]
pub(super) enum Pause {
    #[default]
    None,
    /// Since it began, not for long.
    Until(Instant),
    /// It lasts, and the log has said so.
    Logged,
}

impl Pause {
    pub(super) fn begin(&mut self, now: Instant) {
        if let (Self::None, Some(until)) = (&self, now.checked_add(LONG_PAUSE)) {
            *self = Self::Until(until);
        }
    }

    pub(super) fn end(&mut self) {
        *self = Self::None;
    }

    /// When the log should say that it lasts.
    pub(super) const fn next_due(&self) -> Option<Instant> {
        match self {
            Self::Until(until) => Some(*until),
            Self::None | Self::Logged => None,
        }
    }

    /// Its duration, if the log should have it now: once for each pause.
    pub(super) fn due(&mut self, now: Instant) -> Option<Duration> {
        if self.next_due().is_some_and(|until| until <= now) {
            *self = Self::Logged;
            return Some(LONG_PAUSE);
        }
        None
    }
}

/// A conversation whose SYN is not answered. One at a time is enough.
#[derive(Debug, Default)]
pub(super) struct FirstAnswer {
    waiting: Option<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    handle: Handle,
    since: Instant,
    is_logged: bool,
}

impl FirstAnswer {
    /// A conversation was opened.
    pub(super) fn expect(&mut self, now: Instant, handle: Handle) {
        self.waiting.get_or_insert(Waiting {
            handle,
            since: now,
            is_logged: false,
        });
    }

    /// When it will be time to say that it is waited for.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let waiting = self.waiting.as_ref().filter(|waiting| !waiting.is_logged)?;
        waiting.since.checked_add(WORTH_A_WORD)
    }

    /// The conversation, if it is time; once.
    pub(super) fn due(&mut self, now: Instant) -> Option<Handle> {
        if self.next_due().is_none_or(|due| now < due) {
            return None;
        }
        let waiting = self.waiting.as_mut()?;
        waiting.is_logged = true;
        Some(waiting.handle)
    }

    /// Its answer or its end came; returns the time that took, if the log had said that it is
    /// awaited.
    pub(super) fn came(&mut self, handle: Handle) -> Option<Duration> {
        let waiting = self.waiting.take_if(|waiting| waiting.handle == handle)?;
        waiting.is_logged.then(|| waiting.since.elapsed())
    }
}

/// Failures that peers, applications and services can cause as often as they like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Trouble {
    Failed(End),
    MessageLost(Discriminant<LinkError>),
    NoService(io::ErrorKind),
    ServiceBroke,
    Undelivered,
    SentTooLate,
    LinkIsDown,
    NotOpened,
}

/// Counts of failures, by kind.
pub(super) type Troubles = RepeatedOfLate<Trouble>;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn refusals_are_told_at_once_and_then_together() {
        let start = Instant::now();
        let mut refusals = Refusals::default();
        assert_eq!(refusals.due(start, 0), None);
        assert_eq!(refusals.due(start, 3), Some(3));
        assert_eq!(refusals.due(start + 9 * SECOND, 50), None);
        assert_eq!(refusals.due(start + 10 * SECOND, 60), Some(57));
        assert_eq!(refusals.due(start + 100 * SECOND, 60), None);
        assert_eq!(refusals.due(start + 100 * SECOND, 61), Some(1));
    }

    #[test]
    fn a_pause_is_told_once_if_it_is_long() {
        let start = Instant::now();
        let mut pause = Pause::default();
        assert_eq!((pause.next_due(), pause.due(start)), (None, None));
        pause.begin(start);
        pause.begin(start + 3 * SECOND);
        assert_eq!(pause.due(start + 4 * SECOND), None);
        assert_eq!(pause.next_due(), Some(start + 5 * SECOND));
        assert_eq!(pause.due(start + 5 * SECOND), Some(5 * SECOND));
        pause.begin(start + 6 * SECOND);
        assert_eq!(pause.due(start + 60 * SECOND), None);
        assert_eq!(pause.next_due(), None);

        pause.end();
        pause.begin(start + 70 * SECOND);
        pause.end();
        assert_eq!(pause.due(start + 90 * SECOND), None);
        pause.begin(start + 90 * SECOND);
        assert_eq!(pause.due(start + 95 * SECOND), Some(5 * SECOND));
    }
}
