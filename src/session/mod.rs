//! A session with an I2P router as an application has it: own destination,
//! lease sets, messages out and in, lookups. Without sockets and without a clock.
//!
//! A [`Session`] speaks I2CP over one TCP connection that somebody else holds. Its driver feeds in
//! each input with its time, and carries out the outputs:
//!
//! ```text
//!   router ── handle_bytes, handle_close ──▶ ┌─────────┐ ── poll_transmit ──▶ router
//!                                            │ Session │
//!   user ──── send, look_up, leave ────────▶ │         │ ── poll_event ─────▶ user
//!   clock ─── handle_timeout ──────────────▶ └─────────┘ ── poll_timeout ───▶ clock
//! ```
//!
//! # Duties of the driver
//!
//! - Read the connection always, also while nobody wants the messages: a router silently drops
//!   those that it cannot write out (i2pd beyond 1 MiB).
//! - After each input, take all events; write what [`Session::poll_transmit`]
//!   gives whenever the connection takes bytes. A router waits 10 s for an
//!   answer to its request for a lease set.
//! - Call [`Session::handle_timeout`] when the time of
//!   [`Session::poll_timeout`] has come.
//!
//! # How a session begins
//!
//! ```text
//!  Greeting ── SetDate ──▶ Creating ── SessionStatus 1 ──▶ Building ── lease request ──▶ Ready
//!  (2a, GetDate)           (CreateSession)                 (router builds tunnels)
//! ```
//!
//! The session takes the time from the router's SetDate, so that a router that
//! insists on a CreateSession no older than 30 s is content whatever our clock
//! says.
//!
//! The first messages, without a router:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Instant;
//!
//! use ministream::keys::Keys;
//! use ministream::session::{Session, SessionConfig};
//!
//! let keys = Arc::new(Keys::generate(&mut rand::rng()));
//! let now = Instant::now();
//! let mut session = Session::new(now, keys, SessionConfig::default(), rand::random());
//! assert_eq!(session.poll_transmit(now).as_deref(), Some(&[0x2a][..]));
//! // Four bytes of length, then the type: GetDate.
//! assert_eq!(session.poll_transmit(now).map(|frame| frame[4]), Some(32));
//! // SetDate, as a router of version 0.9.50 answers it at some time in 2020.
//! let mut set_date = vec![0, 0, 0, 15, 33];
//! set_date.extend(1_600_000_000_000_u64.to_be_bytes());
//! set_date.extend(b"\x060.9.50");
//! session.handle_bytes(now, &set_date);
//! // CreateSession.
//! assert_eq!(session.poll_transmit(now).map(|frame| frame[4]), Some(1));
//! ```

mod config;
mod core;
mod error;
mod event;
mod lease_rate;
mod lookup;
mod outgoing;
mod pacer;
mod peers;
mod router;
mod self_test;

pub use self::config::{Greeting, LaneOrder, SelfTest, SessionConfig, Tunnels};
pub use self::core::Session;
pub use self::error::{SendError, SessionError, Undelivered};
pub use self::event::{Counters, Event};
pub use self::lookup::{LookupError, LookupId, Query};
pub use self::outgoing::{Attempts, Lane};

/// The longest message that is sent or taken, in bytes, before compression.
pub use crate::wire::MAX_MESSAGE_BYTES;

/// The longest payload that is given to a router, in bytes of gzip. i2pd 2.45.1
/// crashes on some 62,600.
pub const MAX_GZIP_BYTES: usize = 61_000;

#[cfg(test)]
mod tests;
