//! One page that shows a capture, for a browser without a network.
//!
//! The page is one file. Its policy forbids every request; its one script and its one style are
//! known by their hashes. Captured bytes are text: escaped where the page is written here, and only
//! ever put into text nodes by the script. Memory is bounded: charts and counts are of everything,
//! but only the foremost conversations, findings and messages are in the page, with the number of
//! the others.

pub(in crate::report) mod charts;
mod collected;
mod data;
mod foremost;
pub(in crate::report) mod frame;
pub(in crate::report) mod histogram;
mod page;
mod picture;
mod timeline;

use std::cmp::Reverse;
use std::fmt::Debug;
use std::io::{self, Write};

use collected::Collected;
pub use collected::{
    MAX_CONVERSATIONS, MAX_FINDINGS, MAX_LOOSE, MAX_MESSAGES, MAX_PAGE_PAYLOAD_BYTES, MAX_ROWS,
};
use page::Page;
use picture::{Over, Row};

use super::style::Style;
use crate::conversation::{Conversation, Finding, MessageEvent};
use crate::dissect::FlowReport;
use crate::record::Summary;
use crate::record::printer::{Printer, SharedOutput};
use crate::record::tally::{Sight, Totals};

/// Collects the contents of the page, and writes it at the end.
#[derive(Debug)]
pub struct HtmlReport<W> {
    writer: W,
    collected: Collected,
}

impl<W: Write> HtmlReport<W> {
    /// A report that will be written to `writer`.
    pub fn new(writer: W, style: Style) -> Self {
        Self {
            writer,
            collected: Collected::new(style),
        }
    }
}

impl<W: Write + Debug + Send + 'static> Printer for HtmlReport<W> {
    fn flow(&mut self, flow: &FlowReport) {
        self.collected.heading.flow(flow);
    }

    /// Counts a message, and keeps it for as long as it may be shown.
    fn message(
        &mut self,
        event: &MessageEvent<'_>,
        sight: Sight,
        _: &mut Vec<u8>,
    ) -> io::Result<()> {
        let collected = &mut self.collected;
        collected.heading.message(event);
        collected.timeline.message(event, sight);
        if event.conversation.is_some() {
            collected.logs.message(event);
        } else {
            collected.loose.message(event, &collected.style);
        }
        Ok(())
    }

    /// Keeps a finding, if it is among the worst.
    fn finding(&mut self, finding: &Finding, out: &mut Vec<u8>) -> io::Result<()> {
        let collected = &mut self.collected;
        collected.finding_table.finding(finding, out)?;
        collected.logs.finding(finding);
        let key = (Reverse(finding.level), collected.findings.seen());
        collected.findings.offer(key, || finding.clone());
        Ok(())
    }

    /// Keeps a conversation that is over, if it is among the foremost.
    fn conversation(&mut self, conversation: &Conversation, _: &mut Vec<u8>) -> io::Result<()> {
        let collected = &mut self.collected;
        collected.handshakes.add(conversation.handshake_ns);
        collected.lives.add(Some(conversation.duration_ns()));
        let log = collected.logs.take(conversation.id).unwrap_or_default();
        // What becomes of it has bounds of its own.
        collected.logs.release(&log);
        let level = log.highest_level();
        let rank = (Reverse(level), conversation.id);
        collected.rows.offer(rank, || Row {
            conversation: conversation.clone(),
            level,
        });
        collected.pictured.offer(rank, || Over {
            conversation: conversation.clone(),
            log,
        });
        Ok(())
    }

    fn finish(
        &mut self,
        totals: &Totals,
        summary: &Summary<'_>,
        _: &mut SharedOutput<'_>,
    ) -> io::Result<()> {
        let pictures = self.collected.pictures();
        let page = Page::new(&self.collected, totals, summary, &pictures);
        let mut out = Vec::new();
        page.put_top(&mut out);
        self.writer.write_all(&out)?;
        for picture in &pictures {
            out.clear();
            page.put_picture(picture, &mut out);
            self.writer.write_all(&out)?;
        }
        out.clear();
        page.put_end(&mut out);
        self.writer.write_all(&out)?;
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests;
