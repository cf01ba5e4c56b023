//! The reasons why a conformance run cannot begin or go on.

use std::io;

use super::link::LinkError;
use super::socket::Addresses;

/// The reason why cases can be tried no more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConformError {
    /// The carrier is gone and does not come back.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The test service cannot stand behind the server.
    #[error("cannot be the service at {addresses}")]
    Service {
        /// The addresses for it.
        addresses: Addresses,
        /// The system's error.
        source: io::Error,
    },
    /// A signal came before the first case.
    #[error("interrupted before the client was there")]
    Interrupted,
    /// The client does not listen where it should.
    #[error("cannot connect to the client at {addresses}")]
    Application {
        /// The addresses for it.
        addresses: Addresses,
        /// The system's error.
        source: io::Error,
    },
}
