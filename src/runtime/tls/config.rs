//! The configuration of TLS: from keys or certificates to sessions.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rustls::client::{
    AlwaysResolvesClientRawPublicKeys, UnbufferedClientConnection, WebPkiServerVerifier,
};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{
    AlwaysResolvesServerRawPublicKeys, UnbufferedServerConnection, WebPkiClientVerifier,
};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedCipherSuite, version};

use crate::carrier::tls::PROTOCOL;

use super::error::{TlsConfigError, TlsError};
use super::identity;
use super::key_log::SecretsFile;
use super::session::{Machine, Proof, TlsSession};
use super::verify::RawKeys;
use crate::keys::{KeyType, Keys};
use crate::runtime::allow::AllowList;
use crate::runtime::link::Remote;
use crate::session::Query;
use crate::wire::{Destination, DestinationHash, SignatureType};

/// A stand-in for a server's name where its key is its name; it is sent to nobody.
const NO_NAME: &str = "ministreaming.i2p";

/// The proof of the end that connects, and the servers that it accepts.
#[derive(Clone, Debug)]
pub enum TlsClient {
    /// By raw public keys.
    RawKeys {
        /// Ours.
        keys: Arc<Keys>,
        /// Whom to find there.
        server: Remote,
    },
    /// By X.509 certificates.
    Certificates {
        /// A file in PEM of the authorities that may have signed the server's.
        authority: PathBuf,
        /// The name or address that must stand in it.
        name: String,
        /// Ours, if the server asks for one.
        own: Option<CertificateFiles>,
    },
}

/// The proof of the end that listens, and the clients that it admits.
#[derive(Clone, Debug)]
pub enum TlsServer {
    /// By raw public keys; the allow list names destinations.
    RawKeys {
        /// Ours.
        keys: Arc<Keys>,
    },
    /// By X.509 certificates.
    Certificates {
        /// Ours.
        own: CertificateFiles,
        /// A file in PEM of the authorities that must have signed a client's; `None` asks for none.
        authority: Option<PathBuf>,
    },
}

/// The files of a certificate of ours, in PEM.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    /// The certificate, and those that lead to its authority.
    pub chain: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// All that connections of one link have in common. Sessions can be resumed as long as it is
/// kept.
#[derive(Clone, Debug)]
pub struct TlsOptions {
    side: Role,
    /// Our destination, where it is proven.
    destination: Option<Bytes>,
}

#[derive(Clone, Debug)]
enum Role {
    Client {
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        expected: Option<DestinationHash>,
    },
    Server {
        config: Arc<ServerConfig>,
    },
}

impl TlsOptions {
    /// Sets up the end that connects. `key_log` is where secrets are written.
    ///
    /// # Errors
    /// Keys, certificates or names cannot be used, or the key log not be written.
    pub fn client(options: &TlsClient, key_log: Option<&Path>) -> Result<Self, TlsConfigError> {
        Self::client_with(provider(&SUITES), options, key_log)
    }

    pub(super) fn client_with(
        provider: Arc<CryptoProvider>,
        options: &TlsClient,
        key_log: Option<&Path>,
    ) -> Result<Self, TlsConfigError> {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&version::TLS13])?;
        let (mut config, name, expected, destination) = match options {
            TlsClient::RawKeys { keys, server } => {
                let (expected, whole) = pinned(server)?;
                let resolver = AlwaysResolvesClientRawPublicKeys::new(own_key(keys)?);
                let config = builder
                    .dangerous()
                    .with_custom_certificate_verifier(RawKeys::new(whole, &provider))
                    .with_client_cert_resolver(Arc::new(resolver));
                let name = ServerName::try_from(NO_NAME).map_err(|_| no_name(NO_NAME))?;
                (config, name, Some(expected), Some(bytes(keys)))
            }
            TlsClient::Certificates {
                authority,
                name,
                own,
            } => {
                let roots = roots(authority)?;
                let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider)
                    .build()
                    .map_err(|error| unusable_authority(authority, &error))?;
                let builder = builder.with_webpki_verifier(verifier);
                let config = match own {
                    Some(files) => {
                        let (chain, key) = read(files)?;
                        builder
                            .with_client_auth_cert(chain, key)
                            .map_err(|source| unusable(&files.key, source))?
                    }
                    None => builder.with_no_client_auth(),
                };
                let name = ServerName::try_from(name.clone()).map_err(|_| no_name(name))?;
                (config, name, None, None)
            }
        };
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        // With raw keys there is no name that anybody should read.
        config.enable_sni = expected.is_none();
        config.enable_early_data = false;
        if let Some(path) = key_log {
            config.key_log = secrets(path)?;
        }
        Ok(Self {
            side: Role::Client {
                config: Arc::new(config),
                name,
                expected,
            },
            destination,
        })
    }

    /// Sets up the end that listens. `key_log` is where secrets are written.
    ///
    /// # Errors
    /// Keys or certificates cannot be used, or the key log not be written.
    pub fn server(options: &TlsServer, key_log: Option<&Path>) -> Result<Self, TlsConfigError> {
        let provider = provider(&SUITES);
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&version::TLS13])?;
        let (mut config, destination) = match options {
            TlsServer::RawKeys { keys } => {
                let resolver = AlwaysResolvesServerRawPublicKeys::new(own_key(keys)?);
                let config = builder
                    .with_client_cert_verifier(RawKeys::new(None, &provider))
                    .with_cert_resolver(Arc::new(resolver));
                (config, Some(bytes(keys)))
            }
            TlsServer::Certificates { own, authority } => {
                let builder = match authority {
                    Some(path) => {
                        let verifier =
                            WebPkiClientVerifier::builder_with_provider(roots(path)?, provider)
                                .build()
                                .map_err(|error| unusable_authority(path, &error))?;
                        builder.with_client_cert_verifier(verifier)
                    }
                    None => builder.with_no_client_auth(),
                };
                let (chain, key) = read(own)?;
                let config = builder
                    .with_single_cert(chain, key)
                    .map_err(|source| unusable(&own.key, source))?;
                (config, None)
            }
        };
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        // Early data could be replayed by whoever has seen it (RFC 8446, section 8).
        config.max_early_data_size = 0;
        if let Some(path) = key_log {
            config.key_log = secrets(path)?;
        }
        Ok(Self {
            side: Role::Server {
                config: Arc::new(config),
            },
            destination,
        })
    }

    /// Our destination, which peers find proven; `None` with X.509 certificates.
    pub const fn destination(&self) -> Option<&Bytes> {
        self.destination.as_ref()
    }

    /// Begins a session on a new connection. `allow` is whom a server lets in.
    pub(in crate::runtime) fn begin(&self, allow: &AllowList) -> Result<TlsSession, TlsError> {
        let own = self.destination.clone();
        let (machine, proof) = match &self.side {
            Role::Client {
                config,
                name,
                expected,
            } => {
                let machine = UnbufferedClientConnection::new(Arc::clone(config), name.clone())?;
                let proof = own
                    .zip(*expected)
                    .map(|(own, expected)| Proof::Client { own, expected });
                (Machine::Client(Box::new(machine)), proof)
            }
            Role::Server { config } => {
                let machine = UnbufferedServerConnection::new(Arc::clone(config))?;
                let proof = own.map(|own| Proof::Server {
                    own,
                    allow: allow.clone(),
                });
                (Machine::Server(Box::new(machine)), proof)
            }
        };
        let mut session = TlsSession::new(machine, proof);
        session.start()?;
        Ok(session)
    }
}

/// AES with 128 bits first: as good as 256 for these messages, and faster.
pub(super) const SUITES: [SupportedCipherSuite; 3] = [
    ring::cipher_suite::TLS13_AES_128_GCM_SHA256,
    ring::cipher_suite::TLS13_AES_256_GCM_SHA384,
    ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
];

/// `ring` with these suites.
pub(super) fn provider(suites: &[SupportedCipherSuite]) -> Arc<CryptoProvider> {
    let mut provider = ring::default_provider();
    provider.cipher_suites = suites.to_vec();
    Arc::new(provider)
}

fn own_key(keys: &Arc<Keys>) -> Result<Arc<rustls::sign::CertifiedKey>, TlsConfigError> {
    match keys.key_type() {
        KeyType::Ed25519 => Ok(identity::certified(keys)),
        KeyType::Dsa => Err(TlsConfigError::Dsa),
    }
}

fn bytes(keys: &Keys) -> Bytes {
    Bytes::copy_from_slice(keys.destination().as_bytes())
}

/// Whom to find at the other end: the hash, and all of the destination if it is known.
fn pinned(server: &Remote) -> Result<(DestinationHash, Option<Vec<u8>>), TlsConfigError> {
    match server {
        Remote::Destination(bytes) => {
            if let Ok((destination, _)) = Destination::split(bytes) {
                let signature_type = destination.signature_type();
                if signature_type != SignatureType::ED25519 {
                    let name = signature_type.name().unwrap_or("a kind that is not known");
                    return Err(TlsConfigError::PinnedType(name));
                }
            }
            Ok((DestinationHash::of(bytes), Some(bytes.clone())))
        }
        Remote::LookUp(Query::Hash(hash)) => Ok((*hash, None)),
        Remote::LookUp(Query::Name(name)) => Err(TlsConfigError::HostName(name.clone())),
    }
}

fn no_name(name: &str) -> TlsConfigError {
    TlsConfigError::Name(name.to_owned())
}

fn unusable(path: &Path, source: rustls::Error) -> TlsConfigError {
    TlsConfigError::Unusable {
        path: path.to_owned(),
        source: Box::new(source),
    }
}

fn unusable_authority(path: &Path, error: &dyn std::error::Error) -> TlsConfigError {
    TlsConfigError::Authority {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

fn secrets(path: &Path) -> Result<Arc<SecretsFile>, TlsConfigError> {
    Ok(Arc::new(SecretsFile::open(path)?))
}

fn roots(path: &Path) -> Result<Arc<RootCertStore>, TlsConfigError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots
            .add(certificate)
            .map_err(|source| unusable(path, source))?;
    }
    Ok(Arc::new(roots))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
    let problem = |source| TlsConfigError::Read {
        path: path.to_owned(),
        source,
    };
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(problem)?;
    if certificates.is_empty() {
        Err(TlsConfigError::Empty(path.to_owned()))
    } else {
        Ok(certificates)
    }
}

fn read(
    files: &CertificateFiles,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsConfigError> {
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|source| TlsConfigError::Read {
        path: files.key.clone(),
        source,
    })?;
    Ok((certificates(&files.chain)?, key))
}
