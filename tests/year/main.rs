//! A year of two endpoints, each on a session with a router of its own, in virtual time. It is alone in
//! its process, so that its memory is its own.

use std::collections::VecDeque;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ministream::endpoint::{Config, End, Endpoint, Event, Handle, Open, Output, Scope};
use ministream::keys::Keys;
use ministream::session::{
    Attempts, Event as SessionEvent, Lane, LaneOrder, Session, SessionConfig,
};
use ministream::wire::{Destination, DestinationHash};
use ministream_fixtures::i2cp::{
    message_payload, message_status, request_variable_lease_set, session_status, set_date,
};
use rand::rngs::{ChaCha12Rng, Xoshiro256PlusPlus};
use rand::{RngExt, SeedableRng};

const DAYS: u32 = 365;
const TEN_MINUTES: Duration = Duration::from_secs(600);
const TICKS_OF_A_DAY: u32 = 24 * 6;
/// How long a message is on its way through the network.
const LATENCY: Duration = Duration::from_millis(400);
const SESSION: u16 = 0x0102;
/// What the allocator may have put elsewhere in eleven months.
const SLACK_KIB: u64 = 512;

type Side = usize;

/// An endpoint, its session, and the router that answers that.
struct Station {
    endpoint: Endpoint<Side>,
    session: Session,
    keys: Arc<Keys>,
    /// Whether its router reports as Java does, or as i2pd.
    is_java: bool,
    /// The other one, once the session knows it.
    other: Option<DestinationHash>,
    is_ready: bool,
    timeout: Option<Instant>,
    next_id: u32,
    lease_sets: u32,
}

/// What a station and its session hold.
#[derive(Debug, Default, PartialEq, Eq)]
struct Holdings {
    conversation_count: usize,
    is_anything_left: bool,
    waiting_bytes: usize,
    endpoint_timer: Option<Instant>,
    session_timer: Option<Instant>,
}

impl Station {
    fn new(seed: u8, now: Instant) -> Self {
        let keys = Arc::new(Keys::generate(&mut ChaCha12Rng::from_seed([seed; 32])));
        let mut config = Config::default();
        // Nobody tells it of a peer that lost its link.
        config.idle_timeout = Some(Duration::from_secs(7_200));
        config.keep_alive = Some(Duration::from_secs(1_800));
        Self {
            endpoint: Endpoint::new(config, [seed; 32]),
            session: session(&keys, now),
            keys,
            is_java: seed.is_multiple_of(2),
            other: None,
            is_ready: false,
            timeout: None,
            next_id: 1,
            lease_sets: 0,
        }
    }

    /// Its router has gone, with all that was on its way, and another takes its place.
    fn lose_link(&mut self, now: Instant) {
        self.session.handle_close();
        self.session = session(&self.keys, now);
        self.other = None;
        self.is_ready = false;
        self.endpoint.handle_link_lost(now, Scope::All);
    }

    fn fresh_id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id
    }

    /// What the router answers to a frame, and the payload that it passes on.
    fn answer(&mut self, frame: &[u8]) -> (Vec<Vec<u8>>, Option<Vec<u8>>) {
        match frame.get(4) {
            // The protocol byte comes alone.
            None => (Vec::new(), None),
            Some(32) => (vec![set_date()], None),
            Some(1) => {
                let created = session_status(SESSION, 1);
                (vec![created, request_variable_lease_set(SESSION)], None)
            }
            Some(3) => (vec![session_status(SESSION, 0)], None),
            Some(4) => {
                self.lease_sets += 1;
                (Vec::new(), None)
            }
            Some(5) => {
                let (_, rest) = Destination::split(&frame[7..]).expect("it names one");
                let payload = rest[4..rest.len() - 4].to_vec();
                let nonce = u32::from_be_bytes(*frame.last_chunk().expect("a nonce"));
                let accepted = self.fresh_id();
                let (done, its_nonce) = if self.is_java {
                    (accepted, accepted & 0xff)
                } else {
                    (self.fresh_id(), nonce)
                };
                let reports = vec![
                    message_status(SESSION, accepted, 1, 0, nonce),
                    message_status(SESSION, done, 4, 0, its_nonce),
                ];
                (reports, Some(payload))
            }
            Some(other) => panic!("a frame of type {other}"),
        }
    }

    fn holdings(&self) -> Holdings {
        Holdings {
            conversation_count: self.endpoint.conversation_count(),
            is_anything_left: !self.endpoint.is_empty(),
            waiting_bytes: self.session.waiting_bytes(),
            endpoint_timer: self.timeout,
            session_timer: self.session.poll_timeout(),
        }
    }
}

fn session(keys: &Arc<Keys>, now: Instant) -> Session {
    let mut config = SessionConfig::default();
    config.order = LaneOrder::Auto;
    Session::new(now, Arc::clone(keys), config, [3; 32])
}

/// Two stations, what is on its way between them, and the clock.
struct Scene {
    stations: [Station; 2],
    now: Instant,
    /// Payloads by when they arrive, and where.
    under_way: VecDeque<(Instant, Side, Vec<u8>)>,
    rng: Xoshiro256PlusPlus,
    open: Vec<(Side, Handle)>,
    complete: u32,
    broken: u32,
}

/// What a client sends, and gets back.
const QUESTION: [u8; 700] = [b'q'; 700];

impl Scene {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            stations: [Station::new(1, now), Station::new(2, now)],
            now,
            under_way: VecDeque::new(),
            rng: Xoshiro256PlusPlus::seed_from_u64(365),
            open: Vec::new(),
            complete: 0,
            broken: 0,
        }
    }

    /// Lets each machine say what it has to say, until none has.
    fn run_until_quiet(&mut self) {
        loop {
            let mut is_quiet = true;
            for side in 0..2 {
                is_quiet &= self.drain_endpoint(side) & self.drain_session(side);
            }
            if is_quiet {
                break;
            }
        }
    }

    fn drain_endpoint(&mut self, side: Side) -> bool {
        let mut is_quiet = true;
        let timeout = loop {
            let station = &mut self.stations[side];
            match station.endpoint.poll_output(self.now) {
                Output::Transmit { message, .. } => {
                    is_quiet = false;
                    let message = message.to_vec();
                    // Without a session it is lost, and the conversation with it.
                    if let Some(to) = station.other.filter(|_| station.is_ready) {
                        let lane = Some(Lane(0));
                        let sent = station.session.send(to, &message, Attempts::Once, lane);
                        sent.expect("it is ready");
                    }
                }
                Output::Event(event) => {
                    is_quiet = false;
                    self.note(side, event);
                }
                Output::Timeout(at) => break Some(at),
                Output::Idle => break None,
            }
        };
        self.stations[side].timeout = timeout;
        is_quiet
    }

    fn drain_session(&mut self, side: Side) -> bool {
        let mut is_quiet = true;
        let now = self.now;
        while let Some(frame) = self.stations[side].session.poll_transmit(now) {
            is_quiet = false;
            let (answers, payload) = self.stations[side].answer(&frame);
            for answer in answers {
                self.stations[side].session.handle_bytes(now, &answer);
            }
            self.under_way
                .extend(payload.map(|payload| (now + LATENCY, 1 - side, payload)));
        }
        while let Some(event) = self.stations[side].session.poll_event() {
            is_quiet = false;
            match event {
                SessionEvent::Created | SessionEvent::Ended(_) => {}
                SessionEvent::Ready => {
                    let other = self.stations[1 - side].session.destination();
                    let other = other.as_bytes().to_vec();
                    let other = Destination::split(&other).expect("it is one").0;
                    let station = &mut self.stations[side];
                    station.other = Some(station.session.learn(other));
                    station.is_ready = true;
                }
                SessionEvent::Message(bytes) => {
                    let endpoint = &mut self.stations[side].endpoint;
                    endpoint.handle_message(now, Some(1 - side), bytes);
                }
                other => panic!("not foreseen: {other:?}"),
            }
        }
        is_quiet
    }

    /// Servers send back what comes; clients close when all of it has come back.
    fn note(&mut self, side: Side, event: Event<Side>) {
        let now = self.now;
        let endpoint = &mut self.stations[side].endpoint;
        match event {
            Event::Incoming { conversation, .. } => endpoint.accept(now, conversation),
            Event::Opened { conversation, .. } => {
                if self.open.contains(&(side, conversation)) {
                    let question = Bytes::from_static(&QUESTION);
                    endpoint
                        .write(now, conversation, question)
                        .expect("it is open");
                }
            }
            Event::Data {
                conversation,
                bytes,
            } => {
                endpoint.consumed(now, conversation, bytes.len());
                if self.open.contains(&(side, conversation)) {
                    assert!(bytes[..] == QUESTION);
                    // Some are left to what comes in the way.
                    if self.rng.random_range(0..4) > 0 {
                        endpoint.close(now, conversation);
                    }
                } else {
                    endpoint
                        .write(now, conversation, bytes)
                        .expect("it is open");
                }
            }
            Event::Writable { .. } => {}
            Event::Closed {
                conversation, end, ..
            } => {
                self.open.retain(|open| *open != (side, conversation));
                match end {
                    End::Closed | End::PeerClosed => self.complete += 1,
                    _ => self.broken += 1,
                }
            }
        }
    }

    fn open(&mut self, side: Side) {
        let destination = self.stations[side].session.destination();
        let open = Open {
            to: 1 - side,
            destination: destination.as_bytes().to_vec().into(),
            client_id: None,
        };
        let opened = self.stations[side].endpoint.open(self.now, open);
        self.open.push((side, opened.expect("there is room")));
    }

    /// Moves the clock from one thing that happens to the next.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            self.run_until_quiet();
            let timers = self
                .stations
                .iter()
                .flat_map(|station| [station.timeout, station.session.poll_timeout()]);
            let arrival = self.under_way.front().map(|(due, ..)| *due);
            let next = timers.chain([arrival]).flatten().min();
            let Some(next) = next.filter(|next| *next <= until) else {
                break;
            };
            self.now = self.now.max(next);
            while self
                .under_way
                .front()
                .is_some_and(|(due, ..)| *due <= self.now)
                && let Some((_, to, payload)) = self.under_way.pop_front()
            {
                let station = &mut self.stations[to];
                let id = station.fresh_id();
                let payload = message_payload(SESSION, id, &payload);
                // A router that has not got the session yet has nobody to give it to.
                if station.is_ready {
                    station.session.handle_bytes(self.now, &payload);
                }
            }
            for station in &mut self.stations {
                station.session.handle_timeout(self.now);
                station.endpoint.handle_timeout(self.now);
            }
        }
        self.now = until;
    }

    fn renew_leases(&mut self) {
        for station in &mut self.stations {
            let request = request_variable_lease_set(SESSION);
            station.session.handle_bytes(self.now, &request);
        }
    }

    fn a_day(&mut self, day: u32) {
        for tick in 0..TICKS_OF_A_DAY {
            self.renew_leases();
            match tick {
                10..100 if tick % 8 == 0 => {
                    let side = self.rng.random_range(0..2);
                    self.open(side);
                    // Now and then in the midst of what was just begun.
                    if day.is_multiple_of(5) && tick == 48 {
                        self.pass(LATENCY * 3 / 2);
                        self.stations[side].lose_link(self.now);
                    }
                }
                100 if day % 30 == 29 => {
                    for station in &mut self.stations {
                        station.lose_link(self.now);
                    }
                }
                110 => {
                    for (side, handle) in self.open.clone() {
                        self.stations[side].endpoint.close(self.now, handle);
                    }
                }
                _ => {}
            }
            self.pass(TEN_MINUTES);
        }
    }
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.unwrap().trim().strip_suffix(" kB").unwrap();
    kib.parse().unwrap()
}

/// Conversations each day, a link lost each fifth, new routers each month, leases each ten minutes.
#[test]
fn a_year_of_endpoints_on_sessions_ends_as_it_began_in_tables_timers_and_memory() {
    let mut scene = Scene::new();
    scene.pass(TEN_MINUTES);
    assert!(scene.stations.iter().all(|station| station.is_ready));
    let mut after_a_month = 0;
    for day in 0..DAYS {
        scene.a_day(day);
        for station in &scene.stations {
            assert_eq!(station.holdings(), Holdings::default(), "day {day}");
        }
        assert!(scene.under_way.is_empty() && scene.open.is_empty());
        if day == 30 {
            after_a_month = resident_kib();
        }
    }
    let at_the_end = resident_kib();
    assert!(
        at_the_end <= after_a_month + SLACK_KIB,
        "{after_a_month} KiB after a month, {at_the_end} KiB after a year"
    );
    let (complete, broken) = (scene.complete, scene.broken);
    assert!(complete > 5_000 && broken > 50, "{complete}, {broken}");
    for station in &scene.stations {
        assert!(station.lease_sets >= DAYS * TICKS_OF_A_DAY);
    }
}
