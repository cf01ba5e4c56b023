//! Conversations and their local ends.

use std::io;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes};
use slab::Slab;
use tracing::{debug, info, warn};

use super::driver::{Driver, ROUND_BYTES};
use super::local::{Last, Local, Phase, Read, Rest};
use super::stream::{Farewell, LocalStream};
use crate::endpoint::{End, Handle, Open, OpenError, Summary, WriteError};
use crate::runtime::link::{LinkError, Peer};
use crate::runtime::notice::NOTICE;
use crate::runtime::socket;
use crate::wire::{ClientId, ServerId};

/// Logs with the fields that name a conversation, and those that are given.
macro_rules! tell {
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

/// How much is read from a local stream at once, at most. Few large reads cost
/// the system a quarter less than many small ones.
const READ_BYTES: usize = 1024 * 1024;

/// The same while the link takes nothing: what is read then has to wait in memory.
const WAITING_READ_BYTES: usize = 256 * 1024;

/// How much room there is for it at least.
const MIN_READ_BYTES: usize = 64 * 1024;

/// What local streams are read into, one behind the other: a round's worth, so
/// that most of the time all of it has been passed on when it is full, and it
/// can be used again.
const SCRATCH_BYTES: usize = ROUND_BYTES + READ_BYTES;

/// Reads of this size and more are passed on where they are; smaller ones are
/// copied, so that they do not hold the memory of a whole read while they wait.
const PASSED_ON_BYTES: usize = 64 * 1024;

/// How long a local side may take to end its stream after we have ended ours.
const LINGER: Duration = Duration::from_secs(2);

/// Bytes that a local side may still send after that, for nobody.
const LINGER_BYTES: usize = 1024 * 1024;

/// The longest farewell of an application that notices the end of its conversation.
const FAREWELL_BYTES: usize = 256;

/// When it comes at the latest.
const FAREWELL_TIME: Duration = Duration::from_millis(100);

/// What is known of a live conversation beside its endpoint.
#[derive(Debug)]
pub(super) struct Record {
    /// The number of its local end; `None` if that is gone.
    local: Option<usize>,
    pub(super) peer: Peer,
    pub(super) client_id: ClientId,
    pub(super) server_id: Option<ServerId>,
    /// Why its local connection broke.
    broken: Option<io::Error>,
    /// Why a message of it was lost.
    lost: Option<LinkError>,
}

impl Record {
    /// Whether its local side has not ended what it sends.
    pub(super) fn has_input(&self, locals: &Slab<Option<Local>>) -> bool {
        let local = self.local.and_then(|number| locals.get(number)?.as_ref());
        local.is_some_and(Local::has_input)
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

impl Driver {
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
            destination: self.destination(),
            client_id: None,
        };
        let handle = self.endpoint.open(now, open)?;
        let number = self.insert(Local::connected(handle, stream));
        let client_id = self
            .endpoint
            .client_id(handle)
            .expect("a conversation that has just been opened is known");
        self.records.insert(
            handle,
            Record {
                local: Some(number),
                peer,
                client_id,
                server_id: None,
                broken: None,
                lost: None,
            },
        );
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
                Some(self.insert(Local::connecting(handle, connecting)))
            }
            None => {
                self.endpoint.refuse(now, handle);
                None
            }
        };
        self.records.insert(
            handle,
            Record {
                local,
                peer,
                client_id,
                server_id: None,
                broken: None,
                lost: None,
            },
        );
    }

    fn insert(&mut self, local: Local) -> usize {
        let number = self.ready.insert();
        let same = self.locals.insert(Some(local));
        debug_assert_eq!(number, same, "both slabs number alike");
        number
    }

    fn remove(&mut self, number: usize) -> Option<Local> {
        self.ready.remove(number);
        let local = self.locals.remove(number)?;
        tell_lost(&local);
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
            tell!(info, handle, record, handshake_us, "conversation opened");
        }
    }

    /// Bytes from the peer.
    pub(super) fn arrived(&mut self, now: Instant, handle: Handle, bytes: Bytes) {
        let number = self.records.get(&handle).and_then(|record| record.local);
        let local = number.and_then(|number| self.locals.get_mut(number)?.as_mut());
        let (Some(number), Some(local)) = (number, local) else {
            return self.endpoint.consumed(now, handle, bytes.len());
        };
        local.push(bytes);
        if !local.in_line {
            local.in_line = true;
            self.unwritten.push(number);
        }
    }

    /// The endpoint takes data of this conversation again.
    pub(super) fn writable(&mut self, handle: Handle) {
        if let Some(number) = self.records.get(&handle).and_then(|record| record.local) {
            self.ready.mark(number);
        }
    }

    /// The carrier has lost a message of this conversation, or of one that is over.
    pub(super) fn message_lost(&mut self, handle: Option<Handle>, peer: Peer, error: LinkError) {
        match handle.and_then(|handle| self.records.get_mut(&handle)) {
            // Its end tells it.
            Some(record) => record.lost = Some(error),
            None => warn!(
                leg = "carrier",
                %peer,
                %error,
                "the end of a conversation did not reach the peer, which may wait for it"
            ),
        }
    }

    /// The conversation is over.
    pub(super) fn closed(&mut self, now: Instant, handle: Handle, end: End, summary: Summary) {
        self.service.ended(handle, end, &summary);
        self.first_answer.came(handle);
        match end {
            End::Refused | End::RefusedByUs => self.metrics.refused_count += 1,
            end if end.leg().is_some() && (end != End::DrainTimeout || summary.answer_expected) => {
                self.metrics.failed_count += 1;
            }
            _ => {}
        }
        if let Some(record) = self.records.remove(&handle) {
            tell_end(handle, &record, end, &summary);
            if let Some(number) = record.local {
                self.end_local(now, number, end, &summary);
            }
        }
        self.admit();
    }

    fn end_local(&mut self, now: Instant, number: usize, end: End, summary: &Summary) {
        let Some(Some(local)) = self.locals.get_mut(number) else {
            return;
        };
        if end.leg().is_some() && end != End::DrainTimeout {
            // What is left would look like the whole.
            return self.give_up(now, number);
        }
        // Neither may a part of the answer, of what this side sent, or what we
        // ended ourselves on a signal, look like the whole.
        let cut = end == End::DrainTimeout
            || summary.unsent_bytes > 0
            || summary.dropped_bytes > 0
            || (matches!(end, End::Closed | End::Aborted)
                && (local.has_input() || self.closing.is_some()));
        local.last = if cut { Last::Reset } else { Last::End };
        local.farewell_until = now.checked_add(FAREWELL_TIME);
        local.phase = Phase::Flushing;
        if !local.in_line {
            local.in_line = true;
            self.unwritten.push(number);
        }
    }

    /// Resets a local end and drops what is left of its conversation.
    fn give_up(&mut self, now: Instant, number: usize) {
        if let Some(local) = self.remove(number) {
            self.endpoint.abort(now, local.handle);
            local.reset();
            // An ended conversation gives up its place with its last bytes.
            self.admit();
        }
    }

    /// Looks at a local end that was woken; tells how many bytes it gave.
    pub(super) fn poll_local(&mut self, now: Instant, number: usize) -> usize {
        let Some(Some(local)) = self.locals.get_mut(number) else {
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
        let Some(Some(local)) = self.locals.get_mut(number) else {
            return false;
        };
        let mut cx = Context::from_waker(self.ready.waker(number));
        let handle = local.handle;
        match local.poll_connect(&mut cx) {
            Poll::Pending => false,
            Poll::Ready(Ok(())) => {
                self.shortage.end(now);
                self.endpoint.accept(now, handle);
                true
            }
            Poll::Ready(Err(error)) if self.shortage.concerns(now, &error) => {
                self.metrics.target_failure_count += 1;
                self.endpoint.refuse(now, handle);
                self.remove(number);
                false
            }
            Poll::Ready(Err(error)) => {
                self.metrics.target_failure_count += 1;
                if let (Some(record), Some(target)) =
                    (self.records.get(&handle), self.service.target())
                {
                    tell!(
                        warn,
                        handle,
                        record,
                        leg = "target",
                        service = %target,
                        %error,
                        help = "is the service running?",
                        "cannot connect to the service"
                    );
                }
                self.endpoint.refuse(now, handle);
                self.remove(number);
                false
            }
        }
    }

    fn read_local(&mut self, now: Instant, number: usize) -> usize {
        let Some(Some(local)) = self.locals.get_mut(number) else {
            return 0;
        };
        if !local.has_input() {
            return 0;
        }
        let handle = local.handle;
        if local.phase == Phase::Live && !self.endpoint.is_writable(handle) {
            // `writable` marks it.
            return 0;
        }
        if self.scratch.capacity() < MIN_READ_BYTES {
            self.scratch.reserve(SCRATCH_BYTES);
        }
        let most = if self.endpoint.is_link_blocked(handle) {
            WAITING_READ_BYTES
        } else {
            READ_BYTES
        };
        let mut cx = Context::from_waker(self.ready.waker(number));
        match local.read(&mut cx, &mut (&mut self.scratch).limit(most)) {
            Ok(Read::Bytes(count, rest)) => {
                if rest == Rest::Some {
                    self.ready.mark(number);
                }
                if local.phase == Phase::Live {
                    let bytes = self.take_scratch();
                    if let Err(error) = self.endpoint.write(now, handle, bytes) {
                        self.tell_dropped(handle, &error);
                    }
                } else {
                    self.scratch.clear();
                    self.discard(now, number, count);
                }
                count
            }
            Ok(Read::End) => {
                match local.phase {
                    Phase::Live => {
                        self.endpoint.finish(now, handle);
                        // It may have to make room.
                        self.admit();
                    }
                    Phase::Flushing => {}
                    Phase::Lingering => drop(self.remove(number)),
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

    fn tell_dropped(&self, handle: Handle, error: &WriteError) {
        if let Some(record) = self.records.get(&handle) {
            tell!(debug, handle, record, %error, "bytes dropped");
        }
    }

    /// A local side sends after the end of its conversation. For a while it
    /// need not have noticed.
    fn discard(&mut self, now: Instant, number: usize, count: usize) {
        let Some(Some(local)) = self.locals.get_mut(number) else {
            return;
        };
        local.discarded += count;
        local.spoke_late |= local.farewell_until.is_none_or(|until| until < now);
        if local.discarded > LINGER_BYTES {
            self.give_up(now, number);
        }
    }

    fn take_scratch(&mut self) -> Bytes {
        if self.scratch.len() >= PASSED_ON_BYTES {
            return self.scratch.split().freeze();
        }
        let bytes = Bytes::copy_from_slice(&self.scratch);
        self.scratch.clear();
        bytes
    }

    /// Writes what a local end has waiting; false if that ended it.
    pub(super) fn write_local(&mut self, now: Instant, number: usize) -> bool {
        let Some(Some(local)) = self.locals.get_mut(number) else {
            return false;
        };
        local.in_line = false;
        let handle = local.handle;
        let mut cx = Context::from_waker(self.ready.waker(number));
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
        let Some(Some(local)) = self.locals.get_mut(number) else {
            return false;
        };
        let mut cx = Context::from_waker(self.ready.waker(number));
        if local.last == Last::Reset {
            if let Some(local) = self.remove(number) {
                local.reset();
            }
            return false;
        }
        let (result, farewell) = local.shutdown(&mut cx);
        if result.is_err() || farewell == Farewell::None || !local.has_input() {
            self.remove(number);
            return false;
        }
        local.phase = Phase::Lingering;
        let handle = local.handle;
        self.lingering.push_back((now + LINGER, number, handle));
        self.ready.mark(number);
        true
    }

    fn local_failed(&mut self, now: Instant, number: usize, error: io::Error) {
        let Some(Some(local)) = self.locals.get(number) else {
            return;
        };
        if let Some(record) = self.records.get_mut(&local.handle) {
            tell!(debug, local.handle, record, leg = "target", %error, "local connection failed");
            if self.service.target().is_some() {
                record.broken = Some(error);
            }
        }
        self.give_up(now, number);
    }

    /// Closes local streams whose other side has not ended them in time.
    pub(super) fn end_lingering(&mut self, now: Instant) {
        while let Some((until, number, handle)) = self.lingering.front().copied()
            && until <= now
        {
            self.lingering.pop_front();
            if let Some(Some(local)) = self.locals.get(number)
                && local.handle == handle
            {
                self.remove(number);
            }
        }
    }
}

/// A number that every log format writes as one, which it would not do for 128 bits.
fn whole_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// What a local side sent after the peer's close has nobody to go to. A few bytes
/// at once are a farewell, as that of TLS or of a mail client.
fn tell_lost(local: &Local) {
    if local.discarded > FAREWELL_BYTES || local.spoke_late {
        warn!(
            leg = "target",
            conv = %local.handle,
            lost_bytes = local.discarded,
            "the local side went on sending after the peer had closed"
        );
    }
}

fn tell_end(handle: Handle, record: &Record, end: End, summary: &Summary) {
    if let Some(error) = &record.broken {
        // The protocol has no reset: the peer takes our close for an end.
        return tell!(
            warn,
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
        return tell!(
            warn,
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
        // That the link was lost has been told, once; not what was lost with it.
        Some(leg) if end == End::LinkLost && summary.unsent_bytes == 0 => tell!(
            debug,
            handle,
            record,
            leg = leg.name(),
            %end,
            "conversation failed"
        ),
        // Most who end their input have left, and this is how that shows.
        Some(leg) if end == End::DrainTimeout && !summary.answer_expected => tell!(
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
        Some(leg) if end == End::DrainTimeout => tell!(
            warn,
            handle,
            record,
            leg = leg.name(),
            sent_bytes = summary.sent_bytes,
            delivered_bytes = summary.received_bytes,
            %end,
            "the answer may be cut: --on-eof drain:T waits longer, drain:off without limit"
        ),
        None if summary.unsent_bytes > 0 || summary.dropped_bytes > 0 => tell!(
            warn,
            handle,
            record,
            sent_bytes = summary.sent_bytes,
            delivered_bytes = summary.received_bytes,
            unsent_bytes = summary.unsent_bytes,
            dropped_bytes = summary.dropped_bytes,
            %end,
            "conversation ended before all was delivered"
        ),
        None => tell!(
            info,
            handle,
            record,
            sent_bytes = summary.sent_bytes,
            received_bytes = summary.received_bytes,
            duration_us = whole_micros(summary.duration),
            %end,
            "conversation ended"
        ),
        Some(leg) => tell!(
            warn,
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
