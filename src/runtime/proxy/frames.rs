//! A TCP connection on which I2CP frames pass, whoever sends them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio_util::io::poll_read_buf;

use crate::carrier::i2cp::{MAX_BODY_BYTES, PROTOCOL_BYTE};
use crate::runtime::link::LinkError;
use crate::runtime::outgoing::{MAX_PIECES, Outgoing};

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;

/// Reads of a connection that ends, whose bytes are dropped, in one go.
const DROPPED_READS: usize = 16;

/// Bytes waiting to be written at which no more are taken.
const FULL_BYTES: usize = 1024 * 1024;

/// Bytes waiting at which more are taken again.
const ROOM_BYTES: usize = 64 * 1024;

/// Length of the body, and type.
const HEADER_BYTES: usize = 4 + 1;

/// One end's connection.
#[derive(Debug)]
pub(super) struct FrameStream {
    stream: TcpStream,
    /// Whether the application's first byte is still to come on it.
    greets: Greeting,
    input: BytesMut,
    output: Outgoing,
    output_bytes: usize,
    full: bool,
    finishing: bool,
    finished: bool,
}

/// Whether a sender begins with a byte that is no frame's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Greeting {
    /// An application does.
    Due,
    /// A router does not, and an application does once.
    None,
}

impl FrameStream {
    pub(super) fn new(stream: TcpStream, greets: Greeting) -> Self {
        Self {
            stream,
            greets,
            input: BytesMut::new(),
            output: Outgoing::default(),
            output_bytes: 0,
            full: false,
            finishing: false,
            finished: false,
        }
    }

    /// The next frame, or the application's first byte.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, LinkError>> {
        loop {
            if let Some(frame) = self.take_frame()? {
                return Poll::Ready(Ok(frame));
            }
            self.input.reserve(READ_BYTES);
            let read = poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.input);
            match ready!(read).map_err(LinkError::Io)? {
                0 if self.input.is_empty() => return Poll::Ready(Err(LinkError::Closed)),
                0 => {
                    return Poll::Ready(Err(LinkError::Cut {
                        missing_bytes: self.missing_bytes(),
                    }));
                }
                _ => {}
            }
        }
    }

    fn take_frame(&mut self) -> Result<Option<Bytes>, LinkError> {
        if self.greets == Greeting::Due {
            return Ok(match self.input.first() {
                None => None,
                Some(&PROTOCOL_BYTE) => {
                    self.greets = Greeting::None;
                    Some(self.input.split_to(1).freeze())
                }
                Some(&byte) => {
                    return Err(LinkError::NoFrames { byte });
                }
            });
        }
        let Some(length) = self.announced() else {
            return Ok(None);
        };
        if length > MAX_BODY_BYTES {
            return Err(LinkError::BadPrefix {
                length: length as u64,
                limit: MAX_BODY_BYTES,
            });
        }
        let whole = HEADER_BYTES + length;
        Ok((self.input.len() >= whole).then(|| self.input.split_to(whole).freeze()))
    }

    fn announced(&self) -> Option<usize> {
        let length = self.input.get(..4)?.try_into().ok()?;
        self.input.get(..HEADER_BYTES)?;
        usize::try_from(u32::from_be_bytes(length)).ok()
    }

    fn missing_bytes(&self) -> usize {
        let whole = HEADER_BYTES + self.announced().unwrap_or(0);
        whole.saturating_sub(self.input.len())
    }

    /// Queues a frame; false if no more should come until [`take_room`](Self::take_room) says so.
    pub(super) fn send(&mut self, frame: Bytes) -> bool {
        self.output_bytes += frame.len();
        self.output.push(frame);
        self.full |= self.output_bytes >= FULL_BYTES;
        !self.full
    }

    /// Writes as much as possible, and has the task woken whose next event is the room that this made,
    /// or the error.
    pub(super) fn write(&mut self, cx: &mut Context<'_>) {
        if self.poll_flush(cx).is_err() || self.has_room_again() {
            cx.waker().wake_by_ref();
        }
    }

    /// Writes as much as possible.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while !self.output.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_PIECES];
            let count = self.output.slices(&mut slices);
            match Pin::new(&mut self.stream).poll_write_vectored(cx, &slices[..count]) {
                Poll::Ready(Ok(written)) => {
                    self.output_bytes -= written;
                    self.output.advance(written);
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => {
                    self.output.stall();
                    break;
                }
            }
        }
        Ok(())
    }

    /// Whether there is room again that nobody has heard of.
    const fn has_room_again(&self) -> bool {
        self.full && self.output_bytes <= ROOM_BYTES
    }

    /// Whether there is room again that nobody has heard of; the caller then has.
    pub(super) const fn take_room(&mut self) -> bool {
        let has_room_again = self.has_room_again();
        if has_room_again {
            self.full = false;
        }
        has_room_again
    }

    /// Has the connection end when all is written.
    pub(super) const fn finish(&mut self) {
        self.finishing = true;
    }

    /// Whether it is to end.
    pub(super) const fn is_finishing(&self) -> bool {
        self.finishing
    }

    /// Writes the rest, shuts our side down, and drops further input; ready when the other end has
    /// closed, too.
    pub(super) fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.poll_flush(cx).is_err() {
            return Poll::Ready(());
        }
        if !self.output.is_empty() {
            return Poll::Pending;
        }
        if !self.finished {
            if ready!(Pin::new(&mut self.stream).poll_shutdown(cx)).is_err() {
                return Poll::Ready(());
            }
            self.finished = true;
        }
        for _ in 0..DROPPED_READS {
            self.input.clear();
            self.input.reserve(READ_BYTES);
            let read = poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.input);
            match ready!(read) {
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(_) => {}
            }
        }
        // There may be more; others first.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_frames_wait_in_memory_that_they_share() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let socket = TcpStream::connect(address).await.unwrap();
            let mut stream = FrameStream::new(socket, Greeting::None);
            let mut count = 0;
            while stream.send(Bytes::from_static(&[0, 0, 0, 0, 7])) {
                count += 1;
            }
            assert_eq!(count, (FULL_BYTES - 1) / 5);
            let mut slices = [IoSlice::new(&[]); MAX_PIECES];
            assert!(stream.output.slices(&mut slices) <= 2);
        });
    }
}
