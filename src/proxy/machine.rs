//! The proxy itself.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hashbrown::HashMap;
use hdrhistogram::Histogram;

use super::carried::{Carried, Content, Waiting};
use super::connection::{Connection, ConnectionId, Flow, Known};
use super::gate::{Copies, Gate, Matched, Seen};
use super::i2cp;
use super::recent::{Became, Recent};
use super::report::{Added, DirectionReport, FaultReport, ProxyReport, RuleReport, index};
use super::rule::{Action, Change, Ends, KnownIds, Rule, Rules};
use super::waiting_room::{Until, WaitingRoom};
use crate::carrier::Carrier;
use crate::conversation::{Conversation, ConversationId};
use crate::dissect::{DissectOptions, PassingCounts, PassingDissector, Sink};
use crate::fault::{Delivery, Engine, FaultSpec, Faults, Met};
use crate::net::Side;
use crate::time::Timestamp;
use crate::wire::{Direction, FrameType};

/// The longest time that is told apart, in microseconds.
const LONGEST_US: u64 = 60_000_000;

/// What a proxy does.
#[derive(Debug, Default)]
pub struct ProxyOptions {
    /// What is done to messages by chance.
    pub faults: Faults,
    /// From which chance follows.
    pub seed: [u8; 32],
    /// What is done to chosen messages.
    pub rules: Vec<Rule>,
    /// How messages are dissected.
    pub dissect: DissectOptions,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A message, on I2CP a frame, goes to one side of a connection.
    Transmit {
        /// Which connection.
        connection: ConnectionId,
        /// The client is the initiator.
        to: Side,
        /// The bytes.
        bytes: Bytes,
        /// How many are missing at the end: the connection breaks behind what there is.
        missing_bytes: usize,
        /// What a rule or a fault did to it.
        comment: Option<Arc<str>>,
        /// When it should have gone out: when it came in, or when it was due.
        due: Instant,
    },
    /// All that the other side sent has been told: this side of the connection ends.
    Finish {
        /// Which connection.
        connection: ConnectionId,
        /// The side that hears nothing more.
        to: Side,
    },
    /// Both sides of a connection break at once.
    Break {
        /// Which connection.
        connection: ConnectionId,
    },
}

/// What becomes of a message after the rules.
#[derive(Debug, Default)]
struct Fate {
    dropped: bool,
    twice: bool,
    delay: Option<Duration>,
    until: Option<Until>,
    injected: Vec<(Direction, Vec<u8>)>,
}

/// Passes messages between clients and servers, and does things to them.
#[derive(Debug)]
pub struct Proxy {
    began: Instant,
    began_at: Timestamp,
    dissector: PassingDissector,
    rules: Rules,
    known: Known,
    connections: HashMap<ConnectionId, Connection>,
    connection_count: u64,
    failed_connections: u64,
    waiting_room: WaitingRoom,
    paused: bool,
    faults: Faults,
    engines: [Engine<(ConnectionId, Side), Carried>; 2],
    output: VecDeque<Output>,
    wrapper: i2cp::Wrapper,
    directions: [DirectionReport; 2],
    added: Histogram<u64>,
    last_comment: Option<Arc<str>>,
    /// The last messages, if somebody may ask for them.
    pub(super) recent: Option<Recent>,
}

impl Proxy {
    /// A proxy that begins at `now`, which is `at` by the clock on the wall.
    pub fn new(options: ProxyOptions, now: Instant, at: Timestamp) -> Self {
        let engine =
            |spec: &FaultSpec, stream| Engine::new(spec.clone(), options.seed, stream, now);
        let mut rules = Rules::default();
        for rule in options.rules {
            rules.add(rule);
        }
        Self {
            began: now,
            began_at: at,
            dissector: PassingDissector::new(options.dissect),
            rules,
            known: Known::default(),
            connections: HashMap::new(),
            connection_count: 0,
            failed_connections: 0,
            waiting_room: WaitingRoom::default(),
            paused: false,
            engines: [
                engine(&options.faults.c2s, 0),
                engine(&options.faults.s2c, 1),
            ],
            faults: options.faults,
            output: VecDeque::new(),
            wrapper: i2cp::Wrapper::default(),
            directions: [DirectionReport::default(); 2],
            added: Histogram::new_with_bounds(1, LONGEST_US, 2)
                .unwrap_or_else(|_| unreachable!("constant bounds that a histogram takes")),
            last_comment: None,
            recent: None,
        }
    }

    fn time(&self, now: Instant) -> Timestamp {
        let elapsed = now.saturating_duration_since(self.began).as_nanos();
        self.began_at
            .plus_nanos(i64::try_from(elapsed).unwrap_or(i64::MAX))
    }

    /// A client is there, with a connection to the server behind it.
    ///
    /// # Errors
    /// Those of `sink`.
    pub fn open<S: Sink>(
        &mut self,
        carrier: Carrier,
        addresses: [SocketAddr; 2],
        sink: &mut S,
    ) -> Result<ConnectionId, S::Error> {
        self.connection_count += 1;
        let id = ConnectionId(self.connection_count);
        let flow = match carrier {
            Carrier::I2cp => match self.dissector.open_i2cp(addresses, sink)? {
                Some(frames) => Flow::Frames(Box::new(frames)),
                None => return Ok(id),
            },
            carrier => Flow::Messages(self.dissector.open(carrier, addresses, sink)?),
        };
        self.connections.insert(id, Connection::new(flow));
        Ok(id)
    }

    /// A connection to the server could not be had.
    pub const fn note_failed_connection(&mut self) {
        self.failed_connections += 1;
    }

    /// A side sends something: a message, or on I2CP a frame.
    ///
    /// # Errors
    /// Those of `sink`.
    pub fn receive<S: Sink>(
        &mut self,
        now: Instant,
        id: ConnectionId,
        from: Side,
        bytes: Bytes,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let time = self.time(now);
        let Some(connection) = self.connections.get_mut(&id) else {
            return Ok(());
        };
        let mut gate = Gate {
            sink,
            rules: &mut self.rules,
            known: &mut self.known,
            holds: self.waiting_room.holds_mut(),
            recent: self.recent.as_mut(),
            now,
            connection: id,
            copies: Copies::NotWanted,
            seen: Vec::new(),
            ended: Vec::new(),
        };
        match &mut connection.flow {
            Flow::Messages(flow) => {
                self.dissector
                    .message(time, flow, from, &bytes, &mut gate)?;
            }
            Flow::Frames(flow) => {
                gate.copies = Copies::Wanted;
                self.dissector.frames(time, flow, from, &bytes, &mut gate)?;
            }
        }
        let Gate {
            mut seen, ended, ..
        } = gate;
        self.last_comment = None;
        match (seen.pop(), &connection.flow) {
            (Some(mut seen), Flow::Messages(_)) => {
                seen.bytes = bytes;
                self.passes(now, id, from, seen, None);
            }
            (Some(seen), Flow::Frames(_)) => self.passes(now, id, from, seen, Some(bytes)),
            (None, _) => {
                self.direction_mut(id, from).frames += 1;
                self.go_on(
                    now,
                    Waiting {
                        connection: id,
                        from,
                        carried: Carried::frame(bytes),
                        since: now,
                    },
                );
            }
        }
        for released in self.waiting_room.released() {
            self.go_on(now, released);
        }
        self.forget(ended);
        Ok(())
    }

    fn direction_mut(&mut self, id: ConnectionId, from: Side) -> &mut DirectionReport {
        let direction = match self.connections.get(&id) {
            Some(connection) => connection.direction(from),
            None => Direction::ClientToServer,
        };
        &mut self.directions[index(direction)]
    }

    fn passes(
        &mut self,
        now: Instant,
        id: ConnectionId,
        from: Side,
        seen: Seen,
        frame: Option<Bytes>,
    ) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.learn(from, seen.direction);
        }
        if let Some(envelope) = frame.as_deref().and_then(i2cp::envelope) {
            self.keep_envelope(id, from, seen.conversation, envelope);
        }
        let counts = self.direction_mut(id, from);
        counts.messages_in += 1;
        counts.bytes_in += seen.bytes.len() as u64;
        counts.not_ours += u64::from(!seen.is_ours);
        counts.by_type[seen.type_index] += 1;
        counts.payload_bytes += match crate::field::TYPE_NAMES[seen.type_index] {
            "data" => seen.payload_bytes as u64,
            _ => 0,
        };
        let Seen {
            bytes,
            conversation,
            ids,
            rule,
            ..
        } = seen;
        let mut carried = Carried::message(bytes, frame);
        let fate = match rule {
            Some(rule) => self.carry_out(&rule, &mut carried, ids),
            None => Fate::default(),
        };
        let waiting = Waiting {
            connection: id,
            from,
            carried,
            since: now,
        };
        let rule = waiting.carried.comment.clone();
        let number = self.recent.as_ref().map(Recent::last);
        let is_held = self.paused || fate.until.is_some();
        let is_dropped = fate.dropped;
        let met = self.follow(now, waiting, conversation, fate);
        self.last_comment = comment(rule, &met);
        if let (Some(recent), Some(number)) = (&mut self.recent, number) {
            let became = match (is_dropped || met.is_end(), is_held) {
                (true, _) => Became::Dropped,
                (false, true) => Became::Held,
                (false, false) => Became::Passed,
            };
            recent.note_outcome(number, became, self.last_comment.as_deref());
        }
    }

    fn keep_envelope(
        &mut self,
        id: ConnectionId,
        from: Side,
        conversation: Option<ConversationId>,
        envelope: Vec<u8>,
    ) {
        if let Some(known) = conversation.and_then(|id| self.known.get_mut(id)) {
            known.envelopes[from.index()].get_or_insert_with(|| envelope.clone().into());
        }
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.envelopes[from.index()] = Some(envelope);
        }
    }

    /// Does to a message what a rule says, as far as that concerns its bytes.
    fn carry_out(&mut self, rule: &Matched, carried: &mut Carried, ids: KnownIds) -> Fate {
        let mut fate = Fate::default();
        let tally = self.rules.tally_mut(rule.number);
        let mut left_out = 0;
        for action in &rule.actions {
            match action {
                Action::Pass => {}
                Action::Drop => {
                    fate.dropped = true;
                    tally.dropped += 1;
                }
                Action::Duplicate => {
                    fate.twice = true;
                    tally.duplicated += 1;
                }
                Action::Delay(time) => {
                    fate.delay = Some(*time);
                    tally.delayed += 1;
                    tally.delay += *time;
                }
                Action::HoldUntil(filter) => {
                    fate.until = Some(Until::Matches(filter.clone()));
                    tally.held += 1;
                }
                Action::SwapWithNext => {
                    // The direction is filled in where it is known.
                    fate.until = Some(Until::Next(Direction::ClientToServer));
                    tally.held += 1;
                }
                Action::Inject(direction, made) => match made.bytes(ids) {
                    Some(bytes) => fate.injected.push((*direction, bytes)),
                    None => left_out += 1,
                },
                Action::Close(ends) => {
                    let (closes, missing) = closes(*ends, ids);
                    fate.injected.extend(closes);
                    left_out += missing;
                }
                Action::SetId(_)
                | Action::SetType(_)
                | Action::Replace(..)
                | Action::Truncate(_)
                | Action::Append(_) => {
                    if let Content::Message { bytes, .. } = &carried.content {
                        let mut changed = bytes.to_vec();
                        match action.change(&mut changed, ids) {
                            Change::Changed => {
                                tally.changed += 1;
                                carried.set_bytes(changed);
                            }
                            Change::Unchanged => left_out += 1,
                        }
                    }
                }
            }
        }
        tally.injected += fate.injected.len() as u64;
        tally.left_out += left_out;
        carried.comment = Some(self.rules.comment(rule.number));
        fate
    }

    /// Sends a message on its way, and tells which faults it met at once.
    fn follow(
        &mut self,
        now: Instant,
        waiting: Waiting,
        conversation: Option<ConversationId>,
        fate: Fate,
    ) -> Met {
        let mut met = Met::default();
        let (id, from) = (waiting.connection, waiting.from);
        let comment = waiting.carried.comment.clone();
        if !fate.dropped {
            let copy = fate.twice.then(|| waiting.clone());
            for waiting in [Some(waiting), copy].into_iter().flatten() {
                match (fate.delay, &fate.until) {
                    (_, Some(until)) => {
                        let until = match until {
                            Until::Matches(filter) => Until::Matches(filter.clone()),
                            Until::Next(_) => match self.connections.get(&id) {
                                Some(connection) => Until::Next(connection.direction(from)),
                                None => Until::Next(Direction::ClientToServer),
                            },
                        };
                        self.hold(now, waiting, conversation, until);
                    }
                    (Some(delay), None) => self.waiting_room.delay(now + delay, waiting),
                    (None, None) => met = self.go_on(now, waiting),
                }
            }
        }
        for (direction, bytes) in fate.injected {
            self.inject(now, id, conversation, direction, bytes, comment.clone());
        }
        met
    }

    fn hold(
        &mut self,
        now: Instant,
        waiting: Waiting,
        conversation: Option<ConversationId>,
        until: Until,
    ) {
        for pushed_out in self.waiting_room.hold(waiting, conversation, until) {
            self.go_on(now, pushed_out);
        }
    }

    /// Makes a message of our own.
    fn inject(
        &mut self,
        now: Instant,
        id: ConnectionId,
        conversation: Option<ConversationId>,
        direction: Direction,
        bytes: Vec<u8>,
        comment: Option<Arc<str>>,
    ) {
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let from = connection.sender(direction);
        if let Some(recent) = &mut self.recent {
            recent.add_made(now, conversation, direction, &bytes, comment.as_deref());
        }
        let mut carried = match connection.flow {
            Flow::Messages(_) => Carried::message(bytes.into(), None),
            Flow::Frames(_) => {
                let own = conversation.and_then(|id| self.known.get(id));
                let own = own.and_then(|known| known.envelopes[from.index()].as_deref());
                let Some(envelope) = own.or(connection.envelopes[from.index()].as_deref()) else {
                    return;
                };
                let envelope = Bytes::copy_from_slice(envelope);
                let mut carried = Carried::message(Bytes::new(), Some(envelope));
                carried.set_bytes(bytes);
                carried
            }
        };
        carried.comment = comment;
        self.go_on(
            now,
            Waiting {
                connection: id,
                from,
                carried,
                since: now,
            },
        );
    }

    /// Past the rules: on to the faults, unless everything is held. Tells which it met.
    fn go_on(&mut self, now: Instant, waiting: Waiting) -> Met {
        if self.paused {
            self.waiting_room.queue(waiting);
            Met::default()
        } else {
            self.enter(now, waiting)
        }
    }

    fn enter(&mut self, now: Instant, waiting: Waiting) -> Met {
        let Waiting {
            connection: id,
            from,
            carried,
            since,
        } = waiting;
        let Some(connection) = self.connections.get(&id) else {
            return Met::default();
        };
        let engine = &mut self.engines[index(connection.direction(from))];
        if !engine.spec().acts_on_messages() && engine.is_idle() {
            // A delay of ours is not the proxy's.
            let due = if self.paused { now } else { since.max(now) };
            self.go_out(id, from, &carried, due);
            return Met::default();
        }
        match carried.content {
            Content::Message { .. } => engine.submit(now, (id, from), carried),
            // Faults are for messages; these would end a session.
            Content::Frame(_) | Content::End => {
                engine.submit_end(now, (id, from), carried);
                Met::default()
            }
        }
    }

    fn go_out(&mut self, connection: ConnectionId, from: Side, carried: &Carried, due: Instant) {
        let to = from.opposite();
        if matches!(carried.content, Content::End) {
            return self.output.push_back(Output::Finish { connection, to });
        }
        let Some(mut bytes) = carried.wire_bytes(&mut self.wrapper) else {
            return;
        };
        bytes.truncate(bytes.len().saturating_sub(carried.missing_bytes));
        let is_message = matches!(carried.content, Content::Message { .. });
        let counts = self.direction_mut(connection, from);
        counts.messages_out += u64::from(is_message && carried.missing_bytes == 0);
        counts.bytes_out += bytes.len() as u64;
        self.output.push_back(Output::Transmit {
            connection,
            to,
            bytes,
            missing_bytes: carried.missing_bytes,
            comment: comment(carried.comment.clone(), &carried.met),
            due,
        });
    }

    /// Remembers the last messages from now on, for [`control`](super::control).
    pub fn remember_messages(&mut self) {
        self.recent.get_or_insert_with(Recent::default);
    }

    /// What is said of the message that came in last, if a rule or a fault met it.
    pub fn last_comment(&self) -> Option<Arc<str>> {
        self.last_comment.clone()
    }

    /// A side has ended: what it sent still arrives, then the other side is ended, too.
    pub fn end(&mut self, now: Instant, id: ConnectionId, from: Side) {
        for held in self.waiting_room.held_from(id, from) {
            self.go_on(now, held);
        }
        let end = Waiting {
            connection: id,
            from,
            carried: Carried::end(),
            since: now,
        };
        // Behind what a rule delays.
        match self.waiting_room.last_delayed(id, from) {
            Some(at) => self.waiting_room.delay(at, end),
            None => {
                self.go_on(now, end);
            }
        }
    }

    /// A connection is gone on both sides.
    ///
    /// # Errors
    /// Those of `sink`.
    pub fn close<S: Sink>(
        &mut self,
        now: Instant,
        id: ConnectionId,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let time = self.time(now);
        let Some(mut connection) = self.connections.remove(&id) else {
            return Ok(());
        };
        for engine in &mut self.engines {
            engine.forget(&(id, Side::Initiator));
            engine.forget(&(id, Side::Responder));
        }
        self.waiting_room.forget(id);
        let mut gate = Gate {
            sink,
            rules: &mut self.rules,
            known: &mut self.known,
            holds: &mut [],
            recent: None,
            now,
            connection: id,
            copies: Copies::NotWanted,
            seen: Vec::new(),
            ended: Vec::new(),
        };
        match &mut connection.flow {
            Flow::Messages(flow) => self.dissector.close(time, flow, &mut gate)?,
            Flow::Frames(flow) => self.dissector.close_frames(time, flow, &mut gate)?,
        }
        let ended = gate.ended;
        self.forget(ended);
        Ok(())
    }

    fn forget(&mut self, ended: Vec<ConversationId>) {
        for id in ended {
            self.known.forget(id);
            self.rules.forget(id);
        }
    }

    /// The next thing to be done.
    pub fn poll_output(&mut self, now: Instant) -> Option<Output> {
        while let Some(waiting) = self.waiting_room.pop_due(now) {
            self.go_on(now, waiting);
        }
        if let Some(output) = self.output.pop_front() {
            return Some(output);
        }
        for engine in 0..self.engines.len() {
            while let Some(due) = self.engines[engine].next_due().filter(|due| *due <= now) {
                match self.engines[engine].poll(now) {
                    Some(Delivery::Arrives((id, from), carried)) => {
                        self.go_out(id, from, &carried, due);
                    }
                    Some(Delivery::Breaks((connection, _))) => {
                        self.output.push_back(Output::Break { connection });
                    }
                    None => {}
                }
                if let Some(output) = self.output.pop_front() {
                    return Some(output);
                }
            }
        }
        None
    }

    /// When something is to be done without anything coming in.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let engines = self.engines.iter().filter_map(Engine::next_due);
        engines.chain(self.waiting_room.next_due()).min()
    }

    /// Takes note of how long a message took that goes out without anything in its way.
    pub fn note_added(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.added.saturating_record(micros.clamp(1, LONGEST_US));
    }

    /// Whether more should come in.
    pub fn has_room(&self) -> bool {
        !self.waiting_room.is_full() && !self.engines.iter().any(Engine::is_full)
    }

    /// Whether messages wait to be released one by one.
    pub const fn is_paused(&self) -> bool {
        self.paused
    }

    /// Holds every message from now on.
    pub const fn pause(&mut self) {
        self.paused = true;
    }

    /// Lets the messages go on that are held, and all that follow.
    pub fn resume(&mut self, now: Instant) {
        self.paused = false;
        self.step(now, usize::MAX);
    }

    /// Lets so many of the messages go on that are held; tells how many did.
    pub fn step(&mut self, now: Instant, count: usize) -> usize {
        let mut passed = 0;
        while passed < count
            && let Some(waiting) = self.waiting_room.pop_queued()
        {
            self.enter(now, waiting);
            passed += 1;
        }
        passed
    }

    /// How many messages are held.
    pub fn queued(&self) -> usize {
        self.waiting_room.queued_count()
    }

    /// The messages that are held, first to last, at most so many: from where, and the bytes.
    pub fn queue(&self, most: usize) -> impl Iterator<Item = (ConnectionId, Direction, Bytes)> {
        self.waiting_room.queued().take(most).filter_map(|waiting| {
            let direction = self
                .connections
                .get(&waiting.connection)?
                .direction(waiting.from);
            match &waiting.carried.content {
                Content::Message { bytes, .. } => {
                    Some((waiting.connection, direction, bytes.clone()))
                }
                _ => None,
            }
        })
    }

    /// Closes a conversation towards both ends; false if it is not there, or none of its ids is
    /// known.
    pub fn kill(&mut self, now: Instant, conversation: ConversationId) -> bool {
        let Some(known) = self.known.get(conversation) else {
            return false;
        };
        let id = known.connection;
        let ids = KnownIds {
            message: None,
            client: known.client,
            server: known.server,
        };
        let (closes, _) = closes(Ends::Both, ids);
        let killed = !closes.is_empty();
        for (direction, bytes) in closes {
            let comment = Some(Arc::from("killed"));
            self.inject(now, id, Some(conversation), direction, bytes, comment);
        }
        killed
    }

    /// The rules in force.
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The same, to be changed.
    pub const fn rules_mut(&mut self) -> &mut Rules {
        &mut self.rules
    }

    /// The faults in force.
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Has other faults from now on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.engines[0].set_spec(faults.c2s.clone());
        self.engines[1].set_spec(faults.s2c.clone());
        self.faults = faults;
    }

    /// The conversations that go on, as they stand.
    pub fn conversations(&self) -> Vec<Conversation> {
        self.dissector.tracked()
    }

    /// How many connections of clients there are, with those that are being ended.
    pub fn connection_count(&self) -> usize {
        self.connections.len()
    }

    /// How many conversations go on.
    pub fn conversation_count(&self) -> usize {
        self.dissector.tracked_count()
    }

    /// What was dissected.
    pub fn counts(&self) -> PassingCounts {
        self.dissector.counts()
    }

    /// Tells the sink of everything that still goes on.
    ///
    /// # Errors
    /// Those of `sink`.
    pub fn finish<S: Sink>(&mut self, sink: &mut S) -> Result<(), S::Error> {
        self.dissector.finish(sink)
    }

    /// What was done so far.
    pub fn report(&self) -> ProxyReport {
        let at = |quantile| {
            if self.added.is_empty() {
                0
            } else {
                self.added.value_at_quantile(quantile)
            }
        };
        ProxyReport {
            directions: self.directions,
            rules: self
                .rules
                .all()
                .iter()
                .map(|rule| RuleReport {
                    text: rule.text().to_owned(),
                    tally: *rule.tally(),
                })
                .collect(),
            faults: FaultReport {
                faults: self.faults.clone(),
                stats: [
                    self.engines[0].stats().clone(),
                    self.engines[1].stats().clone(),
                ],
            },
            conversations: self.dissector.counts().conversations,
            connections: self.connection_count,
            failed_connections: self.failed_connections,
            added_us: Added {
                count: self.added.len(),
                p50: at(0.5),
                p99: at(0.99),
                max: at(1.0),
            },
        }
    }
}

/// What is said of a message that a rule or faults met.
fn comment(rule: Option<Arc<str>>, met: &Met) -> Option<Arc<str>> {
    match (rule, met.is_empty()) {
        (rule, true) => rule,
        (None, false) => Some(format!("fault: {met}").into()),
        (Some(rule), false) => Some(format!("{rule}; fault: {met}").into()),
    }
}

/// The messages that close a conversation, and how many cannot be made.
fn closes(ends: Ends, ids: KnownIds) -> (Vec<(Direction, Vec<u8>)>, u64) {
    let to_client = (
        Direction::ServerToClient,
        FrameType::SERVER_CLOSE,
        ids.client,
    );
    let to_server = (
        Direction::ClientToServer,
        FrameType::CLIENT_CLOSE,
        ids.server,
    );
    let wanted = match ends {
        Ends::Client => vec![to_client],
        Ends::Server => vec![to_server],
        Ends::Both => vec![to_client, to_server],
    };
    let count = wanted.len();
    let closes: Vec<_> = wanted
        .into_iter()
        .filter_map(|(direction, frame_type, id)| {
            let mut bytes = vec![frame_type.0];
            bytes.extend(id?.0);
            Some((direction, bytes))
        })
        .collect();
    let missing = (count - closes.len()) as u64;
    (closes, missing)
}
