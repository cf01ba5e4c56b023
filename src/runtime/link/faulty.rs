//! A link through a bad network: its messages either way are late, lost, doubled or damaged.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use hashbrown::HashSet;
use tracing::info;

use super::error::LinkError;
use super::event::{LinkCounts, LinkEvent, Room};
use super::parcel::Parcel;
use super::peer::{Peer, Role, Scope};
use super::plain::PlainLink;
use crate::fault::{Engine, FaultKind, FaultSpec, FaultStats, Faults, LaneEvent, Parcelled};
use crate::runtime::alarm::Alarm;
use crate::wire::Direction;

/// Messages that are lost, or late, in one go: others come first.
const MAX_LATE_MESSAGES: usize = 64;

/// Bytes under way to one of many peers at which no more are taken for it.
const FULL_LANE_BYTES: usize = 2 * 1024 * 1024;

/// The faults that all links of a run have, one after the other.
#[derive(Clone, Debug)]
pub struct FaultPlan {
    faults: Faults,
    seed: [u8; 32],
    began: Instant,
    /// Each link has its own luck.
    openings: Arc<AtomicU32>,
}

impl FaultPlan {
    /// Faults that follow from a seed. Black holes count from now.
    pub fn new(faults: Faults, seed: [u8; 32]) -> Self {
        Self {
            faults,
            seed,
            began: Instant::now(),
            openings: Arc::default(),
        }
    }

    /// The faults of messages that a role sends.
    pub const fn sent(&self, role: Role) -> &FaultSpec {
        self.faults.direction(role.sends())
    }

    /// Whether links have any, beside those that divide writes.
    pub(in crate::runtime) fn acts_on_messages(&self) -> bool {
        self.faults.c2s.acts_on_messages() || self.faults.s2c.acts_on_messages()
    }

    fn engine<M: Parcelled>(&self, direction: Direction, opening: u32) -> Engine<Key, M> {
        // Each direction of each opening has random numbers of its own: the same seed gives the same
        // faults, however the messages of both directions interleave.
        let stream = opening.wrapping_mul(2) + u32::from(direction == Direction::ServerToClient);
        let spec = self.faults.direction(direction).clone();
        Engine::new(spec, self.seed, stream, self.began)
    }
}

/// The unit that has a fate of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// The only connection of a link.
    Link,
    /// One of those that a server has.
    Peer(Peer),
}

#[derive(Clone, Debug)]
struct Outbound {
    to: Peer,
    message: Parcel,
}

impl Parcelled for Outbound {
    fn bytes(&self) -> usize {
        self.message.bytes()
    }

    fn own_memory(&mut self) {
        self.message.own_memory();
    }

    fn damage(&mut self, place: usize, mask: u8) {
        let mut bytes = Vec::with_capacity(self.message.bytes());
        self.message.put(&mut bytes);
        bytes.damage(place, mask);
        self.message = Parcel::raw(bytes.into());
    }

    fn tear(&mut self, bytes: usize) -> bool {
        let mut whole = Vec::with_capacity(self.message.bytes());
        self.message.put(&mut whole);
        let kept = Bytes::from(whole).slice(..bytes.min(self.message.bytes()));
        let missing_bytes = self.message.bytes() - kept.len();
        self.message = Parcel::torn(kept, missing_bytes);
        true
    }
}

#[derive(Clone, Debug)]
enum Inbound {
    Message {
        from: Option<Peer>,
        bytes: Bytes,
    },
    /// The end of a connection, which is never doubled.
    End(Arc<LinkEvent>),
}

impl Parcelled for Inbound {
    fn bytes(&self) -> usize {
        match self {
            Self::Message { bytes, .. } => bytes.len(),
            Self::End(_) => 0,
        }
    }

    fn own_memory(&mut self) {
        if let Self::Message { bytes, .. } = self {
            bytes.own_memory();
        }
    }

    fn damage(&mut self, place: usize, mask: u8) {
        if let Self::Message { bytes, .. } = self {
            bytes.damage(place, mask);
        }
    }
}

/// A link with faults both ways.
#[derive(Debug)]
pub struct FaultyLink {
    link: PlainLink,
    /// Whether the link has one connection only.
    single: bool,
    outgoing: Engine<Key, Outbound>,
    incoming: Engine<Key, Inbound>,
    events: VecDeque<LinkEvent>,
    /// The parts of the link that take no more at the moment.
    blocked: Vec<Scope>,
    /// We asked the sender to wait.
    full: bool,
    /// The same for one peer.
    full_peers: Vec<Peer>,
    /// Connections whose end is late.
    ended: HashSet<Key>,
    /// The link is of no further use.
    down: bool,
    alarm: Alarm,
}

impl FaultyLink {
    /// Puts faults before a link that has just been opened, to `peer` or to all.
    pub(in crate::runtime) fn before(
        link: PlainLink,
        peer: Option<Peer>,
        plan: &FaultPlan,
        role: Role,
    ) -> Self {
        let opening = plan.openings.fetch_add(1, Ordering::Relaxed);
        let single = peer.is_some() || matches!(link, PlainLink::I2cp(_));
        Self {
            link,
            single,
            outgoing: plan.engine(role.sends(), opening),
            incoming: plan.engine(role.receives(), opening),
            events: VecDeque::new(),
            blocked: Vec::new(),
            full: false,
            full_peers: Vec::new(),
            ended: HashSet::new(),
            down: false,
            alarm: Alarm::new(),
        }
    }

    fn key(&self, peer: Option<Peer>) -> Key {
        match peer {
            Some(peer) if !self.single => Key::Peer(peer),
            _ => Key::Link,
        }
    }

    /// See [`Link::poll_event`](super::Link::poll_event).
    pub(super) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
        reads: &mut dyn FnMut(Scope) -> bool,
    ) -> Poll<LinkEvent> {
        for _ in 0..MAX_LATE_MESSAGES {
            let now = Instant::now();
            self.pass_outgoing(cx, now);
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(event);
            }
            let ended = &self.ended;
            // Of one that has ended the rest is taken in also where it is not read: nothing makes it
            // wanted again.
            let wanted = |key: &Key| {
                ended.contains(key)
                    || reads(match key {
                        Key::Link => Scope::All,
                        Key::Peer(peer) => Scope::Peer(*peer),
                    })
            };
            match self.incoming.poll_wanted(now, wanted) {
                Some(LaneEvent::Arrives(_, Inbound::Message { from, bytes })) => {
                    return Poll::Ready(LinkEvent::Message { from, bytes });
                }
                Some(LaneEvent::Arrives(key, Inbound::End(end))) => {
                    self.ended.remove(&key);
                    // It was never doubled, so nobody else has it.
                    self.events.extend(Arc::into_inner(end));
                    continue;
                }
                Some(LaneEvent::Breaks(key)) => {
                    self.sever(key);
                    continue;
                }
                None => {}
            }
            if !self.down && self.take_in(cx, now, reads) {
                continue;
            }
            ready!(self.poll_timer(cx, now));
        }
        // What came may all have been lost, or be late.
        Poll::Ready(LinkEvent::Absorbed {
            bytes: 1024 * MAX_LATE_MESSAGES,
        })
    }

    /// Takes in the link's events; false if there are none.
    fn take_in(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        reads: &mut dyn FnMut(Scope) -> bool,
    ) -> bool {
        // When too much is late already, the link's own flow control holds back the other end.
        let has_room = !self.incoming.is_full();
        let polled = self
            .link
            .poll_event(cx, &mut |scope| has_room && reads(scope));
        let Poll::Ready(event) = polled else {
            return false;
        };
        match event {
            LinkEvent::Message { from, bytes } => {
                let key = self.key(from);
                self.incoming
                    .submit(now, key, Inbound::Message { from, bytes });
            }
            LinkEvent::PeerLost { peer, .. } => {
                let key = self.key(Some(peer));
                self.outgoing.forget(&key);
                self.unblock(peer);
                self.end(now, key, event);
            }
            LinkEvent::Down(_) => {
                self.down = true;
                self.outgoing.forget_all();
                self.end(now, Key::Link, event);
            }
            LinkEvent::Ready(scope) => {
                self.blocked
                    .retain(|blocked| scope != Scope::All && *blocked != scope);
                // One to whom too much is under way hears of it when that is over, too.
                if matches!(scope, Scope::Peer(peer) if !self.full_peers.contains(&peer)) {
                    self.events.push_back(event);
                }
            }
            LinkEvent::PeerUp(_) | LinkEvent::MessageLost { .. } | LinkEvent::Absorbed { .. } => {
                self.events.push_back(event);
            }
        }
        true
    }

    /// Has the link take messages for a peer that is gone, and drop them. It will not say that there
    /// is room, and while its end is late, more is sent to it, for which all others would have to
    /// wait.
    fn unblock(&mut self, peer: Peer) {
        self.blocked.retain(|blocked| *blocked != Scope::Peer(peer));
        self.full_peers.retain(|full| *full != peer);
    }

    fn end(&mut self, now: Instant, key: Key, event: LinkEvent) {
        // Messages before it may be late, and it must not overtake them.
        let end = Inbound::End(Arc::new(event));
        self.ended.insert(key);
        self.incoming.submit_end(now, key, end);
    }

    /// Drops all that is under way on a connection that is gone.
    fn forget(&mut self, key: &Key) {
        self.outgoing.forget(key);
        self.incoming.forget(key);
        self.ended.remove(key);
    }

    /// Breaks a connection on purpose.
    fn sever(&mut self, key: Key) {
        self.forget(&key);
        match key {
            Key::Link if self.down => {}
            Key::Link => {
                self.down = true;
                self.events.push_back(LinkEvent::Down(LinkError::Fault));
            }
            Key::Peer(peer) => {
                self.link.sever(peer);
                self.unblock(peer);
                self.events.push_back(LinkEvent::PeerLost {
                    peer,
                    error: LinkError::Fault,
                });
            }
        }
    }

    /// See [`Link::send`](super::Link::send).
    pub(super) fn send(&mut self, to: Peer, message: Parcel) -> Room {
        if self.down {
            return Room::Free;
        }
        let key = self.key(Some(to));
        if self.ended.contains(&key) {
            return Room::Free;
        }
        self.outgoing
            .submit(Instant::now(), key, Outbound { to, message });
        if self.outgoing.is_full() {
            self.full = true;
            return Room::Full(Scope::All);
        }
        // One that reads nothing must not use up the room of all.
        if matches!(key, Key::Peer(_)) && self.outgoing.lane_bytes(&key) >= FULL_LANE_BYTES {
            if !self.full_peers.contains(&to) {
                self.full_peers.push(to);
            }
            return Room::Full(Scope::Peer(to));
        }
        // More for a peer that takes nothing would only wait here, until all others had to wait, too.
        let scope = Scope::Peer(to);
        if self.blocked.contains(&scope) {
            return Room::Full(scope);
        }
        Room::Free
    }

    /// Hands the link the messages that are due, as far as it takes them.
    fn pass_outgoing(&mut self, cx: &mut Context<'_>, now: Instant) {
        let Self {
            link,
            outgoing,
            blocked,
            ..
        } = self;
        let mut broken = Vec::new();
        while let Some(delivery) = outgoing.poll_wanted(now, |key| match key {
            Key::Link => blocked.is_empty(),
            Key::Peer(peer) => {
                !blocked.contains(&Scope::All) && !blocked.contains(&Scope::Peer(*peer))
            }
        }) {
            match delivery {
                LaneEvent::Arrives(_, Outbound { to, message }) => {
                    if let Room::Full(scope) = link.send(to, message) {
                        blocked.push(scope);
                    }
                }
                LaneEvent::Breaks(key) => broken.push(key),
            }
        }
        if !broken.is_empty() && !self.down {
            // Messages before it are still written.
            self.link.poll_flush(cx);
        }
        for key in broken {
            self.sever(key);
        }
        let Self {
            full_peers,
            blocked,
            outgoing,
            events,
            ..
        } = self;
        full_peers.retain(|peer| {
            let is_full = outgoing.lane_bytes(&Key::Peer(*peer)) > FULL_LANE_BYTES / 2
                || blocked.contains(&Scope::Peer(*peer));
            if !is_full {
                events.push_back(LinkEvent::Ready(Scope::Peer(*peer)));
            }
            is_full
        });
        if self.full && self.outgoing.has_room() {
            self.full = false;
            self.events.push_back(LinkEvent::Ready(Scope::All));
        }
    }

    /// See [`Link::poll_flush`](super::Link::poll_flush).
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) {
        let now = Instant::now();
        self.pass_outgoing(cx, now);
        if !self.down {
            self.link.poll_flush(cx);
        }
        if !self.events.is_empty() || self.poll_timer(cx, now).is_ready() {
            // It shows in `poll_event`, which has returned pending before.
            cx.waker().wake_by_ref();
        }
    }

    /// See [`Link::poll_close`](super::Link::poll_close). Late messages still go out.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let now = Instant::now();
            // Nobody polls the link for events any more, so it could not say that it has room
            // again; messages for a full link are sent all the same.
            self.blocked.clear();
            self.pass_outgoing(cx, now);
            if self.down {
                return Poll::Ready(());
            }
            if self.outgoing.is_idle() {
                return self.link.poll_close(cx);
            }
            self.link.poll_flush(cx);
            ready!(self.poll_timer(cx, now));
        }
    }

    /// See [`Link::finish`](super::Link::finish).
    pub(super) fn finish_peer(&mut self, peer: Peer) {
        self.link.finish(peer);
        self.unblock(peer);
    }

    /// See [`Link::counts`](super::Link::counts).
    pub(super) fn counts(&self) -> LinkCounts {
        self.link.counts()
    }

    /// See [`Link::sever`](super::Link::sever).
    pub(super) fn sever_peer(&mut self, peer: Peer) {
        let key = self.key(Some(peer));
        self.forget(&key);
        self.link.sever(peer);
        self.unblock(peer);
    }

    /// Ready when something more is due.
    fn poll_timer(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        let incoming = self.incoming.next_due_after(now);
        let outgoing = self.outgoing.next_due_after(now);
        let Some(due) = [incoming, outgoing].into_iter().flatten().min() else {
            return Poll::Pending;
        };
        self.alarm.poll_at(cx, due)
    }
}

impl Drop for FaultyLink {
    fn drop(&mut self) {
        for (way, stats) in [
            ("sent", self.outgoing.stats()),
            ("received", self.incoming.stats()),
        ] {
            if stats.messages > 0 {
                info!(
                    messages = stats.messages,
                    bytes = stats.bytes,
                    "{way}: {}",
                    effects(stats)
                );
            }
        }
    }
}

/// `loss 3, latency 20 (51.2 ms each)`
fn effects(stats: &FaultStats) -> String {
    let mut parts = Vec::new();
    for kind in FaultKind::ALL {
        let effect = stats.effect(kind);
        if effect.count == 0 {
            continue;
        }
        let mut part = format!("{} {}", kind.name(), effect.count);
        if !effect.delay.is_zero() {
            let each = effect.delay.as_secs_f64() * 1e3 / effect.count as f64;
            part += &format!(" ({each:.1} ms each)");
        }
        parts.push(part);
    }
    if parts.is_empty() {
        "no fault met a message".to_owned()
    } else {
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;
    use crate::carrier::length_prefixed::Prefix;
    use crate::runtime::Allowed;
    use crate::runtime::link::{TcpLink, TcpOptions};
    use crate::runtime::testing::run;

    const MESSAGE_BYTES: usize = 64 * 1024;

    fn message() -> Parcel {
        Parcel::raw(vec![0x50; MESSAGE_BYTES].into())
    }

    /// Lets the link go on, and gives the event if there is one.
    async fn step(link: &mut FaultyLink) -> Option<LinkEvent> {
        tokio::time::sleep(Duration::from_millis(2)).await;
        poll_fn(|cx| {
            link.poll_flush(cx);
            Poll::Ready(match link.poll_event(cx, &mut |_| true) {
                Poll::Ready(event) => Some(event),
                Poll::Pending => None,
            })
        })
        .await
    }

    /// A server's link, where messages of clients are late, and one of the clients.
    async fn listening() -> (FaultyLink, std::net::TcpStream, Peer) {
        listening_with("c2s: latency=1h").await
    }

    async fn listening_with(faults: &str) -> (FaultyLink, std::net::TcpStream, Peer) {
        let local: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let any = [Allowed::Anybody].into_iter().collect();
        let options = TcpOptions::new(Prefix::U32, usize::MAX);
        let (link, address) = TcpLink::listen(&local.into(), any, options).await.unwrap();
        let faults = Faults::of(&[faults.parse().unwrap()], &[]);
        let plan = FaultPlan::new(faults, [1; 32]);
        let mut link = FaultyLink::before(PlainLink::Tcp(link), None, &plan, Role::Server);
        let client = std::net::TcpStream::connect(address).unwrap();
        loop {
            if let Some(LinkEvent::PeerUp(peer)) = step(&mut link).await {
                return (link, client, peer);
            }
        }
    }

    /// Sends to a client that reads nothing until nothing more goes there.
    async fn fill(link: &mut FaultyLink, peer: Peer) {
        while link.blocked.is_empty() {
            assert_eq!(link.send(peer, message()), Room::Free);
            step(link).await;
        }
    }

    /// Waits until there is room for a peer.
    async fn until_ready(link: &mut FaultyLink, peer: Peer) {
        loop {
            match step(link).await {
                None | Some(LinkEvent::Absorbed { .. }) => {}
                Some(LinkEvent::Ready(scope)) => return assert_eq!(scope, Scope::Peer(peer)),
                Some(other) => panic!("{other:?}"),
            }
        }
    }

    /// Sends more than may wait.
    async fn send_on(link: &mut FaultyLink, peer: Peer) {
        for _ in 0..20 * 1024 * 1024 / MESSAGE_BYTES {
            assert_eq!(link.send(peer, message()), Room::Free);
            poll_fn(|cx| {
                link.poll_flush(cx);
                Poll::Ready(())
            })
            .await;
        }
    }

    #[test]
    fn a_peer_that_takes_nothing_is_sent_nothing_more_until_it_does() {
        use std::io::Read as _;
        run(async {
            let (mut link, mut client, peer) = listening().await;
            fill(&mut link, peer).await;
            assert_eq!(link.send(peer, message()), Room::Full(Scope::Peer(peer)));
            std::thread::spawn(move || while client.read(&mut [0; 65_536]).unwrap() > 0 {});
            until_ready(&mut link, peer).await;
            assert_eq!(link.send(peer, message()), Room::Free);
        });
    }

    #[test]
    fn the_end_of_a_peer_that_is_not_read_is_told_all_the_same() {
        run(async {
            let (mut link, client, peer) = listening_with("c2s: latency=20ms").await;
            drop(client);
            let told = poll_fn(|cx| {
                link.poll_flush(cx);
                link.poll_event(cx, &mut |_| false)
            });
            let told = tokio::time::timeout(Duration::from_secs(10), told).await;
            assert!(
                matches!(told, Ok(LinkEvent::PeerLost { peer: lost, .. }) if lost == peer),
                "{told:?}"
            );
            assert!(link.ended.is_empty());
        });
    }

    #[test]
    fn what_is_under_way_to_one_peer_leaves_room_for_others() {
        use std::io::Read as _;
        run(async {
            let (mut link, mut client, peer) = listening_with("s2c: latency=200ms").await;
            std::thread::spawn(move || while client.read(&mut [0; 65_536]).unwrap() > 0 {});
            let mut count = 0;
            let scope = loop {
                count += 1;
                if let Room::Full(scope) = link.send(peer, message()) {
                    break scope;
                }
            };
            assert_eq!(scope, Scope::Peer(peer));
            assert!(count * MESSAGE_BYTES <= FULL_LANE_BYTES);
            until_ready(&mut link, peer).await;
            assert_eq!(link.send(peer, message()), Room::Free);
        });
    }

    #[test]
    fn a_flood_of_messages_that_are_all_late_lets_others_come_first() {
        use std::io::Write as _;
        run(async {
            let (mut link, mut client, _) = listening().await;
            client.write_all(&[0, 0, 0, 1, 0xff].repeat(1_000)).unwrap();
            let mut absorbed = 0;
            while link.incoming.stats().messages < 1_000 {
                let before = link.incoming.stats().messages;
                match step(&mut link).await {
                    Some(LinkEvent::Absorbed { .. }) => absorbed += 1,
                    None => {}
                    Some(other) => panic!("{other:?}"),
                }
                let taken = link.incoming.stats().messages - before;
                assert!(taken <= MAX_LATE_MESSAGES as u64, "{taken} at once");
            }
            assert!(absorbed >= 1_000 / MAX_LATE_MESSAGES);
        });
    }

    #[test]
    fn what_is_sent_to_a_peer_whose_end_is_late_fills_nothing() {
        run(async {
            let (mut link, client, peer) = listening().await;
            fill(&mut link, peer).await;
            socket2::SockRef::from(&client)
                .set_linger(Some(Duration::ZERO))
                .unwrap();
            drop(client);
            while link.incoming.is_idle() {
                let event = step(&mut link).await;
                assert!(
                    matches!(event, None | Some(LinkEvent::Absorbed { .. })),
                    "it is an hour late"
                );
            }
            send_on(&mut link, peer).await;
            // And to one that we ended.
            let (mut link, _client, peer) = listening().await;
            fill(&mut link, peer).await;
            link.sever_peer(peer);
            send_on(&mut link, peer).await;
        });
    }
}
