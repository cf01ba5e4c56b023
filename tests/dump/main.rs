//! `ministream-dump` as its users meet it: arguments in, text and exit code out.

#[cfg(feature = "parquet")]
mod analysis;
mod busy;
mod errors;
mod export;
mod formats;
mod generate;
mod html;
mod kept;
mod ladders;
mod live;
mod near;
mod packets;
mod pager;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(feature = "parquet")]
mod readers;
mod records;
mod redact;
mod run;
mod schema;
mod selection;
mod sets;
mod shipped;
#[cfg(feature = "parquet")]
mod statistics;
mod tables;
mod tour;
#[cfg(feature = "tui")]
mod tui;
mod twice;
mod wireshark;
