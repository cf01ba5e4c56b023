//! Peers that want us to grow, wait or lock others out.
