//! What must hold of the reports of a replay, whatever was recorded and answered.

use ministream::report::replay::ReplayReport;
use serde_json::Value;

use crate::outputs::{check_text, elements, style};

/// All elements of a page, each with the names of its attributes.
const OF_PAGES: [&str; 45] = [
    "a href",
    "body",
    "dd",
    "details",
    "details class",
    "details class open",
    "div class",
    "div class tabindex",
    "dl class",
    "dt",
    "figcaption",
    "figure",
    "footer",
    "g",
    "g class",
    "h1",
    "h2",
    "h2 id",
    "h3",
    "h4",
    "head",
    "html lang",
    "line class x1 y1 x2 y2/",
    "line x1 y1 x2 y2/",
    "main",
    "mark",
    "meta charset",
    "meta http-equiv content",
    "meta name content",
    "p class",
    "path d/",
    "pre class",
    "rect class x y width height rx/",
    "rect class x y width height/",
    "section class",
    "small",
    "span",
    "span class",
    "style",
    "summary",
    "summary class",
    "svg class viewBox role aria-label",
    "svg xmlns class role viewBox width height aria-label",
    "text class text-anchor x y",
    "title",
];

/// Those of a report for a CI server.
pub(crate) const OF_JUNIT: [&str; 6] = [
    "testsuite name tests failures errors skipped time",
    "testcase name",
    "testcase name/",
    "failure message/",
    "error message/",
    "skipped message/",
];

/// The table has no control characters, JSON is JSON, and the page and the report for a CI server
/// have no other elements than the program's own.
pub fn check(report: &ReplayReport<'_>) {
    for chosen in [2, 3] {
        let style = style(chosen);
        let mut table = Vec::new();
        report.table(&style, &mut table);
        check_text(&table, chosen == 3);
        let page = report.html(&style);
        check_elements(&page, &OF_PAGES);
    }
    let value: Value = serde_json::from_str(&report.json()).expect("JSON");
    assert_eq!(value["schema"], "ministream.replay/1");
    check_elements(report.junit().as_bytes(), &OF_JUNIT);
}

pub(crate) fn check_elements(page: &[u8], known: &[&str]) {
    let page = std::str::from_utf8(page).expect("a page is UTF-8");
    for element in elements(page) {
        assert!(
            known.contains(&element.as_str()),
            "<{element}> is not one of the report's"
        );
    }
}
