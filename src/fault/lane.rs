//! The way of one connection's messages: the state that a fault of a later message depends on.

use std::num::NonZeroU64;
use std::ops::Range;
use std::time::{Duration, Instant};

use rand::rngs::{ChaCha12Rng, Xoshiro256PlusPlus};
use rand::{RngExt, SeedableRng};

use super::spec::{Fault, FaultSpec, Stall};

/// A place under way: when it is due, and which of those that are due then.
pub(super) type Place = (Instant, u64);

/// The faults of a direction, each at hand.
#[derive(Clone, Debug, Default)]
pub(super) struct Strengths {
    pub(super) latency: Duration,
    pub(super) jitter: Duration,
    pub(super) loss: f64,
    pub(super) duplicates: f64,
    pub(super) reordered: f64,
    pub(super) corrupted: f64,
    pub(super) merge: Option<usize>,
    pub(super) rate: Option<NonZeroU64>,
    pub(super) stall: Option<Stall>,
    pub(super) cut_after: Option<u64>,
    pub(super) black_hole: Option<Range<Duration>>,
}

impl Strengths {
    pub(super) fn of(spec: &FaultSpec) -> Self {
        let mut strengths = Self::default();
        for fault in spec.faults() {
            match fault {
                Fault::Latency { time, jitter } => {
                    (strengths.latency, strengths.jitter) = (*time, *jitter);
                }
                Fault::Loss(share) => strengths.loss = *share,
                Fault::Duplicates(share) => strengths.duplicates = *share,
                Fault::Reordered(share) => strengths.reordered = *share,
                Fault::Corrupted(share) => strengths.corrupted = *share,
                // Writes are the link's.
                Fault::Slice(_) => {}
                Fault::Merge(bytes) => strengths.merge = Some(*bytes),
                Fault::Rate(bytes) => strengths.rate = Some(*bytes),
                Fault::Stall(stall) => strengths.stall = Some(*stall),
                Fault::CutAfter(bytes) => strengths.cut_after = Some(*bytes),
                Fault::BlackHole(hole) => strengths.black_hole = Some(hole.clone()),
            }
        }
        strengths
    }
}

/// One connection, one way.
#[derive(Debug)]
pub(super) struct Lane {
    /// Its number among all lanes.
    pub(super) number: u64,
    rng: Xoshiro256PlusPlus,
    /// When the last message that keeps its place is due.
    last_due: Option<Instant>,
    /// When the last of all is due.
    pub(super) latest_due: Option<Instant>,
    /// Until when earlier messages take up the line.
    free_at: Option<Instant>,
    pub(super) passed_bytes: u64,
    pub(super) has_stalled: bool,
    pub(super) is_broken: bool,
    /// Those that the next message overtakes.
    pub(super) overtaken: Vec<Place>,
    pub(super) merging: Merging,
    /// Messages of it that are under way.
    pub(super) under_way: usize,
    /// Bytes that the messages under way count.
    pub(super) bytes: usize,
}

/// Messages that wait for others to go with.
#[derive(Debug, Default)]
pub(super) struct Merging {
    pub(super) places: Vec<Place>,
    pub(super) bytes: usize,
    pub(super) until: Option<Instant>,
}

/// When a message passes, and why not before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    pub(super) at: Instant,
    /// It waited for so long until the line was free.
    pub(super) queued: Duration,
    /// And was on its way for so long.
    pub(super) late: Duration,
}

impl Lane {
    /// The lane of this number, whose luck follows from the seed.
    pub(super) fn new(seed: [u8; 32], number: u64) -> Self {
        let mut seeds = ChaCha12Rng::from_seed(seed);
        seeds.set_stream(number);
        Self {
            number,
            rng: Xoshiro256PlusPlus::from_rng(&mut seeds),
            last_due: None,
            latest_due: None,
            free_at: None,
            passed_bytes: 0,
            has_stalled: false,
            is_broken: false,
            overtaken: Vec::new(),
            merging: Merging::default(),
            under_way: 0,
            bytes: 0,
        }
    }

    pub(super) fn happens(&mut self, share: f64) -> bool {
        // `random_bool` panics above 1.
        share > 0.0 && self.rng.random_bool(share.min(1.0))
    }

    /// One of so many bytes, and its change.
    pub(super) fn damage(&mut self, bytes: usize) -> (usize, u8) {
        let place = self.rng.random_range(0..bytes.max(1));
        // A mask of 0 would change nothing.
        (place, self.rng.random_range(1..=u8::MAX))
    }

    /// Lets nothing pass for a time.
    pub(super) fn stall(&mut self, now: Instant, time: Duration) {
        let free_at = self.free_at.map_or(now, |at| at.max(now));
        self.free_at = Some(free_at + time);
    }

    /// When a message that keeps its place comes out.
    pub(super) fn due(&mut self, now: Instant, bytes: usize, strengths: &Strengths) -> Due {
        let start = self.free_at.map_or(now, |at| at.max(now));
        let sent = match strengths.rate {
            Some(rate) => {
                // A rate is at least 1 B/s, so that no message takes longer than a `Duration` holds.
                let took = Duration::from_secs_f64(bytes as f64 / rate.get() as f64);
                self.free_at = Some(start + took);
                start + took
            }
            None => start,
        };
        let late = if strengths.jitter.is_zero() {
            strengths.latency
        } else {
            // A jitter larger than the latency would have messages arrive before they were sent, and
            // `Duration` panics below zero.
            let jitter = strengths.jitter.as_secs_f64() * self.rng.random_range(-1.0..=1.0);
            Duration::from_secs_f64((strengths.latency.as_secs_f64() + jitter).max(0.0))
        };
        let due = sent + late;
        Due {
            at: self.last_due.map_or(due, |last| due.max(last)),
            queued: sent - now,
            late,
        }
    }

    /// Takes note of a message that keeps its place.
    pub(super) const fn keeps_place(&mut self, due: Instant) {
        self.last_due = Some(due);
    }
}
