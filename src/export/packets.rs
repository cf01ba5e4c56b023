//! `-w`: the packets of a capture that a selection needs, and the comments on each.
//!
//! A first pass dissects and notes packets; the later ones only read them. A TCP stream with holes
//! cannot be read, so of a connection all packets belong to the selection when one does, and of a
//! datagram all its fragments. A live capture does not come twice: its packets are written with the
//! comments known when they come.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write};

use crate::capture::{Packet, PcapngWriter};
use crate::carrier::Carrier;
use crate::conversation::{Finding, MessageEvent};
use crate::net::Whole;
use crate::number_set::NumberSet;
use crate::record::printer::Printer;
use crate::record::tally::Sight;

/// Bytes of the comment on one packet; pcapng allows 65,535.
pub(super) const MAX_COMMENT_BYTES: usize = 4 << 10;

/// Bytes of all comments, which are held until packets are written.
const MAX_COMMENTS_BYTES: usize = 64 << 20;

/// Connections and datagrams that are remembered of a live capture.
const MAX_LIVE_WHOLES: usize = 65_536;

/// The packets of a live capture that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveScope {
    /// All of them.
    Everything,
    /// Those that complete a selected message, and later ones of their connections.
    Selected,
}

/// The packets that a selection needs.
#[derive(Debug, Default)]
pub struct PacketPlan {
    /// Those that completed a selected message.
    completing: NumberSet,
    wholes: HashSet<Whole>,
    comments: BTreeMap<u64, String>,
    comments_bytes: usize,
    left_out: u64,
}

impl PacketPlan {
    /// Findings that are in no comment, as there were too many.
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Learns the units that the noted packets are parts of; to be shown every packet before the
    /// first is written.
    pub fn learn(&mut self, packet: &Packet<'_>) {
        if self.completing.contains(packet.number) {
            self.wholes.extend(Whole::of(packet));
        }
        if !self.wholes.is_empty()
            && let Some((datagram, connection)) = Whole::fragmented_segment(packet)
            && self.wholes.contains(&connection)
        {
            self.wholes.insert(datagram);
        }
    }

    /// Writes a packet if it belongs to the selection, with its findings as a comment.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write<W: Write>(
        &self,
        packet: &Packet<'_>,
        writer: &mut PcapngWriter<W>,
    ) -> io::Result<()> {
        if !self.needs(packet) {
            return Ok(());
        }
        match self.comments.get(&packet.number) {
            Some(comment) => writer.write_commented(packet, comment),
            None => writer.write(packet),
        }
    }

    /// Writes a packet of a live capture, once it was dissected, if it belongs to the selection
    /// as far as anyone can tell yet, and flushes. Findings on earlier packets are counted as
    /// left out.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_live<W: Write>(
        &mut self,
        packet: &Packet<'_>,
        scope: LiveScope,
        writer: &mut PcapngWriter<W>,
    ) -> io::Result<()> {
        match scope {
            // Nobody asks which connections there are.
            LiveScope::Everything => self.wholes.clear(),
            LiveScope::Selected => self.learn(packet),
        }
        let is_written = scope == LiveScope::Everything || self.needs(packet);
        if self.wholes.len() > MAX_LIVE_WHOLES {
            // Those that go on are learnt again with their next message; this one now, unless its
            // segments are fragments.
            self.wholes.clear();
            self.learn(packet);
        }
        let comment = self.comments.remove(&packet.number);
        let late: usize = self
            .comments
            .values()
            .map(|text| text.lines().count())
            .sum();
        self.left_out += late as u64;
        self.comments.clear();
        self.comments_bytes = 0;
        match comment {
            _ if !is_written => return Ok(()),
            Some(comment) => writer.write_commented(packet, &comment)?,
            None => writer.write(packet)?,
        }
        writer.flush()
    }

    fn needs(&self, packet: &Packet<'_>) -> bool {
        self.completing.contains(packet.number)
            || !self.wholes.is_empty()
                && Whole::of(packet).is_some_and(|whole| self.wholes.contains(&whole))
    }
}

impl Printer for PacketPlan {
    fn message(&mut self, event: &MessageEvent<'_>, _: Sight, _: &mut Vec<u8>) -> io::Result<()> {
        self.completing.insert(event.packet);
        if event.carrier != Carrier::Udp {
            // The packet may be the last fragment of a segment, which does not name the connection.
            self.wholes
                .extend(Whole::connection([event.source, event.target]));
        }
        Ok(())
    }

    /// Notes the comment on a packet; counts those that have no room.
    fn finding(&mut self, finding: &Finding, _: &mut Vec<u8>) -> io::Result<()> {
        let Some(packet) = finding.packet else {
            return Ok(());
        };
        let line = comment_line(finding);
        let length = self.comments.get(&packet).map_or(0, String::len);
        if length + line.len() >= MAX_COMMENT_BYTES
            || self.comments_bytes + line.len() >= MAX_COMMENTS_BYTES
        {
            self.left_out += 1;
            return Ok(());
        }
        self.comments_bytes += line.len() + 1;
        let comment = self.comments.entry(packet).or_default();
        if !comment.is_empty() {
            comment.push('\n');
        }
        comment.push_str(&line);
        Ok(())
    }
}

/// The comment on a finding.
pub(super) fn comment_line(finding: &Finding) -> String {
    format!("{} {}: {}", finding.level, finding.code, finding.text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{InterfaceId, LinkType};
    use crate::conversation::FindingCode;
    use crate::net::Side;
    use crate::net::synthetic::{Connection, Segment};
    use crate::testing::{self, Written};
    use crate::time::Timestamp;

    #[test]
    fn a_comment_is_bounded_and_what_has_no_room_is_counted() {
        let mut plan = Written::by(PacketPlan::default());
        let finding = Finding {
            packet: Some(7),
            ..testing::finding(FindingCode::Ping)
        };
        for _ in 0..1_000 {
            plan.finding(&finding);
        }
        let comment = &plan.printer.comments[&7];
        assert!(comment.len() <= MAX_COMMENT_BYTES);
        let lines = comment.lines().count() as u64;
        assert!(
            lines > 10 && lines + plan.printer.left_out() == 1_000,
            "{lines}"
        );
    }

    #[test]
    fn a_finding_that_names_no_packet_is_in_no_comment() {
        let mut plan = Written::by(PacketPlan::default());
        plan.finding(&Finding {
            packet: None,
            ..testing::finding(FindingCode::NoClose)
        });
        assert_eq!(
            (plan.printer.comments.len(), plan.printer.left_out()),
            (0, 0)
        );
    }

    #[test]
    fn connections_of_a_live_capture_are_learnt_anew_when_there_are_too_many() {
        let server = testing::server();
        let mut plan = PacketPlan::default();
        let mut writer = PcapngWriter::new(io::sink()).unwrap();
        let mut most = 0;
        let mut written = |plan: &mut PacketPlan, number: u64, client: u32| {
            let client = (std::net::Ipv4Addr::from(client), 40_000).into();
            let mut data = Vec::new();
            let mut connection = Connection::new(client, server, 1);
            connection.make_segment(Side::Initiator, Segment::Data(b"x"), &mut data);
            let packet = Packet {
                number,
                time: Timestamp::from_nanos(0),
                interface: InterfaceId::default(),
                link_type: LinkType::RawIp,
                data: &data,
                original_bytes: u32::try_from(data.len()).unwrap(),
            };
            plan.write_live(&packet, LiveScope::Selected, &mut writer)
                .unwrap();
            plan.needs(&packet)
        };
        let count = u32::try_from(MAX_LIVE_WHOLES).unwrap() + 10;
        for number in 1..=count {
            plan.completing.insert(u64::from(number));
            written(&mut plan, u64::from(number), number);
            most = most.max(plan.wholes.len());
        }
        assert_eq!(most, MAX_LIVE_WHOLES);
        // All packets are written, whatever they belong to.
        let mut everything = Written::by(PacketPlan::default());
        let message = MessageEvent {
            carrier: Carrier::TcpU32,
            ..testing::event(&[0xa2, 0, 0, 1])
        };
        everything.message(&message);
        assert_eq!(everything.printer.wholes.len(), 1);
        let packet = Packet {
            number: 1,
            time: Timestamp::from_nanos(0),
            interface: InterfaceId::default(),
            link_type: LinkType::RawIp,
            data: &[],
            original_bytes: 0,
        };
        let mut writer_of_all = PcapngWriter::new(io::sink()).unwrap();
        let scope = LiveScope::Everything;
        let written_all = everything
            .printer
            .write_live(&packet, scope, &mut writer_of_all);
        written_all.unwrap();
        assert_eq!(everything.printer.wholes.len(), 0);
        // The first goes on unseen until its next selected message.
        let next = u64::from(count) + 1;
        assert!(!written(&mut plan, next, 1));
        plan.completing.insert(next + 1);
        assert!(written(&mut plan, next + 1, 1));
        assert!(written(&mut plan, next + 2, 1));
    }
}
