//! The page, from its policy to its script.

use std::collections::{BTreeMap, BTreeSet};

use super::charts::{Bar, Bars, Lines, grouped, put_bars, put_lines};
use super::collected::Collected;
use super::data::{put_messages, put_row, put_script_json};
use super::frame::{
    Card, Key, STYLE, put_cards, put_cell, put_figure, put_foot, put_head, put_level,
    put_paragraph, put_titles,
};
use super::picture::Picture;
use super::timeline::Unit;
use crate::conversation::{ConversationId, ConversationState, Level};
use crate::field::TYPE_NAMES;
use crate::record::Summary;
use crate::record::tally::Totals;
use crate::report::ladder;
use crate::report::markup::put_markup_text;
use crate::report::statistics::First;
use crate::report::statistics::Spans;
use crate::report::style::{put_duration, put_size};
use crate::report::titles;
use crate::report::traffic::Traffic;
use crate::text::write::{put, put_conversation, put_display, text_of};

const SCRIPT: &str = include_str!("page.js");

/// Columns of the table of conversations: title, the script's sort key, class.
const COLUMNS: [(&str, &str, &str); 11] = [
    (titles::CONVERSATION, "order", ""),
    (titles::CLIENT, "client", "minor"),
    (titles::SERVER, "server", "minor"),
    (titles::IDS, "client_id", "minor"),
    (titles::STATE, "state", ""),
    (titles::START_SECONDS, "start", "number minor"),
    (titles::DURATION, "duration_us", "number"),
    (titles::HANDSHAKE, "handshake_us", "number minor"),
    (titles::MESSAGES_AND_BYTES[0], "c2s_bytes", "number"),
    (titles::MESSAGES_AND_BYTES[1], "s2c_bytes", "number"),
    (titles::FINDINGS, "finding_count", ""),
];

/// Everything that the page is written from.
pub(super) struct Page<'a> {
    collected: &'a Collected,
    totals: &'a Totals,
    summary: &'a Summary<'a>,
    pictures: &'a [Picture<'a>],
    /// The ladder that shows a conversation.
    ladders: BTreeMap<ConversationId, ConversationId>,
    /// Messages in ladders, and others whose bytes are in the page.
    in_ladders: BTreeSet<u64>,
    loose: BTreeSet<u64>,
    /// Conversations in the table.
    rows: BTreeSet<ConversationId>,
}

impl<'a> Page<'a> {
    pub(super) fn new(
        collected: &'a Collected,
        totals: &'a Totals,
        summary: &'a Summary<'a>,
        pictures: &'a [Picture<'a>],
    ) -> Self {
        let views = || {
            pictures
                .iter()
                .flat_map(|picture| picture.views().map(|view| (picture.id(), view)))
        };
        Self {
            collected,
            totals,
            summary,
            pictures,
            ladders: views()
                .map(|(ladder, view)| (view.conversation.id, ladder))
                .collect(),
            in_ladders: views()
                .flat_map(|(_, view)| view.log.messages())
                .map(|step| step.number)
                .collect(),
            loose: collected.loose.shown.iter().map(|m| m.number).collect(),
            rows: collected
                .rows
                .values()
                .map(|row| row.conversation.id)
                .collect(),
        }
    }

    /// Appends everything above the ladders.
    pub(super) fn put_top(&self, out: &mut Vec<u8>) {
        self.put_head(out);
        self.put_summary(out);
        self.put_left_out(out);
        self.put_findings(out);
        self.put_charts(out);
        self.put_conversations(out);
        self.put_loose(out);
        put_foot("ministream-dump", out);
    }

    /// Appends a ladder, inert until the script shows it.
    pub(super) fn put_picture(&self, picture: &Picture<'_>, out: &mut Vec<u8>) {
        put(out, "<template id=\"ladder-");
        put_conversation(out, picture.id());
        put(out, "\">");
        ladder::put_svg(
            &picture.ladder,
            &self.collected.style,
            ladder::Container::Page,
            out,
        );
        put(out, "</template>\n");
    }

    /// Appends the data of the script, and the script.
    pub(super) fn put_end(&self, out: &mut Vec<u8>) {
        put(out, "<script id=\"data\" type=\"application/json\">");
        put_script_json(&self.data(), out);
        put(out, "</script>\n<script>");
        put(out, SCRIPT);
        put(out, "</script>\n</body>\n</html>\n");
    }

    fn put_head(&self, out: &mut Vec<u8>) {
        put_head(&self.title(), &[STYLE, ladder::STYLE], Some(SCRIPT), out);
        if let Some(notice) = self.collected.style.redacted.notice() {
            put_paragraph("redacted", notice, out);
        }
        let Collected { heading, style, .. } = self.collected;
        for line in heading.lines(self.summary.inputs, self.summary.reading(), style) {
            put_paragraph("about", &line, out);
        }
        if let Some(warning) = self.summary.warning {
            put_paragraph("note", warning, out);
        }
    }

    /// The names of the inputs, without their directories.
    fn title(&self) -> String {
        let names: Vec<String> = self
            .summary
            .inputs
            .iter()
            .map(|input| {
                let name = input.path.file_name().unwrap_or(input.path.as_os_str());
                self.collected.style.escaped(&name.to_string_lossy())
            })
            .collect();
        names.join(", ")
    }

    fn put_summary(&self, out: &mut Vec<u8>) {
        let totals = self.totals;
        let payload = totals.once();
        let size = |bytes| text_of(|out| put_size(out, bytes));
        let findings = |level| grouped(totals.findings_at(level));
        let level = |name, level: Level| Card {
            name,
            value: findings(level),
            level: match totals.findings_at(level) {
                0 => "",
                _ => level.name(),
            },
            link: match totals.findings_at(level) {
                0 => "",
                _ => "findings",
            },
        };
        put_cards(
            &[
                level("Errors", Level::Error),
                level("Warnings", Level::Warn),
                level("Notes", Level::Note),
                Card {
                    link: if totals.conversations() > 0 {
                        "talks"
                    } else {
                        ""
                    },
                    ..Card::plain("Conversations", grouped(totals.conversations()))
                },
                Card::plain("Messages", grouped(totals.messages())),
                Card::plain("Payload → from clients", size(payload.c2s.payload_bytes)),
                Card::plain("Payload ← from servers", size(payload.s2c.payload_bytes)),
                Card::plain("Time", self.duration()),
            ],
            out,
        );
    }

    fn duration(&self) -> String {
        match self.summary.duration_us() {
            Some(micros) => text_of(|out| {
                put_duration(
                    out,
                    micros.saturating_mul(1_000),
                    self.collected.style.charset,
                );
            }),
            None => "-".to_owned(),
        }
    }

    /// Lists the parts that the page shows twice, and those that it does not hold, with the reason.
    fn put_left_out(&self, out: &mut Vec<u8>) {
        let collected = self.collected;
        if let Some(notice) = self.totals.notice() {
            put_paragraph("note", &notice, out);
        }
        let all = collected.rows.seen();
        for (kept, all, what, why) in [
            (
                self.ladders.len(),
                all,
                "conversations are here with ladder and bytes",
                "those with findings first; the others are in the table only",
            ),
            (
                collected.rows.len(),
                all,
                "conversations are in the table",
                "those with findings first; charts and totals are of all",
            ),
            (
                collected.findings.len(),
                collected.findings.seen(),
                "findings are in the list",
                "the worst first; the table of codes counts all",
            ),
            (
                self.loose.len(),
                collected.loose.seen,
                "messages outside of conversations are shown",
                "the first ones",
            ),
        ] {
            if (kept as u64) < all {
                let what = match kept {
                    1 => what.replacen(" are ", " is ", 1),
                    _ => what.to_owned(),
                };
                let text = format!(
                    "{} of {} {what}: {why}.",
                    grouped(kept as u64),
                    grouped(all)
                );
                put_paragraph("note", &text, out);
            }
        }
    }

    fn put_charts(&self, out: &mut Vec<u8>) {
        if self.totals.messages() == 0 {
            return put_paragraph("note", "No messages.", out);
        }
        put(out, "<h2>Overview</h2>\n<div class=\"charts\">\n");
        let timeline = &self.collected.timeline;
        let charset = self.collected.style.charset;
        let interval_ns = timeline.interval_us().saturating_mul(1_000);
        let each = text_of(|out| {
            put(out, "in ");
            put_duration(out, interval_ns, charset);
        });
        let key = Key::Directions;
        put_figure("Messages over time", &each, key, out, |out| {
            put_bars(
                &self.over_time("messages over time", |i| i.messages, grouped),
                out,
            );
        });
        put_figure("Payload bytes over time", &each, key, out, |out| {
            let size = |bytes| text_of(|out| put_size(out, bytes));
            put_bars(
                &self.over_time("payload bytes over time", |i| i.bytes, size),
                out,
            );
        });
        for (title, distribution) in [
            ("Handshakes", &self.collected.handshakes),
            ("Lives of conversations", &self.collected.lives),
        ] {
            if distribution.spans().count() > 0 {
                let quantiles = self.quantiles(distribution.spans());
                put_figure(title, &quantiles, Key::None, out, |out| {
                    put_bars(&distribution.chart(title, charset), out);
                });
            }
        }
        put_figure("Types of messages", "", Key::None, out, |out| {
            put_lines(&self.types(), out);
        });
        put_figure("States of conversations", "", Key::None, out, |out| {
            put_lines(&self.states(), out);
        });
        put(out, "</div>\n");
    }

    fn over_time<'b>(
        &self,
        about: &'b str,
        values: fn(&Traffic) -> [u64; 2],
        value: fn(u64) -> String,
    ) -> Bars<'b> {
        let timeline = &self.collected.timeline;
        let intervals = timeline.intervals();
        let start_of = |index: usize| {
            let index = i64::try_from(index).unwrap_or(i64::MAX);
            let offset = timeline.interval_us().saturating_mul(index);
            let at = timeline.start_us().saturating_add(offset);
            Unit::of(timeline.interval_us(), intervals.len()).text(at)
        };
        let bars = intervals.iter().enumerate().map(|(index, interval)| {
            let [c2s, s2c] = values(interval);
            Bar {
                parts: [("c2s", c2s), ("s2c", s2c)],
                hint: format!("{}: {} →, {} ←", start_of(index), value(c2s), value(s2c)),
            }
        });
        let step = intervals.len().div_ceil(4).max(1);
        Bars {
            about,
            bars: bars.collect(),
            ticks: (0..intervals.len())
                .step_by(step)
                .map(|index| (index, start_of(index)))
                .collect(),
            value,
        }
    }

    fn quantiles(&self, spans: &Spans) -> String {
        let quantile = |share| {
            let nanos = spans.quantile(share).unwrap_or(0);
            let nanos = i64::try_from(nanos).unwrap_or(i64::MAX);
            text_of(|out| put_duration(out, nanos, self.collected.style.charset))
        };
        format!(
            "half within {}, 99 % within {}",
            quantile(0.5),
            quantile(0.99)
        )
    }

    fn types(&self) -> Lines<'static> {
        let counts = TYPE_NAMES.iter().zip(self.totals.by_type);
        Lines {
            about: "messages by type",
            lines: counts
                .filter(|(_, count)| *count > 0)
                .map(|(name, count)| (*name, (*name).to_owned(), count))
                .collect(),
        }
    }

    fn states(&self) -> Lines<'static> {
        let counts =
            ConversationState::ALL.map(|state| (state, self.totals.conversations_in(state)));
        Lines {
            about: "conversations by state",
            lines: counts
                .into_iter()
                .filter(|(_, count)| *count > 0)
                .map(|(state, count)| ("bar", state.to_string(), count))
                .collect(),
        }
    }

    fn put_findings(&self, out: &mut Vec<u8>) {
        let rows = self.collected.finding_table.rows();
        if rows.is_empty() {
            return;
        }
        put(
            out,
            "<h2 id=\"findings\">Findings</h2>\n<div class=\"scroll\"><table>",
        );
        put_titles(
            [
                ("Level", ""),
                ("Code", ""),
                ("Count", "number"),
                ("First", ""),
                ("Meaning", ""),
            ],
            out,
        );
        for row in &rows {
            put(out, "<tr>");
            put_level(row.level.name(), out);
            put_cell("mono", row.code.code(), out);
            put_cell("number", &row.count.to_string(), out);
            put(out, "<td>");
            match row.first {
                First::Message(number) => self.put_message_link(number, out),
                elsewhere => put_markup_text(out, &elsewhere.to_string()),
            }
            put(out, "</td>");
            put_cell("words", &row.meaning, out);
            put(out, "</tr>\n");
        }
        put(out, "</table></div>\n<h2>Each finding</h2>\n");
        put(
            out,
            "<div class=\"scroll tall\" tabindex=\"0\"><table id=\"each-finding\">",
        );
        put_titles(
            ["Level", "Code", "Message", "Conversation", "What was seen"].map(|title| (title, "")),
            out,
        );
        for finding in self.collected.findings.values() {
            put(out, "<tr>");
            put_level(finding.level.name(), out);
            put_cell("mono", finding.code.code(), out);
            put(out, "<td>");
            if let Some(number) = finding.message {
                self.put_message_link(number, out);
            }
            put(out, "</td><td>");
            if let Some(id) = finding.conversation {
                self.put_conversation_link(id, out);
            }
            put(out, "</td>");
            put_cell("words", &self.collected.style.escaped(&finding.text), out);
            put(out, "</tr>\n");
        }
        put(out, "</table></div>\n");
    }

    fn put_message_link(&self, number: u64, out: &mut Vec<u8>) {
        let target = if self.in_ladders.contains(&number) {
            "m"
        } else if self.loose.contains(&number) {
            "loose-"
        } else {
            return put_display(out, format_args!("#{number}"));
        };
        put_display(
            out,
            format_args!("<a href=\"#{target}{number}\">#{number}</a>"),
        );
    }

    fn put_conversation_link(&self, id: ConversationId, out: &mut Vec<u8>) {
        if self.rows.contains(&id) {
            put_display(out, format_args!("<a href=\"#{id}\">{id}</a>"));
        } else {
            put_display(out, id);
        }
    }

    fn put_conversations(&self, out: &mut Vec<u8>) {
        if self.collected.rows.len() == 0 {
            return;
        }
        put(
            out,
            "<h2 id=\"talks\">Conversations</h2>\n<div class=\"tools\">\
             <input id=\"filter\" type=\"search\" aria-label=\"Filter conversations\" \
             placeholder=\"Filter: name, address, id, state\" autocomplete=\"off\">\
             <input id=\"search\" type=\"search\" aria-label=\"Search payloads\" \
             placeholder=\"Search the text of payloads\" autocomplete=\"off\">\
             <label><input id=\"only-findings\" type=\"checkbox\"> with findings</label>\
             <output id=\"count\"></output></div>\n\
             <noscript><p class=\"note\">The table and the ladders need the script of this page, \
             which runs without a network.</p></noscript>\n\
             <div class=\"scroll\"><table class=\"conversations\"><thead><tr>",
        );
        for (index, (title, key, class)) in COLUMNS.into_iter().enumerate() {
            let sort = if index == 0 { "ascending" } else { "none" };
            put_display(
                out,
                format_args!(
                    "<th scope=\"col\" class=\"{class}\" aria-sort=\"{sort}\">\
                     <button type=\"button\" data-key=\"{key}\">{title}</button></th>"
                ),
            );
        }
        put(
            out,
            "</tr></thead><tbody id=\"conversations\"></tbody></table></div>\n\
             <button id=\"more\" class=\"plain\" type=\"button\" hidden></button>\n",
        );
    }

    fn put_loose(&self, out: &mut Vec<u8>) {
        if self.loose.is_empty() {
            return;
        }
        put(
            out,
            "<h2>Messages outside of conversations</h2>\n\
             <div class=\"scroll tall\" tabindex=\"0\"><table id=\"loose\">",
        );
        put_titles(
            [
                ("Message", ""),
                ("Time", "number"),
                ("Type, id, length", ""),
                ("Meaning", ""),
            ],
            out,
        );
        for message in &self.collected.loose.shown {
            let number = message.number;
            put_display(
                out,
                format_args!(
                    "<tr id=\"loose-{number}\"><td><button type=\"button\" class=\"open\" \
                     data-loose=\"{number}\">#{number}</button></td>"
                ),
            );
            put_cell("number", &message.time, out);
            put_cell("mono", &message.label, out);
            put_cell("words", &message.info, out);
            put(out, "</tr>\n");
        }
        put(
            out,
            "</table></div>\n<section id=\"loose-bytes\" class=\"bytes\" aria-live=\"polite\" hidden></section>\n",
        );
    }

    fn data(&self) -> Vec<u8> {
        let style = &self.collected.style;
        let mut out = Vec::new();
        put(&mut out, "{\"conversations\":[");
        let mut rows: Vec<_> = self.collected.rows.values().collect();
        rows.sort_unstable_by_key(|row| row.conversation.id);
        for (index, row) in rows.into_iter().enumerate() {
            put(&mut out, if index == 0 { "\n" } else { ",\n" });
            let ladder = self.ladders.get(&row.conversation.id).copied();
            put_row(row, ladder, style, &mut out);
        }
        put(&mut out, "],\n\"messages\":{");
        for (index, picture) in self.pictures.iter().enumerate() {
            put(&mut out, if index == 0 { "\n\"" } else { ",\n\"" });
            put_conversation(&mut out, picture.id());
            put(&mut out, "\":");
            put_messages(picture, style, &mut out);
        }
        put(&mut out, "},\n\"loose\":[");
        for (index, message) in self.collected.loose.shown.iter().enumerate() {
            put(&mut out, if index == 0 { "\n" } else { ",\n" });
            out.extend_from_slice(&message.json);
        }
        put(&mut out, "]}");
        out
    }
}
