//! The values of the records of conversations and findings, column by column, for whatever
//! form they are written in.

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
    cells.put("conv", Value::Conversation(c.id));
    put_party(["client", "client_name", "client_hash"], &c.client, cells);
    put_party(["server", "server_name", "server_hash"], &c.server, cells);
    cells.put("carrier", Value::Word(c.carrier.name()));
    cells.put("client_id", c.client_id.map(|id| Value::Id(id.0)).into());
    cells.put("server_id", c.server_id.map(|id| Value::Id(id.0)).into());
    cells.put("state", Value::Word(c.state.name()));
    cells.put("start_t_us", Value::Number(c.start_us));
    cells.put("duration_us", whole_micros(c.duration_ns()));
    cells.put("handshake_us", c.handshake_ns.map(whole_micros).into());
    cells.put("first_byte_us", c.first_byte_ns.map(whole_micros).into());
    put_tally("c2s", c.c2s, cells);
    put_tally("s2c", c.s2c, cells);
    cells.put("finding_count", Value::count(c.finding_count));
    cells.put("peer_view", c.peer_view.map(Value::Conversation).into());
    let router = c.router.map(|time| {
        [
            ("min", micros(time.min_ns)),
            ("mean", micros(time.mean_ns())),
            ("max", micros(time.max_ns)),
        ]
    });
    cells.put_numbers("router_time_us", router);
}

pub(crate) fn put_finding(finding: &Finding, cells: &mut impl Cells) {
    cells.put("level", Value::Level(finding.level));
    cells.put("code", Value::Word(finding.code.code()));
    cells.put("n", finding.message.map(Value::count).into());
    cells.put("packet_n", finding.packet.map(Value::count).into());
    cells.put("conv", finding.conversation.map(Value::Conversation).into());
    cells.put("text", Value::Text(&finding.text));
    cells.put_detail("detail", finding);
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
            ("message_count", count(tally.message_count)),
            ("payload_bytes", count(tally.payload_bytes)),
        ]),
    );
}

const fn whole_micros(nanos: i64) -> Value<'static> {
    Value::Number(micros(nanos))
}
