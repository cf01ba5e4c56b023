//! The words and signs of a filter, with their places.

use std::ops::Range;

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while1};
use nom::character::complete::char;
use nom::combinator::value;
use nom::{IResult, Parser};

use super::{Comparison, FilterError};

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

/// What names, numbers, ids, times and addresses (`[::1]:9004`) are made of.
fn is_word_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "._:-+[]%".contains(c)
}

/// A text in quotes, with the escapes `\n \r \t \0 \\ \" \xHH`.
fn quoted(text: &str, start: usize) -> Result<(Token, usize), FilterError> {
    let mut bytes = Vec::new();
    let mut characters = text[start + 1..].char_indices();
    while let Some((offset, c)) = characters.next() {
        let place = start + 1 + offset;
        match c {
            '"' => return Ok((Token::Quoted(bytes), place + 1)),
            '\\' => {
                let (taken, byte) = escaped_byte(&text[place + 1..]).ok_or_else(|| {
                    let end = text[place + 1..].chars().next().map_or(0, char::len_utf8);
                    FilterError::new(text, place..place + 1 + end, "unknown escape")
                        .hint(r#"there are \n \r \t \0 \\ \" and \xHH"#)
                })?;
                bytes.push(byte);
                for _ in 0..taken {
                    characters.next();
                }
            }
            _ => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Err(FilterError::new(
        text,
        start..text.len(),
        "text without closing quote",
    ))
}

/// The byte that an escape stands for, and the characters it takes after the backslash.
fn escaped_byte(rest: &str) -> Option<(usize, u8)> {
    let byte = match rest.as_bytes().first()? {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'0' => 0,
        b'\\' => b'\\',
        b'"' => b'"',
        b'x' => return Some((3, u8::from_str_radix(rest.get(1..3)?, 16).ok()?)),
        _ => return None,
    };
    Some((1, byte))
}

/// A regular expression between slashes; `\/` is a slash.
fn regex(text: &str, start: usize) -> Result<(Token, usize), FilterError> {
    let mut pattern = String::new();
    let mut characters = text[start + 1..].char_indices();
    while let Some((offset, c)) = characters.next() {
        match c {
            '/' => return Ok((Token::Regex(pattern), start + 1 + offset + 1)),
            '\\' => match characters.next() {
                Some((_, '/')) => pattern.push('/'),
                Some((_, escaped)) => pattern.extend(['\\', escaped]),
                None => break,
            },
            _ => pattern.push(c),
        }
    }
    Err(FilterError::new(
        text,
        start..text.len(),
        "regular expression without closing slash",
    ))
}
