//! The engine: messages in, the same or others out when they are due.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::ops::Bound;
use std::time::{Duration, Instant};

use hashbrown::HashMap;

use super::gone::Gone;
use super::lane::{Lane, Place, Strengths};
use super::spec::{FaultKind, FaultSpec};
use super::stats::{AppliedFaults, FaultStats};
use crate::allocation::{ALLOCATION_BYTES, tree_entry_bytes};

/// Bytes of messages under way at which no more should come in.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Longest time that a message to be overtaken waits for another, and one that is to go with
/// others.
const PATIENCE: Duration = Duration::from_millis(20);

/// Connections that are remembered; beyond it, those without a message under way are forgotten,
/// and begin anew when they are heard of again.
const MAX_LANES: usize = 16 * 1024;

/// Items that can be lost, doubled and damaged.
pub trait Parcelled: Clone {
    /// Its length in bytes.
    fn bytes(&self) -> usize;

    /// A second copy of the message, which its receiver does not expect.
    #[must_use]
    fn copy(&self) -> Self {
        self.clone()
    }

    /// Number of bytes that it keeps while it waits.
    fn held_bytes(&self) -> usize {
        self.bytes()
    }

    /// Moves its bytes to memory of their own, because it has to wait: they may be a small part of
    /// a large read, all of whose memory they would hold.
    fn own_memory(&mut self);

    /// Changes the byte at a place, which is below [`bytes`](Self::bytes), by XOR.
    fn damage(&mut self, place: usize, mask: u8);

    /// Keeps only the first bytes, which go out before the connection breaks; false if nothing of it
    /// can go out then.
    fn tear(&mut self, _bytes: usize) -> bool {
        false
    }

    /// Notes which faults it met, if it is to arrive.
    fn take_note(&mut self, _applied: &AppliedFaults) {}
}

impl Parcelled for Vec<u8> {
    fn bytes(&self) -> usize {
        self.len()
    }

    fn own_memory(&mut self) {}

    fn damage(&mut self, place: usize, mask: u8) {
        if let Some(byte) = self.get_mut(place) {
            *byte ^= mask;
        }
    }
}

impl Parcelled for bytes::Bytes {
    fn bytes(&self) -> usize {
        self.len()
    }

    fn own_memory(&mut self) {
        *self = Self::copy_from_slice(self);
    }

    fn damage(&mut self, place: usize, mask: u8) {
        let mut damaged = self.to_vec();
        damaged.damage(place, mask);
        *self = damaged.into();
    }
}

/// An output of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaneEvent<K, M> {
    /// A message of a connection.
    Arrives(K, M),
    /// A connection breaks, and messages under way on it are lost.
    Breaks(K),
}

impl<K, M> LaneEvent<K, M> {
    pub(super) const fn key(&self) -> &K {
        match self {
            Self::Arrives(key, _) | Self::Breaks(key) => key,
        }
    }
}

/// A message under way.
#[derive(Debug)]
struct Delivery<K, M> {
    event: LaneEvent<K, M>,
    /// The number of its lane: a connection that comes back has another.
    lane: u64,
}

impl<K, M: Parcelled> Delivery<K, M> {
    /// The bytes counted for it while it is under way: all the memory that it takes.
    fn cost(&self) -> usize {
        let held_bytes = match &self.event {
            LaneEvent::Arrives(_, message) => message.held_bytes() + ALLOCATION_BYTES,
            LaneEvent::Breaks(_) => 0,
        };
        // A lane may remember its place, in a list that has twice the room.
        held_bytes + tree_entry_bytes::<(Place, Self)>() + 2 * size_of::<Place>()
    }
}

/// Messages of one direction on their way through a bad network.
///
/// `K` names a connection: order, rate, stalls and cuts are matters of each.
#[derive(Debug)]
pub struct Engine<K, M> {
    spec: FaultSpec,
    strengths: Strengths,
    seed: [u8; 32],
    /// Numbers the next lane.
    next_lane: u64,
    began: Instant,
    lanes: HashMap<K, Lane>,
    under_way: BTreeMap<Place, Delivery<K, M>>,
    /// Those that were due when nobody wanted their connection, by the number of its lane: there they
    /// wait until somebody does, and no other message has to pass them again.
    aside: BTreeMap<(u64, Option<Place>), LaneEvent<K, M>>,
    /// Those under way that will not arrive, because their connections are gone.
    gone: Gone,
    bytes: usize,
    submitted: u64,
    stats: FaultStats,
}

impl<K: Clone + Eq + Hash, M: Parcelled> Engine<K, M> {
    /// An engine with nothing under way. Engines of one seed with another `stream` have other
    /// luck. Black holes count from `began`.
    pub fn new(spec: FaultSpec, seed: [u8; 32], stream: u32, began: Instant) -> Self {
        Self {
            strengths: Strengths::of(&spec),
            spec,
            seed,
            // Lanes of each stream have numbers of their own, from which their luck follows.
            next_lane: u64::from(stream) << 32,
            began,
            lanes: HashMap::new(),
            under_way: BTreeMap::new(),
            aside: BTreeMap::new(),
            gone: Gone::default(),
            bytes: 0,
            submitted: 0,
            stats: FaultStats::default(),
        }
    }

    /// The faults in force.
    pub const fn spec(&self) -> &FaultSpec {
        &self.spec
    }

    /// Changes the faults from now on; messages under way keep theirs.
    pub fn set_spec(&mut self, spec: FaultSpec) {
        self.strengths = Strengths::of(&spec);
        self.spec = spec;
    }

    /// The effects so far.
    pub const fn stats(&self) -> &FaultStats {
        &self.stats
    }

    /// Takes a message; returns which faults it met.
    pub fn submit(&mut self, now: Instant, key: K, mut message: M) -> AppliedFaults {
        let bytes = message.bytes();
        self.stats.messages += 1;
        self.stats.bytes += bytes as u64;
        let strengths = self.strengths.clone();
        let mut applied = AppliedFaults::default();
        let stats = &mut self.stats;
        let mut note = |kind, delay| {
            stats.note(kind, delay);
            applied.note(kind, delay);
        };
        let lane = Self::lane(&mut self.lanes, self.seed, &mut self.next_lane, key.clone());
        if lane.is_broken {
            return applied;
        }
        let age = now.saturating_duration_since(self.began);
        if strengths
            .black_hole
            .as_ref()
            .is_some_and(|hole| hole.contains(&age))
        {
            note(FaultKind::BlackHole, Duration::ZERO);
            return applied;
        }
        if let Some(stall) = strengths.stall
            && !lane.has_stalled
            && lane.passed_bytes >= stall.after_bytes
        {
            lane.has_stalled = true;
            lane.stall(now, stall.time);
            note(FaultKind::Stall, stall.time);
        }
        // Runs of one seed meet the same faults only as long as these draws keep their order.
        let is_lost = lane.happens(strengths.loss);
        // A message that gets lost has taken up the line like any other: it is lost behind it.
        let due = lane.due(now, bytes, &strengths);
        if strengths.rate.is_some() && !due.queued.is_zero() {
            note(FaultKind::Rate, due.queued);
        }
        if is_lost {
            note(FaultKind::Loss, Duration::ZERO);
            return applied;
        }
        lane.passed_bytes += bytes as u64;
        if strengths
            .cut_after
            .is_some_and(|cut| lane.passed_bytes > cut)
        {
            lane.is_broken = true;
            // A break overtakes nothing: neither messages that keep their place nor late ones.
            let at = lane.latest_due.map_or(due.at, |latest| due.at.max(latest));
            let left = strengths.cut_after.map_or(0, |cut| {
                cut.saturating_sub(lane.passed_bytes - bytes as u64)
            });
            note(FaultKind::CutAfter, Duration::ZERO);
            message.take_note(&applied);
            if let Ok(left) = usize::try_from(left)
                && left > 0
                && message.tear(left)
            {
                self.insert(now, at, LaneEvent::Arrives(key.clone(), message));
            }
            self.insert(now, at, LaneEvent::Breaks(key));
            return applied;
        }
        if lane.happens(strengths.corrupted) {
            let (place, mask) = lane.damage(bytes);
            message.damage(place, mask);
            note(FaultKind::Corrupted, Duration::ZERO);
        }
        let is_doubled = lane.happens(strengths.duplicates);
        let is_overtaken = lane.happens(strengths.reordered);
        if !due.late.is_zero() {
            note(FaultKind::Latency, due.late);
        }
        if is_doubled {
            note(FaultKind::Duplicates, Duration::ZERO);
        }
        if is_overtaken {
            note(FaultKind::Reordered, Duration::ZERO);
        }
        if strengths.merge.is_some_and(|enough| bytes < enough) {
            // It may wait; whether it did is known when it goes.
            applied.note(FaultKind::Merge, Duration::ZERO);
        }
        message.take_note(&applied);
        let copy = is_doubled.then(|| message.copy());
        let place = if is_overtaken {
            self.overtaken(now, due.at, key.clone(), message)
        } else {
            self.in_order(now, due.at, key.clone(), message, bytes)
        };
        if let Some(copy) = copy {
            let copied = self.insert(now, place.0, LaneEvent::Arrives(key.clone(), copy));
            if let Some(lane) = self.lanes.get_mut(&key) {
                if is_overtaken {
                    lane.overtaken.push(copied);
                } else if lane.merging.places.contains(&place) {
                    lane.merging.places.push(copied);
                }
            }
        }
        applied
    }

    /// Takes something that is late and keeps its place as messages do, behind all that came
    /// before, but meets no other fault: the end of a connection.
    pub fn submit_end(&mut self, now: Instant, key: K, end: M) {
        let lane = Self::lane(&mut self.lanes, self.seed, &mut self.next_lane, key.clone());
        let due = lane.due(now, 0, &self.strengths).at;
        let at = lane.latest_due.map_or(due, |latest| due.max(latest));
        lane.keeps_place(at);
        // The end is behind all of them: no later message may put them off.
        lane.overtaken.clear();
        self.insert(now, at, LaneEvent::Arrives(key, end));
    }

    fn lane<'a>(
        lanes: &'a mut HashMap<K, Lane>,
        seed: [u8; 32],
        next_lane: &mut u64,
        key: K,
    ) -> &'a mut Lane {
        if lanes.len() >= MAX_LANES && !lanes.contains_key(&key) {
            lanes.retain(|_, lane| lane.under_way > 0);
        }
        lanes.entry(key).or_insert_with(|| {
            let number = *next_lane;
            *next_lane += 1;
            Lane::new(seed, number)
        })
    }

    /// Lets a message wait until the next one has passed.
    fn overtaken(&mut self, now: Instant, due: Instant, key: K, message: M) -> Place {
        let delivery = LaneEvent::Arrives(key.clone(), message);
        let place = self.insert(now, due + PATIENCE, delivery);
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.overtaken.push(place);
        }
        place
    }

    fn in_order(&mut self, now: Instant, due: Instant, key: K, message: M, bytes: usize) -> Place {
        let merge = self.strengths.merge;
        let mut at = due;
        let mut gathered = Vec::new();
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.keeps_place(due);
            if let Some(enough) = merge {
                let merging = &mut lane.merging;
                let until = match merging.until {
                    Some(until) if now < until => until,
                    _ => {
                        merging.places.clear();
                        merging.bytes = 0;
                        due + PATIENCE
                    }
                };
                merging.until = Some(until);
                merging.bytes += bytes;
                if merging.bytes >= enough {
                    gathered = std::mem::take(&mut merging.places);
                    merging.bytes = 0;
                    merging.until = None;
                } else {
                    at = due.max(until);
                }
            }
        }
        // They go when the last of them is there.
        for place in gathered {
            self.stats.note(FaultKind::Merge, Duration::ZERO);
            self.put_off(&key, place, at);
        }
        let place = self.insert(now, at, LaneEvent::Arrives(key.clone(), message));
        let Some(lane) = self.lanes.get_mut(&key) else {
            return place;
        };
        if at > due {
            lane.merging.places.push(place);
        }
        for overtaken in std::mem::take(&mut lane.overtaken) {
            self.put_off(&key, overtaken, at);
        }
        place
    }

    /// Gives a message still under way another time.
    fn put_off(&mut self, key: &K, place: Place, at: Instant) {
        let delivery = self.under_way.remove(&place).or_else(|| {
            let lane = self.lanes.get(key)?.number;
            self.take_aside(lane, place)
        });
        if let Some(delivery) = delivery {
            self.submitted += 1;
            self.under_way.insert((at, self.submitted), delivery);
        }
    }

    fn insert(&mut self, now: Instant, at: Instant, mut event: LaneEvent<K, M>) -> Place {
        // Where messages are overdue, nobody takes those that are due.
        let overdue = self.under_way.first_key_value();
        let overdue = overdue.is_some_and(|((due, _), _)| *due < now) || !self.aside.is_empty();
        let waits = at > now || overdue;
        if let (true, LaneEvent::Arrives(_, message)) = (waits, &mut event) {
            message.own_memory();
        }
        let lane = Self::lane(
            &mut self.lanes,
            self.seed,
            &mut self.next_lane,
            event.key().clone(),
        );
        lane.under_way += 1;
        lane.latest_due = Some(lane.latest_due.map_or(at, |latest| latest.max(at)));
        let delivery = Delivery {
            lane: lane.number,
            event,
        };
        let cost = delivery.cost();
        lane.bytes += cost;
        self.bytes += cost;
        self.submitted += 1;
        let place = (at, self.submitted);
        self.under_way.insert(place, delivery);
        place
    }

    /// The next thing that is due.
    pub fn poll(&mut self, now: Instant) -> Option<LaneEvent<K, M>> {
        self.poll_wanted(now, |_| true)
    }

    /// The next thing that is due on a connection that is wanted.
    pub fn poll_wanted(
        &mut self,
        now: Instant,
        mut wanted: impl FnMut(&K) -> bool,
    ) -> Option<LaneEvent<K, M>> {
        let aside = self.first_aside(&mut wanted);
        while let Some((&place, _)) = self.under_way.first_key_value()
            && place <= aside.map_or((now, u64::MAX), |(_, place)| place)
        {
            let delivery = self.under_way.remove(&place)?;
            if !arrives(&self.lanes, &delivery) {
                let cost = delivery.cost();
                self.bytes -= cost;
                self.gone.remove_one(cost);
            } else if wanted(delivery.event.key()) {
                return Some(self.pass(delivery));
            } else {
                let place = (delivery.lane, Some(place));
                self.aside.insert(place, delivery.event);
            }
        }
        let (lane, place) = aside?;
        let delivery = self.take_aside(lane, place)?;
        Some(self.pass(delivery))
    }

    fn pass(&mut self, delivery: Delivery<K, M>) -> LaneEvent<K, M> {
        let cost = delivery.cost();
        self.bytes -= cost;
        if let Some(lane) = self.lanes.get_mut(delivery.event.key()) {
            lane.under_way -= 1;
            lane.bytes -= cost;
        }
        self.drop_gone_if_half();
        if let LaneEvent::Breaks(key) = &delivery.event {
            self.forget(key);
        }
        delivery.event
    }

    /// The first of those aside whose connection is wanted. Each connection is asked for once, however
    /// many of its messages are there.
    fn first_aside(&self, mut wanted: impl FnMut(&K) -> bool) -> Option<(u64, Place)> {
        let mut first: Option<(u64, Place)> = None;
        let mut rest = self.aside.range(..);
        while let Some((&(lane, place), event)) = rest.next() {
            let place = place?;
            if wanted(event.key()) && first.is_none_or(|(_, first)| place < first) {
                first = Some((lane, place));
            }
            rest = self.aside.range((lane + 1, None)..);
        }
        first
    }

    fn take_aside(&mut self, lane: u64, place: Place) -> Option<Delivery<K, M>> {
        let event = self.aside.remove(&(lane, Some(place)))?;
        Some(Delivery { event, lane })
    }

    /// When the next thing is due.
    pub fn next_due(&self) -> Option<Instant> {
        let under_way = self.under_way.first_key_value().map(|(place, _)| *place);
        let aside = self.first_aside(|_| true).map(|(_, place)| place);
        let first = under_way.into_iter().chain(aside).min();
        first.map(|(due, _)| due)
    }

    /// When the next thing is due that is not yet.
    pub fn next_due_after(&self, now: Instant) -> Option<Instant> {
        let later = (Bound::Excluded((now, u64::MAX)), Bound::Unbounded);
        self.under_way.range(later).next().map(|((due, _), _)| *due)
    }

    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.under_way.is_empty() && self.aside.is_empty()
    }

    /// The bytes of messages under way.
    pub const fn held_bytes(&self) -> usize {
        self.bytes
    }

    /// The bytes of messages under way on a connection.
    pub fn lane_bytes(&self, key: &K) -> usize {
        self.lanes.get(key).map_or(0, |lane| lane.bytes)
    }

    /// Whether no more messages should come in. They may all the same.
    pub const fn is_full(&self) -> bool {
        self.bytes >= MAX_BYTES
    }

    /// Whether messages may come in again after it was full.
    pub const fn has_room(&self) -> bool {
        self.bytes <= MAX_BYTES / 2
    }

    /// Drops messages under way on a connection that is gone; their memory is free at the latest when half
    /// of all are such, or of all bytes.
    pub fn forget(&mut self, key: &K) {
        let Some(lane) = self.lanes.remove(key) else {
            return;
        };
        let (mut count, mut bytes) = (lane.under_way, lane.bytes);
        // Those aside stand together.
        while let Some((&(number, place), _)) = self.aside.range((lane.number, None)..).next()
            && number == lane.number
            && let Some(delivery) = place.and_then(|place| self.take_aside(number, place))
        {
            let cost = delivery.cost();
            self.bytes -= cost;
            (count, bytes) = (count - 1, bytes - cost);
        }
        self.gone.add(count, bytes);
        self.drop_gone_if_half();
    }

    fn drop_gone_if_half(&mut self) {
        if !self.gone.are_half_of(self.under_way.len(), self.bytes) {
            return;
        }
        let (bytes, lanes) = (&mut self.bytes, &self.lanes);
        self.under_way.retain(|_, delivery| {
            let keeps = arrives(lanes, delivery);
            if !keeps {
                *bytes -= delivery.cost();
            }
            keeps
        });
        self.gone = Gone::default();
    }

    /// Drops everything: all connections are gone.
    pub fn forget_all(&mut self) {
        self.lanes.clear();
        self.under_way.clear();
        self.aside.clear();
        self.gone = Gone::default();
        self.bytes = 0;
    }
}

/// Whether the connection of a message under way is still there.
fn arrives<K: Eq + Hash, M>(lanes: &HashMap<K, Lane>, delivery: &Delivery<K, M>) -> bool {
    let lane = lanes.get(delivery.event.key());
    lane.is_some_and(|lane| lane.number == delivery.lane)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_with_nothing_under_way_are_forgotten_when_there_are_too_many() {
        let now = Instant::now();
        let spec = "latency=1ms".parse().unwrap();
        let mut engine = Engine::new(spec, [1; 32], 0, now);
        for key in 0..2 * MAX_LANES + 1 {
            engine.submit(now, key, vec![0]);
            assert!(engine.poll(now + Duration::from_millis(1)).is_some());
            assert!(engine.lanes.len() <= MAX_LANES);
        }
    }

    #[test]
    fn a_message_that_is_to_be_overtaken_counts_its_place_in_the_list_of_its_connection() {
        let now = Instant::now();
        let mut engine = Engine::new("reorder=100%".parse().unwrap(), [1; 32], 0, now);
        // One more than fit, so that half of the list is empty.
        for _ in 0..1_025 {
            engine.submit(now, (), vec![0; 10]);
        }
        let list = engine.lanes[&()].overtaken.capacity() * size_of::<Place>();
        let each = 10 + tree_entry_bytes::<(Place, Delivery<(), Vec<u8>>)>() + ALLOCATION_BYTES;
        assert!(list >= 2 * 1_024 * size_of::<Place>());
        assert!(engine.held_bytes() >= 1_025 * each + list);
    }

    #[test]
    fn what_has_passed_is_not_gone_with_its_connection() {
        let now = Instant::now();
        let mut engine = Engine::new("latency=1ms".parse().unwrap(), [1; 32], 0, now);
        for _ in 0..10 {
            engine.submit(now, "first", vec![0; 10]);
        }
        while engine.poll(now + Duration::from_millis(1)).is_some() {}
        for key in ["first", "second", "second"] {
            engine.submit(now, key, vec![0; 10]);
        }
        engine.forget(&"first");
        assert_eq!(engine.under_way.len(), 3, "one of three is not half");
    }

    #[test]
    fn what_is_gone_leaves_its_room_to_others_before_it_is_due() {
        let now = Instant::now();
        let late: FaultSpec = "latency=1h".parse().unwrap();
        let (mut engine, mut large_count) = (Engine::new(late, [1; 32], 0, now), 0);
        while !engine.is_full() {
            engine.submit(now, "large", vec![0; 32 * 1024]);
            large_count += 1;
        }
        // Many more that are small, and under way for less long.
        engine.set_spec("latency=1ms".parse().unwrap());
        for _ in 0..3 * large_count {
            engine.submit(now, "small", vec![0]);
        }
        engine.forget(&"large");
        assert!(engine.has_room(), "{} bytes", engine.held_bytes());

        // What is gone is the smaller part, and the others leave.
        let mut engine = Engine::new("latency=1h".parse().unwrap(), [1; 32], 0, now);
        while !engine.is_full() {
            for (key, latency, bytes) in [
                ("large", "latency=1h", 20 * 1024),
                ("small", "latency=1ms", 10 * 1024),
                ("small", "latency=1ms", 10 * 1024),
                ("small", "latency=1ms", 10 * 1024),
            ] {
                engine.set_spec(latency.parse().unwrap());
                engine.submit(now, key, vec![0; bytes]);
            }
        }
        engine.forget(&"large");
        assert!(!engine.has_room());
        while engine.poll(now + Duration::from_millis(1)).is_some() {}
        assert_eq!(engine.held_bytes(), 0);
    }
}
