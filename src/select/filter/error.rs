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
    hint: Option<String>,
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

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The error, without the place.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// The probable meaning.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The bytes of the filter that are wrong.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}

impl std::error::Error for FilterError {}

/// Three lines: the problem, the filter, and a caret under the place with a hint.
impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |text: &str| escaped(text.as_bytes(), Charset::Unicode);
        let before = columns_of(&show(&self.filter[..self.span.start]));
        let marked = columns_of(&show(&self.filter[self.span.clone()]));
        writeln!(f, "{}", self.problem)?;
        writeln!(f, "    {}", show(&self.filter))?;
        write!(
            f,
            "    {:before$}^{:~<tildes$}",
            "",
            "",
            tildes = marked.saturating_sub(1)
        )?;
        match &self.hint {
            Some(hint) => write!(f, " {hint}"),
            None => Ok(()),
        }
    }
}
