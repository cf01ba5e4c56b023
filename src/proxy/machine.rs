//! The proxy itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::carried::{Carried, Content, Waiting, comment_on};
use super::connection::{ConnectionId, Flow, Known};
use super::connections::Connections;
use super::exit::{Exit, ProxyOutput};
use super::fate::{Fate, closes};
use super::gate::{Copies, Gate, Seen};
use super::holds::Until;
use super::i2cp;
use super::recent::{Became, Recent};
use super::report::{ProxyReport, RuleReport};
use super::rule::{Ends, KnownIds, Rule, Rules};
use super::waiting_room::WaitingRoom;
use crate::carrier::Carrier;
use crate::conversation::{Conversation, ConversationId};
use crate::dissect::{DissectOptions, PassingCounts, PassingDissector, Sink};
use crate::endpoint::AddressProof;
use crate::fault::{AppliedFaults, Faults, Parcelled as _};
use crate::net::Side;
use crate::select::filter::{FilterHint, HintText};
use crate::time::Timestamp;
use crate::wire::Direction;

/// The options of a proxy.
#[derive(Debug)]
#[non_exhaustive]
pub struct ProxyOptions {
    /// Faults, done to messages by chance.
    pub faults: Faults,
    /// The seed of all chance.
    pub seed: [u8; 32],
    /// Rules for chosen messages.
    pub rules: Vec<Rule>,
    /// Options for dissecting messages.
    pub dissect: DissectOptions,
    /// Whether a client must prove its address before it gets more than three times what it has sent.
    pub address_proof: AddressProof,
    /// How errors in rules say what a filter may have meant.
    pub hint_text: HintText,
}

impl Default for ProxyOptions {
    fn default() -> Self {
        Self {
            faults: Faults::default(),
            seed: [0; 32],
            rules: Vec::new(),
            dissect: DissectOptions::default(),
            address_proof: AddressProof::NotNeeded,
            hint_text: FilterHint::to_string,
        }
    }
}

/// Passes messages between clients and servers, and does things to them.
#[derive(Debug)]
pub struct Proxy {
    began: Instant,
    began_at: Timestamp,
    dissector: PassingDissector,
    connections: Connections,
    known: Known,
    rules: Rules,
    waiting_room: WaitingRoom,
    exit: Exit,
    address_proof: AddressProof,
    pub(super) hint_text: HintText,
    last_comment: Option<Arc<str>>,
    /// The last messages, if somebody may ask for them.
    pub(super) recent: Option<Recent>,
}

impl Proxy {
    /// A proxy that begins at `now`, which is `at` by the clock on the wall.
    pub fn new(options: ProxyOptions, now: Instant, at: Timestamp) -> Self {
        let mut rules = Rules::default();
        for rule in options.rules {
            rules.add(rule);
        }
        Self {
            began: now,
            began_at: at,
            dissector: PassingDissector::new(options.dissect),
            connections: Connections::default(),
            known: Known::default(),
            rules,
            waiting_room: WaitingRoom::default(),
            exit: Exit::new(options.faults, options.seed, now),
            address_proof: options.address_proof,
            hint_text: options.hint_text,
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
        let id = self.connections.next_id();
        let flow = match carrier {
            Carrier::I2cp => match self.dissector.open_i2cp(addresses, sink)? {
                Some(frames) => Flow::Frames(Box::new(frames)),
                None => return Ok(id),
            },
            carrier => Flow::Messages(self.dissector.open(carrier, addresses, sink)?),
        };
        self.connections.insert(id, flow);
        if self.address_proof == AddressProof::Required {
            self.exit.doubt(id);
        }
        Ok(id)
    }

    /// A connection to the server could not be had.
    pub const fn note_failed_connection(&mut self) {
        self.connections.failed_count += 1;
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
        if from == Side::Initiator {
            self.exit
                .handle_message(now, id, &bytes, &mut self.connections);
        }
        let Some(connection) = self.connections.get_mut(id) else {
            return Ok(());
        };
        let mut gate = Gate {
            sink,
            rules: &mut self.rules,
            known: &mut self.known,
            holds: Some(self.waiting_room.holds_mut()),
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
                self.connections.counts_mut(id, from).frames += 1;
                self.go_on(
                    now,
                    Waiting {
                        connection: id,
                        from,
                        carried: Carried::frame(bytes),
                    },
                );
            }
        }
        // Behind the message for which they waited.
        for released in self.waiting_room.released() {
            self.go_on(now, released);
        }
        self.forget(ended);
        Ok(())
    }

    fn passes(
        &mut self,
        now: Instant,
        id: ConnectionId,
        from: Side,
        seen: Seen,
        frame: Option<Bytes>,
    ) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.learn(from, seen.direction);
        }
        if let Some(envelope) = frame.as_deref().and_then(i2cp::envelope) {
            self.keep_envelope(id, from, seen.conversation, envelope);
        }
        let counts = self.connections.counts_mut(id, from);
        counts.messages_in += 1;
        counts.bytes_in += seen.bytes.len() as u64;
        counts.not_ours += u64::from(!seen.is_ours);
        counts.by_type[seen.kind as usize] += 1;
        counts.payload_bytes += seen.stream_bytes as u64;
        let Seen {
            bytes,
            conversation,
            ids,
            rule,
            ..
        } = seen;
        let mut carried = Carried::message(bytes, frame);
        if from == Side::Responder {
            self.exit.expect(id, &mut carried);
        }
        let fate = match rule {
            Some(rule) => Fate::of(&rule, &mut carried, ids, &mut self.rules),
            None => Fate::default(),
        };
        let waiting = Waiting {
            connection: id,
            from,
            carried,
        };
        let rule = waiting.carried.comment.clone();
        let number = self.recent.as_ref().map(Recent::last);
        let is_held = self.waiting_room.is_paused() || fate.until.is_some();
        let is_dropped = fate.dropped;
        let applied = self.follow(now, waiting, conversation, fate);
        self.last_comment = comment_on(rule, &applied);
        if let (Some(recent), Some(number)) = (&mut self.recent, number) {
            let became = match (is_dropped || applied.is_end(), is_held) {
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
        if let Some(connection) = self.connections.get_mut(id) {
            connection.envelopes[from.index()] = Some(envelope);
        }
    }

    /// Sends a message on its way; returns which faults it met at once.
    fn follow(
        &mut self,
        now: Instant,
        waiting: Waiting,
        conversation: Option<ConversationId>,
        fate: Fate,
    ) -> AppliedFaults {
        let mut applied = AppliedFaults::default();
        let (id, from) = (waiting.connection, waiting.from);
        let comment = waiting.carried.comment.clone();
        if fate.dropped {
            self.exit.lose(id, &waiting.carried);
        } else {
            let copy = fate.twice.then(|| Waiting {
                carried: waiting.carried.copy(),
                ..waiting
            });
            for waiting in [Some(waiting), copy].into_iter().flatten() {
                match (fate.delay, &fate.until) {
                    (_, Some(until)) => {
                        let until = match until {
                            Until::Matches(filter) => Until::Matches(filter.clone()),
                            Until::Next(_) => Until::Next(self.connections.direction(id, from)),
                        };
                        for pushed_out in self.waiting_room.hold(waiting, conversation, until) {
                            self.go_on(now, pushed_out);
                        }
                    }
                    (Some(delay), None) => self.waiting_room.delay(now + delay, waiting),
                    (None, None) => applied = self.go_on(now, waiting),
                }
            }
        }
        for (direction, bytes) in fate.injected {
            self.inject(now, id, conversation, direction, bytes, comment.clone());
        }
        applied
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
        let Some(connection) = self.connections.get(id) else {
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
            },
        );
    }

    /// Past the rules: on to the faults, unless everything is held. Returns which it met.
    fn go_on(&mut self, now: Instant, waiting: Waiting) -> AppliedFaults {
        if self.waiting_room.is_paused() {
            self.waiting_room.queue(waiting);
            AppliedFaults::default()
        } else {
            self.exit.enter(now, waiting, &mut self.connections)
        }
    }

    /// Remembers the last messages from now on, for [`control`](super::control).
    pub fn remember_messages(&mut self) {
        self.recent.get_or_insert_with(Recent::default);
    }

    /// The comment on the message that came in last, if a rule or a fault met it.
    pub fn last_comment(&self) -> Option<Arc<str>> {
        self.last_comment.clone()
    }

    /// A side has ended: its messages still arrive, then the other side is ended, too.
    pub fn end(&mut self, now: Instant, id: ConnectionId, from: Side) {
        for held in self.waiting_room.held_from(id, from) {
            self.go_on(now, held);
        }
        let end = Waiting {
            connection: id,
            from,
            carried: Carried::end(),
        };
        // Behind messages that a rule delays.
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
        let Some(mut connection) = self.connections.remove(id) else {
            return Ok(());
        };
        self.exit.forget(id);
        self.waiting_room.forget(id);
        let mut gate = Gate {
            sink,
            rules: &mut self.rules,
            known: &mut self.known,
            holds: None,
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
    pub fn poll_output(&mut self, now: Instant) -> Option<ProxyOutput> {
        while let Some(waiting) = self.waiting_room.pop_due(now) {
            self.go_on(now, waiting);
        }
        self.exit.poll(now, &mut self.connections)
    }

    /// When something is to be done without anything coming in.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.exit.next_due(), self.waiting_room.next_due()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Notes the time that an unhindered message took.
    pub fn note_added(&mut self, time: Duration) {
        self.exit.note_added(time);
    }

    /// Whether more should come in.
    pub fn has_room(&self) -> bool {
        !self.waiting_room.is_full() && !self.exit.is_full()
    }

    /// The bytes of messages that wait, on purpose or for a fault, with a little for each. While
    /// there is [room](Self::has_room) they are less than 64 MiB.
    pub fn held_bytes(&self) -> usize {
        self.waiting_room.held_bytes() + self.exit.held_bytes()
    }

    /// Whether a client has proven its address, where that is [required](ProxyOptions::address_proof).
    pub fn is_proven(&self, id: ConnectionId) -> bool {
        !self.exit.doubts(id)
    }

    /// Whether something waits for a client to prove its address, or will have to: no more should be read
    /// that is for it.
    pub fn waits_for_proof(&self, id: ConnectionId) -> bool {
        self.exit.waits_for_proof(id)
    }

    /// Whether messages wait to be released one by one.
    pub const fn is_paused(&self) -> bool {
        self.waiting_room.is_paused()
    }

    /// Holds every message from now on.
    pub const fn pause(&mut self) {
        self.waiting_room.pause();
    }

    /// Lets the messages go on that are held, and all that follow.
    pub fn resume(&mut self, now: Instant) {
        self.waiting_room.resume();
        self.step(now, usize::MAX);
    }

    /// Lets so many held messages go on; returns the number that did.
    pub fn step(&mut self, now: Instant, count: usize) -> usize {
        let mut passed = 0;
        while passed < count
            && let Some(waiting) = self.waiting_room.pop_queued()
        {
            self.exit.enter(now, waiting, &mut self.connections);
            passed += 1;
        }
        passed
    }

    /// Number of held messages.
    pub fn queued(&self) -> usize {
        self.waiting_room.queued_count()
    }

    /// The messages that are held, first to last, at most so many: from where, and the bytes.
    pub fn queue(&self, most: usize) -> impl Iterator<Item = (ConnectionId, Direction, Bytes)> {
        self.waiting_room.queued().take(most).filter_map(|waiting| {
            let connection = self.connections.get(waiting.connection)?;
            let direction = connection.direction(waiting.from);
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
        self.exit.faults()
    }

    /// Has other faults from now on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.exit.set_faults(faults);
    }

    /// The conversations that go on, as they stand.
    pub fn conversations(&self) -> Vec<Conversation> {
        self.dissector.tracked()
    }

    /// Number of connections of clients, with those that are being ended.
    pub fn connection_count(&self) -> usize {
        self.connections.open_count()
    }

    /// Number of conversations that go on.
    pub fn conversation_count(&self) -> usize {
        self.dissector.tracked_count()
    }

    /// Counts of the dissection.
    pub fn counts(&self) -> PassingCounts {
        self.dissector.counts()
    }

    /// Reports to the sink all conversations that still go on.
    ///
    /// # Errors
    /// Those of `sink`.
    pub fn finish<S: Sink>(&mut self, sink: &mut S) -> Result<(), S::Error> {
        self.dissector.finish(sink)
    }

    /// The report so far.
    pub fn report(&self) -> ProxyReport {
        ProxyReport {
            directions: self.connections.directions,
            rules: self
                .rules
                .all()
                .iter()
                .map(|rule| RuleReport {
                    text: rule.text().to_owned(),
                    tally: *rule.tally(),
                })
                .collect(),
            faults: self.exit.fault_report(),
            conversations: self.dissector.counts().conversations,
            connections: self.connections.count,
            failed_connections: self.connections.failed_count,
            added_us: self.exit.added(),
        }
    }
}
