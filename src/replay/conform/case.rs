//! The parts of a case.

use std::time::Duration;

use super::rule::MessageRule;
use crate::replay::inject::{Script, Vocabulary, parse_with};

/// Time after which the reference refuses a SYN that its application has not accepted
/// (docs/protocol.md, "Sizes and times").
pub(super) const ACCEPT_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for a server to accept, or to refuse: longer than the reference's, whose refusal would
/// otherwise be missed.
pub(super) const ACCEPT_PATIENCE: Duration = Duration::from_secs(8);

/// The weight of a case.
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

/// The right behaviour where the text and the first implementations differ.
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

/// The service or application on the TCP side of the peer.
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
    /// Its weight.
    pub level: Requirement,
    /// The behaviour of a peer that passes.
    pub title: &'static str,
    /// The rule that it follows from, in the words of `docs/protocol.md`.
    pub sentence: &'static str,
    /// The service or application that it needs on the TCP side.
    pub needs: Needs,
    pub(super) check: Check,
}

/// The way a case is decided.
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
    /// The sentence without its markup: emphasis, names of bytes, and cells of a table.
    pub fn quotation(&self) -> String {
        self.sentence.replace(['*', '`'], "").replace(" | ", ", ")
    }

    /// The messages sent and expected in this dialect; `None` if there are none.
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

    /// The rule for every message, if that decides.
    pub const fn rule(&self) -> Option<MessageRule> {
        match self.check {
            Check::EveryMessage(rule) => Some(rule),
            Check::Script(_) | Check::Dialects { .. } => None,
        }
    }
}
