//! Looking ahead at the packets that come next.
//!
//! On a busy server none of a message's data are in the processor's caches: not its flow, not the
//! place where its id stands, not its conversation. So these are looked for in stages, each for
//! some hundred packets at a time: the processor has many independent reads under way and waits for
//! all of them at once. The results are kept as expectations, and looked for anew where they turn
//! out wrong, so that no report depends on them.

use super::flow_state::FlowState;
use super::packets::Window;
use crate::conversation::{ChannelId, ExpectedRecord, Prospect, Tracker};
use crate::net::{FlowPlace, FlowSight, Network, Side};
use crate::wire::RawMessage;

/// Bytes of a payload that are looked at: those that a length takes, type and ids.
const HEAD_BYTES: usize = 12;

/// Flows, and conversations, of which a processor's caches hold all that messages need, so
/// that looking ahead costs more than it spares.
const FEW_FLOWS: usize = 256;
const FEW_CONVERSATIONS: usize = 6_000;

/// The places at which the flows of the next packets are expected.
#[derive(Debug, Default)]
pub(super) struct FlowsAhead {
    packets: Vec<Coming>,
    /// The next packet that is taken.
    next: usize,
}

/// A packet to come.
#[derive(Clone, Copy, Debug)]
struct Coming {
    flow: FlowSight,
    head: [u8; HEAD_BYTES],
    head_bytes: u8,
    place: Option<FlowPlace>,
}

/// A glimpse of a message to come: its channel, its sender, and its beginning.
pub(super) type Glimpse<'a> = (ChannelId, Side, RawMessage<'a>);

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
            place: None,
        }
    }

    fn head(&self) -> &[u8] {
        &self.head[..usize::from(self.head_bytes)]
    }
}

impl FlowsAhead {
    /// The expected place of the flow of the current packet.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<FlowPlace> {
        let coming = self.packets.get(self.next)?;
        self.next += 1;
        coming.place
    }

    /// Whether there are so many flows that it is worth while.
    pub(super) fn is_of_use(network: &Network<FlowState>) -> bool {
        network.flow_count() > FEW_FLOWS
    }

    /// Expects nothing.
    pub(super) fn clear(&mut self) {
        self.next = 0;
        self.packets.clear();
    }

    /// Looks ahead at packets, which must be the next ones to come.
    pub(super) fn look(&mut self, window: Window<'_>, network: &Network<FlowState>) {
        self.clear();
        for (decoded, hash) in window.contents() {
            let sight = Network::<FlowState>::sight(&decoded, hash);
            self.packets.push(Coming::new(sight, decoded.payload()));
        }
        for coming in &mut self.packets {
            coming.place = network.look_up(coming.flow);
        }
        let mut touched = 0;
        for coming in &self.packets {
            touched ^= coming.place.map_or(0, |flow| network.touch(flow));
        }
        for coming in self.packets.iter().filter(|coming| coming.flow.is_tcp()) {
            if let Some(place) = coming.place {
                let glance = network.glance(place, coming.flow);
                touched ^= glance.touched ^ glance.flow.state.touch();
            }
        }
        // The reads are the purpose.
        std::hint::black_box(touched);
    }

    /// The presumed first message of each of these packets.
    pub(super) fn messages<'a>(
        &'a self,
        network: &'a Network<FlowState>,
    ) -> impl Iterator<Item = Option<Glimpse<'a>>> {
        self.packets.iter().map(|coming| {
            let glance = network.glance(coming.place?, coming.flow);
            let state = &glance.flow.state;
            let (channel, message) = state.first_message(glance.from, coming.head())?;
            Some((channel, glance.from, RawMessage::parse(message)))
        })
    }
}

/// The expected conversations of the next messages.
#[derive(Debug, Default)]
pub(super) struct RecordsAhead {
    prospects: Vec<(usize, Prospect)>,
    /// Those that are about no conversation that is tracked now.
    late: Vec<Prospect>,
    expected: Vec<Option<ExpectedRecord>>,
    /// The next message that is taken.
    next: usize,
}

impl RecordsAhead {
    /// The expected record of the current message.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<ExpectedRecord> {
        let expected = *self.expected.get(self.next)?;
        self.next += 1;
        expected
    }

    /// Whether there are so many conversations that it is worth while.
    pub(super) fn is_of_use(tracker: &Tracker) -> bool {
        tracker.tracked_count() > FEW_CONVERSATIONS
    }

    /// Expects nothing.
    pub(super) fn clear(&mut self) {
        self.next = 0;
        self.expected.clear();
    }

    /// Looks ahead at messages, which must be the next ones to come.
    pub(super) fn look<'a>(
        &mut self,
        messages: impl Iterator<Item = Option<Glimpse<'a>>>,
        tracker: &Tracker,
    ) {
        self.clear();
        self.prospects.clear();
        for (index, glimpse) in messages.enumerate() {
            self.expected.push(None);
            let prospect = glimpse
                .and_then(|(channel, from, message)| tracker.prospect(channel, from, &message));
            self.prospects
                .extend(prospect.map(|prospect| (index, prospect)));
        }
        for (index, prospect) in &self.prospects {
            self.expected[*index] = tracker.look_up(*prospect);
        }
        let mut touched = 0;
        let mut closes = 0;
        self.late.clear();
        for (index, prospect) in &self.prospects {
            closes += usize::from(prospect.is_close());
            match self.expected[*index] {
                Some(record) => touched ^= tracker.touch(*prospect, record),
                None if prospect.is_syn() => {}
                None => {
                    touched ^= tracker.touch_late(*prospect);
                    self.late.push(*prospect);
                }
            }
        }
        touched ^= tracker.touch_reported(closes);
        for prospect in &self.late {
            touched ^= tracker.touch_found_late(*prospect);
        }
        // The reads are the purpose.
        std::hint::black_box(touched);
    }
}
