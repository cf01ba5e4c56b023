//! The options of an I2CP link beside its address.

use std::io;
use std::sync::Arc;

use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;

use super::remote::Remote;
use crate::keys::{KeyType, Keys};
use crate::random_seed::random_seed;
use crate::session::{SelfTest, SessionConfig};

/// The options of an I2CP link beside its address.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct I2cpOptions {
    /// Our destination.
    pub keys: OwnKeys,
    /// Whom conversations are opened with; `None` on the accepting side.
    pub to: Option<Remote>,
    /// Treatment of a session that peers cannot reach.
    pub unreachable: Unreachable,
    /// The session's settings, but for [`SessionConfig::tunnels`], which are in the
    /// carrier's URL, and [`SessionConfig::self_test`], which follows from the others.
    pub session: SessionConfig,
}

/// The keys of a session's destination.
#[derive(Clone, Debug)]
pub enum OwnKeys {
    /// Always the same.
    Kept(Arc<Keys>),
    /// A new one of this type for each session.
    Transient(KeyType),
}

/// Treatment of a session that finds out that peers cannot reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// A warning is logged.
    Wait,
    /// The session is made anew, which helps if the same destination was in
    /// use by an earlier session not a minute before this one.
    Reopen,
}

impl I2cpOptions {
    /// The accepting side, with the settings of a session that nobody changed.
    pub fn new(keys: OwnKeys) -> Self {
        Self {
            keys,
            to: None,
            unreachable: Unreachable::Wait,
            session: SessionConfig::default(),
        }
    }
}

impl I2cpOptions {
    /// A server must be reachable; a client under a new destination is.
    pub(super) const fn self_test(&self) -> SelfTest {
        match (&self.to, &self.keys) {
            (Some(_), OwnKeys::Transient(_)) => SelfTest::Off,
            (Some(_), OwnKeys::Kept(_)) | (None, _) => SelfTest::On,
        }
    }

    pub(super) fn keys(&self) -> io::Result<Arc<Keys>> {
        match &self.keys {
            OwnKeys::Kept(keys) => Ok(Arc::clone(keys)),
            OwnKeys::Transient(key_type) => {
                let mut rng = ChaCha12Rng::from_seed(random_seed()?);
                Ok(Arc::new(Keys::generate_as(*key_type, &mut rng)))
            }
        }
    }
}
