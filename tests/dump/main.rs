//! `ministream-dump` as its users meet it: arguments in, text and exit code out.

mod errors;
mod export;
mod formats;
mod generate;
mod html;
mod ladders;
mod live;
mod packets;
mod pager;
mod redact;
mod run;
mod schema;
mod selection;
mod shipped;
mod statistics;
mod tables;
mod tour;
mod wireshark;
