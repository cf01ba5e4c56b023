//! Why tunnels end.

use std::io;

use crate::endpoint::End;
use crate::runtime::carrier_url::CarrierUrl;
use crate::runtime::link::LinkError;
use crate::runtime::socket::Addresses;

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
    /// What the one conversation of [`LocalSide::Stdio`](super::LocalSide::Stdio) brought could not be passed on.
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
    /// The one conversation of [`LocalSide::Stdio`](super::LocalSide::Stdio) failed.
    #[error("{leg}: {end}", leg = end.leg().map_or("conversation", |leg| leg.name()))]
    Conversation {
        /// How it ended.
        end: End,
    },
}
