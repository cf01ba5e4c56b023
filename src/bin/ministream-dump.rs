//! `ministream-dump`: dissects ministreaming traffic from captures.

fn main() {}
