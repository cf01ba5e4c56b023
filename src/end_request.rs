//! When signals are one request to end, and when somebody insists.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Signals within this time are one request: timeout(1) sends its signal to the program and
/// then to the program's group, a terminal and a shell may each send theirs.
const SAME_REQUEST: Duration = Duration::from_millis(100);

/// Whether a terminal may have echoed `^C`, and no line was begun since.
static ECHOED: AtomicBool = AtomicBool::new(false);

/// Notes that Ctrl-C was pressed, perhaps.
pub(crate) fn note_echo() {
    ECHOED.store(true, Ordering::Relaxed);
}

/// Whether the next line on a terminal stands behind an echo; asked once for each.
#[cfg(feature = "dump")]
pub(crate) fn take_echo() -> bool {
    ECHOED.swap(false, Ordering::Relaxed)
}

/// The requests to end so far.
#[derive(Debug, Default)]
pub(crate) struct EndRequests {
    /// When the latest began.
    latest: Option<Instant>,
}

impl EndRequests {
    /// Whether a signal at `now` is a request of its own.
    pub(crate) fn begins_with(&mut self, now: Instant) -> bool {
        let is_same = |latest| now.saturating_duration_since(latest) < SAME_REQUEST;
        let is_new = !self.latest.is_some_and(is_same);
        if is_new {
            self.latest = Some(now);
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_within_a_tenth_of_a_second_of_the_first_are_one_request() {
        let start = Instant::now();
        let mut requests = EndRequests::default();
        for (millis, expected) in [(0, true), (0, false), (60, false), (99, false), (100, true)] {
            let now = start + Duration::from_millis(millis);
            assert_eq!(requests.begins_with(now), expected, "{millis}");
        }
        assert!(!requests.begins_with(start + Duration::from_millis(199)));
        assert!(requests.begins_with(start + Duration::from_millis(200)));
    }
}
