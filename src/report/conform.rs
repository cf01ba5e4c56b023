//! What came of a run of conformance cases: a line for each, JUnit XML, a page.

mod page;

use std::time::Duration;

use super::grid::Paint;
use super::junit::{Counts, Fate, Junit};
use super::look::Look;
use super::message::message_text;
use crate::replay::conform::{Case, CaseReport, CaseResult, Heard, Level};
use crate::text::write::put;
use crate::units::counted;

/// Messages of a case that failed that are shown.
const MAX_SHOWN: usize = 12;

/// Columns for the id of a case.
const ID_WIDTH: usize = 14;

/// Collects what became of cases.
#[derive(Debug)]
pub struct ConformReport {
    weighs: Level,
    reports: Vec<CaseReport>,
    /// Why not all cases were tried.
    cut_short: Option<String>,
}

/// How a case counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    /// It failed, and that makes the run fail.
    Failed,
    /// It failed, and should not have.
    Warned,
    Skipped,
}

impl ConformReport {
    /// Without cases. Those of the level `weighs`, and of higher ones, can fail the run.
    pub const fn new(weighs: Level) -> Self {
        Self {
            weighs,
            reports: Vec::new(),
            cut_short: None,
        }
    }

    /// Takes what became of a case.
    pub fn add(&mut self, report: CaseReport) {
        self.reports.push(report);
    }

    /// Not all cases are tried, for this reason.
    pub fn cut_short(&mut self, why: String) {
        self.cut_short = Some(why);
    }

    /// Whether all cases were tried, none failed that weighs, and at least one passed.
    pub fn passed(&self) -> bool {
        self.cut_short.is_none()
            && self.count(Outcome::Failed) == 0
            && self.count(Outcome::Passed) > 0
    }

    fn outcome(&self, report: &CaseReport) -> Outcome {
        match report.result {
            CaseResult::Passed => Outcome::Passed,
            CaseResult::Skipped(_) => Outcome::Skipped,
            CaseResult::Failed { .. } if report.fails(self.weighs) => Outcome::Failed,
            CaseResult::Failed { .. } => Outcome::Warned,
        }
    }

    fn count(&self, outcome: Outcome) -> u64 {
        let reports = self.reports.iter();
        let alike = reports.filter(|report| self.outcome(report) == outcome);
        alike.map(|_| 1).sum()
    }

    fn total(&self) -> u64 {
        self.reports.iter().map(|_| 1).sum()
    }

    /// Appends the line of a case, and what was seen if it failed.
    pub fn put_case(&self, report: &CaseReport, look: &Look, out: &mut Vec<u8>) {
        let (word, paint) = match self.outcome(report) {
            Outcome::Passed => ("passed ", Paint::Green),
            Outcome::Failed => ("FAILED ", Paint::Red),
            Outcome::Warned => ("warning", Paint::Yellow),
            Outcome::Skipped => ("skipped", Paint::Dim),
        };
        look.paint(paint).put(out, word);
        put(out, &format!(" {}", line(report.case)));
        match &report.result {
            CaseResult::Passed => put(out, "\n"),
            CaseResult::Skipped(reason) => put(out, &format!("; {}\n", reason.text())),
            CaseResult::Failed { step, why } => {
                put(out, "\n");
                let mut detail = |name: &str, text: &str| {
                    put(out, &format!("          {name:<9} {text}\n"));
                };
                detail("step", &format!("{}: {why}", look.escaped(step)));
                let left_out = report.heard.len().saturating_sub(MAX_SHOWN);
                if left_out > 0 {
                    detail("", &format!("({left_out} messages before these)"));
                }
                for message in &report.heard[left_out..] {
                    let (name, message) = match message {
                        Heard::Sent(message) => ("sent", message),
                        Heard::Received(message) => ("received", message),
                    };
                    detail(name, &message_text(message, look.charset));
                }
                detail("protocol", &format!("\"{}\"", report.case.sentence));
            }
        }
    }

    /// Appends the last line, and before it why there are no more cases, if they were cut short.
    pub fn put_totals(&self, elapsed: Duration, look: &Look, out: &mut Vec<u8>) {
        let counts: Vec<String> = [
            (Outcome::Passed, "passed"),
            (Outcome::Failed, "failed"),
            (Outcome::Warned, "with a warning"),
            (Outcome::Skipped, "skipped"),
        ]
        .into_iter()
        .map(|(outcome, word)| (self.count(outcome), word))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
        let (verdict, paint) = if self.passed() {
            ("PASSED", Paint::Green)
        } else {
            ("FAILED", Paint::Red)
        };
        if let Some(why) = &self.cut_short {
            put(out, &format!("ended early: {why}\n"));
        }
        put(
            out,
            &format!(
                "{} in {:.1} s: {}   ",
                counted(self.total(), "case"),
                elapsed.as_secs_f64(),
                counts.join(", ")
            ),
        );
        look.paint(paint).put(out, verdict);
        put(out, "\n");
    }

    /// The report for CI.
    pub fn junit(&self, name: &str, elapsed: Duration) -> String {
        let of_the_run = u64::from(self.cut_short.is_some());
        let mut junit = Junit::new(
            name,
            Counts {
                tests: self.total() + of_the_run,
                failures: self.count(Outcome::Failed),
                errors: of_the_run,
                skipped: self.count(Outcome::Skipped) + self.count(Outcome::Warned),
            },
            elapsed,
        );
        for report in &self.reports {
            let name = format!("{} {}", report.case.id, report.case.title);
            let message = match &report.result {
                CaseResult::Passed => String::new(),
                CaseResult::Skipped(reason) => reason.text().to_owned(),
                CaseResult::Failed { step, why } => format!("{step}: {why}"),
            };
            junit.case(
                &name,
                match self.outcome(report) {
                    Outcome::Passed => Fate::Passed,
                    Outcome::Failed => Fate::Failure(&message),
                    Outcome::Warned | Outcome::Skipped => Fate::Skipped(&message),
                },
            );
        }
        if let Some(why) = &self.cut_short {
            junit.case("the whole run", Fate::Error(why));
        }
        junit.finish()
    }
}

/// The cases as `--list` shows them.
pub fn list(cases: &[&Case]) -> String {
    cases.iter().map(|case| line(case) + "\n").collect()
}

/// `ms/close/4     should  a close is not answered`
fn line(case: &Case) -> String {
    format!(
        "{:<ID_WIDTH$} {:<6}  {}",
        case.id,
        case.level.name(),
        case.title
    )
}
