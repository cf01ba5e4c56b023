//! What is told of the whole: the inputs, before and after, and all that was counted.

use super::tally::Totals;
use super::value::{put_number_or_null, put_numbers, put_tally, put_value, put_word_or_null};
use crate::capture::{Compression, InputInfo, LinkType};
use crate::columns::TYPE_NAMES;
use crate::conversation::{Level, State};
use crate::dissect::{EvictedCounts, ForeignCounts, NearFlows};
use crate::field::Value;
use crate::text::write::{put, put_address, put_json_string, put_number};
use crate::time::Timestamp;

/// Whether what is known of the inputs will still change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It will.
    GoesOn,
    /// All that will be read was read.
    Over {
        /// Times of the first and the latest packet.
        span: Option<(Timestamp, Timestamp)>,
    },
}

/// What the summary record says besides the totals.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a> {
    /// The inputs, read to their end.
    pub inputs: &'a [InputInfo],
    /// Packets read.
    pub packet_count: u64,
    /// Times of the first and the latest packet.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Packets that delivered nothing, by reason.
    pub skipped: &'a [(&'static str, u64)],
    /// Traffic of other protocols.
    pub foreign: ForeignCounts,
    /// Flows among it that have something of ours.
    pub near: &'a NearFlows,
    /// What the user is warned of: that nothing was found where something may be.
    pub warning: Option<&'a str>,
    /// Packets that the kernel dropped in a live capture.
    pub dropped_by_kernel: Option<u64>,
    /// What was forgotten for want of memory.
    pub evicted: EvictedCounts,
    /// With what the program will end.
    pub exit_code: u8,
}

impl Summary<'_> {
    /// The summary record.
    pub(super) fn put(&self, totals: &Totals, out: &mut Vec<u8>) {
        put(out, r#"{"record":"summary","message_count":"#);
        put_number(out, totals.messages());
        put(out, r#","conversation_count":"#);
        put_number(out, totals.conversations());
        put(out, r#","by_type":"#);
        put_numbers(out, TYPE_NAMES.iter().copied().zip(totals.by_type));
        put(out, r#","by_state":"#);
        put_numbers(
            out,
            State::ALL.map(State::name).into_iter().zip(totals.by_state),
        );
        put(out, r#","by_level":"#);
        let levels = [Level::Error, Level::Warn, Level::Note];
        put_numbers(
            out,
            levels.map(|level| (level.name(), totals.findings_at(level))),
        );
        put(out, r#","c2s":"#);
        put_tally(out, totals.data.c2s);
        put(out, r#","s2c":"#);
        put_tally(out, totals.data.s2c);
        let once = totals.once();
        put(out, r#","c2s_once":"#);
        put_tally(out, once.c2s);
        put(out, r#","s2c_once":"#);
        put_tally(out, once.s2c);
        put(out, r#","packet_count":"#);
        put_number(out, self.packet_count);
        put(out, r#","skipped":"#);
        put_numbers(out, self.skipped.iter().copied());
        put(out, r#","foreign":"#);
        let foreign = self.foreign;
        put_numbers(
            out,
            [
                ("flow_count", foreign.flows),
                ("payload_count", foreign.payloads),
                ("payload_bytes", foreign.bytes),
                ("i2cp_message_count", foreign.i2cp_messages),
            ],
        );
        put(out, r#","near_flows":["#);
        put_near_flows(out, self.near);
        put(out, r#"],"warning":"#);
        put_value(out, self.warning.map(Value::Text).into());
        put(out, r#","inputs":"#);
        put_inputs(out, self.inputs, self.reading());
        put(out, r#","dropped_by_kernel_count":"#);
        put_number_or_null(out, self.dropped_by_kernel);
        put(out, r#","evicted":"#);
        let evicted = self.evicted;
        put_numbers(
            out,
            [
                ("flow_count", evicted.flows),
                ("conversation_count", evicted.conversations),
                ("closed_conversation_count", evicted.closed_conversations),
            ],
        );
        put(out, r#","duration_us":"#);
        put_number_or_null(out, self.duration_us());
        put(out, r#","exit_code":"#);
        put_number(out, self.exit_code);
        out.push(b'}');
    }

    /// Reading, which is over.
    pub(crate) const fn reading(&self) -> Reading {
        Reading::Over { span: self.span }
    }

    /// Microseconds from the first to the latest packet.
    pub(crate) fn duration_us(&self) -> Option<i64> {
        self.span.map(|(first, latest)| latest.micros_since(first))
    }
}

pub(super) fn put_inputs(out: &mut Vec<u8>, inputs: &[InputInfo], reading: Reading) {
    out.push(b'[');
    for (index, input) in inputs.iter().enumerate() {
        put(
            out,
            if index == 0 {
                r#"{"path":"#
            } else {
                r#",{"path":"#
            },
        );
        put_json_string(out, &input.path.to_string_lossy());
        put(out, r#","format":""#);
        put(out, input.format.name());
        put(out, r#"","compression":"#);
        put_word_or_null(out, input.compression.map(Compression::name));
        put(out, r#","link_type":"#);
        put_word_or_null(out, input.link_type.map(LinkType::name));
        put(out, r#","link_type_number":"#);
        put_number_or_null(out, input.link_type.map(LinkType::number));
        put(out, r#","packet_count":"#);
        match reading {
            Reading::GoesOn => put(out, "null"),
            Reading::Over { .. } => put_number(out, input.packet_count),
        }
        put(out, r#","truncated":"#);
        put(out, if input.truncated { "true}" } else { "false}" });
    }
    out.push(b']');
}

fn put_near_flows(out: &mut Vec<u8>, near: &NearFlows) {
    for (index, group) in near.groups().iter().enumerate() {
        put(out, if index == 0 { "{" } else { ",{" });
        put(out, r#""client":""#);
        put_address(out, group.client);
        put(out, r#"","server":""#);
        put_address(out, group.server);
        put(out, r#"","carrier":""#);
        put(out, group.carrier.name());
        put(out, r#"","flow_count":"#);
        put_number(out, group.flow_count);
        put(out, r#","reason":"#);
        put_json_string(out, &group.reason());
        put(out, r#","decode_as":"#);
        put_json_string(out, &group.rule().to_string());
        out.push(b'}');
    }
}
