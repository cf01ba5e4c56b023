//! Both ends of a tunnel: TCP connections on one side, conversations on the other.

mod carrier;
mod conversations;
mod driver;
mod local;
mod locals;
mod notices;
mod record;
mod service;
mod stdio;
mod stream;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;

use crate::endpoint::{Config, End, Endpoint};

use self::driver::Driver;
use self::stdio::Stdio;
use super::acceptor::Acceptor;
use super::carrier_url::CarrierUrl;
use super::link::{LinkError, Peer};
use super::metrics::Scrapes;
use super::open::LinkOptions;
use super::service_manager::watched;
use super::socket::Addresses;

/// What a tunnel is to be.
#[derive(Debug)]
#[non_exhaustive]
pub struct TunnelOptions {
    /// Where conversations come from, or go to.
    pub side: LocalSide,
    /// What carries them.
    pub link: LinkOptions,
    /// What happens when the link is lost.
    pub lost_link: LostLink,
    /// Limits, times and policies of the endpoint.
    pub endpoint: Config,
    /// From which the ids follow.
    pub seed: [u8; 32],
    /// Where metrics are served over HTTP.
    pub metrics: Option<SocketAddr>,
    /// Lines of the log that were lost; the metrics include their number.
    pub lost_log_lines: &'static AtomicU64,
    /// Has the log opened anew; called on SIGHUP.
    pub reopen_log: Option<fn()>,
    /// How long orderly closing may take after a signal.
    pub closing_time: Duration,
    /// What the log calls what the program lets its user set.
    pub advice: Advice,
}

impl TunnelOptions {
    /// A tunnel that ends with its link, without metrics.
    pub fn new(side: LocalSide, link: LinkOptions, seed: [u8; 32]) -> Self {
        static NO_LINES: AtomicU64 = AtomicU64::new(0);
        Self {
            side,
            link,
            lost_link: LostLink::Ends,
            endpoint: Config::default(),
            seed,
            metrics: None,
            lost_log_lines: &NO_LINES,
            reopen_log: None,
            closing_time: Duration::from_secs(5),
            advice: Advice::default(),
        }
    }
}

/// What lines of the log call the limits and times that led to them. A program puts the names
/// of its own flags here.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Advice {
    /// The limits of conversations, of all and of one peer; stands in "refused: more conversations than
    /// … allow".
    pub conversation_limits: &'static str,
    /// The limit of all conversations; stands in "or lower …", where descriptors are scarce.
    pub total_limit: &'static str,
    /// What helps against answers that are cut when a drain ends.
    pub drain: &'static str,
    /// What a slow reader fills, and what would be done about it; stands in "what this conversation's
    /// local side does not read fills …".
    pub slow_reader: &'static str,
}

impl Default for Advice {
    fn default() -> Self {
        Self {
            conversation_limits: "the limits",
            total_limit: "the limit of conversations",
            drain: "a longer drain waits for more of it",
            slow_reader: "the buffer; ending the conversation would free the link",
        }
    }
}

/// The local side of a tunnel.
#[derive(Debug)]
pub enum LocalSide {
    /// Opens a conversation for each connection to these addresses.
    Listen(Addresses),
    /// Opens one conversation, on standard input and output, and ends with it.
    Stdio,
    /// Answers each conversation by a connection to this service.
    Serve {
        /// The service.
        target: Addresses,
    },
}

/// What happens when the link is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostLink {
    /// The tunnel ends.
    Ends,
    /// It is opened again, with growing pauses between attempts.
    Reopens,
}

/// Why a tunnel could not begin, or had to end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TunnelError {
    /// The carrier.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The carrier, after it had been in use.
    #[error("{carrier} was lost")]
    LinkLost {
        /// Which.
        carrier: CarrierUrl,
        /// Why.
        source: LinkError,
    },
    /// The address for local connections.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which.
        address: Addresses,
        /// What the system says.
        source: io::Error,
    },
    /// Signals, pipes or threads could not be had.
    #[error("the system refuses a resource")]
    System(#[from] io::Error),
    /// What the one conversation of [`LocalSide::Stdio`] brought could not be passed on.
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
    /// The one conversation of [`LocalSide::Stdio`] failed.
    #[error("{leg}: {end}", leg = end.leg().map_or("conversation", |leg| leg.name()))]
    Conversation {
        /// How it ended.
        end: End,
    },
}

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
        let driven = tokio::spawn(tokio::task::unconstrained(watched(move |cx| {
            driver.poll(cx)
        })));
        let result = match driven.await {
            Ok(result) => result,
            Err(error) => Err(TunnelError::System(io::Error::other(error))),
        };
        let written = stdio.map_or(Ok(()), Stdio::finish);
        written.map_err(TunnelError::Output).and(result)
    }
}
