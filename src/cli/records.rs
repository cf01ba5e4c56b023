//! Records of `-T ndjson` as an input instead of a capture.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::conclusion::{Done, conclude};
use super::error::{DumpError, print_warning};
use super::exit::Ending;
use super::options::DumpOptions;
use super::unfinished::Unfinished;
use crate::conversation::{ConversationId, EndOfInput};
use crate::dissect::{DissectCounts, NearFlows, Sink};
use crate::ndjson::NdjsonError;
use crate::net::NetworkCounts;
use crate::record::{Record, RecordReader, SummaryRecord};

/// Records, and where they come from.
pub(super) struct RecordInput {
    path: PathBuf,
    reader: RecordReader<Box<dyn BufRead>>,
}

/// The results of a pass over records.
#[derive(Debug, Default)]
struct Passed {
    summary: Option<SummaryRecord>,
    messages: u64,
    last: Option<ConversationId>,
    is_stopped: bool,
}

impl RecordInput {
    /// The only input, if it begins as JSON does, which no capture does. Other errors in it are
    /// found when it is read as a capture. A named pipe is taken for a capture: bytes read to see
    /// its beginning would be missing from it.
    pub(super) fn open(paths: &[PathBuf]) -> Result<Option<Self>, DumpError> {
        let [path] = paths else { return Ok(None) };
        let mut input: Box<dyn BufRead> = if path == Path::new("-") {
            Box::new(io::stdin().lock())
        } else if !path.is_file() {
            return Ok(None);
        } else {
            match File::open(path) {
                Ok(file) => Box::new(BufReader::new(file)),
                Err(_) => return Ok(None),
            }
        };
        let begins_as_json = input
            .fill_buf()
            .is_ok_and(|bytes| bytes.first() == Some(&b'{'));
        if !begins_as_json {
            return Ok(None);
        }
        let reader = RecordReader::open(input).map_err(|error| records(path, error))?;
        Ok(Some(Self {
            path: path.clone(),
            reader,
        }))
    }

    /// Gives `sink` the contents of the records.
    pub(super) fn pass(mut self, sink: &mut impl Sink<Error = io::Error>) -> Result<(), DumpError> {
        self.pass_records(sink).map(drop)
    }

    /// The same; where the records end early, the conversations are among them that have no record
    /// yet.
    pub(super) fn pass_with_unfinished(
        mut self,
        sink: &mut impl Sink<Error = io::Error>,
    ) -> Result<(), DumpError> {
        let mut unfinished = Unfinished::before(sink);
        let passed = self.pass_records(&mut unfinished)?;
        if passed.summary.is_none() {
            unfinished.report()?;
        }
        Ok(())
    }

    /// Writes the output that the options ask for.
    pub(super) fn dump(mut self, options: &mut DumpOptions) -> Result<Ending, DumpError> {
        let before = self.reader.redacted();
        let style = &mut options.output.style;
        // Pseudonyms take the place of hashes where a capture is dissected.
        if style.redacted.destinations && !before.destinations {
            return Err(DumpError::Usage {
                wrong: "--redact dest needs the capture: records have the hashes of real destinations",
                help: "redact when the records are written",
            });
        }
        style.redacted = style.redacted.and(before);
        if options.output.writes_captured_packets() {
            return Err(DumpError::Usage {
                wrong: "-w writes the packets of a capture, and records have none",
                help: "give the capture, or make packets anew with --redact",
            });
        }
        let mut reporter = options.reporter()?;
        let passed = self.pass_records(&mut reporter)?;
        let (summary, is_whole) = match passed.summary {
            Some(summary) => (summary, true),
            None => (
                SummaryRecord::unknown(self.reader.inputs()),
                passed.is_stopped,
            ),
        };
        let mut ending = Ending::Fine;
        if !is_whole {
            print_warning(format_args!(
                "{} ends without its summary; the records before that are shown",
                self.path.display()
            ));
        }
        if !is_whole || summary.inputs.iter().any(|input| input.truncated) {
            ending = Ending::Incomplete;
        }
        let done = Done {
            ending,
            end: if passed.is_stopped {
                EndOfInput::Stopped
            } else {
                EndOfInput::Complete
            },
            counts: DissectCounts {
                network: NetworkCounts::of_packets(summary.packet_count, |reason| {
                    summary.skipped_for(reason)
                }),
                messages: passed.messages,
                conversations: passed.last.map_or(0, |id| id.0),
                foreign: summary.foreign,
                evicted: summary.evicted,
                start: summary.span.map(|(first, _)| first),
                end: summary.span.map(|(_, latest)| latest),
                ..DissectCounts::default()
            },
            // Records have only the text about them that people read.
            near: NearFlows::default(),
            dropped_by_kernel: summary.dropped_by_kernel,
        };
        conclude(options, &done, &summary.inputs, reporter, None)
    }

    fn pass_records(
        &mut self,
        sink: &mut impl Sink<Error = io::Error>,
    ) -> Result<Passed, DumpError> {
        let mut passed = Passed::default();
        loop {
            let record = self.reader.next_record();
            match record.map_err(|error| records(&self.path, error))? {
                None => return Ok(passed),
                Some(Record::Message(message)) => {
                    passed.messages += 1;
                    sink.message(&message.event())?;
                }
                Some(Record::Finding(finding)) => sink.finding(&finding)?,
                Some(Record::Conversation(conversation)) => {
                    passed.last = passed.last.max(Some(conversation.id));
                    sink.conversation(&conversation)?;
                }
                Some(Record::Summary(summary)) => passed.summary = Some(*summary),
            }
            if !sink.wants_more() {
                passed.is_stopped = true;
                return Ok(passed);
            }
            sink.packet_end(self.reader.inputs())?;
        }
    }
}

fn records(path: &Path, error: NdjsonError) -> DumpError {
    DumpError::Records {
        path: path.to_owned(),
        error,
    }
}
