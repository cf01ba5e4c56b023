//! Dissector and replay toolkit for ministreaming, the first tunnel protocol
//! of I2P (2004).
//!
//! To iterate the conversations of a capture:
//!
//! ```
//! for conversation in ministream::open("captures/spec-samples.pcap")? {
//!     let conversation = conversation?;
//!     println!("{}: {}", conversation.id, conversation.state);
//! }
//! # Ok::<(), ministream::CaptureError>(())
//! ```
//!
//! To see every message, and findings as they come, whatever the size of the capture, implement
//! [`Sink`]; [`Collected`] is one that keeps all of it in memory:
//!
//! ```
//! use ministream::{Collected, DissectOptions, Dissector, EndOfInput, Inputs, PacketSource};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut capture = Inputs::open(["captures/spec-samples.pcap"])?;
//! let mut dissector = Dissector::new(DissectOptions::default());
//! let mut seen = Collected::default();
//! while let Some(packet) = capture.next_packet()? {
//!     dissector.push(&packet, &mut seen)?;
//! }
//! dissector.finish(EndOfInput::Complete, &mut seen)?;
//! # assert_eq!(seen.conversations.len(), 3);
//! println!("{} messages", seen.message_count);
//! # Ok(())
//! # }
//! ```
//!
//! # Data flow
//!
//! | layer | takes | gives |
//! |---|---|---|
//! | [`capture`] | files, streams, interfaces | [`Packet`](capture::Packet)s |
//! | [`net`] | packets | datagrams, and stream bytes in order |
//! | [`carrier`] | datagrams and stream bytes | messages |
//! | [`wire`] | a message | a [`RawFrame`](wire::RawFrame), and the [shape](wire::PayloadShape) of its payload |
//! | [`conversation`] | frames | what they mean, [`Conversation`]s, [`Finding`]s |
//! | [`dissect`] | packets | all of this, in one [`Sink`] |
//! | [`endpoint`] | messages, requests, time | messages, events: a participant without I/O |
//! | [`fault`] | messages, time | the same, delayed, lost, duplicated, damaged |
//! | [`replay`] | recorded conversations, messages, time | messages, verdicts |
//! | [`session`] | messages, requests, time, the [`keys`] of a destination | I2CP frames for a router, events: an application of I2P without I/O |
//!
//! Lower layers know nothing of the upper ones. Parsing does no I/O, and
//! nothing here reads a clock: capture time comes with the packets, and
//! endpoints take the time as an argument.
//!
//! A property of the traffic is a finding; an `Err` is a failure of ours or of
//! the machine. A bad frame never stops a dissection.
//!
//! # Features
//!
//! `live` captures through libpcap; `endpoints` has the participants without I/O, from [`endpoint`]
//! to [`proxy`]; `runtime` has sockets and timers for them; the two programs need `dump` and `replay`,
//! and `cli` is both. `serde` implements the traits of that crate for messages, conversations and
//! findings, as their [`record`]s, and for ids, hashes, times and names. Without features the library
//! needs no native code but zstd and ring.
//!
//! # Platforms
//!
//! Everything is developed and tested on Linux, and built nowhere else. `live`, `parquet`, `runtime` and
//! `dump`, and with them `replay` and `tui`, are for Unix only: descriptors, signals, permissions of
//! files. The library without features, or with `endpoints`, names nothing of Unix but where other
//! systems have code of their own.
#![forbid(unsafe_code)]

#[cfg(feature = "endpoints")]
mod allocation;
mod buffer_pool;
pub mod capture;
pub mod carrier;
#[cfg(feature = "dump")]
pub mod cli;
mod columns;
pub mod conversation;
mod conversations;
pub mod dissect;
#[cfg(any(feature = "dump", feature = "runtime"))]
mod end_request;
#[cfg(feature = "endpoints")]
pub mod endpoint;
pub mod export;
#[cfg(feature = "endpoints")]
pub mod fault;
pub mod field;
mod index;
#[cfg(feature = "endpoints")]
pub mod keys;
pub mod ndjson;
pub mod net;
mod new_file;
mod number_set;
#[cfg(any(feature = "endpoints", feature = "dump"))]
#[cfg_attr(
    not(feature = "endpoints"),
    allow(unreachable_pub, reason = "`keys` re-exports the error")
)]
mod private_file;
#[cfg(feature = "endpoints")]
pub mod proxy;
#[cfg(any(feature = "dump", feature = "runtime"))]
mod random_seed;
pub mod record;
#[cfg(feature = "endpoints")]
pub mod replay;
pub mod report;
#[cfg(feature = "runtime")]
pub mod runtime;
pub mod select;
#[cfg(feature = "serde")]
mod serialize;
#[cfg(feature = "endpoints")]
pub mod session;
#[cfg(test)]
mod testing;
pub mod text;
pub mod time;
#[cfg(feature = "tui")]
mod tui;
#[cfg_attr(
    not(all(feature = "endpoints", feature = "dump")),
    allow(dead_code, reason = "flags and scripts take such numbers")
)]
mod units;
pub mod wire;

pub use self::capture::{CaptureError, Inputs, PacketSource};
pub use self::conversation::{Conversation, EndOfInput, Finding, MessageEvent};
pub use self::conversations::{Conversations, open};
pub use self::dissect::{Collected, DissectOptions, Dissector, Sink};

// Crates whose types stand in signatures here: buffers, generators of random numbers, and the
// contents of `proxy::control` and of some errors.
pub use {bytes, rand, regex, serde_json};

#[cfg(feature = "runtime")]
pub use rustls;
