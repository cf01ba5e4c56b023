//! Datagrams to a server that may not be there yet.
//!
//! The network says of a datagram to a port that nobody has that it was refused. Two
//! programs that are started together should find each other all the same, so that until
//! the server was heard once, everything is sent again.

use std::fmt::Write;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;
use tracing::info;

use super::Peer;
use crate::runtime::notice::NOTICE;
use crate::runtime::socket::{Addresses, reason};

/// Time between a refusal and sending everything again.
const PAUSE: Duration = Duration::from_millis(100);

/// Bytes that are kept to be sent again; beyond them a refusal is a loss.
const MAX_BYTES: usize = 256 * 1024;

/// Begins with the first datagram, and ends when the server is heard or patience is over.
#[derive(Debug)]
pub(super) struct FirstContact {
    addresses: Addresses,
    /// Index of the one that is tried.
    tried: usize,
    patience: Duration,
    /// When the first refusal came.
    refused_at: Option<Instant>,
    sent: Vec<Vec<u8>>,
    sent_bytes: usize,
    retry: Option<Pin<Box<Sleep>>>,
}

impl FirstContact {
    /// `None` if there is no patience.
    pub(super) fn begin(addresses: Addresses, patience: Duration) -> Option<Self> {
        (!patience.is_zero()).then(|| Self {
            addresses,
            tried: 0,
            patience,
            refused_at: None,
            sent: Vec::new(),
            sent_bytes: 0,
            retry: None,
        })
    }

    /// Keeps a message on its way.
    pub(super) fn sent(&mut self, message: &[u8]) {
        self.sent_bytes += message.len();
        if self.sent_bytes <= MAX_BYTES {
            self.sent.push(message.to_vec());
        }
    }

    /// Takes note of a refusal; false if it is to be taken as a loss.
    pub(super) fn refused(&mut self, server: Option<Peer>, error: &io::Error) -> bool {
        let now = Instant::now();
        if self.refused_at.is_none() {
            let mut server = server.map_or_else(String::new, |peer| format!("udp://{peer}"));
            if let [_, others @ ..] = self.addresses.as_slice()
                && !others.is_empty()
                && write!(server, " and {} more", others.len()).is_err()
            {
                return false;
            }
            info!(target: NOTICE, "waiting for {server} ({})", reason(error));
        }
        let since = *self.refused_at.get_or_insert(now);
        if now.duration_since(since) >= self.patience || self.sent_bytes > MAX_BYTES {
            return false;
        }
        if self.retry.is_none() {
            self.retry = Some(Box::pin(tokio::time::sleep(PAUSE)));
        }
        true
    }

    /// The messages to be sent again, and their address, when it is time.
    pub(super) fn poll_retry(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Option<(SocketAddr, Vec<Vec<u8>>)> {
        match self.retry.as_mut()?.as_mut().poll(cx) {
            Poll::Pending => None,
            Poll::Ready(()) => {
                self.retry = None;
                self.tried = (self.tried + 1) % self.addresses.as_slice().len();
                self.sent_bytes = 0;
                let address = self.addresses.as_slice()[self.tried];
                Some((address, std::mem::take(&mut self.sent)))
            }
        }
    }

    /// The server is there.
    pub(super) fn made(self) {
        if let Some(since) = self.refused_at {
            info!(
                target: NOTICE,
                "udp://{} is there, after {:.1} s",
                self.addresses.as_slice()[self.tried],
                since.elapsed().as_secs_f64()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[test]
    fn what_is_kept_for_a_server_that_is_not_there_yet_is_bounded() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let address = SocketAddr::from(([127, 0, 0, 1], 9));
            let patience = Duration::from_secs(60);
            let begin =
                || FirstContact::begin(address.into(), patience).expect("there is patience");
            let refusal = io::Error::from(io::ErrorKind::ConnectionRefused);
            let mut contact = begin();
            for _ in 0..256 {
                contact.sent(&[0; 1_024]);
            }
            assert!(contact.refused(None, &refusal));
            let retried = poll_fn(|cx| match contact.poll_retry(cx) {
                Some((_, messages)) => Poll::Ready(messages.len()),
                None => Poll::Pending,
            });
            assert_eq!(retried.await, 256);

            let mut contact = begin();
            for _ in 0..10_000 {
                contact.sent(&[0; 1_024]);
            }
            assert_eq!(contact.sent.len(), 256);
            assert!(!contact.refused(None, &refusal), "it is a loss");
        });
    }
}
