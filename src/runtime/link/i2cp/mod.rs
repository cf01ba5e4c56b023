//! `i2cp://`: a session with an I2P router. Messages go to destinations, and
//! come from nobody knows where.

mod opening;
mod options;
mod progress;
mod remote;
mod tap;

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tracing::{debug, info, warn};

use self::progress::Progress;
use self::tap::Tap;
use super::{LinkCounts, LinkError, LinkEvent, Parcel, Peer, Room, Scope};
use crate::allocation::ALLOCATION_BYTES;
use crate::endpoint::syn_destination;
use crate::runtime::allow::AllowList;
use crate::runtime::lookout::Lookout;
use crate::runtime::repeated::Repeated;
use crate::session::{Attempts, Event, Lane, Session, Undelivered};
use crate::wire::{Destination, FrameKind, FrameType, RawFrame, RawMessage, StreamId};

pub use self::options::{I2cpOptions, OwnKeys, Unreachable};
pub use self::remote::{Remote, RemoteError};

/// Bytes that wait for the router at which the link is full.
const FULL_BYTES: usize = 256 * 1024;

/// Bytes that wait at which a full link takes messages again.
const ROOM_BYTES: usize = 64 * 1024;

/// Frames are gathered up to this size before they are written.
const WRITE_BYTES: usize = 64 * 1024;

/// Most bytes of one read.
const READ_BYTES: usize = 128 * 1024;

/// Reads in a row before their messages are passed on.
const READS: usize = 16;

/// Most bytes that messages take that wait because nobody wants them. The router
/// cannot be paused, so beyond it the link is given up.
const INBOX_BYTES: usize = 64 * 1024 * 1024;

/// Memory of a message there beside its bytes: its entry, of which the queue has up to twice as
/// many as it holds, and its allocation.
const ENTRY_BYTES: usize = 2 * size_of::<LinkEvent>() + ALLOCATION_BYTES;

/// Time for which the router is asked to find a peer's lease set for a SYN.
const SYN_PATIENCE: Duration = Duration::from_secs(30);

/// A session on its connection to the router.
#[derive(Debug)]
pub struct I2cpLink {
    socket: TcpStream,
    session: Session,
    allow: AllowList,
    not_allowed: Repeated,
    unreachable: Unreachable,
    input: Vec<u8>,
    /// Frames that are being written, from `written` on.
    output: Vec<u8>,
    written: usize,
    /// Events that arrived, in order; [`LinkEvent::Down`] is the last.
    inbox: VecDeque<LinkEvent>,
    inbox_bytes: usize,
    /// Messages that the router could not send; events of them precede those in the inbox.
    lost: VecDeque<Lost>,
    full: bool,
    timer: Pin<Box<Sleep>>,
    lookout: Lookout,
    state: State,
    progress: Progress,
    tap: Option<Tap>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Up,
    /// Taking leave of the router.
    Leaving,
    /// The event of its end is in the inbox, or has been taken from there.
    Over,
}

impl I2cpLink {
    /// See [`Link::counts`](super::Link::counts).
    pub(super) fn counts(&self) -> LinkCounts {
        LinkCounts {
            lease_set_count: self.session.counters().lease_set_count,
            ..LinkCounts::default()
        }
    }

    fn new(
        socket: TcpStream,
        session: Session,
        allow: AllowList,
        unreachable: Unreachable,
        tap: Option<Tap>,
    ) -> Self {
        Self {
            socket,
            session,
            allow,
            not_allowed: Repeated::default(),
            unreachable,
            input: vec![0; READ_BYTES],
            output: Vec::new(),
            written: 0,
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            lost: VecDeque::new(),
            full: false,
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            lookout: Lookout::new(Instant::now()),
            state: State::Up,
            progress: Progress::default(),
            tap,
        }
    }

    /// Our own destination.
    pub(in crate::runtime) fn destination(&self) -> Destination<'_> {
        self.session.destination()
    }

    /// See [`Link::poll_event`](super::Link::poll_event).
    ///
    /// The connection is read even while nobody wants messages: a router silently drops those that
    /// it cannot write out.
    pub(super) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
        reads: &mut dyn FnMut(Scope) -> bool,
    ) -> Poll<LinkEvent> {
        if let Some(event) = self.next_event(reads) {
            return Poll::Ready(event);
        }
        self.drive(cx);
        if self.full && self.session.waiting_bytes() <= ROOM_BYTES {
            self.full = false;
            return Poll::Ready(LinkEvent::Ready(Scope::All));
        }
        match self.next_event(reads) {
            Some(event) => Poll::Ready(event),
            None => Poll::Pending,
        }
    }

    fn next_event(&mut self, reads: &mut dyn FnMut(Scope) -> bool) -> Option<LinkEvent> {
        // Even where no messages are wanted: the endpoint sends more until it knows of the loss.
        if let Some(lost) = self.lost.pop_front() {
            return Some(lost.into_event());
        }
        if let LinkEvent::Message { bytes, .. } = self.inbox.front()? {
            if !reads(Scope::All) {
                return None;
            }
            self.inbox_bytes -= bytes.len() + ENTRY_BYTES;
        }
        self.inbox.pop_front()
    }

    /// See [`Link::send`](super::Link::send).
    pub(super) fn send(&mut self, to: Peer, message: &Parcel) -> Room {
        let Peer::Destination(hash) = to else {
            return Room::Free;
        };
        if message.is_torn() {
            return Room::Free;
        }
        let mut bytes = Vec::with_capacity(message.bytes());
        message.put(&mut bytes);
        let (attempts, lane) = if message.is_syn() {
            // Nothing can overtake it, so it may be sent late.
            let until = Instant::now() + SYN_PATIENCE;
            (Attempts::Until(until), lane_of(&bytes))
        } else if is_keep_alive(&bytes) {
            // Wherever it comes it delivers nothing, so that it leaves no hole.
            (Attempts::Dispensable, None)
        } else {
            (Attempts::Once, lane_of(&bytes))
        };
        if self.lost.iter().any(|lost| lost.is_in(to, lane)) {
            // Its conversation does not know yet that this would follow a hole.
            return Room::Free;
        }
        if let Err(error) = self.session.send(hash, &bytes, attempts, lane) {
            debug!(peer = %to, %error, "message dropped");
        }
        if self.session.waiting_bytes() < FULL_BYTES {
            return Room::Free;
        }
        self.full = true;
        Room::Full(Scope::All)
    }

    /// See [`Link::poll_flush`](super::Link::poll_flush).
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) {
        self.write(cx);
        self.arm(cx);
        if let Some(tap) = &self.tap {
            tap.flush();
        }
        let has_room_again = self.full && self.session.waiting_bytes() <= ROOM_BYTES;
        if has_room_again || !self.inbox.is_empty() || !self.lost.is_empty() {
            cx.waker().wake_by_ref();
        }
    }

    /// See [`Link::poll_close`](super::Link::poll_close).
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.state == State::Up {
            self.state = State::Leaving;
            self.session.leave(Instant::now());
        }
        self.drive(cx);
        // Further messages have no reader any more.
        self.inbox.clear();
        self.inbox_bytes = 0;
        self.lost.clear();
        match self.state {
            State::Over => Poll::Ready(()),
            State::Up | State::Leaving => Poll::Pending,
        }
    }

    /// Moves bytes between the session and its socket, as far as they can be.
    fn drive(&mut self, cx: &mut Context<'_>) {
        if self.state == State::Over {
            return;
        }
        self.write(cx);
        let is_all_read = self.read(cx);
        // Lease sets that were asked for just now.
        self.write(cx);
        if is_all_read {
            self.judge(cx);
        }
        self.arm(cx);
    }

    /// Acts on timeouts, as far as all that came before them is known.
    fn judge(&mut self, cx: &mut Context<'_>) {
        let now = Instant::now();
        while self.state != State::Over
            && let Some(due) = self.session.poll_timeout()
            && self.lookout.may_judge(cx, now, due)
        {
            let time = self.lookout.time(now, Some(due));
            self.session.handle_timeout(time);
            self.take_session_events();
            self.write(cx);
            if self.session.poll_timeout() == Some(due) {
                // The socket takes nothing at the moment; it wakes us.
                return;
            }
        }
    }

    /// Has the task woken when something is due.
    fn arm(&mut self, cx: &mut Context<'_>) {
        if self.state != State::Over
            && let Some(due) = self.session.poll_timeout()
            && !self.lookout.has_asked(due)
        {
            let deadline = tokio::time::Instant::from_std(due);
            if self.timer.deadline() != deadline {
                self.timer.as_mut().reset(deadline);
            }
            if self.timer.as_mut().poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
        }
    }

    fn write(&mut self, cx: &mut Context<'_>) {
        while self.state != State::Over {
            if self.written == self.output.len() && !self.gather() {
                return;
            }
            let rest = &self.output[self.written..];
            match Pin::new(&mut self.socket).poll_write(cx, rest) {
                Poll::Ready(Ok(bytes)) => self.written += bytes,
                Poll::Ready(Err(error)) => return self.connection_failed(error),
                Poll::Pending => return,
            }
        }
    }

    /// Fills the output with frames; false if there are none.
    fn gather(&mut self) -> bool {
        self.output.clear();
        self.written = 0;
        let now = Instant::now();
        while self.output.len() < WRITE_BYTES
            && let Some(frame) = self.session.poll_transmit(now)
        {
            if let Some(tap) = &mut self.tap {
                tap.sent(&frame);
            }
            self.output.extend_from_slice(&frame);
        }
        !self.output.is_empty()
    }

    /// Reads within a bound; true if that was all.
    fn read(&mut self, cx: &mut Context<'_>) -> bool {
        for _ in 0..READS {
            if self.state == State::Over {
                return true;
            }
            let mut buffer = ReadBuf::new(&mut self.input);
            match Pin::new(&mut self.socket).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                    self.session.handle_close();
                    self.take_session_events();
                }
                Poll::Ready(Ok(())) => {
                    let bytes = buffer.filled();
                    if let Some(tap) = &mut self.tap {
                        tap.received(bytes);
                    }
                    self.session.handle_bytes(Instant::now(), bytes);
                    acknowledge_at_once(&self.socket);
                    self.take_session_events();
                }
                Poll::Ready(Err(error)) => {
                    self.connection_failed(error);
                    return true;
                }
                Poll::Pending => return true,
            }
        }
        // There may be more; others first.
        cx.waker().wake_by_ref();
        false
    }

    fn connection_failed(&mut self, error: io::Error) {
        if self.state == State::Leaving {
            self.state = State::Over;
            return;
        }
        if is_hang_up(error.kind()) {
            // A router that closes with bytes of ours unread; the session knows which.
            self.session.handle_close();
            self.take_session_events();
        }
        self.fail(LinkError::Io(error));
    }

    fn fail(&mut self, error: LinkError) {
        if self.state != State::Over {
            self.state = State::Over;
            self.inbox.push_back(LinkEvent::Down(error));
        }
    }

    fn take_session_events(&mut self) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Message(bytes) => self.arrived(bytes),
                Event::Undelivered { to, lane, reason } => self.lost.push_back(Lost {
                    peer: Peer::Destination(to),
                    lane,
                    reason,
                }),
                Event::Created => {
                    info!("the router is building tunnels");
                    self.progress.is_created = true;
                }
                Event::Ready => self.progress.is_ready = true,
                Event::Reachable => {
                    info!("peers can reach this session");
                    self.progress.is_tested = true;
                }
                Event::Unreachable => match self.unreachable {
                    Unreachable::Wait => {
                        warn_unreachable();
                        self.progress.is_tested = true;
                    }
                    Unreachable::Reopen => self.fail(LinkError::Unreachable),
                },
                Event::LookedUp { result, .. } => self.progress.found = Some(result),
                Event::Ended(Ok(())) => self.state = State::Over,
                Event::Ended(Err(error)) => self.fail(LinkError::Session(error)),
            }
        }
    }

    fn arrived(&mut self, bytes: Bytes) {
        let from = match syn_destination(&bytes) {
            Some(destination) => {
                let peer = Peer::Destination(destination.hash());
                if !self.allow.admits(peer) {
                    if let Some(count) = self.not_allowed.count(()) {
                        warn!(leg = "carrier", %peer, count, "peer is not allowed");
                    }
                    return;
                }
                // It must be known for the answer.
                self.session.learn(destination);
                Some(peer)
            }
            None => None,
        };
        self.inbox_bytes += bytes.len() + ENTRY_BYTES;
        self.inbox.push_back(LinkEvent::Message { from, bytes });
        if self.inbox_bytes > INBOX_BYTES {
            self.fail(LinkError::Overrun { limit: INBOX_BYTES });
        }
    }
}

/// A message that the router could not send.
#[derive(Debug)]
struct Lost {
    peer: Peer,
    lane: Option<Lane>,
    reason: Undelivered,
}

impl Lost {
    fn is_in(&self, peer: Peer, lane: Option<Lane>) -> bool {
        self.lane.is_some() && self.lane == lane && self.peer == peer
    }

    fn into_event(self) -> LinkEvent {
        let error = LinkError::Undelivered(self.reason);
        match self.lane {
            Some(Lane(number)) => {
                let [byte, a, b, c] = number.to_be_bytes();
                LinkEvent::MessageLost {
                    peer: self.peer,
                    frame_type: FrameType(byte),
                    id: StreamId([a, b, c]),
                    error,
                }
            }
            // A ping: whatever leads to the peer does not.
            None => LinkEvent::PeerLost {
                peer: self.peer,
                error,
            },
        }
    }
}

/// Whether a message is data without bytes.
fn is_keep_alive(message: &[u8]) -> bool {
    match RawMessage::parse(message) {
        RawMessage::Frame(frame) => {
            frame.frame_type.kind() == FrameKind::Data && frame.payload.is_empty()
        }
        _ => false,
    }
}

/// The lane of a message: those to one id of the peer's, which is one conversation, in
/// the one role that the type names. A SYN has our own id, and nothing follows it before
/// its answer.
fn lane_of(message: &[u8]) -> Option<Lane> {
    match RawMessage::parse(message) {
        RawMessage::Frame(RawFrame {
            frame_type,
            id: StreamId([a, b, c]),
            ..
        }) => {
            let group = match frame_type {
                FrameType::SYN => FrameType::SYN.0,
                FrameType(byte) => byte & 0xf0,
            };
            Some(Lane(u32::from_be_bytes([group, a, b, c])))
        }
        RawMessage::Ping | RawMessage::Short(_) => None,
    }
}

fn is_hang_up(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset)
}

fn warn_unreachable() {
    warn!(
        leg = "carrier",
        "messages to ourselves do not arrive, so peers cannot reach this session: \
         was the same destination in use less than a minute ago? \
         then wait a minute and start again, or use other keys"
    );
}

/// i2pd leaves Nagle's algorithm on: the end of each message waits for our
/// acknowledgement of its beginning, which the system delays by 40 ms. The
/// system forgets the option, so it is set after each read.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn acknowledge_at_once(socket: &TcpStream) {
    if let Err(error) = SockRef::from(socket).set_tcp_quickack(true) {
        debug!(%error, "acknowledgements may be late");
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn acknowledge_at_once(_socket: &TcpStream) {}

#[cfg(test)]
mod tests;
