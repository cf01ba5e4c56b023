//! The progress bar of a replay.

use crate::cli::args::ProgressWhen;
use crate::cli::progress::{PatientBar, Templates};

const CONVERSATIONS: Templates = Templates {
    known: "{percent:>3}% [{bar:30}] {pos}/{len} conversations {per_sec} eta {eta}",
    unknown: "{spinner} {pos} conversations {per_sec}",
};

/// Shows the number of conversations of a replay that are over.
#[derive(Debug)]
pub(crate) struct ConversationProgress {
    over: u64,
    expected: Option<u64>,
    bar: PatientBar,
}

impl ConversationProgress {
    /// `expected` is the number of conversations, if known.
    pub(crate) fn new(when: ProgressWhen, expected: Option<u64>) -> Self {
        Self {
            over: 0,
            expected,
            bar: PatientBar::new(when),
        }
    }

    /// To be called after each conversation.
    pub(crate) fn one_over(&mut self) {
        self.over += 1;
        self.bar.advance(self.over, self.expected, &CONVERSATIONS);
    }

    /// Takes the bar away.
    pub(crate) fn finish(&mut self) {
        self.bar.finish();
    }
}
