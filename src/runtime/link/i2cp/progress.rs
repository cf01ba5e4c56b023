//! The progress of opening a link.

use crate::session::LookupError;

/// The results of the steps that lead to a usable link.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The router has taken the session.
    pub(super) is_created: bool,
    /// The router has a lease set.
    pub(super) is_ready: bool,
    /// The self test has an outcome, or there is none.
    pub(super) is_tested: bool,
    /// The end of a lookup.
    pub(super) found: Option<Result<Vec<u8>, LookupError>>,
}

/// The event waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Greeting,
    Building,
    Testing,
    Usable,
}

impl Progress {
    pub(super) const fn stage(&self) -> Stage {
        match self {
            Self {
                is_ready: true,
                is_tested: true,
                ..
            } => Stage::Usable,
            Self { is_ready: true, .. } => Stage::Testing,
            Self {
                is_created: true, ..
            } => Stage::Building,
            Self { .. } => Stage::Greeting,
        }
    }
}
