//! State of a conversation beside its endpoint, and the line of the log at its end.

use std::io;
use std::mem::discriminant;
use std::time::Instant;

use tracing::{debug, info, warn};

use super::Advice;
use super::notices::{Trouble, Troubles};
use crate::endpoint::{ConversationSummary, End, Handle};
use crate::runtime::link::{LinkError, Peer};
use crate::units::whole_micros;
use crate::wire::{ClientId, ServerId};

/// Logs with the fields that name a conversation, and those that are given.
macro_rules! log_conversation {
    ($level:ident, $conv:expr, $record:expr, $($more:tt)+) => {
        $level!(
            conv = %$conv,
            client_id = %$record.client_id,
            server_id = $record.server_id.map(tracing::field::display),
            base64 = $record.base64(),
            peer = %$record.peer,
            $($more)+
        )
    };
}

pub(super) use log_conversation;

/// Logs a warning as [`log_conversation`] does, or without a count, since there are many, a line
/// for `-v`.
macro_rules! log_trouble {
    ($count:expr, $conv:expr, $record:expr, $($more:tt)+) => {
        match $count {
            Some(count) => log_conversation!(warn, $conv, $record, count, $($more)+),
            None => log_conversation!(info, $conv, $record, $($more)+),
        }
    };
}

pub(super) use log_trouble;

/// State of a live conversation beside its endpoint.
#[derive(Debug)]
pub(super) struct Record {
    /// The number of its local end; `None` if that is gone.
    pub(super) local: Option<usize>,
    pub(super) peer: Peer,
    pub(super) client_id: ClientId,
    pub(super) server_id: Option<ServerId>,
    /// The reason why its local connection broke.
    pub(super) broken: Option<io::Error>,
    /// The reason why a message of it was lost.
    pub(super) lost: Option<LinkError>,
    /// The log has said why we refuse it.
    pub(super) is_refusal_logged: bool,
}

impl Record {
    /// That of a conversation that begins.
    pub(super) const fn new(peer: Peer, client_id: ClientId, local: Option<usize>) -> Self {
        Self {
            local,
            peer,
            client_id,
            server_id: None,
            broken: None,
            lost: None,
            is_refusal_logged: false,
        }
    }

    /// Both ids as the Java implementation logs them: `EjRW/~~~-`.
    pub(super) fn base64(&self) -> String {
        let mut ids = self.client_id.0.to_base64();
        if let Some(server_id) = self.server_id {
            ids.push('/');
            ids.push_str(&server_id.0.to_base64());
        }
        ids
    }
}

/// Logs the end of a conversation.
pub(super) fn log_end(
    handle: Handle,
    record: &Record,
    end: End,
    summary: &ConversationSummary,
    advice: Advice,
    troubles: &mut Troubles,
    now: Instant,
) {
    if let Some(error) = &record.broken {
        // The protocol has no reset: the peer takes our close for an end.
        return log_trouble!(
            troubles.count(now, Trouble::ServiceBroke),
            handle,
            record,
            leg = "target",
            sent_bytes = summary.sent_bytes,
            received_bytes = summary.received_bytes,
            unsent_bytes = summary.unsent_bytes,
            %error,
            "the service broke its connection: the peer may have a part of the answer only, and \
             takes it for the whole"
        );
    }
    if let Some(error) = &record.lost {
        return log_trouble!(
            troubles.count(now, Trouble::MessageLost(discriminant(error))),
            handle,
            record,
            leg = "carrier",
            sent_bytes = summary.sent_bytes,
            received_bytes = summary.received_bytes,
            unsent_bytes = summary.unsent_bytes,
            %end,
            %error,
            "conversation failed"
        );
    }
    match end.leg() {
        // The log has said once why we refuse it, or that the link was lost, but not which bytes were
        // lost with it.
        Some(leg)
            if record.is_refusal_logged || end == End::LinkLost && summary.unsent_bytes == 0 =>
        {
            log_conversation!(
                debug,
                handle,
                record,
                leg = leg.name(),
                %end,
                "conversation failed"
            );
        }
        // Anybody can forge addresses: the log has one line for many of these.
        Some(leg) if end == End::AddressUnproven => log_conversation!(
            debug,
            handle,
            record,
            leg = leg.name(),
            sent_bytes = summary.sent_bytes,
            unsent_bytes = summary.unsent_bytes,
            %end,
            "conversation failed"
        ),
        // Most applications that end their input have left, and this is the sign of it.
        Some(leg) if end == End::DrainTimeout && !summary.answer_expected => log_conversation!(
            info,
            handle,
            record,
            leg = leg.name(),
            sent_bytes = summary.sent_bytes,
            received_bytes = summary.received_bytes,
            duration_us = whole_micros(summary.duration),
            %end,
            "conversation ended"
        ),
        Some(leg) if end == End::DrainTimeout => log_trouble!(
            troubles.count(now, Trouble::Failed(end)),
            handle,
            record,
            leg = leg.name(),
            sent_bytes = summary.sent_bytes,
            delivered_bytes = summary.received_bytes,
            %end,
            "the answer may be cut: {}",
            advice.drain
        ),
        None if summary.unsent_bytes > 0 || summary.dropped_bytes > 0 => log_trouble!(
            troubles.count(now, Trouble::Undelivered),
            handle,
            record,
            sent_bytes = summary.sent_bytes,
            delivered_bytes = summary.received_bytes,
            unsent_bytes = summary.unsent_bytes,
            dropped_bytes = summary.dropped_bytes,
            %end,
            "conversation ended before all was delivered"
        ),
        None => log_conversation!(
            info,
            handle,
            record,
            sent_bytes = summary.sent_bytes,
            received_bytes = summary.received_bytes,
            duration_us = whole_micros(summary.duration),
            %end,
            "conversation ended"
        ),
        Some(leg) => log_trouble!(
            troubles.count(now, Trouble::Failed(end)),
            handle,
            record,
            leg = leg.name(),
            sent_bytes = summary.sent_bytes,
            received_bytes = summary.received_bytes,
            unsent_bytes = summary.unsent_bytes,
            %end,
            "conversation failed"
        ),
    }
}
