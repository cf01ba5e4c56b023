//! The dissector: packets in, messages, findings and conversations out.
//!
//! This is where the layers meet: the network layer delivers datagrams and
//! stream bytes, a carrier cuts them into messages, the tracker tells what
//! these mean. Carriers do not know frames and frames do not know carriers.

mod decode_as;
mod flows;
mod sink;
mod streams;

pub use decode_as::{DecodeAs, DecodeAsError};
pub use flows::ForeignCounts;
pub use sink::{Collected, Decided, FlowReport, Sink};

use crate::capture::{CaptureError, Packet};
use crate::conversation::{
    Conversation, Destinations, EndOfInput, Finding, FindingCode, FindingDetail, Tracker,
    TrackerOptions,
};
use crate::net::{LostDatagram, Network, NetworkCounts, NetworkLimits};
use crate::time::Timestamp;

use flows::{FlowState, Messages};

/// What a [`Dissector`] is asked for.
#[derive(Clone, Debug)]
pub struct DissectOptions {
    /// How far to go.
    pub depth: Depth,
    /// Whether to hash the destination of every SYN.
    pub destinations: Destinations,
    /// Ports whose carrier is given. The first rule that fits a flow holds.
    pub decode_as: Vec<DecodeAs>,
    /// Bounds of the network layer.
    pub network: NetworkLimits,
    /// Bounds and times of the tracker; its `destinations` is overruled by the one here.
    pub tracker: TrackerOptions,
}

impl Default for DissectOptions {
    fn default() -> Self {
        Self {
            depth: Depth::Conversations,
            destinations: Destinations::Hash,
            decode_as: Vec::new(),
            network: NetworkLimits::default(),
            tracker: TrackerOptions::default(),
        }
    }
}

/// How far a dissection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Messages only: no conversations, and no findings about messages.
    Messages,
    /// Messages and what they mean together.
    Conversations,
}

/// What a dissection has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DissectCounts {
    /// Packets, and why some of them delivered nothing.
    pub network: NetworkCounts,
    /// Messages of ministreaming.
    pub messages: u64,
    /// Conversations.
    pub conversations: u64,
    /// Conversations told before their end because there were too many.
    pub evicted_conversations: u64,
    /// Traffic that is not ministreaming.
    pub foreign: ForeignCounts,
    /// Time of the first packet; `None` before it.
    pub start: Option<Timestamp>,
    /// Time of the latest packet; `None` before the first.
    pub end: Option<Timestamp>,
}

/// Dissects one capture. A value without globals: any number may run at once.
///
/// The [crate's page](crate) shows how.
#[derive(Debug)]
pub struct Dissector {
    network: Network<FlowState>,
    messages: Messages,
    seen: Seen,
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
            ..options.tracker
        });
        Self {
            network: Network::new(options.network),
            messages: Messages::new(options.depth, options.decode_as, tracker),
            seen: Seen::default(),
        }
    }

    /// Feeds the next packet.
    ///
    /// # Errors
    /// The first error of `sink`; the dissection is over then.
    pub fn push<S: Sink>(&mut self, packet: &Packet<'_>, sink: &mut S) -> Result<(), S::Error> {
        self.follow_time(packet, sink)?;
        let messages = &mut self.messages;
        self.network.push(packet, &mut |flow, arrival, delivery| {
            messages.deliver(flow, arrival, delivery, sink)
        })?;
        self.tell_cut_packets(packet, sink)?;
        while let Some(lost) = self.network.next_lost_datagram() {
            sink.finding(&missing_fragments(&lost))?;
        }
        Ok(())
    }

    /// The capture is over: tells everything that is still open.
    ///
    /// # Errors
    /// The first error of `sink`.
    pub fn finish<S: Sink>(&mut self, end: EndOfInput, sink: &mut S) -> Result<(), S::Error> {
        let messages = &mut self.messages;
        messages.begin_end();
        self.network.finish(&mut |flow, arrival, delivery| {
            messages.deliver(flow, arrival, delivery, sink)
        })?;
        while let Some(lost) = self.network.next_lost_datagram() {
            sink.finding(&missing_fragments(&lost))?;
        }
        let now = self.seen.latest.unwrap_or_default();
        self.messages.tracker.finish(now, end);
        self.messages.tell_outcomes(sink)
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

    /// The conversations that are not told yet, as they stand.
    pub fn tracked(&self) -> Vec<Conversation> {
        self.messages.tracker.tracked()
    }

    /// What was seen so far.
    pub fn counts(&self) -> DissectCounts {
        DissectCounts {
            network: self.network.counts(),
            messages: self.messages.message_count(),
            conversations: self.messages.tracker.conversation_count(),
            evicted_conversations: self.messages.tracker.evicted_count(),
            foreign: self.messages.foreign,
            start: self.messages.start,
            end: self.seen.latest,
        }
    }

    fn follow_time<S: Sink>(&mut self, packet: &Packet<'_>, sink: &mut S) -> Result<(), S::Error> {
        self.messages.start.get_or_insert(packet.time);
        match self.seen.latest {
            Some(latest) if packet.time < latest => {
                if self.seen.time_went_backwards {
                    return Ok(());
                }
                self.seen.time_went_backwards = true;
                let back_us = latest.micros_since(packet.time);
                let mut finding = about_capture(
                    FindingCode::CaptureTimeBackwards,
                    format!(
                        "packet {} is {back_us} µs before the one before it",
                        packet.number
                    ),
                    vec![("back_us", FindingDetail::Number(back_us.unsigned_abs()))],
                );
                finding.packet = Some(packet.number);
                sink.finding(&finding)
            }
            _ => {
                self.seen.latest = Some(packet.time);
                Ok(())
            }
        }
    }

    fn tell_cut_packets<S: Sink>(
        &mut self,
        packet: &Packet<'_>,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        if self.seen.cut_packet || packet.data.len() as u64 >= u64::from(packet.original_bytes) {
            return Ok(());
        }
        // Packets without any payload lose nothing that matters here.
        if self.network.counts().cut == 0 {
            return Ok(());
        }
        self.seen.cut_packet = true;
        let mut finding = about_capture(
            FindingCode::CaptureSnaplen,
            format!(
                "packet {} is cut to {} of {} bytes; capture with a larger -s",
                packet.number,
                packet.data.len(),
                packet.original_bytes
            ),
            vec![
                (
                    "captured_bytes",
                    FindingDetail::Number(packet.data.len() as u64),
                ),
                (
                    "original_bytes",
                    FindingDetail::Number(u64::from(packet.original_bytes)),
                ),
            ],
        );
        finding.packet = Some(packet.number);
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
