//! A timer that is not late by a millisecond: tokio's and epoll's count in whole ones.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

#[cfg(target_os = "linux")]
use self::kernel::KernelTimer;

/// Wakes its task at one time after another.
#[derive(Debug)]
pub(in crate::runtime) enum Alarm {
    #[cfg(target_os = "linux")]
    Fine(KernelTimer),
    Coarse(Pin<Box<Sleep>>),
}

impl Alarm {
    /// Where the system has no better timer, or no more of them, one in whole milliseconds.
    pub(in crate::runtime) fn new() -> Self {
        #[cfg(target_os = "linux")]
        match KernelTimer::new() {
            Ok(timer) => return Self::Fine(timer),
            Err(error) => tracing::debug!(%error, "no timer finer than a millisecond"),
        }
        Self::Coarse(Box::pin(tokio::time::sleep(Duration::ZERO)))
    }

    /// Ready when it is time; else the task is woken then, unless another time is asked for before.
    pub(in crate::runtime) fn poll_at(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<()> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Fine(timer) => loop {
                let left = due.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Poll::Ready(());
                }
                if let Err(error) = ready!(timer.poll_after(cx, due, left)) {
                    tracing::debug!(%error, "the timer failed: one of whole milliseconds instead");
                    *self = Self::Coarse(Box::pin(tokio::time::sleep(Duration::ZERO)));
                    return self.poll_at(cx, due);
                }
            },
            Self::Coarse(sleep) => {
                let deadline = tokio::time::Instant::from_std(due);
                if sleep.deadline() != deadline {
                    sleep.as_mut().reset(deadline);
                }
                sleep.as_mut().poll(cx)
            }
        }
    }
}

#[cfg(target_os = "linux")]
mod kernel {
    //! A timer of the kernel's that is waited for like a socket: timerfd_create(2).

    use std::io;
    use std::task::{Context, Poll, ready};
    use std::time::{Duration, Instant};

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::net::unix::pipe::Receiver;

    #[derive(Debug)]
    pub(in crate::runtime) struct KernelTimer {
        file: Receiver,
        /// The time for which it is set.
        due: Option<Instant>,
    }

    impl KernelTimer {
        pub(super) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let file = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            Ok(Self {
                // Nothing of a pipe is used but that it is waited for and read.
                file: Receiver::from_owned_fd_unchecked(file)?,
                due: None,
            })
        }

        /// Ready when it has gone off, `left` from now at the earliest.
        pub(super) fn poll_after(
            &mut self,
            cx: &mut Context<'_>,
            due: Instant,
            left: Duration,
        ) -> Poll<io::Result<()>> {
            if self.due != Some(due) {
                let none = Duration::ZERO;
                let times = Itimerspec {
                    it_interval: Timespec::try_from(none).map_err(io::Error::other)?,
                    it_value: Timespec::try_from(left).map_err(io::Error::other)?,
                };
                timerfd_settime(&self.file, TimerfdTimerFlags::empty(), &times)?;
                self.due = Some(due);
            }
            loop {
                ready!(self.file.poll_read_ready(cx))?;
                // Reading it gives the number of times that it has gone off.
                match self.file.try_read(&mut [0; 8]) {
                    Ok(_) => {
                        self.due = None;
                        return Poll::Ready(Ok(()));
                    }
                    // It was set anew since.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[test]
    fn it_goes_off_in_time_and_never_early_whatever_it_was_set_to_before() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut alarm = Alarm::new();
            let began = Instant::now();
            for micros in [5_000, 100, 0, 2_500, 700, 1] {
                // A time that is given up for an earlier one.
                let far = began + Duration::from_secs(3_600);
                let polled = poll_fn(|cx| Poll::Ready(alarm.poll_at(cx, far))).await;
                assert!(polled.is_pending());
                let due = Instant::now() + Duration::from_micros(micros);
                poll_fn(|cx| alarm.poll_at(cx, due)).await;
                assert!(Instant::now() >= due);
            }
            assert!(began.elapsed() < Duration::from_secs(10));
        });
    }
}
