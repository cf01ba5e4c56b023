//! The sink of a dump: sends the selected items to the printer and the statistics.

use std::any::Any;
use std::borrow::Cow;
use std::io::{self, Write};

use super::style::Style;
use crate::capture::InputInfo;
use crate::conversation::{Carried, Conversation, Finding, MessageEvent};
use crate::dissect::{FlowReport, Sink};
use crate::record::printer::{HELD_ROWS, HeaderContext, Notice, Printer, SharedOutput};
use crate::record::tally::{Sightings, Totals};
use crate::record::{Reading, Summary};
use crate::select::Selection;
use crate::select::redact::{Redaction, Secrets};
use crate::text::wrap::put_wrapped;
use crate::text::write::put;

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
    /// How messages are shown, if they are.
    shown: Option<Box<dyn Printer>>,
    /// Tables, pages and files beside them.
    others: Vec<Box<dyn Printer>>,
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
    /// Writes to `writer` the items that `selection` admits: messages in the form of `shown`, if
    /// they are shown at all, and the tables of `others` at the end.
    pub fn new(
        writer: W,
        buffering: Buffering,
        style: Style,
        selection: Selection,
        shown: Option<Box<dyn Printer>>,
        others: Vec<Box<dyn Printer>>,
    ) -> Self {
        let are_shown = shown.is_some() || others.iter().any(|printer| printer.looks_at_messages());
        Self {
            writer,
            buffer: Vec::with_capacity(BLOCK_BYTES + BLOCK_BYTES / 4),
            buffering,
            style,
            selection,
            redaction: None,
            shown,
            others,
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
        self.write_header(summary.inputs, summary.reading())?;
        let writer = &mut self.writer;
        let mut out = SharedOutput {
            buffer: &mut self.buffer,
            drain: &mut |block| drain(writer, block, BLOCK_BYTES),
        };
        for printer in printers(&mut self.shown, &mut self.others) {
            printer.finish(&self.totals, summary, &mut out)?;
        }
        self.write_tables(&[])?;
        let mut says_what_is_there_twice = false;
        if let Some(shown) = &mut self.shown {
            shown.below(&self.totals, summary, &mut self.buffer);
            says_what_is_there_twice = shown.counts_messages();
        }
        if !says_what_is_there_twice
            && self.others.iter().any(|printer| printer.counts_messages())
            && let Some(notice) = self.totals.notice()
        {
            put_wrapped(&notice, self.style.width, &mut self.buffer);
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
        if let Some(shown) = &mut self.shown {
            shown.interrupt(&mut self.buffer);
        }
        self.write_tables(open)?;
        if let Some(shown) = &mut self.shown {
            shown.resume(&mut self.buffer);
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
        if let Some(shown) = &mut self.shown {
            shown.header(context, &mut header);
        }
        self.writer.write_all(&header)
    }

    /// The line that lists the redacted secrets, for outputs that have room for one. Records have
    /// it in their header, and ladders each for itself.
    fn notice(&self) -> Option<String> {
        let notice = self.style.redacted.notice()?;
        let place = match &self.shown {
            None => {
                let notices = self.others.iter().map(|printer| printer.notice());
                let mut notices = notices.filter(|notice| *notice == Notice::Line);
                notices.next().unwrap_or(Notice::Nowhere)
            }
            Some(shown) => shown.notice(),
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

    fn write_buffer(&mut self) -> io::Result<()> {
        drain(&mut self.writer, &mut self.buffer, 0)
    }
}

/// All printers, those of messages first.
fn printers<'a>(
    shown: &'a mut Option<Box<dyn Printer>>,
    others: &'a mut [Box<dyn Printer>],
) -> impl Iterator<Item = &'a mut dyn Printer> {
    let all = shown.iter_mut().chain(others);
    all.map(|printer| &mut **printer as &mut dyn Printer)
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

impl<W: Write> Sink for Reporter<W> {
    type Error = io::Error;

    fn flow(&mut self, flow: &FlowReport) -> io::Result<()> {
        for printer in printers(&mut self.shown, &mut self.others) {
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
            || self.held_rows() > 0
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
        if self.header == Header::Due
            && let Some(shown) = &mut self.shown
        {
            shown.any_message(event);
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
        for printer in printers(&mut self.shown, &mut self.others) {
            printer.message(event, sight, out)?;
        }
        self.write_overflow()
    }

    /// Rows that wait for the header.
    #[inline]
    fn held_rows(&self) -> usize {
        match (self.header, &self.shown) {
            (Header::Due, Some(shown)) => shown.held_rows(),
            _ => 0,
        }
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
        let is_overfull = self.buffer.len() > MOST_BYTES || self.held_rows() > MOST_ROWS;
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
        let held_rows = self.held_rows();
        let rows_due =
            held_rows >= HELD_ROWS || self.buffering == Buffering::AtOnce && held_rows > 0;
        if self.buffer.len() <= wait && !rows_due {
            return Ok(());
        }
        self.write_header(inputs, Reading::GoesOn)?;
        self.write_buffer()?;
        match self.buffering {
            Buffering::Blocks => Ok(()),
            Buffering::AtOnce => self.writer.flush(),
        }
    }
}
