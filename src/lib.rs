//! Dissector and replay toolkit for ministreaming.
#![forbid(unsafe_code)]

pub mod capture;
pub mod carrier;
pub mod conversation;
pub mod dissect;
pub mod endpoint;
pub mod net;
pub mod time;
pub mod wire;
