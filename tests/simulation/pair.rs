//! Two endpoints, the network between them, and a clock that only this file moves.

use std::time::Instant;

use bytes::Bytes;
use ministream::endpoint::{Config, Endpoint, Event, Output, Scope};
use ministream::fault::{Engine, FaultKind, FaultSpec, LaneEvent};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

/// One of the two; also the name by which the other knows it.
pub(crate) type Side = usize;

/// What the network does to messages.
#[derive(Clone, Debug)]
pub(crate) struct Network(FaultSpec);

impl Network {
    /// A network with these faults; without any for an empty text.
    pub(crate) fn with(faults: &str) -> Self {
        Self(match faults {
            "" => FaultSpec::default(),
            faults => faults.parse().expect("a test knows its faults"),
        })
    }

    /// What `tcp://` and `i2cp://` promise.
    pub(crate) fn is_reliable(&self) -> bool {
        self.0
            .faults()
            .iter()
            .all(|fault| fault.kind() == FaultKind::Latency)
    }
}

/// Two endpoints that talk to each other.
pub(crate) struct Pair {
    pub(crate) endpoints: [Endpoint<Side>; 2],
    pub(crate) now: Instant,
    pub(crate) network: Network,
    pub(crate) rng: Xoshiro256PlusPlus,
    timeouts: [Option<Instant>; 2],
    /// Messages under way to each side.
    under_way: [Engine<Side, Bytes>; 2],
    events: Vec<(Side, Event<Side>)>,
}

impl Pair {
    pub(crate) fn new(configs: [Config; 2], network: Network, seed: u64) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let now = Instant::now();
        let endpoints = configs.map(|config| Endpoint::new(config, rng.random()));
        let luck = rng.random();
        Self {
            endpoints,
            now,
            under_way: [0, 1].map(|side| Engine::new(network.0.clone(), luck, side, now)),
            network,
            rng,
            timeouts: [None; 2],
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
                        self.under_way[to].submit(self.now, to, message.to_vec().into());
                    }
                    Output::Event(event) => self.events.push((side, event)),
                    Output::Timeout(at) => break Some(at),
                    Output::Idle => break None,
                }
            };
        }
        std::mem::take(&mut self.events)
    }

    /// The link breaks, with all that is under way, and returns at once.
    pub(crate) fn lose_link(&mut self) {
        for side in 0..2 {
            self.under_way[side].forget_all();
            self.endpoints[side].handle_link_lost(self.now, Scope::Peer(1 - side));
        }
    }

    /// Moves the clock to the next thing that happens by itself, but not beyond
    /// `until`, and lets it happen. False when nothing does.
    pub(crate) fn step(&mut self, until: Instant) -> bool {
        let arrival = |side: Side| {
            let wanted = self.endpoints[side].wants_input(Scope::Peer(1 - side));
            let at = self.under_way[side].next_due()?;
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
        while self.endpoints[side].wants_input(Scope::Peer(1 - side)) {
            let Some(LaneEvent::Arrives(_, message)) = self.under_way[side].poll(self.now) else {
                break;
            };
            self.endpoints[side].handle_message(self.now, Some(1 - side), message);
        }
    }

    /// No timer of either endpoint runs.
    pub(crate) fn awaits_nothing(&self) -> bool {
        self.timeouts == [None; 2]
    }

    /// Nothing is under way, and both endpoints have forgotten everything.
    pub(crate) fn is_empty(&self) -> bool {
        self.under_way.iter().all(Engine::is_idle) && self.endpoints.iter().all(Endpoint::is_empty)
    }
}
