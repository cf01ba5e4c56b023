//! Text in byte buffers: numbers and names, what is escaped, and where lines break.

pub mod escape;
pub mod suggest;

pub(crate) mod wrap;
pub(crate) mod write;
