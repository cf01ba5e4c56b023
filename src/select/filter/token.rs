//! The words and signs of a filter, with their places.

use std::ops::Range;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::char;
use nom::combinator::value;
use nom::{IResult, Parser};

use super::comparison::Comparison;
use super::error::FilterError;
use crate::text::quoted::{self, QuotedError};

/// One word or sign.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Open,
    Close,
    OpenSet,
    CloseSet,
    Comma,
    And,
    Or,
    Not,
    Compare(Comparison),
    Contains,
    Matches,
    In,
    /// A bare word: a field, a number, a name, an address.
    Word(String),
    /// A quoted text, escapes resolved.
    Quoted(Vec<u8>),
    /// A regular expression between slashes, as written.
    Regex(String),
}

/// The sign of microseconds, as Unicode has it and as a Greek letter.
pub(super) const MICRO: [char; 2] = ['\u{b5}', '\u{3bc}'];

/// A token and the bytes of the filter that it takes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spanned {
    pub(super) token: Token,
    pub(super) span: Range<usize>,
}

/// Splits a filter into tokens.
pub(super) fn tokens(text: &str) -> Result<Vec<Spanned>, FilterError> {
    let mut tokens = Vec::new();
    let mut rest = skip_space(text);
    while let Some(first) = rest.chars().next() {
        let start = text.len() - rest.len();
        let parsed = match first {
            '"' => quoted(text, start)?,
            '/' => regex(text, start)?,
            _ => match sign_or_word(rest) {
                Ok((after, token)) => (token, text.len() - after.len()),
                Err(_) => {
                    let end = start + first.len_utf8();
                    let error = FilterError::new(text, start..end, "unexpected character");
                    return Err(match first {
                        '=' => error.hint("values are compared with =="),
                        '\'' => error.hint("texts stand in double quotes"),
                        '#' => error.hint("messages are numbered by n, as in n == 4"),
                        _ => error,
                    });
                }
            },
        };
        let (token, end) = parsed;
        tokens.push(Spanned {
            token,
            span: start..end,
        });
        rest = skip_space(&text[end..]);
    }
    Ok(tokens)
}

fn skip_space(text: &str) -> &str {
    text.trim_start()
}

fn sign_or_word(input: &str) -> IResult<&str, Token> {
    alt((
        alt((
            value(Token::And, tag("&&")),
            value(Token::Or, tag("||")),
            value(Token::Compare(Comparison::Equal), tag("==")),
            value(Token::Compare(Comparison::NotEqual), tag("!=")),
            value(Token::Compare(Comparison::LessOrEqual), tag("<=")),
            value(Token::Compare(Comparison::GreaterOrEqual), tag(">=")),
            value(Token::Compare(Comparison::Less), tag("<")),
            value(Token::Compare(Comparison::Greater), tag(">")),
        )),
        alt((
            value(Token::Not, char('!')),
            value(Token::Matches, char('~')),
            value(Token::Open, char('(')),
            value(Token::Close, char(')')),
            value(Token::OpenSet, char('{')),
            value(Token::CloseSet, char('}')),
            value(Token::Comma, char(',')),
        )),
        word,
    ))
    .parse(input)
}

fn word(input: &str) -> IResult<&str, Token> {
    let (rest, text) = take_while1(is_word_character).parse(input)?;
    let token = match text {
        "and" => Token::And,
        "or" => Token::Or,
        "not" => Token::Not,
        "contains" => Token::Contains,
        "matches" => Token::Matches,
        "in" => Token::In,
        _ => Token::Word(text.to_owned()),
    };
    Ok((rest, token))
}

/// The characters of names, numbers, ids, times (`20µs`) and addresses (`[::1]:9004`).
fn is_word_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._:-+[]%".contains(c) || MICRO.contains(&c)
}

/// A text in quotes and where it ends.
fn quoted(text: &str, start: usize) -> Result<(Token, usize), FilterError> {
    match quoted::quoted(&text[start + 1..]) {
        Ok((bytes, after)) => Ok((Token::Quoted(bytes), text.len() - after.len())),
        Err(QuotedError::NoEnd) => Err(FilterError::new(
            text,
            start..text.len(),
            "text without closing quote",
        )),
        Err(QuotedError::UnknownEscape(at) | QuotedError::NotHex(at)) => {
            let start = text.len() - at.len();
            let escape_bytes: usize = at.chars().take(2).map(char::len_utf8).sum();
            let span = start..start + escape_bytes;
            Err(FilterError::new(text, span, "unknown escape")
                .hint(r#"there are \n \r \t \0 \\ \" and \xHH"#))
        }
    }
}

/// A regular expression between slashes and where it ends.
fn regex(text: &str, start: usize) -> Result<(Token, usize), FilterError> {
    match quoted::pattern(&text[start + 1..]) {
        Some((pattern, after)) => Ok((Token::Regex(pattern), text.len() - after.len())),
        None => Err(FilterError::new(
            text,
            start..text.len(),
            "regular expression without closing slash",
        )),
    }
}
