//! `ministream-replay replay`, `mock`, `inject` and `conform` as processes. Everything is on
//! 127.0.0.1 and bounded in time.

mod conform;
mod endings;
mod faults;
mod hostile_clients;
mod ids;
mod pages;
mod peer;
mod process;
mod replays;
mod scripts;
mod sets;
mod truth;
