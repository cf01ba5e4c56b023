//! The proxy itself.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hashbrown::HashMap;
use hdrhistogram::Histogram;

use super::carried::{Carried, Content, Waiting};
use super::connection::{Connection, ConnectionId, Flow, Known};
use super::control::Recent;
use super::gate::{Copies, Gate, Matched, Seen};
use super::i2cp;
use super::report::{Added, DirectionReport, FaultReport, ProxyReport, RuleReport, index};
use super::rule::{Action, Change, Ends, KnownIds, Rule, Rules};
use crate::carrier::Carrier;
use crate::conversation::{Conversation, ConversationId, MessageEvent};
use crate::dissect::{DissectOptions, PassingCounts, PassingDissector, Sink};
use crate::fault::{Delivery, Engine, FaultSpec, Faults, Parcelled};
use crate::net::Side;
use crate::report::filter::Filter;
use crate::time::Timestamp;
use crate::wire::{Direction, FrameType};

/// Bytes that wait on purpose at which nothing more is read.
const MAX_WAITING_BYTES: usize = 16 * 1024 * 1024;

/// What a message that waits counts beside its bytes.
const OVERHEAD_BYTES: usize = 256;

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
        /// What a rule did to it.
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

/// A message that waits for another.
#[derive(Debug)]
pub(super) struct Hold {
    waiting: Waiting,
    conversation: Option<ConversationId>,
    until: Until,
    released: bool,
}

#[derive(Debug)]
enum Until {
    Matches(Box<Filter>),
    /// The next message in the direction.
    Next(Direction),
}

impl Hold {
    /// Whether this message is what it waits for.
    pub(super) fn look_at(&mut self, connection: ConnectionId, event: &MessageEvent<'_>) {
        let same = match self.conversation {
            Some(id) => event.conversation == Some(id),
            None => connection == self.waiting.connection,
        };
        self.released |= same
            && match &self.until {
                Until::Matches(filter) => filter.matches(event),
                Until::Next(direction) => event.direction == Some(*direction),
            };
    }
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
    holds: Vec<Hold>,
    delayed: BTreeMap<(Instant, u64), Waiting>,
    delayed_count: u64,
    paused: bool,
    queue: VecDeque<Waiting>,
    /// Bytes in holds, delayed and queue.
    waiting_bytes: usize,
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
            holds: Vec::new(),
            delayed: BTreeMap::new(),
            delayed_count: 0,
            paused: false,
            queue: VecDeque::new(),
            waiting_bytes: 0,
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
            holds: &mut self.holds,
            recent: self.recent.as_mut(),
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
        self.release_holds(now);
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
        counts.payload_bytes += match crate::report::field::TYPE_NAMES[seen.type_index] {
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
        self.follow(now, waiting, conversation, fate);
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
        let comment = self.rules.comment(rule.number);
        carried.comment = Some(Arc::clone(&comment));
        self.last_comment = Some(comment);
        fate
    }

    fn follow(
        &mut self,
        now: Instant,
        waiting: Waiting,
        conversation: Option<ConversationId>,
        fate: Fate,
    ) {
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
                    (Some(delay), None) => self.delay(now + delay, waiting),
                    (None, None) => self.go_on(now, waiting),
                }
            }
        }
        for (direction, bytes) in fate.injected {
            self.inject(now, id, conversation, direction, bytes, comment.clone());
        }
    }

    fn cost(waiting: &Waiting) -> usize {
        waiting.carried.bytes() + OVERHEAD_BYTES
    }

    fn hold(
        &mut self,
        now: Instant,
        waiting: Waiting,
        conversation: Option<ConversationId>,
        until: Until,
    ) {
        self.waiting_bytes += Self::cost(&waiting);
        self.holds.push(Hold {
            waiting,
            conversation,
            until,
            released: false,
        });
        // What it waits for could never be read if it kept others from being read.
        while self.waiting_bytes >= MAX_WAITING_BYTES / 2 && !self.holds.is_empty() {
            let oldest = self.holds.remove(0);
            self.waiting_bytes -= Self::cost(&oldest.waiting);
            self.go_on(now, oldest.waiting);
        }
    }

    fn delay(&mut self, at: Instant, waiting: Waiting) {
        self.waiting_bytes += Self::cost(&waiting);
        self.delayed_count += 1;
        self.delayed.insert((at, self.delayed_count), waiting);
    }

    fn release_holds(&mut self, now: Instant) {
        if !self.holds.iter().any(|hold| hold.released) {
            return;
        }
        let holds = std::mem::take(&mut self.holds);
        for hold in holds {
            if hold.released {
                self.waiting_bytes -= Self::cost(&hold.waiting);
                self.go_on(now, hold.waiting);
            } else {
                self.holds.push(hold);
            }
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

    /// Past the rules: on to the faults, unless everything is held.
    fn go_on(&mut self, now: Instant, waiting: Waiting) {
        if self.paused {
            self.waiting_bytes += Self::cost(&waiting);
            self.queue.push_back(waiting);
        } else {
            self.enter(now, waiting);
        }
    }

    fn enter(&mut self, now: Instant, waiting: Waiting) {
        let Waiting {
            connection: id,
            from,
            carried,
            since,
        } = waiting;
        let Some(connection) = self.connections.get(&id) else {
            return;
        };
        let engine = &mut self.engines[index(connection.direction(from))];
        if !engine.spec().acts_on_messages() && engine.is_idle() {
            // A delay of ours is not the proxy's.
            let due = if self.paused { now } else { since.max(now) };
            return self.go_out(id, from, &carried, due);
        }
        match carried.content {
            Content::Message { .. } => engine.submit(now, (id, from), carried),
            // Faults are for messages; these would end a session.
            Content::Frame(_) | Content::End => engine.submit_end(now, (id, from), carried),
        }
    }

    fn go_out(&mut self, connection: ConnectionId, from: Side, carried: &Carried, due: Instant) {
        let to = from.opposite();
        if matches!(carried.content, Content::End) {
            return self.output.push_back(Output::Finish { connection, to });
        }
        let Some(bytes) = carried.wire_bytes(&mut self.wrapper) else {
            return;
        };
        let is_message = matches!(carried.content, Content::Message { .. });
        let counts = self.direction_mut(connection, from);
        counts.messages_out += u64::from(is_message);
        counts.bytes_out += bytes.len() as u64;
        self.output.push_back(Output::Transmit {
            connection,
            to,
            bytes,
            comment: carried.comment.clone(),
            due,
        });
    }

    /// Remembers the last messages from now on, for [`control`](super::control).
    pub fn remember_messages(&mut self) {
        self.recent.get_or_insert_with(Recent::default);
    }

    /// What is said of the message that came in last, if a rule met it.
    pub fn last_comment(&self) -> Option<Arc<str>> {
        self.last_comment.clone()
    }

    /// A side has ended: what it sent still arrives, then the other side is ended, too.
    pub fn end(&mut self, now: Instant, id: ConnectionId, from: Side) {
        let holds = std::mem::take(&mut self.holds);
        for hold in holds {
            if hold.waiting.connection == id && hold.waiting.from == from {
                self.waiting_bytes -= Self::cost(&hold.waiting);
                self.go_on(now, hold.waiting);
            } else {
                self.holds.push(hold);
            }
        }
        let end = Waiting {
            connection: id,
            from,
            carried: Carried::end(),
            since: now,
        };
        // Behind what a rule delays.
        let last = self
            .delayed
            .iter()
            .filter(|(_, waiting)| waiting.connection == id && waiting.from == from)
            .map(|((at, _), _)| *at)
            .next_back();
        match last {
            Some(at) => self.delay(at, end),
            None => self.go_on(now, end),
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
        self.drop_waiting(id);
        let mut gate = Gate {
            sink,
            rules: &mut self.rules,
            known: &mut self.known,
            holds: &mut [],
            recent: None,
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

    fn drop_waiting(&mut self, id: ConnectionId) {
        let bytes = &mut self.waiting_bytes;
        let mut keeps = |waiting: &Waiting| {
            let keeps = waiting.connection != id;
            if !keeps {
                *bytes -= Self::cost(waiting);
            }
            keeps
        };
        self.holds.retain(|hold| keeps(&hold.waiting));
        self.queue.retain(|waiting| keeps(waiting));
        self.delayed.retain(|_, waiting| keeps(waiting));
    }

    fn forget(&mut self, ended: Vec<ConversationId>) {
        for id in ended {
            self.known.forget(id);
            self.rules.forget(id);
        }
    }

    /// The next thing to be done.
    pub fn poll_output(&mut self, now: Instant) -> Option<Output> {
        while let Some(entry) = self.delayed.first_entry()
            && entry.key().0 <= now
        {
            let waiting = entry.remove();
            self.waiting_bytes -= Self::cost(&waiting);
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
        let delayed = self.delayed.first_key_value().map(|((at, _), _)| *at);
        let engines = self.engines.iter().filter_map(Engine::next_due);
        engines.chain(delayed).min()
    }

    /// Takes note of how long a message took that goes out without anything in its way.
    pub fn note_added(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.added.saturating_record(micros.clamp(1, LONGEST_US));
    }

    /// Whether more should come in.
    pub fn has_room(&self) -> bool {
        self.waiting_bytes < MAX_WAITING_BYTES && !self.engines.iter().any(Engine::is_full)
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
            && let Some(waiting) = self.queue.pop_front()
        {
            self.waiting_bytes -= Self::cost(&waiting);
            self.enter(now, waiting);
            passed += 1;
        }
        passed
    }

    /// How many messages are held.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// The messages that are held, first to last, at most so many: from where, and the bytes.
    pub fn queue(&self, most: usize) -> impl Iterator<Item = (ConnectionId, Direction, Bytes)> {
        self.queue.iter().take(most).filter_map(|waiting| {
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

    /// How many of them there are.
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
        let at = |quantile| match self.added.is_empty() {
            true => 0,
            false => self.added.value_at_quantile(quantile),
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
