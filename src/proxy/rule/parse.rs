//! Rules as they are written: `type == ack && nth == 3: delay 200ms, duplicate`.

use std::sync::Arc;

use super::action::{Action, Ends, IdSource, Made, Payload};
use crate::replay::inject::ScriptError;
use crate::replay::inject::text::{
    Fail, Read, c_string, fail, literal_id, pattern, skip, time, word,
};
use crate::select::filter::{CountingFilter, Filter, FilterError, HintText};
use crate::text::suggest::closest;
use crate::wire::{Direction, FrameType, StreamId};

/// The contents of a rule.
pub(super) struct Parsed {
    pub(super) text: String,
    pub(super) condition: Condition,
    pub(super) actions: Vec<Action>,
}

/// The messages that it is about.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    All,
    Filter(CountingFilter),
}

/// The words that actions begin with.
const VERBS: [&str; 12] = [
    "pass",
    "drop",
    "duplicate",
    "delay",
    "hold",
    "swap",
    "set",
    "replace",
    "truncate",
    "append",
    "inject",
    "close",
];

/// The actions there are, for errors.
const ACTIONS: &str = "there are pass, drop, duplicate, delay TIME, hold until FILTER, \
     swap with next, set id ID, set type 0xNN, replace /RE/ \"TEXT\", truncate BYTES, \
     append PAYLOAD, inject c2s|s2c MESSAGE and close client|server|both";

/// Reads one rule.
pub(super) fn rule(text: &str, line: usize, hint_text: HintText) -> Result<Parsed, ScriptError> {
    let error = |at: usize, problem: String| ScriptError::new(line, text, at, problem);
    let Some(colon) = separator(text) else {
        return Err(error(
            text.trim_end().len(),
            "a rule is a filter, a colon and a space, and what to do: type == ack: drop".to_owned(),
        ));
    };
    let condition = condition(&text[..colon], hint_text)
        .map_err(|(at, problem)| ScriptError::new(line, text, at, problem))?;
    let mut rest = &text[colon + 1..];
    let mut actions = Vec::new();
    loop {
        let (after, action) = action(rest, hint_text).map_err(|failed| at(&failed, line, text))?;
        actions.push(action);
        let after = skip(after);
        if after.is_empty() {
            break;
        }
        rest = after.strip_prefix(',').ok_or_else(|| {
            error(
                text.len() - after.len(),
                "another action comes behind a comma".to_owned(),
            )
        })?;
    }
    Ok(Parsed {
        text: text.trim().to_owned(),
        condition,
        actions,
    })
}

/// The end of the filter: the first colon with a space, or nothing, behind it, that is in no text
/// and in no pattern.
fn separator(text: &str) -> Option<usize> {
    let mut within = None;
    let mut escaped = false;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match within {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(end) if c == end => within = None,
            Some(_) => {}
            None if c == '"' => within = Some('"'),
            None if c == '/' && (before == '~' || text[..at].trim_end().ends_with("matches")) => {
                within = Some('/');
            }
            None if c == ':' => {
                let rest = &text[at + 1..];
                if rest.is_empty() || rest.starts_with([' ', '\t']) {
                    return Some(at);
                }
            }
            None => {}
        }
        if !c.is_whitespace() {
            before = c;
        }
    }
    None
}

/// Which messages a filter admits; the error is the byte at which it is wrong, and why.
fn condition(filter: &str, hint_text: HintText) -> Result<Condition, (usize, String)> {
    if filter.trim() == "all" {
        return Ok(Condition::All);
    }
    CountingFilter::parse(filter)
        .map(Condition::Filter)
        .map_err(|error| (error.span().start, filter_problem(&error, hint_text)))
}

/// The error in a filter and the remedy, in one line.
fn filter_problem(error: &FilterError, hint_text: HintText) -> String {
    match error.meant().map(hint_text) {
        Some(hint) if hint.starts_with('(') => format!("{} {hint}", error.problem()),
        Some(hint) if !hint.is_empty() => format!("{}; {hint}", error.problem()),
        _ => error.problem().to_owned(),
    }
}

fn at(error: &nom::Err<Fail<'_>>, line: usize, text: &str) -> ScriptError {
    match error {
        nom::Err::Error(fail) | nom::Err::Failure(fail) => {
            let at = text.len() - fail.at.len().min(text.len());
            ScriptError::new(line, text, at, fail.problem.clone())
        }
        nom::Err::Incomplete(_) => ScriptError::new(line, text, text.len(), "the rule is cut"),
    }
}

fn action(input: &str, hint_text: HintText) -> Read<'_, Action> {
    let start = skip(input);
    let (rest, verb) = verb_of(start);
    match verb {
        "pass" => Ok((rest, Action::Pass)),
        "drop" => Ok((rest, Action::Drop)),
        "duplicate" => Ok((rest, Action::Duplicate)),
        "delay" => {
            let (rest, late) = time(rest)?;
            Ok((rest, Action::Delay(late)))
        }
        "hold" => hold(rest, hint_text),
        "swap" => {
            let rest = keyword(keyword(rest, "with")?, "next")?;
            Ok((rest, Action::SwapWithNext))
        }
        "set" => set(rest),
        "replace" => {
            let (rest, pattern) = pattern(rest)?;
            let (rest, with) = c_string(skip(rest))?;
            Ok((rest, Action::Replace(pattern, with)))
        }
        "truncate" => {
            let (rest, digits) = verb_of(rest);
            match digits.parse() {
                Ok(bytes) => Ok((rest, Action::Truncate(bytes))),
                Err(_) => fail(skip_to(input, rest, digits), "how many bytes are left?"),
            }
        }
        "append" => {
            let (rest, bytes) = bytes(rest)?;
            Ok((rest, Action::Append(bytes)))
        }
        "inject" => inject(rest),
        "close" => {
            let start = skip(rest);
            let (rest, whom) = verb_of(start);
            let ends = match whom {
                "client" => Ends::Client,
                "server" => Ends::Server,
                "both" => Ends::Both,
                _ => return fail(start, "closed towards client, server or both"),
            };
            Ok((rest, Action::Close(ends)))
        }
        "" => fail(start, format!("what is to be done? {ACTIONS}")),
        _ => match closest(verb, VERBS.into_iter()) {
            Some(near) => fail(
                start,
                format!("unknown action; did you mean `{near}`? {ACTIONS}"),
            ),
            None => fail(start, format!("unknown action; {ACTIONS}")),
        },
    }
}

/// A word that a comma may end.
fn verb_of(input: &str) -> (&str, &str) {
    let start = skip(input);
    let end = start
        .find(|c: char| c.is_whitespace() || c == ',')
        .unwrap_or(start.len());
    (&start[end..], &start[..end])
}

/// The start of a word of which only the rest is known.
fn skip_to<'a>(whole: &'a str, rest: &str, word: &str) -> &'a str {
    &whole[whole.len() - rest.len() - word.len()..]
}

fn keyword<'a>(input: &'a str, expected: &str) -> Result<&'a str, nom::Err<Fail<'a>>> {
    let (rest, found) = verb_of(input);
    if found == expected {
        return Ok(rest);
    }
    Err(nom::Err::Failure(Fail {
        at: skip(input),
        problem: format!("expected `{expected}`"),
    }))
}

fn hold(input: &str, hint_text: HintText) -> Read<'_, Action> {
    let filter = keyword(input, "until")?;
    // A filter may have commas in it, so that it goes on to the end.
    match Filter::parse(filter) {
        Ok(parsed) if parsed.tests_conversations() => fail(
            skip(filter),
            "the outcome of a conversation is not known while its messages pass",
        ),
        Ok(parsed) => Ok(("", Action::HoldUntil(Arc::new(parsed)))),
        Err(error) => {
            let place = filter.get(error.span().start..).unwrap_or("");
            fail(place, filter_problem(&error, hint_text))
        }
    }
}

fn set(input: &str) -> Read<'_, Action> {
    let start = skip(input);
    let (rest, what) = verb_of(start);
    match what {
        "id" => {
            let (rest, id) = id(rest)?;
            Ok((rest, Action::SetId(id)))
        }
        "type" => {
            let place = skip(rest);
            let (rest, digits) = verb_of(rest);
            let byte = digits
                .strip_prefix("0x")
                .and_then(|digits| u8::from_str_radix(digits, 16).ok());
            match byte {
                Some(byte) => Ok((rest, Action::SetType(byte))),
                None => fail(place, "a type is 0x and two hex digits, as in 0x53"),
            }
        }
        _ => fail(start, "expected `id` or `type`"),
    }
}

fn id(input: &str) -> Read<'_, IdSource> {
    let start = skip(input);
    let (rest, text) = verb_of(start);
    let id = match text {
        "$id" => IdSource::Message,
        "$client_id" => IdSource::Client,
        "$server_id" => IdSource::Server,
        "zero" => IdSource::Literal(StreamId::ZERO),
        _ => match literal_id(text) {
            Some(id) => IdSource::Literal(id),
            None => {
                return fail(
                    start,
                    "an id is six hex digits, zero, $id, $client_id or $server_id",
                );
            }
        },
    };
    Ok((rest, id))
}

/// `"text"` or `hex:00ff`.
fn bytes(input: &str) -> Read<'_, Vec<u8>> {
    let start = skip(input);
    if start.starts_with('"') {
        return c_string(start);
    }
    let (rest, text) = verb_of(start);
    match text.strip_prefix("hex:").map(hex::decode) {
        Some(Ok(bytes)) => Ok((rest, bytes)),
        Some(Err(_)) => fail(start, "hex: is followed by pairs of hex digits"),
        None => fail(start, r#"bytes are "text" or hex:00ff"#),
    }
}

fn inject(input: &str) -> Read<'_, Action> {
    let start = skip(input);
    let (rest, name) = verb_of(start);
    let Some(direction) = Direction::named(name) else {
        return fail(start, "injected into which direction, c2s or s2c?");
    };
    let start = skip(rest);
    let (rest, kind) = verb_of(start);
    let frame_type = match (kind, direction) {
        ("hex", _) => {
            let (rest, digits) = word(rest)?;
            return match hex::decode(digits.trim_end_matches(',')) {
                Ok(bytes) if !digits.contains(',') => {
                    Ok((rest, Action::Inject(direction, Made::Raw(bytes))))
                }
                _ => fail(start, "hex is followed by pairs of hex digits"),
            };
        }
        ("ping", _) => {
            let made = Made::Raw(vec![FrameType::CHAFF.0]);
            return Ok((rest, Action::Inject(direction, made)));
        }
        ("syn", _) => FrameType::SYN,
        ("ack", _) => FrameType::ACK,
        ("data", Direction::ClientToServer) => FrameType::CLIENT_DATA,
        ("data", Direction::ServerToClient) => FrameType::SERVER_DATA,
        ("close", Direction::ClientToServer) => FrameType::CLIENT_CLOSE,
        ("close", Direction::ServerToClient) => FrameType::SERVER_CLOSE,
        (other, _) => {
            let digits = other.strip_prefix("type:").unwrap_or("");
            match u8::from_str_radix(digits, 16) {
                Ok(byte) if digits.len() == 2 => FrameType(byte),
                _ => {
                    return fail(
                        start,
                        "a message is syn|ack|data|close|type:XX ID [PAYLOAD], ping, or hex BYTES",
                    );
                }
            }
        }
    };
    let (rest, id) = id(rest)?;
    let (rest, payload) = payload(rest)?;
    Ok((
        rest,
        Action::Inject(direction, Made::Frame(frame_type, id, payload)),
    ))
}

fn payload(input: &str) -> Read<'_, Payload> {
    let start = skip(input);
    if start.is_empty() || start.starts_with(',') {
        return Ok((start, Payload::Bytes(Vec::new())));
    }
    if start.starts_with('$') || verb_of(start).1 == "zero" {
        let (rest, id) = id(start)?;
        return Ok((rest, Payload::Id(id)));
    }
    let (rest, bytes) = bytes(start)?;
    Ok((rest, Payload::Bytes(bytes)))
}
