//! When to look for clients that were silent for long.

use std::task::Context;
use std::time::{Duration, Instant};

use crate::runtime::lookout::{Lookout, Work};

/// The time from one sweep to the next.
const APART: Duration = Duration::from_secs(10);

/// The times of sweeps.
///
/// The datagrams that came while a process stood still (SIGSTOP, a suspended machine) lie in its
/// sockets when it goes on. Whoever sent them was not silent, so they are read before a sweep.
#[derive(Debug)]
pub(super) struct Sweeps {
    next: Instant,
    lookout: Lookout,
    work: Work,
}

impl Sweeps {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            next: now + APART,
            lookout: Lookout::new(now),
            work: Work::new(now),
        }
    }

    /// The time of the next one, unless it has come: then [`when_idle`](Self::when_idle) sees to it
    /// that the task is woken.
    pub(super) fn next_after(&self, now: Instant) -> Option<Instant> {
        (self.next > now).then_some(self.next)
    }

    /// The time by which to judge silence, if it is time for a sweep. To be called when all that is
    /// there has been taken in.
    pub(super) fn when_idle(&mut self, cx: &mut Context<'_>, now: Instant) -> Option<Instant> {
        let due = self.next;
        if now < due || !self.lookout.may_judge(cx, now, due) {
            return None;
        }
        self.next = now + APART;
        Some(self.lookout.time(now, Some(due)))
    }

    /// The same after a round after which there is more to take in.
    pub(super) fn when_busy(&mut self, now: Instant) -> Option<Instant> {
        let seen_until = self.work.note_round(now)?;
        if seen_until < self.next {
            return None;
        }
        self.next = now + APART;
        Some(seen_until)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;

    #[test]
    fn who_stood_still_reads_on_before_it_calls_anybody_silent() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let start = Instant::now();
            let at = |seconds: f32| start + Duration::from_secs_f32(seconds);
            let mut sweeps = Sweeps::new(start);
            assert_eq!(sweeps.next_after(start), Some(at(10.0)));
            // However short it stood still: the system is asked once more.
            for stop in [10.0, 20.5, 330.0] {
                let mut looks = 0;
                let seen_until = poll_fn(|cx| {
                    looks += 1;
                    assert_eq!(sweeps.when_idle(cx, at(9.9)), None);
                    assert_eq!(sweeps.next_after(at(stop)), None);
                    let seen_until = sweeps.when_idle(cx, at(stop));
                    seen_until.map_or(Poll::Pending, Poll::Ready)
                });
                assert_eq!(seen_until.await, at(stop));
                assert_eq!(looks, 2);
                assert_eq!(sweeps.next_after(at(stop)), Some(at(stop + 10.0)));
            }
        });
    }

    #[test]
    fn a_flood_puts_off_no_sweep() {
        let start = Instant::now();
        let mut sweeps = Sweeps::new(start);
        let swept = (1..3_000).filter_map(|round| {
            let seen_until = sweeps.when_busy(start + round * Duration::from_millis(10))?;
            Some((seen_until - start).as_secs())
        });
        assert_eq!(swept.collect::<Vec<_>>(), [10, 21]);
    }
}
