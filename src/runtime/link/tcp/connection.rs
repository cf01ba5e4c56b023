//! One TCP connection that carries messages.

use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio_util::io::poll_read_buf;

use super::TcpOptions;
use super::output::{MAX_PIECES, Output};
use crate::carrier::Way;
use crate::carrier::length_prefixed::Prefix;
use crate::runtime::link::{LinkError, Parcel, Peer, Room, Scope};
use crate::runtime::recorder::RecordedStream;

/// How much is read at once. Large reads make few system calls, and give a
/// conversation's application what it gets in few pieces.
const READ_BYTES: usize = 1024 * 1024;

/// Bytes waiting to be written at which the connection is full: more than one
/// round brings, so that a round does not stop halfway.
const FULL_BYTES: usize = 2 * 1024 * 1024;

/// Bytes waiting at which a full connection takes messages again.
const ROOM_BYTES: usize = 64 * 1024;

/// Reads of what nobody wants, in one go.
const DROPPED_READS: usize = 16;

/// Silence after which the system asks whether the other end is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    peer: Peer,
    prefix: Prefix,
    /// Most bytes in one write.
    slice: usize,
    input: BytesMut,
    output: Output,
    /// The endpoint was told to wait.
    full: bool,
    /// The other end is to be told that nothing more comes, when all is written.
    finishing: bool,
    /// No whole message has come.
    silent: bool,
    /// The other end was told that nothing more comes.
    finished: bool,
    record: Option<Record>,
}

/// A connection's part of a capture.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) stream: RecordedStream,
    /// Which way our bytes go.
    pub(super) ours: Way,
}

/// What a read found.
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
        record: Option<Record>,
    ) -> std::io::Result<Self> {
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE)
            .with_interval(KEEPALIVE / 3);
        SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        Ok(Self {
            stream,
            peer,
            prefix: options.prefix,
            slice: options.slice,
            input: BytesMut::new(),
            output: Output::new(options.prefix),
            full: false,
            finishing: false,
            silent: true,
            finished: false,
            record,
        })
    }

    pub(super) const fn peer(&self) -> Peer {
        self.peer
    }

    /// Why the connection is gone, also where bytes wait in front of that and are not read.
    pub(super) fn failure(&self) -> Option<LinkError> {
        match self.stream.take_error() {
            Ok(error) => error.map(LinkError::Io),
            Err(error) => Some(LinkError::Io(error)),
        }
    }

    /// Whether the other end has never sent a whole message.
    pub(super) const fn is_silent(&self) -> bool {
        self.silent
    }

    /// The next whole message of what was read.
    pub(super) fn next_message(&mut self) -> Result<Option<Bytes>, LinkError> {
        let Some(length) = self.announced()? else {
            return Ok(None);
        };
        if self.input.len() < self.prefix.bytes() + length {
            return Ok(None);
        }
        self.silent = false;
        self.input.advance(self.prefix.bytes());
        Ok(Some(self.input.split_to(length).freeze()))
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
        spare: &mut BytesMut,
    ) -> Result<Read, LinkError> {
        // Asked before there is room made for what is read.
        match self.stream.poll_read_ready(cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return Err(LinkError::Io(error)),
            Poll::Pending => return Ok(self.leave_for_later(spare)),
        }
        if spare.capacity() > 0 {
            let rest = std::mem::replace(&mut self.input, std::mem::take(spare));
            self.input.clear();
            self.input.reserve(READ_BYTES);
            self.input.extend_from_slice(&rest);
        }
        // The rest of a message is at most 64 KiB of this.
        self.input.reserve(READ_BYTES);
        match poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.input) {
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
            Poll::Ready(Err(error)) => Err(LinkError::Io(error)),
            Poll::Pending => Ok(self.leave_for_later(spare)),
        }
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

    /// Whether the other end was told that nothing more comes.
    pub(super) const fn is_finished(&self) -> bool {
        self.finished
    }

    /// Tells the other end that nothing more comes, and drops what it still
    /// sends; ready when it has closed, too.
    pub(super) fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.finished {
            let told = ready!(Pin::new(&mut self.stream).poll_shutdown(cx));
            self.finished = true;
            match (told, &mut self.record) {
                (Err(_), _) => return Poll::Ready(()),
                (Ok(()), Some(record)) => record.stream.finish(record.ours),
                (Ok(()), None) => {}
            }
        }
        let mut spare = BytesMut::new();
        for _ in 0..DROPPED_READS {
            self.input.clear();
            match self.poll_read(cx, &mut spare) {
                Ok(Read::Some) => {}
                Ok(Read::Later) => return Poll::Pending,
                // Its end, however it came.
                Err(_) => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn end_of_stream(&self) -> LinkError {
        if self.input.is_empty() {
            return LinkError::Closed;
        }
        let length = self.announced().ok().flatten().unwrap_or(1);
        LinkError::Cut {
            missing_bytes: (self.prefix.bytes() + length).saturating_sub(self.input.len()),
        }
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

    pub(super) const fn is_flushed(&self) -> bool {
        self.output.bytes() == 0
    }

    /// Writes as much as possible; true if that made room for the first time
    /// since the connection was full.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Result<bool, LinkError> {
        while !self.is_flushed() {
            let mut slices = [IoSlice::new(&[]); MAX_PIECES];
            let count = self.output.slices(self.slice, &mut slices);
            let stream = Pin::new(&mut self.stream);
            match stream.poll_write_vectored(cx, &slices[..count]) {
                Poll::Ready(Ok(0)) => return Err(LinkError::Closed),
                Poll::Ready(Ok(written)) => {
                    if let Some(record) = &mut self.record {
                        record.sent(&slices[..count], written);
                    }
                    self.output.advance(written);
                }
                Poll::Ready(Err(error)) => return Err(LinkError::Io(error)),
                Poll::Pending => break,
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
