//! Errors in a script, and their places.

use std::fmt;

/// A line that is no step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    /// The line's number, from 1.
    pub line: usize,
    /// The column of its first wrong character, from 1.
    pub column: usize,
    /// The error.
    pub problem: String,
    source_line: String,
}

impl ScriptError {
    /// An error at a byte of a line.
    pub(crate) fn new(
        line: usize,
        source_line: &str,
        at: usize,
        problem: impl Into<String>,
    ) -> Self {
        let at = at.min(source_line.len());
        Self {
            line,
            column: source_line[..at].chars().count() + 1,
            problem: problem.into(),
            source_line: source_line.to_owned(),
        }
    }
}

impl std::error::Error for ScriptError {}

/// Three lines: the problem with its place, the line, a caret below it.
impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            column,
            problem,
            source_line,
        } = self;
        let shown: String = source_line
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        writeln!(f, "line {line}, column {column}: {problem}")?;
        writeln!(f, "    {shown}")?;
        write!(f, "    {:before$}^", "", before = column - 1)
    }
}
