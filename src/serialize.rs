//! The traits of `serde` for records and values, with the feature `serde`.
//!
//! A [`MessageEvent`], a [`Conversation`] and a [`Finding`] are serialized as their records: with
//! the names and values that `-T ndjson` writes. Values are as in records: texts, names and
//! numbers.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::carrier::Carrier;
use crate::columns::EachColumn;
use crate::conversation::{
    Conversation, ConversationId, ConversationState, DetailName, Finding, FindingCode,
    FindingDetail, Level, MessageEvent, SessionId,
};
use crate::field::{Field, Value};
use crate::ndjson::NdjsonError;
use crate::record::{Cells, put_conversation, put_finding, put_preview, read_finding};
#[cfg(feature = "endpoints")]
use crate::replay::{ReplayResult, Verdict};
use crate::time::Timestamp;
use crate::wire::{ClientId, DestinationHash, Direction, FrameType, ServerId, StreamId};

/// Reads a text as `T`.
struct Text<T> {
    /// The expected text, for errors.
    expected: &'static str,
    read: fn(&str) -> Option<T>,
}

impl<T> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// Types that `Display` writes and `FromStr` reads.
macro_rules! as_text {
    ($($type:ty: $expected:literal,)*) => {
        $(
            #[doc = concat!("As text: ", $expected, ".")]
            impl Serialize for $type {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }

            impl<'de> Deserialize<'de> for $type {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    deserializer.deserialize_str(Text {
                        expected: $expected,
                        read: |text| Self::from_str(text).ok(),
                    })
                }
            }
        )*
    };
}

as_text! {
    StreamId: "an id as six hex digits",
    ClientId: "an id as six hex digits",
    ServerId: "an id as six hex digits",
    ConversationId: "a conversation, as in c3",
    DestinationHash: "a destination hash in I2P's base64",
    Timestamp: "a time of RFC 3339",
}

/// Types of which every value has a name.
macro_rules! as_name {
    ($($type:ty, $name:ident: $expected:literal,)*) => {
        $(
            #[doc = concat!("By its name: ", $expected, ".")]
            impl Serialize for $type {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.serialize_str(self.$name())
                }
            }

            impl<'de> Deserialize<'de> for $type {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    deserializer.deserialize_str(Text {
                        expected: $expected,
                        read: Self::named,
                    })
                }
            }
        )*
    };
}

as_name! {
    Carrier, name: "a carrier, as in tcp_u32be",
    ConversationState, name: "a state, as in server_closed",
    DetailName, name: "the name of a detail, as in payload_bytes",
    Direction, name: "c2s or s2c",
    FindingCode, code: "a finding's code, as in ms.unknown_type",
    Level, name: "note, warn or error",
}

#[cfg(feature = "endpoints")]
as_name! {
    ReplayResult, name: "a result, as in no_reply",
    Verdict, name: "passed or failed",
}

/// Types that are one number.
macro_rules! as_number {
    ($($type:ident($number:ty): $what:literal,)*) => {
        $(
            #[doc = concat!("As a number: ", $what, ".")]
            impl Serialize for $type {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    self.0.serialize(serializer)
                }
            }

            impl<'de> Deserialize<'de> for $type {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    <$number>::deserialize(deserializer).map(Self)
                }
            }
        )*
    };
}

as_number! {
    FrameType(u8): "the type byte of a message",
    SessionId(u32): "its place among the sessions of a dissection",
}

/// A number, or text.
impl Serialize for FindingDetail {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// As in a message's record.
impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Null => serializer.serialize_none(),
            Self::Number(number) => serializer.serialize_i64(number),
            Self::Time(time) => time.serialize(serializer),
            Self::Text(text) | Self::Word(text) => serializer.serialize_str(text),
            Self::Id(id) => id.serialize(serializer),
            Self::Conversation(id) => id.serialize(serializer),
            Self::Address(address) => serializer.collect_str(&address),
            Self::Bytes(bytes) => serializer.serialize_str(&hex::encode(bytes)),
            Self::Hash(hash) => hash.serialize(serializer),
            Self::Encapsulation(wrappers) => serializer.collect_str(&wrappers),
            Self::Codes(findings) => serializer.collect_seq(findings.iter().map(|one| one.code)),
            Self::Level(level) => level.serialize(serializer),
        }
    }
}

/// A record that is being serialized. A caller that names its columns one by one cannot stop at an
/// error: the first is kept, and nothing follows it.
struct Entries<M: SerializeMap> {
    map: M,
    failed: Result<(), M::Error>,
}

impl<M: SerializeMap> Entries<M> {
    /// Begins a record of that kind.
    fn begin<S>(kind: &'static str, serializer: S) -> Result<Self, S::Error>
    where
        S: Serializer<SerializeMap = M, Error = M::Error>,
    {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("record", kind)?;
        Ok(Self {
            map,
            failed: Ok(()),
        })
    }

    fn entry(&mut self, name: &'static str, value: &impl Serialize) {
        if self.failed.is_ok() {
            self.failed = self.map.serialize_entry(name, value);
        }
    }

    fn end(self) -> Result<M::Ok, M::Error> {
        self.failed?;
        self.map.end()
    }
}

impl<M: SerializeMap> Cells for Entries<M> {
    fn put(&mut self, name: &'static str, value: Value<'_>) {
        self.entry(name, &value);
    }

    fn put_numbers<const N: usize>(
        &mut self,
        name: &'static str,
        numbers: Option<[(&'static str, i64); N]>,
    ) {
        self.entry(name, &numbers.as_ref().map(|numbers| Object(numbers)));
    }

    fn put_detail(&mut self, name: &'static str, finding: &Finding) {
        self.entry(name, &Object(&finding.detail));
    }
}

/// Names with their values, in order.
struct Object<'a, N, V>(&'a [(N, V)]);

impl<N: Serialize, V: Serialize> Serialize for Object<'_, N, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// Its record, as `-T ndjson` writes it, with the whole payload.
impl Serialize for MessageEvent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut columns = MessageColumns {
            event: self,
            entries: Entries::begin("message", serializer)?,
        };
        Field::for_each_column(&mut columns);
        columns.entries.end()
    }
}

struct MessageColumns<'a, M: SerializeMap> {
    event: &'a MessageEvent<'a>,
    entries: Entries<M>,
}

impl<M: SerializeMap> EachColumn for MessageColumns<'_, M> {
    fn column(&mut self, field: Field) {
        let value = field.value(self.event);
        match (field, value) {
            (Field::PayloadText, Value::Bytes(payload)) => {
                let mut text = Vec::new();
                put_preview(&mut text, payload);
                self.entries
                    .entry(field.name(), &String::from_utf8_lossy(&text));
            }
            _ => self.entries.entry(field.name(), &value),
        }
    }
}

/// Its record, as `-T ndjson` writes it.
///
/// There is no `Deserialize`: the record says when it began only in relation to the first packet,
/// which a [`RecordReader`](crate::record::RecordReader) knows.
impl Serialize for Conversation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entries = Entries::begin("conversation", serializer)?;
        put_conversation(self, &mut entries);
        entries.end()
    }
}

/// Its record, as `-T ndjson` writes it.
impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entries = Entries::begin("finding", serializer)?;
        put_finding(self, &mut entries);
        entries.end()
    }
}

/// From its record. Facts of other names than those of this version are passed over.
impl<'de> Deserialize<'de> for Finding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let record = serde_json::Value::deserialize(deserializer)?;
        read_finding(record).map_err(|error| match error {
            // There are no lines here.
            NdjsonError::Field { field, .. } => {
                D::Error::custom(format_args!("{field} is missing or not what it should be"))
            }
            other => D::Error::custom(other),
        })
    }
}

#[cfg(test)]
mod tests;
