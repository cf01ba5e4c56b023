//! Verdicts, and for failed cases the sentence and the messages, in one page without a script.

use std::time::Duration;

use super::{ConformReport, Verdict};
use crate::replay::conform::{CaseMessage, CaseReport, CaseResult};
use crate::report::html::charts::grouped;
use crate::report::html::frame::{
    Card, STYLE, put_cards, put_cell, put_foot, put_head, put_paragraph,
};
use crate::report::markup::put_markup_text;
use crate::report::message::{message_text, step_text};
use crate::report::style::Style;
use crate::text::write::{put, put_display};
use crate::units::counted;

impl ConformReport {
    /// The page of a run that is named `name`.
    pub fn html(&self, name: &str, elapsed: Duration, style: &Style) -> Vec<u8> {
        let mut out = Vec::new();
        put_head(&style.escaped(name), &[STYLE], None, &mut out);
        let (failed, total) = (self.count(Verdict::Failed), self.total());
        let (class, text) = match (&self.cut_short, self.passed()) {
            (Some(why), _) => ("failed", format!("FAILED: ended early: {why}")),
            (None, true) if self.count(Verdict::Warned) > 0 => {
                let warnings = counted(self.count(Verdict::Warned), "warning");
                ("passed", format!("PASSED, with {warnings}"))
            }
            (None, true) if self.count(Verdict::Skipped) > 0 => {
                let text = "PASSED: every case that could be tried";
                ("passed", text.to_owned())
            }
            (None, true) => ("passed", "PASSED: every case".to_owned()),
            (None, false) if failed == 0 => ("failed", "FAILED: no case passed".to_owned()),
            (None, false) => (
                "failed",
                format!("FAILED: {} of {} cases", grouped(failed), grouped(total)),
            ),
        };
        put_paragraph(&format!("verdict {class}"), &text, &mut out);
        let mut cards = vec![Card::plain("cases", grouped(total))];
        for (outcome, name, level) in [
            (Verdict::Failed, "failed", "error"),
            (Verdict::Warned, "with a warning", "warn"),
            (Verdict::Passed, "passed", "passed"),
            (Verdict::Skipped, "skipped", ""),
        ] {
            let count = self.count(outcome);
            if count > 0 {
                cards.push(Card {
                    level,
                    link: id_of(outcome),
                    ..Card::plain(name, grouped(count))
                });
            }
        }
        cards.push(Card::plain(
            "time",
            format!("{:.1} s", elapsed.as_secs_f64()),
        ));
        put_cards(&cards, &mut out);
        for (outcome, heading) in [
            (Verdict::Failed, "Failed"),
            (
                Verdict::Warned,
                "Warnings: a peer should do what these cases ask for",
            ),
            (Verdict::Passed, "Passed"),
            (Verdict::Skipped, "Skipped"),
        ] {
            self.put_cases(outcome, heading, style, &mut out);
        }
        put_foot("ministream-replay", &mut out);
        put(&mut out, "</body>\n</html>\n");
        out
    }

    fn put_cases(&self, outcome: Verdict, heading: &str, style: &Style, out: &mut Vec<u8>) {
        let mut cases = self
            .reports
            .iter()
            .filter(|report| self.outcome(report) == outcome)
            .peekable();
        if cases.peek().is_none() {
            return;
        }
        put_display(out, format_args!("<h2 id=\"{}\">", id_of(outcome)));
        put_markup_text(out, heading);
        put(
            out,
            "</h2>\n<div class=\"conform case head\"><span>Case</span><span>Requirement</span>\
             <span>What the peer does</span></div>\n",
        );
        for report in cases {
            put_case(report, outcome, style, out);
        }
    }
}

const fn id_of(outcome: Verdict) -> &'static str {
    match outcome {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::Warned => "warned",
        Verdict::Skipped => "skipped",
    }
}

fn put_case(report: &CaseReport, outcome: Verdict, style: &Style, out: &mut Vec<u8>) {
    let class = match outcome {
        Verdict::Passed => "passed",
        Verdict::Failed => "error",
        Verdict::Warned => "warn",
        Verdict::Skipped => "skipped",
    };
    let open = match outcome {
        Verdict::Failed | Verdict::Warned => " open",
        Verdict::Passed | Verdict::Skipped => "",
    };
    let case = report.case;
    put_display(
        out,
        format_args!(
            "<details class=\"tested {class}\" id=\"{}\"{open}>\
             <summary class=\"conform case\"><span class=\"result\">",
            case.id
        ),
    );
    put_markup_text(out, case.id);
    put_display(
        out,
        format_args!(
            "</span><span>{}</span><span class=\"words\">",
            case.level.name()
        ),
    );
    put_markup_text(out, case.title);
    put(out, "</span></summary>\n<blockquote>");
    put_markup_text(out, &case.quotation());
    put(out, "</blockquote>\n");
    match &report.result {
        CaseResult::Passed => {}
        CaseResult::Skipped(reason) => put_paragraph("about", reason.text(), out),
        CaseResult::Failed { step, why } => {
            put(out, "<p><code>");
            put_markup_text(out, &step_text(step, style.charset));
            put(out, "</code>: <strong>");
            put_markup_text(out, why);
            put(out, "</strong></p>\n");
        }
    }
    if !report.messages.is_empty() && !matches!(report.result, CaseResult::Passed) {
        put(out, "<table class=\"said\">");
        for message in &report.messages {
            let (name, message) = match message {
                CaseMessage::Sent(message) => ("→ sent", message),
                CaseMessage::Received(message) => ("← received", message),
            };
            put(out, "<tr>");
            put_cell("", name, out);
            put_cell("mono", &message_text(message, style.charset), out);
            put(out, "</tr>\n");
        }
        put(out, "</table>\n");
    }
    put(out, "</details>\n");
}
