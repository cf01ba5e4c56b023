//! What the tests of these modules share.

/// Runs a test in a runtime of one thread.
pub(in crate::runtime) fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(test);
}
