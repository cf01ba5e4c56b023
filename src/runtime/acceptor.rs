//! A listening TCP socket that outlives moments without resources.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::Sleep;
use tracing::warn;

use super::socket::{self, Addresses, EachFailed, reason};

/// Time without accepting after the system had no descriptors or memory left.
const PAUSE: Duration = Duration::from_millis(100);

/// Connections that the system keeps for us until they are accepted: with the usual 128, of a burst of
/// several hundred some would wait for a second to try again.
const BACKLOG: u32 = 1_024;

/// Accepts connections; a failure is reported and does not end it.
#[derive(Debug)]
pub(super) struct Acceptor {
    /// One for each address.
    listeners: Vec<TcpListener>,
    pause: Option<Pin<Box<Sleep>>>,
    /// Nothing is accepted because something of the system has run out, since then.
    short_since: Option<Instant>,
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // An address can be bound again while connections of its last listener linger.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Acceptor {
    /// Binds and listens. Connections come in [prepared](socket::prepare).
    /// Where only some of several addresses can be bound, the log names the others.
    ///
    /// # Errors
    /// None can be bound; the error has the reason of each.
    pub(super) async fn bind(addresses: &Addresses) -> io::Result<Self> {
        let mut listeners: Vec<TcpListener> = Vec::new();
        let mut failures = Vec::new();
        for &(mut address) in addresses.as_slice() {
            if address.port() == 0
                && let Some(first) = listeners.first()
            {
                // One name has one port.
                address.set_port(first.local_addr()?.port());
            }
            match listen(address) {
                Ok(listener) => listeners.push(listener),
                Err(error) => failures.push((address, error)),
            }
        }
        if listeners.is_empty() {
            return Err(EachFailed::into_error(failures));
        }
        for (address, error) in &failures {
            warn!(
                leg = "target",
                "does not listen on {address}: {}",
                reason(error)
            );
        }
        Ok(Self {
            listeners,
            pause: None,
            short_since: None,
        })
    }

    /// The address that was bound, of several the first.
    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self.listeners.first() {
            Some(listener) => listener.local_addr(),
            None => Err(io::ErrorKind::AddrNotAvailable.into()),
        }
    }

    /// The next connection. An error is that of one connection: poll again.
    /// While the system has no descriptors or memory left this accepts nothing and tries
    /// again from time to time; the log says once that it began, and once that it is over.
    pub(super) fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            let mut listeners = self.listeners.iter();
            let accepted = listeners.find_map(|listener| match listener.poll_accept(cx) {
                Poll::Ready(accepted) => Some(accepted),
                Poll::Pending => None,
            });
            let Some(accepted) = accepted else {
                self.recover();
                return Poll::Pending;
            };
            match accepted {
                Err(error) if !concerns_one_connection(&error) => self.fall_short(&error),
                accepted => {
                    return Poll::Ready(accepted.and_then(|(stream, address)| {
                        socket::prepare(&stream, address)?;
                        Ok((stream, address))
                    }));
                }
            }
        }
    }

    fn fall_short(&mut self, error: &io::Error) {
        if self.short_since.is_none() {
            self.short_since = Some(Instant::now());
            warn!(
                leg = "target",
                %error,
                "no connections are accepted for now: they wait in the system's queue"
            );
        }
        self.pause = Some(Box::pin(tokio::time::sleep(PAUSE)));
    }

    /// All that waited has been let in.
    fn recover(&mut self) {
        if let Some(since) = self.short_since.take() {
            warn!(
                leg = "target",
                "connections are accepted again, after {:.1} s",
                since.elapsed().as_secs_f64()
            );
        }
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
