//! The records of the whole: the inputs, before and after, and all that was counted.

use super::cells::{Cells, put_tally};
use super::tally::Totals;
use super::value::{put_list, put_numbers, put_object};
use crate::capture::{Compression, InputInfo, LinkType};
use crate::columns::TYPE_NAMES;
use crate::conversation::{ConversationState, Level};
use crate::dissect::{EvictedCounts, ForeignCounts, NearFlow, NearFlows};
use crate::field::Value;
use crate::text::write::put;
use crate::time::Timestamp;

/// Whether the inputs are still being read.
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

/// The values of the summary record besides the totals.
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
    /// A warning to the user: that nothing was found where something may be.
    pub warning: Option<&'a str>,
    /// Packets that the kernel dropped in a live capture.
    pub dropped_by_kernel: Option<u64>,
    /// Counts of data forgotten for want of memory.
    pub evicted: EvictedCounts,
    /// The program's exit code.
    pub exit_code: u8,
}

impl Summary<'_> {
    /// The summary record.
    pub(super) fn put(&self, totals: &Totals, out: &mut Vec<u8>) {
        let types = TYPE_NAMES.iter().copied().zip(totals.by_type);
        let states = ConversationState::ALL
            .map(ConversationState::name)
            .into_iter()
            .zip(totals.by_state);
        let levels = [Level::Error, Level::Warn, Level::Note]
            .map(|level| (level.name(), totals.findings_at(level)));
        let once = totals.once();
        let foreign = [
            ("flow_count", self.foreign.flows),
            ("tls_flow_count", self.foreign.sealed_flows),
            ("payload_count", self.foreign.payloads),
            ("payload_bytes", self.foreign.bytes),
            ("i2cp_message_count", self.foreign.i2cp_messages),
        ];
        let evicted = self.evicted;
        let evicted = [
            ("flow_count", evicted.flows),
            ("conversation_count", evicted.conversations),
            ("closed_conversation_count", evicted.closed_conversations),
        ];
        put_object(out, |keys| {
            keys.put("record", Value::Word("summary"));
            keys.put("message_count", Value::count(totals.messages()));
            keys.put("conversation_count", Value::count(totals.conversations()));
            put_numbers(keys.value_of("by_type"), types);
            put_numbers(keys.value_of("by_state"), states);
            put_numbers(keys.value_of("by_level"), levels);
            put_tally("c2s", totals.data.c2s, keys);
            put_tally("s2c", totals.data.s2c, keys);
            put_tally("c2s_once", once.c2s, keys);
            put_tally("s2c_once", once.s2c, keys);
            keys.put("packet_count", Value::count(self.packet_count));
            put_numbers(keys.value_of("skipped"), self.skipped.iter().copied());
            put_numbers(keys.value_of("foreign"), foreign);
            let near = self.near.groups();
            put_list(keys.value_of("near_flows"), near, put_near_flow);
            keys.put("warning", self.warning.map(Value::Text).into());
            put_inputs(keys.value_of("inputs"), self.inputs, self.reading());
            let dropped = self.dropped_by_kernel.map(Value::count);
            keys.put("dropped_by_kernel_count", dropped.into());
            put_numbers(keys.value_of("evicted"), evicted);
            keys.put("duration_us", self.duration_us().map(Value::Number).into());
            keys.put("exit_code", Value::Number(self.exit_code.into()));
        });
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
    put_list(out, inputs, |out, input| {
        let link_type = input.link_type;
        let packet_count = match reading {
            Reading::GoesOn => Value::Null,
            Reading::Over { .. } => Value::count(input.packet_count),
        };
        put_object(out, |keys| {
            keys.put("path", Value::Text(&input.path.to_string_lossy()));
            keys.put("format", Value::Word(input.format.name()));
            let compression = input.compression.map(Compression::name);
            keys.put("compression", compression.map(Value::Word).into());
            let name = link_type.map(LinkType::name);
            keys.put("link_type", name.map(Value::Word).into());
            let number = link_type.map(|link_type| Value::Number(link_type.number().into()));
            keys.put("link_type_number", number.into());
            keys.put("packet_count", packet_count);
            let truncated = if input.truncated { "true" } else { "false" };
            put(keys.value_of("truncated"), truncated);
        });
    });
}

fn put_near_flow(out: &mut Vec<u8>, group: &NearFlow) {
    put_object(out, |keys| {
        keys.put("client", Value::Address(group.client));
        keys.put("server", Value::Address(group.server));
        keys.put("carrier", Value::Word(group.carrier.name()));
        keys.put("flow_count", Value::count(group.flow_count));
        keys.put("reason", Value::Text(&group.reason()));
        keys.put("decode_as", Value::Text(&group.rule().to_string()));
    });
}
