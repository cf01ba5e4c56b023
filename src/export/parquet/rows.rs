//! The rows of the tables: the contents of the JSON records, cell by cell.

use super::schema::PAYLOAD;
use super::table::Table;
use crate::columns::EachColumn;
use crate::conversation::{Finding, MessageEvent};
use crate::field::{Field, PayloadDetail, Value};
use crate::record::{Cells, preview_source, put_detail};
use crate::text::write::{put, put_address, put_conversation, put_display, put_hex, put_id};

/// A message, with as much of its payload as `payload` says.
pub(super) struct MessageRow<'a> {
    pub(super) table: &'a mut Table,
    pub(super) event: &'a MessageEvent<'a>,
    pub(super) payload: PayloadDetail,
}

impl EachColumn for MessageRow<'_> {
    #[inline(always)]
    fn column(&mut self, field: Field) {
        let table = &mut *self.table;
        match (field, field.shown_value(self.event, self.payload)) {
            (Field::PayloadHex, Value::Null) => table.null(PAYLOAD),
            (Field::PayloadHex, Value::Bytes(bytes)) => {
                table.text(PAYLOAD, |out| out.extend_from_slice(bytes));
            }
            // A preview is made of them by the thread that encodes the column.
            (Field::PayloadText, Value::Bytes(bytes)) => {
                let start = preview_source(bytes);
                table.text(field.name(), |out| out.extend_from_slice(start));
            }
            (_, value) => table.put(field.name(), value),
        }
    }
}

impl Cells for Table {
    #[inline(always)]
    fn put(&mut self, name: &'static str, value: Value<'_>) {
        match value {
            Value::Null => self.null(name),
            Value::Number(number) => self.integer(name, number),
            Value::Time(time) => self.integer(name, time.as_nanos()),
            Value::Text(text) => self.text(name, |out| put(out, text)),
            Value::Word(word) => self.word(name, word),
            Value::Level(level) => self.word(name, level.name()),
            Value::Id(id) => self.made_of(name, id, |out| put_id(out, id)),
            Value::Conversation(id) => self.made_of(name, id, |out| put_conversation(out, id)),
            Value::Address(address) => {
                self.made_of(name, address, |out| put_address(out, address));
            }
            Value::Hash(hash) => self.text(name, |out| put_display(out, hash)),
            Value::Bytes(bytes) => self.text(name, |out| put_hex(out, bytes)),
            Value::Encapsulation(encapsulation) => {
                self.text(name, |out| put_display(out, encapsulation));
            }
            Value::Codes(findings) => {
                self.words(name, findings.iter().map(|finding| finding.code.code()));
            }
        }
    }

    fn put_numbers<const N: usize>(
        &mut self,
        name: &'static str,
        numbers: Option<[(&'static str, i64); N]>,
    ) {
        for index in 0..N {
            match numbers {
                Some(numbers) => {
                    let (member, number) = numbers[index];
                    debug_assert!(self.is_next(name, member), "{name}.{member}");
                    self.integer(name, number);
                }
                None => self.null(name),
            }
        }
    }

    fn put_detail(&mut self, name: &'static str, finding: &Finding) {
        self.text(name, |out| put_detail(out, finding));
    }
}
