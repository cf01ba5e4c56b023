//! `-z findings`: findings by code.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;

use super::put_table;
use crate::conversation::{AFTER_CLOSE, Conversation, Finding, FindingCode, Level};
use crate::record::printer::{Notice, Out, Printer};
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

/// Where a finding was seen.
#[derive(Clone, Copy, Debug)]
enum First {
    Message(u64),
    Packet(u64),
    Nowhere,
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
    pub(in crate::report) fn rows(&self) -> Vec<[String; 5]> {
        self.counts
            .iter()
            .map(|((Reverse(level), code), count)| row(*level, *code, count, &self.style))
            .collect()
    }
}

fn row(level: Level, code: FindingCode, count: &Count, style: &Style) -> [String; 5] {
    let meaning = match (code, count.findings) {
        // The type itself tells more than that it is unknown.
        (FindingCode::UnknownType, 1) => style.escaped(count.text.trim_end_matches(AFTER_CLOSE)),
        // What, and since when.
        (FindingCode::CaptureEvicted, 1) => style.escaped(&count.text),
        // Not every id that nobody knows was never announced: see `cap.evicted`.
        (FindingCode::OrphanId, _) if level == Level::Note => {
            "id not known: it may be one that was forgotten".to_owned()
        }
        _ => code.meaning().to_owned(),
    };
    [
        level.name().to_owned(),
        code.code().to_owned(),
        count.findings.to_string(),
        match count.first {
            First::Message(number) => format!("#{number}"),
            First::Packet(number) => format!("packet {number}"),
            First::Nowhere => "-".to_owned(),
        },
        meaning,
    ]
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

    fn table(&mut self, _: &[&Conversation], out: &mut Out<'_>) -> io::Result<()> {
        let rows = self.rows();
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
