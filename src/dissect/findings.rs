//! Findings about packets, flows and connections, in words.

use std::net::SocketAddr;

use crate::carrier::Problem;
use crate::conversation::{DetailName, Finding, FindingCode, FindingDetail};
use crate::net::{Arrival, Ignored, LostDatagram};

pub(super) fn about_capture(
    code: FindingCode,
    text: String,
    detail: Vec<(DetailName, FindingDetail)>,
) -> Finding {
    Finding {
        code,
        level: code.level(),
        message: None,
        packet: None,
        conversation: None,
        text,
        detail,
    }
}

pub(super) fn missing_fragments(lost: &LostDatagram) -> Finding {
    let mut finding = about_capture(
        FindingCode::UdpFragmentMissing,
        format!(
            "{} of {} bytes of a datagram from {} to {}",
            lost.received_bytes,
            lost.total_bytes
                .map_or("unknown".to_owned(), |bytes| bytes.to_string()),
            lost.source,
            lost.destination
        ),
        vec![(
            DetailName::ReceivedBytes,
            FindingDetail::Number(u64::from(lost.received_bytes)),
        )],
    );
    finding.packet = Some(lost.arrival.packet);
    finding
}

/// A finding about a segment that receivers ignore.
pub(super) fn ignored_segment(
    arrival: Arrival,
    source: SocketAddr,
    target: SocketAddr,
    what: Ignored,
) -> Finding {
    let (code, text, detail) = match what {
        Ignored::Reset { ahead_bytes } => {
            let place = match ahead_bytes {
                0.. => "ahead of",
                _ => "behind",
            };
            let bytes = ahead_bytes.unsigned_abs();
            (
                FindingCode::TcpResetIgnored,
                format!(
                    "a reset of {source} - {target} was ignored: it is {bytes} bytes {place} what was \
                     expected, and data went on"
                ),
                vec![(DetailName::DistanceBytes, FindingDetail::Number(bytes))],
            )
        }
        Ignored::Opening => (
            FindingCode::TcpSynIgnored,
            format!(
                "a SYN of {source} - {target} was ignored: the connection is open, and data went on"
            ),
            Vec::new(),
        ),
    };
    about_connection(code, arrival, text, detail)
}

pub(super) fn from_problem(problem: Problem, arrival: Arrival) -> Finding {
    let (code, offset) = match problem {
        Problem::BadPrefix { offset, .. } => (FindingCode::TcpBadPrefix, offset),
        Problem::Incomplete { offset, .. } | Problem::PartOfSegment { offset, .. } => {
            (FindingCode::TcpIncomplete, offset)
        }
        Problem::Skipped { offset, .. } => (FindingCode::TcpSkipped, offset),
    };
    let detail = vec![(DetailName::OffsetBytes, FindingDetail::Number(offset))];
    about_connection(code, arrival, problem.to_string(), detail)
}

pub(super) fn about_connection(
    code: FindingCode,
    arrival: Arrival,
    text: String,
    detail: Vec<(DetailName, FindingDetail)>,
) -> Finding {
    Finding {
        packet: Some(arrival.packet),
        ..about_capture(code, text, detail)
    }
}
