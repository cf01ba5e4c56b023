//! Counts and measurements of a player.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::units::whole_micros;

/// Longest time that is distinguished from longer ones: an hour, in microseconds.
const LONGEST_US: u64 = 3_600_000_000;

/// Counters and times of a replay.
#[derive(Clone, Debug)]
pub struct PlayStats {
    /// Conversations that were begun.
    pub conversations: u64,
    /// Conversations that were to be played and were not begun.
    pub not_begun: u64,
    /// SYNs that were sent.
    pub sent_syns: u64,
    /// Messages that were sent; closes that tidy up are not counted.
    pub sent_messages: u64,
    /// Their bytes, header included.
    pub sent_bytes: u64,
    /// Messages from the server.
    pub received_messages: u64,
    /// Payload bytes of its data.
    pub received_bytes: u64,
    /// Messages from the server for ids that are not live.
    pub late_messages: u64,
    /// Messages without effect: pings, second ACKs, types of the other direction.
    pub ignored_messages: u64,
    send_lag: Histogram<u64>,
    handshake: Histogram<u64>,
}

impl Default for PlayStats {
    fn default() -> Self {
        let histogram = || {
            Histogram::new_with_max(LONGEST_US, 3)
                .expect("an hour in microseconds with three digits is within the histogram's range")
        };
        Self {
            conversations: 0,
            not_begun: 0,
            sent_syns: 0,
            sent_messages: 0,
            sent_bytes: 0,
            received_messages: 0,
            received_bytes: 0,
            late_messages: 0,
            ignored_messages: 0,
            send_lag: histogram(),
            handshake: histogram(),
        }
    }
}

/// Percentiles of a time, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentiles {
    /// The median.
    pub p50: u64,
    /// The 99th.
    pub p99: u64,
    /// The longest.
    pub max: u64,
}

impl PlayStats {
    pub(super) fn lag(&mut self, lag: Duration) {
        self.send_lag.saturating_record(whole_micros(lag));
    }

    pub(super) fn handshake(&mut self, handshake: Duration) {
        self.handshake.saturating_record(whole_micros(handshake));
    }

    /// The delay of messages behind the time at which they could have gone.
    pub fn send_lag(&self) -> Option<Percentiles> {
        percentiles(&self.send_lag)
    }

    /// The lags that occurred, rounded to three digits, with the number of times.
    pub fn send_lags(&self) -> impl Iterator<Item = (Duration, u64)> {
        self.send_lag.iter_recorded().map(|step| {
            let lag = Duration::from_micros(step.value_iterated_to());
            (lag, step.count_at_value())
        })
    }

    /// Times from SYN to its answer.
    pub fn handshakes(&self) -> Option<Percentiles> {
        percentiles(&self.handshake)
    }
}

fn percentiles(histogram: &Histogram<u64>) -> Option<Percentiles> {
    (!histogram.is_empty()).then(|| Percentiles {
        p50: histogram.value_at_quantile(0.5),
        p99: histogram.value_at_quantile(0.99),
        max: histogram.max(),
    })
}
