//! TLS 1.3 under `tls://`: proof of the other end, and nobody else in between.
//!
//! The record layer and the handshake are those of `rustls`, without its buffers and without I/O:
//! [`TlsSession`] is handed the bytes that arrived and hands out those to be written. Identities
//! are raw public keys (RFC 7250), the signing keys of I2P destinations; the destination itself is
//! in a [hello](crate::carrier::tls::hello). X.509 certificates are the alternative.

mod config;
mod error;
mod identity;
mod key_log;
mod session;
mod verify;

pub use self::config::{CertificateFiles, TlsClient, TlsOptions, TlsServer};
pub use self::error::{TlsConfigError, TlsError};
pub(in crate::runtime) use self::session::TlsSession;

#[cfg(test)]
mod tests;
