//! The common options of a link's connections.

use std::time::Duration;

use crate::carrier::length_prefixed::Prefix;
use crate::runtime::recorder::Recorder;
use crate::runtime::tls::TlsOptions;

/// The common options of a link's connections.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TcpOptions {
    /// The length before each message.
    pub prefix: Prefix,
    /// Most bytes in one write.
    pub slice: usize,
    /// The recorder of messages, without TLS.
    pub recorder: Option<Recorder>,
    /// TLS under the messages, if not the bare connection.
    pub tls: Option<TlsOptions>,
    /// When a client's connection ends on which no SYN has come.
    pub first_message_timeout: Option<Duration>,
}

impl TcpOptions {
    /// Bare connections of which nothing is recorded.
    pub const fn new(prefix: Prefix, slice: usize) -> Self {
        Self {
            prefix,
            slice,
            recorder: None,
            tls: None,
            first_message_timeout: None,
        }
    }
}
