//! The table of conversations, sorted by number.
//!
//! Conversations are reported in the order in which they end, and there may be millions. `Sorted`
//! keeps a small record of each in bounded memory; the widths of the columns are noted as they come
//! in.

use std::collections::HashMap;
use std::io;
use std::iter::Peekable;
use std::num::{NonZeroU64, NonZeroUsize};
use std::{thread, vec};

use super::grid::{Align, Colour, Column, Grid, Overflow, frame_width};
use super::sorted::Sorted;
use super::style::{DurationText, Style, duration_width};
use super::titles;
use crate::buffer_pool::buffer_pool;
use crate::carrier::Carrier;
use crate::conversation::{Conversation, ConversationId, ConversationState, Party, Tally};
use crate::record::printer::{Notice, Printer, SharedOutput};
use crate::text::escape::{Charset, columns_of};
use crate::text::line::Line;
use crate::text::write::{TextBuffer, digits, put, put_conversation, put_number, put_seconds};
use crate::wire::StreamId;

/// Names of I2CP ends that are kept; ends with yet other names are shown without.
const MAX_NAMES: usize = 65_536;

/// Columns that the name of an I2CP end takes, unless there is room for more.
const USUAL_NAME_WIDTH: usize = 20;

/// Collects conversations and writes their table.
#[derive(Debug)]
pub struct ConversationTable {
    style: Style,
    rows: Sorted<ROW_WORDS>,
    names: Names,
    widths: [usize; COLUMNS],
    workers: NonZeroUsize,
}

/// Rows that are written together: enough that another thread for the next ones is worth it.
const ROWS_TOGETHER: usize = 4_096;

/// So many times [`ROWS_TOGETHER`] are in memory.
const BATCHES: usize = 3;

const COLUMNS: usize = 12;
const TITLES: [&str; COLUMNS] = [
    titles::CONVERSATION_SHORT,
    titles::PEER,
    titles::CLIENT,
    titles::SERVER,
    titles::IDS_IN_ORDER,
    titles::STATE,
    titles::START,
    titles::DURATION,
    titles::HANDSHAKE,
    titles::MESSAGES_AND_BYTES[0],
    titles::MESSAGES_AND_BYTES[1],
    titles::FINDINGS_SHORT,
];

// Places in `TITLES`, in whose order the columns stand.
const CONVERSATION: usize = 0;
const PEER: usize = 1;
const CLIENT: usize = 2;
const SERVER: usize = 3;
const IDS: usize = 4;
const STATE: usize = 5;
const START: usize = 6;
const DURATION: usize = 7;
const HANDSHAKE: usize = 8;
const TO_SERVER: usize = 9;
const TO_CLIENT: usize = 10;
const FINDINGS: usize = 11;

/// The table's values of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    number: u64,
    /// The same conversation as the other session's connection shows it.
    peer: Option<NonZeroU64>,
    client: NameId,
    server: NameId,
    client_id: Option<StreamId>,
    server_id: Option<StreamId>,
    state: ConversationState,
    start_us: i64,
    duration_ns: i64,
    handshake_ns: Option<i64>,
    c2s: Tally,
    s2c: Tally,
    finding_count: u32,
}

/// A place in [`Names`]; 0 is no name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct NameId(u32);

/// The distinct names of I2CP ends.
#[derive(Debug, Default)]
struct Names {
    texts: Vec<String>,
    places: HashMap<String, NameId>,
}

impl Names {
    fn place_of(&mut self, name: String) -> NameId {
        if let Some(&place) = self.places.get(&name) {
            return place;
        }
        if self.texts.len() >= MAX_NAMES {
            return NameId::default();
        }
        self.texts.push(name.clone());
        let place = u32::try_from(self.texts.len()).map_or(NameId::default(), NameId);
        self.places.insert(name, place);
        place
    }

    fn get(&self, place: NameId) -> &str {
        usize::try_from(place.0)
            .ok()
            .and_then(|place| place.checked_sub(1))
            .and_then(|index| self.texts.get(index))
            .map_or("-", |name| name)
    }
}

impl ConversationTable {
    /// An empty table.
    pub fn new(style: Style) -> Self {
        let mut widths = TITLES.map(|title| columns_of(&title_in(title, style.charset)));
        // Shown only where there is something to show.
        widths[PEER] = 0;
        widths[CLIENT] = 0;
        widths[SERVER] = 0;
        Self {
            style,
            rows: Sorted::new(),
            names: Names::default(),
            widths,
            workers: NonZeroUsize::MIN,
        }
    }

    /// Lets a second thread sort rows while others are written, if there is more than one worker.
    pub fn with_workers(mut self, workers: NonZeroUsize) -> Self {
        self.workers = workers;
        self
    }

    /// The row of a conversation; the columns make room for it.
    fn row(&mut self, conversation: &Conversation) -> Row {
        let row = Row {
            number: conversation.id.0,
            peer: conversation.peer_view.and_then(|id| NonZeroU64::new(id.0)),
            client: self.name(conversation.carrier, &conversation.client),
            server: self.name(conversation.carrier, &conversation.server),
            client_id: conversation.client_id.map(StreamId::from),
            server_id: conversation.server_id.map(StreamId::from),
            state: conversation.state,
            start_us: conversation.start_us,
            duration_ns: conversation.duration_ns(),
            handshake_ns: conversation.handshake_ns,
            c2s: conversation.c2s,
            s2c: conversation.s2c,
            finding_count: u32::try_from(conversation.finding_count).unwrap_or(u32::MAX),
        };
        self.make_room_for(&row);
        row
    }

    fn name(&mut self, carrier: Carrier, end: &Party) -> NameId {
        if carrier != Carrier::I2cp {
            return NameId::default();
        }
        let name = match (&end.nickname, end.hash) {
            (Some(nickname), _) => self.style.escaped(nickname),
            (None, Some(hash)) => self.style.short_hash(hash),
            (None, None) => return NameId::default(),
        };
        self.names.place_of(name)
    }

    fn make_room_for(&mut self, row: &Row) {
        let mut needed = [0; COLUMNS];
        needed[CONVERSATION] = conversation_width(row.number);
        if let Some(peer) = row.peer {
            needed[PEER] = conversation_width(peer.get()).max(TITLES[PEER].len());
        }
        for (column, name) in [(CLIENT, row.client), (SERVER, row.server)] {
            if name != NameId::default() {
                needed[column] = columns_of(self.names.get(name)).max(TITLES[column].len());
            }
        }
        needed[IDS] = 2 * self.style.id_width() + 1;
        needed[STATE] = WIDEST_STATE;
        needed[START] = start_width(row.start_us);
        needed[DURATION] = duration_width(row.duration_ns);
        needed[HANDSHAKE] = row.handshake_ns.map_or(1, duration_width);
        needed[TO_SERVER] = tally_width(row.c2s);
        needed[TO_CLIENT] = tally_width(row.s2c);
        needed[FINDINGS] = digits(row.finding_count.into());
        for (width, needed) in self.widths.iter_mut().zip(needed) {
            *width = (*width).max(needed);
        }
    }
}

/// All rows, by number.
struct SortedRows<S> {
    ended: S,
    open: Peekable<vec::IntoIter<Row>>,
}

impl<S: Iterator<Item = io::Result<[u64; ROW_WORDS]>>> SortedRows<S> {
    /// Puts some rows in the place of those in `batch`; none when there are no more.
    fn next_batch(&mut self, batch: &mut Vec<Row>) -> io::Result<()> {
        batch.clear();
        while batch.len() < ROWS_TOGETHER {
            let Some(row) = self.ended.next() else {
                batch.extend(&mut self.open);
                return Ok(());
            };
            let row = Row::from_words(row?);
            while let Some(earlier) = self.open.next_if(|open| open.number < row.number) {
                batch.push(earlier);
            }
            batch.push(row);
        }
        Ok(())
    }
}

/// The fate of a second thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sorting {
    /// It sorted all that there was.
    Done,
    /// There was none to be had.
    NoThread,
}

/// Writes rows into columns of fixed width.
struct RowWriter<'a> {
    style: Style,
    names: &'a Names,
    shown: Vec<usize>,
    grid: Grid,
    workers: NonZeroUsize,
}

impl<'a> RowWriter<'a> {
    fn new(
        style: Style,
        names: &'a Names,
        widths: &[usize; COLUMNS],
        workers: NonZeroUsize,
    ) -> Self {
        let widths = widths_that_fit(*widths, style.width);
        let shown: Vec<usize> = (0..COLUMNS).filter(|&column| widths[column] > 0).collect();
        Self {
            style,
            names,
            grid: grid(&style, &shown, &widths),
            shown,
            workers,
        }
    }

    /// Writes all rows; where there are many, and a second worker is to be had, that one sorts
    /// some while this thread writes those before.
    fn put_all<S>(&self, mut rows: SortedRows<S>, out: &mut SharedOutput<'_>) -> io::Result<()>
    where
        S: Iterator<Item = io::Result<[u64; ROW_WORDS]>> + Send,
    {
        let mut first = Vec::new();
        rows.next_batch(&mut first)?;
        if self.workers.get() > 1 && first.len() >= ROWS_TOGETHER {
            self.put_batch(&first, out)?;
            if self.put_while_sorting(&mut rows, out)? == Sorting::Done {
                return Ok(());
            }
            rows.next_batch(&mut first)?;
        }
        while !first.is_empty() {
            self.put_batch(&first, out)?;
            rows.next_batch(&mut first)?;
        }
        Ok(())
    }

    fn put_while_sorting<S>(
        &self,
        rows: &mut SortedRows<S>,
        out: &mut SharedOutput<'_>,
    ) -> io::Result<Sorting>
    where
        S: Iterator<Item = io::Result<[u64; ROW_WORDS]>> + Send,
    {
        let (mut producer, consumer) = buffer_pool(BATCHES, 1);
        thread::scope(|scope| {
            // Gone when this is left for an error, which ends the other thread.
            let mut consumer = consumer;
            let sorter = thread::Builder::new().spawn_scoped(scope, move || {
                while let Some(mut batch) = producer.empty(Vec::new) {
                    let read = rows.next_batch(&mut batch);
                    let is_last = read.is_err() || batch.is_empty();
                    if producer.hand_on(read.map(|()| batch)).is_err() || is_last {
                        return;
                    }
                }
            });
            if sorter.is_err() {
                return Ok(Sorting::NoThread);
            }
            while let Some(batch) = consumer.next() {
                let batch = batch?;
                self.put_batch(&batch, out)?;
                consumer.recycle(batch);
            }
            Ok(Sorting::Done)
        })
    }

    fn put_batch(&self, rows: &[Row], out: &mut SharedOutput<'_>) -> io::Result<()> {
        self.put(rows, out.buffer);
        (out.drain)(out.buffer)
    }

    fn put(&self, rows: &[Row], out: &mut Vec<u8>) {
        for row in rows {
            self.grid.row_in_place(out, |index, column, line| {
                self.put_cell(self.shown[index], row, column, line);
            });
        }
    }

    #[inline]
    fn put_cell(&self, which: usize, row: &Row, column: &Column, line: &mut Line<'_>) {
        let style = &self.style;
        match which {
            CONVERSATION => column.put(conversation_width(row.number), line, |line| {
                put_conversation(line, ConversationId(row.number));
            }),
            PEER => match row.peer {
                Some(number) => column.put(conversation_width(number.get()), line, |line| {
                    put_conversation(line, ConversationId(number.get()));
                }),
                None => put_dash(column, line),
            },
            CLIENT => self.put_name(row.client, column, line),
            SERVER => self.put_name(row.server, column, line),
            IDS => {
                let width = |id: Option<StreamId>| id.map_or(1, |_| style.id_width());
                let used = width(row.client_id) + 1 + width(row.server_id);
                column.put(used, line, |line| {
                    put_id_or_dash(row.client_id, style, line);
                    line.put_bytes(b"/");
                    put_id_or_dash(row.server_id, style, line);
                });
            }
            STATE => {
                let (title, colour) = (row.state.title(), style.colour(colour_of(row.state)));
                column.put(title.len(), line, |line| colour.put(line, title));
            }
            START => column.put(start_width(row.start_us), line, |line| {
                put_seconds(line, row.start_us, 3);
            }),
            DURATION => put_duration_cell(row.duration_ns, style, column, line),
            HANDSHAKE => match row.handshake_ns {
                Some(nanos) => put_duration_cell(nanos, style, column, line),
                None => put_dash(column, line),
            },
            TO_SERVER => put_tally(row.c2s, column, line),
            TO_CLIENT => put_tally(row.s2c, column, line),
            _ => match u64::from(row.finding_count) {
                0 => line.skip(column.width),
                count => column.put(digits(count), line, |line| line.put_decimal(count)),
            },
        }
    }

    fn put_name(&self, name: NameId, column: &Column, line: &mut Line<'_>) {
        let name = self.names.get(name).as_bytes();
        self.grid.cell(column, name, Colour::Plain, line);
    }
}

/// The widths of the columns that fit; those of width 0 are not shown.
fn widths_that_fit(mut widths: [usize; COLUMNS], room: usize) -> [usize; COLUMNS] {
    let whole = widths;
    for column in [CLIENT, SERVER] {
        widths[column] = widths[column].min(USUAL_NAME_WIDTH);
    }
    for column in [START, DURATION, HANDSHAKE] {
        if excess(&widths, room) > 0 {
            widths[column] = 0;
        }
    }
    shorten_names(&mut widths, room);
    lengthen_names(&mut widths, &whole, room);
    // Without names, the column of peers shows which of two views belongs to which.
    for columns in [&[CLIENT, SERVER][..], &[PEER]] {
        if excess(&widths, room) > 0 {
            for &column in columns {
                widths[column] = 0;
            }
        }
    }
    widths
}

/// Makes the longer name shorter until both fit, if they do with titles whole.
fn shorten_names(widths: &mut [usize; COLUMNS], room: usize) {
    let spare = |column: usize| widths[column].saturating_sub(TITLES[column].len());
    let excess = excess(widths, room);
    if excess > spare(CLIENT) + spare(SERVER) {
        return;
    }
    for _ in 0..excess {
        let longer = if widths[CLIENT] > widths[SERVER] {
            CLIENT
        } else {
            SERVER
        };
        widths[longer] -= 1;
    }
}

/// Gives names the rest of the room, until they are whole.
fn lengthen_names(widths: &mut [usize; COLUMNS], whole: &[usize; COLUMNS], room: usize) {
    let mut spare = room.saturating_sub(width(widths));
    while spare > 0 {
        let cut = |column: &usize| widths[*column] < whole[*column];
        let shorter = [CLIENT, SERVER].into_iter().filter(cut);
        let Some(column) = shorter.min_by_key(|column| widths[*column]) else {
            return;
        };
        widths[column] += 1;
        spare -= 1;
    }
}

/// Columns of the terminal that the table takes.
fn width(widths: &[usize; COLUMNS]) -> usize {
    let shown = widths.iter().filter(|&&width| width > 0).count();
    widths.iter().sum::<usize>() + frame_width(shown)
}

/// Columns by which the table is too wide.
fn excess(widths: &[usize; COLUMNS], room: usize) -> usize {
    width(widths).saturating_sub(room)
}

fn grid(style: &Style, shown: &[usize], widths: &[usize; COLUMNS]) -> Grid {
    let columns = shown
        .iter()
        .map(|&column| Column {
            title: title_in(TITLES[column], style.charset),
            align: match column {
                START..=TO_CLIENT => Align::Right,
                _ => Align::Left,
            },
            overflow: match column {
                CLIENT | SERVER => Overflow::Cut,
                _ => Overflow::Widen,
            },
            width: widths[column],
        })
        .collect();
    Grid::new(columns, style.charset)
}

fn title_in(title: &str, charset: Charset) -> String {
    title
        .replace('→', charset.right_arrow())
        .replace('←', charset.left_arrow())
}

const fn colour_of(state: ConversationState) -> Colour {
    match state {
        ConversationState::Refused | ConversationState::NoAnswer => Colour::Yellow,
        _ => Colour::Plain,
    }
}

fn put_dash(column: &Column, line: &mut Line<'_>) {
    column.put(1, line, |line| line.put_bytes(b"-"));
}

#[inline]
fn put_duration_cell(nanos: i64, style: &Style, column: &Column, line: &mut Line<'_>) {
    let text = DurationText::of(nanos, style.charset);
    column.put(text.width(), line, |line| text.put(line));
}

#[inline]
fn put_id_or_dash(id: Option<StreamId>, style: &Style, line: &mut Line<'_>) {
    match id {
        Some(id) => style.put_id(id, line),
        None => line.put_bytes(b"-"),
    }
}

#[inline]
fn put_tally(tally: Tally, column: &Column, line: &mut Line<'_>) {
    column.put(tally_width(tally), line, |line| {
        line.put_decimal(tally.message_count);
        line.put_bytes(b"/");
        line.put_decimal(tally.payload_bytes);
    });
}

/// Width of the longest state, `client closed` and `server closed`.
const WIDEST_STATE: usize = 13;

/// Columns that `c3` takes.
fn conversation_width(number: u64) -> usize {
    1 + digits(number)
}

/// Columns that a time in seconds takes, with three digits behind the point.
fn start_width(micros: i64) -> usize {
    digits(micros.unsigned_abs() / 1_000_000) + ".000".len() + usize::from(micros < 0)
}

/// Columns that messages and bytes take.
fn tally_width(tally: Tally) -> usize {
    digits(tally.message_count) + 1 + digits(tally.payload_bytes)
}

/// Words of a [`Row`] as it is kept.
const ROW_WORDS: usize = 12;

impl Row {
    /// The row as words, its number first.
    fn to_words(self) -> [u64; ROW_WORDS] {
        [
            self.number,
            self.peer.map_or(0, NonZeroU64::get),
            pack(self.client.0, self.server.0),
            pack(pack_id(self.client_id), pack_id(self.server_id)),
            self.start_us.cast_unsigned(),
            self.duration_ns.cast_unsigned(),
            // No handshake takes so long: it stands for none.
            self.handshake_ns.unwrap_or(i64::MIN).cast_unsigned(),
            self.c2s.message_count,
            self.c2s.payload_bytes,
            self.s2c.message_count,
            self.s2c.payload_bytes,
            pack(self.finding_count, self.state as u32),
        ]
    }

    fn from_words(words: [u64; ROW_WORDS]) -> Self {
        let [
            number,
            peer,
            names,
            ids,
            start_us,
            duration_ns,
            handshake_ns,
            c2s_messages,
            c2s_bytes,
            s2c_messages,
            s2c_bytes,
            findings_and_state,
        ] = words;
        let (client, server) = unpack(names);
        let (client_id, server_id) = unpack(ids);
        let (finding_count, state) = unpack(findings_and_state);
        let handshake_ns = handshake_ns.cast_signed();
        Self {
            number,
            peer: NonZeroU64::new(peer),
            client: NameId(client),
            server: NameId(server),
            client_id: unpack_id(client_id),
            server_id: unpack_id(server_id),
            state: ConversationState::ALL[state as usize],
            start_us: start_us.cast_signed(),
            duration_ns: duration_ns.cast_signed(),
            handshake_ns: (handshake_ns != i64::MIN).then_some(handshake_ns),
            c2s: Tally {
                message_count: c2s_messages,
                payload_bytes: c2s_bytes,
            },
            s2c: Tally {
                message_count: s2c_messages,
                payload_bytes: s2c_bytes,
            },
            finding_count,
        }
    }
}

fn pack(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// The two halves of a word; each cast keeps exactly its 32 bits.
const fn unpack(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

/// An id in three bytes, and a fourth that says whether there is one.
fn pack_id(id: Option<StreamId>) -> u32 {
    id.map_or(0, |id| 1 << 24 | id.to_u32())
}

fn unpack_id(packed: u32) -> Option<StreamId> {
    (packed >> 24 == 1).then(|| StreamId::from_u32(packed))
}

impl Printer for ConversationTable {
    fn looks_at_messages(&self) -> bool {
        false
    }

    fn counts_messages(&self) -> bool {
        true
    }

    fn notice(&self) -> Notice {
        Notice::Line
    }

    fn conversation(&mut self, conversation: &Conversation, _: &mut Vec<u8>) -> io::Result<()> {
        let row = self.row(conversation);
        self.rows.push(row.to_words())
    }

    fn table(&mut self, open: &[&Conversation], out: &mut SharedOutput<'_>) -> io::Result<()> {
        let open: Vec<Row> = open.iter().map(|open| self.row(open)).collect();
        let count = self.rows.len() + open.len() as u64;
        put(out.buffer, "Conversations (");
        put_number(out.buffer, count);
        put(out.buffer, ")\n");
        if count == 0 {
            return Ok(());
        }
        let writer = RowWriter::new(self.style, &self.names, &self.widths, self.workers);
        writer.grid.top(out.buffer);
        let rows = SortedRows {
            ended: self.rows.sorted()?,
            open: open.into_iter().peekable(),
        };
        writer.put_all(rows, out)?;
        writer.grid.bottom(out.buffer);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
