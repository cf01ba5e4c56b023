//! The session: its phases, its clock, and its interface to the user. The router's messages are in
//! [`router`](super::router).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};

use super::config::{Greeting, SessionConfig};
use super::error::{SendError, SessionError};
use super::event::{Counters, Event};
use super::lease_rate::LeaseRate;
use super::lookup::{Dialect, LookupId, Lookups, Query};
use super::outgoing::{Attempts, Lane, Outgoing};
use super::pacer::Pacer;
use super::peers::Peers;
use super::self_test::Probe;
use super::{MAX_GZIP_BYTES, MAX_MESSAGE_BYTES};
use crate::carrier::i2cp::gzip::{Deflater, Inflater};
use crate::carrier::i2cp::{EncodeError, FrameItem, FrameReader, Message, PROTOCOL_BYTE, Sender};
use crate::keys::Keys;
use crate::wire::{Destination, DestinationHash};

/// The version of I2CP that we say we speak.
const VERSION: &[u8] = b"0.9.57";
/// Time for the router to confirm the end of the session.
const LEAVING_TIMEOUT: Duration = Duration::from_secs(2);
/// The same while messages wait for the reports on others.
const ORDERED_LEAVING_TIMEOUT: Duration = Duration::from_secs(10);

/// One session with a router; see the [module documentation](super).
#[derive(Debug)]
pub struct Session {
    reader: FrameReader,
    core: Core,
}

#[derive(Debug)]
pub(super) struct Core {
    pub(super) keys: Arc<Keys>,
    pub(super) config: SessionConfig,
    pub(super) phase: Phase,
    /// When the phase has lasted too long.
    pub(super) deadline: Option<Instant>,
    pub(super) dialect: Dialect,
    pub(super) outgoing: Outgoing,
    pub(super) lookups: Lookups,
    pub(super) peers: Peers,
    pub(super) probe: Probe,
    pub(super) inflater: Inflater,
    pub(super) deflater: Deflater,
    /// The router announces messages by status 0, and expects their arrival to be confirmed.
    pub(super) announces: bool,
    /// The router has named its version.
    pub(super) names_version: bool,
    pub(super) events: VecDeque<Event>,
    pub(super) lease_rate: LeaseRate,
    pub(super) counters: Counters,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// GetDate is sent.
    Greeting,
    /// CreateSession is sent.
    Creating,
    /// The router builds tunnels.
    Building(u16),
    /// A lease set is with the router.
    Ready(u16),
    /// DestroySession is sent.
    Leaving(u16),
    /// Over.
    Ended,
}

/// Bytes of answers that may wait for the router to read them. A router that asks for more and
/// reads none would make us grow.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

impl Session {
    /// A session on a connection that has just been made. `seed` must be
    /// random: whoever knows it can feign the [`SelfTest`](super::SelfTest).
    pub fn new(now: Instant, keys: Arc<Keys>, config: SessionConfig, seed: [u8; 32]) -> Self {
        let mut rng = ChaCha12Rng::from_seed(seed);
        let mut token = [0; 8];
        rng.fill_bytes(&mut token);
        let mut core = Core {
            peers: Peers::new(config.max_peers),
            deadline: Some(now + config.greeting_timeout),
            outgoing: Outgoing::new(
                rng.next_u32(),
                Pacer::new(config.bytes_per_second),
                config.order,
            ),
            keys,
            config,
            phase: Phase::Greeting,
            dialect: Dialect::Hashes,
            lookups: Lookups::default(),
            probe: Probe::new(token),
            inflater: Inflater::new(),
            deflater: Deflater::new(),
            announces: false,
            names_version: false,
            events: VecDeque::new(),
            lease_rate: LeaseRate::default(),
            counters: Counters::default(),
        };
        core.greet();
        Self {
            reader: FrameReader::new(Sender::Router),
            core,
        }
    }

    // --- the router's side ---

    /// Takes bytes that the router sent.
    pub fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        let core = &mut self.core;
        if core.phase == Phase::Ended {
            // The reader stands where the framing was lost.
            return;
        }
        let result = self.reader.push(bytes, &mut |item| match item {
            // A frame before this one has ended the session.
            _ if core.phase == Phase::Ended => Ok(()),
            FrameItem::Frame(frame) => core.handle_frame(now, frame),
            FrameItem::Problem(problem) => Err(SessionError::Framing(problem)),
        });
        let result = result.and_then(|()| match self.core.outgoing.answer_bytes() {
            0..=MAX_ANSWER_BYTES => Ok(()),
            _ => Err(SessionError::AnswersUnread),
        });
        if let Err(error) = result {
            self.core.end(Err(error));
        }
    }

    /// Takes note that the connection is gone.
    pub fn handle_close(&mut self) {
        self.core.handle_close();
    }

    /// The next frame to write to the router, whole. `None` until there is
    /// input, or the time of [`poll_timeout`](Self::poll_timeout) has come.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.core.outgoing.poll(now)
    }

    // --- the clock ---

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let core = &self.core;
        if core.phase == Phase::Ended {
            return None;
        }
        // Only a session in service does these; while it leaves, they are due no more.
        let (lookups, probe) = match core.phase {
            Phase::Ready(_) => (core.lookups.next_timeout(), core.probe.next_timeout()),
            _ => (None, None),
        };
        let times = [core.deadline, core.outgoing.next_timeout(), probe, lookups];
        times.into_iter().flatten().min()
    }

    /// Acts on all timeouts at `now`; harmless at any time.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Err(error) = self.core.handle_timeout(now) {
            self.core.end(Err(error));
        }
    }

    // --- the user's side ---

    /// The next event; `None` until there is input.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.core.events.pop_front()
    }

    /// Our own destination.
    pub fn destination(&self) -> Destination<'_> {
        self.core.keys.destination()
    }

    /// Remembers a peer's destination, so that messages can be sent to it.
    pub fn learn(&mut self, destination: Destination<'_>) -> DestinationHash {
        self.core.peers.learn(destination)
    }

    /// Takes a message to send. Where [`LaneOrder`](super::LaneOrder) says so, one in a lane waits
    /// until the router has reported that the one before it in the same lane was sent.
    ///
    /// # Errors
    /// It is too long, the peer's destination is not known, or the session is not ready.
    pub fn send(
        &mut self,
        to: DestinationHash,
        message: &[u8],
        attempts: Attempts,
        lane: Option<Lane>,
    ) -> Result<(), SendError> {
        self.core.send(to, message, attempts, lane)
    }

    /// Whether messages of a lane wait for the reports on those before them. With
    /// [`LaneOrder::Auto`](super::LaneOrder::Auto) that may end with the first report.
    pub const fn is_ordered(&self) -> bool {
        self.core.outgoing.keeps_lanes()
    }

    /// Whether the router has named its version. Those before 0.8.7 do not, nor does any to
    /// whom none was named.
    pub const fn names_version(&self) -> bool {
        self.core.names_version
    }

    /// Bytes that were taken to send and that [`poll_transmit`](Self::poll_transmit)
    /// has not given out. Whoever sends without end should wait while they are many.
    pub const fn waiting_bytes(&self) -> usize {
        self.core.outgoing.waiting_bytes()
    }

    /// Looks for a destination, once the session is ready.
    pub fn look_up(&mut self, now: Instant, query: Query) -> LookupId {
        let timeout = self.core.config.lookup_timeout;
        let id = self.core.lookups.start(now, query, timeout);
        if let Err(error) = self.core.drive_lookups(now) {
            self.core.end(Err(error));
        }
        id
    }

    /// Ends the session when all messages are written; [`Event::Ended`] reports
    /// that the router has confirmed it, or that the connection is of no more use.
    pub fn leave(&mut self, now: Instant) {
        self.core.leave(now);
    }

    /// The traffic so far.
    pub const fn counters(&self) -> Counters {
        self.core.counters
    }
}

impl Core {
    fn greet(&mut self) {
        // Once for each connection, before any frame (docs/i2cp.md, "What a session does").
        self.outgoing.push_answer(vec![PROTOCOL_BYTE]);
        let get_date = Message::GetDate {
            version: match self.config.greeting {
                Greeting::WithVersion => Some(VERSION),
                Greeting::Bare => None,
            },
            authentication: &[],
        };
        if let Err(error) = self.answer(&get_date) {
            self.end(Err(error.into()));
        }
    }

    fn send(
        &mut self,
        to: DestinationHash,
        message: &[u8],
        attempts: Attempts,
        lane: Option<Lane>,
    ) -> Result<(), SendError> {
        let Phase::Ready(session) = self.phase else {
            return Err(SendError::NotReady);
        };
        if message.len() > MAX_MESSAGE_BYTES {
            return Err(SendError::TooLong(message.len()));
        }
        let destination = self.peers.get(to).ok_or(SendError::UnknownPeer(to))?;
        let nonce = self.outgoing.draw_nonce();
        let frame = send_frame(&mut self.deflater, session, destination, message, nonce)?;
        self.outgoing.push_message(nonce, frame, to, attempts, lane);
        self.counters.sent_count += 1;
        Ok(())
    }

    fn leave(&mut self, now: Instant) {
        match self.phase {
            Phase::Building(session) | Phase::Ready(session) => {
                let mut frame = Vec::new();
                match (Message::DestroySession { session }).encode(&mut frame) {
                    Ok(()) => self.outgoing.push_final(frame),
                    Err(error) => return self.end(Err(error.into())),
                }
                let timeout = if self.outgoing.has_lanes() {
                    ORDERED_LEAVING_TIMEOUT
                } else {
                    LEAVING_TIMEOUT
                };
                self.enter(Phase::Leaving(session), Some(now + timeout));
            }
            // The router has not given the session a number that DestroySession could name.
            Phase::Greeting | Phase::Creating => self.end(Ok(())),
            Phase::Leaving(_) | Phase::Ended => {}
        }
    }

    fn handle_close(&mut self) {
        let result = match self.phase {
            Phase::Greeting => Err(SessionError::ClosedOnGreeting),
            Phase::Creating => Err(SessionError::ClosedOnCreate),
            Phase::Building(_) | Phase::Ready(_) => Err(SessionError::Closed),
            // The router closes the connection after DestroySession.
            Phase::Leaving(_) | Phase::Ended => Ok(()),
        };
        self.end(result);
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), SessionError> {
        if self.deadline.is_some_and(|at| at <= now) {
            self.deadline = None;
            match self.phase {
                Phase::Greeting => {
                    return Err(SessionError::Silent(self.config.greeting_timeout));
                }
                Phase::Creating => {
                    return Err(SessionError::NoStatus(self.config.greeting_timeout));
                }
                Phase::Building(_) => {
                    return Err(SessionError::NoTunnels(self.config.building_timeout));
                }
                Phase::Leaving(_) => self.end(Ok(())),
                Phase::Ready(_) | Phase::Ended => {}
            }
        }
        if self.phase == Phase::Ended {
            return Ok(());
        }
        for failure in self.outgoing.handle_timeout(now) {
            self.report_failure(failure);
        }
        self.drive_probe(now)?;
        self.drive_lookups(now)
    }

    pub(super) fn drive_probe(&mut self, now: Instant) -> Result<(), SessionError> {
        let Phase::Ready(session) = self.phase else {
            return Ok(());
        };
        if let Some((message, finding)) = self.probe.poll(now) {
            // Without a nonce the router reports nothing.
            let destination = self.keys.destination();
            let frame = send_frame(&mut self.deflater, session, destination, message, 0)
                .expect("a message of a few bytes to a destination of 391 fits into a frame");
            // A router that reads nothing would have them pile up.
            if !self.outgoing.has_last_waiting() {
                self.outgoing.push_last(frame);
            }
            self.events.extend(finding.map(Event::from));
        }
        Ok(())
    }

    pub(super) fn drive_lookups(&mut self, now: Instant) -> Result<(), SessionError> {
        let Phase::Ready(session) = self.phase else {
            return Ok(());
        };
        let mut questions = Vec::new();
        while let Some(answer) = self
            .lookups
            .poll(now, session, self.dialect, &mut questions)?
        {
            self.report_lookup(answer);
        }
        for question in questions {
            self.outgoing.push_answer(question);
        }
        Ok(())
    }

    pub(super) fn answer(&mut self, message: &Message<'_>) -> Result<(), EncodeError> {
        let mut frame = Vec::new();
        message.encode(&mut frame)?;
        self.outgoing.push_answer(frame);
        Ok(())
    }

    pub(super) fn enter(&mut self, phase: Phase, deadline: Option<Instant>) {
        self.phase = phase;
        self.deadline = deadline;
    }

    pub(super) fn end(&mut self, result: Result<(), SessionError>) {
        if self.phase != Phase::Ended {
            self.enter(Phase::Ended, None);
            self.events.push_back(Event::Ended(result));
        }
    }
}

fn send_frame(
    deflater: &mut Deflater,
    session: u16,
    destination: Destination<'_>,
    message: &[u8],
    nonce: u32,
) -> Result<Vec<u8>, SendError> {
    let mut payload = Vec::new();
    deflater.deflate(message, &mut payload);
    if payload.len() > MAX_GZIP_BYTES {
        return Err(SendError::PayloadTooLong(payload.len()));
    }
    // Length 4, type 1, session 2, length of the payload 4 and nonce 4 are the rest of the frame
    // (I2CP specification, "SendMessageMessage").
    let mut frame = Vec::with_capacity(payload.len() + destination.as_bytes().len() + 15);
    let message = Message::SendMessage {
        session,
        destination,
        payload: &payload,
        nonce,
    };
    message.encode(&mut frame)?;
    Ok(frame)
}
