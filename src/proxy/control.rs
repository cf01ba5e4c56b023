//! The requests that a running proxy answers, in the manner of toxiproxy: requests and answers in
//! JSON, without the HTTP that carries them.

use std::time::Instant;

use serde_json::{Value, json};

use super::machine::Proxy;
use super::recent::{PREVIEW_BYTES, Recent};
use super::report::{RuleReport, index, mean_us, rule_json};
use super::rule::Rule;
use crate::conversation::{Conversation, ConversationId, Tally};
use crate::fault::{Fault, FaultKind};
use crate::field::payload;
use crate::select::filter::HintText;
use crate::text::escape::{Charset, escaped};
use crate::wire::{Direction, RawMessage};

/// Messages in one answer, which has to be made while no message passes. `since` asks for those
/// behind them.
const MAX_LISTED: usize = 500;

/// Conversations in one answer, the newest first.
const MAX_CONVERSATIONS: usize = 500;

/// The description of the interface, OpenAPI 3.1.
pub const OPENAPI: &str = include_str!("openapi.json");

/// A question, as HTTP brings it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, `PUT` or `DELETE`.
    pub method: String,
    /// The path, without the part from `?` on.
    pub path: String,
    /// The part behind `?`.
    pub query: String,
    /// The body.
    pub body: Vec<u8>,
}

/// An answer, as HTTP takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// HTTP's status code.
    pub status: u16,
    /// The body; `Null` for none.
    pub body: Value,
}

impl Reply {
    const fn new(status: u16, body: Value) -> Self {
        Self { status, body }
    }

    const fn done() -> Self {
        Self::new(204, Value::Null)
    }

    fn refused(status: u16, why: impl Into<String>) -> Self {
        Self::new(status, json!({ "error": why.into() }))
    }

    fn unknown() -> Self {
        Self::refused(
            404,
            "there is no such thing; /openapi.json tells what there is",
        )
    }
}

/// Carries a request out.
pub fn answer(proxy: &mut Proxy, now: Instant, request: &Request) -> Reply {
    let path: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    match (&*request.method, &*path) {
        ("GET", ["api", "status"]) => Reply::new(200, status(proxy)),
        ("GET", ["api", "faults"]) => Reply::new(200, faults(proxy)),
        ("POST", ["api", "faults"]) => add_fault(proxy, &request.body),
        ("DELETE", ["api", "faults", direction, kind]) => remove_fault(proxy, direction, kind),
        ("GET", ["api", "rules"]) => Reply::new(200, rules(proxy)),
        ("POST", ["api", "rules"]) => with_rule(&request.body, proxy.hint_text, |rule| {
            if proxy.rules_mut().add(rule) {
                Reply::new(201, json!({ "rule": proxy.rules().all().len() }))
            } else {
                Reply::refused(409, "there are too many rules")
            }
        }),
        ("PUT", ["api", "rules", number]) => with_rule(&request.body, proxy.hint_text, |rule| {
            if place(number).is_some_and(|place| proxy.rules_mut().replace(place, rule)) {
                Reply::done()
            } else {
                Reply::unknown()
            }
        }),
        ("DELETE", ["api", "rules", number]) => {
            if place(number).is_some_and(|place| proxy.rules_mut().remove(place)) {
                Reply::done()
            } else {
                Reply::unknown()
            }
        }
        ("POST", ["api", "reset"]) => {
            proxy.rules_mut().clear();
            proxy.set_faults(crate::fault::Faults::default());
            proxy.resume(now);
            Reply::done()
        }
        ("GET", ["api", "conversations"]) => Reply::new(200, conversations(proxy)),
        ("DELETE", ["api", "conversations", id]) => match id.parse::<ConversationId>() {
            Ok(id) if proxy.kill(now, id) => Reply::done(),
            _ => Reply::unknown(),
        },
        ("GET", ["api", "messages"]) => Reply::new(200, messages(proxy, &request.query)),
        ("POST", ["api", "pause"]) => {
            proxy.pause();
            Reply::done()
        }
        ("POST", ["api", "resume"]) => {
            proxy.resume(now);
            Reply::done()
        }
        ("POST", ["api", "step"]) => step(proxy, now, &request.body),
        ("GET", ["api", "queue"]) => Reply::new(200, queue(proxy)),
        ("GET", ["openapi.json"]) => match serde_json::from_str(OPENAPI) {
            Ok(openapi) => Reply::new(200, openapi),
            Err(error) => Reply::refused(500, error.to_string()),
        },
        (
            _,
            [
                "api",
                "status" | "faults" | "rules" | "reset" | "conversations" | "messages" | "pause"
                | "resume" | "step" | "queue",
                ..,
            ],
        ) => Reply::refused(
            405,
            "not by this method; /openapi.json tells which there are",
        ),
        _ => Reply::unknown(),
    }
}

/// A place from 0, of a number from 1.
fn place(number: &str) -> Option<usize> {
    number.parse::<usize>().ok()?.checked_sub(1)
}

fn parsed(body: &[u8]) -> Result<Value, Reply> {
    serde_json::from_slice(body).map_err(|error| Reply::refused(400, format!("the body: {error}")))
}

fn with_rule(body: &[u8], hint_text: HintText, then: impl FnOnce(Rule) -> Reply) -> Reply {
    let body = match parsed(body) {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let Some(text) = body["text"].as_str() else {
        return Reply::refused(400, r#"a rule is {"text": "type == ack: drop"}"#);
    };
    match Rule::parse_with_hints(text, hint_text) {
        Ok(rule) => then(rule),
        Err(error) => Reply::new(
            400,
            json!({
                "error": error.problem,
                "line": error.line,
                "column": error.column,
            }),
        ),
    }
}

fn status(proxy: &Proxy) -> Value {
    let report = proxy.report();
    let direction = |direction: Direction| {
        let passed = &report.directions[index(direction)];
        json!({
            "message_in_count": passed.messages_in,
            "in_bytes": passed.bytes_in,
            "message_out_count": passed.messages_out,
            "out_bytes": passed.bytes_out,
            "not_ours_count": passed.not_ours,
        })
    };
    json!({
        "paused": proxy.is_paused(),
        "queued_count": proxy.queued(),
        "open_connection_count": proxy.connection_count(),
        "connection_count": report.connections,
        "failed_connection_count": report.failed_connections,
        "conversation_count": report.conversations,
        "open_conversation_count": proxy.conversation_count(),
        "c2s": direction(Direction::ClientToServer),
        "s2c": direction(Direction::ServerToClient),
        "last_message": proxy.recent.as_ref().map_or(0, Recent::last),
        "added_us": { "p50": report.added_us.p50, "p99": report.added_us.p99 },
    })
}

fn faults(proxy: &Proxy) -> Value {
    let report = proxy.report();
    let mut listed = Vec::new();
    for direction in Direction::ALL {
        for fault in proxy.faults().direction(direction).faults() {
            let effect = report.faults.stats(direction).effect(fault.kind());
            listed.push(json!({
                "name": format!("{}/{}", direction.name(), fault.kind().name()),
                "dir": direction.name(),
                "fault": fault.to_string(),
                "message_count": effect.count,
                "mean_delay_us": mean_us(effect.delay, effect.count),
            }));
        }
    }
    Value::Array(listed)
}

fn add_fault(proxy: &mut Proxy, body: &[u8]) -> Reply {
    let body = match parsed(body) {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let fault = body["fault"].as_str().map(str::parse::<Fault>);
    let fault = match fault {
        Some(Ok(fault)) => fault,
        Some(Err(error)) => return Reply::refused(400, error.to_string()),
        None => {
            return Reply::refused(400, r#"a fault is {"dir": "c2s", "fault": "latency=50ms"}"#);
        }
    };
    if fault.kind() == FaultKind::Slice {
        return Reply::refused(400, "slice is set when a connection is made, and not here");
    }
    let directions: Vec<Direction> = match &body["dir"] {
        Value::Null => Direction::ALL.to_vec(),
        dir => dir
            .as_str()
            .and_then(Direction::named)
            .into_iter()
            .collect(),
    };
    if directions.is_empty() {
        return Reply::refused(400, "dir is c2s, s2c, or left away for both");
    }
    let mut faults = proxy.faults().clone();
    for direction in directions {
        faults.direction_mut(direction).set(fault.clone());
    }
    proxy.set_faults(faults);
    Reply::new(201, self::faults(proxy))
}

fn remove_fault(proxy: &mut Proxy, direction: &str, kind: &str) -> Reply {
    let (Some(direction), Some(kind)) = (Direction::named(direction), FaultKind::named(kind))
    else {
        return Reply::unknown();
    };
    let mut faults = proxy.faults().clone();
    if !faults.direction_mut(direction).clear(kind) {
        return Reply::unknown();
    }
    proxy.set_faults(faults);
    Reply::done()
}

fn rules(proxy: &Proxy) -> Value {
    let rules = proxy.rules().all().iter().enumerate();
    let listed = rules.map(|(place, rule)| {
        let report = RuleReport {
            text: rule.text().to_owned(),
            tally: *rule.tally(),
        };
        rule_json(place + 1, &report)
    });
    Value::Array(listed.collect())
}

fn conversations(proxy: &Proxy) -> Value {
    let open = proxy.conversations();
    let listed = open.iter().rev().take(MAX_CONVERSATIONS).map(conversation);
    Value::Array(listed.collect())
}

fn conversation(conversation: &Conversation) -> Value {
    let tally = |tally: Tally| json!({ "data_message_count": tally.message_count, "payload_bytes": tally.payload_bytes });
    json!({
        "conv": conversation.id.to_string(),
        "client": conversation.client.address.to_string(),
        "server": conversation.server.address.to_string(),
        "client_id": conversation.client_id.map(|id| id.0.to_string()),
        "server_id": conversation.server_id.map(|id| id.0.to_string()),
        "state": conversation.state.name(),
        "c2s": tally(conversation.c2s),
        "s2c": tally(conversation.s2c),
        "duration_us": conversation.duration_ns() / 1_000,
        "finding_count": conversation.finding_count,
    })
}

/// Those after the number in `since=N`, of the conversation in `conv=c1`.
fn messages(proxy: &Proxy, query: &str) -> Value {
    let parameter = |name: &str| {
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    };
    let since: u64 = parameter("since")
        .and_then(|number| number.parse().ok())
        .unwrap_or(0);
    let conv = parameter("conv");
    let listed = proxy.recent.iter().flat_map(Recent::messages);
    let listed = listed.filter(|message| {
        message["n"].as_u64() > Some(since) && conv.is_none_or(|conv| message["conv"] == conv)
    });
    Value::Array(listed.take(MAX_LISTED).cloned().collect())
}

fn step(proxy: &mut Proxy, now: Instant, body: &[u8]) -> Reply {
    let count = if body.is_empty() {
        Some(1)
    } else {
        match parsed(body) {
            Ok(body) => body["count"]
                .as_u64()
                .and_then(|count| count.try_into().ok()),
            Err(refused) => return refused,
        }
    };
    match count {
        Some(count) => Reply::new(200, json!({ "passed_count": proxy.step(now, count) })),
        None => Reply::refused(400, r#"how many: {"count": 1}"#),
    }
}

fn queue(proxy: &Proxy) -> Value {
    let listed = proxy
        .queue(MAX_LISTED)
        .map(|(connection, direction, bytes)| {
            let message = RawMessage::parse(&bytes);
            let shown = payload(&message);
            json!({
                "connection": connection.0,
                "dir": direction.name(),
                "type": message.kind().name(),
                "id": message.frame().map(|frame| frame.id.to_string()),
                "payload_bytes": shown.len(),
                "payload_text": escaped(&shown[..shown.len().min(PREVIEW_BYTES)], Charset::Unicode),
            })
        });
    Value::Array(listed.collect())
}
