//! `tcp://` and `tls://`: each message after its length, many connections or one.

mod connection;
mod deadlines;
mod options;
mod output;
mod transport;
mod turns;

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tracing::warn;

use self::connection::{Connection, Read, Record};
use self::deadlines::{Deadlines, Late};
pub use self::options::TcpOptions;
use self::transport::Spare;
use self::turns::Turns;
use super::{LinkCounts, LinkError, LinkEvent, Parcel, Peer, Room, Scope, origin_of};
use crate::carrier::FlowDirection;
use crate::runtime::acceptor::Acceptor;
use crate::runtime::allow::AllowList;
use crate::runtime::lookout::{Lookout, wake_after_look};
use crate::runtime::ready::ReadySet;
use crate::runtime::recorder::Recorder;
use crate::runtime::repeated::Repeated;
use crate::runtime::socket::{self, Addresses};
use crate::runtime::tls::TlsError;
use crate::wire::DestinationHash;

/// Most connections of peers at once.
const MAX_CONNECTIONS: usize = 256;

/// Most connections of one address (IPv6: of one /64) that is not this machine.
const MAX_CONNECTIONS_OF_ONE: usize = 64;

/// Turns without an event in one go: others come first.
const MAX_SILENT_TURNS: usize = 64;

/// Bytes that such a turn counts for: it has read less than a message.
const SILENT_TURN_BYTES: usize = 256;

/// Connections refused in one go: others come first.
const MAX_TURNED_AWAY: usize = 64;

/// Time until the failure of a connection that is not read is noticed.
const PAUSE_LOOK: Duration = Duration::from_secs(1);

/// Time for a handshake of TLS, hello included.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// Number of times that connections that close are looked at in one go.
const CLOSING_ROUNDS: usize = 16;

/// Time for peers to close their connections when a server ends.
const PARTING_TIME: Duration = Duration::from_secs(1);

/// One connection to a server, or a server's connections to its clients.
#[derive(Debug)]
pub struct TcpLink {
    options: TcpOptions,
    source: Source,
    /// The numbers of `ready`: [`ACCEPTOR`](Self::ACCEPTOR), and those of the connections.
    ready: ReadySet,
    connections: HashMap<usize, Connection>,
    /// The connection's number in `ready`, by the number of the peer.
    by_peer: HashMap<u64, usize>,
    next_peer: u64,
    troubles: Repeated<Trouble>,
    /// Of those that were woken, or read and perhaps not to the end.
    turns: Box<Turns>,
    woken: Vec<usize>,
    /// Ready to be read, but not wanted.
    paused: Vec<usize>,
    /// When those are asked whether they still stand.
    pause_look: Pin<Box<Sleep>>,
    /// With output that no write was tried for.
    unflushed: Vec<usize>,
    spare: Spare,
    /// Connections whose handshake began. Apart, as are the others, because few links have any.
    handshakes: Box<Deadlines>,
    /// Connections of clients that have still to send a SYN, where there is a time for that.
    silent: Option<Box<Deadlines>>,
    lookout: Lookout,
    /// When those are looked at next.
    deadline_look: Pin<Box<Sleep>>,
    events: VecDeque<LinkEvent>,
    /// Bytes that were decrypted and gave none, since an event said so.
    absorbed_bytes: usize,
    /// Runs when all is written to all peers: the time for them to close.
    parting: Option<Pin<Box<Sleep>>>,
}

/// The source of connections.
#[derive(Debug)]
enum Source {
    /// There is only the one that we made; without it the link is down.
    Own,
    Peers {
        acceptor: Acceptor,
        allow: AllowList,
    },
}

impl Source {
    fn record(&self, recorder: &Recorder, local: SocketAddr, remote: SocketAddr) -> Record {
        match self {
            Self::Own => Record {
                stream: recorder.stream(local, remote),
                ours: FlowDirection::Forward,
            },
            Self::Peers { .. } => Record {
                stream: recorder.stream(remote, local),
                ours: FlowDirection::Backward,
            },
        }
    }
}

/// Events that strangers can cause as often as they like.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    NotAccepted,
    TurnedAway,
    NotAllowed,
    Handshake,
    UnprovenSyn,
}

/// What became of the bytes that came until some time.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Seen {
    /// The system has told of them.
    Looked,
    /// They have been read, as far as they are wanted.
    Read,
}

impl TcpLink {
    /// The acceptor's number in the ready set.
    const ACCEPTOR: usize = 0;

    /// Connects to a server; over TLS ready when both ends have proven their identities.
    ///
    /// # Errors
    /// Those of connecting, and of TLS.
    pub async fn connect(
        addresses: &Addresses,
        options: TcpOptions,
    ) -> Result<(Self, Peer), LinkError> {
        let (stream, address) = socket::connect(addresses).await?;
        let mut link = Self::new(Source::Own, options);
        let peer = link.add(stream, address)?;
        if link.options.tls.is_some() {
            poll_fn(|cx| link.poll_opened(cx)).await?;
        }
        Ok((link, peer))
    }

    /// Ready when the handshake of our own connection is over.
    fn poll_opened(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        self.poll_flush(cx);
        loop {
            match self.poll_event(cx, &mut |_| true) {
                Poll::Ready(LinkEvent::PeerUp(_)) => return Poll::Ready(Ok(())),
                Poll::Ready(LinkEvent::Down(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(LinkEvent::Absorbed { .. }) => {
                    wake_after_look(cx.waker());
                    return Poll::Pending;
                }
                // There is nothing else before.
                Poll::Ready(_) => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Listens for clients, and takes connections from those that `allow` admits.
    ///
    /// # Errors
    /// Those of binding.
    pub async fn listen(
        addresses: &Addresses,
        allow: AllowList,
        options: TcpOptions,
    ) -> std::io::Result<(Self, SocketAddr)> {
        let acceptor = Acceptor::bind(addresses).await?;
        let bound = acceptor.local_addr()?;
        let source = Source::Peers { acceptor, allow };
        Ok((Self::new(source, options), bound))
    }

    fn new(source: Source, options: TcpOptions) -> Self {
        let mut ready = ReadySet::default();
        let acceptor = ready.insert();
        debug_assert_eq!(acceptor, Self::ACCEPTOR);
        let silent = match source {
            Source::Own => None,
            Source::Peers { .. } => options
                .first_message_timeout
                .map(Deadlines::new)
                .map(Box::new),
        };
        Self {
            options,
            source,
            ready,
            connections: HashMap::new(),
            by_peer: HashMap::new(),
            next_peer: 0,
            troubles: Repeated::default(),
            turns: Box::new(Turns::new()),
            woken: Vec::new(),
            paused: Vec::new(),
            pause_look: Box::pin(sleep(Duration::ZERO)),
            unflushed: Vec::new(),
            spare: Spare::default(),
            handshakes: Box::new(Deadlines::new(HANDSHAKE_TIME)),
            silent,
            lookout: Lookout::new(Instant::now()),
            deadline_look: Box::pin(sleep(Duration::ZERO)),
            events: VecDeque::new(),
            absorbed_bytes: 0,
            parting: None,
        }
    }

    fn add(&mut self, stream: TcpStream, address: SocketAddr) -> Result<Peer, LinkError> {
        let connection_number = self.next_peer;
        let peer = Peer::Connection {
            number: connection_number,
            address,
        };
        let record = match &self.options.recorder {
            Some(recorder) => Some(self.source.record(recorder, stream.local_addr()?, address)),
            None => None,
        };
        let tls = match (&self.options.tls, &self.source) {
            (Some(tls), Source::Peers { allow, .. }) => Some(tls.begin(allow)?),
            (Some(tls), Source::Own) => Some(tls.begin(&AllowList::default())?),
            (None, _) => None,
        };
        let connection = Connection::new(stream, peer, &self.options, tls.map(Box::new), record)?;
        self.next_peer += 1;
        let number = self.ready.insert();
        let now = Instant::now();
        if !connection.is_open() {
            self.handshakes.begin(now, number, peer);
            self.unflushed.push(number);
        }
        if let Some(silent) = &mut self.silent {
            silent.begin(now, number, peer);
        }
        self.connections.insert(number, connection);
        self.by_peer.insert(connection_number, number);
        Ok(peer)
    }

    /// See [`Link::poll_event`](super::Link::poll_event).
    pub(super) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
        reads: &mut dyn FnMut(Scope) -> bool,
    ) -> Poll<LinkEvent> {
        for _ in 0..MAX_SILENT_TURNS {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(event);
            }
            if self.turns.is_round_over() && !self.next_turns(cx, reads) {
                return Poll::Pending;
            }
            let Some(number) = self.turns.first() else {
                continue;
            };
            if number == Self::ACCEPTOR {
                self.turns.end();
                self.accept();
            } else if let Some(message) = self.take_turn(number, reads) {
                return Poll::Ready(message);
            }
            if self.absorbed_bytes > 0 {
                let bytes = std::mem::take(&mut self.absorbed_bytes);
                return Poll::Ready(LinkEvent::Absorbed { bytes });
            }
        }
        Poll::Ready(LinkEvent::Absorbed {
            bytes: SILENT_TURN_BYTES * MAX_SILENT_TURNS,
        })
    }

    /// Finds out whose turn it is, once all have had theirs: whoever sends without end must not keep
    /// others from being read. False if nothing is ready.
    fn next_turns(&mut self, cx: &mut Context<'_>, reads: &mut dyn FnMut(Scope) -> bool) -> bool {
        // Before those who were paused are not any more: their messages are read first.
        if self.turns.is_empty() {
            self.end_late(cx);
        } else if self.next_deadline().is_some()
            && let Some(seen_until) = self.turns.note_round(Instant::now())
        {
            self.end_late_by(seen_until, Seen::Read);
        }
        let Self {
            connections,
            turns,
            paused,
            ..
        } = self;
        paused.retain(|number| {
            let wanted = connections
                .get(number)
                .is_none_or(|connection| reads(Scope::Peer(connection.peer())));
            if wanted {
                turns.line_up(*number);
            }
            !wanted
        });
        self.look_at_paused(cx);
        self.ready.take_ready(cx, &mut self.woken);
        for number in self.woken.drain(..) {
            self.turns.line_up(number);
        }
        self.turns.begin_round();
        !self.turns.is_empty() || !self.events.is_empty()
    }

    /// Finds those of the connections that are not read that have failed: bytes that a reset has
    /// overtaken are not read up to it. An orderly end is behind the bytes that wait to be read; a
    /// server reads up to it if that is little. Of a client it is the end of the link, for which
    /// readers that are slow would have to hurry.
    fn look_at_paused(&mut self, cx: &mut Context<'_>) {
        if self.paused.is_empty() || self.pause_look.as_mut().poll(cx).is_pending() {
            return;
        }
        for number in self.paused.clone() {
            let Some(connection) = self.connections.get_mut(&number) else {
                continue;
            };
            if let Some(error) = connection.failure() {
                self.paused.retain(|paused| *paused != number);
                self.lose(number, error);
            } else if matches!(self.source, Source::Peers { .. }) && connection.is_nearly_read() {
                connection.read_to_end();
                self.paused.retain(|paused| *paused != number);
                self.turns.line_up(number);
            }
        }
        let next = tokio::time::Instant::now() + PAUSE_LOOK;
        self.pause_look.as_mut().reset(next);
        if self.pause_look.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }

    /// Ends connections whose handshake, or first message, takes too long.
    fn end_late(&mut self, cx: &mut Context<'_>) {
        let now = Instant::now();
        match self.next_deadline() {
            Some(next) if next <= now => {
                if !self.lookout.may_judge(cx, now, next) {
                    return;
                }
                self.end_late_by(self.lookout.time(now, Some(next)), Seen::Looked);
            }
            Some(_) => {}
            None => return,
        }
        let Some(next) = self.next_deadline() else {
            return;
        };
        let next = tokio::time::Instant::from_std(next);
        if self.deadline_look.deadline() != next {
            self.deadline_look.as_mut().reset(next);
        }
        if self.deadline_look.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let silent = self.silent.as_ref().and_then(|silent| silent.next());
        [self.handshakes.next(), silent].into_iter().flatten().min()
    }

    /// The same of those whose time was over at `now`, before which all that came was seen.
    fn end_late_by(&mut self, now: Instant, seen: Seen) {
        loop {
            let connections = &self.connections;
            let get = |number: usize, peer: Peer| {
                let connection = connections.get(&number);
                connection.filter(|connection| connection.peer() == peer)
            };
            let late = self.handshakes.late(now, |number, peer| {
                get(number, peer).is_some_and(|connection| !connection.is_open())
            });
            match late {
                Some(Late::Read(_)) if seen == Seen::Read => continue,
                // Before it is judged, its turn comes.
                Some(Late::Read(number)) => return self.ready.mark(number),
                Some(Late::End(number, _)) => {
                    self.lose(number, TlsError::Late(HANDSHAKE_TIME.as_secs()).into());
                    continue;
                }
                None => {}
            }
            let Some(silent) = &mut self.silent else {
                return;
            };
            let late = silent.late(now, |number, peer| {
                get(number, peer).is_some_and(Connection::has_sent_no_syn)
            });
            match late {
                Some(Late::Read(_)) if seen == Seen::Read => {}
                Some(Late::Read(number)) => return self.ready.mark(number),
                // Its last bytes, if any, are not read at the moment.
                Some(Late::End(number, peer)) if self.paused.contains(&number) => {
                    silent.begin(now, number, peer);
                }
                Some(Late::End(number, _)) => {
                    let error = LinkError::Silent(silent.time());
                    self.lose(number, error);
                }
                None => return,
            }
        }
    }

    /// The next message of the connection whose turn it is. Without one the
    /// turn is over, and another follows if the connection could be read.
    fn take_turn(
        &mut self,
        number: usize,
        reads: &mut dyn FnMut(Scope) -> bool,
    ) -> Option<LinkEvent> {
        let Some(connection) = self.connections.get_mut(&number) else {
            // A wake-up that was late.
            self.turns.end();
            return None;
        };
        let peer = connection.peer();
        if connection.is_finishing() {
            self.turns.end();
            self.flush(number);
            return None;
        }
        // Of a handshake nothing is a message that somebody would have to take.
        let is_read = !connection.is_open() || connection.is_ending();
        if !is_read && !reads(Scope::Peer(peer)) {
            self.turns.end();
            if !self.paused.contains(&number) {
                self.paused.push(number);
            }
            // The wake-up may have been for writing.
            self.flush(number);
            return None;
        }
        if self.turns.is_used_up() {
            self.turns.end();
            self.turns.line_up(number);
            // Here, too.
            self.flush(number);
            return None;
        }
        match connection.next_message() {
            Ok(Some(bytes)) => {
                self.turns.note_message();
                match connection.unproven_syn(&bytes) {
                    Some((named, refusal)) if matches!(self.source, Source::Peers { .. }) => {
                        self.refuse(peer, named, refusal);
                        None
                    }
                    _ => Some(LinkEvent::Message {
                        from: Some(peer),
                        bytes,
                    }),
                }
            }
            Ok(None) => {
                self.turns.end();
                self.read(number);
                None
            }
            Err(error) => {
                self.turns.end();
                self.lose(number, error);
                None
            }
        }
    }

    /// See [`Link::counts`](super::Link::counts).
    pub(super) fn counts(&self) -> LinkCounts {
        LinkCounts {
            unproven_syn_count: self.troubles.total(Trouble::UnprovenSyn),
            ..LinkCounts::default()
        }
    }

    /// Answers a SYN of a destination that its connection has not proven.
    fn refuse(&mut self, peer: Peer, named: DestinationHash, refusal: Parcel) {
        if let Some(count) = self.troubles.count(Trouble::UnprovenSyn) {
            let named = named.to_b32_name();
            warn!(
                leg = "handshake",
                %peer,
                named,
                count,
                "refused: the destination in a SYN is not the one that its connection has proven"
            );
        }
        let Peer::Connection { number, .. } = peer else {
            return;
        };
        let number = self.by_peer.get(&number);
        let connection = number.and_then(|number| self.connections.get(number));
        if connection.is_none_or(Connection::is_full) {
            // Whoever does not read the answers gets no more of them.
            return;
        }
        if let Room::Full(_) = self.send(peer, refusal) {
            // The endpoint learns of it when it sends something itself.
        }
    }

    fn read(&mut self, number: usize) {
        if !self.flush(number) {
            return;
        }
        let Some(connection) = self.connections.get_mut(&number) else {
            return;
        };
        let mut cx = Context::from_waker(self.ready.waker(number));
        let was_open = connection.is_open();
        match connection.poll_read(&mut cx, &mut self.spare) {
            Ok(read) => {
                self.absorbed_bytes += connection.take_absorbed_bytes();
                if !was_open && connection.is_open() {
                    connection.log_handshake();
                    self.events.push_back(LinkEvent::PeerUp(connection.peer()));
                }
                if read == Read::Some {
                    self.turns.line_up(number);
                }
            }
            Err(error) => {
                connection.speak_last(&mut cx, &mut self.spare);
                self.lose(number, error);
            }
        }
    }

    fn accept(&mut self) {
        let waker = self.ready.waker(Self::ACCEPTOR).clone();
        let mut cx = Context::from_waker(&waker);
        for _ in 0..MAX_TURNED_AWAY {
            let Source::Peers { acceptor, allow } = &mut self.source else {
                return;
            };
            let (stream, address) = match acceptor.poll_accept(&mut cx) {
                Poll::Ready(Ok(accepted)) => accepted,
                Poll::Ready(Err(error)) => {
                    if let Some(count) = self.troubles.count(Trouble::NotAccepted) {
                        warn!(leg = "carrier", %error, count, "cannot accept a connection");
                    }
                    continue;
                }
                Poll::Pending => return,
            };
            let may_try = match &self.options.tls {
                Some(_) => allow.admits_attempt(address),
                None => allow.admits_address(address),
            };
            if !may_try {
                if let Some(count) = self.troubles.count(Trouble::NotAllowed) {
                    warn!(leg = "carrier", peer = %address, count, "peer is not allowed");
                }
                continue;
            }
            if !self.has_room_for(address) {
                let error = LinkError::TooManyPeers {
                    limit: MAX_CONNECTIONS,
                };
                if let Some(count) = self.troubles.count(Trouble::TurnedAway) {
                    warn!(leg = "carrier", peer = %address, %error, count, "connections turned away");
                }
                continue;
            }
            match self.add(stream, address) {
                // Over TLS it is nobody yet.
                Ok(_) if self.options.tls.is_some() => {}
                Ok(peer) => self.events.push_back(LinkEvent::PeerUp(peer)),
                Err(error) => {
                    if let Some(count) = self.troubles.count(Trouble::NotAccepted) {
                        warn!(leg = "carrier", peer = %address, %error, count, "connection failed");
                    }
                }
            }
            break;
        }
        // There may be more, and `add` changed the wakers.
        self.ready.mark(Self::ACCEPTOR);
    }

    /// Whether there is room for a connection from this address, or a silent one gives way.
    ///
    /// Of those that never sent a SYN with a whole destination the oldest goes first, of the origin
    /// that has the most of them: a peer that opens many displaces its own.
    fn has_room_for(&mut self, address: SocketAddr) -> bool {
        let new = origin_of(address.ip());
        let shares_host = address.ip().to_canonical().is_loopback();
        let mut silent: HashMap<u128, usize> = HashMap::new();
        let mut same_count = 0;
        for connection in self.connections.values() {
            let origin = connection.peer().origin().unwrap_or_default();
            same_count += usize::from(origin == new);
            if connection.is_silent() {
                *silent.entry(origin).or_default() += 1;
            }
        }
        let is_crowding = !shares_host && same_count >= MAX_CONNECTIONS_OF_ONE;
        if self.connections.len() < MAX_CONNECTIONS && !is_crowding {
            return true;
        }
        let crowd = if is_crowding {
            new
        } else {
            // Of equal crowds any would do; the order of a hash map must not decide.
            match silent
                .into_iter()
                .max_by_key(|(origin, count)| (*count, *origin))
            {
                Some((origin, _)) => origin,
                None => return false,
            }
        };
        let oldest = self
            .connections
            .iter()
            .filter(|(_, connection)| {
                connection.is_silent() && connection.peer().origin() == Some(crowd)
            })
            .min_by_key(|(_, connection)| match connection.peer() {
                Peer::Connection { number, .. } => number,
                _ => 0,
            })
            .map(|(number, _)| *number);
        if let Some(number) = oldest {
            self.lose(number, LinkError::Displaced);
        }
        oldest.is_some()
    }

    /// See [`Link::send`](super::Link::send).
    pub(super) fn send(&mut self, to: Peer, message: Parcel) -> Room {
        let Peer::Connection { number, .. } = to else {
            return Room::Free;
        };
        let Some(&number) = self.by_peer.get(&number) else {
            return Room::Free;
        };
        let Some(connection) = self.connections.get_mut(&number) else {
            return Room::Free;
        };
        if connection.is_flushed() {
            self.unflushed.push(number);
        }
        connection.send(message)
    }

    /// See [`Link::finish`](super::Link::finish).
    pub(super) fn finish(&mut self, peer: Peer) {
        let Peer::Connection { number, .. } = peer else {
            return;
        };
        if let Some(number) = self.by_peer.remove(&number)
            && let Some(connection) = self.connections.get_mut(&number)
        {
            connection.finish_when_flushed();
            self.ready.mark(number);
            self.flush(number);
        }
    }

    /// See [`Link::sever`](super::Link::sever).
    pub(super) fn sever(&mut self, peer: Peer) {
        let Peer::Connection { number, .. } = peer else {
            return;
        };
        if let Some(number) = self.by_peer.remove(&number) {
            if self.flush(number) {
                self.connections.remove(&number);
                self.ready.remove(number);
            }
            // Nobody is told of it.
            self.events.retain(
                |event| !matches!(event, LinkEvent::PeerLost { peer: lost, .. } if *lost == peer),
            );
        }
    }

    /// See [`Link::poll_flush`](super::Link::poll_flush).
    pub(super) fn poll_flush(&mut self, cx: &Context<'_>) {
        while let Some(number) = self.unflushed.pop() {
            self.flush(number);
        }
        if let Some(recorder) = &self.options.recorder {
            recorder.flush();
        }
        if !self.events.is_empty() {
            cx.waker().wake_by_ref();
        }
    }

    /// See [`Link::poll_close`](super::Link::poll_close).
    ///
    /// A connection is closed only when the other end has read all, or does not close its own for
    /// [`PARTING_TIME`] (a server is waited for without limit): closed with input unread it would
    /// be reset, and bytes that the other end has not read yet be lost.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..CLOSING_ROUNDS {
            self.poll_flush(cx);
            self.woken.clear();
            self.ready.take_ready(cx, &mut self.woken);
            let (mut all_flushed, mut all_closed) = (true, true);
            let mut numbers: Vec<usize> = self.connections.keys().copied().collect();
            // The order of their ends.
            numbers.sort_unstable();
            for number in numbers {
                let Some(connection) = self.connections.get_mut(&number) else {
                    continue;
                };
                let mut cx = Context::from_waker(self.ready.waker(number));
                let is_flushed = connection.is_flushed();
                all_flushed &= is_flushed;
                all_closed &= is_flushed && connection.poll_finish(&mut cx).is_ready();
            }
            if all_closed {
                return Poll::Ready(());
            }
            if all_flushed && matches!(self.source, Source::Peers { .. }) {
                let parting = &mut self.parting;
                let parting = parting.get_or_insert_with(|| Box::pin(sleep(PARTING_TIME)));
                if parting.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
            }
            if self.woken.is_empty() {
                return Poll::Pending;
            }
            for number in std::mem::take(&mut self.woken) {
                self.flush(number);
            }
        }
        // Whoever sends without end is not read without end.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes a connection's output; false if that ended it.
    fn flush(&mut self, number: usize) -> bool {
        let Some(connection) = self.connections.get_mut(&number) else {
            return true;
        };
        let mut cx = Context::from_waker(self.ready.waker(number));
        match connection.poll_flush(&mut cx, &mut self.spare) {
            Ok(has_room_again) => {
                if connection.is_finishing() {
                    if connection.is_flushed() && connection.poll_finish(&mut cx).is_ready() {
                        self.connections.remove(&number);
                        self.ready.remove(number);
                        return false;
                    }
                } else if has_room_again {
                    let scope = Scope::Peer(connection.peer());
                    self.events.push_back(LinkEvent::Ready(scope));
                }
                true
            }
            Err(error) => {
                self.lose(number, error);
                false
            }
        }
    }

    fn lose(&mut self, number: usize, error: LinkError) {
        let Some(connection) = self.connections.remove(&number) else {
            return;
        };
        let peer = connection.peer();
        if let Peer::Connection { number, .. } = peer {
            self.by_peer.remove(&number);
        }
        self.ready.remove(number);
        if connection.is_finished() || connection.is_finishing() {
            // It ends because we wanted it to.
            return;
        }
        if !connection.is_open() && matches!(self.source, Source::Peers { .. }) {
            return self.log_failed_handshake(peer, &error);
        }
        self.events.push_back(match self.source {
            Source::Own => LinkEvent::Down(error),
            Source::Peers { .. } => LinkEvent::PeerLost { peer, error },
        });
    }

    /// Whoever did not get through the handshake was never a peer, and may have come to fill
    /// the log.
    fn log_failed_handshake(&mut self, peer: Peer, error: &LinkError) {
        if let Some(count) = self.troubles.count(Trouble::Handshake) {
            warn!(leg = "carrier", %peer, %error, count, "not let in");
        }
    }
}

#[cfg(test)]
mod tests;
