//! The byte streams of conversations as files, and an index of them.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::conversation::{Conversation, ConversationId, MessageEvent};
use crate::export::output::{OutputError, OutputWriter};
use crate::field::PayloadDetail;
use crate::new_file;
use crate::number_set::NumberSet;
use crate::record::printer::{Printer, SharedOutput};
use crate::record::tally::{Sight, Totals};
use crate::record::{RecordWriter, Summary, put_redacted};
use crate::select::redact::Secrets;
use crate::text::write::{put, put_hex, put_number};
use crate::wire::{Direction, FrameKind};

/// Name and version of the schema of `index.json`.
pub const INDEX_SCHEMA: &str = "ministream.export/1";

/// The index, among the files of streams.
pub const INDEX: &str = "index.json";

/// Files that are kept open between two pieces; a process has a thousand or so.
const OPEN_FILES: usize = 64;

/// Both directions, in the order of the index.
const DIRECTIONS: [Direction; 2] = [Direction::ClientToServer, Direction::ServerToClient];

/// Writes the data of each conversation to files of its own, as they come.
#[derive(Debug)]
pub struct Export {
    directory: PathBuf,
    index: OutputWriter,
    records: RecordWriter,
    streams: HashMap<StreamName, Stream>,
    /// The most recently used last.
    open: VecDeque<(StreamName, File)>,
    /// Conversations that are in the index.
    listed: NumberSet,
}

type StreamName = (ConversationId, Direction);

/// State of a stream so far.
#[derive(Clone, Debug, Default)]
struct Stream {
    payload_bytes: u64,
    hash: Sha256,
}

impl Export {
    /// An export to a directory that is there; files in it that have the same names are replaced.
    /// `redacted` are the secrets hidden in the streams.
    ///
    /// # Errors
    /// `index.json` cannot be made.
    pub fn new(directory: PathBuf, redacted: Secrets) -> io::Result<Self> {
        let mut index = OutputWriter::create(&directory.join(INDEX))?;
        let mut start = Vec::new();
        put(&mut start, "{\"schema\":\"");
        put(&mut start, INDEX_SCHEMA);
        put(&mut start, "\",\"tool_version\":\"");
        put(&mut start, env!("CARGO_PKG_VERSION"));
        put(&mut start, "\",\"redacted\":");
        put_redacted(&mut start, redacted);
        put(&mut start, ",\"conversations\":[");
        index.write_all(&start)?;
        Ok(Self {
            directory,
            index,
            records: RecordWriter::new(PayloadDetail::None),
            streams: HashMap::new(),
            open: VecDeque::new(),
            listed: NumberSet::default(),
        })
    }

    fn append(&mut self, name: StreamName, piece: &[u8]) -> io::Result<()> {
        let mut file = self.take_file(name)?;
        file.write_all(piece)?;
        self.open.push_back((name, file));
        let stream = self.streams.entry(name).or_default();
        // A usize fits everywhere that this runs.
        stream.payload_bytes += piece.len() as u64;
        stream.hash.update(piece);
        Ok(())
    }

    /// The file of a stream, with room among those that are open.
    fn take_file(&mut self, name: StreamName) -> io::Result<File> {
        if let Some(place) = self.open.iter().rposition(|(open, _)| *open == name)
            && let Some((_, file)) = self.open.remove(place)
        {
            return Ok(file);
        }
        if self.open.len() >= OPEN_FILES {
            self.open.pop_front();
        }
        let path = self.directory.join(file_name(name));
        if self.streams.contains_key(&name) {
            new_file::open_again(&path)
        } else {
            new_file::create(&path)
        }
    }
}

impl Printer for Export {
    fn message(&mut self, event: &MessageEvent<'_>, _: Sight, _: &mut Vec<u8>) -> io::Result<()> {
        let (Some(id), Some(direction), Some(frame)) =
            (event.conversation, event.direction, event.message.frame())
        else {
            return Ok(());
        };
        if frame.frame_type.kind() != FrameKind::Data || frame.payload.is_empty() {
            return Ok(());
        }
        // The index has said how long its streams are; nobody took what came so late.
        if self.listed.contains(id.0) {
            return Ok(());
        }
        let name = (id, direction);
        self.append(name, frame.payload)
            .map_err(|error| OutputError::at(&self.directory.join(file_name(name)), error))
    }

    /// Notes a conversation that is over in the index.
    fn conversation(&mut self, conversation: &Conversation, _: &mut Vec<u8>) -> io::Result<()> {
        let mut entry = Vec::new();
        put(
            &mut entry,
            if self.listed.is_empty() { "\n" } else { ",\n" },
        );
        self.listed.insert(conversation.id.0);
        put(&mut entry, "{\"conversation\":");
        self.records.conversation(conversation, &mut entry);
        for direction in DIRECTIONS {
            let name = (conversation.id, direction);
            self.open.retain(|(open, _)| *open != name);
            put(&mut entry, ",\"");
            put(&mut entry, direction.name());
            put(&mut entry, "\":");
            put_stream(&mut entry, name, self.streams.remove(&name));
        }
        entry.push(b'}');
        self.index.write_all(&entry)
    }

    fn finish(&mut self, _: &Totals, _: &Summary<'_>, _: &mut SharedOutput<'_>) -> io::Result<()> {
        self.index.write_all(b"\n]}\n")?;
        self.index.flush()
    }
}

/// Whether nothing is in a directory, or it is not there.
///
/// # Errors
/// It cannot be read.
pub fn is_vacant(directory: &Path) -> io::Result<bool> {
    match fs::read_dir(directory) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

fn file_name((id, direction): StreamName) -> String {
    format!("{id}.{}.bin", direction.name())
}

/// A stream without bytes has no file.
fn put_stream(out: &mut Vec<u8>, name: StreamName, stream: Option<Stream>) {
    put(out, "{\"file\":");
    match &stream {
        Some(_) => {
            out.push(b'"');
            put(out, &file_name(name));
            out.push(b'"');
        }
        None => put(out, "null"),
    }
    let stream = stream.unwrap_or_default();
    put(out, ",\"payload_bytes\":");
    put_number(out, stream.payload_bytes);
    put(out, ",\"sha256\":\"");
    put_hex(out, &stream.hash.finalize());
    put(out, "\"}");
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_is_opened_again_is_not_written_through_a_link() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let stream = |number| (ConversationId(number), Direction::ClientToServer);
        let mut export = Export::new(directory.path().to_owned(), Secrets::NONE).unwrap();
        // The first two are closed for the last.
        for number in 0..66 {
            export.append(stream(number), b"first, ").unwrap();
        }
        let [linked, plain] = [0, 1].map(|number| at(&file_name(stream(number))));
        fs::rename(&linked, at("moved")).unwrap();
        fs::write(at("precious"), "precious").unwrap();
        std::os::unix::fs::symlink(at("precious"), &linked).unwrap();
        let error = export.append(stream(0), b"second").unwrap_err();
        assert_eq!(
            error.to_string(),
            "a symbolic link to a file, which would be overwritten"
        );
        assert_eq!(fs::read(at("precious")).unwrap(), b"precious");
        export.append(stream(1), b"second").unwrap();
        assert_eq!(fs::read(plain).unwrap(), b"first, second");
    }
}
