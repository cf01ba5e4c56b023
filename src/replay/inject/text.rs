//! Pieces of a line: words, strings, patterns, times.

use std::time::Duration;

use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::space0;
use nom::error::{ErrorKind, ParseError};
use nom::{IResult, Parser};
use regex::bytes::Regex;

use crate::text::quoted::{self, QuotedError};
use crate::units::{self, NotRead};
use crate::wire::StreamId;

/// The rest of a line at which reading failed, and why.
#[derive(Clone, Debug)]
pub(crate) struct Fail<'a> {
    pub(crate) at: &'a str,
    pub(crate) problem: String,
}

impl<'a> ParseError<&'a str> for Fail<'a> {
    fn from_error_kind(at: &'a str, _kind: ErrorKind) -> Self {
        Self {
            at,
            problem: "not understood".to_owned(),
        }
    }

    fn append(_at: &'a str, _kind: ErrorKind, other: Self) -> Self {
        other
    }
}

pub(crate) type Read<'a, T> = IResult<&'a str, T, Fail<'a>>;

/// A failure that no other way of reading can mend.
pub(crate) fn fail<T>(at: &str, problem: impl Into<String>) -> Read<'_, T> {
    Err(nom::Err::Failure(Fail {
        at,
        problem: problem.into(),
    }))
}

/// A word up to the next space; empty at the end of the line.
pub(crate) fn word(input: &str) -> Read<'_, &str> {
    let (rest, (_, word)) = (space0, take_while(|c: char| !c.is_whitespace())).parse(input)?;
    Ok((rest, word))
}

/// Skips spaces.
pub(crate) fn skip(input: &str) -> &str {
    input.trim_start_matches([' ', '\t'])
}

/// A variable without its `$`.
pub(crate) fn variable(input: &str) -> Read<'_, &str> {
    let start = skip(input);
    let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match (tag::<_, _, Fail<'_>>("$"), take_while1(name)).parse(start) {
        Ok((rest, (_, name))) => Ok((rest, name)),
        Err(_) => fail(start, "a variable is $ and a name, as in $s"),
    }
}

/// Six hex digits, all of a word.
pub(crate) fn literal_id(text: &str) -> Option<StreamId> {
    text.parse().ok()
}

/// `500us`, `20ms`, `1s`, `2m`; 30 days at most.
pub(crate) fn time(input: &str) -> Read<'_, Duration> {
    let start = skip(input);
    let (after, text) = take_while(|c: char| c.is_alphanumeric()).parse(start)?;
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let problem = match units::duration(text) {
        Ok(time) if time <= units::LONGEST_WAIT => return Ok((after, time)),
        Ok(_) => "the time is too long; 30d is the longest".to_owned(),
        Err(_) if unit.len() == text.len() => {
            "a time is a number and a unit, as in 500us, 20ms, 1s, 2m or 1h".to_owned()
        }
        Err(NotRead::NoUnit) => {
            format!("a time needs a unit: us, ms, s, m, h or d; did you mean {text}s?")
        }
        Err(NotRead::Malformed) if unit.is_empty() || units::time_factor(unit).is_some() => {
            "the time is too long".to_owned()
        }
        Err(NotRead::Malformed) => {
            let unit_at = &start[text.len() - unit.len()..];
            return fail(unit_at, "a unit of time is us, ms, s, m, h or d");
        }
    };
    fail(start, problem)
}

/// A C string, from its first quote to its last.
pub(crate) fn c_string(input: &str) -> Read<'_, Vec<u8>> {
    let Some(body) = input.strip_prefix('"') else {
        return fail(input, "a string begins with a double quote");
    };
    match quoted::quoted(body) {
        Ok((bytes, rest)) => Ok((rest, bytes)),
        Err(QuotedError::NoEnd) => fail(input, "the string has no end"),
        Err(QuotedError::NotHex(at)) => fail(at, "\\x is followed by two hex digits"),
        Err(QuotedError::UnknownEscape(at)) => fail(
            at,
            r#"unknown escape; there are \n \r \t \0 \\ \" and \xHH"#,
        ),
    }
}

/// `/…/`; a slash within is written `\/`.
pub(crate) fn pattern(input: &str) -> Read<'_, Regex> {
    let start = skip(input);
    let Some(body) = start.strip_prefix('/') else {
        return fail(start, "a pattern stands between slashes, as in /200 OK/");
    };
    let Some((pattern, rest)) = quoted::pattern(body) else {
        return fail(start, "the pattern has no end");
    };
    match Regex::new(&pattern) {
        Ok(regex) => Ok((rest, regex)),
        Err(error) => {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default();
            fail(
                start,
                format!("bad pattern: {}", reason.trim_start_matches("error: ")),
            )
        }
    }
}
