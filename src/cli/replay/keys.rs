//! `keys`, and the keys that the other commands use.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use super::args::{EndpointArgs, KeysCommand};
use super::error::ReplayError;
use crate::keys::{KeyType, Keys, file};
use crate::random_seed::random_seed;
use crate::runtime::{CarrierUrl, I2cpOptions, OwnKeys, Remote, Role, Unreachable};
use crate::session::{LaneOrder, SessionConfig};

/// The values of `--keys` instead of a file, and the types of their keys.
const TRANSIENT: [(&str, KeyType); 2] = [
    ("transient", KeyType::Ed25519),
    ("transient:dsa", KeyType::Dsa),
];

/// The error of keys on carriers that prove nothing.
const NO_DESTINATIONS: &str = "only i2cp:// and tls:// have destinations of their own";

fn transient(keys: Option<&Path>) -> Option<KeyType> {
    let keys = keys?;
    let found = TRANSIENT.iter().find(|(name, _)| keys == Path::new(name));
    found.map(|(_, key_type)| *key_type)
}

/// Whether `--keys` asks for a new destination.
pub(super) fn is_transient(keys: Option<&Path>) -> bool {
    transient(keys).is_some()
}

/// The keys that prove our identity over TLS.
pub(super) fn for_tls(keys: Option<&Path>) -> Result<Arc<Keys>, ReplayError> {
    match (keys, transient(keys)) {
        (None, _) => Err(ReplayError::NoTlsKeys),
        (_, Some(key_type)) => generate(key_type).map(Arc::new),
        (Some(path), None) => Ok(Arc::new(file::read(path)?)),
    }
}

/// Runs `ministream-replay keys`.
pub(super) fn run(command: &KeysCommand) -> Result<(), ReplayError> {
    let keys = match command {
        KeysCommand::New { file, key_type } => {
            let keys = generate((*key_type).into())?;
            file::create(file, &keys)?;
            keys
        }
        KeysCommand::Show { file } => file::read(file)?,
    };
    match show(&keys, &mut io::stdout().lock()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// The destination, in the forms in which people and programs pass it on.
fn show(keys: &Keys, out: &mut impl Write) -> io::Result<()> {
    let destination = keys.destination();
    let hash = destination.hash();
    writeln!(out, "name         {}", hash.to_b32_name())?;
    writeln!(out, "hash         {hash}")?;
    writeln!(out, "destination  {}", destination.to_base64())
}

fn generate(key_type: KeyType) -> Result<Keys, ReplayError> {
    let mut rng = ChaCha12Rng::from_seed(random_seed()?);
    Ok(Keys::generate_as(key_type, &mut rng))
}

/// The carrier's options on the side that opens conversations.
pub(super) fn caller(
    args: &EndpointArgs,
    to: Option<&Remote>,
) -> Result<Option<I2cpOptions>, ReplayError> {
    match (&args.carrier, to) {
        (CarrierUrl::I2cp(..), Some(to)) => options(args, Some(to.clone())).map(Some),
        (CarrierUrl::I2cp(..), None) => Err(ReplayError::Carrier {
            flag: "--to",
            problem: "i2cp:// needs the destination that is to be called",
        }),
        // It has options of its own.
        (CarrierUrl::Tls(..), _) => Ok(None),
        (_, Some(_)) => Err(ReplayError::Carrier {
            flag: "--to",
            problem: "only i2cp:// and tls:// call destinations",
        }),
        (_, None) => unused(args),
    }
}

/// The carrier's options on the side that accepts conversations.
pub(super) fn called(args: &EndpointArgs) -> Result<Option<I2cpOptions>, ReplayError> {
    match &args.carrier {
        CarrierUrl::I2cp(..) if transient(args.keys.as_deref()).is_some() => {
            Err(ReplayError::Carrier {
                flag: "--keys",
                problem: "a server's destination must be kept, or nobody finds it again",
            })
        }
        CarrierUrl::I2cp(..) => options(args, None).map(Some),
        CarrierUrl::Tls(..) => Ok(None),
        _ => unused(args),
    }
}

/// The carrier's options for a replay, a mock or a script.
pub(super) fn for_one_run(
    carrier: &CarrierUrl,
    keys: Option<&Path>,
    role: Role,
    to: Option<&Remote>,
    order: LaneOrder,
) -> Result<Option<I2cpOptions>, ReplayError> {
    let wrong = |flag, problem| Err(ReplayError::Carrier { flag, problem });
    match (carrier, role, to) {
        (CarrierUrl::I2cp(..), Role::Client, None) => {
            wrong("--to", "i2cp:// needs the destination that is to be called")
        }
        (CarrierUrl::I2cp(..), Role::Server, _) if transient(keys).is_some() => wrong(
            "--keys",
            "a server's destination must be kept, or nobody finds it again",
        ),
        (CarrierUrl::I2cp(..), ..) => Ok(Some(I2cpOptions {
            to: to.cloned(),
            session: SessionConfig {
                order,
                ..SessionConfig::default()
            },
            ..I2cpOptions::new(own_keys(keys)?)
        })),
        (CarrierUrl::Tls(..), ..) => Ok(None),
        (_, _, Some(_)) => wrong("--to", "only i2cp:// and tls:// call destinations"),
        (_, _, None) if keys.is_some() => wrong("--keys", NO_DESTINATIONS),
        (_, _, None) => Ok(None),
    }
}

fn own_keys(keys: Option<&Path>) -> Result<OwnKeys, ReplayError> {
    match keys {
        None => Err(ReplayError::Carrier {
            flag: "--keys",
            problem: "i2cp:// needs a destination of our own",
        }),
        Some(path) => match transient(keys) {
            Some(key_type) => Ok(OwnKeys::Transient(key_type)),
            None => Ok(OwnKeys::Kept(Arc::new(file::read(path)?))),
        },
    }
}

fn unused(args: &EndpointArgs) -> Result<Option<I2cpOptions>, ReplayError> {
    match args.keys {
        Some(_) => Err(ReplayError::Carrier {
            flag: "--keys",
            problem: NO_DESTINATIONS,
        }),
        None => Ok(None),
    }
}

fn options(args: &EndpointArgs, to: Option<Remote>) -> Result<I2cpOptions, ReplayError> {
    Ok(I2cpOptions {
        keys: own_keys(args.keys.as_deref())?,
        to,
        unreachable: if args.reconnect {
            Unreachable::Reopen
        } else {
            Unreachable::Wait
        },
        session: SessionConfig {
            bytes_per_second: args.i2cp_rate,
            order: args.i2cp_order.into(),
            ..SessionConfig::default()
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_shown_by_name_hash_and_base64() {
        let keys = Keys::generate(&mut ChaCha12Rng::from_seed([1; 32]));
        let mut out = Vec::new();
        show(&keys, &mut out).unwrap();
        let hash = keys.destination().hash();
        let expected = format!(
            "name         {}\nhash         {hash}\ndestination  {}\n",
            hash.to_b32_name(),
            keys.destination().to_base64()
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
