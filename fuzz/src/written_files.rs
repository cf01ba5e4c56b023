//! What must hold of outputs that are files: packets as they were captured, streams, data sets.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::Path;

use ministream::capture::PcapngWriter;
use ministream::conversation::MessageEvent;
use ministream::dissect::{Collected, DissectOptions, EvictedCounts, Sink};
use ministream::export::packets::PacketPlan;
use ministream::export::parquet::DataSet;
use ministream::export::streams::Export;
use ministream::field::PayloadDetail;
use ministream::record::printer::Printer;
use ministream::select::redact::Redaction;
use ministream::wire::RawMessage;
use parquet::file::reader::{FileReader, SerializedFileReader};
use ring::digest;
use serde_json::Value;

use crate::capture_file::{dissect, read};
use crate::outputs::{report, secrets_of};

/// The packets that all messages of a file need (`-w`): a capture in which the same messages
/// are found, unless a bound on memory decided what was.
pub fn captured_packets(file: &[u8], options: &DissectOptions) -> Option<Vec<u8>> {
    let plan: Box<dyn Printer> = Box::<PacketPlan>::default();
    let mut plans = None;
    report(file, options, None, vec![plan], |reporter| {
        plans = reporter.output::<PacketPlan>().map(std::mem::take);
    })?;
    let mut plan = plans.expect("it is one of the outputs");
    read(file, |packet| plan.learn(packet))?;
    let mut writer = PcapngWriter::new(Vec::new()).expect("memory takes all");
    let mut of_file = 0_u64;
    read(file, |packet| {
        of_file += 1;
        plan.write(packet, &mut writer).expect("memory takes all");
    })?;
    let written = writer.into_inner();
    let mut count = 0_u64;
    let (_, damage) = read(&written, |_| count += 1).expect("a capture");
    assert!(damage.is_none(), "{damage:?}");
    assert!(count <= of_file, "{count} packets of {of_file}");
    if let (Some(before), Some(after)) = (messages(file, options), messages(&written, options)) {
        assert!(
            before == after,
            "{} messages of {} in the packets that were written",
            after.len(),
            before.len()
        );
    }
    Some(written)
}

/// Every message, as it was sent.
#[derive(Default)]
struct Messages(Vec<Vec<u8>>);

impl Sink for Messages {
    type Error = std::convert::Infallible;

    fn message(&mut self, event: &MessageEvent<'_>) -> Result<(), Self::Error> {
        self.0.push(match event.message {
            RawMessage::Frame(frame) => [&frame.header()[..], frame.payload].concat(),
            RawMessage::Ping => Vec::new(),
            RawMessage::Short(bytes) => bytes.to_vec(),
        });
        Ok(())
    }
}

/// All of them, unless a bound on memory decided what was found.
fn messages(file: &[u8], options: &DissectOptions) -> Option<Vec<Vec<u8>>> {
    let mut messages = Messages::default();
    let (_, counts) = dissect(file, options.clone(), &mut messages).expect("a capture");
    (counts.evicted == EvictedCounts::default()).then_some(messages.0)
}

/// The streams of all conversations (`--export`), each file with its name: those, and no others,
/// that the index names, with as many bytes as it says, and their sum.
pub fn streams(
    file: &[u8],
    options: &DissectOptions,
    redaction: Option<Redaction>,
) -> Option<Vec<u8>> {
    let place = tempfile::tempdir().expect("there is room for files");
    let secrets = secrets_of(redaction.as_ref());
    let export = Export::new(place.path().to_owned(), secrets).expect("a file can be made");
    report(file, options, redaction, vec![Box::new(export)], |_| {})?;
    let mut files = files_below(place.path());
    let index = files.remove("index.json").expect("an export has an index");
    let index: Value = serde_json::from_slice(&index).expect("JSON");
    let mut streams = files.clone();
    for entry in index["conversations"].as_array().expect("a list") {
        for direction in ["c2s", "s2c"] {
            let stream = &entry[direction];
            let bytes = match stream["file"].as_str() {
                Some(name) => streams.remove(name).expect("a file that the index names"),
                None => Vec::new(),
            };
            assert_eq!(stream["payload_bytes"], bytes.len(), "{stream}");
            let sum = digest::digest(&digest::SHA256, &bytes);
            let digits: String = sum
                .as_ref()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            assert_eq!(stream["sha256"], digits, "{stream}");
        }
    }
    assert_eq!(
        streams.keys().next(),
        None,
        "no file but those of the index"
    );
    Some(flattened(&files))
}

/// A data set (`--parquet`), each file with its name: read back, it has as many messages,
/// conversations and findings.
pub fn data_set(
    file: &[u8],
    options: &DissectOptions,
    redaction: Option<Redaction>,
) -> Option<Vec<u8>> {
    let place = tempfile::tempdir().expect("there is room for files");
    let secrets = secrets_of(redaction.as_ref());
    let set = DataSet::new(
        place.path(),
        "fuzz",
        PayloadDetail::Full,
        secrets,
        NonZeroUsize::MIN,
    )
    .expect("files can be made");
    report(file, options, redaction, vec![Box::new(Some(set))], |_| {})?;
    let mut seen = Collected::default();
    dissect(file, options.clone(), &mut seen).expect("what was a capture is one");
    let files = files_below(place.path());
    for (kind, expected) in [
        ("messages", seen.message_count as usize),
        ("conversations", seen.conversations.len()),
        ("findings", seen.findings.len()),
    ] {
        let of_kind = files.iter().filter(|(name, _)| name.starts_with(kind));
        let rows: usize = of_kind.map(|(_, bytes)| rows(bytes)).sum();
        assert_eq!(rows, expected, "{kind} in a data set");
    }
    Some(flattened(&files))
}

/// Rows of a Parquet file, every value of which can be read.
fn rows(file: &[u8]) -> usize {
    let reader = SerializedFileReader::new(bytes::Bytes::copy_from_slice(file)).expect("Parquet");
    let rows = reader.get_row_iter(None).expect("columns that can be read");
    rows.inspect(|row| assert!(row.is_ok(), "{row:?}")).count()
}

fn files_below(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).expect("a directory can be listed") {
            let path = entry.expect("a directory can be listed").path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let name = path.strip_prefix(root).expect("it is below");
            let name = name.to_str().expect("names are ASCII").to_owned();
            files.insert(name, fs::read(&path).expect("a file can be read"));
        }
    }
    files
}

fn flattened(files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let mut flat = Vec::new();
    for (name, bytes) in files {
        writeln!(flat, "{name} {}", bytes.len()).expect("memory takes all");
        flat.extend_from_slice(bytes);
    }
    flat
}
