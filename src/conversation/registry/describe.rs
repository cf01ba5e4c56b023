//! A tracked conversation as it is reported.

use super::super::channel::Channels;
use super::super::event::Conversation;
use super::super::records::{Records, Slot};
use crate::net::Side;

pub(super) fn describe(slot: Slot, records: &Records, channels: &Channels) -> Conversation {
    let (live, details) = (records.live(slot), records.details(slot));
    let (_, channel) = channels.at(live.channel);
    let (far_hash, client_hash) = (details.far_hash(), details.client_hash());
    let mut client = channel.party(live.client_side, far_hash);
    let mut server = channel.party(live.client_side.opposite(), far_hash);
    let at_router = details.router.as_deref();
    let far_nickname = at_router.and_then(|router| router.far_nickname.clone());
    if channel.session().is_none() {
        (client.hash, server.hash) = (client_hash, None);
    } else if live.client_side == Side::Responder {
        client.nickname = far_nickname;
    } else {
        server.nickname = far_nickname;
        client.hash = client.hash.or(client_hash);
    }
    let [c2s, s2c] = live.tallies;
    Conversation {
        id: live.id(),
        carrier: channel.carrier,
        client,
        server,
        client_id: live.client_id(),
        server_id: live.server_id(),
        state: live.state(),
        start: details.start,
        start_us: details.start_us,
        end: live.end,
        handshake_ns: details.handshake.get(),
        first_byte_ns: details.first_byte.get(),
        c2s,
        s2c,
        finding_count: u64::from(details.finding_count),
        peer_view: at_router.and_then(|router| router.peer_view),
        router: at_router.and_then(|router| router.time),
    }
}
