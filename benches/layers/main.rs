//! What each layer costs by itself.
//!
//! `cargo bench --bench layers` measures; `cargo bench --bench layers -- tracker` only
//! what has that in its name. `cargo test` runs everything once, on smaller inputs, so
//! that what is measured goes on working.

mod captured;
mod headers;
mod length_prefixed;
mod network;
mod record;
mod tracker;

fn main() {
    divan::main();
}
