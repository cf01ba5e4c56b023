//! Every shipped capture gives exactly the findings and conversations that
//! `expected.txt` lists.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use ministream::conversation::{Conversation, Finding, FindingCode};

use crate::recording::Recording;
use crate::{recording, shelf};

/// A block for each capture: its name with the number of messages and the
/// carriers, then its findings in the order in which they are told, then its
/// conversations by name.
///
/// `level code #message conversation`, and `name state client-id/server-id`
/// with DATA messages/bytes from the client and from the server, and the other
/// view of the same conversation on I2CP.
const EXPECTED: &str = include_str!("expected.txt");

#[test]
fn every_capture_gives_the_findings_and_conversations_that_are_listed() {
    let expected = blocks(EXPECTED);
    let mut listed: BTreeSet<&str> = expected.keys().copied().collect();
    let mut wrong = String::new();
    for name in shelf::names() {
        listed.remove(name.as_str());
        let actual = render(&name, &recording::of_file(&shelf::directory().join(&name)));
        if expected.get(name.as_str()) != Some(&actual.trim_end()) {
            wrong.push_str(&actual);
        }
    }
    assert!(
        wrong.is_empty(),
        "not as in expected.txt; these captures now give:\n{wrong}"
    );
    assert!(listed.is_empty(), "no such captures: {listed:?}");
}

#[test]
fn every_finding_code_is_provoked_by_a_capture() {
    // Only a live capture can tell what the kernel dropped, no shipped one fills the
    // memory (`tests/dump/busy.rs` does), and none comes with the secrets of TLS
    // (`tests/tunnel/tls/looked_into.rs` has its own).
    let not_shipped = [
        FindingCode::CaptureDropped,
        FindingCode::CaptureEvicted,
        FindingCode::TlsUnreadable,
        FindingCode::TlsUnprovenSyn,
    ];
    for code in FindingCode::ALL {
        let provoked = EXPECTED.contains(&format!(" {code} "));
        assert_eq!(provoked, !not_shipped.contains(code), "{code}");
    }
}

fn blocks(text: &str) -> BTreeMap<&str, &str> {
    text.trim_end()
        .split("\n\n")
        .map(|block| (block.split(':').next().unwrap_or(block), block))
        .collect()
}

fn render(name: &str, recording: &Recording) -> String {
    let carriers: BTreeSet<&str> = recording
        .flows
        .iter()
        .map(|flow| flow.carrier.name())
        .collect();
    let carriers: Vec<&str> = carriers.into_iter().collect();
    let count = recording.messages.len();
    let mut text = format!("{name}: {count} messages, {}", carriers.join(" "));
    text.truncate(text.trim_end_matches([' ', ',']).len());
    text.push('\n');
    for finding in &recording.findings {
        writeln!(text, "  {}", finding_line(finding)).unwrap();
    }
    let mut conversations: Vec<&Conversation> = recording.conversations.iter().collect();
    conversations.sort_by_key(|conversation| conversation.id);
    for conversation in conversations {
        writeln!(text, "  {}", conversation_line(conversation)).unwrap();
    }
    text.push('\n');
    text
}

fn finding_line(finding: &Finding) -> String {
    let message = finding.message.map(|number| format!("#{number}"));
    format!(
        "{} {} {} {}",
        finding.level,
        finding.code,
        or_dash(message),
        or_dash(finding.conversation)
    )
}

fn conversation_line(conversation: &Conversation) -> String {
    let mut line = format!(
        "{} {} {}/{} {}/{} {}/{}",
        conversation.id,
        conversation.state.name(),
        or_dash(conversation.client_id),
        or_dash(conversation.server_id),
        conversation.c2s.message_count,
        conversation.c2s.payload_bytes,
        conversation.s2c.message_count,
        conversation.s2c.payload_bytes,
    );
    if let Some(other) = conversation.peer_view {
        write!(line, " = {other}").unwrap();
    }
    line
}

fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}
