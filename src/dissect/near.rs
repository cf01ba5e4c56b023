//! Flows that were judged to be another protocol's and have something of ours.

use std::net::SocketAddr;

use super::DecodeAs;
use super::decode_as::transport_of;
use crate::carrier::Carrier;
use crate::carrier::detect::Trace;
use crate::net::Transport;

/// Groups that are distinguished; those beyond are only counted.
const MAX_GROUPS: usize = 64;

/// Flows to one server that were nearly taken for ministreaming.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearFlow {
    /// The client of the first of them.
    pub client: SocketAddr,
    /// The server of all of them.
    pub server: SocketAddr,
    /// The carrier that they would have.
    pub carrier: Carrier,
    /// Number of flows.
    pub flow_count: u64,
    /// Traces of our protocol in them, together.
    pub trace: Trace,
}

/// All such flows of a dissection, by server and carrier, in the order in which they were judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NearFlows {
    groups: Vec<NearFlow>,
    flow_count: u64,
}

impl NearFlow {
    /// The rule that would read them.
    pub const fn rule(&self) -> DecodeAs {
        DecodeAs {
            transport: self.transport(),
            port: self.server.port(),
            carrier: self.carrier,
        }
    }

    /// UDP or TCP.
    pub const fn transport(&self) -> Transport {
        transport_of(self.carrier)
    }

    /// Why they were not taken for ministreaming, and why they might be: `1 SYN without an
    /// answer`.
    pub fn reason(&self) -> String {
        let Trace {
            openings,
            fitting,
            unfitting,
            ..
        } = self.trace;
        let mut parts = Vec::new();
        if openings > 0 {
            let noun = if openings == 1 { "SYN" } else { "SYNs" };
            parts.push(format!("{openings} {noun} without an answer"));
        }
        let messages = |count| if count == 1 { "message" } else { "messages" };
        if fitting > 0 {
            parts.push(format!(
                "{fitting} other {} of a known type",
                messages(fitting)
            ));
        }
        if unfitting > 0 {
            parts.push(format!("{unfitting} {} of none", messages(unfitting)));
        }
        parts.join(", ")
    }
}

impl NearFlows {
    /// The groups, at most 64.
    pub fn groups(&self) -> &[NearFlow] {
        &self.groups
    }

    /// Number of flows, also those of no group.
    pub const fn flow_count(&self) -> u64 {
        self.flow_count
    }

    /// Takes in flows.
    pub(crate) fn note(&mut self, near: NearFlow) {
        self.flow_count += near.flow_count;
        let known = self
            .groups
            .iter()
            .position(|group| group.server == near.server && group.carrier == near.carrier);
        match known {
            Some(index) => {
                let group = &mut self.groups[index];
                group.flow_count += near.flow_count;
                let (all, one) = (&mut group.trace, near.trace);
                all.openings = all.openings.saturating_add(one.openings);
                all.fitting = all.fitting.saturating_add(one.fitting);
                all.unfitting = all.unfitting.saturating_add(one.unfitting);
            }
            None if self.groups.len() < MAX_GROUPS => self.groups.push(near),
            None => {}
        }
    }
}
