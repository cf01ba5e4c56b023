//! `-T ndjson` and `-T json`.

use std::io::{self, Read, Seek, SeekFrom, Write};

use tempfile::SpooledTempFile;

use super::temporary::TemporaryError;
use crate::conversation::{Conversation, Finding, MessageEvent};
use crate::field::PayloadDetail;
use crate::record::printer::{HeaderContext, Printer, SharedOutput};
use crate::record::tally::{Sight, Totals};
use crate::record::{RecordWriter, Summary};
use crate::text::write::put;

/// Bytes of findings or conversations that are kept in memory until it is their turn.
const SPOOL_BYTES: usize = 1 << 20;

/// Whether messages have records of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Messages {
    /// They have.
    Shown,
    /// Only conversations, findings and the summary are written (`-q`).
    Hidden,
}

/// Writes one record a line, in the order in which they come.
#[derive(Debug)]
pub struct NdjsonPrinter {
    records: RecordWriter,
    messages: Messages,
}

impl NdjsonPrinter {
    /// A printer of records.
    pub fn new(payload: PayloadDetail, messages: Messages) -> Self {
        Self {
            records: RecordWriter::new(payload),
            messages,
        }
    }
}

/// Writes one object: `header`, `messages`, `findings`, `conversations`, `summary`.
///
/// Messages stream; all later items wait in memory, and beyond `SPOOL_BYTES` in an unlinked
/// temporary file.
#[derive(Debug)]
pub struct JsonPrinter {
    records: RecordWriter,
    messages: Messages,
    any_message: bool,
    findings: Spool,
    conversations: Spool,
}

#[derive(Debug)]
struct Spool {
    file: SpooledTempFile,
    is_empty: bool,
}

impl Spool {
    fn new() -> Self {
        Self {
            file: SpooledTempFile::new(SPOOL_BYTES),
            is_empty: true,
        }
    }

    fn push(&mut self, record: &[u8]) -> io::Result<()> {
        let separator = if self.is_empty { "\n  " } else { ",\n  " };
        self.is_empty = false;
        let mut append = |bytes| self.file.write_all(bytes).map_err(TemporaryError::of);
        append(separator.as_bytes())?;
        append(record)
    }

    /// From now on [`read`](Self::read) gives the pushed bytes.
    fn rewind(&mut self) -> io::Result<()> {
        let place = self.file.seek(SeekFrom::Start(0));
        place.map(drop).map_err(TemporaryError::of)
    }

    /// Appends the next 64 KiB at most; returns their number.
    fn read(&mut self, out: &mut Vec<u8>) -> io::Result<usize> {
        let mut part = Read::by_ref(&mut self.file).take(1 << 16);
        part.read_to_end(out).map_err(TemporaryError::of)
    }
}

impl JsonPrinter {
    /// A printer of one object.
    pub fn new(payload: PayloadDetail, messages: Messages) -> Self {
        Self {
            records: RecordWriter::new(payload),
            messages,
            any_message: false,
            findings: Spool::new(),
            conversations: Spool::new(),
        }
    }
}

impl Printer for NdjsonPrinter {
    fn header(&mut self, context: HeaderContext<'_>, out: &mut Vec<u8>) {
        self.records
            .header(context.inputs, context.reading, context.redacted, out);
        out.push(b'\n');
    }

    fn message(&mut self, event: &MessageEvent<'_>, _: Sight, out: &mut Vec<u8>) -> io::Result<()> {
        if self.messages == Messages::Shown {
            self.records.message(event, out);
            out.push(b'\n');
        }
        Ok(())
    }

    fn finding(&mut self, finding: &Finding, out: &mut Vec<u8>) -> io::Result<()> {
        self.records.finding(finding, out);
        out.push(b'\n');
        Ok(())
    }

    fn conversation(&mut self, conversation: &Conversation, out: &mut Vec<u8>) -> io::Result<()> {
        self.records.conversation(conversation, out);
        out.push(b'\n');
        Ok(())
    }

    fn finish(
        &mut self,
        totals: &Totals,
        summary: &Summary<'_>,
        out: &mut SharedOutput<'_>,
    ) -> io::Result<()> {
        self.records.summary(totals, summary, out.buffer);
        out.buffer.push(b'\n');
        Ok(())
    }
}

impl Printer for JsonPrinter {
    fn header(&mut self, context: HeaderContext<'_>, out: &mut Vec<u8>) {
        put(out, "{\"header\":");
        self.records
            .header(context.inputs, context.reading, context.redacted, out);
        put(out, ",\n \"messages\":[");
    }

    fn message(&mut self, event: &MessageEvent<'_>, _: Sight, out: &mut Vec<u8>) -> io::Result<()> {
        if self.messages == Messages::Shown {
            put(out, if self.any_message { ",\n  " } else { "\n  " });
            self.any_message = true;
            self.records.message(event, out);
        }
        Ok(())
    }

    fn finding(&mut self, finding: &Finding, _: &mut Vec<u8>) -> io::Result<()> {
        let mut record = Vec::new();
        self.records.finding(finding, &mut record);
        self.findings.push(&record)
    }

    fn conversation(&mut self, conversation: &Conversation, _: &mut Vec<u8>) -> io::Result<()> {
        let mut record = Vec::new();
        self.records.conversation(conversation, &mut record);
        self.conversations.push(&record)
    }

    fn finish(
        &mut self,
        totals: &Totals,
        summary: &Summary<'_>,
        out: &mut SharedOutput<'_>,
    ) -> io::Result<()> {
        for (name, spool) in [
            ("findings", &mut self.findings),
            ("conversations", &mut self.conversations),
        ] {
            put(out.buffer, "],\n \"");
            put(out.buffer, name);
            put(out.buffer, "\":[");
            spool.rewind()?;
            while spool.read(out.buffer)? > 0 {
                (out.drain)(out.buffer)?;
            }
        }
        put(out.buffer, "],\n \"summary\":");
        self.records.summary(totals, summary, out.buffer);
        put(out.buffer, "}\n");
        Ok(())
    }
}
