//! The layer between a connection's messages and its socket: none, or TLS.

use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::io::poll_read_buf;

use super::output::{MAX_PIECES, OWN_PIECE_BYTES, Output};
use crate::runtime::link::LinkError;
use crate::runtime::tls::{TlsError, TlsSession};

/// Encrypted bytes read at once.
const TLS_READ_BYTES: usize = 256 * 1024;

/// Bytes encrypted at once.
const TLS_WRITE_BYTES: usize = 128 * 1024;

/// A socket, and TLS on it if there is any.
#[derive(Debug)]
pub(super) struct Transport {
    stream: TcpStream,
    tls: Option<Box<TlsSession>>,
    /// Bytes read over TLS that gave none.
    absorbed_bytes: usize,
}

/// Memory that the connections of a link use by turns.
#[derive(Debug, Default)]
pub(super) struct Spare {
    /// Buffer for reading the next busy connection.
    pub(super) plain: BytesMut,
    /// Buffer for reading encrypted bytes.
    pub(super) encrypted: Vec<u8>,
    /// Buffers for writing over TLS.
    pub(super) sealing: Sealing,
}

/// Memory for writing over TLS.
#[derive(Debug, Default)]
pub(super) struct Sealing {
    /// The buffer in which small pieces are put together, so that they go in one record.
    gathered: Vec<u8>,
    /// The buffer in which records are made.
    records: Vec<u8>,
}

impl Transport {
    pub(super) const fn new(stream: TcpStream, tls: Option<Box<TlsSession>>) -> Self {
        Self {
            stream,
            tls,
            absorbed_bytes: 0,
        }
    }

    /// Bytes read that gave none, since it was asked last.
    pub(super) const fn take_absorbed_bytes(&mut self) -> usize {
        std::mem::replace(&mut self.absorbed_bytes, 0)
    }

    pub(super) const fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Whether messages may pass.
    pub(super) fn is_open(&self) -> bool {
        self.tls.as_ref().is_none_or(|tls| tls.is_open())
    }

    /// The destination that the other end has proven.
    pub(super) fn proven(&self) -> Option<&Bytes> {
        self.tls.as_ref().and_then(|tls| tls.proven())
    }

    /// Whether messages are taken for the other end.
    pub(super) fn can_send(&self) -> bool {
        self.tls.as_ref().is_none_or(|tls| tls.can_send())
    }

    /// Whether TLS went on from an earlier connection.
    pub(super) fn is_resumed(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_resumed())
    }

    /// Whether all that was taken from an [`Output`] is written.
    pub(super) fn is_flushed(&self) -> bool {
        self.tls.as_ref().is_none_or(|tls| tls.is_flushed())
    }

    pub(super) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        if self.tls.as_ref().is_some_and(|tls| tls.has_ended()) {
            // The end came with bytes before it, and the socket may have nothing more.
            return Poll::Ready(Ok(()));
        }
        self.stream.poll_read_ready(cx)
    }

    /// Reads the bytes there are behind `input`, and returns their number; 0 at the end.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut BytesMut,
        encrypted: &mut Vec<u8>,
    ) -> Poll<Result<usize, LinkError>> {
        let Some(tls) = &mut self.tls else {
            let read = poll_read_buf(Pin::new(&mut self.stream), cx, input);
            return read.map_err(LinkError::Io);
        };
        if tls.has_ended() {
            return Poll::Ready(Ok(0));
        }
        let before = input.len();
        let rest = tls.rest().len();
        if encrypted.len() < rest + TLS_READ_BYTES {
            encrypted.resize(rest + TLS_READ_BYTES, 0);
        }
        encrypted[..rest].copy_from_slice(tls.rest());
        let mut buffer = ReadBuf::new(&mut encrypted[rest..]);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        let count = buffer.filled().len();
        if count == 0 {
            let error = if tls.is_open() {
                TlsError::Cut
            } else {
                TlsError::CutInHandshake
            };
            return Poll::Ready(Err(error.into()));
        }
        tls.take_in(&mut encrypted[..rest + count], input)?;
        if input.len() > before {
            return Poll::Ready(Ok(input.len() - before));
        }
        self.absorbed_bytes += count;
        // Others first, however much of this there is; and it may have something to say before the
        // other end says more.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes some of the waiting bytes, in pieces of at most `slice` bytes, and returns the number
    /// of bytes of `output` that are done with. Calls `sent` with them.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        output: &mut Output,
        slice: usize,
        sealing: &mut Sealing,
        mut sent: impl FnMut(&[IoSlice<'_>], usize),
    ) -> Poll<Result<(), LinkError>> {
        let mut slices = [IoSlice::new(&[]); MAX_PIECES];
        let Some(tls) = &mut self.tls else {
            let count = output.slices(slice, &mut slices);
            let stream = Pin::new(&mut self.stream);
            let written = ready!(stream.poll_write_vectored(cx, &slices[..count]))?;
            if written == 0 {
                return Poll::Ready(Err(LinkError::Closed));
            }
            sent(&slices[..count], written);
            output.advance(written);
            return Poll::Ready(Ok(()));
        };
        if tls.is_flushed() && tls.can_send() && output.bytes() > 0 {
            let count = output.slices(TLS_WRITE_BYTES, &mut slices);
            let taken = sealing.seal(tls, &slices[..count])?;
            sent(&slices[..count], taken);
            output.advance(taken);
        }
        while !tls.is_flushed() {
            let stream = Pin::new(&mut self.stream);
            let written = ready!(stream.poll_write(cx, &tls.output(slice)))?;
            if written == 0 {
                return Poll::Ready(Err(LinkError::Closed));
            }
            tls.written(written, &mut sealing.records);
        }
        Poll::Ready(Ok(()))
    }

    /// Has TLS say that nothing follows, and the socket stay open.
    #[cfg(test)]
    pub(super) fn end_tls(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.end();
        }
    }

    /// Shuts our side down, behind all that waits.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        if let Some(tls) = &mut self.tls {
            tls.end();
            while !tls.is_flushed() {
                let stream = Pin::new(&mut self.stream);
                let written = ready!(stream.poll_write(cx, &tls.output(usize::MAX)))?;
                if written == 0 {
                    return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
                }
                tls.written(written, &mut Vec::new());
            }
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Sealing {
    /// Makes records of all these pieces: of each long one where it is, of the others between them
    /// together; returns the number of those bytes.
    fn seal(&mut self, tls: &mut TlsSession, pieces: &[IoSlice<'_>]) -> Result<usize, LinkError> {
        let Self { gathered, records } = self;
        // An error may have left something.
        gathered.clear();
        let mut bytes = 0;
        for piece in pieces {
            bytes += piece.len();
            if piece.len() < OWN_PIECE_BYTES {
                gathered.extend_from_slice(piece);
                continue;
            }
            if !gathered.is_empty() {
                tls.send(gathered, records)?;
                gathered.clear();
            }
            tls.send(piece, records)?;
        }
        if !gathered.is_empty() {
            tls.send(gathered, records)?;
            gathered.clear();
        }
        Ok(bytes)
    }
}
