//! Numbers of a proxy for Prometheus.

use std::fmt::Write;

use crate::fault::FaultKind;
use crate::field::TYPE_NAMES;
use crate::proxy::Proxy;
use crate::wire::Direction;

const DIRECTIONS: [Direction; 2] = [Direction::ClientToServer, Direction::ServerToClient];

/// All numbers in Prometheus' text format.
pub(super) fn render(proxy: &Proxy) -> String {
    let report = proxy.report();
    let mut out = String::new();
    let head = |out: &mut String, name: &str, kind: &str, help: &str| {
        *out += &format!("# HELP ministream_{name} {help}\n# TYPE ministream_{name} {kind}\n");
    };
    let line = |out: &mut String, name: &str, labels: &str, value: u64| {
        // A string takes everything.
        writeln!(out, "ministream_{name}{labels} {value}").unwrap_or_default();
    };
    head(
        &mut out,
        "messages_total",
        "counter",
        "Messages by direction and type.",
    );
    for (direction, passed) in DIRECTIONS.iter().zip(&report.directions) {
        for (name, count) in TYPE_NAMES.iter().zip(passed.by_type) {
            let labels = format!("{{dir=\"{}\",type=\"{name}\"}}", direction.name());
            line(&mut out, "messages_total", &labels, count);
        }
    }
    head(
        &mut out,
        "payload_bytes_total",
        "counter",
        "Payload bytes of data messages.",
    );
    for (direction, passed) in DIRECTIONS.iter().zip(&report.directions) {
        let labels = format!("{{dir=\"{}\"}}", direction.name());
        line(
            &mut out,
            "payload_bytes_total",
            &labels,
            passed.payload_bytes,
        );
    }
    let connections = u64::try_from(proxy.connection_count()).unwrap_or(u64::MAX);
    head(&mut out, "connections", "gauge", "Connections of clients.");
    line(&mut out, "connections", "", connections);
    let open = u64::try_from(proxy.conversation_count()).unwrap_or(u64::MAX);
    head(
        &mut out,
        "conversations",
        "gauge",
        "Conversations being followed.",
    );
    line(&mut out, "conversations", "", open);
    head(
        &mut out,
        "conversations_total",
        "counter",
        "Conversations seen.",
    );
    line(&mut out, "conversations_total", "", report.conversations);
    head(
        &mut out,
        "connections_total",
        "counter",
        "Connections of clients.",
    );
    line(&mut out, "connections_total", "", report.connections);
    head(
        &mut out,
        "upstream_connect_failures_total",
        "counter",
        "Connections to the server that failed.",
    );
    line(
        &mut out,
        "upstream_connect_failures_total",
        "",
        report.failed_connections,
    );
    head(
        &mut out,
        "faults_total",
        "counter",
        "Messages affected by faults.",
    );
    for direction in DIRECTIONS {
        for kind in FaultKind::ALL {
            let labels = format!("{{dir=\"{}\",fault=\"{}\"}}", direction.name(), kind.name());
            let count = report.faults.stats(direction).effect(kind).count;
            line(&mut out, "faults_total", &labels, count);
        }
    }
    head(
        &mut out,
        "rules_total",
        "counter",
        "Messages that matched rules, by number of the rule.",
    );
    for (place, rule) in report.rules.iter().enumerate() {
        let labels = format!("{{rule=\"{}\"}}", place + 1);
        line(&mut out, "rules_total", &labels, rule.tally.matched);
    }
    head(
        &mut out,
        "added_microseconds",
        "gauge",
        "Time that the proxy itself adds to a message.",
    );
    for (quantile, value) in [("0.5", report.added_us.p50), ("0.99", report.added_us.p99)] {
        let labels = format!("{{quantile=\"{quantile}\"}}");
        line(&mut out, "added_microseconds", &labels, value);
    }
    out
}
