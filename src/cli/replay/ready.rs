//! The word that a command can be used now, to all who wait for it.

use std::io::Write;
use std::path::Path;

use super::error::{ReplayError, print_line};
use super::line_queue;
use super::logging;
use super::play::show;
use crate::new_file;
use crate::runtime::{CarrierUrl, LinkOptions, Opened, Role, TlsOptions, notify_ready};
use crate::wire::Destination;

/// The stream on which people read that a command is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadyStream {
    /// On standard output.
    Output,
    /// On standard error: standard output is for programs.
    Error,
    /// Nowhere.
    Nowhere,
}

/// Writes a line: to the file first, with `rest` behind it, so that the reader of the line finds
/// the file; then to people, and then to the service manager, which starts the services that wait
/// for us.
pub(super) fn announce(
    line: &str,
    rest: &str,
    file: Option<&Path>,
    place: ReadyStream,
) -> Result<(), ReplayError> {
    if let Some(path) = file {
        write(path, &format!("{line}{rest}\n"))?;
    }
    match place {
        ReadyStream::Output => {
            show(format!("{line}\n").as_bytes());
            line_queue::stdout().finish();
        }
        ReadyStream::Error => {
            // Behind the lines of the log that were written first.
            print_line(format_args!("{line}"));
            logging::finish();
        }
        ReadyStream::Nowhere => {}
    }
    notify_ready(line);
    Ok(())
}

/// The same, of a carrier that is bound.
pub(super) fn announce_bound(
    what: &str,
    link: &LinkOptions,
    opened: &Opened,
    file: Option<&Path>,
) -> Result<(), ReplayError> {
    let name = own_name(link, &opened.destination);
    let line = format!(
        "ready {what} carrier={}{}{}",
        opened.carrier,
        name.short,
        said_aloud(link)
    );
    announce(&line, &name.rest, file, ReadyStream::Output)
}

/// Our name where the carrier has destinations.
#[derive(Default)]
pub(super) struct OwnName {
    /// For people.
    pub(super) short: String,
    /// For programs, too: 524 characters and more.
    pub(super) rest: String,
}

pub(super) fn own_name(link: &LinkOptions, destination: &[u8]) -> OwnName {
    let is_proven = link
        .tls
        .as_ref()
        .and_then(TlsOptions::destination)
        .is_some();
    let is_known = is_proven || matches!(link.carrier, CarrierUrl::I2cp(..));
    match Destination::split(destination) {
        Ok((destination, _)) if is_known => OwnName {
            short: format!(" name={}", destination.hash().to_b32_name()),
            rest: format!(" destination={}", destination.to_base64()),
        },
        _ => OwnName::default(),
    }
}

/// A warning that nobody should miss: where peers could be distinguished, all are let in.
pub(super) fn said_aloud(link: &LinkOptions) -> &'static str {
    match (&link.carrier, link.role) {
        (CarrierUrl::Tls(..), Role::Server) if link.allow.says_anybody() => " allow=any",
        _ => "",
    }
}

/// The part of a ready line about an end that listens over TLS, whose name may be asked for.
pub(super) fn about_tls(link: &LinkOptions) -> String {
    let destination = link.tls.as_ref().and_then(TlsOptions::destination);
    let name = destination.map(|destination| own_name(link, destination).short);
    format!("{}{}", name.unwrap_or_default(), said_aloud(link))
}

/// Whoever waits for the file finds it whole.
fn write(path: &Path, line: &str) -> Result<(), ReplayError> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    new_file::create(Path::new(&partial))
        .and_then(|mut file| file.write_all(line.as_bytes()))
        .and_then(|()| std::fs::rename(&partial, path))
        .map_err(|source| ReplayError::Write {
            path: path.to_owned(),
            source,
        })
}
