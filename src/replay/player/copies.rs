//! The beginnings of conversations: copies of the recording, each played in passes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::timers::{Timer, Timers};
use crate::replay::options::{Load, Loops};
use crate::replay::plan::Plan;

/// All copies.
#[derive(Debug)]
pub(super) struct Copies {
    copies: Vec<Copy>,
    /// Copies that may have something to begin.
    awake: VecDeque<usize>,
    playing: usize,
    loops: Loops,
    loop_gap: Duration,
    stop_at: Option<Instant>,
}

#[derive(Debug)]
struct Copy {
    pass: u64,
    base: Instant,
    /// The next conversation of the plan.
    next: usize,
    open: usize,
    is_awake: bool,
    is_done: bool,
}

/// A conversation that begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) copy: usize,
    pub(super) pass: u64,
    pub(super) base: Instant,
    /// Its index in the plan.
    pub(super) planned: usize,
}

impl Copies {
    pub(super) fn new(load: &Load, start: Instant, timers: &mut Timers) -> Self {
        let copies: Vec<Copy> = (0..load.concurrency.get())
            .map(|number| {
                let base = start + load.stagger.saturating_mul(number);
                Copy {
                    pass: 1,
                    base,
                    next: 0,
                    open: 0,
                    is_awake: false,
                    is_done: load.loops.are_over(0),
                }
            })
            .collect();
        for (number, copy) in copies.iter().enumerate() {
            timers.push(copy.base, Timer::Copy(number));
        }
        Self {
            playing: copies.iter().filter(|copy| !copy.is_done).count(),
            copies,
            awake: VecDeque::new(),
            loops: load.loops,
            loop_gap: load.loop_gap,
            stop_at: load.duration.map(|duration| start + duration),
        }
    }

    pub(super) const fn are_done(&self) -> bool {
        self.playing == 0
    }

    /// Conversations that were not begun: of the passes that were, and of
    /// those that were still to come, unless they would never have ended.
    pub(super) fn not_begun(&self, planned: usize) -> u64 {
        let left = |copy: &Copy| {
            let passes = match self.loops {
                Loops::Times(times) => times.saturating_sub(copy.pass),
                Loops::Forever => 0,
            };
            let to_come = passes.saturating_mul(planned as u64);
            to_come.saturating_add((planned - copy.next) as u64)
        };
        let playing = self.copies.iter().filter(|copy| !copy.is_done);
        playing.map(left).fold(0, u64::saturating_add)
    }

    /// A copy may have something to begin.
    pub(super) fn wake(&mut self, number: usize) {
        let copy = &mut self.copies[number];
        if !copy.is_awake && !copy.is_done {
            copy.is_awake = true;
            self.awake.push_back(number);
        }
    }

    /// A conversation of this copy is over, as far as others wait for it.
    pub(super) fn conversation_over(&mut self, now: Instant, number: usize, timers: &mut Timers) {
        self.copies[number].open -= 1;
        self.wake(number);
        // Its next pass may have to wait.
        if self.copies[number].base > now {
            timers.push(self.copies[number].base, Timer::Copy(number));
        }
    }

    /// The next conversation to begin at `now`. No copy gets more than `limit` open.
    pub(super) fn next_start(
        &mut self,
        now: Instant,
        plan: &Plan,
        limit: usize,
        timers: &mut Timers,
    ) -> Option<Start> {
        while let Some(&number) = self.awake.front() {
            if self.stop_at.is_some_and(|stop| now >= stop) {
                self.retire(number);
            } else if let Some(start) = self.start(now, number, plan, limit, timers) {
                return Some(start);
            }
            self.awake.pop_front();
            self.copies[number].is_awake = false;
        }
        None
    }

    fn start(
        &mut self,
        now: Instant,
        number: usize,
        plan: &Plan,
        limit: usize,
        timers: &mut Timers,
    ) -> Option<Start> {
        let copy = &mut self.copies[number];
        if copy.next == plan.conversations.len() && copy.open == 0 && !copy.is_done {
            if self.loops.are_over(copy.pass) {
                self.retire(number);
                return None;
            }
            copy.pass += 1;
            copy.next = 0;
            copy.base = now + self.loop_gap;
        }
        let planned = plan.conversations.get(copy.next)?;
        if copy.open >= limit || copy.is_done {
            return None;
        }
        let due = copy.base + planned.steps[0].offset;
        if due > now {
            timers.push(due, Timer::Copy(number));
            return None;
        }
        let start = Start {
            copy: number,
            pass: copy.pass,
            base: copy.base,
            planned: copy.next,
        };
        copy.next += 1;
        copy.open += 1;
        Some(start)
    }

    /// The copy begins nothing more.
    fn retire(&mut self, number: usize) {
        let copy = &mut self.copies[number];
        if !copy.is_done {
            copy.is_done = true;
            self.playing -= 1;
        }
    }
}
