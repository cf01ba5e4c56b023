use std::{env, fs};

use super::*;
use crate::conversation::FindingCode;

const DOCUMENT: &str = include_str!("../../docs/json.md");

fn type_name(column: &Column) -> String {
    let name = match column.shape {
        Shape::Value(FieldKind::Number(_) | FieldKind::Size | FieldKind::Micros) => "number",
        Shape::Value(FieldKind::Codes) | Shape::Words(_) => "array of strings",
        Shape::Value(_) | Shape::Code | Shape::Constant(_) => "string",
        Shape::Bool => "bool",
        Shape::Objects(_) => "array",
        Shape::Numbers(_) | Shape::Counts(_) | Shape::SomeCounts | Shape::Details => "object",
    };
    let or_null = if column.is_nullable { " or null" } else { "" };
    format!("{name}{or_null}")
}

fn table_of(table: &Table) -> String {
    let rows = table.columns().map(|column| {
        let meaning = match column.shape {
            Shape::Constant(text) => format!("`{text}`"),
            _ => column.meaning.to_owned(),
        };
        format!(
            "| `{}` | {} | {meaning} |\n",
            column.name,
            type_name(&column)
        )
    });
    format!(
        "| key | type | meaning |\n|---|---|---|\n{}",
        rows.collect::<String>()
    )
}

fn table_of_codes() -> String {
    let rows = FindingCode::ALL.iter().map(|code| {
        let (level, meaning) = (code.level(), code.meaning());
        format!("| `{code}` | {level} | {meaning} |\n")
    });
    format!(
        "| code | level | meaning |\n|---|---|---|\n{}",
        rows.collect::<String>()
    )
}

/// The document with this as the first table below a heading.
fn with_table(document: &str, heading: &str, table: &str) -> String {
    let below = document.find(&format!("\n{heading}\n")).expect(heading);
    let start = below + document[below..].find("\n| ").expect(heading) + 1;
    let end = start + document[start..].find("\n\n").expect(heading) + 1;
    [&document[..start], table, &document[end..]].concat()
}

#[test]
fn the_document_has_the_columns_and_the_codes_of_findings() {
    let mut expected = with_table(DOCUMENT, "An input:", &table_of(INPUT));
    for table in [HEADER, MESSAGE, CONVERSATION, FINDING, SUMMARY] {
        expected = with_table(&expected, &format!("## `{}`", table.name), &table_of(table));
    }
    expected = with_table(&expected, "### Finding codes", &table_of_codes());
    if env::var_os("MINISTREAM_BLESS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/json.md");
        return fs::write(path, expected).unwrap();
    }
    assert!(
        DOCUMENT == expected,
        "docs/json.md lacks what the tables say; \
         MINISTREAM_BLESS=1 cargo test --all-features --lib columns:: writes it anew"
    );
}

#[test]
fn every_value_of_an_enumeration_is_documented() {
    for table in [HEADER, INPUT, MESSAGE, CONVERSATION, FINDING, SUMMARY] {
        for column in table.columns() {
            let (Shape::Value(FieldKind::Word(words)) | Shape::Words(words)) = column.shape else {
                continue;
            };
            for word in words {
                assert!(DOCUMENT.contains(&format!("`{word}`")), "{word}");
            }
        }
    }
}

#[test]
fn descriptions_are_the_text_of_the_document_without_its_marks() {
    let schema: serde_json::Value = serde_json::from_str(&json_schema()).unwrap();
    let described = |name: &str, column: &str| {
        schema["$defs"][name]["properties"][column]["description"].clone()
    };
    assert_eq!(
        described("header", "redacted"),
        "what --redact replaced in all records: payload, dest; empty without it"
    );
    assert_eq!(
        described("input", "link_type_number"),
        "its number in the registry of link types; 101 for every kind of raw IP"
    );
    assert_eq!(
        described("message", "payload_text"),
        r"its first 64 bytes as text, escaped (\n, \x1b, \u{202e}, \\), with … if there are more; null with --payload none"
    );
}
