//! `--generate`: what is printed is of use to those who ask for it.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::run::dump;
use crate::schema::Schema;

fn schema() -> Schema {
    Schema::new(serde_json::from_str(&dump("--generate schema").ok()).unwrap())
}

/// Why a value that must not satisfy the schema does not.
#[track_caller]
fn error_of(schema: &Schema, value: &Value) -> String {
    schema
        .check(value)
        .expect_err(&format!("satisfies the schema: {value}"))
}

/// Every shipped capture, by its path.
pub(crate) fn captures() -> Vec<String> {
    let mut paths = Vec::new();
    for folder in ["captures", "captures/real"] {
        let root = env!("CARGO_MANIFEST_DIR");
        for entry in fs::read_dir(format!("{root}/{folder}")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.contains(".pcap") {
                paths.push(format!("{folder}/{name}"));
            }
        }
    }
    assert!(paths.len() > 90, "{paths:?}");
    paths
}

/// The keys of a line of a kind, by the schema: all of them, in their order.
fn required(schema: &Value, kind: &str) -> Vec<String> {
    serde_json::from_value(schema["$defs"][kind]["required"].clone()).unwrap()
}

#[test]
fn records_of_every_shipped_capture_satisfy_the_schema() {
    let source = dump("--generate schema").ok();
    let source: Value = serde_json::from_str(&source).unwrap();
    let schema = schema();
    for path in captures() {
        let written = dump(&format!("--lenient -T ndjson {path}"));
        assert_eq!(written.code, Some(0), "{path}: {}", written.stderr);
        for line in written.stdout.lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            assert_eq!(schema.check(&record), Ok(()), "{path}: {line}");
            let keys = required(&source, record["record"].as_str().unwrap());
            assert_eq!(record.as_object().unwrap().len(), keys.len(), "{line}");
            let mut rest = line;
            for key in keys {
                // Within a string the quotes would be escaped.
                let found = rest.split_once(&format!("\"{key}\":"));
                rest = found.unwrap_or_else(|| panic!("{path}: {key}: {line}")).1;
            }
        }
    }
}

#[test]
fn the_object_of_all_records_satisfies_the_schema() {
    let schema = schema();
    for path in ["spec-samples.pcap", "i2cp-java.pcap", "empty.pcap"] {
        let object = dump(&format!("--json captures/{path}")).ok();
        let object = serde_json::from_str(&object).unwrap();
        assert_eq!(schema.check(&object), Ok(()), "{path}");
    }
}

#[test]
fn what_no_record_looks_like_does_not_satisfy_the_schema() {
    let schema = schema();
    let written = dump("-T ndjson captures/spec-samples.pcap").ok();
    let records: Vec<Value> = written
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for record in &records {
        for key in record.as_object().unwrap().keys() {
            let mut lacking = record.clone();
            lacking.as_object_mut().unwrap().remove(key);
            error_of(&schema, &lacking);
            let mut wrong = record.clone();
            wrong[key] = json!({"of": "another kind"});
            if key != "detail" && key != "skipped" {
                error_of(&schema, &wrong);
            }
        }
    }
}

/// What bash offers in place of the last of these words.
fn offered(words: &str) -> String {
    let script = dump("--generate completions-bash").ok();
    let request = format!(
        "COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
         set -- $(complete -p ministream-dump); while [ \"$1\" != -F ]; do shift; done\n\
         $2 ministream-dump \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"\n\
         echo \"${{COMPREPLY[*]}}\"\n"
    );
    let output = Command::new("bash")
        .args(["-c", &format!("{script}\n{request}")])
        .output()
        .unwrap();
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.success(), &*complaints), (true, ""));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn bash_completes_a_flag_and_its_values() {
    assert_eq!(offered("ministream-dump --whole"), "--whole-conv\n");
    assert_eq!(offered("ministream-dump --fail-on w"), "warn\n");
    assert_eq!(offered("ministream-dump --generate m"), "man\n");
}

#[test]
fn every_shell_is_given_completions_that_name_every_flag() {
    let help = dump("--help").ok();
    let flags: Vec<&str> = help
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("--"))
        .filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
        .collect();
    assert!(flags.contains(&"generate") && flags.len() > 15, "{flags:?}");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = dump(&format!("--generate completions-{shell}")).ok();
        for flag in &flags {
            assert!(script.contains(flag), "{shell} lacks {flag}");
        }
    }
}

#[test]
fn the_manual_names_every_section_of_the_help() {
    let page = dump("--generate man").ok();
    assert_eq!(
        page.lines().nth(2),
        Some(&*format!(
            ".TH ministream-dump 1  \"ministream-dump {}\" ",
            env!("CARGO_PKG_VERSION")
        ))
    );
    let headings: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix(".SH "))
        .map(|heading| heading.trim_matches('"'))
        .collect();
    assert_eq!(
        headings,
        [
            "NAME",
            "SYNOPSIS",
            "DESCRIPTION",
            "OPTIONS",
            "LIVE CAPTURE",
            "SELECTION",
            "OUTPUT",
            "CHECKS",
            "EXAMPLES",
            "EXIT STATUS",
            "VERSION",
        ]
    );
}

#[test]
fn what_is_unknown_is_refused_with_what_there_is() {
    assert_eq!(
        dump("--generate completions-csh").reason(),
        "invalid value 'completions-csh' for '--generate <WHAT>'\n  [possible values: \
         completions-bash, completions-zsh, completions-fish, completions-powershell, \
         completions-elvish, man, schema, wireshark-lua]"
    );
}
