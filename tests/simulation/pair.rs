//! Two endpoints, the network between them, and a clock that only this file moves.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ministream::endpoint::{Config, Endpoint, Event, Link, Output};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

/// One of the two; also the name by which the other knows it.
pub(crate) type Side = usize;

/// What the network does to messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Network {
    /// The longest way of a message, in milliseconds.
    pub(crate) latency_ms: u64,
    /// Messages in a hundred that are lost.
    pub(crate) loss: u32,
    /// Messages in a hundred that arrive twice.
    pub(crate) duplicates: u32,
    /// Whether a message may overtake another.
    pub(crate) reorders: bool,
}

impl Network {
    /// What `tcp://` and `i2cp://` promise.
    pub(crate) const fn is_reliable(&self) -> bool {
        self.loss == 0 && self.duplicates == 0 && !self.reorders
    }
}

/// Two endpoints that talk to each other.
pub(crate) struct Pair {
    pub(crate) endpoints: [Endpoint<Side>; 2],
    pub(crate) now: Instant,
    pub(crate) network: Network,
    pub(crate) rng: Xoshiro256PlusPlus,
    timeouts: [Option<Instant>; 2],
    /// Messages under way to each side, by arrival and then by departure.
    under_way: [BTreeMap<(Instant, u64), Bytes>; 2],
    departures: u64,
    last_arrival: [Instant; 2],
    events: Vec<(Side, Event<Side>)>,
}

impl Pair {
    pub(crate) fn new(configs: [Config; 2], network: Network, seed: u64) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let now = Instant::now();
        Self {
            endpoints: configs.map(|config| Endpoint::new(config, rng.random())),
            now,
            network,
            rng,
            timeouts: [None; 2],
            under_way: [BTreeMap::new(), BTreeMap::new()],
            departures: 0,
            last_arrival: [now; 2],
            events: Vec::new(),
        }
    }

    /// Follows the drain rule on both sides and returns what happened there.
    pub(crate) fn drain(&mut self) -> Vec<(Side, Event<Side>)> {
        for side in 0..2 {
            self.timeouts[side] = loop {
                match self.endpoints[side].poll_output(self.now) {
                    Output::Transmit { to, message } => {
                        assert_eq!(to, 1 - side, "there is nobody else");
                        self.send(to, message.to_vec().into());
                    }
                    Output::Event(event) => self.events.push((side, event)),
                    Output::Timeout(at) => break Some(at),
                    Output::Idle => break None,
                }
            };
        }
        std::mem::take(&mut self.events)
    }

    fn send(&mut self, to: Side, message: Bytes) {
        let lost = self.happens(self.network.loss);
        let twice = self.happens(self.network.duplicates);
        let copies = match (lost, twice) {
            (true, _) => 0,
            (false, true) => 2,
            (false, false) => 1,
        };
        for _ in 0..copies {
            let latency = self.rng.random_range(0..=self.network.latency_ms);
            let mut arrival = self.now + Duration::from_millis(latency);
            if !self.network.reorders {
                arrival = arrival.max(self.last_arrival[to]);
                self.last_arrival[to] = arrival;
            }
            self.departures += 1;
            self.under_way[to].insert((arrival, self.departures), message.clone());
        }
    }

    /// The link breaks, with all that is under way, and returns at once.
    pub(crate) fn lose_link(&mut self) {
        for side in 0..2 {
            self.under_way[side].clear();
            self.endpoints[side].handle_link_lost(self.now, Link::Peer(1 - side));
        }
    }

    fn happens(&mut self, percent: u32) -> bool {
        percent > 0 && self.rng.random_range(0..100) < percent
    }

    /// Moves the clock to the next thing that happens by itself, but not beyond
    /// `until`, and lets it happen. False when nothing does.
    pub(crate) fn step(&mut self, until: Instant) -> bool {
        let arrival = |side: Side| {
            let wanted = self.endpoints[side].wants_input(Link::Peer(1 - side));
            let (&(at, _), _) = self.under_way[side].first_key_value()?;
            wanted.then_some(at)
        };
        let next = (0..2)
            .flat_map(|side| [arrival(side), self.timeouts[side]])
            .flatten()
            .min()
            .filter(|&at| at <= until);
        let Some(at) = next else {
            self.now = until;
            return false;
        };
        self.now = self.now.max(at);
        for side in 0..2 {
            self.deliver(side);
            self.endpoints[side].handle_timeout(self.now);
        }
        true
    }

    fn deliver(&mut self, side: Side) {
        while self.endpoints[side].wants_input(Link::Peer(1 - side)) {
            let Some(first) = self.under_way[side].first_entry() else {
                break;
            };
            if first.key().0 > self.now {
                break;
            }
            let message = first.remove();
            self.endpoints[side].handle_message(self.now, Some(1 - side), message);
        }
    }

    /// Nothing is under way, and both endpoints have forgotten everything.
    pub(crate) fn is_empty(&self) -> bool {
        self.under_way.iter().all(BTreeMap::is_empty)
            && self.endpoints.iter().all(Endpoint::is_empty)
    }
}
