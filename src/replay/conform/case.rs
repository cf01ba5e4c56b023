//! What a case is.

use std::time::Duration;

use super::rule::MessageRule;
use crate::replay::inject::{Script, Vocabulary, parse_with};

/// When the reference refuses what its application has not accepted (docs/protocol.md,
/// "Sizes and times").
pub(super) const ACCEPT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a server may take to accept, or to refuse: longer than the reference, whose
/// refusal would otherwise be missed.
pub(super) const ACCEPT_PATIENCE: Duration = Duration::from_secs(8);

/// How much a case weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// The protocol's text says it, or no conversation works without it.
    Must,
    /// The reference implementation does it, and peers may count on it.
    Should,
}

impl Requirement {
    /// `must`, `should`
    pub const fn name(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Should => "should",
        }
    }
}

/// Where the text and the first implementations differ, which of them is right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// The protocol's text.
    #[default]
    Text,
    /// The Java implementation of April 2004.
    Java2004,
    /// The Java implementation as it was last released, in 2011.
    Java2011,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Text, Self::Java2004, Self::Java2011];

    /// `text`, `java2004`, `java2011`
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Java2004 => "java2004",
            Self::Java2011 => "java2011",
        }
    }
}

/// What stands on the TCP side of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// It does not matter.
    Nothing,
    /// The test service.
    TestService,
    /// A service that refuses connections.
    NoService,
}

/// One thing that a peer does or does not do.
#[derive(Debug)]
pub struct Case {
    /// `ms/handshake/1`
    pub id: &'static str,
    /// How much it weighs.
    pub level: Requirement,
    /// What a peer does that passes.
    pub title: &'static str,
    /// What it follows from, in the words of `docs/protocol.md`.
    pub sentence: &'static str,
    /// What has to stand on the TCP side.
    pub needs: Needs,
    pub(super) check: Check,
}

/// How a case is decided.
#[derive(Clone, Copy, Debug)]
pub(super) enum Check {
    /// By these steps.
    Script(&'static str),
    /// By other steps in each dialect; without steps there is nothing to check.
    Dialects {
        text: Option<&'static str>,
        java2004: Option<&'static str>,
        java2011: Option<&'static str>,
    },
    /// By all messages of all other cases.
    EveryMessage(MessageRule),
}

impl Case {
    /// What is sent and expected in this dialect; `None` if nothing is.
    pub fn script(&self, dialect: Dialect) -> Option<Script> {
        let text = match (self.check, dialect) {
            (Check::Script(text), _) => text,
            (Check::Dialects { text, .. }, Dialect::Text) => text?,
            (Check::Dialects { java2004, .. }, Dialect::Java2004) => java2004?,
            (Check::Dialects { java2011, .. }, Dialect::Java2011) => java2011?,
            (Check::EveryMessage(_), _) => return None,
        };
        let no_files = &mut |_: &str| Err(std::io::ErrorKind::Unsupported.into());
        match parse_with(text, no_files, Vocabulary::Dialling) {
            Ok(mut script) => {
                script.wait_for_acks(ACCEPT_PATIENCE);
                Some(script)
            }
            Err(error) => unreachable!("a test reads the steps of every case: {error}"),
        }
    }

    /// What every message is held against, if that is what decides.
    pub const fn rule(&self) -> Option<MessageRule> {
        match self.check {
            Check::EveryMessage(rule) => Some(rule),
            Check::Script(_) | Check::Dialects { .. } => None,
        }
    }
}
