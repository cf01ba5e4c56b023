//! What is odd about a message, in words.

use super::*;

impl Tracker {
    pub(super) fn find_oversize(&mut self, seen: &Observation<'_>, frame: &RawFrame<'_>) {
        let message_bytes = seen.message.message_bytes();
        let (limit, text) = if message_bytes > MAX_MESSAGE_BYTES {
            (
                MAX_MESSAGE_BYTES,
                format!(
                    "{message_bytes} bytes; the reference implementation accepts {MAX_MESSAGE_BYTES}"
                ),
            )
        } else {
            (
                MAX_DATA_PAYLOAD_BYTES,
                format!(
                    "{} bytes of data; the reference implementation sends at most {MAX_DATA_PAYLOAD_BYTES}",
                    frame.payload.len()
                ),
            )
        };
        self.find(seen, None, FindingCode::Oversize, text).extend([
            ("message_bytes", number(message_bytes)),
            ("limit_bytes", number(limit)),
        ]);
    }

    /// The payload of a SYN is no destination. I2CP asks for one, because the answer goes
    /// there; elsewhere the protocol text only asks for "the public key".
    pub(super) fn find_bad_destination(
        &mut self,
        seen: &Observation<'_>,
        frame: &RawFrame<'_>,
        slot: u32,
        error: &DestinationError,
    ) {
        let id = self.live[slot as usize].id;
        let is_i2cp = self.channels[seen.channel.0 as usize].carrier == Carrier::I2cp;
        let text = match is_i2cp {
            true => error.to_string(),
            false => format!("not an I2P destination: {error}"),
        };
        let index = self.findings.len();
        self.find(seen, Some(id), FindingCode::SynBadDestination, text)
            .push(("payload_bytes", number(frame.payload.len())));
        if is_i2cp {
            self.findings[index].level = Level::Error;
        }
    }

    pub(super) fn find_reuse(
        &mut self,
        seen: &Observation<'_>,
        conversation: ConversationId,
        id: StreamId,
        other: ConversationId,
        space: &str,
    ) {
        let text = format!("{space} id {id} is announced again while {other} uses it");
        self.find(seen, Some(conversation), FindingCode::IdReuse, text)
            .extend([
                ("id", FindingDetail::Text(id.to_string())),
                ("other_conv", FindingDetail::Text(other.to_string())),
            ]);
    }

    pub(super) fn find_orphan(
        &mut self,
        seen: &Observation<'_>,
        frame: &RawFrame<'_>,
        space: Space,
    ) {
        let owner = match space {
            Space::Client => "client",
            Space::Server => "server",
        };
        let text = format!("no conversation has {owner} id {}", frame.id);
        self.find(seen, None, FindingCode::OrphanId, text)
            .push(("id", FindingDetail::Text(frame.id.to_string())));
    }

    pub(super) fn find_step(
        &mut self,
        seen: &Observation<'_>,
        frame: &RawFrame<'_>,
        id: ConversationId,
        before: State,
        code: FindingCode,
        level: Level,
    ) {
        let payload_bytes = frame.payload.len();
        let text = match code {
            FindingCode::DataBeforeAck => format!("{payload_bytes} bytes before the ACK of {id}"),
            FindingCode::DataAfterClose => {
                format!("{} for {id}, which is {before}", frame.frame_type)
            }
            FindingCode::AckDuplicate => format!("{id} was acknowledged before"),
            FindingCode::AckEmpty => format!("ACK without server id, read as the close of {id}"),
            _ => format!("ACK carries {payload_bytes} bytes instead of a 3-byte server id"),
        };
        let index = self.findings.len();
        self.find(seen, Some(id), code, text)
            .push(("payload_bytes", number(payload_bytes)));
        self.findings[index].level = level;
    }

    pub(super) fn find_close_payload(
        &mut self,
        seen: &Observation<'_>,
        frame: &RawFrame<'_>,
        slot: u32,
        meaning: Meaning,
    ) {
        let payload_bytes = frame.payload.len();
        let live = &self.live[slot as usize];
        let (id, precedes_its_syn) = (live.id, live.assumed_by == Some(self.message_count));
        let refuses = precedes_its_syn || matches!(meaning, Meaning::Refuses { .. });
        let is_refusal = refuses && payload_bytes == 3;
        let text = if is_refusal {
            "refusal with an id, as the reference sends where nobody listens".to_owned()
        } else {
            format!("close carries {payload_bytes} bytes")
        };
        let index = self.findings.len();
        self.find(seen, Some(id), FindingCode::ClosePayload, text)
            .push(("payload_bytes", number(payload_bytes)));
        if !is_refusal {
            self.findings[index].level = Level::Warn;
        }
    }

    /// Adds a finding to the message that is being observed, and returns its
    /// details to be filled in. A conversation named here is that message's.
    pub(super) fn find(
        &mut self,
        seen: &Observation<'_>,
        conversation: Option<ConversationId>,
        code: FindingCode,
        text: String,
    ) -> &mut Vec<(&'static str, FindingDetail)> {
        self.findings.push(Finding {
            code,
            level: code.level(),
            message: Some(self.message_count),
            packet: Some(seen.packet),
            conversation,
            text,
            detail: Vec::new(),
        });
        &mut self
            .findings
            .last_mut()
            .expect("a finding was pushed just now")
            .detail
    }

    /// A finding about a conversation that no new message brings about.
    pub(super) fn find_late(
        &mut self,
        slot: u32,
        code: FindingCode,
        level: Level,
        message: u64,
        text: String,
    ) {
        let live = &mut self.live[slot as usize];
        live.finding_count += 1;
        let finding = Finding {
            code,
            level,
            message: Some(message),
            packet: None,
            conversation: Some(live.id),
            text,
            detail: Vec::new(),
        };
        self.outcomes.push_back(Outcome::Finding(finding));
    }
}
