//! Conversations by the million, to measure with: one after the other, or as many
//! at once as a busy server has.

mod flow;
mod truth;

pub use truth::{Count, Truth};

use crate::carry::Prefix;
use crate::message::{self, Id};
use crate::{End, Random, Wire};
use flow::{Fate, Flow};

/// Data messages of a conversation: one of these, 3.8 on average.
const DATA_COUNTS: [u8; 5] = [2, 3, 4, 4, 6];
/// Payload bytes of a data message, at most.
const MAX_DATA_BYTES: u64 = 210;
/// Payload bytes of a larger data message: what fits into an Ethernet frame.
const LARGE_DATA_BYTES: u64 = 1_400;
/// From one message of a conversation to its next, on average, if there are enough others
/// to fill the time.
const PAUSE_NANOS: u64 = 50_000_000;
/// From one message to the next of whatever conversation, on average and at most.
const LONGEST_STEP_NANOS: u64 = 500_000;

/// How the messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BulkCarrier {
    /// One message a datagram.
    Udp,
    /// TCP, each message after its length.
    Tcp(Prefix),
}

/// How many of all, in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share(u32);

impl Share {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// So many of a million; above that it is all.
    pub const fn millionths(count: u32) -> Self {
        Self(count)
    }

    const fn doubled(self) -> Self {
        Self(self.0.saturating_mul(2))
    }

    fn drawn(self, random: &mut Random) -> bool {
        self.0 > 0 && random.below(1_000_000) < u64::from(self.0)
    }
}

/// What the traffic is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// How messages travel.
    pub carrier: BulkCarrier,
    /// Over how many flows, at most 5,000,000. A conversation takes one at random. All
    /// are opened before the first conversation, and none is closed.
    pub flows: u32,
    /// Conversations that come and go, besides the idle ones; at most 2^24 - 1 with them,
    /// after which ids would repeat.
    pub conversations: u64,
    /// How many of them are open at once; which one goes on is drawn for each message.
    pub open: usize,
    /// Conversations that are accepted before the others begin, and stay open without a word.
    pub idle: u64,
    /// Of all conversations, those that the server refuses.
    pub refused: Share,
    /// Of the accepted ones, those that end without a close.
    pub unclosed: Share,
    /// Of the closed ones, those that both ends close.
    pub crossing: Share,
    /// Of the closed ones, those with data under way from the other end.
    pub late: Share,
    /// Of all data messages, those of 211 to 1,400 bytes instead of 1 to 210.
    pub large: Share,
    /// Of all TCP segments, those that come twice or late, about half each.
    pub disorder: Share,
    /// Another seed gives other bytes.
    pub seed: u64,
}

impl Shape {
    /// Conversations without end, one after the other over one flow, each closed by one end.
    pub const fn sequential(carrier: BulkCarrier) -> Self {
        Self {
            carrier,
            flows: 1,
            conversations: 0xff_ffff,
            open: 1,
            idle: 0,
            refused: Share::NONE,
            unclosed: Share::NONE,
            crossing: Share::NONE,
            late: Share::NONE,
            large: Share::NONE,
            disorder: Share::NONE,
            seed: 1,
        }
    }

    /// A bit of all that may happen: refusals, unclosed conversations, crossing closes, late
    /// data, large messages, disorder.
    pub const fn eventful(carrier: BulkCarrier) -> Self {
        Self {
            refused: Share::millionths(30_000),
            unclosed: Share::millionths(20_000),
            crossing: Share::millionths(500_000),
            late: Share::millionths(50_000),
            large: Share::millionths(50_000),
            disorder: Share::millionths(50_000),
            ..Self::sequential(carrier)
        }
    }
}

/// Makes conversations: a SYN with a 387- or 391-byte destination, an ACK, two to six
/// data messages of varied size, and a close, if the [`Shape`] asks for nothing else. 6.8
/// messages on average, about 1.2 kB in a capture.
#[derive(Clone, Debug)]
pub struct Bulk {
    shape: Shape,
    random: Random,
    flows: Vec<Flow>,
    open: Vec<Conversation>,
    nanos: i64,
    started: u64,
    truth: Truth,
}

/// One that goes on.
#[derive(Clone, Copy, Debug)]
struct Conversation {
    /// Its ids follow from it.
    number: u32,
    flow: u32,
    next: Next,
    /// Data messages of which one was sent already.
    data_sent: u8,
    data_to_send: u8,
}

/// What comes next in a conversation.
#[derive(Clone, Copy, Debug)]
enum Next {
    Answer,
    Data,
    Close,
    /// Data from that end, which does not know yet that the other closed.
    LateData(End),
    /// A close from that end, likewise.
    CrossingClose(End),
}

impl Bulk {
    /// Nothing made yet.
    pub fn new(shape: Shape) -> Self {
        Self {
            shape,
            random: Random::new(shape.seed),
            flows: Vec::new(),
            open: Vec::new(),
            nanos: 0,
            started: 0,
            truth: Truth::default(),
        }
    }

    /// Records the next packets, a few at most; `false` when there are no more.
    pub fn advance(&mut self, wire: &mut Wire) -> bool {
        wire.at_nanos(self.nanos);
        let is_over = self.started == self.shape.idle + self.shape.conversations;
        if let Ok(number) = u32::try_from(self.flows.len())
            && number < self.shape.flows
        {
            self.flows
                .push(Flow::open(self.shape.carrier, number, wire));
            self.nanos = wire.now_nanos();
        } else if self.started < self.shape.idle {
            self.begin_idle(wire);
        } else if !is_over || !self.open.is_empty() {
            self.go_on(wire);
        } else if let Some(mut flow) = self.flows.pop() {
            flow.deliver_under_way(wire, &mut self.truth);
            // No flow is opened again.
            self.shape.flows = 0;
        } else {
            return false;
        }
        true
    }

    /// Records packets until one more conversation is over.
    pub fn record(&mut self, wire: &mut Wire) {
        let over = self.truth.conversations();
        while self.truth.conversations() == over && self.advance(wire) {}
    }

    /// What was recorded so far.
    pub const fn truth(&self) -> &Truth {
        &self.truth
    }

    fn begin_idle(&mut self, wire: &mut Wire) {
        let conversation = self.begin(wire);
        let (client, server) = conversation.ids();
        let ack = message::ack(client, server);
        self.send(wire, conversation.flow, End::Server, &ack);
        self.truth.acks += 1;
        self.truth.idle += 1;
        self.truth.unclosed += 1;
    }

    fn go_on(&mut self, wire: &mut Wire) {
        let all_began = self.started == self.shape.idle + self.shape.conversations;
        let places = if all_began {
            self.open.len()
        } else {
            self.shape.open.max(1)
        };
        // Of the places, those that nobody has taken come last.
        let place = self.random.index(places);
        match self.open.get(place).copied() {
            None => {
                let conversation = self.begin(wire);
                self.open.push(conversation);
            }
            Some(conversation) => match self.send_next(wire, conversation) {
                Some(next) => self.open[place] = next,
                None => {
                    self.open.swap_remove(place);
                }
            },
        }
    }

    fn begin(&mut self, wire: &mut Wire) -> Conversation {
        let random = &mut self.random;
        let conversation = Conversation {
            number: u32::try_from(self.started).expect("at most 2^24 conversations"),
            flow: u32::try_from(random.index(self.flows.len())).expect("at most 5,000,000 flows"),
            next: Next::Answer,
            data_sent: 0,
            data_to_send: DATA_COUNTS[random.index(DATA_COUNTS.len())],
        };
        self.started += 1;
        let (client, _) = conversation.ids();
        let syn = message::syn(client, &destination(random));
        self.send(wire, conversation.flow, End::Client, &syn);
        self.truth.syns += 1;
        conversation
    }

    /// Sends the next message of a conversation; the conversation after it, unless
    /// that was the last.
    fn send_next(&mut self, wire: &mut Wire, conversation: Conversation) -> Option<Conversation> {
        let (client, server) = conversation.ids();
        let mut after = conversation;
        match conversation.next {
            Next::Answer if self.shape.refused.drawn(&mut self.random) => {
                self.close(wire, conversation, End::Server);
                self.truth.refused += 1;
                return None;
            }
            Next::Answer => {
                let ack = message::ack(client, server);
                self.send(wire, conversation.flow, End::Server, &ack);
                self.truth.acks += 1;
                after.next = Next::Data;
            }
            Next::Data => {
                // One question, two answers.
                let from = match conversation.data_sent % 3 {
                    0 => End::Client,
                    _ => End::Server,
                };
                self.send_data(wire, conversation, from);
                after.data_sent += 1;
                if after.data_sent == conversation.data_to_send {
                    if self.shape.unclosed.drawn(&mut self.random) {
                        self.truth.unclosed += 1;
                        return None;
                    }
                    after.next = Next::Close;
                }
            }
            Next::Close => {
                let from = match self.random.below(2) {
                    0 => End::Client,
                    _ => End::Server,
                };
                self.close(wire, conversation, from);
                match from {
                    End::Client => self.truth.client_closed += 1,
                    End::Server => self.truth.server_closed += 1,
                }
                after.next = if self.shape.late.drawn(&mut self.random) {
                    Next::LateData(from.opposite())
                } else {
                    self.after_late_data(from.opposite())?
                };
            }
            Next::LateData(from) => {
                self.send_data(wire, conversation, from);
                self.truth.late_data += 1;
                after.next = self.after_late_data(from)?;
            }
            Next::CrossingClose(from) => {
                self.close(wire, conversation, from);
                self.truth.crossing_closes += 1;
                return None;
            }
        }
        Some(after)
    }

    fn after_late_data(&mut self, from: End) -> Option<Next> {
        let crosses = self.shape.crossing.drawn(&mut self.random);
        crosses.then_some(Next::CrossingClose(from))
    }

    fn send_data(&mut self, wire: &mut Wire, conversation: Conversation, from: End) {
        let random = &mut self.random;
        let length = if self.shape.large.drawn(random) {
            MAX_DATA_BYTES + 1 + random.below(LARGE_DATA_BYTES - MAX_DATA_BYTES)
        } else {
            1 + random.below(MAX_DATA_BYTES)
        };
        let bytes = random.bytes(usize::try_from(length).expect("fits into a frame"));
        let (client, server) = conversation.ids();
        let (data, count) = match from {
            End::Client => (
                message::client_data(server, &bytes),
                &mut self.truth.client_data,
            ),
            End::Server => (
                message::server_data(client, &bytes),
                &mut self.truth.server_data,
            ),
        };
        count.messages += 1;
        count.payload_bytes += length;
        self.send(wire, conversation.flow, from, &data);
    }

    fn close(&mut self, wire: &mut Wire, conversation: Conversation, from: End) {
        let (client, server) = conversation.ids();
        let close = match from {
            End::Client => message::client_close(server),
            End::Server => message::server_close(client),
        };
        self.send(wire, conversation.flow, from, &close);
        self.truth.closes += 1;
    }

    fn send(&mut self, wire: &mut Wire, flow: u32, from: End, message: &[u8]) {
        let fate = match self.random.below(2) {
            _ if self.shape.disorder == Share::NONE => Fate::Arrives,
            0 if self.shape.disorder.drawn(&mut self.random) => Fate::ComesTwice,
            // Only about half of them will find a segment that can overtake them.
            1 if self.shape.disorder.doubled().drawn(&mut self.random) => Fate::IsOvertaken,
            _ => Fate::Arrives,
        };
        let flow = &mut self.flows[usize::try_from(flow).expect("an index of 32 bits")];
        let before = wire.packets.len();
        flow.send(
            wire.at_nanos(self.nanos),
            from,
            message,
            fate,
            &mut self.truth,
        );
        // A segment that comes late bears the time at which it comes.
        for packet in &mut wire.packets[before..] {
            packet.nanos = self.nanos;
        }
        let at_once = u64::try_from(self.shape.open).expect("a count").max(1);
        let step = (PAUSE_NANOS / at_once).clamp(1, LONGEST_STEP_NANOS);
        let pause = 1 + self.random.below(2 * step);
        self.nanos += i64::try_from(pause).expect("below a millisecond");
    }
}

impl Conversation {
    /// Client id and server id.
    fn ids(&self) -> (Id, Id) {
        (id(self.number, 0x9e_3779), id(self.number, 0x85_ebcb))
    }
}

/// Never 0, and the same again only after 2^24 - 1 conversations: an odd step
/// passes through all 2^24 values before it comes back to 0.
fn id(number: u32, odd_step: u64) -> Id {
    let position = u64::from(number) % 0xff_ffff + 1;
    let [.., a, b, c] = (position * odd_step).to_be_bytes();
    [a, b, c]
}

/// Three of four are as the reference implementation makes them.
fn destination(random: &mut Random) -> Vec<u8> {
    let mut bytes = random.bytes(384);
    let certificate: &[u8] = match random.below(4) {
        0 => &[5, 0, 4, 0, 7, 0, 0],
        _ => &[0, 0, 0],
    };
    bytes.extend_from_slice(certificate);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_never_zero_and_do_not_repeat_soon() {
        for odd_step in [0x9e_3779, 0x85_ebcb] {
            let mut seen = vec![false; 1 << 24];
            for number in 0..0xff_ffff {
                let [a, b, c] = id(number, odd_step);
                let value = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                assert!(value != 0 && !seen[value], "{number}");
                seen[value] = true;
            }
        }
    }
}
