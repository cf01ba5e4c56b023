//! Requests while messages pass: for numbers, for tables, or for a change.

use std::io;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::debug;

use super::Watcher;
use super::http::Requests;
use super::metrics;
use crate::proxy::{Proxy, control};
use crate::runtime::metrics::Scrapes;

/// The entrance of requests.
#[derive(Debug)]
pub(super) struct Questions {
    scrapes: Option<Scrapes>,
    requests: Option<Requests>,
    /// SIGUSR1.
    show_tables: Signal,
}

impl Questions {
    pub(super) fn new(scrapes: Option<Scrapes>, requests: Option<Requests>) -> io::Result<Self> {
        Ok(Self {
            scrapes,
            requests,
            show_tables: signal(SignalKind::user_defined1())?,
        })
    }

    pub(super) fn show_tables(
        &mut self,
        cx: &mut Context<'_>,
        proxy: &Proxy,
        watcher: &mut impl Watcher,
    ) -> io::Result<()> {
        while let Poll::Ready(Some(())) = self.show_tables.poll_recv(cx) {
            watcher.show_so_far(&proxy.conversations())?;
        }
        Ok(())
    }

    pub(super) fn answer_scrapes(&mut self, cx: &mut Context<'_>, proxy: &Proxy) {
        while let Some(scrapes) = &mut self.scrapes
            && let Poll::Ready(request) = scrapes.poll_next(cx)
        {
            if request.send(metrics::render(proxy)).is_err() {
                debug!("the client that asked for metrics has left");
            }
        }
    }

    pub(super) fn answer_requests(&mut self, cx: &mut Context<'_>, proxy: &mut Proxy) {
        while let Some(requests) = &mut self.requests
            && let Poll::Ready((request, reply)) = requests.poll_next(cx)
        {
            let answer = control::answer(proxy, Instant::now(), &request);
            if reply.send(answer).is_err() {
                debug!("the client that asked the proxy has left");
            }
        }
    }
}
