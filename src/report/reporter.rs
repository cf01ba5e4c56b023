//! The sink of a dump: sends the selected items to the printer and the statistics.

use std::any::Any;
use std::borrow::Cow;
use std::io::{self, Write};

use super::heading::Heading;
use super::near::put_near_flows;
use super::style::{Style, put_size};
use super::table::{HELD_ROWS, MessageTable};
use crate::capture::InputInfo;
use crate::conversation::{Carried, Conversation, ConversationState, Finding, Level, MessageEvent};
use crate::dissect::{FlowReport, Sink};
use crate::record::printer::{HeaderContext, Notice, Printer, SharedOutput};
use crate::record::tally::{Sightings, Totals};
use crate::record::{Reading, Summary};
use crate::select::Selection;
use crate::select::redact::{Redaction, Secrets};
use crate::text::wrap::put_wrapped;
use crate::text::write::{put, put_number};

/// The form of messages.
#[derive(Debug)]
pub enum MessageView {
    /// Not at all.
    Nothing,
    /// As a table with headings, and a line of totals at the end.
    Table(Box<MessageTable>),
    /// In another way.
    By(Box<dyn Printer>),
}

impl MessageView {
    /// Rows that a table holds back.
    fn held_rows(&self) -> usize {
        match self {
            Self::Table(table) => table.held().unwrap_or(0),
            Self::Nothing | Self::By(_) => 0,
        }
    }

    fn printer(&mut self) -> Option<&mut dyn Printer> {
        match self {
            Self::Nothing | Self::Table(_) => None,
            Self::By(printer) => Some(&mut **printer),
        }
    }
}

/// When output is handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buffering {
    /// When a good deal of it has come together.
    Blocks,
    /// After every packet.
    AtOnce,
}

/// Bytes that come together before they are written.
const BLOCK_BYTES: usize = 64 * 1024;

/// Bytes of output that may wait for the header to be complete.
const HEADER_WAIT_BYTES: usize = 256 * 1024;

/// Bytes that one packet may add to before they are written without waiting for its end.
const MOST_BYTES: usize = 1024 * 1024;

/// Rows held back, in the same way.
const MOST_ROWS: usize = 4 * HELD_ROWS;

/// Writes the selected part of a dissection.
#[derive(Debug)]
pub struct Reporter<W> {
    writer: W,
    buffer: Vec<u8>,
    buffering: Buffering,
    style: Style,
    selection: Selection,
    /// Hides secrets from everything below.
    redaction: Option<Redaction>,
    /// The flag that reads flows as ours, for hints.
    decode_flag: Option<&'static str>,
    shown: MessageView,
    /// Tables, pages and files beside them.
    others: Vec<Box<dyn Printer>>,
    heading: Heading,
    header: Header,
    /// The inputs, as far as they are known: after the first packet, and when all are read.
    inputs: Option<Vec<InputInfo>>,
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

/// Whether the header above the messages has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Header {
    Due,
    Written,
}

impl<W: Write> Reporter<W> {
    /// Writes to `writer` the items that `selection` admits: messages in the form of `shown`, and
    /// the tables of `others` at the end.
    pub fn new(
        writer: W,
        buffering: Buffering,
        style: Style,
        selection: Selection,
        shown: MessageView,
        others: Vec<Box<dyn Printer>>,
    ) -> Self {
        let are_shown = !matches!(shown, MessageView::Nothing)
            || others.iter().any(|printer| printer.looks_at_messages());
        Self {
            writer,
            buffer: Vec::with_capacity(BLOCK_BYTES + BLOCK_BYTES / 4),
            buffering,
            style,
            selection,
            redaction: None,
            decode_flag: None,
            shown,
            others,
            heading: Heading::default(),
            header: Header::Due,
            inputs: None,
            totals: Totals::default(),
            sightings: Sightings::default(),
            messages: if are_shown {
                Messages::Shown
            } else {
                Messages::Counted
            },
        }
    }

    /// Hides secrets, if any, from every output; the selection still goes by the captured values.
    pub fn redacted(mut self, redaction: Option<Redaction>) -> Self {
        let secrets = redaction.as_ref().map_or(Secrets::NONE, Redaction::secrets);
        // The input may have been redacted before.
        self.style.redacted = self.style.redacted.and(secrets);
        self.redaction = redaction;
        self
    }

    /// Names the program's flag that takes a rule of [`DecodeAs`](crate::dissect::DecodeAs), for
    /// hints on flows that are perhaps ours.
    pub const fn with_decode_flag(mut self, flag: &'static str) -> Self {
        self.decode_flag = Some(flag);
        self
    }

    /// The selection, with the items that it admitted.
    pub fn into_selection(self) -> Selection {
        self.selection
    }

    /// The output of this type beside the messages, if there is one.
    pub fn output<P: Printer>(&mut self) -> Option<&mut P> {
        self.others.iter_mut().find_map(|printer| {
            let printer: &mut dyn Any = &mut **printer;
            printer.downcast_mut()
        })
    }

    /// The totals shown so far.
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
        let is_table = matches!(self.shown, MessageView::Table(_));
        let mut near = Vec::new();
        if is_table {
            let mut lines = Vec::new();
            put_near_flows(summary.near, &self.style, self.decode_flag, &mut lines);
            put_wrapped(
                &String::from_utf8_lossy(&lines),
                self.style.width,
                &mut near,
            );
        }
        if near_goes_above {
            self.writer.write_all(&near)?;
        }
        if let MessageView::Table(table) = &mut self.shown
            && self.totals.messages() > 0
        {
            table.finish(&mut self.buffer);
        }
        let writer = &mut self.writer;
        let mut out = SharedOutput {
            buffer: &mut self.buffer,
            drain: &mut |block| drain(writer, block, BLOCK_BYTES),
        };
        for printer in printers(&mut self.shown, &mut self.others) {
            printer.finish(&self.totals, summary, &mut out)?;
        }
        self.write_tables(&[])?;
        if is_table {
            self.put_totals(summary);
        }
        let are_counted = self.others.iter().any(|printer| printer.counts_messages());
        if (is_table || are_counted)
            && let Some(notice) = self.totals.notice()
        {
            put_wrapped(&notice, self.style.width, &mut self.buffer);
        }
        // Rows may have been written before these flows were judged.
        if !near_goes_above {
            self.buffer.extend_from_slice(&near);
        }
        self.write_buffer()?;
        self.writer.flush()
    }

    /// Writes the tables so far, with `open` conversations as they stand; more
    /// may come afterwards.
    ///
    /// # Errors
    /// The output cannot be written, or a temporary file not read.
    pub fn show_tables_so_far(&mut self, open: &[Conversation]) -> io::Result<()> {
        if let MessageView::Table(table) = &self.shown {
            table.interrupt(&mut self.buffer);
        }
        self.write_tables(open)?;
        if let MessageView::Table(table) = &self.shown {
            table.resume(&mut self.buffer);
        }
        self.write_buffer()?;
        self.writer.flush()
    }

    /// Writes the header above the messages, before anything that waits in the buffer.
    fn write_header(&mut self, inputs: &[InputInfo], reading: Reading) -> io::Result<()> {
        if self.header == Header::Written {
            return Ok(());
        }
        self.header = Header::Written;
        let mut header = Vec::new();
        if let Some(notice) = self.notice() {
            put(&mut header, &notice);
        }
        let context = HeaderContext {
            inputs,
            reading,
            redacted: self.style.redacted,
        };
        match &mut self.shown {
            MessageView::Nothing => {}
            MessageView::Table(_) => {
                for line in self.heading.lines(inputs, reading, &self.style) {
                    put_wrapped(&line, self.style.width, &mut header);
                }
            }
            MessageView::By(printer) => printer.header(context, &mut header),
        }
        self.writer.write_all(&header)
    }

    /// The line that lists the redacted secrets, for outputs that have room for one. Records have
    /// it in their header, and ladders each for itself.
    fn notice(&self) -> Option<String> {
        let notice = self.style.redacted.notice()?;
        let place = match &self.shown {
            MessageView::Nothing => {
                let notices = self.others.iter().map(|printer| printer.notice());
                let mut notices = notices.filter(|notice| *notice == Notice::Line);
                notices.next().unwrap_or(Notice::Nowhere)
            }
            MessageView::Table(_) => Notice::Line,
            MessageView::By(printer) => printer.notice(),
        };
        match place {
            Notice::Nowhere => None,
            Notice::Line => Some(format!("{notice}\n")),
            Notice::Comment => Some(format!("# {notice}\n")),
        }
    }

    fn write_tables(&mut self, open: &[Conversation]) -> io::Result<()> {
        let is_selected = |open: &&Conversation| self.selection.admits_conversation(open);
        let open = open.iter().filter(is_selected);
        let open: Vec<Cow<'_, Conversation>> = open
            .map(|open| conversation_for_others(self.redaction.as_ref(), open))
            .collect();
        let open: Vec<&Conversation> = open.iter().map(AsRef::as_ref).collect();
        let writer = &mut self.writer;
        let mut out = SharedOutput {
            buffer: &mut self.buffer,
            drain: &mut |block| drain(writer, block, BLOCK_BYTES),
        };
        for printer in &mut self.others {
            printer.table(&open, &mut out)?;
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
        put(out, self.style.charset.right_arrow());
        put(out, ", ");
        put_size(out, payload.s2c.payload_bytes);
        out.push(b' ');
        put(out, self.style.charset.left_arrow());
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
                put(out, " of other protocols");
                if let Some(flag) = self.decode_flag {
                    put(out, " (");
                    put(out, flag);
                    put(out, " reads a port as ours)");
                }
            }
            if summary.foreign.sealed_flows > 0 {
                put(out, ", ");
                put_count(
                    out,
                    summary.foreign.sealed_flows,
                    "connection",
                    "connections",
                );
                put(out, " with ministreaming inside TLS");
            }
            out.push(b'\n');
        }
        put_wrapped(
            &String::from_utf8_lossy(&line),
            self.style.width,
            &mut self.buffer,
        );
    }

    fn write_buffer(&mut self) -> io::Result<()> {
        drain(&mut self.writer, &mut self.buffer, 0)
    }
}

/// All printers, those of messages first.
fn printers<'a>(
    shown: &'a mut MessageView,
    others: &'a mut [Box<dyn Printer>],
) -> impl Iterator<Item = &'a mut dyn Printer> {
    let others = others
        .iter_mut()
        .map(|printer| &mut **printer as &mut dyn Printer);
    shown.printer().into_iter().chain(others)
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

impl<W: Write> Sink for Reporter<W> {
    type Error = io::Error;

    fn flow(&mut self, flow: &FlowReport) -> io::Result<()> {
        self.heading.flow(flow);
        for printer in &mut self.others {
            printer.flow(flow);
        }
        Ok(())
    }

    #[inline]
    fn message(&mut self, event: &MessageEvent<'_>) -> io::Result<()> {
        if self.messages == Messages::Counted && self.redaction.is_none() {
            if self.selection.admits_message(event) {
                let sight = self.sightings.see(event, &self.selection);
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
        for printer in printers(&mut self.shown, &mut self.others) {
            printer.finding(finding, &mut self.buffer)?;
        }
        self.write_blocks()
    }

    fn conversation(&mut self, conversation: &Conversation) -> io::Result<()> {
        if !self.selection.admits_conversation(conversation) {
            return Ok(());
        }
        let redacted = conversation_for_others(self.redaction.as_ref(), conversation);
        let conversation = redacted.as_ref();
        self.totals.conversation(conversation);
        for printer in printers(&mut self.shown, &mut self.others) {
            printer.conversation(conversation, &mut self.buffer)?;
        }
        self.write_blocks()
    }

    fn wants_more(&self) -> bool {
        !self.selection.is_spent()
    }

    #[inline]
    fn awaits_packet_end(&self) -> bool {
        self.buffer.len() > BLOCK_BYTES
            || self.buffering == Buffering::AtOnce
            || matches!(self.shown, MessageView::Table(_))
    }

    /// Writes the buffer.
    #[inline]
    fn packet_end(&mut self, inputs: &[InputInfo]) -> io::Result<()> {
        if self.inputs.is_none() {
            self.inputs = Some(inputs.to_vec());
        }
        if self.awaits_packet_end() {
            self.write_due(inputs)
        } else {
            Ok(())
        }
    }

    fn inputs_end(&mut self, inputs: &[InputInfo]) -> io::Result<()> {
        self.inputs = Some(inputs.to_vec());
        Ok(())
    }
}

impl<W: Write> Reporter<W> {
    /// Shows a message, if it is selected.
    fn show(&mut self, event: &MessageEvent<'_>) -> io::Result<()> {
        if self.header == Header::Due && matches!(self.shown, MessageView::Table(_)) {
            self.heading.message(event);
        }
        let is_selected = match self.redaction {
            Some(_) => self.selection.admits_message(&Redaction::unveiled(event)),
            None => self.selection.admits_message(event),
        };
        if !is_selected {
            return Ok(());
        }
        // From here on there are no secrets any more.
        let redacted;
        let event = match &mut self.redaction {
            Some(redaction) => {
                redacted = redaction.message(event);
                &redacted
            }
            None => event,
        };
        let sight = self.sightings.see(event, &self.selection);
        self.totals.message(event, sight);
        let out = &mut self.buffer;
        match &mut self.shown {
            MessageView::Nothing => {}
            MessageView::Table(table) => table.message(event, out),
            MessageView::By(printer) => printer.message(event, sight, out)?,
        }
        for printer in &mut self.others {
            printer.message(event, sight, out)?;
        }
        self.write_overflow()
    }

    /// Writes the buffer between two packets: behind the last of a capture come all conversations
    /// that are open, without a packet among them.
    fn write_blocks(&mut self) -> io::Result<()> {
        if self.header == Header::Written
            && self.buffering == Buffering::Blocks
            && self.buffer.len() > BLOCK_BYTES
        {
            self.write_buffer()
        } else {
            self.write_overflow()
        }
    }

    /// Writes what has become too much within a packet, or behind the last: either may bring
    /// messages that waited behind a hole, as many as there is memory for.
    #[inline]
    fn write_overflow(&mut self) -> io::Result<()> {
        let held_rows = self.shown.held_rows();
        let is_overfull = self.buffer.len() > MOST_BYTES || held_rows > MOST_ROWS;
        if !is_overfull {
            return Ok(());
        }
        let Some(inputs) = self.inputs.take() else {
            return Ok(());
        };
        let written = self.write_due(&inputs);
        self.inputs = Some(inputs);
        written
    }

    fn write_due(&mut self, inputs: &[InputInfo]) -> io::Result<()> {
        let wait = match (self.header, self.buffering) {
            (Header::Due, Buffering::Blocks) => HEADER_WAIT_BYTES,
            (Header::Written, Buffering::Blocks) => BLOCK_BYTES,
            (_, Buffering::AtOnce) => 0,
        };
        if self.buffering == Buffering::AtOnce {
            for printer in &mut self.others {
                printer.flush()?;
            }
        }
        let held_rows = self.shown.held_rows();
        let rows_due = self.header == Header::Due
            && (held_rows >= HELD_ROWS || self.buffering == Buffering::AtOnce && held_rows > 0);
        if self.buffer.len() <= wait && !rows_due {
            return Ok(());
        }
        self.write_header(inputs, Reading::GoesOn)?;
        if let MessageView::Table(table) = &mut self.shown {
            table.start(&mut self.buffer);
        }
        self.write_buffer()?;
        match self.buffering {
            Buffering::Blocks => Ok(()),
            Buffering::AtOnce => self.writer.flush(),
        }
    }
}
