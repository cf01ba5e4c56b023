//! One page that shows a capture, for a browser without a network.
//!
//! The page is one file. Its policy forbids every request; its one script and its
//! one style are known by their hashes. What was captured is text: escaped
//! where the page is written here, and only ever put into text nodes by the
//! script. Memory is bounded: charts and counts are of everything, but only the
//! foremost conversations, findings and messages are in the page, and the
//! page says how many are not.

pub(in crate::report) mod charts;
mod data;
mod foremost;
pub(in crate::report) mod frame;
pub(in crate::report) mod histogram;
mod page;
mod timeline;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::io::{self, Write};

use foremost::Foremost;
use histogram::Distribution;
use page::Page;
use timeline::Timeline;

use super::heading::Heading;
use super::ladder::message_log::{Limits, MessageLog, MessageLogs};
use super::ladder::{Ladder, View, info, label};
use super::statistics::FindingTable;
use super::style::{Style, TimeWriter};
use crate::conversation::{Conversation, ConversationId, Finding, Level, MessageEvent};
use crate::dissect::FlowReport;
use crate::field::payload;
use crate::record::Summary;
use crate::record::printer::{Printer, SharedOutput};
use crate::record::tally::{Sight, Totals};
use crate::text::write::text_of;

/// Conversations that have a ladder and their bytes in the page.
pub const MAX_CONVERSATIONS: usize = 200;

/// Conversations in the table.
pub const MAX_ROWS: usize = 10_000;

/// Findings in the list.
pub const MAX_FINDINGS: usize = 1_000;

/// Messages shown that belong to no conversation.
pub const MAX_LOOSE: usize = 200;

/// Messages that all ladders hold together.
pub const MAX_MESSAGES: usize = 20_000;

/// Payload bytes in the page.
pub const MAX_PAYLOAD_BYTES: usize = 8 << 20;

const LIMITS: Limits = Limits {
    messages: 1_000,
    message_bytes: 64 << 10,
    conversation_bytes: 64 << 10,
    messages_held: 200_000,
    bytes_held: 64 << 20,
};

/// What comes first: the worst findings, then the order of the capture.
type Rank = (Reverse<Option<Level>>, ConversationId);

/// Collects what the page shows, and writes it at the end.
#[derive(Debug)]
pub struct HtmlReport<W> {
    writer: W,
    collected: Collected,
}

/// What the page shows.
#[derive(Debug)]
struct Collected {
    style: Style,
    heading: Heading,
    logs: MessageLogs,
    pictured: Foremost<Rank, Over>,
    rows: Foremost<Rank, Row>,
    findings: Foremost<(Reverse<Level>, u64), Finding>,
    finding_table: FindingTable,
    loose: Loose,
    timeline: Timeline,
    handshakes: Distribution,
    lives: Distribution,
}

/// A conversation that is over, with its messages.
#[derive(Debug)]
struct Over {
    conversation: Conversation,
    log: MessageLog,
}

/// A conversation in the table.
#[derive(Debug)]
struct Row {
    conversation: Conversation,
    /// The worst of its findings.
    level: Option<Level>,
}

/// Messages that belong to no conversation, as the page shows them.
#[derive(Debug, Default)]
struct Loose {
    shown: Vec<LooseMessage>,
    seen: u64,
}

#[derive(Debug)]
struct LooseMessage {
    number: u64,
    time: String,
    label: String,
    info: String,
    json: Vec<u8>,
}

/// A ladder in the page.
struct Picture<'a> {
    ladder: Ladder<'a>,
    view: View<'a>,
    other: Option<View<'a>>,
}

impl<W: Write> HtmlReport<W> {
    /// A report that will be written to `writer`.
    pub fn new(writer: W, style: Style) -> Self {
        Self {
            writer,
            collected: Collected {
                style,
                heading: Heading::default(),
                logs: MessageLogs::new(LIMITS),
                pictured: Foremost::new(MAX_CONVERSATIONS),
                rows: Foremost::new(MAX_ROWS),
                findings: Foremost::new(MAX_FINDINGS),
                finding_table: FindingTable::new(style),
                loose: Loose::default(),
                timeline: Timeline::default(),
                handshakes: Distribution::default(),
                lives: Distribution::default(),
            },
        }
    }
}

impl Collected {
    /// The ladders that the page has room for, in the order of the capture.
    fn pictures(&self) -> Vec<Picture<'_>> {
        let over: BTreeMap<ConversationId, &Over> = self
            .pictured
            .values()
            .map(|over| (over.conversation.id, over))
            .collect();
        let mut drawn = BTreeSet::new();
        let (mut messages, mut bytes) = (0, 0);
        let mut pictures = Vec::new();
        for first in self.pictured.values() {
            if drawn.contains(&first.conversation.id) {
                continue;
            }
            let peer = first.conversation.peer_view;
            let other = peer.and_then(|peer| over.get(&peer)).copied();
            let both = || std::iter::once(first).chain(other);
            let more_messages: usize = both().map(|over| over.log.messages().len()).sum();
            let more_bytes: usize = both().map(|over| over.log.kept_bytes()).sum();
            if messages + more_messages > MAX_MESSAGES || bytes + more_bytes > MAX_PAYLOAD_BYTES {
                continue;
            }
            messages += more_messages;
            bytes += more_bytes;
            drawn.extend(both().map(|over| over.conversation.id));
            pictures.push(Picture::new(first, other, &self.style));
        }
        pictures.sort_unstable_by_key(Picture::id);
        pictures
    }
}

impl<'a> Picture<'a> {
    fn new(first: &'a Over, other: Option<&'a Over>, style: &Style) -> Self {
        let view = first.view();
        let other = other.map(Over::view);
        Self {
            ladder: Ladder::new(view, other, style),
            view,
            other,
        }
    }

    /// The conversation by whose name the picture goes.
    const fn id(&self) -> ConversationId {
        self.ladder.conversation.id
    }

    fn views(&self) -> impl Iterator<Item = View<'a>> {
        std::iter::once(self.view).chain(self.other)
    }
}

impl Over {
    const fn view(&self) -> View<'_> {
        View {
            conversation: &self.conversation,
            log: &self.log,
        }
    }
}

impl Loose {
    fn message(&mut self, event: &MessageEvent<'_>, style: &Style) {
        self.seen += 1;
        if self.shown.len() >= MAX_LOOSE {
            return;
        }
        let payload_bytes = payload(&event.message).len();
        self.shown.push(LooseMessage {
            number: event.number,
            time: text_of(|out| TimeWriter::new(style.times).put(event, out)),
            label: label(event, payload_bytes, style),
            info: info(event, style),
            json: {
                let mut json = Vec::new();
                data::put_message(event, payload_bytes, style, &mut json);
                json
            },
        });
    }
}

impl<W: Write + Debug + Send + 'static> Printer for HtmlReport<W> {
    fn flow(&mut self, flow: &FlowReport) {
        self.collected.heading.flow(flow);
    }

    /// Counts a message, and keeps it for as long as it may be shown.
    fn message(
        &mut self,
        event: &MessageEvent<'_>,
        sight: Sight,
        _: &mut Vec<u8>,
    ) -> io::Result<()> {
        let collected = &mut self.collected;
        collected.heading.message(event);
        collected.timeline.message(event, sight);
        if event.conversation.is_some() {
            collected.logs.message(event);
        } else {
            collected.loose.message(event, &collected.style);
        }
        Ok(())
    }

    /// Keeps a finding, if it is among the worst.
    fn finding(&mut self, finding: &Finding, out: &mut Vec<u8>) -> io::Result<()> {
        let collected = &mut self.collected;
        collected.finding_table.finding(finding, out)?;
        collected.logs.finding(finding);
        let key = (Reverse(finding.level), collected.findings.seen());
        collected.findings.offer(key, || finding.clone());
        Ok(())
    }

    /// Keeps a conversation that is over, if it is among the foremost.
    fn conversation(&mut self, conversation: &Conversation, _: &mut Vec<u8>) -> io::Result<()> {
        let collected = &mut self.collected;
        collected.handshakes.add(conversation.handshake_ns);
        collected.lives.add(Some(conversation.duration_ns()));
        let log = collected.logs.take(conversation.id).unwrap_or_default();
        let level = log.findings().iter().map(|finding| finding.level).max();
        let rank = (Reverse(level), conversation.id);
        collected.rows.offer(rank, || Row {
            conversation: conversation.clone(),
            level,
        });
        collected.pictured.offer(rank, || Over {
            conversation: conversation.clone(),
            log,
        });
        Ok(())
    }

    fn finish(
        &mut self,
        totals: &Totals,
        summary: &Summary<'_>,
        _: &mut SharedOutput<'_>,
    ) -> io::Result<()> {
        let pictures = self.collected.pictures();
        let page = Page::new(&self.collected, totals, summary, &pictures);
        let mut out = Vec::new();
        page.put_top(&mut out);
        self.writer.write_all(&out)?;
        for picture in &pictures {
            out.clear();
            page.put_picture(picture, &mut out);
            self.writer.write_all(&out)?;
        }
        out.clear();
        page.put_end(&mut out);
        self.writer.write_all(&out)?;
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests;
