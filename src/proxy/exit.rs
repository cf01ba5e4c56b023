//! The last of the way: faults, and the output behind them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;

use super::carried::{Carried, Content, Waiting, comment_on};
use super::connection::ConnectionId;
use super::connections::Connections;
use super::i2cp;
use super::report::{AddedLatency, FaultReport, index};
use super::unproven::{Passage, Unproven};
use crate::fault::{AppliedFaults, Engine, FaultSpec, Faults, LaneEvent};
use crate::net::Side;
use crate::units::whole_micros;

/// Longer times count as this one, in microseconds: the range of a histogram decides its memory.
const LONGEST_US: u64 = 60_000_000;

/// A request of a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyOutput {
    /// A message, on I2CP a frame, to be sent to one side of a connection.
    Transmit {
        /// The connection.
        connection: ConnectionId,
        /// The client is the initiator.
        to: Side,
        /// The bytes.
        bytes: Bytes,
        /// Number of bytes missing at the end: the connection breaks behind the others.
        missing_bytes: usize,
        /// The effect of a rule or a fault on it.
        comment: Option<Arc<str>>,
        /// When it should have gone out: when it came in, or when it was due.
        due: Instant,
    },
    /// All that the other side sent has been passed on: this side of the connection ends.
    Finish {
        /// The connection.
        connection: ConnectionId,
        /// The side to which nothing more is sent.
        to: Side,
    },
    /// Both sides of a connection break at once.
    Break {
        /// The connection.
        connection: ConnectionId,
    },
    /// Too much waits for a client that has not proven its address: its connection is to be closed.
    GiveUp {
        /// The connection.
        connection: ConnectionId,
    },
}

/// The output, and the faults that it meets before.
#[derive(Debug)]
pub(super) struct Exit {
    faults: Faults,
    /// One a direction, by [`index`].
    engines: [Engine<(ConnectionId, Side), Carried>; 2],
    wrapper: i2cp::Wrapper,
    unproven: Unproven,
    output: VecDeque<ProxyOutput>,
    /// Time that the proxy itself added, in microseconds.
    added: Histogram<u64>,
}

impl Exit {
    pub(super) fn new(faults: Faults, seed: [u8; 32], now: Instant) -> Self {
        let engine = |spec: &FaultSpec, stream| Engine::new(spec.clone(), seed, stream, now);
        Self {
            engines: [engine(&faults.c2s, 0), engine(&faults.s2c, 1)],
            faults,
            wrapper: i2cp::Wrapper::default(),
            unproven: Unproven::default(),
            output: VecDeque::new(),
            added: Histogram::new_with_bounds(1, LONGEST_US, 2)
                .unwrap_or_else(|_| unreachable!("constant bounds that a histogram takes")),
        }
    }

    /// Sends something on its way out. Returns which faults it met at once.
    pub(super) fn enter(
        &mut self,
        now: Instant,
        waiting: Waiting,
        connections: &mut Connections,
    ) -> AppliedFaults {
        let Waiting {
            connection: id,
            from,
            carried,
        } = waiting;
        let Some(connection) = connections.get(id) else {
            return AppliedFaults::default();
        };
        let engine = &mut self.engines[index(connection.direction(from))];
        if !engine.spec().acts_on_messages() && engine.is_idle() {
            self.pass_on(id, from, carried, now, connections);
            return AppliedFaults::default();
        }
        let doubted_bytes = carried.doubted_bytes;
        match carried.content {
            Content::Message { .. } => {
                let applied = engine.submit(now, (id, from), carried);
                if applied.is_end() {
                    self.unproven.lose(id, doubted_bytes);
                }
                applied
            }
            // Faults are for messages; these would end a session.
            Content::Frame(_) | Content::End => {
                engine.submit_end(now, (id, from), carried);
                AppliedFaults::default()
            }
        }
    }

    /// A client from whose address bytes go back only so far, until it has proven that it is its own.
    pub(super) fn doubt(&mut self, id: ConnectionId) {
        self.unproven.insert(id);
    }

    /// Whether a client is still to prove its address.
    pub(super) fn doubts(&self, id: ConnectionId) -> bool {
        self.unproven.contains(id)
    }

    /// A server has sent a message to a client.
    pub(super) fn expect(&mut self, id: ConnectionId, carried: &mut Carried) {
        self.unproven.expect(id, carried);
    }

    /// It goes no further.
    pub(super) fn lose(&mut self, id: ConnectionId, carried: &Carried) {
        self.unproven.lose(id, carried.doubted_bytes);
    }

    /// Whether something waits for such a client, or will have to.
    pub(super) fn waits_for_proof(&self, id: ConnectionId) -> bool {
        self.unproven.waits_for(id)
    }

    /// A client has sent this: messages that waited for it may go.
    pub(super) fn handle_message(
        &mut self,
        now: Instant,
        id: ConnectionId,
        message: &Bytes,
        connections: &mut Connections,
    ) {
        for carried in self.unproven.handle_message(id, message) {
            self.go_out(id, Side::Responder, &carried, now, connections);
        }
    }

    /// Behind the faults: out, unless it has to wait for its receiver's proof.
    fn pass_on(
        &mut self,
        id: ConnectionId,
        from: Side,
        carried: Carried,
        due: Instant,
        connections: &mut Connections,
    ) {
        let passage = match from {
            Side::Responder => self.unproven.pass(id, carried),
            Side::Initiator => Passage::Goes(carried),
        };
        match passage {
            Passage::Goes(carried) => self.go_out(id, from, &carried, due, connections),
            Passage::Waits => {}
            Passage::GivenUp => self
                .output
                .push_back(ProxyOutput::GiveUp { connection: id }),
        }
    }

    fn go_out(
        &mut self,
        connection: ConnectionId,
        from: Side,
        carried: &Carried,
        due: Instant,
        connections: &mut Connections,
    ) {
        let to = from.opposite();
        if matches!(carried.content, Content::End) {
            return self
                .output
                .push_back(ProxyOutput::Finish { connection, to });
        }
        let Some(mut bytes) = carried.wire_bytes(&mut self.wrapper) else {
            return;
        };
        bytes.truncate(bytes.len().saturating_sub(carried.missing_bytes));
        let is_message = matches!(carried.content, Content::Message { .. });
        let counts = connections.counts_mut(connection, from);
        counts.messages_out += u64::from(is_message && carried.missing_bytes == 0);
        counts.bytes_out += bytes.len() as u64;
        self.output.push_back(ProxyOutput::Transmit {
            connection,
            to,
            bytes,
            missing_bytes: carried.missing_bytes,
            comment: comment_on(carried.comment.clone(), &carried.faults),
            due,
        });
    }

    /// The next thing to be done.
    pub(super) fn poll(
        &mut self,
        now: Instant,
        connections: &mut Connections,
    ) -> Option<ProxyOutput> {
        if let Some(output) = self.output.pop_front() {
            return Some(output);
        }
        for engine in 0..self.engines.len() {
            while let Some(due) = self.engines[engine].next_due().filter(|due| *due <= now) {
                match self.engines[engine].poll(now) {
                    Some(LaneEvent::Arrives((id, from), carried)) => {
                        self.pass_on(id, from, carried, due, connections);
                    }
                    Some(LaneEvent::Breaks((connection, _))) => {
                        self.output.push_back(ProxyOutput::Break { connection });
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

    /// The time at which the next delayed message goes out.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.engines.iter().filter_map(Engine::next_due).min()
    }

    pub(super) fn held_bytes(&self) -> usize {
        let late: usize = self.engines.iter().map(Engine::held_bytes).sum();
        late + self.unproven.held_bytes()
    }

    pub(super) fn is_full(&self) -> bool {
        self.engines.iter().any(Engine::is_full)
    }

    /// Drops messages on their way over a connection that is gone.
    pub(super) fn forget(&mut self, id: ConnectionId) {
        for engine in &mut self.engines {
            engine.forget(&(id, Side::Initiator));
            engine.forget(&(id, Side::Responder));
        }
        self.unproven.forget(id);
    }

    /// The faults in force.
    pub(super) const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Has other faults from now on.
    pub(super) fn set_faults(&mut self, faults: Faults) {
        self.engines[0].set_spec(faults.c2s.clone());
        self.engines[1].set_spec(faults.s2c.clone());
        self.faults = faults;
    }

    /// Notes the time that an unhindered message took.
    pub(super) fn note_added(&mut self, time: Duration) {
        let micros = whole_micros(time).clamp(1, LONGEST_US);
        self.added.saturating_record(micros);
    }

    pub(super) fn added(&self) -> AddedLatency {
        let at = |quantile| {
            if self.added.is_empty() {
                0
            } else {
                self.added.value_at_quantile(quantile)
            }
        };
        AddedLatency {
            count: self.added.len(),
            p50: at(0.5),
            p99: at(0.99),
            max: at(1.0),
        }
    }

    pub(super) fn fault_report(&self) -> FaultReport {
        FaultReport {
            faults: self.faults.clone(),
            stats: self.engines.each_ref().map(|engine| engine.stats().clone()),
        }
    }
}
