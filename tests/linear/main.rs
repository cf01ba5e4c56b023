//! Work grows as its input does: each attack that is known is carried out in two sizes, and the
//! instructions are counted. Four times the messages may not take more than four times the work.
//!
//! Instructions, not seconds: they do not depend on what else the machine does.
#![forbid(unsafe_code)]

mod count;
mod dissector;
mod endpoints;
mod replays;
