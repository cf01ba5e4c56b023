//! Stand-ins for secrets in the output.
//!
//! Redaction has one place, between the selection and every output: a
//! [`Reporter`](crate::report::Reporter) hands no message, finding or conversation on but
//! in its redacted form. Lengths, types, ids, addresses and times stay.

use std::borrow::Cow;

use crate::conversation::{
    Conversation, Destinations, DetailName, Finding, FindingCode, I2cpSession, MessageEvent, Party,
};
use crate::wire::{
    Destination, DestinationHash, FrameKind, PayloadShape, Pseudonyms, RawFrame, RawMessage,
    keep_certificate_header,
};

/// The byte that stands for every byte of a payload: `*`.
pub const FILLER: u8 = b'*';

/// The secrets to be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Secrets {
    /// Application data, and all else that is no header, no id and no destination.
    pub payload: bool,
    /// The destinations that SYNs and I2CP show, and their hashes.
    pub destinations: bool,
}

impl Secrets {
    /// Nothing is.
    pub const NONE: Self = Self {
        payload: false,
        destinations: false,
    };

    /// Whether anything is.
    pub const fn any(self) -> bool {
        self.payload || self.destinations
    }

    /// The secrets of either.
    pub const fn and(self, other: Self) -> Self {
        Self {
            payload: self.payload || other.payload,
            destinations: self.destinations || other.destinations,
        }
    }

    /// The words that ask for it.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let payload = self.payload.then_some("payload");
        let destinations = self.destinations.then_some("dest");
        payload.into_iter().chain(destinations)
    }

    /// The notice of an output for people: `redacted: payload, destinations`; `None` when there is
    /// nothing to say.
    pub const fn notice(self) -> Option<&'static str> {
        match (self.payload, self.destinations) {
            (false, false) => None,
            (true, false) => Some("redacted: payload"),
            (false, true) => Some("redacted: destinations"),
            (true, true) => Some("redacted: payload, destinations"),
        }
    }
}

/// The fate of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Payload {
    /// There is nothing secret in it.
    Kept,
    Replaced,
}

/// Replaces secrets.
#[derive(Clone, Debug)]
pub struct Redaction {
    secrets: Secrets,
    pseudonyms: Pseudonyms,
    /// The payload of the latest message, replaced.
    payload: Vec<u8>,
    /// Its session, and its findings.
    session: Option<I2cpSession>,
    findings: Vec<Finding>,
}

impl Redaction {
    /// Hides `secrets`, destinations behind `pseudonyms`.
    ///
    /// The hashes in conversations come from the dissection, which has to be asked for
    /// [those of the pseudonyms](Self::destinations).
    pub const fn new(secrets: Secrets, pseudonyms: Pseudonyms) -> Self {
        Self {
            secrets,
            pseudonyms,
            payload: Vec::new(),
            session: None,
            findings: Vec::new(),
        }
    }

    /// A message as the selection sees it: as it was captured. A dissection with pseudonyms reveals
    /// the hash of one, but the user who selects a destination knows the true hash.
    pub(crate) fn unveiled<'a>(event: &MessageEvent<'a>) -> MessageEvent<'a> {
        MessageEvent {
            destination_hash: event.destination_hash.and_then(|_| syn_hash(event)),
            ..*event
        }
    }

    /// The hashes of destinations that a dissection has to compute.
    pub const fn destinations(&self) -> Destinations {
        if self.secrets.destinations {
            Destinations::Pseudonyms(self.pseudonyms)
        } else {
            Destinations::Hash
        }
    }

    /// The secrets that are hidden.
    pub const fn secrets(&self) -> Secrets {
        self.secrets
    }

    /// A message as others may see it.
    pub fn message<'a>(&'a mut self, event: &MessageEvent<'a>) -> MessageEvent<'a> {
        let payload = self.replace_payload(&event.message);
        self.session = event.session.map(|session| I2cpSession {
            nickname: self.nickname(session.nickname.as_deref()),
            ..session.clone()
        });
        self.findings = event
            .findings
            .iter()
            .map(|finding| self.finding(finding).into_owned())
            .collect();
        let mut redacted = MessageEvent {
            message: match (payload, event.message) {
                (Payload::Kept, message) => message,
                (Payload::Replaced, RawMessage::Frame(frame)) => RawMessage::Frame(RawFrame {
                    payload: &self.payload,
                    ..frame
                }),
                (Payload::Replaced, RawMessage::Ping | RawMessage::Short(_)) => {
                    RawMessage::Short(&self.payload)
                }
            },
            session: self.session.as_ref(),
            findings: &self.findings,
            ..*event
        };
        if self.secrets.destinations && event.destination_hash.is_some() {
            redacted.destination_hash = syn_hash(&redacted);
        }
        redacted
    }

    /// A finding as others may see it.
    pub fn finding<'a>(&self, finding: &'a Finding) -> Cow<'a, Finding> {
        if !self.secrets.payload || !quotes_bytes(finding.code) {
            return Cow::Borrowed(finding);
        }
        // What the text says may be among the details, too.
        let is_told = |name: DetailName| name != DetailName::RestBytes;
        let detail = finding.detail.iter().filter(|(name, _)| is_told(*name));
        Cow::Owned(Finding {
            text: finding.code.meaning().to_owned(),
            detail: detail.cloned().collect(),
            ..*finding
        })
    }

    /// A conversation as others may see it.
    pub fn conversation(&self, conversation: &Conversation) -> Conversation {
        let party = |party: &Party| Party {
            nickname: self.nickname(party.nickname.as_deref()),
            ..party.clone()
        };
        Conversation {
            client: party(&conversation.client),
            server: party(&conversation.server),
            ..conversation.clone()
        }
    }

    /// A nickname is text of the application's, and names a destination.
    fn nickname(&self, nickname: Option<&str>) -> Option<String> {
        nickname.map(|nickname| self.pseudonyms.nickname(nickname))
    }

    /// Writes the stand-in for the payload of `message` to `self.payload`.
    fn replace_payload(&mut self, message: &RawMessage<'_>) -> Payload {
        let (kept, bytes) = match message {
            RawMessage::Ping => return Payload::Kept,
            // The byte where others have their type; too little to reveal anything.
            RawMessage::Short(bytes) => (&bytes[..bytes.len().min(1)], *bytes),
            RawMessage::Frame(frame) => match frame.payload_shape() {
                PayloadShape::Key => return self.replace_syn(frame.payload),
                PayloadShape::ServerId => return Payload::Kept,
                _ => (&[][..], frame.payload),
            },
        };
        if !self.secrets.payload {
            return Payload::Kept;
        }
        self.payload.clear();
        self.payload.extend_from_slice(kept);
        self.payload.resize(bytes.len(), FILLER);
        Payload::Replaced
    }

    /// The same for the payload of a SYN: a destination, and perhaps more behind it.
    fn replace_syn(&mut self, payload: &[u8]) -> Payload {
        self.payload.clear();
        match Destination::split(payload) {
            Ok((destination, trailing)) => {
                if self.secrets.destinations {
                    self.payload = self.pseudonyms.destination(destination);
                } else {
                    self.payload.extend_from_slice(destination.as_bytes());
                }
                if self.secrets.payload {
                    self.payload.resize(payload.len(), FILLER);
                } else {
                    self.payload.extend_from_slice(trailing);
                }
            }
            // Part of a destination, or something else: that cannot be known.
            Err(_) if self.secrets.destinations => {
                self.payload = self.pseudonyms.no_destination(payload);
            }
            Err(_) => {
                self.payload.resize(payload.len(), FILLER);
                keep_certificate_header(payload, &mut self.payload);
            }
        }
        Payload::Replaced
    }
}

/// The hash of the destination in a SYN, as it stands there.
fn syn_hash(event: &MessageEvent<'_>) -> Option<DestinationHash> {
    let frame = event.message.frame()?;
    let (destination, _) = Destination::split(frame.payload).ok()?;
    (frame.frame_type.kind() == FrameKind::Syn).then(|| destination.hash())
}

/// Whether findings with this code may reveal bytes of a payload: numbers
/// that were read where none stood, or checksums. Every new code needs an answer.
const fn quotes_bytes(code: FindingCode) -> bool {
    match code {
        FindingCode::TcpBadPrefix
        | FindingCode::I2cpBadFrame
        | FindingCode::I2cpUnreadablePayload
        // The number of bytes missing of an announced length.
        | FindingCode::LeftoverStall => true,
        FindingCode::TooShort
        | FindingCode::UnknownType
        | FindingCode::ZeroId
        | FindingCode::OrphanId
        | FindingCode::WrongDirection
        | FindingCode::SynBadDestination
        | FindingCode::SynNoAnswer
        | FindingCode::IdReuse
        | FindingCode::AckBadLength
        | FindingCode::AckEmpty
        | FindingCode::AckDuplicate
        | FindingCode::DataBeforeAck
        | FindingCode::DataAfterClose
        | FindingCode::ClosePayload
        | FindingCode::NoClose
        | FindingCode::Oversize
        | FindingCode::Ping
        | FindingCode::Chaff
        | FindingCode::TcpGap
        | FindingCode::TcpNoStart
        | FindingCode::TcpResetIgnored
        | FindingCode::TcpSynIgnored
        | FindingCode::TcpIncomplete
        | FindingCode::TcpSkipped
        | FindingCode::TlsUnreadable
        | FindingCode::TlsUnprovenSyn
        | FindingCode::UdpFragmentMissing
        | FindingCode::I2cpLost
        | FindingCode::I2cpReordered
        | FindingCode::CaptureTruncated
        | FindingCode::CaptureSnaplen
        | FindingCode::CaptureDropped
        | FindingCode::CaptureDuplicates
        | FindingCode::CaptureEvicted
        | FindingCode::CaptureTimeBackwards => false,
    }
}

#[cfg(test)]
mod tests;
