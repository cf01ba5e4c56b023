//! What must hold of every output, whatever was captured.

use std::collections::BTreeSet;
use std::io::{self, Cursor, Write};
use std::sync::{Arc, LazyLock, Mutex};

use ministream::capture::InputInfo;
use ministream::conversation::{ConversationId, FindingCode};
use ministream::dissect::{Collected, DissectCounts, DissectOptions, NearFlows};
use ministream::export::synthetic_packets::SyntheticPackets;
use ministream::field::PayloadDetail;
use ministream::net::Skip;
use ministream::record::printer::Printer;
use ministream::record::{Record, RecordReader, Summary, json_schema};
use ministream::report::Reporter;
use ministream::report::conversations::ConversationTable;
use ministream::report::detail::{DetailPrinter, Details};
use ministream::report::follow::{FollowFormat, FollowPrinter};
use ministream::report::html::HtmlReport;
use ministream::report::json::{JsonPrinter, Messages, NdjsonPrinter};
use ministream::report::ladder::{DrawnConversations, LadderFormat, LadderPrinter};
use ministream::report::lines::{FieldPrinter, Separation, TextPrinter};
use ministream::report::reporter::Buffering;
use ministream::report::spec::SpecPrinter;
use ministream::report::statistics::{FindingTable, TimingTable, TypeTable};
use ministream::report::style::{Colouring, IdFormat, Style, TimeStyle};
use ministream::report::table::TablePrinter;
use ministream::select::redact::{Redaction, Secrets};
use ministream::select::{Picked, Selection};
use ministream::text::escape::Charset;
use ministream::wire::Pseudonyms;
use serde_json::Value;

use crate::capture_file::dissect;
use crate::schema::Schema;
use crate::written_files;

/// Dissects `file` with these options into the output that `choice` names, twice, and looks at
/// what came out.
///
/// Both times the same comes out. JSON is JSON and as its schema has it, and read back gives as
/// many messages, conversations and findings. Text for people has no control characters but the
/// end of a line, and with the ASCII set no other characters either. A page has no element that
/// pages of harmless captures do not have, nor has a drawing. Packets that were made anew are a
/// whole capture. [Files](written_files) are what the others say.
pub fn check(choice: u8, file: &[u8], options: &DissectOptions) {
    let Some(written) = write(choice, file, options, None) else {
        return;
    };
    let again = write(choice, file, options, None).expect("what was a capture is one");
    assert!(written == again, "another output the second time");
    match choice % OUTPUTS {
        0 => check_ndjson(&written, file, options),
        1 => check_json(&written),
        2 | SVG => check_page(&written),
        PACKETS => check_packets(&written),
        // Looked at where they are written.
        CAPTURED_PACKETS | STREAMS | DATA_SET => {}
        // RFC 4180 ends lines with CR LF.
        CSV => check_text(&without(&written, b'\r'), is_ascii(CSV)),
        // The tabs of a payload stay where its lines are shown.
        chosen @ (7 | 8 | 14) => check_text(&without(&written, b'\t'), is_ascii(chosen)),
        chosen => check_text(&written, is_ascii(chosen)),
    }
}

/// How many outputs `choice` chooses among.
pub const OUTPUTS: u8 = 21;

/// The one that is CSV.
const CSV: u8 = 10;

/// The one that is a drawing.
const SVG: u8 = 16;

/// The one that is packets, made anew.
pub const PACKETS: u8 = 17;

/// The one that is packets as they were captured.
const CAPTURED_PACKETS: u8 = 18;

/// The one that is the streams of conversations.
const STREAMS: u8 = 19;

/// The one that is a data set of Parquet files.
const DATA_SET: u8 = 20;

const fn is_ascii(chosen: u8) -> bool {
    chosen % 2 == 1
}

/// How the output that was chosen looks.
pub fn style(chosen: u8) -> Style {
    Style {
        charset: if is_ascii(chosen) {
            Charset::Ascii
        } else {
            Charset::Unicode
        },
        colour: Colouring::Never,
        width: 80,
        ids: IdFormat::Both,
        times: TimeStyle::Utc,
        payload: PayloadDetail::Full,
        previews: 80,
        redacted: Secrets::NONE,
    }
}

/// The output that `choice` names, without these secrets; `None` when the file is no capture.
/// Packets as they were captured cannot be without: nothing is written then.
pub fn redacted(
    choice: u8,
    file: &[u8],
    options: &DissectOptions,
    secrets: Secrets,
) -> Option<Vec<u8>> {
    let redaction = Redaction::new(secrets, Pseudonyms::new([7; 32]));
    let mut options = options.clone();
    options.destinations = redaction.destinations();
    write(choice, file, &options, Some(redaction))
}

/// What the output is; `None` when the file is no capture.
fn write(
    choice: u8,
    file: &[u8],
    options: &DissectOptions,
    redaction: Option<Redaction>,
) -> Option<Vec<u8>> {
    let chosen = choice % OUTPUTS;
    let style = style(chosen);
    let mut others: Vec<Box<dyn Printer>> = Vec::new();
    let printer: Box<dyn Printer> = match chosen {
        0 => Box::new(NdjsonPrinter::new(PayloadDetail::Full, Messages::Shown)),
        1 => Box::new(JsonPrinter::new(PayloadDetail::Full, Messages::Shown)),
        2 => return write_page(file, options, redaction),
        PACKETS => return write_packets(file, options, redaction),
        CAPTURED_PACKETS => {
            return match redaction {
                None => written_files::captured_packets(file, options),
                Some(_) => Some(Vec::new()),
            };
        }
        STREAMS => return written_files::streams(file, options, redaction),
        DATA_SET => return written_files::data_set(file, options, redaction),
        14 | 15 => {
            let format = if chosen == 14 {
                FollowFormat::Text
            } else {
                FollowFormat::Hex
            };
            let follow = |number| -> Box<dyn Printer> {
                Box::new(FollowPrinter::new(ConversationId(number), format, style))
            };
            others.extend((1..=4).map(follow));
            return written(file, options, style, redaction, None, others);
        }
        SVG => Box::new(LadderPrinter::new(
            DrawnConversations::All,
            LadderFormat::Svg,
            style,
        )),
        3 | 4 => {
            others.push(Box::new(ConversationTable::new(style)));
            others.push(Box::new(TypeTable::new(style)));
            others.push(Box::new(TimingTable::new(style)));
            others.push(Box::new(FindingTable::new(style)));
            Box::new(TablePrinter::new(style))
        }
        5 | 6 => Box::new(TextPrinter::new(style)),
        7 | 8 => Box::new(DetailPrinter::new(Details::TreeAndHex, style)),
        9 => Box::new(SpecPrinter::default()),
        CSV => {
            let fields = FieldPrinter::default_fields();
            Box::new(FieldPrinter::new(
                fields,
                Separation::Commas,
                PayloadDetail::Full,
            ))
        }
        11 | 12 => Box::new(LadderPrinter::new(
            DrawnConversations::All,
            LadderFormat::Text,
            style,
        )),
        _ => Box::new(LadderPrinter::new(
            DrawnConversations::All,
            LadderFormat::Mermaid,
            style,
        )),
    };
    written(file, options, style, redaction, Some(printer), others)
}

/// What these printers make of the file.
fn written(
    file: &[u8],
    options: &DissectOptions,
    style: Style,
    redaction: Option<Redaction>,
    shown: Option<Box<dyn Printer>>,
    others: Vec<Box<dyn Printer>>,
) -> Option<Vec<u8>> {
    written_until(file, options, style, redaction, shown, others, |_| {})
}

/// Has these outputs take in the file, and shows the reporter when they are at their end; `None` when the file is no
/// capture.
pub fn report(
    file: &[u8],
    options: &DissectOptions,
    redaction: Option<Redaction>,
    others: Vec<Box<dyn Printer>>,
    at_end: impl FnOnce(&mut Reporter<&mut Vec<u8>>),
) -> Option<()> {
    let style = style(PACKETS);
    written_until(file, options, style, redaction, None, others, at_end).map(drop)
}

fn written_until(
    file: &[u8],
    options: &DissectOptions,
    style: Style,
    redaction: Option<Redaction>,
    shown: Option<Box<dyn Printer>>,
    others: Vec<Box<dyn Printer>>,
    at_end: impl FnOnce(&mut Reporter<&mut Vec<u8>>),
) -> Option<Vec<u8>> {
    let selection = Selection::new(None, Picked::All, None);
    let mut written = Vec::new();
    let mut reporter = Reporter::new(
        &mut written,
        Buffering::Blocks,
        style,
        selection,
        shown,
        others,
    )
    .redacted(redaction);
    let (inputs, counts) = dissect(file, options.clone(), &mut reporter)?;
    reporter
        .finish(&summary(
            &inputs,
            &counts,
            &skips(&counts),
            &NearFlows::default(),
        ))
        .expect("memory takes all");
    at_end(&mut reporter);
    drop(reporter);
    Some(written)
}

fn write_page(
    file: &[u8],
    options: &DissectOptions,
    redaction: Option<Redaction>,
) -> Option<Vec<u8>> {
    let page = Page::default();
    let style = Style {
        redacted: secrets_of(redaction.as_ref()),
        ..style(2)
    };
    let report: Box<dyn Printer> = Box::new(HtmlReport::new(page.clone(), style));
    written(file, options, style, redaction, None, vec![report])?;
    Some(page.bytes())
}

fn write_packets(
    file: &[u8],
    options: &DissectOptions,
    redaction: Option<Redaction>,
) -> Option<Vec<u8>> {
    let page = Page::default();
    let secrets = secrets_of(redaction.as_ref());
    let packets = SyntheticPackets::new(page.clone(), secrets).expect("memory takes all");
    let others: Vec<Box<dyn Printer>> = vec![Box::new(packets)];
    written(file, options, style(PACKETS), redaction, None, others)?;
    Some(page.bytes())
}

/// What a redaction hides.
pub fn secrets_of(redaction: Option<&Redaction>) -> Secrets {
    redaction.map_or(Secrets::NONE, Redaction::secrets)
}

/// A page that is not in a file.
#[derive(Clone, Debug, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn bytes(&self) -> Vec<u8> {
        let page = self.0.lock().expect("nobody panics while it is locked");
        page.clone()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut page = self.0.lock().expect("nobody panics while it is locked");
        page.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn skips(counts: &DissectCounts) -> Vec<(&'static str, u64)> {
    let count_of = |reason: Skip| (reason.name(), counts.network.skipped(reason));
    Skip::ALL.map(count_of).to_vec()
}

fn summary<'a>(
    inputs: &'a [InputInfo],
    counts: &DissectCounts,
    skipped: &'a [(&'static str, u64)],
    near: &'a NearFlows,
) -> Summary<'a> {
    Summary {
        inputs,
        packet_count: counts.network.packets,
        span: counts.start.zip(counts.end),
        skipped,
        foreign: counts.foreign,
        evicted: counts.evicted,
        near,
        warning: None,
        dropped_by_kernel: None,
        exit_code: 0,
    }
}

/// A line of NDJSON, or all of JSON.
fn check_json(written: &[u8]) {
    static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
        Schema::new(serde_json::from_str(&json_schema()).expect("a schema is JSON"))
    });
    let value: Value = serde_json::from_slice(written).expect("JSON");
    assert_eq!(SCHEMA.check(&value), Ok(()), "the schema and {value}");
}

fn check_ndjson(written: &[u8], file: &[u8], options: &DissectOptions) {
    for line in written.split_inclusive(|&byte| byte == b'\n') {
        check_json(line);
    }
    let mut reader = RecordReader::open(Cursor::new(written)).expect("a header");
    let (mut messages, mut conversations, mut findings) = (0, 0, 0);
    while let Some(record) = reader.next_record().expect("what we wrote can be read") {
        match record {
            Record::Message(_) => messages += 1,
            Record::Conversation(_) => conversations += 1,
            Record::Finding(_) => findings += 1,
            Record::Summary(_) => {}
        }
    }
    let mut seen = Collected::default();
    dissect(file, options.clone(), &mut seen).expect("what was a capture is one");
    assert_eq!(
        (messages, conversations, findings),
        (
            seen.message_count,
            seen.conversations.len(),
            seen.findings.len()
        ),
        "messages, conversations and findings that were read back, and those that there are"
    );
    let ids: BTreeSet<_> = seen.conversations.iter().map(|one| one.id).collect();
    assert_eq!(ids.len(), conversations, "each conversation has its number");
}

fn without(text: &[u8], left_out: u8) -> Vec<u8> {
    text.iter()
        .copied()
        .filter(|&byte| byte != left_out)
        .collect()
}

/// Text for people has no control characters but the end of a line, and in ASCII no others either.
pub fn check_text(written: &[u8], is_ascii: bool) {
    let text = std::str::from_utf8(written).expect("text is UTF-8");
    for (place, character) in text.char_indices() {
        let is_harmless = character == '\n' || !character.is_control();
        assert!(
            is_harmless,
            "control character {character:?} at {place} of the text"
        );
        assert!(
            !is_ascii || character.is_ascii(),
            "{character:?} at {place} of a text in ASCII"
        );
    }
}

/// Packets that were made are a whole capture.
fn check_packets(written: &[u8]) {
    let mut seen = Collected::default();
    let (_, counts) = dissect(written, DissectOptions::default(), &mut seen).expect("a capture");
    let mut findings = seen.findings.iter();
    assert!(
        findings.all(|finding| finding.code != FindingCode::CaptureTruncated),
        "it ends where it should"
    );
    for (reason, count) in skips(&counts) {
        assert_eq!(count, 0, "packets that were skipped: {reason}");
    }
}

fn check_page(page: &[u8]) {
    static KNOWN: LazyLock<BTreeSet<String>> = LazyLock::new(elements_of_shipped_captures);
    let page = std::str::from_utf8(page).expect("a page is UTF-8");
    for element in elements(page) {
        assert!(
            KNOWN.contains(&element),
            "<{element}> is not in the pages of shipped captures"
        );
    }
}

fn elements_of_shipped_captures() -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for capture in crate::shipped_captures() {
        for choice in [2, SVG] {
            if let Some(page) = write(choice, &capture, &DissectOptions::default(), None) {
                known.extend(elements(std::str::from_utf8(&page).expect("UTF-8")));
            }
        }
    }
    known
}

/// The elements of a page, each as its name and the names of its attributes.
pub fn elements(page: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (start, _) in page.match_indices('<') {
        let behind = &page[start + 1..];
        if behind.starts_with(|first: char| first.is_ascii_alphabetic()) {
            found.insert(outline(behind));
        }
    }
    found
}

/// `a href title` of `a href="x" title="y">…`.
fn outline(tag: &str) -> String {
    let mut outline = String::new();
    let mut quote = None;
    for character in tag.chars() {
        match (quote, character) {
            (Some(open), _) => quote = (open != character).then_some(open),
            (None, '>') => break,
            (None, '"' | '\'') => quote = Some(character),
            (None, '=') => {}
            (None, _) => outline.push(character),
        }
    }
    outline
}
