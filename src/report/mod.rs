//! How findings look: tables, text, JSON, statistics. Everything here writes
//! and nothing decides; what is shown is chosen by a [`Selection`].

#[cfg(feature = "endpoints")]
pub mod conform;
pub mod conversations;
pub mod detail;
pub mod escape;
pub mod export;
pub mod field;
pub mod filter;
pub mod follow;
pub mod grid;
pub mod html;
pub mod json;
#[cfg(feature = "endpoints")]
mod junit;
pub mod ladder;
pub mod lines;
pub mod look;
pub mod made_packets;
pub mod output;
pub mod packets;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod record;
pub mod redact;
#[cfg(feature = "endpoints")]
pub mod replay;
pub mod reporter;
pub mod selection;
pub mod spec;
pub mod statistics;
pub mod suggest;
pub mod table;
pub mod tally;
pub mod wireshark;

mod describe;
pub(crate) mod heading;
mod hexdump;
mod markup;
#[cfg(feature = "endpoints")]
pub(crate) mod message;
pub(crate) mod near;
mod number_set;
#[cfg(test)]
mod samples;
mod sorted;
pub(crate) mod wrap;
pub(crate) mod write;

pub use reporter::Reporter;
pub use selection::Selection;
