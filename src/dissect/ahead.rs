//! Looking ahead at the packets that come next.
//!
//! On a busy server nothing that a message needs is in the processor's caches: not its
//! flow, not the place where its id stands, not its conversation. So these are looked for
//! in stages, each for some hundred packets at a time: the processor has many independent
//! reads under way and waits for all of them at once. What was found is kept as what to
//! expect, and looked for anew where it turns out to be something else, so that nothing
//! that is told depends on it.

use super::flows::{FlowState, Messages};
use super::{Depth, Window};
use crate::conversation::{ExpectedRecord, Prospect};
use crate::net::{FlowPlace, FlowSight, Glance, Network};

/// Bytes of a payload that are looked at: those that a length takes, type and ids.
const HEAD_BYTES: usize = 12;

/// Flows, and conversations, of which a processor's caches hold all that messages need, so
/// that looking ahead costs more than it spares.
const FEW_FLOWS: usize = 256;
const FEW_CONVERSATIONS: usize = 6_000;

/// Where the next packets will look.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    packets: Vec<Coming>,
    /// Where they pass on to the record of a conversation.
    prospects: Vec<(usize, Prospect)>,
    /// The next packet that is taken.
    next: usize,
}

/// A packet to come.
#[derive(Clone, Copy, Debug)]
struct Coming {
    flow: FlowSight,
    head: [u8; HEAD_BYTES],
    head_bytes: u8,
    expected: Expected,
}

/// Where a packet is expected to belong.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Expected {
    pub(super) flow: Option<FlowPlace>,
    pub(super) record: Option<ExpectedRecord>,
}

impl Coming {
    #[inline(always)]
    fn new(flow: FlowSight, payload: &[u8]) -> Self {
        let mut head = [0; HEAD_BYTES];
        let head_bytes = match payload.first_chunk() {
            Some(chunk) => {
                head = *chunk;
                HEAD_BYTES
            }
            None => {
                head[..payload.len()].copy_from_slice(payload);
                payload.len()
            }
        };
        Self {
            flow,
            head,
            // At most twelve.
            head_bytes: head_bytes as u8,
            expected: Expected::default(),
        }
    }

    fn head(&self) -> &[u8] {
        &self.head[..usize::from(self.head_bytes)]
    }
}

impl Ahead {
    /// What is expected of the packet that comes now.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Expected {
        let expected = self.packets.get(self.next).map(|coming| coming.expected);
        self.next += 1;
        expected.unwrap_or_default()
    }

    /// Looks ahead at packets, which must be the next ones to come.
    pub(super) fn look(
        &mut self,
        window: Window<'_>,
        network: &Network<FlowState>,
        messages: &Messages,
    ) {
        self.next = 0;
        self.packets.clear();
        let (flows, conversations) = (network.flow_count(), messages.tracker.tracked_count());
        if flows <= FEW_FLOWS && conversations <= FEW_CONVERSATIONS {
            return;
        }
        for (decoded, hash) in window.contents() {
            let sight = Network::<FlowState>::sight(&decoded, hash);
            self.packets.push(Coming::new(sight, decoded.payload()));
        }
        for coming in &mut self.packets {
            coming.expected.flow = network.look_up(coming.flow);
        }
        let mut touched = 0;
        for coming in &self.packets {
            touched ^= coming.expected.flow.map_or(0, |flow| network.touch(flow));
        }
        // The reads are the purpose.
        std::hint::black_box(touched);
        if messages.depth() == Depth::Conversations {
            self.look_for_records(network, messages);
        }
    }

    fn look_for_records(&mut self, network: &Network<FlowState>, messages: &Messages) {
        let mut touched = 0;
        self.prospects.clear();
        for coming in self.packets.iter().filter(|coming| coming.flow.is_tcp()) {
            if let Some(place) = coming.expected.flow {
                let glance = network.glance(place, coming.flow);
                touched ^= glance.touched ^ Messages::touch(glance.flow);
            }
        }
        for (index, coming) in self.packets.iter().enumerate() {
            let Some(place) = coming.expected.flow else {
                continue;
            };
            let Glance { flow, from, .. } = network.glance(place, coming.flow);
            let prospect = messages.prospect(flow, from, coming.head());
            self.prospects
                .extend(prospect.map(|prospect| (index, prospect)));
        }
        for (index, prospect) in &self.prospects {
            self.packets[*index].expected.record = messages.tracker.look_up(*prospect);
        }
        let mut closes = 0;
        for (index, prospect) in &self.prospects {
            closes += usize::from(prospect.is_close());
            if let Some(record) = self.packets[*index].expected.record {
                touched ^= messages.tracker.touch(*prospect, record);
            }
        }
        touched ^= messages.tracker.touch_told(closes);
        std::hint::black_box(touched);
    }
}
