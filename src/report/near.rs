//! Flows that are nearly ours, in lines.

use super::heading::put_flow;
use super::style::Style;
use crate::dissect::{NearFlow, NearFlows};
use crate::text::write::{put, put_number};

/// Groups of flows that have a line of their own.
const MAX_LINES: usize = 6;

/// Appends a line for each group, with `-d` for the flag: `udp 127.0.0.1:40112 → 127.0.0.1:9004, perhaps ministream:
/// 1 SYN without an answer; -d udp.port==9004,ministream reads it`.
pub(crate) fn put_near_flows(
    near: &NearFlows,
    style: &Style,
    decode_flag: Option<&str>,
    out: &mut Vec<u8>,
) {
    let (shown, further) = near.groups().split_at(near.groups().len().min(MAX_LINES));
    for group in shown {
        put_near_flow(group, style, decode_flag, out);
        out.push(b'\n');
    }
    let shown: u64 = shown.iter().map(|group| group.flow_count).sum();
    if !further.is_empty() {
        put(out, "and ");
        put_number(out, near.flow_count() - shown);
        put(out, " more flows that are perhaps ministream\n");
    }
}

/// Appends the description of a group, and the rule that reads it behind the flag that takes such
/// rules.
pub(crate) fn put_near_flow(
    group: &NearFlow,
    style: &Style,
    decode_flag: Option<&str>,
    out: &mut Vec<u8>,
) {
    let ends = [group.client, group.server];
    put_flow(group.transport(), ends, style, out);
    match group.flow_count {
        1 => {}
        2 => put(out, " and 1 more flow"),
        count => {
            put(out, " and ");
            put_number(out, count - 1);
            put(out, " more flows");
        }
    }
    put(out, ", perhaps ministream: ");
    put(out, &group.reason());
    put(out, "; ");
    if let Some(flag) = decode_flag {
        put(out, flag);
        out.push(b' ');
    }
    put(out, &group.rule().to_string());
    put(
        out,
        if group.flow_count == 1 {
            " reads it"
        } else {
            " reads them"
        },
    );
}
