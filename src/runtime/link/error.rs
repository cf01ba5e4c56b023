//! Errors of links.

use std::io;
use std::time::Duration;

use crate::runtime::carrier_url::CarrierUrl;
use crate::runtime::tls::TlsError;
use crate::session::{LookupError, SessionError, Undelivered};

/// The reason why a link, or a part of it, could not be had or was lost.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The name of the host leads to no address.
    #[error("{carrier}: the host has no address")]
    NoAddress {
        /// The carrier as it was asked for.
        carrier: CarrierUrl,
    },
    /// The address could be reached from other machines, and that is not allowed.
    #[error("{carrier} is not a loopback address")]
    Remote {
        /// The carrier as it was asked for.
        carrier: CarrierUrl,
    },
    /// The address cannot be bound.
    #[error("cannot bind {carrier}")]
    Bind {
        /// The carrier as it was asked for.
        carrier: CarrierUrl,
        /// The system's error.
        source: io::Error,
    },
    /// The address cannot be connected to.
    #[error("{carrier}")]
    Connect {
        /// The carrier as it was asked for.
        carrier: CarrierUrl,
        /// The system's error.
        source: io::Error,
    },
    /// A read or write failed.
    #[error("the connection failed")]
    Io(#[from] io::Error),
    /// The other end closed its connection.
    #[error("the other end closed the connection")]
    Closed,
    /// The other end closed its connection in the midst of a message.
    #[error(
        "the other end closed the connection inside a message, {missing_bytes} bytes before its end"
    )]
    Cut {
        /// Bytes that are missing, as far as is known.
        missing_bytes: usize,
    },
    /// A length that no message has: the bytes are not of this carrier.
    #[error(
        "a message of {length} bytes is announced, and the limit is {limit}; not a ministreaming peer, or another prefix"
    )]
    BadPrefix {
        /// The length as announced.
        length: u64,
        /// The longest message that is taken.
        limit: usize,
    },
    /// The first bytes are not those of an application of I2P.
    #[error("the first byte is {byte:02x}, and that of an I2CP application is 2a")]
    NoFrames {
        /// The byte.
        byte: u8,
    },
    /// The session with the router could not be had, or ended.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// No session could be had.
    #[error("{carrier}")]
    NoSession {
        /// The carrier as it was asked for.
        carrier: CarrierUrl,
        /// The reason.
        source: Box<Self>,
    },
    /// TLS: the handshake, or the records.
    #[error(transparent)]
    Tls(Box<TlsError>),
    /// A connection over TLS could not be had.
    #[error("{carrier}")]
    NoTls {
        /// The carrier as it was asked for.
        carrier: CarrierUrl,
        /// The reason.
        source: Box<TlsError>,
    },
    /// A key or certificate for TLS is missing.
    #[error("{carrier} is not set up")]
    NotSetUp {
        /// The carrier as it was asked for.
        carrier: CarrierUrl,
    },
    /// The keys for a session with a router are missing.
    #[error("{carrier} needs keys of its own")]
    NoKeys {
        /// The carrier as it was asked for.
        carrier: CarrierUrl,
    },
    /// The destination that is to be called was not found.
    #[error("the destination was not found")]
    NotFound(#[source] LookupError),
    /// The router could not send a message, so that bytes are missing.
    #[error("a message was not sent: {0}")]
    Undelivered(Undelivered),
    /// Messages to ourselves do not arrive.
    #[error(
        "peers cannot reach this session: was the same destination in use less than a minute ago?"
    )]
    Unreachable,
    /// More arrived than was wanted, from a carrier that cannot be paused.
    #[error("more than {limit} bytes wait for readers that are too slow")]
    Overrun {
        /// Number that may wait.
        limit: usize,
    },
    /// The plan of faults wants it.
    #[error("cut on purpose by a fault")]
    Fault,
    /// Others wanted the place of a connection on which nobody had named himself.
    #[error(
        "it never sent a SYN with a whole destination, and another connection needed its place"
    )]
    Displaced,
    /// No conversation was opened on a connection for so long.
    #[error("it sent no SYN within {0:?}")]
    Silent(Duration),
    /// More connections than are allowed.
    #[error("there are {limit} connections already, the most that are allowed")]
    TooManyPeers {
        /// Number that are allowed.
        limit: usize,
    },
}

impl From<TlsError> for LinkError {
    fn from(error: TlsError) -> Self {
        Self::Tls(Box::new(error))
    }
}
