//! Conversations and their local ends.

use std::io;
use std::mem::discriminant;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hashbrown::HashMap;
use tracing::{debug, info, warn};

use super::local::{Last, Local, Phase, Read, Rest};
use super::locals::{Locals, READ_BYTES};
use super::notices::{FirstAnswer, Shortage, Trouble, Troubles};
use super::record::{Record, log_conversation, log_end, log_trouble};
use super::service::Service;
use super::stream::{Farewell, LocalStream};
use super::{Advice, TunnelOptions};
use crate::endpoint::{
    ConversationSummary, End, Endpoint, Event, Handle, Open, OpenError, WriteError,
};
use crate::runtime::link::{LinkError, Peer};
use crate::runtime::metrics::Metrics;
use crate::runtime::notice::NOTICE;
use crate::runtime::socket;
use crate::units::whole_micros;
use crate::wire::{ClientId, ServerId};

/// The number of whatever brings conversations, in the ready set.
pub(super) const SERVICE: usize = 1;

/// Data that have waited to be sent for so long are copied, so that they do not keep the reads that
/// they are a part of: most data have gone by then.
const WAITS_LONG: Duration = Duration::from_secs(1);

/// Bytes that a local side may still send after the end of its conversation, for nobody.
const LINGER_BYTES: usize = 1024 * 1024;

/// Time after the end of a conversation in which a farewell comes at the latest.
const FAREWELL_TIME: Duration = Duration::from_millis(100);

/// Time for a peer that has answered nothing to close after us.
const PARTING_TIME: Duration = Duration::from_millis(250);

/// All conversations of an endpoint, each with its local end.
#[derive(Debug)]
pub(super) struct Conversations {
    pub(super) endpoint: Endpoint<Peer>,
    pub(super) service: Service,
    pub(super) locals: Locals,
    pub(super) records: HashMap<Handle, Record>,
    pub(super) metrics: Metrics,
    /// A conversation whose answer takes long.
    pub(super) first_answer: FirstAnswer,
    shortage: Shortage,
    /// Conversations that ended because their peer did not prove its address.
    pub(super) unproven_count: u64,
    pub(super) troubles: Troubles,
    pub(super) advice: Advice,
    /// The time to see to it that waiting data keep no more memory than they count.
    pub(super) memory_due: Option<Instant>,
    /// Time for orderly closing.
    pub(super) closing_time: Duration,
    /// Set by a signal, and by a link that is lost for good: when patience ends.
    pub(super) closing: Option<Instant>,
}

impl Conversations {
    pub(super) fn new(
        endpoint: Endpoint<Peer>,
        service: Service,
        options: &TunnelOptions,
        reserved: usize,
    ) -> Self {
        Self {
            endpoint,
            service,
            locals: Locals::new(reserved),
            records: HashMap::new(),
            metrics: Metrics::new(options.lost_log_lines),
            first_answer: FirstAnswer::default(),
            shortage: Shortage::default(),
            unproven_count: 0,
            troubles: Troubles::default(),
            advice: options.advice,
            closing_time: options.closing_time,
            memory_due: None,
            closing: None,
        }
    }

    /// Opens a conversation for a local stream.
    pub(super) fn open_conversation(
        &mut self,
        now: Instant,
        stream: LocalStream,
    ) -> Result<Handle, OpenError> {
        let Some(peer) = self.service.peer() else {
            return Err(OpenError::TooMany { limit: 0 });
        };
        let open = Open {
            to: peer,
            destination: self.service.destination(),
            client_id: None,
        };
        let handle = self.endpoint.open(now, open)?;
        let number = self.locals.insert(Local::connected(handle, stream));
        let client_id = self
            .endpoint
            .client_id(handle)
            .expect("a conversation that has just been opened is known");
        self.records
            .insert(handle, Record::new(peer, client_id, Some(number)));
        self.first_answer.expect(now, handle);
        Ok(handle)
    }

    /// A peer wants a conversation: makes its connection to the service.
    pub(super) fn incoming(
        &mut self,
        now: Instant,
        handle: Handle,
        peer: Peer,
        client_id: ClientId,
    ) {
        let local = match self.service.target().cloned() {
            Some(target) => {
                let connecting =
                    async move { socket::connect(&target).await.map(|(stream, _)| stream) };
                let connecting = Box::pin(connecting);
                Some(self.locals.insert(Local::connecting(handle, connecting)))
            }
            None => {
                self.endpoint.refuse(now, handle);
                None
            }
        };
        self.records
            .insert(handle, Record::new(peer, client_id, local));
    }

    fn remove(&mut self, now: Instant, number: usize) -> Option<Local> {
        let local = self.locals.remove(now, number, &mut self.troubles)?;
        if let Some(record) = self.records.get_mut(&local.handle) {
            record.local = None;
        }
        Some(local)
    }

    /// The handshake is done.
    pub(super) fn opened(&mut self, handle: Handle, server_id: ServerId, handshake: Duration) {
        self.metrics.handshake(handshake);
        if let Some(waited) = self.first_answer.came(handle) {
            info!(target: NOTICE, conv = %handle, "answered, after {:.1} s", waited.as_secs_f64());
        }
        if let Some(record) = self.records.get_mut(&handle) {
            record.server_id = Some(server_id);
            let handshake_us = whole_micros(handshake);
            log_conversation!(info, handle, record, handshake_us, "conversation opened");
        }
    }

    /// Bytes from the peer.
    pub(super) fn arrived(&mut self, now: Instant, handle: Handle, bytes: Bytes) {
        let number = self.records.get(&handle).and_then(|record| record.local);
        let local = number.and_then(|number| self.locals.get_mut(number));
        let (Some(number), Some((local, _))) = (number, local) else {
            return self.endpoint.consumed(now, handle, bytes.len());
        };
        local.push(bytes);
        self.locals.line_up(number);
    }

    /// The endpoint takes data of this conversation again.
    pub(super) fn writable(&mut self, handle: Handle) {
        if let Some(number) = self.records.get(&handle).and_then(|record| record.local) {
            self.locals.mark(number);
        }
    }

    /// The carrier has lost a message of this conversation, or of one that is over.
    pub(super) fn message_lost(
        &mut self,
        now: Instant,
        handle: Option<Handle>,
        peer: Peer,
        error: LinkError,
    ) {
        match handle.and_then(|handle| self.records.get_mut(&handle)) {
            // The event of its end says so.
            Some(record) => record.lost = Some(error),
            None => {
                let trouble = Trouble::MessageLost(discriminant(&error));
                if let Some(count) = self.troubles.count(now, trouble) {
                    warn!(
                        leg = "carrier",
                        %peer,
                        %error,
                        count,
                        "the end of a conversation did not reach the peer, which may wait for it"
                    );
                }
            }
        }
    }

    /// The conversation is over.
    pub(super) fn closed(
        &mut self,
        now: Instant,
        handle: Handle,
        end: End,
        summary: ConversationSummary,
    ) {
        self.service.ended(handle, end, &summary);
        self.first_answer.came(handle);
        if end == End::AddressUnproven {
            self.unproven_count += 1;
        }
        match end {
            End::Refused | End::RefusedByUs => self.metrics.refused_count += 1,
            end if end.leg().is_some() && (end != End::DrainTimeout || summary.answer_expected) => {
                self.metrics.failed_count += 1;
            }
            // Given up on a signal, or by its application, with something still to say.
            End::Aborted if summary.unsent_bytes > 0 => self.metrics.failed_count += 1,
            _ => {}
        }
        if let Some(record) = self.records.remove(&handle) {
            let troubles = &mut self.troubles;
            log_end(handle, &record, end, &summary, self.advice, troubles, now);
            if let Some(number) = record.local {
                self.end_local(now, number, end, &summary);
            }
        }
        self.admit();
    }

    fn end_local(&mut self, now: Instant, number: usize, end: End, summary: &ConversationSummary) {
        let Some((local, _)) = self.locals.get_mut(number) else {
            return;
        };
        if end.leg().is_some() && end != End::DrainTimeout {
            // The rest would look like the whole.
            return self.give_up(now, number);
        }
        // Neither may a part of the answer, of this side's data, or a conversation that we ended
        // ourselves on a signal, look like the whole.
        let cut = end == End::DrainTimeout
            || summary.unsent_bytes > 0
            || summary.dropped_bytes > 0
            || (matches!(end, End::Closed | End::Aborted)
                && (local.has_input() || self.closing.is_some()));
        local.last = if cut { Last::Reset } else { Last::End };
        local.farewell_until = now.checked_add(FAREWELL_TIME);
        local.phase = Phase::Flushing;
        self.locals.line_up(number);
    }

    /// Resets a local end and drops the rest of its conversation.
    fn give_up(&mut self, now: Instant, number: usize) {
        if let Some(local) = self.remove(now, number) {
            self.endpoint.abort(now, local.handle);
            local.reset();
            // An ended conversation gives up its place with its last bytes.
            self.admit();
        }
    }

    /// Looks at a local end that was woken; returns the number of bytes that it gave.
    pub(super) fn poll_local(&mut self, now: Instant, number: usize) -> usize {
        let Some(local) = self.locals.get(number) else {
            // A wake-up that was late.
            return 0;
        };
        if local.is_connecting() && !self.poll_connect(now, number) {
            return 0;
        }
        if !self.write_local(now, number) {
            return 0;
        }
        self.read_local(now, number)
    }

    /// Goes on connecting to the service; true when that is done.
    fn poll_connect(&mut self, now: Instant, number: usize) -> bool {
        let Some((local, mut cx)) = self.locals.get_mut(number) else {
            return false;
        };
        let handle = local.handle;
        match local.poll_connect(&mut cx) {
            Poll::Pending => false,
            Poll::Ready(Ok(())) => {
                self.shortage.end(now);
                self.endpoint.accept(now, handle);
                true
            }
            Poll::Ready(Err(error))
                if self.shortage.concerns(now, &error, self.advice.total_limit) =>
            {
                if let (Some(record), Some(target)) =
                    (self.records.get(&handle), self.service.target())
                {
                    log_conversation!(
                        info,
                        handle,
                        record,
                        leg = "target",
                        service = %target,
                        %error,
                        "cannot connect to the service"
                    );
                }
                self.refuse_for_service(now, handle, number);
                false
            }
            Poll::Ready(Err(error)) => {
                if let (Some(record), Some(target)) =
                    (self.records.get(&handle), self.service.target())
                {
                    log_trouble!(
                        self.troubles.count(now, Trouble::NoService(error.kind())),
                        handle,
                        record,
                        leg = "target",
                        service = %target,
                        %error,
                        help = "is the service running?",
                        "cannot connect to the service"
                    );
                }
                self.refuse_for_service(now, handle, number);
                false
            }
        }
    }

    /// Refuses a conversation for which the service cannot be had, which was said or counted.
    fn refuse_for_service(&mut self, now: Instant, handle: Handle, number: usize) {
        self.metrics.target_failure_count += 1;
        if let Some(record) = self.records.get_mut(&handle) {
            record.is_refusal_logged = true;
        }
        self.endpoint.refuse(now, handle);
        self.remove(now, number);
    }

    fn read_local(&mut self, now: Instant, number: usize) -> usize {
        let Some(local) = self.locals.get(number).filter(|local| local.has_input()) else {
            return 0;
        };
        let (handle, phase) = (local.handle, local.phase);
        if phase == Phase::Live && !self.endpoint.is_writable(handle) {
            // `writable` marks it.
            return 0;
        }
        // What is read now has to wait in memory. Where it goes on at once, large reads are faster.
        let most = if phase == Phase::Live && self.endpoint.is_held_back(handle) {
            READ_BYTES.min(self.endpoint.send_room(handle))
        } else {
            READ_BYTES
        };
        match self.locals.read(number, most) {
            Ok(Read::Bytes(count, rest)) => {
                if rest == Rest::Some {
                    self.locals.mark(number);
                }
                if phase == Phase::Live {
                    let bytes = self.locals.take();
                    self.memory_due.get_or_insert(now + WAITS_LONG);
                    if let Err(error) = self.endpoint.write(now, handle, bytes) {
                        self.log_dropped_bytes(handle, &error);
                    }
                } else {
                    self.locals.discard();
                    self.discard(now, number, count);
                }
                count
            }
            Ok(Read::End) => {
                match phase {
                    Phase::Live => {
                        self.endpoint.finish(now, handle);
                        // It may have to make room.
                        self.admit();
                    }
                    Phase::Flushing => {}
                    Phase::Lingering => drop(self.remove(now, number)),
                }
                0
            }
            Ok(Read::Later) => 0,
            Err(error) => {
                self.local_failed(now, number, error);
                0
            }
        }
    }

    fn log_dropped_bytes(&self, handle: Handle, error: &WriteError) {
        if let Some(record) = self.records.get(&handle) {
            log_conversation!(debug, handle, record, %error, "bytes dropped");
        }
    }

    /// A local side sends after the end of its conversation. For a while it
    /// need not have noticed.
    fn discard(&mut self, now: Instant, number: usize, count: usize) {
        let Some((local, _)) = self.locals.get_mut(number) else {
            return;
        };
        local.discarded += count;
        local.spoke_late |= local.farewell_until.is_none_or(|until| until < now);
        if local.discarded > LINGER_BYTES {
            self.give_up(now, number);
        }
    }

    /// Writes the data waiting for a local end; false if that ended it.
    pub(super) fn write_local(&mut self, now: Instant, number: usize) -> bool {
        let Some((local, mut cx)) = self.locals.get_mut(number) else {
            return false;
        };
        local.in_line = false;
        let handle = local.handle;
        match local.write(&mut cx) {
            Ok(0) => {}
            Ok(written) => self.endpoint.consumed(now, handle, written),
            Err(error) => {
                self.local_failed(now, number, error);
                return false;
            }
        }
        if local.phase == Phase::Flushing && local.is_flushed() {
            // The conversation's place has become free with its last bytes.
            self.admit();
            return self.shut_down(now, number);
        }
        true
    }

    /// Ends our direction of a local stream; false if that was its end.
    fn shut_down(&mut self, now: Instant, number: usize) -> bool {
        let Some((local, mut cx)) = self.locals.get_mut(number) else {
            return false;
        };
        if local.last == Last::Reset {
            if let Some(local) = self.remove(now, number) {
                local.reset();
            }
            return false;
        }
        let (result, farewell) = local.shutdown(&mut cx);
        if result.is_err() || farewell == Farewell::None || !local.has_input() {
            self.remove(now, number);
            return false;
        }
        self.locals.linger(now, number);
        true
    }

    fn local_failed(&mut self, now: Instant, number: usize, error: io::Error) {
        let Some(local) = self.locals.get(number) else {
            return;
        };
        if let Some(record) = self.records.get_mut(&local.handle) {
            log_conversation!(debug, local.handle, record, leg = "target", %error, "local connection failed");
            if self.service.target().is_some() {
                record.broken = Some(error);
            }
        }
        self.give_up(now, number);
    }

    /// Has data that do not move keep no more memory than they count.
    pub(super) fn own_what_waits(&mut self, now: Instant) {
        if self.memory_due.is_some_and(|due| due <= now) {
            let again = self.endpoint.own_what_waits();
            self.memory_due = again.then_some(now + WAITS_LONG);
        }
    }

    /// Closes local streams whose other side has not ended them in time.
    pub(super) fn end_lingering(&mut self, now: Instant) {
        while let Some(number) = self.locals.next_lingered(now) {
            self.remove(now, number);
        }
    }

    /// Handles the endpoint's event on a conversation.
    pub(super) fn handle_event(&mut self, now: Instant, event: Event<Peer>) {
        match event {
            Event::Incoming {
                conversation,
                from,
                client_id,
                ..
            } => self.incoming(now, conversation, from, client_id),
            Event::Opened {
                conversation,
                server_id,
                handshake,
                ..
            } => self.opened(conversation, server_id, handshake),
            Event::Data {
                conversation,
                bytes,
            } => self.arrived(now, conversation, bytes),
            Event::Writable { conversation } => self.writable(conversation),
            Event::Closed {
                conversation,
                end,
                summary,
            } => self.closed(now, conversation, end, summary),
        }
    }

    /// Writes to the locals that have something new; false if none has.
    pub(super) fn write_locals(&mut self, now: Instant) -> bool {
        let mut any = false;
        while let Some(number) = self.locals.next_in_line() {
            any = true;
            self.write_local(now, number);
        }
        any
    }

    /// Lets connections in again that wait for a conversation to end.
    pub(super) fn admit(&mut self) {
        if self.service.release() {
            self.locals.mark(SERVICE);
        }
    }

    /// Says that an answer takes long.
    pub(super) fn log_missing_answer(&mut self, now: Instant) {
        if let Some(handle) = self.first_answer.due(now)
            && let Some(record) = self.records.get(&handle)
            && record.server_id.is_none()
        {
            info!(
                target: NOTICE,
                conv = %handle,
                peer = %record.peer,
                "waiting: no answer to the SYN yet; is a server listening there?"
            );
        }
    }

    /// Time for waiting data to be sent after a signal.
    pub(super) fn patience(&self) -> Duration {
        let opens = self.service.peer().is_some();
        let mut records = self.records.values();
        let has_answers = records.any(|record| record.server_id.is_some());
        // A peer that has answered none of these does not read on for a sender that leaves.
        if opens && !has_answers && !self.records.is_empty() {
            self.closing_time.min(PARTING_TIME)
        } else {
            self.closing_time
        }
    }

    /// Ends all conversations because we end. A close behind a part of a local side's data would
    /// make it look like the whole. Without one the peer notices our absence, by the end of its
    /// connection or by silence, and resets its own side.
    pub(super) fn close_all(&mut self, now: Instant) {
        let opens = self.service.peer().is_some();
        let mut handles: Vec<Handle> = self.records.keys().copied().collect();
        // The order of their closes.
        handles.sort_unstable();
        for handle in handles {
            let Some(record) = self.records.get(&handle) else {
                continue;
            };
            if opens && record.server_id.is_none() {
                // Nobody knows whether its answer ever comes.
                self.endpoint.abort(now, handle);
            } else if self.has_input(record) {
                self.endpoint.leave(now, handle);
            } else {
                self.endpoint.close(now, handle);
            }
        }
    }

    /// Whether the local side of a conversation has not ended its data.
    fn has_input(&self, record: &Record) -> bool {
        let local = record.local.and_then(|number| self.locals.get(number));
        local.is_some_and(Local::has_input)
    }
}
