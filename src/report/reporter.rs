//! The sink of a dump: sends what is selected to the printer and the statistics.

use std::borrow::Cow;
use std::io::{self, Write};

use super::conversations::ConversationTable;
use super::detail::DetailPrinter;
use super::follow::FollowPrinter;
use super::heading::Heading;
use super::html::HtmlReport;
use super::json::{JsonPrinter, NdjsonPrinter};
use super::ladder::LadderPrinter;
use super::lines::{FieldPrinter, TextPrinter};
use super::look::{Look, put_size};
use super::near::put_near_flows;
use super::spec::SpecPrinter;
use super::statistics::{FindingTable, IoTable, TimingTable, TypeTable};
use super::table::{HELD_ROWS, MessageTable};
use crate::capture::InputInfo;
use crate::conversation::{Carried, Conversation, Finding, Level, MessageEvent, State};
use crate::dissect::{FlowReport, Sink};
use crate::export::output::Output;
use crate::export::packets::PacketPlan;
#[cfg(feature = "parquet")]
use crate::export::parquet::DataSet;
use crate::export::streams::Export;
use crate::export::synthetic_packets::SyntheticPackets;
use crate::record::tally::{Sightings, Totals};
use crate::record::{Reading, Summary};
use crate::select::Selection;
use crate::select::redact::{Redaction, Secrets};
use crate::text::wrap::put_wrapped;
use crate::text::write::{put, put_number};

/// How messages are shown.
#[derive(Debug)]
pub enum Printer {
    /// Not at all.
    Nothing,
    /// As a table with headings, and a line of totals at the end.
    Table(Box<MessageTable>),
    /// One line each.
    Text(TextPrinter),
    /// As trees and hex dumps.
    Details(DetailPrinter),
    /// In the notation of the specification.
    Spec(SpecPrinter),
    /// Chosen fields.
    Fields(FieldPrinter),
    /// One JSON record a line.
    Ndjson(Box<NdjsonPrinter>),
    /// One JSON object.
    Json(Box<JsonPrinter>),
    /// As a ladder for each conversation.
    Ladder(Box<LadderPrinter>),
}

/// A table that was asked for.
#[derive(Debug)]
pub enum Statistic {
    /// Conversations.
    Conversations(Box<ConversationTable>),
    /// Messages by type.
    Types(TypeTable),
    /// Spans of time.
    Timing(Box<TimingTable>),
    /// Findings by code.
    Findings(FindingTable),
    /// Messages over time.
    Io(IoTable),
    /// The data of a conversation, written as it comes.
    Follow(Box<FollowPrinter>),
    /// Conversations as ladders, each written when it is over.
    Ladder(Box<LadderPrinter>),
    /// Everything in a page, which is a file of its own.
    Html(Box<HtmlReport<Output>>),
    /// The byte streams of conversations, in files of their own.
    Export(Box<Export>),
    /// Messages, conversations and findings as Parquet files.
    #[cfg(feature = "parquet")]
    Parquet(Box<DataSet>),
    /// The packets of what is selected; they are written later.
    Packets(Box<PacketPlan>),
    /// Packets made anew around what is selected, in a file of their own.
    SyntheticPackets(Box<SyntheticPackets<Output>>),
}

impl Statistic {
    /// Whether it is made of messages.
    const fn looks_at_messages(&self) -> bool {
        !matches!(self, Self::Conversations(_) | Self::Findings(_))
    }

    /// Whether messages are counted in it, all or those of conversations.
    const fn counts_messages(&self) -> bool {
        matches!(self, Self::Conversations(_) | Self::Types(_) | Self::Io(_))
    }

    /// Whether it is written to where messages are, and as text that a further line
    /// does no harm.
    const fn is_text(&self) -> bool {
        match self {
            Self::Conversations(_)
            | Self::Types(_)
            | Self::Timing(_)
            | Self::Findings(_)
            | Self::Io(_) => true,
            Self::Follow(follow) => follow.is_text(),
            Self::Ladder(_)
            | Self::Html(_)
            | Self::Export(_)
            | Self::Packets(_)
            | Self::SyntheticPackets(_) => false,
            #[cfg(feature = "parquet")]
            Self::Parquet(_) => false,
        }
    }
}

/// When output is handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// When a good deal of it has come together.
    Blocks,
    /// After every packet.
    AtOnce,
}

/// Bytes that come together before they are written.
const BLOCK_BYTES: usize = 64 * 1024;

/// Bytes of output that may wait for the header to be complete.
const HEADER_WAIT_BYTES: usize = 256 * 1024;

/// Writes what is selected of a dissection.
#[derive(Debug)]
pub struct Reporter<W> {
    writer: W,
    buffer: Vec<u8>,
    pace: Pace,
    look: Look,
    selection: Selection,
    /// What is hidden from all that is below.
    redaction: Option<Redaction>,
    printer: Printer,
    statistics: Vec<Statistic>,
    heading: Heading,
    header: Header,
    totals: Totals,
    sightings: Sightings,
    messages: Messages,
}

/// Whether messages are of use beyond the totals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Messages {
    Shown,
    Counted,
}

/// Whether what stands above the messages has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Header {
    Due,
    Written,
}

impl<W: Write> Reporter<W> {
    /// Writes to `writer` what `selection` admits, with `printer`, and the
    /// `statistics` at the end.
    pub fn new(
        writer: W,
        pace: Pace,
        look: Look,
        selection: Selection,
        printer: Printer,
        statistics: Vec<Statistic>,
    ) -> Self {
        let are_shown = !matches!(printer, Printer::Nothing)
            || statistics.iter().any(Statistic::looks_at_messages);
        Self {
            writer,
            buffer: Vec::with_capacity(BLOCK_BYTES + BLOCK_BYTES / 4),
            pace,
            look,
            selection,
            redaction: None,
            printer,
            statistics,
            heading: Heading::default(),
            header: Header::Due,
            totals: Totals::default(),
            sightings: Sightings::default(),
            messages: match are_shown {
                true => Messages::Shown,
                false => Messages::Counted,
            },
        }
    }

    /// Hides what others must not see, if anything, from every output; what is selected
    /// is still decided by what was captured.
    pub fn redacted(mut self, redaction: Option<Redaction>) -> Self {
        let secrets = redaction.as_ref().map_or(Secrets::NONE, Redaction::secrets);
        // What is read may have been redacted before.
        self.look.redacted = self.look.redacted.and(secrets);
        self.redaction = redaction;
        self
    }

    /// What decided, and remembers what it admitted.
    pub fn into_selection(self) -> Selection {
        self.selection
    }

    /// The packets of what was selected so far, if they are to be written.
    pub fn packets_mut(&mut self) -> Option<&mut PacketPlan> {
        self.statistics
            .iter_mut()
            .find_map(|statistic| match statistic {
                Statistic::Packets(plan) => Some(&mut **plan),
                _ => None,
            })
    }

    /// The packets of what was selected, if they are to be written.
    pub fn into_packets(self) -> Option<PacketPlan> {
        self.statistics
            .into_iter()
            .find_map(|statistic| match statistic {
                Statistic::Packets(plan) => Some(*plan),
                _ => None,
            })
    }

    /// The packets made anew, if they were asked for.
    pub fn synthetic_packets(&self) -> Option<&SyntheticPackets<Output>> {
        self.statistics
            .iter()
            .find_map(|statistic| match statistic {
                Statistic::SyntheticPackets(packets) => Some(&**packets),
                _ => None,
            })
    }

    /// What was shown so far.
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Writes everything that is still due, and the end.
    ///
    /// # Errors
    /// The output cannot be written, or a temporary file not read.
    pub fn finish(&mut self, summary: &Summary<'_>) -> io::Result<()> {
        let near_goes_above = self.header != Header::Written;
        self.write_header(summary.inputs, summary.reading())?;
        let is_table = matches!(self.printer, Printer::Table(_));
        let mut near = Vec::new();
        if is_table {
            let mut lines = Vec::new();
            put_near_flows(summary.near, &self.look, &mut lines);
            put_wrapped(&String::from_utf8_lossy(&lines), self.look.width, &mut near);
        }
        if near_goes_above {
            self.writer.write_all(&near)?;
        }
        let out = &mut self.buffer;
        match &mut self.printer {
            Printer::Table(table) if self.totals.messages() > 0 => table.finish(out),
            Printer::Spec(spec) => spec.finish(out),
            Printer::Ndjson(ndjson) => ndjson.summary(&self.totals, summary, out),
            Printer::Json(json) => {
                let writer = &mut self.writer;
                json.finish(&self.totals, summary, out, |block| {
                    drain(writer, block, BLOCK_BYTES)
                })?;
            }
            Printer::Ladder(ladders) => ladders.finish(out),
            _ => {}
        }
        for statistic in &mut self.statistics {
            match statistic {
                Statistic::Ladder(ladders) => ladders.finish(&mut self.buffer),
                Statistic::Html(report) => report.finish(&self.totals, summary)?,
                Statistic::Export(export) => export.finish()?,
                Statistic::SyntheticPackets(packets) => packets.settle()?,
                _ => {}
            }
        }
        #[cfg(feature = "parquet")]
        self.finish_data_set()?;
        self.write_statistics(&[])?;
        if is_table {
            self.put_totals(summary);
        }
        let counts = |statistic: &Statistic| statistic.counts_messages();
        if (is_table || self.statistics.iter().any(counts))
            && let Some(notice) = self.totals.notice()
        {
            put_wrapped(&notice, self.look.width, &mut self.buffer);
        }
        // Rows may have been written before these flows were judged.
        if !near_goes_above {
            self.buffer.extend_from_slice(&near);
        }
        self.write_buffer()?;
        self.writer.flush()
    }

    /// Files of a data set become visible when they are whole, and nothing is added to
    /// them afterwards.
    #[cfg(feature = "parquet")]
    fn finish_data_set(&mut self) -> io::Result<()> {
        let is_data_set = |statistic: &mut Statistic| matches!(statistic, Statistic::Parquet(_));
        for statistic in self.statistics.extract_if(.., is_data_set) {
            if let Statistic::Parquet(set) = statistic {
                set.finish()?;
            }
        }
        Ok(())
    }

    /// Writes the tables so far, with `open` conversations as they stand; more
    /// may come afterwards.
    ///
    /// # Errors
    /// The output cannot be written, or a temporary file not read.
    pub fn show_tables_so_far(&mut self, open: &[Conversation]) -> io::Result<()> {
        if let Printer::Table(table) = &self.printer {
            table.interrupt(&mut self.buffer);
        }
        self.write_statistics(open)?;
        if let Printer::Table(table) = &self.printer {
            table.resume(&mut self.buffer);
        }
        self.write_buffer()?;
        self.writer.flush()
    }

    /// Writes what stands above the messages, before anything that waits in the buffer.
    fn write_header(&mut self, inputs: &[InputInfo], reading: Reading) -> io::Result<()> {
        if self.header == Header::Written {
            return Ok(());
        }
        self.header = Header::Written;
        let mut header = Vec::new();
        if let Some(notice) = self.notice() {
            put(&mut header, &notice);
        }
        match &self.printer {
            Printer::Table(_) => {
                let mut lines = Vec::new();
                self.heading.put(inputs, reading, &self.look, &mut lines);
                let lines = String::from_utf8_lossy(&lines);
                put_wrapped(&lines, self.look.width, &mut header);
            }
            Printer::Ndjson(ndjson) => {
                ndjson.header(inputs, reading, self.look.redacted, &mut header);
            }
            Printer::Json(json) => json.header(inputs, reading, self.look.redacted, &mut header),
            Printer::Fields(fields) => fields.heading(&mut header),
            Printer::Nothing
            | Printer::Text(_)
            | Printer::Details(_)
            | Printer::Spec(_)
            | Printer::Ladder(_) => {}
        }
        self.writer.write_all(&header)
    }

    /// The line that says what was redacted, for outputs that have room for one.
    /// Records say it in their header, and ladders each for itself.
    fn notice(&self) -> Option<String> {
        let notice = self.look.redacted.notice()?;
        match self.printer {
            Printer::Table(_) => Some(format!("{notice}\n")),
            Printer::Nothing if self.statistics.iter().any(Statistic::is_text) => {
                Some(format!("{notice}\n"))
            }
            Printer::Text(_) | Printer::Details(_) | Printer::Spec(_) => {
                Some(format!("# {notice}\n"))
            }
            Printer::Nothing
            | Printer::Fields(_)
            | Printer::Ndjson(_)
            | Printer::Json(_)
            | Printer::Ladder(_) => None,
        }
    }

    fn write_statistics(&mut self, open: &[Conversation]) -> io::Result<()> {
        let is_selected = |open: &&Conversation| self.selection.admits_conversation(open);
        let open = open.iter().filter(is_selected);
        let open: Vec<Cow<'_, Conversation>> = open
            .map(|open| conversation_for_others(self.redaction.as_ref(), open))
            .collect();
        let open: Vec<&Conversation> = open.iter().map(AsRef::as_ref).collect();
        let (writer, out, look) = (&mut self.writer, &mut self.buffer, &self.look);
        for statistic in &mut self.statistics {
            match statistic {
                Statistic::Conversations(table) => {
                    table.finish(&open, out, |block| drain(writer, block, BLOCK_BYTES))?;
                }
                Statistic::Types(table) => table.finish(look, out),
                Statistic::Timing(table) => table.finish(look, out),
                Statistic::Findings(table) => table.finish(look, out),
                Statistic::Io(table) => table.finish(look, out),
                Statistic::Follow(_)
                | Statistic::Ladder(_)
                | Statistic::Html(_)
                | Statistic::Export(_)
                | Statistic::Packets(_)
                | Statistic::SyntheticPackets(_) => {}
                #[cfg(feature = "parquet")]
                Statistic::Parquet(_) => {}
            }
        }
        Ok(())
    }

    /// Appends the line of totals: `14 messages, 3 conversations (2 opened, 1 refused), …`.
    fn put_totals(&mut self, summary: &Summary<'_>) {
        let totals = &self.totals;
        let mut line = Vec::new();
        let out = &mut line;
        put_count(out, totals.messages(), "message", "messages");
        put(out, ", ");
        put_count(out, totals.conversations(), "conversation", "conversations");
        put_states(out, totals);
        let payload = totals.once();
        put(out, ", ");
        put_size(out, payload.c2s.payload_bytes);
        out.push(b' ');
        put(out, self.look.charset.right_arrow());
        put(out, ", ");
        put_size(out, payload.s2c.payload_bytes);
        out.push(b' ');
        put(out, self.look.charset.left_arrow());
        for (level, one, many) in [
            (Level::Error, "error", "errors"),
            (Level::Warn, "warning", "warnings"),
            (Level::Note, "note", "notes"),
        ] {
            let count = totals.findings_at(level);
            if count > 0 {
                put(out, ", ");
                put_count(out, count, one, many);
            }
        }
        out.push(b'\n');
        if totals.messages() == 0 {
            put_count(out, summary.packet_count, "packet", "packets");
            put(out, " read");
            for (reason, count) in summary.skipped.iter().filter(|(_, count)| *count > 0) {
                put(out, ", ");
                put_number(out, *count);
                put(out, " skipped: ");
                put(out, &reason.replace('_', " "));
            }
            if summary.foreign.flows > 0 {
                put(out, ", ");
                put_count(out, summary.foreign.flows, "flow", "flows");
                put(out, " of other protocols (-d reads a port as ours)");
            }
            out.push(b'\n');
        }
        put_wrapped(
            &String::from_utf8_lossy(&line),
            self.look.width,
            &mut self.buffer,
        );
    }

    fn write_buffer(&mut self) -> io::Result<()> {
        drain(&mut self.writer, &mut self.buffer, 0)
    }
}

/// The conversation as `redaction`, if there is one, leaves it.
fn conversation_for_others<'a>(
    redaction: Option<&Redaction>,
    conversation: &'a Conversation,
) -> Cow<'a, Conversation> {
    match redaction {
        Some(redaction) => Cow::Owned(redaction.conversation(conversation)),
        None => Cow::Borrowed(conversation),
    }
}

/// Writes `buffer` once it holds more than `at_most` bytes.
fn drain(writer: &mut impl Write, buffer: &mut Vec<u8>, at_most: usize) -> io::Result<()> {
    if buffer.len() > at_most {
        writer.write_all(buffer)?;
        buffer.clear();
    }
    Ok(())
}

fn put_count(out: &mut Vec<u8>, count: u64, one: &str, many: &str) {
    put_number(out, count);
    out.push(b' ');
    put(out, if count == 1 { one } else { many });
}

/// Appends ` (2 opened, 1 refused)`; states that do not occur are left out.
fn put_states(out: &mut Vec<u8>, totals: &Totals) {
    let count_of = |states: &[State]| -> u64 {
        states
            .iter()
            .map(|&state| totals.conversations_in(state))
            .sum()
    };
    let groups = [
        (
            count_of(&[State::Open, State::ClientClosed, State::ServerClosed]),
            "opened",
        ),
        (count_of(&[State::Refused]), "refused"),
        (count_of(&[State::NoAnswer]), "not answered"),
        (count_of(&[State::SynSent]), "waiting for an answer"),
        (count_of(&[State::MidStream]), "mid-stream"),
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

impl<W: Write> Sink for Reporter<W> {
    type Error = io::Error;

    fn flow(&mut self, flow: &FlowReport) -> io::Result<()> {
        self.heading.flow(flow);
        for statistic in &mut self.statistics {
            match statistic {
                Statistic::Html(report) => report.flow(flow),
                Statistic::SyntheticPackets(packets) => packets.flow(flow),
                _ => {}
            }
        }
        Ok(())
    }

    #[inline]
    fn message(&mut self, event: &MessageEvent<'_>) -> io::Result<()> {
        if self.messages == Messages::Counted && self.redaction.is_none() {
            if self.selection.admits_message(event) {
                let sight = self.sightings.see(event, self.selection.admits_all());
                self.totals.message(event, sight);
            }
            return Ok(());
        }
        self.show(event)
    }

    #[inline]
    fn only_counts(&self) -> bool {
        self.messages == Messages::Counted && self.selection.admits_all()
    }

    #[inline]
    fn count(&mut self, carried: Carried) -> io::Result<()> {
        self.selection.admit(carried.number);
        self.totals.carried(carried);
        Ok(())
    }

    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        if !self.selection.admits_finding(finding) {
            return Ok(());
        }
        let redacted = self.redaction.as_ref().map(|by| by.finding(finding));
        let finding = redacted.as_deref().unwrap_or(finding);
        self.totals.finding(finding);
        match &mut self.printer {
            Printer::Ndjson(ndjson) => ndjson.finding(finding, &mut self.buffer),
            Printer::Json(json) => json.finding(finding)?,
            Printer::Ladder(ladders) => ladders.finding(finding),
            _ => {}
        }
        for statistic in &mut self.statistics {
            match statistic {
                Statistic::Findings(table) => table.finding(finding),
                Statistic::Ladder(ladders) => ladders.finding(finding),
                Statistic::Html(report) => report.finding(finding),
                #[cfg(feature = "parquet")]
                Statistic::Parquet(set) => set.finding(finding)?,
                Statistic::Packets(plan) => plan.finding(finding),
                Statistic::SyntheticPackets(packets) => packets.finding(finding)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn conversation(&mut self, conversation: &Conversation) -> io::Result<()> {
        if !self.selection.admits_conversation(conversation) {
            return Ok(());
        }
        let redacted = conversation_for_others(self.redaction.as_ref(), conversation);
        let conversation = redacted.as_ref();
        self.totals.conversation(conversation);
        match &mut self.printer {
            Printer::Spec(spec) => spec.conversation(conversation, &mut self.buffer),
            Printer::Ndjson(ndjson) => ndjson.conversation(conversation, &mut self.buffer),
            Printer::Json(json) => json.conversation(conversation)?,
            Printer::Ladder(ladders) => ladders.conversation(conversation, &mut self.buffer),
            _ => {}
        }
        for statistic in &mut self.statistics {
            match statistic {
                Statistic::Conversations(table) => table.conversation(conversation)?,
                Statistic::Timing(table) => table.conversation(conversation),
                Statistic::Html(report) => report.conversation(conversation),
                Statistic::Export(export) => export.conversation(conversation)?,
                #[cfg(feature = "parquet")]
                Statistic::Parquet(set) => set.conversation(conversation)?,
                Statistic::Ladder(ladders) => {
                    ladders.conversation(conversation, &mut self.buffer);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn wants_more(&self) -> bool {
        !self.selection.is_spent()
    }

    #[inline]
    fn is_settled(&self) -> bool {
        self.buffer.len() <= BLOCK_BYTES
            && self.pace == Pace::Blocks
            && !matches!(self.printer, Printer::Table(_))
    }

    /// Writes what has come together.
    #[inline]
    fn settle(&mut self, inputs: &[InputInfo]) -> io::Result<()> {
        match self.is_settled() {
            true => Ok(()),
            false => self.write_due(inputs),
        }
    }
}

impl<W: Write> Reporter<W> {
    /// Shows a message, if it is selected.
    fn show(&mut self, event: &MessageEvent<'_>) -> io::Result<()> {
        if self.header == Header::Due && matches!(self.printer, Printer::Table(_)) {
            self.heading.message(event);
        }
        let is_selected = match self.redaction {
            Some(_) => self.selection.admits_message(&Redaction::unveiled(event)),
            None => self.selection.admits_message(event),
        };
        if !is_selected {
            return Ok(());
        }
        // From here on there is only what others may see.
        let redacted;
        let event = match &mut self.redaction {
            Some(redaction) => {
                redacted = redaction.message(event);
                &redacted
            }
            None => event,
        };
        let sight = self.sightings.see(event, self.selection.admits_all());
        self.totals.message(event, sight);
        let out = &mut self.buffer;
        match &mut self.printer {
            Printer::Nothing => {}
            Printer::Table(table) => table.message(event, out),
            Printer::Text(text) => text.message(event, out),
            Printer::Details(details) => details.message(event, out),
            Printer::Spec(spec) => spec.message(event),
            Printer::Fields(fields) => fields.message(event, out),
            Printer::Ndjson(ndjson) => ndjson.message(event, out),
            Printer::Json(json) => json.message(event, out),
            Printer::Ladder(ladders) => ladders.message(event),
        }
        for statistic in &mut self.statistics {
            match statistic {
                Statistic::Types(table) => table.message(event, sight),
                Statistic::Timing(table) => table.message(event),
                Statistic::Io(table) => table.message(event, sight),
                Statistic::Follow(follow) => follow.message(event, out),
                Statistic::Ladder(ladders) => ladders.message(event),
                Statistic::Html(report) => report.message(event, sight),
                Statistic::Export(export) => export.message(event)?,
                #[cfg(feature = "parquet")]
                Statistic::Parquet(set) => set.message(event)?,
                Statistic::Packets(plan) => plan.message(event),
                Statistic::SyntheticPackets(packets) => packets.message(event)?,
                Statistic::Conversations(_) | Statistic::Findings(_) => {}
            }
        }
        Ok(())
    }

    fn write_due(&mut self, inputs: &[InputInfo]) -> io::Result<()> {
        let wait = match (self.header, self.pace) {
            (Header::Due, Pace::Blocks) => HEADER_WAIT_BYTES,
            (Header::Written, Pace::Blocks) => BLOCK_BYTES,
            (_, Pace::AtOnce) => 0,
        };
        if self.pace == Pace::AtOnce {
            for statistic in &mut self.statistics {
                if let Statistic::SyntheticPackets(packets) = statistic {
                    packets.settle()?;
                }
            }
        }
        let held_rows = match &self.printer {
            Printer::Table(table) => table.held().unwrap_or(0),
            _ => 0,
        };
        let rows_due = self.header == Header::Due
            && (held_rows >= HELD_ROWS || self.pace == Pace::AtOnce && held_rows > 0);
        if self.buffer.len() <= wait && !rows_due {
            return Ok(());
        }
        self.write_header(inputs, Reading::GoesOn)?;
        if let Printer::Table(table) = &mut self.printer {
            table.start(&mut self.buffer);
        }
        self.write_buffer()?;
        match self.pace {
            Pace::Blocks => Ok(()),
            Pace::AtOnce => self.writer.flush(),
        }
    }
}
