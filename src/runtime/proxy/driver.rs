//! The one loop that moves messages between clients, proxy and server.

use std::io;
use std::mem::{Discriminant, discriminant};
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tracing::{debug, info, warn};

use super::Watcher;
use super::frames::{FrameStream, Greeting};
use super::leg::{ClientLeg, Intake, LegEvent, LegName, ServerLeg};
use super::legs::{Legs, Sent};
use super::pair::{Pair, ServerEvent};
use super::pairs::Pairs;
use super::questions::Questions;
use super::sweeps::Sweeps;
use super::turns::{ENTRANCE, Owner, Turns};
use crate::net::Side;
use crate::proxy::{ConnectionId, Proxy, ProxyOutput};
use crate::runtime::acceptor::Acceptor;
use crate::runtime::alarm::Alarm;
use crate::runtime::link::{Link, LinkError, LinkEvent, Parcel, Peer, Scope};
use crate::runtime::lookout::wake_after_look;
use crate::runtime::repeated::{Repeated, RepeatedOfLate};
use crate::runtime::signals::Signals;
use crate::runtime::tunnel::TunnelError;

/// Rounds after which the system is asked for further events.
const MAX_ROUNDS: usize = 4;

/// Messages that are taken from one leg before it is another's turn.
const TURN_MESSAGES: usize = 64;

/// Clients at once. Of UDP clients beyond it the most silent is forgotten.
const MAX_CONNECTIONS: usize = 256;

/// Connections that the server does not end though their clients have left; beyond it the one that
/// was silent for longest is dropped.
const MAX_LEAVING: usize = 256;

/// Silence after which a UDP client is forgotten.
const UDP_IDLE: Duration = Duration::from_secs(300);

/// The same of one that has not proven its address, as a server has it.
const UNPROVEN_IDLE: Duration = Duration::from_secs(60);

/// The entrance for clients.
#[derive(Debug)]
pub(super) enum Entrance {
    Link(Box<Link>),
    Frames(Acceptor),
}

/// The proxy with all its sockets, in one task.
#[derive(Debug)]
pub(super) struct Driver {
    proxy: Proxy,
    entrance: Entrance,
    questions: Questions,
    legs: Legs,
    pairs: Pairs,
    turns: Turns,
    /// Clients for whom nothing is read until they prove their addresses, with the legs of their servers.
    held_back: Vec<(ConnectionId, usize)>,
    /// Legs of servers, and of I2CP clients, with something new to write.
    unflushed: Vec<usize>,
    /// The times at which the messages of this round should have gone.
    dues: Vec<Instant>,
    signals: Signals,
    alarm: Alarm,
    sweeps: Sweeps,
    ending: Option<Result<(), TunnelError>>,
    troubles: Repeated<Trouble>,
    /// Refusals of the server.
    refusals: RepeatedOfLate<Discriminant<LinkError>>,
}

/// Events that clients can cause as often as they like.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    NotAccepted,
    Lost(Discriminant<LinkError>),
    TooMany,
    TooManyUnproven,
    TooManyLeaving,
    GivenUp,
    Dropped,
    TurnedAway,
}

impl Driver {
    pub(super) fn new(
        proxy: Proxy,
        entrance: Entrance,
        questions: Questions,
        legs: Legs,
    ) -> Result<Self, TunnelError> {
        Ok(Self {
            proxy,
            entrance,
            questions,
            legs,
            pairs: Pairs::default(),
            turns: Turns::new(),
            held_back: Vec::new(),
            unflushed: Vec::new(),
            dues: Vec::new(),
            signals: Signals::new()?,
            alarm: Alarm::new(),
            sweeps: Sweeps::new(Instant::now()),
            ending: None,
            troubles: Repeated::default(),
            refusals: RepeatedOfLate::default(),
        })
    }

    pub(super) fn into_proxy(self) -> Proxy {
        self.proxy
    }

    /// Moves all that can be moved; ready when the proxy is shutting down.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        watcher: &mut impl Watcher,
    ) -> Poll<Result<(), TunnelError>> {
        for _ in 0..MAX_ROUNDS {
            if let Err(error) = self.round(cx, watcher) {
                return Poll::Ready(Err(TunnelError::Output(error)));
            }
            if let Some(ending) = self.ending.take() {
                return Poll::Ready(ending);
            }
            let turns = self.turns.poll_ready(cx);
            // One moment for both: between two a sweep could fall due that nobody is woken for.
            let now = Instant::now();
            match self.sweep(cx, now, turns, watcher) {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => return Poll::Ready(Err(TunnelError::Output(error))),
            }
            if turns.is_pending() && !self.wait(cx, now) {
                return Poll::Pending;
            }
        }
        wake_after_look(cx.waker());
        Poll::Pending
    }

    /// Takes in the input there is and passes it on. The ready set and the proxy's deadline hold
    /// all that is still to be done then.
    fn round(&mut self, cx: &mut Context<'_>, watcher: &mut impl Watcher) -> io::Result<()> {
        let took = self.take_turns(cx, watcher)?;
        let passed = self.pass_on(watcher)?;
        self.read_on();
        self.flush();
        if took || passed {
            watcher.hand_on()?;
        }
        // Also messages that go nowhere, since their connection is gone, make room when dropped.
        if self.proxy.has_room() {
            self.turns.resume();
        }
        Ok(())
    }

    fn take_turns(&mut self, cx: &Context<'_>, watcher: &mut impl Watcher) -> io::Result<bool> {
        if !self.turns.begin(cx) {
            return Ok(false);
        }
        while let Some((number, owner)) = self.turns.next() {
            let waker = self.turns.waker(number).clone();
            let mut cx = Context::from_waker(&waker);
            match owner {
                Owner::Signals => self.take_signal(&mut cx),
                Owner::ShowTables => {
                    self.questions.show_tables(&mut cx, &self.proxy, watcher)?;
                }
                Owner::Scrapes => self.questions.answer_scrapes(&mut cx, &self.proxy),
                Owner::Control => self.questions.answer_requests(&mut cx, &mut self.proxy),
                Owner::Entrance => self.take_from_entrance(number, &mut cx, watcher)?,
                Owner::Leg(id, side) => self.take_from_leg(number, id, side, &mut cx, watcher)?,
            }
        }
        Ok(true)
    }

    fn take_signal(&mut self, cx: &mut Context<'_>) {
        while self.signals.poll_recv(cx).is_ready() {
            self.ending = Some(Ok(()));
        }
    }

    fn take_from_entrance(
        &mut self,
        number: usize,
        cx: &mut Context<'_>,
        watcher: &mut impl Watcher,
    ) -> io::Result<()> {
        let mut count = 0;
        while count < TURN_MESSAGES * 4 {
            count += 1;
            let event = match &mut self.entrance {
                Entrance::Frames(acceptor) => match acceptor.poll_accept(cx) {
                    Poll::Ready(Ok((stream, address))) => {
                        self.drop_leaving(MAX_CONNECTIONS, watcher)?;
                        if self.pairs.len() >= MAX_CONNECTIONS {
                            self.log_turned_away(address);
                            continue;
                        }
                        let stream = FrameStream::new(stream, Greeting::Due);
                        let leg = ClientLeg::Frames(Box::new(stream));
                        self.open(leg, address, watcher)?;
                        continue;
                    }
                    Poll::Ready(Err(error)) => {
                        if let Some(count) = self.troubles.count(Trouble::NotAccepted) {
                            warn!(leg = "client", %error, count, "cannot accept a connection");
                        }
                        continue;
                    }
                    Poll::Pending => return Ok(()),
                },
                Entrance::Link(link) => {
                    let has_room = self.proxy.has_room();
                    let (pairs, are_udp) = (&self.pairs, self.legs.are_udp());
                    let polled = link.poll_event(cx, &mut |scope| {
                        // A datagram more or less is not worth making all others wait.
                        let is_taken =
                            (are_udp && matches!(scope, Scope::All)) || pairs.take_from(scope);
                        has_room && is_taken
                    });
                    // A leg that takes no more has it looked at again when it does.
                    if !has_room {
                        self.turns.stall(number);
                    }
                    match polled {
                        Poll::Ready(event) => event,
                        Poll::Pending => return Ok(()),
                    }
                }
            };
            count += event.messages() - 1;
            self.entered(event, watcher)?;
        }
        // There may be more; others first.
        self.turns.mark(number);
        Ok(())
    }

    fn entered(&mut self, event: LinkEvent, watcher: &mut impl Watcher) -> io::Result<()> {
        match event {
            LinkEvent::PeerUp(peer) => {
                self.open(ClientLeg::Peer(peer), address_of(peer), watcher)?;
            }
            LinkEvent::Message {
                from: Some(peer),
                bytes,
            } => {
                let id = match self.pairs.of_peer(peer) {
                    Some(id) => id,
                    None => {
                        self.make_room_for(peer, watcher)?;
                        self.open(ClientLeg::Peer(peer), address_of(peer), watcher)?
                    }
                };
                if self.legs.are_udp() && self.drops_datagram(id) {
                    return Ok(());
                }
                self.received(id, Side::Initiator, bytes, watcher)?;
            }
            LinkEvent::Message { from: None, .. } | LinkEvent::Absorbed { .. } => {}
            LinkEvent::Ready(scope) => {
                for pair in self.pairs.in_scope_mut(scope) {
                    pair.has_room(Side::Initiator);
                    self.turns.mark(pair.server_number);
                }
            }
            LinkEvent::PeerLost { peer, error } | LinkEvent::MessageLost { peer, error, .. } => {
                if let Some(id) = self.pairs.of_peer(peer) {
                    self.ended(id, Side::Initiator, &error);
                }
            }
            LinkEvent::Down(error) => {
                self.ending = Some(Err(TunnelError::LinkLost {
                    carrier: self.legs.carrier.clone(),
                    source: error,
                }));
            }
        }
        Ok(())
    }

    /// Whether a datagram of a client is dropped, as a network does where a queue is full.
    fn drops_datagram(&mut self, id: ConnectionId) -> bool {
        let Some(pair) = self.pairs.get_mut(id) else {
            return false;
        };
        if !pair.drops_datagrams() {
            return false;
        }
        pair.last_received = Instant::now();
        if let Some(count) = self.troubles.count(Trouble::Dropped) {
            warn!(
                leg = "client",
                connection = %id,
                count,
                "datagram dropped: too much waits for the server"
            );
        }
        true
    }

    /// A client is there.
    fn open(
        &mut self,
        client: ClientLeg,
        address: SocketAddr,
        watcher: &mut impl Watcher,
    ) -> io::Result<ConnectionId> {
        self.drop_leaving(MAX_CONNECTIONS + MAX_LEAVING, watcher)?;
        let carrier = self.legs.client_carrier();
        let addresses = self.legs.addresses(address);
        let id = self.proxy.open(carrier, addresses, watcher)?;
        let client_number = match client {
            ClientLeg::Peer(_) => None,
            ClientLeg::Frames(_) => Some(self.turns.add(Owner::Leg(id, Side::Initiator))),
        };
        let pair = Pair {
            client,
            client_number,
            server: ServerLeg::open(&self.legs.upstream),
            server_number: self.turns.add(Owner::Leg(id, Side::Responder)),
            takes: [true; 2],
            ended: [false; 2],
            shut: [false; 2],
            breaks: false,
            excess_bytes: 0,
            records: self.legs.records(address),
            last_received: Instant::now(),
        };
        self.pairs.insert(id, pair);
        info!(connection = %id, peer = %address, "client connected");
        Ok(id)
    }

    /// Makes room if there are so many connections, as far as clients have left some.
    fn drop_leaving(&mut self, limit: usize, watcher: &mut impl Watcher) -> io::Result<()> {
        if self.pairs.len() < limit {
            return Ok(());
        }
        if let Some(id) = self.pairs.most_silent_leaving() {
            if let Some(count) = self.troubles.count(Trouble::TooManyLeaving) {
                warn!(
                    leg = "server",
                    connection = %id,
                    limit,
                    count,
                    "connection dropped: its client has left, and the server does not end it"
                );
            }
            self.close(id, watcher)?;
        }
        Ok(())
    }

    fn take_from_leg(
        &mut self,
        number: usize,
        id: ConnectionId,
        side: Side,
        cx: &mut Context<'_>,
        watcher: &mut impl Watcher,
    ) -> io::Result<()> {
        for _ in 0..TURN_MESSAGES {
            let Some(pair) = self.pairs.get_mut(id) else {
                return Ok(());
            };
            let has_room = self.proxy.has_room();
            let is_for_unproven = side == Side::Responder && self.proxy.waits_for_proof(id);
            let is_taken = has_room && pair.takes[side.opposite().index()] && !is_for_unproven;
            let intake = if is_taken { Intake::Open } else { Intake::Shut };
            if !has_room {
                self.turns.stall(number);
            }
            if is_for_unproven && !self.held_back.contains(&(id, number)) {
                self.held_back.push((id, number));
            }
            let event = match side {
                Side::Initiator => pair.poll_client(cx, intake),
                Side::Responder => match pair.poll_server(cx, intake) {
                    Poll::Ready(ServerEvent::Leg(event)) => Poll::Ready(event),
                    Poll::Ready(ServerEvent::Refused(error)) => {
                        return self.refused(id, &error, watcher);
                    }
                    Poll::Ready(ServerEvent::Closed) => return self.close(id, watcher),
                    Poll::Ready(ServerEvent::Cut) => return self.sever(id, watcher),
                    Poll::Pending => Poll::Pending,
                },
            };
            match event {
                Poll::Ready(LegEvent::Received(bytes)) => {
                    self.received(id, side, bytes, watcher)?;
                }
                Poll::Ready(LegEvent::Absorbed) => break,
                Poll::Ready(LegEvent::Room) => {
                    pair.has_room(side);
                    self.mark_source(id, side);
                }
                Poll::Ready(LegEvent::Ended(error)) => {
                    self.ended(id, side, &error);
                    return self.close_if_over(id, watcher);
                }
                Poll::Pending => return Ok(()),
            }
        }
        self.turns.mark(number);
        Ok(())
    }

    /// Has the leg looked at that was not read because `side` took no more.
    fn mark_source(&self, id: ConnectionId, side: Side) {
        let Some(pair) = self.pairs.get(id) else {
            return;
        };
        match side {
            Side::Initiator => self.turns.mark(pair.server_number),
            Side::Responder => match pair.client_number {
                Some(number) => self.turns.mark(number),
                None => self.turns.mark(ENTRANCE),
            },
        }
    }

    /// A message, or a frame, of one side came in.
    fn received(
        &mut self,
        id: ConnectionId,
        from: Side,
        bytes: Bytes,
        watcher: &mut impl Watcher,
    ) -> io::Result<()> {
        let now = Instant::now();
        let Some(pair) = self.pairs.get_mut(id) else {
            return Ok(());
        };
        pair.last_received = now;
        let recorded = pair.records.is_some().then(|| bytes.clone());
        self.proxy.receive(now, id, from, bytes, watcher)?;
        if let (Some(bytes), Some(pair)) = (recorded, self.pairs.get_mut(id)) {
            let comment = self.proxy.last_comment();
            pair.record(from, from, &bytes, bytes.len(), comment.as_deref());
        }
        Ok(())
    }

    /// A side sends nothing more.
    fn ended(&mut self, id: ConnectionId, side: Side, error: &LinkError) {
        let Some(pair) = self.pairs.get_mut(id) else {
            return;
        };
        if std::mem::replace(&mut pair.ended[side.index()], true) {
            return;
        }
        let leg = LegName::of(side).name();
        match error {
            LinkError::Closed => info!(leg, connection = %id, "connection closed"),
            error => {
                if let Some(count) = self.troubles.count(Trouble::Lost(discriminant(error))) {
                    warn!(leg, connection = %id, %error, count, "connection lost");
                } else {
                    info!(leg, connection = %id, %error, "connection lost");
                }
            }
        }
        pair.record_end(side, side);
        if side == Side::Responder {
            pair.server = ServerLeg::Gone;
        }
        self.proxy.end(Instant::now(), id, side);
    }

    /// The server cannot be reached.
    fn refused(
        &mut self,
        id: ConnectionId,
        error: &LinkError,
        watcher: &mut impl Watcher,
    ) -> io::Result<()> {
        if let Some(count) = self.refusals.count(Instant::now(), discriminant(error)) {
            let error = with_cause(error);
            warn!(leg = "server", connection = %id, %error, count, "cannot connect");
        }
        self.proxy.note_failed_connection();
        self.sever(id, watcher)
    }

    /// Ends both legs at once, and the connection with them.
    fn sever(&mut self, id: ConnectionId, watcher: &mut impl Watcher) -> io::Result<()> {
        if let Some(pair) = self.pairs.get_mut(id) {
            if let (ClientLeg::Peer(peer), Entrance::Link(link)) =
                (&pair.client, &mut self.entrance)
            {
                link.sever(*peer);
            }
            // Messages before it are still written.
            if let ClientLeg::Frames(stream) = &mut pair.client
                && let Some(number) = pair.client_number
            {
                let mut cx = Context::from_waker(self.turns.waker(number));
                if stream.poll_flush(&mut cx).is_err() {
                    debug!(connection = %id, "the client is gone already");
                }
            }
            if let ServerLeg::Open(leg) = &mut pair.server {
                let mut cx = Context::from_waker(self.turns.waker(pair.server_number));
                leg.poll_flush(&mut cx);
            }
            pair.server = ServerLeg::Gone;
        }
        self.close(id, watcher)
    }

    /// Both legs are gone.
    fn close(&mut self, id: ConnectionId, watcher: &mut impl Watcher) -> io::Result<()> {
        if let Some(pair) = self.pairs.remove(id) {
            for number in [Some(pair.server_number), pair.client_number]
                .into_iter()
                .flatten()
            {
                self.turns.remove(number);
            }
            if !pair.takes_from_client() {
                self.turns.mark(ENTRANCE);
            }
        }
        self.proxy.close(Instant::now(), id, watcher)
    }

    /// Gives servers another turn whose clients wait for no proof any more.
    fn read_on(&mut self) {
        self.held_back.retain(|&(id, number)| {
            let waits = self.proxy.waits_for_proof(id);
            if !waits {
                self.turns.mark(number);
            }
            waits
        });
    }

    /// Carries out the proxy's requests; false if there are none.
    fn pass_on(&mut self, watcher: &mut impl Watcher) -> io::Result<bool> {
        let mut any = false;
        let now = Instant::now();
        while let Some(output) = self.proxy.poll_output(now) {
            any = true;
            match output {
                ProxyOutput::Transmit {
                    connection,
                    to,
                    bytes,
                    missing_bytes,
                    comment,
                    due,
                } => {
                    self.dues.push(due);
                    let sent = Sent {
                        bytes,
                        missing_bytes,
                        comment: comment.as_deref(),
                    };
                    self.transmit(connection, to, sent);
                }
                ProxyOutput::Finish { connection, to } => self.finish(connection, to, watcher)?,
                ProxyOutput::Break { connection } => {
                    let error = LinkError::Fault;
                    if let Some(count) = self.troubles.count(Trouble::Lost(discriminant(&error))) {
                        warn!(%connection, %error, count, "connection lost");
                    } else {
                        info!(%connection, %error, "connection lost");
                    }
                    let pair = self.pairs.get_mut(connection);
                    if !pair.is_some_and(Pair::breaks_when_open) {
                        self.sever(connection, watcher)?;
                    }
                }
                ProxyOutput::GiveUp { connection } => {
                    if let Some(count) = self.troubles.count(Trouble::GivenUp) {
                        warn!(
                            leg = "client",
                            %connection,
                            count,
                            "connection dropped: too much waits for a client that has not proven its address"
                        );
                    }
                    self.close(connection, watcher)?;
                }
            }
        }
        Ok(any)
    }

    fn transmit(&mut self, id: ConnectionId, to: Side, sent: Sent<'_>) {
        let Some(pair) = self.pairs.get_mut(id) else {
            return;
        };
        if pair.shut[to.index()] {
            return;
        }
        let sent = self.legs.introduce(to, sent);
        if !self.legs.can_send(id, to, &sent) {
            return;
        }
        let Sent {
            bytes,
            missing_bytes,
            comment,
        } = sent;
        let announced = bytes.len() + missing_bytes;
        pair.record(to, to.opposite(), &bytes, announced, comment);
        let link = match &mut self.entrance {
            Entrance::Link(link) => Some(&mut **link),
            Entrance::Frames(_) => None,
        };
        let parcel = Parcel::torn(bytes, missing_bytes);
        self.unflushed.extend(pair.send(to, parcel, link));
    }

    /// A side gets nothing more.
    fn finish(&mut self, id: ConnectionId, to: Side, watcher: &mut impl Watcher) -> io::Result<()> {
        let Some(pair) = self.pairs.get_mut(id) else {
            return Ok(());
        };
        pair.shut[to.index()] = true;
        pair.record_end(to, to.opposite());
        match to {
            Side::Initiator => {
                match (&mut pair.client, &mut self.entrance) {
                    (ClientLeg::Peer(peer), Entrance::Link(link)) => link.finish(*peer),
                    (ClientLeg::Frames(stream), _) => stream.finish(),
                    (ClientLeg::Peer(_), Entrance::Frames(_)) => {}
                }
                if let Some(number) = pair.client_number {
                    self.turns.mark(number);
                }
            }
            Side::Responder => self.turns.mark(pair.server_number),
        }
        self.close_if_over(id, watcher)
    }

    /// Forgets a connection of which nothing more comes.
    fn close_if_over(&mut self, id: ConnectionId, watcher: &mut impl Watcher) -> io::Result<()> {
        match self.pairs.get(id) {
            Some(pair) if pair.is_over() => self.close(id, watcher),
            _ => Ok(()),
        }
    }

    fn flush(&mut self) {
        if let Entrance::Link(link) = &mut self.entrance {
            let mut cx = Context::from_waker(self.turns.waker(ENTRANCE));
            link.poll_flush(&mut cx);
        }
        while let Some(number) = self.unflushed.pop() {
            let Some(Owner::Leg(id, side)) = self.turns.owner(number) else {
                continue;
            };
            let Some(pair) = self.pairs.get_mut(id) else {
                continue;
            };
            let mut cx = Context::from_waker(self.turns.waker(number));
            match (side, &mut pair.server, &mut pair.client) {
                (Side::Responder, ServerLeg::Open(leg), _) => leg.poll_flush(&mut cx),
                (Side::Initiator, _, ClientLeg::Frames(stream)) => stream.write(&mut cx),
                _ => {}
            }
        }
        if self.dues.is_empty() {
            return;
        }
        if let Some(recorder) = &self.legs.recorder {
            recorder.flush();
        }
        let now = Instant::now();
        for due in self.dues.drain(..) {
            self.proxy.note_added(now.saturating_duration_since(due));
        }
    }

    /// Forgets UDP clients that were silent for long, if it is time to; true if it was. Of those that
    /// are not read because there is no room it is not known.
    fn sweep(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        turns: Poll<()>,
        watcher: &mut impl Watcher,
    ) -> io::Result<bool> {
        if !self.legs.are_udp() || !self.proxy.has_room() {
            return Ok(false);
        }
        let seen_until = match turns {
            Poll::Pending => self.sweeps.when_idle(cx, now),
            Poll::Ready(()) => self.sweeps.when_busy(now),
        };
        let Some(seen_until) = seen_until else {
            return Ok(false);
        };
        for id in self.pairs.silent_for(UNPROVEN_IDLE, seen_until) {
            if !self.proxy.is_proven(id) || self.pairs.is_silent_for(id, UDP_IDLE, seen_until) {
                self.close(id, watcher)?;
            }
        }
        Ok(true)
    }

    /// Forgets a UDP client if there are too many. Those that have proven their addresses
    /// are the last to go: to forge as many others takes nothing but datagrams.
    fn make_room_for(&mut self, peer: Peer, watcher: &mut impl Watcher) -> io::Result<()> {
        let is_unproven = |id| !self.proxy.is_proven(id);
        if let Some(limit) = self.legs.max_unproven
            && let Some(id) = self.pairs.most_silent_of_origin(peer, limit, is_unproven)
        {
            if let Some(count) = self.troubles.count(Trouble::TooManyUnproven) {
                warn!(
                    connection = %id,
                    limit,
                    count,
                    "too many clients of one host that have not proven its address: one is forgotten"
                );
            }
            return self.close(id, watcher);
        }
        if self.pairs.len() < MAX_CONNECTIONS {
            return Ok(());
        }
        let unproven = self.pairs.most_silent(is_unproven);
        if let Some(id) = unproven.or_else(|| self.pairs.most_silent(|_| true)) {
            if let Some(count) = self.troubles.count(Trouble::TooMany) {
                let limit = MAX_CONNECTIONS;
                warn!(connection = %id, limit, count, "too many clients: one is forgotten");
            }
            self.close(id, watcher)?;
        }
        Ok(())
    }

    fn log_turned_away(&mut self, address: SocketAddr) {
        let error = LinkError::TooManyPeers {
            limit: MAX_CONNECTIONS,
        };
        if let Some(count) = self.troubles.count(Trouble::TurnedAway) {
            warn!(leg = "client", peer = %address, %error, count, "connection turned away");
        }
    }

    /// Sees to it that the task is woken in time; true if it is time already.
    fn wait(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let sweep = if self.legs.are_udp() {
            self.sweeps.next_after(now)
        } else {
            None
        };
        let Some(next) = [self.proxy.poll_timeout(), sweep]
            .into_iter()
            .flatten()
            .min()
        else {
            return false;
        };
        self.alarm.poll_at(cx, next).is_ready()
    }
}

fn address_of(peer: Peer) -> SocketAddr {
    match peer {
        Peer::Address(address) | Peer::Connection { address, .. } => address,
        // No link to clients has such peers.
        Peer::Destination(_) => SocketAddr::from(([0, 0, 0, 0], 0)),
    }
}

/// An error and the system's text, in one line.
fn with_cause(error: &LinkError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
