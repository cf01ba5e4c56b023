//! Texts that users write: filters, rules, faults, scripts, records, key files, key logs.

use std::io::{self, Cursor};

use arbitrary::{Result, Unstructured};
use ministream::carrier::tls::KeyLog;
use ministream::dissect::DecodeAs;
use ministream::fault::{FaultLines, FaultSpec};
use ministream::keys::Keys;
use ministream::proxy::Rule;
use ministream::record::RecordReader;
use ministream::replay::inject;
use ministream::replay::{MidStream, NdjsonReader, Wanted};
use ministream::select::filter::{Filter, FilterHint};

/// Nothing panics or takes long. Errors have words and no control characters, and those of filters
/// point into the text. A fault that was read is the same when it is written and read again, and so are keys.
pub fn run(data: &[u8]) {
    crate::given(data, check);
}

fn check(input: &mut Unstructured<'_>) -> Result<()> {
    let kind = input.int_in_range(0..=7)?;
    let bytes = input.bytes(input.len())?;
    let text = String::from_utf8_lossy(bytes);
    match kind {
        0 => check_filter(&text),
        1 => {
            drop(Rule::parse(&text).map_err(|error| say(&error)));
            drop(Rule::parse_file(&text, FilterHint::to_string).map_err(|error| say(&error)));
        }
        2 => check_faults(&text),
        3 => {
            let mut files = |_: &str| -> io::Result<Vec<u8>> { Ok(b"file".to_vec()) };
            drop(inject::parse(&text, &mut files).map_err(|error| say(&error)));
        }
        4 => {
            let wanted = Wanted {
                named: None,
                mid_stream: MidStream::Include,
            };
            let read = NdjsonReader::new(Cursor::new(bytes), wanted).read();
            drop(read.map_err(|error| say(&error)));
        }
        5 => {
            let opened = RecordReader::open(Cursor::new(bytes));
            if let Ok(mut records) = opened.map_err(|error| say(&error)) {
                while let Ok(Some(_)) = records.next_record().map_err(|error| say(&error)) {}
            }
        }
        6 => match Keys::from_bytes(bytes) {
            Ok(keys) => assert_eq!(keys.to_bytes(), bytes, "keys are written as they were read"),
            Err(error) => say(&error),
        },
        _ => {
            if let Err(error) = text.parse::<DecodeAs>() {
                say(&error);
            }
            match KeyLog::parse(&text) {
                Ok(log) => assert!(log.connection_count() <= text.lines().count()),
                Err(error) => say(&error),
            }
        }
    }
    Ok(())
}

/// What an error says has no control characters but the end of a line.
fn say(error: &dyn std::error::Error) {
    let said = error.to_string();
    assert!(!said.is_empty(), "an error without words");
    let stray = said.chars().find(|&c| c.is_control() && c != '\n');
    assert_eq!(stray, None, "control character in {said:?}");
}

fn check_filter(text: &str) {
    if let Err(error) = Filter::parse(text) {
        say(&error);
        let span = error.span();
        assert!(
            text.get(span.clone()).is_some(),
            "{span:?} is not a part of {text:?}"
        );
    }
}

fn check_faults(text: &str) {
    match text.parse::<FaultSpec>() {
        Ok(spec) => {
            let written = spec.to_string();
            let again: FaultSpec = written.parse().expect("faults that we wrote");
            assert_eq!(again, spec, "{text:?} was written as {written:?}");
        }
        Err(error) => say(&error),
    }
    drop(text.parse::<FaultLines>().map_err(|error| say(&error)));
}
