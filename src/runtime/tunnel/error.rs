//! The reasons why tunnels end.

use std::io;

use crate::endpoint::End;
use crate::runtime::carrier_url::CarrierUrl;
use crate::runtime::link::LinkError;
use crate::runtime::socket::Addresses;

/// The reason why a tunnel could not begin, or had to end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TunnelError {
    /// The carrier.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The carrier, after it had been in use.
    #[error("{carrier} was lost")]
    LinkLost {
        /// The carrier.
        carrier: CarrierUrl,
        /// The reason.
        source: LinkError,
    },
    /// The address for local connections.
    #[error("cannot listen on {address}")]
    Listen {
        /// The addresses.
        address: Addresses,
        /// The system's error.
        source: io::Error,
    },
    /// Signals, pipes or threads could not be had.
    #[error("the system refuses a resource")]
    System(#[from] io::Error),
    /// Data of the one conversation of [`LocalSide::Stdio`](super::LocalSide::Stdio) could not be
    /// passed on.
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
    /// The one conversation of [`LocalSide::Stdio`](super::LocalSide::Stdio) failed.
    #[error("{leg}: {end}", leg = end.leg().map_or("conversation", |leg| leg.name()))]
    Conversation {
        /// Its end.
        end: End,
    },
}
