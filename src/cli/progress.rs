//! The progress bar on standard error.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::ProgressWhen;
use crate::capture::Progress;

/// How long a run takes before it shows a bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// Packets between two looks at the clock.
const PACKETS_BETWEEN: u32 = 4096;

/// Shows how far reading has come, once that takes longer than [`PATIENCE`].
#[derive(Debug)]
pub(crate) struct ProgressReport {
    start: Instant,
    packets: u32,
    /// Learns the pace from the start, before it is seen; none where none is wanted.
    bar: Option<ProgressBar>,
}

/// Whether messages go to the terminal, where a bar would be in their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Screen {
    /// Messages scroll by.
    Busy,
    /// Nothing is printed before the end, or not to the terminal.
    Free,
}

impl ProgressReport {
    pub(crate) fn new(when: ProgressWhen, screen: Screen) -> Self {
        let is_wanted =
            when == ProgressWhen::Auto && screen == Screen::Free && io::stderr().is_terminal();
        Self {
            start: Instant::now(),
            packets: 0,
            bar: is_wanted.then(ProgressBar::hidden),
        }
    }

    /// To be called after each packet; `progress` is asked only now and then.
    pub(crate) fn packet(&mut self, progress: impl FnOnce() -> Progress) {
        self.packets = self.packets.wrapping_add(1);
        let Some(bar) = &self.bar else { return };
        if !self.packets.is_multiple_of(PACKETS_BETWEEN) {
            return;
        }
        let progress = progress();
        bar.set_position(progress.read_bytes);
        if bar.is_hidden() && self.start.elapsed() >= PATIENCE {
            show(bar, progress.total_bytes);
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// Shows how many conversations are over, once a replay takes longer than [`PATIENCE`].
#[derive(Debug)]
pub(crate) struct ConversationProgress {
    start: Instant,
    expected: Option<u64>,
    bar: Option<ProgressBar>,
}

impl ConversationProgress {
    /// `expected` conversations, if it is known how many.
    pub(crate) fn new(when: ProgressWhen, expected: Option<u64>) -> Self {
        let is_wanted = when == ProgressWhen::Auto && io::stderr().is_terminal();
        Self {
            start: Instant::now(),
            expected,
            bar: is_wanted.then(ProgressBar::hidden),
        }
    }

    /// To be called after each conversation.
    pub(crate) fn one_over(&mut self) {
        let Some(bar) = &self.bar else { return };
        bar.inc(1);
        if bar.is_hidden() && self.start.elapsed() >= PATIENCE {
            let template = match self.expected {
                Some(_) => "{percent:>3}% [{bar:30}] {pos}/{len} conversations {per_sec} eta {eta}",
                None => "{spinner} {pos} conversations {per_sec}",
            };
            draw(bar, template, self.expected);
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn show(bar: &ProgressBar, total_bytes: Option<u64>) {
    let template = match total_bytes {
        Some(_) => "{percent:>3}% [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} eta {eta}",
        None => "{spinner} {bytes} {bytes_per_sec}",
    };
    draw(bar, template, total_bytes);
}

/// Brings a bar that was hidden to the terminal.
fn draw(bar: &ProgressBar, template: &'static str, length: Option<u64>) {
    let style = ProgressStyle::with_template(template)
        .expect("the template is a constant in indicatif's notation")
        .progress_chars("=> ");
    if let Some(length) = length {
        bar.set_length(length);
    }
    bar.set_style(style);
    bar.set_draw_target(ProgressDrawTarget::stderr());
}
