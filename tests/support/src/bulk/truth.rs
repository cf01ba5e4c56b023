//! What a capture holds, counted while it is made.

use std::fmt;

/// Messages and their payload bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Messages.
    pub messages: u64,
    /// Bytes behind their ids.
    pub payload_bytes: u64,
}

/// What a dissector must find in a bulk capture, no more and no less.
///
/// As text it is one JSON object. What the summary record of `-T ndjson` tells too
/// has the same key there, so that the two can be compared key by key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// Messages of type SYN.
    pub syns: u64,
    /// Messages of type ACK.
    pub acks: u64,
    /// Data from clients, the late ones among them.
    pub client_data: Count,
    /// Data from servers, the late ones among them.
    pub server_data: Count,
    /// Closes, of which [`Self::crossing_closes`] were the second of their conversation.
    pub closes: u64,
    /// Conversations that the server refused.
    pub refused: u64,
    /// Conversations that nobody closed; [`Self::idle`] are among them.
    pub unclosed: u64,
    /// Conversations that stay open from the beginning to the end.
    pub idle: u64,
    /// Conversations that the client closed, or closed first.
    pub client_closed: u64,
    /// Conversations that the server closed, or closed first.
    pub server_closed: u64,
    /// Closes that were under way when the other end's arrived.
    pub crossing_closes: u64,
    /// Data that was under way when the other end closed.
    pub late_data: u64,
    /// TCP segments that came twice.
    pub retransmitted_segments: u64,
    /// TCP segments that came after one that was sent later.
    pub reordered_segments: u64,
}

impl Truth {
    /// Messages of all types.
    pub const fn messages(&self) -> u64 {
        self.syns + self.acks + self.data() + self.closes
    }

    /// Conversations that are over, or will never be.
    pub const fn conversations(&self) -> u64 {
        self.refused + self.unclosed + self.client_closed + self.server_closed
    }

    const fn data(&self) -> u64 {
        self.client_data.messages + self.server_data.messages
    }
}

impl fmt::Display for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tally = |count: Count| {
            format!(
                r#"{{"message_count":{},"payload_bytes":{}}}"#,
                count.messages, count.payload_bytes
            )
        };
        writeln!(f, "{{")?;
        writeln!(f, r#""message_count":{},"#, self.messages())?;
        writeln!(f, r#""conversation_count":{},"#, self.conversations())?;
        writeln!(
            f,
            r#""by_type":{{"syn":{},"ack":{},"data":{},"close":{},"ping":0,"chaff":0,"unknown":0,"short":0}},"#,
            self.syns,
            self.acks,
            self.data(),
            self.closes
        )?;
        writeln!(
            f,
            r#""by_state":{{"syn_sent":0,"refused":{},"open":{},"client_closed":{},"server_closed":{},"no_answer":0,"mid_stream":0}},"#,
            self.refused, self.unclosed, self.client_closed, self.server_closed
        )?;
        writeln!(
            f,
            r#""by_level":{{"error":0,"warn":0,"note":{}}},"#,
            self.unclosed + self.late_data
        )?;
        writeln!(f, r#""c2s":{},"#, tally(self.client_data))?;
        writeln!(f, r#""s2c":{},"#, tally(self.server_data))?;
        writeln!(
            f,
            r#""findings":{{"ms.no_close":{},"ms.data_after_close":{}}},"#,
            self.unclosed, self.late_data
        )?;
        writeln!(f, r#""crossing_closes":{},"#, self.crossing_closes)?;
        writeln!(f, r#""idle_conversations":{},"#, self.idle)?;
        writeln!(
            f,
            r#""retransmitted_segments":{},"#,
            self.retransmitted_segments
        )?;
        writeln!(f, r#""reordered_segments":{}"#, self.reordered_segments)?;
        writeln!(f, "}}")
    }
}
