//! The table of messages with all that stands around it: a heading above, totals below.

use std::io;

use super::MessageTable;
use super::totals::put_totals;
use crate::conversation::MessageEvent;
use crate::dissect::FlowReport;
use crate::record::printer::{HeaderContext, Notice, Printer, SharedOutput};
use crate::record::tally::{Sight, Totals};
use crate::record::{Reading, Summary};
use crate::report::heading::Heading;
use crate::report::near::put_near_flows;
use crate::report::style::Style;
use crate::text::wrap::put_wrapped;

/// Writes the inputs and their flows, the table of messages, and totals.
#[derive(Debug)]
pub struct TablePrinter {
    style: Style,
    /// The program's flag that takes a rule of [`DecodeAs`](crate::dissect::DecodeAs).
    decode_flag: Option<&'static str>,
    heading: Heading,
    table: MessageTable,
    near_flows: NearFlowsPlace,
}

/// Where flows that are perhaps ours are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NearFlowsPlace {
    /// With the other flows.
    Heading,
    /// At the end: they were judged after the first rows were written.
    End,
}

impl TablePrinter {
    /// An empty table.
    pub fn new(style: Style) -> Self {
        Self {
            style,
            decode_flag: None,
            heading: Heading::default(),
            table: MessageTable::new(style),
            near_flows: NearFlowsPlace::Heading,
        }
    }

    /// Names the program's flag that takes a rule of [`DecodeAs`](crate::dissect::DecodeAs), for
    /// hints on flows that are perhaps ours.
    #[must_use]
    pub const fn with_decode_flag(mut self, flag: &'static str) -> Self {
        self.decode_flag = Some(flag);
        self
    }

    fn put_near_flows(&self, summary: &Summary<'_>, out: &mut Vec<u8>) {
        let mut lines = Vec::new();
        put_near_flows(summary.near, &self.style, self.decode_flag, &mut lines);
        put_wrapped(&String::from_utf8_lossy(&lines), self.style.width, out);
    }
}

impl Printer for TablePrinter {
    fn counts_messages(&self) -> bool {
        true
    }

    fn notice(&self) -> Notice {
        Notice::Line
    }

    fn flow(&mut self, flow: &FlowReport) {
        self.heading.flow(flow);
    }

    fn any_message(&mut self, event: &MessageEvent<'_>) {
        self.heading.message(event);
    }

    fn message(&mut self, event: &MessageEvent<'_>, _: Sight, out: &mut Vec<u8>) -> io::Result<()> {
        self.table.message(event, out);
        Ok(())
    }

    fn held_rows(&self) -> usize {
        self.table.held().unwrap_or(0)
    }

    fn header(&mut self, context: HeaderContext<'_>, out: &mut Vec<u8>) {
        let HeaderContext {
            inputs, reading, ..
        } = context;
        for line in self.heading.lines(inputs, reading, &self.style) {
            put_wrapped(&line, self.style.width, out);
        }
        if reading == Reading::GoesOn {
            self.near_flows = NearFlowsPlace::End;
            self.table.start(out);
        }
    }

    fn interrupt(&mut self, out: &mut Vec<u8>) {
        self.table.interrupt(out);
    }

    fn resume(&mut self, out: &mut Vec<u8>) {
        self.table.resume(out);
    }

    fn finish(
        &mut self,
        totals: &Totals,
        summary: &Summary<'_>,
        out: &mut SharedOutput<'_>,
    ) -> io::Result<()> {
        if self.near_flows == NearFlowsPlace::Heading {
            self.put_near_flows(summary, out.buffer);
        }
        if totals.messages() > 0 {
            self.table.finish(out.buffer);
        }
        Ok(())
    }

    fn below(&mut self, totals: &Totals, summary: &Summary<'_>, out: &mut Vec<u8>) {
        put_totals(totals, summary, &self.style, self.decode_flag, out);
        if let Some(notice) = totals.notice() {
            put_wrapped(&notice, self.style.width, out);
        }
        if self.near_flows == NearFlowsPlace::End {
            self.put_near_flows(summary, out);
        }
    }
}
