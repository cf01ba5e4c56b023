//! The dissector: packets in, messages, findings and conversations out.

use std::net::SocketAddr;

use crate::carrier::Carrier;
use crate::conversation::{Conversation, Finding, MessageEvent};
use crate::net::FlowId;

/// Where a [`Dissector`](self) puts what it sees, in the order of the capture.
///
/// Every method may refuse with an error, which ends the dissection: a closed
/// output, a disk that is full.
pub trait Sink {
    /// What can go wrong on the way out.
    type Error;

    /// A flow turned out to carry ministreaming.
    fn flow(&mut self, flow: &FlowReport) -> Result<(), Self::Error>;

    /// The next message. Its findings follow through [`Sink::finding`] at once.
    fn message(&mut self, event: &MessageEvent<'_>) -> Result<(), Self::Error>;

    /// Something odd.
    fn finding(&mut self, finding: &Finding) -> Result<(), Self::Error>;

    /// A conversation that is over: closed and out of reach of late messages,
    /// or the capture is at its end. In the order in which they end.
    fn conversation(&mut self, conversation: &Conversation) -> Result<(), Self::Error>;
}

/// A flow that carries ministreaming.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowReport {
    /// Its name.
    pub id: FlowId,
    /// Addresses of the initiator and the responder.
    pub addresses: [SocketAddr; 2],
    /// Its carrier.
    pub carrier: Carrier,
    /// How that was decided.
    pub decided: Decided,
}

/// How the carrier of a flow was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// By what its first payloads hold.
    ByContent,
    /// By the user (`-d`).
    ByRule,
}
