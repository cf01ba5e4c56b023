//! The records on disk, where each stands, and a row for each conversation.
//!
//! In memory are the rows of conversations that are not over, and eight bytes for every
//! conversation: its place among all, and its place among those that are shown.

use std::fs::File;
use std::io::{self, Cursor, Write};
use std::os::unix::fs::FileExt;

use hashbrown::HashMap;
use serde_json::Value;
use tempfile::TempPath;

use super::row::{Entry, Kind, RowState, Scope, text_after};
use crate::field::{Field, payload};
use crate::record::{Record, RecordReader};
use crate::report::detail::{DetailPrinter, Details};
use crate::report::ladder::{info, label};
use crate::report::style::{Colouring, Style, TimeWriter, put_duration, put_size};
use crate::text::escape::escape_lines;
use crate::text::write::{put_seconds, text_of};
use crate::tui::{
    Detail, Ladder, LadderLine, MessageLine, Row, SortKey, SortOrder, Source, StreamChunk,
};
use crate::units::counted;
use crate::wire::{Direction, FrameKind};

/// Messages of a conversation that are shown: the last ones.
const MAX_STEPS: usize = 10_000;

/// Bytes of the records that these are read from.
const MAX_TALK_BYTES: usize = 64 << 20;

/// Rows that are read at once when all are sorted.
const SORTED_AT_ONCE: u32 = 1024;

/// Payload bytes of a stream that are shown.
const MAX_STREAM_BYTES: usize = 4 << 20;

/// The most that a message says of itself before its payload.
const HEAD_BYTES: usize = 640;

/// Records, and the state of conversations.
pub(super) struct Store {
    style: Style,
    records: File,
    written: u64,
    header: Vec<u8>,
    entries: File,
    entry_count: u64,
    rows: File,
    /// Conversations that are not over, and the records outside of any.
    open: HashMap<u32, RowState>,
    /// All conversations, in the order in which they began.
    all: Vec<u32>,
    /// Those that are shown, in the order that was asked for.
    shown: Vec<u32>,
    sort: (SortKey, SortOrder),
    /// The conversations that match the filter, if there is one.
    matching: Option<Vec<u32>>,
    messages: u64,
    scope: Scope,
    /// What there was in all, once it is known.
    end: Option<End>,
    /// Conversations that name another as their other view.
    views: usize,
}

/// The part of a summary that matters where no conversation is.
#[derive(Debug, PartialEq, Eq)]
struct End {
    inputs: usize,
    packets: u64,
    foreign_flows: u64,
    foreign_i2cp_messages: u64,
    warning: Option<String>,
}

impl End {
    /// That of a record, if it is the summary.
    fn of(record: &[u8]) -> Option<Self> {
        if !record.starts_with(b"{\"record\":\"summary\"") {
            return None;
        }
        let record: Value = serde_json::from_slice(record).ok()?;
        let count = |value: &Value| value.as_u64().unwrap_or(0);
        let foreign = &record["foreign"];
        Some(Self {
            inputs: record["inputs"].as_array().map_or(0, Vec::len),
            packets: count(&record["packet_count"]),
            foreign_flows: count(&foreign["flow_count"]),
            foreign_i2cp_messages: count(&foreign["i2cp_message_count"]),
            warning: record["warning"].as_str().map(str::to_owned),
        })
    }
}

/// Rows that lie one after the other, as they are on disk.
struct RowBlock {
    rows: u32,
    first: u32,
    bytes: Vec<u8>,
}

impl RowBlock {
    const fn of_rows(rows: u32) -> Self {
        Self {
            rows,
            first: 0,
            bytes: Vec::new(),
        }
    }

    /// A row of the file; where there is none yet, one that says nothing.
    fn row(&mut self, file: &File, number: u32) -> io::Result<RowState> {
        if let Some(row) = self.held(number) {
            return Ok(row);
        }
        self.first = number;
        let offset = u64::from(number) * RowState::BYTES as u64;
        self.bytes.resize(self.rows as usize * RowState::BYTES, 0);
        let mut filled = 0;
        while filled < self.bytes.len() {
            match file.read_at(&mut self.bytes[filled..], offset + filled as u64)? {
                0 => break,
                more => filled += more,
            }
        }
        self.bytes.truncate(filled);
        Ok(self.held(number).unwrap_or_default())
    }

    fn held(&self, number: u32) -> Option<RowState> {
        let place = number.checked_sub(self.first)? as usize;
        let bytes = self.bytes.get(place * RowState::BYTES..)?.first_chunk()?;
        Some(RowState::decode(bytes))
    }
}

impl Store {
    /// An empty one, in temporary files. Only the records have a name, by which other runs read
    /// them: as long as this name is kept.
    pub(super) fn new(style: Style, scope: Scope) -> io::Result<(Self, TempPath)> {
        let (records, path) = tempfile::Builder::new()
            .prefix("ministream-")
            .suffix(".ndjson")
            .tempfile()?
            .into_parts();
        let store = Self {
            style,
            records,
            written: 0,
            header: Vec::new(),
            entries: tempfile::tempfile()?,
            entry_count: 0,
            rows: tempfile::tempfile()?,
            open: HashMap::new(),
            all: Vec::new(),
            shown: Vec::new(),
            sort: (SortKey::Capture, SortOrder::Up),
            matching: None,
            messages: 0,
            scope,
            end: None,
            views: 0,
        };
        Ok((store, path))
    }

    /// Messages so far.
    pub(super) const fn messages(&self) -> u64 {
        self.messages
    }

    /// Takes whole lines of records.
    pub(super) fn push(&mut self, lines: &[u8]) -> io::Result<()> {
        self.records.write_all(lines)?;
        let mut entries = Vec::new();
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let place = (self.written, line.len());
            self.written += line.len() as u64;
            if self.header.is_empty() {
                self.header = line.to_vec();
                continue;
            }
            let head = &line[..line.len().min(HEAD_BYTES)];
            let Some(kind) = Kind::of(head) else {
                self.end = End::of(line).or(self.end.take());
                continue;
            };
            let number = number_of(head);
            let mut row = self.row_state(number)?;
            if !row.is_known() {
                row.begin(place);
                self.all.push(number);
                if self.matching.is_none() {
                    self.shown.push(number);
                }
            }
            let entry = Entry {
                offset: place.0,
                bytes: u32::try_from(place.1).unwrap_or(u32::MAX),
                kind,
                previous: row.last_entry,
            };
            entries.extend_from_slice(&entry.encode());
            self.entry_count += 1;
            row.last_entry = self.entry_count;
            match kind {
                Kind::Message => {
                    self.messages += 1;
                    row.count_message(head, self.scope);
                }
                Kind::Finding => row.count_finding(head),
                Kind::Conversation => {
                    if let Ok(record) = serde_json::from_slice::<Value>(line) {
                        self.views += usize::from(record["peer_view"].is_string());
                        row.conclude(place, &record);
                    }
                }
            }
            self.keep(number, row)?;
        }
        self.entries.write_all(&entries)
    }

    fn row_state(&self, number: u32) -> io::Result<RowState> {
        let mut one_row = RowBlock::of_rows(1);
        self.row_state_in(&mut one_row, number)
    }

    /// The same, of many rows one after the other.
    fn row_state_in(&self, block: &mut RowBlock, number: u32) -> io::Result<RowState> {
        match self.open.get(&number) {
            Some(row) => Ok(*row),
            None => block.row(&self.rows, number),
        }
    }

    fn keep(&mut self, number: u32, row: RowState) -> io::Result<()> {
        if !row.is_over || number == 0 {
            self.open.insert(number, row);
            return Ok(());
        }
        self.open.remove(&number);
        let offset = u64::from(number) * RowState::BYTES as u64;
        self.rows.write_all_at(&row.encode(), offset)
    }

    /// Shows only these conversations, or all.
    pub(super) fn show(&mut self, matching: Option<Vec<u32>>) -> io::Result<()> {
        self.matching = matching.map(|mut numbers| {
            numbers.sort_unstable();
            numbers.dedup();
            numbers
        });
        self.arrange()
    }

    /// Sorts the shown rows again.
    pub(super) fn arrange(&mut self) -> io::Result<()> {
        let is_shown = |number: &u32| match &self.matching {
            None => true,
            Some(matching) => matching.binary_search(number).is_ok(),
        };
        let mut shown: Vec<u32> = self.all.iter().copied().filter(is_shown).collect();
        let (key, order) = self.sort;
        if key != SortKey::Capture {
            let mut keyed = Vec::with_capacity(shown.len());
            let mut block = RowBlock::of_rows(SORTED_AT_ONCE);
            for number in shown {
                keyed.push((self.row_state_in(&mut block, number)?.key(key), number));
            }
            keyed.sort_by_key(|(value, _)| *value);
            shown = keyed.into_iter().map(|(_, number)| number).collect();
        }
        if order == SortOrder::Down {
            shown.reverse();
        }
        self.shown = shown;
        Ok(())
    }

    fn read(&self, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
        let mut line = vec![0; bytes];
        self.records.read_exact_at(&mut line, offset)?;
        Ok(line)
    }

    /// The entry with a number, counted from 1.
    fn entry(&self, number: u64) -> io::Result<Entry> {
        let mut bytes = [0; Entry::BYTES];
        let offset = (number - 1) * Entry::BYTES as u64;
        self.entries.read_exact_at(&mut bytes, offset)?;
        Ok(Entry::decode(&bytes))
    }

    /// The last entries of a conversation with their numbers, in order, and the number of messages
    /// before them.
    fn chain(&self, number: u32) -> io::Result<(Vec<(u64, Entry)>, u64)> {
        let row = self.row_state(number)?;
        let mut chain = Vec::new();
        let (mut at, mut bytes, mut messages) = (row.last_entry, 0, 0);
        while at > 0 && chain.len() < MAX_STEPS && bytes < MAX_TALK_BYTES {
            let entry = self.entry(at)?;
            bytes += usize::try_from(entry.bytes).unwrap_or(usize::MAX);
            messages += u64::from(entry.kind == Kind::Message);
            chain.push((at, entry));
            at = entry.previous;
        }
        chain.reverse();
        Ok((chain, row.messages.saturating_sub(messages)))
    }

    fn row_of(&self, number: u32) -> io::Result<Row> {
        let state = self.row_state(number)?;
        let line = self.read(state.record.0, state.record.1)?;
        let record: Value = serde_json::from_slice(&line)?;
        let text = |name: &str| record[name].as_str().map(|text| self.style.escaped(text));
        let end = |name: &str, address: &str| {
            let named = text(&format!("{name}_name"));
            named.or_else(|| text(address)).unwrap_or_default()
        };
        let ends = match (state.is_over, &record["dir"]) {
            (true, _) => [end("client", "client"), end("server", "server")],
            (false, Value::String(dir)) if dir == "s2c" => [end("", "dst"), end("", "src")],
            (false, _) => [end("", "src"), end("", "dst")],
        };
        let ids = |name: &str| text(name).unwrap_or_else(|| "-".to_owned());
        let duration = |us: i64| {
            text_of(|out| put_duration(out, us.saturating_mul(1_000), self.style.charset))
        };
        Ok(Row {
            number,
            name: match number {
                0 => "none".to_owned(),
                number => format!("c{number}"),
            },
            ends,
            ids: if state.is_over {
                format!("{}/{}", ids("client_id"), ids("server_id"))
            } else {
                String::new()
            },
            state: match (number, state.state) {
                (0, _) => "outside".to_owned(),
                (_, Some(state)) => state.to_string(),
                (_, None) => "not over".to_owned(),
            },
            start: match state.start_us {
                Some(us) => text_of(|out| put_seconds(out, us, 3)),
                None => "-".to_owned(),
            },
            duration: match state.start_us {
                Some(_) => duration(state.duration_us),
                None => "-".to_owned(),
            },
            handshake: state.handshake_us.map_or("-".to_owned(), duration),
            bytes: state.bytes.map(short_size),
            findings: state.findings,
            level: state.level,
        })
    }

    /// The records of these entries.
    fn records(&self, entries: &[(u64, Entry)]) -> io::Result<Vec<Record>> {
        let mut text = self.header.clone();
        for (_, entry) in entries {
            let bytes = usize::try_from(entry.bytes).unwrap_or(usize::MAX);
            text.extend(self.read(entry.offset, bytes)?);
        }
        let mut reader = RecordReader::open(Cursor::new(text)).map_err(io::Error::other)?;
        let mut records = Vec::new();
        while let Some(record) = reader.next_record().map_err(io::Error::other)? {
            records.push(record);
        }
        Ok(records)
    }
}

impl Source for Store {
    fn count(&self) -> usize {
        self.shown.len()
    }

    fn outside(&self) -> usize {
        let is_shown = match &self.matching {
            None => self.open.contains_key(&0),
            Some(matching) => matching.first() == Some(&0),
        };
        usize::from(is_shown)
    }

    fn seen_twice(&self) -> usize {
        self.views / 2
    }

    fn emptiness(&self) -> Vec<String> {
        let Some(end) = &self.end else {
            return vec!["no conversation yet".to_owned()];
        };
        let what = match (self.scope, end.inputs) {
            (Scope::Selected, _) => "no message matches -Y",
            (Scope::Conversations, _) => "no conversation is one of --conv",
            (Scope::Whole, ..2) => "no conversation in this capture",
            (Scope::Whole, _) => "no conversation in these captures",
        };
        let mut line = format!("{what}: {}", counted(end.packets, "packet"));
        if end.foreign_flows > 0 {
            line += &format!(
                ", {} of other protocols",
                counted(end.foreign_flows, "flow")
            );
        }
        if end.foreign_i2cp_messages > 0 {
            let count = counted(end.foreign_i2cp_messages, "I2CP message");
            line += &format!(", {count} of other protocols");
        }
        let warning = end.warning.as_deref().map(|text| self.style.escaped(text));
        [line].into_iter().chain(warning).collect()
    }

    fn row(&mut self, at: usize) -> io::Result<Row> {
        match self.shown.get(at) {
            Some(&number) => self.row_of(number),
            None => Ok(Row::default()),
        }
    }

    fn sort(&mut self, key: SortKey, order: SortOrder) -> io::Result<()> {
        self.sort = (key, order);
        self.arrange()
    }

    fn end_of(&self, number: u32) -> io::Result<u64> {
        Ok(self.row_state(number)?.last_entry)
    }

    fn ladder(&mut self, number: u32) -> io::Result<Ladder> {
        let (chain, left_out) = self.chain(number)?;
        let mut places = chain
            .iter()
            .filter(|(_, entry)| entry.kind == Kind::Message)
            .map(|(place, _)| *place);
        let mut ladder = Ladder {
            left_out,
            end: self.end_of(number)?,
            ..Ladder::default()
        };
        let (mut carrier, mut peer) = (None, None);
        let mut times = TimeWriter::new(self.style.times);
        for record in self.records(&chain)? {
            match record {
                Record::Message(message) => {
                    let event = message.event();
                    carrier = Some(event.carrier);
                    let bytes = payload(&event.message).len();
                    ladder.steps.push(LadderLine::Message(MessageLine {
                        place: places.next().unwrap_or(0),
                        number: event.number,
                        time: text_of(|out| times.put(&event, out)),
                        direction: event.direction,
                        label: label(&event, bytes, &self.style),
                        info: info(&event, &self.style),
                    }));
                }
                Record::Finding(finding) => {
                    let text = format!("{}: {}", finding.code, self.style.escaped(&finding.text));
                    ladder.steps.push(LadderLine::Finding(finding.level, text));
                }
                Record::Conversation(one) => {
                    carrier = Some(one.carrier);
                    peer = one.peer_view;
                }
                Record::Summary(_) => {}
            }
        }
        ladder.title = match number {
            0 => "Messages outside of conversations".to_owned(),
            number => {
                let row = self.row_of(number)?;
                let carrier = carrier.map(|carrier| format!(", {}", carrier.name()));
                let peer = peer.map(|peer| format!(", on the router's other side {peer}"));
                let arrow = self.style.charset.right_arrow();
                format!(
                    "{}  {}{}, {}{}, {} {arrow} {}",
                    row.name,
                    row.state,
                    carrier.unwrap_or_default(),
                    row.duration,
                    peer.unwrap_or_default(),
                    row.ends[0],
                    row.ends[1]
                )
            }
        };
        Ok(ladder)
    }

    fn message(&mut self, place: u64) -> io::Result<Detail> {
        let mut entries = vec![(place, self.entry(place)?)];
        // Its findings stand behind it.
        for next in place + 1..=self.entry_count {
            let entry = self.entry(next)?;
            if entry.kind != Kind::Finding {
                break;
            }
            entries.push((next, entry));
        }
        let mut detail = Detail::default();
        for record in self.records(&entries)? {
            let Record::Message(message) = record else {
                continue;
            };
            let event = message.event();
            // The screen breaks lines where its edge is, and shows escapes as text.
            let style = Style {
                width: usize::MAX,
                colour: Colouring::Never,
                ..self.style
            };
            let lines = |details, skipped| {
                let text = text_of(|out| DetailPrinter::new(details, style).put(&event, out));
                let lines = text.lines().skip(skipped).map(str::to_owned);
                lines.collect::<Vec<String>>()
            };
            detail.fields = lines(Details::Tree, 0);
            // The first line has the contents of the fields.
            detail.hex = lines(Details::Hex, 1);
        }
        Ok(detail)
    }

    fn follow(&mut self, number: u32) -> io::Result<Vec<StreamChunk>> {
        let (chain, left_out) = self.chain(number)?;
        let mut chunks = Vec::new();
        let note = |text: String| StreamChunk {
            direction: None,
            head: text,
            lines: Vec::new(),
        };
        if left_out > 0 {
            let before = counted(left_out, "message");
            chunks.push(note(format!("({before} before these not shown)")));
        }
        let mut room = MAX_STREAM_BYTES;
        let mut times = TimeWriter::new(self.style.times);
        for record in self.records(&chain)? {
            let Record::Message(message) = record else {
                continue;
            };
            let event = message.event();
            let is_data = event
                .message
                .frame()
                .is_some_and(|frame| frame.frame_type.kind() == FrameKind::Data);
            if !is_data {
                continue;
            }
            let payload = payload(&event.message);
            let shown = &payload[..payload.len().min(room)];
            room -= shown.len();
            let arrow = match event.direction {
                Some(Direction::ServerToClient) => self.style.charset.left_arrow(),
                _ => self.style.charset.right_arrow(),
            };
            let time = text_of(|out| times.put(&event, out));
            chunks.push(StreamChunk {
                direction: event.direction,
                head: format!("{arrow} {time}  {} B", payload.len()),
                lines: text_of(|out| escape_lines(shown, self.style.charset, out))
                    .replace('\t', "    ")
                    .lines()
                    .map(str::to_owned)
                    .collect(),
            });
            if shown.len() < payload.len() {
                chunks.push(note("(what follows is not shown)".to_owned()));
                break;
            }
        }
        if chunks.is_empty() {
            chunks.push(note("no data".to_owned()));
        }
        Ok(chunks)
    }
}

/// Bytes in seven columns: exact while they fit.
fn short_size(bytes: u64) -> String {
    match bytes {
        ..10_000_000 => bytes.to_string(),
        _ => text_of(|out| put_size(out, bytes)).replace(' ', ""),
    }
}

/// The number of the conversation that a record is about; 0 if it is about none.
fn number_of(head: &[u8]) -> u32 {
    match text_after(head, Field::Conv) {
        Some([b'"', b'c', rest @ ..]) => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
            digits.fold(0, |number: u32, digit| {
                number
                    .wrapping_mul(10)
                    .wrapping_add(u32::from(digit - b'0'))
            })
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::style;

    fn store() -> Store {
        let (mut store, _path) = Store::new(style(), Scope::Whole).unwrap();
        store.push(b"{\"record\":\"header\"}\n").unwrap();
        store
    }

    fn message(conversation: u32, payload: &str) -> String {
        format!(
            "{{\"record\":\"message\",\"n\":1,\"conv\":\"c{conversation}\",\"dir\":\"c2s\",\
             \"type\":\"data\",\"payload_hex\":\"{payload}\"}}\n"
        )
    }

    /// A message without data: time, conversation, direction, type and meaning.
    fn event(t_us: i64, conversation: u32, direction: &str, meaning: &str) -> String {
        format!(
            "{{\"record\":\"message\",\"n\":1,\"t_us\":{t_us},\"src\":\"a\",\"dst\":\"b\",\
             \"dir\":\"{direction}\",\"type\":\"close\",\"conv\":\"c{conversation}\",\
             \"meaning\":\"{meaning}\"}}\n"
        )
    }

    #[test]
    fn a_finding_without_a_message_has_neither_start_nor_duration() {
        let mut store = store();
        let finding = "{\"record\":\"finding\",\"level\":\"warn\",\"conv\":null}\n";
        store.push(finding.as_bytes()).unwrap();
        let row = store.row(0).unwrap();
        assert_eq!(
            (&*row.name, &*row.start, &*row.duration, &*row.handshake),
            ("none", "-", "-", "-")
        );
        assert_eq!(
            (row.findings, row.level),
            (1, Some(crate::conversation::Level::Warn))
        );
    }

    #[test]
    fn messages_tell_the_state_before_the_record_of_their_conversation() {
        let shown = |scope: Scope, lines: &[(i64, &str, &str)]| {
            let (mut store, _path) = Store::new(style(), scope).unwrap();
            store.push(b"{\"record\":\"header\"}\n").unwrap();
            for (t_us, direction, meaning) in lines {
                let line = event(*t_us, 1, direction, meaning);
                store.push(line.as_bytes()).unwrap();
            }
            let row = store.row(0).unwrap();
            format!("{}, {}", row.state, row.handshake)
        };
        let opens = (0, "c2s", "opens");
        let accepts = (4_000, "s2c", "accepts");
        for (lines, state) in [
            (&[opens][..], "syn sent, -"),
            (&[opens, (2, "c2s", "ignored")], "syn sent, -"),
            (&[opens, (1_000, "s2c", "refuses")], "refused, -"),
            (&[opens, accepts], "open, 4.0 ms"),
            (
                &[opens, accepts, (9_000, "s2c", "closes")],
                "server closed, 4.0 ms",
            ),
            (
                &[
                    opens,
                    accepts,
                    (9_000, "c2s", "closes"),
                    (9_001, "s2c", "closes_again"),
                ],
                "client closed, 4.0 ms",
            ),
            (
                &[opens, (5, "c2s", "closes"), (6, "s2c", "accepts")],
                "client closed, -",
            ),
            (&[accepts, (9_000, "s2c", "closes")], "mid-stream, -"),
        ] {
            assert_eq!(shown(Scope::Whole, lines), state, "{lines:?}");
            assert_eq!(shown(Scope::Conversations, lines), state, "{lines:?}");
            assert_eq!(shown(Scope::Selected, lines), "not over, -");
        }
    }

    #[test]
    fn an_input_without_conversations_says_so_when_all_of_it_is_read() {
        let mut store = store();
        assert_eq!(store.emptiness(), ["no conversation yet"]);
        let summary = |inputs: &str, warning: &str| {
            format!(
                "{{\"record\":\"summary\",\"packet_count\":21,\"foreign\":{{\"flow_count\":3,\
                 \"i2cp_message_count\":1}},\"warning\":{warning},\"inputs\":[{inputs}]}}\n"
            )
        };
        store.push(summary("{}", "null").as_bytes()).unwrap();
        assert_eq!(
            store.emptiness(),
            [
                "no conversation in this capture: 21 packets, 3 flows of other protocols, \
              1 I2CP message of other protocols"
            ]
        );
        store.push(summary("{},{}", "\"no\"").as_bytes()).unwrap();
        assert_eq!(
            store.emptiness(),
            [
                "no conversation in these captures: 21 packets, 3 flows of other protocols, \
              1 I2CP message of other protocols",
                "no"
            ]
        );
        store.scope = Scope::Selected;
        assert!(store.emptiness()[0].starts_with("no message matches -Y: 21 packets"));
        store.scope = Scope::Conversations;
        assert!(store.emptiness()[0].starts_with("no conversation is one of --conv: 21 packets"));
    }

    #[test]
    fn the_last_messages_of_a_long_conversation_are_read_and_the_others_counted() {
        let mut store = store();
        for _ in 0..MAX_STEPS + 500 {
            store.push(message(1, "00").as_bytes()).unwrap();
        }
        let (chain, before) = store.chain(1).unwrap();
        assert_eq!((chain.len(), before), (MAX_STEPS, 500));
        assert_eq!(chain.last().unwrap().0, MAX_STEPS as u64 + 500);
    }

    #[test]
    fn records_of_many_bytes_are_read_up_to_so_many() {
        const LINE_BYTES: usize = 3 << 20;
        let mut store = store();
        let long = message(1, &"0".repeat(LINE_BYTES));
        for _ in 0..30 {
            store.push(long.as_bytes()).unwrap();
        }
        let (chain, before) = store.chain(1).unwrap();
        // The one that reaches the bound is read, too.
        assert_eq!(chain.len(), MAX_TALK_BYTES.div_ceil(long.len()));
        assert_eq!(before, 30 - chain.len() as u64);
    }

    #[test]
    fn of_conversations_that_are_over_two_numbers_stay_in_memory() {
        const COUNT: u32 = 20_000;
        let mut store = store();
        for number in 1..=COUNT {
            let over = format!(
                "{{\"record\":\"conversation\",\"conv\":\"c{number}\",\"state\":\"closed\"}}\n"
            );
            let lines = message(number, "00") + &over;
            store.push(lines.as_bytes()).unwrap();
        }
        assert_eq!(store.open.len(), 0);
        for numbers in [&store.all, &store.shown] {
            assert_eq!(numbers.len(), COUNT as usize);
            // Memory doubles while it grows.
            assert!(numbers.capacity() < 2 * COUNT as usize);
        }
        assert_eq!(store.chain(COUNT).unwrap().0.len(), 2);
    }
}
