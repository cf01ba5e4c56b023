//! The dissector: packets in, messages, findings and conversations out.
//!
//! This is where the layers meet: the network layer delivers datagrams and stream bytes, a carrier
//! cuts them into messages, the tracker finds their meaning. Carriers do not know frames and frames
//! do not know carriers.

mod ahead;
mod carriers;
mod channels;
mod copies;
mod decode_as;
mod decoding;
mod encrypted;
mod findings;
pub(crate) mod flow_direction;
mod flow_state;
mod flows;
mod following;
mod located;
mod near;
mod news;
mod options;
mod packets;
mod passage;
mod passing;
pub(crate) mod recognise;
mod servers;
mod sink;
mod source;
mod streams;
mod threaded_sink;
mod tracking;

pub use carriers::ForeignCounts;
pub use decode_as::{DecodeAs, DecodeAsError};
pub use near::{NearFlow, NearFlows};
pub use options::{Depth, DissectOptions};
pub use packets::{CaptureStep, DecodedPacket};
pub use passing::{PassingCounts, PassingDissector, PassingFlow, PassingFrames};
pub use sink::{Collected, DetectionSource, FlowReport, Sink};
pub use source::{StepSource, Steps};
pub use threaded_sink::ThreadedSink;

use crate::capture::{CaptureError, InputInfo, Packet, PacketSource};
use crate::conversation::{
    Conversation, DetailName, EndOfInput, FindingCode, FindingDetail, Forgotten, Tracker,
    TrackerOptions,
};
use crate::net::{CopyCounts, NetworkCounts, PacketDecoder};
use crate::time::Timestamp;

use findings::about_capture;
use flows::{FlowCounts, Flows};
use source::AtHand;
use tracking::Tracking;

/// Counts of a dissection.
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

/// Counts of data forgotten for want of memory, as `cap.evicted` reports them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EvictedCounts {
    /// Flows, while they may have been in use.
    pub flows: u64,
    /// Conversations that were reported as they stood.
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
    flows: Flows,
    tracking: Tracking,
}

impl Dissector {
    /// A dissector that has seen nothing.
    pub fn new(options: DissectOptions) -> Self {
        let flows = Flows::new(&options);
        let tracker = Tracker::new(TrackerOptions {
            destinations: options.destinations,
            wording: options.wording,
            ..options.tracker
        });
        Self {
            decoder: PacketDecoder::new(&options.network),
            flows,
            tracking: Tracking::new(options.depth, tracker, options.memory_advice),
        }
    }

    /// Feeds the next packet.
    ///
    /// # Errors
    /// The first error of `sink`; the dissection is over then.
    pub fn push<S: Sink>(&mut self, packet: &Packet<'_>, sink: &mut S) -> Result<(), S::Error> {
        let content = self.decoder.decode(packet);
        let packet = DecodedPacket::new(packet, content);
        self.flows
            .packet(&packet, None, &mut self.tracking.with(sink))?;
        self.report_lost_datagrams(sink)
    }

    /// Feeds the next steps of a [`StepSource`] that are at hand, until `sink` has something to do
    /// at the end of a packet; then [`Sink::packet_end`] is due, and the others come again. Takes
    /// less time than one step after the other: the memory for their messages is looked for at
    /// once. Packets that are fed to [`push`](Self::push) are decoded apart from these.
    ///
    /// # Errors
    /// The first error of `sink`; the dissection is over then.
    pub fn push_steps<S: Sink>(&mut self, steps: Steps<'_>, sink: &mut S) -> Result<(), S::Error> {
        match steps.0 {
            AtHand::One(None) => Ok(()),
            AtHand::One(Some(step)) => self.push_step(&step, sink),
            AtHand::Window(walk) => self.push_window(walk, sink),
            AtHand::Located(walk) => {
                while !walk.is_over() {
                    let in_step = self.tracking.take_next(walk, sink)?;
                    if in_step == located::InStep::Last && sink.awaits_packet_end() {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    #[inline(always)]
    fn push_step<S: Sink>(&mut self, step: &CaptureStep<'_>, sink: &mut S) -> Result<(), S::Error> {
        let Self {
            flows, tracking, ..
        } = self;
        match step {
            CaptureStep::Packet(packet) => {
                if packet.content.is_ok() {
                    tracking.next_step();
                }
                flows.next_packet(packet, &mut tracking.with(sink))
            }
            CaptureStep::Lost(lost) => flows.lost_datagram(lost, &mut tracking.with(sink)),
        }
    }

    fn push_window<S: Sink>(
        &mut self,
        walk: &mut packets::Walk,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        if walk.is_at_end_of_window() {
            let window = walk.next_window();
            let Self {
                flows, tracking, ..
            } = self;
            if flows.are_many() || tracking.are_many() {
                flows.look(window);
                tracking.look(flows.messages_ahead());
            } else {
                flows.look_no_more();
                tracking.look_no_more();
            }
        }
        while !walk.is_at_end_of_window()
            && let Some(step) = walk.step()
        {
            self.push_step(&step, sink)?;
            if sink.awaits_packet_end() {
                break;
            }
        }
        Ok(())
    }

    /// The capture is over: reports everything that is still open.
    ///
    /// # Errors
    /// The first error of `sink`.
    pub fn finish<S: Sink>(&mut self, end: EndOfInput, sink: &mut S) -> Result<(), S::Error> {
        self.decoder.finish();
        self.report_lost_datagrams(sink)?;
        self.flows.finish(&mut self.tracking.with(sink))?;
        self.tracking.finish(end, &self.flows.counts(), sink)
    }

    /// The same, of a capture whose steps came from `source`.
    ///
    /// # Errors
    /// The first error of `sink`.
    pub fn finish_steps<P: PacketSource, S: Sink>(
        &mut self,
        end: EndOfInput,
        source: &mut StepSource<P>,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        if let Some(following) = source.following() {
            while let Some(walk) = following.walk_to_end() {
                while !walk.is_over() {
                    self.tracking.take_next(walk, sink)?;
                }
            }
            if let Some(flows) = following.take_flows() {
                self.flows = flows;
            }
            return self.tracking.finish(end, &self.flows.counts(), sink);
        }
        self.finish(end, sink)
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
            vec![(DetailName::PacketCount, FindingDetail::Number(packets))],
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

    /// The conversations that were not reported yet, as they stand.
    pub fn tracked(&self) -> Vec<Conversation> {
        self.tracking.tracker.tracked()
    }

    /// Flows that were judged to be another protocol's and have something of ours.
    pub const fn near_flows(&self) -> &NearFlows {
        self.flows.near()
    }

    /// The counts so far.
    pub fn counts(&self) -> DissectCounts {
        let FlowCounts {
            network,
            foreign,
            start,
            latest,
        } = self.flows.counts();
        let tracker = &self.tracking.tracker;
        let forgotten = tracker.forgotten();
        DissectCounts {
            network,
            messages: tracker.message_count(),
            conversations: tracker.conversation_count(),
            forgotten,
            evicted: EvictedCounts {
                flows: network.evicted_flows,
                conversations: forgotten.conversations,
                closed_conversations: forgotten.closed_conversations,
            },
            foreign,
            start,
            end: latest,
        }
    }

    fn report_lost_datagrams<S: Sink>(&mut self, sink: &mut S) -> Result<(), S::Error> {
        while let Some(lost) = self.decoder.next_lost_datagram() {
            self.flows
                .lost_datagram(&lost, &mut self.tracking.with(sink))?;
        }
        Ok(())
    }
}
