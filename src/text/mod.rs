//! Text in byte buffers: numbers and names, escapes and quotes, and line breaks.

pub mod escape;
pub mod suggest;

pub(crate) mod line;
pub(crate) mod quoted;
pub(crate) mod wrap;
pub(crate) mod write;
