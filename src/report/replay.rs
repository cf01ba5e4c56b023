//! The results of a replay: a table, JSON (`ministream.replay/1`), JUnit XML, a page.

mod difference;
mod page;
mod pair;

use std::time::Duration;

use serde_json::{Value, json};

use self::difference::{put_difference, suggested_masks};
use super::grid::{Align, Colour};
use super::html::histogram::Distribution;
use super::junit::{Counts, Fate, Junit};
use super::statistics::put_table;
use super::style::{Style, put_duration};
use crate::replay::{
    Excerpt, Pace, Percentiles, PlayOptions, PlayOutcome, PlayStats, ReplayResult, ResultCounts,
    Skipped, Verdict, identity,
};
use crate::text::wrap::put_wrapped;
use crate::text::write::text_of;
use crate::units::{counted, whole_micros};
use crate::wire::StreamId;

/// Name and version of the JSON report.
pub const SCHEMA: &str = "ministream.replay/1";

/// Conversations that are listed one by one. Those that were as recorded give
/// way to others when there are more.
const MAX_LISTED: usize = 10_000;

/// Conversations of a page that are shown with all their messages.
const MAX_PICTURED: usize = 200;

/// Skipped messages that the table names.
const MAX_SKIPPED_NAMED: usize = 8;

/// Exit codes of runs that came to their end: all well, a check failed, the capture is damaged.
const EXIT_CODES_AT_THE_END: [u8; 3] = [0, 1, 3];

/// Columns that are left out where the terminal is too narrow, first to last.
const EXPENDABLE: [usize; 2] = [6, 2];

/// Collects outcomes in bounded memory.
#[derive(Debug, Default)]
pub struct ReplayOutcomes {
    listed: Vec<PlayOutcome>,
    tally: ResultCounts,
    /// Exchanges that are kept with those that are listed.
    exchanges: usize,
    recorded_handshakes: Distribution,
    handshakes: Distribution,
}

impl ReplayOutcomes {
    /// Takes the next outcome.
    pub fn add(&mut self, mut outcome: PlayOutcome) {
        self.tally.add(outcome.result);
        let nanos = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        self.recorded_handshakes
            .add(outcome.recorded_handshake.map(nanos));
        self.handshakes.add(outcome.handshake.map(nanos));
        self.make_room_for_exchange(&mut outcome);
        if self.listed.len() < MAX_LISTED {
            return self.listed.push(outcome);
        }
        if outcome.result != ReplayResult::Same
            && let Some(last) = self
                .listed
                .iter()
                .rposition(|listed| listed.result == ReplayResult::Same)
        {
            self.listed[last] = outcome;
        }
    }

    /// Keeps the messages of the first conversations; those that were as recorded give way.
    fn make_room_for_exchange(&mut self, outcome: &mut PlayOutcome) {
        if outcome.exchange.is_none() {
            return;
        }
        if self.exchanges < MAX_PICTURED {
            self.exchanges += 1;
            return;
        }
        let gives_way = |listed: &&mut PlayOutcome| {
            listed.result == ReplayResult::Same && listed.exchange.is_some()
        };
        let other = match outcome.result {
            ReplayResult::Same => None,
            _ => self.listed.iter_mut().rfind(gives_way),
        };
        match other {
            Some(other) => other.exchange = None,
            None => outcome.exchange = None,
        }
    }

    /// Number of conversations by result.
    pub const fn tally(&self) -> &ResultCounts {
        &self.tally
    }
}

/// A replay that is over.
#[derive(Debug)]
pub struct ReplayReport<'a> {
    /// The recording, as the user named it.
    pub source: &'a str,
    /// The carrier and address of the peer.
    pub carrier: &'a str,
    /// The options.
    pub options: &'a PlayOptions,
    /// The outcomes.
    pub outcomes: &'a ReplayOutcomes,
    /// Counts of messages sent and received.
    pub stats: &'a PlayStats,
    /// The parts that were not played, as far as they are listed.
    pub skipped: &'a [Skipped],
    /// Number of all that were not played.
    pub skipped_count: u64,
    /// The planned duration of one pass.
    pub planned: Duration,
    /// The duration of all.
    pub elapsed: Duration,
    /// The program's exit code.
    pub exit_code: u8,
    /// The option by which the program takes a mask.
    pub mask_flag: &'a str,
}

impl ReplayReport<'_> {
    /// A run that was cut short did not pass, whatever came of the part that was played.
    fn verdict(&self) -> Verdict {
        if self.cut_short().is_some() {
            Verdict::Failed
        } else {
            self.outcomes.tally.verdict()
        }
    }

    /// The reason why the run as a whole proves nothing, if it does not.
    fn cut_short(&self) -> Option<String> {
        match (self.stats.not_begun, self.exit_code) {
            (0, code) if EXIT_CODES_AT_THE_END.contains(&code) => None,
            (0, code) => Some(format!("cut short, exit code {code}")),
            (count, _) => Some(format!("{} not begun", conversations_text(count))),
        }
    }

    /// Appends the report for people.
    pub fn table(&self, style: &Style, out: &mut Vec<u8>) {
        let heading = format!(
            "{} {} {}   {}, order {}, ids {}, compare {}",
            style.escaped(self.source),
            style.charset.right_arrow(),
            self.carrier,
            pace_text(self.options.pace),
            self.options.order.name(),
            self.options.ids.name(),
            self.options.compare.name()
        );
        let mut listed: Vec<&PlayOutcome> = self.outcomes.listed.iter().collect();
        listed.sort_by_key(|outcome| (outcome.copy, outcome.pass, outcome.conversation));
        let heading = text_of(|out| put_wrapped(&heading, style.width, out));
        let rows: Vec<_> = listed.iter().map(|outcome| row(outcome, style)).collect();
        let right = format!("{} B", style.charset.right_arrow());
        let left = format!("{} B", style.charset.left_arrow());
        let columns = [
            ("Conv", Align::Left),
            ("Recorded ids", Align::Left),
            ("Live ids", Align::Left),
            ("Result", Align::Left),
            (&*right, Align::Right),
            (&*left, Align::Right),
            ("Handshake", Align::Right),
            ("First difference", Align::Left),
        ];
        put_table(heading.trim_end(), columns, &rows, &EXPENDABLE, style, out);
        let mut left_to_show = self.options.max_differences;
        for outcome in &listed {
            for difference in outcome.differences.iter().take(left_to_show) {
                put_difference(&name(outcome), difference, style, out);
                left_to_show -= 1;
            }
        }
        for (mask, count) in suggested_masks(listed) {
            let conversations = conversations_text(count);
            let flag = self.mask_flag;
            let line = format!("{flag} '{mask}' would cover what differs in {conversations}\n");
            put_wrapped(&line, style.width, out);
        }
        self.put_totals(style, out);
    }

    fn put_totals(&self, style: &Style, out: &mut Vec<u8>) {
        let tally = self.outcomes.tally;
        let counts: Vec<String> = ReplayResult::ALL
            .into_iter()
            .filter(|result| tally.count(*result) > 0)
            .map(|result| format!("{} {result}", tally.count(result)))
            .collect();
        let mut text = format!(
            "{}: {}.",
            conversations_text(tally.total()),
            counts.join(", ")
        );
        if self.stats.not_begun > 0 {
            text.push_str(&format!(" {} not begun.", self.stats.not_begun));
        }
        if self.skipped_count > 0 {
            let named: Vec<String> = self
                .skipped
                .iter()
                .take(MAX_SKIPPED_NAMED)
                .map(skipped_text)
                .collect();
            text.push_str(&format!(" Not replayed: {}", named.join(", ")));
            let more = self.skipped_count - named.len() as u64;
            text.push_str(&match more {
                0 => ".".to_owned(),
                more => format!(" and {more} more."),
            });
        }
        put_wrapped(&text, style.width, out);
        let mut text = format!(
            "sent {} in {:.1} s",
            counted(self.stats.sent_messages, "message"),
            self.elapsed.as_secs_f64()
        );
        if let Some(lag) = self.stats.send_lag() {
            text.push_str(&format!("; worst send {} late", micros(lag.max, style)));
        }
        if let Some(handshake) = self.stats.handshakes() {
            text.push_str(&format!(
                "; handshake p50 {} p99 {} max {}",
                micros(handshake.p50, style),
                micros(handshake.p99, style),
                micros(handshake.max, style)
            ));
        }
        let (verdict, colour) = match self.verdict() {
            Verdict::Passed => ("PASSED", Colour::Green),
            Verdict::Failed => ("FAILED", Colour::Red),
        };
        style.put_verdict(&text, verdict, colour, out);
    }

    /// The report for programs, one JSON object with a line end.
    pub fn json(&self) -> String {
        let conversations: Vec<Value> =
            self.outcomes.listed.iter().map(conversation_json).collect();
        let skipped: Vec<Value> = self
            .skipped
            .iter()
            .map(|skipped| {
                json!({
                    "n": skipped.number,
                    "conv": skipped.conversation.map(|id| id.to_string()),
                    "reason": skipped.reason.name(),
                })
            })
            .collect();
        let results: serde_json::Map<String, Value> = ReplayResult::ALL
            .into_iter()
            .map(|result| {
                let count = self.outcomes.tally.count(result);
                (result.name().to_owned(), count.into())
            })
            .collect();
        let options = self.options;
        let (speed, rate) = match options.pace {
            Pace::Recorded { speed } => (Some(speed), None),
            Pace::Rate { per_second } => (None, Some(per_second)),
            Pace::TopSpeed => (None, None),
        };
        let mut text = json!({
            "schema": SCHEMA,
            "verdict": self.verdict().name(),
            "exit_code": self.exit_code,
            "source": self.source,
            "carrier": self.carrier,
            "options": {
                "speed": speed,
                "rate_per_s": rate,
                "order": options.order.name(),
                "ids": options.ids.name(),
                "compare": options.compare.name(),
                "concurrency": options.load.concurrency.get(),
            },
            "planned_us": whole_micros(self.planned),
            "elapsed_us": whole_micros(self.elapsed),
            "sent_message_count": self.stats.sent_messages,
            "received_message_count": self.stats.received_messages,
            "late_message_count": self.stats.late_messages,
            "not_begun_count": self.stats.not_begun,
            "skipped_count": self.skipped_count,
            "skipped": skipped,
            "send_lag_us": self.stats.send_lag().map(percentiles_json),
            "handshake_us": self.stats.handshakes().map(percentiles_json),
            "result_counts": results,
            "conversation_count": self.outcomes.tally.total(),
            "conversations": conversations,
        })
        .to_string();
        text.push('\n');
        text
    }

    /// The report for CI: one test case for each conversation that is listed.
    pub fn junit(&self) -> String {
        let tally = self.outcomes.tally;
        let skipped = tally.count(ReplayResult::Skipped);
        let cut_short = self.cut_short();
        let lost = tally.count(ReplayResult::TransportError);
        let failures = tally.total() - tally.count(ReplayResult::Same) - skipped - lost;
        let of_the_run = u64::from(cut_short.is_some());
        let errors = lost + of_the_run;
        let mut junit = Junit::new(
            &format!("{} to {}", self.source, self.carrier),
            Counts {
                tests: tally.total() + of_the_run,
                failures,
                errors,
                skipped,
            },
            self.elapsed,
        );
        for outcome in &self.outcomes.listed {
            let name = format!(
                "{} copy {} pass {}",
                outcome.conversation, outcome.copy, outcome.pass
            );
            let remark = remark(outcome, "s2c");
            let message = match &*remark {
                "" => outcome.result.to_string(),
                remark => format!("{}: {remark}", outcome.result),
            };
            let fate = match outcome.result {
                ReplayResult::Same => Fate::Passed,
                ReplayResult::Skipped => Fate::Skipped(&message),
                ReplayResult::TransportError => Fate::Error(&message),
                _ => Fate::Failure(&message),
            };
            junit.case(&name, fate);
        }
        if let Some(why) = cut_short {
            junit.case("the whole run", Fate::Error(&why));
        }
        junit.finish()
    }
}

fn row(outcome: &PlayOutcome, style: &Style) -> [String; 8] {
    let got = outcome.s2c_got_bytes;
    let want = outcome.s2c_want_bytes;
    [
        name(outcome),
        ids(outcome.recorded_ids.0, outcome.recorded_ids.1),
        ids(outcome.live_ids.0, outcome.live_ids.1),
        outcome.result.to_string(),
        outcome.c2s_bytes.to_string(),
        if got == want {
            got.to_string()
        } else {
            format!("{got}/{want}")
        },
        outcome.handshake.map_or_else(
            || "-".to_owned(),
            |handshake| micros(whole_micros(handshake), style),
        ),
        remark(outcome, style.charset.left_arrow()),
    ]
}

/// `c1`; `c1 2.3` in the third pass of the second copy.
fn name(outcome: &PlayOutcome) -> String {
    match (outcome.copy, outcome.pass) {
        (1, 1) => outcome.conversation.to_string(),
        (copy, pass) => format!("{} {copy}.{pass}", outcome.conversation),
    }
}

fn ids(client: Option<impl Into<StreamId>>, server: Option<impl Into<StreamId>>) -> String {
    let text = |id: Option<StreamId>| id.map_or_else(|| "-".to_owned(), |id| id.to_string());
    format!(
        "{}/{}",
        text(client.map(Into::into)),
        text(server.map(Into::into))
    )
}

/// The first difference, or another remark.
fn remark(outcome: &PlayOutcome, server: &str) -> String {
    let Some(difference) = outcome.differences.first() else {
        return outcome
            .note
            .map_or_else(String::new, |note| note.to_string());
    };
    let bytes = |excerpt: &Excerpt| match &*excerpt.bytes {
        [] => "nothing".to_owned(),
        bytes => hex::encode(&bytes[..bytes.len().min(4)]),
    };
    format!(
        "{server} offset {}: want {}, got {}",
        difference.offset,
        bytes(&difference.want),
        bytes(&difference.got)
    )
}

fn conversation_json(outcome: &PlayOutcome) -> Value {
    let diffs: Vec<Value> = outcome
        .differences
        .iter()
        .map(|difference| {
            json!({
                "dir": difference.direction.name(),
                "offset_bytes": difference.offset,
                "want_hex": hex::encode(&difference.want.bytes),
                "got_hex": hex::encode(&difference.got.bytes),
            })
        })
        .collect();
    let mut record = identity(outcome);
    record.extend(
        [
            ("result", json!(outcome.result.name())),
            ("note", json!(outcome.note.map(|note| note.to_string()))),
            ("c2s_bytes", json!(outcome.c2s_bytes)),
            ("s2c_want_bytes", json!(outcome.s2c_want_bytes)),
            ("s2c_got_bytes", json!(outcome.s2c_got_bytes)),
            ("handshake_us", json!(outcome.handshake.map(whole_micros))),
            (
                "recorded_handshake_us",
                json!(outcome.recorded_handshake.map(whole_micros)),
            ),
            ("diffs", json!(diffs)),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    );
    Value::Object(record)
}

fn percentiles_json(percentiles: Percentiles) -> Value {
    json!({"p50": percentiles.p50, "p99": percentiles.p99, "max": percentiles.max})
}

fn pace_text(pace: Pace) -> String {
    match pace {
        Pace::Recorded { speed } => format!("speed {speed}"),
        Pace::Rate { per_second } => format!("rate {per_second}/s"),
        Pace::TopSpeed => "top speed".to_owned(),
    }
}

fn conversations_text(count: u64) -> String {
    counted(count, "conversation")
}

fn skipped_text(skipped: &Skipped) -> String {
    match (skipped.number, skipped.conversation) {
        (Some(number), _) => format!("#{number} {}", skipped.reason),
        (None, Some(id)) => format!("{id} {}", skipped.reason),
        (None, None) => skipped.reason.to_string(),
    }
}

fn micros(micros: u64, style: &Style) -> String {
    let nanos = i64::try_from(micros.saturating_mul(1_000)).unwrap_or(i64::MAX);
    text_of(|out| put_duration(out, nanos, style.charset))
}

#[cfg(test)]
mod tests;
