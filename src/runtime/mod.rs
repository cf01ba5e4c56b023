//! Sockets and timers around the state machines: endpoints that carry real services.
//!
//! ```text
//!   TCP clients ──▶ Tunnel ──▶ Endpoint ──▶ Link ──▶ peers       (client)
//!   TCP service ◀── Tunnel ◀── Endpoint ◀── Link ◀── peers       (server)
//! ```
//!
//! Everything of one endpoint runs in one task: the endpoint, its [`Link`] to
//! the peers and all its local sockets. Messages are gathered while sockets are
//! ready and written together, so that many conversations cost few system calls,
//! and nothing needs a lock.

mod acceptor;
mod alarm;
mod allow;
mod carrier_url;
mod conform;
mod conform_error;
mod link;
mod lookout;
mod metrics;
mod notice;
mod open;
mod outgoing;
mod play;
mod proxy;
mod ready;
mod recorder;
mod repeated;
mod service_manager;
mod signals;
mod socket;
mod test_service;
#[cfg(test)]
mod testing;
mod tls;
mod tunnel;

pub use self::allow::{AllowList, Allowed, AllowedError, AllowedNetwork};
pub use self::carrier_url::{Authority, CarrierUrl, CarrierUrlError};
pub use self::conform::conform;
pub use self::conform_error::ConformError;
pub use self::link::{
    FaultPlan, FaultyLink, I2cpLink, I2cpOptions, Link, LinkCounts, LinkError, LinkEvent, Opened,
    OwnKeys, Parcel, Peer, PlainLink, Remote, RemoteError, Role, Room, Scope, TcpLink, TcpOptions,
    UdpLink, Unreachable,
};
pub use self::notice::NOTICE;
pub use self::open::{LinkOptions, Reach, nameless_destination};
pub use self::play::{Driving, inject, mock, play};
pub use self::proxy::{NO_INPUTS, ProxyTask, ProxyTaskOptions, Watcher};
pub use self::recorder::{RecordedStream, Recorder};
pub use self::service_manager::notify_ready;
pub use self::signals::{OnHangup, Signals};
pub use self::socket::Addresses;
pub use self::test_service::TestService;
pub use self::tls::{CertificateFiles, TlsClient, TlsConfigError, TlsError, TlsOptions, TlsServer};
pub use self::tunnel::{Advice, LocalSide, LostLink, Tunnel, TunnelError, TunnelOptions};
