//! From tokens to a checked condition, by recursive descent.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use super::amount::{Quantity, is_number};
use super::comparison::Comparison;
use super::conversation::{Check, ConversationField, ConversationTest};
use super::count::Counted;
use super::error::{FilterError, FilterHint};
use super::expression::{Expression, Literal};
use super::token::{Spanned, Token, tokens};
use crate::conversation::{ConversationId, FindingCode, Level};
use crate::field::{Field, FieldKind};
use crate::text::suggest::closest;
use crate::time::Timestamp;

/// Parentheses and `!` inside one another that are accepted.
const MAX_DEPTH: usize = 64;

/// The subject of a filter's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vocabulary {
    /// Messages and conversations.
    Fields,
    /// The numbers of messages, too.
    FieldsAndCounts,
}

/// Tests in one filter. Each joined one stands inside the next, and all are looked at in turn.
const MAX_TESTS: usize = 500;

/// The contents of a text.
pub(super) struct Parsed {
    pub(super) expression: Expression,
    pub(super) conversation_tests: Vec<ConversationTest>,
}

pub(super) fn read(text: &str, vocabulary: Vocabulary) -> Result<Parsed, FilterError> {
    let tokens = tokens(text)?;
    let mut parser = Parser {
        text,
        tokens: &tokens,
        depth: 0,
        vocabulary,
        subject: "",
        tests: 0,
        conversation_tests: Vec::new(),
    };
    let expression = parser.any()?;
    match parser.tokens.first() {
        None => Ok(Parsed {
            expression,
            conversation_tests: parser.conversation_tests,
        }),
        Some(extra) => Err(parser
            .error(extra.span.clone(), "expected the end of the filter")
            .hint("join tests with && or ||")),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: &'a [Spanned],
    depth: usize,
    vocabulary: Vocabulary,
    /// The subject of the test that is being read, as it is written.
    subject: &'a str,
    tests: usize,
    conversation_tests: Vec<ConversationTest>,
}

/// The subject of a test.
#[derive(Clone, Copy)]
enum Subject {
    Message(Field),
    Conversation(ConversationField),
}

impl Subject {
    /// The field that a user means by `name`: exact names first, then as tables show them.
    fn named(name: &str) -> Option<Self> {
        let of = |name: &str| {
            Field::named(name)
                .map(Self::Message)
                .or_else(|| ConversationField::named(name).map(Self::Conversation))
        };
        of(name).or_else(|| of(&name.to_ascii_lowercase()))
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Message(field) => field.name(),
            Self::Conversation(field) => field.name(),
        }
    }

    const fn kind(self) -> FieldKind {
        match self {
            Self::Message(field) => field.kind(),
            Self::Conversation(field) => field.kind(),
        }
    }
}

impl<'a> Parser<'a> {
    fn any(&mut self) -> Result<Expression, FilterError> {
        let mut left = self.all()?;
        while self.take(&Token::Or) {
            left = Expression::Or(Box::new(left), Box::new(self.all()?));
        }
        Ok(left)
    }

    fn all(&mut self) -> Result<Expression, FilterError> {
        let mut left = self.term()?;
        while self.take(&Token::And) {
            left = Expression::And(Box::new(left), Box::new(self.term()?));
        }
        Ok(left)
    }

    fn term(&mut self) -> Result<Expression, FilterError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error_here("too many parentheses inside one another"));
        }
        let term = if self.take(&Token::Not) {
            Expression::Not(Box::new(self.term()?))
        } else if self.take(&Token::Open) {
            let inner = self.any()?;
            self.expect(&Token::Close, "expected `)`")?;
            inner
        } else {
            self.test()?
        };
        self.depth -= 1;
        Ok(term)
    }

    /// The counter, if a test of a number comes next.
    fn counted(&self) -> Option<Counted> {
        match (self.vocabulary, self.tokens.first()?) {
            (
                Vocabulary::FieldsAndCounts,
                Spanned {
                    token: Token::Word(name),
                    ..
                },
            ) => Counted::named(name),
            _ => None,
        }
    }

    /// The rest of a test of a number.
    fn count(&mut self, counted: Counted) -> Result<Expression, FilterError> {
        self.advance();
        let Some(&Spanned {
            token: Token::Compare(comparison),
            ..
        }) = self.tokens.first()
        else {
            let error = self.error_here("a number of messages is compared");
            return Err(error.hint("as in nth == 3, or conv_nth >= 2"));
        };
        self.advance();
        let number = match self.tokens.first() {
            Some(Spanned {
                token: Token::Word(word),
                ..
            }) => word.parse().ok(),
            _ => None,
        };
        let Some(number) = number else {
            return Err(self.error_here("expected a number from 1"));
        };
        self.advance();
        Ok(Expression::Count(counted, comparison, number))
    }

    fn test(&mut self) -> Result<Expression, FilterError> {
        self.tests += 1;
        if self.tests > MAX_TESTS {
            let problem = format!("more than {MAX_TESTS} tests in one filter");
            return Err(self
                .error_here(problem)
                .hint("`field in {a, b, c}` is one test for many values"));
        }
        if let Some(counted) = self.counted() {
            return self.count(counted);
        }
        let subject = self.subject()?;
        let operator = self.tokens.first();
        let check = match operator.map(|operator| &operator.token) {
            Some(&Token::Compare(comparison)) => {
                self.check_order(subject, comparison, operator)?;
                self.advance();
                Check::Compare(comparison, self.literal(subject)?)
            }
            Some(Token::In) => {
                self.advance();
                Check::OneOf(self.one_of(subject)?)
            }
            Some(Token::Contains) => {
                self.advance();
                return self.contains(subject);
            }
            Some(Token::Matches) => {
                self.advance();
                return self.matches(subject);
            }
            _ => Check::Present,
        };
        Ok(match (subject, check) {
            (Subject::Message(field), Check::Present) => Expression::Present(field),
            (Subject::Message(field), Check::Compare(comparison, literal)) => {
                Expression::Compare(field, comparison, literal)
            }
            (Subject::Message(field), Check::OneOf(literals)) => Expression::OneOf(field, literals),
            // As with messages: those outside of conversations pass `!=`, and nothing else.
            (Subject::Conversation(field), Check::Compare(Comparison::NotEqual, literal)) => {
                let equal = Check::Compare(Comparison::Equal, literal);
                Expression::Not(Box::new(self.of_conversation(field, equal)))
            }
            (Subject::Conversation(field), check) => self.of_conversation(field, check),
        })
    }

    fn of_conversation(&mut self, field: ConversationField, check: Check) -> Expression {
        self.conversation_tests
            .push(ConversationTest { field, check });
        Expression::OfConversation(self.conversation_tests.len() - 1)
    }

    fn subject(&mut self) -> Result<Subject, FilterError> {
        let Some(Spanned {
            token: Token::Word(name),
            span,
        }) = self.tokens.first()
        else {
            let hint = FilterHint::Fields { closest: None };
            return Err(self.error_here("expected a field").with_hint(hint));
        };
        let name = name.strip_prefix(WIRESHARK_PREFIX).unwrap_or(name);
        self.subject = &self.text[span.clone()];
        let Some(subject) = Subject::named(name) else {
            let error = self.error(span.clone(), format!("unknown field `{name}`"));
            return Err(error.with_hint(if CAPTURE_FILTER_WORDS.contains(&name) {
                FilterHint::CaptureFilter
            } else if let Some(hint) = title_hint(name, self.vocabulary) {
                FilterHint::Words(hint.to_owned())
            } else {
                FilterHint::Fields {
                    closest: self.suggestion(name),
                }
            }));
        };
        self.advance();
        Ok(subject)
    }

    /// The probable meaning of `name`, which stands for nothing here.
    fn suggestion(&self, name: &str) -> Option<&'static str> {
        let name = name.to_ascii_lowercase();
        let fields = Field::ALL.iter().map(|field| field.name());
        match self.vocabulary {
            Vocabulary::Fields => {
                let of_conversations = ConversationField::ALL.iter().map(|field| field.name());
                closest(&name, fields.chain(of_conversations))
            }
            Vocabulary::FieldsAndCounts => {
                closest(&name, fields.chain(Counted::ALL.map(Counted::name)))
            }
        }
    }

    /// Refuses `<` and `>` where values have no order.
    fn check_order(
        &self,
        subject: Subject,
        comparison: Comparison,
        operator: Option<&Spanned>,
    ) -> Result<(), FilterError> {
        let ordered = matches!(
            subject.kind(),
            FieldKind::Number(_)
                | FieldKind::Size
                | FieldKind::Micros
                | FieldKind::Time
                | FieldKind::Conversation
                | FieldKind::Level
        );
        if ordered || matches!(comparison, Comparison::Equal | Comparison::NotEqual) {
            return Ok(());
        }
        let problem = format!("values of `{}` have no order", subject.name());
        let span = operator.map_or(0..0, |operator| operator.span.clone());
        Err(self.error(span, problem).hint("compare with == or !="))
    }

    fn contains(&mut self, subject: Subject) -> Result<Expression, FilterError> {
        let Subject::Message(field) = subject else {
            return Err(self.error_before(format!("`{}` is not a text", subject.name())));
        };
        match (field.kind(), self.literal(subject)?) {
            (FieldKind::Codes, Literal::Code(code)) => Ok(Expression::ContainsCode(code)),
            (
                FieldKind::Bytes | FieldKind::HexBytes | FieldKind::Text,
                Literal::Bytes(part) | Literal::Text(part),
            ) => Ok(Expression::Contains(field, part)),
            _ => Err(self.error_before(format!("`{}` is not a text", field.name()))),
        }
    }

    fn matches(&mut self, subject: Subject) -> Result<Expression, FilterError> {
        let is_text = matches!(
            subject.kind(),
            FieldKind::Bytes | FieldKind::Text | FieldKind::Word(_)
        );
        let (Subject::Message(field), true) = (subject, is_text) else {
            return Err(self.error_before(format!("`{}` is not a text", subject.name())));
        };
        let Some(Spanned { token, span }) = self.tokens.first() else {
            return Err(self
                .error_here("expected a regular expression")
                .hint("as in /2\\d\\d OK/"));
        };
        let pattern = match token {
            Token::Regex(pattern) => pattern.clone(),
            Token::Quoted(text) => String::from_utf8_lossy(text).into_owned(),
            _ => {
                let error = self.error(span.clone(), "expected a regular expression");
                return Err(error.hint("as in /2\\d\\d OK/"));
            }
        };
        let regex = regex::bytes::Regex::new(&pattern).map_err(|error| {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default();
            self.error(
                span.clone(),
                format!(
                    "bad regular expression: {}",
                    reason.trim_start_matches("error: ")
                ),
            )
        })?;
        self.advance();
        Ok(Expression::Matches(field, regex))
    }

    fn one_of(&mut self, subject: Subject) -> Result<Vec<Literal>, FilterError> {
        self.expect(&Token::OpenSet, "expected `{`")?;
        let mut literals = vec![self.literal(subject)?];
        while self.take(&Token::Comma) {
            literals.push(self.literal(subject)?);
        }
        self.expect(&Token::CloseSet, "expected `,` or `}`")?;
        Ok(literals)
    }

    /// A value of the field's kind.
    fn literal(&mut self, field: Subject) -> Result<Literal, FilterError> {
        let Some(Spanned { token, span }) = self.tokens.first() else {
            return Err(self.error_here(format!("expected {}", expected(field.kind()))));
        };
        if let Some(quantity) = Quantity::of(field.kind()) {
            if let Some(value) = self.spaced(quantity)? {
                self.advance();
                self.advance();
                return Ok(Literal::Number(value));
            }
            let text = match token {
                Token::Word(word) => Some(&**word),
                Token::Quoted(text) => std::str::from_utf8(text).ok(),
                _ => None,
            };
            let value = match text {
                Some(text) => self.amount(quantity, text.trim(), span)?,
                None => None,
            };
            let value = value.ok_or_else(|| self.bad_literal(field, token, span.clone()))?;
            self.advance();
            return Ok(Literal::Number(value));
        }
        let parsed = match token {
            Token::Word(word) => from_word(field.kind(), word),
            Token::Quoted(text) => from_quoted(field.kind(), text),
            _ => None,
        };
        let Some(literal) = parsed else {
            return Err(self.bad_literal(field, token, span.clone()));
        };
        self.advance();
        Ok(literal)
    }

    /// A number and its unit as tables show them, with a space between: `1.5 ms`, `2 MiB`.
    fn spaced(&self, quantity: Quantity) -> Result<Option<i64>, FilterError> {
        let [number, unit, ..] = self.tokens else {
            return Ok(None);
        };
        let (Token::Word(digits), Token::Word(name)) = (&number.token, &unit.token) else {
            return Ok(None);
        };
        let Some(factor) = quantity.factor(name) else {
            // It may as well be the next test, not joined to this one.
            if !is_number(digits) || Subject::named(name).is_some() {
                return Ok(None);
            }
            let error = self.error(unit.span.clone(), format!("unknown unit `{name}`"));
            return Err(error.hint(format!("units are {}", quantity.units())));
        };
        self.times(quantity, digits, factor, number.span.start..unit.span.end)
    }

    /// A number and its unit in one text, or a number alone where that is enough: sizes are bytes,
    /// and the name of a time may end with its unit.
    fn amount(
        &self,
        quantity: Quantity,
        text: &str,
        span: &Range<usize>,
    ) -> Result<Option<i64>, FilterError> {
        let has_unit = self.subject.to_ascii_lowercase().ends_with("_us");
        match (number(text), quantity) {
            (Some(value), Quantity::Size) => return Ok(Some(value)),
            // Nothing is nothing in every unit.
            (Some(value), Quantity::Time) if has_unit || value == 0 => return Ok(Some(value)),
            (Some(_), Quantity::Time) => return Err(self.no_unit(text, "s", span)),
            (None, _) => {}
        }
        let unit_at = text.find(char::is_alphabetic).unwrap_or(text.len());
        let (digits, unit) = text.split_at(unit_at);
        let digits = digits.trim_end();
        if unit.is_empty() {
            return match quantity {
                Quantity::Time if !is_number(digits) => Ok(None),
                Quantity::Time if quantity.times(digits, 1) == Ok(0) => Ok(Some(0)),
                Quantity::Time if has_unit => Err(self.no_unit(digits, "us", span)),
                Quantity::Time => Err(self.no_unit(digits, "s", span)),
                Quantity::Size => Ok(None),
            };
        }
        match quantity.factor(unit) {
            Some(factor) => self.times(quantity, digits, factor, span.clone()),
            None => Ok(None),
        }
    }

    /// A number times the factor of its unit; nothing if it is no number.
    fn times(
        &self,
        quantity: Quantity,
        number: &str,
        factor: u64,
        span: Range<usize>,
    ) -> Result<Option<i64>, FilterError> {
        match quantity.times(number, factor) {
            Ok(value) => Ok(Some(value)),
            Err(reason) => match quantity.problem(reason) {
                None => Ok(None),
                Some((problem, "")) => Err(self.error(span, problem)),
                Some((problem, hint)) => Err(self.error(span, problem).hint(hint)),
            },
        }
    }

    /// Refuses a time without a unit; `unit` is the probable one.
    fn no_unit(&self, number: &str, unit: &str, span: &Range<usize>) -> FilterError {
        let problem = "a time needs a unit: us, ms, s, min, h or d";
        let error = self.error(span.clone(), problem);
        let factor = Quantity::Time.factor(unit).unwrap_or(1);
        match (Quantity::Time.times(number, factor), unit) {
            (Ok(_), unit) => error.hint(format!("did you mean {number}{unit}?")),
            (Err(_), "us") => error.hint("only whole us need none"),
            // Hexadecimal, or too large.
            (Err(_), _) => error,
        }
    }

    fn bad_literal(&self, field: Subject, token: &Token, span: Range<usize>) -> FilterError {
        let problem = format!("`{}` is {}", field.name(), expected(field.kind()));
        let error = self.error(span, problem);
        let (FieldKind::Word(words), Token::Word(word)) = (field.kind(), token) else {
            return error;
        };
        if matches!(field, Subject::Message(Field::Type)) && number(word).is_some() {
            return error.hint(format!("as a number it is `type_byte == {word}`"));
        }
        match closest(word, words.iter().copied()) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        }
    }

    fn advance(&mut self) {
        self.tokens = self.tokens.get(1..).unwrap_or_default();
    }

    fn take(&mut self, token: &Token) -> bool {
        let found = self.tokens.first().is_some_and(|next| next.token == *token);
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, token: &Token, problem: &str) -> Result<(), FilterError> {
        if self.take(token) {
            Ok(())
        } else {
            Err(self.error_here(problem))
        }
    }

    fn error(&self, span: Range<usize>, problem: impl Into<String>) -> FilterError {
        FilterError::new(self.text, span, problem)
    }

    /// An error at the next token, or at the end.
    fn error_here(&self, problem: impl Into<String>) -> FilterError {
        let end = self.text.len();
        let span = self
            .tokens
            .first()
            .map_or(end..end, |token| token.span.clone());
        self.error(span, problem)
    }

    /// An error about the text read, up to the next token.
    fn error_before(&self, problem: impl Into<String>) -> FilterError {
        let end = self
            .tokens
            .first()
            .map_or(self.text.len(), |token| token.span.start);
        self.error(0..self.text[..end].trim_end().len(), problem)
    }
}

/// Wireshark's prefix of the name of a field.
const WIRESHARK_PREFIX: &str = "ministream.";

/// The first words of capture filters, which are libpcap's language and not this one.
const CAPTURE_FILTER_WORDS: &[&str] = &[
    "tcp",
    "udp",
    "ip",
    "ip6",
    "port",
    "host",
    "net",
    "portrange",
    "ether",
    "vlan",
    "icmp",
    "arp",
];

/// The field that says what a column of a table does that is none.
fn title_hint(name: &str, vocabulary: Vocabulary) -> Option<&'static str> {
    Some(match &name.to_ascii_lowercase()[..] {
        "info" => "as in payload contains \"GET\", or meaning == opens",
        "start" => "as in t_us >= 2s, or ts >= 2004-05-25T12:00:00Z",
        "code" => "as in findings == ms.ping",
        "ids" => "as in id == 0a0b0c",
        "first" => "as in n == 4, or packet_n == 2",
        // Rules know nothing of whole conversations.
        "count" if vocabulary == Vocabulary::FieldsAndCounts => "as in nth == 3",
        "count" => "as in conv.finding_count > 0, or conv.messages > 10",
        _ => return None,
    })
}

/// The form of a value of a kind.
fn expected(kind: FieldKind) -> String {
    match kind {
        FieldKind::Number(_) => "a number".to_owned(),
        FieldKind::Size => "a number of bytes, or a size as in 4KiB".to_owned(),
        FieldKind::Micros => "a time as in 20ms or 1.5s".to_owned(),
        FieldKind::Time => "a time as in 2004-05-25T12:00:00Z".to_owned(),
        FieldKind::Word(words) => format!("one of {}", words.join(" ")),
        FieldKind::Text => "a text".to_owned(),
        FieldKind::Id => "six hex digits".to_owned(),
        FieldKind::Conversation => "a conversation, as in c3".to_owned(),
        FieldKind::Address => "an address, as in 127.0.0.1:9004, 127.0.0.1 or :9004".to_owned(),
        FieldKind::Bytes => "a text in quotes, or hex:0d0a".to_owned(),
        FieldKind::HexBytes => "hex digits".to_owned(),
        FieldKind::Hash => "a destination hash in base64, or a .b32.i2p name".to_owned(),
        FieldKind::Codes => "the code of a finding, as in ms.orphan_id".to_owned(),
        FieldKind::Level => "note, warn or error".to_owned(),
    }
}

fn from_quoted(kind: FieldKind, text: &[u8]) -> Option<Literal> {
    match kind {
        FieldKind::Bytes => Some(Literal::Bytes(text.to_vec())),
        FieldKind::Text => Some(Literal::Text(text.to_vec())),
        _ => from_word(kind, std::str::from_utf8(text).ok()?),
    }
}

fn from_word(kind: FieldKind, word: &str) -> Option<Literal> {
    match kind {
        FieldKind::Number(_) => number(word).map(Literal::Number),
        // They are read with their units.
        FieldKind::Size | FieldKind::Micros => None,
        FieldKind::Time => word.parse().ok().map(|time: Timestamp| Literal::Time(time)),
        FieldKind::Word(words) => {
            // As tables show it: `DATA`, `"server closed"`.
            let shown = word.to_ascii_lowercase().replace([' ', '-'], "_");
            words
                .iter()
                .find(|known| **known == word || **known == shown)
                .map(|known| Literal::Text(known.as_bytes().to_vec()))
        }
        FieldKind::Text => Some(Literal::Text(word.as_bytes().to_vec())),
        FieldKind::Id => word.parse().ok().map(Literal::Id),
        FieldKind::Conversation => word
            .parse()
            .ok()
            .map(|id: ConversationId| Literal::Conversation(id)),
        FieldKind::Address => address(word),
        FieldKind::Bytes => match word.strip_prefix("hex:") {
            Some(digits) => hex::decode(digits).ok().map(Literal::Bytes),
            None => Some(Literal::Bytes(word.as_bytes().to_vec())),
        },
        FieldKind::HexBytes => hex::decode(word).ok().map(Literal::Bytes),
        FieldKind::Hash => word.parse().ok().map(Literal::Hash),
        FieldKind::Codes => FindingCode::named(word).map(Literal::Code),
        FieldKind::Level => Level::named(word).map(Literal::Level),
    }
}

fn number(word: &str) -> Option<i64> {
    match word.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    }
}

fn address(word: &str) -> Option<Literal> {
    if let Some(port) = word.strip_prefix(':').and_then(|port| port.parse().ok()) {
        return Some(Literal::Port(port));
    }
    if let Ok(address) = word.parse::<SocketAddr>() {
        return Some(Literal::AddressAndPort(address));
    }
    word.trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>()
        .ok()
        .map(Literal::Address)
}
