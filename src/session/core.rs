//! The session: its phases, what the router says, and what its user asks for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};

use super::config::{Config, SelfTest};
use super::error::{SendError, SessionError, Undelivered};
use super::lookup::{Answer, Dialect, LookupError, LookupId, Lookups, Query, Reply};
use super::outgoing::{Attempts, Outgoing};
use super::pacer::Pacer;
use super::peers::Peers;
use super::self_test::{Finding, Probe};
use super::{MAX_MESSAGE_BYTES, MAX_PAYLOAD_BYTES};
use crate::carrier::i2cp::gzip::{Deflater, Inflater};
use crate::carrier::i2cp::{
    EncodeError, Frame, FrameItem, FrameReader, LEASE_BYTES, Lease, LeaseSet, Leases, Mapping,
    Message, PROTOCOL_BYTE, RouterHops, Sender,
};
use crate::keys::{Keys, SIGNING_KEY_BYTES};
use crate::wire::{Destination, DestinationHash};

/// What we say that we speak; i2pd echoes it. Since this version routers
/// deliver without being asked, and know HostLookup.
const VERSION: &[u8] = b"0.9.57";
/// How long the router may take to confirm the end of the session.
const LEAVING_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(2);

/// One session with a router; see the [module documentation](super).
#[derive(Debug)]
pub struct Session {
    reader: FrameReader,
    core: Core,
}

/// What a session tells its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The router has taken the session and builds its tunnels.
    Created,
    /// The first lease set is with the router: messages can be sent, and soon
    /// peers can reach the session.
    Ready,
    /// A message arrived; nobody knows from whom.
    Message(Bytes),
    /// The router could not send a message.
    Undelivered {
        /// To whom.
        to: DestinationHash,
        /// Why not.
        reason: Undelivered,
    },
    /// The end of a lookup: the destination's bytes, also remembered for
    /// [`Session::send`].
    LookedUp {
        /// Which lookup.
        lookup: LookupId,
        /// What came of it.
        result: Result<Vec<u8>, LookupError>,
    },
    /// [`SelfTest`]: others can reach the session.
    Reachable,
    /// [`SelfTest`]: others cannot reach the session. It goes on testing.
    Unreachable,
    /// The session is over; nothing follows. `Ok` after [`Session::leave`].
    Ended(Result<(), SessionError>),
}

/// What passed, and what was not understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Lease sets that the router asked for and got.
    pub lease_set_count: u64,
    /// Messages that arrived.
    pub received_count: u64,
    /// Messages that were taken to be sent.
    pub sent_count: u64,
    /// Messages that the router could not send, attempts not counted.
    pub undelivered_count: u64,
    /// Payloads that were no message in gzip, or one longer than
    /// [`MAX_MESSAGE_BYTES`]; they were dropped.
    pub unreadable_count: u64,
    /// Frames of types that a session has no use for, or for other sessions.
    pub ignored_count: u64,
}

#[derive(Debug)]
struct Core {
    keys: Arc<Keys>,
    config: Config,
    phase: Phase,
    /// When the phase has lasted too long.
    deadline: Option<Instant>,
    dialect: Dialect,
    outgoing: Outgoing,
    lookups: Lookups,
    peers: Peers,
    probe: Probe,
    inflater: Inflater,
    deflater: Deflater,
    /// The router announces messages by status 0, and wants to hear of their arrival.
    announces: bool,
    events: VecDeque<Event>,
    counters: Counters,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
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

impl Session {
    /// A session on a connection that has just been made. `seed` must be
    /// random: whoever knows it can feign the [`SelfTest`].
    pub fn new(now: Instant, keys: Arc<Keys>, config: Config, seed: [u8; 32]) -> Self {
        let mut rng = ChaCha12Rng::from_seed(seed);
        let mut token = [0; 8];
        rng.fill_bytes(&mut token);
        let mut core = Core {
            peers: Peers::new(config.max_peers),
            deadline: Some(now + config.greeting_timeout),
            outgoing: Outgoing::new(rng.next_u32(), Pacer::new(config.bytes_per_second)),
            keys,
            config,
            phase: Phase::Greeting,
            dialect: Dialect::Hashes,
            lookups: Lookups::default(),
            probe: Probe::new(token),
            inflater: Inflater::new(),
            deflater: Deflater::new(),
            announces: false,
            events: VecDeque::new(),
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
        let result = self.reader.push(bytes, &mut |item| match item {
            _ if core.phase == Phase::Ended => Ok(()),
            FrameItem::Frame(frame) => core.handle_frame(now, frame),
            FrameItem::Problem(problem) => Err(SessionError::Framing(problem)),
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
        let lookups = match core.phase {
            Phase::Ready(_) => core.lookups.next_timeout(),
            _ => None,
        };
        let times = [
            core.deadline,
            core.outgoing.next_timeout(),
            core.probe.next_timeout(),
            lookups,
        ];
        times.into_iter().flatten().min()
    }

    /// Does what is due at `now`; harmless at any time.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Err(error) = self.core.handle_timeout(now) {
            self.core.end(Err(error));
        }
    }

    // --- the user's side ---

    /// What happened; `None` until there is input.
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

    /// Takes a message to send.
    ///
    /// # Errors
    /// It is too long, the peer's destination is not known, or the session is not ready.
    pub fn send(
        &mut self,
        to: DestinationHash,
        message: &[u8],
        attempts: Attempts,
    ) -> Result<(), SendError> {
        self.core.send(to, message, attempts)
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

    /// Ends the session when all messages are written; [`Event::Ended`] tells
    /// when the router has confirmed it, or the connection is of no more use.
    pub fn leave(&mut self, now: Instant) {
        self.core.leave(now);
    }

    /// What passed so far.
    pub const fn counters(&self) -> Counters {
        self.core.counters
    }
}

impl Core {
    fn greet(&mut self) {
        self.outgoing.push_answer(vec![PROTOCOL_BYTE]);
        let get_date = Message::GetDate {
            version: Some(VERSION),
            authentication: &[],
        };
        if let Err(error) = self.answer(&get_date) {
            self.end(Err(error.into()));
        }
    }

    fn handle_frame(&mut self, now: Instant, frame: Frame<'_>) -> Result<(), SessionError> {
        match Message::decode(frame.message_type, frame.body)? {
            Message::SetDate { date_ms, version } if self.phase == Phase::Greeting => {
                self.create(now, date_ms, version)?;
            }
            Message::SessionStatus { session, status } => {
                self.handle_session_status(now, session, status)?;
            }
            Message::RequestVariableLeaseSet { session, leases } if self.is_ours(session) => {
                self.give_lease_set(now, session, leases)?;
            }
            Message::RequestLeaseSet {
                session,
                hops,
                end_ms,
            } if self.is_ours(session) => {
                let leases = with_end(hops, end_ms);
                let leases = Leases::from_bytes(&leases)
                    .expect("there are as many leases as hops, at most 255");
                self.give_lease_set(now, session, leases)?;
            }
            Message::MessageStatus {
                session,
                message_id,
                status,
                nonce,
                ..
            } if self.is_ours(session) => {
                self.handle_message_status(now, session, message_id, nonce, status)?;
            }
            Message::MessagePayload {
                session,
                message_id,
                payload,
            } if self.is_ours(session) => {
                if self.announces {
                    self.answer(&Message::ReceiveMessageEnd {
                        session,
                        message_id,
                    })?;
                }
                self.handle_payload(payload);
            }
            Message::HostFound {
                request_id,
                destination,
                ..
            } => self.handle_reply(now, Reply::Host(request_id, destination)),
            Message::HostNotFound { request_id, .. } => {
                self.handle_reply(now, Reply::NoHost(request_id));
            }
            Message::DestFound { destination } => {
                self.handle_reply(now, Reply::Dest(destination));
            }
            Message::DestNotFound { hash } => {
                self.handle_reply(now, Reply::NoDest(DestinationHash(*hash)));
            }
            Message::Disconnect { reason } => {
                let reason = String::from_utf8_lossy(reason).into_owned();
                return Err(SessionError::Disconnected(reason));
            }
            _ => self.counters.ignored_count += 1,
        }
        Ok(())
    }

    fn is_ours(&self, session: u16) -> bool {
        matches!(
            self.phase,
            Phase::Building(ours) | Phase::Ready(ours) | Phase::Leaving(ours) if ours == session
        )
    }

    fn create(
        &mut self,
        now: Instant,
        date_ms: u64,
        version: Option<&[u8]>,
    ) -> Result<(), SessionError> {
        self.dialect = Dialect::of_version(version);
        let mut signed = self.keys.destination().as_bytes().to_vec();
        let options_at = signed.len();
        self.config.encode_options(&mut signed)?;
        let date_at = signed.len();
        signed.extend_from_slice(&date_ms.to_be_bytes());
        let signature = self.keys.sign(&signed);
        let keys = Arc::clone(&self.keys);
        self.answer(&Message::CreateSession {
            destination: keys.destination(),
            options: Mapping::parse(&signed[options_at + 2..date_at])?,
            date_ms,
            signature: &signature,
        })?;
        self.enter(Phase::Creating, Some(now + self.config.greeting_timeout));
        Ok(())
    }

    fn handle_session_status(
        &mut self,
        now: Instant,
        session: u16,
        status: u8,
    ) -> Result<(), SessionError> {
        match (self.phase, status) {
            (Phase::Creating, 1) => {
                let deadline = now + self.config.building_timeout;
                self.enter(Phase::Building(session), Some(deadline));
                self.events.push_back(Event::Created);
            }
            (Phase::Creating, 3) => return Err(SessionError::Invalid),
            (Phase::Creating, 4) => return Err(SessionError::Refused),
            (Phase::Creating, status) => return Err(SessionError::Status(status)),
            (Phase::Leaving(_), 0) => self.end(Ok(())),
            (Phase::Building(_) | Phase::Ready(_), 0) if self.is_ours(session) => {
                return Err(SessionError::Destroyed);
            }
            _ => self.counters.ignored_count += 1,
        }
        Ok(())
    }

    /// Every request is answered, also with the leases of the one before: the
    /// router closes the connection otherwise.
    fn give_lease_set(
        &mut self,
        now: Instant,
        session: u16,
        leases: Leases<'_>,
    ) -> Result<(), SessionError> {
        let destination = self.keys.destination();
        let mut lease_set = Vec::new();
        LeaseSet {
            destination: destination.as_bytes(),
            encryption_key: self.keys.encryption_key(),
            // Nobody uses it, but its length must be that of a signing key.
            revocation_key: &[0; SIGNING_KEY_BYTES],
            leases,
        }
        .encode_unsigned(&mut lease_set);
        let signature = self.keys.sign(&lease_set);
        lease_set.extend_from_slice(&signature);
        let keys = Arc::clone(&self.keys);
        self.answer(&Message::CreateLeaseSet {
            session,
            revocation_key: &[0; 20],
            decryption_key: keys.decryption_key(),
            lease_set: &lease_set,
        })?;
        self.counters.lease_set_count += 1;
        if let Phase::Building(session) = self.phase {
            self.enter(Phase::Ready(session), None);
            self.events.push_back(Event::Ready);
            if self.config.self_test == SelfTest::On {
                self.probe.start(now);
                self.drive_probe(now)?;
            }
            self.drive_lookups(now)?;
        }
        Ok(())
    }

    fn handle_message_status(
        &mut self,
        now: Instant,
        session: u16,
        message_id: u32,
        nonce: u32,
        status: u8,
    ) -> Result<(), SessionError> {
        if status == 0 {
            self.announces = true;
            self.answer(&Message::ReceiveMessageBegin {
                session,
                message_id,
            })?;
        } else if let Some(failure) = self.outgoing.handle_status(now, message_id, nonce, status) {
            self.counters.undelivered_count += 1;
            self.events.push_back(Event::Undelivered {
                to: failure.to,
                reason: failure.reason,
            });
        }
        Ok(())
    }

    fn handle_payload(&mut self, payload: &[u8]) {
        let message = match self.inflater.inflate(payload) {
            Ok(inflated) if inflated.message.len() <= MAX_MESSAGE_BYTES => inflated.message,
            _ => return self.counters.unreadable_count += 1,
        };
        let (own, finding) = self.probe.take(message);
        if !own {
            let message = Bytes::copy_from_slice(message);
            self.counters.received_count += 1;
            self.events.push_back(Event::Message(message));
        }
        self.events.extend(finding.map(Event::from));
    }

    fn handle_reply(&mut self, now: Instant, reply: Reply<'_>) {
        if let Some(answer) = self.lookups.handle(now, reply) {
            self.tell(answer);
        }
    }

    fn tell(&mut self, Answer { id, result }: Answer) {
        if let Ok(bytes) = &result
            && let Ok((destination, _)) = Destination::split(bytes)
        {
            self.peers.learn(destination);
        }
        self.events
            .push_back(Event::LookedUp { lookup: id, result });
    }

    fn send(
        &mut self,
        to: DestinationHash,
        message: &[u8],
        attempts: Attempts,
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
        self.outgoing.push_message(nonce, frame, to, attempts);
        self.counters.sent_count += 1;
        Ok(())
    }

    fn leave(&mut self, now: Instant) {
        match self.phase {
            Phase::Building(session) | Phase::Ready(session) => {
                let mut frame = Vec::new();
                match (Message::DestroySession { session }).encode(&mut frame) {
                    Ok(()) => self.outgoing.push_last(frame),
                    Err(error) => return self.end(Err(error.into())),
                }
                self.enter(Phase::Leaving(session), Some(now + LEAVING_TIMEOUT));
            }
            Phase::Greeting | Phase::Creating => self.end(Ok(())),
            Phase::Leaving(_) | Phase::Ended => {}
        }
    }

    fn handle_close(&mut self) {
        let result = match self.phase {
            Phase::Greeting => Err(SessionError::ClosedOnGreeting),
            Phase::Creating => Err(SessionError::ClosedOnCreate),
            Phase::Building(_) | Phase::Ready(_) => Err(SessionError::Closed),
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
        self.outgoing.handle_timeout(now);
        self.drive_probe(now)?;
        self.drive_lookups(now)
    }

    fn drive_probe(&mut self, now: Instant) -> Result<(), SessionError> {
        let Phase::Ready(session) = self.phase else {
            return Ok(());
        };
        if let Some((message, finding)) = self.probe.poll(now) {
            // Without a nonce the router reports nothing.
            let destination = self.keys.destination();
            match send_frame(&mut self.deflater, session, destination, message, 0) {
                Ok(frame) => self.outgoing.push_last(frame),
                Err(SendError::Encode(error)) => return Err(error.into()),
                Err(_) => {}
            }
            self.events.extend(finding.map(Event::from));
        }
        Ok(())
    }

    fn drive_lookups(&mut self, now: Instant) -> Result<(), SessionError> {
        let Phase::Ready(session) = self.phase else {
            return Ok(());
        };
        let mut questions = Vec::new();
        while let Some(answer) = self
            .lookups
            .poll(now, session, self.dialect, &mut questions)?
        {
            self.tell(answer);
        }
        self.outgoing.push_answer(questions);
        Ok(())
    }

    fn answer(&mut self, message: &Message<'_>) -> Result<(), EncodeError> {
        let mut frame = Vec::new();
        message.encode(&mut frame)?;
        self.outgoing.push_answer(frame);
        Ok(())
    }

    fn enter(&mut self, phase: Phase, deadline: Option<Instant>) {
        self.phase = phase;
        self.deadline = deadline;
    }

    fn end(&mut self, result: Result<(), SessionError>) {
        if self.phase != Phase::Ended {
            self.enter(Phase::Ended, None);
            self.events.push_back(Event::Ended(result));
        }
    }
}

impl From<Finding> for Event {
    fn from(finding: Finding) -> Self {
        match finding {
            Finding::Reachable => Self::Reachable,
            Finding::Unreachable => Self::Unreachable,
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
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(SendError::PayloadTooLong(payload.len()));
    }
    let mut frame = Vec::with_capacity(payload.len() + destination.as_bytes().len() + 15);
    let message = Message::SendMessage {
        session,
        destination,
        payload: &payload,
        nonce,
        expiry: None,
    };
    message.encode(&mut frame)?;
    Ok(frame)
}

/// The leases of tunnels that all end at one time.
fn with_end(hops: RouterHops<'_>, end_ms: u64) -> Vec<u8> {
    let mut leases = Vec::with_capacity(hops.iter().len() * LEASE_BYTES);
    for (gateway, tunnel_id) in hops.iter() {
        let lease = Lease {
            gateway,
            tunnel_id,
            end_ms,
        };
        leases.extend_from_slice(&lease.to_bytes());
    }
    leases
}
