//! `-z findings`: findings by code.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::{fmt, io};

use super::put_table;
use crate::conversation::{AFTER_CLOSE, Conversation, Finding, FindingCode, Level};
use crate::record::printer::{Notice, Printer, SharedOutput};
use crate::report::grid::Align;
use crate::report::style::Style;

/// Columns that are left out where the terminal is too narrow, first to last.
const EXPENDABLE: [usize; 3] = [3, 2, 4];

/// Counts findings by level and code.
#[derive(Debug)]
pub struct FindingTable {
    style: Style,
    counts: BTreeMap<(Reverse<Level>, FindingCode), Count>,
}

#[derive(Clone, Debug)]
struct Count {
    findings: u64,
    first: First,
    text: String,
}

/// A row of the table.
#[derive(Debug)]
pub(in crate::report) struct FindingRow {
    pub(in crate::report) level: Level,
    pub(in crate::report) code: FindingCode,
    pub(in crate::report) count: u64,
    pub(in crate::report) first: First,
    /// Escaped.
    pub(in crate::report) meaning: String,
}

/// The place where a finding was seen.
#[derive(Clone, Copy, Debug)]
pub(in crate::report) enum First {
    Message(u64),
    Packet(u64),
    Nowhere,
}

impl fmt::Display for First {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(number) => write!(f, "#{number}"),
            Self::Packet(number) => write!(f, "packet {number}"),
            Self::Nowhere => f.write_str("-"),
        }
    }
}

impl FindingTable {
    /// An empty table.
    pub const fn new(style: Style) -> Self {
        Self {
            style,
            counts: BTreeMap::new(),
        }
    }

    /// The rows of the table, the worst level first.
    pub(in crate::report) fn rows(&self) -> Vec<FindingRow> {
        self.counts
            .iter()
            .map(|((Reverse(level), code), count)| row(*level, *code, count, &self.style))
            .collect()
    }
}

fn row(level: Level, code: FindingCode, count: &Count, style: &Style) -> FindingRow {
    let meaning = match (code, count.findings) {
        // The type itself says more than that it is unknown.
        (FindingCode::UnknownType, 1) => style.escaped(count.text.trim_end_matches(AFTER_CLOSE)),
        // The kind, and since when.
        (FindingCode::CaptureEvicted, 1) => style.escaped(&count.text),
        // Not every id that nobody knows was never announced: see `cap.evicted`.
        (FindingCode::OrphanId, _) if level == Level::Note => {
            "id not known: it may be one that was forgotten".to_owned()
        }
        _ => code.meaning().to_owned(),
    };
    FindingRow {
        level,
        code,
        count: count.findings,
        first: count.first,
        meaning,
    }
}

impl FindingRow {
    fn cells(self) -> [String; 5] {
        [
            self.level.name().to_owned(),
            self.code.code().to_owned(),
            self.count.to_string(),
            self.first.to_string(),
            self.meaning,
        ]
    }
}

impl Printer for FindingTable {
    fn looks_at_messages(&self) -> bool {
        false
    }

    fn notice(&self) -> Notice {
        Notice::Line
    }

    fn finding(&mut self, finding: &Finding, _: &mut Vec<u8>) -> io::Result<()> {
        let key = (Reverse(finding.level), finding.code);
        let count = self.counts.entry(key).or_insert_with(|| Count {
            findings: 0,
            first: match (finding.message, finding.packet) {
                (Some(message), _) => First::Message(message),
                (None, Some(packet)) => First::Packet(packet),
                (None, None) => First::Nowhere,
            },
            text: finding.text.clone(),
        });
        count.findings += 1;
        Ok(())
    }

    fn table(&mut self, _: &[&Conversation], out: &mut SharedOutput<'_>) -> io::Result<()> {
        let rows: Vec<_> = self.rows().into_iter().map(FindingRow::cells).collect();
        let total: u64 = self.counts.values().map(|count| count.findings).sum();
        put_table(
            &format!("Findings ({total})"),
            [
                ("Level", Align::Left),
                ("Code", Align::Left),
                ("Count", Align::Right),
                ("First", Align::Left),
                ("Meaning", Align::Left),
            ],
            &rows,
            &EXPENDABLE,
            &self.style,
            out.buffer,
        );
        Ok(())
    }
}
