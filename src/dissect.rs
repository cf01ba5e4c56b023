//! The dissector: packets in, messages, findings and conversations out.
//!
//! This is where the layers meet: the network layer delivers datagrams and
//! stream bytes, a carrier cuts them into messages, the tracker tells what
//! these mean. Carriers do not know frames and frames do not know carriers.

mod ahead;
mod copies;
mod decode_as;
mod decoded;
mod encrypted;
mod flows;
mod near;
mod passing;
pub(crate) mod recognise;
mod relay;
mod servers;
mod sink;
mod streams;

pub use decode_as::{DecodeAs, DecodeAsError};
use decoded::Window;
pub use decoded::{DecodedPacket, DecodedSource, Step, Steps};
pub use flows::ForeignCounts;
pub use near::{NearFlow, NearFlows};
pub use passing::{PassingCounts, PassingDissector, PassingFlow, PassingFrames};
pub use relay::Relay;
pub use sink::{Collected, Decided, FlowReport, Sink};

use std::sync::Arc;

use crate::capture::{CaptureError, InputInfo, Packet};
use crate::carrier::tls::KeyLog;
use crate::conversation::{
    Conversation, Destinations, EndOfInput, Finding, FindingCode, FindingDetail, Forgotten,
    Tracker, TrackerOptions, Wording,
};
use crate::net::{
    Arrival, CopyCounts, LostDatagram, Network, NetworkCounts, NetworkLimits, PacketDecoder,
};
use crate::time::Timestamp;

use ahead::{Ahead, Expected};
use flows::{FlowState, Messages};

/// What a [`Dissector`] is asked for.
#[derive(Clone, Debug)]
pub struct DissectOptions {
    /// How far to go.
    pub depth: Depth,
    /// Whether to hash the destination of every SYN.
    pub destinations: Destinations,
    /// Whether anybody reads the words of findings about messages.
    pub wording: Wording,
    /// Ports whose carrier is given. The first rule that fits a flow holds.
    pub decode_as: Vec<DecodeAs>,
    /// Secrets of TLS connections, which are looked into.
    pub secrets: Option<Arc<KeyLog>>,
    /// Bounds of the network layer.
    pub network: NetworkLimits,
    /// Bounds and times of the tracker; its `destinations` and `wording` are overruled
    /// by those here.
    pub tracker: TrackerOptions,
}

impl Default for DissectOptions {
    fn default() -> Self {
        Self {
            depth: Depth::Conversations,
            destinations: Destinations::Hash,
            wording: Wording::Full,
            decode_as: Vec::new(),
            secrets: None,
            network: NetworkLimits::default(),
            tracker: TrackerOptions::default(),
        }
    }
}

impl DissectOptions {
    /// Bounds everything that is kept by one number: half of it for conversations,
    /// three eighths for flows with what is held for them, and an eighth for
    /// segments and fragments that wait for others. Below 4 MiB it is taken as that.
    #[must_use]
    pub fn with_memory(mut self, bytes: usize) -> Self {
        let bytes = bytes.max(4 << 20);
        self.tracker.memory_bytes = bytes / 2;
        self.network.flow_bytes = bytes / 8 * 3;
        let network = NetworkLimits::default();
        self.network.total_stream_bytes = network.total_stream_bytes.min(bytes / 16);
        self.network.stream_bytes = network.stream_bytes.min(bytes / 32);
        self.network.fragment_bytes = network.fragment_bytes.min(bytes / 16);
        self
    }
}

/// How far a dissection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Messages only: no conversations, and no findings about messages, but where both sides of
    /// an I2P router may show a message twice.
    Messages,
    /// Messages and what they mean together.
    Conversations,
}

/// What a dissection has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DissectCounts {
    /// Packets, and why some of them delivered nothing.
    pub network: NetworkCounts,
    /// Messages of ministreaming.
    pub messages: u64,
    /// Conversations.
    pub conversations: u64,
    /// Conversations that were forgotten for want of memory.
    pub forgotten: Forgotten,
    /// All that was.
    pub evicted: EvictedCounts,
    /// Traffic that is not ministreaming.
    pub foreign: ForeignCounts,
    /// Time of the first packet; `None` before it.
    pub start: Option<Timestamp>,
    /// Time of the latest packet; `None` before the first.
    pub end: Option<Timestamp>,
}

/// How much was forgotten for want of memory, as `cap.evicted` tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EvictedCounts {
    /// Flows, while they may have been in use.
    pub flows: u64,
    /// Conversations that were told as they stood.
    pub conversations: u64,
    /// Conversations that were over and of which late messages are no longer recognised.
    pub closed_conversations: u64,
}

/// Dissects one capture. A value without globals: any number may run at once.
///
/// The [crate's page](crate) shows how.
#[derive(Debug)]
pub struct Dissector {
    decoder: PacketDecoder,
    follower: Follower,
}

/// What was said once and is not said again.
#[derive(Debug, Default)]
struct Seen {
    latest: Option<Timestamp>,
    time_went_backwards: bool,
    cut_packet: bool,
}

impl Dissector {
    /// A dissector that has seen nothing.
    pub fn new(options: DissectOptions) -> Self {
        let tracker = Tracker::new(TrackerOptions {
            destinations: options.destinations,
            wording: options.wording,
            ..options.tracker
        });
        let mut messages = Messages::new(options.depth, options.decode_as, tracker);
        messages.set_secrets(options.secrets);
        Self {
            decoder: PacketDecoder::new(&options.network),
            follower: Follower {
                network: Network::new(options.network),
                messages,
                seen: Seen::default(),
                ahead: Ahead::default(),
            },
        }
    }

    /// Feeds the next packet.
    ///
    /// # Errors
    /// The first error of `sink`; the dissection is over then.
    pub fn push<S: Sink>(&mut self, packet: &Packet<'_>, sink: &mut S) -> Result<(), S::Error> {
        let Self {
            decoder, follower, ..
        } = self;
        let content = decoder.decode(packet);
        let packet = DecodedPacket::new(packet, content);
        follower.packet(&packet, Expected::default(), sink)?;
        self.tell_lost_datagrams(sink)
    }

    /// Feeds the next steps of a [`DecodedSource`] that are at hand, until `sink` has
    /// something to settle; then [`Sink::settle`] is due, and the others come again. Takes
    /// less time than one step after the other: what their messages need is looked for
    /// at once. Packets that are fed to [`push`](Self::push) are decoded apart from these.
    ///
    /// # Errors
    /// The first error of `sink`; the dissection is over then.
    pub fn push_steps<S: Sink>(
        &mut self,
        mut steps: Steps<'_>,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let follower = &mut self.follower;
        if let Some(window) = steps.unseen() {
            follower
                .ahead
                .look(window, &follower.network, &follower.messages);
        }
        while let Some(step) = steps.next() {
            match &step {
                Step::Packet(packet) => follower.next_packet(packet, sink)?,
                Step::Lost(lost) => follower.lost_datagram(lost, sink)?,
            }
            if !sink.is_settled() {
                break;
            }
        }
        Ok(())
    }

    /// The capture is over: tells everything that is still open.
    ///
    /// # Errors
    /// The first error of `sink`.
    pub fn finish<S: Sink>(&mut self, end: EndOfInput, sink: &mut S) -> Result<(), S::Error> {
        self.decoder.finish();
        self.tell_lost_datagrams(sink)?;
        self.follower.finish(end, sink)
    }

    /// Takes note that an input was damaged or cut (`cap.truncated`).
    ///
    /// # Errors
    /// Those of `sink`.
    pub fn note_damage<S: Sink>(
        &mut self,
        damage: &CaptureError,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        sink.finding(&about_capture(
            FindingCode::CaptureTruncated,
            damage.to_string(),
            Vec::new(),
        ))
    }

    /// Takes note that a live capture lost packets (`cap.dropped`).
    ///
    /// # Errors
    /// Those of `sink`.
    pub fn note_drops<S: Sink>(&mut self, packets: u64, sink: &mut S) -> Result<(), S::Error> {
        sink.finding(&about_capture(
            FindingCode::CaptureDropped,
            format!("{packets} packets dropped during capture"),
            vec![("packet_count", FindingDetail::Number(packets))],
        ))
    }

    /// Takes note of second copies of packets that were left out, and between which
    /// interfaces of the inputs (`cap.duplicates`).
    ///
    /// # Errors
    /// Those of `sink`.
    pub fn note_copies<S: Sink>(
        &mut self,
        copies: &CopyCounts,
        inputs: &[InputInfo],
        sink: &mut S,
    ) -> Result<(), S::Error> {
        if copies.total == 0 {
            return Ok(());
        }
        sink.finding(&copies::finding(copies, inputs))
    }

    /// The second copies among the packets that were fed to [`push`](Self::push).
    pub const fn copies(&self) -> &CopyCounts {
        self.decoder.copies()
    }

    /// The conversations that are not told yet, as they stand.
    pub fn tracked(&self) -> Vec<Conversation> {
        self.follower.messages.tracker.tracked()
    }

    /// Flows that were judged to be another protocol's and have something of ours.
    pub const fn near_flows(&self) -> &NearFlows {
        &self.follower.messages.near
    }

    /// What was seen so far.
    pub fn counts(&self) -> DissectCounts {
        let messages = &self.follower.messages;
        let network = self.follower.network.counts();
        let forgotten = messages.tracker.forgotten();
        DissectCounts {
            network,
            messages: messages.message_count(),
            conversations: messages.tracker.conversation_count(),
            forgotten,
            evicted: EvictedCounts {
                flows: network.evicted_flows,
                conversations: forgotten.conversations,
                closed_conversations: forgotten.closed_conversations,
            },
            foreign: messages.foreign,
            start: messages.start,
            end: self.follower.seen.latest,
        }
    }

    fn tell_lost_datagrams<S: Sink>(&mut self, sink: &mut S) -> Result<(), S::Error> {
        while let Some(lost) = self.decoder.next_lost_datagram() {
            self.follower.lost_datagram(&lost, sink)?;
        }
        Ok(())
    }
}

/// Follows flows from packets whose headers were read.
#[derive(Debug)]
struct Follower {
    network: Network<FlowState>,
    messages: Messages,
    seen: Seen,
    ahead: Ahead,
}

impl Follower {
    /// Takes a packet, of which something is expected if it was looked ahead at.
    #[inline(always)]
    fn next_packet<S: Sink>(
        &mut self,
        packet: &DecodedPacket<'_>,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let expected = match packet.content {
            Ok(_) => self.ahead.next(),
            Err(_) => Expected::default(),
        };
        self.packet(packet, expected, sink)
    }

    #[inline(always)]
    fn packet<S: Sink>(
        &mut self,
        packet: &DecodedPacket<'_>,
        expected: Expected,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let arrival = packet.arrival;
        self.follow_time(arrival, sink)?;
        let messages = &mut self.messages;
        messages.expect(expected.record);
        self.network.push_expected(
            arrival,
            packet.content,
            expected.flow,
            &mut |flow, arrival, delivery| messages.deliver(flow, arrival, delivery, sink),
        )?;
        if packet.is_cut() {
            self.tell_cut_packet(packet, sink)?;
        }
        Ok(())
    }

    fn lost_datagram<S: Sink>(
        &mut self,
        lost: &LostDatagram,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        self.network.note_lost_datagram();
        sink.finding(&missing_fragments(lost))
    }

    fn finish<S: Sink>(&mut self, end: EndOfInput, sink: &mut S) -> Result<(), S::Error> {
        let messages = &mut self.messages;
        messages.begin_end();
        self.network.finish(&mut |flow, arrival, delivery| {
            messages.deliver(flow, arrival, delivery, sink)
        })?;
        messages.judge_waiting(sink)?;
        let now = self.seen.latest.unwrap_or_default();
        messages.tracker.finish(now, end);
        messages.tell_outcomes(sink)?;
        self.tell_forgotten(sink)
    }

    /// Tells what was forgotten for want of memory, one finding for each kind.
    fn tell_forgotten<S: Sink>(&self, sink: &mut S) -> Result<(), S::Error> {
        let (network, forgotten) = (self.network.counts(), self.messages.tracker.forgotten());
        let flows_since = network.evicted_since.map(|arrival| arrival.time);
        for (count, since, what, name) in [
            (
                network.evicted_flows,
                flows_since,
                "flows were forgotten while they may have been in use",
                "flow_count",
            ),
            (
                forgotten.conversations,
                forgotten.conversations_since,
                "conversations were told as they stood",
                "conversation_count",
            ),
            (
                forgotten.closed_conversations,
                forgotten.closed_conversations_since,
                "closed conversations were forgotten, and what came late for them is not recognised",
                "closed_conversation_count",
            ),
        ] {
            let (Some(since), Some(start)) = (since, self.messages.start) else {
                continue;
            };
            let since_us = since.micros_since(start).max(0);
            let text = format!(
                "{count} {what}, from {}.{:06} s on, for want of memory; raise --memory",
                since_us / 1_000_000,
                since_us % 1_000_000
            );
            sink.finding(&about_capture(
                FindingCode::CaptureEvicted,
                text,
                vec![
                    (name, FindingDetail::Number(count)),
                    ("since_us", FindingDetail::Number(since_us.unsigned_abs())),
                ],
            ))?;
        }
        Ok(())
    }

    fn follow_time<S: Sink>(&mut self, arrival: Arrival, sink: &mut S) -> Result<(), S::Error> {
        let Arrival { packet, time, .. } = arrival;
        self.messages.start.get_or_insert(time);
        match self.seen.latest {
            Some(latest) if time < latest => {
                if self.seen.time_went_backwards {
                    return Ok(());
                }
                self.seen.time_went_backwards = true;
                let back_us = latest.micros_since(time);
                let mut finding = about_capture(
                    FindingCode::CaptureTimeBackwards,
                    format!("packet {packet} is {back_us} µs before the one before it"),
                    vec![("back_us", FindingDetail::Number(back_us.unsigned_abs()))],
                );
                finding.packet = Some(packet);
                sink.finding(&finding)
            }
            _ => {
                self.seen.latest = Some(time);
                Ok(())
            }
        }
    }

    fn tell_cut_packet<S: Sink>(
        &mut self,
        packet: &DecodedPacket<'_>,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        // Packets without any payload lose nothing that matters here.
        if self.seen.cut_packet || self.network.counts().cut == 0 {
            return Ok(());
        }
        self.seen.cut_packet = true;
        let mut finding = about_capture(
            FindingCode::CaptureSnaplen,
            format!(
                "packet {} is cut to {} of {} bytes; capture with a larger -s",
                packet.arrival.packet,
                packet.captured_bytes,
                packet.link_bytes()
            ),
            vec![
                (
                    "captured_bytes",
                    FindingDetail::Number(u64::from(packet.captured_bytes)),
                ),
                ("original_bytes", FindingDetail::Number(packet.link_bytes())),
            ],
        );
        finding.packet = Some(packet.arrival.packet);
        sink.finding(&finding)
    }
}

fn about_capture(
    code: FindingCode,
    text: String,
    detail: Vec<(&'static str, FindingDetail)>,
) -> Finding {
    Finding {
        code,
        level: code.level(),
        message: None,
        packet: None,
        conversation: None,
        text,
        detail,
    }
}

fn missing_fragments(lost: &LostDatagram) -> Finding {
    let mut finding = about_capture(
        FindingCode::UdpFragmentMissing,
        format!(
            "{} of {} bytes of a datagram from {} to {}",
            lost.received_bytes,
            lost.total_bytes
                .map_or("unknown".to_owned(), |bytes| bytes.to_string()),
            lost.source,
            lost.destination
        ),
        vec![(
            "received_bytes",
            FindingDetail::Number(u64::from(lost.received_bytes)),
        )],
    );
    finding.packet = Some(lost.arrival.packet);
    finding
}
