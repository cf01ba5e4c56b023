//! The local end of a conversation: a TCP connection, or standard input and output.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use bytes::buf::Limit;
use socket2::SockRef;
use tokio::io::AsyncWrite;
use tokio::net::{TcpStream, UnixStream};
use tokio_util::io::poll_read_buf;

/// A stream of bytes both ways.
#[derive(Debug)]
pub(super) enum LocalStream {
    /// A client's connection, or ours to the service.
    Tcp(TcpStream),
    /// The way to standard input and output.
    Pipe(UnixStream),
}

/// A stream's need at its end so that the other side loses no bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Farewell {
    /// To be read until the other side ends: a TCP connection that is closed with unread bytes
    /// resets, and may take with it the last bytes written.
    Linger,
    /// Nothing.
    None,
}

impl LocalStream {
    /// A connection that resets unless it is [shut down](Self::shutdown) before it is closed:
    /// also when the process is killed, its other side sees no orderly end behind a part.
    pub(super) fn tcp(stream: TcpStream) -> Self {
        if let Err(error) = stream.set_zero_linger() {
            tracing::debug!(%error, "a sudden end will look like an orderly one");
        }
        Self::Tcp(stream)
    }

    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Limit<&mut BytesMut>,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => poll_read_buf(Pin::new(stream), cx, into),
            Self::Pipe(stream) => poll_read_buf(Pin::new(stream), cx, into),
        }
    }

    /// Ready if there may be something to read.
    pub(super) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(cx),
            Self::Pipe(stream) => stream.poll_read_ready(cx),
        }
    }

    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Pipe(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    /// Ends the direction towards the other side; never waits.
    pub(super) fn shutdown(&mut self, cx: &mut Context<'_>) -> (io::Result<()>, Farewell) {
        let (done, farewell) = match self {
            Self::Tcp(stream) => {
                // The bytes written are to arrive.
                if let Err(error) = SockRef::from(&*stream).set_linger(None) {
                    return (Err(error), Farewell::None);
                }
                (Pin::new(stream).poll_shutdown(cx), Farewell::Linger)
            }
            Self::Pipe(stream) => (Pin::new(stream).poll_shutdown(cx), Farewell::None),
        };
        let result = match done {
            Poll::Ready(result) => result,
            Poll::Pending => Ok(()),
        };
        (result, farewell)
    }

    /// Closes so that the other side sees a failure and not an end.
    pub(super) fn reset(self) {
        if let Self::Tcp(stream) = self
            && let Err(error) = stream.set_zero_linger()
        {
            tracing::debug!(%error, "closed without a reset");
        }
    }
}
