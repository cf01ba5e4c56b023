//! A listening TCP socket that outlives moments without resources.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::Sleep;

use super::socket;

/// How long nothing is accepted after the system had no descriptors or memory left.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections; a failure is reported and does not end it.
#[derive(Debug)]
pub(super) struct Acceptor {
    listener: TcpListener,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Acceptor {
    /// Binds and listens. Connections come in [prepared](socket::prepare).
    pub(super) async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self {
            listener,
            pause: None,
        })
    }

    /// The address that was bound.
    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The next connection. After an error poll again: it was that of one
    /// connection, or the next poll waits until resources may be there again.
    pub(super) fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        let accepted = ready!(self.listener.poll_accept(cx));
        let accepted = accepted.and_then(|(stream, address)| {
            socket::prepare(&stream, address)?;
            Ok((stream, address))
        });
        if let Err(error) = &accepted
            && !concerns_one_connection(error)
        {
            self.pause = Some(Box::pin(tokio::time::sleep(PAUSE)));
        }
        Poll::Ready(accepted)
    }
}

fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::InvalidInput
    )
}
