//! The steps of an output through a dissection.

use std::any::Any;
use std::fmt::Debug;
use std::io;

use super::summary::{Reading, Summary};
use super::tally::{Sight, Totals};
use crate::capture::InputInfo;
use crate::conversation::{Conversation, Finding, MessageEvent};
use crate::dissect::FlowReport;
use crate::select::redact::Secrets;

/// The output shared by those without a file of their own.
pub struct SharedOutput<'a> {
    /// The bytes written next.
    pub buffer: &'a mut Vec<u8>,
    /// Writes a buffer that is longer than a block, and empties it.
    pub drain: &'a mut dyn FnMut(&mut Vec<u8>) -> io::Result<()>,
}

/// The place where an output says that something was redacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It says so itself, or has no room for it.
    Nowhere,
    /// In a line above it.
    Line,
    /// In a line above it that begins with `#`.
    Comment,
}

/// Rows that an output may hold back for its header; behind so many the header comes, whatever is
/// known by then.
pub const HELD_ROWS: usize = 4096;

/// The state when the header is written.
#[derive(Clone, Copy, Debug)]
pub struct HeaderContext<'a> {
    /// The inputs.
    pub inputs: &'a [InputInfo],
    /// Whether all of it was read.
    pub reading: Reading,
    /// The secrets that are hidden.
    pub redacted: Secrets,
}

/// An output: a way to show messages, a table, a page, files.
///
/// Its steps take the selected items, redacted if that was asked for, in the order of the capture.
/// [`any_message`](Self::any_message) alone takes messages as they were captured: of them nothing
/// but counts and times may be written. Each step does nothing by default. `out` goes to the output
/// that all without a file of their own share. All else that an output knows is asked of its type.
pub trait Printer: Any + Debug + Send {
    /// Whether it is made of messages.
    fn looks_at_messages(&self) -> bool {
        true
    }

    /// Whether messages are counted in it, all or those of conversations. A notice below all
    /// tables then says if some are there twice; of an output shown as messages,
    /// [`below`](Self::below) says so.
    fn counts_messages(&self) -> bool {
        false
    }

    /// The place where it says that something was redacted.
    fn notice(&self) -> Notice {
        Notice::Nowhere
    }

    /// Rows that wait for the header, because it tells what they need; see [`HELD_ROWS`].
    fn held_rows(&self) -> usize {
        0
    }

    /// Appends the header above everything, and the rows that waited for it while reading goes on.
    fn header(&mut self, _context: HeaderContext<'_>, _out: &mut Vec<u8>) {}

    /// Takes in a flow, once its carrier is known.
    fn flow(&mut self, _flow: &FlowReport) {}

    /// Takes note of a message, selected or not, as it was captured: for what stands in the header,
    /// as long as that was not written. Only an output shown as messages is asked.
    fn any_message(&mut self, _event: &MessageEvent<'_>) {}

    /// Takes in a message.
    ///
    /// # Errors
    /// A file of its own cannot be written.
    fn message(
        &mut self,
        _event: &MessageEvent<'_>,
        _sight: Sight,
        _out: &mut Vec<u8>,
    ) -> io::Result<()> {
        Ok(())
    }

    /// Takes in a finding, which comes after its message.
    ///
    /// # Errors
    /// A file of its own cannot be written.
    fn finding(&mut self, _finding: &Finding, _out: &mut Vec<u8>) -> io::Result<()> {
        Ok(())
    }

    /// Takes in a conversation that is over.
    ///
    /// # Errors
    /// A file of its own cannot be written.
    fn conversation(&mut self, _conversation: &Conversation, _out: &mut Vec<u8>) -> io::Result<()> {
        Ok(())
    }

    /// Writes the rows so far into a file of its own, for readers that wait for it.
    ///
    /// # Errors
    /// The file cannot be written.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Appends the end of the rows so far, since tables follow that are no part of it.
    fn interrupt(&mut self, _out: &mut Vec<u8>) {}

    /// Appends what stands above further rows after that.
    fn resume(&mut self, _out: &mut Vec<u8>) {}

    /// Writes the rest, and its end. It is asked once, before any table is written.
    ///
    /// # Errors
    /// The output cannot be written, or a temporary file not read.
    fn finish(
        &mut self,
        _totals: &Totals,
        _summary: &Summary<'_>,
        _out: &mut SharedOutput<'_>,
    ) -> io::Result<()> {
        Ok(())
    }

    /// Appends its table as it stands, with `open` conversations; more may come afterwards.
    ///
    /// # Errors
    /// The output cannot be written, or a temporary file not read.
    fn table(&mut self, _open: &[&Conversation], _out: &mut SharedOutput<'_>) -> io::Result<()> {
        Ok(())
    }

    /// Appends what stands below all tables. Only an output shown as messages is asked.
    fn below(&mut self, _totals: &Totals, _summary: &Summary<'_>, _out: &mut Vec<u8>) {}
}
