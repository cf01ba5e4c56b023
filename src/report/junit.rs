//! JUnit XML, as CI servers read it.

use std::time::Duration;

/// A test suite that is being written.
#[derive(Debug)]
pub(super) struct Junit(String);

/// Number of test cases of a suite by result, with those that are not written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    pub(super) tests: u64,
    pub(super) failures: u64,
    pub(super) errors: u64,
    pub(super) skipped: u64,
}

/// The result of a test case, with its text.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate<'a> {
    Passed,
    Failure(&'a str),
    Error(&'a str),
    Skipped(&'a str),
}

impl Junit {
    pub(super) fn new(name: &str, counts: Counts, elapsed: Duration) -> Self {
        let Counts {
            tests,
            failures,
            errors,
            skipped,
        } = counts;
        Self(format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <testsuite name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" \
             skipped=\"{skipped}\" time=\"{:.3}\">\n",
            xml(name),
            elapsed.as_secs_f64()
        ))
    }

    pub(super) fn case(&mut self, name: &str, fate: Fate<'_>) {
        let name = xml(name);
        let (element, message) = match fate {
            Fate::Passed => {
                self.0.push_str(&format!("  <testcase name=\"{name}\"/>\n"));
                return;
            }
            Fate::Failure(message) => ("failure", message),
            Fate::Error(message) => ("error", message),
            Fate::Skipped(message) => ("skipped", message),
        };
        self.0.push_str(&format!(
            "  <testcase name=\"{name}\"><{element} message=\"{}\"/></testcase>\n",
            xml(message)
        ));
    }

    pub(super) fn finish(mut self) -> String {
        self.0.push_str("</testsuite>\n");
        self.0
    }
}

/// Text as the value of an attribute; characters that XML has no way to write are replaced.
fn xml(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            // XML 1.0 has no way to write most of them, not even as references (section 2.2);
            // tabs and ends of lines in an attribute would be read as spaces (section 3.3.3).
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}
