//! What a new link to a server costs: over TCP, over TLS, and over TLS when it is resumed.

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ministream::keys::file;
use ministream::runtime::{LinkOptions, Remote, Role, TlsClient, TlsOptions};

use crate::ends::{Program, make_keys};
use crate::{Scale, Work, median};

/// Links of each kind.
const LINKS: usize = 300;

/// Opens links one after the other, and prints the medians and what the server used.
pub(crate) fn compare(program: &Path, target: SocketAddr) -> Result<(), Box<dyn Error>> {
    let directory = make_keys(program)?;
    let path = directory.path().join("keys");
    let (name, target) = (path.display().to_string(), target.to_string());
    let keys = Arc::new(file::read(&path)?);
    let client = TlsClient::RawKeys {
        server: Remote::Destination(keys.destination().as_bytes().to_vec()),
        keys,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let start = |carrier: &str, more: &[&str]| {
        let arguments = ["server", "--target", &target, "--carrier", carrier];
        Program::start(program, &[&arguments[..], more].concat())
    };
    let plain = start("tcp://127.0.0.1:0", &[])?;
    let tls = start("tls://127.0.0.1:0", &["--keys", &name, "--allow", "any"])?;
    let once = TlsOptions::client(&client, None)?;
    for (what, server, is_tls, is_resumed) in [
        ("TCP", &plain, false, false),
        ("TLS, full", &tls, true, false),
        ("TLS, resumed", &tls, true, true),
    ] {
        let carrier = server.field("carrier=")?;
        let mut times = Vec::new();
        let before = server.cpu_seconds()?;
        for _ in 0..LINKS {
            let mut options = LinkOptions::new(carrier.parse()?, Role::Client);
            options.tls = match (is_tls, is_resumed) {
                (false, _) => None,
                (true, true) => Some(once.clone()),
                (true, false) => Some(TlsOptions::client(&client, None)?),
            };
            let began = Instant::now();
            let opened = runtime.block_on(options.open())?;
            times.push(began.elapsed().as_secs_f64());
            drop(opened);
        }
        let cpu = (server.cpu_seconds()? - before) / LINKS as f64;
        let Scale {
            what: work,
            unit,
            factor,
        } = Work::Links.scale();
        println!(
            "{work:<28} {what:<12} {:>8.1} {unit}; server {:.0} {unit} of CPU",
            median(&mut times) * factor,
            cpu * factor
        );
    }
    Ok(())
}
