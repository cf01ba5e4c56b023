//! When to look for clients that were silent for long.

use std::time::{Duration, Instant};

/// The time from one sweep to the next.
const APART: Duration = Duration::from_secs(10);

/// So late a sweep is only when the process stood still.
const LATE: Duration = Duration::from_secs(1);

/// The times of sweeps.
///
/// The datagrams that came while a process stood still (SIGSTOP, a suspended machine) lie in its
/// sockets when it goes on. Whoever sent them was not silent, so they are read before the next
/// sweep.
#[derive(Debug)]
pub(super) struct Sweeps {
    next: Instant,
}

impl Sweeps {
    pub(super) fn new(now: Instant) -> Self {
        Self { next: now + APART }
    }

    /// The time of the next one.
    pub(super) const fn next(&self) -> Instant {
        self.next
    }

    /// Whether it is time for one.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let Some(late) = now.checked_duration_since(self.next) else {
            return false;
        };
        self.next = now + APART;
        late < LATE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stood_still_reads_on_before_it_calls_anybody_silent() {
        let start = Instant::now();
        let at = |seconds: f32| start + Duration::from_secs_f32(seconds);
        let mut sweeps = Sweeps::new(start);
        assert!(!sweeps.is_due(at(9.0)));
        assert_eq!(sweeps.next(), at(10.0));
        assert!(sweeps.is_due(at(10.5)));
        assert!(!sweeps.is_due(at(20.0)));
        // It was stopped for five minutes.
        assert!(!sweeps.is_due(at(320.0)));
        assert_eq!(sweeps.next(), at(330.0));
        assert!(sweeps.is_due(at(330.0)));
    }
}
