//! The one loop that moves messages between clients, proxy and server.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hashbrown::HashMap;
use slab::Slab;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{debug, info, warn};

use super::Watcher;
use super::frames::{FrameStream, Greeting};
use super::http::Requests;
use super::leg::{ClientLeg, INTRODUCED, LegEvent, LegName, LegRecord, ServerLeg, introduced};
use super::metrics;
use super::pair::{Pair, ServerEvent};
use crate::carrier::length_prefixed::Prefix;
use crate::carrier::{Carrier, Way};
use crate::net::Side;
use crate::proxy::{ConnectionId, Output, Proxy, control};
use crate::runtime::acceptor::Acceptor;
use crate::runtime::alarm::Alarm;
use crate::runtime::carrier_url::CarrierUrl;
use crate::runtime::link::{Link, LinkError, LinkEvent, Parcel, Peer, Room, Scope};
use crate::runtime::metrics::Scrapes;
use crate::runtime::open::LinkOptions;
use crate::runtime::ready::ReadySet;
use crate::runtime::recorder::Recorder;
use crate::runtime::signals::Signals;
use crate::runtime::tunnel::TunnelError;

/// Rounds after which the system is asked what else is ready.
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

/// How often it is looked for those.
const SWEEP: Duration = Duration::from_secs(10);

/// Where clients come in.
#[derive(Debug)]
pub(super) enum Entrance {
    Link(Box<Link>),
    Frames(Acceptor),
}

/// Where others come in: clients, and those who ask.
#[derive(Debug)]
pub(super) struct Doors {
    pub(super) entrance: Entrance,
    pub(super) scrapes: Option<Scrapes>,
    pub(super) requests: Option<Requests>,
}

/// What a number in the ready set stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Signals,
    ShowTables,
    Entrance,
    Scrapes,
    Control,
    /// A leg of its own.
    Leg(ConnectionId, Side),
}

/// The proxy with all its sockets, in one task.
#[derive(Debug)]
pub(super) struct Driver {
    proxy: Proxy,
    entrance: Entrance,
    carrier: CarrierUrl,
    upstream: LinkOptions,
    /// The addresses that were bound, and that are connected to.
    ends: [SocketAddr; 2],
    recorder: Option<Recorder>,
    pairs: HashMap<ConnectionId, Pair>,
    by_peer: HashMap<Peer, ConnectionId>,
    ready: ReadySet,
    owners: Slab<Owner>,
    turns: VecDeque<usize>,
    woken: Vec<usize>,
    /// Legs that were not read because there is no room.
    stalled: Vec<usize>,
    /// Legs of servers, and of I2CP clients, with something new to write.
    unflushed: Vec<usize>,
    /// When what goes out in this round should have gone.
    dues: Vec<Instant>,
    scrapes: Option<Scrapes>,
    requests: Option<Requests>,
    signals: Signals,
    show_tables: Signal,
    alarm: Alarm,
    next_sweep: Instant,
    too_long_count: u64,
    ending: Option<Result<(), TunnelError>>,
}

impl Driver {
    pub(super) fn new(
        proxy: Proxy,
        doors: Doors,
        carrier: CarrierUrl,
        upstream: LinkOptions,
        ends: [SocketAddr; 2],
        recorder: Option<Recorder>,
    ) -> Result<Self, TunnelError> {
        let Doors {
            entrance,
            scrapes,
            requests,
        } = doors;
        let mut ready = ReadySet::default();
        let mut owners = Slab::new();
        for owner in [
            Owner::Signals,
            Owner::ShowTables,
            Owner::Entrance,
            Owner::Scrapes,
            Owner::Control,
        ] {
            // Both number alike.
            ready.insert();
            owners.insert(owner);
        }
        Ok(Self {
            proxy,
            entrance,
            carrier,
            upstream,
            ends,
            recorder,
            pairs: HashMap::new(),
            by_peer: HashMap::new(),
            ready,
            owners,
            turns: VecDeque::new(),
            woken: Vec::new(),
            stalled: Vec::new(),
            unflushed: Vec::new(),
            dues: Vec::new(),
            scrapes,
            requests,
            signals: Signals::new()?,
            show_tables: signal(SignalKind::user_defined1())?,
            alarm: Alarm::new(),
            next_sweep: Instant::now() + SWEEP,
            too_long_count: 0,
            ending: None,
        })
    }

    pub(super) fn into_proxy(self) -> Proxy {
        self.proxy
    }

    /// Moves all that can be moved; ready when the proxy is at its end.
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
            if self.ready.poll_ready(cx).is_pending() && !self.wait(cx) {
                return Poll::Pending;
            }
        }
        if pin!(tokio::task::yield_now()).poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Takes in what is there and passes it on. Of what is still to be done then, the ready set
    /// and the proxy's time tell.
    fn round(&mut self, cx: &mut Context<'_>, watcher: &mut impl Watcher) -> io::Result<()> {
        let took = self.take_turns(cx, watcher)?;
        let passed = self.pass_on(watcher)?;
        self.flush();
        if took || passed {
            watcher.settle_watch()?;
            if self.proxy.has_room() {
                for number in self.stalled.drain(..) {
                    self.ready.mark(number);
                }
            }
        }
        self.sweep(watcher)
    }

    fn take_turns(&mut self, cx: &Context<'_>, watcher: &mut impl Watcher) -> io::Result<bool> {
        self.ready.take_ready(cx, &mut self.woken);
        self.turns.extend(self.woken.drain(..));
        let count = self.turns.len();
        for _ in 0..count {
            let Some(number) = self.turns.pop_front() else {
                break;
            };
            match self.owners.get(number) {
                Some(Owner::Signals) => self.take_signal(number),
                Some(Owner::ShowTables) => self.take_request_for_tables(number, watcher)?,
                Some(Owner::Scrapes) => self.answer_scrapes(number),
                Some(Owner::Control) => self.answer_requests(number),
                Some(Owner::Entrance) => self.take_from_entrance(number, watcher)?,
                Some(&Owner::Leg(id, side)) => self.take_from_leg(number, id, side, watcher)?,
                None => {}
            }
        }
        Ok(count > 0)
    }

    fn take_signal(&mut self, number: usize) {
        let mut cx = Context::from_waker(self.ready.waker(number));
        while self.signals.poll_recv(&mut cx).is_ready() {
            self.ending = Some(Ok(()));
        }
    }

    fn take_request_for_tables(
        &mut self,
        number: usize,
        watcher: &mut impl Watcher,
    ) -> io::Result<()> {
        let mut cx = Context::from_waker(self.ready.waker(number));
        while let Poll::Ready(Some(())) = self.show_tables.poll_recv(&mut cx) {
            watcher.show_so_far(&self.proxy.conversations())?;
        }
        Ok(())
    }

    fn answer_scrapes(&mut self, number: usize) {
        let mut cx = Context::from_waker(self.ready.waker(number));
        while let Some(scrapes) = &mut self.scrapes
            && let Poll::Ready(request) = scrapes.poll_next(&mut cx)
        {
            if request.send(metrics::render(&self.proxy)).is_err() {
                debug!("whoever asked for metrics has left");
            }
        }
    }

    fn answer_requests(&mut self, number: usize) {
        let mut cx = Context::from_waker(self.ready.waker(number));
        while let Some(requests) = &mut self.requests
            && let Poll::Ready((request, reply)) = requests.poll_next(&mut cx)
        {
            let answer = control::answer(&mut self.proxy, Instant::now(), &request);
            if reply.send(answer).is_err() {
                debug!("whoever asked the proxy has left");
            }
        }
    }

    fn take_from_entrance(&mut self, number: usize, watcher: &mut impl Watcher) -> io::Result<()> {
        for _ in 0..TURN_MESSAGES * 4 {
            let waker = self.ready.waker(number).clone();
            let mut cx = Context::from_waker(&waker);
            let event = match &mut self.entrance {
                Entrance::Frames(acceptor) => match acceptor.poll_accept(&mut cx) {
                    Poll::Ready(Ok((stream, address))) => {
                        self.drop_leaving(MAX_CONNECTIONS, watcher)?;
                        if self.pairs.len() >= MAX_CONNECTIONS {
                            self.tell_too_many(address);
                            continue;
                        }
                        let stream = FrameStream::new(stream, Greeting::Due);
                        let leg = ClientLeg::Frames(Box::new(stream));
                        self.open(leg, address, watcher)?;
                        continue;
                    }
                    Poll::Ready(Err(error)) => {
                        warn!(leg = "client", %error, "cannot accept a connection");
                        continue;
                    }
                    Poll::Pending => return Ok(()),
                },
                Entrance::Link(link) => {
                    let has_room = self.proxy.has_room();
                    let (pairs, by_peer) = (&self.pairs, &self.by_peer);
                    let is_udp = matches!(self.carrier, CarrierUrl::Udp(_));
                    let mut stalls = false;
                    let polled = link.poll_event(&mut cx, &mut |scope| {
                        let wanted = has_room
                            && match scope {
                                Scope::Peer(peer) => by_peer
                                    .get(&peer)
                                    .and_then(|id| pairs.get(id))
                                    .is_none_or(Pair::takes_from_client),
                                // A datagram more or less is not worth making all others wait.
                                Scope::All => is_udp || pairs.values().all(Pair::takes_from_client),
                            };
                        stalls |= !wanted;
                        wanted
                    });
                    if stalls {
                        self.stalled.push(number);
                    }
                    match polled {
                        Poll::Ready(event) => event,
                        Poll::Pending => return Ok(()),
                    }
                }
            };
            self.entered(event, watcher)?;
        }
        // There may be more; others first.
        self.ready.mark(number);
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
                let id = match self.by_peer.get(&peer) {
                    Some(id) => *id,
                    None => {
                        if self.pairs.len() >= MAX_CONNECTIONS {
                            self.forget_most_silent(watcher)?;
                        }
                        self.open(ClientLeg::Peer(peer), address_of(peer), watcher)?
                    }
                };
                self.received(id, Side::Initiator, bytes, watcher)?;
            }
            LinkEvent::Message { from: None, .. } => {}
            LinkEvent::Ready(scope) => {
                for pair in self.pairs.values_mut() {
                    let concerned = match (scope, &pair.client) {
                        (Scope::All, _) => true,
                        (Scope::Peer(peer), ClientLeg::Peer(own)) => peer == *own,
                        (Scope::Peer(_), ClientLeg::Frames(_)) => false,
                    };
                    if concerned {
                        pair.takes[Side::Initiator.index()] = true;
                        self.ready.mark(pair.server_number);
                    }
                }
            }
            LinkEvent::PeerLost { peer, error } | LinkEvent::MessageLost { peer, error, .. } => {
                if let Some(id) = self.by_peer.get(&peer).copied() {
                    self.ended(id, Side::Initiator, &error);
                }
            }
            LinkEvent::Down(error) => {
                self.ending = Some(Err(TunnelError::LinkLost {
                    carrier: self.carrier.clone(),
                    source: error,
                }));
            }
        }
        Ok(())
    }

    /// A client is there.
    fn open(
        &mut self,
        client: ClientLeg,
        address: SocketAddr,
        watcher: &mut impl Watcher,
    ) -> io::Result<ConnectionId> {
        self.drop_leaving(MAX_CONNECTIONS + MAX_LEAVING, watcher)?;
        let addresses = [address, self.ends[0]];
        let id = self
            .proxy
            .open(carrier_of(&self.carrier), addresses, watcher)?;
        let records = self.recorder.as_ref().map(|recorder| {
            // The far leg has the client's address, too, so that it is seen whose it is.
            [
                LegRecord::begin(recorder, &self.carrier, addresses),
                LegRecord::begin(recorder, &self.upstream.carrier, [address, self.ends[1]]),
            ]
        });
        if let ClientLeg::Peer(peer) = client {
            self.by_peer.insert(peer, id);
        }
        let client_number = match client {
            ClientLeg::Peer(_) => None,
            ClientLeg::Frames(_) => Some(self.number(Owner::Leg(id, Side::Initiator))),
        };
        let server_number = self.number(Owner::Leg(id, Side::Responder));
        self.pairs.insert(
            id,
            Pair {
                client,
                client_number,
                server: ServerLeg::open(&self.upstream),
                server_number,
                takes: [true; 2],
                ended: [false; 2],
                told: [false; 2],
                records,
                heard: Instant::now(),
            },
        );
        info!(connection = %id, peer = %address, "client connected");
        Ok(id)
    }

    fn number(&mut self, owner: Owner) -> usize {
        let number = self.ready.insert();
        let same = self.owners.insert(owner);
        debug_assert_eq!(number, same);
        number
    }

    /// Makes room if there are so many connections, as far as clients have left some.
    fn drop_leaving(&mut self, limit: usize, watcher: &mut impl Watcher) -> io::Result<()> {
        if self.pairs.len() < limit {
            return Ok(());
        }
        let leaving = self.pairs.iter().filter(|(_, pair)| pair.told[1]);
        if let Some((&id, _)) = leaving.min_by_key(|(_, pair)| pair.heard) {
            warn!(
                leg = "server",
                connection = %id,
                limit,
                "connection dropped: its client has left, and the server does not end it"
            );
            self.close(id, watcher)?;
        }
        Ok(())
    }

    fn tell_too_many(&self, address: SocketAddr) {
        let error = LinkError::TooManyPeers {
            limit: MAX_CONNECTIONS,
        };
        warn!(leg = "client", peer = %address, %error, "connection turned away");
    }

    fn take_from_leg(
        &mut self,
        number: usize,
        id: ConnectionId,
        side: Side,
        watcher: &mut impl Watcher,
    ) -> io::Result<()> {
        for _ in 0..TURN_MESSAGES {
            let Some(pair) = self.pairs.get_mut(&id) else {
                return Ok(());
            };
            let waker = self.ready.waker(number).clone();
            let mut cx = Context::from_waker(&waker);
            let reads = self.proxy.has_room() && pair.takes[side.opposite().index()];
            if !reads {
                self.stalled.push(number);
            }
            let event = match side {
                Side::Initiator => pair.poll_client(&mut cx, reads),
                Side::Responder => match pair.poll_server(&mut cx, reads) {
                    Poll::Ready(ServerEvent::Leg(event)) => Poll::Ready(event),
                    Poll::Ready(ServerEvent::Refused(error)) => {
                        return self.refused(id, &error, watcher);
                    }
                    Poll::Ready(ServerEvent::Closed) => return self.close(id, watcher),
                    Poll::Pending => Poll::Pending,
                },
            };
            match event {
                Poll::Ready(LegEvent::Received(bytes)) => {
                    self.received(id, side, bytes, watcher)?;
                }
                Poll::Ready(LegEvent::Room) => {
                    pair.takes[side.index()] = true;
                    self.mark_source(id, side);
                }
                Poll::Ready(LegEvent::Ended(error)) => {
                    self.ended(id, side, &error);
                    return self.close_if_over(id, watcher);
                }
                Poll::Pending => return Ok(()),
            }
        }
        self.ready.mark(number);
        Ok(())
    }

    /// Has the leg looked at that was not read because `side` took no more.
    fn mark_source(&self, id: ConnectionId, side: Side) {
        let Some(pair) = self.pairs.get(&id) else {
            return;
        };
        match side {
            Side::Initiator => self.ready.mark(pair.server_number),
            Side::Responder => match pair.client_number {
                Some(number) => self.ready.mark(number),
                None => self.ready.mark(ENTRANCE),
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
        let Some(pair) = self.pairs.get_mut(&id) else {
            return Ok(());
        };
        pair.heard = now;
        let record = pair.records.is_some().then(|| bytes.clone());
        self.proxy.receive(now, id, from, bytes, watcher)?;
        if let (Some(bytes), Some(pair)) = (record, self.pairs.get_mut(&id))
            && let Some(records) = &mut pair.records
        {
            let comment = self.proxy.last_comment();
            records[from.index()].message(way(from), &bytes, bytes.len(), comment.as_deref());
        }
        Ok(())
    }

    /// A side sends nothing more.
    fn ended(&mut self, id: ConnectionId, side: Side, error: &LinkError) {
        let Some(pair) = self.pairs.get_mut(&id) else {
            return;
        };
        if std::mem::replace(&mut pair.ended[side.index()], true) {
            return;
        }
        let leg = leg_name(side).name();
        match error {
            LinkError::Closed => info!(leg, connection = %id, "connection closed"),
            error => warn!(leg, connection = %id, %error, "connection lost"),
        }
        if let Some(records) = &mut pair.records {
            records[side.index()].finish(way(side));
        }
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
        warn!(leg = "server", connection = %id, error = %with_cause(error), "cannot connect");
        self.proxy.note_failed_connection();
        self.sever(id);
        self.close(id, watcher)
    }

    /// Ends both legs at once.
    fn sever(&mut self, id: ConnectionId) {
        if let Some(pair) = self.pairs.get_mut(&id) {
            if let (ClientLeg::Peer(peer), Entrance::Link(link)) =
                (&pair.client, &mut self.entrance)
            {
                link.sever(*peer);
            }
            // What went before is still written.
            if let ClientLeg::Frames(stream) = &mut pair.client
                && let Some(number) = pair.client_number
            {
                let mut cx = Context::from_waker(self.ready.waker(number));
                if stream.poll_flush(&mut cx).is_err() {
                    debug!(connection = %id, "the client is gone already");
                }
            }
            if let ServerLeg::Open(leg) = &mut pair.server {
                let mut cx = Context::from_waker(self.ready.waker(pair.server_number));
                leg.poll_flush(&mut cx);
            }
            pair.server = ServerLeg::Gone;
        }
    }

    /// Both legs are gone.
    fn close(&mut self, id: ConnectionId, watcher: &mut impl Watcher) -> io::Result<()> {
        if let Some(pair) = self.pairs.remove(&id) {
            if let ClientLeg::Peer(peer) = pair.client {
                self.by_peer.remove(&peer);
            }
            for number in [Some(pair.server_number), pair.client_number]
                .into_iter()
                .flatten()
            {
                self.ready.remove(number);
                self.owners.remove(number);
            }
        }
        self.proxy.close(Instant::now(), id, watcher)
    }

    /// Carries out what the proxy wants; false if that is nothing.
    fn pass_on(&mut self, watcher: &mut impl Watcher) -> io::Result<bool> {
        let mut any = false;
        let now = Instant::now();
        while let Some(output) = self.proxy.poll_output(now) {
            any = true;
            match output {
                Output::Transmit {
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
                Output::Finish { connection, to } => self.finish(connection, to, watcher)?,
                Output::Break { connection } => {
                    warn!(%connection, error = %LinkError::Fault, "connection lost");
                    self.sever(connection);
                    self.close(connection, watcher)?;
                }
            }
        }
        Ok(any)
    }

    fn transmit(&mut self, id: ConnectionId, to: Side, sent: Sent<'_>) {
        let Sent {
            bytes,
            missing_bytes,
            comment,
        } = sent;
        let own = match to {
            Side::Responder => self.upstream.proven_destination(),
            Side::Initiator => None,
        };
        let (bytes, comment) = match own.and_then(|own| introduced(&bytes, own)) {
            Some(bytes) => (bytes, Some(comment.unwrap_or(INTRODUCED))),
            None => (bytes, comment),
        };
        let Some(pair) = self.pairs.get_mut(&id) else {
            return;
        };
        if pair.told[to.index()] {
            return;
        }
        let carrier = match to {
            Side::Initiator => &self.carrier,
            Side::Responder => &self.upstream.carrier,
        };
        if missing_bytes > 0 && (matches!(carrier, CarrierUrl::Udp(_)) || bytes.is_empty()) {
            // Nothing of it can go out.
            return;
        }
        if !matches!(carrier, CarrierUrl::I2cp(..)) && bytes.len() > carrier.max_message_bytes() {
            self.too_long_count += 1;
            if self.too_long_count.is_power_of_two() {
                warn!(
                    leg = leg_name(to).name(),
                    connection = %id,
                    bytes = bytes.len(),
                    limit = carrier.max_message_bytes(),
                    so_far = self.too_long_count,
                    "message left out: too long for {carrier}"
                );
            }
            return;
        }
        if let Some(records) = &mut pair.records {
            let announced = bytes.len() + missing_bytes;
            records[to.index()].message(way(to.opposite()), &bytes, announced, comment);
        }
        let takes_more = match (to, &mut pair.client, &mut self.entrance) {
            (Side::Responder, ..) => {
                self.unflushed.push(pair.server_number);
                match &mut pair.server {
                    ServerLeg::Opening(_, waiting) => {
                        waiting.push(Parcel::torn(bytes, missing_bytes));
                        false
                    }
                    ServerLeg::Open(leg) => leg.send(Parcel::torn(bytes, missing_bytes)),
                    ServerLeg::Gone => true,
                }
            }
            (Side::Initiator, ClientLeg::Peer(peer), Entrance::Link(link)) => {
                link.send(*peer, Parcel::torn(bytes, missing_bytes)) == Room::Free
            }
            (Side::Initiator, ClientLeg::Frames(stream), _) => {
                self.unflushed.extend(pair.client_number);
                stream.send(bytes)
            }
            (Side::Initiator, ..) => true,
        };
        pair.takes[to.index()] &= takes_more;
    }

    /// A side hears nothing more.
    fn finish(&mut self, id: ConnectionId, to: Side, watcher: &mut impl Watcher) -> io::Result<()> {
        let Some(pair) = self.pairs.get_mut(&id) else {
            return Ok(());
        };
        pair.told[to.index()] = true;
        if let Some(records) = &mut pair.records {
            records[to.index()].finish(way(to.opposite()));
        }
        match to {
            Side::Initiator => {
                match (&mut pair.client, &mut self.entrance) {
                    (ClientLeg::Peer(peer), Entrance::Link(link)) => link.finish(*peer),
                    (ClientLeg::Frames(stream), _) => stream.finish(),
                    (ClientLeg::Peer(_), Entrance::Frames(_)) => {}
                }
                if let Some(number) = pair.client_number {
                    self.ready.mark(number);
                }
                self.close_if_over(id, watcher)
            }
            Side::Responder => {
                self.ready.mark(pair.server_number);
                self.close_if_over(id, watcher)
            }
        }
    }

    /// Forgets a connection of which nothing more comes.
    fn close_if_over(&mut self, id: ConnectionId, watcher: &mut impl Watcher) -> io::Result<()> {
        let Some(pair) = self.pairs.get(&id) else {
            return Ok(());
        };
        let server_gone = matches!(pair.server, ServerLeg::Gone);
        let client_done = match pair.client {
            // The link sees to the rest.
            ClientLeg::Peer(_) => pair.ended[0] || pair.told[0],
            ClientLeg::Frames(_) => pair.ended[0],
        };
        if server_gone && client_done {
            self.close(id, watcher)
        } else {
            Ok(())
        }
    }

    fn flush(&mut self) {
        if let Entrance::Link(link) = &mut self.entrance {
            let mut cx = Context::from_waker(self.ready.waker(ENTRANCE));
            link.poll_flush(&mut cx);
        }
        while let Some(number) = self.unflushed.pop() {
            let Some(&Owner::Leg(id, side)) = self.owners.get(number) else {
                continue;
            };
            let Some(pair) = self.pairs.get_mut(&id) else {
                continue;
            };
            let mut cx = Context::from_waker(self.ready.waker(number));
            match (side, &mut pair.server, &mut pair.client) {
                (Side::Responder, ServerLeg::Open(leg), _) => leg.poll_flush(&mut cx),
                (Side::Initiator, _, ClientLeg::Frames(stream)) => {
                    let flushed = stream.poll_flush(&mut cx);
                    if !matches!(flushed, Ok(false)) {
                        // Its next turn tells.
                        self.ready.mark(number);
                    }
                }
                _ => {}
            }
        }
        if self.dues.is_empty() {
            return;
        }
        if let Some(recorder) = &self.recorder {
            recorder.flush();
        }
        let now = Instant::now();
        for due in self.dues.drain(..) {
            self.proxy.note_added(now.saturating_duration_since(due));
        }
    }

    /// Forgets UDP clients that were silent for long.
    fn sweep(&mut self, watcher: &mut impl Watcher) -> io::Result<()> {
        if !matches!(self.carrier, CarrierUrl::Udp(_)) {
            return Ok(());
        }
        let now = Instant::now();
        if now < self.next_sweep {
            return Ok(());
        }
        self.next_sweep = now + SWEEP;
        let silent: Vec<ConnectionId> = self
            .pairs
            .iter()
            .filter(|(_, pair)| now.saturating_duration_since(pair.heard) > UDP_IDLE)
            .map(|(id, _)| *id)
            .collect();
        for id in silent {
            self.close(id, watcher)?;
        }
        Ok(())
    }

    fn forget_most_silent(&mut self, watcher: &mut impl Watcher) -> io::Result<()> {
        let most_silent = self.pairs.iter().min_by_key(|(_, pair)| pair.heard);
        if let Some((&id, _)) = most_silent {
            warn!(connection = %id, limit = MAX_CONNECTIONS, "too many clients: one is forgotten");
            self.close(id, watcher)?;
        }
        Ok(())
    }

    /// Sees to it that the task is woken in time; true if it is time already.
    fn wait(&mut self, cx: &mut Context<'_>) -> bool {
        let sweep = matches!(self.carrier, CarrierUrl::Udp(_)).then_some(self.next_sweep);
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

/// What goes to a leg.
struct Sent<'a> {
    bytes: Bytes,
    missing_bytes: usize,
    comment: Option<&'a str>,
}

/// The number of [`Owner::Entrance`].
const ENTRANCE: usize = 2;

/// The client's bytes go forward.
const fn way(from: Side) -> Way {
    match from {
        Side::Initiator => Way::Forward,
        Side::Responder => Way::Backward,
    }
}

const fn leg_name(side: Side) -> LegName {
    match side {
        Side::Initiator => LegName::Client,
        Side::Responder => LegName::Server,
    }
}

fn address_of(peer: Peer) -> SocketAddr {
    match peer {
        Peer::Address(address) | Peer::Connection { address, .. } => address,
        // No link to clients has such peers.
        Peer::Destination(_) => SocketAddr::from(([0, 0, 0, 0], 0)),
    }
}

const fn carrier_of(carrier: &CarrierUrl) -> Carrier {
    match carrier {
        CarrierUrl::Udp(_) => Carrier::Udp,
        CarrierUrl::Tcp(_, Prefix::U32) | CarrierUrl::Tls(_, Prefix::U32) => Carrier::TcpU32,
        CarrierUrl::Tcp(_, Prefix::U16) | CarrierUrl::Tls(_, Prefix::U16) => Carrier::TcpU16,
        CarrierUrl::I2cp(..) => Carrier::I2cp,
    }
}

/// An error and what the system says, in one line.
fn with_cause(error: &LinkError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
