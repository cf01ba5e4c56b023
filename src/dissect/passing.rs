//! Messages that pass through our own hands: no packets, no carrier to be found.

use std::net::SocketAddr;

use super::channels::Channels;
use super::flow_direction::direction_of;
use super::passage::{Event, Passage as _, Passed};
use super::streams::Streams;
use super::tracking::Tracking;
use super::{DetectionSource, DissectOptions, FlowReport, ForeignCounts, Sink};
use crate::carrier::detect::{CarrierVerdict, Piece};
use crate::carrier::i2cp::gzip::Inflater;
use crate::carrier::{Carrier, Extent, FlowDirection};
use crate::conversation::{
    Channel, ChannelId, ChannelStart, Conversation, EndOfInput, Tracker, TrackerOptions,
};
use crate::net::{Arrival, Encapsulation, FlowId, Side};
use crate::time::Timestamp;

/// Dissects messages as they pass, one after the other, as a [`Dissector`](super::Dissector)
/// does packets.
///
/// The sink gets each message that is shown before the call returns.
#[derive(Debug)]
pub struct PassingDissector {
    channels: Channels,
    /// For payloads on I2CP, of any connection.
    inflater: Inflater,
    tracking: Tracking,
    start: Option<Timestamp>,
    flow_count: u32,
    /// Messages and frames, in the place of packets.
    passed_count: u64,
    latest: Option<Timestamp>,
}

/// A connection on which whole messages pass.
#[derive(Debug)]
pub struct PassingFlow {
    channel: ChannelId,
}

/// An I2CP connection, on which frames pass.
#[derive(Debug)]
pub struct PassingFrames {
    streams: Streams,
}

impl PassingDissector {
    /// A dissector that has seen nothing. Depth, bounds of the network layer and rules for
    /// ports are of no use here.
    pub fn new(options: DissectOptions) -> Self {
        let tracker = Tracker::new(TrackerOptions {
            destinations: options.destinations,
            ..options.tracker
        });
        Self {
            channels: Channels::new(options.destinations),
            inflater: Inflater::new(),
            tracking: Tracking::new(options.depth, tracker, options.memory_advice),
            start: None,
            flow_count: 0,
            passed_count: 0,
            latest: None,
        }
    }

    /// A connection between a client and a server begins.
    ///
    /// # Errors
    /// Those of `sink`.
    pub fn open<S: Sink>(
        &mut self,
        carrier: Carrier,
        addresses: [SocketAddr; 2],
        sink: &mut S,
    ) -> Result<PassingFlow, S::Error> {
        let start = match carrier {
            Carrier::Udp => ChannelStart::Unknown,
            _ => ChannelStart::Captured,
        };
        let channel = Channel::new(carrier, addresses, start, None);
        let channel = self.channels.open(channel, &mut self.tracking.with(sink))?;
        self.report_flow(carrier, addresses, start, sink)?;
        Ok(PassingFlow { channel })
    }

    /// A connection between an application and its router begins.
    ///
    /// # Errors
    /// Those of `sink`.
    pub fn open_i2cp<S: Sink>(
        &mut self,
        addresses: [SocketAddr; 2],
        sink: &mut S,
    ) -> Result<Option<PassingFrames>, S::Error> {
        let verdict = CarrierVerdict::I2cp {
            application: FlowDirection::Forward,
        };
        let passage = &mut self.tracking.with(sink);
        let Some(streams) = Streams::new(verdict, addresses, &mut self.channels, passage)? else {
            return Ok(None);
        };
        self.report_flow(Carrier::I2cp, addresses, ChannelStart::Captured, sink)?;
        Ok(Some(PassingFrames { streams }))
    }

    fn report_flow<S: Sink>(
        &mut self,
        carrier: Carrier,
        addresses: [SocketAddr; 2],
        start: ChannelStart,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let id = FlowId(self.flow_count);
        self.flow_count = self.flow_count.wrapping_add(1);
        sink.flow(&FlowReport {
            id,
            addresses,
            carrier,
            detection: DetectionSource::Rule,
            start,
        })
    }

    fn arrival<S: Sink>(&mut self, time: Timestamp, sink: &mut S) -> Result<Arrival, S::Error> {
        self.passed_count += 1;
        if self.start.is_none() {
            self.start = Some(time);
            self.tracking.with(sink).event(Event::Began(time))?;
        }
        self.latest = Some(time);
        Ok(Arrival {
            packet: self.passed_count,
            time,
            encapsulation: Encapsulation::NONE,
        })
    }

    /// A message passes; the initiator is the client.
    ///
    /// # Errors
    /// Those of `sink`.
    pub fn message<S: Sink>(
        &mut self,
        time: Timestamp,
        flow: &PassingFlow,
        from: Side,
        bytes: &[u8],
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let arrival = self.arrival(time, sink)?;
        self.tracking
            .with(sink)
            .message(arrival, Passed::new(flow.channel, from, bytes))
    }

    /// Whole frames pass, or the application's first byte; the initiator is the application.
    ///
    /// # Errors
    /// Those of `sink`.
    pub fn frames<S: Sink>(
        &mut self,
        time: Timestamp,
        flow: &mut PassingFrames,
        from: Side,
        bytes: &[u8],
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let arrival = self.arrival(time, sink)?;
        let piece = Piece::Bytes {
            from: direction_of(from),
            bytes,
            extent: Extent::PartOfSegment,
        };
        let (channels, inflater) = (&mut self.channels, &mut self.inflater);
        let passage = &mut self.tracking.with(sink);
        flow.streams
            .take(arrival, None, piece, channels, inflater, passage)?;
        Ok(())
    }

    /// A connection is over.
    ///
    /// # Errors
    /// Those of `sink`.
    pub fn close<S: Sink>(
        &mut self,
        time: Timestamp,
        flow: &PassingFlow,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        self.latest = self.latest.max(Some(time));
        let passage = &mut self.tracking.with(sink);
        self.channels.close(flow.channel, time, passage)
    }

    /// The same of an I2CP connection.
    ///
    /// # Errors
    /// Those of `sink`.
    pub fn close_frames<S: Sink>(
        &mut self,
        time: Timestamp,
        flow: &mut PassingFrames,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        self.latest = self.latest.max(Some(time));
        let passage = &mut self.tracking.with(sink);
        flow.streams
            .close_channels(time, &mut self.channels, passage)
    }

    /// Nothing more passes: reports everything that is still open.
    ///
    /// # Errors
    /// Those of `sink`.
    pub fn finish<S: Sink>(&mut self, sink: &mut S) -> Result<(), S::Error> {
        let now = self.latest.unwrap_or_default();
        self.tracking.tracker.finish(now, EndOfInput::Stopped);
        self.tracking.report_events(sink)
    }

    /// The conversations that were not reported yet, as they stand.
    pub fn tracked(&self) -> Vec<Conversation> {
        self.tracking.tracker.tracked()
    }

    /// Number of these.
    pub fn tracked_count(&self) -> usize {
        self.tracking.tracker.tracked_count()
    }

    /// Counts so far.
    pub fn counts(&self) -> PassingCounts {
        PassingCounts {
            passed: self.passed_count,
            messages: self.tracking.tracker.message_count(),
            conversations: self.tracking.tracker.conversation_count(),
            foreign: ForeignCounts {
                i2cp_messages: self.channels.foreign_messages,
                ..ForeignCounts::default()
            },
            span: self.start.zip(self.latest),
        }
    }
}

/// Counts of a [`PassingDissector`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassingCounts {
    /// Messages, on I2CP frames.
    pub passed: u64,
    /// Messages of ministreaming.
    pub messages: u64,
    /// Conversations.
    pub conversations: u64,
    /// Messages of other protocols, on I2CP.
    pub foreign: ForeignCounts,
    /// When the first passed, and the latest.
    pub span: Option<(Timestamp, Timestamp)>,
}
