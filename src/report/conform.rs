//! The results of a run of conformance cases: a line for each, JUnit XML, a page.

mod page;

use std::time::Duration;

use super::grid::Colour;
use super::junit::{Counts, Fate, Junit};
use super::message::{message_text, step_text};
use super::style::Style;
use crate::replay::conform::{Case, CaseMessage, CaseReport, CaseResult, Requirement};
use crate::text::wrap::{put_hanging, put_wrapped};
use crate::text::write::put;
use crate::units::counted;

/// Messages of a case that failed that are shown.
const MAX_SHOWN: usize = 12;

/// Columns for the id of a case.
const ID_WIDTH: usize = 14;

/// Columns before the title of a case that was tried.
const TITLE_INDENT: usize = 8 + ID_WIDTH + 9;

/// Columns before the details of a case that failed.
const DETAIL_INDENT: usize = 20;

/// Collects the results of cases.
#[derive(Debug)]
pub struct ConformReport {
    weighs: Requirement,
    reports: Vec<CaseReport>,
    /// The reason why not all cases were tried.
    cut_short: Option<String>,
}

/// The verdict on a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Passed,
    /// It failed, and that makes the run fail.
    Failed,
    /// It failed, and should not have.
    Warned,
    Skipped,
}

impl ConformReport {
    /// Without cases. Those of the level `weighs`, and of higher ones, can fail the run.
    pub const fn new(weighs: Requirement) -> Self {
        Self {
            weighs,
            reports: Vec::new(),
            cut_short: None,
        }
    }

    /// Takes the report on a case.
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
            && self.count(Verdict::Failed) == 0
            && self.count(Verdict::Passed) > 0
    }

    fn outcome(&self, report: &CaseReport) -> Verdict {
        match report.result {
            CaseResult::Passed => Verdict::Passed,
            CaseResult::Skipped(_) => Verdict::Skipped,
            CaseResult::Failed { .. } if report.fails(self.weighs) => Verdict::Failed,
            CaseResult::Failed { .. } => Verdict::Warned,
        }
    }

    fn count(&self, outcome: Verdict) -> u64 {
        let reports = self.reports.iter();
        let alike = reports.filter(|report| self.outcome(report) == outcome);
        alike.map(|_| 1).sum()
    }

    fn total(&self) -> u64 {
        self.reports.iter().map(|_| 1).sum()
    }

    /// Appends the line of a case, and its messages if it failed.
    pub fn put_case(&self, report: &CaseReport, style: &Style, out: &mut Vec<u8>) {
        let (word, colour) = match self.outcome(report) {
            Verdict::Passed => ("passed ", Colour::Green),
            Verdict::Failed => ("FAILED ", Colour::Red),
            Verdict::Warned => ("warning", Colour::Yellow),
            Verdict::Skipped => ("skipped", Colour::Dim),
        };
        style.colour(colour).put(out, word);
        let case = report.case;
        put(out, &format!(" {}", name_and_level(case)));
        let title = match &report.result {
            CaseResult::Skipped(reason) => format!("{}; {}", case.title, reason.text()),
            CaseResult::Passed | CaseResult::Failed { .. } => case.title.to_owned(),
        };
        put_hanging(&title, TITLE_INDENT, style.width, out);
        match &report.result {
            CaseResult::Passed | CaseResult::Skipped(_) => {}
            CaseResult::Failed { step, why } => {
                let mut detail = |name: &str, text: &str| {
                    put(out, &format!("          {name:<9} "));
                    put_hanging(text, DETAIL_INDENT, style.width, out);
                };
                detail(
                    "step",
                    &format!("{}: {}", step_text(step, style.charset), style.escaped(why)),
                );
                let left_out = report.messages.len().saturating_sub(MAX_SHOWN);
                if left_out > 0 {
                    detail("", &format!("({left_out} messages before these)"));
                }
                for message in &report.messages[left_out..] {
                    let (name, message) = match message {
                        CaseMessage::Sent(message) => ("sent", message),
                        CaseMessage::Received(message) => ("received", message),
                    };
                    detail(name, &message_text(message, style.charset));
                }
                detail("protocol", &format!("\"{}\"", report.case.quotation()));
            }
        }
    }

    /// Appends the last line, and before it why there are no more cases, if they were cut short.
    pub fn put_totals(&self, elapsed: Duration, style: &Style, out: &mut Vec<u8>) {
        let counts: Vec<String> = [
            (Verdict::Passed, "passed"),
            (Verdict::Failed, "failed"),
            (Verdict::Warned, "with a warning"),
            (Verdict::Skipped, "skipped"),
        ]
        .into_iter()
        .map(|(outcome, word)| (self.count(outcome), word))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
        let (verdict, colour) = if self.passed() {
            ("PASSED", Colour::Green)
        } else {
            ("FAILED", Colour::Red)
        };
        if let Some(why) = &self.cut_short {
            // A router may have worded it.
            let why = style.escaped(why);
            put_wrapped(&format!("ended early: {why}"), style.width, out);
        }
        let text = format!(
            "{} in {:.1} s: {}",
            counted(self.total(), "case"),
            elapsed.as_secs_f64(),
            counts.join(", ")
        );
        style.put_verdict(&text, verdict, colour, out);
    }

    /// The report for CI.
    pub fn junit(&self, name: &str, elapsed: Duration) -> String {
        let of_the_run = u64::from(self.cut_short.is_some());
        let mut junit = Junit::new(
            name,
            Counts {
                tests: self.total() + of_the_run,
                failures: self.count(Verdict::Failed),
                errors: of_the_run,
                skipped: self.count(Verdict::Skipped) + self.count(Verdict::Warned),
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
                    Verdict::Passed => Fate::Passed,
                    Verdict::Failed => Fate::Failure(&message),
                    Verdict::Warned | Verdict::Skipped => Fate::Skipped(&message),
                },
            );
        }
        if let Some(why) = &self.cut_short {
            junit.case("the whole run", Fate::Error(why));
        }
        junit.finish()
    }
}

/// The cases as a table.
pub fn list(cases: &[&Case]) -> String {
    cases.iter().map(|case| line(case) + "\n").collect()
}

/// `ms/close/4     should  a close is not answered`
fn line(case: &Case) -> String {
    name_and_level(case) + case.title
}

/// The same before the title.
fn name_and_level(case: &Case) -> String {
    format!("{:<ID_WIDTH$} {:<6}  ", case.id, case.level.name())
}
