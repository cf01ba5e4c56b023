//! TLS 1.3 under `tls://`: who is at the other end, and nobody else in between.
//!
//! The record layer and the handshake are those of `rustls`, without its buffers and without
//! I/O: [`TlsSession`] is handed what arrived and hands out what is to be written. Identities
//! are raw public keys (RFC 7250), the signing keys of I2P destinations; which destination,
//! a [hello](crate::carrier::tls::hello) tells. X.509 certificates are the alternative.

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
