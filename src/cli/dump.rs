//! `ministream-dump`, run.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use clap::error::ErrorKind;

use super::args::{DumpArgs, FailOn};
use super::capture_set::describe_empty;
use super::error::{DumpError, PROGRAM, describe, print_error, print_warning};
use super::exit::Ending;
use super::interrupt::Interrupt;
use super::options::{DumpOptions, IncompleteInput, Input, Limits, WholeConversations};
use super::pager::Results;
use super::progress::ProgressReport;
use super::records::RecordInput;
use super::terminal;
use crate::capture::{
    CaptureError, InputInfo, InputOrder, Inputs, LinkType, Packet, PacketSource, PcapngWriter,
    ReadingThread,
};
use crate::conversation::{EndOfInput, Level};
use crate::dissect::{DecodedSource, DissectCounts, Dissector, NearFlows, Relay, Sink, Step};
use crate::net::Skip;
use crate::report::escape::escaped;
use crate::report::field::Field;
use crate::report::filter::ConversationField;
use crate::report::heading::link_type_title;
use crate::report::made_packets::MadePackets;
use crate::report::near::put_near_flow;
use crate::report::output::Output;
use crate::report::packets::PacketPlan;
use crate::report::record::Summary;
use crate::report::reporter::{Printer, Reporter};
use crate::report::selection::{Picked, Selection};
use crate::report::tally::Totals;
use crate::time::Timestamp;

/// Parses the arguments, runs, and tells on standard error what went wrong.
pub(super) fn main(arguments: impl IntoIterator<Item = OsString>) -> Ending {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let args = match DumpArgs::try_parse_from(&arguments) {
        Ok(args) => args,
        Err(error) => return refuse(&error),
    };
    let done = match args.tui {
        true => super::tui::run(&args, &arguments),
        false => run(args),
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

/// Prints help or version, or what is wrong with the arguments.
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
            records.pass(&mut outcomes)?;
        } else {
            let mut source = decoded(options, files.to_vec(), Trouble::ToldLater)?;
            read(options, &mut source, &mut outcomes, Trouble::ToldLater)?;
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
        options.pace,
        options.output.look,
        Selection::new(options.filter.take(), picked, None),
        Printer::Nothing,
        Vec::new(),
    )
    .redacted(options.redaction.clone());
    if let Some(records) = RecordInput::open(&files)? {
        records.pass(&mut reporter)?;
    } else {
        let mut source = decoded(options, files, Trouble::ToldLater)?;
        read(options, &mut source, &mut reporter, Trouble::ToldLater)?;
    }
    Ok(Picked::Matched(reporter.into_selection().into_matched()))
}

fn dump_files(options: &mut DumpOptions, files: Vec<PathBuf>) -> Result<Ending, DumpError> {
    if let Some(records) = RecordInput::open(&files)? {
        return records.dump(options);
    }
    let mut source = decoded(options, files, Trouble::Told)?;
    let mut reporter = reporter(options)?;
    let packets = options.output.packet_output()?;
    // Writing messages takes as long as understanding them.
    if options.output.writes_messages() && workers(options) > 1 {
        let mut relay = Relay::spawn(reporter).map_err(DumpError::Thread)?;
        let done = read(options, &mut source, &mut relay, Trouble::Told)?;
        return match relay.finish()? {
            Some(reporter) => conclude(options, &done, source.inputs(), reporter, packets),
            None => Ok(done.ending),
        };
    }
    let done = read(options, &mut source, &mut reporter, Trouble::Told)?;
    conclude(options, &done, source.inputs(), reporter, packets)
}

/// How many threads work on a reading: one where rows are waited for (a pipe may be
/// live), and where reading may end early.
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
) -> Result<DecodedSource<Inputs>, DumpError> {
    let limits = &options.dissect.network;
    if options.limits != Limits::default() || !Inputs::are_files(&files) {
        let inputs = open(options, files, ReadingThread::Own, trouble)?;
        return Ok(DecodedSource::here(inputs, limits));
    }
    let inputs = open(options, files, ReadingThread::Parsers, trouble)?;
    match workers(options) {
        1 => Ok(DecodedSource::in_batches(inputs, limits)),
        _ => DecodedSource::ahead(inputs, limits).map_err(DumpError::Thread),
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
    if trouble == Trouble::Told {
        for empty in inputs.empty_inputs() {
            print_warning(describe_empty(empty));
        }
    }
    Ok(inputs)
}

/// What is done about damaged inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// A warning on standard error names them.
    Told,
    /// A later pass warns of them.
    ToldLater,
}

/// How reading went.
pub(super) struct Done {
    pub(super) ending: Ending,
    pub(super) end: EndOfInput,
    pub(super) counts: DissectCounts,
    pub(super) near: NearFlows,
    pub(super) dropped_by_kernel: Option<u64>,
}

/// Dissects files from their first packet to the last, or until it is enough.
fn read(
    options: &DumpOptions,
    source: &mut DecodedSource<Inputs>,
    sink: &mut impl Sink<Error = io::Error>,
    trouble: Trouble,
) -> Result<Done, DumpError> {
    let mut dissector = Dissector::new(options.dissect.clone());
    let mut progress = ProgressReport::new(options.progress, options.screen);
    let mut budget = Budget::new(options.limits);
    let mut end = EndOfInput::Complete;
    let mut ending = Ending::Fine;
    let is_caught = trouble == Trouble::Told && options.output.is_given_an_end();
    let interrupt = is_caught.then(Interrupt::catch).transpose()?;
    loop {
        if interrupt.as_ref().is_some_and(Interrupt::is_asked_for) {
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
                if trouble == Trouble::Told {
                    print_warning(format_args!(
                        "{}; {} packets shown",
                        describe(&error),
                        packets_of(&error, source.inputs())
                    ));
                }
                dissector.note_damage(&error, sink)?;
                ending = ending.max(Ending::Incomplete);
            }
            Err(error) => {
                if trouble == Trouble::Told {
                    print_error(DumpError::Capture(error));
                }
                ending = ending.max(Ending::Failed);
            }
        }
        sink.settle(source.inputs())?;
        progress.read(|| source.progress());
    }
    progress.finish();
    dissector.note_copies(source.copies(), source.inputs(), sink)?;
    dissector.finish(end, sink)?;
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

/// Says which packets cannot be read because their link type is not known.
fn tell_unread_links(inputs: &[InputInfo]) {
    for input in inputs {
        let mut unread = BTreeMap::<u32, u64>::new();
        for interface in &input.interfaces {
            if let LinkType::Other(number) = interface.link_type {
                *unread.entry(number).or_default() += interface.packet_count;
            }
        }
        for (number, count) in unread.into_iter().filter(|(_, count)| *count > 0) {
            print_warning(format_args!(
                "{}: {count} packets of {} are not read",
                input.path.display(),
                link_type_title(LinkType::Other(number))
            ));
        }
    }
}

/// What may be read before it is enough.
pub(super) struct Budget {
    limits: Limits,
    start: Option<Timestamp>,
    bytes: u64,
}

impl Budget {
    pub(super) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            start: None,
            bytes: 0,
        }
    }

    /// Takes `step` into account; whether it is the last that may be taken.
    fn is_spent_with(&mut self, step: &Step<'_>) -> bool {
        match step {
            Step::Packet(packet) => self.is_spent_by(packet.arrival.time, packet.captured_bytes),
            Step::Lost(_) => false,
        }
    }

    /// Takes a packet into account; whether it is the last that may be read.
    pub(super) fn is_spent_by(&mut self, time: Timestamp, captured_bytes: u32) -> bool {
        if self.limits.bytes.is_none() && self.limits.duration.is_none() {
            return false;
        }
        self.bytes = self.bytes.saturating_add(u64::from(captured_bytes));
        let start = *self.start.get_or_insert(time);
        let elapsed = u64::try_from(time.nanos_since(start)).unwrap_or(0);
        self.limits.bytes.is_some_and(|limit| self.bytes >= limit)
            || self
                .limits
                .duration
                .is_some_and(|limit| Duration::from_nanos(elapsed) >= limit)
    }
}

/// The sink that these options ask for.
pub(super) fn reporter(options: &mut DumpOptions) -> Result<Reporter<Results>, DumpError> {
    let selection = Selection::new(
        options.filter.take(),
        std::mem::take(&mut options.picked),
        options.limits.messages,
    );
    let mut statistics = options.output.statistics(options.jobs);
    statistics.extend(options.output.html_report()?);
    statistics.extend(options.output.stream_export()?);
    statistics.extend(options.output.data_set()?);
    statistics.extend(options.output.packet_writer()?);
    Ok(Reporter::new(
        Results::new(options.paging),
        options.pace,
        options.output.look,
        selection,
        options.output.printer(),
        statistics,
    )
    .redacted(options.redaction.clone()))
}

/// Writes what is due at the end, and decides the exit code. `packets` is where the packets
/// of files go; those of a live capture are already where they belong.
pub(super) fn conclude(
    options: &DumpOptions,
    done: &Done,
    inputs: &[InputInfo],
    mut reporter: Reporter<Results>,
    packets: Option<Output>,
) -> Result<Ending, DumpError> {
    let ending = match (done.ending, options.incomplete) {
        (Ending::Incomplete, IncompleteInput::IsFine) => Ending::Fine,
        (ending, _) => ending,
    };
    let failures = failures(options.fail_on, reporter.totals());
    let ending = if failures.is_empty() {
        ending
    } else {
        ending.max(Ending::CheckFailed)
    };
    let missing = missing_conversations(options, done.counts.conversations);
    let ending = match (&missing, done.end) {
        (Some(_), EndOfInput::Complete) => ending.max(Ending::Failed),
        _ => ending,
    };
    let unwritten = unwritten_messages(options, &reporter);
    let ending = match unwritten {
        Some(_) => ending.max(Ending::Failed),
        None => ending,
    };
    let warning = nothing_found(&done.counts, &done.near);
    let skipped = Skip::ALL.map(|reason| (reason.name(), done.counts.network.skipped(reason)));
    reporter.finish(&Summary {
        inputs,
        packet_count: done.counts.network.packets,
        span: done.counts.start.zip(done.counts.end),
        skipped: &skipped,
        foreign: done.counts.foreign,
        near: &done.near,
        warning: warning.as_deref(),
        dropped_by_kernel: done.dropped_by_kernel,
        evicted: done.counts.evicted,
        exit_code: ending.code(),
    })?;
    let unsaid = reporter
        .made_packets()
        .map_or(0, MadePackets::findings_left_out);
    // The pager ends with the reporter; what follows is seen behind it.
    write_packets(options, reporter.into_packets(), packets)?;
    tell_comments_left_out(unsaid);
    if options.output.is_table() && io::stdout().is_terminal() {
        print_hint(options, inputs)?;
    }
    for path in options.output.written_files() {
        terminal::tell(format_args!("{PROGRAM}: wrote {}", path.display()));
    }
    if !options.output.shows_findings() {
        for failure in failures {
            terminal::tell(format_args!("{PROGRAM}: {failure}"));
        }
    }
    tell_counts(options.verbosity, &done.counts);
    tell_near_flows(options, &done.near);
    if let Some(warning) = &warning {
        print_warning(warning);
    }
    tell_unread_links(inputs);
    if let Some(unwritten) = unwritten {
        print_error(unwritten);
    }
    match (missing, done.end) {
        (Some(missing), EndOfInput::Complete) => print_error(missing),
        // They may yet come.
        (Some(missing), EndOfInput::Stopped) => print_warning(missing),
        (None, _) => {}
    }
    Ok(ending)
}

/// Reads the files again and writes the packets of what was selected.
fn write_packets(
    options: &DumpOptions,
    plan: Option<PacketPlan>,
    output: Option<Output>,
) -> Result<(), DumpError> {
    let (Some(mut plan), Some(output), Input::Files(files)) = (plan, output, &options.input) else {
        return Ok(());
    };
    again(files, options.order, |packet| {
        plan.learn(packet);
        Ok(())
    })?;
    let mut writer = PcapngWriter::new(output)?;
    again(files, options.order, |packet| {
        plan.write(packet, &mut writer)
    })?;
    writer.flush()?;
    tell_comments_left_out(plan.left_out());
    Ok(())
}

fn tell_comments_left_out(findings: u64) {
    if findings > 0 {
        print_warning(format_args!(
            "{findings} findings are not in comments: there are too many"
        ));
    }
}

/// The selected messages that `-w` cannot write redacted, if there are any.
fn unwritten_messages(options: &DumpOptions, reporter: &Reporter<Results>) -> Option<DumpError> {
    let count = reporter.made_packets()?.messages_left_out();
    let path = options.output.packet_path()?;
    (count > 0).then(|| DumpError::NotWritten {
        count,
        path: path.to_owned(),
    })
}

/// Shows every packet that can be read; what cannot was told in the first pass.
fn again(
    files: &[PathBuf],
    order: InputOrder,
    mut show: impl FnMut(&Packet<'_>) -> io::Result<()>,
) -> Result<(), DumpError> {
    let mut source = Inputs::open_on(files.to_vec(), order, ReadingThread::Own)?;
    loop {
        match source.next_packet() {
            Ok(Some(packet)) => show(&packet)?,
            Ok(None) => return Ok(()),
            Err(_) => {}
        }
    }
}

/// The conversations that the user named, of which there are only `count`.
fn missing_conversations(options: &DumpOptions, count: u64) -> Option<DumpError> {
    let missing: Vec<String> = options
        .named
        .iter()
        .filter(|id| id.0 > count)
        .map(ToString::to_string)
        .collect();
    (!missing.is_empty()).then(|| DumpError::NoSuchConversation {
        named: missing.join(", "),
        count,
    })
}

/// Why the check of `--fail-on` fails, a line for each kind of finding; empty when it passes.
fn failures(fail_on: Option<FailOn>, totals: &Totals) -> Vec<String> {
    let least = match fail_on {
        None => return Vec::new(),
        Some(FailOn::Empty) if totals.messages() == 0 => {
            return vec!["--fail-on empty: no message was shown".to_owned()];
        }
        Some(FailOn::Empty) => return Vec::new(),
        Some(FailOn::Note) => Level::Note,
        Some(FailOn::Warn) => Level::Warn,
        Some(FailOn::Error) => Level::Error,
    };
    totals
        .findings_from(least)
        .map(|(level, code, count)| {
            format!(
                "--fail-on {least}: {count} {level} {}: {}",
                code.code(),
                code.meaning()
            )
        })
        .collect()
}

/// One obvious next command.
fn print_hint(options: &DumpOptions, inputs: &[InputInfo]) -> io::Result<()> {
    let ([input], Input::Files(_)) = (inputs, &options.input) else {
        return Ok(());
    };
    let path = input.path.to_string_lossy();
    if path != "-" {
        let path = escaped(path.as_bytes(), options.output.look.charset);
        writeln!(
            io::stdout(),
            "try: {PROGRAM} {path} -z follow,c1    or    --html report.html"
        )?;
    }
    Ok(())
}

/// What to warn of when there is no message, and something that may hold some.
fn nothing_found(counts: &DissectCounts, near: &NearFlows) -> Option<String> {
    if counts.messages > 0 {
        return None;
    }
    let unread: Vec<String> = [Skip::LinkType, Skip::BadHeader, Skip::CutHeader]
        .into_iter()
        .map(|reason| (reason, counts.network.skipped(reason)))
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| {
            format!(
                "{count} packets skipped: {}",
                reason.name().replace('_', " ")
            )
        })
        .collect();
    let mut reasons = Vec::new();
    if let Some(group) = near.groups().first() {
        let flows = match near.flow_count() {
            1 => "1 flow is".to_owned(),
            count => format!("{count} flows are"),
        };
        reasons.push(format!(
            "{flows} perhaps ministream, try -d {}",
            group.rule()
        ));
    }
    reasons.extend(unread);
    (!reasons.is_empty()).then(|| format!("no ministreaming found; {}", reasons.join("; ")))
}

/// What `-v` says about flows that are nearly ours.
fn tell_near_flows(options: &DumpOptions, near: &NearFlows) {
    if options.verbosity == 0 {
        return;
    }
    for group in near.groups() {
        let mut line = Vec::new();
        put_near_flow(group, &options.output.look, &mut line);
        eprintln!("{PROGRAM}: info: {}", String::from_utf8_lossy(&line));
    }
}

/// What `-v` and `-vv` say about the input.
fn tell_counts(verbosity: u8, counts: &DissectCounts) {
    if verbosity == 0 {
        return;
    }
    let network = &counts.network;
    let tell = |what: &str, count: u64| {
        if count > 0 {
            terminal::tell(format_args!("{PROGRAM}: info: {what}: {count}"));
        }
    };
    tell("packets", network.packets);
    for reason in Skip::ALL {
        let what = format!("packets skipped, {}", reason.name().replace('_', " "));
        tell(&what, network.skipped(reason));
    }
    tell("flows of other protocols", counts.foreign.flows);
    tell(
        "I2CP messages of other protocols",
        counts.foreign.i2cp_messages,
    );
    tell("flows forgotten for want of memory", network.evicted_flows);
    tell(
        "conversations told early for want of memory",
        counts.forgotten.conversations,
    );
    tell(
        "closed conversations forgotten for want of memory",
        counts.forgotten.closed_conversations,
    );
    if verbosity > 1 {
        tell("flows", network.flows);
        tell("UDP datagrams", network.datagrams);
        tell("TCP segments", network.segments);
        tell("packets cut by the snap length", network.cut);
        tell("datagrams that lack fragments", network.lost_datagrams);
        terminal::tell(format_args!(
            "{PROGRAM}: debug: streams: {:?}",
            network.streams
        ));
    }
}
