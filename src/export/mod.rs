//! Output for programs beside the records: packets, byte streams, tables of columns, and the
//! dissector for Wireshark.

pub mod output;
pub mod packets;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod streams;
pub mod synthetic_packets;
pub mod wireshark;
