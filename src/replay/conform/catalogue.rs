//! All cases, by name.

use std::fmt;

use super::case::Case;
use super::tested::Tested;
use super::{client, server};

/// A name that is no case's, nor the beginning of one's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct UnknownCase {
    /// The requested name.
    pub name: String,
    /// The end to be tested.
    pub tested: &'static str,
}

impl fmt::Display for UnknownCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no case for a {} is called {:?}", self.tested, self.name)
    }
}

/// The cases whose id begins with one of `names`, part by part; all without names.
///
/// # Errors
/// A name that no case has.
pub fn cases(tested: Tested, names: &[String]) -> Result<Vec<&'static Case>, UnknownCase> {
    let all = match tested {
        Tested::Server => server::CASES,
        Tested::Client => client::CASES,
    };
    let is_called = |case: &Case, name: &str| {
        let name = name.trim_end_matches('/');
        let rest = case.id.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if let Some(name) = names
        .iter()
        .find(|name| !all.iter().any(|case| is_called(case, name)))
    {
        return Err(UnknownCase {
            name: name.clone(),
            tested: tested.name(),
        });
    }
    Ok(all
        .iter()
        .filter(|case| names.is_empty() || names.iter().any(|name| is_called(case, name)))
        .collect())
}
