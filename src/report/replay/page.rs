//! Verdicts, differences and both ladders in one page without a script.

use super::difference::{Notation, Shown, suggested_masks, title};
use super::pair::put_pair;
use super::{ReplayReport, ids, micros, name, pace_text, remark, skipped_text};
use crate::replay::{Difference, Excerpt, Pace, PlayOutcome, ReplayResult, Verdict};
use crate::report::html::charts::{grouped, put_bars};
use crate::report::html::frame::{
    Card, Key, STYLE, put_cards, put_figure, put_foot, put_head, put_paragraph,
};
use crate::report::html::histogram::Distribution;
use crate::report::ladder;
use crate::report::markup::put_markup_text;
use crate::report::style::{Style, put_duration};
use crate::text::escape::Charset;
use crate::text::write::{put, put_display, text_of};
use crate::units::whole_micros;

/// Columns of one side of a difference.
const SIDE_COLUMNS: usize = 150;

/// Differences of a conversation that are shown with it.
const OPEN_DIFFERENCES: usize = 3;

/// Conversations that are not as recorded and are open when the page is.
const OPEN_AT_FIRST: usize = 3;

/// Whether the details of a conversation are open at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fold {
    Open,
    Closed,
}

impl ReplayReport<'_> {
    /// The page.
    pub fn html(&self, style: &Style) -> Vec<u8> {
        let mut out = Vec::new();
        let heading = format!("{} → {}", style.escaped(self.source), self.carrier);
        put_head(&heading, &[STYLE, ladder::STYLE], None, &mut out);
        let options = self.options;
        let how = format!(
            "replayed: {}, order {}, ids {}, compare {}",
            pace_text(options.pace),
            options.order.name(),
            options.ids.name(),
            options.compare.name()
        );
        put_paragraph("about", &how, &mut out);
        self.put_verdict(&mut out);
        self.put_cards(style, &mut out);
        let mut listed: Vec<&PlayOutcome> = self.outcomes.listed.iter().collect();
        listed.sort_by_key(|outcome| {
            let is_same = outcome.result == ReplayResult::Same;
            (is_same, outcome.copy, outcome.pass, outcome.conversation)
        });
        put_masks(&listed, self.mask_flag, &mut out);
        self.put_conversations(&listed, style, &mut out);
        self.put_times(style, &mut out);
        put_foot("ministream-replay", &mut out);
        put(&mut out, "</body>\n</html>\n");
        out
    }

    fn put_verdict(&self, out: &mut Vec<u8>) {
        let tally = self.outcomes.tally;
        let same = tally.count(ReplayResult::Same);
        let text = match (self.cut_short(), self.verdict()) {
            (Some(why), _) => format!("FAILED: {why}"),
            (None, Verdict::Passed) => match tally.total() {
                1 => "PASSED: the conversation was answered as recorded".to_owned(),
                total => format!("PASSED: all {} were answered as recorded", grouped(total)),
            },
            (None, Verdict::Failed) => match (tally.total() - same, tally.total()) {
                (_, 0) => "FAILED: no conversation was played".to_owned(),
                (1, 1) => "FAILED: the conversation was not answered as recorded".to_owned(),
                (odd, total) => format!(
                    "FAILED: {} of {} conversations {} not answered as recorded",
                    grouped(odd),
                    grouped(total),
                    if odd == 1 { "was" } else { "were" }
                ),
            },
        };
        put_paragraph(&format!("verdict {}", self.verdict().name()), &text, out);
    }

    fn put_cards(&self, style: &Style, out: &mut Vec<u8>) {
        let tally = self.outcomes.tally;
        let names = ReplayResult::ALL.map(|result| result.to_string());
        let mut cards = vec![Card::plain("conversations", grouped(tally.total()))];
        for (result, name) in ReplayResult::ALL.into_iter().zip(&names) {
            let count = tally.count(result);
            if count > 0 {
                let level = match result {
                    ReplayResult::Same => "passed",
                    ReplayResult::Skipped => "warn",
                    _ => "error",
                };
                cards.push(Card {
                    level,
                    link: "conversations",
                    ..Card::plain(name, grouped(count))
                });
            }
        }
        cards.push(Card::plain(
            "messages sent",
            grouped(self.stats.sent_messages),
        ));
        let took = micros(whole_micros(self.elapsed), style);
        cards.push(Card::plain("time", took));
        put_cards(&cards, out);
        if self.skipped_count > 0 {
            let named: Vec<String> = self.skipped.iter().take(8).map(skipped_text).collect();
            let text = match self.skipped_count - named.len() as u64 {
                0 => format!("Not replayed: {}.", named.join(", ")),
                more => format!("Not replayed: {} and {more} more.", named.join(", ")),
            };
            put_paragraph("note", &text, out);
        }
    }

    fn put_conversations(&self, listed: &[&PlayOutcome], style: &Style, out: &mut Vec<u8>) {
        put(out, "<h2 id=\"conversations\">Conversations</h2>\n");
        let all = self.outcomes.tally.total();
        let pictured = listed.iter().filter(|one| one.exchange.is_some()).count();
        for (shown, what) in [
            (listed.len(), "are listed"),
            (pictured, "are shown with their messages"),
        ] {
            if (shown as u64) < all {
                let text = format!(
                    "{} of {} conversations {what}: those that were not as recorded first.",
                    grouped(shown as u64),
                    grouped(all)
                );
                put_paragraph("note", &text, out);
            }
        }
        if !matches!(self.options.pace, Pace::Recorded { speed: 1.0 }) {
            let text = "The recording was not played at its own pace: times of both sides differ.";
            put_paragraph("note", text, out);
        }
        put(
            out,
            "<div class=\"case head\"><span>Result</span><span>Conversation</span>\
             <span class=\"minor\">Recorded ids</span><span class=\"minor\">Live ids</span>\
             <span class=\"number\">→ B</span><span class=\"number\">← B</span>\
             <span class=\"number\">Handshake</span><span>First difference</span></div>\n",
        );
        for (index, outcome) in listed.iter().enumerate() {
            let fold = if index < OPEN_AT_FIRST && outcome.result != ReplayResult::Same {
                Fold::Open
            } else {
                Fold::Closed
            };
            self.put_conversation(outcome, fold, style, out);
        }
    }

    fn put_conversation(&self, one: &PlayOutcome, fold: Fold, style: &Style, out: &mut Vec<u8>) {
        let class = match one.result {
            ReplayResult::Same => "passed",
            ReplayResult::Skipped => "warn",
            _ => "error",
        };
        let open = match fold {
            Fold::Open => " open",
            Fold::Closed => "",
        };
        put_display(
            out,
            format_args!("<details class=\"tested {class}\"{open}><summary class=\"case\">"),
        );
        let answered = match (one.s2c_got_bytes, one.s2c_want_bytes) {
            (got, want) if got == want => got.to_string(),
            (got, want) => format!("{got} of {want}"),
        };
        let handshake = one
            .handshake
            .map_or_else(|| "-".to_owned(), |time| micros(whole_micros(time), style));
        for (class, text) in [
            ("result", one.result.to_string()),
            ("", name(one)),
            ("mono minor", ids(one.recorded_ids.0, one.recorded_ids.1)),
            ("mono minor", ids(one.live_ids.0, one.live_ids.1)),
            ("number", one.c2s_bytes.to_string()),
            ("number", answered),
            ("number", handshake),
            ("words", remark(one, "←")),
        ] {
            put_display(out, format_args!("<span class=\"{class}\">"));
            put_markup_text(out, &text);
            put(out, "</span>");
        }
        put(out, "</summary>\n");
        if let Some(note) = one.note {
            put_paragraph("about", &note.to_string(), out);
        }
        let (first, further) = one
            .differences
            .split_at(one.differences.len().min(OPEN_DIFFERENCES));
        first.iter().for_each(|one| put_difference(one, out));
        if !further.is_empty() {
            let noun = if further.len() == 1 { "" } else { "s" };
            put_display(
                out,
                format_args!(
                    "<details><summary>{} more difference{noun}</summary>\n",
                    further.len()
                ),
            );
            further.iter().for_each(|one| put_difference(one, out));
            put(out, "</details>\n");
        }
        match &one.exchange {
            Some(exchange) => {
                put(out, "<div class=\"picture\" tabindex=\"0\">");
                put_pair(exchange, &one.differences, &name(one), style, out);
                put(out, "</div>\n");
            }
            None => put_paragraph("about", "Its messages are not in this page.", out),
        }
        put(out, "</details>\n");
    }

    fn put_times(&self, style: &Style, out: &mut Vec<u8>) {
        let mut lags = Distribution::default();
        for (lag, times) in self.stats.send_lags() {
            lags.add_times(i64::try_from(lag.as_nanos()).ok(), times);
        }
        put(out, "<h2>Times</h2>\n<div class=\"charts\">\n");
        for (title, distribution) in [
            ("Handshakes, recorded", &self.outcomes.recorded_handshakes),
            ("Handshakes, live", &self.outcomes.handshakes),
            ("Messages sent late by", &lags),
        ] {
            if distribution.spans().count() == 0 {
                continue;
            }
            let quantile = |share| {
                let nanos = distribution.spans().quantile(share).unwrap_or(0);
                let nanos = i64::try_from(nanos).unwrap_or(i64::MAX);
                text_of(|out| put_duration(out, nanos, style.charset))
            };
            let more = format!(
                "half within {}, 99 % within {}",
                quantile(0.5),
                quantile(0.99)
            );
            put_figure(title, &more, Key::None, out, |out| {
                put_bars(&distribution.chart(title, style.charset), out);
            });
        }
        put(out, "</div>\n");
    }
}

fn put_masks(listed: &[&PlayOutcome], flag: &str, out: &mut Vec<u8>) {
    let masks = suggested_masks(listed.iter().copied());
    if masks.is_empty() {
        return;
    }
    put(
        out,
        "<h2>Masks that would cover what differs</h2>\n<pre class=\"wrap\">",
    );
    for (mask, count) in masks {
        let noun = if count == 1 {
            "conversation"
        } else {
            "conversations"
        };
        put_markup_text(out, &format!("{flag} '{mask}'"));
        put_display(
            out,
            format_args!("  <span class=\"head\">{count} {noun}</span>\n"),
        );
    }
    put(out, "</pre>\n");
}

/// Recorded and live side by side, as text where it is text and as hex.
fn put_difference(difference: &Difference, out: &mut Vec<u8>) {
    put(out, "<section class=\"difference\"><h3>");
    put_markup_text(out, &title("", difference, Charset::Unicode));
    put(out, "</h3>\n<div class=\"sides\">");
    for (side, excerpt) in [("recorded", &difference.want), ("live", &difference.got)] {
        put_display(out, format_args!("<div class=\"side\"><h4>{side}</h4>"));
        if Notation::of(difference) == Notation::Text {
            put_excerpt("text", excerpt, Notation::Text, out);
        }
        put_excerpt("hex", excerpt, Notation::Hex, out);
        put(out, "</div>");
    }
    put(out, "</div></section>\n");
}

fn put_excerpt(class: &str, excerpt: &Excerpt, notation: Notation, out: &mut Vec<u8>) {
    let columns = match notation {
        Notation::Text => SIDE_COLUMNS,
        Notation::Hex => 3 * SIDE_COLUMNS,
    };
    let shown = Shown::of(excerpt, notation, Charset::Unicode, columns);
    put_display(out, format_args!("<pre class=\"{class} wrap\">"));
    let gap = match notation {
        Notation::Text => "",
        Notation::Hex => " ",
    };
    put_markup_text(out, &shown.before);
    put(out, if shown.before.is_empty() { "" } else { gap });
    put(out, "<mark>");
    let bytes = match &*shown.bytes {
        "" => "∅",
        bytes => bytes,
    };
    put_markup_text(out, bytes);
    put(out, "</mark>");
    put(out, if shown.after.is_empty() { "" } else { gap });
    put_markup_text(out, &shown.after);
    put(out, "</pre>");
}
