//! From text to a checked script.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use bytes::Bytes;

use super::error::ScriptError;
use super::notation;
use super::script::{
    Action, Expect, Expected, Id, MAX_SCRIPT_PAYLOAD_BYTES, Payload, Script, Step, Want,
};
use super::text::{Fail, Read, c_string, fail, literal_id, pattern, skip, time, variable, word};
use crate::wire::{FrameType, StreamId};

/// Time for a message if the step does not say.
pub(super) const DEFAULT_WITHIN: Duration = Duration::from_secs(5);

/// The most that a `repeat` may ask for.
const MAX_REPEAT: u64 = 1_000_000_000;

/// Loops within loops.
const MAX_DEPTH: usize = 32;

/// The payload `seq:N`: of its bytes no two that are near each other are alike, and
/// pieces of it that changed places are noticed, as 251 is prime.
pub fn sequence(length: usize) -> Bytes {
    (0..=250_u8).cycle().take(length).collect()
}

/// Gives the content of the files that a script names with `@`.
pub type Files<'a> = dyn FnMut(&str) -> io::Result<Vec<u8>> + 'a;

/// Reads and checks a whole script.
///
/// # Errors
/// The first line that is no step, or uses a variable that has no value there,
/// or names a file that cannot be read.
pub fn parse(text: &str, files: &mut Files<'_>) -> Result<Script, ScriptError> {
    parse_with(text, files, Vocabulary::Messages)
}

/// The actions that a script may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::replay) enum Vocabulary {
    /// Messages.
    Messages,
    /// Also `dial`, where there is somebody to be dialled.
    Dialling,
}

/// Reads and checks a whole script that may hold this.
///
/// # Errors
/// Those of [`parse`].
pub(in crate::replay) fn parse_with(
    text: &str,
    files: &mut Files<'_>,
    vocabulary: Vocabulary,
) -> Result<Script, ScriptError> {
    let mut parser = Parser {
        files,
        vocabulary,
        steps: Vec::new(),
        bound: HashSet::new(),
        open: Vec::new(),
    };
    for (number, source) in (1..).zip(text.lines()) {
        parser.line(number, source)?;
    }
    match parser.open.last() {
        Some(&start) => {
            let step = &parser.steps[start];
            let problem = "this repeat has no end";
            Err(ScriptError::new(step.line, &step.text, 0, problem))
        }
        None => Ok(Script {
            steps: parser.steps,
        }),
    }
}

/// A step's use of the id that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum IdUse {
    /// A variable must have a value.
    Names,
    /// A variable without a value gets one.
    Chooses,
}

struct Parser<'f, 'a> {
    files: &'f mut Files<'a>,
    vocabulary: Vocabulary,
    steps: Vec<Step>,
    /// Variables that have a value.
    bound: HashSet<String>,
    /// The loops that are open, as indices of their `repeat`.
    open: Vec<usize>,
}

impl Parser<'_, '_> {
    fn line(&mut self, number: usize, source: &str) -> Result<(), ScriptError> {
        let fault = |fail: Fail<'_>| {
            ScriptError::new(number, source, source.len() - fail.at.len(), fail.problem)
        };
        if notation::is_heading(source) {
            return Ok(());
        }
        let read = if notation::is_message(source) {
            notation::line(source)
        } else {
            self.step(source)
        };
        let action = match read {
            Ok((rest, action)) => {
                expect_end(rest).map_err(|error| fault(failure(error)))?;
                action
            }
            Err(error) => return Err(fault(failure(error))),
        };
        let Some(mut action) = action else {
            return Ok(());
        };
        notation::write_out_server_id(&mut action, &self.bound);
        self.check(&action).map_err(|problem| {
            fault(Fail {
                at: skip(source),
                problem: problem.to_owned(),
            })
        })?;
        self.steps.push(Step {
            line: number,
            text: without_comment(source).trim().to_owned(),
            action,
        });
        Ok(())
    }

    /// One line; `None` if it holds no step.
    fn step<'s>(&mut self, input: &'s str) -> Read<'s, Option<Action>> {
        let start = skip(input);
        let (rest, name) = word(start)?;
        match name {
            "" => Ok((rest, None)),
            _ if name.starts_with('#') => Ok(("", None)),
            "hex" => raw(rest),
            "ping" => Ok((
                rest,
                Some(Action::Raw(Bytes::from_static(&[FrameType::CHAFF.0]))),
            )),
            "wait" => time(rest).map(|(rest, time)| (rest, Some(Action::Wait(time)))),
            "expect" => self.expect(rest),
            "dial" if self.vocabulary == Vocabulary::Dialling => self.dial(rest),
            "repeat" => repeat(rest),
            "end" => match self.open.last() {
                Some(&start) => Ok((rest, Some(Action::End { start }))),
                None => fail(start, "end without repeat"),
            },
            _ => self.send(start),
        }
    }

    fn send<'s>(&mut self, input: &'s str) -> Read<'s, Option<Action>> {
        let (rest, name) = word(input)?;
        let frame_type = match name {
            "syn" => FrameType::SYN,
            "ack" => FrameType::ACK,
            "data" => FrameType::CLIENT_DATA,
            "close" => FrameType::CLIENT_CLOSE,
            _ => match type_byte(name) {
                Some(frame_type) => frame_type,
                None => {
                    return fail(
                        input,
                        format!(
                            "unknown step {name:?}; there are syn, ack, data, close, type:XX, hex, \
                             ping, wait, expect, repeat and end"
                        ),
                    );
                }
            },
        };
        let use_of_id = match frame_type {
            FrameType::SYN => IdUse::Chooses,
            _ => IdUse::Names,
        };
        let (rest, id) = self.id(rest, use_of_id)?;
        let at_payload = skip(rest);
        let (rest, payload) = if is_end(at_payload) {
            let payload = match frame_type {
                FrameType::SYN => Payload::Destination { then: Bytes::new() },
                _ => Payload::Bytes(Bytes::new()),
            };
            (rest, payload)
        } else {
            self.payload(at_payload)?
        };
        let action = Action::Send {
            frame_type,
            id,
            payload,
        };
        Ok((rest, Some(action)))
    }

    /// An id. A variable must have a value, unless the step may choose one for it.
    fn id<'s>(&mut self, input: &'s str, use_of_id: IdUse) -> Read<'s, Id> {
        let start = skip(input);
        if start.starts_with('$') {
            let (rest, name) = variable(start)?;
            if !self.bound.contains(name) {
                if use_of_id == IdUse::Names {
                    let problem = format!(
                        "${name} has no value here; syn ${name} or expect ack … -> ${name} gives it one"
                    );
                    return fail(start, problem);
                }
                self.bound.insert(name.to_owned());
            }
            return Ok((rest, Id::Variable(name.to_owned())));
        }
        let (rest, text) = word(start)?;
        let id = match text {
            "rand" => Id::Random,
            "zero" => Id::Literal(StreamId::ZERO),
            _ => match literal_id(text) {
                Some(id) => Id::Literal(id),
                None => return fail(start, "an id is six hex digits, $name, rand or zero"),
            },
        };
        Ok((rest, id))
    }

    fn payload<'s>(&mut self, input: &'s str) -> Read<'s, Payload> {
        if input.starts_with('"') {
            let (rest, bytes) = c_string(input)?;
            return Ok((rest, Payload::Bytes(bytes.into())));
        }
        let (rest, text) = word(input)?;
        let payload = if let Some(digits) = text.strip_prefix("hex:") {
            Payload::Bytes(from_hex(input, digits)?)
        } else if let Some(path) = text.strip_prefix('@') {
            match (self.files)(path) {
                Ok(bytes) if bytes.len() <= MAX_SCRIPT_PAYLOAD_BYTES => {
                    Payload::Bytes(bytes.into())
                }
                Ok(bytes) => return fail(input, too_long(bytes.len())),
                Err(error) => return fail(input, format!("cannot read {path}: {}", lower(&error))),
            }
        } else if let Some(count) = text.strip_prefix("rand:") {
            Payload::Random(length(input, count)?)
        } else if let Some(count) = text.strip_prefix("zero:") {
            Payload::Bytes(vec![0; length(input, count)?].into())
        } else if let Some(count) = text.strip_prefix("seq:") {
            Payload::Bytes(sequence(length(input, count)?))
        } else if let Some(digits) = text.strip_prefix("dest+hex:") {
            let then = from_hex(input, digits)?;
            Payload::Destination { then }
        } else {
            return fail(
                input,
                r#"a payload is "text", hex:…, @file, rand:N, zero:N, seq:N or dest+hex:…"#,
            );
        };
        Ok((rest, payload))
    }

    /// A payload of which each byte is written.
    fn known_bytes<'s>(&mut self, input: &'s str) -> Read<'s, Bytes> {
        match self.payload(input)? {
            (rest, Payload::Bytes(bytes)) => Ok((rest, bytes)),
            (_, Payload::Random(_) | Payload::Destination { .. }) => {
                fail(input, "random bytes cannot be expected")
            }
        }
    }

    fn expect<'s>(&mut self, input: &'s str) -> Read<'s, Option<Action>> {
        let start = skip(input);
        let (rest, name) = word(start)?;
        if name == "nothing" {
            let (rest, id) = match keyword(rest, "for") {
                Some(rest) => self
                    .id(rest, IdUse::Names)
                    .map(|(rest, id)| (rest, Some(id)))?,
                None => (rest, None),
            };
            let (rest, within) = match keyword(rest, "within") {
                Some(rest) => time(rest)?,
                None => return fail(skip(rest), "expect nothing needs a time, as in within 1s"),
            };
            return Ok((rest, Some(Action::ExpectNothing { id, within })));
        }
        if name == "bytes" {
            return self.expect_bytes(rest);
        }
        let expected = match name {
            "syn" => Expected::Type(FrameType::SYN),
            "ack" => Expected::Type(FrameType::ACK),
            "data" => Expected::Type(FrameType::SERVER_DATA),
            "close" => Expected::Type(FrameType::SERVER_CLOSE),
            "refusal" => Expected::Refusal,
            _ => match type_byte(name) {
                Some(frame_type) => Expected::Type(frame_type),
                None => {
                    return fail(
                        start,
                        "what is expected is syn, ack, data, close, refusal, type:XX, bytes or \
                         nothing",
                    );
                }
            },
        };
        let any_syn = expected == Expected::Type(FrameType::SYN) && keyword(rest, "->").is_some();
        let (rest, id) = if any_syn {
            (rest, Id::Random)
        } else {
            self.id(rest, IdUse::Names)?
        };
        self.expectation(rest, expected, id)
    }

    /// `bytes ID = PAYLOAD [within TIME]`
    fn expect_bytes<'s>(&mut self, input: &'s str) -> Read<'s, Option<Action>> {
        let (rest, id) = self.id(input, IdUse::Names)?;
        let Some(after) = keyword(rest, "=") else {
            return fail(skip(rest), "expect bytes needs them, as in = \"hello\"");
        };
        let (rest, bytes) = self.known_bytes(skip(after))?;
        let (rest, within) = within_or_default(rest)?;
        Ok((rest, Some(Action::ExpectBytes { id, bytes, within })))
    }

    /// `dial [PAYLOAD]`
    fn dial<'s>(&mut self, input: &'s str) -> Read<'s, Option<Action>> {
        let at = skip(input);
        if is_end(at) {
            let first = Bytes::new();
            return Ok((at, Some(Action::Dial { first })));
        }
        let (rest, first) = self.known_bytes(at)?;
        Ok((rest, Some(Action::Dial { first })))
    }

    /// The parts behind the id: in this order, each at most once.
    fn expectation<'s>(
        &mut self,
        input: &'s str,
        expected: Expected,
        id: Id,
    ) -> Read<'s, Option<Action>> {
        let mut expect = Expect {
            expected,
            id,
            bind: None,
            want: Want::Anything,
            within: DEFAULT_WITHIN,
        };
        let mut rest = input;
        if let Some(after) = keyword(rest, "->") {
            if !matches!(expected, Expected::Type(FrameType::ACK | FrameType::SYN)) {
                return fail(
                    skip(rest),
                    "only an ack hands out an id, and a syn brings one",
                );
            }
            let (after, name) = variable(after)?;
            self.bound.insert(name.to_owned());
            expect.bind = Some(name.to_owned());
            rest = after;
        }
        if let Some(after) = keyword(rest, "=") {
            let (after, bytes) = self.known_bytes(skip(after))?;
            expect.want = Want::Exactly(bytes);
            rest = after;
        } else if let Some(after) = keyword(rest, "~") {
            let (after, regex) = pattern(after)?;
            expect.want = Want::Matches(regex);
            rest = after;
        }
        (rest, expect.within) = within_or_default(rest)?;
        Ok((rest, Some(Action::Expect(expect))))
    }

    /// Follows loops and variables; `Err` is the error in the step.
    fn check(&mut self, action: &Action) -> Result<(), &'static str> {
        match action {
            Action::Repeat { .. } if self.open.len() >= MAX_DEPTH => {
                return Err("loops are nested too deeply");
            }
            Action::Repeat { .. } => self.open.push(self.steps.len()),
            Action::End { start } => {
                self.open.pop();
                let here = self.steps.len();
                if let Action::Repeat { end, .. } = &mut self.steps[*start].action {
                    *end = here;
                }
            }
            // The notation names server ids before it is known which variables there are.
            Action::Expect(Expect {
                bind: Some(name), ..
            }) => {
                self.bound.insert(name.clone());
            }
            _ => {}
        }
        Ok(())
    }
}

/// `[within TIME]`
fn within_or_default(input: &str) -> Read<'_, Duration> {
    match keyword(input, "within") {
        Some(rest) => time(rest),
        None => Ok((input, DEFAULT_WITHIN)),
    }
}

fn raw(input: &str) -> Read<'_, Option<Action>> {
    let start = skip(input);
    let body = without_comment(start);
    let digits: String = body.split_whitespace().collect();
    if digits.is_empty() {
        return fail(start, "hex needs bytes, as in hex a1 12 34 56");
    }
    let bytes = from_hex(start, &digits)?;
    Ok((&start[body.len()..], Some(Action::Raw(bytes))))
}

fn from_hex<'s>(at: &'s str, digits: &str) -> Result<Bytes, nom::Err<Fail<'s>>> {
    hex::decode(digits).map(Bytes::from).map_err(|error| {
        let problem = format!("bad hex: {}", lower(&error));
        nom::Err::Failure(Fail { at, problem })
    })
}

fn repeat(input: &str) -> Read<'_, Option<Action>> {
    let start = skip(input);
    let (rest, count) = word(start)?;
    match count.parse() {
        Ok(count @ 1..=MAX_REPEAT) => Ok((rest, Some(Action::Repeat { count, end: 0 }))),
        _ => fail(
            start,
            format!("repeat needs a number from 1 to {MAX_REPEAT}"),
        ),
    }
}

/// `type:53`
fn type_byte(name: &str) -> Option<FrameType> {
    let mut byte = [0];
    hex::decode_to_slice(name.strip_prefix("type:")?, &mut byte).ok()?;
    Some(FrameType(byte[0]))
}

fn length<'s>(at: &'s str, digits: &str) -> Result<usize, nom::Err<Fail<'s>>> {
    let problem = match digits.parse::<usize>() {
        Ok(count) if count <= MAX_SCRIPT_PAYLOAD_BYTES => return Ok(count),
        Ok(count) => too_long(count),
        Err(_) => "a length is a number of bytes".to_owned(),
    };
    Err(nom::Err::Failure(Fail { at, problem }))
}

fn too_long(bytes: usize) -> String {
    format!("{bytes} bytes are more than the {MAX_SCRIPT_PAYLOAD_BYTES} of a payload")
}

/// The rest behind a keyword, if it comes next.
fn keyword<'s>(input: &'s str, keyword: &str) -> Option<&'s str> {
    let rest = skip(input).strip_prefix(keyword)?;
    let ends = rest.is_empty() || rest.starts_with([' ', '\t']);
    (ends || !keyword.starts_with(char::is_alphabetic)).then_some(rest)
}

fn is_end(rest: &str) -> bool {
    rest.trim_start().is_empty() || rest.trim_start().starts_with('#')
}

fn expect_end(rest: &str) -> Result<(), nom::Err<Fail<'_>>> {
    if is_end(rest) {
        Ok(())
    } else {
        fail::<()>(skip(rest), "nothing is expected here").map(|_| ())
    }
}

fn failure(error: nom::Err<Fail<'_>>) -> Fail<'_> {
    match error {
        nom::Err::Error(fail) | nom::Err::Failure(fail) => fail,
        nom::Err::Incomplete(_) => Fail {
            at: "",
            problem: "the line is not complete".to_owned(),
        },
    }
}

/// A line up to its comment. A `#` within quotes or slashes is none.
fn without_comment(line: &str) -> &str {
    let mut quoted = None;
    let mut escaped = false;
    let mut before = ' ';
    let comment = line.char_indices().find(|&(_, c)| {
        let begins = c == '#' && quoted.is_none() && before.is_whitespace();
        match quoted {
            Some(quote) if c == quote && !escaped => quoted = None,
            None if c == '"' || (c == '/' && before.is_whitespace()) => quoted = Some(c),
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        before = c;
        begins
    });
    comment.map_or(line, |(at, _)| &line[..at])
}

/// The words of an error as a part of ours, without the system's number.
fn lower(error: &dyn std::fmt::Display) -> String {
    let mut text = error.to_string();
    if let Some(number) = text.find(" (os error ") {
        text.truncate(number);
    }
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => text,
    }
}
