//! `ministream-replay replay`, `mock` and `inject` as processes. Everything is on
//! 127.0.0.1 and bounded in time.

mod endings;
mod ids;
mod peer;
mod process;
mod replays;
mod scripts;
mod truth;
