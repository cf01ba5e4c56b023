//! Exit codes, in one place for both programs.

use std::process::ExitCode;

/// The end of a run. When several hold, the greatest decides: the order is that of precedence, 2,
/// 4, 130, 1, 3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ending {
    /// Finished, and every check that was asked for passed.
    #[default]
    Fine,
    /// Finished on incomplete input: a file is truncated, packets were dropped.
    Incomplete,
    /// Finished, and a check that was asked for failed.
    CheckFailed,
    /// Cut short by a signal, with a partial report.
    Interrupted,
    /// The transport failed: nothing could be bound, connected to or kept up.
    #[cfg_attr(
        not(any(feature = "replay", test)),
        expect(dead_code, reason = "ministream-dump has no transport")
    )]
    Transport,
    /// Could not start, or could not write its results.
    Failed,
}

impl Ending {
    /// The code for the shell.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::CheckFailed => 1,
            Self::Failed => 2,
            Self::Incomplete => 3,
            Self::Transport => 4,
            // A shell's number for a program that SIGINT ended: 128 and the signal's number.
            Self::Interrupted => 130,
        }
    }
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(ending.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_endings_the_one_with_precedence_decides() {
        let code = |a: Ending, b: Ending| a.max(b).code();
        assert_eq!(code(Ending::Fine, Ending::Incomplete), 3);
        assert_eq!(code(Ending::Incomplete, Ending::CheckFailed), 1);
        assert_eq!(code(Ending::CheckFailed, Ending::Failed), 2);
        assert_eq!(code(Ending::Interrupted, Ending::CheckFailed), 130);
        assert_eq!(code(Ending::Interrupted, Ending::Transport), 4);
        assert_eq!(code(Ending::Fine, Ending::Fine), 0);
    }
}
