//! From a carrier's name to a link in use.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::Rng;
use tracing::{info, warn};

use super::allow::AllowList;
use super::carrier_url::{Authority, CarrierUrl};
use super::link::{
    FaultPlan, FaultyLink, I2cpLink, I2cpOptions, Link, LinkError, Opened, PlainLink, Role,
    TcpLink, TcpOptions, UdpLink,
};
use super::notice::NOTICE;
use super::recorder::Recorder;
use super::socket::{Addresses, reason};
use super::tls::TlsOptions;
use crate::carrier::length_prefixed::Prefix;
use crate::fault::FaultSpec;
use crate::session::{SessionError, Tunnels};
use crate::wire::Destination;

/// The options of a link. Good for any number of openings, one after another.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LinkOptions {
    /// The carrier, with its address.
    pub carrier: CarrierUrl,
    /// Whether its address is connected to or bound.
    pub role: Role,
    /// The addresses that may be bound.
    pub reach: Reach,
    /// The peers that are admitted.
    pub allow: AllowList,
    /// Time for which the first connection is tried again.
    pub connect_timeout: Duration,
    /// The recorder of messages.
    pub recorder: Option<Recorder>,
    /// Faults on purpose.
    pub faults: Option<FaultPlan>,
    /// Bytes a second that are sent at most over UDP.
    pub udp_rate: u64,
    /// Our destination where the carrier has none of its own.
    pub destination: Bytes,
    /// The options of an I2CP carrier; the others have no use for them.
    pub i2cp: Option<I2cpOptions>,
    /// The options of a TLS carrier; the others have no use for them.
    pub tls: Option<TlsOptions>,
    /// When a client's connection over TCP or TLS ends on which no SYN has come.
    pub first_message_timeout: Option<Duration>,
}

/// The pause before the second attempt to connect; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Number of refusals in a row after which a router's is believed: i2pd gives sessions random
/// numbers of 16 bits, and refuses one whose number another has.
const MOST_REFUSALS: u32 = 3;

/// Whether the other end may be about to start.
fn may_pass(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::TimedOut
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
    )
}

/// The hosts that can get at an address that we bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// This machine only.
    Loopback,
    /// Anybody.
    Anywhere,
}

impl Reach {
    /// Whether this address may be bound.
    pub fn admits(self, address: SocketAddr) -> bool {
        self == Self::Anywhere || address.ip().to_canonical().is_loopback()
    }
}

impl LinkOptions {
    /// A link within this machine, at any speed, without keys, faults or a recording, that is
    /// opened at once or not at all.
    pub fn new(carrier: CarrierUrl, role: Role) -> Self {
        Self {
            carrier,
            role,
            reach: Reach::Loopback,
            allow: AllowList::default(),
            connect_timeout: Duration::ZERO,
            recorder: None,
            faults: None,
            udp_rate: u64::MAX,
            destination: Bytes::new(),
            i2cp: None,
            tls: None,
            first_message_timeout: None,
        }
    }

    /// Connects or binds; ready when messages can go out.
    ///
    /// # Errors
    /// The host has no address, or the carrier does not let us.
    pub async fn open(&self) -> Result<Opened, LinkError> {
        self.open_once(Duration::ZERO).await
    }

    /// As [`open`](Self::open), but a connection that fails is tried again for
    /// [`connect_timeout`](Self::connect_timeout): two programs may be started in any order. The
    /// log says that the other is waited for, and when it is there.
    ///
    /// # Errors
    /// Those of [`open`](Self::open); a refusal only when the time is over, that of a session
    /// by a router when it has come three times.
    pub async fn open_patiently(&self) -> Result<Opened, LinkError> {
        self.patiently(|| self.open_once(self.connect_timeout))
            .await
    }

    /// Tries `attempt` again while its peer may yet come, as
    /// [`open_patiently`](Self::open_patiently) does.
    pub(super) async fn patiently<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, LinkError>
    where
        F: Future<Output = Result<T, LinkError>>,
    {
        let began = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut waits = false;
        let mut refusals = 0;
        loop {
            let error = match attempt().await {
                Ok(opened) => {
                    if waits {
                        let time = began.elapsed().as_secs_f64();
                        info!(target: NOTICE, "{} is there, after {time:.1} s", self.carrier);
                    }
                    return Ok(opened);
                }
                Err(error) => error,
            };
            if matches!(error, LinkError::Session(SessionError::Refused)) {
                refusals += 1;
                if refusals < MOST_REFUSALS {
                    continue;
                }
            }
            let LinkError::Connect { source, .. } = &error else {
                return Err(error);
            };
            let left = self.connect_timeout.saturating_sub(began.elapsed());
            if left.is_zero() || !may_pass(source) {
                return Err(error);
            }
            if !waits {
                waits = true;
                info!(target: NOTICE, "waiting for {} ({})", self.carrier, reason(source));
            }
            tokio::time::sleep(pause.min(left)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn open_once(&self, patience: Duration) -> Result<Opened, LinkError> {
        let mut opened = self.open_carrier(patience).await?;
        if let Some(plan) = &self.faults
            && plan.acts_on_messages()
            && let Link::Plain(link) = opened.link
        {
            let faulty = FaultyLink::before(link, opened.peer, plan, self.role);
            opened.link = Link::Faulty(Box::new(faulty));
        }
        Ok(opened)
    }

    async fn open_carrier(&self, patience: Duration) -> Result<Opened, LinkError> {
        match (&self.carrier, self.role) {
            (CarrierUrl::Udp(authority), Role::Client) => {
                let addresses = self.resolve(authority).await?;
                let recorder = self.recorder.clone();
                UdpLink::connect(&addresses, patience, self.udp_rate, recorder)
                    .await
                    .map(|(link, peer)| self.connected(Link::Plain(PlainLink::Udp(link)), peer))
                    .map_err(|source| self.connect_error(source))
            }
            (CarrierUrl::Udp(authority), Role::Server) => {
                let addresses = self.resolve_own(authority).await?;
                let address = addresses.first();
                if let [_, others @ ..] = addresses.as_slice()
                    && !others.is_empty()
                {
                    // A datagram has to leave by the socket that its peer knows.
                    warn!(
                        leg = "carrier",
                        "{} has several addresses, and {address} alone is bound", self.carrier
                    );
                }
                UdpLink::bind(
                    address,
                    self.udp_rate,
                    self.allow.clone(),
                    self.recorder.clone(),
                )
                .await
                .map(|(link, bound)| self.bound(Link::Plain(PlainLink::Udp(link)), bound))
                .map_err(|source| self.bind_error(source))
            }
            (
                CarrierUrl::Tcp(authority, prefix) | CarrierUrl::Tls(authority, prefix),
                Role::Client,
            ) => {
                let options = self.tcp_options(*prefix)?;
                let addresses = self.resolve(authority).await?;
                TcpLink::connect(&addresses, options)
                    .await
                    .map(|(link, peer)| self.connected(Link::Plain(PlainLink::Tcp(link)), peer))
                    .map_err(|error| match error {
                        LinkError::Io(source) => self.connect_error(source),
                        LinkError::Tls(source) => LinkError::NoTls {
                            carrier: self.carrier.clone(),
                            source,
                        },
                        error => error,
                    })
            }
            (
                CarrierUrl::Tcp(authority, prefix) | CarrierUrl::Tls(authority, prefix),
                Role::Server,
            ) => {
                let options = self.tcp_options(*prefix)?;
                let addresses = self.resolve_own(authority).await?;
                TcpLink::listen(&addresses, self.allow.clone(), options)
                    .await
                    .map(|(link, bound)| self.bound(Link::Plain(PlainLink::Tcp(link)), bound))
                    .map_err(|source| self.bind_error(source))
            }
            (CarrierUrl::I2cp(authority, tunnels), _) => {
                self.open_session(authority, *tunnels).await
            }
        }
    }

    async fn open_session(
        &self,
        authority: &Authority,
        tunnels: Tunnels,
    ) -> Result<Opened, LinkError> {
        let addresses = self.resolve(authority).await?;
        let mut options = self.i2cp.clone().ok_or_else(|| LinkError::NoKeys {
            carrier: self.carrier.clone(),
        })?;
        options.session.tunnels = tunnels;
        let recorder = self.recorder.as_ref();
        let (link, peer) = I2cpLink::open(&addresses, &options, &self.allow, recorder)
            .await
            .map_err(|error| match error {
                LinkError::Io(source) => self.connect_error(source),
                error => LinkError::NoSession {
                    carrier: self.carrier.clone(),
                    source: Box::new(error),
                },
            })?;
        Ok(Opened {
            destination: Bytes::copy_from_slice(link.destination().as_bytes()),
            link: Link::Plain(PlainLink::I2cp(Box::new(link))),
            peer,
            carrier: self.carrier.clone(),
        })
    }

    /// # Errors
    /// TLS is asked for and not set up.
    fn tcp_options(&self, prefix: Prefix) -> Result<TcpOptions, LinkError> {
        let tls = match (&self.carrier, &self.tls) {
            (CarrierUrl::Tls(..), Some(tls)) => Some(tls.clone()),
            (CarrierUrl::Tls(..), None) => {
                return Err(LinkError::NotSetUp {
                    carrier: self.carrier.clone(),
                });
            }
            _ => None,
        };
        let sent = self.faults.as_ref().map(|plan| plan.sent(self.role));
        let slice = sent.and_then(FaultSpec::slice);
        Ok(TcpOptions {
            recorder: self.recorder.clone(),
            tls,
            first_message_timeout: self.first_message_timeout,
            ..TcpOptions::new(prefix, slice.unwrap_or(usize::MAX))
        })
    }

    /// The addresses to connect to.
    ///
    /// # Errors
    /// The host has no address.
    pub(super) async fn addresses(&self) -> Result<Addresses, LinkError> {
        self.resolve(self.carrier.authority()).await
    }

    /// The addresses to bind.
    ///
    /// # Errors
    /// The host has no address, or one that must not be bound.
    pub(super) async fn own_addresses(&self) -> Result<Addresses, LinkError> {
        self.resolve_own(self.carrier.authority()).await
    }

    async fn resolve(&self, authority: &Authority) -> Result<Addresses, LinkError> {
        let Authority { host, port } = authority;
        let addresses = tokio::net::lookup_host((host.as_str(), *port))
            .await
            .map_err(|source| self.connect_error(source))?;
        Addresses::new(addresses).ok_or_else(|| LinkError::NoAddress {
            carrier: self.carrier.clone(),
        })
    }

    /// Addresses that are to be bound.
    async fn resolve_own(&self, authority: &Authority) -> Result<Addresses, LinkError> {
        let addresses = self.resolve(authority).await?;
        // All of them are bound: one that others can get at is one too many.
        let mut each = addresses.as_slice().iter();
        if each.all(|address| self.reach.admits(*address)) {
            Ok(addresses)
        } else {
            Err(LinkError::Remote {
                carrier: self.carrier.clone(),
            })
        }
    }

    /// Our destination where the carrier proves it, and a SYN must name it.
    pub(super) fn proven_destination(&self) -> Option<&Bytes> {
        self.tls.as_ref().and_then(TlsOptions::destination)
    }

    fn own_destination(&self) -> Bytes {
        let proven = self.proven_destination();
        proven.unwrap_or(&self.destination).clone()
    }

    fn connected(&self, link: Link, peer: super::link::Peer) -> Opened {
        Opened {
            link,
            peer: Some(peer),
            destination: self.own_destination(),
            carrier: self.carrier.clone(),
        }
    }

    fn bound(&self, link: Link, address: SocketAddr) -> Opened {
        Opened {
            link,
            peer: None,
            destination: self.own_destination(),
            carrier: self.carrier.at(address),
        }
    }

    pub(super) fn connect_error(&self, source: io::Error) -> LinkError {
        LinkError::Connect {
            carrier: self.carrier.clone(),
            source,
        }
    }

    pub(super) fn bind_error(&self, source: io::Error) -> LinkError {
        LinkError::Bind {
            carrier: self.carrier.clone(),
            source,
        }
    }
}

/// A destination for carriers on which nobody looks it up: random keys without
/// a private half, and the null certificate of the reference implementation.
pub fn nameless_destination(rng: &mut impl Rng) -> Bytes {
    let mut destination = vec![0; Destination::MIN_BYTES];
    // Its zeros at the end are a null certificate: type 0, length 0 (I2P common structures,
    // Certificate).
    let certificate = destination.len() - 3;
    rng.fill_bytes(&mut destination[..certificate]);
    destination.into()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::ChaCha12Rng;

    use super::*;

    fn options() -> LinkOptions {
        LinkOptions::new("i2cp://127.0.0.1:7654".parse().unwrap(), Role::Client)
    }

    /// The result, and the number of attempts, when the first `refusals` are refused.
    async fn after_refusals(refusals: usize) -> (bool, usize) {
        let attempts = std::cell::Cell::new(0);
        let attempt = || {
            attempts.set(attempts.get() + 1);
            let refused = LinkError::Session(SessionError::Refused);
            std::future::ready(if attempts.get() > refusals {
                Ok(())
            } else {
                Err(refused)
            })
        };
        let opened = options().patiently(attempt).await;
        (opened.is_ok(), attempts.get())
    }

    #[test]
    fn a_router_that_refuses_a_session_is_believed_the_third_time() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        for (refusals, expected) in [(0, (true, 1)), (2, (true, 3)), (3, (false, 3))] {
            assert_eq!(runtime.block_on(after_refusals(refusals)), expected);
        }
    }

    #[test]
    fn a_nameless_destination_is_one_of_387_bytes() {
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        let first = nameless_destination(&mut rng);
        let second = nameless_destination(&mut rng);
        assert_eq!(first.len(), 387);
        assert_ne!(first, second);
        let (destination, rest) = Destination::split(&first).unwrap();
        assert_eq!((destination.as_bytes(), rest), (&first[..], &[][..]));
    }
}
