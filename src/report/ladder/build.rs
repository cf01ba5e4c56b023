//! From the log of a conversation to its ladder.

use super::message_log::MessageLog;
use super::{Arrow, Heading, IDLE_NS, Ladder, Lane, Note, Row};
use crate::conversation::{Conversation, Finding, FindingCode, Meaning, MessageEvent, Party};
use crate::field::announced_server_id;
use crate::report::describe::put_info;
use crate::report::style::{Style, TimeWriter, put_duration, put_size};
use crate::report::table::put_type;
use crate::text::write::{put, put_address, text_of};
use crate::time::Timestamp;
use crate::wire::{Direction, FrameKind};

/// A conversation that is over, and the log of its messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    /// The conversation at its end.
    pub(crate) conversation: &'a Conversation,
    /// Its messages.
    pub(crate) log: &'a MessageLog,
}

/// Names a message of one of the views.
#[derive(Clone, Copy)]
struct MessageIndex {
    view: usize,
    index: usize,
}

impl<'a> Ladder<'a> {
    /// The ladder of a conversation of which `view` is one view, and `other` the
    /// one of the other side of the router, if it was seen.
    pub(crate) fn new(view: View<'a>, other: Option<View<'a>>, style: &Style) -> Self {
        let mut views = vec![view];
        views.extend(other);
        // The router hands a SYN out after it took it in: the client's view is the older one.
        views.sort_unstable_by_key(|view| view.conversation.id);
        let client = views[0].conversation;
        let peer = views.get(1).map(|view| view.conversation);
        Self {
            conversation: client,
            peer,
            lanes: lanes(client, peer, style),
            rows: rows(&views, style),
            messages_left_out: views.iter().map(|v| v.log.messages_left_out()).sum(),
            findings_left_out: views.iter().map(|v| v.log.findings_left_out()).sum(),
        }
    }
}

fn lanes(client: &Conversation, peer: Option<&Conversation>, style: &Style) -> Vec<Lane> {
    let lane = |role, end: &Party| Lane {
        role,
        name: name(end, style),
    };
    match peer {
        None => vec![
            lane("client", &client.client),
            lane("server", &client.server),
        ],
        Some(peer) => vec![
            lane("client", &client.client),
            Lane {
                role: "router",
                name: address(&client.server),
            },
            lane("server", &peer.server),
        ],
    }
}

fn name(end: &Party, style: &Style) -> String {
    match &end.nickname {
        Some(nickname) => style.escaped(nickname),
        None => address(end),
    }
}

fn address(end: &Party) -> String {
    text_of(|out| put_address(out, end.address))
}

/// The messages of all views in the order of the capture, with their findings.
fn rows(views: &[View<'_>], style: &Style) -> Vec<Row> {
    let mut places: Vec<(u64, MessageIndex)> = Vec::new();
    for (view, View { log, .. }) in views.iter().enumerate() {
        let steps = log.messages().iter().enumerate();
        places.extend(steps.map(|(index, step)| (step.number, MessageIndex { view, index })));
    }
    places.sort_unstable_by_key(|(number, _)| *number);
    let mut findings: Vec<&Finding> = views.iter().flat_map(|view| view.log.findings()).collect();
    findings.sort_by_key(|finding| row_of(finding));
    let mut findings = findings.into_iter().peekable();

    let mut rows = Vec::with_capacity(places.len());
    let mut times = TimeWriter::new(style.times);
    let mut previous: Option<Timestamp> = None;
    for (number, place) in places {
        let view = &views[place.view];
        let event = view.log.event(place.index, view.conversation);
        let since_ns = previous.map(|previous| event.time.nanos_since(previous));
        previous = Some(event.time);
        let idle_ns = since_ns.filter(|&nanos| nanos >= IDLE_NS);
        rows.extend(idle_ns.map(Row::Idle));
        let mut arrow = arrow(&event, place, view.log, style, &mut times);
        arrow.since_ns = since_ns.filter(|_| idle_ns.is_none());
        rows.push(Row::Arrow(arrow));
        while let Some(finding) = findings.next_if(|finding| row_of(finding) <= number) {
            rows.push(note(finding, style));
        }
    }
    rows.extend(findings.map(|finding| note(finding, style)));
    rows
}

/// The number of the message below which a finding stands. Findings about something that did not
/// come stand at the end.
fn row_of(finding: &Finding) -> u64 {
    match finding.code {
        FindingCode::NoClose | FindingCode::SynNoAnswer => u64::MAX,
        _ => finding.message.unwrap_or(u64::MAX),
    }
}

fn note(finding: &Finding, style: &Style) -> Row {
    Row::Note(Note {
        level: finding.level,
        text: format!("{}: {}", finding.code, style.escaped(&finding.text)),
    })
}

fn arrow(
    event: &MessageEvent<'_>,
    place: MessageIndex,
    log: &MessageLog,
    style: &Style,
    times: &mut TimeWriter,
) -> Arrow {
    // The second view is between the router and the server.
    let (left, right) = (place.view, place.view + 1);
    let (from, to) = match event.direction {
        Some(Direction::ClientToServer) | None => (left, right),
        Some(Direction::ServerToClient) => (right, left),
    };
    Arrow {
        number: event.number,
        from,
        to,
        heading: match event.direction {
            Some(_) => Heading::Known,
            None => Heading::Unknown,
        },
        type_name: event.message.kind().name(),
        colour: style.colour_of_type(&event.message),
        time: text_of(|out| times.put(event, out)),
        since_ns: None,
        label: label(event, log.payload_bytes(place.index), style),
        info: info(event, style),
    }
}

/// `SYN 111111  387 B`, `ACK 111111 → ffffff`
pub(crate) fn label(event: &MessageEvent<'_>, payload_bytes: usize, style: &Style) -> String {
    text_of(|out| {
        put_type(&event.message, out);
        if let Some(frame) = event.message.frame() {
            out.push(b' ');
            style.put_id(frame.id, out);
        }
        if let Some(server_id) = announced_server_id(event) {
            out.push(b' ');
            put(out, style.charset.right_arrow());
            out.push(b' ');
            return style.put_id(server_id.0, out);
        }
        let is_data = event
            .message
            .frame()
            .is_some_and(|frame| frame.frame_type.kind() == FrameKind::Data);
        if payload_bytes > 0 || is_data {
            put(out, "  ");
            put_size(out, payload_bytes as u64);
        }
    })
}

/// The information that is not in the label already.
pub(crate) fn info(event: &MessageEvent<'_>, style: &Style) -> String {
    text_of(|out| {
        let is_in_label = matches!(event.meaning, Meaning::Accepts { .. });
        if let Some(nanos) = event.router_ns {
            put_duration(out, nanos, style.charset);
            put(out, " in the router");
            if !is_in_label {
                put(out, ", ");
            }
        }
        if !is_in_label {
            put_info(event, style, out);
        }
    })
}
