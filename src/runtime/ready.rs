//! The ready ones of many sockets, for one task that owns them all.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use slab::Slab;

/// Wakers for numbered things, and the list of those that were woken.
///
/// Each number has a waker of its own, so that after a wake-up only those that are ready are
/// polled, however many there are.
#[derive(Debug, Default)]
pub(super) struct ReadySet {
    shared: Arc<Shared>,
    wakers: Slab<Waker>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ready: Vec<usize>,
    task: Option<Waker>,
}

impl State {
    fn wake_later(&mut self, cx: &Context<'_>) {
        match &mut self.task {
            Some(task) => task.clone_from(cx.waker()),
            None => self.task = Some(cx.waker().clone()),
        }
    }
}

#[derive(Debug)]
struct Token {
    shared: Arc<Shared>,
    number: usize,
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Every change of the state is complete before a panic could come.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Token {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let task = {
            let mut state = self.shared.state();
            state.ready.push(self.number);
            state.task.take()
        };
        if let Some(task) = task {
            task.wake();
        }
    }
}

impl ReadySet {
    /// A new number, to be looked at first thing. Numbers are small and come
    /// again after [`remove`](Self::remove).
    pub(super) fn insert(&mut self) -> usize {
        let entry = self.wakers.vacant_entry();
        let number = entry.key();
        entry.insert(Waker::from(Arc::new(Token {
            shared: Arc::clone(&self.shared),
            number,
        })));
        self.shared.state().ready.push(number);
        number
    }

    /// Gives a number back. A late wake-up may still name it.
    pub(super) fn remove(&mut self, number: usize) {
        self.wakers.remove(number);
    }

    /// The waker with which `number` is to be polled.
    pub(super) fn waker(&self, number: usize) -> &Waker {
        &self.wakers[number]
    }

    /// Has `number` looked at again, without a wake-up of the task.
    pub(super) fn mark(&self, number: usize) {
        self.shared.state().ready.push(number);
    }

    /// Ready if there is something to look at; else the task is woken when there is.
    pub(super) fn poll_ready(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.shared.state();
        if state.ready.is_empty() {
            state.wake_later(cx);
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }

    /// Moves the numbers that were woken to the end of `into`, in their order;
    /// some may be there more than once, or not exist any more. If there are
    /// none, the task is woken when there is one.
    pub(super) fn take_ready(&self, cx: &Context<'_>, into: &mut Vec<usize>) {
        let mut state = self.shared.state();
        if state.ready.is_empty() {
            state.wake_later(cx);
        } else {
            into.append(&mut state.ready);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn take(set: &ReadySet, count: &Arc<Count>) -> Vec<usize> {
        let waker = Waker::from(Arc::clone(count));
        let mut ready = Vec::new();
        set.take_ready(&Context::from_waker(&waker), &mut ready);
        ready
    }

    #[test]
    fn what_was_woken_is_told_in_order_and_the_task_is_woken_once() {
        let count = Arc::new(Count::default());
        let mut set = ReadySet::default();
        let numbers: Vec<_> = (0..3).map(|_| set.insert()).collect();
        assert_eq!(take(&set, &count), numbers, "new ones are looked at first");
        assert!(take(&set, &count).is_empty());

        set.waker(2).wake_by_ref();
        set.waker(0).wake_by_ref();
        set.waker(2).wake_by_ref();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(take(&set, &count), [2, 0, 2]);
    }

    #[test]
    fn asked_whether_there_is_something_it_takes_nothing_and_wakes_only_if_there_was_nothing() {
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let cx = Context::from_waker(&waker);
        let mut set = ReadySet::default();
        let number = set.insert();
        assert_eq!(set.poll_ready(&cx), Poll::Ready(()));
        set.waker(number).wake_by_ref();
        assert_eq!(count.0.load(Ordering::Relaxed), 0, "nobody waits");
        assert_eq!(take(&set, &count), [number, number]);
        assert_eq!(set.poll_ready(&cx), Poll::Pending);
        set.waker(number).wake_by_ref();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(take(&set, &count), [number]);
    }

    #[test]
    fn a_mark_is_seen_without_waking() {
        let count = Arc::new(Count::default());
        let mut set = ReadySet::default();
        let number = set.insert();
        take(&set, &count);
        assert!(take(&set, &count).is_empty());
        set.mark(number);
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
        assert_eq!(take(&set, &count), [number]);
    }

    #[test]
    fn a_late_wake_up_of_a_number_that_was_given_back_does_no_harm() {
        let count = Arc::new(Count::default());
        let mut set = ReadySet::default();
        let number = set.insert();
        let late = set.waker(number).clone();
        set.remove(number);
        late.wake();
        assert_eq!(take(&set, &count), [number, number]);
        assert_eq!(set.insert(), number);
    }
}
