//! The progress bar on standard error.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::ProgressWhen;
use crate::capture::Progress;

/// Time of a run before it shows a bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// Readings, of some dozen packets or one, between two looks at the clock.
const READINGS_BETWEEN: u32 = 64;

/// A bar that is seen once the run takes longer than [`PATIENCE`]. It learns the
/// pace from the start, before it is seen; there is none where none is wanted.
#[derive(Debug)]
pub(super) struct PatientBar {
    start: Instant,
    bar: Option<ProgressBar>,
}

impl PatientBar {
    pub(super) fn new(when: ProgressWhen) -> Self {
        let is_wanted = when == ProgressWhen::Auto && io::stderr().is_terminal();
        Self {
            start: Instant::now(),
            bar: is_wanted.then(ProgressBar::hidden),
        }
    }

    /// Moves to `position`; it is shown with a template for a known or an unknown `length`.
    pub(super) fn advance(&self, position: u64, length: Option<u64>, templates: &Templates) {
        let Some(bar) = &self.bar else { return };
        bar.set_position(position);
        if bar.is_hidden() && self.start.elapsed() >= PATIENCE {
            let template = match length {
                Some(_) => templates.known,
                None => templates.unknown,
            };
            draw(bar, template, length);
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// The texts of a bar, in indicatif's notation.
pub(super) struct Templates {
    /// When the length is known.
    pub(super) known: &'static str,
    pub(super) unknown: &'static str,
}

const BYTES: Templates = Templates {
    known: "{percent:>3}% [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} eta {eta}",
    unknown: "{spinner} {bytes} {bytes_per_sec}",
};

/// Shows the progress of reading.
#[derive(Debug)]
pub(crate) struct ProgressReport {
    readings: u32,
    bar: PatientBar,
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
        let when = match screen {
            Screen::Free => when,
            Screen::Busy => ProgressWhen::Never,
        };
        Self {
            readings: 0,
            bar: PatientBar::new(when),
        }
    }

    /// To be called after each reading; `progress` is asked only now and then.
    pub(crate) fn read(&mut self, progress: impl FnOnce() -> Progress) {
        self.readings = self.readings.wrapping_add(1);
        if self.bar.bar.is_none() || !self.readings.is_multiple_of(READINGS_BETWEEN) {
            return;
        }
        let progress = progress();
        self.bar
            .advance(progress.read_bytes, progress.total_bytes, &BYTES);
    }

    /// Takes the bar away.
    pub(crate) fn finish(&mut self) {
        self.bar.finish();
    }
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
