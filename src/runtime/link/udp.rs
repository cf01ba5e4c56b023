//! `udp://`: one message per datagram.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use socket2::SockRef;
use tokio::io::{Interest, ReadBuf, Ready};
use tokio::net::UdpSocket;
use tokio::time::{Instant, Sleep};
use tracing::{debug, warn};

use super::first_contact::FirstContact;
use super::{LinkError, LinkEvent, Parcel, Peer, Room, Scope};
use crate::runtime::allow::AllowList;
use crate::runtime::carrier_url::MAX_DATAGRAM_BYTES;
use crate::runtime::recorder::Recorder;
use crate::runtime::repeated::Repeated;
use crate::runtime::socket::Addresses;

/// Requested size of both socket buffers. The system may grant less.
const SOCKET_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// Datagrams of strangers in one go: others come first.
const MAX_STRANGERS: usize = 64;

/// Messages waiting to be sent at which the link is full.
const FULL_BYTES: usize = 256 * 1024;

/// Bytes waiting at which a full link takes messages again.
const ROOM_BYTES: usize = 64 * 1024;

/// Bytes by which the sender may get ahead of its rate: a receiver's buffer certainly holds as
/// many.
const BURST_BYTES: usize = 64 * 1024;

/// Bytes counted for a datagram beside its payload, so that many small ones do not overrun a
/// receiver's buffer, which counts so too.
const DATAGRAM_OVERHEAD_BYTES: usize = 512;

/// Datagrams to and from a server, or a server's with all its clients.
#[derive(Debug)]
pub struct UdpLink {
    socket: Arc<UdpSocket>,
    /// Errors of the network about sent datagrams; only a connected socket gets them.
    errors: Option<SocketErrors>,
    /// The only peer of a connected socket.
    server: Option<Peer>,
    /// The address to which that socket is connected.
    remote: Option<SocketAddr>,
    /// The server was not heard yet.
    first_contact: Option<FirstContact>,
    allow: AllowList,
    not_allowed: Repeated,
    pacer: Pacer,
    output: VecDeque<(Peer, Parcel)>,
    output_bytes: usize,
    full: bool,
    input: BytesMut,
    datagram: Vec<u8>,
    /// The datagrams being sent, in one piece.
    sending: Vec<u8>,
    events: VecDeque<LinkEvent>,
    recorder: Option<Recorder>,
    local: SocketAddr,
}

impl UdpLink {
    /// Sends to a server and receives from nobody else. `rate` is in bytes per second.
    ///
    /// # Errors
    /// Those of making the socket.
    ///
    /// Until the server's first message, and for `patience` at most, a refusal of the network is no
    /// loss: all messages are sent again, in turn to each of `addresses`.
    pub async fn connect(
        addresses: &Addresses,
        patience: Duration,
        rate: u64,
        recorder: Option<Recorder>,
    ) -> io::Result<(Self, Peer)> {
        let address = addresses.first();
        let socket = connected(address)?;
        let peer = Peer::Address(address);
        let mut link = Self::new(socket, Some(peer), AllowList::default(), rate, recorder)?;
        link.remote = Some(address);
        link.first_contact = FirstContact::begin(addresses.clone(), patience);
        Ok((link, peer))
    }

    /// Receives from those that `allow` admits. `rate` is in bytes per second.
    ///
    /// # Errors
    /// Those of binding.
    pub async fn bind(
        address: SocketAddr,
        rate: u64,
        allow: AllowList,
        recorder: Option<Recorder>,
    ) -> io::Result<(Self, SocketAddr)> {
        let socket = UdpSocket::bind(address).await?;
        let bound = socket.local_addr()?;
        Ok((Self::new(socket, None, allow, rate, recorder)?, bound))
    }

    fn new(
        socket: UdpSocket,
        server: Option<Peer>,
        allow: AllowList,
        rate: u64,
        recorder: Option<Recorder>,
    ) -> io::Result<Self> {
        let options = SockRef::from(&socket);
        options.set_recv_buffer_size(SOCKET_BUFFER_BYTES)?;
        options.set_send_buffer_size(SOCKET_BUFFER_BYTES)?;
        debug!(
            receive = options.recv_buffer_size()?,
            send = options.send_buffer_size()?,
            "socket buffers in bytes"
        );
        let socket = Arc::new(socket);
        Ok(Self {
            errors: server.map(|_| SocketErrors::of(&socket)),
            local: socket.local_addr()?,
            recorder,
            socket,
            server,
            remote: None,
            first_contact: None,
            allow,
            not_allowed: Repeated::default(),
            pacer: Pacer::new(rate),
            output: VecDeque::new(),
            output_bytes: 0,
            full: false,
            input: BytesMut::new(),
            datagram: Vec::new(),
            sending: Vec::new(),
            events: VecDeque::new(),
        })
    }

    /// See [`Link::poll_event`](super::Link::poll_event).
    pub(super) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
        reads: &mut dyn FnMut(Scope) -> bool,
    ) -> Poll<LinkEvent> {
        self.poll_send(cx);
        for _ in 0..MAX_STRANGERS {
            self.try_again(cx);
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(event);
            }
            if let Some(errors) = &mut self.errors
                && let Poll::Ready(error) = errors.poll(cx)
            {
                self.failed(error);
                continue;
            }
            if !reads(Scope::All) {
                return Poll::Pending;
            }
            match self.poll_receive(cx) {
                Poll::Ready(Ok((from, bytes))) => {
                    if let Some(contact) = self.first_contact.take() {
                        contact.made();
                    }
                    if let Some(message) = self.handle_datagram(from, bytes) {
                        return Poll::Ready(message);
                    }
                }
                Poll::Ready(Err(error)) => self.failed(error),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(LinkEvent::Absorbed {
            bytes: 1024 * MAX_STRANGERS,
        })
    }

    fn handle_datagram(&mut self, from: SocketAddr, bytes: Bytes) -> Option<LinkEvent> {
        if !self.allow.admits_address(from) {
            if let Some(count) = self.not_allowed.count(()) {
                warn!(leg = "carrier", peer = %from, count, "peer is not allowed");
            }
            return None;
        }
        // Strangers must not fill the disk.
        if let Some(recorder) = &self.recorder {
            recorder.datagram(from, self.local, &bytes);
        }
        Some(LinkEvent::Message {
            from: Some(self.server.unwrap_or(Peer::Address(from))),
            bytes,
        })
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(SocketAddr, Bytes)>> {
        if self.datagram.is_empty() {
            self.datagram.resize(MAX_DATAGRAM_BYTES, 0);
        }
        let mut buffer = ReadBuf::new(&mut self.datagram);
        let received = ready!(self.socket.poll_recv_from(cx, &mut buffer));
        let datagram = buffer.filled();
        if self.input.capacity() < datagram.len() {
            self.input.reserve(MAX_DATAGRAM_BYTES);
        }
        self.input.extend_from_slice(datagram);
        let bytes = self.input.split().freeze();
        Poll::Ready(received.map(|from| (from, bytes)))
    }

    /// The network's error about a sent datagram, on a connected socket.
    fn failed(&mut self, error: io::Error) {
        if let Some(contact) = &mut self.first_contact
            && error.kind() == io::ErrorKind::ConnectionRefused
            && contact.refused(self.server, &error)
        {
            return;
        }
        self.first_contact = None;
        match self.server {
            Some(peer) => self.events.push_back(LinkEvent::PeerLost {
                peer,
                error: LinkError::Io(error),
            }),
            // It concerns one of many peers, and the system does not say which.
            None => debug!(leg = "carrier", %error, "datagram not delivered"),
        }
    }

    /// See [`Link::send`](super::Link::send).
    pub(super) fn send(&mut self, to: Peer, mut message: Parcel) -> Room {
        if message.is_torn() {
            return Room::Free;
        }
        // It waits for the pacer, and may be a small part of a read whose rest is gone.
        message.own_memory();
        self.output_bytes += cost(&message);
        self.output.push_back((to, message));
        if self.output_bytes < FULL_BYTES {
            return Room::Free;
        }
        self.full = true;
        Room::Full(Scope::All)
    }

    /// See [`Link::poll_flush`](super::Link::poll_flush).
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) {
        self.poll_send(cx);
        if let Some(recorder) = &self.recorder {
            recorder.flush();
        }
        if !self.events.is_empty() {
            cx.waker().wake_by_ref();
        }
    }

    /// See [`Link::poll_close`](super::Link::poll_close).
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_send(cx);
        if self.output.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) {
        while let Some((to, message)) = self.output.front() {
            let cost = cost(message);
            if self.pacer.poll_take(cx, cost).is_pending() {
                break;
            }
            let to = *to;
            self.sending.clear();
            message.put(&mut self.sending);
            match self.poll_send_one(cx, to) {
                Poll::Ready(Ok(())) => {
                    if let Some(contact) = &mut self.first_contact {
                        contact.sent(&self.sending);
                    }
                }
                // The refusal is that of an earlier one; this one is still to be sent.
                Poll::Ready(Err(error))
                    if self.first_contact.is_some()
                        && error.kind() == io::ErrorKind::ConnectionRefused =>
                {
                    if let Some(contact) = &mut self.first_contact {
                        contact.sent(&self.sending);
                    }
                    self.failed(error);
                }
                Poll::Ready(Err(error)) => self.failed(error),
                Poll::Pending => {
                    self.pacer.give_back(cost);
                    break;
                }
            }
            self.output.pop_front();
            self.output_bytes -= cost;
        }
        if self.full && self.output_bytes <= ROOM_BYTES {
            self.full = false;
            self.events.push_back(LinkEvent::Ready(Scope::All));
        }
    }

    /// Sends everything once more, to the next address, when it is time.
    fn try_again(&mut self, cx: &mut Context<'_>) {
        let Some(contact) = &mut self.first_contact else {
            return;
        };
        let Some((address, messages)) = contact.poll_retry(cx) else {
            return;
        };
        if self.remote != Some(address) {
            match connected(address).map(Arc::new) {
                Ok(socket) => {
                    self.errors = Some(SocketErrors::of(&socket));
                    self.socket = socket;
                    self.remote = Some(address);
                }
                Err(error) => return debug!(leg = "carrier", %error, %address, "cannot be tried"),
            }
        }
        for message in messages.into_iter().rev() {
            let message = Parcel::raw(message.into());
            self.output_bytes += cost(&message);
            if let Some(peer) = self.server {
                self.output.push_front((peer, message));
            }
        }
        self.poll_send(cx);
    }

    /// Sends the datagram in `sending`, and records it when it is gone.
    fn poll_send_one(&self, cx: &mut Context<'_>, to: Peer) -> Poll<io::Result<()>> {
        let Peer::Address(address) = to else {
            warn!(leg = "carrier", peer = %to, "not a UDP peer");
            return Poll::Ready(Ok(()));
        };
        let sent = match self.server {
            Some(_) => self.socket.poll_send(cx, &self.sending),
            None => self.socket.poll_send_to(cx, &self.sending, address),
        };
        if let (Poll::Ready(Ok(_)), Some(recorder)) = (&sent, &self.recorder) {
            recorder.datagram(self.local, self.remote.unwrap_or(address), &self.sending);
        }
        sent.map_ok(|_| ())
    }
}

/// A socket that sends to and receives from this address only.
fn connected(address: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = std::net::UdpSocket::bind(any)?;
    socket.connect(address)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}

/// Waits for a socket's errors. Reading does not: an error alone does not make
/// a socket readable.
struct SocketErrors {
    socket: Arc<UdpSocket>,
    ready: Pin<Box<dyn Future<Output = io::Result<Ready>> + Send>>,
}

impl SocketErrors {
    fn of(socket: &Arc<UdpSocket>) -> Self {
        Self {
            socket: Arc::clone(socket),
            ready: Self::ready(socket),
        }
    }

    fn ready(socket: &Arc<UdpSocket>) -> Pin<Box<dyn Future<Output = io::Result<Ready>> + Send>> {
        let socket = Arc::clone(socket);
        Box::pin(async move { socket.ready(Interest::ERROR).await })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            if let Err(error) = ready!(self.ready.as_mut().poll(cx)) {
                return Poll::Ready(error);
            }
            self.ready = Self::ready(&self.socket);
            let taken = self.socket.try_io(Interest::ERROR, || {
                self.socket
                    .take_error()?
                    .ok_or_else(|| io::ErrorKind::WouldBlock.into())
            });
            match taken {
                Ok(error) => return Poll::Ready(error),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(error),
            }
        }
    }
}

impl fmt::Debug for SocketErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SocketErrors")
    }
}

fn cost(message: &Parcel) -> usize {
    message.bytes() + DATAGRAM_OVERHEAD_BYTES
}

/// Spreads datagrams over time: a token bucket.
#[derive(Debug)]
struct Pacer {
    bytes_per_second: f64,
    credit: f64,
    at: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl Pacer {
    fn new(bytes_per_second: u64) -> Self {
        let now = Instant::now();
        Self {
            bytes_per_second: bytes_per_second.max(1) as f64,
            credit: BURST_BYTES as f64,
            at: now,
            sleep: Box::pin(tokio::time::sleep_until(now)),
        }
    }

    /// Ready when this many bytes may go, which are then taken off the credit.
    fn poll_take(&mut self, cx: &mut Context<'_>, bytes: usize) -> Poll<()> {
        let now = Instant::now();
        let earned = (now - self.at).as_secs_f64() * self.bytes_per_second;
        self.at = now;
        self.credit = (self.credit + earned).min(BURST_BYTES as f64);
        if self.credit < 0.0 {
            let wait = Duration::from_secs_f64(-self.credit / self.bytes_per_second);
            self.sleep.as_mut().reset(now + wait);
            if self.sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
        self.credit -= bytes as f64;
        Poll::Ready(())
    }

    fn give_back(&mut self, bytes: usize) {
        self.credit += bytes as f64;
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;
    use crate::runtime::Allowed;
    use crate::runtime::testing::run;

    #[test]
    fn datagrams_of_strangers_take_turns() {
        run(async {
            let local: SocketAddr = "127.0.0.1:0".parse().unwrap();
            let others: Allowed = "192.0.2.1".parse().unwrap();
            let allow = [others].into_iter().collect();
            let (mut link, address) = UdpLink::bind(local, 1 << 30, allow, None).await.unwrap();
            let stranger = std::net::UdpSocket::bind(local).unwrap();
            for _ in 0..2 * MAX_STRANGERS {
                stranger.send_to(&[0xff], address).unwrap();
            }
            for _ in 0..2 {
                let event = poll_fn(|cx| link.poll_event(cx, &mut |_| true)).await;
                assert!(matches!(event, LinkEvent::Absorbed { .. }), "{event:?}");
            }
            let event = poll_fn(|cx| Poll::Ready(link.poll_event(cx, &mut |_| true))).await;
            assert!(event.is_pending(), "{event:?}");
        });
    }

    #[test]
    fn messages_that_were_refused_together_are_sent_again_in_time() {
        run(async {
            // The network refuses the first while the second is sent, which takes note of it.
            for count in [2, 3] {
                let server = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
                let address = server.local_addr().unwrap();
                drop(server);
                let patience = Duration::from_secs(30);
                let addresses = address.into();
                let link = UdpLink::connect(&addresses, patience, 1 << 30, None);
                let (mut link, peer) = link.await.unwrap();
                let mut to_send = 0..count;
                // As a driver does: input first, and what is sent is written at the end.
                let mut driven = std::pin::pin!(poll_fn(|cx| {
                    let event = link.poll_event(cx, &mut |_| true);
                    for number in &mut to_send {
                        let _ = link.send(peer, Parcel::raw(vec![number].into()));
                    }
                    link.poll_flush(cx);
                    event.map(drop)
                }));
                let waited = tokio::time::timeout(Duration::from_millis(20), driven.as_mut());
                assert!(waited.await.is_err(), "nobody is there");
                let server = std::net::UdpSocket::bind(address).unwrap();
                server
                    .set_read_timeout(Some(Duration::from_secs(1)))
                    .unwrap();
                let hearing = std::thread::spawn(move || {
                    (0..count).try_for_each(|_| server.recv(&mut [0; 8]).map(drop))
                });
                let waited = tokio::time::timeout(Duration::from_millis(1_100), driven);
                assert!(waited.await.is_err(), "there is no event");
                hearing.join().unwrap().unwrap();
            }
        });
    }
}
