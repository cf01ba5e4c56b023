//! Records read back, as the dissector would report them.

use std::collections::VecDeque;
use std::io::BufRead;
use std::net::SocketAddr;
use std::path::PathBuf;

use hashbrown::HashMap;
use serde_json::Value;

use crate::capture::{CaptureFormat, Compression, InputInfo, LinkType};
use crate::carrier::Carrier;
use crate::columns::{Field, of_conversation, of_finding, of_router_time, of_tally};
use crate::conversation::{
    Conversation, ConversationId, ConversationState, DetailName, Finding, FindingCode,
    FindingDetail, I2cpSession, Level, Meaning, MeaningKind, MessageEvent, Party, RouterTime,
    SessionId, Tally,
};
use crate::dissect::{EvictedCounts, ForeignCounts};
use crate::ndjson::{NdjsonError, RecordLine, RecordLines};
use crate::net::Encapsulation;
use crate::net::Skip;
use crate::select::redact::Secrets;
use crate::time::Timestamp;
use crate::wire::{ClientId, DestinationHash, Direction, RawMessage, ServerId};

/// Findings of a message, which are read ahead. The dissector reports a few.
const MAX_FINDINGS: usize = 1_024;

/// Bytes of their texts: a record of the longest line.
const MAX_FINDING_BYTES: usize = 16 << 20;

/// The output of `-T ndjson`, record by record.
///
/// Values that are not in records are lost: how flows were recognised, the ids of sessions on the
/// wire, and fractions of microseconds in the times of conversations.
#[derive(Debug)]
pub struct RecordReader<R> {
    lines: RecordLines<R>,
    inputs: Vec<InputInfo>,
    redacted: Secrets,
    /// Records that were read to complete an earlier one.
    ahead: VecDeque<Record>,
    /// The first line behind those.
    next_line: Option<RecordLine>,
    /// Time of the first packet.
    origin: Option<Timestamp>,
    /// Times of the SYNs of conversations that are not over.
    syns: HashMap<ConversationId, Timestamp>,
}

/// One record after the header.
#[derive(Debug)]
pub enum Record {
    /// A message. Its findings follow.
    Message(Box<MessageRecord>),
    /// A finding.
    Finding(Box<Finding>),
    /// A conversation that is over.
    Conversation(Box<Conversation>),
    /// The end.
    Summary(Box<SummaryRecord>),
}

/// A message with all that belongs to it.
#[derive(Debug)]
pub struct MessageRecord {
    number: u64,
    packet: u64,
    time: Timestamp,
    elapsed_us: i64,
    encapsulation: Encapsulation,
    carrier: Carrier,
    source: SocketAddr,
    target: SocketAddr,
    direction: Option<Direction>,
    bytes: Vec<u8>,
    conversation: Option<ConversationId>,
    meaning: Meaning,
    session: Option<I2cpSession>,
    router_ns: Option<i64>,
    sent_as: Option<u64>,
    destination_hash: Option<DestinationHash>,
    findings: Vec<Finding>,
}

impl MessageRecord {
    /// The message as the dissector reported it.
    pub fn event(&self) -> MessageEvent<'_> {
        MessageEvent {
            number: self.number,
            packet: self.packet,
            time: self.time,
            elapsed_us: self.elapsed_us,
            encapsulation: self.encapsulation,
            carrier: self.carrier,
            source: self.source,
            target: self.target,
            direction: self.direction,
            message: RawMessage::parse(&self.bytes),
            conversation: self.conversation,
            meaning: self.meaning,
            session: self.session.as_ref(),
            router_ns: self.router_ns,
            sent_as: self.sent_as,
            destination_hash: self.destination_hash,
            findings: &self.findings,
        }
    }
}

/// The last record's values for the input as a whole.
#[derive(Debug)]
pub struct SummaryRecord {
    /// The inputs, read to their end.
    pub inputs: Vec<InputInfo>,
    /// Packets read.
    pub packet_count: u64,
    /// Times of the first and the latest packet, if there was a message.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Packets that delivered nothing, by reason.
    pub skipped: Vec<(Skip, u64)>,
    /// Traffic of other protocols.
    pub foreign: ForeignCounts,
    /// Packets that the kernel dropped in a live capture.
    pub dropped_by_kernel: Option<u64>,
    /// Counts of data forgotten for want of memory; zero where older records do not say.
    pub evicted: EvictedCounts,
}

impl SummaryRecord {
    /// The summary of an input whose records end early.
    pub fn unknown(inputs: &[InputInfo]) -> Self {
        Self {
            inputs: inputs.to_vec(),
            packet_count: 0,
            span: None,
            skipped: Vec::new(),
            foreign: ForeignCounts::default(),
            dropped_by_kernel: None,
            evicted: EvictedCounts::default(),
        }
    }

    /// Packets that delivered nothing for this reason.
    pub fn skipped_for(&self, reason: Skip) -> u64 {
        let skipped = self.skipped.iter().find(|(skip, _)| *skip == reason);
        skipped.map_or(0, |(_, count)| *count)
    }
}

impl<R: BufRead> RecordReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn open(input: R) -> Result<Self, NdjsonError> {
        let mut lines = RecordLines::new(input);
        let header = lines.header()?;
        Ok(Self {
            inputs: inputs(&header)?,
            redacted: secrets(&header)?,
            lines,
            ahead: VecDeque::new(),
            next_line: None,
            origin: None,
            syns: HashMap::new(),
        })
    }

    /// The inputs that the header names.
    pub fn inputs(&self) -> &[InputInfo] {
        &self.inputs
    }

    /// The secrets redacted when the records were written.
    pub const fn redacted(&self) -> Secrets {
        self.redacted
    }

    /// The next record; `None` at the end. Kinds of records that are not known are
    /// passed over.
    ///
    /// # Errors
    /// The input cannot be read, or a record is no output of the dump.
    pub fn next_record(&mut self) -> Result<Option<Record>, NdjsonError> {
        if let Some(record) = self.ahead.pop_front() {
            return Ok(Some(record));
        }
        while let Some(line) = self.next_line()? {
            return Ok(Some(match line.kind() {
                "message" => Record::Message(Box::new(self.message(&line)?)),
                "finding" => Record::Finding(Box::new(finding(&line)?)),
                "conversation" => Record::Conversation(Box::new(self.conversation(&line)?)),
                "summary" => Record::Summary(Box::new(self.summary(&line)?)),
                _ => continue,
            }));
        }
        Ok(None)
    }

    fn next_line(&mut self) -> Result<Option<RecordLine>, NdjsonError> {
        match self.next_line.take() {
            Some(line) => Ok(Some(line)),
            None => self.lines.next_record(),
        }
    }

    fn message(&mut self, line: &RecordLine) -> Result<MessageRecord, NdjsonError> {
        let number = line.count(Field::N.name())?;
        let time: Timestamp = line.parsed(Field::Ts.name())?;
        let elapsed_us = line.micros(Field::TUs.name())?;
        let start = time.plus_nanos(elapsed_us.saturating_mul(-1_000));
        self.origin.get_or_insert(start);
        let conversation = line.conversation(Field::Conv.name())?;
        let meaning = self.meaning(line, conversation, time)?;
        let session = line.optional(Field::Session.name(), |value| {
            u32::try_from(value.as_u64()?).ok()
        })?;
        let nickname = line.optional(Field::SessionName.name(), Value::as_str)?;
        let finding_count = line.required(Field::Findings.name(), |value| {
            let count = value.as_array()?.len();
            (count <= MAX_FINDINGS).then_some(count)
        })?;
        Ok(MessageRecord {
            number,
            packet: line.count(Field::PacketN.name())?,
            time,
            elapsed_us,
            carrier: carrier(line)?,
            source: line.parsed(Field::Src.name())?,
            target: line.parsed(Field::Dst.name())?,
            direction: line.direction()?,
            bytes: message_bytes(line)?,
            conversation,
            meaning,
            session: session.map(|id| I2cpSession {
                id: SessionId(id),
                wire_id: None,
                nickname: nickname.map(str::to_owned),
                hash: None,
            }),
            router_ns: line.optional_nanos(Field::RouterUs.name())?,
            // Older records do not say.
            sent_as: line.optional(Field::SentN.name(), Value::as_u64)?,
            encapsulation: line
                .optional(Field::Encapsulation.name(), |value| {
                    Encapsulation::parse(value.as_str()?)
                })?
                .unwrap_or_default(),
            destination_hash: line.optional_parsed(Field::DestinationHash.name())?,
            findings: self.findings_of(number, finding_count)?,
        })
    }

    /// The findings of a message are the records behind it.
    fn findings_of(&mut self, number: u64, count: usize) -> Result<Vec<Finding>, NdjsonError> {
        // They may not come, whatever the message says.
        let mut findings = Vec::new();
        let mut text_bytes = 0;
        while findings.len() < count
            && let Some(line) = self.next_line()?
        {
            if line.kind() != "finding" {
                self.next_line = Some(line);
                break;
            }
            let finding = finding(&line)?;
            if finding.message != Some(number) {
                self.next_line = Some(line);
                break;
            }
            text_bytes += text_bytes_of(&finding);
            if text_bytes > MAX_FINDING_BYTES {
                return Err(line.invalid(of_finding::TEXT));
            }
            findings.push(finding);
        }
        let follow = findings.iter().cloned().map(Box::new).map(Record::Finding);
        self.ahead.extend(follow);
        Ok(findings)
    }

    fn meaning(
        &mut self,
        line: &RecordLine,
        conversation: Option<ConversationId>,
        time: Timestamp,
    ) -> Result<Meaning, NdjsonError> {
        let syn = conversation.and_then(|id| self.syns.get(&id).copied());
        let handshake_ns = syn.map(|syn| time.nanos_since(syn));
        let meaning = match line.named(Field::Meaning.name(), MeaningKind::named)? {
            MeaningKind::Opens => {
                if let Some(id) = conversation {
                    self.syns.insert(id, time);
                }
                Meaning::Opens
            }
            MeaningKind::Accepts => Meaning::Accepts {
                server_id: ServerId(line.parsed(Field::ServerId.name())?),
                handshake_ns,
            },
            MeaningKind::Refuses => Meaning::Refuses {
                handshake_ns: handshake_ns.unwrap_or_default(),
            },
            MeaningKind::Closes => Meaning::Closes {
                by: line.required_direction()?,
            },
            MeaningKind::Carries => Meaning::Carries,
            MeaningKind::ClosesAgain => Meaning::ClosesAgain,
            MeaningKind::Ignored => Meaning::Ignored,
            MeaningKind::Orphan => Meaning::Orphan,
            MeaningKind::Idle => Meaning::Idle,
            MeaningKind::Meaningless => Meaning::Meaningless,
            MeaningKind::Untracked => Meaning::Untracked,
        };
        Ok(meaning)
    }

    fn conversation(&mut self, line: &RecordLine) -> Result<Conversation, NdjsonError> {
        let id = line.parsed(of_conversation::CONV)?;
        self.syns.remove(&id);
        let start_us = line.micros(of_conversation::START_T_US)?;
        let start = self
            .origin
            .unwrap_or_default()
            .plus_nanos(start_us.saturating_mul(1_000));
        let duration_ns = line
            .micros(of_conversation::DURATION_US)?
            .saturating_mul(1_000);
        Ok(Conversation {
            id,
            carrier: carrier(line)?,
            client: Party {
                address: line.parsed(of_conversation::CLIENT)?,
                nickname: line
                    .optional(of_conversation::CLIENT_NAME, Value::as_str)?
                    .map(str::to_owned),
                hash: line.optional_parsed(of_conversation::CLIENT_HASH)?,
            },
            server: Party {
                address: line.parsed(of_conversation::SERVER)?,
                nickname: line
                    .optional(of_conversation::SERVER_NAME, Value::as_str)?
                    .map(str::to_owned),
                hash: line.optional_parsed(of_conversation::SERVER_HASH)?,
            },
            client_id: line.id(of_conversation::CLIENT_ID)?.map(ClientId),
            server_id: line.id(of_conversation::SERVER_ID)?.map(ServerId),
            state: line.named(of_conversation::STATE, ConversationState::named)?,
            start,
            start_us,
            end: start.plus_nanos(duration_ns),
            handshake_ns: line.optional_nanos(of_conversation::HANDSHAKE_US)?,
            first_byte_ns: line.optional_nanos(of_conversation::FIRST_BYTE_US)?,
            c2s: tally(line, of_conversation::C2S)?,
            s2c: tally(line, of_conversation::S2C)?,
            finding_count: line.count(of_conversation::FINDING_COUNT)?,
            peer_view: line.conversation(of_conversation::PEER_VIEW)?,
            router: line
                .object(of_conversation::ROUTER_TIME_US)?
                .as_ref()
                .map(router)
                .transpose()?,
        })
    }

    fn summary(&self, line: &RecordLine) -> Result<SummaryRecord, NdjsonError> {
        let foreign = line
            .object("foreign")?
            .ok_or_else(|| line.invalid("foreign"))?;
        let skipped = line
            .object("skipped")?
            .ok_or_else(|| line.invalid("skipped"))?;
        let duration = line.optional_nanos("duration_us")?;
        Ok(SummaryRecord {
            inputs: inputs(line)?,
            packet_count: line.count("packet_count")?,
            span: self
                .origin
                .zip(duration)
                .map(|(first, duration)| (first, first.plus_nanos(duration))),
            skipped: Skip::ALL
                .into_iter()
                .map(|reason| Ok((reason, skipped.count(reason.name())?)))
                .collect::<Result<_, NdjsonError>>()?,
            foreign: ForeignCounts {
                flows: foreign.count("flow_count")?,
                // Younger than the schema's other keys: records without it are read.
                sealed_flows: foreign
                    .optional("tls_flow_count", Value::as_u64)?
                    .unwrap_or(0),
                payloads: foreign.count("payload_count")?,
                bytes: foreign.count("payload_bytes")?,
                i2cp_messages: foreign.count("i2cp_message_count")?,
            },
            dropped_by_kernel: line.optional("dropped_by_kernel_count", Value::as_u64)?,
            evicted: match line.object("evicted") {
                Ok(Some(evicted)) => EvictedCounts {
                    flows: evicted.count("flow_count")?,
                    conversations: evicted.count("conversation_count")?,
                    closed_conversations: evicted.count("closed_conversation_count")?,
                },
                Ok(None) | Err(_) => EvictedCounts::default(),
            },
        })
    }
}

/// The message as it was on the wire.
fn message_bytes(line: &RecordLine) -> Result<Vec<u8>, NdjsonError> {
    let Some(id) = line.id(Field::Id.name())? else {
        return line.required(Field::ShortHex.name(), |value| {
            hex::decode(value.as_str()?).ok()
        });
    };
    let payload = line
        .payload()?
        .ok_or(NdjsonError::NoPayload { line: line.line() })?;
    Ok([&[line.type_byte()?][..], &id.0, &payload].concat())
}

/// The finding that a record by itself holds.
#[cfg(feature = "serde")]
pub(crate) fn read_finding(record: Value) -> Result<Finding, NdjsonError> {
    finding(&RecordLine::single(record))
}

fn finding(line: &RecordLine) -> Result<Finding, NdjsonError> {
    let detail = line.entries(of_finding::DETAIL)?.collect::<Vec<_>>();
    // In the order in which findings have them, which JSON does not keep.
    let detail = DetailName::ALL.iter().filter_map(|&name| {
        let (_, value) = detail.iter().find(|(key, _)| *key == name.name())?;
        let detail = match value.as_u64() {
            Some(number) => FindingDetail::Number(number),
            None => FindingDetail::Text(value.as_str()?.to_owned()),
        };
        Some((name, detail))
    });
    Ok(Finding {
        code: line.named(of_finding::CODE, FindingCode::named)?,
        level: line.named(of_finding::LEVEL, Level::named)?,
        message: line.optional(of_finding::N, Value::as_u64)?,
        packet: line.optional(of_finding::PACKET_N, Value::as_u64)?,
        conversation: line.conversation(of_finding::CONV)?,
        text: line.text(of_finding::TEXT)?.to_owned(),
        detail: detail.collect(),
    })
}

fn text_bytes_of(finding: &Finding) -> usize {
    let details = finding.detail.iter().map(|(_, detail)| match detail {
        FindingDetail::Number(_) => 0,
        FindingDetail::Text(text) => text.len(),
    });
    finding.text.len() + details.sum::<usize>()
}

fn carrier(line: &RecordLine) -> Result<Carrier, NdjsonError> {
    line.named(Field::Carrier.name(), Carrier::named)
}

fn tally(line: &RecordLine, direction: &'static str) -> Result<Tally, NdjsonError> {
    let tally = line
        .object(direction)?
        .ok_or_else(|| line.invalid(direction))?;
    Ok(Tally {
        message_count: tally.count(of_tally::MESSAGE_COUNT)?,
        payload_bytes: tally.count(of_tally::PAYLOAD_BYTES)?,
    })
}

fn router(times: &RecordLine) -> Result<RouterTime, NdjsonError> {
    let nanos = |field| {
        times
            .micros(field)
            .map(|micros| micros.saturating_mul(1_000))
    };
    Ok(RouterTime {
        // The record has only the mean, which is that of one message as well.
        message_count: 1,
        min_ns: nanos(of_router_time::MIN)?,
        total_ns: nanos(of_router_time::MEAN)?,
        max_ns: nanos(of_router_time::MAX)?,
    })
}

fn secrets(header: &RecordLine) -> Result<Secrets, NdjsonError> {
    let names = header.required("redacted", Value::as_array)?;
    let has = |secret: &str| names.iter().any(|name| name == secret);
    Ok(Secrets {
        payload: has("payload"),
        destinations: has("dest"),
    })
}

fn inputs(line: &RecordLine) -> Result<Vec<InputInfo>, NdjsonError> {
    let read = |input: &RecordLine| {
        Ok(InputInfo {
            path: PathBuf::from(input.text("path")?),
            format: input.named("format", CaptureFormat::named)?,
            compression: input
                .optional("compression", |value| Compression::named(value.as_str()?))?,
            link_type: input.optional("link_type_number", |value| {
                let number = u32::try_from(value.as_u64()?).ok()?;
                Some(LinkType::from_number(number))
            })?,
            interfaces: Vec::new(),
            packet_count: input.optional("packet_count", Value::as_u64)?.unwrap_or(0),
            truncated: input.required("truncated", Value::as_bool)?,
        })
    };
    line.objects("inputs")?.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        r#"{"record":"header","schema":"ministream.dump/1","redacted":[],"inputs":[]}"#;

    /// The first record of a message that names so many findings, before these findings.
    fn read(count: usize, findings: &[String]) -> Result<MessageRecord, NdjsonError> {
        let codes = vec![r#""ms.ping""#; count].join(",");
        let message = format!(
            r#"{{"record":"message","n":1,"packet_n":1,"ts":"2004-05-25T12:00:00.000000000Z","t_us":0,"carrier":"udp","src":"127.0.0.1:1","dst":"127.0.0.1:2","dir":null,"id":null,"conv":null,"meaning":"idle","short_hex":"ff","findings":[{codes}]}}"#
        );
        let text = [&[HEADER.to_owned(), message], findings]
            .concat()
            .join("\n");
        let mut reader = RecordReader::open(text.as_bytes())?;
        match reader.next_record()? {
            Some(Record::Message(message)) => Ok(*message),
            other => panic!("{other:?}"),
        }
    }

    fn finding(text: &str, detail: &str) -> String {
        format!(
            r#"{{"record":"finding","code":"ms.ping","level":"note","n":1,"conv":null,"text":"{text}","detail":{{"id":"{detail}"}}}}"#
        )
    }

    #[test]
    fn findings_take_memory_when_they_come_and_not_by_their_number() {
        let message = read(MAX_FINDINGS, &[]).unwrap();
        assert_eq!(message.findings.capacity(), 0);
        let message = read(3, &vec![finding("one", "two"); 2]).unwrap();
        assert_eq!(message.findings.len(), 2);
    }

    #[test]
    fn the_findings_of_a_message_are_bounded_in_number_and_bytes() {
        let each = finding("one", "two");
        let most = read(MAX_FINDINGS, &vec![each; MAX_FINDINGS]).unwrap();
        assert_eq!(most.findings.len(), MAX_FINDINGS);
        let error = read(MAX_FINDINGS + 1, &[]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 2: findings is missing or not what it should be"
        );
        let half = "x".repeat(MAX_FINDING_BYTES / 2);
        for [text, detail] in [[&*half, ""], ["", &*half]] {
            let two = vec![finding(text, detail); 2];
            assert_eq!(read(2, &two).unwrap().findings.len(), 2);
            let three = [&two[..], &[finding("x", "")]].concat();
            let error = read(3, &three).unwrap_err();
            assert_eq!(
                error.to_string(),
                "line 5: text is missing or not what it should be"
            );
        }
    }
}
