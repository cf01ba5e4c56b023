//! From arguments to what a dump does: checked, with every default filled in.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, IsTerminal};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::args::{DumpArgs, FailOn, Format, Ids, Ladder, Payload, ProgressWhen, Times};
use super::capture_set::CaptureSet;
use super::error::{DumpError, print_warning};
use super::live::{self, LiveInput};
use super::pager::Paging;
use super::parquet::{self, DataSetTarget};
use super::progress::Screen;
use super::redaction;
use super::secrets;
use super::terminal;
use super::values::{StatisticName, Stop};
use crate::capture::{InputOrder, Inputs};
use crate::conversation::{ConversationId, Destinations, Wording};
use crate::dissect::{Depth, DissectOptions};
use crate::report::conversations::ConversationTable;
use crate::report::detail::{DetailPrinter, Details};
use crate::report::escape::Charset;
use crate::report::export::{Export, INDEX, is_vacant};
use crate::report::field::Field;
use crate::report::filter::Filter;
use crate::report::follow::{FollowFormat, FollowPrinter};
use crate::report::html::HtmlReport;
use crate::report::json::{JsonPrinter, Messages, NdjsonPrinter};
use crate::report::ladder::{LadderFormat, LadderPrinter, Wanted};
use crate::report::lines::{FieldPrinter, Separation, TextPrinter};
use crate::report::look::{Colour, IdFormat, Look, TimeStyle};
use crate::report::made_packets::MadePackets;
use crate::report::output::Output;
use crate::report::record::PayloadDetail;
use crate::report::redact::Redaction;
use crate::report::reporter::{Pace, Printer, Statistic};
use crate::report::selection::Picked;
use crate::report::spec::SpecPrinter;
use crate::report::statistics::{FindingTable, IoTable, TimingTable, TypeTable};
use crate::report::table::MessageTable;

/// What a dump does.
#[derive(Debug)]
pub(crate) struct DumpOptions {
    pub(crate) input: Input,
    /// In which order the packets of several files come.
    pub(crate) order: InputOrder,
    pub(crate) limits: Limits,
    pub(crate) filter: Option<Filter>,
    pub(crate) picked: Picked,
    /// The conversations that the user named, to be shown or followed.
    pub(crate) named: BTreeSet<ConversationId>,
    pub(crate) conversations: WholeConversations,
    pub(crate) dissect: DissectOptions,
    /// Threads that may work at once.
    pub(crate) jobs: NonZeroUsize,
    pub(crate) output: OutputOptions,
    /// What every output hides.
    pub(crate) redaction: Option<Redaction>,
    pub(crate) pace: Pace,
    pub(crate) fail_on: Option<FailOn>,
    pub(crate) incomplete: IncompleteInput,
    pub(crate) progress: ProgressWhen,
    pub(crate) screen: Screen,
    pub(crate) paging: Paging,
    pub(crate) verbosity: u8,
}

/// Where packets come from.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// Files, one after the other; `-` is standard input.
    Files(Vec<PathBuf>),
    /// An interface.
    Live(LiveInput),
}

/// When to stop before the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Messages shown.
    pub(crate) messages: Option<u64>,
    /// Capture time since the first packet.
    pub(crate) duration: Option<Duration>,
    /// Captured bytes of packets.
    pub(crate) bytes: Option<u64>,
}

/// What a filter selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WholeConversations {
    /// Messages.
    No,
    /// All messages of conversations in which one matches; takes two passes.
    Yes,
}

/// What incomplete input does to the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IncompleteInput {
    /// It makes the exit code 3.
    Matters,
    /// It does not (`--lenient`).
    IsFine,
}

/// What is printed, and how.
#[derive(Debug)]
pub(crate) struct OutputOptions {
    pub(crate) look: Look,
    shown: Shown,
    statistics: Vec<StatisticName>,
    html: Option<PathBuf>,
    export: Option<ExportTarget>,
    data_set: Option<DataSetTarget>,
    packets: Option<PathBuf>,
    /// How much of payloads the report and a data set show.
    report_payload: PayloadDetail,
}

/// Where streams are exported to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ExportTarget {
    directory: PathBuf,
    occupied: Occupied,
}

/// What is done about a directory that is not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occupied {
    IsRefused,
    /// Files of the same names are replaced (`--force`).
    IsFine,
}

/// How messages are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shown {
    Nothing,
    Table,
    Text,
    Details(Details),
    Spec,
    Fields(Vec<Field>, Separation),
    Ndjson(Messages),
    Json(Messages),
    Ladder(LadderFormat),
}

impl Shown {
    const fn is_json(&self) -> bool {
        matches!(self, Self::Ndjson(_) | Self::Json(_))
    }
}

impl DumpOptions {
    /// Checks the arguments and fills in what they leave open.
    pub(crate) fn resolve(mut args: DumpArgs) -> Result<Self, DumpError> {
        find_captures(&mut args)?;
        let filter = args.filter.as_deref().map(Filter::parse).transpose()?;
        let format = format(&args)?;
        check_statistics(&args, format)?;
        let input = input(&args)?;
        if filter.as_ref().is_some_and(Filter::tests_conversations) {
            check_passes(
                "a filter on whole conversations reads its input twice, which only files allow",
                &input,
            )?;
        }
        let conversations = if args.whole_conv {
            check_passes(
                "--whole-conv reads its input twice, which only files allow",
                &input,
            )?;
            WholeConversations::Yes
        } else {
            WholeConversations::No
        };
        check_outputs(&args, format, &input)?;
        let limits = limits(&args);
        let output = OutputOptions::resolve(&args, format)?;
        let depth = depth(&args, &output);
        let wording = wording(&args, &output);
        let memory = memory_bytes(args.memory);
        let jobs = args
            .jobs
            .or_else(|| thread::available_parallelism().ok())
            .unwrap_or(NonZeroUsize::MIN);
        let redaction = redaction::redaction(&args)?;
        // The index of an export names destinations, and so do columns.
        let has_records = output.export.is_some() || output.data_set.is_some();
        let destinations = match (&redaction, &output.shown) {
            (Some(redaction), _) => redaction.destinations(),
            (None, Shown::Nothing | Shown::Ladder(_)) if !has_records => Destinations::Skip,
            (None, _) => Destinations::Hash,
        };
        let pace = pace(&args, &input);
        let paging = paging(&args, &input);
        let named = named(&args);
        let screen = match output.shown {
            Shown::Nothing => Screen::Free,
            _ if io::stdout().is_terminal() => Screen::Busy,
            _ => Screen::Free,
        };
        Ok(Self {
            input,
            limits,
            filter,
            picked: args
                .conv
                .map_or(Picked::All, |names| Picked::Named(names.0)),
            named,
            conversations,
            order: match args.concat {
                true => InputOrder::AsNamed,
                false => InputOrder::ByTime,
            },
            dissect: DissectOptions {
                depth,
                destinations,
                wording,
                decode_as: args.decode_as,
                secrets: args.keylog.as_deref().map(secrets::read).transpose()?,
                ..DissectOptions::default()
            }
            .with_memory(memory),
            jobs,
            output,
            redaction,
            pace,
            fail_on: args.fail_on,
            incomplete: if args.lenient {
                IncompleteInput::IsFine
            } else {
                IncompleteInput::Matters
            },
            progress: args.progress,
            screen,
            paging,
            verbosity: args.verbose,
        })
    }
}

fn format(args: &DumpArgs) -> Result<Format, DumpError> {
    let format = match (args.format, args.json) {
        (Some(format), _) => format,
        (None, true) => Format::Json,
        (None, false) => Format::Table,
    };
    // A tree or a dump of bytes takes the place of a table's row.
    let format = match format {
        Format::Table if args.details || args.hex => Format::Text,
        format => format,
    };
    if (args.details || args.hex) && format != Format::Text {
        return Err(DumpError::Usage(
            "-V and -x write text, which is no part of the other formats",
            "omit -T, or use -T text; -T ndjson has every field and byte too",
        ));
    }
    match format {
        Format::Fields if args.fields.is_empty() => Err(DumpError::Usage(
            "-T fields needs fields",
            "name them with -e, as in -e n -e type -e id; --list-fields tells which there are",
        )),
        Format::Fields | Format::Csv => Ok(format),
        _ if !args.fields.is_empty() => Err(DumpError::Usage(
            "-e names fields for -T fields or -T csv",
            "add -T fields or -T csv",
        )),
        _ => Ok(format),
    }
}

fn check_statistics(args: &DumpArgs, format: Format) -> Result<(), DumpError> {
    let is_for_people = matches!(format, Format::Table | Format::Text);
    if !args.statistics.is_empty() && !is_for_people {
        return Err(DumpError::Usage(
            "-z prints tables for people, which other formats than table and text cannot hold",
            "run it a second time for -z, or omit -T",
        ));
    }
    if args.quiet && matches!(format, Format::Spec | Format::Csv | Format::Fields) {
        return Err(DumpError::Usage(
            "-q leaves nothing of this format",
            "omit -q or -T",
        ));
    }
    let is_raw = |name: &StatisticName| matches!(name, StatisticName::Follow(_, FollowFormat::Raw));
    if args.statistics.iter().any(is_raw) && io::stdout().is_terminal() {
        return Err(DumpError::Usage(
            "follow,…,raw writes bytes as they are, which a terminal would obey",
            "redirect it to a file or a pipe, or use text or hex",
        ));
    }
    Ok(())
}

/// Puts the captures in the place of the directories and patterns that name them.
fn find_captures(args: &mut DumpArgs) -> Result<(), DumpError> {
    let names = [&args.read[..], &args.files[..]].concat();
    let set = CaptureSet::find(&names)?;
    for left_out in set.left_out {
        print_warning(left_out);
    }
    args.read.clear();
    args.files = set.files;
    Ok(())
}

fn input(args: &DumpArgs) -> Result<Input, DumpError> {
    let files: Vec<PathBuf> = args.read.iter().chain(&args.files).cloned().collect();
    let sets_up_capture = args.capture_filter.is_some()
        || args.snap_length.is_some()
        || args.not_promiscuous
        || args.buffer.is_some();
    match &args.interface {
        None if sets_up_capture => Err(DumpError::Usage(
            "-f, -s, -p and -B say how to capture, but there is no -i",
            "add -i with an interface (-D lists them); of files, -Y selects messages",
        )),
        Some(_) if !files.is_empty() => Err(DumpError::Usage(
            "-i and files exclude each other",
            "omit one of them",
        )),
        Some(interface) => live::input(interface, args).map(Input::Live),
        None if files.is_empty() => Err(DumpError::Usage(
            "nothing to read",
            "name a capture, - for standard input, or an interface with -i; -h shows examples",
        )),
        None => Ok(Input::Files(files)),
    }
}

/// What is selected by later messages is learnt in a first pass.
fn check_passes(reason: &'static str, input: &Input) -> Result<(), DumpError> {
    let can_be_read_twice = match input {
        // A file that is not there is reported when it is opened.
        Input::Files(files) => files
            .iter()
            .all(|file| file.is_file() || !is_standard(file) && !file.exists()),
        Input::Live(_) => false,
    };
    if can_be_read_twice {
        return Ok(());
    }
    Err(DumpError::Usage(
        reason,
        "write the capture to a file first",
    ))
}

/// Whether the outputs that were asked for can be written side by side, and without losing
/// what is read.
fn check_outputs(args: &DumpArgs, format: Format, input: &Input) -> Result<(), DumpError> {
    // `-w` learns which packets of files are needed before it writes the first.
    if let (Some(_), Input::Files(_)) = (&args.write, input) {
        check_passes(
            "-w reads its input more than once, which only files allow",
            input,
        )?;
    }
    check_standard_output(args, format)?;
    check_files(args, input)
}

fn check_standard_output(args: &DumpArgs, format: Format) -> Result<(), DumpError> {
    let fills = |path: &Option<PathBuf>| path.as_deref().is_some_and(is_standard);
    let (packets, html) = (fills(&args.write), fills(&args.html));
    let prints = format != Format::Table || args.ladder.is_some() || !args.statistics.is_empty();
    if packets && (prints || html) {
        return Err(DumpError::Usage(
            "-w - fills standard output, and another output was asked for",
            "write packets to a file, or omit -T, -z, --ladder and --html -",
        ));
    }
    if html && prints {
        return Err(DumpError::Usage(
            "--html - fills standard output, and another output was asked for",
            "write the report to a file, or omit -T, -z and --ladder",
        ));
    }
    if packets && io::stdout().is_terminal() {
        return Err(DumpError::Usage(
            "-w - writes packets as bytes, which no terminal shows",
            "redirect it to a file or a pipe",
        ));
    }
    Ok(())
}

/// No output may be an input, or another output.
fn check_files(args: &DumpArgs, input: &Input) -> Result<(), DumpError> {
    let is_read = |output: &PathBuf| match input {
        Input::Files(files) => files.iter().any(|file| is_same_file(file, output)),
        Input::Live(_) => false,
    };
    if args.write.as_ref().is_some_and(is_read) {
        return Err(DumpError::Usage(
            "-w names a file that is read",
            "name another file; the one that is read would be lost",
        ));
    }
    if args.html.as_ref().is_some_and(is_read) {
        return Err(DumpError::Usage(
            "--html names a file that is read",
            "name another file; the one that is read would be lost",
        ));
    }
    match (&args.write, &args.html) {
        (Some(packets), Some(html)) if is_same_file(packets, html) => Err(DumpError::Usage(
            "-w and --html name the same file",
            "name two files; one would be written over the other",
        )),
        _ => Ok(()),
    }
}

/// Whether two paths lead to one file, by whatever names and links, that can be lost. The
/// file need not be there yet.
fn is_same_file(one: &Path, other: &Path) -> bool {
    if is_standard(one) || is_standard(other) {
        return false;
    }
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one_is), Ok(other_is)) => {
            one_is.is_file() && (is_same_inode(&one_is, &other_is) || is_same_path(one, other))
        }
        (Err(_), Err(_)) => is_same_path(one, other),
        _ => false,
    }
}

#[cfg(unix)]
fn is_same_inode(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;

    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Only paths are compared.
#[cfg(not(unix))]
fn is_same_inode(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    false
}

fn is_same_path(one: &Path, other: &Path) -> bool {
    let whole = |path: &Path| fs::canonicalize(path).or_else(|_| std::path::absolute(path));
    matches!((whole(one), whole(other)), (Ok(one), Ok(other)) if one == other)
}

fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn named(args: &DumpArgs) -> BTreeSet<ConversationId> {
    let followed = args.statistics.iter().filter_map(|name| match name {
        StatisticName::Follow(id, _) | StatisticName::Ladder(Wanted::One(id), _) => Some(*id),
        _ => None,
    });
    let picked = args.conv.iter().flat_map(|names| names.0.iter().copied());
    picked.chain(followed).collect()
}

fn limits(args: &DumpArgs) -> Limits {
    let mut limits = Limits {
        messages: args.count,
        ..Limits::default()
    };
    let least = |old: Option<u64>, new: u64| Some(old.map_or(new, |old| old.min(new)));
    for stop in &args.stop {
        match *stop {
            Stop::Messages(messages) => limits.messages = least(limits.messages, messages),
            Stop::Bytes(bytes) => limits.bytes = least(limits.bytes, bytes),
            Stop::Duration(duration) => {
                limits.duration = Some(limits.duration.map_or(duration, |old| old.min(duration)));
            }
        }
    }
    limits
}

/// Counting messages by type or time needs no conversations.
fn depth(args: &DumpArgs, output: &OutputOptions) -> Depth {
    let counts_only = output.shown == Shown::Nothing
        && output.html.is_none()
        && output.export.is_none()
        && output.data_set.is_none()
        && output.packets.is_none()
        && !output.statistics.is_empty()
        && output
            .statistics
            .iter()
            .all(|name| matches!(name, StatisticName::Types));
    let asks_more = args.filter.is_some()
        || args.conv.is_some()
        || args.fail_on.is_some_and(|fail_on| fail_on != FailOn::Empty);
    if counts_only && !asks_more {
        Depth::Messages
    } else {
        Depth::Conversations
    }
}

/// Findings that are only counted need no words.
fn wording(args: &DumpArgs, output: &OutputOptions) -> Wording {
    let is_only_counted = output.shown == Shown::Nothing
        && output.html.is_none()
        && output.export.is_none()
        && output.data_set.is_none()
        && output.packets.is_none()
        && args.filter.is_none()
        && output.statistics.iter().all(|name| {
            matches!(
                name,
                StatisticName::Types | StatisticName::Conversations | StatisticName::Timing
            )
        });
    if is_only_counted {
        Wording::Omitted
    } else {
        Wording::Full
    }
}

/// Memory for what is kept of flows and conversations, in bytes: what was asked for, or a
/// quarter of the machine's, at least 256 MiB.
fn memory_bytes(asked: Option<u64>) -> usize {
    const LEAST: u64 = 256 << 20;
    let bytes = asked.unwrap_or_else(|| (machine_bytes().unwrap_or(0) / 4).max(LEAST));
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Memory of this machine, where the system tells: Linux does in `/proc/meminfo`.
fn machine_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Live captures show each message at once, and so does a capture that comes
/// through a pipe while someone watches, or with `-l`.
fn pace(args: &DumpArgs, input: &Input) -> Pace {
    let is_watched_pipe = |files: &[PathBuf]| {
        files.iter().any(|file| file.as_os_str() == "-")
            && !io::stdin().is_terminal()
            && io::stdout().is_terminal()
    };
    match input {
        Input::Live(_) => Pace::AtOnce,
        Input::Files(_) if args.line_buffered => Pace::AtOnce,
        Input::Files(files) if is_watched_pipe(files) => Pace::AtOnce,
        Input::Files(_) => Pace::Blocks,
    }
}

/// Whether a pager has its place: for files on a terminal, where nobody waits for rows,
/// and Ctrl-C means nothing else.
fn paging(args: &DumpArgs, input: &Input) -> Paging {
    let Input::Files(files) = input else {
        return Paging::Never;
    };
    let has_its_place = Inputs::are_files(files)
        && io::stdout().is_terminal()
        && !args.line_buffered
        && args.parquet.is_none();
    match has_its_place && !args.no_pager {
        true => Paging::WhenLong,
        false => Paging::Never,
    }
}

impl OutputOptions {
    fn resolve(args: &DumpArgs, format: Format) -> Result<Self, DumpError> {
        let tells_messages = args
            .statistics
            .iter()
            .any(|name| matches!(name, StatisticName::Follow(..) | StatisticName::Ladder(..)));
        let writes_files = args.html.is_some()
            || args.export.is_some()
            || args.parquet.is_some()
            || args.write.is_some();
        let has_files_instead = writes_files && args.format.is_none();
        let messages = if args.quiet {
            Messages::Hidden
        } else {
            Messages::Shown
        };
        let shown = match format {
            Format::Json => Shown::Json(messages),
            Format::Ndjson => Shown::Ndjson(messages),
            // A conversation is written as it comes, where rows would be in its way.
            _ if args.quiet || tells_messages => Shown::Nothing,
            Format::Table if args.ladder == Some(Ladder::Text) => Shown::Ladder(LadderFormat::Text),
            Format::Table if args.ladder == Some(Ladder::Mermaid) => {
                Shown::Ladder(LadderFormat::Mermaid)
            }
            Format::Table if has_files_instead => Shown::Nothing,
            Format::Table => Shown::Table,
            Format::Text => match (args.details, args.hex) {
                (true, true) => Shown::Details(Details::TreeAndHex),
                (true, false) => Shown::Details(Details::Tree),
                (false, true) => Shown::Details(Details::Hex),
                (false, false) => Shown::Text,
            },
            Format::Spec => Shown::Spec,
            Format::Csv if args.fields.is_empty() => {
                Shown::Fields(FieldPrinter::default_fields(), Separation::Commas)
            }
            Format::Csv => Shown::Fields(args.fields.clone(), Separation::Commas),
            Format::Fields => Shown::Fields(args.fields.clone(), Separation::Tabs),
        };
        let mut statistics = args.statistics.clone();
        if shown == Shown::Table && statistics.is_empty() {
            statistics = vec![StatisticName::Conversations, StatisticName::Findings];
        }
        let occupied = if args.force {
            Occupied::IsFine
        } else {
            Occupied::IsRefused
        };
        Ok(Self {
            look: look(args, &shown),
            shown,
            statistics,
            html: args.html.clone(),
            packets: args.write.clone(),
            export: args.export.clone().map(|directory| ExportTarget {
                directory,
                occupied,
            }),
            data_set: parquet::target(args, occupied)?,
            report_payload: args.payload.map_or(PayloadDetail::Full, payload_detail),
        })
    }

    /// What writes the messages.
    pub(crate) fn printer(&self) -> Printer {
        let look = self.look;
        match &self.shown {
            Shown::Nothing => Printer::Nothing,
            Shown::Table => Printer::Table(Box::new(MessageTable::new(look))),
            Shown::Text => Printer::Text(TextPrinter::new(look)),
            Shown::Details(details) => Printer::Details(DetailPrinter::new(*details, look)),
            Shown::Spec => Printer::Spec(SpecPrinter::default()),
            Shown::Fields(fields, separation) => {
                let fields = fields.clone();
                Printer::Fields(FieldPrinter::new(fields, *separation, look.payload))
            }
            Shown::Ndjson(messages) => {
                Printer::Ndjson(Box::new(NdjsonPrinter::new(look.payload, *messages)))
            }
            Shown::Json(messages) => {
                Printer::Json(Box::new(JsonPrinter::new(look.payload, *messages)))
            }
            Shown::Ladder(format) => {
                Printer::Ladder(Box::new(LadderPrinter::new(Wanted::All, *format, look)))
            }
        }
    }

    /// Whether messages are written, and not only tables.
    pub(crate) const fn writes_messages(&self) -> bool {
        !matches!(self.shown, Shown::Nothing) || self.data_set.is_some()
    }

    /// Whether what is written is of no use without its end, which Ctrl-C must not take.
    pub(crate) const fn is_given_an_end(&self) -> bool {
        self.data_set.is_some()
    }

    /// The tables below them.
    pub(crate) fn statistics(&self, workers: NonZeroUsize) -> Vec<Statistic> {
        let look = self.look;
        self.statistics
            .iter()
            .map(|name| match *name {
                StatisticName::Conversations => {
                    let table = ConversationTable::new(look).with_workers(workers);
                    Statistic::Conversations(Box::new(table))
                }
                StatisticName::Types => Statistic::Types(TypeTable::default()),
                StatisticName::Timing => Statistic::Timing(Box::<TimingTable>::default()),
                StatisticName::Findings => Statistic::Findings(FindingTable::default()),
                StatisticName::Io(interval) => {
                    let micros = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
                    Statistic::Io(IoTable::new(micros))
                }
                StatisticName::Follow(id, format) => {
                    Statistic::Follow(Box::new(FollowPrinter::new(id, format, look)))
                }
                StatisticName::Ladder(wanted, format) => {
                    Statistic::Ladder(Box::new(LadderPrinter::new(wanted, format, look)))
                }
            })
            .collect()
    }

    /// What writes the report, if one was asked for; its file is there from now on.
    pub(crate) fn html_report(&self) -> Result<Option<Statistic>, DumpError> {
        let Some(path) = &self.html else {
            return Ok(None);
        };
        let output = open_output(path)?;
        let look = Look {
            charset: Charset::Unicode,
            colour: Colour::Never,
            payload: self.report_payload,
            ..self.look
        };
        let report = HtmlReport::new(output, look);
        Ok(Some(Statistic::Html(Box::new(report))))
    }

    /// What exports streams, if that was asked for; its directory is there from now on.
    pub(crate) fn stream_export(&self) -> Result<Option<Statistic>, DumpError> {
        let Some(target) = &self.export else {
            return Ok(None);
        };
        let path = &target.directory;
        let failed = |error| DumpError::Export {
            path: path.clone(),
            error,
        };
        if target.occupied == Occupied::IsRefused && !is_vacant(path).map_err(failed)? {
            return Err(DumpError::ExportNotEmpty { path: path.clone() });
        }
        fs::create_dir_all(path).map_err(failed)?;
        let export = Export::new(path.clone(), self.look.redacted).map_err(failed)?;
        Ok(Some(Statistic::Export(Box::new(export))))
    }

    /// What writes a data set, if that was asked for; its directories are there from now on.
    pub(crate) fn data_set(&self) -> Result<Option<Statistic>, DumpError> {
        let open = |target: &DataSetTarget| target.open(self.report_payload, self.look.redacted);
        self.data_set.as_ref().map(open).transpose()
    }

    /// What notes the packets to write, if they are to be written; if they are to be
    /// redacted, what makes them anew.
    pub(crate) fn packet_writer(&self) -> Result<Option<Statistic>, DumpError> {
        let redacted = self.look.redacted;
        if !redacted.any() {
            let plan = || Statistic::Packets(Box::default());
            return Ok(self.packets.is_some().then(plan));
        }
        let Some(output) = self.packet_file()? else {
            return Ok(None);
        };
        let packets = MadePackets::new(output, redacted)?;
        Ok(Some(Statistic::MadePackets(Box::new(packets))))
    }

    /// Where packets are written to as they were captured, if they are; there is no such
    /// place when anything is to be redacted.
    pub(crate) fn packet_output(&self) -> Result<Option<Output>, DumpError> {
        if self.look.redacted.any() {
            return Ok(None);
        }
        self.packet_file()
    }

    fn packet_file(&self) -> Result<Option<Output>, DumpError> {
        self.packets.as_deref().map(open_output).transpose()
    }

    /// Whether packets are written as they were captured.
    pub(crate) const fn writes_captured_packets(&self) -> bool {
        self.packets.is_some() && !self.look.redacted.any()
    }

    /// The file that packets are written to, if they are.
    pub(crate) fn packet_path(&self) -> Option<&Path> {
        self.packets.as_deref()
    }

    /// The files to look at, of those that were asked for beside the output.
    pub(crate) fn written_files(&self) -> impl Iterator<Item = PathBuf> {
        let index = |target: &ExportTarget| target.directory.join(INDEX);
        let export = self.export.as_ref().map(index);
        let data_set = self.data_set.as_ref().map(DataSetTarget::files);
        let files = [self.html.clone(), export, data_set, self.packets.clone()];
        files
            .into_iter()
            .flatten()
            .filter(|path| !is_standard(path))
    }

    /// Whether the table of findings is shown.
    pub(crate) fn shows_findings(&self) -> bool {
        self.statistics.contains(&StatisticName::Findings)
    }

    /// Whether the table of messages is shown, below which a hint has its place.
    pub(crate) fn is_table(&self) -> bool {
        self.shown == Shown::Table
    }
}

/// A file that is there from now on, or standard output.
fn open_output(path: &Path) -> Result<Output, DumpError> {
    if is_standard(path) {
        return Ok(Output::standard());
    }
    Output::create(path).map_err(|error| DumpError::Create {
        path: path.to_owned(),
        error,
    })
}

fn look(args: &DumpArgs, shown: &Shown) -> Look {
    Look {
        charset: if args.ascii {
            Charset::Ascii
        } else {
            terminal::charset()
        },
        colour: terminal::colour(args.color, &io::stdout()),
        width: terminal::width(),
        ids: match args.id_format {
            Ids::Hex => IdFormat::Hex,
            Ids::B64 => IdFormat::Base64,
            Ids::Both => IdFormat::Both,
        },
        times: match args.times {
            Times::Relative => TimeStyle::Relative,
            Times::Delta => TimeStyle::Delta,
            Times::Local => TimeStyle::Local(terminal::local_offset),
            Times::Utc => TimeStyle::Utc,
            Times::Epoch => TimeStyle::Epoch,
        },
        payload: match args.payload {
            Some(payload) => payload_detail(payload),
            None if shown.is_json() || matches!(shown, Shown::Fields(..)) => PayloadDetail::Full,
            None => PayloadDetail::Preview,
        },
        redacted: redaction::secrets(args),
    }
}

const fn payload_detail(payload: Payload) -> PayloadDetail {
    match payload {
        Payload::None => PayloadDetail::None,
        Payload::Preview => PayloadDetail::Preview,
        Payload::Full => PayloadDetail::Full,
    }
}
