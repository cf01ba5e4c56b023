//! A participant of the protocol, without sockets and without a clock.
//!
//! An [`Endpoint`] is one session: it opens conversations and accepts them, any number at once,
//! with any number of peers. It does no I/O. Its driver feeds in each input with its time, and
//! carries out the outputs:
//!
//! ```text
//!   carrier ── handle_message, handle_link_* ──▶ ┌──────────┐ ── Transmit ──▶ carrier
//!                                                │ Endpoint │
//!   application ── open, accept, write, … ─────▶ │          │ ── Event ─────▶ application
//!   clock ──────── handle_timeout ─────────────▶ └──────────┘ ── Timeout ───▶ clock
//! ```
//!
//! # The drain rule
//!
//! After an input, or several at once, call [`Endpoint::poll_output`] and carry
//! out each [`Output`] until it is [`Output::Timeout`] or [`Output::Idle`]. Only
//! then wait: for input, or for the time of that timeout, when
//! [`Endpoint::handle_timeout`] is due. `now` must not run backwards.
//!
//! # A client and a server
//!
//! Here each is the other's only peer, called `()`, and a function is the carrier:
//!
//! ```
//! use std::time::Instant;
//!
//! use ministream::endpoint::{Config, Endpoint, Event, Open, Output};
//!
//! /// Takes the messages of `from` to `to`, and returns the events of `from`.
//! fn carry(now: Instant, from: &mut Endpoint<()>, to: &mut Endpoint<()>) -> Vec<Event<()>> {
//!     let mut events = Vec::new();
//!     loop {
//!         match from.poll_output(now) {
//!             Output::Transmit { message, .. } => {
//!                 to.handle_message(now, Some(()), message.to_vec().into());
//!             }
//!             Output::Event(event) => events.push(event),
//!             Output::Timeout(_) | Output::Idle => return events,
//!         }
//!     }
//! }
//!
//! // The seeds of the ids must be secret where peers are not trusted.
//! let mut client = Endpoint::new(Config::default(), [1; 32]);
//! let mut server = Endpoint::new(Config::default(), [2; 32]);
//! let now = Instant::now();
//! let (to, destination) = ((), vec![0; 387].into());
//! let opened = client.open(now, Open { to, destination, client_id: None })?;
//! carry(now, &mut client, &mut server);
//! let Some(Event::Incoming { conversation: accepted, .. }) =
//!     carry(now, &mut server, &mut client).pop()
//! else {
//!     panic!("a SYN has come");
//! };
//! server.accept(now, accepted);
//! carry(now, &mut server, &mut client);
//! client.write(now, opened, "hello".into())?;
//! carry(now, &mut client, &mut server);
//! let heard = carry(now, &mut server, &mut client);
//! assert!(matches!(&heard[..], [Event::Data { bytes, .. }] if bytes == "hello"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Differences from the reference implementation
//!
//! Everything is bounded, see [`Config`]. Where the carrier names senders, a message is
//! accepted only from the peer of its conversation. A late ACK
//! is answered with a close, so that the acceptor is not left half-open. A
//! message of unknown type harms no conversation. The remainder after a full
//! message is sent at once. The ids of ended conversations rest before
//! they are used again. An ACK without payload closes an open conversation, as
//! in the specification's sample (c), unless data follow; the reference ignores it.

pub(crate) mod abandoned;
pub(crate) mod allowance;
mod client;
mod config;
mod conversation;
mod conversations;
mod exchange;
pub(crate) mod id_pool;
mod ids;
mod lifecycle;
mod links;
mod liveness;
mod machine;
mod merging;
mod output;
mod readers;
mod receive;
mod send_queue;
mod server;
mod state;
mod stats;
mod timers;
mod transmit;
mod unproven;

pub use self::config::{AddressProof, Config, DuplicateSyn, Incoming, Limits, OnEof, SlowReader};
pub use self::machine::{Endpoint, Open, OpenError, WriteError};
pub use self::output::{ConversationSummary, End, Event, Handle, Leg, Output, Scope};
pub use self::server::syn_destination;
pub use self::state::State;
pub use self::stats::{Anomaly, Stats, Traffic};

#[cfg(test)]
mod tests;
