//! What an output does with a dissection, step by step.

use std::fmt::Debug;
use std::io;

use super::style::Style;
use crate::capture::InputInfo;
use crate::conversation::{Conversation, Finding, MessageEvent};
use crate::dissect::FlowReport;
use crate::export::output::Output;
use crate::export::packets::PacketPlan;
use crate::export::synthetic_packets::SyntheticPackets;
use crate::record::tally::{Sight, Totals};
use crate::record::{Reading, Summary};
use crate::select::redact::Secrets;

/// Where outputs without a file of their own write to.
pub struct Out<'a> {
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
pub struct Above<'a> {
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
/// outputs without a file of their own write, too.
pub trait Printer: Debug + Send {
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
    fn header(&mut self, _above: Above<'_>, _out: &mut Vec<u8>) {}

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
        _out: &mut Out<'_>,
    ) -> io::Result<()> {
        Ok(())
    }

    /// Appends its table as it stands, with `open` conversations; more may come afterwards.
    ///
    /// # Errors
    /// The output cannot be written, or a temporary file not read.
    fn table(
        &mut self,
        _open: &[&Conversation],
        _style: &Style,
        _out: &mut Out<'_>,
    ) -> io::Result<()> {
        Ok(())
    }

    /// The packets of what is selected, if it notes them.
    fn packet_plan(&mut self) -> Option<&mut PacketPlan> {
        None
    }

    /// The packets around what is selected, if it makes them.
    fn synthetic_packets(&self) -> Option<&SyntheticPackets<Output>> {
        None
    }
}

/// Files that programs read are outputs like others.
mod files {
    use super::{
        Conversation, Finding, FlowReport, MessageEvent, Out, Output, PacketPlan, Printer, Sight,
        Summary, SyntheticPackets, Totals, io,
    };
    #[cfg(feature = "parquet")]
    use crate::export::parquet::DataSet;
    use crate::export::streams::Export;

    impl Printer for Export {
        fn message(
            &mut self,
            event: &MessageEvent<'_>,
            _: Sight,
            _: &mut Vec<u8>,
        ) -> io::Result<()> {
            Self::message(self, event)
        }

        fn conversation(&mut self, conversation: &Conversation, _: &mut Vec<u8>) -> io::Result<()> {
            Self::conversation(self, conversation)
        }

        fn finish(&mut self, _: &Totals, _: &Summary<'_>, _: &mut Out<'_>) -> io::Result<()> {
            Self::finish(self)
        }
    }

    impl Printer for PacketPlan {
        fn message(
            &mut self,
            event: &MessageEvent<'_>,
            _: Sight,
            _: &mut Vec<u8>,
        ) -> io::Result<()> {
            Self::message(self, event);
            Ok(())
        }

        fn finding(&mut self, finding: &Finding, _: &mut Vec<u8>) -> io::Result<()> {
            Self::finding(self, finding);
            Ok(())
        }

        fn packet_plan(&mut self) -> Option<&mut PacketPlan> {
            Some(self)
        }
    }

    impl Printer for SyntheticPackets<Output> {
        fn flow(&mut self, flow: &FlowReport) {
            Self::flow(self, flow);
        }

        fn message(
            &mut self,
            event: &MessageEvent<'_>,
            _: Sight,
            _: &mut Vec<u8>,
        ) -> io::Result<()> {
            Self::message(self, event)
        }

        fn finding(&mut self, finding: &Finding, _: &mut Vec<u8>) -> io::Result<()> {
            Self::finding(self, finding)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.write_waiting_and_flush()
        }

        fn finish(&mut self, _: &Totals, _: &Summary<'_>, _: &mut Out<'_>) -> io::Result<()> {
            self.write_waiting_and_flush()
        }

        fn synthetic_packets(&self) -> Option<&SyntheticPackets<Output>> {
            Some(self)
        }
    }

    /// There is none any more once its files are whole and have their names.
    #[cfg(feature = "parquet")]
    impl Printer for Option<DataSet> {
        fn message(
            &mut self,
            event: &MessageEvent<'_>,
            _: Sight,
            _: &mut Vec<u8>,
        ) -> io::Result<()> {
            self.as_mut().map_or(Ok(()), |set| set.message(event))
        }

        fn finding(&mut self, finding: &Finding, _: &mut Vec<u8>) -> io::Result<()> {
            self.as_mut().map_or(Ok(()), |set| set.finding(finding))
        }

        fn conversation(&mut self, conversation: &Conversation, _: &mut Vec<u8>) -> io::Result<()> {
            self.as_mut()
                .map_or(Ok(()), |set| set.conversation(conversation))
        }

        fn finish(&mut self, _: &Totals, _: &Summary<'_>, _: &mut Out<'_>) -> io::Result<()> {
            self.take().map_or(Ok(()), DataSet::finish)
        }
    }
}
