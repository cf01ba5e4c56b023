//! A daemon's messages to the service manager of the system, in systemd's way: sd_notify(3).
//!
//! It sends none where `NOTIFY_SOCKET` is not set, as on a terminal.

use std::future::poll_fn;
use std::task::{Context, Poll};

use sd_notify::NotifyState;
use tokio::task::unconstrained;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tracing::debug;

/// Reports that the service can be used, with a line for `systemctl status`.
pub fn notify_ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(status.trim_end())]);
}

/// Reports that the service is stopping, so that the manager's limit for it counts from now.
pub(super) fn notify_stopping() {
    notify(&[NotifyState::Stopping]);
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        // Where it matters the manager complains itself: it waits for our notification.
        debug!(%error, ?states, "the service manager could not be notified");
    }
}

/// Polls a task until it is ready, and meanwhile keeps the service manager's watchdog quiet. To be
/// called inside a tokio runtime with time.
///
/// The task bounds its rounds itself. The runtime's budget does not bound it: with none left every
/// socket would look as if nothing more had come, and deadlines would be judged by that.
pub(super) async fn watched<T>(mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
    let mut watchdog = Watchdog::from_environment();
    unconstrained(poll_fn(|cx| {
        watchdog.poll(cx);
        poll(cx)
    }))
    .await
}

/// The watchdog of the service manager (`WatchdogSec=`), which restarts a service that no longer
/// notifies it.
#[derive(Debug)]
struct Watchdog(Option<Interval>);

impl Watchdog {
    /// As the service manager asks for it.
    fn from_environment() -> Self {
        // Half the time, as sd_watchdog_enabled(3) advises: one heartbeat may be late.
        let half = sd_notify::watchdog_enabled().map(|patience| patience / 2);
        Self(half.filter(|half| !half.is_zero()).map(|half| {
            let mut heartbeat = interval(half);
            heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
            heartbeat
        }))
    }

    /// Notifies the watchdog twice in each of its times that the task goes on in which this is
    /// polled: anything that blocks that task is noticed.
    fn poll(&mut self, cx: &mut Context<'_>) {
        let Self(Some(heartbeat)) = self else { return };
        while heartbeat.poll_tick(cx).is_ready() {
            notify(&[NotifyState::Watchdog]);
        }
    }
}
