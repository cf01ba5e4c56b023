//! The rows of the tables: what the JSON records say, cell by cell.

use super::schema::PAYLOAD;
use super::table::Table;
use crate::conversation::{Conversation, Endpoint, Finding, MessageEvent, Tally};
use crate::field::{Field, PayloadDetail, Value};
use crate::record::{micros, preview_source, put_detail};
use crate::text::write::{put, put_address, put_conversation, put_display, put_hex, put_id};
use crate::wire::StreamId;

/// A message, with as much of its payload as `payload` says.
pub(super) fn put_message(table: &mut Table, event: &MessageEvent<'_>, payload: PayloadDetail) {
    // Field by field, so that each cell is compiled for what its field may be: a loop over all
    // fields takes twice as long.
    macro_rules! put_cells {
        ($($field:ident)*) => {
            $(put_cell(table, Field::$field, event, payload);)*
        };
    }
    put_cells! {
        N PacketN Ts TUs Carrier Src Dst Dir Type TypeByte Id IdOwner Conv Meaning PayloadBytes
        PayloadHex PayloadText ShortHex ServerId DestinationHash Session SessionName RouterUs
        SentN Encapsulation Findings
    }
    table.end_row();
}

/// The cell of a field.
#[inline(always)]
fn put_cell(table: &mut Table, field: Field, event: &MessageEvent<'_>, payload: PayloadDetail) {
    let name = match field {
        Field::PayloadHex => PAYLOAD,
        field => field.name(),
    };
    match field.shown_value(event, payload) {
        Value::Address(address) => {
            table.made_of(name, address, |out| put_address(out, address));
        }
        Value::Null => table.null(name),
        Value::Number(number) => table.integer(name, number),
        Value::Time(time) => table.integer(name, time.as_nanos()),
        Value::Text(text) => table.text(name, |out| put(out, text)),
        Value::Word(word) => table.word(name, word),
        Value::Id(id) => table.made_of(name, id, |out| put_id(out, id)),
        Value::Conversation(id) => table.made_of(name, id, |out| put_conversation(out, id)),
        Value::Hash(hash) => table.text(name, |out| put_display(out, hash)),
        Value::Bytes(bytes) => table.text(name, |out| match field {
            Field::PayloadHex => out.extend_from_slice(bytes),
            // A preview is made of them by the thread that encodes the column.
            Field::PayloadText => out.extend_from_slice(preview_source(bytes)),
            _ => put_hex(out, bytes),
        }),
        Value::Encapsulation(encapsulation) => {
            table.text(name, |out| put_display(out, encapsulation));
        }
        Value::Codes(findings) => {
            table.words(name, findings.iter().map(|finding| finding.code.code()));
        }
        Value::Level(level) => table.word(name, level.name()),
    }
}

pub(super) fn put_conversation_row(table: &mut Table, conversation: &Conversation) {
    let c = conversation;
    table.text("conv", |out| put_conversation(out, c.id));
    put_endpoint(table, ["client", "client_name", "client_hash"], &c.client);
    put_endpoint(table, ["server", "server_name", "server_hash"], &c.server);
    table.word("carrier", c.carrier.name());
    table.text_or_null("client_id", c.client_id.map(StreamId::from), put_id);
    table.text_or_null("server_id", c.server_id.map(StreamId::from), put_id);
    table.word("state", c.state.name());
    table.integer("start_t_us", c.start_us);
    table.integer("duration_us", micros(c.duration_ns()));
    table.integer_or_null("handshake_us", c.handshake_ns.map(micros));
    table.integer_or_null("first_byte_us", c.first_byte_ns.map(micros));
    put_tally(table, ["c2s.message_count", "c2s.payload_bytes"], c.c2s);
    put_tally(table, ["s2c.message_count", "s2c.payload_bytes"], c.s2c);
    table.count("finding_count", c.finding_count);
    table.text_or_null("peer_view", c.peer_view, put_conversation);
    let router = c.router;
    table.integer_or_null("router_time_us.min", router.map(|time| micros(time.min_ns)));
    table.integer_or_null(
        "router_time_us.mean",
        router.map(|time| micros(time.mean_ns())),
    );
    table.integer_or_null("router_time_us.max", router.map(|time| micros(time.max_ns)));
    table.end_row();
}

fn put_endpoint(table: &mut Table, names: [&str; 3], endpoint: &Endpoint) {
    let [address, nickname, hash] = names;
    table.made_of(address, endpoint.address, |out| {
        put_address(out, endpoint.address);
    });
    table.text_or_null(nickname, endpoint.nickname.as_deref(), put);
    table.text_or_null(hash, endpoint.hash, put_display);
}

fn put_tally(table: &mut Table, names: [&str; 2], tally: Tally) {
    let [messages, bytes] = names;
    table.count(messages, tally.message_count);
    table.count(bytes, tally.payload_bytes);
}

pub(super) fn put_finding(table: &mut Table, finding: &Finding) {
    table.word("level", finding.level.name());
    table.word("code", finding.code.code());
    table.count_or_null("n", finding.message);
    table.count_or_null("packet_n", finding.packet);
    table.text_or_null("conv", finding.conversation, put_conversation);
    table.text("text", |out| put(out, &finding.text));
    table.text("detail", |out| put_detail(out, finding));
    table.end_row();
}
