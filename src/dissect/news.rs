//! News of a source that is read on another thread, with each batch.

use crate::capture::{InputInfo, PacketSource, Progress};
use crate::net::CopyCounts;

/// Inputs whose counts come with every batch.
const FEW_INPUTS: usize = 16;

/// Changes since the batch before.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Set where something about them has changed that matters before the end.
    inputs: Option<Vec<InputInfo>>,
    progress: Progress,
}

/// Whether a batch has the inputs, however many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inputs {
    All,
    IfFew,
}

impl News {
    pub(super) fn of<P: PacketSource>(source: &P, inputs: Inputs) -> Self {
        // Of many inputs that would cost more than all else.
        let is_shown = inputs == Inputs::All || source.inputs().len() <= FEW_INPUTS;
        Self {
            inputs: is_shown.then(|| source.inputs().to_vec()),
            progress: source.progress(),
        }
    }
}

/// State of the source.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) inputs: Vec<InputInfo>,
    /// Once it has ended.
    pub(super) copies: CopyCounts,
    pub(super) progress: Progress,
}

impl Known {
    pub(super) fn of<P: PacketSource>(source: &P) -> Self {
        Self {
            inputs: source.inputs().to_vec(),
            copies: CopyCounts::default(),
            progress: Progress::default(),
        }
    }

    pub(super) fn take_in(&mut self, news: News) {
        if let Some(inputs) = news.inputs {
            self.inputs = inputs;
        }
        self.progress = news.progress;
    }
}
