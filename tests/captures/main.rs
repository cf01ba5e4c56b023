//! The shipped captures, end to end: packets in, messages, findings and
//! conversations out.
//!
//! `docs/captures.md` tells what the captures are and how to add one.

#[cfg(feature = "cli")]
mod busy;
mod counting;
mod cut_files;
mod damage;
#[cfg(feature = "cli")]
mod display;
mod findings;
mod foreign;
mod implementers;
mod independent;
mod layout;
#[cfg(feature = "cli")]
mod memory;
mod receivers;
mod recording;
mod regenerate;
mod shelf;
mod truth;
mod wrapping;
