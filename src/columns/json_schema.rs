//! The columns as a JSON Schema.

use super::tables::{
    CONVERSATION, COUNT, FINDING, HEADER, INPUT, LEVEL_NAMES, MESSAGE, NEAR_FLOW, ROUTER_TIME,
    SUMMARY, TALLY,
};
use super::{Column, FieldKind, Range, SCHEMA, Shape, Table};
use crate::text::write::{put_json_string, text_of};

/// The schema for programs: JSON Schema, draft 2020-12, of a line of NDJSON and of
/// the object that holds all records.
pub fn json_schema() -> String {
    let mut out = format!(
        r##"{{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "{SCHEMA}",
  "description": "A line of ministream-dump -T ndjson, or the object that -T json writes. Further keys may be added.",
  "oneOf": [
    {{"$ref": "#/$defs/header"}},
    {{"$ref": "#/$defs/message"}},
    {{"$ref": "#/$defs/finding"}},
    {{"$ref": "#/$defs/conversation"}},
    {{"$ref": "#/$defs/summary"}},
    {{"$ref": "#/$defs/object"}}
  ],
  "$defs": {{
"##
    );
    for table in [
        HEADER,
        INPUT,
        MESSAGE,
        CONVERSATION,
        FINDING,
        SUMMARY,
        NEAR_FLOW,
    ] {
        out.push_str(&definition(table));
    }
    for numbers in [TALLY, ROUTER_TIME] {
        let members = object_of(numbers.members, numbers.kind);
        out.push_str(&format!("    \"{}\": {{{members}}},\n", numbers.name));
    }
    out.push_str(DEFINITIONS);
    out
}

/// The definitions that columns refer to, and the end.
const DEFINITIONS: &str = r##"    "object": {
      "description": "What -T json writes.",
      "type": "object",
      "properties": {
        "header": {"$ref": "#/$defs/header"},
        "messages": {"type": "array", "items": {"$ref": "#/$defs/message"}},
        "findings": {"type": "array", "items": {"$ref": "#/$defs/finding"}},
        "conversations": {"type": "array", "items": {"$ref": "#/$defs/conversation"}},
        "summary": {"$ref": "#/$defs/summary"}
      },
      "required": ["header", "messages", "findings", "conversations", "summary"]
    },
    "count": {"type": "integer", "minimum": 0},
    "number": {"type": "integer", "minimum": 1},
    "time": {"type": "string", "pattern": "^-?\\d{4,}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{9}Z$"},
    "id": {"type": "string", "pattern": "^[0-9a-f]{6}$"},
    "conv": {"type": "string", "pattern": "^c[1-9][0-9]*$"},
    "hex": {"type": "string", "pattern": "^([0-9a-f]{2})*$"},
    "hash": {"type": "string", "pattern": "^[A-Za-z0-9~-]{43}=$"},
    "address": {"type": "string", "pattern": "^(\\d+(\\.\\d+){3}|\\[[0-9a-f:.]+\\]):\\d+$"},
    "code": {"type": "string", "pattern": "^[a-z0-9]+\\.[a-z0-9_]+$"}
  }
}
"##;

fn definition(table: &Table) -> String {
    let properties = table.columns().map(|column| {
        let constraint = constraint(&column);
        let described = match column.meaning {
            "" => String::new(),
            meaning => format!("\"description\": {}, ", description(meaning)),
        };
        format!("        \"{}\": {{{described}{constraint}}}", column.name)
    });
    let properties = properties.collect::<Vec<_>>().join(",\n");
    let names: Vec<&str> = table.columns().map(|column| column.name).collect();
    format!(
        r#"    "{}": {{
      "type": "object",
      "properties": {{
{properties}
      }},
      "required": [{}]
    }},
"#,
        table.name,
        quoted(&names),
    )
}

/// The constraint on the values of a column.
fn constraint(column: &Column) -> String {
    let constraint = of_shape(column.shape);
    if column.is_nullable {
        format!(r#""anyOf": [{{{constraint}}}, {{"type": "null"}}]"#)
    } else {
        constraint
    }
}

fn of_shape(shape: Shape) -> String {
    match shape {
        Shape::Value(kind) => of_kind(kind),
        Shape::Constant(text) => format!(r#""const": "{text}""#),
        Shape::Bool => typed("boolean"),
        Shape::Code => reference("code"),
        Shape::Words(words) => list_of(&one_of(words)),
        Shape::Numbers(numbers) => reference(numbers.name),
        Shape::Counts(names) => object_of(names, COUNT),
        Shape::SomeCounts => dictionary_of(&of_kind(COUNT)),
        Shape::Details => dictionary_of(r#""type": ["integer", "string"]"#),
        Shape::Objects(table) => list_of(&reference(table.name)),
    }
}

fn of_kind(kind: FieldKind) -> String {
    match kind {
        FieldKind::Number(Range::Ordinal) => reference("number"),
        FieldKind::Number(Range::Count) | FieldKind::Size => reference("count"),
        FieldKind::Number(Range::UpTo(most)) => {
            format!(r#""type": "integer", "minimum": 0, "maximum": {most}"#)
        }
        FieldKind::Micros => typed("integer"),
        FieldKind::Time => reference("time"),
        FieldKind::Word(words) => one_of(words),
        FieldKind::Level => one_of(LEVEL_NAMES),
        FieldKind::Text | FieldKind::Bytes => typed("string"),
        FieldKind::Id => reference("id"),
        FieldKind::Conversation => reference("conv"),
        FieldKind::Address => reference("address"),
        FieldKind::HexBytes => reference("hex"),
        FieldKind::Hash => reference("hash"),
        FieldKind::Codes => list_of(&reference("code")),
    }
}

fn typed(name: &str) -> String {
    format!(r#""type": "{name}""#)
}

fn reference(definition: &str) -> String {
    format!(r##""$ref": "#/$defs/{definition}""##)
}

fn one_of(words: &[&str]) -> String {
    format!(r#""enum": [{}]"#, quoted(words))
}

fn list_of(constraint: &str) -> String {
    format!(r#""type": "array", "items": {{{constraint}}}"#)
}

fn dictionary_of(constraint: &str) -> String {
    format!(r#""type": "object", "additionalProperties": {{{constraint}}}"#)
}

fn object_of(names: &[&str], kind: FieldKind) -> String {
    let properties = names
        .iter()
        .map(|name| format!(r#""{name}": {{{}}}"#, of_kind(kind)));
    format!(
        r#""type": "object", "properties": {{{}}}, "required": [{}]"#,
        properties.collect::<Vec<_>>().join(", "),
        quoted(names)
    )
}

/// Words of ours, which need no escapes.
fn quoted(words: &[&str]) -> String {
    format!("\"{}\"", words.join("\", \""))
}

/// The text of Markdown, as a string in JSON.
fn description(markdown: &str) -> String {
    let mut text = String::new();
    let mut rest = markdown;
    while let Some((before, link)) = rest.split_once('[')
        && let Some((title, target)) = link.split_once("](")
        && let Some((_, after)) = target.split_once(')')
    {
        text.extend([before, title]);
        rest = after;
    }
    text.push_str(rest);
    text_of(|out| put_json_string(out, &text.replace('`', "")))
}
