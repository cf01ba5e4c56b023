//! Both ends of a tunnel: TCP connections on one side, conversations on the other.

mod carrier;
mod conversations;
mod driver;
mod error;
mod local;
mod locals;
mod notices;
mod options;
mod record;
mod service;
mod stdio;
mod stream;

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;

use crate::endpoint::Endpoint;

use self::driver::Driver;
pub use self::error::TunnelError;
pub use self::options::{Advice, LocalSide, LostLink, TunnelOptions};
use self::stdio::Stdio;
use super::acceptor::Acceptor;
use super::carrier_url::CarrierUrl;
use super::link::Peer;
use super::metrics::Scrapes;
use super::service_manager::watched;

/// Listens by `listen` where an address is given; returns the one that was bound.
///
/// # Errors
/// The address cannot be bound.
pub(in crate::runtime) async fn listen_if_asked<T, F>(
    address: Option<SocketAddr>,
    listen: impl FnOnce(SocketAddr) -> F,
) -> Result<(Option<T>, Option<SocketAddr>), TunnelError>
where
    F: Future<Output = io::Result<(T, SocketAddr)>>,
{
    let Some(address) = address else {
        return Ok((None, None));
    };
    match listen(address).await {
        Ok((listening, bound)) => Ok((Some(listening), Some(bound))),
        Err(source) => Err(TunnelError::Listen {
            address: address.into(),
            source,
        }),
    }
}

/// A tunnel that is ready for use.
#[derive(Debug)]
pub struct Tunnel {
    driver: Driver,
    listen: Option<SocketAddr>,
    metrics: Option<SocketAddr>,
    carrier: CarrierUrl,
    destination: Bytes,
    stdio: Option<Stdio>,
}

impl Tunnel {
    /// Binds and connects. To be called inside a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// An address cannot be bound or connected to.
    pub async fn open(options: TunnelOptions) -> Result<Self, TunnelError> {
        let acceptor = match &options.side {
            LocalSide::Listen(addresses) => Some(Acceptor::bind(addresses).await.map_err(
                |source| TunnelError::Listen {
                    address: addresses.clone(),
                    source,
                },
            )?),
            LocalSide::Stdio | LocalSide::Serve { .. } => None,
        };
        let listen = match &acceptor {
            Some(acceptor) => Some(acceptor.local_addr()?),
            None => None,
        };
        let opened = options.link.open_patiently().await?;
        let carrier = opened.carrier.clone();
        let destination = opened.destination.clone();
        let endpoint = Endpoint::with_origins(options.endpoint.clone(), options.seed, Peer::origin);
        let mut driver = Driver::new(endpoint, opened, &options)?;
        let (scrapes, metrics) = listen_if_asked(options.metrics, Scrapes::listen).await?;
        if let Some(scrapes) = scrapes {
            driver.measure(scrapes);
        }
        let mut stdio = None;
        match (options.side, acceptor) {
            (LocalSide::Listen(_), Some(acceptor)) => driver.listen(acceptor),
            (LocalSide::Listen(_), None) => {}
            (LocalSide::Stdio, _) => {
                let (pipe, ends) = Stdio::pipe()?;
                stdio = Some(pipe);
                driver.pipe(ends)?;
            }
            (LocalSide::Serve { target }, _) => driver.serve(target),
        }
        Ok(Self {
            driver,
            listen,
            metrics,
            carrier,
            destination,
            stdio,
        })
    }

    /// The address that was bound for local connections.
    pub const fn listen_addr(&self) -> Option<SocketAddr> {
        self.listen
    }

    /// The address that was bound for numbers.
    pub const fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// The carrier, with the address that was bound for it.
    pub const fn carrier(&self) -> &CarrierUrl {
        &self.carrier
    }

    /// Our destination, by which peers reach us over I2CP; other carriers have
    /// no use for it. With transient keys it changes with each new link.
    pub fn destination(&self) -> &[u8] {
        &self.destination
    }

    /// Carries conversations until a signal to end (Ctrl-C, SIGTERM), or until
    /// the link is lost for good.
    ///
    /// # Errors
    /// The link was lost, or the one conversation on standard input and output failed.
    pub async fn run(self) -> Result<(), TunnelError> {
        let Self {
            mut driver, stdio, ..
        } = self;
        // A task of its own: one that blocks a runtime of a single thread is
        // woken through the kernel, even by its own sockets.
        let driven = tokio::spawn(watched(move |cx| driver.poll(cx)));
        let result = match driven.await {
            Ok(result) => result,
            Err(error) => Err(TunnelError::System(io::Error::other(error))),
        };
        let written = stdio.map_or(Ok(()), Stdio::finish);
        written.map_err(TunnelError::Output).and(result)
    }
}
