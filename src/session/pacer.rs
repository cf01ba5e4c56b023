//! The rate at which messages are handed to the router.

use std::time::{Duration, Instant};

/// Bytes by which messages may get ahead of the rate.
const BURST_BYTES: u64 = 128 * 1024;

/// Lets bytes pass at a rate, and a burst at once.
#[derive(Debug)]
pub(super) struct Pacer {
    bytes_per_second: u64,
    /// The time at which the bytes so far would have passed at the rate.
    done_at: Option<Instant>,
}

impl Pacer {
    pub(super) fn new(bytes_per_second: u64) -> Self {
        Self {
            // It is a divisor.
            bytes_per_second: bytes_per_second.max(1),
            done_at: None,
        }
    }

    /// When the next bytes may pass; `None` or a time that is over: now.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.done_at?.checked_sub(self.time_of(BURST_BYTES))
    }

    pub(super) fn is_open(&self, now: Instant) -> bool {
        self.next_at().is_none_or(|at| at <= now)
    }

    pub(super) fn passed(&mut self, now: Instant, bytes: usize) {
        let start = self.done_at.map_or(now, |at| at.max(now));
        self.done_at = Some(start + self.time_of(bytes as u64));
    }

    fn time_of(&self, bytes: u64) -> Duration {
        let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_second);
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_at_once_and_the_rest_at_the_rate() {
        let start = Instant::now();
        let mut pacer = Pacer::new(64 * 1024);
        for _ in 0..5 {
            assert!(pacer.is_open(start));
            pacer.passed(start, 32 * 1024);
        }
        assert!(!pacer.is_open(start), "160 KiB are more than the burst");
        let half = Duration::from_millis(500);
        assert_eq!(pacer.next_at(), Some(start + half));
        for step in 1..100 {
            let now = start + half * step;
            assert!(!pacer.is_open(now - Duration::from_nanos(1)));
            assert!(pacer.is_open(now));
            pacer.passed(now, 32 * 1024);
        }
    }

    #[test]
    fn time_without_traffic_is_worth_one_burst_only() {
        let start = Instant::now();
        let mut pacer = Pacer::new(1024);
        pacer.passed(start, 1);
        let later = start + Duration::from_secs(86_400);
        let mut passed = 0;
        while pacer.is_open(later) {
            pacer.passed(later, 1024);
            passed += 1024;
        }
        assert_eq!(passed, 128 * 1024 + 1024);
    }
}
