//! The outputs of a dump, and their looks.

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use super::args::{DumpArgs, FailOn, Format, Ids, Ladder, Payload, Times};
use super::error::DumpError;
use super::parquet::{self, DataSetTarget};
use super::targets::{ExportTarget, Occupied, is_standard, open_output};
use super::values::{Needs, StatisticName};
use super::{redaction, terminal};
use crate::conversation::{Destinations, Wording};
use crate::dissect::Depth;
use crate::export::output::OutputWriter;
use crate::export::packets::PacketPlan;
use crate::export::synthetic_packets::SyntheticPackets;
use crate::field::{Field, PayloadDetail};
use crate::record::printer::Printer;
use crate::report::conversations::ConversationTable;
use crate::report::detail::{DetailPrinter, Details};
use crate::report::follow::FollowPrinter;
use crate::report::html::HtmlReport;
use crate::report::json::{JsonPrinter, Messages, NdjsonPrinter};
use crate::report::ladder::{DrawnConversations, LadderFormat, LadderPrinter};
use crate::report::lines::{FieldPrinter, Separation, TextPrinter};
use crate::report::spec::SpecPrinter;
use crate::report::statistics::{FindingTable, IoTable, TimingTable, TypeTable};
use crate::report::style::{Colouring, IdFormat, PREVIEW_COLUMNS, Style, TimeStyle};
use crate::report::table::TablePrinter;
use crate::select::redact::Secrets;
use crate::text::escape::Charset;
use crate::units::whole_micros;

/// The output, and its form.
#[derive(Debug)]
pub(crate) struct OutputOptions {
    pub(crate) style: Style,
    shown: Shown,
    statistics: Vec<StatisticName>,
    html: Option<PathBuf>,
    export: Option<ExportTarget>,
    data_set: Option<DataSetTarget>,
    packets: Option<PathBuf>,
    /// The part of payloads in the report and in a data set.
    report_payload: PayloadDetail,
}

/// The form of messages.
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

impl OutputOptions {
    /// Fills in the defaults of the arguments.
    pub(super) fn resolve(args: &DumpArgs, format: Format) -> Result<Self, DumpError> {
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
            _ if args.quiet || most_needed(&args.statistics) == Some(Needs::PlaceOfMessages) => {
                Shown::Nothing
            }
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
            style: style(args, &shown),
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

    /// Counting messages by type or time needs no conversations.
    pub(super) fn depth(&self, args: &DumpArgs) -> Depth {
        let counts_only =
            self.shows_only_statistics() && most_needed(&self.statistics) == Some(Needs::Messages);
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
    pub(super) fn wording(&self, args: &DumpArgs) -> Wording {
        let is_only_counted = self.shows_only_statistics()
            && args.filter.is_none()
            && most_needed(&self.statistics) <= Some(Needs::Conversations);
        if is_only_counted {
            Wording::Omitted
        } else {
            Wording::Full
        }
    }

    /// Whether nothing but statistics is made, if anything.
    const fn shows_only_statistics(&self) -> bool {
        matches!(self.shown, Shown::Nothing)
            && self.html.is_none()
            && self.export.is_none()
            && self.data_set.is_none()
            && self.packets.is_none()
    }

    /// The facts needed about destinations.
    pub(super) fn destinations(&self) -> Destinations {
        // The index of an export names destinations, and so do columns.
        let has_records = self.export.is_some() || self.data_set.is_some();
        match self.shown {
            Shown::Nothing | Shown::Ladder(_) if !has_records => Destinations::Skip,
            _ => Destinations::Hash,
        }
    }

    /// The printer of messages, if they are shown. `decode_flag` is the one that takes a rule.
    pub(crate) fn message_printer(&self, decode_flag: &'static str) -> Option<Box<dyn Printer>> {
        let style = self.style;
        Some(match &self.shown {
            Shown::Nothing => return None,
            Shown::Table => Box::new(TablePrinter::new(style).with_decode_flag(decode_flag)),
            Shown::Text => Box::new(TextPrinter::new(style)),
            Shown::Details(details) => Box::new(DetailPrinter::new(*details, style)),
            Shown::Spec => Box::new(SpecPrinter::default()),
            Shown::Fields(fields, separation) => Box::new(FieldPrinter::new(
                fields.clone(),
                *separation,
                style.payload,
            )),
            Shown::Ndjson(messages) => Box::new(NdjsonPrinter::new(style.payload, *messages)),
            Shown::Json(messages) => Box::new(JsonPrinter::new(style.payload, *messages)),
            Shown::Ladder(format) => {
                Box::new(LadderPrinter::new(DrawnConversations::All, *format, style))
            }
        })
    }

    /// Whether messages are shown, and not only tables.
    pub(super) const fn shows_messages(&self) -> bool {
        !matches!(self.shown, Shown::Nothing)
    }

    /// Whether messages are written, shown or not.
    pub(crate) const fn writes_messages(&self) -> bool {
        self.shows_messages() || self.data_set.is_some()
    }

    /// Whether the output is of no use without its end, which Ctrl-C must not take.
    pub(crate) const fn is_given_an_end(&self) -> bool {
        self.data_set.is_some()
    }

    /// The tables below them.
    pub(crate) fn statistics(&self, workers: NonZeroUsize) -> Vec<Box<dyn Printer>> {
        let style = self.style;
        self.statistics
            .iter()
            .map(|name| -> Box<dyn Printer> {
                match *name {
                    StatisticName::Conversations => {
                        Box::new(ConversationTable::new(style).with_workers(workers))
                    }
                    StatisticName::Types => Box::new(TypeTable::new(style)),
                    StatisticName::Timing => Box::new(TimingTable::new(style)),
                    StatisticName::Findings => Box::new(FindingTable::new(style)),
                    StatisticName::Io(interval) => {
                        Box::new(IoTable::new(whole_micros(interval), style))
                    }
                    StatisticName::Follow(id, format) => {
                        Box::new(FollowPrinter::new(id, format, style))
                    }
                    StatisticName::Ladder(wanted, format) => {
                        Box::new(LadderPrinter::new(wanted, format, style))
                    }
                }
            })
            .collect()
    }

    /// The printer of the report, if one was requested; its file is there from now on.
    pub(crate) fn html_report(&self) -> Result<Option<Box<dyn Printer>>, DumpError> {
        let Some(path) = &self.html else {
            return Ok(None);
        };
        let output = open_output(path)?;
        let style = Style {
            charset: Charset::Unicode,
            colour: Colouring::Never,
            payload: self.report_payload,
            // A page is the same wherever it is made.
            previews: PREVIEW_COLUMNS,
            ..self.style
        };
        let report = HtmlReport::new(output, style);
        Ok(Some(Box::new(report)))
    }

    /// The exporter of streams, if one was requested; its directory is there from now on.
    pub(crate) fn stream_export(&self) -> Result<Option<Box<dyn Printer>>, DumpError> {
        let open = |target: &ExportTarget| target.open(self.style.redacted);
        self.export.as_ref().map(open).transpose()
    }

    /// The writer of a data set, if one was requested; its directories are there from now on.
    /// `jobs` threads at most encode it.
    pub(crate) fn data_set(
        &self,
        jobs: NonZeroUsize,
    ) -> Result<Option<Box<dyn Printer>>, DumpError> {
        let open =
            |target: &DataSetTarget| target.open(self.report_payload, self.style.redacted, jobs);
        self.data_set.as_ref().map(open).transpose()
    }

    /// The printer that notes the packets to write, if they are to be written; if they are to be
    /// redacted, the one that makes them anew.
    pub(crate) fn packet_writer(&self) -> Result<Option<Box<dyn Printer>>, DumpError> {
        let redacted = self.style.redacted;
        if !redacted.any() {
            let plan = || -> Box<dyn Printer> { Box::<PacketPlan>::default() };
            return Ok(self.packets.is_some().then(plan));
        }
        let Some(output) = self.packet_file()? else {
            return Ok(None);
        };
        let packets = SyntheticPackets::new(output, redacted)?;
        Ok(Some(Box::new(packets)))
    }

    /// The output for packets as they were captured, if there is one; there is none when anything
    /// is to be redacted.
    pub(crate) fn packet_output(&self) -> Result<Option<OutputWriter>, DumpError> {
        if self.style.redacted.any() {
            return Ok(None);
        }
        self.packet_file()
    }

    fn packet_file(&self) -> Result<Option<OutputWriter>, DumpError> {
        self.packets.as_deref().map(open_output).transpose()
    }

    /// Whether packets are written as they were captured.
    pub(crate) const fn writes_captured_packets(&self) -> bool {
        self.packets.is_some() && !self.style.redacted.any()
    }

    /// The file that packets are written to, if they are.
    pub(crate) fn packet_path(&self) -> Option<&Path> {
        self.packets.as_deref()
    }

    /// The files to look at, of those that were asked for beside the output.
    pub(crate) fn written_files(&self) -> impl Iterator<Item = PathBuf> {
        let export = self.export.as_ref().map(ExportTarget::index);
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

/// The most that statistics need; `None` if there are none.
fn most_needed(statistics: &[StatisticName]) -> Option<Needs> {
    statistics.iter().map(|name| name.needs()).max()
}

/// The style that suits the terminal; all else as by default.
pub(crate) fn terminal_style(args: &DumpArgs) -> Style {
    Style {
        charset: if args.ascii {
            Charset::Ascii
        } else {
            terminal::charset()
        },
        colour: terminal::colour(args.color, &io::stdout()),
        width: terminal::width(),
        ids: IdFormat::Hex,
        times: TimeStyle::Relative,
        payload: PayloadDetail::Full,
        previews: PREVIEW_COLUMNS,
        redacted: Secrets::NONE,
    }
}

fn style(args: &DumpArgs, shown: &Shown) -> Style {
    Style {
        // Output for a program does not grow.
        previews: terminal::known_width().unwrap_or(PREVIEW_COLUMNS),
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
        ..terminal_style(args)
    }
}

const fn payload_detail(payload: Payload) -> PayloadDetail {
    match payload {
        Payload::None => PayloadDetail::None,
        Payload::Preview => PayloadDetail::Preview,
        Payload::Full => PayloadDetail::Full,
    }
}
