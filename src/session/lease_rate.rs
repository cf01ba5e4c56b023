//! The rate at which a router may ask for lease sets.

use std::time::{Duration, Instant};

/// Requests that may come at once. A router asks whenever one of its tunnels changes: i2pd
/// every 15 s, with sixteen tunnels a few times as often.
const BURST: u32 = 256;

/// One more may come after each.
const INTERVAL: Duration = Duration::from_millis(250);

/// Counts requests, each of which costs a signature.
#[derive(Debug, Default)]
pub(super) struct LeaseRate {
    /// When all that came may have come: a bucket that leaks one request each interval.
    full_until: Option<Instant>,
}

impl LeaseRate {
    /// Takes note of a request; false if there were too many.
    pub(super) fn admit(&mut self, now: Instant) -> bool {
        let from = self.full_until.map_or(now, |until| until.max(now));
        if from - now > INTERVAL * (BURST - 1) {
            return false;
        }
        self.full_until = from.checked_add(INTERVAL);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_admitted_and_then_one_in_each_interval() {
        let start = Instant::now();
        let mut rate = LeaseRate::default();
        let admitted = (0..10_000).take_while(|_| rate.admit(start)).count();
        assert_eq!(admitted, 256);
        for number in 1..100 {
            let now = start + INTERVAL * number;
            assert!(!rate.admit(now - Duration::from_millis(1)));
            assert!(rate.admit(now));
            assert!(!rate.admit(now));
        }
        let later = start + Duration::from_secs(3_600);
        assert_eq!((0..10_000).take_while(|_| rate.admit(later)).count(), 256);
    }
}
