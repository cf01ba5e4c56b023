//! `ministream-dump`, run.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::error::ErrorKind;

use super::args::DumpArgs;
use super::capture_set::describe_empty;
use super::conclusion::{Done, conclude};
use super::error::{DumpError, describe, print_error, print_warning};
use super::exit::Ending;
use super::interrupt::Interrupt;
use super::kept_packets::{Keeping, KeptPackets};
use super::limits::{Budget, Limits};
use super::options::{DumpOptions, Input, WholeConversations};
use super::progress::ProgressReport;
use super::records::RecordInput;
use crate::capture::{CaptureError, InputInfo, Inputs, PacketSource, ReadingThread};
use crate::conversation::EndOfInput;
use crate::dissect::{Dissector, Sink, StepSource, ThreadedSink};
use crate::end_request::note_echo;
use crate::field::Field;
use crate::report::reporter::Reporter;
use crate::select::filter::ConversationField;
use crate::select::{Picked, Selection};
use crate::units::counted;

/// Parses the arguments, runs, and prints errors on standard error.
pub(super) fn main(arguments: impl IntoIterator<Item = OsString>) -> Ending {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let args = match DumpArgs::of(&arguments) {
        Ok(args) => args,
        Err(error) => return refuse(&error),
    };
    let done = if args.tui {
        super::tui::run(&args, &arguments)
    } else {
        run(args)
    };
    match done {
        Ok(ending) => ending,
        Err(DumpError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ending::Fine,
        Err(error) => {
            print_error(error);
            Ending::Failed
        }
    }
}

/// Prints help or version, or the error in the arguments.
fn refuse(error: &clap::Error) -> Ending {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        return match error.print() {
            Ok(()) => Ending::Fine,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ending::Fine,
            Err(_) => Ending::Failed,
        };
    }
    let text = error.to_string();
    print_error(text.strip_prefix("error: ").unwrap_or(&text).trim_end());
    Ending::Failed
}

fn run(args: DumpArgs) -> Result<Ending, DumpError> {
    if args.list_fields {
        return list_fields().map_err(DumpError::Output);
    }
    if let Some(what) = args.generate {
        super::generate::print_for_dump(what)?;
        return Ok(Ending::Fine);
    }
    if args.list_interfaces {
        return super::live::list_interfaces();
    }
    let mut options = DumpOptions::resolve(args)?;
    match options.input.clone() {
        Input::Files(files) => {
            learn_outcomes(&mut options, &files)?;
            if options.conversations == WholeConversations::Yes {
                options.picked = matched_conversations(&mut options, files.clone())?;
            }
            dump_files(&mut options, files)
        }
        Input::Live(input) => super::live::dump(&mut options, &input),
    }
}

fn list_fields() -> io::Result<Ending> {
    let mut out = io::stdout().lock();
    for field in Field::ALL {
        writeln!(out, "{:<22} {}", field.name(), field.about())?;
    }
    writeln!(out, "\nof whole conversations, for -Y only:")?;
    for field in ConversationField::ALL {
        writeln!(out, "{:<22} {}", field.name(), field.about())?;
    }
    out.flush()?;
    Ok(Ending::Fine)
}

/// Reads the files once for the tests of conversations in the filter, if it has any.
fn learn_outcomes(options: &mut DumpOptions, files: &[PathBuf]) -> Result<(), DumpError> {
    let Some(mut filter) = options.filter.take() else {
        return Ok(());
    };
    if filter.tests_conversations() {
        let mut outcomes = filter.outcomes();
        if let Some(records) = RecordInput::open(files)? {
            records.pass_with_unfinished(&mut outcomes)?;
        } else {
            let mut source = decoded(options, files.to_vec(), Trouble::ReportedLater)?;
            read(options, &mut source, &mut outcomes, Trouble::ReportedLater)?;
        }
        filter.learn(outcomes);
    }
    options.filter = Some(filter);
    Ok(())
}

/// The conversations in which a message matches the filter.
fn matched_conversations(
    options: &mut DumpOptions,
    files: Vec<PathBuf>,
) -> Result<Picked, DumpError> {
    let picked = std::mem::take(&mut options.picked);
    let mut reporter = Reporter::new(
        io::sink(),
        options.buffering,
        options.output.style,
        Selection::new(options.filter.take(), picked, None),
        None,
        Vec::new(),
    )
    .redacted(options.redaction.clone());
    if let Some(records) = RecordInput::open(&files)? {
        records.pass(&mut reporter)?;
    } else {
        let mut source = decoded(options, files, Trouble::ReportedLater)?;
        read(options, &mut source, &mut reporter, Trouble::ReportedLater)?;
    }
    Ok(Picked::Matched(reporter.into_selection().into_matched()))
}

fn dump_files(options: &mut DumpOptions, files: Vec<PathBuf>) -> Result<Ending, DumpError> {
    if let Some(records) = RecordInput::open(&files)? {
        return records.dump(options);
    }
    if let Some(path) = options.keep_packets.take() {
        return dump_and_keep(options, files, KeptPackets::begin(path));
    }
    let mut source = decoded(options, files, Trouble::Reported)?;
    let mut reporter = options.reporter()?;
    let packets = options.output.packet_output()?;
    // Writing messages takes as long as understanding them.
    if options.output.writes_messages() && workers(options) > 1 {
        let mut threaded = ThreadedSink::spawn(reporter).map_err(DumpError::Thread)?;
        let done = read(options, &mut source, &mut threaded, Trouble::Reported)?;
        return match threaded.finish()? {
            Some(reporter) => conclude(options, &done, source.inputs(), reporter, packets),
            None => Ok(done.ending),
        };
    }
    let done = read(options, &mut source, &mut reporter, Trouble::Reported)?;
    conclude(options, &done, source.inputs(), reporter, packets)
}

/// The same; packets are kept as they come.
fn dump_and_keep(
    options: &mut DumpOptions,
    files: Vec<PathBuf>,
    kept: KeptPackets,
) -> Result<Ending, DumpError> {
    let inputs = open(options, files, ReadingThread::Own, Trouble::Reported)?;
    let mut source = StepSource::here(Keeping::new(inputs, kept), &options.dissect.network);
    let mut reporter = options.reporter()?;
    let done = read(options, &mut source, &mut reporter, Trouble::Reported)?;
    conclude(options, &done, source.inputs(), reporter, None)
}

/// Number of threads that work on a reading: one where rows are waited for (a pipe may be live),
/// and where reading may end early.
fn workers(options: &DumpOptions) -> usize {
    let may_run_ahead = match &options.input {
        Input::Files(files) => options.limits == Limits::default() && Inputs::are_files(files),
        Input::Live(_) => false,
    };
    if may_run_ahead { options.jobs.get() } else { 1 }
}

/// The files, with the headers of their packets read: on a thread of its own, if there is
/// more than one worker. It reads the files, too; a thread for that alone would not be less.
fn decoded(
    options: &DumpOptions,
    files: Vec<PathBuf>,
    trouble: Trouble,
) -> Result<StepSource<Inputs>, DumpError> {
    let limits = &options.dissect.network;
    if options.limits != Limits::default() || !Inputs::are_files(&files) {
        let inputs = open(options, files, ReadingThread::Own, trouble)?;
        return Ok(StepSource::here(inputs, limits));
    }
    let inputs = open(options, files, ReadingThread::Parsers, trouble)?;
    match workers(options) {
        1 => Ok(StepSource::in_batches(inputs, limits)),
        _ => StepSource::ahead(inputs, &options.dissect).map_err(DumpError::Thread),
    }
}

/// Opens the files as one capture.
fn open(
    options: &DumpOptions,
    files: Vec<PathBuf>,
    thread: ReadingThread,
    trouble: Trouble,
) -> Result<Inputs, DumpError> {
    let inputs = Inputs::open_on(files, options.order, thread)?;
    if trouble == Trouble::Reported {
        for empty in inputs.empty_inputs() {
            print_warning(describe_empty(empty));
        }
    }
    Ok(inputs)
}

/// Treatment of damaged inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// A warning on standard error names them.
    Reported,
    /// A later pass warns of them.
    ReportedLater,
}

/// Dissects files from their first packet to the last, or until it is enough.
fn read<P: PacketSource>(
    options: &DumpOptions,
    source: &mut StepSource<P>,
    sink: &mut impl Sink<Error = io::Error>,
    trouble: Trouble,
) -> Result<Done, DumpError> {
    let mut dissector = Dissector::new(options.dissect.clone());
    let mut progress = ProgressReport::new(options.progress, options.screen);
    let mut budget = Budget::new(options.limits);
    let mut end = EndOfInput::Complete;
    let mut ending = Ending::Fine;
    let is_caught = trouble == Trouble::Reported && options.output.is_given_an_end();
    let interrupt = is_caught.then(Interrupt::catch).transpose()?;
    loop {
        if interrupt.as_ref().is_some_and(Interrupt::is_asked_for) {
            note_echo();
            print_warning("interrupted; what was read so far is written");
            end = EndOfInput::Stopped;
            ending = ending.max(Ending::Interrupted);
            break;
        }
        match source.next_steps() {
            Ok(None) => break,
            Ok(Some(steps)) => {
                let is_spent = steps.only().is_some_and(|step| budget.is_spent_with(step));
                dissector.push_steps(steps, sink)?;
                if is_spent || !sink.wants_more() {
                    end = EndOfInput::Stopped;
                    break;
                }
            }
            Err(error) if error.is_partial() => {
                if trouble == Trouble::Reported {
                    print_warning(format_args!(
                        "{}; {} shown",
                        describe(&error),
                        counted(packets_of(&error, source.inputs()), "packet")
                    ));
                }
                dissector.note_damage(&error, sink)?;
                ending = ending.max(Ending::Incomplete);
            }
            Err(error) => {
                if trouble == Trouble::Reported {
                    print_error(DumpError::Capture(error));
                }
                ending = ending.max(Ending::Failed);
            }
        }
        sink.packet_end(source.inputs())?;
        progress.read(|| source.progress());
    }
    progress.finish();
    sink.inputs_end(source.inputs())?;
    dissector.note_copies(source.copies(), source.inputs(), sink)?;
    dissector.finish_steps(end, source, sink)?;
    Ok(Done {
        ending,
        end,
        counts: dissector.counts(),
        near: dissector.near_flows().clone(),
        dropped_by_kernel: None,
    })
}

/// Packets that were read of the input that an error is about.
fn packets_of(error: &CaptureError, inputs: &[InputInfo]) -> u64 {
    let path = error.path();
    let input = inputs.iter().find(|input| Some(&*input.path) == path);
    input.map_or(0, |input| input.packet_count)
}
