//! Flows of nothing but SYNs that nobody answered, too few to prove anything by themselves: they
//! are judged by the other flows to their servers.

use std::collections::HashSet;
use std::net::SocketAddr;

use super::flow_direction::side_of;
use super::flow_state::{FlowState, WhyEnded};
use crate::carrier::Carrier;
use crate::carrier::detect::{CarrierVerdict, Unanswered};
use crate::net::{Arrival, Flow, Transport};

/// Servers that are remembered, of each kind.
const MAX_SERVERS: usize = 4_096;

/// Flows that wait, and the bytes that they may hold together.
const MAX_WAITING: usize = 1_024;
const MAX_WAITING_BYTES: usize = 1 << 20;

/// State of servers, and the flows that wait until there is some.
#[derive(Debug, Default)]
pub(super) struct Servers {
    /// Those that carry ministreaming.
    ours: HashSet<(SocketAddr, Carrier)>,
    /// Those to which something else went.
    others: HashSet<(SocketAddr, Transport)>,
    /// In the order in which they ended.
    waiting: Vec<Waiting>,
    waiting_bytes: usize,
}

/// A flow that is over and was not judged yet.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) flow: Flow<FlowState>,
    pub(super) server: SocketAddr,
    pub(super) carrier: Carrier,
    pub(super) unanswered: Unanswered,
    /// When it ended, and why.
    pub(super) ended: Arrival,
    pub(super) why: WhyEnded,
    bytes: usize,
}

/// Flows to one server over one carrier, and the verdict on them.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) flows: Vec<Waiting>,
    /// Theirs, if together they are ministreaming.
    pub(super) verdict: Option<CarrierVerdict>,
}

impl Waiting {
    /// Takes a flow that ended so out of `flow`, which is left as another protocol's; `None` when
    /// it has no server.
    pub(super) fn take(
        flow: &mut Flow<FlowState>,
        unanswered: Unanswered,
        (ended, why): (Arrival, WhyEnded),
    ) -> Option<Self> {
        let (server, carrier) = server_of(flow, &unanswered)?;
        let flow = flow.detach(FlowState::Foreign);
        Some(Self {
            bytes: flow.state.held_bytes(),
            flow,
            server,
            carrier,
            unanswered,
            ended,
            why,
        })
    }
}

impl Servers {
    /// Whether any server is known to carry ministreaming.
    pub(super) fn has_ours(&self) -> bool {
        !self.ours.is_empty()
    }

    /// Whether the server of a flow is known to carry ministreaming over its carrier.
    pub(super) fn is_ours(&self, flow: &Flow<FlowState>, unanswered: &Unanswered) -> bool {
        server_of(flow, unanswered).is_some_and(|server| self.ours.contains(&server))
    }

    /// Notes that a flow carries ministreaming; gives the flows that waited for that.
    pub(super) fn note_ours(
        &mut self,
        addresses: [SocketAddr; 2],
        carrier: Carrier,
    ) -> Vec<Waiting> {
        let mut judged = Vec::new();
        for server in likely_servers(addresses) {
            if self.ours.len() < MAX_SERVERS && self.ours.insert((server, carrier)) {
                judged.extend(self.take(|flow| (flow.server, flow.carrier) == (server, carrier)));
            }
        }
        judged
    }

    /// Notes that a flow carries something else.
    pub(super) fn note_other(&mut self, addresses: [SocketAddr; 2], transport: Transport) {
        for server in likely_servers(addresses) {
            if self.others.len() < MAX_SERVERS {
                self.others.insert((server, transport));
            }
        }
    }

    /// Lets a flow wait.
    ///
    /// # Errors
    /// The flow, when there is no room for it.
    pub(super) fn wait(&mut self, flow: Box<Waiting>) -> Result<(), Box<Waiting>> {
        let bytes = self.waiting_bytes + flow.bytes;
        if self.waiting.len() >= MAX_WAITING || bytes > MAX_WAITING_BYTES {
            return Err(flow);
        }
        self.waiting_bytes = bytes;
        self.waiting.push(*flow);
        Ok(())
    }

    /// There are no more flows: judges the next of those that wait, with all to its server.
    /// They are ours if they hold enough together, and nothing else went there.
    pub(super) fn next_group(&mut self) -> Option<Group> {
        let first = self.waiting.first()?;
        let (server, carrier) = (first.server, first.carrier);
        let transport = first.flow.transport;
        let flows = self.take(|flow| (flow.server, flow.carrier) == (server, carrier));
        let mut all: Option<Unanswered> = None;
        for flow in &flows {
            match &mut all {
                None => all = Some(flow.unanswered.clone()),
                Some(all) => all.join(&flow.unanswered),
            }
        }
        // Beyond the bound the other flows there are unknown.
        let is_alone =
            self.others.len() < MAX_SERVERS && !self.others.contains(&(server, transport));
        let verdict = all
            .filter(|all| is_alone && all.is_enough())
            .map(|all| all.verdict());
        Some(Group { flows, verdict })
    }

    fn take(&mut self, which: impl Fn(&Waiting) -> bool) -> Vec<Waiting> {
        let taken: Vec<Waiting> = self.waiting.extract_if(.., |flow| which(flow)).collect();
        self.waiting_bytes -= taken.iter().map(|flow| flow.bytes).sum::<usize>();
        taken
    }
}

fn server_of(flow: &Flow<FlowState>, unanswered: &Unanswered) -> Option<(SocketAddr, Carrier)> {
    let to_server = side_of(unanswered.to_server()?);
    let carrier = unanswered.verdict().carrier()?;
    Some((flow.address(to_server.opposite()), carrier))
}

/// The ends of a flow that may be its server: the one that was dialled, and the one with the
/// lower port.
fn likely_servers(addresses: [SocketAddr; 2]) -> impl Iterator<Item = SocketAddr> {
    let [initiator, responder] = addresses;
    let also = (initiator.port() < responder.port()).then_some(initiator);
    [Some(responder), also].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_that_are_remembered_are_bounded() {
        let mut servers = Servers::default();
        let addresses = |number: u32| {
            let [_, _, high, low] = number.to_be_bytes();
            [([10, 0, 0, 1], 50_000), ([10, 1, high, low], 9_004)].map(SocketAddr::from)
        };
        for number in 0..5_000 {
            assert!(
                servers
                    .note_ours(addresses(number), Carrier::Udp)
                    .is_empty()
            );
            servers.note_other(addresses(number), Transport::Tcp);
        }
        assert_eq!([servers.ours.len(), servers.others.len()], [4_096; 2]);
    }
}
