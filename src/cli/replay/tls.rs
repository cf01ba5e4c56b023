//! The options of `tls://`: identities, trusted ends, and the flags for both.

use std::path::{Path, PathBuf};

use super::error::ReplayError;
use super::keys;
use super::shared_args::TlsArgs;
use crate::runtime::{
    AllowList, CarrierUrl, CertificateFiles, Remote, Role, TlsClient, TlsOptions, TlsServer,
};

/// The variable that names the file for secrets, in this and other programs.
const KEY_LOG_VARIABLE: &str = "SSLKEYLOGFILE";

/// One end of a carrier, as the flags describe it.
#[derive(Clone, Copy, Debug)]
pub(super) struct End<'a> {
    pub(super) carrier: &'a CarrierUrl,
    pub(super) role: Role,
    pub(super) keys: Option<&'a Path>,
    /// Whom a client wants.
    pub(super) to: Option<&'a Remote>,
    /// Whom a server lets in.
    pub(super) allow: &'a AllowList,
}

/// The carrier's options of TLS; `None` for all but `tls://`.
///
/// # Errors
/// A flag is missing, or does not go with the carrier or another.
pub(super) fn options(end: End<'_>, args: &TlsArgs) -> Result<Option<TlsOptions>, ReplayError> {
    if !matches!(end.carrier, CarrierUrl::Tls(..)) {
        check_unused(args)?;
        return Ok(None);
    }
    let key_log = key_log(args)?;
    let options = match end.role {
        Role::Client => TlsOptions::client(&client(end, args)?, key_log.as_deref()),
        Role::Server => TlsOptions::server(&server(end, args)?, key_log.as_deref()),
    };
    options.map(Some).map_err(ReplayError::Tls)
}

/// Whether certificates prove identities.
const fn has_certificates(args: &TlsArgs) -> bool {
    args.tls_ca.is_some() || args.tls_cert.is_some()
}

fn client(end: End<'_>, args: &TlsArgs) -> Result<TlsClient, ReplayError> {
    if let (Some(_), true) = (end.to, has_certificates(args)) {
        return wrong(
            "--to",
            "names a destination, which a key proves; --tls-ca and --tls-cert are for X.509",
        );
    }
    if has_certificates(args) {
        no_keys(end)?;
        return match (&args.tls_ca, &args.tls_name) {
            (Some(authority), Some(name)) => Ok(TlsClient::Certificates {
                authority: authority.clone(),
                name: name.clone(),
                own: files(args),
            }),
            (None, _) => wrong(
                "--tls-ca",
                "a client needs to know who signs the server's certificate",
            ),
            (_, None) => wrong(
                "--tls-name",
                "a client needs the name in the server's certificate",
            ),
        };
    }
    match end.to {
        Some(server) => Ok(TlsClient::RawKeys {
            keys: keys::for_tls(end.keys)?,
            server: server.clone(),
        }),
        None => Err(ReplayError::NoServer),
    }
}

fn server(end: End<'_>, args: &TlsArgs) -> Result<TlsServer, ReplayError> {
    if let Some(own) = files(args) {
        no_keys(end)?;
        if end.allow.names_destinations() {
            return wrong(
                "--allow",
                "certificates prove no destinations; --tls-ca says who signs clients",
            );
        }
        if args.tls_ca.is_none() && !end.allow.says_anybody() {
            return wrong(
                "--tls-ca",
                "a server needs to know who signs its clients' certificates; --allow any lets \
                 everybody in",
            );
        }
        return Ok(TlsServer::Certificates {
            own,
            authority: args.tls_ca.clone(),
        });
    }
    if has_certificates(args) {
        return wrong(
            "--tls-cert",
            "a server with --tls-ca needs a certificate of its own",
        );
    }
    if !end.allow.names_destinations() && !end.allow.says_anybody() {
        return wrong(
            "--allow",
            "tls:// needs the names of the clients that may come, HASH.b32.i2p,…; any lets \
             everybody in",
        );
    }
    if keys::is_transient(end.keys) {
        return wrong(
            "--keys",
            "a server's destination must be kept, or its clients do not know it again",
        );
    }
    Ok(TlsServer::RawKeys {
        keys: keys::for_tls(end.keys)?,
    })
}

fn files(args: &TlsArgs) -> Option<CertificateFiles> {
    let (chain, key) = args.tls_cert.clone().zip(args.tls_key.clone())?;
    Some(CertificateFiles { chain, key })
}

fn no_keys(end: End<'_>) -> Result<(), ReplayError> {
    match end.keys {
        Some(_) => wrong("--keys", "destinations prove nothing where certificates do"),
        None => Ok(()),
    }
}

fn key_log(args: &TlsArgs) -> Result<Option<PathBuf>, ReplayError> {
    if !args.keylog {
        return Ok(None);
    }
    match std::env::var_os(KEY_LOG_VARIABLE) {
        Some(path) if !path.is_empty() => Ok(Some(path.into())),
        _ => wrong(
            "--keylog",
            "SSLKEYLOGFILE names the file for secrets, and is not set",
        ),
    }
}

/// # Errors
/// A flag that only TLS has use for is given.
pub(super) fn check_unused(args: &TlsArgs) -> Result<(), ReplayError> {
    let flags = [
        ("--tls-ca", args.tls_ca.is_some()),
        ("--tls-cert", args.tls_cert.is_some()),
        ("--keylog", args.keylog),
    ];
    match flags.into_iter().find(|(_, is_given)| *is_given) {
        Some((flag, _)) => wrong(flag, "only tls:// has use for it"),
        None => Ok(()),
    }
}

const fn wrong<T>(flag: &'static str, problem: &'static str) -> Result<T, ReplayError> {
    Err(ReplayError::Carrier { flag, problem })
}
