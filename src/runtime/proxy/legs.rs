//! The common parts of all connections' legs: carriers, addresses, the recording.

use std::net::SocketAddr;

use bytes::Bytes;
use tracing::warn;

use super::leg::{INTRODUCED, LegName, LegRecord, introduced};
use crate::carrier::Carrier;
use crate::net::Side;
use crate::proxy::ConnectionId;
use crate::runtime::carrier_url::CarrierUrl;
use crate::runtime::open::LinkOptions;
use crate::runtime::recorder::Recorder;

/// The properties of legs to clients, and of those to the server.
#[derive(Debug)]
pub(super) struct Legs {
    pub(super) carrier: CarrierUrl,
    pub(super) upstream: LinkOptions,
    /// The addresses that were bound, and that are connected to.
    pub(super) ends: [SocketAddr; 2],
    pub(super) recorder: Option<Recorder>,
    pub(super) too_long_count: u64,
    /// UDP clients of one host that have not proven their addresses, at most.
    pub(super) max_unproven: Option<usize>,
}

/// A message to a leg.
pub(super) struct Sent<'a> {
    pub(super) bytes: Bytes,
    pub(super) missing_bytes: usize,
    pub(super) comment: Option<&'a str>,
}

impl Legs {
    /// Whether clients send datagrams: they never leave.
    pub(super) const fn are_udp(&self) -> bool {
        matches!(self.carrier, CarrierUrl::Udp(_))
    }

    /// The carrier of clients' messages.
    pub(super) const fn client_carrier(&self) -> Carrier {
        carrier_of(&self.carrier)
    }

    /// The client's address, and the one that it came to.
    pub(super) const fn addresses(&self, client: SocketAddr) -> [SocketAddr; 2] {
        [client, self.ends[0]]
    }

    /// Begins the records of both legs of a client.
    pub(super) fn records(&self, client: SocketAddr) -> Option<[LegRecord; 2]> {
        let recorder = self.recorder.as_ref()?;
        // The far leg has the client's address, too, so that it is seen whose it is.
        Some([
            LegRecord::begin(recorder, &self.carrier, self.addresses(client)),
            LegRecord::begin(recorder, &self.upstream.carrier, [client, self.ends[1]]),
        ])
    }

    /// Names our destination to a server that can find no other.
    pub(super) fn introduce<'a>(&self, to: Side, sent: Sent<'a>) -> Sent<'a> {
        let own = match to {
            Side::Responder => self.upstream.proven_destination(),
            Side::Initiator => None,
        };
        match own.and_then(|own| introduced(&sent.bytes, own)) {
            Some(bytes) => Sent {
                bytes,
                comment: Some(sent.comment.unwrap_or(INTRODUCED)),
                ..sent
            },
            None => sent,
        }
    }

    /// Whether something can go out on a leg; says so if it is too long.
    pub(super) fn can_send(&mut self, id: ConnectionId, to: Side, sent: &Sent<'_>) -> bool {
        let carrier = match to {
            Side::Initiator => &self.carrier,
            Side::Responder => &self.upstream.carrier,
        };
        let bytes = sent.bytes.len();
        if sent.missing_bytes > 0 && (matches!(carrier, CarrierUrl::Udp(_)) || bytes == 0) {
            return false;
        }
        let limit = carrier.max_message_bytes();
        let fits = matches!(carrier, CarrierUrl::I2cp(..)) || bytes <= limit;
        if !fits {
            self.too_long_count += 1;
            if self.too_long_count.is_power_of_two() {
                warn!(
                    leg = LegName::of(to).name(),
                    connection = %id,
                    bytes,
                    limit,
                    so_far = self.too_long_count,
                    "message left out: too long for {carrier}"
                );
            }
        }
        fits
    }
}

const fn carrier_of(carrier: &CarrierUrl) -> Carrier {
    match carrier {
        CarrierUrl::Udp(_) => Carrier::Udp,
        CarrierUrl::Tcp(_, prefix) | CarrierUrl::Tls(_, prefix) => prefix.carrier(),
        CarrierUrl::I2cp(..) => Carrier::I2cp,
    }
}
