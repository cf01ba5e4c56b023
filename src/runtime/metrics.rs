//! Numbers for Prometheus, over a small HTTP responder.

use std::fmt::{self, Write};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tracing::{debug, warn};

use super::link::{LinkCounts, Peer};
use super::repeated::Repeated;
use crate::conversation::FindingCode;
use crate::endpoint::{Anomaly, Endpoint, State, Stats, Traffic};

/// Longest request that is read.
const MAX_REQUEST_BYTES: usize = 8 * 1024;

/// Requests that are read or answered at once; further ones wait to be accepted.
const MAX_REQUESTS: usize = 64;

/// Time for a request, and its answer.
const REQUEST_TIME: Duration = Duration::from_secs(5);

/// Requests that wait to be answered; further ones wait in the system.
const MAX_WAITING: usize = 8;

/// The upper bounds of the handshake histogram, in seconds.
const BOUNDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0,
];

/// Counts of a tunnel beside its endpoint's.
#[derive(Debug)]
pub(super) struct Metrics {
    handshakes: Histogram,
    pub(super) target_failure_count: u64,
    /// Conversations that either side refused.
    pub(super) refused_count: u64,
    /// Conversations that did not come to an orderly end.
    pub(super) failed_count: u64,
    lost_log_lines: &'static AtomicU64,
}

impl Metrics {
    /// `lost_log_lines` is served with the rest.
    pub(super) fn new(lost_log_lines: &'static AtomicU64) -> Self {
        Self {
            handshakes: Histogram::default(),
            target_failure_count: 0,
            refused_count: 0,
            failed_count: 0,
            lost_log_lines,
        }
    }

    pub(super) fn handshake(&mut self, duration: Duration) {
        self.handshakes.observe(duration.as_secs_f64());
    }

    /// All numbers in Prometheus' text format.
    pub(super) fn render(&self, endpoint: &Endpoint<Peer>, link: &LinkCounts) -> String {
        let mut text = String::new();
        self.write(endpoint, link, &mut text)
            .expect("a string takes everything");
        text
    }

    fn write(&self, endpoint: &Endpoint<Peer>, link: &LinkCounts, out: &mut String) -> fmt::Result {
        let stats = endpoint.stats();
        head(
            out,
            "messages_total",
            "counter",
            "Messages by direction and type.",
        )?;
        for (direction, traffic) in directions(stats) {
            for (kind, count) in kinds(traffic) {
                writeln!(
                    out,
                    r#"ministream_messages_total{{dir="{direction}",type="{kind}"}} {count}"#
                )?;
            }
        }
        head(
            out,
            "payload_bytes_total",
            "counter",
            "Payload bytes of data messages.",
        )?;
        for (direction, traffic) in directions(stats) {
            let bytes = traffic.payload_bytes;
            writeln!(
                out,
                r#"ministream_payload_bytes_total{{dir="{direction}"}} {bytes}"#
            )?;
        }
        head(out, "conversations", "gauge", "Conversations by state.")?;
        for state in State::ALL {
            let (name, count) = (state.name(), endpoint.count_in(state));
            writeln!(out, r#"ministream_conversations{{state="{name}"}} {count}"#)?;
        }
        head(out, "handshake_seconds", "histogram", "From SYN to ACK.")?;
        self.handshakes.write(out)?;
        head(
            out,
            "findings_total",
            "counter",
            "Anomalies in messages from peers.",
        )?;
        for anomaly in Anomaly::ALL {
            let (code, count) = (anomaly.code(), stats.anomaly_count(*anomaly));
            writeln!(out, r#"ministream_findings_total{{code="{code}"}} {count}"#)?;
        }
        let (code, count) = (FindingCode::TlsUnprovenSyn.code(), link.unproven_syn_count);
        writeln!(out, r#"ministream_findings_total{{code="{code}"}} {count}"#)?;
        head(
            out,
            "lease_sets_total",
            "counter",
            "Lease sets that the router was given, on I2CP.",
        )?;
        writeln!(out, "ministream_lease_sets_total {}", link.lease_set_count)?;
        head(
            out,
            "target_connect_failures_total",
            "counter",
            "Connections to the service that failed.",
        )?;
        let failures = self.target_failure_count;
        writeln!(out, "ministream_target_connect_failures_total {failures}")?;
        head(
            out,
            "log_lines_lost_total",
            "counter",
            "Lines of the log that could not be written.",
        )?;
        let lost = self.lost_log_lines.load(Ordering::Relaxed);
        writeln!(out, "ministream_log_lines_lost_total {lost}")
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(out, "# HELP ministream_{name} {help}")?;
    writeln!(out, "# TYPE ministream_{name} {kind}")
}

const fn directions(stats: &Stats) -> [(&'static str, &Traffic); 2] {
    [("in", &stats.received), ("out", &stats.sent)]
}

const fn kinds(traffic: &Traffic) -> [(&'static str, u64); 5] {
    [
        ("syn", traffic.syn_count),
        ("ack", traffic.ack_count),
        ("data", traffic.data_count),
        ("close", traffic.close_count),
        ("other", traffic.other_count),
    ]
}

#[derive(Debug, Default)]
struct Histogram {
    /// Those up to each bound, and not up to the one before; the last are beyond all.
    counts: [u64; BOUNDS.len() + 1],
    sum: f64,
}

impl Histogram {
    fn observe(&mut self, value: f64) {
        let place = BOUNDS.iter().take_while(|bound| value > **bound).count();
        self.counts[place] += 1;
        self.sum += value;
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        let mut total = 0;
        let bounds = BOUNDS.iter().map(|bound| bound.to_string());
        for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(self.counts) {
            total += count;
            writeln!(
                out,
                r#"ministream_handshake_seconds_bucket{{le="{bound}"}} {total}"#
            )?;
        }
        writeln!(out, "ministream_handshake_seconds_sum {}", self.sum)?;
        writeln!(out, "ministream_handshake_seconds_count {total}")
    }
}

/// Requests for the numbers, to be answered by whoever has them.
#[derive(Debug)]
pub(super) struct Scrapes(mpsc::Receiver<oneshot::Sender<String>>);

impl Scrapes {
    /// Listens; returns the address that was bound.
    pub(super) async fn listen(address: SocketAddr) -> io::Result<(Self, SocketAddr)> {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        tokio::spawn(respond(listener, sender));
        Ok((Self(receiver), bound))
    }

    /// The next request.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<oneshot::Sender<String>> {
        match self.0.poll_recv(cx) {
            Poll::Ready(Some(request)) => Poll::Ready(request),
            // The responder lives as long as the runtime.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

async fn respond(listener: TcpListener, scrapes: mpsc::Sender<oneshot::Sender<String>>) {
    let places = Arc::new(Semaphore::new(MAX_REQUESTS));
    let mut not_accepted = Repeated::default();
    // The semaphore is never closed.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let scrapes = scrapes.clone();
                tokio::spawn(async move {
                    let answered =
                        tokio::time::timeout(REQUEST_TIME, answer(stream, &scrapes)).await;
                    if let Err(error) =
                        answered.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
                    {
                        debug!(%peer, %error, "a request for metrics failed");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                if let Some(count) = not_accepted.count(()) {
                    warn!(%error, count, "cannot accept a request for metrics");
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn answer(
    mut stream: TcpStream,
    scrapes: &mpsc::Sender<oneshot::Sender<String>>,
) -> io::Result<()> {
    let request = read_request(&mut stream).await?;
    let (status, body) = if is_for_metrics(&request) {
        let (sender, numbers) = oneshot::channel();
        scrapes.send(sender).await.map_err(io::Error::other)?;
        ("200 OK", numbers.await.map_err(io::Error::other)?)
    } else {
        ("404 Not Found", "the metrics are at /metrics\n".to_owned())
    };
    // A connection that stayed open would hold one of the places of MAX_REQUESTS.
    let head = format!(
        "HTTP/1.0 {status}\r\nContent-Type: text/plain; version=0.0.4\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

async fn read_request(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut request = Vec::new();
    // An empty line ends the head (RFC 9112, section 2.1); a GET has nothing behind it.
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if request.len() > MAX_REQUEST_BYTES {
            return Err(io::Error::other("the request is too long"));
        }
        if stream.read_buf(&mut request).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(request)
}

fn is_for_metrics(request: &[u8]) -> bool {
    let Some(target) = request.strip_prefix(b"GET ") else {
        return false;
    };
    // RFC 9112, 3.2.1: the query is no part of the path.
    let end = target.iter().position(|byte| matches!(byte, b' ' | b'?'));
    matches!(end.map(|end| &target[..end]), Some(b"/metrics" | b"/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Config;

    #[test]
    fn a_value_is_counted_in_the_first_bound_that_holds_it_and_all_after() {
        let mut histogram = Histogram::default();
        for value in [0.0, 0.001, 0.0011, 60.0, 61.0] {
            histogram.observe(value);
        }
        let mut text = String::new();
        histogram.write(&mut text).unwrap();
        let counts: Vec<&str> = text
            .lines()
            .map(|line| line.rsplit_once(' ').unwrap().1)
            .collect();
        assert_eq!(
            counts,
            [
                "2", "3", "3", "3", "3", "3", "3", "3", "3", "3", "3", "4", "5", "121.0021", "5"
            ]
        );
        assert!(text.starts_with("ministream_handshake_seconds_bucket{le=\"0.001\"} 2\n"));
    }

    #[test]
    fn a_query_is_no_part_of_the_path_and_other_paths_are_not_ours() {
        for (request, ours) in [
            ("GET /metrics HTTP/1.1", true),
            ("GET /metrics?x=1 HTTP/1.1", true),
            ("GET /?name[]=up HTTP/1.1", true),
            ("GET / HTTP/1.0", true),
            ("GET /metrics/ HTTP/1.1", false),
            ("GET /metricsx HTTP/1.1", false),
            ("GET /x?/metrics HTTP/1.1", false),
            ("POST /metrics HTTP/1.1", false),
            ("GET /metrics", false),
            ("", false),
        ] {
            assert_eq!(is_for_metrics(request.as_bytes()), ours, "{request}");
        }
    }

    const ALL_BUT_FINDINGS: &str = r#"# HELP ministream_messages_total Messages by direction and type.
# TYPE ministream_messages_total counter
ministream_messages_total{dir="in",type="syn"} 0
ministream_messages_total{dir="in",type="ack"} 0
ministream_messages_total{dir="in",type="data"} 0
ministream_messages_total{dir="in",type="close"} 0
ministream_messages_total{dir="in",type="other"} 0
ministream_messages_total{dir="out",type="syn"} 0
ministream_messages_total{dir="out",type="ack"} 0
ministream_messages_total{dir="out",type="data"} 0
ministream_messages_total{dir="out",type="close"} 0
ministream_messages_total{dir="out",type="other"} 0
# HELP ministream_payload_bytes_total Payload bytes of data messages.
# TYPE ministream_payload_bytes_total counter
ministream_payload_bytes_total{dir="in"} 0
ministream_payload_bytes_total{dir="out"} 0
# HELP ministream_conversations Conversations by state.
# TYPE ministream_conversations gauge
ministream_conversations{state="syn_sent"} 0
ministream_conversations{state="syn_received"} 0
ministream_conversations{state="open"} 0
ministream_conversations{state="draining"} 0
ministream_conversations{state="closing"} 0
ministream_conversations{state="ended"} 0
# HELP ministream_handshake_seconds From SYN to ACK.
# TYPE ministream_handshake_seconds histogram
(the histogram)
# HELP ministream_findings_total Anomalies in messages from peers.
# TYPE ministream_findings_total counter
# HELP ministream_lease_sets_total Lease sets that the router was given, on I2CP.
# TYPE ministream_lease_sets_total counter
ministream_lease_sets_total 5
# HELP ministream_target_connect_failures_total Connections to the service that failed.
# TYPE ministream_target_connect_failures_total counter
ministream_target_connect_failures_total 3
# HELP ministream_log_lines_lost_total Lines of the log that could not be written.
# TYPE ministream_log_lines_lost_total counter
ministream_log_lines_lost_total 7"#;

    #[test]
    fn every_number_has_a_help_and_a_type() {
        let endpoint = Endpoint::new(Config::default(), [0; 32]);
        static LOST: AtomicU64 = AtomicU64::new(7);
        let mut metrics = Metrics::new(&LOST);
        metrics.target_failure_count = 3;
        let link = LinkCounts {
            unproven_syn_count: 3,
            lease_set_count: 5,
        };
        let text = metrics.render(&endpoint, &link);
        let (findings, others): (Vec<&str>, Vec<&str>) = text
            .lines()
            .partition(|line| line.starts_with("ministream_findings_total{"));
        let mut counts: Vec<String> = Anomaly::ALL
            .iter()
            .map(|anomaly| {
                format!(
                    r#"ministream_findings_total{{code="{}"}} 0"#,
                    anomaly.code()
                )
            })
            .collect();
        counts.push(r#"ministream_findings_total{code="tls.unproven_syn"} 3"#.to_owned());
        assert_eq!(findings, counts);
        let mut histogram = String::new();
        Histogram::default().write(&mut histogram).unwrap();
        let others = others.join("\n").replace(&histogram, "(the histogram)\n");
        assert_eq!(others, ALL_BUT_FINDINGS);
    }
}
