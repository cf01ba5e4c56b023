//! Text in byte buffers: numbers and names, what is escaped or quoted, and where lines break.

pub mod escape;
pub mod suggest;

pub(crate) mod line;
pub(crate) mod quoted;
pub(crate) mod wrap;
pub(crate) mod write;
