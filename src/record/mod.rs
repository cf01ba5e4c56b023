//! The JSON records, written and read. Their keys are the columns of `columns`, which has their
//! meanings; tests compare the output with it.
//!
//! Every record is one line without line end. Keys are always present, `null`
//! means unknown or not applicable. Adding keys keeps [`SCHEMA`]; anything else
//! raises its number.

pub mod printer;
pub mod tally;

mod cells;
mod read;
mod summary;
mod value;

use std::net::SocketAddr;

use self::summary::put_inputs;
use self::tally::Totals;
use self::value::{Keys, put_hex_string, put_object, put_value, put_words};
use crate::capture::InputInfo;
use crate::columns::{EachColumn, MESSAGE};
use crate::conversation::{Conversation, Finding, MessageEvent};
use crate::field::{Field, PREVIEW_BYTES, PayloadDetail, Value, payload};
use crate::select::redact::Secrets;
use crate::text::escape::{Charset, preview, preview_in_json};
use crate::text::write::{UtcClock, put, put_address, put_number};
use crate::wire::StreamId;

pub(crate) use self::cells::{Cells, put_conversation, put_finding};
#[cfg(feature = "serde")]
pub(crate) use self::read::read_finding;
pub use self::read::{MessageRecord, Record, RecordReader, SummaryRecord};
pub use self::summary::{Reading, Summary};
#[cfg(feature = "parquet")]
pub(crate) use self::value::put_detail;
pub use crate::columns::{SCHEMA, json_schema};

/// Bytes that a message record takes besides its payload and findings, or a little less.
const RECORD_BYTES: usize = 512;

/// Columns that `payload_text` takes at most.
const PAYLOAD_TEXT_COLUMNS: usize = 72;

/// Writes records; keeps caches for the next one.
#[derive(Debug)]
pub struct RecordWriter {
    payload: PayloadDetail,
    clock: UtcClock,
    addresses: AddressTexts,
    /// Texts of messages with that first byte, once there was one.
    types: Box<[Option<TypeText>; 256]>,
    /// The rare columns of a message that has a value in none of them: most messages.
    nothing_rare: Box<[u8]>,
}

/// The columns that are the same in all messages of a type, around the id.
#[derive(Debug)]
struct TypeText {
    before_id: Box<[u8]>,
    after_id: Box<[u8]>,
}

impl TypeText {
    fn of(event: &MessageEvent<'_>) -> Self {
        let mut before_id = Vec::new();
        let mut keys = Keys {
            out: &mut before_id,
        };
        for field in [Field::Dir, Field::Type, Field::TypeByte] {
            keys.put(field.name(), field.value(event));
        }
        keys.value_of(Field::Id.name());
        let mut after_id = Vec::new();
        let mut keys = Keys { out: &mut after_id };
        keys.put(Field::IdOwner.name(), Field::IdOwner.value(event));
        keys.value_of(Field::Conv.name());
        Self {
            before_id: before_id.into(),
            after_id: after_id.into(),
        }
    }

    fn put(&self, out: &mut Vec<u8>, id: Option<StreamId>) {
        out.extend_from_slice(&self.before_id);
        put_value(out, id.map(Value::Id).into());
        out.extend_from_slice(&self.after_id);
    }
}

/// Two addresses and their texts: a flow's messages have the same two over and over.
#[derive(Debug, Default)]
struct AddressTexts([CachedAddress; 2]);

#[derive(Debug, Default)]
struct CachedAddress {
    address: Option<SocketAddr>,
    text: Vec<u8>,
}

impl AddressTexts {
    /// The texts of where a message came from and where it went.
    fn of(&mut self, source: SocketAddr, target: SocketAddr) -> [&[u8]; 2] {
        // Messages go both ways: find the address that is cached either way round.
        if self.0[1].address == Some(source) || self.0[0].address == Some(target) {
            self.0.swap(0, 1);
        }
        let [first, second] = &mut self.0;
        [first.text(source), second.text(target)]
    }
}

impl CachedAddress {
    fn text(&mut self, address: SocketAddr) -> &[u8] {
        if self.address != Some(address) {
            self.address = Some(address);
            self.text.clear();
            put_address(&mut self.text, address);
        }
        &self.text
    }
}

impl RecordWriter {
    /// A writer that shows as much of payloads as `payload` says.
    pub fn new(payload: PayloadDetail) -> Self {
        Self {
            payload,
            clock: UtcClock::new(b'T'),
            addresses: AddressTexts::default(),
            types: Box::new([const { None }; 256]),
            nothing_rare: nothing_rare(),
        }
    }

    /// The header record. `inputs` are those opened so far; packet counts are `null` unless reading
    /// is over. `redacted` are the secrets hidden in the records.
    pub fn header(
        &self,
        inputs: &[InputInfo],
        reading: Reading,
        redacted: Secrets,
        out: &mut Vec<u8>,
    ) {
        put_object(out, |keys| {
            keys.put("record", Value::Word("header"));
            keys.put("schema", Value::Word(SCHEMA));
            keys.put("tool_version", Value::Word(env!("CARGO_PKG_VERSION")));
            put_redacted(keys.value_of("redacted"), redacted);
            put_inputs(keys.value_of("inputs"), inputs, reading);
        });
    }

    /// A message record.
    pub fn message(&mut self, event: &MessageEvent<'_>, out: &mut Vec<u8>) {
        let message = &event.message;
        out.reserve(RECORD_BYTES);
        put(out, r#"{"record":"message","n":"#);
        put_number(out, event.number);
        put(out, r#","packet_n":"#);
        put_number(out, event.packet);
        put(out, r#","ts":""#);
        self.clock.put(out, event.time);
        put(out, r#"","t_us":"#);
        put_number(out, event.elapsed_us);
        put(out, r#","carrier":""#);
        put(out, event.carrier.name());
        put(out, r#"","src":""#);
        self.put_addresses(out, event.source, event.target);
        out.push(b'"');
        self.put_type(out, event);
        put_value(out, Field::Conv.value(event));
        put(out, r#","meaning":""#);
        put(out, event.meaning.kind().name());
        out.push(b'"');
        self.put_payload(out, payload(message));
        let mut search = RareValues { event, any: false };
        Field::for_each_column(&mut search);
        if search.any {
            let keys = Keys { out };
            Field::for_each_column(&mut RareColumns { event, keys });
        } else {
            out.extend_from_slice(&self.nothing_rare);
        }
        out.push(b'}');
    }

    fn put_addresses(&mut self, out: &mut Vec<u8>, source: SocketAddr, target: SocketAddr) {
        let [source, target] = self.addresses.of(source, target);
        out.extend_from_slice(source);
        put(out, r#"","dst":""#);
        out.extend_from_slice(target);
    }

    /// Appends the columns from `dir` on, and the key of `conv`.
    fn put_type(&mut self, out: &mut Vec<u8>, event: &MessageEvent<'_>) {
        let message = &event.message;
        match message.frame() {
            // The type decides whose message it is, with few exceptions.
            Some(frame) if event.direction == frame.frame_type.direction() => {
                let types = &mut self.types[usize::from(frame.frame_type.0)];
                let text = types.get_or_insert_with(|| TypeText::of(event));
                text.put(out, Some(frame.id));
            }
            frame => TypeText::of(event).put(out, frame.map(|frame| frame.id)),
        }
    }

    fn put_payload(&mut self, out: &mut Vec<u8>, payload: &[u8]) {
        put(out, r#","payload_bytes":"#);
        put_number(out, payload.len());
        let start = &payload[..payload.len().min(PREVIEW_BYTES)];
        let hex = match self.payload {
            PayloadDetail::None => {
                return put(out, r#","payload_hex":null,"payload_text":null"#);
            }
            PayloadDetail::Preview => start,
            PayloadDetail::Full => payload,
        };
        put(out, r#","payload_hex":"#);
        put_hex_string(out, hex);
        put(out, r#","payload_text":"#);
        out.push(b'"');
        put_preview_with(preview_in_json, payload, out);
        out.push(b'"');
    }

    /// A conversation record.
    pub fn conversation(&self, conversation: &Conversation, out: &mut Vec<u8>) {
        put_object(out, |keys| {
            keys.put("record", Value::Word("conversation"));
            put_conversation(conversation, keys);
        });
    }

    /// A finding record.
    pub fn finding(&self, finding: &Finding, out: &mut Vec<u8>) {
        put_object(out, |keys| {
            keys.put("record", Value::Word("finding"));
            put_finding(finding, keys);
        });
    }

    /// The summary record, with the `totals` of the messages shown.
    pub fn summary(&self, totals: &Totals, summary: &Summary<'_>, out: &mut Vec<u8>) {
        summary.put(totals, out);
    }
}

/// As much of a payload as its preview is made of.
#[cfg(feature = "parquet")]
pub(crate) fn preview_source(payload: &[u8]) -> &[u8] {
    // A byte more than is shown says that there is more.
    &payload[..payload.len().min(PREVIEW_BYTES + 1)]
}

/// Appends the first bytes of a payload as escaped text.
pub(crate) fn put_preview(out: &mut Vec<u8>, payload: &[u8]) {
    put_preview_with(preview, payload, out);
}

fn put_preview_with(
    preview: fn(&[u8], Charset, usize, &mut Vec<u8>),
    payload: &[u8],
    out: &mut Vec<u8>,
) {
    let start = &payload[..payload.len().min(PREVIEW_BYTES)];
    let before = out.len();
    preview(start, Charset::Unicode, PAYLOAD_TEXT_COLUMNS, out);
    let cut = out[before..].ends_with(Charset::Unicode.ellipsis().as_bytes());
    if start.len() < payload.len() && !cut {
        put(out, Charset::Unicode.ellipsis());
    }
}

/// Appends the redacted secrets, as an array of the words that ask for them.
pub(crate) fn put_redacted(out: &mut Vec<u8>, redacted: Secrets) {
    put_words(out, redacted.names());
}

/// The first of the columns that most messages have no value in, which come last.
const FIRST_RARE: Field = Field::ShortHex;

const fn is_rare(field: Field) -> bool {
    field as usize >= FIRST_RARE as usize
}

/// The rare columns of a message without a value in them, to be written in one piece.
fn nothing_rare() -> Box<[u8]> {
    let mut out = Vec::new();
    let mut keys = Keys { out: &mut out };
    for column in &MESSAGE.columns[FIRST_RARE as usize..] {
        let nothing = if column.is_nullable {
            Value::Null
        } else {
            Value::Codes(&[])
        };
        keys.put(column.name, nothing);
    }
    out.into()
}

/// Looks for a value in a rare column.
struct RareValues<'a> {
    event: &'a MessageEvent<'a>,
    any: bool,
}

impl EachColumn for RareValues<'_> {
    #[inline(always)]
    fn column(&mut self, field: Field) {
        if is_rare(field) {
            self.any |= !matches!(field.value(self.event), Value::Null | Value::Codes([]));
        }
    }
}

/// Appends the rare columns.
struct RareColumns<'a> {
    event: &'a MessageEvent<'a>,
    keys: Keys<'a>,
}

impl EachColumn for RareColumns<'_> {
    #[inline(always)]
    fn column(&mut self, field: Field) {
        if is_rare(field) {
            self.keys.put(field.name(), field.value(self.event));
        }
    }
}

#[cfg(test)]
mod tests;
