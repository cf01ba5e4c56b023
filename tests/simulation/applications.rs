//! The applications on both sides of a [`Pair`], who do random things and
//! write down what they saw.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use ministream::endpoint::{End, Event, Handle, Open, OpenError, Scope, State, Stats, WriteError};
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use crate::pair::{Pair, Side};

/// What one application knows of a conversation.
#[derive(Debug)]
struct Ledger {
    /// The number that the SYN's destination carries.
    number: u64,
    is_client: bool,
    accepted: bool,
    /// It has said that it writes no more.
    finished: bool,
    written: u64,
    received: u64,
    /// Received and not consumed.
    held: usize,
    end: Option<End>,
    unsent: u64,
    dropped: u64,
}

impl Ledger {
    fn new(number: u64, is_client: bool) -> Self {
        Self {
            number,
            is_client,
            accepted: is_client,
            finished: false,
            written: 0,
            received: 0,
            held: 0,
            end: None,
            unsent: 0,
            dropped: 0,
        }
    }
}

/// The byte that stands at `offset` of a conversation's stream: another one
/// for each conversation, direction and place.
fn byte_at(number: u64, from_client: bool, offset: u64) -> u8 {
    let mixed = (number * 2 + u64::from(from_client)) * 89 + offset * 7;
    u8::try_from(mixed % 251).expect("below 251")
}

/// The same without the place, for networks that lose and reorder.
fn tag(number: u64, from_client: bool) -> u8 {
    byte_at(number, from_client, 0)
}

/// Whether both sides say that all of the writer's bytes have arrived.
fn is_complete(writer: &Ledger, reader: &Ledger) -> bool {
    writer.end == Some(End::Closed) && reader.end == Some(End::PeerClosed) && reader.dropped == 0
}

pub(crate) struct Applications {
    pair: Pair,
    ledgers: [BTreeMap<Handle, Ledger>; 2],
    next_number: u64,
    blocked: [bool; 2],
    /// From now on they only take what comes.
    winding_up: bool,
}

impl Applications {
    pub(crate) fn new(pair: Pair) -> Self {
        Self {
            pair,
            ledgers: [BTreeMap::new(), BTreeMap::new()],
            next_number: 0,
            blocked: [false; 2],
            winding_up: false,
        }
    }

    /// Does one random thing.
    pub(crate) fn act(&mut self, rng: &mut Xoshiro256PlusPlus) {
        let side = rng.random_range(0..2);
        match rng.random_range(0..200) {
            0 => {
                self.pair.lose_link();
                self.blocked = [false; 2];
            }
            1..30 => self.open(side),
            30..40 => self.toggle_link(side),
            _ => {
                // Now and then one that has ended: nothing may come of it.
                let with_ended = rng.random_range(0..10) == 0;
                let handles: Vec<Handle> = self.ledgers[side]
                    .iter()
                    .filter(|(_, ledger)| with_ended || ledger.end.is_none())
                    .map(|(&handle, _)| handle)
                    .collect();
                if !handles.is_empty() {
                    let handle = handles[rng.random_range(0..handles.len())];
                    self.act_on(rng, side, handle);
                }
            }
        }
        self.observe();
    }

    fn open(&mut self, side: Side) {
        let number = self.next_number;
        let mut destination = vec![0; 387];
        destination[..8].copy_from_slice(&number.to_be_bytes());
        let open = Open {
            to: 1 - side,
            destination: destination.into(),
            client_id: None,
        };
        match self.pair.endpoints[side].open(self.pair.now, open) {
            Ok(handle) => {
                self.next_number += 1;
                self.ledgers[side].insert(handle, Ledger::new(number, true));
            }
            Err(OpenError::TooMany { limit }) => {
                let endpoint = &mut self.pair.endpoints[side];
                let ended = endpoint.count_in(State::Ended);
                let live = endpoint.conversation_count() - ended;
                assert!(live <= limit && ended < 2 * limit, "{live} and {ended}");
                assert!(live == limit || ended >= limit, "{live} and {ended}");
                endpoint.close_answered(self.pair.now);
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn toggle_link(&mut self, side: Side) {
        let link = Scope::Peer(1 - side);
        self.blocked[side] = !self.blocked[side];
        if self.blocked[side] {
            self.pair.endpoints[side].handle_link_blocked(link);
        } else {
            self.pair.endpoints[side].handle_link_ready(link);
        }
    }

    fn act_on(&mut self, rng: &mut Xoshiro256PlusPlus, side: Side, handle: Handle) {
        let now = self.pair.now;
        let endpoint = &mut self.pair.endpoints[side];
        let Some(ledger) = self.ledgers[side].get_mut(&handle) else {
            return;
        };
        if !ledger.accepted && ledger.end.is_none() {
            match rng.random_range(0..8) {
                0 => endpoint.refuse(now, handle),
                1 => {}
                _ => {
                    endpoint.accept(now, handle);
                    self.accepted(side, handle);
                }
            }
            return;
        }
        match rng.random_range(0..30) {
            0 => {
                endpoint.finish(now, handle);
                ledger.finished = true;
            }
            1 => {
                endpoint.close(now, handle);
                ledger.finished = true;
            }
            2 if rng.random_range(0..3) == 0 => {
                endpoint.abort(now, handle);
                ledger.held = 0;
                ledger.finished = true;
            }
            2..8 => {
                let bytes = rng.random_range(0..=ledger.held);
                endpoint.consumed(now, handle, bytes);
                ledger.held -= bytes;
            }
            _ => self.write(rng, side, handle),
        }
    }

    fn accepted(&mut self, side: Side, handle: Handle) {
        if let Some(ledger) = self.ledgers[side].get_mut(&handle) {
            ledger.accepted = true;
        }
    }

    fn write(&mut self, rng: &mut Xoshiro256PlusPlus, side: Side, handle: Handle) {
        let reliable = self.pair.network.is_reliable();
        let endpoint = &mut self.pair.endpoints[side];
        let Some(ledger) = self.ledgers[side].get_mut(&handle) else {
            return;
        };
        let length = [0, 1, 6, 7, 8, 99, 250][rng.random_range(0..7)];
        let bytes: Bytes = (ledger.written..ledger.written + length)
            .map(|offset| {
                if reliable {
                    byte_at(ledger.number, ledger.is_client, offset)
                } else {
                    tag(ledger.number, ledger.is_client)
                }
            })
            .collect();
        let writable = endpoint.is_writable(handle);
        match endpoint.write(self.pair.now, handle, bytes) {
            Ok(()) => {
                assert!(!ledger.finished && ledger.end.is_none());
                ledger.written += length;
            }
            Err(WriteError::Full { held, bound }) => assert!(held >= bound && !writable),
            Err(WriteError::NotOpen) => assert!(!writable),
            Err(error) => panic!("not foreseen: {error}"),
        }
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        let until = self.pair.now + time;
        self.observe();
        while self.pair.step(until) {
            self.observe();
        }
    }

    /// Writes down what the endpoints say.
    fn observe(&mut self) {
        // What is said can lead to more being said.
        loop {
            let events = self.pair.drain();
            if events.is_empty() {
                break;
            }
            for (side, event) in events {
                self.note(side, event);
            }
        }
    }

    fn note(&mut self, side: Side, event: Event<Side>) {
        let reliable = self.pair.network.is_reliable();
        match event {
            Event::Incoming {
                conversation,
                from,
                destination,
                ..
            } => {
                assert_eq!(from, 1 - side);
                let number = u64::from_be_bytes(destination[..8].try_into().expect("8 bytes"));
                let ledger = Ledger::new(number, false);
                assert!(self.ledgers[side].insert(conversation, ledger).is_none());
                let now = self.pair.now;
                if self.winding_up {
                    self.pair.endpoints[side].refuse(now, conversation);
                } else if self.pair.rng.random_range(0..10) < 7 {
                    self.pair.endpoints[side].accept(now, conversation);
                    self.accepted(side, conversation);
                }
            }
            Event::Opened { conversation, .. } => {
                let ledger = &self.ledgers[side][&conversation];
                assert!(ledger.accepted && ledger.end.is_none());
            }
            Event::Data {
                conversation,
                bytes,
            } => {
                let ledger = self.ledgers[side]
                    .get_mut(&conversation)
                    .expect("only known conversations have data");
                assert!(ledger.end.is_none() && ledger.accepted && !bytes.is_empty());
                for (offset, &byte) in (ledger.received..).zip(&bytes) {
                    let expected = if reliable {
                        byte_at(ledger.number, !ledger.is_client, offset)
                    } else {
                        tag(ledger.number, !ledger.is_client)
                    };
                    assert_eq!(byte, expected, "conversation {}", ledger.number);
                }
                ledger.received += bytes.len() as u64;
                ledger.held += bytes.len();
                if self.winding_up {
                    let held = std::mem::take(&mut ledger.held);
                    self.pair.endpoints[side].consumed(self.pair.now, conversation, held);
                }
            }
            Event::Writable { conversation } => {
                let ledger = &self.ledgers[side][&conversation];
                assert!(!ledger.finished && ledger.end.is_none());
            }
            Event::Closed {
                conversation,
                end,
                summary,
            } => {
                let ledger = self.ledgers[side]
                    .get_mut(&conversation)
                    .expect("only known conversations end");
                assert_eq!(ledger.end, None, "a conversation ends once");
                ledger.end = Some(end);
                ledger.unsent = summary.unsent_bytes;
                ledger.dropped = summary.dropped_bytes;
                assert_eq!(summary.received_bytes, ledger.received);
                assert_eq!(summary.sent_bytes + summary.unsent_bytes, ledger.written);
            }
        }
    }

    /// Reads what there is, unblocks the links, and refuses what is new.
    pub(crate) fn only_read(&mut self) {
        self.winding_up = true;
        for side in 0..2 {
            if self.blocked[side] {
                self.toggle_link(side);
            }
            for (&handle, ledger) in &mut self.ledgers[side] {
                let held = std::mem::take(&mut ledger.held);
                self.pair.endpoints[side].consumed(self.pair.now, handle, held);
            }
        }
        self.observe();
    }

    pub(crate) fn close_everything(&mut self) {
        self.only_read();
        for side in 0..2 {
            for (&handle, ledger) in &mut self.ledgers[side] {
                self.pair.endpoints[side].close(self.pair.now, handle);
                ledger.finished = true;
            }
        }
        self.observe();
    }

    /// Lets an hour pass: much more than all timeouts together.
    pub(crate) fn run_until_quiet(&mut self) {
        self.run_for(Duration::from_secs(3_600));
    }

    pub(crate) fn assert_all_ended(&self) {
        for ledgers in &self.ledgers {
            for (handle, ledger) in ledgers {
                assert!(ledger.end.is_some(), "{handle}: {ledger:?}");
            }
        }
        assert!(self.pair.is_empty(), "something was left behind");
    }

    /// Forgets what is over; new things may be begun.
    pub(crate) fn begin_anew(&mut self) {
        self.ledgers = [BTreeMap::new(), BTreeMap::new()];
        self.winding_up = false;
    }

    /// Neither endpoint holds, knows or awaits anything.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.pair.is_empty() && self.pair.awaits_nothing()
    }

    /// The two views of each conversation, the client's first; without those
    /// of which the server heard nothing.
    fn views(&self) -> impl Iterator<Item = (&Ledger, &Ledger)> {
        let all = || self.ledgers.iter().flat_map(BTreeMap::values);
        all()
            .filter(|ledger| ledger.is_client)
            .filter_map(move |client| {
                let server =
                    all().find(|ledger| !ledger.is_client && ledger.number == client.number)?;
                Some((client, server))
            })
    }

    pub(crate) fn assert_streams_equal(&self) {
        for (client, server) in self.views() {
            for (writer, reader) in [(client, server), (server, client)] {
                assert!(reader.received <= writer.written, "{writer:?}\n{reader:?}");
                if is_complete(writer, reader) {
                    assert_eq!(writer.unsent, 0, "{writer:?}\n{reader:?}");
                    assert_eq!(reader.received, writer.written, "{writer:?}\n{reader:?}");
                }
            }
            match (client.end, server.end) {
                (Some(End::Refused), end) => assert!(
                    matches!(end, Some(End::RefusedByUs | End::AcceptTimeout))
                        || server.received == 0,
                    "{client:?}\n{server:?}"
                ),
                (Some(End::PeerClosed), end) => {
                    assert_ne!(end, Some(End::PeerClosed), "{client:?}\n{server:?}");
                }
                _ => {}
            }
        }
    }

    pub(crate) fn stats(&self) -> [Stats; 2] {
        [0, 1].map(|side| self.pair.endpoints[side].stats().clone())
    }
}

/// What many schedules did, to see that they do not miss their aim.
#[derive(Default)]
pub(crate) struct Tally {
    ends: BTreeMap<String, u64>,
    complete_streams: u64,
    bytes: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, applications: &Applications) {
        for ledger in applications.ledgers.iter().flat_map(BTreeMap::values) {
            *self.ends.entry(format!("{:?}", ledger.end)).or_default() += 1;
            self.bytes += ledger.received;
        }
        for (client, server) in applications.views() {
            for (writer, reader) in [(client, server), (server, client)] {
                let complete = is_complete(writer, reader) && writer.written > 0;
                self.complete_streams += u64::from(complete);
            }
        }
    }

    pub(crate) fn assert_varied(&self) {
        for end in [
            End::Closed,
            End::PeerClosed,
            End::Aborted,
            End::Refused,
            End::RefusedByUs,
            End::AcceptTimeout,
            End::SlowReader,
            End::LinkLost,
        ] {
            let count = self.ends.get(&format!("{:?}", Some(end))).copied();
            assert!(count > Some(10), "{end:?}: {count:?} of {:?}", self.ends);
        }
        assert!(self.complete_streams > 100, "{}", self.complete_streams);
        assert!(self.bytes > 50_000, "{}", self.bytes);
    }
}
