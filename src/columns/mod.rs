//! The columns of the records, once: their names, types and meanings.
//!
//! Made of them are the JSON Schema, the columns of Parquet files, the fields of filters and of
//! `-e`, those of the dissector for Wireshark, and the tables of `docs/json.md`. Tests compare
//! with them what is written to JSON by hand, for speed.

mod json_schema;
mod tables;
#[cfg(test)]
mod tests;

pub use self::json_schema::json_schema;
pub use self::tables::Field;
#[cfg(any(test, feature = "parquet"))]
pub(crate) use self::tables::{CONVERSATION, FINDING};
#[cfg(test)]
pub(crate) use self::tables::{HEADER, INPUT, SUMMARY};
pub(crate) use self::tables::{
    MESSAGE, STATE_NAMES, TYPE_NAMES, of_conversation, of_finding, of_router_time, of_tally,
};

/// Name and version of the schema of the records, as in the header record.
pub const SCHEMA: &str = "ministream.dump/1";

/// A kind of record, or of objects within one.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) nesting: Nesting,
    /// All but the `record` of a line.
    pub(crate) columns: &'static [Column],
}

/// The place of objects with the same columns.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Nesting {
    /// Each is a line; its kind is in the column `record`.
    Line,
    /// In a list in a record.
    List,
}

/// A key of a JSON record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    /// Its name; that of a quantity ends in its unit: `_us`, `_bytes`, `_count`.
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    /// Whether it may be null: unknown, or not applicable.
    pub(crate) is_nullable: bool,
    /// Its meaning, in Markdown.
    pub(crate) meaning: &'static str,
}

/// The form of a column's values.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// A value that messages can have, too.
    Value(FieldKind),
    /// Always this text.
    Constant(&'static str),
    Bool,
    /// The code of a finding.
    Code,
    /// Some of a few words.
    Words(&'static [&'static str]),
    /// Numbers that have names.
    Numbers(&'static Numbers),
    /// Number of each.
    Counts(&'static [&'static str]),
    /// The same, where more may come to be.
    SomeCounts,
    /// Numbers and texts with names that depend on other columns.
    Details,
    /// A list of objects.
    Objects(&'static Table),
}

/// Numbers that stand together in several columns.
#[derive(Debug)]
pub(crate) struct Numbers {
    pub(crate) name: &'static str,
    pub(crate) members: &'static [&'static str],
    pub(crate) kind: FieldKind,
}

/// The kind of a field's values, and so of those that a filter may compare them with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// A whole number.
    Number(Range),
    /// A whole number of bytes.
    Size,
    /// A whole number of microseconds.
    Micros,
    /// A moment, RFC 3339.
    Time,
    /// One of a few words.
    Word(&'static [&'static str]),
    /// Any text.
    Text,
    /// Six hex digits.
    Id,
    /// A conversation, `c1`.
    Conversation,
    /// An address with its port.
    Address,
    /// Payload bytes, compared with text.
    Bytes,
    /// Payload bytes, compared with hex digits.
    HexBytes,
    /// The hash of a destination.
    Hash,
    /// The codes of findings.
    Codes,
    /// The highest level of any finding.
    Level,
}

/// The range of the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// From 1 on.
    Ordinal,
    /// From 0 on.
    Count,
    /// From 0 to this.
    UpTo(u8),
}

/// Something that is done for columns of messages.
pub(crate) trait EachColumn {
    fn column(&mut self, field: Field);
}

impl Table {
    /// Every column, in order.
    pub(crate) fn columns(&self) -> impl Iterator<Item = Column> {
        let record = Column {
            name: "record",
            shape: Shape::Constant(self.name),
            is_nullable: false,
            meaning: "",
        };
        let record = (self.nesting == Nesting::Line).then_some(record);
        record.into_iter().chain(self.columns.iter().copied())
    }
}

/// A table of fields: an enum whose variants know their name, kind and meaning.
macro_rules! fields {
    ($(#[$doc:meta])* $table:ident; $($variant:ident = $name:literal, $kind:expr, $about:literal;)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $table {
            $(#[doc = $about] $variant,)*
        }

        impl $table {
            /// Every field, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The kind of its values.
            pub const fn kind(self) -> $crate::columns::FieldKind {
                match self { $(Self::$variant => $kind,)* }
            }

            /// Its meaning, in a line.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$variant => $about,)* }
            }
        }
    };
}
pub(crate) use fields;
