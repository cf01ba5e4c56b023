//! The control interface over HTTP: hyper speaks it, and the proxy's task answers.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, ORIGIN,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::service::service_fn;
use hyper::{Method, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tracing::{debug, warn};

use crate::proxy::control::{Reply, Request};
use crate::runtime::repeated::Repeated;

/// Connections at once; further ones wait in the system.
const MAX_CONNECTIONS: usize = 32;

/// Longest time of a connection, whatever its client does or does not.
const CONNECTION_TIME: Duration = Duration::from_secs(30);

/// Time for the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(5);

/// Longest body that is read.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Requests that wait for the proxy's task.
const MAX_WAITING: usize = 32;

/// The page at `/`.
const PAGE: &str = include_str!("page.html");

/// A request, and the channel for its answer.
pub(super) type Asked = (Request, oneshot::Sender<Reply>);

/// Requests to be answered by whoever has the proxy.
#[derive(Debug)]
pub(super) struct Requests(mpsc::Receiver<Asked>);

impl Requests {
    /// Listens; returns the address that was bound.
    pub(super) async fn listen(address: SocketAddr) -> io::Result<(Self, SocketAddr)> {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        tokio::spawn(accept(listener, sender));
        Ok((Self(receiver), bound))
    }

    /// The next request.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Asked> {
        match self.0.poll_recv(cx) {
            Poll::Ready(Some(asked)) => Poll::Ready(asked),
            // The listener lives as long as the runtime.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

async fn accept(listener: TcpListener, proxy: mpsc::Sender<Asked>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut not_accepted = Repeated::default();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let proxy = proxy.clone();
                tokio::spawn(async move {
                    let served = tokio::time::timeout(CONNECTION_TIME, serve(stream, proxy)).await;
                    if let Ok(Err(error)) = served {
                        debug!(%peer, %error, "a control connection failed");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                if let Some(count) = not_accepted.count(()) {
                    warn!(%error, count, "cannot accept a control connection");
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, proxy: mpsc::Sender<Asked>) -> Result<(), hyper::Error> {
    let service = service_fn(move |request| {
        let proxy = proxy.clone();
        async move { Ok::<_, Infallible>(respond(request, proxy).await) }
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

async fn respond(
    request: hyper::Request<Incoming>,
    proxy: mpsc::Sender<Asked>,
) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    if let Err(why) = check_origin(&head.method, &head.headers) {
        return refused(StatusCode::FORBIDDEN, why);
    }
    if head.method == Method::GET && head.uri.path() == "/" {
        return page();
    }
    let body = match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(body) => body.to_bytes().to_vec(),
        Err(error) => return refused(StatusCode::PAYLOAD_TOO_LARGE, &error.to_string()),
    };
    let request = Request {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        body,
    };
    let (sender, answer) = oneshot::channel();
    if proxy.send((request, sender)).await.is_err() {
        return refused(
            StatusCode::SERVICE_UNAVAILABLE,
            "the proxy is shutting down",
        );
    }
    match answer.await {
        Ok(reply) => json_response(reply.status, &reply.body),
        Err(_) => refused(
            StatusCode::SERVICE_UNAVAILABLE,
            "the proxy is shutting down",
        ),
    }
}

/// Only programs on this machine may ask: no page of another site in a browser here, which could
/// reach loopback by a name of its own.
fn check_origin(method: &Method, headers: &HeaderMap) -> Result<(), &'static str> {
    let text = |value: Option<&HeaderValue>| {
        value
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let host = text(headers.get(HOST)).unwrap_or_default();
    if !is_loopback(&host) {
        return Err("the Host is not this machine's");
    }
    if let Some(origin) = text(headers.get(ORIGIN))
        && origin != format!("http://{host}")
    {
        return Err("the Origin is another site");
    }
    if method != Method::GET
        && method != Method::HEAD
        && !text(headers.get(CONTENT_TYPE)).is_some_and(|kind| kind.starts_with("application/json"))
    {
        // Which no page can send elsewhere without asking first.
        return Err("Content-Type is to be application/json");
    }
    Ok(())
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_matches(['[', ']']);
    name == "localhost"
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// The permissions of the page in a browser: its own script and style, and requests to us.
fn page_policy() -> String {
    let hash = |tag: &str| {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        let inside = PAGE
            .split_once(&*open)
            .and_then(|(_, rest)| rest.split_once(&*close));
        let digest = Sha256::digest(inside.map_or("", |(inside, _)| inside).as_bytes());
        format!("'sha256-{}'", data_encoding::BASE64.encode(&digest))
    };
    format!(
        "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash("script"),
        hash("style")
    )
}

fn page() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(PAGE.as_bytes())));
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    if let Ok(policy) = HeaderValue::from_str(&page_policy()) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    harden(headers);
    response
}

fn json_response(status: u16, body: &Value) -> Response<Full<Bytes>> {
    let text = match body {
        Value::Null => Bytes::new(),
        body => Bytes::from(format!("{body}\n")),
    };
    let mut response = Response::new(Full::new(text));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    harden(headers);
    response
}

fn harden(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

fn refused(status: StatusCode, why: &str) -> Response<Full<Bytes>> {
    json_response(status.as_u16(), &json!({ "error": why }))
}
