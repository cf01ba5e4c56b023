//! The output of a dissection.

use std::convert::Infallible;
use std::net::SocketAddr;

use super::decode_as::transport_of;
use crate::capture::InputInfo;
use crate::carrier::Carrier;
use crate::conversation::{Carried, ChannelStart, Conversation, Finding, MessageEvent};
use crate::net::{FlowId, Transport};

/// Takes the output of a [`Dissector`](super::Dissector), in the order of the capture.
///
/// Every method may refuse with an error, which ends the dissection: a closed output, a disk that
/// is full. Output that a sink does not ask for is passed over.
pub trait Sink {
    /// Error of the output.
    type Error;

    /// A flow turned out to carry ministreaming.
    ///
    /// # Errors
    /// Those of the sink.
    fn flow(&mut self, _flow: &FlowReport) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The next message. Its findings follow through [`Sink::finding`] at once.
    ///
    /// # Errors
    /// Those of the sink.
    fn message(&mut self, _event: &MessageEvent<'_>) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Whether it is enough to [count](Self::count) messages of which there is nothing
    /// else to report.
    fn only_counts(&self) -> bool {
        false
    }

    /// The next message, of a sink that [only counts](Self::only_counts): data within a
    /// conversation, without a finding.
    ///
    /// # Errors
    /// Those of the sink.
    fn count(&mut self, _carried: Carried) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Something odd.
    ///
    /// # Errors
    /// Those of the sink.
    fn finding(&mut self, _finding: &Finding) -> Result<(), Self::Error> {
        Ok(())
    }

    /// A conversation that is over: closed and out of reach of late messages,
    /// or the capture is at its end. In the order in which they end.
    ///
    /// # Errors
    /// Those of the sink.
    fn conversation(&mut self, _conversation: &Conversation) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Whether more messages would be of use; the reader may stop otherwise.
    fn wants_more(&self) -> bool {
        true
    }

    /// Whether [`packet_end`](Self::packet_end) has something to do now. A caller that feeds many
    /// packets at a time asks after each.
    fn awaits_packet_end(&self) -> bool {
        true
    }

    /// A packet is done with, and its reader may have to wait for the next:
    /// whoever collects output may hand it on. `inputs` are those read so far.
    ///
    /// # Errors
    /// Those of the sink.
    fn packet_end(&mut self, _inputs: &[InputInfo]) -> Result<(), Self::Error> {
        Ok(())
    }

    /// All packets are read. What still comes had waited for more, and may be long, without another
    /// [`packet_end`](Self::packet_end): whoever collects output until it knows `inputs` needs them
    /// now.
    ///
    /// # Errors
    /// Those of the sink.
    fn inputs_end(&mut self, _inputs: &[InputInfo]) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// A flow that carries ministreaming.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowReport {
    /// Its name.
    pub id: FlowId,
    /// Addresses of the initiator and the responder; on I2CP of the
    /// application and the router.
    pub addresses: [SocketAddr; 2],
    /// Its carrier.
    pub carrier: Carrier,
    /// That from which it is known.
    pub detection: DetectionSource,
    /// The known part of its past.
    pub start: ChannelStart,
}

impl FlowReport {
    /// UDP or TCP.
    pub const fn transport(&self) -> Transport {
        transport_of(self.carrier)
    }
}

/// That from which the carrier of a flow is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DetectionSource {
    /// The contents of its first payloads.
    Content,
    /// A rule of the user (`-d`).
    Rule,
}

/// A sink that keeps conversations and findings, and counts messages: enough
/// for captures that fit in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Every conversation, in the order in which they ended.
    pub conversations: Vec<Conversation>,
    /// Every finding.
    pub findings: Vec<Finding>,
    /// Every flow that carries ministreaming.
    pub flows: Vec<FlowReport>,
    /// Messages.
    pub message_count: u64,
}

impl Sink for Collected {
    type Error = Infallible;

    fn flow(&mut self, flow: &FlowReport) -> Result<(), Infallible> {
        self.flows.push(flow.clone());
        Ok(())
    }

    fn message(&mut self, _event: &MessageEvent<'_>) -> Result<(), Infallible> {
        self.message_count += 1;
        Ok(())
    }

    fn only_counts(&self) -> bool {
        true
    }

    fn count(&mut self, _carried: Carried) -> Result<(), Infallible> {
        self.message_count += 1;
        Ok(())
    }

    fn finding(&mut self, finding: &Finding) -> Result<(), Infallible> {
        self.findings.push(finding.clone());
        Ok(())
    }

    fn conversation(&mut self, conversation: &Conversation) -> Result<(), Infallible> {
        self.conversations.push(conversation.clone());
        Ok(())
    }
}
