//! Judges deadlines only by the bytes that the sockets had when they passed.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
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
    look: Option<Look>,
}

impl Lookout {
    pub(in crate::runtime) fn new(now: Instant) -> Self {
        Self {
            seen_until: now,
            look: None,
        }
    }

    /// Whether a deadline may be judged. To be called when all that is there has been taken in. If
    /// the deadline has passed and more may have come before it than was seen, the system is asked,
    /// and the task is woken again afterwards.
    pub(in crate::runtime) fn may_judge(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        due: Instant,
    ) -> bool {
        if let Some(look) = self.look.take_if(|look| look.is_over()) {
            self.seen_until = look.began;
        }
        if due <= self.seen_until {
            return true;
        }
        if due <= now {
            match &self.look {
                Some(look) if look.wakes(cx.waker()) => {}
                Some(_) | None => self.look = Some(Look::begin(now, cx.waker())),
            }
        }
        false
    }

    /// Whether all that came before `due` has been seen, or the task is woken when it can be.
    pub(in crate::runtime) fn has_asked(&self, due: Instant) -> bool {
        due <= self.seen_until || self.look.as_ref().is_some_and(|look| due <= look.began)
    }

    /// The time by which to judge when `due` is the next deadline: never later than the input seen.
    pub(in crate::runtime) fn time(&self, now: Instant, due: Option<Instant>) -> Instant {
        time_to_judge(self.seen_until, now, due)
    }
}

/// The time by which to judge when all that came until `seen_until` was taken in and `due` is the
/// next deadline.
pub(in crate::runtime) fn time_to_judge(
    seen_until: Instant,
    now: Instant,
    due: Option<Instant>,
) -> Instant {
    match due {
        Some(due) if due <= seen_until => seen_until,
        Some(due) if due <= now => due - Duration::from_nanos(1),
        Some(_) | None => now,
    }
}

/// A question to the system, asked for the sake of a task.
#[derive(Debug)]
struct Look {
    /// What came before that lies in the sockets once it is over.
    began: Instant,
    asked: Arc<Asked>,
}

impl Look {
    fn begin(now: Instant, task: &Waker) -> Self {
        let asked = Arc::new(Asked {
            is_answered: AtomicBool::new(false),
            task: task.clone(),
        });
        wake_after_look(&asked.clone().into());
        Self { began: now, asked }
    }

    /// The task may have been woken by something else before.
    fn is_over(&self) -> bool {
        self.asked.is_answered.load(Ordering::Acquire)
    }

    fn wakes(&self, task: &Waker) -> bool {
        self.asked.task.will_wake(task)
    }
}

/// Woken when the system has answered.
#[derive(Debug)]
struct Asked {
    is_answered: AtomicBool,
    task: Waker,
}

impl Wake for Asked {
    fn wake(self: Arc<Self>) {
        self.is_answered.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

/// Has a task woken after the next look at the system. Woken at once, it would be polled before.
pub(in crate::runtime) fn wake_after_look(task: &Waker) {
    let mut cx = Context::from_waker(task);
    if pin!(tokio::task::yield_now()).poll(&mut cx).is_ready() {
        task.wake_by_ref();
    }
}

/// After so much work all has been taken in that the sockets held when it began.
const ENOUGH_WORK: Duration = Duration::from_secs(1);

/// The longest time that a round counts as work: it may be one in which the process stood still.
const ROUND: Duration = Duration::from_millis(20);

/// Rounds after which there was always more to take in.
#[derive(Debug)]
pub(in crate::runtime) struct Work {
    since: Instant,
    last: Instant,
    done: Duration,
}

impl Work {
    pub(in crate::runtime) fn new(now: Instant) -> Self {
        Self {
            since: now,
            last: now,
            done: Duration::ZERO,
        }
    }

    /// Notes a round after which there is more to take in, and returns the time by which to judge,
    /// once in a second's work: whoever sends without end must not keep others' deadlines from
    /// being judged. All that came before that time has been taken in, given that sources of input
    /// take turns.
    pub(in crate::runtime) fn note_round(&mut self, now: Instant) -> Option<Instant> {
        self.done += now.saturating_duration_since(self.last).min(ROUND);
        self.last = now;
        if self.done < ENOUGH_WORK {
            return None;
        }
        self.done = Duration::ZERO;
        Some(std::mem::replace(&mut self.since, now))
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
    fn a_second_of_work_shows_all_that_came_before_it_however_long_a_stop_lasts() {
        let start = Instant::now();
        let mut work = Work::new(start);
        let mut now = start;
        let mut rounds = |count: u32, each: Duration| {
            let rounds = (0..count).filter_map(|_| {
                now += each;
                work.note_round(now)
            });
            rounds.map(|seen| seen - start).collect::<Vec<_>>()
        };
        let [round, second] = [10, 1_000].map(Duration::from_millis);
        assert_eq!(rounds(99, round), []);
        assert_eq!(rounds(1, round), [Duration::ZERO]);
        assert_eq!(rounds(250, round), [second, 2 * second]);
        // Most of what came during a stop has not been taken in after one round.
        assert_eq!(rounds(1, 600 * second), []);
        assert_eq!(rounds(48, round), [3 * second]);
        assert_eq!(rounds(100, round), [Duration::from_millis(603_980)]);
    }

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
                let may_judge = lookout.may_judge(cx, at(7_000), at(5_000));
                // Asked again, it does not take its own question for an answer.
                assert_eq!(lookout.may_judge(cx, at(7_001), at(5_000)), may_judge);
                assert!(lookout.has_asked(at(7_000)) && !lookout.has_asked(at(7_001)));
                if may_judge {
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
