//! Nothing that a capture holds drives the terminal that shows it.

use std::process::Command;

use crate::shelf;

/// Every way to show messages, conversations and bytes as text.
const OUTPUTS: [&[&str]; 17] = [
    &[],
    &["-V"],
    &["-x"],
    &["--ascii"],
    &["--id-format", "both"],
    &["-T", "text"],
    &["-T", "spec"],
    &["-T", "json"],
    &["-T", "ndjson"],
    &["-T", "csv"],
    &["-T", "fields", "-e", "payload_text", "-e", "session"],
    &[
        "-q", "-z", "conv", "-z", "types", "-z", "timing", "-z", "findings",
    ],
    &["-q", "-z", "follow,c1"],
    &["--ladder", "text"],
    &["--ladder", "text", "--ascii"],
    &["--ladder", "mermaid"],
    &["-z", "ladder,c1,svg"],
];

#[test]
fn no_output_of_any_capture_holds_a_control_character() {
    let mut shown = Vec::new();
    for name in shelf::names() {
        for arguments in OUTPUTS {
            let output = Command::new(env!("CARGO_BIN_EXE_ministream-dump"))
                .args(arguments)
                .args(["--color", "never", "--lenient"])
                .arg(shelf::directory().join(&name))
                .output()
                .unwrap();
            let ended_well = output.status.success();
            let text = String::from_utf8([output.stdout, output.stderr].concat())
                .unwrap_or_else(|error| panic!("{name} {arguments:?}: {error}"));
            let has_none =
                text.contains("there is no conversation c1\n    help: the capture has none");
            assert!(ended_well || has_none, "{name} {arguments:?}: {text}");
            // RFC 4180 ends the lines of CSV with CR LF.
            let text = text.replace("\r\n", "\n");
            if let Some(bad) = text.chars().find(|&one| drives_a_terminal(one)) {
                shown.push(format!("{name} {arguments:?}: {bad:?}"));
            }
        }
    }
    assert!(shown.is_empty(), "{shown:#?}");
}

/// Control characters but for the line feed and the tab, and what changes the
/// direction of text or is not seen.
fn drives_a_terminal(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}' => true,
        other => other.is_control(),
    }
}
