//! What an output does with a dissection, step by step.

use std::any::Any;
use std::fmt::Debug;
use std::io;

use super::summary::{Reading, Summary};
use super::tally::{Sight, Totals};
use crate::capture::InputInfo;
use crate::conversation::{Conversation, Finding, MessageEvent};
use crate::dissect::FlowReport;
use crate::select::redact::Secrets;

/// Where outputs without a file of their own write to.
pub struct SharedOutput<'a> {
    /// What is written next.
    pub buffer: &'a mut Vec<u8>,
    /// Writes a buffer that is longer than a block, and empties it.
    pub drain: &'a mut dyn FnMut(&mut Vec<u8>) -> io::Result<()>,
}

/// Where an output says that something was redacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It says so itself, or has no room for it.
    Nowhere,
    /// In a line above it.
    Line,
    /// In a line above it that begins with `#`.
    Comment,
}

/// What is known when the header is written.
#[derive(Clone, Copy, Debug)]
pub struct HeaderContext<'a> {
    /// What is read.
    pub inputs: &'a [InputInfo],
    /// Whether all of it was read.
    pub reading: Reading,
    /// What is hidden.
    pub redacted: Secrets,
}

/// An output: a way to show messages, a table, a page, files.
///
/// It is handed what was selected, redacted if that was asked for, in the order of the capture;
/// each step does nothing unless an output says otherwise. `out` is written to where the other
/// outputs without a file of their own write, too. What else an output knows is asked of its type.
pub trait Printer: Any + Debug + Send {
    /// Whether it is made of messages.
    fn looks_at_messages(&self) -> bool {
        true
    }

    /// Whether messages are counted in it, all or those of conversations.
    fn counts_messages(&self) -> bool {
        false
    }

    /// Where it says that something was redacted.
    fn notice(&self) -> Notice {
        Notice::Nowhere
    }

    /// Appends what stands above everything.
    fn header(&mut self, _context: HeaderContext<'_>, _out: &mut Vec<u8>) {}

    /// Takes in a flow, once its carrier is known.
    fn flow(&mut self, _flow: &FlowReport) {}

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

    /// Writes what has come into a file of its own, for readers that wait for it.
    ///
    /// # Errors
    /// The file cannot be written.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Writes what is still due, and its end. It is asked once, before any table is written.
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
}
