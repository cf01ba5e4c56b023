//! The columns: names and types of the JSON records, as Parquet says them.
//!
//! A test holds these texts against the JSON Schema of the records
//! ([`JSON_SCHEMA`](crate::record::JSON_SCHEMA)): a key that is added there must be
//! added here. What a record is (`record`) the directory says.

use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::TypePtr;

use crate::record::{SCHEMA, put_redacted};
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

    pub(super) const fn columns(self) -> &'static str {
        match self {
            Self::Messages => MESSAGE,
            Self::Conversations => CONVERSATION,
            Self::Findings => FINDING,
        }
    }

    pub(super) fn schema(self) -> TypePtr {
        Arc::new(parse_message_type(self.columns()).expect("the texts below are schemas"))
    }
}

const MESSAGE: &str = "message message {
    required int64 n;
    required int64 packet_n;
    required int64 ts (TIMESTAMP(NANOS, true));
    required int64 t_us;
    required binary carrier (STRING);
    required binary src (STRING);
    required binary dst (STRING);
    optional binary dir (STRING);
    required binary type (STRING);
    optional int64 type_byte;
    optional binary id (STRING);
    optional binary id_owner (STRING);
    optional binary conv (STRING);
    required binary meaning (STRING);
    required int64 payload_bytes;
    optional binary payload;
    optional binary payload_text (STRING);
    optional binary short_hex (STRING);
    optional binary server_id (STRING);
    optional binary destination_hash (STRING);
    optional int64 session;
    optional binary session_name (STRING);
    optional int64 router_us;
    optional int64 sent_n;
    optional binary encapsulation (STRING);
    required group findings (LIST) {
        repeated group list {
            required binary element (STRING);
        }
    }
}";

const CONVERSATION: &str = "message conversation {
    required binary conv (STRING);
    required binary client (STRING);
    optional binary client_name (STRING);
    optional binary client_hash (STRING);
    required binary server (STRING);
    optional binary server_name (STRING);
    optional binary server_hash (STRING);
    required binary carrier (STRING);
    optional binary client_id (STRING);
    optional binary server_id (STRING);
    required binary state (STRING);
    required int64 start_t_us;
    required int64 duration_us;
    optional int64 handshake_us;
    optional int64 first_byte_us;
    required group c2s {
        required int64 message_count;
        required int64 payload_bytes;
    }
    required group s2c {
        required int64 message_count;
        required int64 payload_bytes;
    }
    required int64 finding_count;
    optional binary peer_view (STRING);
    optional group router_time_us {
        required int64 min;
        required int64 mean;
        required int64 max;
    }
}";

const FINDING: &str = "message finding {
    required binary level (STRING);
    required binary code (STRING);
    optional int64 n;
    optional int64 packet_n;
    optional binary conv (STRING);
    required binary text (STRING);
    required binary detail (JSON);
}";

/// Columns of bytes or text that is seldom the same twice: a dictionary would be in vain, and
/// so would be the least and the greatest.
pub(super) const MANIFOLD: [&str; 3] = ["payload", "payload_text", "detail"];

/// The column of previews of payloads.
pub(super) const PREVIEW: &str = "payload_text";

/// Tables and their columns of texts that do not come again in this table.
pub(super) const KEYS: [(&str, &str); 3] = [
    ("conversation", "conv"),
    ("conversation", "client_id"),
    ("conversation", "server_id"),
];

/// Columns of short texts that come again: names of things, addresses, and what a message has
/// in common with others of its conversation.
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

/// How columns are written, and what files say about themselves: as much of the header
/// record as is the same for all of them.
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
