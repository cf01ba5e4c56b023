//! The router's messages, and our answers.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::MAX_MESSAGE_BYTES;
use super::config::SelfTest;
use super::core::{Core, Phase};
use super::error::SessionError;
use super::event::Event;
use super::lookup::{Answer, Dialect, Reply};
use super::outgoing::Failure;
use crate::carrier::i2cp::{
    Frame, LEASE_BYTES, Lease, LeaseSet, Leases, Mapping, Message, MessageStatus, RouterHops,
    SessionStatus,
};
use crate::wire::{Destination, DestinationHash};

impl Core {
    pub(super) fn handle_frame(
        &mut self,
        now: Instant,
        frame: Frame<'_>,
    ) -> Result<(), SessionError> {
        match Message::decode(frame.message_type, frame.body)? {
            Message::SetDate { date_ms, version } if self.phase == Phase::Greeting => {
                self.create(now, date_ms, version)?;
            }
            Message::SessionStatus { session, status } => {
                self.handle_session_status(now, session, status)?;
            }
            Message::RequestVariableLeaseSet { session, leases } if self.is_ours(session) => {
                self.give_lease_set(now, session, leases)?;
            }
            Message::RequestLeaseSet {
                session,
                hops,
                end_ms,
            } if self.is_ours(session) => {
                let leases = with_end(hops, end_ms);
                let leases = Leases::from_bytes(&leases)
                    .expect("there are as many leases as hops, at most 255");
                self.give_lease_set(now, session, leases)?;
            }
            Message::MessageStatus {
                session,
                message_id,
                status,
                nonce,
                ..
            } if self.is_ours(session) => {
                self.handle_message_status(now, session, message_id, nonce, status)?;
            }
            Message::MessagePayload {
                session,
                message_id,
                payload,
            } if self.is_ours(session) => {
                // Only where the router announces: i2pd does not know the type and logs an error
                // (II.2).
                if self.announces {
                    self.answer(&Message::ReceiveMessageEnd {
                        session,
                        message_id,
                    })?;
                }
                self.handle_payload(payload);
            }
            Message::HostFound {
                request_id,
                destination,
                ..
            } => self.handle_reply(now, Reply::Host(request_id, destination)),
            Message::HostNotFound { request_id, .. } => {
                self.handle_reply(now, Reply::NoHost(request_id));
            }
            Message::DestFound { destination } => {
                self.handle_reply(now, Reply::Dest(destination));
            }
            Message::DestNotFound { hash } => {
                self.handle_reply(now, Reply::NoDest(DestinationHash(*hash)));
            }
            Message::Disconnect { reason } => {
                let reason = String::from_utf8_lossy(reason).into_owned();
                return Err(SessionError::Disconnected(reason));
            }
            _ => self.counters.ignored_count += 1,
        }
        Ok(())
    }

    fn is_ours(&self, session: u16) -> bool {
        matches!(
            self.phase,
            Phase::Building(ours) | Phase::Ready(ours) | Phase::Leaving(ours) if ours == session
        )
    }

    fn create(
        &mut self,
        now: Instant,
        date_ms: u64,
        version: Option<&[u8]>,
    ) -> Result<(), SessionError> {
        self.dialect = Dialect::of_version(version);
        self.names_version = version.is_some();
        // Signed are destination, options and date exactly as they are sent (I2CP specification,
        // "CreateSessionMessage"), so the message takes its options from there.
        let mut signed = self.keys.destination().as_bytes().to_vec();
        let options_at = signed.len();
        self.config.encode_options(&mut signed)?;
        let date_at = signed.len();
        // The router's date and not ours: Java routers insist on one within 30 s of theirs.
        signed.extend_from_slice(&date_ms.to_be_bytes());
        let signature = self.keys.sign(&signed);
        let keys = Arc::clone(&self.keys);
        self.answer(&Message::CreateSession {
            destination: keys.destination(),
            // Behind the two bytes of their length (II.1.1).
            options: Mapping::parse(&signed[options_at + 2..date_at])?,
            date_ms,
            signature: &signature,
        })?;
        self.enter(Phase::Creating, Some(now + self.config.greeting_timeout));
        Ok(())
    }

    fn handle_session_status(
        &mut self,
        now: Instant,
        session: u16,
        status: SessionStatus,
    ) -> Result<(), SessionError> {
        match (self.phase, status) {
            (Phase::Creating, SessionStatus::CREATED) => {
                let deadline = now + self.config.building_timeout;
                self.enter(Phase::Building(session), Some(deadline));
                self.events.push_back(Event::Created);
            }
            (Phase::Creating, SessionStatus::INVALID) => return Err(SessionError::Invalid),
            (Phase::Creating, SessionStatus::REFUSED) => return Err(SessionError::Refused),
            (Phase::Creating, status) => return Err(SessionError::Status(status.0)),
            (Phase::Leaving(_), SessionStatus::DESTROYED) => self.end(Ok(())),
            (Phase::Building(_) | Phase::Ready(_), SessionStatus::DESTROYED)
                if self.is_ours(session) =>
            {
                return Err(SessionError::Destroyed);
            }
            _ => self.counters.ignored_count += 1,
        }
        Ok(())
    }

    /// Every request is answered, also with the leases of the one before: the
    /// router closes the connection otherwise.
    fn give_lease_set(
        &mut self,
        now: Instant,
        session: u16,
        leases: Leases<'_>,
    ) -> Result<(), SessionError> {
        if !self.lease_rate.admit(now) {
            return Err(SessionError::LeaseSetFlood);
        }
        let destination = self.keys.destination();
        let mut lease_set = Vec::new();
        LeaseSet {
            destination: destination.as_bytes(),
            encryption_key: self.keys.encryption_key(),
            // Nobody uses it, but its length must be that of a signing key.
            revocation_key: &vec![0; self.keys.key_type().public_key_bytes()],
            leases,
        }
        .encode_unsigned(&mut lease_set);
        let signature = self.keys.sign(&lease_set);
        lease_set.extend_from_slice(&signature);
        let keys = Arc::clone(&self.keys);
        // The first kind of lease set: i2pd 2.45.1 misreads a LeaseSet2 that it finds in its own
        // database, and Java 0.8.8 knows none.
        self.answer(&Message::CreateLeaseSet {
            session,
            // Unused like its public part in the lease set: zeros work.
            revocation_key: &[0; 20],
            decryption_key: keys.decryption_key(),
            lease_set: &lease_set,
        })?;
        self.counters.lease_set_count += 1;
        if let Phase::Building(session) = self.phase {
            self.enter(Phase::Ready(session), None);
            self.events.push_back(Event::Ready);
            if self.config.self_test == SelfTest::On {
                self.probe.start(now);
                self.drive_probe(now)?;
            }
            self.drive_lookups(now)?;
        }
        Ok(())
    }

    fn handle_message_status(
        &mut self,
        now: Instant,
        session: u16,
        message_id: u32,
        nonce: u32,
        status: MessageStatus,
    ) -> Result<(), SessionError> {
        // Java routers announce a message, and deliver it after this answer; i2pd delivers at once
        // (docs/i2cp.md, "What a session does").
        if status == MessageStatus::AVAILABLE {
            self.announces = true;
            self.answer(&Message::ReceiveMessageBegin {
                session,
                message_id,
            })?;
        } else if let Some(failure) = self.outgoing.handle_status(now, message_id, nonce, status) {
            self.report_failure(failure);
        }
        Ok(())
    }

    pub(super) fn report_failure(&mut self, failure: Failure) {
        self.counters.undelivered_count += 1;
        self.events.push_back(Event::Undelivered {
            to: failure.to,
            lane: failure.lane,
            reason: failure.reason,
        });
    }

    fn handle_payload(&mut self, payload: &[u8]) {
        let message = match self.inflater.inflate(payload) {
            Ok(inflated) if inflated.message.len() <= MAX_MESSAGE_BYTES => inflated.message,
            _ => return self.counters.unreadable_count += 1,
        };
        // Ours are not for the user, even those that come after the test has ended.
        let (own, finding) = self.probe.take(message);
        if !own {
            let message = Bytes::copy_from_slice(message);
            self.counters.received_count += 1;
            self.events.push_back(Event::Message(message));
        }
        self.events.extend(finding.map(Event::from));
    }

    fn handle_reply(&mut self, now: Instant, reply: Reply<'_>) {
        if let Some(answer) = self.lookups.handle(now, reply) {
            self.report_lookup(answer);
        }
    }

    pub(super) fn report_lookup(&mut self, Answer { id, result }: Answer) {
        if let Ok(bytes) = &result
            && let Ok((destination, _)) = Destination::split(bytes)
        {
            self.peers.learn(destination);
        }
        self.events
            .push_back(Event::LookedUp { lookup: id, result });
    }
}

/// The leases of tunnels that all end at one time.
fn with_end(hops: RouterHops<'_>, end_ms: u64) -> Vec<u8> {
    let mut leases = Vec::with_capacity(hops.iter().len() * LEASE_BYTES);
    for (gateway, tunnel_id) in hops.iter() {
        let lease = Lease {
            gateway,
            tunnel_id,
            end_ms,
        };
        leases.extend_from_slice(&lease.to_bytes());
    }
    leases
}
