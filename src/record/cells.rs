//! The values of the records of conversations and findings, column by column, for whatever
//! form they are written in.

use crate::columns::{of_router_time, of_tally};
use crate::conversation::{Conversation, Finding, Party, Tally};
use crate::field::Value;
use crate::time::micros;

/// Takes the values of a record from its first column to its last.
pub(crate) trait Cells {
    /// The value of the next column, which has that name.
    fn put(&mut self, name: &'static str, value: Value<'_>);

    /// The numbers of the next column, by their names.
    fn put_numbers<const N: usize>(
        &mut self,
        name: &'static str,
        numbers: Option<[(&'static str, i64); N]>,
    );

    /// The facts of a finding.
    fn put_detail(&mut self, name: &'static str, finding: &Finding);
}

pub(crate) fn put_conversation(c: &Conversation, cells: &mut impl Cells) {
    use crate::columns::of_conversation as of;

    cells.put(of::CONV, Value::Conversation(c.id));
    put_party(
        [of::CLIENT, of::CLIENT_NAME, of::CLIENT_HASH],
        &c.client,
        cells,
    );
    put_party(
        [of::SERVER, of::SERVER_NAME, of::SERVER_HASH],
        &c.server,
        cells,
    );
    cells.put(of::CARRIER, Value::Word(c.carrier.name()));
    cells.put(of::CLIENT_ID, c.client_id.map(|id| Value::Id(id.0)).into());
    cells.put(of::SERVER_ID, c.server_id.map(|id| Value::Id(id.0)).into());
    cells.put(of::STATE, Value::Word(c.state.name()));
    cells.put(of::START_T_US, Value::Number(c.start_us));
    cells.put(of::DURATION_US, whole_micros(c.duration_ns()));
    cells.put(of::HANDSHAKE_US, c.handshake_ns.map(whole_micros).into());
    cells.put(of::FIRST_BYTE_US, c.first_byte_ns.map(whole_micros).into());
    put_tally(of::C2S, c.c2s, cells);
    put_tally(of::S2C, c.s2c, cells);
    cells.put(of::FINDING_COUNT, Value::count(c.finding_count));
    cells.put(of::PEER_VIEW, c.peer_view.map(Value::Conversation).into());
    let router = c.router.map(|time| {
        [
            (of_router_time::MIN, micros(time.min_ns)),
            (of_router_time::MEAN, micros(time.mean_ns())),
            (of_router_time::MAX, micros(time.max_ns)),
        ]
    });
    cells.put_numbers(of::ROUTER_TIME_US, router);
}

pub(crate) fn put_finding(finding: &Finding, cells: &mut impl Cells) {
    use crate::columns::of_finding as of;

    cells.put(of::LEVEL, Value::Level(finding.level));
    cells.put(of::CODE, Value::Word(finding.code.code()));
    cells.put(of::N, finding.message.map(Value::count).into());
    cells.put(of::PACKET_N, finding.packet.map(Value::count).into());
    cells.put(
        of::CONV,
        finding.conversation.map(Value::Conversation).into(),
    );
    cells.put(of::TEXT, Value::Text(&finding.text));
    cells.put_detail(of::DETAIL, finding);
}

#[inline(always)]
fn put_party(names: [&'static str; 3], party: &Party, cells: &mut impl Cells) {
    let [address, nickname, hash] = names;
    cells.put(address, Value::Address(party.address));
    cells.put(nickname, party.nickname.as_deref().map(Value::Text).into());
    cells.put(hash, party.hash.map(Value::Hash).into());
}

/// Messages and bytes of a direction.
pub(super) fn put_tally(name: &'static str, tally: Tally, cells: &mut impl Cells) {
    let count = |count| i64::try_from(count).unwrap_or(i64::MAX);
    cells.put_numbers(
        name,
        Some([
            (of_tally::MESSAGE_COUNT, count(tally.message_count)),
            (of_tally::PAYLOAD_BYTES, count(tally.payload_bytes)),
        ]),
    );
}

const fn whole_micros(nanos: i64) -> Value<'static> {
    Value::Number(micros(nanos))
}
