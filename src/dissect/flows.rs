//! Flows: packets are assigned to them, and their output is handed on.

use super::DissectOptions;
use super::ahead::{FlowsAhead, Glimpse};
use super::carriers::{Carriers, ForeignCounts};
use super::findings::{about_capture, missing_fragments};
use super::flow_state::FlowState;
use super::near::NearFlows;
use super::packets::{DecodedPacket, Window};
use super::passage::{Event, Passage};
use crate::conversation::{DetailName, FindingCode, FindingDetail};
use crate::net::{Arrival, FlowPlace, LostDatagram, Network, NetworkCounts};
use crate::time::Timestamp;

/// Follows flows from packets whose headers were read.
#[derive(Debug)]
pub(super) struct Flows {
    network: Network<FlowState>,
    carriers: Carriers,
    seen: Seen,
    ahead: FlowsAhead,
}

/// State for reports that are made only once.
#[derive(Debug, Default)]
struct Seen {
    start: Option<Timestamp>,
    latest: Option<Timestamp>,
    time_went_backwards: bool,
    cut_packet: bool,
}

/// Counts of flows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FlowCounts {
    pub(super) network: NetworkCounts,
    pub(super) foreign: ForeignCounts,
    /// Time of the first packet.
    pub(super) start: Option<Timestamp>,
    /// Time of the latest packet.
    pub(super) latest: Option<Timestamp>,
}

impl Flows {
    /// Has seen nothing.
    pub(super) fn new(options: &DissectOptions) -> Self {
        Self {
            network: Network::new(options.network.clone()),
            carriers: Carriers::new(
                options.decode_as.clone(),
                options.secrets.clone(),
                options.destinations,
            ),
            seen: Seen::default(),
            ahead: FlowsAhead::default(),
        }
    }

    /// Whether there are so many flows that looking ahead is of use.
    pub(super) fn are_many(&self) -> bool {
        FlowsAhead::is_of_use(&self.network)
    }

    /// Looks ahead at packets, which must be the next ones to come.
    pub(super) fn look(&mut self, window: Window<'_>) {
        self.ahead.look(window, &self.network);
    }

    /// Nothing is known of the packets that come next.
    pub(super) fn look_no_more(&mut self) {
        self.ahead.clear();
    }

    /// The presumed first message of each packet that was looked at.
    pub(super) fn messages_ahead(&self) -> impl Iterator<Item = Option<Glimpse<'_>>> {
        self.ahead.messages(&self.network)
    }

    /// Takes a packet that was looked ahead at, if any were.
    #[inline(always)]
    pub(super) fn next_packet<P: Passage>(
        &mut self,
        packet: &DecodedPacket<'_>,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        let place = match packet.content {
            Ok(_) => self.ahead.next(),
            Err(_) => None,
        };
        self.packet(packet, place, passage)
    }

    /// Takes a packet whose flow is perhaps expected somewhere.
    #[inline(always)]
    pub(super) fn packet<P: Passage>(
        &mut self,
        packet: &DecodedPacket<'_>,
        place: Option<FlowPlace>,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        let arrival = packet.arrival;
        self.follow_time(arrival, passage)?;
        let carriers = &mut self.carriers;
        self.network.push_expected(
            arrival,
            packet.content,
            place,
            &mut |flow, arrival, delivery| carriers.deliver(flow, arrival, delivery, passage),
        )?;
        if packet.is_cut() {
            self.report_cut_packet(packet, passage)?;
        }
        Ok(())
    }

    pub(super) fn lost_datagram<P: Passage>(
        &mut self,
        lost: &LostDatagram,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        self.network.note_lost_datagram();
        passage.finding(missing_fragments(lost))
    }

    /// There are no more packets: ends all flows.
    pub(super) fn finish<P: Passage>(&mut self, passage: &mut P) -> Result<(), P::Error> {
        let carriers = &mut self.carriers;
        carriers.begin_end();
        self.network.finish(&mut |flow, arrival, delivery| {
            carriers.deliver(flow, arrival, delivery, passage)
        })?;
        carriers.judge_waiting(passage)
    }

    pub(super) fn counts(&self) -> FlowCounts {
        FlowCounts {
            network: self.network.counts(),
            foreign: self.carriers.foreign(),
            start: self.seen.start,
            latest: self.seen.latest,
        }
    }

    pub(super) const fn near(&self) -> &NearFlows {
        self.carriers.near()
    }

    #[inline(always)]
    fn follow_time<P: Passage>(
        &mut self,
        arrival: Arrival,
        passage: &mut P,
    ) -> Result<(), P::Error> {
        let Arrival { packet, time, .. } = arrival;
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
                    vec![(
                        DetailName::BackUs,
                        FindingDetail::Number(back_us.unsigned_abs()),
                    )],
                );
                finding.packet = Some(packet);
                passage.finding(finding)
            }
            Some(_) => {
                self.seen.latest = Some(time);
                Ok(())
            }
            None => {
                self.seen.start = Some(time);
                self.seen.latest = Some(time);
                passage.event(Event::Began(time))
            }
        }
    }

    fn report_cut_packet<P: Passage>(
        &mut self,
        packet: &DecodedPacket<'_>,
        passage: &mut P,
    ) -> Result<(), P::Error> {
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
                    DetailName::CapturedBytes,
                    FindingDetail::Number(u64::from(packet.captured_bytes)),
                ),
                (
                    DetailName::OriginalBytes,
                    FindingDetail::Number(packet.link_bytes()),
                ),
            ],
        );
        finding.packet = Some(packet.arrival.packet);
        passage.finding(finding)
    }
}
