//! Findings about a message, with or without words.

use super::finding::{DetailName, Finding, FindingCode, FindingDetail, Level};
use super::id::ConversationId;

/// Whether anybody reads the words of findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wording {
    /// Findings have their texts and details.
    #[default]
    Full,
    /// Findings are only counted: texts and details are left empty.
    Omitted,
}

/// A finding's text and its details.
pub(super) type Words = (String, Vec<(DetailName, FindingDetail)>);

/// The findings of the message that is observed.
#[derive(Debug)]
pub(super) struct Remarks {
    wording: Wording,
    message: u64,
    packet: u64,
    findings: Vec<Finding>,
}

impl Remarks {
    pub(super) const fn new(wording: Wording) -> Self {
        Self {
            wording,
            message: 0,
            packet: 0,
            findings: Vec::new(),
        }
    }

    /// Begins with another message.
    #[inline]
    pub(super) fn begin(&mut self, message: u64, packet: u64) {
        self.message = message;
        self.packet = packet;
        self.findings.clear();
    }

    /// Number of the message that is observed.
    pub(super) const fn message(&self) -> u64 {
        self.message
    }

    /// All that were found on the message.
    pub(super) fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Findings from before the message had its place are about its conversation, too.
    pub(super) fn attribute_to(&mut self, conversation: ConversationId) {
        for finding in &mut self.findings {
            finding.conversation.get_or_insert(conversation);
        }
    }

    /// Adds a finding, of its code's level. A conversation named here is that message's.
    pub(super) fn find(
        &mut self,
        conversation: Option<ConversationId>,
        code: FindingCode,
        words: impl FnOnce() -> Words,
    ) {
        self.find_at(code.level(), conversation, code, words);
    }

    /// The same, of another level.
    pub(super) fn find_at(
        &mut self,
        level: Level,
        conversation: Option<ConversationId>,
        code: FindingCode,
        words: impl FnOnce() -> Words,
    ) {
        let (text, detail) = self.words(words);
        self.findings.push(Finding {
            code,
            level,
            message: Some(self.message),
            packet: Some(self.packet),
            conversation,
            text,
            detail,
        });
    }

    /// The words, or none where nobody reads them.
    pub(super) fn words(&self, words: impl FnOnce() -> Words) -> Words {
        match self.wording {
            Wording::Full => words(),
            Wording::Omitted => (String::new(), Vec::new()),
        }
    }
}

/// A count as a detail.
pub(super) fn number(count: usize) -> FindingDetail {
    FindingDetail::Number(count as u64)
}
