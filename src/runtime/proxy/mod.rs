//! Sockets around a [`Proxy`]: clients on one side, the server on the other.

mod driver;
mod frames;
mod http;
mod leg;
mod legs;
mod metrics;
mod pair;
mod pairs;
mod questions;
mod sweeps;
mod turns;
mod watcher;

use std::net::SocketAddr;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use self::driver::{Driver, Entrance};
use self::http::Requests;
use self::legs::Legs;
use self::questions::Questions;
pub use self::watcher::Watcher;
use super::acceptor::Acceptor;
use super::carrier_url::CarrierUrl;
use super::metrics::Scrapes;
use super::open::{LinkOptions, Reach};
use super::recorder::Recorder;
use super::service_manager::watched;
use super::tunnel::{TunnelError, listen_if_asked};
use crate::capture::InputInfo;
use crate::endpoint::Limits;
use crate::proxy::{Proxy, ProxyOptions};
use crate::time::Timestamp;

/// The addresses of a proxy, and its options.
#[derive(Debug)]
#[non_exhaustive]
pub struct ProxyTaskOptions {
    /// The carrier for clients, with its address.
    pub carrier: LinkOptions,
    /// The carrier to the server, with its address.
    pub upstream: LinkOptions,
    /// The options for messages. Whether clients must prove their addresses follows from the
    /// carrier.
    pub proxy: ProxyOptions,
    /// The recorder of messages.
    pub recorder: Option<Recorder>,
    /// The address at which numbers are served over HTTP.
    pub metrics: Option<SocketAddr>,
    /// The address at which it can be controlled over HTTP.
    pub control: Option<SocketAddr>,
}

impl ProxyTaskOptions {
    /// A proxy that only passes messages on, and that nobody watches.
    pub fn new(carrier: LinkOptions, upstream: LinkOptions) -> Self {
        Self {
            carrier,
            upstream,
            proxy: ProxyOptions::default(),
            recorder: None,
            metrics: None,
            control: None,
        }
    }
}

/// No files are read where messages pass.
pub const NO_INPUTS: &[InputInfo] = &[];

/// A proxy that is ready for use.
#[derive(Debug)]
pub struct ProxyTask {
    driver: Driver,
    carrier: CarrierUrl,
    metrics: Option<SocketAddr>,
    control: Option<SocketAddr>,
}

impl ProxyTask {
    /// Binds; the server is first connected to when a client comes.
    ///
    /// # Errors
    /// An address cannot be bound.
    pub async fn open(options: ProxyTaskOptions) -> Result<Self, TunnelError> {
        let now = Instant::now();
        let proxy_options = ProxyOptions {
            address_proof: options.carrier.carrier.address_proof(),
            ..options.proxy
        };
        let mut proxy = Proxy::new(proxy_options, now, wall_clock());
        let (entrance, carrier) = match &options.carrier.carrier {
            CarrierUrl::I2cp(..) => {
                let addresses = options.carrier.own_addresses().await?;
                let acceptor = Acceptor::bind(&addresses)
                    .await
                    .map_err(|source| options.carrier.bind_error(source))?;
                let bound = acceptor.local_addr()?;
                let carrier = options.carrier.carrier.at(bound);
                (Entrance::Frames(acceptor), carrier)
            }
            _ => {
                let opened = options.carrier.open().await?;
                (Entrance::Link(Box::new(opened.link)), opened.carrier)
            }
        };
        let address = |carrier: &CarrierUrl| {
            let authority = carrier.authority();
            let ip = authority.host.trim_matches(['[', ']']).parse().ok()?;
            Some(SocketAddr::new(ip, authority.port))
        };
        let bound = address(&carrier);
        let upstream = options.upstream.addresses().await?.first();
        let (scrapes, metrics) = listen_if_asked(options.metrics, Scrapes::listen).await?;
        let (requests, control) = listen_if_asked(options.control, Requests::listen).await?;
        if requests.is_some() {
            proxy.remember_messages();
        }
        // On loopback all clients are one host, and many at once are normal use.
        let max_unproven = match options.carrier.reach {
            Reach::Anywhere => Some(Limits::default().half_open_per_peer),
            Reach::Loopback => None,
        };
        let legs = Legs {
            carrier: carrier.clone(),
            upstream: options.upstream,
            ends: [bound.unwrap_or(upstream), upstream],
            recorder: options.recorder,
            too_long_count: 0,
            max_unproven,
        };
        let questions = Questions::new(scrapes, requests)?;
        let driver = Driver::new(proxy, entrance, questions, legs)?;
        Ok(Self {
            driver,
            carrier,
            metrics,
            control,
        })
    }

    /// The carrier, with the address that was bound for it.
    pub const fn carrier(&self) -> &CarrierUrl {
        &self.carrier
    }

    /// The address that was bound for numbers.
    pub const fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// The address that was bound for control.
    pub const fn control_addr(&self) -> Option<SocketAddr> {
        self.control
    }

    /// Passes messages until a signal to end (Ctrl-C, SIGTERM), and reports them to `watcher`.
    ///
    /// # Errors
    /// Clients cannot come any more, or `watcher` fails.
    pub async fn run(self, watcher: &mut impl Watcher) -> (Proxy, Result<(), TunnelError>) {
        let mut driver = self.driver;
        let result = watched(|cx| driver.poll(cx, watcher)).await;
        (driver.into_proxy(), result)
    }
}

fn wall_clock() -> Timestamp {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since_1970.as_nanos()).unwrap_or(i64::MAX))
}
