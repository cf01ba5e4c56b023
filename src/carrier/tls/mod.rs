//! TLS around messages: what stands before the first message inside it.

pub mod hello;
