//! The columns of the records in Parquet's terms. The kind of record (`record`) is in the
//! directory's name.

use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::TypePtr;

use crate::columns::{
    CONVERSATION, Column, FINDING, FieldKind, MESSAGE, Numbers, SCHEMA, Shape, Table,
};
use crate::field::Field;
use crate::record::put_redacted;
use crate::select::redact::Secrets;

/// A kind of record, which has a table of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TableKind {
    Messages,
    Conversations,
    Findings,
}

impl TableKind {
    pub(super) const ALL: [Self; 3] = [Self::Messages, Self::Conversations, Self::Findings];

    /// The directory of its partitions.
    pub(super) const fn directory(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Conversations => "conversations",
            Self::Findings => "findings",
        }
    }

    const fn table(self) -> &'static Table {
        match self {
            Self::Messages => MESSAGE,
            Self::Conversations => CONVERSATION,
            Self::Findings => FINDING,
        }
    }

    pub(super) fn schema(self) -> TypePtr {
        let Table { name, columns, .. } = self.table();
        let fields: String = columns.iter().map(field_of).collect();
        let schema = parse_message_type(&format!("message {name} {{ {fields} }}"));
        Arc::new(schema.expect("columns have names and types that Parquet has"))
    }
}

/// The column of payload bytes, which records have as hex: readers of columns know bytes.
pub(super) const PAYLOAD: &str = Field::Payload.name();

/// A column, as Parquet says it.
fn field_of(column: &Column) -> String {
    let repetition = if column.is_nullable {
        "optional"
    } else {
        "required"
    };
    let name = column.name;
    let (kind, note) = match column.shape {
        Shape::Value(FieldKind::Number(_) | FieldKind::Size | FieldKind::Micros) => ("int64", ""),
        Shape::Value(FieldKind::Time) => ("int64", " (TIMESTAMP(NANOS, true))"),
        Shape::Value(_) if name == Field::PayloadHex.name() => {
            return format!("{repetition} binary {PAYLOAD};\n");
        }
        Shape::Value(FieldKind::Codes) | Shape::Words(_) => {
            return format!(
                "{repetition} group {name} (LIST) {{
                    repeated group list {{ required binary element (STRING); }}
                }}\n"
            );
        }
        Shape::Numbers(&Numbers { members, .. }) | Shape::Counts(members) => {
            let members = members.iter().map(|name| format!("required int64 {name};"));
            let members = members.collect::<String>();
            return format!("{repetition} group {name} {{ {members} }}\n");
        }
        Shape::Value(_) | Shape::Code | Shape::Constant(_) => ("binary", " (STRING)"),
        Shape::Bool => ("boolean", ""),
        Shape::SomeCounts | Shape::Details | Shape::Objects(_) => ("binary", " (JSON)"),
    };
    format!("{repetition} {kind} {name}{note};\n")
}

/// Columns of bytes or text that is seldom the same twice: a dictionary would be in vain, and
/// so would be the least and the greatest.
pub(super) const MANIFOLD: [&str; 3] = [PAYLOAD, "payload_text", "detail"];

/// The column of previews of payloads.
pub(super) const PREVIEW: &str = "payload_text";

/// Tables and their columns of texts that do not come again in this table.
pub(super) const KEYS: [(&str, &str); 3] = [
    ("conversation", "conv"),
    ("conversation", "client_id"),
    ("conversation", "server_id"),
];

/// Columns of short texts that come again: names, addresses, and values that the messages of a
/// conversation share.
pub(super) const FEW: [&str; 19] = [
    "conv",
    "id",
    "short_hex",
    "server_id",
    "destination_hash",
    "carrier",
    "src",
    "dst",
    "dir",
    "type",
    "id_owner",
    "meaning",
    "session_name",
    "encapsulation",
    "client",
    "server",
    "state",
    "level",
    "code",
];

/// The properties of columns, and the metadata of files: as much of the header record as is the
/// same for all of them.
pub(super) fn properties(redacted: Secrets) -> WriterPropertiesPtr {
    let key_value = |key: &str, value: &str| KeyValue::new(key.to_owned(), value.to_owned());
    let mut names = Vec::new();
    put_redacted(&mut names, redacted);
    let properties = WriterProperties::builder()
        .set_created_by(concat!("ministream ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_key_value_metadata(Some(vec![
            key_value("schema", SCHEMA),
            key_value("tool_version", env!("CARGO_PKG_VERSION")),
            key_value("redacted", &String::from_utf8_lossy(&names)),
        ]))
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .build();
    Arc::new(properties)
}
