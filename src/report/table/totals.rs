//! The line below the table of messages: all that was shown, in numbers.

use crate::conversation::{ConversationState, Level};
use crate::record::Summary;
use crate::record::tally::Totals;
use crate::report::style::{Style, put_size};
use crate::text::wrap::put_wrapped;
use crate::text::write::{put, put_number};
use crate::units::counted;

/// Appends the line of totals: `14 messages, 3 conversations (2 opened, 1 refused), …`; without
/// messages also what was read instead, with the flag for the traffic that may be ours.
pub(super) fn put_totals(
    totals: &Totals,
    summary: &Summary<'_>,
    style: &Style,
    decode_flag: Option<&str>,
    out: &mut Vec<u8>,
) {
    let mut lines = Vec::new();
    put_shown(totals, style, &mut lines);
    if totals.messages() == 0 {
        put_read(summary, decode_flag, &mut lines);
    }
    put_wrapped(&String::from_utf8_lossy(&lines), style.width, out);
}

fn put_shown(totals: &Totals, style: &Style, out: &mut Vec<u8>) {
    put(out, &counted(totals.messages(), "message"));
    put(out, ", ");
    put(out, &counted(totals.conversations(), "conversation"));
    put_states(out, totals);
    let payload = totals.once();
    put(out, ", ");
    put_size(out, payload.c2s.payload_bytes);
    out.push(b' ');
    put(out, style.charset.right_arrow());
    put(out, ", ");
    put_size(out, payload.s2c.payload_bytes);
    out.push(b' ');
    put(out, style.charset.left_arrow());
    for (level, name) in [
        (Level::Error, "error"),
        (Level::Warn, "warning"),
        (Level::Note, "note"),
    ] {
        let count = totals.findings_at(level);
        if count > 0 {
            put(out, ", ");
            put(out, &counted(count, name));
        }
    }
    out.push(b'\n');
}

/// Appends `9 packets read, 2 skipped: not ip, 1 flow of other protocols (-d reads a port as ours)`.
fn put_read(summary: &Summary<'_>, decode_flag: Option<&str>, out: &mut Vec<u8>) {
    put(out, &counted(summary.packet_count, "packet"));
    put(out, " read");
    for (reason, count) in summary.skipped.iter().filter(|(_, count)| *count > 0) {
        put(out, ", ");
        put_number(out, *count);
        put(out, " skipped: ");
        put(out, &reason.replace('_', " "));
    }
    let foreign = summary.foreign;
    if foreign.flows > 0 {
        put(out, ", ");
        put(out, &counted(foreign.flows, "flow"));
        put(out, " of other protocols");
        if let Some(flag) = decode_flag {
            put(out, " (");
            put(out, flag);
            put(out, " reads a port as ours)");
        }
    }
    if foreign.sealed_flows > 0 {
        put(out, ", ");
        put(out, &counted(foreign.sealed_flows, "connection"));
        put(out, " with ministreaming inside TLS");
    }
    out.push(b'\n');
}

/// Appends ` (2 opened, 1 refused)`; states that do not occur are left out.
fn put_states(out: &mut Vec<u8>, totals: &Totals) {
    let count_of = |states: &[ConversationState]| -> u64 {
        states
            .iter()
            .map(|&state| totals.conversations_in(state))
            .sum()
    };
    let groups = [
        (
            count_of(&[
                ConversationState::Open,
                ConversationState::ClientClosed,
                ConversationState::ServerClosed,
            ]),
            "opened",
        ),
        (count_of(&[ConversationState::Refused]), "refused"),
        (count_of(&[ConversationState::NoAnswer]), "not answered"),
        (
            count_of(&[ConversationState::SynSent]),
            "waiting for an answer",
        ),
        (count_of(&[ConversationState::MidStream]), "mid-stream"),
    ];
    let mut separator = " (";
    for (count, name) in groups {
        if count > 0 {
            put(out, separator);
            put_number(out, count);
            out.push(b' ');
            put(out, name);
            separator = ", ";
        }
    }
    if totals.conversations() > 0 {
        out.push(b')');
    }
}
