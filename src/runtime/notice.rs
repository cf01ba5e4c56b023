//! Notices for a terminal although nothing is wrong: that something is waited for, and that the
//! waiting is over.

use std::fmt::Display;
use std::time::{Duration, Instant};

use tracing::info;

/// The target of such lines in the log. They appear without `-v`.
pub const NOTICE: &str = "ministream::notice";

/// After this time a wait is worth a word.
pub(super) const WORTH_A_WORD: Duration = Duration::from_secs(2);

/// Says `waiting` when `work` takes longer than 2 s, and that it is over if it was said.
pub(super) async fn with_word<T>(waiting: impl Display, work: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let mut work = std::pin::pin!(work);
    if let Ok(done) = tokio::time::timeout(WORTH_A_WORD, work.as_mut()).await {
        return done;
    }
    info!(target: NOTICE, "waiting: {waiting}");
    let done = work.await;
    info!(target: NOTICE, "waited {:.1} s: {waiting}", began.elapsed().as_secs_f64());
    done
}
