//! Judges deadlines only by the bytes that the sockets had when they passed.

use std::future::Future;
use std::pin::pin;
use std::task::Context;
use std::time::{Duration, Instant};

/// The time until which all that came is known to have been seen.
///
/// A process that stood still (SIGSTOP, a suspended machine, a busy processor) is woken by its
/// timer, and sees the input of that time only when the system is asked once more: epoll_wait(2) is
/// interrupted then, and returns nothing. Judged before that, an answer that lies in the socket
/// buffer would be called missing.
#[derive(Debug)]
pub(in crate::runtime) struct Lookout {
    seen_until: Instant,
}

impl Lookout {
    pub(in crate::runtime) fn new(now: Instant) -> Self {
        Self { seen_until: now }
    }

    /// Whether a deadline may be judged. If it has passed and more may have come before it than was
    /// seen, the task is woken again when the system has been asked; the caller takes in all that
    /// is there before it asks again.
    pub(in crate::runtime) fn may_judge(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        due: Instant,
    ) -> bool {
        if due <= self.seen_until {
            return true;
        }
        if due <= now {
            self.seen_until = now;
            // Woken after the next look at the system, unlike by our own waker.
            if pin!(tokio::task::yield_now()).poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
        }
        false
    }

    /// Whether all that came before `due` is known to have been seen.
    pub(in crate::runtime) fn has_seen(&self, due: Instant) -> bool {
        due <= self.seen_until
    }

    /// The time by which to judge when `due` is the next deadline: never later than the input seen.
    pub(in crate::runtime) fn time(&self, now: Instant, due: Option<Instant>) -> Instant {
        match due {
            Some(due) if due <= self.seen_until => self.seen_until,
            _ => Self::time_before(now, due),
        }
    }

    /// A time by which `due` is not judged.
    pub(in crate::runtime) fn time_before(now: Instant, due: Option<Instant>) -> Instant {
        match due {
            Some(due) if due <= now => due - Duration::from_nanos(1),
            Some(_) | None => now,
        }
    }
}

/// The part of the input that was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime) enum Taken {
    /// Nothing came.
    Nothing,
    /// As much as goes at once; there may be more.
    Some,
    /// All that was there, or was wanted.
    All,
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;

    #[test]
    fn a_deadline_that_passed_unseen_is_judged_only_after_another_look_at_the_system() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let start = Instant::now();
            let at = |millis| start + Duration::from_millis(millis);
            let mut lookout = Lookout::new(start);
            // 7 s in which nothing was seen, and a deadline in the midst of them.
            assert!(lookout.time(at(7_000), Some(at(5_000))) < at(5_000));
            let mut looks = 0;
            poll_fn(|cx| {
                looks += 1;
                if lookout.may_judge(cx, at(7_000), at(5_000)) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
            assert_eq!(looks, 2);
            // Judged now is that deadline, and none that passed since the look.
            assert_eq!(lookout.time(at(9_000), Some(at(5_000))), at(7_000));
            assert!(lookout.time(at(9_000), Some(at(8_000))) < at(8_000));
            assert_eq!(lookout.time(at(9_000), Some(at(9_001))), at(9_000));
            assert_eq!(lookout.time(at(9_000), None), at(9_000));
        });
    }
}
