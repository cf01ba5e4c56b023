//! The lines above the table of messages: the inputs, and the flows found in them.

use std::net::SocketAddr;

use super::style::{Style, put_duration};
use crate::capture::{InputInfo, LinkType};
use crate::carrier::Carrier;
use crate::conversation::{Meaning, MessageEvent};
use crate::dissect::{DetectionSource, FlowReport};
use crate::net::Transport;
use crate::record::Reading;
use crate::text::write::{UtcClock, put, put_address, put_number, put_seconds, text_of};
use crate::time::Timestamp;
use crate::units::counted;

/// Inputs that have a line of their own.
const MAX_INPUTS: usize = 12;

/// Flows that have a line of their own.
const MAX_FLOWS: usize = 6;

/// State for the heading, of the capture so far.
#[derive(Debug, Default)]
pub(crate) struct Heading {
    flows: Vec<FlowLine>,
    further_flows: u64,
    /// Index of the latest message's flow.
    latest: usize,
    start: Option<Timestamp>,
}

#[derive(Debug)]
struct FlowLine {
    report: FlowReport,
    messages: u64,
    meaningless: u64,
}

impl Heading {
    /// Notes a flow.
    pub(crate) fn flow(&mut self, report: &FlowReport) {
        if self.flows.len() >= MAX_FLOWS {
            self.further_flows += 1;
            return;
        }
        self.latest = self.flows.len();
        self.flows.push(FlowLine {
            report: report.clone(),
            messages: 0,
            meaningless: 0,
        });
    }

    /// Counts a message of a flow.
    pub(crate) fn message(&mut self, event: &MessageEvent<'_>) {
        if self.start.is_none() {
            self.start = Some(
                event
                    .time
                    .plus_nanos(event.elapsed_us.saturating_mul(-1_000)),
            );
        }
        let is_of = |flow: &FlowLine| {
            let [one, other] = flow.report.addresses;
            (one == event.source && other == event.target)
                || (one == event.target && other == event.source)
        };
        if !self.flows.get(self.latest).is_some_and(is_of) {
            // The newest first: ports are used again.
            let Some(index) = self.flows.iter().rposition(is_of) else {
                return;
            };
            self.latest = index;
        }
        let flow = &mut self.flows[self.latest];
        flow.messages += 1;
        if event.meaning == Meaning::Meaningless {
            flow.meaningless += 1;
        }
    }

    /// The lines of the heading; packets and spans of time are left out while they grow,
    /// that is while there is no `duration_us` of the whole input.
    pub(crate) fn lines(
        &self,
        inputs: &[InputInfo],
        progress: Reading,
        style: &Style,
    ) -> Vec<String> {
        let mut lines = Vec::new();
        for (index, input) in inputs.iter().enumerate().take(MAX_INPUTS) {
            lines.push(text_of(|out| {
                put_input(input, progress, style, out);
                if index == 0 {
                    self.put_start(progress, style, out);
                }
            }));
        }
        if inputs.len() > MAX_INPUTS {
            lines.push(format!("and {} more captures", inputs.len() - MAX_INPUTS));
        }
        for flow in &self.flows {
            lines.push(text_of(|out| flow.put(progress, style, out)));
        }
        if self.further_flows > 0 {
            lines.push(format!("and {} more flows", self.further_flows));
        }
        lines
    }

    fn put_start(&self, progress: Reading, style: &Style, out: &mut Vec<u8>) {
        let (start, duration_us) = match progress {
            Reading::GoesOn => (self.start, None),
            Reading::Over { span } => (
                span.map(|(first, _)| first),
                span.map(|(first, latest)| latest.micros_since(first)),
            ),
        };
        let Some(start) = start else { return };
        put(out, ", ");
        if let Some(duration_us) = duration_us {
            match duration_us {
                ..600_000_000 => {
                    put_seconds(out, duration_us, 1);
                    put(out, " s");
                }
                _ => put_duration(out, duration_us.saturating_mul(1_000), style.charset),
            }
            out.push(b' ');
        }
        put(out, "from ");
        UtcClock::new(b' ').put_second(out, start);
        put(out, " UTC");
    }
}

fn put_input(input: &InputInfo, progress: Reading, style: &Style, out: &mut Vec<u8>) {
    put(out, &style.escaped(&input.path.to_string_lossy()));
    put(out, ": ");
    put(out, &input.format.name().replace('_', " "));
    if let Some(link_type) = input.link_type {
        put(out, ", ");
        put(out, &link_type_title(link_type));
    }
    if let Reading::Over { .. } = progress {
        put(out, ", ");
        put(out, &counted(input.packet_count, "packet"));
    }
}

/// Appends `udp 127.0.0.1:40112 → 127.0.0.1:9004`.
pub(super) fn put_flow(
    transport: Transport,
    [from, to]: [SocketAddr; 2],
    style: &Style,
    out: &mut Vec<u8>,
) {
    put(out, transport.name());
    out.push(b' ');
    put_address(out, from);
    out.push(b' ');
    put(out, style.charset.right_arrow());
    out.push(b' ');
    put_address(out, to);
}

impl FlowLine {
    /// Appends `udp 127.0.0.1:40112 → 127.0.0.1:9004, ministream by content (13 of 14 payloads parse)`.
    /// The counts are left out while they grow.
    fn put(&self, progress: Reading, style: &Style, out: &mut Vec<u8>) {
        put_flow(self.report.transport(), self.report.addresses, style, out);
        put(out, ", ");
        put(out, self.report.carrier.framing());
        put(
            out,
            match self.report.detection {
                DetectionSource::Content => " by content",
                DetectionSource::Rule => " by rule",
            },
        );
        if progress == Reading::GoesOn {
            return;
        }
        put(out, " (");
        put_number(out, self.messages - self.meaningless);
        put(out, " of ");
        put_number(out, self.messages);
        put(
            out,
            match (self.report.carrier, self.messages) {
                (Carrier::Udp, 1) => " payload parses)",
                (Carrier::Udp, _) => " payloads parse)",
                (_, 1) => " message parses)",
                _ => " messages parse)",
            },
        );
    }
}

/// A link type as people write it: `Ethernet`, `link type 147 (user 0)`.
pub(crate) fn link_type_title(link_type: LinkType) -> String {
    match (link_type, link_type.title()) {
        (LinkType::Other(number), None) => format!("link type {number}"),
        (LinkType::Other(number), Some(name)) => format!("link type {number} ({name})"),
        (_, title) => title.unwrap_or_default().to_owned(),
    }
}
