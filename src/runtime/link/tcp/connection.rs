//! One TCP connection that carries messages.

use std::future::Future;
use std::io::IoSlice;
use std::pin::pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::options::TcpOptions;
use super::output::Output;
use super::transport::{Spare, Transport};
use crate::carrier::FlowDirection;
use crate::carrier::length_prefixed::Prefix;
use crate::runtime::link::{LinkError, Parcel, Peer, Room, Scope};
use crate::runtime::recorder::RecordedStream;
use crate::runtime::tls::TlsSession;
use crate::wire::{Destination, DestinationHash, FrameType, RawFrame, RawMessage};

/// Bytes read at once. Large reads make few system calls, and give a conversation's application its
/// data in few pieces.
const READ_BYTES: usize = 1024 * 1024;

/// Bytes waiting to be written at which the connection is full: more than one
/// round brings, so that a round does not stop halfway.
pub(super) const FULL_BYTES: usize = 2 * 1024 * 1024;

/// Bytes waiting at which a full connection takes messages again.
const ROOM_BYTES: usize = 64 * 1024;

/// Reads of unwanted bytes, in one go.
const DROPPED_READS: usize = 16;

/// Silence after which the system asks whether the other end is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Connection {
    transport: Transport,
    peer: Peer,
    prefix: Prefix,
    /// Most bytes in one write.
    slice: usize,
    input: BytesMut,
    output: Output,
    /// We asked the endpoint to wait.
    full: bool,
    /// The rest is read, though nobody wants it yet.
    ending: bool,
    /// When all is written, we shut down our side: nothing more comes.
    finishing: bool,
    syns: Syns,
    /// We have shut it down.
    finished: bool,
    record: Option<Record>,
}

/// Messages that could open a conversation, as far as any have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Syns {
    None,
    /// Without a whole destination: endpoints refuse them, and mocks and proxies take them.
    Nameless,
    Whole,
}

impl Syns {
    fn of(message: &[u8]) -> Self {
        let message = RawMessage::parse(message);
        match message.frame() {
            Some(frame) if frame.frame_type == FrameType::SYN => {
                if Destination::split(frame.payload).is_ok() {
                    Self::Whole
                } else {
                    Self::Nameless
                }
            }
            _ => Self::None,
        }
    }
}

/// A connection's part of a capture.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) stream: RecordedStream,
    /// The direction of our bytes.
    pub(super) ours: FlowDirection,
}

/// The result of a read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// Bytes.
    Some,
    /// Nothing at the moment; the task will be woken.
    Later,
}

impl Connection {
    pub(super) fn new(
        stream: TcpStream,
        peer: Peer,
        options: &TcpOptions,
        tls: Option<Box<TlsSession>>,
        record: Option<Record>,
    ) -> std::io::Result<Self> {
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE)
            .with_interval(KEEPALIVE / 3);
        SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        Ok(Self {
            transport: Transport::new(stream, tls),
            peer,
            prefix: options.prefix,
            slice: options.slice,
            input: BytesMut::new(),
            output: Output::new(options.prefix),
            full: false,
            ending: false,
            finishing: false,
            syns: Syns::None,
            finished: false,
            record,
        })
    }

    pub(super) const fn peer(&self) -> Peer {
        self.peer
    }

    /// The reason why the connection is gone, also where bytes wait in front of that and are not
    /// read.
    pub(super) fn failure(&self) -> Option<LinkError> {
        match self.transport.stream().take_error() {
            Ok(error) => error.map(LinkError::Io),
            Err(error) => Some(LinkError::Io(error)),
        }
    }

    /// Whether the other end has sent its last byte, and no more than one read is left of its
    /// bytes. Those that the system has no room for, also its end, are not known.
    pub(super) fn is_nearly_read(&self) -> bool {
        let stream = self.transport.stream();
        let mut cx = Context::from_waker(Waker::noop());
        // The known state of the socket, without waiting.
        let ready = pin!(stream.ready(Interest::READABLE)).poll(&mut cx);
        let has_ended = matches!(ready, Poll::Ready(Ok(ready)) if ready.is_read_closed());
        if !has_ended {
            return false;
        }
        let left = rustix::io::ioctl_fionread(stream).map(usize::try_from);
        matches!(left, Ok(Ok(left)) if left <= READ_BYTES)
    }

    /// Has it read to its end, whether that is wanted or not.
    pub(super) const fn read_to_end(&mut self) {
        self.ending = true;
    }

    /// Whether it is read to its end in any case.
    pub(super) const fn is_ending(&self) -> bool {
        self.ending
    }

    /// Whether messages may pass: over TLS both ends have proven their identities.
    pub(super) fn is_open(&self) -> bool {
        self.transport.is_open()
    }

    /// Logs that TLS is there.
    pub(super) fn log_handshake(&self) {
        let name = self
            .proven()
            .map(|bytes| DestinationHash::of(bytes).to_b32_name());
        tracing::debug!(
            peer = %self.peer,
            name,
            resumed = self.transport.is_resumed(),
            "the TLS handshake is over"
        );
    }

    /// The destination that the other end has proven, over TLS.
    pub(super) fn proven(&self) -> Option<&Bytes> {
        self.transport.proven()
    }

    /// The destination that a SYN names without having proven it, with the answer to the SYN;
    /// `None` for all other messages, and where nothing is proven.
    ///
    /// A SYN without a whole destination claims to be nobody, and goes its way.
    pub(super) fn unproven_syn(&self, message: &[u8]) -> Option<(DestinationHash, Parcel)> {
        let proven = self.proven()?;
        let message = RawMessage::parse(message);
        let syn = message.frame()?;
        let (named, _) = Destination::named_by(syn)?;
        if named.as_bytes() == &proven[..] {
            return None;
        }
        let mut refusal = Vec::new();
        RawFrame {
            frame_type: FrameType::SERVER_CLOSE,
            id: syn.id,
            payload: &[],
        }
        .encode(&mut refusal);
        Some((named.hash(), Parcel::raw(refusal.into())))
    }

    /// Sends the other end the reason why the connection ends, if the socket takes it at once.
    pub(super) fn speak_last(&mut self, cx: &mut Context<'_>, spare: &mut Spare) {
        if let Err(error) = self.poll_flush(cx, spare) {
            tracing::debug!(%error, "the other end could not be told why");
        }
    }

    /// Whether the other end has never sent a SYN that an endpoint would take. Other messages are no
    /// reason to stay: there is nothing that they could belong to.
    pub(super) fn is_silent(&self) -> bool {
        self.syns < Syns::Whole
    }

    /// Whether the other end has never sent a SYN at all. Whoever has may have a conversation with a
    /// mock or through a proxy.
    pub(super) fn has_sent_no_syn(&self) -> bool {
        self.syns == Syns::None
    }

    /// The next whole message of the bytes read.
    pub(super) fn next_message(&mut self) -> Result<Option<Bytes>, LinkError> {
        let Some(length) = self.announced()? else {
            return Ok(None);
        };
        if self.input.len() < self.prefix.bytes() + length {
            return Ok(None);
        }
        self.input.advance(self.prefix.bytes());
        let message = self.input.split_to(length).freeze();
        if self.syns < Syns::Whole {
            self.syns = self.syns.max(Syns::of(&message));
        }
        Ok(Some(message))
    }

    /// The length of the message that comes next, once all of its prefix is there.
    fn announced(&self) -> Result<Option<usize>, LinkError> {
        let Some(prefix) = self.input.get(..self.prefix.bytes()) else {
            return Ok(None);
        };
        let length = prefix
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte));
        let limit = self.prefix.max_message_bytes();
        match usize::try_from(length) {
            Ok(length) if (1..=limit).contains(&length) => Ok(Some(length)),
            _ => Err(LinkError::BadPrefix { length, limit }),
        }
    }

    /// Reads more. To be called when there is no whole message. `spare` is
    /// memory that a busy connection takes and an idle one leaves to the others.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        spare: &mut Spare,
    ) -> Result<Read, LinkError> {
        // Asked before room is made for the read.
        match self.transport.poll_read_ready(cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return Err(LinkError::Io(error)),
            Poll::Pending => return Ok(self.leave_for_later(&mut spare.plain)),
        }
        let Spare {
            plain, encrypted, ..
        } = spare;
        if plain.capacity() > 0 {
            let rest = std::mem::replace(&mut self.input, std::mem::take(plain));
            self.input.clear();
            self.input.reserve(READ_BYTES);
            self.input.extend_from_slice(&rest);
        }
        // The rest of a message is at most 64 KiB of this.
        self.input.reserve(READ_BYTES);
        match self.transport.poll_read(cx, &mut self.input, encrypted) {
            Poll::Ready(Ok(0)) => {
                if let Some(record) = &mut self.record {
                    record.stream.finish(record.ours.reversed());
                }
                Err(self.end_of_stream())
            }
            Poll::Ready(Ok(count)) => {
                if let Some(record) = &mut self.record {
                    let new = &self.input[self.input.len() - count..];
                    record.stream.bytes(record.ours.reversed(), new);
                }
                Ok(Read::Some)
            }
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Ok(self.leave_for_later(plain)),
        }
    }

    /// Bytes read that gave none, since it was asked last.
    pub(super) const fn take_absorbed_bytes(&mut self) -> usize {
        self.transport.take_absorbed_bytes()
    }

    /// An idle connection keeps no memory of its busy times.
    fn leave_for_later(&mut self, spare: &mut BytesMut) -> Read {
        if self.input.capacity() > self.input.len() {
            let rest = BytesMut::from(&self.input[..]);
            let room = std::mem::replace(&mut self.input, rest);
            if room.capacity() > spare.capacity() {
                *spare = room;
            }
        }
        Read::Later
    }

    /// Has the connection end when all is written.
    pub(super) const fn finish_when_flushed(&mut self) {
        self.finishing = true;
    }

    /// Whether it ends when all is written.
    pub(super) const fn is_finishing(&self) -> bool {
        self.finishing
    }

    /// Whether we have shut down our side.
    pub(super) const fn is_finished(&self) -> bool {
        self.finished
    }

    /// Shuts our side down, and drops all that the other end still sends; ready when it has closed,
    /// too.
    pub(super) fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.finished {
            let shut = ready!(self.transport.poll_shutdown(cx));
            self.finished = true;
            match (shut, &mut self.record) {
                (Err(_), _) => return Poll::Ready(()),
                (Ok(()), Some(record)) => record.stream.finish(record.ours),
                (Ok(()), None) => {}
            }
        }
        let mut spare = Spare::default();
        for _ in 0..DROPPED_READS {
            self.input.clear();
            match self.poll_read(cx, &mut spare) {
                Ok(Read::Some) => {}
                Ok(Read::Later) => return Poll::Pending,
                // Its end, however it came.
                Err(_) => return Poll::Ready(()),
            }
        }
        // There may be more; others first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn end_of_stream(&self) -> LinkError {
        if self.input.is_empty() {
            return LinkError::Closed;
        }
        // Without a whole prefix the shortest message is assumed.
        let length = self.announced().ok().flatten().unwrap_or(1);
        LinkError::Cut {
            missing_bytes: (self.prefix.bytes() + length).saturating_sub(self.input.len()),
        }
    }

    /// Whether the endpoint had to wait, or would have to.
    pub(super) const fn is_full(&self) -> bool {
        self.full
    }

    #[cfg(test)]
    pub(super) fn end_tls(&mut self) {
        self.transport.end_tls();
    }

    #[cfg(test)]
    pub(super) const fn waiting_bytes(&self) -> usize {
        self.output.bytes()
    }

    /// Queues a message.
    pub(super) fn send(&mut self, message: Parcel) -> Room {
        self.output.push(message);
        if self.output.bytes() < FULL_BYTES {
            return Room::Free;
        }
        self.full = true;
        Room::Full(Scope::Peer(self.peer))
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.output.bytes() == 0 && self.transport.is_flushed()
    }

    /// Writes as much as possible; true if that made room for the first time
    /// since the connection was full.
    pub(super) fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        spare: &mut Spare,
    ) -> Result<bool, LinkError> {
        while !self.is_flushed() {
            let record = &mut self.record;
            let sent = |slices: &[IoSlice<'_>], count| {
                if let Some(record) = record {
                    record.sent(slices, count);
                }
            };
            let written = self.transport.poll_write(
                cx,
                &mut self.output,
                self.slice,
                &mut spare.sealing,
                sent,
            );
            match written {
                Poll::Ready(result) => result?,
                Poll::Pending => break,
            }
            if !self.transport.can_send() {
                // Nothing goes out before the other end is known, and after TLS has failed.
                break;
            }
        }
        let has_room_again = self.full && self.output.bytes() <= ROOM_BYTES;
        if has_room_again {
            self.full = false;
        }
        Ok(has_room_again)
    }
}

impl Record {
    fn sent(&mut self, slices: &[IoSlice<'_>], written: usize) {
        let mut rest = written;
        for slice in slices {
            let sent = &slice[..slice.len().min(rest)];
            rest -= sent.len();
            self.stream.bytes(self.ours, sent);
        }
    }
}
