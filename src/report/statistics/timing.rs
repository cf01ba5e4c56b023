//! `-z timing`: durations.

use std::io;

use hdrhistogram::Histogram;

use super::put_table;
use crate::conversation::{Conversation, MessageEvent};
use crate::record::printer::{Notice, Printer, SharedOutput};
use crate::record::tally::Sight;
use crate::report::grid::Align;
use crate::report::style::{Style, put_duration};
use crate::text::write::text_of;

/// Columns that are left out where the terminal is too narrow, first to last.
const EXPENDABLE: [usize; 4] = [4, 2, 3, 1];

/// Spans of time, collected with two digits of precision.
#[derive(Debug)]
pub struct TimingTable {
    style: Style,
    handshake: Spans,
    first_byte: Spans,
    life: Spans,
    router: Spans,
}

impl TimingTable {
    /// An empty table.
    pub fn new(style: Style) -> Self {
        Self {
            style,
            handshake: Spans::default(),
            first_byte: Spans::default(),
            life: Spans::default(),
            router: Spans::default(),
        }
    }
}

/// Spans of time of one kind.
#[derive(Debug)]
pub(in crate::report) struct Spans {
    histogram: Histogram<u64>,
    /// The shortest and the longest, exactly.
    extremes: Option<(u64, u64)>,
}

impl Default for Spans {
    fn default() -> Self {
        Self {
            histogram: Histogram::new(2)
                .expect("two digits are within the 0 to 5 that are possible"),
            extremes: None,
        }
    }
}

impl Spans {
    /// Adds a span in nanoseconds; one that is negative, as capture time went
    /// backwards, is nothing to learn from.
    pub(in crate::report) fn add(&mut self, nanos: Option<i64>) {
        self.add_times(nanos, 1);
    }

    /// Adds a span that occurred so many times.
    pub(in crate::report) fn add_times(&mut self, nanos: Option<i64>, times: u64) {
        if let Some(nanos) = nanos.and_then(|nanos| u64::try_from(nanos).ok()) {
            let (least, most) = self.extremes.get_or_insert((nanos, nanos));
            *least = nanos.min(*least);
            *most = nanos.max(*most);
            // The histogram grows with its values; where it cannot, the span counts as the longest
            // that it can hold.
            if self.histogram.record_n(nanos, times).is_err() {
                self.histogram.saturating_record_n(nanos, times);
            }
        }
    }

    /// Number added.
    pub(in crate::report) fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The span that a share of all does not exceed; `None` without any.
    pub(in crate::report) fn quantile(&self, share: f64) -> Option<u64> {
        let (least, most) = self.extremes?;
        // A histogram's value stands for a range, which may reach beyond the longest.
        Some(self.histogram.value_at_quantile(share).clamp(least, most))
    }
}

fn row(name: &str, spans: &Spans, (least, most): (u64, u64), style: &Style) -> [String; 7] {
    let duration = |nanos: u64| {
        let nanos = i64::try_from(nanos).unwrap_or(i64::MAX);
        text_of(|out| put_duration(out, nanos, style.charset))
    };
    let quantile = |share| duration(spans.quantile(share).unwrap_or(most));
    [
        name.to_owned(),
        spans.count().to_string(),
        duration(least),
        quantile(0.5),
        quantile(0.9),
        quantile(0.99),
        duration(most),
    ]
}

impl Printer for TimingTable {
    fn notice(&self) -> Notice {
        Notice::Line
    }

    fn message(&mut self, event: &MessageEvent<'_>, _: Sight, _: &mut Vec<u8>) -> io::Result<()> {
        self.router.add(event.router_ns);
        Ok(())
    }

    fn conversation(&mut self, conversation: &Conversation, _: &mut Vec<u8>) -> io::Result<()> {
        self.handshake.add(conversation.handshake_ns);
        self.first_byte.add(conversation.first_byte_ns);
        self.life.add(Some(conversation.duration_ns()));
        Ok(())
    }

    fn table(&mut self, _: &[&Conversation], out: &mut SharedOutput<'_>) -> io::Result<()> {
        let rows: Vec<_> = [
            ("handshake (SYN to ACK)", &self.handshake),
            ("first byte (SYN to DATA)", &self.first_byte),
            ("life (first to last message)", &self.life),
            ("router (sent to delivered)", &self.router),
        ]
        .into_iter()
        .filter_map(|(name, spans)| Some(row(name, spans, spans.extremes?, &self.style)))
        .collect();
        put_table(
            "Timing",
            [
                ("Span", Align::Left),
                ("Count", Align::Right),
                ("Min", Align::Right),
                ("p50", Align::Right),
                ("p90", Align::Right),
                ("p99", Align::Right),
                ("Max", Align::Right),
            ],
            &rows,
            &EXPENDABLE,
            &self.style,
            out.buffer,
        );
        Ok(())
    }
}
