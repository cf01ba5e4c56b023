//! Rules: conditions on messages, and actions.
//!
//! ```text
//! # An ACK that comes late, and one that never comes
//! type == ack && nth == 1: delay 200ms
//! type == ack && nth == 3: drop
//! payload ~ /2\d\d OK/: replace /2\d\d OK/ "500 no"
//! ```
//!
//! A rule is a filter as that of `-Y`, in which also `nth` and `conv_nth` may stand, or `all`; then
//! a colon with a space; then the actions, separated by commas. The first rule that matches a
//! message holds.

mod action;
mod parse;

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;

use self::parse::{Condition, Parsed};
use crate::conversation::{ConversationId, MessageEvent};
use crate::replay::inject::ScriptError;
use crate::select::filter::{Counts, FilterHint, HintText};

pub(crate) use self::action::{Action, Change, Ends, KnownIds};

/// Rules that are tried on a message at most.
pub const MAX_RULES: usize = 1_024;

/// A rule, and the number of times that it held.
#[derive(Clone, Debug)]
pub struct Rule {
    text: String,
    condition: Condition,
    pub(crate) actions: Vec<Action>,
    /// Messages for which all but their numbers held.
    counted: u64,
    by_conversation: HashMap<ConversationId, u64>,
    tally: RuleTally,
}

/// Counts of a rule's effects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleTally {
    /// Messages it held for.
    pub matched: u64,
    /// Messages dropped.
    pub dropped: u64,
    /// Messages sent twice.
    pub duplicated: u64,
    /// Messages delayed.
    pub delayed: u64,
    /// Delay of all of them together.
    pub delay: Duration,
    /// Messages held until another came.
    pub held: u64,
    /// Changes made; a message may be changed several times.
    pub changed: u64,
    /// Messages of our own.
    pub injected: u64,
    /// Actions left out: an id that is not known, a part that the message does not have.
    pub left_out: u64,
}

impl Rule {
    /// Reads a rule.
    ///
    /// # Errors
    /// It is none; the error's text points at the place.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        Self::parse_with_hints(text, FilterHint::to_string)
    }

    /// The same, with words of one's own for what a filter may have meant.
    ///
    /// # Errors
    /// Those of [`parse`](Self::parse).
    pub fn parse_with_hints(text: &str, hint_text: HintText) -> Result<Self, ScriptError> {
        parse::rule(text, 1, hint_text).map(Self::from)
    }

    /// Reads a file of rules, one a line; lines that are empty or begin with `#` are skipped.
    ///
    /// # Errors
    /// A line is no rule.
    pub fn parse_file(text: &str, hint_text: HintText) -> Result<Vec<Self>, ScriptError> {
        text.lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
            .filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
            .map(|(number, line)| parse::rule(line, number, hint_text).map(Self::from))
            .collect()
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its effects.
    pub const fn tally(&self) -> &RuleTally {
        &self.tally
    }

    /// Whether it holds for a message; counts it, too.
    fn holds(&mut self, event: &MessageEvent<'_>) -> bool {
        let holds = match &self.condition {
            Condition::All => true,
            Condition::Filter(filter) if !filter.counts(event) => false,
            Condition::Filter(filter) => {
                self.counted += 1;
                let conv_nth = match event.conversation {
                    Some(id) => {
                        let count = self.by_conversation.entry(id).or_default();
                        *count += 1;
                        *count
                    }
                    None => 0,
                };
                filter.matches(
                    event,
                    Counts {
                        nth: self.counted,
                        conv_nth,
                    },
                )
            }
        };
        self.tally.matched += u64::from(holds);
        holds
    }
}

impl From<Parsed> for Rule {
    fn from(parsed: Parsed) -> Self {
        Self {
            text: parsed.text,
            condition: parsed.condition,
            actions: parsed.actions,
            counted: 0,
            by_conversation: HashMap::new(),
            tally: RuleTally::default(),
        }
    }
}

/// The rules in force, first to last.
#[derive(Debug, Default)]
pub struct Rules {
    rules: Vec<Rule>,
    /// For those that are not there any more.
    nobodys: RuleTally,
}

impl Rules {
    /// The rules.
    pub fn all(&self) -> &[Rule] {
        &self.rules
    }

    /// Adds a rule behind the others; false if there are too many.
    pub fn add(&mut self, rule: Rule) -> bool {
        let has_room = self.rules.len() < MAX_RULES;
        if has_room {
            self.rules.push(rule);
        }
        has_room
    }

    /// Puts a rule in the place of another; false if there is none at that place, from 0.
    pub fn replace(&mut self, place: usize, rule: Rule) -> bool {
        self.rules.get_mut(place).map(|old| *old = rule).is_some()
    }

    /// Takes the rule at a place away; false if there is none.
    pub fn remove(&mut self, place: usize) -> bool {
        let exists = place < self.rules.len();
        if exists {
            self.rules.remove(place);
        }
        exists
    }

    /// Takes all away.
    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// The first rule that holds for a message, by its number from 1.
    pub(crate) fn first(&mut self, event: &MessageEvent<'_>) -> Option<(usize, &Rule)> {
        let place = self.rules.iter_mut().position(|rule| rule.holds(event))?;
        Some((place + 1, &self.rules[place]))
    }

    /// The effects of the rule of a number.
    pub(crate) fn tally_mut(&mut self, number: usize) -> &mut RuleTally {
        match self.rules.get_mut(number - 1) {
            Some(rule) => &mut rule.tally,
            None => &mut self.nobodys,
        }
    }

    /// The comment on a message that the rule of a number met.
    pub(crate) fn comment(&self, number: usize) -> Arc<str> {
        match self.rules.get(number - 1) {
            Some(rule) => Arc::from(format!("rule {number}: {}", rule.text)),
            None => Arc::from(format!("rule {number}")),
        }
    }

    /// A conversation is over.
    pub(crate) fn forget(&mut self, conversation: ConversationId) {
        for rule in &mut self.rules {
            rule.by_conversation.remove(&conversation);
        }
    }
}

#[cfg(test)]
mod tests;
