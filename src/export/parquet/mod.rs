//! Messages, conversations and findings as a Parquet data set, to which
//! each run adds a partition.
//!
//! ```text
//! DIR/messages/capture=monday.pcap/part-00000.parquet
//! DIR/conversations/capture=monday.pcap/part-00000.parquet
//! DIR/findings/capture=monday.pcap/part-00000.parquet
//! ```
//!
//! Columns have the names and types of the JSON records. Memory is bounded by
//! the size of a row group for each table.

mod column;
mod encode;
mod integers;
mod packed;
mod pages;
mod partition;
mod parts;
mod plain;
mod presence;
mod rows;
mod schema;
mod table;
mod words;

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use encode::Encoders;
pub use partition::partition_name;
use parts::{Bounds, Parts, part_files};
use rows::MessageRow;
use schema::{TableKind, properties};

use crate::conversation::{Conversation, Finding, MessageEvent};
use crate::field::{Field, PayloadDetail};
use crate::record::printer::{Printer, SharedOutput};
use crate::record::tally::{Sight, Totals};
use crate::record::{Summary, put_conversation, put_finding};
use crate::select::redact::Secrets;

/// Writes a partition of a data set.
///
/// Its files have names that readers pass over until [`finish`](Self::finish); those of a data
/// set that is dropped before are removed.
#[derive(Debug)]
pub struct DataSet {
    messages: Parts,
    conversations: Parts,
    findings: Parts,
    payload: PayloadDetail,
}

impl DataSet {
    /// A partition of that `name` in a data set at `root`, with as much of payloads as `payload`
    /// says. `redacted` are the secrets hidden in the records. Columns are encoded by `threads`,
    /// four of them at most; the output does not depend on their number. Directories are made.
    ///
    /// # Errors
    /// A directory, or a file in it, cannot be made, or a thread not started.
    pub fn new(
        root: &Path,
        name: &str,
        payload: PayloadDetail,
        redacted: Secrets,
        threads: NonZeroUsize,
    ) -> io::Result<Self> {
        Self::bounded(root, name, payload, redacted, threads, Bounds::USUAL)
    }

    fn bounded(
        root: &Path,
        name: &str,
        payload: PayloadDetail,
        redacted: Secrets,
        threads: NonZeroUsize,
        bounds: Bounds,
    ) -> io::Result<Self> {
        let properties = properties(redacted);
        let encoders = Encoders::new(threads)?;
        let parts = |kind| {
            let directory = directory(root, kind, name);
            Parts::new(
                kind,
                directory,
                properties.clone(),
                encoders.clone(),
                bounds,
            )
        };
        Ok(Self {
            messages: parts(TableKind::Messages)?,
            conversations: parts(TableKind::Conversations)?,
            findings: parts(TableKind::Findings)?,
            payload,
        })
    }

    /// Adds a message.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn message(&mut self, event: &MessageEvent<'_>) -> io::Result<()> {
        self.messages.add(|table| {
            Field::for_each_column(&mut MessageRow {
                table,
                event,
                payload: self.payload,
            });
        })
    }

    /// Adds a conversation.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn conversation(&mut self, conversation: &Conversation) -> io::Result<()> {
        self.conversations
            .add(|table| put_conversation(conversation, table))
    }

    /// Adds a finding.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        self.findings.add(|table| put_finding(finding, table))
    }

    /// Ends all files, and only then puts them in the place of those that the partition had.
    ///
    /// # Errors
    /// A file cannot be written, removed or renamed.
    pub fn finish(self) -> io::Result<()> {
        let Self {
            messages,
            conversations,
            findings,
            ..
        } = self;
        let whole = [messages.end()?, conversations.end()?, findings.end()?];
        whole.into_iter().try_for_each(|parts| parts.publish())
    }
}

/// There is none any more once its files are whole and have their names.
impl Printer for Option<DataSet> {
    fn message(&mut self, event: &MessageEvent<'_>, _: Sight, _: &mut Vec<u8>) -> io::Result<()> {
        self.as_mut().map_or(Ok(()), |set| set.message(event))
    }

    fn finding(&mut self, finding: &Finding, _: &mut Vec<u8>) -> io::Result<()> {
        self.as_mut().map_or(Ok(()), |set| set.finding(finding))
    }

    fn conversation(&mut self, conversation: &Conversation, _: &mut Vec<u8>) -> io::Result<()> {
        self.as_mut()
            .map_or(Ok(()), |set| set.conversation(conversation))
    }

    fn finish(&mut self, _: &Totals, _: &Summary<'_>, _: &mut SharedOutput<'_>) -> io::Result<()> {
        self.take().map_or(Ok(()), DataSet::finish)
    }
}

/// The directory of a partition of that `name` that holds data, if there is one.
///
/// # Errors
/// It cannot be read.
pub fn occupied_partition(root: &Path, name: &str) -> io::Result<Option<PathBuf>> {
    for kind in TableKind::ALL {
        let directory = directory(root, kind, name);
        if !part_files(&directory)?.is_empty() {
            return Ok(Some(directory));
        }
    }
    Ok(None)
}

/// The directory of a partition of a table.
fn directory(root: &Path, kind: TableKind, name: &str) -> PathBuf {
    root.join(kind.directory()).join(format!("capture={name}"))
}

#[cfg(test)]
mod tests;
