//! One conversation's local end, and the data waiting to be written to it.

use std::fmt;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::buf::Limit;
use bytes::{BufMut, Bytes, BytesMut};
use tokio::net::TcpStream;

use super::stream::{Farewell, LocalStream};
use crate::endpoint::Handle;
use crate::runtime::outgoing::{MAX_PIECES, Outgoing};

/// A connection that is being made to the service.
pub(super) type Connecting = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// The local end of a conversation's bytes.
pub(super) struct Local {
    pub(super) handle: Handle,
    stage: Stage,
    outgoing: Outgoing,
    input: Input,
    pub(super) phase: Phase,
    /// The end that the local side sees when all has been written.
    pub(super) last: Last,
    /// Bytes later than this are no farewell.
    pub(super) farewell_until: Option<Instant>,
    /// Something did.
    pub(super) spoke_late: bool,
    /// Bytes that were read after the end of the conversation.
    pub(super) discarded: usize,
    /// Stands in the line of those that have something new to write.
    pub(super) in_line: bool,
}

enum Stage {
    Connecting(Connecting),
    Connected(LocalStream),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    Open,
    Ended,
}

/// The phase of a local end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The conversation is live.
    Live,
    /// It is over, and data that have arrived are still to be written.
    Flushing,
    /// All is written and the stream's own end is awaited.
    Lingering,
}

/// The end of a local side's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    /// In order: the data are complete.
    End,
    /// By a reset: it may not be.
    Reset,
}

/// The result of reading.
#[derive(Debug)]
pub(super) enum Read {
    /// This many bytes, now in the buffer.
    Bytes(usize, Rest),
    /// The end of the input.
    End,
    /// Nothing at the moment; the waker has been left.
    Later,
}

/// The rest after bytes were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// There may be more.
    Some,
    /// Nothing at the moment; the waker has been left.
    Later,
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local")
            .field("handle", &self.handle)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}

impl Local {
    pub(super) fn connected(handle: Handle, stream: LocalStream) -> Self {
        Self::new(handle, Stage::Connected(stream))
    }

    pub(super) fn connecting(handle: Handle, connecting: Connecting) -> Self {
        Self::new(handle, Stage::Connecting(connecting))
    }

    fn new(handle: Handle, stage: Stage) -> Self {
        Self {
            handle,
            stage,
            outgoing: Outgoing::default(),
            input: Input::Open,
            phase: Phase::Live,
            last: Last::End,
            farewell_until: None,
            spoke_late: false,
            discarded: 0,
            in_line: false,
        }
    }

    /// Whether the connection to the service is still being made.
    pub(super) const fn is_connecting(&self) -> bool {
        matches!(self.stage, Stage::Connecting(_))
    }

    /// Goes on connecting; ready once, when that is done.
    pub(super) fn poll_connect(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Stage::Connecting(connecting) = &mut self.stage else {
            return Poll::Pending;
        };
        let connected = std::task::ready!(connecting.as_mut().poll(cx));
        Poll::Ready(connected.map(|stream| {
            self.stage = Stage::Connected(LocalStream::tcp(stream));
        }))
    }

    /// Whether there may be more to read.
    pub(super) fn has_input(&self) -> bool {
        self.input == Input::Open
    }

    /// Appends the bytes there are to `into`.
    pub(super) fn read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Limit<&mut BytesMut>,
    ) -> io::Result<Read> {
        let Stage::Connected(stream) = &mut self.stage else {
            return Ok(Read::Later);
        };
        let room = into.chunk_mut().len();
        match stream.poll_read(cx, into) {
            Poll::Ready(Ok(0)) => {
                self.input = Input::Ended;
                Ok(Read::End)
            }
            // Most likely that was all: looked at once more now, it needs no turn of its own.
            Poll::Ready(Ok(bytes)) if bytes < room && stream.poll_read_ready(cx).is_pending() => {
                Ok(Read::Bytes(bytes, Rest::Later))
            }
            Poll::Ready(Ok(bytes)) => Ok(Read::Bytes(bytes, Rest::Some)),
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Ok(Read::Later),
        }
    }

    /// Queues bytes from the peer.
    pub(super) fn push(&mut self, bytes: Bytes) {
        self.outgoing.push(bytes);
    }

    /// Whether all bytes from the peer are written.
    pub(super) fn is_flushed(&self) -> bool {
        self.outgoing.is_empty()
    }

    /// Writes as much as the socket takes now; returns the number of bytes.
    pub(super) fn write(&mut self, cx: &mut Context<'_>) -> io::Result<usize> {
        let Stage::Connected(stream) = &mut self.stage else {
            return Ok(0);
        };
        let mut total = 0;
        while !self.outgoing.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_PIECES];
            let count = self.outgoing.slices(&mut slices);
            match stream.poll_write(cx, &slices[..count]) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => {
                    total += written;
                    self.outgoing.advance(written);
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => {
                    self.outgoing.stall();
                    break;
                }
            }
        }
        Ok(total)
    }

    /// Ends the direction towards the local side.
    pub(super) fn shutdown(&mut self, cx: &mut Context<'_>) -> (io::Result<()>, Farewell) {
        match &mut self.stage {
            Stage::Connected(stream) => stream.shutdown(cx),
            Stage::Connecting(_) => (Ok(()), Farewell::None),
        }
    }

    /// Closes so that the local side sees a failure.
    pub(super) fn reset(self) {
        if let Stage::Connected(stream) = self.stage {
            stream.reset();
        }
    }
}
