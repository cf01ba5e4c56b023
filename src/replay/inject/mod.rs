//! Hand-made messages: a script of steps, and the machine that carries it out.
//!
//! ```text
//! syn $c                              # a fresh id, our destination
//! expect ack $c -> $s within 2s
//! data $s "GET / HTTP/1.0\r\n\r\n"
//! expect data $c ~ /200 OK/
//! close $s
//! ```
//!
//! A line is `syn|ack|data|close|type:XX ID [PAYLOAD]`, `hex BYTES`, `ping`,
//! `wait TIME`, `expect TYPE ID [-> $VAR] [= PAYLOAD | ~ /RE/] [within TIME]`,
//! `expect bytes ID = PAYLOAD [within TIME]`, `expect nothing [for ID] within TIME`,
//! or `repeat N` … `end`. An ID is six hex digits, `$VAR`, `rand` or `zero`; a PAYLOAD
//! is `"C string"`, `hex:…`, `@file`, `rand:N`, `zero:N`, `seq:N`, or in a SYN
//! `dest+hex:…`. `expect syn -> $VAR` takes any SYN, and its id. A line may also be one of the specification's samples:
//! `C->S A1 12 34 56 key...` is sent, `S->C 52 12 34 56` is expected.

mod error;
mod executor;
mod notation;
mod parse;
mod script;
mod taken;
pub(crate) mod text;

pub use self::error::ScriptError;
pub use self::executor::{Executor, InjectOutput, StepReport, StepResult};
pub use self::parse::{Files, parse, sequence};
pub(in crate::replay) use self::parse::{Vocabulary, parse_with};
pub use self::script::{
    Action, Expect, Expected, Id, MAX_SCRIPT_PAYLOAD_BYTES, Payload, Script, Step, Want,
};
pub use self::taken::Taker;

#[cfg(test)]
mod tests;
