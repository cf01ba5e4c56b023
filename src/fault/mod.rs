//! Faults on purpose: the effects of a bad network on messages, by the numbers of a seed.
//!
//! [`Fault`]s are written as on the command line, and gathered in a [`FaultSpec`] for each
//! direction. An [`Engine`] carries them out: messages go in with the time at which they were
//! sent, and come out when they are due. It has no clock and no randomness of its own, so that
//! the proxy, the links of every command and the simulations in virtual time use the same one.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use ministream::fault::{Engine, FaultSpec, LaneEvent};
//!
//! let spec: FaultSpec = "latency=50ms,dup=100%".parse()?;
//! let start = Instant::now();
//! let mut engine = Engine::new(spec, [7; 32], 0, start);
//! engine.submit(start, "peer", vec![0xa2, 1, 2, 3]);
//! assert_eq!(engine.next_due(), Some(start + Duration::from_millis(50)));
//! let later = start + Duration::from_millis(50);
//! for _ in 0..2 {
//!     let expected = LaneEvent::Arrives("peer", vec![0xa2, 1, 2, 3]);
//!     assert_eq!(engine.poll(later), Some(expected));
//! }
//! assert_eq!(engine.poll(later), None);
//! # Ok::<(), ministream::fault::FaultError>(())
//! ```

mod engine;
mod gone;
mod lane;
mod spec;
mod stats;
mod text;

pub use self::engine::{Engine, LaneEvent, Parcelled};
pub(crate) use self::gone::Gone;
pub use self::spec::{Fault, FaultKind, FaultSpec, Stall};
pub use self::stats::{AppliedFaults, FaultEffect, FaultStats};
pub use self::text::{FaultError, FaultLines, Faults};

#[cfg(test)]
mod tests;
