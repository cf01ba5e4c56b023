//! Cases that a peer must pass, or should.
//!
//! A [`Case`] is a script of messages (see [`inject`](super::inject)) with the sentence that it
//! checks, or a [`MessageRule`] for every message of the peer. Behind a server that is tested
//! stands the [test service](command), and before a client that is tested an application that does
//! the same: so a script sees both sides of the peer, its carrier by messages and its TCP side by
//! the answers.

mod case;
mod catalogue;
mod client;
mod command;
mod rule;
mod server;
mod suite;
mod tested;

pub use self::case::{Case, Dialect, Needs, Requirement};
pub use self::catalogue::{UnknownCase, cases};
pub use self::command::{Command, LONGEST_COMMAND, command};
pub use self::rule::{MessageRule, RuleWatcher};
pub use self::suite::{
    CaseMessage, CaseReport, CaseResult, DeliveryGuarantee, Reason, Suite, SuiteOptions, TcpSide,
    Trial,
};
pub use self::tested::Tested;

#[cfg(test)]
mod tests;
