//! A proxy's report, on request while it runs or at the end.

use std::time::Duration;

use serde_json::{Value, json};

use super::rule::RuleTally;
use crate::fault::{FaultStats, Faults};
use crate::wire::{Direction, MessageKind};

/// Counts of messages, and of the effects on them.
#[derive(Clone, Debug)]
pub struct ProxyReport {
    /// Clients' messages, and servers'.
    pub directions: [DirectionReport; 2],
    /// Each rule, in order.
    pub rules: Vec<RuleReport>,
    /// The faults in force now and before.
    pub faults: FaultReport,
    /// Conversations seen.
    pub conversations: u64,
    /// Connections of clients.
    pub connections: u64,
    /// Connections to the server that failed.
    pub failed_connections: u64,
    /// Time that the proxy itself added, in microseconds.
    pub added_us: AddedLatency,
}

/// Percentiles of a time, in microseconds; 0 where nothing was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddedLatency {
    /// Number of measurements.
    pub count: u64,
    /// Half are below.
    pub p50: u64,
    /// 99 of 100 are below.
    pub p99: u64,
    /// The longest.
    pub max: u64,
}

/// Counts of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirectionReport {
    /// Messages that came in.
    pub messages_in: u64,
    /// Their bytes, without the carrier's.
    pub bytes_in: u64,
    /// Messages that went out.
    pub messages_out: u64,
    /// Their bytes, without the carrier's; on I2CP whole frames.
    pub bytes_out: u64,
    /// Messages that are not of the protocol, and passed all the same.
    pub not_ours: u64,
    /// I2CP frames without a message for us.
    pub frames: u64,
    /// Messages by type, in the order of [`MessageKind::ALL`].
    pub by_type: [u64; MessageKind::ALL.len()],
    /// Bytes of payload that came in with data.
    pub payload_bytes: u64,
}

/// A rule and its effects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleReport {
    /// As it was written.
    pub text: String,
    /// Its effects.
    pub tally: RuleTally,
}

/// Faults and their effects.
#[derive(Clone, Debug, Default)]
pub struct FaultReport {
    /// Those in force.
    pub faults: Faults,
    /// Effects on clients' messages, and on servers'.
    pub stats: [FaultStats; 2],
}

impl FaultReport {
    /// The effects in a direction.
    pub const fn stats(&self, direction: Direction) -> &FaultStats {
        &self.stats[index(direction)]
    }
}

/// 0 for clients' messages, 1 for servers'.
pub(crate) const fn index(direction: Direction) -> usize {
    match direction {
        Direction::ClientToServer => 0,
        Direction::ServerToClient => 1,
    }
}

impl RuleReport {
    /// Whether it held for no message.
    pub const fn never_matched(&self) -> bool {
        self.tally.matched == 0
    }
}

/// A rule, with its number, as the report and the control interface show it.
pub fn rule_json(number: usize, rule: &RuleReport) -> Value {
    let tally = rule.tally;
    json!({
        "rule": number,
        "text": rule.text,
        "matched_count": tally.matched,
        "dropped_count": tally.dropped,
        "duplicated_count": tally.duplicated,
        "delayed_count": tally.delayed,
        "mean_delay_us": mean_us(tally.delay, tally.delayed),
        "held_count": tally.held,
        "changed_count": tally.changed,
        "injected_count": tally.injected,
        "left_out_count": tally.left_out,
    })
}

/// The sum of delays over messages, in microseconds a message.
pub(crate) fn mean_us(total: Duration, count: u64) -> u64 {
    let mean = total.as_micros().checked_div(count.into()).unwrap_or(0);
    u64::try_from(mean).unwrap_or(u64::MAX)
}
