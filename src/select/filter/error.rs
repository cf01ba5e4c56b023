//! Errors of filters.

use std::fmt;
use std::ops::Range;

use crate::text::escape::{Charset, columns_of, escaped};

/// The reason why a text is no filter, and the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    filter: String,
    span: Range<usize>,
    problem: String,
    hint: Option<FilterHint>,
}

/// The probable meaning; as text it goes behind the caret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilterHint {
    /// In words.
    Words(String),
    /// No field has this name.
    Fields {
        /// The field whose name is closest, if one is close.
        closest: Option<&'static str>,
    },
    /// It begins as filters of libpcap do, which has another language.
    CaptureFilter,
}

/// A writer of hints, for programs that can say more than the library.
pub type HintText = fn(&FilterHint) -> String;

impl fmt::Display for FilterHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words(words) => f.write_str(words),
            Self::Fields {
                closest: Some(name),
            } => write!(f, "did you mean `{name}`?"),
            Self::Fields { closest: None } => Ok(()),
            Self::CaptureFilter => f.write_str("is it a capture filter?"),
        }
    }
}

impl FilterError {
    pub(super) fn new(filter: &str, span: Range<usize>, problem: impl Into<String>) -> Self {
        Self {
            filter: filter.to_owned(),
            span,
            problem: problem.into(),
            hint: None,
        }
    }

    pub(super) fn hint(self, words: impl Into<String>) -> Self {
        self.with_hint(FilterHint::Words(words.into()))
    }

    pub(super) fn with_hint(mut self, hint: FilterHint) -> Self {
        self.hint = Some(hint);
        self
    }

    /// The error, without the place.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// The probable meaning.
    pub const fn meant(&self) -> Option<&FilterHint> {
        self.hint.as_ref()
    }

    /// Three lines: the problem, the filter, and a caret under the place with a hint, unless that
    /// is empty.
    pub fn pointing(&self, hint: &str) -> String {
        let show = |text: &str| escaped(text.as_bytes(), Charset::Unicode);
        let before = columns_of(&show(&self.filter[..self.span.start]));
        let marked = columns_of(&show(&self.filter[self.span.clone()]));
        let space = if hint.is_empty() { "" } else { " " };
        format!(
            "{}\n    {}\n    {:before$}^{:~<tildes$}{space}{hint}",
            self.problem,
            show(&self.filter),
            "",
            "",
            tildes = marked.saturating_sub(1)
        )
    }

    /// The bytes of the filter that are wrong.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}

impl std::error::Error for FilterError {}

/// [`FilterError::pointing`] with its own hint.
impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hint = self.hint.as_ref().map(FilterHint::to_string);
        f.write_str(&self.pointing(hint.as_deref().unwrap_or_default()))
    }
}
