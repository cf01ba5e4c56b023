//! Counters of an endpoint, for metrics.

use crate::wire::{FrameKind, FrameType};

/// Counters since an endpoint began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages that the carrier delivered.
    pub received: Traffic,
    /// Messages that were handed to the carrier.
    pub sent: Traffic,
    /// Conversations that we opened.
    pub opened_count: u64,
    /// Conversations that peers opened and our application was offered.
    pub offered_count: u64,
    anomalies: [u64; Anomaly::ALL.len()],
}

impl Stats {
    /// Number of times that `anomaly` was met.
    pub const fn anomaly_count(&self, anomaly: Anomaly) -> u64 {
        self.anomalies[anomaly as usize]
    }

    pub(super) const fn note(&mut self, anomaly: Anomaly) {
        self.anomalies[anomaly as usize] += 1;
    }
}

/// Messages of one direction, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// SYN messages.
    pub syn_count: u64,
    /// ACK messages.
    pub ack_count: u64,
    /// Data messages.
    pub data_count: u64,
    /// Close messages.
    pub close_count: u64,
    /// All others, with those too short for a type and an id.
    pub other_count: u64,
    /// Payload bytes of the data messages.
    pub payload_bytes: u64,
}

impl Traffic {
    pub(super) fn count(&mut self, frame_type: FrameType, payload: &[u8]) {
        match frame_type.kind() {
            FrameKind::Syn => self.syn_count += 1,
            FrameKind::Ack => self.ack_count += 1,
            FrameKind::Data => {
                self.data_count += 1;
                self.payload_bytes += payload.len() as u64;
            }
            FrameKind::Close => self.close_count += 1,
            FrameKind::Chaff | FrameKind::Unknown => self.other_count += 1,
        }
    }
}

macro_rules! anomalies {
    ($($(#[$doc:meta])* $name:ident = $code:literal;)*) => {
        /// Something that a peer sent and should not have, or that was not acted on.
        /// None of them harms a conversation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Anomaly {
            $($(#[$doc])* $name,)*
        }

        impl Anomaly {
            /// Every anomaly.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its code in metrics, the same as the dissector's finding if there is one.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                }
            }
        }
    };
}

anomalies! {
    /// Shorter than a type and an id: ignored.
    TooShort = "ms.too_short";
    /// The single byte `ff`: ignored.
    Ping = "ms.ping";
    /// Type `ff`: ignored.
    Chaff = "ms.chaff";
    /// A type that the protocol does not define: ignored.
    UnknownType = "ms.unknown_type";
    /// No conversation of ours has this id: ignored.
    UnknownId = "ms.orphan_id";
    /// The id is live, but in our other role: ignored.
    WrongDirection = "ms.wrong_direction";
    /// The id is live, but with another peer: ignored.
    WrongPeer = "ms.wrong_peer";
    /// The reserved id; treated like any other, as the reference does.
    ZeroId = "ms.zero_id";
    /// A SYN whose payload is no destination: ignored.
    BadDestination = "ms.syn_bad_destination";
    /// A SYN from nobody we could answer: ignored.
    NoSender = "ms.syn_no_sender";
    /// A SYN beyond a limit: refused.
    OverLimit = "ms.over_limit";
    /// A SYN with the client id of a live conversation of the same peer, taken
    /// for a copy of the first.
    DuplicateSyn = "ms.id_reuse";
    /// A refusal that was not sent because too many others wait.
    RefusalDropped = "ms.refusal_dropped";
    /// An ACK whose payload is not 3 bytes: ignored.
    AckLength = "ms.ack_bad_length";
    /// An ACK without payload on an open conversation: taken for a close.
    AckEmpty = "ms.ack_empty";
    /// An ACK for an open conversation: the first server id stays.
    AckDuplicate = "ms.ack_duplicate";
    /// An ACK after we gave up waiting: answered with a close.
    AckLate = "ms.ack_late";
    /// Data before the ACK: kept.
    DataBeforeAck = "ms.data_before_ack";
    /// Data after our application closed: ignored.
    DataAfterClose = "ms.data_after_close";
    /// A close with a payload: a close all the same.
    ClosePayload = "ms.close_payload";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_anomaly_has_a_counter_and_a_code_of_its_own() {
        let mut stats = Stats::default();
        for (index, &anomaly) in Anomaly::ALL.iter().enumerate() {
            for _ in 0..=index {
                stats.note(anomaly);
            }
        }
        for (count, &anomaly) in (1..).zip(Anomaly::ALL) {
            assert_eq!(stats.anomaly_count(anomaly), count, "{anomaly:?}");
            let same = Anomaly::ALL.iter().filter(|a| a.code() == anomaly.code());
            assert_eq!(same.count(), 1, "{}", anomaly.code());
        }
    }
}
