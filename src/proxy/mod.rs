//! A proxy that understands the messages it passes on, without I/O and without a clock.
//!
//! ```text
//!            ┌───────┐   ┌───────┐   ┌──────────┐   ┌────────┐
//!  message ─▶│dissect│──▶│ rules │──▶│ pause,   │──▶│ faults │──▶ message
//!            └───────┘   └───────┘   │ hold ... │   └────────┘
//!                │                   └──────────┘
//!                ▼ sink: what passes is shown as `ministream-dump` shows it
//! ```
//!
//! A [`Proxy`] takes the messages of its connections with their times, and gives those to be sent.
//! Its driver has the sockets.

mod carried;
mod connection;
mod connections;
pub mod control;
mod exit;
mod fate;
mod gate;
mod holds;
mod i2cp;
mod machine;
mod recent;
mod report;
mod rule;
mod unproven;
mod waiting_room;

pub use self::connection::ConnectionId;
pub use self::exit::ProxyOutput;
pub use self::machine::{Proxy, ProxyOptions};
pub(crate) use self::report::mean_us;
pub use self::report::{
    AddedLatency, DirectionReport, FaultReport, ProxyReport, RuleReport, rule_json,
};
pub use self::rule::{MAX_RULES, Rule, RuleTally, Rules};

#[cfg(test)]
mod tests;
