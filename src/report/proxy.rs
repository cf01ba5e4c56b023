//! The report of a proxy: a table, or JSON (`ministream.proxy/1`).

use serde_json::{Value, json};

use super::grid::Align;
use super::statistics::put_table;
use super::style::Style;
use crate::fault::{FaultKind, Faults};
use crate::field::TYPE_NAMES;
use crate::proxy::{DirectionReport, ProxyReport, RuleReport, mean_us, rule_json};
use crate::text::write::put;
use crate::units::counted;
use crate::wire::Direction;

/// Name and version of the JSON report.
pub const SCHEMA: &str = "ministream.proxy/1";

const DIRECTIONS: [Direction; 2] = [Direction::ClientToServer, Direction::ServerToClient];

/// The values of the report beside the proxy's own.
#[derive(Clone, Copy, Debug)]
pub struct ProxySummary<'a> {
    /// The carrier and address for clients.
    pub carrier: &'a str,
    /// The carrier and address of the server.
    pub upstream: &'a str,
    /// Counts of messages, and of the effects on them.
    pub report: &'a ProxyReport,
    /// The program's exit code.
    pub exit_code: u8,
}

impl ProxySummary<'_> {
    /// Appends the report for people.
    pub fn table(&self, style: &Style, out: &mut Vec<u8>) {
        let heading = format!(
            "{} {} {}",
            self.carrier,
            style.charset.right_arrow(),
            self.upstream
        );
        let columns = [
            ("Direction", Align::Left),
            ("Messages in", Align::Right),
            ("Bytes in", Align::Right),
            ("Messages out", Align::Right),
            ("Bytes out", Align::Right),
            ("Not ours", Align::Right),
        ];
        let rows: Vec<_> = DIRECTIONS
            .iter()
            .zip(&self.report.directions)
            .map(|(direction, passed)| {
                [
                    direction.name().to_owned(),
                    passed.messages_in.to_string(),
                    passed.bytes_in.to_string(),
                    passed.messages_out.to_string(),
                    passed.bytes_out.to_string(),
                    passed.not_ours.to_string(),
                ]
            })
            .collect();
        put_table(&heading, columns, &rows, &[5], style, out);
        self.put_rules(style, out);
        self.put_faults(style, out);
        self.put_totals(out);
    }

    fn put_rules(&self, style: &Style, out: &mut Vec<u8>) {
        if self.report.rules.is_empty() {
            return;
        }
        let columns = [
            ("Rule", Align::Right),
            ("Text", Align::Left),
            ("Matched", Align::Right),
            ("Did", Align::Left),
        ];
        let rows: Vec<_> = self
            .report
            .rules
            .iter()
            .enumerate()
            .map(|(place, rule)| {
                [
                    (place + 1).to_string(),
                    style.escaped(&rule.text),
                    rule.tally.matched.to_string(),
                    done(rule),
                ]
            })
            .collect();
        put_table("Rules", columns, &rows, &[], style, out);
    }

    fn put_faults(&self, style: &Style, out: &mut Vec<u8>) {
        let columns = [
            ("Direction", Align::Left),
            ("Fault", Align::Left),
            ("Messages", Align::Right),
            ("Late, mean", Align::Right),
        ];
        let rows: Vec<_> = self
            .fault_lines()
            .map(|(direction, fault, count, mean_us)| {
                [
                    direction.name().to_owned(),
                    fault,
                    count.to_string(),
                    match mean_us {
                        0 => "-".to_owned(),
                        us => format!("{}.{:03} ms", us / 1_000, us % 1_000),
                    },
                ]
            })
            .collect();
        if !rows.is_empty() {
            put_table("Faults", columns, &rows, &[], style, out);
        }
    }

    /// The effect of each fault that is or was in force: its text, the number of messages that it
    /// met, and the delay of each in microseconds.
    fn fault_lines(&self) -> impl Iterator<Item = (Direction, String, u64, u64)> {
        let faults = &self.report.faults;
        DIRECTIONS.into_iter().flat_map(move |direction| {
            FaultKind::ALL.into_iter().filter_map(move |kind| {
                let effect = faults.stats(direction).effect(kind);
                let text = text_of(&faults.faults, direction, kind);
                if text.is_none() && effect.count == 0 {
                    return None;
                }
                let text = text.unwrap_or_else(|| kind.name().to_owned());
                let mean = mean_us(effect.delay, effect.count);
                Some((direction, text, effect.count, mean))
            })
        })
    }

    fn put_totals(&self, out: &mut Vec<u8>) {
        let report = self.report;
        let mut text = format!(
            "{} on {}",
            counted(report.conversations, "conversation"),
            counted(report.connections, "connection")
        );
        if report.failed_connections > 0 {
            text += &format!("; {} times no server", report.failed_connections);
        }
        if report.added_us.count > 0 {
            text += &format!(
                "; the proxy added p50 {} us, p99 {} us",
                report.added_us.p50, report.added_us.p99
            );
        }
        put(out, &text);
        put(out, "\n");
    }

    /// The report for programs, one JSON object with a line end.
    pub fn json(&self) -> String {
        let report = self.report;
        let directions: serde_json::Map<String, Value> = DIRECTIONS
            .iter()
            .zip(&report.directions)
            .map(|(direction, passed)| (direction.name().to_owned(), direction_json(passed)))
            .collect();
        let faults: Vec<Value> = self
            .fault_lines()
            .map(|(direction, fault, count, mean_us)| {
                json!({
                    "dir": direction.name(),
                    "fault": fault,
                    "message_count": count,
                    "mean_delay_us": mean_us,
                })
            })
            .collect();
        let rules: Vec<Value> = report
            .rules
            .iter()
            .enumerate()
            .map(|(place, rule)| rule_json(place + 1, rule))
            .collect();
        let mut text = json!({
            "schema": SCHEMA,
            "exit_code": self.exit_code,
            "carrier": self.carrier,
            "upstream": self.upstream,
            "conversation_count": report.conversations,
            "connection_count": report.connections,
            "failed_connection_count": report.failed_connections,
            "directions": directions,
            "rules": rules,
            "faults": faults,
            "added_us": {
                "count": report.added_us.count,
                "p50": report.added_us.p50,
                "p99": report.added_us.p99,
                "max": report.added_us.max,
            },
        })
        .to_string();
        text.push('\n');
        text
    }
}

fn text_of(faults: &Faults, direction: Direction, kind: FaultKind) -> Option<String> {
    faults
        .direction(direction)
        .faults()
        .iter()
        .find(|fault| fault.kind() == kind)
        .map(ToString::to_string)
}

fn direction_json(passed: &DirectionReport) -> Value {
    let by_type: serde_json::Map<String, Value> = TYPE_NAMES
        .iter()
        .zip(passed.by_type)
        .map(|(name, count)| ((*name).to_owned(), count.into()))
        .collect();
    json!({
        "message_in_count": passed.messages_in,
        "in_bytes": passed.bytes_in,
        "message_out_count": passed.messages_out,
        "out_bytes": passed.bytes_out,
        "not_ours_count": passed.not_ours,
        "frame_count": passed.frames,
        "payload_bytes": passed.payload_bytes,
        "by_type": by_type,
    })
}

/// `2 dropped, 1 delayed by 200 ms`
fn done(rule: &RuleReport) -> String {
    let tally = rule.tally;
    let mut parts = Vec::new();
    for (count, what) in [
        (tally.dropped, "dropped"),
        (tally.duplicated, "sent twice"),
        (tally.held, "held"),
        (tally.changed, "changed"),
        (tally.injected, "injected"),
        (tally.left_out, "left out"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    if tally.delayed > 0 {
        let mean = mean_us(tally.delay, tally.delayed) / 1_000;
        parts.push(format!("{} delayed by {mean} ms", tally.delayed));
    }
    match (parts.is_empty(), tally.matched) {
        (false, _) => parts.join(", "),
        (true, 0) => "-".to_owned(),
        (true, _) => "passed".to_owned(),
    }
}
